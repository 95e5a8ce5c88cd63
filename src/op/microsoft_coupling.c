/* microsoft_coupling.c - coupling rules of com.microsoft; see microsoft_coupling.h. */
#include "op/microsoft_coupling.h"

#include <math.h>

#include "graph/resize.h"
#include "op/ops.h"

static int rank_of(const struct mc_coupling *c, const struct mc_value *v)
{
    return v ? mc_coupling_fact(c, v)->shape.rank : 0;
}

/* A vector of one number for each index of the last axis of y. */
static int couple_vector(struct mc_coupling *c, const struct mc_value *v, const struct mc_value *y, enum mc_role role,
                         struct mc_error *err)
{
    if (!v) return 0;
    const int rc = mc_couple_axes(c, v, 0, y, rank_of(c, y) - 1, err);
    return rc < 0 ? rc : mc_couple_role(c, v, 0, role, err);
}

int mc_microsoft_bias_coupling(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err)
{
    const int rc = mc_coupling_elementwise(c, node, err);
    return rc < 0 || !mc_node_input(node, 1) ? rc : mc_couple_role(c, mc_node_input(node, 1), 0, MC_ROLE_SHIFT, err);
}

/* --- normalizations --- */

int mc_microsoft_skip_norm_coupling(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err)
{
    const struct mc_value *x = node->inputs[0], *y = node->outputs[0];
    const int last = rank_of(c, x) - 1;
    int rc = mc_couple_statistic(c, node, x, last, err);
    for (int i = 0; i < node->n_outputs && rc == 0; i++)
        for (int axis = 0; axis <= last && node->outputs[i] && rc == 0; axis++)
            if (axis < last || i == 0 || i == 3) rc = mc_couple_axes(c, x, axis, node->outputs[i], axis, err);
    if (rc == 0) rc = mc_couple_broadcast(c, node->inputs[1], y, err);
    for (int i = 2; i < node->n_inputs && rc == 0; i++)
        rc = couple_vector(c, node->inputs[i], y, i == 2 ? MC_ROLE_SCALE : MC_ROLE_SHIFT, err);
    return rc;
}

int mc_microsoft_embed_norm_coupling(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err)
{
    enum { TABLES = 2, SCALE = 5, SHIFT = 6, SUM = 2 };
    const struct mc_value *y = node->outputs[0], *sum = mc_node_output(node, SUM);
    int rc = mc_couple_statistic(c, node, y, 2, err);
    for (int i = TABLES; i < SCALE && rc == 0; i++) {
        if (!mc_node_input(node, i)) continue;
        rc = mc_couple_axes(c, node->inputs[i], 1, y, 2, err);
        if (rc == 0) rc = mc_couple_role(c, node->inputs[i], 1, MC_ROLE_PRODUCES, err);
    }
    for (int axis = 0; axis < 3 && sum && rc == 0; axis++) rc = mc_couple_axes(c, y, axis, sum, axis, err);
    if (rc == 0) rc = couple_vector(c, mc_node_input(node, SCALE), y, MC_ROLE_SCALE, err);
    return rc < 0 ? rc : couple_vector(c, mc_node_input(node, SHIFT), y, MC_ROLE_SHIFT, err);
}

/* --- attention --- */

/* Index first + i of (v, axis) is feature i of the values, for all heads alike; so is index i of the result. */
static int couple_values(struct mc_coupling *c, const struct mc_node *node, const struct mc_value *v, int axis,
                         int64_t first, struct mc_error *err)
{
    const struct mc_value *y = node->outputs[0];
    const int64_t n = mc_coupling_extent(c, y, 2), d = n / mc_node_int(node, "num_heads", 1);
    int rc = 0;
    for (int64_t i = 0; i < n && rc == 0; i++) {
        rc = mc_couple_index(c, v, axis, first + i, y, 2, i, err);
        if (rc == 0) rc = mc_couple_index(c, y, 2, i, y, 2, i % d, err);
    }
    return rc;
}

/* Queries and keys in what they are made of stay. */
static int freeze_first(struct mc_coupling *c, const struct mc_node *node, const struct mc_value *v, int axis,
                        int64_t n, struct mc_error *err)
{
    int rc = 0;
    for (int64_t i = 0; i < n && rc == 0; i++)
        rc = mc_couple_freeze_index(c, node, v, axis, i, "queries and keys are made inside the node", err);
    return rc;
}

/* One result, no past, heads of one size. */
static bool is_plain(const struct mc_coupling *c, const struct mc_node *node, int past)
{
    for (int i = 1; i < node->n_outputs; i++)
        if (node->outputs[i]) return false;
    for (int i = past; i < node->n_inputs; i++)
        if (node->inputs[i] && i != 5) return false; /* 5: what is added to the scores */
    const int64_t heads = mc_node_int(node, "num_heads", 0);
    return heads > 0 && rank_of(c, node->outputs[0]) == 3 && mc_coupling_extent(c, node->outputs[0], 2) % heads == 0;
}

int mc_microsoft_attention_coupling(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err)
{
    enum { X, WEIGHT, BIAS, PAST = 4 };
    const struct mc_value *x = node->inputs[X], *w = node->inputs[WEIGHT], *b = mc_node_input(node, BIAS);
    const struct mc_value *y = node->outputs[0];
    if (!is_plain(c, node, PAST) || rank_of(c, w) != 2) return mc_coupling_freeze_all(c, node, err);
    const int64_t first = mc_coupling_extent(c, w, 1) - mc_coupling_extent(c, y, 2);
    const struct mc_contraction contraction = {.node = node,
                                               .data = x,
                                               .data_axis = 2,
                                               .weight = w,
                                               .weight_axis = 0,
                                               .weight_out_axis = 1,
                                               .groups = 1,
                                               .bias_input = -1,
                                               .out_axis = 2,
                                               .movable = false};
    int rc = 0;
    for (int axis = 0; axis < 2 && rc == 0; axis++) rc = mc_couple_axes(c, x, axis, y, axis, err);
    if (rc == 0) rc = mc_couple_axes(c, x, 2, w, 0, err);
    if (rc == 0) rc = mc_couple_contraction(c, &contraction, err);
    if (rc == 0) rc = mc_couple_role(c, w, 0, MC_ROLE_CONSUMES, err);
    if (rc == 0) rc = mc_couple_role(c, w, 1, MC_ROLE_PRODUCES, err);
    if (rc == 0) rc = freeze_first(c, node, w, 1, first, err);
    if (rc == 0) rc = couple_values(c, node, w, 1, first, err);
    if (rc < 0 || !b) return rc;
    rc = freeze_first(c, node, b, 0, first, err);
    if (rc == 0) rc = couple_values(c, node, b, 0, first, err);
    return rc < 0 ? rc : mc_couple_role(c, b, 0, MC_ROLE_SHIFT, err);
}

/* The three are no longer of one size. */
int mc_microsoft_attention_resize(struct mc_resize *resize, struct mc_node *node, struct mc_error *err)
{
    int64_t n_sizes;
    const int64_t *given = mc_node_ints(node, "qkv_hidden_sizes", &n_sizes);
    const int64_t all = mc_resize_old_extent(resize, node->inputs[1], 1);
    const int64_t v = mc_resize_new_extent(resize, node->outputs[0], 2);
    if (v == mc_resize_old_extent(resize, node->outputs[0], 2)) return 0;
    const int64_t sizes[] = {n_sizes == 3 ? given[0] : all / 3, n_sizes == 3 ? given[1] : all / 3, v};
    return mc_node_set_ints(node, "qkv_hidden_sizes", sizes, 3, err);
}

void mc_microsoft_attention_cost(const struct mc_node *node, const struct mc_fact *const *in, const struct mc_fact *out,
                                 struct mc_cost *cost)
{
    const int64_t *x = in[0]->shape.dim, *w = in[1]->shape.dim, V = out[0].shape.dim[2], Q = (w[1] - V) / 2;
    const int64_t S = x[1] + (node->n_inputs > 4 && in[4] ? in[4]->shape.dim[3] : 0);
    const int64_t macs = x[0] * x[1] * (w[0] * w[1] + S * (Q + V));
    mc_cost_free(node, in, out, cost);
    cost->macs += macs;
    cost->flops += 2 * macs + 8 * x[0] * mc_node_int(node, "num_heads", 1) * x[1] * S;
}

int mc_microsoft_multi_head_coupling(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err)
{
    enum { Q, K, V, BIAS, PAST = 6 };
    const struct mc_value *q = node->inputs[Q], *k = mc_node_input(node, K), *v = mc_node_input(node, V),
                          *b = mc_node_input(node, BIAS);
    const struct mc_value *y = node->outputs[0];
    if (!is_plain(c, node, PAST) || rank_of(c, q) != 3 || rank_of(c, k) != 3 || rank_of(c, v) != 3)
        return mc_coupling_freeze_all(c, node, err);
    const int64_t n = mc_coupling_extent(c, q, 2), d = n / mc_node_int(node, "num_heads", 1);
    const struct mc_contraction contraction = {.node = node,
                                               .data = q,
                                               .data_axis = 2,
                                               .weight = k,
                                               .weight_axis = 2,
                                               .groups = 1,
                                               .bias_input = -1,
                                               .movable = false};
    int rc = couple_values(c, node, v, 2, 0, err);
    for (int i = Q; i <= V && rc == 0; i++) rc = mc_couple_axes(c, node->inputs[i], 0, y, 0, err);
    if (rc == 0) rc = mc_couple_axes(c, q, 1, y, 1, err);
    if (rc == 0) rc = mc_couple_axes(c, k, 1, v, 1, err);
    if (rc == 0) rc = mc_couple_contraction(c, &contraction, err);
    for (int64_t i = 0; i < n && !b && rc == 0; i++) {
        rc = mc_couple_index(c, q, 2, i, k, 2, i, err);
        if (rc == 0) rc = mc_couple_index(c, k, 2, i, k, 2, i % d, err);
    }
    if (rc < 0 || !b) return rc;
    rc = freeze_first(c, node, b, 0, 2 * n, err);
    if (rc == 0) rc = couple_values(c, node, b, 0, 2 * n, err);
    return rc < 0 ? rc : mc_couple_role(c, b, 0, MC_ROLE_SHIFT, err);
}

/* Fewer features are weighed as the many were. */
int mc_microsoft_multi_head_resize(struct mc_resize *resize, struct mc_node *node, struct mc_error *err)
{
    const int64_t n = mc_resize_old_extent(resize, node->inputs[0], 2), heads = mc_node_int(node, "num_heads", 1);
    if (mc_resize_new_extent(resize, node->inputs[0], 2) == n || mc_node_float(node, "scale", 0) != 0) return 0;
    return mc_node_set_float(node, "scale", (float)(1 / sqrt((double)(n / heads))), err);
}
