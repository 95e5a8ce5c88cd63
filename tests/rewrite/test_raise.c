/* test_raise.c - models of early opsets compute the same at a later one, and what cannot is named. */
#include "rewrite/raise.h"

#include <string.h>

#include "nets.h"
#include "op/ops.h"

enum { ROOM = 512 };

static struct mc_model *net_of(int opset)
{
    struct mc_model *net = net_create();
    net->opsets[0].version = opset;
    return net;
}

static int outputs_of(struct mc_model *net, double *numbers)
{
    struct mc_plan *plan = net_plan(net, &(struct mc_plan_options){.dims = {.batch = 2}});
    int n = 0;
    struct mc_tensor *x = mc_plan_input(plan, 0);
    for (int64_t k = 0; k < mc_tensor_count(x); k++) mc_tensor_set_f64(x, k, (double)(k * 7 % 11) - 4.5);
    net_run(plan);
    for (int i = 0; i < mc_plan_n_outputs(plan); i++)
        for (int64_t k = 0; k < mc_tensor_count(mc_plan_output(plan, i)) && n < ROOM; k++)
            numbers[n++] = mc_tensor_get_f64(mc_plan_output(plan, i), k);
    mc_plan_destroy(plan);
    return n;
}

/* The same outputs at opset 21, whose versions all nodes are bound to. */
static void check(struct mc_model *net)
{
    static double before[ROOM], after[ROOM];
    struct mc_error err = {0};
    const int n = outputs_of(net, before);
    assert_true(n > 0);
    assert_ok(mc_raise_opset(net, 21, &err), err);
    assert_int_equal(mc_model_opset(net, ""), 21);
    for (int i = 0; i < net->graph->n_nodes; i++) {
        const struct mc_node *node = net->graph->nodes[i];
        assert_int_equal(node->opset, 21);
        assert_ptr_equal(node->op, mc_ops_find("", node->type, 21));
    }
    assert_int_equal(outputs_of(net, after), n);
    for (int i = 0; i < n; i++) assert_true(before[i] == after[i]);
    mc_model_destroy(net);
}

static struct mc_value *image(struct mc_model *net)
{
    return net_input(net, "x", DIMS(-1, 4, 3, 2));
}

static struct mc_node *last(struct mc_model *net, const char *type, struct mc_value *x)
{
    net_output(net, net_node(net, type, "y", x, NULL));
    return net->graph->nodes[net->graph->n_nodes - 1];
}

static void test_axes_become_an_input(void **state)
{
    static const char *const types[] = {"Unsqueeze", "ReduceSum", "ReduceMean", "ReduceMax", "ReduceL2"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        struct mc_error err = {0};
        struct mc_model *net = net_of(9);
        struct mc_node *node = last(net, types[i], image(net));
        assert_ok(mc_node_set_ints(node, "axes", (const int64_t[]){1, 2}, 2, &err), err);
        check(net);
    }
    struct mc_model *net = net_of(9);
    last(net, "ReduceMean", image(net)); /* of all: there are no axes to state */
    check(net);
}

static void test_numbers_and_bounds_become_inputs(void **state)
{
    struct mc_error err = {0};
    struct mc_model *net = net_of(9);
    struct mc_node *clip = last(net, "Clip", image(net));
    assert_ok(mc_node_set_float(clip, "min", -1.5f, &err), err);
    assert_ok(mc_node_set_float(clip, "max", 2.25f, &err), err);
    check(net);
    net = net_of(9);
    struct mc_node *slice = last(net, "Slice", image(net));
    assert_ok(mc_node_set_ints(slice, "starts", (const int64_t[]){1, 0}, 2, &err), err);
    assert_ok(mc_node_set_ints(slice, "ends", (const int64_t[]){3, 1}, 2, &err), err);
    assert_ok(mc_node_set_ints(slice, "axes", (const int64_t[]){1, 3}, 2, &err), err);
    check(net);
    net = net_of(9);
    struct mc_node *pad = last(net, "Pad", image(net));
    assert_ok(mc_node_set_ints(pad, "pads", (const int64_t[]){0, 0, 1, 1, 0, 0, 0, 2}, 8, &err), err);
    assert_ok(mc_node_set_float(pad, "value", 3, &err), err);
    check(net);
}

static void test_dropout_and_batch_normalization_go_along(void **state)
{
    struct mc_error err = {0};
    struct mc_model *net = net_of(7);
    struct mc_value *norm = mc_value_create(net->graph, "norm");
    struct mc_value *in[] = {image(net), net_param(net, "scale", DIMS(4), NULL), net_param(net, "shift", DIMS(4), NULL),
                             net_param(net, "mean", DIMS(4), NULL), net_param(net, "variance", DIMS(4), NULL)};
    struct mc_node *node =
        mc_node_create(net->graph, -1, "", "BatchNormalization", "norm", 5, in, 1, (struct mc_value *[]){norm});
    assert_ok(mc_node_set_int(node, "spatial", 1, &err), err);
    assert_ok(mc_node_set_float(last(net, "Dropout", norm), "ratio", 0.25f, &err), err);
    check(net);
}

static void test_parts_and_resized_images_stay(void **state)
{
    struct mc_error err = {0};
    for (int sizes = 0; sizes < 2; sizes++) {
        struct mc_model *net = net_of(11);
        struct mc_value *part[] = {mc_value_create(net->graph, "a"), mc_value_create(net->graph, "b")};
        struct mc_value *x = image(net);
        struct mc_node *split = mc_node_create(net->graph, -1, "", "Split", "split", 1, &x, 2, part);
        assert_ok(mc_node_set_int(split, "axis", 1, &err), err);
        if (sizes) assert_ok(mc_node_set_ints(split, "split", (const int64_t[]){1, 3}, 2, &err), err);
        net_output(net, part[0]);
        net_output(net, part[1]);
        check(net);
    }
    struct mc_model *net = net_of(10);
    struct mc_value *x = image(net);
    struct mc_tensor *scales;
    const struct mc_shape four = {.rank = 1, .dim = {4}};
    assert_ok(mc_tensor_create(&scales, MC_FLOAT, &four, &err), err);
    for (int k = 0; k < 4; k++) mc_tensor_set_f64(scales, k, k < 2 ? 1 : 2.5);
    struct mc_value *s = mc_graph_add_initializer(net->graph, "scales", scales);
    net_output(net, net_node(net, "Resize", "y", x, s));
    check(net);
}

static void test_softmax_rises_where_its_axis_is_the_last(void **state)
{
    struct mc_error err = {0};
    struct mc_model *net = net_of(11);
    assert_ok(mc_node_set_int(last(net, "Softmax", image(net)), "axis", 3, &err), err);
    check(net);
    net = net_of(11);
    last(net, "Softmax", net_input(net, "x", DIMS(-1, 5))); /* axis 1, of two */
    check(net);
}

static void refuse(struct mc_model *net, const char *words)
{
    struct mc_error err = {0};
    mc_ops_bind(net);
    assert_int_equal(mc_raise_opset(net, 21, &err), MC_ERR_UNSUPPORTED);
    if (!strstr(err.text, words)) fail_msg("'%s' does not say '%s'", err.text, words);
    mc_model_destroy(net);
}

static void test_what_cannot_rise_is_named(void **state)
{
    struct mc_model *net = net_of(11);
    last(net, "Softmax", image(net));
    refuse(net, "opset 21 is needed, to which these cannot be raised: 'y' (Softmax of ai.onnx 11: an axis that");
    net = net_of(9);
    net_output(net, net_node(net, "Upsample", "y", image(net), net_param(net, "s", DIMS(4), NULL)));
    refuse(net, "'y' (Upsample of ai.onnx 9: later versions do not have it)");
    net = net_of(11);
    last(net, "NoSuchOperator", image(net));
    refuse(net, "'y' (NoSuchOperator of ai.onnx 11: an unknown operator)");
    net = net_of(6);
    last(net, "Relu", image(net));
    refuse(net, "this one has 6");
}

static void test_a_model_that_is_there_already_stays(void **state)
{
    struct mc_error err = {0};
    struct mc_model *net = net_of(17);
    last(net, "Softmax", image(net));
    mc_ops_bind(net);
    assert_ok(mc_raise_opset(net, 13, &err), err);
    assert_int_equal(mc_model_opset(net, ""), 17);
    mc_model_destroy(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_axes_become_an_input),
        cmocka_unit_test(test_numbers_and_bounds_become_inputs),
        cmocka_unit_test(test_dropout_and_batch_normalization_go_along),
        cmocka_unit_test(test_parts_and_resized_images_stay),
        cmocka_unit_test(test_softmax_rises_where_its_axis_is_the_last),
        cmocka_unit_test(test_what_cannot_rise_is_named),
        cmocka_unit_test(test_a_model_that_is_there_already_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
