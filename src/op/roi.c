/* roi.c - RoiAlign (ONNX opset 10, 16) and MaxRoiPool (1, 22): regions of x [N, C, H, W] sampled to [regions, C, h, w].
 * Mask R-CNN: He et al. 2017. Each bin is the mean of a grid of interpolated samples, or with mode max the largest of
 * their weighted pixels. MaxRoiPool (Girshick 2015) takes the largest of the pixels in a bin, after rounding outwards.
 */
#include <inttypes.h>
#include <math.h>

#include "base/error.h"
#include "kernel/parallel.h"
#include "op/move.h"
#include "op/ops.h"

enum { X, ROIS, BATCH };

static int roi_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                     struct mc_error *err)
{
    const int64_t h = mc_node_int(node, "output_height", 1), w = mc_node_int(node, "output_width", 1);
    int rc = mc_need_dtype(node, X, in[X], MC_TYPES_FLOAT, err);
    if (rc == MC_OK) rc = mc_need_rank(node, X, in[X], 4, 4, err);
    if (rc == MC_OK) rc = mc_need_dtype(node, ROIS, in[ROIS], MC_TYPE_BIT(in[X]->dtype), err);
    if (rc == MC_OK) rc = mc_need_rank(node, ROIS, in[ROIS], 2, 2, err);
    if (rc == MC_OK) rc = mc_need_dtype(node, BATCH, in[BATCH], MC_TYPE_BIT(MC_INT64), err);
    if (rc == MC_OK) rc = mc_need_rank(node, BATCH, in[BATCH], 1, 1, err);
    if (rc < 0) return rc;
    if (in[ROIS]->shape.dim[1] != 4 || in[BATCH]->shape.dim[0] != in[ROIS]->shape.dim[0])
        return mc_error_set(err, MC_ERR_INPUT, "input 1 '%s': needs four edges and a sample for each region",
                            node->inputs[ROIS]->name);
    if (h < 1 || w < 1 || h > INT32_MAX || w > INT32_MAX)
        return mc_error_set(err, MC_ERR_INPUT,
                            "attributes 'output_height' and 'output_width': %" PRId64 " and %" PRId64, h, w);
    if (!mc_node_string_is(node, "mode", "avg", true) && !mc_node_string_is(node, "mode", "max", false))
        return mc_error_set(err, MC_ERR_INPUT, "attribute 'mode': needs avg or max");
    out[0] = (struct mc_fact){.dtype = in[X]->dtype,
                              .shape = {.rank = 4, .dim = {in[ROIS]->shape.dim[0], in[X]->shape.dim[1], h, w}}};
    return MC_OK;
}

struct job {
    const struct mc_tensor *x, *rois, *dy;
    const int64_t *samples;
    struct mc_tensor *y, *dx;
    struct mc_shape out;
    bool max, half; /* half: pixels have their centre in the middle */
    int64_t ratio;
    double scale;
};

/* Along an axis of n pixels: between which two a place lies, and how far. False outside. */
static bool between(double v, int64_t n, int64_t *low, int64_t *high, double *part)
{
    if (!(v >= -1 && v <= (double)n)) return false;
    v = v > 0 ? v : 0;
    *low = (int64_t)v;
    if (*low >= n - 1) *low = n - 1;
    *high = *low + 1 < n ? *low + 1 : *low;
    *part = *high > *low ? v - (double)*low : 0;
    return true;
}

struct region {
    double y, x, bin_h, bin_w;
    int64_t grid_h, grid_w;
};

/* The four pixels around sample (a, b) of bin (i, j) of a plane, and their weights; false outside of the picture. */
struct corners {
    int64_t at[4];
    double weight[4];
};

static bool find_corners(const struct job *job, const struct region *r, int64_t plane, int64_t bin, int64_t sample,
                         struct corners *c)
{
    const int64_t H = job->x->shape.dim[2], W = job->x->shape.dim[3], w = job->out.dim[3];
    const double down = ((double)(sample / r->grid_w) + 0.5) / (double)r->grid_h + (double)(bin / w);
    const double right_of = ((double)(sample % r->grid_w) + 0.5) / (double)r->grid_w + (double)(bin % w);
    int64_t top, bottom, left, right;
    double v, u;
    if (!between(r->y + down * r->bin_h, H, &top, &bottom, &v) ||
        !between(r->x + right_of * r->bin_w, W, &left, &right, &u))
        return false;
    const int64_t at = plane * H * W;
    *c = (struct corners){{at + top * W + left, at + top * W + right, at + bottom * W + left, at + bottom * W + right},
                          {(1 - v) * (1 - u), (1 - v) * u, v * (1 - u), v * u}};
    return true;
}

static double bin(const struct job *job, const struct region *r, int64_t plane, int64_t bin)
{
    double sum = 0, most = 0;
    const int64_t n = r->grid_h * r->grid_w;
    for (int64_t i = 0; i < n; i++) {
        struct corners c;
        double largest = 0;
        if (find_corners(job, r, plane, bin, i, &c)) {
            largest = -INFINITY;
            for (int k = 0; k < 4; k++) {
                const double term = c.weight[k] * mc_tensor_get_f64(job->x, c.at[k]);
                sum += term;
                largest = fmax(largest, term);
            }
        }
        most = i ? fmax(most, largest) : largest;
    }
    return job->max ? most : sum / (n > 0 ? (double)n : 1);
}

static void add(struct mc_tensor *t, int64_t at, double v)
{
    mc_tensor_set_f64(t, at, mc_tensor_get_f64(t, at) + v);
}

/* The gradient g of a bin: to all that it is the mean of, or to the pixel that was the largest. */
static void bin_back(const struct job *job, const struct region *r, int64_t plane, int64_t bin, double g)
{
    const int64_t n = r->grid_h * r->grid_w;
    int64_t winner = -1;
    double most = 0, factor = 0;
    for (int64_t i = 0; i < n; i++) {
        struct corners c;
        const bool inside = find_corners(job, r, plane, bin, i, &c);
        if (!inside && job->max && (i == 0 || most < 0)) {
            most = 0;
            winner = -1;
        }
        for (int k = 0; k < 4 && inside; k++) {
            const double term = c.weight[k] * mc_tensor_get_f64(job->x, c.at[k]);
            if (!job->max) add(job->dx, c.at[k], g * c.weight[k] / (double)n);
            if ((i > 0 || k > 0) && term <= most) continue;
            most = term;
            winner = c.at[k];
            factor = c.weight[k];
        }
    }
    if (job->max && winner >= 0) add(job->dx, winner, g * factor);
}

static struct region region_of(const struct job *job, int64_t k)
{
    const int64_t h = job->out.dim[2], w = job->out.dim[3];
    double edge[4];
    for (int i = 0; i < 4; i++) edge[i] = mc_tensor_get_f64(job->rois, 4 * k + i) * job->scale - (job->half ? 0.5 : 0);
    double height = edge[3] - edge[1], width = edge[2] - edge[0];
    if (!job->half) {
        height = fmax(height, 1);
        width = fmax(width, 1);
    }
    return (struct region){
        .y = edge[1],
        .x = edge[0],
        .bin_h = height / (double)h,
        .bin_w = width / (double)w,
        .grid_h = job->ratio > 0 ? job->ratio : (int64_t)ceil(fmax(height, 0) / (double)h),
        .grid_w = job->ratio > 0 ? job->ratio : (int64_t)ceil(fmax(width, 0) / (double)w),
    };
}

static void regions(void *context, int64_t begin, int64_t end)
{
    const struct job *job = context;
    const int64_t C = job->out.dim[1], bins = job->out.dim[2] * job->out.dim[3];
    for (int64_t k = begin; k < end; k++) {
        const struct region r = region_of(job, k);
        for (int64_t i = 0; i < C * bins; i++)
            mc_tensor_set_f64(job->y, k * C * bins + i, bin(job, &r, job->samples[k] * C + i / bins, i % bins));
    }
}

/* Regions overlap: one channel to a thread. */
static void channels_back(void *context, int64_t begin, int64_t end)
{
    const struct job *job = context;
    const int64_t C = job->out.dim[1], bins = job->out.dim[2] * job->out.dim[3];
    for (int64_t k = 0; k < job->out.dim[0]; k++) {
        const struct region r = region_of(job, k);
        for (int64_t c = begin; c < end; c++)
            for (int64_t i = 0; i < bins; i++)
                bin_back(job, &r, job->samples[k] * C + c, i, mc_tensor_get_f64(job->dy, (k * C + c) * bins + i));
    }
}

static struct job job_of(const struct mc_step *step)
{
    const struct mc_node *node = step->node;
    return (struct job){.x = step->in[X],
                        .rois = step->in[ROIS],
                        .samples = step->in[BATCH]->data,
                        .y = step->out[0],
                        .out = step->out[0]->shape,
                        .max = mc_node_string_is(node, "mode", "max", false),
                        .half = node->op->since >= 16 &&
                                mc_node_string_is(node, "coordinate_transformation_mode", "half_pixel", true),
                        .ratio = mc_node_int(node, "sampling_ratio", 0),
                        .scale = (double)mc_node_float(node, "spatial_scale", 1)};
}

static int roi_forward(struct mc_step *step, struct mc_error *err)
{
    const struct mc_node *node = step->node;
    const struct job job = job_of(step);
    const int64_t n = step->in[ROIS]->shape.dim[0], reach = 1 << 20;
    if (job.ratio > reach) return mc_error_set(err, MC_ERR_INPUT, "attribute 'sampling_ratio': %" PRId64, job.ratio);
    for (int64_t k = 0; k < n; k++) {
        if (job.samples[k] < 0 || job.samples[k] >= job.x->shape.dim[0])
            return mc_error_set(err, MC_ERR_INPUT, "input 2 '%s': there is no sample %" PRId64,
                                node->inputs[BATCH]->name, job.samples[k]);
        for (int i = 0; i < 4; i++)
            if (!(fabs(mc_tensor_get_f64(job.rois, 4 * k + i) * job.scale) <= (double)reach))
                return mc_error_set(err, MC_ERR_INPUT, "input 1 '%s': region %" PRId64 " is out of all bounds",
                                    node->inputs[ROIS]->name, k);
    }
    if (job.x->shape.dim[2] == 0 || job.x->shape.dim[3] == 0) {
        mc_zero(step->out[0]);
        return MC_OK;
    }
    mc_parallel(n, 1, regions, (void *)&job);
    return MC_OK;
}

/* By x; what moves a region is no parameter of anything. */
static int roi_backward(struct mc_step *step, struct mc_error *err)
{
    struct job job = job_of(step);
    job.dy = step->grad_out[0];
    job.dx = step->grad_in[X];
    mc_zero(job.dx);
    if (mc_tensor_count(job.x) > 0) mc_parallel(job.out.dim[1], 1, channels_back, &job);
    return MC_OK;
}

#define ROI_ALIGN(version)                                                                                             \
    const struct mc_op mc_op_roi_align_##version = {                                                                   \
        .domain = "",                                                                                                  \
        .type = "RoiAlign",                                                                                            \
        .since = version,                                                                                              \
        .min_inputs = 3,                                                                                               \
        .max_inputs = 3,                                                                                               \
        .n_outputs = 1,                                                                                                \
        .widens = true,                                                                                                \
        .grad_inputs = 1u << X,                                                                                        \
        .keep = MC_KEEP_IN,                                                                                            \
        .shape = roi_shape,                                                                                            \
        .forward = roi_forward,                                                                                        \
        .backward = roi_backward,                                                                                      \
        .others = "regions and their samples",                                                                         \
        .coupling = mc_coupling_freeze_all,                                                                            \
        .cost = mc_cost_free,                                                                                          \
    };

ROI_ALIGN(10)
ROI_ALIGN(16)

/* --- MaxRoiPool --- */

static int max_roi_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                         struct mc_error *err)
{
    int64_t n;
    const int64_t *bins = mc_node_ints(node, "pooled_shape", &n);
    int rc = mc_need_dtype(node, X, in[X], MC_TYPES_FLOAT, err);
    if (rc == MC_OK) rc = mc_need_rank(node, X, in[X], 4, 4, err);
    if (rc == MC_OK) rc = mc_need_dtype(node, ROIS, in[ROIS], MC_TYPE_BIT(in[X]->dtype), err);
    if (rc == MC_OK) rc = mc_need_rank(node, ROIS, in[ROIS], 2, 2, err);
    if (rc < 0) return rc;
    if (in[ROIS]->shape.dim[1] != 5)
        return mc_error_set(err, MC_ERR_INPUT, "input 1 '%s': needs a sample and four edges for each region",
                            node->inputs[ROIS]->name);
    if (n != 2 || bins[0] < 1 || bins[1] < 1 || bins[0] > INT32_MAX || bins[1] > INT32_MAX)
        return mc_error_set(err, MC_ERR_INPUT, "attribute 'pooled_shape': needs two extents");
    out[0] =
        (struct mc_fact){.dtype = in[X]->dtype,
                         .shape = {.rank = 4, .dim = {in[ROIS]->shape.dim[0], in[X]->shape.dim[1], bins[0], bins[1]}}};
    return MC_OK;
}

/* The pixels [*from, *to) of n that bin i of a region from `start` to `end` has, in float32 as everybody divides. */
static void pixels_of_bin(double start, double end, int64_t bins, int64_t i, int64_t n, int64_t *from, int64_t *to)
{
    const float size = (float)fmax(end - start + 1, 1) / (float)bins;
    const double low = floor((double)((float)i * size)) + start, high = ceil((double)((float)(i + 1) * size)) + start;
    *from = (int64_t)fmin(fmax(low, 0), (double)n);
    *to = (int64_t)fmin(fmax(high, 0), (double)n);
}

/* Visit the bins of regions [begin, end): `visit` learns where the largest pixel of a bin is; -1: it has none. */
static void visit_bins(const struct job *job, int64_t begin, int64_t end,
                       void (*visit)(const struct job *job, int64_t bin, int64_t largest))
{
    const int64_t *y = job->y->shape.dim, H = job->x->shape.dim[2], W = job->x->shape.dim[3];
    for (int64_t k = begin; k < end; k++) {
        double edge[5];
        for (int e = 1; e < 5; e++)
            edge[e] = round((double)((float)mc_tensor_get_f64(job->rois, 5 * k + e) * (float)job->scale));
        const int64_t sample = (int64_t)mc_tensor_get_f64(job->rois, 5 * k);
        for (int64_t i = 0; i < y[1] * y[2] * y[3]; i++) {
            const int64_t plane = sample * y[1] + i / (y[2] * y[3]);
            int64_t top, bottom, left, right, at = -1;
            pixels_of_bin(edge[2], edge[4], y[2], i / y[3] % y[2], H, &top, &bottom);
            pixels_of_bin(edge[1], edge[3], y[3], i % y[3], W, &left, &right);
            for (int64_t v = top; v < bottom; v++)
                for (int64_t u = left; u < right; u++) {
                    const int64_t here = (plane * H + v) * W + u;
                    if (at < 0 || mc_tensor_get_f64(job->x, here) > mc_tensor_get_f64(job->x, at)) at = here;
                }
            visit(job, k * y[1] * y[2] * y[3] + i, at);
        }
    }
}

static void put_largest(const struct job *job, int64_t bin, int64_t largest)
{
    mc_tensor_set_f64(job->y, bin, largest < 0 ? 0 : mc_tensor_get_f64(job->x, largest));
}

/* The gradient of a bin is its largest pixel's. */
static void give_back(const struct job *job, int64_t bin, int64_t largest)
{
    if (largest < 0) return;
    const double sum = mc_tensor_get_f64(job->dx, largest) + mc_tensor_get_f64(job->y, bin);
    mc_tensor_set_f64(job->dx, largest, sum);
}

static void max_regions(void *context, int64_t begin, int64_t end)
{
    visit_bins(context, begin, end, put_largest);
}

static int max_roi_forward(struct mc_step *step, struct mc_error *err)
{
    const struct job job = {.x = step->in[X],
                            .rois = step->in[ROIS],
                            .y = step->out[0],
                            .scale = (double)mc_node_float(step->node, "spatial_scale", 1)};
    const int64_t n = step->in[ROIS]->shape.dim[0];
    for (int64_t k = 0; k < n; k++) {
        const double sample = mc_tensor_get_f64(job.rois, 5 * k);
        if (!(sample >= 0 && sample < (double)job.x->shape.dim[0]))
            return mc_error_set(err, MC_ERR_INPUT, "input 1 '%s': there is no sample %g",
                                step->node->inputs[ROIS]->name, sample);
        for (int i = 1; i < 5; i++)
            if (!isfinite(mc_tensor_get_f64(job.rois, 5 * k + i)))
                return mc_error_set(err, MC_ERR_INPUT, "input 1 '%s': region %" PRId64 " is out of all bounds",
                                    step->node->inputs[ROIS]->name, k);
    }
    mc_parallel(n, 1, max_regions, (void *)&job);
    return MC_OK;
}

static int max_roi_backward(struct mc_step *step, struct mc_error *err)
{
    const struct job job = {.x = step->in[X],
                            .rois = step->in[ROIS],
                            .y = step->grad_out[0],
                            .dx = step->grad_in[X],
                            .scale = (double)mc_node_float(step->node, "spatial_scale", 1)};
    mc_zero(step->grad_in[X]);
    visit_bins(&job, 0, step->in[ROIS]->shape.dim[0], give_back);
    return MC_OK;
}

const struct mc_op mc_op_max_roi_pool_1 = {
    .domain = "",
    .type = "MaxRoiPool",
    .since = 1,
    .min_inputs = 2,
    .max_inputs = 2,
    .n_outputs = 1,
    .grad_inputs = 1,
    .others = "regions, whose edges are rounded",
    .keep = MC_KEEP_IN,
    .widens = true,
    .shape = max_roi_shape,
    .forward = max_roi_forward,
    .backward = max_roi_backward,
    .coupling = mc_coupling_freeze_all,
    .cost = mc_cost_free,
};
