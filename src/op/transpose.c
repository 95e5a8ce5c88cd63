/* transpose.c - Transpose: axes in another order. */
#include "base/error.h"
#include "op/byte_rules.h"
#include "op/fused.h"
#include "op/move.h"
#include "op/outline.h"

/* perm[k]: the axis of the input that becomes axis k of the output. Reversed by default. */
static int read_perm(const struct mc_node *node, int rank, struct mc_ints *perm, struct mc_error *err)
{
    int rc = mc_ints_of_attr(node, "perm", perm, err);
    if (rc < 0) return rc;
    if (!perm->given) {
        perm->n = rank;
        for (int k = 0; k < rank; k++) perm->at[k] = rank - 1 - k;
    }
    if (perm->n != rank)
        return mc_error_set(err, MC_ERR_INPUT, "attribute 'perm': needs one entry for each of %d axes, has %d", rank,
                            perm->n);
    rc = mc_ints_as_axes(perm, rank, err);
    return rc < 0 ? mc_error_wrap(err, rc, "attribute 'perm'") : 0;
}

static int transpose_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                           struct mc_error *err)
{
    struct mc_ints perm;
    int rc = mc_need_dtype(node, 0, in[0], mc_types_copied, err);
    if (rc < 0) return rc;
    if ((rc = read_perm(node, in[0]->shape.rank, &perm, err)) < 0) return rc;
    *out = (struct mc_fact){.dtype = in[0]->dtype, .shape.rank = perm.n};
    for (int k = 0; k < perm.n; k++) out->shape.dim[k] = in[0]->shape.dim[perm.at[k]];
    return 0;
}

static void transpose_outline(struct mc_symbols *s, const struct mc_node *node, const struct mc_outline *const *in,
                              struct mc_outline *out)
{
    struct mc_ints perm;
    if (in[0]->rank < 0 || read_perm(node, in[0]->rank, &perm, NULL) < 0) return;
    out[0] = mc_outline_of_rank(perm.n);
    for (int k = 0; k < perm.n; k++) out[0].dim[k] = in[0]->dim[perm.at[k]];
}

/* y = x with axes in the order `perm`, written from front to back. */
static void permute(struct mc_tensor *y, const struct mc_tensor *x, const struct mc_ints *perm)
{
    int64_t strides[MC_MAX_RANK];
    struct mc_box box = {.rank = perm->n};
    mc_strides(&x->shape, strides);
    mc_strides(&y->shape, box.to);
    for (int k = 0; k < perm->n; k++) {
        box.extent[k] = y->shape.dim[k];
        box.from[k] = strides[perm->at[k]];
    }
    mc_copy_box(y->data, x->data, &box, mc_element_size(x->dtype));
}

static int transpose_forward(struct mc_step *step, struct mc_error *err)
{
    struct mc_ints perm;
    const int rc = read_perm(step->node, step->in[0]->shape.rank, &perm, err);
    if (rc < 0) return rc;
    permute(step->out[0], step->in[0], &perm);
    return 0;
}

static bool transpose_picks(const struct mc_node *node, const struct mc_fact *const *in, int output,
                            struct mc_picked *picked)
{
    struct mc_ints perm;
    if (read_perm(node, in[0]->shape.rank, &perm, NULL) < 0) return false;
    for (int k = 0; k < perm.n; k++) {
        picked->axis[k] = (int)perm.at[k];
        picked->step[k] = 1;
        picked->start[k] = 0;
    }
    return true;
}

static int transpose_backward(struct mc_step *step, struct mc_error *err)
{
    if (!step->grad_in[0]) return 0;
    if (!step->grad_out[0]) {
        mc_zero(step->grad_in[0]);
        return 0;
    }
    struct mc_ints perm;
    const int rc = read_perm(step->node, step->grad_in[0]->shape.rank, &perm, err);
    if (rc < 0) return rc;
    struct mc_ints inverse = {.n = perm.n};
    for (int k = 0; k < perm.n; k++) inverse.at[perm.at[k]] = k;
    permute(step->grad_in[0], step->grad_out[0], &inverse);
    return 0;
}

static int transpose_coupling(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err)
{
    struct mc_ints perm;
    int rc = read_perm(node, mc_coupling_fact(c, node->inputs[0])->shape.rank, &perm, err);
    for (int k = 0; k < perm.n && rc == 0; k++)
        rc = mc_couple_axes(c, node->inputs[0], (int)perm.at[k], node->outputs[0], k, err);
    return rc;
}

const struct mc_op mc_op_transpose_1 = {
    .domain = "",
    .type = "Transpose",
    .since = 1,
    .means = MC_MEANS_TRANSPOSE,
    .merge = mc_merge_attention,
    .on_bytes = mc_bytes_move,
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .grad_inputs = 1,
    .keep = MC_KEEP_NONE,
    .opaque = true,
    .picks = transpose_picks,
    .shape = transpose_shape,
    .outline = transpose_outline,
    .forward = transpose_forward,
    .backward = transpose_backward,
    .coupling = transpose_coupling,
    .resize = NULL, /* no extent is written down */
    .cost = mc_cost_free,
};
