/* matmul.c - MatMul: the matrix product of Numpy, with broadcast batches and one-dimensional operands.
 *
 * A [..., M, K] times B [..., K, N]; what stands before the last two axes broadcasts. A vector as A is one row, as B
 * one column, and that axis is missing in the output. ONNX MatMul since opset 1; versions differ in types only.
 * float32 and float64; the integer forms are refused.
 */
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "kernel/blas.h"
#include "kernel/packed.h"
#include "op/byte_rules.h"
#include "op/fused.h"
#include "op/ops.h"
#include "op/outline.h"

/* Operands as stacks of matrices. `y` is dense; offsets of a and b are 0 along what they broadcast. */
struct product {
    int64_t m, n, k;
    int rank; /* batch axes */
    int64_t extent[MC_MAX_RANK];
    int64_t a[MC_MAX_RANK], b[MC_MAX_RANK], y[MC_MAX_RANK];
};

static int n_batch_axes(const struct mc_shape *shape)
{
    return shape->rank > 2 ? shape->rank - 2 : 0;
}

static struct mc_shape batch_shape(const struct mc_shape *shape)
{
    return mc_shape_of(n_batch_axes(shape), shape->dim);
}

/* Offsets of matrices of `size` elements along the axes of the broadcast batch. */
static void batch_strides(const struct mc_shape *shape, int64_t size, int rank, int64_t *stride)
{
    int64_t step = size;
    for (int k = rank - 1, axis = n_batch_axes(shape) - 1; k >= 0; k--, axis--) {
        const int64_t extent = axis >= 0 ? shape->dim[axis] : 1;
        stride[k] = extent == 1 ? 0 : step;
        step *= extent;
    }
}

static struct product product_of(const struct mc_shape *a, const struct mc_shape *b)
{
    const int ra = a->rank, rb = b->rank;
    struct product p = {.m = ra > 1 ? a->dim[ra - 2] : 1, .n = rb > 1 ? b->dim[rb - 1] : 1, .k = a->dim[ra - 1]};
    if (rb <= 2) { /* one matrix for all rows of all matrices of A */
        p.m = mc_shape_span(a, 0, ra - 1);
        return p;
    }
    const struct mc_shape batch_a = batch_shape(a), batch_b = batch_shape(b);
    struct mc_shape batch;
    mc_shape_broadcast(&batch_a, &batch_b, &batch);
    p.rank = batch.rank;
    for (int k = 0; k < batch.rank; k++) p.extent[k] = batch.dim[k];
    batch_strides(a, p.m * p.k, p.rank, p.a);
    batch_strides(b, p.k * p.n, p.rank, p.b);
    int64_t step = p.m * p.n;
    for (int k = p.rank - 1; k >= 0; step *= p.extent[k--]) p.y[k] = step;
    return p;
}

static void matmul_outline(struct mc_symbols *s, const struct mc_node *node, const struct mc_outline *const *in,
                           struct mc_outline *out)
{
    const struct mc_outline *a = in[0], *b = in[1];
    if (a->rank < 1 || b->rank < 1) return;
    struct mc_outline batch_a = mc_outline_of_rank(a->rank > 2 ? a->rank - 2 : 0);
    struct mc_outline batch_b = mc_outline_of_rank(b->rank > 2 ? b->rank - 2 : 0);
    for (int k = 0; k < batch_a.rank; k++) batch_a.dim[k] = a->dim[k];
    for (int k = 0; k < batch_b.rank; k++) batch_b.dim[k] = b->dim[k];
    out[0] = mc_outline_join(s, &batch_a, &batch_b);
    if (a->rank > 1) mc_outline_append(&out[0], a->dim[a->rank - 2]);
    if (b->rank > 1) mc_outline_append(&out[0], b->dim[b->rank - 1]);
}

/* The batch of a product whose operands and result are any of a, b and y. */
static struct mc_gemm_batch batch_of(const struct product *p, const int64_t *a, const int64_t *b, const int64_t *c)
{
    struct mc_gemm_batch batch = {.rank = p->rank};
    for (int k = 0; k < p->rank; k++) {
        batch.extent[k] = p->extent[k];
        batch.a[k] = a[k];
        batch.b[k] = b[k];
        batch.c[k] = c[k];
    }
    return batch;
}

static int output_shape(const struct mc_node *node, const struct mc_shape *a, const struct mc_shape *b,
                        struct mc_shape *y, struct mc_error *err)
{
    const struct mc_shape batch_a = batch_shape(a), batch_b = batch_shape(b);
    if (!mc_shape_broadcast(&batch_a, &batch_b, y)) {
        char needed[128], found[128];
        return mc_error_set(
            err, MC_ERR_INPUT, "input 1 '%s': needs a shape whose leading axes broadcast with %s, has %s",
            node->inputs[1]->name, mc_shape_text(a, needed, sizeof needed), mc_shape_text(b, found, sizeof found));
    }
    if (a->rank > 1) y->dim[y->rank++] = a->dim[a->rank - 2];
    if (b->rank > 1) y->dim[y->rank++] = b->dim[b->rank - 1];
    return MC_OK;
}

static int matmul_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                        struct mc_error *err)
{
    for (int i = 0; i < 2; i++) {
        int rc = mc_need_dtype(node, i, in[i], MC_TYPES_FLOAT, err);
        if (rc == MC_OK) rc = mc_need_rank(node, i, in[i], 1, MC_MAX_RANK, err);
        if (rc < 0) return rc;
    }
    const struct mc_shape *a = &in[0]->shape, *b = &in[1]->shape;
    if (in[0]->dtype != in[1]->dtype)
        return mc_error_set(err, MC_ERR_INPUT, "input 1 '%s': needs %s like input 0, has %s", node->inputs[1]->name,
                            mc_dtype_name(in[0]->dtype), mc_dtype_name(in[1]->dtype));
    const int64_t k = a->dim[a->rank - 1], k_of_b = b->dim[b->rank > 1 ? b->rank - 2 : 0];
    if (k != k_of_b)
        return mc_error_set(err, MC_ERR_INPUT, "input 1 '%s': needs %" PRId64 " along axis %d, has %" PRId64,
                            node->inputs[1]->name, k, b->rank > 1 ? b->rank - 2 : 0, k_of_b);
    out[0].dtype = in[0]->dtype;
    const int rc = output_shape(node, a, b, &out[0].shape, err);
    if (rc < 0) return rc;
    const struct product p = product_of(a, b);
    if (!mc_gemm_fits(p.m, p.n, p.k))
        return mc_error_set(err, MC_ERR_UNSUPPORTED, "needs matrices with extents below 2^31");
    return MC_OK;
}

static int matmul_prepare(struct mc_step *step, struct mc_error *err)
{
    const struct mc_tensor *a = step->in[0], *b = step->in[1];
    const struct product p = product_of(&a->shape, &b->shape);
    if (b->shape.rank != 2 || !mc_step_packs(step, 1, p.m, p.n)) return MC_OK;
    const struct mc_unpacked w = {
        .w = b->data, .K = p.k, .M = p.n, .row_step = p.n, .column_step = 1, .bfloat16 = step->bfloat16, .rows = p.m};
    return mc_step_pack(step, 1, &w, err);
}

static int matmul_forward(struct mc_step *step, struct mc_error *err)
{
    const struct mc_tensor *a = step->in[0], *b = step->in[1], *y = step->out[0];
    const struct product p = product_of(&a->shape, &b->shape);
    if (step->state) {
        mc_packed_run(step->state, p.m, a->data, NULL, y->data, p.n);
        return MC_OK;
    }
    struct mc_gemm gemm = mc_gemm_dense(y->dtype, false, false, p.m, p.n, p.k);
    gemm.bfloats = mc_step_bfloats(step);
    const struct mc_gemm_batch batch = batch_of(&p, p.a, p.b, p.y);
    mc_gemm_batched(&gemm, &batch, a->data, b->data, y->data);
    return MC_OK;
}

/* dA = dy B^T and dB = A^T dy; summed over the axes along which the operand was broadcast. */
static int matmul_backward(struct mc_step *step, struct mc_error *err)
{
    const struct mc_tensor *a = step->in[0], *b = step->in[1], *dy = step->grad_out[0];
    const struct product p = product_of(&a->shape, &b->shape);
    if (step->grad_in[0]) {
        struct mc_gemm gemm = mc_gemm_dense(a->dtype, false, true, p.m, p.k, p.n);
        gemm.bfloats = mc_step_bfloats(step);
        const struct mc_gemm_batch batch = batch_of(&p, p.y, p.b, p.a);
        mc_gemm_batched(&gemm, &batch, dy->data, b->data, step->grad_in[0]->data);
    }
    if (step->grad_in[1]) {
        struct mc_gemm gemm = mc_gemm_dense(a->dtype, true, false, p.k, p.n, p.m);
        gemm.bfloats = mc_step_bfloats(step);
        const struct mc_gemm_batch batch = batch_of(&p, p.a, p.y, p.b);
        mc_gemm_batched(&gemm, &batch, a->data, dy->data, step->grad_in[1]->data);
    }
    return MC_OK;
}

/* --- coupling --- */

/* Axes of an operand and of the output that mean the same, from the last batch axis backwards. Where the operand is
 * broadcast (extent 1) nothing is said, so that its axis stays as it is. */
static int couple_batch(struct mc_coupling *c, const struct mc_value *operand, const struct mc_value *y, int y_axes,
                        struct mc_error *err)
{
    const struct mc_shape *shape = &mc_coupling_fact(c, operand)->shape;
    int rc = MC_OK;
    for (int axis = n_batch_axes(shape) - 1, to = y_axes - 1; axis >= 0 && rc == MC_OK; axis--, to--)
        if (shape->dim[axis] == mc_coupling_extent(c, y, to)) rc = mc_couple_axes(c, operand, axis, y, to, err);
    return rc;
}

/* A stored matrix on one side: the sum over K ends the channels of the other. */
static int couple_weight(struct mc_coupling *c, const struct mc_node *node, bool weight_is_b, struct mc_error *err)
{
    const struct mc_value *data = node->inputs[!weight_is_b], *weight = node->inputs[weight_is_b];
    const int data_rank = mc_coupling_fact(c, data)->shape.rank,
              y_rank = mc_coupling_fact(c, node->outputs[0])->shape.rank;
    const struct mc_contraction contraction = {
        .node = node,
        .data = data,
        .data_axis = weight_is_b || data_rank == 1 ? data_rank - 1 : data_rank - 2,
        .weight = weight,
        .weight_axis = weight_is_b ? 0 : 1,
        .weight_out_axis = weight_is_b ? 1 : 0,
        .groups = 1,
        .bias_input = -1,
        .out_axis = weight_is_b || data_rank == 1 ? y_rank - 1 : y_rank - 2,
        .movable = true,
    };
    int rc = mc_couple_role(c, weight, contraction.weight_out_axis, MC_ROLE_PRODUCES, err);
    if (rc == MC_OK) rc = mc_couple_role(c, weight, contraction.weight_axis, MC_ROLE_CONSUMES, err);
    return rc < 0 ? rc : mc_couple_contraction(c, &contraction, err);
}

/* Between two computed operands (queries and keys, say) the sum ends the channels of both: whoever masks one of them
 * masks the product. */
static int couple_computed(struct mc_coupling *c, const struct mc_node *node, int a_axis, int b_axis,
                           struct mc_error *err)
{
    const struct mc_contraction contraction = {.node = node,
                                               .data = node->inputs[0],
                                               .data_axis = a_axis,
                                               .weight = node->inputs[1],
                                               .weight_axis = b_axis,
                                               .groups = 1,
                                               .bias_input = -1,
                                               .movable = false};
    return mc_couple_contraction(c, &contraction, err);
}

/* A stored operand that is no matrix has no one row per channel: its sum is frozen. */
static int matmul_coupling(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err)
{
    const struct mc_value *a = node->inputs[0], *b = node->inputs[1], *y = node->outputs[0];
    const int ra = mc_coupling_fact(c, a)->shape.rank, rb = mc_coupling_fact(c, b)->shape.rank;
    const int ry = mc_coupling_fact(c, y)->shape.rank;
    const bool fixed_a = mc_coupling_is_fixed(c, a), fixed_b = mc_coupling_is_fixed(c, b);
    const int k_of_b = rb > 1 ? rb - 2 : 0;
    int rc = MC_OK;
    if ((fixed_b && rb != 2) || (fixed_a && !fixed_b && ra != 2)) {
        rc = mc_couple_freeze(c, node, a, ra - 1, "a sum against a constant that is no matrix", err);
        if (rc == MC_OK) rc = mc_couple_freeze(c, node, b, k_of_b, "a sum against a constant that is no matrix", err);
    } else {
        rc = mc_couple_axes(c, a, ra - 1, b, k_of_b, err);
    }
    if (rc == MC_OK && ra > 1) rc = mc_couple_axes(c, a, ra - 2, y, rb > 1 ? ry - 2 : ry - 1, err);
    if (rc == MC_OK && rb > 1) rc = mc_couple_axes(c, b, rb - 1, y, ry - 1, err);
    const int y_axes = ry - (ra > 1) - (rb > 1);
    if (rc == MC_OK) rc = couple_batch(c, a, y, y_axes, err);
    if (rc == MC_OK) rc = couple_batch(c, b, y, y_axes, err);
    if (rc < 0) return rc;
    if (fixed_b && rb == 2) return couple_weight(c, node, true, err);
    if (fixed_a && !fixed_b && ra == 2) return couple_weight(c, node, false, err);
    for (int k = 0; k < y_axes && rc == MC_OK; k++) rc = mc_couple_heads(c, y, k, err);
    if (rc < 0) return rc;
    return couple_computed(c, node, ra - 1, k_of_b, err);
}

static int matmul_terms(const struct mc_node *node, const struct mc_tensor *x, const struct mc_shape *w,
                        const int64_t *places, int64_t n, float *rows, struct mc_error *err)
{
    (void)node;
    if (w->rank != 2 || x->shape.dim[x->shape.rank - 1] != w->dim[0])
        return mc_error_set(err, MC_ERR_UNSUPPORTED, "the weight is no matrix on the right");
    const size_t K = (size_t)w->dim[0];
    for (int64_t i = 0; i < n; i++)
        memcpy(rows + (size_t)i * K, (const float *)x->data + (size_t)places[i] * K, K * sizeof *rows);
    return MC_OK;
}

static void matmul_cost(const struct mc_node *node, const struct mc_fact *const *in, const struct mc_fact *out,
                        struct mc_cost *cost)
{
    const int64_t k = in[0]->shape.dim[in[0]->shape.rank - 1];
    mc_cost_free(node, in, out, cost);
    cost->macs += mc_shape_count(&out[0].shape) * k;
    cost->flops += 2 * mc_shape_count(&out[0].shape) * k;
}

const struct mc_op mc_op_matmul_1 = {
    .domain = "",
    .type = "MatMul",
    .since = 1,
    .means = MC_MEANS_MATMUL,
    .merge = mc_merge_attention,
    .on_bytes = mc_bytes_matmul,
    .min_inputs = 2,
    .max_inputs = 2,
    .n_outputs = 1,
    .grad_inputs = 3,
    .keep = MC_KEEP_IN,
    .widens = true,
    .shape = matmul_shape,
    .outline = matmul_outline,
    .prepare = matmul_prepare,
    .release = mc_step_release_packed,
    .forward = matmul_forward,
    .backward = matmul_backward,
    .coupling = matmul_coupling,
    .terms = matmul_terms,
    .cost = matmul_cost,
};
