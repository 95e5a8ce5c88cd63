/* read_graph.c - a GraphProto into a graph; see reader.h.
 *
 * First all values come into being under their names, then the declared types, then the nodes, which find their
 * inputs by name whatever the order. Last the order of the nodes is checked.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "onnx/guard.h"
#include "onnx/onnx.h"
#include "onnx/order.h"
#include "onnx/reader.h"
#include "onnx/sparse_proto.h"
#include "onnx/tensor_proto.h"
#include "onnx/type_proto.h"

static const char *text_of(const char *s)
{
    return s ? s : "";
}

/* "'conv2' (Conv)" or "#12 (Conv)", in a body "'layer1/conv2' (Conv)", for messages about nodes that are not made yet.
 */
static const char *describe(const struct mc_reader *r, const Onnx__NodeProto *p, size_t index, char *out, size_t size)
{
    char number[32];
    snprintf(number, sizeof number, "#%zu", index);
    const char *quote = r->body || *text_of(p->name) ? "'" : "";
    snprintf(out, size, "%s%s%s%s (%s)", quote, r->body ? r->body->prefix : "", *text_of(p->name) ? p->name : number,
             quote, text_of(p->op_type));
    return out;
}

static struct mc_value *find_outside(const struct mc_scope *scope, const char *name)
{
    for (const struct mc_scope *s = scope->outer; s; s = s->outer) {
        struct mc_value *value = mc_names_find(&s->values, name);
        if (value) return value;
    }
    return NULL;
}

static struct mc_value *find(const struct mc_scope *scope, const char *name)
{
    struct mc_value *value = mc_names_find(&scope->values, name);
    return value ? value : find_outside(scope, name);
}

/* --- values --- */

static int define(struct mc_reader *r, struct mc_scope *scope, struct mc_graph *graph, const char *name,
                  struct mc_value **value, struct mc_error *err)
{
    const int rc = mc_reader_value(r, graph, name, value, err);
    if (rc == MC_OK) mc_names_add(&scope->values, name, *value);
    return rc;
}

static int define_inputs(struct mc_reader *r, struct mc_scope *scope, struct mc_graph *graph, const Onnx__GraphProto *p,
                         struct mc_error *err)
{
    for (size_t i = 0; i < p->n_input; i++) {
        if (!*text_of(p->input[i]->name)) return mc_error_set(err, MC_ERR_INPUT, "input %zu has no name", i);
        struct mc_value *value;
        int rc = define(r, scope, graph, p->input[i]->name, &value, err);
        if (rc == MC_OK) rc = mc_graph_add_input(graph, value, err);
        if (rc < 0) return rc;
    }
    mc_names_sort(&scope->values); /* so that initializers find the inputs that they belong to */
    return MC_OK;
}

/* A body is read once for every call, and each has its own parameters: contents of the message cannot be lent to all.
 */
static int unshare(struct mc_reader *r, struct mc_tensor **data, struct mc_error *err)
{
    struct mc_tensor *own;
    int rc = mc_reader_spend(r, mc_tensor_bytes(*data), err);
    if (rc == MC_OK) rc = mc_tensor_clone(&own, *data, err);
    if (rc < 0) return rc;
    mc_tensor_destroy(*data);
    *data = own;
    return MC_OK;
}

/* Contents that lie in the message as raw_data leave it for the tensor, so that they can go when the tensor goes. Not
 * where the message will be read again, to put the bodies of its functions in the place of their calls. */
static int own_contents(const struct mc_reader *r, struct mc_value *value, Onnx__TensorProto *p, struct mc_error *err)
{
    struct mc_tensor *tensor, *lent = value->data;
    if (!p->has_raw_data || lent->data != p->raw_data.data || mc_onnx_n_functions(r->model) > 0) return MC_OK;
    const int rc = mc_tensor_wrap(&tensor, lent->dtype, &lent->shape, lent->data, mc_free, lent->data, err);
    if (rc < 0) return rc;
    p->raw_data = (ProtobufCBinaryData){0};
    mc_tensor_destroy(lent);
    value->data = tensor;
    return MC_OK;
}

static int define_initializer(struct mc_reader *r, struct mc_scope *scope, struct mc_graph *graph, Onnx__TensorProto *p,
                              struct mc_error *err)
{
    struct mc_value *value = mc_names_find(&scope->values, p->name); /* an input with a default */
    if (value && value->data) return mc_error_set(err, MC_ERR_INPUT, "the name is given to two initializers");
    int rc = value ? MC_OK : define(r, scope, graph, p->name, &value, err);
    if (rc == MC_OK) rc = mc_tensor_from_proto(&value->data, p, r->model->origin, &r->external, err);
    if (rc == MC_OK) rc = r->functions ? unshare(r, &value->data, err) : own_contents(r, value, p, err);
    if (rc < 0) return rc;
    value->type = mc_type_of_tensor(value->data);
    value->origin_tensor = p;
    graph->initializers[graph->n_initializers++] = value;
    return MC_OK;
}

static int define_initializers(struct mc_reader *r, struct mc_scope *scope, struct mc_graph *graph,
                               const Onnx__GraphProto *p, struct mc_error *err)
{
    const size_t n = p->n_initializer + p->n_sparse_initializer;
    graph->initializers = MC_ARENA_ARRAY(&r->model->arena, struct mc_value *, n);
    if (!graph->initializers) return mc_error_memory(err);
    graph->cap_initializers = (int)n;
    for (size_t i = 0; i < p->n_initializer; i++) {
        if (!*text_of(p->initializer[i]->name))
            return mc_error_set(err, MC_ERR_INPUT, "initializer %zu has no name", i);
        const int rc = define_initializer(r, scope, graph, p->initializer[i], err);
        if (rc < 0) return mc_error_wrap(err, rc, "initializer '%s'", p->initializer[i]->name);
    }
    return MC_OK;
}

/* Sparse initializers become dense, as long as all together would fit into a message; what has no elements that can
 * be told apart is a value of a known type, whose contents stay in the origin. */
static int define_sparse(struct mc_reader *r, struct mc_scope *scope, struct mc_graph *graph,
                         const Onnx__SparseTensorProto *p, struct mc_error *err)
{
    if (!p->values || !*text_of(p->values->name)) return mc_error_set(err, MC_ERR_INPUT, "it has no name");
    struct mc_value *value = mc_names_find(&scope->values, p->values->name);
    if (value && value->data) return mc_error_set(err, MC_ERR_INPUT, "'%s' is dense, too", p->values->name);
    int rc = value ? MC_OK : define(r, scope, graph, p->values->name, &value, err);
    if (rc == MC_OK)
        rc = mc_tensor_from_sparse(&value->data, p, MC_GUARD_MAX_BYTES - r->sparse_bytes, r->model->origin,
                                   &r->external, err);
    if (rc < 0) return mc_error_wrap(err, rc, "'%s'", p->values->name);
    if (value->data) {
        value->type = mc_type_of_tensor(value->data);
        r->sparse_bytes += mc_tensor_bytes(value->data);
        graph->initializers[graph->n_initializers++] = value;
        return r->functions ? mc_reader_spend(r, mc_tensor_bytes(value->data), err) : MC_OK;
    }
    value->type = (struct mc_type){.dtype = (enum mc_dtype)p->values->data_type, .rank = (int)p->n_dims};
    if (p->n_dims > 0) memcpy(value->type.dim, p->dims, p->n_dims * sizeof *p->dims);
    return MC_OK;
}

static int define_outputs(struct mc_reader *r, struct mc_scope *scope, struct mc_graph *graph, const Onnx__NodeProto *p,
                          struct mc_error *err)
{
    struct mc_value *value;
    for (size_t i = 0; i < p->n_output; i++) {
        if (!*p->output[i]) continue; /* an optional output left out */
        if (find_outside(scope, p->output[i]))
            return mc_error_set(err, MC_ERR_INPUT, "output '%s' has the name of a value outside the graph",
                                p->output[i]);
        const int rc = define(r, scope, graph, p->output[i], &value, err);
        if (rc < 0) return rc;
    }
    return MC_OK;
}

/* A name that stands for two values: say who defines it last. */
static int refuse_duplicate(const struct mc_reader *r, const Onnx__GraphProto *p, const char *name,
                            struct mc_error *err)
{
    char text[256];
    for (size_t i = p->n_node; i-- > 0;)
        for (size_t k = 0; k < p->node[i]->n_output; k++)
            if (strcmp(p->node[i]->output[k], name) == 0)
                return mc_error_set(err, MC_ERR_INPUT, "node %s: output '%s' is defined before",
                                    describe(r, p->node[i], i, text, sizeof text), name);
    return mc_error_set(err, MC_ERR_INPUT, "value '%s' is defined twice", name);
}

static int define_values(struct mc_reader *r, struct mc_scope *scope, struct mc_graph *graph, const Onnx__GraphProto *p,
                         struct mc_error *err)
{
    char text[256];
    size_t n = p->n_input + p->n_initializer + p->n_sparse_initializer;
    for (size_t i = 0; i < p->n_node; i++) n += p->node[i]->n_output;
    int rc = mc_names_init(&scope->values, n, err);
    if (rc == MC_OK) rc = define_inputs(r, scope, graph, p, err);
    if (rc == MC_OK) rc = define_initializers(r, scope, graph, p, err);
    for (size_t i = 0; i < p->n_sparse_initializer && rc == MC_OK; i++) {
        rc = define_sparse(r, scope, graph, p->sparse_initializer[i], err);
        if (rc < 0) return mc_error_wrap(err, rc, "sparse initializer %zu", i);
    }
    for (size_t i = 0; i < p->n_node && rc == MC_OK; i++) {
        rc = define_outputs(r, scope, graph, p->node[i], err);
        if (rc < 0) return mc_error_wrap(err, rc, "node %s", describe(r, p->node[i], i, text, sizeof text));
    }
    if (rc < 0) return rc;
    mc_names_sort(&scope->values);
    const char *twice = mc_names_duplicate(&scope->values);
    return twice ? refuse_duplicate(r, p, twice, err) : MC_OK;
}

/* --- declared types --- */

/* The first declaration counts: input, then output, then value_info; the others have to be types as well, since an
 * output that is listed twice may be written by either. What is said of names that the graph does not define is left
 * alone; it travels in the origin. */
static int declare(struct mc_scope *scope, const Onnx__ValueInfoProto *p, struct mc_error *err)
{
    struct mc_value *value = p->name ? mc_names_find(&scope->values, p->name) : NULL;
    if (!value) return MC_OK;
    struct mc_type type;
    const int rc = mc_type_from_proto(&type, p->type, err);
    if (rc < 0) return mc_error_wrap(err, rc, "type of '%s'", p->name);
    if (value->origin) return MC_OK;
    value->origin = p;
    if (type.dtype != MC_UNDEFINED || type.kind != MC_TYPE_TENSOR) value->type = type;
    return MC_OK;
}

static int declare_types(struct mc_scope *scope, const Onnx__GraphProto *p, struct mc_error *err)
{
    int rc = MC_OK;
    for (size_t i = 0; i < p->n_input && rc == MC_OK; i++) rc = declare(scope, p->input[i], err);
    for (size_t i = 0; i < p->n_output && rc == MC_OK; i++) rc = declare(scope, p->output[i], err);
    for (size_t i = 0; i < p->n_value_info && rc == MC_OK; i++) rc = declare(scope, p->value_info[i], err);
    return rc;
}

static int read_outputs(const struct mc_scope *scope, struct mc_graph *graph, const Onnx__GraphProto *p,
                        struct mc_error *err)
{
    for (size_t i = 0; i < p->n_output; i++) {
        struct mc_value *value = find(scope, text_of(p->output[i]->name));
        if (!value || value == &mc_left_out)
            return mc_error_set(err, MC_ERR_INPUT, "output '%s' is defined nowhere", text_of(p->output[i]->name));
        const int rc = mc_graph_add_output(graph, value, err);
        if (rc < 0) return rc;
    }
    return MC_OK;
}

/* --- nodes --- */

/* Values by name into `values`; the empty name is one left out. */
static int find_values(const struct mc_scope *scope, char *const *names, size_t n, struct mc_value **values,
                       struct mc_error *err)
{
    for (size_t i = 0; i < n; i++) {
        values[i] = *names[i] ? find(scope, names[i]) : NULL;
        if (*names[i] && !values[i]) return mc_error_set(err, MC_ERR_INPUT, "input '%s' is defined nowhere", names[i]);
        if (values[i] == &mc_left_out) values[i] = NULL;
    }
    return MC_OK;
}

/* A node of values that have been found, or the body of the function that it calls. */
static int make_node(struct mc_reader *r, struct mc_graph *graph, const struct mc_scope *scope,
                     const Onnx__NodeProto *p, size_t index, struct mc_value **inputs, struct mc_value **outputs,
                     struct mc_error *err)
{
    const struct mc_function *function = mc_reader_call(r, p);
    if (function) return mc_read_body(r, graph, function, p, index, scope, inputs, outputs, err);
    const char *name = r->body ? mc_reader_node_name(r, p, index) : text_of(p->name);
    struct mc_node *node = name ? mc_node_create(graph, -1, text_of(p->domain), p->op_type, name, (int)p->n_input,
                                                 inputs, (int)p->n_output, outputs)
                                : NULL;
    if (!node) return mc_error_memory(err);
    node->origin = p;
    node->opset = mc_reader_opset(r, node->domain);
    if (node->opset == 0 && !*node->domain)
        return mc_error_set(err, MC_ERR_INPUT, "the model imports no opset of ONNX's own operators");
    return mc_read_attrs(r, node, p, scope, err);
}

static int read_node(struct mc_reader *r, struct mc_graph *graph, const struct mc_scope *scope,
                     const Onnx__NodeProto *p, size_t index, struct mc_error *err)
{
    struct mc_arena *arena = &r->model->arena;
    if (!*text_of(p->op_type)) return mc_error_set(err, MC_ERR_INPUT, "the operator is not named");
    int rc = mc_reader_spend_node(r, p, err);
    if (rc < 0) return rc;
    struct mc_value **inputs = MC_ARENA_ARRAY(arena, struct mc_value *, p->n_input);
    struct mc_value **outputs = MC_ARENA_ARRAY(arena, struct mc_value *, p->n_output);
    if (!inputs || !outputs) return mc_error_memory(err);
    rc = find_values(scope, p->input, p->n_input, inputs, err);
    if (rc == MC_OK) rc = find_values(scope, p->output, p->n_output, outputs, err);
    return rc == MC_OK ? make_node(r, graph, scope, p, index, inputs, outputs, err) : rc;
}

int mc_read_nodes(struct mc_reader *r, struct mc_graph *graph, const struct mc_scope *scope,
                  Onnx__NodeProto *const *nodes, size_t n, struct mc_error *err)
{
    char text[256];
    for (size_t i = 0; i < n; i++) {
        const int rc = read_node(r, graph, scope, nodes[i], i, err);
        if (rc == MC_OK) continue;
        if (mc_reader_call(r, nodes[i])) return rc; /* the body has said where it stands */
        return mc_error_wrap(err, rc, "node %s", describe(r, nodes[i], i, text, sizeof text));
    }
    return MC_OK;
}

int mc_read_graph(struct mc_reader *r, struct mc_graph *graph, const Onnx__GraphProto *p, const struct mc_scope *outer,
                  struct mc_error *err)
{
    const int first_id = r->model->n_node_ids;
    struct mc_scope scope = {.outer = outer};
    graph->origin = p;
    int rc = define_values(r, &scope, graph, p, err);
    if (rc == MC_OK) rc = declare_types(&scope, p, err);
    if (rc == MC_OK) rc = mc_read_nodes(r, graph, &scope, p->node, p->n_node, err);
    if (rc == MC_OK) rc = read_outputs(&scope, graph, p, err);
    if (rc == MC_OK) rc = mc_order_nodes(graph, first_id, err);
    mc_names_finish(&scope.values);
    return rc < 0 ? mc_error_wrap(err, rc, "graph '%s'", text_of(p->name)) : MC_OK;
}
