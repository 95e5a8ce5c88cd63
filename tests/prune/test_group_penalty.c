/* test_group_penalty.c - groups become smaller by what the formulas say, all that is tied together, and nothing else.
 */
#include "prune/group_penalty.h"

#include <math.h>
#include <string.h>

#include "nets.h"
#include "test.h"
#include "train/train.h"

enum { IN = 6, HIDDEN = 4, OUT = 3 };

/* A hidden neuron's group: its row of the first weight, its column of the second. */
static void build(struct net *net)
{
    net_start(net, 7);
    struct mc_value *x = net_node(net, "Relu", net_gemm(net, net_input(net, IN, 0, 0), IN, HIDDEN), NULL, NULL);
    net_output(net, net_gemm(net, x, HIDDEN, OUT));
}

static float *weight(const struct net *net, const char *name)
{
    return net_find(net->model, name)->data->data;
}

static double norm_of(const struct net *net, int neuron)
{
    const float *first = weight(net, "gemm.weight"), *second = weight(net, "gemm.weight_1");
    double sum = 0;
    for (int k = 0; k < IN; k++) sum += first[neuron * IN + k] * first[neuron * IN + k];
    for (int k = 0; k < OUT; k++) sum += second[k * HIDDEN + neuron] * second[k * HIDDEN + neuron];
    return sqrt(sum);
}

static struct mc_group_penalty *create(struct net *net, const struct mc_group_penalty_options *options)
{
    struct mc_error err = {0};
    struct mc_group_penalty *penalty;
    assert_ok(mc_group_penalty_create(&penalty, net->model, options, &err), err);
    return penalty;
}

static struct mc_group_penalty_options options_of(enum mc_group_penalty_kind kind, double strength)
{
    struct mc_group_penalty_options options = {.kind = kind, .strength = strength, .ratio = 0.5};
    mc_runtime_init(&options.runtime, 1, MC_CPU_AVX512);
    return options;
}

static void test_lasso_takes_the_same_off_every_norm(void **state)
{
    struct net net;
    struct mc_error err = {0};
    double before[HIDDEN];
    build(&net);
    float *first = weight(&net, "gemm.weight"), *second = weight(&net, "gemm.weight_1");
    for (int k = 0; k < IN; k++) first[2 * IN + k] = 0.001F; /* smaller than a step */
    for (int k = 0; k < OUT; k++) second[k * HIDDEN + 2] = -0.001F;
    float bias[HIDDEN];
    memcpy(bias, weight(&net, "gemm.bias"), sizeof bias);
    for (int i = 0; i < HIDDEN; i++) before[i] = norm_of(&net, i);
    const struct mc_group_penalty_options options = options_of(MC_GROUP_PENALTY_LASSO, 0.2);
    struct mc_group_penalty *penalty = create(&net, &options);
    assert_ok(mc_group_penalty_step(penalty, 0.3, 0.05, &err), err);
    const double step = 0.05 * 0.2 * sqrt(IN + OUT);
    for (int i = 0; i < HIDDEN; i++) {
        const double after = norm_of(&net, i);
        if (i == 2)
            assert_true(after == 0);
        else
            assert_true(fabs(after - (before[i] - step)) < 1e-6);
    }
    assert_memory_equal(bias, weight(&net, "gemm.bias"), sizeof bias);
    int n, n_zero;
    double mean;
    mc_group_penalty_measure(penalty, &n, &n_zero, &mean);
    assert_int_equal(n, HIDDEN);
    assert_int_equal(n_zero, 1);
    assert_true(fabs(mean - (norm_of(&net, 0) + norm_of(&net, 1) + norm_of(&net, 3)) / HIDDEN) < 1e-6);
    mc_group_penalty_destroy(penalty);
    net_finish(&net);
}

static void test_growing_pulls_the_least_important_alone(void **state)
{
    struct net net;
    struct mc_error err = {0};
    double before[HIDDEN];
    build(&net);
    float *first = weight(&net, "gemm.weight");
    for (int i = 0; i < HIDDEN; i++)
        for (int k = 0; k < IN; k++) first[i * IN + k] = (float)(i % 2 ? 3 + i : 1) * (k % 2 ? 0.1F : -0.1F);
    for (int i = 0; i < HIDDEN; i++) before[i] = norm_of(&net, i);
    const struct mc_group_penalty_options options = options_of(MC_GROUP_PENALTY_GROWING, 2);
    struct mc_group_penalty *penalty = create(&net, &options);
    assert_ok(mc_group_penalty_step(penalty, 0.5, 0.1, &err), err);
    for (int i = 0; i < HIDDEN; i++)
        assert_true(fabs(norm_of(&net, i) - before[i] * (i % 2 ? 1 : 1 - 0.1 * 2 * 0.5)) < 1e-6);
    mc_group_penalty_destroy(penalty);
    net_finish(&net);
}

static void test_excluded_groups_and_nets_without_any(void **state)
{
    struct net net;
    struct mc_error err = {0};
    struct mc_group_penalty *penalty;
    build(&net);
    struct mc_group_penalty_options options = options_of(MC_GROUP_PENALTY_LASSO, 1);
    options.exclude = "gemm.*";
    assert_int_equal(mc_group_penalty_create(&penalty, net.model, &options, &err), MC_ERR_UNSUPPORTED);
    net_finish(&net);
}

/* Trained with it, neurons are exactly zero, and the fit calls it as often as it steps. */
static void test_training_with_the_lasso_empties_groups(void **state)
{
    struct net net;
    struct mc_error err = {0};
    struct mc_dataset *data;
    struct mc_fit_options fit;
    int n, n_zero;
    double mean;
    net_start(&net, 9);
    struct mc_value *x = net_node(&net, "Flatten", net_input(&net, 1, 28, 28), NULL, NULL);
    x = net_node(&net, "Relu", net_gemm(&net, x, 784, 16), NULL, NULL);
    net_output(&net, net_gemm(&net, x, 16, 10));
    assert_ok(mc_dataset_open(&data, "glyphs:,train=200,test=20", NULL, &err), err);
    enum { EPOCHS = 6, BATCH = 20, STEPS = EPOCHS * 200 / BATCH };
    struct mc_group_penalty_options options = options_of(MC_GROUP_PENALTY_LASSO, 1);
    struct mc_group_penalty *penalty = create(&net, &options);
    mc_group_penalty_measure(penalty, &n, &n_zero, &mean);
    mc_group_penalty_destroy(penalty);
    options.strength = mean / (0.001 * STEPS * sqrt(784 + 10)); /* as much as there is on average */
    penalty = create(&net, &options);
    mc_fit_options_init(&fit);
    fit.epochs = EPOCHS;
    fit.batch = BATCH;
    fit.rate = (struct mc_rate){.kind = MC_RATE_CONSTANT, .first = 0.001};
    fit.runtime = options.runtime;
    fit.after_step = mc_group_penalty_step;
    fit.context = penalty;
    assert_ok(mc_fit(net.model, data, &fit, NULL, &err), err);
    mc_group_penalty_measure(penalty, &n, &n_zero, &mean);
    assert_int_equal(n, 16);
    assert_true(n_zero > 0 && n_zero < n);
    mc_group_penalty_destroy(penalty);
    mc_dataset_destroy(data);
    net_finish(&net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lasso_takes_the_same_off_every_norm),
        cmocka_unit_test(test_growing_pulls_the_least_important_alone),
        cmocka_unit_test(test_excluded_groups_and_nets_without_any),
        cmocka_unit_test(test_training_with_the_lasso_empties_groups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
