/* layer_normalization.c - LayerNormalization (ONNX opset 17): y = (x - mean) / sqrt(variance + epsilon) * scale + bias.
 *
 * x is taken for rows, everything from `axis` (default -1) on being one; scale and bias have a row's shape. Mean and
 * InvStdDev, one of each a row, are float32 as `stash_type` 1 says, whatever x is. (Ba, Kiros, Hinton 2016)
 */
#include <string.h>

#include "base/error.h"
#include "kernel/parallel.h"
#include "op/elementwise.h"
#include "op/outline.h"

/* Three sums and a map over each element, in elements of the cheapest loops. */
#define NORM_WORK 6
/* Columns whose sums over all rows are taken at once. */
#define BLOCK 256

static int need_row_shape(const struct mc_node *node, const struct mc_fact *const *in, int i, int axis,
                          struct mc_error *err)
{
    const struct mc_shape *x = &in[0]->shape;
    const struct mc_shape row = mc_shape_of(x->rank - axis, x->dim + axis);
    const int rc = mc_need_dtype(node, i, in[i], MC_TYPE_BIT(in[0]->dtype), err);
    if (rc < 0 || mc_shape_equal(&in[i]->shape, &row)) return rc;
    char need[128], have[128];
    return mc_error_set(err, MC_ERR_UNSUPPORTED, "input %d '%s': needs shape %s, has %s", i, node->inputs[i]->name,
                        mc_shape_text(&row, need, sizeof(need)), mc_shape_text(&in[i]->shape, have, sizeof(have)));
}

static int norm_axis(const struct mc_node *node, int rank, int *axis, struct mc_error *err)
{
    return mc_need_axis(mc_node_int(node, "axis", -1), rank, axis, err);
}

static int norm_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                      struct mc_error *err)
{
    int axis = 0, rc = mc_need_dtype(node, 0, in[0], MC_TYPES_FLOAT, err);
    if (rc == 0 && mc_node_int(node, "stash_type", 1) != MC_FLOAT)
        rc = mc_error_set(err, MC_ERR_UNSUPPORTED, "attribute 'stash_type': needs 1 (float32), has %d",
                          (int)mc_node_int(node, "stash_type", 1));
    if (rc == 0) rc = norm_axis(node, in[0]->shape.rank, &axis, err);
    if (rc == 0) rc = need_row_shape(node, in, 1, axis, err);
    if (rc == 0 && in[2]) rc = need_row_shape(node, in, 2, axis, err);
    if (rc < 0) return rc;
    out[0].dtype = in[0]->dtype;
    out[0].shape = in[0]->shape;
    out[1].dtype = out[2].dtype = MC_FLOAT;
    out[1].shape = in[0]->shape;
    for (int k = axis; k < out[1].shape.rank; k++) out[1].shape.dim[k] = 1;
    out[2].shape = out[1].shape;
    return MC_OK;
}

/* What the loops over rows and over columns work on. */
struct job {
    const struct mc_row_loops *rows;
    int64_t n_rows, n; /* n: elements of a row */
    size_t size;
    double epsilon;
    const char *x, *scale, *shift, *dy;
    char *y, *dx, *dscale, *dshift;
    struct mc_moments *saved; /* one a row, or NULL */
    float *mean, *inverse;    /* outputs, or NULL */
    const float *dmean, *dinverse;
};

static void *data_of(struct mc_tensor *const *list, int n, int i)
{
    return list && i < n && list[i] ? list[i]->data : NULL;
}

static void job_init(struct job *job, const struct mc_step *step)
{
    const struct mc_tensor *x = step->in[0];
    int axis = 0;
    norm_axis(step->node, x->shape.rank, &axis, NULL); /* the shape rule has checked it */
    *job = (struct job){
        .rows = &mc_step_loops(step)->rows[mc_loop_type(x->dtype)],
        .n_rows = mc_shape_span(&x->shape, 0, axis),
        .n = mc_shape_span(&x->shape, axis, x->shape.rank),
        .size = (size_t)mc_dtype_bits(x->dtype) / 8,
        .epsilon = (double)mc_node_float(step->node, "epsilon", 1e-5f),
        .x = x->data,
        .scale = step->in[1]->data,
        .shift = data_of(step->in, step->n_in, 2),
        .saved = step->saved,
    };
}

static int norm_prepare(struct mc_step *step, struct mc_error *err)
{
    struct job job;
    job_init(&job, step);
    if (step->training) step->saved_bytes = (size_t)job.n_rows * sizeof(struct mc_moments);
    if (step->training && step->n_out > 1) step->workspace_bytes = mc_tensor_bytes(step->in[0]);
    return MC_OK;
}

static void forward_rows(void *context, int64_t begin, int64_t end)
{
    const struct job *job = context;
    for (int64_t row = begin; row < end; row++) {
        const size_t at = (size_t)(row * job->n) * job->size;
        struct mc_moments m;
        job->rows->moments(job->n, job->x + at, job->epsilon, &m);
        job->rows->normalize(job->n, job->x + at, &m, job->scale, job->shift, job->y + at);
        if (job->saved) job->saved[row] = m;
        if (job->mean) job->mean[row] = (float)m.mean;
        if (job->inverse) job->inverse[row] = (float)m.inverse;
    }
}

static int norm_forward(struct mc_step *step, struct mc_error *err)
{
    struct job job;
    job_init(&job, step);
    job.y = step->out[0]->data;
    job.mean = data_of(step->out, step->n_out, 1);
    job.inverse = data_of(step->out, step->n_out, 2);
    mc_parallel(job.n_rows, mc_parallel_grain(job.n * NORM_WORK), forward_rows, &job);
    return MC_OK;
}

static void backward_rows(void *context, int64_t begin, int64_t end)
{
    const struct job *job = context;
    for (int64_t row = begin; row < end; row++) {
        const size_t at = (size_t)(row * job->n) * job->size;
        const struct mc_moments d = {.mean = job->dmean ? (double)job->dmean[row] : 0,
                                     .inverse = job->dinverse ? (double)job->dinverse[row] : 0};
        job->rows->normalize_grad(job->n, job->x + at, &job->saved[row], job->scale, job->dy + at, &d, job->dx + at);
    }
}

/* d loss / d scale and d loss / d shift of the columns from begin to end: sums over the rows, in their order. */
static void backward_columns(void *context, int64_t begin, int64_t end)
{
    const struct job *job = context;
    double scale[BLOCK], shift[BLOCK];
    for (int64_t n; begin < end; begin += n) {
        n = end - begin < BLOCK ? end - begin : BLOCK;
        memset(scale, 0, sizeof(scale));
        memset(shift, 0, sizeof(shift));
        for (int64_t row = 0; row < job->n_rows; row++) {
            const size_t at = (size_t)(row * job->n + begin) * job->size;
            if (job->dscale) job->rows->normalize_grad_scale(n, job->x + at, &job->saved[row], job->dy + at, scale);
            if (job->dshift) job->rows->add_to(n, job->dy + at, shift);
        }
        if (job->dscale) job->rows->store(n, scale, 1, job->dscale + (size_t)begin * job->size);
        if (job->dshift) job->rows->store(n, shift, 1, job->dshift + (size_t)begin * job->size);
    }
}

static int norm_backward(struct mc_step *step, struct mc_error *err)
{
    struct job job;
    job_init(&job, step);
    job.dy = data_of(step->grad_out, step->n_out, 0);
    if (!job.dy && step->workspace) /* only the statistics have a gradient */
        job.dy = memset(step->workspace, 0, mc_tensor_bytes(step->in[0]));
    job.dmean = data_of(step->grad_out, step->n_out, 1);
    job.dinverse = data_of(step->grad_out, step->n_out, 2);
    job.dx = data_of(step->grad_in, step->n_in, 0);
    job.dscale = data_of(step->grad_in, step->n_in, 1);
    job.dshift = data_of(step->grad_in, step->n_in, 2);
    if (job.dx) mc_parallel(job.n_rows, mc_parallel_grain(job.n * NORM_WORK), backward_rows, &job);
    if (job.dscale || job.dshift) mc_parallel(job.n, mc_parallel_grain(job.n_rows * NORM_WORK), backward_columns, &job);
    return MC_OK;
}

/* Without one of its elements a row has another mean and variance: those of what is left. */
static int norm_coupling(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err)
{
    const struct mc_value *x = node->inputs[0];
    const int rank = mc_coupling_fact(c, x)->shape.rank;
    int axis = 0, rc = norm_axis(node, rank, &axis, err);
    for (int k = 0; k < rank && rc == 0; k++) {
        if (k >= axis) rc = mc_couple_statistic(c, node, x, k, err);
        for (int i = 0; i < node->n_outputs && rc == 0; i++)
            if (node->outputs[i] && (i == 0 || k < axis)) rc = mc_couple_axes(c, x, k, node->outputs[i], k, err);
    }
    for (int i = 1; i < node->n_inputs && rc == 0; i++) {
        for (int k = axis; k < rank && node->inputs[i] && rc == 0; k++) {
            rc = mc_couple_axes(c, node->inputs[i], k - axis, x, k, err);
            if (rc == 0) rc = mc_couple_role(c, node->inputs[i], k - axis, i == 1 ? MC_ROLE_SCALE : MC_ROLE_SHIFT, err);
        }
    }
    return rc;
}

const struct mc_op mc_op_layer_normalization_1 = {
    .domain = "",
    .type = "LayerNormalization",
    .since = 1, /* ONNX Runtime's optimizer writes it whatever the opset */
    .min_inputs = 2,
    .max_inputs = 3,
    .n_outputs = 3,
    .grad_inputs = 7,
    .keep = MC_KEEP_IN,
    .widens = true,
    .stays_wide = 1u << 1 | 1u << 2,
    .shape = norm_shape,
    .outline = mc_outline_same,
    .prepare = norm_prepare,
    .forward = norm_forward,
    .backward = norm_backward,
    .coupling = norm_coupling,
    .cost = mc_cost_elementwise,
};
