/* class_loss.c - NegativeLogLikelihoodLoss and SoftmaxCrossEntropyLoss (ONNX opset 12 and later).
 *
 *     input: [N, C, d…]   target: [N, d…], integers   weight: [C], optional   loss: [N, d…] or a scalar
 *
 * loss = -weight[target] * input[target] (of the second operator: of log softmax(input) over the classes), 0 where the
 * target is `ignore_index`. `reduction`: none, sum, or mean, which divides by the sum of the weights that count.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "kernel/parallel.h"
#include "op/ops.h"

static bool takes_scores(const struct mc_node *node)
{
    return node->op->type[0] == 'S';
}

static bool reduces(const struct mc_node *node)
{
    return !mc_node_string_is(node, "reduction", "none", false);
}

static int check_target(const struct mc_node *node, const struct mc_fact *const *in, struct mc_error *err)
{
    const struct mc_shape *x = &in[0]->shape, *t = &in[1]->shape;
    struct mc_shape need = {.rank = x->rank - 1};
    char text[128], have[128];
    for (int k = 0; k < need.rank; k++) need.dim[k] = x->dim[k == 0 ? 0 : k + 1];
    if (mc_shape_equal(t, &need)) return MC_OK;
    return mc_error_set(err, MC_ERR_INPUT, "input 1 '%s': needs shape %s, has %s", node->inputs[1]->name,
                        mc_shape_text(&need, text, sizeof text), mc_shape_text(t, have, sizeof have));
}

static int class_loss_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                            struct mc_error *err)
{
    int rc = mc_need_dtype(node, 0, in[0], MC_TYPES_FLOAT, err);
    if (rc == MC_OK) rc = mc_need_rank(node, 0, in[0], 2, MC_MAX_RANK, err);
    if (rc == MC_OK) rc = mc_need_dtype(node, 1, in[1], MC_TYPE_BIT(MC_INT32) | MC_TYPE_BIT(MC_INT64), err);
    if (rc == MC_OK) rc = check_target(node, in, err);
    if (rc == MC_OK && in[2]) rc = mc_need_dtype(node, 2, in[2], MC_TYPE_BIT(in[0]->dtype), err);
    if (rc < 0) return rc;
    if (in[2] && (in[2]->shape.rank != 1 || in[2]->shape.dim[0] != in[0]->shape.dim[1]))
        return mc_error_set(err, MC_ERR_INPUT, "input 2 '%s': needs a weight for each of %" PRId64 " classes",
                            node->inputs[2]->name, in[0]->shape.dim[1]);
    if (reduces(node) && !mc_node_string_is(node, "reduction", "mean", true) &&
        !mc_node_string_is(node, "reduction", "sum", false))
        return mc_error_set(err, MC_ERR_INPUT, "attribute 'reduction': needs none, sum or mean");
    out[0] = (struct mc_fact){.dtype = in[0]->dtype};
    if (!reduces(node)) out[0].shape = in[1]->shape;
    if (takes_scores(node)) out[1] = (struct mc_fact){.dtype = in[0]->dtype, .shape = in[0]->shape};
    return MC_OK;
}

struct job {
    int64_t C, inner, ignored;
    bool ignores, scores, f32;
    const struct mc_tensor *x, *target, *weight;
    struct mc_tensor *log_probability; /* NULL: not asked for */
    double *loss, *counted;            /* workspace: one each a target */
};

static double element(const struct job *job, const struct mc_tensor *t, int64_t i)
{
    return job->f32 ? (double)((const float *)t->data)[i] : ((const double *)t->data)[i];
}

/* log sum e^x over the classes at position `start`. */
static double log_sum(const struct job *job, int64_t start)
{
    double largest = -INFINITY, sum = 0;
    for (int64_t c = 0; c < job->C; c++) {
        const double v = element(job, job->x, start + c * job->inner);
        if (v > largest || isnan(v)) largest = v;
    }
    if (!isfinite(largest)) return largest;
    for (int64_t c = 0; c < job->C; c++) sum += exp(element(job, job->x, start + c * job->inner) - largest);
    return largest + log(sum);
}

static void store(const struct job *job, struct mc_tensor *t, int64_t i, double value)
{
    if (job->f32)
        ((float *)t->data)[i] = (float)value;
    else
        ((double *)t->data)[i] = value;
}

static void loss_range(void *context, int64_t begin, int64_t end)
{
    struct job *job = context;
    for (int64_t i = begin; i < end; i++) {
        const int64_t start = i / job->inner * job->C * job->inner + i % job->inner;
        const int64_t target = mc_tensor_get_i64(job->target, i);
        const double shift = job->scores ? log_sum(job, start) : 0;
        for (int64_t c = 0; job->log_probability && c < job->C; c++) {
            const int64_t at = start + c * job->inner;
            store(job, job->log_probability, at, element(job, job->x, at) - shift);
        }
        job->loss[i] = job->counted[i] = 0;
        if (job->ignores && target == job->ignored) continue;
        job->counted[i] = job->weight ? element(job, job->weight, target) : 1;
        job->loss[i] = -job->counted[i] * (element(job, job->x, start + target * job->inner) - shift);
    }
}

static int class_loss_prepare(struct mc_step *step, struct mc_error *err)
{
    step->workspace_bytes = (size_t)(mc_tensor_count(step->in[1]) + 1) * 2 * sizeof(double);
    return MC_OK;
}

static int class_loss_forward(struct mc_step *step, struct mc_error *err)
{
    const struct mc_tensor *x = step->in[0];
    const int64_t n = mc_tensor_count(step->in[1]);
    struct job job = {.C = x->shape.dim[1],
                      .inner = mc_shape_span(&x->shape, 2, x->shape.rank),
                      .ignored = mc_node_int(step->node, "ignore_index", 0),
                      .ignores = mc_node_attr(step->node, "ignore_index") != NULL,
                      .scores = takes_scores(step->node),
                      .f32 = x->dtype == MC_FLOAT,
                      .x = x,
                      .target = step->in[1],
                      .weight = step->n_in > 2 ? step->in[2] : NULL,
                      .log_probability = step->n_out > 1 ? step->out[1] : NULL,
                      .loss = step->workspace};
    job.counted = job.loss + n;
    for (int64_t i = 0; i < n; i++) { /* before threads look at them */
        const int64_t t = mc_tensor_get_i64(step->in[1], i);
        if ((t < 0 || t >= job.C) && !(job.ignores && t == job.ignored))
            return mc_error_set(err, MC_ERR_INPUT, "input 1 '%s': needs classes of 0 to %" PRId64 ", has %" PRId64,
                                step->node->inputs[1]->name, job.C - 1, t);
    }
    mc_parallel(n, mc_parallel_grain((job.scores ? 16 : 4) * (job.scores ? job.C : 1)), loss_range, &job);
    double sum = 0, counted = 0;
    for (int64_t i = 0; i < n; i++) {
        if (!reduces(step->node)) store(&job, step->out[0], i, job.loss[i]);
        sum += job.loss[i];
        counted += job.counted[i];
    }
    if (reduces(step->node))
        store(&job, step->out[0], 0, mc_node_string_is(step->node, "reduction", "sum", false) ? sum : sum / counted);
    return MC_OK;
}

#define CLASS_LOSS_OP(name, onnx_type, version, outputs)                                                               \
    const struct mc_op mc_op_##name##_##version = {                                                                    \
        .domain = "",                                                                                                  \
        .type = onnx_type,                                                                                             \
        .since = version,                                                                                              \
        .min_inputs = 2,                                                                                               \
        .max_inputs = 3,                                                                                               \
        .n_outputs = outputs,                                                                                          \
        .widens = true,                                                                                                \
        .shape = class_loss_shape,                                                                                     \
        .prepare = class_loss_prepare,                                                                                 \
        .forward = class_loss_forward,                                                                                 \
        .backward = NULL,                                                                                              \
        .no_backward = "train with a loss of the trainer instead",                                                     \
        .coupling = mc_coupling_freeze_all,                                                                            \
        .cost = mc_cost_elementwise,                                                                                   \
    };

CLASS_LOSS_OP(negative_log_likelihood_loss, "NegativeLogLikelihoodLoss", 12, 1)
CLASS_LOSS_OP(softmax_cross_entropy_loss, "SoftmaxCrossEntropyLoss", 12, 2)
