/* test_gradual.c - masks that move while training runs: schedules, rounds, and what comes back. */
#include "nets.h"
#include "test.h"

#include <math.h>
#include <string.h>

#include "alloc_fail.h"
#include "base/alloc.h"
#include "prune/gradual.h"

enum { N = 10 };

/* One weight [2, 5] of magnitudes 0.1, 0.2, …, 1, signs by turns. */
struct subject {
    struct net net;
    struct mc_masks masks;
    float *w;
    struct mc_gradual_options options;
    struct mc_gradual gradual;
};

static void subject_create(struct subject *s, enum mc_schedule schedule, enum mc_regrowth regrowth, double sparsity)
{
    struct mc_error err = {0};
    *s = (struct subject){.options = {.sparsify = {.sparsity = sparsity},
                                      .schedule = schedule,
                                      .ramp = 0.5,
                                      .rounds = 10,
                                      .regrowth = regrowth,
                                      .settle = 0.75,
                                      .exchange = 0.5}};
    net_start(&s->net, 1);
    net_output(&s->net, net_gemm(&s->net, net_input(&s->net, 5, 0, 0), 5, 2));
    assert_ok(mc_masks_create(&s->masks, s->net.model, NULL, &err), err);
    s->w = s->masks.values[0]->data->data;
    for (int k = 0; k < N; k++) s->w[k] = (k % 2 ? -0.1F : 0.1F) * (float)(k + 1);
    assert_ok(mc_gradual_init(&s->gradual, &s->masks, &s->options, &err), err);
}

static void subject_destroy(struct subject *s)
{
    mc_gradual_finish(&s->gradual);
    mc_masks_finish(&s->masks);
    net_finish(&s->net);
}

static int zeros(const struct subject *s)
{
    int n = 0;
    for (int k = 0; k < N; k++) n += !s->masks.keep[0][k];
    return n;
}

static int before(struct subject *s, double progress)
{
    struct mc_error err = {0};
    return mc_gradual_before_step(&s->gradual, 0, progress, &err);
}

static int after(struct subject *s, double progress, const float *gradient)
{
    struct mc_error err = {0};
    return mc_gradual_after_backward(&s->gradual, 0, progress, (const float *const[]){gradient}, &err);
}

static void test_schedules_are_those_of_the_papers(void **state)
{
    assert_true(mc_sparsity_at(MC_SCHEDULE_CUBIC, 0, 0.9, 0) == 0);
    assert_true(fabs(mc_sparsity_at(MC_SCHEDULE_CUBIC, 0, 0.9, 0.5) - 0.7875) < 1e-12); /* 0.9 - 0.9 / 8 */
    assert_true(fabs(mc_sparsity_at(MC_SCHEDULE_LINEAR, 0.1, 0.9, 0.25) - 0.3) < 1e-12);
    assert_true(fabs(mc_sparsity_at(MC_SCHEDULE_EXPONENTIAL, 0, 0.99, 0.5) - 0.9) < 1e-12); /* a tenth, twice */
    assert_true(fabs(mc_sparsity_at(MC_SCHEDULE_EXPONENTIAL, 0.5, 0.75, 0.5) - (1 - 0.5 * sqrt(0.5))) < 1e-12);
    assert_true(mc_sparsity_at(MC_SCHEDULE_ONE_SHOT, 0, 0.9, 0) == 0.9);
    for (int s = MC_SCHEDULE_CUBIC; s <= MC_SCHEDULE_ONE_SHOT; s++) {
        assert_true(mc_sparsity_at((enum mc_schedule)s, 0.1, 0.9, 1) == 0.9);
        assert_true(mc_sparsity_at((enum mc_schedule)s, 0.1, 0.9, 2) == 0.9);
    }
}

static void test_sparsity_rises_round_by_round_and_stays(void **state)
{
    struct subject s;
    subject_create(&s, MC_SCHEDULE_LINEAR, MC_REGROW_NONE, 0.5);
    assert_int_equal(before(&s, 0), 1);
    assert_int_equal(zeros(&s), 0);
    assert_int_equal(before(&s, 0.04), 0); /* a round is 0.05 long */
    assert_int_equal(before(&s, 0.25), 1); /* five of ten */
    assert_int_equal(zeros(&s), 3);        /* 2.5 */
    assert_int_equal(before(&s, 0.5), 1);
    assert_int_equal(zeros(&s), 5);
    assert_int_equal(before(&s, 0.6), 0);
    assert_int_equal(after(&s, 0.6, s.w), 0);
    for (int k = 0; k < N; k++) assert_int_equal(s.masks.keep[0][k], k >= 5);
    subject_destroy(&s);
}

static void test_training_that_ended_early_is_pruned_all_the_same(void **state)
{
    struct mc_error err = {0};
    struct subject s;
    subject_create(&s, MC_SCHEDULE_CUBIC, MC_REGROW_NONE, 0.8);
    assert_int_equal(before(&s, 0.1), 1);
    assert_ok(mc_gradual_end(&s.gradual, s.net.model, &err), err);
    assert_int_equal(zeros(&s), 8);
    for (int k = 0; k < N; k++) assert_true((s.w[k] == 0) == (k < 8));
    subject_destroy(&s);
}

static void test_surgery_lets_weights_return_until_it_settles(void **state)
{
    struct subject s;
    subject_create(&s, MC_SCHEDULE_LINEAR, MC_REGROW_SURGERY, 0.5);
    assert_int_equal(before(&s, 0.5), 1);
    assert_false(s.masks.keep[0][0]);
    s.w[0] = 9;
    assert_int_equal(before(&s, 0.55), 1); /* the eleventh: the sparsity is there, but masks move on */
    assert_true(s.masks.keep[0][0]);
    assert_false(s.masks.keep[0][5]); /* the least of those that were kept */
    assert_int_equal(zeros(&s), 5);
    assert_int_equal(before(&s, 0.75), 1);
    s.w[1] = 9;
    assert_int_equal(before(&s, 0.8), 0);
    assert_false(s.masks.keep[0][1]);
    subject_destroy(&s);
}

static void test_gradients_bring_weights_in_exchange_for_the_smallest(void **state)
{
    struct subject s;
    float gradient[N] = {0, -3, 0, 2, 1};
    subject_create(&s, MC_SCHEDULE_ONE_SHOT, MC_REGROW_GRADIENT, 0.5);
    assert_int_equal(before(&s, 0.3), 0);
    assert_int_equal(after(&s, 0, gradient), 1); /* the first round only prunes */
    for (int k = 0; k < N; k++) assert_int_equal(s.masks.keep[0][k], k >= 5);
    for (int k = 0; k < 5; k++) s.w[k] = 0;
    /* round 5 of 15: 0.5 / 2 (1 + cos(pi / 3)) = 0.375 of 5 is 2 */
    assert_int_equal(after(&s, 0.25, gradient), 1);
    for (int k = 0; k < N; k++) assert_int_equal(s.masks.keep[0][k], k == 1 || k == 3 || k >= 7);
    s.w[5] = s.w[6] = 0;
    assert_int_equal(after(&s, 0.75, gradient), 1); /* the last: nothing is exchanged */
    assert_int_equal(zeros(&s), 5);
    for (int k = 7; k < N; k++) assert_true(s.masks.keep[0][k]);
    assert_int_equal(after(&s, 0.9, gradient), 0);
    subject_destroy(&s);
}

static void test_movement_keeps_what_moves_away_from_zero(void **state)
{
    struct subject s;
    float gradient[N];
    subject_create(&s, MC_SCHEDULE_LINEAR, MC_REGROW_MOVEMENT, 0.5);
    /* descent takes the first half of the weights away from zero, the others towards it */
    for (int k = 0; k < N; k++) gradient[k] = k < 5 ? -s.w[k] : s.w[k];
    assert_int_equal(after(&s, 0, gradient), 0);
    assert_int_equal(after(&s, 0.1, gradient), 0);
    assert_int_equal(before(&s, 0.5), 1);
    for (int k = 0; k < N; k++) assert_int_equal(s.masks.keep[0][k], k < 5);
    for (int k = 0; k < N; k++) gradient[k] *= -3; /* and back: masked weights count on */
    assert_int_equal(after(&s, 0.5, gradient), 0);
    assert_int_equal(before(&s, 0.6), 1);
    for (int k = 0; k < N; k++) assert_int_equal(s.masks.keep[0][k], k >= 5);
    subject_destroy(&s);
}

static int move(void *context)
{
    struct subject *s = context;
    struct mc_error err = {0};
    struct mc_gradual gradual;
    const float gradient[N] = {1, 2, 3}, *const gradients[] = {gradient};
    int rc = mc_gradual_init(&gradual, &s->masks, &s->options, &err);
    if (rc >= 0) rc = mc_gradual_before_step(&gradual, 0, 0.1, &err);
    if (rc >= 0) rc = mc_gradual_after_backward(&gradual, 0, 0.1, gradients, &err);
    if (rc >= 0) rc = mc_gradual_end(&gradual, s->net.model, &err);
    mc_gradual_finish(&gradual);
    return rc < 0 ? rc : MC_OK;
}

static void test_any_allocation_may_fail(void **state)
{
    for (int regrowth = MC_REGROW_NONE; regrowth <= MC_REGROW_MOVEMENT; regrowth++) {
        struct subject s;
        subject_create(&s, MC_SCHEDULE_CUBIC, (enum mc_regrowth)regrowth, 0.5);
        alloc_fail_each(move, &s);
        subject_destroy(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schedules_are_those_of_the_papers),
        cmocka_unit_test(test_sparsity_rises_round_by_round_and_stays),
        cmocka_unit_test(test_training_that_ended_early_is_pruned_all_the_same),
        cmocka_unit_test(test_surgery_lets_weights_return_until_it_settles),
        cmocka_unit_test(test_gradients_bring_weights_in_exchange_for_the_smallest),
        cmocka_unit_test(test_movement_keeps_what_moves_away_from_zero),
        cmocka_unit_test(test_any_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
