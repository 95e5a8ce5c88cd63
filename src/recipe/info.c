/* info.c - what a model is and what can be done with it; see compress.h. */
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/file.h"
#include "graph/coupling.h"
#include "graph/op.h"
#include "onnx/onnx.h"
#include "recipe/context.h"
#include "recipe/flat.h"
#include "recipe/measure.h"
#include "recipe/measure_graph.h"
#include "run/plan.h"
#include "train/binding.h"
#include "train/parameters.h"

/* Samples of a training plan that is only tried. */
enum { TRIAL_BATCH = 2 };

/* --- inputs and outputs --- */

/* "[batch,1,28,28]", "?" for what has neither number nor name. */
static void put_shape(const struct mc_type *type, struct mc_record *value)
{
    if (type->rank < 0) return;
    struct mc_buf text;
    mc_buf_init(&text, 4096);
    mc_buf_puts(&text, "[");
    for (int i = 0; i < type->rank; i++) {
        if (i > 0) mc_buf_puts(&text, ",");
        if (type->dim[i] >= 0)
            mc_buf_printf(&text, "%lld", (long long)type->dim[i]);
        else
            mc_buf_puts(&text, type->param[i] ? type->param[i] : "?");
    }
    mc_buf_puts(&text, "]");
    mc_record_set_text(value, "shape", text.failed ? NULL : text.data);
    mc_buf_finish(&text);
}

static void put_value(const struct mc_value *v, struct mc_record *values)
{
    struct mc_record *value = mc_record_append_object(values);
    mc_record_set_text(value, "name", v->name);
    mc_record_set_text(value, "type", mc_dtype_name(v->type.dtype));
    put_shape(&v->type, value);
}

static void put_interface(const struct mc_model *model, struct mc_record *record)
{
    struct mc_record *opsets = mc_record_array(record, "opsets");
    for (int i = 0; i < model->n_opsets; i++) {
        struct mc_record *opset = mc_record_append_object(opsets);
        mc_record_set_text(opset, "domain", *model->opsets[i].domain ? model->opsets[i].domain : "ai.onnx");
        mc_record_set_int(opset, "version", model->opsets[i].version);
    }
    struct mc_record *inputs = mc_record_array(record, "model_inputs");
    for (int i = 0; i < mc_model_n_inputs(model); i++) put_value(mc_model_input(model, i), inputs);
    struct mc_record *outputs = mc_record_array(record, "model_outputs");
    for (int i = 0; i < model->graph->n_outputs; i++) put_value(model->graph->outputs[i], outputs);
}

/* --- operators --- */

/* One kind of node, and how many there are. */
struct kind {
    const struct mc_node *example;
    int64_t n_nodes;
};

struct kinds {
    struct kind *of;
    size_t n, capacity;
    bool failed;
};

static void add_node(struct kinds *kinds, const struct mc_node *node)
{
    for (size_t i = 0; i < kinds->n; i++) {
        const struct mc_node *known = kinds->of[i].example;
        if (strcmp(known->type, node->type) != 0 || strcmp(known->domain, node->domain) != 0) continue;
        kinds->of[i].n_nodes++;
        return;
    }
    if (!mc_grow((void **)&kinds->of, kinds->n, &kinds->capacity, sizeof *kinds->of))
        kinds->failed = true;
    else
        kinds->of[kinds->n++] = (struct kind){node, 1};
}

static void add_graph(struct kinds *kinds, const struct mc_graph *graph)
{
    for (int i = 0; i < graph->n_nodes; i++) {
        const struct mc_node *node = graph->nodes[i];
        add_node(kinds, node);
        for (int k = 0; k < mc_node_n_subgraphs(node); k++) add_graph(kinds, mc_node_subgraph(node, k));
    }
}

static void put_kind(const struct kind *kind, struct mc_record *operators)
{
    const struct mc_node *node = kind->example;
    const struct mc_op *op = node->op;
    struct mc_record *entry = mc_record_append_object(operators);
    char name[256];
    snprintf(name, sizeof name, "%s%s%s", node->domain, *node->domain ? "." : "", node->type);
    mc_record_set_text(entry, "operator", name);
    mc_record_set_int(entry, "version", node->opset);
    mc_record_set_int(entry, "nodes", kind->n_nodes);
    mc_record_set_bool(entry, "runs", op && (op->forward || op->evaluate));
    mc_record_set_bool(entry, "trains", op && (op->backward || op->branches));
    mc_record_set_bool(entry, "prunes", op && op->coupling);
    if (!op)
        mc_record_set_text(entry, "why", "unknown operator");
    else if (!op->backward && !op->branches)
        mc_record_set_text(entry, "why", op->no_backward);
}

/* Functions of the file, whose calls the operators below are counted without. */
static void put_functions(const struct mc_model *model, struct mc_record *record)
{
    const size_t n = mc_onnx_n_functions(model);
    struct mc_record *functions = n > 0 ? mc_record_array(record, "functions") : NULL;
    for (size_t i = 0; i < n; i++) {
        const struct mc_onnx_function f = mc_onnx_function(model, i);
        struct mc_record *entry = mc_record_append_object(functions);
        char name[256];
        snprintf(name, sizeof name, "%s%s%s%s%s", f.domain, *f.domain ? "." : "", f.name, *f.overload ? ":" : "",
                 f.overload);
        mc_record_set_text(entry, "function", name);
        mc_record_set_int(entry, "nodes", (int64_t)f.n_nodes);
    }
}

static int put_operators(const struct mc_model *model, struct mc_record *record, struct mc_error *err)
{
    struct kinds kinds = {0};
    add_graph(&kinds, model->graph);
    struct mc_record *operators = mc_record_array(record, "operators");
    for (size_t i = 0; i < kinds.n; i++) put_kind(&kinds.of[i], operators);
    mc_free(kinds.of);
    return kinds.failed ? mc_error_memory(err) : MC_OK;
}

/* --- what can be done with the whole --- */

static void put_ability(struct mc_record *can, const char *what, bool able, const char *why)
{
    struct mc_record *ability = mc_record_object(can, what);
    mc_record_set_bool(ability, "able", able);
    if (why && *why) mc_record_set_text(ability, "why", why);
}

static void put_can_run(const struct mc_model *model, const struct mc_runtime *runtime, struct mc_record *can,
                        struct mc_record *record)
{
    struct mc_plan *plan = NULL;
    struct mc_error why = {0};
    struct mc_runtime single = *runtime;
    single.n_threads = 1; /* as figures of every record are */
    /* what no file can hold in one piece may be larger than memory, let alone twice */
    size_t length;
    const bool is_large = mc_onnx_save_size(model, &length, NULL) == MC_ERR_UNSUPPORTED;
    const struct mc_plan_options options = {.dims = {.batch = 1}, .runtime = &single, .lean = is_large};
    const int rc = mc_plan_create(&plan, model, &options, &why);
    put_ability(can, "run", rc == MC_OK, why.text);
    if (rc == MC_OK) mc_measure_memory(plan, record);
    mc_plan_destroy(plan);
}

/* A plan that goes back from the scores, as the trainer would begin. */
static int try_to_train(const struct mc_model *model, const struct mc_runtime *runtime, struct mc_plan **plan,
                        struct mc_error *why)
{
    struct mc_binding binding;
    struct mc_value **parameters;
    int n = 0;
    int rc = mc_trainable(model, &parameters, &n, why);
    if (rc == MC_OK) rc = mc_binding_init(&binding, model, NULL, MC_LOSS_CROSS_ENTROPY, NULL, why);
    if (rc < 0) return rc;
    const int64_t fixed = mc_binding_fixed_batch(&binding);
    rc = mc_binding_plan(&binding, plan, model, fixed ? fixed : TRIAL_BATCH, parameters, n, true, runtime, why);
    if (rc < 0 || mc_plan_grad_output(*plan, binding.output)) return rc;
    return mc_refuse_untrainable(*plan, parameters, n, why);
}

static void put_can_train(const struct mc_model *model, const struct mc_runtime *runtime, struct mc_record *can)
{
    struct mc_plan *plan = NULL;
    struct mc_error why = {0};
    const int rc = try_to_train(model, runtime, &plan, &why);
    put_ability(can, "train", rc == MC_OK, why.text);
    if (plan)
        mc_record_untrained(plan, model, mc_record_object(can, "train"), NULL); /* the record is checked as a whole */
    mc_plan_destroy(plan);
}

/* Families of coupled groups: which may go, and what keeps the others. */
static void put_families(const struct mc_coupling *coupling, struct mc_record *can)
{
    const int n = mc_coupling_n_families(coupling);
    bool *free_family = MC_NEW_ARRAY(bool, n);
    if (!free_family) {
        put_ability(can, "prune", false, "out of memory");
        return;
    }
    int64_t n_free = 0, families_free = 0;
    const char *frozen_why = NULL;
    for (int i = 0; i < mc_coupling_n_groups(coupling); i++) {
        const struct mc_group *group = mc_coupling_group(coupling, i);
        if (group->frozen_why) {
            if (!frozen_why) frozen_why = group->frozen_why;
            continue;
        }
        n_free++;
        if (!free_family[group->family]) families_free++;
        free_family[group->family] = true;
    }
    char text[256];
    snprintf(text, sizeof text, "%lld channels in %lld of %d families can go%s%s", (long long)n_free,
             (long long)families_free, n, frozen_why ? "; frozen, for instance: " : "", frozen_why ? frozen_why : "");
    put_ability(can, "prune", n_free > 0, text);
    mc_record_set_int(mc_record_object(can, "prune"), "channels", n_free);
    mc_free(free_family);
}

static void put_can_prune(const struct mc_model *model, struct mc_record *can)
{
    struct mc_facts facts;
    struct mc_coupling *coupling = NULL;
    struct mc_error why = {0};
    const struct mc_dims dims = {.batch = 1};
    int rc = mc_model_facts(&facts, model, &dims, true, &why);
    if (rc == MC_OK) {
        rc = mc_coupling_create(&coupling, model, &facts, false, &why);
        if (rc == MC_OK) put_families(coupling, can);
        mc_coupling_destroy(coupling);
        mc_facts_finish(&facts);
    }
    if (rc < 0) put_ability(can, "prune", false, why.text);
}

static int fill(const struct mc_model *model, const struct mc_context *context, struct mc_record *record,
                struct mc_error *err)
{
    struct mc_runtime runtime;
    struct mc_flat flat;
    int rc = mc_context_runtime(context, &runtime, err);
    if (rc < 0) return rc;
    mc_record_begin(record, "compress info");

    if (model->path) mc_record_set_text(record, "model", mc_path_name(model->path));
    put_interface(model, record);
    rc = mc_measure_model(model, &runtime, MC_MEASURE_SIZES, record, err);
    if (rc == MC_OK) rc = mc_measure_graph(model, record, err);
    if (rc < 0) return rc;
    put_functions(model, record);
    rc = mc_flat_init(&flat, model, err);
    if (rc == MC_OK) rc = put_operators(flat.model, record, err);
    if (rc == MC_OK) {
        struct mc_record *can = mc_record_object(record, "can");
        put_can_run(flat.model, &runtime, can, record);
        put_can_train(flat.model, &runtime, can);
        put_can_prune(flat.model, can);
        rc = mc_record_check(record, err);
    }
    mc_flat_finish(&flat);
    return rc;
}

int mc_model_info(const struct mc_model *model, const struct mc_context *context, struct mc_record **record,
                  struct mc_error *err)
{
    struct mc_record *r;
    int rc = mc_record_create(&r, err);
    if (rc < 0) return rc;
    rc = fill(model, context, r, err);
    if (rc == MC_OK)
        *record = r;
    else
        mc_record_destroy(r);
    return rc;
}
