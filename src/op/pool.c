/* pool.c - MaxPool (ONNX opsets 1, 8, 10, 11, 12, 22) and AveragePool (1, 7, 10, 11, 19, 22) over windows that slide
 * along one to three spatial axes of x [N, C, …]. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "kernel/copy.h"
#include "kernel/kernels.h"
#include "kernel/parallel.h"
#include "kernel/pooling.h"
#include "op/byte_rules.h"
#include "op/ops.h"
#include "op/outline.h"
#include "op/sliding.h"

struct pool {
    struct mc_window window; /* three axes */
    double *share;           /* AveragePool: [outputs of a plane] */
};

static int pool_window(const struct mc_node *node, const struct mc_fact *x, struct mc_window *window,
                       struct mc_error *err)
{
    return mc_sliding_window(node, x, NULL, mc_node_int(node, "ceil_mode", 0) != 0, window, err);
}

static int window_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                        uint64_t types, struct mc_error *err)
{
    struct mc_window window;
    int rc = mc_need_dtype(node, 0, in[0], types, err);
    if (rc == MC_OK) rc = pool_window(node, in[0], &window, err);
    if (rc == MC_OK && mc_window_inputs(&window) > INT32_MAX)
        rc = mc_error_set(err, MC_ERR_UNSUPPORTED, "input 0 '%s': needs fewer than 2^31 elements in a plane",
                          node->inputs[0]->name);
    if (rc < 0) return rc;
    out[0].dtype = in[0]->dtype;
    out[0].shape = mc_sliding_shape(&window, in[0]->shape.dim[0], in[0]->shape.dim[1]);
    return MC_OK;
}

static int pool_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                      struct mc_error *err)
{
    return window_shape(node, in, out, MC_TYPES_FLOAT, err);
}

static int max_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                     struct mc_error *err)
{
    const int rc = window_shape(node, in, out, MC_TYPES_FLOAT | MC_TYPE_BIT(MC_INT8) | MC_TYPE_BIT(MC_UINT8), err);
    out[1].dtype = MC_INT64;
    out[1].shape = out[0].shape;
    return rc;
}

static void pool_outline(struct mc_symbols *s, const struct mc_node *node, const struct mc_outline *const *in,
                         struct mc_outline *out)
{
    if (in[0]->rank < 3) return;
    mc_outline_same(s, node, in, &out[0]);
    mc_sliding_outline(s, node, in[0], NULL, mc_node_int(node, "ceil_mode", 0) != 0, &out[0]);
    if (node->op->n_outputs > 1) out[1] = out[0];
}

static int64_t n_planes(const struct mc_step *step)
{
    return mc_shape_span(&step->in[0]->shape, 0, 2);
}

static enum mc_order pool_order(const struct mc_step *step)
{
    return step->out[1] ? MC_ORDER_FIRST : MC_ORDER_ANY;
}

/* Loops run in the order in which x lies. Where y lies otherwise it is turned, being the smaller. */
static bool turns(const struct mc_step *step)
{
    const struct mc_tensor *x = step->in[0], *y = step->out[0];
    return x->channels_last != y->channels_last && mc_shape_span(&y->shape, 2, y->shape.rank) != 1;
}

static int pool_prepare(struct mc_step *step, struct mc_error *err)
{
    struct pool *pool = MC_NEW(struct pool);
    if (!pool) return mc_error_memory(err);
    step->state = pool;
    const struct mc_fact x = {.dtype = step->in[0]->dtype, .shape = step->in[0]->shape};
    struct mc_window window;
    const int rc = pool_window(step->node, &x, &window, err);
    if (rc < 0) return rc;
    pool->window = mc_window_as_3d(&window);
    if (turns(step)) step->workspace_bytes = mc_tensor_bytes(step->out[0]);
    return MC_OK;
}

static void pool_release(struct mc_step *step)
{
    struct pool *pool = step->state;
    if (pool) mc_free(pool->share);
    mc_free(pool);
    step->state = NULL;
}

/* --- over planes, or where channels lie last over samples --- */

struct job {
    const struct pool *pool;
    const struct mc_pooling_loops *loops;
    bool last;
    int64_t channels; /* of an item: all that lie last, or 1 */
    int64_t n_items;
    const char *from;
    char *to;
    size_t from_bytes, to_bytes; /* of an item */
    int32_t *at;                 /* positions of all items, or NULL */
    int64_t outputs;             /* of an item */
};

static enum mc_pooling_type type_of(enum mc_dtype dtype)
{
    switch (dtype) {
    case MC_DOUBLE:
        return MC_POOLING_F64;
    case MC_UINT8:
        return MC_POOLING_U8;
    case MC_INT8:
        return MC_POOLING_I8;
    default:
        return MC_POOLING_F32;
    }
}

static void job_init(struct job *job, const struct mc_step *step)
{
    const struct mc_tensor *x = step->in[0];
    const struct pool *pool = step->state;
    const bool last = x->channels_last;
    const int64_t channels = last ? x->shape.dim[1] : 1;
    *job = (struct job){
        .pool = pool,
        .loops = &step->runtime->kernels->poolings->of[type_of(x->dtype)],
        .last = last,
        .channels = channels,
        .n_items = last ? x->shape.dim[0] : n_planes(step),
        .outputs = channels * mc_window_outputs(&pool->window),
    };
}

static void job_set(struct job *job, const struct mc_tensor *x, const void *from, void *to, bool backward)
{
    const size_t size = (size_t)mc_dtype_bits(x->dtype) / 8;
    const size_t inputs = (size_t)(job->channels * mc_window_inputs(&job->pool->window)) * size;
    job->from = from;
    job->to = to;
    job->from_bytes = backward ? (size_t)job->outputs * size : inputs;
    job->to_bytes = backward ? inputs : (size_t)job->outputs * size;
}

static void turn(const struct mc_step *step, void *to, const void *from, bool to_last)
{
    const struct mc_shape *y = &step->out[0]->shape;
    mc_turn_channels(to, from, y->dim[0], y->dim[1], mc_shape_span(y, 2, y->rank),
                     (size_t)mc_dtype_bits(step->out[0]->dtype) / 8, to_last);
}

static int64_t output_rows(const struct job *job)
{
    return job->pool->window.out[0] * job->pool->window.out[1];
}

/* `planes` takes items, `rows` the rows of the outputs of all items. */
static void run_forward(struct job *job, struct mc_step *step, mc_range_fn *planes, mc_range_fn *rows)
{
    struct mc_tensor *y = step->out[0];
    const int64_t n_rows = output_rows(job), work = job->outputs * mc_window_taps(&job->pool->window) * 2;
    job_set(job, step->in[0], step->in[0]->data, turns(step) ? step->workspace : y->data, false);
    if (job->last)
        mc_parallel(job->n_items * n_rows, mc_parallel_grain(n_rows > 0 ? work / n_rows : 0), rows, job);
    else
        mc_parallel(job->n_items, mc_parallel_grain(work), planes, job);
    if (turns(step)) turn(step, y->data, step->workspace, y->channels_last);
}

static void run_backward(struct job *job, struct mc_step *step, mc_range_fn *items)
{
    const void *dy = step->grad_out[0]->data;
    if (turns(step)) {
        turn(step, step->workspace, dy, job->last);
        dy = step->workspace;
    }
    job_set(job, step->in[0], dy, step->grad_in[0]->data, true);
    mc_parallel(job->n_items, mc_parallel_grain(job->outputs * mc_window_taps(&job->pool->window) * 2), items, job);
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

static int32_t *positions(const struct job *job, int64_t item)
{
    return job->at ? job->at + item * job->outputs : NULL;
}

static void max_planes(void *context, int64_t begin, int64_t end)
{
    const struct job *job = context;
    for (int64_t p = begin; p < end; p++)
        job->loops->max(&job->pool->window, job->from + (size_t)p * job->from_bytes,
                        job->to + (size_t)p * job->to_bytes, positions(job, p));
}

static void max_rows(void *context, int64_t begin, int64_t end)
{
    const struct job *job = context;
    const int64_t n_rows = output_rows(job);
    for (int64_t i = begin; i < end; i++) {
        const int64_t sample = i / n_rows;
        job->loops->max_last(&job->pool->window, job->channels, i % n_rows,
                             job->from + (size_t)sample * job->from_bytes, job->to + (size_t)sample * job->to_bytes,
                             positions(job, sample));
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
    const struct mc_window *w = &job->pool->window;
    const bool columns = mc_node_int(step->node, "storage_order", 0) != 0;
    const int64_t inputs = mc_window_inputs(w);
    int64_t *indices = step->out[1]->data;
    for (int64_t p = 0; p < n_planes(step); p++)
        for (int64_t i = 0; i < job->outputs; i++) {
            const int64_t at = job->at[p * job->outputs + i];
            indices[p * job->outputs + i] = p * inputs + (columns ? column_major(w, at) : at);
        }
}

static int max_forward(struct mc_step *step, struct mc_error *err)
{
    struct job job;
    job_init(&job, step);
    job.at = step->training ? step->saved : step->out[1] ? step->workspace : NULL;
    run_forward(&job, step, max_planes, max_rows);
    if (step->out[1]) write_indices(step, &job);
    return MC_OK;
}

static void max_grad_items(void *context, int64_t begin, int64_t end)
{
    const struct job *job = context;
    for (int64_t i = begin; i < end; i++) {
        const void *dy = job->from + (size_t)i * job->from_bytes;
        void *dx = job->to + (size_t)i * job->to_bytes;
        if (job->last)
            job->loops->max_last_grad(&job->pool->window, job->channels, positions(job, i), dy, dx);
        else
            job->loops->max_grad(&job->pool->window, positions(job, i), dy, dx);
    }
}

static int max_backward(struct mc_step *step, struct mc_error *err)
{
    struct job job;
    job_init(&job, step);
    job.at = step->saved;
    run_backward(&job, step, max_grad_items);
    return MC_OK;
}

/* --- AveragePool --- */

static int mean_prepare(struct mc_step *step, struct mc_error *err)
{
    const int rc = pool_prepare(step, err);
    if (rc < 0) return rc;
    struct pool *pool = step->state;
    pool->share = MC_NEW_ARRAY(double, mc_window_outputs(&pool->window));
    if (!pool->share) return mc_error_memory(err);
    mc_pooling_shares(&pool->window, mc_node_int(step->node, "count_include_pad", 0) != 0, pool->share);
    return MC_OK;
}

static void mean_planes(void *context, int64_t begin, int64_t end)
{
    const struct job *job = context;
    for (int64_t p = begin; p < end; p++)
        job->loops->mean(&job->pool->window, job->pool->share, job->from + (size_t)p * job->from_bytes,
                         job->to + (size_t)p * job->to_bytes);
}

static void mean_rows(void *context, int64_t begin, int64_t end)
{
    const struct job *job = context;
    const int64_t n_rows = output_rows(job);
    for (int64_t i = begin; i < end; i++) {
        const int64_t sample = i / n_rows;
        job->loops->mean_last(&job->pool->window, job->channels, i % n_rows, job->pool->share,
                              job->from + (size_t)sample * job->from_bytes, job->to + (size_t)sample * job->to_bytes);
    }
}

static int mean_forward(struct mc_step *step, struct mc_error *err)
{
    struct job job;
    job_init(&job, step);
    run_forward(&job, step, mean_planes, mean_rows);
    return MC_OK;
}

static void mean_grad_items(void *context, int64_t begin, int64_t end)
{
    const struct job *job = context;
    for (int64_t i = begin; i < end; i++) {
        const void *dy = job->from + (size_t)i * job->from_bytes;
        void *dx = job->to + (size_t)i * job->to_bytes;
        if (job->last)
            job->loops->mean_last_grad(&job->pool->window, job->channels, job->pool->share, dy, dx);
        else
            job->loops->mean_grad(&job->pool->window, job->pool->share, dy, dx);
    }
}

static int mean_backward(struct mc_step *step, struct mc_error *err)
{
    struct job job;
    job_init(&job, step);
    run_backward(&job, step, mean_grad_items);
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
    .on_bytes = mc_bytes_move,
    .since = 1,
    .n_outputs = 2,
    .widens = true,
    .shape = max_shape,
    .outline = pool_outline,
    .prepare = max_prepare,
    .forward = max_forward,
    .backward = max_backward,
};

const struct mc_op mc_op_average_pool_1 = {
    POOL_RULES,
    .type = "AveragePool",
    .since = 1,
    .n_outputs = 1,
    .widens = true,
    .shape = pool_shape,
    .outline = pool_outline,
    .prepare = mean_prepare,
    .forward = mean_forward,
    .backward = mean_backward,
};
