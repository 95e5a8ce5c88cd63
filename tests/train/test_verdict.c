/* test_verdict.c - curves of every kind meet the word for it. */
#include <math.h>

#include "report/record.h"
#include "test.h"
#include "train/verdict.h"

enum { N = 10 };

/* Losses that go from `a` to `b` along a straight line; validation by way of `c` in the middle. NaN: no validation. */
static const char *fit_of(double train_a, double train_b, double a, double c, double b, int n, bool alike)
{
    static char text[32];
    struct mc_error err = {0};
    struct mc_epoch_line lines[N] = {{0}};
    struct mc_record *record;
    for (int i = 0; i < n; i++) {
        const double t = (double)i / (N - 1);
        lines[i].number = i;
        lines[i].train_loss = train_a + (train_b - train_a) * t;
        lines[i].validation_loss = t < 0.5 ? a + (c - a) * 2 * t : c + (b - c) * (2 * t - 1);
        lines[i].seconds = 1 + i;
    }
    assert_ok(mc_record_create(&record, &err), err);
    mc_verdict(lines, n, alike, 50, 200, record);
    assert_ok(mc_record_check(record, &err), err);
    assert_true(*mc_record_get_text(record, "why", ""));
    assert_int_equal(mc_record_get_int(record, "parameters", 0), 200);
    assert_true(mc_record_get_num(record, "parameters_per_sample", 0) == 4);
    assert_true(mc_record_get_num(record, "epoch_s", 0) == 1 + n / 2);
    snprintf(text, sizeof text, "%s", mc_record_get_text(record, "fit", ""));
    mc_record_destroy(record);
    return text;
}

static void test_curves_are_told_apart(void **state)
{
    assert_string_equal(fit_of(2, 0.1, 2, 0.8, 1.2, N, true), "overfitting");
    assert_string_equal(fit_of(1, 0.4, 1, 0.8, 0.79, N, true), "gap");
    assert_string_equal(fit_of(1, 0.4, 1, 0.8, 0.79, N, false), "good");
    assert_string_equal(fit_of(2.3, 2.25, 2.3, 2.28, 2.27, N, true), "underfitting");
    assert_string_equal(fit_of(2, 0.5, 2, 1.25, 0.5, N, true), "unfinished");
    assert_string_equal(fit_of(2, 0.5, 2, 0.52, 0.51, N, true), "good");
    assert_string_equal(fit_of(2, 0.5, NAN, NAN, NAN, N, true), "unfinished");
    assert_string_equal(fit_of(2, 0.5, 2, 0.52, 0.51, 2, true), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_curves_are_told_apart)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
