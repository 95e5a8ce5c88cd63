/* test_random_nets.c - a few hundred random networks, each shrunk by random options.
 *
 * mc_shrink compares every one with its masked twin; here it must succeed, the twin must have been run, and the
 * parameters must have become fewer.
 */
#include "nets.h"
#include "test.h"

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

static struct map widen(struct net *net, struct map x)
{
    return convolve(net, x, 2 + (int64_t)mc_rng_below(&net->rng, 9));
}

static void build_image_net(struct net *net)
{
    struct map (*const blocks[])(struct net *, struct map) = {widen,       residual, depthwise, grouped,
                                                              concatenate, gate,     pool};
    struct map x = {net_input(net, 3, 8, 8), 3, 8};
    x = convolve(net, x, 4 + 2 * (int64_t)mc_rng_below(&net->rng, 4));
    const int n_blocks = 1 + (int)mc_rng_below(&net->rng, 6);
    for (int i = 0; i < n_blocks; i++) x = blocks[mc_rng_below(&net->rng, 7)](net, x);
    if (mc_rng_below(&net->rng, 2)) {
        x.v = net_node(net, "GlobalAveragePool", x.v, NULL, NULL);
        x.h = 1;
    }
    x.v = net_node(net, "Flatten", x.v, NULL, NULL);
    net_output(net, net_gemm(net, x.v, x.c * x.h * x.h, 4));
}

static void build_vector_net(struct net *net)
{
    int64_t width = 6;
    struct mc_value *x = net_input(net, width, 0, 0);
    const int n_layers = 2 + (int)mc_rng_below(&net->rng, 4);
    for (int i = 0; i < n_layers; i++) {
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

static void check(uint64_t seed, bool image)
{
    struct net net;
    struct mc_error err = {0};
    net_start(&net, seed);
    if (image)
        build_image_net(&net);
    else
        build_vector_net(&net);
    struct mc_shrink_options options;
    mc_shrink_options_init(&options);
    options.seed = seed;
    options.ratio = mc_rng_range(&net.rng, 0.3, 0.95);
    options.criterion = (enum mc_criterion)mc_rng_below(&net.rng, 3);
    options.keep_constants = mc_rng_below(&net.rng, 4) != 0;
    const int64_t before = parameters(net.model);
    struct mc_record *section = NULL;
    assert_ok(mc_record_create(&section, &err), err);
    if (mc_shrink(net.model, &options, section, NULL, &err) < 0)
        fail_msg("%s net of seed %llu: %s", image ? "image" : "vector", (unsigned long long)seed, err.text);
    if (mc_record_get_int(section, "groups_removed", 0) > 0) {
        if (!mc_record_get(section, "twin.max_difference"))
            fail_msg("seed %llu: not compared", (unsigned long long)seed);
        if (parameters(net.model) >= before) fail_msg("seed %llu: no smaller", (unsigned long long)seed);
    }
    mc_record_destroy(section);
    net_finish(&net);
}

static void test_vector_nets_equal_their_masked_twins(void **state)
{
    for (uint64_t seed = 1; seed <= 150; seed++) check(seed, false);
}

static void test_image_nets_equal_their_masked_twins(void **state)
{
    for (uint64_t seed = 1; seed <= 150; seed++) check(seed, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vector_nets_equal_their_masked_twins),
        cmocka_unit_test(test_image_nets_equal_their_masked_twins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
