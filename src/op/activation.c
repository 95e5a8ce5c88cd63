/* activation.c - operators that map each element by itself: Relu, Sigmoid, Exp, Neg and their like.
 *
 * One line of the table at the end is one operator: its loop, what its gradient is told from, and its attributes. The
 * formulas stand with the loops (kernel/loops.h). Semantics: ONNX operators of these names; versions that differ only
 * in the types they list share a descriptor.
 *
 * Gradients at kinks are PyTorch's: Relu, Abs and HardSigmoid give 0, LeakyRelu and Elu the slope of the negative side.
 */
#include <math.h>

#include "base/error.h"
#include "op/byte_rules.h"
#include "op/elementwise.h"
#include "op/fused.h"
#include "op/outline.h"

/* Cost of an element in cheap ones: a polynomial with an exponential takes about eight. */
#define CHEAP 1
#define COSTLY 8

static void no_parameters(const struct mc_node *node, double p[2])
{
    p[0] = p[1] = 0;
}

static void leaky_relu_parameters(const struct mc_node *node, double p[2])
{
    p[0] = mc_node_float(node, "alpha", 0.01f);
    p[1] = 0;
}

static void elu_parameters(const struct mc_node *node, double p[2])
{
    p[0] = mc_node_float(node, "alpha", 1.0f);
    p[1] = 0;
}

static void hard_sigmoid_parameters(const struct mc_node *node, double p[2])
{
    p[0] = mc_node_float(node, "alpha", 0.2f);
    p[1] = mc_node_float(node, "beta", 0.5f);
}

static int float_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                       struct mc_error *err)
{
    const int rc = mc_need_dtype(node, 0, in[0], MC_TYPES_FLOAT, err);
    return rc < 0 ? rc : mc_shape_same(node, in, out, err);
}

static int signed_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                        struct mc_error *err)
{
    const int rc = mc_need_dtype(node, 0, in[0], MC_TYPES_ARITHMETIC, err);
    return rc < 0 ? rc : mc_shape_same(node, in, out, err);
}

static void selu_parameters(const struct mc_node *node, double p[2])
{
    p[0] = mc_node_float(node, "alpha", 1.67326319217681884765625f);
    p[1] = mc_node_float(node, "gamma", 1.05070102214813232421875f);
}

static void alpha_parameters(const struct mc_node *node, double p[2])
{
    p[0] = mc_node_float(node, "alpha", 1.0f);
    p[1] = 0;
}

static void shrink_parameters(const struct mc_node *node, double p[2])
{
    p[0] = mc_node_float(node, "lambd", 0.5f);
    p[1] = mc_node_float(node, "bias", 0.0f);
}

/* clang-format off */
/* One operator: its constant mc_op_<name>_<since>, ONNX type and version, loop, the side whose values its gradient reads,
 * its attributes, the types it takes, its cost, its link, its meaning. */
#define UNARY_OP(name, onnx_type, version, loop, side, attributes, types, work, to_link, meaning)                      \
    UNARY_OP_THAT_ENDS(name, onnx_type, version, loop, side, attributes, types, work, to_link, meaning, NULL)

/* With a merge rule. */
#define UNARY_OP_THAT_ENDS(name, onnx_type, version, loop, side, attributes, types, work, to_link, meaning, rule)      \
    static int name##_forward(struct mc_step *step, struct mc_error *err)                                              \
    {                                                                                                                  \
        double p[2];                                                                                                   \
        attributes##_parameters(step->node, p);                                                                        \
        return mc_unary_forward(step, MC_UNARY_##loop, p, work);                                                       \
    }                                                                                                                  \
    static int name##_backward(struct mc_step *step, struct mc_error *err)                                             \
    {                                                                                                                  \
        double p[2];                                                                                                   \
        attributes##_parameters(step->node, p);                                                                        \
        return mc_unary_backward(step, MC_UNARY_##loop, KEPT_##side(step), p, work);                                   \
    }                                                                                                                  \
    const struct mc_op mc_op_##name##_##version = {                                                                    \
        .domain = "",                                                                                                  \
        .type = onnx_type,                                                                                             \
        .since = version,                                                                                              \
        .min_inputs = 1,                                                                                               \
        .max_inputs = 1,                                                                                               \
        .n_outputs = 1,                                                                                                \
        .grad_inputs = 1,                                                                                              \
        .keep = MC_KEEP_##side,                                                                                        \
        .inplace = true,                                                                                               \
        .order = mc_order_elementwise,                                                                                 \
        .widens_integers = true,                                                                                       \
        .link = MC_LINK_##to_link,                                                                                     \
        .on_bytes = MC_UNARY_##loop == MC_UNARY_RELU ? mc_bytes_relu : mc_bytes_table,                                 \
        .means = MC_MEANS_##meaning,                                                                                   \
        .merge = rule,                                                                                                 \
        .widens = true,                                                                                                \
        .shape = types##_shape, .outline = mc_outline_same,                                                                                        \
        .forward = name##_forward,                                                                                     \
        .backward = name##_backward,                                                                                   \
        .coupling = mc_coupling_first_input,                                                                           \
        .cost = mc_cost_elementwise,                                                                                   \
    };

static bool merge_relu(const struct mc_node *last, struct mc_merge *merge)
{
    return mc_merge_bounded(last, merge, 0, INFINITY);
}

#define KEPT_IN(step) ((step)->in[0])
#define KEPT_OUT(step) ((step)->out[0])
#define KEPT_NONE(step) ((step)->grad_out[0])

/*       name          type           since loop        reads attributes    types   cost    link  meaning */
UNARY_OP(abs,          "Abs",         1,  ABS,          IN,   no,           signed, CHEAP,  NONE, OTHER)
UNARY_OP(acos,         "Acos",        7,  ACOS,         IN,   no,           float,  COSTLY, NONE, OTHER)
UNARY_OP(acosh,        "Acosh",       9,  ACOSH,        IN,   no,           float,  COSTLY, NONE, OTHER)
UNARY_OP(asin,         "Asin",        7,  ASIN,         IN,   no,           float,  COSTLY, NONE, OTHER)
UNARY_OP(asinh,        "Asinh",       9,  ASINH,        IN,   no,           float,  COSTLY, NONE, OTHER)
UNARY_OP(atan,         "Atan",        7,  ATAN,         IN,   no,           float,  COSTLY, NONE, OTHER)
UNARY_OP(atanh,        "Atanh",       9,  ATANH,        IN,   no,           float,  COSTLY, NONE, OTHER)
UNARY_OP(ceil,         "Ceil",        1,  CEIL,         IN,   no,           float,  CHEAP,  NONE, OTHER)
UNARY_OP(celu,         "Celu",        12, CELU,         IN,   alpha,        float,  COSTLY, NONE, OTHER)
UNARY_OP(cos,          "Cos",         7,  COS,          IN,   no,           float,  COSTLY, NONE, OTHER)
UNARY_OP(cosh,         "Cosh",        9,  COSH,         IN,   no,           float,  COSTLY, NONE, OTHER)
UNARY_OP(floor,        "Floor",       1,  FLOOR,        IN,   no,           float,  CHEAP,  NONE, OTHER)
UNARY_OP(mish,         "Mish",        18, MISH,         IN,   no,           float,  COSTLY, NONE, OTHER)
UNARY_OP(reciprocal,   "Reciprocal",  1,  RECIPROCAL,   IN,   no,           float,  CHEAP,  NONE, RECIPROCAL)
UNARY_OP(round,        "Round",       11, ROUND,        IN,   no,           float,  CHEAP,  NONE, OTHER)
UNARY_OP(selu,         "Selu",        1,  SELU,         IN,   selu,         float,  COSTLY, NONE, OTHER)
UNARY_OP(shrink,       "Shrink",      9,  SHRINK,       IN,   shrink,       float,  CHEAP,  NONE, OTHER)
UNARY_OP(sign,         "Sign",        9,  SIGN,         IN,   no,           signed, CHEAP,  NONE, OTHER)
UNARY_OP(sin,          "Sin",         7,  SIN,          IN,   no,           float,  COSTLY, NONE, OTHER)
UNARY_OP(sinh,         "Sinh",        9,  SINH,         IN,   no,           float,  COSTLY, NONE, OTHER)
UNARY_OP(softplus,     "Softplus",    1,  SOFTPLUS,     IN,   no,           float,  COSTLY, NONE, OTHER)
UNARY_OP(softsign,     "Softsign",    1,  SOFTSIGN,     IN,   no,           float,  CHEAP,  NONE, OTHER)
UNARY_OP(swish,        "Swish",       24, SWISH,        IN,   alpha,        float,  COSTLY, NONE, OTHER)
UNARY_OP(tan,          "Tan",         7,  TAN,          IN,   no,           float,  COSTLY, NONE, OTHER)
UNARY_OP(thresholded_relu, "ThresholdedRelu", 10, THRESHOLD, IN, alpha,     float,  CHEAP,  NONE, OTHER)
UNARY_OP(elu,          "Elu",         1,  ELU,          IN,   elu,          float,  COSTLY, NONE, OTHER)
UNARY_OP(erf,          "Erf",         9,  ERF,          IN,   no,           float,  COSTLY, NONE, ERF)
UNARY_OP(exp,          "Exp",         1,  EXP,          OUT,  no,           float,  COSTLY, NONE, OTHER)
UNARY_OP(hard_sigmoid, "HardSigmoid", 1,  HARD_SIGMOID, OUT,  hard_sigmoid, float,  CHEAP,  NONE, OTHER)
UNARY_OP(hard_swish,   "HardSwish",   14, HARD_SWISH,   IN,   no,           float,  CHEAP,  NONE, OTHER)
UNARY_OP(leaky_relu,   "LeakyRelu",   1,  LEAKY_RELU,   IN,   leaky_relu,   float,  CHEAP,  NONE, OTHER)
UNARY_OP(log,          "Log",         1,  LOG,          IN,   no,           float,  COSTLY, NONE, OTHER)
UNARY_OP(neg,          "Neg",         1,  NEG,          NONE, no,           signed, CHEAP,  NONE, OTHER)
UNARY_OP_THAT_ENDS(relu, "Relu",      1,  RELU,         OUT,  no,           float,  CHEAP,  NONE, OTHER, merge_relu)
UNARY_OP(sigmoid,      "Sigmoid",     1,  SIGMOID,      OUT,  no,           float,  COSTLY, LOGISTIC, OTHER)
UNARY_OP(sqrt,         "Sqrt",        1,  SQRT,         OUT,  no,           float,  CHEAP,  NONE, SQRT)
UNARY_OP(tanh,         "Tanh",        1,  TANH,         OUT,  no,           float,  COSTLY, NONE, OTHER)
/* clang-format on */

/* --- Gelu: the attribute chooses between two loops --- */

static int gelu_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                      struct mc_error *err)
{
    if (!mc_node_string_is(node, "approximate", "none", true) && !mc_node_string_is(node, "approximate", "tanh", false))
        return mc_error_set(err, MC_ERR_INPUT, "attribute 'approximate': needs \"none\" or \"tanh\"");
    return float_shape(node, in, out, err);
}

static enum mc_unary gelu_loop(const struct mc_node *node)
{
    return mc_node_string_is(node, "approximate", "tanh", false) ? MC_UNARY_GELU_TANH : MC_UNARY_GELU;
}

static int gelu_forward(struct mc_step *step, struct mc_error *err)
{
    return mc_unary_forward(step, gelu_loop(step->node), NULL, COSTLY);
}

static int gelu_backward(struct mc_step *step, struct mc_error *err)
{
    return mc_unary_backward(step, gelu_loop(step->node), step->in[0], NULL, 2 * COSTLY);
}

const struct mc_op mc_op_gelu_20 = {
    .domain = "",
    .type = "Gelu",
    .on_bytes = mc_bytes_table,
    .since = 20,
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .grad_inputs = 1,
    .keep = MC_KEEP_IN,
    .inplace = true,
    .order = mc_order_elementwise,
    .widens = true,
    .shape = gelu_shape,
    .outline = mc_outline_same,
    .forward = gelu_forward,
    .backward = gelu_backward,
    .coupling = mc_coupling_first_input,
    .cost = mc_cost_elementwise,
};
