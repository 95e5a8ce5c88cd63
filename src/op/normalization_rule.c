/* normalization_rule.c - LayerNormalization and RMSNormalization over the last axes, as exporters write them where the
 * opset has none. */
#include <math.h>

#include "op/fused.h"
#include "op/merge_rule.h"
#include "op/move.h"
#include "op/op_list.h"

/* Over the last axes, which stay with extent 1; `n_axes` of them. */
static const struct mc_node *mean_of(const struct mc_merge *m, const struct mc_value *v, int *n_axes)
{
    const struct mc_node *mean = mc_merge_maker(v, MC_MEANS_REDUCE_MEAN);
    const struct mc_fact *x = mean ? mc_merge_fact(m, mean->inputs[0]) : NULL;
    struct mc_ints axes = {.n = 0};
    if (!x || !mc_node_int(mean, "keepdims", 1)) return NULL;
    if (mean->n_inputs < 2) {
        if (mc_ints_of_attr(mean, "axes", &axes, NULL) < 0) return NULL;
    } else {
        const struct mc_tensor *input = m->constant(m, mean->inputs[1]);
        axes.n = input && mc_tensor_count(input) <= MC_MAX_RANK ? (int)mc_tensor_count(input) : 0;
        for (int i = 0; i < axes.n; i++) axes.at[i] = mc_tensor_get_i64(input, i);
    }
    if (axes.n < 1 || mc_ints_as_axes(&axes, x->shape.rank, NULL) < 0) return NULL;
    for (int i = 0; i < axes.n; i++) /* all different: none below the last n is all of these */
        if (axes.at[i] < x->shape.rank - axes.n) return NULL;
    *n_axes = axes.n;
    return mean;
}

static const struct mc_node *square_of(const struct mc_merge *m, const struct mc_value *v, const struct mc_value *d)
{
    const struct mc_node *pow = mc_merge_maker(v, MC_MEANS_POW), *mul = mc_merge_maker(v, MC_MEANS_MUL);
    const struct mc_tensor *power = pow ? mc_merge_number(m, pow->inputs[1]) : NULL;
    if (pow) return pow->inputs[0] == d && power && mc_tensor_get_f64(power, 0) == 2 ? pow : NULL;
    return mul && mul->inputs[0] == d && mul->inputs[1] == d ? mul : NULL;
}

/* sqrt(mean(d^2) + epsilon) */
static bool match_root(struct mc_merge *m, const struct mc_value *v, const struct mc_value *d, int *n_axes)
{
    const struct mc_node *sqrt = mc_merge_maker(v, MC_MEANS_SQRT);
    const struct mc_node *add = sqrt ? mc_merge_maker(sqrt->inputs[0], MC_MEANS_ADD) : NULL;
    for (int k = 0; k < 2 && add; k++) {
        const struct mc_node *mean = mean_of(m, add->inputs[k], n_axes);
        const struct mc_node *square = mean ? square_of(m, mean->inputs[0], d) : NULL;
        const struct mc_tensor *epsilon = mc_merge_number(m, add->inputs[1 - k]);
        if (!square || !epsilon) continue;
        m->numbers[0].name = "epsilon";
        m->numbers[0].value = (float)mc_tensor_get_f64(epsilon, 0);
        m->n_numbers = 1;
        m->axis = -*n_axes;
        return mc_merge_take(m, sqrt) && mc_merge_take(m, add) && mc_merge_take(m, mean) && mc_merge_take(m, square);
    }
    return false;
}

/* Constants of the extents of the last axes of x. */
static bool is_row(const struct mc_merge *m, const struct mc_value *v, const struct mc_value *x, int n_axes)
{
    const struct mc_tensor *t = m->constant(m, v);
    const struct mc_fact *fact = mc_merge_fact(m, x);
    if (!t || !fact || t->dtype != MC_FLOAT) return false;
    const struct mc_shape row = mc_shape_of(n_axes, fact->shape.dim + fact->shape.rank - n_axes);
    return mc_shape_equal(&t->shape, &row);
}

/* d / root, d being x - mean(x). */
static bool match_standardized(struct mc_merge *m, const struct mc_node *div, int *n_axes)
{
    int n_mean = 0;
    const struct mc_node *sub = mc_merge_maker(div->inputs[0], MC_MEANS_SUB);
    const struct mc_node *mean = sub ? mean_of(m, sub->inputs[1], &n_mean) : NULL;
    m->n_inner = 0;
    if (!mean || mean->inputs[0] != sub->inputs[0] || !match_root(m, div->inputs[1], sub->outputs[0], n_axes))
        return false;
    m->inputs[0] = sub->inputs[0];
    return n_mean == *n_axes && mc_merge_take(m, div) && mc_merge_take(m, sub) && mc_merge_take(m, mean);
}

bool mc_merge_layer_normalization(const struct mc_node *sum, struct mc_merge *m)
{
    for (int side = 0; side < 4; side++) {
        const struct mc_node *mul = mc_merge_maker(sum->inputs[side % 2], MC_MEANS_MUL);
        const struct mc_value *shift = sum->inputs[1 - side % 2], *scale = mul ? mul->inputs[1 - side / 2] : NULL;
        const struct mc_node *div = mul ? mc_merge_maker(mul->inputs[side / 2], MC_MEANS_DIV) : NULL;
        int n = 0;
        if (!div || !match_standardized(m, div, &n) || !mc_merge_take(m, mul)) continue;
        if (!is_row(m, shift, m->inputs[0], n) || !is_row(m, scale, m->inputs[0], n)) continue;
        m->n_inputs = 3;
        m->inputs[1] = scale;
        m->inputs[2] = shift;
        m->op = &mc_op_layer_normalization_1; /* which ONNX Runtime writes anywhere */
        m->opset = 17;
        return true;
    }
    return false;
}

/* x / root, or x times 1 / root in either order; x. */
static const struct mc_value *match_quotient(struct mc_merge *m, const struct mc_value *v, int *n_axes)
{
    const struct mc_node *div = mc_merge_maker(v, MC_MEANS_DIV), *mul = mc_merge_maker(v, MC_MEANS_MUL);
    m->n_inner = 0;
    if (div)
        return match_root(m, div->inputs[1], div->inputs[0], n_axes) && mc_merge_take(m, div) ? div->inputs[0] : NULL;
    for (int side = 0; side < 2 && mul; side++) {
        const struct mc_value *x = mul->inputs[side];
        const struct mc_node *inverse = mc_merge_maker(mul->inputs[1 - side], MC_MEANS_RECIPROCAL);
        const struct mc_node *one_by = mc_merge_maker(mul->inputs[1 - side], MC_MEANS_DIV);
        const struct mc_tensor *one = one_by ? mc_merge_number(m, one_by->inputs[0]) : NULL;
        m->n_inner = 0;
        if (!inverse && (!one || mc_tensor_get_f64(one, 0) != 1)) continue;
        const struct mc_value *root = inverse ? inverse->inputs[0] : one_by->inputs[1];
        if (match_root(m, root, x, n_axes) && mc_merge_take(m, inverse ? inverse : one_by) && mc_merge_take(m, mul))
            return x;
    }
    return NULL;
}

bool mc_merge_rms_normalization(const struct mc_node *product, struct mc_merge *m)
{
    for (int side = 0; side < 2; side++) {
        int n = 0;
        const struct mc_value *x = match_quotient(m, product->inputs[side], &n);
        if (!x || !is_row(m, product->inputs[1 - side], x, n)) continue;
        m->n_inputs = 2;
        m->inputs[0] = x;
        m->inputs[1] = product->inputs[1 - side];
        m->op = &mc_op_rms_normalization_23;
        m->opset = 23;
        return true;
    }
    return false;
}
