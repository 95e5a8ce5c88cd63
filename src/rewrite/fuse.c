/* fuse.c - several nodes that one operator does (mc_op.merge) become one of it, where the model's opset has it. */
#include "base/error.h"
#include "rewrite/pass.h"

static const struct mc_tensor *constant_of(const struct mc_merge *merge, const struct mc_value *v)
{
    return mc_rewrite_constant(merge->context, v);
}

static bool is_fixed(const struct mc_merge *merge, const struct mc_value *v)
{
    return constant_of(merge, v) != NULL;
}

/* Is what an inner node makes read inside alone? */
static bool is_hidden(const struct mc_rewrite *r, const struct mc_merge *merge, const struct mc_node *last,
                      const struct mc_node *inner)
{
    const struct mc_value *v = inner->n_outputs == 1 ? inner->outputs[0] : NULL;
    if (!v || v->is_output || v->id >= r->uses.n_values || inner->graph != last->graph) return false;
    return mc_merge_reads(merge, last, v) == r->uses.n[v->id];
}

static bool find(const struct mc_rewrite *r, const struct mc_node *last, struct mc_merge *merge)
{
    *merge = (struct mc_merge){
        .constant = constant_of, .is_fixed = is_fixed, .context = r, .facts = &r->facts, .portable = true};
    if (!last->op || !last->op->merge || last->outputs[0]->id >= r->facts.n_values) return false;
    if (r->facts.of[last->outputs[0]->id].dtype != MC_FLOAT || !last->op->merge(last, merge)) return false;
    if (mc_model_opset(r->model, merge->op->domain) < merge->opset) return false;
    for (int i = 0; i < merge->n_inner; i++)
        if (!is_hidden(r, merge, last, merge->inner[i])) return false;
    return true;
}

/* In the place of the last, with its output and name. The inner ones are nobody's then. */
static int put(struct mc_rewrite *r, struct mc_node *last, const struct mc_merge *merge, struct mc_error *err)
{
    struct mc_value *inputs[MC_MERGE_INPUTS], *y = last->outputs[0];
    const int at = mc_node_position(last);
    for (int i = 0; i < merge->n_inputs; i++) inputs[i] = r->model->values[merge->inputs[i]->id];
    const char *name = last->name;
    mc_node_remove(last);
    struct mc_node *node =
        mc_node_create(r->model->graph, at, merge->op->domain, merge->op->type, name, merge->n_inputs, inputs, 1, &y);
    if (!node) return mc_error_memory(err);
    int rc = MC_OK;
    for (int i = 0; i < merge->n_numbers && rc == MC_OK; i++)
        rc = mc_node_set_float(node, merge->numbers[i].name, merge->numbers[i].value, err);
    return rc == MC_OK && merge->axis ? mc_node_set_int(node, "axis", merge->axis, err) : rc;
}

static int run(struct mc_rewrite *r, int64_t *n, struct mc_error *err)
{
    const struct mc_graph *graph = r->model->graph;
    for (int i = graph->n_nodes - 1; i >= 0; i--) { /* what ends later may be the larger whole */
        struct mc_merge merge;
        if (!find(r, graph->nodes[i], &merge)) continue;
        const int rc = put(r, graph->nodes[i], &merge, err);
        if (rc < 0) return rc;
        ++*n;
    }
    return MC_OK;
}

/* What LayerNormalization, Gelu or Swish does is one of them. */
const struct mc_pass mc_pass_fuse = {"fuse", run};
