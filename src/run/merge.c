/* merge.c - several nodes that one operator computes (mc_op.merge): found before steps are made of nodes. */
#include "base/error.h"
#include "run/plan_state.h"

static const struct mc_tensor *constant_of(const struct mc_merge *merge, const struct mc_value *v)
{
    const struct mc_plan *plan = merge->context;
    return v && !mc_plan_value(plan, v)->varies ? plan->facts.of[v->id].constant : NULL;
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
    struct mc_attr *attrs = MC_PLAN_ARRAY(plan, struct mc_attr, n_like + MC_MERGE_NUMBERS);
    if (!node || !inputs || !attrs) return mc_error_memory(err);
    for (int i = 0; i < merge->n_inputs; i++)
        if (merge->inputs[i]) inputs[i] = plan->model->values[merge->inputs[i]->id];
    for (int i = 0; i < n_like; i++) attrs[i] = merge->like->attrs[i];
    for (int i = 0; i < merge->n_numbers; i++)
        attrs[n_like + i] =
            (struct mc_attr){.name = merge->numbers[i].name, .type = MC_ATTR_FLOAT, .f = merge->numbers[i].value};
    *node = *step->call.node;
    node->op = merge->op;
    node->type = merge->op->type;
    node->inputs = inputs;
    node->n_inputs = merge->n_inputs;
    node->attrs = attrs;
    node->n_attrs = n_like + merge->n_numbers;
    step->call.node = node;
    return MC_OK;
}

static int try_merge(struct mc_plan *plan, int k, const int *uses, struct mc_error *err)
{
    const struct mc_node *last = plan->steps[k].call.node;
    struct mc_plan_step *inner[MC_MERGE_MOST];
    struct mc_merge merge = {.constant = constant_of, .context = plan, .facts = &plan->facts};
    if (!last || !last->op->merge || mc_plan_value(plan, last->outputs[0])->tensor.dtype != MC_FLOAT) return MC_OK;
    if (!last->op->merge(last, &merge)) return MC_OK;
    for (int i = 0; i < merge.n_inner; i++) {
        inner[i] = step_of(plan, k, merge.inner[i]);
        if (!inner[i] || !is_hidden(plan, &merge, last, merge.inner[i], uses)) return MC_OK;
    }
    for (int i = 0; i < merge.n_inner; i++) inner[i]->call.node = NULL;
    return put(plan, &plan->steps[k], &merge, err);
}

int mc_plan_merge(struct mc_plan *plan, const int *uses, struct mc_error *err)
{
    if (plan->options.training || plan->options.no_fold) return MC_OK;
    int rc = MC_OK, kept = 0;
    /* What ends later may be the larger whole. */
    for (int k = plan->n_steps - 1; k >= 0 && rc == MC_OK; k--)
        if (plan->steps[k].call.node) rc = try_merge(plan, k, uses, err);
    for (int k = 0; k < plan->n_steps; k++)
        if (plan->steps[k].call.node) plan->steps[kept++] = plan->steps[k];
    plan->n_steps = kept;
    return rc;
}
