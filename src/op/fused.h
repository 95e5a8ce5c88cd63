/* fused.h - operators that are not registered: what several nodes make in one step (mc_op.merge), float32, inference.
 */
#ifndef MC_OP_FUSED_H
#define MC_OP_FUSED_H

#include "graph/op.h"

extern const struct mc_op mc_op_fused_silu, mc_op_fused_gelu;
/* Conv, of which inputs 3 to 6 (all or none: scale, shift, mean, variance, constants; attribute `epsilon`) normalize
 * the channels, whose input 7 (not required, of the output's shape) is then added, and whose attributes `low` and
 * `high` (both or none) bound the sum. In conv.c. */
extern const struct mc_op mc_op_fused_conv;
enum { MC_FUSED_CONV_NORMALIZED = 3, MC_FUSED_CONV_ADDED = 7 };

/* Inputs Q, K^T, V and up to two masks; attributes `scale` and `fill`, and the list of what struct mc_attention_form
 * has. In fused_attention.c. */
extern const struct mc_op mc_op_fused_attention;

#define MC_ATTENTION_FORM "form"
enum { MC_ATTENTION_AXES = 3, MC_ATTENTION_MASKS = 2 };

/* Where a stack of matrices lies in a tensor, in elements: the batch counts row-major over the axes; element (i, j) of
 * a matrix is i row + j column behind its first. */
struct mc_attention_place {
    int64_t offset, extent[MC_ATTENTION_AXES], stride[MC_ATTENTION_AXES], row, column;
};

/* B products of Q [L, d] and K^T [d, S], of their softmax and V [S, d_v]. Q, V and Y have adjacent columns, K^T
 * adjacent columns or rows, masks adjacent columns or one for all. A mask of floats is added, one of truths says which
 * scores become `fill`: those where it is false, or true if `inverted`. `zeroes`: shares that are NaN become 0. int64_t
 * throughout: it travels as an attribute. */
struct mc_attention_form {
    int64_t B, L, S, d, d_v, inverted, zeroes;
    struct mc_attention_place q, k, v, y, mask[MC_ATTENTION_MASKS];
};

/* The merge rule of Transpose and of MatMul: softmax(scale Q K^T + masks) V, and the heads then brought together. In
 * attention_rule.c. */
bool mc_merge_attention(const struct mc_node *last, struct mc_merge *merge);

/* (x - mean) / sqrt(variance + epsilon) * scale + shift, and x / sqrt(mean of squares + epsilon) * scale, over the last
 * axes. In normalization_rule.c. */
bool mc_merge_layer_normalization(const struct mc_node *sum, struct mc_merge *merge);
bool mc_merge_rms_normalization(const struct mc_node *product, struct mc_merge *merge);
/* The merge rule of Add: layer normalization; a convolution and something of its shape. */
bool mc_merge_sum(const struct mc_node *last, struct mc_merge *merge);
/* The merge rule of Mul: x sigmoid(x), x (1 + erf(x / sqrt(2))) / 2 in any order, and RMS normalization. */
bool mc_merge_product(const struct mc_node *last, struct mc_merge *merge);
/* The merge rule of BatchNormalization: of a convolution. */
bool mc_merge_normalized(const struct mc_node *last, struct mc_merge *merge);
/* The merge rule of an activation that is min(max(x, low), high): a convolution, or such a sum. */
bool mc_merge_bounded(const struct mc_node *last, struct mc_merge *merge, float low, float high);

#endif
