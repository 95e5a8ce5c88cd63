/* inline.c - a model whose calls of functions have been replaced by their bodies; see mc_onnx_inline in onnx.h. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "onnx/functions.h"
#include "onnx/message.h"
#include "onnx/onnx.h"
#include "onnx/order.h"
#include "onnx/reader.h"

/* What bodies may take in memory: no model comes near, a few functions that call one another twice pass it soon. */
#define MAX_BYTES ((size_t)512 << 20)

struct inliner {
    struct mc_reader reader;
    struct mc_model *model;
    /* The values of the model as it was, by graph, then by name: what its own graphs are to the nodes in them. */
    size_t n_values;
    struct mc_value **values;
    struct mc_name *names;
};

/* --- scopes of the model's own graphs --- */

static int compare_in_graphs(const void *a, const void *b)
{
    const struct mc_value *v = *(struct mc_value *const *)a, *w = *(struct mc_value *const *)b;
    const uintptr_t g = (uintptr_t)v->graph, h = (uintptr_t)w->graph;
    return g != h ? (g > h) - (g < h) : strcmp(v->name, w->name);
}

static int list_values(struct inliner *in, struct mc_error *err)
{
    const struct mc_model *model = in->model;
    in->values = MC_NEW_ARRAY(struct mc_value *, model->n_values);
    in->names = MC_NEW_ARRAY(struct mc_name, model->n_values);
    if (!in->values || !in->names) return mc_error_memory(err);
    for (int i = 0; i < model->n_values; i++)
        if (model->values[i]) in->values[in->n_values++] = model->values[i];
    qsort(in->values, in->n_values, sizeof *in->values, compare_in_graphs);
    for (size_t i = 0; i < in->n_values; i++) in->names[i] = (struct mc_name){in->values[i]->name, in->values[i]};
    return MC_OK;
}

/* How many of the listed values are of graphs before this one, or of this one as well. */
static size_t count_before(const struct inliner *in, const struct mc_graph *graph, bool included)
{
    size_t low = 0, high = in->n_values;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const uintptr_t g = (uintptr_t)in->values[middle]->graph;
        if (g < (uintptr_t)graph || (included && g == (uintptr_t)graph))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Lent: the names are the inliner's. */
static struct mc_scope scope_of(const struct inliner *in, const struct mc_graph *graph, const struct mc_scope *outer)
{
    const size_t begin = count_before(in, graph, false), n = count_before(in, graph, true) - begin;
    return (struct mc_scope){.values = {.n = n, .n_sorted = n, .capacity = n, .entries = in->names + begin},
                             .outer = outer};
}

/* --- nodes --- */

/* A graph that goes with the call whose attribute it was; the body has read its own. */
static void disown(struct mc_graph *graph)
{
    graph->model = NULL;
    for (int i = 0; i < graph->n_nodes; i++)
        for (int k = 0; k < mc_node_n_subgraphs(graph->nodes[i]); k++) disown(mc_node_subgraph(graph->nodes[i], k));
}

static const struct mc_function *call_of(const struct mc_reader *reader, const struct mc_node *node)
{
    return node->origin ? mc_reader_call(reader, node->origin) : NULL;
}

static int inline_graph(struct inliner *in, struct mc_graph *graph, const struct mc_scope *outer, struct mc_error *err);

/* One node of the model's own; *is_call: it can go. */
static int inline_node(struct inliner *in, struct mc_node *node, int index, const struct mc_scope *scope, bool *is_call,
                       struct mc_error *err)
{
    char text[256];
    int rc = MC_OK;
    const struct mc_function *f = call_of(&in->reader, node);
    *is_call = f != NULL;
    if (f) {
        const Onnx__NodeProto *p = node->origin;
        rc = mc_read_body(&in->reader, node->graph, f, p, (size_t)index, scope, node->inputs, node->outputs, err);
        if (rc < 0) return mc_error_wrap(err, rc, "node %s", mc_node_text(node, text, sizeof text));
    }
    for (int k = 0; k < mc_node_n_subgraphs(node) && rc == MC_OK; k++)
        if (f)
            disown(mc_node_subgraph(node, k));
        else
            rc = inline_graph(in, mc_node_subgraph(node, k), scope, err);
    return rc;
}

static int inline_graph(struct inliner *in, struct mc_graph *graph, const struct mc_scope *outer, struct mc_error *err)
{
    const struct mc_scope scope = scope_of(in, graph, outer);
    const int n = graph->n_nodes; /* bodies come behind these */
    bool any = false, *gone = MC_NEW_ARRAY(bool, n);
    int rc = gone ? MC_OK : mc_error_memory(err);
    for (int i = 0; i < n && rc == MC_OK; i++) {
        rc = inline_node(in, graph->nodes[i], i, &scope, &gone[i], err);
        any = any || gone[i];
    }
    if (any && rc == MC_OK) {
        mc_graph_remove_nodes(graph, n, gone);
        rc = mc_order_nodes(graph, 0, err);
    }
    mc_free(gone);
    return rc;
}

/* --- afterwards --- */

/* Values of graphs that went with their call. */
static void remove_disowned(struct mc_model *model)
{
    for (int i = 0; i < model->n_values; i++) {
        struct mc_value *value = model->values[i];
        if (!value || value->graph->model) continue;
        mc_tensor_destroy(value->data);
        value->data = NULL;
        model->values[i] = NULL;
    }
}

/* By name; of equal ones the older first. */
static int compare_values(const void *a, const void *b)
{
    const struct mc_value *v = *(struct mc_value *const *)a, *w = *(struct mc_value *const *)b;
    const int order = strcmp(v->name, w->name);
    return order ? order : (v->id > w->id) - (v->id < w->id);
}

static int compare_name(const void *name, const void *value)
{
    return strcmp(name, (*(struct mc_value *const *)value)->name);
}

/* The first of name_1, name_2, … from *number on that is not in the list; that of another name cannot be the same. */
static const char *fresh_name(struct mc_model *model, const char *name, struct mc_value *const *sorted, size_t n,
                              unsigned *number)
{
    const size_t size = strlen(name) + 16;
    char *fresh = mc_arena_alloc(&model->arena, size, 1);
    if (!fresh) return NULL;
    do snprintf(fresh, size, "%s_%u", name, (*number)++);
    while (bsearch(fresh, sorted, n, sizeof(struct mc_value *), compare_name));
    return fresh;
}

/* Give every value of a body that has another's name one of its own. The list is sorted by the old names throughout. */
static int rename_values(struct mc_model *model, int first_new, struct mc_value **sorted, size_t n,
                         struct mc_error *err)
{
    const char **names = MC_NEW_ARRAY(const char *, n);
    unsigned number = 1;
    if (!names) return mc_error_memory(err);
    for (size_t i = 0; i < n; i++) {
        names[i] = sorted[i]->name;
        const bool again = i > 0 && strcmp(sorted[i - 1]->name, names[i]) == 0;
        if (!again) number = 1;
        if (!again || sorted[i]->id < first_new) continue;
        names[i] = fresh_name(model, names[i], sorted, n, &number);
        if (!names[i]) break;
    }
    const bool ok = n == 0 || names[n - 1];
    for (size_t i = 0; i < n && names[i]; i++) sorted[i]->name = names[i];
    mc_free(names);
    return ok ? MC_OK : mc_error_memory(err);
}

static int make_unique(struct mc_model *model, int first_new, struct mc_error *err)
{
    size_t n = 0;
    struct mc_value **sorted = MC_NEW_ARRAY(struct mc_value *, model->n_values);
    if (!sorted) return mc_error_memory(err);
    for (int i = 0; i < model->n_values; i++)
        if (model->values[i]) sorted[n++] = model->values[i];
    qsort(sorted, n, sizeof *sorted, compare_values);
    const int rc = rename_values(model, first_new, sorted, n, err);
    mc_free(sorted);
    return rc;
}

/* Import what only the functions did. */
static int import_opsets(struct mc_model *model, const struct mc_graph *graph, struct mc_error *err)
{
    int rc = MC_OK;
    for (int i = 0; i < graph->n_nodes && rc == MC_OK; i++) {
        const struct mc_node *node = graph->nodes[i];
        for (int k = 0; k < mc_node_n_subgraphs(node) && rc == MC_OK; k++)
            rc = import_opsets(model, mc_node_subgraph(node, k), err);
        if (rc < 0 || node->opset == 0 || mc_model_opset(model, node->domain) > 0) continue;
        struct mc_opset *opsets = MC_ARENA_ARRAY(&model->arena, struct mc_opset, model->n_opsets + 1);
        if (!opsets) return mc_error_memory(err);
        memcpy(opsets, model->opsets, (size_t)model->n_opsets * sizeof *opsets);
        opsets[model->n_opsets++] = (struct mc_opset){node->domain, node->opset};
        model->opsets = opsets;
    }
    return rc;
}

/* A body may name what nothing gives before it is read: an output that is handed through to itself. */
static int check_made(const struct mc_graph *graph, bool *made, struct mc_error *err)
{
    char text[128];
    for (int i = 0; i < graph->n_inputs; i++) made[graph->inputs[i]->id] = true;
    for (int i = 0; i < graph->n_initializers; i++) made[graph->initializers[i]->id] = true;
    for (int i = 0; i < graph->n_nodes; i++) {
        const struct mc_node *node = graph->nodes[i];
        for (int k = 0; k < node->n_inputs; k++)
            if (node->inputs[k] && !made[node->inputs[k]->id])
                return mc_error_set(err, MC_ERR_INPUT, "node %s: input '%s' is made by no node before it",
                                    mc_node_text(node, text, sizeof text), node->inputs[k]->name);
        for (int k = 0; k < mc_node_n_subgraphs(node); k++) {
            const int rc = check_made(mc_node_subgraph(node, k), made, err);
            if (rc < 0) return rc;
        }
        for (int k = 0; k < node->n_outputs; k++)
            if (node->outputs[k]) made[node->outputs[k]->id] = true;
    }
    for (int i = 0; i < graph->n_outputs; i++)
        if (!made[graph->outputs[i]->id])
            return mc_error_set(err, MC_ERR_INPUT, "output '%s' is made by no node", graph->outputs[i]->name);
    return MC_OK;
}

static int check_all_made(const struct mc_model *model, struct mc_error *err)
{
    bool *made = MC_NEW_ARRAY(bool, model->n_values + 1);
    const int rc = made ? check_made(model->graph, made, err) : mc_error_memory(err);
    mc_free(made);
    return rc;
}

static int inline_model(struct inliner *in, struct mc_error *err)
{
    struct mc_model *model = in->model;
    const int first_new = model->n_values;
    int rc = list_values(in, err);
    if (rc == MC_OK) rc = inline_graph(in, model->graph, NULL, err);
    if (rc == MC_OK) remove_disowned(model);
    if (rc == MC_OK) rc = make_unique(model, first_new, err);
    if (rc == MC_OK) rc = check_all_made(model, err);
    if (rc == MC_OK) rc = import_opsets(model, model->graph, err);
    model->inlined = true;
    return rc;
}

static struct mc_reader reader_of(struct mc_model *model,
                                  const struct mc_op *(*known)(const char *, const char *, int64_t))
{
    const struct mc_message *message = (const struct mc_message *)model->origin;
    return (struct mc_reader){.model = model,
                              .external = message ? message->external : (struct mc_external){0},
                              .functions = message && !model->inlined ? message->functions : NULL,
                              .known = known,
                              .budget = MAX_BYTES};
}

static bool has_calls(const struct mc_reader *reader, const struct mc_graph *graph)
{
    bool any = false;
    for (int i = 0; i < graph->n_nodes && !any; i++) {
        any = call_of(reader, graph->nodes[i]) != NULL;
        for (int k = 0; k < mc_node_n_subgraphs(graph->nodes[i]) && !any; k++)
            any = has_calls(reader, mc_node_subgraph(graph->nodes[i], k));
    }
    return any;
}

bool mc_onnx_has_calls(const struct mc_model *model, const struct mc_op *(*known)(const char *, const char *, int64_t))
{
    const struct mc_reader reader = reader_of((struct mc_model *)(uintptr_t)model, known);
    return reader.functions && has_calls(&reader, model->graph);
}

int mc_onnx_inline(struct mc_model *model, const struct mc_op *(*known)(const char *, const char *, int64_t),
                   struct mc_error *err)
{
    if (!mc_onnx_has_calls(model, known)) return MC_OK;
    struct inliner in = {.reader = reader_of(model, known), .model = model};
    const int rc = inline_model(&in, err);
    mc_free(in.names);
    mc_free(in.values);
    return rc < 0 && model->path ? mc_error_wrap(err, rc, "model '%s'", model->path) : rc;
}

size_t mc_onnx_n_functions(const struct mc_model *model)
{
    const struct mc_message *message = (const struct mc_message *)model->origin;
    return message && message->functions ? message->functions->n : 0;
}

struct mc_onnx_function mc_onnx_function(const struct mc_model *model, size_t i)
{
    const struct mc_function *f = &((const struct mc_message *)model->origin)->functions->of[i];
    return (struct mc_onnx_function){f->domain, f->name, f->overload, f->proto->n_node};
}
