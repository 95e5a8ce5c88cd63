/* rearrange.c - DepthToSpace (ONNX opset 1, 11), SpaceToDepth (1, 28): blocks of pixels become channels and back; and
 * CenterCropPad (18): the middle of a tensor, or zeros around it. */
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "op/move.h"
#include "op/ops.h"
#include "op/outline.h"

static int block_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                       struct mc_error *err)
{
    const bool to_space = node->op->type[0] == 'D';
    const int64_t b = mc_node_int(node, "blocksize", 0);
    int rc = mc_need_dtype(node, 0, in[0], mc_types_copied, err);
    if (rc == MC_OK) rc = mc_need_rank(node, 0, in[0], 4, 4, err);
    if (rc < 0) return rc;
    out[0] = (struct mc_fact){.dtype = in[0]->dtype, .shape = in[0]->shape};
    int64_t *const d = out[0].shape.dim;
    if (b < 1 || b > 32768 || (to_space ? d[1] % (b * b) : d[2] % b || d[3] % b))
        return mc_error_set(err, MC_ERR_INPUT, "attribute 'blocksize': %" PRId64 " does not divide the input", b);
    d[1] = to_space ? d[1] / (b * b) : d[1] * b * b;
    d[2] = to_space ? d[2] * b : d[2] / b;
    d[3] = to_space ? d[3] * b : d[3] / b;
    return MC_OK;
}

static void block_outline(struct mc_symbols *s, const struct mc_node *node, const struct mc_outline *const *in,
                          struct mc_outline *out)
{
    const bool to_space = node->op->type[0] == 'D';
    const int64_t b = mc_node_int(node, "blocksize", 0);
    if (in[0]->rank != 4 || b < 1 || b > 32768) return;
    mc_outline_same(s, node, in, out);
    for (int k = 1; k < 4; k++) {
        const int64_t factor = k == 1 ? b * b : b;
        const mc_symbol d = out[0].dim[k];
        out[0].dim[k] =
            (k == 1) == to_space ? mc_symbol_divide(s, d, mc_symbol_number(s, factor)) : mc_symbol_times(s, d, factor);
    }
}

/* Both are a transposition of the six axes N, C, H, b, W, b of the picture with the small channels: among the deep ones
 * C lies before the block's rows and columns (CRD) or behind them. */
static void block_box(const struct mc_node *node, const struct mc_shape *shallow, bool to_space, struct mc_box *box)
{
    const int64_t b = mc_node_int(node, "blocksize", 0);
    const int64_t N = shallow->dim[0], C = shallow->dim[1], H = shallow->dim[2] / b, W = shallow->dim[3] / b;
    const bool first = mc_node_string_is(node, "mode", "CRD", false);
    const int64_t extent[6] = {N, C, H, b, W, b};
    const int64_t flat[6] = {C * H * b * W * b, H * b * W * b, b * W * b, W * b, b, 1};
    const int64_t deep[6] = {C * H * b * W * b,      (first ? b * b : 1) * H * W, W, b * (first ? 1 : C) * H * W, 1,
                             (first ? 1 : C) * H * W};
    *box = (struct mc_box){.rank = 6};
    memcpy(box->extent, extent, sizeof extent);
    memcpy(to_space ? box->to : box->from, flat, sizeof flat);
    memcpy(to_space ? box->from : box->to, deep, sizeof deep);
}

static int block_forward(struct mc_step *step, struct mc_error *err)
{
    const bool to_space = step->node->op->type[0] == 'D';
    struct mc_box box;
    if (mc_tensor_count(step->out[0]) == 0) return MC_OK;
    block_box(step->node, to_space ? &step->out[0]->shape : &step->in[0]->shape, to_space, &box);
    mc_copy_box(step->out[0]->data, step->in[0]->data, &box, mc_element_size(step->in[0]->dtype));
    return MC_OK;
}

static int block_backward(struct mc_step *step, struct mc_error *err)
{
    const bool to_space = step->node->op->type[0] == 'D';
    struct mc_box box, back;
    if (mc_tensor_count(step->grad_in[0]) == 0) return MC_OK;
    block_box(step->node, to_space ? &step->out[0]->shape : &step->in[0]->shape, to_space, &box);
    back = box;
    memcpy(back.from, box.to, sizeof back.from);
    memcpy(back.to, box.from, sizeof back.to);
    mc_copy_box(step->grad_in[0]->data, step->grad_out[0]->data, &back, mc_element_size(step->in[0]->dtype));
    return MC_OK;
}

/* A channel of the shallow picture goes with the b * b deep ones that make its pixels. */
static int block_coupling(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err)
{
    const bool to_space = node->op->type[0] == 'D';
    const struct mc_value *x = node->inputs[0], *y = node->outputs[0];
    const struct mc_value *deep = to_space ? x : y, *shallow = to_space ? y : x;
    const int64_t b = mc_node_int(node, "blocksize", 0), C = mc_coupling_extent(c, shallow, 1);
    const bool first = mc_node_string_is(node, "mode", "CRD", false);
    int rc = mc_couple_axes(c, x, 0, y, 0, err);
    for (int64_t i = 0; i < C * b * b && rc == MC_OK; i++)
        rc = mc_couple_index(c, deep, 1, i, shallow, 1, first ? i / (b * b) : i % C, err);
    for (int axis = 2; axis < 4 && rc == MC_OK; axis++) {
        rc = mc_couple_freeze(c, node, x, axis, "pixels and channels change places", err);
        if (rc == MC_OK) rc = mc_couple_freeze(c, node, y, axis, "pixels and channels change places", err);
    }
    return rc;
}

#define BLOCKS(name, onnx_type, version)                                                                               \
    const struct mc_op mc_op_##name##_##version = {                                                                    \
        .domain = "",                                                                                                  \
        .type = onnx_type,                                                                                             \
        .since = version,                                                                                              \
        .min_inputs = 1,                                                                                               \
        .max_inputs = 1,                                                                                               \
        .n_outputs = 1,                                                                                                \
        .grad_inputs = 1,                                                                                              \
        .shape = block_shape,                                                                                          \
        .outline = block_outline,                                                                                      \
        .forward = block_forward,                                                                                      \
        .backward = block_backward,                                                                                    \
        .coupling = block_coupling,                                                                                    \
        .cost = mc_cost_free,                                                                                          \
    };

BLOCKS(depth_to_space, "DepthToSpace", 1)
BLOCKS(space_to_depth, "SpaceToDepth", 1)

/* --- CenterCropPad --- */

static int center_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                        struct mc_error *err)
{
    struct mc_ints axes;
    int64_t to[MC_MAX_RANK];
    int n = 0, rc = mc_need_dtype(node, 0, in[0], mc_types_copied & ~MC_TYPE_BIT(MC_STRING), err);
    if (rc == MC_OK) rc = mc_need_ints(node, 1, in[1], to, MC_MAX_RANK, &n, err);
    if (rc == MC_OK) rc = mc_ints_of_attr(node, "axes", &axes, err);
    if (rc == MC_OK) rc = mc_ints_as_axes_or_all(&axes, in[0]->shape.rank, err);
    if (rc < 0) return rc;
    if (axes.n != n)
        return mc_error_set(err, MC_ERR_INPUT, "input 1 '%s': needs %d extents, has %d", node->inputs[1]->name, axes.n,
                            n);
    out[0] = (struct mc_fact){.dtype = in[0]->dtype, .shape = in[0]->shape};
    for (int k = 0; k < n; k++) {
        if (to[k] < 0)
            return mc_error_set(err, MC_ERR_INPUT, "input 1 '%s': an extent of %" PRId64, node->inputs[1]->name, to[k]);
        out[0].shape.dim[axes.at[k]] = to[k];
    }
    return MC_OK;
}

/* The box that both have, from the first element of it in either. Of an odd number of elements too many or too few the
 * end gets one more. */
static void center(const struct mc_tensor *x, struct mc_tensor *y)
{
    const size_t size = mc_element_size(x->dtype);
    struct mc_box box = {.rank = x->shape.rank};
    int64_t from[MC_MAX_RANK], to[MC_MAX_RANK], first_from = 0, first_to = 0;
    mc_zero(y);
    if (mc_tensor_count(y) == 0 || mc_tensor_count(x) == 0) return;
    mc_strides(&x->shape, from);
    mc_strides(&y->shape, to);
    for (int k = 0; k < box.rank; k++) {
        const int64_t have = x->shape.dim[k], want = y->shape.dim[k];
        box.extent[k] = have < want ? have : want;
        box.from[k] = from[k];
        box.to[k] = to[k];
        if (have > want) first_from += (have - want) / 2 * from[k];
        if (have < want) first_to += (want - have) / 2 * to[k];
    }
    mc_copy_box((char *)y->data + (size_t)first_to * size, (const char *)x->data + (size_t)first_from * size, &box,
                size);
}

static int center_forward(struct mc_step *step, struct mc_error *err)
{
    center(step->in[0], step->out[0]);
    return MC_OK;
}

/* What was cut off gets nothing back. */
static int center_backward(struct mc_step *step, struct mc_error *err)
{
    center(step->grad_out[0], step->grad_in[0]);
    return MC_OK;
}

const struct mc_op mc_op_center_crop_pad_18 = {
    .domain = "",
    .type = "CenterCropPad",
    .since = 18,
    .min_inputs = 2,
    .max_inputs = 2,
    .n_outputs = 1,
    .grad_inputs = 1,
    .shape = center_shape,
    .forward = center_forward,
    .backward = center_backward,
    .others = "a shape",
    .coupling = mc_coupling_freeze_all,
    .cost = mc_cost_free,
};
