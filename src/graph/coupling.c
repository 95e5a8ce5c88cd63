/* coupling.c - labels on the indices of axes, and the walk that lets every operator's rule tie them.
 *
 * Two laws keep the result sound however incomplete a rule is. What a node's rule does not mention of the axes of its
 * operands is frozen: silence is never consent. And a node without a rule, or with an operand of unknown shape,
 * freezes all that it touches.
 */
#include "graph/coupling_state.h"

#include <assert.h>

#include "base/alloc.h"
#include "base/error.h"

const struct mc_fact *mc_coupling_fact(const struct mc_coupling *c, const struct mc_value *v)
{
    if (!v || v->id >= c->n_values || c->facts->of[v->id].dtype == MC_UNDEFINED) return NULL;
    return &c->facts->of[v->id];
}

int mc_coupling_axis(const struct mc_coupling *c, const struct mc_value *v, int axis)
{
    const struct mc_fact *fact = mc_coupling_fact(c, v);
    if (!fact || axis < 0 || axis >= fact->shape.rank) return -1;
    return c->first_axis[v->id] + axis;
}

int64_t mc_coupling_extent(const struct mc_coupling *c, const struct mc_value *v, int axis)
{
    const int entry = mc_coupling_axis(c, v, axis);
    return entry < 0 ? 0 : c->axes[entry].extent;
}

bool mc_coupling_is_fixed(const struct mc_coupling *c, const struct mc_value *v)
{
    return v->id < c->n_values && c->fixed[v->id];
}

bool mc_coupling_is_parameter(const struct mc_coupling *c, const struct mc_value *v)
{
    const struct mc_fact *fact = mc_coupling_fact(c, v);
    if (!fact || !fact->constant) return false;
    return v->data || (v->producer && v->producer->n_inputs == 0);
}

enum mc_role mc_coupling_role(const struct mc_coupling *c, const struct mc_value *v, int axis)
{
    const int entry = mc_coupling_axis(c, v, axis);
    return entry < 0 ? MC_ROLE_NONE : c->axes[entry].role;
}

/* --- labels --- */

int32_t mc_coupling_root(const struct mc_coupling *c, int32_t label)
{
    while (c->labels[label].parent != label) {
        c->labels[label].parent = c->labels[c->labels[label].parent].parent;
        label = c->labels[label].parent;
    }
    return label;
}

/* The earlier of two reasons, -1 standing for none. */
static int32_t earlier(int32_t a, int32_t b)
{
    if (a < 0 || b < 0) return a < 0 ? b : a;
    return a < b ? a : b;
}

/* The smaller label becomes the root, so that groups come out in an order that does not depend on who was tied first.
 */
static void unite(struct mc_coupling *c, int32_t a, int32_t b)
{
    a = mc_coupling_root(c, a);
    b = mc_coupling_root(c, b);
    const int32_t root = a < b ? a : b, child = a < b ? b : a;
    c->labels[root].frozen = earlier(c->labels[a].frozen, c->labels[b].frozen);
    c->labels[child].parent = root;
}

static int give_labels(struct mc_coupling *c, struct mc_axis *axis, struct mc_error *err)
{
    if (axis->first_label >= 0) return 0;
    if (axis->extent > INT32_MAX - (int64_t)c->n_labels)
        return mc_error_set(err, MC_ERR_UNSUPPORTED, "value '%s': more than %d indices to couple", axis->value->name,
                            INT32_MAX);
    const size_t n = c->n_labels + (size_t)axis->extent;
    if (n > c->cap_labels) {
        const size_t capacity = n > 2 * c->cap_labels ? n : 2 * c->cap_labels;
        struct mc_label *labels = mc_realloc(c->labels, capacity, sizeof(*labels));
        if (!labels) return mc_error_memory(err);
        c->labels = labels;
        c->cap_labels = capacity;
    }
    axis->first_label = (int32_t)c->n_labels;
    for (; c->n_labels < n; c->n_labels++)
        c->labels[c->n_labels] = (struct mc_label){(int32_t)c->n_labels, axis->frozen};
    return 0;
}

/* --- statements --- */

/* Number of the reason (node, why); neighbouring freezes for one cause share it. */
static int give_reason(struct mc_coupling *c, const struct mc_node *node, const char *why, int32_t *reason,
                       struct mc_error *err)
{
    const struct mc_reason *last = c->n_reasons > 0 ? &c->reasons[c->n_reasons - 1] : NULL;
    if (!last || last->node != node || last->why != why) {
        if (!mc_grow((void **)&c->reasons, c->n_reasons, &c->cap_reasons, sizeof(*c->reasons)))
            return mc_error_memory(err);
        c->reasons[c->n_reasons++] = (struct mc_reason){node, why};
    }
    *reason = (int32_t)c->n_reasons - 1;
    return 0;
}

static void freeze_label(struct mc_coupling *c, int32_t label, int32_t reason)
{
    const int32_t root = mc_coupling_root(c, label);
    c->labels[root].frozen = earlier(c->labels[root].frozen, reason);
}

static int freeze_axis(struct mc_coupling *c, int entry, const struct mc_node *node, const char *why,
                       struct mc_error *err)
{
    if (entry < 0) return 0;
    struct mc_axis *axis = &c->axes[entry];
    axis->stated_by = c->node;
    if (axis->frozen >= 0) return 0;
    const int rc = give_reason(c, node, why, &axis->frozen, err);
    if (rc < 0) return rc;
    for (int32_t i = 0; axis->first_label >= 0 && i < axis->extent; i++)
        freeze_label(c, axis->first_label + i, axis->frozen);
    return 0;
}

int mc_couple_freeze(struct mc_coupling *c, const struct mc_node *node, const struct mc_value *v, int axis,
                     const char *why, struct mc_error *err)
{
    const struct mc_fact *fact = mc_coupling_fact(c, v);
    if (!fact) return 0;
    const int from = axis < 0 ? 0 : axis, to = axis < 0 ? fact->shape.rank : axis + 1;
    for (int a = from; a < to; a++) {
        const int rc = freeze_axis(c, mc_coupling_axis(c, v, a), node, why, err);
        if (rc < 0) return rc;
    }
    return 0;
}

int mc_couple_freeze_index(struct mc_coupling *c, const struct mc_node *node, const struct mc_value *v, int axis,
                           int64_t i, const char *why, struct mc_error *err)
{
    const int entry = mc_coupling_axis(c, v, axis);
    if (entry < 0) return 0;
    assert(i >= 0 && i < c->axes[entry].extent);
    c->axes[entry].stated_by = c->node;
    int32_t reason = -1;
    int rc = give_labels(c, &c->axes[entry], err);
    if (rc == 0) rc = give_reason(c, node, why, &reason, err);
    if (rc == 0) freeze_label(c, c->axes[entry].first_label + (int32_t)i, reason);
    return rc;
}

bool mc_couple_is_frozen(const struct mc_coupling *c, const struct mc_value *v, int axis)
{
    const int entry = mc_coupling_axis(c, v, axis);
    assert(c->node);
    if (entry < 0 || c->axes[entry].frozen >= 0) return true;
    const struct mc_axis *a = &c->axes[entry];
    if (a->first_label < 0) return false;
    for (int32_t i = 0; i < a->extent; i++)
        if (c->labels[mc_coupling_root(c, a->first_label + i)].frozen < 0) return false;
    return true;
}

/* Both ends of a tie made ready. *tied false: they cannot be tied, and what there is of them is frozen. */
static int open_tie(struct mc_coupling *c, int e, int f, bool same_extent, bool *tied, struct mc_error *err)
{
    const char *why = NULL;
    if (e < 0 || f < 0)
        why = "tied to an axis of unknown extent";
    else if (same_extent && c->axes[e].extent != c->axes[f].extent)
        why = "tied to an axis of another extent";
    *tied = !why;
    const int ends[2] = {e, f};
    for (int i = 0; i < 2; i++) {
        if (ends[i] < 0) continue;
        c->axes[ends[i]].stated_by = c->node;
        const int rc = why ? freeze_axis(c, ends[i], c->node, why, err) : give_labels(c, &c->axes[ends[i]], err);
        if (rc < 0) return rc;
    }
    return 0;
}

int mc_couple_axes(struct mc_coupling *c, const struct mc_value *x, int a, const struct mc_value *y, int b,
                   struct mc_error *err)
{
    const int e = mc_coupling_axis(c, x, a), f = mc_coupling_axis(c, y, b);
    bool tied;
    const int rc = open_tie(c, e, f, true, &tied, err);
    if (rc < 0 || !tied) return rc;
    const int32_t p = c->axes[e].first_label, q = c->axes[f].first_label;
    for (int32_t i = 0; i < c->axes[e].extent; i++) unite(c, p + i, q + i);
    return 0;
}

int mc_couple_index(struct mc_coupling *c, const struct mc_value *x, int a, int64_t i, const struct mc_value *y, int b,
                    int64_t j, struct mc_error *err)
{
    const int e = mc_coupling_axis(c, x, a), f = mc_coupling_axis(c, y, b);
    bool tied;
    const int rc = open_tie(c, e, f, false, &tied, err);
    if (rc < 0 || !tied) return rc;
    assert(i >= 0 && i < c->axes[e].extent && j >= 0 && j < c->axes[f].extent);
    unite(c, c->axes[e].first_label + (int32_t)i, c->axes[f].first_label + (int32_t)j);
    return 0;
}

int mc_couple_broadcast(struct mc_coupling *c, const struct mc_value *x, const struct mc_value *y, struct mc_error *err)
{
    const struct mc_fact *p = mc_coupling_fact(c, x), *q = mc_coupling_fact(c, y);
    if (!p || !q) {
        const int rc = mc_couple_freeze(c, c->node, x, -1, "tied to a value of unknown shape", err);
        return rc < 0 ? rc : mc_couple_freeze(c, c->node, y, -1, "tied to a value of unknown shape", err);
    }
    for (int a = p->shape.rank - 1, b = q->shape.rank - 1; a >= 0 && b >= 0; a--, b--) {
        if (p->shape.dim[a] != q->shape.dim[b] && (p->shape.dim[a] == 1 || q->shape.dim[b] == 1)) continue;
        const int rc = mc_couple_axes(c, x, a, y, b, err);
        if (rc < 0) return rc;
    }
    return 0;
}

/* A parameter that makes a channel anywhere counts as what makes it, whatever else it does elsewhere. */
int mc_couple_role(struct mc_coupling *c, const struct mc_value *v, int axis, enum mc_role role, struct mc_error *err)
{
    const int entry = mc_coupling_axis(c, v, axis);
    if (entry >= 0 && (c->axes[entry].role == MC_ROLE_NONE || role == MC_ROLE_PRODUCES)) c->axes[entry].role = role;
    return 0;
}

int mc_couple_contraction(struct mc_coupling *c, const struct mc_contraction *contraction, struct mc_error *err)
{
    if (!mc_grow((void **)&c->contractions, c->n_contractions, &c->cap_contractions, sizeof(*c->contractions)))
        return mc_error_memory(err);
    c->contractions[c->n_contractions++] = *contraction;
    return 0;
}

int mc_coupling_n_contractions(const struct mc_coupling *c)
{
    return (int)c->n_contractions;
}

const struct mc_contraction *mc_coupling_contraction(const struct mc_coupling *c, int i)
{
    assert(i >= 0 && (size_t)i < c->n_contractions);
    return &c->contractions[i];
}

int mc_couple_statistic(struct mc_coupling *c, const struct mc_node *node, const struct mc_value *x, int axis,
                        struct mc_error *err)
{
    if (mc_coupling_is_fixed(c, x))
        return mc_couple_freeze(c, node, x, axis, "statistics of a weight are taken along the axis", err);
    const int rc = mc_couple_axes(c, x, axis, x, axis, err);
    if (rc < 0) return rc;
    if (!mc_grow((void **)&c->statistics, c->n_statistics, &c->cap_statistics, sizeof(*c->statistics)))
        return mc_error_memory(err);
    c->statistics[c->n_statistics++] = (struct mc_statistic){node, x, axis};
    return 0;
}

int mc_coupling_n_statistics(const struct mc_coupling *c)
{
    return (int)c->n_statistics;
}

const struct mc_statistic *mc_coupling_statistic(const struct mc_coupling *c, int i)
{
    assert(i >= 0 && (size_t)i < c->n_statistics);
    return &c->statistics[i];
}

int mc_couple_heads(struct mc_coupling *c, const struct mc_value *v, int axis, struct mc_error *err)
{
    const int entry = mc_coupling_axis(c, v, axis);
    if (entry < 0) return 0;
    if (!mc_grow((void **)&c->heads, c->n_heads, &c->cap_heads, sizeof(*c->heads))) return mc_error_memory(err);
    c->heads[c->n_heads++] = entry;
    return 0;
}

/* --- stock rules --- */

int mc_coupling_elementwise(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err)
{
    for (int i = 0; i < node->n_inputs; i++) {
        if (!node->inputs[i]) continue;
        const int rc = mc_couple_broadcast(c, node->inputs[i], node->outputs[0], err);
        if (rc < 0) return rc;
    }
    return 0;
}

int mc_coupling_first_input(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err)
{
    const struct mc_fact *x = mc_coupling_fact(c, node->inputs[0]), *y = mc_coupling_fact(c, node->outputs[0]);
    if (!x || !y || x->shape.rank != y->shape.rank) return mc_coupling_freeze_all(c, node, err);
    for (int a = 0; a < x->shape.rank; a++) {
        const int rc = mc_couple_axes(c, node->inputs[0], a, node->outputs[0], a, err);
        if (rc < 0) return rc;
    }
    return 0;
}

int mc_coupling_statistics(struct mc_coupling *c, const struct mc_node *node, const int64_t *axes, int n,
                           struct mc_error *err)
{
    int rc = mc_coupling_first_input(c, node, err);
    for (int i = 0; i < n && rc == 0; i++) rc = mc_couple_statistic(c, node, node->inputs[0], (int)axes[i], err);
    return rc;
}

static int freeze_node(struct mc_coupling *c, const struct mc_node *node, const char *why, struct mc_error *err)
{
    int rc = 0;
    for (int i = 0; i < node->n_inputs && rc == 0; i++) rc = mc_couple_freeze(c, node, node->inputs[i], -1, why, err);
    for (int i = 0; i < node->n_outputs && rc == 0; i++) rc = mc_couple_freeze(c, node, node->outputs[i], -1, why, err);
    return rc;
}

int mc_coupling_freeze_all(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err)
{
    return freeze_node(c, node, "the operator uses all of it together", err);
}

/* --- the walk --- */

static bool facts_known(const struct mc_coupling *c, const struct mc_node *node)
{
    for (int i = 0; i < node->n_inputs; i++)
        if (node->inputs[i] && !mc_coupling_fact(c, node->inputs[i])) return false;
    for (int i = 0; i < node->n_outputs; i++)
        if (node->outputs[i] && !mc_coupling_fact(c, node->outputs[i])) return false;
    return true;
}

/* Freeze what the node's rule passed over in silence, and what no cut could be made in. */
static int freeze_unstated(struct mc_coupling *c, const struct mc_node *node, const struct mc_value *v,
                           struct mc_error *err)
{
    const struct mc_fact *fact = mc_coupling_fact(c, v);
    if (!fact) return 0;
    if (mc_dtype_bits(fact->dtype) % 8 != 0 || fact->dtype == MC_STRING)
        return mc_couple_freeze(c, node, v, -1, "its elements cannot be cut one by one", err);
    for (int a = 0; a < fact->shape.rank; a++) {
        const int entry = mc_coupling_axis(c, v, a);
        if (c->axes[entry].stated_by == node) continue;
        const int rc = freeze_axis(c, entry, node, "the operator does not say what becomes of the axis", err);
        if (rc < 0) return rc;
    }
    return 0;
}

static int run_rule(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err)
{
    if (!node->op) return freeze_node(c, node, "the operator is unknown", err);
    if (!node->op->coupling) return freeze_node(c, node, "the operator has no coupling rule", err);
    if (!facts_known(c, node)) return freeze_node(c, node, "shapes around it are unknown", err);
    int rc = node->op->coupling(c, node, err);
    for (int i = 0; i < node->n_inputs && rc == 0; i++) rc = freeze_unstated(c, node, node->inputs[i], err);
    for (int i = 0; i < node->n_outputs && rc == 0; i++) rc = freeze_unstated(c, node, node->outputs[i], err);
    return rc;
}

/* Who looks at nothing but the shape of a value follows a new shape by itself; what it puts out is not cut. */
static int freeze_outputs(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err)
{
    int rc = 0;
    for (int i = 0; i < node->n_outputs && rc == 0; i++)
        rc = mc_couple_freeze(c, node, node->outputs[i], -1, "a shape", err);
    return rc;
}

static int state_node(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err)
{
    if (node->op && node->op->shape_only) return freeze_outputs(c, node, err);
    const bool constant = node->n_inputs == 0 && node->n_outputs == 1 && mc_coupling_is_parameter(c, node->outputs[0]);
    return constant ? 0 : run_rule(c, node, err); /* a constant is a parameter like any other, and has no rule */
}

static int apply_rule(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err)
{
    c->node = node;
    const int rc = state_node(c, node, err);
    c->node = NULL;
    char text[160];
    return rc < 0 ? mc_error_wrap(err, rc, "node %s", mc_node_text(node, text, sizeof(text))) : 0;
}

/* What a subgraph sees of the main graph is out of the rules' sight. */
static int freeze_captured(struct mc_coupling *c, struct mc_error *err)
{
    struct mc_uses uses = {0};
    int rc = mc_uses_create(&uses, c->model, err);
    if (rc < 0) return rc;
    for (int id = 0; id < c->n_values && rc == 0; id++) {
        for (int i = 0; c->first_axis[id] >= 0 && i < uses.n[id] && rc == 0; i++) {
            const struct mc_node *node = uses.of[id][i].node;
            if (node && node->graph != c->model->graph)
                rc = mc_couple_freeze(c, node, c->model->values[id], -1, "used inside a subgraph", err);
        }
    }
    mc_uses_finish(&uses);
    return rc;
}

static int freeze_interface(struct mc_coupling *c, struct mc_error *err)
{
    const struct mc_graph *graph = c->model->graph;
    int rc = 0;
    for (int i = 0; i < graph->n_inputs && rc == 0; i++)
        if (!graph->inputs[i]->data) rc = mc_couple_freeze(c, NULL, graph->inputs[i], -1, "graph input", err);
    for (int i = 0; i < graph->n_outputs && rc == 0; i++)
        rc = mc_couple_freeze(c, NULL, graph->outputs[i], -1, "graph output", err);
    return rc;
}

/* --- making --- */

static bool is_fixed_node(const struct mc_coupling *c, const struct mc_node *node)
{
    if (!node->op || node->op->random) return false;
    for (int i = 0; i < node->n_attrs; i++)
        if (node->attrs[i].type == MC_ATTR_GRAPH || node->attrs[i].type == MC_ATTR_GRAPHS) return false;
    for (int i = 0; i < node->n_inputs; i++)
        if (node->inputs[i] && !c->fixed[node->inputs[i]->id]) return false;
    return true;
}

static void mark_fixed(struct mc_coupling *c)
{
    for (int id = 0; id < c->n_values; id++) c->fixed[id] = c->model->values[id] && c->model->values[id]->data;
    const struct mc_graph *graph = c->model->graph;
    for (int i = 0; i < graph->n_nodes; i++) {
        const struct mc_node *node = graph->nodes[i];
        if (!is_fixed_node(c, node)) continue;
        for (int k = 0; k < node->n_outputs; k++)
            if (node->outputs[k]) c->fixed[node->outputs[k]->id] = 1;
    }
}

static int list_axes(struct mc_coupling *c, struct mc_error *err)
{
    c->n_values = c->model->n_values < c->facts->n_values ? c->model->n_values : c->facts->n_values;
    c->first_axis = MC_NEW_ARRAY(int, c->n_values);
    c->fixed = MC_NEW_ARRAY(unsigned char, c->n_values);
    if (!c->first_axis || !c->fixed) return mc_error_memory(err);
    for (int id = 0; id < c->n_values; id++) {
        const struct mc_value *v = c->model->values[id];
        const struct mc_fact *fact = v ? mc_coupling_fact(c, v) : NULL;
        c->first_axis[id] = fact ? c->n_axes : -1;
        if (fact) c->n_axes += fact->shape.rank;
    }
    c->axes = MC_NEW_ARRAY(struct mc_axis, c->n_axes);
    if (!c->axes) return mc_error_memory(err);
    for (int id = 0; id < c->n_values; id++) {
        if (c->first_axis[id] < 0) continue;
        const struct mc_shape *shape = &c->facts->of[id].shape;
        for (int a = 0; a < shape->rank; a++)
            c->axes[c->first_axis[id] + a] =
                (struct mc_axis){.value = c->model->values[id], .axis = a, .extent = shape->dim[a]};
    }
    return 0;
}

/* Axes of x that share a label with an axis of y of stated role, and have none themselves, take that role. */
static void inherit_roles(struct mc_coupling *c, const struct mc_value *x, const struct mc_value *y)
{
    const struct mc_fact *from = mc_coupling_fact(c, y), *to = mc_coupling_fact(c, x);
    for (int b = 0; from && to && b < from->shape.rank; b++) {
        const struct mc_axis *q = &c->axes[mc_coupling_axis(c, y, b)];
        for (int a = 0; a < to->shape.rank && q->first_label >= 0 && q->extent > 0; a++) {
            struct mc_axis *p = &c->axes[mc_coupling_axis(c, x, a)];
            if (p->role == MC_ROLE_NONE && p->first_label >= 0 && p->extent > 0 &&
                mc_coupling_root(c, p->first_label) == mc_coupling_root(c, q->first_label))
                p->role = q->role;
        }
    }
}

/* Parameters that a node computes from another parameter (a transposed weight, an Identity of it) pass what was said
 * of them on to the one that is stored: last nodes first. */
static void hand_roles_back(struct mc_coupling *c)
{
    const struct mc_graph *graph = c->model->graph;
    for (int i = graph->n_nodes - 1; i >= 0; i--) {
        const struct mc_node *node = graph->nodes[i];
        if (node->n_outputs == 0 || !node->outputs[0] || !mc_coupling_is_fixed(c, node->outputs[0])) continue;
        for (int k = 0; k < node->n_inputs; k++)
            if (node->inputs[k]) inherit_roles(c, node->inputs[k], node->outputs[0]);
    }
}

/* Forget what was said, but not the ways. */
static void begin_walk(struct mc_coupling *c)
{
    c->n_labels = c->n_reasons = c->n_contractions = c->n_statistics = c->n_heads = 0;
    for (int e = 0; e < c->n_axes; e++) {
        const struct mc_axis *axis = &c->axes[e];
        c->axes[e] = (struct mc_axis){
            .value = axis->value, .axis = axis->axis, .extent = axis->extent, .first_label = -1, .frozen = -1};
    }
}

static int walk(struct mc_coupling *c, struct mc_error *err)
{
    const struct mc_graph *graph = c->model->graph;
    begin_walk(c);
    int rc = freeze_interface(c, err);
    if (rc == 0) rc = freeze_captured(c, err);
    for (int i = 0; i < graph->n_nodes && rc == 0; i++) rc = apply_rule(c, graph->nodes[i], err);
    c->n_walks++;
    return rc;
}

/* What only the walks need: groups know their own. */
static void forget_labels(struct mc_coupling *c)
{
    mc_free(c->labels);
    c->labels = NULL;
    c->n_labels = c->cap_labels = 0;
}

int mc_coupling_create(struct mc_coupling **coupling, const struct mc_model *model, const struct mc_facts *facts,
                       bool whole_heads, struct mc_error *err)
{
    struct mc_coupling *c = MC_NEW(struct mc_coupling);
    if (!c) return mc_error_memory(err);
    c->model = model;
    c->facts = facts;
    int rc = list_axes(c, err);
    if (rc == 0) {
        mark_fixed(c);
        do {
            rc = walk(c, err);
        } while (rc == 0 && mc_coupling_turn(c, whole_heads));
    }
    if (rc == 0) hand_roles_back(c);
    if (rc == 0) rc = mc_coupling_build_groups(c, err);
    forget_labels(c);
    if (rc < 0) {
        mc_coupling_destroy(c);
        return rc;
    }
    *coupling = c;
    return 0;
}

void mc_coupling_destroy(struct mc_coupling *c)
{
    if (!c) return;
    forget_labels(c);
    mc_free(c->indices);
    mc_free(c->slices);
    mc_free(c->groups);
    mc_free(c->group_of_label);
    mc_free(c->crossings);
    mc_free(c->heads);
    mc_free(c->statistics);
    mc_free(c->contractions);
    mc_free(c->reasons);
    mc_free(c->axes);
    mc_free(c->fixed);
    mc_free(c->first_axis);
    mc_free(c);
}
