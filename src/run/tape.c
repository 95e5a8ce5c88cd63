/* tape.c - backward: which steps take part, where gradients lie, and going through them; see plan_state.h. */
#include <assert.h>

#include "base/error.h"
#include "kernel/broadcast.h"
#include "kernel/copy.h"
#include "kernel/kernels.h"
#include "run/plan_state.h"

/* --- what gradients pass through --- */

/* Is there a derivative by operand i? What comes out where there is none counts as constant: gradients end there, and
 * go on along other ways. */
static bool differentiates(const struct mc_plan_step *step, int i)
{
    const struct mc_op *op = step->op;
    if (op->branches) return true;
    return op->backward && !step->dynamic && !step->n_wide && (op->grad_inputs >> (i < 31 ? i : 31) & 1);
}

/* Can a gradient be had by the value, as this step sees it? */
static bool is_smooth(const struct mc_plan_step *step, const struct mc_plan_value *v)
{
    return mc_dtype_is_float(v->tensor.dtype) || (step->op->straight_through && mc_dtype_is_integer(v->tensor.dtype));
}

static bool passes(const struct mc_plan *plan, const struct mc_plan_step *step, int i)
{
    const struct mc_plan_value *v = mc_plan_value(plan, step->operands[i]);
    return v && plan->values[v->root].wanted && is_smooth(step, v) && differentiates(step, i);
}

/* Forward: what depends on the values that gradients are asked for. */
static void mark_wanted(struct mc_plan *plan)
{
    for (int k = 0; k < plan->n_steps; k++) {
        const struct mc_plan_step *step = &plan->steps[k];
        const struct mc_node *node = step->call.node;
        bool wanted = false;
        for (int i = 0; i < step->n_operands && !wanted; i++) wanted = passes(plan, step, i);
        for (int i = 0; i < node->n_outputs && wanted; i++) {
            struct mc_plan_value *v = mc_plan_value(plan, node->outputs[i]);
            if (v && is_smooth(step, v)) v->wanted = true;
        }
    }
}

static bool receives(const struct mc_plan *plan, const struct mc_plan_step *step)
{
    const struct mc_node *node = step->call.node;
    for (int i = 0; i < node->n_outputs; i++)
        if (node->outputs[i] && mc_plan_root(plan, node->outputs[i])->carries) return true;
    return false;
}

/* Backward: what of that the outputs depend on. */
static void mark_carrying(struct mc_plan *plan)
{
    for (int i = 0; i < plan->n_outputs; i++) {
        struct mc_plan_value *root = &plan->values[plan->outputs[i].value->root];
        root->carries = root->wanted && mc_dtype_is_float(root->tensor.dtype);
    }
    for (int k = plan->n_steps - 1; k >= 0; k--) {
        struct mc_plan_step *step = &plan->steps[k];
        if (!receives(plan, step)) continue;
        for (int i = 0; i < step->n_operands; i++) {
            if (!passes(plan, step, i)) continue;
            mc_plan_root(plan, step->operands[i])->carries = true;
            step->backward = true;
        }
    }
}

int mc_tape_mark(struct mc_plan *plan, struct mc_error *err)
{
    for (int i = 0; i < plan->options.n_wrt; i++) {
        struct mc_plan_value *v = mc_plan_value(plan, plan->options.wrt[i]);
        if (!mc_dtype_is_float(v->tensor.dtype))
            return mc_error_set(err, MC_ERR_USAGE, "the gradient by '%s' of type %s cannot be had",
                                plan->options.wrt[i]->name, mc_dtype_name(v->tensor.dtype));
        v->wanted = true;
    }
    mark_wanted(plan);
    mark_carrying(plan);
    return MC_OK;
}

/* --- where gradients end --- */

/* Why no gradient passes from the step to its operand i; NULL: one does, or what the operand is has none. */
static const char *why_ends(const struct mc_plan_step *step, int i)
{
    if (step->op->shape_only || differentiates(step, i)) return NULL;
    if (!step->op->backward) return step->op->no_backward;
    if (step->dynamic) return "what comes in decides its shape";
    return step->n_wide ? "gradients are float32 or float64" : NULL;
}

/* Do its branches look at a value that is reached, and is none that they pass gradients to? */
static bool ends_in_branches(const struct mc_plan *plan, const struct mc_plan_step *step)
{
    for (int i = 0; i < step->n_uses && step->op->branches; i++) {
        bool passes_on = false;
        for (int k = 0; k < step->n_operands; k++) passes_on |= step->operands[k] == step->uses[i];
        if (!passes_on && mc_plan_root(plan, step->uses[i])->reached) return true;
    }
    return false;
}

const struct mc_node *mc_plan_gradient_end(struct mc_plan *plan, const struct mc_value *value, const char **why)
{
    if (mc_plan_root(plan, value)->carries) return NULL;
    for (int i = 0; i < plan->n_values; i++) plan->values[i].reached = false;
    mc_plan_root(plan, value)->reached = true;
    for (int k = 0; k < plan->n_steps; k++) {
        const struct mc_plan_step *step = &plan->steps[k];
        const struct mc_node *node = step->call.node;
        if (ends_in_branches(plan, step)) {
            *why = "no branch has a derivative by it";
            return step->last;
        }
        for (int i = 0; i < step->n_operands; i++) {
            const struct mc_plan_value *root = mc_plan_root(plan, step->operands[i]);
            if (!root || !root->reached) continue;
            *why = why_ends(step, i);
            if (*why) return step->last;
            for (int j = 0; j < node->n_outputs && differentiates(step, i); j++)
                if (node->outputs[j]) mc_plan_root(plan, node->outputs[j])->reached = true;
        }
    }
    return NULL;
}

/* --- where gradients lie --- */

/* Shaped as the value; of integers that stand for floats it is float32. */
static struct mc_tensor gradient_of(const struct mc_plan_value *v)
{
    struct mc_tensor grad = v->tensor;
    if (!mc_dtype_is_float(grad.dtype)) grad.dtype = MC_FLOAT;
    return grad;
}

static int add_buffer(struct mc_plan *plan, const struct mc_tensor *tensor, int first, int last, int *buffer,
                      struct mc_error *err)
{
    *buffer = mc_extents_add(&plan->extents, mc_tensor_bytes(tensor), first, last);
    return *buffer < 0 ? mc_error_memory(err) : MC_OK;
}

static bool is_first(const struct mc_plan_value *root)
{
    return root->grad_first < 0;
}

/* Gradients that the caller gives: the first for a value is put where the value's gradient lies. */
static int lay_out_seeds(struct mc_plan *plan, struct mc_error *err)
{
    const int boundary = plan->n_steps;
    int rc = MC_OK;
    for (int i = 0; i < plan->n_outputs && rc == MC_OK; i++) {
        struct mc_plan_output *output = &plan->outputs[i];
        struct mc_plan_value *root = &plan->values[output->value->root];
        if (!root->carries) continue;
        output->seed = output->value->tensor;
        output->owns_grad = is_first(root);
        if (output->owns_grad)
            root->grad_first = root->grad_last = boundary;
        else
            rc = add_buffer(plan, &output->seed, boundary, boundary, &output->seed_buffer, err);
    }
    return rc;
}

static int lay_out_routes(struct mc_plan *plan, struct mc_plan_step *step, int back, struct mc_error *err)
{
    for (int i = 0; i < step->n_operands; i++) {
        struct mc_plan_route *route = &step->routes[i];
        if (!passes(plan, step, i)) continue;
        struct mc_plan_value *v = mc_plan_value(plan, step->operands[i]);
        route->root = mc_plan_root(plan, step->operands[i]);
        route->direct = &v->grad;
        if (is_first(route->root)) {
            route->root->grad_first = route->root->grad_last = back;
            continue;
        }
        if (step->op->branches) continue;
        route->detour = MC_PLAN_ARRAY(plan, struct mc_tensor, 1);
        if (!route->detour) return mc_error_memory(err);
        *route->detour = gradient_of(v);
        const int rc = add_buffer(plan, route->detour, back, back, &route->detour_buffer, err);
        if (rc < 0) return rc;
    }
    return MC_OK;
}

/* A gradient is read last by the step that made the value, or by the caller. */
static int lay_out_carriers(struct mc_plan *plan, struct mc_error *err)
{
    const int n = plan->n_steps;
    for (int k = 0; k < n; k++) {
        struct mc_plan_step *step = &plan->steps[k];
        const struct mc_node *node = step->call.node;
        for (int i = 0; i < node->n_outputs; i++) {
            struct mc_plan_value *root = mc_plan_root(plan, node->outputs[i]);
            if (!root || !root->carries) continue;
            step->out_roots[i] = root;
            root->grad_last = 2 * n - k;
        }
    }
    plan->carriers = MC_PLAN_ARRAY(plan, struct mc_plan_value *, plan->n_values);
    if (!plan->carriers) return mc_error_memory(err);
    for (int i = 0; i < plan->n_values; i++) {
        struct mc_plan_value *v = &plan->values[i];
        const struct mc_plan_value *root = &plan->values[v->root];
        if (!root->carries) continue;
        v->grad = gradient_of(v);
        if (v != root) continue;
        plan->carriers[plan->n_carriers++] = v;
        const int rc =
            add_buffer(plan, &v->grad, v->grad_first, v->is_wrt ? 2 * n + 1 : v->grad_last, &v->grad_buffer, err);
        if (rc < 0) return rc;
    }
    return MC_OK;
}

int mc_tape_lay_out(struct mc_plan *plan, struct mc_error *err)
{
    if (!plan->options.training) return MC_OK;
    int rc = lay_out_seeds(plan, err);
    for (int k = plan->n_steps - 1; k >= 0 && rc == MC_OK; k--)
        if (plan->steps[k].backward) rc = lay_out_routes(plan, &plan->steps[k], 2 * plan->n_steps - k, err);
    return rc == MC_OK ? lay_out_carriers(plan, err) : rc;
}

void mc_tape_point(struct mc_plan *plan)
{
    for (int i = 0; i < plan->n_values; i++)
        plan->values[i].grad.data = mc_plan_address(plan, plan->values[plan->values[i].root].grad_buffer);
    for (int i = 0; i < plan->n_outputs; i++) {
        struct mc_plan_output *output = &plan->outputs[i];
        output->seed.data = output->owns_grad ? output->value->grad.data : mc_plan_address(plan, output->seed_buffer);
    }
    for (int k = 0; k < plan->n_steps; k++) {
        const struct mc_plan_step *step = &plan->steps[k];
        for (int i = 0; i < step->n_operands; i++)
            if (step->routes[i].detour)
                step->routes[i].detour->data = mc_plan_address(plan, step->routes[i].detour_buffer);
    }
}

/* --- going back --- */

/* grad += more, of equally many elements. */
static void add(const struct mc_plan *plan, const struct mc_tensor *grad, const struct mc_tensor *more)
{
    const struct mc_shape all = {.rank = 1, .dim = {mc_tensor_count(more)}};
    const enum mc_loop_type type = mc_loop_type(grad->dtype);
    struct mc_nest nest;
    mc_nest_init(&nest, &all, &all, &all);
    mc_broadcast(&nest, plan->runtime.kernels->loops->binary[type][MC_BINARY_ADD], type, grad->data, more->data,
                 grad->data, 1);
}

static void copy(const struct mc_tensor *grad, const struct mc_tensor *from)
{
    const struct mc_box all = {.rank = 1, .extent = {mc_tensor_count(from)}, .to = {1}, .from = {1}};
    mc_copy_box(grad->data, from->data, &all, (size_t)mc_dtype_bits(from->dtype) / 8);
}

void mc_tape_give(const struct mc_plan *plan, const struct mc_plan_route *route, const struct mc_tensor *more)
{
    if (route->root->grad_present)
        add(plan, route->direct, more);
    else
        copy(route->direct, more);
    route->root->grad_present = true;
}

/* What the caller gave: first those that lie in place already, as the others are added to them. */
static void take_seeds(struct mc_plan *plan)
{
    for (int i = 0; i < plan->n_carriers; i++) plan->carriers[i]->grad_present = false;
    for (int i = 0; i < plan->n_outputs; i++) {
        const struct mc_plan_output *output = &plan->outputs[i];
        if (output->given && output->owns_grad) plan->values[output->value->root].grad_present = true;
    }
    for (int i = 0; i < plan->n_outputs; i++) {
        const struct mc_plan_output *output = &plan->outputs[i];
        struct mc_plan_value *root = &plan->values[output->value->root];
        if (!output->given || output->owns_grad) continue;
        if (root->grad_present)
            add(plan, &root->grad, &output->seed);
        else
            copy(&root->grad, &output->seed);
        root->grad_present = true;
    }
}

static int step_back(const struct mc_plan *plan, struct mc_plan_step *step, struct mc_error *err)
{
    struct mc_step *call = &step->call;
    const struct mc_node *node = call->node;
    bool any = false;
    for (int i = 0; i < call->n_out; i++) {
        const bool present = step->out_roots[i] && step->out_roots[i]->grad_present;
        call->grad_out[i] = present ? &mc_plan_value(plan, node->outputs[i])->grad : NULL;
        any |= present;
    }
    if (!any) return MC_OK;
    if (step->op->branches) return mc_dynamic_backward(plan, step, err);
    for (int i = 0; i < call->n_in; i++) {
        const struct mc_plan_route *route = &step->routes[i];
        if (!route->root) continue;
        assert(!route->root->grad_present || route->detour);
        call->grad_in[i] = route->root->grad_present ? route->detour : route->direct;
        route->root->grad_present = true;
    }
    call->workspace = mc_plan_address(plan, step->backward_workspace);
    const int rc = step->op->backward(call, err);
    call->workspace = mc_plan_address(plan, step->workspace);
    if (rc < 0) return rc;
    for (int i = 0; i < call->n_in; i++)
        if (call->grad_in[i] && call->grad_in[i] == step->routes[i].detour)
            add(plan, step->routes[i].direct, call->grad_in[i]);
    return MC_OK;
}

int mc_plan_backward(struct mc_plan *plan, struct mc_error *err)
{
    char text[128];
    if (!plan->ran) return mc_error_set(err, MC_ERR_USAGE, "backward needs a run of a training plan before it");
    const int before = mc_runtime_enter(&plan->runtime);
    int rc = MC_OK;
    take_seeds(plan);
    plan->ran = false; /* buffers that forward filled are used again */
    for (int k = plan->n_steps - 1; k >= 0 && rc == MC_OK; k--) {
        if (!plan->steps[k].backward) continue;
        rc = step_back(plan, &plan->steps[k], err);
        if (rc < 0)
            mc_error_wrap(err, rc, "backward of node %s", mc_node_text(plan->steps[k].call.node, text, sizeof text));
    }
    mc_runtime_leave(before);
    return mc_plan_named(plan, rc, err);
}

struct mc_tensor *mc_plan_grad_output(struct mc_plan *plan, int i)
{
    assert(i >= 0 && i < plan->n_outputs);
    struct mc_plan_output *output = &plan->outputs[i];
    if (output->seed.dtype == MC_UNDEFINED) return NULL;
    output->given = true;
    return &output->seed;
}

const struct mc_tensor *mc_plan_grad(const struct mc_plan *plan, int i)
{
    assert(i >= 0 && i < plan->options.n_wrt);
    const struct mc_plan_value *v = mc_plan_value(plan, plan->options.wrt[i]);
    return v->carries && v->grad_present ? &v->grad : NULL;
}
