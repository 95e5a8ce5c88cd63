/* fused.h - operators that are not registered: what several nodes make in one step (mc_op.merge), float32, inference.
 */
#ifndef MC_OP_FUSED_H
#define MC_OP_FUSED_H

#include "graph/op.h"

extern const struct mc_op mc_op_fused_silu, mc_op_fused_gelu;
/* Conv, whose input 3 (not required, of the output's shape) is added, and whose attributes `low` and `high` (both or
 * none) bound the sum. In conv.c. */
extern const struct mc_op mc_op_fused_conv;

/* The merge rule of Add: (x - mean) / sqrt(variance + epsilon) * scale + shift, over the last axis; a convolution and
 * something of its shape. */
bool mc_merge_sum(const struct mc_node *last, struct mc_merge *merge);
/* The merge rule of Mul: x sigmoid(x), and x (1 + erf(x / sqrt(2))) / 2 in any order. */
bool mc_merge_product(const struct mc_node *last, struct mc_merge *merge);
/* The merge rule of an activation that is min(max(x, low), high): a convolution, or such a sum. */
bool mc_merge_bounded(const struct mc_node *last, struct mc_merge *merge, float low, float high);

#endif
