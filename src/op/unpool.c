/* unpool.c - MaxUnpool (ONNX opset 9, 11, 22): maxima back to where they were found; Col2Im (18): overlapping blocks,
 * which are columns, added up to an image. */
#include <inttypes.h>

#include "base/alloc.h"
#include "base/error.h"
#include "kernel/parallel.h"
#include "op/elementwise.h"
#include "op/move.h"
#include "op/sliding.h"

/* --- MaxUnpool --- */

/* The image that was pooled, as kernel, strides and pads say; indices count through it. */
static int pooled_image(const struct mc_node *node, const struct mc_shape *x, struct mc_shape *image,
                        struct mc_error *err)
{
    static const char *const names[] = {"kernel_shape", "strides", "pads"};
    const int rank = x->rank - 2;
    *image = *x;
    for (int k = 0; k < 3; k++) {
        int64_t n;
        const int64_t *list = mc_node_ints(node, names[k], &n);
        if ((list || k == 0) && n != (k < 2 ? rank : 2 * rank))
            return mc_error_set(err, MC_ERR_INPUT, "attribute '%s': needs %d numbers, has %" PRId64, names[k],
                                k < 2 ? rank : 2 * rank, n);
        for (int64_t i = 0; i < n; i++)
            if (list[i] < (k < 2 ? 1 : 0) || list[i] > INT32_MAX)
                return mc_error_set(err, MC_ERR_INPUT, "attribute '%s': %" PRId64, names[k], list[i]);
    }
    int64_t n;
    const int64_t *kernel = mc_node_ints(node, "kernel_shape", &n), *stride = mc_node_ints(node, "strides", &n);
    const int64_t *pads = mc_node_ints(node, "pads", &n);
    for (int k = 0; k < rank; k++) {
        int64_t *extent = &image->dim[2 + k];
        if (!mc_mul_i64(*extent - 1, stride ? stride[k] : 1, extent) || *extent > INT64_MAX / 2)
            return mc_error_set(err, MC_ERR_INPUT, "axis %d is too long", 2 + k);
        *extent += kernel[k] - (pads ? pads[k] + pads[rank + k] : 0);
        if (*extent < 0) return mc_error_set(err, MC_ERR_INPUT, "attribute 'pads': more than axis %d has", 2 + k);
    }
    return mc_shape_count(image) >= 0 ? MC_OK : mc_error_set(err, MC_ERR_INPUT, "the image has too many elements");
}

static int max_unpool_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                            struct mc_error *err)
{
    struct mc_shape image;
    int rc = mc_need_dtype(node, 0, in[0], MC_TYPES_FLOAT, err);
    if (rc == MC_OK) rc = mc_need_rank(node, 0, in[0], 3, MC_MAX_RANK, err);
    if (rc == MC_OK) rc = mc_need_dtype(node, 1, in[1], MC_TYPE_BIT(MC_INT64), err);
    if (rc == MC_OK && !mc_shape_equal(&in[0]->shape, &in[1]->shape))
        rc = mc_error_set(err, MC_ERR_INPUT, "input 1 '%s': needs the shape of input 0", node->inputs[1]->name);
    if (rc == MC_OK) rc = pooled_image(node, &in[0]->shape, &image, err);
    if (rc < 0) return rc;
    out[0] = (struct mc_fact){.dtype = in[0]->dtype, .shape = image};
    if (!in[2]) return MC_OK;
    int n = 0;
    rc = mc_need_ints(node, 2, in[2], out[0].shape.dim, MC_MAX_RANK, &n, err);
    for (int k = 0; k < image.rank && rc == MC_OK; k++)
        if (n != image.rank || out[0].shape.dim[k] < image.dim[k])
            rc = mc_error_set(err, MC_ERR_INPUT, "input 2 '%s': needs %d extents, none below what the window covers",
                              node->inputs[2]->name, image.rank);
    return rc;
}

/* Where in the output the element of the image lies; -1: the image has no such one. */
static int64_t place_of(const struct mc_shape *image, int64_t count, const struct mc_shape *out, int64_t index)
{
    int64_t place = 0, step = 1;
    if (index < 0 || index >= count) return -1;
    for (int k = image->rank - 1; k >= 0; k--) {
        place += index % image->dim[k] * step;
        index /= image->dim[k];
        step *= out->dim[k];
    }
    return place;
}

/* One element after the other to where it was, or the other way. */
static int move_maxima(struct mc_step *step, struct mc_tensor *small, struct mc_tensor *large, bool out,
                       struct mc_error *err)
{
    const int64_t *at = step->in[1]->data;
    struct mc_shape image;
    const int rc = pooled_image(step->node, &step->in[0]->shape, &image, err);
    if (rc < 0) return rc;
    const int64_t count = mc_shape_count(&image);
    if (out) mc_zero(large);
    for (int64_t i = 0; i < mc_tensor_count(small); i++) {
        const int64_t place = place_of(&image, count, &large->shape, at[i]);
        if (place < 0)
            return mc_error_set(err, MC_ERR_INPUT, "input 1: needs indices below %" PRId64 ", has %" PRId64, count,
                                at[i]);
        if (out)
            mc_tensor_set_f64(large, place, mc_tensor_get_f64(small, i));
        else
            mc_tensor_set_f64(small, i, mc_tensor_get_f64(large, place));
    }
    return MC_OK;
}

static int max_unpool_forward(struct mc_step *step, struct mc_error *err)
{
    return move_maxima(step, step->in[0], step->out[0], true, err);
}

static int max_unpool_backward(struct mc_step *step, struct mc_error *err)
{
    return move_maxima(step, step->grad_in[0], step->grad_out[0], false, err);
}

const struct mc_op mc_op_max_unpool_9 = {
    .domain = "",
    .type = "MaxUnpool",
    .since = 9,
    .min_inputs = 2,
    .max_inputs = 3,
    .n_outputs = 1,
    .grad_inputs = 1,
    .others = "indices and a shape",
    .keep = MC_KEEP_IN,
    .widens = true,
    .shape = max_unpool_shape,
    .forward = max_unpool_forward,
    .backward = max_unpool_backward,
    .coupling = mc_coupling_freeze_all,
    .cost = mc_cost_free,
};

/* --- Col2Im --- */

enum { COLUMNS, IMAGE, BLOCK };

/* The window whose outputs are the columns and whose input is the image. */
static int col2im_window(const struct mc_node *node, const struct mc_fact *const *in, struct mc_window *w,
                         struct mc_fact *image, struct mc_error *err)
{
    int64_t extents[MC_MAX_SPATIAL], block[MC_MAX_SPATIAL];
    int n = 0, n_block = 0;
    int rc = mc_need_dtype(node, COLUMNS, in[COLUMNS], MC_TYPES_ARITHMETIC, err);
    if (rc == MC_OK) rc = mc_need_rank(node, COLUMNS, in[COLUMNS], 3, 3, err);
    if (rc == MC_OK) rc = mc_need_ints(node, IMAGE, in[IMAGE], extents, MC_MAX_SPATIAL, &n, err);
    if (rc == MC_OK) rc = mc_need_ints(node, BLOCK, in[BLOCK], block, MC_MAX_SPATIAL, &n_block, err);
    if (rc < 0) return rc;
    if (n != n_block || n < 1)
        return mc_error_set(err, MC_ERR_INPUT, "input 2 '%s': needs an extent for each of %d axes, has %d",
                            node->inputs[BLOCK]->name, n, n_block);
    *image =
        (struct mc_fact){.dtype = in[COLUMNS]->dtype, .shape = {.rank = 2 + n, .dim = {in[COLUMNS]->shape.dim[0]}}};
    for (int k = 0; k < n; k++) {
        image->shape.dim[2 + k] = extents[k];
        if (extents[k] < 0) return mc_error_set(err, MC_ERR_INPUT, "input 1: an extent of %" PRId64, extents[k]);
    }
    struct mc_window own;
    rc = mc_sliding_window(node, image, block, false, &own, err);
    if (rc < 0) return rc;
    *w = mc_window_as_3d(&own);
    const int64_t *x = in[COLUMNS]->shape.dim, taps = mc_window_taps(w);
    image->shape.dim[1] = x[1] / taps;
    if (x[1] % taps || x[2] != mc_window_outputs(w))
        return mc_error_set(err, MC_ERR_INPUT,
                            "input 0 '%s': needs a multiple of %" PRId64 " rows and %" PRId64 " columns, has %" PRId64
                            " and %" PRId64,
                            node->inputs[COLUMNS]->name, taps, mc_window_outputs(w), x[1], x[2]);
    return MC_OK;
}

static int col2im_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                        struct mc_error *err)
{
    struct mc_window w;
    return col2im_window(node, in, &w, &out[0], err);
}

struct columns {
    struct mc_window w;
    enum mc_dtype dtype;
    void *columns, *image;
    int64_t inputs, outputs, taps;
};

#define ADD_PLANES(name, type)                                                                                         \
    static void name(void *context, int64_t begin, int64_t end)                                                        \
    {                                                                                                                  \
        const struct columns *job = context;                                                                           \
        const type *from = (const type *)job->columns + begin * job->taps * job->outputs;                              \
        for (int64_t p = begin; p < end; p++) {                                                                        \
            type *const to = (type *)job->image + p * job->inputs;                                                     \
            for (int64_t t = 0; t < job->taps; t++)                                                                    \
                for (int64_t o = 0; o < job->outputs; o++, from++) {                                                   \
                    const int64_t at = mc_window_position(&job->w, o, t);                                              \
                    if (at >= 0) to[at] += *from;                                                                      \
                }                                                                                                      \
        }                                                                                                              \
    }

ADD_PLANES(add_float, float)
ADD_PLANES(add_double, double)
ADD_PLANES(add_32, uint32_t) /* integers wrap */
ADD_PLANES(add_64, uint64_t)

#define GET_PLANES(name, type)                                                                                         \
    static void name(void *context, int64_t begin, int64_t end)                                                        \
    {                                                                                                                  \
        const struct columns *job = context;                                                                           \
        type *to = (type *)job->columns + begin * job->taps * job->outputs;                                            \
        for (int64_t p = begin; p < end; p++) {                                                                        \
            const type *const from = (const type *)job->image + p * job->inputs;                                       \
            for (int64_t t = 0; t < job->taps; t++)                                                                    \
                for (int64_t o = 0; o < job->outputs; o++) {                                                           \
                    const int64_t at = mc_window_position(&job->w, o, t);                                              \
                    *to++ = at >= 0 ? from[at] : 0;                                                                    \
                }                                                                                                      \
        }                                                                                                              \
    }

GET_PLANES(get_float, float)
GET_PLANES(get_double, double)

static int run_planes(const struct mc_step *step, struct columns *job, mc_range_fn *body, struct mc_error *err)
{
    struct mc_fact facts[3], image;
    const struct mc_fact *in[3];
    mc_facts_of_inputs(step, facts, in);
    const int rc = col2im_window(step->node, in, &job->w, &image, err);
    if (rc < 0) return rc;
    job->inputs = mc_window_inputs(&job->w);
    job->outputs = mc_window_outputs(&job->w);
    job->taps = mc_window_taps(&job->w);
    mc_parallel(mc_shape_span(&image.shape, 0, 2), mc_parallel_grain(4 * job->outputs * job->taps), body, job);
    return MC_OK;
}

static int col2im_forward(struct mc_step *step, struct mc_error *err)
{
    struct mc_tensor *y = step->out[0];
    mc_zero(y);
    mc_range_fn *const body = y->dtype == MC_FLOAT    ? add_float
                              : y->dtype == MC_DOUBLE ? add_double
                              : y->dtype == MC_INT32  ? add_32
                                                      : add_64;
    return run_planes(step, &(struct columns){.columns = step->in[COLUMNS]->data, .image = y->data}, body, err);
}

static int col2im_backward(struct mc_step *step, struct mc_error *err)
{
    const struct mc_tensor *dy = step->grad_out[0];
    return run_planes(step, &(struct columns){.columns = step->grad_in[COLUMNS]->data, .image = dy->data},
                      dy->dtype == MC_FLOAT ? get_float : get_double, err);
}

const struct mc_op mc_op_col2im_18 = {
    .domain = "",
    .type = "Col2Im",
    .since = 18,
    .min_inputs = 3,
    .max_inputs = 3,
    .n_outputs = 1,
    .grad_inputs = 1,
    .others = "shapes",
    .keep = MC_KEEP_IN,
    .widens = true,
    .widens_integers = true,
    .shape = col2im_shape,
    .forward = col2im_forward,
    .backward = col2im_backward,
    .coupling = mc_coupling_freeze_all,
    .cost = mc_cost_elementwise,
};
