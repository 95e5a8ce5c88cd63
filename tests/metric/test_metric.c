/* test_metric.c - against scikit-learn 1.9.1 (zero_division=0, average='macro') and scipy 1.17.1 (binomtest). */
#include "test.h"

#include <math.h>

#include "metric/metric.h"

static void assert_near(double got, double wanted, double tolerance)
{
    if (!(fabs(got - wanted) <= tolerance)) fail_msg("%.17g is not %.17g", got, wanted);
}

/* Scores whose largest entry is at `predicted`. */
static void add_predictions(struct mc_meter *meter, const int64_t *labels, const int *predicted, int64_t n)
{
    float scores[4 * 16] = {0};
    assert_true(meter->width <= 4 && n <= 16);
    for (int64_t i = 0; i < n; i++) scores[i * meter->width + predicted[i]] = 1;
    mc_meter_add_classes(meter, scores, labels, NULL, n);
}

static void test_classification_agrees_with_scikit_learn(void **state)
{
    struct mc_error err = {0};
    struct mc_meter meter;
    struct mc_metrics m;
    assert_ok(mc_meter_init(&meter, MC_METER_CLASSES, 3, &err), err);
    add_predictions(&meter, (int64_t[]){0, 0, 1, 1, 2}, (int[]){0, 1, 1, 1, 2}, 5);
    mc_meter_add_loss(&meter, 3);
    add_predictions(&meter, (int64_t[]){2, 2, 0}, (int[]){0, 2, 0}, 3); /* totals run over batches */
    mc_meter_add_loss(&meter, 1);
    mc_meter_result(&meter, &m);
    assert_true(m.classification);
    assert_int_equal(m.n_samples, 8);
    assert_near(m.loss, 0.5, 0);
    assert_near(m.accuracy, 0.75, 0);
    assert_near(m.precision, 0.7777777777777777, 1e-15);
    assert_near(m.recall, 0.7777777777777777, 1e-15);
    assert_near(m.f1, 0.7555555555555555, 1e-15);
    mc_meter_finish(&meter);
}

static void test_absent_classes_do_not_count_and_unpredicted_ones_are_zero(void **state)
{
    struct mc_error err = {0};
    struct mc_meter meter;
    struct mc_metrics m;
    assert_ok(mc_meter_init(&meter, MC_METER_CLASSES, 4, &err), err); /* class 2 occurs nowhere, 3 is never predicted */
    add_predictions(&meter, (int64_t[]){0, 0, 1, 3}, (int[]){0, 1, 1, 0}, 4);
    mc_meter_result(&meter, &m);
    assert_near(m.precision, 0.3333333333333333, 1e-15);
    assert_near(m.recall, 0.5, 1e-15);
    assert_near(m.f1, 0.38888888888888884, 1e-15);
    mc_meter_finish(&meter);
}

static void test_prediction_is_the_first_largest(void **state)
{
    struct mc_error err = {0};
    struct mc_meter meter;
    assert_ok(mc_meter_init(&meter, MC_METER_CLASSES, 3, &err), err);
    const float scores[] = {1, 1, 0, -2, -1, -1, 5, NAN, 9};
    mc_meter_add_classes(&meter, scores, (int64_t[]){0, 0, 0}, NULL, 3);
    assert_int_equal(meter.confusion[0], 1);
    assert_int_equal(meter.confusion[1], 2); /* the second row's tie and the third's NaN */
    mc_meter_finish(&meter);
}

static void test_regression_agrees_with_scikit_learn(void **state)
{
    struct mc_error err = {0};
    struct mc_meter meter;
    struct mc_metrics m;
    assert_ok(mc_meter_init(&meter, MC_METER_NUMBERS, 1, &err), err);
    const float targets[] = {1000.5F, 1001, 1003, 999.25F, 1002, 1000};
    const float outputs[] = {1001, 1001.5F, 1002, 999, 1002.25F, 1001};
    mc_meter_add_numbers(&meter, outputs, targets, NULL, 4);
    mc_meter_add_numbers(&meter, outputs + 4, targets + 4, NULL, 2);
    mc_meter_result(&meter, &m);
    assert_false(m.classification);
    assert_int_equal(m.n_samples, 6);
    assert_near(m.mse, 0.4375, 1e-15);
    assert_near(m.mae, 0.5833333333333334, 1e-15);
    assert_near(m.r2, 0.7178051511758119, 1e-13);
    mc_meter_finish(&meter);
}

static void test_constant_targets_have_no_r2(void **state)
{
    struct mc_error err = {0};
    struct mc_meter meter;
    struct mc_metrics m;
    assert_ok(mc_meter_init(&meter, MC_METER_NUMBERS, 1, &err), err);
    mc_meter_add_numbers(&meter, (const float[]){1, 2}, (const float[]){0.1F, 0.1F}, NULL, 2);
    mc_meter_result(&meter, &m);
    assert_near(m.r2, 0, 0);
    mc_meter_finish(&meter);
}

static void test_reset_forgets_and_nothing_gives_zeroes(void **state)
{
    struct mc_error err = {0};
    struct mc_meter meter;
    struct mc_metrics m;
    assert_ok(mc_meter_init(&meter, MC_METER_CLASSES, 2, &err), err);
    add_predictions(&meter, (int64_t[]){0, 1}, (int[]){0, 0}, 2);
    mc_meter_add_loss(&meter, 1);
    mc_meter_reset(&meter);
    mc_meter_result(&meter, &m);
    assert_int_equal(m.n_samples, 0);
    assert_near(m.loss + m.accuracy + m.f1, 0, 0);
    add_predictions(&meter, (int64_t[]){1}, (int[]){1}, 1);
    mc_meter_result(&meter, &m);
    assert_near(m.accuracy, 1, 0);
    mc_meter_finish(&meter);
}

static void test_wilson_agrees_with_scipy(void **state)
{
    static const struct {
        int64_t k, n;
        double low, high;
    } cases[] = {
        {9850, 10000, 0.9824245640695634, 0.9872029575108804},
        {3, 7, 0.1582198552514697, 0.7495416354723428},
        {0, 10, 0, 0.27753279986288926},
        {10, 10, 0.7224672001371109, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double low, high;
        mc_wilson(cases[i].k, cases[i].n, &low, &high);
        assert_near(low, cases[i].low, 1e-8);
        assert_near(high, cases[i].high, 1e-8);
    }
}

static void test_too_many_classes_are_refused(void **state)
{
    struct mc_error err = {0};
    struct mc_meter meter;
    assert_int_equal(mc_meter_init(&meter, MC_METER_CLASSES, INT64_C(1) << 40, &err), MC_ERR_USAGE);
    assert_string_equal(err.text, "1099511627776 classes: at most 65536 can be measured");
    mc_meter_finish(&meter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_classification_agrees_with_scikit_learn),
        cmocka_unit_test(test_absent_classes_do_not_count_and_unpredicted_ones_are_zero),
        cmocka_unit_test(test_prediction_is_the_first_largest),
        cmocka_unit_test(test_regression_agrees_with_scikit_learn),
        cmocka_unit_test(test_constant_targets_have_no_r2),
        cmocka_unit_test(test_reset_forgets_and_nothing_gives_zeroes),
        cmocka_unit_test(test_wilson_agrees_with_scipy),
        cmocka_unit_test(test_too_many_classes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
