/* batch_normalization.c - BatchNormalization (ONNX opsets 1, 6, 7, 9, 14, 15): y = (x - mean) / sqrt(var + epsilon) *
 * scale + B, per channel, which is axis 1. (Ioffe, Szegedy 2015)
 *
 * Mean and variance are the running ones (inputs 3 and 4), or those of the batch:
 *   - where the node says training_mode 1 (opset 14) or, before, has more than one output: outputs 1 and 2 are
 *     running * momentum + batch * (1 - momentum), with the variance over all n elements, 3 and 4 the batch's;
 *   - in a training plan, unless batch norm is frozen, whatever the node says: that is how a network exported for
 * inference is fine-tuned. The running statistics are then updated in place, in the tensors of inputs 3 and 4, as
 * PyTorch does it, with the variance over n - 1. Where other processes have the rest of the batch (base/peers.h), it
 * is the whole batch all the same: the sums are added over all of them.
 */
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/peers.h"
#include "kernel/channel.h"
#include "kernel/kernels.h"
#include "kernel/parallel.h"
#include "op/fused.h"
#include "op/ops.h"
#include "op/outline.h"

/* Cheap elements' worth of each element: two sums and a map. */
#define NORM_WORK 4
/* Where channels lie last, sums are taken over blocks of rows: of so many elements, but at most so many blocks. The cut
 * does not depend on the number of threads, and so nor do the sums. */
#define BLOCK_ELEMENTS 16384
#define MAX_BLOCKS 64

enum { X, SCALE, SHIFT, MEAN, VARIANCE, N_INPUTS };

static bool in_training_mode(const struct mc_node *node)
{
    if (node->op->since >= 14) return mc_node_int(node, "training_mode", 0) != 0;
    for (int i = 1; i < node->n_outputs; i++)
        if (node->outputs[i]) return true;
    return false;
}

/* Before opset 9 the attribute spatial 0 gave every element of a sample statistics and factors of its own. */
static bool is_per_element(const struct mc_node *node)
{
    return !mc_node_int(node, "spatial", 1);
}

static int need_channels(const struct mc_node *node, const struct mc_fact *const *in, int i, struct mc_error *err)
{
    const bool per_element = is_per_element(node);
    const int64_t channels = mc_shape_span(&in[X]->shape, 1, per_element ? in[X]->shape.rank : 2);
    int rc = mc_need_dtype(node, i, in[i], MC_TYPES_FLOAT, err);
    if (rc == MC_OK && in[i]->dtype != in[X]->dtype)
        rc = mc_error_set(err, MC_ERR_UNSUPPORTED, "input %d '%s': needs %s as input 0, has %s", i,
                          node->inputs[i]->name, mc_dtype_name(in[X]->dtype), mc_dtype_name(in[i]->dtype));
    if (rc == MC_OK) rc = mc_need_rank(node, i, in[i], 1, per_element ? MC_MAX_RANK : 1, err);
    if (rc == MC_OK && mc_shape_count(&in[i]->shape) != channels)
        rc = mc_error_set(err, MC_ERR_INPUT, "input %d '%s': needs %lld channels, has %lld", i, node->inputs[i]->name,
                          (long long)channels, (long long)mc_shape_count(&in[i]->shape));
    return rc;
}

static int norm_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                      struct mc_error *err)
{
    int rc = mc_need_dtype(node, X, in[X], MC_TYPES_FLOAT, err);
    if (rc == MC_OK) rc = mc_need_rank(node, X, in[X], 2, MC_MAX_RANK, err);
    for (int i = SCALE; i < N_INPUTS && rc == MC_OK; i++) rc = need_channels(node, in, i, err);
    if (rc == MC_OK && in_training_mode(node) && mc_node_int(node, "is_test", 0))
        rc = mc_error_set(err, MC_ERR_INPUT, "needs 1 output with 'is_test', has %d", node->n_outputs);
    if (rc < 0) return rc;
    out[0].dtype = in[X]->dtype;
    out[0].shape = in[X]->shape;
    for (int i = 1; i < node->op->n_outputs; i++) {
        out[i].dtype = in[X]->dtype;
        out[i].shape = in[SCALE]->shape;
    }
    return MC_OK;
}

/* What was subtracted and multiplied by, for each channel. */
struct statistics {
    double mean, inverse;
};

struct job {
    const struct mc_channel_loops *loops;
    struct mc_channel channel;
    int64_t n, C; /* elements of a channel, channels */
    size_t size;
    double epsilon, momentum;
    bool of_batch;          /* statistics of the batch */
    bool update;            /* running statistics in place */
    double count;           /* elements of a channel in the whole batch */
    struct mc_peers *peers; /* who has the rest of it; NULL: nobody */
    double *all;            /* then: count, and two sums of each channel over all of it, [1 + 2 C] */
    double *own;            /* what of these sums comes from here, [2 C] */
    const struct mc_step *step;
    struct statistics *saved; /* one a channel, or NULL */
    /* rows of channels */
    int64_t block_rows, n_blocks;
    double *sums;    /* [blocks, 2, C] */
    double *center;  /* [C] */
    char *a, *b, *c; /* [C] each, of the type of x */
};

/* Channels that lie last, or of one number each, are taken by rows; else one channel after the other. */
static bool by_rows(const struct mc_step *step)
{
    const struct mc_tensor *x = step->in[X];
    return x->channels_last || is_per_element(step->node) || mc_shape_span(&x->shape, 2, x->shape.rank) == 1;
}

static void cut_blocks(struct job *job)
{
    job->block_rows = BLOCK_ELEMENTS / (job->C > 0 ? job->C : 1);
    if (job->block_rows < job->n / MAX_BLOCKS + 1) job->block_rows = job->n / MAX_BLOCKS + 1;
    job->n_blocks = (job->n + job->block_rows - 1) / job->block_rows;
}

static size_t shared_count(const struct job *job)
{
    return job->peers ? (size_t)(1 + 4 * job->C) : 0;
}

static size_t workspace_bytes(const struct job *job, bool rows)
{
    const size_t C = (size_t)job->C, shared = shared_count(job) * sizeof(double);
    return shared + (rows ? C * (sizeof(double) * (size_t)(2 * job->n_blocks + 1) + 3 * job->size) : 0);
}

static void job_init(struct job *job, const struct mc_step *step)
{
    const struct mc_tensor *x = step->in[X];
    const bool per_element = is_per_element(step->node);
    const int64_t C = mc_shape_span(&x->shape, 1, per_element ? x->shape.rank : 2);
    const int64_t spatial = per_element ? 1 : mc_shape_span(&x->shape, 2, x->shape.rank);
    const bool trainer = step->training && !step->runtime->freeze_batch_norm;
    *job = (struct job){
        .loops = &step->runtime->kernels->channels->of[x->dtype == MC_DOUBLE ? MC_CHANNEL_F64 : MC_CHANNEL_F32],
        .channel = {.n = x->shape.dim[0], .length = spatial, .stride = C * spatial},
        .n = x->shape.dim[0] * spatial,
        .C = C,
        .size = (size_t)mc_dtype_bits(x->dtype) / 8,
        .epsilon = (double)mc_node_float(step->node, "epsilon", 1e-5f),
        .momentum = (double)mc_node_float(step->node, "momentum", 0.9f),
        .of_batch = trainer || in_training_mode(step->node),
        .update = trainer && !in_training_mode(step->node),
        .step = step,
        .saved = step->saved,
    };
    job->count = (double)job->n;
    job->peers = step->training && job->of_batch ? step->runtime->peers : NULL;
    cut_blocks(job);
    if (!step->workspace) return; /* it needs none, or does not run yet */
    job->all = job->peers ? step->workspace : NULL;
    job->own = job->peers ? job->all + 1 + 2 * job->C : NULL;
    if (!by_rows(step)) return;
    job->sums = (double *)step->workspace + shared_count(job);
    job->center = job->sums + 2 * job->n_blocks * job->C;
    job->a = (char *)(job->center + job->C);
    job->b = job->a + (size_t)job->C * job->size;
    job->c = job->b + (size_t)job->C * job->size;
}

static int norm_prepare(struct mc_step *step, struct mc_error *err)
{
    struct job job;
    job_init(&job, step);
    if (step->training) step->saved_bytes = (size_t)job.C * sizeof(struct statistics);
    step->workspace_bytes = workspace_bytes(&job, by_rows(step));
    return MC_OK;
}

/* --- statistics --- */

static void blend(const struct job *job, struct mc_tensor *to, const struct mc_tensor *from, int64_t c, double value)
{
    mc_tensor_set_f64(to, c, mc_tensor_get_f64(from, c) * job->momentum + value * (1 - job->momentum));
}

/* Statistics of channel c, of which the batch is told by the sums of x - center and of (x - center)^2. */
static struct statistics settle(const struct job *job, int64_t c, double center, const double sums[2])
{
    const struct mc_step *step = job->step;
    const double n = job->count, mean = center + sums[0] / n;
    const double squares = fmax(0, sums[1] - sums[0] * sums[0] / n), variance = squares / n;
    if (job->update) {
        blend(job, step->in[MEAN], step->in[MEAN], c, mean);
        blend(job, step->in[VARIANCE], step->in[VARIANCE], c, n > 1 ? squares / (n - 1) : variance);
    }
    if (step->n_out > 1 && step->out[1]) blend(job, step->out[1], step->in[MEAN], c, mean);
    if (step->n_out > 2 && step->out[2]) blend(job, step->out[2], step->in[VARIANCE], c, variance);
    if (step->n_out > 3 && step->out[3]) mc_tensor_set_f64(step->out[3], c, mean);
    if (step->n_out > 4 && step->out[4]) mc_tensor_set_f64(step->out[4], c, variance);
    return (struct statistics){mean, 1 / sqrt(variance + job->epsilon)};
}

static struct statistics of_running(const struct job *job, int64_t c)
{
    const double variance = mc_tensor_get_f64(job->step->in[VARIANCE], c);
    return (struct statistics){mc_tensor_get_f64(job->step->in[MEAN], c), 1 / sqrt(variance + job->epsilon)};
}

/* y = a x + b */
struct affine {
    double a, b;
};

static struct affine affine_of(const struct job *job, int64_t c, const struct statistics *s)
{
    const double a = mc_tensor_get_f64(job->step->in[SCALE], c) * s->inverse;
    if (job->saved) job->saved[c] = *s;
    return (struct affine){a, mc_tensor_get_f64(job->step->in[SHIFT], c) - s->mean * a};
}

/* dx = a dy + b x + c. With h = (x - mean) * inverse: dshift = sum dy, dscale = sum dy h, and
 * dx = scale * inverse * (dy - dshift/n - h * dscale/n) for statistics of the batch, scale * inverse * dy for running
 * ones. */
struct affine_grad {
    double a, b, c;
};

/* From the sums of dy and of dy (x - mean); writes dscale and dshift, which are of what is here alone: gradients of
 * parameters are added over all processes in the end. */
static struct affine_grad affine_grad_of(const struct job *job, int64_t c, const double sums[2])
{
    const struct mc_step *step = job->step;
    const struct statistics s = job->saved[c];
    if (step->grad_in[SCALE]) mc_tensor_set_f64(step->grad_in[SCALE], c, sums[1] * s.inverse);
    if (step->grad_in[SHIFT]) mc_tensor_set_f64(step->grad_in[SHIFT], c, sums[0]);
    if (job->all) sums = job->all + 1 + 2 * c;
    const double n = job->count, dshift = sums[0], dscale = sums[1] * s.inverse;
    const double a = mc_tensor_get_f64(step->in[SCALE], c) * s.inverse;
    const double slope = job->of_batch ? -a * s.inverse * dscale / n : 0;
    return (struct affine_grad){a, slope, job->of_batch ? -a * dshift / n - slope * s.mean : 0};
}

/* --- one channel after the other --- */

static char *channel_data(const struct job *job, const struct mc_tensor *of, int64_t c)
{
    return (char *)of->data + (size_t)(c * job->channel.length) * job->size;
}

/* Of the whole batch, after share_moments. */
static struct statistics of_all(const struct job *job, int64_t c)
{
    return settle(job, c, mc_tensor_get_f64(job->step->in[MEAN], c), job->all + 1 + 2 * c);
}

/* In one pass over data shifted by the first element: a large common part then costs no digits. */
static double channel_moments(const struct job *job, int64_t c, double sums[2])
{
    const struct mc_tensor *x = job->step->in[X];
    const double center = mc_tensor_get_f64(x, c * job->channel.length);
    job->loops->moments(&job->channel, channel_data(job, x, c), center, sums);
    return center;
}

static struct statistics channel_statistics(const struct job *job, int64_t c)
{
    if (!job->of_batch || job->count == 0) return of_running(job, c);
    if (job->all) return of_all(job, c);
    double sums[2];
    const double center = channel_moments(job, c, sums);
    return settle(job, c, center, sums);
}

static void forward_channels(void *context, int64_t begin, int64_t end)
{
    const struct job *job = context;
    for (int64_t c = begin; c < end; c++) {
        const struct statistics s = channel_statistics(job, c);
        const struct affine map = affine_of(job, c, &s);
        job->loops->affine(&job->channel, channel_data(job, job->step->in[X], c), map.a, map.b,
                           channel_data(job, job->step->out[0], c));
    }
}

static void backward_channels(void *context, int64_t begin, int64_t end)
{
    const struct job *job = context;
    const struct mc_step *step = job->step;
    for (int64_t c = begin; c < end; c++) {
        const void *x = channel_data(job, step->in[X], c), *dy = channel_data(job, step->grad_out[0], c);
        double sums[2];
        if (job->own)
            memcpy(sums, job->own + 2 * c, sizeof sums);
        else
            job->loops->grad_sums(&job->channel, x, dy, job->saved[c].mean, sums);
        const struct affine_grad map = affine_grad_of(job, c, sums);
        if (step->grad_in[X])
            job->loops->grad(&job->channel, x, dy, map.a, map.b, map.c, channel_data(job, step->grad_in[X], c));
    }
}

/* --- rows of channels --- */

static int64_t rows_of(const struct job *job, int64_t block)
{
    const int64_t first = block * job->block_rows;
    return first + job->block_rows <= job->n ? job->block_rows : job->n - first;
}

static char *block_data(const struct job *job, const struct mc_tensor *of, int64_t block)
{
    return (char *)of->data + (size_t)(block * job->block_rows * job->C) * job->size;
}

static void set(const struct job *job, char *array, int64_t c, double value)
{
    if (job->size == sizeof(float))
        ((float *)(void *)array)[c] = (float)value;
    else
        ((double *)(void *)array)[c] = value;
}

/* Both sums of channel c over all blocks, in their order. */
static void total(const struct job *job, int64_t c, double sums[2])
{
    sums[0] = sums[1] = 0;
    for (int64_t block = 0; block < job->n_blocks; block++) {
        sums[0] += job->sums[2 * block * job->C + c];
        sums[1] += job->sums[(2 * block + 1) * job->C + c];
    }
}

static void share_blocks(struct job *job, mc_range_fn *body)
{
    mc_parallel(job->n_blocks, mc_parallel_grain(job->block_rows * job->C), body, job);
}

static void sum_blocks(void *context, int64_t begin, int64_t end)
{
    const struct job *job = context;
    for (int64_t i = begin; i < end; i++)
        job->loops->moments_of_rows(rows_of(job, i), job->C, block_data(job, job->step->in[X], i), job->center,
                                    job->sums + 2 * i * job->C);
}

static void map_blocks(void *context, int64_t begin, int64_t end)
{
    const struct job *job = context;
    for (int64_t i = begin; i < end; i++)
        job->loops->affine_of_rows(rows_of(job, i), job->C, block_data(job, job->step->in[X], i), job->a, job->b,
                                   block_data(job, job->step->out[0], i));
}

static void sum_rows(struct job *job)
{
    for (int64_t c = 0; c < job->C; c++) job->center[c] = mc_tensor_get_f64(job->step->in[X], c);
    share_blocks(job, sum_blocks);
}

static struct statistics row_statistics(const struct job *job, int64_t c)
{
    if (!job->of_batch || job->count == 0) return of_running(job, c);
    if (job->all) return of_all(job, c);
    double sums[2];
    total(job, c, sums);
    return settle(job, c, job->center[c], sums);
}

static void forward_rows(struct job *job)
{
    if (job->of_batch && job->n > 0 && !job->all) sum_rows(job);
    for (int64_t c = 0; c < job->C; c++) {
        const struct statistics s = row_statistics(job, c);
        const struct affine map = affine_of(job, c, &s);
        set(job, job->a, c, map.a);
        set(job, job->b, c, map.b);
    }
    share_blocks(job, map_blocks);
}

static void grad_sum_blocks(void *context, int64_t begin, int64_t end)
{
    const struct job *job = context;
    for (int64_t i = begin; i < end; i++)
        job->loops->grad_sums_of_rows(rows_of(job, i), job->C, block_data(job, job->step->in[X], i),
                                      block_data(job, job->step->grad_out[0], i), job->center,
                                      job->sums + 2 * i * job->C);
}

static void grad_blocks(void *context, int64_t begin, int64_t end)
{
    const struct job *job = context;
    for (int64_t i = begin; i < end; i++)
        job->loops->grad_of_rows(rows_of(job, i), job->C, block_data(job, job->step->in[X], i),
                                 block_data(job, job->step->grad_out[0], i), job->a, job->b, job->c,
                                 block_data(job, job->step->grad_in[X], i));
}

static void sum_grad_rows(struct job *job)
{
    for (int64_t c = 0; c < job->C; c++) job->center[c] = job->saved[c].mean;
    share_blocks(job, grad_sum_blocks);
}

static void backward_rows(struct job *job)
{
    if (!job->own) sum_grad_rows(job);
    for (int64_t c = 0; c < job->C; c++) {
        double sums[2];
        if (job->own)
            memcpy(sums, job->own + 2 * c, sizeof sums);
        else
            total(job, c, sums);
        const struct affine_grad map = affine_grad_of(job, c, sums);
        set(job, job->a, c, map.a);
        set(job, job->b, c, map.b);
        set(job, job->c, c, map.c);
    }
    if (job->step->grad_in[X]) share_blocks(job, grad_blocks);
}

/* --- a batch that lies in several processes --- */

static void moments_of_channels(void *context, int64_t begin, int64_t end)
{
    const struct job *job = context;
    for (int64_t c = begin; c < end; c++) {
        double *sums = job->own + 2 * c;
        const double center = by_rows(job->step) ? job->center[c] : channel_moments(job, c, sums);
        if (by_rows(job->step)) total(job, c, sums);
        /* about the running mean, which is the same everywhere */
        const double shift = center - mc_tensor_get_f64(job->step->in[MEAN], c), n = (double)job->n;
        sums[1] += shift * (2 * sums[0] + shift * n);
        sums[0] += shift * n;
    }
}

static void grad_sums_of_channels(void *context, int64_t begin, int64_t end)
{
    const struct job *job = context;
    const struct mc_step *step = job->step;
    for (int64_t c = begin; c < end; c++)
        if (by_rows(step))
            total(job, c, job->own + 2 * c);
        else
            job->loops->grad_sums(&job->channel, channel_data(job, step->in[X], c),
                                  channel_data(job, step->grad_out[0], c), job->saved[c].mean, job->own + 2 * c);
}

/* Fill `own`, and by everybody's `all` and the count. */
static int share_sums(struct job *job, void (*sum_all_rows)(struct job *job), mc_range_fn *sum, struct mc_error *err)
{
    if (by_rows(job->step)) sum_all_rows(job);
    mc_parallel(job->C, mc_parallel_grain(job->n * NORM_WORK), sum, job);
    job->all[0] = (double)job->n;
    memcpy(job->all + 1, job->own, (size_t)(2 * job->C) * sizeof *job->own);
    const int rc = mc_peers_sum_doubles(job->peers, job->all, (size_t)(1 + 2 * job->C), err);
    job->count = job->all[0];
    return rc;
}

/* --- rules --- */

static int norm_forward(struct mc_step *step, struct mc_error *err)
{
    struct job job;
    job_init(&job, step);
    const int rc = job.all ? share_sums(&job, sum_rows, moments_of_channels, err) : MC_OK;
    if (rc < 0) return rc;
    if (by_rows(step))
        forward_rows(&job);
    else
        mc_parallel(job.C, mc_parallel_grain(job.n * NORM_WORK), forward_channels, &job);
    return MC_OK;
}

static int norm_backward(struct mc_step *step, struct mc_error *err)
{
    struct job job;
    job_init(&job, step);
    if (!step->grad_out[0])
        return mc_error_set(err, MC_ERR_UNSUPPORTED, "no derivative of the running statistics that it gives out");
    const int rc = job.all ? share_sums(&job, sum_grad_rows, grad_sums_of_channels, err) : MC_OK;
    if (rc < 0) return rc;
    if (by_rows(step))
        backward_rows(&job);
    else
        mc_parallel(job.C, mc_parallel_grain(job.n * NORM_WORK), backward_channels, &job);
    return MC_OK;
}

static int norm_coupling(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err)
{
    static const enum mc_role roles[] = {MC_ROLE_NONE, MC_ROLE_SCALE, MC_ROLE_SHIFT, MC_ROLE_STATISTIC,
                                         MC_ROLE_STATISTIC};
    const struct mc_value *x = node->inputs[X];
    if (is_per_element(node)) return mc_coupling_freeze_all(c, node, err);
    int rc = mc_coupling_first_input(c, node, err);
    for (int i = SCALE; i < N_INPUTS && rc == MC_OK; i++) {
        rc = mc_couple_axes(c, x, 1, node->inputs[i], 0, err);
        if (rc == MC_OK) rc = mc_couple_role(c, node->inputs[i], 0, roles[i], err);
    }
    for (int i = 1; i < node->n_outputs && rc == MC_OK; i++)
        if (node->outputs[i]) rc = mc_couple_axes(c, x, 1, node->outputs[i], 0, err);
    return rc;
}

/* As the convolution around it likes it, unless channels are no axis of their own. */
static enum mc_order norm_order(const struct mc_step *step)
{
    return is_per_element(step->node) ? MC_ORDER_FIRST : MC_ORDER_SAME;
}

void mc_norm_affine(const struct mc_node *node, const struct mc_tensor *const *of, int64_t c, double *scale,
                    double *shift)
{
    const double epsilon = (double)mc_node_float(node, "epsilon", 1e-5f);
    *scale = mc_tensor_get_f64(of[SCALE - 1], c) / sqrt(mc_tensor_get_f64(of[VARIANCE - 1], c) + epsilon);
    *shift = mc_tensor_get_f64(of[SHIFT - 1], c) - mc_tensor_get_f64(of[MEAN - 1], c) * *scale;
}

/* Inference alone, on channels: the statistics that older versions give out are others, and 14 has no `spatial`. */
static int norm_upgrade(struct mc_node *node, const struct mc_fact *x, const char **why, struct mc_error *err)
{
    for (int i = 1; i < node->n_outputs; i++)
        if (node->outputs[i]) *why = "its statistics are read";
    if (mc_node_int(node, "spatial", 1) != 1) *why = "it normalizes each element";
    if (!*why) mc_node_remove_attr(node, "spatial");
    return MC_OK;
}

#define BATCH_NORMALIZATION(version, outputs)                                                                          \
    const struct mc_op mc_op_batch_normalization_##version = {                                                         \
        .domain = "",                                                                                                  \
        .type = "BatchNormalization",                                                                                  \
        .since = version,                                                                                              \
        .means = MC_MEANS_BATCH_NORM,                                                                                  \
        .min_inputs = 5,                                                                                               \
        .max_inputs = 5,                                                                                               \
        .n_outputs = outputs,                                                                                          \
        .grad_inputs = 1 << X | 1 << SCALE | 1 << SHIFT,                                                               \
        .keep = MC_KEEP_IN,                                                                                            \
        .widens = true,                                                                                                \
        .merge = mc_merge_normalized,                                                                                  \
        .shape = norm_shape,                                                                                           \
        .outline = mc_outline_same,                                                                                    \
        .order = norm_order,                                                                                           \
        .prepare = norm_prepare,                                                                                       \
        .forward = norm_forward,                                                                                       \
        .backward = norm_backward,                                                                                     \
        .others = "running statistics, which follow the batches",                                                      \
        .coupling = norm_coupling,                                                                                     \
        .cost = mc_cost_elementwise,                                                                                   \
        .upgrade = norm_upgrade,                                                                                       \
    }

BATCH_NORMALIZATION(1, 5);
BATCH_NORMALIZATION(7, 5);
BATCH_NORMALIZATION(14, 3);
