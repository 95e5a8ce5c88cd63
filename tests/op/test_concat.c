/* test_concat.c - Concat. */
#include "test.h"

#include "coupled.h"
#include "harness.h"
#include "moved.h"

#define SHAPE(...) mc_shape_of(INTS(__VA_ARGS__))

static void test_concat_ties_each_input_at_its_offset(void **state)
{
    (void)state;
    struct coupled t;
    struct mc_error err = {0};
    coupled_init(&t, 13);
    struct mc_value *const in[] = {coupled_value(&t, "a", SHAPE(2, 3, 4)), coupled_value(&t, "b", SHAPE(2, 5, 4))};
    struct mc_node *const node = coupled_node(&t, "Concat", 2, in, 1);
    assert_ok(mc_node_set_int(node, "axis", -2, &err), err);
    coupled_couple(&t);
    const struct mc_value *const y = node->outputs[0];
    for (int64_t j = 0; j < 8; j++) {
        for (int64_t i = 0; i < 3; i++) assert_int_equal(coupled_tied(&t, in[0], 1, i, y, 1, j), j == i);
        for (int64_t i = 0; i < 5; i++) assert_int_equal(coupled_tied(&t, in[1], 1, i, y, 1, j), j == i + 3);
    }
    assert_true(coupled_tied(&t, in[0], 2, 3, in[1], 2, 3));
    coupled_finish(&t);
}

static void test_concat_agrees_with_onnxruntime(void **state)
{
    (void)state;
    moved_check("Concat");
}

static void test_concat_moves_elements_of_every_width(void **state)
{
    (void)state;
    moved_check_types("Concat");
}

static void test_concat_backward_matches_finite_differences(void **state)
{
    (void)state;
    moved_check_gradients("Concat");
}

static void test_concat_survives_failed_allocations(void **state)
{
    (void)state;
    moved_check_memory("Concat");
}

static void test_concat_refuses_inputs_that_do_not_fit(void **state)
{
    (void)state;
    op_check_refused(&(struct op_case){.type = "Concat",
                                       .opset = 13,
                                       .attrs = {OP_INT("axis", 1)},
                                       .in = {{OP_DIMS(2, 3, 4)}, {OP_DIMS(2, 3, 5)}}},
                     MC_ERR_INPUT, "needs [2,3,4] but along axis 1, has [2,3,5]");
    op_check_refused(
        &(struct op_case){
            .type = "Concat", .opset = 13, .attrs = {OP_INT("axis", 0)}, .in = {{OP_DIMS(2, 3)}, {OP_DIMS(2)}}},
        MC_ERR_INPUT, "needs [2,3] but along axis 0, has [2]");
    op_check_refused(&(struct op_case){.type = "Concat", .opset = 13, .in = {{OP_DIMS(2, 3)}, {OP_DIMS(2, 3)}}},
                     MC_ERR_INPUT, "attribute 'axis' is required");
    op_check_refused(
        &(struct op_case){.type = "Concat", .opset = 13, .attrs = {OP_INT("axis", 2)}, .in = {{OP_DIMS(2, 3)}}},
        MC_ERR_INPUT, "axis 2 is outside");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_concat_agrees_with_onnxruntime),
        cmocka_unit_test(test_concat_moves_elements_of_every_width),
        cmocka_unit_test(test_concat_backward_matches_finite_differences),
        cmocka_unit_test(test_concat_survives_failed_allocations),
        cmocka_unit_test(test_concat_refuses_inputs_that_do_not_fit),
        cmocka_unit_test(test_concat_ties_each_input_at_its_offset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
