/* test_early_stop.c - patience, least improvement, the best epoch. */
#include "test.h"

#include <math.h>

#include "train/early_stop.h"

/* The epoch after which training stops; n if it runs to the end. */
static int64_t stops_after(struct mc_early_stop *stop, const double *losses, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        mc_early_stop_observe(stop, i, losses[i]);
        if (mc_early_stop_now(stop)) return i;
    }
    return n;
}

static void test_stops_after_patience_without_improvement(void **state)
{
    struct mc_early_stop stop;
    mc_early_stop_init(&stop, 2, 0.001);
    const double losses[] = {1, 0.5, 0.6, 0.4, 0.41, 0.42, 0.1};
    assert_int_equal(stops_after(&stop, losses, 7), 5);
    assert_int_equal(stop.best_epoch, 3);
    assert_true(stop.best == 0.4);
}

static void test_small_improvements_are_best_but_buy_no_patience(void **state)
{
    struct mc_early_stop stop;
    mc_early_stop_init(&stop, 3, 0.125);
    /* exact in binary: 0.0625 below does not count, 0.125 in sum does */
    const double losses[] = {1, 0.9375, 0.875, 0.8125, 0.78125, 0.765625, 0.75, 0.5};
    assert_int_equal(stops_after(&stop, losses, 8), 5);
    assert_int_equal(stop.best_epoch, 5);
}

static void test_without_patience_it_never_stops_but_knows_the_best(void **state)
{
    struct mc_early_stop stop;
    mc_early_stop_init(&stop, 0, 0.001);
    const double losses[] = {3, 1, 2, 2, 2, 2};
    assert_int_equal(stops_after(&stop, losses, 6), 6);
    assert_int_equal(stop.best_epoch, 1);
}

static void test_no_least_improvement_still_wants_some(void **state)
{
    struct mc_early_stop stop;
    mc_early_stop_init(&stop, 1, 0);
    const double losses[] = {1, 1, 1};
    assert_int_equal(stops_after(&stop, losses, 3), 1);
    assert_int_equal(stop.best_epoch, 0);
}

static void test_nan_is_never_the_best(void **state)
{
    struct mc_early_stop stop;
    mc_early_stop_init(&stop, 2, 0);
    const double losses[] = {NAN, NAN, 1};
    assert_int_equal(stops_after(&stop, losses, 3), 1);
    assert_int_equal(stop.best_epoch, -1);
}

static void test_forgetting_makes_the_next_loss_the_best(void **state)
{
    struct mc_early_stop stop;
    mc_early_stop_init(&stop, 2, 0.001);
    assert_true(mc_early_stop_observe(&stop, 0, 0.1));
    assert_false(mc_early_stop_observe(&stop, 1, 0.3));
    mc_early_stop_forget(&stop);
    assert_true(mc_early_stop_observe(&stop, 2, 0.2));
    assert_false(mc_early_stop_now(&stop));
    assert_int_equal(stop.best_epoch, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stops_after_patience_without_improvement),
        cmocka_unit_test(test_small_improvements_are_best_but_buy_no_patience),
        cmocka_unit_test(test_without_patience_it_never_stops_but_knows_the_best),
        cmocka_unit_test(test_no_least_improvement_still_wants_some),
        cmocka_unit_test(test_nan_is_never_the_best),
        cmocka_unit_test(test_forgetting_makes_the_next_loss_the_best),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
