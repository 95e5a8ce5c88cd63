/* roi.c - RoiAlign (ONNX opset 10, 16): regions of x [N, C, H, W] sampled to [regions, C, h, w]. Mask R-CNN: He et al.
 * 2017. Each bin is the mean of a grid of interpolated samples, or with mode max the largest of their weighted pixels.
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
    const struct mc_tensor *x, *rois;
    const int64_t *samples;
    struct mc_tensor *y;
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

static double bin(const struct job *job, const struct region *r, int64_t plane, int64_t i, int64_t j)
{
    const int64_t H = job->x->shape.dim[2], W = job->x->shape.dim[3];
    double sum = 0, most = 0;
    bool any = false;
    for (int64_t a = 0; a < r->grid_h; a++)
        for (int64_t b = 0; b < r->grid_w; b++) {
            int64_t top, bottom, left, right;
            double v = 0, u = 0, term[4] = {0};
            if (between(r->y + ((double)i + ((double)a + 0.5) / (double)r->grid_h) * r->bin_h, H, &top, &bottom, &v) &&
                between(r->x + ((double)j + ((double)b + 0.5) / (double)r->grid_w) * r->bin_w, W, &left, &right, &u)) {
                const int64_t at = plane * H * W;
                term[0] = (1 - v) * (1 - u) * mc_tensor_get_f64(job->x, at + top * W + left);
                term[1] = (1 - v) * u * mc_tensor_get_f64(job->x, at + top * W + right);
                term[2] = v * (1 - u) * mc_tensor_get_f64(job->x, at + bottom * W + left);
                term[3] = v * u * mc_tensor_get_f64(job->x, at + bottom * W + right);
            }
            const double largest = fmax(fmax(term[0], term[1]), fmax(term[2], term[3]));
            sum += term[0] + term[1] + term[2] + term[3];
            most = any ? fmax(most, largest) : largest;
            any = true;
        }
    const double n = (double)(r->grid_h * r->grid_w);
    return job->max ? most : sum / (n > 0 ? n : 1);
}

static void regions(void *context, int64_t begin, int64_t end)
{
    const struct job *job = context;
    const struct mc_shape *y = &job->y->shape;
    const int64_t C = y->dim[1], h = y->dim[2], w = y->dim[3];
    for (int64_t k = begin; k < end; k++) {
        double edge[4];
        for (int i = 0; i < 4; i++)
            edge[i] = mc_tensor_get_f64(job->rois, 4 * k + i) * job->scale - (job->half ? 0.5 : 0);
        double height = edge[3] - edge[1], width = edge[2] - edge[0];
        if (!job->half) {
            height = fmax(height, 1);
            width = fmax(width, 1);
        }
        const struct region r = {
            .y = edge[1],
            .x = edge[0],
            .bin_h = height / (double)h,
            .bin_w = width / (double)w,
            .grid_h = job->ratio > 0 ? job->ratio : (int64_t)ceil(fmax(height, 0) / (double)h),
            .grid_w = job->ratio > 0 ? job->ratio : (int64_t)ceil(fmax(width, 0) / (double)w),
        };
        for (int64_t c = 0; c < C; c++)
            for (int64_t i = 0; i < h * w; i++)
                mc_tensor_set_f64(job->y, (k * C + c) * h * w + i, bin(job, &r, job->samples[k] * C + c, i / w, i % w));
    }
}

static int roi_forward(struct mc_step *step, struct mc_error *err)
{
    const struct mc_node *node = step->node;
    const struct job job = {.x = step->in[X],
                            .rois = step->in[ROIS],
                            .samples = step->in[BATCH]->data,
                            .y = step->out[0],
                            .max = mc_node_string_is(node, "mode", "max", false),
                            .half = node->op->since >= 16 &&
                                    mc_node_string_is(node, "coordinate_transformation_mode", "half_pixel", true),
                            .ratio = mc_node_int(node, "sampling_ratio", 0),
                            .scale = (double)mc_node_float(node, "spatial_scale", 1)};
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

#define ROI_ALIGN(version)                                                                                             \
    const struct mc_op mc_op_roi_align_##version = {                                                                   \
        .domain = "",                                                                                                  \
        .type = "RoiAlign",                                                                                            \
        .since = version,                                                                                              \
        .min_inputs = 3,                                                                                               \
        .max_inputs = 3,                                                                                               \
        .n_outputs = 1,                                                                                                \
        .widens = true,                                                                                                \
        .shape = roi_shape,                                                                                            \
        .forward = roi_forward,                                                                                        \
        .backward = NULL,                                                                                              \
        .no_backward = "its derivative is not there yet",                                                              \
        .coupling = mc_coupling_freeze_all,                                                                            \
        .cost = mc_cost_free,                                                                                          \
    };

ROI_ALIGN(10)
ROI_ALIGN(16)
