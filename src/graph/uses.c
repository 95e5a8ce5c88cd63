/* uses.c - who consumes each value; see graph.h. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "graph/op.h"

typedef void visit_fn(struct mc_uses *uses, const struct mc_value *value, struct mc_use use);

/* Call `visit` for every use in a graph and the graphs within, in the order of the nodes; a graph's outputs last. */
static void walk(struct mc_uses *uses, const struct mc_graph *graph, visit_fn *visit)
{
    for (int i = 0; i < graph->n_nodes; i++) {
        struct mc_node *node = graph->nodes[i];
        for (int k = 0; k < node->n_inputs; k++)
            if (node->inputs[k]) visit(uses, node->inputs[k], (struct mc_use){.node = node, .index = k});
        for (int k = 0; k < mc_node_n_subgraphs(node); k++) walk(uses, mc_node_subgraph(node, k), visit);
    }
    for (int i = 0; i < graph->n_outputs; i++) visit(uses, graph->outputs[i], (struct mc_use){.index = i});
}

static void count(struct mc_uses *uses, const struct mc_value *value, struct mc_use use)
{
    uses->n[value->id]++;
}

static void record(struct mc_uses *uses, const struct mc_value *value, struct mc_use use)
{
    uses->of[value->id][uses->n[value->id]++] = use;
}

int mc_uses_create(struct mc_uses *uses, const struct mc_model *model, struct mc_error *err)
{
    *uses = (struct mc_uses){.n_values = model->n_values};
    uses->n = MC_NEW_ARRAY(int, model->n_values);
    uses->of = MC_NEW_ARRAY(struct mc_use *, model->n_values);
    if (!uses->n || !uses->of) goto memory;
    walk(uses, model->graph, count);
    size_t total = 0;
    for (int i = 0; i < model->n_values; i++) total += (size_t)uses->n[i];
    uses->pool = MC_NEW_ARRAY(struct mc_use, total);
    if (!uses->pool) goto memory;
    struct mc_use *next = uses->pool;
    for (int i = 0; i < model->n_values; i++) {
        uses->of[i] = next;
        next += uses->n[i];
        uses->n[i] = 0;
    }
    walk(uses, model->graph, record);
    return MC_OK;
memory:
    mc_uses_finish(uses);
    return mc_error_memory(err);
}

void mc_uses_finish(struct mc_uses *uses)
{
    mc_free(uses->pool);
    mc_free(uses->of);
    mc_free(uses->n);
    memset(uses, 0, sizeof *uses);
}

int mc_merge_reads(const struct mc_merge *merge, const struct mc_node *last, const struct mc_value *v)
{
    int n = mc_node_reads(last, v);
    for (int i = 0; i < merge->n_inner; i++) n += mc_node_reads(merge->inner[i], v);
    return n;
}
