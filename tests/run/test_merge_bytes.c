/* test_merge_bytes.c - nodes between DequantizeLinear and QuantizeLinear run on bytes where that makes the same numbers
 * or their neighbours, and in floats elsewhere. What they are held against is the plan of every node by itself. */
#include <math.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "nets.h"

struct qnet {
    struct mc_model *net;
    enum mc_dtype dtype; /* of activations */
    int n;               /* names made so far */
};

static struct qnet create(enum mc_dtype dtype)
{
    return (struct qnet){.net = net_create(), .dtype = dtype};
}

static const char *fresh(struct qnet *q)
{
    static char name[16];
    snprintf(name, sizeof name, "v%d", q->n++);
    return name;
}

/* Numbers drawn from [low, high), rounded where they are integers; one number: `low` itself. */
static struct mc_value *constant(struct qnet *q, enum mc_dtype dtype, const struct mc_shape *shape, double low,
                                 double high)
{
    struct mc_error err = {0};
    struct mc_tensor *t;
    struct mc_rng rng;
    mc_rng_init(&rng, 3, (uint64_t)q->n);
    assert_ok(mc_tensor_create(&t, dtype, shape, &err), err);
    for (int64_t i = 0; i < mc_tensor_count(t); i++) {
        const double v = low + (high - low) * mc_rng_uniform(&rng);
        mc_tensor_set_f64(t, i, shape->rank == 0 ? low : dtype == MC_FLOAT ? v : floor(v));
    }
    return mc_graph_add_initializer(q->net->graph, fresh(q), t);
}

static struct mc_value *number(struct qnet *q, enum mc_dtype dtype, double v)
{
    return constant(q, dtype, &(struct mc_shape){0}, v, v);
}

static struct mc_value *node(struct qnet *q, const char *type, struct mc_value *a, struct mc_value *b,
                             struct mc_value *c)
{
    const char *name = fresh(q);
    struct mc_value *out = mc_value_create(q->net->graph, name);
    assert_non_null(mc_node_create(q->net->graph, -1, "", type, name,
                                   c   ? 3
                                   : b ? 2
                                       : 1,
                                   (struct mc_value *[]){a, b, c}, 1, &out));
    return out;
}

static struct mc_value *quantized(struct qnet *q, struct mc_value *x, double scale, double zero)
{
    return node(q, "QuantizeLinear", x, number(q, MC_FLOAT, scale), number(q, q->dtype, zero));
}

/* x as bytes and back. */
static struct mc_value *rounded(struct qnet *q, struct mc_value *x, double scale, double zero)
{
    struct mc_value *bytes = quantized(q, x, scale, zero);
    return node(q, "DequantizeLinear", bytes, number(q, MC_FLOAT, scale), number(q, q->dtype, zero));
}

static struct mc_value *input(struct qnet *q, int rank, const int64_t *dims)
{
    struct mc_value *x = net_input(q->net, fresh(q), rank, dims);
    x->type.dtype = MC_FLOAT;
    return rounded(q, x, 0.02, q->dtype == MC_UINT8 ? 100 : -5);
}

/* Weights of int8, on one scale or on one for each index of `axis`. */
static struct mc_value *weights(struct qnet *q, int rank, const int64_t *dims, int axis)
{
    struct mc_error err = {0};
    const struct mc_shape shape = mc_shape_of(rank, dims);
    const struct mc_shape each = axis < 0 ? (struct mc_shape){0} : mc_shape_of(1, &dims[axis]);
    struct mc_value *w = constant(q, MC_INT8, &shape, -127, 128);
    struct mc_value *y = node(q, "DequantizeLinear", w, constant(q, MC_FLOAT, &each, 0.004, 0.02),
                              constant(q, MC_INT8, &each, axis < 0 ? 3 : -2, 3));
    if (axis >= 0) assert_ok(mc_node_set_int(y->producer, "axis", axis, &err), err);
    return y;
}

static struct mc_value *bias(struct qnet *q, int64_t n)
{
    return constant(q, MC_FLOAT, &(struct mc_shape){.rank = 1, .dim = {n}}, -1, 1);
}

/* y becomes the model's output as bytes; the plan has n_steps, a QuantizeLinear for each input among them. */
static void check(struct qnet *q, struct mc_value *y, double scale, double zero, int n_steps)
{
    static const enum mc_cpu cpus[] = {MC_CPU_PORTABLE, MC_CPU_AVX2, MC_CPU_AVX512};
    net_output(q->net, quantized(q, y, scale, zero));
    struct mc_plan *exact = net_plan(q->net, &(struct mc_plan_options){.no_fold = true});
    for (size_t k = 0; k < MC_COUNT(cpus); k++) {
        struct mc_runtime runtime;
        struct mc_rng rng;
        mc_runtime_init(&runtime, 2, cpus[k]);
        struct mc_plan *plan = net_plan(q->net, &(struct mc_plan_options){.runtime = &runtime});
        assert_int_equal(mc_plan_n_steps(plan), n_steps);
        mc_rng_init(&rng, 5, 0);
        for (int i = 0; i < q->net->graph->n_inputs; i++)
            for (int64_t j = 0; j < mc_tensor_count(mc_plan_input(plan, i)); j++) {
                const double v = 4 * mc_rng_uniform(&rng) - 2;
                mc_tensor_set_f64(mc_plan_input(plan, i), j, v);
                mc_tensor_set_f64(mc_plan_input(exact, i), j, v);
            }
        net_run(plan);
        net_run(exact);
        const struct mc_tensor *a = mc_plan_output(plan, 0), *b = mc_plan_output(exact, 0);
        int64_t n_apart = 0;
        double least = 1e9, most = -1e9;
        for (int64_t i = 0; i < mc_tensor_count(b); i++) {
            const double v = mc_tensor_get_f64(a, i), w = mc_tensor_get_f64(b, i);
            if (!(fabs(v - w) <= 1)) fail_msg("element %d is %g instead of %g", (int)i, v, w);
            n_apart += v != w;
            least = fmin(least, w);
            most = fmax(most, w);
        }
        assert_true(n_apart * 100 <= mc_tensor_count(b)); /* neighbours are rare */
        assert_true(most - least > 20);                   /* and it was no constant that was compared */
        mc_plan_destroy(plan);
    }
    mc_plan_destroy(exact);
    mc_model_destroy(q->net);
}

#define EACH_TYPE(dtype) for (enum mc_dtype dtype = MC_UINT8; dtype <= MC_INT8; dtype++)

static void test_conv(void **state)
{
    EACH_TYPE(dtype)
    for (int axis = -1; axis <= 0; axis++) {
        struct qnet q = create(dtype);
        struct mc_value *x = input(&q, DIMS(2, 5, 7, 6));
        struct mc_value *y = node(&q, "Conv", x, weights(&q, DIMS(9, 5, 3, 3), axis), axis ? NULL : bias(&q, 9));
        check(&q, y, 0.05, 3, 2);
    }
}

static void test_depthwise_conv_and_its_clip(void **state)
{
    EACH_TYPE(dtype)
    for (int clip = 0; clip < 3; clip++) {
        struct qnet q = create(dtype);
        struct mc_error err = {0};
        struct mc_value *x = input(&q, DIMS(1, 70, 6, 7));
        struct mc_value *y = node(&q, "Conv", x, weights(&q, DIMS(70, 1, 3, 3), 0), bias(&q, 70));
        assert_ok(mc_node_set_int(y->producer, "group", 70, &err), err);
        assert_ok(mc_node_set_ints(y->producer, "pads", (const int64_t[]){1, 1, 1, 1}, 4, &err), err);
        if (clip == 1) y = node(&q, "Relu", y, NULL, NULL);
        if (clip == 2) y = node(&q, "Clip", y, number(&q, MC_FLOAT, -1), number(&q, MC_FLOAT, 1.5));
        check(&q, y, 0.025, 0, 2);
    }
}

static void test_gemm_and_matmul(void **state)
{
    EACH_TYPE(dtype)
    for (int kind = 0; kind < 4; kind++) {
        struct qnet q = create(dtype);
        struct mc_error err = {0};
        const bool turned = kind == 1, batch = kind == 3;
        struct mc_value *x = batch ? input(&q, DIMS(2, 3, 37)) : input(&q, DIMS(5, 37)), *y;
        if (kind < 2) {
            struct mc_value *w = turned ? weights(&q, DIMS(21, 37), 0) : weights(&q, DIMS(37, 21), 1);
            y = node(&q, "Gemm", x, w, bias(&q, 21));
            assert_ok(mc_node_set_int(y->producer, "transB", turned, &err), err);
        } else {
            y = node(&q, "MatMul", x, weights(&q, DIMS(37, 21), batch ? 1 : -1), NULL);
        }
        check(&q, y, 0.05, 3, 2);
    }
}

static void test_products_of_activations(void **state)
{
    EACH_TYPE(dtype)
    {
        struct qnet q = create(dtype);
        struct mc_value *a = input(&q, DIMS(2, 4, 9)), *b = input(&q, DIMS(2, 9, 6));
        check(&q, node(&q, "MatMul", a, b, NULL), 0.06, 3, 3);
    }
}

static void test_sums_and_products_element_by_element(void **state)
{
    static const char *const types[] = {"Add", "Mul"};
    EACH_TYPE(dtype)
    for (int kind = 0; kind < 8; kind++) {
        struct qnet q = create(dtype);
        struct mc_value *a = input(&q, DIMS(2, 3, 5, 33)), *b;
        b = kind / 2 == 0   ? input(&q, DIMS(2, 3, 5, 33))
            : kind / 2 == 1 ? input(&q, DIMS(3, 1, 1))
            : kind / 2 == 2 ? input(&q, DIMS(33))
                            : weights(&q, DIMS(5, 1), -1);
        check(&q, node(&q, types[kind % 2], a, b, NULL), 0.03, 3, kind / 2 == 3 ? 2 : 3);
    }
}

static void test_tables(void **state)
{
    static const char *const types[] = {"Sigmoid", "HardSwish", "Tanh", "Relu", "Clip", "Div", "Add"};
    EACH_TYPE(dtype)
    for (size_t i = 0; i < MC_COUNT(types); i++) {
        struct qnet q = create(dtype);
        struct mc_value *x = input(&q, DIMS(2, 3, 50));
        struct mc_value *b = i >= 4 ? number(&q, MC_FLOAT, i == 4 ? -1 : 1.5) : NULL;
        check(&q, node(&q, types[i], x, b, NULL), 0.01, i == 2 ? 10 : 0, 2);
    }
}

static void test_what_only_moves(void **state)
{
    EACH_TYPE(dtype)
    for (int kind = 0; kind < 3; kind++) {
        struct qnet q = create(dtype);
        struct mc_error err = {0};
        struct mc_value *x = input(&q, DIMS(2, 5, 8, 9)), *y;
        if (kind == 0) {
            y = node(&q, "MaxPool", x, NULL, NULL);
            assert_ok(mc_node_set_ints(y->producer, "kernel_shape", (const int64_t[]){3, 2}, 2, &err), err);
        } else {
            y = kind == 1 ? node(&q, "Transpose", x, NULL, NULL)
                          : node(&q, "Concat", x, input(&q, DIMS(2, 5, 8, 9)), NULL);
            if (kind == 2) assert_ok(mc_node_set_int(y->producer, "axis", 1, &err), err);
        }
        check(&q, y, 0.02, dtype == MC_UINT8 ? 100 : -5, kind == 2 ? 4 - 1 : 2);
    }
}

static void test_means_of_planes(void **state)
{
    EACH_TYPE(dtype)
    {
        struct qnet q = create(dtype);
        check(&q, node(&q, "GlobalAveragePool", input(&q, DIMS(3, 40, 3, 3)), NULL, NULL), 0.02, 3, 2);
    }
}

/* What somebody else reads, what changes scale on the way and what lies on two sides of a node that has no rule stays.
 */
static void test_the_rest_stays_in_floats(void **state)
{
    struct qnet q = create(MC_UINT8);
    struct mc_value *x = input(&q, DIMS(2, 4, 30));
    check(&q, node(&q, "Transpose", x, NULL, NULL), 0.03, 100, 4);

    q = create(MC_UINT8);
    x = input(&q, DIMS(2, 4, 30));
    struct mc_value *y = node(&q, "Sigmoid", x, NULL, NULL);
    struct mc_value *other = node(&q, "Neg", y, NULL, NULL);
    check(&q, node(&q, "Add", y, other, NULL)->producer->inputs[0], 0.005, 0, 4);

    q = create(MC_UINT8);
    x = net_input(q.net, "x", DIMS(2, 4, 30));
    x->type.dtype = MC_FLOAT;
    check(&q, node(&q, "Sigmoid", x, NULL, NULL), 0.005, 0, 2);
}

/* What is dequantized once may be read by several. */
static void test_shared_operands(void **state)
{
    struct qnet q = create(MC_UINT8);
    struct mc_value *x = input(&q, DIMS(2, 4, 5, 6));
    struct mc_value *y = node(&q, "Conv", x, weights(&q, DIMS(4, 4, 1, 1), 0), NULL);
    struct mc_value *z = rounded(&q, y, 0.05, 128);
    check(&q, node(&q, "Add", x, z, NULL), 0.0613, 120, 3);
}

/* No step reads the weights as floats, so nobody makes them. */
static void test_weights_are_not_dequantized(void **state)
{
    struct qnet q = create(MC_UINT8);
    struct mc_value *x = input(&q, DIMS(1, 64, 6, 6)), *w = weights(&q, DIMS(64, 64, 5, 5), 0);
    net_output(q.net, quantized(&q, node(&q, "Conv", x, w, NULL), 0.05, 128));
    struct mc_plan *plan = net_plan(q.net, &(struct mc_plan_options){0});
    assert_null(mc_plan_facts(plan)->of[w->id].constant);
    mc_plan_destroy(plan);
    mc_model_destroy(q.net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conv),
        cmocka_unit_test(test_depthwise_conv_and_its_clip),
        cmocka_unit_test(test_gemm_and_matmul),
        cmocka_unit_test(test_products_of_activations),
        cmocka_unit_test(test_sums_and_products_element_by_element),
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_what_only_moves),
        cmocka_unit_test(test_means_of_planes),
        cmocka_unit_test(test_the_rest_stays_in_floats),
        cmocka_unit_test(test_shared_operands),
        cmocka_unit_test(test_weights_are_not_dequantized),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
