/* test_rate.c - learning rates against their formulas. */
#include "test.h"

#include <math.h>

#include "train/rate.h"

static void assert_near(double got, double wanted)
{
    if (!(fabs(got - wanted) <= 1e-15)) fail_msg("%.17g is not %.17g", got, wanted);
}

static void test_constant_rate_stays(void **state)
{
    const struct mc_fit_options o = {.rate_kind = MC_RATE_CONSTANT, .rate = 0.25};
    assert_near(mc_rate_at(&o, 0, 0), 0.25);
    assert_near(mc_rate_at(&o, 99, 0.99), 0.25);
}

static void test_exponential_rate_falls_once_an_epoch(void **state)
{
    const struct mc_fit_options o = {.rate_kind = MC_RATE_EXPONENTIAL, .rate = 0.5, .rate_gamma = 0.9};
    assert_near(mc_rate_at(&o, 0, 0), 0.5);
    assert_near(mc_rate_at(&o, 0, 0.09), 0.5);
    assert_near(mc_rate_at(&o, 1, 0.1), 0.45);
    assert_near(mc_rate_at(&o, 3, 0.3), 0.3645); /* 0.5 * 0.9^3 */
}

static void test_linear_rate_falls_to_nothing(void **state)
{
    const struct mc_fit_options o = {.rate_kind = MC_RATE_LINEAR, .rate = 0.5};
    assert_near(mc_rate_at(&o, 0, 0), 0.5);
    assert_near(mc_rate_at(&o, 7, 0.75), 0.125);
    assert_near(mc_rate_at(&o, 9, 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_constant_rate_stays),
        cmocka_unit_test(test_exponential_rate_falls_once_an_epoch),
        cmocka_unit_test(test_linear_rate_falls_to_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
