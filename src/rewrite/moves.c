/* moves.c - chains of transpositions, chains of views. */
#include "rewrite/pass.h"

/* The node that makes input 0. */
static struct mc_node *before(const struct mc_node *node)
{
    return node->n_inputs > 0 && node->inputs[0] ? node->inputs[0]->producer : NULL;
}

/* --- transpositions --- */

/* y axis k is x axis first[second[k]]. */
static int join(struct mc_node *second, struct mc_node *first, bool *joined, struct mc_error *err)
{
    int64_t n, m, both[MC_MAX_RANK];
    const int64_t *p = mc_node_ints(first, "perm", &n), *q = mc_node_ints(second, "perm", &m);
    *joined = false;
    if (n < 1 || n != m || n > MC_MAX_RANK) return MC_OK;
    for (int64_t k = 0; k < n; k++) {
        if (q[k] < 0 || q[k] >= n) return MC_OK;
        both[k] = p[q[k]];
    }
    int rc = mc_node_set_ints(second, "perm", both, n, err);
    if (rc == MC_OK) rc = mc_node_set_input(second, 0, first->inputs[0], err);
    *joined = rc == MC_OK;
    return rc;
}

static int run_transpose(struct mc_rewrite *r, int64_t *n, struct mc_error *err)
{
    const struct mc_graph *graph = r->model->graph;
    for (int i = 0; i < graph->n_nodes; i++) {
        struct mc_node *node = graph->nodes[i], *first = before(node);
        bool joined;
        if (mc_meaning_of(node) != MC_MEANS_TRANSPOSE || mc_meaning_of(first) != MC_MEANS_TRANSPOSE) continue;
        const int rc = join(node, first, &joined, err);
        if (rc < 0) return rc;
        *n += joined;
    }
    return MC_OK;
}

/* A transposition of a transposition is one. */
const struct mc_pass mc_pass_transpose = {"transpose", run_transpose};

/* --- views --- */

/* Does it ask for extents of its input, by zeros? */
static bool copies_extents(const struct mc_rewrite *r, const struct mc_node *node)
{
    const struct mc_tensor *shape = node->n_inputs > 1 ? mc_rewrite_constant(r, node->inputs[1]) : NULL;
    if (!shape || shape->dtype != MC_INT64) return true;
    for (int64_t i = 0; i < mc_tensor_count(shape); i++)
        if (mc_tensor_get_i64(shape, i) == 0) return true;
    return false;
}

static int run_reshape(struct mc_rewrite *r, int64_t *n, struct mc_error *err)
{
    const struct mc_graph *graph = r->model->graph;
    for (int i = 0; i < graph->n_nodes; i++) {
        struct mc_node *node = graph->nodes[i];
        const struct mc_node *first = before(node);
        if (mc_meaning_of(node) != MC_MEANS_RESHAPE || !first || !first->op || !first->op->view) continue;
        if (copies_extents(r, node)) continue;
        const int rc = mc_node_set_input(node, 0, first->inputs[0], err);
        if (rc < 0) return rc;
        ++*n;
    }
    return MC_OK;
}

/* A Reshape of a view is one of what that shows. */
const struct mc_pass mc_pass_reshape = {"reshape", run_reshape};
