/* concat.c - Concat: tensors one after the other along an axis. */
#include "base/alloc.h"
#include "base/error.h"
#include "op/byte_rules.h"
#include "op/move.h"
#include "op/outline.h"

static int read_axis(const struct mc_node *node, int rank, int *axis, struct mc_error *err)
{
    if (node->opset >= 4 && !mc_node_attr(node, "axis"))
        return mc_error_set(err, MC_ERR_INPUT, "attribute 'axis' is required");
    return mc_need_axis(mc_node_int(node, "axis", 1), rank, axis, err);
}

/* All extents but the one along `axis` agree with those of input 0. */
static int check_input(const struct mc_node *node, int i, const struct mc_fact *const *in, int axis,
                       struct mc_error *err)
{
    const struct mc_shape *const have = &in[i]->shape;
    struct mc_shape need = in[0]->shape;
    char needed[96], found[96];
    if (have->rank == need.rank) need.dim[axis] = have->dim[axis];
    if (!mc_shape_equal(have, &need))
        return mc_error_set(err, MC_ERR_INPUT, "input %d '%s': needs %s but along axis %d, has %s", i,
                            node->inputs[i]->name, mc_shape_text(&in[0]->shape, needed, sizeof needed), axis,
                            mc_shape_text(have, found, sizeof found));
    if (in[i]->dtype != in[0]->dtype)
        return mc_error_set(err, MC_ERR_INPUT, "input %d '%s': needs %s as input 0, has %s", i, node->inputs[i]->name,
                            mc_dtype_name(in[0]->dtype), mc_dtype_name(in[i]->dtype));
    return 0;
}

static int concat_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                        struct mc_error *err)
{
    int axis, rc = mc_need_dtype(node, 0, in[0], mc_types_copied, err);
    if (rc < 0) return rc;
    if ((rc = read_axis(node, in[0]->shape.rank, &axis, err)) < 0) return rc;
    *out = (struct mc_fact){.dtype = in[0]->dtype, .shape = in[0]->shape};
    out->shape.dim[axis] = 0;
    for (int i = 0; i < node->n_inputs; i++) {
        if ((rc = check_input(node, i, in, axis, err)) < 0) return rc;
        if (!mc_add_i64(out->shape.dim[axis], in[i]->shape.dim[axis], &out->shape.dim[axis]))
            return mc_error_set(err, MC_ERR_INPUT, "extents along axis %d sum to more than 2^63", axis);
    }
    return 0;
}

/* What any of the inputs knows of an axis along which they agree. */
static mc_symbol extent_of_all(const struct mc_symbols *s, const struct mc_node *node,
                               const struct mc_outline *const *in, int axis)
{
    mc_symbol known = MC_SYMBOL_UNKNOWN;
    int64_t number;
    for (int i = 0; i < node->n_inputs && !mc_symbol_is_number(s, known, &number); i++)
        if (in[i]->dim[axis] != MC_SYMBOL_UNKNOWN) known = in[i]->dim[axis];
    return known;
}

static void concat_items(const struct mc_node *node, const struct mc_outline *const *in, struct mc_outline *out)
{
    out->n_items = 0;
    for (int i = 0; i < node->n_inputs; i++) {
        if (in[i]->n_items < 0 || out->n_items + in[i]->n_items > MC_OUTLINE_ITEMS) {
            out->n_items = -1;
            return;
        }
        for (int k = 0; k < in[i]->n_items; k++) out->item[out->n_items++] = in[i]->item[k];
    }
}

static void concat_outline(struct mc_symbols *s, const struct mc_node *node, const struct mc_outline *const *in,
                           struct mc_outline *out)
{
    int axis;
    for (int i = 0; i < node->n_inputs; i++)
        if (!in[i] || in[i]->rank < 0) return;
    if (!mc_outline_axis(node, 1, in[0]->rank, &axis)) return;
    out[0] = mc_outline_of_rank(in[0]->rank);
    for (int k = 0; k < out[0].rank; k++) out[0].dim[k] = extent_of_all(s, node, in, k);
    out[0].dim[axis] = mc_symbol_number(s, 0);
    for (int i = 0; i < node->n_inputs; i++) out[0].dim[axis] = mc_symbol_add(s, out[0].dim[axis], in[i]->dim[axis]);
    if (out[0].rank == 1) concat_items(node, in, &out[0]);
}

static int concat_forward(struct mc_step *step, struct mc_error *err)
{
    int axis;
    const int rc = read_axis(step->node, step->out[0]->shape.rank, &axis, err);
    if (rc < 0) return rc;
    int64_t begin = 0;
    for (int i = 0; i < step->n_in; i++) {
        mc_part_put(step->out[0], step->in[i], axis, begin);
        begin += step->in[i]->shape.dim[axis];
    }
    return 0;
}

static int concat_backward(struct mc_step *step, struct mc_error *err)
{
    int axis;
    const int rc = read_axis(step->node, step->out[0]->shape.rank, &axis, err);
    if (rc < 0) return rc;
    int64_t begin = 0;
    for (int i = 0; i < step->n_in; i++) {
        struct mc_tensor *const grad = step->grad_in[i];
        if (grad && step->grad_out[0]) mc_part_get(grad, step->grad_out[0], axis, begin);
        if (grad && !step->grad_out[0]) mc_zero(grad);
        begin += step->in[i]->shape.dim[axis];
    }
    return 0;
}

/* Tie input i: along the axis at its offset, along the others one to one. */
static int couple_input(struct mc_coupling *c, const struct mc_node *node, int i, int axis, int64_t offset,
                        struct mc_error *err)
{
    const struct mc_value *const x = node->inputs[i], *const y = node->outputs[0];
    int rc = 0;
    for (int k = 0; k < mc_coupling_fact(c, y)->shape.rank && rc == 0; k++)
        if (k != axis) rc = mc_couple_axes(c, x, k, y, k, err);
    for (int64_t j = 0; j < mc_coupling_extent(c, x, axis) && rc == 0; j++)
        rc = mc_couple_index(c, x, axis, j, y, axis, offset + j, err);
    return rc;
}

static int concat_coupling(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err)
{
    int axis, rc = read_axis(node, mc_coupling_fact(c, node->outputs[0])->shape.rank, &axis, err);
    int64_t offset = 0;
    for (int i = 0; i < node->n_inputs && rc == 0; i++) {
        rc = couple_input(c, node, i, axis, offset, err);
        offset += mc_coupling_extent(c, node->inputs[i], axis);
    }
    return rc;
}

const struct mc_op mc_op_concat_1 = {
    .domain = "",
    .type = "Concat",
    .since = 1,
    .min_inputs = 1,
    .max_inputs = -1,
    .n_outputs = 1,
    .grad_inputs = UINT32_MAX,
    .keep = MC_KEEP_NONE,
    .opaque = true,
    .on_bytes = mc_bytes_move_all,
    .shape = concat_shape,
    .outline = concat_outline,
    .forward = concat_forward,
    .backward = concat_backward,
    .coupling = concat_coupling,
    .resize = NULL, /* no extent is written down */
    .cost = mc_cost_free,
};
