/* quantized_product.c - MatMulInteger, QLinearMatMul, ConvInteger, QLinearConv (ONNX opset 10): products of 8-bit
 * integers, exact modulo 2^32, by the loops of kernel/bytes.h.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "kernel/bytes.h"
#include "kernel/kernels.h"
#include "kernel/parallel.h"
#include "op/byte_rules.h"
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
    int64_t strides[MC_MAX_RANK] = {0};
    if (i < 0 || !in[i]) return MC_OK;
    const int rank = in[of]->shape.rank, along = rows || rank < 2 ? rank - 1 : rank - 2; /* what is summed over */
    if (spread(&in[i]->shape, &in[of]->shape, rows, strides) && (rank < 1 || strides[along] == 0)) return MC_OK;
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

/* Matrices [m, k] and [k, n] for each of `batch`, to which those that a and b have broadcast. */
struct extents {
    int64_t m, n, k, n_a, n_b, n_y; /* n_a, n_b, n_y: matrices of each */
    struct mc_shape a, b, batch;
};

static struct extents extents_of(const struct mc_shape *a, const struct mc_shape *b)
{
    struct extents e = {.m = a->rank > 1 ? a->dim[a->rank - 2] : 1,
                        .n = b->rank > 1 ? b->dim[b->rank - 1] : 1,
                        .k = a->dim[a->rank - 1],
                        .a = *a,
                        .b = *b};
    e.a.rank = a->rank > 2 ? a->rank - 2 : 0;
    e.b.rank = b->rank > 2 ? b->rank - 2 : 0;
    mc_shape_broadcast(&e.a, &e.b, &e.batch); /* the shape rule has checked it */
    e.n_a = mc_shape_count(&e.a);
    e.n_b = mc_shape_count(&e.b);
    e.n_y = mc_shape_count(&e.batch);
    return e;
}

/* The matrices of b made ready: all of them if they are constant, else one, over and over. */
struct packed {
    int64_t n;
    bool constant;
    struct mc_byte_matrix *matrices;
};

static void product_release(struct mc_step *step)
{
    struct packed *packed = step->state;
    for (int64_t i = 0; packed && packed->matrices && i < packed->n; i++) mc_byte_matrix_finish(&packed->matrices[i]);
    if (packed) mc_free(packed->matrices);
    mc_free(packed);
}

static const void *matrix_of_b(const struct mc_step *step, const struct extents *e, int64_t i)
{
    return (const uint8_t *)step->in[places_of(step->node)->b]->data + i * e->k * e->n;
}

/* Room for the sums, where they are not the result. */
static size_t sums_bytes(const struct mc_step *step)
{
    return places_of(step->node)->y_zero < 0 ? 0 : mc_align((size_t)mc_tensor_count(step->out[0]) * sizeof(int32_t));
}

static int product_prepare(struct mc_step *step, struct mc_error *err)
{
    const struct places *p = places_of(step->node);
    const struct mc_tensor *a = step->in[p->a], *b = step->in[p->b];
    const struct extents e = extents_of(&a->shape, &b->shape);
    const struct mc_byte_product product = {
        .K = e.k, .N = e.n, .a_signed = a->dtype == MC_INT8, .b_signed = b->dtype == MC_INT8};
    struct packed *packed = MC_NEW(struct packed);
    step->state = packed;
    if (!packed) return mc_error_memory(err);
    packed->constant = step->in_constant[p->b];
    packed->n = packed->constant ? e.n_b : 1;
    packed->matrices = MC_NEW_ARRAY(struct mc_byte_matrix, packed->n);
    if (!packed->matrices) return mc_error_memory(err);
    for (int64_t i = 0; i < packed->n; i++) {
        const int rc = mc_byte_matrix_init(&packed->matrices[i], &product, step->runtime, err);
        if (rc < 0) return rc;
        if (packed->constant) mc_byte_matrix_pack(&packed->matrices[i], matrix_of_b(step, &e, i), step->runtime);
    }
    /* the sums, factors and addends of a row, and what the products need */
    step->workspace_bytes = sums_bytes(step) + 2 * mc_align((size_t)e.n * sizeof(float)) +
                            mc_byte_multiply_room(&product, e.n_y * e.m, step->runtime);
    return MC_OK;
}

/* Zero points of matrices: bytes from the offsets on that a walk over the batch gives. */
struct zero_points {
    const uint8_t *data;
    int64_t strides[MC_MAX_RANK];
    bool each; /* along the axis that the result keeps */
};

static struct zero_points zero_points_of(const struct mc_tensor *zero, const struct mc_shape *of, bool rows)
{
    struct zero_points z = {.data = zero ? zero->data : NULL};
    if (zero) spread(&zero->shape, of, rows, z.strides);
    const int axis = rows ? of->rank - 2 : of->rank - 1;
    z.each = axis >= 0 && z.strides[axis] != 0;
    return z;
}

/* Strides over the batch, in elements of what has `strides` over all axes of an operand of `rank`. */
static void set_walk(struct mc_walk *walk, int i, const int64_t *strides, int rank)
{
    for (int k = 0; k < walk->rank; k++) {
        const int axis = rank - 2 - walk->rank + k;
        walk->strides[i][k] = axis >= 0 ? strides[axis] : 0;
    }
}

/* The sums of products; exact modulo 2^32. */
static void multiply(struct mc_step *step, int32_t *sums, void *room)
{
    enum { IN_A, IN_B };
    const struct places *p = places_of(step->node);
    const struct mc_tensor *a = step->in[p->a], *b = step->in[p->b];
    const struct packed *packed = step->state;
    const struct extents e = extents_of(&a->shape, &b->shape);
    const struct zero_points za = zero_points_of(step->in[p->a_zero], &a->shape, true);
    const struct zero_points zb = zero_points_of(step->in[p->b_zero], &b->shape, false);
    struct mc_walk operands, zeros;
    mc_walk_start(&operands, &e.batch, 0, NULL);
    mc_walk_start(&zeros, &e.batch, 0, NULL);
    operands.n = zeros.n = 2;
    mc_broadcast_strides(&e.a, &e.batch, operands.strides[IN_A]);
    mc_broadcast_strides(&e.b, &e.batch, operands.strides[IN_B]);
    set_walk(&zeros, IN_A, za.strides, a->shape.rank);
    set_walk(&zeros, IN_B, zb.strides, b->shape.rank);
    const bool one =
        e.n_b == 1 && e.n_a == e.n_y && !za.each && (!za.data || mc_tensor_count(step->in[p->a_zero]) == 1);
    int64_t made = -1;
    for (int64_t i = 0; i < (one ? e.n_y > 0 : e.n_y); i++) {
        const int64_t at = operands.offset[IN_B];
        struct mc_byte_matrix *matrix = &packed->matrices[packed->constant ? at : 0];
        const struct mc_byte_zeros z = {.a = za.data ? za.data + zeros.offset[IN_A] : NULL,
                                        .b = zb.data ? zb.data + zeros.offset[IN_B] : NULL,
                                        .each_row = za.each,
                                        .each_column = zb.each};
        if (!packed->constant && at != made) mc_byte_matrix_pack(matrix, matrix_of_b(step, &e, at), step->runtime);
        made = at;
        mc_byte_multiply(matrix, one ? e.n_y * e.m : e.m, (const uint8_t *)a->data + operands.offset[IN_A] * e.m * e.k,
                         &z, sums + i * e.m * e.n, room, step->runtime);
        mc_walk_next(&operands);
        mc_walk_next(&zeros);
    }
}

static int mat_mul_integer_forward(struct mc_step *step, struct mc_error *err)
{
    multiply(step, step->out[0]->data, step->workspace);
    return MC_OK;
}

static struct mc_requantization requantization_of(const struct mc_tensor *y, const struct mc_tensor *zero)
{
    const bool is_signed = y->dtype == MC_INT8;
    return (struct mc_requantization){
        .low = is_signed ? -128 : 0, .high = is_signed ? 127 : 255, .zero = zero ? (int)mc_tensor_get_i64(zero, 0) : 0};
}

static int qlinear_mat_mul_forward(struct mc_step *step, struct mc_error *err)
{
    const struct places *p = &linear_places;
    const struct mc_tensor *y = step->out[0], *a_scale = step->in[p->a_scale], *b_scale = step->in[p->b_scale];
    const struct extents e = extents_of(&step->in[p->a]->shape, &step->in[p->b]->shape);
    const struct mc_requantization how = requantization_of(y, step->in[p->y_zero]);
    const float y_scale = (float)mc_tensor_get_f64(step->in[p->y_scale], 0);
    int32_t *const sums = step->workspace;
    float *const factor = (float *)(void *)((char *)step->workspace + sums_bytes(step));
    int32_t *const none = (int32_t *)(void *)((char *)factor + mc_align((size_t)e.n * sizeof *factor));
    struct mc_shape rows = {.rank = e.batch.rank + 2};
    memcpy(rows.dim, e.batch.dim, sizeof rows.dim);
    rows.dim[rows.rank - 2] = e.m;
    rows.dim[rows.rank - 1] = e.n;
    struct mc_walk walk;
    int64_t strides[2][MC_MAX_RANK] = {{0}};
    if (!spread(&a_scale->shape, &rows, true, strides[0]) || !spread(&b_scale->shape, &rows, false, strides[1]))
        return mc_error_set(err, MC_ERR_INPUT, "a scale does not go with the product");
    multiply(step, sums, (char *)none + mc_align((size_t)e.n * sizeof *none));
    memset(none, 0, (size_t)e.n * sizeof *none);
    const int64_t step_a = strides[0][rows.rank - 1], step_b = strides[1][rows.rank - 1];
    rows.rank--; /* one row after another */
    mc_walk_start(&walk, &rows, 0, NULL);
    walk.n = 2;
    memcpy(walk.strides[0], strides[0], sizeof walk.strides[0]);
    memcpy(walk.strides[1], strides[1], sizeof walk.strides[1]);
    const bool alike = mc_tensor_count(a_scale) == 1 && b_scale->shape.rank <= 1; /* in all rows */
    for (int64_t row = 0; row < mc_shape_count(&rows); row++, mc_walk_next(&walk)) {
        for (int64_t n = 0; n < e.n && (row == 0 || !alike); n++)
            factor[n] = (float)mc_tensor_get_f64(a_scale, walk.offset[0] + n * step_a) *
                        (float)mc_tensor_get_f64(b_scale, walk.offset[1] + n * step_b) / y_scale;
        step->runtime->kernels->bytes->requantize(e.n, sums + row * e.n, none, factor, NULL, &how,
                                                  (uint8_t *)y->data + row * e.n);
    }
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

/* Channels are neighbours inside; who hands them over so saves turning them. */
static enum mc_order qconv_order(const struct mc_step *step)
{
    return MC_ORDER_LAST;
}

static int convolution_of(const struct mc_step *step, const struct places *p, struct mc_byte_convolution *conv,
                          struct mc_error *err)
{
    const struct mc_tensor *x = step->in[p->a], *w = step->in[p->b], *w_zero = step->in[p->b_zero];
    const bool constant = step->in_constant[p->b] && (!w_zero || step->in_constant[p->b_zero]);
    *conv = (struct mc_byte_convolution){.N = x->shape.dim[0],
                                         .C = x->shape.dim[1],
                                         .M = w->shape.dim[0],
                                         .groups = mc_node_int(step->node, "group", 1),
                                         .x_signed = x->dtype == MC_INT8,
                                         .w_signed = w->dtype == MC_INT8,
                                         .x_last = x->channels_last,
                                         .y_last = step->out[0]->channels_last,
                                         .weights = constant ? w->data : NULL,
                                         .w_zero = constant && w_zero ? w_zero->data : NULL,
                                         .w_zero_each = w_zero && mc_tensor_count(w_zero) > 1};
    return qconv_window(step->node, &x->shape, &w->shape, &conv->window, err);
}

static int qconv_prepare(struct mc_step *step, struct mc_error *err)
{
    const struct places *p = places_of(step->node);
    struct mc_byte_convolution conv;
    struct mc_byte_convolver *convolver = NULL;
    int rc = convolution_of(step, p, &conv, err);
    if (rc == MC_OK) rc = mc_byte_convolver_create(&convolver, &conv, step->runtime, err);
    if (rc < 0) return rc;
    step->state = convolver;
    if (conv.weights) step->packed = UINT32_C(1) << p->b;
    step->workspace_bytes = mc_byte_convolver_room(convolver) + mc_align((size_t)conv.M * sizeof(float));
    return MC_OK;
}

static void qconv_release(struct mc_step *step)
{
    mc_byte_convolver_destroy(step->state);
}

static const void *data_of(const struct mc_tensor *tensor)
{
    return tensor ? tensor->data : NULL;
}

static int conv_integer_forward(struct mc_step *step, struct mc_error *err)
{
    const struct places *p = &integer_places;
    const struct mc_byte_output output = {.sums = step->out[0]->data};
    mc_byte_convolve(step->state, step->in[p->a]->data, data_of(step->in[p->a_zero]), step->in[p->b]->data,
                     data_of(step->in[p->b_zero]), &output, step->workspace);
    return MC_OK;
}

static int qlinear_conv_forward(struct mc_step *step, struct mc_error *err)
{
    const struct places *p = &linear_places;
    const struct mc_tensor *y = step->out[0], *w_scale = step->in[p->b_scale];
    const float x_scale = (float)mc_tensor_get_f64(step->in[p->a_scale], 0);
    const float y_scale = (float)mc_tensor_get_f64(step->in[p->y_scale], 0);
    const int64_t M = y->shape.dim[1];
    float *const factor = step->workspace;
    for (int64_t m = 0; m < M; m++)
        factor[m] = x_scale * (float)mc_tensor_get_f64(w_scale, mc_tensor_count(w_scale) > 1 ? m : 0) / y_scale;
    const struct mc_byte_output output = {
        .y = y->data, .bias = data_of(step->in[8]), .factor = factor, .how = requantization_of(y, step->in[p->y_zero])};
    mc_byte_convolve(step->state, step->in[p->a]->data, data_of(step->in[p->a_zero]), step->in[p->b]->data,
                     data_of(step->in[p->b_zero]), &output, (char *)factor + mc_align((size_t)M * sizeof *factor));
    return MC_OK;
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

#define PRODUCT_OP(name, onnx_type, least, most, rule, how_lying)                                                      \
    const struct mc_op mc_op_##name##_10 = {                                                                           \
        .domain = "",                                                                                                  \
        .type = onnx_type,                                                                                             \
        .since = 10,                                                                                                   \
        .min_inputs = least,                                                                                           \
        .max_inputs = most,                                                                                            \
        .n_outputs = 1,                                                                                                \
        .shape = rule##_shape,                                                                                         \
        .prepare = rule##_prepare,                                                                                     \
        .order = how_lying,                                                                                            \
        .release = rule##_release,                                                                                     \
        .forward = name##_forward,                                                                                     \
        .backward = NULL,                                                                                              \
        .no_backward = "quantized numbers have no derivative here",                                                    \
        .coupling = mc_coupling_freeze_all,                                                                            \
        .cost = rule##_cost,                                                                                           \
    };

PRODUCT_OP(conv_integer, "ConvInteger", 2, 4, qconv, qconv_order)
PRODUCT_OP(mat_mul_integer, "MatMulInteger", 2, 4, product, NULL)
PRODUCT_OP(qlinear_conv, "QLinearConv", 8, 9, qconv, qconv_order)
PRODUCT_OP(qlinear_mat_mul, "QLinearMatMul", 8, 8, product, NULL)

/* --- between DequantizeLinear and QuantizeLinear: see byte_rules.h --- */

enum { X, X_SCALE, X_ZERO, W, W_SCALE, W_ZERO, Y_SCALE, Y_ZERO, BIAS };

/* What becomes of the sums of each of M: all of it is constant. */
struct held {
    struct mc_byte_convolver *convolver;
    float *factor, *offset; /* [M] */
    struct mc_requantization how;
};

static void held_release(struct mc_step *step)
{
    struct held *held = step->state;
    if (!held) return;
    mc_byte_convolver_destroy(held->convolver);
    mc_free(held->factor);
    mc_free(held->offset);
    mc_free(held);
}

/* As the nearest byte, within the type's range. */
static int bound_of(float v, float scale, const struct mc_requantization *how)
{
    const float at = rintf(v / scale) + (float)how->zero;
    return at < (float)how->low ? how->low : at > (float)how->high ? how->high : (int)at;
}

static int held_prepare(struct mc_step *step, const struct mc_byte_convolution *conv, struct mc_error *err)
{
    const struct mc_tensor *w_scale = step->in[W_SCALE], *bias = step->in[BIAS];
    const float x_scale = (float)mc_tensor_get_f64(step->in[X_SCALE], 0);
    const float y_scale = (float)mc_tensor_get_f64(step->in[Y_SCALE], 0);
    struct held *held = MC_NEW(struct held);
    step->state = held;
    if (!held) return mc_error_memory(err);
    held->factor = MC_NEW_ARRAY(float, conv->M);
    held->offset = bias ? MC_NEW_ARRAY(float, conv->M) : NULL;
    if (!held->factor || (bias && !held->offset)) return mc_error_memory(err);
    for (int64_t m = 0; m < conv->M; m++) {
        held->factor[m] = x_scale * (float)mc_tensor_get_f64(w_scale, mc_tensor_count(w_scale) > 1 ? m : 0) / y_scale;
        if (bias) held->offset[m] = (float)mc_tensor_get_f64(bias, m) / y_scale;
    }
    held->how = requantization_of(step->out[0], step->in[Y_ZERO]);
    const int low = bound_of(mc_node_float(step->node, "low", -INFINITY), y_scale, &held->how);
    held->how.high = bound_of(mc_node_float(step->node, "high", INFINITY), y_scale, &held->how);
    held->how.low = low;
    const int rc = mc_byte_convolver_create(&held->convolver, conv, step->runtime, err);
    if (rc < 0) return rc;
    step->packed = UINT32_C(1) << W;
    step->workspace_bytes = mc_byte_convolver_room(held->convolver);
    return MC_OK;
}

static int held_forward(struct mc_step *step, struct mc_error *err)
{
    const struct held *held = step->state;
    const struct mc_byte_output output = {
        .y = step->out[0]->data, .factor = held->factor, .offset = held->offset, .how = held->how};
    mc_byte_convolve(held->convolver, step->in[X]->data, data_of(step->in[X_ZERO]), NULL, NULL, &output,
                     step->workspace);
    return MC_OK;
}

static int byte_conv_prepare(struct mc_step *step, struct mc_error *err)
{
    struct mc_byte_convolution conv;
    const int rc = convolution_of(step, &linear_places, &conv, err);
    return rc < 0 ? rc : held_prepare(step, &conv, err);
}

/* Rows of matrices are the pixels of a convolution that looks at one. */
static int byte_gemm_prepare(struct mc_step *step, struct mc_error *err)
{
    const struct mc_tensor *x = step->in[X], *w = step->in[W], *w_zero = step->in[W_ZERO];
    const bool turned = mc_node_int(step->node, "transB", 0) != 0;
    const int64_t K = w->shape.dim[turned], M = w->shape.dim[!turned];
    const int64_t rows = mc_shape_span(&x->shape, 0, x->shape.rank - 1);
    const struct mc_window pixel = {
        .rank = 1, .in = {rows}, .out = {rows}, .kernel = {1}, .stride = {1}, .dilation = {1}};
    struct mc_byte_convolution conv = {.N = 1,
                                       .C = K,
                                       .M = M,
                                       .groups = 1,
                                       .window = pixel,
                                       .x_signed = x->dtype == MC_INT8,
                                       .w_signed = w->dtype == MC_INT8,
                                       .x_last = true,
                                       .y_last = true,
                                       .weights = w->data,
                                       .w_zero = data_of(w_zero),
                                       .w_zero_each = w_zero && mc_tensor_count(w_zero) > 1};
    uint8_t *turned_w = NULL;
    if (!turned) {
        turned_w = mc_alloc_aligned((size_t)(M * K) + 1, 1);
        if (!turned_w) return mc_error_memory(err);
        for (int64_t m = 0; m < M; m++)
            for (int64_t k = 0; k < K; k++) turned_w[m * K + k] = ((const uint8_t *)w->data)[k * M + m];
        conv.weights = turned_w;
    }
    const int rc = held_prepare(step, &conv, err);
    mc_free(turned_w);
    return rc;
}

/* A plan makes these nodes of others whose shapes are known. */
static int held_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                      struct mc_error *err)
{
    return mc_error_set(err, MC_ERR_UNSUPPORTED, "only plans make such nodes");
}

static void byte_conv_cost(const struct mc_node *node, const struct mc_fact *const *in, const struct mc_fact *out,
                           struct mc_cost *cost)
{
    qconv_cost(node, in, out, cost);
}

static void byte_gemm_cost(const struct mc_node *node, const struct mc_fact *const *in, const struct mc_fact *out,
                           struct mc_cost *cost)
{
    mc_cost_free(node, in, out, cost);
    const int64_t macs = mc_shape_count(&out[0].shape) * in[W]->shape.dim[mc_node_int(node, "transB", 0) != 0];
    cost->macs += macs;
    cost->flops += 2 * macs;
}

#define HELD_OP(name, onnx_type, how_lying)                                                                            \
    const struct mc_op mc_op_##name = {                                                                                \
        .domain = "",                                                                                                  \
        .type = onnx_type,                                                                                             \
        .since = 1,                                                                                                    \
        .min_inputs = 8,                                                                                               \
        .max_inputs = 9,                                                                                               \
        .n_outputs = 1,                                                                                                \
        .shape = held_shape,                                                                                           \
        .order = how_lying,                                                                                            \
        .prepare = name##_prepare,                                                                                     \
        .release = held_release,                                                                                       \
        .forward = held_forward,                                                                                       \
        .no_backward = "it runs in inference only",                                                                    \
        .coupling = mc_coupling_freeze_all,                                                                            \
        .cost = name##_cost,                                                                                           \
    };

HELD_OP(byte_conv, "QLinearConv", qconv_order)
HELD_OP(byte_gemm, "QGemm", NULL)
