/* run.c - a recipe from its check to its outputs; see run_state.h, and mc_recipe_run in compress.h. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/peers.h"
#include "code/packed_file.h"
#include "graph/extents.h"
#include "onnx/onnx.h"
#include "op/ops.h"
#include "recipe/context.h"
#include "recipe/flat.h"
#include "recipe/gates.h"
#include "recipe/measure.h"
#include "recipe/measure_graph.h"
#include "recipe/parts.h"
#include "recipe/run_state.h"
#include "recipe/selfcheck.h"
#include "report/print.h"

/* The seeds of two steps are this far apart; the first step has the recipe's own. */
enum { SEED_STRIDE = 1000003 };

/* Of processes that work together one measures what all would find, judges and writes. */
static bool leads(const struct mc_run *run)
{
    return mc_peers_leads(run->job.runtime.peers);
}

/* --- getting ready: everything that can be wrong is found here --- */

static int open_data(struct mc_run *run, struct mc_error *err)
{
    const struct mc_setting *data = mc_settings_find(&run->work.top, "data");
    if (!data->given) return MC_OK;
    const struct mc_trial *trial = run->trial;
    int rc = mc_dataset_open(&run->data, data->text, data->at->source->dir, err);
    if (rc == MC_OK && trial && trial->folds) {
        run->whole = run->data;
        run->data = NULL;
        rc = mc_dataset_fold(&run->data, run->whole, trial->folds, trial->fold, run->seed, err);
    }
    return rc == MC_OK ? rc : mc_yaml_wrap(data->at, rc, err);
}

static int load_baseline(struct mc_run *run, struct mc_error *err)
{
    const struct mc_setting *baseline = mc_settings_find(&run->work.gates, "baseline");
    if (!baseline->given) return MC_OK;
    char *path = mc_path_join(baseline->at->source->dir, baseline->text);
    const int rc = path ? mc_record_load(&run->baseline, path, err) : mc_error_memory(err);
    mc_free(path);
    return rc < 0 ? mc_yaml_wrap(baseline->at, rc, err) : MC_OK;
}

/* The model that a setting names, its functions put in the place of their calls, with its operators bound. */
static int load_model(struct mc_run *run, const struct mc_setting *setting, struct mc_model **model,
                      struct mc_error *err)
{
    const int rc = setting->path ? mc_packed_load(model, setting->path, err)
                                 : mc_architecture_create(model, setting->text, run->data, run->seed, err);
    if (rc < 0) return setting->path ? rc : mc_yaml_wrap(setting->at, rc, err);
    return mc_flatten(*model, err);
}

/* Models that steps name beside the recipe's own. */
static int load_references(struct mc_run *run, struct mc_settings *settings, struct mc_error *err)
{
    for (size_t i = 0; i < settings->n; i++) {
        struct mc_setting *setting = &settings->values[i];
        if (settings->options[i].kind != MC_OPTION_MODEL || !setting->given) continue;
        if (!setting->path && !mc_architecture_known(setting->text)) continue; /* one of the choices */
        const int rc = load_model(run, setting, &setting->model, err);
        if (rc < 0) return rc;
    }
    return MC_OK;
}

static int settle_dims(struct mc_run *run, struct mc_error *err)
{
    const struct mc_setting *dims = mc_settings_find(&run->work.top, "dims");
    if (!dims->given) return MC_OK;
    const int rc = mc_model_set_extents(run->job.model, dims->text, err);
    return rc < 0 ? mc_yaml_wrap(dims->at, rc, err) : MC_OK;
}

static int load_models(struct mc_run *run, struct mc_error *err)
{
    const struct mc_setting *model = mc_settings_find(&run->work.top, "model");
    run->untrained = !model->path;
    int rc = load_model(run, model, &run->job.model, err);
    if (rc == MC_OK) rc = settle_dims(run, err);
    bool keep = !run->trial && mc_gates_need_turns(&run->work.gates);
    for (int i = 0; rc == MC_OK && i < run->work.n_steps; i++) {
        struct mc_work_step *step = &run->work.steps[i];
        keep = keep || (step->kind->needs_original && step->kind->needs_original(&step->settings));
        rc = load_references(run, &step->settings, err);
    }
    if (rc < 0 || !keep) return rc;
    rc = mc_model_clone(&run->original, run->job.model, false, err);
    if (rc < 0) return rc;
    mc_ops_bind(run->original);
    run->job.original = run->original;
    return MC_OK;
}

/* By the bits of output.report. */
static const struct {
    const char *path;
    enum mc_format format;
} reports[MC_REPORT_KINDS] = {
    [MC_REPORT_JSON] = {"report.json", MC_FORMAT_JSON},      [MC_REPORT_MARKDOWN] = {"report.md", MC_FORMAT_MARKDOWN},
    [MC_REPORT_HTML] = {"report.html", MC_FORMAT_HTML},      [MC_REPORT_JUNIT] = {"junit.xml", MC_FORMAT_JUNIT},
    [MC_REPORT_COMMENT] = {"comment.md", MC_FORMAT_COMMENT}, [MC_REPORT_BADGE] = {"badge.svg", MC_FORMAT_BADGE},
};

static bool wants_report(const struct mc_run *run, int kind)
{
    return (mc_settings_integer(&run->work.output, "report") >> kind & 1) != 0;
}

/* The file in which a step is to explain itself, or NULL. */
static const char *explain_path(const struct mc_work_step *step)
{
    return mc_settings_has(&step->settings, "explain") ? mc_settings_text(&step->settings, "explain") : NULL;
}

/* The file that gets the model as a step leaves it, or NULL. */
static const char *save_path(const struct mc_work_step *step)
{
    return mc_settings_text(&step->common, "save");
}

/* Where a step saves its state, or NULL. */
static const char *checkpoint_name(const struct mc_work_step *step)
{
    return mc_settings_has(&step->settings, "checkpoint") ? mc_settings_text(&step->settings, "checkpoint") : NULL;
}

/* A checkpoint that exists is gone on from or begun anew, but only if somebody says so; and no two steps share one. */
static int allow_checkpoint(const struct mc_run *run, int i, struct mc_error *err)
{
    const struct mc_work_step *step = &run->work.steps[i];
    const char *name = checkpoint_name(step);
    if (!name) return MC_OK;
    for (int k = 0; k < i; k++) {
        const char *other = checkpoint_name(&run->work.steps[k]);
        if (other && strcmp(other, name) == 0)
            return mc_error_set(err, MC_ERR_USAGE,
                                "checkpoint '%s': needs to be one step's alone, is that of steps %d "
                                "and %d",
                                name, k + 1, i + 1);
    }
    if (run->stages.resume || mc_settings_flag(&step->settings, "resume")) return MC_OK;
    const int rc = mc_outputs_allow(&run->outputs, name, err);
    if (rc == MC_ERR_USAGE) mc_error_hint(err, "--resume goes on from it, -f begins anew");
    return rc;
}

int mc_run_list_outputs(const struct mc_run *run, const char *paths[MC_MOST_OUTPUTS])
{
    const char *model = mc_settings_text(&run->work.output, "model");
    const char *packed = mc_settings_text(&run->work.output, "packed");
    int n = 0;
    if (model) paths[n++] = model;
    if (packed) paths[n++] = packed;
    for (int kind = 0; kind < MC_REPORT_KINDS; kind++)
        if (wants_report(run, kind)) paths[n++] = reports[kind].path;
    for (int i = 0; i < run->work.n_steps; i++) {
        if (explain_path(&run->work.steps[i])) paths[n++] = explain_path(&run->work.steps[i]);
        if (save_path(&run->work.steps[i])) paths[n++] = save_path(&run->work.steps[i]);
    }
    return n;
}

static int allow_outputs(const struct mc_run *run, struct mc_error *err)
{
    const char *paths[MC_MOST_OUTPUTS];
    if (run->work.n_steps > MC_MOST_STEPS)
        return mc_error_set(err, MC_ERR_USAGE, "%d steps are more than the %d that are taken", run->work.n_steps,
                            MC_MOST_STEPS);
    const int n = mc_run_list_outputs(run, paths);
    int rc = MC_OK;
    for (int i = 0; rc == MC_OK && i < n; i++) {
        rc = mc_outputs_allow(&run->outputs, paths[i], err);
        for (int k = 0; rc == MC_OK && k < i; k++)
            if (strcmp(paths[i], paths[k]) == 0)
                rc = mc_error_set(err, MC_ERR_USAGE, "two outputs would go to '%s'", paths[i]);
    }
    for (int i = 0; rc == MC_OK && i < run->work.n_steps; i++) rc = allow_checkpoint(run, i, err);
    return rc;
}

int mc_run_prepare(struct mc_run *run, const struct mc_context *context, struct mc_error *err)
{
    run->job.context = context;
    run->job.stages = &run->stages;
    int rc = mc_work_init(&run->work, run->recipe->root, err);
    if (rc == MC_OK) rc = mc_context_runtime(context, &run->job.runtime, err);
    if (run->trial) run->job.runtime.peers = NULL; /* they have trials of their own */
    if (rc == MC_OK && !run->trial && leads(run)) rc = allow_outputs(run, err);
    if (rc < 0) return rc;
    const struct mc_setting *seed = mc_settings_find(&run->work.top, "seed");
    run->seed = seed->given ? (uint64_t)seed->integer : run->job.runtime.seed;
    rc = load_baseline(run, err);
    if (rc == MC_OK) rc = open_data(run, err);
    run->job.data = run->data;
    run->job.head = mc_settings_text(&run->work.top, "head");
    return rc == MC_OK ? load_models(run, err) : rc;
}

/* --- measuring --- */

/* Answers to the test samples, for gates that look at them: of the original, and of the last that was measured. */
static void keep_outcomes(struct mc_run *run, struct mc_outcomes *found)
{
    struct mc_outcomes *place = run->before.scores || run->untrained ? &run->after : &run->before;
    if (!mc_gates_need_outcomes(&run->work.gates)) return;
    mc_outcomes_finish(place);
    *place = *found;
    *found = (struct mc_outcomes){0};
}

/* Metrics of the job's model on the test samples; `into` NULL: for the gates alone. */
static int assess(struct mc_run *run, struct mc_record *into, struct mc_error *err)
{
    struct mc_assessment found;
    if (!run->data || run->data->n[MC_DATA_TEST] == 0) return MC_OK;
    if (!mc_dataset_is_labelled(run->data, MC_DATA_TEST)) return MC_OK;
    const int rc = mc_assess(run->job.model, run->data, MC_DATA_TEST, 0, MC_LOSS_AUTO, run->job.head, &run->job.runtime,
                             &found, err);
    if (rc == MC_OK && into) mc_measure_assessment(&found, run->data, into);
    if (rc == MC_OK) keep_outcomes(run, &found.outcomes);
    mc_assessment_finish(&found);
    return rc;
}

static int measure(struct mc_run *run, bool metrics, struct mc_record *into, struct mc_error *err)
{
    const enum mc_measuring what = (enum mc_measuring)mc_settings_integer(&run->work.top, "measure");
    const int rc = leads(run) ? mc_measure_model(run->job.model, &run->job.runtime, what, into, err) : MC_OK;
    return rc == MC_OK && metrics ? assess(run, into, err) : rc;
}

static void record_settings(const struct mc_settings *settings, struct mc_record *into)
{
    for (size_t i = 0; i < settings->n; i++) {
        const struct mc_option *option = &settings->options[i];
        const struct mc_setting *setting = &settings->values[i];
        if (!setting->present || !mc_settings_condition(settings, option->only)) continue;
        switch (option->kind) {
        case MC_OPTION_FLAG:
            mc_record_set_bool(into, option->name, setting->flag);
            break;
        case MC_OPTION_INTEGER:
            mc_record_set_int(into, option->name, setting->integer);
            break;
        case MC_OPTION_NUMBER:
            mc_record_set_num(into, option->name, setting->number);
            break;
        default:
            mc_record_set_text(into, option->name, setting->path ? mc_path_name(setting->text) : setting->text);
        }
    }
}

void mc_run_record_head(struct mc_run *run)
{
    struct mc_record *r = run->record;
    const struct mc_setting *model = mc_settings_find(&run->work.top, "model");
    mc_record_begin(r, run->recipe->name ? run->recipe->name : "compress");
    mc_context_record(&run->job.runtime, run->seed, r);
    if (run->recipe->name) mc_record_set_text(r, "recipe", run->recipe->name);
    mc_record_set_text(r, "model", mc_path_name(model->text));
    if (run->data) mc_measure_data(run->data, mc_record_object(r, "data"));
}

/* --- models on their way to a file --- */

/* Has none of the first n steps touched anything but the contents of initializers? */
static bool same_graph(const struct mc_run *run, int n)
{
    for (int i = 0; i < n; i++) {
        const struct mc_work_step *step = &run->work.steps[i];
        if (!step->kind->keeps_graph || !step->kind->keeps_graph(&step->settings)) return false;
    }
    return !run->untrained;
}

/* Check what stands in a file that was begun, or, of a pipe, what would. `n_steps` were done. */
static int check_written(struct mc_run *run, const struct mc_file_out *out, int n_steps, struct mc_record *into,
                         struct mc_error *err)
{
    struct mc_file_view view = {0};
    unsigned char *bytes = NULL;
    int rc = out->temporary ? mc_file_open(&view, out->temporary, SIZE_MAX, err)
                            : mc_onnx_save_bytes(run->job.model, &bytes, &view.length, err);
    if (bytes) view.data = bytes;
    if (rc == MC_OK) rc = mc_selfcheck(run->job.model, &view, same_graph(run, n_steps), &run->job.runtime, into, err);
    mc_file_close(&view);
    return rc;
}

/* Begin the file, to be committed with the others; `check` gets what was compared. */
static int write_model(struct mc_run *run, const char *path, int n_steps, struct mc_record *check,
                       struct mc_file_out **file, struct mc_error *err)
{
    struct mc_file_out *out = NULL;
    size_t length;
    int rc = mc_outputs_begin(&run->outputs, path, &out, err);
    if (rc == MC_OK && !out->temporary) rc = check_written(run, out, n_steps, check, err);
    if (rc == MC_OK) rc = mc_onnx_save_into(run->job.model, out, &length, err);
    if (rc == MC_OK) rc = mc_file_flush(out, err);
    if (rc == MC_OK && out->temporary) rc = check_written(run, out, n_steps, check, err);
    if (file) *file = out;
    return rc == MC_OK ? mc_file_settle(out, err) : rc;
}

static int save_stage(struct mc_run *run, int i, struct mc_error *err)
{
    const char *path = save_path(&run->work.steps[i]);
    if (!path) return MC_OK;
    int rc = leads(run) ? write_model(run, path, i + 1, NULL, &run->saved[i], err) : MC_OK;
    rc = mc_peers_agree(run->job.runtime.peers, rc, err);
    return rc < 0 ? mc_error_wrap(err, rc, "'save'") : MC_OK;
}

/* --- steps --- */

/* Does the model go from this step straight to a file and its data file, over 2 GiB together? */
static bool ends_large(const struct mc_run *run, int i)
{
    size_t length;
    return i == run->work.n_steps - 1 && mc_settings_integer(&run->work.top, "measure") == MC_MEASURE_COUNTS &&
           !run->data && mc_onnx_save_size(run->job.model, &length, NULL) == MC_ERR_UNSUPPORTED;
}

/* The form in which the model is written, before it is measured for the last time: later clones would lose it. */
static int settle_form(struct mc_run *run, int n_steps_done, struct mc_error *err)
{
    const bool sparse = strcmp(mc_settings_text(&run->work.output, "form"), "sparse") == 0;
    return sparse && n_steps_done == run->work.n_steps ? mc_onnx_store_sparse(run->job.model, err) : MC_OK;
}

void mc_run_begin_step(struct mc_run *run, int i, struct mc_record *section)
{
    const struct mc_work_step *step = &run->work.steps[i];
    const char *name = mc_settings_text(&step->common, "name");
    run->job.seed = run->seed + (uint64_t)i * SEED_STRIDE;
    mc_record_set_text(section, "step", step->kind->name);
    if (name) mc_record_set_text(section, "name", name);
    record_settings(&step->settings, mc_record_object(section, "options"));
}

/* Where the state of step i's training goes, in fresh memory; *path NULL: nowhere. */
static int find_checkpoint(const struct mc_run *run, int i, char **path, struct mc_error *err)
{
    const char *name = checkpoint_name(&run->work.steps[i]);
    *path = NULL;
    if (run->trial || (!name && !run->stages.dir)) return MC_OK;
    *path = name ? mc_outputs_path(&run->outputs, name) : mc_stages_training(&run->stages, i + 1);
    return *path ? MC_OK : mc_error_memory(err);
}

static int do_step(struct mc_run *run, int i, struct mc_record *section, struct mc_error *err)
{
    struct mc_work_step *step = &run->work.steps[i];
    const int64_t start = mc_clock_ns();
    char *checkpoint = NULL;
    mc_run_begin_step(run, i, section);
    run->job.explain = NULL;
    run->job.defers = !run->trial && ends_large(run, i);
    int rc = find_checkpoint(run, i, &checkpoint, err);
    if (rc == MC_OK && explain_path(step) && !run->trial) {
        rc = mc_record_create(&run->explanations[i], err);
        run->job.explain = run->explanations[i];
    }
    run->job.checkpoint = checkpoint;
    run->job.resumes = run->stages.dir && (run->stages.resume || !checkpoint_name(step));
    if (rc == MC_OK) rc = step->kind->run(&run->job, &step->settings, section, err);
    mc_free(checkpoint);
    mc_record_set_num(section, "seconds", (double)(mc_clock_ns() - start) * 1e-9);
    if (rc == MC_OK) rc = mc_context_report(run->job.context, step->kind->name, i + 1, run->work.n_steps, err);
    if (rc == MC_OK && !run->trial) rc = settle_form(run, i + 1, err);
    if (rc == MC_OK && !run->trial) rc = measure(run, true, mc_record_object(section, "result"), err);
    return rc < 0 ? mc_error_wrap(err, rc, "step %d (%s)", i + 1, step->kind->name) : MC_OK;
}

/* Do step i, and keep what comes of it where the run keeps anything. */
static int do_and_keep(struct mc_run *run, int i, struct mc_record *section, struct mc_error *err)
{
    const char *name = run->work.steps[i].kind->name;
    mc_stages_log(&run->stages, run->job.context, "step %d (%s): begun", i + 1, name);
    int rc = do_step(run, i, section, err);
    if (rc == MC_OK && run->stages.dir)
        rc = mc_stages_save(&run->stages, i + 1, run->job.model, section, run->explanations[i], err);
    if (rc == MC_OK) rc = save_stage(run, i, err);
    mc_stages_log(&run->stages, run->job.context, "step %d (%s): %s", i + 1, name, mc_status_name(rc));
    return rc;
}

/* The model that step i left, from its bytes. */
static int restore_model(struct mc_run *run, const unsigned char *bytes, size_t length, struct mc_error *err)
{
    struct mc_model *model;
    const int rc = mc_onnx_load_bytes(&model, bytes, length, NULL, "the model that was kept", err);
    if (rc < 0) return rc;
    mc_ops_bind(model);
    mc_model_destroy(run->job.model);
    run->job.model = model;
    return settle_dims(run, err);
}

/* Step i as it was done before: its part of the record, and of `last` the model. */
static int restore_step(struct mc_run *run, int i, bool last, struct mc_error *err)
{
    const char *path = save_path(&run->work.steps[i]);
    unsigned char *bytes = NULL;
    size_t length = 0;
    int rc = mc_stages_load(&run->stages, i + 1, mc_record_array(run->record, "steps"), NULL, &run->explanations[i],
                            last || path ? &bytes : NULL, &length, err);
    if (rc == MC_OK && last) rc = restore_model(run, bytes, length, err);
    if (rc == MC_OK && last) rc = settle_form(run, i + 1, err);
    if (rc == MC_OK && path) rc = mc_outputs_begin(&run->outputs, path, &run->saved[i], err);
    if (rc == MC_OK && path) rc = mc_file_write(run->saved[i], bytes, length, err);
    if (rc == MC_OK && path) rc = mc_file_settle(run->saved[i], err);
    mc_free(bytes);
    mc_stages_log(&run->stages, run->job.context, "step %d (%s): as it was done before", i + 1,
                  run->work.steps[i].kind->name);
    return rc;
}

/* Everything up to the last stage that is there. Gates that look at answers need them again. */
static int restore(struct mc_run *run, struct mc_error *err)
{
    const int n = run->stages.n_known - 1;
    const bool answers = mc_gates_need_outcomes(&run->work.gates);
    int rc = answers && !run->untrained ? assess(run, NULL, err) : MC_OK;
    if (rc == MC_OK) rc = mc_stages_load(&run->stages, 0, run->record, "original", NULL, NULL, NULL, err);
    mc_record_array(run->record, "steps");
    for (int i = 0; rc == MC_OK && i < n; i++) rc = restore_step(run, i, i == n - 1, err);
    return rc == MC_OK && answers && n > 0 ? assess(run, NULL, err) : rc;
}

static int begin_record(struct mc_run *run, struct mc_error *err)
{
    struct mc_record *original = mc_record_object(run->record, "original");
    int rc = settle_form(run, 0, err);
    if (rc == MC_OK) rc = measure(run, !run->untrained, original, err);
    if (rc == MC_OK) rc = mc_measure_graph(run->job.model, original, err);
    mc_record_array(run->record, "steps");
    if (rc < 0 || !run->stages.dir) return rc;
    return mc_stages_save(&run->stages, 0, run->job.model, original, NULL, err);
}

static int do_steps(struct mc_run *run, struct mc_error *err)
{
    const int known = run->stages.dir ? run->stages.n_known : 0;
    int rc = known > 0 ? restore(run, err) : begin_record(run, err);
    struct mc_record *steps = mc_record_array(run->record, "steps");
    for (int i = known > 0 ? known - 1 : 0; rc == MC_OK && i < run->work.n_steps; i++)
        rc = do_and_keep(run, i, mc_record_append_object(steps), err);
    if (rc == MC_INTERRUPTED && run->stages.dir && err && !*err->hint)
        mc_error_hint(err, "'%s' has what was done: --resume goes on", run->stages.dir);
    return rc;
}

int mc_run_record_final(struct mc_run *run, struct mc_error *err)
{
    const struct mc_record *steps = mc_record_get(run->record, "steps");
    const size_t n = mc_record_size(steps);
    const struct mc_record *last =
        n > 0 ? mc_record_get(mc_record_at(steps, n - 1), "result") : mc_record_get(run->record, "original");
    mc_record_set_record(run->record, "final", last);
    return mc_measure_graph(run->job.model, mc_record_object(run->record, "final"), err);
}

/* A record of a run has what it came to under "final"; one of a measurement is it. */
static const struct mc_record *baseline_of(const struct mc_run *run)
{
    const struct mc_record *final = run->baseline ? mc_record_get(run->baseline, "final") : NULL;
    return final ? final : run->baseline;
}

static int hold_gates(struct mc_run *run, struct mc_error *err)
{
    int rc = mc_gates_need_turns(&run->work.gates) ? mc_measure_turns(run->original, run->job.model, &run->job.runtime,
                                                                      mc_record_object(run->record, "final"), err)
                                                   : MC_OK;
    if (rc < 0) return rc;
    struct mc_record *gates = mc_record_array(run->record, "gates");
    const struct mc_gate_evidence evidence = {
        .original = mc_record_get(run->record, "original"),
        .final = mc_record_get(run->record, "final"),
        .baseline = baseline_of(run),
        .before = run->before.scores ? &run->before : NULL,
        .after = run->after.scores    ? &run->after
                 : run->before.scores ? &run->before
                                      : NULL,
        .seed = run->seed,
    };
    rc = mc_gates_check(&run->work.gates, &evidence, gates, &run->held, err);
    mc_record_set_bool(run->record, "gates_held", run->held);
    return rc;
}

/* --- outputs --- */

static void record_output(struct mc_run *run, const char *kind, const char *path, size_t bytes)
{
    struct mc_record *output = mc_record_append_object(mc_record_array(run->record, "outputs"));
    char *full = mc_outputs_path(&run->outputs, path);
    mc_record_set_text(output, "kind", kind);
    mc_record_set_text(output, "path", full);
    if (bytes) mc_record_set_int(output, "bytes", (int64_t)bytes);
    mc_free(full);
}

static bool writes_models(const struct mc_run *run)
{
    return run->held || mc_settings_flag(&run->work.output, "always");
}

/* What steps have saved stays with the result, or goes with it. */
static void keep_stages(struct mc_run *run)
{
    for (int i = 0; i < run->work.n_steps; i++) {
        if (run->saved[i] && writes_models(run)) record_output(run, "stage", save_path(&run->work.steps[i]), 0);
        if (run->saved[i] && !writes_models(run)) mc_file_abort(run->saved[i]);
    }
}

/* A model in one file is checked as it stands there, or would, before it gets its name. One over 2 GiB has its data
 * beside it and is written at the end, by commit_large. */
static int add_model(struct mc_run *run, bool *large, struct mc_error *err)
{
    const char *path = mc_settings_text(&run->work.output, "model");
    size_t length = 0;
    *large = false;
    if (!path || !writes_models(run)) return MC_OK;
    int rc = mc_onnx_save_size(run->job.model, &length, err);
    *large = rc == MC_ERR_UNSUPPORTED;
    if (*large)
        rc = MC_OK;
    else if (rc == MC_OK)
        rc = write_model(run, path, run->work.n_steps, mc_record_object(run->record, "self_check"), NULL, err);
    if (rc == MC_OK) record_output(run, "model", path, *large ? 0 : length);
    return rc;
}

/* The container of the file that output.model is, or would be. */
static int add_packed(struct mc_run *run, struct mc_error *err)
{
    const char *path = mc_settings_text(&run->work.output, "packed");
    if (!path || !writes_models(run)) return MC_OK;
    unsigned char *bytes = NULL;
    size_t length;
    struct mc_buf packed;
    mc_buf_init(&packed, SIZE_MAX / 2);
    int rc = mc_onnx_save_bytes(run->job.model, &bytes, &length, err);
    if (rc == MC_OK) rc = mc_container_pack(&packed, bytes, length, mc_packed_level(MC_PACK_AUTO, length), err);
    mc_free(bytes);
    if (rc == MC_OK) rc = mc_outputs_add(&run->outputs, path, packed.data, packed.length, err);
    if (rc == MC_OK) record_output(run, "packed", path, packed.length);
    mc_buf_finish(&packed);
    return rc < 0 ? mc_error_wrap(err, rc, "cannot pack the model") : MC_OK;
}

static int add_record(struct mc_run *run, const struct mc_record *record, enum mc_format format, const char *path,
                      struct mc_error *err)
{
    struct mc_buf text;
    int rc = mc_report_render(record, format, &text, err);
    if (rc < 0) return rc;
    rc = mc_outputs_add(&run->outputs, path, text.data, text.length, err);
    mc_buf_finish(&text);
    return rc;
}

/* Reports name all files, so these are known before the first report is rendered. */
static int add_reports(struct mc_run *run, struct mc_error *err)
{
    int rc = MC_OK;
    for (int i = 0; i < run->work.n_steps; i++)
        if (run->explanations[i]) record_output(run, "explanation", explain_path(&run->work.steps[i]), 0);
    for (int kind = 0; kind < MC_REPORT_KINDS; kind++)
        if (wants_report(run, kind)) record_output(run, "report", reports[kind].path, 0);
    rc = mc_record_check(run->record, err);
    for (int i = 0; rc == MC_OK && i < run->work.n_steps; i++)
        if (run->explanations[i])
            rc = add_record(run, run->explanations[i], MC_FORMAT_JSON, explain_path(&run->work.steps[i]), err);
    for (int kind = 0; rc == MC_OK && kind < MC_REPORT_KINDS; kind++)
        if (wants_report(run, kind)) rc = add_record(run, run->record, reports[kind].format, reports[kind].path, err);
    return rc;
}

static int commit_large(struct mc_run *run, struct mc_error *err)
{
    char *path = mc_outputs_path(&run->outputs, mc_settings_text(&run->work.output, "model"));
    const struct mc_onnx_save_options options = {.overwrite = run->outputs.overwrite};
    const int rc = path ? mc_onnx_save(run->job.model, path, &options, err) : mc_error_memory(err);
    mc_free(path);
    return rc;
}

static int write_outputs(struct mc_run *run, struct mc_error *err)
{
    bool large;
    int rc = add_model(run, &large, err);
    if (rc == MC_OK) rc = add_packed(run, err);
    keep_stages(run);
    if (rc == MC_OK) rc = add_reports(run, err);
    if (rc == MC_OK && large) rc = commit_large(run, err);
    return rc == MC_OK ? mc_outputs_commit(&run->outputs, err) : rc;
}

/* --- the whole --- */

/* Steps, gates, outputs of a run that is prepared; MC_OK with run->held false if a gate did not hold, which
 * `gate_error` then tells. */
static int work(struct mc_run *run, struct mc_error *gate_error, struct mc_error *err)
{
    const int64_t start = mc_clock_ns();
    int rc = do_steps(run, err);
    if (rc == MC_OK) rc = mc_run_record_final(run, err);
    if (rc == MC_OK) rc = mc_record_check(run->record, err);
    if (rc == MC_OK && leads(run)) {
        rc = hold_gates(run, gate_error);
        if (rc < 0 && err) *err = *gate_error;
    }
    mc_record_set_num(run->record, "seconds", (double)(mc_clock_ns() - start) * 1e-9);
    rc = mc_peers_agree(run->job.runtime.peers, rc, err); /* nothing is written if anybody has failed */
    return rc == MC_OK && leads(run) ? write_outputs(run, err) : rc;
}

/* `keep`: in the folder of the outputs, which is then a run directory. */
static int execute(struct mc_run *run, const struct mc_context *context, bool keep, struct mc_error *err)
{
    struct mc_error gate_error = {0};
    int rc = mc_run_prepare(run, context, err);
    if (rc == MC_OK && keep)
        rc = mc_stages_open(&run->stages, run->outputs.dir, run->stages.resume, run->outputs.overwrite, err);
    if (rc == MC_OK && keep) rc = mc_stages_find(&run->stages, run, err);
    if (rc == MC_OK) rc = mc_record_create(&run->record, err);
    if (rc < 0) return rc;
    mc_run_record_head(run);
    rc = work(run, &gate_error, err);
    mc_stages_log(&run->stages, context, "%s", rc < 0 ? mc_status_name(rc) : run->held ? "done" : gate_error.text);
    if (rc == MC_OK && keep)
        rc = mc_stages_end(&run->stages, run->record, run->work.n_steps, run->stages.resume || !run->held, err);
    if (rc < 0 || run->held || !leads(run)) return rc;
    if (err) *err = gate_error;
    return MC_GATE_FAILED;
}

void mc_run_finish(struct mc_run *run)
{
    for (int i = 0; i < MC_MOST_STEPS; i++) mc_record_destroy(run->explanations[i]);
    mc_outputs_finish(&run->outputs);
    mc_stages_finish(&run->stages);
    mc_model_destroy(run->job.model);
    mc_model_destroy(run->original);
    mc_dataset_destroy(run->data);
    mc_record_destroy(run->baseline);
    mc_outcomes_finish(&run->before);
    mc_outcomes_finish(&run->after);
    mc_dataset_destroy(run->whole);
    mc_work_finish(&run->work);
}

static int run_recipe(struct mc_run *run, const struct mc_context *context, const char *dir, bool overwrite, bool keep,
                      struct mc_record **record, struct mc_error *err)
{
    struct mc_peers *peers = context ? context->peers : NULL;
    int rc = mc_outputs_init(&run->outputs, dir, overwrite, err);
    if (rc == MC_OK && peers && run->stages.resume)
        rc = mc_error_set(err, MC_ERR_USAGE, "processes that work together keep nothing to go on from");
    if (rc == MC_OK) rc = execute(run, context, keep && !peers, err);
    rc = mc_peers_agree(peers, rc, err);
    mc_run_finish(run);
    if (rc == MC_OK || rc == MC_GATE_FAILED)
        *record = run->record;
    else
        mc_record_destroy(run->record);
    return rc;
}

int mc_recipe_run(struct mc_recipe *recipe, const struct mc_context *context, const char *out_dir, bool overwrite,
                  struct mc_record **record, struct mc_error *err)
{
    struct mc_run run = {.recipe = recipe};
    return run_recipe(&run, context, out_dir, overwrite, false, record, err);
}

/* What lies in a folder that a run has begun in may be that run's own: it was killed as it put its files there. */
static bool was_begun(const char *dir)
{
    char *path = mc_path_join(dir, "run");
    const bool begun = path && mc_file_size(path) >= 0;
    mc_free(path);
    return begun;
}

int mc_recipe_run_in(struct mc_recipe *recipe, const struct mc_context *context, const char *dir, bool overwrite,
                     bool resume, struct mc_record **record, struct mc_error *err)
{
    struct mc_run run = {.recipe = recipe, .stages.resume = resume};
    return run_recipe(&run, context, dir, overwrite || (resume && was_begun(dir)), true, record, err);
}

/* --- trials --- */

/* Of the file or of the container that the result would be. */
static int count_bytes(const struct mc_run *run, enum mc_trial_size size, size_t *bytes, struct mc_error *err)
{
    unsigned char *file = NULL;
    size_t length;
    struct mc_buf packed;
    if (size == MC_TRIAL_NO_SIZE) return MC_OK;
    if (size == MC_TRIAL_FILE) return mc_onnx_save_size(run->job.model, bytes, err);
    mc_buf_init(&packed, SIZE_MAX / 2);
    int rc = mc_onnx_save_bytes(run->job.model, &file, &length, err);
    if (rc == MC_OK) rc = mc_container_pack(&packed, file, length, mc_packed_level(MC_PACK_AUTO, length), err);
    *bytes = packed.length;
    mc_buf_finish(&packed);
    mc_free(file);
    return rc;
}

static int try_steps(struct mc_run *run, struct mc_trial_found *found, struct mc_error *err)
{
    struct mc_record *steps = mc_record_array(run->record, "steps");
    const int n = run->trial->untouched ? 0 : run->work.n_steps;
    int rc = MC_OK;
    for (int i = 0; rc == MC_OK && i < n; i++) rc = do_step(run, i, mc_record_append_object(steps), err);
    if (rc == MC_OK)
        rc = mc_evaluate(run->job.model, run->data, MC_DATA_VALIDATION, 0, MC_LOSS_AUTO, run->job.head,
                         &run->job.runtime, &found->metrics, err);
    return rc == MC_OK ? count_bytes(run, run->trial->size, &found->bytes, err) : rc;
}

int mc_recipe_try(struct mc_recipe *recipe, const struct mc_context *context, const struct mc_trial *trial,
                  struct mc_trial_found *found, struct mc_error *err)
{
    struct mc_run run = {.recipe = recipe, .trial = trial};
    *found = (struct mc_trial_found){0};
    int rc = mc_run_prepare(&run, context, err);
    if (rc == MC_OK && !run.data)
        rc = mc_error_set(err, MC_ERR_USAGE, "'data' is missing, by which trials are compared");
    if (rc == MC_OK && run.data->n[MC_DATA_VALIDATION] == 0)
        rc = mc_error_set(err, MC_ERR_USAGE, "there are no validation samples: set validation= in 'data', or folds");
    if (rc == MC_OK) rc = mc_record_create(&run.record, err);
    if (rc == MC_OK) {
        rc = try_steps(&run, found, err);
        found->failed = rc == MC_ERR_INPUT; /* the loss became infinite, say: nothing is wrong with the other trials */
        mc_record_destroy(run.record);
    }
    mc_run_finish(&run);
    return rc;
}
