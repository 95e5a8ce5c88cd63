/* widen.h - asking an operator's shape rule; float16 and bfloat16 for operators that know float32 alone (mc_op.widens).
 */
#ifndef MC_GRAPH_WIDEN_H
#define MC_GRAPH_WIDEN_H

#include "graph/op.h"

/* What mc_op.shape says, with inputs and outputs of small floats shown and taken back as mc_op.widens has it. No rule:
 * MC_ERR_OPEN. The arrays are as mc_op.shape gets them. */
int mc_op_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out, struct mc_error *err);

/* The type as which the operator is shown `dtype`; the same where it does not widen that. */
enum mc_dtype mc_op_widened(const struct mc_op *op, enum mc_dtype dtype);

#endif
