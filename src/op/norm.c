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
#include "kernel/channel.h"
#include "kernel/fold.h"
#include "kernel/kernels.h"
#include "kernel/parallel.h"
#include "op/elementwise.h"
#include "op/move.h"
#include "op/outline.h"

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
    const struct mc_channel_loops *loops;
    const struct mc_tensor *x, *scale, *shift, *dy;
    struct mc_tensor *y, *dx;
    int64_t n, n_rows, groups, channels, inner; /* n: elements of a row; channels of a group */
    double epsilon;
    bool per_group;
    size_t size;
    struct mc_moments *saved; /* one a row, or NULL */
    double *sums;             /* going back: of each channel of each sample, of dy and of dy (x - mean) */
};

/* Which scale and shift channel c of a row has. */
static int64_t scale_at(const struct job *job, int64_t row, int64_t c)
{
    const int64_t group = row % job->groups;
    return job->per_group ? group : group * job->channels + c;
}

static void group_range(void *context, int64_t begin, int64_t end)
{
    const struct job *job = context;
    for (int64_t row = begin; row < end; row++) {
        const size_t start = (size_t)(row * job->n) * job->size;
        struct mc_moments m;
        job->rows->moments(job->n, (const char *)job->x->data + start, job->epsilon, &m);
        if (job->saved) job->saved[row] = m;
        for (int64_t c = 0; c < job->channels; c++) {
            const int64_t at = scale_at(job, row, c);
            const double a = m.inverse * element(job->scale, at), b = element(job->shift, at) - m.mean * a;
            const size_t from = start + (size_t)(c * job->inner) * job->size;
            affine(job->x->dtype, job->inner, (const char *)job->x->data + from, a, b, (char *)job->y->data + from);
        }
    }
}

static void job_init(struct job *job, const struct mc_step *step)
{
    const struct mc_tensor *x = step->in[0];
    const int64_t C = x->shape.dim[1], groups = n_groups(step->node, C);
    *job = (struct job){
        .rows = row_loops(step),
        .loops = &step->runtime->kernels->channels->of[x->dtype == MC_DOUBLE ? MC_CHANNEL_F64 : MC_CHANNEL_F32],
        .x = x,
        .scale = step->in[1],
        .shift = step->in[2],
        .y = step->out[0],
        .groups = groups,
        .channels = groups ? C / groups : 0,
        .inner = mc_shape_span(&x->shape, 2, x->shape.rank),
        .n_rows = x->shape.dim[0] * groups,
        .epsilon = (double)mc_node_float(step->node, "epsilon", 1e-5f),
        .per_group = groups != C && mc_tensor_count(step->in[1]) == groups,
        .size = mc_element_size(x->dtype),
        .saved = step->saved,
        .sums = step->workspace};
    job->n = job->channels * job->inner;
}

static int group_prepare(struct mc_step *step, struct mc_error *err)
{
    struct job job;
    if (!step->training) return MC_OK;
    job_init(&job, step);
    step->saved_bytes = (size_t)(job.n_rows + 1) * sizeof(struct mc_moments);
    step->workspace_bytes = (size_t)(job.n_rows * job.channels + 1) * 2 * sizeof(double);
    return MC_OK;
}

static int group_forward(struct mc_step *step, struct mc_error *err)
{
    struct job job;
    if (mc_tensor_count(step->in[0]) == 0) return MC_OK;
    job_init(&job, step);
    mc_parallel(job.n_rows, mc_parallel_grain(NORM_WORK * job.n), group_range, &job);
    return MC_OK;
}

/* With h = (x - mean) inverse and g = dy scale: dx = inverse (g - mean(g) - h mean(g h)), a map of dy and x for each
 * channel. */
static void group_range_back(void *context, int64_t begin, int64_t end)
{
    const struct job *job = context;
    const struct mc_channel run = {.n = 1, .length = job->inner, .stride = job->inner};
    for (int64_t row = begin; row < end; row++) {
        const struct mc_moments m = job->saved[row];
        double *const sums = job->sums + 2 * row * job->channels, g = 0, gh = 0;
        for (int64_t c = 0; c < job->channels; c++) {
            const size_t at = (size_t)(row * job->n + c * job->inner) * job->size;
            const double scale = element(job->scale, scale_at(job, row, c));
            job->loops->grad_sums(&run, (const char *)job->x->data + at, (const char *)job->dy->data + at, m.mean,
                                  sums + 2 * c);
            g += scale * sums[2 * c];
            gh += scale * sums[2 * c + 1] * m.inverse;
        }
        const double slope = -m.inverse * m.inverse * gh / (double)job->n;
        const double constant = -m.inverse * g / (double)job->n - slope * m.mean;
        for (int64_t c = 0; c < job->channels && job->dx; c++) {
            const size_t at = (size_t)(row * job->n + c * job->inner) * job->size;
            job->loops->grad(&run, (const char *)job->x->data + at, (const char *)job->dy->data + at,
                             m.inverse * element(job->scale, scale_at(job, row, c)), slope, constant,
                             (char *)job->dx->data + at);
        }
    }
}

/* d loss / d scale, or / d shift, over the samples in their order. */
static void sum_parameter(const struct job *job, struct mc_tensor *grad, bool is_scale)
{
    mc_zero(grad);
    for (int64_t row = 0; row < job->n_rows; row++)
        for (int64_t c = 0; c < job->channels; c++) {
            const int64_t at = scale_at(job, row, c);
            const double *sums = job->sums + 2 * (row * job->channels + c);
            mc_tensor_set_f64(grad, at, element(grad, at) + (is_scale ? sums[1] * job->saved[row].inverse : sums[0]));
        }
}

static int group_backward(struct mc_step *step, struct mc_error *err)
{
    struct job job;
    job_init(&job, step);
    job.dy = step->grad_out[0];
    job.dx = step->grad_in[0];
    if (mc_tensor_count(step->in[0]) == 0) job.n_rows = 0;
    mc_parallel(job.n_rows, mc_parallel_grain(2 * NORM_WORK * job.n), group_range_back, &job);
    for (int i = 1; i < 3; i++)
        if (step->grad_in[i]) sum_parameter(&job, step->grad_in[i], i == 1);
    return MC_OK;
}

/* Axes behind the channels are normalized over along with them. */
static int couple_positions(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err)
{
    const struct mc_value *x = node->inputs[0], *y = node->outputs[0];
    const int rank = mc_coupling_fact(c, x)->shape.rank;
    int rc = MC_OK;
    for (int k = 2; k < rank && rc == MC_OK; k++) {
        rc = mc_couple_statistic(c, node, x, k, err);
        if (rc == MC_OK) rc = mc_couple_axes(c, x, k, y, k, err);
    }
    return rc;
}

/* Of an instance each channel stands by itself. */
static int instance_coupling(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err)
{
    const struct mc_value *x = node->inputs[0], *y = node->outputs[0];
    int rc = mc_couple_axes(c, x, 0, y, 0, err);
    if (rc == MC_OK) rc = mc_couple_axes(c, x, 1, y, 1, err);
    for (int i = 1; i < 3 && rc == MC_OK; i++) {
        rc = mc_couple_axes(c, node->inputs[i], 0, y, 1, err);
        if (rc == MC_OK) rc = mc_couple_role(c, node->inputs[i], 0, i == 1 ? MC_ROLE_SCALE : MC_ROLE_SHIFT, err);
    }
    return rc < 0 ? rc : couple_positions(c, node, err);
}

/* Whole groups go, and what is left is normalized as before. Where groups are fewer than the channels of one, channels
 * at the same place in every group go instead. */
static int group_coupling(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err)
{
    const struct mc_value *x = node->inputs[0], *y = node->outputs[0];
    const int64_t C = mc_coupling_extent(c, x, 1), groups = n_groups(node, C);
    if (C == 0) return mc_coupling_freeze_all(c, node, err);
    const int64_t n = C / groups;
    const bool whole = groups >= n;
    int rc = mc_couple_axes(c, x, 0, y, 0, err);
    if (rc == MC_OK) rc = mc_couple_axes(c, x, 1, y, 1, err);
    if (rc == MC_OK && !whole) rc = couple_positions(c, node, err);
    if (rc == MC_OK && !whole) rc = mc_couple_statistic(c, node, x, 1, err);
    for (int64_t i = 0; i < C && rc == MC_OK; i++)
        rc = mc_couple_index(c, x, 1, i, x, 1, whole ? i / n * n : i % n, err);
    for (int i = 1; i < 3 && rc == MC_OK; i++) {
        const struct mc_value *p = node->inputs[i];
        const bool of_groups = mc_coupling_extent(c, p, 0) != C;
        rc = mc_couple_role(c, p, 0, i == 1 ? MC_ROLE_SCALE : MC_ROLE_SHIFT, err);
        for (int64_t k = 0; k < C && rc == MC_OK; k++)
            if (!of_groups || whole) rc = mc_couple_index(c, p, 0, of_groups ? k / n : k, x, 1, k, err);
    }
    return rc;
}

static int group_resize(struct mc_resize *resize, struct mc_node *node, struct mc_error *err)
{
    const struct mc_value *x = node->inputs[0];
    const int64_t C = mc_resize_old_extent(resize, x, 1), groups = n_groups(node, C), n = C / groups;
    if (groups < n) return MC_OK;
    return mc_node_set_int(node, "num_groups", mc_resize_new_extent(resize, x, 1) / n, err);
}

#define GROUP_OP(name, onnx_type, version, rule, mend)                                                                 \
    const struct mc_op mc_op_##name##_##version = {                                                                    \
        .domain = "",                                                                                                  \
        .type = onnx_type,                                                                                             \
        .since = version,                                                                                              \
        .min_inputs = 3,                                                                                               \
        .max_inputs = 3,                                                                                               \
        .n_outputs = 1,                                                                                                \
        .widens = true,                                                                                                \
        .grad_inputs = 7,                                                                                              \
        .keep = MC_KEEP_IN,                                                                                            \
        .shape = group_shape,                                                                                          \
        .outline = mc_outline_same,                                                                                    \
        .prepare = group_prepare,                                                                                      \
        .forward = group_forward,                                                                                      \
        .backward = group_backward,                                                                                    \
        .coupling = rule,                                                                                              \
        .resize = mend,                                                                                                \
        .cost = mc_cost_elementwise,                                                                                   \
    };

GROUP_OP(group_normalization, "GroupNormalization", 18, group_coupling, group_resize)
GROUP_OP(group_normalization, "GroupNormalization", 21, group_coupling, group_resize)
GROUP_OP(instance_normalization, "InstanceNormalization", 1, instance_coupling, NULL)

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
    const struct mc_tensor *x, *scale, *dy;
    struct mc_tensor *y, *dx;
    struct mc_shape row;
    int64_t n, n_rows;
    bool spread; /* the scale is smaller than a row */
    double epsilon;
    double *saved;  /* what each row was multiplied by, or NULL */
    double *dscale; /* [n] */
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
        if (job->saved) job->saved[i] = factor;
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

static int rms_init(struct rms *job, const struct mc_step *step, struct mc_error *err)
{
    const struct mc_tensor *x = step->in[0];
    int axis = 0;
    const int rc = rms_axis(step->node, x->shape.rank, &axis, err);
    *job = (struct rms){.x = x,
                        .scale = step->in[1],
                        .y = step->out[0],
                        .row = mc_shape_of(x->shape.rank - axis, x->shape.dim + axis),
                        .n = mc_shape_span(&x->shape, axis, x->shape.rank),
                        .n_rows = mc_tensor_count(x) ? mc_shape_span(&x->shape, 0, axis) : 0,
                        .epsilon = (double)mc_node_float(step->node, "epsilon", 1e-5f),
                        .saved = step->saved,
                        .dscale = step->workspace};
    job->spread = mc_tensor_count(step->in[1]) != job->n;
    return rc;
}

static int rms_prepare(struct mc_step *step, struct mc_error *err)
{
    struct rms job;
    if (!step->training) return MC_OK;
    const int rc = rms_init(&job, step, err);
    step->saved_bytes = (size_t)(job.n_rows + 1) * sizeof(double);
    step->workspace_bytes = (size_t)(job.n + 1) * sizeof(double);
    return rc;
}

static int rms_forward(struct mc_step *step, struct mc_error *err)
{
    struct rms job;
    const int rc = rms_init(&job, step, err);
    if (rc == MC_OK) mc_parallel(job.n_rows, mc_parallel_grain(NORM_WORK * job.n), rms_range, &job);
    return rc;
}

/* With f the factor of the row and g = dy scale: dx = f (g - x f^2 mean(g x)). */
#define RMS_BACK(name, type)                                                                                           \
    static void name(const struct rms *job, int64_t i)                                                                 \
    {                                                                                                                  \
        const type *const x = (const type *)job->x->data + i * job->n, *const s = job->scale->data;                    \
        const type *const dy = (const type *)job->dy->data + i * job->n;                                               \
        type *const dx = (type *)job->dx->data + i * job->n;                                                           \
        const double f = job->saved[i];                                                                                \
        double sum = 0;                                                                                                \
        for (int64_t k = 0; k < job->n; k++) sum += (double)dy[k] * (double)s[k] * (double)x[k];                       \
        const type slope = (type)(sum / (double)job->n * f * f), factor = (type)f;                                     \
        for (int64_t k = 0; k < job->n; k++) dx[k] = factor * (dy[k] * s[k] - x[k] * slope);                           \
    }

RMS_BACK(rms_back_f32, float)
RMS_BACK(rms_back_f64, double)

/* The same of whatever types, and a scale that broadcasts. */
static void rms_back_any(const struct rms *job, int64_t i)
{
    struct mc_tensor *const scale[] = {(struct mc_tensor *)(uintptr_t)job->scale};
    const double f = job->saved[i];
    struct mc_walk walk;
    double sum = 0;
    for (int pass = 0; pass < 2; pass++) {
        mc_walk_start(&walk, &job->row, 1, scale);
        for (int64_t k = i * job->n; k < (i + 1) * job->n; k++, mc_walk_next(&walk)) {
            const double g = element(job->dy, k) * element(job->scale, walk.offset[0]), x = element(job->x, k);
            if (pass)
                mc_tensor_set_f64(job->dx, k, f * (g - x * f * f * sum / (double)job->n));
            else
                sum += g * x;
        }
    }
}

static void rms_range_back(void *context, int64_t begin, int64_t end)
{
    const struct rms *job = context;
    const enum mc_dtype dtype = job->x->dtype;
    const bool plain = dtype == job->scale->dtype && !job->spread;
    for (int64_t i = begin; i < end; i++)
        (!plain ? rms_back_any : dtype == MC_FLOAT ? rms_back_f32 : rms_back_f64)(job, i);
}

/* d loss / d scale of the columns from begin to end, over the rows in their order. */
static void rms_columns_back(void *context, int64_t begin, int64_t end)
{
    const struct rms *job = context;
    for (int64_t k = begin; k < end; k++) job->dscale[k] = 0;
    for (int64_t i = 0; i < job->n_rows; i++) {
        const int64_t at = i * job->n;
        const double f = job->saved[i];
        if (job->x->dtype == MC_FLOAT && job->dy->dtype == MC_FLOAT) {
            const float *const x = job->x->data, *const dy = job->dy->data;
            for (int64_t k = begin; k < end; k++) job->dscale[k] += (double)x[at + k] * f * (double)dy[at + k];
        } else {
            for (int64_t k = begin; k < end; k++)
                job->dscale[k] += element(job->x, at + k) * f * element(job->dy, at + k);
        }
    }
}

static int rms_backward(struct mc_step *step, struct mc_error *err)
{
    struct rms job;
    const int rc = rms_init(&job, step, err);
    if (rc < 0) return rc;
    job.dy = step->grad_out[0];
    job.dx = step->grad_in[0];
    if (job.dx) mc_parallel(job.n_rows, mc_parallel_grain(2 * NORM_WORK * job.n), rms_range_back, &job);
    if (!step->grad_in[1]) return MC_OK;
    mc_parallel(job.n, mc_parallel_grain(job.n_rows * 2), rms_columns_back, &job);
    struct mc_tensor *to = step->grad_in[1];
    struct mc_walk walk;
    mc_zero(to);
    mc_walk_start(&walk, &job.row, 1, &to);
    for (int64_t k = 0; k < job.n; k++, mc_walk_next(&walk))
        mc_tensor_set_f64(to, walk.offset[0], element(to, walk.offset[0]) + job.dscale[k]);
    return MC_OK;
}

/* The mean square is that of what is left. */
static int rms_coupling(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err)
{
    const struct mc_value *x = node->inputs[0], *scale = node->inputs[1];
    const int rank = mc_coupling_fact(c, x)->shape.rank, scale_rank = mc_coupling_fact(c, scale)->shape.rank;
    int axis = 0, rc = rms_axis(node, rank, &axis, err);
    for (int k = 0; k < rank && rc == MC_OK; k++) {
        rc = mc_couple_axes(c, x, k, node->outputs[0], k, err);
        if (rc == MC_OK && k >= axis) rc = mc_couple_statistic(c, node, x, k, err);
    }
    if (rc == MC_OK) rc = mc_couple_broadcast(c, scale, x, err);
    for (int k = 0; k < scale_rank && rc == MC_OK; k++) rc = mc_couple_role(c, scale, k, MC_ROLE_SCALE, err);
    return rc;
}

const struct mc_op mc_op_rms_normalization_23 = {
    .domain = "",
    .type = "RMSNormalization",
    .since = 23,
    .min_inputs = 2,
    .max_inputs = 2,
    .n_outputs = 1,
    .widens = true,
    .grad_inputs = 3,
    .keep = MC_KEEP_IN,
    .shape = rms_shape,
    .outline = mc_outline_same,
    .prepare = rms_prepare,
    .forward = rms_forward,
    .backward = rms_backward,
    .coupling = rms_coupling,
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
    step->workspace_bytes = (size_t)(mc_tensor_count(step->in[0]) + 1) * (step->training ? 4 : 2) * sizeof(double);
    return MC_OK;
}

/* Sums of x and of x^2 over the axes, and a walk over x beside them. */
struct mvn {
    struct mc_shape kept;
    double *sum, *square, share; /* share: 1 / (elements that make one) */
    int64_t n;
    struct mc_walk walk;
};

static int mvn_start(struct mvn *job, const struct mc_step *step, struct mc_error *err)
{
    const struct mc_tensor *x = step->in[0];
    struct mc_ints axes;
    const int rc = mvn_axes(step->node, x->shape.rank, &axes, err);
    if (rc < 0) return rc;
    *job = (struct mvn){.kept = x->shape};
    for (int k = 0; k < axes.n; k++) job->kept.dim[axes.at[k]] = 1;
    job->n = mc_shape_count(&job->kept);
    job->share = (double)job->n / (double)mc_tensor_count(x);
    job->sum = step->workspace;
    job->square = job->sum + job->n;
    mc_fold(MC_FOLD_SUM, x->dtype, x->data, &x->shape, &job->kept, NULL, job->sum);
    mc_fold(MC_FOLD_SUM_SQUARE, x->dtype, x->data, &x->shape, &job->kept, NULL, job->square);
    return MC_OK;
}

static void mvn_walk(struct mvn *job, const struct mc_tensor *x)
{
    struct mc_tensor shown = {.dtype = x->dtype, .shape = job->kept};
    mc_walk_start(&job->walk, &x->shape, 1, (struct mc_tensor *const[]){&shown});
}

/* Mean, and the standard deviation from E x^2 - (E x)^2 as the specification writes it. */
static double mvn_mean(const struct mvn *job, int64_t at)
{
    return job->sum[at] * job->share;
}

static double mvn_deviation(const struct mvn *job, int64_t at)
{
    const double mean = mvn_mean(job, at), variance = job->square[at] * job->share - mean * mean;
    return sqrt(variance > 0 ? variance : 0);
}

/* (x - mean) / (standard deviation + 10^-9) */
static int mvn_forward(struct mc_step *step, struct mc_error *err)
{
    const struct mc_tensor *x = step->in[0];
    struct mvn job;
    if (mc_tensor_count(x) == 0) return MC_OK;
    const int rc = mvn_start(&job, step, err);
    if (rc < 0) return rc;
    mvn_walk(&job, x);
    for (int64_t i = 0; i < mc_tensor_count(x); i++, mc_walk_next(&job.walk)) {
        const int64_t at = job.walk.offset[0];
        mc_tensor_set_f64(step->out[0], i, (element(x, i) - mvn_mean(&job, at)) / (mvn_deviation(&job, at) + 1e-9));
    }
    return MC_OK;
}

/* With d the deviation and r = d + 10^-9: dx = (dy - mean(dy) - (x - mean) mean(dy (x - mean)) / (d r)) / r. */
static int mvn_backward(struct mc_step *step, struct mc_error *err)
{
    const struct mc_tensor *x = step->in[0], *dy = step->grad_out[0];
    const int64_t count = mc_tensor_count(x);
    struct mvn job;
    if (count == 0) return MC_OK;
    const int rc = mvn_start(&job, step, err);
    if (rc < 0) return rc;
    double *const g = job.square + job.n, *const gx = g + job.n;
    memset(g, 0, (size_t)job.n * 2 * sizeof *g);
    mvn_walk(&job, x);
    for (int64_t i = 0; i < count; i++, mc_walk_next(&job.walk)) {
        g[job.walk.offset[0]] += element(dy, i);
        gx[job.walk.offset[0]] += element(dy, i) * (element(x, i) - mvn_mean(&job, job.walk.offset[0]));
    }
    mvn_walk(&job, x);
    for (int64_t i = 0; i < count; i++, mc_walk_next(&job.walk)) {
        const int64_t at = job.walk.offset[0];
        const double d = mvn_deviation(&job, at), r = d + 1e-9, away = element(x, i) - mvn_mean(&job, at);
        const double along = d > 0 ? away * gx[at] * job.share / (d * r) : 0;
        mc_tensor_set_f64(step->grad_in[0], i, (element(dy, i) - g[at] * job.share - along) / r);
    }
    return MC_OK;
}

static int mvn_coupling(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err)
{
    struct mc_ints axes;
    const int rc = mvn_axes(node, mc_coupling_fact(c, node->inputs[0])->shape.rank, &axes, err);
    return rc < 0 ? rc : mc_coupling_statistics(c, node, axes.at, axes.n, err);
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
    .outline = mc_outline_same,
    .grad_inputs = 1,
    .keep = MC_KEEP_IN,
    .prepare = mvn_prepare,
    .forward = mvn_forward,
    .backward = mvn_backward,
    .coupling = mvn_coupling,
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

/* Lengths along the axis, which x [outer, n, inner] is divided by. */
struct lp {
    bool l1;
    int64_t outer, n, inner;
    double *length;
};

static int lp_start(struct lp *job, const struct mc_step *step, struct mc_error *err)
{
    const struct mc_tensor *x = step->in[0];
    struct mc_shape kept = x->shape;
    int axis = 0;
    const int rc = mc_need_axis(mc_node_int(step->node, "axis", -1), x->shape.rank, &axis, err);
    if (rc < 0) return rc;
    *job = (struct lp){.l1 = mc_node_int(step->node, "p", 2) == 1,
                       .outer = mc_shape_span(&x->shape, 0, axis),
                       .n = x->shape.dim[axis],
                       .inner = mc_shape_span(&x->shape, axis + 1, x->shape.rank),
                       .length = step->workspace};
    kept.dim[axis] = 1;
    mc_fold(job->l1 ? MC_FOLD_SUM_ABS : MC_FOLD_SUM_SQUARE, x->dtype, x->data, &x->shape, &kept, NULL, job->length);
    for (int64_t i = 0; i < job->outer * job->inner && !job->l1; i++) job->length[i] = sqrt(job->length[i]);
    return MC_OK;
}

/* What has no length stays 0. */
static int lp_forward(struct mc_step *step, struct mc_error *err)
{
    const struct mc_tensor *x = step->in[0];
    struct lp job;
    if (mc_tensor_count(x) == 0) return MC_OK;
    const int rc = lp_start(&job, step, err);
    for (int64_t i = 0; i < mc_tensor_count(x) && rc == MC_OK; i++) {
        const double length = job.length[i / (job.n * job.inner) * job.inner + i % job.inner];
        mc_tensor_set_f64(step->out[0], i, length > 0 ? element(x, i) / length : element(x, i));
    }
    return rc;
}

/* With y = x / l: dx = (dy - y sum(dy y)) / l; of the sum of absolute values (dy - sign(x) sum(dy y)) / l. */
static int lp_backward(struct mc_step *step, struct mc_error *err)
{
    const struct mc_tensor *x = step->in[0], *dy = step->grad_out[0];
    struct lp job;
    if (mc_tensor_count(x) == 0) return MC_OK;
    const int rc = lp_start(&job, step, err);
    for (int64_t line = 0; line < job.outer * job.inner && rc == MC_OK; line++) {
        const int64_t start = line / job.inner * job.n * job.inner + line % job.inner;
        const double length = job.length[line];
        double sum = 0;
        for (int64_t k = 0; k < job.n; k++)
            sum += element(dy, start + k * job.inner) * element(x, start + k * job.inner);
        for (int64_t k = 0; k < job.n; k++) {
            const int64_t at = start + k * job.inner;
            const double v = element(x, at), sign = (v > 0) - (v < 0), g = element(dy, at);
            const double along = job.l1 ? sign * sum / length : v * sum / (length * length);
            mc_tensor_set_f64(step->grad_in[0], at, length > 0 ? (g - along) / length : g);
        }
    }
    return rc;
}

static int lp_coupling(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err)
{
    int axis;
    const int rank = mc_coupling_fact(c, node->inputs[0])->shape.rank;
    const int rc = mc_need_axis(mc_node_int(node, "axis", -1), rank, &axis, err);
    return rc < 0 ? rc : mc_coupling_statistics(c, node, &(int64_t){axis}, 1, err);
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
    .outline = mc_outline_same,
    .grad_inputs = 1,
    .keep = MC_KEEP_IN,
    .prepare = lp_prepare,
    .forward = lp_forward,
    .backward = lp_backward,
    .coupling = lp_coupling,
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
    const struct mc_tensor *x, *dy;
    struct mc_tensor *y, *dx;
    int64_t C, inner, before, after;
    double alpha, beta, bias;
    double *term; /* going back: dy x s^(-beta - 1), where y = x s^-beta */
};

/* bias + alpha times the squares of channels c - before … c + after of one position. */
static double lrn_sum(const struct lrn *job, int64_t c, int64_t at)
{
    const int64_t first = c < job->before ? -c : -job->before;
    const int64_t last = c + job->after >= job->C ? job->C - 1 - c : job->after;
    double sum = 0;
    for (int64_t k = first; k <= last; k++) {
        const double v = element(job->x, at + k * job->inner);
        sum += v * v;
    }
    return job->bias + job->alpha * sum;
}

static void lrn_range(void *context, int64_t begin, int64_t end)
{
    const struct lrn *job = context;
    for (int64_t plane = begin; plane < end; plane++)
        for (int64_t at = plane * job->inner; at < (plane + 1) * job->inner; at++)
            mc_tensor_set_f64(job->y, at, element(job->x, at) / pow(lrn_sum(job, plane % job->C, at), job->beta));
}

static void lrn_terms(void *context, int64_t begin, int64_t end)
{
    const struct lrn *job = context;
    for (int64_t plane = begin; plane < end; plane++)
        for (int64_t at = plane * job->inner; at < (plane + 1) * job->inner; at++) {
            const double s = lrn_sum(job, plane % job->C, at), power = pow(s, -job->beta);
            mc_tensor_set_f64(job->dx, at, element(job->dy, at) * power);
            job->term[at] = element(job->dy, at) * element(job->x, at) * power / s;
        }
}

/* A channel is among the squares of those from c - after to c + before. */
static void lrn_range_back(void *context, int64_t begin, int64_t end)
{
    const struct lrn *job = context;
    for (int64_t plane = begin; plane < end; plane++) {
        const int64_t c = plane % job->C, first = c < job->after ? -c : -job->after;
        const int64_t last = c + job->before >= job->C ? job->C - 1 - c : job->before;
        for (int64_t at = plane * job->inner; at < (plane + 1) * job->inner; at++) {
            double sum = 0;
            for (int64_t k = first; k <= last; k++) sum += job->term[at + k * job->inner];
            mc_tensor_set_f64(job->dx, at,
                              element(job->dx, at) - 2 * job->alpha * job->beta * element(job->x, at) * sum);
        }
    }
}

static void lrn_init(struct lrn *job, const struct mc_step *step)
{
    const struct mc_tensor *x = step->in[0];
    const int64_t size = mc_node_int(step->node, "size", 1);
    *job = (struct lrn){.x = x,
                        .y = step->out[0],
                        .C = x->shape.dim[1],
                        .inner = mc_shape_span(&x->shape, 2, x->shape.rank),
                        .before = (size - 1) / 2,
                        .after = size / 2,
                        .alpha = (double)mc_node_float(step->node, "alpha", 1e-4f) / (double)size,
                        .beta = (double)mc_node_float(step->node, "beta", 0.75f),
                        .bias = (double)mc_node_float(step->node, "bias", 1.0f),
                        .term = step->workspace};
}

static int lrn_prepare(struct mc_step *step, struct mc_error *err)
{
    if (step->training) step->workspace_bytes = (size_t)(mc_tensor_count(step->in[0]) + 1) * sizeof(double);
    return MC_OK;
}

static int lrn_forward(struct mc_step *step, struct mc_error *err)
{
    struct lrn job;
    lrn_init(&job, step);
    const int64_t grain = mc_parallel_grain((20 + job.before + job.after) * job.inner);
    mc_parallel(job.x->shape.dim[0] * job.C, grain, lrn_range, &job);
    return MC_OK;
}

static int lrn_backward(struct mc_step *step, struct mc_error *err)
{
    struct lrn job;
    lrn_init(&job, step);
    job.dy = step->grad_out[0];
    job.dx = step->grad_in[0];
    const int64_t grain = mc_parallel_grain((20 + job.before + job.after) * job.inner);
    mc_parallel(job.x->shape.dim[0] * job.C, grain, lrn_terms, &job);
    mc_parallel(job.x->shape.dim[0] * job.C, grain, lrn_range_back, &job);
    return MC_OK;
}

/* A channel is divided by what its neighbours say: those that are left. */
static int lrn_coupling(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err)
{
    return mc_coupling_statistics(c, node, &(int64_t){1}, 1, err);
}

const struct mc_op mc_op_lrn_1 = {
    .domain = "",
    .type = "LRN",
    .since = 1,
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .widens = true,
    .grad_inputs = 1,
    .keep = MC_KEEP_IN,
    .shape = lrn_shape,
    .outline = mc_outline_same,
    .prepare = lrn_prepare,
    .forward = lrn_forward,
    .backward = lrn_backward,
    .coupling = lrn_coupling,
    .cost = mc_cost_elementwise,
};
