/* identity.c - Identity: the input under another name. */
#include "op/byte_rules.h"
#include "op/items.h"
#include "op/move.h"
#include "op/outline.h"

static int identity_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                          struct mc_error *err)
{
    const int rc = mc_need_dtype(node, 0, in[0], mc_types_ordered | MC_TYPE_BIT(MC_STRING), err);
    return rc < 0 ? rc : mc_shape_same(node, in, out, err);
}

/* Of what is no tensor, or of texts. */
static int identity_evaluate(struct mc_call *call, struct mc_error *err)
{
    return mc_give_item(call, 0, mc_item_retain(call->in[0]), err);
}

const struct mc_op mc_op_identity_1 = {
    .domain = "",
    .type = "Identity",
    .since = 1,
    .means = MC_MEANS_IDENTITY,
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .grad_inputs = 1,
    .keep = MC_KEEP_NONE,
    .inplace = true,
    .order = mc_order_elementwise,
    .view = true,
    .opaque = true,
    .on_bytes = mc_bytes_move,
    .shape = identity_shape,
    .outline = mc_outline_copy,
    .forward = mc_view_forward,
    .evaluate = identity_evaluate,
    .backward = mc_view_backward,
    .coupling = mc_coupling_first_input,
    .resize = NULL, /* no extent is written down */
    .cost = mc_cost_free,
};
