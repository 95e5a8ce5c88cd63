/* test_outcomes.c - classes, labels and numbers against scikit-learn 1.9.1 (expected.h); areas, counts, limits. */
#include "test.h"

#include <math.h>
#include <string.h>

#include "expected.h"
#include "metric/outcomes.h"

#define COUNT(array) ((int64_t)(sizeof(array) / sizeof *(array)))

static void assert_near(double got, double wanted, const char *what)
{
    if (!(fabs(got - wanted) <= 1e-7)) fail_msg("%s: %.17g is not %.17g", what, got, wanted);
}

static void assert_averages(const struct mc_metrics *m, const double *wanted)
{
    const struct mc_averages *const got[] = {&m->precisions, &m->recalls, &m->f1s};
    for (int i = 0; i < 3; i++) {
        assert_near(got[i]->macro, wanted[3 * i], "macro");
        assert_near(got[i]->micro, wanted[3 * i + 1], "micro");
        assert_near(got[i]->weighted, wanted[3 * i + 2], "weighted");
    }
    assert_near(m->precision + m->recall + m->f1, wanted[0] + wanted[3] + wanted[6], "macro");
}

/* Precision, recall, F1 and area of each class or label. */
static void assert_groups(struct mc_outcomes *o, const struct mc_meter *meter, const double *wanted)
{
    struct mc_error err = {0};
    for (int64_t k = 0; k < o->width; k++) {
        struct mc_group_metrics g;
        double auc;
        mc_meter_group(meter, k, &g);
        assert_near(g.precision, wanted[4 * k], "precision");
        assert_near(g.recall, wanted[4 * k + 1], "recall");
        assert_near(g.f1, wanted[4 * k + 2], "f1");
        assert_ok(mc_outcomes_auc(o, k, NULL, &auc, &err), err);
        assert_near(auc, wanted[4 * k + 3], "auc");
    }
}

static void check_classes(const float *scores, const int64_t *labels, int64_t n, int64_t K, const double *averages,
                          const double *groups, const double *rest)
{
    struct mc_error err = {0};
    struct mc_outcomes o;
    struct mc_meter meter, streamed;
    struct mc_metrics m, s;
    double auc;
    assert_ok(mc_outcomes_init(&o, MC_METER_CLASSES, K, n, &err), err);
    assert_ok(mc_meter_init(&meter, MC_METER_CLASSES, K, &err), err);
    assert_ok(mc_meter_init(&streamed, MC_METER_CLASSES, K, &err), err);
    for (int64_t i = 0; i < n; i += 7) {
        const int64_t now = n - i < 7 ? n - i : 7;
        mc_outcomes_add(&o, scores + i * K, labels + i, NULL, now);
        mc_meter_add_classes(&streamed, scores + i * K, labels + i, NULL, now);
    }
    mc_outcomes_measure(&o, NULL, &meter, &m);
    mc_meter_result(&streamed, &s);
    assert_averages(&m, averages);
    assert_averages(&s, averages);
    assert_groups(&o, &meter, groups);
    assert_near(m.accuracy, rest[0], "accuracy");
    assert_near(m.top, rest[1], "top");
    assert_near(s.top, rest[1], "top");
    assert_near(m.loss, rest[2], "loss");
    assert_ok(mc_outcomes_mean_auc(&o, NULL, &auc, &err), err);
    assert_near(auc, rest[3], "auc");
    mc_meter_finish(&streamed);
    mc_meter_finish(&meter);
    mc_outcomes_finish(&o);
}

static void test_classes_agree_with_scikit_learn(void **state)
{
    check_classes(seven_scores, seven_classes, COUNT(seven_classes), 7, seven_averages, seven_groups, seven_rest);
    check_classes(two_scores, two_classes, COUNT(two_classes), 2, two_averages, two_groups, two_rest);
}

static void test_labels_agree_with_scikit_learn(void **state)
{
    enum { L = 4 };
    struct mc_error err = {0};
    struct mc_outcomes o;
    struct mc_meter meter;
    struct mc_metrics m;
    double auc;
    const int64_t n = COUNT(labels_scores) / L;
    assert_ok(mc_outcomes_init(&o, MC_METER_LABELS, L, n, &err), err);
    assert_ok(mc_meter_init(&meter, MC_METER_LABELS, L, &err), err);
    mc_outcomes_add(&o, labels_scores, NULL, labels_targets, n);
    mc_outcomes_measure(&o, NULL, &meter, &m);
    assert_averages(&m, labels_averages);
    assert_groups(&o, &meter, labels_groups);
    assert_near(m.accuracy, labels_rest[0], "accuracy");
    assert_near(m.loss, labels_rest[1], "loss");
    assert_ok(mc_outcomes_mean_auc(&o, NULL, &auc, &err), err);
    assert_near(auc, labels_rest[2], "auc");
    mc_meter_finish(&meter);
    mc_outcomes_finish(&o);
}

static void test_numbers_agree_with_scikit_learn(void **state)
{
    enum { T = 3 };
    struct mc_error err = {0};
    struct mc_outcomes o;
    struct mc_meter meter;
    struct mc_metrics m;
    const int64_t n = COUNT(numbers_targets) / T;
    assert_ok(mc_outcomes_init(&o, MC_METER_NUMBERS, T, n, &err), err);
    assert_ok(mc_meter_init(&meter, MC_METER_NUMBERS, T, &err), err);
    mc_outcomes_add(&o, numbers_outputs, NULL, numbers_targets, n);
    mc_outcomes_measure(&o, NULL, &meter, &m);
    const double got[] = {m.mse, m.rmse, m.mae, m.r2};
    for (int i = 0; i < 4; i++) assert_near(got[i], numbers_rest[i], "number");
    assert_near(m.loss, m.mse, "loss");
    for (int64_t k = 0; k < T; k++) {
        struct mc_group_metrics g;
        mc_meter_group(&meter, k, &g);
        const double of_target[] = {g.mse, g.rmse, g.mae, g.r2};
        for (int i = 0; i < 4; i++) assert_near(of_target[i], numbers_groups[4 * k + i], "target");
    }
    mc_meter_finish(&meter);
    mc_outcomes_finish(&o);
}

/* Samples counted twice are as if they were there twice. */
static void test_counts_repeat_samples(void **state)
{
    enum { K = 7 };
    struct mc_error err = {0};
    struct mc_outcomes once, twice;
    struct mc_meter meter;
    struct mc_metrics a, b;
    double area_a, area_b;
    int64_t counts[64];
    const int64_t n = COUNT(seven_classes);
    assert_ok(mc_outcomes_init(&once, MC_METER_CLASSES, K, n, &err), err);
    assert_ok(mc_outcomes_init(&twice, MC_METER_CLASSES, K, 2 * n, &err), err);
    assert_ok(mc_meter_init(&meter, MC_METER_CLASSES, K, &err), err);
    mc_outcomes_add(&once, seven_scores, seven_classes, NULL, n);
    for (int64_t i = 0; i < n; i++) {
        counts[i] = i % 3;
        for (int64_t c = 0; c < counts[i]; c++)
            mc_outcomes_add(&twice, seven_scores + i * K, seven_classes + i, NULL, 1);
    }
    mc_outcomes_measure(&once, counts, &meter, &a);
    mc_outcomes_measure(&twice, NULL, &meter, &b);
    assert_int_equal(a.n_samples, b.n_samples);
    assert_near(a.f1, b.f1, "f1");
    assert_near(a.loss, b.loss, "loss");
    assert_ok(mc_outcomes_mean_auc(&once, counts, &area_a, &err), err);
    assert_ok(mc_outcomes_mean_auc(&twice, NULL, &area_b, &err), err);
    assert_near(area_a, area_b, "auc");
    mc_meter_finish(&meter);
    mc_outcomes_finish(&once);
    mc_outcomes_finish(&twice);
}

static void test_an_area_needs_both_kinds_of_samples(void **state)
{
    struct mc_error err = {0};
    struct mc_outcomes o;
    double auc;
    assert_ok(mc_outcomes_init(&o, MC_METER_CLASSES, 3, 2, &err), err);
    mc_outcomes_add(&o, (const float[]){1, 0, NAN, 0, 1, 0}, (const int64_t[]){0, 0}, NULL, 2);
    assert_ok(mc_outcomes_auc(&o, 0, NULL, &auc, &err), err);
    assert_true(isnan(auc));
    assert_ok(mc_outcomes_mean_auc(&o, NULL, &auc, &err), err);
    assert_true(isnan(auc));
    mc_outcomes_finish(&o);
}

static void test_too_many_scores_are_not_kept(void **state)
{
    struct mc_error err = {0};
    struct mc_outcomes o;
    assert_ok(mc_outcomes_init(&o, MC_METER_CLASSES, 1000, INT64_C(1) << 40, &err), err);
    assert_null(o.scores);
    mc_outcomes_add(&o, (const float[]){1}, (const int64_t[]){0}, NULL, 1);
    assert_int_equal(o.n, 0);
    mc_outcomes_finish(&o);
}

static void test_figures_are_found_by_name(void **state)
{
    struct mc_error err = {0};
    const struct mc_figure *figure;
    const char *rest;
    const struct mc_metrics m = {.accuracy = 0.5, .f1s = {.weighted = 0.25}};
    const struct mc_group_metrics g = {.recall = 0.75};
    assert_ok(mc_figure_find(&figure, &rest, "accuracy", &err), err);
    assert_true(mc_figure_whole(figure, &m) == 0.5 && !rest && figure->rises);
    assert_ok(mc_figure_find(&figure, &rest, "f1_weighted", &err), err);
    assert_true(mc_figure_whole(figure, &m) == 0.25);
    assert_ok(mc_figure_find(&figure, &rest, "recall.a.b", &err), err);
    assert_string_equal(rest, "a.b");
    assert_true(mc_figure_group(figure, &g) == 0.75);
    assert_int_equal(mc_figure_find(&figure, &rest, "accuracy.cat", &err), MC_ERR_USAGE);
    assert_string_equal(err.text, "'accuracy.cat': single classes have no 'accuracy'");
    assert_int_equal(mc_figure_find(&figure, &rest, "acuracy", &err), MC_ERR_USAGE);
    assert_string_equal(err.text, "no metric is called 'acuracy' (did you mean 'accuracy'?)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_classes_agree_with_scikit_learn),
        cmocka_unit_test(test_labels_agree_with_scikit_learn),
        cmocka_unit_test(test_numbers_agree_with_scikit_learn),
        cmocka_unit_test(test_counts_repeat_samples),
        cmocka_unit_test(test_an_area_needs_both_kinds_of_samples),
        cmocka_unit_test(test_too_many_scores_are_not_kept),
        cmocka_unit_test(test_figures_are_found_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
