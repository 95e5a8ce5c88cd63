/* test_reshape.c - Reshape, Flatten, Squeeze, Unsqueeze. */
#include "test.h"

#include "coupled.h"
#include "harness.h"
#include "moved.h"

#define SHAPE(...) mc_shape_of(INTS(__VA_ARGS__))

/* x under `type` with a shape input of its own (none if n is 0); t is ready for questions. */
static struct mc_node *couple(struct coupled *t, int opset, const char *type, struct mc_shape shape, int n,
                              const int64_t *target)
{
    coupled_init(t, opset);
    struct mc_value *const x = coupled_value(t, "x", shape);
    struct mc_value *const in[] = {x, n ? coupled_ints(t, "target", n, target) : NULL};
    struct mc_node *const node = coupled_node(t, type, n ? 2 : 1, in, 1);
    coupled_couple(t);
    return node;
}

static void test_flatten_ties_a_channel_to_its_run_of_features(void **state)
{
    (void)state;
    struct coupled t;
    const struct mc_node *const node = couple(&t, 13, "Flatten", SHAPE(2, 3, 4, 5), 0, NULL);
    const struct mc_value *const x = node->inputs[0], *const y = node->outputs[0];
    for (int64_t j = 0; j < 60; j++)
        for (int64_t i = 0; i < 3; i++) assert_int_equal(coupled_tied(&t, x, 1, i, y, 1, j), i == j / 20);
    assert_true(coupled_tied(&t, x, 0, 1, y, 0, 1));
    assert_true(coupled_all_frozen(&t, x, 2));
    assert_true(coupled_all_frozen(&t, x, 3));
    coupled_finish(&t);
}

static void test_flatten_of_single_pixels_ties_channels_one_to_one(void **state)
{
    (void)state;
    struct coupled t;
    const struct mc_node *const node = couple(&t, 13, "Flatten", SHAPE(2, 3, 1, 1), 0, NULL);
    for (int64_t i = 0; i < 3; i++) assert_true(coupled_tied(&t, node->inputs[0], 1, i, node->outputs[0], 1, i));
    assert_false(coupled_tied(&t, node->inputs[0], 1, 0, node->outputs[0], 1, 1));
    coupled_finish(&t);
}

/* [N, H, W, C], where an earlier node has frozen H and W. */
static void test_reshape_merges_along_the_only_axis_that_is_not_frozen(void **state)
{
    (void)state;
    struct coupled t;
    coupled_init(&t, 13);
    struct mc_value *const x = coupled_value(&t, "x", SHAPE(2, 3, 4, 5));
    struct mc_value *const regrouped[] = {x, coupled_ints(&t, "regrouped", INTS(2, 4, 3, 5))};
    struct mc_value *const flat[] = {x, coupled_ints(&t, "flat", INTS(2, 60))};
    coupled_node(&t, "Reshape", 2, regrouped, 1);
    const struct mc_node *const node = coupled_node(&t, "Reshape", 2, flat, 1);
    coupled_couple(&t);
    for (int64_t j = 0; j < 60; j++) assert_true(coupled_tied(&t, x, 3, j % 5, node->outputs[0], 1, j));
    assert_false(coupled_tied(&t, x, 3, 0, node->outputs[0], 1, 1));
    coupled_finish(&t);
}

static void test_reshape_that_splits_channels_ties_the_inner_axis_and_freezes_the_outer(void **state)
{
    (void)state;
    struct coupled t;
    const struct mc_node *const node = couple(&t, 13, "Reshape", SHAPE(2, 12, 5, 5), INTS(2, 3, 4, 5, 5));
    const struct mc_value *const x = node->inputs[0], *const y = node->outputs[0];
    for (int64_t j = 0; j < 12; j++)
        for (int64_t i = 0; i < 4; i++) assert_int_equal(coupled_tied(&t, x, 1, j, y, 2, i), i == j % 4);
    assert_true(coupled_all_frozen(&t, y, 1));
    assert_true(coupled_tied(&t, x, 2, 3, y, 3, 3));
    coupled_finish(&t);
}

/* Split into heads, put together again: the choice at the merge follows the one at the split. */
static void test_reshape_merges_heads_along_the_axis_that_the_split_left_free(void **state)
{
    (void)state;
    struct coupled t;
    coupled_init(&t, 13);
    struct mc_value *const x = coupled_value(&t, "x", SHAPE(5, 12));
    struct mc_value *const heads[] = {x, coupled_ints(&t, "heads", INTS(0, 3, 4))};
    struct mc_node *const split = coupled_node(&t, "Reshape", 2, heads, 1);
    struct mc_value *const together[] = {split->outputs[0], coupled_ints(&t, "together", INTS(0, 12))};
    struct mc_node *const merge = coupled_node(&t, "Reshape", 2, together, 1);
    coupled_couple(&t);
    for (int64_t j = 0; j < 12; j++) assert_true(coupled_tied(&t, x, 1, j % 4, merge->outputs[0], 1, j));
    assert_false(coupled_tied(&t, x, 1, 0, merge->outputs[0], 1, 1));
    const int64_t second = 1;
    coupled_cut(&t, x, 1, 1, &second);
    coupled_expect_input(split, 1, INTS(0, 3, 3));
    coupled_expect_input(merge, 1, INTS(0, 9));
    coupled_finish(&t);
}

static struct mc_node *reshape(struct coupled *t, struct mc_value *x, int n, const int64_t *dims)
{
    struct mc_value *const in[] = {x, coupled_ints(t, "dims", n, dims)};
    return coupled_node(t, "Reshape", 2, in, 1);
}

static struct mc_value *transpose(struct coupled *t, struct mc_value *x, int n, const int64_t *axes)
{
    struct mc_error err = {0};
    struct mc_node *node = coupled_node(t, "Transpose", 1, &x, 1);
    assert_ok(mc_node_set_ints(node, "perm", axes, n, &err), err);
    return node->outputs[0];
}

/* [2, C r r, 3, 3] to [2, C, 3 r, 3 r]: neither of the inner axes can carry channels, and so the outer one does. */
static void test_pixel_shuffle_takes_the_way_that_leads_somewhere(void **state)
{
    struct coupled t;
    coupled_init(&t, 13);
    struct mc_value *const x = coupled_computed(&t, SHAPE(2, 12, 3, 3));
    struct mc_node *const apart = reshape(&t, x, INTS(2, 3, 2, 2, 3, 3));
    struct mc_value *const moved = transpose(&t, apart->outputs[0], INTS(0, 1, 4, 2, 5, 3));
    struct mc_node *const whole = reshape(&t, moved, INTS(2, 3, 6, 6));
    /* an image: its height and width stay */
    struct mc_value *const pooled = coupled_node(&t, "GlobalAveragePool", 1, whole->outputs, 1)->outputs[0];
    coupled_couple(&t);
    assert_true(coupled_tied(&t, x, 1, 4, pooled, 1, 1));
    assert_true(coupled_tied(&t, x, 1, 4, x, 1, 7));
    assert_false(coupled_tied(&t, x, 1, 4, x, 1, 8));
    coupled_finish(&t);
}

/* [2, 3, 4, 5] as rows of every sample and channel (MobileViT), and groups of channels as rows (group normalization
 * in exporters' spelling). */
static void test_channels_within_a_merged_axis_are_tied(void **state)
{
    struct coupled t;
    coupled_init(&t, 13);
    struct mc_value *const x = coupled_computed(&t, SHAPE(1, 3, 4, 5));
    /* height and width are those of an image: frozen before */
    struct mc_value *const image = coupled_node(&t, "GlobalAveragePool", 1, &x, 1)->outputs[0];
    struct mc_node *const rows = reshape(&t, x, INTS(6, 2, 5));
    coupled_couple(&t);
    for (int64_t j = 0; j < 6; j++) assert_true(coupled_tied(&t, x, 1, j / 2, rows->outputs[0], 0, j));
    assert_true(coupled_tied(&t, x, 1, 2, image, 1, 2));
    assert_true(coupled_all_frozen(&t, rows->outputs[0], 1));
    coupled_finish(&t);
}

static void test_reshape_that_regroups_axes_freezes_them(void **state)
{
    (void)state;
    struct coupled t;
    const struct mc_node *const node = couple(&t, 13, "Reshape", SHAPE(2, 4, 6), INTS(2, 6, 4));
    for (int axis = 1; axis < 3; axis++) {
        assert_true(coupled_all_frozen(&t, node->inputs[0], axis));
        assert_true(coupled_all_frozen(&t, node->outputs[0], axis));
    }
    assert_true(coupled_tied(&t, node->inputs[0], 0, 1, node->outputs[0], 0, 1));
    coupled_finish(&t);
}

static void test_squeeze_and_unsqueeze_rename_axes(void **state)
{
    (void)state;
    struct coupled t;
    const struct mc_node *node = couple(&t, 13, "Squeeze", SHAPE(2, 1, 3), INTS(1));
    assert_true(coupled_tied(&t, node->inputs[0], 2, 2, node->outputs[0], 1, 2));
    assert_true(coupled_all_frozen(&t, node->inputs[0], 1));
    coupled_finish(&t);
    node = couple(&t, 13, "Unsqueeze", SHAPE(2, 3), INTS(-1, 0));
    assert_true(coupled_tied(&t, node->inputs[0], 1, 2, node->outputs[0], 2, 2));
    assert_true(coupled_all_frozen(&t, node->outputs[0], 3));
    coupled_finish(&t);
}

static void test_reshape_target_is_rewritten_where_it_names_what_was_cut(void **state)
{
    (void)state;
    struct coupled t;
    const struct mc_node *node = couple(&t, 13, "Reshape", SHAPE(2, 3, 4), INTS(-1, 12));
    coupled_cut(&t, node->inputs[0], 1, INTS(1));
    coupled_expect_input(node, 1, INTS(-1, 8));
    coupled_finish(&t);
    node = couple(&t, 13, "Reshape", SHAPE(2, 12), INTS(2, 3, 4));
    coupled_cut(&t, node->inputs[0], 1, INTS(1)); /* and 5 and 9 */
    coupled_expect_input(node, 1, INTS(2, 3, 3));
    coupled_finish(&t);
}

static void test_reshape_target_that_adapts_by_itself_is_left_alone(void **state)
{
    (void)state;
    struct coupled t;
    const struct mc_node *const node = couple(&t, 13, "Reshape", SHAPE(2, 3, 4), INTS(0, -1));
    const struct mc_value *const target = node->inputs[1];
    coupled_cut(&t, node->inputs[0], 1, INTS(1));
    assert_ptr_equal(node->inputs[1], target);
    coupled_finish(&t);
}

/* What exporters write for x.reshape(x.shape[0], 12): the batch size must stay free. */
static void test_reshape_target_computed_from_shapes_keeps_the_batch_free(void **state)
{
    (void)state;
    struct coupled t;
    coupled_init(&t, 13);
    struct mc_value *const x = coupled_computed(&t, SHAPE(2, 3, 4));
    const struct mc_node *const shape = coupled_node(&t, "Shape", 1, &x, 1);
    struct mc_value *const first[] = {shape->outputs[0], coupled_ints(&t, "zero", INTS(0))};
    const struct mc_node *const batch = coupled_node(&t, "Gather", 2, first, 1);
    struct mc_value *const parts[] = {batch->outputs[0], coupled_ints(&t, "twelve", INTS(12))};
    struct mc_node *const target = coupled_node(&t, "Concat", 2, parts, 1);
    struct mc_error err = {0};
    assert_ok(mc_node_set_int(target, "axis", 0, &err), err);
    struct mc_value *const in[] = {x, target->outputs[0]};
    const struct mc_node *const node = coupled_node(&t, "Reshape", 2, in, 1);
    coupled_couple(&t);
    assert_true(coupled_tied(&t, x, 1, 2, node->outputs[0], 1, 11));
    coupled_cut(&t, x, 1, INTS(1));
    const struct mc_node *const where = node->inputs[1]->producer;
    assert_string_equal(where->type, "Where");
    assert_ptr_equal(where->inputs[2], target->outputs[0]);
    coupled_expect_input(where, 0, INTS(0, 1));
    coupled_expect_input(where, 1, INTS(2, 8));
    coupled_finish(&t);
}

static void test_reshape_target_that_several_nodes_share_is_not_changed_for_the_others(void **state)
{
    (void)state;
    struct coupled t;
    coupled_init(&t, 13);
    struct mc_value *const target = coupled_ints(&t, "target", INTS(2, 12));
    struct mc_value *const a[] = {coupled_value(&t, "a", SHAPE(2, 3, 4)), target};
    struct mc_value *const b[] = {coupled_value(&t, "b", SHAPE(2, 3, 4)), target};
    const struct mc_node *const first = coupled_node(&t, "Reshape", 2, a, 1);
    const struct mc_node *const second = coupled_node(&t, "Reshape", 2, b, 1);
    coupled_couple(&t);
    coupled_cut(&t, a[0], 1, INTS(0));
    coupled_expect_input(first, 1, INTS(2, 8));
    coupled_expect_input(second, 1, INTS(2, 12));
    coupled_finish(&t);
}

static void test_reshape_agrees_with_onnxruntime(void **state)
{
    (void)state;
    moved_check("Reshape");
}

static void test_reshape_moves_elements_of_every_width(void **state)
{
    (void)state;
    moved_check_types("Reshape");
}

static void test_reshape_backward_matches_finite_differences(void **state)
{
    (void)state;
    moved_check_gradients("Reshape");
}

static void test_reshape_survives_failed_allocations(void **state)
{
    (void)state;
    moved_check_memory("Reshape");
}

static void test_flatten_agrees_with_onnxruntime(void **state)
{
    (void)state;
    moved_check("Flatten");
}

static void test_flatten_moves_elements_of_every_width(void **state)
{
    (void)state;
    moved_check_types("Flatten");
}

static void test_flatten_backward_matches_finite_differences(void **state)
{
    (void)state;
    moved_check_gradients("Flatten");
}

static void test_flatten_survives_failed_allocations(void **state)
{
    (void)state;
    moved_check_memory("Flatten");
}

static void test_squeeze_agrees_with_onnxruntime(void **state)
{
    (void)state;
    moved_check("Squeeze");
}

static void test_squeeze_moves_elements_of_every_width(void **state)
{
    (void)state;
    moved_check_types("Squeeze");
}

static void test_squeeze_backward_matches_finite_differences(void **state)
{
    (void)state;
    moved_check_gradients("Squeeze");
}

static void test_squeeze_survives_failed_allocations(void **state)
{
    (void)state;
    moved_check_memory("Squeeze");
}

static void test_unsqueeze_agrees_with_onnxruntime(void **state)
{
    (void)state;
    moved_check("Unsqueeze");
}

static void test_unsqueeze_moves_elements_of_every_width(void **state)
{
    (void)state;
    moved_check_types("Unsqueeze");
}

static void test_unsqueeze_backward_matches_finite_differences(void **state)
{
    (void)state;
    moved_check_gradients("Unsqueeze");
}

static void test_unsqueeze_survives_failed_allocations(void **state)
{
    (void)state;
    moved_check_memory("Unsqueeze");
}

static void test_reshape_refuses_what_does_not_fit(void **state)
{
    (void)state;
    op_check_refused(&(struct op_case){.type = "Reshape",
                                       .opset = 13,
                                       .in = {{OP_DIMS(2, 3)}, {.dtype = MC_INT64, OP_DIMS(2), OP_DATA(4, 2)}}},
                     MC_ERR_INPUT, "[2,3] cannot take shape [4,2]: needs 8 elements, has 6");
    op_check_refused(&(struct op_case){.type = "Reshape",
                                       .opset = 13,
                                       .in = {{OP_DIMS(2, 3)}, {.dtype = MC_INT64, OP_DIMS(2), OP_DATA(-1, 4)}}},
                     MC_ERR_INPUT, "needs a multiple of 4 elements, has 6");
    op_check_refused(&(struct op_case){.type = "Reshape",
                                       .opset = 13,
                                       .in = {{OP_DIMS(2, 3)}, {.dtype = MC_INT64, OP_DIMS(2), OP_DATA(-1, -1)}}},
                     MC_ERR_INPUT, "shape has -1 at 0 and 1: needs one at most");
    op_check_refused(&(struct op_case){.type = "Reshape",
                                       .opset = 13,
                                       .in = {{OP_DIMS(2, 3)}, {.dtype = MC_INT64, OP_DIMS(3), OP_DATA(6, 1, 0)}}},
                     MC_ERR_INPUT, "shape has 0 at 2: needs an input of rank 3 or more, has 2");
    op_check_refused(&(struct op_case){.type = "Reshape",
                                       .opset = 13,
                                       .in = {{OP_DIMS(2, 3)}, {.dtype = MC_INT64, OP_DIMS(2), OP_DATA(-2, 3)}}},
                     MC_ERR_INPUT, "needs extents of at least -1, has -2 at 0");
}

static void test_reshape_takes_a_shape_that_is_fed(void **state)
{
    (void)state;
    op_check(&(struct op_case){.type = "Reshape",
                               .opset = 13,
                               .in = {{OP_DIMS(2, 3), OP_DATA(1, 2, 3, 4, 5, 6)},
                                      {.dtype = MC_INT64, OP_DIMS(2), OP_DATA(3, -1), .fed = true}}},
             (struct op_tensor[]){{OP_DIMS(3, 2), OP_DATA(1, 2, 3, 4, 5, 6)}}, 0);
}

static void test_flatten_refuses_an_axis_outside(void **state)
{
    (void)state;
    op_check_refused(
        &(struct op_case){.type = "Flatten", .opset = 13, .attrs = {OP_INT("axis", 3)}, .in = {{OP_DIMS(2, 3)}}},
        MC_ERR_INPUT, "attribute 'axis': needs -2 to 2, has 3");
}

static void test_squeeze_refuses_axes_that_cannot_go(void **state)
{
    (void)state;
    op_check_refused(&(struct op_case){.type = "Squeeze",
                                       .opset = 13,
                                       .in = {{OP_DIMS(1, 3)}, {.dtype = MC_INT64, OP_DIMS(1), OP_DATA(1)}}},
                     MC_ERR_INPUT, "axis 1: needs extent 1 to be squeezed, has 3");
    op_check_refused(&(struct op_case){.type = "Squeeze",
                                       .opset = 13,
                                       .in = {{OP_DIMS(1, 3)}, {.dtype = MC_INT64, OP_DIMS(2), OP_DATA(0, -2)}}},
                     MC_ERR_INPUT, "axis 0 is named twice");
    op_check_refused(&(struct op_case){.type = "Unsqueeze",
                                       .opset = 13,
                                       .in = {{OP_DIMS(1, 3)}, {.dtype = MC_INT64, OP_DIMS(1), OP_DATA(3)}}},
                     MC_ERR_INPUT, "axis 3 is outside");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reshape_agrees_with_onnxruntime),
        cmocka_unit_test(test_reshape_moves_elements_of_every_width),
        cmocka_unit_test(test_reshape_backward_matches_finite_differences),
        cmocka_unit_test(test_reshape_survives_failed_allocations),
        cmocka_unit_test(test_flatten_agrees_with_onnxruntime),
        cmocka_unit_test(test_flatten_moves_elements_of_every_width),
        cmocka_unit_test(test_flatten_backward_matches_finite_differences),
        cmocka_unit_test(test_flatten_survives_failed_allocations),
        cmocka_unit_test(test_squeeze_agrees_with_onnxruntime),
        cmocka_unit_test(test_squeeze_moves_elements_of_every_width),
        cmocka_unit_test(test_squeeze_backward_matches_finite_differences),
        cmocka_unit_test(test_squeeze_survives_failed_allocations),
        cmocka_unit_test(test_unsqueeze_agrees_with_onnxruntime),
        cmocka_unit_test(test_unsqueeze_moves_elements_of_every_width),
        cmocka_unit_test(test_unsqueeze_backward_matches_finite_differences),
        cmocka_unit_test(test_unsqueeze_survives_failed_allocations),
        cmocka_unit_test(test_reshape_refuses_what_does_not_fit),
        cmocka_unit_test(test_reshape_takes_a_shape_that_is_fed),
        cmocka_unit_test(test_flatten_refuses_an_axis_outside),
        cmocka_unit_test(test_squeeze_refuses_axes_that_cannot_go),
        cmocka_unit_test(test_flatten_ties_a_channel_to_its_run_of_features),
        cmocka_unit_test(test_flatten_of_single_pixels_ties_channels_one_to_one),
        cmocka_unit_test(test_reshape_merges_along_the_only_axis_that_is_not_frozen),
        cmocka_unit_test(test_reshape_that_splits_channels_ties_the_inner_axis_and_freezes_the_outer),
        cmocka_unit_test(test_reshape_merges_heads_along_the_axis_that_the_split_left_free),
        cmocka_unit_test(test_pixel_shuffle_takes_the_way_that_leads_somewhere),
        cmocka_unit_test(test_channels_within_a_merged_axis_are_tied),
        cmocka_unit_test(test_reshape_that_regroups_axes_freezes_them),
        cmocka_unit_test(test_squeeze_and_unsqueeze_rename_axes),
        cmocka_unit_test(test_reshape_target_is_rewritten_where_it_names_what_was_cut),
        cmocka_unit_test(test_reshape_target_that_adapts_by_itself_is_left_alone),
        cmocka_unit_test(test_reshape_target_computed_from_shapes_keeps_the_batch_free),
        cmocka_unit_test(test_reshape_target_that_several_nodes_share_is_not_changed_for_the_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
