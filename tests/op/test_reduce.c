/* test_reduce.c - ReduceSum and ReduceMean, axes as attribute and as input. */
#include "op/ops.h"

#include <math.h>

#include "coupled.h"
#include "elements.h"
#include "harness.h"

#define AXES(...)                                                                                                      \
    {                                                                                                                  \
        .dtype = MC_INT64, OP_DIMS(OP_COUNT(double, __VA_ARGS__)), OP_DATA(__VA_ARGS__)                                \
    }

static const char *const all[] = {"ReduceSum", "ReduceMean"};
#define EACH(k) for (int k = 0; k < 2; k++)

static void test_reductions_agree_with_onnxruntime(void **state)
{
    EACH(k) elements_check(all[k], 1e-6);
}

static void test_reduction_gradients_match_finite_differences(void **state)
{
    EACH(k)
    {
        for (int keep = 0; keep < 2; keep++) {
            const struct op_attr keepdims = OP_INT("keepdims", keep);
            const struct op_case cases[] = {
                {.type = all[k], .opset = 18, .attrs = {keepdims}, .in = {{OP_DIMS(2, 3, 4)}, AXES(1)}},
                {.type = all[k], .opset = 18, .attrs = {keepdims}, .in = {{OP_DIMS(2, 3, 4)}, AXES(0, -1)}},
                {.type = all[k], .opset = 18, .attrs = {keepdims}, .in = {{OP_DIMS(2, 3, 4)}, AXES(2)}},
                {.type = all[k], .opset = 18, .attrs = {keepdims}, .in = {{OP_DIMS(2, 3, 4)}}},
                {.type = all[k], .opset = 18, .attrs = {keepdims}, .in = {{OP_SCALAR}}},
                {.type = all[k], .opset = 18, .attrs = {keepdims}, .in = {{OP_DIMS(0, 3)}, AXES(1)}},
                {.type = all[k], .opset = 18, .attrs = {keepdims}, .in = {{OP_DIMS(2, 1, 3)}, AXES(1)}},
                {.type = all[k],
                 .opset = 18,
                 .attrs = {keepdims, OP_INT("noop_with_empty_axes", 1)},
                 .in = {{OP_DIMS(2, 3)}}},
                {.type = all[k], .opset = 11, .attrs = {keepdims, OP_INTS("axes", -2)}, .in = {{OP_DIMS(2, 3, 4)}}},
            };
            for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) op_check_gradient(&cases[i]);
        }
    }
}

static void test_mean_of_nothing_is_nan_and_its_sum_zero(void **state)
{
    op_check(&(struct op_case){.type = "ReduceMean", .opset = 18, .in = {{OP_DIMS(2, 0)}, AXES(1)}},
             (struct op_tensor[]){{OP_DIMS(2, 1), OP_DATA(NAN, NAN)}}, 0);
    op_check(&(struct op_case){.type = "ReduceSum", .opset = 18, .in = {{OP_DIMS(2, 0)}, AXES(1)}},
             (struct op_tensor[]){{OP_DIMS(2, 1), OP_DATA(0, 0)}}, 0);
}

/* 2^24 + 1 + 1 …: in float32 alone the ones would be lost. */
static void test_sums_are_taken_in_double(void **state)
{
    enum { N = 40 };
    static double x[N];
    x[0] = 16777216;
    for (int i = 1; i < N; i++) x[i] = 1;
    const struct op_tensor sum = {OP_DIMS(1), OP_DATA(16777216 + N - 1 + 1)}; /* even: float32 holds it */
    x[1] = 2;
    op_check(&(struct op_case){.type = "ReduceSum", .opset = 13, .in = {{OP_DIMS(N), .data = x}}}, &sum, 0);
}

static void test_reductions_refuse_axes_and_types_that_are_not_there(void **state)
{
    EACH(k)
    {
        op_check_refused(&(struct op_case){.type = all[k], .opset = 18, .in = {{OP_DIMS(2, 2)}, AXES(2)}}, MC_ERR_INPUT,
                         "axis 2 is outside a tensor of 2 dimensions");
        op_check_refused(&(struct op_case){.type = all[k], .opset = 18, .in = {{OP_DIMS(2, 2)}, AXES(1, -1)}},
                         MC_ERR_INPUT, "axis 1 is listed twice");
        op_check_refused(
            &(struct op_case){.type = all[k], .opset = 18, .in = {{.dtype = MC_BOOL, OP_DIMS(1), OP_DATA(1)}}},
            MC_ERR_UNSUPPORTED, "has bool");
    }
}

/* x [2, 3, 4] summed over axis 1 */
static void test_reductions_are_of_what_is_left_and_pass_the_rest(void **state)
{
    for (int keep = 0; keep < 2; keep++) {
        EACH(k)
        {
            struct mc_error err = {0};
            struct coupled t;
            coupled_init(&t, 18);
            struct mc_value *const in[] = {coupled_computed(&t, mc_shape_of(INTS(2, 3, 4))),
                                           coupled_ints(&t, "axes", INTS(1))};
            struct mc_node *node = coupled_node(&t, all[k], 2, in, 1);
            assert_ok(mc_node_set_int(node, "keepdims", keep, &err), err);
            coupled_couple(&t);
            assert_false(coupled_frozen(&t, in[0], 1, 2));
            assert_int_equal(mc_coupling_n_statistics(t.coupling), 1);
            assert_int_equal(mc_coupling_statistic(t.coupling, 0)->axis, 1);
            assert_true(coupled_tied(&t, in[0], 0, 1, node->outputs[0], 0, 1));
            assert_true(coupled_tied(&t, in[0], 2, 3, node->outputs[0], 1 + keep, 3));
            coupled_finish(&t);
        }
    }
}

/* Without some of a weight's elements the mean of the others would be another weight. */
static void test_statistics_of_weights_freeze_them(void **state)
{
    struct coupled t;
    coupled_init(&t, 18);
    struct mc_value *const in[] = {coupled_value(&t, "w", mc_shape_of(INTS(2, 3))), coupled_ints(&t, "axes", INTS(1))};
    coupled_node(&t, "ReduceMean", 2, in, 1);
    coupled_couple(&t);
    assert_true(coupled_all_frozen(&t, in[0], 1));
    assert_int_equal(mc_coupling_n_statistics(t.coupling), 0);
    coupled_finish(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reductions_agree_with_onnxruntime),
        cmocka_unit_test(test_reduction_gradients_match_finite_differences),
        cmocka_unit_test(test_mean_of_nothing_is_nan_and_its_sum_zero),
        cmocka_unit_test(test_sums_are_taken_in_double),
        cmocka_unit_test(test_reductions_refuse_axes_and_types_that_are_not_there),
        cmocka_unit_test(test_statistics_of_weights_freeze_them),
        cmocka_unit_test(test_reductions_are_of_what_is_left_and_pass_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
