/* step_factorize.c - dense and convolutional layers in two of lower rank, with training afterwards. */
#include "base/alloc.h"
#include "base/error.h"
#include "recipe/fit_settings.h"
#include "rewrite/factorize.h"

static bool by_outputs(const struct mc_settings *settings)
{
    return mc_settings_integer(settings, "by") == MC_FACTORIZE_OUTPUTS;
}

static bool needs_data(const struct mc_settings *settings)
{
    return by_outputs(settings) || mc_settings_integer(settings, "epochs") > 0;
}

static int check(const struct mc_settings *settings, const char **option, struct mc_error *err)
{
    *option = "energy";
    const int n = mc_settings_present(settings, "energy") + mc_settings_present(settings, "macs") +
                  mc_settings_present(settings, "parameters");
    if (n != 1) return mc_error_set(err, MC_ERR_USAGE, "needs one of 'energy', 'macs' and 'parameters'");
    return MC_OK;
}

static void read_settings(const struct mc_settings *settings, const struct mc_job *job,
                          struct mc_factorize_options *options)
{
    mc_factorize_options_init(options);
    if (by_outputs(settings) && !job->rehearsal) options->by = MC_FACTORIZE_OUTPUTS;
    options->energy = mc_settings_number(settings, "energy");
    if (mc_settings_present(settings, "macs")) options->stays = mc_settings_number(settings, "macs");
    if (mc_settings_present(settings, "parameters")) {
        options->stays = mc_settings_number(settings, "parameters");
        options->budget = MC_BUDGET_PARAMETERS;
    }
    options->round = mc_settings_integer(settings, "round");
    options->exclude = mc_settings_text(settings, "exclude");
    options->samples = mc_job_samples(settings, job);
    options->runtime = job->runtime;
    options->seed = job->seed;
}

static int run(struct mc_job *job, const struct mc_settings *settings, struct mc_record *section, struct mc_error *err)
{
    struct mc_factorize_options options;
    read_settings(settings, job, &options);
    const int rc = mc_factorize(job->model, &options, section, err);
    if (rc < 0 || mc_settings_integer(settings, "epochs") == 0) return rc;
    struct mc_fit_options fit;
    mc_fit_settings(settings, job, &fit);
    return mc_fit_job(settings, job, &fit, section, err);
}

static const struct mc_option options[] = {
    {"energy", MC_OPTION_NUMBER, "X", NULL, "(0, 1]", NULL, NULL,
     "the least rank of each layer that keeps this share of the squares of its singular values, or of the variance of "
     "its outputs"},
    {"macs", MC_OPTION_NUMBER, "X", NULL, "(0, 1]", NULL, NULL,
     "share of the model's multiply-accumulates that stays: ranks are shared out where they lose the least"},
    {"parameters", MC_OPTION_NUMBER, "X", NULL, "(0, 1]", NULL, NULL, "share of the model's parameters that stays"},
    {"by", MC_OPTION_CHOICE, "WHAT", "weights", NULL, "weights|outputs", NULL,
     "what the parts keep the most of: the weights, or the layer's outputs on calibration samples, which need no "
     "labels"},
    {"samples", MC_OPTION_INTEGER, "N", "512", "[1, 1e9]", NULL, "by=outputs",
     "samples of the calibration role to look at, at most"},
    {"round", MC_OPTION_INTEGER, "N", "1", "[1, 4096]", NULL, NULL, "ranks are multiples of N"},
    {"exclude", MC_OPTION_TEXT, "NAMES", NULL, NULL, NULL, NULL,
     "names of weights that are left alone, with * and ?, separated by commas"},
    MC_FIT_OPTIONS("0", "linear:0.0005", "keep", NULL),
};

const struct mc_step_kind mc_step_factorize = {
    .name = "factorize",
    .help = "cut dense and convolutional layers in two of lower rank",
    .options = options,
    .n_options = MC_COUNT(options),
    .needs_data = needs_data,
    .needs_original = mc_fit_needs_original,
    .check = check,
    .run = run,
};
