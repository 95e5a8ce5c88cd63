/* pass.h - forward, loss, backward for one batch: gradients of all parameters. */
#ifndef MC_TRAIN_PASS_H
#define MC_TRAIN_PASS_H

#include "train/binding.h"
#include "train/features.h"
#include "train/heads.h"
#include "train/intake.h"
#include "train/loss.h"

struct mc_pass {
    const struct mc_binding *binding;
    struct mc_plan *plan;
    struct mc_intake intake;
    int64_t batch;
    int64_t whole;                      /* set by the caller: samples of the batch that this is a share of */
    const struct mc_features *features; /* set by the caller: what the loss looks at beside the scores; NULL: nothing */
    struct mc_heads *heads;             /* likewise the losses of further outputs */
    float *pairs, *pair_gradients;      /* [batch, 2] when logistic */
    int n_gradients;
    const float **gradients; /* of the parameters, in their order, after mc_pass_run; NULL entry: none leads there */
};

/* `binding` must outlive the pass. */
int mc_pass_init(struct mc_pass *pass, const struct mc_binding *binding, const struct mc_model *model, int64_t batch,
                 struct mc_value *const *parameters, int n_parameters, const struct mc_runtime *runtime,
                 struct mc_error *err);
void mc_pass_finish(struct mc_pass *pass);

/* Where the batch goes: [batch, sample…]. */
float *mc_pass_input(struct mc_pass *pass);

/* Sum of the loss over the batch into *sum, gradients of weight * sum into `gradients`. `iteration` numbers the steps
 * for operators that draw. Stops before backward when the sum is not finite. Allocates nothing. Where the runtime that
 * the pass was made with has peers, the batch is this process's share of one: *sum is of the whole, gradients are of
 * the share. */
int mc_pass_run(struct mc_pass *pass, const struct mc_loss *loss, const struct mc_targets *targets, double weight,
                int64_t iteration, double *sum, struct mc_error *err);

#endif
