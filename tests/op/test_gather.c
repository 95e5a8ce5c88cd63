/* test_gather.c - Gather. */
#include "test.h"

#include "coupled.h"
#include "harness.h"
#include "moved.h"

#define SHAPE(...) mc_shape_of(INTS(__VA_ARGS__))

static void test_gather_of_a_table_ties_its_width_and_freezes_its_entries(void **state)
{
    (void)state;
    struct coupled t;
    coupled_init(&t, 13);
    struct mc_value *const table = coupled_value(&t, "table", SHAPE(9, 4));
    struct mc_value *const tokens = coupled_ints(&t, "tokens", INTS(1, 2, 3, 4, 5, 6));
    const struct mc_value *const in_2d[] = {tokens, coupled_ints(&t, "two_rows", INTS(2, 3))};
    const struct mc_node *const rows = coupled_node(&t, "Reshape", 2, (struct mc_value *const *)in_2d, 1);
    struct mc_value *const in[] = {table, rows->outputs[0]};
    const struct mc_node *const node = coupled_node(&t, "Gather", 2, in, 1);
    coupled_couple(&t);
    assert_true(coupled_all_frozen(&t, table, 0));
    for (int64_t i = 0; i < 4; i++) assert_true(coupled_tied(&t, table, 1, i, node->outputs[0], 2, i));
    assert_int_equal(mc_coupling_role(t.coupling, table, 1), MC_ROLE_PRODUCES);
    coupled_finish(&t);
}

static struct mc_node *couple_list(struct coupled *t)
{
    struct mc_error err = {0};
    coupled_init(t, 13);
    struct mc_value *const in[] = {coupled_value(t, "x", SHAPE(2, 5)), coupled_ints(t, "list", INTS(3, 0, -1, 0))};
    struct mc_node *const node = coupled_node(t, "Gather", 2, in, 1);
    assert_ok(mc_node_set_int(node, "axis", 1, &err), err);
    coupled_couple(t);
    return node;
}

static void test_gather_by_a_fixed_list_ties_what_it_names(void **state)
{
    (void)state;
    struct coupled t;
    const struct mc_node *const node = couple_list(&t);
    const struct mc_value *const x = node->inputs[0], *const y = node->outputs[0];
    assert_true(coupled_tied(&t, x, 1, 3, y, 1, 0));
    assert_true(coupled_tied(&t, x, 1, 0, y, 1, 1));
    assert_true(coupled_tied(&t, x, 1, 4, y, 1, 2));
    assert_true(coupled_tied(&t, x, 1, 0, y, 1, 3)); /* named twice: both go, or none */
    assert_false(coupled_frozen(&t, x, 1, 1));
    coupled_finish(&t);
}

static void test_gather_list_is_renumbered_by_the_cut(void **state)
{
    (void)state;
    struct coupled t;
    const struct mc_node *const node = couple_list(&t);
    coupled_cut(&t, node->inputs[0], 1, INTS(0, 1)); /* 2, 3, 4 have become 0, 1, 2 */
    coupled_expect_input(node, 1, INTS(1, 2));
    coupled_finish(&t);
}

static void test_gather_agrees_with_onnxruntime(void **state)
{
    (void)state;
    moved_check("Gather");
}

static void test_gather_moves_elements_of_every_width(void **state)
{
    (void)state;
    moved_check_types("Gather");
}

static void test_gather_backward_matches_finite_differences(void **state)
{
    (void)state;
    moved_check_gradients("Gather");
}

static void test_gather_survives_failed_allocations(void **state)
{
    (void)state;
    moved_check_memory("Gather");
}

static void test_gather_refuses_what_is_not_there(void **state)
{
    (void)state;
    op_check_refused(&(struct op_case){.type = "Gather",
                                       .opset = 13,
                                       .attrs = {OP_INT("axis", 1)},
                                       .in = {{OP_DIMS(3)}, {.dtype = MC_INT64, OP_DIMS(1), OP_DATA(1)}}},
                     MC_ERR_INPUT, "axis 1 is outside");
    op_check_refused(
        &(struct op_case){.type = "Gather",
                          .opset = 13,
                          .in = {{OP_DIMS(3), .initializer = true}, {.dtype = MC_INT64, OP_DIMS(2), OP_DATA(-3, 3)}}},
        MC_ERR_INPUT, "needs indices from -3 to 2, has 3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gather_agrees_with_onnxruntime),
        cmocka_unit_test(test_gather_moves_elements_of_every_width),
        cmocka_unit_test(test_gather_backward_matches_finite_differences),
        cmocka_unit_test(test_gather_survives_failed_allocations),
        cmocka_unit_test(test_gather_refuses_what_is_not_there),
        cmocka_unit_test(test_gather_of_a_table_ties_its_width_and_freezes_its_entries),
        cmocka_unit_test(test_gather_by_a_fixed_list_ties_what_it_names),
        cmocka_unit_test(test_gather_list_is_renumbered_by_the_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
