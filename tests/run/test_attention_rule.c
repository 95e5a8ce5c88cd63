/* test_attention_rule.c - attention in exporters' spellings is one step, and computes what its nodes do. */
#include <math.h>

#include "nets.h"

enum { N = 2, L = 6, HEADS = 2, D = 4 };

/* How the nodes are written, and what is not attention. */
enum {
    SCALED_Q = 1,
    SCALED_K = 2, /* behind its transposition */
    SCALED_SCORES = 4,
    CONSTANT_MASK = 8,
    FED_MASK = 16,
    CAUSAL = 32,        /* by Where; the scores come second */
    WINDOWS = 64,       /* a mask of another rank than the scores */
    ZEROED = 128,       /* shares that are NaN */
    FORBIDDEN = 256,    /* the constant mask leaves nothing to the first query */
    HEADS_STAY = 512,   /* no transposition behind */
    SPLIT = 1024,       /* queries, keys and values by Split, keys transposed at once */
    SEEN = 2048,        /* somebody else reads the shares */
    SCALED_LAST = 4096, /* masked scores are scaled */
};

static struct mc_value *number(struct mc_model *net, const char *name, enum mc_dtype dtype, double x)
{
    struct mc_error err = {0};
    struct mc_tensor *t;
    assert_ok(mc_tensor_create(&t, dtype, &(struct mc_shape){0}, &err), err);
    mc_tensor_set_f64(t, 0, x);
    return mc_graph_add_initializer(net->graph, name, t);
}

static struct mc_value *tensor(struct mc_model *net, const char *name, enum mc_dtype dtype, int rank,
                               const int64_t *dims, double (*element)(int64_t i))
{
    struct mc_error err = {0};
    struct mc_tensor *t;
    const struct mc_shape shape = mc_shape_of(rank, dims);
    assert_ok(mc_tensor_create(&t, dtype, &shape, &err), err);
    for (int64_t i = 0; i < mc_tensor_count(t); i++) mc_tensor_set_f64(t, i, element(i));
    return mc_graph_add_initializer(net->graph, name, t);
}

static double bias(int64_t i)
{
    return 0.5 * cos(0.7 * (double)i);
}

static double forbid_first(int64_t i)
{
    return i < L ? -INFINITY : bias(i);
}

static double is_later(int64_t i)
{
    return i % L > i / L % L;
}

static struct mc_value *transpose(struct mc_model *net, const char *name, struct mc_value *x, int n,
                                  const int64_t *perm)
{
    struct mc_error err = {0};
    struct mc_value *y = net_node(net, "Transpose", name, x, NULL);
    assert_ok(mc_node_set_ints(y->producer, "perm", perm, n, &err), err);
    return y;
}

static struct mc_value *where(struct mc_model *net, const char *name, struct mc_value *condition, struct mc_value *yes,
                              struct mc_value *no)
{
    struct mc_value *y = mc_value_create(net->graph, name);
    struct mc_value *in[] = {condition, yes, no};
    assert_non_null(mc_node_create(net->graph, -1, "", "Where", name, 3, in, 1, &y));
    return y;
}

struct heads {
    struct mc_value *q, *kt, *v;
};

/* x: [N, L, 3 heads d], cut after it was brought into heads. */
static struct heads cut_late(struct mc_model *net, struct mc_value *x)
{
    struct mc_value *all = net_node(net, "Reshape", "all", x, net_ints(net, "parts", INTS(N, L, 3, HEADS, D)));
    struct mc_value *part[3], *t = transpose(net, "front", all, INTS(2, 0, 3, 1, 4));
    const char *names[][2] = {{"q", "0"}, {"k", "1"}, {"v", "2"}};
    for (int i = 0; i < 3; i++)
        part[i] = net_node(net, "Gather", names[i][0], t, number(net, names[i][1], MC_INT64, i));
    return (struct heads){part[0], transpose(net, "kt", part[1], INTS(0, 1, 3, 2)), part[2]};
}

static struct heads cut_early(struct mc_model *net, struct mc_value *x)
{
    struct mc_error err = {0};
    struct mc_value *part[3];
    const char *names[] = {"a", "b", "c"}, *heads[] = {"ha", "hb", "hc"};
    for (int i = 0; i < 3; i++) part[i] = mc_value_create(net->graph, names[i]);
    struct mc_node *split = mc_node_create(net->graph, -1, "", "Split", "split", 1, (struct mc_value *[]){x}, 3, part);
    assert_ok(mc_node_set_int(split, "axis", 2, &err), err);
    struct mc_value *shape = net_ints(net, "shape", INTS(N, L, HEADS, D));
    for (int i = 0; i < 3; i++) part[i] = net_node(net, "Reshape", heads[i], part[i], shape);
    return (struct heads){transpose(net, "q", part[0], INTS(0, 2, 1, 3)),
                          transpose(net, "kt", part[1], INTS(0, 2, 3, 1)),
                          transpose(net, "v", part[2], INTS(0, 2, 1, 3))};
}

static struct mc_value *masked(struct mc_model *net, struct mc_value *s, int how)
{
    if (how & CONSTANT_MASK)
        s = net_node(net, "Add", "m1",
                     tensor(net, "bias", MC_FLOAT, DIMS(1, HEADS, L, L), how & FORBIDDEN ? forbid_first : bias), s);
    if (how & WINDOWS) {
        struct mc_value *apart = net_node(net, "Reshape", "apart", s, net_ints(net, "s5", INTS(1, N, HEADS, L, L)));
        struct mc_value *sum = net_node(net, "Add", "m5", apart, tensor(net, "w", MC_FLOAT, DIMS(1, N, 1, L, L), bias));
        s = net_node(net, "Reshape", "back", sum, net_ints(net, "s4", INTS(N, HEADS, L, L)));
    }
    if (how & FED_MASK) {
        struct mc_value *mask = net_input(net, "mask", DIMS(N, 1, 1, L));
        mask->type.dtype = MC_FLOAT;
        s = net_node(net, "Add", "m2", s, mask);
    }
    if (how & CAUSAL)
        s = where(net, "m3", tensor(net, "later", MC_BOOL, DIMS(1, 1, L, L), is_later),
                  number(net, "low", MC_FLOAT, -1e9), s);
    return how & SCALED_LAST ? net_node(net, "Mul", "last", s, number(net, "l", MC_FLOAT, 0.5)) : s;
}

static struct mc_model *attention(int how, int64_t axis)
{
    struct mc_model *net = net_create();
    struct mc_error err = {0};
    struct mc_value *x = net_input(net, "x", DIMS(N, L, 3 * HEADS * D));
    x->type.dtype = MC_FLOAT;
    struct heads h = how & SPLIT ? cut_early(net, x) : cut_late(net, x);
    if (how & SCALED_Q) h.q = net_node(net, "Mul", "sq", h.q, number(net, "root", MC_FLOAT, 0.7));
    if (how & SCALED_K) h.kt = net_node(net, "Mul", "sk", number(net, "other root", MC_FLOAT, 0.8), h.kt);
    struct mc_value *s = net_node(net, "MatMul", "scores", h.q, h.kt);
    if (how & SCALED_SCORES) s = net_node(net, "Div", "scaled", s, number(net, "by", MC_FLOAT, 2));
    struct mc_value *p = net_node(net, "Softmax", "shares", masked(net, s, how), NULL);
    assert_ok(mc_node_set_int(p->producer, "axis", axis, &err), err);
    if (how & ZEROED) {
        struct mc_value *is_nan = net_node(net, "IsNaN", "nan", p, NULL);
        p = where(net, "zeroed", is_nan, number(net, "zero", MC_FLOAT, 0), p);
    }
    struct mc_value *y = net_node(net, "MatMul", "y", p, h.v);
    if (!(how & HEADS_STAY)) y = transpose(net, "together", y, INTS(0, 2, 1, 3));
    net_output(net, y);
    if (how & SEEN) net_output(net, p);
    return net;
}

static void check(int how, int64_t axis, bool one)
{
    struct mc_model *net = attention(how, axis);
    struct mc_plan *plans[2];
    for (int i = 0; i < 2; i++) {
        plans[i] = net_plan(net, &(struct mc_plan_options){.no_fold = i});
        for (int k = 0; k < mc_plan_n_inputs(plans[i]); k++)
            for (int64_t j = 0; j < mc_tensor_count(mc_plan_input(plans[i], k)); j++)
                mc_tensor_set_f64(mc_plan_input(plans[i], k), j, 2 * sin(1.3 * (double)j));
        net_run(plans[i]);
    }
    assert_int_equal(mc_plan_n_steps(plans[0]) == 1, one);
    const struct mc_tensor *fused = mc_plan_output(plans[0], 0), *alone = mc_plan_output(plans[1], 0);
    assert_true(mc_shape_equal(&fused->shape, &alone->shape));
    for (int64_t j = 0; j < mc_tensor_count(alone); j++) {
        const double a = mc_tensor_get_f64(fused, j), b = mc_tensor_get_f64(alone, j);
        assert_true(isnan(b) ? isnan(a) : fabs(a - b) <= 2e-6);
    }
    for (int i = 0; i < 2; i++) mc_plan_destroy(plans[i]);
    mc_model_destroy(net);
}

static void test_attention_is_one_step_in_every_spelling(void **state)
{
    const int scales[] = {0, SCALED_Q, SCALED_Q | SCALED_K, SCALED_SCORES};
    const int masks[] = {0, CONSTANT_MASK, FED_MASK, CAUSAL, CONSTANT_MASK | WINDOWS, FED_MASK | CAUSAL};
    for (size_t i = 0; i < sizeof scales / sizeof *scales; i++)
        for (size_t k = 0; k < sizeof masks / sizeof *masks; k++)
            for (int cut = 0; cut < 2; cut++)
                check(scales[i] | masks[k] | (cut ? SPLIT : 0) | (k % 2 ? HEADS_STAY : 0), -1, true);
    check(SCALED_Q, 3, true);
}

static void test_a_query_that_may_look_at_nothing_is_what_its_nodes_say(void **state)
{
    check(CONSTANT_MASK | FORBIDDEN, -1, true);
    check(CONSTANT_MASK | FORBIDDEN | ZEROED, -1, true);
}

static void test_what_is_nearly_attention_is_not(void **state)
{
    check(SCALED_Q, 2, false);
    check(SCALED_Q | SEEN, -1, false);
    check(CONSTANT_MASK | SCALED_LAST, -1, false);
    check(CONSTANT_MASK | FED_MASK | CAUSAL, -1, false); /* more masks than the step takes */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attention_is_one_step_in_every_spelling),
        cmocka_unit_test(test_a_query_that_may_look_at_nothing_is_what_its_nodes_say),
        cmocka_unit_test(test_what_is_nearly_attention_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
