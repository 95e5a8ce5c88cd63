/* test_before_7.c - operators of two operands before opset 7: what tests/op/vectors/before_7_* do not show. */
#include "op/ops.h"

#include "base/alloc.h"
#include "coupled.h"
#include "harness.h"

#define FROM_AXIS_1                                                                                                    \
    {                                                                                                                  \
        OP_INT("broadcast", 1), OP_INT("axis", 1)                                                                      \
    }
#define POSITIVE .low = 0.5, .high = 2

static void test_channels_may_lie_last(void **state)
{
    op_check_channels_last(&(struct op_case){.type = "Mul",
                                             .opset = 6,
                                             .attrs = FROM_AXIS_1,
                                             .in = {{OP_DIMS(2, 5, 3, 4)}, {OP_DIMS(5), .initializer = true}}});
}

static void test_failing_allocations_are_survived(void **state)
{
    op_check_memory(&(struct op_case){
        .type = "Pow", .opset = 6, .attrs = FROM_AXIS_1, .in = {{OP_DIMS(2, 3), POSITIVE}, {OP_DIMS(3), POSITIVE}}});
}

static void test_what_does_not_fit_is_refused(void **state)
{
    struct op_case c = {.type = "Add", .opset = 6, .in = {{OP_DIMS(2, 3)}, {OP_DIMS(3)}}};
    op_check_refused(&c, MC_ERR_INPUT, "input 1 'in1': needs the shape [2,3] of input 0 without 'broadcast', has [3]");
    c.attrs[0] = (struct op_attr)OP_INT("broadcast", 1);
    c.attrs[1] = (struct op_attr)OP_INT("axis", 2);
    op_check_refused(&c, MC_ERR_INPUT, "needs a shape that fits into [2,3] from axis 2, has [3]");
    c.attrs[1].i = 0;
    op_check_refused(&c, MC_ERR_INPUT, "needs a shape that broadcasts with [2,3], has [3,1]");
    op_check_refused(
        &(struct op_case){
            .type = "Less", .opset = 1, .attrs = {OP_INT("broadcast", 1)}, .in = {{OP_DIMS(1, 3)}, {OP_DIMS(2, 3)}}},
        MC_ERR_INPUT, "needs a part of the shape [1,3] of input 0, has [2,3]");
    op_check_refused(
        &(struct op_case){.type = "Gemm", .opset = 6, .in = {{OP_DIMS(2, 3)}, {OP_DIMS(3, 4)}, {OP_DIMS(4)}}},
        MC_ERR_INPUT, "input 2 'in2': needs the output's shape without 'broadcast'");
    op_check_refused(
        &(struct op_case){.type = "Cast", .opset = 1, .attrs = {OP_STRING("to", "float")}, .in = {{OP_DIMS(1)}}},
        MC_ERR_INPUT, "needs an element type to cast to");
}

static void test_operands_share_the_axes_that_line_up(void **state)
{
    struct coupled t;
    coupled_init(&t, 6);
    struct mc_value *const in[] = {coupled_value(&t, "a", mc_shape_of(INTS(2, 3, 4))),
                                   coupled_value(&t, "b", mc_shape_of(INTS(3)))};
    struct mc_node *node = coupled_node(&t, "Add", 2, in, 1);
    struct mc_error err = {0};
    assert_ok(mc_node_set_int(node, "broadcast", 1, &err), err);
    assert_ok(mc_node_set_int(node, "axis", 1, &err), err);
    coupled_couple(&t);
    assert_true(coupled_tied(&t, in[0], 1, 2, node->outputs[0], 1, 2));
    assert_true(coupled_tied(&t, in[1], 0, 2, node->outputs[0], 1, 2));
    assert_false(coupled_tied(&t, in[1], 0, 1, node->outputs[0], 1, 2));
    assert_true(coupled_tied(&t, in[0], 2, 3, node->outputs[0], 2, 3));
    assert_int_equal(mc_coupling_role(t.coupling, in[1], 0), MC_ROLE_SHIFT);
    coupled_finish(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_channels_may_lie_last),
        cmocka_unit_test(test_failing_allocations_are_survived),
        cmocka_unit_test(test_what_does_not_fit_is_refused),
        cmocka_unit_test(test_operands_share_the_axes_that_line_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
