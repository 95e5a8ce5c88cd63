/* test_sparsify.c - zeros without masks: the same as with them, at once or when a file is written. */
#include "nets.h"
#include "scratch.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "graph/pieces.h"
#include "onnx/onnx.h"
#include "op/ops.h"
#include "prune/prune.h"

enum { ONE_PIECE = 600, TWO_PIECES = 18000 }; /* inputs: weights of 1.2 and of 37 MB (graph/pieces.h) */

/* Large weights, which are mapped from an external file, and small ones; `step` > 0: many are equal. */
static void build(struct net *net, int n_inputs, double step)
{
    net_start(net, 9);
    net_output(net, net_matmul(net, net_gemm(net, net_input(net, n_inputs, 0, 0), n_inputs, 512), 512, 7));
    for (int i = 0; step > 0 && i < net->model->graph->n_initializers; i++) {
        struct mc_tensor *t = net->model->graph->initializers[i]->data;
        for (int64_t k = 0; k < mc_tensor_count(t); k++)
            mc_tensor_set_f64(t, k, step * floor(mc_tensor_get_f64(t, k) / step));
    }
}

static struct mc_masks weights_of(const struct mc_model *model)
{
    struct mc_error err = {0};
    struct mc_masks weights;
    assert_ok(mc_masks_find(&weights, model, NULL, &err), err);
    assert_int_equal(weights.n, 2);
    assert_null(weights.keep[0]);
    return weights;
}

/* What masks make of the model. */
static struct mc_model *masked(const struct mc_model *model, const struct mc_sparsify_options *options)
{
    struct mc_error err = {0};
    struct mc_masks masks;
    struct mc_model *clone;
    assert_ok(mc_model_clone(&clone, model, false, &err), err);
    assert_ok(mc_masks_create(&masks, model, NULL, &err), err);
    assert_ok(mc_masks_update(&masks, options, options->sparsity, &err), err);
    assert_ok(mc_masks_apply(&masks, clone, &err), err);
    mc_masks_finish(&masks);
    return clone;
}

static void assert_same_weights(const struct mc_model *a, const struct mc_model *b)
{
    assert_int_equal(a->graph->n_initializers, b->graph->n_initializers);
    for (int i = 0; i < a->graph->n_initializers; i++) {
        const struct mc_tensor *x = a->graph->initializers[i]->data, *y = b->graph->initializers[i]->data;
        assert_memory_equal(x->data, y->data, mc_tensor_bytes(x));
    }
}

static const struct mc_sparsify_options choices[] = {
    {.sparsity = 0.9, .scope = MC_SCOPE_GLOBAL},
    {.sparsity = 0.37, .scope = MC_SCOPE_LAYER},
    {.sparsity = 0, .scope = MC_SCOPE_GLOBAL},
    {.sparsity = 0.8, .scope = MC_SCOPE_LAMP},
    {.sparsity = 0, .scope = MC_SCOPE_LAMP},
    {.sparsity = 0.85, .scope = MC_SCOPE_ERDOS_RENYI},
    {.pattern_n = 2, .pattern_m = 4},
};

static void test_zeros_are_those_of_masks(void **state)
{
    struct mc_error err = {0};
    for (int ties = 0; ties < 2; ties++) {
        for (size_t i = 0; i < MC_COUNT(choices); i++) {
            struct net net;
            build(&net, ONE_PIECE, ties ? 0.125 : 0);
            struct mc_model *expected = masked(net.model, &choices[i]);
            struct mc_masks weights = weights_of(net.model);
            assert_ok(mc_sparsify(net.model, &weights, &choices[i], false, &err), err);
            assert_same_weights(net.model, expected);
            mc_masks_finish(&weights);
            mc_model_destroy(expected);
            net_finish(&net);
        }
    }
}

static struct mc_model *load(void **state, const char *name)
{
    struct mc_error err = {0};
    struct mc_model *model;
    assert_ok(mc_onnx_load(&model, scratch_path(state, name), &err), err);
    mc_ops_bind(model);
    return model;
}

/* Contents that are mapped stay as they are in memory, and come pruned out of the file. */
static void check_deferred(void **state, int n_inputs, const struct mc_sparsify_options *options, double step)
{
    const struct mc_onnx_save_options save = {.overwrite = true, .external_threshold = 1 << 20};
    struct mc_error err = {0};
    struct net net;
    build(&net, n_inputs, step);
    struct mc_model *expected = masked(net.model, options);
    assert_ok(mc_onnx_save(net.model, scratch_path(state, "dense.onnx"), &save, &err), err);
    struct mc_model *model = load(state, "dense.onnx");
    struct mc_masks weights = weights_of(model);
    const struct mc_value *large = weights.values[0], *small = weights.values[1];
    assert_true(large->data->mapped);
    assert_false(mc_tensor_is_unique(large->data));
    assert_ok(mc_sparsify(model, &weights, options, true, &err), err);
    assert_non_null(large->edit);
    assert_null(small->edit);
    assert_memory_equal(large->data->data, net.model->graph->initializers[0]->data->data, mc_tensor_bytes(large->data));
    int64_t nonzeros;
    assert_ok(mc_value_nonzeros(large, &nonzeros, &err), err);

    assert_ok(mc_onnx_save(model, scratch_path(state, "sparse.onnx"), &save, &err), err);
    struct mc_model *again = load(state, "sparse.onnx");
    assert_same_weights(again, expected);
    int64_t written;
    assert_ok(mc_value_nonzeros(again->graph->initializers[0], &written, &err), err);
    assert_int_equal(written, nonzeros);
    mc_masks_finish(&weights);
    mc_model_destroy(again);
    mc_model_destroy(model);
    mc_model_destroy(expected);
    net_finish(&net);
}

static void test_mapped_weights_are_pruned_on_their_way_to_the_file(void **state)
{
    for (size_t i = 0; i < MC_COUNT(choices); i++) {
        check_deferred(state, ONE_PIECE, &choices[i], 0);
        check_deferred(state, ONE_PIECE, &choices[i], 0.125);
    }
}

/* The cut is among equal weights, of which some in each piece go. */
static void test_pieces_are_written_in_turn(void **state)
{
    check_deferred(state, TWO_PIECES, &(struct mc_sparsify_options){.sparsity = 0.8, .scope = MC_SCOPE_LAMP}, 0.125);
    check_deferred(state, TWO_PIECES, &(struct mc_sparsify_options){.sparsity = 0.9, .scope = MC_SCOPE_GLOBAL}, 0);
    check_deferred(state, TWO_PIECES, &(struct mc_sparsify_options){.pattern_n = 2, .pattern_m = 4}, 0.125);
    check_deferred(state, TWO_PIECES, &(struct mc_sparsify_options){.pattern_n = 3, .pattern_m = 7}, 0.125);
}

static int refuse(void *context, const void *elements, int64_t n, struct mc_error *err)
{
    int *n_left = context;
    (void)elements, (void)n;
    return --*n_left < 0 ? mc_error_set(err, MC_ERR_SYSTEM, "no more") : MC_OK;
}

static void test_a_visit_that_fails_ends_the_walk(void **state)
{
    const struct mc_onnx_save_options save = {.external_threshold = 1 << 20};
    struct mc_error err = {0};
    struct net net;
    build(&net, TWO_PIECES, 0);
    assert_ok(mc_onnx_save(net.model, scratch_path(state, "dense.onnx"), &save, &err), err);
    struct mc_model *model = load(state, "dense.onnx");
    struct mc_masks weights = weights_of(model);
    assert_ok(mc_sparsify(model, &weights, &choices[0], true, &err), err);
    for (int n_good = 0; n_good < 2; n_good++) {
        int n_left = n_good;
        assert_int_equal(mc_value_visit(weights.values[0], refuse, &n_left, &err), MC_ERR_SYSTEM);
        assert_string_equal(err.text, "no more");
    }
    mc_masks_finish(&weights);
    mc_model_destroy(model);
    net_finish(&net);
}

static void test_what_is_written_to_a_mapped_tensor_goes_to_a_copy(void **state)
{
    const struct mc_onnx_save_options save = {.external_threshold = 1 << 20};
    struct mc_error err = {0};
    struct net net;
    build(&net, ONE_PIECE, 0);
    assert_ok(mc_onnx_save(net.model, scratch_path(state, "dense.onnx"), &save, &err), err);
    struct mc_model *model = load(state, "dense.onnx"), *expected = masked(net.model, &choices[0]);
    struct mc_masks weights = weights_of(model);
    assert_ok(mc_sparsify(model, &weights, &choices[0], false, &err), err);
    assert_null(weights.values[0]->edit);
    assert_same_weights(model, expected);
    mc_masks_finish(&weights);
    mc_model_destroy(model);
    mc_model_destroy(expected);
    net_finish(&net);
}

#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zeros_are_those_of_masks),
        IN_SCRATCH(test_mapped_weights_are_pruned_on_their_way_to_the_file),
        IN_SCRATCH(test_pieces_are_written_in_turn),
        IN_SCRATCH(test_a_visit_that_fails_ends_the_walk),
        IN_SCRATCH(test_what_is_written_to_a_mapped_tensor_goes_to_a_copy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
