/* functions.c - the functions of a model file; see functions.h. */
#include "onnx/functions.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "onnx/message.h"

/* Numbers of the fields in onnx.proto. */
enum { NODE_OVERLOAD = 8, FUNCTION_DEFAULTS = 11, FUNCTION_OVERLOAD = 13 };

/* Ceilings as for attributes of a node and imports of a model: look-ups go through them one by one. */
#define MAX_DEFAULTS 1024
#define MAX_OPSETS 1024

static const char *text_of(const char *s)
{
    return s ? s : "";
}

static const char *normal_domain(const char *domain)
{
    return !domain || strcmp(domain, "ai.onnx") == 0 ? "" : domain;
}

/* --- looking up --- */

struct key {
    const char *domain, *name;
    ProtobufCBinaryData overload;
};

static int compare_overload(ProtobufCBinaryData a, const char *b)
{
    const size_t n = strlen(b);
    const int order = memcmp(a.data ? a.data : (const uint8_t *)"", b, a.len < n ? a.len : n);
    return order ? order : (a.len > n) - (a.len < n);
}

static int compare_key(const void *key, const void *function)
{
    const struct key *k = key;
    const struct mc_function *f = function;
    int order = strcmp(k->domain, f->domain);
    if (order == 0) order = strcmp(k->name, f->name);
    return order ? order : compare_overload(k->overload, f->overload);
}

static int compare(const void *a, const void *b)
{
    const struct mc_function *f = a, *g = b;
    int order = strcmp(f->domain, g->domain);
    if (order == 0) order = strcmp(f->name, g->name);
    return order ? order : strcmp(f->overload, g->overload);
}

static struct mc_function *find(const struct mc_functions *functions, const Onnx__NodeProto *node)
{
    if (!functions) return NULL;
    const struct key key = {normal_domain(node->domain), text_of(node->op_type),
                            mc_message_text(&node->base, NODE_OVERLOAD)};
    return bsearch(&key, functions->of, functions->n, sizeof *functions->of, compare_key);
}

const struct mc_function *mc_functions_find(const struct mc_functions *functions, const Onnx__NodeProto *node)
{
    return find(functions, node);
}

/* --- who calls whom --- */

static int measure(const struct mc_functions *functions, struct mc_function *f, int depth, struct mc_error *err);

/* The height of what lies below some nodes and the graphs within them, into *height if it is more. */
static int measure_nodes(const struct mc_functions *functions, Onnx__NodeProto *const *nodes, size_t n, int depth,
                         int *height, struct mc_error *err)
{
    int rc = MC_OK;
    for (size_t i = 0; i < n && rc == MC_OK; i++) {
        struct mc_function *f = find(functions, nodes[i]);
        if (f) rc = measure(functions, f, depth, err);
        if (f && *height < f->height) *height = f->height;
        for (size_t k = 0; k < nodes[i]->n_attribute && rc == MC_OK; k++) {
            const Onnx__AttributeProto *a = nodes[i]->attribute[k];
            if (a->g) rc = measure_nodes(functions, a->g->node, a->g->n_node, depth, height, err);
            for (size_t g = 0; g < a->n_graphs && rc == MC_OK; g++)
                rc = measure_nodes(functions, a->graphs[g]->node, a->graphs[g]->n_node, depth, height, err);
        }
    }
    return rc;
}

static int measure(const struct mc_functions *functions, struct mc_function *f, int depth, struct mc_error *err)
{
    int height = 0;
    if (f->height > 0) return MC_OK;
    if (f->height < 0) return mc_error_set(err, MC_ERR_INPUT, "function '%s' of '%s' calls itself", f->name, f->domain);
    if (depth == MC_FUNCTIONS_MOST_NESTED)
        return mc_error_set(err, MC_ERR_INPUT, "functions call one another more than %d deep",
                            MC_FUNCTIONS_MOST_NESTED);
    f->height = -1;
    const int rc = measure_nodes(functions, f->proto->node, f->proto->n_node, depth + 1, &height, err);
    f->height = height + 1;
    return rc;
}

/* --- making --- */

/* Attributes with values: the definitions know them, or they are unpacked from the unknown fields. guard.c has looked
 * over those bytes. */
static int read_defaults(struct mc_functions *functions, struct mc_function *f, struct mc_error *err)
{
    const size_t n = mc_message_count(&f->proto->base, FUNCTION_DEFAULTS);
    if (n > MAX_DEFAULTS)
        return mc_error_set(err, MC_ERR_INPUT,
                            "function '%s' of '%s': %zu attributes are more than the %d that are read", f->name,
                            f->domain, n, MAX_DEFAULTS);
    f->defaults = MC_ARENA_ARRAY(&functions->arena, Onnx__AttributeProto *, n);
    if (!f->defaults) return mc_error_memory(err);
    while (f->n_defaults < n) {
        ProtobufCMessage *attr;
        const int rc = mc_message_part(&attr, &f->proto->base, FUNCTION_DEFAULTS, f->n_defaults,
                                       &onnx__attribute_proto__descriptor, err);
        if (rc < 0) return mc_error_wrap(err, rc, "function '%s' of '%s'", f->name, f->domain);
        f->defaults[f->n_defaults++] = (Onnx__AttributeProto *)attr;
    }
    return MC_OK;
}

static int read_function(struct mc_functions *functions, struct mc_function *f, const Onnx__FunctionProto *p,
                         struct mc_error *err)
{
    const ProtobufCBinaryData overload = mc_message_text(&p->base, FUNCTION_OVERLOAD);
    *f = (struct mc_function){.proto = p, .domain = normal_domain(p->domain), .name = text_of(p->name)};
    f->overload = mc_arena_strndup(&functions->arena, (const char *)overload.data, overload.len);
    if (!f->overload) return mc_error_memory(err);
    if (p->n_opset_import > MAX_OPSETS)
        return mc_error_set(err, MC_ERR_INPUT,
                            "function '%s' of '%s': %zu opset imports are more than the %d that are read", f->name,
                            f->domain, p->n_opset_import, MAX_OPSETS);
    return read_defaults(functions, f, err);
}

static int fill(struct mc_functions *functions, const Onnx__ModelProto *model, struct mc_error *err)
{
    functions->of = MC_ARENA_ARRAY(&functions->arena, struct mc_function, model->n_functions);
    int rc = functions->of ? MC_OK : mc_error_memory(err);
    for (size_t i = 0; i < model->n_functions && rc == MC_OK; i++)
        rc = read_function(functions, &functions->of[functions->n++], model->functions[i], err);
    if (rc < 0) return rc;
    qsort(functions->of, functions->n, sizeof *functions->of, compare);
    for (size_t i = 1; i < functions->n; i++)
        if (compare(&functions->of[i - 1], &functions->of[i]) == 0)
            return mc_error_set(err, MC_ERR_INPUT, "function '%s' of '%s' is given twice", functions->of[i].name,
                                functions->of[i].domain);
    for (size_t i = 0; i < functions->n && rc == MC_OK; i++) rc = measure(functions, &functions->of[i], 0, err);
    return rc;
}

int mc_functions_create(struct mc_functions **functions, const Onnx__ModelProto *model, struct mc_error *err)
{
    *functions = NULL;
    if (model->n_functions == 0) return MC_OK;
    struct mc_functions *f = MC_NEW(struct mc_functions);
    if (!f) return mc_error_memory(err);
    mc_arena_init(&f->arena);
    const int rc = fill(f, model, err);
    if (rc == MC_OK)
        *functions = f;
    else
        mc_functions_destroy(f);
    return rc;
}

void mc_functions_destroy(struct mc_functions *functions)
{
    if (!functions) return;
    for (size_t i = 0; i < functions->n; i++) {
        const struct mc_function *f = &functions->of[i];
        for (size_t k = 0; k < f->n_defaults; k++)
            mc_message_part_destroy(&f->proto->base, FUNCTION_DEFAULTS, &f->defaults[k]->base);
    }
    mc_arena_finish(&functions->arena);
    mc_free(functions);
}
