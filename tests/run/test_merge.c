/* test_merge.c - several nodes become one step where nobody would see the difference, and only there. */
#include <math.h>

#include "nets.h"

enum { COUNT = 37 };

/* x -> Sigmoid s; y = s times x or another input of the same numbers. */
static struct mc_model *product(bool sigmoid_first, bool of_x)
{
    struct mc_model *net = net_create();
    struct mc_value *x = net_input(net, "x", DIMS(COUNT)), *other = net_input(net, "other", DIMS(COUNT));
    x->type.dtype = other->type.dtype = MC_FLOAT;
    struct mc_value *s = net_node(net, "Sigmoid", "s", x, NULL), *factor = of_x ? x : other;
    net_output(net, net_node(net, "Mul", "y", sigmoid_first ? s : factor, sigmoid_first ? factor : s));
    return net;
}

static void check(struct mc_model *net, const struct mc_plan_options *options, int n_steps)
{
    struct mc_plan *plan = net_plan(net, options);
    assert_int_equal(mc_plan_n_steps(plan), n_steps);
    assert_string_equal(mc_plan_step_node(plan, n_steps - 1)->name, "y");
    for (int i = 0; i < COUNT; i++)
        for (int k = 0; k < 2; k++) mc_tensor_set_f64(mc_plan_input(plan, k), i, i - COUNT / 2 + 0.25);
    net_run(plan);
    for (int i = 0; i < COUNT; i++) {
        const double x = i - COUNT / 2 + 0.25, y = x / (1 + exp(-x));
        assert_true(fabs(mc_tensor_get_f64(mc_plan_output(plan, 0), i) - y) <= 4e-7 * fabs(y));
    }
    mc_plan_destroy(plan);
    mc_model_destroy(net);
}

static void test_silu_is_one_step(void **state)
{
    check(product(false, true), &(struct mc_plan_options){0}, 1);
    check(product(true, true), &(struct mc_plan_options){0}, 1);
}

/* x / sqrt(2) -> Erf -> + 1 -> times x and 1/2, which the first product takes if `half_first`. */
static struct mc_model *gelu(bool half_first, bool multiplies, double root, double one)
{
    struct mc_model *net = net_create();
    struct mc_value *x = net_input(net, "x", DIMS(COUNT)), *other = net_input(net, "other", DIMS(COUNT));
    struct mc_value *numbers[3];
    const double value[3] = {multiplies ? 1 / root : root, one, 0.5};
    x->type.dtype = other->type.dtype = MC_FLOAT;
    for (int i = 0; i < 3; i++) {
        struct mc_error err = {0};
        struct mc_tensor *t;
        assert_ok(mc_tensor_create(&t, MC_FLOAT, &(struct mc_shape){0}, &err), err);
        mc_tensor_set_f64(t, 0, value[i]);
        numbers[i] = mc_graph_add_initializer(net->graph, (const char *[]){"root", "one", "half"}[i], t);
    }
    struct mc_value *e = net_node(net, "Erf", "e", net_node(net, multiplies ? "Mul" : "Div", "d", x, numbers[0]), NULL);
    struct mc_value *p = net_node(net, "Add", "p", numbers[1], e);
    struct mc_value *m = half_first ? net_node(net, "Mul", "m", numbers[2], x) : net_node(net, "Mul", "m", x, p);
    net_output(net, half_first ? net_node(net, "Mul", "y", m, p) : net_node(net, "Mul", "y", m, numbers[2]));
    return net;
}

static void check_gelu(struct mc_model *net, int n_steps, double root, double one)
{
    struct mc_plan *plan = net_plan(net, &(struct mc_plan_options){0});
    assert_int_equal(mc_plan_n_steps(plan), n_steps);
    for (int i = 0; i < COUNT; i++) mc_tensor_set_f64(mc_plan_input(plan, 0), i, (i - COUNT / 2) * 0.25);
    net_run(plan);
    for (int i = 0; i < COUNT; i++) {
        const double x = (i - COUNT / 2) * 0.25, y = x * (one + erf(x / root)) / 2;
        assert_true(fabs(mc_tensor_get_f64(mc_plan_output(plan, 0), i) - y) <= 3e-7 * fmax(1, fabs(x)));
    }
    mc_plan_destroy(plan);
    mc_model_destroy(net);
}

static void test_gelu_is_one_step_in_every_spelling(void **state)
{
    for (int spelling = 0; spelling < 4; spelling++)
        check_gelu(gelu(spelling % 2, spelling / 2, sqrt(2), 1), 1, sqrt(2), 1);
}

static void test_what_is_nearly_gelu_is_not(void **state)
{
    check_gelu(gelu(false, false, 1.5, 1), 5, 1.5, 1);
    check_gelu(gelu(true, false, sqrt(2), 1.5), 5, sqrt(2), 1.5);
    struct mc_model *net = gelu(false, false, sqrt(2), 1);
    net_output(net, mc_graph_find(net->graph, "p"));
    check_gelu(net, 5, sqrt(2), 1);
}

static void test_other_products_stay_two(void **state)
{
    check(product(false, false), &(struct mc_plan_options){0}, 2);
}

static void test_plans_that_train_or_do_not_fold_stay_as_the_model_is(void **state)
{
    check(product(false, true), &(struct mc_plan_options){.training = true}, 2);
    check(product(false, true), &(struct mc_plan_options){.no_fold = true}, 2);
}

static void test_what_somebody_sees_stays(void **state)
{
    struct mc_model *net = product(false, true);
    const struct mc_value *s = mc_graph_find(net->graph, "s");
    check(net, &(struct mc_plan_options){.n_taps = 1, .taps = &s}, 2);
    net = product(false, true);
    s = mc_graph_find(net->graph, "s");
    net_output(net, net_node(net, "Neg", "z", mc_graph_find(net->graph, "s"), NULL));
    struct mc_plan *plan = net_plan(net, &(struct mc_plan_options){0});
    assert_int_equal(mc_plan_n_steps(plan), 3);
    mc_plan_destroy(plan);
    mc_model_destroy(net);
}

static void test_double_precision_is_left_alone(void **state)
{
    struct mc_model *net = product(false, true);
    for (int i = 0; i < 2; i++) net->graph->inputs[i]->type.dtype = MC_DOUBLE;
    check(net, &(struct mc_plan_options){0}, 2);
}

/* A plan merges whatever the opset has, and computes the same. */
static void test_layer_normalization_is_one_step(void **state)
{
    struct mc_model *net = net_create();
    struct mc_error err = {0};
    struct mc_value *x = net_input(net, "x", DIMS(4, 5));
    x->type.dtype = MC_FLOAT;
    const int64_t last = -1;
    struct mc_value *k[4];
    for (int i = 0; i < 4; i++) {
        struct mc_tensor *t;
        const struct mc_shape shape = i < 2 ? (struct mc_shape){0} : mc_shape_of(1, (int64_t[]){5});
        assert_ok(mc_tensor_create(&t, MC_FLOAT, &shape, &err), err);
        for (int64_t j = 0; j < mc_tensor_count(t); j++)
            mc_tensor_set_f64(t, j, (const double[]){2, 0.25, 1.5, -3}[i] + (double)j);
        k[i] = mc_graph_add_initializer(net->graph, (const char *[]){"two", "epsilon", "scale", "shift"}[i], t);
    }
    struct mc_value *mean = net_node(net, "ReduceMean", "mean", x, NULL);
    assert_ok(mc_node_set_ints(mean->producer, "axes", &last, 1, &err), err);
    struct mc_value *d = net_node(net, "Sub", "d", x, mean);
    struct mc_value *v = net_node(net, "ReduceMean", "v", net_node(net, "Pow", "p", d, k[0]), NULL);
    assert_ok(mc_node_set_ints(v->producer, "axes", &last, 1, &err), err);
    struct mc_value *root = net_node(net, "Sqrt", "r", net_node(net, "Add", "e", v, k[1]), NULL);
    struct mc_value *m = net_node(net, "Mul", "m", net_node(net, "Div", "n", d, root), k[2]);
    net_output(net, net_node(net, "Add", "y", m, k[3]));
    struct mc_plan *plans[2];
    for (int i = 0; i < 2; i++) {
        plans[i] = net_plan(net, &(struct mc_plan_options){.no_fold = i});
        assert_int_equal(mc_plan_n_steps(plans[i]), i ? 9 : 1);
        for (int64_t j = 0; j < 20; j++) mc_tensor_set_f64(mc_plan_input(plans[i], 0), j, sin((double)j));
        net_run(plans[i]);
    }
    for (int64_t j = 0; j < 20; j++)
        assert_true(fabs(mc_tensor_get_f64(mc_plan_output(plans[0], 0), j) -
                         mc_tensor_get_f64(mc_plan_output(plans[1], 0), j)) <= 2e-6);
    for (int i = 0; i < 2; i++) mc_plan_destroy(plans[i]);
    mc_model_destroy(net);
}

/* x -> Conv -> BatchNormalization, with NET_NORM -> + other -> Relu or Clip. */
enum {
    NET_GROUPS = 1,
    NET_SCALAR = 2,
    NET_SELF = 4,
    NET_SEEN = 8,
    NET_CLIP = 16,
    NET_NORM = 32,
    NET_BATCH = 64,
    NET_DEPTHWISE = 128
};

static struct mc_value *floats(struct mc_model *net, const char *name, int rank, const int64_t *dims, double scale)
{
    struct mc_error err = {0};
    struct mc_tensor *t;
    const struct mc_shape shape = mc_shape_of(rank, dims);
    assert_ok(mc_tensor_create(&t, MC_FLOAT, &shape, &err), err);
    for (int64_t j = 0; j < mc_tensor_count(t); j++) mc_tensor_set_f64(t, j, scale * sin(1.5 * (double)j + 0.5));
    return mc_graph_add_initializer(net->graph, name, t);
}

/* By statistics that are known, or with NET_BATCH by the batch's. */
static struct mc_value *normalized(struct mc_model *net, struct mc_value *c, int how)
{
    struct mc_error err = {0};
    struct mc_value *scale = floats(net, "scale", DIMS(18), 1.5), *shift = floats(net, "shift", DIMS(18), 0.5);
    struct mc_value *mean = floats(net, "mean", DIMS(18), 0.3), *variance = floats(net, "variance", DIMS(18), 0.4);
    struct mc_value *n = mc_value_create(net->graph, "n");
    for (int64_t j = 0; j < 18; j++) mc_tensor_set_f64(variance->data, j, 1 + mc_tensor_get_f64(variance->data, j));
    struct mc_node *node = mc_node_create(net->graph, -1, "", "BatchNormalization", "n", 5,
                                          (struct mc_value *[]){c, scale, shift, mean, variance}, 1, &n);
    assert_non_null(node);
    if (how & NET_BATCH) assert_ok(mc_node_set_int(node, "training_mode", 1, &err), err);
    return n;
}

static struct mc_model *residual(int how)
{
    struct mc_model *net = net_create();
    struct mc_error err = {0};
    const int64_t groups = how & NET_DEPTHWISE ? 18 : how & NET_GROUPS ? 2 : 1, pads[] = {1, 1, 1, 1};
    struct mc_value *x = net_input(net, "x", DIMS(2, 18, 5, 6)), *other;
    x->type.dtype = MC_FLOAT;
    struct mc_value *w = floats(net, "w", DIMS(18, 18 / groups, 3, 3), 0.2);
    struct mc_value *c = net_node(net, "Conv", "c", x, w);
    assert_ok(mc_node_set_ints(c->producer, "pads", pads, 4, &err), err);
    assert_ok(mc_node_set_int(c->producer, "group", groups, &err), err);
    if (how & NET_NORM) c = normalized(net, c, how);
    if (how & NET_SCALAR)
        other = net_input(net, "other", DIMS(2, 18, 1, 1));
    else
        other = net_node(net, "Neg", "other", x, NULL);
    other->type.dtype = MC_FLOAT;
    struct mc_value *s = net_node(net, "Add", "s", how & NET_SELF ? c : other, c);
    if (how & NET_SEEN) net_output(net, s);
    struct mc_value *y = how & NET_CLIP ? net_node(net, "Clip", "y", s, floats(net, "low", 0, NULL, -1))
                                        : net_node(net, "Relu", "y", s, NULL);
    net_output(net, y);
    return net;
}

/* As many steps, and what the nodes compute one by one. */
static void check_residual(int how, int n_steps)
{
    struct mc_model *net = residual(how);
    struct mc_plan *plans[2];
    for (int i = 0; i < 2; i++) {
        plans[i] = net_plan(net, &(struct mc_plan_options){.no_fold = i});
        for (int k = 0; k < mc_plan_n_inputs(plans[i]); k++)
            for (int64_t j = 0; j < mc_tensor_count(mc_plan_input(plans[i], k)); j++)
                mc_tensor_set_f64(mc_plan_input(plans[i], k), j, sin((double)j));
        net_run(plans[i]);
    }
    assert_int_equal(mc_plan_n_steps(plans[0]), n_steps);
    const int last = how & NET_SEEN ? 1 : 0;
    const struct mc_tensor *merged = mc_plan_output(plans[0], last), *alone = mc_plan_output(plans[1], last);
    for (int64_t j = 0; j < mc_tensor_count(alone); j++)
        assert_true(fabs(mc_tensor_get_f64(merged, j) - mc_tensor_get_f64(alone, j)) <= 4e-6);
    for (int i = 0; i < 2; i++) mc_plan_destroy(plans[i]);
    mc_model_destroy(net);
}

static void test_a_convolution_takes_the_sum_and_the_activation_after_it(void **state)
{
    check_residual(0, 2);
    check_residual(NET_CLIP, 2);
}

static void test_a_convolution_takes_no_sum_that_is_seen_broadcast_or_of_itself(void **state)
{
    check_residual(NET_SEEN, 3); /* with the sum, which is an output, and not with what follows */
    check_residual(NET_SCALAR, 3);
    check_residual(NET_SELF, 3);
    check_residual(NET_GROUPS, 4);
}

static void test_a_convolution_takes_batch_normalization_with_what_follows(void **state)
{
    check_residual(NET_NORM, 2);
    check_residual(NET_NORM | NET_CLIP, 2);
    check_residual(NET_NORM | NET_DEPTHWISE, 2);
    check_residual(NET_NORM | NET_SEEN, 3);
    check_residual(NET_NORM | NET_SCALAR, 3); /* the normalization, not the sum */
    check_residual(NET_NORM | NET_GROUPS, 5);
    check_residual(NET_NORM | NET_BATCH, 5);
}

static void test_a_convolution_of_single_channels_takes_what_follows(void **state)
{
    check_residual(NET_DEPTHWISE, 2);
    check_residual(NET_DEPTHWISE | NET_CLIP, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_silu_is_one_step),
        cmocka_unit_test(test_gelu_is_one_step_in_every_spelling),
        cmocka_unit_test(test_what_is_nearly_gelu_is_not),
        cmocka_unit_test(test_layer_normalization_is_one_step),
        cmocka_unit_test(test_a_convolution_takes_the_sum_and_the_activation_after_it),
        cmocka_unit_test(test_a_convolution_takes_batch_normalization_with_what_follows),
        cmocka_unit_test(test_a_convolution_of_single_channels_takes_what_follows),
        cmocka_unit_test(test_a_convolution_takes_no_sum_that_is_seen_broadcast_or_of_itself),
        cmocka_unit_test(test_other_products_stay_two),
        cmocka_unit_test(test_plans_that_train_or_do_not_fold_stay_as_the_model_is),
        cmocka_unit_test(test_what_somebody_sees_stays),
        cmocka_unit_test(test_double_precision_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
