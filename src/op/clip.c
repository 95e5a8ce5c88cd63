/* clip.c - Clip: min(max(x, low), high); the bounds are attributes before opset 11 and inputs since.
 *
 * A bound that is left out is the type's lowest or largest finite number. Where they cross, high wins. NaN stays. The
 * gradient passes where low <= x <= high, bounds included, as PyTorch's clamp has it; the bounds get none.
 */
#include <float.h>

#include "base/error.h"
#include "kernel/broadcast.h"
#include "op/byte_rules.h"
#include "op/elementwise.h"
#include "op/fused.h"
#include "op/outline.h"
#include "op/upgrade.h"

static int clip_shape_1(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                        struct mc_error *err)
{
    const int rc = mc_need_dtype(node, 0, in[0], MC_TYPES_FLOAT, err);
    return rc < 0 ? rc : mc_shape_same(node, in, out, err);
}

static int clip_shape_11(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                         struct mc_error *err)
{
    int rc = mc_need_dtype(node, 0, in[0], MC_TYPES_ARITHMETIC, err);
    for (int i = 1; i < 3 && rc == 0; i++) {
        if (!in[i]) continue;
        rc = mc_need_dtype(node, i, in[i], MC_TYPE_BIT(in[0]->dtype), err);
        if (rc == 0 && mc_shape_count(&in[i]->shape) != 1) {
            char text[128];
            rc = mc_error_set(err, MC_ERR_INPUT, "input %d '%s': needs one number, has shape %s", i,
                              node->inputs[i]->name, mc_shape_text(&in[i]->shape, text, sizeof(text)));
        }
    }
    return rc < 0 ? rc : mc_shape_same(node, in, out, err);
}

static bool merge_6(const struct mc_node *last, struct mc_merge *merge)
{
    return mc_merge_bounded(last, merge, mc_node_float(last, "min", -FLT_MAX), mc_node_float(last, "max", FLT_MAX));
}

static bool merge_11(const struct mc_node *last, struct mc_merge *merge)
{
    float bounds[2] = {-FLT_MAX, FLT_MAX};
    for (int i = 1; i < 3 && i < last->n_inputs; i++) {
        const struct mc_tensor *t = merge->constant(merge, last->inputs[i]);
        if (last->inputs[i] && (!t || t->dtype != MC_FLOAT || mc_tensor_count(t) != 1)) return false;
        if (t) bounds[i - 1] = (float)mc_tensor_get_f64(t, 0);
    }
    return mc_merge_bounded(last, merge, bounds[0], bounds[1]);
}

/* The bounds of a float clip. */
static void float_bounds(const struct mc_step *step, double p[2])
{
    const double largest = step->in[0]->dtype == MC_FLOAT ? (double)FLT_MAX : DBL_MAX;
    p[0] = -largest;
    p[1] = largest;
    if (step->node->op->since < 11) {
        const struct mc_attr *low = mc_node_attr(step->node, "min"), *high = mc_node_attr(step->node, "max");
        if (low) p[0] = (double)low->f;
        if (high) p[1] = (double)high->f;
    } else {
        for (int i = 0; i < 2; i++)
            if (i + 1 < step->n_in && step->in[i + 1]) p[i] = mc_tensor_get_f64(step->in[i + 1], 0);
    }
}

/* Integers, which a double may not hold: one bound after the other. */
static int clip_integers(struct mc_step *step)
{
    static const enum mc_binary towards[2] = {MC_BINARY_MAX, MC_BINARY_MIN};
    const struct mc_tensor *x = step->in[0];
    struct mc_tensor *y = step->out[0];
    const enum mc_loop_type type = mc_loop_type(x->dtype);
    const struct mc_shape one = {.rank = 0};
    struct mc_nest nest;
    mc_nest_init(&nest, &y->shape, &x->shape, &one);
    const void *from = x->data;
    for (int i = 1; i < 3; i++) {
        const bool bound = i < step->n_in && step->in[i];
        if (!bound && (i == 1 || from == y->data)) continue;
        /* without any bound x is compared with itself: a copy */
        const void *other = bound ? step->in[i]->data : from;
        if (!bound) mc_nest_init(&nest, &y->shape, &x->shape, &x->shape);
        mc_broadcast(&nest, mc_step_loops(step)->binary[type][towards[i - 1]], type, from, other, y->data, 1);
        from = y->data;
    }
    return MC_OK;
}

static int clip_forward(struct mc_step *step, struct mc_error *err)
{
    double p[2];
    if (!mc_dtype_is_float(step->in[0]->dtype)) return clip_integers(step);
    float_bounds(step, p);
    return mc_unary_forward(step, MC_UNARY_CLIP, p, 1);
}

static int clip_backward(struct mc_step *step, struct mc_error *err)
{
    double p[2];
    float_bounds(step, p);
    return mc_unary_backward(step, MC_UNARY_CLIP, step->in[0], p, 1);
}

const struct mc_op mc_op_clip_1 = {
    .domain = "",
    .type = "Clip",
    .on_bytes = mc_bytes_clip,
    .since = 1,
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .grad_inputs = 1,
    .keep = MC_KEEP_IN,
    .inplace = true,
    .order = mc_order_elementwise,
    .merge = merge_6,
    .widens = true,
    .widens_integers = true,
    .shape = clip_shape_1,
    .outline = mc_outline_same,
    .forward = clip_forward,
    .backward = clip_backward,
    .coupling = mc_coupling_first_input,
    .cost = mc_cost_elementwise,
};

static int clip_upgrade(struct mc_node *node, const struct mc_fact *x, const char **why, struct mc_error *err)
{
    if (x->dtype == MC_UNDEFINED && (mc_node_attr(node, "min") || mc_node_attr(node, "max"))) {
        *why = "the type of its bounds is not known";
        return MC_OK;
    }
    const int rc = mc_upgrade_float(node, "min", 1, x, err);
    return rc < 0 ? rc : mc_upgrade_float(node, "max", 2, x, err);
}

const struct mc_op mc_op_clip_11 = {
    .domain = "",
    .type = "Clip",
    .on_bytes = mc_bytes_clip,
    .since = 11,
    .min_inputs = 1,
    .max_inputs = 3,
    .n_outputs = 1,
    .grad_inputs = 1, /* the bounds are settings, not parameters */
    .keep = MC_KEEP_IN,
    .inplace = true,
    .order = mc_order_elementwise,
    .merge = merge_11,
    .widens = true,
    .widens_integers = true,
    .shape = clip_shape_11,
    .outline = mc_outline_same,
    .forward = clip_forward,
    .backward = clip_backward,
    .others = "bounds, which are settings",
    .coupling = mc_coupling_first_input,
    .cost = mc_cost_elementwise,
    .upgrade = clip_upgrade,
};
