/* byte_rules.c - patterns around the nodes that run on bytes; see byte_rules.h. */
#include "op/byte_rules.h"

#include <float.h>
#include <limits.h>
#include <math.h>

#include "graph/facts.h"
#include "op/op_list.h"

/* 8 bits and what they stand for: the inputs of a DequantizeLinear or the last two of a QuantizeLinear. */
struct numbers {
    const struct mc_value *x, *scale, *zero; /* zero: NULL is 0 */
    enum mc_dtype dtype;
};

static const struct mc_fact *fact_of(const struct mc_merge *m, const struct mc_value *v)
{
    static const struct mc_fact none;
    return v->id < m->facts->n_values ? &m->facts->of[v->id] : &none;
}

static bool is_byte(enum mc_dtype dtype)
{
    return dtype == MC_UINT8 || dtype == MC_INT8;
}

/* One for all, or one for each of `extent`; each positive. */
static bool are_scales(const struct mc_merge *m, const struct mc_value *v, int64_t extent)
{
    const struct mc_tensor *t = m->constant(m, v);
    if (!t || t->dtype != MC_FLOAT || t->shape.rank > 1) return false;
    const int64_t n = mc_tensor_count(t);
    if (n != 1 && n != extent) return false;
    for (int64_t i = 0; i < n; i++) {
        const double scale = mc_tensor_get_f64(t, i);
        if (!(scale >= FLT_MIN && scale <= (double)FLT_MAX)) return false;
    }
    return true;
}

static bool are_zeros(const struct mc_merge *m, const struct mc_value *v, int64_t extent)
{
    const struct mc_tensor *t = v ? m->constant(m, v) : NULL;
    return !v || (t && (mc_tensor_count(t) == 1 || mc_tensor_count(t) == extent));
}

/* What makes v of bytes; on one scale, or where `axis` >= 0 on one for each index of it. */
static const struct mc_node *dequantizer(const struct mc_merge *m, const struct mc_value *v, int axis,
                                         struct numbers *numbers)
{
    const struct mc_node *node = v ? v->producer : NULL;
    if (!node || !node->op || node->op->means != MC_MEANS_DEQUANTIZE || fact_of(m, v)->dtype != MC_FLOAT) return NULL;
    *numbers = (struct numbers){.x = node->inputs[0], .scale = node->inputs[1], .zero = mc_node_input(node, 2)};
    const struct mc_fact *x = fact_of(m, numbers->x);
    if (!is_byte(x->dtype)) return NULL;
    int64_t along = mc_node_int(node, "axis", 1), extent = 1;
    if (along < 0) along += x->shape.rank;
    if (axis >= 0 && along == axis && axis < x->shape.rank) extent = x->shape.dim[axis];
    if (!are_scales(m, numbers->scale, extent) || !are_zeros(m, numbers->zero, extent)) return NULL;
    numbers->dtype = x->dtype;
    return node;
}

/* An operand; others may read it as well. */
static bool take_numbers(struct mc_merge *m, const struct mc_value *v, struct numbers *numbers)
{
    const struct mc_node *node = dequantizer(m, v, -1, numbers);
    if (!node || m->n_through == MC_MERGE_THROUGH) return false;
    m->through[m->n_through++] = node;
    return true;
}

/* Weights, which are constant; no step dequantizes them. */
static bool take_weights(const struct mc_merge *m, const struct mc_value *v, int axis, struct numbers *numbers)
{
    return dequantizer(m, v, axis, numbers) && m->is_fixed(m, numbers->x);
}

static bool take_quantizer(const struct mc_merge *m, const struct mc_node *quantize, struct numbers *numbers)
{
    *numbers = (struct numbers){.scale = quantize->inputs[1], .zero = mc_node_input(quantize, 2)};
    numbers->dtype = fact_of(m, quantize->outputs[0])->dtype;
    return is_byte(numbers->dtype) && are_scales(m, numbers->scale, 1) && are_zeros(m, numbers->zero, 1);
}

static void give(struct mc_merge *m, const struct mc_value *v)
{
    m->inputs[m->n_inputs++] = v;
}

static void give_numbers(struct mc_merge *m, const struct numbers *numbers)
{
    if (numbers->x) give(m, numbers->x);
    give(m, numbers->scale);
    give(m, numbers->zero);
}

static bool found(struct mc_merge *m, const struct mc_op *op, const struct mc_node *does)
{
    m->op = op;
    m->like = does;
    m->opset = INT_MAX;
    return true;
}

bool mc_merge_quantize(const struct mc_node *quantize, struct mc_merge *m)
{
    const struct mc_node *node = quantize->inputs[0]->producer;
    if (!node || !node->op || !node->op->on_bytes || node->n_outputs != 1) return false;
    if (mc_node_int(quantize, "precision", MC_FLOAT) != MC_FLOAT) return false;
    m->inner[m->n_inner++] = node;
    return node->op->on_bytes(node, quantize, m);
}

/* --- products --- */

static bool are_floats(const struct mc_merge *m, const struct mc_value *v, int64_t n)
{
    const struct mc_fact *fact = fact_of(m, v);
    return fact->dtype == MC_FLOAT && fact->shape.rank >= 1 && mc_shape_count(&fact->shape) == n &&
           fact->shape.dim[fact->shape.rank - 1] == n;
}

/* The bias may be any constant, however it came about; it is at hand when the step is made ready. */
static bool give_product(struct mc_merge *m, const struct mc_value *x, const struct mc_value *w, int axis,
                         const struct mc_value *bias, const struct mc_node *quantize)
{
    struct numbers a, b, y;
    if (!take_numbers(m, x, &a) || !take_weights(m, w, axis, &b) || !take_quantizer(m, quantize, &y)) return false;
    if (bias && (!are_floats(m, bias, fact_of(m, b.x)->shape.dim[axis]) || !m->is_fixed(m, bias))) return false;
    give_numbers(m, &a);
    give_numbers(m, &b);
    give_numbers(m, &y);
    give(m, bias);
    return true;
}

bool mc_bytes_conv(const struct mc_node *node, const struct mc_node *quantize, struct mc_merge *m)
{
    const struct mc_shape *x = &fact_of(m, node->inputs[0])->shape;
    return x->rank >= 3 && x->rank <= 5 &&
           give_product(m, node->inputs[0], node->inputs[1], 0, mc_node_input(node, 2), quantize) &&
           found(m, &mc_op_byte_conv, node);
}

bool mc_bytes_gemm(const struct mc_node *node, const struct mc_node *quantize, struct mc_merge *m)
{
    const bool turned = mc_node_int(node, "transB", 0) != 0;
    if (mc_node_int(node, "transA", 0) || mc_node_float(node, "alpha", 1) != 1 || mc_node_float(node, "beta", 1) != 1)
        return false;
    return give_product(m, node->inputs[0], node->inputs[1], turned ? 0 : 1, mc_node_input(node, 2), quantize) &&
           found(m, &mc_op_byte_gemm, node);
}

/* A constant matrix for all rows; else two activations. */
bool mc_bytes_matmul(const struct mc_node *node, const struct mc_node *quantize, struct mc_merge *m)
{
    const struct mc_shape *a = &fact_of(m, node->inputs[0])->shape, *b = &fact_of(m, node->inputs[1])->shape;
    struct numbers left, right, y;
    if (a->rank >= 2 && b->rank == 2 && give_product(m, node->inputs[0], node->inputs[1], 1, NULL, quantize))
        return found(m, &mc_op_byte_gemm, node);
    m->n_inputs = m->n_through = 0;
    if (a->rank < 2 || b->rank < 2 || !take_numbers(m, node->inputs[0], &left) ||
        !take_numbers(m, node->inputs[1], &right) || !take_quantizer(m, quantize, &y))
        return false;
    give_numbers(m, &left);
    give_numbers(m, &right);
    give_numbers(m, &y);
    return found(m, &mc_op_qlinear_mat_mul_10, node);
}

/* --- element by element --- */

static bool binary(const struct mc_node *node, const struct mc_node *quantize, const struct mc_op *op,
                   struct mc_merge *m)
{
    struct numbers a, b, y;
    if (take_numbers(m, node->inputs[0], &a) && take_numbers(m, node->inputs[1], &b) &&
        take_quantizer(m, quantize, &y)) {
        give_numbers(m, &a);
        give_numbers(m, &b);
        give_numbers(m, &y);
        return found(m, op, node);
    }
    m->n_through = 0;
    return mc_bytes_table(node, quantize, m);
}

bool mc_bytes_add(const struct mc_node *node, const struct mc_node *quantize, struct mc_merge *m)
{
    return binary(node, quantize, &mc_op_microsoft_qlinear_add_1, m);
}

bool mc_bytes_mul(const struct mc_node *node, const struct mc_node *quantize, struct mc_merge *m)
{
    return binary(node, quantize, &mc_op_microsoft_qlinear_mul_1, m);
}

bool mc_bytes_table(const struct mc_node *node, const struct mc_node *quantize, struct mc_merge *m)
{
    struct numbers x, y;
    const struct mc_value *in = node->inputs[0];
    if (node->n_inputs > MC_MERGE_INPUTS - 5 || !take_numbers(m, in, &x) || !take_quantizer(m, quantize, &y))
        return false;
    if (!mc_shape_equal(&fact_of(m, in)->shape, &fact_of(m, node->outputs[0])->shape)) return false;
    give_numbers(m, &x);
    give_numbers(m, &y);
    for (int i = 1; i < node->n_inputs; i++) {
        const struct mc_tensor *t = m->constant(m, node->inputs[i]);
        if (node->inputs[i] && (!t || mc_tensor_count(t) != 1)) return false;
        give(m, node->inputs[i]);
    }
    return found(m, &mc_op_byte_table_1, node);
}

/* Does an operator that can hold its results to a range make the input of `node`? */
static bool held(const struct mc_node *node, const struct mc_node *quantize, double low, double high,
                 struct mc_merge *m)
{
    const struct mc_node *inner = node->inputs[0]->producer;
    if (inner && inner->op && inner->n_outputs == 1 &&
        (inner->op->on_bytes == mc_bytes_conv || inner->op->on_bytes == mc_bytes_gemm)) {
        m->inner[m->n_inner++] = inner;
        if (inner->op->on_bytes(inner, quantize, m)) {
            m->n_numbers = 2;
            m->numbers[0].name = "low";
            m->numbers[0].value = (float)low;
            m->numbers[1].name = "high";
            m->numbers[1].value = (float)high;
            return true;
        }
        m->n_inner--;
        m->n_inputs = m->n_through = 0;
    }
    return mc_bytes_table(node, quantize, m);
}

bool mc_bytes_relu(const struct mc_node *node, const struct mc_node *quantize, struct mc_merge *m)
{
    return held(node, quantize, 0, INFINITY, m);
}

bool mc_bytes_clip(const struct mc_node *node, const struct mc_node *quantize, struct mc_merge *m)
{
    double bound[2] = {-INFINITY, INFINITY};
    if (node->op->since < 11) {
        bound[0] = (double)mc_node_float(node, "min", -INFINITY);
        bound[1] = (double)mc_node_float(node, "max", INFINITY);
    }
    for (int i = 0; i < 2; i++) {
        const struct mc_value *v = mc_node_input(node, i + 1);
        const struct mc_tensor *t = v ? m->constant(m, v) : NULL;
        if (v && !t) return false;
        if (t) bound[i] = mc_tensor_get_f64(t, 0);
    }
    return bound[0] <= bound[1] ? held(node, quantize, bound[0], bound[1], m) : mc_bytes_table(node, quantize, m);
}

/* --- moved --- */

static bool is_same_number(const struct mc_merge *m, const struct mc_value *a, const struct mc_value *b)
{
    const struct mc_tensor *x = a ? m->constant(m, a) : NULL, *y = b ? m->constant(m, b) : NULL;
    return (x ? mc_tensor_get_f64(x, 0) : 0) == (y ? mc_tensor_get_f64(y, 0) : 0);
}

static bool move(const struct mc_node *node, const struct mc_node *quantize, int n_moved, struct mc_merge *m)
{
    struct numbers y;
    if (node->n_inputs > MC_MERGE_INPUTS || !take_quantizer(m, quantize, &y)) return false;
    for (int i = 0; i < node->n_inputs; i++) {
        struct numbers x;
        if (i >= n_moved) {
            give(m, node->inputs[i]);
            continue;
        }
        if (!take_numbers(m, node->inputs[i], &x)) return false;
        if (x.dtype != y.dtype || !is_same_number(m, x.scale, y.scale) || !is_same_number(m, x.zero, y.zero))
            return false;
        give(m, x.x);
    }
    return found(m, node->op, node);
}

bool mc_bytes_move(const struct mc_node *node, const struct mc_node *quantize, struct mc_merge *m)
{
    return move(node, quantize, 1, m);
}

bool mc_bytes_move_all(const struct mc_node *node, const struct mc_node *quantize, struct mc_merge *m)
{
    return move(node, quantize, INT_MAX, m);
}

bool mc_bytes_global_average_pool(const struct mc_node *node, const struct mc_node *quantize, struct mc_merge *m)
{
    struct numbers x, y;
    if (!take_numbers(m, node->inputs[0], &x) || !take_quantizer(m, quantize, &y)) return false;
    give_numbers(m, &x);
    give_numbers(m, &y);
    return found(m, &mc_op_microsoft_qlinear_global_average_pool_1, node);
}
