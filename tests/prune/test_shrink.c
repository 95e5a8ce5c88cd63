/* test_shrink.c - removal of channels: widths, constants, the masked twin, refusals.
 *
 * mc_shrink compares with the masked twin itself; test_a_wrong_cut_is_found shows that this check can fail.
 */
#include "nets.h"
#include "test.h"

#include <math.h>
#include <string.h>

#include "alloc_fail.h"
#include "base/alloc.h"
#include "graph/extents.h"
#include "prune/prune.h"
#include "prune/residue.h"
#include "prune/twin.h"
#include "run/plan.h"

static struct mc_shrink_options options_of(double ratio)
{
    struct mc_shrink_options options;
    mc_shrink_options_init(&options);
    options.ratio = ratio;
    options.seed = 7;
    return options;
}

/* Shrink, ask for a twin that was checked; returns the section. */
static struct mc_record *shrink(struct mc_model *model, const struct mc_shrink_options *options)
{
    struct mc_error err = {0};
    struct mc_record *section = NULL;
    assert_ok(mc_record_create(&section, &err), err);
    assert_ok(mc_shrink(model, options, section, NULL, &err), err);
    const struct mc_record *checked = mc_record_get(section, "twin.max_difference");
    if (!checked) fail_msg("the twin was not checked: %s", mc_record_get_text(section, "twin.why", ""));
    return section;
}

static void check_widths(const struct mc_model *model, const char *name, int64_t a, int64_t b)
{
    const struct mc_tensor *t = net_find(model, name)->data;
    assert_int_equal(t->shape.dim[0], a);
    if (b) assert_int_equal(t->shape.dim[1], b);
}

/* --- widths --- */

static void test_half_of_every_hidden_layer_goes(void **state)
{
    struct net net;
    net_start(&net, 1);
    struct mc_value *x = net_node(&net, "Relu", net_gemm(&net, net_input(&net, 10, 0, 0), 10, 8), NULL, NULL);
    x = net_node(&net, "Tanh", net_gemm(&net, x, 8, 5), NULL, NULL);
    net_output(&net, net_gemm(&net, x, 5, 3));
    const struct mc_shrink_options options = options_of(0.5);
    struct mc_record *section = shrink(net.model, &options);
    check_widths(net.model, "gemm.weight", 4, 10);
    check_widths(net.model, "gemm.weight_1", 3, 4); /* of 5 go 2: rounded down */
    check_widths(net.model, "gemm.weight_2", 3, 3);
    check_widths(net.model, "gemm.bias_1", 3, 0);
    assert_int_equal(mc_record_get_int(section, "groups_removed", 0), 6);
    mc_record_destroy(section);
    net_finish(&net);
}

static void test_no_family_is_ever_emptied(void **state)
{
    struct net net;
    net_start(&net, 2);
    struct mc_value *x = net_gemm(&net, net_input(&net, 10, 0, 0), 10, 4);
    net_output(&net, net_gemm(&net, x, 4, 3));
    struct mc_shrink_options options = options_of(0.99);
    mc_record_destroy(shrink(net.model, &options));
    check_widths(net.model, "gemm.weight", 1, 10);
    net_finish(&net);

    net_start(&net, 2);
    x = net_gemm(&net, net_input(&net, 10, 0, 0), 10, 4);
    net_output(&net, net_gemm(&net, x, 4, 3));
    options.minimum = 3;
    mc_record_destroy(shrink(net.model, &options));
    check_widths(net.model, "gemm.weight", 3, 10);
    net_finish(&net);
}

static void test_widths_are_multiples(void **state)
{
    struct net net;
    net_start(&net, 3);
    struct mc_value *x = net_conv(&net, net_input(&net, 3, 8, 8), 3, 30, 3, 1, 1, 1, true);
    x = net_conv(&net, x, 30, 20, 3, 1, 1, 1, true);
    net_output(&net, net_conv(&net, x, 20, 4, 1, 1, 0, 1, true));
    struct mc_shrink_options options = options_of(0.5);
    options.round = 8;
    mc_record_destroy(shrink(net.model, &options));
    check_widths(net.model, "conv.weight", 16, 3);
    check_widths(net.model, "conv.weight_1", 16, 16);
    check_widths(net.model, "conv.weight_2", 4, 16);
    net_finish(&net);
}

/* Three convolutions of 30, 20 and 16 channels before the last. */
static void check_bounded(const char *widths, double stays, const int64_t *expected)
{
    struct net net;
    net_start(&net, 3);
    struct mc_value *x = net_conv(&net, net_input(&net, 3, 8, 8), 3, 30, 3, 1, 1, 1, true);
    x = net_conv(&net, x, 30, 20, 3, 1, 1, 1, true);
    x = net_conv(&net, x, 20, 16, 3, 1, 1, 1, true);
    net_output(&net, net_conv(&net, x, 16, 4, 1, 1, 0, 1, true));
    struct mc_shrink_options options = options_of(stays > 0 ? 0 : 0.5);
    options.stays = stays;
    options.widths = widths;
    struct mc_record *section = shrink(net.model, &options);
    const char *const names[] = {"conv.weight", "conv.weight_1", "conv.weight_2"};
    for (int i = 0; i < 3; i++) {
        const int64_t width = net_find(net.model, names[i])->data->shape.dim[0];
        if (expected[i] >= 0 && width != expected[i])
            fail_msg("'%s': %s is %lld wide and should be %lld", widths, names[i], (long long)width,
                     (long long)expected[i]);
    }
    const double before = mc_record_get_num(section, "macs_before", 1);
    if (stays > 0) assert_true(mc_record_get_num(section, "macs_after", before) <= stays * before);
    mc_record_destroy(section);
    net_finish(&net);
}

static void test_single_layers_have_bounds(void **state)
{
    check_bounded("conv.weight=7,conv.weight_1=18..,conv.weight_2=../6", 0, (int64_t[]){7, 18, 12});
    check_bounded("conv.weight_?=..3,*=28..", 0, (int64_t[]){28, 3, 3});
    check_bounded("conv.weight=30,conv.weight_1=..7", 0.5, (int64_t[]){30, -1, -1}); /* the others make up for it */
    check_bounded("conv.weight=..9/4", 0.9, (int64_t[]){8, 20, 16}); /* which is enough, and no more goes */
}

static void test_bounds_that_cannot_be_are_refused(void **state)
{
    struct net net;
    net_start(&net, 3);
    net_output(&net, net_gemm(&net, net_gemm(&net, net_input(&net, 6, 0, 0), 6, 8), 8, 2));
    struct mc_error err = {0};
    struct mc_shrink_options options = options_of(0.5);
    options.widths = "gemm.weight=..3/8";
    assert_int_equal(mc_shrink(net.model, &options, NULL, NULL, &err), MC_ERR_USAGE);
    assert_string_equal(err.text, "widths: 'gemm.weight' cannot be 3 wide: 8 of 8 channels stay at least");
    options.widths = "gem.weight=4";
    assert_int_equal(mc_shrink(net.model, &options, NULL, NULL, &err), MC_ERR_USAGE);
    assert_string_equal(err.text, "widths: 'gem.weight' is no layer whose channels can go");
    net_finish(&net);
}

static void test_the_least_important_go(void **state)
{
    struct net net;
    net_start(&net, 4);
    struct mc_value *x = net_gemm(&net, net_input(&net, 6, 0, 0), 6, 4);
    net_output(&net, net_gemm(&net, x, 4, 2));
    float *w = net_find(net.model, "gemm.weight")->data->data;
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < 6; k++) w[6 * i + k] = (float)(i == 1 ? 4 : i == 2 ? 3 : 1 + i) * (k % 2 ? 1 : -1);
    const struct mc_shrink_options options = options_of(0.25); /* rows have magnitudes 1, 4, 3, 4 */
    mc_record_destroy(shrink(net.model, &options));
    w = net_find(net.model, "gemm.weight")->data->data;
    assert_true(w[0] == -4 && w[6] == -3 && w[12] == -4);
    net_finish(&net);
}

static void test_excluded_names_stay(void **state)
{
    struct net net;
    net_start(&net, 5);
    struct mc_value *x = net_gemm(&net, net_input(&net, 6, 0, 0), 6, 8);
    x = net_gemm(&net, x, 8, 8);
    net_output(&net, net_gemm(&net, x, 8, 2));
    struct mc_shrink_options options = options_of(0.5);
    options.exclude = "*_2";
    mc_record_destroy(shrink(net.model, &options));
    check_widths(net.model, "gemm.weight", 4, 6);
    check_widths(net.model, "gemm.weight_1", 8, 4);
    net_finish(&net);
}

static void test_macs_target_is_met_closely(void **state)
{
    struct net net;
    net_start(&net, 6);
    struct mc_value *x = net_conv(&net, net_input(&net, 3, 16, 16), 3, 32, 3, 1, 1, 1, true);
    x = net_node(&net, "Relu", x, NULL, NULL);
    x = net_node(&net, "Relu", net_conv(&net, x, 32, 48, 3, 2, 1, 1, true), NULL, NULL);
    x = net_node(&net, "GlobalAveragePool", x, NULL, NULL);
    net_output(&net, net_gemm(&net, net_node(&net, "Flatten", x, NULL, NULL), 48, 10));
    struct mc_shrink_options options = options_of(0);
    options.stays = 0.4;
    struct mc_record *section = shrink(net.model, &options);
    const double share = mc_record_get_num(section, "macs_after", 0) / mc_record_get_num(section, "macs_before", 1);
    assert_true(share <= 0.4 && share >= 0.38);
    mc_record_destroy(section);
    net_finish(&net);
}

/* --- architectures: the twin is compared inside --- */

static int64_t stored_bytes(const struct mc_model *model)
{
    int64_t n = 0;
    for (int i = 0; i < model->graph->n_initializers; i++)
        n += (int64_t)mc_tensor_bytes(model->graph->initializers[i]->data);
    return n;
}

/* Of 3 * 40 + 40 * 40 + 40 * 3 weights and two biases. */
static void test_budgets_of_parameters_and_bytes_are_met_closely(void **state)
{
    for (int budget = MC_BUDGET_PARAMETERS; budget <= MC_BUDGET_BYTES; budget++) {
        struct net net;
        net_start(&net, 6);
        struct mc_value *x = net_node(&net, "Relu", net_gemm(&net, net_input(&net, 3, 0, 0), 3, 40), NULL, NULL);
        x = net_node(&net, "Relu", net_gemm(&net, x, 40, 40), NULL, NULL);
        net_output(&net, net_gemm(&net, x, 40, 3));
        struct mc_shrink_options options = options_of(0);
        options.budget = (enum mc_budget)budget;
        options.stays = 0.5;
        const double before = (double)stored_bytes(net.model);
        mc_record_destroy(shrink(net.model, &options));
        const double share = (double)stored_bytes(net.model) / before;
        assert_true(share <= 0.5 && share > 0.47);
        net_finish(&net);
    }
}

static void test_residual_and_concatenation(void **state)
{
    struct net net;
    net_start(&net, 7);
    struct mc_value *x = net_conv(&net, net_input(&net, 3, 8, 8), 3, 8, 3, 1, 1, 1, false);
    struct mc_value *skip = net_node(&net, "Relu", net_batch_norm(&net, x, 8), NULL, NULL);
    x = net_batch_norm(&net, net_conv(&net, skip, 8, 8, 3, 1, 1, 1, false), 8);
    x = net_node(&net, "Relu", net_node(&net, "Add", x, skip, NULL), NULL, NULL);
    struct mc_value *y = net_node(&net, "Relu", net_conv(&net, x, 8, 4, 1, 1, 0, 1, true), NULL, NULL);
    net_output(&net, net_conv(&net, net_concat(&net, x, y), 12, 5, 1, 1, 0, 1, true));
    const struct mc_shrink_options options = options_of(0.5);
    mc_record_destroy(shrink(net.model, &options));
    check_widths(net.model, "conv.weight", 4, 3);
    check_widths(net.model, "conv.weight_1", 4, 4);
    check_widths(net.model, "conv.weight_2", 2, 4);
    check_widths(net.model, "conv.weight_3", 5, 6);
    check_widths(net.model, "bn.variance_1", 4, 0);
    net_finish(&net);
}

static void test_depthwise_convolution_loses_its_groups(void **state)
{
    struct net net;
    net_start(&net, 8);
    struct mc_value *x = net_conv(&net, net_input(&net, 3, 8, 8), 3, 8, 1, 1, 0, 1, true);
    x = net_node(&net, "Relu", net_conv(&net, x, 8, 8, 3, 1, 1, 8, true), NULL, NULL);
    net_output(&net, net_conv(&net, x, 8, 5, 1, 1, 0, 1, true));
    const struct mc_shrink_options options = options_of(0.5);
    mc_record_destroy(shrink(net.model, &options));
    check_widths(net.model, "conv.weight_1", 4, 1);
    for (int i = 0; i < net.model->graph->n_nodes; i++)
        if (net.model->graph->nodes[i]->inputs[1] == net_find(net.model, "conv.weight_1"))
            assert_int_equal(mc_node_int(net.model->graph->nodes[i], "group", 0), 4);
    net_finish(&net);
}

/* As PaddlePaddle's exporter has it: the cut makes an initializer of what the node gave, under the same name. */
static void test_weights_that_a_node_gives_are_cut_in_their_place(void **state)
{
    struct mc_error err = {0};
    struct net net;
    net_start(&net, 8);
    struct mc_value *x = net_conv(&net, net_input(&net, 3, 8, 8), 3, 8, 1, 1, 0, 1, true);
    x = net_node(&net, "Relu", net_conv(&net, x, 8, 8, 3, 1, 1, 8, true), NULL, NULL);
    struct mc_value *w = net_find(net.model, "conv.weight_1"), *given = mc_value_create(net.model->graph, "given");
    struct mc_node *constant = mc_node_create(net.model->graph, 0, "", "Constant", "", 0, NULL, 1, &given);
    struct mc_tensor *copy;
    assert_ok(mc_tensor_clone(&copy, w->data, &err), err);
    assert_ok(mc_node_set_tensor(constant, "value", copy, &err), err);
    assert_ok(mc_value_replace(w, given, &err), err);
    mc_value_remove(w);
    net_output(&net, net_conv(&net, x, 8, 5, 1, 1, 0, 1, true));
    const struct mc_shrink_options options = options_of(0.5);
    mc_record_destroy(shrink(net.model, &options));
    check_widths(net.model, "given", 4, 1);
    for (int i = 0; i < net.model->graph->n_nodes; i++)
        if (net.model->graph->nodes[i]->inputs[1] == net_find(net.model, "given"))
            assert_int_equal(mc_node_int(net.model->graph->nodes[i], "group", 0), 4);
    net_finish(&net);
}

static void test_open_extents_are_asked_for(void **state)
{
    struct mc_error err = {0};
    struct net net;
    net_start(&net, 8);
    struct mc_value *input = net_input(&net, 3, 8, 8);
    input->type.dim[2] = -1;
    struct mc_value *x = net_node(&net, "Relu", net_conv(&net, input, 3, 8, 3, 1, 1, 1, true), NULL, NULL);
    net_output(&net, net_conv(&net, x, 8, 5, 1, 1, 0, 1, true));
    const struct mc_shrink_options options = options_of(0.5);
    assert_int_equal(mc_shrink(net.model, &options, NULL, NULL, &err), MC_ERR_USAGE);
    assert_non_null(strstr(err.text, "dimension 2"));
    char dims[64];
    snprintf(dims, sizeof dims, "%s.2=9", input->name);
    assert_ok(mc_model_set_extents(net.model, dims, &err), err);
    mc_record_destroy(shrink(net.model, &options));
    check_widths(net.model, "conv.weight", 4, 3);
    net_finish(&net);
}

static void test_grouped_convolution_keeps_equal_groups(void **state)
{
    struct net net;
    net_start(&net, 9);
    struct mc_value *x = net_conv(&net, net_input(&net, 3, 8, 8), 3, 16, 1, 1, 0, 1, true);
    x = net_node(&net, "Relu", x, NULL, NULL);
    x = net_node(&net, "Relu", net_conv(&net, x, 16, 8, 3, 1, 0, 4, true), NULL, NULL);
    net_output(&net, net_conv(&net, x, 8, 5, 1, 1, 0, 1, true));
    const struct mc_shrink_options options = options_of(0.5);
    mc_record_destroy(shrink(net.model, &options));
    const struct mc_shape *shape = &net_find(net.model, "conv.weight_1")->data->shape;
    assert_true(shape->dim[0] < 8 || shape->dim[1] < 4);
    net_finish(&net);
}

static void test_flattened_image_into_dense_layer(void **state)
{
    struct net net;
    net_start(&net, 10);
    struct mc_value *x = net_conv(&net, net_input(&net, 1, 12, 12), 1, 6, 5, 1, 0, 1, true);
    x = net_pool(&net, "MaxPool", net_node(&net, "Relu", x, NULL, NULL), 2, 2);
    x = net_node(&net, "Flatten", x, NULL, NULL);
    x = net_node(&net, "Relu", net_gemm(&net, x, 6 * 16, 20), NULL, NULL);
    net_output(&net, net_gemm(&net, x, 20, 4));
    const struct mc_shrink_options options = options_of(0.5);
    struct mc_record *section = shrink(net.model, &options);
    check_widths(net.model, "gemm.weight", 10, 48);
    assert_true(mc_record_get_int(section, "constants_moved", 0) > 0);
    mc_record_destroy(section);
    net_finish(&net);
}

static void test_shared_weight_is_cut_for_all_its_uses(void **state)
{
    struct net net;
    net_start(&net, 11);
    struct mc_value *x = net_gemm(&net, net_input(&net, 6, 0, 0), 6, 8);
    struct mc_value *w = net_weight(&net, "shared", 0, 0.3, 8, 8, 0, 0);
    x = net_node(&net, "Tanh", net_node(&net, "MatMul", x, w, NULL), NULL, NULL);
    x = net_node(&net, "Tanh", net_node(&net, "MatMul", x, w, NULL), NULL, NULL);
    net_output(&net, net_gemm(&net, x, 8, 2));
    const struct mc_shrink_options options = options_of(0.5);
    mc_record_destroy(shrink(net.model, &options));
    check_widths(net.model, "shared", 4, 4);
    net_finish(&net);
}

static void test_shared_vector_does_not_tie_layers(void **state)
{
    struct net net;
    net_start(&net, 12);
    struct mc_value *b = net_weight(&net, "b", 0, 0.5, 8, 0, 0, 0);
    struct mc_value *x = net_node(&net, "Add", net_matmul(&net, net_input(&net, 6, 0, 0), 6, 8), b, NULL);
    x = net_node(&net, "Relu", x, NULL, NULL);
    x = net_node(&net, "Add", net_matmul(&net, x, 8, 8), net_node(&net, "Identity", b, NULL, NULL), NULL);
    x = net_node(&net, "Relu", x, NULL, NULL);
    net_output(&net, net_matmul(&net, x, 8, 3));
    const struct mc_shrink_options options = options_of(0.5);
    struct mc_record *section = shrink(net.model, &options);
    assert_int_equal(mc_record_size(mc_record_get(section, "families")), 2);
    check_widths(net.model, "b", 4, 0);
    check_widths(net.model, "matmul.weight_1", 4, 4);
    mc_record_destroy(section);
    net_finish(&net);
}

static void test_vectors_that_stay_equal_are_one_again(void **state)
{
    struct net net;
    net_start(&net, 13);
    struct mc_value *b = net_weight(&net, "b", 0, 0.5, 8, 0, 0, 0);
    struct mc_value *x = net_node(&net, "Add", net_gemm(&net, net_input(&net, 6, 0, 0), 6, 8), b, NULL);
    x = net_node(&net, "Mul", x, b, NULL);
    net_output(&net, net_gemm(&net, x, 8, 3));
    const struct mc_shrink_options options = options_of(0.5);
    mc_record_destroy(shrink(net.model, &options));
    assert_int_equal(net.model->graph->n_initializers, 5); /* two weights, two biases, b */
    net_finish(&net);
}

/* --- constants --- */

/* x → Gemm → activation → Gemm: the second bias takes weight times activation(first bias), as arithmetic says. */
static void test_constant_of_a_removed_neuron_moves_exactly(void **state)
{
    struct net net;
    net_start(&net, 14);
    struct mc_value *x = net_node(&net, "Sigmoid", net_gemm(&net, net_input(&net, 6, 0, 0), 6, 4), NULL, NULL);
    net_output(&net, net_gemm(&net, x, 4, 3));
    float *w1 = net_find(net.model, "gemm.weight")->data->data, *b1 = net_find(net.model, "gemm.bias")->data->data;
    const float *w2 = net_find(net.model, "gemm.weight_1")->data->data;
    const float *b2 = net_find(net.model, "gemm.bias_1")->data->data;
    for (int k = 0; k < 6; k++) w1[6 * 2 + k] = 1e-3f; /* neuron 2 goes */
    b1[2] = 0.75f;
    double expected[3];
    for (int o = 0; o < 3; o++) expected[o] = (double)b2[o] + (double)w2[4 * o + 2] / (1 + exp(-0.75));
    struct mc_shrink_options options = options_of(0.25);
    struct mc_record *section = shrink(net.model, &options);
    assert_int_equal(mc_record_get_int(section, "constants_moved", 0), 1);
    b2 = net_find(net.model, "gemm.bias_1")->data->data;
    for (int o = 0; o < 3; o++) assert_true(fabs((double)b2[o] - expected[o]) < 1e-6);
    mc_record_destroy(section);
    net_finish(&net);
}

static void test_without_constants_the_bias_stays(void **state)
{
    struct net net;
    net_start(&net, 15);
    struct mc_value *x = net_node(&net, "Sigmoid", net_gemm(&net, net_input(&net, 6, 0, 0), 6, 4), NULL, NULL);
    net_output(&net, net_gemm(&net, x, 4, 3));
    float before[3];
    memcpy(before, net_find(net.model, "gemm.bias_1")->data->data, sizeof(before));
    struct mc_shrink_options options = options_of(0.5);
    options.keep_constants = false;
    mc_record_destroy(shrink(net.model, &options));
    assert_memory_equal(before, net_find(net.model, "gemm.bias_1")->data->data, sizeof(before));
    net_finish(&net);
}

/* Two convolutions around batch-norm and relu; returns the share of constants that moved. */
static int64_t moved_through(int64_t kernel, int64_t pad)
{
    struct net net;
    net_start(&net, 16);
    struct mc_value *x = net_conv(&net, net_input(&net, 3, 8, 8), 3, 8, 3, 1, 1, 1, false);
    x = net_node(&net, "Relu", net_batch_norm(&net, x, 8), NULL, NULL);
    net_output(&net, net_conv(&net, x, 8, 5, kernel, 1, pad, 1, false));
    float *shift = net_find(net.model, "bn.shift")->data->data;
    for (int i = 0; i < 8; i++) shift[i] = 0.5f + 0.1f * (float)i;
    const struct mc_shrink_options options = options_of(0.5);
    struct mc_record *section = shrink(net.model, &options);
    const int64_t moved = mc_record_get_int(section, "constants_moved", -1);
    mc_record_destroy(section);
    net_finish(&net);
    return moved;
}

static void test_batch_norm_shift_moves_where_nothing_is_padded(void **state)
{
    assert_int_equal(moved_through(1, 0), 4);
    assert_int_equal(moved_through(3, 0), 4);
    assert_int_equal(moved_through(3, 1), 0);
}

static void test_matmul_without_bias_gets_an_add(void **state)
{
    struct net net;
    net_start(&net, 17);
    struct mc_value *x = net_node(&net, "Sigmoid", net_gemm(&net, net_input(&net, 6, 0, 0), 6, 4), NULL, NULL);
    struct mc_value *y = net_matmul(&net, x, 4, 3);
    net_output(&net, y);
    const struct mc_shrink_options options = options_of(0.5);
    mc_record_destroy(shrink(net.model, &options));
    const struct mc_graph *graph = net.model->graph;
    assert_string_equal(graph->nodes[graph->n_nodes - 1]->type, "Add");
    assert_string_equal(graph->outputs[0]->name, "MatMul");
    net_finish(&net);
}

static void test_add_behind_matmul_takes_the_constant(void **state)
{
    struct net net;
    net_start(&net, 18);
    struct mc_value *x = net_node(&net, "Sigmoid", net_gemm(&net, net_input(&net, 6, 0, 0), 6, 4), NULL, NULL);
    x = net_node(&net, "Add", net_weight(&net, "b", 0, 1, 3, 0, 0, 0), net_matmul(&net, x, 4, 3), NULL);
    net_output(&net, x);
    const int n_nodes = net.model->graph->n_nodes;
    float before[3];
    memcpy(before, net_find(net.model, "b")->data->data, sizeof(before));
    const struct mc_shrink_options options = options_of(0.5);
    mc_record_destroy(shrink(net.model, &options));
    assert_int_equal(net.model->graph->n_nodes, n_nodes);
    assert_memory_not_equal(before, net_find(net.model, "b")->data->data, sizeof(before));
    net_finish(&net);
}

/* A channel times a gate that depends on the image is no constant, whatever its bias says. */
static void test_gated_channels_have_no_constant(void **state)
{
    struct net net;
    net_start(&net, 19);
    struct mc_value *x = net_conv(&net, net_input(&net, 3, 8, 8), 3, 8, 3, 1, 1, 1, true);
    struct mc_value *gate = net_node(&net, "GlobalAveragePool", net_node(&net, "Sigmoid", x, NULL, NULL), NULL, NULL);
    gate = net_node(&net, "Relu", net_conv(&net, gate, 8, 8, 1, 1, 0, 1, false), NULL, NULL);
    gate = net_node(&net, "Sigmoid", net_conv(&net, gate, 8, 8, 1, 1, 0, 1, true), NULL, NULL);
    x = net_node(&net, "Mul", x, gate, NULL);
    net_output(&net, net_conv(&net, x, 8, 5, 1, 1, 0, 1, true));
    const struct mc_shrink_options options = options_of(0.5);
    mc_record_destroy(shrink(net.model, &options));
    check_widths(net.model, "conv.weight", 4, 3);
    check_widths(net.model, "conv.weight_2", 4, 4); /* the gate's last layer goes with the channels */
    net_finish(&net);
}

/* --- statistics, and what is computed from shapes --- */

static struct mc_value *layer_norm(struct net *net, struct mc_value *x, int64_t width)
{
    return net_node(net, "LayerNormalization", x, net_weight(net, "norm.scale", 1, 0.2, width, 0, 0, 0),
                    net_weight(net, "norm.shift", 0, 0.5, width, 0, 0, 0));
}

/* A residual stream with a norm on a branch and one at the end: the width is one family, with statistics over it. */
static void test_width_of_a_normalized_stream_goes(void **state)
{
    struct net net;
    net_start(&net, 30);
    struct mc_value *x = net_matmul(&net, net_input(&net, 5, 0, 0), 5, 8);
    struct mc_value *y = net_node(&net, "Relu", net_matmul(&net, layer_norm(&net, x, 8), 8, 6), NULL, NULL);
    x = net_node(&net, "Add", x, net_matmul(&net, y, 6, 8), NULL);
    net_output(&net, net_matmul(&net, layer_norm(&net, x, 8), 8, 3));
    const struct mc_shrink_options options = options_of(0.5);
    struct mc_record *section = shrink(net.model, &options);
    check_widths(net.model, "matmul.weight", 5, 4);
    check_widths(net.model, "matmul.weight_1", 4, 3);
    check_widths(net.model, "norm.scale", 4, 0);
    assert_int_equal(mc_record_size(mc_record_get(section, "statistics")), 2);
    mc_record_destroy(section);
    net_finish(&net);
}

/* y / sqrt(width of y), the width taken from its shape as exporters do: it stays the one that was trained with. */
static void test_a_number_computed_from_a_width_stays(void **state)
{
    struct mc_error err = {0};
    struct net net;
    net_start(&net, 31);
    struct mc_value *y = net_node(&net, "Relu", net_matmul(&net, net_input(&net, 5, 0, 0), 5, 8), NULL, NULL);
    struct mc_value *width = net_node(&net, "Cast", net_node(&net, "Shape", y, NULL, NULL), NULL, NULL);
    assert_ok(mc_node_set_int(width->producer, "to", MC_FLOAT, &err), err);
    width = net_node(&net, "ReduceMax", width, NULL, NULL);
    y = net_node(&net, "Div", y, net_node(&net, "Sqrt", width, NULL, NULL), NULL);
    net_output(&net, net_matmul(&net, y, 8, 3));
    const struct mc_shrink_options options = options_of(0.5);
    mc_record_destroy(shrink(net.model, &options)); /* equals its twin */
    check_widths(net.model, "matmul.weight", 5, 4);
    net_finish(&net);
}

/* --- without loss --- */

/* Of 8 neurons: 1 is read by nobody, 2 has no inputs but a bias, 5 and 6 are made like 4. */
static void test_what_leaves_no_trace_goes(void **state)
{
    struct net net;
    net_start(&net, 33);
    struct mc_value *x = net_node(&net, "Relu", net_gemm(&net, net_input(&net, 4, 0, 0), 4, 8), NULL, NULL);
    net_output(&net, net_gemm(&net, x, 8, 3));
    float *make = net_find(net.model, "gemm.weight")->data->data, *bias = net_find(net.model, "gemm.bias")->data->data;
    float *read = net_find(net.model, "gemm.weight_1")->data->data;
    for (int o = 0; o < 3; o++) read[o * 8 + 1] = 0;
    for (int i = 0; i < 4; i++) {
        make[2 * 4 + i] = 0;
        make[5 * 4 + i] = make[6 * 4 + i] = make[4 * 4 + i];
    }
    bias[2] = 0.7f;
    bias[5] = bias[6] = bias[4];
    const float sum = read[4] + read[5] + read[6];
    struct mc_shrink_options options = options_of(0.5);
    options.lossless = true;
    struct mc_record *section = shrink(net.model, &options);
    check_widths(net.model, "gemm.weight", 4, 4);
    assert_int_equal(mc_record_get_int(section, "lossless.unread", 0), 3);
    assert_int_equal(mc_record_get_int(section, "lossless.dead", 0), 1);
    assert_int_equal(mc_record_get_int(section, "lossless.merged", 0), 2);
    assert_float_equal(((float *)net_find(net.model, "gemm.weight_1")->data->data)[2], sum, 1e-6);
    mc_record_destroy(section);
    net_finish(&net);
}

/* Rows of a grouped convolution are equal, what they see is not: nothing may be merged. */
static void test_equal_filters_of_unequal_inputs_stay(void **state)
{
    struct net net;
    net_start(&net, 34);
    struct mc_value *x = net_conv(&net, net_input(&net, 4, 5, 5), 4, 4, 1, 1, 0, 2, true);
    float *w = net_find(net.model, "conv.weight")->data->data, *b = net_find(net.model, "conv.bias")->data->data;
    memcpy(w + 4, w, 2 * sizeof *w); /* filter 2 is of the other group than filter 0 */
    b[2] = b[0];
    net_output(&net, net_conv(&net, net_node(&net, "Relu", x, NULL, NULL), 4, 3, 1, 1, 0, 1, true));
    struct mc_shrink_options options = options_of(0.5);
    options.lossless = true;
    struct mc_record *section = shrink(net.model, &options);
    check_widths(net.model, "conv.weight", 4, 2);
    assert_int_equal(mc_record_get_int(section, "groups_removed", -1), 0);
    mc_record_destroy(section);
    net_finish(&net);
}

/* --- checks and refusals --- */

static void test_a_wrong_cut_is_found(void **state)
{
    struct net net;
    net_start(&net, 20);
    struct mc_value *x = net_node(&net, "Relu", net_gemm(&net, net_input(&net, 6, 0, 0), 6, 4), NULL, NULL);
    net_output(&net, net_gemm(&net, x, 4, 3));
    struct mc_error err = {0};
    struct mc_model *small = NULL;
    struct mc_twin twin;
    const struct mc_residues none = {0};
    const struct mc_shrink_options options = options_of(0.5);
    assert_ok(mc_model_clone(&small, net.model, false, &err), err);
    assert_ok(mc_twin_check(&twin, net.model, small, &none, &options, &err), err);
    assert_true(twin.checked && twin.max_difference == 0);
    float *w = net_find(small, "gemm.weight_1")->data->data;
    w[0] += 0.5f;
    w[1] += 0.5f;
    assert_int_equal(mc_twin_check(&twin, net.model, small, &none, &options, &err), MC_ERR_INTERNAL);
    mc_model_destroy(small);
    net_finish(&net);
}

static void check_refusal(double ratio, double macs, int64_t round, int status, const char *words)
{
    struct net net;
    net_start(&net, 21);
    struct mc_value *x = net_gemm(&net, net_input(&net, 10, 0, 0), 10, 4);
    net_output(&net, net_gemm(&net, x, 4, 3));
    struct mc_shrink_options options = options_of(ratio);
    options.stays = macs;
    options.round = round;
    struct mc_error err = {0};
    assert_int_equal(mc_shrink(net.model, &options, NULL, NULL, &err), status);
    if (!strstr(err.text, words)) fail_msg("'%s' does not say '%s'", err.text, words);
    check_widths(net.model, "gemm.weight", 4, 10);
    net_finish(&net);
}

static void test_options_out_of_range_are_refused(void **state)
{
    check_refusal(1, 0, 1, MC_ERR_USAGE, "ratio must be at least 0 and less than 1, not 1");
    check_refusal(NAN, 0, 1, MC_ERR_USAGE, "ratio");
    check_refusal(0.5, 1.5, 1, MC_ERR_USAGE, "macs must be more than 0 and at most 1, not 1.5");
    check_refusal(0.5, 0.01, 1, MC_ERR_USAGE, "cannot be reached: 0.25 stay at least");
    check_refusal(0.5, 0, 0, MC_ERR_USAGE, "round");
}

static void test_a_model_with_nothing_to_remove_says_why(void **state)
{
    struct net net;
    net_start(&net, 22);
    net_output(&net, net_gemm(&net, net_input(&net, 10, 0, 0), 10, 4));
    const struct mc_shrink_options options = options_of(0.5);
    struct mc_error err = {0};
    assert_int_equal(mc_shrink(net.model, &options, NULL, NULL, &err), MC_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "has to stay: graph"));
    net_finish(&net);
}

static void test_unknown_operator_costs_its_surroundings_and_the_twin(void **state)
{
    struct net net;
    net_start(&net, 23);
    struct mc_value *x = net_gemm(&net, net_gemm(&net, net_input(&net, 10, 0, 0), 10, 8), 8, 6);
    net_output(&net, net_node(&net, "NoSuchOperator", x, NULL, NULL));
    const struct mc_shrink_options options = options_of(0.5);
    struct mc_error err = {0};
    struct mc_record *section = NULL;
    assert_ok(mc_record_create(&section, &err), err);
    assert_ok(mc_shrink(net.model, &options, section, NULL, &err), err);
    check_widths(net.model, "gemm.weight", 4, 10);
    check_widths(net.model, "gemm.weight_1", 6, 4);
    assert_null(mc_record_get(section, "twin.max_difference"));
    assert_non_null(strstr(mc_record_get_text(section, "twin.why", ""), "NoSuchOperator"));
    mc_record_destroy(section);
    net_finish(&net);
}

static void test_explanation_names_original_slices(void **state)
{
    struct net net;
    net_start(&net, 24);
    struct mc_value *x = net_gemm(&net, net_input(&net, 10, 0, 0), 10, 4);
    net_output(&net, net_gemm(&net, x, 4, 3));
    float *w = net_find(net.model, "gemm.weight")->data->data;
    for (int k = 0; k < 10; k++) w[3 * 10 + k] = 0; /* the last neuron goes */
    const struct mc_shrink_options options = options_of(0.25);
    struct mc_error err = {0};
    struct mc_record *explain = NULL;
    assert_ok(mc_record_create(&explain, &err), err);
    assert_ok(mc_shrink(net.model, &options, NULL, explain, &err), err);
    assert_int_equal(mc_record_size(mc_record_get(explain, "groups")), 1);
    assert_string_equal(mc_record_get_text(explain, "groups.0.verdict", ""), "removed");
    assert_true(mc_record_get_num(explain, "groups.0.score", -1) == 0);
    assert_int_equal(mc_record_size(mc_record_get(explain, "kept")), 3);
    assert_true(mc_record_get_num(explain, "kept.0.score", -1) > 0);
    assert_int_equal(mc_record_size(mc_record_get(explain, "frozen")), 2); /* what goes in, what comes out */
    assert_string_equal(mc_record_get_text(explain, "frozen.0.why", ""), "graph input");
    const struct mc_record *slices = mc_record_get(explain, "groups.0.slices");
    int found = 0;
    for (size_t i = 0; i < mc_record_size(slices); i++) {
        const struct mc_record *slice = mc_record_at(slices, i);
        const char *tensor = mc_record_get_text(slice, "tensor", "");
        assert_int_equal(mc_record_get_int(slice, "indices.0", -1), 3);
        if (strcmp(tensor, "gemm.weight") == 0) assert_int_equal(mc_record_get_int(slice, "axis", -1), 0), found++;
        if (strcmp(tensor, "gemm.weight_1") == 0) assert_int_equal(mc_record_get_int(slice, "axis", -1), 1), found++;
        if (strcmp(tensor, "gemm.bias") == 0) found++;
    }
    assert_int_equal(found, 3);
    mc_record_destroy(explain);
    net_finish(&net);
}

/* A model that could not be shrunk is as it was. */
static int shrink_clone(void *context)
{
    const struct mc_model *model = context;
    struct mc_model *clone = NULL;
    struct mc_record *section = NULL;
    struct mc_error err = {0};
    const struct mc_shrink_options options = options_of(0.5);
    int rc = mc_record_create(&section, &err);
    if (rc == 0) rc = mc_model_clone(&clone, model, false, &err);
    if (rc == 0) {
        rc = mc_shrink(clone, &options, section, NULL, &err);
        const bool same =
            clone->graph->n_initializers == model->graph->n_initializers &&
            mc_shape_equal(&clone->graph->initializers[0]->data->shape, &model->graph->initializers[0]->data->shape) &&
            clone->graph->n_nodes == model->graph->n_nodes;
        assert_int_equal(same, rc < 0);
    }
    mc_model_destroy(clone);
    mc_record_destroy(section);
    return rc;
}

static void test_any_allocation_may_fail(void **state)
{
    struct net net;
    net_start(&net, 25);
    struct mc_value *b = net_weight(&net, "b", 0, 0.5, 4, 0, 0, 0);
    struct mc_value *x = net_node(&net, "Add", net_gemm(&net, net_input(&net, 6, 0, 0), 6, 4), b, NULL);
    x = net_node(&net, "Sigmoid", x, NULL, NULL);
    x = net_node(&net, "Add", net_matmul(&net, x, 4, 4), net_node(&net, "Identity", b, NULL, NULL), NULL);
    net_output(&net, net_matmul(&net, net_node(&net, "Sigmoid", x, NULL, NULL), 4, 3));
    alloc_fail_each(shrink_clone, net.model);
    net_finish(&net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_half_of_every_hidden_layer_goes),
        cmocka_unit_test(test_no_family_is_ever_emptied),
        cmocka_unit_test(test_widths_are_multiples),
        cmocka_unit_test(test_single_layers_have_bounds),
        cmocka_unit_test(test_bounds_that_cannot_be_are_refused),
        cmocka_unit_test(test_the_least_important_go),
        cmocka_unit_test(test_excluded_names_stay),
        cmocka_unit_test(test_macs_target_is_met_closely),
        cmocka_unit_test(test_budgets_of_parameters_and_bytes_are_met_closely),
        cmocka_unit_test(test_residual_and_concatenation),
        cmocka_unit_test(test_depthwise_convolution_loses_its_groups),
        cmocka_unit_test(test_weights_that_a_node_gives_are_cut_in_their_place),
        cmocka_unit_test(test_open_extents_are_asked_for),
        cmocka_unit_test(test_grouped_convolution_keeps_equal_groups),
        cmocka_unit_test(test_flattened_image_into_dense_layer),
        cmocka_unit_test(test_shared_weight_is_cut_for_all_its_uses),
        cmocka_unit_test(test_shared_vector_does_not_tie_layers),
        cmocka_unit_test(test_vectors_that_stay_equal_are_one_again),
        cmocka_unit_test(test_constant_of_a_removed_neuron_moves_exactly),
        cmocka_unit_test(test_without_constants_the_bias_stays),
        cmocka_unit_test(test_batch_norm_shift_moves_where_nothing_is_padded),
        cmocka_unit_test(test_matmul_without_bias_gets_an_add),
        cmocka_unit_test(test_add_behind_matmul_takes_the_constant),
        cmocka_unit_test(test_gated_channels_have_no_constant),
        cmocka_unit_test(test_width_of_a_normalized_stream_goes),
        cmocka_unit_test(test_a_number_computed_from_a_width_stays),
        cmocka_unit_test(test_what_leaves_no_trace_goes),
        cmocka_unit_test(test_equal_filters_of_unequal_inputs_stay),
        cmocka_unit_test(test_a_wrong_cut_is_found),
        cmocka_unit_test(test_options_out_of_range_are_refused),
        cmocka_unit_test(test_a_model_with_nothing_to_remove_says_why),
        cmocka_unit_test(test_unknown_operator_costs_its_surroundings_and_the_twin),
        cmocka_unit_test(test_explanation_names_original_slices),
        cmocka_unit_test(test_any_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
