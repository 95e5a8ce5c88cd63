/* test_pad.c - Pad. */
#include "test.h"

#include "coupled.h"
#include "harness.h"
#include "moved.h"

#define SHAPE(...) mc_shape_of(INTS(__VA_ARGS__))

/* x [4, 5] with pads. */
static struct mc_node *couple(struct coupled *t, const char *mode, int n, const int64_t *pads)
{
    struct mc_error err = {0};
    coupled_init(t, 13);
    struct mc_value *const in[] = {coupled_value(t, "x", SHAPE(4, 5)), coupled_ints(t, "pads", n, pads)};
    struct mc_node *const node = coupled_node(t, "Pad", 2, in, 1);
    assert_ok(mc_node_set_string(node, "mode", mode, &err), err);
    coupled_couple(t);
    return node;
}

static void test_pad_shifts_channels_and_freezes_the_border(void **state)
{
    (void)state;
    struct coupled t;
    const struct mc_node *const node = couple(&t, "constant", INTS(1, 0, 2, 0));
    const struct mc_value *const x = node->inputs[0], *const y = node->outputs[0];
    for (int64_t j = 0; j < 7; j++) {
        assert_int_equal(coupled_frozen(&t, y, 0, j), j < 1 || j > 4);
        for (int64_t i = 0; i < 4; i++) assert_int_equal(coupled_tied(&t, x, 0, i, y, 0, j), j == i + 1);
    }
    assert_true(coupled_tied(&t, x, 1, 4, y, 1, 4));
    coupled_finish(&t);
}

static void test_pad_freezes_what_it_cuts_off(void **state)
{
    (void)state;
    struct coupled t;
    const struct mc_node *const node = couple(&t, "constant", INTS(-1, 0, 0, 0));
    const struct mc_value *const x = node->inputs[0], *const y = node->outputs[0];
    assert_true(coupled_frozen(&t, x, 0, 0));
    assert_true(coupled_tied(&t, x, 0, 1, y, 0, 0));
    coupled_finish(&t);
}

static void test_pad_that_mirrors_freezes_the_axis(void **state)
{
    (void)state;
    struct coupled t;
    const struct mc_node *const node = couple(&t, "reflect", INTS(0, 1, 0, 1));
    assert_true(coupled_all_frozen(&t, node->inputs[0], 1));
    assert_true(coupled_all_frozen(&t, node->outputs[0], 1));
    assert_true(coupled_tied(&t, node->inputs[0], 0, 3, node->outputs[0], 0, 3));
    coupled_finish(&t);
}

static void test_pad_agrees_with_onnxruntime(void **state)
{
    (void)state;
    moved_check("Pad");
}

static void test_pad_moves_elements_of_every_width(void **state)
{
    (void)state;
    moved_check_types("Pad");
}

static void test_pad_backward_matches_finite_differences(void **state)
{
    (void)state;
    moved_check_gradients("Pad");
}

static void test_pad_survives_failed_allocations(void **state)
{
    (void)state;
    moved_check_memory("Pad");
}

static void test_pad_refuses_pads_that_do_not_fit(void **state)
{
    (void)state;
    op_check_refused(&(struct op_case){.type = "Pad",
                                       .opset = 13,
                                       .in = {{OP_DIMS(2, 3)}, {.dtype = MC_INT64, OP_DIMS(2), OP_DATA(1, 1)}}},
                     MC_ERR_INPUT, "pads: needs two for each of 2 axes, has 2");
    op_check_refused(&(struct op_case){.type = "Pad",
                                       .opset = 13,
                                       .in = {{OP_DIMS(3)}, {.dtype = MC_INT64, OP_DIMS(2), OP_DATA(-2, -2)}}},
                     MC_ERR_INPUT, "needs pads that cut off at most 3, has -2 and -2");
    op_check_refused(&(struct op_case){.type = "Pad",
                                       .opset = 18,
                                       .attrs = {OP_STRING("mode", "wrap")},
                                       .in = {{OP_DIMS(3)}, {.dtype = MC_INT64, OP_DIMS(2), OP_DATA(1, 1)}}},
                     MC_ERR_INPUT, "needs constant, reflect or edge, has 'wrap'");
    op_check_refused(&(struct op_case){.type = "Pad",
                                       .opset = 13,
                                       .attrs = {OP_STRING("mode", "edge")},
                                       .in = {{OP_DIMS(0)}, {.dtype = MC_INT64, OP_DIMS(2), OP_DATA(1, 1)}}},
                     MC_ERR_INPUT, "needs an element to pad with, has none");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pad_agrees_with_onnxruntime),
        cmocka_unit_test(test_pad_moves_elements_of_every_width),
        cmocka_unit_test(test_pad_backward_matches_finite_differences),
        cmocka_unit_test(test_pad_survives_failed_allocations),
        cmocka_unit_test(test_pad_refuses_pads_that_do_not_fit),
        cmocka_unit_test(test_pad_shifts_channels_and_freezes_the_border),
        cmocka_unit_test(test_pad_freezes_what_it_cuts_off),
        cmocka_unit_test(test_pad_that_mirrors_freezes_the_axis),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
