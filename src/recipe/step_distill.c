/* step_distill.c - let a student imitate a teacher (Hinton, Vinyals, Dean 2015, "Distilling the knowledge in a neural
 * network"). */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "op/ops.h"
#include "recipe/fit_settings.h"
#include "train/redraw.h"

static bool needs_data(const struct mc_settings *settings)
{
    (void)settings;
    return true;
}

static bool is_drawn(const struct mc_settings *settings)
{
    return strcmp(mc_settings_text(settings, "weights"), "drawn") == 0;
}

/* The teacher with only a share of its channels, the strongest by their weights, in the place of the job's model. */
static int thin(struct mc_job *job, const struct mc_settings *settings, struct mc_record *section, struct mc_error *err)
{
    const struct mc_model *teacher = mc_settings_model(settings, "teacher");
    struct mc_model *copy;
    int rc = mc_model_clone(&copy, teacher ? teacher : job->original, false, err);
    if (rc < 0) return rc;
    mc_ops_bind(copy);
    struct mc_shrink_options options;
    mc_shrink_options_init(&options);
    options.ratio = 1 - mc_settings_number(settings, "width");
    options.seed = job->seed;
    options.runtime = job->runtime;
    struct mc_record *thinned = mc_record_object(section, "thinned");
    rc = mc_shrink(copy, &options, thinned, NULL, err);
    if (rc == MC_OK && is_drawn(settings)) rc = mc_redraw(copy, job->seed, mc_record_object(thinned, "weights"), err);
    if (rc < 0) {
        mc_model_destroy(copy);
        return mc_error_wrap(err, rc, "student 'thinned'");
    }
    mc_model_destroy(job->model);
    job->model = copy;
    return MC_OK;
}

/* Put the student of the settings in the place of the job's model, unless it is that itself. */
static int place_student(struct mc_job *job, const struct mc_settings *settings, struct mc_record *section,
                         struct mc_error *err)
{
    const struct mc_model *student = mc_settings_model(settings, "student");
    struct mc_model *copy;
    if (strcmp(mc_settings_text(settings, "student"), "thinned") == 0) return thin(job, settings, section, err);
    if (!student) return MC_OK;
    const int rc = mc_model_clone(&copy, student, false, err);
    if (rc < 0) return rc;
    mc_ops_bind(copy);
    mc_model_destroy(job->model);
    job->model = copy;
    return MC_OK;
}

static void add_teachers(const struct mc_settings *settings, struct mc_fit_options *fit)
{
    static const char *const names[] = {"teacher_2", "teacher_3", "teacher_4"};
    for (size_t i = 0; i < MC_COUNT(names); i++)
        if (mc_settings_model(settings, names[i]))
            fit->more_teachers[fit->n_more_teachers++] = mc_settings_model(settings, names[i]);
}

static int run(struct mc_job *job, const struct mc_settings *settings, struct mc_record *section, struct mc_error *err)
{
    struct mc_fit_options fit;
    const int rc = place_student(job, settings, section, err);
    if (rc < 0) return rc;
    mc_fit_settings(settings, job, &fit);
    fit.hints = mc_settings_text(settings, "hints");
    fit.attention = mc_settings_text(settings, "attention");
    fit.relation = mc_settings_text(settings, "relation");
    fit.hint_weight = mc_settings_number(settings, "hint_weight");
    fit.attention_weight = mc_settings_number(settings, "attention_weight");
    fit.distance_weight = mc_settings_number(settings, "distance_weight");
    fit.angle_weight = mc_settings_number(settings, "angle_weight");
    add_teachers(settings, &fit);
    return mc_fit_job(settings, job, &fit, section, err);
}

static const struct mc_option options[] = {
    {"teacher_2", MC_OPTION_MODEL, "MODEL", NULL, NULL, NULL, NULL,
     "another teacher, of whom the student hears as much"},
    {"teacher_3", MC_OPTION_MODEL, "MODEL", NULL, NULL, NULL, NULL, "a third"},
    {"teacher_4", MC_OPTION_MODEL, "MODEL", NULL, NULL, NULL, NULL, "a fourth"},
    {"student", MC_OPTION_MODEL, "MODEL", "current", NULL, "current|thinned", NULL,
     "the model that is being shrunk, the teacher with fewer channels, another ONNX file, or a named architecture"},
    {"width", MC_OPTION_NUMBER, "X", "0.5", "(0, 1)", NULL, "student=thinned",
     "share of the teacher's channels that stays"},
    {"weights", MC_OPTION_CHOICE, "WHICH", "kept", NULL, "kept|drawn", "student=thinned",
     "the thinned student begins with the weights of the channels that stay, or with new ones as the papers draw them"},
    {"hints", MC_OPTION_TEXT, "S=T,...", NULL, NULL, NULL, NULL,
     "tensors of the student and of the teacher that are to agree, through a learnt adapter that goes afterwards"},
    {"hint_weight", MC_OPTION_NUMBER, "X", "1", "[0, inf)", NULL, NULL, "weight of their mean squared error"},
    {"attention", MC_OPTION_TEXT, "S=T,...", NULL, NULL, NULL, NULL,
     "tensors whose attention maps, squares summed over channels, are to agree"},
    {"attention_weight", MC_OPTION_NUMBER, "X", "1000", "[0, inf)", NULL, NULL, "weight of their difference"},
    {"relation", MC_OPTION_TEXT, "S=T,...", NULL, NULL, NULL, NULL,
     "tensors in which distances and angles between the samples of a batch are to agree"},
    {"distance_weight", MC_OPTION_NUMBER, "X", "25", "[0, inf)", NULL, NULL, "weight of the distances"},
    {"angle_weight", MC_OPTION_NUMBER, "X", "50", "[0, inf)", NULL, NULL, "weight of the angles"},
    MC_FIT_OPTIONS("10", "linear:0.001", "keep", "original"),
};

const struct mc_step_kind mc_step_distill = {
    .name = "distill",
    .help = "train the model, or another one, to imitate a teacher",
    .options = options,
    .n_options = MC_COUNT(options),
    .needs_data = needs_data,
    .needs_original = mc_fit_needs_original,
    .run = run,
};
