/* global_pool.c - GlobalAveragePool and GlobalMaxPool (ONNX opset 1): x [N, C, …] to [N, C, 1, …], one number a plane.
 */
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "kernel/channel.h"
#include "kernel/kernels.h"
#include "kernel/parallel.h"
#include "op/byte_rules.h"
#include "op/elementwise.h"
#include "op/outline.h"

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

static void global_outline(struct mc_symbols *s, const struct mc_node *node, const struct mc_outline *const *in,
                           struct mc_outline *out)
{
    mc_outline_same(s, node, in, out);
    for (int k = 2; k < out[0].rank; k++) out[0].dim[k] = mc_symbol_number(s, 1);
}

/* A plane is one channel of one sample. Where channels lie last, the planes of a sample are interleaved. */
struct job {
    const struct mc_row_loops *rows;
    int64_t n, C; /* elements of a plane, planes of a sample */
    bool last;
    const struct mc_tensor *x, *y;
    struct mc_tensor *to;
};

static void job_init(struct job *job, const struct mc_step *step, const struct mc_tensor *y, struct mc_tensor *to)
{
    const struct mc_tensor *x = step->in[0];
    *job = (struct job){
        .rows = &mc_step_loops(step)->rows[mc_loop_type(x->dtype)],
        .n = mc_shape_span(&x->shape, 2, x->shape.rank),
        .C = x->shape.dim[1],
        .last = x->channels_last,
        .x = x,
        .y = y,
        .to = to,
    };
}

static void run_planes(struct job *job, mc_range_fn *body)
{
    mc_parallel(mc_shape_span(&job->x->shape, 0, 2), mc_parallel_grain(job->n), body, job);
}

/* Element i of plane p as a position in the tensor. */
static int64_t position(const struct job *job, int64_t p, int64_t i)
{
    return job->last ? (p / job->C * job->n + i) * job->C + p % job->C : p * job->n + i;
}

static char *element(const struct job *job, const struct mc_tensor *of, int64_t at)
{
    return (char *)of->data + (size_t)at * (size_t)mc_dtype_bits(of->dtype) / 8;
}

static void fill(const struct job *job, int64_t p, double value)
{
    const int64_t first = position(job, p, 0), step = job->last ? job->C : 1;
    if (job->to->dtype == MC_FLOAT)
        for (int64_t i = 0; i < job->n; i++) ((float *)job->to->data)[first + i * step] = (float)value;
    else
        for (int64_t i = 0; i < job->n; i++) ((double *)job->to->data)[first + i * step] = value;
}

/* --- means --- */

static void mean_planes(void *context, int64_t begin, int64_t end)
{
    const struct job *job = context;
    for (int64_t p = begin; p < end; p++)
        mc_tensor_set_f64(job->to, p, job->rows->sum(job->n, element(job, job->x, p * job->n)) / (double)job->n);
}

/* Channels whose sums are held at a time where they lie last. */
enum { BLOCK = 256 };

/* All channels of a sample, position after position. */
static void mean_samples(void *context, int64_t begin, int64_t end)
{
    const struct job *job = context;
    for (int64_t p = begin * job->C; p < end * job->C; p += job->C) {
        for (int64_t c = 0; c < job->C; c += BLOCK) {
            const int64_t width = job->C - c < BLOCK ? job->C - c : BLOCK;
            double sums[BLOCK] = {0};
            for (int64_t i = 0; i < job->n; i++)
                job->rows->add_to(width, element(job, job->x, position(job, p + c, i)), sums);
            job->rows->store(width, sums, 1 / (double)job->n, element(job, job->to, p + c));
        }
    }
}

static void mean_grad_samples(void *context, int64_t begin, int64_t end)
{
    const struct job *job = context;
    for (int64_t p = begin * job->C; p < end * job->C; p += job->C) {
        for (int64_t c = 0; c < job->C; c += BLOCK) {
            const int64_t width = job->C - c < BLOCK ? job->C - c : BLOCK;
            double dy[BLOCK] = {0};
            job->rows->add_to(width, element(job, job->y, p + c), dy);
            for (int64_t i = 0; i < job->n; i++)
                job->rows->store(width, dy, 1 / (double)job->n, element(job, job->to, position(job, p + c, i)));
        }
    }
}

static void run_samples(struct job *job, mc_range_fn *body)
{
    mc_parallel(job->x->shape.dim[0], mc_parallel_grain(job->n * job->C), body, job);
}

static int mean_forward(struct mc_step *step, struct mc_error *err)
{
    struct job job;
    job_init(&job, step, NULL, step->out[0]);
    if (job.last)
        run_samples(&job, mean_samples);
    else
        run_planes(&job, mean_planes);
    return MC_OK;
}

static void mean_grad_planes(void *context, int64_t begin, int64_t end)
{
    const struct job *job = context;
    for (int64_t p = begin; p < end; p++) fill(job, p, mc_tensor_get_f64(job->y, p) / (double)job->n);
}

static int mean_backward(struct mc_step *step, struct mc_error *err)
{
    struct job job;
    job_init(&job, step, step->grad_out[0], step->grad_in[0]);
    if (job.last)
        run_samples(&job, mean_grad_samples);
    else
        run_planes(&job, mean_grad_planes);
    return MC_OK;
}

/* --- maxima --- */

/* Where the first largest element of plane p is, or the first NaN; -1 in an empty plane. */
static int64_t find_largest(const struct job *job, int64_t p)
{
    int64_t at = -1;
    double best = -INFINITY;
    for (int64_t i = 0; i < job->n; i++) {
        const int64_t here = position(job, p, i);
        const double v = mc_tensor_get_f64(job->x, here);
        if (isnan(v)) return here;
        if (at < 0 || v > best) {
            at = here;
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
    struct job job;
    job_init(&job, step, NULL, step->out[0]);
    run_planes(&job, max_planes);
    return MC_OK;
}

static void max_grad_planes(void *context, int64_t begin, int64_t end)
{
    const struct job *job = context;
    for (int64_t p = begin; p < end; p++) {
        fill(job, p, 0);
        const int64_t at = find_largest(job, p);
        if (at >= 0) mc_tensor_set_f64(job->to, at, mc_tensor_get_f64(job->y, p));
    }
}

static int max_backward(struct mc_step *step, struct mc_error *err)
{
    struct job job;
    job_init(&job, step, step->grad_out[0], step->grad_in[0]);
    run_planes(&job, max_grad_planes);
    return MC_OK;
}

static int global_coupling(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err)
{
    const int rc = mc_couple_axes(c, node->inputs[0], 0, node->outputs[0], 0, err);
    return rc < 0 ? rc : mc_couple_axes(c, node->inputs[0], 1, node->outputs[0], 1, err);
}

#define GLOBAL_POOL                                                                                                    \
    .domain = "", .since = 1, .min_inputs = 1, .max_inputs = 1, .n_outputs = 1, .grad_inputs = 1, .widens = true,      \
    .shape = global_shape, .outline = global_outline, .order = mc_order_same, .coupling = global_coupling,             \
    .cost = mc_cost_elementwise

const struct mc_op mc_op_global_average_pool_1 = {
    GLOBAL_POOL,          .type = "GlobalAveragePool", .on_bytes = mc_bytes_global_average_pool,
    .keep = MC_KEEP_NONE, .forward = mean_forward,     .backward = mean_backward,
};

const struct mc_op mc_op_global_max_pool_1 = {
    GLOBAL_POOL, .type = "GlobalMaxPool", .keep = MC_KEEP_IN, .forward = max_forward, .backward = max_backward,
};
