/* order.c - the order in which the nodes of a graph can run; see order.h. */
#include "onnx/order.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

/* Nodes by their position in the file, and for each the positions of those that it needs first. */
struct order {
    struct mc_graph *graph;
    int first_id;
    int *position; /* by node id - first_id */
    size_t *begin; /* the needs of node k: needs[begin[k]] … needs[begin[k+1]-1] */
    size_t n_needs, cap_needs;
    int *needs;
};

static int add_need(struct order *o, const struct mc_value *value, struct mc_error *err)
{
    if (!value || !value->producer || value->graph != o->graph) return MC_OK;
    if (!mc_grow((void **)&o->needs, o->n_needs, &o->cap_needs, sizeof *o->needs)) return mc_error_memory(err);
    o->needs[o->n_needs++] = o->position[value->producer->id - o->first_id];
    return MC_OK;
}

/* What a node reads, and what the graphs within it read from outside themselves. */
static int add_needs(struct order *o, const struct mc_node *node, struct mc_error *err)
{
    int rc = MC_OK;
    for (int i = 0; i < node->n_inputs && rc == MC_OK; i++) rc = add_need(o, node->inputs[i], err);
    const int n_subgraphs = mc_node_n_subgraphs(node);
    for (int k = 0; k < n_subgraphs; k++) {
        const struct mc_graph *sub = mc_node_subgraph(node, k);
        for (int i = 0; i < sub->n_outputs && rc == MC_OK; i++) rc = add_need(o, sub->outputs[i], err);
        for (int i = 0; i < sub->n_nodes && rc == MC_OK; i++) rc = add_needs(o, sub->nodes[i], err);
    }
    return rc;
}

/* *sorted: does every node come after what it needs? */
static int collect(struct order *o, bool *sorted, struct mc_error *err)
{
    const int n = o->graph->n_nodes, n_ids = o->graph->model->n_node_ids - o->first_id;
    o->position = MC_NEW_ARRAY(int, n_ids);
    o->begin = MC_NEW_ARRAY(size_t, (size_t)n + 1);
    if (!o->position || !o->begin) return mc_error_memory(err);
    for (int k = 0; k < n; k++) o->position[o->graph->nodes[k]->id - o->first_id] = k;
    *sorted = true;
    for (int k = 0; k < n; k++) {
        const int rc = add_needs(o, o->graph->nodes[k], err);
        if (rc < 0) return rc;
        o->begin[k + 1] = o->n_needs;
        for (size_t i = o->begin[k]; i < o->n_needs; i++) *sorted = *sorted && o->needs[i] < k;
    }
    return MC_OK;
}

/* A depth-first search without recursion: a node is placed after all that it needs. */
struct search {
    enum { UNSEEN, OPEN, PLACED } * state; /* of each node; OPEN: on the stack */
    size_t *next;                          /* which of its needs is to be looked at next */
    int depth, *stack;
    int n_placed;
    struct mc_node **placed;
};

static int place(const struct order *o, struct search *s, int root, struct mc_error *err)
{
    char text[256];
    s->stack[s->depth++] = root;
    while (s->depth > 0) {
        const int k = s->stack[s->depth - 1];
        if (s->state[k] == UNSEEN) {
            s->state[k] = OPEN;
            s->next[k] = o->begin[k];
        }
        if (s->next[k] == o->begin[k + 1]) {
            s->state[k] = PLACED;
            s->placed[s->n_placed++] = o->graph->nodes[k];
            s->depth--;
            continue;
        }
        const int need = o->needs[s->next[k]++];
        if (s->state[need] == OPEN)
            return mc_error_set(err, MC_ERR_INPUT, "node %s needs its own output: the graph has a cycle",
                                mc_node_text(o->graph->nodes[k], text, sizeof text));
        if (s->state[need] == UNSEEN) s->stack[s->depth++] = need;
    }
    return MC_OK;
}

static int sort(const struct order *o, struct mc_error *err)
{
    const int n = o->graph->n_nodes;
    struct search s = {0};
    s.state = mc_alloc((size_t)n, sizeof *s.state);
    s.next = MC_NEW_ARRAY(size_t, n);
    s.stack = MC_NEW_ARRAY(int, n);
    s.placed = MC_NEW_ARRAY(struct mc_node *, n);
    int rc = s.state && s.next && s.stack && s.placed ? MC_OK : mc_error_memory(err);
    for (int k = 0; k < n && rc == MC_OK; k++)
        if (s.state[k] == UNSEEN) rc = place(o, &s, k, err);
    if (rc == MC_OK) memcpy(o->graph->nodes, s.placed, (size_t)n * sizeof *s.placed);
    mc_free(s.placed);
    mc_free(s.stack);
    mc_free(s.next);
    mc_free(s.state);
    return rc;
}

int mc_order_nodes(struct mc_graph *graph, int first_id, struct mc_error *err)
{
    if (graph->n_nodes == 0) return MC_OK;
    struct order o = {.graph = graph, .first_id = first_id};
    bool sorted = false;
    int rc = collect(&o, &sorted, err);
    if (rc == MC_OK && !sorted) rc = sort(&o, err);
    mc_free(o.needs);
    mc_free(o.begin);
    mc_free(o.position);
    return rc;
}
