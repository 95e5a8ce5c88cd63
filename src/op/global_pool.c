/* global_pool.c - GlobalAveragePool and GlobalMaxPool (ONNX opset 1): x [N, C, …] to [N, C, 1, …], one number a plane.
 */
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "kernel/parallel.h"
#include "op/elementwise.h"

static int global_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                        struct mc_error *err)
{
    int rc = mc_need_dtype(node, 0, in[0], MC_TYPES_FLOAT, err);
    if (rc == MC_OK) rc = mc_need_rank(node, 0, in[0], 2, MC_MAX_RANK, err);
    if (rc < 0) return rc;
    out[0].dtype = in[0]->dtype;
    out[0].shape = in[0]->shape;
    for (int k = 2; k < out[0].shape.rank; k++) out[0].shape.dim[k] = 1;
    return MC_OK;
}

struct job {
    const struct mc_row_loops *rows;
    int64_t n; /* elements of a plane */
    const struct mc_tensor *x, *y;
    struct mc_tensor *to;
};

static void job_run(const struct mc_step *step, const struct mc_tensor *y, struct mc_tensor *to, mc_range_fn *body)
{
    const struct mc_tensor *x = step->in[0];
    struct job job = {
        .rows = &mc_step_loops(step)->rows[mc_loop_type(x->dtype)],
        .n = mc_shape_span(&x->shape, 2, x->shape.rank),
        .x = x,
        .y = y,
        .to = to,
    };
    mc_parallel(mc_shape_span(&x->shape, 0, 2), mc_parallel_grain(job.n), body, &job);
}

static char *plane(const struct job *job, const struct mc_tensor *of, int64_t p)
{
    return (char *)of->data + (size_t)(p * job->n) * (size_t)mc_dtype_bits(of->dtype) / 8;
}

/* --- means --- */

static void mean_planes(void *context, int64_t begin, int64_t end)
{
    const struct job *job = context;
    for (int64_t p = begin; p < end; p++)
        mc_tensor_set_f64(job->to, p, job->rows->sum(job->n, plane(job, job->x, p)) / (double)job->n);
}

static int mean_forward(struct mc_step *step, struct mc_error *err)
{
    job_run(step, NULL, step->out[0], mean_planes);
    return MC_OK;
}

static void fill(struct mc_tensor *to, int64_t at, int64_t n, double value)
{
    if (to->dtype == MC_FLOAT)
        for (int64_t i = 0; i < n; i++) ((float *)to->data)[at + i] = (float)value;
    else
        for (int64_t i = 0; i < n; i++) ((double *)to->data)[at + i] = value;
}

static void mean_grad_planes(void *context, int64_t begin, int64_t end)
{
    const struct job *job = context;
    for (int64_t p = begin; p < end; p++)
        fill(job->to, p * job->n, job->n, mc_tensor_get_f64(job->y, p) / (double)job->n);
}

static int mean_backward(struct mc_step *step, struct mc_error *err)
{
    job_run(step, step->grad_out[0], step->grad_in[0], mean_grad_planes);
    return MC_OK;
}

/* --- maxima --- */

/* Where the first largest element of plane p is, or the first NaN; -1 in an empty plane. */
static int64_t find_largest(const struct job *job, int64_t p)
{
    int64_t at = -1;
    double best = -INFINITY;
    for (int64_t i = p * job->n; i < (p + 1) * job->n; i++) {
        const double v = mc_tensor_get_f64(job->x, i);
        if (isnan(v)) return i;
        if (at < 0 || v > best) {
            at = i;
            best = v;
        }
    }
    return at;
}

static void max_planes(void *context, int64_t begin, int64_t end)
{
    const struct job *job = context;
    for (int64_t p = begin; p < end; p++) {
        const int64_t at = find_largest(job, p);
        mc_tensor_set_f64(job->to, p, at < 0 ? -INFINITY : mc_tensor_get_f64(job->x, at));
    }
}

static int max_forward(struct mc_step *step, struct mc_error *err)
{
    job_run(step, NULL, step->out[0], max_planes);
    return MC_OK;
}

static void max_grad_planes(void *context, int64_t begin, int64_t end)
{
    const struct job *job = context;
    for (int64_t p = begin; p < end; p++) {
        fill(job->to, p * job->n, job->n, 0);
        const int64_t at = find_largest(job, p);
        if (at >= 0) mc_tensor_set_f64(job->to, at, mc_tensor_get_f64(job->y, p));
    }
}

static int max_backward(struct mc_step *step, struct mc_error *err)
{
    job_run(step, step->grad_out[0], step->grad_in[0], max_grad_planes);
    return MC_OK;
}

static int global_coupling(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err)
{
    const int rc = mc_couple_axes(c, node->inputs[0], 0, node->outputs[0], 0, err);
    return rc < 0 ? rc : mc_couple_axes(c, node->inputs[0], 1, node->outputs[0], 1, err);
}

#define GLOBAL_POOL                                                                                                    \
    .domain = "", .since = 1, .min_inputs = 1, .max_inputs = 1, .n_outputs = 1, .grad_inputs = 1,                      \
    .shape = global_shape, .coupling = global_coupling, .cost = mc_cost_elementwise

const struct mc_op mc_op_global_average_pool_1 = {
    GLOBAL_POOL, .type = "GlobalAveragePool", .keep = MC_KEEP_NONE, .forward = mean_forward, .backward = mean_backward,
};

const struct mc_op mc_op_global_max_pool_1 = {
    GLOBAL_POOL, .type = "GlobalMaxPool", .keep = MC_KEEP_IN, .forward = max_forward, .backward = max_backward,
};
