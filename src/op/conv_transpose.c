/* conv_transpose.c - ConvTranspose (ONNX opset 1, 11): what a convolution's gradient makes of its output.
 *
 *     x: [N, C, in…]   w: [C, M / group, kernel…]   b: [M], optional   y: [N, M, out…]
 *
 * y is the data gradient of the convolution with weights w that takes [N, M, out…] to [N, C, in…], so that this
 * operator's own gradient with respect to x is that convolution.
 */
#include <inttypes.h>

#include "base/error.h"
#include "kernel/convolution.h"
#include "op/move.h"
#include "op/ops.h"

/* A list with one number for each spatial axis (or `per` of them); `otherwise` where the attribute is left out. */
static int read_list(const struct mc_node *node, const char *name, int n, int64_t low, int64_t otherwise, int64_t *to,
                     struct mc_error *err)
{
    struct mc_ints ints;
    const int rc = mc_ints_of_attr(node, name, &ints, err);
    if (rc < 0) return rc;
    if (ints.given && ints.n != n)
        return mc_error_set(err, MC_ERR_INPUT, "attribute '%s': needs %d numbers, has %d", name, n, ints.n);
    for (int k = 0; k < n; k++) {
        to[k] = ints.given ? ints.at[k] : otherwise;
        if (to[k] < low || to[k] > INT32_MAX)
            return mc_error_set(err, MC_ERR_INPUT, "attribute '%s': %" PRId64, name, to[k]);
    }
    return MC_OK;
}

/* Padding along an axis whose output is to have `extent`: half of what is too much, the odd one at the end if `upper`.
 * Where there is too little, zeros follow. */
static void pad_to(struct mc_window *w, int axis, int64_t full, int64_t extent, bool upper)
{
    const int64_t total = full > extent ? full - extent : 0;
    w->begin[axis] = upper ? total / 2 : total - total / 2;
    w->end[axis] = total - w->begin[axis];
    w->in[axis] = extent;
}

/* The window of the convolution whose gradient this is: its `out` is x, its `in` is y. */
static int transposed_window(const struct mc_node *node, const struct mc_shape *x, const struct mc_shape *weights,
                             struct mc_window *w, struct mc_error *err)
{
    int64_t pads[2 * MC_MAX_SPATIAL], extra[MC_MAX_SPATIAL], wanted[MC_MAX_SPATIAL];
    const int n = x->rank - 2;
    const bool sized = mc_node_attr(node, "output_shape") != NULL;
    const bool upper = mc_node_string_is(node, "auto_pad", "SAME_UPPER", false);
    const bool same = upper || mc_node_string_is(node, "auto_pad", "SAME_LOWER", false);
    const bool valid = mc_node_string_is(node, "auto_pad", "VALID", false);
    *w = (struct mc_window){.rank = n};
    if (!same && !valid && !mc_node_string_is(node, "auto_pad", "NOTSET", true))
        return mc_error_set(err, MC_ERR_INPUT, "attribute 'auto_pad': needs NOTSET, SAME_UPPER, SAME_LOWER or VALID");
    int rc = read_list(node, "strides", n, 1, 1, w->stride, err);
    if (rc == MC_OK) rc = read_list(node, "dilations", n, 1, 1, w->dilation, err);
    if (rc == MC_OK) rc = read_list(node, "output_padding", n, 0, 0, extra, err);
    if (rc == MC_OK) rc = read_list(node, "pads", 2 * n, 0, 0, pads, err);
    if (rc == MC_OK) rc = read_list(node, "output_shape", n, 1, 1, wanted, err);
    for (int k = 0; k < n && rc == MC_OK; k++) {
        w->out[k] = x->dim[2 + k];
        w->kernel[k] = weights->dim[2 + k];
        const int64_t full = w->stride[k] * (w->out[k] - 1) + extra[k] + mc_window_reach(w, k);
        if (sized || same)
            pad_to(w, k, full, sized ? wanted[k] : w->out[k] * w->stride[k], upper);
        else {
            w->begin[k] = valid ? 0 : pads[k];
            w->end[k] = valid ? 0 : pads[n + k];
            w->in[k] = full - w->begin[k] - w->end[k];
        }
        if (w->in[k] < 1 || w->in[k] > INT32_MAX || w->out[k] < 1)
            rc = mc_error_set(err, MC_ERR_INPUT, "spatial axis %d: %" PRId64 " make %" PRId64, k, w->out[k], w->in[k]);
    }
    return rc;
}

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
        return mc_error_set(err, MC_ERR_INPUT, "input 1 '%s': %" PRId64 " channels in %" PRId64 " groups, x has %" PRId64,
                            node->inputs[1]->name, w->dim[0], groups, x->dim[1]);
    const int64_t M = w->dim[1] * groups;
    if (in[2] && mc_shape_count(&in[2]->shape) != M)
        return mc_error_set(err, MC_ERR_INPUT, "input 2 '%s': needs %" PRId64 " numbers, has %" PRId64,
                            node->inputs[2]->name, M, mc_shape_count(&in[2]->shape));
    rc = transposed_window(node, x, w, &window, err);
    if (rc < 0) return rc;
    out[0] = (struct mc_fact){.dtype = in[0]->dtype, .shape = {.rank = x->rank, .dim = {x->dim[0], M}}};
    for (int k = 0; k < window.rank; k++) out[0].shape.dim[2 + k] = window.in[k];
    return mc_shape_count(&out[0].shape) >= 0 ? MC_OK
                                              : mc_error_set(err, MC_ERR_INPUT, "the result is too large to count");
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
    int rc = transposed_window(step->node, &x->shape, &w->shape, &conv.window, err);
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

/* Add the bias to every plane, or with `sums` write the sum of the planes of each channel to it. */
#define BIAS(name, type)                                                                                               \
    static void name(type *planes, type *bias, const struct mc_shape *y, bool sums)                                    \
    {                                                                                                                  \
        const int64_t N = y->dim[0], M = y->dim[1], n = mc_shape_span(y, 2, y->rank);                                  \
        for (int64_t m = 0; m < M; m++) {                                                                              \
            double sum = 0;                                                                                            \
            for (int64_t i = 0; i < N; i++) {                                                                          \
                type *const plane = planes + (i * M + m) * n;                                                          \
                for (int64_t k = 0; k < n; k++) {                                                                      \
                    if (sums)                                                                                          \
                        sum += (double)plane[k];                                                                       \
                    else                                                                                               \
                        plane[k] += bias[m];                                                                           \
                }                                                                                                      \
            }                                                                                                          \
            if (sums) bias[m] = (type)sum;                                                                             \
        }                                                                                                              \
    }

BIAS(bias_f32, float)
BIAS(bias_f64, double)

static void do_bias(const struct mc_tensor *planes, const struct mc_tensor *bias, bool sums)
{
    if (planes->dtype == MC_FLOAT)
        bias_f32(planes->data, bias->data, &planes->shape, sums);
    else
        bias_f64(planes->data, bias->data, &planes->shape, sums);
}

static int transpose_forward(struct mc_step *step, struct mc_error *err)
{
    const int rc = mc_convolver_backward_data(step->state, step->in[0]->data, step->in[1]->data, step->out[0]->data,
                                              step->workspace, err);
    if (rc == MC_OK && step->in[2]) do_bias(step->out[0], step->in[2], false);
    return rc;
}

static int transpose_backward(struct mc_step *step, struct mc_error *err)
{
    const struct mc_tensor *dy = step->grad_out[0];
    int rc = MC_OK;
    if (step->grad_in[0])
        rc = mc_convolver_forward(step->state, dy->data, step->in[1]->data, NULL, step->grad_in[0]->data,
                                  step->workspace, err);
    if (rc == MC_OK && step->grad_in[1])
        rc = mc_convolver_backward_weights(step->state, dy->data, step->in[0]->data, step->grad_in[1]->data, NULL,
                                           step->workspace, err);
    if (rc == MC_OK && step->grad_in[2]) do_bias(dy, step->grad_in[2], true);
    return rc;
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
    .min_inputs = 2,
    .max_inputs = 3,
    .n_outputs = 1,
    .grad_inputs = 1 | 2 | 4,
    .keep = MC_KEEP_IN,
    .widens = true,
    .shape = transpose_shape,
    .prepare = transpose_prepare,
    .release = transpose_release,
    .forward = transpose_forward,
    .backward = transpose_backward,
    .coupling = mc_coupling_freeze_all,
    .cost = transpose_cost,
};
