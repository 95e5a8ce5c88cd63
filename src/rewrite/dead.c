/* dead.c - what nobody uses goes: nodes, initializers. */
#include "base/alloc.h"
#include "base/error.h"
#include "rewrite/pass.h"

static bool is_used(const int *uses, const struct mc_node *node)
{
    for (int k = 0; k < node->n_outputs; k++)
        if (node->outputs[k] && (node->outputs[k]->is_output || uses[node->outputs[k]->id])) return true;
    return false;
}

static void forget_inputs(int *uses, const struct mc_node *node)
{
    for (int k = 0; k < node->n_inputs; k++)
        if (node->inputs[k]) uses[node->inputs[k]->id]--;
}

/* Backwards, so that what only the unused use goes too. A node with graphs inside keeps what those see. */
static int64_t mark(const struct mc_graph *graph, int *uses, bool *gone)
{
    int64_t n = 0;
    for (int i = graph->n_nodes - 1; i >= 0; i--) {
        gone[i] = !is_used(uses, graph->nodes[i]);
        if (!gone[i]) continue;
        forget_inputs(uses, graph->nodes[i]);
        n++;
    }
    return n;
}

static void remove_outputs(const struct mc_graph *graph, const bool *gone, struct mc_value **orphans, int *n)
{
    for (int i = 0; i < graph->n_nodes; i++)
        for (int k = 0; gone[i] && k < graph->nodes[i]->n_outputs; k++)
            if (graph->nodes[i]->outputs[k]) orphans[(*n)++] = graph->nodes[i]->outputs[k];
}

static int run(struct mc_rewrite *r, int64_t *n, struct mc_error *err)
{
    struct mc_graph *graph = r->model->graph;
    bool *gone = MC_NEW_ARRAY(bool, graph->n_nodes + 1);
    struct mc_value **orphans = MC_NEW_ARRAY(struct mc_value *, r->model->n_values + 1);
    const bool ok = gone && orphans;
    if (ok) {
        int n_orphans = 0;
        *n += mark(graph, r->uses.n, gone);
        remove_outputs(graph, gone, orphans, &n_orphans);
        mc_graph_remove_nodes(graph, graph->n_nodes, gone);
        for (int i = 0; i < n_orphans; i++) mc_value_remove(orphans[i]);
        for (int i = graph->n_initializers - 1; i >= 0; i--) {
            struct mc_value *v = graph->initializers[i];
            if (v->is_output || mc_value_is_used(v)) continue;
            mc_value_remove(v);
            ++*n;
        }
    }
    mc_free(orphans);
    mc_free(gone);
    return ok ? MC_OK : mc_error_memory(err);
}

/* Nodes and initializers that nobody uses go. */
const struct mc_pass mc_pass_dead = {"dead", run};
