/* expand.c - Expand: Numpy broadcasting of a tensor to a shape. */
#include "base/error.h"
#include "op/byte_rules.h"
#include "op/move.h"
#include "op/outline.h"

static int read_target(const struct mc_node *node, const struct mc_fact *const *in, struct mc_shape *target,
                       struct mc_error *err)
{
    struct mc_ints dims;
    const int rc = mc_ints_of_input(node, in, 1, &dims, err);
    if (rc < 0) return rc;
    if (dims.n > MC_MAX_RANK)
        return mc_error_set(err, MC_ERR_UNSUPPORTED, "shape: needs at most %d axes, has %d", MC_MAX_RANK, dims.n);
    *target = mc_shape_of(dims.n, dims.at);
    return 0;
}

static int expand_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                        struct mc_error *err)
{
    struct mc_shape target;
    char from[96], to[96];
    int rc = mc_need_dtype(node, 0, in[0], mc_types_copied, err);
    if (rc < 0) return rc;
    if ((rc = read_target(node, in, &target, err)) < 0) return rc;
    *out = (struct mc_fact){.dtype = in[0]->dtype};
    if (mc_shape_count(&target) < 0 || !mc_shape_broadcast(&in[0]->shape, &target, &out->shape))
        return mc_error_set(err, MC_ERR_INPUT, "input 0: %s cannot be expanded to %s",
                            mc_shape_text(&in[0]->shape, from, sizeof from), mc_shape_text(&target, to, sizeof to));
    return 0;
}

static void expand_outline(struct mc_symbols *s, const struct mc_node *node, const struct mc_outline *const *in,
                           struct mc_outline *out)
{
    const struct mc_outline_list target = mc_outline_list_of(s, node, in, NULL, 1);
    if (!target.known) return;
    struct mc_outline shape = mc_outline_of_rank(0);
    for (int k = 0; k < target.n; k++) mc_outline_append(&shape, target.at[k]);
    out[0] = mc_outline_join(s, in[0], &shape);
}

/* The walk from the small tensor to the large one. */
static struct mc_box make_box(const struct mc_shape *small, const struct mc_shape *large)
{
    struct mc_box box = {.rank = large->rank};
    mc_strides(large, box.to);
    mc_broadcast_strides(small, large, box.from);
    for (int k = 0; k < large->rank; k++) box.extent[k] = large->dim[k];
    return box;
}

static int expand_forward(struct mc_step *step, struct mc_error *err)
{
    (void)err;
    const struct mc_box box = make_box(&step->in[0]->shape, &step->out[0]->shape);
    mc_copy_box(step->out[0]->data, step->in[0]->data, &box, mc_element_size(step->in[0]->dtype));
    return 0;
}

static int expand_backward(struct mc_step *step, struct mc_error *err)
{
    (void)err;
    struct mc_tensor *const grad = step->grad_in[0];
    if (!grad) return 0;
    if (step->grad_out[0])
        mc_sum_to(step, grad, step->grad_out[0]);
    else
        mc_zero(grad);
    return 0;
}

/* Axes that are passed on are tied; one that comes from an extent of 1 repeats what is there, and any of it may go. */
static int expand_coupling(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err)
{
    const struct mc_value *const x = node->inputs[0], *const y = node->outputs[0];
    const struct mc_shape *const from = &mc_coupling_fact(c, x)->shape, *const to = &mc_coupling_fact(c, y)->shape;
    int rc = 0;
    for (int k = 0; k < to->rank && rc == 0; k++) {
        const int a = k - (to->rank - from->rank);
        if (a >= 0 && from->dim[a] == to->dim[k])
            rc = mc_couple_axes(c, x, a, y, k, err);
        else
            rc = mc_couple_axes(c, y, k, y, k, err); /* says that nothing stands in the way */
    }
    return rc;
}

/* Extents that were cut are written anew. */
static int expand_resize(struct mc_resize *resize, struct mc_node *node, struct mc_error *err)
{
    const int rank = mc_resize_fact(resize, node->outputs[0])->shape.rank;
    bool wrong[2 * MC_MAX_RANK];
    struct mc_ints target;
    if (!mc_resize_ints_computed(resize, node, 1, &target))
        return mc_error_set(err, MC_ERR_UNSUPPORTED, "the shape '%s' is not known", node->inputs[1]->name);
    for (int at = 0; at < target.n; at++) {
        const int64_t extent = mc_resize_new_extent(resize, node->outputs[0], rank - target.n + at);
        wrong[at] = target.at[at] != 1 && target.at[at] != extent;
        if (wrong[at]) target.at[at] = extent;
    }
    return mc_resize_mend_ints(resize, node, 1, &target, wrong, err);
}

const struct mc_op mc_op_expand_8 = {
    .domain = "",
    .type = "Expand",
    .since = 8,
    .min_inputs = 2,
    .max_inputs = 2,
    .n_outputs = 1,
    .grad_inputs = 1,
    .keep = MC_KEEP_NONE,
    .opaque = true,
    .on_bytes = mc_bytes_move,
    .shape = expand_shape,
    .outline = expand_outline,
    .forward = expand_forward,
    .backward = expand_backward,
    .others = "a shape",
    .coupling = expand_coupling,
    .resize = expand_resize,
    .cost = mc_cost_free,
};
