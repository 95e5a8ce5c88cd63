/* test_slice.c - Slice. */
#include "test.h"

#include "coupled.h"
#include "harness.h"
#include "moved.h"

#define SHAPE(...) mc_shape_of(INTS(__VA_ARGS__))

/* x [10, 3] sliced along axis 0. */
static struct mc_node *couple(struct coupled *t, int opset, int64_t start, int64_t end, int64_t step)
{
    struct mc_error err = {0};
    coupled_init(t, opset);
    struct mc_value *const x = coupled_value(t, "x", SHAPE(10, 3));
    struct mc_node *node;
    if (opset < 10) {
        node = coupled_node(t, "Slice", 1, &x, 1);
        assert_ok(mc_node_set_ints(node, "starts", &start, 1, &err), err);
        assert_ok(mc_node_set_ints(node, "ends", &end, 1, &err), err);
    } else {
        struct mc_value *const in[] = {x, coupled_ints(t, "starts", 1, &start), coupled_ints(t, "ends", 1, &end),
                                       coupled_ints(t, "axes", INTS(0)), coupled_ints(t, "steps", 1, &step)};
        node = coupled_node(t, "Slice", 5, in, 1);
    }
    coupled_couple(t);
    return node;
}

static void test_slice_ties_what_it_takes_and_lets_go_what_it_cuts_off(void **state)
{
    (void)state;
    struct coupled t;
    const struct mc_node *const node = couple(&t, 13, 2, -3, 1); /* 2 … 6 */
    const struct mc_value *const x = node->inputs[0], *const y = node->outputs[0];
    for (int64_t j = 0; j < 10; j++) {
        assert_false(coupled_frozen(&t, x, 0, j));
        for (int64_t i = 0; i < 5; i++) assert_int_equal(coupled_tied(&t, x, 0, j, y, 0, i), j == i + 2);
    }
    assert_true(coupled_tied(&t, x, 1, 2, y, 1, 2));
    coupled_finish(&t);
}

static void test_slice_ties_backwards(void **state)
{
    (void)state;
    struct coupled t;
    const struct mc_node *const node = couple(&t, 13, 6, 2, -1); /* 6, 5, 4, 3 */
    for (int64_t i = 0; i < 4; i++) assert_true(coupled_tied(&t, node->inputs[0], 0, 6 - i, node->outputs[0], 0, i));
    coupled_finish(&t);
}

static void test_slice_that_skips_indices_freezes_the_axis(void **state)
{
    (void)state;
    struct coupled t;
    const struct mc_node *const node = couple(&t, 13, 0, 10, 2);
    assert_true(coupled_all_frozen(&t, node->inputs[0], 0));
    assert_true(coupled_all_frozen(&t, node->outputs[0], 0));
    assert_true(coupled_tied(&t, node->inputs[0], 1, 2, node->outputs[0], 1, 2));
    coupled_finish(&t);
}

static void test_slice_bounds_follow_the_cut(void **state)
{
    (void)state;
    struct coupled t;
    const struct mc_node *node = couple(&t, 13, 2, 7, 1);
    coupled_cut(&t, node->inputs[0], 0, INTS(0, 4, 9));
    coupled_expect_input(node, 1, INTS(1));
    coupled_expect_input(node, 2, INTS(5));
    coupled_finish(&t);
    node = couple(&t, 9, 2, 7, 1);
    coupled_cut(&t, node->inputs[0], 0, INTS(0, 4, 9));
    coupled_expect_attr(node, "starts", INTS(1));
    coupled_expect_attr(node, "ends", INTS(5));
    coupled_finish(&t);
}

static void test_slice_bounds_follow_the_cut_backwards(void **state)
{
    (void)state;
    struct coupled t;
    const struct mc_node *node = couple(&t, 13, 6, 2, -1);
    coupled_cut(&t, node->inputs[0], 0, INTS(0, 4)); /* 3, 5, 6 have become 2, 3, 4 */
    coupled_expect_input(node, 1, INTS(4));
    coupled_expect_input(node, 2, INTS(1));
    coupled_finish(&t);
    node = couple(&t, 13, 3, -11, -1);
    coupled_cut(&t, node->inputs[0], 0, INTS(1, 8)); /* 3, 2, 0: down to the first, of eight */
    coupled_expect_input(node, 1, INTS(2));
    coupled_expect_input(node, 2, INTS(-9));
    coupled_finish(&t);
}

static void test_slice_bounds_that_still_hold_are_left_alone(void **state)
{
    (void)state;
    struct coupled t;
    const struct mc_node *const node = couple(&t, 13, 2, INT64_MAX, 1);
    const struct mc_value *const ends = node->inputs[2];
    coupled_cut(&t, node->inputs[0], 0, INTS(4, 9));
    assert_ptr_equal(node->inputs[2], ends);
    coupled_finish(&t);
}

static void test_slice_agrees_with_onnxruntime(void **state)
{
    (void)state;
    moved_check("Slice");
}

static void test_slice_moves_elements_of_every_width(void **state)
{
    (void)state;
    moved_check_types("Slice");
}

static void test_slice_backward_matches_finite_differences(void **state)
{
    (void)state;
    moved_check_gradients("Slice");
}

static void test_slice_survives_failed_allocations(void **state)
{
    (void)state;
    moved_check_memory("Slice");
}

static void test_slice_refuses_parameters_that_do_not_match(void **state)
{
    (void)state;
    op_check_refused(&(struct op_case){.type = "Slice",
                                       .opset = 13,
                                       .in = {{OP_DIMS(6)},
                                              {.dtype = MC_INT64, OP_DIMS(1), OP_DATA(0)},
                                              {.dtype = MC_INT64, OP_DIMS(2), OP_DATA(1, 2)}}},
                     MC_ERR_INPUT, "ends: needs as many as there are starts, 1, has 2");
    op_check_refused(&(struct op_case){.type = "Slice",
                                       .opset = 13,
                                       .in = {{OP_DIMS(6)},
                                              {.dtype = MC_INT64, OP_DIMS(1), OP_DATA(0)},
                                              {.dtype = MC_INT64, OP_DIMS(1), OP_DATA(1)},
                                              {.dtype = MC_INT64, OP_DIMS(1), OP_DATA(0)},
                                              {.dtype = MC_INT64, OP_DIMS(1), OP_DATA(0)}}},
                     MC_ERR_INPUT, "steps: needs no 0");
    op_check_refused(&(struct op_case){.type = "Slice",
                                       .opset = 13,
                                       .in = {{OP_DIMS(6)},
                                              {.dtype = MC_INT64, OP_DIMS(1), OP_DATA(0)},
                                              {.dtype = MC_INT64, OP_DIMS(1), OP_DATA(1)},
                                              {.dtype = MC_INT64, OP_DIMS(1), OP_DATA(1)}}},
                     MC_ERR_INPUT, "axis 1 is outside");
    op_check_refused(&(struct op_case){.type = "Slice",
                                       .opset = 13,
                                       .in = {{OP_DIMS(6)},
                                              {.dtype = MC_INT64, OP_DIMS(2), OP_DATA(0, 0)},
                                              {.dtype = MC_INT64, OP_DIMS(2), OP_DATA(1, 1)},
                                              {.dtype = MC_INT64, OP_DIMS(2), OP_DATA(0, -1)}}},
                     MC_ERR_INPUT, "axis 0 is named twice");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slice_agrees_with_onnxruntime),
        cmocka_unit_test(test_slice_moves_elements_of_every_width),
        cmocka_unit_test(test_slice_backward_matches_finite_differences),
        cmocka_unit_test(test_slice_survives_failed_allocations),
        cmocka_unit_test(test_slice_refuses_parameters_that_do_not_match),
        cmocka_unit_test(test_slice_ties_what_it_takes_and_lets_go_what_it_cuts_off),
        cmocka_unit_test(test_slice_ties_backwards),
        cmocka_unit_test(test_slice_that_skips_indices_freezes_the_axis),
        cmocka_unit_test(test_slice_bounds_follow_the_cut),
        cmocka_unit_test(test_slice_bounds_follow_the_cut_backwards),
        cmocka_unit_test(test_slice_bounds_that_still_hold_are_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
