/* step_optimize.c - the same computation in fewer nodes. */
#include <string.h>

#include "base/alloc.h"
#include "recipe/steps.h"
#include "rewrite/rewrite.h"

static bool needs_data(const struct mc_settings *settings)
{
    return false;
}

static int run(struct mc_job *job, const struct mc_settings *settings, struct mc_record *section, struct mc_error *err)
{
    struct mc_rewrite_options options;
    mc_rewrite_options_init(&options);
    if (mc_settings_present(settings, "passes")) options.passes = (uint64_t)mc_settings_integer(settings, "passes");
    if (mc_settings_present(settings, "skip")) options.passes &= ~(uint64_t)mc_settings_integer(settings, "skip");
    options.runtime = job->runtime;
    options.seed = job->seed;
    return mc_rewrite(job->model, &options, section, err);
}

/* In the order of mc_passes, which tests hold it to. */
#define PASSES "fold|identity|transpose|reshape|affine|fuse|common|share|dead"

static const struct mc_option options[] = {
    {"passes", MC_OPTION_LIST, "NAMES", NULL, NULL, PASSES, NULL, "run these passes alone"},
    {"skip", MC_OPTION_LIST, "NAMES", NULL, NULL, PASSES, NULL, "leave these passes out"},
};

const struct mc_step_kind mc_step_optimize = {
    .name = "optimize",
    .help = "the same computation in fewer nodes: fold, merge and take out what exporters left",
    .options = options,
    .n_options = MC_COUNT(options),
    .needs_data = needs_data,
    .run = run,
};
