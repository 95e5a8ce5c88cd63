/* test_softmax.c - Softmax and LogSoftmax, along an axis and flattened. */
#include "op/ops.h"

#include <math.h>

#include "coupled.h"
#include "elements.h"
#include "harness.h"

static const char *const all[] = {"Softmax", "LogSoftmax"};
#define EACH(k) for (int k = 0; k < 2; k++)

static void test_softmax_agrees_with_onnxruntime(void **state)
{
    EACH(k) elements_check(all[k], 1e-6);
}

static void test_softmax_backward_matches_finite_differences(void **state)
{
    EACH(k)
    {
        for (int axis = -3; axis < 3; axis++) {
            op_check_gradient(&(struct op_case){
                .type = all[k], .opset = 13, .attrs = {OP_INT("axis", axis)}, .in = {{OP_DIMS(2, 5, 3)}}});
            op_check_gradient(&(struct op_case){
                .type = all[k], .opset = 11, .attrs = {OP_INT("axis", axis)}, .in = {{OP_DIMS(2, 5, 3)}}});
        }
        op_check_gradient(&(struct op_case){.type = all[k], .opset = 13, .in = {{OP_DIMS(3, 1)}}});
        op_check_gradient(&(struct op_case){.type = all[k], .opset = 13, .in = {{OP_DIMS(0, 4)}}});
        op_check_gradient(
            &(struct op_case){.type = all[k], .opset = 13, .attrs = {OP_INT("axis", 0)}, .in = {{OP_DIMS(3, 0)}}});
        op_check_gradient(&(struct op_case){
            .type = all[k], .opset = 13, .attrs = {OP_INT("axis", 1)}, .in = {{OP_DIMS(2, 3, 1, 2)}}});
    }
}

static void test_softmax_of_many_rows_is_shared_among_threads(void **state)
{
    EACH(k)
    {
        op_check_precision(&(struct op_case){.type = all[k], .opset = 13, .in = {{OP_DIMS(700, 101)}}}, 1e-6);
        op_check_precision(
            &(struct op_case){
                .type = all[k], .opset = 13, .attrs = {OP_INT("axis", 1)}, .in = {{OP_DIMS(2, 21, 37, 41)}}},
            1e-6);
    }
}

static void test_softmax_shows_nan_and_rows_of_nothing(void **state)
{
    op_check(&(struct op_case){.type = "Softmax",
                               .opset = 13,
                               .in = {{OP_DIMS(2, 2), OP_DATA(1, NAN, -INFINITY, -INFINITY)}}},
             (struct op_tensor[]){{OP_DIMS(2, 2), OP_DATA(NAN, NAN, NAN, NAN)}}, 0);
}

static void test_softmax_refuses_axes_and_types_that_are_not_there(void **state)
{
    EACH(k)
    {
        op_check_refused(
            &(struct op_case){.type = all[k], .opset = 13, .attrs = {OP_INT("axis", 2)}, .in = {{OP_DIMS(2, 2)}}},
            MC_ERR_INPUT, "axis 2 is outside a tensor of 2 dimensions");
        op_check_refused(
            &(struct op_case){.type = all[k], .opset = 11, .attrs = {OP_INT("axis", 3)}, .in = {{OP_DIMS(2, 2)}}},
            MC_ERR_INPUT, "axis 3 is outside a tensor of 2 dimensions");
        op_check_refused(
            &(struct op_case){.type = all[k], .opset = 13, .in = {{.dtype = MC_BOOL, OP_DIMS(1), OP_DATA(1)}}},
            MC_ERR_UNSUPPORTED, "has bool");
    }
}

/* x [2, 3, 4] */
static void expect_coupling(int opset, int axis, const bool frozen[3])
{
    EACH(k)
    {
        struct mc_error err = {0};
        struct coupled t;
        coupled_init(&t, opset);
        struct mc_value *x = coupled_value(&t, "x", mc_shape_of(INTS(2, 3, 4)));
        struct mc_node *node = coupled_node(&t, all[k], 1, &x, 1);
        assert_ok(mc_node_set_int(node, "axis", axis, &err), err);
        coupled_couple(&t);
        for (int a = 0; a < 3; a++) {
            assert_int_equal(coupled_all_frozen(&t, x, a), frozen[a]);
            assert_int_equal(coupled_all_frozen(&t, node->outputs[0], a), frozen[a]);
            if (!frozen[a]) assert_true(coupled_tied(&t, x, a, 1, node->outputs[0], a, 1));
        }
        coupled_finish(&t);
    }
}

static void test_softmax_freezes_what_it_sums_along(void **state)
{
    expect_coupling(13, -2, (const bool[]){false, true, false});
    expect_coupling(13, 2, (const bool[]){false, false, true});
    expect_coupling(11, 1, (const bool[]){false, true, true});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_softmax_agrees_with_onnxruntime),
        cmocka_unit_test(test_softmax_backward_matches_finite_differences),
        cmocka_unit_test(test_softmax_of_many_rows_is_shared_among_threads),
        cmocka_unit_test(test_softmax_shows_nan_and_rows_of_nothing),
        cmocka_unit_test(test_softmax_refuses_axes_and_types_that_are_not_there),
        cmocka_unit_test(test_softmax_freezes_what_it_sums_along),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
