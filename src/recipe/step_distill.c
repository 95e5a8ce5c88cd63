/* step_distill.c - let a student imitate a teacher (Hinton, Vinyals, Dean 2015, "Distilling the knowledge in a neural
 * network"). */
#include <string.h>

#include "base/alloc.h"
#include "op/ops.h"
#include "recipe/fit_settings.h"

static bool needs_data(const struct mc_settings *settings)
{
    (void)settings;
    return true;
}

static bool needs_original(const struct mc_settings *settings)
{
    return strcmp(mc_settings_text(settings, "teacher"), "original") == 0;
}

/* Put the student of the settings in the place of the job's model, unless it is that itself. */
static int place_student(struct mc_job *job, const struct mc_settings *settings, struct mc_error *err)
{
    const struct mc_model *student = mc_settings_model(settings, "student");
    if (!student) return MC_OK;
    struct mc_model *copy;
    const int rc = mc_model_clone(&copy, student, false, err);
    if (rc < 0) return rc;
    mc_ops_bind(copy);
    mc_model_destroy(job->model);
    job->model = copy;
    return MC_OK;
}

static int run(struct mc_job *job, const struct mc_settings *settings, struct mc_record *section, struct mc_error *err)
{
    const struct mc_model *teacher = mc_settings_model(settings, "teacher");
    struct mc_fit_options fit;
    const int rc = place_student(job, settings, err);
    if (rc < 0) return rc;
    mc_fit_settings(settings, job, &fit);
    fit.teacher = teacher ? teacher : job->original;
    fit.alpha = mc_settings_number(settings, "alpha");
    fit.temperature = mc_settings_number(settings, "temperature");
    return mc_fit_job(settings, job, &fit, section, err);
}

static const struct mc_option options[] = {
    {"teacher", MC_OPTION_MODEL, "MODEL", "original", NULL, "original", NULL,
     "the model as it was before the first step, or an ONNX file"},
    {"student", MC_OPTION_MODEL, "MODEL", "current", NULL, "current", NULL,
     "the model that is being shrunk, another ONNX file, or a named architecture"},
    {"alpha", MC_OPTION_NUMBER, "X", "0.5", "[0, 1]", NULL, NULL,
     "weight of the teacher: (1 - alpha) H(y, p) + alpha T^2 KL(teacher || student)"},
    {"temperature", MC_OPTION_NUMBER, "T", "2", "(0, inf)", NULL, NULL, "T, which softens the scores of both"},
    MC_FIT_OPTIONS("10", "linear:0.001", "keep"),
};

const struct mc_step_kind mc_step_distill = {
    .name = "distill",
    .help = "train the model, or another one, to imitate a teacher",
    .options = options,
    .n_options = MC_COUNT(options),
    .needs_data = needs_data,
    .needs_original = needs_original,
    .run = run,
};
