/* test_sensitivity.c - the ranking of a residual net's layers is the one that pruning each of them by itself gives. */
#include "nets.h"
#include "test.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "prune/sensitivity.h"
#include "train/train.h"

/* Two residual blocks: families are the stream (stem and both second convolutions) and each block's inside. */
static void build(struct net *net)
{
    net_start(net, 41);
    struct mc_value *x = net_conv(net, net_input(net, 1, 28, 28), 1, 8, 3, 2, 1, 1, true);
    x = net_node(net, "Relu", x, NULL, NULL);
    for (int i = 0; i < 2; i++) {
        struct mc_value *y = net_node(net, "Relu", net_conv(net, x, 8, 6, 3, 1, 1, 1, true), NULL, NULL);
        x = net_node(net, "Relu", net_node(net, "Add", x, net_conv(net, y, 6, 8, 3, 1, 1, 1, true), NULL), NULL, NULL);
    }
    x = net_node(net, "Flatten", net_node(net, "GlobalAveragePool", x, NULL, NULL), NULL, NULL);
    net_output(net, net_gemm(net, x, 8, 10));
}

static struct mc_dataset *open_data(void)
{
    struct mc_error err = {0};
    struct mc_dataset *data;
    assert_ok(mc_dataset_open(&data, "glyphs:,train=100,test=60,validation=0.4", NULL, &err), err);
    return data;
}

static const double ratios[] = {0.25, 0.5, 0.75};

/* Families by what makes their channels, and the biases that hold the two others still. */
static const struct {
    const char *tensor, *others;
} layers[] = {{"conv.weight", "conv.bias_1,conv.bias_3"},
              {"conv.weight_1", "conv.bias,conv.bias_3"},
              {"conv.weight_3", "conv.bias,conv.bias_1"}};

static double loss_alone(const struct mc_dataset *data, const char *exclude, double ratio)
{
    struct mc_error err = {0};
    struct net net;
    struct mc_metrics metrics;
    struct mc_shrink_options options;
    build(&net);
    mc_shrink_options_init(&options);
    mc_runtime_init(&options.runtime, 1, MC_CPU_AVX512);
    options.ratio = ratio;
    options.exclude = exclude;
    if (ratio > 0) assert_ok(mc_shrink(net.model, &options, NULL, NULL, &err), err);
    assert_ok(mc_evaluate(net.model, data, MC_DATA_VALIDATION, 0, MC_LOSS_AUTO, NULL, &options.runtime, &metrics, &err),
              err);
    net_finish(&net);
    return metrics.loss;
}

static void probe(const struct mc_dataset *data, struct mc_record **record)
{
    struct mc_error err = {0};
    struct net net;
    build(&net);
    struct mc_sensitivity_options options = {
        .data = data, .role = MC_DATA_VALIDATION, .n_ratios = MC_COUNT(ratios), .ratios = ratios};
    mc_shrink_options_init(&options.shrink);
    mc_runtime_init(&options.shrink.runtime, 1, MC_CPU_AVX512);
    assert_ok(mc_record_create(record, &err), err);
    assert_ok(mc_sensitivity(net.model, &options, *record, &err), err);
    net_finish(&net);
}

static void test_ranking_is_that_of_exhaustive_evaluation(void **state)
{
    struct mc_dataset *data = open_data();
    struct mc_record *record;
    probe(data, &record);
    const double baseline = loss_alone(data, "", 0);
    const struct mc_record *families = mc_record_get(record, "families");
    assert_int_equal(mc_record_size(families), MC_COUNT(layers));
    double last = -INFINITY;
    for (size_t f = 0; f < MC_COUNT(layers); f++) {
        const struct mc_record *family = mc_record_at(families, f);
        size_t layer = 0;
        while (strcmp(layers[layer].tensor, mc_record_get_text(family, "tensor", "")) != 0)
            assert_true(++layer < MC_COUNT(layers));
        double mean = 0;
        for (size_t i = 0; i < MC_COUNT(ratios); i++) {
            const double loss = loss_alone(data, layers[layer].others, ratios[i]);
            const struct mc_record *point = mc_record_at(mc_record_get(family, "points"), i);
            assert_true(fabs(mc_record_get_num(point, "loss", NAN) - loss) < 1e-6);
            assert_true(fabs(mc_record_get_num(point, "loss_change", NAN) - (loss - baseline)) < 1e-6);
            mean += (loss - baseline) / MC_COUNT(ratios);
        }
        assert_true(mean >= last - 1e-9); /* the least sensitive first */
        last = mean;
    }
    mc_record_destroy(record);
    mc_dataset_destroy(data);
}

static void test_points_say_what_was_cut(void **state)
{
    struct mc_dataset *data = open_data();
    struct mc_record *record;
    probe(data, &record);
    const struct mc_record *families = mc_record_get(record, "families");
    for (size_t f = 0; f < mc_record_size(families); f++) {
        const struct mc_record *family = mc_record_at(families, f);
        const int64_t width = mc_record_get_int(family, "width", 0);
        assert_int_equal(mc_record_get_int(family, "points.1.width", 0), width / 2);
        assert_true(mc_record_get_num(family, "points.1.macs_share", 1) < 1);
    }
    mc_record_destroy(record);
    mc_dataset_destroy(data);
}

static void test_bad_ratios_are_refused(void **state)
{
    struct mc_error err = {0};
    struct net net;
    struct mc_dataset *data = open_data();
    static const double bad[] = {0.5, 1.5};
    build(&net);
    struct mc_sensitivity_options options = {.data = data, .role = MC_DATA_VALIDATION, .n_ratios = 2, .ratios = bad};
    mc_shrink_options_init(&options.shrink);
    assert_int_equal(mc_sensitivity(net.model, &options, NULL, &err), MC_ERR_USAGE);
    options.n_ratios = 0;
    assert_int_equal(mc_sensitivity(net.model, &options, NULL, &err), MC_ERR_USAGE);
    mc_dataset_destroy(data);
    net_finish(&net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranking_is_that_of_exhaustive_evaluation),
        cmocka_unit_test(test_points_say_what_was_cut),
        cmocka_unit_test(test_bad_ratios_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
