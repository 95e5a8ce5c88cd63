/* test_loss.c - values and gradients against PyTorch 2.15.0 (tests/reference/train_numbers.py) and differences. */
#include "test.h"

#include <math.h>

#include "toy.h"
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
    struct mc_fit_options o = {.alpha = alpha, .temperature = temperature, .huber_delta = 0.75};
    if (alpha > 0) o.teacher = &any;
    mc_runtime_init(&o.runtime, 1, MC_CPU_AVX512);
    struct mc_loss loss;
    assert_ok(mc_loss_init(&loss, &o, mc_loss_resolve(kind, MC_TASK_CLASSIFICATION), columns, NULL, true, &err), err);
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

/* Two classes of which the data has 6 and 2; the last has none. */
static struct toy unequal(void)
{
    struct toy toy;
    toy_create(&toy, 8, 1, K, 0);
    for (int i = 0; i < 8; i++) toy.labels[i] = i % 4 == 3;
    return toy;
}

static const struct {
    const char *weights;
    double smoothing, value;
    float gradient[COUNT];
} weighted[] = {
    {NULL,
     0.1,
     2.263241493795,
     {0.1962816673F, 0.2443355497F, -0.4406172170F, -0.3794533350F, 0.0308933236F, 0.3485600114F}},
    {"1,2,0.5",
     0,
     1.611778310512,
     {0.1064741670F, 0.1305011082F, -0.2369752752F, -0.4127866683F, 0.0475599903F, 0.3652266781F}},
    {"1,2,0.5",
     0.1,
     1.621259662108,
     {0.1040040559F, 0.1145679226F, -0.2185719785F, -0.3779997795F, 0.0150193234F, 0.3629804560F}},
};

static void test_smoothing_and_class_weights_agree_with_pytorch(void **state)
{
    const struct batch b = example();
    struct toy toy = unequal();
    for (int k = 0; k < 3; k++) {
        struct mc_error err = {0};
        struct mc_fit_options o = {.label_smoothing = weighted[k].smoothing, .class_weights = weighted[k].weights};
        mc_runtime_init(&o.runtime, 1, MC_CPU_AVX512);
        struct mc_loss loss;
        assert_ok(mc_loss_init(&loss, &o, MC_LOSS_CROSS_ENTROPY, K, &toy.data, true, &err), err);
        check(&loss, &b, &(struct mc_targets){.labels = b.labels}, weighted[k].value, weighted[k].gradient);
        mc_loss_finish(&loss);
    }
    toy_destroy(&toy);
}

/* scikit-learn's compute_class_weight: samples / (classes * samples of the class); an absent class weighs nothing. */
static void test_balanced_weights_are_inverse_to_frequency(void **state)
{
    struct mc_error err = {0};
    struct toy toy = unequal();
    struct mc_fit_options o = {.class_weights = "balanced"};
    mc_runtime_init(&o.runtime, 1, MC_CPU_AVX512);
    struct mc_loss loss;
    assert_ok(mc_loss_init(&loss, &o, MC_LOSS_CROSS_ENTROPY, K, &toy.data, true, &err), err);
    assert_true(fabsf(loss.weights[0] - 8.0F / 18) < 1e-7F && fabsf(loss.weights[1] - 8.0F / 6) < 1e-7F);
    assert_true(loss.weights[2] == 0);
    mc_loss_finish(&loss);
    toy_destroy(&toy);
}

static void test_class_weights_that_do_not_fit_are_refused(void **state)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"1,2", "class weights: need one for each of 3 classes, have 2"},
        {"1,2,3,4", "class weights: need one for each of 3 classes, have 4"},
        {"1,-2,3", "class weights: need numbers of at least 0, have '-2,3'"},
    };
    struct toy toy = unequal();
    for (int k = 0; k < 3; k++) {
        struct mc_error err = {0};
        struct mc_fit_options o = {.class_weights = cases[k].text};
        mc_runtime_init(&o.runtime, 1, MC_CPU_AVX512);
        struct mc_loss loss;
        assert_int_equal(mc_loss_init(&loss, &o, MC_LOSS_CROSS_ENTROPY, K, &toy.data, true, &err), MC_ERR_USAGE);
        assert_string_equal(err.text, cases[k].says);
        mc_loss_finish(&loss);
    }
    toy_destroy(&toy);
}

/* The softmax and the sigmoid of the teacher's scores. */
static void distributions(const struct batch *b, float soft[COUNT], float logistic[COUNT])
{
    for (int r = 0; r < ROWS; r++) {
        double sum = 0;
        for (int c = 0; c < K; c++) sum += exp(b->teacher[r * K + c]);
        for (int c = 0; c < K; c++) soft[r * K + c] = (float)(exp(b->teacher[r * K + c]) / sum);
    }
    for (int i = 0; i < COUNT; i++) logistic[i] = (float)(1 / (1 + exp(-(double)b->teacher[i])));
}

static void test_losses_of_numbers_agree_with_pytorch(void **state)
{
    static const struct {
        enum mc_loss_kind kind;
        int targets; /* 0: softmax, 1: sigmoid, 2: the scores themselves */
        double smoothing, value;
        float gradient[COUNT];
    } cases[] = {
        {MC_LOSS_CROSS_ENTROPY,
         0,
         0,
         0.646547655686,
         {-0.1819672655F, 0.1615597760F, 0.0204074895F, 0.0770900665F, 0.0197920290F, -0.0968820955F}},
        {MC_LOSS_CROSS_ENTROPY,
         0,
         0.1,
         0.729746326900,
         {-0.1591423722F, 0.1548373534F, 0.0043050188F, 0.0614357263F, 0.0059021584F, -0.0673378848F}},
        {MC_LOSS_KL,
         0,
         0,
         0.211303983953,
         {-0.1819672655F, 0.1615597760F, 0.0204074895F, 0.0770900665F, 0.0197920290F, -0.0968820955F}},
        {MC_LOSS_MAE,
         2,
         0,
         1.093169659755,
         {-0.1666666667F, 0.1666666667F, 0.1666666667F, 0.1666666667F, -0.1666666667F, -0.1666666667F}},
        {MC_LOSS_HUBER,
         2,
         0,
         0.545114382655,
         {-0.0792645076F, 0.1250000000F, 0.1250000000F, 0.1165950006F, -0.1250000000F, -0.1250000000F}},
        {MC_LOSS_BCE,
         1,
         0,
         0.518110231874,
         {-0.0044564151F, 0.0172887353F, 0.0635527972F, 0.0074671444F, -0.0116754267F, -0.0664783055F}},
    };
    const struct batch b = example();
    float soft[COUNT], logistic[COUNT];
    distributions(&b, soft, logistic);
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        const float *const targets[] = {soft, logistic, b.teacher};
        struct mc_loss loss = make(cases[k].kind, 0, 0, K);
        loss.kind = cases[k].kind; /* of numbers, not of classes */
        loss.smoothing = cases[k].smoothing;
        check(&loss, &b, &(struct mc_targets){.numbers = targets[cases[k].targets]}, cases[k].value, cases[k].gradient);
        mc_loss_finish(&loss);
    }
}

static void test_distilled_losses_of_numbers_agree_with_pytorch(void **state)
{
    const struct batch b = example();
    const float zeros[COUNT] = {0}, eye[COUNT] = {0, 0, 1, 1, 0, 0};
    const float mae[] = {0.0666666667F, 0.1666666667F, 0.1666666667F, -0.0666666667F, -0.1666666667F, -0.1666666667F},
                bce[] = {0.1066772330F, 0.1146960881F, -0.0271006782F, -0.1035060993F, 0.0027173132F, 0.0152786675F};
    struct mc_loss loss = make(MC_LOSS_MAE, 0.3, 2, K);
    check(&loss, &b, &(struct mc_targets){.numbers = zeros, .teacher = b.teacher}, 1.688411638679, mae);
    mc_loss_finish(&loss);
    loss = make(MC_LOSS_BCE, 0.3, 2, K);
    check(&loss, &b, &(struct mc_targets){.numbers = eye, .teacher = b.teacher}, 1.168012505356, bce);
    mc_loss_finish(&loss);
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

static void test_cross_entropy_of_one_number_is_refused(void **state)
{
    static const enum mc_loss_kind kinds[] = {MC_LOSS_CROSS_ENTROPY, MC_LOSS_KL};
    for (int k = 0; k < 2; k++) {
        struct mc_error err = {0};
        struct mc_fit_options o = {.loss = kinds[k]};
        mc_runtime_init(&o.runtime, 1, MC_CPU_AVX512);
        struct mc_loss loss;
        assert_int_equal(mc_loss_init(&loss, &o, kinds[k], 1, NULL, true, &err), MC_ERR_USAGE);
        assert_string_equal(err.text,
                            "cross-entropy and KL need classes, or a distribution over at least two numbers as "
                            "target; the data has one number");
        mc_loss_finish(&loss);
    }
}

/* A sample that counts twice is as if it were there twice. */
static void test_weights_of_samples_multiply_loss_and_gradient(void **state)
{
    static const enum mc_loss_kind kinds[] = {MC_LOSS_CROSS_ENTROPY, MC_LOSS_MSE, MC_LOSS_BCE};
    static const float weights[ROWS] = {2, 0.25F}, numbers[COUNT] = {0, 1, 0, 1, 0.5F, 0};
    const struct batch b = example();
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        struct mc_loss loss = make(kinds[k], 0, 0, K);
        const struct mc_targets plain = {.labels = k == 0 ? b.labels : NULL, .numbers = numbers};
        struct mc_targets counted = plain;
        float alike[COUNT], dz[COUNT];
        double sum = 0;
        counted.weights = weights;
        mc_loss_run(&loss, ROWS, b.z, &plain, 0.5, alike);
        for (int r = 0; r < ROWS; r++) {
            const struct mc_targets one = {.labels = k == 0 ? b.labels + r : NULL, .numbers = numbers + r * K};
            sum += (double)weights[r] * mc_loss_run(&loss, 1, b.z + r * K, &one, 1, NULL);
        }
        assert_true(fabs(mc_loss_run(&loss, ROWS, b.z, &counted, 0.5, dz) - sum) < 1e-9);
        for (int i = 0; i < COUNT; i++) assert_true(fabsf(dz[i] - weights[i / K] * alike[i]) < 1e-6F);
        mc_loss_finish(&loss);
    }
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
        cmocka_unit_test(test_smoothing_and_class_weights_agree_with_pytorch),
        cmocka_unit_test(test_balanced_weights_are_inverse_to_frequency),
        cmocka_unit_test(test_class_weights_that_do_not_fit_are_refused),
        cmocka_unit_test(test_losses_of_numbers_agree_with_pytorch),
        cmocka_unit_test(test_distilled_losses_of_numbers_agree_with_pytorch),
        cmocka_unit_test(test_huge_scores_stay_finite),
        cmocka_unit_test(test_weights_of_samples_multiply_loss_and_gradient),
        cmocka_unit_test(test_cross_entropy_of_one_number_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
