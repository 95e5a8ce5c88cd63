/* test_split.c - Split. */
#include "test.h"

#include "coupled.h"
#include "harness.h"
#include "moved.h"

#define SHAPE(...) mc_shape_of(INTS(__VA_ARGS__))

/* x [2, 6, 5] split in n along axis 1; the sizes are an input from opset 13 on, else an attribute, or not stated. */
static struct mc_node *couple(struct coupled *t, int opset, int n_out, int n, const int64_t *sizes)
{
    struct mc_error err = {0};
    coupled_init(t, opset);
    const bool as_input = n && opset >= 13;
    struct mc_value *const in[] = {coupled_value(t, "x", SHAPE(2, 6, 5)),
                                   as_input ? coupled_ints(t, "sizes", n, sizes) : NULL};
    struct mc_node *const node = coupled_node(t, "Split", as_input ? 2 : 1, in, n_out);
    assert_ok(mc_node_set_int(node, "axis", 1, &err), err);
    if (n && !as_input) assert_ok(mc_node_set_ints(node, "split", sizes, n, &err), err);
    coupled_couple(t);
    return node;
}

static void test_split_ties_each_output_at_its_offset(void **state)
{
    (void)state;
    struct coupled t;
    const struct mc_node *const node = couple(&t, 13, 2, INTS(2, 4));
    const struct mc_value *const x = node->inputs[0];
    for (int64_t j = 0; j < 6; j++) {
        for (int64_t i = 0; i < 2; i++) assert_int_equal(coupled_tied(&t, x, 1, j, node->outputs[0], 1, i), j == i);
        for (int64_t i = 0; i < 4; i++) assert_int_equal(coupled_tied(&t, x, 1, j, node->outputs[1], 1, i), j == i + 2);
    }
    assert_true(coupled_tied(&t, node->outputs[0], 2, 4, node->outputs[1], 2, 4));
    coupled_finish(&t);
}

static void test_split_sizes_follow_the_cut(void **state)
{
    (void)state;
    struct coupled t;
    const struct mc_node *node = couple(&t, 13, 2, INTS(2, 4));
    coupled_cut(&t, node->inputs[0], 1, INTS(0, 3, 5));
    coupled_expect_input(node, 1, INTS(1, 2));
    coupled_finish(&t);
    node = couple(&t, 11, 2, INTS(2, 4));
    coupled_cut(&t, node->inputs[0], 1, INTS(0, 3, 5));
    coupled_expect_attr(node, "split", INTS(1, 2));
    coupled_finish(&t);
}

static void test_split_default_sizes_stay_unsaid_while_the_parts_stay_equal(void **state)
{
    (void)state;
    struct coupled t;
    const struct mc_node *const node = couple(&t, 13, 2, 0, NULL);
    coupled_cut(&t, node->inputs[0], 1, INTS(0, 5));
    assert_int_equal(node->n_inputs, 1);
    coupled_finish(&t);
}

static void test_split_states_sizes_when_the_parts_become_unequal(void **state)
{
    (void)state;
    struct coupled t;
    const struct mc_node *node = couple(&t, 13, 2, 0, NULL);
    coupled_cut(&t, node->inputs[0], 1, INTS(0, 1));
    coupled_expect_input(node, 1, INTS(1, 3));
    coupled_finish(&t);
    node = couple(&t, 11, 2, 0, NULL);
    coupled_cut(&t, node->inputs[0], 1, INTS(5));
    coupled_expect_attr(node, "split", INTS(3, 2));
    coupled_finish(&t);
}

static void test_split_gives_up_num_outputs_for_sizes(void **state)
{
    (void)state;
    struct coupled t;
    struct mc_error err = {0};
    coupled_init(&t, 18);
    struct mc_value *const x = coupled_value(&t, "x", SHAPE(6));
    struct mc_node *const node = coupled_node(&t, "Split", 1, &x, 3);
    assert_ok(mc_node_set_int(node, "num_outputs", 3, &err), err);
    coupled_couple(&t);
    coupled_cut(&t, x, 0, INTS(0));
    coupled_expect_input(node, 1, INTS(1, 2, 2));
    assert_null(mc_node_attr(node, "num_outputs"));
    coupled_finish(&t);
}

static void test_split_agrees_with_onnxruntime(void **state)
{
    (void)state;
    moved_check("Split");
}

static void test_split_moves_elements_of_every_width(void **state)
{
    (void)state;
    moved_check_types("Split");
}

static void test_split_backward_matches_finite_differences(void **state)
{
    (void)state;
    moved_check_gradients("Split");
}

static void test_split_survives_failed_allocations(void **state)
{
    (void)state;
    moved_check_memory("Split");
}

static void test_split_refuses_sizes_that_do_not_add_up(void **state)
{
    (void)state;
    op_check_refused(&(struct op_case){.type = "Split",
                                       .opset = 13,
                                       .in = {{OP_DIMS(6)}, {.dtype = MC_INT64, OP_DIMS(2), OP_DATA(2, 3)}},
                                       .n_out = 2},
                     MC_ERR_INPUT, "needs sizes that sum to 6, has 5");
    op_check_refused(&(struct op_case){.type = "Split",
                                       .opset = 13,
                                       .in = {{OP_DIMS(6)}, {.dtype = MC_INT64, OP_DIMS(2), OP_DATA(2, 5)}},
                                       .n_out = 2},
                     MC_ERR_INPUT, "output 1: needs a size of 0 to 4, has 5");
    op_check_refused(&(struct op_case){.type = "Split",
                                       .opset = 13,
                                       .in = {{OP_DIMS(6)}, {.dtype = MC_INT64, OP_DIMS(2), OP_DATA(2, 4)}},
                                       .n_out = 3},
                     MC_ERR_INPUT, "needs a size for each of 3 outputs, has 2");
    op_check_refused(&(struct op_case){.type = "Split", .opset = 13, .in = {{OP_DIMS(7)}}, .n_out = 2}, MC_ERR_INPUT,
                     "needs an extent that 2 outputs divide, has 7");
    op_check_refused(
        &(struct op_case){
            .type = "Split", .opset = 18, .attrs = {OP_INT("num_outputs", 3)}, .in = {{OP_DIMS(6)}}, .n_out = 2},
        MC_ERR_INPUT, "attribute 'num_outputs': needs 2, has 3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split_agrees_with_onnxruntime),
        cmocka_unit_test(test_split_moves_elements_of_every_width),
        cmocka_unit_test(test_split_backward_matches_finite_differences),
        cmocka_unit_test(test_split_survives_failed_allocations),
        cmocka_unit_test(test_split_refuses_sizes_that_do_not_add_up),
        cmocka_unit_test(test_split_ties_each_output_at_its_offset),
        cmocka_unit_test(test_split_sizes_follow_the_cut),
        cmocka_unit_test(test_split_default_sizes_stay_unsaid_while_the_parts_stay_equal),
        cmocka_unit_test(test_split_states_sizes_when_the_parts_become_unequal),
        cmocka_unit_test(test_split_gives_up_num_outputs_for_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
