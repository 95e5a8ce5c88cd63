/* test_einsum.c - channels go through sums of products over named axes, and the small net equals its masked twin. */
#include <string.h>

#include "nets.h"
#include "prune/prune.h"
#include "test.h"

enum { TOKENS = 5, WIDTH = 12, HEADS = 3, FEATURES = 8 };

static struct mc_value *einsum(struct net *net, const char *equation, struct mc_value *a, struct mc_value *b)
{
    struct mc_error err = {0};
    struct mc_value *y = net_node(net, "Einsum", a, b, NULL);
    assert_ok(mc_node_set_string(y->producer, "equation", equation, &err), err);
    return y;
}

static double share_left(struct net *net, const struct mc_shrink_options *options)
{
    struct mc_error err = {0};
    struct mc_record *section;
    assert_ok(mc_record_create(&section, &err), err);
    assert_ok(mc_shrink(net->model, options, section, NULL, &err), err);
    if (!mc_record_get(section, "twin.max_difference"))
        fail_msg("the twin was not checked: %s", mc_record_get_text(section, "twin.why", ""));
    const double share = mc_record_get_num(section, "macs_after", 0) / mc_record_get_num(section, "macs_before", 1);
    mc_record_destroy(section);
    return share;
}

static struct mc_shrink_options options_of(double ratio)
{
    struct mc_shrink_options options;
    mc_shrink_options_init(&options);
    mc_runtime_init(&options.runtime, 1, MC_CPU_AVX512);
    options.ratio = ratio;
    return options;
}

/* Attention whose projections, scores and sums are all Einsum. */
static void build_attention(struct net *net)
{
    net_start(net, 3);
    struct mc_value *x = net_input(net, TOKENS, 6, 0), *parts[3];
    x->type.rank = 3;
    x = net_matmul(net, x, 6, WIDTH);
    for (int i = 0; i < 3; i++)
        parts[i] = einsum(net, "bnc,chd->bhnd", x, net_weight(net, "to", 0, 0.3, WIDTH, HEADS, FEATURES, 0));
    struct mc_value *scores = net_node(net, "Softmax", einsum(net, "bhid,bhjd->bhij", parts[0], parts[1]), NULL, NULL);
    x = einsum(net, "bhij,bhjd->bihd", scores, parts[2]);
    x = einsum(net, "bihd,hdc->bic", x, net_weight(net, "from", 0, 0.3, HEADS, FEATURES, WIDTH, 0));
    net_output(net, net_matmul(net, net_node(net, "Relu", x, NULL, NULL), WIDTH, 4));
}

static const int64_t *dims(const struct net *net, const char *name)
{
    return net_find(net->model, name)->data->shape.dim;
}

static void test_features_and_widths_go(void **state)
{
    struct net net;
    build_attention(&net);
    const struct mc_shrink_options options = options_of(0.5);
    assert_true(share_left(&net, &options) < 0.4);
    for (int i = 0; i < 3; i++) {
        const char *const names[] = {"to", "to_1", "to_2"};
        assert_true(dims(&net, names[i])[0] == WIDTH / 2 && dims(&net, names[i])[2] == FEATURES / 2);
    }
    assert_true(dims(&net, "from")[1] == FEATURES / 2 && dims(&net, "from")[2] == WIDTH / 2);
    net_finish(&net);
}

static void test_heads_go(void **state)
{
    struct net net;
    build_attention(&net);
    const struct mc_shrink_options options = options_of(0.34);
    share_left(&net, &options);
    assert_true(dims(&net, "to")[1] == HEADS - 1 && dims(&net, "from")[0] == HEADS - 1);
    net_finish(&net);
}

static void test_a_dense_layer_keeps_its_constants(void **state)
{
    struct net net;
    net_start(&net, 4);
    struct mc_value *x =
        einsum(&net, "...a,ab->...b", net_input(&net, 6, 0, 0), net_weight(&net, "w", 0, 1, 6, 8, 0, 0));
    x = net_node(&net, "Relu", net_node(&net, "Add", x, net_weight(&net, "b", 0, 1, 8, 0, 0, 0), NULL), NULL, NULL);
    x = einsum(&net, "...a,ab->...b", x, net_weight(&net, "v", 0, 1, 8, 3, 0, 0));
    net_output(&net, net_node(&net, "Add", x, net_weight(&net, "c", 0, 1, 3, 0, 0, 0), NULL));
    const struct mc_shrink_options options = options_of(0.5);
    assert_true(share_left(&net, &options) == 0.5);
    assert_true(dims(&net, "w")[1] == 4 && dims(&net, "v")[0] == 4);
    net_finish(&net);
}

/* What is summed away alone, and diagonals, hold the axes still. */
static void test_what_cannot_be_said_stays(void **state)
{
    static const char *const equations[] = {"ab,c->ac", "ab,bb->a"};
    for (int i = 0; i < 2; i++) {
        struct net net;
        struct mc_error err = {0};
        net_start(&net, 5);
        struct mc_value *x = net_matmul(&net, net_input(&net, 6, 0, 0), 6, 8);
        net_output(&net, einsum(&net, equations[i], x, net_weight(&net, "w", 0, 1, 8, i ? 8 : 0, 0, 0)));
        const struct mc_shrink_options options = options_of(0.5);
        assert_int_equal(mc_shrink(net.model, &options, NULL, NULL, &err), MC_ERR_UNSUPPORTED);
        net_finish(&net);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_features_and_widths_go),
        cmocka_unit_test(test_heads_go),
        cmocka_unit_test(test_a_dense_layer_keeps_its_constants),
        cmocka_unit_test(test_what_cannot_be_said_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
