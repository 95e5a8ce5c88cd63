/* tune.c - choosing the options of a recipe by trying; see mc_recipe_tune in compress.h.
 *
 * Grid and random search; successive halving (Jamieson and Talwalkar 2016): round r of R tries ceil(trials / eta^r)
 * combinations with a resource of full / eta^(R-1-r), the best of the round before. Which trials there are and what
 * each draws depends on space and seed alone, so results may come in any order and from several processes.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/rng.h"
#include "recipe/context.h"
#include "recipe/measure.h"
#include "recipe/tune_state.h"

enum { MOST_ROUNDS = 32 };

/* --- what is to be done --- */

static int tries_of(const struct mc_tune *t)
{
    return t->folds ? t->folds : 1;
}

static struct mc_yaml *value_of(struct mc_tune *t, int axis, int trial)
{
    return t->search == MC_SEARCH_GRID || t->search == MC_SEARCH_LADDER
               ? mc_space_grid_value(&t->space, axis, trial, &t->arena)
               : mc_space_random_value(&t->space, axis, trial, t->seed, &t->arena);
}

static int64_t resource_of(const struct mc_tune *t, int round)
{
    double amount = (double)t->full;
    for (int r = round; r < t->n_rounds - 1; r++) amount /= t->eta;
    return (int64_t)fmax(1, floor(amount + 0.5));
}

/* How many are tried in a round. */
static int width_of(const struct mc_tune *t, int round)
{
    int n = t->n_trials;
    for (int r = 0; r < round; r++) n = (n + t->eta - 1) / t->eta;
    return n;
}

static int read_resource(struct mc_tune *t, const struct mc_yaml *part, struct mc_error *err)
{
    t->resource = mc_settings_text(&t->work.tune, "resource");
    t->eta = (int)mc_settings_integer(&t->work.tune, "eta");
    if (!t->resource)
        return mc_yaml_error(part, MC_ERR_USAGE, err, "'resource' is missing, as in resource: steps.0.train.epochs");
    const struct mc_setting *setting = mc_settings_find(&t->work.tune, "resource");
    const struct mc_yaml *full = mc_yaml_at(t->recipe->root, t->resource);
    char *end = NULL;
    if (full && full->kind == MC_YAML_SCALAR && !full->empty) t->full = strtoll(full->text, &end, 10);
    if (!end || *end || t->full < 1)
        return mc_yaml_error(setting->at, MC_ERR_USAGE, err, "'resource': the recipe has no whole number at '%s'",
                             t->resource);
    const int64_t least = mc_settings_integer(&t->work.tune, "least");
    while (t->n_rounds < MOST_ROUNDS && width_of(t, t->n_rounds - 1) > 1) {
        t->n_rounds++;
        if (resource_of(t, 0) >= least && resource_of(t, 0) < resource_of(t, 1)) continue;
        t->n_rounds--;
        break;
    }
    return MC_OK;
}

static int read_objective(struct mc_tune *t, const struct mc_yaml *part, struct mc_error *err)
{
    const struct mc_settings *s = &t->work.tune;
    const bool smallest = strcmp(mc_settings_text(s, "objective"), "smallest") == 0;
    t->size = smallest ? (enum mc_trial_size)mc_settings_integer(s, "size") : MC_TRIAL_NO_SIZE;
    t->max_drop = mc_settings_number(s, "max_drop");
    if (t->search == MC_SEARCH_LADDER && !smallest)
        return mc_yaml_error(part, MC_ERR_USAGE, err, "'search': a ladder needs 'objective: smallest'");
    if (t->search == MC_SEARCH_HALVING && smallest)
        return mc_yaml_error(part, MC_ERR_USAGE, err, "'search': halving has no 'objective: smallest'");
    return MC_OK;
}

static int read_part(struct mc_tune *t, const struct mc_yaml *part, struct mc_error *err)
{
    const struct mc_settings *s = &t->work.tune;
    const struct mc_setting *folds = mc_settings_find(s, "folds");
    t->search = (enum mc_search)mc_settings_integer(s, "search");
    t->n_trials = (int)mc_settings_integer(s, "trials");
    t->folds = (int)folds->integer;
    t->n_rounds = 1;
    t->eta = 1;
    if (t->folds == 1) return mc_yaml_error(folds->at, MC_ERR_USAGE, err, "'folds': needs 0, or 2 and more, has 1");
    const struct mc_yaml *space = mc_yaml_find(part, "space");
    if (!space) return mc_yaml_error(part, MC_ERR_USAGE, err, "'space' is missing: what is to be varied");
    int rc = mc_space_init(&t->space, space, err);
    if (rc == MC_OK && (t->search == MC_SEARCH_GRID || t->search == MC_SEARCH_LADDER))
        rc = mc_space_grid_size(&t->space, &t->n_trials, err);
    if (rc == MC_OK) rc = read_objective(t, part, err);
    if (rc == MC_OK && t->search == MC_SEARCH_HALVING) rc = read_resource(t, part, err);
    return rc;
}

/* Put the values of a trial into the recipe. */
static int set_values(struct mc_tune *t, int trial, int round, struct mc_error *err)
{
    for (int i = 0; i < t->space.n; i++) {
        struct mc_yaml *value = value_of(t, i, trial);
        if (!value) return mc_error_memory(err);
        const int rc = mc_yaml_put(&t->recipe->root, &t->recipe->arena, t->space.axes[i].path, value, err);
        if (rc < 0) return rc;
    }
    if (!t->resource) return MC_OK;
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)resource_of(t, round));
    struct mc_yaml *value = mc_yaml_scalar(&t->arena, t->recipe->root->source, text);
    return value ? mc_yaml_put(&t->recipe->root, &t->recipe->arena, t->resource, value, err) : mc_error_memory(err);
}

/* Is each combination a recipe? Found before the first is tried. */
static int check_values(struct mc_tune *t, struct mc_error *err)
{
    int rc = MC_OK;
    for (int trial = 0; trial < t->n_trials && rc == MC_OK; trial++) {
        struct mc_work work;
        rc = set_values(t, trial, t->n_rounds - 1, err);
        if (rc < 0) return rc;
        rc = mc_work_init(&work, t->recipe->root, err);
        mc_work_finish(&work);
    }
    return rc;
}

/* Everything that results depend on: the recipe, how it is searched, the seed; not where results go. */
static int find_key(struct mc_tune *t, uint64_t *key, struct mc_error *err)
{
    struct mc_buf text;
    mc_buf_init(&text, MC_YAML_MAX_BYTES * 4);
    mc_buf_printf(&text, "%s\n%llu\n%d %d %d %d %s %d\n", MC_VERSION, (unsigned long long)t->seed, (int)t->search,
                  t->n_trials, t->folds, t->eta, t->metric, (int)t->size);
    if (t->search == MC_SEARCH_LADDER) mc_buf_printf(&text, "%.17g\n", t->max_drop); /* which decides what is tried */
    const struct mc_yaml *root = t->recipe->root;
    for (int i = 0; i < root->n; i++) {
        const char *name = root->entries[i].key->text;
        if (strcmp(name, "output") == 0 || strcmp(name, "gates") == 0) continue;
        const struct mc_yaml *value = root->entries[i].value;
        mc_buf_printf(&text, "%s: ", name);
        mc_yaml_print_flow(strcmp(name, "tune") == 0 ? mc_yaml_find(value, "space") : value, &text);
        mc_buf_puts(&text, "\n");
    }
    const bool failed = text.failed;
    *key = failed ? 0 : mc_hash(text.data);
    mc_buf_finish(&text);
    return failed ? mc_error_memory(err) : MC_OK;
}

static bool suits(const char *metric, bool classification)
{
    static const char *const classes[] = {"accuracy", "precision", "recall", "f1"}, *const numbers[] = {"mse", "mae",
                                                                                                        "r2"};
    for (size_t i = 0; i < MC_COUNT(classes); i++)
        if (strcmp(metric, classes[i]) == 0) return classification;
    for (size_t i = 0; i < MC_COUNT(numbers); i++)
        if (strcmp(metric, numbers[i]) == 0) return !classification;
    return true;
}

/* What is compared, which depends on the data where the recipe does not say. */
static int find_metric(struct mc_tune *t, struct mc_error *err)
{
    const struct mc_setting *data = mc_settings_find(&t->work.top, "data"),
                            *metric = mc_settings_find(&t->work.tune, "metric");
    struct mc_dataset *d = NULL;
    if (!data->given)
        return mc_yaml_error(t->recipe->root, MC_ERR_USAGE, err, "'data' is missing, by which trials are compared");
    const int rc = mc_dataset_open(&d, data->text, data->at->source->dir, err);
    if (rc < 0) return mc_yaml_wrap(data->at, rc, err);
    const bool classification = d->task == MC_TASK_CLASSIFICATION;
    mc_dataset_destroy(d);
    t->metric = metric->present ? metric->text : classification ? "accuracy" : "r2";
    t->lower = strcmp(t->metric, "loss") == 0 || strcmp(t->metric, "mse") == 0 || strcmp(t->metric, "mae") == 0;
    if (suits(t->metric, classification)) return MC_OK;
    return mc_yaml_error(metric->at, MC_ERR_USAGE, err, "'metric': '%s' is not measured on %s", t->metric,
                         classification ? "classes" : "numbers");
}

static int prepare(struct mc_tune *t, const char *out_dir, bool overwrite, struct mc_error *err)
{
    struct mc_runtime runtime;
    const struct mc_yaml *part = mc_yaml_find(t->recipe->root, "tune");
    uint64_t key = 0;
    if (!part) return mc_yaml_error(t->recipe->root, MC_ERR_USAGE, err, "'tune' is missing: what is to be tried");
    int rc = mc_work_init(&t->work, t->recipe->root, err);
    if (rc == MC_OK) rc = mc_context_runtime(t->context, &runtime, err);
    if (rc < 0) return rc;
    const struct mc_setting *seed = mc_settings_find(&t->work.top, "seed");
    t->seed = seed->given ? (uint64_t)seed->integer : runtime.seed;
    rc = read_part(t, part, err);
    if (rc == MC_OK) rc = find_metric(t, err);
    if (rc == MC_OK) rc = find_key(t, &key, err);
    if (rc == MC_OK) rc = check_values(t, err);
    if (rc == MC_OK) rc = mc_outputs_init(&t->outputs, out_dir, overwrite, err);
    if (rc < 0) return rc;
    char *path = mc_outputs_path(&t->outputs, mc_settings_text(&t->work.tune, "results"));
    if (!path) return mc_error_memory(err);
    const bool there = mc_file_size(path) >= 0;
    if (!there) rc = mc_outputs_allow(&t->outputs, mc_settings_text(&t->work.tune, "best"), err);
    if (rc == MC_OK && overwrite && t->share.shares > 1 && there)
        rc = mc_error_set(err, MC_ERR_USAGE, "several processes cannot begin anew: '%s' has to be taken away first",
                          path);
    if (rc == MC_OK) rc = mc_outputs_make_dir(&t->outputs, err);
    if (rc == MC_OK) rc = mc_trial_log_open(&t->log, "tune", path, key, overwrite, err);
    mc_free(path);
    t->outputs.overwrite = true; /* what the search itself wrote, when it is gone on with */
    return rc;
}

/* --- trying --- */

static double figure_of(const char *name, const struct mc_metrics *m)
{
    const struct {
        const char *name;
        double value;
    } figures[] = {{"accuracy", m->accuracy}, {"precision", m->precision},
                   {"recall", m->recall},     {"f1", m->f1},
                   {"loss", m->loss},         {"mse", m->mse},
                   {"mae", m->mae},           {"r2", m->r2}};
    for (size_t i = 0; i < MC_COUNT(figures); i++)
        if (strcmp(figures[i].name, name) == 0) return figures[i].value;
    return NAN;
}

static int try_one(struct mc_tune *t, int round, int trial, int fold, struct mc_error *err)
{
    const int64_t start = mc_clock_ns();
    const bool untouched = trial == t->n_trials;
    struct mc_trial_found found;
    int rc = untouched ? MC_OK : set_values(t, trial, round, err);
    if (rc < 0) return rc;
    struct mc_error why = {0};
    const struct mc_trial what = {.folds = t->folds, .fold = fold, .untouched = untouched, .size = t->size};
    rc = mc_recipe_try(t->recipe, t->context, &what, &found, &why);
    if (rc < 0 && !found.failed) {
        if (err) *err = why;
        return mc_error_wrap(err, rc, "trial %d", trial);
    }
    const struct mc_trial_result result = {.round = round,
                                           .trial = trial,
                                           .fold = fold,
                                           .value = found.failed ? NAN : figure_of(t->metric, &found.metrics),
                                           .loss = found.failed ? NAN : found.metrics.loss,
                                           .bytes = (double)found.bytes,
                                           .seconds = (double)(mc_clock_ns() - start) * 1e-9};
    return mc_trial_log_add(&t->log, &result, err);
}

static int report(struct mc_tune *t, int done, int total, struct mc_error *err)
{
    return mc_context_report(t->context, "trials", done, total, err);
}

static int count_done(const struct mc_tune *t, int round, int n)
{
    int done = 0;
    for (int i = 0; i < n; i++)
        for (int fold = 0; fold < tries_of(t); fold++)
            done += mc_trial_log_find(&t->log, round, t->candidates[i].trial, fold) != NULL;
    return done;
}

/* Until the other processes have added what is theirs. */
static int wait_for_others(struct mc_tune *t, int round, int n, struct mc_error *err)
{
    const struct timespec pause = {.tv_nsec = 100000000};
    const int total = n * tries_of(t);
    int done = count_done(t, round, n), rc = MC_OK;
    while (rc == MC_OK && done < total) {
        nanosleep(&pause, NULL);
        rc = mc_trial_log_read(&t->log, err);
        done = count_done(t, round, n);
        if (rc == MC_OK) rc = report(t, done, total, err);
    }
    return rc;
}

static int try_round(struct mc_tune *t, int round, int n, struct mc_error *err)
{
    const int tries = tries_of(t);
    int rc = MC_OK;
    for (int i = t->share.share; i < n * tries && rc == MC_OK; i += t->share.shares) {
        const int trial = t->candidates[i / tries].trial, fold = i % tries;
        if (mc_trial_log_find(&t->log, round, trial, fold)) continue;
        rc = try_one(t, round, trial, fold, err);
        if (rc == MC_OK) rc = report(t, count_done(t, round, n), n * tries, err);
    }
    return rc < 0 ? rc : wait_for_others(t, round, n, err);
}

int mc_tune_try(struct mc_tune *t, int trial, struct mc_error *err)
{
    int rc = MC_OK;
    for (int fold = 0; fold < tries_of(t) && rc == MC_OK; fold++)
        if (!mc_trial_log_find(&t->log, 0, trial, fold)) rc = try_one(t, 0, trial, fold, err);
    return rc == MC_OK ? report(t, (int)t->log.n, 0, err) : rc;
}

static bool is_there(const struct mc_tune *t, int trial)
{
    for (int fold = 0; fold < tries_of(t); fold++)
        if (!mc_trial_log_find(&t->log, 0, trial, fold)) return false;
    return true;
}

int mc_tune_wait(struct mc_tune *t, int trial, struct mc_error *err)
{
    const struct timespec pause = {.tv_nsec = 100000000};
    int rc = MC_OK;
    while (rc == MC_OK && !is_there(t, trial)) {
        nanosleep(&pause, NULL);
        rc = mc_trial_log_read(&t->log, err);
        if (rc == MC_OK) rc = report(t, 0, 0, err);
    }
    return rc;
}

/* --- comparing --- */

void mc_tune_summarize(const struct mc_tune *t, struct mc_candidate *c, int round)
{
    const int n = tries_of(t);
    double sum = 0, squares = 0, bytes = 0;
    for (int fold = 0; fold < n; fold++) {
        const struct mc_trial_result *r = mc_trial_log_find(&t->log, round, c->trial, fold);
        sum += r->value;
        bytes += r->bytes;
    }
    c->round = round;
    c->mean = sum / n;
    c->bytes = bytes / n;
    c->tried = true;
    for (int fold = 0; fold < n; fold++) {
        const double d = mc_trial_log_find(&t->log, round, c->trial, fold)->value - c->mean;
        squares += d * d;
    }
    c->spread = n > 1 ? sqrt(squares / (n - 1)) : NAN;
}

/* A later round first, then the better mean; failed ones last; of equals the earlier. */
static bool is_better(const struct mc_tune *t, const struct mc_candidate *a, const struct mc_candidate *b)
{
    if (a->round != b->round) return a->round > b->round;
    if (isnan(a->mean) || isnan(b->mean))
        return isnan(a->mean) == isnan(b->mean) ? a->trial < b->trial : isnan(b->mean);
    if (a->mean != b->mean) return t->lower ? a->mean < b->mean : a->mean > b->mean;
    return a->trial < b->trial;
}

/* Insertion keeps it simple; trials take longer than this. */
static void sort(const struct mc_tune *t, int n)
{
    for (int i = 1; i < n; i++) {
        const struct mc_candidate c = t->candidates[i];
        int k = i;
        for (; k > 0 && is_better(t, &c, &t->candidates[k - 1]); k--) t->candidates[k] = t->candidates[k - 1];
        t->candidates[k] = c;
    }
}

static int search(struct mc_tune *t, struct mc_error *err)
{
    t->candidates = MC_NEW_ARRAY(struct mc_candidate, t->n_trials);
    if (!t->candidates) return mc_error_memory(err);
    for (int i = 0; i < t->n_trials; i++) t->candidates[i].trial = i;
    if (t->search == MC_SEARCH_LADDER) return mc_tune_smallest(t, err);
    for (int round = 0; round < t->n_rounds; round++) {
        const int n = width_of(t, round), rc = try_round(t, round, n, err);
        if (rc < 0) return rc;
        for (int i = 0; i < n; i++) mc_tune_summarize(t, &t->candidates[i], round);
        sort(t, n);
    }
    if (t->size != MC_TRIAL_NO_SIZE) return mc_tune_smallest(t, err);
    if (!isnan(t->candidates[0].mean)) return MC_OK;
    return mc_error_set(err, MC_ERR_INPUT, "all %d trials failed: their losses became infinite", t->n_trials);
}

/* --- results --- */

static int record_trial(struct mc_tune *t, const struct mc_candidate *c, struct mc_record *into, struct mc_error *err)
{
    mc_record_set_int(into, "trial", c->trial);
    if (t->n_rounds > 1) mc_record_set_int(into, "round", c->round);
    struct mc_record *values = mc_record_array(into, "values");
    for (int i = 0; i < t->space.n; i++) {
        const struct mc_yaml *value = value_of(t, i, c->trial);
        struct mc_buf text;
        if (!value) return mc_error_memory(err);
        mc_buf_init(&text, MC_YAML_MAX_BYTES);
        mc_yaml_print_flow(value, &text);
        struct mc_record *entry = mc_record_append_object(values);
        mc_record_set_text(entry, "option", t->space.axes[i].path);
        mc_record_set_text(entry, "value", text.data ? text.data : "");
        mc_buf_finish(&text);
    }
    mc_record_set_num(into, "mean", c->mean);
    if (t->size != MC_TRIAL_NO_SIZE) {
        mc_record_set_num(into, "bytes", c->bytes);
        mc_record_set_bool(into, "holds", c->holds);
    }
    if (t->folds) mc_record_set_num(into, "spread", c->spread);
    struct mc_record *folds = mc_record_array(into, "folds");
    for (int fold = 0; fold < tries_of(t); fold++)
        mc_record_append_num(folds, mc_trial_log_find(&t->log, c->round, c->trial, fold)->value);
    return MC_OK;
}

static int record_search(struct mc_tune *t, struct mc_record *record, struct mc_error *err)
{
    static const char *const names[] = {"grid", "random", "halving", "ladder"};
    mc_record_begin(record, t->recipe->name ? t->recipe->name : "compress");
    if (t->recipe->name) mc_record_set_text(record, "recipe", t->recipe->name);

    mc_record_set_int(record, "seed", (int64_t)t->seed);
    struct mc_record *tune = mc_record_object(record, "tune");
    mc_record_set_text(tune, "search", names[t->search]);
    mc_record_set_text(tune, "metric", t->metric);
    mc_record_set_text(tune, "goal", t->lower ? "least" : "most");
    mc_record_set_int(tune, "folds", t->folds);
    if (t->size != MC_TRIAL_NO_SIZE) mc_tune_record_smallest(t, tune);
    struct mc_record *trials = mc_record_array(tune, "trials");
    int rc = MC_OK;
    for (int i = 0; i < t->n_trials && t->candidates[i].tried && rc == MC_OK; i++)
        rc = record_trial(t, &t->candidates[i], mc_record_append_object(trials), err);
    return rc;
}

/* Is the folder `dir` the one that `other` names? NULL: the working directory. */
static bool same_folder(const char *dir, const char *other)
{
    char *a = realpath(dir ? dir : ".", NULL), *b = realpath(other ? other : ".", NULL);
    const bool same = a && b && strcmp(a, b) == 0;
    free(a);
    free(b);
    return same;
}

/* `before` + where `path`, relative to the file that says so, leads from anywhere + `behind`, at a path of the recipe.
 * Nothing if there is no such file, or the best recipe will stand beside that file. */
static int put_absolute(struct mc_tune *t, const struct mc_setting *setting, const char *at, const char *before,
                        const char *path, const char *behind, struct mc_error *err)
{
    struct mc_recipe *r = t->recipe;
    const char *dir = setting->at->source->dir;
    if (same_folder(t->outputs.dir, dir)) return MC_OK;
    char *joined = mc_path_join(dir, path), *full = joined ? realpath(joined, NULL) : NULL;
    struct mc_buf text;
    struct mc_yaml *value = NULL;
    int rc = joined ? MC_OK : mc_error_memory(err);
    if (full) {
        mc_buf_init(&text, MC_YAML_MAX_BYTES);
        mc_buf_printf(&text, "%s%s%s", before, full, behind);
        if (!text.failed) value = mc_yaml_scalar(&r->arena, r->root->source, text.data);
        rc = value ? mc_yaml_put(&r->root, &r->arena, at, value, err) : mc_error_memory(err);
        mc_buf_finish(&text);
    }
    free(full);
    mc_free(joined);
    return rc;
}

/* "csv:iris.csv,label=class": the path between the colon and the comma. */
static int put_absolute_data(struct mc_tune *t, const struct mc_setting *data, struct mc_error *err)
{
    const char *colon = data->given && data->at->kind == MC_YAML_SCALAR ? strchr(data->text, ':') : NULL;
    if (!colon) return MC_OK;
    const size_t length = strcspn(colon + 1, ",");
    const char *kind = mc_arena_strndup(&t->arena, data->text, (size_t)(colon + 1 - data->text));
    const char *path = mc_arena_strndup(&t->arena, colon + 1, length);
    if (!kind || !path) return mc_error_memory(err);
    return length ? put_absolute(t, data, "data", kind, path, colon + 1 + length, err) : MC_OK;
}

/* A recipe that will not stand where it stood: relative paths would lead elsewhere. */
static int put_absolute_paths(struct mc_tune *t, struct mc_error *err)
{
    struct mc_work work;
    int rc = mc_work_init(&work, t->recipe->root, err);
    const struct mc_setting *model = rc == MC_OK ? mc_settings_find(&work.top, "model") : NULL;
    if (rc == MC_OK && model->path) rc = put_absolute(t, model, "model", "", model->text, "", err);
    if (rc == MC_OK) rc = put_absolute_data(t, mc_settings_find(&work.top, "data"), err);
    for (int i = 0; i < work.n_steps && rc == MC_OK; i++)
        for (size_t k = 0; k < work.steps[i].settings.n && rc == MC_OK; k++) {
            const struct mc_setting *setting = &work.steps[i].settings.values[k];
            char at[192];
            if (!setting->path) continue;
            snprintf(at, sizeof at, "steps.%d.%s.%s", i, work.steps[i].kind->name,
                     work.steps[i].settings.options[k].name);
            rc = put_absolute(t, setting, at, "", setting->text, "", err);
        }
    mc_work_finish(&work);
    return rc;
}

static int write_best(struct mc_tune *t, struct mc_error *err)
{
    struct mc_buf text;
    const char *path = mc_settings_text(&t->work.tune, "best");
    if (t->share.share > 0) return MC_OK;
    int rc = set_values(t, t->candidates[0].trial, t->n_rounds - 1, err);
    if (rc < 0) return rc;
    mc_yaml_remove(t->recipe->root, "tune");
    rc = put_absolute_paths(t, err);
    if (rc < 0) return rc;
    mc_buf_init(&text, MC_YAML_MAX_BYTES);
    mc_yaml_print(t->recipe->root, &text);
    rc = text.failed ? mc_error_memory(err) : mc_outputs_add(&t->outputs, path, text.data, text.length, err);
    mc_buf_finish(&text);
    return rc == MC_OK ? mc_outputs_commit(&t->outputs, err) : rc;
}

int mc_recipe_tune(struct mc_recipe *recipe, const struct mc_context *context, const char *out_dir, bool overwrite,
                   const struct mc_share *share, struct mc_record **record, struct mc_error *err)
{
    struct mc_tune t = {.recipe = recipe, .context = context, .share = share ? *share : (struct mc_share){0, 1}};
    struct mc_record *r = NULL;
    t.log.fd = -1;
    mc_arena_init(&t.arena);
    int rc = t.share.shares >= 1 && t.share.share >= 0 && t.share.share < t.share.shares
                 ? prepare(&t, out_dir, overwrite, err)
                 : mc_error_set(err, MC_ERR_USAGE, "there is no share %d of %d", t.share.share, t.share.shares);
    if (rc == MC_OK) rc = search(&t, err);
    if (rc == MC_OK) rc = mc_record_create(&r, err);
    if (rc == MC_OK) rc = record_search(&t, r, err);
    if (rc == MC_OK) rc = mc_record_check(r, err);
    if (rc == MC_OK) rc = write_best(&t, err);
    mc_free(t.candidates);
    mc_trial_log_finish(&t.log);
    mc_outputs_finish(&t.outputs);
    mc_work_finish(&t.work);
    mc_arena_finish(&t.arena);
    if (rc == MC_OK)
        *record = r;
    else
        mc_record_destroy(r);
    return rc;
}
