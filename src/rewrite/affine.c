/* affine.c - a y + b per channel behind a contraction goes into its weights and bias: batch normalization, and factors
 * and addends that are constant. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "op/ops.h"
#include "rewrite/pass.h"

/* What follows: scale[c] y + shift[c] for each of n channels, axis `from_right` places before the last of the output.
 */
struct affine {
    int64_t n;
    double *scale, *shift;
};

/* The contraction: where its weights have the output's channels. */
struct target {
    struct mc_node *node;
    const struct mc_tensor *w;
    int bias_input; /* -1: it has none */
    int64_t n;      /* channels */
    int from_right; /* of the channels' axis in the output */
    int rank;       /* that operands of what follows may have at most */
};

/* --- what goes before --- */

static const struct mc_tensor *stored(const struct mc_rewrite *r, const struct mc_node *node, int i)
{
    const struct mc_value *v = i < node->n_inputs ? node->inputs[i] : NULL;
    const bool is_ours = v && v->data && !v->is_output && v->id < r->uses.n_values && r->uses.n[v->id] == 1;
    return is_ours && (v->data->dtype == MC_FLOAT || v->data->dtype == MC_DOUBLE) ? v->data : NULL;
}

static bool is_row(const struct mc_tensor *t, int64_t n)
{
    return mc_tensor_count(t) == n && t->shape.rank > 0 && t->shape.dim[t->shape.rank - 1] == n;
}

static bool find_target(const struct mc_rewrite *r, struct mc_node *node, struct target *t)
{
    const enum mc_meaning means = mc_meaning_of(node);
    *t = (struct target){.node = node, .w = node && node->n_inputs > 1 ? stored(r, node, 1) : NULL, .bias_input = 2};
    if (!t->w || t->w->shape.rank < 2) return false;
    const struct mc_shape *s = &t->w->shape;
    t->rank = s->rank;
    t->from_right = means == MC_MEANS_CONV || means == MC_MEANS_CONV_TRANSPOSE ? s->rank - 2 : 0;
    switch (means) {
    case MC_MEANS_CONV_TRANSPOSE:
        t->n = s->dim[1] * mc_node_int(node, "group", 1);
        break;
    case MC_MEANS_CONV:
    case MC_MEANS_GEMM:
        t->n = s->dim[mc_weight_output_axis(node)];
        break;
    case MC_MEANS_MATMUL:
        t->n = s->dim[mc_weight_output_axis(node)];
        t->bias_input = -1;
        t->rank = 1;
        return s->rank == 2;
    default:
        return false;
    }
    const bool has_bias = node->n_inputs > 2 && node->inputs[2];
    const struct mc_tensor *bias = has_bias ? stored(r, node, 2) : NULL;
    return !has_bias || (bias && bias->dtype == t->w->dtype && is_row(bias, t->n));
}

/* --- what follows --- */

static bool read_norm(const struct mc_rewrite *r, const struct mc_node *node, const struct target *t, struct affine *a)
{
    const struct mc_tensor *in[5];
    if (mc_node_int(node, "training_mode", 0) || node->n_inputs < 5 || t->bias_input < 0) return false;
    for (int i = 1; i < 5; i++) {
        in[i] = mc_rewrite_constant(r, node->inputs[i]);
        if (!in[i] || in[i]->dtype != t->w->dtype || mc_tensor_count(in[i]) != a->n) return false;
    }
    for (int i = 1; i < node->n_outputs; i++)
        if (node->outputs[i]) return false;
    if (t->from_right != t->w->shape.rank - 2) return false; /* its channels are axis 1 */
    for (int64_t c = 0; c < a->n; c++) mc_norm_affine(node, in + 1, c, &a->scale[c], &a->shift[c]);
    return true;
}

/* One number for all channels, or one for each. */
static bool is_per_channel(const struct mc_tensor *k, const struct target *t)
{
    const int axis = k->shape.rank - 1 - t->from_right;
    if (k->dtype != t->w->dtype || k->shape.rank > t->rank) return false;
    return mc_tensor_count(k) == 1 || (mc_tensor_count(k) == t->n && axis >= 0 && k->shape.dim[axis] == t->n);
}

static bool read_binary(const struct mc_rewrite *r, const struct mc_node *node, const struct target *t,
                        struct affine *a)
{
    const enum mc_meaning means = mc_meaning_of(node);
    const int x = node->inputs[0] == t->node->outputs[0] ? 0 : 1;
    const struct mc_tensor *k = node->inputs[1 - x] ? mc_rewrite_constant(r, node->inputs[1 - x]) : NULL;
    if (!k || !is_per_channel(k, t) || (means == MC_MEANS_DIV && x == 1)) return false;
    for (int64_t c = 0; c < a->n; c++) {
        const double v = mc_tensor_get_f64(k, mc_tensor_count(k) == 1 ? 0 : c);
        a->scale[c] = means == MC_MEANS_MUL             ? v
                      : means == MC_MEANS_DIV           ? 1 / v
                      : means == MC_MEANS_SUB && x == 1 ? -1
                                                        : 1;
        a->shift[c] = means == MC_MEANS_ADD || (means == MC_MEANS_SUB && x == 1) ? v : means == MC_MEANS_SUB ? -v : 0;
    }
    return true;
}

static bool read_affine(const struct mc_rewrite *r, const struct mc_node *node, const struct target *t,
                        struct affine *a)
{
    bool known = false;
    switch (mc_meaning_of(node)) {
    case MC_MEANS_BATCH_NORM:
        known = node->inputs[0] == t->node->outputs[0] && read_norm(r, node, t, a);
        break;
    case MC_MEANS_ADD:
    case MC_MEANS_SUB:
    case MC_MEANS_MUL:
    case MC_MEANS_DIV:
        known = read_binary(r, node, t, a);
        break;
    default:
        break;
    }
    for (int64_t c = 0; c < a->n && known; c++) {
        known = isfinite(a->scale[c]) && isfinite(a->shift[c]);
        if (t->bias_input < 0 && a->shift[c] != 0) known = false;
    }
    return known;
}

/* --- one into the other --- */

/* Which channel element i of the weights belongs to. */
static int64_t channel_of(const struct target *t, int64_t i)
{
    const struct mc_shape *s = &t->w->shape;
    const int64_t inner = mc_shape_span(s, 2, s->rank), first = i / (s->dim[1] * inner), second = i / inner % s->dim[1];
    if (mc_meaning_of(t->node) == MC_MEANS_CONV_TRANSPOSE)
        return first / (s->dim[0] / mc_node_int(t->node, "group", 1)) * s->dim[1] + second;
    return mc_weight_output_axis(t->node) == 0 ? first : second;
}

static int scale_weights(const struct target *t, const struct affine *a, struct mc_error *err)
{
    struct mc_tensor *w;
    const int rc = mc_tensor_create(&w, t->w->dtype, &t->w->shape, err);
    if (rc < 0) return rc;
    for (int64_t i = 0; i < mc_tensor_count(w); i++)
        mc_tensor_set_f64(w, i, a->scale[channel_of(t, i)] * mc_tensor_get_f64(t->w, i));
    mc_value_set_data(t->node->inputs[1], w);
    return MC_OK;
}

static int move_bias(const struct target *t, const struct affine *a, struct mc_error *err)
{
    struct mc_node *node = t->node;
    struct mc_value *old = mc_node_input(node, 2);
    const double beta = mc_meaning_of(node) == MC_MEANS_GEMM ? (double)mc_node_float(node, "beta", 1) : 1;
    const struct mc_shape shape = mc_shape_of(1, &a->n);
    struct mc_tensor *b;
    int rc = mc_tensor_create(&b, t->w->dtype, &shape, err);
    if (rc < 0) return rc;
    for (int64_t c = 0; c < a->n; c++)
        mc_tensor_set_f64(b, c, (old ? beta * mc_tensor_get_f64(old->data, c) * a->scale[c] : 0) + a->shift[c]);
    if (old) {
        mc_value_set_data(old, b);
    } else {
        struct mc_value *bias = mc_graph_add_initializer_fresh(node->graph, "bias", b);
        if (!bias) return mc_error_memory(err);
        rc = mc_node_set_input(node, 2, bias, err);
    }
    return rc == MC_OK && beta != 1 ? mc_node_set_float(node, "beta", 1, err) : rc;
}

static int move(const struct target *t, const struct affine *a, struct mc_error *err)
{
    bool shifts = false;
    for (int64_t c = 0; c < a->n; c++) shifts = shifts || a->shift[c] != 0;
    const bool has_bias = t->bias_input >= 0 && t->node->n_inputs > 2 && t->node->inputs[2];
    const int rc = shifts || has_bias ? move_bias(t, a, err) : MC_OK;
    return rc < 0 ? rc : scale_weights(t, a, err); /* t->w is gone then */
}

static int try_node(struct mc_rewrite *r, struct mc_node *node, bool *moved, struct mc_error *err)
{
    struct target t;
    struct mc_value *y = node->n_outputs == 1 ? node->outputs[0] : NULL;
    struct mc_node *next = mc_rewrite_only_consumer(r, y);
    *moved = false;
    if (!next || !find_target(r, node, &t) || next->n_inputs < 2) return MC_OK;
    struct affine a = {.n = t.n, .scale = MC_NEW_ARRAY(double, t.n + 1), .shift = MC_NEW_ARRAY(double, t.n + 1)};
    int rc = a.scale && a.shift ? MC_OK : mc_error_memory(err);
    if (rc == MC_OK && read_affine(r, next, &t, &a)) {
        rc = move(&t, &a, err);
        r->uses.n[y->id] = 0; /* whoever reads it now is not in the snapshot */
        *moved = rc == MC_OK && mc_bypass(next, y);
        if (rc == MC_OK && !*moved) rc = mc_error_set(err, MC_ERR_INTERNAL, "'%s' cannot be bypassed", next->name);
    }
    mc_free(a.shift);
    mc_free(a.scale);
    return rc;
}

static int run(struct mc_rewrite *r, int64_t *n, struct mc_error *err)
{
    const struct mc_graph *graph = r->model->graph;
    for (int i = 0; i < graph->n_nodes; i++) {
        bool moved;
        const int rc = try_node(r, graph->nodes[i], &moved, err);
        if (rc < 0) return rc;
        *n += moved;
    }
    return MC_OK;
}

/* Batch normalization and constant factors and addends go into the weights before them. */
const struct mc_pass mc_pass_affine = {"affine", run};
