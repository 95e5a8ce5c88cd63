/* pool.c - MaxPool (ONNX opsets 1, 8, 10, 11, 12, 22) and AveragePool (1, 7, 10, 11, 19, 22) over windows that slide
 * along one to three spatial axes of x [N, C, …]. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "kernel/kernels.h"
#include "kernel/parallel.h"
#include "kernel/pooling.h"
#include "op/ops.h"
#include "op/sliding.h"

struct pool {
    struct mc_pooling pooling;
    double *share; /* AveragePool: [outputs of a plane] */
};

/* Channels in one run of the loops where they lie last: wide enough for SIMD, few enough to share the work. */
enum { CHUNK = 64 };

static int pool_window(const struct mc_node *node, const struct mc_fact *x, struct mc_window *window,
                       struct mc_error *err)
{
    return mc_sliding_window(node, x, NULL, mc_node_int(node, "ceil_mode", 0) != 0, window, err);
}

static int pool_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                      struct mc_error *err)
{
    struct mc_window window;
    int rc = mc_need_dtype(node, 0, in[0], MC_TYPES_FLOAT, err);
    if (rc == MC_OK) rc = pool_window(node, in[0], &window, err);
    if (rc == MC_OK && mc_window_inputs(&window) > INT32_MAX)
        rc = mc_error_set(err, MC_ERR_UNSUPPORTED, "input 0 '%s': needs fewer than 2^31 elements in a plane",
                          node->inputs[0]->name);
    if (rc < 0) return rc;
    out[0].dtype = in[0]->dtype;
    out[0].shape = mc_sliding_shape(&window, in[0]->shape.dim[0], in[0]->shape.dim[1]);
    return MC_OK;
}

static int max_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                     struct mc_error *err)
{
    const int rc = pool_shape(node, in, out, err);
    out[1].dtype = MC_INT64;
    out[1].shape = out[0].shape;
    return rc;
}

/* Row-major planes of channels by themselves, or of all channels of a sample, which do not mix either. Where positions
 * are to be given out, they are those in row-major order. */
static enum mc_order pool_order(const struct mc_step *step)
{
    return step->n_out > 1 && step->out[1] ? MC_ORDER_FIRST : MC_ORDER_SAME;
}

static int pool_prepare(struct mc_step *step, struct mc_error *err)
{
    struct pool *pool = MC_NEW(struct pool);
    if (!pool) return mc_error_memory(err);
    step->state = pool;
    const struct mc_fact x = {.dtype = step->in[0]->dtype, .shape = step->in[0]->shape};
    struct mc_window window;
    const int rc = pool_window(step->node, &x, &window, err);
    const bool last = step->in[0]->channels_last || step->out[0]->channels_last;
    pool->pooling.window = mc_window_as_3d(&window);
    pool->pooling.pitch = pool->pooling.width = last ? step->in[0]->shape.dim[1] : 1;
    return rc;
}

static void pool_release(struct mc_step *step)
{
    struct pool *pool = step->state;
    if (pool) mc_free(pool->share);
    mc_free(pool);
    step->state = NULL;
}

/* --- over planes --- */

struct job {
    struct mc_pooling pooling; /* of a whole plane */
    const struct mc_pooling_loops *loops;
    const double *share;
    const char *from;
    char *to;
    size_t size;          /* of an element */
    int64_t n_from, n_to; /* elements of a plane */
    int32_t *at;          /* positions of all planes, or NULL */
    int64_t outputs;      /* elements of a plane, as of `at` */
    int64_t chunks;       /* of a plane's channels */
};

/* One chunk of a plane. */
struct piece {
    struct mc_pooling pooling;
    const void *from;
    void *to;
    int32_t *at;
};

static struct piece piece_of(const struct job *job, int64_t i)
{
    const int64_t plane = i / job->chunks, first = i % job->chunks * CHUNK;
    struct piece piece = {
        .pooling = job->pooling,
        .from = job->from + (size_t)(plane * job->n_from + first) * job->size,
        .to = job->to + (size_t)(plane * job->n_to + first) * job->size,
        .at = job->at ? job->at + plane * job->outputs + first : NULL,
    };
    if (piece.pooling.width - first > CHUNK)
        piece.pooling.width = CHUNK;
    else
        piece.pooling.width -= first;
    return piece;
}

static void run_planes(struct job *job, const struct mc_step *step, mc_range_fn *body)
{
    const int64_t planes = mc_shape_span(&step->in[0]->shape, 0, 2) / job->pooling.pitch;
    const int64_t work = job->outputs / job->chunks * mc_window_taps(&job->pooling.window) * 2;
    mc_parallel(planes * job->chunks, mc_parallel_grain(work), body, job);
}

static void job_init(struct job *job, const struct mc_step *step, const struct mc_tensor *from,
                     const struct mc_tensor *to, bool backward)
{
    const struct pool *pool = step->state;
    const struct mc_pooling *p = &pool->pooling;
    const int64_t inputs = mc_window_inputs(&p->window) * p->pitch, outputs = mc_window_outputs(&p->window) * p->pitch;
    *job = (struct job){
        .pooling = *p,
        .loops = &step->runtime->kernels->poolings->of[from->dtype == MC_DOUBLE ? MC_POOLING_F64 : MC_POOLING_F32],
        .share = pool->share,
        .from = from->data,
        .to = to->data,
        .size = (size_t)mc_dtype_bits(from->dtype) / 8,
        .n_from = backward ? outputs : inputs,
        .n_to = backward ? inputs : outputs,
        .outputs = outputs,
        .chunks = (p->width + CHUNK - 1) / CHUNK,
    };
}

/* --- MaxPool --- */

static int max_prepare(struct mc_step *step, struct mc_error *err)
{
    const int rc = pool_prepare(step, err);
    if (rc < 0) return rc;
    const size_t positions = (size_t)mc_tensor_count(step->out[0]) * sizeof(int32_t);
    if (step->training)
        step->saved_bytes = positions;
    else if (step->out[1])
        step->workspace_bytes = positions;
    return MC_OK;
}

static void max_planes(void *context, int64_t begin, int64_t end)
{
    const struct job *job = context;
    for (int64_t i = begin; i < end; i++) {
        const struct piece p = piece_of(job, i);
        job->loops->max(&p.pooling, p.from, p.to, p.at);
    }
}

/* The position of element `at` of a plane counted along columns first: storage_order 1 (with one plane axis: the same).
 */
static int64_t column_major(const struct mc_window *w, int64_t at)
{
    const int64_t x = at % w->in[2], y = at / w->in[2] % w->in[1], z = at / (w->in[2] * w->in[1]);
    return (x * w->in[1] + y) * w->in[0] + z;
}

/* Indices: positions in the whole of x. */
static void write_indices(const struct mc_step *step, const struct job *job)
{
    const struct mc_window *w = &job->pooling.window;
    const bool columns = mc_node_int(step->node, "storage_order", 0) != 0;
    const int64_t inputs = mc_window_inputs(w);
    int64_t *indices = step->out[1]->data;
    for (int64_t p = 0; p < mc_shape_span(&step->in[0]->shape, 0, 2); p++)
        for (int64_t i = 0; i < job->outputs; i++) {
            const int64_t at = job->at[p * job->outputs + i];
            indices[p * job->outputs + i] = p * inputs + (columns ? column_major(w, at) : at);
        }
}

static int max_forward(struct mc_step *step, struct mc_error *err)
{
    struct job job;
    job_init(&job, step, step->in[0], step->out[0], false);
    job.at = step->training ? step->saved : step->out[1] ? step->workspace : NULL;
    run_planes(&job, step, max_planes);
    if (step->out[1]) write_indices(step, &job);
    return MC_OK;
}

static void max_grad_planes(void *context, int64_t begin, int64_t end)
{
    const struct job *job = context;
    for (int64_t i = begin; i < end; i++) {
        const struct piece p = piece_of(job, i);
        job->loops->max_grad(&p.pooling, p.at, p.from, p.to);
    }
}

static int max_backward(struct mc_step *step, struct mc_error *err)
{
    struct job job;
    job_init(&job, step, step->grad_out[0], step->grad_in[0], true);
    job.at = step->saved;
    run_planes(&job, step, max_grad_planes);
    return MC_OK;
}

/* --- AveragePool --- */

static int mean_prepare(struct mc_step *step, struct mc_error *err)
{
    const int rc = pool_prepare(step, err);
    if (rc < 0) return rc;
    struct pool *pool = step->state;
    pool->share = MC_NEW_ARRAY(double, mc_window_outputs(&pool->pooling.window));
    if (!pool->share) return mc_error_memory(err);
    mc_pooling_shares(&pool->pooling.window, mc_node_int(step->node, "count_include_pad", 0) != 0, pool->share);
    return MC_OK;
}

static void mean_planes(void *context, int64_t begin, int64_t end)
{
    const struct job *job = context;
    for (int64_t i = begin; i < end; i++) {
        const struct piece p = piece_of(job, i);
        job->loops->mean(&p.pooling, job->share, p.from, p.to);
    }
}

static int mean_forward(struct mc_step *step, struct mc_error *err)
{
    struct job job;
    job_init(&job, step, step->in[0], step->out[0], false);
    run_planes(&job, step, mean_planes);
    return MC_OK;
}

static void mean_grad_planes(void *context, int64_t begin, int64_t end)
{
    const struct job *job = context;
    for (int64_t i = begin; i < end; i++) {
        const struct piece p = piece_of(job, i);
        job->loops->mean_grad(&p.pooling, job->share, p.from, p.to);
    }
}

static int mean_backward(struct mc_step *step, struct mc_error *err)
{
    struct job job;
    job_init(&job, step, step->grad_out[0], step->grad_in[0], true);
    run_planes(&job, step, mean_grad_planes);
    return MC_OK;
}

/* --- surgery --- */

/* Samples and channels pass; what happens along the spatial axes mixes their indices. */
static int pool_coupling(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err)
{
    int rc = MC_OK;
    for (int k = 0; k < node->n_outputs && rc == MC_OK; k++)
        for (int axis = 0; axis < 2 && node->outputs[k] && rc == MC_OK; axis++)
            rc = mc_couple_axes(c, node->inputs[0], axis, node->outputs[k], axis, err);
    /* Indices count through all channels: fewer channels would change them. */
    if (rc == MC_OK && node->n_outputs > 1 && node->outputs[1])
        rc = mc_couple_freeze(c, node, node->inputs[0], 1, "the output Indices counts through the channels", err);
    return rc;
}

#define POOL_RULES                                                                                                     \
    .domain = "", .min_inputs = 1, .max_inputs = 1, .grad_inputs = 1, .order = pool_order, .release = pool_release,    \
    .coupling = pool_coupling, .cost = mc_cost_elementwise

const struct mc_op mc_op_max_pool_1 = {
    POOL_RULES,
    .type = "MaxPool",
    .since = 1,
    .n_outputs = 2,
    .shape = max_shape,
    .prepare = max_prepare,
    .forward = max_forward,
    .backward = max_backward,
};

const struct mc_op mc_op_average_pool_1 = {
    POOL_RULES,
    .type = "AveragePool",
    .since = 1,
    .n_outputs = 1,
    .shape = pool_shape,
    .prepare = mean_prepare,
    .forward = mean_forward,
    .backward = mean_backward,
};
