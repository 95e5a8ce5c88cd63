/* step_prune.c - weights to zero, or channels away; with training in between or afterwards. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/error.h"
#include "prune/gradual.h"
#include "prune/predict.h"
#include "prune/scores.h"
#include "prune/widths.h"
#include "recipe/fit_settings.h"
#include "recipe/zeros.h"

/* The score that is not taken once but gathered while training: the one after those of prune/scores.h. */
enum { MOVEMENT = MC_SCORE_SECOND_ORDER + 1 };
/* Models that are cut and evaluated to find the smallest that is accurate enough: the share is then known to 1/256. */
enum { MOST_TRIALS = 8 };
enum { MOST_WIDTHS = 1 << 20 }; /* letters */

static bool trains(const struct mc_settings *settings)
{
    return mc_settings_integer(settings, "epochs") > 0;
}

static bool is_channel(const struct mc_settings *settings)
{
    return strcmp(mc_settings_text(settings, "method"), "channel") == 0;
}

static bool estimates(const struct mc_settings *settings)
{
    return strcmp(mc_settings_text(settings, "batch_norm"), "estimate") == 0;
}

/* Channels can be judged by samples, and what reads them fitted to samples. */
static bool looks_at_samples(const struct mc_settings *settings)
{
    return mc_settings_integer(settings, "criterion") >= MC_CRITERION_TAYLOR ||
           mc_settings_flag(settings, "reconstruct") || estimates(settings);
}

static bool by_movement(const struct mc_settings *settings)
{
    return mc_settings_integer(settings, "score") == MOVEMENT;
}

/* What weights count before training; channels are ranked by another option. */
static enum mc_score score_of(const struct mc_settings *settings)
{
    const bool otherwise = is_channel(settings) || by_movement(settings);
    return otherwise ? MC_SCORE_MAGNITUDE : (enum mc_score)mc_settings_integer(settings, "score");
}

static bool scores_by_data(const struct mc_settings *settings)
{
    return score_of(settings) >= MC_SCORE_TAYLOR;
}

static bool needs_data(const struct mc_settings *settings)
{
    return trains(settings) || scores_by_data(settings) ||
           (is_channel(settings) && (mc_settings_integer(settings, "criterion") >= MC_CRITERION_TAYLOR ||
                                     mc_settings_present(settings, "accuracy_drop")));
}

/* "2:4" or "4x1" into the options; false for anything else. */
static bool read_pattern(const char *text, struct mc_sparsify_options *options)
{
    char sign, more;
    int a, b;
    if (sscanf(text, "%2d%c%2d%c", &a, &sign, &b, &more) != 3 || a < 1 || b < 1 || a > 64 || b > 64) return false;
    if (sign == ':' && a < b) {
        options->pattern_n = a;
        options->pattern_m = b;
        return true;
    }
    options->block_rows = a;
    options->block_columns = b;
    return sign == 'x';
}

static bool has_blocks(const struct mc_settings *settings)
{
    struct mc_sparsify_options options = {0};
    const char *pattern = mc_settings_text(settings, "pattern");
    return pattern && read_pattern(pattern, &options) && options.block_rows > 0;
}

static enum mc_regrowth regrowth_of(const struct mc_settings *settings)
{
    return by_movement(settings) ? MC_REGROW_MOVEMENT : (enum mc_regrowth)mc_settings_integer(settings, "regrow");
}

/* --- magnitude --- */

static int prune_once(struct mc_job *job, struct mc_masks *masks, const struct mc_sparsify_options *options,
                      struct mc_error *err)
{
    const int rc = mc_masks_update(masks, options, options->sparsity, err);
    return rc < 0 ? rc : mc_masks_apply(masks, job->model, err);
}

/* The same by what weights count in the model as it is. */
static int prune_scored(struct mc_job *job, const struct mc_settings *settings, struct mc_masks *masks,
                        const struct mc_sparsify_options *options, struct mc_record *section, struct mc_error *err)
{
    const struct mc_samples samples = mc_job_samples(settings, job);
    const struct mc_score_options scoring = {
        .score = score_of(settings), .samples = &samples, .seed = job->seed, .runtime = &job->runtime};
    int n_by_magnitude = 0, rc;
    if (scoring.score == MC_SCORE_MAGNITUDE || job->rehearsal) return prune_once(job, masks, options, err);
    if (scoring.score == MC_SCORE_SECOND_ORDER) {
        rc = mc_second_order(masks, job->model, options, &scoring, &n_by_magnitude, err);
    } else {
        rc = mc_scores_measure(masks, job->model, &scoring, &n_by_magnitude, err);
        if (rc == MC_OK) rc = prune_once(job, masks, options, err);
    }
    if (rc == MC_OK && scoring.score >= MC_SCORE_WANDA) mc_record_set_int(section, "by_magnitude", n_by_magnitude);
    return rc;
}

/* `gradual` NULL: the masks stay as they are. */
static int fit_with_masks(struct mc_job *job, const struct mc_settings *settings, struct mc_masks *masks,
                          struct mc_gradual *gradual, struct mc_record *section, struct mc_error *err)
{
    struct mc_fit_options fit;
    mc_fit_settings(settings, job, &fit);
    fit.n_masks = masks->n;
    fit.masked = masks->values;
    fit.masks = (const unsigned char *const *)masks->keep;
    if (gradual) {
        const enum mc_regrowth regrowth = gradual->options.regrowth;
        fit.masked_are = regrowth == MC_REGROW_SURGERY    ? MC_MASKED_MOVE
                         : regrowth == MC_REGROW_MOVEMENT ? MC_MASKED_REST
                                                          : MC_MASKED_ZERO;
        fit.before_step = mc_gradual_before_step;
        fit.after_backward = mc_gradual_after_backward;
        fit.context = gradual;
        fit.kept = gradual->state;
        fit.kept_bytes = gradual->state_bytes;
    }
    return mc_fit_job(settings, job, &fit, section, err);
}

/* Changes of the loss compare as they are; magnitudes and what comes of inputs have another scale in each tensor. */
static enum mc_scope usual_scope(enum mc_score score)
{
    const bool compares = score != MC_SCORE_MAGNITUDE && score != MC_SCORE_WANDA && score != MC_SCORE_SECOND_ORDER;
    return compares ? MC_SCOPE_GLOBAL : MC_SCOPE_LAMP;
}

static void sparsify_settings(const struct mc_settings *settings, struct mc_sparsify_options *options)
{
    const enum mc_scope usual = usual_scope(score_of(settings));
    *options = (struct mc_sparsify_options){
        .sparsity = mc_settings_number(settings, "sparsity"),
        .scope = mc_settings_present(settings, "scope") ? (enum mc_scope)mc_settings_integer(settings, "scope") : usual,
        .exclude = mc_settings_text(settings, "exclude"),
    };
    if (mc_settings_present(settings, "pattern")) read_pattern(mc_settings_text(settings, "pattern"), options);
}

static int record_sparsity(const struct mc_masks *weights, struct mc_record *section, struct mc_error *err)
{
    double share;
    const int rc = mc_zeros_share(weights, &share, err);
    if (rc < 0) return rc;
    mc_record_set_int(section, "tensors", weights->n);
    mc_record_set_num(section, "sparsity", share);
    return MC_OK;
}

/* Without training there is nothing to hold at zero: no masks. */
static int prune_at_once(struct mc_job *job, const struct mc_sparsify_options *options, struct mc_record *section,
                         struct mc_error *err)
{
    struct mc_masks weights;
    int rc = mc_masks_find(&weights, job->model, options->exclude, err);
    if (rc < 0) return rc;
    rc = mc_sparsify(job->model, &weights, options, job->defers, err);
    if (rc == MC_OK) rc = record_sparsity(&weights, section, err);
    mc_masks_finish(&weights);
    return rc;
}

/* Do masks move while training runs? */
static bool moves(const struct mc_settings *settings)
{
    const bool rises = mc_settings_integer(settings, "schedule") != MC_SCHEDULE_ONE_SHOT;
    return trains(settings) && score_of(settings) == MC_SCORE_MAGNITUDE &&
           (rises || regrowth_of(settings) != MC_REGROW_NONE);
}

static struct mc_gradual_options gradual_settings(const struct mc_settings *settings,
                                                  const struct mc_sparsify_options *options)
{
    const double ramp = mc_settings_number(settings, "ramp");
    return (struct mc_gradual_options){
        .sparsify = *options,
        .schedule = (enum mc_schedule)mc_settings_integer(settings, "schedule"),
        .ramp = ramp,
        .rounds = mc_settings_integer(settings, "rounds"),
        .regrowth = regrowth_of(settings),
        .settle = fmax(ramp, mc_settings_number(settings, "settle")),
        .exchange = mc_settings_number(settings, "exchange"),
    };
}

static int prune_gradually(struct mc_job *job, const struct mc_settings *settings, struct mc_masks *masks,
                           const struct mc_sparsify_options *options, struct mc_record *section, struct mc_error *err)
{
    struct mc_gradual_options gradual_options = gradual_settings(settings, options);
    struct mc_gradual gradual = {0};
    double before;
    int rc = mc_zeros_share(masks, &before, err);
    /* nothing has moved yet: movements begin with all weights */
    if (!by_movement(settings)) gradual_options.initial = fmin(before, options->sparsity);
    if (rc == MC_OK) rc = mc_gradual_init(&gradual, masks, &gradual_options, err);
    if (rc == MC_OK) rc = fit_with_masks(job, settings, masks, &gradual, section, err);
    if (rc == MC_OK) rc = mc_gradual_end(&gradual, job->model, err);
    mc_gradual_finish(&gradual);
    return rc;
}

static int prune_with_masks(struct mc_job *job, const struct mc_settings *settings,
                            const struct mc_sparsify_options *options, struct mc_record *section, struct mc_error *err)
{
    struct mc_masks masks;
    int rc = mc_masks_create(&masks, job->model, options->exclude, err);
    if (rc < 0) return rc;
    if (moves(settings) && !job->rehearsal) {
        rc = prune_gradually(job, settings, &masks, options, section, err);
    } else {
        rc = prune_scored(job, settings, &masks, options, section, err);
        if (rc == MC_OK && trains(settings)) rc = fit_with_masks(job, settings, &masks, NULL, section, err);
    }
    if (rc == MC_OK) rc = record_sparsity(&masks, section, err);
    mc_masks_finish(&masks);
    return rc;
}

static bool needs_masks(const struct mc_settings *settings, const struct mc_sparsify_options *options)
{
    return trains(settings) || score_of(settings) != MC_SCORE_MAGNITUDE || options->scope == MC_SCOPE_ROW ||
           options->block_rows > 0;
}

static int prune_magnitude(struct mc_job *job, const struct mc_settings *settings, struct mc_record *section,
                           struct mc_error *err)
{
    struct mc_sparsify_options options;
    sparsify_settings(settings, &options);
    return needs_masks(settings, &options) ? prune_with_masks(job, settings, &options, section, err)
                                           : prune_at_once(job, &options, section, err);
}

/* --- channel --- */

/* Options that say how much goes: one of them. The first four are budgets, by their numbers. */
static const char *const amounts[] = {"macs", "parameters", "bytes", "latency", "ratio", "accuracy_drop", "lossless"};

static void shrink_settings(const struct mc_settings *settings, const struct mc_job *job,
                            struct mc_shrink_options *options)
{
    mc_shrink_options_init(options);
    options->ratio = mc_settings_number(settings, "ratio");
    for (int i = MC_BUDGET_MACS; i <= MC_BUDGET_LATENCY; i++) {
        if (!mc_settings_present(settings, amounts[i])) continue;
        options->budget = (enum mc_budget)i;
        options->stays = mc_settings_number(settings, amounts[i]);
    }
    const enum mc_criterion criterion = (enum mc_criterion)mc_settings_integer(settings, "criterion");
    if (!job->rehearsal || criterion < MC_CRITERION_TAYLOR) options->criterion = criterion;
    options->ranking = (enum mc_ranking)mc_settings_integer(settings, "ranking");
    options->normalization = (enum mc_score_norm)mc_settings_integer(settings, "normalize");
    options->samples = mc_job_samples(settings, job);
    if (!looks_at_samples(settings) || job->rehearsal) options->samples.data = NULL;
    options->reconstruct = mc_settings_flag(settings, "reconstruct") && !job->rehearsal;
    options->ridge = mc_settings_number(settings, "ridge");
    options->reestimate = estimates(settings) && !job->rehearsal;
    options->lossless = mc_settings_flag(settings, "lossless");
    options->whole_heads = strcmp(mc_settings_text(settings, "attention"), "heads") == 0;
    options->round = mc_settings_integer(settings, "round");
    options->minimum = mc_settings_integer(settings, "minimum");
    options->widths = mc_settings_text(settings, "widths");
    options->keep_constants = strcmp(mc_settings_text(settings, "constants"), "move") == 0;
    options->exclude = mc_settings_text(settings, "exclude");
    options->seed = job->seed;
    options->runtime = job->runtime;
}

/* The file that an option names; NULL where it names none. */
static int load_file(const struct mc_settings *settings, const char *option, struct mc_record **record,
                     struct mc_error *err)
{
    const char *path = mc_settings_text(settings, option);
    *record = NULL;
    return path ? mc_record_load(record, path, err) : MC_OK;
}

static int load_curves(const struct mc_settings *settings, struct mc_record **curves, struct mc_error *err)
{
    int rc = load_file(settings, "sensitivity", curves, err);
    if (rc == MC_OK && *curves) rc = mc_predict_check(*curves, err);
    return rc < 0 ? mc_error_wrap(err, rc, "sensitivity '%s'", mc_settings_text(settings, "sensitivity")) : MC_OK;
}

/* --- the fewest multiply-accumulates that are accurate enough --- */

static int try_share(const struct mc_job *job, const struct mc_shrink_options *options, double *accuracy,
                     struct mc_error *err)
{
    struct mc_model *trial;
    int rc = mc_model_clone(&trial, job->model, true, err);
    if (rc < 0) return rc;
    rc = mc_shrink(trial, options, NULL, NULL, err);
    if (rc == MC_OK) rc = mc_job_accuracy(job, trial, accuracy, err);
    mc_model_destroy(trial);
    return rc;
}

static int report_trial(const struct mc_job *job, int n, double accuracy, struct mc_error *err)
{
    const struct mc_progress at = {
        .what = "prune", .done = n, .total = MOST_TRIALS, .loss = NAN, .metric = "accuracy", .value = accuracy};
    if (!job->context || !job->context->progress || job->context->progress(job->context->progress_context, &at))
        return MC_OK;
    return mc_error_set(err, MC_INTERRUPTED, "interrupted");
}

/* By bisection of the share that stays: every figure is that of a model that was cut. What cannot be reached counts as
 * not accurate enough. */
static int choose_share(const struct mc_job *job, double accuracy_drop, struct mc_shrink_options *options,
                        struct mc_record *section, struct mc_error *err)
{
    double before = 0, too_few = 0, enough = 1;
    struct mc_record *trials = mc_record_array(section, "trials");
    int rc = mc_job_accuracy(job, job->model, &before, err);
    for (int i = 0; rc == MC_OK && i < MOST_TRIALS && !job->rehearsal; i++) {
        double accuracy = NAN;
        struct mc_error problem = {0};
        options->stays = (too_few + enough) / 2;
        rc = try_share(job, options, &accuracy, &problem);
        if (rc == MC_ERR_USAGE) rc = MC_OK;
        if (rc < 0) return mc_error_set(err, rc, "%s", problem.text);
        const bool holds = before - accuracy <= accuracy_drop; /* false for NaN */
        if (holds)
            enough = options->stays;
        else
            too_few = options->stays;
        struct mc_record *trial = mc_record_append_object(trials);
        mc_record_set_num(trial, "macs_share", options->stays);
        if (!isnan(accuracy)) mc_record_set_num(trial, "accuracy", accuracy);
        rc = report_trial(job, i + 1, accuracy, err);
    }
    options->stays = enough;
    return rc;
}

/* --- a part, training, the next part --- */

/* Bounds that leave each family what it has once `share` of what goes is gone. */
static int write_widths(const struct mc_record *families, double share, struct mc_buf *widths, struct mc_error *err)
{
    for (size_t i = 0; i < mc_record_size(families); i++) {
        const struct mc_record *f = mc_record_at(families, i);
        const int64_t width = mc_record_get_int(f, "width", 0), before = mc_record_get_int(f, "groups_before", 1);
        const int64_t going = before - mc_record_get_int(f, "groups_after", before);
        const int64_t left = before - llround(share * (double)going);
        mc_buf_printf(widths, "%s%s=%lld", i > 0 ? "," : "", mc_record_get_text(f, "tensor", ""),
                      (long long)(left * (width / before)));
    }
    return widths->failed ? mc_error_memory(err) : MC_OK;
}

/* To which widths everything at once would come. */
static int find_aim(const struct mc_job *job, const struct mc_shrink_options *options, struct mc_record **aim,
                    struct mc_error *err)
{
    struct mc_model *model;
    int rc = mc_record_create(aim, err);
    if (rc == MC_OK) rc = mc_model_clone(&model, job->model, true, err);
    if (rc < 0) return rc;
    rc = mc_shrink(model, options, *aim, NULL, err);
    mc_model_destroy(model);
    return rc;
}

/* Widths are settled at the start; which channels, by the weights as they are then. */
static int prune_part(struct mc_job *job, const struct mc_settings *settings, const struct mc_shrink_options *options,
                      const struct mc_record *families, double share, struct mc_record *section, struct mc_error *err)
{
    struct mc_shrink_options part = *options;
    struct mc_fit_options fit;
    struct mc_buf widths;
    mc_buf_init(&widths, MOST_WIDTHS);
    int rc = write_widths(families, share, &widths, err);
    part.stays = part.ratio = 0;
    part.curves = NULL;
    part.widths = widths.data;
    if (rc == MC_OK) rc = mc_shrink(job->model, &part, section, NULL, err);
    mc_buf_finish(&widths);
    if (rc < 0) return rc;
    mc_fit_settings(settings, job, &fit);
    fit.checkpoint = NULL; /* it would be that of another part */
    fit.resume = false;
    return mc_fit_job(settings, job, &fit, section, err);
}

static int prune_in_parts(struct mc_job *job, const struct mc_settings *settings,
                          const struct mc_shrink_options *options, struct mc_record *section, struct mc_error *err)
{
    const int64_t n = mc_settings_integer(settings, "iterations");
    struct mc_record *aim = NULL, *list = mc_record_array(section, "iterations");
    int rc = find_aim(job, options, &aim, err);
    if (rc == MC_OK) {
        mc_record_set_int(section, "macs_before", mc_record_get_int(aim, "macs_before", 0));
        mc_record_set_int(section, "macs_after", mc_record_get_int(aim, "macs_after", 0));
    }
    for (int64_t i = 1; i <= n && rc == MC_OK; i++)
        rc = prune_part(job, settings, options, mc_record_get(aim, "families"), (double)i / (double)n,
                        mc_record_append_object(list), err);
    mc_record_destroy(aim);
    return rc;
}

static int prune_and_fit(struct mc_job *job, const struct mc_settings *settings,
                         const struct mc_shrink_options *options, struct mc_record *section, struct mc_error *err)
{
    struct mc_fit_options fit;
    if (mc_settings_integer(settings, "iterations") > 1 && !job->rehearsal)
        return prune_in_parts(job, settings, options, section, err);
    const bool unknown = job->rehearsal && (mc_settings_present(settings, "accuracy_drop") ||
                                            mc_settings_present(settings, "latency")); /* how much would go */
    const int rc = unknown ? MC_OK : mc_shrink(job->model, options, section, job->explain, err);
    if (rc < 0 || !trains(settings)) return rc;
    mc_fit_settings(settings, job, &fit);
    return mc_fit_job(settings, job, &fit, section, err);
}

static int prune_channel(struct mc_job *job, const struct mc_settings *settings, struct mc_record *section,
                         struct mc_error *err)
{
    struct mc_shrink_options options;
    struct mc_record *curves = NULL, *scores = NULL;
    shrink_settings(settings, job, &options);
    int rc = load_curves(settings, &curves, err);
    if (rc == MC_OK) rc = load_file(settings, "scores", &scores, err);
    options.curves = curves;
    options.scores = scores;
    if (rc == MC_OK && mc_settings_present(settings, "accuracy_drop"))
        rc = choose_share(job, mc_settings_number(settings, "accuracy_drop"), &options, section, err);
    if (rc == MC_OK) rc = prune_and_fit(job, settings, &options, section, err);
    mc_record_destroy(scores);
    mc_record_destroy(curves);
    return rc;
}

/* --- the step --- */

/* What has a meaning only while training runs. */
static int check_gradual(const struct mc_settings *settings, const char **option, struct mc_error *err)
{
    static const char *const of_training[] = {"schedule", "rounds", "ramp", "regrow"};
    for (size_t i = 0; i < MC_COUNT(of_training) && !trains(settings); i++) {
        *option = of_training[i];
        if (mc_settings_find(settings, of_training[i])->given)
            return mc_error_set(err, MC_ERR_USAGE, "'%s' needs 'epochs' to do it in", of_training[i]);
    }
    *option = "score";
    if (by_movement(settings) && !trains(settings))
        return mc_error_set(err, MC_ERR_USAGE, "movement is that of training: needs 'epochs'");
    *option = "schedule";
    const struct mc_setting *schedule = mc_settings_find(settings, "schedule");
    if (schedule->given && schedule->integer != MC_SCHEDULE_ONE_SHOT && score_of(settings) != MC_SCORE_MAGNITUDE)
        return mc_error_set(err, MC_ERR_USAGE, "scores that are taken once need one-shot");
    if (by_movement(settings) && schedule->integer == MC_SCHEDULE_ONE_SHOT)
        return mc_error_set(err, MC_ERR_USAGE, "movement needs a schedule that rises");
    return MC_OK;
}

static int check_regrowth(const struct mc_settings *settings, const char **option, struct mc_error *err)
{
    *option = "regrow";
    if (mc_settings_integer(settings, "regrow") == MC_REGROW_NONE) return MC_OK;
    if (mc_settings_integer(settings, "score") != MC_SCORE_MAGNITUDE)
        return mc_error_set(err, MC_ERR_USAGE, "only weights that are judged by magnitude are regrown");
    if (regrowth_of(settings) == MC_REGROW_GRADIENT && mc_settings_present(settings, "pattern"))
        return mc_error_set(err, MC_ERR_USAGE, "regrowth by gradient keeps no pattern");
    return MC_OK;
}

static int check_pattern(const struct mc_settings *settings, const char **option, struct mc_error *err)
{
    struct mc_sparsify_options options = {0};
    const char *pattern = mc_settings_text(settings, "pattern");
    *option = "pattern";
    if (pattern && !read_pattern(pattern, &options))
        return mc_error_set(err, MC_ERR_USAGE, "needs N:M with 0 < N < M <= 64 or a block as 4x1, has '%s'", pattern);
    if (has_blocks(settings) && score_of(settings) == MC_SCORE_SECOND_ORDER)
        return mc_error_set(err, MC_ERR_USAGE, "second order takes no blocks");
    *option = "sparsity";
    if ((!pattern || has_blocks(settings)) && !mc_settings_present(settings, "sparsity"))
        return mc_error_set(err, MC_ERR_USAGE, "method magnitude needs 'sparsity' or a pattern as 2:4");
    return MC_OK;
}

static int check_iterations(const struct mc_settings *settings, const char **option, struct mc_error *err)
{
    static const char *const alone[] = {"accuracy_drop", "lossless", "explain", "scores"};
    *option = "iterations";
    if (mc_settings_integer(settings, "iterations") == 1) return MC_OK;
    if (!trains(settings)) return mc_error_set(err, MC_ERR_USAGE, "'iterations' needs 'epochs' to train in between");
    for (size_t i = 0; i < MC_COUNT(alone); i++)
        if (mc_settings_present(settings, alone[i]))
            return mc_error_set(err, MC_ERR_USAGE, "several have no '%s'", alone[i]);
    return MC_OK;
}

static int check_widths(const struct mc_settings *settings, const char **option, struct mc_error *err)
{
    struct mc_widths *widths = NULL;
    const char *text = mc_settings_text(settings, "widths");
    *option = "widths";
    if (text && mc_settings_flag(settings, "lossless"))
        return mc_error_set(err, MC_ERR_USAGE, "what goes without loss has no width to come to");
    const int rc = mc_widths_create(&widths, text, err);
    if (rc == MC_OK) mc_widths_destroy(widths);
    return rc;
}

static int check(const struct mc_settings *settings, const char **option, struct mc_error *err)
{
    if (is_channel(settings)) {
        *option = "ratio";
        int n = 0;
        for (size_t i = 0; i < MC_COUNT(amounts); i++) n += mc_settings_present(settings, amounts[i]);
        if (n != 1 && !(n == 0 && mc_settings_present(settings, "widths")))
            return mc_error_set(
                err, MC_ERR_USAGE,
                "method channel needs one of 'ratio', 'macs', 'parameters', 'bytes', 'latency', 'accuracy_drop', "
                "'lossless', or 'widths'");
        const int rc = check_iterations(settings, option, err);
        return rc < 0 ? rc : check_widths(settings, option, err);
    }
    int rc = check_pattern(settings, option, err);
    if (rc == MC_OK) rc = check_gradual(settings, option, err);
    return rc == MC_OK ? check_regrowth(settings, option, err) : rc;
}

static int run(struct mc_job *job, const struct mc_settings *settings, struct mc_record *section, struct mc_error *err)
{
    return (is_channel(settings) ? prune_channel : prune_magnitude)(job, settings, section, err);
}

static bool keeps_graph(const struct mc_settings *settings)
{
    return !is_channel(settings) && !trains(settings);
}

#define MAGNITUDE "method=magnitude"
#define CHANNEL "method=channel"

static const struct mc_option options[] = {
    {"method", MC_OPTION_CHOICE, "NAME", "magnitude", NULL, "magnitude|channel", NULL,
     "single weights become zero, or neurons, channels and heads are removed"},
    {"sparsity", MC_OPTION_NUMBER, "X", NULL, "[0, 1)", NULL, MAGNITUDE, "share of the weights that become zero"},
    {"pattern", MC_OPTION_TEXT, "PATTERN", NULL, NULL, NULL, MAGNITUDE,
     "N:M, as 2:4: keep N of every M neighbours along the input axis; RxC, as 4x1: blocks of R outputs by C inputs go "
     "together"},
    {"score", MC_OPTION_CHOICE, "NAME", "magnitude", NULL, "magnitude|random|taylor|snip|wanda|second-order|movement",
     MAGNITUDE,
     "what a weight counts: itself; by gradients of calibration samples; by their inputs alone, wanda times the "
     "input's norm, second-order by what the others cannot make up for, which they then do; movement: how far training "
     "moves it from zero"},
    {"scope", MC_OPTION_CHOICE, "NAME", NULL, NULL, "global|layer|row|erdos-renyi|lamp", MAGNITUDE,
     "what weights are compared with: all; their tensor; their output; their tensor, denser where its extents are "
     "small; all, by their share in their tensor (lamp; global for scores that are changes of the loss, and for "
     "movement)"},
    {"schedule", MC_OPTION_CHOICE, "NAME", "cubic", NULL, "cubic|linear|exponential|one-shot", MAGNITUDE,
     "with epochs: how the sparsity rises while training; cubic: s + (s0 - s)(1 - t)^3; exponential: by the same share "
     "of what is left; one-shot: it is there from the start"},
    {"ramp", MC_OPTION_NUMBER, "X", "0.6", "(0, 1]", NULL, MAGNITUDE,
     "share of the epochs in which the sparsity rises"},
    {"rounds", MC_OPTION_INTEGER, "N", "100", "[1, 1e6]", NULL, MAGNITUDE, "moves of the masks in that time"},
    {"regrow", MC_OPTION_CHOICE, "HOW", "none", NULL, "none|surgery|gradient", MAGNITUDE,
     "weights that come back while training: those that have grown, though nobody saw them (dynamic network surgery); "
     "those of the largest gradients, for the smallest of their tensor (RigL)"},
    {"settle", MC_OPTION_NUMBER, "X", "0.75", "(0, 1]", NULL, "score=magnitude|movement",
     "share of the epochs after which no weight comes back"},
    {"exchange", MC_OPTION_NUMBER, "X", "0.3", "[0, 1]", NULL, "regrow=gradient",
     "share of a tensor's weights that is exchanged in the first round; falls to 0 along a cosine"},
    {"ratio", MC_OPTION_NUMBER, "X", NULL, "[0, 1)", NULL, CHANNEL, "share of each group that goes"},
    {"macs", MC_OPTION_NUMBER, "X", NULL, "(0, 1]", NULL, CHANNEL, "share of the multiply-accumulates that stays"},
    {"parameters", MC_OPTION_NUMBER, "X", NULL, "(0, 1]", NULL, CHANNEL, "share of the parameters that stays"},
    {"bytes", MC_OPTION_NUMBER, "X", NULL, "(0, 1]", NULL, CHANNEL, "share of the parameters' bytes that stays"},
    {"latency", MC_OPTION_NUMBER, "X", NULL, "(0, 1]", NULL, CHANNEL,
     "share of the time that a sample takes on this machine that stays; widths that save no time are not taken"},
    {"accuracy_drop", MC_OPTION_NUMBER, "X", NULL, "[0, 1]", NULL, CHANNEL,
     "the fewest multiply-accumulates that cost at most so much accuracy on the validation samples, before training"},
    {"lossless", MC_OPTION_FLAG, NULL, NULL, NULL, NULL, CHANNEL,
     "what goes leaves no trace: channels that nobody reads, constant ones, all but one of equal ones"},
    {"criterion", MC_OPTION_CHOICE, "NAME", "l2", NULL, "l1|l2|random|scale|lamp|fpgm|taylor|obd|activation|apoz",
     CHANNEL,
     "by what channels are judged: norms of weights, batch-norm factors, shares of norms, distances; from taylor on by "
     "samples"},
    {"scores", MC_OPTION_TEXT, "FILE", NULL, NULL, NULL, CHANNEL,
     "judged by numbers of your own instead: JSON, {\"scores\": [{\"tensor\": NAME, \"axis\": 0, \"values\": [...]}]}"},
    {"ranking", MC_OPTION_CHOICE, "WHO", "auto", NULL, "auto|layer|global|isomorphic|balanced", CHANNEL,
     "which channels compete: those of a layer, all, those of layers tied alike, or all by what a layer has left; "
     "auto: "
     "layer for ratio, balanced for others"},
    {"sensitivity", MC_OPTION_TEXT, "FILE", NULL, NULL, NULL, CHANNEL,
     "with a budget or a bound of accuracy: the widths that are predicted to cost the least loss, by the JSON of "
     "'compress sensitivity'"},
    {"normalize", MC_OPTION_CHOICE, "HOW", "auto", NULL, "auto|none|mean|max|sum|deviation", CHANNEL,
     "what scores of a layer are divided by where layers compete; auto: mean, or none for lamp, taylor and obd"},
    {"samples", MC_OPTION_INTEGER, "N", "512", "[1, 1e9]", NULL, NULL,
     "samples of the calibration role to look at, at most"},
    {"reconstruct", MC_OPTION_FLAG, NULL, NULL, NULL, NULL, CHANNEL,
     "fit the weights that read removed channels to the original's outputs by least squares, on samples without "
     "labels"},
    {"ridge", MC_OPTION_NUMBER, "X", "0.001", "[0, inf)", NULL, CHANNEL,
     "reconstruct: how firmly weights are held to what they were"},
    {"batch_norm", MC_OPTION_CHOICE, "WHAT", "keep", NULL, "keep|estimate", CHANNEL,
     "running statistics stay, or are taken anew from samples"},
    {"attention", MC_OPTION_CHOICE, "WHAT", "features", NULL, "features|heads", CHANNEL,
     "what goes where attention splits channels into heads: the same features of every head, or whole heads"},
    {"round", MC_OPTION_INTEGER, "N", "1", "[1, 4096]", NULL, CHANNEL, "widths that stay are multiples of N"},
    {"minimum", MC_OPTION_INTEGER, "N", "1", "[1, inf)", NULL, CHANNEL, "channels that stay at least"},
    {"widths", MC_OPTION_TEXT, "LIST", NULL, NULL, NULL, CHANNEL,
     "bounds of single layers, by names of the tensors that make their channels: conv1*=24, conv*=16..64/8, head=..32; "
     "before round and minimum"},
    {"iterations", MC_OPTION_INTEGER, "N", "1", "[1, 1000]", NULL, CHANNEL,
     "with epochs: channels go in N parts, and after each all epochs are trained; then a part that was killed begins "
     "anew"},
    {"constants", MC_OPTION_CHOICE, "WHAT", "move", NULL, "move|drop", CHANNEL,
     "what a removed channel still produced goes into the next bias, or is lost"},
    {"explain", MC_OPTION_TEXT, "FILE", NULL, NULL, NULL, CHANNEL,
     "write all groups as JSON: tensor, axis, indices in the model before, score, verdict and reason"},
    {"exclude", MC_OPTION_TEXT, "NAMES", NULL, NULL, NULL, NULL,
     "names of tensors that are left alone, with * and ?, separated by commas"},
    MC_FIT_OPTIONS("0", "linear:0.0005", "keep", NULL),
};

const struct mc_step_kind mc_step_prune = {
    .name = "prune",
    .help = "set weights to zero, or remove neurons, channels and heads",
    .options = options,
    .n_options = MC_COUNT(options),
    .needs_data = needs_data,
    .needs_original = mc_fit_needs_original,
    .keeps_graph = keeps_graph,
    .check = check,
    .run = run,
};
