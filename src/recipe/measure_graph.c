/* measure_graph.c - the graph of a model, into a record; see measure_graph.h. */
#include "recipe/measure_graph.h"

#include "base/alloc.h"
#include "base/error.h"
#include "graph/facts.h"
#include "recipe/flat.h"
#include "run/plan.h"

const char *mc_node_label(const struct mc_node *node)
{
    const struct mc_value *output = node->n_outputs ? node->outputs[0] : NULL;
    return *node->name || !output ? node->name : output->name;
}

static void put_shape(const struct mc_node *node, const struct mc_facts *facts, struct mc_record *shapes)
{
    const struct mc_value *output = node->n_outputs ? node->outputs[0] : NULL;
    char text[256];
    const bool known = output && facts->of[output->id].dtype != MC_UNDEFINED;
    mc_record_append_text(shapes, known ? mc_shape_text(&facts->of[output->id].shape, text, sizeof text) : "");
}

/* What computes the same whatever the model is fed, such as a weight that is transposed, is no part of the picture.
 * `place` has the nodes before. */
static bool is_constant(const struct mc_node *node, const int *place)
{
    if (mc_node_n_subgraphs(node) > 0) return false;
    for (int k = 0; k < node->n_inputs; k++) {
        const struct mc_value *v = node->inputs[k];
        if (v && !v->data && (!v->producer || place[v->producer->id])) return false;
    }
    return true;
}

static int put_nodes(const struct mc_graph *graph, const struct mc_facts *facts, struct mc_record *into,
                     struct mc_error *err)
{
    struct mc_record *nodes = mc_record_array(into, "nodes"), *operators = mc_record_array(into, "operators");
    struct mc_record *shapes = mc_record_array(into, "shapes"), *reads = mc_record_array(into, "reads");
    int *place = MC_NEW_ARRAY(int, graph->model->n_node_ids); /* of each node, + 1; by id */
    if (!place) return mc_error_memory(err);
    int n = 0;
    for (int i = 0; i < graph->n_nodes; i++) {
        const struct mc_node *node = graph->nodes[i];
        if (is_constant(node, place)) continue;
        struct mc_record *list = mc_record_append_array(reads);
        place[node->id] = ++n;
        mc_record_append_text(nodes, mc_node_label(node));
        mc_record_append_text(operators, node->type);
        put_shape(node, facts, shapes);
        for (int k = 0; k < node->n_inputs; k++) {
            const struct mc_node *producer = node->inputs[k] ? node->inputs[k]->producer : NULL;
            if (producer && place[producer->id]) mc_record_append_int(list, place[producer->id] - 1);
        }
    }
    mc_free(place);
    return MC_OK;
}

int mc_measure_graph(const struct mc_model *model, struct mc_record *into, struct mc_error *err)
{
    const struct mc_dims dims = {.batch = 1};
    struct mc_facts facts = {0};
    struct mc_flat flat;
    int rc = mc_flat_init(&flat, model, err);
    if (rc < 0) return rc;
    rc = mc_model_facts(&facts, flat.model, &dims, true, err);
    if (rc == MC_OK) rc = put_nodes(flat.model->graph, &facts, mc_record_object(into, "graph"), err);
    mc_facts_finish(&facts);
    mc_flat_finish(&flat);
    return rc;
}
