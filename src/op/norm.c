/* norm.c - InstanceNormalization (ONNX opset 1, 6), GroupNormalization (18, 21), RMSNormalization (23),
 * MeanVarianceNormalization (9), LpNormalization (1), LRN (1).
 *
 * Instance and group: x [N, C, d…] is normalized over the positions of a channel, or of a group of channels, of each
 * sample (Ulyanov 2016; Wu, He 2018). RMS: x / sqrt(mean x^2 + epsilon) over all axes from `axis` (Zhang, Sennrich
 * 2019).
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "kernel/broadcast.h"
#include "kernel/fold.h"
#include "kernel/kernels.h"
#include "kernel/parallel.h"
#include "op/elementwise.h"
#include "op/move.h"

/* Two sums and a map over each element. */
#define NORM_WORK 5

static const struct mc_row_loops *row_loops(const struct mc_step *step)
{
    return &mc_step_loops(step)->rows[mc_loop_type(step->in[0]->dtype)];
}

static double element(const struct mc_tensor *t, int64_t i)
{
    return t->dtype == MC_FLOAT ? (double)((const float *)t->data)[i] : ((const double *)t->data)[i];
}

/* y = x a + b */
static void affine(enum mc_dtype dtype, int64_t n, const void *x_, double a, double b, void *y_)
{
    if (dtype == MC_FLOAT) {
        const float *const x = x_, fa = (float)a, fb = (float)b;
        float *const y = y_;
        for (int64_t i = 0; i < n; i++) y[i] = x[i] * fa + fb;
    } else {
        const double *const x = x_;
        double *const y = y_;
        for (int64_t i = 0; i < n; i++) y[i] = x[i] * a + b;
    }
}

/* --- instance and group --- */

static int need_vector(const struct mc_node *node, int i, const struct mc_fact *const *in, int64_t n,
                       struct mc_error *err)
{
    int rc = mc_need_dtype(node, i, in[i], MC_TYPE_BIT(in[0]->dtype), err);
    if (rc == MC_OK) rc = mc_need_rank(node, i, in[i], 1, 1, err);
    if (rc == MC_OK && in[i]->shape.dim[0] != n)
        rc = mc_error_set(err, MC_ERR_INPUT, "input %d '%s': needs %" PRId64 " numbers, has %" PRId64, i,
                          node->inputs[i]->name, n, in[i]->shape.dim[0]);
    return rc;
}

/* Groups of channels, and numbers of scale and shift: one a channel, or one a group before opset 21. */
static int64_t n_groups(const struct mc_node *node, int64_t C)
{
    return node->op->type[0] == 'G' ? mc_node_int(node, "num_groups", -1) : C;
}

static int group_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                       struct mc_error *err)
{
    int rc = mc_need_dtype(node, 0, in[0], MC_TYPES_FLOAT, err);
    if (rc == MC_OK) rc = mc_need_rank(node, 0, in[0], 2, MC_MAX_RANK, err);
    if (rc < 0) return rc;
    const int64_t C = in[0]->shape.dim[1], groups = n_groups(node, C);
    if (groups < 1 || C % groups)
        return C == 0 ? mc_shape_same(node, in, out, err)
                      : mc_error_set(err, MC_ERR_INPUT,
                                     "attribute 'num_groups': needs a divisor of %" PRId64 " channels, has %" PRId64, C,
                                     groups);
    const int64_t n = node->op->type[0] == 'G' && node->op->since < 21 ? groups : C;
    if (mc_node_int(node, "stash_type", 1) != 1)
        return mc_error_set(err, MC_ERR_UNSUPPORTED, "attribute 'stash_type': needs 1 (float32)");
    rc = need_vector(node, 1, in, n, err);
    if (rc == MC_OK) rc = need_vector(node, 2, in, n, err);
    return rc < 0 ? rc : mc_shape_same(node, in, out, err);
}

struct job {
    const struct mc_row_loops *rows;
    const struct mc_tensor *x, *scale, *shift;
    struct mc_tensor *y;
    int64_t n, groups, channels, inner; /* n: elements of a row; channels of a group */
    double epsilon;
    bool per_group;
    size_t size;
};

static void group_range(void *context, int64_t begin, int64_t end)
{
    const struct job *job = context;
    for (int64_t row = begin; row < end; row++) {
        const size_t start = (size_t)(row * job->n) * job->size;
        struct mc_moments m;
        job->rows->moments(job->n, (const char *)job->x->data + start, job->epsilon, &m);
        for (int64_t c = 0; c < job->channels; c++) {
            const int64_t group = row % job->groups, at = job->per_group ? group : group * job->channels + c;
            const double a = m.inverse * element(job->scale, at), b = element(job->shift, at) - m.mean * a;
            const size_t from = start + (size_t)(c * job->inner) * job->size;
            affine(job->x->dtype, job->inner, (const char *)job->x->data + from, a, b, (char *)job->y->data + from);
        }
    }
}

static int group_forward(struct mc_step *step, struct mc_error *err)
{
    const struct mc_tensor *x = step->in[0];
    const int64_t C = x->shape.dim[1], groups = n_groups(step->node, C);
    if (mc_tensor_count(x) == 0) return MC_OK;
    struct job job = {.rows = row_loops(step),
                      .x = x,
                      .scale = step->in[1],
                      .shift = step->in[2],
                      .y = step->out[0],
                      .groups = groups,
                      .channels = C / groups,
                      .inner = mc_shape_span(&x->shape, 2, x->shape.rank),
                      .epsilon = (double)mc_node_float(step->node, "epsilon", 1e-5f),
                      .per_group = groups != C && mc_tensor_count(step->in[1]) == groups,
                      .size = mc_element_size(x->dtype)};
    job.n = job.channels * job.inner;
    mc_parallel(x->shape.dim[0] * groups, mc_parallel_grain(NORM_WORK * job.n), group_range, &job);
    return MC_OK;
}

/* Of an instance each channel stands by itself; of groups all channels are looked at together. */
static int instance_coupling(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err)
{
    const struct mc_value *x = node->inputs[0], *y = node->outputs[0];
    int rc = mc_couple_axes(c, x, 0, y, 0, err);
    if (rc == MC_OK) rc = mc_couple_axes(c, x, 1, y, 1, err);
    for (int i = 1; i < 3 && rc == MC_OK; i++) {
        rc = mc_couple_axes(c, node->inputs[i], 0, y, 1, err);
        if (rc == MC_OK) rc = mc_couple_role(c, node->inputs[i], 0, i == 1 ? MC_ROLE_SCALE : MC_ROLE_SHIFT, err);
    }
    return rc;
}

#define GROUP_OP(name, onnx_type, version, rule)                                                                       \
    const struct mc_op mc_op_##name##_##version = {                                                                    \
        .domain = "",                                                                                                  \
        .type = onnx_type,                                                                                             \
        .since = version,                                                                                              \
        .min_inputs = 3,                                                                                               \
        .max_inputs = 3,                                                                                               \
        .n_outputs = 1,                                                                                                \
        .widens = true,                                                                                                \
        .shape = group_shape,                                                                                          \
        .forward = group_forward,                                                                                      \
        .backward = NULL,                                                                                              \
        .no_backward = "its derivative is not there yet",                                                              \
        .coupling = rule,                                                                                              \
        .cost = mc_cost_elementwise,                                                                                   \
    };

GROUP_OP(group_normalization, "GroupNormalization", 18, mc_coupling_freeze_all)
GROUP_OP(group_normalization, "GroupNormalization", 21, mc_coupling_freeze_all)
GROUP_OP(instance_normalization, "InstanceNormalization", 1, instance_coupling)

/* --- RMSNormalization --- */

static int rms_axis(const struct mc_node *node, int rank, int *axis, struct mc_error *err)
{
    return mc_need_axis(mc_node_int(node, "axis", -1), rank, axis, err);
}

static int rms_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                     struct mc_error *err)
{
    int axis = 0, rc = mc_need_dtype(node, 0, in[0], MC_TYPES_FLOAT, err);
    if (rc == MC_OK) rc = rms_axis(node, in[0]->shape.rank, &axis, err);
    if (rc == MC_OK) rc = mc_need_dtype(node, 1, in[1], MC_TYPES_FLOAT, err);
    if (rc < 0) return rc;
    const struct mc_shape *x = &in[0]->shape, row = mc_shape_of(x->rank - axis, x->dim + axis);
    struct mc_shape both;
    if (!mc_shape_broadcast(&row, &in[1]->shape, &both) || !mc_shape_equal(&both, &row))
        return mc_error_set(err, MC_ERR_UNSUPPORTED,
                            "input 1 '%s': needs a shape that broadcasts to the axes normalized",
                            node->inputs[1]->name);
    out[0] = (struct mc_fact){.dtype = in[1]->dtype, .shape = *x};
    return MC_OK;
}

struct rms {
    const struct mc_tensor *x, *scale;
    struct mc_tensor *y;
    struct mc_shape row;
    int64_t n;
    bool spread; /* the scale is smaller than a row */
    double epsilon;
};

static void rms_range(void *context, int64_t begin, int64_t end)
{
    const struct rms *job = context;
    const bool plain = job->x->dtype == MC_FLOAT && job->y->dtype == MC_FLOAT && !job->spread;
    const struct mc_shape line = {.rank = 1, .dim = {job->n}}, one = {.rank = 1, .dim = {1}};
    for (int64_t i = begin; i < end; i++) {
        double sum;
        const char *from = (const char *)job->x->data + (size_t)(i * job->n) * mc_element_size(job->x->dtype);
        mc_fold(MC_FOLD_SUM_SQUARE, job->x->dtype, from, &line, &one, NULL, &sum);
        const double factor = 1 / sqrt(sum / (double)job->n + job->epsilon);
        if (plain) {
            const float *const x = (const float *)job->x->data + i * job->n, *const s = job->scale->data;
            float *const y = (float *)job->y->data + i * job->n, f = (float)factor;
            for (int64_t k = 0; k < job->n; k++) y[k] = x[k] * f * s[k];
            continue;
        }
        struct mc_walk walk;
        mc_walk_start(&walk, &job->row, 1, (struct mc_tensor *const[]){(struct mc_tensor *)(uintptr_t)job->scale});
        for (int64_t k = 0; k < job->n; k++, mc_walk_next(&walk))
            mc_tensor_set_f64(job->y, i * job->n + k,
                              element(job->x, i * job->n + k) * factor * element(job->scale, walk.offset[0]));
    }
}

static int rms_forward(struct mc_step *step, struct mc_error *err)
{
    const struct mc_tensor *x = step->in[0];
    int axis = 0;
    const int rc = rms_axis(step->node, x->shape.rank, &axis, err);
    if (rc < 0 || mc_tensor_count(x) == 0) return rc;
    struct rms job = {.x = x,
                      .scale = step->in[1],
                      .y = step->out[0],
                      .row = mc_shape_of(x->shape.rank - axis, x->shape.dim + axis),
                      .n = mc_shape_span(&x->shape, axis, x->shape.rank),
                      .epsilon = (double)mc_node_float(step->node, "epsilon", 1e-5f)};
    job.spread = mc_tensor_count(step->in[1]) != job.n;
    mc_parallel(mc_tensor_count(x) / job.n, mc_parallel_grain(NORM_WORK * job.n), rms_range, &job);
    return MC_OK;
}

const struct mc_op mc_op_rms_normalization_23 = {
    .domain = "",
    .type = "RMSNormalization",
    .since = 23,
    .min_inputs = 2,
    .max_inputs = 2,
    .n_outputs = 1,
    .widens = true,
    .shape = rms_shape,
    .forward = rms_forward,
    .backward = NULL,
    .no_backward = "its derivative is not there yet",
    .coupling = mc_coupling_freeze_all,
    .cost = mc_cost_elementwise,
};

/* --- MeanVarianceNormalization: over any axes --- */

static int mvn_axes(const struct mc_node *node, int rank, struct mc_ints *axes, struct mc_error *err)
{
    int rc = mc_ints_of_attr(node, "axes", axes, err);
    if (rc == MC_OK && !axes->given) *axes = (struct mc_ints){.n = 3, .at = {0, 2, 3}};
    return rc < 0 ? rc : mc_ints_as_axes(axes, rank, err);
}

static int mvn_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                     struct mc_error *err)
{
    struct mc_ints axes;
    int rc = mc_need_dtype(node, 0, in[0], MC_TYPES_FLOAT, err);
    if (rc == MC_OK) rc = mvn_axes(node, in[0]->shape.rank, &axes, err);
    return rc < 0 ? rc : mc_shape_same(node, in, out, err);
}

static int mvn_prepare(struct mc_step *step, struct mc_error *err)
{
    step->workspace_bytes = (size_t)(mc_tensor_count(step->in[0]) + 1) * 2 * sizeof(double);
    return MC_OK;
}

/* (x - mean) / (standard deviation + 10^-9), the variance being E x^2 - (E x)^2 as the specification writes it. */
static int mvn_forward(struct mc_step *step, struct mc_error *err)
{
    const struct mc_tensor *x = step->in[0];
    const int64_t count = mc_tensor_count(x);
    struct mc_shape kept = x->shape;
    struct mc_ints axes;
    const int rc = mvn_axes(step->node, x->shape.rank, &axes, err);
    if (rc < 0 || count == 0) return rc;
    for (int k = 0; k < axes.n; k++) kept.dim[axes.at[k]] = 1;
    const int64_t n = mc_shape_count(&kept);
    double *const sum = step->workspace, *const square = sum + n;
    mc_fold(MC_FOLD_SUM, x->dtype, x->data, &x->shape, &kept, NULL, sum);
    mc_fold(MC_FOLD_SUM_SQUARE, x->dtype, x->data, &x->shape, &kept, NULL, square);
    struct mc_walk walk;
    struct mc_tensor shown = {.dtype = x->dtype, .shape = kept};
    mc_walk_start(&walk, &x->shape, 1, (struct mc_tensor *const[]){&shown});
    const double share = (double)n / (double)count;
    for (int64_t i = 0; i < count; i++, mc_walk_next(&walk)) {
        const double mean = sum[walk.offset[0]] * share, variance = square[walk.offset[0]] * share - mean * mean;
        mc_tensor_set_f64(step->out[0], i, (element(x, i) - mean) / (sqrt(variance > 0 ? variance : 0) + 1e-9));
    }
    return MC_OK;
}

const struct mc_op mc_op_mean_variance_normalization_9 = {
    .domain = "",
    .type = "MeanVarianceNormalization",
    .since = 9,
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .widens = true,
    .shape = mvn_shape,
    .prepare = mvn_prepare,
    .forward = mvn_forward,
    .backward = NULL,
    .no_backward = "its derivative is not there yet",
    .coupling = mc_coupling_freeze_all,
    .cost = mc_cost_elementwise,
};

/* --- LpNormalization: along one axis --- */

static int lp_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                    struct mc_error *err)
{
    int axis, rc = mc_need_dtype(node, 0, in[0], MC_TYPES_FLOAT, err);
    const int64_t p = mc_node_int(node, "p", 2);
    if (rc == MC_OK) rc = mc_need_axis(mc_node_int(node, "axis", -1), in[0]->shape.rank, &axis, err);
    if (rc == MC_OK && p != 1 && p != 2)
        rc = mc_error_set(err, MC_ERR_INPUT, "attribute 'p': needs 1 or 2, has %" PRId64, p);
    return rc < 0 ? rc : mc_shape_same(node, in, out, err);
}

static int lp_prepare(struct mc_step *step, struct mc_error *err)
{
    step->workspace_bytes = (size_t)(mc_tensor_count(step->in[0]) + 1) * sizeof(double);
    return MC_OK;
}

/* What has no length stays 0. */
static int lp_forward(struct mc_step *step, struct mc_error *err)
{
    const struct mc_tensor *x = step->in[0];
    const bool l1 = mc_node_int(step->node, "p", 2) == 1;
    struct mc_shape kept = x->shape;
    int axis = 0;
    const int rc = mc_need_axis(mc_node_int(step->node, "axis", -1), x->shape.rank, &axis, err);
    if (rc < 0 || mc_tensor_count(x) == 0) return rc;
    kept.dim[axis] = 1;
    double *const norm = step->workspace;
    const int64_t n = x->shape.dim[axis], inner = mc_shape_span(&x->shape, axis + 1, x->shape.rank);
    mc_fold(l1 ? MC_FOLD_SUM_ABS : MC_FOLD_SUM_SQUARE, x->dtype, x->data, &x->shape, &kept, NULL, norm);
    for (int64_t i = 0; i < mc_tensor_count(x); i++) {
        const double length = norm[i / (n * inner) * inner + i % inner];
        mc_tensor_set_f64(step->out[0], i, length > 0 ? element(x, i) / (l1 ? length : sqrt(length)) : element(x, i));
    }
    return MC_OK;
}

const struct mc_op mc_op_lp_normalization_1 = {
    .domain = "",
    .type = "LpNormalization",
    .since = 1,
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .widens = true,
    .shape = lp_shape,
    .prepare = lp_prepare,
    .forward = lp_forward,
    .backward = NULL,
    .no_backward = "its derivative is not there yet",
    .coupling = mc_coupling_freeze_all,
    .cost = mc_cost_elementwise,
};

/* --- LRN: local response normalization across channels (Krizhevsky 2012, section 3.3) --- */

static int lrn_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                     struct mc_error *err)
{
    int rc = mc_need_dtype(node, 0, in[0], MC_TYPES_FLOAT, err);
    if (rc == MC_OK) rc = mc_need_rank(node, 0, in[0], 2, MC_MAX_RANK, err);
    if (rc == MC_OK && mc_node_int(node, "size", 0) < 1)
        rc = mc_error_set(err, MC_ERR_INPUT, "attribute 'size': needs 1 at least");
    return rc < 0 ? rc : mc_shape_same(node, in, out, err);
}

struct lrn {
    const struct mc_tensor *x;
    struct mc_tensor *y;
    int64_t C, inner, before, after;
    double alpha, beta, bias;
};

/* Channels c - before … c + after of one position. */
static void lrn_range(void *context, int64_t begin, int64_t end)
{
    const struct lrn *job = context;
    for (int64_t plane = begin; plane < end; plane++) {
        const int64_t c = plane % job->C, first = c < job->before ? -c : -job->before;
        const int64_t last = c + job->after >= job->C ? job->C - 1 - c : job->after;
        for (int64_t i = 0; i < job->inner; i++) {
            const int64_t at = plane * job->inner + i;
            double sum = 0;
            for (int64_t k = first; k <= last; k++) {
                const double v = element(job->x, at + k * job->inner);
                sum += v * v;
            }
            mc_tensor_set_f64(job->y, at, element(job->x, at) / pow(job->bias + job->alpha * sum, job->beta));
        }
    }
}

static int lrn_forward(struct mc_step *step, struct mc_error *err)
{
    const struct mc_tensor *x = step->in[0];
    const int64_t size = mc_node_int(step->node, "size", 1);
    struct lrn job = {.x = x,
                      .y = step->out[0],
                      .C = x->shape.dim[1],
                      .inner = mc_shape_span(&x->shape, 2, x->shape.rank),
                      .before = (size - 1) / 2,
                      .after = size / 2,
                      .alpha = (double)mc_node_float(step->node, "alpha", 1e-4f) / (double)size,
                      .beta = (double)mc_node_float(step->node, "beta", 0.75f),
                      .bias = (double)mc_node_float(step->node, "bias", 1.0f)};
    mc_parallel(x->shape.dim[0] * job.C, mc_parallel_grain((20 + size) * job.inner), lrn_range, &job);
    return MC_OK;
}

const struct mc_op mc_op_lrn_1 = {
    .domain = "",
    .type = "LRN",
    .since = 1,
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .widens = true,
    .shape = lrn_shape,
    .forward = lrn_forward,
    .backward = NULL,
    .no_backward = "its derivative is not there yet",
    .coupling = mc_coupling_freeze_all,
    .cost = mc_cost_elementwise,
};
