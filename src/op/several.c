/* several.c - Sum and Mean of any number of inputs that broadcast (before opset 8 they had one shape); SwiGLU (28);
 * IsNaN (9), IsInf (10).
 */
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "kernel/broadcast.h"
#include "op/elementwise.h"
#include "op/move.h"
#include "op/outline.h"

/* --- Sum, Mean --- */

static int several_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                         struct mc_error *err)
{
    return mc_broadcast_shape(node, in, out, MC_TYPES_FLOAT, err);
}

static void add(struct mc_step *step, const struct mc_tensor *a, const struct mc_tensor *b)
{
    struct mc_tensor *y = step->out[0];
    const enum mc_loop_type type = mc_loop_type(y->dtype);
    struct mc_nest nest;
    mc_nest_init(&nest, &y->shape, &a->shape, &b->shape);
    mc_broadcast(&nest, mc_step_loops(step)->binary[type][MC_BINARY_ADD], type, a->data, b->data, y->data, 1);
}

/* The first two at once where that covers the output; else zeros and then each. */
static int sum_forward(struct mc_step *step, struct mc_error *err)
{
    struct mc_tensor *y = step->out[0];
    struct mc_shape both;
    if (mc_tensor_count(y) == 0) return MC_OK;
    int next = 0;
    if (step->n_in > 1 && mc_shape_broadcast(&step->in[0]->shape, &step->in[1]->shape, &both) &&
        mc_shape_equal(&both, &y->shape)) {
        add(step, step->in[0], step->in[1]);
        next = 2;
    } else {
        mc_zero(y);
    }
    for (; next < step->n_in; next++) add(step, y, step->in[next]);
    return MC_OK;
}

static int mean_forward(struct mc_step *step, struct mc_error *err)
{
    struct mc_tensor *y = step->out[0];
    const enum mc_loop_type type = mc_loop_type(y->dtype);
    const float n_f32 = (float)step->n_in;
    const double n_f64 = step->n_in;
    const struct mc_shape one = {.rank = 0};
    struct mc_nest nest;
    const int rc = sum_forward(step, err);
    if (rc < 0 || mc_tensor_count(y) == 0) return rc;
    mc_nest_init(&nest, &y->shape, &y->shape, &one);
    mc_broadcast(&nest, mc_step_loops(step)->binary[type][MC_BINARY_DIV], type, y->data,
                 type == MC_LOOP_F32 ? (const void *)&n_f32 : &n_f64, y->data, 1);
    return MC_OK;
}

/* Each input's share of the gradient, summed over what it was spread along. */
static void spread_back(struct mc_step *step, double factor)
{
    const struct mc_tensor *g = step->grad_out[0];
    for (int i = 0; i < step->n_in; i++) {
        struct mc_nest nest;
        if (!step->grad_in[i]) continue;
        mc_nest_init(&nest, &g->shape, &step->in[i]->shape, &g->shape);
        mc_broadcast_sum(&nest, MC_NEST_A, mc_step_loops(step), mc_loop_type(g->dtype), NULL, NULL, NULL, g->data,
                         factor, step->grad_in[i]->data);
    }
}

static int sum_backward(struct mc_step *step, struct mc_error *err)
{
    spread_back(step, 1);
    return MC_OK;
}

static int mean_backward(struct mc_step *step, struct mc_error *err)
{
    spread_back(step, 1.0 / step->n_in);
    return MC_OK;
}

#define SEVERAL_OP(name, onnx_type)                                                                                    \
    const struct mc_op mc_op_##name##_1 = {                                                                            \
        .domain = "",                                                                                                  \
        .type = onnx_type,                                                                                             \
        .since = 1,                                                                                                    \
        .min_inputs = 1,                                                                                               \
        .max_inputs = -1,                                                                                              \
        .n_outputs = 1,                                                                                                \
        .grad_inputs = UINT32_MAX,                                                                                     \
        .keep = MC_KEEP_NONE,                                                                                          \
        .order = mc_order_elementwise,                                                                                 \
        .widens = true,                                                                                                \
        .shape = several_shape,                                                                                        \
        .outline = mc_outline_broadcast,                                                                               \
        .forward = name##_forward,                                                                                     \
        .backward = name##_backward,                                                                                   \
        .coupling = mc_coupling_elementwise,                                                                           \
        .cost = mc_cost_elementwise,                                                                                   \
    };

SEVERAL_OP(mean, "Mean")
SEVERAL_OP(sum, "Sum")

/* --- SwiGLU: a / (1 + e^(-alpha a)) * b --- */

static int swiglu_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                        struct mc_error *err)
{
    const int rc = mc_broadcast_shape(node, in, out, MC_TYPES_FLOAT, err);
    if (rc < 0 || mc_shape_equal(&in[0]->shape, &in[1]->shape)) return rc;
    return mc_error_set(err, MC_ERR_INPUT, "input 1 '%s': needs the shape of input 0", node->inputs[1]->name);
}

static void multiply(struct mc_step *step, const struct mc_tensor *a, const struct mc_tensor *b, struct mc_tensor *y)
{
    const enum mc_loop_type type = mc_loop_type(y->dtype);
    struct mc_nest nest;
    mc_nest_init(&nest, &y->shape, &y->shape, &y->shape);
    mc_broadcast(&nest, mc_step_loops(step)->binary[type][MC_BINARY_MUL], type, a->data, b->data, y->data, 1);
}

static int swiglu_forward(struct mc_step *step, struct mc_error *err)
{
    const double p[2] = {(double)mc_node_float(step->node, "alpha", 1.0f), 0};
    const int rc = mc_unary_forward(step, MC_UNARY_SWISH, p, 8);
    multiply(step, step->out[0], step->in[1], step->out[0]);
    return rc;
}

static int swiglu_backward(struct mc_step *step, struct mc_error *err)
{
    const double p[2] = {(double)mc_node_float(step->node, "alpha", 1.0f), 0};
    const struct mc_tensor *a = step->in[0], *dy = step->grad_out[0];
    const enum mc_loop_type type = mc_loop_type(a->dtype);
    const struct mc_loops *loops = mc_step_loops(step);
    const int64_t n = mc_tensor_count(a);
    struct mc_tensor *da = step->grad_in[0], *db = step->grad_in[1];
    if (da) {
        multiply(step, dy, step->in[1], da);
        loops->unary_grad[type][MC_UNARY_SWISH](n, a->data, da->data, da->data, p);
    }
    if (db) {
        loops->unary[type][MC_UNARY_SWISH](n, a->data, db->data, p);
        multiply(step, dy, db, db);
    }
    return MC_OK;
}

const struct mc_op mc_op_swiglu_28 = {
    .domain = "",
    .type = "SwiGLU",
    .since = 28,
    .min_inputs = 2,
    .max_inputs = 2,
    .n_outputs = 1,
    .widens = true,
    .grad_inputs = 3,
    .keep = MC_KEEP_IN,
    .shape = swiglu_shape,
    .forward = swiglu_forward,
    .backward = swiglu_backward,
    .coupling = mc_coupling_elementwise,
    .cost = mc_cost_elementwise,
};

/* --- IsNaN, IsInf --- */

static int is_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                    struct mc_error *err)
{
    const uint64_t float8 = MC_TYPE_BIT(MC_FLOAT8E4M3FN) | MC_TYPE_BIT(MC_FLOAT8E4M3FNUZ) | MC_TYPE_BIT(MC_FLOAT8E5M2) |
                            MC_TYPE_BIT(MC_FLOAT8E5M2FNUZ);
    const int rc = mc_need_dtype(node, 0, in[0], MC_TYPES_FLOAT | float8, err);
    if (rc == MC_OK) out[0] = (struct mc_fact){.dtype = MC_BOOL, .shape = in[0]->shape};
    return rc;
}

static int is_nan_forward(struct mc_step *step, struct mc_error *err)
{
    bool *const y = step->out[0]->data;
    for (int64_t i = 0; i < mc_tensor_count(step->in[0]); i++) y[i] = isnan(mc_tensor_get_f64(step->in[0], i));
    return MC_OK;
}

static int is_inf_forward(struct mc_step *step, struct mc_error *err)
{
    const bool negative = mc_node_int(step->node, "detect_negative", 1) != 0;
    const bool positive = mc_node_int(step->node, "detect_positive", 1) != 0;
    bool *const y = step->out[0]->data;
    for (int64_t i = 0; i < mc_tensor_count(step->in[0]); i++) {
        const double v = mc_tensor_get_f64(step->in[0], i);
        y[i] = isinf(v) && (v > 0 ? positive : negative);
    }
    return MC_OK;
}

#define IS_OP(name, onnx_type, version, meaning)                                                                       \
    const struct mc_op mc_op_##name##_##version = {                                                                    \
        .domain = "",                                                                                                  \
        .type = onnx_type,                                                                                             \
        .since = version,                                                                                              \
        .means = MC_MEANS_##meaning,                                                                                   \
        .min_inputs = 1,                                                                                               \
        .max_inputs = 1,                                                                                               \
        .n_outputs = 1,                                                                                                \
        .widens = true,                                                                                                \
        .shape = is_shape,                                                                                             \
        .outline = mc_outline_same,                                                                                    \
        .forward = name##_forward,                                                                                     \
        .backward = NULL,                                                                                              \
        .no_backward = "truth values have no derivative",                                                              \
        .coupling = mc_coupling_first_input,                                                                           \
        .cost = mc_cost_elementwise,                                                                                   \
    };

IS_OP(is_inf, "IsInf", 10, OTHER)
IS_OP(is_nan, "IsNaN", 9, IS_NAN)
