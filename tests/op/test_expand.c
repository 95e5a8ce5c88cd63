/* test_expand.c - Expand. */
#include "test.h"

#include "coupled.h"
#include "harness.h"
#include "moved.h"

#define SHAPE(...) mc_shape_of(INTS(__VA_ARGS__))

static void test_expand_ties_axes_that_it_passes_on(void **state)
{
    (void)state;
    struct coupled t;
    coupled_init(&t, 13);
    struct mc_value *const in[] = {coupled_value(&t, "x", SHAPE(3, 1)), coupled_ints(&t, "to", INTS(2, 1, 4))};
    const struct mc_node *const node = coupled_node(&t, "Expand", 2, in, 1);
    coupled_couple(&t);
    assert_true(coupled_tied(&t, in[0], 0, 2, node->outputs[0], 1, 2));
    assert_true(coupled_all_frozen(&t, in[0], 1));
    assert_false(coupled_frozen(&t, node->outputs[0], 2, 3));
    coupled_cut(&t, in[0], 0, INTS(0)); /* the target says 1 there */
    coupled_expect_input(node, 1, INTS(2, 1, 4));
    coupled_cut(&t, node->outputs[0], 2, INTS(0, 1));
    coupled_expect_input(node, 1, INTS(2, 1, 2));
    coupled_finish(&t);
}

static void test_expand_agrees_with_onnxruntime(void **state)
{
    (void)state;
    moved_check("Expand");
}

static void test_expand_moves_elements_of_every_width(void **state)
{
    (void)state;
    moved_check_types("Expand");
}

static void test_expand_backward_matches_finite_differences(void **state)
{
    (void)state;
    moved_check_gradients("Expand");
}

static void test_expand_survives_failed_allocations(void **state)
{
    (void)state;
    moved_check_memory("Expand");
}

static void test_expand_refuses_shapes_that_do_not_broadcast(void **state)
{
    (void)state;
    op_check_refused(&(struct op_case){.type = "Expand",
                                       .opset = 13,
                                       .in = {{OP_DIMS(2, 3)}, {.dtype = MC_INT64, OP_DIMS(2), OP_DATA(2, 4)}}},
                     MC_ERR_INPUT, "[2,3] cannot be expanded to [2,4]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expand_agrees_with_onnxruntime),
        cmocka_unit_test(test_expand_moves_elements_of_every_width),
        cmocka_unit_test(test_expand_backward_matches_finite_differences),
        cmocka_unit_test(test_expand_survives_failed_allocations),
        cmocka_unit_test(test_expand_refuses_shapes_that_do_not_broadcast),
        cmocka_unit_test(test_expand_ties_axes_that_it_passes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
