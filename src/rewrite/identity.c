/* identity.c - nodes that give what they get go: Identity, Dropout that is off, casts, views and transpositions that
 * change nothing. */
#include "rewrite/pass.h"

static bool others_unused(const struct mc_rewrite *r, const struct mc_node *node)
{
    for (int i = 1; i < node->n_outputs; i++)
        if (node->outputs[i] && (node->outputs[i]->is_output || r->uses.n[node->outputs[i]->id])) return false;
    return true;
}

/* Dropout draws only where an input says that the model is trained, or before opset 7 where nothing says that it is not. */
static bool is_off(const struct mc_rewrite *r, const struct mc_node *node)
{
    if (node->op->since < 7) return mc_node_int(node, "is_test", 0) != 0;
    if (node->n_inputs < 3 || !node->inputs[2]) return true;
    const struct mc_tensor *mode = mc_rewrite_constant(r, node->inputs[2]);
    return mode && mc_tensor_count(mode) == 1 && !mc_tensor_get_i64(mode, 0);
}

static bool same_type(const struct mc_rewrite *r, const struct mc_node *node)
{
    const struct mc_fact *x = &r->facts.of[node->inputs[0]->id], *y = &r->facts.of[node->outputs[0]->id];
    return x->dtype != MC_UNDEFINED && x->dtype == y->dtype;
}

static bool same_shape(const struct mc_rewrite *r, const struct mc_node *node)
{
    const struct mc_fact *x = mc_rewrite_fact(r, node->inputs[0]), *y = mc_rewrite_fact(r, node->outputs[0]);
    return x && y && mc_shape_equal(&x->shape, &y->shape);
}

static bool keeps_axes(const struct mc_node *node)
{
    int64_t n;
    const int64_t *perm = mc_node_ints(node, "perm", &n);
    for (int64_t i = 0; i < n; i++)
        if (perm[i] != i) return false;
    return n > 0;
}

static bool does_nothing(const struct mc_rewrite *r, const struct mc_node *node)
{
    switch (mc_meaning_of(node)) {
    case MC_MEANS_IDENTITY:
        return true;
    case MC_MEANS_DROPOUT:
        return is_off(r, node);
    case MC_MEANS_CAST:
        return same_type(r, node);
    case MC_MEANS_TRANSPOSE:
        return keeps_axes(node);
    default:
        return node->op && node->op->view && same_shape(r, node);
    }
}

/* Values that came after the snapshot are looked at next time. */
static bool is_known(const struct mc_rewrite *r, const struct mc_value *v)
{
    return v && v->id < r->facts.n_values;
}

static int run(struct mc_rewrite *r, int64_t *n, struct mc_error *err)
{
    struct mc_graph *graph = r->model->graph;
    for (int i = 0; i < graph->n_nodes; i++) {
        struct mc_node *node = graph->nodes[i];
        if (node->n_inputs < 1 || !is_known(r, node->inputs[0]) || !is_known(r, node->outputs[0])) continue;
        if (!others_unused(r, node) || !does_nothing(r, node) || !mc_bypass(node, node->inputs[0])) continue;
        ++*n;
        i--;
    }
    return MC_OK;
}

/* Nodes that give what they get go. */
const struct mc_pass mc_pass_identity = {"identity", run};
