/* arithmetic.c - Add, Sub, Mul, Div and PRelu: two operands that broadcast (ONNX opset 7 and later).
 *
 * float32 and float64; int32 and int64, which wrap, for the shape arithmetic that exporters write. The gradient of an
 * operand is summed over the axes along which it was broadcast.
 */
#include "base/error.h"
#include "op/byte_rules.h"
#include "op/elementwise.h"
#include "op/fused.h"
#include "op/outline.h"

static int arithmetic_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                            struct mc_error *err)
{
    return mc_broadcast_shape(node, in, out, MC_TYPES_ARITHMETIC, err);
}

/* Integers are divided toward 0, which is down where nothing is negative. */
static mc_symbol quotient(struct mc_symbols *s, mc_symbol a, mc_symbol b)
{
    return mc_symbol_at_least(s, a, 0) ? mc_symbol_divide(s, a, b) : MC_SYMBOL_UNKNOWN;
}

static void add_outline(struct mc_symbols *s, const struct mc_node *node, const struct mc_outline *const *in,
                        struct mc_outline *out)
{
    mc_outline_combine(s, in, out, mc_symbol_add);
}

static void sub_outline(struct mc_symbols *s, const struct mc_node *node, const struct mc_outline *const *in,
                        struct mc_outline *out)
{
    mc_outline_combine(s, in, out, mc_symbol_subtract);
}

static void mul_outline(struct mc_symbols *s, const struct mc_node *node, const struct mc_outline *const *in,
                        struct mc_outline *out)
{
    mc_outline_combine(s, in, out, mc_symbol_multiply);
}

static void div_outline(struct mc_symbols *s, const struct mc_node *node, const struct mc_outline *const *in,
                        struct mc_outline *out)
{
    mc_outline_combine(s, in, out, quotient);
}

/* Of Add and Sub: a constant operand is an addend along every axis that it is not spread along. */
static int shift_coupling(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err)
{
    int rc = mc_coupling_elementwise(c, node, err);
    for (int i = 0; i < node->n_inputs && rc == 0; i++) {
        const struct mc_fact *fact = mc_coupling_fact(c, node->inputs[i]);
        if (!fact || !fact->constant) continue;
        for (int axis = 0; axis < fact->shape.rank && rc == 0; axis++)
            if (fact->shape.dim[axis] > 1) rc = mc_couple_role(c, node->inputs[i], axis, MC_ROLE_SHIFT, err);
    }
    return rc;
}

/* --- Add --- */

static int add_forward(struct mc_step *step, struct mc_error *err)
{
    return mc_binary_forward(step, MC_BINARY_ADD, 1);
}

static int add_backward(struct mc_step *step, struct mc_error *err)
{
    return mc_binary_backward(step, MC_TERM_G, MC_TERM_G);
}

const struct mc_op mc_op_add_7 = {
    .domain = "",
    .type = "Add",
    .since = 7,
    .means = MC_MEANS_ADD,
    .on_bytes = mc_bytes_add,
    .min_inputs = 2,
    .max_inputs = 2,
    .n_outputs = 1,
    .grad_inputs = 3,
    .keep = MC_KEEP_NONE,
    .inplace = true,
    .order = mc_order_broadcast,
    .widens = true,
    .widens_integers = true,
    .shape = arithmetic_shape,
    .outline = add_outline,
    .forward = add_forward,
    .backward = add_backward,
    .coupling = shift_coupling,
    .merge = mc_merge_sum,
    .cost = mc_cost_elementwise,
};

/* --- Sub --- */

static int sub_forward(struct mc_step *step, struct mc_error *err)
{
    return mc_binary_forward(step, MC_BINARY_SUB, 1);
}

static int sub_backward(struct mc_step *step, struct mc_error *err)
{
    return mc_binary_backward(step, MC_TERM_G, MC_TERM_NEGATE);
}

const struct mc_op mc_op_sub_7 = {
    .domain = "",
    .type = "Sub",
    .since = 7,
    .means = MC_MEANS_SUB,
    .on_bytes = mc_bytes_table,
    .min_inputs = 2,
    .max_inputs = 2,
    .n_outputs = 1,
    .grad_inputs = 3,
    .keep = MC_KEEP_NONE,
    .inplace = true,
    .order = mc_order_broadcast,
    .widens = true,
    .widens_integers = true,
    .shape = arithmetic_shape,
    .outline = sub_outline,
    .forward = sub_forward,
    .backward = sub_backward,
    .coupling = shift_coupling,
    .cost = mc_cost_elementwise,
};

/* --- Mul --- */

static int mul_forward(struct mc_step *step, struct mc_error *err)
{
    return mc_binary_forward(step, MC_BINARY_MUL, 1);
}

static int mul_backward(struct mc_step *step, struct mc_error *err)
{
    return mc_binary_backward(step, MC_TERM_MUL_A, MC_TERM_MUL_B);
}

const struct mc_op mc_op_mul_7 = {
    .domain = "",
    .type = "Mul",
    .since = 7,
    .means = MC_MEANS_MUL,
    .on_bytes = mc_bytes_mul,
    .min_inputs = 2,
    .max_inputs = 2,
    .n_outputs = 1,
    .grad_inputs = 3,
    .keep = MC_KEEP_IN,
    .inplace = true,
    .order = mc_order_broadcast,
    .widens = true,
    .widens_integers = true,
    .shape = arithmetic_shape,
    .outline = mul_outline,
    .forward = mul_forward,
    .backward = mul_backward,
    .merge = mc_merge_product,
    .coupling = mc_coupling_elementwise, /* no role: see MC_ROLE_SCALE */
    .cost = mc_cost_elementwise,
};

/* --- Div --- */

/* Floats divide by zero as IEEE 754 says. Of integers the standard says nothing, and a processor would raise a signal:
 * they give 0, as in ONNX's reference and as with Mod, so that positions which a model masks away do no harm. */
static int div_forward(struct mc_step *step, struct mc_error *err)
{
    return mc_binary_forward(step, MC_BINARY_DIV, 2);
}

static int div_backward(struct mc_step *step, struct mc_error *err)
{
    return mc_binary_backward(step, MC_TERM_DIV_A, MC_TERM_DIV_B);
}

const struct mc_op mc_op_div_7 = {
    .domain = "",
    .type = "Div",
    .since = 7,
    .means = MC_MEANS_DIV,
    .on_bytes = mc_bytes_table,
    .min_inputs = 2,
    .max_inputs = 2,
    .n_outputs = 1,
    .grad_inputs = 3,
    .keep = MC_KEEP_IN,
    .inplace = true,
    .order = mc_order_broadcast,
    .widens = true,
    .widens_integers = true,
    .shape = arithmetic_shape,
    .outline = div_outline,
    .forward = div_forward,
    .backward = div_backward,
    .coupling = mc_coupling_elementwise, /* no role: see MC_ROLE_SCALE */
    .cost = mc_cost_elementwise,
};

/* --- PRelu: x < 0 ? slope x : x, the slope broadcasting to x and not the other way round --- */

static int prelu_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                       struct mc_error *err)
{
    const int rc = mc_broadcast_shape(node, in, out, MC_TYPES_FLOAT, err);
    if (rc < 0 || mc_shape_equal(&out[0].shape, &in[0]->shape)) return rc;
    char x[128], slope[128];
    return mc_error_set(err, MC_ERR_INPUT, "slope: needs a shape that broadcasts to %s, has %s",
                        mc_shape_text(&in[0]->shape, x, sizeof(x)), mc_shape_text(&in[1]->shape, slope, sizeof(slope)));
}

static int prelu_forward(struct mc_step *step, struct mc_error *err)
{
    return mc_binary_forward(step, MC_BINARY_PRELU, 1);
}

static int prelu_backward(struct mc_step *step, struct mc_error *err)
{
    return mc_binary_backward(step, MC_TERM_PRELU_A, MC_TERM_PRELU_B);
}

const struct mc_op mc_op_prelu_7 = {
    .domain = "",
    .type = "PRelu",
    .since = 7,
    .min_inputs = 2,
    .max_inputs = 2,
    .n_outputs = 1,
    .grad_inputs = 3,
    .keep = MC_KEEP_IN,
    .inplace = true,
    .order = mc_order_broadcast,
    .widens = true,
    .widens_integers = true,
    .shape = prelu_shape,
    .outline = mc_outline_same,
    .forward = prelu_forward,
    .backward = prelu_backward,
    .coupling = mc_coupling_elementwise, /* no role: see MC_ROLE_SCALE */
    .cost = mc_cost_elementwise,
};
