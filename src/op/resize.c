/* resize.c - Resize (ONNX opset 10, 11, 13, 18, 19) and Upsample (1, 7, 9): nearest, linear and cubic interpolation
 * along any axes.
 *
 * Interpolation in several axes is one in each after the other. For an axis every output index has as many taps as the
 * filter is wide: where they lie in the input and what they weigh is worked out once, in prepare. Cubic: op/cubic.h
 * with a = cubic_coeff_a.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "kernel/parallel.h"
#include "op/cubic.h"
#include "op/move.h"
#include "op/op_list.h"
#include "op/ops.h"
#include "op/outline.h"

enum mode { NEAREST, LINEAR, CUBIC };
enum coordinates { HALF_PIXEL, SYMMETRIC, PYTORCH, CORNERS, ASYMMETRIC, CROP };
enum nearest { PREFER_FLOOR, PREFER_CEIL, FLOOR, CEIL };

/* What attributes and inputs say. */
struct spec {
    enum mode mode;
    enum coordinates coordinates;
    enum nearest nearest;
    bool antialias, exclude_outside;
    double a, outside;
    int rank;
    double scale[MC_MAX_RANK];
    double begin[MC_MAX_RANK], end[MC_MAX_RANK]; /* of the region, with CROP */
    int64_t out[MC_MAX_RANK];
};

/* What is there and is no text is no choice either. */
static int choice(const struct mc_node *node, const char *name, const char *const *names, int n, int otherwise)
{
    return mc_node_attr(node, name) ? mc_node_choice(node, name, names, n, -1) : otherwise;
}

static bool is_old(const struct mc_node *node) /* Upsample, and Resize 10, which is the same */
{
    return node->op->type[0] == 'U' || node->op->since < 11;
}

static int read_modes(const struct mc_node *node, struct spec *s, struct mc_error *err)
{
    static const char *const modes[] = {"nearest", "linear", "cubic"};
    static const char *const coordinates[] = {"half_pixel",    "half_pixel_symmetric", "pytorch_half_pixel",
                                              "align_corners", "asymmetric",           "tf_crop_and_resize"};
    static const char *const nearest[] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"};
    const bool old = is_old(node);
    int mode = choice(node, "mode", modes, 3, 0);
    if (mode < 0 && old && mc_node_string_is(node, "mode", "bilinear", false)) mode = LINEAR;
    const int c = old ? ASYMMETRIC : choice(node, "coordinate_transformation_mode", coordinates, 6, HALF_PIXEL);
    const int r = old ? FLOOR : choice(node, "nearest_mode", nearest, 4, PREFER_FLOOR);
    if (mode < 0 || c < 0 || r < 0)
        return mc_error_set(err, MC_ERR_UNSUPPORTED, "attribute '%s' has a value that is missing here",
                            mode < 0 ? "mode"
                            : c < 0  ? "coordinate_transformation_mode"
                                     : "nearest_mode");
    s->mode = (enum mode)mode;
    s->coordinates = (enum coordinates)c;
    s->nearest = (enum nearest)r;
    s->antialias = mc_node_int(node, "antialias", 0) && mode != NEAREST;
    s->exclude_outside = mc_node_int(node, "exclude_outside", 0) != 0;
    s->a = (double)mc_node_float(node, "cubic_coeff_a", -0.75f);
    s->outside = (double)mc_node_float(node, "extrapolation_value", 0);
    return MC_OK;
}

static const struct mc_fact *given(const struct mc_fact *const *in, int n, int i)
{
    return i < n && in[i] && mc_shape_count(&in[i]->shape) > 0 ? in[i] : NULL;
}

static int need_constant(const struct mc_node *node, int i, const struct mc_fact *fact, int64_t n, struct mc_error *err)
{
    if (mc_shape_count(&fact->shape) != n)
        return mc_error_set(err, MC_ERR_INPUT, "input %d '%s': needs %" PRId64 " numbers, has %" PRId64, i,
                            node->inputs[i]->name, n, mc_shape_count(&fact->shape));
    if (fact->constant) return MC_OK;
    return mc_error_set(err, MC_ERR_OPEN, "input %d '%s': needs a constant, is computed from the inputs", i,
                        node->inputs[i]->name);
}

/* One scale for all axes that are named, so that the picture keeps its proportions. */
static void keep_ratio(const struct mc_node *node, const struct mc_shape *x, const struct mc_ints *axes, struct spec *s)
{
    const bool larger = mc_node_string_is(node, "keep_aspect_ratio_policy", "not_smaller", false);
    if (!larger && !mc_node_string_is(node, "keep_aspect_ratio_policy", "not_larger", false)) return;
    double scale = larger ? 0 : INFINITY;
    for (int k = 0; k < axes->n; k++) {
        const double one = s->scale[axes->at[k]];
        scale = larger ? fmax(scale, one) : fmin(scale, one);
    }
    for (int k = 0; k < axes->n; k++) {
        s->scale[axes->at[k]] = scale;
        s->out[axes->at[k]] = (int64_t)floor(scale * (double)x->dim[axes->at[k]] + 0.5);
    }
}

static int read_region(const struct mc_node *node, const struct mc_fact *roi, const struct mc_ints *axes,
                       struct spec *s, struct mc_error *err)
{
    if (s->coordinates != CROP) return MC_OK;
    if (!roi) return mc_error_set(err, MC_ERR_INPUT, "input 1: a region is needed to crop to");
    const int rc = need_constant(node, 1, roi, 2 * axes->n, err);
    for (int k = 0; k < axes->n && rc == MC_OK; k++) {
        s->begin[axes->at[k]] = mc_tensor_get_f64(roi->constant, k);
        s->end[axes->at[k]] = mc_tensor_get_f64(roi->constant, axes->n + k);
    }
    return rc;
}

static int read_axes(const struct mc_node *node, int rank, struct mc_ints *axes, struct mc_error *err)
{
    const int rc = mc_ints_of_attr(node, "axes", axes, err);
    return rc == MC_OK ? mc_ints_as_axes_or_all(axes, rank, err) : rc;
}

/* Upsample 1: a picture, and the scales of its height and width. */
static int read_picture_scales(const struct mc_node *node, const struct mc_shape *x, float scales[4],
                               struct mc_error *err)
{
    scales[0] = scales[1] = 1;
    scales[2] = mc_node_float(node, "height_scale", 0);
    scales[3] = mc_node_float(node, "width_scale", 0);
    return x->rank == 4 ? MC_OK : mc_error_set(err, MC_ERR_INPUT, "needs 4 dimensions, has %d", x->rank);
}

/* Scales along the axes, from the attributes of Upsample 1 and 7 or an input. */
static int read_scales(const struct mc_node *node, const struct mc_fact *scales, int at, const struct mc_shape *x,
                       const struct mc_ints *axes, struct spec *s, struct mc_error *err)
{
    const struct mc_attr *attr = mc_node_attr(node, "scales");
    float of_picture[4] = {0};
    struct mc_attr stated = {.type = MC_ATTR_FLOATS, .n = 4, .floats = of_picture};
    int rc = MC_OK;
    if (node->op == &mc_op_upsample_1) {
        rc = read_picture_scales(node, x, of_picture, err);
        attr = &stated;
    } else if (scales)
        rc = need_constant(node, at, scales, axes->n, err);
    else if (!attr || attr->type != MC_ATTR_FLOATS || attr->n != axes->n)
        rc = mc_error_set(err, MC_ERR_INPUT, "needs a scale for each of %d axes", axes->n);
    for (int k = 0; k < axes->n && rc == MC_OK; k++) {
        const int axis = (int)axes->at[k];
        s->scale[axis] = scales ? mc_tensor_get_f64(scales->constant, k) : (double)attr->floats[k];
        const double span = s->coordinates == CROP ? s->end[axis] - s->begin[axis] : 1;
        const double extent = floor((double)x->dim[axis] * span * s->scale[axis]);
        if (!(s->scale[axis] > 0) || !(extent >= 0 && extent < 0x1p31))
            rc = mc_error_set(err, MC_ERR_INPUT, "a scale of %g for axis %d of %" PRId64, s->scale[axis], axis,
                              x->dim[axis]);
        else
            s->out[axis] = (int64_t)extent;
    }
    return rc;
}

static int read_sizes(const struct mc_node *node, const struct mc_fact *sizes, const struct mc_shape *x,
                      const struct mc_ints *axes, struct spec *s, struct mc_error *err)
{
    const int rc = need_constant(node, 3, sizes, axes->n, err);
    if (rc < 0) return rc;
    for (int k = 0; k < axes->n; k++) {
        const int axis = (int)axes->at[k];
        s->out[axis] = mc_tensor_get_i64(sizes->constant, k);
        if (s->out[axis] < 0 || s->out[axis] > INT32_MAX || (x->dim[axis] == 0 && s->out[axis] > 0))
            return mc_error_set(err, MC_ERR_INPUT, "a size of %" PRId64 " for axis %d of %" PRId64, s->out[axis], axis,
                                x->dim[axis]);
        s->scale[axis] = x->dim[axis] ? (double)s->out[axis] / (double)x->dim[axis] : 1;
    }
    keep_ratio(node, x, axes, s);
    return MC_OK;
}

static int read_spec(const struct mc_node *node, const struct mc_fact *const *in, struct spec *s, struct mc_error *err)
{
    const struct mc_shape *x = &in[0]->shape;
    struct mc_ints axes;
    *s = (struct spec){.rank = x->rank};
    int rc = read_modes(node, s, err);
    if (rc == MC_OK) rc = read_axes(node, x->rank, &axes, err);
    for (int k = 0; k < x->rank; k++) {
        s->scale[k] = 1;
        s->out[k] = x->dim[k];
        s->begin[k] = 0;
        s->end[k] = 1;
    }
    if (rc < 0) return rc;
    if (is_old(node)) return read_scales(node, given(in, node->n_inputs, 1), 1, x, &axes, s, err);
    rc = read_region(node, given(in, node->n_inputs, 1), &axes, s, err);
    if (rc < 0) return rc;
    const struct mc_fact *scales = given(in, node->n_inputs, 2), *sizes = given(in, node->n_inputs, 3);
    return sizes ? read_sizes(node, sizes, x, &axes, s, err) : read_scales(node, scales, 2, x, &axes, s, err);
}

#define TYPES_MIXED                                                                                                    \
    (MC_TYPES_FLOAT | MC_TYPE_BIT(MC_INT8) | MC_TYPE_BIT(MC_UINT8) | MC_TYPE_BIT(MC_INT32) | MC_TYPE_BIT(MC_INT16) |   \
     MC_TYPE_BIT(MC_UINT16))

static int resize_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                        struct mc_error *err)
{
    struct spec s;
    int rc = mc_need_input(node, 0, in[0], err);
    if (rc == MC_OK) rc = read_spec(node, in, &s, err);
    if (rc == MC_OK) rc = mc_need_dtype(node, 0, in[0], s.mode == NEAREST ? mc_types_copied : TYPES_MIXED, err);
    if (rc < 0) return rc;
    out[0].dtype = in[0]->dtype;
    out[0].shape = mc_shape_of(s.rank, s.out);
    return MC_OK;
}

/* floor(extent * scale) for a scale that is a whole number or one over it. */
static mc_symbol scaled(struct mc_symbols *s, mc_symbol extent, double scale)
{
    if (scale >= 1 && scale == floor(scale) && scale < 0x1p31) return mc_symbol_times(s, extent, (int64_t)scale);
    const double part = scale > 0 ? 1 / scale : 0;
    if (part >= 1 && part == floor(part) && part < 0x1p31 && 1 / part == scale)
        return mc_symbol_divide(s, extent, mc_symbol_number(s, (int64_t)part));
    return MC_SYMBOL_UNKNOWN;
}

/* Of inputs as they are since version 11, without a region or a policy. */
static void resize_outline(struct mc_symbols *s, const struct mc_node *node, const struct mc_outline *const *in,
                           struct mc_outline *out)
{
    const struct mc_outline_list sizes = mc_outline_list_of(s, node, in, NULL, 3);
    const struct mc_outline *scales = node->n_inputs > 2 ? in[2] : NULL;
    struct mc_ints axes;
    if (in[0]->rank < 0) return;
    out[0] = mc_outline_of_rank(in[0]->rank);
    if (is_old(node) || mc_node_attr(node, "keep_aspect_ratio_policy") ||
        mc_node_string_is(node, "coordinate_transformation_mode", "tf_crop_and_resize", false) ||
        read_axes(node, in[0]->rank, &axes, NULL) < 0)
        return;
    const bool sized = sizes.known && sizes.n == axes.n;
    const bool scaled_by = scales && scales->constant && mc_tensor_count(scales->constant) == axes.n;
    for (int k = 0; k < in[0]->rank; k++) out[0].dim[k] = in[0]->dim[k];
    for (int k = 0; k < axes.n; k++) {
        mc_symbol *extent = &out[0].dim[axes.at[k]];
        *extent = sized       ? sizes.at[k]
                  : scaled_by ? scaled(s, *extent, mc_tensor_get_f64(scales->constant, k))
                              : MC_SYMBOL_UNKNOWN;
    }
}

/* --- taps --- */

/* Along one axis: output o is the sum over k of weight[o n + k] times input index[o n + k]. */
struct taps {
    int axis, n;
    int64_t in, out;
    int64_t *index;
    double *weight;
    bool *outside; /* with CROP: this output lies outside of the input; NULL where none does */
};

struct plan {
    struct spec spec;
    int n;
    struct taps taps[MC_MAX_RANK];
};

/* Where output o lies among the inputs. */
static double position(const struct spec *s, int axis, int64_t in, int64_t o)
{
    const double scale = s->scale[axis], x = (double)o, extent = (double)in, width = scale * extent;
    switch (s->coordinates) {
    case HALF_PIXEL:
        return (x + 0.5) / scale - 0.5;
    case SYMMETRIC:
        return extent / 2 * (1 - (double)s->out[axis] / width) + (x + 0.5) / scale - 0.5;
    case PYTORCH:
        return s->out[axis] == 1 ? -0.5 : (x + 0.5) / scale - 0.5;
    case CORNERS:
        return s->out[axis] == 1 ? 0 : x * (extent - 1) / (width - 1);
    case ASYMMETRIC:
        return x / scale;
    case CROP:
        break;
    }
    const double span = s->end[axis] - s->begin[axis];
    return s->begin[axis] * (extent - 1) +
           (s->out[axis] == 1 ? span * (extent - 1) / 2 : x * span * (extent - 1) / ((double)s->out[axis] - 1));
}

static double filter(const struct spec *s, double x)
{
    return s->mode == CUBIC ? mc_cubic(x, s->a) : fmax(0, 1 - fabs(x));
}

static int64_t nearest_index(const struct spec *s, double x)
{
    switch (s->nearest) {
    case PREFER_FLOOR:
        return (int64_t)ceil(x - 0.5);
    case PREFER_CEIL:
        return (int64_t)floor(x + 0.5);
    case FLOOR:
        return (int64_t)floor(x);
    case CEIL:
        break;
    }
    return (int64_t)ceil(x);
}

static int64_t clamp(int64_t i, int64_t n)
{
    return i < 0 ? 0 : i >= n ? n - 1 : i;
}

/* The filter's reach on either side, wider where it smooths what is scaled down. */
static double reach_of(const struct spec *s, int axis)
{
    const double stretch = s->antialias && s->scale[axis] < 1 ? 1 / s->scale[axis] : 1;
    return (s->mode == CUBIC ? 2 : 1) * stretch;
}

static void fill_taps(const struct spec *s, struct taps *t, int64_t o)
{
    const double x = position(s, t->axis, t->in, o), reach = reach_of(s, t->axis);
    const double stretch = s->antialias && s->scale[t->axis] < 1 ? s->scale[t->axis] : 1;
    int64_t *index = t->index + o * t->n;
    double *weight = t->weight + o * t->n, sum = 0;
    if (t->outside) t->outside[o] = x < 0 || x > (double)(t->in - 1);
    if (s->mode == NEAREST) {
        index[0] = clamp(nearest_index(s, x), t->in);
        weight[0] = 1;
        return;
    }
    const int64_t first = (int64_t)floor(x - reach) + 1;
    for (int k = 0; k < t->n; k++) {
        const int64_t at = first + k;
        const bool out = s->exclude_outside && (at < 0 || at >= t->in);
        weight[k] = out ? 0 : filter(s, stretch * ((double)at - x));
        index[k] = clamp(at, t->in);
        sum += weight[k];
    }
    for (int k = 0; k < t->n && (s->exclude_outside || s->antialias) && sum != 0; k++) weight[k] /= sum;
}

static int make_taps(const struct spec *s, struct taps *t, int axis, int64_t in, struct mc_error *err)
{
    const double width = s->mode == NEAREST ? 1 : 2 * ceil(reach_of(s, axis)) + (s->antialias ? 1 : 0);
    if (!(width <= (double)(2 * in + 8)) && width > 4096)
        return mc_error_set(err, MC_ERR_UNSUPPORTED, "a filter of %g taps", width);
    *t = (struct taps){.axis = axis, .n = (int)width, .in = in, .out = s->out[axis]};
    t->index = mc_alloc((size_t)t->out + 1, (size_t)t->n * sizeof *t->index);
    t->weight = mc_alloc((size_t)t->out + 1, (size_t)t->n * sizeof *t->weight);
    t->outside = s->coordinates == CROP ? MC_NEW_ARRAY(bool, t->out + 1) : NULL;
    if (!t->index || !t->weight || (s->coordinates == CROP && !t->outside)) return mc_error_memory(err);
    for (int64_t o = 0; o < t->out; o++) fill_taps(s, t, o);
    return MC_OK;
}

static void resize_release(struct mc_step *step)
{
    struct plan *plan = step->state;
    if (!plan) return;
    for (int i = 0; i < plan->n; i++) {
        mc_free(plan->taps[i].outside);
        mc_free(plan->taps[i].weight);
        mc_free(plan->taps[i].index);
    }
    mc_free(plan);
    step->state = NULL;
}

static bool is_touched(const struct spec *s, int axis, int64_t in)
{
    return s->out[axis] != in || s->scale[axis] != 1 ||
           (s->coordinates == CROP && (s->begin[axis] != 0 || s->end[axis] != 1));
}

/* Two rooms for what lies between the axes, in float64 for types that are not float32. */
static int resize_prepare(struct mc_step *step, struct mc_error *err)
{
    const struct mc_shape *x = &step->in[0]->shape;
    struct mc_fact facts[4];
    const struct mc_fact *in[4];
    struct plan *plan = step->state = MC_NEW(struct plan);
    if (!plan) return mc_error_memory(err);
    mc_facts_of_inputs(step, facts, in);
    int rc = read_spec(step->node, in, &plan->spec, err);
    int64_t most = mc_shape_count(x), now = most;
    for (int axis = x->rank - 1; axis >= 0 && rc == MC_OK && now > 0; axis--) {
        if (!is_touched(&plan->spec, axis, x->dim[axis])) continue;
        rc = make_taps(&plan->spec, &plan->taps[plan->n++], axis, x->dim[axis], err);
        now = now / x->dim[axis] * plan->spec.out[axis];
        if (now > most) most = now;
    }
    step->workspace_bytes = (size_t)(2 * most + 16) * sizeof(double);
    return rc;
}

/* --- running --- */

struct job {
    const struct taps *taps;
    const void *from;
    void *to;
    int64_t inner;
    size_t size;
};

#define AXIS_LOOP(name, type)                                                                                          \
    static void name(void *context, int64_t begin, int64_t end)                                                        \
    {                                                                                                                  \
        const struct job *job = context;                                                                               \
        const struct taps *t = job->taps;                                                                              \
        for (int64_t line = begin; line < end; line++) {                                                               \
            const int64_t o = line % t->out;                                                                           \
            const type *const from = (const type *)job->from + line / t->out * t->in * job->inner;                     \
            type *const to = (type *)job->to + line * job->inner;                                                      \
            for (int64_t i = 0; i < job->inner; i++) to[i] = 0;                                                        \
            for (int k = 0; k < t->n; k++) {                                                                           \
                const type w = (type)t->weight[o * t->n + k];                                                          \
                const type *const row = from + t->index[o * t->n + k] * job->inner;                                    \
                if (w == 0) continue;                                                                                  \
                for (int64_t i = 0; i < job->inner; i++) to[i] += w * row[i];                                          \
            }                                                                                                          \
        }                                                                                                              \
    }

AXIS_LOOP(mix_f32, float)
AXIS_LOOP(mix_f64, double)

static void pick(void *context, int64_t begin, int64_t end)
{
    const struct job *job = context;
    const struct taps *t = job->taps;
    const size_t run = (size_t)job->inner * job->size;
    for (int64_t line = begin; line < end; line++)
        memcpy((char *)job->to + (size_t)line * run,
               (const char *)job->from + (size_t)(line / t->out * t->in + t->index[line % t->out]) * run, run);
}

/* Does this output lie outside of the input along any axis? */
static bool is_outside(const struct plan *plan, const struct mc_walk *walk)
{
    for (int k = 0; k < plan->n; k++)
        if (plan->taps[k].outside && plan->taps[k].outside[walk->index[plan->taps[k].axis]]) return true;
    return false;
}

/* What does is the value that is given for it. */
static void fill_outside(const struct plan *plan, struct mc_tensor *y)
{
    struct mc_walk walk;
    mc_walk_start(&walk, &y->shape, 0, NULL);
    for (int64_t i = 0; i < mc_tensor_count(y); i++, mc_walk_next(&walk))
        if (is_outside(plan, &walk)) mc_tensor_set_f64(y, i, plan->spec.outside);
}

static int resize_forward(struct mc_step *step, struct mc_error *err)
{
    const struct plan *plan = step->state;
    const struct mc_tensor *x = step->in[0];
    struct mc_tensor *y = step->out[0];
    const bool nearest = plan->spec.mode == NEAREST, f32 = x->dtype == MC_FLOAT;
    const bool through = !nearest && !f32 && x->dtype != MC_DOUBLE; /* integers, by way of float64 */
    if (mc_tensor_count(y) == 0) return MC_OK;
    struct mc_shape shape = x->shape;
    struct job job = {.from = x->data, .size = mc_element_size(x->dtype)};
    char *const rooms[2] = {step->workspace, (char *)step->workspace + step->workspace_bytes / 2 / 64 * 64};
    struct mc_tensor wide = {.dtype = MC_DOUBLE, .shape = shape, .data = rooms[1]};
    int rc = through ? mc_tensor_convert(&wide, x, err) : MC_OK;
    if (through) job.from = rooms[1];
    for (int k = 0; k < plan->n && rc == MC_OK; k++) {
        const struct taps *t = job.taps = &plan->taps[k];
        shape.dim[t->axis] = t->out;
        job.inner = mc_shape_span(&shape, t->axis + 1, shape.rank);
        job.to = k == plan->n - 1 && !through ? y->data : rooms[k % 2];
        mc_parallel(mc_shape_span(&shape, 0, t->axis + 1), mc_parallel_grain(job.inner * (nearest ? 1 : 2 * t->n)),
                    nearest ? pick
                    : f32   ? mix_f32
                            : mix_f64,
                    &job);
        job.from = job.to;
    }
    if (rc < 0) return rc;
    if (through) {
        for (int64_t i = 0; i < mc_tensor_count(y); i++) mc_tensor_set_f64(y, i, ((const double *)job.from)[i]);
    } else if (plan->n == 0) {
        memcpy(y->data, x->data, mc_tensor_bytes(x));
    }
    if (plan->spec.coordinates == CROP) fill_outside(plan, y);
    return MC_OK;
}

/* Each input gets what the outputs took of it. */
#define AXIS_BACK(name, type)                                                                                          \
    static void name(void *context, int64_t begin, int64_t end)                                                        \
    {                                                                                                                  \
        const struct job *job = context;                                                                               \
        const struct taps *t = job->taps;                                                                              \
        for (int64_t outer = begin; outer < end; outer++) {                                                            \
            const type *const from = (const type *)job->from + outer * t->out * job->inner;                            \
            type *const to = (type *)job->to + outer * t->in * job->inner;                                             \
            memset(to, 0, (size_t)(t->in * job->inner) * sizeof *to);                                                  \
            for (int64_t k = 0; k < t->out * t->n; k++) {                                                              \
                const type w = (type)t->weight[k];                                                                     \
                const type *const row = from + k / t->n * job->inner;                                                  \
                type *const sum = to + t->index[k] * job->inner;                                                       \
                for (int64_t i = 0; i < job->inner && w != 0; i++) sum[i] += w * row[i];                               \
            }                                                                                                          \
        }                                                                                                              \
    }

AXIS_BACK(mix_back_f32, float)
AXIS_BACK(mix_back_f64, double)

/* A copy of dy without what a given value stood for. */
static void drop_outside(const struct plan *plan, const struct mc_tensor *dy, void *to)
{
    struct mc_tensor copy = *dy;
    struct mc_walk walk;
    copy.data = to;
    memcpy(to, dy->data, mc_tensor_bytes(dy));
    mc_walk_start(&walk, &dy->shape, 0, NULL);
    for (int64_t i = 0; i < mc_tensor_count(dy); i++, mc_walk_next(&walk))
        if (is_outside(plan, &walk)) mc_tensor_set_f64(&copy, i, 0);
}

/* The axes, last to first. */
static int resize_backward(struct mc_step *step, struct mc_error *err)
{
    const struct plan *plan = step->state;
    const struct mc_tensor *dy = step->grad_out[0];
    struct mc_tensor *dx = step->grad_in[0];
    struct mc_shape shape = dy->shape;
    char *const rooms[2] = {step->workspace, (char *)step->workspace + step->workspace_bytes / 2 / 64 * 64};
    struct job job = {.from = dy->data};
    if (mc_tensor_count(dx) == 0 || mc_tensor_count(dy) == 0) {
        mc_zero(dx);
        return MC_OK;
    }
    if (plan->spec.coordinates == CROP) job.from = rooms[1];
    if (plan->spec.coordinates == CROP) drop_outside(plan, dy, rooms[1]);
    for (int k = plan->n - 1, room = 0; k >= 0; k--, room = !room) {
        const struct taps *t = job.taps = &plan->taps[k];
        job.inner = mc_shape_span(&shape, t->axis + 1, shape.rank);
        job.to = k == 0 ? dx->data : rooms[room];
        mc_parallel(mc_shape_span(&shape, 0, t->axis), mc_parallel_grain(job.inner * t->out * 2 * t->n),
                    dx->dtype == MC_FLOAT ? mix_back_f32 : mix_back_f64, &job);
        shape.dim[t->axis] = t->in;
        job.from = job.to;
    }
    if (plan->n == 0) memcpy(dx->data, job.from, mc_tensor_bytes(dx));
    return MC_OK;
}

static int resize_coupling(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err)
{
    const struct mc_value *x = node->inputs[0], *y = node->outputs[0];
    const struct mc_shape *from = &mc_coupling_fact(c, x)->shape, *to = &mc_coupling_fact(c, y)->shape;
    int rc = MC_OK;
    for (int k = 0; k < from->rank && rc == MC_OK; k++) {
        const bool keeps = k < 2 && from->dim[k] == to->dim[k];
        rc = keeps ? mc_couple_axes(c, x, k, y, k, err) : mc_couple_freeze(c, node, x, k, "resized along it", err);
    }
    return rc;
}

/* Sizes name extents: those of the axes that channels went from, and others that were computed from them. */
static int resize_mend(struct mc_resize *resize, struct mc_node *node, struct mc_error *err)
{
    bool wrong[2 * MC_MAX_RANK];
    struct mc_ints sizes;
    if (mc_node_attr(node, "axes") || !mc_resize_ints_computed(resize, node, 3, &sizes)) return MC_OK;
    for (int k = 0; k < sizes.n; k++) {
        const int64_t extent = mc_resize_new_extent(resize, node->outputs[0], k);
        wrong[k] = sizes.at[k] != extent;
        sizes.at[k] = extent;
    }
    return mc_resize_mend_ints(resize, node, 3, &sizes, wrong, err);
}

/* What version 10 always did are choices of 11, which has a region between the data and the scales. */
static int resize_upgrade(struct mc_node *node, const struct mc_fact *x, const char **why, struct mc_error *err)
{
    struct mc_value *scales = mc_node_input(node, 1);
    int rc = mc_node_set_input(node, 2, scales, err);
    if (rc == MC_OK) rc = mc_node_set_input(node, 1, NULL, err);
    if (rc == MC_OK) rc = mc_node_set_string(node, "coordinate_transformation_mode", "asymmetric", err);
    return rc == MC_OK ? mc_node_set_string(node, "nearest_mode", "floor", err) : rc;
}

/* gone: the first version that has it no more; 0: all have it */
#define RESIZE_OP(name, onnx_type, version, most, upgrade_rule, gone)                                                  \
    const struct mc_op mc_op_##name##_##version = {                                                                    \
        .domain = "",                                                                                                  \
        .type = onnx_type,                                                                                             \
        .since = version,                                                                                              \
        .min_inputs = 1,                                                                                               \
        .max_inputs = most,                                                                                            \
        .n_outputs = 1,                                                                                                \
        .widens = true,                                                                                                \
        .shape = resize_shape,                                                                                         \
        .outline = resize_outline,                                                                                     \
        .prepare = resize_prepare,                                                                                     \
        .release = resize_release,                                                                                     \
        .grad_inputs = 1,                                                                                              \
        .forward = resize_forward,                                                                                     \
        .backward = resize_backward,                                                                                   \
        .others = "regions, scales and sizes",                                                                         \
        .coupling = resize_coupling,                                                                                   \
        .resize = resize_mend,                                                                                         \
        .cost = mc_cost_elementwise,                                                                                   \
        .upgrade = upgrade_rule,                                                                                       \
        .until = gone,                                                                                                 \
    };

RESIZE_OP(resize, "Resize", 10, 2, NULL, 0)
RESIZE_OP(resize, "Resize", 11, 4, resize_upgrade, 0)
RESIZE_OP(upsample, "Upsample", 1, 1, NULL, 10)
RESIZE_OP(upsample, "Upsample", 7, 2, NULL, 10)
