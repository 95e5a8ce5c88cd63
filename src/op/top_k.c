/* top_k.c - TopK: the k largest or smallest along an axis, and where they were (ONNX opset 1, 10, 11).
 *
 * Of equals the lower index comes first. NaN counts as larger than everything. `sorted` 0 leaves the order open, which
 * is then the sorted one as well.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "kernel/parallel.h"
#include "op/move.h"
#include "op/ops.h"
#include "op/outline.h"

#define TYPES                                                                                                          \
    (MC_TYPES_FLOAT | MC_TYPE_BIT(MC_INT8) | MC_TYPE_BIT(MC_INT16) | MC_TYPE_BIT(MC_INT32) | MC_TYPE_BIT(MC_INT64) |   \
     MC_TYPE_BIT(MC_UINT8) | MC_TYPE_BIT(MC_UINT16) | MC_TYPE_BIT(MC_UINT32) | MC_TYPE_BIT(MC_UINT64))

static int find_k(const struct mc_node *node, const struct mc_fact *given, int64_t extent, int64_t *k,
                  struct mc_error *err)
{
    int n = 1, rc = MC_OK;
    if (node->op->max_inputs > 1)
        rc = mc_need_ints(node, 1, given, k, 1, &n, err);
    else
        *k = mc_node_int(node, "k", -1);
    if (rc < 0) return rc;
    if (n != 1 || *k < 0 || *k > extent)
        return mc_error_set(err, MC_ERR_INPUT, "needs a number of 0 to %lld elements, has %lld", (long long)extent,
                            n == 1 ? (long long)*k : -1);
    return MC_OK;
}

static int top_k_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                       struct mc_error *err)
{
    int axis = 0, rc = mc_need_dtype(node, 0, in[0], TYPES, err);
    int64_t k = 0;
    if (rc == MC_OK) rc = mc_need_axis(mc_node_int(node, "axis", -1), in[0]->shape.rank, &axis, err);
    if (rc == MC_OK) rc = find_k(node, node->op->max_inputs > 1 ? in[1] : NULL, in[0]->shape.dim[axis], &k, err);
    if (rc < 0) return rc;
    out[0] = (struct mc_fact){.dtype = in[0]->dtype, .shape = in[0]->shape};
    out[0].shape.dim[axis] = k;
    out[1] = (struct mc_fact){.dtype = MC_INT64, .shape = out[0].shape};
    return MC_OK;
}

static void top_k_outline(struct mc_symbols *s, const struct mc_node *node, const struct mc_outline *const *in,
                          struct mc_outline *out)
{
    const struct mc_outline_list k = mc_outline_list_of(s, node, in, NULL, 1);
    const int64_t stated = mc_node_int(node, "k", -1);
    int axis;
    if (!mc_outline_axis(node, -1, in[0]->rank, &axis)) return;
    mc_outline_same(s, node, in, &out[0]);
    out[0].dim[axis] = stated >= 0 ? mc_symbol_number(s, stated) : k.known && k.n == 1 ? k.at[0] : MC_SYMBOL_UNKNOWN;
    out[1] = out[0];
}

/* An element as a number whose order as an unsigned integer is the order wanted. */
struct entry {
    uint64_t key;
    int64_t index;
};

/* Unsigned integers in the order of the elements: NaNs last, -0 and 0 equal. */
static uint64_t key_of(const struct mc_tensor *x, int64_t i)
{
    if (mc_dtype_is_float(x->dtype)) {
        const double v = mc_tensor_get_f64(x, i);
        if (isnan(v)) return UINT64_MAX;
        const double clean = v == 0 ? 0 : v;
        uint64_t bits;
        memcpy(&bits, &clean, sizeof bits);
        return bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
    }
    const uint64_t bits = (uint64_t)mc_tensor_get_i64(x, i);
    return x->dtype == MC_UINT64 ? bits : bits ^ UINT64_C(1) << 63;
}

/* Does a come before b? Smaller keys first; of equal ones the lower index. */
static bool precedes(const struct entry *a, const struct entry *b)
{
    return a->key != b->key ? a->key < b->key : a->index < b->index;
}

/* A heap of the k first so far, the last of them on top. */
static void sift_down(struct entry *heap, int64_t n, int64_t at)
{
    const struct entry moved = heap[at];
    for (int64_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && precedes(&heap[child], &heap[child + 1])) child++;
        if (!precedes(&moved, &heap[child])) break;
        heap[at] = heap[child];
    }
    heap[at] = moved;
}

static void sort_heap(struct entry *heap, int64_t n)
{
    for (int64_t end = n - 1; end > 0; end--) {
        const struct entry last = heap[0];
        heap[0] = heap[end];
        heap[end] = last;
        sift_down(heap, end, 0);
    }
}

struct job {
    const struct mc_tensor *x;
    struct mc_tensor *values, *indices; /* NULL: not asked for */
    int64_t n, k, inner;
    bool largest;
    struct entry *heaps; /* k for each line */
    int64_t *chosen;     /* in training: the indices, for backward */
};

static void select_line(const struct job *job, int64_t line)
{
    struct entry *heap = job->heaps + line * job->k;
    const int64_t start = line / job->inner * job->n * job->inner + line % job->inner;
    const int64_t to = line / job->inner * job->k * job->inner + line % job->inner;
    int64_t n = 0;
    for (int64_t i = 0; i < job->n; i++) {
        const uint64_t key = key_of(job->x, start + i * job->inner);
        const struct entry entry = {job->largest ? ~key : key, i};
        if (n < job->k) {
            heap[n++] = entry;
            if (n == job->k)
                for (int64_t at = n / 2; at-- > 0;) sift_down(heap, n, at);
        } else if (n > 0 && precedes(&entry, &heap[0])) {
            heap[0] = entry;
            sift_down(heap, n, 0);
        }
    }
    sort_heap(heap, n);
    const size_t size = mc_element_size(job->x->dtype);
    for (int64_t i = 0; i < n; i++) {
        const int64_t from = start + heap[i].index * job->inner, at = to + i * job->inner;
        memcpy((char *)job->values->data + (size_t)at * size, (const char *)job->x->data + (size_t)from * size, size);
        if (job->indices) ((int64_t *)job->indices->data)[at] = heap[i].index;
        if (job->chosen) job->chosen[at] = heap[i].index;
    }
}

static void select_range(void *context, int64_t begin, int64_t end)
{
    for (int64_t line = begin; line < end; line++) select_line(context, line);
}

static int top_k_prepare(struct mc_step *step, struct mc_error *err)
{
    step->workspace_bytes = (size_t)mc_tensor_count(step->out[0]) * sizeof(struct entry) + 1;
    if (step->training) step->saved_bytes = (size_t)(mc_tensor_count(step->out[0]) + 1) * sizeof(int64_t);
    return MC_OK;
}

static int top_k_forward(struct mc_step *step, struct mc_error *err)
{
    const struct mc_tensor *x = step->in[0];
    int axis = 0;
    const int rc = mc_need_axis(mc_node_int(step->node, "axis", -1), x->shape.rank, &axis, err);
    struct job job = {.x = x,
                      .values = step->out[0],
                      .indices = step->out[1],
                      .n = x->shape.dim[axis],
                      .k = step->out[0]->shape.dim[axis],
                      .inner = mc_shape_span(&x->shape, axis + 1, x->shape.rank),
                      .largest = mc_node_int(step->node, "largest", 1) != 0,
                      .heaps = step->workspace,
                      .chosen = step->saved};
    if (rc < 0 || job.k == 0) return rc;
    mc_parallel(mc_tensor_count(step->out[0]) / job.k, mc_parallel_grain(16 * job.n), select_range, &job);
    return MC_OK;
}

/* What was not chosen gets nothing. */
static int top_k_backward(struct mc_step *step, struct mc_error *err)
{
    const struct mc_tensor *dy = step->grad_out[0];
    struct mc_tensor *dx = step->grad_in[0];
    const int64_t *const chosen = step->saved;
    int axis = 0;
    mc_zero(dx);
    if (!dy) return MC_OK;
    const int rc = mc_need_axis(mc_node_int(step->node, "axis", -1), dx->shape.rank, &axis, err);
    const int64_t n = dx->shape.dim[axis], k = dy->shape.dim[axis];
    const int64_t inner = mc_shape_span(&dx->shape, axis + 1, dx->shape.rank);
    for (int64_t i = 0; i < mc_tensor_count(dy) && rc == MC_OK; i++)
        mc_tensor_set_f64(dx, (i / (k * inner) * n + chosen[i]) * inner + i % inner, mc_tensor_get_f64(dy, i));
    return rc;
}

#define TOP_K_OP(version, inputs)                                                                                      \
    const struct mc_op mc_op_top_k_##version = {                                                                       \
        .domain = "",                                                                                                  \
        .type = "TopK",                                                                                                \
        .since = version,                                                                                              \
        .min_inputs = inputs,                                                                                          \
        .max_inputs = inputs,                                                                                          \
        .n_outputs = 2,                                                                                                \
        .widens = true,                                                                                                \
        .grad_inputs = 1,                                                                                              \
        .shape = top_k_shape,                                                                                          \
        .outline = top_k_outline,                                                                                      \
        .prepare = top_k_prepare,                                                                                      \
        .forward = top_k_forward,                                                                                      \
        .backward = top_k_backward,                                                                                    \
        .others = "how many",                                                                                          \
        .coupling = mc_coupling_freeze_all,                                                                            \
        .cost = mc_cost_elementwise,                                                                                   \
    };

TOP_K_OP(1, 1)
TOP_K_OP(10, 2)
