/* quantized_product.c - MatMulInteger, QLinearMatMul, ConvInteger, QLinearConv (ONNX opset 10): products of 8-bit
 * integers.
 *
 * Operands less their zero points are multiplied in float64, which holds every sum of such products exactly (they stay
 * below 2^53 up to 2^37 terms), by the same products as float models; the result is what 32-bit integers give as long
 * as those do not overflow.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "kernel/convolution.h"
#include "kernel/parallel.h"
#include "op/move.h"
#include "op/ops.h"
#include "op/sliding.h"

#define TYPES_BYTE (MC_TYPE_BIT(MC_INT8) | MC_TYPE_BIT(MC_UINT8))

extern const struct mc_op mc_op_matmul_1;

/* --- operands --- */

/* Strides of a scale or zero point along the axes of what it belongs to: 0 where it does not vary. A vector is one
 * number a row (of a) or a column (of b). */
static bool spread(const struct mc_shape *small, const struct mc_shape *large, bool rows, int64_t *strides)
{
    struct mc_shape shape = *small;
    const int64_t n = mc_shape_count(small);
    if (n == 1) {
        memset(strides, 0, MC_MAX_RANK * sizeof *strides);
        return true;
    }
    if (small->rank == 1 && rows) shape = (struct mc_shape){.rank = 2, .dim = {n, 1}};
    struct mc_shape both;
    if (shape.rank > large->rank || !mc_shape_broadcast(&shape, large, &both) || !mc_shape_equal(&both, large))
        return false;
    mc_broadcast_strides(&shape, large, strides);
    return true;
}

/* x - zero as doubles. */
static void widen(double *to, const struct mc_tensor *x, const struct mc_tensor *zero, const int64_t *strides)
{
    struct mc_walk walk;
    mc_walk_start(&walk, &x->shape, 0, NULL);
    walk.n = 1;
    memcpy(walk.strides[0], strides, sizeof walk.strides[0]);
    const int64_t n = mc_tensor_count(x);
    const double one = zero && mc_tensor_count(zero) == 1 ? mc_tensor_get_f64(zero, 0) : 0;
    if (!zero || mc_tensor_count(zero) == 1) {
        for (int64_t i = 0; i < n && x->dtype == MC_INT8; i++) to[i] = (double)((const int8_t *)x->data)[i] - one;
        for (int64_t i = 0; i < n && x->dtype == MC_UINT8; i++) to[i] = (double)((const uint8_t *)x->data)[i] - one;
        return;
    }
    for (int64_t i = 0; i < n; i++, mc_walk_next(&walk))
        to[i] = mc_tensor_get_f64(x, i) - mc_tensor_get_f64(zero, walk.offset[0]);
}

/* --- products of matrices: both operators have the same operands at other places --- */

struct places {
    int a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero; /* -1: none */
};

static const struct places integer_places = {
    .a = 0, .a_scale = -1, .a_zero = 2, .b = 1, .b_scale = -1, .b_zero = 3, .y_scale = -1, .y_zero = -1};
static const struct places linear_places = {
    .a = 0, .a_scale = 1, .a_zero = 2, .b = 3, .b_scale = 4, .b_zero = 5, .y_scale = 6, .y_zero = 7};

static const struct places *places_of(const struct mc_node *node)
{
    return node->op->max_inputs > 4 ? &linear_places : &integer_places;
}

static int check_spread(const struct mc_node *node, const struct mc_fact *const *in, int i, int of, bool rows,
                        struct mc_error *err)
{
    int64_t strides[MC_MAX_RANK];
    if (i < 0 || !in[i] || spread(&in[i]->shape, &in[of]->shape, rows, strides)) return MC_OK;
    char text[128];
    return mc_error_set(err, MC_ERR_INPUT, "input %d '%s': shape %s does not go with its matrix", i,
                        node->inputs[i]->name, mc_shape_text(&in[i]->shape, text, sizeof text));
}

static int product_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                         struct mc_error *err)
{
    const struct places *p = places_of(node);
    int rc = mc_need_dtype(node, p->a, in[p->a], TYPES_BYTE, err);
    if (rc == MC_OK) rc = mc_need_dtype(node, p->b, in[p->b], TYPES_BYTE, err);
    if (rc == MC_OK && in[p->a_zero])
        rc = mc_need_dtype(node, p->a_zero, in[p->a_zero], MC_TYPE_BIT(in[p->a]->dtype), err);
    if (rc == MC_OK && in[p->b_zero])
        rc = mc_need_dtype(node, p->b_zero, in[p->b_zero], MC_TYPE_BIT(in[p->b]->dtype), err);
    if (rc == MC_OK) rc = check_spread(node, in, p->a_zero, p->a, true, err);
    if (rc == MC_OK) rc = check_spread(node, in, p->b_zero, p->b, false, err);
    if (rc == MC_OK) rc = check_spread(node, in, p->a_scale, p->a, true, err);
    if (rc == MC_OK) rc = check_spread(node, in, p->b_scale, p->b, false, err);
    if (rc < 0) return rc;
    struct mc_fact a = *in[p->a], b = *in[p->b];
    a.dtype = b.dtype = MC_DOUBLE;
    rc = mc_op_matmul_1.shape(node, (const struct mc_fact *const[]){&a, &b}, out, err);
    if (rc < 0) return rc;
    out[0].dtype = MC_INT32;
    if (p->y_zero < 0) return MC_OK;
    rc = mc_need_dtype(node, p->y_zero, in[p->y_zero], TYPES_BYTE, err);
    out[0].dtype = in[p->y_zero]->dtype;
    return rc;
}

static int product_prepare(struct mc_step *step, struct mc_error *err)
{
    const struct places *p = places_of(step->node);
    const int64_t n = mc_tensor_count(step->in[p->a]) + mc_tensor_count(step->in[p->b]) + mc_tensor_count(step->out[0]);
    step->workspace_bytes = (size_t)(n + 24) * sizeof(double);
    return MC_OK;
}

static double *align(double *p)
{
    return (double *)(((uintptr_t)p + 63) / 64 * 64);
}

/* The exact product, in the workspace. */
static int multiply(struct mc_step *step, const struct places *p, double **product, struct mc_error *err)
{
    const struct mc_tensor *a = step->in[p->a], *b = step->in[p->b];
    int64_t strides[MC_MAX_RANK] = {0};
    double *const wide_a = align(step->workspace), *const wide_b = align(wide_a + mc_tensor_count(a));
    *product = align(wide_b + mc_tensor_count(b));
    if (step->in[p->a_zero]) spread(&step->in[p->a_zero]->shape, &a->shape, true, strides);
    widen(wide_a, a, step->in[p->a_zero], strides);
    memset(strides, 0, sizeof strides);
    if (step->in[p->b_zero]) spread(&step->in[p->b_zero]->shape, &b->shape, false, strides);
    widen(wide_b, b, step->in[p->b_zero], strides);
    struct mc_tensor ta = {.dtype = MC_DOUBLE, .shape = a->shape, .data = wide_a};
    struct mc_tensor tb = {.dtype = MC_DOUBLE, .shape = b->shape, .data = wide_b};
    struct mc_tensor ty = {.dtype = MC_DOUBLE, .shape = step->out[0]->shape, .data = *product};
    struct mc_step inner = {.node = step->node,
                            .runtime = step->runtime,
                            .n_in = 2,
                            .n_out = 1,
                            .in = (struct mc_tensor *[]){&ta, &tb},
                            .out = (struct mc_tensor *[]){&ty}};
    return mc_op_matmul_1.forward(&inner, err);
}

static int mat_mul_integer_forward(struct mc_step *step, struct mc_error *err)
{
    double *product;
    const int rc = multiply(step, &integer_places, &product, err);
    int32_t *const y = step->out[0]->data;
    for (int64_t i = 0; i < mc_tensor_count(step->out[0]) && rc == MC_OK; i++) y[i] = (int32_t)(int64_t)product[i];
    return rc;
}

/* Rounded as float32 arithmetic rounds it, and cut off at what 8 bits hold. */
static void requantize(struct mc_tensor *y, int64_t i, double sum, float factor, double zero)
{
    const bool is_signed = y->dtype == MC_INT8;
    const double v = rint((double)((float)sum * factor)) + zero, low = is_signed ? -128 : 0,
                 high = is_signed ? 127 : 255;
    const double kept = v < low ? low : v > high ? high : v;
    if (is_signed)
        ((int8_t *)y->data)[i] = (int8_t)kept;
    else
        ((uint8_t *)y->data)[i] = (uint8_t)kept;
}

static int qlinear_mat_mul_forward(struct mc_step *step, struct mc_error *err)
{
    const struct places *p = &linear_places;
    struct mc_tensor *y = step->out[0];
    const struct mc_tensor *a_scale = step->in[p->a_scale], *b_scale = step->in[p->b_scale];
    const float y_scale = (float)mc_tensor_get_f64(step->in[p->y_scale], 0);
    const double zero = mc_tensor_get_f64(step->in[p->y_zero], 0);
    double *product;
    const int rc = multiply(step, p, &product, err);
    if (rc < 0) return rc;
    struct mc_walk walk;
    mc_walk_start(&walk, &y->shape, 0, NULL);
    walk.n = 2;
    if (!spread(&a_scale->shape, &y->shape, true, walk.strides[0]) ||
        !spread(&b_scale->shape, &y->shape, false, walk.strides[1]))
        return mc_error_set(err, MC_ERR_INPUT, "a scale does not go with the product");
    for (int64_t i = 0; i < mc_tensor_count(y); i++, mc_walk_next(&walk))
        requantize(y, i, product[i],
                   (float)mc_tensor_get_f64(a_scale, walk.offset[0]) *
                       (float)mc_tensor_get_f64(b_scale, walk.offset[1]) / y_scale,
                   zero);
    return MC_OK;
}

static void product_cost(const struct mc_node *node, const struct mc_fact *const *in, const struct mc_fact *out,
                         struct mc_cost *cost)
{
    const struct mc_shape *a = &in[places_of(node)->a]->shape;
    mc_cost_free(node, in, out, cost);
    const int64_t macs = mc_shape_count(&out[0].shape) * (a->rank ? a->dim[a->rank - 1] : 1);
    cost->macs += macs;
    cost->flops += 2 * macs;
}

/* --- convolutions --- */

static int filters_of(const struct mc_node *node, const struct mc_fact *const *in, int i, int64_t M,
                      struct mc_error *err)
{
    if (i < 0 || !in[i] || mc_shape_count(&in[i]->shape) == 1 || (in[i]->shape.rank == 1 && in[i]->shape.dim[0] == M))
        return MC_OK;
    return mc_error_set(err, MC_ERR_INPUT, "input %d '%s': needs one number, or one for each of %" PRId64 " filters", i,
                        node->inputs[i]->name, M);
}

static int qconv_window(const struct mc_node *node, const struct mc_shape *x, const struct mc_shape *w,
                        struct mc_window *window, struct mc_error *err)
{
    const struct mc_fact fact = {.dtype = MC_DOUBLE, .shape = *x};
    return mc_sliding_window(node, &fact, &w->dim[2], false, window, err);
}

static int qconv_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                       struct mc_error *err)
{
    const struct places *p = places_of(node);
    const int64_t groups = mc_node_int(node, "group", 1);
    int rc = mc_need_dtype(node, p->a, in[p->a], TYPES_BYTE, err);
    if (rc == MC_OK) rc = mc_need_dtype(node, p->b, in[p->b], TYPES_BYTE, err);
    if (rc == MC_OK) rc = mc_need_rank(node, p->a, in[p->a], 3, 5, err);
    if (rc == MC_OK) rc = mc_need_rank(node, p->b, in[p->b], in[p->a]->shape.rank, in[p->a]->shape.rank, err);
    if (rc < 0) return rc;
    const struct mc_shape *x = &in[p->a]->shape, *w = &in[p->b]->shape;
    if (groups < 1 || w->dim[0] % groups || w->dim[1] * groups != x->dim[1])
        return mc_error_set(err, MC_ERR_INPUT, "%" PRId64 " groups of %" PRId64 " channels do not make up %" PRId64,
                            groups, w->dim[1], x->dim[1]);
    if (in[p->a_zero] && mc_shape_count(&in[p->a_zero]->shape) != 1)
        return mc_error_set(err, MC_ERR_INPUT, "input %d '%s': needs one number", p->a_zero,
                            node->inputs[p->a_zero]->name);
    rc = filters_of(node, in, p->b_zero, w->dim[0], err);
    if (rc == MC_OK) rc = filters_of(node, in, p->b_scale, w->dim[0], err);
    struct mc_window window;
    if (rc == MC_OK) rc = qconv_window(node, x, w, &window, err);
    if (rc < 0) return rc;
    out[0].dtype = MC_INT32;
    out[0].shape = mc_sliding_shape(&window, x->dim[0], w->dim[0]);
    if (p->y_zero < 0) return MC_OK;
    if (in[8]) rc = mc_need_dtype(node, 8, in[8], MC_TYPE_BIT(MC_INT32), err);
    if (rc == MC_OK) rc = mc_need_dtype(node, p->y_zero, in[p->y_zero], TYPES_BYTE, err);
    out[0].dtype = in[p->y_zero]->dtype;
    return rc;
}

static int qconv_prepare(struct mc_step *step, struct mc_error *err)
{
    const struct places *p = places_of(step->node);
    const struct mc_tensor *x = step->in[p->a], *w = step->in[p->b];
    struct mc_convolution conv = {.dtype = MC_DOUBLE,
                                  .N = x->shape.dim[0],
                                  .C = x->shape.dim[1],
                                  .M = w->shape.dim[0],
                                  .groups = mc_node_int(step->node, "group", 1)};
    struct mc_convolver *convolver = NULL;
    int rc = qconv_window(step->node, &x->shape, &w->shape, &conv.window, err);
    if (rc == MC_OK) rc = mc_convolver_create(&convolver, &conv, step->runtime, err);
    if (rc < 0) return rc;
    step->state = convolver;
    const int64_t n = mc_tensor_count(x) + mc_tensor_count(w) + mc_tensor_count(step->out[0]);
    step->workspace_bytes = (size_t)(n + 32) * sizeof(double) + mc_convolver_workspace_bytes(convolver);
    return MC_OK;
}

static void qconv_release(struct mc_step *step)
{
    mc_convolver_destroy(step->state);
}

static int convolve(struct mc_step *step, const struct places *p, double **product, struct mc_error *err)
{
    const struct mc_tensor *x = step->in[p->a], *w = step->in[p->b], *w_zero = step->in[p->b_zero];
    int64_t strides[MC_MAX_RANK] = {0};
    double *const wide_x = align(step->workspace), *const wide_w = align(wide_x + mc_tensor_count(x));
    *product = align(wide_w + mc_tensor_count(w));
    double *const scratch = align(*product + mc_tensor_count(step->out[0]));
    widen(wide_x, x, step->in[p->a_zero], strides);
    strides[0] = w_zero && mc_tensor_count(w_zero) > 1;
    widen(wide_w, w, w_zero, strides);
    return mc_convolver_forward(step->state, wide_x, wide_w, NULL, *product, scratch, err);
}

static int conv_integer_forward(struct mc_step *step, struct mc_error *err)
{
    double *product;
    const int rc = convolve(step, &integer_places, &product, err);
    int32_t *const y = step->out[0]->data;
    for (int64_t i = 0; i < mc_tensor_count(step->out[0]) && rc == MC_OK; i++) y[i] = (int32_t)(int64_t)product[i];
    return rc;
}

static int qlinear_conv_forward(struct mc_step *step, struct mc_error *err)
{
    const struct places *p = &linear_places;
    struct mc_tensor *y = step->out[0];
    const struct mc_tensor *w_scale = step->in[p->b_scale], *bias = step->n_in > 8 ? step->in[8] : NULL;
    const float x_scale = (float)mc_tensor_get_f64(step->in[p->a_scale], 0);
    const float y_scale = (float)mc_tensor_get_f64(step->in[p->y_scale], 0);
    const double zero = mc_tensor_get_f64(step->in[p->y_zero], 0);
    const int64_t M = y->shape.dim[1], inner = mc_shape_span(&y->shape, 2, y->shape.rank);
    double *product;
    const int rc = convolve(step, p, &product, err);
    for (int64_t plane = 0; plane < y->shape.dim[0] * M && rc == MC_OK; plane++) {
        const int64_t m = plane % M;
        const float scale = (float)mc_tensor_get_f64(w_scale, mc_tensor_count(w_scale) > 1 ? m : 0);
        const double add = bias ? mc_tensor_get_f64(bias, m) : 0;
        for (int64_t i = plane * inner; i < (plane + 1) * inner; i++)
            requantize(y, i, product[i] + add, x_scale * scale / y_scale, zero);
    }
    return rc;
}

static void qconv_cost(const struct mc_node *node, const struct mc_fact *const *in, const struct mc_fact *out,
                       struct mc_cost *cost)
{
    const struct mc_shape *w = &in[places_of(node)->b]->shape;
    mc_cost_free(node, in, out, cost);
    const int64_t macs = mc_shape_count(&out[0].shape) * mc_shape_span(w, 1, w->rank);
    cost->macs += macs;
    cost->flops += 2 * macs;
}

#define PRODUCT_OP(name, onnx_type, least, most, rule, freed)                                                          \
    const struct mc_op mc_op_##name##_10 = {                                                                           \
        .domain = "",                                                                                                  \
        .type = onnx_type,                                                                                             \
        .since = 10,                                                                                                   \
        .min_inputs = least,                                                                                           \
        .max_inputs = most,                                                                                            \
        .n_outputs = 1,                                                                                                \
        .shape = rule##_shape,                                                                                         \
        .prepare = rule##_prepare,                                                                                     \
        .release = freed,                                                                                              \
        .forward = name##_forward,                                                                                     \
        .backward = NULL,                                                                                              \
        .no_backward = "quantized numbers have no derivative here",                                                    \
        .coupling = mc_coupling_freeze_all,                                                                            \
        .cost = rule##_cost,                                                                                           \
    };

PRODUCT_OP(conv_integer, "ConvInteger", 2, 4, qconv, qconv_release)
PRODUCT_OP(mat_mul_integer, "MatMulInteger", 2, 4, product, NULL)
PRODUCT_OP(qlinear_conv, "QLinearConv", 8, 9, qconv, qconv_release)
PRODUCT_OP(qlinear_mat_mul, "QLinearMatMul", 8, 8, product, NULL)
