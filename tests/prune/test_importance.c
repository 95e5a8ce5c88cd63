/* test_importance.c - scores by hand and by finite differences; which groups compete. */
#include "nets.h"
#include "test.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "prune/importance.h"
#include "run/plan.h"
#include "train/train.h"

struct scored {
    struct mc_facts facts;
    struct mc_coupling *coupling;
    double *scores;
};

static void score(struct scored *s, const struct mc_model *model, const struct mc_shrink_options *options)
{
    struct mc_error err = {0};
    assert_ok(mc_model_facts(&s->facts, model, &options->dims, true, &err), err);
    assert_ok(mc_coupling_create(&s->coupling, model, &s->facts, false, &err), err);
    s->scores = MC_NEW_ARRAY(double, mc_coupling_n_groups(s->coupling));
    assert_ok(mc_importance(model, s->coupling, options, s->scores, &err), err);
}

static double score_of(const struct scored *s, const struct mc_model *model, const char *name, int axis, int64_t i)
{
    return s->scores[mc_coupling_group_of(s->coupling, net_find(model, name), axis, i)];
}

static void finish(struct scored *s)
{
    mc_free(s->scores);
    mc_coupling_destroy(s->coupling);
    mc_facts_finish(&s->facts);
}

static struct mc_shrink_options options_of(enum mc_criterion criterion)
{
    struct mc_shrink_options options;
    mc_shrink_options_init(&options);
    options.criterion = criterion;
    return options;
}

/* x -> 3 neurons with the given weights of two inputs -> 2 outputs. */
static void build(struct net *net, const float w[6])
{
    net_start(net, 1);
    struct mc_value *x = net_gemm(net, net_input(net, 2, 0, 0), 2, 3);
    net_output(net, net_gemm(net, net_node(net, "Relu", x, NULL, NULL), 3, 2));
    memcpy(net_find(net->model, "gemm.weight")->data->data, w, 6 * sizeof *w);
}

static void expect(enum mc_criterion criterion, const float w[6], double a, double b, double c)
{
    struct net net;
    struct scored s;
    build(&net, w);
    const struct mc_shrink_options options = options_of(criterion);
    score(&s, net.model, &options);
    const double expected[] = {a, b, c};
    for (int i = 0; i < 3; i++) assert_true(fabs(score_of(&s, net.model, "gemm.weight", 0, i) - expected[i]) < 1e-6);
    finish(&s);
    net_finish(&net);
}

static void test_norms_of_filters(void **state)
{
    const float w[] = {3, -4, 1, 0, 0, 2};
    expect(MC_CRITERION_L1, w, 7, 1, 2);
    expect(MC_CRITERION_L2, w, 5, 1, 2);
}

/* Squares 25, 1, 4: 25/25, 1/30, 4/29. */
static void test_lamp_is_a_share_of_what_is_not_smaller(void **state)
{
    const float w[] = {3, -4, 1, 0, 0, 2};
    expect(MC_CRITERION_LAMP, w, 1, 1.0 / 30, 4.0 / 29);
}

/* Points (0,0), (3,4), (0,4): distances 5, 4, 3. */
static void test_geometric_sums_distances(void **state)
{
    const float w[] = {0, 0, 3, 4, 0, 4};
    expect(MC_CRITERION_GEOMETRIC, w, 9, 8, 7);
}

static void test_scale_is_the_factor_of_the_normalization(void **state)
{
    struct net net;
    struct scored s;
    net_start(&net, 2);
    struct mc_value *x = net_conv(&net, net_input(&net, 3, 6, 6), 3, 4, 3, 1, 1, 1, false);
    x = net_node(&net, "Relu", net_batch_norm(&net, x, 4), NULL, NULL);
    x = net_node(&net, "GlobalAveragePool", net_conv(&net, x, 4, 2, 1, 1, 0, 1, true), NULL, NULL);
    net_output(&net, x);
    int bn = 0;
    while (strcmp(net.model->graph->nodes[bn]->type, "BatchNormalization") != 0) bn++;
    const struct mc_value *scale = net.model->graph->nodes[bn]->inputs[1];
    const struct mc_shrink_options options = options_of(MC_CRITERION_SCALE);
    score(&s, net.model, &options);
    for (int i = 0; i < 4; i++)
        assert_true(score_of(&s, net.model, scale->name, 0, i) == fabs((double)((float *)scale->data->data)[i]));
    finish(&s);
    net_finish(&net);
}

/* --- samples --- */

static void samples_of(struct mc_shrink_options *options, const struct mc_dataset *data, int64_t n)
{
    options->samples = (struct mc_samples){.data = data, .role = MC_DATA_CALIBRATION, .n = n};
}

static double loss_with(const struct mc_model *model, const struct mc_dataset *data, const struct mc_value *reader,
                        int64_t column, float factor)
{
    struct mc_error err = {0};
    struct mc_metrics metrics;
    struct mc_runtime runtime;
    mc_runtime_init(&runtime, 1, MC_CPU_AVX512);
    float *w = reader->data->data;
    const int64_t M = reader->data->shape.dim[0], K = reader->data->shape.dim[1];
    for (int64_t m = 0; m < M; m++) w[m * K + column] *= factor;
    assert_ok(mc_evaluate(model, data, MC_DATA_CALIBRATION, 0, MC_LOSS_AUTO, NULL, &runtime, &metrics, &err), err);
    for (int64_t m = 0; m < M; m++) w[m * K + column] /= factor;
    return metrics.loss;
}

static const struct mc_value *weight_of(const struct mc_model *model, int64_t M, int64_t K)
{
    for (int i = 0; i < model->graph->n_initializers; i++) {
        const struct mc_tensor *t = model->graph->initializers[i]->data;
        if (t->shape.rank == 2 && t->shape.dim[0] == M && t->shape.dim[1] == K) return model->graph->initializers[i];
    }
    fail_msg("no weight [%d, %d]", (int)M, (int)K);
    return NULL;
}

/* Of one sample: the score is the derivative of the loss by the size of the channel, as central differences have it. */
static void test_taylor_is_the_change_of_the_loss(void **state)
{
    struct mc_error err = {0};
    struct mc_dataset *data;
    struct mc_model *model;
    struct scored s;
    assert_ok(mc_dataset_open(&data, "glyphs:,train=1,test=8,validation=0", NULL, &err), err);
    assert_ok(mc_architecture_create(&model, "mlp:784-6-10", data, 3, &err), err);
    struct mc_shrink_options options = options_of(MC_CRITERION_TAYLOR);
    samples_of(&options, data, 1);
    score(&s, model, &options);
    const struct mc_value *reader = weight_of(model, 10, 6);
    for (int i = 0; i < 6; i++) {
        const double h = 1e-2, up = loss_with(model, data, reader, i, 1.01f);
        const double slope = (up - loss_with(model, data, reader, i, 0.99f)) / (2 * h);
        assert_true(fabs(score_of(&s, model, reader->name, 1, i) - fabs(slope)) < 1e-3 * fabs(slope) + 1e-5);
    }
    finish(&s);
    mc_model_destroy(model);
    mc_dataset_destroy(data);
}

/* Neuron 0 never fires, neuron 1 always does. */
static void test_activations_tell_the_dead_from_the_living(void **state)
{
    struct mc_error err = {0};
    struct mc_dataset *data;
    struct mc_model *model;
    assert_ok(mc_dataset_open(&data, "glyphs:,train=64,test=8,validation=0", NULL, &err), err);
    assert_ok(mc_architecture_create(&model, "mlp:784-6-10", data, 3, &err), err);
    const struct mc_value *made = weight_of(model, 6, 784), *reader = weight_of(model, 10, 6);
    for (int i = 0; i < model->graph->n_initializers; i++) {
        struct mc_tensor *t = model->graph->initializers[i]->data;
        if (mc_tensor_count(t) == 6) ((float *)t->data)[0] = -100, ((float *)t->data)[1] = 100;
    }
    for (int k = 0; k < 784; k++) ((float *)made->data->data)[k] = ((float *)made->data->data)[784 + k] = 0;
    static const enum mc_criterion criteria[] = {MC_CRITERION_ACTIVATION, MC_CRITERION_APOZ, MC_CRITERION_HESSIAN};
    static const double dead[] = {0, 0, 0}, alive[] = {100, 1, NAN};
    for (size_t c = 0; c < MC_COUNT(criteria); c++) {
        struct scored s;
        struct mc_shrink_options options = options_of(criteria[c]);
        samples_of(&options, data, 64);
        score(&s, model, &options);
        assert_true(score_of(&s, model, reader->name, 1, 0) == dead[c]);
        const double a = score_of(&s, model, reader->name, 1, 1);
        assert_true(isnan(alive[c]) ? a > 0 : fabs(a - alive[c]) < 1e-6);
        finish(&s);
    }
    mc_model_destroy(model);
    mc_dataset_destroy(data);
}

static void test_samples_are_asked_for(void **state)
{
    struct net net;
    struct mc_error err = {0};
    const float w[] = {1, 2, 3, 4, 5, 6};
    build(&net, w);
    const struct mc_shrink_options options = options_of(MC_CRITERION_TAYLOR);
    assert_int_equal(mc_shrink(net.model, &options, NULL, NULL, &err), MC_ERR_USAGE);
    assert_non_null(strstr(err.text, "there is no data"));
    net_finish(&net);
}

/* --- who competes --- */

/* Two layers of 8, the weights of the second a hundredth as large. */
static void check_ranking(enum mc_ranking ranking, enum mc_score_norm normalization, int64_t first, int64_t second)
{
    struct net net;
    struct mc_error err = {0};
    net_start(&net, 5);
    struct mc_value *x = net_node(&net, "Relu", net_gemm(&net, net_input(&net, 4, 0, 0), 4, 8), NULL, NULL);
    x = net_node(&net, "Relu", net_gemm(&net, x, 8, 8), NULL, NULL);
    net_output(&net, net_gemm(&net, x, 8, 2));
    float *w = net_find(net.model, "gemm.weight")->data->data, *v = net_find(net.model, "gemm.weight_1")->data->data;
    for (int i = 0; i < 8; i++)
        for (int k = 0; k < 8; k++) {
            v[i * 8 + k] = k == 0 ? 0.01f * (float)(i + 1) : 0;
            if (k < 4) w[i * 4 + k] = k == 0 ? (float)(i + 1) : 0;
        }
    struct mc_shrink_options options = options_of(MC_CRITERION_L2);
    options.ranking = ranking;
    options.normalization = normalization;
    options.ratio = 0.375;
    assert_ok(mc_shrink(net.model, &options, NULL, NULL, &err), err);
    assert_int_equal(net_find(net.model, "gemm.weight")->data->shape.dim[0], first);
    assert_int_equal(net_find(net.model, "gemm.weight_1")->data->shape.dim[0], second);
    net_finish(&net);
}

static void test_rankings_say_who_competes(void **state)
{
    check_ranking(MC_RANKING_AUTO, MC_SCORES_BY_AUTO, 5, 5);
    check_ranking(MC_RANKING_GLOBAL, MC_SCORES_BY_NONE, 8, 2);
    check_ranking(MC_RANKING_GLOBAL, MC_SCORES_BY_MEAN, 5, 5);
    check_ranking(MC_RANKING_GLOBAL, MC_SCORES_BY_MAX, 5, 5);
    check_ranking(MC_RANKING_GLOBAL, MC_SCORES_BY_SUM, 5, 5);
    check_ranking(MC_RANKING_GLOBAL, MC_SCORES_BY_DEVIATION, 5, 5);
    check_ranking(MC_RANKING_ISOMORPHIC, MC_SCORES_BY_NONE, 8, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_norms_of_filters),
        cmocka_unit_test(test_lamp_is_a_share_of_what_is_not_smaller),
        cmocka_unit_test(test_geometric_sums_distances),
        cmocka_unit_test(test_scale_is_the_factor_of_the_normalization),
        cmocka_unit_test(test_taylor_is_the_change_of_the_loss),
        cmocka_unit_test(test_activations_tell_the_dead_from_the_living),
        cmocka_unit_test(test_samples_are_asked_for),
        cmocka_unit_test(test_rankings_say_who_competes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
