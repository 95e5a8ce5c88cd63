/* test_channels_last.c - networks whose activations lie channels last compute what they compute row-major.
 *
 * Convolutions wish that order where oneDNN runs them. Each network is run and gone back through both ways, in float32,
 * in training and in inference, on one and on two threads. */
#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "kernel/runtime.h"
#include "nets.h"
#include "run/plan_state.h"

/* A random float32 tensor within [low, low + 1). */
static struct mc_tensor *random_tensor(struct mc_shape shape, double low, uint64_t stream)
{
    struct mc_error err = {0};
    struct mc_tensor *t;
    struct mc_rng rng;
    mc_rng_init(&rng, 3, stream);
    assert_ok(mc_tensor_create(&t, MC_FLOAT, &shape, &err), err);
    for (int64_t i = 0; i < mc_tensor_count(t); i++) mc_tensor_set_f64(t, i, low + mc_rng_range(&rng, 0, 1));
    return t;
}

static struct mc_value *param(struct mc_model *net, double low, int rank, const int64_t *dims)
{
    struct mc_tensor *t = random_tensor(mc_shape_of(rank, dims), low, (uint64_t)net->n_values);
    return mc_graph_add_initializer_fresh(net->graph, "parameter", t);
}

static struct mc_node *node(struct mc_model *net, const char *type, int n_in, struct mc_value *const *in)
{
    struct mc_value *out = mc_value_create_fresh(net->graph, type);
    struct mc_node *made = mc_node_create(net->graph, -1, "", type, type, n_in, in, 1, &out);
    assert_non_null(made);
    return made;
}

static struct mc_value *unary(struct mc_model *net, const char *type, struct mc_value *x)
{
    return node(net, type, 1, &x)->outputs[0];
}

static struct mc_value *binary(struct mc_model *net, const char *type, struct mc_value *a, struct mc_value *b)
{
    return node(net, type, 2, (struct mc_value *const[]){a, b})->outputs[0];
}

/* Without a bias where a normalization follows, whose gradient would be nothing but rounding. */
static struct mc_value *conv(struct mc_model *net, struct mc_value *x, int64_t from, int64_t to, int64_t kernel,
                             bool has_bias)
{
    struct mc_error err = {0};
    const int64_t pad = kernel / 2, pads[] = {pad, pad, pad, pad};
    struct mc_value *in[] = {x, param(net, -.5, DIMS(to, from, kernel, kernel)), param(net, -.5, DIMS(to))};
    struct mc_node *made = node(net, "Conv", has_bias ? 3 : 2, in);
    assert_ok(mc_node_set_ints(made, "pads", pads, 4, &err), err);
    return made->outputs[0];
}

static struct mc_value *norm(struct mc_model *net, struct mc_value *x, int64_t channels)
{
    struct mc_value *in[] = {x, param(net, .5, DIMS(channels)), param(net, -.5, DIMS(channels)),
                             param(net, -.5, DIMS(channels)), param(net, .5, DIMS(channels))};
    return node(net, "BatchNormalization", 5, in)->outputs[0];
}

static struct mc_value *pool(struct mc_model *net, const char *type, struct mc_value *x, int64_t high, int64_t wide,
                             int64_t stride, int64_t pad)
{
    struct mc_error err = {0};
    const int64_t kernel[] = {high, wide}, strides[] = {stride, stride}, pads[] = {pad, 0, 0, pad};
    struct mc_node *made = node(net, type, 1, &x);
    assert_ok(mc_node_set_ints(made, "kernel_shape", kernel, 2, &err), err);
    assert_ok(mc_node_set_ints(made, "strides", strides, 2, &err), err);
    assert_ok(mc_node_set_ints(made, "pads", pads, 4, &err), err);
    assert_ok(mc_node_set_int(made, "ceil_mode", 1, &err), err);
    return made->outputs[0];
}

static struct mc_value *image(struct mc_model *net, int rank, const int64_t *dims)
{
    struct mc_value *x = net_input(net, "x", rank, dims);
    x->type.dtype = MC_FLOAT;
    return x;
}

/* All that may lie last, with more channels than a vector and no multiple of one; and a residual. */
static void build_residual(struct mc_model *net)
{
    struct mc_value *x = image(net, DIMS(3, 3, 13, 11));
    struct mc_value *a = unary(net, "Relu", norm(net, conv(net, x, 3, 20, 3, false), 20));
    a = pool(net, "MaxPool", a, 3, 2, 2, 1);
    struct mc_value *b = unary(net, "Sigmoid", norm(net, conv(net, a, 20, 37, 3, false), 37));
    b = norm(net, conv(net, b, 37, 20, 1, false), 20);
    struct mc_value *c = pool(net, "AveragePool", unary(net, "Relu", binary(net, "Add", a, b)), 2, 3, 1, 1);
    net_output(net, unary(net, "Flatten", unary(net, "GlobalAveragePool", conv(net, c, 20, 300, 1, true))));
}

/* Pools between an order and the other, in both directions. */
static void build_borders(struct mc_model *net)
{
    struct mc_value *x = image(net, DIMS(2, 5, 9, 12));
    struct mc_value *a = conv(net, pool(net, "AveragePool", x, 2, 2, 1, 1), 5, 17, 3, true);
    struct mc_value *b = conv(net, pool(net, "MaxPool", x, 3, 2, 2, 1), 5, 6, 3, true);
    net_output(net, unary(net, "Flatten", pool(net, "MaxPool", a, 2, 2, 2, 0)));
    net_output(net, unary(net, "Flatten", pool(net, "AveragePool", b, 2, 2, 2, 0)));
    net_output(net, unary(net, "GlobalMaxPool", unary(net, "Tanh", conv(net, b, 6, 7, 1, true))));
}

/* What is broadcast has channels or positions: a gate of a squeeze-excite block on either side, per-channel numbers of
 * fewer axes, slopes, a map of positions made by a pool over nothing else. */
static void build_gates(struct mc_model *net)
{
    struct mc_value *x = image(net, DIMS(2, 3, 9, 7));
    struct mc_value *a = conv(net, x, 3, 19, 3, true);
    a = binary(net, "Mul", a, unary(net, "Sigmoid", a));
    struct mc_value *gate = unary(net, "Sigmoid", conv(net, unary(net, "GlobalAveragePool", a), 19, 19, 1, true));
    struct mc_value *b = binary(net, "Add", binary(net, "Mul", gate, a), param(net, 0, DIMS(19, 1, 1)));
    b = binary(net, "Sub", b, param(net, -.5, DIMS(1, 1, 9, 7)));
    b = binary(net, "Div", b, param(net, 1, DIMS(1, 19, 1, 1)));
    b = binary(net, "Mul", binary(net, "PRelu", b, param(net, 0, DIMS(19, 1, 1))), param(net, 1, DIMS(7)));
    net_output(net, unary(net, "Flatten", conv(net, b, 19, 5, 3, true)));
}

/* --- running --- */

enum { MAX_RESULTS = 64 };

struct results {
    int n, n_last;
    struct mc_tensor *of[MAX_RESULTS];
};

static void take(struct results *r, const struct mc_tensor *t)
{
    struct mc_error err = {0};
    assert_true(r->n < MAX_RESULTS);
    assert_false(t->channels_last);
    assert_ok(mc_tensor_create(&r->of[r->n], MC_FLOAT, &t->shape, &err), err);
    memcpy(r->of[r->n++]->data, t->data, mc_tensor_bytes(t));
}

static void go_back(struct mc_plan *plan, int n_wrt, struct results *r)
{
    struct mc_error err = {0};
    for (int i = 0; i < mc_plan_n_outputs(plan); i++) {
        struct mc_tensor *g = mc_plan_grad_output(plan, i);
        for (int64_t k = 0; k < mc_tensor_count(g); k++) mc_tensor_set_f64(g, k, sin((double)(k + i)));
    }
    assert_ok(mc_plan_backward(plan, &err), err);
    for (int i = 0; i < n_wrt; i++)
        if (mc_plan_grad(plan, i)) take(r, mc_plan_grad(plan, i));
}

/* Outputs and gradients of a network by this runtime. */
static void run_net(void (*build)(struct mc_model *), bool training, const struct mc_runtime *runtime,
                    struct results *r)
{
    struct mc_model *net = net_create();
    build(net);
    const struct mc_value *wrt[MAX_RESULTS] = {mc_model_input(net, 0)};
    int n_wrt = 1;
    for (int i = 0; i < net->graph->n_initializers; i++) wrt[n_wrt++] = net->graph->initializers[i];
    const struct mc_plan_options options = {.runtime = runtime, .training = training, .n_wrt = n_wrt, .wrt = wrt};
    struct mc_plan *plan = net_plan(net, &options);
    struct mc_tensor *x = mc_plan_input(plan, 0), *numbers = random_tensor(x->shape, -.5, 99);
    memcpy(x->data, numbers->data, mc_tensor_bytes(x));
    mc_tensor_destroy(numbers);
    net_run(plan);
    for (int i = 0; i < mc_plan_n_outputs(plan); i++) take(r, mc_plan_output(plan, i));
    if (training) go_back(plan, n_wrt, r);
    for (int i = 0; i < plan->n_values; i++) r->n_last += plan->values[i].tensor.channels_last;
    mc_plan_destroy(plan);
    mc_model_destroy(net);
}

static void compare(const struct results *a, const struct results *b)
{
    assert_int_equal(a->n, b->n);
    for (int i = 0; i < a->n; i++) {
        double most = 1e-3;
        for (int64_t k = 0; k < mc_tensor_count(a->of[i]); k++) most = fmax(most, fabs(mc_tensor_get_f64(a->of[i], k)));
        for (int64_t k = 0; k < mc_tensor_count(a->of[i]); k++) {
            const double x = mc_tensor_get_f64(a->of[i], k), y = mc_tensor_get_f64(b->of[i], k);
            if (!(fabs(x - y) <= 1e-4 * most)) fail_msg("result %d, element %d: %.8g, row-major %.8g", i, (int)k, x, y);
        }
    }
}

static void release(struct results *r)
{
    for (int i = 0; i < r->n; i++) mc_tensor_destroy(r->of[i]);
}

/* At least so many values lie last in inference, where steps are merged, and in training. */
static void check(void (*build)(struct mc_model *), int in_inference, int in_training)
{
    for (int kind = 0; kind < 4; kind++) {
        struct mc_runtime last, first;
        struct results a = {0}, b = {0};
        mc_runtime_init(&last, 1 + kind % 2, MC_CPU_AVX512);
        first = last;
        first.use_onednn = first.channels_last = false;
        run_net(build, kind / 2 == 1, &last, &a);
        run_net(build, kind / 2 == 1, &first, &b);
        assert_int_equal(b.n_last, 0);
        const int least_last = kind / 2 == 1 ? in_training : in_inference;
        assert_true(a.n_last >= least_last);
        compare(&a, &b);
        release(&a);
        release(&b);
    }
}

static void test_a_residual_network_computes_the_same_channels_last(void **state)
{
    check(build_residual, 7, 13);
}

static void test_pools_pass_from_one_order_to_the_other(void **state)
{
    check(build_borders, 4, 4);
}

static void test_broadcast_operands_follow_the_order(void **state)
{
    check(build_gates, 8, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_residual_network_computes_the_same_channels_last),
        cmocka_unit_test(test_pools_pass_from_one_order_to_the_other),
        cmocka_unit_test(test_broadcast_operands_follow_the_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
