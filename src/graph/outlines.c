/* outlines.c - the driver of symbolic shapes; see outlines.h. */
#include "graph/outlines.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/error.h"
#include "graph/extents.h"

/* After so many turns of a graph nothing is said of what goes on to change. */
enum { MAX_TURNS = 8 };

static const struct mc_outline unknown = {.rank = -1, .n_items = -1};

struct driver {
    struct mc_outlines *outlines;
    const struct mc_model *model;
    mc_evaluate_fn *evaluate; /* of facts, with its context */
    void *context;
    struct mc_error *err;
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

static void name_inputs(struct driver *d)
{
    const struct mc_value *v;
    for (int i = 0; (v = mc_model_input(d->model, i)); i++) {
        struct mc_outline *outline = &d->outlines->of[v->id];
        if (v->type.dtype == MC_UNDEFINED || v->type.rank < 0) continue;
        outline->rank = v->type.rank;
        for (int k = 0; k < outline->rank; k++) outline->dim[k] = extent_of(d->outlines->symbols, v, k);
    }
}

/* --- graphs within nodes --- */

static int follow_nodes(struct driver *d, const struct mc_graph *graph);

/* Leave of `a` what `b` says as well; true if that is less. */
static bool narrow(struct mc_outline *a, const struct mc_outline *b)
{
    const struct mc_outline before = *a;
    a->constant = NULL;
    if (a->rank != b->rank) a->rank = -1;
    if (a->n_items != b->n_items) a->n_items = -1;
    bool less = a->rank != before.rank || a->n_items != before.n_items;
    for (int k = 0; k < a->rank; k++) {
        if (a->dim[k] != b->dim[k]) a->dim[k] = MC_SYMBOL_UNKNOWN;
        less |= a->dim[k] != before.dim[k];
    }
    for (int i = 0; i < a->n_items; i++) {
        if (a->item[i] != b->item[i]) a->item[i] = MC_SYMBOL_UNKNOWN;
        less |= a->item[i] != before.item[i];
    }
    return less;
}

/* What an input of a graph declares is right as well. */
static void add_declared(struct mc_symbols *s, const struct mc_value *v, struct mc_outline *fed)
{
    if (v->type.dtype == MC_UNDEFINED || v->type.rank < 0) return;
    if (fed->rank != v->type.rank) *fed = (struct mc_outline){.rank = v->type.rank, .n_items = -1};
    for (int k = 0; k < fed->rank; k++)
        if (v->type.dim[k] >= 0) fed->dim[k] = mc_symbol_number(s, v->type.dim[k]);
}

/* Facts about a graph, for the constants that it sees of those around it. */
static int infer_within(struct driver *d, const struct mc_graph *graph, struct mc_facts *facts)
{
    const struct mc_value **captured = NULL;
    int n = 0, rc = mc_graph_captures(graph, &captured, &n, d->err);
    if (rc < 0) return rc;
    struct mc_given *given = MC_NEW_ARRAY(struct mc_given, n + 1);
    for (int i = 0; i < n && given; i++) {
        const struct mc_tensor *constant = d->outlines->of[captured[i]->id].constant;
        given[i] = (struct mc_given){.value = captured[i],
                                     .fact = constant ? mc_fact_of(constant) : (struct mc_fact){.open = true}};
    }
    const struct mc_dims dims = {.graph = graph, .n_given = n, .given = given};
    rc = given ? mc_facts_create_partial(facts, d->model, &dims, d->evaluate, d->context, d->err)
               : mc_error_memory(d->err);
    mc_free(given);
    mc_free(captured);
    return rc;
}

/* What is known of the values of one graph; facts NULL: nothing any more. */
static void take_facts(struct driver *d, const struct mc_graph *graph, const struct mc_facts *facts)
{
    for (int i = 0; i < d->model->n_values; i++) {
        const struct mc_value *v = d->model->values[i];
        if (!v || v->graph != graph) continue;
        const struct mc_fact *fact = facts ? &facts->of[i] : NULL;
        const bool known = fact && fact->dtype != MC_UNDEFINED && !fact->open;
        d->outlines->of[i] = known ? outline_of_fact(d->outlines->symbols, fact) : unknown;
    }
}

/* The graph once, its inputs having these outlines (NULL: there are none). */
static int follow_graph(struct driver *d, const struct mc_graph *graph, const struct mc_facts *facts,
                        const struct mc_outline *fed, struct mc_outline *made)
{
    const struct mc_value *v;
    take_facts(d, graph, facts);
    for (int i = 0; fed && (v = mc_graph_fed(graph, i)); i++) d->outlines->of[v->id] = fed[i];
    const int rc = follow_nodes(d, graph);
    for (int i = 0; i < graph->n_outputs; i++) made[i] = d->outlines->of[graph->outputs[i]->id];
    take_facts(d, graph, NULL);
    return rc;
}

/* What a branch makes, or what it and those before it agree on. */
static int follow_branch(struct driver *d, const struct mc_node *node, const struct mc_graph *branch, bool is_first,
                         struct mc_outline *out)
{
    struct mc_facts facts = {0};
    struct mc_outline *made = MC_NEW_ARRAY(struct mc_outline, branch->n_outputs + 1);
    int rc = made ? infer_within(d, branch, &facts) : mc_error_memory(d->err);
    if (rc == MC_OK) rc = follow_graph(d, branch, &facts, NULL, made);
    for (int i = 0; i < node->n_outputs && rc == MC_OK; i++) {
        const struct mc_outline *const from = i < branch->n_outputs ? &made[i] : &unknown;
        if (is_first) out[i] = *from;
        narrow(&out[i], from);
    }
    mc_facts_finish(&facts);
    mc_free(made);
    return rc;
}

static int follow_branches(struct driver *d, const struct mc_node *node, struct mc_outline *out)
{
    int rc = MC_OK;
    for (int k = 0; k < mc_node_n_subgraphs(node) && rc == MC_OK; k++)
        rc = follow_branch(d, node, mc_node_subgraph(node, k), k == 0, out);
    return rc;
}

/* Turns until what they hand on is said of all of them: each that changes something says less. */
static int settle_turns(struct driver *d, struct mc_outline_turns *turns, const struct mc_facts *facts,
                        struct mc_outline *made)
{
    struct mc_outline *const carried = turns->fed + turns->first_fed;
    bool less = true;
    const struct mc_value *v;
    for (int i = 0; (v = mc_graph_fed(turns->body, i)); i++) add_declared(d->outlines->symbols, v, &turns->fed[i]);
    for (int i = 0; i < turns->n_carried; i++) carried[i].constant = NULL;
    for (int turn = 0; less; turn++) {
        for (int i = 0; i < turns->n_carried && turn == MAX_TURNS; i++) carried[i] = unknown;
        const int rc = follow_graph(d, turns->body, facts, turns->fed, made);
        if (rc < 0) return rc;
        less = false;
        for (int i = 0; i < turns->n_carried; i++) less |= narrow(&carried[i], &made[turns->first_made + i]);
    }
    turns->made = made;
    return MC_OK;
}

/* Tensors of one outline along a new axis. */
static struct mc_outline side_by_side(const struct mc_outline *part, int64_t axis, mc_symbol n)
{
    struct mc_outline whole = unknown;
    const int rank = part->rank + 1;
    if (axis < 0) axis += rank;
    if (part->rank < 0 || rank > MC_MAX_RANK || axis < 0 || axis >= rank) return whole;
    whole.rank = rank;
    for (int k = 0; k < rank; k++) whole.dim[k] = k == axis ? n : part->dim[k - (k > axis)];
    return whole;
}

static void collect_turns(const struct mc_node *node, const struct mc_outline_turns *turns, struct mc_outline *out)
{
    for (int i = 0; i < node->n_outputs; i++) {
        const int k = i - turns->n_carried, from = turns->first_made + i;
        if (k < 0)
            out[i] = turns->fed[turns->first_fed + i];
        else if (from < turns->body->n_outputs)
            out[i] = side_by_side(&turns->made[from], k < turns->n_axes ? turns->axes[k] : 0, turns->n_turns);
    }
}

static bool turns_fit(const struct mc_outline_turns *turns)
{
    return turns->first_fed + turns->n_carried <= mc_graph_n_fed(turns->body) &&
           turns->first_made + turns->n_carried <= turns->body->n_outputs;
}

static int follow_turns(struct driver *d, const struct mc_node *node, const struct mc_outline *const *in,
                        struct mc_outline *out)
{
    struct mc_symbols *const s = d->outlines->symbols;
    if (mc_node_n_subgraphs(node) != 1) return MC_OK;
    struct mc_outline_turns turns = {.body = mc_node_subgraph(node, 0)};
    const int n_fed = mc_graph_n_fed(turns.body);
    struct mc_facts facts = {0};
    turns.fed = MC_NEW_ARRAY(struct mc_outline, n_fed + 1);
    struct mc_outline *const made = MC_NEW_ARRAY(struct mc_outline, turns.body->n_outputs + 1);
    int rc = turns.fed && made ? MC_OK : mc_error_memory(d->err);
    for (int i = 0; i < n_fed && rc == MC_OK; i++) turns.fed[i] = unknown;
    if (rc == MC_OK && node->op->outline_turns(s, node, in, &turns) && turns_fit(&turns)) {
        rc = infer_within(d, turns.body, &facts);
        if (rc == MC_OK) rc = settle_turns(d, &turns, &facts, made);
        if (rc == MC_OK && node->op->outline_turns(s, node, in, &turns)) collect_turns(node, &turns, out);
        mc_facts_finish(&facts);
    }
    mc_free(turns.fed);
    mc_free(made);
    return rc;
}

/* --- nodes --- */

/* The lists that rules get, long enough for each node of a graph. */
struct lists {
    const struct mc_outline **in;
    struct mc_outline *out;
};

static int lists_init(struct lists *lists, const struct mc_graph *graph, struct mc_error *err)
{
    int n_in, n_out;
    mc_graph_room(graph, &n_in, &n_out);
    lists->in = MC_NEW_ARRAY(const struct mc_outline *, n_in);
    lists->out = MC_NEW_ARRAY(struct mc_outline, n_out);
    return lists->in && lists->out ? MC_OK : mc_error_memory(err);
}

static void lists_finish(struct lists *lists)
{
    mc_free(lists->in);
    mc_free(lists->out);
}

static int follow(struct driver *d, const struct mc_node *node, const struct lists *lists)
{
    struct mc_outline *of = d->outlines->of;
    const int n_in = mc_node_room_in(node), n_out = mc_node_room_out(node);
    for (int i = 0; i < n_in; i++)
        lists->in[i] = i < node->n_inputs && node->inputs[i] ? &of[node->inputs[i]->id] : NULL;
    for (int i = 0; i < n_out; i++) lists->out[i] = unknown;
    int rc = MC_OK;
    if (node->op->outline)
        node->op->outline(d->outlines->symbols, node, lists->in, lists->out);
    else
        rc = node->op->branches ? follow_branches(d, node, lists->out) : follow_turns(d, node, lists->in, lists->out);
    for (int i = 0; i < node->n_outputs; i++)
        if (node->outputs[i] && of[node->outputs[i]->id].rank < 0) of[node->outputs[i]->id] = lists->out[i];
    return rc;
}

static bool can_follow(const struct mc_node *node)
{
    const struct mc_op *const op = node->op;
    if (!op || !(op->outline || op->branches || op->outline_turns) || node->n_inputs < op->min_inputs) return false;
    for (int i = 0; i < op->min_inputs; i++)
        if (!node->inputs[i]) return false;
    return true;
}

static int follow_nodes(struct driver *d, const struct mc_graph *graph)
{
    struct lists lists;
    int rc = lists_init(&lists, graph, d->err);
    for (int i = 0; i < graph->n_nodes && rc == MC_OK; i++)
        if (can_follow(graph->nodes[i])) rc = follow(d, graph->nodes[i], &lists);
    lists_finish(&lists);
    return rc;
}

/* --- the whole --- */

static int allocate(struct driver *d)
{
    d->outlines->n_values = d->model->n_values;
    d->outlines->of = MC_NEW_ARRAY(struct mc_outline, d->model->n_values);
    d->outlines->symbols = mc_symbols_create();
    if (!d->outlines->of || !d->outlines->symbols) return mc_error_memory(d->err);
    for (int i = 0; i < d->model->n_values; i++) d->outlines->of[i] = unknown;
    return MC_OK;
}

int mc_outlines_create(struct mc_outlines *outlines, const struct mc_model *model, mc_evaluate_fn *evaluate,
                       void *context, struct mc_error *err)
{
    struct driver d = {.outlines = outlines, .model = model, .evaluate = evaluate, .context = context, .err = err};
    *outlines = (struct mc_outlines){0};
    int rc = mc_facts_create_partial(&outlines->facts, model, NULL, evaluate, context, err);
    if (rc == MC_OK) rc = allocate(&d);
    if (rc == MC_OK) {
        take_facts(&d, model->graph, &outlines->facts);
        name_inputs(&d);
        rc = follow_nodes(&d, model->graph);
    }
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
