/* dynamic.c - steps that no buffer can be laid out for: what they make has a shape that contents decide, or is no
 * tensor.
 *
 * Such a step is run by itself, on items. What it makes is held as an item where nothing else can be known of it, and
 * copied into the plan's buffer where its shape was known all the same, so that planned steps go on from there.
 *
 * A graph among its node's attributes is compiled when it is first run, for the shapes that it is then given, and kept:
 * a loop compiles its body once. Its inputs are the ones that it declares and then whatever it sees of the graphs
 * around it that may change.
 */
#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "graph/reach.h"
#include "run/evaluate.h"
#include "run/plan_state.h"
#include "run/plans.h"

/* --- what values are, as items --- */

int mc_plan_item(const struct mc_plan_value *v, struct mc_item **item, struct mc_error *err)
{
    struct mc_tensor *copy;
    if (v->held && !v->item) return mc_error_set(err, MC_ERR_USAGE, "an input has not been given");
    if (v->held) {
        *item = mc_item_retain(v->item);
        return MC_OK;
    }
    const int rc = mc_tensor_clone(&copy, &v->tensor, err);
    if (rc < 0) return rc;
    *item = mc_item_of_tensor(copy);
    return *item ? MC_OK : mc_error_memory(err);
}

void mc_plan_hold(struct mc_plan_value *v, struct mc_item *item)
{
    mc_item_retain(item);
    mc_item_release(v->item);
    v->item = item;
    if (item && item->kind == MC_ITEM_TENSOR) {
        v->tensor = *item->tensor;
        v->tensor.storage = NULL;
    }
}

/* --- graphs within --- */

static struct mc_fact fact_of_item(const struct mc_item *item)
{
    if (item->kind != MC_ITEM_TENSOR || item->tensor->dtype == MC_STRING) return (struct mc_fact){.open = true};
    return (struct mc_fact){.dtype = item->tensor->dtype, .shape = item->tensor->shape};
}

static struct mc_fact fact_of_captured(const struct mc_plan *plan, const struct mc_value *value)
{
    const struct mc_plan_value *v = mc_plan_value(plan, value);
    const struct mc_fact *known = &plan->facts.of[value->id];
    if (!v->varies && known->constant) return *known;
    if (v->held) return v->item ? fact_of_item(v->item) : (struct mc_fact){.open = true};
    return (struct mc_fact){.dtype = v->tensor.dtype, .shape = v->tensor.shape};
}

/* What settles the inputs of `graph` this time, in the order in which its plan takes them. */
static int list_given(const struct mc_plan *plan, const struct mc_graph *graph, int n_in, struct mc_item *const *in,
                      struct mc_given **list, int *n, struct mc_error *err)
{
    const struct mc_value **captured = NULL;
    int n_captured = 0;
    const int rc = mc_graph_captures(graph, &captured, &n_captured, err);
    if (rc < 0) return rc;
    *list = MC_NEW_ARRAY(struct mc_given, n_in + n_captured);
    for (int i = 0; i < n_in && *list; i++)
        (*list)[i] = (struct mc_given){.value = mc_graph_fed(graph, i), .fact = fact_of_item(in[i])};
    for (int i = 0; i < n_captured && *list; i++)
        (*list)[n_in + i] = (struct mc_given){.value = captured[i], .fact = fact_of_captured(plan, captured[i])};
    mc_free(captured);
    *n = n_in + n_captured;
    return *list ? MC_OK : mc_error_memory(err);
}

static int bind_captured(const struct mc_plan *plan, struct mc_plan *inner, int first, struct mc_error *err)
{
    int rc = MC_OK;
    for (int i = first; i < inner->n_inputs && rc == MC_OK; i++) {
        const struct mc_value *value = plan->model->values[inner->inputs[i].value - inner->values];
        struct mc_plan_value *v = mc_plan_value(plan, value);
        if (v->held)
            rc = mc_plan_bind_item(inner, i, v->item, err);
        else
            rc = mc_plan_bind_input(inner, i, &v->tensor, err);
    }
    return rc;
}

static int take_outputs(struct mc_plan *inner, struct mc_item **out, struct mc_error *err)
{
    for (int i = 0; i < inner->n_outputs; i++) {
        const int rc = mc_plan_item(inner->outputs[i].value, &out[i], err);
        if (rc == MC_OK) continue;
        while (i-- > 0) mc_item_release(out[i]);
        return rc;
    }
    return MC_OK;
}

struct context {
    struct mc_plan *plan;
    struct mc_plan_step *step;
};

/* Of the values that a branch sees, those that the plan wants gradients by. */
static int list_wanted(const struct mc_plan *plan, const struct mc_plan_step *step, const struct mc_given *given, int n,
                       const struct mc_value ***list, int *n_wanted, struct mc_error *err)
{
    *n_wanted = 0;
    *list = MC_NEW_ARRAY(const struct mc_value *, step->n_operands + 1);
    if (!*list) return mc_error_memory(err);
    for (int i = 0; i < step->n_operands; i++)
        for (int k = 0; k < n && step->routes[i].root; k++)
            if (given[k].value == step->operands[i] && !given[k].fact.constant)
                (*list)[(*n_wanted)++] = step->operands[i];
    return MC_OK;
}

/* The plan of the graph for what it is given now. */
static int find_plan(const struct context *c, const struct mc_graph *graph, const struct mc_given *given, int n,
                     struct mc_plan **inner, struct mc_error *err)
{
    struct mc_plan_options options = {.dims = {.graph = graph, .n_given = n, .given = given},
                                      .runtime = &c->plan->runtime,
                                      .no_fold = c->plan->options.no_fold};
    const struct mc_value **wanted = NULL;
    int rc = MC_OK;
    if (c->plan->options.training && c->step->op->branches) {
        options.training = true;
        rc = list_wanted(c->plan, c->step, given, n, &wanted, &options.n_wrt, err);
        options.wrt = wanted;
    }
    if (rc == MC_OK) rc = mc_plans_find(c->step->plans, c->plan->model, &options, inner, err);
    mc_free(wanted);
    c->step->taken = rc == MC_OK ? *inner : NULL;
    return rc;
}

static int run_graph(struct mc_call *call, const struct mc_graph *graph, int n_in, struct mc_item *const *in,
                     struct mc_item **out, struct mc_error *err)
{
    const struct context *c = call->context;
    struct mc_given *given = NULL;
    struct mc_plan *inner = NULL;
    int n;
    if (n_in != mc_graph_n_fed(graph))
        return mc_error_set(err, MC_ERR_INPUT, "its graph '%s' takes %d inputs, is given %d", graph->name,
                            mc_graph_n_fed(graph), n_in);
    if (!c->step->plans && !(c->step->plans = MC_NEW(struct mc_plans))) return mc_error_memory(err);
    int rc = list_given(c->plan, graph, n_in, in, &given, &n, err);
    if (rc < 0) return rc;
    rc = find_plan(c, graph, given, n, &inner, err);
    mc_free(given);
    if (rc < 0) return rc;
    for (int i = 0; i < n_in && rc == MC_OK; i++) rc = mc_plan_bind_item(inner, i, in[i], err);
    if (rc == MC_OK) rc = bind_captured(c->plan, inner, n_in, err);
    inner->runtime.iteration = c->plan->runtime.iteration + c->step->turns++;
    if (rc == MC_OK) rc = mc_plan_run(inner, err);
    if (rc == MC_OK) rc = take_outputs(inner, out, err);
    return rc;
}

int mc_dynamic_backward(const struct mc_plan *plan, struct mc_plan_step *step, struct mc_error *err)
{
    struct mc_plan *inner = step->taken;
    bool any = false;
    for (int i = 0; i < step->call.n_out; i++) {
        struct mc_tensor *seed = step->call.grad_out[i] ? mc_plan_grad_output(inner, i) : NULL;
        if (seed) memcpy(seed->data, step->call.grad_out[i]->data, mc_tensor_bytes(seed));
        any |= seed != NULL;
    }
    const int rc = any ? mc_plan_backward(inner, err) : MC_OK;
    for (int i = 0; i < step->n_operands && any && rc == MC_OK; i++)
        for (int k = 0; k < inner->options.n_wrt; k++) {
            const bool is_it = inner->options.wrt[k] == step->operands[i];
            const struct mc_tensor *gradient = is_it ? mc_plan_grad(inner, k) : NULL;
            if (gradient) mc_tape_give(plan, &step->routes[i], gradient);
        }
    return rc;
}

void mc_dynamic_release(struct mc_plan_step *step)
{
    if (step->plans) mc_plans_finish(step->plans);
    mc_free(step->plans);
    step->plans = NULL;
    step->taken = NULL;
}

/* --- a step --- */

static bool needs_item(const struct mc_plan *plan, const struct mc_value *value)
{
    return value && (mc_plan_value(plan, value)->held || plan->facts.of[value->id].dtype == MC_STRING);
}

static bool is_dynamic(const struct mc_plan *plan, const struct mc_node *node)
{
    if (!node->op->forward) return true;
    for (int i = 0; i < node->n_inputs; i++)
        if (needs_item(plan, node->inputs[i])) return true;
    for (int i = 0; i < node->n_outputs; i++)
        if (needs_item(plan, node->outputs[i])) return true;
    return false;
}

/* Its inputs, and what its graphs see of this one. */
static int list_uses(struct mc_plan *plan, struct mc_plan_step *step, struct mc_error *err)
{
    const struct mc_node *node = step->call.node;
    int rc = MC_OK;
    for (int k = 0; k <= mc_node_n_subgraphs(node) && rc == MC_OK; k++) {
        const struct mc_value **more = NULL, **all;
        int n = 0;
        if (k < mc_node_n_subgraphs(node)) rc = mc_graph_captures(mc_node_subgraph(node, k), &more, &n, err);
        if (rc < 0) break;
        all = MC_PLAN_ARRAY(plan, const struct mc_value *, step->n_uses + n + node->n_inputs);
        if (!all) rc = mc_error_memory(err);
        for (int i = 0; all && i < step->n_uses; i++) all[i] = step->uses[i];
        for (int i = 0; all && i < n; i++) all[step->n_uses++] = more[i];
        for (int i = 0; all && k == mc_node_n_subgraphs(node) && i < node->n_inputs; i++)
            if (node->inputs[i]) all[step->n_uses++] = node->inputs[i];
        step->uses = all;
        mc_free(more);
    }
    return rc;
}

/* What a gradient may go to through some branch, each value once. */
static int list_operands(struct mc_plan *plan, struct mc_plan_step *step, struct mc_error *err)
{
    const struct mc_node *node = step->call.node;
    bool *marked = MC_NEW_ARRAY(bool, plan->n_values);
    const struct mc_value **operands = MC_PLAN_ARRAY(plan, const struct mc_value *, step->n_uses);
    step->n_operands = 0;
    step->operands = operands;
    for (int k = 0; k < mc_node_n_subgraphs(node) && marked; k++) {
        const struct mc_graph *branch = mc_node_subgraph(node, k);
        for (int i = 0; i < branch->n_outputs && i < node->n_outputs; i++) marked[branch->outputs[i]->id] = true;
        mc_graph_mark_reached(branch, marked);
    }
    for (int i = 0; i < step->n_uses && marked && operands; i++) {
        if (!marked[step->uses[i]->id]) continue;
        marked[step->uses[i]->id] = false;
        operands[step->n_operands++] = step->uses[i];
    }
    mc_free(marked);
    return marked && operands ? MC_OK : mc_error_memory(err);
}

int mc_dynamic_create(struct mc_plan *plan, struct mc_plan_step *step, struct mc_error *err)
{
    const struct mc_node *node = step->call.node;
    step->dynamic = is_dynamic(plan, node);
    if (!step->dynamic) return MC_OK;
    step->items_in = MC_PLAN_ARRAY(plan, struct mc_item *, mc_node_room_in(node));
    step->items_out = MC_PLAN_ARRAY(plan, struct mc_item *, mc_node_room_out(node));
    int rc = step->items_in && step->items_out ? list_uses(plan, step, err) : mc_error_memory(err);
    if (rc == MC_OK && step->op->branches) rc = list_operands(plan, step, err);
    return rc;
}

/* Where the shape was known, what was made has to have it. */
static int store(struct mc_plan_value *v, const char *name, const struct mc_item *item, struct mc_error *err)
{
    char need[128], have[128];
    if (item->kind != MC_ITEM_TENSOR || item->tensor->dtype != v->tensor.dtype ||
        !mc_shape_equal(&item->tensor->shape, &v->tensor.shape))
        return mc_error_set(err, MC_ERR_INTERNAL, "output '%s' was to be %s of %s, is %s", name,
                            mc_shape_text(&v->tensor.shape, need, sizeof need), mc_dtype_name(v->tensor.dtype),
                            item->kind == MC_ITEM_TENSOR ? mc_shape_text(&item->tensor->shape, have, sizeof have)
                                                         : "no tensor");
    memcpy(v->tensor.data, item->tensor->data, mc_tensor_bytes(item->tensor));
    return MC_OK;
}

static void release_used(const struct mc_plan *plan, const struct mc_plan_step *step, int k)
{
    for (int i = 0; i < step->n_uses; i++) {
        struct mc_plan_value *v = mc_plan_value(plan, step->uses[i]);
        if (v->held && v->last == k) mc_plan_hold(v, NULL);
    }
}

int mc_dynamic_run(struct mc_plan *plan, struct mc_plan_step *step, int k, struct mc_error *err)
{
    const struct mc_node *node = step->call.node;
    struct context context = {plan, step};
    struct mc_call call = {.node = node,
                           .runtime = &plan->runtime,
                           .n_in = node->n_inputs,
                           .n_out = node->n_outputs,
                           .in = step->items_in,
                           .out = step->items_out,
                           .run_graph = run_graph,
                           .context = &context};
    int rc = MC_OK;
    step->turns = 0;
    for (int i = 0; i < node->n_inputs && rc == MC_OK; i++) {
        if (node->inputs[i]) rc = mc_plan_item(mc_plan_value(plan, node->inputs[i]), &step->items_in[i], err);
    }
    if (rc == MC_OK) rc = mc_run_node(&call, err);
    for (int i = 0; i < node->n_outputs && rc == MC_OK; i++) {
        struct mc_plan_value *v = mc_plan_value(plan, node->outputs[i]);
        if (!v) continue;
        if (v->held)
            mc_plan_hold(v, step->items_out[i]);
        else
            rc = store(v, node->outputs[i]->name, step->items_out[i], err);
    }
    for (int i = 0; i < node->n_inputs; i++) mc_item_release(step->items_in[i]);
    for (int i = 0; i < node->n_outputs; i++) mc_item_release(step->items_out[i]);
    memset(step->items_in, 0, (size_t)node->n_inputs * sizeof *step->items_in);
    memset(step->items_out, 0, (size_t)node->n_outputs * sizeof *step->items_out);
    release_used(plan, step, k);
    return rc;
}
