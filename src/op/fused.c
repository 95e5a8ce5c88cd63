/* fused.c - what nodes make together: products that are SiLU or GELU, as exporters write them where the opset has
 * neither. See mc_op.merge. */
#include "op/fused.h"

#include <math.h>

#include "op/elementwise.h"

enum { COSTLY = 8 }; /* as in activation.c: of an exponential, per element */

static bool is_number(const struct mc_merge *m, const struct mc_value *v, double number)
{
    const struct mc_tensor *t = m->constant(m, v);
    return t && t->dtype == MC_FLOAT && mc_tensor_count(t) == 1 && t->shape.rank <= 1 &&
           fabs(mc_tensor_get_f64(t, 0) - number) <= 1e-6 * fabs(number);
}

static const struct mc_node *maker(const struct mc_value *v, enum mc_meaning means)
{
    const struct mc_node *node = v ? v->producer : NULL;
    return node && node->op && node->op->means == means ? node : NULL;
}

static void take(struct mc_merge *m, const struct mc_node *node)
{
    m->inner[m->n_inner++] = node;
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
    const struct mc_node *add = maker(v, MC_MEANS_ADD);
    const struct mc_node *erf = add ? maker(beside(m, add, 1), MC_MEANS_ERF) : NULL;
    if (!erf) return NULL;
    const struct mc_node *div = maker(erf->inputs[0], MC_MEANS_DIV), *mul = maker(erf->inputs[0], MC_MEANS_MUL);
    const struct mc_value *x = div ? beside(m, div, sqrt(2)) : mul ? beside(m, mul, sqrt(0.5)) : NULL;
    if (!x) return NULL;
    take(m, add);
    take(m, erf);
    take(m, div ? div : mul);
    return x;
}

/* x, 1/2 and 1 + erf(x / sqrt(2)) in some order, which `last` and a factor of it multiply. */
static bool match_gelu(struct mc_merge *m, const struct mc_node *last, int side)
{
    const struct mc_node *inner = maker(last->inputs[side], MC_MEANS_MUL);
    if (!inner) return false;
    const struct mc_value *factors[] = {inner->inputs[0], inner->inputs[1], last->inputs[1 - side]};
    for (int half = 0; half < 3; half++) {
        if (!is_number(m, factors[half], 0.5)) continue;
        for (int k = 1; k < 3; k++) {
            const struct mc_value *x = factors[(half + k) % 3], *other = factors[(half + 3 - k) % 3];
            m->n_inner = 0;
            take(m, inner);
            if (match_distribution(m, other) != x) continue;
            m->input = x;
            m->op = &mc_op_fused_gelu;
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
    take(m, sigmoid);
    m->input = sigmoid->inputs[0];
    m->op = &mc_op_fused_silu;
    return true;
}

bool mc_merge_product(const struct mc_node *last, struct mc_merge *merge)
{
    for (int side = 0; side < 2; side++)
        if (match_silu(merge, last, side) || match_gelu(merge, last, side)) return true;
    return false;
}

/* --- what they become --- */

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
        .forward = name##_forward,                                                                                     \
        .coupling = mc_coupling_first_input,                                                                           \
        .cost = mc_cost_elementwise,                                                                                   \
    };

FUSED(fused_silu, "Swish", 24, silu)
FUSED(fused_gelu, "Gelu", 20, gelu)
