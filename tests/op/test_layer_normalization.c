/* test_layer_normalization.c - LayerNormalization. */
#include "op/ops.h"

#include <math.h>

#include "coupled.h"
#include "elements.h"
#include "harness.h"

#define LAYER_NORM .type = "LayerNormalization", .opset = 17

static void test_layer_normalization_agrees_with_onnxruntime(void **state)
{
    elements_check("LayerNormalization", 3e-6);
}

static void test_layer_normalization_backward_matches_finite_differences(void **state)
{
    op_check_gradient(&(struct op_case){LAYER_NORM, .in = {{OP_DIMS(3, 5)}, {OP_DIMS(5)}, {OP_DIMS(5)}}});
    op_check_gradient(&(struct op_case){LAYER_NORM, .in = {{OP_DIMS(2, 3, 5)}, {OP_DIMS(5)}}});
    op_check_gradient(&(struct op_case){LAYER_NORM, .attrs = {OP_INT("axis", 1)},
                                        .in = {{OP_DIMS(2, 3, 5)}, {OP_DIMS(3, 5)}, {OP_DIMS(3, 5)}}});
    op_check_gradient(&(struct op_case){LAYER_NORM, .attrs = {OP_INT("axis", 0)},
                                        .in = {{OP_DIMS(2, 3)}, {OP_DIMS(2, 3)}, {OP_DIMS(2, 3)}}});
    op_check_gradient(&(struct op_case){LAYER_NORM, .in = {{OP_DIMS(0, 5)}, {OP_DIMS(5)}, {OP_DIMS(5)}}});
}

/* Mean and InvStdDev have gradients of their own. */
static void test_statistics_pass_gradients_on(void **state)
{
    op_check_gradient(&(struct op_case){LAYER_NORM, .in = {{OP_DIMS(3, 5)}, {OP_DIMS(5)}, {OP_DIMS(5)}}, .n_out = 3,
                                        .f32_only = true}); /* they are float32 whatever x is */
}

static void test_layer_normalization_of_many_rows_is_shared_among_threads(void **state)
{
    op_check_precision(&(struct op_case){LAYER_NORM, .in = {{OP_DIMS(300, 333)}, {OP_DIMS(333)}, {OP_DIMS(333)}}},
                       2e-6);
}

/* A mean that dwarfs the spread: the variance is taken after the mean is gone. */
static void test_a_far_mean_does_not_spoil_the_variance(void **state)
{
    op_check(&(struct op_case){LAYER_NORM, .attrs = {OP_FLOAT("epsilon", 0)},
                               .in = {{OP_DIMS(4), OP_DATA(1000001, 999999, 1000001, 999999)},
                                      {OP_DIMS(4), OP_DATA(1, 1, 1, 1)}}},
             (struct op_tensor[]){{OP_DIMS(4), OP_DATA(1, -1, 1, -1)}}, 0);
}

static void test_layer_normalization_refuses_what_it_does_not_do(void **state)
{
    op_check_refused(&(struct op_case){LAYER_NORM, .in = {{OP_DIMS(2, 3)}, {OP_DIMS(1)}}}, MC_ERR_UNSUPPORTED,
                     "input 1 'in1': needs shape [3], has [1]");
    op_check_refused(&(struct op_case){LAYER_NORM, .in = {{OP_DIMS(2, 3)}, {OP_DIMS(3)}, {OP_DIMS(2)}}},
                     MC_ERR_UNSUPPORTED, "input 2 'in2': needs shape [3], has [2]");
    op_check_refused(
        &(struct op_case){LAYER_NORM, .attrs = {OP_INT("stash_type", 16)}, .in = {{OP_DIMS(2, 3)}, {OP_DIMS(3)}}},
        MC_ERR_UNSUPPORTED, "'stash_type': needs 1");
    op_check_refused(&(struct op_case){LAYER_NORM, .attrs = {OP_INT("axis", 2)}, .in = {{OP_DIMS(2, 3)}, {OP_DIMS(3)}}},
                     MC_ERR_INPUT, "axis 2 is outside");
    op_check_refused(&(struct op_case){LAYER_NORM, .in = {{OP_DIMS(2, 3)}, {.dtype = MC_BOOL, OP_DIMS(3)}}},
                     MC_ERR_UNSUPPORTED, "has bool");
}

static void test_axes_pass_and_rows_have_statistics(void **state)
{
    struct coupled t;
    coupled_init(&t, 17);
    struct mc_value *const in[] = {coupled_computed(&t, mc_shape_of(INTS(2, 3))),
                                   coupled_value(&t, "scale", mc_shape_of(INTS(3))),
                                   coupled_value(&t, "bias", mc_shape_of(INTS(3)))};
    const struct mc_node *node = coupled_node(&t, "LayerNormalization", 3, in, 3);
    coupled_couple(&t);
    for (int i = 0; i < 3; i++) {
        assert_true(coupled_tied(&t, in[0], 0, 1, node->outputs[i], 0, 1));
        assert_true(coupled_tied(&t, in[i], i ? 0 : 1, 2, node->outputs[0], 1, 2));
    }
    assert_int_equal(mc_coupling_n_statistics(t.coupling), 1);
    assert_ptr_equal(mc_coupling_statistic(t.coupling, 0)->node, node);
    assert_int_equal(mc_coupling_statistic(t.coupling, 0)->axis, 1);
    assert_int_equal(mc_coupling_role(t.coupling, in[1], 0), MC_ROLE_SCALE);
    assert_int_equal(mc_coupling_role(t.coupling, in[2], 0), MC_ROLE_SHIFT);
    coupled_finish(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layer_normalization_agrees_with_onnxruntime),
        cmocka_unit_test(test_layer_normalization_backward_matches_finite_differences),
        cmocka_unit_test(test_statistics_pass_gradients_on),
        cmocka_unit_test(test_layer_normalization_of_many_rows_is_shared_among_threads),
        cmocka_unit_test(test_a_far_mean_does_not_spoil_the_variance),
        cmocka_unit_test(test_layer_normalization_refuses_what_it_does_not_do),
        cmocka_unit_test(test_axes_pass_and_rows_have_statistics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
