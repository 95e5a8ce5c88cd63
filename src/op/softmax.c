/* softmax.c - Softmax and LogSoftmax: e^x / sum e^x along an axis, and its logarithm.
 *
 * Before opset 13 the input is taken for a matrix, everything from `axis` (default 1) on being one row; since then the
 * rows lie along `axis` alone (default -1). Rows that are not contiguous are transposed to and fro through the
 * workspace.
 */
#include "base/error.h"
#include "kernel/copy.h"
#include "kernel/parallel.h"
#include "op/elementwise.h"
#include "op/outline.h"

/* An exponential, two sums and two products, in elements of the cheapest loops. */
#define SOFTMAX_WORK 12

/* The input as [outer, n, inner] with rows along n. */
struct rows {
    int64_t outer, n, inner;
};

static bool flattens(const struct mc_node *node)
{
    return node->op->since < 13;
}

static int softmax_axis(const struct mc_node *node, int rank, int *axis, struct mc_error *err)
{
    const int64_t given = mc_node_int(node, "axis", flattens(node) ? 1 : -1);
    /* a matrix may have no columns of its own: [N] with axis 1 is N rows of one */
    if (flattens(node) && given == rank) return *axis = rank, MC_OK;
    return mc_need_axis(given, rank, axis, err);
}

static int softmax_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                         struct mc_error *err)
{
    int axis, rc = mc_need_dtype(node, 0, in[0], MC_TYPES_FLOAT, err);
    if (rc == 0) rc = softmax_axis(node, in[0]->shape.rank, &axis, err);
    return rc < 0 ? rc : mc_shape_same(node, in, out, err);
}

static struct rows rows_of(const struct mc_step *step)
{
    const struct mc_shape *shape = &step->in[0]->shape;
    int axis = 0;
    softmax_axis(step->node, shape->rank, &axis, NULL); /* the shape rule has checked it */
    const int end = flattens(step->node) ? shape->rank : axis + 1;
    return (struct rows){.outer = mc_shape_span(shape, 0, axis),
                         .n = mc_shape_span(shape, axis, end),
                         .inner = mc_shape_span(shape, end, shape->rank)};
}

/* [outer, a, b] to [outer, b, a] */
static void transpose(void *to, const void *from, int64_t outer, int64_t a, int64_t b, size_t size)
{
    const struct mc_box box = {.rank = 3, .extent = {outer, a, b}, .to = {a * b, 1, a}, .from = {a * b, b, 1}};
    mc_copy_box(to, from, &box, size);
}

/* A loop over each of a number of rows: forward (y from x) or backward (dx from y and dy). */
struct job {
    int64_t n;
    size_t size;
    void (*forward)(int64_t n, const void *x, void *y);
    void (*backward)(int64_t n, const void *y, const void *dy, void *dx);
    const char *x, *dy; /* backward: x is y */
    char *to;
};

static void forward_rows(void *context, int64_t begin, int64_t end)
{
    const struct job *job = context;
    for (int64_t row = begin; row < end; row++) {
        const size_t at = (size_t)(row * job->n) * job->size;
        job->forward(job->n, job->x + at, job->to + at);
    }
}

static void backward_rows(void *context, int64_t begin, int64_t end)
{
    const struct job *job = context;
    for (int64_t row = begin; row < end; row++) {
        const size_t at = (size_t)(row * job->n) * job->size;
        job->backward(job->n, job->x + at, job->dy + at, job->to + at);
    }
}

static const struct mc_row_loops *row_loops(const struct mc_step *step)
{
    return &mc_step_loops(step)->rows[mc_loop_type(step->in[0]->dtype)];
}

static bool is_log(const struct mc_step *step)
{
    return step->node->op->type[0] == 'L';
}

/* Room for x and y transposed, and for dy and dx when training. */
static int softmax_prepare(struct mc_step *step, struct mc_error *err)
{
    if (rows_of(step).inner > 1) step->workspace_bytes = (step->training ? 3 : 2) * mc_tensor_bytes(step->in[0]);
    return MC_OK;
}

static int softmax_forward(struct mc_step *step, struct mc_error *err)
{
    const struct rows r = rows_of(step);
    const size_t size = (size_t)mc_dtype_bits(step->in[0]->dtype) / 8, bytes = mc_tensor_bytes(step->in[0]);
    struct job job = {.n = r.n,
                      .size = size,
                      .forward = is_log(step) ? row_loops(step)->log_softmax : row_loops(step)->softmax,
                      .x = step->in[0]->data,
                      .to = step->out[0]->data};
    if (bytes == 0) return MC_OK;
    if (r.inner > 1) {
        transpose(step->workspace, step->in[0]->data, r.outer, r.n, r.inner, size);
        job.x = step->workspace;
        job.to = (char *)step->workspace + bytes;
    }
    mc_parallel(r.outer * r.inner, mc_parallel_grain(r.n * SOFTMAX_WORK), forward_rows, &job);
    if (r.inner > 1) transpose(step->out[0]->data, job.to, r.outer, r.inner, r.n, size);
    return MC_OK;
}

static int softmax_backward(struct mc_step *step, struct mc_error *err)
{
    const struct rows r = rows_of(step);
    const size_t size = (size_t)mc_dtype_bits(step->in[0]->dtype) / 8, bytes = mc_tensor_bytes(step->in[0]);
    struct job job = {.n = r.n,
                      .size = size,
                      .backward = is_log(step) ? row_loops(step)->log_softmax_grad : row_loops(step)->softmax_grad,
                      .x = step->out[0]->data,
                      .dy = step->grad_out[0]->data,
                      .to = step->grad_in[0]->data};
    if (bytes == 0) return MC_OK;
    if (r.inner > 1) {
        char *y = step->workspace, *dy = y + bytes;
        transpose(y, job.x, r.outer, r.n, r.inner, size);
        transpose(dy, job.dy, r.outer, r.n, r.inner, size);
        job.x = y;
        job.dy = dy;
        job.to = dy + bytes;
    }
    mc_parallel(r.outer * r.inner, mc_parallel_grain(r.n * SOFTMAX_WORK), backward_rows, &job);
    if (r.inner > 1) transpose(step->grad_in[0]->data, job.to, r.outer, r.inner, r.n, size);
    return MC_OK;
}

/* Every element of a row depends on all of it; the other axes pass. */
static int softmax_coupling(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err)
{
    const struct mc_value *x = node->inputs[0], *y = node->outputs[0];
    const struct mc_fact *fact = mc_coupling_fact(c, x);
    int axis, rc = softmax_axis(node, fact->shape.rank, &axis, err);
    for (int k = 0; k < fact->shape.rank && rc == 0; k++) {
        if (k == axis || (k > axis && flattens(node))) {
            rc = mc_couple_freeze(c, node, x, k, "softmax along the axis", err);
            if (rc == 0) rc = mc_couple_freeze(c, node, y, k, "softmax along the axis", err);
        } else {
            rc = mc_couple_axes(c, x, k, y, k, err);
        }
    }
    return rc;
}

/* Rows of several axes have no axis of version 13. */
static int softmax_upgrade(struct mc_node *node, const struct mc_fact *x, const char **why, struct mc_error *err)
{
    const int64_t axis = mc_node_int(node, "axis", 1), rank = x->shape.rank;
    if (x->dtype == MC_UNDEFINED || x->open || (axis != rank - 1 && axis != -1)) {
        *why = "an axis that is not known to be the last";
        return MC_OK;
    }
    return mc_node_set_int(node, "axis", -1, err);
}

#define SOFTMAX_OP(name, onnx_type, version, to_link)                                                                  \
    const struct mc_op mc_op_##name##_##version = {                                                                    \
        .domain = "",                                                                                                  \
        .type = onnx_type,                                                                                             \
        .since = version,                                                                                              \
        .min_inputs = 1,                                                                                               \
        .max_inputs = 1,                                                                                               \
        .n_outputs = 1,                                                                                                \
        .grad_inputs = 1,                                                                                              \
        .keep = MC_KEEP_OUT,                                                                                           \
        .link = to_link,                                                                                               \
        .widens = true,                                                                                                \
        .shape = softmax_shape,                                                                                        \
        .outline = mc_outline_same,                                                                                    \
        .prepare = softmax_prepare,                                                                                    \
        .forward = softmax_forward,                                                                                    \
        .backward = softmax_backward,                                                                                  \
        .coupling = softmax_coupling,                                                                                  \
        .cost = mc_cost_elementwise,                                                                                   \
        .upgrade = softmax_upgrade,                                                                                    \
    };

SOFTMAX_OP(softmax, "Softmax", 1, MC_LINK_SOFTMAX)
SOFTMAX_OP(softmax, "Softmax", 13, MC_LINK_SOFTMAX)
SOFTMAX_OP(log_softmax, "LogSoftmax", 1, MC_LINK_NONE)
SOFTMAX_OP(log_softmax, "LogSoftmax", 13, MC_LINK_NONE)
