/* pass.c - forward, loss, backward for one batch; see pass.h. */
#include "train/pass.h"

#include <math.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/peers.h"
#include "train/parameters.h"

int mc_pass_init(struct mc_pass *pass, const struct mc_binding *binding, const struct mc_model *model, int64_t batch,
                 struct mc_value *const *parameters, int n_parameters, const struct mc_runtime *runtime,
                 struct mc_error *err)
{
    *pass = (struct mc_pass){.binding = binding, .batch = batch, .n_gradients = n_parameters};
    const int rc = mc_binding_plan(binding, &pass->plan, model, batch, parameters, n_parameters, true, runtime, err);
    if (rc < 0) return rc;
    if (!mc_plan_grad_output(pass->plan, binding->output))
        return mc_refuse_untrainable(pass->plan, parameters, n_parameters, err);
    pass->gradients = MC_NEW_ARRAY(const float *, n_parameters);
    pass->pairs = MC_NEW_ARRAY(float, binding->logistic ? 2 * batch : 0);
    pass->pair_gradients = MC_NEW_ARRAY(float, binding->logistic ? 2 * batch : 0);
    if (!pass->gradients || !pass->pairs || !pass->pair_gradients) return mc_error_memory(err);
    return mc_intake_init(&pass->intake, pass->plan, err);
}

void mc_pass_finish(struct mc_pass *pass)
{
    mc_intake_finish(&pass->intake);
    mc_plan_destroy(pass->plan);
    mc_free(pass->gradients);
    mc_free(pass->pairs);
    mc_free(pass->pair_gradients);
    *pass = (struct mc_pass){0};
}

float *mc_pass_input(struct mc_pass *pass)
{
    return mc_intake_samples(&pass->intake);
}

int mc_pass_run(struct mc_pass *pass, const struct mc_loss *loss, const struct mc_targets *targets, double weight,
                int64_t iteration, double *sum, struct mc_error *err)
{
    mc_plan_runtime(pass->plan)->iteration = (uint64_t)iteration;
    int rc = mc_intake_settle(&pass->intake, err);
    if (rc == MC_OK) rc = mc_plan_run(pass->plan, err);
    if (rc < 0) return rc;
    *sum = mc_binding_loss(pass->binding, pass->plan, loss, pass->batch, targets, weight, pass->pairs,
                           pass->pair_gradients, mc_plan_grad_output(pass->plan, pass->binding->output)->data);
    if (pass->heads) *sum += mc_heads_loss(pass->heads, pass->plan, pass->batch, weight);
    if (pass->features) *sum += mc_features_loss(pass->features, pass->binding, pass->plan, pass->batch, weight);
    rc = mc_peers_sum_doubles(mc_plan_runtime(pass->plan)->peers, sum, 1, err);
    if (rc < 0 || !isfinite(*sum)) return rc;
    rc = mc_plan_backward(pass->plan, err);
    for (int i = 0; rc == MC_OK && i < pass->n_gradients; i++) {
        const struct mc_tensor *gradient = mc_plan_grad(pass->plan, i);
        pass->gradients[i] = gradient ? gradient->data : NULL;
    }
    return rc;
}
