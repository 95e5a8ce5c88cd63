/* bits.c - BitShift, BitwiseAnd, BitwiseOr, BitwiseXor, BitwiseNot, BitCast, Mod: integers as bits, and remainders.
 *
 * Operands broadcast. Elements go one by one through 64 bits: none of these is where a model spends its time.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "op/elementwise.h"
#include "op/move.h"
#include "op/outline.h"

#define TYPES_WHOLE                                                                                                    \
    (MC_TYPE_BIT(MC_INT8) | MC_TYPE_BIT(MC_INT16) | MC_TYPE_BIT(MC_INT32) | MC_TYPE_BIT(MC_INT64) |                    \
     MC_TYPE_BIT(MC_UINT8) | MC_TYPE_BIT(MC_UINT16) | MC_TYPE_BIT(MC_UINT32) | MC_TYPE_BIT(MC_UINT64))

static bool is_signed(enum mc_dtype dtype)
{
    return dtype == MC_INT8 || dtype == MC_INT16 || dtype == MC_INT32 || dtype == MC_INT64;
}

static uint64_t as_bits(int64_t i)
{
    uint64_t u;
    memcpy(&u, &i, sizeof u);
    return u;
}

/* The low bits of a number as an element. */
static void put(struct mc_tensor *t, int64_t i, uint64_t bits)
{
    switch (mc_dtype_bits(t->dtype)) {
    case 8:
        ((uint8_t *)t->data)[i] = (uint8_t)bits;
        return;
    case 16:
        ((uint16_t *)t->data)[i] = (uint16_t)bits;
        return;
    case 32:
        ((uint32_t *)t->data)[i] = (uint32_t)bits;
        return;
    default:
        ((uint64_t *)t->data)[i] = bits;
    }
}

typedef uint64_t whole_fn(const struct mc_step *step, int64_t a, int64_t b);

static int each_pair(struct mc_step *step, whole_fn *f)
{
    struct mc_tensor *y = step->out[0];
    struct mc_walk walk;
    mc_walk_start(&walk, &y->shape, 2, step->in);
    for (int64_t i = 0; i < mc_tensor_count(y); i++, mc_walk_next(&walk))
        put(y, i,
            f(step, mc_tensor_get_i64(step->in[0], walk.offset[0]), mc_tensor_get_i64(step->in[1], walk.offset[1])));
    return MC_OK;
}

static int whole_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                       struct mc_error *err)
{
    return mc_broadcast_shape(node, in, out, TYPES_WHOLE, err);
}

/* --- shifts --- */

static int shift_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                       struct mc_error *err)
{
    if (!mc_node_string_is(node, "direction", "LEFT", false) && !mc_node_string_is(node, "direction", "RIGHT", false))
        return mc_error_set(err, MC_ERR_INPUT, "attribute 'direction': needs LEFT or RIGHT");
    return whole_shape(node, in, out, err);
}

/* Shifts by no place that there is give what the sign fills in. */
static uint64_t shift(const struct mc_step *step, int64_t a, int64_t b)
{
    const enum mc_dtype dtype = step->out[0]->dtype;
    const int bits = mc_dtype_bits(dtype);
    const bool left = mc_node_string_is(step->node, "direction", "LEFT", false);
    const bool far = dtype == MC_UINT64 ? as_bits(b) >= 64 : b < 0 || b >= bits;
    if (far) return !left && is_signed(dtype) && a < 0 ? UINT64_MAX : 0;
    if (left) return as_bits(a) << b;
    if (!is_signed(dtype)) return as_bits(a) >> b;
    return a < 0 ? ~(~as_bits(a) >> b) : as_bits(a) >> b;
}

static int bit_shift_forward(struct mc_step *step, struct mc_error *err)
{
    return each_pair(step, shift);
}

/* --- and, or, xor, not --- */

static uint64_t both(const struct mc_step *step, int64_t a, int64_t b)
{
    return as_bits(a) & as_bits(b);
}

static uint64_t either(const struct mc_step *step, int64_t a, int64_t b)
{
    return as_bits(a) | as_bits(b);
}

static uint64_t differing(const struct mc_step *step, int64_t a, int64_t b)
{
    return as_bits(a) ^ as_bits(b);
}

static int bitwise_and_forward(struct mc_step *step, struct mc_error *err)
{
    return each_pair(step, both);
}

static int bitwise_or_forward(struct mc_step *step, struct mc_error *err)
{
    return each_pair(step, either);
}

static int bitwise_xor_forward(struct mc_step *step, struct mc_error *err)
{
    return each_pair(step, differing);
}

static int not_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                     struct mc_error *err)
{
    const int rc = mc_need_dtype(node, 0, in[0], TYPES_WHOLE, err);
    return rc < 0 ? rc : mc_shape_same(node, in, out, err);
}

static int bitwise_not_forward(struct mc_step *step, struct mc_error *err)
{
    const struct mc_tensor *x = step->in[0];
    const uint8_t *const from = x->data;
    uint8_t *const to = step->out[0]->data;
    for (size_t i = 0; i < mc_tensor_bytes(x); i++) to[i] = (uint8_t)~from[i];
    return MC_OK;
}

/* --- Mod --- */

static int mod_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                     struct mc_error *err)
{
    return mc_broadcast_shape(node, in, out, TYPES_WHOLE | MC_TYPES_FLOAT, err);
}

/* The remainder has the divisor's sign, or with `fmod` the dividend's; by 0 it is 0. */
static uint64_t remainder_of(const struct mc_step *step, int64_t a, int64_t b)
{
    if (b == 0) return 0;
    if (!is_signed(step->out[0]->dtype)) return as_bits(a) % as_bits(b);
    if (b == -1) return 0; /* the one quotient that may not fit */
    const int64_t r = a % b;
    const bool floors = !mc_node_int(step->node, "fmod", 0);
    return as_bits(floors && r != 0 && (r < 0) != (b < 0) ? r + b : r);
}

static double real_remainder(double a, double b, bool floors)
{
    const double r = fmod(a, b);
    if (!floors || isnan(r)) return r;
    if (r == 0) return copysign(0, b);
    return (r < 0) != (b < 0) ? r + b : r;
}

static int mod_forward(struct mc_step *step, struct mc_error *err)
{
    struct mc_tensor *y = step->out[0];
    const bool floors = !mc_node_int(step->node, "fmod", 0);
    if (!mc_dtype_is_float(y->dtype)) return each_pair(step, remainder_of);
    struct mc_walk walk;
    mc_walk_start(&walk, &y->shape, 2, step->in);
    for (int64_t i = 0; i < mc_tensor_count(y); i++, mc_walk_next(&walk))
        mc_tensor_set_f64(y, i,
                          real_remainder(mc_tensor_get_f64(step->in[0], walk.offset[0]),
                                         mc_tensor_get_f64(step->in[1], walk.offset[1]), floors));
    return MC_OK;
}

/* --- BitCast --- */

static int bit_cast_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                          struct mc_error *err)
{
    const int64_t to = mc_node_int(node, "to", MC_UNDEFINED);
    int rc = mc_need_dtype(node, 0, in[0], mc_types_ordered, err);
    if (rc < 0) return rc;
    if (to <= MC_UNDEFINED || to >= MC_DTYPE_COUNT || to == MC_STRING ||
        mc_dtype_bits((enum mc_dtype)to) != mc_dtype_bits(in[0]->dtype))
        return mc_error_set(err, MC_ERR_INPUT, "attribute 'to': needs a type of %d bits, has %" PRId64,
                            mc_dtype_bits(in[0]->dtype), to);
    out[0] = (struct mc_fact){.dtype = (enum mc_dtype)to, .shape = in[0]->shape};
    return MC_OK;
}

static int bit_cast_forward(struct mc_step *step, struct mc_error *err)
{
    memcpy(step->out[0]->data, step->in[0]->data, mc_tensor_bytes(step->in[0]));
    return MC_OK;
}

#define BITS_OP(name, onnx_type, version, inputs, shape_rule, outline_rule, rule, half)                                \
    const struct mc_op mc_op_##name##_##version = {                                                                    \
        .domain = "",                                                                                                  \
        .type = onnx_type,                                                                                             \
        .since = version,                                                                                              \
        .min_inputs = inputs,                                                                                          \
        .max_inputs = inputs,                                                                                          \
        .n_outputs = 1,                                                                                                \
        .widens = half,                                                                                                \
        .shape = shape_rule,                                                                                           \
        .outline = outline_rule,                                                                                       \
        .forward = name##_forward,                                                                                     \
        .backward = NULL,                                                                                              \
        .no_backward = "bits and remainders have no derivative here",                                                  \
        .coupling = rule,                                                                                              \
        .cost = mc_cost_elementwise,                                                                                   \
    };

BITS_OP(bit_cast, "BitCast", 26, 1, bit_cast_shape, mc_outline_same, mc_coupling_first_input, false)
BITS_OP(bit_shift, "BitShift", 11, 2, shift_shape, mc_outline_broadcast, mc_coupling_elementwise, false)
BITS_OP(bitwise_and, "BitwiseAnd", 18, 2, whole_shape, mc_outline_broadcast, mc_coupling_elementwise, false)
BITS_OP(bitwise_not, "BitwiseNot", 18, 1, not_shape, mc_outline_same, mc_coupling_first_input, false)
BITS_OP(bitwise_or, "BitwiseOr", 18, 2, whole_shape, mc_outline_broadcast, mc_coupling_elementwise, false)
BITS_OP(bitwise_xor, "BitwiseXor", 18, 2, whole_shape, mc_outline_broadcast, mc_coupling_elementwise, false)
BITS_OP(mod, "Mod", 10, 2, mod_shape, mc_outline_broadcast, mc_coupling_elementwise, true)
