/* batch_normalization.c - BatchNormalization (ONNX opsets 7, 9, 14, 15): y = (x - mean) / sqrt(var + epsilon) * scale +
 * B, per channel, which is axis 1. (Ioffe, Szegedy 2015)
 *
 * Mean and variance are the running ones (inputs 3 and 4), or those of the batch:
 *   - where the node says training_mode 1 (opset 14), and then outputs 1 and 2 are
 *     running * momentum + batch * (1 - momentum), with the variance over all n elements;
 *   - in a training plan, unless batch norm is frozen, whatever the node says: that is how a network exported for
 * inference is fine-tuned. The running statistics are then updated in place, in the tensors of inputs 3 and 4, as
 * PyTorch does it, with the variance over n - 1.
 */
#include <math.h>

#include "base/error.h"
#include "kernel/channel.h"
#include "kernel/kernels.h"
#include "kernel/parallel.h"
#include "op/ops.h"

/* Cheap elements' worth of each element: two sums and a map. */
#define NORM_WORK 4

enum { X, SCALE, SHIFT, MEAN, VARIANCE, N_INPUTS };

static bool in_training_mode(const struct mc_node *node)
{
    return mc_node_int(node, "training_mode", 0) != 0;
}

static int need_channels(const struct mc_node *node, const struct mc_fact *const *in, int i, struct mc_error *err)
{
    const int64_t channels = in[X]->shape.dim[1];
    int rc = mc_need_dtype(node, i, in[i], MC_TYPES_FLOAT, err);
    if (rc == MC_OK && in[i]->dtype != in[X]->dtype)
        rc = mc_error_set(err, MC_ERR_UNSUPPORTED, "input %d '%s': needs %s as input 0, has %s", i,
                          node->inputs[i]->name, mc_dtype_name(in[X]->dtype), mc_dtype_name(in[i]->dtype));
    if (rc == MC_OK) rc = mc_need_rank(node, i, in[i], 1, 1, err);
    if (rc == MC_OK && in[i]->shape.dim[0] != channels)
        rc = mc_error_set(err, MC_ERR_INPUT, "input %d '%s': needs %lld channels, has %lld", i, node->inputs[i]->name,
                          (long long)channels, (long long)in[i]->shape.dim[0]);
    return rc;
}

static int norm_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                      struct mc_error *err)
{
    int rc = mc_need_dtype(node, X, in[X], MC_TYPES_FLOAT, err);
    if (rc == MC_OK) rc = mc_need_rank(node, X, in[X], 2, MC_MAX_RANK, err);
    if (rc == MC_OK && mc_node_int(node, "spatial", 1) != 1)
        rc = mc_error_set(err, MC_ERR_UNSUPPORTED, "attribute 'spatial': needs 1, has 0");
    for (int i = SCALE; i < N_INPUTS && rc == MC_OK; i++) rc = need_channels(node, in, i, err);
    if (rc == MC_OK && node->opset < 14 && node->n_outputs > 1)
        rc = mc_error_set(err, MC_ERR_UNSUPPORTED, "needs 1 output, has %d (the training form before opset 14)",
                          node->n_outputs);
    if (rc < 0) return rc;
    out[0].dtype = in[X]->dtype;
    out[0].shape = in[X]->shape;
    for (int i = 1; i < 3; i++) {
        out[i].dtype = in[X]->dtype;
        out[i].shape = in[SCALE]->shape;
    }
    return MC_OK;
}

/* What was subtracted and multiplied by, for each channel. */
struct statistics {
    double mean, inverse;
};

/* Channels that are worked on together: one, or neighbours where channels lie last. */
struct block {
    int64_t first, n;
    struct mc_channel channel;
};

struct job {
    const struct mc_channel_loops *loops;
    int64_t channels, samples, spatial;
    bool last;
    int64_t width; /* of a block */
    size_t size;
    double epsilon, momentum;
    bool of_batch; /* statistics of the batch */
    bool update;   /* running statistics in place */
    const struct mc_step *step;
    struct statistics *saved; /* one a channel, or NULL */
    const char *dy;
};

static void job_init(struct job *job, const struct mc_step *step)
{
    const struct mc_tensor *x = step->in[X];
    const bool trainer = step->training && !step->runtime->freeze_batch_norm;
    const int64_t spatial = mc_shape_span(&x->shape, 2, x->shape.rank);
    const bool last = x->channels_last || spatial == 1; /* then there is no difference */
    *job = (struct job){
        .loops = &step->runtime->kernels->channels->of[x->dtype == MC_DOUBLE ? MC_CHANNEL_F64 : MC_CHANNEL_F32],
        .channels = x->shape.dim[1],
        .samples = x->shape.dim[0],
        .spatial = spatial,
        .last = last,
        .width = last ? MC_CHANNEL_WIDTH : 1,
        .size = (size_t)mc_dtype_bits(x->dtype) / 8,
        .epsilon = (double)mc_node_float(step->node, "epsilon", 1e-5f),
        .momentum = (double)mc_node_float(step->node, "momentum", 0.9f),
        .of_batch = trainer || in_training_mode(step->node),
        .update = trainer && !in_training_mode(step->node),
        .step = step,
        .saved = step->saved,
    };
}

static void run_blocks(struct job *job, mc_range_fn *body)
{
    const int64_t work = job->samples * job->spatial * job->width * NORM_WORK;
    mc_parallel((job->channels + job->width - 1) / job->width, mc_parallel_grain(work), body, job);
}

static struct block block_of(const struct job *job, int64_t i)
{
    const int64_t first = i * job->width, left = job->channels - first;
    struct block block = {.first = first, .n = left < job->width ? left : job->width};
    if (job->last)
        block.channel =
            (struct mc_channel){.n = job->samples * job->spatial, .stride = job->channels, .width = block.n};
    else
        block.channel =
            (struct mc_channel){.n = job->samples, .length = job->spatial, .stride = job->channels * job->spatial};
    return block;
}

static int norm_prepare(struct mc_step *step, struct mc_error *err)
{
    if (step->training) step->saved_bytes = (size_t)step->in[X]->shape.dim[1] * sizeof(struct statistics);
    return MC_OK;
}

/* The first element of a channel, as a position in the tensor. */
static int64_t start_of(const struct job *job, int64_t c)
{
    return job->last ? c : c * job->spatial;
}

static void *block_data(const struct job *job, const void *data, const struct block *block)
{
    return (char *)data + (size_t)start_of(job, block->first) * job->size;
}

/* Mean and sum of squared deviations of each channel, in one pass over data shifted by the first element: a large
 * common part then costs no digits. */
static void batch_statistics(const struct job *job, const struct block *block, double *mean, double *squares)
{
    const struct mc_tensor *x = job->step->in[X];
    const double n = (double)(job->samples * job->spatial);
    double center[MC_CHANNEL_WIDTH], sums[MC_CHANNEL_WIDTH];
    for (int64_t i = 0; i < block->n; i++) center[i] = mc_tensor_get_f64(x, start_of(job, block->first + i));
    job->loops->moments(&block->channel, block_data(job, x->data, block), center, sums, squares);
    for (int64_t i = 0; i < block->n; i++) {
        mean[i] = center[i] + sums[i] / n;
        squares[i] = fmax(0, squares[i] - sums[i] * sums[i] / n);
    }
}

static void blend(const struct job *job, struct mc_tensor *to, const struct mc_tensor *from, int64_t c, double value)
{
    mc_tensor_set_f64(to, c, mc_tensor_get_f64(from, c) * job->momentum + value * (1 - job->momentum));
}

/* What channel c is normalized by, given the batch's mean and squares; running statistics and outputs follow. */
static struct statistics take_batch(const struct job *job, int64_t c, double mean, double squares)
{
    const struct mc_step *step = job->step;
    const int64_t n = job->samples * job->spatial;
    const double variance = squares / (double)n, unbiased = n > 1 ? squares / (double)(n - 1) : variance;
    if (job->update) {
        blend(job, step->in[MEAN], step->in[MEAN], c, mean);
        blend(job, step->in[VARIANCE], step->in[VARIANCE], c, unbiased);
    }
    if (step->n_out > 1 && step->out[1]) blend(job, step->out[1], step->in[MEAN], c, mean);
    if (step->n_out > 2 && step->out[2]) blend(job, step->out[2], step->in[VARIANCE], c, variance);
    return (struct statistics){mean, 1 / sqrt(variance + job->epsilon)};
}

static void block_statistics(const struct job *job, const struct block *block, struct statistics *s)
{
    const struct mc_step *step = job->step;
    if (job->of_batch && job->samples * job->spatial > 0) {
        double mean[MC_CHANNEL_WIDTH], squares[MC_CHANNEL_WIDTH];
        batch_statistics(job, block, mean, squares);
        for (int64_t i = 0; i < block->n; i++) s[i] = take_batch(job, block->first + i, mean[i], squares[i]);
        return;
    }
    for (int64_t i = 0; i < block->n; i++) {
        const int64_t c = block->first + i;
        s[i].mean = mc_tensor_get_f64(step->in[MEAN], c);
        s[i].inverse = 1 / sqrt(mc_tensor_get_f64(step->in[VARIANCE], c) + job->epsilon);
    }
}

static void forward_blocks(void *context, int64_t begin, int64_t end)
{
    const struct job *job = context;
    const struct mc_step *step = job->step;
    for (int64_t k = begin; k < end; k++) {
        const struct block block = block_of(job, k);
        struct statistics s[MC_CHANNEL_WIDTH];
        double a[MC_CHANNEL_WIDTH], b[MC_CHANNEL_WIDTH];
        block_statistics(job, &block, s);
        for (int64_t i = 0; i < block.n; i++) {
            const int64_t c = block.first + i;
            a[i] = mc_tensor_get_f64(step->in[SCALE], c) * s[i].inverse;
            b[i] = mc_tensor_get_f64(step->in[SHIFT], c) - s[i].mean * a[i];
            if (job->saved) job->saved[c] = s[i];
        }
        job->loops->affine(&block.channel, block_data(job, step->in[X]->data, &block), a, b,
                           block_data(job, step->out[0]->data, &block));
    }
}

static int norm_forward(struct mc_step *step, struct mc_error *err)
{
    struct job job;
    job_init(&job, step);
    run_blocks(&job, forward_blocks);
    return MC_OK;
}

/* With h = (x - mean) * inverse: dB = sum dy, dscale = sum dy h, and
 * dx = scale * inverse * (dy - dB/n - h * dscale/n) for statistics of the batch, scale * inverse * dy for running ones.
 */
static void backward_block(const struct job *job, const struct block *block)
{
    const struct mc_step *step = job->step;
    const struct statistics *s = job->saved + block->first;
    const void *x = block_data(job, step->in[X]->data, block), *dy = block_data(job, job->dy, block);
    const double n = (double)(job->samples * job->spatial);
    double mean[MC_CHANNEL_WIDTH], dshift[MC_CHANNEL_WIDTH], dscale[MC_CHANNEL_WIDTH];
    double a[MC_CHANNEL_WIDTH], slope[MC_CHANNEL_WIDTH], offset[MC_CHANNEL_WIDTH];
    for (int64_t i = 0; i < block->n; i++) mean[i] = s[i].mean;
    job->loops->grad_sums(&block->channel, x, dy, mean, dshift, dscale);
    for (int64_t i = 0; i < block->n; i++) {
        const int64_t c = block->first + i;
        dscale[i] *= s[i].inverse;
        if (step->grad_in[SCALE]) mc_tensor_set_f64(step->grad_in[SCALE], c, dscale[i]);
        if (step->grad_in[SHIFT]) mc_tensor_set_f64(step->grad_in[SHIFT], c, dshift[i]);
        a[i] = mc_tensor_get_f64(step->in[SCALE], c) * s[i].inverse;
        slope[i] = job->of_batch ? -a[i] * s[i].inverse * dscale[i] / n : 0;
        offset[i] = job->of_batch ? -a[i] * dshift[i] / n - slope[i] * s[i].mean : 0;
    }
    if (step->grad_in[X])
        job->loops->grad(&block->channel, x, dy, a, slope, offset, block_data(job, step->grad_in[X]->data, block));
}

static void backward_blocks(void *context, int64_t begin, int64_t end)
{
    const struct job *job = context;
    for (int64_t k = begin; k < end; k++) {
        const struct block block = block_of(job, k);
        backward_block(job, &block);
    }
}

static int norm_backward(struct mc_step *step, struct mc_error *err)
{
    struct job job;
    job_init(&job, step);
    if (!step->grad_out[0])
        return mc_error_set(err, MC_ERR_UNSUPPORTED, "no derivative of the running statistics that it gives out");
    job.dy = step->grad_out[0]->data;
    run_blocks(&job, backward_blocks);
    return MC_OK;
}

static int norm_coupling(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err)
{
    static const enum mc_role roles[] = {MC_ROLE_NONE, MC_ROLE_SCALE, MC_ROLE_SHIFT, MC_ROLE_STATISTIC,
                                         MC_ROLE_STATISTIC};
    const struct mc_value *x = node->inputs[X];
    int rc = mc_coupling_first_input(c, node, err);
    for (int i = SCALE; i < N_INPUTS && rc == MC_OK; i++) {
        rc = mc_couple_axes(c, x, 1, node->inputs[i], 0, err);
        if (rc == MC_OK) rc = mc_couple_role(c, node->inputs[i], 0, roles[i], err);
    }
    for (int i = 1; i < node->n_outputs && rc == MC_OK; i++)
        if (node->outputs[i]) rc = mc_couple_axes(c, x, 1, node->outputs[i], 0, err);
    return rc;
}

/* Versions 7 and 9 allow more outputs (batch statistics, for training); those are refused. */
#define BATCH_NORMALIZATION(version, outputs)                                                                          \
    const struct mc_op mc_op_batch_normalization_##version = {                                                         \
        .domain = "",                                                                                                  \
        .type = "BatchNormalization",                                                                                  \
        .since = version,                                                                                              \
        .min_inputs = 5,                                                                                               \
        .max_inputs = 5,                                                                                               \
        .n_outputs = outputs,                                                                                          \
        .grad_inputs = 1 << X | 1 << SCALE | 1 << SHIFT,                                                               \
        .keep = MC_KEEP_IN,                                                                                            \
        .shape = norm_shape,                                                                                           \
        .order = mc_order_same,                                                                                        \
        .prepare = norm_prepare,                                                                                       \
        .forward = norm_forward,                                                                                       \
        .backward = norm_backward,                                                                                     \
        .coupling = norm_coupling,                                                                                     \
        .cost = mc_cost_elementwise,                                                                                   \
    }

BATCH_NORMALIZATION(7, 5);
BATCH_NORMALIZATION(14, 3);
