/* byte_elementwise.c - operators on 8-bit integers, element by element and plane by plane: com.microsoft's QLinearAdd,
 * QLinearMul, QLinearLeakyRelu, QLinearSigmoid and QLinearGlobalAveragePool, and what plans make of nodes between
 * DequantizeLinear and QuantizeLinear (byte_rules.h).
 *
 * ONNX Runtime 1.32 multiplies integers by other factors in places: numbers out of it can be one apart.
 */
#include <string.h>

#include "base/error.h"
#include "kernel/broadcast.h"
#include "kernel/bytes.h"
#include "kernel/kernels.h"
#include "kernel/parallel.h"
#include "op/byte_rules.h"
#include "op/composite.h"

#define TYPES_BYTE (MC_TYPE_BIT(MC_INT8) | MC_TYPE_BIT(MC_UINT8))

static int need_one(const struct mc_node *node, int i, const struct mc_fact *fact, struct mc_error *err)
{
    if (!fact || mc_shape_count(&fact->shape) == 1) return MC_OK;
    return mc_error_set(err, MC_ERR_INPUT, "input %d '%s': needs one number", i, node->inputs[i]->name);
}

/* A scale, and behind it a zero point that may be left out. */
static int need_numbers(const struct mc_node *node, const struct mc_fact *const *in, int i, enum mc_dtype dtype,
                        struct mc_error *err)
{
    int rc = mc_need_dtype(node, i, in[i], MC_TYPE_BIT(MC_FLOAT), err);
    if (rc == MC_OK) rc = need_one(node, i, in[i], err);
    if (rc == MC_OK && in[i + 1]) rc = mc_need_dtype(node, i + 1, in[i + 1], MC_TYPE_BIT(dtype), err);
    return rc < 0 ? rc : need_one(node, i + 1, in[i + 1], err);
}

static float scale_of(const struct mc_tensor *scale)
{
    return (float)mc_tensor_get_f64(scale, 0);
}

static int zero_of(const struct mc_tensor *zero)
{
    return zero ? (int)mc_tensor_get_i64(zero, 0) : 0;
}

static struct mc_requantization requantization_to(enum mc_dtype dtype, int zero)
{
    const bool is_signed = dtype == MC_INT8;
    return (struct mc_requantization){.low = is_signed ? -128 : 0, .high = is_signed ? 127 : 255, .zero = zero};
}

/* --- sums and products: a, scale, zero point, b, scale, zero point, scale and zero point of y --- */

enum { A, A_SCALE, A_ZERO, B, B_SCALE, B_ZERO, Y_SCALE, Y_ZERO };

static int binary_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                        struct mc_error *err)
{
    int rc = mc_need_dtype(node, A, in[A], TYPES_BYTE, err);
    if (rc == MC_OK) rc = mc_need_dtype(node, B, in[B], TYPES_BYTE, err);
    if (rc == MC_OK) rc = need_numbers(node, in, A_SCALE, in[A]->dtype, err);
    if (rc == MC_OK) rc = need_numbers(node, in, B_SCALE, in[B]->dtype, err);
    if (rc == MC_OK) rc = need_numbers(node, in, Y_SCALE, in[A]->dtype, err);
    if (rc < 0) return rc;
    out[0] = (struct mc_fact){.dtype = in[A]->dtype};
    if (mc_shape_broadcast(&in[A]->shape, &in[B]->shape, &out[0].shape)) return MC_OK;
    char a[128], b[128];
    return mc_error_set(err, MC_ERR_INPUT, "inputs 0 and 3: shapes %s and %s do not go together",
                        mc_shape_text(&in[A]->shape, a, sizeof a), mc_shape_text(&in[B]->shape, b, sizeof b));
}

/* Element by element, however they lie; what is one number has no order. */
static enum mc_order binary_order(const struct mc_step *step)
{
    const struct mc_shape *y = &step->out[0]->shape;
    const bool alike = mc_shape_equal(&step->in[A]->shape, y) &&
                       (mc_shape_equal(&step->in[B]->shape, y) || mc_tensor_count(step->in[B]) == 1);
    return alike ? MC_ORDER_SAME : MC_ORDER_FIRST;
}

typedef void pair_fn(int64_t n, const uint8_t *a, int64_t a_step, const uint8_t *b, int64_t b_step,
                     const struct mc_byte_pair *pair, uint8_t *y);

struct binary {
    pair_fn *f;
    struct mc_byte_pair pair;
    struct mc_nest nest;
    const uint8_t *a, *b;
    uint8_t *y;
};

/* Elements [begin, end) of the result, in runs along the innermost axis. */
static void binary_range(void *context, int64_t begin, int64_t end)
{
    const struct binary *r = context;
    const int last = r->nest.rank - 1;
    const int64_t run = r->nest.extent[last];
    const int64_t a_step = r->nest.stride[MC_NEST_A][last], b_step = r->nest.stride[MC_NEST_B][last];
    for (int64_t i = begin, n; i < end; i += n) {
        int64_t a = i % run * a_step, b = i % run * b_step, rest = i / run;
        n = run - i % run < end - i ? run - i % run : end - i;
        for (int k = last - 1; k >= 0; k--) {
            a += rest % r->nest.extent[k] * r->nest.stride[MC_NEST_A][k];
            b += rest % r->nest.extent[k] * r->nest.stride[MC_NEST_B][k];
            rest /= r->nest.extent[k];
        }
        r->f(n, r->a + a, a_step, r->b + b, b_step, &r->pair, r->y + i);
    }
}

static int binary_forward(struct mc_step *step, bool product)
{
    const struct mc_byte_loops *loops = step->runtime->kernels->bytes;
    struct mc_tensor *y = step->out[0];
    const float a = scale_of(step->in[A_SCALE]), b = scale_of(step->in[B_SCALE]), to = scale_of(step->in[Y_SCALE]);
    struct binary r = {.f = product ? loops->mul : loops->add,
                       .pair = {.a_signed = step->in[A]->dtype == MC_INT8,
                                .b_signed = step->in[B]->dtype == MC_INT8,
                                .a_zero = zero_of(step->in[A_ZERO]),
                                .b_zero = zero_of(step->in[B_ZERO]),
                                .a_factor = product ? a * b / to : a / to,
                                .b_factor = b / to,
                                .how = requantization_to(y->dtype, zero_of(step->in[Y_ZERO]))},
                       .a = step->in[A]->data,
                       .b = step->in[B]->data,
                       .y = y->data};
    mc_nest_init(&r.nest, &y->shape, &step->in[A]->shape, &step->in[B]->shape);
    mc_parallel(mc_tensor_count(y), mc_parallel_grain(1), binary_range, &r);
    return MC_OK;
}

static int microsoft_qlinear_add_forward(struct mc_step *step, struct mc_error *err)
{
    return binary_forward(step, false);
}

static int microsoft_qlinear_mul_forward(struct mc_step *step, struct mc_error *err)
{
    return binary_forward(step, true);
}

#define BYTE_OP(name, onnx_type, least, most, rule, ...)                                                               \
    const struct mc_op mc_op_##name##_1 = {.domain = "com.microsoft",                                                  \
                                           .type = onnx_type,                                                          \
                                           .since = 1,                                                                 \
                                           .min_inputs = least,                                                        \
                                           .max_inputs = most,                                                         \
                                           .n_outputs = 1,                                                             \
                                           .shape = rule##_shape,                                                      \
                                           .order = rule##_order,                                                      \
                                           .forward = name##_forward,                                                  \
                                           .backward = NULL,                                                           \
                                           .no_backward = "quantized numbers have no derivative here",                 \
                                           .coupling = mc_coupling_freeze_all,                                         \
                                           .cost = mc_cost_elementwise,                                                \
                                           __VA_ARGS__};

BYTE_OP(microsoft_qlinear_add, "QLinearAdd", 7, 8, binary, )
BYTE_OP(microsoft_qlinear_mul, "QLinearMul", 7, 8, binary, )

/* --- tables: y = table[x] --- */

static int byte_lookup_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                             struct mc_error *err)
{
    int rc = mc_need_dtype(node, 0, in[0], TYPES_BYTE, err);
    if (rc == MC_OK) rc = mc_need_dtype(node, 1, in[1], TYPES_BYTE, err);
    if (rc < 0) return rc;
    out[0] = (struct mc_fact){.dtype = in[1]->dtype, .shape = in[0]->shape};
    return MC_OK;
}

struct lookup {
    const struct mc_byte_loops *loops;
    const uint8_t *x, *table;
    uint8_t *y;
};

static void lookup_range(void *context, int64_t begin, int64_t end)
{
    const struct lookup *r = context;
    r->loops->lookup(end - begin, r->x + begin, r->table, r->y + begin);
}

static int byte_lookup_forward(struct mc_step *step, struct mc_error *err)
{
    struct lookup r = {.loops = step->runtime->kernels->bytes,
                       .x = step->in[0]->data,
                       .table = step->in[1]->data,
                       .y = step->out[0]->data};
    mc_parallel(mc_tensor_count(step->in[0]), mc_parallel_grain(1), lookup_range, &r);
    return MC_OK;
}

static enum mc_order byte_lookup_order(const struct mc_step *step)
{
    return MC_ORDER_SAME;
}

/* x [any] of 8 bits, by its bits the place in table [256]. */
static BYTE_OP(byte_lookup, "byte_lookup", 2, 2, byte_lookup, )

    /* What `op` of the numbers and further operands makes of every byte; then of x, by that table. */
    static void by_table(struct mc_composite *c, const struct mc_op *op, const int *more, int n_more, int y_scale,
                         int y_zero)
{
    enum { MOST = 8 };
    const struct mc_node *node = mc_compose_node(c);
    const enum mc_dtype type = mc_compose_fact(c, 0)->dtype;
    const struct mc_shape all = {.rank = 1, .dim = {256}};
    uint8_t bytes[256];
    int in[MOST + 1];
    if (n_more > MOST) {
        mc_compose_refuse(c, MC_ERR_UNSUPPORTED, "has too many inputs");
        return;
    }
    for (int i = 0; i < 256; i++) bytes[i] = (uint8_t)i;
    in[0] = mc_compose(c, &mc_op_dequantize_linear_10, 1, MC_NO_ATTRS,
                       MC_LIST(mc_compose_constant(c, type, &all, bytes), mc_compose_in(c, 1), mc_compose_in(c, 2)));
    for (int i = 0; i < n_more; i++) in[i + 1] = more[i];
    const int y = mc_compose(c, op, 1, node->attrs, node->n_attrs, in, n_more + 1);
    const int table = y_zero >= 0
                          ? mc_compose(c, &mc_op_quantize_linear_10, 1, MC_NO_ATTRS, MC_LIST(y, y_scale, y_zero))
                          : mc_compose(c, &mc_op_quantize_linear_10, 1,
                                       MC_ATTRS(MC_ATTR_OF_INT("output_dtype", (int)type)), MC_LIST(y, y_scale));
    mc_compose_out(c, 0, mc_compose(c, &mc_op_byte_lookup_1, 1, MC_NO_ATTRS, MC_LIST(0, table)));
}

static void microsoft_qlinear_sigmoid_compose(struct mc_composite *c)
{
    by_table(c, &mc_op_sigmoid_1, NULL, 0, mc_compose_in(c, 3), mc_compose_in(c, 4));
}

static void microsoft_qlinear_leaky_relu_compose(struct mc_composite *c)
{
    by_table(c, &mc_op_leaky_relu_1, NULL, 0, mc_compose_in(c, 3), mc_compose_in(c, 4));
}

static void byte_table_compose(struct mc_composite *c)
{
    enum { FIRST = 5 };
    const struct mc_node *node = mc_compose_node(c);
    int more[8], n = node->n_inputs - FIRST;
    for (int i = 0; i < n && i < 8; i++) more[i] = mc_compose_in(c, FIRST + i);
    by_table(c, node->does->op, more, n, mc_compose_in(c, 3), mc_compose_in(c, 4));
}

MC_COMPOSITE_OP(microsoft_qlinear_sigmoid, "com.microsoft", "QLinearSigmoid", 1, 4, 5, 1, .order = byte_lookup_order,
                .no_backward = "quantized numbers have no derivative here")
MC_COMPOSITE_OP(microsoft_qlinear_leaky_relu, "com.microsoft", "QLinearLeakyRelu", 1, 4, 5, 1,
                .order = byte_lookup_order, .no_backward = "quantized numbers have no derivative here")
MC_COMPOSITE_OP(byte_table, "", "byte_table", 1, 5, 12, 1, .order = byte_lookup_order,
                .no_backward = "it runs in inference only")

/* --- means of planes: x, scale, zero point, scale and zero point of y --- */

static bool lies_last(const struct mc_step *step)
{
    return mc_node_int(step->node, "channels_last", 0) || step->in[0]->channels_last;
}

static int mean_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                      struct mc_error *err)
{
    int rc = mc_need_dtype(node, 0, in[0], TYPES_BYTE, err);
    if (rc == MC_OK) rc = mc_need_rank(node, 0, in[0], 2, MC_MAX_RANK, err);
    if (rc == MC_OK) rc = need_numbers(node, in, 1, in[0]->dtype, err);
    if (rc == MC_OK && in[4]) rc = mc_need_dtype(node, 4, in[4], TYPES_BYTE, err);
    if (rc == MC_OK) rc = need_numbers(node, in, 3, in[4] ? in[4]->dtype : in[0]->dtype, err);
    if (rc < 0) return rc;
    const bool last = mc_node_int(node, "channels_last", 0) != 0;
    out[0] = (struct mc_fact){.dtype = in[4] ? in[4]->dtype : in[0]->dtype, .shape = in[0]->shape};
    for (int k = last ? 1 : 2; k < out[0].shape.rank - last; k++) out[0].shape.dim[k] = 1;
    return MC_OK;
}

struct mean {
    const struct mc_byte_loops *loops;
    const uint8_t *x;
    uint8_t *y, flip;
    int64_t n, C; /* positions, channels */
    bool last;
    int32_t add;
    float factor;
    struct mc_requantization how;
};

enum { CHANNELS = 256 }; /* whose sums are held at a time */

static void mean_range(void *context, int64_t begin, int64_t end)
{
    const struct mean *r = context;
    int32_t sums[CHANNELS], add[CHANNELS];
    float factor[CHANNELS];
    for (int64_t i = 0; i < CHANNELS; i++) add[i] = r->add, factor[i] = r->factor;
    for (int64_t at = begin, width; at < end; at += width) { /* planes */
        const int64_t c = at % r->C;
        width = r->C - c < CHANNELS ? r->C - c : CHANNELS;
        if (width > end - at) width = end - at;
        memset(sums, 0, (size_t)width * sizeof *sums);
        for (int64_t i = 0; i < r->n && r->last; i++)
            r->loops->accumulate(width, r->x + (at / r->C * r->n + i) * r->C + c, r->flip, sums);
        for (int64_t i = 0; i < width && !r->last; i++) sums[i] = r->loops->sum(r->n, r->x + (at + i) * r->n, r->flip);
        r->loops->requantize(width, sums, add, factor, NULL, &r->how, r->y + at);
    }
}

static int microsoft_qlinear_global_average_pool_forward(struct mc_step *step, struct mc_error *err)
{
    const struct mc_tensor *x = step->in[0], *y = step->out[0];
    const bool is_last = mc_node_int(step->node, "channels_last", 0) != 0;
    const int rank = x->shape.rank;
    struct mean r = {.loops = step->runtime->kernels->bytes,
                     .x = x->data,
                     .y = y->data,
                     .flip = x->dtype == MC_INT8 ? 0x80 : 0,
                     .n = is_last ? mc_shape_span(&x->shape, 1, rank - 1) : mc_shape_span(&x->shape, 2, rank),
                     .C = x->shape.dim[is_last ? rank - 1 : 1],
                     .last = lies_last(step),
                     .how = requantization_to(y->dtype, zero_of(step->in[4]))};
    r.add = (int32_t)(-r.n * (zero_of(step->in[2]) + r.flip));
    r.factor = r.n ? scale_of(step->in[1]) / scale_of(step->in[3]) / (float)r.n : 0;
    mc_parallel(x->shape.dim[0] * r.C, mc_parallel_grain(r.n), mean_range, &r);
    return MC_OK;
}

/* Its output has one position: no order. */
static enum mc_order mean_order(const struct mc_step *step)
{
    return mc_node_int(step->node, "channels_last", 0) ? MC_ORDER_FIRST : MC_ORDER_ANY;
}

BYTE_OP(microsoft_qlinear_global_average_pool, "QLinearGlobalAveragePool", 4, 5, mean, )
