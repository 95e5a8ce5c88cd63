/* write_graph.c - a graph into a message; see writer.h.
 *
 * What the file declared of a value stays word for word while the value still has the type that was read from it;
 * otherwise the type is written anew, from the tensor for initializers and from value->type for the rest. A
 * value_info entry goes with its value, or when surgery leaves the type undefined.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "onnx/names.h"
#include "onnx/onnx.h"
#include "onnx/sparse_proto.h"
#include "onnx/type_proto.h"
#include "onnx/writer.h"

/* Things of one graph by name, while it is written. */
struct tables {
    struct mc_names values;          /* those that the graph defines now: struct mc_value */
    struct mc_names origins;         /* names that the origin defined; the items mean nothing */
    struct mc_names inputs, outputs; /* of the origin: ValueInfoProto */
    struct mc_names sparse;          /* of the origin: SparseTensorProto, by whose name a value may be stored as one */
};

/* --- tables --- */

static int list_values(struct mc_names *names, const struct mc_graph *graph, struct mc_error *err)
{
    size_t n = (size_t)graph->n_inputs + (size_t)graph->n_initializers;
    for (int i = 0; i < graph->n_nodes; i++) n += (size_t)graph->nodes[i]->n_outputs;
    const int rc = mc_names_init(names, n, err);
    if (rc < 0) return rc;
    for (int i = 0; i < graph->n_inputs; i++) mc_names_add(names, graph->inputs[i]->name, graph->inputs[i]);
    for (int i = 0; i < graph->n_initializers; i++)
        mc_names_add(names, graph->initializers[i]->name, graph->initializers[i]);
    for (int i = 0; i < graph->n_nodes; i++) {
        const struct mc_node *node = graph->nodes[i];
        for (int k = 0; k < node->n_outputs; k++)
            if (node->outputs[k]) mc_names_add(names, node->outputs[k]->name, node->outputs[k]);
    }
    mc_names_sort(names);
    return MC_OK;
}

static int list_origins(struct mc_names *names, Onnx__GraphProto *p, struct mc_error *err)
{
    size_t n = p->n_input + p->n_initializer + p->n_sparse_initializer;
    for (size_t i = 0; i < p->n_node; i++) n += p->node[i]->n_output;
    const int rc = mc_names_init(names, n, err);
    if (rc < 0) return rc;
    for (size_t i = 0; i < p->n_input; i++) mc_names_add(names, p->input[i]->name, p);
    for (size_t i = 0; i < p->n_initializer; i++) mc_names_add(names, p->initializer[i]->name, p);
    for (size_t i = 0; i < p->n_sparse_initializer; i++) mc_names_add(names, p->sparse_initializer[i]->values->name, p);
    for (size_t i = 0; i < p->n_node; i++)
        for (size_t k = 0; k < p->node[i]->n_output; k++) mc_names_add(names, p->node[i]->output[k], p);
    mc_names_sort(names);
    return MC_OK;
}

static int list_infos(struct mc_names *names, Onnx__ValueInfoProto *const *infos, size_t n, struct mc_error *err)
{
    const int rc = mc_names_init(names, n, err);
    if (rc < 0) return rc;
    for (size_t i = 0; i < n; i++) mc_names_add(names, infos[i]->name ? infos[i]->name : "", infos[i]);
    mc_names_sort(names);
    return MC_OK;
}

static int list_sparse(struct mc_names *names, const Onnx__GraphProto *p, struct mc_error *err)
{
    const int rc = mc_names_init(names, p->n_sparse_initializer, err);
    if (rc < 0) return rc;
    for (size_t i = 0; i < p->n_sparse_initializer; i++)
        mc_names_add(names, p->sparse_initializer[i]->values->name, p->sparse_initializer[i]);
    mc_names_sort(names);
    return MC_OK;
}

static int tables_init(struct tables *t, const struct mc_graph *graph, Onnx__GraphProto *p, struct mc_error *err)
{
    *t = (struct tables){0};
    int rc = list_values(&t->values, graph, err);
    if (rc == MC_OK) rc = list_origins(&t->origins, p, err);
    if (rc == MC_OK) rc = list_infos(&t->inputs, p->input, p->n_input, err);
    if (rc == MC_OK) rc = list_infos(&t->outputs, p->output, p->n_output, err);
    return rc == MC_OK ? list_sparse(&t->sparse, p, err) : rc;
}

static void tables_finish(struct tables *t)
{
    mc_names_finish(&t->sparse);
    mc_names_finish(&t->outputs);
    mc_names_finish(&t->inputs);
    mc_names_finish(&t->origins);
    mc_names_finish(&t->values);
}

/* Did the graph define the name when it was read, but does not any more? */
static bool is_gone(const struct tables *t, const char *name)
{
    return name && mc_names_find(&t->origins, name) && !mc_names_find(&t->values, name);
}

/* --- declared types --- */

static bool type_is_changed(const struct mc_value *value)
{
    struct mc_type declared;
    const Onnx__ValueInfoProto *origin = value->origin;
    if (mc_type_from_proto(&declared, origin ? origin->type : NULL, NULL) < 0) return true;
    return value->data ? !mc_type_admits(&declared, value->data) : !mc_type_equal(&declared, &value->type);
}

/* What is to be said of a value: the origin's words (may be NULL) or new ones. */
static Onnx__ValueInfoProto *write_info(struct mc_writer *w, const struct mc_value *value, Onnx__ValueInfoProto *origin)
{
    const struct mc_type type = value->data ? mc_type_of_tensor(value->data) : value->type;
    const bool same = origin && (type.dtype == MC_UNDEFINED || !type_is_changed(value));
    if (same && origin->name && strcmp(origin->name, value->name) == 0) return origin;
    Onnx__ValueInfoProto *info = MC_ARENA_NEW(&w->arena, Onnx__ValueInfoProto);
    if (!info) return NULL;
    if (origin)
        *info = *origin;
    else
        onnx__value_info_proto__init(info);
    info->name = (char *)(uintptr_t)value->name;
    if (same || type.dtype == MC_UNDEFINED) return info;
    info->type = mc_type_to_proto(&w->arena, &type, info->type);
    return info->type ? info : NULL;
}

static Onnx__ValueInfoProto **write_infos(struct mc_writer *w, struct mc_value *const *values, int n,
                                          const struct mc_names *origins)
{
    Onnx__ValueInfoProto **infos = MC_ARENA_ARRAY(&w->arena, Onnx__ValueInfoProto *, n);
    for (int i = 0; infos && i < n; i++) {
        Onnx__ValueInfoProto *origin = mc_names_find(origins, values[i]->name);
        /* In the body of a function the name was another. */
        if (!origin && w->model->inlined) origin = (Onnx__ValueInfoProto *)(uintptr_t)values[i]->origin;
        infos[i] = write_info(w, values[i], origin);
        if (!infos[i]) return NULL;
    }
    return infos;
}

static int write_value_infos(struct mc_writer *w, const struct tables *t, Onnx__GraphProto *p, struct mc_error *err)
{
    Onnx__ValueInfoProto *const *given = p->value_info;
    const size_t n_given = p->n_value_info;
    p->value_info = MC_ARENA_ARRAY(&w->arena, Onnx__ValueInfoProto *, n_given);
    if (!p->value_info) return mc_error_memory(err);
    p->n_value_info = 0;
    for (size_t i = 0; i < n_given; i++) {
        if (is_gone(t, given[i]->name)) continue;
        const struct mc_value *value = given[i]->name ? mc_names_find(&t->values, given[i]->name) : NULL;
        Onnx__ValueInfoProto *info = given[i];
        if (value && type_is_changed(value)) {
            if (!value->data && value->type.dtype == MC_UNDEFINED) continue;
            info = write_info(w, value, given[i]);
            if (!info) return mc_error_memory(err);
        }
        p->value_info[p->n_value_info++] = info;
    }
    return MC_OK;
}

/* Quantization parameters of tensors that are gone, or that are gone themselves, have nothing to say any more. */
static int write_annotations(struct mc_writer *w, const struct tables *t, Onnx__GraphProto *p, struct mc_error *err)
{
    Onnx__TensorAnnotation *const *given = p->quantization_annotation;
    const size_t n_given = p->n_quantization_annotation;
    p->quantization_annotation = MC_ARENA_ARRAY(&w->arena, Onnx__TensorAnnotation *, n_given);
    if (!p->quantization_annotation) return mc_error_memory(err);
    p->n_quantization_annotation = 0;
    for (size_t i = 0; i < n_given; i++) {
        bool gone = is_gone(t, given[i]->tensor_name);
        for (size_t k = 0; k < given[i]->n_quant_parameter_tensor_names; k++)
            gone = gone || is_gone(t, given[i]->quant_parameter_tensor_names[k]->value);
        if (!gone) p->quantization_annotation[p->n_quantization_annotation++] = given[i];
    }
    return MC_OK;
}

/* --- contents --- */

/* Are these the elements of the tensor? */
static bool sparse_is_unchanged(const Onnx__SparseTensorProto *origin, const struct mc_value *value,
                                const struct mc_model *model)
{
    struct mc_external none = {0};
    struct mc_tensor *was = NULL;
    const struct mc_tensor *is = value->data;
    const int rc = mc_tensor_from_sparse(&was, origin, mc_tensor_bytes(is), model->origin, &none, NULL);
    const bool same = rc == MC_OK && was && was->dtype == is->dtype && mc_shape_equal(&was->shape, &is->shape) &&
                      memcmp(was->data, is->data, mc_tensor_bytes(is)) == 0 &&
                      strcmp(origin->values->name, value->name) == 0;
    mc_tensor_destroy(was);
    return same;
}

/* The message of a value that may be stored sparse: the origin's, or a new one; NULL where it had better be dense. */
static int write_sparse(struct mc_writer *w, const struct tables *t, const struct mc_value *value,
                        Onnx__SparseTensorProto **proto, struct mc_error *err)
{
    *proto = mc_names_find(&t->sparse, value->name);
    if (!*proto || sparse_is_unchanged(*proto, value, w->model)) return MC_OK;
    *proto = NULL;
    return value->edit ? MC_OK : mc_tensor_to_sparse(proto, &w->arena, value->data, value->name, err);
}

static int write_dense(struct mc_writer *w, const struct mc_value *value, Onnx__TensorProto **proto,
                       struct mc_error *err)
{
    *proto = mc_tensor_to_proto(&w->arena, value->data, value->name, value->origin_tensor);
    if (!*proto || !mc_grow((void **)&w->stored, w->n_stored, &w->cap_stored, sizeof *w->stored))
        return mc_error_memory(err);
    w->stored[w->n_stored++] = (struct mc_stored){*proto, value};
    return MC_OK;
}

/* Sparse ones that were not read stay as they are, unless something else has their names now: nothing that the graph
 * lists tells whether they are still used. */
static void keep_unread(const struct tables *t, Onnx__GraphProto *p, Onnx__SparseTensorProto *const *given,
                        size_t n_given)
{
    for (size_t i = 0; i < n_given; i++) {
        const struct mc_value *value = mc_names_find(&t->values, given[i]->values->name);
        if (!value || !value->data) p->sparse_initializer[p->n_sparse_initializer++] = given[i];
    }
}

static int write_initializers(struct mc_writer *w, const struct tables *t, const struct mc_graph *graph,
                              Onnx__GraphProto *p, struct mc_error *err)
{
    Onnx__SparseTensorProto *const *given = p->sparse_initializer;
    const size_t n = (size_t)graph->n_initializers, n_given = p->n_sparse_initializer;
    p->n_initializer = p->n_sparse_initializer = 0;
    p->initializer = MC_ARENA_ARRAY(&w->arena, Onnx__TensorProto *, n);
    p->sparse_initializer = MC_ARENA_ARRAY(&w->arena, Onnx__SparseTensorProto *, n_given);
    if (!p->initializer || !p->sparse_initializer) return mc_error_memory(err);
    for (size_t i = 0; i < n; i++) {
        Onnx__SparseTensorProto *sparse;
        int rc = write_sparse(w, t, graph->initializers[i], &sparse, err);
        if (rc == MC_OK && sparse)
            p->sparse_initializer[p->n_sparse_initializer++] = sparse;
        else if (rc == MC_OK)
            rc = write_dense(w, graph->initializers[i], &p->initializer[p->n_initializer++], err);
        if (rc < 0) return rc;
    }
    keep_unread(t, p, given, n_given);
    if (p->n_sparse_initializer > 0) w->has_sparse = true;
    return MC_OK;
}

static int write_nodes(struct mc_writer *w, const struct mc_graph *graph, Onnx__GraphProto *p, struct mc_error *err)
{
    p->n_node = (size_t)graph->n_nodes;
    p->node = MC_ARENA_ARRAY(&w->arena, Onnx__NodeProto *, graph->n_nodes);
    int rc = p->node ? MC_OK : mc_error_memory(err);
    for (int i = 0; i < graph->n_nodes && rc == MC_OK; i++) rc = mc_write_node(w, graph->nodes[i], &p->node[i], err);
    return rc;
}

int mc_write_graph(struct mc_writer *w, const struct mc_graph *graph, Onnx__GraphProto **proto, struct mc_error *err)
{
    struct tables t;
    Onnx__GraphProto *p = MC_ARENA_NEW(&w->arena, Onnx__GraphProto);
    if (!p) return mc_error_memory(err);
    if (graph->origin)
        *p = *(const Onnx__GraphProto *)graph->origin;
    else
        onnx__graph_proto__init(p);
    if (strcmp(p->name ? p->name : "", graph->name) != 0) p->name = (char *)(uintptr_t)graph->name;

    int rc = tables_init(&t, graph, p, err);
    if (rc == MC_OK) rc = write_value_infos(w, &t, p, err);
    if (rc == MC_OK) rc = write_annotations(w, &t, p, err);
    if (rc == MC_OK) {
        p->n_input = (size_t)graph->n_inputs;
        p->input = write_infos(w, graph->inputs, graph->n_inputs, &t.inputs);
        p->n_output = (size_t)graph->n_outputs;
        p->output = write_infos(w, graph->outputs, graph->n_outputs, &t.outputs);
        if (!p->input || !p->output) rc = mc_error_memory(err);
    }
    if (rc == MC_OK) rc = write_initializers(w, &t, graph, p, err);
    if (rc == MC_OK) rc = write_nodes(w, graph, p, err);
    tables_finish(&t);
    *proto = p;
    return rc;
}

/* --- the form --- */

static bool names_sparse(const Onnx__GraphProto *p, const char *name)
{
    for (size_t i = 0; i < p->n_sparse_initializer; i++)
        if (strcmp(p->sparse_initializer[i]->values->name, name) == 0) return true;
    return false;
}

/* A message that says of a value that it may be sparse, and nothing else. */
static Onnx__SparseTensorProto *name_sparse(struct mc_arena *arena, const char *name)
{
    Onnx__SparseTensorProto *sparse = MC_ARENA_NEW(arena, Onnx__SparseTensorProto);
    Onnx__TensorProto *values = MC_ARENA_NEW(arena, Onnx__TensorProto);
    if (!sparse || !values) return NULL;
    onnx__sparse_tensor_proto__init(sparse);
    onnx__tensor_proto__init(values);
    values->name = (char *)(uintptr_t)name;
    sparse->values = values;
    return sparse;
}

int mc_onnx_store_sparse(struct mc_model *model, struct mc_error *err)
{
    struct mc_graph *graph = model->graph;
    Onnx__GraphProto *p = MC_ARENA_NEW(&model->arena, Onnx__GraphProto);
    if (!p) return mc_error_memory(err);
    if (graph->origin)
        *p = *(const Onnx__GraphProto *)graph->origin;
    else
        onnx__graph_proto__init(p);
    const Onnx__GraphProto given = *p;
    const size_t n = given.n_sparse_initializer + (size_t)graph->n_initializers;
    p->sparse_initializer = MC_ARENA_ARRAY(&model->arena, Onnx__SparseTensorProto *, n);
    if (!p->sparse_initializer) return mc_error_memory(err);
    for (size_t i = 0; i < given.n_sparse_initializer; i++) p->sparse_initializer[i] = given.sparse_initializer[i];
    for (int i = 0; i < graph->n_initializers; i++) {
        const char *name = graph->initializers[i]->name;
        if (names_sparse(&given, name)) continue;
        Onnx__SparseTensorProto *sparse = name_sparse(&model->arena, name);
        if (!sparse) return mc_error_memory(err);
        p->sparse_initializer[p->n_sparse_initializer++] = sparse;
    }
    graph->origin = p;
    return MC_OK;
}
