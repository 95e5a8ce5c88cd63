/* test_json.c - a record as JSON: order, numbers that read back, strings that stay strings. */
#include "test.h"

#include <float.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "report/json.h"
#include "report/record_json.h"

static int setup(void **state)
{
    return mc_record_create((struct mc_record **)state, NULL);
}

static int teardown(void **state)
{
    mc_record_destroy(*state);
    return 0;
}

/* The JSON of a record has to be this text. */
static void assert_json(const struct mc_record *record, const char *expected)
{
    struct mc_buf out;
    mc_buf_init(&out, 1 << 20);
    mc_report_json(record, &out);
    assert_false(out.failed);
    assert_string_equal(out.data, expected);
    mc_buf_finish(&out);
}

static void test_keys_keep_their_order_and_lists_of_scalars_one_line(void **state)
{
    struct mc_record *r = *state;
    mc_record_set_int(r, "zeta", 1);
    mc_record_set_bool(r, "alpha", true);
    struct mc_record *list = mc_record_array(r, "list");
    mc_record_append_int(list, -3);
    mc_record_append_text(list, "x");
    mc_record_set_int(mc_record_append_object(mc_record_array(r, "objects")), "a", 1);
    mc_record_object(r, "empty");
    assert_json(r, "{\n"
                   "  \"zeta\": 1,\n"
                   "  \"alpha\": true,\n"
                   "  \"list\": [-3, \"x\"],\n"
                   "  \"objects\": [\n"
                   "    {\n"
                   "      \"a\": 1\n"
                   "    }\n"
                   "  ],\n"
                   "  \"empty\": {}\n"
                   "}\n");
}

static void test_real_numbers_take_the_fewest_digits_and_stay_real(void **state)
{
    struct mc_record *r = *state, *x = mc_record_array(r, "x");
    const double numbers[] = {0.1, 1.0, -0.0, 1e300, 0.1 + 0.2, 1.0 / 3, NAN, INFINITY};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) mc_record_append_num(x, numbers[i]);
    assert_json(r, "{\n  \"x\": [0.1, 1.0, -0.0, 1e+300, 0.30000000000000004, 0.3333333333333333, null, null]\n}\n");
}

static void test_every_number_reads_back_as_it_was(void **state)
{
    struct mc_record *r = *state, *x = mc_record_array(r, "x");
    const double numbers[] = {
        DBL_MIN, DBL_MAX, 4.9e-324, 2.2250738585072011e-308, 9007199254740993.0, -1.7e-5, 123456789.123456789};
    const size_t n = sizeof numbers / sizeof *numbers;
    for (size_t i = 0; i < n; i++) mc_record_append_num(x, numbers[i]);
    mc_record_set_int(r, "most", INT64_MAX);
    mc_record_set_int(r, "least", INT64_MIN);
    struct mc_buf out;
    mc_buf_init(&out, 1 << 20);
    mc_report_json(r, &out);
    json_t *again = json_loads(out.data, 0, NULL);
    assert_non_null(again);
    for (size_t i = 0; i < n; i++) {
        const double value = json_real_value(json_array_get(json_object_get(again, "x"), i));
        assert_memory_equal(&value, &numbers[i], sizeof value);
    }
    assert_true(json_equal(again, mc_record_json(r)));
    json_decref(again);
    mc_buf_finish(&out);
}

static void test_strings_are_escaped_and_bytes_that_are_no_text_replaced(void **state)
{
    struct mc_record *r = *state;
    mc_record_set_text(r, "quoted", "a\"b\\c\n\t\x01\x7f");
    mc_record_set_text(r, "utf8", "gr\xc3\xbc\xc3\x9f");
    mc_record_set_text(r, "broken", "a\xff z");
    assert_json(r, "{\n"
                   "  \"quoted\": \"a\\\"b\\\\c\\n\\t\\u0001\\u007f\",\n"
                   "  \"utf8\": \"gr\xc3\xbc\xc3\x9f\",\n"
                   "  \"broken\": \"a? z\"\n"
                   "}\n");
    assert_int_equal(mc_record_check(r, NULL), MC_OK);
}

#define ON_RECORD(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_RECORD(test_keys_keep_their_order_and_lists_of_scalars_one_line),
        ON_RECORD(test_real_numbers_take_the_fewest_digits_and_stay_real),
        ON_RECORD(test_every_number_reads_back_as_it_was),
        ON_RECORD(test_strings_are_escaped_and_bytes_that_are_no_text_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
