/* fused.c - what nodes make together: SiLU, GELU and layer normalization, as exporters write them where the opset
 * has none; convolutions with a residual addition and an activation. See mc_op.merge. */
#include "op/fused.h"
#include "op/outline.h"

#include <limits.h>
#include <math.h>

#include "graph/facts.h"
#include "op/elementwise.h"
#include "op/op_list.h"

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
    take(m, sigmoid);
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
    return false;
}

/* --- layer normalization --- */

/* Over the last axis, which stays with extent 1. */
static const struct mc_node *mean_of(const struct mc_merge *m, const struct mc_value *v)
{
    const struct mc_node *mean = maker(v, MC_MEANS_REDUCE_MEAN);
    int64_t n = 0;
    if (!mean || !mc_node_int(mean, "keepdims", 1)) return NULL;
    const int64_t *axes = mc_node_ints(mean, "axes", &n);
    const struct mc_tensor *input = mean->n_inputs > 1 ? m->constant(m, mean->inputs[1]) : NULL;
    if (input ? mc_tensor_count(input) != 1 || mc_tensor_get_i64(input, 0) != -1 : n != 1 || axes[0] != -1) return NULL;
    return mean;
}

static const struct mc_node *square_of(const struct mc_merge *m, const struct mc_value *v, const struct mc_value *d)
{
    const struct mc_node *pow = maker(v, MC_MEANS_POW), *mul = maker(v, MC_MEANS_MUL);
    if (pow) return pow->inputs[0] == d && is_number(m, pow->inputs[1], 2) ? pow : NULL;
    return mul && mul->inputs[0] == d && mul->inputs[1] == d ? mul : NULL;
}

/* d / sqrt(mean(d^2) + epsilon), d being x - mean(x). */
static bool match_normalized(struct mc_merge *m, const struct mc_node *div)
{
    const struct mc_value *d = div->inputs[0];
    const struct mc_node *sub = maker(d, MC_MEANS_SUB), *sqrt = maker(div->inputs[1], MC_MEANS_SQRT);
    const struct mc_node *add = sqrt ? maker(sqrt->inputs[0], MC_MEANS_ADD) : NULL;
    const struct mc_node *mean = sub ? mean_of(m, sub->inputs[1]) : NULL;
    if (!add || !mean || mean->inputs[0] != sub->inputs[0]) return false;
    for (int k = 0; k < 2; k++) {
        const struct mc_node *variance = mean_of(m, add->inputs[k]);
        const struct mc_node *square = variance ? square_of(m, variance->inputs[0], d) : NULL;
        const struct mc_tensor *epsilon = m->constant(m, add->inputs[1 - k]);
        if (!square || !epsilon || epsilon->dtype != MC_FLOAT || mc_tensor_count(epsilon) != 1) continue;
        const struct mc_node *all[] = {div, sqrt, add, variance, square, sub, mean};
        for (size_t i = 0; i < sizeof all / sizeof *all; i++) take(m, all[i]);
        m->inputs[0] = sub->inputs[0];
        m->numbers[0].name = "epsilon";
        m->numbers[0].value = (float)mc_tensor_get_f64(epsilon, 0);
        m->n_numbers = 1;
        return true;
    }
    return false;
}

static bool is_row(const struct mc_merge *m, const struct mc_value *v)
{
    const struct mc_tensor *t = m->constant(m, v);
    return t && t->dtype == MC_FLOAT && t->shape.rank == 1;
}

/* --- convolutions and what follows them --- */

/* With constant weights and all its channels in one group: those for which what follows costs no pass of its own. */
static bool match_conv(struct mc_merge *m, const struct mc_value *v)
{
    const struct mc_node *conv = maker(v, MC_MEANS_CONV);
    if (!conv || mc_node_int(conv, "group", 1) != 1 || !m->is_fixed(m, conv->inputs[1])) return false;
    m->n_inner = 0;
    take(m, conv);
    m->n_inputs = 3;
    m->inputs[0] = conv->inputs[0];
    m->inputs[1] = conv->inputs[1];
    m->inputs[2] = conv->n_inputs > 2 ? conv->inputs[2] : NULL;
    m->like = conv;
    m->op = &mc_op_fused_conv;
    m->opset = INT_MAX;
    return true;
}

static const struct mc_fact *fact_of(const struct mc_merge *m, const struct mc_value *v)
{
    const bool known = v->id < m->facts->n_values && m->facts->of[v->id].dtype == MC_FLOAT;
    return known ? &m->facts->of[v->id] : NULL;
}

/* A convolution and something of its shape that is not constant. */
static bool match_residual(struct mc_merge *m, const struct mc_node *sum)
{
    const struct mc_fact *a = fact_of(m, sum->inputs[0]), *b = fact_of(m, sum->inputs[1]);
    if (!a || !b || a == b || !mc_shape_equal(&a->shape, &b->shape)) return false;
    for (int side = 0; side < 2; side++) {
        const struct mc_value *other = sum->inputs[1 - side];
        if (m->constant(m, other) || !match_conv(m, sum->inputs[side])) continue;
        m->inputs[m->n_inputs++] = other;
        return true;
    }
    return false;
}

/* --- sums --- */

bool mc_merge_sum(const struct mc_node *last, struct mc_merge *m)
{
    for (int side = 0; side < 4; side++) {
        const struct mc_node *mul = maker(last->inputs[side % 2], MC_MEANS_MUL);
        const struct mc_value *shift = last->inputs[1 - side % 2], *scale = mul ? mul->inputs[1 - side / 2] : NULL;
        const struct mc_node *div = mul ? maker(mul->inputs[side / 2], MC_MEANS_DIV) : NULL;
        if (!div || !is_row(m, shift) || !is_row(m, scale)) continue;
        if (mc_tensor_count(m->constant(m, shift)) != mc_tensor_count(m->constant(m, scale))) continue;
        m->n_inner = 0;
        take(m, mul);
        if (!match_normalized(m, div)) continue;
        m->n_inputs = 3;
        m->inputs[1] = scale;
        m->inputs[2] = shift;
        m->op = &mc_op_layer_normalization_1; /* which ONNX Runtime writes anywhere */
        m->opset = 17;
        return true;
    }
    return match_residual(m, last);
}

bool mc_merge_bounded(const struct mc_node *last, struct mc_merge *m, float low, float high)
{
    const struct mc_node *sum = maker(last->inputs[0], MC_MEANS_ADD);
    if (!(low <= high) || (sum ? !match_residual(m, sum) : !match_conv(m, last->inputs[0]))) return false;
    if (sum) take(m, sum);
    m->numbers[0].name = "low";
    m->numbers[0].value = low;
    m->numbers[1].name = "high";
    m->numbers[1].value = high;
    m->n_numbers = 2;
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
