/* test_reconstruct.c - what least squares can give back, and the terms that it is made of. */
#include "nets.h"
#include "test.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "prune/prune.h"
#include "run/plan.h"
#include "train/train.h"

/* --- terms of operators --- */

/* Rows of terms times the weight are what the node computes, at every place. */
static void check_terms(struct net *net, struct mc_value *y, int weight_out_axis, int out_axis)
{
    struct mc_error err = {0};
    struct mc_plan *plan;
    struct mc_runtime runtime;
    mc_runtime_init(&runtime, 1, MC_CPU_AVX512);
    net_output(net, y);
    const struct mc_plan_options options = {.dims = {.batch = 2}, .runtime = &runtime};
    assert_ok(mc_plan_create(&plan, net->model, &options, &err), err);
    struct mc_tensor *x = mc_plan_input(plan, 0);
    for (int64_t i = 0; i < mc_tensor_count(x); i++) ((float *)x->data)[i] = (float)mc_rng_normal(&net->rng);
    struct mc_tensor *given;
    assert_ok(mc_tensor_clone(&given, x, &err), err);
    assert_ok(mc_plan_run(plan, &err), err);
    const struct mc_tensor *out = mc_plan_output(plan, 0), *w = y->producer->inputs[1]->data;
    const int64_t M = w->shape.dim[weight_out_axis], K = mc_tensor_count(w) / M, n = mc_tensor_count(out) / M;
    const int64_t inner = mc_shape_span(&w->shape, weight_out_axis + 1, w->shape.rank);
    const int64_t beside = mc_shape_span(&out->shape, out_axis + 1, out->shape.rank);
    int64_t *places = MC_NEW_ARRAY(int64_t, n);
    float *rows = MC_NEW_ARRAY(float, n *K);
    for (int64_t i = 0; i < n; i++) places[i] = i;
    assert_ok(y->producer->op->terms(y->producer, given, &w->shape, places, n, rows, &err), err);
    for (int64_t i = 0; i < n; i++)
        for (int64_t m = 0; m < M; m++) {
            double sum = 0;
            for (int64_t k = 0; k < K; k++)
                sum += (double)rows[i * K + k] * (double)((float *)w->data)[(k / inner * M + m) * inner + k % inner];
            const double is = (double)((float *)out->data)[(i / beside * M + m) * beside + i % beside];
            assert_true(fabs(sum - is) < 1e-4);
        }
    mc_free(rows);
    mc_free(places);
    mc_tensor_destroy(given);
    mc_plan_destroy(plan);
}

static void test_terms_of_convolution(void **state)
{
    static const int64_t kernels[][3] = {{3, 1, 1}, {3, 2, 0}, {1, 1, 0}, {2, 3, 1}};
    for (size_t i = 0; i < MC_COUNT(kernels); i++) {
        struct net net;
        net_start(&net, 10 + i);
        struct mc_value *x = net_input(&net, 3, 7, 6);
        check_terms(&net, net_conv(&net, x, 3, 5, kernels[i][0], kernels[i][1], kernels[i][2], 1, false), 0, 1);
        net_finish(&net);
    }
}

static void test_terms_of_products(void **state)
{
    struct net net;
    net_start(&net, 20);
    check_terms(&net, net_matmul(&net, net_input(&net, 6, 0, 0), 6, 4), 1, 1);
    net_finish(&net);
    net_start(&net, 21);
    struct mc_value *y = net_gemm(&net, net_input(&net, 6, 0, 0), 6, 4);
    memset(y->producer->inputs[2]->data->data, 0, 4 * sizeof(float));
    check_terms(&net, y, 0, 1);
    net_finish(&net);
}

/* --- what comes back --- */

static const struct mc_value *weight_of(const struct mc_model *model, int64_t M, int64_t K)
{
    for (int i = 0; i < model->graph->n_initializers; i++) {
        const struct mc_tensor *t = model->graph->initializers[i]->data;
        if (t->shape.rank == 2 && t->shape.dim[0] == M && t->shape.dim[1] == K) return model->graph->initializers[i];
    }
    fail_msg("no weight [%d, %d]", (int)M, (int)K);
    return NULL;
}

/* Neuron 1 is a hundredth of neuron 0 and is read a hundred times as firmly: the first to go by its norm, and neuron 0
 * can say all that it said. */
static double loss_without_it(const struct mc_dataset *data, bool reconstruct, double *before)
{
    struct mc_error err = {0};
    struct mc_model *model;
    struct mc_metrics metrics;
    assert_ok(mc_architecture_create(&model, "mlp:784-6-10", data, 3, &err), err);
    float *made = weight_of(model, 6, 784)->data->data, *read = weight_of(model, 10, 6)->data->data;
    for (int k = 0; k < 784; k++) made[784 + k] = 0.01f * made[k];
    for (int m = 0; m < 10; m++) read[m * 6 + 1] *= 100;
    struct mc_shrink_options options;
    mc_shrink_options_init(&options);
    mc_runtime_init(&options.runtime, 1, MC_CPU_AVX512);
    options.ratio = 0.17;
    options.reconstruct = reconstruct;
    options.ridge = 0;
    options.samples = (struct mc_samples){.data = data, .role = MC_DATA_CALIBRATION, .n = 256};
    assert_ok(mc_evaluate(model, data, MC_DATA_TEST, 0, MC_LOSS_AUTO, NULL, &options.runtime, &metrics, &err), err);
    *before = metrics.loss;
    struct mc_record *section;
    assert_ok(mc_record_create(&section, &err), err);
    assert_ok(mc_shrink(model, &options, section, NULL, &err), err);
    assert_int_equal(weight_of(model, 5, 784)->data->shape.dim[0], 5);
    if (reconstruct) {
        assert_true(mc_record_get_num(section, "reconstruction.0.error_before", 0) > 0.1);
        assert_true(mc_record_get_num(section, "reconstruction.0.error_after", 1) < 1e-4);
    }
    assert_ok(mc_evaluate(model, data, MC_DATA_TEST, 0, MC_LOSS_AUTO, NULL, &options.runtime, &metrics, &err), err);
    mc_record_destroy(section);
    mc_model_destroy(model);
    return metrics.loss;
}

static void test_what_others_can_say_comes_back(void **state)
{
    struct mc_error err = {0};
    struct mc_dataset *data;
    double before;
    assert_ok(mc_dataset_open(&data, "glyphs:,train=256,test=64,validation=0", NULL, &err), err);
    const double without = loss_without_it(data, false, &before);
    assert_true(fabs(without - before) > 1e-3 * before);
    const double with = loss_without_it(data, true, &before);
    assert_true(fabs(with - before) < 1e-5 * before);
    mc_dataset_destroy(data);
}

/* x [N,1,28,28] -> Conv -> BatchNormalization whose running statistics are wrong. */
static void test_running_statistics_are_those_of_the_samples(void **state)
{
    struct mc_error err = {0};
    struct net net;
    struct mc_dataset *data;
    assert_ok(mc_dataset_open(&data, "glyphs:,train=128,test=8,validation=0", NULL, &err), err);
    net_start(&net, 30);
    struct mc_value *x = net_conv(&net, net_input(&net, 1, 28, 28), 1, 6, 3, 1, 0, 1, false);
    x = net_batch_norm(&net, x, 6);
    char mean[64];
    snprintf(mean, sizeof mean, "%s", x->producer->inputs[3]->name);
    x = net_node(&net, "GlobalAveragePool", net_node(&net, "Relu", x, NULL, NULL), NULL, NULL);
    x = net_node(&net, "Flatten", x, NULL, NULL);
    net_output(&net, net_gemm(&net, x, 6, 10));
    for (int i = 0; i < 6; i++) ((float *)net_find(net.model, mean)->data->data)[i] = 1000;
    struct mc_shrink_options options;
    mc_shrink_options_init(&options);
    mc_runtime_init(&options.runtime, 1, MC_CPU_AVX512);
    options.reestimate = true;
    options.samples = (struct mc_samples){.data = data, .role = MC_DATA_CALIBRATION, .n = 128};
    struct mc_record *section;
    assert_ok(mc_record_create(&section, &err), err);
    assert_ok(mc_shrink(net.model, &options, section, NULL, &err), err);
    assert_int_equal(mc_record_get_int(section, "batch_norm_statistics", 0), 2);
    const struct mc_tensor *t = net_find(net.model, mean)->data;
    assert_int_equal(t->shape.dim[0], 3);
    for (int i = 0; i < 3; i++) assert_true(fabs((double)((float *)t->data)[i]) < 10);
    mc_record_destroy(section);
    mc_dataset_destroy(data);
    net_finish(&net);
}

static void test_without_samples_it_is_refused(void **state)
{
    struct net net;
    struct mc_error err = {0};
    net_start(&net, 31);
    struct mc_value *x = net_node(&net, "Relu", net_gemm(&net, net_input(&net, 4, 0, 0), 4, 8), NULL, NULL);
    net_output(&net, net_gemm(&net, x, 8, 2));
    struct mc_shrink_options options;
    mc_shrink_options_init(&options);
    options.reconstruct = true;
    assert_int_equal(mc_shrink(net.model, &options, NULL, NULL, &err), MC_ERR_USAGE);
    assert_int_equal(net_find(net.model, "gemm.weight")->data->shape.dim[0], 8);
    net_finish(&net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_terms_of_convolution),
        cmocka_unit_test(test_terms_of_products),
        cmocka_unit_test(test_what_others_can_say_comes_back),
        cmocka_unit_test(test_running_statistics_are_those_of_the_samples),
        cmocka_unit_test(test_without_samples_it_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
