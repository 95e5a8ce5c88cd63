/* test_fused_transformer.c - what ONNX Runtime's optimizer makes of a transformer loses width, neurons and features. */
#include <math.h>
#include <string.h>

#include "nets.h"
#include "op/ops.h"
#include "prune/prune.h"
#include "test.h"

enum { TOKENS = 5, WORDS = 20, WIDTH = 12, HEADS = 3, FEATURES = 4, INNER = 16 };

#define VALUES(...)                                                                                                    \
    (struct mc_value *const[]){__VA_ARGS__}, sizeof((struct mc_value *const[]){__VA_ARGS__}) / sizeof(void *)

static struct mc_value *fused(struct net *net, const char *type, struct mc_value *const *in, size_t n)
{
    struct mc_value *y = mc_value_create_fresh(net->model->graph, type);
    assert_non_null(y);
    assert_non_null(mc_node_create(net->model->graph, -1, "com.microsoft", type, y->name, (int)n, in, 1, &y));
    return y;
}

static void start(struct net *net, uint64_t seed)
{
    static struct mc_opset opsets[] = {{.domain = "", .version = 17}, {.domain = "com.microsoft", .version = 1}};
    net_start(net, seed);
    net->model->opsets = opsets;
    net->model->n_opsets = 2;
}

static struct mc_value *vector(struct net *net, const char *name, int64_t n)
{
    return net_weight(net, name, 0.5, 0.3, n, 0, 0, 0);
}

static struct mc_value *matrix(struct net *net, const char *name, int64_t rows, int64_t columns)
{
    return net_weight(net, name, 0, 0.4, rows, columns, 0, 0);
}

static struct mc_value *with_heads(struct mc_value *y)
{
    struct mc_error err = {0};
    assert_ok(mc_node_set_int(y->producer, "num_heads", HEADS, &err), err);
    return y;
}

static struct mc_value *norm(struct net *net, struct mc_value *x, struct mc_value *skip)
{
    return fused(net, "SkipLayerNormalization",
                 VALUES(x, skip, vector(net, "norm.scale", WIDTH), vector(net, "norm.shift", WIDTH),
                        vector(net, "norm.bias", WIDTH)));
}

static struct mc_value *embed(struct net *net)
{
    struct mc_error err = {0};
    struct mc_value *ids = mc_value_create(net->model->graph, "ids");
    ids->type = (struct mc_type){.dtype = MC_INT32, .rank = 2, .dim = {-1, TOKENS}, .param = {"N"}};
    assert_ok(mc_graph_add_input(net->model->graph, ids, &err), err);
    return fused(net, "EmbedLayerNormalization",
                 VALUES(ids, NULL, matrix(net, "words", WORDS, WIDTH), matrix(net, "places", TOKENS, WIDTH), NULL,
                        vector(net, "embed.scale", WIDTH), vector(net, "embed.shift", WIDTH)));
}

static struct mc_value *perceptron(struct net *net, struct mc_value *x)
{
    x = net_node(net, "MatMul", x, matrix(net, "up", WIDTH, INNER), NULL);
    x = fused(net, "BiasGelu", VALUES(x, vector(net, "up.bias", INNER)));
    return net_node(net, "MatMul", x, matrix(net, "down", INNER, WIDTH), NULL);
}

static void finish(struct net *net, struct mc_value *x)
{
    net_output(net, net_node(net, "MatMul", x, matrix(net, "head", WIDTH, 3), NULL));
}

/* Halve everything; the masked twin agrees. Returns the share of the multiply-accumulates that is said to stay. */
static double halve(struct net *net)
{
    struct mc_error err = {0};
    struct mc_record *section;
    struct mc_shrink_options options;
    mc_shrink_options_init(&options);
    mc_runtime_init(&options.runtime, 1, MC_CPU_AVX512);
    assert_ok(mc_record_create(&section, &err), err);
    assert_ok(mc_shrink(net->model, &options, section, NULL, &err), err);
    if (!mc_record_get(section, "twin.max_difference"))
        fail_msg("the twin was not checked: %s", mc_record_get_text(section, "twin.why", ""));
    const double share = mc_record_get_num(section, "macs_after", 0) / mc_record_get_num(section, "macs_before", 1);
    mc_record_destroy(section);
    return share;
}

static void expect(const struct net *net, const char *name, int64_t rows, int64_t columns)
{
    const struct mc_shape *shape = &net_find(net->model, name)->data->shape;
    if (shape->dim[0] != rows || (columns > 0 && shape->dim[1] != columns))
        fail_msg("%s is [%lld, %lld]", name, (long long)shape->dim[0], (long long)shape->dim[1]);
}

static const struct mc_node *find_node(const struct net *net, const char *type)
{
    const struct mc_graph *graph = net->model->graph;
    for (int i = 0; i < graph->n_nodes; i++)
        if (strcmp(graph->nodes[i]->type, type) == 0) return graph->nodes[i];
    fail_msg("there is no %s", type);
    return NULL;
}

static void test_attention_with_its_projections(void **state)
{
    struct net net;
    enum { ALL = HEADS * FEATURES };
    start(&net, 11);
    struct mc_value *x = embed(&net);
    struct mc_value *y = with_heads(
        fused(&net, "Attention", VALUES(x, matrix(&net, "qkv", WIDTH, 3 * ALL), vector(&net, "qkv.bias", 3 * ALL))));
    x = norm(&net, net_node(&net, "MatMul", y, matrix(&net, "out", ALL, WIDTH), NULL), x);
    finish(&net, norm(&net, perceptron(&net, x), x));
    const double all = WIDTH * 3 * ALL + TOKENS * 2 * ALL + ALL * WIDTH + 2 * WIDTH * INNER + WIDTH * 3;
    const double kept = (WIDTH * 2.5 * ALL + ALL * WIDTH / 2.0 + WIDTH * INNER + WIDTH * 3) / 2 + TOKENS * 1.5 * ALL;
    assert_true(fabs(halve(&net) - kept / all) < 1e-9);
    expect(&net, "words", WORDS, WIDTH / 2);
    expect(&net, "qkv", WIDTH / 2, 2 * ALL + ALL / 2); /* queries and keys stay */
    expect(&net, "qkv.bias", 2 * ALL + ALL / 2, 0);
    expect(&net, "out", ALL / 2, WIDTH / 2);
    expect(&net, "up", WIDTH / 2, INNER / 2);
    expect(&net, "head", WIDTH / 2, 3);
    int64_t n;
    const int64_t *sizes = mc_node_ints(find_node(&net, "Attention"), "qkv_hidden_sizes", &n);
    assert_true(n == 3 && sizes[0] == ALL && sizes[1] == ALL && sizes[2] == ALL / 2);
    net_finish(&net);
}

static struct mc_value *project(struct net *net, const char *name, struct mc_value *x)
{
    return net_node(net, "MatMul", x, matrix(net, name, WIDTH, HEADS * FEATURES), NULL);
}

static void check_multi_head(bool bias)
{
    struct net net;
    enum { ALL = HEADS * FEATURES };
    start(&net, 12);
    struct mc_value *x = embed(&net), *q = project(&net, "q", x), *k = project(&net, "k", x),
                    *v = project(&net, "v", x);
    struct mc_value *b = bias ? vector(&net, "qkv.bias", 3 * ALL) : NULL;
    struct mc_value *y = with_heads(fused(&net, "MultiHeadAttention", VALUES(q, k, v, b)));
    finish(&net, norm(&net, net_node(&net, "MatMul", y, matrix(&net, "out", ALL, WIDTH), NULL), x));
    halve(&net);
    expect(&net, "q", WIDTH / 2, bias ? ALL : ALL / 2);
    expect(&net, "k", WIDTH / 2, bias ? ALL : ALL / 2);
    expect(&net, "v", WIDTH / 2, ALL / 2);
    if (bias) expect(&net, "qkv.bias", 2 * ALL + ALL / 2, 0);
    const float scale = mc_node_float(find_node(&net, "MultiHeadAttention"), "scale", 0);
    assert_true(scale == (bias ? 0 : 0.5F)); /* of four features, as they were trained */
    net_finish(&net);
}

static void test_attention_on_projected_operands(void **state)
{
    check_multi_head(false);
    check_multi_head(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attention_with_its_projections),
        cmocka_unit_test(test_attention_on_projected_operands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
