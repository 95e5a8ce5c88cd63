/* reach.c - gradients followed from node to node; see reach.h. */
#include "graph/reach.h"

#include "graph/op.h"

static bool passes(const struct mc_node *node, int input)
{
    const int bit = input < 31 ? input : 31;
    return node->op->backward && (node->op->grad_inputs >> bit & 1);
}

static void mark_branches(const struct mc_node *node, bool *marked)
{
    for (int k = 0; k < mc_node_n_subgraphs(node); k++) {
        const struct mc_graph *branch = mc_node_subgraph(node, k);
        for (int i = 0; i < branch->n_outputs && i < node->n_outputs; i++)
            if (node->outputs[i] && marked[node->outputs[i]->id]) marked[branch->outputs[i]->id] = true;
        mc_graph_mark_reached(branch, marked);
    }
}

void mc_graph_mark_reached(const struct mc_graph *graph, bool *marked)
{
    for (int i = graph->n_nodes - 1; i >= 0; i--) { /* nodes stand in running order */
        const struct mc_node *node = graph->nodes[i];
        bool reached = false;
        for (int k = 0; k < node->n_outputs; k++) reached |= node->outputs[k] && marked[node->outputs[k]->id];
        if (!reached || !node->op) continue;
        if (node->op->branches) mark_branches(node, marked);
        for (int k = 0; k < node->n_inputs; k++)
            if (node->inputs[k] && passes(node, k)) marked[node->inputs[k]->id] = true;
    }
}
