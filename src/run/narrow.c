/* narrow.c - steps that compute in float32 on values of float16 and bfloat16 (mc_op.widens).
 *
 * Such a step sees float32 tensors of its own: what goes in is converted before it runs, what comes out after.
 * Constants are converted once, when the step is prepared.
 */
#include "base/alloc.h"
#include "base/error.h"
#include "graph/widen.h"
#include "run/plan_state.h"

static int widen(struct mc_plan_wide *wide, struct mc_tensor **seen, bool constant)
{
    wide->narrow = *seen;
    wide->tensor = **seen;
    wide->tensor.dtype = MC_FLOAT;
    wide->tensor.data = NULL;
    wide->tensor.storage = NULL;
    wide->buffer = MC_NO_BUFFER;
    wide->constant = constant;
    *seen = &wide->tensor;
    return 1;
}

int mc_narrow_create(struct mc_plan *plan, struct mc_plan_step *step, struct mc_error *err)
{
    struct mc_step *call = &step->call;
    const struct mc_op *op = step->op;
    bool any = false;
    for (int i = 0; i < call->n_in; i++) any |= call->in[i] && mc_is_narrow(call->in[i]->dtype);
    if (!op->widens || !any) return MC_OK;
    step->wide = MC_PLAN_ARRAY(plan, struct mc_plan_wide, call->n_in + call->n_out);
    if (!step->wide) return mc_error_memory(err);
    for (int i = 0; i < call->n_in; i++)
        if (call->in[i] && mc_is_narrow(call->in[i]->dtype))
            step->n_wide_in += widen(&step->wide[step->n_wide_in], &call->in[i], call->in_constant[i]);
    step->n_wide = step->n_wide_in;
    for (int i = 0; i < call->n_out; i++)
        if (call->out[i] && mc_is_narrow(call->out[i]->dtype))
            step->n_wide += widen(&step->wide[step->n_wide], &call->out[i], false);
    return MC_OK;
}

int mc_narrow_prepare(struct mc_plan_step *step, struct mc_error *err)
{
    int rc = MC_OK;
    for (int i = 0; i < step->n_wide && rc == MC_OK; i++) {
        struct mc_plan_wide *wide = &step->wide[i];
        wide->tensor.channels_last = wide->narrow->channels_last;
        if (!wide->constant) continue;
        wide->own = mc_alloc_aligned(mc_tensor_bytes(&wide->tensor), 1);
        if (!wide->own) return mc_error_memory(err);
        wide->tensor.data = wide->own;
        rc = mc_tensor_convert(&wide->tensor, wide->narrow, err);
    }
    return rc;
}

void mc_narrow_release(struct mc_plan_step *step)
{
    for (int i = 0; i < step->n_wide; i++) {
        mc_free(step->wide[i].own);
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
