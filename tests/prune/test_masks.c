/* test_masks.c - magnitude pruning: which tensors, how many zeros, what it refuses. */
#include "nets.h"
#include "test.h"

#include <math.h>
#include <string.h>

#include "alloc_fail.h"
#include "base/alloc.h"
#include "prune/prune.h"

static int64_t zeros(const unsigned char *keep, int64_t n)
{
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++) count += !keep[i];
    return count;
}

/* MLP 10 → 8 → 5 with a scale [1, 8], whose rank is 2 though it is no weight. */
static void build(struct net *net, uint64_t seed)
{
    net_start(net, seed);
    struct mc_value *x = net_gemm(net, net_input(net, 10, 0, 0), 10, 8);
    x = net_node(net, "Mul", x, net_weight(net, "scale", 1, 0.1, 1, 8, 0, 0), NULL);
    net_output(net, net_matmul(net, x, 8, 5));
}

static struct mc_masks masks_of(const struct net *net, const char *exclude)
{
    struct mc_error err = {0};
    struct mc_masks masks;
    assert_ok(mc_masks_create(&masks, net->model, exclude, &err), err);
    return masks;
}

static void test_weights_are_what_is_contracted(void **state)
{
    struct net net;
    build(&net, 1);
    struct mc_masks masks = masks_of(&net, NULL);
    assert_int_equal(masks.n, 2);
    assert_string_equal(masks.values[0]->name, "gemm.weight");
    assert_int_equal(masks.input_axis[0], 1); /* [out, in] */
    assert_string_equal(masks.values[1]->name, "matmul.weight");
    assert_int_equal(masks.input_axis[1], 0); /* [in, out] */
    mc_masks_finish(&masks);

    masks = masks_of(&net, "gemm.*, other");
    assert_int_equal(masks.n, 1);
    mc_masks_finish(&masks);
    net_finish(&net);
}

static void test_depthwise_filters_are_weights_and_tables_are_not(void **state)
{
    struct net net;
    struct mc_error err = {0};
    net_start(&net, 8);
    struct mc_value *x = net_conv(&net, net_input(&net, 4, 6, 6), 4, 4, 3, 1, 1, 4, true);
    x = net_node(&net, "PRelu", x, net_weight(&net, "slope", 0, 0.1, 4, 1, 1, 0), NULL);
    const struct mc_shape shape = {.rank = 1, .dim = {2}};
    struct mc_tensor *list = NULL;
    assert_ok(mc_tensor_create(&list, MC_INT64, &shape, &err), err);
    struct mc_value *indices = mc_graph_add_initializer(net.model->graph, "indices", list);
    struct mc_value *rows = net_node(&net, "Gather", net_weight(&net, "table", 0, 1, 5, 6, 0, 0), indices, NULL);
    rows = net_node(&net, "ReduceMean", rows, NULL, NULL);
    net_output(&net, net_node(&net, "Add", x, rows, NULL));
    struct mc_masks masks = masks_of(&net, NULL);
    assert_int_equal(masks.n, 1);
    assert_string_equal(masks.values[0]->name, "conv.weight");
    mc_masks_finish(&masks);
    net_finish(&net);
}

static void test_unknown_operator_makes_every_matrix_a_weight(void **state)
{
    struct net net;
    net_start(&net, 2);
    struct mc_value *x = net_gemm(&net, net_input(&net, 10, 0, 0), 10, 8);
    x = net_node(&net, "NoSuchOperator", x, net_weight(&net, "table", 0, 1, 6, 7, 0, 0), NULL);
    net_output(&net, x);
    struct mc_masks masks = masks_of(&net, NULL);
    assert_int_equal(masks.n, 2);
    mc_masks_finish(&masks);
    net_finish(&net);
}

static void test_weight_behind_an_identity_is_masked_once(void **state)
{
    struct net net;
    net_start(&net, 3);
    struct mc_value *w = net_weight(&net, "w", 0, 1, 6, 6, 0, 0);
    struct mc_value *x = net_node(&net, "MatMul", net_input(&net, 6, 0, 0), w, NULL);
    net_output(&net, net_node(&net, "MatMul", x, net_node(&net, "Identity", w, NULL, NULL), NULL));
    struct mc_masks masks = masks_of(&net, NULL);
    assert_int_equal(masks.n, 1);
    assert_ptr_equal(masks.values[0], w);
    mc_masks_finish(&masks);
    net_finish(&net);
}

static void test_counts_are_exact_globally_and_per_layer(void **state)
{
    struct net net;
    struct mc_error err = {0};
    build(&net, 4); /* 80 and 40 weights */
    struct mc_masks masks = masks_of(&net, NULL);
    struct mc_sparsify_options options = {.sparsity = 0.9, .scope = MC_SCOPE_GLOBAL};
    assert_ok(mc_masks_update(&masks, &options, 0.9, &err), err);
    assert_int_equal(zeros(masks.keep[0], 80) + zeros(masks.keep[1], 40), 108);
    assert_ok(mc_masks_update(&masks, &options, 0.29, &err), err);
    assert_int_equal(zeros(masks.keep[0], 80) + zeros(masks.keep[1], 40), 35); /* 34.8 */
    options.scope = MC_SCOPE_LAYER;
    assert_ok(mc_masks_update(&masks, &options, 0.9, &err), err);
    assert_int_equal(zeros(masks.keep[0], 80), 72);
    assert_int_equal(zeros(masks.keep[1], 40), 36);
    mc_masks_finish(&masks);
    net_finish(&net);
}

static void test_applying_writes_zeros_into_a_clone_alone(void **state)
{
    struct net net;
    struct mc_error err = {0};
    build(&net, 5);
    struct mc_masks masks = masks_of(&net, NULL);
    const struct mc_sparsify_options options = {.sparsity = 0.5, .scope = MC_SCOPE_LAYER};
    assert_ok(mc_masks_update(&masks, &options, 0.5, &err), err);
    struct mc_model *clone = NULL;
    assert_ok(mc_model_clone(&clone, net.model, true, &err), err);
    assert_ok(mc_masks_apply(&masks, clone, &err), err);
    const float *before = net_find(net.model, "gemm.weight")->data->data;
    const float *after = net_find(clone, "gemm.weight")->data->data;
    int n_zero = 0;
    for (int i = 0; i < 80; i++) {
        assert_true(before[i] != 0);
        assert_true(after[i] == (masks.keep[0][i] ? before[i] : 0.0F));
        n_zero += after[i] == 0;
    }
    assert_int_equal(n_zero, 40);
    mc_model_destroy(clone);
    mc_masks_finish(&masks);
    net_finish(&net);
}

static void test_pattern_keeps_two_of_four_inputs(void **state)
{
    struct net net;
    struct mc_error err = {0};
    build(&net, 6);
    struct mc_masks masks = masks_of(&net, NULL);
    const struct mc_sparsify_options options = {.pattern_n = 2, .pattern_m = 4};
    assert_ok(mc_masks_update(&masks, &options, 0, &err), err);
    const unsigned char *gemm = masks.keep[0], *matmul = masks.keep[1];
    for (int o = 0; o < 8; o++)
        for (int i = 0; i + 4 <= 10; i += 4)
            assert_int_equal(gemm[10 * o + i] + gemm[10 * o + i + 1] + gemm[10 * o + i + 2] + gemm[10 * o + i + 3], 2);
    for (int o = 0; o < 5; o++)
        for (int i = 0; i < 8; i += 4)
            assert_int_equal(
                matmul[5 * i + o] + matmul[5 * i + 5 + o] + matmul[5 * i + 10 + o] + matmul[5 * i + 15 + o], 2);
    const struct mc_sparsify_options gradual = {.sparsity = 0.5, .pattern_n = 2, .pattern_m = 4};
    assert_ok(mc_masks_update(&masks, &gradual, 0.25, &err), err);
    assert_int_equal(zeros(masks.keep[1], 40), 10);
    mc_masks_finish(&masks);
    net_finish(&net);
}

static void test_blocks_go_together_along_outputs_and_inputs(void **state)
{
    struct net net;
    struct mc_error err = {0};
    build(&net, 10);
    struct mc_masks masks = masks_of(&net, NULL);
    struct mc_sparsify_options options = {.sparsity = 0.5, .block_rows = 4, .block_columns = 1};
    assert_ok(mc_masks_update(&masks, &options, 0.5, &err), err); /* 2 x 10 and 2 x 8 blocks */
    const unsigned char *gemm = masks.keep[0], *matmul = masks.keep[1];
    int n_blocks = 0;
    for (int o = 0; o < 8; o++)
        for (int i = 0; i < 10; i++) {
            assert_int_equal(gemm[10 * o + i], gemm[10 * (o / 4 * 4) + i]);
            n_blocks += o % 4 == 0 && !gemm[10 * o + i];
        }
    for (int i = 0; i < 8; i++)
        for (int o = 0; o < 5; o++) {
            assert_int_equal(matmul[5 * i + o], matmul[5 * i + o / 4 * 4]);
            n_blocks += o % 4 == 0 && !matmul[5 * i + o];
        }
    assert_int_equal(n_blocks, 18);
    options.block_rows = 1;
    options.block_columns = 4;
    options.scope = MC_SCOPE_LAYER;
    assert_ok(mc_masks_update(&masks, &options, 0.5, &err), err);
    for (int o = 0; o < 8; o++)
        for (int i = 0; i < 10; i++) assert_int_equal(gemm[10 * o + i], gemm[10 * o + i / 4 * 4]);
    for (int i = 0; i < 8; i++)
        for (int o = 0; o < 5; o++) assert_int_equal(matmul[5 * i + o], matmul[5 * (i / 4 * 4) + o]);
    assert_int_equal(zeros(matmul, 40), 20); /* 5 of 10 blocks of 4 */
    mc_masks_finish(&masks);
    net_finish(&net);
}

static void test_bad_options_are_refused(void **state)
{
    struct net net;
    build(&net, 7);
    struct mc_masks masks = masks_of(&net, NULL);
    struct mc_sparsify_options options = {.sparsity = 0.5};
    const double bad[] = {-0.1, 1, NAN};
    for (size_t i = 0; i < MC_COUNT(bad); i++) {
        struct mc_error err = {0};
        assert_int_equal(mc_masks_update(&masks, &options, bad[i], &err), MC_ERR_USAGE);
        assert_non_null(strstr(err.text, "sparsity must be at least 0 and less than 1"));
    }
    const int patterns[][2] = {{0, 4}, {5, 4}, {2, 65}, {-1, -2}};
    for (size_t i = 0; i < MC_COUNT(patterns); i++) {
        struct mc_error err = {0};
        options.pattern_n = patterns[i][0];
        options.pattern_m = patterns[i][1];
        assert_int_equal(mc_masks_update(&masks, &options, 0.5, &err), MC_ERR_USAGE);
        assert_non_null(strstr(err.text, "a pattern keeps n of m weights"));
    }
    const int blocks[][2] = {{0, 4}, {4, 0}, {65, 1}, {1, -1}};
    for (size_t i = 0; i < MC_COUNT(blocks); i++) {
        struct mc_error err = {0};
        options = (struct mc_sparsify_options){.block_rows = blocks[i][0], .block_columns = blocks[i][1]};
        assert_int_equal(mc_masks_update(&masks, &options, 0.5, &err), MC_ERR_USAGE);
        assert_non_null(strstr(err.text, "a block has 1 to 64 outputs by 1 to 64 inputs"));
    }
    mc_masks_finish(&masks);
    net_finish(&net);
}

static int mask(void *context)
{
    struct mc_model *model = context;
    struct mc_error err = {0};
    struct mc_masks masks = {0};
    const struct mc_sparsify_options global = {.sparsity = 0.5}, pattern = {.pattern_n = 1, .pattern_m = 4},
                                     blocks = {.sparsity = 0.5, .block_rows = 2, .block_columns = 2};
    int rc = mc_masks_create(&masks, model, NULL, &err);
    if (rc == 0) rc = mc_masks_update(&masks, &global, 0.5, &err);
    if (rc == 0) rc = mc_masks_update(&masks, &pattern, 0, &err);
    if (rc == 0) rc = mc_masks_update(&masks, &blocks, 0.5, &err);
    if (rc == 0) rc = mc_masks_apply(&masks, model, &err);
    mc_masks_finish(&masks);
    return rc;
}

static void test_any_allocation_may_fail(void **state)
{
    struct net net;
    build(&net, 9);
    alloc_fail_each(mask, net.model);
    net_finish(&net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_weights_are_what_is_contracted),
        cmocka_unit_test(test_depthwise_filters_are_weights_and_tables_are_not),
        cmocka_unit_test(test_unknown_operator_makes_every_matrix_a_weight),
        cmocka_unit_test(test_weight_behind_an_identity_is_masked_once),
        cmocka_unit_test(test_counts_are_exact_globally_and_per_layer),
        cmocka_unit_test(test_applying_writes_zeros_into_a_clone_alone),
        cmocka_unit_test(test_pattern_keeps_two_of_four_inputs),
        cmocka_unit_test(test_bad_options_are_refused),
        cmocka_unit_test(test_blocks_go_together_along_outputs_and_inputs),
        cmocka_unit_test(test_any_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
