/* nets.c - building small networks. */
#include "nets.h"

#include <stdio.h>
#include <string.h>

#include "op/ops.h"
#include "test.h"

void net_start(struct net *net, uint64_t seed)
{
    struct mc_error err = {0};
    assert_ok(mc_model_create(&net->model, 17, &err), err);
    mc_rng_init(&net->rng, seed, mc_hash("net"));
}

void net_finish(struct net *net)
{
    mc_model_destroy(net->model);
}

struct mc_value *net_input(struct net *net, int64_t c, int64_t h, int64_t w)
{
    struct mc_error err = {0};
    struct mc_value *v = mc_value_create(net->model->graph, "input");
    assert_non_null(v);
    v->type = (struct mc_type){.dtype = MC_FLOAT, .rank = h ? 4 : 2, .dim = {-1, c, h, w}, .param = {"N"}};
    assert_ok(mc_graph_add_input(net->model->graph, v, &err), err);
    return v;
}

void net_output(struct net *net, struct mc_value *v)
{
    struct mc_error err = {0};
    v->type = (struct mc_type){.dtype = MC_FLOAT, .rank = -1};
    assert_ok(mc_graph_add_output(net->model->graph, v, &err), err);
    mc_ops_bind(net->model);
}

struct mc_value *net_weight(struct net *net, const char *name, double mean, double deviation, int64_t a, int64_t b,
                            int64_t c, int64_t d)
{
    struct mc_error err = {0};
    struct mc_shape shape = {0};
    for (const int64_t dims[] = {a, b, c, d}; shape.rank < 4 && dims[shape.rank] > 0; shape.rank++)
        shape.dim[shape.rank] = dims[shape.rank];
    struct mc_tensor *t = NULL;
    assert_ok(mc_tensor_create(&t, MC_FLOAT, &shape, &err), err);
    for (int64_t i = 0; i < mc_tensor_count(t); i++)
        ((float *)t->data)[i] = (float)(mean + deviation * mc_rng_normal(&net->rng));
    struct mc_value *v = mc_graph_add_initializer_fresh(net->model->graph, name, t);
    assert_non_null(v);
    return v;
}

static struct mc_node *add(struct net *net, const char *type, struct mc_value *const *in, int n_in)
{
    struct mc_value *y = mc_value_create_fresh(net->model->graph, type);
    assert_non_null(y);
    struct mc_node *node = mc_node_create(net->model->graph, -1, "", type, y->name, n_in, in, 1, &y);
    assert_non_null(node);
    return node;
}

struct mc_value *net_node(struct net *net, const char *type, struct mc_value *a, struct mc_value *b, struct mc_value *c)
{
    struct mc_value *const in[] = {a, b, c};
    return add(net, type, in, c ? 3 : b ? 2 : 1)->outputs[0];
}

static void set_square(struct mc_node *node, int64_t kernel, int64_t stride, int64_t pad)
{
    struct mc_error err = {0};
    const int64_t kernels[] = {kernel, kernel}, strides[] = {stride, stride}, pads[] = {pad, pad, pad, pad};
    assert_ok(mc_node_set_ints(node, "kernel_shape", kernels, 2, &err), err);
    assert_ok(mc_node_set_ints(node, "strides", strides, 2, &err), err);
    assert_ok(mc_node_set_ints(node, "pads", pads, 4, &err), err);
}

struct mc_value *net_conv(struct net *net, struct mc_value *x, int64_t in, int64_t out, int64_t kernel, int64_t stride,
                          int64_t pad, int64_t groups, bool bias)
{
    struct mc_error err = {0};
    const double scale = 1.0 / (double)(in / groups * kernel);
    struct mc_value *w = net_weight(net, "conv.weight", 0, scale, out, in / groups, kernel, kernel);
    struct mc_value *b = bias ? net_weight(net, "conv.bias", 0, 0.5, out, 0, 0, 0) : NULL;
    struct mc_value *const inputs[] = {x, w, b};
    struct mc_node *node = add(net, "Conv", inputs, bias ? 3 : 2);
    set_square(node, kernel, stride, pad);
    assert_ok(mc_node_set_int(node, "group", groups, &err), err);
    return node->outputs[0];
}

struct mc_value *net_batch_norm(struct net *net, struct mc_value *x, int64_t channels)
{
    struct mc_value *const in[] = {x, net_weight(net, "bn.scale", 1, 0.2, channels, 0, 0, 0),
                                   net_weight(net, "bn.shift", 0, 0.5, channels, 0, 0, 0),
                                   net_weight(net, "bn.mean", 0, 0.3, channels, 0, 0, 0),
                                   net_weight(net, "bn.variance", 1, 0.05, channels, 0, 0, 0)};
    return add(net, "BatchNormalization", in, 5)->outputs[0];
}

struct mc_value *net_gemm(struct net *net, struct mc_value *x, int64_t in, int64_t out)
{
    struct mc_error err = {0};
    struct mc_value *const inputs[] = {x, net_weight(net, "gemm.weight", 0, 1.0 / (double)in, out, in, 0, 0),
                                       net_weight(net, "gemm.bias", 0, 0.5, out, 0, 0, 0)};
    struct mc_node *node = add(net, "Gemm", inputs, 3);
    assert_ok(mc_node_set_int(node, "transB", 1, &err), err);
    return node->outputs[0];
}

struct mc_value *net_matmul(struct net *net, struct mc_value *x, int64_t in, int64_t out)
{
    return net_node(net, "MatMul", x, net_weight(net, "matmul.weight", 0, 1.0 / (double)in, in, out, 0, 0), NULL);
}

struct mc_value *net_concat(struct net *net, struct mc_value *a, struct mc_value *b)
{
    struct mc_error err = {0};
    struct mc_value *const in[] = {a, b};
    struct mc_node *node = add(net, "Concat", in, 2);
    assert_ok(mc_node_set_int(node, "axis", 1, &err), err);
    return node->outputs[0];
}

struct mc_value *net_pool(struct net *net, const char *type, struct mc_value *x, int64_t kernel, int64_t stride)
{
    struct mc_node *node = add(net, type, &x, 1);
    set_square(node, kernel, stride, 0);
    return node->outputs[0];
}

struct mc_value *net_find(const struct mc_model *model, const char *name)
{
    for (int i = 0; i < model->graph->n_initializers; i++)
        if (strcmp(model->graph->initializers[i]->name, name) == 0) return model->graph->initializers[i];
    fail_msg("there is no initializer '%s'", name);
    return NULL;
}
