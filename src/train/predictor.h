/* predictor.h - a model's scores for batches of samples: what measuring and teaching share. */
#ifndef MC_TRAIN_PREDICTOR_H
#define MC_TRAIN_PREDICTOR_H

#include "train/binding.h"
#include "train/intake.h"

struct mc_predictor {
    struct mc_binding binding;
    struct mc_plan *plan;
    struct mc_intake intake;
    int64_t batch; /* samples per run; fewer are run with whatever stands behind them */
    float *pairs;  /* [batch, 2] when logistic */
};

/* `head` as for mc_binding_init; `taps`: further values that the plan hands out. `batch` 0: about a million input
 * elements, 8 to 256 samples. A model with a fixed batch has its own. */
int mc_predictor_init(struct mc_predictor *predictor, const struct mc_model *model, const struct mc_dataset *data,
                      enum mc_loss_kind loss, const char *head, const struct mc_value *const *taps, int n_taps,
                      int64_t batch, const struct mc_runtime *runtime, struct mc_error *err);
void mc_predictor_finish(struct mc_predictor *predictor);

/* Where the next batch goes: [batch, sample…]. */
float *mc_predictor_input(struct mc_predictor *predictor);
/* Scores of the first n samples, [n, columns], lent until the next run. */
int mc_predictor_run(struct mc_predictor *predictor, int64_t n, const float **scores, struct mc_error *err);

#endif
