/* test_spread.c - bounds of activations by each way of choosing them, and steps between bounds. */
#include "quantize/spread.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "test.h"

enum { N = 20000 };

static struct mc_spread spread; /* large for a stack */

static void look_at(const float *x, int64_t n)
{
    memset(&spread, 0, sizeof spread);
    assert_true(mc_spread_see(&spread, x, n));
    mc_spread_count(&spread, x, n);
}

/* Normal numbers, those below `floor` being that, and one far outside. */
static const float *numbers(double floor, double outlier)
{
    static float x[N];
    struct mc_rng rng;
    mc_rng_init(&rng, 5, 6);
    for (int i = 0; i < N; i++) x[i] = (float)fmax(mc_rng_normal(&rng), floor);
    x[7] = (float)outlier;
    look_at(x, N);
    return x;
}

static double squared_error(const float *x, double low, double high)
{
    float scale;
    int zero;
    double sum = 0;
    mc_steps_between(low, high, 0, &scale, &zero);
    for (int i = 0; i < N; i++) {
        double code = rint((double)x[i] / (double)scale) + zero;
        code = code < 0 ? 0 : code > 255 ? 255 : code;
        const double off = x[i] - (code - zero) * (double)scale;
        sum += off * off;
    }
    return sum;
}

static void test_all_of_it(void **state)
{
    double low, high;
    numbers(-1e9, 30);
    mc_spread_bounds(&spread, MC_CALIBRATION_MINMAX, 0, &low, &high);
    assert_true(low < -3 && low > -6 && high == 30);
}

static void test_a_share_of_it(void **state)
{
    double low, high;
    const float *x = numbers(-1e9, 30);
    mc_spread_bounds(&spread, MC_CALIBRATION_PERCENTILE, 99, &low, &high);
    int within = 0;
    for (int i = 0; i < N; i++) within += x[i] >= low && x[i] <= high;
    assert_true(within >= 0.985 * N && within <= 0.995 * N);
    assert_true(low < -2.4 && low > -2.8 && high > 2.4 && high < 2.8);
    numbers(0, 30);
    mc_spread_bounds(&spread, MC_CALIBRATION_PERCENTILE, 99, &low, &high);
    assert_true(low == 0 && high > 2.4 && high < 2.8);
}

/* Against every other bounds of the same kind. */
static void test_least_squared_error(void **state)
{
    double low, high;
    const float *x = numbers(-1e9, 9);
    mc_spread_bounds(&spread, MC_CALIBRATION_MSE, 0, &low, &high);
    const double least = squared_error(x, low, high);
    assert_true(least < squared_error(x, spread.low, spread.high));
    for (int k = 0; k < 80; k += 5)
        assert_true(least <= 1.02 * squared_error(x, spread.low * (1 - k / 100.0), spread.high * (1 - k / 100.0)));
}

static void test_entropy_cuts_off_what_is_alone(void **state)
{
    double low, high;
    numbers(0, 12);
    mc_spread_bounds(&spread, MC_CALIBRATION_ENTROPY, 0, &low, &high);
    assert_true(low == 0 && high > 2 && high < 9);
    static float even[N];
    for (int i = 0; i < N; i++) even[i] = (float)i / N; /* nothing is alone */
    look_at(even, N);
    mc_spread_bounds(&spread, MC_CALIBRATION_ENTROPY, 0, &low, &high);
    assert_true(low == 0 && high > 0.9);
}

static void test_zeros_and_numbers_without_end(void **state)
{
    double low, high;
    const float zeros[4] = {0}, wrong[2] = {1, INFINITY};
    for (int by = MC_CALIBRATION_MINMAX; by <= MC_CALIBRATION_MSE; by++) {
        look_at(zeros, 4);
        mc_spread_bounds(&spread, (enum mc_calibration)by, 99, &low, &high);
        assert_true(low == 0 && high == 0);
    }
    assert_false(mc_spread_see(&spread, wrong, 2));
}

static void test_zero_is_a_step(void **state)
{
    static const double bounds[][2] = {{0, 6}, {-3, 0}, {-1, 2}, {-1e-3, 70}, {0, 0}, {0, 1e-44}};
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++)
        for (int least = -128; least <= 0; least += 128) {
            float scale;
            int zero;
            mc_steps_between(bounds[i][0], bounds[i][1], least, &scale, &zero);
            assert_true(isnormal(scale) && zero >= least && zero <= least + 255);
            assert_true((least - zero) * (double)scale <= bounds[i][0] + 0.51 * (double)scale);
            assert_true((least + 255 - zero) * (double)scale >= bounds[i][1] - 0.51 * (double)scale);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_of_it),
        cmocka_unit_test(test_a_share_of_it),
        cmocka_unit_test(test_least_squared_error),
        cmocka_unit_test(test_entropy_cuts_off_what_is_alone),
        cmocka_unit_test(test_zeros_and_numbers_without_end),
        cmocka_unit_test(test_zero_is_a_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
