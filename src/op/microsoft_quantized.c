/* microsoft_quantized.c - com.microsoft: the operators on 8-bit numbers that ONNX Runtime's quantizer writes.
 *
 * Where ONNX Runtime 1.32 has a table or integer arithmetic these go by float32: numbers out of them can be one apart.
 */
#include "base/error.h"
#include "op/composite.h"
#include "op/recurrent_activation.h"

/* (x - zero) scale as float32; the inputs of the node that hold them. */
static int numbers(struct mc_composite *c, int x, int scale, int zero)
{
    return mc_compose(c, &mc_op_dequantize_linear_10, 1, MC_NO_ATTRS, MC_LIST(x, scale, zero));
}

/* Back to 8 bits, of the type of input `like` where no zero point tells. */
static int quantized(struct mc_composite *c, int x, int scale, int zero, int like)
{
    const int type = (int)mc_compose_fact(c, like)->dtype;
    return zero >= 0 ? mc_compose(c, &mc_op_quantize_linear_10, 1, MC_NO_ATTRS, MC_LIST(x, scale, zero))
                     : mc_compose(c, &mc_op_quantize_linear_10, 1, MC_ATTRS(MC_ATTR_OF_INT("output_dtype", type)),
                                  MC_LIST(x, scale));
}

/* --- element by element --- */

static void unary_compose(struct mc_composite *c, const struct mc_op *op)
{
    const struct mc_node *node = mc_compose_node(c);
    const int x = numbers(c, 0, mc_compose_in(c, 1), mc_compose_in(c, 2));
    const int y = mc_compose(c, op, 1, node->attrs, node->n_attrs, MC_LIST(x));
    mc_compose_out(c, 0, quantized(c, y, mc_compose_in(c, 3), mc_compose_in(c, 4), 0));
}

/* The axis means what it meant in the version of Softmax that it was made of. */
static void microsoft_qlinear_softmax_compose(struct mc_composite *c)
{
    unary_compose(c, mc_node_int(mc_compose_node(c), "opset", 13) < 13 ? &mc_op_softmax_1 : &mc_op_softmax_13);
}

MC_COMPOSITE_OP(microsoft_qlinear_softmax, "com.microsoft", "QLinearSoftmax", 1, 2, 5, 1,
                .no_backward = "quantized numbers have no derivative here")

static void microsoft_qlinear_where_compose(struct mc_composite *c)
{
    const int x = numbers(c, mc_compose_in(c, 1), mc_compose_in(c, 2), mc_compose_in(c, 3));
    const int y = numbers(c, mc_compose_in(c, 4), mc_compose_in(c, 5), mc_compose_in(c, 6));
    const int z = mc_compose(c, &mc_op_where_9, 1, MC_NO_ATTRS, MC_LIST(0, x, y));
    mc_compose_out(c, 0, quantized(c, z, mc_compose_in(c, 7), mc_compose_in(c, 8), 1));
}

MC_COMPOSITE_OP(microsoft_qlinear_where, "com.microsoft", "QLinearWhere", 1, 9, 9, 1,
                .no_backward = "quantized numbers have no derivative here")

/* --- QLinearConcat: scale and zero point of the output, then three for each input --- */

enum { MOST_JOINED = 512 };

static void microsoft_qlinear_concat_compose(struct mc_composite *c)
{
    const struct mc_node *node = mc_compose_node(c);
    int parts[MOST_JOINED];
    const int n = (node->n_inputs - 2) / 3;
    if ((node->n_inputs - 2) % 3 || n < 1 || n > MOST_JOINED) {
        mc_compose_refuse(c, n > MOST_JOINED ? MC_ERR_UNSUPPORTED : MC_ERR_INPUT,
                          "needs scale, zero point and three inputs for each tensor, has %d inputs", node->n_inputs);
        return;
    }
    for (int i = 0; i < n; i++)
        parts[i] = numbers(c, mc_compose_in(c, 2 + 3 * i), mc_compose_in(c, 3 + 3 * i), mc_compose_in(c, 4 + 3 * i));
    const int y = mc_compose(c, &mc_op_concat_1, 1, node->attrs, node->n_attrs, parts, n);
    mc_compose_out(c, 0, quantized(c, y, 0, mc_compose_in(c, 1), 2));
}

MC_COMPOSITE_OP(microsoft_qlinear_concat, "com.microsoft", "QLinearConcat", 1, 1, -1, 1,
                .no_backward = "quantized numbers have no derivative here")

/* --- windows, channels last or not --- */

/* Channels to the front, or to the end. */
static int move_channels(struct mc_composite *c, int x, bool forth)
{
    const int rank = mc_compose_fact(c, x)->shape.rank;
    int64_t perm[MC_MAX_RANK];
    if (rank < 3) return x;
    for (int k = 0; k < rank; k++)
        perm[k] = k == 0 ? 0 : forth ? (k == 1 ? rank - 1 : k - 1) : k == rank - 1 ? 1 : k + 1;
    return mc_compose_transpose(c, x, perm);
}

static void pool_compose(struct mc_composite *c, const struct mc_op *op)
{
    const struct mc_node *node = mc_compose_node(c);
    const bool last = mc_node_int(node, "channels_last", 0) != 0;
    int x = numbers(c, last ? move_channels(c, 0, true) : 0, mc_compose_in(c, 1), mc_compose_in(c, 2));
    x = mc_compose(c, op, 1, node->attrs, node->n_attrs, MC_LIST(x));
    const int y = quantized(c, x, mc_compose_in(c, 3), mc_compose_in(c, 4), 0);
    mc_compose_out(c, 0, last ? move_channels(c, y, false) : y);
}

static void microsoft_qlinear_average_pool_compose(struct mc_composite *c)
{
    pool_compose(c, &mc_op_average_pool_1);
}

MC_COMPOSITE_OP(microsoft_qlinear_average_pool, "com.microsoft", "QLinearAveragePool", 1, 2, 5, 1,
                .no_backward = "quantized numbers have no derivative here")

static void microsoft_nhwc_max_pool_compose(struct mc_composite *c)
{
    const struct mc_node *node = mc_compose_node(c);
    const int x = move_channels(c, 0, true);
    const int y = mc_compose(c, &mc_op_max_pool_1, 1, node->attrs, node->n_attrs, MC_LIST(x));
    mc_compose_out(c, 0, move_channels(c, y, false));
}

MC_COMPOSITE_OP(microsoft_nhwc_max_pool, "com.microsoft", "NhwcMaxPool", 1, 1, 1, 1,
                .no_backward = "quantized numbers have no derivative here")

static void microsoft_qlinear_conv_compose(struct mc_composite *c)
{
    const struct mc_node *node = mc_compose_node(c);
    const bool last = mc_node_int(node, "channels_last", 0) != 0;
    int in[9];
    for (int i = 0; i < 9; i++) in[i] = mc_compose_in(c, i);
    if (last) in[0] = move_channels(c, 0, true);
    const int y = mc_compose(c, &mc_op_qlinear_conv_10, 1, node->attrs, node->n_attrs, in, 9);
    mc_compose_out(c, 0, last ? move_channels(c, y, false) : y);
}

MC_COMPOSITE_OP(microsoft_qlinear_conv, "com.microsoft", "QLinearConv", 1, 8, 9, 1,
                .no_backward = "quantized numbers have no derivative here")

/* --- products --- */

/* Sums of products as float32, times both scales. */
static int scaled(struct mc_composite *c, int sums, int a_scale, int b_scale)
{
    const int scale = mc_compose(c, &mc_op_mul_7, 1, MC_NO_ATTRS, MC_LIST(a_scale, b_scale));
    return mc_compose(c, &mc_op_mul_7, 1, MC_NO_ATTRS, MC_LIST(mc_compose_cast(c, sums, MC_FLOAT), scale));
}

static void microsoft_dynamic_quantize_mat_mul_compose(struct mc_composite *c)
{
    const int a = mc_compose(c, &mc_op_dynamic_quantize_linear_11, 3, MC_NO_ATTRS, MC_LIST(0));
    if (a < 0) return;
    const int sums = mc_compose(c, &mc_op_mat_mul_integer_10, 1, MC_NO_ATTRS,
                                MC_LIST(a, mc_compose_in(c, 1), a + 2, mc_compose_in(c, 3)));
    mc_compose_out(c, 0, mc_compose_plus(c, scaled(c, sums, a + 1, mc_compose_in(c, 2)), mc_compose_in(c, 4)));
}

static void microsoft_mat_mul_integer_to_float_compose(struct mc_composite *c)
{
    const int sums = mc_compose(c, &mc_op_mat_mul_integer_10, 1, MC_NO_ATTRS,
                                MC_LIST(0, mc_compose_in(c, 1), mc_compose_in(c, 4), mc_compose_in(c, 5)));
    mc_compose_out(c, 0,
                   mc_compose_plus(c, scaled(c, sums, mc_compose_in(c, 2), mc_compose_in(c, 3)), mc_compose_in(c, 6)));
}

/* Exact in float64. */
static void microsoft_mat_mul_integer16_compose(struct mc_composite *c)
{
    const int a = mc_compose_cast(c, 0, MC_DOUBLE), b = mc_compose_cast(c, mc_compose_in(c, 1), MC_DOUBLE);
    const bool is_signed = mc_compose_fact(c, 0)->dtype == MC_INT16 || mc_compose_fact(c, 1)->dtype == MC_INT16;
    const int y = mc_compose(c, &mc_op_matmul_1, 1, MC_NO_ATTRS, MC_LIST(a, b));
    mc_compose_out(c, 0, mc_compose_cast(c, y, is_signed ? MC_INT32 : MC_UINT32));
}

MC_COMPOSITE_OP(microsoft_dynamic_quantize_mat_mul, "com.microsoft", "DynamicQuantizeMatMul", 1, 3, 5, 1,
                .no_backward = "quantized numbers have no derivative here")
MC_COMPOSITE_OP(microsoft_mat_mul_integer_to_float, "com.microsoft", "MatMulIntegerToFloat", 1, 4, 7, 1,
                .no_backward = "quantized numbers have no derivative here")
MC_COMPOSITE_OP(microsoft_mat_mul_integer16, "com.microsoft", "MatMulInteger16", 1, 2, 2, 1,
                .no_backward = "quantized numbers have no derivative here")

/* --- DynamicQuantizeLSTM: X, W, R, biases, lengths, states, peepholes as LSTM's, then scale and zero of W, and of R.
 * States are rounded by the range of all samples, as ONNX Runtime does on one thread; on several each has its own. ---
 */

enum { LSTM_INPUTS = 8, LSTM_MOST_ATTRS = 10 };

/* A matrix of 8 bits for each direction, [D, K, 4 H], as LSTM has it in floats: [D, 4 H, K]. Scale and zero are one
 * number a direction or one a column. */
static int lstm_matrices(struct mc_composite *c, int i, int scale, int zero)
{
    const int w = mc_compose_in(c, i), in[] = {mc_compose_in(c, scale), mc_compose_in(c, zero)};
    const struct mc_shape *shape = &mc_compose_fact(c, w)->shape;
    if (!mc_compose_check(c, mc_need_rank(mc_compose_node(c), i, mc_compose_fact(c, w), 3, 3, mc_compose_error(c))))
        return MC_NO_VALUE;
    int numbers[2];
    for (int k = 0; k < 2; k++) {
        const int64_t n = mc_shape_count(&mc_compose_fact(c, in[k])->shape), D = shape->dim[0];
        if (n != D && n != D * shape->dim[2]) {
            mc_compose_refuse(c, MC_ERR_INPUT, "input %d: needs a number for each direction or column, has %lld",
                              k ? zero : scale, (long long)n);
            return MC_NO_VALUE;
        }
        numbers[k] = mc_compose_view(c, in[k], MC_DIMS(D, 1, n / D));
    }
    const int floats = mc_compose_cast(c, w, MC_FLOAT), zeros = mc_compose_cast(c, numbers[1], MC_FLOAT);
    const int moved = mc_compose(c, &mc_op_sub_7, 1, MC_NO_ATTRS, MC_LIST(floats, zeros));
    const int scaled = mc_compose(c, &mc_op_mul_7, 1, MC_NO_ATTRS, MC_LIST(moved, numbers[0]));
    return mc_compose_transpose(c, scaled, (const int64_t[]){0, 2, 1});
}

static void microsoft_dynamic_quantize_lstm_compose(struct mc_composite *c)
{
    const struct mc_node *node = mc_compose_node(c);
    struct mc_attr attrs[LSTM_MOST_ATTRS + 1];
    int in[LSTM_INPUTS];
    if (node->n_attrs > LSTM_MOST_ATTRS || node->n_inputs < 12) {
        mc_compose_refuse(c, MC_ERR_INPUT, "needs 12 inputs, has %d", node->n_inputs);
        return;
    }
    for (int i = 0; i < node->n_attrs; i++) attrs[i] = node->attrs[i];
    attrs[node->n_attrs] = (struct mc_attr)MC_ATTR_OF_INT(MC_LSTM_ROUNDS, 1);
    for (int i = 0; i < LSTM_INPUTS; i++) in[i] = mc_compose_in(c, i);
    const int x = mc_compose(c, &mc_op_dynamic_quantize_linear_11, 3, MC_NO_ATTRS, MC_LIST(0));
    if (x < 0) return;
    in[0] = numbers(c, x, x + 1, x + 2);
    in[1] = lstm_matrices(c, 1, 8, 9);
    in[2] = lstm_matrices(c, 2, 10, 11);
    const int y = mc_compose(c, &mc_op_lstm_1, 3, attrs, node->n_attrs + 1, in, LSTM_INPUTS);
    for (int i = 0; i < 3; i++) mc_compose_out(c, i, y + i);
}

MC_COMPOSITE_OP(microsoft_dynamic_quantize_lstm, "com.microsoft", "DynamicQuantizeLSTM", 1, 3, 12, 3,
                .first_optional = true, .no_backward = "quantized numbers have no derivative here")

static int turned(struct mc_composite *c, int x, const char *attribute)
{
    static const int64_t perm[] = {1, 0};
    return mc_node_int(mc_compose_node(c), attribute, 0) ? mc_compose_transpose(c, x, perm) : x;
}

/* A, its scale and zero point, B and its, C of int32 on the scale of both, the output's: float32 without. */
static void microsoft_qgemm_compose(struct mc_composite *c)
{
    const struct mc_node *node = mc_compose_node(c);
    for (int i = 0; i < 6; i += 3)
        if (!mc_compose_check(
                c, mc_need_rank(node, i, mc_compose_fact(c, mc_compose_in(c, i)), 2, 2, mc_compose_error(c))))
            return;
    const int a = turned(c, 0, "transA"), b = turned(c, mc_compose_in(c, 3), "transB");
    const int sums = mc_compose(c, &mc_op_mat_mul_integer_10, 1, MC_NO_ATTRS,
                                MC_LIST(a, b, mc_compose_in(c, 2), mc_compose_in(c, 5)));
    const int all = mc_compose_plus(c, sums, mc_compose_in(c, 6));
    int y = scaled(c, all, mc_compose_in(c, 1), mc_compose_in(c, 4));
    const float alpha = mc_node_float(node, "alpha", 1.0f);
    if (alpha != 1.0f)
        y = mc_compose(c, &mc_op_mul_7, 1, MC_NO_ATTRS, MC_LIST(y, mc_compose_number(c, MC_FLOAT, (double)alpha)));
    if (mc_compose_in(c, 7) >= 0) y = quantized(c, y, mc_compose_in(c, 7), mc_compose_in(c, 8), 0);
    mc_compose_out(c, 0, y);
}

MC_COMPOSITE_OP(microsoft_qgemm, "com.microsoft", "QGemm", 1, 6, 9, 1,
                .no_backward = "quantized numbers have no derivative here")
