/* flex_attention.c - FlexAttention of ai.onnx.preview: attention whose scores and probabilities pass through graphs of
 * the node.
 *
 *     q: [B, heads, L, D]   k: [B, kv_heads, S, D]   v: [B, kv_heads, S, E]   y: [B, heads, L, E]
 *
 * Both graphs see [B, heads, L, S] in the precision of the softmax; the rest is computed in float32, or in float64 if
 * that is what comes in or what the softmax is of.
 */
#include <inttypes.h>
#include <math.h>

#include "base/alloc.h"
#include "base/error.h"
#include "kernel/blas.h"
#include "kernel/kernels.h"
#include "kernel/loops.h"
#include "kernel/parallel.h"
#include "op/control.h"
#include "op/items.h"
#include "op/move.h"

enum { Q, K, V, N_INPUTS };
#define TYPES_HALF (MC_TYPE_BIT(MC_FLOAT16) | MC_TYPE_BIT(MC_BFLOAT16))

/* What the softmax is of. */
static enum mc_dtype precision_of(const struct mc_node *node, enum mc_dtype in)
{
    return (enum mc_dtype)mc_node_int(node, "softmax_precision", in == MC_DOUBLE ? MC_DOUBLE : MC_FLOAT);
}

static int flex_attention_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                                struct mc_error *err)
{
    int rc = MC_OK;
    for (int i = Q; i < N_INPUTS && rc == MC_OK; i++) {
        rc = mc_need_dtype(node, i, in[i], i == Q ? MC_TYPES_FLOAT | TYPES_HALF : MC_TYPE_BIT(in[Q]->dtype), err);
        if (rc == MC_OK) rc = mc_need_rank(node, i, in[i], 4, 4, err);
    }
    if (rc < 0) return rc;
    const int64_t *q = in[Q]->shape.dim, *k = in[K]->shape.dim, *v = in[V]->shape.dim;
    if (k[0] != q[0] || v[0] != q[0] || k[1] != v[1] || k[2] != v[2] || k[3] != q[3] || k[1] < 1 || q[1] % k[1])
        return mc_error_set(err, MC_ERR_INPUT, "its inputs do not go together");
    const enum mc_dtype precision = precision_of(node, in[Q]->dtype);
    if (precision < 0 || precision >= MC_DTYPE_COUNT || !mc_dtype_is_float(precision))
        return mc_error_set(err, MC_ERR_INPUT, "attribute 'softmax_precision': needs a type of floats");
    if (!mc_gemm_fits(q[2], k[2], q[3]) || !mc_gemm_fits(q[2], v[3], k[2]))
        return mc_error_set(err, MC_ERR_UNSUPPORTED, "needs extents below 2^31");
    out[0] = (struct mc_fact){.dtype = in[Q]->dtype, .shape = {.rank = 4, .dim = {q[0], q[1], q[2], v[3]}}};
    return MC_OK;
}

/* The tensor in another type: `from` itself is given up, also on failure. */
static int become(struct mc_tensor **tensor, enum mc_dtype dtype, struct mc_error *err)
{
    struct mc_tensor *from = *tensor;
    if (from->dtype == dtype) return MC_OK;
    int rc = mc_tensor_create(tensor, dtype, &from->shape, err);
    if (rc < 0) *tensor = NULL;
    if (rc == MC_OK) rc = mc_tensor_convert(*tensor, from, err);
    mc_tensor_destroy(from);
    return rc;
}

/* Input i in the type that is computed in. */
static int take(const struct mc_call *call, int i, enum mc_dtype dtype, struct mc_tensor **tensor, struct mc_error *err)
{
    const struct mc_tensor *given = NULL;
    int rc = mc_take_tensor(call, i, &given, err);
    if (rc == MC_OK) rc = mc_tensor_view(tensor, given, NULL, 0, err);
    return rc == MC_OK ? become(tensor, dtype, err) : rc;
}

/* What the graph under that name, if there is one, makes of the scores. */
static int modify(struct mc_call *call, const char *name, enum mc_dtype precision, struct mc_tensor **scores,
                  struct mc_error *err)
{
    const enum mc_dtype dtype = (*scores)->dtype;
    const struct mc_shape shape = (*scores)->shape;
    const struct mc_graph *graph = NULL;
    struct mc_item *made = NULL;
    int rc = become(scores, precision, err);
    if (rc < 0 || !mc_node_attr(call->node, name)) return rc < 0 ? rc : become(scores, dtype, err);
    rc = mc_need_graph(call->node, name, &graph, err);
    if (rc == MC_OK && (graph->n_inputs != 1 || graph->n_outputs != 1))
        rc = mc_error_set(err, MC_ERR_INPUT, "graph '%s': needs one input and one output", name);
    if (rc < 0) return rc;
    struct mc_item *given = mc_item_of_tensor(*scores);
    *scores = NULL;
    rc = given ? call->run_graph(call, graph, 1, &given, &made, err) : mc_error_memory(err);
    mc_item_release(given);
    if (rc == MC_OK && (made->kind != MC_ITEM_TENSOR || !mc_shape_equal(&made->tensor->shape, &shape) ||
                        made->tensor->dtype != precision))
        rc = mc_error_set(err, MC_ERR_INPUT, "graph '%s': needs to keep type and shape", name);
    if (rc == MC_OK) rc = mc_tensor_view(scores, made->tensor, NULL, 0, err);
    mc_item_release(made);
    return rc == MC_OK ? become(scores, dtype, err) : rc;
}

/* c = alpha a b, head by head; b, or its transpose, serves several heads of a. */
static void multiply(const struct mc_tensor *a, const struct mc_tensor *b, bool transposed, double alpha,
                     struct mc_tensor *c)
{
    const int64_t *p = a->shape.dim, *q = b->shape.dim, *r = c->shape.dim, share = p[1] / q[1];
    struct mc_gemm g = mc_gemm_dense(c->dtype, false, transposed, r[2], r[3], p[3]);
    const struct mc_gemm_batch batch = {.rank = 3,
                                        .extent = {p[0], q[1], share},
                                        .a = {p[1] * p[2] * p[3], share * p[2] * p[3], p[2] * p[3]},
                                        .b = {q[1] * q[2] * q[3], q[2] * q[3], 0},
                                        .c = {r[1] * r[2] * r[3], share * r[2] * r[3], r[2] * r[3]}};
    g.alpha = alpha;
    if (mc_tensor_count(c)) mc_gemm_batched(&g, &batch, a->data, b->data, c->data);
}

static int softmax(struct mc_call *call, struct mc_tensor **scores, struct mc_error *err)
{
    const struct mc_tensor *x = *scores;
    struct mc_tensor *y;
    const int rc = mc_tensor_create(&y, x->dtype, &x->shape, err);
    if (rc < 0) return rc;
    const struct mc_row_loops *rows =
        &call->runtime->kernels->loops->rows[x->dtype == MC_DOUBLE ? MC_LOOP_F64 : MC_LOOP_F32];
    const int64_t n = x->shape.dim[3];
    const size_t size = mc_element_size(x->dtype);
    for (int64_t i = 0; n && i < mc_tensor_count(x) / n; i++)
        rows->softmax(n, (const char *)x->data + (size_t)(i * n) * size, (char *)y->data + (size_t)(i * n) * size);
    mc_tensor_destroy(*scores);
    *scores = y;
    return MC_OK;
}

static int flex_attention_evaluate(struct mc_call *call, struct mc_error *err)
{
    struct mc_tensor *in[N_INPUTS] = {NULL}, *scores = NULL, *y = NULL;
    struct mc_fact facts[N_INPUTS], out;
    const struct mc_fact *given[N_INPUTS];
    const struct mc_tensor *own = NULL;
    int rc = MC_OK;
    for (int i = 0; i < N_INPUTS && rc == MC_OK; i++) {
        rc = mc_take_tensor(call, i, &own, err);
        if (rc == MC_OK) facts[i] = mc_fact_of(own);
        given[i] = &facts[i];
    }
    if (rc == MC_OK) rc = flex_attention_shape(call->node, given, &out, err);
    if (rc < 0) return rc;
    const enum mc_dtype precision = precision_of(call->node, facts[Q].dtype);
    const enum mc_dtype work = facts[Q].dtype == MC_DOUBLE || precision == MC_DOUBLE ? MC_DOUBLE : MC_FLOAT;
    for (int i = 0; i < N_INPUTS && rc == MC_OK; i++) rc = take(call, i, work, &in[i], err);
    struct mc_shape shape = facts[Q].shape;
    shape.dim[3] = facts[K].shape.dim[2];
    if (rc == MC_OK) rc = mc_tensor_create(&scores, work, &shape, err);
    const double otherwise = 1 / sqrt((double)facts[Q].shape.dim[3]);
    const bool scaled = mc_node_attr(call->node, "scale");
    if (rc == MC_OK)
        multiply(in[Q], in[K], true, scaled ? (double)mc_node_float(call->node, "scale", 1) : otherwise, scores);
    if (rc == MC_OK) rc = modify(call, "score_mod", precision, &scores, err);
    if (rc == MC_OK) rc = softmax(call, &scores, err);
    if (rc == MC_OK) rc = modify(call, "prob_mod", precision, &scores, err);
    if (rc == MC_OK) rc = mc_tensor_create(&y, work, &out.shape, err);
    if (rc == MC_OK) {
        multiply(scores, in[V], false, 1, y);
        rc = become(&y, out.dtype, err);
    }
    mc_tensor_destroy(scores);
    for (int i = 0; i < N_INPUTS; i++) mc_tensor_destroy(in[i]);
    return rc == MC_OK ? mc_give_tensor(call, 0, y, err) : (mc_tensor_destroy(y), rc);
}

static void flex_attention_cost(const struct mc_node *node, const struct mc_fact *const *in, const struct mc_fact *out,
                                struct mc_cost *cost)
{
    const int64_t *q = in[Q]->shape.dim, *v = in[V]->shape.dim;
    const int64_t macs = q[0] * q[1] * q[2] * v[2] * (q[3] + v[3]);
    mc_cost_free(node, in, out, cost);
    cost->macs += macs;
    cost->flops += 2 * macs;
}

const struct mc_op mc_op_flex_attention_1 = {
    .domain = "ai.onnx.preview",
    .type = "FlexAttention",
    .since = 1,
    .min_inputs = 3,
    .max_inputs = 3,
    .n_outputs = 1,
    .shape = flex_attention_shape,
    .evaluate = flex_attention_evaluate,
    .backward = NULL,
    .no_backward = "it is run by itself, without a tape",
    .coupling = mc_coupling_freeze_all,
    .cost = flex_attention_cost,
};
