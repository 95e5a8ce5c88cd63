/* merge.c - pairs of nodes that one operator computes (mc_op.merge): found before steps are made of nodes. */
#include "base/error.h"
#include "run/plan_state.h"

static void count_use(int *uses, const struct mc_value *v)
{
    if (v) uses[v->id]++;
}

/* Who reads a value: nodes, those of graphs inside nodes too, and whoever takes a graph's outputs. */
static void count_uses(const struct mc_graph *graph, int *uses)
{
    for (int i = 0; i < graph->n_outputs; i++) count_use(uses, graph->outputs[i]);
    for (int i = 0; i < graph->n_nodes; i++) {
        const struct mc_node *node = graph->nodes[i];
        for (int k = 0; k < node->n_inputs; k++) count_use(uses, node->inputs[k]);
        for (int k = 0; k < mc_node_n_subgraphs(node); k++) count_uses(mc_node_subgraph(node, k), uses);
    }
}

/* The step before k that makes v, if nobody else would miss v. */
static struct mc_plan_step *maker_of(const struct mc_plan *plan, int k, const struct mc_value *v, const int *uses)
{
    if (!v || uses[v->id] != 1 || mc_plan_value(plan, v)->clamped) return NULL;
    while (v->producer && --k >= 0)
        if (plan->steps[k].call.node == v->producer) return v->producer->n_outputs == 1 ? &plan->steps[k] : NULL;
    return NULL;
}

static int merge_into(struct mc_plan *plan, struct mc_plan_step *step, struct mc_plan_step *maker,
                      const struct mc_op *op, struct mc_error *err)
{
    struct mc_node *node = MC_PLAN_ARRAY(plan, struct mc_node, 1);
    if (!node) return mc_error_memory(err);
    *node = *step->call.node;
    node->op = op;
    node->inputs = maker->call.node->inputs;
    node->n_inputs = 1;
    node->n_attrs = 0;
    step->call.node = node;
    maker->call.node = NULL;
    return MC_OK;
}

static int try_merge(struct mc_plan *plan, int k, const int *uses, struct mc_error *err)
{
    struct mc_plan_step *step = &plan->steps[k];
    const struct mc_node *node = step->call.node;
    for (int i = 0; node->op->merge && i < node->n_inputs; i++) {
        struct mc_plan_step *maker = maker_of(plan, k, node->inputs[i], uses);
        const struct mc_op *op = maker ? node->op->merge(node, i, maker->call.node) : NULL;
        if (!op || mc_plan_value(plan, node->outputs[0])->tensor.dtype != MC_FLOAT) continue;
        return merge_into(plan, step, maker, op, err);
    }
    return MC_OK;
}

int mc_plan_merge(struct mc_plan *plan, struct mc_error *err)
{
    if (plan->options.training || plan->options.no_fold) return MC_OK;
    int *uses = MC_NEW_ARRAY(int, plan->n_values);
    if (!uses) return mc_error_memory(err);
    count_uses(plan->graph, uses);
    for (int i = 0; i < plan->options.n_taps; i++) count_use(uses, plan->options.taps[i]);
    int rc = MC_OK, kept = 0;
    for (int k = 0; k < plan->n_steps && rc == MC_OK; k++) rc = try_merge(plan, k, uses, err);
    for (int k = 0; k < plan->n_steps; k++)
        if (plan->steps[k].call.node) plan->steps[kept++] = plan->steps[k];
    plan->n_steps = kept;
    mc_free(uses);
    return rc;
}
