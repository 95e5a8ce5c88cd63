/* test_approx.c - the float32 functions against libm's in double: a sweep through all of float32, and the edges. */
#include "kernel/approx.h"
#include "kernel/kernels.h"
#include "kernel/runtime.h"

#include "test.h"

/* Every so many bit patterns: a prime, so that all exponents meet all kinds of mantissas. */
#define STRIDE 2003

/* Distance of y from the exact value in units of that value's last place; 0 where both are NaN or the same infinity. */
static double ulps(float y, double exact)
{
    if (isnan(exact)) return isnan(y) ? 0 : INFINITY;
    if (fabs(exact) >= 0x1.ffffffp127) return isinf(y) && (y > 0) == (exact > 0) ? 0 : INFINITY;
    int exponent = -125;
    if (fabs(exact) > 0x1p-126) frexp(exact, &exponent);
    return fabs((double)y - exact) / ldexp(1, exponent - 24);
}

static double logistic(double x)
{
    return 1 / (1 + exp(-x));
}

static double worst_error(float (*f)(float), double (*exact)(double), float from, float to)
{
    double worst = 0;
    for (uint64_t bits = 0; bits <= UINT32_MAX; bits += STRIDE) {
        const float x = mc_bits_float((uint32_t)bits);
        if (!(x >= from && x <= to)) continue;
        const double error = ulps(f(x), exact((double)x));
        if (!(error <= worst)) worst = error;
    }
    return worst;
}

static double silu(double x)
{
    return x / (1 + exp(-x));
}

/* Call `check` with every x of the sweep and what a loop makes of it. */
static void sweep(mc_unary_fn *loop, void (*check)(float x, float y))
{
    enum { N = 997 };
    float x[N], y[N];
    uint64_t bits = 0;
    while (bits <= UINT32_MAX) {
        for (int i = 0; i < N; i++, bits += STRIDE) x[i] = mc_bits_float((uint32_t)bits);
        loop(N, x, y, NULL);
        for (int i = 0; i < N; i++) check(x[i], y[i]);
    }
}

static void check_silu(float x, float y)
{
    if (x < -88)
        assert_true(x == -INFINITY ? isnan(y) : y <= 0 && y >= -6e-37f);
    else
        assert_true(ulps(y, silu((double)x)) <= 3.0);
}

/* Of the loop that is compiled with contraction, on each instruction set: within 3 ulp down to -88, and tiny below. */
static void test_silu_stays_within_its_bound(void **state)
{
    for (int cpu = MC_CPU_PORTABLE; cpu <= (int)mc_cpu_detect(); cpu++) sweep(mc_kernels_for(cpu)->silu, check_silu);
}

static void check_gelu(float x, float y)
{
    const double v = (double)x, exact = v * erfc(-v / sqrt(2)) / 2;
    if (isnan(v) || v == -INFINITY)
        assert_true(isnan(y));
    else if (v < -14 || v == INFINITY)
        assert_true(v < 0 ? y == 0 : y == INFINITY);
    else
        assert_true(fabs((double)y - exact) <= 1.5e-7 * fmax(fabs(v), 1e-30));
}

/* Within 1.5e-7 of |x| or 1, the sum's own rounding being 6e-8. */
static void test_gelu_stays_within_its_bound(void **state)
{
    for (int cpu = MC_CPU_PORTABLE; cpu <= (int)mc_cpu_detect(); cpu++) sweep(mc_kernels_for(cpu)->gelu, check_gelu);
}

static void test_errors_stay_within_the_stated_bounds(void **state)
{
    assert_true(worst_error(mc_expf, exp, -INFINITY, INFINITY) <= 1.0);
    assert_true(worst_error(mc_expm1f, expm1, -INFINITY, 88) <= 1.6);
    assert_true(worst_error(mc_logf, log, -INFINITY, INFINITY) <= 0.9);
    assert_true(worst_error(mc_tanhf, tanh, -INFINITY, INFINITY) <= 1.4);
    assert_true(worst_error(mc_erff, erf, -INFINITY, INFINITY) <= 1.4);
    assert_true(worst_error(mc_sigmoidf, logistic, -INFINITY, INFINITY) <= 2.8);
}

static void test_the_sweep_would_notice_a_wrong_function(void **state)
{
    assert_true(worst_error(mc_expf, expm1, -1, 1) > 1e3);
    assert_true(worst_error(mc_expm1f, expm1, 89, 200) > 1.6); /* outside of its range */
}

static void test_nan_gives_nan(void **state)
{
    float (*const functions[])(float) = {mc_expf, mc_expm1f, mc_logf, mc_tanhf, mc_erff, mc_sigmoidf};
    for (size_t i = 0; i < sizeof(functions) / sizeof(*functions); i++) {
        assert_true(isnan(functions[i](NAN)));
        assert_true(isnan(functions[i](-NAN)));
        assert_true(isnan(functions[i](mc_bits_float(0x7f800001u)))); /* signalling */
    }
    assert_true(isnan(mc_logf(-1)));
    assert_true(isnan(mc_logf(-INFINITY)));
    assert_true(isnan(mc_logf(-0x1p-149f)));
}

static void test_infinities_give_limits(void **state)
{
    assert_true(mc_expf(INFINITY) == INFINITY && mc_expf(-INFINITY) == 0 && mc_expf(88.73f) == INFINITY);
    assert_true(mc_expm1f(-INFINITY) == -1);
    assert_true(mc_logf(INFINITY) == INFINITY && mc_logf(0) == -INFINITY && mc_logf(-0.0f) == -INFINITY);
    assert_true(mc_tanhf(INFINITY) == 1 && mc_tanhf(-INFINITY) == -1);
    assert_true(mc_erff(INFINITY) == 1 && mc_erff(-INFINITY) == -1);
    assert_true(mc_sigmoidf(INFINITY) == 1 && mc_sigmoidf(-INFINITY) == 0);
}

static void test_zeros_keep_their_sign(void **state)
{
    assert_true(signbit(mc_tanhf(-0.0f)) && !signbit(mc_tanhf(0.0f)));
    assert_true(signbit(mc_erff(-0.0f)) && !signbit(mc_erff(0.0f)));
    assert_true(signbit(mc_expm1f(-0.0f)) && !signbit(mc_expm1f(0.0f)));
}

static void test_whole_numbers_that_are_exact_come_out_exact(void **state)
{
    assert_true(mc_expf(0) == 1 && mc_expf(-0.0f) == 1 && mc_logf(1) == 0 && mc_sigmoidf(0) == 0.5f);
    for (int n = -126; n < 128; n++) assert_true(mc_power_of_two(n) == ldexpf(1, n));
}

static void test_subnormal_results_are_rounded_not_flushed(void **state)
{
    assert_true(mc_expf(-100) == (float)exp(-100.0));
    assert_true(mc_expf(-103) == 0x1p-149f);
    assert_true(ulps(mc_sigmoidf(-95), logistic(-95)) <= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors_stay_within_the_stated_bounds),
        cmocka_unit_test(test_silu_stays_within_its_bound),
        cmocka_unit_test(test_gelu_stays_within_its_bound),
        cmocka_unit_test(test_the_sweep_would_notice_a_wrong_function),
        cmocka_unit_test(test_nan_gives_nan),
        cmocka_unit_test(test_infinities_give_limits),
        cmocka_unit_test(test_zeros_keep_their_sign),
        cmocka_unit_test(test_whole_numbers_that_are_exact_come_out_exact),
        cmocka_unit_test(test_subnormal_results_are_rounded_not_flushed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
