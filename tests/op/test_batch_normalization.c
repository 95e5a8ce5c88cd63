/* test_batch_normalization.c - running and batch statistics, gradients, refusals. Expected: PyTorch 2.15,
 * torch.nn.functional.batch_norm. */
#include "harness.h"

#define INPUTS                                                                                                         \
    .in = {{OP_DIMS(2, 3, 2), OP_DATA(1, 2, 3, 4, -1, 0, 5, 7, 0, 2, 2, 2)},                                           \
           {OP_DIMS(3), OP_DATA(1, 2, .5)},                                                                            \
           {OP_DIMS(3), OP_DATA(.5, -1, 0)},                                                                           \
           {OP_DIMS(3), OP_DATA(.1, .2, .3), .initializer = true},                                                     \
           {OP_DIMS(3), OP_DATA(1, 2, 3), .initializer = true}}
#define RANDOM_INPUTS                                                                                                  \
    .in = {{OP_DIMS(3, 2, 3, 1)},                                                                                      \
           {OP_DIMS(2), .low = .5, .high = 2},                                                                         \
           {OP_DIMS(2)},                                                                                               \
           {OP_DIMS(2), .initializer = true},                                                                          \
           {OP_DIMS(2), .low = .5, .high = 2, .initializer = true}}

static const struct op_tensor of_running = {
    OP_DIMS(2, 3, 2), OP_DATA(1.3999955654, 2.3999905586, 2.9597878456, 4.3739976883, -0.3752770424, -0.0866023973,
                              5.3999752998, 7.3999652863, -1.2828420401, 1.5455778837, 0.4907469153, 0.4907469153)};
static const struct op_tensor of_batch = {
    OP_DIMS(2, 3, 2), OP_DATA(-0.6531124115, -0.2337988019, 0.014182806, 1.3664264679, -0.6735733747, -0.288674295,
                              1.0241419077, 1.8627691269, -4.0425481796, -1.3380608559, 0.4811238051, 0.4811238051)};

static void test_inference_uses_running_statistics(void **state)
{
    op_check(&(struct op_case){.type = "BatchNormalization", .opset = 15, INPUTS}, &of_running, 1e-5);
    op_check(&(struct op_case){.type = "BatchNormalization", .opset = 9, INPUTS}, &of_running, 1e-5);
}

/* ONNX blends with the variance over n: 0.9 * running + 0.1 * batch. */
static void test_training_mode_gives_batch_statistics_out(void **state)
{
    const struct op_case c = {
        .type = "BatchNormalization", .opset = 15, .attrs = {OP_INT("training_mode", 1)}, .n_out = 3, INPUTS};
    const struct op_tensor expected[] = {
        of_batch, {OP_DIMS(3), OP_DATA(.465, .405, .345)}, {OP_DIMS(3), OP_DATA(1.46875, 2.01875, 2.86875)}};
    op_check(&c, expected, 1e-5);
}

static void test_a_trainer_uses_batch_statistics_whatever_the_node_says(void **state)
{
    op_check(&(struct op_case){.type = "BatchNormalization", .opset = 15, .training = true, INPUTS}, &of_batch, 1e-5);
}

static void test_frozen_statistics_are_the_running_ones_in_training(void **state)
{
    struct mc_runtime frozen;
    mc_runtime_init(&frozen, 2, MC_CPU_AVX512);
    frozen.freeze_batch_norm = true;
    const struct op_case c = {.type = "BatchNormalization", .opset = 15, .training = true, .runtime = &frozen, INPUTS};
    op_check(&c, &of_running, 1e-5);
    op_check_gradient(&(struct op_case){.type = "BatchNormalization", .opset = 15, .runtime = &frozen, RANDOM_INPUTS});
}

static void test_gradients_match_finite_differences(void **state)
{
    op_check_gradient(&(struct op_case){.type = "BatchNormalization", .opset = 15, RANDOM_INPUTS});
    op_check_gradient(&(struct op_case){.type = "BatchNormalization",
                                        .opset = 15,
                                        .in = {{OP_DIMS(7, 3)},
                                               {OP_DIMS(3), .low = .5, .high = 2},
                                               {OP_DIMS(3)},
                                               {OP_DIMS(3), .initializer = true},
                                               {OP_DIMS(3), .low = .5, .high = 2, .initializer = true}}});
}

static void test_misfits_are_refused(void **state)
{
    struct op_case c = {.type = "BatchNormalization", .opset = 15, INPUTS};
    c.in[2].dim[0] = 2;
    op_check_refused(&c, MC_ERR_INPUT, "needs 3 channels, has 2");
    struct op_case old = {.type = "BatchNormalization", .opset = 7, .attrs = {OP_INT("spatial", 0)}, INPUTS};
    op_check_refused(&old, MC_ERR_INPUT, "needs 6 channels, has 3");
    struct op_case test = {
        .type = "BatchNormalization", .opset = 6, .attrs = {OP_INT("is_test", 1)}, .n_out = 5, INPUTS};
    op_check_refused(&test, MC_ERR_INPUT, "needs 1 output with 'is_test', has 5");
}

static void test_failing_allocations_are_survived(void **state)
{
    op_check_memory(&(struct op_case){.type = "BatchNormalization", .opset = 15, INPUTS});
}

static void test_batch_normalization_takes_channels_last(void **state)
{
    static const int64_t channels[] = {5, 16, 35};
    for (int i = 0; i < 3; i++) {
        const struct op_tensor parameter = {OP_DIMS(channels[i]), .initializer = true};
        struct op_tensor variance = parameter;
        variance.low = 0.5;
        variance.high = 2;
        op_check_channels_last(
            &(struct op_case){.type = "BatchNormalization",
                              .opset = 15,
                              .in = {{OP_DIMS(3, channels[i], 4, 5)}, parameter, parameter, parameter, variance}});
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batch_normalization_takes_channels_last),
        cmocka_unit_test(test_inference_uses_running_statistics),
        cmocka_unit_test(test_training_mode_gives_batch_statistics_out),
        cmocka_unit_test(test_a_trainer_uses_batch_statistics_whatever_the_node_says),
        cmocka_unit_test(test_frozen_statistics_are_the_running_ones_in_training),
        cmocka_unit_test(test_gradients_match_finite_differences),
        cmocka_unit_test(test_misfits_are_refused),
        cmocka_unit_test(test_failing_allocations_are_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
