/* graph.c - making and editing models: values, nodes, graphs; see graph.h. */
#include "graph/graph.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

/* --- growing arrays of pointers; they live in the arena, so the outgrown one stays there until the model dies --- */

static bool reserve(struct mc_arena *arena, void *array, int used, int *capacity, int wanted)
{
    if (wanted <= *capacity) return true;
    int grown = *capacity ? *capacity : 4;
    while (grown < wanted) {
        if (grown > INT_MAX / 2) return false;
        grown *= 2;
    }
    void **fresh = MC_ARENA_ARRAY(arena, void *, grown);
    if (!fresh) return false;
    void **old;
    memcpy(&old, array, sizeof old); /* `array` is the address of a T **, whatever T */
    if (used) memcpy(fresh, old, (size_t)used * sizeof *fresh);
    memcpy(array, &fresh, sizeof fresh);
    *capacity = grown;
    return true;
}

/* --- models and graphs --- */

int mc_model_create(struct mc_model **model, int64_t opset, struct mc_error *err)
{
    struct mc_model *m = MC_NEW(struct mc_model);
    if (!m) return mc_error_memory(err);
    mc_arena_init(&m->arena);
    m->opsets = MC_ARENA_NEW(&m->arena, struct mc_opset);
    m->graph = mc_graph_create(m, NULL, "main");
    if (!m->opsets || !m->graph) {
        mc_model_destroy(m);
        return mc_error_memory(err);
    }
    m->opsets[0] = (struct mc_opset){.domain = "", .version = opset};
    m->n_opsets = 1;
    *model = m;
    return MC_OK;
}

void mc_model_spend(struct mc_model *model)
{
    model->spent = true;
}

int mc_model_check_whole(const struct mc_model *model, struct mc_error *err)
{
    for (int i = 0; model->spent && i < model->n_values; i++)
        if (model->values[i] && model->values[i]->data && !model->values[i]->data->data)
            return mc_error_set(err, MC_ERR_USAGE, "the model was given for one plan, which took its weights");
    return MC_OK;
}

static void release_attrs(struct mc_node *node);

static void release_graph_attrs(struct mc_graph *graph)
{
    for (int i = 0; i < graph->n_nodes; i++) release_attrs(graph->nodes[i]);
}

/* Attributes are the only tensors that do not hang on a value. */
static void release_attrs(struct mc_node *node)
{
    for (int i = 0; i < node->n_attrs; i++) {
        struct mc_attr *a = &node->attrs[i];
        if (a->type == MC_ATTR_TENSOR) mc_tensor_destroy(a->t);
        if (a->type == MC_ATTR_TENSORS)
            for (int64_t k = 0; k < a->n; k++) mc_tensor_destroy(a->tensors[k]);
    }
    for (int i = 0; i < mc_node_n_subgraphs(node); i++) release_graph_attrs(mc_node_subgraph(node, i));
    node->n_attrs = 0;
}

void mc_model_destroy(struct mc_model *model)
{
    if (!model) return;
    if (model->graph) release_graph_attrs(model->graph);
    for (int i = 0; i < model->n_values; i++)
        if (model->values[i]) mc_tensor_destroy(model->values[i]->data);
    mc_origin_release(model->origin);
    mc_arena_finish(&model->arena);
    mc_free(model);
}

static void tell_owner(struct mc_graph *graph, struct mc_model *model)
{
    graph->model = model;
    for (int i = 0; i < graph->n_nodes; i++)
        for (int k = 0; k < mc_node_n_subgraphs(graph->nodes[i]); k++)
            tell_owner(mc_node_subgraph(graph->nodes[i], k), model);
}

void mc_model_swap(struct mc_model *a, struct mc_model *b)
{
    const struct mc_model t = *a;
    *a = *b;
    *b = t;
    tell_owner(a->graph, a);
    tell_owner(b->graph, b);
}

int mc_model_opset(const struct mc_model *model, const char *domain)
{
    if (strcmp(domain, "ai.onnx") == 0) domain = "";
    for (int i = 0; i < model->n_opsets; i++) {
        const struct mc_opset *o = &model->opsets[i];
        const char *name = strcmp(o->domain, "ai.onnx") == 0 ? "" : o->domain;
        if (strcmp(name, domain) == 0) return o->version > 0 && o->version <= INT_MAX ? (int)o->version : 0;
    }
    return 0;
}

struct mc_graph *mc_graph_create(struct mc_model *model, struct mc_graph *parent, const char *name)
{
    struct mc_graph *graph = MC_ARENA_NEW(&model->arena, struct mc_graph);
    char *copy = mc_arena_strdup(&model->arena, name ? name : "");
    if (!graph || !copy) return NULL;
    graph->name = copy;
    graph->parent = parent;
    graph->model = model;
    return graph;
}

int mc_graph_add_input(struct mc_graph *graph, struct mc_value *value, struct mc_error *err)
{
    if (!reserve(&graph->model->arena, &graph->inputs, graph->n_inputs, &graph->cap_inputs, graph->n_inputs + 1))
        return mc_error_memory(err);
    graph->inputs[graph->n_inputs++] = value;
    value->is_input = true;
    return MC_OK;
}

int mc_graph_add_output(struct mc_graph *graph, struct mc_value *value, struct mc_error *err)
{
    if (!reserve(&graph->model->arena, &graph->outputs, graph->n_outputs, &graph->cap_outputs, graph->n_outputs + 1))
        return mc_error_memory(err);
    graph->outputs[graph->n_outputs++] = value;
    value->is_output = true;
    return MC_OK;
}

struct mc_value *mc_graph_find(const struct mc_graph *graph, const char *name)
{
    const struct mc_model *model = graph->model;
    for (const struct mc_graph *g = graph; g; g = g->parent)
        for (int i = 0; i < model->n_values; i++) {
            struct mc_value *v = model->values[i];
            if (v && v->graph == g && strcmp(v->name, name) == 0) return v;
        }
    return NULL;
}

/* --- values --- */

struct mc_value *mc_value_create(struct mc_graph *graph, const char *name)
{
    struct mc_model *model = graph->model;
    struct mc_value *value = MC_ARENA_NEW(&model->arena, struct mc_value);
    char *copy = mc_arena_strdup(&model->arena, name);
    if (!value || !copy) return NULL;
    if (!reserve(&model->arena, &model->values, model->n_values, &model->cap_values, model->n_values + 1)) return NULL;
    value->id = model->n_values;
    value->name = copy;
    value->type.rank = -1;
    value->graph = graph;
    model->values[model->n_values++] = value;
    return value;
}

/* Is the name taken in any graph? A name that a subgraph uses for itself would be shadowed there. */
static bool name_is_taken(const struct mc_model *model, const char *name)
{
    for (int i = 0; i < model->n_values; i++)
        if (model->values[i] && strcmp(model->values[i]->name, name) == 0) return true;
    return false;
}

struct mc_value *mc_value_create_fresh(struct mc_graph *graph, const char *stem)
{
    if (!name_is_taken(graph->model, stem)) return mc_value_create(graph, stem);
    const size_t size = strlen(stem) + 16;
    char *name = mc_alloc(size, 1);
    if (!name) return NULL;
    int n = 1;
    do snprintf(name, size, "%s_%d", stem, n++);
    while (name_is_taken(graph->model, name));
    struct mc_value *value = mc_value_create(graph, name);
    mc_free(name);
    return value;
}

struct mc_value *mc_value_create_part(struct mc_graph *graph, const char *of, const char *part)
{
    char stem[320];
    snprintf(stem, sizeof stem, "%.256s_%.48s", of, part);
    return mc_value_create_fresh(graph, stem);
}

/* Make a new value (NULL: there was no memory for it) an initializer; takes over `data`. */
static struct mc_value *initialize(struct mc_graph *graph, struct mc_value *value, struct mc_tensor *data)
{
    if (!value || !reserve(&graph->model->arena, &graph->initializers, graph->n_initializers, &graph->cap_initializers,
                           graph->n_initializers + 1)) {
        mc_tensor_destroy(data);
        return NULL;
    }
    graph->initializers[graph->n_initializers++] = value;
    mc_value_set_data(value, data);
    return value;
}

struct mc_value *mc_graph_add_initializer(struct mc_graph *graph, const char *name, struct mc_tensor *data)
{
    return initialize(graph, mc_value_create(graph, name), data);
}

struct mc_value *mc_graph_add_initializer_fresh(struct mc_graph *graph, const char *stem, struct mc_tensor *data)
{
    return initialize(graph, mc_value_create_fresh(graph, stem), data);
}

struct mc_value *mc_graph_add_initializer_part(struct mc_graph *graph, const char *of, const char *part,
                                               struct mc_tensor *data)
{
    return initialize(graph, mc_value_create_part(graph, of, part), data);
}

void mc_value_set_data(struct mc_value *value, struct mc_tensor *data)
{
    if (value->data != data) mc_tensor_destroy(value->data);
    value->data = data;
    value->origin_tensor = NULL;
    value->edit = NULL;
    if (!data) return;
    value->type = (struct mc_type){.dtype = data->dtype, .rank = data->shape.rank};
    memcpy(value->type.dim, data->shape.dim, sizeof value->type.dim);
}

int mc_value_store(struct mc_value *value, struct mc_tensor *data, struct mc_error *err)
{
    struct mc_node *producer = value->producer;
    for (int i = 0; producer && i < producer->n_outputs; i++)
        if (producer->outputs[i] == value) producer->outputs[i] = NULL;
    value->producer = NULL;
    return initialize(value->graph, value, data) ? MC_OK : mc_error_memory(err);
}

static void drop_from(struct mc_value **list, int *n, const struct mc_value *value)
{
    int kept = 0;
    for (int i = 0; i < *n; i++)
        if (list[i] != value) list[kept++] = list[i];
    *n = kept;
}

void mc_value_remove(struct mc_value *value)
{
    struct mc_graph *graph = value->graph;
    assert(!value->producer && !value->is_output);
    if (value->is_input) drop_from(graph->inputs, &graph->n_inputs, value);
    if (value->data) drop_from(graph->initializers, &graph->n_initializers, value);
    mc_tensor_destroy(value->data);
    value->data = NULL;
    graph->model->values[value->id] = NULL;
}

/* Put `to` for `from` in the nodes and outputs of a graph and of all graphs within. */
static void replace_in(struct mc_graph *graph, struct mc_value *from, struct mc_value *to)
{
    for (int i = 0; i < graph->n_outputs; i++)
        if (graph->outputs[i] == from) {
            graph->outputs[i] = to;
            from->is_output = false;
            to->is_output = true;
        }
    for (int i = 0; i < graph->n_nodes; i++) {
        struct mc_node *node = graph->nodes[i];
        for (int k = 0; k < node->n_inputs; k++)
            if (node->inputs[k] == from) node->inputs[k] = to;
        for (int k = 0; k < mc_node_n_subgraphs(node); k++) replace_in(mc_node_subgraph(node, k), from, to);
    }
}

int mc_value_replace(struct mc_value *from, struct mc_value *to, struct mc_error *err)
{
    for (const struct mc_graph *g = from->graph;; g = g->parent) {
        if (g == to->graph) break;
        if (!g)
            return mc_error_set(err, MC_ERR_INTERNAL, "value '%s' cannot stand for '%s': another graph's", to->name,
                                from->name);
    }
    if (from != to) replace_in(from->graph, from, to);
    return MC_OK;
}

static bool is_used_in(const struct mc_graph *graph, const struct mc_value *value)
{
    for (int i = 0; i < graph->n_outputs; i++)
        if (graph->outputs[i] == value) return true;
    for (int i = 0; i < graph->n_nodes; i++) {
        const struct mc_node *node = graph->nodes[i];
        for (int k = 0; k < node->n_inputs; k++)
            if (node->inputs[k] == value) return true;
        for (int k = 0; k < mc_node_n_subgraphs(node); k++)
            if (is_used_in(mc_node_subgraph(node, k), value)) return true;
    }
    return false;
}

bool mc_value_is_used(const struct mc_value *value)
{
    return is_used_in(value->graph, value);
}

/* --- nodes --- */

/* Copy of a list of values with room for `capacity`; a list of none is NULL. */
static struct mc_value **copy_values(struct mc_arena *arena, struct mc_value *const *values, int n, int capacity)
{
    struct mc_value **copy = MC_ARENA_ARRAY(arena, struct mc_value *, capacity);
    if (copy && n) memcpy(copy, values, (size_t)n * sizeof *copy);
    return copy;
}

static bool insert_node(struct mc_graph *graph, struct mc_node *node, int at)
{
    if (!reserve(&graph->model->arena, &graph->nodes, graph->n_nodes, &graph->cap_nodes, graph->n_nodes + 1))
        return false;
    if (at < 0) at = graph->n_nodes;
    assert(at <= graph->n_nodes);
    memmove(graph->nodes + at + 1, graph->nodes + at, (size_t)(graph->n_nodes - at) * sizeof *graph->nodes);
    graph->nodes[at] = node;
    graph->n_nodes++;
    return true;
}

struct mc_node *mc_node_create(struct mc_graph *graph, int at, const char *domain, const char *type, const char *name,
                               int n_inputs, struct mc_value *const *inputs, int n_outputs,
                               struct mc_value *const *outputs)
{
    struct mc_model *model = graph->model;
    struct mc_arena *arena = &model->arena;
    struct mc_node *node = MC_ARENA_NEW(arena, struct mc_node);
    if (!node) return NULL;
    node->domain = strcmp(domain, "ai.onnx") == 0 ? "" : mc_arena_strdup(arena, domain);
    node->type = mc_arena_strdup(arena, type);
    node->name = mc_arena_strdup(arena, name ? name : "");
    node->inputs = copy_values(arena, inputs, n_inputs, n_inputs);
    node->outputs = copy_values(arena, outputs, n_outputs, n_outputs);
    if (!node->domain || !node->type || !node->name || !node->inputs || !node->outputs) return NULL;
    node->n_inputs = n_inputs;
    node->n_outputs = n_outputs;
    node->opset = mc_model_opset(model, domain);
    node->graph = graph;
    if (!insert_node(graph, node, at)) return NULL;
    node->id = model->n_node_ids++;
    for (int i = 0; i < n_outputs; i++)
        if (outputs[i]) outputs[i]->producer = node;
    return node;
}

int mc_node_reads(const struct mc_node *node, const struct mc_value *v)
{
    int n = 0;
    for (int i = 0; i < node->n_inputs; i++) n += node->inputs[i] == v;
    return n;
}

struct mc_value *mc_node_input(const struct mc_node *node, int i)
{
    return i >= 0 && i < node->n_inputs ? node->inputs[i] : NULL;
}

struct mc_value *mc_node_output(const struct mc_node *node, int i)
{
    return i >= 0 && i < node->n_outputs ? node->outputs[i] : NULL;
}

int mc_node_position(const struct mc_node *node)
{
    const struct mc_graph *graph = node->graph;
    for (int i = 0; i < graph->n_nodes; i++)
        if (graph->nodes[i] == node) return i;
    return -1;
}

/* What a node that is out of its graph leaves behind. */
static void retire(struct mc_node *node)
{
    for (int i = 0; i < node->n_outputs; i++)
        if (node->outputs[i] && node->outputs[i]->producer == node) node->outputs[i]->producer = NULL;
    release_attrs(node);
}

void mc_node_remove(struct mc_node *node)
{
    struct mc_graph *graph = node->graph;
    const int at = mc_node_position(node);
    assert(at >= 0);
    memmove(graph->nodes + at, graph->nodes + at + 1, (size_t)(graph->n_nodes - at - 1) * sizeof *graph->nodes);
    graph->n_nodes--;
    retire(node);
}

void mc_graph_remove_nodes(struct mc_graph *graph, int n, const bool *gone)
{
    int kept = 0;
    for (int i = 0; i < graph->n_nodes; i++)
        if (i < n && gone[i])
            retire(graph->nodes[i]);
        else
            graph->nodes[kept++] = graph->nodes[i];
    graph->n_nodes = kept;
}

int mc_node_set_input(struct mc_node *node, int i, struct mc_value *value, struct mc_error *err)
{
    assert(i >= 0);
    if (i >= node->n_inputs) {
        struct mc_value **grown = copy_values(&node->graph->model->arena, node->inputs, node->n_inputs, i + 1);
        if (!grown) return mc_error_memory(err);
        node->inputs = grown;
        node->n_inputs = i + 1;
    }
    node->inputs[i] = value;
    return MC_OK;
}

int mc_node_n_subgraphs(const struct mc_node *node)
{
    int64_t n = 0;
    for (int i = 0; i < node->n_attrs; i++) {
        if (node->attrs[i].type == MC_ATTR_GRAPH) n++;
        if (node->attrs[i].type == MC_ATTR_GRAPHS) n += node->attrs[i].n;
    }
    return (int)n;
}

struct mc_graph *mc_node_subgraph(const struct mc_node *node, int index)
{
    int64_t k = index;
    for (int i = 0; i < node->n_attrs; i++) {
        const struct mc_attr *a = &node->attrs[i];
        if (a->type == MC_ATTR_GRAPH && k-- == 0) return a->g;
        if (a->type != MC_ATTR_GRAPHS) continue;
        if (k < a->n) return a->graphs[k];
        k -= a->n;
    }
    return NULL;
}

const char *mc_node_text(const struct mc_node *node, char *out, size_t size)
{
    if (node->name[0])
        snprintf(out, size, "'%s' (%s)", node->name, node->type);
    else
        snprintf(out, size, "#%d (%s)", node->id, node->type);
    return out;
}
