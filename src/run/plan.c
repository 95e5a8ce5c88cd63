/* plan.c - running a compiled plan; see plan.h. How it is made stands in compile.c and layout.c, backward in tape.c. */
#include "run/plan.h"

#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "run/plan_state.h"

/* --- inputs and outputs --- */

int mc_plan_n_inputs(const struct mc_plan *plan)
{
    return plan->n_inputs;
}

struct mc_tensor *mc_plan_input(struct mc_plan *plan, int i)
{
    assert(i >= 0 && i < plan->n_inputs);
    return &plan->inputs[i].own;
}

int mc_plan_bind_input(struct mc_plan *plan, int i, const struct mc_tensor *tensor, struct mc_error *err)
{
    assert(i >= 0 && i < plan->n_inputs);
    struct mc_plan_input *input = &plan->inputs[i];
    const char *name = plan->model->values[input->value - plan->values]->name;
    char needs[128], has[128];
    if (tensor->dtype != input->own.dtype)
        return mc_error_set(err, MC_ERR_USAGE, "input '%s': needs %s, has %s", name, mc_dtype_name(input->own.dtype),
                            mc_dtype_name(tensor->dtype));
    if (!mc_shape_equal(&tensor->shape, &input->own.shape))
        return mc_error_set(err, MC_ERR_USAGE, "input '%s': needs shape %s, has %s", name,
                            mc_shape_text(&input->own.shape, needs, sizeof needs),
                            mc_shape_text(&tensor->shape, has, sizeof has));
    input->bound = tensor->data;
    return MC_OK;
}

int mc_plan_bind_item(struct mc_plan *plan, int i, struct mc_item *item, struct mc_error *err)
{
    assert(i >= 0 && i < plan->n_inputs);
    struct mc_plan_value *v = plan->inputs[i].value;
    const char *name = plan->model->values[v - plan->values]->name;
    const enum mc_dtype known = plan->facts.of[v - plan->values].dtype;
    if (v->held && (known == MC_UNDEFINED || (item->kind == MC_ITEM_TENSOR && item->tensor->dtype == known))) {
        mc_plan_hold(v, item);
        return MC_OK;
    }
    if (v->held) return mc_error_set(err, MC_ERR_USAGE, "input '%s': needs %s", name, mc_dtype_name(known));
    if (item->kind != MC_ITEM_TENSOR) return mc_error_set(err, MC_ERR_USAGE, "input '%s': needs a tensor", name);
    return mc_plan_bind_input(plan, i, item->tensor, err);
}

int mc_plan_n_outputs(const struct mc_plan *plan)
{
    return plan->n_outputs;
}

const struct mc_tensor *mc_plan_output(const struct mc_plan *plan, int i)
{
    assert(i >= 0 && i < plan->n_outputs);
    return &plan->outputs[i].value->tensor;
}

int mc_plan_output_item(const struct mc_plan *plan, int i, struct mc_item **item, struct mc_error *err)
{
    assert(i >= 0 && i < plan->n_outputs);
    return mc_plan_item(plan->outputs[i].value, item, err);
}

/* --- running --- */

/* Let the steps see the caller's bytes, or our own again. Only the input and its views move: a step that works in place
 * writes to our buffer, wherever it reads. */
static void take_input(struct mc_plan_input *input)
{
    if (input->value->held) return;
    void *data = input->own.data;
    if (input->bound && input->n_clamps) {
        memcpy(data, input->bound, mc_tensor_bytes(&input->own));
    } else if (input->bound) {
        memcpy(&data, &input->bound, sizeof data); /* drops const: nothing writes to it */
    }
    input->bound = NULL;
    if (input->views[0]->data != data)
        for (int i = 0; i < input->n_views; i++) input->views[i]->data = data;
    mc_clamp_apply(input->clamps, input->n_clamps);
}

static int run_step(struct mc_plan *plan, struct mc_plan_step *step, int k, struct mc_error *err)
{
    if (step->dynamic) return mc_dynamic_run(plan, step, k, err);
    return step->n_wide ? mc_narrow_forward(step, err) : step->op->forward(&step->call, err);
}

static void clamp_outputs(const struct mc_plan *plan, const struct mc_plan_step *step)
{
    const struct mc_node *node = step->call.node;
    for (int i = 0; i < node->n_outputs; i++) {
        int n = 0;
        const struct mc_plan_clamp *clamps =
            node->outputs[i] ? mc_clamps_of(plan, mc_plan_value(plan, node->outputs[i]), &n) : NULL;
        mc_clamp_apply(clamps, n);
    }
}

static int run_steps(struct mc_plan *plan, struct mc_error *err)
{
    for (int k = 0; k < plan->n_steps; k++) {
        struct mc_plan_step *step = &plan->steps[k];
        if (step->copies) mc_clamps_copy(plan, k);
        const int64_t start = plan->timed ? mc_clock_ns() : 0;
        const int rc = run_step(plan, step, k, err);
        if (rc < 0) {
            char text[128];
            return mc_error_wrap(err, rc, "node %s", mc_node_text(step->call.node, text, sizeof text));
        }
        if (plan->timed) step->ns = mc_clock_ns() - start;
        if (step->clamped) clamp_outputs(plan, step);
    }
    return MC_OK;
}

int mc_plan_named(const struct mc_plan *plan, int rc, struct mc_error *err)
{
    const struct mc_model *model = plan->model;
    const bool outermost = model->path && plan->graph == model->graph;
    return rc < 0 && outermost ? mc_error_wrap(err, rc, "'%s'", model->path) : rc;
}

int mc_plan_run(struct mc_plan *plan, struct mc_error *err)
{
    for (int i = 0; i < plan->n_inputs; i++) take_input(&plan->inputs[i]);
    for (int i = 0; i < plan->n_outputs; i++) plan->outputs[i].given = false;
    if (plan->n_steps == 0) mc_clamps_copy(plan, 0); /* of what is handed out as it is */
    const int before = mc_runtime_enter(&plan->runtime);
    const int rc = run_steps(plan, err);
    mc_runtime_leave(before);
    plan->ran = rc == MC_OK && plan->options.training;
    return mc_plan_named(plan, rc, err);
}

/* --- what a plan tells of itself --- */

struct mc_runtime *mc_plan_runtime(struct mc_plan *plan)
{
    return &plan->runtime;
}

const struct mc_facts *mc_plan_facts(const struct mc_plan *plan)
{
    return &plan->facts;
}

size_t mc_plan_bytes(const struct mc_plan *plan)
{
    return plan->block_bytes;
}

bool mc_plan_allocates(const struct mc_plan *plan)
{
    for (int i = 0; i < plan->n_steps; i++)
        if (plan->steps[i].dynamic) return true;
    return false;
}

int mc_plan_n_steps(const struct mc_plan *plan)
{
    return plan->n_steps;
}

const struct mc_node *mc_plan_step_node(const struct mc_plan *plan, int i)
{
    assert(i >= 0 && i < plan->n_steps);
    return plan->steps[i].last;
}

const struct mc_node *mc_plan_step_call(const struct mc_plan *plan, int i)
{
    assert(i >= 0 && i < plan->n_steps);
    return plan->steps[i].call.node;
}

void mc_plan_time(struct mc_plan *plan, bool on)
{
    plan->timed = on;
    for (int k = 0; k < plan->n_steps; k++) plan->steps[k].ns = 0;
}

int64_t mc_plan_step_ns(const struct mc_plan *plan, int i)
{
    assert(i >= 0 && i < plan->n_steps);
    return plan->steps[i].ns;
}
