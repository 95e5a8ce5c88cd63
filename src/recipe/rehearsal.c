/* rehearsal.c - a recipe gone through without its work; see rehearsal.h, and mc_recipe_check in compress.h. */
#include "recipe/rehearsal.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "op/ops.h"
#include "recipe/context.h"
#include "recipe/measure.h"
#include "recipe/run_state.h"

/* Steps of training that are seen at most, samples that are evaluated first, seconds for either in a plan. */
enum { MOST_STEPS = 64, FEW_SAMPLES = 8 };
static const double LOOK_S = 0.3;

static double seconds_since(int64_t start)
{
    return (double)(mc_clock_ns() - start) * 1e-9;
}

/* --- training --- */

/* When the first and the last step of training ended that were seen. */
struct watch {
    const struct mc_job *job;
    int64_t start, first_ns, last_ns, first, last;
    bool stopped; /* by us, not by the caller */
};

static bool watch_step(void *context, const struct mc_progress *at)
{
    struct watch *w = context;
    const struct mc_context *c = w->job->context;
    if (c && c->progress && !c->progress(c->progress_context, at)) return false;
    if (strcmp(at->what, "training") != 0) return true;
    w->last_ns = mc_clock_ns();
    w->last = at->done;
    if (w->first == 0) w->first = w->last, w->first_ns = w->last_ns;
    w->stopped = seconds_since(w->start) >= w->job->rehearsal->look_s;
    return !w->stopped;
}

/* Of `n_steps` steps, by those that were seen; the first has to make everything ready and counts only if it is all. */
static double expected_s(const struct watch *w, int64_t n_steps)
{
    if (w->last == 0) return 0;
    const double a_step = w->last > w->first ? (double)(w->last_ns - w->first_ns) * 1e-9 / (double)(w->last - w->first)
                                             : (double)(w->first_ns - w->start) * 1e-9;
    return a_step * (double)n_steps;
}

/* Few samples, so that a teacher is not asked about all of them. */
static struct mc_dataset part_of(const struct mc_dataset *data, int64_t batch)
{
    struct mc_dataset part = *data;
    if (batch > 0 && batch < data->n[MC_DATA_TRAIN] / MOST_STEPS) part.n[MC_DATA_TRAIN] = batch * MOST_STEPS;
    part.n[MC_DATA_VALIDATION] = 0;
    return part;
}

int mc_rehearse_fit(struct mc_job *job, const struct mc_fit_options *fit, struct mc_error *err)
{
    struct mc_model *copy;
    const struct mc_dataset part = part_of(job->data, fit->batch);
    struct watch watch = {.job = job, .start = mc_clock_ns()};
    struct mc_fit_options options = *fit;
    struct mc_error why = {0};
    int rc = mc_model_clone(&copy, job->model, false, err);
    if (rc < 0) return rc;
    mc_ops_bind(copy);
    options.n_masks = 0; /* they are the model's, not the copy's */
    options.checkpoint = NULL;
    options.teacher_cache = NULL;
    if (options.class_weights && strcmp(options.class_weights, "balanced") == 0)
        options.class_weights = NULL; /* the part may lack a class */
    options.progress = watch_step;
    options.progress_context = &watch;
    rc = mc_fit(copy, &part, &options, NULL, &why);
    mc_model_destroy(copy);
    job->rehearsal->looked_s += seconds_since(watch.start);
    if (rc < 0 && !watch.stopped) {
        if (err) *err = why;
        return rc;
    }
    const int64_t n = job->data->n[MC_DATA_TRAIN], batch = fit->batch > 0 && fit->batch < n ? fit->batch : n;
    const int64_t n_steps = batch > 0 ? (n + batch - 1) / batch * fit->epochs : 0;
    const int64_t n_validated = job->data->n[MC_DATA_VALIDATION] * fit->epochs;
    job->rehearsal->training_s += expected_s(&watch, n_steps) + job->rehearsal->per_evaluation * (double)n_validated;
    return MC_OK;
}

/* --- measuring --- */

/* Does the model fit the test samples? Asked of a few; until the time is up, of more, to see how long all take. */
static int look_at_evaluation(const struct mc_run *run, struct mc_rehearsal *r, struct mc_error *err)
{
    struct mc_dataset part = *run->data;
    const int64_t n = run->data->n[MC_DATA_TEST];
    double taken = 0;
    for (int64_t few = FEW_SAMPLES;; few *= 2) {
        struct mc_metrics metrics;
        const int64_t start = mc_clock_ns();
        part.n[MC_DATA_TEST] = few < n ? few : n;
        const int rc = mc_evaluate(run->job.model, &part, MC_DATA_TEST, 0, MC_LOSS_AUTO, run->job.head,
                                   &run->job.runtime, &metrics, err);
        if (rc < 0) return rc;
        taken = seconds_since(start);
        if (few >= n || taken >= r->look_s) break;
    }
    r->per_evaluation = taken / (double)part.n[MC_DATA_TEST];
    return MC_OK;
}

/* Counts of the model as it is; *evaluation_s: what its metrics are expected to take. */
static int look_at_model(const struct mc_run *run, struct mc_rehearsal *r, struct mc_record *into, double *evaluation_s,
                         struct mc_error *err)
{
    int rc = mc_measure_model(run->job.model, &run->job.runtime, MC_MEASURE_COUNTS, into, err);
    *evaluation_s = 0;
    if (rc < 0 || !run->data || run->data->n[MC_DATA_TEST] == 0) return rc;
    if (!mc_dataset_is_labelled(run->data, MC_DATA_TEST)) return rc;
    rc = look_at_evaluation(run, r, err);
    *evaluation_s = r->per_evaluation * (double)run->data->n[MC_DATA_TEST];
    return rc;
}

/* --- the whole --- */

/* What the recipe says of a step, as it says it. */
static void record_given(const struct mc_work_step *step, struct mc_record *section)
{
    struct mc_buf text;
    mc_buf_init(&text, MC_YAML_MAX_BYTES);
    for (size_t i = 0; i < step->settings.n; i++) {
        const struct mc_setting *setting = &step->settings.values[i];
        if (setting->given)
            mc_buf_printf(&text, "%s%s %s", text.length ? ", " : "", step->settings.options[i].name, setting->text);
    }
    mc_record_set_text(section, "given", text.data && !text.failed ? text.data : "");
    mc_buf_finish(&text);
}

static int rehearse_step(struct mc_run *run, struct mc_rehearsal *r, int i, double *total_s, struct mc_error *err)
{
    const struct mc_work_step *step = &run->work.steps[i];
    struct mc_record *section = mc_record_append_object(mc_record_array(run->record, "steps"));
    const int64_t start = mc_clock_ns();
    double evaluation_s = 0;
    mc_run_begin_step(run, i, section);
    record_given(step, section);
    r->training_s = r->looked_s = 0;
    int rc = step->kind->run(&run->job, &step->settings, section, err);
    const double done_s = seconds_since(start) - r->looked_s; /* the same in earnest */
    if (rc == MC_OK) rc = look_at_model(run, r, mc_record_object(section, "result"), &evaluation_s, err);
    if (rc == MC_OK) rc = mc_context_report(run->job.context, step->kind->name, i + 1, run->work.n_steps, err);
    if (rc < 0) return mc_error_wrap(err, rc, "step %d (%s)", i + 1, step->kind->name);
    if (r->look_s > 0) mc_record_set_num(section, "expected_s", done_s + r->training_s + evaluation_s);
    *total_s += done_s + r->training_s + evaluation_s;
    return MC_OK;
}

static int rehearse(struct mc_run *run, double look_s, struct mc_error *err)
{
    struct mc_rehearsal r = {.look_s = look_s};
    double total_s = 0;
    run->job.rehearsal = &r;
    int rc = look_at_model(run, &r, mc_record_object(run->record, "original"), &total_s, err);
    if (rc < 0) return mc_error_wrap(err, rc, "the model");
    for (int i = 0; i < run->work.n_steps && rc == MC_OK; i++) rc = rehearse_step(run, &r, i, &total_s, err);
    if (rc < 0) return rc;
    rc = mc_run_record_final(run, err);
    if (rc < 0) return rc;
    if (look_s > 0) mc_record_set_num(run->record, "expected_s", total_s);
    const char *paths[MC_MOST_OUTPUTS];
    const int n = mc_run_list_outputs(run, paths);
    struct mc_record *list = mc_record_array(run->record, "would_write");
    for (int i = 0; i < n; i++) {
        char *path = mc_outputs_path(&run->outputs, paths[i]);
        if (path) mc_record_append_text(list, path);
        mc_free(path);
    }
    return mc_record_check(run->record, err);
}

int mc_recipe_check(struct mc_recipe *recipe, const struct mc_context *context, const char *out_dir, bool overwrite,
                    bool timed, struct mc_record **record, struct mc_error *err)
{
    struct mc_run run = {.recipe = recipe};
    int rc = mc_outputs_init(&run.outputs, out_dir, overwrite, err);
    if (rc == MC_OK) rc = mc_run_prepare(&run, context, err);
    if (rc == MC_OK) rc = mc_record_create(&run.record, err);
    if (rc == MC_OK) {
        mc_run_record_head(&run);
        rc = rehearse(&run, timed ? LOOK_S : 0, err);
    }
    mc_run_finish(&run);
    if (rc == MC_OK)
        *record = run.record;
    else
        mc_record_destroy(run.record);
    return rc;
}
