/* test_gates.c - bounds against measurements: values, margins, what is not known. */
#include "test.h"

#include <string.h>

#include "recipe/gates.h"
#include "report/record.h"

struct fixture {
    struct mc_record *record, *original, *final, *into;
    struct mc_settings gates;
};

static int setup(void **state)
{
    static struct fixture f;
    f = (struct fixture){0};
    *state = &f;
    if (mc_record_create(&f.record, NULL) < 0) return -1;
    f.original = mc_record_object(f.record, "original");
    f.final = mc_record_object(f.record, "final");
    f.into = mc_record_array(f.record, "gates");
    mc_record_set_num(f.original, "accuracy", 0.99);
    mc_record_set_int(f.original, "bytes", 1000);
    mc_record_set_num(f.final, "accuracy", 0.97);
    mc_record_set_int(f.final, "bytes", 400);
    mc_record_set_int(f.final, "parameters", 100);
    return mc_settings_init(&f.gates, mc_gate_options, mc_gate_options_count, NULL);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    mc_settings_finish(&f->gates);
    mc_record_destroy(f->record);
    return 0;
}

static void give(struct fixture *f, const char *name, const char *bound)
{
    struct mc_setting *setting = mc_settings_find(&f->gates, name);
    const size_t i = (size_t)(setting - f->gates.values);
    assert_int_equal(mc_option_parse(&mc_gate_options[i], bound, setting, NULL), MC_OK);
}

static void test_gates_that_hold_have_a_positive_margin(void **state)
{
    struct fixture *f = *state;
    bool held;
    struct mc_error err = {0};
    give(f, "max_accuracy_drop", "0.03");
    give(f, "min_compression", "2");
    give(f, "max_parameters", "100");
    assert_ok(mc_gates_check(&f->gates, f->original, f->final, f->into, &held, &err), err);
    assert_true(held);
    assert_int_equal(mc_record_size(f->into), 3);
    assert_string_equal(mc_record_get_text(f->record, "gates.0.gate", ""), "max_accuracy_drop");
    assert_true(mc_record_get_num(f->record, "gates.0.margin", -1) > 0.0099);
    assert_true(mc_record_get_num(f->record, "gates.1.margin", -1) == 0); /* max_parameters, exactly at its bound */
    assert_true(mc_record_get_num(f->record, "gates.2.value", -1) == 2.5);
    assert_true(mc_record_get_bool(f->record, "gates.2.held", false));
    assert_string_equal(err.text, "");
}

static void test_every_gate_that_fails_is_named(void **state)
{
    struct fixture *f = *state;
    bool held;
    struct mc_error err = {0};
    give(f, "min_accuracy", "0.98");
    give(f, "max_bytes", "399");
    give(f, "max_parameters", "1000");
    assert_int_equal(mc_gates_check(&f->gates, f->original, f->final, f->into, &held, &err), MC_OK);
    assert_false(held);
    assert_string_equal(err.text, "gate 'min_accuracy' does not hold: needs at least 0.98, has 0.97; "
                                  "gate 'max_bytes' does not hold: needs at most 399, has 400");
    assert_true(mc_record_get_num(f->record, "gates.1.margin", 0) == -1);
    assert_false(mc_record_get_bool(f->record, "gates.1.held", true));
    assert_true(mc_record_get_bool(f->record, "gates.2.held", false));
}

static void test_a_figure_that_was_not_measured_is_refused(void **state)
{
    struct fixture *f = *state;
    bool held;
    struct mc_error err = {0};
    give(f, "max_macs", "10");
    assert_int_equal(mc_gates_check(&f->gates, f->original, f->final, f->into, &held, &err), MC_ERR_USAGE);
    assert_string_equal(err.text, "gate 'max_macs': macs of this model is not known");
}

static void test_only_gates_on_accuracy_need_data(void **state)
{
    struct fixture *f = *state;
    give(f, "max_bytes", "1");
    assert_null(mc_gates_need_accuracy(&f->gates));
    give(f, "max_accuracy_drop", "0.1");
    assert_string_equal(mc_gates_need_accuracy(&f->gates), "max_accuracy_drop");
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(test_gates_that_hold_have_a_positive_margin),
        WITH_FIXTURE(test_every_gate_that_fails_is_named),
        WITH_FIXTURE(test_a_figure_that_was_not_measured_is_refused),
        WITH_FIXTURE(test_only_gates_on_accuracy_need_data),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
