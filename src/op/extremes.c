/* extremes.c - Min and Max of any number of inputs that broadcast (before opset 8 they had one shape).
 *
 * NaN in any input gives NaN. Where several inputs have the extreme value they share the gradient equally; for two that
 * is what torch.minimum and torch.maximum do.
 */
#include <string.h>

#include "kernel/broadcast.h"
#include "kernel/copy.h"
#include "op/elementwise.h"
#include "op/outline.h"

static int extreme_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                         struct mc_error *err)
{
    return mc_broadcast_shape(node, in, out, MC_TYPES_ARITHMETIC, err);
}

/* y = in[0], broadcast. */
static void spread_first(struct mc_step *step)
{
    const struct mc_tensor *x = step->in[0];
    struct mc_tensor *y = step->out[0];
    if (x->data == y->data) return;
    struct mc_box box = {.rank = y->shape.rank};
    int64_t strides[MC_MAX_RANK];
    mc_strides(&x->shape, strides);
    mc_strides(&y->shape, box.to);
    for (int k = y->shape.rank - 1, j = x->shape.rank - 1; k >= 0; k--, j--) {
        box.extent[k] = y->shape.dim[k];
        box.from[k] = j >= 0 && x->shape.dim[j] > 1 ? strides[j] : 0;
    }
    mc_copy_box(y->data, x->data, &box, (size_t)mc_dtype_bits(x->dtype) / 8);
}

/* The first two at once where their common shape is the whole; then one after the other into the output. */
static int extreme_forward(struct mc_step *step, enum mc_binary f)
{
    struct mc_tensor *y = step->out[0];
    const enum mc_loop_type type = mc_loop_type(y->dtype);
    if (mc_tensor_count(y) == 0) return MC_OK;
    if (step->n_in == 2) return mc_binary_forward(step, f, 1);
    spread_first(step);
    for (int i = 1; i < step->n_in; i++) {
        struct mc_nest nest;
        mc_nest_init(&nest, &y->shape, &y->shape, &step->in[i]->shape);
        mc_broadcast(&nest, mc_step_loops(step)->binary[type][f], type, y->data, step->in[i]->data, y->data, 1);
    }
    return MC_OK;
}

static int extreme_prepare(struct mc_step *step, struct mc_error *err)
{
    if (step->training) step->workspace_bytes = mc_tensor_bytes(step->out[0]);
    return MC_OK;
}

/* The workspace holds, for each element, how many inputs have the extreme value, then the share of each. */
static int extreme_backward(struct mc_step *step, struct mc_error *err)
{
    const struct mc_tensor *y = step->out[0], *g = step->grad_out[0];
    const struct mc_loops *loops = mc_step_loops(step);
    const enum mc_loop_type type = mc_loop_type(g->dtype);
    mc_binary_fn *const *count = loops->binary[type][MC_BINARY_COUNT_EQUAL];
    struct mc_nest nest;
    if (step->workspace) memset(step->workspace, 0, mc_tensor_bytes(y));
    for (int i = 0; i < step->n_in; i++) {
        mc_nest_init(&nest, &y->shape, &step->in[i]->shape, &y->shape);
        mc_broadcast(&nest, count, type, step->in[i]->data, y->data, step->workspace, 1);
    }
    mc_nest_init(&nest, &y->shape, &y->shape, &y->shape);
    mc_broadcast(&nest, loops->binary[type][MC_BINARY_DIV], type, g->data, step->workspace, step->workspace, 1);
    for (int i = 0; i < step->n_in; i++) {
        if (!step->grad_in[i]) continue;
        mc_nest_init(&nest, &y->shape, &step->in[i]->shape, &y->shape);
        mc_broadcast_sum(&nest, MC_NEST_A, loops, type, loops->term[type][MC_TERM_WHERE_EQUAL], step->in[i]->data,
                         y->data, step->workspace, 1, step->grad_in[i]->data);
    }
    return MC_OK;
}

static int min_forward(struct mc_step *step, struct mc_error *err)
{
    return extreme_forward(step, MC_BINARY_MIN);
}

static int max_forward(struct mc_step *step, struct mc_error *err)
{
    return extreme_forward(step, MC_BINARY_MAX);
}

const struct mc_op mc_op_max_1 = {
    .domain = "",
    .type = "Max",
    .since = 1,
    .min_inputs = 1,
    .max_inputs = -1,
    .n_outputs = 1,
    .grad_inputs = UINT32_MAX,
    .keep = MC_KEEP_IN | MC_KEEP_OUT,
    .inplace = true,
    .order = mc_order_elementwise,
    .widens = true,
    .widens_integers = true,
    .shape = extreme_shape,
    .outline = mc_outline_broadcast,
    .prepare = extreme_prepare,
    .forward = max_forward,
    .backward = extreme_backward,
    .coupling = mc_coupling_elementwise,
    .cost = mc_cost_elementwise,
};

const struct mc_op mc_op_min_1 = {
    .domain = "",
    .type = "Min",
    .since = 1,
    .min_inputs = 1,
    .max_inputs = -1,
    .n_outputs = 1,
    .grad_inputs = UINT32_MAX,
    .keep = MC_KEEP_IN | MC_KEEP_OUT,
    .inplace = true,
    .order = mc_order_elementwise,
    .widens = true,
    .widens_integers = true,
    .shape = extreme_shape,
    .outline = mc_outline_broadcast,
    .prepare = extreme_prepare,
    .forward = min_forward,
    .backward = extreme_backward,
    .coupling = mc_coupling_elementwise,
    .cost = mc_cost_elementwise,
};
