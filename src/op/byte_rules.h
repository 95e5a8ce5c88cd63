/* byte_rules.h - which nodes between DequantizeLinear and QuantizeLinear run on the 8 bits themselves (mc_op.on_bytes),
 * and the operators, not registered, that do it.
 *
 * Scales have to be constant and positive. What comes out is what the nodes make of floats, or one step beside it where
 * the two round to different sides: sums of products are exact here, and then multiplied by one factor.
 */
#ifndef MC_OP_BYTE_RULES_H
#define MC_OP_BYTE_RULES_H

#include "graph/op.h"

/* The merge rule of QuantizeLinear: ask what makes its input. */
bool mc_merge_quantize(const struct mc_node *quantize, struct mc_merge *merge);

/* Rules for mc_op.on_bytes. */
bool mc_bytes_conv(const struct mc_node *node, const struct mc_node *quantize, struct mc_merge *merge);
bool mc_bytes_gemm(const struct mc_node *node, const struct mc_node *quantize, struct mc_merge *merge);
bool mc_bytes_matmul(const struct mc_node *node, const struct mc_node *quantize, struct mc_merge *merge);
/* Sums and products of two activations, or with one number. */
bool mc_bytes_add(const struct mc_node *node, const struct mc_node *quantize, struct mc_merge *merge);
bool mc_bytes_mul(const struct mc_node *node, const struct mc_node *quantize, struct mc_merge *merge);
/* Element by element, of input 0 and constants of one number: a table of what becomes of each byte. */
bool mc_bytes_table(const struct mc_node *node, const struct mc_node *quantize, struct mc_merge *merge);
/* min(max(x, low), high): of what a Conv or a Gemm makes in one go, else a table. */
bool mc_bytes_relu(const struct mc_node *node, const struct mc_node *quantize, struct mc_merge *merge);
bool mc_bytes_clip(const struct mc_node *node, const struct mc_node *quantize, struct mc_merge *merge);
/* Elements of input 0, or of all inputs, go where they go, and the largest is the largest. */
bool mc_bytes_move(const struct mc_node *node, const struct mc_node *quantize, struct mc_merge *merge);
bool mc_bytes_move_all(const struct mc_node *node, const struct mc_node *quantize, struct mc_merge *merge);
bool mc_bytes_global_average_pool(const struct mc_node *node, const struct mc_node *quantize, struct mc_merge *merge);

/* x, scale, zero, w, scale, zero, scale and zero of y, and a bias of floats: as QLinearConv, and for rows of matrices
 * with w [M, K] (or [K, M], as attribute transB and the number of inputs of the node that it does say). The attributes
 * `low` and `high` hold y, as floats, to a range. quantized_product.c */
extern const struct mc_op mc_op_byte_conv, mc_op_byte_gemm;
/* x, scale, zero, scale and zero of y, and then further inputs of the node that it does. byte_elementwise.c */
extern const struct mc_op mc_op_byte_table_1;

#endif
