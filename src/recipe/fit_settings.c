/* fit_settings.c - the options that every step that trains has in common; see fit_settings.h. */
#include "recipe/fit_settings.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "recipe/rehearsal.h"
#include "recipe/stages.h"
#include "recipe/zeros.h"

bool mc_fit_needs_original(const struct mc_settings *settings)
{
    const char *teacher = mc_settings_text(settings, "teacher");
    return teacher && strcmp(teacher, "original") == 0;
}

static void set_teacher(const struct mc_settings *settings, const struct mc_job *job, struct mc_fit_options *fit)
{
    fit->teacher = mc_fit_needs_original(settings) ? job->original : mc_settings_model(settings, "teacher");
    fit->alpha = mc_settings_number(settings, "alpha");
    fit->temperature = mc_settings_number(settings, "temperature");
    fit->last_temperature = mc_settings_number(settings, "last_temperature");
    fit->teacher_cache = mc_settings_text(settings, "teacher_cache");
}

static void log_epoch(void *context, const char *line)
{
    const struct mc_job *job = context;
    mc_stages_log(job->stages, job->context, "%s", line);
}

void mc_fit_settings(const struct mc_settings *settings, struct mc_job *job, struct mc_fit_options *fit)
{
    mc_fit_options_init(fit);
    fit->epochs = mc_settings_integer(settings, "epochs");
    fit->batch = mc_settings_integer(settings, "batch");
    fit->optimizer = (enum mc_optimizer_kind)mc_settings_integer(settings, "optimizer");
    fit->rate = mc_settings_find(settings, "rate")->rate;
    fit->rate.warmup = mc_settings_number(settings, "warmup");
    fit->momentum = mc_settings_number(settings, "momentum");
    fit->beta1 = mc_settings_number(settings, "beta1");
    fit->beta2 =
        mc_settings_present(settings, "beta2") ? mc_settings_number(settings, "beta2") : mc_beta2_usual(fit->optimizer);
    fit->epsilon = mc_settings_number(settings, "epsilon");
    fit->l1 = mc_settings_number(settings, "l1");
    fit->l2 = mc_settings_number(settings, "l2");
    fit->decay =
        mc_settings_present(settings, "decay") ? mc_settings_number(settings, "decay") : mc_decay_usual(fit->optimizer);
    fit->clip_norm = mc_settings_number(settings, "clip.norm");
    fit->clip_value = mc_settings_number(settings, "clip.value");
    fit->ema = mc_settings_number(settings, "ema");
    fit->label_smoothing = mc_settings_number(settings, "label_smoothing");
    fit->class_weights = mc_settings_text(settings, "class_weights");
    fit->huber_delta = mc_settings_number(settings, "huber_delta");
    fit->head = job->head;
    fit->heads = mc_settings_text(settings, "heads");
    fit->loss = (enum mc_loss_kind)mc_settings_integer(settings, "loss");
    fit->patience = mc_settings_integer(settings, "stop.patience");
    fit->min_delta = mc_settings_number(settings, "stop.min_delta");
    fit->augment = mc_settings_text(settings, "augment");
    fit->freeze_batch_norm = mc_settings_flag(settings, "freeze_batch_norm");
    fit->bfloat16 = strcmp(mc_settings_text(settings, "precision"), "bfloat16") == 0;
    set_teacher(settings, job, fit);
    fit->checkpoint = job->checkpoint;
    fit->checkpoint_seconds = mc_settings_number(settings, "checkpoint_seconds");
    fit->resume = job->resumes || mc_settings_flag(settings, "resume");
    fit->seed = job->seed;
    fit->runtime = job->runtime;
    fit->log = log_epoch;
    fit->log_context = job;
    if (job->context) {
        fit->progress = job->context->progress;
        fit->progress_context = job->context->progress_context;
    }
}

/* A resumed run has found it already and sweeps the same again: the model is that of the start. */
static int find_rate(struct mc_job *job, struct mc_fit_options *fit, struct mc_record *section, struct mc_error *err)
{
    struct mc_fit_options plain = *fit;
    plain.before_step = NULL;
    plain.after_backward = NULL;
    plain.after_step = NULL;
    const int rc =
        mc_rate_find(job->model, job->data, &plain, &fit->rate.first, mc_record_object(section, "rate_finder"), err);
    if (rc == MC_OK && fit->rate.last > fit->rate.first) fit->rate.last = fit->rate.first;
    return rc;
}

int mc_fit_job(const struct mc_settings *settings, struct mc_job *job, struct mc_fit_options *fit,
               struct mc_record *section, struct mc_error *err)
{
    struct mc_masks zeros = {0};
    int rc = MC_OK;
    if (job->rehearsal) return mc_rehearse_fit(job, fit, err);
    if (fit->n_masks == 0 && strcmp(mc_settings_text(settings, "zeros"), "keep") == 0) {
        rc = mc_zeros_create(&zeros, job->model, err);
        fit->n_masks = zeros.n;
        fit->masked = zeros.values;
        fit->masks = (const unsigned char *const *)zeros.keep;
    }
    if (rc == MC_OK && mc_settings_flag(settings, "find_rate")) rc = find_rate(job, fit, section, err);
    if (rc == MC_OK) rc = mc_fit(job->model, job->data, fit, mc_record_object(section, "training"), err);
    mc_masks_finish(&zeros);
    return rc;
}
