/* test_sections.c - a record as console table and as Markdown. */
#include "test.h"

#include <string.h>

#include "report/print.h"
#include "report/record.h"
#include "report/sections.h"

static void add_measurement(struct mc_record *into, int64_t parameters, double accuracy, double loss)
{
    mc_record_set_int(into, "parameters", parameters);
    mc_record_set_num(into, "accuracy", accuracy);
    mc_record_set_num(into, "loss", loss);
}

/* Two measurements, a step between them, a gate that holds and one that does not. */
static int setup(void **state)
{
    struct mc_record *r;
    if (mc_record_create(&r, NULL) < 0) return -1;
    mc_record_set_text(r, "title", "r.yaml");
    mc_record_set_text(r, "model", "net|1.onnx");
    add_measurement(mc_record_object(r, "original"), 1234567, 0.9876, 0.05);
    struct mc_record *step = mc_record_append_object(mc_record_array(r, "steps"));
    mc_record_set_text(step, "step", "prune");
    mc_record_set_num(step, "seconds", 1.25);
    add_measurement(mc_record_object(step, "result"), 123456, 0.98, 0.0625);
    mc_record_set_record(r, "final", mc_record_get(step, "result"));
    struct mc_record *gate = mc_record_append_object(mc_record_array(r, "gates"));
    mc_record_set_text(gate, "gate", "max_parameters");
    mc_record_set_int(gate, "bound", 100000);
    mc_record_set_int(gate, "value", 123456);
    mc_record_set_int(gate, "margin", -23456);
    mc_record_set_bool(gate, "held", false);
    struct mc_record *layer = mc_record_append_object(mc_record_array(mc_record_object(r, "original"), "layers"));
    mc_record_set_text(layer, "layer", "fc\n1");
    mc_record_set_text(layer, "operator", "Gemm");
    mc_record_set_int(layer, "macs", 1000);
    *state = r;
    return 0;
}

static int teardown(void **state)
{
    mc_record_destroy(*state);
    return 0;
}

static void assert_text(const struct mc_record *record, enum mc_format format, const char *expected)
{
    struct mc_buf text;
    struct mc_error err = {0};
    assert_ok(mc_report_render(record, format, &text, &err), err);
    assert_string_equal(text.data, expected);
    mc_buf_finish(&text);
}

static void test_table_shows_before_after_change_and_gates(void **state)
{
    assert_text(*state, MC_FORMAT_TABLE,
                "model  net|1.onnx\n"
                "\n"
                "             original  1 prune            change\n"
                "parameters  1,234,567  123,456  10.00 times less\n"
                "accuracy      98.76 %  98.00 %      -0.76 points\n"
                "loss           0.0500   0.0625           +0.0125\n"
                "step, s                    1.2\n"
                "\n"
                "gate             bound   value  margin\n"
                "max_parameters  100000  123456  -23456  NOT HELD\n");
}

static void test_details_add_layers_and_no_control_character_gets_through(void **state)
{
    struct mc_buf text;
    struct mc_error err = {0};
    assert_ok(mc_report_render(*state, MC_FORMAT_DETAILS, &text, &err), err);
    assert_non_null(strstr(text.data, "Layers of the original\n"));
    assert_non_null(strstr(text.data, "fc?1   Gemm"));
    assert_null(strstr(text.data, "fc\n1"));
    mc_buf_finish(&text);
}

static void test_markdown_escapes_what_it_would_read_as_its_own(void **state)
{
    struct mc_buf text;
    struct mc_error err = {0};
    assert_ok(mc_report_render(*state, MC_FORMAT_MARKDOWN, &text, &err), err);
    assert_memory_equal(text.data, "# r.yaml\n\n", 10);
    assert_non_null(strstr(text.data, "| model | net\\|1.onnx |\n"));
    assert_non_null(strstr(text.data, "|  | original | 1 prune | change |\n| --- | ---: | ---: | ---: |\n"));
    assert_non_null(strstr(text.data, "| max\\_parameters | 100000 | 123456 | -23456 | NOT HELD |\n"));
    mc_buf_finish(&text);
}

static void test_a_record_without_known_keys_shows_nothing(void **state)
{
    (void)state;
    struct mc_record *r;
    struct mc_buf text;
    assert_int_equal(mc_record_create(&r, NULL), MC_OK);
    mc_record_set_int(r, "something", 1);
    mc_buf_init(&text, 1000);
    mc_report_sections(r, true, mc_grid_print_table, &text);
    assert_int_equal(text.length, 0);
    assert_false(text.failed);
    mc_buf_finish(&text);
    mc_record_destroy(r);
}

static void test_width_counts_characters_not_bytes(void **state)
{
    (void)state;
    assert_int_equal(mc_text_width("gr\xc3\xbc\xc3\x9f"), 4);
    assert_int_equal(mc_text_width(""), 0);
}

#define ON_RECORD(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static void test_parameters_that_were_not_trained_are_listed_once(void **state)
{
    struct mc_record *r;
    struct mc_error err = {0};
    assert_ok(mc_record_create(&r, &err), err);
    for (int i = 0; i < 2; i++) {
        struct mc_record *step = mc_record_append_object(mc_record_array(r, "steps"));
        struct mc_record *list = mc_record_array(mc_record_object(step, "training"), "untrained");
        struct mc_record *entry = mc_record_append_object(list);
        mc_record_set_text(entry, "parameter", "w");
        mc_record_set_text(entry, "node", "pick");
        mc_record_set_text(entry, "operator", "Hardmax");
        mc_record_set_text(entry, "why", "it has none");
    }
    struct mc_buf text;
    assert_ok(mc_report_render(r, MC_FORMAT_TABLE, &text, &err), err);
    const char *at = strstr(text.data, "Not trained");
    assert_non_null(at);
    assert_non_null(strstr(at, "it has none"));
    assert_null(strstr(at + 1, "Not trained"));
    mc_buf_finish(&text);
    mc_record_destroy(r);
}

static void test_ranks_and_what_was_left_whole_are_details(void **state)
{
    struct mc_error err = {0};
    struct mc_record *r;
    assert_ok(mc_record_create(&r, &err), err);
    struct mc_record *layers = mc_record_array(mc_record_append_object(mc_record_array(r, "steps")), "layers");
    struct mc_record *cut = mc_record_append_object(layers), *left = mc_record_append_object(layers);
    mc_record_set_text(cut, "tensor", "a");
    mc_record_set_int(cut, "outputs", 24);
    mc_record_set_int(cut, "inputs", 784);
    mc_record_set_int(cut, "rank", 20);
    mc_record_set_num(cut, "energy", 0.875);
    mc_record_set_int(cut, "macs_before", 18816);
    mc_record_set_int(cut, "macs_after", 16160);
    mc_record_set_text(left, "tensor", "b");
    mc_record_set_text(left, "why", "it is too large");
    struct mc_buf text;
    assert_ok(mc_report_render(r, MC_FORMAT_DETAILS, &text, &err), err);
    assert_non_null(strstr(text.data, "Ranks in step 1\n"
                                      "weight  outputs  inputs  rank     kept    MACs   after  left because\n"
                                      "a            24     784    20  87.50 %  18,816  16,160\n"
                                      "b                                                       it is too large\n"));
    mc_buf_finish(&text);
    assert_ok(mc_report_render(r, MC_FORMAT_TABLE, &text, &err), err);
    assert_int_equal(text.length, 0);
    mc_buf_finish(&text);
    mc_record_destroy(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parameters_that_were_not_trained_are_listed_once),
        cmocka_unit_test(test_ranks_and_what_was_left_whole_are_details),
        ON_RECORD(test_table_shows_before_after_change_and_gates),
        ON_RECORD(test_details_add_layers_and_no_control_character_gets_through),
        ON_RECORD(test_markdown_escapes_what_it_would_read_as_its_own),
        cmocka_unit_test(test_a_record_without_known_keys_shows_nothing),
        cmocka_unit_test(test_width_counts_characters_not_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
