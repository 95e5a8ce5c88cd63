/* test_gather.c - several runs side by side. */
#include "test.h"

#include <string.h>

#include "report/print.h"
#include "report/record.h"

/* A run with these figures, of which a gate failed or none was asked for. */
static struct mc_record *make_run(int64_t bytes, double accuracy, bool failed)
{
    struct mc_record *record;
    assert_int_equal(mc_record_create(&record, NULL), MC_OK);
    mc_record_begin(record, "r.yaml");
    mc_record_set_int(mc_record_object(record, "final"), "bytes", bytes);
    mc_record_set_num(mc_record_object(record, "final"), "accuracy", accuracy);
    if (failed) mc_record_set_bool(mc_record_append_object(mc_record_array(record, "gates")), "held", false);
    return record;
}

static int setup(void **state)
{
    static const char *const names[] = {"a.json", "b.json", "c.json"};
    struct mc_record *runs[] = {make_run(1000, 0.75, false), make_run(2000, 0.875, true), make_run(3000, 0.5, false)},
                     *gathered;
    const int rc = mc_record_gather(&gathered, (const struct mc_record *const *)runs, names, 3, NULL);
    for (int i = 0; i < 3; i++) mc_record_destroy(runs[i]);
    *state = gathered;
    return rc;
}

static int teardown(void **state)
{
    mc_record_destroy(*state);
    return 0;
}

static void test_runs_have_the_figures_of_their_results(void **state)
{
    assert_int_equal(mc_record_size(mc_record_get(*state, "runs")), 3);
    assert_string_equal(mc_record_get_text(*state, "runs.1.run", ""), "b.json");
    assert_int_equal(mc_record_get_int(*state, "runs.1.bytes", -1), 2000);
    assert_true(mc_record_get_num(*state, "runs.1.accuracy", -1) == 0.875);
    assert_int_equal(mc_record_get_int(*state, "runs.0.gates", -1), 0);
    assert_int_equal(mc_record_get_int(*state, "runs.1.gates_failed", -1), 1);
    assert_int_equal(mc_record_get_int(*state, "record_version", -1), 1);
}

static void test_the_table_has_a_column_for_each(void **state)
{
    struct mc_buf text;
    struct mc_error err = {0};
    assert_ok(mc_report_render(*state, MC_FORMAT_TABLE, &text, &err), err);
    assert_string_equal(text.data, "run        a.json         b.json   c.json\n"
                                   "gates        none  1 of 1 FAILED     none\n"
                                   "bytes       1,000          2,000    3,000\n"
                                   "accuracy  75.00 %        87.50 %  50.00 %\n");
    mc_buf_finish(&text);
}

/* c is larger and worse than a: its mark is hollow. */
static void test_the_page_marks_the_front(void **state)
{
    struct mc_buf text;
    struct mc_error err = {0};
    assert_ok(mc_report_render(*state, MC_FORMAT_HTML, &text, &err), err);
    assert_non_null(strstr(text.data, "<section id=\"runs\""));
    const char *hollow = strstr(text.data, "<circle class=\"hollow\"");
    assert_non_null(hollow);
    assert_non_null(strstr(hollow, "<title>c.json"));
    assert_null(strstr(hollow + 1, "<circle class=\"hollow\""));
    mc_buf_finish(&text);
}

static void test_a_record_comes_as_text(void **state)
{
    char *text;
    struct mc_error err = {0};
    assert_ok(mc_record_text(*state, MC_FORMAT_JSON, &text, &err), err);
    assert_memory_equal(text, "{\n  \"record_version\": 1,\n  \"title\": \"compress report\"", 50);
    mc_text_release(text);
}

#define ON_RUNS(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_RUNS(test_runs_have_the_figures_of_their_results),
        ON_RUNS(test_the_table_has_a_column_for_each),
        ON_RUNS(test_the_page_marks_the_front),
        ON_RUNS(test_a_record_comes_as_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
