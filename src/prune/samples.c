/* samples.c - batches of samples through a model; see samples.h. */
#include "prune/samples.h"

#include <math.h>

#include "base/error.h"

enum { BATCH = 32 };

static int start(struct mc_sampler *s, const struct mc_samples *samples, const struct mc_model *model, int64_t batch,
                 const struct mc_runtime *runtime, struct mc_error *err)
{
    *s = (struct mc_sampler){.samples = samples, .n = samples->n};
    const int64_t available = samples->data->n[samples->role];
    if (s->n > available) s->n = available;
    int rc = mc_binding_init(&s->binding, model, samples->data, MC_LOSS_AUTO, NULL, err);
    if (rc < 0) return rc;
    const int64_t fixed = mc_binding_fixed_batch(&s->binding);
    s->batch = fixed ? fixed : batch < s->n ? batch : s->n;
    if (s->n < 1 || s->n < s->batch)
        return mc_error_set(err, MC_ERR_INPUT, "'%s' has too few %s samples: needs %lld, has %lld", samples->data->spec,
                            mc_data_role_name(samples->role), (long long)(s->batch > 0 ? s->batch : 1),
                            (long long)s->n);
    struct mc_fit_options options;
    mc_fit_options_init(&options);
    options.runtime = *runtime;
    rc = mc_loss_init(&s->loss, &options, s->binding.loss, s->binding.columns, samples->data, false, err);
    if (rc < 0) return rc;
    return mc_feed_init(&s->feed, samples->data, samples->role, s->binding.loss, s->binding.columns, s->batch, &options,
                        err);
}

int mc_sampler_observe(struct mc_sampler *s, const struct mc_samples *samples, const struct mc_model *model,
                       const struct mc_value *const *taps, int n_taps, bool training, const struct mc_runtime *runtime,
                       struct mc_error *err)
{
    int rc = start(s, samples, model, BATCH, runtime, err);
    if (rc < 0) return rc;
    struct mc_shape shape = s->binding.shape;
    struct mc_runtime alone = *runtime;
    alone.peers = NULL; /* every process looks at all samples */
    shape.dim[0] = s->batch;
    const struct mc_plan_options options = {.dims = {.n_inputs = 1, .shape = &shape},
                                            .runtime = &alone,
                                            .training = training,
                                            .n_taps = n_taps,
                                            .taps = taps};
    s->first_tap = model->graph->n_outputs;
    rc = mc_plan_create(&s->plan, model, &options, err);
    if (rc == MC_OK) rc = mc_intake_init(&s->intake, s->plan, err);
    s->taken = s->plan;
    return rc;
}

int mc_sampler_descend(struct mc_sampler *s, const struct mc_samples *samples, const struct mc_model *model,
                       struct mc_value *const *parameters, int n, int64_t batch, const struct mc_runtime *runtime,
                       struct mc_error *err)
{
    struct mc_runtime frozen = *runtime;
    frozen.freeze_batch_norm = true;
    frozen.peers = NULL;
    int rc = mc_dataset_need_labels(samples->data, samples->role, "to take gradients by", err);
    if (rc == MC_OK) rc = start(s, samples, model, batch, runtime, err);
    if (rc == 0) rc = mc_pass_init(&s->pass, &s->binding, model, s->batch, parameters, n, &frozen, err);
    s->taken = s->pass.plan;
    return rc;
}

void mc_sampler_finish(struct mc_sampler *s)
{
    mc_intake_finish(&s->intake);
    mc_plan_destroy(s->plan);
    mc_pass_finish(&s->pass);
    mc_feed_finish(&s->feed);
    mc_loss_finish(&s->loss);
    *s = (struct mc_sampler){0};
}

void mc_sampler_rewind(struct mc_sampler *s)
{
    s->done = 0;
}

static int run_pass(struct mc_sampler *s, struct mc_error *err)
{
    const struct mc_targets targets = {.labels = s->feed.labels, .numbers = s->feed.numbers};
    double sum;
    const int rc = mc_pass_run(&s->pass, &s->loss, &targets, 1 / (double)s->batch, s->done / s->batch, &sum, err);
    if (rc == 0 && !isfinite(sum))
        return mc_error_set(err, MC_ERR_INPUT, "the loss is not finite on sample %lld or one of the %lld after it",
                            (long long)s->done, (long long)s->batch - 1);
    return rc;
}

int mc_sampler_next(struct mc_sampler *s, const char *what, struct mc_error *err)
{
    if (s->done + s->batch > s->n) return 0;
    const struct mc_samples *samples = s->samples;
    const struct mc_progress at = {.what = what, .done = s->done, .total = s->n, .loss = NAN, .value = NAN};
    if (samples->progress && !samples->progress(samples->progress_context, &at))
        return mc_error_set(err, MC_INTERRUPTED, "interrupted");
    float *x = s->plan ? mc_intake_samples(&s->intake) : mc_pass_input(&s->pass);
    int rc = mc_feed_read(&s->feed, s->done, s->batch, x, err);
    if (rc == 0 && s->plan) rc = mc_intake_settle(&s->intake, err);
    if (rc == 0) rc = s->plan ? mc_plan_run(s->plan, err) : run_pass(s, err);
    s->done += s->batch;
    return rc < 0 ? rc : 1;
}

const struct mc_tensor *mc_sampler_tap(const struct mc_sampler *s, int i)
{
    return mc_plan_output(s->taken, s->first_tap + i);
}
