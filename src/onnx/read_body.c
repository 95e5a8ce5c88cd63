/* read_body.c - the body of a function in the place of a node that calls it; see reader.h.
 *
 * The body's own names are looked up in a scope of their own; what it defines gets the call's name in front, so that
 * whoever speaks of it says whence it comes. inline.c then sees to it that names are unique.
 */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "onnx/functions.h"
#include "onnx/reader.h"

const struct mc_value mc_left_out = {.name = ""};

static const char *text_of(const char *s)
{
    return s ? s : "";
}

/* --- limits --- */

int mc_reader_spend(struct mc_reader *r, size_t bytes, struct mc_error *err)
{
    if (!r->functions) return MC_OK;
    if (bytes > r->budget)
        return mc_error_set(err, MC_ERR_UNSUPPORTED,
                            "the functions of the model would take too much memory in the place of their calls");
    r->budget -= bytes;
    return MC_OK;
}

int mc_reader_spend_node(struct mc_reader *r, const Onnx__NodeProto *p, struct mc_error *err)
{
    if (!r->functions) return MC_OK;
    const size_t operands = p->n_input + p->n_output, parts = p->n_attribute + p->base.n_unknown_fields;
    return mc_reader_spend(r, sizeof(struct mc_node) + 2 * operands * sizeof(void *) + parts * sizeof(struct mc_attr),
                           err);
}

/* Contents that lie in the message, and graphs, whose parts are counted one by one, are not copied. */
int mc_reader_spend_attr(struct mc_reader *r, const Onnx__AttributeProto *p, struct mc_error *err)
{
    if (!r->functions || p->g || p->n_graphs > 0) return MC_OK;
    const size_t lent = p->t && p->t->has_raw_data ? p->t->raw_data.len : 0;
    return mc_reader_spend(r, 8 * (onnx__attribute_proto__get_packed_size(p) - lent), err);
}

int mc_reader_enter(struct mc_reader *r, struct mc_error *err)
{
    if (r->functions && r->depth == MC_FUNCTIONS_MOST_NESTED)
        return mc_error_set(err, MC_ERR_UNSUPPORTED, "functions and graphs are nested more than %d deep",
                            MC_FUNCTIONS_MOST_NESTED);
    r->depth++;
    return MC_OK;
}

void mc_reader_leave(struct mc_reader *r)
{
    r->depth--;
}

/* --- names --- */

/* Prefix and name in the model's arena, or NULL. */
static char *join(struct mc_reader *r, const char *name)
{
    const size_t length = strlen(name), before = r->body ? r->body->prefix_length : 0;
    char *joined = mc_arena_alloc(&r->model->arena, before + length + 1, 1);
    if (!joined) return NULL;
    if (before) memcpy(joined, r->body->prefix, before);
    memcpy(joined + before, name, length);
    return joined;
}

int mc_reader_value(struct mc_reader *r, struct mc_graph *graph, const char *name, struct mc_value **value,
                    struct mc_error *err)
{
    const size_t length = strlen(name) + (r->body ? r->body->prefix_length : 0);
    const int rc = mc_reader_spend(r, sizeof **value + 2 * length, err);
    if (rc < 0) return rc;
    const char *full = r->body ? join(r, name) : name;
    *value = full ? mc_value_create(graph, full) : NULL;
    return *value ? MC_OK : mc_error_memory(err);
}

const char *mc_reader_node_name(struct mc_reader *r, const Onnx__NodeProto *p, size_t index)
{
    char number[32];
    if (!r->body || *text_of(p->name)) return r->body ? join(r, p->name) : text_of(p->name);
    snprintf(number, sizeof number, "#%zu", index);
    return join(r, number);
}

/* What stands before the names of a call's body: that of the node, with all that stands before it, and a slash. */
static char *make_prefix(struct mc_reader *r, const Onnx__NodeProto *call, size_t index)
{
    char number[32] = "";
    if (!*text_of(call->name)) snprintf(number, sizeof number, "#%zu", index);
    const char *name = *number ? call->op_type : call->name;
    const size_t size = strlen(name) + strlen(number) + 2;
    char *own = mc_arena_alloc(&r->model->arena, size, 1);
    if (!own) return NULL;
    snprintf(own, size, "%s%s/", name, number);
    return join(r, own);
}

/* --- what a name of the body means --- */

static int imported(const Onnx__FunctionProto *p, const char *domain)
{
    int64_t version = 0;
    for (size_t i = 0; i < p->n_opset_import; i++) {
        const char *name = text_of(p->opset_import[i]->domain);
        if (strcmp(name, "ai.onnx") == 0) name = "";
        if (strcmp(name, domain) == 0 && version < p->opset_import[i]->version) version = p->opset_import[i]->version;
    }
    return version <= INT32_MAX ? (int)version : 0;
}

int mc_reader_opset(const struct mc_reader *r, const char *domain)
{
    if (strcmp(domain, "ai.onnx") == 0) domain = "";
    const int own = r->body ? imported(r->body->function->proto, domain) : 0;
    return own > 0 ? own : mc_model_opset(r->model, domain);
}

const struct mc_function *mc_reader_call(const struct mc_reader *r, const Onnx__NodeProto *p)
{
    const struct mc_function *f = r->functions ? mc_functions_find(r->functions, p) : NULL;
    /* An operator of the standard that is here is not replaced (ONNX Runtime does the same). */
    return f && !r->known(f->domain, f->name, mc_reader_opset(r, f->domain)) ? f : NULL;
}

static bool find_argument(const struct mc_body *body, const char *name, struct mc_argument *argument)
{
    for (size_t i = 0; i < body->n_arguments; i++)
        if (strcmp(body->arguments[i].name, name) == 0) {
            *argument = body->arguments[i];
            return true;
        }
    for (size_t i = 0; i < body->function->n_defaults; i++) {
        const Onnx__AttributeProto *p = body->function->defaults[i];
        if (strcmp(text_of(p->name), name) != 0) continue;
        *argument = (struct mc_argument){.name = p->name, .proto = p, .body = body};
        return true;
    }
    return false;
}

bool mc_reader_argument(const struct mc_reader *r, const Onnx__AttributeProto *p, const struct mc_scope *scope,
                        struct mc_argument *argument)
{
    if (r->body && *text_of(p->ref_attr_name)) return find_argument(r->body, p->ref_attr_name, argument);
    *argument = (struct mc_argument){.name = text_of(p->name), .proto = p, .scope = scope, .body = r->body};
    return true;
}

/* --- the body --- */

/* The call's attributes, each with the place where it is to be understood. */
static int bind_attributes(struct mc_reader *r, struct mc_body *body, const Onnx__NodeProto *call,
                           const struct mc_scope *scope, struct mc_error *err)
{
    struct mc_argument *arguments = MC_ARENA_ARRAY(&r->model->arena, struct mc_argument, call->n_attribute);
    if (!arguments) return mc_error_memory(err);
    for (size_t i = 0; i < call->n_attribute; i++) {
        struct mc_argument *argument = &arguments[body->n_arguments];
        if (!mc_reader_argument(r, call->attribute[i], scope, argument)) continue;
        argument->name = text_of(call->attribute[i]->name);
        body->n_arguments++;
    }
    body->arguments = arguments;
    return MC_OK;
}

static void bind_inputs(struct mc_scope *scope, const Onnx__FunctionProto *f, const Onnx__NodeProto *call,
                        struct mc_value *const *inputs)
{
    for (size_t i = 0; i < f->n_input; i++) {
        struct mc_value *value = i < call->n_input ? inputs[i] : NULL;
        mc_names_add(&scope->values, f->input[i], value ? value : (struct mc_value *)(uintptr_t)&mc_left_out);
    }
}

/* Values of what the body's nodes give: those of the call's outputs, or new ones. */
static int define_results(struct mc_reader *r, struct mc_graph *graph, struct mc_scope *scope,
                          const struct mc_names *outputs, const Onnx__FunctionProto *f, struct mc_error *err)
{
    for (size_t i = 0; i < f->n_node; i++)
        for (size_t k = 0; k < f->node[i]->n_output; k++) {
            const char *name = f->node[i]->output[k];
            if (!*name) continue;
            struct mc_value *value = mc_names_find(outputs, name);
            const int rc = value ? MC_OK : mc_reader_value(r, graph, name, &value, err);
            if (rc < 0) return rc;
            mc_names_add(&scope->values, name, value);
        }
    mc_names_sort(&scope->values);
    const char *twice = mc_names_duplicate(&scope->values);
    return twice ? mc_error_set(err, MC_ERR_INPUT, "value '%s' is defined twice", twice) : MC_OK;
}

static int name_outputs(struct mc_names *names, const Onnx__FunctionProto *f, const Onnx__NodeProto *call,
                        struct mc_value *const *outputs, struct mc_error *err)
{
    const int rc = mc_names_init(names, f->n_output, err);
    if (rc < 0) return rc;
    for (size_t i = 0; i < f->n_output; i++) mc_names_add(names, f->output[i], i < call->n_output ? outputs[i] : NULL);
    mc_names_sort(names);
    const char *twice = mc_names_duplicate(names);
    return twice ? mc_error_set(err, MC_ERR_INPUT, "output '%s' is given twice", twice) : MC_OK;
}

/* An output that no node gives is an input handed through. */
static int pass_through(struct mc_reader *r, struct mc_graph *graph, const struct mc_scope *scope, const char *name,
                        struct mc_value *output, struct mc_error *err)
{
    struct mc_value *value = mc_names_find(&scope->values, name);
    if (value == output) return MC_OK;
    if (!value) return mc_error_set(err, MC_ERR_INPUT, "output '%s' is defined nowhere", name);
    if (value == &mc_left_out)
        return mc_error_set(err, MC_ERR_INPUT, "output '%s' is an input that the call leaves out", name);
    const char *full = join(r, name);
    struct mc_node *node = full ? mc_node_create(graph, -1, "", "Identity", full, 1, &value, 1, &output) : NULL;
    if (!node) return mc_error_memory(err);
    node->opset = mc_reader_opset(r, "");
    return node->opset > 0
               ? MC_OK
               : mc_error_set(err, MC_ERR_INPUT, "output '%s' is an input, and no opset has an Identity for it", name);
}

/* All that is in the scope: the function's inputs and what its nodes give. */
static int define(struct mc_reader *r, struct mc_graph *graph, struct mc_scope *scope, const Onnx__NodeProto *call,
                  struct mc_value *const *in, struct mc_value *const *out, struct mc_error *err)
{
    const Onnx__FunctionProto *f = r->body->function->proto;
    struct mc_names outputs = {0};
    size_t n = f->n_input;
    for (size_t i = 0; i < f->n_node; i++) n += f->node[i]->n_output;
    int rc = mc_reader_spend(r, (n + f->n_output) * sizeof(struct mc_name), err);
    if (rc == MC_OK) rc = mc_names_init(&scope->values, n, err);
    if (rc == MC_OK) rc = name_outputs(&outputs, f, call, out, err);
    if (rc == MC_OK) {
        bind_inputs(scope, f, call, in);
        rc = define_results(r, graph, scope, &outputs, f, err);
    }
    mc_names_finish(&outputs);
    return rc;
}

static int check_call(const Onnx__FunctionProto *f, const Onnx__NodeProto *call, struct mc_error *err)
{
    if (call->n_input > f->n_input)
        return mc_error_set(err, MC_ERR_INPUT, "needs at most %zu inputs, has %zu", f->n_input, call->n_input);
    if (call->n_output > f->n_output)
        return mc_error_set(err, MC_ERR_INPUT, "needs at most %zu outputs, has %zu", f->n_output, call->n_output);
    return MC_OK;
}

/* What is wrong with one of the body's nodes, nodes say; all else is the call's. */
static int blame(const struct mc_body *body, int rc, struct mc_error *err)
{
    return rc == MC_OK ? rc
                       : mc_error_wrap(err, rc, "function '%s' of '%s' as '%.*s'", body->function->name,
                                       body->function->domain, (int)body->prefix_length - 1, body->prefix);
}

static int read_inside(struct mc_reader *r, struct mc_graph *graph, const Onnx__NodeProto *call,
                       struct mc_value *const *in, struct mc_value *const *out, struct mc_error *err)
{
    const Onnx__FunctionProto *f = r->body->function->proto;
    struct mc_scope scope = {0};
    int rc = blame(r->body, check_call(f, call, err), err);
    if (rc == MC_OK) rc = blame(r->body, define(r, graph, &scope, call, in, out, err), err);
    if (rc == MC_OK) rc = mc_read_nodes(r, graph, &scope, f->node, f->n_node, err);
    for (size_t i = 0; i < f->n_output && i < call->n_output && rc == MC_OK; i++)
        if (out[i]) rc = blame(r->body, pass_through(r, graph, &scope, f->output[i], out[i], err), err);
    mc_names_finish(&scope.values);
    return rc;
}

int mc_read_body(struct mc_reader *r, struct mc_graph *graph, const struct mc_function *function,
                 const Onnx__NodeProto *call, size_t index, const struct mc_scope *scope,
                 struct mc_value *const *inputs, struct mc_value *const *outputs, struct mc_error *err)
{
    const struct mc_body *outer = r->body;
    struct mc_body body = {.function = function, .prefix = make_prefix(r, call, index)};
    if (!body.prefix) return mc_error_memory(err);
    body.prefix_length = strlen(body.prefix);
    int rc = mc_reader_enter(r, err);
    if (rc < 0) return rc;
    rc = bind_attributes(r, &body, call, scope, err);
    r->body = &body;
    if (rc == MC_OK) rc = read_inside(r, graph, call, inputs, outputs, err);
    r->body = outer;
    mc_reader_leave(r);
    return rc;
}
