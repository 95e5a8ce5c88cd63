/* gemm.c - Gemm: y = alpha A' B' + beta C.
 *
 * A' is A or its transpose, [M,K]; B' likewise, [K,N]; C broadcasts to [M,N]. ONNX Gemm 1, 6 (where C only
 * broadcasts if an attribute says so), 7, 9, 11 (C is optional) and 13. float32 and float64; the integer forms are
 * refused.
 */
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "kernel/blas.h"
#include "kernel/broadcast.h"
#include "kernel/copy.h"
#include "kernel/kernels.h"
#include "kernel/packed.h"
#include "op/byte_rules.h"
#include "op/ops.h"
#include "op/outline.h"

/* The node's product for these shapes of A and B; beta is C's factor. */
static struct mc_gemm product_of(const struct mc_node *node, enum mc_dtype dtype, const struct mc_shape *a,
                                 const struct mc_shape *b)
{
    const bool ta = mc_node_int(node, "transA", 0) != 0, tb = mc_node_int(node, "transB", 0) != 0;
    struct mc_gemm g = mc_gemm_dense(dtype, ta, tb, a->dim[ta], b->dim[!tb], a->dim[!ta]);
    g.alpha = mc_node_float(node, "alpha", 1.0f);
    g.beta = mc_node_float(node, "beta", 1.0f);
    return g;
}

static int gemm_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                      struct mc_error *err)
{
    for (int i = 0; i < 3; i++) {
        if (i == 2 && !in[2]) continue;
        int rc = mc_need_dtype(node, i, in[i], MC_TYPES_FLOAT, err);
        if (rc == MC_OK) rc = mc_need_rank(node, i, in[i], i < 2 ? 2 : 0, 2, err);
        if (rc < 0) return rc;
        if (in[i]->dtype != in[0]->dtype)
            return mc_error_set(err, MC_ERR_INPUT, "input %d '%s': needs %s like input 0, has %s", i,
                                node->inputs[i]->name, mc_dtype_name(in[0]->dtype), mc_dtype_name(in[i]->dtype));
    }
    const struct mc_gemm g = product_of(node, in[0]->dtype, &in[0]->shape, &in[1]->shape);
    const int64_t k = in[1]->shape.dim[g.trans_b];
    if (g.k != k)
        return mc_error_set(err, MC_ERR_INPUT, "input 1 '%s': needs %" PRId64 " along axis %d, has %" PRId64,
                            node->inputs[1]->name, g.k, g.trans_b, k);
    if (!mc_gemm_fits(g.m, g.n, g.k)) return mc_error_set(err, MC_ERR_UNSUPPORTED, "needs extents below 2^31");
    out[0].dtype = in[0]->dtype;
    out[0].shape = mc_shape_of(2, (int64_t[]){g.m, g.n});
    struct mc_shape both;
    const bool whole = node->op->since < 7 && !mc_node_int(node, "broadcast", 0);
    if (in[2] && whole && !mc_shape_equal(&in[2]->shape, &out[0].shape))
        return mc_error_set(err, MC_ERR_INPUT, "input 2 '%s': needs the output's shape without 'broadcast'",
                            node->inputs[2]->name);
    if (in[2] && (!mc_shape_broadcast(&in[2]->shape, &out[0].shape, &both) || !mc_shape_equal(&both, &out[0].shape))) {
        char needed[64], found[64];
        return mc_error_set(err, MC_ERR_INPUT, "input 2 '%s': needs a shape that broadcasts to %s, has %s",
                            node->inputs[2]->name, mc_shape_text(&out[0].shape, needed, sizeof needed),
                            mc_shape_text(&in[2]->shape, found, sizeof found));
    }
    return MC_OK;
}

static void gemm_outline(struct mc_symbols *s, const struct mc_node *node, const struct mc_outline *const *in,
                         struct mc_outline *out)
{
    if (in[0]->rank != 2 || in[1]->rank != 2) return;
    out[0] = mc_outline_of_rank(2);
    out[0].dim[0] = in[0]->dim[mc_node_int(node, "transA", 0) != 0];
    out[0].dim[1] = in[1]->dim[mc_node_int(node, "transB", 0) == 0];
}

/* y = C, broadcast. */
static void spread_addend(const struct mc_tensor *y, const struct mc_tensor *c)
{
    struct mc_box box = {.rank = 2, .extent = {y->shape.dim[0], y->shape.dim[1]}, .to = {y->shape.dim[1], 1}};
    int64_t step = 1;
    for (int a = c->shape.rank - 1, k = 1; a >= 0; step *= c->shape.dim[a--], k--)
        box.from[k] = c->shape.dim[a] == 1 ? 0 : step;
    mc_copy_box(y->data, c->data, &box, (size_t)mc_dtype_bits(y->dtype) / 8);
}

/* A plain product, of so few rows that BLAS would be busier packing B than multiplying? C may be a row. */
static bool is_packed(const struct mc_step *step, const struct mc_gemm *g)
{
    const struct mc_tensor *c = step->in[2];
    if (c && (g->beta != 1 || mc_tensor_count(c) != g->n || c->shape.dim[c->shape.rank - 1] != g->n)) return false;
    return mc_step_packs(step, 1, g->m, g->n) && !g->trans_a && g->alpha == 1;
}

static int gemm_prepare(struct mc_step *step, struct mc_error *err)
{
    const struct mc_tensor *b = step->in[1];
    const struct mc_gemm g = product_of(step->node, b->dtype, &step->in[0]->shape, &b->shape);
    if (!is_packed(step, &g)) return MC_OK;
    const struct mc_unpacked w = {.w = b->data,
                                  .K = g.k,
                                  .M = g.n,
                                  .row_step = g.trans_b ? 1 : g.n,
                                  .column_step = g.trans_b ? g.k : 1,
                                  .bfloat16 = step->bfloat16,
                                  .rows = g.m};
    return mc_step_pack(step, 1, &w, err);
}

static int gemm_forward(struct mc_step *step, struct mc_error *err)
{
    const struct mc_tensor *a = step->in[0], *b = step->in[1], *c = step->in[2], *y = step->out[0];
    struct mc_gemm g = product_of(step->node, y->dtype, &a->shape, &b->shape);
    if (step->state) {
        mc_packed_run(step->state, g.m, a->data, c ? c->data : NULL, y->data, g.n);
        return MC_OK;
    }
    if (!c) g.beta = 0;
    if (g.beta != 0) spread_addend(y, c);
    g.bfloats = mc_step_bfloats(step);
    mc_gemm(&g, a->data, b->data, y->data);
    return MC_OK;
}

/* d/dA' = alpha dy B'^T. */
static void backward_a(struct mc_step *step, const struct mc_gemm *y)
{
    struct mc_gemm g = y->trans_a ? mc_gemm_dense(y->dtype, y->trans_b, true, y->k, y->m, y->n)
                                  : mc_gemm_dense(y->dtype, false, !y->trans_b, y->m, y->k, y->n);
    g.alpha = y->alpha;
    g.bfloats = mc_step_bfloats(step);
    const void *b = step->in[1]->data, *dy = step->grad_out[0]->data;
    mc_gemm(&g, y->trans_a ? b : dy, y->trans_a ? dy : b, step->grad_in[0]->data);
}

/* d/dB' = alpha A'^T dy. */
static void backward_b(struct mc_step *step, const struct mc_gemm *y)
{
    struct mc_gemm g = y->trans_b ? mc_gemm_dense(y->dtype, true, y->trans_a, y->n, y->k, y->m)
                                  : mc_gemm_dense(y->dtype, !y->trans_a, false, y->k, y->n, y->m);
    g.alpha = y->alpha;
    g.bfloats = mc_step_bfloats(step);
    const void *a = step->in[0]->data, *dy = step->grad_out[0]->data;
    mc_gemm(&g, y->trans_b ? dy : a, y->trans_b ? a : dy, step->grad_in[1]->data);
}

static int gemm_backward(struct mc_step *step, struct mc_error *err)
{
    const struct mc_tensor *dy = step->grad_out[0];
    const struct mc_gemm g = product_of(step->node, dy->dtype, &step->in[0]->shape, &step->in[1]->shape);
    if (step->grad_in[0]) backward_a(step, &g);
    if (step->grad_in[1]) backward_b(step, &g);
    if (step->grad_in[2]) {
        struct mc_nest nest;
        mc_nest_init(&nest, &dy->shape, &step->in[2]->shape, &dy->shape);
        mc_broadcast_sum(&nest, MC_NEST_A, step->runtime->kernels->loops, mc_loop_type(dy->dtype), NULL, NULL, NULL,
                         dy->data, g.beta, step->grad_in[2]->data);
    }
    return MC_OK;
}

/* The weight is whichever operand is fixed: B as exporters write it, A when the data comes second. A constant that the
 * contraction leaves behind moves into C, provided that both are scaled alike and C is a row. */
static int gemm_coupling(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err)
{
    const struct mc_value *a = node->inputs[0], *b = node->inputs[1], *y = node->outputs[0];
    const struct mc_value *addend = mc_node_input(node, 2);
    const int ta = mc_node_int(node, "transA", 0) != 0, tb = mc_node_int(node, "transB", 0) != 0;
    int rc = mc_couple_axes(c, a, !ta, b, tb, err);
    if (rc == MC_OK) rc = mc_couple_axes(c, a, ta, y, 0, err);
    if (rc == MC_OK) rc = mc_couple_axes(c, b, !tb, y, 1, err);
    if (rc == MC_OK && addend) rc = mc_couple_broadcast(c, addend, y, err);
    if (rc == MC_OK && addend) {
        const int last = mc_coupling_fact(c, addend)->shape.rank - 1;
        if (last >= 0 && mc_coupling_extent(c, addend, last) == mc_coupling_extent(c, y, 1))
            rc = mc_couple_role(c, addend, last, MC_ROLE_SHIFT, err);
    }
    const bool weight_is_b = mc_coupling_is_fixed(c, b), weight_is_a = !weight_is_b && mc_coupling_is_fixed(c, a);
    if (rc < 0) return rc;
    const bool row = !addend || (mc_coupling_fact(c, addend)->shape.rank == 1 &&
                                 mc_coupling_extent(c, addend, 0) == mc_coupling_extent(c, y, 1));
    const struct mc_contraction contraction = {
        .node = node,
        .data = weight_is_a ? b : a, /* of two computed operands either: whoever masks one masks the product */
        .data_axis = weight_is_a ? tb : !ta,
        .weight = weight_is_a ? a : b,
        .weight_axis = weight_is_a ? !ta : tb,
        .weight_out_axis = weight_is_a ? ta : !tb,
        .groups = 1,
        .bias_input = weight_is_b ? 2 : -1,
        .out_axis = weight_is_b ? 1 : 0,
        .movable = weight_is_b && row && mc_node_float(node, "alpha", 1) == mc_node_float(node, "beta", 1),
    };
    if (weight_is_a || weight_is_b) {
        rc = mc_couple_role(c, contraction.weight, contraction.weight_out_axis, MC_ROLE_PRODUCES, err);
        if (rc == MC_OK) rc = mc_couple_role(c, contraction.weight, contraction.weight_axis, MC_ROLE_CONSUMES, err);
    }
    return rc < 0 ? rc : mc_couple_contraction(c, &contraction, err);
}

static int gemm_terms(const struct mc_node *node, const struct mc_tensor *x, const struct mc_shape *w,
                      const int64_t *places, int64_t n, float *rows, struct mc_error *err)
{
    const struct mc_gemm g = product_of(node, MC_FLOAT, &x->shape, w);
    if (g.alpha != 1 || g.beta != 1) return mc_error_set(err, MC_ERR_UNSUPPORTED, "alpha or beta is not 1");
    const float *a = x->data;
    for (int64_t i = 0; i < n; i++, rows += g.k)
        for (int64_t k = 0; k < g.k; k++) rows[k] = g.trans_a ? a[k * g.m + places[i]] : a[places[i] * g.k + k];
    return MC_OK;
}

static void gemm_cost(const struct mc_node *node, const struct mc_fact *const *in, const struct mc_fact *out,
                      struct mc_cost *cost)
{
    const struct mc_gemm g = product_of(node, in[0]->dtype, &in[0]->shape, &in[1]->shape);
    mc_cost_free(node, in, out, cost);
    cost->macs += g.m * g.n * g.k;
    cost->flops += 2 * g.m * g.n * g.k + (in[2] ? g.m * g.n : 0);
}

#define GEMM_OP(version, meaning, bytes)                                                                               \
    const struct mc_op mc_op_gemm_##version = {                                                                        \
        .domain = "",                                                                                                  \
        .type = "Gemm",                                                                                                \
        .since = version,                                                                                              \
        .means = meaning,                                                                                              \
        .on_bytes = bytes,                                                                                             \
        .min_inputs = 2,                                                                                               \
        .max_inputs = 3,                                                                                               \
        .n_outputs = 1,                                                                                                \
        .grad_inputs = 7,                                                                                              \
        .keep = MC_KEEP_IN,                                                                                            \
        .widens = true,                                                                                                \
        .shape = gemm_shape,                                                                                           \
        .outline = gemm_outline,                                                                                       \
        .prepare = gemm_prepare,                                                                                       \
        .release = mc_step_release_packed,                                                                             \
        .forward = gemm_forward,                                                                                       \
        .backward = gemm_backward,                                                                                     \
        .coupling = gemm_coupling,                                                                                     \
        .terms = gemm_terms,                                                                                           \
        .cost = gemm_cost,                                                                                             \
    }

GEMM_OP(1, MC_MEANS_OTHER, NULL); /* C has the output's shape, or broadcasts where the attribute says so */
GEMM_OP(7, MC_MEANS_GEMM, mc_bytes_gemm);
