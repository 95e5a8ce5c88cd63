/* shed.c - letting go of constants that steps have packed and nobody else reads; see mc_model_spend in compress.h.
 *
 * Constants that the plan made itself go in any case: mc_plan_refresh makes them anew. Those of the model go if its
 * owner said so, and never those of graphs inside nodes, for which further plans may be made while this one runs.
 */
#include "base/alloc.h"
#include "base/block.h"
#include "run/plan_state.h"

/* One reader less; after the last the contents go. */
static void shed_value(struct mc_plan *plan, const struct mc_value *v, int *uses)
{
    if (--uses[v->id] > 0) return;
    struct mc_tensor *contents = v->data ? v->data : plan->facts.folded[v->id];
    const bool ours = !v->data || (plan->model->spent && plan->graph == plan->model->graph && v->graph == plan->graph);
    if (!contents || !ours) return;
    mc_tensor_shed(contents);
    plan->values[v->id].tensor.data = NULL;
}

/* The step's own copy in a wider type, if the input is one. */
static void shed_wide(struct mc_plan_step *step, const struct mc_tensor *input)
{
    for (int i = 0; i < step->n_wide_in; i++) {
        struct mc_plan_wide *wide = &step->wide[i];
        if (&wide->tensor != input) continue;
        mc_block_destroy(wide->own);
        wide->own = wide->tensor.data = NULL;
    }
}

void mc_plan_shed(struct mc_plan *plan, struct mc_plan_step *step, int *uses)
{
    const struct mc_node *node = step->call.node;
    for (int i = 0; i < node->n_inputs && i < 32; i++) {
        if (!(step->call.packed >> i & 1)) continue;
        shed_wide(step, step->call.in[i]);
        shed_value(plan, node->inputs[i], uses);
    }
}
