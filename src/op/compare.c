/* compare.c - Equal, Less, Greater and their like, And, Or, Xor, Not: tensors of truth values; operands broadcast. */
#include <string.h>

#include "base/error.h"
#include "op/move.h"
#include "op/outline.h"

/* How two elements stand to each other, one bit each; none if one is not a number. */
enum { BELOW = 1, SAME = 2, ABOVE = 4 };

/* Of n pairs, i * a_step and i * b_step elements on: true where they stand to each other in one of the ways of `mask`.
 */
typedef void order_fn(int64_t n, const void *a, int64_t a_step, const void *b, int64_t b_step, int mask,
                      unsigned char *y);

#define WAYS(x, y) (((x) < (y)) * BELOW | ((x) == (y)) * SAME | ((x) > (y)) * ABOVE)

#define ORDER(name, type, number)                                                                                      \
    static void order_##name(int64_t n, const void *a, int64_t a_step, const void *b, int64_t b_step, int mask,        \
                             unsigned char *y)                                                                         \
    {                                                                                                                  \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            const type p = ((const type *)a)[i * a_step], q = ((const type *)b)[i * b_step];                           \
            y[i] = (WAYS(number(p), number(q)) & mask) != 0;                                                           \
        }                                                                                                              \
    }

ORDER(float, float, )
ORDER(double, double, )
ORDER(half, uint16_t, mc_half_to_float)
ORDER(bfloat16, uint16_t, mc_bfloat16_to_float)
ORDER(int8, int8_t, )
ORDER(int16, int16_t, )
ORDER(int32, int32_t, )
ORDER(int64, int64_t, )
ORDER(uint8, uint8_t, )
ORDER(uint16, uint16_t, )
ORDER(uint32, uint32_t, )
ORDER(uint64, uint64_t, )
ORDER(bool, unsigned char, !!)

/* Texts are the same or not; the standard orders none. */
static void order_text(int64_t n, const void *a, int64_t a_step, const void *b, int64_t b_step, int mask,
                       unsigned char *y)
{
    for (int64_t i = 0; i < n; i++) {
        const struct mc_text *p = (const struct mc_text *)a + i * a_step, *q = (const struct mc_text *)b + i * b_step;
        const bool same = p->length == q->length && (p->length == 0 || memcmp(p->bytes, q->bytes, p->length) == 0);
        y[i] = same && (mask & SAME);
    }
}

static order_fn *const orders[MC_DTYPE_COUNT] = {
    [MC_FLOAT] = order_float, [MC_DOUBLE] = order_double, [MC_FLOAT16] = order_half,  [MC_BFLOAT16] = order_bfloat16,
    [MC_INT8] = order_int8,   [MC_INT16] = order_int16,   [MC_INT32] = order_int32,   [MC_INT64] = order_int64,
    [MC_UINT8] = order_uint8, [MC_UINT16] = order_uint16, [MC_UINT32] = order_uint32, [MC_UINT64] = order_uint64,
    [MC_BOOL] = order_bool,   [MC_STRING] = order_text,
};

static int compare_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                         struct mc_error *err)
{
    char a[96], b[96];
    uint64_t ordered = 0;
    for (int t = 0; t < MC_DTYPE_COUNT; t++)
        if (orders[t] && (t != MC_STRING || node->op->type[0] == 'E')) ordered |= MC_TYPE_BIT(t);
    int rc = mc_need_dtype(node, 0, in[0], ordered, err);
    if (rc < 0) return rc;
    if ((rc = mc_need_dtype(node, 1, in[1], MC_TYPE_BIT(in[0]->dtype), err)) < 0) return rc;
    *out = (struct mc_fact){.dtype = MC_BOOL};
    if (!mc_shape_broadcast(&in[0]->shape, &in[1]->shape, &out->shape))
        return mc_error_set(err, MC_ERR_INPUT, "shapes %s and %s do not broadcast",
                            mc_shape_text(&in[0]->shape, a, sizeof a), mc_shape_text(&in[1]->shape, b, sizeof b));
    return 0;
}

static int logic_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                       struct mc_error *err)
{
    const int rc = mc_need_dtype(node, 0, in[0], MC_TYPE_BIT(MC_BOOL), err);
    return rc < 0 ? rc : compare_shape(node, in, out, err);
}

/* For truth values, Same is "neither or both". */
static int compare(struct mc_step *step, int mask)
{
    const struct mc_tensor *const a = step->in[0], *const b = step->in[1];
    const size_t size = a->dtype == MC_STRING ? sizeof(struct mc_text) : mc_element_size(a->dtype);
    unsigned char *out = step->out[0]->data;
    const int64_t n = mc_tensor_count(step->out[0]);
    struct mc_walk walk;
    mc_walk_start(&walk, &step->out[0]->shape, 2, step->in);
    const int64_t run = mc_walk_in_runs(&walk);
    for (int64_t i = 0; i < n; i += run, out += run, mc_walk_next_run(&walk))
        orders[a->dtype](run, (const char *)a->data + (size_t)walk.offset[0] * size, mc_walk_step(&walk, 0),
                         (const char *)b->data + (size_t)walk.offset[1] * size, mc_walk_step(&walk, 1), mask, out);
    return 0;
}

/* Bit 2*a + b of `table` is the truth of (a, b). */
static int combine(struct mc_step *step, unsigned table)
{
    const int64_t n = mc_tensor_count(step->out[0]);
    unsigned char *out = step->out[0]->data;
    struct mc_walk walk;
    mc_walk_start(&walk, &step->out[0]->shape, 2, step->in);
    const int64_t run = mc_walk_in_runs(&walk), a_step = mc_walk_step(&walk, 0), b_step = mc_walk_step(&walk, 1);
    for (int64_t i = 0; i < n; i += run, out += run, mc_walk_next_run(&walk)) {
        const unsigned char *const a = (const unsigned char *)step->in[0]->data + walk.offset[0];
        const unsigned char *const b = (const unsigned char *)step->in[1]->data + walk.offset[1];
        for (int64_t k = 0; k < run; k++) out[k] = table >> (2 * !!a[k * a_step] + !!b[k * b_step]) & 1;
    }
    return 0;
}

static int not_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                     struct mc_error *err)
{
    const int rc = mc_need_dtype(node, 0, in[0], MC_TYPE_BIT(MC_BOOL), err);
    return rc < 0 ? rc : mc_shape_same(node, in, out, err);
}

static int not_forward(struct mc_step *step, struct mc_error *err)
{
    (void)err;
    const unsigned char *const x = step->in[0]->data;
    unsigned char *const y = step->out[0]->data;
    const int64_t n = mc_tensor_count(step->out[0]);
    for (int64_t i = 0; i < n; i++) y[i] = !x[i];
    return 0;
}

/* Whether two are equal, if that is certain. */
static mc_symbol equality(struct mc_symbols *s, mc_symbol a, mc_symbol b)
{
    if (a == MC_SYMBOL_UNKNOWN || b == MC_SYMBOL_UNKNOWN) return MC_SYMBOL_UNKNOWN;
    if (a == b) return mc_symbol_number(s, 1);
    const bool differ =
        mc_symbol_at_least(s, mc_symbol_subtract(s, a, b), 1) || mc_symbol_at_least(s, mc_symbol_subtract(s, b, a), 1);
    return differ ? mc_symbol_number(s, 0) : MC_SYMBOL_UNKNOWN;
}

static void equal_outline(struct mc_symbols *s, const struct mc_node *node, const struct mc_outline *const *in,
                          struct mc_outline *out)
{
    mc_outline_combine(s, in, out, equality);
}

/* clang-format off */
#define TRUTH_OP(name, onnx_type, version, n_in, shape_rule, outline_rule, forward_rule, coupling_rule)                              \
    const struct mc_op mc_op_##name##_##version = {                                                                    \
        .domain = "",                                                                                                  \
        .type = onnx_type,                                                                                             \
        .since = version,                                                                                              \
        .min_inputs = n_in,                                                                                            \
        .max_inputs = n_in,                                                                                            \
        .n_outputs = 1,                                                                                                \
        .keep = MC_KEEP_NONE,                                                                                          \
        .widens = true, \
        .shape = shape_rule,                                                                                           \
        .outline = outline_rule,                                                                                             \
        .forward = forward_rule,                                                                                       \
        .backward = NULL,                                                                                              \
        .no_backward = "truth values have no derivative",                                                              \
        .coupling = coupling_rule,                                                                                     \
        .resize = NULL,                                                                                                \
        .cost = mc_cost_elementwise,                                                                                   \
    };

#define COMPARE_OP(name, onnx_type, version, outline_rule, mask)                                                                   \
    static int name##_forward(struct mc_step *step, struct mc_error *err)                                              \
    {                                                                                                                  \
        (void)err;                                                                                                     \
        return compare(step, mask);                                                                                    \
    }                                                                                                                  \
    TRUTH_OP(name, onnx_type, version, 2, compare_shape, outline_rule, name##_forward, mc_coupling_elementwise)

#define LOGIC_OP(name, onnx_type, table)                                                                               \
    static int name##_forward(struct mc_step *step, struct mc_error *err)                                              \
    {                                                                                                                  \
        (void)err;                                                                                                     \
        return combine(step, table);                                                                                   \
    }                                                                                                                  \
    TRUTH_OP(name, onnx_type, 7, 2, logic_shape, mc_outline_broadcast, name##_forward, mc_coupling_elementwise)

/* Before version 7 the operands did not broadcast as Numpy has it. */
COMPARE_OP(equal, "Equal", 7, equal_outline, SAME)
COMPARE_OP(less, "Less", 7, mc_outline_broadcast, BELOW)
COMPARE_OP(greater, "Greater", 7, mc_outline_broadcast, ABOVE)
COMPARE_OP(less_or_equal, "LessOrEqual", 12, mc_outline_broadcast, BELOW | SAME)
COMPARE_OP(greater_or_equal, "GreaterOrEqual", 12, mc_outline_broadcast, ABOVE | SAME)
LOGIC_OP(and, "And", 0x8)
LOGIC_OP(or, "Or", 0xe)
LOGIC_OP(xor, "Xor", 0x6)
TRUTH_OP(not, "Not", 1, 1, not_shape, mc_outline_same, not_forward, mc_coupling_first_input)
/* clang-format on */
