/* conv_transpose.c - ConvTranspose (ONNX opset 1, 11): what a convolution's gradient makes of its output.
 *
 *     x: [N, C, in…]   w: [C, M / group, kernel…]   b: [M], optional   y: [N, M, out…]
 *
 * y is the data gradient of the convolution with weights w that takes [N, M, out…] to [N, C, in…], so that this
 * operator's own gradient with respect to x is that convolution.
 */
#include <inttypes.h>

#include "base/error.h"
#include "kernel/channel.h"
#include "kernel/convolution.h"
#include "kernel/kernels.h"
#include "op/move.h"
#include "op/ops.h"
#include "op/outline.h"
#include "op/sliding.h"

static int transpose_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                           struct mc_error *err)
{
    struct mc_window window;
    int rc = mc_need_dtype(node, 0, in[0], MC_TYPES_FLOAT, err);
    if (rc == MC_OK) rc = mc_need_rank(node, 0, in[0], 3, 2 + MC_MAX_SPATIAL, err);
    if (rc == MC_OK) rc = mc_need_dtype(node, 1, in[1], MC_TYPE_BIT(in[0]->dtype), err);
    if (rc == MC_OK) rc = mc_need_rank(node, 1, in[1], in[0]->shape.rank, in[0]->shape.rank, err);
    if (rc == MC_OK && in[2]) rc = mc_need_dtype(node, 2, in[2], MC_TYPE_BIT(in[0]->dtype), err);
    if (rc < 0) return rc;
    const struct mc_shape *x = &in[0]->shape, *w = &in[1]->shape;
    const int64_t groups = mc_node_int(node, "group", 1);
    if (groups < 1 || x->dim[1] % groups || w->dim[0] != x->dim[1])
        return mc_error_set(err, MC_ERR_INPUT,
                            "input 1 '%s': %" PRId64 " channels in %" PRId64 " groups, x has %" PRId64,
                            node->inputs[1]->name, w->dim[0], groups, x->dim[1]);
    const int64_t M = w->dim[1] * groups;
    if (in[2] && mc_shape_count(&in[2]->shape) != M)
        return mc_error_set(err, MC_ERR_INPUT, "input 2 '%s': needs %" PRId64 " numbers, has %" PRId64,
                            node->inputs[2]->name, M, mc_shape_count(&in[2]->shape));
    rc = mc_sliding_transposed(node, x, &w->dim[2], &window, err);
    if (rc < 0) return rc;
    out[0] = (struct mc_fact){.dtype = in[0]->dtype, .shape = {.rank = x->rank, .dim = {x->dim[0], M}}};
    for (int k = 0; k < window.rank; k++) out[0].shape.dim[2 + k] = window.in[k];
    return MC_OK;
}

static void transpose_outline(struct mc_symbols *s, const struct mc_node *node, const struct mc_outline *const *in,
                              struct mc_outline *out)
{
    const int rank = in[0]->rank;
    if (rank < 3 || in[1]->rank != rank) return;
    out[0] = mc_outline_of_rank(rank);
    out[0].dim[0] = in[0]->dim[0];
    out[0].dim[1] = mc_symbol_times(s, in[1]->dim[1], mc_node_int(node, "group", 1));
    mc_sliding_transposed_outline(s, node, in[0], in[1], &out[0]);
}

static int transpose_prepare(struct mc_step *step, struct mc_error *err)
{
    const struct mc_tensor *x = step->in[0], *w = step->in[1];
    struct mc_convolution conv = {
        .dtype = x->dtype,
        .N = x->shape.dim[0],
        .C = step->out[0]->shape.dim[1],
        .M = x->shape.dim[1],
        .groups = mc_node_int(step->node, "group", 1),
        .backward = true,
    };
    struct mc_convolver *convolver = NULL;
    int rc = mc_sliding_transposed(step->node, &x->shape, &w->shape.dim[2], &conv.window, err);
    if (rc == MC_OK) rc = mc_convolver_create(&convolver, &conv, step->runtime, err);
    if (rc < 0) return rc;
    step->state = convolver;
    step->workspace_bytes = mc_convolver_workspace_bytes(convolver);
    return MC_OK;
}

static void transpose_release(struct mc_step *step)
{
    mc_convolver_destroy(step->state);
    step->state = NULL;
}

/* Add the bias to every plane of its channel, or with `sums` write the sums of a channel's planes to it. */
static void do_bias(const struct mc_step *step, const struct mc_tensor *planes, const struct mc_tensor *bias, bool sums)
{
    const bool is_double = planes->dtype == MC_DOUBLE;
    const struct mc_channel_loops *loops =
        &step->runtime->kernels->channels->of[is_double ? MC_CHANNEL_F64 : MC_CHANNEL_F32];
    const struct mc_shape *y = &planes->shape;
    const int64_t length = mc_shape_span(y, 2, y->rank);
    const struct mc_channel channel = {.n = y->dim[0], .length = length, .stride = y->dim[1] * length};
    for (int64_t m = 0; m < y->dim[1]; m++) {
        char *const at = (char *)planes->data + (size_t)(m * length) * mc_element_size(planes->dtype);
        double moments[2];
        if (sums) {
            loops->moments(&channel, at, 0, moments);
            mc_tensor_set_f64((struct mc_tensor *)bias, m, moments[0]);
        } else {
            loops->affine(&channel, at, 1, mc_tensor_get_f64(bias, m), at);
        }
    }
}

static int transpose_forward(struct mc_step *step, struct mc_error *err)
{
    const int rc = mc_convolver_backward_data(step->state, step->in[0]->data, step->in[1]->data, step->out[0]->data,
                                              step->workspace, err);
    if (rc == MC_OK && step->in[2]) do_bias(step, step->out[0], step->in[2], false);
    return rc;
}

static int transpose_backward(struct mc_step *step, struct mc_error *err)
{
    const struct mc_tensor *dy = step->grad_out[0];
    int rc = MC_OK;
    if (step->grad_in[0])
        rc = mc_convolver_forward(step->state, dy->data, step->in[1]->data, NULL, NULL, step->grad_in[0]->data,
                                  step->workspace, err);
    if (rc == MC_OK && step->grad_in[1])
        rc = mc_convolver_backward_weights(step->state, dy->data, step->in[0]->data, step->grad_in[1]->data, NULL,
                                           step->workspace, err);
    if (rc == MC_OK && step->grad_in[2]) do_bias(step, dy, step->grad_in[2], true);
    return rc;
}

/* --- coupling: weight [C, M / groups, k…] --- */

/* Of several groups whole ones go where each has one input. */
static bool groups_go_whole(const struct mc_node *node, int64_t C)
{
    return mc_node_int(node, "group", 1) == C;
}

static int couple_channels(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err)
{
    const struct mc_value *x = node->inputs[0], *w = node->inputs[1], *y = node->outputs[0];
    const int64_t C = mc_coupling_extent(c, x, 1), M = mc_coupling_extent(c, y, 1);
    const int64_t groups = mc_node_int(node, "group", 1);
    if (groups > 1 && !groups_go_whole(node, C)) return MC_OK; /* said nothing of, and so frozen */
    int rc = mc_couple_axes(c, x, 1, w, 0, err);
    for (int64_t m = 0; m < M && groups > 1 && rc == MC_OK; m++)
        rc = mc_couple_index(c, x, 1, m / (M / groups), y, 1, m, err);
    if (rc < 0 || groups > 1) return rc;
    rc = mc_couple_axes(c, w, 1, y, 1, err);
    /* a constant plane does not become a constant one: pixels are made by different numbers of taps */
    const struct mc_contraction contraction = {.node = node,
                                               .data = x,
                                               .data_axis = 1,
                                               .weight = w,
                                               .weight_axis = 0,
                                               .weight_out_axis = 1,
                                               .groups = 1,
                                               .bias_input = 2,
                                               .out_axis = 1,
                                               .movable = false};
    return rc < 0 ? rc : mc_couple_contraction(c, &contraction, err);
}

static int transpose_coupling(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err)
{
    const struct mc_value *x = node->inputs[0], *w = node->inputs[1], *y = node->outputs[0];
    const struct mc_value *b = mc_node_input(node, 2);
    int rc = mc_couple_axes(c, x, 0, y, 0, err);
    for (int axis = 2; axis < mc_coupling_fact(c, x)->shape.rank && rc == MC_OK; axis++) {
        rc = mc_couple_freeze(c, node, x, axis, "a window slides along it", err);
        if (rc == MC_OK) rc = mc_couple_freeze(c, node, w, axis, "a window slides along it", err);
        if (rc == MC_OK) rc = mc_couple_freeze(c, node, y, axis, "a window slides along it", err);
    }
    if (rc < 0 || !mc_coupling_is_fixed(c, w)) return rc;
    rc = couple_channels(c, node, err);
    if (rc == MC_OK) rc = mc_couple_role(c, w, 1, MC_ROLE_PRODUCES, err);
    if (rc == MC_OK)
        rc = mc_couple_role(c, w, 0, mc_node_int(node, "group", 1) > 1 ? MC_ROLE_PRODUCES : MC_ROLE_CONSUMES, err);
    if (rc == MC_OK && b) rc = mc_couple_axes(c, b, 0, y, 1, err);
    if (rc == MC_OK && b) rc = mc_couple_role(c, b, 0, MC_ROLE_SHIFT, err);
    return rc;
}

static int transpose_resize(struct mc_resize *resize, struct mc_node *node, struct mc_error *err)
{
    const int64_t C = mc_resize_old_extent(resize, node->inputs[0], 1);
    if (mc_node_int(node, "group", 1) == 1 || !groups_go_whole(node, C)) return MC_OK;
    return mc_node_set_int(node, "group", mc_resize_new_extent(resize, node->inputs[0], 1), err);
}

static void transpose_cost(const struct mc_node *node, const struct mc_fact *const *in, const struct mc_fact *out,
                           struct mc_cost *cost)
{
    mc_cost_free(node, in, out, cost);
    const struct mc_shape *w = &in[1]->shape;
    const int64_t macs = mc_shape_count(&in[0]->shape) * mc_shape_span(w, 1, w->rank);
    cost->macs += macs;
    cost->flops += 2 * macs + (in[2] ? mc_shape_count(&out[0].shape) : 0);
}

const struct mc_op mc_op_conv_transpose_1 = {
    .domain = "",
    .type = "ConvTranspose",
    .since = 1,
    .means = MC_MEANS_CONV_TRANSPOSE,
    .min_inputs = 2,
    .max_inputs = 3,
    .n_outputs = 1,
    .grad_inputs = 1 | 2 | 4,
    .keep = MC_KEEP_IN,
    .widens = true,
    .shape = transpose_shape,
    .outline = transpose_outline,
    .prepare = transpose_prepare,
    .release = transpose_release,
    .forward = transpose_forward,
    .backward = transpose_backward,
    .coupling = transpose_coupling,
    .resize = transpose_resize,
    .cost = transpose_cost,
};
