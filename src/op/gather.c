/* gather.c - Gather: the slices of a tensor along an axis that a tensor of indices names. */
#include <string.h>

#include "base/error.h"
#include "op/byte_rules.h"
#include "op/move.h"
#include "op/outline.h"

static int read_axis(const struct mc_node *node, int rank, int *axis, struct mc_error *err)
{
    return mc_need_axis(mc_node_int(node, "axis", 0), rank, axis, err);
}

static int gather_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                        struct mc_error *err)
{
    const struct mc_shape *const data = &in[0]->shape, *const indices = &in[1]->shape;
    int axis, rc = mc_need_dtype(node, 0, in[0], mc_types_copied, err);
    if (rc < 0) return rc;
    if ((rc = mc_need_dtype(node, 1, in[1], MC_TYPE_BIT(MC_INT32) | MC_TYPE_BIT(MC_INT64), err)) < 0) return rc;
    if ((rc = read_axis(node, data->rank, &axis, err)) < 0) return rc;
    if (data->rank - 1 + indices->rank > MC_MAX_RANK)
        return mc_error_set(err, MC_ERR_UNSUPPORTED, "output: needs at most %d axes, has %d", MC_MAX_RANK,
                            data->rank - 1 + indices->rank);
    *out = (struct mc_fact){.dtype = in[0]->dtype};
    struct mc_shape *const shape = &out->shape;
    for (int k = 0; k < axis; k++) shape->dim[shape->rank++] = data->dim[k];
    for (int k = 0; k < indices->rank; k++) shape->dim[shape->rank++] = indices->dim[k];
    for (int k = axis + 1; k < data->rank; k++) shape->dim[shape->rank++] = data->dim[k];
    return 0;
}

static void gather_items(const struct mc_symbols *s, const struct mc_outline *data, const struct mc_outline *indices,
                         struct mc_outline *out)
{
    if (data->n_items < 0 || indices->n_items < 0) return;
    for (int i = 0; i < indices->n_items; i++) {
        int64_t at;
        if (!mc_symbol_is_number(s, indices->item[i], &at)) return;
        if (at < 0) at += data->n_items;
        if (at < 0 || at >= data->n_items) return;
        out->item[i] = data->item[at];
    }
    out->n_items = indices->n_items;
}

static void gather_outline(struct mc_symbols *s, const struct mc_node *node, const struct mc_outline *const *in,
                           struct mc_outline *out)
{
    const struct mc_outline *data = in[0], *indices = in[1];
    int axis;
    if (indices->rank < 0 || !mc_outline_axis(node, 0, data->rank, &axis)) return;
    out[0] = mc_outline_of_rank(0);
    for (int k = 0; k < axis; k++) mc_outline_append(&out[0], data->dim[k]);
    for (int k = 0; k < indices->rank; k++) mc_outline_append(&out[0], indices->dim[k]);
    for (int k = axis + 1; k < data->rank; k++) mc_outline_append(&out[0], data->dim[k]);
    if (data->rank == 1) gather_items(s, data, indices, &out[0]);
}

/* Both tensors as matrices of runs: outer × extent runs of the data, outer × n runs of the output. */
struct runs {
    int64_t outer, extent, n, run;
};

static int read_runs(const struct mc_step *step, struct runs *runs, struct mc_error *err)
{
    const struct mc_shape *const data = &step->in[0]->shape;
    int axis;
    const int rc = read_axis(step->node, data->rank, &axis, err);
    if (rc < 0) return rc;
    *runs = (struct runs){.outer = mc_shape_span(data, 0, axis),
                          .extent = data->dim[axis],
                          .n = mc_tensor_count(step->in[1]),
                          .run = mc_shape_span(data, axis + 1, data->rank)};
    return 0;
}

/* Index j, counted from the end if negative. */
static int64_t index_at(const struct mc_tensor *indices, int64_t j, int64_t extent)
{
    const int64_t i =
        indices->dtype == MC_INT32 ? ((const int32_t *)indices->data)[j] : ((const int64_t *)indices->data)[j];
    return i < 0 ? i + extent : i;
}

static int check_indices(const struct mc_tensor *indices, const struct runs *runs, struct mc_error *err)
{
    for (int64_t j = 0; j < runs->n; j++) {
        const int64_t i = index_at(indices, j, runs->extent);
        if (i < 0 || i >= runs->extent)
            return mc_error_set(err, MC_ERR_INPUT, "input 1: needs indices from %lld to %lld, has %lld",
                                (long long)-runs->extent, (long long)runs->extent - 1,
                                (long long)mc_tensor_get_i64(indices, j));
    }
    return 0;
}

/* One index that is known. */
static bool gather_picks(const struct mc_node *node, const struct mc_fact *const *in, int output,
                         struct mc_picked *picked)
{
    const struct mc_shape *const data = &in[0]->shape;
    const struct mc_tensor *const index = in[1]->constant;
    int axis;
    if (!index || index->shape.rank > 0 || read_axis(node, data->rank, &axis, NULL) < 0) return false;
    for (int k = 0; k < data->rank; k++) {
        picked->axis[k] = k < axis ? k : k + 1;
        picked->step[k] = 1;
        picked->start[k] = 0;
    }
    picked->start[axis] = index_at(index, 0, data->dim[axis]);
    return picked->start[axis] >= 0 && picked->start[axis] < data->dim[axis];
}

static int gather_forward(struct mc_step *step, struct mc_error *err)
{
    struct runs r;
    int rc = read_runs(step, &r, err);
    if (rc < 0) return rc;
    if ((rc = check_indices(step->in[1], &r, err)) < 0) return rc;
    const size_t bytes = (size_t)r.run * mc_element_size(step->in[0]->dtype);
    if (!bytes) return 0;
    const char *const from = step->in[0]->data;
    char *const to = step->out[0]->data;
    for (int64_t o = 0; o < r.outer; o++)
        for (int64_t j = 0; j < r.n; j++) {
            const int64_t i = index_at(step->in[1], j, r.extent);
            memcpy(to + (size_t)(o * r.n + j) * bytes, from + (size_t)(o * r.extent + i) * bytes, bytes);
        }
    return 0;
}

/* An index that is named several times gets the sum, in the order of the naming. */
static int gather_backward(struct mc_step *step, struct mc_error *err)
{
    struct mc_tensor *const grad = step->grad_in[0];
    if (!grad) return 0;
    mc_zero(grad);
    if (!step->grad_out[0]) return 0;
    struct runs r;
    const int rc = read_runs(step, &r, err);
    if (rc < 0) return rc;
    for (int64_t o = 0; o < r.outer; o++)
        for (int64_t j = 0; j < r.n; j++) {
            const int64_t i = index_at(step->in[1], j, r.extent);
            mc_add_run(grad, (o * r.extent + i) * r.run, step->grad_out[0], (o * r.n + j) * r.run, r.run);
        }
    return 0;
}

/* --- coupling --- */

/* All axes but the gathered one pass to the output, on either side of the axes of the indices. */
static int couple_others(struct mc_coupling *c, const struct mc_node *node, int axis, struct mc_error *err)
{
    const struct mc_value *const x = node->inputs[0], *const indices = node->inputs[1], *const y = node->outputs[0];
    const int rank = mc_coupling_fact(c, x)->shape.rank, n = mc_coupling_fact(c, indices)->shape.rank;
    const bool table = mc_coupling_is_parameter(c, x);
    int rc = 0;
    for (int k = 0; k < rank && rc == 0; k++) {
        if (k == axis) continue;
        rc = mc_couple_axes(c, x, k, y, k < axis ? k : k - 1 + n, err);
        if (rc == 0 && table) rc = mc_couple_role(c, x, k, MC_ROLE_PRODUCES, err);
    }
    return rc;
}

/* Constant indices that can be rewritten when some of what they count is gone. */
static const struct mc_tensor *fixed_list(const struct mc_coupling *c, const struct mc_node *node)
{
    const struct mc_fact *const fact = mc_coupling_fact(c, node->inputs[1]);
    return fact->shape.rank == 1 && mc_coupling_is_fixed(c, node->inputs[1]) ? fact->constant : NULL;
}

/* A list of fixed indices moves channels like a slice does. In every other case the axis cannot shrink: which of its
 * indices are read is known when it runs, or a single one is read that must stay. */
static int couple_gathered(struct mc_coupling *c, const struct mc_node *node, int axis, struct mc_error *err)
{
    const struct mc_value *const x = node->inputs[0], *const indices = node->inputs[1], *const y = node->outputs[0];
    const struct mc_tensor *const list = fixed_list(c, node);
    const int64_t extent = mc_coupling_extent(c, x, axis);
    int rc = 0;
    if (list) {
        for (int64_t j = 0; j < mc_tensor_count(list) && rc == 0; j++) {
            const int64_t i = index_at(list, j, extent);
            rc = i < 0 || i >= extent ? mc_error_set(err, MC_ERR_INPUT, "index %lld is outside", (long long)i)
                                      : mc_couple_index(c, x, axis, i, y, axis, j, err);
        }
        return rc;
    }
    rc = mc_couple_freeze(c, node, x, axis, "indices select from it", err);
    for (int k = 0; k < mc_coupling_fact(c, indices)->shape.rank && rc == 0; k++)
        rc = mc_couple_axes(c, indices, k, y, axis + k, err);
    return rc;
}

static int gather_coupling(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err)
{
    int axis, rc = read_axis(node, mc_coupling_fact(c, node->inputs[0])->shape.rank, &axis, err);
    if (rc < 0) return rc;
    if ((rc = couple_others(c, node, axis, err)) < 0) return rc;
    return couple_gathered(c, node, axis, err);
}

/* Number of index i among those that stay, or -1. */
static int64_t position_of(const int64_t *kept, int64_t n, int64_t i)
{
    for (int64_t k = 0; k < n; k++)
        if (kept[k] == i) return k;
    return -1;
}

/* The indices that still name something, by their new numbers. */
static int gather_resize(struct mc_resize *resize, struct mc_node *node, struct mc_error *err)
{
    const struct mc_value *const x = node->inputs[0];
    int axis, rc = read_axis(node, mc_resize_fact(resize, x)->shape.rank, &axis, err);
    if (rc < 0) return rc;
    int64_t n_kept;
    const int64_t *const kept = mc_resize_kept(resize, x, axis, &n_kept);
    const struct mc_tensor *const old = mc_resize_constant(resize, node, 1);
    if (!kept || !old || old->shape.rank != 1) return 0;
    const struct mc_shape shape = {.rank = 1, .dim = {mc_resize_new_extent(resize, node->outputs[0], axis)}};
    struct mc_tensor *list;
    if ((rc = mc_tensor_create(&list, old->dtype, &shape, err)) < 0) return rc;
    int64_t n = 0;
    for (int64_t j = 0; j < mc_tensor_count(old) && n < shape.dim[0]; j++) {
        const int64_t i = position_of(kept, n_kept, index_at(old, j, mc_resize_old_extent(resize, x, axis)));
        if (i >= 0) mc_tensor_set_f64(list, n++, (double)i);
    }
    return mc_resize_set_constant(resize, node, 1, list, err);
}

const struct mc_op mc_op_gather_1 = {
    .domain = "",
    .type = "Gather",
    .since = 1,
    .min_inputs = 2,
    .max_inputs = 2,
    .n_outputs = 1,
    .grad_inputs = 1,
    .keep = MC_KEEP_IN,
    .opaque = true,
    .on_bytes = mc_bytes_move,
    .picks = gather_picks,
    .shape = gather_shape,
    .outline = gather_outline,
    .forward = gather_forward,
    .backward = gather_backward,
    .others = "indices",
    .coupling = gather_coupling,
    .resize = gather_resize,
    .cost = mc_cost_free,
};
