/* run.c - a recipe from its check to its outputs; see mc_recipe_run in compress.h. */
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
#include "recipe/outputs.h"
#include "recipe/parts.h"
#include "recipe/recipe.h"
#include "recipe/selfcheck.h"
#include "recipe/trial.h"
#include "recipe/work.h"
#include "report/print.h"

/* The seeds of two steps are this far apart; the first step has the recipe's own. */
enum { SEED_STRIDE = 1000003 };

/* Each may write an explanation, beside the model, its container and the reports. */
enum { MOST_STEPS = MC_MOST_OUTPUTS - 2 - MC_REPORT_KINDS };

struct run {
    const struct mc_recipe *recipe;
    struct mc_work work;
    struct mc_job job;
    struct mc_dataset *data;
    struct mc_model *original; /* if a step needs it */
    bool untrained;            /* the model is an architecture fresh from its seed */
    uint64_t seed;
    struct mc_outputs outputs;
    struct mc_record *record;
    struct mc_record *baseline;       /* of an earlier run, if a gate asks for it */
    struct mc_outcomes before, after; /* answers of the original and of the result, if a gate asks for them */
    struct mc_record *explanations[MC_MOST_OUTPUTS]; /* one per step, or NULL */
    bool held;
    const struct mc_trial *trial; /* NULL: the whole recipe */
    struct mc_dataset *whole;     /* of which `data` is a fold; NULL: it is no fold */
};

/* Of processes that work together one measures what all would find, judges and writes. */
static bool leads(const struct run *run)
{
    return mc_peers_leads(run->job.runtime.peers);
}

/* --- getting ready: everything that can be wrong is found here --- */

static int open_data(struct run *run, struct mc_error *err)
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

static int load_baseline(struct run *run, struct mc_error *err)
{
    const struct mc_setting *baseline = mc_settings_find(&run->work.gates, "baseline");
    if (!baseline->given) return MC_OK;
    char *path = mc_path_join(baseline->at->source->dir, baseline->text);
    const int rc = path ? mc_record_load(&run->baseline, path, err) : mc_error_memory(err);
    mc_free(path);
    return rc < 0 ? mc_yaml_wrap(baseline->at, rc, err) : MC_OK;
}

/* The model that a setting names, its functions put in the place of their calls, with its operators bound. */
static int load_model(struct run *run, const struct mc_setting *setting, struct mc_model **model, struct mc_error *err)
{
    const int rc = setting->path ? mc_packed_load(model, setting->path, err)
                                 : mc_architecture_create(model, setting->text, run->data, run->seed, err);
    if (rc < 0) return setting->path ? rc : mc_yaml_wrap(setting->at, rc, err);
    return mc_flatten(*model, err);
}

/* Models that steps name beside the recipe's own. */
static int load_references(struct run *run, struct mc_settings *settings, struct mc_error *err)
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

static int settle_dims(struct run *run, struct mc_error *err)
{
    const struct mc_setting *dims = mc_settings_find(&run->work.top, "dims");
    if (!dims->given) return MC_OK;
    const int rc = mc_model_set_extents(run->job.model, dims->text, err);
    return rc < 0 ? mc_yaml_wrap(dims->at, rc, err) : MC_OK;
}

static int load_models(struct run *run, struct mc_error *err)
{
    const struct mc_setting *model = mc_settings_find(&run->work.top, "model");
    run->untrained = !model->path;
    int rc = load_model(run, model, &run->job.model, err);
    if (rc == MC_OK) rc = settle_dims(run, err);
    bool keep = false;
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

static bool wants_report(const struct run *run, int kind)
{
    return (mc_settings_integer(&run->work.output, "report") >> kind & 1) != 0;
}

/* The file in which a step is to explain itself, or NULL. */
static const char *explain_path(const struct mc_work_step *step)
{
    return mc_settings_has(&step->settings, "explain") ? mc_settings_text(&step->settings, "explain") : NULL;
}

/* Where a step saves its state, or NULL. */
static const char *checkpoint_name(const struct mc_work_step *step)
{
    return mc_settings_has(&step->settings, "checkpoint") ? mc_settings_text(&step->settings, "checkpoint") : NULL;
}

/* A checkpoint that exists is gone on from or begun anew, but only if somebody says so; and no two steps share one. */
static int allow_checkpoint(const struct run *run, int i, struct mc_error *err)
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
    if (mc_settings_flag(&step->settings, "resume")) return MC_OK;
    const int rc = mc_outputs_allow(&run->outputs, name, err);
    if (rc == MC_ERR_USAGE) mc_error_hint(err, "--resume goes on from it, -f begins anew");
    return rc;
}

static int allow_outputs(const struct run *run, struct mc_error *err)
{
    const char *model = mc_settings_text(&run->work.output, "model");
    const char *packed = mc_settings_text(&run->work.output, "packed");
    int rc = model ? mc_outputs_allow(&run->outputs, model, err) : MC_OK;
    if (rc == MC_OK && packed) rc = mc_outputs_allow(&run->outputs, packed, err);
    for (int kind = 0; rc == MC_OK && kind < MC_REPORT_KINDS; kind++)
        if (wants_report(run, kind)) rc = mc_outputs_allow(&run->outputs, reports[kind].path, err);
    for (int i = 0; rc == MC_OK && i < run->work.n_steps; i++)
        if (explain_path(&run->work.steps[i]))
            rc = mc_outputs_allow(&run->outputs, explain_path(&run->work.steps[i]), err);
    for (int i = 0; rc == MC_OK && i < run->work.n_steps; i++) rc = allow_checkpoint(run, i, err);
    if (rc == MC_OK && run->work.n_steps > MOST_STEPS)
        rc = mc_error_set(err, MC_ERR_USAGE, "%d steps are more than the %d that are taken", run->work.n_steps,
                          MOST_STEPS);
    return rc;
}

static int prepare(struct run *run, const struct mc_context *context, struct mc_error *err)
{
    run->job.context = context;
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
static void keep_outcomes(struct run *run, struct mc_outcomes *found)
{
    struct mc_outcomes *place = run->before.scores || run->untrained ? &run->after : &run->before;
    if (!mc_gates_need_outcomes(&run->work.gates)) return;
    mc_outcomes_finish(place);
    *place = *found;
    *found = (struct mc_outcomes){0};
}

static int measure(struct run *run, bool metrics, struct mc_record *into, struct mc_error *err)
{
    const enum mc_measuring what = (enum mc_measuring)mc_settings_integer(&run->work.top, "measure");
    int rc = leads(run) ? mc_measure_model(run->job.model, &run->job.runtime, what, into, err) : MC_OK;
    if (rc < 0 || !metrics || !run->data || run->data->n[MC_DATA_TEST] == 0) return rc;
    if (!mc_dataset_is_labelled(run->data, MC_DATA_TEST)) return rc;
    struct mc_assessment found;
    rc = mc_assess(run->job.model, run->data, MC_DATA_TEST, 0, MC_LOSS_AUTO, run->job.head, &run->job.runtime, &found,
                   err);
    if (rc == MC_OK) mc_measure_assessment(&found, run->data, into);
    if (rc == MC_OK) keep_outcomes(run, &found.outcomes);
    mc_assessment_finish(&found);
    return rc;
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

static void record_head(struct run *run)
{
    struct mc_record *r = run->record;
    const struct mc_setting *model = mc_settings_find(&run->work.top, "model");
    mc_record_begin(r, run->recipe->name ? run->recipe->name : "compress");
    mc_context_record(&run->job.runtime, run->seed, r);
    if (run->recipe->name) mc_record_set_text(r, "recipe", run->recipe->name);
    mc_record_set_text(r, "model", mc_path_name(model->text));
    if (run->data) mc_measure_data(run->data, mc_record_object(r, "data"));
}

/* --- steps --- */

/* Does the model go from this step straight to a file and its data file, over 2 GiB together? */
static bool ends_large(const struct run *run, int i)
{
    size_t length;
    return i == run->work.n_steps - 1 && mc_settings_integer(&run->work.top, "measure") == MC_MEASURE_COUNTS &&
           !run->data && mc_onnx_save_size(run->job.model, &length, NULL) == MC_ERR_UNSUPPORTED;
}

/* The form in which the model is written, before it is measured for the last time: later clones would lose it. */
static int settle_form(struct run *run, int n_steps_done, struct mc_error *err)
{
    const bool sparse = strcmp(mc_settings_text(&run->work.output, "form"), "sparse") == 0;
    return sparse && n_steps_done == run->work.n_steps ? mc_onnx_store_sparse(run->job.model, err) : MC_OK;
}

static int do_step(struct run *run, int i, struct mc_record *section, struct mc_error *err)
{
    struct mc_work_step *step = &run->work.steps[i];
    const int64_t start = mc_clock_ns();
    run->job.seed = run->seed + (uint64_t)i * SEED_STRIDE;
    run->job.explain = NULL;
    run->job.defers = !run->trial && ends_large(run, i);
    if (explain_path(step) && !run->trial) {
        const int rc = mc_record_create(&run->explanations[i], err);
        if (rc < 0) return rc;
        run->job.explain = run->explanations[i];
    }
    mc_record_set_text(section, "step", step->kind->name);
    record_settings(&step->settings, mc_record_object(section, "options"));
    const char *name = run->trial ? NULL : checkpoint_name(step);
    char *checkpoint = name ? mc_outputs_path(&run->outputs, name) : NULL;
    if (name && !checkpoint) return mc_error_memory(err);
    run->job.checkpoint = checkpoint;
    int rc = step->kind->run(&run->job, &step->settings, section, err);
    mc_free(checkpoint);
    mc_record_set_num(section, "seconds", (double)(mc_clock_ns() - start) * 1e-9);
    if (rc == MC_OK) rc = mc_context_report(run->job.context, step->kind->name, i + 1, run->work.n_steps, err);
    if (rc == MC_OK && !run->trial) rc = settle_form(run, i + 1, err);
    if (rc == MC_OK && !run->trial) rc = measure(run, true, mc_record_object(section, "result"), err);
    return rc < 0 ? mc_error_wrap(err, rc, "step %d (%s)", i + 1, step->kind->name) : MC_OK;
}

static int do_steps(struct run *run, struct mc_error *err)
{
    struct mc_record *original = mc_record_object(run->record, "original");
    int rc = settle_form(run, 0, err);
    if (rc == MC_OK) rc = measure(run, !run->untrained, original, err);
    if (rc == MC_OK) rc = mc_measure_graph(run->job.model, original, err);
    struct mc_record *steps = mc_record_array(run->record, "steps");
    for (int i = 0; rc == MC_OK && i < run->work.n_steps; i++)
        rc = do_step(run, i, mc_record_append_object(steps), err);
    return rc;
}

/* The last measurement once more, under a name that does not depend on the number of steps, and with the graph. */
static int record_final(struct run *run, struct mc_error *err)
{
    const struct mc_record *steps = mc_record_get(run->record, "steps");
    const size_t n = mc_record_size(steps);
    const struct mc_record *last =
        n > 0 ? mc_record_get(mc_record_at(steps, n - 1), "result") : mc_record_get(run->record, "original");
    mc_record_set_record(run->record, "final", last);
    return mc_measure_graph(run->job.model, mc_record_object(run->record, "final"), err);
}

/* A record of a run has what it came to under "final"; one of a measurement is it. */
static const struct mc_record *baseline_of(const struct run *run)
{
    const struct mc_record *final = run->baseline ? mc_record_get(run->baseline, "final") : NULL;
    return final ? final : run->baseline;
}

static int hold_gates(struct run *run, struct mc_error *err)
{
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
    const int rc = mc_gates_check(&run->work.gates, &evidence, gates, &run->held, err);
    mc_record_set_bool(run->record, "gates_held", run->held);
    return rc;
}

/* --- outputs --- */

static void record_output(struct run *run, const char *kind, const char *path, size_t bytes)
{
    struct mc_record *output = mc_record_append_object(mc_record_array(run->record, "outputs"));
    char *full = mc_outputs_path(&run->outputs, path);
    mc_record_set_text(output, "kind", kind);
    mc_record_set_text(output, "path", full);
    if (bytes) mc_record_set_int(output, "bytes", (int64_t)bytes);
    mc_free(full);
}

/* Has no step touched anything but the contents of initializers? */
static bool same_graph(const struct run *run)
{
    for (int i = 0; i < run->work.n_steps; i++) {
        const struct mc_work_step *step = &run->work.steps[i];
        if (!step->kind->keeps_graph || !step->kind->keeps_graph(&step->settings)) return false;
    }
    return !run->untrained;
}

/* Check what stands in a file that was begun, or, of a pipe, what would. */
static int check_written(struct run *run, const struct mc_file_out *out, struct mc_error *err)
{
    struct mc_record *check = mc_record_object(run->record, "self_check");
    struct mc_file_view view = {0};
    unsigned char *bytes = NULL;
    int rc = out->temporary ? mc_file_open(&view, out->temporary, SIZE_MAX, err)
                            : mc_onnx_save_bytes(run->job.model, &bytes, &view.length, err);
    if (bytes) view.data = bytes;
    if (rc == MC_OK) rc = mc_selfcheck(run->job.model, &view, same_graph(run), &run->job.runtime, check, err);
    mc_file_close(&view);
    return rc;
}

static int write_model(struct run *run, const char *path, size_t *length, struct mc_error *err)
{
    struct mc_file_out *out = NULL;
    int rc = mc_outputs_begin(&run->outputs, path, &out, err);
    if (rc == MC_OK && !out->temporary) rc = check_written(run, out, err);
    if (rc == MC_OK) rc = mc_onnx_save_into(run->job.model, out, length, err);
    if (rc == MC_OK) rc = mc_file_flush(out, err);
    if (rc == MC_OK && out->temporary) rc = check_written(run, out, err);
    return rc == MC_OK ? mc_file_settle(out, err) : rc;
}

/* A model in one file is checked as it stands there, or would, before it gets its name. One over 2 GiB has its data
 * beside it and is written at the end, by commit_large. */
static int add_model(struct run *run, bool *large, struct mc_error *err)
{
    const char *path = mc_settings_text(&run->work.output, "model");
    size_t length = 0;
    *large = false;
    if (!path || (!run->held && !mc_settings_flag(&run->work.output, "always"))) return MC_OK;
    int rc = mc_onnx_save_size(run->job.model, &length, err);
    *large = rc == MC_ERR_UNSUPPORTED;
    if (*large)
        rc = MC_OK;
    else if (rc == MC_OK)
        rc = write_model(run, path, &length, err);
    if (rc == MC_OK) record_output(run, "model", path, *large ? 0 : length);
    return rc;
}

/* The container of the file that output.model is, or would be. */
static int add_packed(struct run *run, struct mc_error *err)
{
    const char *path = mc_settings_text(&run->work.output, "packed");
    if (!path || (!run->held && !mc_settings_flag(&run->work.output, "always"))) return MC_OK;
    unsigned char *bytes = NULL;
    size_t length;
    struct mc_buf packed;
    mc_buf_init(&packed, SIZE_MAX / 2);
    int rc = mc_onnx_save_bytes(run->job.model, &bytes, &length, err);
    if (rc == MC_OK) rc = mc_container_pack(&packed, bytes, length, mc_packed_level(MC_PACK_AUTO, length), NULL, err);
    mc_free(bytes);
    if (rc == MC_OK) rc = mc_outputs_add(&run->outputs, path, packed.data, packed.length, err);
    if (rc == MC_OK) record_output(run, "packed", path, packed.length);
    mc_buf_finish(&packed);
    return rc < 0 ? mc_error_wrap(err, rc, "cannot pack the model") : MC_OK;
}

static int add_record(struct run *run, const struct mc_record *record, enum mc_format format, const char *path,
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
static int add_reports(struct run *run, struct mc_error *err)
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

static int commit_large(struct run *run, struct mc_error *err)
{
    char *path = mc_outputs_path(&run->outputs, mc_settings_text(&run->work.output, "model"));
    const struct mc_onnx_save_options options = {.overwrite = run->outputs.overwrite};
    const int rc = path ? mc_onnx_save(run->job.model, path, &options, err) : mc_error_memory(err);
    mc_free(path);
    return rc;
}

static int write_outputs(struct run *run, struct mc_error *err)
{
    bool large;
    int rc = add_model(run, &large, err);
    if (rc == MC_OK) rc = add_packed(run, err);
    if (rc == MC_OK) rc = add_reports(run, err);
    if (rc == MC_OK && large) rc = commit_large(run, err);
    return rc == MC_OK ? mc_outputs_commit(&run->outputs, err) : rc;
}

/* --- the whole --- */

static int execute(struct run *run, const struct mc_context *context, struct mc_error *err)
{
    const int64_t start = mc_clock_ns();
    struct mc_error gate_error = {0};
    int rc = prepare(run, context, err);
    if (rc == MC_OK) rc = mc_record_create(&run->record, err);
    if (rc < 0) return rc;
    record_head(run);
    rc = do_steps(run, err);
    if (rc == MC_OK) rc = record_final(run, err);
    if (rc == MC_OK) rc = mc_record_check(run->record, err);
    if (rc == MC_OK && leads(run)) {
        rc = hold_gates(run, &gate_error);
        if (rc < 0 && err) *err = gate_error;
    }
    mc_record_set_num(run->record, "seconds", (double)(mc_clock_ns() - start) * 1e-9);
    rc = mc_peers_agree(run->job.runtime.peers, rc, err); /* nothing is written if anybody has failed */
    if (rc < 0 || !leads(run)) return rc;
    rc = write_outputs(run, err);
    if (rc < 0 || run->held) return rc;
    if (err) *err = gate_error;
    return MC_GATE_FAILED;
}

static void finish(struct run *run)
{
    for (int i = 0; i < MC_MOST_OUTPUTS; i++) mc_record_destroy(run->explanations[i]);
    mc_outputs_finish(&run->outputs);
    mc_model_destroy(run->job.model);
    mc_model_destroy(run->original);
    mc_dataset_destroy(run->data);
    mc_record_destroy(run->baseline);
    mc_outcomes_finish(&run->before);
    mc_outcomes_finish(&run->after);
    mc_dataset_destroy(run->whole);
    mc_work_finish(&run->work);
}

int mc_recipe_run(struct mc_recipe *recipe, const struct mc_context *context, const char *out_dir, bool overwrite,
                  struct mc_record **record, struct mc_error *err)
{
    struct run run = {.recipe = recipe};
    int rc = mc_outputs_init(&run.outputs, out_dir, overwrite, err);
    if (rc == MC_OK) rc = execute(&run, context, err);
    rc = mc_peers_agree(context ? context->peers : NULL, rc, err);
    finish(&run);
    if (rc == MC_OK || rc == MC_GATE_FAILED)
        *record = run.record;
    else
        mc_record_destroy(run.record);
    return rc;
}

/* --- trials --- */

static int try_steps(struct run *run, struct mc_metrics *metrics, struct mc_error *err)
{
    struct mc_record *steps = mc_record_array(run->record, "steps");
    int rc = MC_OK;
    for (int i = 0; rc == MC_OK && i < run->work.n_steps; i++)
        rc = do_step(run, i, mc_record_append_object(steps), err);
    if (rc == MC_OK)
        rc = mc_evaluate(run->job.model, run->data, MC_DATA_VALIDATION, 0, MC_LOSS_AUTO, run->job.head,
                         &run->job.runtime, metrics, err);
    return rc;
}

int mc_recipe_try(struct mc_recipe *recipe, const struct mc_context *context, const struct mc_trial *trial,
                  struct mc_metrics *metrics, bool *failed, struct mc_error *err)
{
    struct run run = {.recipe = recipe, .trial = trial};
    *failed = false;
    int rc = prepare(&run, context, err);
    if (rc == MC_OK && !run.data)
        rc = mc_error_set(err, MC_ERR_USAGE, "'data' is missing, by which trials are compared");
    if (rc == MC_OK && run.data->n[MC_DATA_VALIDATION] == 0)
        rc = mc_error_set(err, MC_ERR_USAGE, "there are no validation samples: set validation= in 'data', or folds");
    if (rc == MC_OK) rc = mc_record_create(&run.record, err);
    if (rc == MC_OK) {
        rc = try_steps(&run, metrics, err);
        *failed = rc == MC_ERR_INPUT; /* the loss became infinite, say: nothing is wrong with the other trials */
        mc_record_destroy(run.record);
    }
    finish(&run);
    return rc;
}
