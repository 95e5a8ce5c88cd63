/* fused.c - what nodes make together: SiLU and GELU, as exporters write them where the opset has none; convolutions
 * with a residual addition and an activation. See mc_op.merge. */
#include "op/fused.h"
#include "op/outline.h"

#include <limits.h>
#include <math.h>

#include "op/elementwise.h"
#include "op/merge_rule.h"

enum { COSTLY = 8 }; /* as in activation.c: of an exponential, per element */

static bool is_number(const struct mc_merge *m, const struct mc_value *v, double number)
{
    const struct mc_tensor *t = mc_merge_number(m, v);
    return t && t->shape.rank <= 1 && fabs(mc_tensor_get_f64(t, 0) - number) <= 1e-6 * fabs(number);
}

/* What `node` multiplies, adds or divides by `number`; NULL if it does not. */
static const struct mc_value *beside(const struct mc_merge *m, const struct mc_node *node, double number)
{
    if (is_number(m, node->inputs[1], number)) return node->inputs[0];
    return node->op->means != MC_MEANS_DIV && is_number(m, node->inputs[0], number) ? node->inputs[1] : NULL;
}

/* x of erf(x / sqrt(2)) + 1. */
static const struct mc_value *match_distribution(struct mc_merge *m, const struct mc_value *v)
{
    const struct mc_node *add = mc_merge_maker(v, MC_MEANS_ADD);
    const struct mc_node *erf = add ? mc_merge_maker(beside(m, add, 1), MC_MEANS_ERF) : NULL;
    if (!erf) return NULL;
    const struct mc_node *div = mc_merge_maker(erf->inputs[0], MC_MEANS_DIV),
                         *mul = mc_merge_maker(erf->inputs[0], MC_MEANS_MUL);
    const struct mc_value *x = div ? beside(m, div, sqrt(2)) : mul ? beside(m, mul, sqrt(0.5)) : NULL;
    if (!x) return NULL;
    mc_merge_take(m, add);
    mc_merge_take(m, erf);
    mc_merge_take(m, div ? div : mul);
    return x;
}

/* x, 1/2 and 1 + erf(x / sqrt(2)) in some order, which `last` and a factor of it multiply. */
static bool match_gelu(struct mc_merge *m, const struct mc_node *last, int side)
{
    const struct mc_node *inner = mc_merge_maker(last->inputs[side], MC_MEANS_MUL);
    if (!inner) return false;
    const struct mc_value *factors[] = {inner->inputs[0], inner->inputs[1], last->inputs[1 - side]};
    for (int half = 0; half < 3; half++) {
        if (!is_number(m, factors[half], 0.5)) continue;
        for (int k = 1; k < 3; k++) {
            const struct mc_value *x = factors[(half + k) % 3], *other = factors[(half + 3 - k) % 3];
            m->n_inner = 0;
            mc_merge_take(m, inner);
            if (match_distribution(m, other) != x) continue;
            m->n_inputs = 1;
            m->inputs[0] = x;
            m->op = &mc_op_fused_gelu;
            m->opset = 20;
            return true;
        }
    }
    return false;
}

static bool match_silu(struct mc_merge *m, const struct mc_node *last, int side)
{
    const struct mc_node *sigmoid = last->inputs[side] ? last->inputs[side]->producer : NULL;
    if (!sigmoid || !sigmoid->op || sigmoid->op->link != MC_LINK_LOGISTIC) return false;
    if (sigmoid->inputs[0] != last->inputs[1 - side]) return false;
    m->n_inner = 0;
    mc_merge_take(m, sigmoid);
    m->n_inputs = 1;
    m->inputs[0] = sigmoid->inputs[0];
    m->op = &mc_op_fused_silu;
    m->opset = 24;
    return true;
}

bool mc_merge_product(const struct mc_node *last, struct mc_merge *merge)
{
    for (int side = 0; side < 2; side++)
        if (match_silu(merge, last, side) || match_gelu(merge, last, side)) return true;
    return mc_merge_rms_normalization(last, merge);
}

/* --- convolutions and what follows them --- */

/* With constant weights and all its channels in one group, or each in its own: those for which what follows costs no
 * pass of its own. */
static bool match_plain_conv(struct mc_merge *m, const struct mc_value *v)
{
    const struct mc_node *conv = mc_merge_maker(v, MC_MEANS_CONV);
    if (!conv || !m->is_fixed(m, conv->inputs[1])) return false;
    const struct mc_fact *w = mc_merge_fact(m, conv->inputs[1]);
    const int64_t groups = mc_node_int(conv, "group", 1);
    if (groups != 1 && !(w && groups == w->shape.dim[0] && w->shape.dim[1] == 1)) return false;
    m->n_inner = 0;
    mc_merge_take(m, conv);
    m->n_inputs = 3;
    m->inputs[0] = conv->inputs[0];
    m->inputs[1] = conv->inputs[1];
    m->inputs[2] = mc_node_input(conv, 2);
    m->like = conv;
    m->op = &mc_op_fused_conv;
    m->opset = INT_MAX;
    return true;
}

/* Batch normalization, by statistics that are known, of a convolution whose weights and bias are. */
bool mc_merge_normalized(const struct mc_node *norm, struct mc_merge *m)
{
    if (norm->op->since < 7 || norm->n_outputs != 1 || mc_node_int(norm, "training_mode", 0) != 0) return false;
    if (mc_node_int(norm, "spatial", 1) != 1 || !match_plain_conv(m, norm->inputs[0])) return false;
    if (m->inputs[2] && !m->is_fixed(m, m->inputs[2])) return false;
    for (int i = 1; i < 5; i++) {
        const struct mc_fact *fact = mc_merge_fact(m, norm->inputs[i]);
        if (!fact || fact->dtype != MC_FLOAT || !m->is_fixed(m, norm->inputs[i])) return false;
        m->inputs[m->n_inputs++] = norm->inputs[i];
    }
    m->numbers[m->n_numbers].name = "epsilon";
    m->numbers[m->n_numbers++].value = mc_node_float(norm, "epsilon", 1e-5f);
    return true;
}

static bool match_conv(struct mc_merge *m, const struct mc_value *v)
{
    const struct mc_node *norm = mc_merge_maker(v, MC_MEANS_BATCH_NORM);
    m->n_numbers = 0;
    if (!norm) return match_plain_conv(m, v);
    return mc_merge_normalized(norm, m) && mc_merge_take(m, norm);
}

/* A convolution and something of its shape that is not constant. */
static bool match_residual(struct mc_merge *m, const struct mc_node *sum)
{
    const struct mc_fact *a = mc_merge_fact(m, sum->inputs[0]), *b = mc_merge_fact(m, sum->inputs[1]);
    if (!a || !b || a == b || !mc_shape_equal(&a->shape, &b->shape)) return false;
    for (int side = 0; side < 2; side++) {
        const struct mc_value *other = sum->inputs[1 - side];
        if (m->constant(m, other) || !match_conv(m, sum->inputs[side])) continue;
        while (m->n_inputs < MC_FUSED_CONV_ADDED) m->inputs[m->n_inputs++] = NULL;
        m->inputs[m->n_inputs++] = other;
        return true;
    }
    return false;
}

/* --- sums --- */

bool mc_merge_sum(const struct mc_node *last, struct mc_merge *m)
{
    return mc_merge_layer_normalization(last, m) || match_residual(m, last);
}

bool mc_merge_bounded(const struct mc_node *last, struct mc_merge *m, float low, float high)
{
    const struct mc_node *sum = mc_merge_maker(last->inputs[0], MC_MEANS_ADD);
    if (!(low <= high) || (sum ? !match_residual(m, sum) : !match_conv(m, last->inputs[0]))) return false;
    if (sum) mc_merge_take(m, sum);
    m->numbers[m->n_numbers].name = "low";
    m->numbers[m->n_numbers++].value = low;
    m->numbers[m->n_numbers].name = "high";
    m->numbers[m->n_numbers++].value = high;
    return true;
}

/* --- what products become --- */

static int fused_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                       struct mc_error *err)
{
    const int rc = mc_need_dtype(node, 0, in[0], MC_TYPE_BIT(MC_FLOAT), err);
    return rc < 0 ? rc : mc_shape_same(node, in, out, err);
}

#define FUSED(name, onnx_type, version, loop)                                                                          \
    static int name##_forward(struct mc_step *step, struct mc_error *err)                                              \
    {                                                                                                                  \
        mc_unary_run(step, step->runtime->kernels->loop, NULL, COSTLY);                                                \
        return MC_OK;                                                                                                  \
    }                                                                                                                  \
    const struct mc_op mc_op_##name = {                                                                                \
        .domain = "",                                                                                                  \
        .type = onnx_type,                                                                                             \
        .since = version,                                                                                              \
        .min_inputs = 1,                                                                                               \
        .max_inputs = 1,                                                                                               \
        .n_outputs = 1,                                                                                                \
        .no_backward = "it runs in inference only",                                                                    \
        .inplace = true,                                                                                               \
        .order = mc_order_elementwise,                                                                                 \
        .shape = fused_shape,                                                                                          \
        .outline = mc_outline_same,                                                                                    \
        .forward = name##_forward,                                                                                     \
        .coupling = mc_coupling_first_input,                                                                           \
        .cost = mc_cost_elementwise,                                                                                   \
    };

FUSED(fused_silu, "Swish", 24, silu)
FUSED(fused_gelu, "Gelu", 20, gelu)
