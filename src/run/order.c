/* order.c - which activations lie channels last; see mc_order in graph/op.h.
 *
 * Values that a step wants to lie the same way form a group (union-find). A group lies last if some step that touches
 * it is faster then and nothing holds it back: that it is handed to the caller, that a step knows row-major order
 * alone. Steps that take either order on either side are where groups meet, so nothing is ever reordered by the plan.
 */
#include "base/error.h"
#include "run/plan_state.h"

struct groups {
    const struct mc_plan *plan;
    int *parent; /* by value id */
    bool *held;  /* of the groups' first values: row-major, whatever they wish */
    bool *wish;
};

static int find(const struct groups *g, int i)
{
    while (g->parent[i] != i) i = g->parent[i] = g->parent[g->parent[i]];
    return i;
}

static void tie(const struct groups *g, int a, int b)
{
    a = find(g, a);
    b = find(g, b);
    if (a == b) return;
    g->parent[b] = a;
    g->held[a] |= g->held[b];
    g->wish[a] |= g->wish[b];
}

/* Does the order make a difference? Without channels or without positions the two are one. */
static bool has_order(const struct mc_tensor *t)
{
    return t && t->shape.rank >= 3 && t->shape.dim[1] > 1 && mc_shape_span(&t->shape, 2, t->shape.rank) > 1;
}

static int id_of(const struct groups *g, const struct mc_value *v)
{
    return v && has_order(&g->plan->values[v->id].tensor) ? v->id : -1;
}

static void hold(const struct groups *g, const struct mc_value *v)
{
    const int id = id_of(g, v);
    if (id >= 0) g->held[find(g, id)] = true;
}

static void wish(const struct groups *g, const struct mc_value *v)
{
    const int id = id_of(g, v);
    if (id >= 0) g->wish[find(g, id)] = true;
}

/* Inputs, parameters and constants come as they are; the caller sees row-major order only. */
static void hold_ends(const struct groups *g)
{
    const struct mc_plan *plan = g->plan;
    for (int i = 0; i < plan->n_values; i++) {
        const struct mc_plan_value *v = &plan->values[i];
        const struct mc_value *value = plan->model->values[i];
        if (value && (!value->producer || !v->varies || v->is_wrt || v->clamped)) hold(g, value);
    }
    for (int i = 0; i < plan->n_outputs; i++) hold(g, plan->model->values[plan->outputs[i].value - plan->values]);
}

static void tie_same(const struct groups *g, const struct mc_step *call)
{
    const struct mc_node *node = call->node;
    const int out = id_of(g, node->outputs[0]), in = id_of(g, node->inputs[0]);
    if (out >= 0 && in >= 0) tie(g, out, in);
    for (int i = 1; i < node->n_inputs; i++) {
        const int other = id_of(g, node->inputs[i]);
        if (other < 0) continue;
        if (out >= 0 && mc_shape_equal(&call->in[i]->shape, &call->out[0]->shape))
            tie(g, out, other);
        else
            hold(g, node->inputs[i]);
    }
    for (int i = 1; i < node->n_outputs; i++) hold(g, node->outputs[i]);
}

static void hold_all_but_first(const struct groups *g, const struct mc_node *node, int first)
{
    for (int i = first; i < node->n_inputs; i++) hold(g, node->inputs[i]);
    for (int i = first; i < node->n_outputs; i++) hold(g, node->outputs[i]);
}

/* All inputs but the first and the last. */
static void hold_inner_inputs(const struct groups *g, const struct mc_node *node)
{
    for (int i = 1; i < node->n_inputs - 1; i++) hold(g, node->inputs[i]);
}

static void tie_sum(const struct groups *g, const struct mc_node *node)
{
    const int out = id_of(g, node->outputs[0]), in = id_of(g, node->inputs[node->n_inputs - 1]);
    if (out >= 0 && in >= 0) tie(g, out, in);
}

static void heed_step(const struct groups *g, const struct mc_plan_step *step)
{
    const struct mc_node *node = step->call.node;
    const bool asks = step->op->order && node->n_inputs > 0 && !step->dynamic;
    const enum mc_order order = asks ? step->op->order(&step->call) : MC_ORDER_FIRST;
    for (int i = 0; i < step->n_uses; i++) hold(g, step->uses[i]);
    switch (order) {
    case MC_ORDER_FIRST:
        hold_all_but_first(g, node, 0);
        break;
    case MC_ORDER_SAME:
        tie_same(g, &step->call);
        break;
    case MC_ORDER_LAST:
        wish(g, node->inputs[0]);
        wish(g, node->outputs[0]);
        hold_all_but_first(g, node, 1);
        break;
    case MC_ORDER_LAST_SUM:
        wish(g, node->inputs[0]);
        wish(g, node->outputs[0]);
        hold_inner_inputs(g, node);
        tie_sum(g, node);
        break;
    case MC_ORDER_ANY:
        hold_all_but_first(g, node, 1);
        break;
    }
}

int mc_plan_choose_order(struct mc_plan *plan, struct mc_error *err)
{
    if (plan->options.no_fold) return MC_OK; /* every node by itself, as its specification says */
    struct groups g = {.plan = plan,
                       .parent = MC_NEW_ARRAY(int, plan->n_values),
                       .held = MC_NEW_ARRAY(bool, plan->n_values),
                       .wish = MC_NEW_ARRAY(bool, plan->n_values)};
    const bool ok = g.parent && g.held && g.wish;
    if (ok) {
        for (int i = 0; i < plan->n_values; i++) g.parent[i] = i;
        hold_ends(&g);
        for (int k = 0; k < plan->n_steps; k++) heed_step(&g, &plan->steps[k]);
        for (int i = 0; i < plan->n_values; i++) {
            struct mc_tensor *t = &plan->values[i].tensor;
            t->channels_last = has_order(t) && g.wish[find(&g, i)] && !g.held[find(&g, i)];
        }
    }
    mc_free(g.wish);
    mc_free(g.held);
    mc_free(g.parent);
    return ok ? MC_OK : mc_error_memory(err);
}
