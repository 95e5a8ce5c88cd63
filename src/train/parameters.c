/* parameters.c - the tensors that training changes; see parameters.h and mc_trainable in train.h. */
#include "train/parameters.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "graph/reach.h"
#include "graph/widen.h"
#include "train/train.h"

/* --- which values does descent reach? --- */

static bool is_parameter(const struct mc_value *v)
{
    return v->data && mc_dtype_is_float(v->data->dtype) && v->data->shape.rank > 0;
}

int mc_trainable(const struct mc_model *model, struct mc_value ***values, int *n, struct mc_error *err)
{
    const struct mc_graph *graph = model->graph;
    /* Lent from the model's arena, which is not part of what `const` promises: no value or node changes. */
    struct mc_arena *arena = &graph->model->arena;
    bool *marked = MC_NEW_ARRAY(bool, model->n_values);
    struct mc_value **found = MC_ARENA_ARRAY(arena, struct mc_value *, graph->n_initializers + 1);
    if (!marked || !found) {
        mc_free(marked);
        return mc_error_memory(err);
    }
    for (int i = 0; i < graph->n_outputs; i++) marked[graph->outputs[i]->id] = true;
    mc_graph_mark_reached(graph, marked);
    int count = 0;
    for (int i = 0; i < graph->n_initializers; i++) {
        struct mc_value *v = graph->initializers[i];
        if (is_parameter(v) && marked[v->id]) found[count++] = v;
    }
    mc_free(marked);
    *values = found;
    *n = count;
    return MC_OK;
}

/* --- and which not, and why --- */

int mc_record_untrained(struct mc_plan *plan, const struct mc_model *model, struct mc_record *section,
                        struct mc_error *err)
{
    const struct mc_graph *graph = model->graph;
    struct mc_record *list = NULL;
    for (int i = 0; i < graph->n_initializers; i++) {
        const char *why = NULL;
        char name[128];
        const struct mc_value *v = graph->initializers[i];
        const struct mc_node *end = is_parameter(v) ? mc_plan_gradient_end(plan, v, &why) : NULL;
        if (!end) continue;
        if (!list) list = mc_record_array(section, "untrained");
        struct mc_record *entry = mc_record_append_object(list);
        snprintf(name, sizeof name, "%s%s%s", end->domain, *end->domain ? "." : "", end->type);
        mc_record_set_text(entry, "parameter", v->name);
        mc_record_set_text(entry, "node", end->name);
        mc_record_set_text(entry, "operator", name);
        mc_record_set_text(entry, "why", why);
    }
    return mc_record_check(section, err);
}

int mc_refuse_untrainable(struct mc_plan *plan, struct mc_value *const *parameters, int n, struct mc_error *err)
{
    static const char text[] = "no parameter can be trained: no gradient leads to one from the scores";
    for (int i = 0; i < n; i++) {
        const char *why;
        char name[128];
        const struct mc_node *end = mc_plan_gradient_end(plan, parameters[i], &why);
        if (end)
            return mc_error_set(err, MC_ERR_UNSUPPORTED, "%s; that of '%s' ends at %s: %s", text, parameters[i]->name,
                                mc_node_text(end, name, sizeof name), why);
    }
    return mc_error_set(err, MC_ERR_UNSUPPORTED, "%s", text);
}

/* --- copies of parameters that only look shared --- */

static int count_uses(const struct mc_graph *graph, const struct mc_value *value)
{
    int n = 0;
    for (int i = 0; i < graph->n_nodes; i++) n += mc_node_reads(graph->nodes[i], value);
    return n;
}

/* Does the node hand on an initializer as it is, while others use that too? */
static bool repeats_parameter(const struct mc_node *node)
{
    if (!node->op || !node->op->view || node->op->random || node->n_inputs != 1 || node->n_outputs != 1) return false;
    const struct mc_value *in = node->inputs[0], *out = node->outputs[0];
    if (!in || !in->data || !mc_dtype_is_float(in->data->dtype) || out->is_output) return false;
    const struct mc_fact fact = {.dtype = in->data->dtype, .shape = in->data->shape, .constant = in->data};
    const struct mc_fact *facts[MC_MAX_RANK] = {&fact}; /* rules may look at optional inputs beyond the first */
    struct mc_fact made = {0};
    if (node->op->max_inputs > MC_MAX_RANK || node->op->n_outputs > 1) return false;
    if (mc_op_shape(node, facts, &made, NULL) < 0 || !mc_shape_equal(&made.shape, &fact.shape)) return false;
    return count_uses(node->graph, in) > 1;
}

static int materialize(struct mc_node *node, struct mc_error *err)
{
    struct mc_value *repeated = node->outputs[0];
    struct mc_tensor *copy;
    int rc = mc_tensor_clone(&copy, node->inputs[0]->data, err);
    if (rc < 0) return rc;
    struct mc_value *own = mc_graph_add_initializer(node->graph, repeated->name, copy);
    if (!own) return mc_error_memory(err);
    rc = mc_value_replace(repeated, own, err);
    if (rc < 0) return rc;
    mc_node_remove(node);
    mc_value_remove(repeated);
    return MC_OK;
}

int mc_parameters_untie(struct mc_model *model, struct mc_error *err)
{
    struct mc_graph *graph = model->graph;
    for (int i = graph->n_nodes - 1; i >= 0; i--) {
        if (!repeats_parameter(graph->nodes[i])) continue;
        const int rc = materialize(graph->nodes[i], err);
        if (rc < 0) return rc;
    }
    return MC_OK;
}

int mc_parameters_own(struct mc_model *model, struct mc_error *err)
{
    const struct mc_graph *graph = model->graph;
    for (int i = 0; i < graph->n_initializers; i++) {
        struct mc_value *v = graph->initializers[i];
        struct mc_tensor *own;
        if (!mc_dtype_is_float(v->data->dtype)) continue;
        const int rc = mc_tensor_clone(&own, v->data, err);
        if (rc < 0) return rc;
        mc_tensor_destroy(v->data);
        v->data = own; /* not mc_value_set_data: these are the same contents, in the form the file has them */
    }
    return MC_OK;
}

/* --- snapshots --- */

int mc_snapshot_init(struct mc_snapshot *snapshot, const struct mc_model *model, struct mc_error *err)
{
    const struct mc_graph *graph = model->graph;
    *snapshot = (struct mc_snapshot){
        .values = MC_NEW_ARRAY(struct mc_value *, graph->n_initializers),
        .contents = MC_NEW_ARRAY(void *, graph->n_initializers),
    };
    if (!snapshot->values || !snapshot->contents) return mc_error_memory(err);
    for (int i = 0; i < graph->n_initializers; i++) {
        struct mc_value *v = graph->initializers[i];
        if (!mc_dtype_is_float(v->data->dtype)) continue;
        void *room = mc_alloc_aligned(mc_tensor_bytes(v->data), 1);
        if (!room) return mc_error_memory(err);
        snapshot->values[snapshot->n] = v;
        snapshot->contents[snapshot->n++] = room;
    }
    mc_snapshot_take(snapshot);
    return MC_OK;
}

void mc_snapshot_finish(struct mc_snapshot *snapshot)
{
    for (int i = 0; i < snapshot->n; i++) mc_free(snapshot->contents[i]);
    mc_free(snapshot->contents);
    mc_free(snapshot->values);
    *snapshot = (struct mc_snapshot){0};
}

void mc_snapshot_take(struct mc_snapshot *snapshot)
{
    for (int i = 0; i < snapshot->n; i++) {
        const struct mc_tensor *data = snapshot->values[i]->data;
        memcpy(snapshot->contents[i], data->data, mc_tensor_bytes(data));
    }
}

void mc_snapshot_restore(const struct mc_snapshot *snapshot)
{
    for (int i = 0; i < snapshot->n; i++) {
        const struct mc_tensor *data = snapshot->values[i]->data;
        memcpy(data->data, snapshot->contents[i], mc_tensor_bytes(data));
    }
}
