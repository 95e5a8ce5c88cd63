/* pow.c - Pow: base and exponent broadcast and may differ in type (ONNX opset 7, 12 and later).
 *
 * The result has the base's type; an exponent of another type is converted to that first, unless it has a fraction that
 * an integer base would lose: those powers are taken in float64 and cut off. A constant exponent of 2 or
 * 3, which is how exporters write squares and cubes, is multiplied out.
 */
#include <math.h>

#include "base/error.h"
#include "kernel/broadcast.h"
#include "kernel/parallel.h"
#include "op/byte_rules.h"
#include "op/elementwise.h"
#include "op/move.h"
#include "op/outline.h"

/* libm's pow, in elements of the cheapest loops. */
#define POW_WORK 32

static int pow_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                     struct mc_error *err)
{
    int rc = mc_need_dtype(node, 0, in[0], MC_TYPES_ARITHMETIC, err);
    if (rc == 0) rc = mc_need_dtype(node, 1, in[1], MC_TYPES_ARITHMETIC, err);
    if (rc < 0) return rc;
    /* from here on the exponent counts as one of the base's type */
    struct mc_fact exponent = *in[1];
    exponent.dtype = in[0]->dtype;
    const struct mc_fact *const alike[2] = {in[0], &exponent};
    return mc_broadcast_shape(node, alike, out, MC_TYPES_ARITHMETIC, err);
}

/* *f is the loop that multiplies out what the exponent now holds; false if there is none. */
static bool is_multiplied_out(const struct mc_step *step, enum mc_unary *f)
{
    const struct mc_tensor *a = step->in[0], *b = step->in[1];
    if (!mc_dtype_is_float(a->dtype) || mc_tensor_count(b) != 1 || b->shape.rank > a->shape.rank) return false;
    const double exponent = mc_tensor_get_f64(b, 0);
    *f = exponent == 2 ? MC_UNARY_SQUARE : MC_UNARY_CUBE;
    return exponent == 2 || exponent == 3;
}

static int pow_prepare(struct mc_step *step, struct mc_error *err)
{
    if (step->in[1]->dtype != step->in[0]->dtype)
        step->workspace_bytes = (size_t)mc_tensor_count(step->in[1]) * (size_t)mc_dtype_bits(step->in[0]->dtype) / 8;
    return MC_OK;
}

/* The exponent in the base's type: itself, or converted into the workspace. */
static int exponent_as_base(struct mc_step *step, struct mc_tensor *exponent, struct mc_error *err)
{
    *exponent = *step->in[1];
    if (exponent->dtype == step->in[0]->dtype) return MC_OK;
    exponent->dtype = step->in[0]->dtype;
    exponent->data = step->workspace;
    return mc_tensor_convert(exponent, step->in[1], err);
}

/* Integers to powers that are none. */
static int cut_off_powers(struct mc_step *step)
{
    struct mc_walk walk;
    mc_walk_start(&walk, &step->out[0]->shape, 2, step->in);
    for (int64_t i = 0; i < mc_tensor_count(step->out[0]); i++, mc_walk_next(&walk))
        mc_tensor_set_f64(
            step->out[0], i,
            trunc(pow(mc_tensor_get_f64(step->in[0], walk.offset[0]), mc_tensor_get_f64(step->in[1], walk.offset[1]))));
    return MC_OK;
}

static int pow_forward(struct mc_step *step, struct mc_error *err)
{
    enum mc_unary product;
    if (is_multiplied_out(step, &product)) return mc_unary_forward(step, product, NULL, 1);
    const struct mc_tensor *a = step->in[0];
    const enum mc_loop_type type = mc_loop_type(a->dtype);
    struct mc_tensor b;
    struct mc_nest nest;
    if (!mc_dtype_is_float(a->dtype) && mc_dtype_is_float(step->in[1]->dtype)) return cut_off_powers(step);
    const int rc = exponent_as_base(step, &b, err);
    if (rc < 0) return rc;
    mc_nest_init(&nest, &step->out[0]->shape, &a->shape, &b.shape);
    mc_broadcast(&nest, mc_step_loops(step)->binary[type][MC_BINARY_POW], type, a->data, b.data, step->out[0]->data,
                 POW_WORK);
    return MC_OK;
}

/* d/da = b a^(b-1), 0 where b = 0; d/db = a^b ln a, 0 where a = 0 and b >= 0 (as PyTorch has them). */
static int pow_backward(struct mc_step *step, struct mc_error *err)
{
    enum mc_unary product;
    if (is_multiplied_out(step, &product) && !step->grad_in[1])
        return mc_unary_backward(step, product, step->in[0], NULL, 1);
    const struct mc_tensor *a = step->in[0], *g = step->grad_out[0];
    const struct mc_loops *loops = mc_step_loops(step);
    const enum mc_loop_type type = mc_loop_type(a->dtype);
    struct mc_tensor b;
    struct mc_nest nest;
    const int rc = exponent_as_base(step, &b, err);
    if (rc < 0) return rc;
    mc_nest_init(&nest, &g->shape, &a->shape, &b.shape);
    for (int side = 0; side < 2; side++)
        if (step->grad_in[side])
            mc_broadcast_sum(&nest, side, loops, type, loops->term[type][MC_TERM_POW_A + side], a->data, b.data,
                             g->data, 1, step->grad_in[side]->data);
    return MC_OK;
}

const struct mc_op mc_op_pow_7 = {
    .domain = "",
    .type = "Pow",
    .since = 7,
    .means = MC_MEANS_POW,
    .on_bytes = mc_bytes_table,
    .min_inputs = 2,
    .max_inputs = 2,
    .n_outputs = 1,
    .grad_inputs = 3,
    .keep = MC_KEEP_IN,
    .inplace = true,
    .order = mc_order_elementwise,
    .widens = true,
    .widens_integers = true,
    .shape = pow_shape,
    .outline = mc_outline_broadcast,
    .prepare = pow_prepare,
    .forward = pow_forward,
    .backward = pow_backward,
    .coupling = mc_coupling_elementwise, /* a power is neither a scale nor a shift */
    .cost = mc_cost_elementwise,
};
