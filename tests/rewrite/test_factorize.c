/* test_factorize.c - layers in two of lower rank: what they compute, what they keep, what they cost, and what is
 * refused.
 *
 * mc_factorize's own check is not relied on. */
#include "rewrite/factorize.h"

#include <math.h>
#include <string.h>

#include "alloc_fail.h"
#include "base/alloc.h"
#include "graph/cost.h"
#include "nets.h"
#include "op/ops.h"
#include "run/plan.h"
#include "test.h"
#include "train/train.h"

/* Outputs for a batch of 3 random inputs, the same for every model; the caller's (mc_tensor_destroy). */
static struct mc_tensor *outputs_of(const struct mc_model *model)
{
    struct mc_error err = {0};
    struct mc_plan *plan;
    struct mc_tensor *copy;
    struct mc_rng rng;
    mc_rng_init(&rng, 9, 9);
    assert_ok(mc_plan_create(&plan, model, &(struct mc_plan_options){.dims = {.batch = 3}}, &err), err);
    struct mc_tensor *x = mc_plan_input(plan, 0);
    for (int64_t i = 0; i < mc_tensor_count(x); i++) mc_tensor_set_f64(x, i, mc_rng_normal(&rng));
    assert_ok(mc_plan_run(plan, &err), err);
    assert_ok(mc_tensor_clone(&copy, mc_plan_output(plan, 0), &err), err);
    mc_plan_destroy(plan);
    return copy;
}

static double largest_difference(const struct mc_tensor *a, const struct mc_tensor *b)
{
    double most = 0;
    assert_true(mc_shape_equal(&a->shape, &b->shape));
    for (int64_t i = 0; i < mc_tensor_count(a); i++)
        most = fmax(most, fabs(mc_tensor_get_f64(a, i) - mc_tensor_get_f64(b, i)));
    return most;
}

/* Make a weight, seen as [first extent, rest], the sum of `rank` products of vectors. */
static void lower(struct net *net, struct mc_value *w, int rank)
{
    const int64_t M = w->data->shape.dim[0], K = mc_tensor_count(w->data) / M;
    float *data = w->data->data;
    double *a = MC_NEW_ARRAY(double, M), *b = MC_NEW_ARRAY(double, K);
    memset(data, 0, mc_tensor_bytes(w->data));
    for (int r = 0; r < rank; r++) {
        for (int64_t m = 0; m < M; m++) a[m] = mc_rng_normal(&net->rng);
        for (int64_t k = 0; k < K; k++) b[k] = mc_rng_normal(&net->rng) / sqrt((double)K);
        for (int64_t i = 0; i < M * K; i++) data[i] += (float)(a[i / K] * b[i % K]);
    }
    mc_free(b);
    mc_free(a);
}

static int64_t macs_of(const struct mc_model *model)
{
    struct mc_error err = {0};
    struct mc_facts facts;
    struct mc_model_cost cost;
    const struct mc_dims dims = {.batch = 1};
    assert_ok(mc_model_facts(&facts, model, &dims, false, &err), err);
    assert_ok(mc_model_cost_create(&cost, model, &facts, &err), err);
    const int64_t macs = cost.cost.macs;
    mc_model_cost_finish(&cost);
    mc_facts_finish(&facts);
    return macs;
}

/* Layers of each kind whose weights have rank 2, 3 and 4. */
static void make_layers(struct net *net)
{
    net_start(net, 1);
    struct mc_value *x = net_conv(net, net_input(net, 3, 9, 8), 3, 10, 3, 2, 1, 1, true);
    lower(net, x->producer->inputs[1], 2);
    x = net_node(net, "Flatten", net_node(net, "Relu", x, NULL, NULL), NULL, NULL);
    x = net_gemm(net, x, 200, 30);
    lower(net, x->producer->inputs[1], 3);
    x = net_matmul(net, net_node(net, "Relu", x, NULL, NULL), 30, 20);
    lower(net, x->producer->inputs[1], 4);
    net_output(net, x);
}

static void test_weights_of_low_rank_are_found_out_and_nothing_changes(void **state)
{
    static const int ranks[] = {2, 3, 4};
    struct net net;
    struct mc_error err = {0};
    struct mc_factorize_options options;
    struct mc_record *section;
    make_layers(&net);
    struct mc_tensor *before = outputs_of(net.model);
    mc_factorize_options_init(&options);
    options.energy = 1 - 1e-9;
    assert_ok(mc_record_create(&section, &err), err);
    assert_ok(mc_factorize(net.model, &options, section, &err), err);
    for (int i = 0; i < 3; i++) {
        char path[64];
        snprintf(path, sizeof path, "layers.%d.rank", i);
        assert_int_equal(mc_record_get_int(section, path, 0), ranks[i]);
    }
    struct mc_tensor *after = outputs_of(net.model);
    assert_true(largest_difference(before, after) < 1e-5);
    assert_int_equal(net.model->graph->n_nodes, 9);
    assert_int_equal(mc_record_get_int(section, "macs_after", 0), macs_of(net.model));
    mc_tensor_destroy(after);
    mc_tensor_destroy(before);
    mc_record_destroy(section);
    net_finish(&net);
}

/* W = diag(4, 2, 1, …): of rank 1 there is nothing nearer than diag(4, 0, …), of rank 2 than diag(4, 2, 0, …). */
static void test_the_largest_singular_values_stay(void **state)
{
    enum { N = 6 };
    static const float sizes[N] = {1, 4, 0.5f, 2, 0.25f, 0.125f};
    for (int rank = 1; rank <= 2; rank++) {
        struct net net;
        struct mc_error err = {0};
        struct mc_factorize_options options;
        net_start(&net, 2);
        net_output(&net, net_matmul(&net, net_input(&net, N, 0, 0), N, N));
        struct mc_value *w = net_find(net.model, "matmul.weight");
        memset(w->data->data, 0, mc_tensor_bytes(w->data));
        for (int i = 0; i < N; i++) ((float *)w->data->data)[i * N + i] = sizes[i];
        mc_factorize_options_init(&options);
        options.energy = rank == 1 ? 0.7 : 0.9; /* of 21.3: 16, 20 */
        assert_ok(mc_factorize(net.model, &options, NULL, &err), err);
        const float *v = net_find(net.model, "matmul.weight_v")->data->data,
                    *u = net_find(net.model, "matmul.weight_u")->data->data;
        for (int k = 0; k < N; k++)
            for (int m = 0; m < N; m++) {
                double product = 0;
                for (int i = 0; i < rank; i++) product += (double)v[k * rank + i] * (double)u[i * N + m];
                const double stays = k == m && sizes[k] >= (rank == 1 ? 4 : 2) ? (double)sizes[k] : 0;
                assert_true(fabs(product - stays) < 1e-6);
            }
        net_finish(&net);
    }
}

/* --- by outputs --- */

/* Squares of what the outputs of `b` are off those of `a`, over the variance of those, on samples. */
static double share_lost(const struct mc_model *a, const struct mc_model *b, const struct mc_dataset *data, int64_t n)
{
    struct mc_error err = {0};
    struct mc_plan *plans[2];
    double off = 0, sum[10] = {0}, squares = 0, spread = 0;
    for (int p = 0; p < 2; p++) {
        const struct mc_plan_options options = {.dims = {.batch = n}};
        assert_ok(mc_plan_create(&plans[p], p ? b : a, &options, &err), err);
        assert_ok(mc_dataset_read(data, MC_DATA_CALIBRATION, NULL, 0, n, mc_plan_input(plans[p], 0)->data, NULL, NULL,
                                  1, &err),
                  err);
        assert_ok(mc_plan_run(plans[p], &err), err);
    }
    const float *y = mc_plan_output(plans[0], 0)->data, *z = mc_plan_output(plans[1], 0)->data;
    for (int64_t i = 0; i < n * 10; i++) {
        off += pow((double)y[i] - (double)z[i], 2);
        squares += pow((double)y[i], 2);
        sum[i % 10] += (double)y[i];
    }
    for (int m = 0; m < 10; m++) spread += sum[m] * sum[m] / (double)n;
    mc_plan_destroy(plans[0]);
    mc_plan_destroy(plans[1]);
    return off / (squares - spread);
}

static void test_by_outputs_what_is_lost_is_the_variance_left_out(void **state)
{
    struct mc_error err = {0};
    struct mc_dataset *data;
    double lost[2];
    assert_ok(mc_dataset_open(&data, "glyphs:,train=128,test=8,validation=0", NULL, &err), err);
    for (int by = MC_FACTORIZE_WEIGHTS; by <= MC_FACTORIZE_OUTPUTS; by++) {
        struct mc_model *model, *small;
        struct mc_record *section;
        struct mc_factorize_options options;
        assert_ok(mc_architecture_create(&model, "linear", data, 3, &err), err);
        assert_ok(mc_model_clone(&small, model, false, &err), err);
        mc_ops_bind(small);
        mc_factorize_options_init(&options);
        options.by = (enum mc_factorize_by)by;
        options.stays = 0.5;
        options.budget = MC_BUDGET_PARAMETERS;
        options.samples = (struct mc_samples){.data = data, .role = MC_DATA_CALIBRATION, .n = 128};
        assert_ok(mc_record_create(&section, &err), err);
        assert_ok(mc_factorize(small, &options, section, &err), err);
        assert_int_equal(mc_record_get_int(section, "layers.0.rank", 0), 4);
        lost[by] = share_lost(model, small, data, 128);
        if (by == MC_FACTORIZE_OUTPUTS)
            assert_true(fabs(lost[by] - (1 - mc_record_get_num(section, "layers.0.energy", 0))) < 1e-5);
        mc_record_destroy(section);
        mc_model_destroy(small);
        mc_model_destroy(model);
    }
    assert_true(lost[MC_FACTORIZE_OUTPUTS] < 0.9 * lost[MC_FACTORIZE_WEIGHTS]);
    mc_dataset_destroy(data);
}

/* --- what is left alone --- */

static const char *why(const struct mc_record *section, int layer)
{
    char path[64];
    snprintf(path, sizeof path, "layers.%d.why", layer);
    return mc_record_get_text(section, path, "it was cut");
}

static void test_what_cannot_be_cut_is_left_and_says_why(void **state)
{
    struct net net;
    struct mc_error err = {0};
    struct mc_factorize_options options;
    struct mc_record *section;
    net_start(&net, 4);
    struct mc_value *x = net_conv(&net, net_input(&net, 8, 5, 5), 8, 8, 3, 1, 1, 4, false);
    x = net_node(&net, "Flatten", x, NULL, NULL);
    x = net_gemm(&net, x, 200, 1);
    struct mc_value *shared = net_weight(&net, "shared", 0, 1, 1, 30, 0, 0), *square;
    x = net_node(&net, "MatMul", x, shared, NULL);
    square = net_weight(&net, "square", 0, 1, 30, 30, 0, 0);
    x = net_node(&net, "MatMul", net_node(&net, "MatMul", x, square, NULL), square, NULL);
    x = net_matmul(&net, x, 30, 30);
    net_output(&net, net_node(&net, "MatMul", x, net_weight(&net, "kept", 0, 1, 30, 20, 0, 0), NULL));
    mc_factorize_options_init(&options);
    options.exclude = "ke*";
    assert_ok(mc_record_create(&section, &err), err);
    assert_ok(mc_factorize(net.model, &options, section, &err), err);
    static const char *const reasons[] = {"its channels divide into groups",
                                          "no rank costs less",
                                          "no rank costs less",
                                          "its weight is used elsewhere too",
                                          "its weight is used elsewhere too",
                                          "no rank that keeps so much costs less",
                                          "excluded"};
    for (int i = 0; i < (int)MC_COUNT(reasons); i++) assert_string_equal(why(section, i), reasons[i]);
    mc_record_destroy(section);
    net_finish(&net);
}

static void test_a_model_without_such_layers_is_refused(void **state)
{
    struct net net;
    struct mc_error err = {0};
    struct mc_factorize_options options;
    net_start(&net, 5);
    net_output(&net, net_node(&net, "Relu", net_input(&net, 4, 0, 0), NULL, NULL));
    mc_factorize_options_init(&options);
    assert_int_equal(mc_factorize(net.model, &options, NULL, &err), MC_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "there is no Conv, Gemm or MatMul with a stored weight"));
    net_finish(&net);
    net_start(&net, 5);
    net_output(&net, net_gemm(&net, net_input(&net, 4, 0, 0), 4, 1));
    assert_int_equal(mc_factorize(net.model, &options, NULL, &err), MC_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "'gemm.weight', for one: no rank costs less"));
    net_finish(&net);
}

static void test_weights_that_are_not_finite_are_refused(void **state)
{
    struct net net;
    struct mc_error err = {0};
    struct mc_factorize_options options;
    make_layers(&net);
    ((float *)net_find(net.model, "gemm.weight")->data->data)[7] = NAN;
    mc_factorize_options_init(&options);
    assert_int_equal(mc_factorize(net.model, &options, NULL, &err), MC_ERR_INPUT);
    assert_string_equal(err.text, "tensor 'gemm.weight': numbers are not finite");
    net_finish(&net);
}

/* --- budgets --- */

static void test_a_budget_is_kept_or_refused(void **state)
{
    static const double shares[] = {0.9, 0.5, 0.2};
    struct mc_error err = {0};
    struct mc_factorize_options options;
    struct net net;
    for (size_t i = 0; i < MC_COUNT(shares); i++) {
        make_layers(&net);
        const int64_t before = macs_of(net.model);
        mc_factorize_options_init(&options);
        options.stays = shares[i];
        assert_ok(mc_factorize(net.model, &options, NULL, &err), err);
        assert_true((double)macs_of(net.model) <= shares[i] * (double)before);
        net_finish(&net);
    }
    make_layers(&net);
    options.stays = 0.01;
    assert_int_equal(mc_factorize(net.model, &options, NULL, &err), MC_ERR_USAGE);
    assert_non_null(strstr(err.text, "needs 0.01 of the multiply-accumulates to stay"));
    assert_int_equal(net.model->graph->n_nodes, 6);
    net_finish(&net);
}

/* Before opset 11 a Gemm has three inputs. */
static void test_an_old_gemm_keeps_an_addend(void **state)
{
    struct net net;
    struct mc_error err = {0};
    struct mc_factorize_options options;
    net_start(&net, 6);
    net.model->opsets[0].version = 9;
    struct mc_value *y = net_gemm(&net, net_input(&net, 40, 0, 0), 40, 30);
    assert_ok(mc_node_set_float(y->producer, "beta", 0.5f, &err), err);
    assert_ok(mc_node_set_float(y->producer, "alpha", 2, &err), err);
    lower(&net, y->producer->inputs[1], 2);
    net_output(&net, y);
    struct mc_tensor *before = outputs_of(net.model);
    mc_factorize_options_init(&options);
    options.energy = 1 - 1e-9;
    assert_ok(mc_factorize(net.model, &options, NULL, &err), err);
    assert_int_equal(net.model->graph->n_nodes, 2);
    assert_int_equal(net.model->graph->nodes[0]->n_inputs, 3);
    struct mc_tensor *after = outputs_of(net.model);
    assert_true(largest_difference(before, after) < 1e-5);
    mc_tensor_destroy(after);
    mc_tensor_destroy(before);
    net_finish(&net);
}

/* --- failed allocations --- */

static int factorize_clone(void *context)
{
    const struct mc_model *of = context;
    struct mc_error err = {0};
    struct mc_model *model = NULL;
    struct mc_record *section = NULL;
    struct mc_factorize_options options;
    mc_factorize_options_init(&options);
    int rc = mc_model_clone(&model, of, true, &err);
    if (rc == 0) mc_ops_bind(model);
    if (rc == 0) rc = mc_record_create(&section, &err);
    if (rc == 0) rc = mc_factorize(model, &options, section, &err);
    mc_record_destroy(section);
    mc_model_destroy(model);
    return rc;
}

static void test_each_allocation_may_fail(void **state)
{
    struct net net;
    make_layers(&net);
    alloc_fail_each(factorize_clone, net.model);
    net_finish(&net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_weights_of_low_rank_are_found_out_and_nothing_changes),
        cmocka_unit_test(test_the_largest_singular_values_stay),
        cmocka_unit_test(test_by_outputs_what_is_lost_is_the_variance_left_out),
        cmocka_unit_test(test_what_cannot_be_cut_is_left_and_says_why),
        cmocka_unit_test(test_a_model_without_such_layers_is_refused),
        cmocka_unit_test(test_weights_that_are_not_finite_are_refused),
        cmocka_unit_test(test_a_budget_is_kept_or_refused),
        cmocka_unit_test(test_an_old_gemm_keeps_an_addend),
        cmocka_unit_test(test_each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
