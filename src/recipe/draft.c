/* draft.c - a recipe that fits a model and a data set; see mc_recipe_draft in compress.h.
 *
 * Steps are proposed one by one and kept if the recipe with them passes its check: what cannot be done to this model
 * stands in the file as a comment with the reason. Bounds of gates are what the check came to.
 */
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "data/data.h"
#include "recipe/outputs.h"
#include "recipe/recipe.h"
#include "train/train.h"

enum { MOST_PROPOSED = 5, STEP_TEXT = 160, WHY = 200 };

/* Samples that a step which trains sees, about; and epochs, within bounds. */
enum { SAMPLES_SEEN = 600000, FEWEST_EPOCHS = 2, MOST_EPOCHS = 15 };

struct proposal {
    char step[STEP_TEXT];
    const char *comment;
    bool varied; /* with the others that are: a search tries each in the same place */
    bool taken;
    char why[WHY]; /* it is not */
};

struct draft {
    const char *path, *model, *data; /* as they stand in the recipe */
    const struct mc_context *context;
    struct mc_dataset *dataset; /* NULL: none */
    bool architecture, trains;
    bool teaches;    /* the model can, while others train */
    bool smallest;   /* it is a search for the fewest bytes, */
    double max_drop; /* within so much of the metric */
    int n;
    struct proposal proposed[MOST_PROPOSED];
};

/* --- what is proposed --- */

static void propose(struct draft *d, const char *comment, const char *fmt, ...) MC_PRINTF(3, 4);
static void propose(struct draft *d, const char *comment, const char *fmt, ...)
{
    struct proposal *p = &d->proposed[d->n++];
    va_list args;
    va_start(args, fmt);
    vsnprintf(p->step, sizeof p->step, fmt, args);
    va_end(args);
    p->comment = comment;
}

static int epochs_for(const struct draft *d)
{
    const int64_t n = d->dataset->n[MC_DATA_TRAIN] > 0 ? d->dataset->n[MC_DATA_TRAIN] : 1, epochs = SAMPLES_SEEN / n;
    return (int)(epochs < FEWEST_EPOCHS ? FEWEST_EPOCHS : epochs > MOST_EPOCHS ? MOST_EPOCHS : epochs);
}

static void propose_with_training(struct draft *d)
{
    const int epochs = epochs_for(d);
    if (d->architecture) propose(d, "nobody has trained it yet", "train: {name: learn, epochs: %d}", 2 * epochs);
    propose(d, "channels and neurons go until half of the multiply-accumulates are left",
            "prune: {name: channels, method: channel, macs: 0.5}");
    if (d->architecture)
        propose(d, "what is left learns what has gone", "finetune: {name: recover, epochs: %d}", epochs);
    else
        propose(d, "what is left learns from the model as it was",
                "distill: {name: recover, teacher: original, epochs: %d, stop: {patience: 3}}", epochs);
    propose(d, "then weights become zero little by little, which the packed file is smaller by",
            "prune: {name: weights, method: magnitude, sparsity: 0.7, epochs: %d}", epochs);
}

/* What can be won without gradients. */
static void propose_without_training(struct draft *d)
{
    if (d->dataset) {
        propose(d, "a few channels go, and what reads them is fitted to the samples",
                "prune: {name: channels, method: channel, macs: 0.85, reconstruct: true}");
        propose(d, "weights become zero, and the others make up for them",
                "prune: {name: weights, method: magnitude, sparsity: 0.5, score: second-order}");
    } else {
        propose(d, "the smallest weights become zero, which the packed file is smaller by; more than that needs data",
                "prune: {name: weights, method: magnitude, sparsity: 0.3}");
    }
}

/* Ways to say what weights are in fewer bits, from gentle to harsh. */
static void propose_codes(struct draft *d, int epochs, const char *teacher)
{
    static const char *const quantized[] = {"int8", "int4"};
    const int first = d->n;
    for (size_t i = 0; i < MC_COUNT(quantized); i++)
        propose(d, "weights are integers with scales", "quantize: {weights: %s}", quantized[i]);
    for (int bits = 4; bits >= 3; bits--)
        propose(d, "weights share a few values", "cluster: {bits: %d, vectors: true, epochs: %d%s}", bits, epochs,
                teacher);
    for (int i = first; i < d->n; i++) d->proposed[i].varied = true;
}

/* What a search for the fewest bytes varies. */
static void propose_search(struct draft *d)
{
    const int epochs = d->trains ? epochs_for(d) : 0;
    const char *teacher = d->teaches ? ", teacher: original" : "";
    if (d->trains)
        propose(d, "weights become zero little by little, while the others learn",
                "prune: {name: weights, method: magnitude, sparsity: 0.9, epochs: %d%s}", epochs, teacher);
    else
        propose(d, "weights become zero, and the others make up for them",
                "prune: {name: weights, method: magnitude, sparsity: 0.5, score: second-order}");
    propose_codes(d, (epochs + 2) / 3, teacher);
}

/* --- the text --- */

static void put_text(const char *text, struct mc_buf *out)
{
    const struct mc_yaml scalar = {.kind = MC_YAML_SCALAR, .text = text};
    mc_yaml_print_flow(&scalar, out);
}

/* Of those that a search tries in one place the last stands there: so each does while it is asked about. */
static bool stands(const struct draft *d, int i)
{
    bool last = d->proposed[i].taken;
    for (int k = i + 1; k < d->n && d->proposed[i].varied; k++) last = last && !d->proposed[k].taken;
    return last;
}

static void put_steps(const struct draft *d, struct mc_buf *out)
{
    int n = 0;
    for (int i = 0; i < d->n; i++) n += d->proposed[i].taken;
    mc_buf_puts(out, n > 0 ? "steps:\n" : "steps: []\n");
    for (int i = 0; i < d->n; i++) {
        const struct proposal *p = &d->proposed[i];
        if (stands(d, i)) mc_buf_printf(out, "  # %s\n  - %s\n", p->comment, p->step);
        if (*p->why) mc_buf_printf(out, "  # not for this model: %s\n  # - %s\n", p->why, p->step);
    }
}

/* What of the data the result is compared by, where it may be a little worse. */
static const char *drop_gate(const struct draft *d)
{
    if (d->smallest) return NULL;
    if (!d->dataset || d->dataset->n[MC_DATA_TEST] == 0 || d->architecture) return NULL;
    return d->dataset->task == MC_TASK_CLASSIFICATION ? "max_accuracy_drop: 0.01"
           : d->dataset->task == MC_TASK_LABELS       ? "max_drop: {f1: 0.01}"
                                                      : "max_drop: {r2: 0.02}";
}

/* Bounds on counts that fall; `expected` NULL: none are known yet. */
static void put_gates(const struct draft *d, const struct mc_record *expected, struct mc_buf *out)
{
    static const char *const counts[][2] = {{"max_macs", "macs"}, {"max_bytes", "bytes"}};
    const char *drop = drop_gate(d);
    mc_buf_puts(out, "gates:                               # what does not hold makes the exit status 1\n");
    if (drop) mc_buf_printf(out, "  %s\n", drop);
    if (d->architecture && d->dataset) mc_buf_puts(out, "  # min_accuracy: 0.9\n");
    for (size_t i = 0; i < MC_COUNT(counts); i++) {
        char before[32], after[32];
        snprintf(before, sizeof before, "original.%s", counts[i][1]);
        snprintf(after, sizeof after, "final.%s", counts[i][1]);
        const int64_t was = mc_record_get_int(expected, before, -1), is = mc_record_get_int(expected, after, -1);
        if (is > 0 && is <= was)
            mc_buf_printf(out, "  %s: %-*lld# %lld before\n", counts[i][0], (int)(33 - strlen(counts[i][0])),
                          (long long)is, (long long)was);
    }
}

/* Values from gentle to harsh, by the places that the steps have. */
static void put_search(const struct draft *d, struct mc_buf *out)
{
    const bool prunes = d->proposed[0].taken;
    bool codes = false;
    mc_buf_printf(out,
                  "tune:                                # 'compress tune' finds the smallest within the bound\n"
                  "  search: ladder\n  objective: smallest\n  max_drop: %g\n  space:\n",
                  d->max_drop);
    if (prunes)
        mc_buf_puts(out, "    steps.0.prune.sparsity: "
                         "[0.3, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.98, 0.99]\n");
    if (prunes && d->teaches)
        mc_buf_puts(out, "    steps.0.prune.alpha: [0.5, 0]      # taught by the original, or by the labels alone\n");
    for (int i = 0; i < d->n; i++) {
        if (!d->proposed[i].varied || !d->proposed[i].taken) continue;
        if (!codes) mc_buf_printf(out, "    steps.%d:\n", prunes);
        mc_buf_printf(out, "      - %s\n", d->proposed[i].step);
        codes = true;
    }
}

static void put_recipe(const struct draft *d, const struct mc_record *expected, struct mc_buf *out)
{
    const double seconds = mc_record_get_num(expected, "expected_s", NAN);
    mc_buf_puts(out, "# Written by 'compress init'; docs/recipe.md has all that a recipe can say.\n");
    if (!isnan(seconds))
        mc_buf_printf(out, "# Takes about %.0f s on the machine that it was written on.\n", ceil(seconds));
    mc_buf_puts(out, "model: ");
    put_text(d->model, out);
    if (d->data) mc_buf_puts(out, "\ndata: ");
    if (d->data) put_text(d->data, out);
    mc_buf_puts(out, "\nseed: 1\n");
    put_steps(d, out);
    if (d->smallest)
        put_search(d, out);
    else
        put_gates(d, expected, out);
    mc_buf_puts(out, "output: {model: small.onnx, packed: small.onnx.packed, report: [json, md]}\n");
}

/* --- checking --- */

static int parse(const struct draft *d, const struct mc_buf *text, struct mc_recipe **recipe, struct mc_error *err)
{
    char *dir = mc_path_dir(d->path);
    const int rc = dir ? mc_recipe_parse(recipe, d->path, dir, text->data, text->length, err) : mc_error_memory(err);
    mc_free(dir);
    return rc;
}

/* Check the recipe as it is proposed so far. */
static int check(const struct draft *d, bool timed, struct mc_record **record, struct mc_error *err)
{
    struct mc_recipe *recipe = NULL;
    struct mc_record *found = NULL;
    struct mc_buf text;
    mc_buf_init(&text, MC_YAML_MAX_BYTES);
    put_recipe(d, NULL, &text);
    int rc = text.failed ? mc_error_memory(err) : parse(d, &text, &recipe, err);
    /* outputs are not asked about: where they go is settled by whoever applies it */
    if (rc == MC_OK) rc = mc_recipe_check(recipe, d->context, NULL, true, timed, &found, err);
    mc_recipe_destroy(recipe);
    mc_buf_finish(&text);
    if (rc == MC_OK && record)
        *record = found;
    else
        mc_record_destroy(found);
    return rc;
}

/* Would the recipe pass with this step? What goes wrong with it is kept as a reason, but for what concerns us all. */
static int try_step(struct draft *d, struct proposal *p, struct mc_error *err)
{
    struct mc_error why = {0};
    p->taken = true;
    const int rc = check(d, false, NULL, &why);
    if (rc == MC_OK) return MC_OK;
    p->taken = false;
    snprintf(p->why, sizeof p->why, "%.*s", WHY - 1, why.text);
    if (rc != MC_ERR_SYSTEM && rc != MC_ERR_INTERNAL && rc != MC_INTERRUPTED) return MC_OK;
    if (err) *err = why;
    return rc;
}

/* Is a recipe of this one step possible? */
static int find_whether(struct draft *d, const char *step, bool *possible, struct mc_error *err)
{
    propose(d, "", "%s", step);
    const int rc = try_step(d, &d->proposed[0], err);
    *possible = d->proposed[0].taken;
    d->n = 0;
    d->proposed[0] = (struct proposal){0};
    return rc;
}

/* Can it be trained on these data, and teach? */
static int find_whether_it_trains(struct draft *d, struct mc_error *err)
{
    if (!d->dataset || d->dataset->n[MC_DATA_TRAIN] == 0) return MC_OK;
    int rc = find_whether(d, "finetune: {epochs: 1}", &d->trains, err);
    if (rc == MC_OK && d->trains && d->smallest)
        rc = find_whether(d, "finetune: {epochs: 1, teacher: original}", &d->teaches, err);
    return rc;
}

static int choose_steps(struct draft *d, struct mc_error *err)
{
    int rc = check(d, false, NULL, err); /* the model and the data have to go together whatever is done */
    if (rc == MC_OK) rc = find_whether_it_trains(d, err);
    if (rc < 0) return rc;
    if (d->smallest)
        propose_search(d);
    else if (d->trains)
        propose_with_training(d);
    else
        propose_without_training(d);
    if (!d->smallest) propose(d, "the same in fewer nodes, at the end", "optimize");
    for (int i = 0; rc == MC_OK && i < d->n; i++) rc = try_step(d, &d->proposed[i], err);
    return rc;
}

/* --- paths --- */

/* `given` as it leads there from the recipe's folder: as it is beside it, else from the root. In fresh memory. */
static char *path_from_recipe(const char *recipe, const char *given)
{
    char *dir = mc_path_dir(recipe);
    const bool beside = dir && strcmp(dir, ".") == 0;
    char *full = beside || given[0] == '/' ? NULL : realpath(given, NULL);
    char *path = dir ? mc_strdup(full ? full : given) : NULL;
    free(full);
    mc_free(dir);
    return path;
}

/* The same with the paths in "kind:path,option=value", or in several of them between semicolons. */
static char *data_from_recipe(const char *recipe, const char *data)
{
    struct mc_buf out;
    mc_buf_init(&out, MC_YAML_MAX_BYTES);
    for (const char *at = data; *at;) {
        const size_t part = strcspn(at, ";"), kind = strcspn(at, ":");
        const size_t before = kind < part ? kind + 1 : part, name = strcspn(at + before, ",;");
        char *given = mc_alloc(name + 1, 1);
        if (given) memcpy(given, at + before, name);
        char *path = given && *given ? path_from_recipe(recipe, given) : NULL;
        mc_buf_append(&out, at, before);
        if (path) mc_buf_puts(&out, path);
        mc_buf_append(&out, at + before + name, part - before - name + (at[part] == ';'));
        out.failed = out.failed || !given || (*given && !path);
        mc_free(given);
        mc_free(path);
        at += part + (at[part] == ';');
    }
    char *text = out.failed ? NULL : mc_strdup(out.data ? out.data : "");
    mc_buf_finish(&out);
    return text;
}

/* --- the whole --- */

static int write_draft(struct draft *d, bool overwrite, struct mc_record **record, struct mc_error *err)
{
    struct mc_record *expected = NULL;
    struct mc_buf text;
    int rc = choose_steps(d, err);
    if (rc == MC_OK) rc = check(d, true, &expected, err);
    if (rc < 0) return rc;
    mc_buf_init(&text, MC_YAML_MAX_BYTES);
    put_recipe(d, expected, &text);
    rc = text.failed ? mc_error_memory(err) : mc_file_save(d->path, text.data, text.length, overwrite, err);
    mc_buf_finish(&text);
    if (rc == MC_OK)
        *record = expected;
    else
        mc_record_destroy(expected);
    return rc;
}

static int draft(struct draft *d, const char *model, const char *data, bool overwrite, struct mc_record **record,
                 struct mc_error *err)
{
    const struct mc_outputs outputs = {.overwrite = overwrite};
    int rc = mc_outputs_allow(&outputs, d->path, err);
    if (rc < 0) return rc;
    d->architecture = mc_file_size(model) < 0 && mc_architecture_known(model);
    if (d->smallest && (d->architecture || !data))
        return mc_error_set(err, MC_ERR_USAGE, "a search for the smallest needs a model that was trained, and data");
    char *own_model = d->architecture ? mc_strdup(model) : path_from_recipe(d->path, model);
    char *own_data = data ? data_from_recipe(d->path, data) : NULL;
    d->model = own_model;
    d->data = own_data;
    rc = own_model && (own_data || !data) ? MC_OK : mc_error_memory(err);
    if (rc == MC_OK && data) rc = mc_dataset_open(&d->dataset, data, NULL, err);
    if (rc == MC_OK) rc = write_draft(d, overwrite, record, err);
    mc_dataset_destroy(d->dataset);
    mc_free(own_model);
    mc_free(own_data);
    return rc;
}

int mc_recipe_draft(const char *model, const char *data, const char *path, bool overwrite,
                    const struct mc_context *context, struct mc_record **record, struct mc_error *err)
{
    struct draft d = {.path = path, .context = context};
    return draft(&d, model, data, overwrite, record, err);
}

int mc_recipe_draft_smallest(const char *model, const char *data, double max_drop, const char *path, bool overwrite,
                             const struct mc_context *context, struct mc_record **record, struct mc_error *err)
{
    struct draft d = {.path = path, .context = context, .smallest = true, .max_drop = max_drop};
    return draft(&d, model, data, overwrite, record, err);
}
