/* probe.c - random inputs for self-checks. */
#include "prune/probe.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/rng.h"

static void fill(struct mc_tensor *t, struct mc_rng *rng)
{
    const int64_t n = mc_tensor_count(t);
    if (t->dtype == MC_FLOAT) {
        float *x = t->data;
        for (int64_t i = 0; i < n; i++) x[i] = (float)mc_rng_normal(rng);
        return;
    }
    const bool real = mc_dtype_is_float(t->dtype);
    for (int64_t i = 0; i < n; i++) mc_tensor_set_f64(t, i, real ? mc_rng_normal(rng) : (double)mc_rng_below(rng, 2));
}

int mc_probe_inputs(struct mc_plan *plan, uint64_t seed, struct mc_error *err)
{
    for (int i = 0; i < mc_plan_n_inputs(plan); i++) {
        struct mc_tensor *t = mc_plan_input(plan, i);
        if (!mc_dtype_is_float(t->dtype) && !mc_dtype_is_integer(t->dtype) && t->dtype != MC_BOOL)
            return mc_error_set(err, MC_ERR_UNSUPPORTED, "input %d: no random numbers of type %s", i,
                                mc_dtype_name(t->dtype));
        struct mc_rng rng;
        mc_rng_init(&rng, seed, (uint64_t)i);
        fill(t, &rng);
    }
    return 0;
}

int mc_probe_outputs(struct mc_tensor ***outputs, const struct mc_model *model, const struct mc_plan_options *options,
                     uint64_t seed, struct mc_error *err)
{
    struct mc_plan *plan = NULL;
    const int n = model->graph->n_outputs;
    *outputs = MC_NEW_ARRAY(struct mc_tensor *, n);
    int rc = *outputs ? mc_plan_create(&plan, model, options, err) : mc_error_memory(err);
    if (rc == 0) rc = mc_probe_inputs(plan, seed, err);
    if (rc == 0) rc = mc_plan_run(plan, err);
    for (int i = 0; i < n && rc == 0; i++)
        if (mc_plan_output(plan, i)->data) rc = mc_tensor_clone(&(*outputs)[i], mc_plan_output(plan, i), err);
    mc_plan_destroy(plan);
    return rc;
}

void mc_probe_release(struct mc_tensor **outputs, int n)
{
    for (int i = 0; outputs && i < n; i++) mc_tensor_destroy(outputs[i]);
    mc_free(outputs);
}
