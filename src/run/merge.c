/* merge.c - several nodes that one operator computes (mc_op.merge): found before steps are made of nodes. */
#include "base/alloc.h"
#include "base/error.h"
#include "run/plan_state.h"

/* Rules ask for a few numbers. What is large is folded once it is known that somebody still reads it. */
static const struct mc_tensor *constant_of(const struct mc_merge *merge, const struct mc_value *v)
{
    const struct mc_plan *plan = merge->context;
    if (!v || mc_plan_value(plan, v)->varies) return NULL;
    return plan->facts.of[v->id].constant;
}

static bool is_fixed(const struct mc_merge *merge, const struct mc_value *v)
{
    return !mc_plan_value(merge->context, v)->varies;
}

/* Does nobody else read what an inner node makes? */
static bool is_hidden(const struct mc_plan *plan, const struct mc_merge *merge, const struct mc_node *last,
                      const struct mc_node *inner, const int *uses)
{
    const struct mc_value *v = inner->outputs[0];
    if (inner->n_outputs != 1 || !v || mc_plan_value(plan, v)->clamped) return false;
    return mc_merge_reads(merge, last, v) == uses[v->id];
}

/* The step that is nothing but this node. */
static struct mc_plan_step *step_of(const struct mc_plan *plan, int before, const struct mc_node *node)
{
    for (int k = before - 1; k >= 0; k--)
        if (plan->steps[k].call.node == node) return &plan->steps[k];
    return NULL;
}

static int put(struct mc_plan *plan, struct mc_plan_step *step, const struct mc_merge *merge, struct mc_error *err)
{
    const int n_like = merge->like ? merge->like->n_attrs : 0;
    struct mc_node *node = MC_PLAN_ARRAY(plan, struct mc_node, 1);
    struct mc_value **inputs = MC_PLAN_ARRAY(plan, struct mc_value *, MC_MERGE_INPUTS);
    struct mc_attr *attrs = MC_PLAN_ARRAY(plan, struct mc_attr, n_like + MC_MERGE_NUMBERS + 2);
    int64_t *ints = MC_PLAN_ARRAY(plan, int64_t, merge->n_ints);
    if (!node || !inputs || !attrs || !ints) return mc_error_memory(err);
    for (int i = 0; i < merge->n_inputs; i++)
        if (merge->inputs[i]) inputs[i] = plan->model->values[merge->inputs[i]->id];
    for (int i = 0; i < n_like; i++) attrs[i] = merge->like->attrs[i];
    for (int i = 0; i < merge->n_numbers; i++)
        attrs[n_like + i] =
            (struct mc_attr){.name = merge->numbers[i].name, .type = MC_ATTR_FLOAT, .f = merge->numbers[i].value};
    for (int i = 0; i < merge->n_ints; i++) ints[i] = merge->ints[i];
    *node = *step->call.node;
    node->op = merge->op;
    node->type = merge->op->type;
    node->inputs = inputs;
    node->n_inputs = merge->n_inputs;
    node->attrs = attrs;
    node->n_attrs = n_like + merge->n_numbers;
    if (merge->axis) attrs[node->n_attrs++] = (struct mc_attr){.name = "axis", .type = MC_ATTR_INT, .i = merge->axis};
    if (merge->ints_name)
        attrs[node->n_attrs++] =
            (struct mc_attr){.name = merge->ints_name, .type = MC_ATTR_INTS, .n = merge->n_ints, .ints = ints};
    node->does = merge->like;
    step->call.node = node;
    return MC_OK;
}

static void count(const struct mc_node *node, int by, int *uses)
{
    for (int i = 0; i < node->n_inputs; i++)
        if (node->inputs[i]) uses[node->inputs[i]->id] += by;
}

static bool is_clamped(const struct mc_plan *plan, const struct mc_node *node)
{
    for (int i = 0; i < node->n_outputs; i++)
        if (node->outputs[i] && mc_plan_value(plan, node->outputs[i])->clamped) return true;
    return false;
}

static int try_merge(struct mc_plan *plan, int k, int *uses, struct mc_error *err)
{
    const struct mc_node *last = plan->steps[k].call.node;
    struct mc_plan_step *inner[MC_MERGE_MOST];
    struct mc_merge merge = {.constant = constant_of, .is_fixed = is_fixed, .context = plan, .facts = &plan->facts};
    if (!last || !last->op->merge || last->n_inputs < 1 || !last->inputs[0]) return MC_OK;
    if (mc_plan_value(plan, last->inputs[0])->tensor.dtype != MC_FLOAT || !last->op->merge(last, &merge)) return MC_OK;
    for (int i = 0; i < merge.n_through; i++)
        if (is_clamped(plan, merge.through[i])) return MC_OK;
    for (int i = 0; i < merge.n_inner; i++) {
        inner[i] = step_of(plan, k, merge.inner[i]);
        if (!inner[i] || !is_hidden(plan, &merge, last, merge.inner[i], uses)) return MC_OK;
    }
    for (int i = 0; i < merge.n_inner; i++) {
        count(merge.inner[i], -1, uses);
        inner[i]->call.node = NULL;
    }
    count(last, -1, uses);
    const int rc = put(plan, &plan->steps[k], &merge, err);
    count(plan->steps[k].call.node, 1, uses);
    return rc;
}

static bool is_read(const struct mc_node *node, const int *uses)
{
    for (int i = 0; i < node->n_outputs; i++)
        if (node->outputs[i] && uses[node->outputs[i]->id] > 0) return true;
    return false;
}

/* What made the inputs of merged nodes and is read by nobody any more goes, nodes of constants too. */
static int drop_unread(struct mc_plan *plan, int *uses, struct mc_error *err)
{
    const struct mc_graph *graph = plan->graph;
    struct mc_plan_step **of = MC_NEW_ARRAY(struct mc_plan_step *, graph->n_nodes); /* still the model's own */
    if (!of) return mc_error_memory(err);
    for (int i = 0, k = 0; i < graph->n_nodes && k < plan->n_steps; i++)
        if (plan->steps[k].last == graph->nodes[i]) of[i] = &plan->steps[k++];
    for (int i = graph->n_nodes - 1; i >= 0; i--) {
        const struct mc_node *node = graph->nodes[i];
        if (is_read(node, uses) || mc_node_n_subgraphs(node)) continue;
        if (of[i] && of[i]->call.node != node) continue; /* counted when it was merged */
        if (of[i]) of[i]->call.node = NULL;
        count(node, -1, uses);
    }
    mc_free(of);
    return MC_OK;
}

int mc_plan_merge(struct mc_plan *plan, int *uses, struct mc_error *err)
{
    if (plan->options.training || plan->options.no_fold) return MC_OK;
    int rc = MC_OK, kept = 0;
    /* What ends later may be the larger whole. */
    for (int k = plan->n_steps - 1; k >= 0 && rc == MC_OK; k--)
        if (plan->steps[k].call.node) rc = try_merge(plan, k, uses, err);
    if (rc == MC_OK) rc = drop_unread(plan, uses, err);
    for (int k = 0; k < plan->n_steps; k++)
        if (plan->steps[k].call.node) plan->steps[kept++] = plan->steps[k];
    plan->n_steps = kept;
    return rc;
}
