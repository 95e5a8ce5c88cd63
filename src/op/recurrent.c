/* recurrent.c - RNN, GRU and LSTM (ONNX opset 1, 7, 14; GRU 3): a cell that walks along a sequence.
 *
 *     x: [T, N, I]   w: [D, G H, I]   r: [D, G H, H]   b: [D, 2 G H]   y: [T, D, N, H]   y_h, y_c: [D, N, H]
 *
 * with G gates (1, 3 in the order z r h, 4 in the order i o f c) and D directions; `layout` 1 puts samples first. What
 * the gates make of all inputs is one product ahead of the walk. A sample that is shorter than T leaves zeros behind
 * its end, and reversed it starts at its own. LSTM: Hochreiter and Schmidhuber 1997 with the peepholes of Gers et al.
 * 2002; GRU: Cho et al. 2014.
 */
#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "op/outline.h"
#include "op/recurrence.h"

static const int gates_of[] = {[RNN] = 1, [GRU] = 3, [LSTM] = 4};

int mc_recurrent_extents_of(const struct mc_node *node, const struct mc_shape *x, const struct mc_shape *r,
                            struct mc_recurrent_extents *e, struct mc_error *err)
{
    const bool bidirectional = mc_node_string_is(node, "direction", "bidirectional", false);
    const bool first = mc_node_int(node, "layout", 0) != 0;
    if (!bidirectional && !mc_node_string_is(node, "direction", "forward", true) &&
        !mc_node_string_is(node, "direction", "reverse", false))
        return mc_error_set(err, MC_ERR_INPUT, "attribute 'direction': needs forward, reverse or bidirectional");
    *e = (struct mc_recurrent_extents){.samples_first = first,
                                       .T = x->dim[first ? 1 : 0],
                                       .N = x->dim[first ? 0 : 1],
                                       .I = x->dim[2],
                                       .H = mc_node_int(node, "hidden_size", r->dim[2]),
                                       .D = bidirectional ? 2 : 1,
                                       .G = gates_of[mc_recurrent_cell_of(node)]};
    if (e->H < 1 || e->H > INT32_MAX / 8)
        return mc_error_set(err, MC_ERR_INPUT, "attribute 'hidden_size': %" PRId64, e->H);
    return MC_OK;
}

static int need_shape(const struct mc_node *node, const struct mc_fact *const *in, int i, struct mc_shape shape,
                      struct mc_error *err)
{
    char want[128], have[128];
    if (!in[i]) return MC_OK;
    const uint64_t type = MC_TYPE_BIT(i == LENGTHS ? MC_INT32 : in[X]->dtype);
    const int rc = mc_need_dtype(node, i, in[i], type, err);
    if (rc < 0 || mc_shape_equal(&in[i]->shape, &shape)) return rc;
    return mc_error_set(err, MC_ERR_INPUT, "input %d '%s': needs shape %s, has %s", i, node->inputs[i]->name,
                        mc_shape_text(&shape, want, sizeof want), mc_shape_text(&in[i]->shape, have, sizeof have));
}

static int recurrent_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                           struct mc_error *err)
{
    struct mc_recurrent_extents e = {0};
    int rc = MC_OK;
    for (int i = X; i <= R && rc == MC_OK; i++) {
        rc = mc_need_dtype(node, i, in[i], MC_TYPES_FLOAT, err);
        if (rc == MC_OK) rc = mc_need_rank(node, i, in[i], 3, 3, err);
    }
    if (rc == MC_OK) rc = mc_recurrent_extents_of(node, &in[X]->shape, &in[R]->shape, &e, err);
    if (rc < 0) return rc;
    const struct mc_shape state = e.samples_first ? (struct mc_shape){.rank = 3, .dim = {e.N, e.D, e.H}}
                                                  : (struct mc_shape){.rank = 3, .dim = {e.D, e.N, e.H}};
    const int64_t rows = e.G * e.H;
    rc = need_shape(node, in, W, (struct mc_shape){.rank = 3, .dim = {e.D, rows, e.I}}, err);
    if (rc == MC_OK) rc = need_shape(node, in, R, (struct mc_shape){.rank = 3, .dim = {e.D, rows, e.H}}, err);
    if (rc == MC_OK) rc = need_shape(node, in, B, (struct mc_shape){.rank = 2, .dim = {e.D, 2 * rows}}, err);
    if (rc == MC_OK) rc = need_shape(node, in, LENGTHS, (struct mc_shape){.rank = 1, .dim = {e.N}}, err);
    if (rc == MC_OK) rc = need_shape(node, in, H_0, state, err);
    if (rc == MC_OK && e.G == 4) rc = need_shape(node, in, C_0, state, err);
    if (rc == MC_OK && e.G == 4) rc = need_shape(node, in, P, (struct mc_shape){.rank = 2, .dim = {e.D, 3 * e.H}}, err);
    if (rc < 0) return rc;
    for (int i = 0; i < node->op->n_outputs; i++) out[i] = (struct mc_fact){.dtype = in[X]->dtype, .shape = state};
    out[0].shape = e.samples_first ? (struct mc_shape){.rank = 4, .dim = {e.N, e.T, e.D, e.H}}
                                   : (struct mc_shape){.rank = 4, .dim = {e.T, e.D, e.N, e.H}};
    return MC_OK;
}

static void recurrent_outline(struct mc_symbols *s, const struct mc_node *node, const struct mc_outline *const *in,
                              struct mc_outline *out)
{
    const struct mc_outline *x = in[X], *r = in[R];
    if (x->rank != 3 || r->rank != 3) return;
    const bool samples_first = mc_node_int(node, "layout", 0) != 0;
    const mc_symbol D = r->dim[0], H = r->dim[2], T = x->dim[samples_first], N = x->dim[!samples_first];
    const struct mc_outline state = {
        .rank = 3, .n_items = -1, .dim = {samples_first ? N : D, samples_first ? D : N, H}};
    for (int i = 0; i < node->op->n_outputs; i++) out[i] = state;
    out[0] = (struct mc_outline){.rank = 4, .n_items = -1, .dim = {T, D, N, H}};
    if (samples_first) out[0] = (struct mc_outline){.rank = 4, .n_items = -1, .dim = {N, T, D, H}};
}

static void recurrent_cost(const struct mc_node *node, const struct mc_fact *const *in, const struct mc_fact *out,
                           struct mc_cost *cost)
{
    struct mc_recurrent_extents e = {0};
    mc_cost_free(node, in, out, cost);
    if (mc_recurrent_extents_of(node, &in[X]->shape, &in[R]->shape, &e, NULL) < 0) return;
    e.H = in[R]->shape.dim[2]; /* not the attribute's: the cost of what a cut would leave is asked for too */
    const int64_t macs = e.D * e.T * e.N * e.G * e.H * (e.I + e.H);
    cost->macs += macs;
    cost->flops += 2 * macs + 8 * e.D * e.T * e.N * e.G * e.H;
}

/* --- hidden units --- */

/* Zeros whatever the inputs: what an exporter writes as initial state, of the extents that the input has. */
static bool is_zeros(const struct mc_coupling *c, const struct mc_value *v, int depth)
{
    static const char *const movers[] = {"Slice", "Expand", "Reshape", "Squeeze", "Unsqueeze", "Transpose", "Identity"};
    const struct mc_fact *fact = mc_coupling_fact(c, v);
    if (!fact || !fact->constant || depth == 0) return false;
    const struct mc_node *maker = v->producer;
    if (maker && !mc_coupling_is_fixed(c, v) && strcmp(maker->type, "ConstantOfShape") != 0) {
        bool moves = false;
        for (size_t i = 0; i < MC_COUNT(movers); i++) moves = moves || strcmp(maker->type, movers[i]) == 0;
        return moves && is_zeros(c, maker->inputs[0], depth - 1);
    }
    for (int64_t i = 0; i < mc_tensor_count(fact->constant); i++)
        if (mc_tensor_get_f64(fact->constant, i) != 0) return false;
    return true;
}

/* Index h of (y, a) is row g H + h of (v, b), for every gate g of `blocks`. */
static int couple_blocks(struct mc_coupling *c, const struct mc_value *y, int a, const struct mc_value *v, int b,
                         int64_t blocks, int64_t H, struct mc_error *err)
{
    int rc = MC_OK;
    for (int64_t g = 0; g < blocks; g++)
        for (int64_t h = 0; h < H && rc == MC_OK; h++) rc = mc_couple_index(c, y, a, h, v, b, g * H + h, err);
    return rc;
}

/* A unit's rows of both matrices, its biases and peepholes, and the column of R by which all units see its state. That
 * column is the one place within the node where the unit ends: the twin holds it at zero. */
static int couple_units(struct mc_coupling *c, const struct mc_node *node, const struct mc_recurrent_extents *e,
                        struct mc_error *err)
{
    const struct mc_value *r = node->inputs[R], *b = mc_node_input(node, B);
    const struct mc_value *peepholes = mc_node_input(node, P);
    int rc = couple_blocks(c, r, 2, r, 1, e->G, e->H, err);
    if (rc == MC_OK) rc = couple_blocks(c, r, 2, node->inputs[W], 1, e->G, e->H, err);
    if (rc == MC_OK && b) rc = couple_blocks(c, r, 2, b, 1, 2 * e->G, e->H, err);
    if (rc == MC_OK && peepholes) rc = couple_blocks(c, r, 2, peepholes, 1, 3, e->H, err);
    for (int i = 0; i < node->n_outputs && rc == MC_OK; i++)
        if (node->outputs[i]) rc = mc_couple_axes(c, r, 2, node->outputs[i], i == 0 ? 3 : 2, err);
    if (rc == MC_OK) rc = mc_couple_role(c, node->inputs[W], 1, MC_ROLE_PRODUCES, err);
    if (rc == MC_OK) rc = mc_couple_role(c, r, 1, MC_ROLE_PRODUCES, err);
    if (rc == MC_OK) rc = mc_couple_role(c, r, 2, MC_ROLE_CONSUMES, err);
    if (rc == MC_OK && b) rc = mc_couple_role(c, b, 1, MC_ROLE_SHIFT, err);
    const struct mc_contraction state = {.node = node,
                                         .data = r,
                                         .data_axis = 2,
                                         .weight = r,
                                         .weight_axis = 2,
                                         .weight_out_axis = 1,
                                         .groups = 1,
                                         .bias_input = -1};
    return rc < 0 ? rc : mc_couple_contraction(c, &state, err);
}

/* A state that is given ties the units too; where it is zero it is not needed, and recurrent_resize leaves it out. */
static int couple_states(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err)
{
    int rc = MC_OK;
    for (int i = H_0; i <= C_0 && i < node->n_inputs && rc == MC_OK; i++)
        if (node->inputs[i] && !is_zeros(c, node->inputs[i], 8))
            rc = mc_couple_axes(c, node->inputs[R], 2, node->inputs[i], 2, err);
    return rc;
}

static int recurrent_coupling(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err)
{
    const struct mc_value *x = node->inputs[X], *w = node->inputs[W];
    struct mc_recurrent_extents e = {0};
    if (!mc_coupling_is_fixed(c, w) || !mc_coupling_is_fixed(c, node->inputs[R]))
        return mc_coupling_freeze_all(c, node, err);
    int rc = mc_recurrent_extents_of(node, &mc_coupling_fact(c, x)->shape, &mc_coupling_fact(c, node->inputs[R])->shape,
                                     &e, err);
    if (rc == MC_OK) rc = mc_couple_axes(c, x, 2, w, 2, err);
    if (rc == MC_OK) rc = mc_couple_role(c, w, 2, MC_ROLE_CONSUMES, err);
    const struct mc_contraction reading = {.node = node,
                                           .data = x,
                                           .data_axis = 2,
                                           .weight = w,
                                           .weight_axis = 2,
                                           .weight_out_axis = 1,
                                           .groups = 1,
                                           .bias_input = -1};
    if (rc == MC_OK) rc = mc_couple_contraction(c, &reading, err);
    if (rc == MC_OK) rc = couple_units(c, node, &e, err);
    return rc == MC_OK ? couple_states(c, node, err) : rc;
}

static int recurrent_resize(struct mc_resize *resize, struct mc_node *node, struct mc_error *err)
{
    const int64_t H = mc_resize_new_extent(resize, node->inputs[R], 2);
    if (H == mc_resize_old_extent(resize, node->inputs[R], 2)) return MC_OK;
    for (int i = H_0; i <= C_0 && i < node->n_inputs; i++) {
        if (!node->inputs[i] || mc_resize_changed(resize, node->inputs[i])) continue;
        const int rc = mc_node_set_input(node, i, NULL, err); /* zeros, or it would be tied */
        if (rc < 0) return rc;
    }
    return mc_node_attr(node, "hidden_size") ? mc_node_set_int(node, "hidden_size", H, err) : MC_OK;
}

#define RECURRENT(name, onnx_type, version, most, outputs)                                                             \
    const struct mc_op mc_op_##name##_##version = {                                                                    \
        .domain = "",                                                                                                  \
        .type = onnx_type,                                                                                             \
        .since = version,                                                                                              \
        .min_inputs = 3,                                                                                               \
        .max_inputs = most,                                                                                            \
        .n_outputs = outputs,                                                                                          \
        .first_optional = true,                                                                                        \
        .widens = true,                                                                                                \
        .shape = recurrent_shape,                                                                                      \
        .outline = recurrent_outline,                                                                                  \
        .prepare = mc_recurrent_prepare,                                                                               \
        .release = mc_recurrent_release,                                                                               \
        .grad_inputs = 1u << X | 1u << W | 1u << R | 1u << B | 1u << H_0 | (most > P ? 1u << C_0 | 1u << P : 0),       \
        .keep = MC_KEEP_IN,                                                                                            \
        .forward = mc_recurrent_forward,                                                                               \
        .backward = mc_recurrent_backward,                                                                             \
        .others = "lengths",                                                                                           \
        .coupling = recurrent_coupling,                                                                                \
        .resize = recurrent_resize,                                                                                    \
        .cost = recurrent_cost,                                                                                        \
    };

RECURRENT(rnn, "RNN", 1, 6, 2)
RECURRENT(gru, "GRU", 1, 6, 2)
RECURRENT(lstm, "LSTM", 1, 8, 3)
