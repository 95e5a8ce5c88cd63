/* quantize.c - QuantizeLinear, DequantizeLinear (ONNX opset 10, 13, 19, 21 and later), DynamicQuantizeLinear (11).
 *
 *     y = saturate(round(x / scale) + zero_point)        x = (y - zero_point) * scale
 *
 * with one scale for all, one for each index along `axis`, or one for each block of `block_size` along it. To nearest,
 * ties to even. The division is done in the type of the scale, or of `precision`.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "kernel/bytes.h"
#include "kernel/kernels.h"
#include "kernel/parallel.h"
#include "op/byte_rules.h"
#include "op/move.h"
#include "op/ops.h"
#include "op/outline.h"

#define TYPES_HALF (MC_TYPES_FLOAT | MC_TYPE_BIT(MC_FLOAT16) | MC_TYPE_BIT(MC_BFLOAT16))
#define TYPES_FLOAT8                                                                                                   \
    (MC_TYPE_BIT(MC_FLOAT8E4M3FN) | MC_TYPE_BIT(MC_FLOAT8E4M3FNUZ) | MC_TYPE_BIT(MC_FLOAT8E5M2) |                      \
     MC_TYPE_BIT(MC_FLOAT8E5M2FNUZ))
#define TYPES_QUANTIZED                                                                                                \
    (MC_TYPE_BIT(MC_UINT8) | MC_TYPE_BIT(MC_INT8) | MC_TYPE_BIT(MC_UINT16) | MC_TYPE_BIT(MC_INT16) |                   \
     MC_TYPE_BIT(MC_UINT4) | MC_TYPE_BIT(MC_INT4) | MC_TYPE_BIT(MC_UINT2) | MC_TYPE_BIT(MC_INT2) | TYPES_FLOAT8 |      \
     MC_TYPE_BIT(MC_FLOAT4E2M1))

/* Which scale an element has: number element / inner % extent / block, and outer of those. */
struct granularity {
    int64_t outer, extent, inner, block, n; /* n: scales along the axis */
};

static int64_t scale_of(const struct granularity *g, int64_t i)
{
    if (g->n == 1 && g->outer == 1) return 0;
    const int64_t along = i / g->inner % g->extent / g->block;
    return g->outer == 1 ? along : (i / (g->inner * g->extent) * g->n + along) * g->inner + i % g->inner;
}

static int blocked(const struct mc_node *node, const struct mc_shape *x, const struct mc_shape *scale, int axis,
                   struct granularity *g, struct mc_error *err)
{
    const int64_t block = mc_node_int(node, "block_size", 0), extent = x->dim[axis];
    struct mc_shape need = *x;
    if (block < 1)
        return mc_error_set(err, MC_ERR_INPUT, "attribute 'block_size': needs 1 at least, has %" PRId64, block);
    need.dim[axis] = extent / block + (extent % block != 0);
    char a[128], b[128];
    if (!mc_shape_equal(&need, scale))
        return mc_error_set(err, MC_ERR_INPUT, "the scale needs shape %s, has %s", mc_shape_text(&need, a, sizeof a),
                            mc_shape_text(scale, b, sizeof b));
    *g = (struct granularity){.outer = 2, .extent = extent, .block = block, .n = need.dim[axis]};
    g->inner = mc_shape_span(x, axis + 1, x->rank);
    return MC_OK;
}

/* Outer is 1 where scales do not depend on the axes before. */
static int granularity_of(const struct mc_node *node, const struct mc_shape *x, const struct mc_shape *scale,
                          struct granularity *g, struct mc_error *err)
{
    int axis = 0;
    *g = (struct granularity){.outer = 1, .extent = 1, .inner = 1, .block = 1, .n = 1};
    if (mc_shape_count(scale) == 1 && scale->rank <= 1) return MC_OK;
    const int rc = mc_need_axis(mc_node_int(node, "axis", 1), x->rank, &axis, err);
    if (rc < 0) return rc;
    if (scale->rank != 1) return blocked(node, x, scale, axis, g, err);
    if (scale->dim[0] != x->dim[axis])
        return mc_error_set(err, MC_ERR_INPUT, "needs a scale for each of %" PRId64 " along axis %d, has %" PRId64,
                            x->dim[axis], axis, scale->dim[0]);
    *g = (struct granularity){.outer = 1, .extent = x->dim[axis], .block = 1, .n = x->dim[axis]};
    g->inner = mc_shape_span(x, axis + 1, x->rank);
    return MC_OK;
}

static int check_zero_point(const struct mc_node *node, const struct mc_fact *const *in, struct mc_error *err)
{
    if (!in[2] || mc_shape_count(&in[2]->shape) == mc_shape_count(&in[1]->shape)) return MC_OK;
    return mc_error_set(err, MC_ERR_INPUT, "input 2 '%s': needs a zero point for each scale", node->inputs[2]->name);
}

/* --- QuantizeLinear --- */

static void limits_of(enum mc_dtype dtype, double *low, double *high)
{
    const int bits = mc_dtype_bits(dtype);
    const bool is_signed = dtype == MC_INT8 || dtype == MC_INT16 || dtype == MC_INT4 || dtype == MC_INT2;
    *low = is_signed ? -ldexp(1, bits - 1) : 0;
    *high = is_signed ? ldexp(1, bits - 1) - 1 : ldexp(1, bits) - 1;
}

static int quantize_linear_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                                 struct mc_error *err)
{
    struct granularity g;
    const int64_t type = mc_node_int(node, "output_dtype", MC_UNDEFINED);
    int rc = mc_need_dtype(node, 0, in[0], TYPES_HALF | MC_TYPE_BIT(MC_INT32), err);
    if (rc == MC_OK) rc = mc_need_dtype(node, 1, in[1], TYPES_HALF | MC_TYPE_BIT(MC_INT32), err);
    if (rc == MC_OK && in[2]) rc = mc_need_dtype(node, 2, in[2], TYPES_QUANTIZED, err);
    if (rc == MC_OK) rc = granularity_of(node, &in[0]->shape, &in[1]->shape, &g, err);
    if (rc == MC_OK) rc = check_zero_point(node, in, err);
    if (rc < 0) return rc;
    if (type < 0 || type >= MC_DTYPE_COUNT || (type && !(TYPES_QUANTIZED & MC_TYPE_BIT(type))))
        return mc_error_set(err, MC_ERR_UNSUPPORTED, "attribute 'output_dtype': %" PRId64 " is no quantized type",
                            type);
    if (type && in[2] && type != in[2]->dtype)
        return mc_error_set(err, MC_ERR_INPUT, "attribute 'output_dtype': needs %s like the zero point",
                            mc_dtype_name(in[2]->dtype));
    out[0] = (struct mc_fact){.dtype = in[2]  ? in[2]->dtype
                                       : type ? (enum mc_dtype)type
                                              : MC_UINT8,
                              .shape = in[0]->shape};
    return MC_OK;
}

struct job {
    const struct mc_byte_loops *loops;
    const struct mc_tensor *x, *scale, *zero, *dy;
    struct mc_tensor *y, *dx;
    struct granularity g;
    enum mc_dtype precision;
    struct mc_conversion how;
    double low, high;
    bool whole; /* to integers */
};

/* The quotient as the precision has it. */
static double divide(enum mc_dtype precision, double x, double scale)
{
    switch (precision) {
    case MC_FLOAT16:
        return mc_half_to_float(mc_float_to_half((float)x / (float)scale));
    case MC_BFLOAT16:
        return mc_bfloat16_to_float(mc_float_to_bfloat16((float)x / (float)scale));
    case MC_DOUBLE:
        return x / scale;
    default:
        return (double)((float)x / (float)scale);
    }
}

static double saturate(const struct job *job, double v)
{
    return v < job->low ? job->low : v > job->high ? job->high : v == v ? v : job->low;
}

static bool is_fast(const struct job *job)
{
    return job->x->dtype == MC_FLOAT && job->precision == MC_FLOAT && job->g.outer == 1 &&
           (job->y->dtype == MC_UINT8 || job->y->dtype == MC_INT8);
}

static void quantize_range(void *context, int64_t begin, int64_t end)
{
    const struct job *job = context;
    if (is_fast(job)) {
        for (int64_t i = begin; i < end;) {
            const int64_t run = job->g.n == 1 ? end - begin : job->g.inner - i % job->g.inner;
            const int64_t s = scale_of(&job->g, i), n = run < end - i ? run : end - i;
            const struct mc_requantization how = {.low = (int)job->low,
                                                  .high = (int)job->high,
                                                  .zero = job->zero ? (int)mc_tensor_get_i64(job->zero, s) : 0};
            job->loops->quantize(n, (const float *)job->x->data + i, (float)mc_tensor_get_f64(job->scale, s), &how,
                                 (uint8_t *)job->y->data + i);
            i += n;
        }
        return;
    }
    for (int64_t i = begin; i < end; i++) {
        const int64_t s = scale_of(&job->g, i);
        const double zero = job->zero ? mc_tensor_get_f64(job->zero, s) : 0;
        double v = divide(job->precision, mc_tensor_get_f64(job->x, i), mc_tensor_get_f64(job->scale, s));
        v = job->whole ? saturate(job, rint(v) + zero) : v + zero;
        if (job->whole) {
            mc_tensor_set_f64(job->y, i, v);
        } else { /* one element by Cast's rules */
            const struct mc_tensor from = {.dtype = MC_DOUBLE, .data = &v};
            struct mc_tensor to = *job->y;
            to.shape = (struct mc_shape){.rank = 0};
            if (mc_dtype_bits(to.dtype) < 8) {
                mc_tensor_set_f64(job->y, i, v);
                continue;
            }
            to.data = (uint8_t *)to.data + i;
            mc_tensor_convert_by(&to, &from, &job->how, NULL);
        }
    }
}

static int quantize_job(struct job *job, const struct mc_step *step, struct mc_error *err)
{
    const int64_t precision = mc_node_int(step->node, "precision", MC_UNDEFINED);
    *job = (struct job){.loops = step->runtime->kernels->bytes,
                        .x = step->in[0],
                        .scale = step->in[1],
                        .zero = step->in[2],
                        .y = step->out[0],
                        .how = {.overflows = !mc_node_int(step->node, "saturate", 1)}};
    job->precision = precision ? (enum mc_dtype)precision : job->scale->dtype;
    job->whole = !((TYPES_FLOAT8 | MC_TYPE_BIT(MC_FLOAT4E2M1)) & MC_TYPE_BIT(job->y->dtype));
    limits_of(job->y->dtype, &job->low, &job->high);
    return granularity_of(step->node, &job->x->shape, &job->scale->shape, &job->g, err);
}

static int quantize_linear_forward(struct mc_step *step, struct mc_error *err)
{
    struct job job;
    const int rc = quantize_job(&job, step, err);
    if (rc < 0) return rc;
    /* elements narrower than a byte share bytes: one thread, and nothing of what was there before */
    const int64_t n = mc_tensor_count(job.x);
    if (mc_dtype_bits(job.y->dtype) < 8) memset(job.y->data, 0, mc_tensor_bytes(job.y));
    mc_parallel(n, mc_dtype_bits(job.y->dtype) < 8 ? n + 1 : mc_parallel_grain(8), quantize_range, &job);
    return MC_OK;
}

/* Straight through: rounding counts as if it were not there, and what is cut off has no slope (Bengio, Léonard,
 * Courville 2013; Jacob et al. 2018), as in PyTorch's fake quantization. The gradient that comes in is by the quantized
 * number. */
static void quantize_range_back(void *context, int64_t begin, int64_t end)
{
    const struct job *job = context;
    const float *const g = job->dy->data;
    for (int64_t i = begin; i < end; i++) {
        const int64_t s = scale_of(&job->g, i);
        const double scale = mc_tensor_get_f64(job->scale, s), zero = job->zero ? mc_tensor_get_f64(job->zero, s) : 0;
        const double v = divide(job->precision, mc_tensor_get_f64(job->x, i), scale);
        const double y = job->whole ? rint(v) + zero : v + zero;
        mc_tensor_set_f64(job->dx, i, y >= job->low && y <= job->high ? (double)g[i] / scale : 0);
    }
}

static int quantize_linear_backward(struct mc_step *step, struct mc_error *err)
{
    struct job job;
    const int rc = quantize_job(&job, step, err);
    if (rc < 0) return rc;
    job.dy = step->grad_out[0];
    job.dx = step->grad_in[0];
    if (!job.whole) job.low = -INFINITY, job.high = INFINITY;
    mc_parallel(mc_tensor_count(job.x), mc_parallel_grain(16), quantize_range_back, &job);
    return MC_OK;
}

/* --- DequantizeLinear --- */

static int dequantize_linear_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                                   struct mc_error *err)
{
    struct granularity g;
    const int64_t type = mc_node_int(node, "output_dtype", MC_UNDEFINED);
    int rc = mc_need_dtype(node, 0, in[0], TYPES_QUANTIZED | MC_TYPE_BIT(MC_INT32), err);
    if (rc == MC_OK) rc = mc_need_dtype(node, 1, in[1], TYPES_HALF | MC_TYPE_BIT(MC_FLOAT8E8M0), err);
    if (rc == MC_OK && in[2]) rc = mc_need_dtype(node, 2, in[2], MC_TYPE_BIT(in[0]->dtype), err);
    if (rc == MC_OK) rc = granularity_of(node, &in[0]->shape, &in[1]->shape, &g, err);
    if (rc == MC_OK) rc = check_zero_point(node, in, err);
    if (rc < 0) return rc;
    if (type < 0 || type >= MC_DTYPE_COUNT || (type && !(TYPES_HALF & MC_TYPE_BIT(type))))
        return mc_error_set(err, MC_ERR_UNSUPPORTED, "attribute 'output_dtype': needs a float type, has %" PRId64,
                            type);
    out[0] = (struct mc_fact){.dtype = type ? (enum mc_dtype)type : in[1]->dtype, .shape = in[0]->shape};
    if (!(TYPES_HALF & MC_TYPE_BIT(out[0].dtype)))
        return mc_error_set(err, MC_ERR_UNSUPPORTED, "a scale of %s needs attribute 'output_dtype'",
                            mc_dtype_name(in[1]->dtype));
    return MC_OK;
}

static void dequantize_range(void *context, int64_t begin, int64_t end)
{
    const struct job *job = context;
    const bool bytes = job->x->dtype == MC_INT8 || job->x->dtype == MC_UINT8;
    for (int64_t i = begin; i < end;) {
        const int64_t s = scale_of(&job->g, i);
        const double scale = mc_tensor_get_f64(job->scale, s), zero = job->zero ? mc_tensor_get_f64(job->zero, s) : 0;
        int64_t n = job->g.n == 1 && job->g.outer == 1 ? end - i
                    : job->g.outer == 1                ? job->g.inner - i % job->g.inner
                                                       : 1;
        if (n > end - i) n = end - i;
        if (bytes && job->y->dtype == MC_FLOAT) {
            job->loops->dequantize(n, (const uint8_t *)job->x->data + i, job->x->dtype == MC_INT8, (float)scale,
                                   (float)zero, (float *)job->y->data + i);
        } else {
            for (int64_t k = 0; k < n; k++) {
                const double v = mc_tensor_get_f64(job->x, i + k) - zero;
                mc_tensor_set_f64(job->y, i + k,
                                  job->y->dtype == MC_DOUBLE ? v * scale : (double)((float)v * (float)scale));
            }
        }
        i += n;
    }
}

static int dequantize_linear_forward(struct mc_step *step, struct mc_error *err)
{
    struct job job = {.loops = step->runtime->kernels->bytes,
                      .x = step->in[0],
                      .scale = step->in[1],
                      .zero = step->in[2],
                      .y = step->out[0]};
    const int rc = granularity_of(step->node, &job.x->shape, &job.scale->shape, &job.g, err);
    if (rc == MC_OK) mc_parallel(mc_tensor_count(job.x), mc_parallel_grain(2), dequantize_range, &job);
    return rc;
}

/* By the quantized number: each step of it is a scale. */
static int dequantize_linear_backward(struct mc_step *step, struct mc_error *err)
{
    const struct mc_tensor *dy = step->grad_out[0], *scale = step->in[1];
    float *const dx = step->grad_in[0]->data;
    struct granularity g;
    const int rc = granularity_of(step->node, &dy->shape, &scale->shape, &g, err);
    for (int64_t i = 0; i < mc_tensor_count(dy) && rc == MC_OK; i++)
        dx[i] = (float)(mc_tensor_get_f64(dy, i) * mc_tensor_get_f64(scale, scale_of(&g, i)));
    return rc;
}

/* One scale for all: however x lies. */
static enum mc_order quantize_order(const struct mc_step *step)
{
    return mc_tensor_count(step->in[1]) == 1 ? MC_ORDER_SAME : MC_ORDER_FIRST;
}

/* --- coupling --- */

/* A scale and a zero point for each index go with it, one for all stays; blocks hold the axis that they run along. */
static int quantize_coupling(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err)
{
    const struct mc_value *x = node->inputs[0];
    const struct mc_shape *shape = &mc_coupling_fact(c, x)->shape;
    int axis = 0, rc = mc_coupling_first_input(c, node, err);
    for (int i = 1; i < node->n_inputs && i < 3 && rc == MC_OK; i++) {
        const struct mc_shape *scales = node->inputs[i] ? &mc_coupling_fact(c, node->inputs[i])->shape : NULL;
        if (!scales || (scales->rank <= 1 && mc_shape_count(scales) == 1)) continue;
        rc = mc_need_axis(mc_node_int(node, "axis", 1), shape->rank, &axis, err);
        for (int k = 0; k < scales->rank && rc == MC_OK; k++) {
            if (scales->rank > 1 && k == axis)
                rc = mc_couple_freeze(c, node, x, k, "blocks of one scale run along it", err);
            else
                rc = mc_couple_axes(c, node->inputs[i], k, x, scales->rank > 1 ? k : axis, err);
        }
    }
    return rc;
}

#define QUANTIZE_OP(constant, op_domain, version, name, onnx_type, ...)                                                \
    const struct mc_op mc_op_##constant = {.domain = op_domain,                                                        \
                                           .type = onnx_type,                                                          \
                                           .since = version,                                                           \
                                           .min_inputs = 2,                                                            \
                                           .max_inputs = 3,                                                            \
                                           .n_outputs = 1,                                                             \
                                           .order = quantize_order,                                                    \
                                           .shape = name##_shape,                                                      \
                                           .outline = mc_outline_same,                                                 \
                                           .forward = name##_forward,                                                  \
                                           .grad_inputs = 1,                                                           \
                                           .keep = MC_KEEP_IN,                                                         \
                                           .straight_through = true,                                                   \
                                           .backward = name##_backward,                                                \
                                           .others = "scales and zero points, which calibration finds",                \
                                           .coupling = quantize_coupling,                                              \
                                           .cost = mc_cost_elementwise,                                                \
                                           __VA_ARGS__};

/* ONNX Runtime's are the same, with 4 and 16 bits before the standard had them. */
QUANTIZE_OP(dequantize_linear_10, "", 10, dequantize_linear, "DequantizeLinear", .means = MC_MEANS_DEQUANTIZE)
QUANTIZE_OP(quantize_linear_10, "", 10, quantize_linear, "QuantizeLinear", .merge = mc_merge_quantize)
QUANTIZE_OP(microsoft_dequantize_linear_1, "com.microsoft", 1, dequantize_linear, "DequantizeLinear",
            .means = MC_MEANS_DEQUANTIZE)
QUANTIZE_OP(microsoft_quantize_linear_1, "com.microsoft", 1, quantize_linear, "QuantizeLinear",
            .merge = mc_merge_quantize)

/* --- DynamicQuantizeLinear: to uint8, by the range that the data have --- */

static int dynamic_quantize_linear_shape(const struct mc_node *node, const struct mc_fact *const *in,
                                         struct mc_fact *out, struct mc_error *err)
{
    const int rc = mc_need_dtype(node, 0, in[0], MC_TYPE_BIT(MC_FLOAT), err);
    out[0] = (struct mc_fact){.dtype = MC_UINT8, .shape = in[0]->shape};
    out[1] = (struct mc_fact){.dtype = MC_FLOAT, .shape = {.rank = 0}};
    out[2] = (struct mc_fact){.dtype = MC_UINT8, .shape = {.rank = 0}};
    return rc;
}

static void dynamic_quantize_linear_outline(struct mc_symbols *s, const struct mc_node *node,
                                            const struct mc_outline *const *in, struct mc_outline *out)
{
    mc_outline_same(s, node, in, out);
    out[1] = out[2] = mc_outline_of_rank(0);
}

enum { RANGE_PARTS = 16 };

/* The least and the largest, 0 among them, of parts that threads go through. */
struct range {
    const struct mc_byte_loops *loops;
    const float *x;
    int64_t n, n_parts;
    float low[RANGE_PARTS], high[RANGE_PARTS];
};

static void range_parts(void *context, int64_t begin, int64_t end)
{
    struct range *r = context;
    for (int64_t i = begin; i < end; i++) {
        const int64_t first = r->n * i / r->n_parts, last = r->n * (i + 1) / r->n_parts;
        r->loops->range(last - first, r->x + first, &r->low[i], &r->high[i]);
    }
}

static void range_of(const struct mc_byte_loops *loops, int64_t n, const float *x, float *low, float *high)
{
    struct range r = {.loops = loops, .x = x, .n = n, .n_parts = RANGE_PARTS};
    mc_parallel(r.n_parts, mc_parallel_grain(n / r.n_parts / 8), range_parts, &r);
    *low = *high = 0;
    for (int i = 0; i < RANGE_PARTS; i++) {
        *low = r.low[i] < *low ? r.low[i] : *low;
        *high = r.high[i] > *high ? r.high[i] : *high;
    }
}

static int dynamic_quantize_linear_forward(struct mc_step *step, struct mc_error *err)
{
    const struct mc_tensor *x = step->in[0];
    float low, high;
    range_of(step->runtime->kernels->bytes, mc_tensor_count(x), x->data, &low, &high);
    float scale = (high - low) / 255.0f;
    const float at = scale > 0 ? rintf(-low / scale) : 0;
    uint8_t zero = (uint8_t)(at < 0 ? 0 : at > 255 ? 255 : at);
    if (step->out[1]) *(float *)step->out[1]->data = scale;
    if (step->out[2]) *(uint8_t *)step->out[2]->data = zero;
    if (scale == 0) scale = 1; /* all zeros */
    if (step->saved) *(float *)step->saved = scale;
    const struct mc_tensor scale_tensor = {.dtype = MC_FLOAT, .data = &scale};
    const struct mc_tensor zero_tensor = {.dtype = MC_UINT8, .data = &zero};
    struct job job = {.loops = step->runtime->kernels->bytes,
                      .x = x,
                      .scale = &scale_tensor,
                      .zero = &zero_tensor,
                      .y = step->out[0],
                      .g = {.outer = 1, .extent = 1, .inner = 1, .block = 1, .n = 1},
                      .precision = MC_FLOAT,
                      .whole = true,
                      .high = 255};
    mc_parallel(mc_tensor_count(x), mc_parallel_grain(8), quantize_range, &job);
    return MC_OK;
}

/* Straight through; nothing is cut off. */
static int dynamic_quantize_linear_backward(struct mc_step *step, struct mc_error *err)
{
    const float *const g = step->grad_out[0]->data, *const scale = step->saved;
    float *const dx = step->grad_in[0]->data;
    for (int64_t i = 0; i < mc_tensor_count(step->grad_in[0]); i++) dx[i] = g[i] / *scale;
    return MC_OK;
}

static int dynamic_quantize_linear_prepare(struct mc_step *step, struct mc_error *err)
{
    if (step->training) step->saved_bytes = sizeof(float);
    return MC_OK;
}

const struct mc_op mc_op_dynamic_quantize_linear_11 = {
    .domain = "",
    .type = "DynamicQuantizeLinear",
    .since = 11,
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 3,
    .shape = dynamic_quantize_linear_shape,
    .outline = dynamic_quantize_linear_outline,
    .grad_inputs = 1,
    .straight_through = true,
    .prepare = dynamic_quantize_linear_prepare,
    .forward = dynamic_quantize_linear_forward,
    .backward = dynamic_quantize_linear_backward,
    .coupling = mc_coupling_freeze_all,
    .cost = mc_cost_elementwise,
};
