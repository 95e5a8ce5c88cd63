/* step_cluster.c - weights share a few values, whose table and indices are what the packed container keeps. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "code/cluster.h"
#include "op/ops.h"
#include "recipe/fit_settings.h"

static bool needs_data(const struct mc_settings *settings)
{
    return mc_settings_integer(settings, "epochs") > 0 || mc_settings_present(settings, "max_drop");
}

static bool keeps_graph(const struct mc_settings *settings)
{
    return mc_settings_integer(settings, "epochs") == 0;
}

static int check(const struct mc_settings *settings, const char **option, struct mc_error *err)
{
    *option = "k";
    const int n = mc_settings_present(settings, "k") + mc_settings_present(settings, "bits") +
                  mc_settings_present(settings, "max_drop");
    if (n != 1) return mc_error_set(err, MC_ERR_USAGE, "needs one of 'bits', 'k' and 'max_drop'");
    return MC_OK;
}

static void read_settings(const struct mc_settings *settings, struct mc_cluster_options *options)
{
    *options = (struct mc_cluster_options){
        .by_channel = strcmp(mc_settings_text(settings, "scope"), "channel") == 0,
        .vectors = mc_settings_flag(settings, "vectors"),
        .mantissa_bits = (int)mc_settings_integer(settings, "mantissa"),
        .exclude = mc_settings_text(settings, "exclude"),
    };
    if (mc_settings_present(settings, "k")) options->k = (int)mc_settings_integer(settings, "k");
    if (mc_settings_present(settings, "bits")) options->k = (1 << mc_settings_integer(settings, "bits")) - 1;
}

/* --- the fewest clusters that are accurate enough --- */

static int try_k(const struct mc_job *job, const struct mc_cluster_options *options, double *accuracy,
                 struct mc_error *err)
{
    struct mc_model *trial;
    struct mc_clustered *clustered = NULL;
    int rc = mc_model_clone(&trial, job->model, false, err);
    if (rc < 0) return rc;
    mc_ops_bind(trial);
    rc = mc_cluster_model(&clustered, trial, options, err);
    if (rc == MC_OK) rc = mc_job_accuracy(job, trial, accuracy, err);
    mc_clustered_destroy(clustered);
    mc_model_destroy(trial);
    return rc;
}

/* From one bit on; at eight all are taken as they come. */
static int choose_k(const struct mc_job *job, double max_drop, struct mc_cluster_options *options,
                    struct mc_record *section, struct mc_error *err)
{
    double before = 0, after = 0;
    struct mc_record *trials = mc_record_array(section, "trials");
    int rc = mc_job_accuracy(job, job->model, &before, err);
    for (int bits = 1; rc == MC_OK && bits <= 8; bits++) {
        options->k = (1 << bits) - 1;
        rc = try_k(job, options, &after, err);
        if (rc < 0) break;
        struct mc_record *trial = mc_record_append_object(trials);
        mc_record_set_int(trial, "k", options->k);
        mc_record_set_num(trial, "accuracy", after);
        if (before - after <= max_drop) return MC_OK;
    }
    if (rc == MC_OK)
        rc = mc_error_set(err, MC_ERR_USAGE, "no %d clusters keep the accuracy within %g of %.4f", MC_CLUSTERS_MOST,
                          max_drop, before);
    return rc;
}

/* --- the step --- */

static int tie(void *context, int64_t step, double progress, struct mc_error *err)
{
    (void)step, (void)progress, (void)err;
    mc_clustered_tie(context, false);
    return 0;
}

/* What values are shared makes no difference to the shape of the model. */
static int rehearse(struct mc_job *job, const struct mc_settings *settings, struct mc_record *section,
                    struct mc_error *err)
{
    struct mc_fit_options fit;
    double accuracy;
    const int rc = mc_settings_present(settings, "max_drop") ? mc_job_accuracy(job, job->model, &accuracy, err) : MC_OK;
    if (rc < 0 || mc_settings_integer(settings, "epochs") == 0) return rc;
    mc_fit_settings(settings, job, &fit);
    return mc_fit_job(settings, job, &fit, section, err);
}

static int run(struct mc_job *job, const struct mc_settings *settings, struct mc_record *section, struct mc_error *err)
{
    struct mc_cluster_options options;
    struct mc_clustered *clustered = NULL;
    read_settings(settings, &options);
    if (job->rehearsal) return rehearse(job, settings, section, err);
    int rc = MC_OK;
    if (mc_settings_present(settings, "max_drop"))
        rc = choose_k(job, mc_settings_number(settings, "max_drop"), &options, section, err);
    if (rc == MC_OK) rc = mc_cluster_model(&clustered, job->model, &options, err);
    if (rc < 0) return rc;
    mc_record_set_int(section, "k", options.k);
    mc_record_set_int(section, "tensors", mc_clustered_n_tensors(clustered));
    mc_record_set_int(section, "values", mc_clustered_n_values(clustered));
    mc_record_set_num(section, "error", mc_clustered_error(clustered));
    if (mc_settings_integer(settings, "epochs") > 0) {
        struct mc_fit_options fit;
        mc_fit_settings(settings, job, &fit);
        fit.before_step = tie;
        fit.context = clustered;
        rc = mc_fit_job(settings, job, &fit, section, err);
        if (rc == MC_OK) mc_clustered_tie(clustered, true);
    }
    mc_clustered_destroy(clustered);
    return rc;
}

static const struct mc_option options[] = {
    {"bits", MC_OPTION_INTEGER, "B", NULL, "[1, 8]", NULL, NULL, "bits of an index: 2^B values with zero"},
    {"k", MC_OPTION_INTEGER, "K", NULL, "[1, 255]", NULL, NULL, "values beside zero"},
    {"max_drop", MC_OPTION_NUMBER, "X", NULL, "[0, 1]", NULL, NULL,
     "the fewest bits that cost at most so much accuracy on the validation samples, before training"},
    {"scope", MC_OPTION_CHOICE, "NAME", "tensor", NULL, "tensor|channel", NULL,
     "one table for a tensor, or one for each index of its first axis"},
    {"vectors", MC_OPTION_FLAG, NULL, NULL, NULL, NULL, NULL, "cluster biases and other tensors of rank 1 as well"},
    {"mantissa", MC_OPTION_INTEGER, "N", "8", "[0, 23]", NULL, NULL, "bits of mantissa that shared values keep"},
    {"exclude", MC_OPTION_TEXT, "NAMES", NULL, NULL, NULL, NULL,
     "names of tensors that are left alone, with * and ?, separated by commas"},
    MC_FIT_OPTIONS("0", "linear:0.0005", "keep", NULL),
};

const struct mc_step_kind mc_step_cluster = {
    .name = "cluster",
    .help = "let weights share a few values; zeros stay zero",
    .options = options,
    .n_options = MC_COUNT(options),
    .needs_data = needs_data,
    .needs_original = mc_fit_needs_original,
    .keeps_graph = keeps_graph,
    .check = check,
    .run = run,
};
