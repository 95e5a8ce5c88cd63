/* checkpoint.c - the whole state of a training run in a file; see checkpoint.h. */
#include "train/checkpoint.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/archive.h"
#include "base/buf.h"
#include "base/error.h"

/* Far beyond any model that trains on one machine: limits for files from elsewhere. */
static const size_t max_bytes = (size_t)1 << 40;
enum { MOST_ENTRIES = 1 << 20, MOST_ABOUT = 1 << 20 };

/* --- what the arithmetic depends on --- */

static void put_rate(struct mc_buf *b, const struct mc_rate *rate)
{
    mc_buf_printf(b, "rate %d %.17g %.17g %.17g %.17g", (int)rate->kind, rate->first, rate->factor, rate->last,
                  rate->rise);
    for (int i = 0; i < rate->n_milestones; i++) mc_buf_printf(b, " %.17g", rate->milestones[i]);
    mc_buf_printf(b, "\nwarmup %.17g\n", rate->warmup);
}

static void put_about(const struct mc_fit *f, struct mc_buf *b)
{
    const struct mc_fit_options *o = f->options;
    mc_buf_puts(b, "checkpoint 1\n");
    mc_buf_printf(b, "data %s\n", f->data->spec ? f->data->spec : "");
    mc_buf_printf(b, "samples %" PRId64 "\n", f->n_samples);
    mc_buf_printf(b, "seed %" PRIu64 "\n", o->seed);
    mc_buf_printf(b, "epochs %" PRId64 "\n", o->epochs);
    mc_buf_printf(b, "batch %" PRId64 "\n", f->batch);
    mc_buf_printf(b, "optimizer %d\n", (int)o->optimizer);
    put_rate(b, &o->rate);
    mc_buf_printf(b, "momentum %.17g\nbeta1 %.17g\nbeta2 %.17g\nepsilon %.17g\n", o->momentum, o->beta1, o->beta2,
                  o->epsilon);
    mc_buf_printf(b, "l1 %.17g\nl2 %.17g\ndecay %.17g\n", o->l1, o->l2, o->decay);
    mc_buf_printf(b, "clip.norm %.17g\nclip.value %.17g\nema %.17g\n", o->clip_norm, o->clip_value, o->ema);
    mc_buf_printf(b, "loss %d\nlabel_smoothing %.17g\nhuber_delta %.17g\n", (int)f->loss.kind, o->label_smoothing,
                  o->huber_delta);
    mc_buf_printf(b, "class_weights %s\n", o->class_weights ? o->class_weights : "");
    mc_buf_printf(b, "head %s\n", f->binding.scores->name);
    if (o->heads) mc_buf_printf(b, "heads %s\n", o->heads);
    mc_buf_printf(b, "stop.patience %" PRId64 "\nstop.min_delta %.17g\n", o->patience, o->min_delta);
    mc_buf_printf(b, "augment %s\nfreeze_batch_norm %d\n", o->augment ? o->augment : "", (int)o->freeze_batch_norm);
    mc_buf_printf(b, "precision %s\n", o->bfloat16 ? "bfloat16" : "float32");
    mc_buf_printf(b, "masked %d\n", (int)o->masked_are);
    mc_buf_printf(b, "teacher %d\n", o->teacher != NULL);
    if (!o->teacher) return;
    mc_buf_printf(b, "teachers %d\nalpha %.17g\ntemperature %.17g %.17g\n", 1 + o->n_more_teachers, o->alpha,
                  o->temperature, o->last_temperature);
    mc_buf_printf(b, "hints %s\nattention %s\nrelation %s\n", o->hints ? o->hints : "",
                  o->attention ? o->attention : "", o->relation ? o->relation : "");
    mc_buf_printf(b, "weights %.17g %.17g %.17g %.17g\n", o->hint_weight, o->attention_weight, o->distance_weight,
                  o->angle_weight);
}

/* The length of the line that begins at `text`, without its end. */
static size_t line_length(const char *text, size_t left)
{
    const char *end = memchr(text, '\n', left);
    return end ? (size_t)(end - text) : left;
}

/* Line by line: the first that differs is told. */
static int compare_about(const char *theirs, size_t n, const char *ours, size_t m, struct mc_error *err)
{
    while (n > 0 && m > 0) {
        const size_t a = line_length(theirs, n), b = line_length(ours, m);
        if (a != b || memcmp(theirs, ours, a) != 0)
            return mc_error_set(err, MC_ERR_INPUT, "was made by a run with '%.*s', this one has '%.*s'",
                                (int)(a < 200 ? a : 200), theirs, (int)(b < 200 ? b : 200), ours);
        const size_t a_step = a < n ? a + 1 : a, b_step = b < m ? b + 1 : b;
        theirs += a_step, n -= a_step;
        ours += b_step, m -= b_step;
    }
    return n == m ? MC_OK : mc_error_set(err, MC_ERR_INPUT, "was made by a run with other options");
}

static int check_about(const struct mc_fit *f, const struct mc_archive *archive, struct mc_error *err)
{
    const struct mc_archive_entry *e = mc_archive_find(archive, "about");
    if (!e) return mc_error_set(err, MC_ERR_INPUT, "is no checkpoint of a training run");
    struct mc_buf about;
    mc_buf_init(&about, MOST_ABOUT);
    put_about(f, &about);
    const int rc = about.failed ? mc_error_memory(err)
                                : compare_about((const char *)e->bytes, e->length, about.data, about.length, err);
    mc_buf_finish(&about);
    return rc;
}

/* --- numbers --- */

/* The numbers of a run in one piece; every byte of it is written, so that equal states are equal files. */
struct state {
    int64_t epoch, begin, n_steps, n_runs;
    int64_t best_epoch, waited, plateau_waited, done;
    double sum, rate, seconds;
    double best, reference, plateau_best, plateau_reduction;
};

static struct state state_of(const struct mc_fit *f)
{
    return (struct state){
        .epoch = f->epoch,
        .begin = f->begin,
        .n_steps = f->optimizer.n_steps,
        .n_runs = f->n_runs,
        .best_epoch = f->stop.best_epoch,
        .waited = f->stop.waited,
        .plateau_waited = f->plateau.waited,
        .done = f->done,
        .sum = f->sum,
        .rate = f->rate,
        .seconds = f->seconds,
        .best = f->stop.best,
        .reference = f->stop.reference,
        .plateau_best = f->plateau.best,
        .plateau_reduction = f->plateau.reduction,
    };
}

/* Could a run have come to this? Nothing else is taken for granted of a file. */
static bool is_possible(const struct mc_fit *f, const struct state *s)
{
    const bool place = s->epoch >= 0 && s->epoch <= f->options->epochs && s->begin >= 0 && s->begin <= f->n_samples &&
                       (s->begin % f->batch == 0 || s->begin == f->n_samples);
    if (!place || (s->epoch == f->options->epochs && s->begin > 0)) return false;
    const int64_t steps = s->epoch * f->steps_per_epoch + (s->begin + f->batch - 1) / f->batch;
    return s->n_steps == steps && s->n_runs >= steps && s->best_epoch >= -1 && s->best_epoch < s->epoch &&
           s->waited >= 0 && s->plateau_waited >= 0 && (s->done == 0 || (s->done == 1 && s->begin == 0));
}

static void set_state(struct mc_fit *f, const struct state *s)
{
    f->epoch = s->epoch;
    f->begin = s->begin;
    f->optimizer.n_steps = s->n_steps;
    f->n_runs = s->n_runs;
    f->stop.best_epoch = s->best_epoch;
    f->stop.waited = s->waited;
    f->stop.best = s->best;
    f->stop.reference = s->reference;
    f->plateau = (struct mc_plateau){s->plateau_best, s->plateau_reduction, s->plateau_waited};
    f->done = s->done == 1;
    f->sum = s->sum;
    f->rate = s->rate;
    f->seconds = s->seconds;
}

static int load_state(struct mc_fit *f, const struct mc_archive *archive, struct mc_error *err)
{
    struct state s;
    int rc = mc_archive_get(archive, "state", &s, sizeof s, err);
    if (rc < 0) return rc;
    if (!is_possible(f, &s)) return mc_error_set(err, MC_ERR_INPUT, "is damaged: its state is none of this run");
    f->lines = MC_NEW_ARRAY(struct mc_epoch_line, s.epoch);
    if (!f->lines) return mc_error_memory(err);
    f->n_lines = (int)s.epoch;
    f->lines_capacity = (size_t)s.epoch;
    rc = mc_archive_get(archive, "epochs", f->lines, (size_t)s.epoch * sizeof *f->lines, err);
    if (rc == MC_OK) set_state(f, &s);
    return rc;
}

/* --- tensors --- */

static void save_snapshot(struct mc_archive_out *out, const struct mc_snapshot *snapshot, const char *what,
                          struct mc_error *err)
{
    for (int i = 0; i < snapshot->n; i++)
        mc_archive_put(out, snapshot->contents[i], mc_tensor_bytes(snapshot->values[i]->data), err, "%s/%.900s", what,
                       snapshot->values[i]->name);
}

static int load_bytes(const struct mc_archive *archive, const char *what, const char *name, void *into, size_t length,
                      struct mc_error *err)
{
    char entry[1024];
    snprintf(entry, sizeof entry, "%s/%.900s", what, name);
    return mc_archive_get(archive, entry, into, length, err);
}

static int load_snapshot(const struct mc_archive *archive, const struct mc_snapshot *snapshot, const char *what,
                         struct mc_error *err)
{
    int rc = MC_OK;
    for (int i = 0; rc == MC_OK && i < snapshot->n; i++)
        rc = load_bytes(archive, what, snapshot->values[i]->name, snapshot->contents[i],
                        mc_tensor_bytes(snapshot->values[i]->data), err);
    return rc;
}

/* The initializers of a run are those that its snapshots know. */
static void save_values(struct mc_archive_out *out, const struct mc_snapshot *known, struct mc_error *err)
{
    for (int i = 0; i < known->n; i++) {
        const struct mc_tensor *data = known->values[i]->data;
        mc_archive_put(out, data->data, mc_tensor_bytes(data), err, "value/%.900s", known->values[i]->name);
    }
}

static int load_values(const struct mc_archive *archive, const struct mc_snapshot *known, struct mc_error *err)
{
    int rc = MC_OK;
    for (int i = 0; rc == MC_OK && i < known->n; i++) {
        const struct mc_tensor *data = known->values[i]->data;
        rc = load_bytes(archive, "value", known->values[i]->name, data->data, mc_tensor_bytes(data), err);
    }
    return rc;
}

/* What the optimizer keeps of parameter i: first or second moments, NULL where it keeps none. */
static void save_memory(struct mc_archive_out *out, const struct mc_fit *f, struct mc_error *err)
{
    for (int i = 0; i < f->n_parameters; i++) {
        float *first, *second;
        const size_t bytes = mc_tensor_bytes(f->parameters[i]->data);
        mc_optimizer_memory(&f->optimizer, i, &first, &second);
        if (first) mc_archive_put(out, first, bytes, err, "first/%.900s", f->parameters[i]->name);
        if (second) mc_archive_put(out, second, bytes, err, "second/%.900s", f->parameters[i]->name);
    }
}

static int load_memory(const struct mc_archive *archive, struct mc_fit *f, struct mc_error *err)
{
    int rc = MC_OK;
    for (int i = 0; rc == MC_OK && i < f->n_parameters; i++) {
        float *first, *second;
        const char *name = f->parameters[i]->name;
        const size_t bytes = mc_tensor_bytes(f->parameters[i]->data);
        mc_optimizer_memory(&f->optimizer, i, &first, &second);
        if (first) rc = load_bytes(archive, "first", name, first, bytes, err);
        if (rc == MC_OK && second) rc = load_bytes(archive, "second", name, second, bytes, err);
    }
    return rc;
}

static size_t mask_bytes(const struct mc_fit_options *o, int i)
{
    return (size_t)mc_tensor_count(o->masked[i]->data);
}

static int load_masks(const struct mc_archive *archive, const struct mc_fit_options *o, struct mc_error *err)
{
    int rc = MC_OK;
    for (int i = 0; rc == MC_OK && i < o->n_masks; i++) /* the caller's, who lets them change between steps */
        rc = load_bytes(archive, "mask", o->masked[i]->name, (void *)(uintptr_t)o->masks[i], mask_bytes(o, i), err);
    if (rc == MC_OK && o->kept) rc = mc_archive_get(archive, "kept", o->kept, o->kept_bytes, err);
    return rc;
}

/* --- the whole --- */

static bool is_finite(const struct mc_fit *f)
{
    for (int i = 0; i < f->n_parameters; i++) {
        const struct mc_tensor *data = f->parameters[i]->data;
        const float *w = data->data;
        for (int64_t k = 0; k < mc_tensor_count(data); k++)
            if (!isfinite(w[k])) return false;
    }
    return true;
}

int mc_checkpoint_save(const struct mc_fit *f, struct mc_error *err)
{
    const struct mc_fit_options *o = f->options;
    const struct state s = state_of(f);
    struct mc_archive_out out;
    struct mc_buf about;
    if (!is_finite(f)) return MC_OK;
    mc_buf_init(&about, MOST_ABOUT);
    put_about(f, &about);
    if (about.failed) {
        mc_buf_finish(&about);
        return mc_error_memory(err);
    }
    mc_archive_create(&out, o->checkpoint, err);
    mc_archive_put(&out, about.data, about.length, err, "about");
    mc_archive_put(&out, &s, sizeof s, err, "state");
    mc_archive_put(&out, f->lines, (size_t)f->n_lines * sizeof *f->lines, err, "epochs");
    save_values(&out, &f->good, err);
    save_snapshot(&out, &f->good, "good", err);
    save_snapshot(&out, &f->best, "best", err);
    save_snapshot(&out, &f->average.mean, "average", err);
    save_memory(&out, f, err);
    for (int i = 0; i < o->n_masks; i++)
        mc_archive_put(&out, o->masks[i], mask_bytes(o, i), err, "mask/%.900s", o->masked[i]->name);
    if (o->kept) mc_archive_put(&out, o->kept, o->kept_bytes, err, "kept");
    mc_buf_finish(&about);
    const int rc = mc_archive_commit(&out, err);
    return rc < 0 ? mc_error_wrap(err, rc, "checkpoint") : MC_OK;
}

int mc_checkpoint_load(struct mc_fit *f, struct mc_error *err)
{
    const char *path = f->options->checkpoint;
    struct mc_archive archive;
    if (mc_file_size(path) < 0) return MC_OK;
    int rc = mc_archive_open(&archive, path, max_bytes, MOST_ENTRIES, err);
    if (rc < 0) return mc_error_wrap(err, rc, "checkpoint");
    rc = check_about(f, &archive, err);
    if (rc == MC_OK) rc = load_state(f, &archive, err);
    if (rc == MC_OK) rc = load_values(&archive, &f->good, err);
    if (rc == MC_OK) rc = load_snapshot(&archive, &f->good, "good", err);
    if (rc == MC_OK) rc = load_snapshot(&archive, &f->best, "best", err);
    if (rc == MC_OK) rc = load_snapshot(&archive, &f->average.mean, "average", err);
    if (rc == MC_OK) rc = load_memory(&archive, f, err);
    if (rc == MC_OK) rc = load_masks(&archive, f->options, err);
    mc_archive_close(&archive);
    return rc < 0 ? mc_error_wrap(err, rc, "checkpoint '%s'", path) : MC_OK;
}
