/* read_attr.c - the attributes of a node; see reader.h.
 *
 * An attribute owns what its type says, so the type is set only when the contents are there: the model can be
 * destroyed at any moment.
 */
#include <string.h>

#include "base/error.h"
#include "onnx/reader.h"
#include "onnx/tensor_proto.h"

/* Ceilings far above any operator's needs, because look-ups go through attributes and subgraphs one by one. */
#define MAX_ATTRIBUTES 1024
#define MAX_SUBGRAPHS 1024

typedef Onnx__AttributeProto attribute_proto;

/* IR versions before 2 did not state the type: the field in use tells it. */
static int guess_type(const attribute_proto *p)
{
    return p->has_f           ? MC_ATTR_FLOAT
           : p->has_i         ? MC_ATTR_INT
           : p->has_s         ? MC_ATTR_STRING
           : p->t             ? MC_ATTR_TENSOR
           : p->g             ? MC_ATTR_GRAPH
           : p->n_floats > 0  ? MC_ATTR_FLOATS
           : p->n_ints > 0    ? MC_ATTR_INTS
           : p->n_strings > 0 ? MC_ATTR_STRINGS
           : p->n_tensors > 0 ? MC_ATTR_TENSORS
           : p->n_graphs > 0  ? MC_ATTR_GRAPHS
                              : MC_ATTR_OTHER;
}

static int type_of(const attribute_proto *p)
{
    if (p->ref_attr_name && *p->ref_attr_name) return MC_ATTR_OTHER; /* stands for a function's attribute */
    if (!p->has_type || p->type == ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__UNDEFINED) return guess_type(p);
    return (int)p->type >= MC_ATTR_FLOAT && (int)p->type <= MC_ATTR_GRAPHS ? (int)p->type : MC_ATTR_OTHER;
}

/* Copy of n elements; a list of none has an address too. */
static void *copy_list(struct mc_arena *arena, const void *from, size_t n, size_t size)
{
    void *copy = mc_arena_alloc(arena, n, size);
    if (copy && n > 0) memcpy(copy, from, n * size);
    return copy;
}

static bool copy_bytes(struct mc_arena *arena, struct mc_text *to, ProtobufCBinaryData from)
{
    *to = (struct mc_text){mc_arena_strndup(arena, (const char *)from.data, from.len), from.len};
    return to->bytes != NULL;
}

/* Numbers and strings. */
static int read_plain(struct mc_arena *arena, struct mc_attr *attr, int type, const attribute_proto *p,
                      struct mc_error *err)
{
    bool ok = true;
    switch (type) {
    case MC_ATTR_FLOAT:
        attr->f = p->f;
        break;
    case MC_ATTR_INT:
        attr->i = p->i;
        break;
    case MC_ATTR_STRING:
        ok = copy_bytes(arena, &attr->s, p->s);
        break;
    case MC_ATTR_FLOATS:
        attr->floats = copy_list(arena, p->floats, p->n_floats, sizeof *p->floats);
        attr->n = (int64_t)p->n_floats;
        ok = attr->floats != NULL;
        break;
    case MC_ATTR_INTS:
        attr->ints = copy_list(arena, p->ints, p->n_ints, sizeof *p->ints);
        attr->n = (int64_t)p->n_ints;
        ok = attr->ints != NULL;
        break;
    case MC_ATTR_STRINGS:
        attr->strings = MC_ARENA_ARRAY(arena, struct mc_text, p->n_strings);
        attr->n = (int64_t)p->n_strings;
        ok = attr->strings != NULL;
        for (size_t i = 0; ok && i < p->n_strings; i++) ok = copy_bytes(arena, &attr->strings[i], p->strings[i]);
        break;
    default: /* carried by the origin */
        break;
    }
    if (!ok) return mc_error_memory(err);
    attr->type = (enum mc_attr_type)type;
    return MC_OK;
}

static int read_tensors(struct mc_reader *r, struct mc_attr *attr, int type, const attribute_proto *p,
                        struct mc_error *err)
{
    if (type == MC_ATTR_TENSOR) {
        if (!p->t) return mc_error_set(err, MC_ERR_INPUT, "the tensor is missing");
        const int rc = mc_tensor_from_proto(&attr->t, p->t, r->model->origin, &r->external, err);
        if (rc == MC_OK) attr->type = MC_ATTR_TENSOR;
        return rc;
    }
    attr->tensors = MC_ARENA_ARRAY(&r->model->arena, struct mc_tensor *, p->n_tensors);
    if (!attr->tensors) return mc_error_memory(err);
    attr->type = MC_ATTR_TENSORS;
    for (size_t i = 0; i < p->n_tensors; i++) {
        const int rc = mc_tensor_from_proto(&attr->tensors[i], p->tensors[i], r->model->origin, &r->external, err);
        if (rc < 0) return mc_error_wrap(err, rc, "tensor %zu", i);
        attr->n++;
    }
    return MC_OK;
}

static int read_subgraph(struct mc_reader *r, struct mc_graph **graph, struct mc_graph *parent,
                         const Onnx__GraphProto *p, const struct mc_scope *scope, struct mc_error *err)
{
    *graph = NULL;
    int rc = mc_reader_enter(r, err);
    if (rc < 0) return rc;
    *graph = mc_graph_create(r->model, parent, p->name);
    rc = *graph ? mc_read_graph(r, *graph, p, scope, err) : mc_error_memory(err);
    mc_reader_leave(r);
    return rc;
}

static int read_graphs(struct mc_reader *r, struct mc_attr *attr, struct mc_graph *parent, int type,
                       const attribute_proto *p, const struct mc_scope *scope, struct mc_error *err)
{
    const size_t n = type == MC_ATTR_GRAPH ? 1 : p->n_graphs;
    if (type == MC_ATTR_GRAPH && !p->g) return mc_error_set(err, MC_ERR_INPUT, "the graph is missing");
    if (n > MAX_SUBGRAPHS)
        return mc_error_set(err, MC_ERR_INPUT, "%zu graphs are more than the %d that are read", n, MAX_SUBGRAPHS);
    attr->graphs = MC_ARENA_ARRAY(&r->model->arena, struct mc_graph *, n);
    if (!attr->graphs) return mc_error_memory(err);
    attr->type = MC_ATTR_GRAPHS; /* what is read so far hangs in the model */
    Onnx__GraphProto *const *protos = type == MC_ATTR_GRAPH ? &p->g : p->graphs;
    for (size_t i = 0; i < n; i++) {
        struct mc_graph *graph;
        const int rc = read_subgraph(r, &graph, parent, protos[i], scope, err);
        if (graph) attr->graphs[attr->n++] = graph;
        if (rc < 0) return rc;
    }
    if (type == MC_ATTR_GRAPH) {
        struct mc_graph *only = attr->graphs[0];
        attr->type = MC_ATTR_GRAPH;
        attr->n = 0;
        attr->g = only;
    }
    return MC_OK;
}

static int read_contents(struct mc_reader *r, struct mc_node *node, struct mc_attr *attr, const attribute_proto *p,
                         const struct mc_scope *scope, struct mc_error *err)
{
    const int type = type_of(p);
    switch (type) {
    case MC_ATTR_TENSOR:
    case MC_ATTR_TENSORS:
        return read_tensors(r, attr, type, p, err);
    case MC_ATTR_GRAPH:
    case MC_ATTR_GRAPHS:
        return read_graphs(r, attr, node->graph, type, p, scope, err);
    default:
        return read_plain(&r->model->arena, attr, type, p, err);
    }
}

/* Contents are read as of where they stood: graphs in them see what was to be seen there. */
static int read_attr(struct mc_reader *r, struct mc_node *node, const char *name, const struct mc_argument *argument,
                     struct mc_error *err)
{
    const struct mc_body *here = r->body;
    struct mc_attr *attr = &node->attrs[node->n_attrs++];
    attr->name = mc_arena_strdup(&r->model->arena, name);
    attr->origin = argument->proto;
    if (!attr->name) return mc_error_memory(err);
    int rc = mc_reader_spend_attr(r, argument->proto, err);
    if (rc < 0) return rc;
    r->body = argument->body;
    rc = read_contents(r, node, attr, argument->proto, argument->scope, err);
    r->body = here;
    return rc < 0 ? mc_error_wrap(err, rc, "attribute '%s'", name) : MC_OK;
}

static int check_names(const Onnx__NodeProto *p, struct mc_error *err)
{
    struct mc_names names;
    int rc = mc_names_init(&names, p->n_attribute, err);
    if (rc < 0) return rc;
    for (size_t i = 0; i < p->n_attribute && rc == MC_OK; i++) {
        const char *name = p->attribute[i]->name;
        if (name && *name)
            mc_names_add(&names, name, NULL);
        else
            rc = mc_error_set(err, MC_ERR_INPUT, "attribute %zu has no name", i);
    }
    mc_names_sort(&names);
    const char *twice = mc_names_duplicate(&names);
    if (rc == MC_OK && twice) rc = mc_error_set(err, MC_ERR_INPUT, "attribute '%s' is given twice", twice);
    mc_names_finish(&names);
    return rc;
}

int mc_read_attrs(struct mc_reader *r, struct mc_node *node, const Onnx__NodeProto *p, const struct mc_scope *scope,
                  struct mc_error *err)
{
    if (p->n_attribute > MAX_ATTRIBUTES)
        return mc_error_set(err, MC_ERR_INPUT, "%zu attributes are more than the %d that are read", p->n_attribute,
                            MAX_ATTRIBUTES);
    int rc = check_names(p, err);
    if (rc < 0) return rc;
    node->attrs = MC_ARENA_ARRAY(&r->model->arena, struct mc_attr, p->n_attribute);
    if (!node->attrs) return mc_error_memory(err);
    for (size_t i = 0; i < p->n_attribute; i++) {
        struct mc_argument argument;
        if (!mc_reader_argument(r, p->attribute[i], scope, &argument)) continue;
        rc = read_attr(r, node, p->attribute[i]->name, &argument, err);
        if (rc < 0) return rc;
    }
    return MC_OK;
}
