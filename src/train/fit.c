/* fit.c - the loop of training; see mc_fit in train.h.
 *
 * A step takes `batch` samples. What does not fit into one pass of at most PASS samples (full-batch descent) is cut
 * into several whose gradients are added; each length that occurs has a plan of its own, so that nothing is padded and
 * batch statistics see only samples.
 *
 * Where processes work together each takes its share of every pass; what has fewer samples than there are processes,
 * and a batch that the graph insists on, each of them runs whole. Gradients are added over all of them before a step of
 * the optimizer, which all make alike.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/peers.h"
#include "kernel/kernels.h"
#include "kernel/update.h"
#include "train/checkpoint.h"
#include "train/fit_state.h"
#include "train/parameters.h"

enum { PASS = 1024 };

/* The seeds of what operators draw in two processes are this far apart. */
#define RANK_STRIDE UINT64_C(0x9e3779b97f4a7c15)

void mc_fit_options_init(struct mc_fit_options *options)
{
    *options = (struct mc_fit_options){
        .loss = MC_LOSS_AUTO,
        .optimizer = MC_ADAM,
        .rate = {.kind = MC_RATE_LINEAR, .factor = 1},
        .momentum = 0.9,
        .beta1 = 0.9,
        .beta2 = 0.999,
        .epsilon = 1e-8,
        .huber_delta = 1,
        .checkpoint_seconds = 10,
        .batch = 64,
        .epochs = 20,
        .min_delta = 0.001,
        .alpha = 0.5,
        .temperature = 2,
        .hint_weight = 1,
        .attention_weight = 1000,
        .distance_weight = 25,
        .angle_weight = 50,
    };
}

/* --- options --- */

static int need(bool holds, const char *what, double found, struct mc_error *err)
{
    return holds ? MC_OK : mc_error_set(err, MC_ERR_USAGE, "%s, has %g", what, found);
}

static int check_rate(const struct mc_rate *r, struct mc_error *err)
{
    const bool falls = r->kind == MC_RATE_STEP || r->kind == MC_RATE_EXPONENTIAL || r->kind == MC_RATE_PLATEAU;
    const bool stays = r->kind == MC_RATE_STEP || r->kind == MC_RATE_PLATEAU;
    int rc = need(r->first > 0 && isfinite(r->first), "the rate needs to be positive", r->first, err);
    if (rc == MC_OK && falls)
        rc = need(r->factor > 0 && r->factor <= 1, "the rate's factor needs to be in (0, 1]", r->factor, err);
    if (rc == MC_OK)
        rc = need(r->last >= 0 && r->last <= r->first, "the last rate needs to be at most the first", r->last, err);
    if (rc == MC_OK && r->kind == MC_RATE_ONE_CYCLE)
        rc = need(r->rise > 0 && r->rise < 1, "the share in which the rate rises needs to be in (0, 1)", r->rise, err);
    if (rc == MC_OK && stays)
        rc = need(r->n_milestones > 0, "the rate needs epochs after which it falls", r->n_milestones, err);
    for (int i = 0; rc == MC_OK && stays && i < r->n_milestones; i++)
        rc = need(r->milestones[i] >= (r->kind == MC_RATE_STEP), "the rate needs to stay for at least an epoch",
                  r->milestones[i], err);
    if (rc == MC_OK) rc = need(r->warmup >= 0, "the warm-up needs to be at least 0 epochs", r->warmup, err);
    return rc;
}

static int check_options(const struct mc_fit_options *o, struct mc_error *err)
{
    int rc = check_rate(&o->rate, err);
    if (rc == MC_OK) rc = need(o->momentum >= 0 && o->momentum < 1, "momentum needs to be in [0, 1)", o->momentum, err);
    if (rc == MC_OK) rc = need(o->beta1 >= 0 && o->beta1 < 1, "beta1 needs to be in [0, 1)", o->beta1, err);
    if (rc == MC_OK) rc = need(o->beta2 >= 0 && o->beta2 < 1, "beta2 needs to be in [0, 1)", o->beta2, err);
    if (rc == MC_OK) rc = need(o->epsilon > 0, "epsilon needs to be positive", o->epsilon, err);
    if (rc == MC_OK)
        rc = need(o->label_smoothing >= 0 && o->label_smoothing < 1, "label smoothing needs to be in [0, 1)",
                  o->label_smoothing, err);
    if (rc == MC_OK) rc = need(o->huber_delta > 0, "delta needs to be positive", o->huber_delta, err);
    if (rc == MC_OK) rc = need(o->decay >= 0 && isfinite(o->decay), "decay needs to be at least 0", o->decay, err);
    if (rc == MC_OK) rc = need(o->clip_norm >= 0, "the clipping norm needs to be at least 0", o->clip_norm, err);
    if (rc == MC_OK) rc = need(o->clip_value >= 0, "the clipping value needs to be at least 0", o->clip_value, err);
    if (rc == MC_OK)
        rc = need(o->ema >= 0 && o->ema < 1, "the decay of the average needs to be in [0, 1)", o->ema, err);
    if (rc == MC_OK) rc = need(o->l1 >= 0 && isfinite(o->l1), "l1 needs to be at least 0", o->l1, err);
    if (rc == MC_OK) rc = need(o->l2 >= 0 && isfinite(o->l2), "l2 needs to be at least 0", o->l2, err);
    if (rc == MC_OK) rc = need(o->batch >= 0, "the batch needs to be at least 0", (double)o->batch, err);
    if (rc == MC_OK) rc = need(o->epochs >= 0, "epochs need to be at least 0", (double)o->epochs, err);
    if (rc == MC_OK) rc = need(o->patience >= 0, "patience needs to be at least 0", (double)o->patience, err);
    if (rc == MC_OK && o->teacher)
        rc = need(o->alpha >= 0 && o->alpha <= 1, "alpha needs to be in [0, 1]", o->alpha, err);
    if (rc == MC_OK && o->teacher)
        rc = need(o->temperature > 0 && isfinite(o->temperature), "the temperature needs to be positive",
                  o->temperature, err);
    if (rc == MC_OK)
        rc = need(o->last_temperature >= 0, "the last temperature needs to be at least 0", o->last_temperature, err);
    const double least = fmin(fmin(o->hint_weight, o->attention_weight), fmin(o->distance_weight, o->angle_weight));
    if (rc == MC_OK) rc = need(least >= 0, "weights of features need to be at least 0", least, err);
    return rc;
}

/* --- getting ready --- */

static void zero_masked(const struct mc_fit_options *o)
{
    for (int i = 0; i < o->n_masks; i++) {
        const struct mc_tensor *data = o->masked[i]->data;
        float *w = data->data;
        const int64_t n = mc_tensor_count(data);
        for (int64_t k = 0; k < n; k++)
            if (!o->masks[i][k]) w[k] = 0;
    }
}

/* Masked weights are zero from the first pass on, whether descent reaches them or not. Once training has begun: `good`
 * still has what they were. */
static void apply_masks(const struct mc_fit *f)
{
    if (!f->hidden) zero_masked(f->options);
}

/* Let passes see zeros where weights are masked but not lost. */
static void hide_masked(struct mc_fit *f)
{
    if (!f->hidden) return;
    for (int i = 0; i < f->options->n_masks; i++) {
        const struct mc_tensor *data = f->options->masked[i]->data;
        memcpy(f->hidden[i], data->data, mc_tensor_bytes(data));
    }
    zero_masked(f->options);
}

static void show_masked(struct mc_fit *f)
{
    for (int i = 0; f->hidden && i < f->options->n_masks; i++) {
        const struct mc_tensor *data = f->options->masked[i]->data;
        memcpy(data->data, f->hidden[i], mc_tensor_bytes(data));
    }
}

/* A step has moved all weights: those that are to rest go back. */
static void rest_masked(struct mc_fit *f)
{
    const struct mc_fit_options *o = f->options;
    if (o->masked_are != MC_MASKED_REST) return;
    for (int i = 0; i < o->n_masks; i++) {
        float *w = o->masked[i]->data->data;
        for (int64_t k = 0; k < mc_tensor_count(o->masked[i]->data); k++)
            if (!o->masks[i][k]) w[k] = f->hidden[i][k];
    }
}

static int check_masks(const struct mc_fit_options *o, struct mc_error *err)
{
    for (int i = 0; i < o->n_masks; i++)
        if (o->masked[i]->data->dtype != MC_FLOAT)
            return mc_error_set(err, MC_ERR_UNSUPPORTED, "mask on '%s': needs float32, has %s", o->masked[i]->name,
                                mc_dtype_name(o->masked[i]->data->dtype));
    return MC_OK;
}

/* Does each process have a part of a pass of n samples, or do all run all of it? */
static bool is_shared(const struct mc_fit *f, int64_t n)
{
    const struct mc_peers *peers = f->options->runtime.peers;
    return peers && !mc_binding_fixed_batch(&f->binding) && n >= peers->size;
}

/* A pass for this process's share of `n` samples, unless there is one. */
static int add_pass(struct mc_fit *f, int64_t n, struct mc_error *err)
{
    for (int i = 0; i < f->n_passes; i++)
        if (f->passes[i].whole == n) return MC_OK;
    if (n == 0) return MC_OK;
    struct mc_pass *pass = &f->passes[f->n_passes++];
    struct mc_runtime runtime = f->options->runtime;
    int64_t begin = 0, end = n;
    if (is_shared(f, n))
        mc_peers_share(runtime.peers, n, &begin, &end);
    else
        runtime.peers = NULL;
    runtime.seed += (uint64_t)mc_peers_rank(runtime.peers) * RANK_STRIDE;
    const int rc =
        mc_pass_init(pass, &f->binding, f->model, end - begin, f->parameters, f->n_parameters, &runtime, err);
    pass->whole = n;
    pass->features = f->features.n > 0 ? &f->features : NULL;
    pass->heads = f->heads.n > 0 ? &f->heads : NULL;
    return rc;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* A graph with a batch of its own trains at that; what does not fill one is left out. */
static int init_passes(struct mc_fit *f, struct mc_error *err)
{
    const int64_t fixed = mc_binding_fixed_batch(&f->binding);
    if (fixed) {
        f->batch = fixed;
        f->n_samples -= f->n_samples % fixed;
    }
    if (f->n_samples == 0)
        return mc_error_set(err, MC_ERR_INPUT, "too few samples to train on: a batch is %" PRId64, f->batch);
    f->steps_per_epoch = (f->n_samples + f->batch - 1) / f->batch;
    const int64_t pass = f->pass_samples = fixed ? fixed : smaller(f->batch, PASS);
    int rc = add_pass(f, pass, err);
    if (rc == MC_OK) rc = add_pass(f, f->batch % pass, err);
    if (rc == MC_OK) rc = add_pass(f, f->n_samples % f->batch % pass, err);
    return rc;
}

/* Floats of the slab for parameter i, so that the next begins at a cache line. */
static size_t slab_room(const struct mc_fit *f, int i)
{
    return mc_align((size_t)mc_tensor_count(f->parameters[i]->data) * sizeof *f->slab) / sizeof *f->slab;
}

static int init_sums(struct mc_fit *f, struct mc_error *err)
{
    if (f->batch == f->pass_samples && !f->options->runtime.peers) return MC_OK;
    for (int i = 0; i < f->n_parameters; i++) f->slab_count += slab_room(f, i);
    f->slab_count += (size_t)f->n_parameters;
    f->slab = mc_alloc_aligned(f->slab_count, sizeof *f->slab);
    f->sums = MC_NEW_ARRAY(float *, f->n_parameters);
    f->gradients = MC_NEW_ARRAY(const float *, f->n_parameters);
    if (!f->slab || !f->sums || !f->gradients) return mc_error_memory(err);
    memset(f->slab, 0, f->slab_count * sizeof *f->slab);
    float *next = f->slab;
    for (int i = 0; i < f->n_parameters; i++) {
        f->sums[i] = next;
        next += slab_room(f, i);
    }
    return MC_OK;
}

static int init_masked(struct mc_fit *f, struct mc_error *err)
{
    const struct mc_fit_options *o = f->options;
    if (o->n_masks == 0) return MC_OK;
    f->masked_gradients = MC_NEW_ARRAY(const float *, o->n_masks);
    if (!f->masked_gradients) return mc_error_memory(err);
    if (o->masked_are == MC_MASKED_ZERO) return MC_OK;
    f->hidden = MC_NEW_ARRAY(float *, o->n_masks);
    if (!f->hidden) return mc_error_memory(err);
    for (int i = 0; i < o->n_masks; i++) {
        f->hidden[i] = MC_NEW_ARRAY(float, mc_tensor_count(o->masked[i]->data));
        if (!f->hidden[i]) return mc_error_memory(err);
    }
    return MC_OK;
}

static int init_teachers(struct mc_fit *f, int64_t capacity, struct mc_error *err)
{
    const struct mc_fit_options *o = f->options;
    const int n = o->teacher ? 1 + o->n_more_teachers : 0;
    int rc = MC_OK;
    for (; rc == MC_OK && f->n_teachers < n; f->n_teachers++)
        rc = mc_teacher_init(&f->teachers[f->n_teachers],
                             f->n_teachers ? o->more_teachers[f->n_teachers - 1] : o->teacher, o, &f->feed, capacity,
                             err);
    return rc;
}

static int init_data(struct mc_fit *f, const struct mc_dataset *data, struct mc_error *err)
{
    const struct mc_fit_options *o = f->options;
    const int64_t columns = f->binding.columns;
    int64_t capacity = 0;
    for (int i = 0; i < f->n_passes; i++)
        if (f->passes[i].batch > capacity) capacity = f->passes[i].batch;
    int rc = mc_loss_init(&f->loss, o, f->binding.loss, columns, data, true, err);
    if (rc == MC_OK) rc = mc_feed_init(&f->feed, data, MC_DATA_TRAIN, f->loss.kind, columns, capacity, o, err);
    if (rc == MC_OK) rc = mc_feed_augment(&f->feed, o->augment, err);
    if (rc == MC_OK) rc = init_teachers(f, capacity, err);
    if (rc == MC_OK) rc = mc_features_reserve(&f->features, capacity, err);
    if (rc == MC_OK) rc = mc_heads_reserve(&f->heads, o, &f->feed, capacity, err);
    if (rc == MC_OK) rc = mc_evaluator_init(&f->validation, f->model, data, MC_DATA_VALIDATION, 0, o, err);
    return rc;
}

static int find_parameters(struct mc_fit *f, struct mc_error *err)
{
    const int rc = mc_trainable(f->model, &f->parameters, &f->n_parameters, err);
    if (rc < 0 || f->n_parameters > 0) return rc;
    return mc_error_set(err, MC_ERR_UNSUPPORTED,
                        "no parameter can be trained: none reaches an output through operators "
                        "that have a derivative");
}

/* The head, what is imitated, and further heads. */
static int bind(struct mc_fit *f, struct mc_error *err)
{
    const struct mc_fit_options *o = f->options;
    int rc = mc_binding_init(&f->binding, f->model, f->data, o->loss, o->head, err);
    if (rc < 0) return rc;
    f->binding.taps = f->taps;
    f->binding.n_taps = f->features.n_taps;
    for (int i = 0; i < f->features.n_taps; i++) f->taps[i] = f->features.taps[i];
    return mc_heads_init(&f->heads, o, f->model, f->data, &f->binding, f->taps, &f->binding.n_taps, err);
}

int mc_fit_init(struct mc_fit *f, struct mc_model *model, const struct mc_dataset *data,
                const struct mc_fit_options *options, struct mc_error *err)
{
    *f = (struct mc_fit){.model = model, .options = options, .data = data, .n_samples = data->n[MC_DATA_TRAIN]};
    f->batch = options->batch ? smaller(options->batch, f->n_samples) : f->n_samples;
    int rc = check_options(options, err);
    if (rc == MC_OK && !(options->teacher && options->alpha == 1))
        rc = mc_dataset_need_labels(data, MC_DATA_TRAIN, "to train on, but for distillation with alpha 1", err);
    if (rc == MC_OK) rc = check_masks(options, err);
    if (rc == MC_OK) rc = mc_parameters_untie(model, err);
    if (rc == MC_OK) rc = mc_parameters_own(model, err);
    if (rc < 0) return rc;
    f->fixed_batch = mc_batch_open(model, f->batch);
    rc = mc_features_init(&f->features, options, model, data, err);
    if (rc < 0) return rc;
    rc = bind(f, err);
    if (rc == MC_OK) rc = find_parameters(f, err);
    if (rc == MC_OK) rc = init_passes(f, err);
    if (rc == MC_OK) rc = init_sums(f, err);
    if (rc == MC_OK) rc = init_masked(f, err);
    if (rc == MC_OK) rc = init_data(f, data, err);
    if (rc == MC_OK) rc = mc_optimizer_init(&f->optimizer, options, f->parameters, f->n_parameters, err);
    if (rc == MC_OK) rc = mc_average_init(&f->average, model, options->ema, &options->runtime, err);
    if (rc == MC_OK) rc = mc_snapshot_init(&f->good, model, err);
    if (rc == MC_OK && options->patience > 0) rc = mc_snapshot_init(&f->best, model, err);
    mc_early_stop_init(&f->stop, options->patience, options->min_delta);
    mc_plateau_init(&f->plateau);
    f->saved_ns = mc_clock_ns();
    return rc;
}

void mc_fit_finish(struct mc_fit *f)
{
    mc_free(f->lines);
    mc_snapshot_finish(&f->best);
    mc_snapshot_finish(&f->good);
    mc_average_finish(&f->average);
    mc_optimizer_finish(&f->optimizer);
    mc_evaluator_finish(&f->validation);
    for (int i = 0; i < MC_MOST_TEACHERS; i++) mc_teacher_finish(&f->teachers[i]);
    mc_feed_finish(&f->feed);
    mc_loss_finish(&f->loss);
    mc_free(f->slab);
    mc_free(f->sums);
    mc_free(f->gradients);
    for (int i = 0; f->hidden && i < f->options->n_masks; i++) mc_free(f->hidden[i]);
    mc_free(f->hidden);
    mc_free(f->masked_gradients);
    for (int i = 0; i < f->n_passes; i++) mc_pass_finish(&f->passes[i]);
    mc_heads_finish(&f->heads);
    mc_features_finish(&f->features);
    mc_batch_close(f->model, f->fixed_batch);
}

/* --- a step --- */

static struct mc_pass *pass_of(struct mc_fit *f, int64_t n)
{
    int i = 0;
    while (f->passes[i].whole != n) i++;
    return &f->passes[i];
}

/* Gradients of a pass from sample `begin` on, of a step of n_step; the sum of its losses. What all processes run whole
 * each counts for its part. */
static int run_pass(struct mc_fit *f, struct mc_pass *pass, int64_t begin, int64_t n_step, double *sum,
                    struct mc_error *err)
{
    const bool shared = is_shared(f, pass->whole);
    const int64_t times = shared ? 1 : mc_peers_size(f->options->runtime.peers);
    int64_t from = 0, to;
    if (shared) mc_peers_share(f->options->runtime.peers, pass->whole, &from, &to);
    begin += from;
    float *x = mc_pass_input(pass);
    int rc = mc_feed_read(&f->feed, begin, pass->batch, x, err);
    struct mc_targets targets = mc_feed_targets(&f->feed);
    for (int i = 0; rc == MC_OK && i < f->n_teachers; i++)
        rc = mc_teacher_scores(&f->teachers[i], &f->feed, begin, pass->batch, x,
                               i ? &targets.more[i - 1] : &targets.teacher, err);
    if (rc == MC_OK) rc = mc_features_read(&f->features, x, pass->batch, err);
    if (rc == MC_OK) rc = mc_heads_read(&f->heads, &f->feed, &targets, begin, pass->batch, x, err);
    targets.n_more = f->n_teachers > 1 ? f->n_teachers - 1 : 0;
    if (rc < 0) return rc;
    return mc_pass_run(pass, &f->loss, &targets, 1 / (double)(n_step * times), f->n_runs++, sum, err);
}

/* Whether each parameter has a gradient. */
static float *presence(const struct mc_fit *f)
{
    return f->slab + f->slab_count - f->n_parameters;
}

static void add_gradients(struct mc_fit *f, const struct mc_pass *pass, bool first)
{
    const struct mc_updates *updates = f->options->runtime.kernels->updates;
    float *present = presence(f);
    for (int i = 0; i < f->n_parameters; i++) {
        const int64_t n = mc_tensor_count(f->parameters[i]->data);
        const bool before = !first && present[i] > 0;
        if (before && pass->gradients[i])
            updates->axpy(n, 1, pass->gradients[i], f->sums[i]);
        else if (pass->gradients[i])
            memcpy(f->sums[i], pass->gradients[i], (size_t)n * sizeof **f->sums);
        else if (!before)
            memset(f->sums[i], 0, (size_t)n * sizeof **f->sums);
        present[i] = before || pass->gradients[i] ? 1 : 0;
    }
}

/* Gradients of the whole step, in all processes. */
static int settle_gradients(struct mc_fit *f, struct mc_error *err)
{
    const int rc = mc_peers_sum_floats(f->options->runtime.peers, f->slab, f->slab_count, err);
    for (int i = 0; i < f->n_parameters; i++) f->gradients[i] = presence(f)[i] > 0 ? f->sums[i] : NULL;
    return rc;
}

/* All passes of the samples begin … begin+n; *gradients are those of the step's mean loss. */
static int run_passes(struct mc_fit *f, int64_t begin, int64_t n, double *sum, const float *const **gradients,
                      struct mc_error *err)
{
    *sum = 0;
    for (int64_t done = 0; done < n;) {
        const int64_t now = smaller(n - done, f->pass_samples);
        struct mc_pass *pass = pass_of(f, now);
        double part;
        const int rc = run_pass(f, pass, begin + done, n, &part, err);
        if (rc < 0) return rc;
        *sum += part;
        if (!isfinite(part)) return MC_OK;
        if (f->sums) add_gradients(f, pass, done == 0);
        *gradients = f->sums ? f->gradients : pass->gradients;
        done += now;
    }
    return f->sums ? settle_gradients(f, err) : MC_OK;
}

static int64_t all_steps(const struct mc_fit *f)
{
    return f->steps_per_epoch * f->options->epochs;
}

static double progress_now(const struct mc_fit *f)
{
    return (double)f->optimizer.n_steps / (double)all_steps(f);
}

/* A callback has answered: were masks changed? */
static int take_masks(struct mc_fit *f, int answer)
{
    if (answer <= 0) return answer;
    apply_masks(f);
    mc_early_stop_forget(&f->stop);
    return MC_OK;
}

static int before_step(struct mc_fit *f, struct mc_error *err)
{
    const struct mc_fit_options *o = f->options;
    if (!o->before_step) return MC_OK;
    return take_masks(f, o->before_step(o->context, f->optimizer.n_steps, progress_now(f), err));
}

static int after_backward(struct mc_fit *f, const float *const *gradients, struct mc_error *err)
{
    const struct mc_fit_options *o = f->options;
    if (!o->after_backward) return MC_OK;
    for (int i = 0; i < o->n_masks; i++) {
        f->masked_gradients[i] = NULL;
        for (int p = 0; p < f->n_parameters; p++)
            if (f->parameters[p] == o->masked[i]) f->masked_gradients[i] = gradients[p];
    }
    return take_masks(f,
                      o->after_backward(o->context, f->optimizer.n_steps, progress_now(f), f->masked_gradients, err));
}

int mc_fit_step(struct mc_fit *f, int64_t begin, double rate, double *loss, struct mc_error *err)
{
    const float *const *gradients = NULL;
    hide_masked(f);
    int rc = run_passes(f, begin, smaller(f->batch, f->n_samples - begin), loss, &gradients, err);
    show_masked(f);
    if (rc < 0 || !isfinite(*loss)) return rc;
    rc = after_backward(f, gradients, err);
    if (rc < 0) return rc;
    mc_optimizer_step(&f->optimizer, rate, gradients);
    if (f->options->after_step) rc = f->options->after_step(f->options->context, progress_now(f), rate, err);
    if (rc < 0) return rc;
    rest_masked(f);
    mc_average_step(&f->average, f->optimizer.n_steps - 1);
    return MC_OK;
}

/* --- steps of an epoch --- */

static double rate_now(const struct mc_fit *f)
{
    const struct mc_moment now = {
        .epoch = f->epoch,
        .step = f->optimizer.n_steps,
        .steps_per_epoch = f->steps_per_epoch,
        .n_steps = all_steps(f),
    };
    return mc_rate_at(&f->options->rate, &f->plateau, &now);
}

static double temperature_now(const struct mc_fit *f)
{
    const struct mc_fit_options *o = f->options;
    if (o->last_temperature == 0) return o->temperature;
    return o->temperature +
           (o->last_temperature - o->temperature) * (double)f->optimizer.n_steps / (double)all_steps(f);
}

static int refuse_loss(const struct mc_fit *f, double rate, struct mc_error *err)
{
    const struct mc_fit_options *o = f->options;
    mc_error_set(err, MC_ERR_INPUT, "the loss is not finite at step %" PRId64 " (epoch %" PRId64 ", rate %g)",
                 f->optimizer.n_steps + 1, f->epoch + 1, rate);
    if (o->checkpoint && mc_file_size(o->checkpoint) >= 0)
        mc_error_hint(err, "a smaller rate may help; '%s' has the last good state", o->checkpoint);
    else
        mc_error_hint(err, "a smaller rate may help");
    return MC_ERR_INPUT;
}

/* What the metric of an epoch is; NULL without validation samples. */
static const char *metric_name(const struct mc_fit *f, const struct mc_epoch_line *line)
{
    if (!line || isnan(line->metric)) return NULL;
    return f->data->task == MC_TASK_CLASSIFICATION ? "accuracy" : "R2";
}

/* Tell how far it is; MC_INTERRUPTED if somebody wants to stop. */
static int report(const struct mc_fit *f, double loss, struct mc_error *err)
{
    const struct mc_fit_options *o = f->options;
    const struct mc_epoch_line *last = f->n_lines > 0 ? &f->lines[f->n_lines - 1] : NULL;
    const struct mc_progress at = {
        .what = "training",
        .done = f->optimizer.n_steps,
        .total = all_steps(f),
        .loss = loss,
        .metric = metric_name(f, last),
        .value = last ? last->metric : NAN,
        .samples = f->epoch * f->n_samples + f->begin,
    };
    if (!o->progress || o->progress(o->progress_context, &at)) return MC_OK;
    mc_error_set(err, MC_INTERRUPTED, "interrupted");
    if (o->checkpoint) mc_error_hint(err, "'%s' has the state: --resume goes on", o->checkpoint);
    return MC_INTERRUPTED;
}

/* Write the state if there is a file for it and it is time; at once if `now`. */
static int save_state(struct mc_fit *f, bool now, struct mc_error *err)
{
    if (!f->options->checkpoint || !mc_peers_leads(f->options->runtime.peers)) return MC_OK;
    const double waited = (double)(mc_clock_ns() - f->saved_ns) * 1e-9;
    if (!now && waited < f->options->checkpoint_seconds) return MC_OK;
    const int rc = mc_checkpoint_save(f, err);
    f->saved_ns = mc_clock_ns();
    return rc;
}

static int run_step(struct mc_fit *f, struct mc_error *err)
{
    const int64_t n = smaller(f->batch, f->n_samples - f->begin);
    double loss = 0;
    int rc = before_step(f, err);
    const double rate = rate_now(f);
    if (f->begin == 0) f->rate = rate;
    f->loss.temperature = temperature_now(f);
    mc_heads_warm(&f->heads, f->loss.temperature);
    if (rc == MC_OK) rc = mc_fit_step(f, f->begin, rate, &loss, err);
    if (rc < 0) return rc;
    if (!isfinite(loss)) return refuse_loss(f, rate, err);
    f->begin += n;
    f->sum += loss;
    rc = mc_peers_agree(f->options->runtime.peers, report(f, loss / (double)n, err), err); /* all stop here, or none */
    const int saved = save_state(f, rc < 0, rc < 0 ? NULL : err);
    return rc < 0 ? rc : saved;
}

/* --- epochs --- */

static void log_epoch(const struct mc_fit *f, const struct mc_epoch_line *line)
{
    char validation[96] = "";
    const char *metric = metric_name(f, line);
    if (!f->options->log) return;
    if (metric)
        snprintf(validation, sizeof validation, ", validation loss %.4g, %s %.4g", line->validation_loss, metric,
                 line->metric);
    char text[256];
    snprintf(text, sizeof text, "epoch %" PRId64 " of %" PRId64 ": rate %.3g, loss %.4g%s, %.1f s", line->number + 1,
             f->options->epochs, line->rate, line->train_loss, validation, line->seconds);
    f->options->log(f->options->log_context, text);
}

/* The weights are good, perhaps the best. Without validation samples the training loss decides. */
static void note_epoch(struct mc_fit *f, const struct mc_metrics *validation, double seconds)
{
    struct mc_epoch_line *line = &f->lines[f->n_lines++];
    const bool validated = validation->n_samples > 0;
    *line = (struct mc_epoch_line){
        .number = f->epoch,
        .rate = f->rate,
        .train_loss = f->sum / (double)f->n_samples,
        .validation_loss = validated ? validation->loss : NAN,
        .metric = !validated                   ? NAN
                  : validation->classification ? validation->accuracy
                                               : validation->r2,
        .seconds = seconds,
    };
    log_epoch(f, line);
    const double loss = validated ? line->validation_loss : line->train_loss;
    mc_snapshot_take(&f->good);
    mc_plateau_observe(&f->plateau, &f->options->rate, loss);
    if (mc_early_stop_observe(&f->stop, f->epoch, loss) && f->options->patience > 0) mc_snapshot_take(&f->best);
}

/* Train, and look at what came of it: at the average, where there is one. */
static int run_epoch(struct mc_fit *f, struct mc_error *err)
{
    const int64_t start = mc_clock_ns();
    struct mc_metrics validation;
    mc_feed_shuffle(&f->feed, f->epoch);
    while (f->begin < f->n_samples) {
        const int rc = run_step(f, err);
        if (rc < 0) return rc;
    }
    if (!mc_grow((void **)&f->lines, (size_t)f->n_lines, &f->lines_capacity, sizeof *f->lines))
        return mc_error_memory(err);
    mc_average_swap(&f->average);
    hide_masked(f);
    const int rc = mc_evaluator_run(&f->validation, &validation, err);
    if (rc == MC_OK) note_epoch(f, &validation, f->seconds + (double)(mc_clock_ns() - start) * 1e-9);
    show_masked(f);
    mc_average_swap(&f->average);
    f->epoch++;
    f->begin = 0;
    f->sum = f->seconds = 0;
    return rc;
}

/* What the model is left with: the best weights if somebody asked for them, else those of the last good epoch. After
 * training without an average they are in place already. */
static void settle(struct mc_fit *f, int rc)
{
    const bool best = rc == MC_OK && f->options->patience > 0 && f->stop.best_epoch >= 0;
    mc_snapshot_restore(best ? &f->best : &f->good);
}

static int run_epochs(struct mc_fit *f, struct mc_error *err)
{
    int rc = MC_OK;
    if (f->done) return MC_OK;
    apply_masks(f);
    while (rc == MC_OK && f->epoch < f->options->epochs && !mc_early_stop_now(&f->stop)) {
        rc = run_epoch(f, err);
        if (rc == MC_OK) rc = save_state(f, false, err);
    }
    if (rc < 0 || f->epoch > 0) settle(f, rc);
    f->done = rc == MC_OK;
    return rc == MC_OK ? save_state(f, true, err) : rc;
}

static void record_epochs(const struct mc_fit *f, struct mc_record *epochs)
{
    const bool classes = f->data->task == MC_TASK_CLASSIFICATION;
    for (int i = 0; i < f->n_lines; i++) {
        const struct mc_epoch_line *line = &f->lines[i];
        struct mc_record *record = mc_record_append_object(epochs);
        mc_record_set_int(record, "epoch", line->number + 1);
        mc_record_set_num(record, "rate", line->rate);
        mc_record_set_num(record, "train_loss", line->train_loss);
        if (!isnan(line->validation_loss)) mc_record_set_num(record, "validation_loss", line->validation_loss);
        if (!isnan(line->metric))
            mc_record_set_num(record, classes ? "validation_accuracy" : "validation_r2", line->metric);
        mc_record_set_num(record, "seconds", line->seconds);
    }
}

static void record_run(const struct mc_fit *f, double seconds, struct mc_record *section)
{
    int64_t parameters = -mc_features_parameters(&f->features);
    for (int i = 0; i < f->n_parameters; i++) parameters += mc_tensor_count(f->parameters[i]->data);
    record_epochs(f, mc_record_array(section, "epochs"));
    mc_record_set_int(section, "best_epoch", f->stop.best_epoch + 1);
    mc_record_set_bool(section, "stopped_early", mc_early_stop_now(&f->stop));
    mc_record_set_num(section, "seconds", seconds);
    mc_verdict(f->lines, f->n_lines, !f->options->teacher, f->n_samples, parameters,
               mc_record_object(section, "verdict"));
}

struct mc_fit_options mc_fit_settled(const struct mc_fit_options *options)
{
    struct mc_fit_options own = *options;
    if (own.rate.first == 0) own.rate.first = mc_rate_usual(own.optimizer);
    own.runtime.seed = options->seed;
    own.runtime.freeze_batch_norm = options->freeze_batch_norm;
    own.runtime.bfloat16 = options->bfloat16;
    return own;
}

int mc_fit(struct mc_model *model, const struct mc_dataset *data, const struct mc_fit_options *options,
           struct mc_record *section, struct mc_error *err)
{
    const struct mc_fit_options own = mc_fit_settled(options);
    const int width = mc_runtime_enter(&own.runtime);
    const int64_t start = mc_clock_ns();
    struct mc_fit f;
    int rc = mc_fit_init(&f, model, data, &own, err);
    if (rc == MC_OK && own.checkpoint && own.resume) rc = mc_checkpoint_load(&f, err);
    if (rc == MC_OK && section) rc = mc_record_untrained(f.passes[0].plan, model, section, err);
    if (rc == MC_OK) rc = run_epochs(&f, err);
    rc = mc_peers_agree(own.runtime.peers, rc, err);
    if (rc == MC_OK && section) record_run(&f, (double)(mc_clock_ns() - start) * 1e-9, section);
    mc_fit_finish(&f);
    mc_runtime_leave(width);
    return rc;
}
