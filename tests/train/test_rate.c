/* test_rate.c - learning rates against PyTorch 2.15.0 (tests/reference/train_numbers.py) and their formulas. */
#include "test.h"

#include <math.h>

#include "train/rate.h"

enum { STEPS = 12, PER_EPOCH = 3 };

static double rate_at(const struct mc_rate *rate, int64_t step)
{
    struct mc_plateau plateau;
    mc_plateau_init(&plateau);
    const struct mc_moment at = {
        .epoch = step / PER_EPOCH, .step = step, .steps_per_epoch = PER_EPOCH, .n_steps = STEPS};
    return mc_rate_at(rate, &plateau, &at);
}

static const struct {
    struct mc_rate rate;
    double wanted[STEPS];
} references[] = {
    {{MC_RATE_STEP, .first = 0.5, .factor = 0.1, .n_milestones = 1, .milestones = {2}},
     {0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05}},
    {{MC_RATE_STEP, .first = 0.5, .factor = 0.1, .n_milestones = 2, .milestones = {1, 3}},
     {0.5, 0.5, 0.5, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05, 0.005, 0.005, 0.005}},
    {{MC_RATE_EXPONENTIAL, .first = 0.5, .factor = 0.9},
     {0.5, 0.5, 0.5, 0.45, 0.45, 0.45, 0.405, 0.405, 0.405, 0.3645, 0.3645, 0.3645}},
    {{MC_RATE_LINEAR, .first = 0.5, .last = 0.1},
     {0.5, 0.466666666667, 0.433333333333, 0.4, 0.366666666667, 0.333333333333, 0.3, 0.266666666667, 0.233333333333,
      0.2, 0.166666666667, 0.133333333333}},
    {{MC_RATE_COSINE, .first = 0.5, .last = 0.1},
     {0.5, 0.493185165258, 0.473205080757, 0.441421356237, 0.4, 0.351763809021, 0.3, 0.248236190979, 0.2,
      0.158578643763, 0.126794919243, 0.106814834742}},
    {{MC_RATE_ONE_CYCLE, .first = 0.5, .rise = 0.3},
     {0.02, 0.17489482711, 0.439642579561, 0.497207717725, 0.466506484921, 0.405872826975, 0.323689498848,
      0.231318551333, 0.141530499104, 0.0667387650944, 0.0172834937127, 2e-06}},
};

static void test_schedules_agree_with_pytorch(void **state)
{
    for (size_t k = 0; k < sizeof references / sizeof *references; k++)
        for (int step = 0; step < STEPS; step++) {
            const double got = rate_at(&references[k].rate, step), wanted = references[k].wanted[step];
            if (!(fabs(got - wanted) < 1e-12)) fail_msg("row %zu step %d: %.17g is not %.17g", k, step, got, wanted);
        }
}

static void test_constant_rate_stays(void **state)
{
    const struct mc_rate rate = {.kind = MC_RATE_CONSTANT, .first = 0.25};
    assert_true(rate_at(&rate, 0) == 0.25 && rate_at(&rate, 11) == 0.25);
}

/* PyTorch's ReduceLROnPlateau told a loss after each step. */
static void test_a_plateau_reduces_the_rate_as_pytorch_does(void **state)
{
    static const double losses[] = {1, 0.9, 0.95, 0.9, 0.8, 0.79999, 0.79999, 0.79999, 0.7, 0.75, 0.75, 0.75};
    static const double wanted[] = {0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.125, 0.125, 0.125, 0.125, 0.0625};
    const struct mc_rate rate = {MC_RATE_PLATEAU, .first = 0.5, .factor = 0.5, .n_milestones = 1, .milestones = {1}};
    struct mc_plateau plateau;
    mc_plateau_init(&plateau);
    for (int i = 0; i < STEPS; i++) {
        const struct mc_moment at = {.epoch = i, .step = i, .steps_per_epoch = 1, .n_steps = STEPS};
        assert_true(mc_rate_at(&rate, &plateau, &at) == wanted[i]);
        mc_plateau_observe(&plateau, &rate, losses[i]);
    }
}

/* Two epochs of three steps: sixths of what the schedule says, which begins when they are over. */
static void test_any_schedule_can_be_warmed_up(void **state)
{
    struct mc_rate rate = {.kind = MC_RATE_LINEAR, .first = 0.6, .warmup = 2};
    for (int step = 0; step < 6; step++) assert_true(fabs(rate_at(&rate, step) - 0.1 * (step + 1)) < 1e-15);
    assert_true(fabs(rate_at(&rate, 6) - 0.6) < 1e-15);
    assert_true(fabs(rate_at(&rate, 9) - 0.3) < 1e-15); /* half of what is left */
    rate.kind = MC_RATE_COSINE;
    assert_true(fabs(rate_at(&rate, 5) - 0.6) < 1e-15);
    assert_true(fabs(rate_at(&rate, 9) - 0.3) < 1e-15);
    rate.kind = MC_RATE_CONSTANT;
    rate.warmup = 0.67; /* of an epoch: two steps */
    assert_true(rate_at(&rate, 0) == 0.3 && rate_at(&rate, 1) == 0.6 && rate_at(&rate, 2) == 0.6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schedules_agree_with_pytorch),
        cmocka_unit_test(test_constant_rate_stays),
        cmocka_unit_test(test_a_plateau_reduces_the_rate_as_pytorch_does),
        cmocka_unit_test(test_any_schedule_can_be_warmed_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
