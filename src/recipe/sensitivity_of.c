/* sensitivity_of.c - what each layer's width is worth on a data set; see compress.h. */
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "kernel/kernels.h"
#include "prune/sensitivity.h"
#include "recipe/context.h"
#include "recipe/fingerprint.h"
#include "recipe/flat.h"
#include "recipe/measure.h"
#include "recipe/steps.h"
#include "recipe/trial_log.h"

void mc_sensitivity_init(struct mc_sensitivity *what)
{
    *what = (struct mc_sensitivity){.step = 0.25, .samples = 512};
}

/* The criterion is a choice of the step that prunes. */
static int read_criterion(const char *text, enum mc_criterion *criterion, struct mc_error *err)
{
    struct mc_setting setting = {0};
    if (!text) return MC_OK;
    for (size_t i = 0; i < mc_step_prune.n_options; i++) {
        if (strcmp(mc_step_prune.options[i].name, "criterion") != 0) continue;
        const int rc = mc_option_parse(&mc_step_prune.options[i], text, &setting, err);
        if (rc < 0) return mc_error_wrap(err, rc, "criterion");
    }
    *criterion = (enum mc_criterion)setting.integer;
    return MC_OK;
}

static int set_options(const struct mc_sensitivity *what, const struct mc_dataset *data,
                       const struct mc_context *context, double *ratios, struct mc_sensitivity_options *options,
                       struct mc_error *err)
{
    struct mc_shrink_options *shrink = &options->shrink;
    *options = (struct mc_sensitivity_options){.data = data, .head = what->head, .ratios = ratios};
    mc_shrink_options_init(shrink);
    int rc = mc_context_runtime(context, &shrink->runtime, err);
    if (rc == MC_OK) rc = mc_data_role_find(what->role ? what->role : "validation", &options->role, err);
    if (rc == MC_OK) rc = read_criterion(what->criterion, &shrink->criterion, err);
    if (rc == MC_OK && !(what->step > 0 && what->step < 1))
        rc = mc_error_set(err, MC_ERR_USAGE, "step: needs a number in (0, 1), has %g", what->step);
    if (rc < 0) return rc;
    for (; (options->n_ratios + 1) * what->step < 1 - 1e-9 && options->n_ratios < MC_SENSITIVITY_MOST;
         options->n_ratios++)
        ratios[options->n_ratios] = (options->n_ratios + 1) * what->step;
    shrink->exclude = what->exclude;
    shrink->seed = shrink->runtime.seed;
    shrink->samples = (struct mc_samples){.data = shrink->criterion >= MC_CRITERION_TAYLOR ? data : NULL,
                                          .role = MC_DATA_CALIBRATION,
                                          .n = what->samples};
    if (context) {
        shrink->samples.progress = context->progress;
        shrink->samples.progress_context = context->progress_context;
    }
    return MC_OK;
}

/* --- results that are kept --- */

static bool find_result(void *context, int family, int n, double *value, double *loss)
{
    const struct mc_trial_result *r = mc_trial_log_find(context, 0, family, n);
    if (!r) return false;
    *value = r->value;
    *loss = r->loss;
    return true;
}

static int add_result(void *context, int family, int n, double value, double loss, double seconds, struct mc_error *err)
{
    const struct mc_trial_result result = {
        .trial = family, .fold = n, .value = value, .loss = loss, .seconds = seconds};
    return mc_trial_log_add(context, &result, err);
}

/* Shares that are tried do not matter: a point is known by how many groups are gone. */
static int find_key(const struct mc_model *model, const struct mc_dataset *data, const struct mc_sensitivity *what,
                    const struct mc_sensitivity_options *options, uint64_t *key, struct mc_error *err)
{
    struct mc_hash h;
    const struct mc_runtime *runtime = &options->shrink.runtime;
    mc_hash_init(&h, 0);
    mc_fingerprint_text(&h, "compress " MC_VERSION " sensitivity 1");
    mc_fingerprint_text(&h, mc_cpu_name(runtime->kernels->cpu));
    mc_fingerprint_numbers(&h, (uint64_t)runtime->n_threads, options->shrink.seed);
    mc_fingerprint_numbers(&h, (uint64_t)options->role, (uint64_t)options->shrink.criterion);
    mc_fingerprint_numbers(&h, (uint64_t)what->samples, 0);
    mc_fingerprint_text(&h, what->head ? what->head : "");
    mc_fingerprint_text(&h, what->exclude ? what->exclude : "");
    int rc = mc_fingerprint_model(&h, model, err);
    if (rc == MC_OK) rc = mc_fingerprint_data(&h, data, err);
    *key = mc_hash_value(&h);
    return rc;
}

static int measure(const struct mc_model *model, const struct mc_dataset *data, const struct mc_sensitivity *what,
                   struct mc_sensitivity_options *options, struct mc_record *record, struct mc_error *err)
{
    struct mc_trial_log log = {.fd = -1};
    uint64_t key = 0;
    int rc = MC_OK;
    if (what->results) {
        rc = find_key(model, data, what, options, &key, err);
        if (rc == MC_OK) rc = mc_trial_log_open(&log, "sensitivity", what->results, key, what->anew, err);
        options->results = (struct mc_sensitivity_results){find_result, add_result, &log};
    }
    if (rc == MC_OK) rc = mc_sensitivity(model, options, record, err);
    mc_trial_log_finish(&log);
    return rc;
}

static int probe(const struct mc_model *model, const struct mc_dataset *data, const struct mc_sensitivity *what,
                 const struct mc_context *context, struct mc_record *record, struct mc_error *err)
{
    double ratios[MC_SENSITIVITY_MOST];
    struct mc_sensitivity_options options;
    const int rc = set_options(what, data, context, ratios, &options, err);
    if (rc < 0) return rc;
    mc_record_begin(record, "compress sensitivity");
    mc_context_record(&options.shrink.runtime, options.shrink.seed, record);
    if (model->path) mc_record_set_text(record, "model", mc_path_name(model->path));
    mc_measure_data(data, mc_record_object(record, "data"));
    mc_record_set_text(record, "role", mc_data_role_name(options.role));
    mc_record_set_text(record, "criterion", what->criterion ? what->criterion : "l2");
    return measure(model, data, what, &options, record, err);
}

int mc_model_sensitivity(const struct mc_model *model, const char *data, const struct mc_sensitivity *what,
                         const struct mc_context *context, struct mc_record **record, struct mc_error *err)
{
    struct mc_sensitivity defaults;
    struct mc_dataset *dataset = NULL;
    struct mc_record *r = NULL;
    struct mc_flat flat = {0};
    mc_sensitivity_init(&defaults);
    int rc = mc_flat_init(&flat, model, err);
    if (rc == MC_OK) rc = mc_dataset_open(&dataset, data, NULL, err);
    if (rc == MC_OK) rc = mc_record_create(&r, err);
    if (rc == MC_OK) rc = probe(flat.model, dataset, what ? what : &defaults, context, r, err);
    mc_dataset_destroy(dataset);
    mc_flat_finish(&flat);
    if (rc == MC_OK)
        *record = r;
    else
        mc_record_destroy(r);
    return rc;
}
