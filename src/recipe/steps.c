/* steps.c - the table of steps; see steps.h. */
#include "recipe/steps.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "recipe/context.h"
#include "train/train.h"

const struct mc_step_kind *const mc_steps[] = {&mc_step_train,     &mc_step_finetune, &mc_step_prune,
                                               &mc_step_factorize, &mc_step_distill,  &mc_step_cluster,
                                               &mc_step_quantize,  &mc_step_optimize};
const size_t mc_steps_count = MC_COUNT(mc_steps);

const struct mc_step_kind *mc_steps_find(const char *name)
{
    for (size_t i = 0; i < mc_steps_count; i++)
        if (strcmp(mc_steps[i]->name, name) == 0) return mc_steps[i];
    return NULL;
}

struct mc_samples mc_job_samples(const struct mc_settings *settings, const struct mc_job *job)
{
    struct mc_samples samples = {
        .data = job->data, .role = MC_DATA_CALIBRATION, .n = mc_settings_integer(settings, "samples")};
    if (job->context) {
        samples.progress = job->context->progress;
        samples.progress_context = job->context->progress_context;
    }
    return samples;
}

int mc_job_accuracy(const struct mc_job *job, const struct mc_model *model, double *accuracy, struct mc_error *err)
{
    struct mc_metrics metrics;
    *accuracy = NAN;
    if (job->data->n[MC_DATA_VALIDATION] == 0)
        return mc_error_set(err, MC_ERR_INPUT, "a bound of accuracy needs validation samples, '%s' has none",
                            job->data->spec);
    const int rc =
        mc_evaluate(model, job->data, MC_DATA_VALIDATION, 0, MC_LOSS_AUTO, job->head, &job->runtime, &metrics, err);
    if (rc < 0) return rc;
    if (!metrics.classification) return mc_error_set(err, MC_ERR_USAGE, "a bound of accuracy needs data with classes");
    *accuracy = metrics.accuracy;
    return MC_OK;
}
