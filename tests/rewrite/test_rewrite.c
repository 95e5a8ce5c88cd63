/* test_rewrite.c - what each pass does, and what it leaves alone.
 *
 * Every model here is run before and after on the same numbers; mc_rewrite's own check is not relied on. */
#include "rewrite/rewrite.h"

#include <math.h>
#include <string.h>

#include "alloc_fail.h"
#include "nets.h"
#include "op/ops.h"
#include "recipe/steps.h"

static uint64_t pass_bit(const char *name)
{
    for (size_t i = 0; i < mc_passes_count; i++)
        if (strcmp(mc_passes[i]->name, name) == 0) return UINT64_C(1) << i;
    fail_msg("no pass '%s'", name);
    return 0;
}

/* Outputs one behind the other, for inputs that are sin(1), sin(2), … */
static int outputs_of(struct mc_model *net, double *numbers, int room)
{
    struct mc_plan *plan = net_plan(net, &(struct mc_plan_options){.dims = {.batch = 3}});
    int n = 0, drawn = 0;
    for (int i = 0; i < net->graph->n_inputs; i++) {
        struct mc_tensor *x = mc_plan_input(plan, i);
        for (int64_t k = 0; k < mc_tensor_count(x); k++) mc_tensor_set_f64(x, k, sin(++drawn));
    }
    net_run(plan);
    for (int i = 0; i < mc_plan_n_outputs(plan); i++)
        for (int64_t k = 0; k < mc_tensor_count(mc_plan_output(plan, i)) && n < room; k++)
            numbers[n++] = mc_tensor_get_f64(mc_plan_output(plan, i), k);
    mc_plan_destroy(plan);
    return n;
}

/* Rewrite by these passes ("a,b"; NULL: all) to so many nodes. The outputs, their names and those of the inputs stay.
 */
static void check_within(struct mc_model *net, const char *passes, int n_nodes, double tolerance)
{
    enum { ROOM = 4096 };
    static double before[ROOM], after[ROOM];
    struct mc_error err = {0};
    struct mc_rewrite_options options;
    char name[64];
    mc_rewrite_options_init(&options);
    options.dims.batch = 3;
    if (passes) options.passes = 0;
    for (const char *p = passes; p && *p; p += strcspn(p, ",") + (p[strcspn(p, ",")] == ',')) {
        snprintf(name, sizeof name, "%.*s", (int)strcspn(p, ","), p);
        options.passes |= pass_bit(name);
    }
    const int n = outputs_of(net, before, ROOM);
    snprintf(name, sizeof name, "%s", net->graph->outputs[0]->name);
    assert_ok(mc_rewrite(net, &options, NULL, &err), err);
    assert_int_equal(net->graph->n_nodes, n_nodes);
    assert_string_equal(net->graph->outputs[0]->name, name);
    assert_int_equal(outputs_of(net, after, ROOM), n);
    for (int i = 0; i < n; i++)
        if (!(fabs(after[i] - before[i]) <= tolerance * fmax(1, fabs(before[i]))))
            fail_msg("output %d is %.17g after, %.17g before", i, after[i], before[i]);
    mc_model_destroy(net);
}

static void check(struct mc_model *net, const char *passes, int n_nodes)
{
    check_within(net, passes, n_nodes, 1e-12);
}

static struct mc_node *node(struct mc_model *net, const char *type, const char *name, int n, struct mc_value *const *in)
{
    struct mc_value *y = mc_value_create(net->graph, name);
    struct mc_node *made = mc_node_create(net->graph, -1, "", type, name, n, in, 1, &y);
    assert_non_null(made);
    return made;
}

#define IN(...)                                                                                                        \
    (int)(sizeof((struct mc_value *[]){__VA_ARGS__}) / sizeof(struct mc_value *)), (struct mc_value *[])               \
    {                                                                                                                  \
        __VA_ARGS__                                                                                                    \
    }

/* --- affine --- */

static struct mc_value *norm(struct mc_model *net, struct mc_value *x, int64_t n)
{
    static const double positive[] = {1.5, 0.25, 2, 0.75, 1, 3};
    return node(net, "BatchNormalization", "norm",
                IN(x, net_param(net, "scale", DIMS(n), NULL), net_param(net, "shift", DIMS(n), NULL),
                   net_param(net, "mean", DIMS(n), positive), net_param(net, "variance", DIMS(n), positive)))
        ->outputs[0];
}

static struct mc_value *image(struct mc_model *net)
{
    struct mc_value *x = net_input(net, "x", DIMS(-1, 4, 5, 6));
    return x;
}

static void test_batch_normalization_goes_into_a_convolution(void **state)
{
    for (int bias = 0; bias < 2; bias++) {
        struct mc_error err = {0};
        struct mc_model *net = net_create();
        struct mc_value *w = net_param(net, "w", DIMS(6, 2, 3, 3), NULL), *b = net_param(net, "b", DIMS(6), NULL);
        struct mc_node *conv =
            bias ? node(net, "Conv", "conv", IN(image(net), w, b)) : node(net, "Conv", "conv", IN(image(net), w));
        assert_ok(mc_node_set_int(conv, "group", 2, &err), err);
        net_output(net, net_node(net, "Relu", "y", norm(net, conv->outputs[0], 6), NULL));
        check(net, NULL, 2);
    }
}

static void test_and_into_a_transposed_one_of_groups(void **state)
{
    struct mc_error err = {0};
    struct mc_model *net = net_create();
    struct mc_node *conv =
        node(net, "ConvTranspose", "conv", IN(image(net), net_param(net, "w", DIMS(4, 3, 2, 2), NULL)));
    assert_ok(mc_node_set_int(conv, "group", 2, &err), err);
    net_output(net, norm(net, conv->outputs[0], 6)); /* which keeps its name */
    check(net, "affine", 1);
}

static void test_factors_and_addends_go_into_what_is_before_them(void **state)
{
    static const char *const types[] = {"Add", "Sub", "Mul", "Div"};
    for (int k = 0; k < 16; k++) {
        struct mc_error err = {0};
        struct mc_model *net = net_create();
        const bool second = k / 4 % 2, single = k / 8;
        struct mc_value *x = net_input(net, "x", DIMS(-1, 4));
        struct mc_node *gemm =
            node(net, "Gemm", "gemm", IN(x, net_param(net, "w", DIMS(3, 4), NULL), net_param(net, "c", DIMS(3), NULL)));
        assert_ok(mc_node_set_int(gemm, "transB", 1, &err), err);
        assert_ok(mc_node_set_float(gemm, "beta", 2, &err), err);
        struct mc_value *constant =
            single ? net_param(net, "k", DIMS(1), NUMBERS(3)) : net_param(net, "k", DIMS(1, 3), NULL);
        net_output(net, net_node(net, types[k % 4], "y", second ? constant : gemm->outputs[0],
                                 second ? gemm->outputs[0] : constant));
        check(net, "affine,dead", second && k % 4 == 3 ? 2 : 1); /* a constant over y is no factor */
    }
}

static void test_matmul_takes_factors_alone(void **state)
{
    for (int add = 0; add < 2; add++) {
        struct mc_model *net = net_create();
        struct mc_value *x = net_input(net, "x", DIMS(-1, 2, 4));
        struct mc_value *y = net_node(net, "MatMul", "product", x, net_param(net, "w", DIMS(4, 3), NULL));
        net_output(net, net_node(net, add ? "Add" : "Mul", "y", y, net_param(net, "k", DIMS(3), NULL)));
        check(net, "affine", 1 + add);
    }
}

/* Conv -> Mul, with something in the way. */
static void test_affine_leaves_alone_what_others_see(void **state)
{
    for (int kind = 0; kind < 6; kind++) {
        struct mc_model *net = net_create();
        struct mc_value *x = image(net), *w = net_param(net, "w", DIMS(6, 4, 1, 1), NULL);
        struct mc_value *conv = net_node(net, "Conv", "conv", x, w);
        struct mc_value *k = kind == 0   ? net_param(net, "k", DIMS(1, 6, 5, 6), NULL) /* differs by position */
                             : kind == 1 ? net_param(net, "k", DIMS(1, 1, 6, 1, 1), NULL)
                             : kind == 2 ? net_input(net, "k", DIMS(6, 1, 1))
                                         : net_param(net, "k", DIMS(6, 1, 1), NULL);
        net_output(net, net_node(net, "Mul", "y", conv, k));
        int n = 2;
        if (kind == 3) net_output(net, conv);
        if (kind == 4) net_output(net, net_node(net, "Relu", "z", conv, NULL)), n++;
        if (kind == 5) net_output(net, net_node(net, "Conv", "z", x, w)), n++; /* the same weights */
        check(net, "affine", n);
    }
}

static void test_statistics_of_the_batch_stay(void **state)
{
    struct mc_error err = {0};
    struct mc_model *net = net_create();
    struct mc_value *conv = net_node(net, "Conv", "conv", image(net), net_param(net, "w", DIMS(6, 4, 1, 1), NULL));
    struct mc_value *y = norm(net, conv, 6);
    assert_ok(mc_node_set_int(y->producer, "training_mode", 1, &err), err);
    net_output(net, y);
    check(net, "affine", 2);
}

/* --- identity, transpose, reshape --- */

static void test_nodes_that_do_nothing_go(void **state)
{
    struct mc_error err = {0};
    struct mc_model *net = net_create();
    struct mc_value *x = net_input(net, "x", DIMS(2, 4));
    struct mc_value *v = net_node(net, "Dropout", "off", net_node(net, "Identity", "same", x, NULL), NULL);
    struct mc_node *cast = node(net, "Cast", "cast", IN(v)),
                   *turn = node(net, "Transpose", "turn", IN(cast->outputs[0]));
    assert_ok(mc_node_set_int(cast, "to", MC_DOUBLE, &err), err);
    assert_ok(mc_node_set_ints(turn, "perm", (int64_t[]){0, 1}, 2, &err), err);
    v = net_node(net, "Reshape", "view", turn->outputs[0], net_ints(net, "shape", INTS(2, 4)));
    net_output(net, net_node(net, "Identity", "y", net_node(net, "Neg", "minus", v, NULL), NULL));
    check(net, "identity", 1);
}

static void test_an_identity_between_input_and_output_stays(void **state)
{
    struct mc_model *net = net_create();
    net_output(net, net_node(net, "Identity", "y", net_input(net, "x", DIMS(3)), NULL));
    check(net, NULL, 1);
}

/* With an open batch a view may change nothing for one and something for another. */
static void test_views_of_an_open_extent_stay(void **state)
{
    struct mc_model *net = net_create();
    struct mc_value *x = net_input(net, "x", DIMS(-1, 4));
    struct mc_value *v = net_node(net, "Reshape", "view", x, net_ints(net, "shape", INTS(3, 4)));
    net_output(net, net_node(net, "Neg", "y", v, NULL));
    check(net, "identity", 2);
}

static void test_transpositions_join(void **state)
{
    for (int back = 0; back < 2; back++) {
        struct mc_error err = {0};
        struct mc_model *net = net_create();
        struct mc_node *first = node(net, "Transpose", "first", IN(net_input(net, "x", DIMS(2, 3, 4))));
        struct mc_node *second = node(net, "Transpose", "second", IN(first->outputs[0]));
        assert_ok(mc_node_set_ints(first, "perm", (int64_t[]){1, 2, 0}, 3, &err), err);
        assert_ok(mc_node_set_ints(second, "perm", back ? (int64_t[]){2, 0, 1} : (int64_t[]){0, 2, 1}, 3, &err), err);
        net_output(net, net_node(net, "Neg", "y", second->outputs[0], NULL));
        check(net, "transpose,identity,dead", 2 - back);
    }
}

static void test_views_join_unless_they_copy_extents(void **state)
{
    for (int copies = 0; copies < 2; copies++) {
        struct mc_model *net = net_create();
        struct mc_value *x = net_input(net, "x", DIMS(-1, 3, 4));
        struct mc_value *flat = net_node(net, "Flatten", "flat", x, NULL);
        struct mc_value *shape =
            copies ? net_ints(net, "shape", INTS(0, 6, 2)) : net_ints(net, "shape", INTS(-1, 6, 2));
        net_output(net, net_node(net, "Reshape", "y", flat, shape));
        check(net, "reshape,dead", 1 + copies);
    }
}

/* --- fuse --- */

static struct mc_value *number(struct mc_model *net, const char *name, int n, double value)
{
    struct mc_error err = {0};
    struct mc_tensor *t;
    const struct mc_shape shape = n ? mc_shape_of(1, (int64_t[]){n}) : (struct mc_shape){0};
    assert_ok(mc_tensor_create(&t, MC_FLOAT, &shape, &err), err);
    for (int i = 0; i < mc_tensor_count(t); i++) mc_tensor_set_f64(t, i, value + i);
    return mc_graph_add_initializer(net->graph, name, t);
}

static struct mc_model *floats(int64_t opset, struct mc_value **x)
{
    struct mc_error err = {0};
    struct mc_model *net;
    assert_ok(mc_model_create(&net, opset, &err), err);
    *x = net_input(net, "x", DIMS(-1, 4, 5));
    (*x)->type.dtype = MC_FLOAT;
    return net;
}

static void test_gelu_and_swish_where_the_opset_has_them(void **state)
{
    for (int64_t opset = 19; opset <= 24; opset++) {
        struct mc_value *x;
        struct mc_model *net = floats(opset, &x);
        struct mc_value *d = net_node(net, "Div", "d", x, number(net, "root", 0, sqrt(2)));
        struct mc_value *p = net_node(net, "Add", "p", net_node(net, "Erf", "e", d, NULL), number(net, "one", 0, 1));
        struct mc_value *g = net_node(net, "Mul", "g", net_node(net, "Mul", "m", x, p), number(net, "half", 0, 0.5));
        net_output(net, net_node(net, "Mul", "y", g, net_node(net, "Sigmoid", "s", g, NULL)));
        check_within(net, "fuse,dead", (opset >= 20 ? 1 : 5) + (opset >= 24 ? 1 : 2), 1e-6);
    }
}

/* Attention over x as queries, keys and values of two heads. `swapped`: the keys' transposition is another one. */
static struct mc_model *attention(int64_t opset, bool swapped)
{
    struct mc_error err = {0};
    struct mc_value *x;
    struct mc_model *net = floats(opset, &x);
    const int64_t heads[] = {0, 2, 1, 3}, rows[] = {0, 1, 3, 2}, both[] = {0, 2, 3, 1}, parts[] = {0, 4, 1, 5};
    struct mc_tensor *t;
    assert_ok(mc_tensor_create(&t, MC_INT64, &(struct mc_shape){.rank = 1, .dim = {4}}, &err), err);
    memcpy(t->data, parts, sizeof parts);
    struct mc_node *r = node(net, "Reshape", "r", IN(x, mc_graph_add_initializer(net->graph, "parts", t)));
    struct mc_node *q = node(net, "Transpose", "q", IN(r->outputs[0]));
    struct mc_node *k = node(net, "Transpose", "k", IN(swapped ? r->outputs[0] : q->outputs[0]));
    assert_ok(mc_node_set_ints(q, "perm", heads, 4, &err), err);
    assert_ok(mc_node_set_ints(k, "perm", swapped ? both : rows, 4, &err), err);
    struct mc_value *scores = net_node(net, "MatMul", "scores", q->outputs[0], k->outputs[0]);
    struct mc_value *scaled = net_node(net, "Mul", "scaled", scores, number(net, "scale", 0, 0.3));
    struct mc_value *masked = net_node(net, "Add", "masked", scaled, number(net, "mask", 4, -1));
    struct mc_value *shares = net_node(net, "Softmax", "shares", masked, NULL);
    net_output(net, net_node(net, "MatMul", "y", shares, q->outputs[0]));
    return net;
}

static void test_attention_where_the_opset_has_it(void **state)
{
    check_within(attention(23, false), "fuse,dead", 3, 1e-6);
    check_within(attention(22, false), "fuse,dead", 8, 1e-6);
    check_within(attention(23, true), "fuse,dead", 8, 1e-6);
}

/* The axes are an attribute before version 18. */
static struct mc_value *mean(struct mc_model *net, int64_t opset, const char *name, struct mc_value *x, int n,
                             const int64_t *axes)
{
    struct mc_error err = {0};
    struct mc_tensor *t;
    if (opset < 18) {
        struct mc_node *reduce = node(net, "ReduceMean", name, IN(x));
        assert_ok(mc_node_set_ints(reduce, "axes", axes, n, &err), err);
        return reduce->outputs[0];
    }
    assert_ok(mc_tensor_create(&t, MC_INT64, &(struct mc_shape){.rank = 1, .dim = {n}}, &err), err);
    memcpy(t->data, axes, (size_t)n * sizeof *axes);
    return net_node(net, "ReduceMean", name, x, mc_graph_add_initializer(net->graph, "axes", t));
}

/* In the spelling of older exporters. `axes`: of the means; `seen`: the variance is an output. */
static struct mc_model *normalization(int64_t opset, int64_t axis, bool squares, bool seen)
{
    struct mc_value *x;
    struct mc_model *net = floats(opset, &x);
    struct mc_value *d = net_node(net, "Sub", "d", x, mean(net, opset, "mean", x, 1, &axis));
    struct mc_value *square =
        squares ? net_node(net, "Mul", "square", d, d) : net_node(net, "Pow", "square", d, number(net, "two", 0, 2));
    struct mc_value *variance = mean(net, opset, "variance", square, 1, &axis);
    struct mc_value *e = net_node(net, "Add", "e", variance, number(net, "epsilon", 0, 1e-3));
    struct mc_value *n = net_node(net, "Div", "n", d, net_node(net, "Sqrt", "root", e, NULL));
    struct mc_value *m = net_node(net, "Mul", "m", n, number(net, "scale", 5, 0.5));
    net_output(net, net_node(net, "Add", "y", m, number(net, "shift", 5, -1)));
    if (seen) net_output(net, variance);
    return net;
}

static void test_layer_normalization(void **state)
{
    check_within(normalization(17, -1, false, false), "fuse,dead", 1, 1e-5);
    check_within(normalization(17, -1, true, false), "fuse,dead", 1, 1e-5);
    check_within(normalization(16, -1, false, false), "fuse,dead", 9, 1e-5);
    check_within(normalization(17, -2, false, false), "fuse,dead", 9, 1e-5);
    check_within(normalization(17, -1, false, true), "fuse,dead", 9, 1e-5);
    check_within(normalization(23, -1, false, false), "fuse,dead", 1, 1e-5); /* not RMSNormalization of x - mean */
}

/* x / sqrt(mean(x^2) + epsilon) * scale, whose root divides, or is inverted by Reciprocal or by 1 / root. */
static struct mc_model *root_mean_square(int64_t opset, int how, bool both_axes)
{
    struct mc_error err = {0};
    struct mc_value *x;
    struct mc_model *net = floats(opset, &x);
    const int64_t axes[] = {2, 1};
    struct mc_value *square = net_node(net, "Pow", "p", x, number(net, "two", 0, 2));
    struct mc_value *of_squares = mean(net, opset, "mean", square, both_axes ? 2 : 1, axes);
    struct mc_value *e = net_node(net, "Add", "e", number(net, "epsilon", 0, 1e-3), of_squares);
    struct mc_value *root = net_node(net, "Sqrt", "root", e, NULL), *n;
    if (how == 0)
        n = net_node(net, "Div", "n", x, root);
    else if (how == 1)
        n = net_node(net, "Mul", "n", net_node(net, "Reciprocal", "r", root, NULL), x);
    else
        n = net_node(net, "Mul", "n", x, net_node(net, "Div", "r", number(net, "one", 0, 1), root));
    struct mc_tensor *t;
    const struct mc_shape shape = both_axes ? mc_shape_of(2, (int64_t[]){4, 5}) : mc_shape_of(1, (int64_t[]){5});
    assert_ok(mc_tensor_create(&t, MC_FLOAT, &shape, &err), err);
    for (int64_t i = 0; i < mc_tensor_count(t); i++) mc_tensor_set_f64(t, i, 0.5 + 0.1 * (double)i);
    net_output(net, net_node(net, "Mul", "y", n, mc_graph_add_initializer(net->graph, "scale", t)));
    return net;
}

static void test_root_mean_square_where_the_opset_has_it(void **state)
{
    for (int how = 0; how < 3; how++)
        for (int both = 0; both < 2; both++) {
            check_within(root_mean_square(23, how, both), "fuse,dead", 1, 1e-5);
            check_within(root_mean_square(22, how, both), "fuse,dead", how ? 7 : 6, 1e-5);
        }
}

/* --- fold, common, share, dead --- */

static void test_constants_are_computed_once(void **state)
{
    struct mc_model *net = net_create();
    struct mc_value *x = net_input(net, "x", DIMS(-1, 3));
    struct mc_value *k = net_node(net, "Neg", "minus", net_param(net, "k", DIMS(3), NULL), NULL);
    k = net_node(net, "Mul", "twice", k, net_param(net, "two", DIMS(1), NUMBERS(2)));
    net_output(net, net_node(net, "Add", "y", x, k));
    check(net, "fold", 1);
}

static void test_what_depends_on_the_batch_or_would_grow_stays(void **state)
{
    struct mc_model *net = net_create();
    struct mc_value *x = net_input(net, "x", DIMS(-1, 3));
    struct mc_value *shape = net_node(net, "Shape", "shape", x, NULL);
    net_output(net, net_node(net, "Expand", "y", net_param(net, "k", DIMS(1), NULL), shape));
    check(net, "fold", 2);
    net = net_create();
    shape = net_ints(net, "large", INTS(100, 100));
    struct mc_value *large = net_node(net, "Expand", "wide", net_param(net, "k", DIMS(1), NULL), shape);
    net_output(net, net_node(net, "Add", "y", net_input(net, "x", DIMS(100, 1)), large));
    check(net, "fold", 2);
}

static void test_weights_in_few_bits_stay_so(void **state)
{
    for (int halves = 0; halves < 2; halves++) {
        struct mc_error err = {0};
        struct mc_model *net = net_create();
        struct mc_tensor *codes;
        const struct mc_shape shape = {.rank = 2, .dim = {4, 3}};
        struct mc_value *x = net_input(net, "x", DIMS(-1, 4));
        assert_ok(mc_tensor_create(&codes, halves ? MC_FLOAT16 : MC_INT8, &shape, &err), err);
        for (int i = 0; i < 12; i++) mc_tensor_set_f64(codes, i, i - 5);
        struct mc_value *w = mc_graph_add_initializer(net->graph, "w", codes);
        struct mc_node *wide = node(net, "Cast", "wide", IN(w));
        assert_ok(mc_node_set_int(wide, "to", MC_DOUBLE, &err), err);
        if (!halves) {
            struct mc_tensor *scale;
            assert_ok(mc_tensor_create(&scale, MC_FLOAT, &(struct mc_shape){.rank = 0}, &err), err);
            mc_tensor_set_f64(scale, 0, 0.5);
            mc_node_remove(wide);
            wide = node(net, "DequantizeLinear", "floats", IN(w, mc_graph_add_initializer(net->graph, "scale", scale)));
            wide = node(net, "Cast", "double", IN(wide->outputs[0]));
            assert_ok(mc_node_set_int(wide, "to", MC_DOUBLE, &err), err);
        }
        net_output(net, net_node(net, "MatMul", "y", x, wide->outputs[0]));
        check(net, NULL, halves ? 2 : 3);
    }
}

static void test_a_known_shape_is_a_constant(void **state)
{
    struct mc_model *net = net_create();
    struct mc_value *x = net_input(net, "x", DIMS(2, 3));
    struct mc_value *shape = net_node(net, "Shape", "shape", x, NULL);
    net_output(net, net_node(net, "Reshape", "y", net_node(net, "Flatten", "flat", x, NULL), shape));
    check(net, "fold", 2);
}

static void test_the_same_twice_is_done_once(void **state)
{
    struct mc_error err = {0};
    struct mc_model *net = net_create();
    struct mc_value *x = net_input(net, "x", DIMS(-1, 3)), *y[4];
    for (int i = 0; i < 4; i++) {
        struct mc_node *leaky = node(net, "LeakyRelu", (const char *[]){"a", "b", "c", "d"}[i], IN(x));
        assert_ok(mc_node_set_float(leaky, "alpha", i < 3 ? 0.5f : 0.25f, &err), err);
        y[i] = leaky->outputs[0];
    }
    net_output(net,
               net_node(net, "Add", "y", net_node(net, "Add", "p", y[0], y[1]), net_node(net, "Sub", "q", y[2], y[3])));
    check(net, "common", 5);
}

static void test_random_numbers_are_drawn_each_for_itself(void **state)
{
    struct mc_error err = {0};
    struct mc_model *net = net_create();
    struct mc_value *x = net_input(net, "x", DIMS(2, 3));
    struct mc_value *a = net_node(net, "RandomNormalLike", "a", x, NULL),
                    *b = net_node(net, "RandomNormalLike", "b", x, NULL);
    net_output(net, net_node(net, "Sub", "y", a, b));
    struct mc_rewrite_options options;
    mc_rewrite_options_init(&options);
    mc_ops_bind(net);
    assert_ok(mc_rewrite(net, &options, NULL, &err), err);
    assert_int_equal(net->graph->n_nodes, 3);
    mc_model_destroy(net);
}

static void test_equal_initializers_become_one(void **state)
{
    struct mc_model *net = net_create();
    struct mc_value *x = net_input(net, "x", DIMS(-1, 3));
    struct mc_value *a = net_node(net, "Add", "a", x, net_param(net, "k", DIMS(3), NULL));
    struct mc_value *b = net_node(net, "Mul", "b", a, net_param(net, "l", DIMS(3), NULL));
    net_output(net, net_node(net, "Mul", "y", b, net_param(net, "m", DIMS(1, 3), NULL))); /* of another shape */
    struct mc_error err = {0};
    struct mc_rewrite_options options;
    mc_rewrite_options_init(&options);
    options.passes = pass_bit("share");
    mc_ops_bind(net);
    assert_ok(mc_rewrite(net, &options, NULL, &err), err);
    assert_int_equal(net->graph->n_initializers, 2);
    mc_model_destroy(net);
}

static void test_what_nobody_uses_goes_and_what_a_branch_sees_stays(void **state)
{
    struct mc_error err = {0};
    struct mc_model *net = net_create();
    struct mc_value *x = net_input(net, "x", DIMS(2, 3)), *k = net_param(net, "k", DIMS(3), NULL);
    net_node(net, "Neg", "unused", net_node(net, "Add", "too", x, net_param(net, "lost", DIMS(3), NULL)), NULL);
    struct mc_value *seen = net_node(net, "Mul", "seen", x, k);
    struct mc_tensor *yes;
    const struct mc_shape scalar = {0};
    assert_ok(mc_tensor_create(&yes, MC_BOOL, &scalar, &err), err);
    mc_tensor_set_f64(yes, 0, 1);
    struct mc_node *branch = node(net, "If", "y", IN(mc_graph_add_initializer(net->graph, "yes", yes)));
    for (int i = 0; i < 2; i++) {
        struct mc_graph *graph = mc_graph_create(net, net->graph, i ? "else" : "then");
        struct mc_value *out = mc_value_create(graph, i ? "e" : "t");
        assert_non_null(mc_node_create(graph, -1, "", "Neg", "", 1, &seen, 1, &out));
        assert_ok(mc_graph_add_output(graph, out, &err), err);
        assert_ok(mc_node_set_graph(branch, i ? "else_branch" : "then_branch", graph, &err), err);
    }
    net_output(net, branch->outputs[0]);
    check(net, NULL, 2);
}

/* --- the whole --- */

static struct mc_model *something(void)
{
    struct mc_model *net = net_create();
    struct mc_value *conv = net_node(net, "Conv", "conv", image(net), net_param(net, "w", DIMS(6, 4, 1, 1), NULL));
    struct mc_value *k = net_node(net, "Neg", "k", net_param(net, "j", DIMS(6, 1, 1), NULL), NULL);
    struct mc_value *v = net_node(net, "Mul", "v", norm(net, conv, 6), k);
    net_output(net,
               net_node(net, "Add", "y", net_node(net, "Relu", "r", v, NULL), net_node(net, "Relu", "s", v, NULL)));
    return net;
}

static void test_passes_build_on_each_other(void **state)
{
    check(something(), NULL, 3);
}

static int attempt(void *context)
{
    struct mc_error err = {0};
    struct mc_model *net = context, *copy;
    struct mc_rewrite_options options;
    mc_rewrite_options_init(&options);
    mc_runtime_init(&options.runtime, 1, MC_CPU_AVX512);
    int rc = mc_model_clone(&copy, net, false, &err);
    if (rc < 0) return rc;
    mc_ops_bind(copy);
    rc = mc_rewrite(copy, &options, NULL, &err);
    assert_int_equal(copy->graph->n_nodes, rc == MC_OK ? 3 : 7);
    mc_model_destroy(copy);
    return rc;
}

static void test_failed_allocations_leave_the_model_alone(void **state)
{
    struct mc_model *net = something();
    mc_ops_bind(net);
    alloc_fail_each(attempt, net);
    mc_model_destroy(net);
}

static void test_recipes_name_the_passes_in_their_order(void **state)
{
    for (size_t i = 0; i < mc_step_optimize.n_options; i++) {
        char word[32];
        for (size_t k = 0; k < mc_passes_count; k++) {
            assert_true(mc_choice_word(mc_step_optimize.options[i].choices, (int)k, word, sizeof word));
            assert_string_equal(word, mc_passes[k]->name);
        }
        assert_false(mc_choice_word(mc_step_optimize.options[i].choices, (int)mc_passes_count, word, sizeof word));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batch_normalization_goes_into_a_convolution),
        cmocka_unit_test(test_and_into_a_transposed_one_of_groups),
        cmocka_unit_test(test_factors_and_addends_go_into_what_is_before_them),
        cmocka_unit_test(test_matmul_takes_factors_alone),
        cmocka_unit_test(test_affine_leaves_alone_what_others_see),
        cmocka_unit_test(test_statistics_of_the_batch_stay),
        cmocka_unit_test(test_nodes_that_do_nothing_go),
        cmocka_unit_test(test_an_identity_between_input_and_output_stays),
        cmocka_unit_test(test_views_of_an_open_extent_stay),
        cmocka_unit_test(test_transpositions_join),
        cmocka_unit_test(test_views_join_unless_they_copy_extents),
        cmocka_unit_test(test_gelu_and_swish_where_the_opset_has_them),
        cmocka_unit_test(test_attention_where_the_opset_has_it),
        cmocka_unit_test(test_layer_normalization),
        cmocka_unit_test(test_root_mean_square_where_the_opset_has_it),
        cmocka_unit_test(test_constants_are_computed_once),
        cmocka_unit_test(test_what_depends_on_the_batch_or_would_grow_stays),
        cmocka_unit_test(test_weights_in_few_bits_stay_so),
        cmocka_unit_test(test_a_known_shape_is_a_constant),
        cmocka_unit_test(test_the_same_twice_is_done_once),
        cmocka_unit_test(test_random_numbers_are_drawn_each_for_itself),
        cmocka_unit_test(test_equal_initializers_become_one),
        cmocka_unit_test(test_what_nobody_uses_goes_and_what_a_branch_sees_stays),
        cmocka_unit_test(test_passes_build_on_each_other),
        cmocka_unit_test(test_failed_allocations_leave_the_model_alone),
        cmocka_unit_test(test_recipes_name_the_passes_in_their_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
