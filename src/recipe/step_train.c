/* step_train.c - fit the model to the data: train from scratch or finetune, which differ in their defaults alone. */
#include "base/alloc.h"
#include "base/error.h"
#include "prune/group_penalty.h"
#include "recipe/fit_settings.h"

static bool needs_data(const struct mc_settings *settings)
{
    (void)settings;
    return true;
}

static bool penalizes_groups(const struct mc_settings *settings)
{
    return mc_settings_integer(settings, "groups.penalty") != MC_GROUP_PENALTY_NONE;
}

static int fit_with_penalty(struct mc_job *job, const struct mc_settings *settings, struct mc_fit_options *fit,
                            struct mc_record *section, struct mc_error *err)
{
    const struct mc_group_penalty_options options = {
        .kind = (enum mc_group_penalty_kind)mc_settings_integer(settings, "groups.penalty"),
        .strength = mc_settings_number(settings, "groups.strength"),
        .ratio = mc_settings_number(settings, "groups.ratio"),
        .exclude = mc_settings_text(settings, "groups.exclude"),
        .runtime = job->runtime,
    };
    struct mc_group_penalty *penalty;
    int n, n_zero;
    double norm;
    int rc = mc_group_penalty_create(&penalty, job->model, &options, err);
    if (rc < 0) return rc;
    struct mc_record *groups = mc_record_object(section, "groups");
    mc_group_penalty_measure(penalty, &n, &n_zero, &norm);
    mc_record_set_int(groups, "penalized", n);
    mc_record_set_num(groups, "norm_before", norm);
    fit->after_step = mc_group_penalty_step;
    fit->context = penalty;
    rc = mc_fit_job(settings, job, fit, section, err);
    mc_group_penalty_measure(penalty, &n, &n_zero, &norm);
    mc_record_set_num(groups, "norm_after", norm);
    mc_record_set_int(groups, "zero", n_zero);
    mc_group_penalty_destroy(penalty);
    return rc;
}

static int run(struct mc_job *job, const struct mc_settings *settings, struct mc_record *section, struct mc_error *err)
{
    struct mc_fit_options fit;
    mc_fit_settings(settings, job, &fit);
    if (penalizes_groups(settings) && !job->rehearsal) return fit_with_penalty(job, settings, &fit, section, err);
    return mc_fit_job(settings, job, &fit, section, err);
}

#define GROUP_OPTIONS                                                                                                  \
    {"groups.penalty",                                                                                                 \
     MC_OPTION_CHOICE,                                                                                                 \
     "NAME",                                                                                                           \
     "none",                                                                                                           \
     NULL,                                                                                                             \
     "none|lasso|growing",                                                                                             \
     NULL,                                                                                                             \
     "what makes channels small, with all that is tied to them, so that 'prune' may remove them: the group lasso, or " \
     "a "                                                                                                              \
     "penalty that grows on the least important of each layer"},                                                       \
        {"groups.strength",                                                                                            \
         MC_OPTION_NUMBER,                                                                                             \
         "X",                                                                                                          \
         "0.001",                                                                                                      \
         "[0, inf)",                                                                                                   \
         NULL,                                                                                                         \
         "groups.penalty=lasso|growing",                                                                               \
         "how strong: a step of rate r takes r X sqrt(p) off the norm of a group of p weights; growing: the share r "  \
         "X "                                                                                                          \
         "of it at the end, less before"},                                                                             \
        {"groups.ratio",                                                                                               \
         MC_OPTION_NUMBER,                                                                                             \
         "X",                                                                                                          \
         "0.5",                                                                                                        \
         "[0, 1)",                                                                                                     \
         NULL,                                                                                                         \
         "groups.penalty=growing",                                                                                     \
         "growing: share of each layer's channels that is made small"},                                                \
    {                                                                                                                  \
        "groups.exclude", MC_OPTION_TEXT, "NAMES", NULL, NULL, NULL, "groups.penalty=lasso|growing",                   \
            "names of tensors whose channels are left alone, with * and ?, separated by commas"                        \
    }

static const struct mc_option train_options[] = {GROUP_OPTIONS, MC_FIT_OPTIONS("20", "linear:0.001", "free", NULL)};
static const struct mc_option finetune_options[] = {GROUP_OPTIONS, MC_FIT_OPTIONS("5", "linear:0.0003", "keep", NULL)};

const struct mc_step_kind mc_step_train = {
    .name = "train",
    .help = "fit the model to the training samples",
    .options = train_options,
    .n_options = MC_COUNT(train_options),
    .needs_data = needs_data,
    .needs_original = mc_fit_needs_original,
    .run = run,
};

const struct mc_step_kind mc_step_finetune = {
    .name = "finetune",
    .help = "as train, with gentler defaults: a trained model is mended, and its zeros stay",
    .options = finetune_options,
    .n_options = MC_COUNT(finetune_options),
    .needs_data = needs_data,
    .needs_original = mc_fit_needs_original,
    .run = run,
};
