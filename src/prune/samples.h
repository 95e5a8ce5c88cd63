/* samples.h - a model run on samples of a data set, batch by batch: what its channels do and how the loss takes it.
 *
 * Whole batches alone are run, so that what a value holds is of samples and nothing else.
 */
#ifndef MC_PRUNE_SAMPLES_H
#define MC_PRUNE_SAMPLES_H

#include "prune/prune.h"
#include "train/feed.h"
#include "train/pass.h"

struct mc_sampler {
    struct mc_binding binding;
    struct mc_feed feed;
    struct mc_loss loss;
    struct mc_pass pass;     /* with gradients */
    struct mc_plan *plan;    /* without */
    struct mc_plan *taken;   /* whichever there is */
    struct mc_intake intake; /* of `plan` */
    int first_tap;           /* output of the plan */
    int64_t batch, n, done;
    const struct mc_samples *samples;
};

/* Forward runs of `model`, whose values `taps` are handed out. The model and the samples outlive the sampler. Operators
 * are as in inference; with `training` batch normalization takes the statistics of the batch and moves its running
 * ones, which must be the model's own. MC_ERR_INPUT when the role has no samples, and what mc_binding_init refuses. */
int mc_sampler_observe(struct mc_sampler *sampler, const struct mc_samples *samples, const struct mc_model *model,
                       const struct mc_value *const *taps, int n_taps, bool training, const struct mc_runtime *runtime,
                       struct mc_error *err);
/* Forward and backward: gradients of the mean loss of a batch of at most `batch` with respect to parameters; batch
 * normalization as in inference. */
int mc_sampler_descend(struct mc_sampler *sampler, const struct mc_samples *samples, const struct mc_model *model,
                       struct mc_value *const *parameters, int n, int64_t batch, const struct mc_runtime *runtime,
                       struct mc_error *err);
void mc_sampler_finish(struct mc_sampler *sampler);

/* Back to the first sample. */
void mc_sampler_rewind(struct mc_sampler *sampler);
/* Run the next batch: 1; 0: there is none left. Reports `what` as progress. */
int mc_sampler_next(struct mc_sampler *sampler, const char *what, struct mc_error *err);
/* After a run: tap i. */
const struct mc_tensor *mc_sampler_tap(const struct mc_sampler *sampler, int i);

#endif
