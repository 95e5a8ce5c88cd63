/* test_paired.c - McNemar's test and Tango's interval against scipy 1.17.1 (expected.h); the bootstrap against Tango.
 */
#include "test.h"

#include <math.h>

#include "base/rng.h"
#include "expected.h"
#include "metric/paired.h"

static void assert_near(double got, double wanted, double tolerance)
{
    if (!(fabs(got - wanted) <= tolerance)) fail_msg("%.17g is not %.17g", got, wanted);
}

static void test_tests_and_intervals_agree_with_scipy(void **state)
{
    enum { ROW = 9 };
    for (const double *p = pairs; p < pairs + sizeof pairs / sizeof *pairs; p += ROW) {
        struct mc_mcnemar m = {
            .both = (int64_t)(p[0] - p[1] - p[2]), .only_first = (int64_t)p[1], .only_second = (int64_t)p[2]};
        struct mc_interval i;
        mc_mcnemar_test(&m);
        assert_near(m.p_exact, p[3], 1e-9);
        assert_near(m.p_mid, p[4], 1e-9);
        mc_paired_shares(&m, 0.95, &i);
        assert_near(i.difference, (p[2] - p[1]) / p[0], 1e-15);
        assert_near(i.low, p[5], 1e-6);
        assert_near(i.high, p[6], 1e-6);
        mc_paired_shares(&m, 0.9, &i);
        assert_near(i.low, p[7], 1e-6);
        assert_near(i.high, p[8], 1e-6);
    }
}

/* Two classes; each answer is right with a probability of its own. */
static void answer(struct mc_outcomes *o, int n, double right, uint64_t seed)
{
    struct mc_error err = {0};
    struct mc_rng rng;
    mc_rng_init(&rng, seed, 1);
    assert_ok(mc_outcomes_init(o, MC_METER_CLASSES, 2, n, &err), err);
    for (int i = 0; i < n; i++) {
        const int64_t label = i % 2;
        const float sure = (float)mc_rng_range(&rng, 0.1, 2), sign = mc_rng_uniform(&rng) < right ? 1.0F : -1.0F;
        const float z[2] = {0, label ? sign * sure : -sign * sure};
        mc_outcomes_add(o, z, &label, NULL, 1);
    }
}

static void test_bootstrap_of_accuracy_is_near_the_score_interval(void **state)
{
    struct mc_error err = {0};
    struct mc_outcomes a, b;
    const struct mc_figure *accuracy;
    const char *rest;
    answer(&a, 2000, 0.9, 1);
    answer(&b, 2000, 0.85, 2);
    assert_ok(mc_figure_find(&accuracy, &rest, "accuracy", &err), err);
    struct mc_interval drawn, again, score;
    struct mc_mcnemar m;
    mc_mcnemar(&m, &a, &b);
    assert_int_equal(m.both + m.only_first + m.only_second + m.neither, 2000);
    mc_paired_shares(&m, 0.95, &score);
    assert_ok(mc_paired_bootstrap(&a, &b, accuracy, -1, 1000, 3, 0.95, &drawn, &err), err);
    assert_near(drawn.difference, score.difference, 1e-12);
    assert_near(drawn.low, score.low, 0.002);
    assert_near(drawn.high, score.high, 0.002);
    assert_true(drawn.low < -0.02 && drawn.high < 0);
    assert_ok(mc_paired_bootstrap(&a, &b, accuracy, -1, 1000, 3, 0.95, &again, &err), err);
    assert_true(again.low == drawn.low && again.high == drawn.high); /* by the seed */
    mc_outcomes_finish(&a);
    mc_outcomes_finish(&b);
}

static void test_figures_of_ranks_and_classes_are_drawn_too(void **state)
{
    static const char *const names[] = {"auc", "recall.1", "f1", "loss"};
    struct mc_error err = {0};
    struct mc_outcomes a, b;
    answer(&a, 300, 0.95, 1);
    answer(&b, 300, 0.7, 2);
    for (int i = 0; i < 4; i++) {
        const struct mc_figure *figure;
        const char *rest;
        struct mc_interval drawn;
        assert_ok(mc_figure_find(&figure, &rest, names[i], &err), err);
        assert_ok(mc_paired_bootstrap(&a, &b, figure, rest ? 1 : -1, 200, 0, 0.95, &drawn, &err), err);
        assert_true(drawn.low < drawn.difference && drawn.difference < drawn.high);
        assert_true(figure->rises ? drawn.high < 0 : drawn.low > 0);
    }
    assert_true(mc_paired_agreement(&a, &a) == 1 && mc_paired_agreement(&a, &b) < 0.9);
    mc_outcomes_finish(&a);
    mc_outcomes_finish(&b);
}

static void test_other_samples_are_refused(void **state)
{
    struct mc_error err = {0};
    struct mc_outcomes a, b, none = {0};
    answer(&a, 10, 1, 1);
    answer(&b, 11, 1, 1);
    assert_int_equal(mc_paired_check(&a, &b, &err), MC_ERR_USAGE);
    assert_string_equal(err.text, "the models were not asked about the same samples");
    assert_int_equal(mc_paired_check(&a, &none, &err), MC_ERR_USAGE);
    mc_outcomes_finish(&a);
    mc_outcomes_finish(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tests_and_intervals_agree_with_scipy),
        cmocka_unit_test(test_bootstrap_of_accuracy_is_near_the_score_interval),
        cmocka_unit_test(test_figures_of_ranks_and_classes_are_drawn_too),
        cmocka_unit_test(test_other_samples_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
