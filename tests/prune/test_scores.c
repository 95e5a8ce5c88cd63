/* test_scores.c - what weights count by data: inputs against patches cut out by hand, gradients against differences. */
#include "nets.h"
#include "test.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "data/data.h"
#include "op/ops.h"
#include "prune/moments.h"
#include "prune/scores.h"
#include "run/plan.h"
#include "train/train.h"

enum { SAMPLES = 40 };

struct fixture {
    struct net net;
    struct mc_dataset *data;
    struct mc_runtime runtime;
    struct mc_samples samples;
};

/* Glyphs into a convolution of stride 2, a grouped one, a pool, a product. */
static int setup(void **state)
{
    static struct fixture f;
    *state = &f;
    mc_runtime_init(&f.runtime, 1, MC_CPU_PORTABLE);
    if (mc_dataset_open(&f.data, "glyphs,train=200,test=20,validation=40", NULL, NULL) < 0) return -1;
    net_start(&f.net, 5);
    struct mc_value *x = net_input(&f.net, 1, 28, 28);
    x = net_node(&f.net, "Relu", net_conv(&f.net, x, 1, 4, 3, 2, 1, 1, true), NULL, NULL);
    x = net_node(&f.net, "Relu", net_conv(&f.net, x, 4, 6, 3, 2, 0, 2, false), NULL, NULL);
    x = net_node(&f.net, "Flatten", net_pool(&f.net, "MaxPool", x, 2, 2), NULL, NULL);
    net_output(&f.net, net_gemm(&f.net, x, 54, 10));
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    net_finish(&f->net);
    mc_dataset_destroy(f->data);
    return 0;
}

static struct mc_score_options options_of(struct fixture *f, enum mc_score score)
{
    f->samples = (struct mc_samples){.data = f->data, .role = MC_DATA_CALIBRATION, .n = SAMPLES};
    return (struct mc_score_options){.score = score, .samples = &f->samples, .seed = 1, .runtime = &f->runtime};
}

static struct mc_masks masks_of(struct fixture *f)
{
    struct mc_error err = {0};
    struct mc_masks masks;
    assert_ok(mc_masks_create(&masks, f->net.model, NULL, &err), err);
    assert_int_equal(masks.n, 3);
    return masks;
}

static void test_inputs_of_a_convolution_are_its_patches(void **state)
{
    struct fixture *f = *state;
    struct mc_error err = {0};
    struct mc_masks masks = masks_of(f);
    int n_by_magnitude;
    const struct mc_score_options options = options_of(f, MC_SCORE_WANDA);
    assert_ok(mc_scores_measure(&masks, f->net.model, &options, &n_by_magnitude, &err), err);
    assert_int_equal(n_by_magnitude, 0);

    static float x[SAMPLES * 28 * 28];
    assert_ok(mc_dataset_read(f->data, MC_DATA_CALIBRATION, NULL, 0, SAMPLES, x, NULL, NULL, 1, &err), err);
    const float *w = masks.values[0]->data->data, *score = masks.scores[0]->data;
    for (int tap = 0; tap < 9; tap++) {
        double squares = 0;
        for (int s = 0; s < SAMPLES; s++)
            for (int i = 0; i < 14; i++)
                for (int j = 0; j < 14; j++) {
                    const int r = 2 * i - 1 + tap / 3, c = 2 * j - 1 + tap % 3;
                    const double v = r < 0 || c < 0 || r > 27 || c > 27 ? 0 : x[(s * 28 + r) * 28 + c];
                    squares += v * v;
                }
        for (int m = 0; m < 4; m++) {
            const double expected = fabs((double)w[m * 9 + tap]) * sqrt(squares);
            assert_true(fabs(score[m * 9 + tap] - expected) <= 1e-5 * expected);
        }
    }
    mc_masks_finish(&masks);
}

static double loss_of(struct fixture *f)
{
    struct mc_metrics metrics;
    struct mc_error err = {0};
    assert_ok(
        mc_evaluate(f->net.model, f->data, MC_DATA_CALIBRATION, 0, MC_LOSS_AUTO, NULL, &f->runtime, &metrics, &err),
        err);
    return metrics.loss;
}

static void test_snip_is_the_change_of_the_loss_in_first_order(void **state)
{
    struct fixture *f = *state;
    struct mc_error err = {0};
    struct mc_masks masks = masks_of(f);
    int n_by_magnitude;
    const struct mc_score_options options = options_of(f, MC_SCORE_SNIP);
    f->samples.n = f->data->n[MC_DATA_CALIBRATION];
    assert_int_equal(f->samples.n % 32, 0); /* whole batches */
    assert_ok(mc_scores_measure(&masks, f->net.model, &options, &n_by_magnitude, &err), err);
    float *w = masks.values[2]->data->data;
    for (int k = 0; k < 540; k += 77) {
        const float kept = w[k], step = 1e-2F;
        w[k] = kept * (1 + step);
        const double above = loss_of(f);
        w[k] = kept * (1 - step);
        const double below = loss_of(f);
        w[k] = kept;
        const double expected = fabs(above - below) / (2 * (double)step);
        assert_true(fabs(((float *)masks.scores[2]->data)[k] - expected) <= 1e-3 * expected + 1e-5);
    }
    mc_masks_finish(&masks);
}

/* Squared difference of the outputs of two models on the calibration samples. */
static double distance(struct fixture *f, const struct mc_model *a, const struct mc_model *b)
{
    const struct mc_plan_options options = {.dims = {.batch = SAMPLES}, .runtime = &f->runtime};
    const struct mc_model *models[2] = {a, b};
    struct mc_plan *plans[2];
    struct mc_error err = {0};
    for (int i = 0; i < 2; i++) {
        assert_ok(mc_plan_create(&plans[i], models[i], &options, &err), err);
        assert_ok(mc_dataset_read(f->data, MC_DATA_CALIBRATION, NULL, 0, SAMPLES, mc_plan_input(plans[i], 0)->data,
                                  NULL, NULL, 1, &err),
                  err);
        assert_ok(mc_plan_run(plans[i], &err), err);
    }
    const float *x = mc_plan_output(plans[0], 0)->data, *y = mc_plan_output(plans[1], 0)->data;
    double sum = 0;
    for (int k = 0; k < SAMPLES * 10; k++) sum += ((double)x[k] - y[k]) * ((double)x[k] - y[k]);
    for (int i = 0; i < 2; i++) mc_plan_destroy(plans[i]);
    return sum;
}

static double distance_after(struct fixture *f, enum mc_score score, enum mc_scope scope, double sparsity)
{
    struct mc_error err = {0};
    struct mc_model *clone;
    struct mc_masks masks;
    int n_by_magnitude;
    const struct mc_score_options scoring = options_of(f, score);
    const struct mc_sparsify_options options = {.sparsity = sparsity, .scope = scope};
    assert_ok(mc_model_clone(&clone, f->net.model, false, &err), err);
    mc_ops_bind(clone);
    assert_ok(mc_masks_create(&masks, clone, NULL, &err), err);
    if (score == MC_SCORE_SECOND_ORDER) {
        assert_ok(mc_second_order(&masks, clone, &options, &scoring, &n_by_magnitude, &err), err);
        assert_int_equal(n_by_magnitude, 0);
    } else {
        assert_ok(mc_scores_measure(&masks, clone, &scoring, &n_by_magnitude, &err), err);
        assert_ok(mc_masks_update(&masks, &options, sparsity, &err), err);
        assert_ok(mc_masks_apply(&masks, clone, &err), err);
    }
    const double d = distance(f, f->net.model, clone);
    mc_masks_finish(&masks);
    mc_model_destroy(clone);
    return d;
}

static void test_second_order_beats_inputs_beat_magnitude(void **state)
{
    struct fixture *f = *state;
    const double magnitude = distance_after(f, MC_SCORE_MAGNITUDE, MC_SCOPE_LAYER, 0.5);
    const double wanda = distance_after(f, MC_SCORE_WANDA, MC_SCOPE_ROW, 0.5);
    const double second_order = distance_after(f, MC_SCORE_SECOND_ORDER, MC_SCOPE_LAYER, 0.5);
    const double random = distance_after(f, MC_SCORE_RANDOM, MC_SCOPE_LAYER, 0.5);
    assert_true(second_order < wanda);
    assert_true(wanda < magnitude);
    assert_true(magnitude < random);
}

/* Zeros of each tensor after one of the ways in which tensors compete for their share. */
static void count_zeros(struct fixture *f, enum mc_score score, int64_t zeros[3])
{
    struct mc_error err = {0};
    struct mc_model *clone;
    struct mc_masks masks;
    int n_by_magnitude;
    const struct mc_score_options scoring = options_of(f, score);
    const struct mc_sparsify_options options = {.sparsity = 0.7, .scope = MC_SCOPE_LAMP};
    assert_ok(mc_model_clone(&clone, f->net.model, false, &err), err);
    mc_ops_bind(clone);
    assert_ok(mc_masks_create(&masks, clone, NULL, &err), err);
    if (score == MC_SCORE_SECOND_ORDER) {
        assert_ok(mc_second_order(&masks, clone, &options, &scoring, &n_by_magnitude, &err), err);
    } else {
        assert_ok(mc_scores_measure(&masks, clone, &scoring, &n_by_magnitude, &err), err);
        assert_ok(mc_masks_update(&masks, &options, options.sparsity, &err), err);
    }
    for (int i = 0; i < 3; i++) {
        zeros[i] = 0;
        for (int64_t k = 0; k < mc_tensor_count(masks.values[i]->data); k++) zeros[i] += !masks.keep[i][k];
    }
    mc_masks_finish(&masks);
    mc_model_destroy(clone);
}

static void test_second_order_shares_zeros_by_inputs(void **state)
{
    struct fixture *f = *state;
    int64_t by_weights[3], by_inputs[3], by_surgery[3];
    count_zeros(f, MC_SCORE_MAGNITUDE, by_weights);
    count_zeros(f, MC_SCORE_WANDA, by_inputs);
    count_zeros(f, MC_SCORE_SECOND_ORDER, by_surgery);
    bool differs = false;
    for (int i = 0; i < 3; i++) {
        differs = differs || by_weights[i] != by_inputs[i];
        assert_in_range(by_surgery[i], by_inputs[i] - 1, by_inputs[i] + 1); /* each group of outputs rounds */
    }
    assert_true(differs);
}

static void test_a_weight_of_two_nodes_is_judged_by_itself(void **state)
{
    struct fixture *f = *state;
    struct mc_error err = {0};
    struct net net;
    net_start(&net, 6);
    struct mc_value *x = net_node(&net, "Flatten", net_input(&net, 1, 28, 28), NULL, NULL);
    struct mc_value *w = net_weight(&net, "shared", 0, 0.1, 10, 10, 0, 0);
    x = net_node(&net, "MatMul", net_gemm(&net, x, 784, 10), w, NULL);
    net_output(&net, net_node(&net, "MatMul", x, w, NULL));
    struct mc_masks masks;
    int n_by_magnitude;
    const struct mc_score_options options = options_of(f, MC_SCORE_WANDA);
    assert_ok(mc_masks_create(&masks, net.model, NULL, &err), err);
    assert_ok(mc_scores_measure(&masks, net.model, &options, &n_by_magnitude, &err), err);
    assert_int_equal(n_by_magnitude, 1);
    mc_masks_finish(&masks);
    net_finish(&net);
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(test_inputs_of_a_convolution_are_its_patches),
        WITH_FIXTURE(test_snip_is_the_change_of_the_loss_in_first_order),
        WITH_FIXTURE(test_second_order_beats_inputs_beat_magnitude),
        WITH_FIXTURE(test_second_order_shares_zeros_by_inputs),
        WITH_FIXTURE(test_a_weight_of_two_nodes_is_judged_by_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
