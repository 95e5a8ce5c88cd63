/* test_conv.c - Conv. The arithmetic of all backends and geometries: tests/kernel/test_convolution.c. */
#include "coupled.h"
#include "harness.h"
#include "op/ops.h"
#include "products.h"

#define SHAPE(...) mc_shape_of(INTS(__VA_ARGS__))

static void test_conv_agrees_with_onnxruntime(void **state)
{
    (void)state;
    products_check("Conv");
}

static void test_conv_backward_matches_finite_differences(void **state)
{
    (void)state;
    products_check_gradients("Conv");
}

static void test_conv_survives_failed_allocations(void **state)
{
    (void)state;
    products_check_memory("Conv");
}

static void test_conv_of_no_images_is_nothing(void **state)
{
    (void)state;
    const struct op_case c = {.type = "Conv", .opset = 11, .in = {{OP_DIMS(0, 2, 4, 4)}, {OP_DIMS(3, 2, 3, 3)}}};
    op_check(&c, &(struct op_tensor){OP_DIMS(0, 3, 2, 2)}, 0);
}

#define REFUSED(status, text, x, w, ...)                                                                               \
    op_check_refused(&(struct op_case){.type = "Conv", .opset = 11, .attrs = {__VA_ARGS__}, .in = {x, w}}, status, text)
#define X                                                                                                              \
    {                                                                                                                  \
        OP_DIMS(1, 4, 5, 5)                                                                                            \
    }
#define W                                                                                                              \
    {                                                                                                                  \
        OP_DIMS(6, 4, 3, 3)                                                                                            \
    }

static void test_conv_refuses_what_does_not_fit(void **state)
{
    (void)state;
    op_check_refused(
        &(struct op_case){.type = "Conv", .opset = 11, .in = {{OP_DIMS(1, 3, 5, 5)}, {OP_DIMS(6, 4, 3, 3)}}},
        MC_ERR_INPUT, "needs 3 input channels, has 4");
    op_check_refused(&(struct op_case){.type = "Conv", .opset = 11, .in = {X, W, {OP_DIMS(5)}}}, MC_ERR_INPUT,
                     "needs 6 numbers, has 5");
    op_check_refused(&(struct op_case){.type = "Conv", .opset = 11, .in = {{OP_DIMS(1, 4)}, {OP_DIMS(6, 4)}}},
                     MC_ERR_INPUT, "needs 3 to 16 dimensions");
    op_check_refused(&(struct op_case){.type = "Conv",
                                       .opset = 11,
                                       .in = {{OP_DIMS(1, 1, 2, 2, 2, 2)}, {OP_DIMS(1, 1, 1, 1, 1, 1)}}},
                     MC_ERR_UNSUPPORTED, "rank");
    REFUSED(MC_ERR_INPUT, "divisor of 4 and 6 channels, has 3", X, W, OP_INT("group", 3));
    REFUSED(MC_ERR_INPUT, "divisor of 4 and 6 channels, has 0", X, W, OP_INT("group", 0));
    REFUSED(MC_ERR_INPUT, "'strides'", X, W, OP_INTS("strides", 1, 0));
    REFUSED(MC_ERR_INPUT, "'strides'", X, W, OP_INTS("strides", 1));
    REFUSED(MC_ERR_INPUT, "'pads'", X, W, OP_INTS("pads", 1, 1));
    REFUSED(MC_ERR_INPUT, "'pads'", X, W, OP_INTS("pads", 0, 0, 0, -1));
    REFUSED(MC_ERR_INPUT, "'dilations'", X, W, OP_INTS("dilations", 1, INT64_MAX));
    REFUSED(MC_ERR_INPUT, "'kernel_shape'", X, W, OP_INTS("kernel_shape", 3, 2));
    REFUSED(MC_ERR_INPUT, "'auto_pad'", X, W, OP_STRING("auto_pad", "SAME"));
    REFUSED(MC_ERR_INPUT, "kernel reaches over 7 elements", X, W, OP_INTS("dilations", 3, 1));
}

/* --- coupling --- */

struct coupled_conv {
    struct coupled t;
    struct mc_value *x, *w, *b;
    const struct mc_value *y;
    struct mc_node *node;
};

static void coupled_conv_init(struct coupled_conv *c, int64_t channels, int64_t filters, int64_t group, int64_t pad)
{
    struct mc_error err = {0};
    coupled_init(&c->t, 11);
    c->x = coupled_computed(&c->t, SHAPE(2, channels, 5, 5));
    c->w = coupled_value(&c->t, "w", SHAPE(filters, channels / group, 3, 3));
    c->b = coupled_value(&c->t, "b", SHAPE(filters));
    c->node = coupled_node(&c->t, "Conv", 3, (struct mc_value *const[]){c->x, c->w, c->b}, 1);
    c->y = c->node->outputs[0];
    assert_ok(mc_node_set_int(c->node, "group", group, &err), err);
    assert_ok(mc_node_set_ints(c->node, "pads", (int64_t[]){pad, 0, 0, 0}, 4, &err), err);
    coupled_couple(&c->t);
}

static void test_conv_ties_filters_to_outputs_and_slices_to_inputs(void **state)
{
    (void)state;
    struct coupled_conv c;
    coupled_conv_init(&c, 4, 6, 1, 0);
    for (int64_t m = 0; m < 6; m++) {
        assert_true(coupled_tied(&c.t, c.w, 0, m, c.y, 1, m));
        assert_true(coupled_tied(&c.t, c.b, 0, m, c.y, 1, m));
        assert_false(coupled_tied(&c.t, c.y, 1, m, c.y, 1, (m + 1) % 6));
    }
    for (int64_t i = 0; i < 4; i++) {
        assert_true(coupled_tied(&c.t, c.w, 1, i, c.x, 1, i));
        assert_false(coupled_tied(&c.t, c.x, 1, i, c.y, 1, i));
    }
    assert_true(coupled_tied(&c.t, c.x, 0, 1, c.y, 0, 1));
    for (int axis = 2; axis < 4; axis++) {
        assert_true(coupled_all_frozen(&c.t, c.x, axis));
        assert_true(coupled_all_frozen(&c.t, c.w, axis));
        assert_true(coupled_all_frozen(&c.t, c.y, axis));
    }
    assert_int_equal(mc_coupling_role(c.t.coupling, c.w, 0), MC_ROLE_PRODUCES);
    assert_int_equal(mc_coupling_role(c.t.coupling, c.w, 1), MC_ROLE_CONSUMES);
    assert_int_equal(mc_coupling_role(c.t.coupling, c.b, 0), MC_ROLE_SHIFT);
    coupled_finish(&c.t);
}

static void test_conv_moves_constants_only_where_nothing_is_padded(void **state)
{
    (void)state;
    for (int64_t pad = 0; pad < 2; pad++) {
        struct coupled_conv c;
        coupled_conv_init(&c, 4, 6, 1, pad);
        assert_int_equal(mc_coupling_n_contractions(c.t.coupling), 1);
        const struct mc_contraction *found = mc_coupling_contraction(c.t.coupling, 0);
        assert_ptr_equal(found->data, c.x);
        assert_ptr_equal(found->weight, c.w);
        assert_int_equal(found->data_axis, 1);
        assert_int_equal(found->weight_axis, 1);
        assert_int_equal(found->weight_out_axis, 0);
        assert_int_equal(found->bias_input, 2);
        assert_int_equal(found->out_axis, 1);
        assert_int_equal(found->groups, 1);
        assert_int_equal(found->movable, pad == 0);
        coupled_finish(&c.t);
    }
}

static void test_grouped_conv_gives_up_the_same_place_in_every_group(void **state)
{
    (void)state;
    struct coupled_conv c;
    coupled_conv_init(&c, 6, 4, 2, 0); /* groups of 3 in, 2 out */
    for (int64_t i = 0; i < 6; i++)
        for (int64_t j = 0; j < 6; j++) assert_int_equal(coupled_tied(&c.t, c.x, 1, i, c.x, 1, j), i % 3 == j % 3);
    for (int64_t i = 0; i < 6; i++)
        for (int64_t j = 0; j < 3; j++) assert_int_equal(coupled_tied(&c.t, c.x, 1, i, c.w, 1, j), i % 3 == j);
    for (int64_t i = 0; i < 4; i++)
        for (int64_t j = 0; j < 4; j++) assert_int_equal(coupled_tied(&c.t, c.y, 1, i, c.w, 0, j), i % 2 == j % 2);
    assert_false(coupled_tied(&c.t, c.x, 1, 0, c.y, 1, 0));
    assert_int_equal(mc_coupling_contraction(c.t.coupling, 0)->groups, 2);
    coupled_cut(&c.t, c.x, 1, INTS(1));
    assert_int_equal(mc_node_int(c.node, "group", 0), 2);
    coupled_finish(&c.t);
}

static void test_depthwise_conv_passes_channels_through(void **state)
{
    (void)state;
    struct coupled_conv c;
    coupled_conv_init(&c, 3, 6, 3, 0); /* two outputs for each input */
    for (int64_t i = 0; i < 3; i++) {
        for (int64_t m = 0; m < 6; m++) {
            assert_int_equal(coupled_tied(&c.t, c.x, 1, i, c.y, 1, m), m / 2 == i);
            assert_int_equal(coupled_tied(&c.t, c.x, 1, i, c.w, 0, m), m / 2 == i);
            assert_int_equal(coupled_tied(&c.t, c.x, 1, i, c.b, 0, m), m / 2 == i);
        }
    }
    assert_true(coupled_all_frozen(&c.t, c.w, 1));
    assert_int_equal(mc_coupling_n_contractions(c.t.coupling), 0);
    coupled_cut(&c.t, c.x, 1, INTS(0));
    assert_int_equal(mc_node_int(c.node, "group", 0), 2);
    coupled_finish(&c.t);
}

static void test_groups_of_one_output_go_whole(void **state)
{
    (void)state;
    struct coupled_conv c;
    coupled_conv_init(&c, 6, 3, 3, 0); /* groups of 2 in, 1 out */
    for (int64_t i = 0; i < 6; i++)
        for (int64_t m = 0; m < 3; m++) assert_int_equal(coupled_tied(&c.t, c.x, 1, i, c.y, 1, m), i / 2 == m);
    assert_true(coupled_all_frozen(&c.t, c.w, 1));
    coupled_cut(&c.t, c.y, 1, INTS(2));
    assert_int_equal(mc_node_int(c.node, "group", 0), 2);
    coupled_finish(&c.t);
}

static void test_conv_by_a_computed_weight_is_frozen(void **state)
{
    (void)state;
    struct coupled t;
    coupled_init(&t, 11);
    struct mc_value *const in[] = {coupled_computed(&t, SHAPE(1, 4, 5, 5)), coupled_computed(&t, SHAPE(6, 4, 3, 3))};
    const struct mc_node *const node = coupled_node(&t, "Conv", 2, in, 1);
    coupled_couple(&t);
    assert_true(coupled_all_frozen(&t, in[0], 1));
    assert_true(coupled_all_frozen(&t, in[1], 0));
    assert_true(coupled_all_frozen(&t, in[1], 1));
    assert_true(coupled_all_frozen(&t, node->outputs[0], 1));
    coupled_finish(&t);
}

/* LeNet-5's second convolution: 20 channels of 12x12, 50 filters of 5x5, 8x8 outputs: 1.6 million. */
static void test_conv_counts_multiply_accumulates_as_papers_do(void **state)
{
    (void)state;
    const struct op_case c = {.type = "Conv", .opset = 11, .in = {{OP_DIMS(1, 20, 12, 12)}, {OP_DIMS(50, 20, 5, 5)}}};
    struct mc_model *model = op_model(&c, MC_FLOAT);
    const struct mc_node *node = model->graph->nodes[0];
    const struct mc_fact in[] = {{.dtype = MC_FLOAT, .shape = SHAPE(1, 20, 12, 12)},
                                 {.dtype = MC_FLOAT, .shape = SHAPE(50, 20, 5, 5)}};
    const struct mc_fact out = {.dtype = MC_FLOAT, .shape = SHAPE(1, 50, 8, 8)};
    struct mc_cost cost = {0};
    node->op->cost(node, (const struct mc_fact *const[]){&in[0], &in[1], NULL}, &out, &cost);
    assert_int_equal(cost.macs, 1600000);
    assert_int_equal(cost.flops, 3200000);
    assert_int_equal(cost.bytes_read, 4 * (20 * 144 + 50 * 500));
    assert_int_equal(cost.bytes_written, 4 * 3200);
    mc_model_destroy(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conv_agrees_with_onnxruntime),
        cmocka_unit_test(test_conv_backward_matches_finite_differences),
        cmocka_unit_test(test_conv_survives_failed_allocations),
        cmocka_unit_test(test_conv_of_no_images_is_nothing),
        cmocka_unit_test(test_conv_refuses_what_does_not_fit),
        cmocka_unit_test(test_conv_ties_filters_to_outputs_and_slices_to_inputs),
        cmocka_unit_test(test_conv_moves_constants_only_where_nothing_is_padded),
        cmocka_unit_test(test_grouped_conv_gives_up_the_same_place_in_every_group),
        cmocka_unit_test(test_depthwise_conv_passes_channels_through),
        cmocka_unit_test(test_groups_of_one_output_go_whole),
        cmocka_unit_test(test_conv_by_a_computed_weight_is_frozen),
        cmocka_unit_test(test_conv_counts_multiply_accumulates_as_papers_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
