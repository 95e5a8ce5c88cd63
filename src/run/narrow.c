/* narrow.c - steps that compute in wider types than their values have (mc_op.widens).
 *
 * Such a step sees wide tensors of its own: what goes in is converted before it runs, what comes out after. Constants
 * are converted once, when the step is prepared. A half-precision value that only such steps make and read, or steps
 * that look at no element (mc_op.opaque), is never narrow at all: it is held in float32, which costs no conversion and
 * is rounded less often.
 */
#include "base/alloc.h"
#include "base/block.h"
#include "base/error.h"
#include "graph/widen.h"
#include "run/plan_state.h"

static int widen(struct mc_plan_wide *wide, enum mc_dtype dtype, struct mc_tensor **seen, bool constant)
{
    wide->narrow = *seen;
    wide->tensor = **seen;
    wide->tensor.dtype = dtype;
    wide->tensor.data = NULL;
    wide->tensor.storage = NULL;
    wide->buffer = MC_NO_BUFFER;
    wide->constant = constant;
    *seen = &wide->tensor;
    return 1;
}

static bool is_half(enum mc_dtype dtype)
{
    return dtype == MC_FLOAT16 || dtype == MC_BFLOAT16;
}

/* The type as which the step is to see a tensor: opaque steps follow what is held wide around them. */
static enum mc_dtype seen_as(const struct mc_plan_step *step, enum mc_dtype dtype, bool follows)
{
    return follows && is_half(dtype) ? MC_FLOAT : mc_op_widened(step->op, dtype);
}

static bool is_half_of(const struct mc_plan *plan, const struct mc_value *v)
{
    return v && is_half(plan->facts.of[v->id].dtype);
}

/* Does an opaque step have operands that are half precision by the model, and float32 in the plan? */
static bool follows(const struct mc_plan *plan, const struct mc_plan_step *step)
{
    const struct mc_node *node = step->call.node;
    bool wide = false;
    for (int i = 0; i < node->n_inputs && step->op->opaque; i++)
        wide |= is_half_of(plan, node->inputs[i]) && step->call.in[i]->dtype == MC_FLOAT;
    for (int i = 0; i < node->n_outputs && step->op->opaque; i++)
        wide |= is_half_of(plan, node->outputs[i]) && step->call.out[i]->dtype == MC_FLOAT;
    return wide;
}

static int create(struct mc_plan *plan, struct mc_plan_step *step, struct mc_error *err)
{
    struct mc_step *call = &step->call;
    const bool follow = follows(plan, step);
    bool any = false;
    for (int i = 0; i < call->n_in; i++)
        any |= call->in[i] && seen_as(step, call->in[i]->dtype, follow) != call->in[i]->dtype;
    for (int i = 0; i < call->n_out; i++)
        any |= call->out[i] && seen_as(step, call->out[i]->dtype, follow) != call->out[i]->dtype;
    if (!any) return MC_OK;
    step->wide = MC_PLAN_ARRAY(plan, struct mc_plan_wide, call->n_in + call->n_out);
    if (!step->wide) return mc_error_memory(err);
    for (int i = 0; i < call->n_in; i++) {
        const enum mc_dtype dtype = call->in[i] ? call->in[i]->dtype : MC_UNDEFINED;
        const enum mc_dtype wide = seen_as(step, dtype, follow);
        if (wide != dtype && dtype == MC_BFLOAT16) call->bfloat16 = true;
        if (wide != dtype)
            step->n_wide_in += widen(&step->wide[step->n_wide_in], wide, &call->in[i], call->in_constant[i]);
    }
    step->n_wide = step->n_wide_in;
    for (int i = 0; i < call->n_out; i++) {
        const enum mc_dtype dtype = call->out[i] ? call->out[i]->dtype : MC_UNDEFINED;
        const enum mc_dtype wide = seen_as(step, dtype, follow);
        if (wide != dtype) step->n_wide += widen(&step->wide[step->n_wide], wide, &call->out[i], false);
    }
    return MC_OK;
}

static bool takes_wide(const struct mc_plan *plan, const struct mc_plan_step *step)
{
    const struct mc_node *node = step->call.node;
    if (step->dynamic) return false;
    if (!step->op->opaque) return step->op->widens;
    for (int i = 0; i < node->n_outputs; i++) /* a cast that does change the type is none */
        if (node->outputs[i] && !is_half_of(plan, node->outputs[i])) return false;
    return true;
}

/* Mark what may be held in float32: made by such a step, and read by such steps alone. */
static void choose(struct mc_plan *plan, bool *may)
{
    for (int k = 0; k < plan->n_steps; k++) {
        const struct mc_node *node = plan->steps[k].call.node;
        for (int i = 0; i < node->n_outputs; i++)
            if (is_half_of(plan, node->outputs[i]))
                may[node->outputs[i]->id] = takes_wide(plan, &plan->steps[k]) &&
                                            !mc_plan_value(plan, node->outputs[i])->held &&
                                            !mc_plan_value(plan, node->outputs[i])->clamped;
    }
    for (int k = 0; k < plan->n_steps; k++) {
        const struct mc_plan_step *step = &plan->steps[k];
        for (int i = 0; i < step->call.node->n_inputs; i++)
            if (step->call.node->inputs[i] && !takes_wide(plan, step)) may[step->call.node->inputs[i]->id] = false;
        for (int i = 0; i < step->n_uses; i++) may[step->uses[i]->id] = false;
    }
    for (int i = 0; i < plan->n_outputs; i++) may[plan->outputs[i].value - plan->values] = false;
}

int mc_narrow_create(struct mc_plan *plan, struct mc_error *err)
{
    bool *may = MC_NEW_ARRAY(bool, plan->n_values + 1);
    int rc = may ? MC_OK : mc_error_memory(err);
    if (rc == MC_OK && !plan->options.training && !plan->options.no_fold) choose(plan, may);
    for (int i = 0; i < plan->n_values && rc == MC_OK; i++)
        if (may[i]) plan->values[i].tensor.dtype = MC_FLOAT;
    for (int k = 0; k < plan->n_steps && rc == MC_OK; k++)
        if (!plan->steps[k].dynamic) rc = create(plan, &plan->steps[k], err);
    mc_free(may);
    return rc;
}

int mc_narrow_prepare(struct mc_plan_step *step, struct mc_error *err)
{
    int rc = MC_OK;
    for (int i = 0; i < step->n_wide && rc == MC_OK; i++) {
        struct mc_plan_wide *wide = &step->wide[i];
        wide->tensor.channels_last = wide->narrow->channels_last;
        if (!wide->constant) continue;
        wide->own = mc_block_create(step->call.runtime->memory, mc_tensor_bytes(&wide->tensor), 1);
        if (!wide->own) return mc_error_memory(err);
        wide->tensor.data = wide->own;
        rc = mc_tensor_convert(&wide->tensor, wide->narrow, err);
    }
    return rc;
}

void mc_narrow_release(struct mc_plan_step *step)
{
    for (int i = 0; i < step->n_wide; i++) {
        mc_block_destroy(step->wide[i].own);
        step->wide[i].own = NULL;
    }
}

int mc_narrow_lay_out(struct mc_plan *plan, struct mc_plan_step *step, int k, struct mc_error *err)
{
    for (int i = 0; i < step->n_wide; i++) {
        struct mc_plan_wide *wide = &step->wide[i];
        if (wide->constant) continue;
        wide->buffer = mc_extents_add(&plan->extents, mc_tensor_bytes(&wide->tensor), k, k);
        if (wide->buffer < 0) return mc_error_memory(err);
    }
    return MC_OK;
}

void mc_narrow_point(const struct mc_plan *plan, struct mc_plan_step *step)
{
    for (int i = 0; i < step->n_wide; i++)
        if (!step->wide[i].constant) step->wide[i].tensor.data = mc_plan_address(plan, step->wide[i].buffer);
}

int mc_narrow_forward(struct mc_plan_step *step, struct mc_error *err)
{
    int rc = MC_OK;
    for (int i = 0; i < step->n_wide_in && rc == MC_OK; i++)
        if (!step->wide[i].constant) rc = mc_tensor_convert(&step->wide[i].tensor, step->wide[i].narrow, err);
    if (rc == MC_OK) rc = step->op->forward(&step->call, err);
    for (int i = step->n_wide_in; i < step->n_wide && rc == MC_OK; i++)
        rc = mc_tensor_convert(step->wide[i].narrow, &step->wide[i].tensor, err);
    return rc;
}
