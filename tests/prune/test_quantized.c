/* test_quantized.c - nets of bytes between DequantizeLinear and QuantizeLinear lose channels, scales and zero points.
 */
#include <math.h>

#include "nets.h"
#include "prune/prune.h"
#include "test.h"

enum { IN = 6, HIDDEN = 8, OUT = 3 };

static struct mc_value *bytes(struct net *net, const char *name, enum mc_dtype dtype, int64_t rows, int64_t columns,
                              int low, int high)
{
    struct mc_error err = {0};
    struct mc_tensor *t;
    const struct mc_shape shape = {.rank = columns ? 2 : rows ? 1 : 0, .dim = {rows, columns}};
    assert_ok(mc_tensor_create(&t, dtype, &shape, &err), err);
    for (int64_t i = 0; i < mc_tensor_count(t); i++)
        mc_tensor_set_f64(t, i, low + (double)mc_rng_below(&net->rng, (uint64_t)(high - low + 1)));
    return mc_graph_add_initializer_fresh(net->model->graph, name, t);
}

static struct mc_value *number(struct net *net, const char *name, double value)
{
    struct mc_value *v = bytes(net, name, MC_FLOAT, 0, 0, 0, 0);
    mc_tensor_set_f64(v->data, 0, value);
    return v;
}

static struct mc_value *on_axis(struct mc_value *y, int64_t axis)
{
    struct mc_error err = {0};
    assert_ok(mc_node_set_int(y->producer, "axis", axis, &err), err);
    return y;
}

/* A matrix of bytes, with a scale and a zero point for each column. */
static struct mc_value *weight(struct net *net, int64_t rows, int64_t columns, struct mc_value **scales)
{
    struct mc_value *w = bytes(net, "w", MC_UINT8, rows, columns, 0, 255);
    *scales = net_weight(net, "scale", 0.02, 0.001, columns, 0, 0, 0);
    struct mc_value *zeros = bytes(net, "zero", MC_UINT8, columns, 0, 100, 140);
    return on_axis(net_node(net, "DequantizeLinear", w, *scales, zeros), 1);
}

static struct mc_value *rounded(struct net *net, struct mc_value *x)
{
    struct mc_value *scale = number(net, "step", 0.05), *zero = bytes(net, "middle", MC_UINT8, 0, 0, 128, 128);
    return net_node(net, "DequantizeLinear", net_node(net, "QuantizeLinear", x, scale, zero), scale, zero);
}

static struct mc_value *build(struct net *net)
{
    struct mc_value *scales, *of_head;
    net_start(net, 8);
    struct mc_value *x = rounded(net, net_input(net, IN, 0, 0));
    x = net_node(net, "MatMul", x, weight(net, IN, HIDDEN, &scales), NULL);
    x = net_node(net, "Relu", net_node(net, "Add", x, net_weight(net, "b", 0, 0.1, HIDDEN, 0, 0, 0), NULL), NULL, NULL);
    x = net_node(net, "MatMul", rounded(net, x), weight(net, HIDDEN, OUT, &of_head), NULL);
    net_output(net, x);
    return scales;
}

static void test_channels_of_bytes_go(void **state)
{
    struct net net;
    struct mc_error err = {0};
    struct mc_record *section;
    struct mc_shrink_options options;
    struct mc_value *scales = build(&net);
    for (int i = 0; i < HIDDEN; i += 2) mc_tensor_set_f64(scales->data, i, 0.002); /* which says what goes */
    mc_shrink_options_init(&options);
    mc_runtime_init(&options.runtime, 1, MC_CPU_AVX512);
    assert_ok(mc_record_create(&section, &err), err);
    assert_ok(mc_shrink(net.model, &options, section, NULL, &err), err);
    if (!mc_record_get(section, "twin.max_difference"))
        fail_msg("the twin was not checked: %s", mc_record_get_text(section, "twin.why", ""));
    const struct mc_tensor *left = net_find(net.model, "scale")->data;
    assert_int_equal(left->shape.dim[0], HIDDEN / 2);
    for (int i = 0; i < HIDDEN / 2; i++) assert_true(mc_tensor_get_f64(left, i) > 0.01);
    assert_int_equal(net_find(net.model, "zero")->data->shape.dim[0], HIDDEN / 2);
    assert_int_equal(net_find(net.model, "w")->data->shape.dim[1], HIDDEN / 2);
    assert_int_equal(net_find(net.model, "w_1")->data->shape.dim[0], HIDDEN / 2);
    assert_int_equal(net_find(net.model, "w_1")->data->shape.dim[1], OUT);
    mc_record_destroy(section);
    net_finish(&net);
}

/* One scale for runs of columns: nothing can go along them. */
static void test_blocks_hold_their_axis(void **state)
{
    struct net net;
    struct mc_error err = {0};
    struct mc_shrink_options options;
    net_start(&net, 9);
    struct mc_value *w = bytes(&net, "w", MC_INT8, IN, HIDDEN, -127, 127);
    struct mc_value *d =
        on_axis(net_node(&net, "DequantizeLinear", w, net_weight(&net, "scale", 1, 0.1, IN, 2, 0, 0), NULL), 1);
    assert_ok(mc_node_set_int(d->producer, "block_size", HIDDEN / 2, &err), err);
    struct mc_value *x = net_node(&net, "MatMul", net_input(&net, IN, 0, 0), d, NULL);
    net_output(&net, net_matmul(&net, x, HIDDEN, OUT));
    mc_shrink_options_init(&options);
    mc_runtime_init(&options.runtime, 1, MC_CPU_AVX512);
    assert_int_equal(mc_shrink(net.model, &options, NULL, NULL, &err), MC_ERR_UNSUPPORTED);
    net_finish(&net);
}

/* A matrix as the numbers that its bytes stand for. */
static double decoded(const struct net *net, const char *w, const char *scale, const char *zero, int64_t k, int64_t m)
{
    const struct mc_tensor *t = net_find(net->model, w)->data;
    return (mc_tensor_get_f64(t, k * t->shape.dim[1] + m) - mc_tensor_get_f64(net_find(net->model, zero)->data, m)) *
           mc_tensor_get_f64(net_find(net->model, scale)->data, m);
}

/* Channels that go said 0.5 all along. */
static void test_constants_go_into_biases_of_integers(void **state)
{
    const double step = 0.001;
    struct net net;
    struct mc_error err = {0};
    struct mc_record *section;
    struct mc_shrink_options options;
    struct mc_value *scales, *of_head;
    double moved[OUT] = {0}, before[OUT];
    net_start(&net, 8);
    struct mc_value *x = net_node(&net, "MatMul", net_input(&net, IN, 0, 0), weight(&net, IN, HIDDEN, &scales), NULL);
    x = net_node(&net, "Add", x, net_weight(&net, "b", 0.5, 0, HIDDEN, 0, 0, 0), NULL);
    struct mc_value *w = weight(&net, HIDDEN, OUT, &of_head), *codes = bytes(&net, "codes", MC_INT32, OUT, 0, -99, 99);
    struct mc_value *bias = on_axis(net_node(&net, "DequantizeLinear", codes, number(&net, "fine", step), NULL), 0);
    net_output(&net, net_node(&net, "Gemm", rounded(&net, x), w, bias));
    for (int i = 0; i < HIDDEN; i += 2) mc_tensor_set_f64(scales->data, i, 1e-6); /* which says what goes */
    for (int m = 0; m < OUT; m++) {
        before[m] = mc_tensor_get_f64(codes->data, m);
        for (int k = 0; k < HIDDEN; k += 2) moved[m] += 0.5 * decoded(&net, "w_1", "scale_1", "zero_1", k, m);
    }
    mc_shrink_options_init(&options);
    mc_runtime_init(&options.runtime, 1, MC_CPU_AVX512);
    assert_ok(mc_record_create(&section, &err), err);
    assert_ok(mc_shrink(net.model, &options, section, NULL, &err), err);
    assert_int_equal(mc_record_get_int(section, "constants_moved", 0), HIDDEN / 2);
    for (int m = 0; m < OUT; m++) {
        const double after = mc_tensor_get_f64(net_find(net.model, "codes")->data, m);
        assert_true(fabs(moved[m]) > 10 * step);
        assert_true(fabs((after - before[m]) * step - moved[m]) <= step);
    }
    mc_record_destroy(section);
    net_finish(&net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_channels_of_bytes_go),
        cmocka_unit_test(test_blocks_hold_their_axis),
        cmocka_unit_test(test_constants_go_into_biases_of_integers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
