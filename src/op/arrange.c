/* arrange.c - Tile (ONNX opset 1, 6), Trilu (14), OneHot (9, 11), ReverseSequence (10); and with shapes that contents
 * decide NonZero (9), Compress (9), Unique (11). */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "op/items.h"
#include "op/move.h"
#include "op/outline.h"

/* --- Tile --- */

/* How often each axis is repeated: one number an axis, or in version 1 a number and which axis it is for. */
static int read_repeats(const struct mc_node *node, const struct mc_fact *const *in, int64_t *repeats,
                        struct mc_error *err)
{
    const int rank = in[0]->shape.rank;
    int64_t times = 1, which = 0;
    int n = 0, axis = 0;
    if (node->op->since >= 6) {
        const int rc = mc_need_ints(node, 1, in[1], repeats, MC_MAX_RANK, &n, err);
        if (rc < 0 || n == rank) return rc;
        return mc_error_set(err, MC_ERR_INPUT, "input 1 '%s': needs %d numbers, has %d", node->inputs[1]->name, rank,
                            n);
    }
    int rc = mc_need_ints(node, 1, in[1], &times, 1, &n, err);
    if (rc == MC_OK) rc = mc_need_ints(node, 2, in[2], &which, 1, &n, err);
    if (rc == MC_OK) rc = mc_need_axis(which, rank, &axis, err);
    for (int k = 0; k < rank; k++) repeats[k] = k == axis ? times : 1;
    return rc;
}

static int tile_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                      struct mc_error *err)
{
    int64_t repeats[MC_MAX_RANK];
    int rc = mc_need_dtype(node, 0, in[0], mc_types_copied, err);
    if (rc == MC_OK) rc = read_repeats(node, in, repeats, err);
    if (rc < 0) return rc;
    out[0] = (struct mc_fact){.dtype = in[0]->dtype, .shape = in[0]->shape};
    for (int k = 0; k < in[0]->shape.rank; k++)
        if (repeats[k] < 0 || !mc_mul_i64(out[0].shape.dim[k], repeats[k], &out[0].shape.dim[k]))
            return mc_error_set(err, MC_ERR_INPUT, "input 1 '%s': %" PRId64 " repeats", node->inputs[1]->name,
                                repeats[k]);
    return MC_OK;
}

static void tile_outline(struct mc_symbols *s, const struct mc_node *node, const struct mc_outline *const *in,
                         struct mc_outline *out)
{
    const struct mc_outline_list repeats = mc_outline_list_of(s, node, in, NULL, 1);
    mc_outline_same(s, node, in, out);
    const bool listed = node->op->since >= 6 && repeats.known && repeats.n == in[0]->rank;
    for (int k = 0; k < out[0].rank; k++)
        out[0].dim[k] = listed ? mc_symbol_multiply(s, out[0].dim[k], repeats.at[k]) : MC_SYMBOL_UNKNOWN;
}

/* Each axis is two: which repeat, which element of it. */
static int tile_forward(struct mc_step *step, struct mc_error *err)
{
    const struct mc_tensor *x = step->in[0];
    struct mc_tensor *y = step->out[0];
    const size_t size = mc_element_size(x->dtype);
    int64_t from[MC_MAX_RANK];
    struct mc_walk walk;
    if (mc_tensor_count(y) == 0) return MC_OK;
    mc_strides(&x->shape, from);
    if (2 * x->shape.rank <= MC_MAX_RANK) {
        struct mc_box box = {.rank = 2 * x->shape.rank};
        int64_t to[MC_MAX_RANK];
        mc_strides(&y->shape, to);
        for (int k = 0; k < x->shape.rank; k++) {
            box.extent[2 * k] = y->shape.dim[k] / x->shape.dim[k];
            box.extent[2 * k + 1] = x->shape.dim[k];
            box.to[2 * k] = to[k] * x->shape.dim[k];
            box.to[2 * k + 1] = to[k];
            box.from[2 * k + 1] = from[k];
        }
        mc_copy_box(y->data, x->data, &box, size);
        return MC_OK;
    }
    mc_walk_start(&walk, &y->shape, 0, NULL);
    for (int64_t i = 0; i < mc_tensor_count(y); i++, mc_walk_next(&walk)) {
        int64_t at = 0;
        for (int k = 0; k < x->shape.rank; k++) at += walk.index[k] % x->shape.dim[k] * from[k];
        memcpy((char *)y->data + (size_t)i * size, (const char *)x->data + (size_t)at * size, size);
    }
    return MC_OK;
}

/* The sum over all repeats. */
static int tile_backward(struct mc_step *step, struct mc_error *err)
{
    const struct mc_tensor *dy = step->grad_out[0];
    struct mc_tensor *dx = step->grad_in[0];
    const int rank = dx->shape.rank;
    int64_t to[MC_MAX_RANK];
    struct mc_walk walk;
    mc_zero(dx);
    if (mc_tensor_count(dy) == 0) return MC_OK;
    const int64_t run = rank ? dx->shape.dim[rank - 1] : 1, row = rank ? dy->shape.dim[rank - 1] : 1;
    const struct mc_shape rows = mc_shape_of(rank ? rank - 1 : 0, dy->shape.dim);
    mc_strides(&dx->shape, to);
    mc_walk_start(&walk, &rows, 0, NULL);
    for (int64_t i = 0; i < mc_tensor_count(dy) / row; i++, mc_walk_next(&walk)) {
        int64_t at = 0;
        for (int k = 0; k < rows.rank; k++) at += walk.index[k] % dx->shape.dim[k] * to[k];
        for (int64_t k = 0; k < row; k += run) mc_add_run(dx, at, dy, i * row + k, run);
    }
    return MC_OK;
}

/* --- Trilu --- */

static int trilu_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                       struct mc_error *err)
{
    int rc = mc_need_dtype(node, 0, in[0], mc_types_copied & ~MC_TYPE_BIT(MC_STRING), err);
    if (rc == MC_OK) rc = mc_need_rank(node, 0, in[0], 2, MC_MAX_RANK, err);
    if (rc == MC_OK && in[1]) rc = mc_need_dtype(node, 1, in[1], MC_TYPE_BIT(MC_INT64), err);
    return rc < 0 ? rc : mc_shape_same(node, in, out, err);
}

/* Of each row what lies on the wanted side of diagonal k stays. */
static void trilu(const struct mc_step *step, const struct mc_tensor *x, struct mc_tensor *y)
{
    const bool upper = mc_node_int(step->node, "upper", 1) != 0;
    const int64_t k = step->in[1] ? mc_tensor_get_i64(step->in[1], 0) : 0;
    const int64_t rows = x->shape.dim[x->shape.rank - 2], columns = x->shape.dim[x->shape.rank - 1];
    const size_t size = mc_element_size(x->dtype);
    const int64_t n = columns ? mc_tensor_count(x) / columns : 0;
    for (int64_t i = 0; i < n; i++) {
        const int64_t row = i % rows;
        int64_t edge = k > columns - row ? columns : k < -row ? 0 : row + k; /* first column on the diagonal */
        if (!upper) edge = edge < columns && k >= -row ? edge + 1 : edge;
        const int64_t begin = upper ? edge : 0, end = upper ? columns : edge;
        char *to = (char *)y->data + (size_t)(i * columns) * size;
        const char *from = (const char *)x->data + (size_t)(i * columns) * size;
        if (to != from) memcpy(to + (size_t)begin * size, from + (size_t)begin * size, (size_t)(end - begin) * size);
        memset(to, 0, (size_t)begin * size);
        memset(to + (size_t)end * size, 0, (size_t)(columns - end) * size);
    }
}

static int trilu_forward(struct mc_step *step, struct mc_error *err)
{
    trilu(step, step->in[0], step->out[0]);
    return MC_OK;
}

static int trilu_backward(struct mc_step *step, struct mc_error *err)
{
    trilu(step, step->grad_out[0], step->grad_in[0]);
    return MC_OK;
}

/* --- OneHot --- */

static int one_hot_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                         struct mc_error *err)
{
    const uint64_t numbers = mc_types_copied & ~(MC_TYPE_BIT(MC_STRING) | MC_TYPE_BIT(MC_BOOL) |
                                                 MC_TYPE_BIT(MC_COMPLEX64) | MC_TYPE_BIT(MC_COMPLEX128));
    int axis = 0, rc = mc_need_dtype(node, 0, in[0], numbers, err);
    if (rc == MC_OK) rc = mc_need_dtype(node, 1, in[1], numbers, err);
    if (rc == MC_OK) rc = mc_need_dtype(node, 2, in[2], mc_types_copied, err);
    if (rc == MC_OK) rc = mc_need_rank(node, 0, in[0], 0, MC_MAX_RANK - 1, err);
    if (rc == MC_OK) rc = mc_need_axis(mc_node_int(node, "axis", -1), in[0]->shape.rank + 1, &axis, err);
    if (rc < 0) return rc;
    if (mc_shape_count(&in[1]->shape) != 1 || mc_shape_count(&in[2]->shape) != 2)
        return mc_error_set(err, MC_ERR_INPUT, "needs one depth and two values");
    if (!in[1]->constant)
        return mc_error_set(err, MC_ERR_OPEN, "input 1 '%s': needs a constant, is computed from the inputs",
                            node->inputs[1]->name);
    const int64_t depth = mc_tensor_get_i64(in[1]->constant, 0);
    if (depth < 0) return mc_error_set(err, MC_ERR_INPUT, "input 1 '%s': is negative", node->inputs[1]->name);
    out[0] = (struct mc_fact){.dtype = in[2]->dtype, .shape = {.rank = in[0]->shape.rank + 1}};
    for (int k = 0; k < out[0].shape.rank; k++)
        out[0].shape.dim[k] = k == axis ? depth : in[0]->shape.dim[k - (k > axis)];
    return MC_OK;
}

static void one_hot_outline(struct mc_symbols *s, const struct mc_node *node, const struct mc_outline *const *in,
                            struct mc_outline *out)
{
    const struct mc_outline_list depth = mc_outline_list_of(s, node, in, NULL, 1);
    int axis;
    if (in[0]->rank < 0 || !mc_outline_axis(node, -1, in[0]->rank + 1, &axis)) return;
    out[0] = mc_outline_of_rank(0);
    for (int k = 0, next = 0; k <= in[0]->rank; k++)
        if (k == axis)
            mc_outline_append(&out[0], depth.known && depth.n == 1 ? depth.at[0] : MC_SYMBOL_UNKNOWN);
        else
            mc_outline_append(&out[0], in[0]->dim[next++]);
}

static int one_hot_forward(struct mc_step *step, struct mc_error *err)
{
    const struct mc_tensor *indices = step->in[0], *values = step->in[2];
    struct mc_tensor *y = step->out[0];
    const size_t size = mc_element_size(y->dtype);
    int axis = 0;
    const int rc = mc_need_axis(mc_node_int(step->node, "axis", -1), y->shape.rank, &axis, err);
    const int64_t depth = y->shape.dim[axis], inner = mc_shape_span(&y->shape, axis + 1, y->shape.rank);
    mc_fill(y->data, values->data, mc_tensor_count(y), size);
    for (int64_t i = 0; i < mc_tensor_count(indices) && rc == MC_OK; i++) {
        const int64_t given = mc_tensor_get_i64(indices, i), at = given < 0 ? given + depth : given;
        if (at < 0 || at >= depth) continue; /* nothing is hot */
        memcpy((char *)y->data + (size_t)((i / inner * depth + at) * inner + i % inner) * size,
               (const char *)values->data + size, size);
    }
    return rc;
}

/* By the two values: what is cold, and what is hot. */
static int one_hot_backward(struct mc_step *step, struct mc_error *err)
{
    const struct mc_tensor *indices = step->in[0], *dy = step->grad_out[0];
    int axis = 0;
    const int rc = mc_need_axis(mc_node_int(step->node, "axis", -1), dy->shape.rank, &axis, err);
    const int64_t depth = dy->shape.dim[axis], inner = mc_shape_span(&dy->shape, axis + 1, dy->shape.rank);
    double all = 0, hot = 0;
    for (int64_t i = 0; i < mc_tensor_count(dy); i++) all += mc_tensor_get_f64(dy, i);
    for (int64_t i = 0; i < mc_tensor_count(indices) && rc == MC_OK; i++) {
        const int64_t given = mc_tensor_get_i64(indices, i), at = given < 0 ? given + depth : given;
        if (at >= 0 && at < depth) hot += mc_tensor_get_f64(dy, (i / inner * depth + at) * inner + i % inner);
    }
    mc_tensor_set_f64(step->grad_in[2], 0, all - hot);
    mc_tensor_set_f64(step->grad_in[2], 1, hot);
    return rc;
}

/* --- ReverseSequence --- */

static int reverse_sequence_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                                  struct mc_error *err)
{
    const int64_t batch = mc_node_int(node, "batch_axis", 1), time = mc_node_int(node, "time_axis", 0);
    int rc = mc_need_dtype(node, 0, in[0], mc_types_copied, err);
    if (rc == MC_OK) rc = mc_need_rank(node, 0, in[0], 2, MC_MAX_RANK, err);
    if (rc == MC_OK) rc = mc_need_dtype(node, 1, in[1], MC_TYPE_BIT(MC_INT64), err);
    if (rc < 0) return rc;
    if (!((batch == 0 && time == 1) || (batch == 1 && time == 0)))
        return mc_error_set(err, MC_ERR_INPUT, "attributes 'batch_axis' and 'time_axis': need 0 and 1 in some order");
    if (mc_shape_count(&in[1]->shape) != in[0]->shape.dim[batch])
        return mc_error_set(err, MC_ERR_INPUT, "input 1 '%s': needs a length for each sample", node->inputs[1]->name);
    return mc_shape_same(node, in, out, err);
}

static int reverse(const struct mc_step *step, const struct mc_tensor *x, struct mc_tensor *y, struct mc_error *err)
{
    const bool batch_first = mc_node_int(step->node, "batch_axis", 1) == 0;
    const int64_t n = x->shape.dim[0], m = x->shape.dim[1], inner = mc_shape_span(&x->shape, 2, x->shape.rank);
    const int64_t extent = batch_first ? m : n;
    const size_t size = mc_element_size(x->dtype) * (size_t)inner;
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < m; k++) {
            const int64_t b = batch_first ? i : k, t = batch_first ? k : i, length = mc_tensor_get_i64(step->in[1], b);
            if (length < 0 || length > extent)
                return mc_error_set(err, MC_ERR_INPUT, "input 1: needs lengths of 0 to %" PRId64 ", has %" PRId64,
                                    extent, length);
            const int64_t from = t < length ? length - 1 - t : t, at = batch_first ? b * m + from : from * m + b;
            memcpy((char *)y->data + (size_t)(i * m + k) * size, (const char *)x->data + (size_t)at * size, size);
        }
    return MC_OK;
}

static int reverse_sequence_forward(struct mc_step *step, struct mc_error *err)
{
    return reverse(step, step->in[0], step->out[0], err);
}

/* Twice reversed is as it was. */
static int reverse_sequence_backward(struct mc_step *step, struct mc_error *err)
{
    return reverse(step, step->grad_out[0], step->grad_in[0], err);
}

#define ARRANGE_OP(name, onnx_type, version, least, most, inputs, kept, outline_rule, what)                            \
    const struct mc_op mc_op_##name##_##version = {                                                                    \
        .domain = "",                                                                                                  \
        .type = onnx_type,                                                                                             \
        .since = version,                                                                                              \
        .min_inputs = least,                                                                                           \
        .max_inputs = most,                                                                                            \
        .n_outputs = 1,                                                                                                \
        .grad_inputs = inputs,                                                                                         \
        .keep = kept,                                                                                                  \
        .shape = name##_shape,                                                                                         \
        .outline = outline_rule,                                                                                       \
        .forward = name##_forward,                                                                                     \
        .backward = name##_backward,                                                                                   \
        .others = what,                                                                                                \
        .coupling = mc_coupling_freeze_all,                                                                            \
        .cost = mc_cost_free,                                                                                          \
    };

ARRANGE_OP(one_hot, "OneHot", 9, 3, 3, 4, MC_KEEP_IN, one_hot_outline, "indices and a depth")
ARRANGE_OP(reverse_sequence, "ReverseSequence", 10, 2, 2, 1, MC_KEEP_IN, mc_outline_same, "lengths")
ARRANGE_OP(tile, "Tile", 1, 3, 3, 1, MC_KEEP_NONE, tile_outline, "repeats")
ARRANGE_OP(tile, "Tile", 6, 2, 2, 1, MC_KEEP_NONE, tile_outline, "repeats")
ARRANGE_OP(trilu, "Trilu", 14, 1, 2, 1, MC_KEEP_IN, mc_outline_same, "a diagonal")

/* --- NonZero: [rank, how many] --- */

static bool is_zero(const struct mc_tensor *x, int64_t i)
{
    if (x->dtype == MC_STRING) return ((const struct mc_text *)x->data)[i].length == 0;
    return mc_dtype_is_integer(x->dtype) ? mc_tensor_get_i64(x, i) == 0 : mc_tensor_get_f64(x, i) == 0;
}

static int non_zero_evaluate(struct mc_call *call, struct mc_error *err)
{
    const struct mc_tensor *x = NULL;
    struct mc_tensor *y;
    int64_t n = 0, strides[MC_MAX_RANK];
    int rc = mc_take_tensor(call, 0, &x, err);
    if (rc < 0) return rc;
    for (int64_t i = 0; i < mc_tensor_count(x); i++) n += !is_zero(x, i);
    const struct mc_shape shape = {.rank = 2, .dim = {x->shape.rank > 0 ? x->shape.rank : 1, n}};
    rc = mc_tensor_create(&y, MC_INT64, &shape, err);
    if (rc < 0) return rc;
    mc_strides(&x->shape, strides);
    for (int64_t i = 0, at = 0; i < mc_tensor_count(x); i++) {
        if (is_zero(x, i)) continue;
        for (int k = 0; k < x->shape.rank; k++) ((int64_t *)y->data)[k * n + at] = i / strides[k] % x->shape.dim[k];
        at++;
    }
    return mc_give_tensor(call, 0, y, err);
}

/* --- Compress: the slices along an axis for which the condition holds --- */

static int own_texts(struct mc_tensor **t, struct mc_error *err)
{
    struct mc_tensor *copy;
    if ((*t)->dtype != MC_STRING) return MC_OK;
    const int rc = mc_tensor_clone(&copy, *t, err);
    mc_tensor_destroy(*t);
    *t = rc < 0 ? NULL : copy;
    return rc;
}

static int compress_evaluate(struct mc_call *call, struct mc_error *err)
{
    const struct mc_tensor *x = NULL, *condition = NULL;
    struct mc_tensor *y = NULL;
    const bool flat = !mc_node_attr(call->node, "axis");
    int axis = 0, rc = mc_take_tensor(call, 0, &x, err);
    if (rc == MC_OK) rc = mc_take_tensor(call, 1, &condition, err);
    if (rc == MC_OK && (condition->dtype != MC_BOOL || mc_dtype_bits(x->dtype) < 8))
        rc = mc_error_set(err, MC_ERR_UNSUPPORTED, "needs truth values, and elements of a byte or more");
    if (rc == MC_OK && !flat) rc = mc_need_axis(mc_node_int(call->node, "axis", 0), x->shape.rank, &axis, err);
    if (rc < 0) return rc;
    struct mc_shape shape = flat ? (struct mc_shape){.rank = 1, .dim = {mc_tensor_count(x)}} : x->shape;
    const int64_t extent = shape.dim[axis], outer = mc_shape_span(&shape, 0, axis);
    const int64_t inner = mc_shape_span(&shape, axis + 1, shape.rank);
    const bool *const keep = condition->data;
    const int64_t most = mc_tensor_count(condition) < extent ? mc_tensor_count(condition) : extent;
    const size_t size = mc_element_size(x->dtype) * (size_t)inner;
    shape.dim[axis] = 0;
    for (int64_t i = 0; i < most; i++) shape.dim[axis] += keep[i];
    rc = mc_tensor_create(&y, x->dtype, &shape, err);
    if (rc < 0) return rc;
    char *to = y->data;
    for (int64_t o = 0; o < outer; o++)
        for (int64_t i = 0; i < most; i++) {
            if (!keep[i]) continue;
            memcpy(to, (const char *)x->data + (size_t)(o * extent + i) * size, size);
            to += size;
        }
    rc = own_texts(&y, err);
    return rc < 0 ? rc : mc_give_tensor(call, 0, y, err);
}

/* --- Unique --- */

/* Slices along an axis; the whole flat tensor as slices of one element without one. */
struct slices {
    const struct mc_tensor *x;
    int64_t n, outer, inner, extent;
    int64_t *order;          /* slices as sorted: equal ones together, the first met first */
    int64_t *first, *of;     /* of each different one its first slice; of each slice which one it is */
    int64_t n_unique, *rank; /* rank: of each different one, where it comes out */
};

static int compare_elements(const struct mc_tensor *x, int64_t a, int64_t b)
{
    if (x->dtype == MC_STRING) {
        const struct mc_text *s = (const struct mc_text *)x->data + a, *t = (const struct mc_text *)x->data + b;
        const size_t n = s->length < t->length ? s->length : t->length;
        const int order = n ? memcmp(s->bytes, t->bytes, n) : 0;
        return order ? order : (s->length > t->length) - (s->length < t->length);
    }
    if (mc_dtype_is_integer(x->dtype) || x->dtype == MC_BOOL) {
        const int64_t u = mc_tensor_get_i64(x, a), v = mc_tensor_get_i64(x, b);
        return x->dtype == MC_UINT64 ? ((uint64_t)u > (uint64_t)v) - ((uint64_t)u < (uint64_t)v) : (u > v) - (u < v);
    }
    const double u = mc_tensor_get_f64(x, a), v = mc_tensor_get_f64(x, b);
    if (isnan(u) || isnan(v)) return isnan(u) - isnan(v);
    return (u > v) - (u < v);
}

static int compare_slices(const struct slices *s, int64_t a, int64_t b)
{
    for (int64_t o = 0; o < s->outer; o++)
        for (int64_t i = 0; i < s->inner; i++) {
            const int order =
                compare_elements(s->x, (o * s->extent + a) * s->inner + i, (o * s->extent + b) * s->inner + i);
            if (order) return order;
        }
    return 0;
}

/* Merge sort, which is stable and needs no comparison with a context. */
static void sort_slices(const struct slices *s, int64_t *order, int64_t *scratch, int64_t n)
{
    if (n < 2) return;
    const int64_t half = n / 2;
    sort_slices(s, order, scratch, half);
    sort_slices(s, order + half, scratch, n - half);
    memcpy(scratch, order, (size_t)n * sizeof *order);
    for (int64_t i = 0, k = half, at = 0; at < n; at++)
        order[at] =
            k >= n || (i < half && compare_slices(s, scratch[i], scratch[k]) <= 0) ? scratch[i++] : scratch[k++];
}

static void slices_finish(struct slices *s)
{
    mc_free(s->rank);
    mc_free(s->of);
    mc_free(s->first);
    mc_free(s->order);
}

static int find_unique(struct slices *s, bool sorted, struct mc_error *err)
{
    int64_t *scratch = MC_NEW_ARRAY(int64_t, s->n + 1);
    s->order = MC_NEW_ARRAY(int64_t, s->n + 1);
    s->first = MC_NEW_ARRAY(int64_t, s->n + 1);
    s->of = MC_NEW_ARRAY(int64_t, s->n + 1);
    s->rank = MC_NEW_ARRAY(int64_t, s->n + 1);
    const bool ok = scratch && s->order && s->first && s->of && s->rank;
    for (int64_t i = 0; i < s->n && ok; i++) s->order[i] = i;
    if (ok) sort_slices(s, s->order, scratch, s->n);
    for (int64_t i = 0; i < s->n && ok; i++) {
        const bool fresh = i == 0 || compare_slices(s, s->order[i - 1], s->order[i]) != 0;
        if (fresh) s->first[s->n_unique++] = s->order[i];
        s->of[s->order[i]] = s->n_unique - 1;
    }
    for (int64_t u = 0; u < s->n_unique && ok; u++) s->rank[u] = u;
    if (ok && !sorted) { /* in the order in which they are first met */
        int64_t next = 0;
        for (int64_t i = 0; i < s->n; i++)
            if (s->first[s->of[i]] == i) s->rank[s->of[i]] = next++;
    }
    mc_free(scratch);
    return ok ? MC_OK : mc_error_memory(err);
}

static int give_integers(struct mc_call *call, int i, int64_t n, const int64_t *numbers, struct mc_error *err)
{
    struct mc_tensor *t;
    const struct mc_shape shape = {.rank = 1, .dim = {n}};
    const int rc = mc_tensor_create(&t, MC_INT64, &shape, err);
    if (rc < 0) return rc;
    if (n) memcpy(t->data, numbers, (size_t)n * sizeof *numbers);
    return mc_give_tensor(call, i, t, err);
}

/* first, of and counts, by what comes out. */
static int give_unique_indices(struct mc_call *call, const struct slices *s, struct mc_error *err)
{
    int64_t *list = MC_NEW_ARRAY(int64_t, s->n + 1);
    if (!list) return mc_error_memory(err);
    for (int64_t u = 0; u < s->n_unique; u++) list[s->rank[u]] = s->first[u];
    int rc = give_integers(call, 1, s->n_unique, list, err);
    for (int64_t i = 0; i < s->n; i++) list[i] = s->rank[s->of[i]];
    if (rc == MC_OK) rc = give_integers(call, 2, s->n, list, err);
    memset(list, 0, (size_t)s->n * sizeof *list);
    for (int64_t i = 0; i < s->n; i++) list[s->rank[s->of[i]]]++;
    if (rc == MC_OK) rc = give_integers(call, 3, s->n_unique, list, err);
    mc_free(list);
    return rc;
}

static int unique_evaluate(struct mc_call *call, struct mc_error *err)
{
    const struct mc_tensor *x = NULL;
    struct mc_tensor *y = NULL;
    const bool flat = !mc_node_attr(call->node, "axis");
    int axis = 0, rc = mc_take_tensor(call, 0, &x, err);
    if (rc == MC_OK && mc_dtype_bits(x->dtype) < 8)
        rc = mc_error_set(err, MC_ERR_UNSUPPORTED, "needs elements of a byte or more");
    if (rc == MC_OK && !flat) rc = mc_need_axis(mc_node_int(call->node, "axis", 0), x->shape.rank, &axis, err);
    if (rc < 0) return rc;
    struct mc_shape shape = flat ? (struct mc_shape){.rank = 1, .dim = {mc_tensor_count(x)}} : x->shape;
    struct slices s = {.x = x,
                       .n = shape.dim[axis],
                       .extent = shape.dim[axis],
                       .outer = mc_shape_span(&shape, 0, axis),
                       .inner = mc_shape_span(&shape, axis + 1, shape.rank)};
    rc = find_unique(&s, mc_node_int(call->node, "sorted", 1) != 0, err);
    shape.dim[axis] = s.n_unique;
    if (rc == MC_OK) rc = mc_tensor_create(&y, x->dtype, &shape, err);
    const size_t size = mc_element_size(x->dtype) * (size_t)s.inner;
    for (int64_t o = 0; o < s.outer && rc == MC_OK; o++)
        for (int64_t u = 0; u < s.n_unique; u++)
            memcpy((char *)y->data + (size_t)(o * s.n_unique + s.rank[u]) * size,
                   (const char *)x->data + (size_t)(o * s.extent + s.first[u]) * size, size);
    if (rc == MC_OK) rc = own_texts(&y, err);
    if (rc == MC_OK) rc = mc_give_tensor(call, 0, y, err);
    if (rc == MC_OK) rc = give_unique_indices(call, &s, err);
    slices_finish(&s);
    return rc;
}

MC_ITEM_OP(compress, "", "Compress", 9, 2, 2, 1)
MC_ITEM_OP(non_zero, "", "NonZero", 9, 1, 1, 1)
MC_ITEM_OP(unique, "", "Unique", 11, 1, 1, 4)
