/* test_transpose.c - Transpose. */
#include "test.h"

#include "coupled.h"
#include "harness.h"
#include "moved.h"

#define SHAPE(...) mc_shape_of(INTS(__VA_ARGS__))

static void test_transpose_ties_axes_as_it_moves_them(void **state)
{
    (void)state;
    struct coupled t;
    struct mc_error err = {0};
    coupled_init(&t, 13);
    struct mc_value *const x = coupled_value(&t, "x", SHAPE(2, 3, 4));
    struct mc_node *const moved = coupled_node(&t, "Transpose", 1, &x, 1);
    struct mc_node *const reversed = coupled_node(&t, "Transpose", 1, &x, 1);
    const int64_t perm[] = {1, 2, 0};
    assert_ok(mc_node_set_ints(moved, "perm", perm, 3, &err), err);
    coupled_couple(&t);
    assert_true(coupled_tied(&t, x, 1, 2, moved->outputs[0], 0, 2));
    assert_true(coupled_tied(&t, x, 2, 3, moved->outputs[0], 1, 3));
    assert_true(coupled_tied(&t, x, 0, 1, moved->outputs[0], 2, 1));
    assert_true(coupled_tied(&t, x, 0, 1, reversed->outputs[0], 2, 1));
    assert_false(coupled_tied(&t, x, 0, 1, reversed->outputs[0], 0, 1));
    coupled_finish(&t);
}

static void test_transpose_agrees_with_onnxruntime(void **state)
{
    (void)state;
    moved_check("Transpose");
}

static void test_transpose_moves_elements_of_every_width(void **state)
{
    (void)state;
    moved_check_types("Transpose");
}

static void test_transpose_backward_matches_finite_differences(void **state)
{
    (void)state;
    moved_check_gradients("Transpose");
}

static void test_transpose_survives_failed_allocations(void **state)
{
    (void)state;
    moved_check_memory("Transpose");
}

static void test_transpose_refuses_what_is_no_permutation(void **state)
{
    (void)state;
    op_check_refused(
        &(struct op_case){
            .type = "Transpose", .opset = 13, .attrs = {OP_INTS("perm", 0, 1)}, .in = {{OP_DIMS(2, 3, 4)}}},
        MC_ERR_INPUT, "attribute 'perm': needs one entry for each of 3 axes, has 2");
    op_check_refused(
        &(struct op_case){
            .type = "Transpose", .opset = 13, .attrs = {OP_INTS("perm", 0, 1, 1)}, .in = {{OP_DIMS(2, 3, 4)}}},
        MC_ERR_INPUT, "attribute 'perm': axis 1 is named twice");
    op_check_refused(
        &(struct op_case){
            .type = "Transpose", .opset = 13, .attrs = {OP_INTS("perm", 0, 1, 3)}, .in = {{OP_DIMS(2, 3, 4)}}},
        MC_ERR_INPUT, "attribute 'perm': axis 3 is outside");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transpose_agrees_with_onnxruntime),
        cmocka_unit_test(test_transpose_moves_elements_of_every_width),
        cmocka_unit_test(test_transpose_backward_matches_finite_differences),
        cmocka_unit_test(test_transpose_survives_failed_allocations),
        cmocka_unit_test(test_transpose_refuses_what_is_no_permutation),
        cmocka_unit_test(test_transpose_ties_axes_as_it_moves_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
