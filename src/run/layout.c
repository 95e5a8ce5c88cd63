/* layout.c - lifetimes, buffers, addresses: where everything of a plan lies; see plan_state.h for the scheme. */
#include <string.h>

#include "base/block.h"
#include "base/error.h"
#include "run/plan_state.h"

/* Step k uses it, and it is needed until `time`. */
static void use_until(struct mc_plan_value *root, int k, int time)
{
    if (!root) return;
    if (root->last < 0) root->first = k;
    if (root->last < time) root->last = time;
}

static void find_lifetimes(struct mc_plan *plan)
{
    const int n = plan->n_steps, end = 2 * n + 1;
    for (int i = 0; i < plan->n_values; i++) plan->values[i].last = -1;
    for (int k = 0; k < n; k++) {
        const struct mc_plan_step *step = &plan->steps[k];
        const struct mc_node *node = step->call.node;
        const int keep = step->backward ? (int)step->op->keep : 0, back = 2 * n - k;
        for (int i = 0; i < node->n_inputs; i++)
            use_until(mc_plan_root(plan, node->inputs[i]), k, keep & MC_KEEP_IN ? back : k);
        for (int i = 0; i < step->n_uses; i++)
            use_until(mc_plan_root(plan, step->uses[i]), k, step->backward ? back : k);
        for (int i = 0; i < node->n_outputs; i++)
            use_until(mc_plan_root(plan, node->outputs[i]), k, keep & MC_KEEP_OUT ? back : k);
    }
    for (int i = 0; i < plan->n_outputs; i++) plan->values[plan->outputs[i].value->root].last = end;
}

static int add_buffer(struct mc_plan *plan, const struct mc_tensor *tensor, int first, int last, int *buffer,
                      struct mc_error *err)
{
    *buffer = mc_extents_add(&plan->extents, mc_tensor_bytes(tensor), first, last);
    return *buffer < 0 ? mc_error_memory(err) : MC_OK;
}

/* May output 0 be written over an input? Only if this is the last that anyone sees of that. */
static bool works_in_place(const struct mc_plan *plan, const struct mc_plan_step *step, int k)
{
    const struct mc_node *node = step->call.node;
    const int input = step->op->inplace_input;
    if (!step->op->inplace || step->dynamic || node->n_inputs <= input || !node->inputs[input]) return false;
    const int buffer = mc_plan_root(plan, node->inputs[input])->buffer;
    if (buffer == MC_NO_BUFFER || plan->extents.at[buffer].last != k) return false;
    for (int i = 0; i < node->n_inputs; i++)
        if (i != input && node->inputs[i] && mc_plan_root(plan, node->inputs[i])->buffer == buffer) return false;
    const struct mc_tensor *from = &mc_plan_value(plan, node->inputs[input])->tensor, /* not as the step may see them */
        *to = &mc_plan_value(plan, node->outputs[0])->tensor;
    return from->dtype == to->dtype && mc_shape_equal(&from->shape, &to->shape);
}

static int lay_out_step(struct mc_plan *plan, struct mc_plan_step *step, int k, struct mc_error *err)
{
    const struct mc_node *node = step->call.node;
    const int back = 2 * plan->n_steps - k;
    int rc = MC_OK;
    for (int i = 0; i < node->n_outputs && rc == MC_OK; i++) {
        if (!node->outputs[i]) continue;
        struct mc_plan_value *v = mc_plan_value(plan, node->outputs[i]);
        if (v->held) continue;
        if (i == 0 && works_in_place(plan, step, k)) {
            v->buffer = mc_plan_root(plan, node->inputs[step->op->inplace_input])->buffer;
            plan->extents.at[v->buffer].last = v->last;
        } else {
            rc = add_buffer(plan, &v->tensor, k, v->last, &v->buffer, err);
        }
    }
    if (rc == MC_OK) rc = mc_narrow_lay_out(plan, step, k, err);
    if (rc < 0) return rc;
    if (step->call.workspace_bytes) {
        step->workspace = mc_extents_add(&plan->extents, step->call.workspace_bytes, k, k);
        if (step->workspace < 0) return mc_error_memory(err);
    }
    if (step->backward && step->call.workspace_bytes) {
        step->backward_workspace = mc_extents_add(&plan->extents, step->call.workspace_bytes, back, back);
        if (step->backward_workspace < 0) return mc_error_memory(err);
    }
    if (step->call.saved_bytes) {
        step->saved = mc_extents_add(&plan->extents, step->call.saved_bytes, k, step->backward ? back : k);
        if (step->saved < 0) return mc_error_memory(err);
    }
    return MC_OK;
}

/* Clamped initializers are copied when they are first read, so that there is never a second copy of all weights. */
static int add_copies(struct mc_plan *plan, struct mc_error *err)
{
    int rc = MC_OK;
    for (int i = 0; i < plan->n_clamps && rc == MC_OK; i++) {
        struct mc_plan_value *v = plan->clamps[i].value;
        const struct mc_value *value = plan->model->values[v - plan->values];
        if (!value->data || v->buffer != MC_NO_BUFFER || v->last < 0) continue;
        rc = add_buffer(plan, &v->tensor, v->first, v->last, &v->buffer, err);
        if (plan->n_steps > 0) plan->steps[v->first].copies = true;
    }
    return rc;
}

/* Buffers of all inputs and steps. */
static int add_buffers(struct mc_plan *plan, struct mc_error *err)
{
    int rc = MC_OK;
    for (int i = 0; i < plan->n_inputs && rc == MC_OK; i++) {
        struct mc_plan_value *v = plan->inputs[i].value;
        if (!v->held) rc = add_buffer(plan, &v->tensor, -1, v->last, &v->buffer, err);
    }
    if (rc == MC_OK) rc = add_copies(plan, err);
    for (int k = 0; k < plan->n_steps && rc == MC_OK; k++) rc = lay_out_step(plan, &plan->steps[k], k, err);
    if (rc == MC_OK) rc = mc_tape_lay_out(plan, err);
    return rc;
}

void *mc_plan_address(const struct mc_plan *plan, int buffer)
{
    return buffer == MC_NO_BUFFER ? NULL : plan->block + plan->extents.at[buffer].offset;
}

void mc_plan_point_constants(struct mc_plan *plan)
{
    for (int i = 0; i < plan->n_values; i++) {
        struct mc_plan_value *v = &plan->values[i];
        const struct mc_value *value = plan->model->values[i];
        if (value && value->data)
            v->tensor.data = value->data->data;
        else if (!v->varies && plan->facts.of[i].constant)
            v->tensor.data = plan->facts.of[i].constant->data;
    }
}

/* Views take the address of their root. */
static void point_values(struct mc_plan *plan)
{
    for (int i = 0; i < plan->n_values; i++) {
        struct mc_plan_value *v = &plan->values[i];
        const struct mc_plan_value *root = &plan->values[v->root];
        if (root->buffer != MC_NO_BUFFER)
            v->tensor.data = mc_plan_address(plan, root->buffer);
        else if (root != v)
            v->tensor.data = root->tensor.data;
    }
}

void mc_plan_point(struct mc_plan *plan)
{
    mc_plan_point_constants(plan);
    point_values(plan);
    for (int k = 0; k < plan->n_steps; k++) {
        struct mc_plan_step *step = &plan->steps[k];
        step->call.workspace = step->room ? step->room : mc_plan_address(plan, step->workspace);
        step->call.saved = mc_plan_address(plan, step->saved);
        mc_narrow_point(plan, step);
    }
    mc_tape_point(plan);
}

/* Inputs that a caller binds for one run: who has to be told the address. */
static int list_views(struct mc_plan *plan, struct mc_plan_input *input, struct mc_error *err)
{
    const int id = (int)(input->value - plan->values);
    for (int pass = 0; pass < 2; pass++) {
        int n = 0;
        for (int i = 0; i < plan->n_values; i++) {
            if (plan->values[i].root != id) continue;
            if (pass) input->views[n] = &plan->values[i].tensor;
            n++;
        }
        if (!pass) input->views = MC_PLAN_ARRAY(plan, struct mc_tensor *, n);
        if (!input->views) return mc_error_memory(err);
        input->n_views = n;
    }
    return MC_OK;
}

int mc_plan_lay_out(struct mc_plan *plan, struct mc_error *err)
{
    find_lifetimes(plan);
    int rc = add_buffers(plan, err);
    if (rc < 0) return rc;
    if (!mc_memory_pack(&plan->extents, &plan->block_bytes)) return mc_error_memory(err);
    plan->block = mc_block_create(plan->runtime.memory, plan->block_bytes, 1);
    if (!plan->block) return mc_error_memory(err);
    mc_plan_point(plan);
    for (int i = 0; i < plan->n_inputs && rc == MC_OK; i++) {
        struct mc_plan_input *input = &plan->inputs[i];
        if (input->value->held) continue;
        input->own.data = input->value->tensor.data;
        memset(input->own.data, 0, mc_tensor_bytes(&input->own));
        rc = list_views(plan, input, err);
    }
    return rc;
}
