/* deform_conv.c - DeformConv (ONNX opset 19, 22): a convolution whose taps are moved by offsets and weighed by a mask,
 * of each output and tap (Dai et al. 2017; Zhu et al. 2019).
 *
 *     x: [N, C, in…]   w: [M, C / group, kernel…]   offset: [N, offset_group * taps * axes, out…]
 *     b: [M], optional   mask: [N, offset_group * taps, out…], optional   y: [N, M, out…]
 *
 * For one sample at a time the taps, interpolated linearly between neighbours with zeros around the image, are the
 * columns of a product with the weights.
 */
#include <inttypes.h>
#include <math.h>

#include "base/alloc.h"
#include "base/error.h"
#include "kernel/blas.h"
#include "kernel/parallel.h"
#include "op/move.h"
#include "op/sliding.h"

enum { X, W, OFFSET, B, MASK, N_INPUTS };

static int need_shape(const struct mc_node *node, int i, const struct mc_fact *fact, const struct mc_shape *shape,
                      struct mc_error *err)
{
    char need[128], have[128];
    if (!fact || mc_shape_equal(&fact->shape, shape)) return MC_OK;
    return mc_error_set(err, MC_ERR_INPUT, "input %d '%s': needs shape %s, has %s", i, node->inputs[i]->name,
                        mc_shape_text(shape, need, sizeof need), mc_shape_text(&fact->shape, have, sizeof have));
}

static int need_groups(const struct mc_node *node, const struct mc_shape *x, const struct mc_shape *w,
                       struct mc_error *err)
{
    const int64_t groups = mc_node_int(node, "group", 1), moved = mc_node_int(node, "offset_group", 1);
    if (groups < 1 || x->dim[1] % groups || w->dim[0] % groups || w->dim[1] != x->dim[1] / groups)
        return mc_error_set(err, MC_ERR_INPUT,
                            "input 1 '%s': %" PRId64 " filters of %" PRId64 " channels in %" PRId64
                            " groups, input 0 has %" PRId64,
                            node->inputs[W]->name, w->dim[0], w->dim[1], groups, x->dim[1]);
    if (moved < 1 || x->dim[1] % moved)
        return mc_error_set(err, MC_ERR_INPUT, "attribute 'offset_group': needs a divisor of %" PRId64 ", has %" PRId64,
                            x->dim[1], moved);
    return MC_OK;
}

static int deform_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                        struct mc_error *err)
{
    struct mc_window w;
    int rc = mc_need_dtype(node, X, in[X], MC_TYPES_FLOAT, err);
    if (rc == MC_OK) rc = mc_need_rank(node, X, in[X], 3, 2 + MC_MAX_SPATIAL, err);
    for (int i = W; i < N_INPUTS && rc == MC_OK; i++)
        if (in[i] || i <= OFFSET) rc = mc_need_dtype(node, i, in[i], MC_TYPE_BIT(in[X]->dtype), err);
    if (rc < 0) return rc;
    const struct mc_shape *x = &in[X]->shape;
    rc = mc_need_rank(node, W, in[W], x->rank, x->rank, err);
    if (rc == MC_OK) rc = need_groups(node, x, &in[W]->shape, err);
    if (rc == MC_OK) rc = mc_sliding_window(node, in[X], &in[W]->shape.dim[2], false, &w, err);
    if (rc < 0) return rc;
    const int64_t taps = mc_window_taps(&w), moved = mc_node_int(node, "offset_group", 1), M = in[W]->shape.dim[0];
    int64_t columns, offsets, bytes;
    if (!mc_mul_i64(x->dim[1], taps, &columns) || !mc_mul_i64(columns, mc_window_outputs(&w), &bytes) ||
        bytes > INT64_MAX / 64 || !mc_mul_i64(taps * w.rank, moved, &offsets) ||
        !mc_gemm_fits(M, mc_window_outputs(&w), columns))
        return mc_error_set(err, MC_ERR_UNSUPPORTED, "needs extents below 2^31");
    const struct mc_shape bias = {.rank = 1, .dim = {M}}, mask = mc_sliding_shape(&w, x->dim[0], taps * moved);
    const struct mc_shape offset = mc_sliding_shape(&w, x->dim[0], offsets);
    rc = need_shape(node, OFFSET, in[OFFSET], &offset, err);
    if (rc == MC_OK) rc = need_shape(node, B, in[B], &bias, err);
    if (rc == MC_OK) rc = need_shape(node, MASK, in[MASK], &mask, err);
    out[0] = (struct mc_fact){.dtype = in[X]->dtype, .shape = mc_sliding_shape(&w, x->dim[0], M)};
    return rc;
}

struct job {
    struct mc_window w; /* three axes, the first of which may not be there */
    int rank;
    int64_t sample, C, M, groups, taps, inputs, outputs, moved;
    const struct mc_tensor *x, *weights, *offset, *mask;
    struct mc_tensor *dx, *doffset, *dmask;
    struct mc_tensor columns; /* [C, taps, outputs] */
};

/* Neighbours of a place between elements: where they lie in a plane, and for each axis what they weigh along it. */
struct corners {
    int n;
    struct corner {
        int64_t at;
        double factor[MC_MAX_SPATIAL];
        bool far[MC_MAX_SPATIAL]; /* on the far side, so that the factor grows with the offset */
    } of[1 << MC_MAX_SPATIAL];
};

static double weight_of(const struct corner *c)
{
    return c->factor[0] * c->factor[1] * c->factor[2];
}

static void find_corners(const struct job *job, int64_t output, int64_t tap, const double *offset, struct corners *c)
{
    int64_t step = 1;
    *c = (struct corners){.n = 1};
    for (int k = MC_MAX_SPATIAL - 1; k >= 0; k--) {
        const int64_t extent = job->w.in[k];
        const double at = (double)mc_window_at(&job->w, k, output % job->w.out[k], tap % job->w.kernel[k]) + offset[k];
        const double low = at > -2 && at < (double)extent + 1 ? floor(at) : -2;
        struct corners next = {.n = 0};
        for (int side = 0; side < 2; side++) {
            const int64_t i = (int64_t)low + side;
            for (int j = 0; j < c->n && i >= 0 && i < extent; j++) {
                struct corner *corner = &next.of[next.n++];
                *corner = c->of[j];
                corner->at += i * step;
                corner->factor[k] = side ? at - low : 1 - (at - low);
                corner->far[k] = side;
            }
        }
        *c = next;
        step *= extent;
        output /= job->w.out[k];
        tap /= job->w.kernel[k];
    }
}

/* One tap of one output, of an offset group. */
struct tap {
    int64_t moved, tap, output; /* moved: the tap counted through all groups */
    int64_t offset, mask;       /* where its first offset and its mask stand; offsets of axes are job->outputs apart */
    double weight;              /* what the mask says */
    struct corners corners;
};

static void find_tap(const struct job *job, int64_t i, struct tap *t)
{
    const int64_t n = job->moved * job->taps;
    double offset[MC_MAX_SPATIAL] = {0};
    *t = (struct tap){.moved = i / job->outputs, .tap = i / job->outputs % job->taps, .output = i % job->outputs};
    t->offset = (job->sample * n + t->moved) * job->rank * job->outputs + t->output;
    t->mask = (job->sample * n + t->moved) * job->outputs + t->output;
    t->weight = job->mask ? mc_tensor_get_f64(job->mask, t->mask) : 1;
    for (int k = 0; k < job->rank; k++)
        offset[MC_MAX_SPATIAL - job->rank + k] = mc_tensor_get_f64(job->offset, t->offset + k * job->outputs);
    find_corners(job, t->output, t->tap, offset, &t->corners);
}

/* Taps [begin, end), counted through all offset groups: their columns for the channels of the group. */
static void fill_columns(void *context, int64_t begin, int64_t end)
{
    struct job *job = context;
    const int64_t share = job->C / job->moved;
    for (int64_t i = begin * job->outputs; i < end * job->outputs; i++) {
        struct tap t;
        find_tap(job, i, &t);
        for (int64_t c = t.moved / job->taps * share; c < (t.moved / job->taps + 1) * share; c++) {
            const int64_t plane = (job->sample * job->C + c) * job->inputs;
            double sum = 0;
            for (int k = 0; k < t.corners.n; k++)
                sum += weight_of(&t.corners.of[k]) * mc_tensor_get_f64(job->x, plane + t.corners.of[k].at);
            mc_tensor_set_f64(&job->columns, (c * job->taps + t.tap) * job->outputs + t.output, t.weight * sum);
        }
    }
}

static void add_to(struct mc_tensor *to, int64_t at, double v)
{
    if (to) mc_tensor_set_f64(to, at, mc_tensor_get_f64(to, at) + v);
}

/* What the gradient g of a tap in channel c gives its pixels, its offsets and its mask. */
static void give_back(const struct job *job, const struct tap *t, int64_t c, double g)
{
    const int64_t plane = (job->sample * job->C + c) * job->inputs;
    for (int k = 0; k < t->corners.n; k++) {
        const struct corner *corner = &t->corners.of[k];
        const double weight = weight_of(corner), x = mc_tensor_get_f64(job->x, plane + corner->at);
        add_to(job->dx, plane + corner->at, g * t->weight * weight);
        add_to(job->dmask, t->mask, g * weight * x);
        for (int a = 0; a < job->rank && job->doffset; a++) {
            const int axis = MC_MAX_SPATIAL - job->rank + a;
            double slope = corner->far[axis] ? 1 : -1;
            for (int b = 0; b < MC_MAX_SPATIAL; b++) slope *= b == axis ? 1 : corner->factor[b];
            add_to(job->doffset, t->offset + a * job->outputs, g * t->weight * slope * x);
        }
    }
}

/* All taps of the sample, whose gradients are the columns. */
static void give_all_back(const struct job *job)
{
    const int64_t share = job->C / job->moved;
    for (int64_t i = 0; i < job->moved * job->taps * job->outputs; i++) {
        struct tap t;
        find_tap(job, i, &t);
        for (int64_t c = t.moved / job->taps * share; c < (t.moved / job->taps + 1) * share; c++)
            give_back(job, &t, c, mc_tensor_get_f64(&job->columns, (c * job->taps + t.tap) * job->outputs + t.output));
    }
}

static int deform_prepare(struct mc_step *step, struct mc_error *err)
{
    const struct mc_shape *y = &step->out[0]->shape;
    step->workspace_bytes = (size_t)(step->in[X]->shape.dim[1] * mc_shape_span(&step->in[W]->shape, 2, y->rank) *
                                     mc_shape_span(y, 2, y->rank)) *
                            mc_element_size(step->out[0]->dtype);
    return MC_OK;
}

/* The bias, or nothing, for the products to be added to. */
static void start_outputs(const struct mc_step *step, int64_t outputs)
{
    struct mc_tensor *y = step->out[0];
    if (!step->in[B]) return;
    for (int64_t i = 0; i < mc_tensor_count(y); i++)
        mc_tensor_set_f64(y, i, mc_tensor_get_f64(step->in[B], i / outputs % y->shape.dim[1]));
}

static int job_init(struct job *job, const struct mc_step *step, struct mc_error *err)
{
    const struct mc_tensor *x = step->in[X];
    const struct mc_fact fact = mc_fact_of(x);
    struct mc_window own;
    const int rc = mc_sliding_window(step->node, &fact, &step->in[W]->shape.dim[2], false, &own, err);
    if (rc < 0) return rc;
    *job = (struct job){.w = mc_window_as_3d(&own),
                        .rank = own.rank,
                        .C = x->shape.dim[1],
                        .M = step->in[W]->shape.dim[0],
                        .groups = mc_node_int(step->node, "group", 1),
                        .taps = mc_window_taps(&own),
                        .inputs = mc_window_inputs(&own),
                        .outputs = mc_window_outputs(&own),
                        .moved = mc_node_int(step->node, "offset_group", 1),
                        .x = x,
                        .offset = step->in[OFFSET],
                        .mask = step->in[MASK],
                        .columns = {.dtype = x->dtype, .data = step->workspace}};
    return MC_OK;
}

static void fill_sample(struct job *job)
{
    const int64_t work = job->outputs * (32 + 16 * job->C / job->moved);
    mc_parallel(job->moved * job->taps, mc_parallel_grain(work), fill_columns, job);
}

/* Where group k begins among the columns, the weights, the outputs of the sample. */
static char *group_of(const struct job *job, const struct mc_tensor *tensor, int64_t k)
{
    const int64_t columns = job->C / job->groups * job->taps, rows = job->M / job->groups;
    const int64_t at = tensor == &job->columns  ? k * columns * job->outputs
                       : tensor == job->weights ? k * rows * columns
                                                : (job->sample * job->M + k * rows) * job->outputs;
    return (char *)tensor->data + (size_t)at * mc_element_size(job->x->dtype);
}

static int deform_forward(struct mc_step *step, struct mc_error *err)
{
    struct job job;
    const int rc = job_init(&job, step, err);
    if (rc < 0 || mc_tensor_count(step->out[0]) == 0) return rc;
    struct mc_gemm g =
        mc_gemm_dense(job.x->dtype, false, false, job.M / job.groups, job.outputs, job.C / job.groups * job.taps);
    if (step->in[B]) g.beta = 1;
    job.weights = step->in[W];
    start_outputs(step, job.outputs);
    for (job.sample = 0; job.sample < job.x->shape.dim[0]; job.sample++) {
        fill_sample(&job);
        for (int64_t k = 0; k < job.groups; k++)
            mc_gemm(&g, group_of(&job, step->in[W], k), group_of(&job, &job.columns, k),
                    group_of(&job, step->out[0], k));
    }
    return MC_OK;
}

/* dW of each sample is dy times its columns, transposed; then the columns are given W, transposed, times dy. */
static int deform_backward(struct mc_step *step, struct mc_error *err)
{
    struct mc_tensor *const *grad = step->grad_in, *dy = step->grad_out[0];
    struct job job;
    const int rc = job_init(&job, step, err);
    for (int i = X; i < N_INPUTS && rc == MC_OK; i++)
        if (grad[i]) mc_zero(grad[i]);
    if (rc < 0 || mc_tensor_count(dy) == 0) return rc;
    const int64_t rows = job.M / job.groups, columns = job.C / job.groups * job.taps;
    struct mc_gemm to_weights = mc_gemm_dense(dy->dtype, false, true, rows, columns, job.outputs);
    const struct mc_gemm to_columns = mc_gemm_dense(dy->dtype, true, false, columns, job.outputs, rows);
    to_weights.beta = 1;
    job.dx = grad[X];
    job.doffset = grad[OFFSET];
    job.dmask = grad[MASK];
    for (int64_t i = 0; i < mc_tensor_count(dy) && grad[B]; i++)
        add_to(grad[B], i / job.outputs % job.M, mc_tensor_get_f64(dy, i));
    for (job.sample = 0; job.sample < job.x->shape.dim[0]; job.sample++) {
        if (grad[W]) fill_sample(&job);
        job.weights = grad[W];
        for (int64_t k = 0; k < job.groups && grad[W]; k++)
            mc_gemm(&to_weights, group_of(&job, dy, k), group_of(&job, &job.columns, k), group_of(&job, grad[W], k));
        job.weights = step->in[W];
        for (int64_t k = 0; k < job.groups; k++)
            mc_gemm(&to_columns, group_of(&job, step->in[W], k), group_of(&job, dy, k),
                    group_of(&job, &job.columns, k));
        give_all_back(&job);
    }
    return MC_OK;
}

static void deform_cost(const struct mc_node *node, const struct mc_fact *const *in, const struct mc_fact *out,
                        struct mc_cost *cost)
{
    const struct mc_shape *w = &in[W]->shape;
    const int64_t macs = mc_shape_count(&out[0].shape) * mc_shape_span(w, 1, w->rank);
    mc_cost_free(node, in, out, cost);
    cost->macs += macs;
    cost->flops += 2 * macs;
}

const struct mc_op mc_op_deform_conv_19 = {
    .domain = "",
    .type = "DeformConv",
    .since = 19,
    .min_inputs = 3,
    .max_inputs = 5,
    .n_outputs = 1,
    .grad_inputs = 31,
    .keep = MC_KEEP_IN,
    .widens = true,
    .shape = deform_shape,
    .prepare = deform_prepare,
    .forward = deform_forward,
    .backward = deform_backward,
    .coupling = mc_coupling_freeze_all,
    .cost = deform_cost,
};
