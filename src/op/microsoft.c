/* microsoft.c - com.microsoft: what ONNX Runtime's optimizer makes of products, convolutions, normalizations and
 * activations in models of floats.
 *
 * Semantics: ONNX Runtime 1.32, docs/ContribOperators.md. Each is said in terms of the standard's operators.
 */

#include "base/alloc.h"
#include "base/error.h"
#include "kernel/convolution.h"
#include "op/composite.h"
#include "op/microsoft_coupling.h"

/* --- activations that FusedConv and FusedGemm name --- */

/* Its attributes: up to two of activation_params, or activation_alpha and activation_beta, under the names that the
 * operator has for them. */
static const struct activation {
    const char *name;
    const struct mc_op *op;
    const char *parameters[2];
} activations[] = {
    {"Relu", &mc_op_relu_1, {NULL}},
    {"Sigmoid", &mc_op_sigmoid_1, {NULL}},
    {"Tanh", &mc_op_tanh_1, {NULL}},
    {"Clip", &mc_op_clip_1, {"min", "max"}},
    {"Elu", &mc_op_elu_1, {"alpha"}},
    {"HardSigmoid", &mc_op_hard_sigmoid_1, {"alpha", "beta"}},
    {"LeakyRelu", &mc_op_leaky_relu_1, {"alpha"}},
    {"Softplus", &mc_op_softplus_1, {NULL}},
    {"Softsign", &mc_op_softsign_1, {NULL}},
    {"ThresholdedRelu", &mc_op_thresholded_relu_10, {"alpha"}},
};

static const struct activation *activation_of(const struct mc_node *node)
{
    for (size_t i = 0; i < MC_COUNT(activations); i++)
        if (mc_node_string_is(node, "activation", activations[i].name, false)) return &activations[i];
    return NULL;
}

static int activate(struct mc_composite *c, int x)
{
    static const char *const names[] = {"activation_alpha", "activation_beta"};
    const struct mc_node *node = mc_compose_node(c);
    const struct mc_attr *list = mc_node_attr(node, "activation_params");
    const struct activation *activation = activation_of(node);
    struct mc_attr attrs[2];
    int n = 0;
    if (!mc_node_attr(node, "activation") || mc_node_string_is(node, "activation", "", false)) return x;
    if (!activation) {
        mc_compose_refuse(c, MC_ERR_UNSUPPORTED, "attribute 'activation': is none of those that are there");
        return MC_NO_VALUE;
    }
    for (int i = 0; i < 2 && activation->parameters[i]; i++) {
        const bool listed = list && list->type == MC_ATTR_FLOATS && i < list->n;
        if (!listed && !mc_node_attr(node, names[i])) continue; /* the operator's default */
        attrs[n++] = (struct mc_attr)MC_ATTR_OF_FLOAT(activation->parameters[i],
                                                      listed ? list->floats[i] : mc_node_float(node, names[i], 0));
    }
    return mc_compose(c, activation->op, 1, attrs, n, MC_LIST(x));
}

/* --- products --- */

static void microsoft_fused_conv_compose(struct mc_composite *c)
{
    const struct mc_node *node = mc_compose_node(c);
    const int z = mc_compose_in(c, 3);
    int y = mc_compose(c, &mc_op_conv_1, 1, node->attrs, node->n_attrs,
                       MC_LIST(0, mc_compose_in(c, 1), mc_compose_in(c, 2)));
    if (z >= 0 && mc_compose_fact(c, y)->shape.rank &&
        !mc_shape_equal(&mc_compose_fact(c, z)->shape, &mc_compose_fact(c, y)->shape))
        mc_compose_refuse(c, MC_ERR_INPUT, "input 3 '%s': needs the shape of the output", node->inputs[3]->name);
    if (z >= 0) y = mc_compose(c, &mc_op_add_7, 1, MC_NO_ATTRS, MC_LIST(y, z));
    mc_compose_out(c, 0, activate(c, y));
}

/* As the convolution likes it; what is added has to lie as the output does. */
static enum mc_order fused_conv_order(const struct mc_step *step)
{
    if (step->in[3]) return MC_ORDER_SAME;
    return mc_op_conv_1.order(step);
}

MC_COMPOSITE_OP(microsoft_fused_conv, "com.microsoft", "FusedConv", 1, 2, 4, 1, .order = fused_conv_order,
                MC_COMPOSITE_TRAINS(0xf))

static void microsoft_fused_gemm_compose(struct mc_composite *c)
{
    const struct mc_node *node = mc_compose_node(c);
    const int y = mc_compose(c, &mc_op_gemm_7, 1, node->attrs, node->n_attrs,
                             MC_LIST(0, mc_compose_in(c, 1), mc_compose_in(c, 2)));
    mc_compose_out(c, 0, activate(c, y));
}

MC_COMPOSITE_OP(microsoft_fused_gemm, "com.microsoft", "FusedGemm", 1, 2, 3, 1, MC_COMPOSITE_TRAINS(0x7))

/* An operand with its last two axes exchanged, if `rows`, after its batch axes were made the outer ones, if `batch`:
 * that transB says first that the axes are [d0, …, batch, d_last-1], as the operator has it. */
static int turned(struct mc_composite *c, int x, bool rows, bool batch)
{
    const struct mc_shape *shape = &mc_compose_fact(c, x)->shape;
    int64_t perm[MC_MAX_RANK];
    const int rank = shape->rank;
    if (rank < 2 || (!rows && !batch)) return x;
    for (int k = 0; k < rank; k++) perm[k] = k;
    if (batch) { /* [rows, batch…, columns] */
        for (int k = 0; k < rank - 2; k++) perm[k] = k + 1;
        perm[rank - 2] = 0;
    }
    if (rows) {
        const int64_t last = perm[rank - 1];
        perm[rank - 1] = perm[rank - 2];
        perm[rank - 2] = last;
    }
    return mc_compose(c, &mc_op_transpose_1, 1, MC_ATTRS(MC_ATTR_OF_INTS("perm", perm, rank)), MC_LIST(x));
}

static void microsoft_fused_mat_mul_compose(struct mc_composite *c)
{
    const struct mc_node *node = mc_compose_node(c);
    const float alpha = mc_node_float(node, "alpha", 1.0f);
    const int a = turned(c, 0, mc_node_int(node, "transA", 0) != 0, mc_node_int(node, "transBatchA", 0) != 0);
    const int b =
        turned(c, mc_compose_in(c, 1), mc_node_int(node, "transB", 0) != 0, mc_node_int(node, "transBatchB", 0) != 0);
    int y = mc_compose(c, &mc_op_matmul_1, 1, MC_NO_ATTRS, MC_LIST(a, b));
    if (alpha != 1.0f) {
        const int factor = mc_compose_number(c, mc_compose_fact(c, y)->dtype, (double)alpha);
        y = mc_compose(c, &mc_op_mul_7, 1, MC_NO_ATTRS, MC_LIST(y, factor));
    }
    mc_compose_out(c, 0, y);
}

MC_COMPOSITE_OP(microsoft_fused_mat_mul, "com.microsoft", "FusedMatMul", 1, 2, 2, 1, MC_COMPOSITE_TRAINS(0x3))

/* --- activations --- */

static void microsoft_gelu_compose(struct mc_composite *c)
{
    mc_compose_out(c, 0, mc_compose(c, &mc_op_gelu_20, 1, MC_NO_ATTRS, MC_LIST(0)));
}

static void microsoft_bias_gelu_compose(struct mc_composite *c)
{
    const int sum = mc_compose_plus(c, 0, mc_compose_in(c, 1));
    mc_compose_out(c, 0, mc_compose(c, &mc_op_gelu_20, 1, MC_NO_ATTRS, MC_LIST(sum)));
}

static void microsoft_fast_gelu_compose(struct mc_composite *c)
{
    const struct mc_attr how = {.name = "approximate", .type = MC_ATTR_STRING, .s = {.bytes = "tanh", .length = 4}};
    mc_compose_out(c, 0,
                   mc_compose(c, &mc_op_gelu_20, 1, &how, 1, MC_LIST(mc_compose_plus(c, 0, mc_compose_in(c, 1)))));
}

static void microsoft_quick_gelu_compose(struct mc_composite *c)
{
    const float alpha = mc_node_float(mc_compose_node(c), "alpha", 1.702f);
    mc_compose_out(c, 0, mc_compose(c, &mc_op_swish_24, 1, MC_ATTRS(MC_ATTR_OF_FLOAT("alpha", alpha)), MC_LIST(0)));
}

MC_COMPOSITE_OP_BY(mc_coupling_elementwise, microsoft_gelu_cost, microsoft_gelu, "com.microsoft", "Gelu", 1, 1, 1, 1,
                   MC_COMPOSITE_TRAINS(0x1))
MC_COMPOSITE_OP_BY(mc_microsoft_bias_coupling, microsoft_bias_gelu_cost, microsoft_bias_gelu, "com.microsoft",
                   "BiasGelu", 1, 2, 2, 1, MC_COMPOSITE_TRAINS(0x3))
MC_COMPOSITE_OP_BY(mc_microsoft_bias_coupling, microsoft_fast_gelu_cost, microsoft_fast_gelu, "com.microsoft",
                   "FastGelu", 1, 1, 2, 1, MC_COMPOSITE_TRAINS(0x3))
MC_COMPOSITE_OP_BY(mc_coupling_elementwise, microsoft_quick_gelu_cost, microsoft_quick_gelu, "com.microsoft",
                   "QuickGelu", 1, 1, 1, 1, MC_COMPOSITE_TRAINS(0x1))

/* --- normalizations --- */

/* ONNX Runtime registers it in the standard's domain. */
static void simplified_layer_normalization_compose(struct mc_composite *c)
{
    const struct mc_node *node = mc_compose_node(c);
    if (node->n_outputs > 1 && node->outputs[1])
        mc_compose_refuse(c, MC_ERR_UNSUPPORTED, "its statistics cannot be given out");
    mc_compose_out(c, 0, mc_compose(c, &mc_op_rms_normalization_23, 1, node->attrs, node->n_attrs, MC_LIST(0, 1)));
}

MC_COMPOSITE_OP(simplified_layer_normalization, "", "SimplifiedLayerNormalization", 1, 2, 2, 2,
                MC_COMPOSITE_TRAINS(0x3))

static void microsoft_skip_layer_normalization_compose(struct mc_composite *c)
{
    const float epsilon = mc_node_float(mc_compose_node(c), "epsilon", 1e-12f);
    const int sum = mc_compose_plus(c, mc_compose_plus(c, 0, mc_compose_in(c, 1)), mc_compose_in(c, 4));
    const int y = mc_compose(c, &mc_op_layer_normalization_1, 3, MC_ATTRS(MC_ATTR_OF_FLOAT("epsilon", epsilon)),
                             MC_LIST(sum, mc_compose_in(c, 2), mc_compose_in(c, 3)));
    mc_compose_out(c, 0, y);
    mc_compose_out(c, 1, y < 0 ? y : y + 1);
    mc_compose_out(c, 2, y < 0 ? y : y + 2);
    mc_compose_out(c, 3, sum);
}

static void microsoft_skip_simplified_layer_normalization_compose(struct mc_composite *c)
{
    const struct mc_node *node = mc_compose_node(c);
    const float epsilon = mc_node_float(node, "epsilon", 1e-12f);
    const int sum = mc_compose_plus(c, mc_compose_plus(c, 0, mc_compose_in(c, 1)), mc_compose_in(c, 3));
    for (int i = 1; i < 3; i++)
        if (i < node->n_outputs && node->outputs[i])
            mc_compose_refuse(c, MC_ERR_UNSUPPORTED, "its statistics cannot be given out");
    mc_compose_out(c, 0,
                   mc_compose(c, &mc_op_rms_normalization_23, 1, MC_ATTRS(MC_ATTR_OF_FLOAT("epsilon", epsilon)),
                              MC_LIST(sum, mc_compose_in(c, 2))));
    mc_compose_out(c, 3, sum);
}

MC_COMPOSITE_OP_BY(mc_microsoft_skip_norm_coupling, microsoft_skip_layer_normalization_cost,
                   microsoft_skip_layer_normalization, "com.microsoft", "SkipLayerNormalization", 1, 3, 5, 4,
                   MC_COMPOSITE_TRAINS(0x1f))
MC_COMPOSITE_OP_BY(mc_microsoft_skip_norm_coupling, microsoft_skip_simplified_layer_normalization_cost,
                   microsoft_skip_simplified_layer_normalization, "com.microsoft", "SkipSimplifiedLayerNormalization",
                   1, 3, 4, 4, MC_COMPOSITE_TRAINS(0xf))

/* Rows of a table. */
static int embed(struct mc_composite *c, int table, int ids)
{
    return mc_compose(c, &mc_op_gather_1, 1, MC_NO_ATTRS, MC_LIST(table, ids));
}

/* How many of a sample's tokens the mask has; zeros without a mask. */
static int count_tokens(struct mc_composite *c, int ids, int mask)
{
    const struct mc_shape row = {.rank = 1, .dim = {mc_compose_fact(c, ids)->shape.dim[0]}};
    const struct mc_attr attrs[] = {MC_ATTR_OF_INT("keepdims", 0)};
    if (mask >= 0) {
        const int64_t axis = 1;
        return mc_compose(c, &mc_op_reduce_sum_13, 1, attrs, 1, MC_LIST(mask, mc_compose_ints(c, &axis, 1)));
    }
    const int zero = mc_compose_number(c, MC_INT32, 0);
    return mc_compose(c, &mc_op_expand_8, 1, MC_NO_ATTRS, MC_LIST(zero, mc_compose_ints(c, row.dim, 1)));
}

static void microsoft_embed_layer_normalization_compose(struct mc_composite *c)
{
    const struct mc_node *node = mc_compose_node(c);
    const float epsilon = mc_node_float(node, "epsilon", 1e-12f);
    const struct mc_shape *ids = &mc_compose_fact(c, 0)->shape;
    const int segments = mc_compose_in(c, 1), given = mc_compose_in(c, 8);
    if (!mc_compose_check(c, mc_need_rank(node, 0, mc_compose_fact(c, 0), 2, 2, mc_compose_error(c)))) return;
    const int where = given >= 0 ? given : mc_compose_range(c, ids->dim[1]);
    int sum = mc_compose_plus(c, embed(c, mc_compose_in(c, 2), 0), embed(c, mc_compose_in(c, 3), where));
    if (segments >= 0) sum = mc_compose_plus(c, sum, embed(c, mc_compose_in(c, 4), segments));
    mc_compose_out(c, 0,
                   mc_compose(c, &mc_op_layer_normalization_1, 1, MC_ATTRS(MC_ATTR_OF_FLOAT("epsilon", epsilon)),
                              MC_LIST(sum, mc_compose_in(c, 5), mc_compose_in(c, 6))));
    mc_compose_out(c, 2, sum);
    if (node->n_outputs > 1 && node->outputs[1]) mc_compose_out(c, 1, count_tokens(c, 0, mc_compose_in(c, 7)));
}

MC_COMPOSITE_OP_BY(mc_microsoft_embed_norm_coupling, microsoft_embed_layer_normalization_cost,
                   microsoft_embed_layer_normalization, "com.microsoft", "EmbedLayerNormalization", 1, 1, 9, 3,
                   MC_COMPOSITE_TRAINS(0x7c), .others = "ids, positions and a mask")
