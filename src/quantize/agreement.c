/* agreement.c - bytes beside their simulation; see agreement.h. */
#include "quantize/agreement.h"

#include <math.h>
#include <stdio.h>

#include "base/error.h"
#include "prune/probe.h"
#include "run/plan.h"
#include "train/binding.h"
#include "train/intake.h"

enum { MOST_SAMPLES = 16 };

static int fill(struct mc_plan *plan, const struct mc_quantize_options *options, struct mc_error *err)
{
    const struct mc_samples *samples = &options->samples;
    struct mc_intake intake = {0};
    if (!samples->data) return mc_probe_inputs(plan, options->seed, err);
    int rc = mc_intake_init(&intake, plan, err);
    if (rc == MC_OK)
        rc = mc_dataset_read(samples->data, samples->role, NULL, 0, mc_plan_input(plan, 0)->shape.dim[0],
                             mc_intake_samples(&intake), NULL, NULL, options->runtime.n_threads, err);
    if (rc == MC_OK) rc = mc_intake_settle(&intake, err);
    mc_intake_finish(&intake);
    return rc;
}

static int choose_dims(const struct mc_model *model, const struct mc_quantize_options *options, struct mc_dims *dims,
                       struct mc_error *err)
{
    const struct mc_samples *samples = &options->samples;
    struct mc_binding binding;
    *dims = options->dims;
    if (!samples->data) return MC_OK;
    const int rc = mc_binding_init(&binding, model, samples->data, MC_LOSS_AUTO, NULL, err);
    const int64_t have = samples->data->n[samples->role];
    if (rc == MC_OK) dims->batch = have < MOST_SAMPLES ? have : MOST_SAMPLES;
    return rc;
}

static int run(struct mc_plan **plan, const struct mc_model *model, bool node_by_node, const struct mc_dims *dims,
               const struct mc_quantize_options *options, struct mc_error *err)
{
    const struct mc_plan_options how = {.dims = *dims, .runtime = &options->runtime, .no_fold = node_by_node};
    int rc = mc_plan_create(plan, model, &how, err);
    if (rc == MC_OK) rc = fill(*plan, options, err);
    return rc == MC_OK ? mc_plan_run(*plan, err) : rc;
}

static double distance(const struct mc_tensor *a, const struct mc_tensor *b)
{
    double sum = 0;
    for (int64_t i = 0; i < mc_tensor_count(a); i++) {
        const double off = mc_tensor_get_f64(a, i) - (b ? mc_tensor_get_f64(b, i) : 0);
        sum += isfinite(off) ? off * off : 0;
    }
    return sqrt(sum);
}

static int compare(struct mc_agreement *agreement, const struct mc_plan *floats, const struct mc_plan *simulated,
                   const struct mc_plan *bytes, const struct mc_model *model, struct mc_error *err)
{
    for (int i = 0; i < mc_plan_n_outputs(bytes); i++) {
        const struct mc_tensor *y = mc_plan_output(floats, i);
        const double size = distance(y, NULL);
        if (y->dtype != MC_FLOAT || size == 0) continue;
        const double noise = distance(mc_plan_output(simulated, i), y) / size;
        const double difference = distance(mc_plan_output(bytes, i), mc_plan_output(simulated, i)) / size;
        if (difference > noise + 0.01)
            return mc_error_set(err, MC_ERR_INTERNAL,
                                "output '%s' is %g from what the graph says, which is %g from the float model's",
                                model->graph->outputs[i]->name, difference, noise);
        agreement->noise = fmax(agreement->noise, noise);
        agreement->difference = fmax(agreement->difference, difference);
    }
    return MC_OK;
}

int mc_agreement_check(struct mc_agreement *agreement, const struct mc_model *floats, const struct mc_model *simulated,
                       const struct mc_model *model, const struct mc_quantize_options *options, struct mc_error *err)
{
    struct mc_plan *plans[3] = {NULL, NULL, NULL};
    struct mc_error problem = {0};
    struct mc_dims dims;
    *agreement = (struct mc_agreement){0};
    int rc = choose_dims(floats, options, &dims, err);
    if (rc < 0) return rc;
    const int first = run(&plans[0], floats, false, &dims, options, &problem);
    agreement->checked = first == MC_OK;
    if (first == MC_ERR_SYSTEM) rc = mc_error_set(err, first, "%s", problem.text);
    if (first < 0) snprintf(agreement->why, sizeof agreement->why, "%.255s", problem.text);
    if (first == MC_OK) rc = run(&plans[1], simulated, true, &dims, options, err);
    if (first == MC_OK && rc == MC_OK) rc = run(&plans[2], model, false, &dims, options, err);
    if (first == MC_OK && rc == MC_OK) rc = compare(agreement, plans[0], plans[1], plans[2], model, err);
    for (int i = 0; i < 3; i++) mc_plan_destroy(plans[i]);
    return rc;
}
