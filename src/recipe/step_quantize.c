/* step_quantize.c - weights and activations in fewer bits. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "quantize/quantization.h"
#include "recipe/steps.h"

static enum mc_quantize_scheme scheme_of(const struct mc_settings *settings)
{
    return (enum mc_quantize_scheme)mc_settings_integer(settings, "scheme");
}

static bool needs_data(const struct mc_settings *settings)
{
    return scheme_of(settings) == MC_QUANTIZE_STATIC;
}

static int check(const struct mc_settings *settings, const char **option, struct mc_error *err)
{
    const enum mc_code_form form = (enum mc_code_form)mc_settings_integer(settings, "weights");
    *option = "weights";
    if (scheme_of(settings) == MC_QUANTIZE_WEIGHTS || form == MC_CODES_INT8 || form == MC_CODES_INT7) return MC_OK;
    return mc_error_set(err, MC_ERR_USAGE, "scheme '%s' needs weights 'int8' or 'int7', has '%s'",
                        mc_settings_text(settings, "scheme"), mc_settings_text(settings, "weights"));
}

static void read_settings(const struct mc_settings *settings, const struct mc_job *job,
                          struct mc_quantize_options *options)
{
    mc_quantize_options_init(options);
    options->scheme = scheme_of(settings);
    options->form = (enum mc_code_form)mc_settings_integer(settings, "weights");
    options->by_tensor = strcmp(mc_settings_text(settings, "scope"), "tensor") == 0;
    options->block = mc_settings_integer(settings, "block");
    options->exclude = mc_settings_text(settings, "exclude");
    options->signed_activations = strcmp(mc_settings_text(settings, "activations"), "int8") == 0;
    options->calibration = (enum mc_calibration)mc_settings_integer(settings, "calibration");
    options->percent = mc_settings_number(settings, "percent");
    options->seed = job->seed;
    options->runtime = job->runtime;
    if (options->scheme == MC_QUANTIZE_STATIC) options->samples = mc_job_samples(settings, job);
}

/* Scales make no difference to the shape of the model: a few samples will do for a rehearsal. */
static int run(struct mc_job *job, const struct mc_settings *settings, struct mc_record *section, struct mc_error *err)
{
    struct mc_quantize_options options;
    read_settings(settings, job, &options);
    if (job->rehearsal && options.samples.n > 4) options.samples.n = 4;
    return mc_quantize(job->model, &options, section, err);
}

#define STATIC "scheme=static"

static const struct mc_option options[] = {
    {"scheme", MC_OPTION_CHOICE, "NAME", "weights", NULL, "weights|static|dynamic", NULL,
     "weights alone; also activations, on scales that calibration samples give; also what goes into dense layers, on "
     "the "
     "range that it has in each run"},
    {"weights", MC_OPTION_CHOICE, "FORM", "int8", NULL, "int8|int7|int4|float16", NULL,
     "what a weight is stored as; int7: in a byte, for processors whose sums of products of bytes overflow"},
    {"scope", MC_OPTION_CHOICE, "NAME", "channel", NULL, "channel|tensor", NULL,
     "a scale for each output of a weight, or one for all of it"},
    {"block", MC_OPTION_INTEGER, "N", "32", "[0, 65536]", NULL, "weights=int4",
     "in matrices, a scale for so many neighbours along what is summed; 0: for each output"},
    {"activations", MC_OPTION_CHOICE, "FORM", "uint8", NULL, "uint8|int8", STATIC, "what an activation is rounded to"},
    {"calibration", MC_OPTION_CHOICE, "NAME", "minmax", NULL, "minmax|percentile|entropy|mse", STATIC,
     "what range of an activation its steps serve: all of it, a share of its numbers, or that of least divergence or "
     "squared error"},
    {"percent", MC_OPTION_NUMBER, "P", "99.99", "[50, 100]", NULL, "calibration=percentile",
     "the share of numbers that are within the range"},
    {"samples", MC_OPTION_INTEGER, "N", "512", "[1, 1e9]", NULL, STATIC,
     "samples of the calibration role to look at, at most"},
    {"exclude", MC_OPTION_TEXT, "NAMES", NULL, NULL, NULL, NULL,
     "names of tensors and nodes that are left alone, with * and ?, separated by commas"},
};

const struct mc_step_kind mc_step_quantize = {
    .name = "quantize",
    .help = "weights and activations in 8 bits, weights in 4, or half floats",
    .options = options,
    .n_options = MC_COUNT(options),
    .needs_data = needs_data,
    .check = check,
    .run = run,
};
