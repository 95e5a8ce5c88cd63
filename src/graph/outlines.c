/* outlines.c - the driver of symbolic shapes; see outlines.h. */
#include "graph/outlines.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/error.h"
#include "graph/extents.h"

static const struct mc_outline unknown = {.rank = -1, .n_items = -1};

struct driver {
    struct mc_outlines *outlines;
    const struct mc_outline **in; /* of the node at hand, see mc_op.outline */
    struct mc_outline *out;
};

/* --- what facts know --- */

static bool is_integer(enum mc_dtype dtype)
{
    return dtype == MC_INT32 || dtype == MC_INT64;
}

static void take_items(struct mc_symbols *s, const struct mc_tensor *t, struct mc_outline *outline)
{
    const int64_t n = mc_tensor_count(t);
    if (!is_integer(t->dtype) || n > MC_OUTLINE_ITEMS || !t->data) return;
    outline->n_items = (int)n;
    for (int i = 0; i < outline->n_items; i++) outline->item[i] = mc_symbol_number(s, mc_tensor_get_i64(t, i));
}

static struct mc_outline outline_of_fact(struct mc_symbols *s, const struct mc_fact *fact)
{
    struct mc_outline outline = {.rank = fact->shape.rank, .n_items = -1, .constant = fact->constant};
    for (int k = 0; k < outline.rank; k++) outline.dim[k] = mc_symbol_number(s, fact->shape.dim[k]);
    if (fact->constant) take_items(s, fact->constant, &outline);
    return outline;
}

/* --- inputs --- */

static mc_symbol extent_of(struct mc_symbols *s, const struct mc_value *v, int axis)
{
    char name[256];
    int64_t extent = v->type.dim[axis];
    if (extent < 0) extent = mc_model_extent(v->graph->model, v, axis);
    if (extent >= 0) return mc_symbol_number(s, extent);
    if (v->type.param[axis]) return mc_symbol_named(s, v->type.param[axis]);
    const int n = snprintf(name, sizeof name, "%s.%d", v->name, axis);
    return n < (int)sizeof name ? mc_symbol_named(s, name) : MC_SYMBOL_UNKNOWN;
}

static void name_inputs(struct driver *d, const struct mc_model *model)
{
    const struct mc_value *v;
    for (int i = 0; (v = mc_model_input(model, i)); i++) {
        struct mc_outline *outline = &d->outlines->of[v->id];
        if (v->type.dtype == MC_UNDEFINED || v->type.rank < 0) continue;
        outline->rank = v->type.rank;
        for (int k = 0; k < outline->rank; k++) outline->dim[k] = extent_of(d->outlines->symbols, v, k);
    }
}

/* --- nodes --- */

static void follow(struct driver *d, const struct mc_node *node)
{
    struct mc_outline *of = d->outlines->of;
    const int n_in = mc_node_room_in(node), n_out = mc_node_room_out(node);
    for (int i = 0; i < n_in; i++) d->in[i] = i < node->n_inputs && node->inputs[i] ? &of[node->inputs[i]->id] : NULL;
    for (int i = 0; i < n_out; i++) d->out[i] = unknown;
    node->op->outline(d->outlines->symbols, node, d->in, d->out);
    for (int i = 0; i < node->n_outputs; i++)
        if (node->outputs[i] && of[node->outputs[i]->id].rank < 0) of[node->outputs[i]->id] = d->out[i];
}

static bool can_follow(const struct mc_node *node)
{
    if (!node->op || !node->op->outline || node->n_inputs < node->op->min_inputs) return false;
    for (int i = 0; i < node->op->min_inputs; i++)
        if (!node->inputs[i]) return false;
    return true;
}

static int allocate(struct driver *d, const struct mc_model *model, struct mc_error *err)
{
    int n_in = 1, n_out = 1;
    for (int i = 0; i < model->graph->n_nodes; i++) {
        const struct mc_node *node = model->graph->nodes[i];
        if (!node->op) continue;
        if (mc_node_room_in(node) > n_in) n_in = mc_node_room_in(node);
        if (mc_node_room_out(node) > n_out) n_out = mc_node_room_out(node);
    }
    d->outlines->n_values = model->n_values;
    d->outlines->of = MC_NEW_ARRAY(struct mc_outline, model->n_values);
    d->outlines->symbols = mc_symbols_create();
    d->in = MC_NEW_ARRAY(const struct mc_outline *, n_in);
    d->out = MC_NEW_ARRAY(struct mc_outline, n_out);
    return d->outlines->of && d->outlines->symbols && d->in && d->out ? MC_OK : mc_error_memory(err);
}

static void infer(struct driver *d, const struct mc_model *model)
{
    const struct mc_facts *facts = &d->outlines->facts;
    for (int i = 0; i < model->n_values; i++) {
        const struct mc_fact *fact = &facts->of[i];
        const bool known = fact->dtype != MC_UNDEFINED && !fact->open;
        d->outlines->of[i] = known ? outline_of_fact(d->outlines->symbols, fact) : unknown;
    }
    name_inputs(d, model);
    for (int i = 0; i < model->graph->n_nodes; i++)
        if (can_follow(model->graph->nodes[i])) follow(d, model->graph->nodes[i]);
}

int mc_outlines_create(struct mc_outlines *outlines, const struct mc_model *model, mc_evaluate_fn *evaluate,
                       void *context, struct mc_error *err)
{
    struct driver d = {.outlines = outlines};
    *outlines = (struct mc_outlines){0};
    int rc = mc_facts_create_partial(&outlines->facts, model, NULL, evaluate, context, err);
    if (rc == MC_OK) rc = allocate(&d, model, err);
    if (rc == MC_OK) infer(&d, model);
    mc_free(d.in);
    mc_free(d.out);
    if (rc < 0) mc_outlines_finish(outlines);
    return rc;
}

void mc_outlines_finish(struct mc_outlines *outlines)
{
    mc_symbols_destroy(outlines->symbols);
    mc_free(outlines->of);
    mc_facts_finish(&outlines->facts);
    *outlines = (struct mc_outlines){0};
}

void mc_outline_print(const struct mc_outlines *outlines, const struct mc_value *v, struct mc_buf *out)
{
    const struct mc_outline *outline = &outlines->of[v->id];
    if (outline->rank < 0) {
        mc_buf_puts(out, "?");
        return;
    }
    mc_buf_puts(out, "[");
    for (int k = 0; k < outline->rank; k++) {
        if (k) mc_buf_puts(out, ",");
        mc_symbol_print(outlines->symbols, outline->dim[k], out);
    }
    mc_buf_puts(out, "]");
}
