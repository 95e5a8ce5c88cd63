/* step_train.c - fit the model to the data: train from scratch or finetune, which differ in their defaults alone. */
#include "base/alloc.h"
#include "recipe/fit_settings.h"

static bool needs_data(const struct mc_settings *settings)
{
    (void)settings;
    return true;
}

static int run(struct mc_job *job, const struct mc_settings *settings, struct mc_record *section, struct mc_error *err)
{
    struct mc_fit_options fit;
    mc_fit_settings(settings, job, &fit);
    return mc_fit_job(settings, job, &fit, section, err);
}

static const struct mc_option train_options[] = {MC_FIT_OPTIONS("20", "linear:0.001", "free", NULL)};
static const struct mc_option finetune_options[] = {MC_FIT_OPTIONS("5", "linear:0.0003", "keep", NULL)};

const struct mc_step_kind mc_step_train = {
    .name = "train",
    .help = "fit the model to the training samples",
    .options = train_options,
    .n_options = MC_COUNT(train_options),
    .needs_data = needs_data,
    .needs_original = mc_fit_needs_original,
    .check = mc_fit_check,
    .run = run,
};

const struct mc_step_kind mc_step_finetune = {
    .name = "finetune",
    .help = "as train, with gentler defaults: a trained model is mended, and its zeros stay",
    .options = finetune_options,
    .n_options = MC_COUNT(finetune_options),
    .needs_data = needs_data,
    .needs_original = mc_fit_needs_original,
    .check = mc_fit_check,
    .run = run,
};
