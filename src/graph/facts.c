/* facts.c - the shape driver: what is known of every value for given input shapes; see facts.h. */
#include "graph/facts.h"

#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "graph/extents.h"
#include "graph/refusal.h"
#include "graph/widen.h"

struct driver {
    struct mc_facts *facts;
    const struct mc_model *model;
    const struct mc_graph *graph;
    const struct mc_dims *dims;
    mc_evaluate_fn *evaluate;
    void *context;
    bool partial;
    bool *needed;              /* by value id: an output depends on it; what none needs may be unknown or broken */
    const struct mc_fact **in; /* of the node at hand, see mc_op.shape */
    struct mc_fact *out;
    struct mc_tensor **made;
    struct mc_refusal refusal; /* what is missing here, so that one message names all of it */
    struct mc_arena texts;     /* its reasons */
    bool any_typed;            /* some of it for more than its name */
    struct mc_error *err;
};

/* --- inputs of the model --- */

static bool is_fed(const struct mc_value *value)
{
    return !value->data;
}

int mc_graph_n_fed(const struct mc_graph *graph)
{
    int n = 0;
    for (int i = 0; i < graph->n_inputs; i++) n += is_fed(graph->inputs[i]);
    return n;
}

struct mc_value *mc_graph_fed(const struct mc_graph *graph, int i)
{
    for (int k = 0; k < graph->n_inputs; k++)
        if (is_fed(graph->inputs[k]) && i-- == 0) return graph->inputs[k];
    return NULL;
}

int mc_model_n_inputs(const struct mc_model *model)
{
    return mc_graph_n_fed(model->graph);
}

struct mc_value *mc_model_input(const struct mc_model *model, int i)
{
    return mc_graph_fed(model->graph, i);
}

/* The extent that an earlier input has under the same name; -1 if none does. */
static int64_t extent_by_name(const struct driver *d, const char *param)
{
    const struct mc_value *v;
    for (int i = 0; param && (v = mc_graph_fed(d->graph, i)); i++) {
        const struct mc_fact *fact = &d->facts->of[v->id];
        if (fact->dtype == MC_UNDEFINED) break; /* this one and those behind it are not settled yet */
        for (int k = 0; k < v->type.rank; k++)
            if (v->type.param[k] && strcmp(v->type.param[k], param) == 0) return fact->shape.dim[k];
    }
    return -1;
}

static int settle_extent(const struct driver *d, const struct mc_value *v, int axis, int64_t given, int64_t *extent)
{
    const int64_t declared = v->type.dim[axis];
    const char *param = v->type.param[axis];
    if (given >= 0 && declared >= 0 && given != declared)
        return mc_error_set(d->err, MC_ERR_USAGE,
                            "input '%s': dimension %d is %" PRId64 " in the model, but %" PRId64 " is given", v->name,
                            axis, declared, given);
    *extent = declared >= 0 ? declared : given;
    if (*extent < 0) *extent = mc_model_extent(v->graph->model, v, axis);
    if (*extent < 0) *extent = extent_by_name(d, param);
    if (*extent < 0 && axis == 0 && d->dims->batch > 0) *extent = d->dims->batch;
    if (*extent >= 0) return MC_OK;
    mc_error_set(d->err, MC_ERR_USAGE, "input '%s': dimension %d%s%s%s is open in the model and has to be given",
                 v->name, axis, param ? " ('" : "", param ? param : "", param ? "')" : "");
    mc_error_hint(d->err, "--dims %s.%d=N", v->name, axis);
    return MC_ERR_USAGE;
}

static int settle_input(struct driver *d, const struct mc_value *v, const struct mc_shape *given)
{
    struct mc_fact fact = {.dtype = v->type.dtype};
    if (fact.dtype == MC_UNDEFINED) {
        d->facts->of[v->id].open = true;
        return MC_OK;
    }
    if (v->type.rank < 0) {
        if (!given)
            return mc_error_set(d->err, MC_ERR_USAGE, "input '%s': its shape is open in the model and has to be given",
                                v->name);
        fact.shape = *given;
    } else if (given && given->rank != v->type.rank) {
        return mc_error_set(d->err, MC_ERR_USAGE, "input '%s': the model has %d dimensions, %d are given", v->name,
                            v->type.rank, given->rank);
    } else {
        fact.shape.rank = v->type.rank;
        for (int k = 0; k < v->type.rank; k++) {
            const int rc = settle_extent(d, v, k, given ? given->dim[k] : -1, &fact.shape.dim[k]);
            if (rc < 0) return rc;
        }
    }
    if (mc_shape_count(&fact.shape) < 0)
        return mc_error_set(d->err, MC_ERR_INPUT, "input '%s' has more elements than can be counted", v->name);
    d->facts->of[v->id] = fact;
    return MC_OK;
}

static bool is_known(const struct mc_fact *fact)
{
    return fact->dtype != MC_UNDEFINED || fact->open;
}

static int settle_inputs(struct driver *d)
{
    const struct mc_value *v;
    for (int i = 0; i < d->dims->n_given; i++) d->facts->of[d->dims->given[i].value->id] = d->dims->given[i].fact;
    for (int i = 0; (v = mc_graph_fed(d->graph, i)); i++) {
        if (is_known(&d->facts->of[v->id])) continue;
        const int rc = settle_input(d, v, i < d->dims->n_inputs ? &d->dims->shape[i] : NULL);
        if (rc < 0 && !d->partial) return rc;
    }
    return MC_OK;
}

static void note_initializers(struct driver *d)
{
    const struct mc_graph *graph = d->graph;
    for (int i = 0; i < graph->n_initializers; i++) {
        const struct mc_value *v = graph->initializers[i];
        d->facts->of[v->id] = (struct mc_fact){.dtype = v->data->dtype, .shape = v->data->shape, .constant = v->data};
    }
}

/* --- nodes --- */

static void need_inputs(struct driver *d, const struct mc_node *node)
{
    for (int i = 0; i < node->n_inputs; i++)
        if (node->inputs[i]) d->needed[node->inputs[i]->id] = true;
    for (int k = 0; k < mc_node_n_subgraphs(node); k++) {
        const struct mc_graph *graph = mc_node_subgraph(node, k);
        for (int i = 0; i < graph->n_nodes; i++) need_inputs(d, graph->nodes[i]);
        for (int i = 0; i < graph->n_outputs; i++) d->needed[graph->outputs[i]->id] = true;
    }
}

static bool is_needed(const struct driver *d, const struct mc_node *node)
{
    for (int i = 0; i < node->n_outputs; i++)
        if (node->outputs[i] && d->needed[node->outputs[i]->id]) return true;
    return false;
}

static void mark_needed(struct driver *d)
{
    const struct mc_graph *graph = d->graph;
    for (int i = 0; i < graph->n_outputs; i++) d->needed[graph->outputs[i]->id] = true;
    for (int i = graph->n_nodes - 1; i >= 0; i--)
        if (is_needed(d, graph->nodes[i])) need_inputs(d, graph->nodes[i]);
}

static void find_unknown(const struct mc_graph *graph, struct mc_refusal *refusal)
{
    for (int i = 0; i < graph->n_nodes; i++) {
        const struct mc_node *node = graph->nodes[i];
        if (!node->op) mc_refusal_add(refusal, node, NULL);
        for (int k = 0; k < mc_node_n_subgraphs(node); k++) find_unknown(mc_node_subgraph(node, k), refusal);
    }
}

static void note_unknown(struct driver *d)
{
    for (int i = 0; i < d->graph->n_nodes; i++) {
        const struct mc_node *node = d->graph->nodes[i];
        if (!is_needed(d, node)) continue;
        if (!node->op) mc_refusal_add(&d->refusal, node, NULL);
        for (int k = 0; k < mc_node_n_subgraphs(node); k++) find_unknown(mc_node_subgraph(node, k), &d->refusal);
    }
}

/* A node that is refused for a type or an attribute: what comes after it is looked at all the same. */
static int note_refused(struct driver *d, const struct mc_node *node)
{
    const char *why = mc_arena_strdup(&d->texts, d->err->text);
    if (!why) return mc_error_memory(d->err);
    mc_refusal_add(&d->refusal, node, why);
    d->any_typed = true;
    return MC_OK;
}

static int refuse(struct driver *d)
{
    if (d->refusal.n == 1 && d->any_typed) {
        char text[128];
        const struct mc_refused only = d->refusal.nodes[0];
        mc_refusal_finish(&d->refusal, "", NULL);
        return mc_error_set(d->err, MC_ERR_UNSUPPORTED, "node %s: %s", mc_node_text(only.node, text, sizeof text),
                            only.why);
    }
    return mc_refusal_finish(
        &d->refusal, d->any_typed ? "needs what is missing here" : "needs operators that are not known here", d->err);
}

static int check_arity(const struct mc_node *node, struct mc_error *err)
{
    const struct mc_op *op = node->op;
    if (node->n_inputs < op->min_inputs || (op->max_inputs >= 0 && node->n_inputs > op->max_inputs))
        return mc_error_set(err, MC_ERR_INPUT, "needs %s%d inputs, has %d",
                            op->min_inputs == op->max_inputs  ? ""
                            : node->n_inputs < op->min_inputs ? "at least "
                                                              : "at most ",
                            node->n_inputs < op->min_inputs ? op->min_inputs : op->max_inputs, node->n_inputs);
    for (int i = 0; i < op->min_inputs; i++)
        if (!node->inputs[i]) return mc_error_set(err, MC_ERR_INPUT, "input %d is required and left out", i);
    if (op->n_outputs >= 0 && node->n_outputs > op->n_outputs)
        return mc_error_set(err, MC_ERR_INPUT, "gives at most %d outputs, %d are named", op->n_outputs,
                            node->n_outputs);
    if (node->n_outputs < 1 || (!node->outputs[0] && op->n_outputs >= 0 && !op->first_optional))
        return mc_error_set(err, MC_ERR_INPUT, "output 0 is required and left out");
    return MC_OK;
}

static bool has_word(const char *words, const char *word)
{
    const size_t n = strlen(word);
    for (const char *p = words; (p = strstr(p, word)); p += n)
        if ((p == words || p[-1] == ' ') && (p[n] == ' ' || p[n] == '\0')) return true;
    return false;
}

/* What an attribute that nobody knows would have changed cannot be told. */
static int check_attrs(const struct mc_node *node, struct mc_error *err)
{
    for (int i = 0; node->known_attrs && i < node->n_attrs; i++)
        if (!has_word(node->known_attrs, node->attrs[i].name))
            return mc_error_set(err, MC_ERR_UNSUPPORTED, "attribute '%s' is none of the operator's",
                                node->attrs[i].name);
    return MC_OK;
}

static bool is_small(const struct mc_fact *fact)
{
    return mc_shape_count(&fact->shape) <= MC_FACT_MAX_FOLD;
}

/* May the node be run here and now? Its inputs are constants, or only their shapes matter, and it is shape arithmetic
 * rather than work. */
static bool can_fold(const struct driver *d, const struct mc_node *node)
{
    const struct mc_op *op = node->op;
    if (!d->evaluate || !(op->forward || op->evaluate) || op->random || mc_node_n_subgraphs(node)) return false;
    for (int i = 0; i < node->n_inputs; i++)
        if (d->in[i] && (d->in[i]->open || (!op->shape_only && (!d->in[i]->constant || !is_small(d->in[i])))))
            return false;
    for (int i = 0; i < node->n_outputs; i++)
        if (node->outputs[i] && !d->out[i].open && !is_small(&d->out[i])) return false;
    return true;
}

/* Open outputs become known by that, unless they are no tensors. */
static int fold(struct driver *d, const struct mc_node *node)
{
    bool open = false;
    for (int i = 0; i < node->n_outputs; i++) open |= node->outputs[i] && d->out[i].open;
    memset(d->made, 0, (size_t)node->n_outputs * sizeof *d->made);
    const int rc = d->evaluate(d->context, node, d->in, open ? NULL : d->out, d->made, d->err);
    if (rc == MC_ERR_OPEN) return MC_OK;
    if (rc < 0) return rc;
    for (int i = 0; i < node->n_outputs; i++) {
        if (!node->outputs[i]) continue;
        const int id = node->outputs[i]->id;
        d->facts->folded[id] = d->made[i];
        d->facts->of[id] = mc_fact_of(d->made[i]);
    }
    return MC_OK;
}

/* Point in[] at the facts of the inputs; false if one of them is not known. *open: one is open. */
static bool gather_inputs(struct driver *d, const struct mc_node *node, bool *open)
{
    *open = false;
    const int n = mc_node_room_in(node);
    memset(d->in, 0, (size_t)n * sizeof *d->in);
    for (int i = 0; i < node->n_inputs; i++) {
        if (!node->inputs[i]) continue;
        d->in[i] = &d->facts->of[node->inputs[i]->id];
        if (!is_known(d->in[i])) return false;
        *open |= d->in[i]->open;
    }
    return true;
}

/* --- graphs within nodes --- */

static struct mc_fact settled(const struct mc_fact *fact)
{
    return is_known(fact) ? *fact : (struct mc_fact){.open = true};
}

struct inference {
    struct mc_inference base;
    struct driver *driver;
};

/* See mc_inference.graph. */
static int infer_graph(struct mc_inference *inference, const struct mc_graph *graph, int n_in, const struct mc_fact *in,
                       struct mc_facts *facts, struct mc_error *err)
{
    struct driver *d = ((struct inference *)inference)->driver;
    const struct mc_value **captured = NULL;
    int n = 0, rc = mc_graph_captures(graph, &captured, &n, err);
    if (rc < 0) return rc;
    struct mc_given *given = MC_NEW_ARRAY(struct mc_given, n_in + n + 1);
    for (int i = 0; i < n_in && given; i++)
        given[i] = (struct mc_given){.value = mc_graph_fed(graph, i), .fact = settled(&in[i])};
    for (int i = 0; i < n && given; i++)
        given[n_in + i] = (struct mc_given){.value = captured[i], .fact = settled(&d->facts->of[captured[i]->id])};
    const struct mc_dims dims = {.graph = graph, .n_given = n_in + n, .given = given};
    rc = given ? mc_facts_create_partial(facts, d->model, &dims, d->evaluate, d->context, err) : mc_error_memory(err);
    mc_free(given);
    mc_free(captured);
    return rc;
}

/* --- what a node makes --- */

/* What the operator says of its outputs, or that nobody can say yet. */
static int infer_outputs(struct driver *d, const struct mc_node *node, bool open)
{
    struct inference inference = {{infer_graph}, d};
    if (node->op->infer) return node->op->infer(node, d->in, d->out, &inference.base, d->err);
    struct mc_error why = {0};
    const int rc = open ? MC_ERR_OPEN : mc_op_shape(node, d->in, d->out, &why);
    for (int i = 0; i < node->n_outputs && rc == MC_ERR_OPEN; i++) d->out[i] = (struct mc_fact){.open = true};
    if (rc == MC_OK || rc == MC_ERR_OPEN) return MC_OK;
    if (d->err) *d->err = why;
    return rc;
}

static int infer_node(struct driver *d, const struct mc_node *node)
{
    const int n = mc_node_room_out(node);
    int rc = check_arity(node, d->err);
    bool open;
    if (rc == MC_OK) rc = check_attrs(node, d->err);
    if (rc < 0) return rc;
    if (!gather_inputs(d, node, &open))
        return mc_error_set(d->err, MC_ERR_INPUT, "an input is neither given nor made by a node before it");
    memset(d->out, 0, (size_t)n * sizeof *d->out);
    rc = infer_outputs(d, node, open);
    if (rc < 0) return rc;
    for (int i = 0; i < node->n_outputs; i++)
        if (node->outputs[i]) d->facts->of[node->outputs[i]->id] = d->out[i];
    return can_fold(d, node) ? fold(d, node) : MC_OK;
}

static bool is_behind_refused(const struct driver *d, const struct mc_node *node)
{
    for (int i = 0; i < node->n_inputs; i++)
        if (node->inputs[i] && !is_known(&d->facts->of[node->inputs[i]->id])) return true;
    return false;
}

static int infer_nodes(struct driver *d)
{
    for (int i = 0; i < d->graph->n_nodes; i++) {
        const struct mc_node *node = d->graph->nodes[i];
        char text[128];
        if (!node->op) continue;
        if (d->refusal.n && is_behind_refused(d, node)) continue;
        int rc = infer_node(d, node);
        if (rc == MC_ERR_UNSUPPORTED && !d->partial && is_needed(d, node)) rc = note_refused(d, node);
        if (rc == MC_ERR_SYSTEM || (rc < 0 && !d->partial && is_needed(d, node)))
            return mc_error_wrap(d->err, rc, "node %s", mc_node_text(node, text, sizeof text));
    }
    return MC_OK;
}

/* --- the whole --- */

static int allocate(struct driver *d)
{
    int n_in = 1, n_out = 1;
    for (int i = 0; i < d->graph->n_nodes; i++) {
        const struct mc_node *node = d->graph->nodes[i];
        if (node->n_inputs > n_in) n_in = node->n_inputs;
        if (node->n_outputs > n_out) n_out = node->n_outputs;
        if (node->op && node->op->max_inputs > n_in) n_in = node->op->max_inputs;
        if (node->op && node->op->n_outputs > n_out) n_out = node->op->n_outputs;
    }
    const int n_values = d->model->n_values;
    d->facts->n_values = n_values;
    d->facts->of = MC_NEW_ARRAY(struct mc_fact, n_values);
    d->facts->folded = MC_NEW_ARRAY(struct mc_tensor *, n_values);
    d->in = MC_NEW_ARRAY(const struct mc_fact *, n_in);
    d->out = MC_NEW_ARRAY(struct mc_fact, n_out);
    d->made = MC_NEW_ARRAY(struct mc_tensor *, n_out);
    d->needed = MC_NEW_ARRAY(bool, n_values);
    const bool ok = d->needed && d->facts->of && d->facts->folded && d->in && d->out && d->made;
    return ok ? MC_OK : mc_error_memory(d->err);
}

static int create(struct mc_facts *facts, const struct mc_model *model, const struct mc_dims *dims,
                  mc_evaluate_fn *evaluate, void *context, bool partial, struct mc_error *err)
{
    static const struct mc_dims none;
    struct mc_error ours = {0}; /* the caller's stays untouched on success, and the partial driver stumbles often */
    struct driver d = {.facts = facts,
                       .model = model,
                       .graph = dims && dims->graph ? dims->graph : model->graph,
                       .dims = dims ? dims : &none,
                       .evaluate = evaluate,
                       .context = context,
                       .partial = partial,
                       .err = &ours};
    *facts = (struct mc_facts){0};
    mc_refusal_init(&d.refusal);
    mc_arena_init(&d.texts);
    int rc = d.graph == model->graph ? mc_model_check_whole(model, &ours) : MC_OK;
    if (rc == MC_OK) rc = allocate(&d);
    if (rc == MC_OK) {
        mark_needed(&d);
        if (!partial) note_unknown(&d);
        note_initializers(&d);
        rc = settle_inputs(&d);
        if (rc == MC_ERR_USAGE && d.refusal.n) rc = MC_OK; /* no extents help a model that cannot be run */
    }
    if (rc == MC_OK) rc = infer_nodes(&d);
    if (rc == MC_OK)
        rc = refuse(&d);
    else
        mc_refusal_finish(&d.refusal, "", NULL);
    mc_arena_finish(&d.texts);
    mc_free(d.needed);
    mc_free(d.made);
    mc_free(d.out);
    mc_free(d.in);
    if (rc == MC_OK) return rc;
    mc_facts_finish(facts);
    if (model->path && d.graph == model->graph) mc_error_wrap(&ours, rc, "'%s'", model->path);
    if (err) *err = ours;
    return rc;
}

int mc_facts_create(struct mc_facts *facts, const struct mc_model *model, const struct mc_dims *dims,
                    mc_evaluate_fn *evaluate, void *context, struct mc_error *err)
{
    return create(facts, model, dims, evaluate, context, false, err);
}

int mc_facts_create_partial(struct mc_facts *facts, const struct mc_model *model, const struct mc_dims *dims,
                            mc_evaluate_fn *evaluate, void *context, struct mc_error *err)
{
    return create(facts, model, dims, evaluate, context, true, err);
}

/* --- what a graph sees of those around it --- */

static bool is_within(const struct mc_graph *inner, const struct mc_graph *outer)
{
    while (inner && inner != outer) inner = inner->parent;
    return inner != NULL;
}

struct captures {
    const struct mc_graph *graph;
    bool *seen; /* by value id */
    const struct mc_value **list;
    int n;
};

static void capture(struct captures *c, const struct mc_value *v)
{
    if (!v || c->seen[v->id] || is_within(v->graph, c->graph)) return;
    c->seen[v->id] = true;
    c->list[c->n++] = v;
}

static void capture_all(struct captures *c, const struct mc_graph *graph)
{
    for (int i = 0; i < graph->n_nodes; i++) {
        const struct mc_node *node = graph->nodes[i];
        for (int k = 0; k < node->n_inputs; k++) capture(c, node->inputs[k]);
        for (int k = 0; k < mc_node_n_subgraphs(node); k++) capture_all(c, mc_node_subgraph(node, k));
    }
    for (int i = 0; i < graph->n_outputs; i++) capture(c, graph->outputs[i]);
}

int mc_graph_captures(const struct mc_graph *graph, const struct mc_value ***list, int *n, struct mc_error *err)
{
    const int n_values = graph->model->n_values;
    struct captures c = {
        .graph = graph, .seen = MC_NEW_ARRAY(bool, n_values), .list = MC_NEW_ARRAY(const struct mc_value *, n_values)};
    if (c.seen && c.list) capture_all(&c, graph);
    mc_free(c.seen);
    if (!c.list || !c.seen) {
        mc_free(c.list);
        return mc_error_memory(err);
    }
    *list = c.list;
    *n = c.n;
    return MC_OK;
}

void mc_facts_finish(struct mc_facts *facts)
{
    for (int i = 0; facts->folded && i < facts->n_values; i++) mc_tensor_destroy(facts->folded[i]);
    mc_free(facts->folded);
    mc_free(facts->of);
    *facts = (struct mc_facts){0};
}

void mc_graph_room(const struct mc_graph *graph, int *n_in, int *n_out)
{
    *n_in = *n_out = 1;
    for (int i = 0; i < graph->n_nodes; i++) {
        const struct mc_node *node = graph->nodes[i];
        if (!node->op) continue;
        if (mc_node_room_in(node) > *n_in) *n_in = mc_node_room_in(node);
        if (mc_node_room_out(node) > *n_out) *n_out = mc_node_room_out(node);
    }
}
