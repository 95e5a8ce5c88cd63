/* test_dropout.c - Dropout: quiet in evaluation, live and reproducible in training. */
#include "op/ops.h"

#include <math.h>
#include <string.h>

#include "coupled.h"
#include "elements.h"
#include "harness.h"
#include "run/plan.h"

enum { N = 10000 };

#define RATIO(value)                                                                                                   \
    {                                                                                                                  \
        OP_SCALAR, OP_DATA(value), .initializer = true                                                                 \
    }
#define MODE(value)                                                                                                    \
    {                                                                                                                  \
        .dtype = MC_BOOL, OP_SCALAR, OP_DATA(value)                                                                    \
    }

static void test_dropout_agrees_with_onnxruntime(void **state)
{
    elements_check("Dropout", 0);
}

/* Run a case on N ones and go back with a gradient of ones. y and dx: [N]; a mask, if the case has one: [N]. */
static void run(const struct op_case *c, bool training, struct mc_runtime *runtime, float *y, float *dx, float *mask)
{
    static double ones[N];
    struct op_case filled = *c;
    struct mc_error err = {0};
    struct mc_plan *plan;
    for (int i = 0; i < N; i++) ones[i] = 1;
    filled.in[0] = (struct op_tensor){OP_DIMS(N), .data = ones, .initializer = true};
    struct mc_model *model = op_model(&filled, MC_FLOAT);
    const struct mc_value *wrt = model->graph->nodes[0]->inputs[0];
    const struct mc_plan_options options = {
        .runtime = runtime, .training = training, .no_fold = true, .n_wrt = training, .wrt = &wrt};
    assert_ok(mc_plan_create(&plan, model, &options, &err), err);
    mc_plan_runtime(plan)->iteration = runtime->iteration;
    assert_ok(mc_plan_run(plan, &err), err);
    memcpy(y, mc_plan_output(plan, 0)->data, N * sizeof(float));
    for (int i = 0; mask && i < N; i++) mask[i] = (float)mc_tensor_get_f64(mc_plan_output(plan, 1), i);
    if (training) {
        for (int i = 0; i < N; i++) mc_tensor_set_f64(mc_plan_grad_output(plan, 0), i, 1);
        assert_ok(mc_plan_backward(plan, &err), err);
        memcpy(dx, mc_plan_grad(plan, 0)->data, N * sizeof(float));
    }
    mc_plan_destroy(plan);
    mc_model_destroy(model);
}

/* How many of N are 0; all others must be `scale`. */
static int count_zeros(const float *y, float scale)
{
    int zeros = 0;
    for (int i = 0; i < N; i++) {
        if (y[i] == 0)
            zeros++;
        else
            assert_true(fabsf(y[i] - scale) <= 1e-6f * scale);
    }
    return zeros;
}

static struct mc_runtime runtime_with(uint64_t seed, uint64_t iteration, int n_threads)
{
    struct mc_runtime runtime;
    mc_runtime_init(&runtime, n_threads, MC_CPU_AVX512);
    runtime.seed = seed;
    runtime.iteration = iteration;
    return runtime;
}

static void test_training_drops_the_ratio_and_scales_the_rest(void **state)
{
    const struct op_case cases[] = {
        {.type = "Dropout", .opset = 13, .in = {{0}, RATIO(0.25)}, .n_in = 2},
        {.type = "Dropout", .opset = 13, .in = {{0}, RATIO(0.25), MODE(0)}, .n_in = 3},
        {.type = "Dropout", .opset = 13, .in = {{0}, RATIO(0.25), MODE(1)}, .n_in = 3},
        {.type = "Dropout", .opset = 10, .attrs = {OP_FLOAT("ratio", 0.25f)}},
        {.type = "Dropout", .opset = 7, .attrs = {OP_FLOAT("ratio", 0.25f)}},
    };
    static float y[N], dx[N];
    struct mc_runtime runtime = runtime_with(1, 0, 2);
    for (size_t k = 0; k < sizeof(cases) / sizeof(*cases); k++) {
        run(&cases[k], true, &runtime, y, dx, NULL);
        assert_in_range(count_zeros(y, 4.0f / 3), 2500 - 175, 2500 + 175); /* four standard deviations */
        assert_memory_equal(y, dx, sizeof(y));                             /* of ones: backward drew the same mask */
    }
}

static void test_evaluation_is_quiet_unless_the_node_says_training(void **state)
{
    static float y[N];
    struct mc_runtime runtime = runtime_with(1, 0, 2);
    run(&(struct op_case){.type = "Dropout", .opset = 13, .in = {{0}, RATIO(0.5), MODE(0)}, .n_in = 3}, false, &runtime,
        y, NULL, NULL);
    assert_int_equal(count_zeros(y, 1), 0);
    run(&(struct op_case){.type = "Dropout", .opset = 13, .in = {{0}, RATIO(0.5), MODE(1)}, .n_in = 3}, false, &runtime,
        y, NULL, NULL);
    assert_in_range(count_zeros(y, 2), 5000 - 200, 5000 + 200);
}

static void test_mask_says_what_stayed(void **state)
{
    const struct op_case cases[] = {
        {.type = "Dropout", .opset = 13, .in = {{0}, RATIO(0.5)}, .n_in = 2, .n_out = 2},
        {.type = "Dropout", .opset = 10, .n_out = 2},
        {.type = "Dropout", .opset = 7, .n_out = 2},
    };
    static float y[N], dx[N], mask[N];
    struct mc_runtime runtime = runtime_with(1, 0, 2);
    for (size_t k = 0; k < sizeof(cases) / sizeof(*cases); k++) {
        run(&cases[k], true, &runtime, y, dx, mask);
        for (int i = 0; i < N; i++) assert_true(mask[i] == (y[i] != 0));
    }
}

static void test_draws_depend_on_seed_and_iteration_alone(void **state)
{
    const struct op_case c = {.type = "Dropout", .opset = 13, .in = {{0}, RATIO(0.5)}, .n_in = 2};
    static float first[N], other[N], dx[N];
    struct mc_runtime a = runtime_with(1, 5, 1), threads = runtime_with(1, 5, 4), seed = runtime_with(2, 5, 1),
                      iteration = runtime_with(1, 6, 1);
    run(&c, true, &a, first, dx, NULL);
    run(&c, true, &threads, other, dx, NULL);
    assert_memory_equal(first, other, sizeof(first));
    run(&c, true, &seed, other, dx, NULL);
    assert_memory_not_equal(first, other, sizeof(first));
    run(&c, true, &iteration, other, dx, NULL);
    assert_memory_not_equal(first, other, sizeof(first));
}

static void test_ratios_at_the_ends_keep_or_drop_everything(void **state)
{
    static float y[N], dx[N];
    struct mc_runtime runtime = runtime_with(1, 0, 2);
    run(&(struct op_case){.type = "Dropout", .opset = 13, .in = {{0}, RATIO(0)}, .n_in = 2}, true, &runtime, y, dx,
        NULL);
    assert_int_equal(count_zeros(y, 1), 0);
    run(&(struct op_case){.type = "Dropout", .opset = 13, .in = {{0}, RATIO(1)}, .n_in = 2}, true, &runtime, y, dx,
        NULL);
    assert_int_equal(count_zeros(y, 1), N);
}

static void test_dropout_backward_matches_finite_differences(void **state)
{
    op_check_gradient(&(struct op_case){.type = "Dropout", .opset = 13, .in = {{OP_DIMS(5, 7)}}});
    op_check_gradient(&(struct op_case){.type = "Dropout", .opset = 7, .in = {{OP_DIMS(0, 7)}}});
}

static void test_dropout_refuses_what_is_no_ratio_or_mode(void **state)
{
    op_check_refused(&(struct op_case){.type = "Dropout", .opset = 13, .in = {{OP_DIMS(3)}, {OP_DIMS(2)}}},
                     MC_ERR_INPUT, "the ratio needs to be one number");
    op_check_refused(&(struct op_case){.type = "Dropout",
                                       .opset = 13,
                                       .in = {{OP_DIMS(3)}, RATIO(0.5), {.dtype = MC_INT64, OP_SCALAR, OP_DATA(1)}}},
                     MC_ERR_UNSUPPORTED, "needs bool, has int64");
    op_check_refused(
        &(struct op_case){.type = "Dropout", .opset = 13, .in = {{.dtype = MC_BOOL, OP_DIMS(1), OP_DATA(1)}}},
        MC_ERR_UNSUPPORTED, "has bool");
}

static void test_dropout_passes_channels(void **state)
{
    struct coupled t;
    coupled_init(&t, 13);
    struct mc_value *x = coupled_value(&t, "x", mc_shape_of(INTS(2, 3)));
    const struct mc_node *node = coupled_node(&t, "Dropout", 1, &x, 2);
    coupled_couple(&t);
    assert_true(coupled_tied(&t, x, 1, 2, node->outputs[0], 1, 2));
    assert_true(coupled_tied(&t, x, 1, 2, node->outputs[1], 1, 2));
    coupled_finish(&t);
}

/* Before opset 7 a node draws unless it says that it is tested. */
static void test_old_dropout_is_live_unless_it_is_a_test(void **state)
{
    const struct op_case quiet = {
        .type = "Dropout", .opset = 6, .attrs = {OP_INT("is_test", 1)}, .in = {{OP_DIMS(4), OP_DATA(1, 2, 3, 4)}}};
    op_check(&quiet, (struct op_tensor[]){{OP_DIMS(4), OP_DATA(1, 2, 3, 4)}}, 0);
    struct op_case all = quiet;
    all.attrs[0] = (struct op_attr)OP_FLOAT("ratio", 1);
    op_check(&all, (struct op_tensor[]){{OP_DIMS(4), OP_DATA(0, 0, 0, 0)}}, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dropout_agrees_with_onnxruntime),
        cmocka_unit_test(test_training_drops_the_ratio_and_scales_the_rest),
        cmocka_unit_test(test_evaluation_is_quiet_unless_the_node_says_training),
        cmocka_unit_test(test_mask_says_what_stayed),
        cmocka_unit_test(test_draws_depend_on_seed_and_iteration_alone),
        cmocka_unit_test(test_ratios_at_the_ends_keep_or_drop_everything),
        cmocka_unit_test(test_dropout_backward_matches_finite_differences),
        cmocka_unit_test(test_dropout_refuses_what_is_no_ratio_or_mode),
        cmocka_unit_test(test_dropout_passes_channels),
        cmocka_unit_test(test_old_dropout_is_live_unless_it_is_a_test),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
