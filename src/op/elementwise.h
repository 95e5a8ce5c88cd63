/* elementwise.h - what the element-wise operators share: rules of one operand and of two that broadcast. */
#ifndef MC_OP_ELEMENTWISE_H
#define MC_OP_ELEMENTWISE_H

#include "kernel/kernels.h"
#include "kernel/loops.h"
#include "op/ops.h"

#define MC_TYPES_ARITHMETIC (MC_TYPES_FLOAT | MC_TYPE_BIT(MC_INT32) | MC_TYPE_BIT(MC_INT64) | MC_TYPE_BIT(MC_UINT64))

/* The loops that a step runs on. */
const struct mc_loops *mc_step_loops(const struct mc_step *step);

/* out[0] = f(in[0]), on one loop for in[0]'s type. */
void mc_unary_run(struct mc_step *step, mc_unary_fn *f, const double p[2], int64_t work);
/* out[0] = f(in[0]) with the parameters p; `work` as for mc_broadcast. */
int mc_unary_forward(struct mc_step *step, enum mc_unary f, const double p[2], int64_t work);
/* grad_in[0] from what the loop of f wants to see (kernel/loops.h): in[0] or out[0]. */
int mc_unary_backward(struct mc_step *step, enum mc_unary f, const struct mc_tensor *kept, const double p[2],
                      int64_t work);

/* Inputs (all that the node has) of one type, which is among `allowed`, to their common shape. */
int mc_broadcast_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                       uint64_t allowed, struct mc_error *err);
/* out[0] = f(in[0], in[1]) */
int mc_binary_forward(struct mc_step *step, enum mc_binary f, int64_t work);
/* The gradients that are wanted, each the sum of its term over what its operand was broadcast along. */
int mc_binary_backward(struct mc_step *step, enum mc_term of_a, enum mc_term of_b);

#endif
