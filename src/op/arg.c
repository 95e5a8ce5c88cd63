/* arg.c - ArgMax and ArgMin: where along an axis the extreme lies; Hardmax: 1 there, 0 elsewhere.
 *
 * Of equals the first counts, or the last where `select_last_index` says so. NaN is an extreme of either kind, as in
 * NumPy.
 */
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "kernel/parallel.h"
#include "op/move.h"
#include "op/ops.h"
#include "op/outline.h"

#define TYPES_ORDERED                                                                                                  \
    (MC_TYPES_FLOAT | MC_TYPE_BIT(MC_INT8) | MC_TYPE_BIT(MC_INT16) | MC_TYPE_BIT(MC_INT32) | MC_TYPE_BIT(MC_INT64) |   \
     MC_TYPE_BIT(MC_UINT8) | MC_TYPE_BIT(MC_UINT16) | MC_TYPE_BIT(MC_UINT32) | MC_TYPE_BIT(MC_UINT64))

/* The input as [outer, n, inner], the axis being n. */
struct lines {
    int64_t outer, n, inner;
};

static struct lines lines_along(const struct mc_shape *shape, int begin, int end)
{
    return (struct lines){.outer = mc_shape_span(shape, 0, begin),
                          .n = mc_shape_span(shape, begin, end),
                          .inner = mc_shape_span(shape, end, shape->rank)};
}

/* Index of the extreme of n elements, `pace` apart. */
typedef int64_t find_fn(const void *x, int64_t n, int64_t pace, bool largest, bool last);

#define FIND(name, type)                                                                                               \
    static int64_t find_##name(const void *x_, int64_t n, int64_t pace, bool largest, bool last)                       \
    {                                                                                                                  \
        const type *const x = x_;                                                                                      \
        int64_t best = 0;                                                                                              \
        for (int64_t i = 1; i < n; i++) {                                                                              \
            const type v = x[i * pace], b = x[best * pace];                                                            \
            if (b != b && !(last && v != v)) continue;                                                                 \
            if (v != v || (largest ? v > b : v < b) || (last && v == b)) best = i;                                     \
        }                                                                                                              \
        return best;                                                                                                   \
    }

FIND(f32, float)
FIND(f64, double)
FIND(i8, int8_t)
FIND(i16, int16_t)
FIND(i32, int32_t)
FIND(i64, int64_t)
FIND(u8, uint8_t)
FIND(u16, uint16_t)
FIND(u32, uint32_t)
FIND(u64, uint64_t)

static find_fn *find_of(enum mc_dtype dtype)
{
    static find_fn *const finds[MC_DTYPE_COUNT] = {
        [MC_FLOAT] = find_f32,  [MC_DOUBLE] = find_f64, [MC_INT8] = find_i8,  [MC_INT16] = find_i16,
        [MC_INT32] = find_i32,  [MC_INT64] = find_i64,  [MC_UINT8] = find_u8, [MC_UINT16] = find_u16,
        [MC_UINT32] = find_u32, [MC_UINT64] = find_u64};
    return finds[dtype];
}

struct job {
    struct lines lines;
    find_fn *find;
    bool largest, last;
    size_t size;
    const char *x;
    void *y;
    const void *one; /* Hardmax: an element that is 1 */
};

static int64_t find_on_line(const struct job *job, int64_t line, int64_t *start)
{
    const struct lines *l = &job->lines;
    *start = line / l->inner * l->n * l->inner + line % l->inner;
    return job->find(job->x + (size_t)*start * job->size, l->n, l->inner, job->largest, job->last);
}

static void arg_range(void *context, int64_t begin, int64_t end)
{
    const struct job *job = context;
    int64_t start;
    for (int64_t line = begin; line < end; line++) ((int64_t *)job->y)[line] = find_on_line(job, line, &start);
}

/* --- ArgMax, ArgMin --- */

static int arg_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                     struct mc_error *err)
{
    int axis = 0, rc = mc_need_dtype(node, 0, in[0], TYPES_ORDERED, err);
    if (rc == MC_OK) rc = mc_need_axis(mc_node_int(node, "axis", 0), in[0]->shape.rank, &axis, err);
    if (rc < 0) return rc;
    if (in[0]->shape.dim[axis] == 0)
        return mc_error_set(err, MC_ERR_INPUT, "input 0 '%s': has no element along axis %d", node->inputs[0]->name,
                            axis);
    out[0] = (struct mc_fact){.dtype = MC_INT64, .shape = {.rank = 0}};
    const bool keep = mc_node_int(node, "keepdims", 1) != 0;
    for (int k = 0; k < in[0]->shape.rank; k++)
        if (k != axis || keep) out[0].shape.dim[out[0].shape.rank++] = k == axis ? 1 : in[0]->shape.dim[k];
    return MC_OK;
}

static void arg_outline(struct mc_symbols *s, const struct mc_node *node, const struct mc_outline *const *in,
                        struct mc_outline *out)
{
    int axis;
    if (!mc_outline_axis(node, 0, in[0]->rank, &axis)) return;
    const bool keep = mc_node_int(node, "keepdims", 1) != 0;
    out[0] = mc_outline_of_rank(0);
    for (int k = 0; k < in[0]->rank; k++)
        if (k != axis || keep) mc_outline_append(&out[0], k == axis ? mc_symbol_number(s, 1) : in[0]->dim[k]);
}

static int arg_forward(struct mc_step *step, struct mc_error *err)
{
    const struct mc_tensor *x = step->in[0];
    int axis = 0;
    const int rc = mc_need_axis(mc_node_int(step->node, "axis", 0), x->shape.rank, &axis, err);
    struct job job = {.lines = lines_along(&x->shape, axis, axis + 1),
                      .find = find_of(x->dtype),
                      .largest = strcmp(step->node->op->type, "ArgMax") == 0,
                      .last = mc_node_int(step->node, "select_last_index", 0) != 0,
                      .size = mc_element_size(x->dtype),
                      .x = x->data,
                      .y = step->out[0]->data};
    if (rc == MC_OK)
        mc_parallel(job.lines.outer * job.lines.inner, mc_parallel_grain(2 * job.lines.n), arg_range, &job);
    return rc;
}

/* Which index is the largest depends on all of them; the others pass. */
static int arg_coupling(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err)
{
    const struct mc_value *x = node->inputs[0], *y = node->outputs[0];
    const int rank = mc_coupling_fact(c, x)->shape.rank;
    const bool keep = mc_node_int(node, "keepdims", 1) != 0;
    int axis = 0, rc = mc_need_axis(mc_node_int(node, "axis", 0), rank, &axis, err);
    for (int k = 0, to = 0; k < rank && rc == MC_OK; k++) {
        rc = k == axis ? mc_couple_freeze(c, node, x, k, "an index along the axis", err)
                       : mc_couple_axes(c, x, k, y, to, err);
        to += keep || k != axis;
    }
    return rc;
}

#define ARG_OP(name, onnx_type)                                                                                        \
    const struct mc_op mc_op_##name##_1 = {                                                                            \
        .domain = "",                                                                                                  \
        .type = onnx_type,                                                                                             \
        .since = 1,                                                                                                    \
        .min_inputs = 1,                                                                                               \
        .max_inputs = 1,                                                                                               \
        .n_outputs = 1,                                                                                                \
        .widens = true,                                                                                                \
        .shape = arg_shape,                                                                                            \
        .outline = arg_outline,                                                                                        \
        .forward = arg_forward,                                                                                        \
        .backward = NULL,                                                                                              \
        .no_backward = "indices have no derivative",                                                                   \
        .coupling = arg_coupling,                                                                                      \
        .cost = mc_cost_elementwise,                                                                                   \
    };

ARG_OP(arg_max, "ArgMax")
ARG_OP(arg_min, "ArgMin")

/* --- Hardmax --- */

static bool flattens(const struct mc_node *node)
{
    return node->op->since < 13;
}

static int hardmax_axis(const struct mc_node *node, int rank, int *axis, struct mc_error *err)
{
    return mc_need_axis(mc_node_int(node, "axis", flattens(node) ? 1 : -1), rank, axis, err);
}

static int hardmax_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                         struct mc_error *err)
{
    int axis, rc = mc_need_dtype(node, 0, in[0], MC_TYPES_FLOAT, err);
    if (rc == MC_OK) rc = hardmax_axis(node, in[0]->shape.rank, &axis, err);
    return rc < 0 ? rc : mc_shape_same(node, in, out, err);
}

static void hardmax_range(void *context, int64_t begin, int64_t end)
{
    const struct job *job = context;
    for (int64_t line = begin; line < end; line++) {
        int64_t start;
        const int64_t at = find_on_line(job, line, &start);
        memcpy((char *)job->y + (size_t)(start + at * job->lines.inner) * job->size, job->one, job->size);
    }
}

static int hardmax_forward(struct mc_step *step, struct mc_error *err)
{
    static const float one_f32 = 1;
    static const double one_f64 = 1;
    const struct mc_tensor *x = step->in[0];
    int axis = 0;
    const int rc = hardmax_axis(step->node, x->shape.rank, &axis, err);
    struct job job = {.lines = lines_along(&x->shape, axis, flattens(step->node) ? x->shape.rank : axis + 1),
                      .find = find_of(x->dtype),
                      .largest = true,
                      .size = mc_element_size(x->dtype),
                      .x = x->data,
                      .y = step->out[0]->data,
                      .one = x->dtype == MC_FLOAT ? (const void *)&one_f32 : &one_f64};
    mc_zero(step->out[0]);
    if (rc == MC_OK && job.lines.n > 0)
        mc_parallel(job.lines.outer * job.lines.inner, mc_parallel_grain(2 * job.lines.n), hardmax_range, &job);
    return rc;
}

#define HARDMAX_OP(version)                                                                                            \
    const struct mc_op mc_op_hardmax_##version = {                                                                     \
        .domain = "",                                                                                                  \
        .type = "Hardmax",                                                                                             \
        .since = version,                                                                                              \
        .min_inputs = 1,                                                                                               \
        .max_inputs = 1,                                                                                               \
        .n_outputs = 1,                                                                                                \
        .widens = true,                                                                                                \
        .shape = hardmax_shape,                                                                                        \
        .outline = mc_outline_same,                                                                                    \
        .forward = hardmax_forward,                                                                                    \
        .backward = NULL,                                                                                              \
        .no_backward = "its derivative is 0 wherever it has one",                                                      \
        .coupling = mc_coupling_freeze_all,                                                                            \
        .cost = mc_cost_elementwise,                                                                                   \
    };

HARDMAX_OP(1)
HARDMAX_OP(13)
