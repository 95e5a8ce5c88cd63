/* write_node.c - a node and its attributes into messages; see writer.h. */
#include <string.h>

#include "base/error.h"
#include "onnx/tensor_proto.h"
#include "onnx/writer.h"

typedef Onnx__AttributeProto attribute_proto;

static bool same_text(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

/* protobuf-c's structs know no const; nothing here is written to. */
static char *lend(const char *s)
{
    return (char *)(uintptr_t)s;
}

/* --- attributes --- */

static int write_strings(struct mc_arena *arena, attribute_proto *p, const struct mc_attr *attr, struct mc_error *err)
{
    p->n_strings = (size_t)attr->n;
    p->strings = MC_ARENA_ARRAY(arena, ProtobufCBinaryData, p->n_strings);
    if (!p->strings) return mc_error_memory(err);
    for (size_t i = 0; i < p->n_strings; i++)
        p->strings[i] = (ProtobufCBinaryData){attr->strings[i].length, (uint8_t *)lend(attr->strings[i].bytes)};
    return MC_OK;
}

static int write_tensors(struct mc_arena *arena, attribute_proto *p, const struct mc_attr *attr, struct mc_error *err)
{
    const attribute_proto *origin = attr->origin;
    if (attr->type == MC_ATTR_TENSOR) {
        p->t = mc_tensor_to_proto(arena, attr->t, NULL, origin ? origin->t : NULL);
        return p->t ? MC_OK : mc_error_memory(err);
    }
    p->n_tensors = (size_t)attr->n;
    p->tensors = MC_ARENA_ARRAY(arena, Onnx__TensorProto *, p->n_tensors);
    if (!p->tensors) return mc_error_memory(err);
    for (size_t i = 0; i < p->n_tensors; i++) {
        const bool known = origin && i < origin->n_tensors;
        p->tensors[i] = mc_tensor_to_proto(arena, attr->tensors[i], NULL, known ? origin->tensors[i] : NULL);
        if (!p->tensors[i]) return mc_error_memory(err);
    }
    return MC_OK;
}

static int write_graphs(struct mc_writer *w, attribute_proto *p, const struct mc_attr *attr, struct mc_error *err)
{
    if (attr->type == MC_ATTR_GRAPH) return mc_write_graph(w, attr->g, &p->g, err);
    p->n_graphs = (size_t)attr->n;
    p->graphs = MC_ARENA_ARRAY(&w->arena, Onnx__GraphProto *, p->n_graphs);
    int rc = p->graphs ? MC_OK : mc_error_memory(err);
    for (size_t i = 0; i < p->n_graphs && rc == MC_OK; i++) rc = mc_write_graph(w, attr->graphs[i], &p->graphs[i], err);
    return rc;
}

/* Numbers and strings that this program set. */
static int write_plain(struct mc_arena *arena, attribute_proto *p, const struct mc_attr *attr, struct mc_error *err)
{
    switch (attr->type) {
    case MC_ATTR_FLOAT:
        p->has_f = 1;
        p->f = attr->f;
        return MC_OK;
    case MC_ATTR_INT:
        p->has_i = 1;
        p->i = attr->i;
        return MC_OK;
    case MC_ATTR_STRING:
        p->has_s = 1;
        p->s = (ProtobufCBinaryData){attr->s.length, (uint8_t *)lend(attr->s.bytes)};
        return MC_OK;
    case MC_ATTR_FLOATS:
        p->n_floats = (size_t)attr->n;
        p->floats = attr->floats;
        return MC_OK;
    case MC_ATTR_INTS:
        p->n_ints = (size_t)attr->n;
        p->ints = attr->ints;
        return MC_OK;
    case MC_ATTR_STRINGS:
        return write_strings(arena, p, attr, err);
    default:
        return mc_error_set(err, MC_ERR_INTERNAL, "attribute '%s' has no contents to write", attr->name);
    }
}

/* The doc string that the file had for an attribute which was set anew. */
static char *doc_string_of(const Onnx__NodeProto *node, const char *name)
{
    for (size_t i = 0; node && i < node->n_attribute; i++)
        if (same_text(node->attribute[i]->name, name)) return node->attribute[i]->doc_string;
    return NULL;
}

static int write_attr(struct mc_writer *w, const struct mc_node *node, const struct mc_attr *attr,
                      attribute_proto **proto, struct mc_error *err)
{
    const bool tensors = attr->type == MC_ATTR_TENSOR || attr->type == MC_ATTR_TENSORS;
    const bool graphs = attr->type == MC_ATTR_GRAPH || attr->type == MC_ATTR_GRAPHS;
    attribute_proto *p = MC_ARENA_NEW(&w->arena, attribute_proto);
    if (!p) return mc_error_memory(err);
    *proto = p;
    if (attr->origin) {
        *p = *(const attribute_proto *)attr->origin;
        if (!same_text(p->name, attr->name)) p->name = lend(attr->name);
    } else {
        onnx__attribute_proto__init(p);
        p->name = lend(attr->name);
        p->has_type = 1;
        p->type = (Onnx__AttributeProto__AttributeType)attr->type;
        p->doc_string = doc_string_of(node->origin, attr->name);
    }
    /* Tensors may have been changed in place, and graphs inside. */
    if (tensors) return write_tensors(&w->arena, p, attr, err);
    if (graphs) return write_graphs(w, p, attr, err);
    return attr->origin ? MC_OK : write_plain(&w->arena, p, attr, err);
}

/* --- nodes --- */

/* Names of values; an optional one that is left out has none. */
static char **write_names(struct mc_arena *arena, struct mc_value *const *values, int n)
{
    char **names = MC_ARENA_ARRAY(arena, char *, n);
    for (int i = 0; names && i < n; i++) names[i] = lend(values[i] ? values[i]->name : "");
    return names;
}

static bool same_domain(const char *ours, const char *written)
{
    return same_text(ours, written) || (!*ours && written && strcmp(written, "ai.onnx") == 0);
}

int mc_write_node(struct mc_writer *w, const struct mc_node *node, Onnx__NodeProto **proto, struct mc_error *err)
{
    Onnx__NodeProto *p = MC_ARENA_NEW(&w->arena, Onnx__NodeProto);
    if (!p) return mc_error_memory(err);
    if (node->origin)
        *p = *(const Onnx__NodeProto *)node->origin;
    else
        onnx__node_proto__init(p);
    if (!same_text(p->op_type, node->type)) p->op_type = lend(node->type);
    if (!same_text(p->name, node->name)) p->name = lend(node->name);
    if (!same_domain(node->domain, p->domain)) p->domain = lend(node->domain);
    p->n_input = (size_t)node->n_inputs;
    p->input = write_names(&w->arena, node->inputs, node->n_inputs);
    p->n_output = (size_t)node->n_outputs;
    p->output = write_names(&w->arena, node->outputs, node->n_outputs);
    p->n_attribute = (size_t)node->n_attrs;
    p->attribute = MC_ARENA_ARRAY(&w->arena, attribute_proto *, node->n_attrs);
    if (!p->input || !p->output || !p->attribute) return mc_error_memory(err);
    for (int i = 0; i < node->n_attrs; i++) {
        const int rc = write_attr(w, node, &node->attrs[i], &p->attribute[i], err);
        if (rc < 0) return rc;
    }
    *proto = p;
    return MC_OK;
}
