/* scatter.c - GatherElements (ONNX opset 11), GatherND (11, 12), Scatter (9), ScatterElements (11, 16, 18),
 * ScatterND (11, 16, 18), TensorScatter (24): elements and slices to and from places that a tensor of indices names.
 *
 * Negative indices count from the end; one that is outside is refused when it is met.
 */
#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "op/move.h"
#include "op/outline.h"

#define INDEX_TYPES (MC_TYPE_BIT(MC_INT32) | MC_TYPE_BIT(MC_INT64))

static int find_index(const struct mc_tensor *indices, int64_t i, int64_t extent, int64_t *at, struct mc_error *err)
{
    const int64_t given =
        indices->dtype == MC_INT64 ? ((const int64_t *)indices->data)[i] : ((const int32_t *)indices->data)[i];
    *at = given < 0 ? given + extent : given;
    if (*at >= 0 && *at < extent) return MC_OK;
    return mc_error_set(err, MC_ERR_INPUT, "index %" PRId64 " is outside an extent of %" PRId64, given, extent);
}

static void copy(struct mc_tensor *to, int64_t at, const struct mc_tensor *from, int64_t i, int64_t n)
{
    const size_t size = mc_element_size(to->dtype);
    memcpy((char *)to->data + (size_t)at * size, (const char *)from->data + (size_t)i * size, (size_t)n * size);
}

/* --- what happens where something is already there --- */

enum reduction { REPLACE, ADD, MULTIPLY, SMALLER, LARGER };

static int reduction_of(const struct mc_node *node, enum reduction *reduction, struct mc_error *err)
{
    static const char *const names[] = {"none", "add", "mul", "min", "max"};
    const int found = mc_node_choice(node, "reduction", names, MC_COUNT(names), REPLACE);
    *reduction = (enum reduction)found;
    if (found >= 0) return MC_OK;
    return mc_error_set(err, MC_ERR_INPUT, "attribute 'reduction': needs none, add, mul, min or max");
}

static double combine_reals(enum reduction reduction, double a, double b)
{
    switch (reduction) {
    case ADD:
        return a + b;
    case MULTIPLY:
        return a * b;
    case SMALLER:
        return b < a ? b : a;
    case LARGER:
        return b > a ? b : a;
    case REPLACE:
        break;
    }
    return b;
}

static uint64_t combine_whole(enum reduction reduction, bool is_signed, uint64_t a, uint64_t b)
{
    int64_t x, y;
    memcpy(&x, &a, sizeof x);
    memcpy(&y, &b, sizeof y);
    const bool below = is_signed ? y < x : b < a;
    switch (reduction) {
    case ADD:
        return a + b;
    case MULTIPLY:
        return a * b;
    case SMALLER:
        return below ? b : a;
    case LARGER:
        return below ? a : b;
    case REPLACE:
        break;
    }
    return b;
}

static void put_whole(struct mc_tensor *t, int64_t i, uint64_t value)
{
    switch (mc_element_size(t->dtype)) {
    case 1:
        ((uint8_t *)t->data)[i] = (uint8_t)value;
        return;
    case 2:
        ((uint16_t *)t->data)[i] = (uint16_t)value;
        return;
    case 4:
        ((uint32_t *)t->data)[i] = (uint32_t)value;
        return;
    default:
        ((uint64_t *)t->data)[i] = value;
    }
}

static void combine(enum reduction reduction, struct mc_tensor *to, int64_t at, const struct mc_tensor *from, int64_t i)
{
    if (mc_dtype_is_integer(to->dtype)) {
        const bool is_signed =
            to->dtype == MC_INT8 || to->dtype == MC_INT16 || to->dtype == MC_INT32 || to->dtype == MC_INT64;
        put_whole(to, at,
                  combine_whole(reduction, is_signed, (uint64_t)mc_tensor_get_i64(to, at),
                                (uint64_t)mc_tensor_get_i64(from, i)));
    } else {
        mc_tensor_set_f64(to, at, combine_reals(reduction, mc_tensor_get_f64(to, at), mc_tensor_get_f64(from, i)));
    }
}

static void place(enum reduction reduction, struct mc_tensor *to, int64_t at, const struct mc_tensor *from, int64_t i,
                  int64_t n)
{
    if (reduction == REPLACE) {
        copy(to, at, from, i, n);
        return;
    }
    for (int64_t k = 0; k < n; k++) combine(reduction, to, at + k, from, i + k);
}

/* Types that a reduction can be had of. */
static int check_reduction(const struct mc_node *node, const struct mc_fact *data, struct mc_error *err)
{
    enum reduction reduction = REPLACE;
    const int rc = reduction_of(node, &reduction, err);
    if (rc < 0 || reduction == REPLACE) return rc;
    return mc_need_dtype(
        node, 0, data,
        mc_types_copied & ~(MC_TYPE_BIT(MC_STRING) | MC_TYPE_BIT(MC_COMPLEX64) | MC_TYPE_BIT(MC_COMPLEX128)), err);
}

/* --- GatherElements, ScatterElements: one index for each element --- */

static int elements_axis(const struct mc_node *node, int rank, int *axis, struct mc_error *err)
{
    return mc_need_axis(mc_node_int(node, "axis", 0), rank, axis, err);
}

/* Indices have the data's rank, and no more than its extents but along the axis. */
static int check_elements(const struct mc_node *node, const struct mc_fact *const *in, struct mc_error *err)
{
    int axis = 0, rc = mc_need_dtype(node, 0, in[0], mc_types_copied, err);
    if (rc == MC_OK) rc = mc_need_dtype(node, 1, in[1], INDEX_TYPES, err);
    if (rc == MC_OK) rc = elements_axis(node, in[0]->shape.rank, &axis, err);
    if (rc == MC_OK) rc = mc_need_rank(node, 1, in[1], in[0]->shape.rank, in[0]->shape.rank, err);
    for (int k = 0; rc == MC_OK && k < in[0]->shape.rank; k++)
        if (k != axis && in[1]->shape.dim[k] > in[0]->shape.dim[k])
            rc = mc_error_set(err, MC_ERR_INPUT, "input 1 '%s': axis %d needs at most %" PRId64 ", has %" PRId64,
                              node->inputs[1]->name, k, in[0]->shape.dim[k], in[1]->shape.dim[k]);
    return rc;
}

static int gather_elements_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                                 struct mc_error *err)
{
    const int rc = check_elements(node, in, err);
    if (rc == MC_OK) out[0] = (struct mc_fact){.dtype = in[0]->dtype, .shape = in[1]->shape};
    return rc;
}

static void gather_elements_outline(struct mc_symbols *s, const struct mc_node *node,
                                    const struct mc_outline *const *in, struct mc_outline *out)
{
    mc_outline_same(s, node, &in[1], out);
}

/* A walk over all indices, with the offset in the data of the element that each stands beside (index 0 on the axis). */
struct elements {
    struct mc_walk walk;
    int64_t stride, extent; /* of the axis */
};

static void elements_start(struct elements *e, const struct mc_tensor *data, const struct mc_tensor *indices, int axis)
{
    mc_walk_start(&e->walk, &indices->shape, 0, NULL);
    e->walk.n = 1;
    mc_strides(&data->shape, e->walk.strides[0]);
    e->stride = e->walk.strides[0][axis];
    e->extent = data->shape.dim[axis];
    e->walk.strides[0][axis] = 0;
}

static int gather_elements_forward(struct mc_step *step, struct mc_error *err)
{
    const struct mc_tensor *data = step->in[0], *indices = step->in[1];
    struct elements e;
    int axis = 0, rc = elements_axis(step->node, data->shape.rank, &axis, err);
    elements_start(&e, data, indices, axis);
    for (int64_t i = 0, at; rc == MC_OK && i < mc_tensor_count(indices); i++, mc_walk_next(&e.walk)) {
        rc = find_index(indices, i, e.extent, &at, err);
        if (rc == MC_OK) copy(step->out[0], i, data, e.walk.offset[0] + at * e.stride, 1);
    }
    return rc;
}

static int scatter_elements_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                                  struct mc_error *err)
{
    int rc = check_elements(node, in, err);
    if (rc == MC_OK) rc = check_reduction(node, in[0], err);
    if (rc == MC_OK) rc = mc_need_dtype(node, 2, in[2], MC_TYPE_BIT(in[0]->dtype), err);
    if (rc == MC_OK && !mc_shape_equal(&in[1]->shape, &in[2]->shape))
        rc = mc_error_set(err, MC_ERR_INPUT, "input 2 '%s': needs the shape of the indices", node->inputs[2]->name);
    return rc < 0 ? rc : mc_shape_same(node, in, out, err);
}

static int scatter_elements_forward(struct mc_step *step, struct mc_error *err)
{
    const struct mc_tensor *data = step->in[0], *indices = step->in[1];
    enum reduction reduction = REPLACE;
    struct elements e;
    int axis = 0, rc = elements_axis(step->node, data->shape.rank, &axis, err);
    if (rc == MC_OK) rc = reduction_of(step->node, &reduction, err);
    if (step->out[0]->data != data->data) copy(step->out[0], 0, data, 0, mc_tensor_count(data));
    elements_start(&e, data, indices, axis);
    for (int64_t i = 0, at; rc == MC_OK && i < mc_tensor_count(indices); i++, mc_walk_next(&e.walk)) {
        rc = find_index(indices, i, e.extent, &at, err);
        if (rc == MC_OK) place(reduction, step->out[0], e.walk.offset[0] + at * e.stride, step->in[2], i, 1);
    }
    return rc;
}

/* --- GatherND, ScatterND: rows of indices name slices --- */

/* The last axis of the indices holds k numbers for the axes b … b + k - 1, after b that both share. */
struct slices {
    int b, k;
    int64_t n, run; /* slices, elements of one */
    int64_t batch;  /* slices of one sample */
};

static int slices_of(const struct mc_node *node, const struct mc_shape *data, const struct mc_shape *indices,
                     struct slices *s, struct mc_error *err)
{
    const int64_t b = mc_node_int(node, "batch_dims", 0);
    if (indices->rank < 1 || b < 0 || b >= indices->rank || b > data->rank)
        return mc_error_set(err, MC_ERR_INPUT, "attribute 'batch_dims': %" PRId64 " of %d and %d axes", b, data->rank,
                            indices->rank);
    const int64_t k = indices->dim[indices->rank - 1];
    if (k > data->rank - b)
        return mc_error_set(err, MC_ERR_INPUT, "input 1: names %" PRId64 " axes, the data have %d", k,
                            (int)(data->rank - b));
    for (int i = 0; i < b; i++)
        if (indices->dim[i] != data->dim[i])
            return mc_error_set(err, MC_ERR_INPUT, "axis %d: needs %" PRId64 ", has %" PRId64, i, data->dim[i],
                                indices->dim[i]);
    *s = (struct slices){.b = (int)b, .k = (int)k};
    s->n = mc_shape_span(indices, 0, indices->rank - 1);
    s->run = mc_shape_span(data, s->b + s->k, data->rank);
    s->batch = mc_shape_span(indices, s->b, indices->rank - 1);
    return MC_OK;
}

/* Where slice i begins in the data. */
static int find_slice(const struct slices *s, const struct mc_tensor *data, const struct mc_tensor *indices, int64_t i,
                      int64_t *begin, struct mc_error *err)
{
    int64_t at = s->batch ? i / s->batch : 0;
    for (int k = 0; k < s->k; k++) {
        int64_t index;
        const int64_t extent = data->shape.dim[s->b + k];
        const int rc = find_index(indices, i * s->k + k, extent, &index, err);
        if (rc < 0) return rc;
        at = at * extent + index;
    }
    *begin = at * s->run;
    return MC_OK;
}

static int check_nd(const struct mc_node *node, const struct mc_fact *const *in, struct slices *s, struct mc_error *err)
{
    int rc = mc_need_dtype(node, 0, in[0], mc_types_copied, err);
    if (rc == MC_OK) rc = mc_need_dtype(node, 1, in[1], INDEX_TYPES, err);
    return rc < 0 ? rc : slices_of(node, &in[0]->shape, &in[1]->shape, s, err);
}

/* Shape of what the indices name: theirs without the last axis, then what is left of the data's. */
static int named_shape(const struct slices *s, const struct mc_shape *data, const struct mc_shape *indices,
                       struct mc_shape *shape, struct mc_error *err)
{
    if (indices->rank - 1 + data->rank - s->b - s->k > MC_MAX_RANK)
        return mc_error_set(err, MC_ERR_UNSUPPORTED, "output: needs at most %d axes", MC_MAX_RANK);
    *shape = (struct mc_shape){0};
    for (int i = 0; i < indices->rank - 1; i++) shape->dim[shape->rank++] = indices->dim[i];
    for (int i = s->b + s->k; i < data->rank; i++) shape->dim[shape->rank++] = data->dim[i];
    return MC_OK;
}

static int gather_nd_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                           struct mc_error *err)
{
    struct slices s;
    const int rc = check_nd(node, in, &s, err);
    out[0].dtype = in[0]->dtype;
    return rc < 0 ? rc : named_shape(&s, &in[0]->shape, &in[1]->shape, &out[0].shape, err);
}

static void gather_nd_outline(struct mc_symbols *s, const struct mc_node *node, const struct mc_outline *const *in,
                              struct mc_outline *out)
{
    const struct mc_outline *data = in[0], *indices = in[1];
    const int64_t b = mc_node_int(node, "batch_dims", 0);
    int64_t k;
    if (data->rank < 0 || indices->rank < 1 || !mc_symbol_is_number(s, indices->dim[indices->rank - 1], &k)) return;
    out[0] = mc_outline_of_rank(0);
    for (int i = 0; i < indices->rank - 1; i++) mc_outline_append(&out[0], indices->dim[i]);
    for (int64_t i = b + k; i >= 0 && i < data->rank; i++) mc_outline_append(&out[0], data->dim[i]);
}

static int gather_nd_forward(struct mc_step *step, struct mc_error *err)
{
    const struct mc_tensor *data = step->in[0], *indices = step->in[1];
    struct slices s = {0};
    int rc = slices_of(step->node, &data->shape, &indices->shape, &s, err);
    for (int64_t i = 0, at; rc == MC_OK && i < s.n; i++) {
        rc = find_slice(&s, data, indices, i, &at, err);
        if (rc == MC_OK) copy(step->out[0], i * s.run, data, at, s.run);
    }
    return rc;
}

static int scatter_nd_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                            struct mc_error *err)
{
    struct slices s;
    struct mc_shape need;
    int rc = check_nd(node, in, &s, err);
    if (rc == MC_OK) rc = check_reduction(node, in[0], err);
    if (rc == MC_OK) rc = mc_need_dtype(node, 2, in[2], MC_TYPE_BIT(in[0]->dtype), err);
    if (rc == MC_OK) rc = named_shape(&s, &in[0]->shape, &in[1]->shape, &need, err);
    if (rc < 0) return rc;
    char a[128], b[128];
    if (!mc_shape_equal(&in[2]->shape, &need))
        return mc_error_set(err, MC_ERR_INPUT, "input 2 '%s': needs shape %s, has %s", node->inputs[2]->name,
                            mc_shape_text(&need, a, sizeof a), mc_shape_text(&in[2]->shape, b, sizeof b));
    return mc_shape_same(node, in, out, err);
}

static int scatter_nd_forward(struct mc_step *step, struct mc_error *err)
{
    const struct mc_tensor *data = step->in[0], *indices = step->in[1];
    enum reduction reduction = REPLACE;
    struct slices s = {0};
    int rc = slices_of(step->node, &data->shape, &indices->shape, &s, err);
    if (rc == MC_OK) rc = reduction_of(step->node, &reduction, err);
    if (step->out[0]->data != data->data) copy(step->out[0], 0, data, 0, mc_tensor_count(data));
    for (int64_t i = 0, at; rc == MC_OK && i < s.n; i++) {
        rc = find_slice(&s, data, indices, i, &at, err);
        if (rc == MC_OK) place(reduction, step->out[0], at, step->in[2], i * s.run, s.run);
    }
    return rc;
}

/* --- TensorScatter: a block written into each sample of a cache, from a place that is given --- */

static int cache_axis(const struct mc_node *node, int rank, int *axis, struct mc_error *err)
{
    const int rc = mc_need_axis(mc_node_int(node, "axis", -2), rank, axis, err);
    if (rc == MC_OK && *axis == 0) return mc_error_set(err, MC_ERR_INPUT, "axis 0 is the batch");
    return rc;
}

static int tensor_scatter_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                                struct mc_error *err)
{
    int axis = 0, rc = mc_need_dtype(node, 0, in[0], mc_types_copied, err);
    if (rc == MC_OK) rc = mc_need_dtype(node, 1, in[1], MC_TYPE_BIT(in[0]->dtype), err);
    if (rc == MC_OK) rc = cache_axis(node, in[0]->shape.rank, &axis, err);
    if (rc == MC_OK && in[2]) rc = mc_need_dtype(node, 2, in[2], MC_TYPE_BIT(MC_INT64), err);
    if (rc < 0) return rc;
    struct mc_shape like = in[1]->shape;
    if (like.rank == in[0]->shape.rank && like.dim[axis] <= in[0]->shape.dim[axis])
        like.dim[axis] = in[0]->shape.dim[axis];
    if (!mc_shape_equal(&like, &in[0]->shape))
        return mc_error_set(err, MC_ERR_INPUT, "input 1 '%s': does not fit the cache", node->inputs[1]->name);
    if (in[2] && mc_shape_count(&in[2]->shape) != in[0]->shape.dim[0])
        return mc_error_set(err, MC_ERR_INPUT, "input 2 '%s': needs an index for each sample", node->inputs[2]->name);
    if (!mc_node_string_is(node, "mode", "linear", true) && !mc_node_string_is(node, "mode", "circular", false))
        return mc_error_set(err, MC_ERR_INPUT, "attribute 'mode': needs linear or circular");
    return mc_shape_same(node, in, out, err);
}

static int tensor_scatter_forward(struct mc_step *step, struct mc_error *err)
{
    const struct mc_tensor *cache = step->in[0], *update = step->in[1];
    const bool circular = mc_node_string_is(step->node, "mode", "circular", false);
    int axis = 0, rc = cache_axis(step->node, cache->shape.rank, &axis, err);
    if (rc < 0) return rc;
    if (step->out[0]->data != cache->data) copy(step->out[0], 0, cache, 0, mc_tensor_count(cache));
    const int64_t outer = mc_shape_span(&cache->shape, 0, axis), per_sample = mc_shape_span(&cache->shape, 1, axis);
    const int64_t inner = mc_shape_span(&cache->shape, axis + 1, cache->shape.rank);
    const int64_t most = cache->shape.dim[axis], n = update->shape.dim[axis];
    for (int64_t o = 0; o < outer && rc == MC_OK; o++) {
        const int64_t first = step->in[2] ? mc_tensor_get_i64(step->in[2], o / per_sample) : 0;
        if (first < 0 || (circular ? first > INT64_MAX - n : first > most - n))
            rc = mc_error_set(err, MC_ERR_INPUT, "input 2: %" PRId64 " of %" PRId64 " places do not fit from %" PRId64,
                              n, most, first);
        for (int64_t t = 0; t < n && rc == MC_OK; t++)
            copy(step->out[0], (o * most + (first + t) % most) * inner, update, (o * n + t) * inner, inner);
    }
    return rc;
}

/* --- derivatives --- */

/* Where the elements or slices lie that the indices of any of these operators name. */
struct targets {
    const struct mc_node *node;
    const struct mc_tensor *data, *indices;
    int64_t n, run; /* targets, elements of one */
    /* one index for each element */
    int axis;
    int64_t strides[MC_MAX_RANK];
    /* slices */
    bool sliced;
    struct slices slices;
    /* a cache: `indices` may be NULL */
    bool cached;
    int64_t per_sample, most, length;
};

static int elements_init(struct targets *t, struct mc_error *err)
{
    t->n = mc_tensor_count(t->indices);
    t->run = 1;
    mc_strides(&t->data->shape, t->strides);
    return elements_axis(t->node, t->data->shape.rank, &t->axis, err);
}

static int slices_init(struct targets *t, struct mc_error *err)
{
    const int rc = slices_of(t->node, &t->data->shape, &t->indices->shape, &t->slices, err);
    t->sliced = true;
    t->n = t->slices.n;
    t->run = t->slices.run;
    return rc;
}

static int cache_init(struct targets *t, const struct mc_shape *update, struct mc_error *err)
{
    const struct mc_shape *data = &t->data->shape;
    const int rc = cache_axis(t->node, data->rank, &t->axis, err);
    if (rc < 0) return rc;
    t->cached = true;
    t->most = data->dim[t->axis];
    t->length = update->dim[t->axis];
    t->per_sample = mc_shape_span(data, 1, t->axis);
    t->n = mc_shape_span(data, 0, t->axis) * t->length;
    t->run = mc_shape_span(data, t->axis + 1, data->rank);
    return MC_OK;
}

/* Where target i begins in the data. Forward has met every index. */
static int find_target(const struct targets *t, int64_t i, int64_t *at, struct mc_error *err)
{
    if (t->sliced) return find_slice(&t->slices, t->data, t->indices, i, at, err);
    if (t->cached) {
        const int64_t outer = i / t->length,
                      first = t->indices ? mc_tensor_get_i64(t->indices, outer / t->per_sample) : 0;
        *at = (outer * t->most + (first + i % t->length) % t->most) * t->run;
        return MC_OK;
    }
    int64_t index = 0, left = i;
    const int rc = find_index(t->indices, i, t->data->shape.dim[t->axis], &index, err);
    *at = index * t->strides[t->axis];
    for (int k = t->indices->shape.rank - 1; k >= 0; k--) {
        if (k != t->axis) *at += left % t->indices->shape.dim[k] * t->strides[k];
        left /= t->indices->shape.dim[k];
    }
    return rc;
}

/* What is named several times gets the sum. */
static int gather_back(struct mc_step *step, struct targets *t, struct mc_error *err)
{
    int rc = MC_OK;
    mc_zero(step->grad_in[0]);
    for (int64_t i = 0, at; i < t->n && rc == MC_OK; i++) {
        rc = find_target(t, i, &at, err);
        if (rc == MC_OK) mc_add_run(step->grad_in[0], at, step->grad_out[0], i * t->run, t->run);
    }
    return rc;
}

static int gather_elements_backward(struct mc_step *step, struct mc_error *err)
{
    struct targets t = {.node = step->node, .data = step->in[0], .indices = step->in[1]};
    const int rc = elements_init(&t, err);
    return rc < 0 ? rc : gather_back(step, &t, err);
}

static int gather_nd_backward(struct mc_step *step, struct mc_error *err)
{
    struct targets t = {.node = step->node, .data = step->in[0], .indices = step->in[1]};
    const int rc = slices_init(&t, err);
    return rc < 0 ? rc : gather_back(step, &t, err);
}

/* Room for a number beside each element of the data. */
static int scatter_prepare(struct mc_step *step, struct mc_error *err)
{
    if (step->training) step->workspace_bytes = (size_t)(mc_tensor_count(step->in[0]) + 1) * sizeof(double);
    return MC_OK;
}

/* Last to first: whoever came last has the gradient, what is below has none. With ADD everybody has it. */
static int replace_back(struct mc_step *step, const struct targets *t, const struct mc_tensor *updates,
                        struct mc_tensor *d_updates, bool adds, struct mc_error *err)
{
    struct mc_tensor left = *step->grad_out[0];
    int rc = MC_OK;
    left.data = step->grad_in[0] ? step->grad_in[0]->data : step->workspace;
    copy(&left, 0, step->grad_out[0], 0, mc_tensor_count(&left));
    const size_t size = mc_element_size(left.dtype), bytes = (size_t)t->run * size;
    for (int64_t i = t->n - 1, at; i >= 0 && rc == MC_OK; i--) {
        rc = find_target(t, i, &at, err);
        if (rc < 0) return rc;
        if (d_updates) copy(d_updates, i * t->run, &left, at, t->run);
        if (!adds) memset((char *)left.data + (size_t)at * size, 0, bytes);
    }
    return rc;
}

/* The product of everything else that went to the same place. */
static double others(const struct targets *t, const struct mc_tensor *updates, int64_t i, int64_t k, int64_t place)
{
    double product = mc_tensor_get_f64(t->data, place);
    for (int64_t j = 0, at; j < t->n; j++)
        if (j != i && find_target(t, j, &at, NULL) == MC_OK && at + k == place)
            product *= mc_tensor_get_f64(updates, j * t->run + k);
    return product;
}

/* Beside each element: the product of its updates; or how many, it and they, are the extreme that came out and share
 * the gradient. */
static int combine_beside(const struct mc_step *step, const struct targets *t, bool product, double *beside,
                          struct mc_error *err)
{
    const struct mc_tensor *y = step->out[0], *updates = step->in[2];
    for (int64_t i = 0; i < mc_tensor_count(y); i++)
        beside[i] = product ? 1 : mc_tensor_get_f64(step->in[0], i) == mc_tensor_get_f64(y, i);
    for (int64_t i = 0, at; i < t->n; i++) {
        const int rc = find_target(t, i, &at, err);
        if (rc < 0) return rc;
        for (int64_t k = 0; k < t->run; k++) {
            const double v = mc_tensor_get_f64(updates, i * t->run + k);
            beside[at + k] = product ? beside[at + k] * v : beside[at + k] + (v == mc_tensor_get_f64(y, at + k));
        }
    }
    return MC_OK;
}

static int combine_back(struct mc_step *step, const struct targets *t, bool product, struct mc_error *err)
{
    const struct mc_tensor *x = step->in[0], *y = step->out[0], *updates = step->in[2], *dy = step->grad_out[0];
    struct mc_tensor *dx = step->grad_in[0], *d_updates = step->grad_in[2];
    double *const beside = step->workspace;
    const int rc = combine_beside(step, t, product, beside, err);
    for (int64_t i = 0; i < mc_tensor_count(y) && rc == MC_OK && dx; i++) {
        const bool extreme = !product && mc_tensor_get_f64(x, i) == mc_tensor_get_f64(y, i);
        mc_tensor_set_f64(dx, i, mc_tensor_get_f64(dy, i) * (product ? beside[i] : extreme ? 1 / beside[i] : 0));
    }
    for (int64_t i = 0, at; i < t->n && rc == MC_OK && d_updates; i++) {
        find_target(t, i, &at, NULL);
        for (int64_t k = 0; k < t->run; k++) {
            const double v = mc_tensor_get_f64(updates, i * t->run + k), whole = mc_tensor_get_f64(y, at + k);
            const double factor = !product ? (v == whole ? 1 / beside[at + k] : 0)
                                  : v != 0 ? whole / v
                                           : others(t, updates, i, k, at + k);
            mc_tensor_set_f64(d_updates, i * t->run + k, mc_tensor_get_f64(dy, at + k) * factor);
        }
    }
    return rc;
}

static int scatter_back(struct mc_step *step, const struct targets *t, struct mc_error *err)
{
    enum reduction reduction = REPLACE;
    const int rc = reduction_of(step->node, &reduction, err);
    if (rc < 0) return rc;
    if (reduction == REPLACE || reduction == ADD)
        return replace_back(step, t, step->in[2], step->grad_in[2], reduction == ADD, err);
    return combine_back(step, t, reduction == MULTIPLY, err);
}

static int scatter_elements_backward(struct mc_step *step, struct mc_error *err)
{
    struct targets t = {.node = step->node, .data = step->in[0], .indices = step->in[1]};
    const int rc = elements_init(&t, err);
    return rc < 0 ? rc : scatter_back(step, &t, err);
}

static int scatter_nd_backward(struct mc_step *step, struct mc_error *err)
{
    struct targets t = {.node = step->node, .data = step->in[0], .indices = step->in[1]};
    const int rc = slices_init(&t, err);
    return rc < 0 ? rc : scatter_back(step, &t, err);
}

static int tensor_scatter_backward(struct mc_step *step, struct mc_error *err)
{
    struct targets t = {.node = step->node, .data = step->in[0], .indices = step->in[2]};
    const int rc = cache_init(&t, &step->in[1]->shape, err);
    return rc < 0 ? rc : replace_back(step, &t, step->in[1], step->grad_in[1], false, err);
}

#define SCATTER_OP(name, onnx_type, version, least, most, rule, outline_rule, inputs, kept, gone)                      \
    const struct mc_op mc_op_##name##_##version = {                                                                    \
        .domain = "",                                                                                                  \
        .type = onnx_type,                                                                                             \
        .since = version,                                                                                              \
        .min_inputs = least,                                                                                           \
        .max_inputs = most,                                                                                            \
        .n_outputs = 1,                                                                                                \
        .grad_inputs = inputs,                                                                                         \
        .keep = kept,                                                                                                  \
        .shape = rule##_shape,                                                                                         \
        .outline = outline_rule,                                                                                       \
        .prepare = scatter_prepare,                                                                                    \
        .forward = rule##_forward,                                                                                     \
        .backward = rule##_backward,                                                                                   \
        .others = "indices",                                                                                           \
        .coupling = mc_coupling_freeze_all,                                                                            \
        .cost = mc_cost_free,                                                                                          \
        .until = gone,                                                                                                 \
    };

SCATTER_OP(gather_elements, "GatherElements", 11, 2, 2, gather_elements, gather_elements_outline, 1, MC_KEEP_IN, 0)
SCATTER_OP(gather_nd, "GatherND", 11, 2, 2, gather_nd, gather_nd_outline, 1, MC_KEEP_IN, 0)
SCATTER_OP(scatter, "Scatter", 9, 3, 3, scatter_elements, mc_outline_same, 1 | 4, MC_KEEP_IN | MC_KEEP_OUT, 11)
SCATTER_OP(scatter_elements, "ScatterElements", 11, 3, 3, scatter_elements, mc_outline_same, 1 | 4,
           MC_KEEP_IN | MC_KEEP_OUT, 0)
SCATTER_OP(scatter_nd, "ScatterND", 11, 3, 3, scatter_nd, mc_outline_same, 1 | 4, MC_KEEP_IN | MC_KEEP_OUT, 0)
SCATTER_OP(tensor_scatter, "TensorScatter", 24, 2, 3, tensor_scatter, mc_outline_same, 1 | 2, MC_KEEP_IN, 0)
