/* conv.c - Conv: y = w * x + b over one to three spatial axes.
 *
 *     x: [N, C, in...]   w: [M, C / group, kernel...]   b: [M], optional   y: [N, M, out...]
 *
 * ONNX Conv since opset 1; later versions say the same more exactly. float32 and float64.
 */
#include <inttypes.h>

#include "base/alloc.h"
#include "base/block.h"
#include "base/error.h"
#include "kernel/convolution.h"
#include "op/byte_rules.h"
#include "op/fused.h"
#include "op/ops.h"
#include "op/outline.h"
#include "op/sliding.h"

/* How an operand's channels divide among groups. */
struct division {
    int64_t groups, c, m; /* channels in and out of one group */
};

static struct division divide(const struct mc_node *node, const struct mc_shape *w)
{
    const int64_t groups = mc_node_int(node, "group", 1);
    return (struct division){.groups = groups, .c = w->dim[1], .m = w->dim[0] / groups};
}

/* --- shape --- */

static int check_channels(const struct mc_node *node, const struct mc_fact *const *in, struct mc_error *err)
{
    const struct mc_shape *x = &in[0]->shape, *w = &in[1]->shape;
    const int64_t groups = mc_node_int(node, "group", 1);
    if (groups < 1 || x->dim[1] % groups != 0 || w->dim[0] % groups != 0)
        return mc_error_set(err, MC_ERR_INPUT,
                            "attribute 'group': needs a divisor of %" PRId64 " and %" PRId64 " channels, has %" PRId64,
                            x->dim[1], w->dim[0], groups);
    if (w->dim[1] != x->dim[1] / groups)
        return mc_error_set(err, MC_ERR_INPUT, "input 1 '%s': needs %" PRId64 " input channels, has %" PRId64,
                            node->inputs[1]->name, x->dim[1] / groups, w->dim[1]);
    if (in[2] && in[2]->shape.dim[0] != w->dim[0])
        return mc_error_set(err, MC_ERR_INPUT, "input 2 '%s': needs %" PRId64 " numbers, has %" PRId64,
                            node->inputs[2]->name, w->dim[0], in[2]->shape.dim[0]);
    return MC_OK;
}

static int conv_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                      struct mc_error *err)
{
    int rc = mc_need_dtype(node, 0, in[0], MC_TYPES_FLOAT, err);
    if (rc == MC_OK) rc = mc_need_rank(node, 0, in[0], 3, MC_MAX_RANK, err);
    if (rc == MC_OK) rc = mc_need_dtype(node, 1, in[1], MC_TYPE_BIT(in[0]->dtype), err);
    if (rc == MC_OK) rc = mc_need_rank(node, 1, in[1], in[0]->shape.rank, in[0]->shape.rank, err);
    if (rc == MC_OK && in[2]) rc = mc_need_dtype(node, 2, in[2], MC_TYPE_BIT(in[0]->dtype), err);
    if (rc == MC_OK && in[2]) rc = mc_need_rank(node, 2, in[2], 1, 1, err);
    if (rc == MC_OK) rc = check_channels(node, in, err);
    struct mc_window window;
    if (rc == MC_OK) rc = mc_sliding_window(node, in[0], &in[1]->shape.dim[2], false, &window, err);
    if (rc < 0) return rc;
    out[0].dtype = in[0]->dtype;
    out[0].shape = mc_sliding_shape(&window, in[0]->shape.dim[0], in[1]->shape.dim[0]);
    return MC_OK;
}

static void conv_outline(struct mc_symbols *s, const struct mc_node *node, const struct mc_outline *const *in,
                         struct mc_outline *out)
{
    if (in[0]->rank < 3 || in[1]->rank != in[0]->rank) return;
    out[0] = mc_outline_of_rank(in[0]->rank);
    out[0].dim[0] = in[0]->dim[0];
    out[0].dim[1] = in[1]->dim[0];
    mc_sliding_outline(s, node, in[0], in[1], false, &out[0]);
}

/* --- run --- */

static enum mc_order conv_order(const struct mc_step *step)
{
    return mc_convolver_wants_last(step->in[0]->dtype, step->runtime) ? MC_ORDER_LAST : MC_ORDER_FIRST;
}

/* The inputs of the fused operator that follow a convolution's: batch normalization's four, and what is added. */
enum { NORMALIZED = MC_FUSED_CONV_NORMALIZED, ADDED = MC_FUSED_CONV_ADDED };

struct conv {
    struct mc_convolver *convolver;
    float *w, *b; /* normalized; NULL: the step's own, or packed */
};

static void conv_release(struct mc_step *step)
{
    struct conv *s = step->state;
    if (!s) return;
    mc_convolver_destroy(s->convolver);
    mc_block_destroy(s->w);
    mc_free(s->b);
    mc_free(s);
}

static bool normalizes(const struct mc_step *step)
{
    return step->n_in > NORMALIZED && step->in[NORMALIZED];
}

/* (w x + b - mean) scale / sqrt(variance + epsilon) + shift as weights and a bias. */
static int normalize(struct conv *s, const struct mc_step *step, struct mc_error *err)
{
    const int64_t M = step->in[1]->shape.dim[0], each = mc_tensor_count(step->in[1]) / (M ? M : 1);
    const float *w = step->in[1]->data, *b = step->in[2] ? step->in[2]->data : NULL;
    s->w = mc_block_create(step->runtime->memory, (size_t)(M * each), sizeof *s->w);
    s->b = mc_alloc((size_t)M, sizeof *s->b);
    if (!s->w || !s->b) return mc_error_memory(err);
    for (int64_t m = 0; m < M; m++) {
        double scale, shift;
        mc_norm_affine(step->node, (const struct mc_tensor *const *)step->in + NORMALIZED, m, &scale, &shift);
        for (int64_t i = m * each; i < (m + 1) * each; i++) s->w[i] = (float)((double)w[i] * scale);
        s->b[m] = (float)((b ? (double)b[m] : 0) * scale + shift);
    }
    return MC_OK;
}

static int conv_prepare(struct mc_step *step, struct mc_error *err)
{
    const struct mc_tensor *x = step->in[0], *w = step->in[1];
    struct conv *s = step->state = MC_NEW(struct conv);
    if (!s) return mc_error_memory(err);
    int rc = normalizes(step) ? normalize(s, step, err) : MC_OK;
    if (rc < 0) return rc;
    const void *constant = step->in_constant[1] && !step->training ? w->data : NULL;
    const struct mc_attr *low = mc_node_attr(step->node, "low"), *high = mc_node_attr(step->node, "high");
    struct mc_convolution conv = {
        .dtype = x->dtype,
        .N = x->shape.dim[0],
        .C = x->shape.dim[1],
        .M = w->shape.dim[0],
        .groups = mc_node_int(step->node, "group", 1),
        .has_bias = step->in[2] || s->b,
        .x_last = x->channels_last,
        .y_last = step->out[0]->channels_last,
        .backward = step->training,
        .weights = s->w ? s->w : constant,
        .adds = step->n_in > ADDED && step->in[ADDED],
        .bounded = low && high,
        .low = low ? low->f : 0,
        .high = high ? high->f : 0,
    };
    const struct mc_fact fact = {.dtype = x->dtype, .shape = x->shape};
    rc = mc_sliding_window(step->node, &fact, &w->shape.dim[2], false, &conv.window, err);
    if (rc == MC_OK) rc = mc_convolver_create(&s->convolver, &conv, step->runtime, err);
    if (rc < 0) return rc;
    const bool has_packed = mc_convolver_has_packed(s->convolver);
    step->workspace_bytes = mc_convolver_workspace_bytes(s->convolver);
    step->packed = has_packed || s->w ? 1 << 1 : 0;
    if (has_packed) {
        mc_block_destroy(s->w);
        s->w = NULL;
    }
    return MC_OK;
}

static const void *data_of(const struct mc_tensor *tensor)
{
    return tensor ? tensor->data : NULL;
}

static int conv_forward(struct mc_step *step, struct mc_error *err)
{
    const struct conv *s = step->state;
    return mc_convolver_forward(
        s->convolver, step->in[0]->data, s->w ? s->w : step->in[1]->data, s->b ? s->b : data_of(step->in[2]),
        step->n_in > ADDED ? data_of(step->in[ADDED]) : NULL, step->out[0]->data, step->workspace, err);
}

static int conv_backward(struct mc_step *step, struct mc_error *err)
{
    struct mc_convolver *const convolver = ((const struct conv *)step->state)->convolver;
    const void *dy = step->grad_out[0]->data;
    int rc = MC_OK;
    if (step->grad_in[1] || step->grad_in[2]) {
        void *dw = step->grad_in[1] ? step->grad_in[1]->data : NULL;
        void *db = step->grad_in[2] ? step->grad_in[2]->data : NULL;
        rc = mc_convolver_backward_weights(convolver, step->in[0]->data, dy, dw, db, step->workspace, err);
    }
    if (rc == MC_OK && step->grad_in[0])
        rc = mc_convolver_backward_data(convolver, dy, step->in[1]->data, step->grad_in[0]->data, step->workspace, err);
    return rc;
}

/* --- coupling --- */

/* Where a group has one channel in (depthwise) or one out, it goes as a whole: its inputs, its outputs and its filters.
 * Otherwise each group gives up the same positions among its channels, so that groups stay equal. */
static bool groups_go_whole(struct division d)
{
    return d.groups > 1 && (d.c == 1 || d.m == 1);
}

static int couple_whole_groups(struct mc_coupling *c, const struct mc_node *node, struct division d,
                               struct mc_error *err)
{
    const struct mc_value *x = node->inputs[0], *w = node->inputs[1], *y = node->outputs[0];
    int rc = mc_couple_freeze(c, node, w, 1, "the channels of one group", err);
    for (int64_t m = 0; m < d.groups * d.m && rc == MC_OK; m++) {
        rc = mc_couple_index(c, y, 1, m, w, 0, m, err);
        if (rc == MC_OK) rc = mc_couple_index(c, y, 1, m, x, 1, m / d.m * d.c, err);
    }
    for (int64_t i = 0; i < d.groups * d.c && rc == MC_OK; i++)
        rc = mc_couple_index(c, x, 1, i, x, 1, i / d.c * d.c, err);
    return rc;
}

static int couple_inside_groups(struct mc_coupling *c, const struct mc_node *node, struct division d,
                                struct mc_error *err)
{
    const struct mc_value *x = node->inputs[0], *w = node->inputs[1], *y = node->outputs[0];
    int rc = mc_couple_axes(c, w, 0, y, 1, err);
    for (int64_t m = d.m; m < d.groups * d.m && rc == MC_OK; m++) rc = mc_couple_index(c, y, 1, m, y, 1, m % d.m, err);
    for (int64_t i = 0; i < d.groups * d.c && rc == MC_OK; i++) rc = mc_couple_index(c, x, 1, i, w, 1, i % d.c, err);
    return rc;
}

static int record_contraction(struct mc_coupling *c, const struct mc_node *node, struct division d,
                              struct mc_error *err)
{
    const struct mc_value *x = node->inputs[0], *w = node->inputs[1];
    const struct mc_shape *kernel = &mc_coupling_fact(c, w)->shape;
    struct mc_window window;
    int rc = mc_sliding_window(node, mc_coupling_fact(c, x), &kernel->dim[2], false, &window, err);
    if (rc < 0) return rc;
    const struct mc_contraction contraction = {
        .node = node,
        .data = x,
        .data_axis = 1,
        .weight = w,
        .weight_axis = 1,
        .weight_out_axis = 0,
        .groups = d.groups,
        .bias_input = 2,
        .out_axis = 1,
        .movable = !mc_sliding_pads(&window),
    };
    return mc_couple_contraction(c, &contraction, err);
}

static int conv_coupling(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err)
{
    const struct mc_value *x = node->inputs[0], *w = node->inputs[1], *y = node->outputs[0];
    const struct mc_value *b = mc_node_input(node, 2);
    const struct division d = divide(node, &mc_coupling_fact(c, w)->shape);
    int rc = mc_couple_axes(c, x, 0, y, 0, err);
    for (int axis = 2; axis < mc_coupling_fact(c, x)->shape.rank && rc == MC_OK; axis++) {
        rc = mc_couple_freeze(c, node, x, axis, "a window slides along it", err);
        if (rc == MC_OK) rc = mc_couple_freeze(c, node, w, axis, "a window slides along it", err);
        if (rc == MC_OK) rc = mc_couple_freeze(c, node, y, axis, "a window slides along it", err);
    }
    if (rc < 0) return rc;
    if (!mc_coupling_is_fixed(c, w)) {
        rc = mc_couple_freeze(c, node, x, 1, "its weight is computed from the graph's inputs", err);
        if (rc == MC_OK) rc = mc_couple_freeze(c, node, y, 1, "its weight is computed from the graph's inputs", err);
        return rc;
    }
    rc = groups_go_whole(d) ? couple_whole_groups(c, node, d, err) : couple_inside_groups(c, node, d, err);
    if (rc == MC_OK) rc = mc_couple_role(c, w, 0, MC_ROLE_PRODUCES, err);
    if (rc == MC_OK) rc = mc_couple_role(c, w, 1, MC_ROLE_CONSUMES, err);
    if (rc == MC_OK && b) rc = mc_couple_axes(c, b, 0, y, 1, err);
    if (rc == MC_OK && b) rc = mc_couple_role(c, b, 0, MC_ROLE_SHIFT, err);
    return rc < 0 || groups_go_whole(d) ? rc : record_contraction(c, node, d, err);
}

/* What one output position sees of all channels. */
static void copy_terms(const struct mc_window *w, const float *image, int64_t C, int64_t position, float *row)
{
    int64_t out[MC_MAX_SPATIAL];
    for (int a = 2; a >= 0; position /= w->out[a--]) out[a] = position % w->out[a];
    for (int64_t c = 0; c < C; c++, image += mc_window_inputs(w))
        for (int64_t i = 0; i < w->kernel[0]; i++)
            for (int64_t j = 0; j < w->kernel[1]; j++)
                for (int64_t k = 0; k < w->kernel[2]; k++) {
                    const int64_t d = mc_window_at(w, 0, out[0], i), h = mc_window_at(w, 1, out[1], j);
                    const int64_t v = mc_window_at(w, 2, out[2], k);
                    const bool inside = d >= 0 && d < w->in[0] && h >= 0 && h < w->in[1] && v >= 0 && v < w->in[2];
                    *row++ = inside ? image[(d * w->in[1] + h) * w->in[2] + v] : 0;
                }
}

static int conv_terms(const struct mc_node *node, const struct mc_tensor *x, const struct mc_shape *w,
                      const int64_t *places, int64_t n, float *rows, struct mc_error *err)
{
    if (divide(node, w).groups != 1) return mc_error_set(err, MC_ERR_UNSUPPORTED, "its channels divide into groups");
    const struct mc_fact fact = mc_fact_of(x);
    struct mc_window window;
    const int rc = mc_sliding_window(node, &fact, &w->dim[2], false, &window, err);
    if (rc < 0) return rc;
    const struct mc_window flat = mc_window_as_3d(&window);
    const int64_t C = x->shape.dim[1], outputs = mc_window_outputs(&flat), size = C * mc_window_inputs(&flat);
    for (int64_t i = 0; i < n; i++, rows += C * mc_window_taps(&flat))
        copy_terms(&flat, (const float *)x->data + places[i] / outputs * size, C, places[i] % outputs, rows);
    return MC_OK;
}

/* Whole groups may have gone. */
static int conv_resize(struct mc_resize *resize, struct mc_node *node, struct mc_error *err)
{
    const struct mc_fact *w = mc_resize_fact(resize, node->inputs[1]);
    if (!w || !groups_go_whole(divide(node, &w->shape))) return MC_OK;
    return mc_node_set_int(node, "group", mc_resize_new_extent(resize, node->inputs[0], 1) / w->shape.dim[1], err);
}

static void conv_cost(const struct mc_node *node, const struct mc_fact *const *in, const struct mc_fact *out,
                      struct mc_cost *cost)
{
    const int64_t outputs = mc_shape_count(&out[0].shape);
    mc_cost_free(node, in, out, cost);
    const int64_t macs = outputs * mc_shape_span(&in[1]->shape, 1, in[1]->shape.rank);
    cost->macs += macs;
    cost->flops += 2 * macs + (in[2] ? outputs : 0);
}

const struct mc_op mc_op_conv_1 = {
    .domain = "",
    .type = "Conv",
    .since = 1,
    .means = MC_MEANS_CONV,
    .on_bytes = mc_bytes_conv,
    .min_inputs = 2,
    .max_inputs = 3,
    .n_outputs = 1,
    .grad_inputs = 7,
    .keep = MC_KEEP_IN,
    .widens = true,
    .shape = conv_shape,
    .outline = conv_outline,
    .order = conv_order,
    .prepare = conv_prepare,
    .release = conv_release,
    .forward = conv_forward,
    .backward = conv_backward,
    .coupling = conv_coupling,
    .terms = conv_terms,
    .resize = conv_resize,
    .cost = conv_cost,
};

/* --- with what follows, in plans for inference --- */

static int fused_conv_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                            struct mc_error *err)
{
    int rc = mc_need_dtype(node, 0, in[0], MC_TYPE_BIT(MC_FLOAT), err);
    if (rc == MC_OK) rc = conv_shape(node, in, out, err);
    if (rc == MC_OK && in[ADDED] && !mc_shape_equal(&in[ADDED]->shape, &out[0].shape))
        rc = mc_error_set(err, MC_ERR_INTERNAL, "input %d '%s': needs the shape of the output", ADDED,
                          node->inputs[ADDED]->name);
    return rc;
}

static enum mc_order fused_conv_order(const struct mc_step *step)
{
    const enum mc_order order = conv_order(step);
    if (step->n_in <= ADDED || !step->in[ADDED]) return order;
    return order == MC_ORDER_LAST ? MC_ORDER_LAST_SUM : MC_ORDER_FIRST;
}

static void fused_conv_cost(const struct mc_node *node, const struct mc_fact *const *in, const struct mc_fact *out,
                            struct mc_cost *cost)
{
    conv_cost(node, in, out, cost);
    cost->flops += mc_shape_count(&out[0].shape) * ((in[ADDED] != NULL) + (mc_node_attr(node, "low") != NULL));
}

const struct mc_op mc_op_fused_conv = {
    .domain = "",
    .type = "Conv",
    .since = 1,
    .min_inputs = 2,
    .max_inputs = ADDED + 1,
    .n_outputs = 1,
    .no_backward = "it runs in inference only",
    .inplace = true,
    .inplace_input = ADDED,
    .shape = fused_conv_shape,
    .order = fused_conv_order,
    .prepare = conv_prepare,
    .release = conv_release,
    .forward = conv_forward,
    .coupling = conv_coupling,
    .cost = fused_conv_cost,
};
