/* bench_train.c - how long one step of training takes; see bench_train.h. */
#include "train/bench_train.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/rng.h"
#include "train/optimizer.h"
#include "train/parameters.h"
#include "train/pass.h"

enum { WARM_UP = 2, LEAST = 3 };

struct bench {
    struct mc_fit_options options;
    struct mc_binding binding;
    struct mc_pass pass;
    struct mc_loss loss;
    struct mc_optimizer optimizer;
    int64_t *labels;
    double *ms; /* of each step */
    size_t n_steps, capacity;
};

static int init(struct bench *b, struct mc_model *model, int64_t batch, const struct mc_runtime *runtime,
                struct mc_error *err)
{
    *b = (struct bench){
        .options = {.loss = MC_LOSS_CROSS_ENTROPY, .optimizer = MC_MOMENTUM, .momentum = 0.9, .runtime = *runtime},
    };
    struct mc_value **parameters;
    int n;
    int rc = mc_parameters_untie(model, err);
    if (rc == MC_OK) rc = mc_parameters_own(model, err);
    if (rc == MC_OK) rc = mc_trainable(model, &parameters, &n, err);
    if (rc == MC_OK) rc = mc_binding_init(&b->binding, model, NULL, MC_LOSS_CROSS_ENTROPY, err);
    if (rc < 0) return rc;
    const int64_t fixed = mc_binding_fixed_batch(&b->binding);
    if (fixed && fixed != batch)
        return mc_error_set(err, MC_ERR_USAGE, "the model's batch is %" PRId64 ", %" PRId64 " was asked for", fixed,
                            batch);
    rc = mc_pass_init(&b->pass, &b->binding, model, batch, parameters, n, &b->options.runtime, err);
    if (rc == MC_OK) rc = mc_loss_init(&b->loss, &b->options, MC_TASK_CLASSIFICATION, b->binding.columns, false, err);
    if (rc == MC_OK) rc = mc_optimizer_init(&b->optimizer, &b->options, parameters, n, err);
    if (rc < 0) return rc;
    b->labels = MC_NEW_ARRAY(int64_t, batch);
    return b->labels ? MC_OK : mc_error_memory(err);
}

static void finish(struct bench *b)
{
    mc_free(b->ms);
    mc_free(b->labels);
    mc_optimizer_finish(&b->optimizer);
    mc_loss_finish(&b->loss);
    mc_pass_finish(&b->pass);
}

/* The plan's input may be written over by a run, so that each step fills it again, as a step of training does. */
static int run_step(struct bench *b, const float *x, struct mc_error *err)
{
    const struct mc_targets targets = {.labels = b->labels};
    const int64_t n = b->pass.batch, size = mc_shape_span(&b->binding.shape, 1, b->binding.shape.rank);
    double sum;
    memcpy(mc_pass_input(&b->pass), x, (size_t)(n * size) * sizeof *x);
    const int rc = mc_pass_run(&b->pass, &b->loss, &targets, 1 / (double)n, b->optimizer.n_steps, &sum, err);
    if (rc < 0) return rc;
    if (!isfinite(sum)) return mc_error_set(err, MC_ERR_INPUT, "the loss is %g at step %zu", sum, b->n_steps + 1);
    mc_optimizer_step(&b->optimizer, 0.01, b->pass.gradients);
    return MC_OK;
}

static float *random_batch(struct bench *b, struct mc_rng *rng)
{
    const int64_t count = b->pass.batch * mc_shape_span(&b->binding.shape, 1, b->binding.shape.rank);
    float *x = mc_alloc((size_t)count, sizeof *x);
    for (int64_t i = 0; x && i < count; i++) x[i] = (float)mc_rng_normal(rng);
    for (int64_t i = 0; i < b->pass.batch; i++) b->labels[i] = (int64_t)mc_rng_below(rng, (uint64_t)b->binding.columns);
    return x;
}

static int run_for(struct bench *b, double seconds, const float *x, struct mc_error *err)
{
    int rc = MC_OK;
    for (int i = 0; i < WARM_UP && rc == MC_OK; i++) rc = run_step(b, x, err);
    const int64_t end = mc_clock_ns() + (int64_t)(seconds * 1e9);
    while (rc == MC_OK && (b->n_steps < LEAST || mc_clock_ns() < end)) {
        if (!mc_grow((void **)&b->ms, b->n_steps, &b->capacity, sizeof *b->ms)) return mc_error_memory(err);
        const int64_t start = mc_clock_ns();
        rc = run_step(b, x, err);
        b->ms[b->n_steps++] = (double)(mc_clock_ns() - start) * 1e-6;
    }
    return rc;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void summarize(struct bench *b, struct mc_bench_times *times)
{
    const size_t n = b->n_steps;
    qsort(b->ms, n, sizeof *b->ms, ascending);
    *times = (struct mc_bench_times){
        .n_steps = (int64_t)n,
        .median_ms = n % 2 ? b->ms[n / 2] : (b->ms[n / 2 - 1] + b->ms[n / 2]) / 2,
        .best_ms = b->ms[0],
        .worst_ms = b->ms[n - 1],
    };
}

int mc_bench_train(struct mc_model *model, int64_t batch, double seconds, const struct mc_runtime *runtime,
                   struct mc_bench_times *times, struct mc_error *err)
{
    struct mc_rng rng;
    mc_rng_init(&rng, runtime->seed, mc_hash("bench"));
    const int width = mc_runtime_enter(runtime);
    struct bench b;
    float *x = NULL;
    int rc = init(&b, model, batch, runtime, err);
    if (rc < 0) goto done;
    x = random_batch(&b, &rng);
    rc = x ? run_for(&b, seconds, x, err) : mc_error_memory(err);
    if (rc == MC_OK) summarize(&b, times);
done:
    mc_free(x);
    finish(&b);
    mc_runtime_leave(width);
    return rc;
}
