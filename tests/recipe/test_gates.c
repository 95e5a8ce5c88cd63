/* test_gates.c - bounds against measurements: values, margins, what is not known. */
#include "test.h"

#include <string.h>

#include "recipe/gates.h"
#include "report/record.h"

struct fixture {
    struct mc_record *record, *original, *final, *baseline, *into;
    struct mc_settings gates;
    struct mc_outcomes *before, *after;
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

static int hold(struct fixture *f, bool *held, struct mc_error *err)
{
    const struct mc_gate_evidence evidence = {
        .original = f->original, .final = f->final, .baseline = f->baseline, .before = f->before, .after = f->after};
    return mc_gates_check(&f->gates, &evidence, f->into, held, err);
}

static void test_gates_that_hold_have_a_positive_margin(void **state)
{
    struct fixture *f = *state;
    bool held;
    struct mc_error err = {0};
    give(f, "max_accuracy_drop", "0.03");
    give(f, "min_compression", "2");
    give(f, "max_parameters", "100");
    assert_ok(hold(f, &held, &err), err);
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
    assert_int_equal(hold(f, &held, &err), MC_OK);
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
    assert_int_equal(hold(f, &held, &err), MC_ERR_USAGE);
    assert_string_equal(err.text, "gate 'max_macs': macs of this model is not known");
}

static void test_only_gates_on_accuracy_need_data(void **state)
{
    struct fixture *f = *state;
    give(f, "max_bytes", "1");
    assert_null(mc_gates_need_data(&f->gates));
    give(f, "max_accuracy_drop", "0.1");
    assert_string_equal(mc_gates_need_data(&f->gates), "max_accuracy_drop");
}

static void test_gates_say_how_much_has_to_be_measured(void **state)
{
    struct fixture *f = *state;
    const char *gate;
    give(f, "max_bytes", "1");
    give(f, "max_latency_ratio", "2");
    assert_int_equal(mc_gates_need_measuring(&f->gates, &gate), MC_MEASURE_COUNTS);
    assert_null(gate);
    give(f, "max", "bytes_zstd:9");
    assert_int_equal(mc_gates_need_measuring(&f->gates, &gate), MC_MEASURE_SIZES);
    assert_string_equal(gate, "max");
    give(f, "max_activation_bytes", "9");
    assert_int_equal(mc_gates_need_measuring(&f->gates, &gate), MC_MEASURE_ALL);
    assert_string_equal(gate, "max_activation_bytes");
}

/* --- any metric, by class --- */

static void add_class(struct mc_record *measurement, const char *name, double recall)
{
    struct mc_record *entry = mc_record_append_object(mc_record_array(measurement, "per_class"));
    mc_record_set_text(entry, "class", name);
    mc_record_set_num(entry, "recall", recall);
}

static void test_metrics_of_single_classes_are_gates(void **state)
{
    struct fixture *f = *state;
    bool held;
    struct mc_error err = {0};
    add_class(f->original, "cat", 0.9);
    add_class(f->final, "dog", 0.5);
    add_class(f->final, "cat", 0.875);
    mc_record_set_num(f->original, "loss", 0.25);
    mc_record_set_num(f->final, "loss", 0.5);
    give(f, "min", "recall.cat:0.8,accuracy:0.98");
    give(f, "max", "bytes:400,loss:0.75");
    give(f, "max_drop", "recall.cat:0.05,loss:0.125");
    assert_ok(hold(f, &held, &err), err);
    assert_false(held);
    assert_string_equal(mc_record_get_text(f->record, "gates.0.gate", ""), "min.recall.cat");
    assert_true(mc_record_get_bool(f->record, "gates.0.held", false));
    assert_false(mc_record_get_bool(f->record, "gates.1.held", true));
    assert_true(mc_record_get_num(f->record, "gates.2.margin", 1) == 0);
    assert_true(mc_record_get_num(f->record, "gates.3.margin", 1) == 0.25);
    assert_true(mc_record_get_bool(f->record, "gates.4.held", false));
    assert_true(mc_record_get_num(f->record, "gates.5.value", 0) == 0.25); /* more loss is a drop */
    assert_string_equal(err.text, "gate 'min.accuracy' does not hold: needs at least 0.98, has 0.97; "
                                  "gate 'max_drop.loss' does not hold: needs at most 0.125, has 0.25");
    give(f, "min", "recall.cow:0.8");
    assert_int_equal(hold(f, &held, &err), MC_ERR_USAGE);
    assert_string_equal(err.text, "gate 'min.recall.cow': recall.cow of this model is not known");
}

static void test_unknown_metrics_are_found_before_any_work(void **state)
{
    struct fixture *f = *state;
    struct mc_error err = {0};
    const char *option;
    give(f, "min", "bytes:3,f2:0.5");
    assert_int_equal(mc_gates_look(&f->gates, &option, &err), MC_ERR_USAGE);
    assert_string_equal(option, "min");
    assert_string_equal(err.text, "no metric is called 'f2' (did you mean 'f1'?)");
    give(f, "min", "f1:0.5");
    give(f, "no_worse", "bytes:1");
    assert_int_equal(mc_gates_look(&f->gates, &option, &err), MC_ERR_USAGE);
    assert_string_equal(option, "no_worse");
    give(f, "no_worse", "f1:0.1");
    assert_ok(mc_gates_look(&f->gates, &option, &err), err);
    assert_true(mc_gates_need_outcomes(&f->gates));
    assert_string_equal(mc_gates_need_data(&f->gates), "no_worse");
}

/* --- against the original's answers --- */

/* Two classes, n samples, every `wrong`-th answer wrong. */
static void answer(struct mc_outcomes *o, int n, int wrong)
{
    struct mc_error err = {0};
    assert_ok(mc_outcomes_init(o, MC_METER_CLASSES, 2, n, &err), err);
    for (int i = 0; i < n; i++) {
        const int64_t label = i % 2;
        const float z[2] = {0, (label == 1) == (i % wrong != 0) ? 1.0F : -1.0F};
        mc_outcomes_add(o, z, &label, NULL, 1);
    }
}

#define WORST 0.0351445948

/* 400 samples, 8 more of them wrong than the original's 0: at 95 % the accuracy may be worse by that (Tango's interval,
 * solved for with scipy 1.17.1 as in tests/reference/metric_numbers.py). */
static void test_no_worse_is_a_statement_of_confidence(void **state)
{
    struct fixture *f = *state;
    struct mc_error err = {0};
    struct mc_outcomes before, after;
    bool held;
    answer(&before, 400, 1000);
    before.decisions[0] = 0; /* sample 0 is wrong by the rule */
    answer(&after, 400, 50);
    f->before = &before;
    f->after = &after;
    give(f, "no_worse", "accuracy:0.03,f1:0.05");
    assert_ok(hold(f, &held, &err), err);
    assert_false(held);
    assert_string_equal(mc_record_get_text(f->record, "gates.0.gate", ""), "no_worse.accuracy");
    assert_true(mc_record_get_num(f->record, "gates.0.drop", 0) == 0.02);
    const double worst = mc_record_get_num(f->record, "gates.0.value", 0);
    if (!(worst > WORST - 1e-6 && worst < WORST + 1e-6)) fail_msg("%.9g", worst);
    assert_true(mc_record_get_bool(f->record, "gates.1.held", false));
    give(f, "confidence", "0.6");
    assert_ok(hold(f, &held, &err), err);
    assert_true(held);
    f->after = NULL;
    assert_int_equal(hold(f, &held, &err), MC_ERR_USAGE);
    mc_outcomes_finish(&before);
    mc_outcomes_finish(&after);
}

/* --- against an earlier record --- */

static void test_nothing_is_worse_than_the_baseline(void **state)
{
    struct fixture *f = *state;
    struct mc_error err = {0};
    bool held;
    f->baseline = mc_record_object(f->record, "baseline");
    mc_record_set_num(f->baseline, "accuracy", 0.96);
    mc_record_set_int(f->baseline, "bytes", 390);
    mc_record_set_int(f->baseline, "parameters", 100);
    assert_ok(hold(f, &held, &err), err);
    assert_false(held);
    assert_string_equal(err.text, "gate 'baseline.bytes' does not hold: needs at most 390, has 400");
    assert_int_equal(mc_record_size(f->into), 3);
    give(f, "tolerance", "bytes:10,accuracy:0.001");
    assert_ok(hold(f, &held, &err), err);
    assert_true(held);
    give(f, "tolerance", "f1:0.1");
    assert_int_equal(hold(f, &held, &err), MC_ERR_USAGE);
    assert_string_equal(err.text, "gate 'baseline.f1': the baseline has no such figure");
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(test_gates_that_hold_have_a_positive_margin),
        WITH_FIXTURE(test_every_gate_that_fails_is_named),
        WITH_FIXTURE(test_a_figure_that_was_not_measured_is_refused),
        WITH_FIXTURE(test_only_gates_on_accuracy_need_data),
        WITH_FIXTURE(test_gates_say_how_much_has_to_be_measured),
        WITH_FIXTURE(test_metrics_of_single_classes_are_gates),
        WITH_FIXTURE(test_unknown_metrics_are_found_before_any_work),
        WITH_FIXTURE(test_no_worse_is_a_statement_of_confidence),
        WITH_FIXTURE(test_nothing_is_worse_than_the_baseline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
