/* test_loss.c - values and gradients against PyTorch 2.15.0 (tests/reference/train_numbers.py) and differences. */
#include "test.h"

#include <math.h>

#include "train/loss.h"

enum { ROWS = 2, K = 3, COUNT = ROWS * K };

struct batch {
    float z[COUNT], teacher[COUNT];
    int64_t labels[ROWS];
};

static struct batch example(void)
{
    struct batch b = {.labels = {2, 0}};
    for (int i = 0; i < COUNT; i++) {
        b.z[i] = (float)(3 * sin(i + 1));
        b.teacher[i] = (float)(3 * cos(i));
    }
    return b;
}

static struct mc_loss make(enum mc_loss_kind kind, double alpha, double temperature, int64_t columns)
{
    static const struct mc_model any; /* that there is a teacher is all that a loss asks */
    struct mc_error err = {0};
    struct mc_fit_options o = {.loss = kind, .alpha = alpha, .temperature = temperature};
    if (alpha > 0) o.teacher = &any;
    mc_runtime_init(&o.runtime, 1, MC_CPU_AVX512);
    struct mc_loss loss;
    const enum mc_task task = kind == MC_LOSS_MSE ? MC_TASK_REGRESSION : MC_TASK_CLASSIFICATION;
    assert_ok(mc_loss_init(&loss, &o, task, columns, true, &err), err);
    return loss;
}

static void check(const struct mc_loss *loss, const struct batch *b, const struct mc_targets *targets, double value,
                  const float *gradient)
{
    float dz[COUNT];
    const double sum = mc_loss_run(loss, ROWS, b->z, targets, 1.0 / ROWS, dz);
    if (!(fabs(sum / ROWS - value) < 1e-6)) fail_msg("%.9g is not %.9g", sum / ROWS, value);
    for (int i = 0; i < COUNT; i++)
        if (!(fabsf(dz[i] - gradient[i]) < 1e-6F)) fail_msg("gradient %d: %.9g is not %.9g", i, dz[i], gradient[i]);
    assert_true(mc_loss_run(loss, ROWS, b->z, targets, 1, NULL) == sum);
}

static void test_cross_entropy_agrees_with_pytorch(void **state)
{
    const struct batch b = example();
    struct mc_loss loss = make(MC_LOSS_AUTO, 0, 0, K);
    assert_int_equal(loss.kind, MC_LOSS_CROSS_ENTROPY);
    const float gradient[] = {0.2129483340F,  0.2610022163F, -0.4739505503F,
                              -0.4127866683F, 0.0475599903F, 0.3652266781F};
    check(&loss, &b, &(struct mc_targets){.labels = b.labels}, 2.350431174458, gradient);
    mc_loss_finish(&loss);
}

static void test_squared_error_agrees_with_pytorch(void **state)
{
    const struct batch b = example();
    struct mc_loss loss = make(MC_LOSS_MSE, 0, 0, K);
    const float gradient[] = {-0.1585290152F, 0.3689951210F,  0.5572668446F,
                              0.2331900013F,  -0.3052806538F, -0.5630776837F};
    check(&loss, &b, &(struct mc_targets){.numbers = b.teacher}, 1.404698274258, gradient);
    mc_loss_finish(&loss);
}

static void test_distillation_agrees_with_pytorch(void **state)
{
    const struct batch b = example();
    struct mc_loss loss = make(MC_LOSS_CROSS_ENTROPY, 0.3, 2, K);
    const float gradient[] = {0.0861381612F,  0.2250359580F, -0.3111741193F,
                              -0.2415598876F, 0.0390381020F, 0.2025217856F};
    check(&loss, &b, &(struct mc_targets){.labels = b.labels, .teacher = b.teacher}, 1.753305747600, gradient);
    mc_loss_finish(&loss);
}

/* A single score z is the pair (0, z); PyTorch's binary_cross_entropy_with_logits says the same. */
static void test_a_pair_of_scores_is_logistic_loss(void **state)
{
    const struct batch b = example();
    struct mc_loss loss = make(MC_LOSS_CROSS_ENTROPY, 0, 0, 2);
    const float pairs[] = {0, b.z[0], 0, b.z[3]};
    const int64_t labels[] = {1, 0};
    float dz[4];
    const double sum = mc_loss_run(&loss, 2, pairs, &(struct mc_targets){.labels = labels}, 0.5, dz);
    assert_true(fabs(sum / 2 - 0.087668569115) < 1e-7);
    assert_true(fabsf(dz[1] - -0.0370821820F) < 1e-7F && fabsf(dz[3] - 0.0468018173F) < 1e-7F);
    mc_loss_finish(&loss);
}

/* For mean squared error the blend of two targets; central differences are exact for a parabola. */
static void test_distilled_squared_error_agrees_with_differences(void **state)
{
    struct batch b = example();
    struct mc_loss loss = make(MC_LOSS_MSE, 0.25, 2, K);
    const float numbers[COUNT] = {1, -1, 0.5F, 2, 0, 0.25F};
    const struct mc_targets targets = {.numbers = numbers, .teacher = b.teacher};
    float dz[COUNT];
    mc_loss_run(&loss, ROWS, b.z, &targets, 1, dz);
    for (int i = 0; i < COUNT; i++) {
        const float kept = b.z[i], step = 0.125F;
        b.z[i] = kept + step;
        const double above = mc_loss_run(&loss, ROWS, b.z, &targets, 1, NULL);
        b.z[i] = kept - step;
        const double below = mc_loss_run(&loss, ROWS, b.z, &targets, 1, NULL);
        b.z[i] = kept;
        assert_true(fabs((above - below) / (2 * step) - dz[i]) < 1e-6);
    }
    mc_loss_finish(&loss);
}

static void test_distillation_gradient_agrees_with_differences(void **state)
{
    static const double temperatures[] = {0.5, 1, 4}, alphas[] = {0.25, 1};
    for (int t = 0; t < 3; t++)
        for (int a = 0; a < 2; a++) {
            struct batch b = example();
            struct mc_loss loss = make(MC_LOSS_CROSS_ENTROPY, alphas[a], temperatures[t], K);
            const struct mc_targets targets = {.labels = b.labels, .teacher = b.teacher};
            float dz[COUNT];
            mc_loss_run(&loss, ROWS, b.z, &targets, 1, dz);
            for (int i = 0; i < COUNT; i++) {
                const float kept = b.z[i], step = 0x1p-6F;
                b.z[i] = kept + step;
                const double above = mc_loss_run(&loss, ROWS, b.z, &targets, 1, NULL);
                b.z[i] = kept - step;
                const double below = mc_loss_run(&loss, ROWS, b.z, &targets, 1, NULL);
                b.z[i] = kept;
                const double difference = (above - below) / (2 * step);
                if (!(fabs(difference - dz[i]) < 1e-3)) fail_msg("%g is not %g", dz[i], difference);
            }
            mc_loss_finish(&loss);
        }
}

static void test_huge_scores_stay_finite(void **state)
{
    struct mc_loss loss = make(MC_LOSS_CROSS_ENTROPY, 0, 0, K);
    const float z[] = {3e38F, -3e38F, 0, 1000, 0, -1000};
    const int64_t labels[] = {0, 2};
    float dz[COUNT];
    const double sum = mc_loss_run(&loss, ROWS, z, &(struct mc_targets){.labels = labels}, 1, dz);
    assert_true(sum == 2000);
    assert_true(dz[0] == 0 && dz[3] == 1 && dz[5] == -1);
    mc_loss_finish(&loss);
}

static void test_cross_entropy_of_numbers_is_refused(void **state)
{
    struct mc_error err = {0};
    struct mc_fit_options o = {.loss = MC_LOSS_CROSS_ENTROPY};
    mc_runtime_init(&o.runtime, 1, MC_CPU_AVX512);
    struct mc_loss loss;
    assert_int_equal(mc_loss_init(&loss, &o, MC_TASK_REGRESSION, 1, true, &err), MC_ERR_USAGE);
    assert_string_equal(err.text, "cross-entropy needs classes, the data has numbers as targets");
    mc_loss_finish(&loss);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cross_entropy_agrees_with_pytorch),
        cmocka_unit_test(test_squared_error_agrees_with_pytorch),
        cmocka_unit_test(test_distillation_agrees_with_pytorch),
        cmocka_unit_test(test_a_pair_of_scores_is_logistic_loss),
        cmocka_unit_test(test_distilled_squared_error_agrees_with_differences),
        cmocka_unit_test(test_distillation_gradient_agrees_with_differences),
        cmocka_unit_test(test_huge_scores_stay_finite),
        cmocka_unit_test(test_cross_entropy_of_numbers_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
