/* items.h - what operators that run by themselves (mc_op.evaluate) share: taking inputs, giving outputs. */
#ifndef MC_OP_ITEMS_H
#define MC_OP_ITEMS_H

#include "op/ops.h"

/* Input i as a tensor: MC_ERR_INPUT if it is none or left out. */
int mc_take_tensor(const struct mc_call *call, int i, const struct mc_tensor **tensor, struct mc_error *err);
/* Input i as a sequence. */
int mc_take_sequence(const struct mc_call *call, int i, const struct mc_item **sequence, struct mc_error *err);
/* Input i as one integer; `otherwise` where it is left out. */
int mc_take_integer(const struct mc_call *call, int i, int64_t otherwise, int64_t *number, struct mc_error *err);

/* Output i; takes over the tensor, also on failure. Nothing where the node does not name it. */
int mc_give_tensor(struct mc_call *call, int i, struct mc_tensor *tensor, struct mc_error *err);
/* Output i; `item` may be NULL for memory that was out. */
int mc_give_item(struct mc_call *call, int i, struct mc_item *item, struct mc_error *err);

/* The descriptor of an operator that runs by itself and stops gradients. */
#define MC_ITEM_OP(name, op_domain, onnx_type, version, least, most, outputs)                                          \
    const struct mc_op mc_op_##name##_##version = {                                                                    \
        .domain = op_domain,                                                                                           \
        .type = onnx_type,                                                                                             \
        .since = version,                                                                                              \
        .min_inputs = least,                                                                                           \
        .max_inputs = most,                                                                                            \
        .n_outputs = outputs,                                                                                          \
        .evaluate = name##_evaluate,                                                                                   \
        .backward = NULL,                                                                                              \
        .no_backward = "it is run by itself, without a tape",                                                          \
        .coupling = mc_coupling_freeze_all,                                                                            \
        .cost = mc_cost_free,                                                                                          \
    };

#endif
