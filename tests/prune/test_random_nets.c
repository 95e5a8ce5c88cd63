/* test_random_nets.c - random networks, each shrunk by random options.
 *
 * mc_shrink compares every one with its masked twin; here it must succeed, the twin must have been run, and the
 * parameters must have become fewer. A net that fails is built again with fewer and fewer blocks, and the smallest that
 * still fails is printed with its seed.
 *
 *     test_random_nets            a hundred of each kind
 *     test_random_nets N [SEED]   N of each kind, from a seed on
 */
#include "nets.h"
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "prune/prune.h"

static const char *const activations[] = {"Relu", "Sigmoid", "Tanh", "Elu", "LeakyRelu", "HardSwish"};
enum { N_ACTIVATIONS = 6 };

static struct mc_value *activate(struct net *net, struct mc_value *x)
{
    return net_node(net, activations[mc_rng_below(&net->rng, N_ACTIVATIONS)], x, NULL, NULL);
}

/* A feature map under construction. */
struct map {
    struct mc_value *v;
    int64_t c, h;
};

static struct map convolve(struct net *net, struct map x, int64_t out)
{
    struct mc_rng *rng = &net->rng;
    const int64_t kernel = 1 + 2 * (int64_t)mc_rng_below(rng, 2);
    const bool norm = mc_rng_below(rng, 2);
    x.v = net_conv(net, x.v, x.c, out, kernel, 1, kernel / 2, 1, !norm || mc_rng_below(rng, 2));
    if (norm) x.v = net_batch_norm(net, x.v, out);
    x.c = out;
    if (mc_rng_below(rng, 4)) x.v = activate(net, x.v);
    return x;
}

static struct map residual(struct net *net, struct map x)
{
    struct map branch = convolve(net, convolve(net, x, 2 + (int64_t)mc_rng_below(&net->rng, 6)), x.c);
    x.v = net_node(net, "Add", mc_rng_below(&net->rng, 2) ? x.v : branch.v, branch.v, NULL);
    if (mc_rng_below(&net->rng, 2)) x.v = net_node(net, "Add", x.v, branch.v, NULL);
    return x;
}

static struct map depthwise(struct net *net, struct map x)
{
    x.v = activate(net, net_conv(net, x.v, x.c, x.c, 3, 1, 1, x.c, true));
    return x;
}

static struct map grouped(struct net *net, struct map x)
{
    if (x.c % 2) return x;
    const int64_t out = 2 * (2 + (int64_t)mc_rng_below(&net->rng, 4));
    x.v = activate(net, net_conv(net, x.v, x.c, out, 3, 1, 1, 2, true));
    x.c = out;
    return x;
}

static struct map concatenate(struct net *net, struct map x)
{
    if (x.c > 24) return x;
    const struct map y = convolve(net, x, 2 + (int64_t)mc_rng_below(&net->rng, 6));
    x.v = mc_rng_below(&net->rng, 2) ? net_concat(net, x.v, y.v) : net_concat(net, y.v, x.v);
    x.c += y.c;
    return x;
}

/* Squeeze and excitation: channels times a gate computed from them. */
static struct map gate(struct net *net, struct map x)
{
    struct mc_value *g = net_node(net, "GlobalAveragePool", x.v, NULL, NULL);
    g = net_node(net, "Relu", net_conv(net, g, x.c, 3, 1, 1, 0, 1, true), NULL, NULL);
    g = net_node(net, "Sigmoid", net_conv(net, g, 3, x.c, 1, 1, 0, 1, true), NULL, NULL);
    x.v = net_node(net, "Mul", x.v, g, NULL);
    return x;
}

static struct map pool(struct net *net, struct map x)
{
    if (x.h < 4) return x;
    x.v = net_pool(net, mc_rng_below(&net->rng, 2) ? "MaxPool" : "AveragePool", x.v, 2, 2);
    x.h /= 2;
    return x;
}

/* --- what needs attributes, several outputs or integers --- */

static struct mc_node *node_of(struct net *net, const char *type, struct mc_value *const *in, int n_in, int n_out)
{
    struct mc_value *out[3];
    for (int i = 0; i < n_out; i++) assert_non_null(out[i] = mc_value_create_fresh(net->model->graph, type));
    struct mc_node *node = mc_node_create(net->model->graph, -1, "", type, out[0]->name, n_in, in, n_out, out);
    assert_non_null(node);
    return node;
}

static struct mc_value *reshape(struct net *net, struct mc_value *x, const int64_t *dims, int64_t n)
{
    struct mc_error err = {0};
    struct mc_tensor *t;
    assert_ok(mc_tensor_create(&t, MC_INT64, &(struct mc_shape){.rank = 1, .dim = {n}}, &err), err);
    memcpy(t->data, dims, (size_t)n * sizeof *dims);
    struct mc_value *const in[] = {x, mc_graph_add_initializer_fresh(net->model->graph, "shape", t)};
    return node_of(net, "Reshape", in, 2, 1)->outputs[0];
}

static struct mc_value *transpose(struct net *net, struct mc_value *x, const int64_t *axes, int64_t n)
{
    struct mc_error err = {0};
    struct mc_node *node = node_of(net, "Transpose", &x, 1, 1);
    assert_ok(mc_node_set_ints(node, "perm", axes, n, &err), err);
    return node->outputs[0];
}

/* Halves of the channels, one of them convolved, joined again. */
static struct map split(struct net *net, struct map x)
{
    struct mc_error err = {0};
    if (x.c % 2 || x.c < 4) return x;
    struct mc_node *node = node_of(net, "Split", &x.v, 1, 2);
    assert_ok(mc_node_set_int(node, "axis", 1, &err), err);
    const struct map half = convolve(net, (struct map){node->outputs[1], x.c / 2, x.h}, x.c / 2);
    x.v = net_concat(net, node->outputs[0], half.v);
    return x;
}

static struct map shuffle(struct net *net, struct map x)
{
    if (x.c % 2 || x.c < 4) return x;
    const int64_t apart[] = {0, 2, x.c / 2, x.h, x.h}, axes[] = {0, 2, 1, 3, 4}, together[] = {0, x.c, x.h, x.h};
    x.v = reshape(net, transpose(net, reshape(net, x.v, apart, 5), axes, 5), together, 4);
    return x;
}

static struct mc_value *ints(struct net *net, const int64_t *list, int64_t n)
{
    struct mc_error err = {0};
    struct mc_tensor *t;
    assert_ok(mc_tensor_create(&t, MC_INT64, &(struct mc_shape){.rank = 1, .dim = {n}}, &err), err);
    memcpy(t->data, list, (size_t)n * sizeof *list);
    return mc_graph_add_initializer_fresh(net->model->graph, "ints", t);
}

static struct mc_value *mean(struct net *net, struct mc_value *x, int64_t axis)
{
    struct mc_error err = {0};
    if (mc_model_opset(net->model, "") >= 18) return net_node(net, "ReduceMean", x, ints(net, &axis, 1), NULL);
    struct mc_node *node = node_of(net, "ReduceMean", &x, 1, 1);
    assert_ok(mc_node_set_ints(node, "axes", &axis, 1, &err), err);
    return node->outputs[0];
}

static struct mc_node *split_evenly(struct net *net, struct mc_value *x, int64_t axis, int n)
{
    struct mc_error err = {0};
    struct mc_node *node = node_of(net, "Split", &x, 1, n);
    assert_ok(mc_node_set_int(node, "axis", axis, &err), err);
    if (mc_model_opset(net->model, "") >= 18) assert_ok(mc_node_set_int(node, "num_outputs", n, &err), err);
    return node;
}

static struct mc_value *affine(struct net *net, struct mc_value *x, int64_t width, bool image)
{
    const int64_t rest = image ? 1 : 0;
    x = net_node(net, "Mul", x, net_weight(net, "scale", 1, 0.2, width, rest, rest, 0), NULL);
    return net_node(net, "Add", x, net_weight(net, "shift", 0, 0.5, width, rest, rest, 0), NULL);
}

/* As exporters spell group normalization. */
static struct map spelled_group_norm(struct net *net, struct map x)
{
    const int64_t G = x.c % 4 == 0 ? 4 : x.c % 2 == 0 ? 2 : 1, apart[] = {0, G, -1}, together[] = {0, x.c, x.h, x.h};
    struct mc_value *const in[] = {reshape(net, x.v, apart, 3), net_weight(net, "ones", 1, 0, G, 0, 0, 0),
                                   net_weight(net, "zeros", 0, 0, G, 0, 0, 0)};
    x.v = reshape(net, node_of(net, "InstanceNormalization", in, 3, 1)->outputs[0], together, 4);
    x.v = affine(net, x.v, x.c, true);
    return x;
}

/* Where to look, from the mean over the channels. */
static struct map look(struct net *net, struct map x)
{
    x.v = net_node(net, "Mul", x.v, net_node(net, "Sigmoid", mean(net, x.v, 1), NULL, NULL), NULL);
    return x;
}

/* Four times the channels become twice the height and width, and those are pooled away. */
static struct map shuffle_pixels(struct net *net, struct map x)
{
    struct mc_error err = {0};
    const int64_t out = 2 + (int64_t)mc_rng_below(&net->rng, 4), apart[] = {0, out, 2, 2, x.h, x.h};
    const int64_t axes[] = {0, 1, 4, 2, 5, 3}, together[] = {0, out, 2 * x.h, 2 * x.h};
    x.v = net_conv(net, x.v, x.c, 4 * out, 1, 1, 0, 1, true);
    const uint64_t spelling = mc_rng_below(&net->rng, 3);
    if (spelling == 0) {
        x.v = reshape(net, transpose(net, reshape(net, x.v, apart, 6), axes, 6), together, 4);
    } else {
        struct mc_node *node = node_of(net, "DepthToSpace", &x.v, 1, 1);
        assert_ok(mc_node_set_int(node, "blocksize", 2, &err), err);
        assert_ok(mc_node_set_string(node, "mode", spelling == 1 ? "CRD" : "DCR", &err), err);
        x.v = node->outputs[0];
    }
    x.v = net_pool(net, "MaxPool", x.v, 2, 2);
    x.c = out;
    return x;
}

static struct map convolve_back(struct net *net, struct map x)
{
    struct mc_error err = {0};
    const bool depthwise = mc_rng_below(&net->rng, 3) == 0;
    const int64_t out = depthwise ? x.c : 2 + (int64_t)mc_rng_below(&net->rng, 6), strides[] = {2, 2};
    struct mc_value *const in[] = {x.v, net_weight(net, "back.weight", 0, 0.3, x.c, depthwise ? 1 : out, 2, 2),
                                   net_weight(net, "back.bias", 0, 0.5, out, 0, 0, 0)};
    struct mc_node *node = node_of(net, "ConvTranspose", in, mc_rng_below(&net->rng, 2) ? 3 : 2, 1);
    assert_ok(mc_node_set_ints(node, "strides", strides, 2, &err), err);
    assert_ok(mc_node_set_int(node, "group", depthwise ? x.c : 1, &err), err);
    x.v = net_pool(net, "AveragePool", activate(net, node->outputs[0]), 2, 2);
    x.c = out;
    return x;
}

static struct map group_norm(struct net *net, struct map x)
{
    struct mc_value *const in[] = {x.v, net_weight(net, "norm.scale", 1, 0.2, x.c, 0, 0, 0),
                                   net_weight(net, "norm.shift", 0, 0.5, x.c, 0, 0, 0)};
    x.v = node_of(net, "InstanceNormalization", in, 3, 1)->outputs[0];
    return x;
}

/* --- images --- */

static struct map widen(struct net *net, struct map x)
{
    return convolve(net, x, 2 + (int64_t)mc_rng_below(&net->rng, 9));
}

enum { N_BLOCKS = 14 };

static void build_image_net(struct net *net, int most)
{
    struct map (*const blocks[N_BLOCKS])(struct net *, struct map) = {
        widen,   residual,   depthwise,          grouped, concatenate,    gate,         pool, split,
        shuffle, group_norm, spelled_group_norm, look,    shuffle_pixels, convolve_back};
    struct map x = {net_input(net, 3, 8, 8), 3, 8};
    x = convolve(net, x, 4 + 2 * (int64_t)mc_rng_below(&net->rng, 4));
    const int n_blocks = 1 + (int)mc_rng_below(&net->rng, 6);
    for (int i = 0; i < n_blocks && i < most; i++) x = blocks[mc_rng_below(&net->rng, N_BLOCKS)](net, x);
    if (mc_rng_below(&net->rng, 2)) {
        x.v = net_node(net, "GlobalAveragePool", x.v, NULL, NULL);
        x.h = 1;
    }
    x.v = net_node(net, "Flatten", x.v, NULL, NULL);
    net_output(net, net_gemm(net, x.v, x.c * x.h * x.h, 4));
}

/* --- tokens: attention and perceptrons with residuals and normalization --- */

struct tokens {
    struct mc_value *v; /* [N, T, D] */
    int64_t T, D;
};

/* By an operator or spelled out; of the root mean square alone now and then. */
static struct mc_value *layer_norm(struct net *net, struct tokens x)
{
    const uint64_t spelling = mc_rng_below(&net->rng, 3);
    if (spelling == 0) {
        struct mc_value *const in[] = {x.v, net_weight(net, "norm.scale", 1, 0.2, x.D, 0, 0, 0),
                                       net_weight(net, "norm.shift", 0, 0.5, x.D, 0, 0, 0)};
        return node_of(net, "LayerNormalization", in, 3, 1)->outputs[0];
    }
    struct mc_value *away = spelling == 1 ? net_node(net, "Sub", x.v, mean(net, x.v, -1), NULL) : x.v;
    struct mc_value *square = mean(net, net_node(net, "Mul", away, away, NULL), -1);
    square = net_node(net, "Add", square, net_weight(net, "epsilon", 1e-3, 0, 1, 0, 0, 0), NULL);
    return affine(net, net_node(net, "Div", away, net_node(net, "Sqrt", square, NULL, NULL), NULL), x.D, false);
}

/* [N, T, H d] -> [N, H, T, d], or [N, H, d, T] for keys. */
static struct mc_value *heads(struct net *net, struct mc_value *x, int64_t H, int64_t d, bool keys)
{
    const int64_t apart[] = {0, -1, H, d}, axes[] = {0, 2, 1, 3}, of_keys[] = {0, 2, 3, 1};
    return transpose(net, reshape(net, x, apart, 4), keys ? of_keys : axes, 4);
}

/* Every head of keys or values [N, G, T, d] `share` times. */
static struct mc_value *repeat(struct net *net, struct mc_value *x, int64_t G, int64_t share, int64_t T, int64_t d)
{
    const int64_t apart[] = {0, G, 1, T, d}, all[] = {1, G, share, T, d}, together[] = {0, G * share, T, d};
    struct mc_value *const in[] = {reshape(net, x, apart, 5), ints(net, all, 5)};
    return reshape(net, node_of(net, "Expand", in, 2, 1)->outputs[0], together, 4);
}

/* Queries, keys [N, H, T, d] and values in one matrix. */
static void project_fused(struct net *net, struct mc_value *y, int64_t D, int64_t H, int64_t d, struct mc_value **parts)
{
    const int64_t apart[] = {0, -1, 3, H, d}, axes[] = {2, 0, 3, 1, 4}, first = 0;
    struct mc_value *all = transpose(net, reshape(net, net_matmul(net, y, D, 3 * H * d), apart, 5), axes, 5);
    struct mc_node *split = split_evenly(net, all, 0, 3);
    for (int i = 0; i < 3; i++) {
        struct mc_value *const in[] = {split->outputs[i], ints(net, &first, 1)};
        parts[i] = node_of(net, "Squeeze", in, 2, 1)->outputs[0];
    }
}

/* x / sqrt(d), the d taken from a shape. */
static struct mc_value *divide_by_root(struct net *net, struct mc_value *x)
{
    struct mc_error err = {0};
    const int64_t last = -1;
    struct mc_value *const in[] = {net_node(net, "Shape", x, NULL, NULL), ints(net, &last, 1)};
    struct mc_value *d = net_node(net, "Cast", node_of(net, "Gather", in, 2, 1)->outputs[0], NULL, NULL);
    assert_ok(mc_node_set_int(d->producer, "to", MC_FLOAT, &err), err);
    return net_node(net, "Div", x, net_node(net, "Sqrt", d, NULL, NULL), NULL);
}

/* softmax(q k) v by single operators, of queries, keys and values in p. */
static struct mc_value *weigh(struct net *net, struct mc_value **p, int64_t H, int64_t share, int64_t T, int64_t d)
{
    struct mc_rng *rng = &net->rng;
    const int64_t back[] = {0, 1, 3, 2};
    for (int i = 1; i < 3 && share > 1; i++) p[i] = repeat(net, p[i], H, share, T, d);
    if (mc_rng_below(rng, 2)) p[0] = divide_by_root(net, p[0]);
    struct mc_value *z = net_node(net, "MatMul", p[0], transpose(net, p[1], back, 4), NULL);
    if (mc_rng_below(rng, 2)) z = net_node(net, "Add", z, net_weight(net, "places", 0, 0.5, H * share, T, T, 0), NULL);
    return net_node(net, "MatMul", net_node(net, "Softmax", z, NULL, NULL), p[2], NULL);
}

static struct tokens attend(struct net *net, struct tokens x)
{
    struct mc_rng *rng = &net->rng;
    const int64_t H = 1 + (int64_t)mc_rng_below(rng, 3), d = 2 + (int64_t)mc_rng_below(rng, 3);
    const int64_t share = mc_rng_below(rng, 3) ? 1 : 2;
    struct mc_value *const y = mc_rng_below(rng, 2) ? layer_norm(net, x) : x.v;
    struct mc_value *p[3];
    if (share == 1 && mc_rng_below(rng, 2)) {
        project_fused(net, y, x.D, H, d, p);
    } else {
        p[0] = heads(net, net_matmul(net, y, x.D, H * share * d), H * share, d, false);
        p[1] = heads(net, net_matmul(net, y, x.D, H * d), H, d, false);
        p[2] = heads(net, net_matmul(net, y, x.D, H * d), H, d, false);
    }
    const bool fused = mc_model_opset(net->model, "") >= 23 && mc_rng_below(rng, 2);
    struct mc_value *z = fused ? node_of(net, "Attention", p, 3, 1)->outputs[0] : weigh(net, p, H, share, x.T, d);
    const int64_t axes[] = {0, 2, 1, 3}, together[] = {0, -1, H * share * d};
    z = reshape(net, transpose(net, z, axes, 4), together, 3);
    x.v = net_node(net, "Add", x.v, net_matmul(net, z, H * share * d, x.D), NULL);
    return x;
}

/* A perceptron, or one whose halves gate each other. */
static struct tokens think(struct net *net, struct tokens x)
{
    const int64_t width = 3 + (int64_t)mc_rng_below(&net->rng, 8);
    const bool gated = mc_rng_below(&net->rng, 3) == 0;
    struct mc_value *y = mc_rng_below(&net->rng, 2) ? layer_norm(net, x) : x.v;
    y = net_matmul(net, y, x.D, gated ? 2 * width : width);
    if (gated) {
        struct mc_node *halves = split_evenly(net, y, -1, 2);
        y = net_node(net, "Mul", halves->outputs[0], activate(net, halves->outputs[1]), NULL);
    } else {
        y = activate(net, net_node(net, "Add", y, net_weight(net, "b", 0, 0.5, width, 0, 0, 0), NULL));
    }
    x.v = net_node(net, "Add", x.v, net_matmul(net, y, width, x.D), NULL);
    return x;
}

/* Attention within windows: [N, 16, D] as four windows of 2 by 2. */
static struct tokens attend_windows(struct net *net, struct tokens x)
{
    const int64_t apart[] = {0, 2, 2, 2, 2, x.D}, axes[] = {0, 1, 3, 2, 4, 5}, windows[] = {-1, 4, x.D};
    const int64_t back[] = {-1, 2, 2, 2, 2, x.D}, together[] = {-1, 16, x.D};
    if (x.T != 16) return x;
    struct mc_value *y = reshape(net, transpose(net, reshape(net, x.v, apart, 6), axes, 6), windows, 3);
    y = attend(net, (struct tokens){y, 4, x.D}).v;
    x.v = reshape(net, transpose(net, reshape(net, y, back, 6), axes, 6), together, 3);
    return x;
}

/* One more token, the same for every sample, whose number is taken from a shape. */
static struct tokens add_class_token(struct net *net, struct tokens x)
{
    struct mc_error err = {0};
    const int64_t first = 0, rest[] = {1, x.D};
    struct mc_value *const pick[] = {net_node(net, "Shape", x.v, NULL, NULL), ints(net, &first, 1)};
    struct mc_value *const parts[] = {node_of(net, "Gather", pick, 2, 1)->outputs[0], ints(net, rest, 2)};
    struct mc_node *target = node_of(net, "Concat", parts, 2, 1);
    assert_ok(mc_node_set_int(target, "axis", 0, &err), err);
    struct mc_value *const in[] = {net_weight(net, "class", 0, 1, 1, 1, x.D, 0), target->outputs[0]};
    struct mc_value *const both[] = {node_of(net, "Expand", in, 2, 1)->outputs[0], x.v};
    struct mc_node *joined = node_of(net, "Concat", both, 2, 1);
    assert_ok(mc_node_set_int(joined, "axis", 1, &err), err);
    return (struct tokens){joined->outputs[0], x.T + 1, x.D};
}

/* A recurrent cell over the tokens, whose hidden units are the new ones. */
static struct tokens remember(struct net *net, struct tokens x)
{
    static const struct {
        const char *type;
        int64_t gates;
    } cells[] = {{"RNN", 1}, {"GRU", 3}, {"LSTM", 4}};
    struct mc_error err = {0};
    const size_t cell = mc_rng_below(&net->rng, 3);
    const int64_t H = 3 + (int64_t)mc_rng_below(&net->rng, 5), rows = cells[cell].gates * H;
    const bool both = mc_rng_below(&net->rng, 3) == 0;
    const int64_t D = both ? 2 : 1, walk[] = {1, 0, 2}, back[] = {2, 0, 1, 3}, flat[] = {0, 0, D * H};
    struct mc_value *const in[] = {transpose(net, x.v, walk, 3), net_weight(net, "cell.w", 0, 0.5, D, rows, x.D, 0),
                                   net_weight(net, "cell.r", 0, 0.5, D, rows, H, 0),
                                   net_weight(net, "cell.b", 0, 0.5, D, 2 * rows, 0, 0)};
    struct mc_node *node = node_of(net, cells[cell].type, in, mc_rng_below(&net->rng, 2) ? 4 : 3, 1);
    assert_ok(mc_node_set_int(node, "hidden_size", H, &err), err);
    if (both) assert_ok(mc_node_set_string(node, "direction", "bidirectional", &err), err);
    x.v = reshape(net, transpose(net, node->outputs[0], back, 4), flat, 3); /* [T, D, N, H] -> [N, T, D H] */
    x.D = D * H;
    return x;
}

static void build_token_net(struct net *net, int most)
{
    if (mc_rng_below(&net->rng, 3) == 0) net->model->opsets[0].version = 23; /* which has Attention */
    const int64_t D = 4 + (int64_t)mc_rng_below(&net->rng, 5), flat[] = {0, D, 16}, axes[] = {0, 2, 1};
    struct mc_value *const patches = net_conv(net, net_input(net, 3, 8, 8), 3, D, 2, 2, 0, 1, true);
    struct tokens x = {transpose(net, reshape(net, patches, flat, 3), axes, 3), 16, D};
    const int n_blocks = 1 + (int)mc_rng_below(&net->rng, 4);
    if (mc_rng_below(&net->rng, 3) == 0) x = add_class_token(net, x);
    struct tokens (*const blocks[])(struct net *, struct tokens) = {attend, think, attend_windows};
    for (int i = 0; i < n_blocks && i < most; i++) x = blocks[mc_rng_below(&net->rng, 3)](net, x);
    if (mc_rng_below(&net->rng, 2)) x.v = layer_norm(net, x);
    if (mc_rng_below(&net->rng, 2)) x = remember(net, x);
    net_output(net, net_matmul(net, x.v, x.D, 4));
}

/* --- vectors --- */

static void build_vector_net(struct net *net, int most)
{
    int64_t width = 6;
    struct mc_value *x = net_input(net, width, 0, 0);
    const int n_layers = 2 + (int)mc_rng_below(&net->rng, 4);
    for (int i = 0; i < n_layers && i <= most; i++) {
        const int64_t out = 2 + (int64_t)mc_rng_below(&net->rng, 9);
        struct mc_value *y = mc_rng_below(&net->rng, 2) ? net_gemm(net, x, width, out) : net_matmul(net, x, width, out);
        if (mc_rng_below(&net->rng, 3) == 0)
            y = net_node(net, "Add", y, net_weight(net, "b", 0, 0.5, out, 0, 0, 0), NULL);
        y = activate(net, y);
        const bool join = i > 0 && mc_rng_below(&net->rng, 3) == 0;
        x = join ? net_concat(net, x, y) : y;
        width = join ? width + out : out;
    }
    net_output(net, net_matmul(net, x, width, 3));
}

static int64_t parameters(const struct mc_model *model)
{
    int64_t n = 0;
    for (int i = 0; i < model->graph->n_initializers; i++) n += mc_tensor_count(model->graph->initializers[i]->data);
    return n;
}

typedef void builder(struct net *net, int most);

static const struct {
    const char *name;
    builder *build;
} kinds[] = {{"vector", build_vector_net}, {"image", build_image_net}, {"token", build_token_net}};

/* What is wrong with the net of that seed with at most so many blocks; "": nothing. */
static void problem_of(builder *build, uint64_t seed, int most, char problem[1024])
{
    struct net net;
    struct mc_error err = {0};
    struct mc_shrink_options options;
    struct mc_record *section = NULL;
    *problem = '\0';
    net_start(&net, seed);
    build(&net, most);
    mc_shrink_options_init(&options);
    options.seed = seed;
    options.ratio = mc_rng_range(&net.rng, 0.3, 0.95);
    options.criterion = (enum mc_criterion)mc_rng_below(&net.rng, MC_CRITERION_TAYLOR);
    options.ranking = (enum mc_ranking)mc_rng_below(&net.rng, MC_RANKING_BALANCED + 1);
    options.whole_heads = mc_rng_below(&net.rng, 2);
    options.keep_constants = mc_rng_below(&net.rng, 4) != 0;
    const int64_t before = parameters(net.model);
    assert_ok(mc_record_create(&section, &err), err);
    const int rc = mc_shrink(net.model, &options, section, NULL, &err);
    if (rc < 0 && rc != MC_ERR_UNSUPPORTED) snprintf(problem, 1024, "%.1000s", err.text);
    if (rc == 0 && mc_record_get_int(section, "groups_removed", 0) > 0) {
        if (!mc_record_get(section, "twin.max_difference")) snprintf(problem, 1024, "not compared");
        if (parameters(net.model) >= before) snprintf(problem, 1024, "no smaller");
        const int64_t macs = mc_record_get_int(section, "macs_before", 0);
        if (mc_record_get_int(section, "macs_after", 0) > macs || macs > 1 << 24) snprintf(problem, 1024, "wrong MACs");
    }
    mc_record_destroy(section);
    net_finish(&net);
}

static void check(int kind, uint64_t seed)
{
    char problem[1024], smaller[1024];
    problem_of(kinds[kind].build, seed, 1000, problem);
    if (!*problem) return;
    for (int most = 0; most < 8; most++) {
        problem_of(kinds[kind].build, seed, most, smaller);
        if (*smaller)
            fail_msg("%s net of seed %llu, %d blocks: %s", kinds[kind].name, (unsigned long long)seed, most, smaller);
    }
    fail_msg("%s net of seed %llu: %s", kinds[kind].name, (unsigned long long)seed, problem);
}

/* From the command line. */
static uint64_t n_nets = 100, first_seed = 1;

static void check_kind(int kind)
{
    for (uint64_t seed = first_seed; seed < first_seed + n_nets; seed++) check(kind, seed);
}

static void test_vector_nets_equal_their_masked_twins(void **state)
{
    check_kind(0);
}

static void test_image_nets_equal_their_masked_twins(void **state)
{
    check_kind(1);
}

static void test_token_nets_equal_their_masked_twins(void **state)
{
    check_kind(2);
}

int main(int argc, char **argv)
{
    if (argc > 1) n_nets = strtoull(argv[1], NULL, 10);
    if (argc > 2) first_seed = strtoull(argv[2], NULL, 10);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vector_nets_equal_their_masked_twins),
        cmocka_unit_test(test_image_nets_equal_their_masked_twins),
        cmocka_unit_test(test_token_nets_equal_their_masked_twins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
