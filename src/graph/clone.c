/* clone.c - an independent copy of a model; see mc_model_clone in graph.h.
 *
 * Three passes: empty graphs, then all values at their old ids, then everything that points to values. After
 * the second one every pointer can be translated by id.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "graph/graph.h"

struct pair {
    const struct mc_graph *from;
    struct mc_graph *to;
};

struct cloner {
    struct mc_model *to;
    bool share_data;
    size_t n_graphs, cap_graphs;
    struct pair *graphs;
    struct mc_error *err;
};

static struct mc_arena *arena_of(struct cloner *c)
{
    return &c->to->arena;
}

static struct mc_graph *graph_of(const struct cloner *c, const struct mc_graph *from)
{
    for (size_t i = 0; i < c->n_graphs; i++)
        if (c->graphs[i].from == from) return c->graphs[i].to;
    return NULL;
}

static struct mc_value *value_of(const struct cloner *c, const struct mc_value *from)
{
    return from ? c->to->values[from->id] : NULL;
}

/* Copy of a string; NULL stays NULL. *ok turns false without memory. */
static const char *copy_text(struct cloner *c, const char *s, bool *ok)
{
    if (!s) return NULL;
    const char *copy = mc_arena_strdup(arena_of(c), s);
    if (!copy) *ok = false;
    return copy;
}

static int copy_tensor(struct cloner *c, struct mc_tensor **to, const struct mc_tensor *from)
{
    return c->share_data ? mc_tensor_view(to, from, NULL, 0, c->err) : mc_tensor_clone(to, from, c->err);
}

/* --- first pass: graphs --- */

static int create_graphs(struct cloner *c, const struct mc_graph *from, struct mc_graph *parent)
{
    struct mc_graph *to = mc_graph_create(c->to, parent, from->name);
    if (!to || !mc_grow((void **)&c->graphs, c->n_graphs, &c->cap_graphs, sizeof *c->graphs))
        return mc_error_memory(c->err);
    to->origin = from->origin;
    c->graphs[c->n_graphs++] = (struct pair){from, to};
    for (int i = 0; i < from->n_nodes; i++)
        for (int k = 0; k < mc_node_n_subgraphs(from->nodes[i]); k++) {
            const int rc = create_graphs(c, mc_node_subgraph(from->nodes[i], k), to);
            if (rc < 0) return rc;
        }
    return MC_OK;
}

/* --- second pass: values --- */

static int copy_value(struct cloner *c, const struct mc_value *from)
{
    bool ok = true;
    struct mc_value *to = MC_ARENA_NEW(arena_of(c), struct mc_value);
    if (!to) return mc_error_memory(c->err);
    *to = *from;
    to->data = NULL;
    to->producer = NULL;
    to->graph = graph_of(c, from->graph);
    to->name = copy_text(c, from->name, &ok);
    for (int i = 0; i < from->type.rank; i++) to->type.param[i] = copy_text(c, from->type.param[i], &ok);
    if (!ok) return mc_error_memory(c->err);
    c->to->values[from->id] = to;
    return from->data ? copy_tensor(c, &to->data, from->data) : MC_OK;
}

static int copy_all_values(struct cloner *c, const struct mc_model *of)
{
    c->to->values = MC_ARENA_ARRAY(arena_of(c), struct mc_value *, of->n_values);
    if (!c->to->values) return mc_error_memory(c->err);
    c->to->n_values = c->to->cap_values = of->n_values;
    for (int i = 0; i < of->n_values; i++) {
        /* A value whose graph went with a removed node has nobody left to speak of it. */
        if (!of->values[i] || !graph_of(c, of->values[i]->graph)) continue;
        const int rc = copy_value(c, of->values[i]);
        if (rc < 0) return rc;
    }
    return MC_OK;
}

/* --- third pass: lists, nodes, attributes --- */

static int copy_list(struct cloner *c, struct mc_value ***to, struct mc_value *const *from, int n)
{
    *to = MC_ARENA_ARRAY(arena_of(c), struct mc_value *, n);
    if (!*to) return mc_error_memory(c->err);
    for (int i = 0; i < n; i++) (*to)[i] = value_of(c, from[i]);
    return MC_OK;
}

static bool copy_bytes(struct cloner *c, struct mc_text *to, struct mc_text from)
{
    *to = (struct mc_text){.bytes = mc_arena_strndup(arena_of(c), from.bytes, from.length), .length = from.length};
    return to->bytes != NULL;
}

static int copy_tensors(struct cloner *c, struct mc_attr *to, const struct mc_attr *from)
{
    to->n = 0; /* counts what is owned so far */
    to->tensors = MC_ARENA_ARRAY(arena_of(c), struct mc_tensor *, from->n);
    if (!to->tensors) return mc_error_memory(c->err);
    for (int64_t i = 0; i < from->n; i++) {
        const int rc = copy_tensor(c, &to->tensors[i], from->tensors[i]);
        if (rc < 0) return rc;
        to->n++;
    }
    return MC_OK;
}

/* The list forms that own no tensors. */
static int copy_plain_list(struct cloner *c, struct mc_attr *to, const struct mc_attr *from)
{
    const size_t n = (size_t)from->n;
    const size_t size = from->type == MC_ATTR_FLOATS    ? sizeof *from->floats
                        : from->type == MC_ATTR_INTS    ? sizeof *from->ints
                        : from->type == MC_ATTR_STRINGS ? sizeof *from->strings
                                                        : sizeof *from->graphs;
    void *copy = mc_arena_alloc(arena_of(c), n, size);
    if (!copy) return mc_error_memory(c->err);
    if (n) memcpy(copy, from->floats, n * size);
    to->floats = copy; /* one union: the pointer serves all forms */
    bool ok = true;
    for (size_t i = 0; i < n; i++) {
        if (from->type == MC_ATTR_STRINGS) ok = ok && copy_bytes(c, &to->strings[i], from->strings[i]);
        if (from->type == MC_ATTR_GRAPHS) to->graphs[i] = graph_of(c, from->graphs[i]);
    }
    return ok ? MC_OK : mc_error_memory(c->err);
}

/* Fill `to` so that, whatever happens, it owns only what it says it does. */
static int copy_attr(struct cloner *c, struct mc_attr *to, const struct mc_attr *from)
{
    bool ok = true;
    *to = (struct mc_attr){.name = copy_text(c, from->name, &ok), .origin = from->origin};
    if (!ok) return mc_error_memory(c->err);
    struct mc_attr copy = *from;
    copy.name = to->name;
    int rc = MC_OK;
    switch (from->type) {
    case MC_ATTR_TENSOR:
        rc = copy_tensor(c, &copy.t, from->t);
        break;
    case MC_ATTR_TENSORS:
        rc = copy_tensors(c, &copy, from);
        *to = copy;
        return rc;
    case MC_ATTR_GRAPH:
        copy.g = graph_of(c, from->g);
        break;
    case MC_ATTR_STRING:
        rc = copy_bytes(c, &copy.s, from->s) ? MC_OK : mc_error_memory(c->err);
        break;
    case MC_ATTR_FLOATS:
    case MC_ATTR_INTS:
    case MC_ATTR_STRINGS:
    case MC_ATTR_GRAPHS:
        rc = copy_plain_list(c, &copy, from);
        break;
    default:
        break;
    }
    if (rc == MC_OK) *to = copy;
    return rc;
}

static int copy_node(struct cloner *c, struct mc_graph *graph, const struct mc_node *from)
{
    bool ok = true;
    struct mc_node *to = MC_ARENA_NEW(arena_of(c), struct mc_node);
    if (!to) return mc_error_memory(c->err);
    *to = *from;
    to->graph = graph;
    to->name = copy_text(c, from->name, &ok);
    to->type = copy_text(c, from->type, &ok);
    to->domain = copy_text(c, from->domain, &ok);
    to->n_attrs = 0;
    to->attrs = MC_ARENA_ARRAY(arena_of(c), struct mc_attr, from->n_attrs);
    if (!ok || !to->attrs) return mc_error_memory(c->err);
    graph->nodes[graph->n_nodes++] = to; /* from here on the model's destructor sees its tensors */
    int rc = copy_list(c, &to->inputs, from->inputs, from->n_inputs);
    if (rc == MC_OK) rc = copy_list(c, &to->outputs, from->outputs, from->n_outputs);
    for (int i = 0; i < from->n_attrs && rc == MC_OK; i++)
        rc = copy_attr(c, &to->attrs[to->n_attrs++], &from->attrs[i]);
    if (rc < 0) return rc;
    for (int i = 0; i < to->n_outputs; i++)
        if (to->outputs[i]) to->outputs[i]->producer = to;
    return MC_OK;
}

static int copy_graph(struct cloner *c, struct mc_graph *to, const struct mc_graph *from)
{
    to->nodes = MC_ARENA_ARRAY(arena_of(c), struct mc_node *, from->n_nodes);
    if (!to->nodes) return mc_error_memory(c->err);
    to->cap_nodes = from->n_nodes;
    int rc = copy_list(c, &to->inputs, from->inputs, from->n_inputs);
    if (rc == MC_OK) rc = copy_list(c, &to->outputs, from->outputs, from->n_outputs);
    if (rc == MC_OK) rc = copy_list(c, &to->initializers, from->initializers, from->n_initializers);
    if (rc < 0) return rc;
    to->n_inputs = to->cap_inputs = from->n_inputs;
    to->n_outputs = to->cap_outputs = from->n_outputs;
    to->n_initializers = to->cap_initializers = from->n_initializers;
    for (int i = 0; i < from->n_nodes && rc == MC_OK; i++) rc = copy_node(c, to, from->nodes[i]);
    return rc;
}

static int copy_header(struct cloner *c, const struct mc_model *of)
{
    bool ok = true;
    struct mc_model *to = c->to;
    to->opsets = MC_ARENA_ARRAY(arena_of(c), struct mc_opset, of->n_opsets);
    to->path = copy_text(c, of->path, &ok);
    to->extents = copy_text(c, of->extents, &ok);
    if (!to->opsets || !ok) return mc_error_memory(c->err);
    for (int i = 0; i < of->n_opsets; i++) {
        to->opsets[i].version = of->opsets[i].version;
        to->opsets[i].domain = copy_text(c, of->opsets[i].domain, &ok);
    }
    to->n_opsets = of->n_opsets;
    to->n_node_ids = of->n_node_ids;
    to->inlined = of->inlined;
    to->origin = mc_origin_retain(of->origin);
    return ok ? MC_OK : mc_error_memory(c->err);
}

int mc_model_clone(struct mc_model **copy, const struct mc_model *of, bool share_data, struct mc_error *err)
{
    int rc = mc_model_check_whole(of, err);
    if (rc < 0) return rc;
    struct mc_model *to = MC_NEW(struct mc_model);
    if (!to) return mc_error_memory(err);
    mc_arena_init(&to->arena);
    struct cloner c = {.to = to, .share_data = share_data, .err = err};
    rc = copy_header(&c, of);
    if (rc == MC_OK) rc = create_graphs(&c, of->graph, NULL);
    if (rc == MC_OK) {
        to->graph = c.graphs[0].to;
        rc = copy_all_values(&c, of);
    }
    for (size_t i = 0; i < c.n_graphs && rc == MC_OK; i++) rc = copy_graph(&c, c.graphs[i].to, c.graphs[i].from);
    mc_free(c.graphs);
    if (rc < 0)
        mc_model_destroy(to);
    else
        *copy = to;
    return rc;
}
