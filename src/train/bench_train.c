/* bench_train.c - how long one step of training takes; see bench_train.h. */
#include "train/bench_train.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/rng.h"
#include "train/optimizer.h"
#include "train/parameters.h"
#include "train/pass.h"

struct bench {
    struct mc_fit_options options;
    struct mc_binding binding;
    struct mc_pass pass;
    struct mc_loss loss;
    struct mc_optimizer optimizer;
    int64_t *labels;
    float *x; /* [batch, sample…] */
};

static int init(struct bench *b, struct mc_model *model, int64_t batch, const struct mc_runtime *runtime,
                struct mc_error *err)
{
    *b = (struct bench){
        .options = {.loss = MC_LOSS_CROSS_ENTROPY, .optimizer = MC_MOMENTUM, .momentum = 0.9, .runtime = *runtime},
    };
    b->options.runtime.peers = NULL;
    struct mc_value **parameters;
    int n;
    int rc = mc_parameters_untie(model, err);
    if (rc == MC_OK) rc = mc_parameters_own(model, err);
    if (rc == MC_OK) rc = mc_trainable(model, &parameters, &n, err);
    if (rc == MC_OK) rc = mc_binding_init(&b->binding, model, NULL, MC_LOSS_CROSS_ENTROPY, NULL, err);
    if (rc < 0) return rc;
    const int64_t fixed = mc_binding_fixed_batch(&b->binding);
    if (fixed && fixed != batch)
        return mc_error_set(err, MC_ERR_USAGE, "the model's batch is %" PRId64 ", %" PRId64 " was asked for", fixed,
                            batch);
    rc = mc_pass_init(&b->pass, &b->binding, model, batch, parameters, n, &b->options.runtime, err);
    if (rc == MC_OK) rc = mc_loss_init(&b->loss, &b->options, b->binding.loss, b->binding.columns, NULL, false, err);
    if (rc == MC_OK) rc = mc_optimizer_init(&b->optimizer, &b->options, parameters, n, err);
    return rc;
}

static void finish(struct bench *b)
{
    mc_free(b->x);
    mc_free(b->labels);
    mc_optimizer_finish(&b->optimizer);
    mc_loss_finish(&b->loss);
    mc_pass_finish(&b->pass);
}

static int64_t batch_count(const struct bench *b)
{
    return b->pass.batch * mc_shape_span(&b->binding.shape, 1, b->binding.shape.rank);
}

static int draw_batch(struct bench *b, uint64_t seed, struct mc_error *err)
{
    const int64_t n = b->pass.batch, count = batch_count(b);
    struct mc_rng rng;
    mc_rng_init(&rng, seed, mc_hash("bench"));
    b->x = mc_alloc((size_t)count, sizeof *b->x);
    b->labels = MC_NEW_ARRAY(int64_t, n);
    if (!b->x || !b->labels) return mc_error_memory(err);
    for (int64_t i = 0; i < count; i++) b->x[i] = (float)mc_rng_normal(&rng);
    for (int64_t i = 0; i < n; i++) b->labels[i] = (int64_t)mc_rng_below(&rng, (uint64_t)b->binding.columns);
    return MC_OK;
}

/* The plan's input may be written over by a run, so that each step fills it again, as a step of training does. */
static int run_step(void *context, struct mc_error *err)
{
    struct bench *b = context;
    const struct mc_targets targets = {.labels = b->labels};
    const int64_t n = b->pass.batch, step = b->optimizer.n_steps;
    double sum;
    memcpy(mc_pass_input(&b->pass), b->x, (size_t)batch_count(b) * sizeof *b->x);
    const int rc = mc_pass_run(&b->pass, &b->loss, &targets, 1 / (double)n, step, &sum, err);
    if (rc < 0) return rc;
    if (!isfinite(sum)) return mc_error_set(err, MC_ERR_INPUT, "the loss is not finite at step %" PRId64, step + 1);
    mc_optimizer_step(&b->optimizer, 0.01, b->pass.gradients);
    return MC_OK;
}

int mc_bench_train(struct mc_model *model, int64_t batch, double seconds, const struct mc_runtime *runtime,
                   struct mc_bench_times *times, struct mc_error *err)
{
    const int width = mc_runtime_enter(runtime);
    struct bench b;
    int rc = init(&b, model, batch, runtime, err);
    if (rc == MC_OK) rc = draw_batch(&b, runtime->seed, err);
    if (rc == MC_OK) rc = mc_bench_repeat(run_step, &b, seconds, times, err);
    finish(&b);
    mc_runtime_leave(width);
    return rc;
}
