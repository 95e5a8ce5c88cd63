/* test_print.c - gates as test cases, runs as badges and comments, formats by the endings of names. */
#include "test.h"

#include <string.h>

#include "report/print.h"
#include "report/record.h"

static void add_gate(struct mc_record *record, const char *name, double bound, double value, bool held)
{
    struct mc_record *gate = mc_record_append_object(mc_record_array(record, "gates"));
    mc_record_set_text(gate, "gate", name);
    mc_record_set_num(gate, "bound", bound);
    mc_record_set_num(gate, "value", value);
    mc_record_set_num(gate, "margin", held ? 0.5 : -0.5);
    mc_record_set_bool(gate, "held", held);
}

/* A run that halved the bytes; with a gate for each of the names that are given. */
static struct mc_record *make_run(const char *held, const char *failed)
{
    struct mc_record *record;
    assert_int_equal(mc_record_create(&record, NULL), MC_OK);
    mc_record_set_text(record, "title", "r & d.yaml");
    mc_record_set_num(record, "seconds", 2.5);
    mc_record_set_int(mc_record_object(record, "original"), "bytes", 4000);
    mc_record_array(record, "steps");
    mc_record_set_int(mc_record_object(record, "final"), "bytes", 2000);
    mc_record_set_num(mc_record_object(record, "final"), "accuracy", 0.9825);
    if (held) add_gate(record, held, 3000, 2000, true);
    if (failed) add_gate(record, failed, 0.99, 0.9825, false);
    return record;
}

static void assert_prints(const struct mc_record *record, enum mc_format format, const char *expected)
{
    struct mc_buf text;
    struct mc_error err = {0};
    assert_ok(mc_report_render(record, format, &text, &err), err);
    if (!strstr(text.data, expected)) fail_msg("needs '%s', has: %s", expected, text.data);
    mc_buf_finish(&text);
}

static void test_a_gate_is_a_case_and_one_that_fails_says_by_how_much(void **state)
{
    struct mc_record *record = make_run("max_bytes", "min_accuracy");
    assert_prints(
        record, MC_FORMAT_JUNIT,
        "<testsuite name=\"r &amp; d.yaml\" tests=\"2\" failures=\"1\" errors=\"0\" skipped=\"0\" time=\"2.500\">");
    assert_prints(record, MC_FORMAT_JUNIT, "<testcase classname=\"r &amp; d.yaml\" name=\"max_bytes\" time=\"0\"/>");
    assert_prints(record, MC_FORMAT_JUNIT,
                  "name=\"min_accuracy\" time=\"0\">\n      <failure type=\"gate\" message=\"needs at least 0.99, has "
                  "0.9825\">value 0.98250000000000004\nbound 0.98999999999999999\nmargin -0.5</failure>");
    assert_prints(record, MC_FORMAT_JUNIT, "<property name=\"bytes\" value=\"2000\"/>");
    mc_record_destroy(record);
}

static void test_a_badge_tells_size_and_accuracy_or_what_failed(void **state)
{
    struct mc_record *held = make_run("max_bytes", NULL), *failed = make_run("max_bytes", "min_accuracy"),
                     *none = make_run(NULL, NULL);
    assert_prints(held, MC_FORMAT_BADGE, ">2.0\xc3\x97 smaller, 98.25 %</text>");
    assert_prints(held, MC_FORMAT_BADGE, "fill=\"#1a7037\"");
    assert_prints(failed, MC_FORMAT_BADGE, ">1 of 2 gates failed</text>");
    assert_prints(failed, MC_FORMAT_BADGE, "fill=\"#b3261e\"");
    assert_prints(none, MC_FORMAT_BADGE, "fill=\"#44546a\"");
    mc_record_destroy(held);
    mc_record_destroy(failed);
    mc_record_destroy(none);
}

static void test_a_comment_begins_with_the_verdict(void **state)
{
    struct mc_record *held = make_run("max_bytes", NULL), *failed = make_run(NULL, "min_accuracy");
    assert_prints(held, MC_FORMAT_COMMENT,
                  "# r & d.yaml\n\n**Passed: every gate holds**; 2.00 times smaller; accuracy 98.25 %\n\n|");
    assert_prints(failed, MC_FORMAT_COMMENT,
                  "\n**Failed**; `min_accuracy` needs at least 0.99, has 0.9825; 2.00 times");
    assert_prints(failed, MC_FORMAT_COMMENT, "\n<details><summary>Everything</summary>\n");
    mc_record_destroy(held);
    mc_record_destroy(failed);
}

static void test_the_ending_of_a_name_says_the_format(void **state)
{
    static const struct {
        const char *path;
        enum mc_format format;
    } names[] = {{"a.json", MC_FORMAT_JSON},
                 {"b/a.md", MC_FORMAT_MARKDOWN},
                 {"a.html", MC_FORMAT_HTML},
                 {"a.xml", MC_FORMAT_JUNIT},
                 {"a.svg", MC_FORMAT_BADGE}};
    enum mc_format format;
    struct mc_error err = {0};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_ok(mc_format_of_path(names[i].path, &format, &err), err);
        assert_int_equal(format, names[i].format);
    }
    assert_int_equal(mc_format_of_path("a.pdf", &format, &err), MC_ERR_USAGE);
    assert_non_null(strstr(err.text, "a.pdf"));
    assert_int_equal(mc_format_of_path(".md", &format, NULL), MC_ERR_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_gate_is_a_case_and_one_that_fails_says_by_how_much),
        cmocka_unit_test(test_a_badge_tells_size_and_accuracy_or_what_failed),
        cmocka_unit_test(test_a_comment_begins_with_the_verdict),
        cmocka_unit_test(test_the_ending_of_a_name_says_the_format),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
