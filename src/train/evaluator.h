/* evaluator.h - loss and metrics of a model over a role of a data set, again and again as it is trained. */
#ifndef MC_TRAIN_EVALUATOR_H
#define MC_TRAIN_EVALUATOR_H

#include "metric/outcomes.h"
#include "train/feed.h"
#include "train/predictor.h"

struct mc_evaluator {
    struct mc_predictor predictor;
    struct mc_feed feed;
    struct mc_loss loss;
    struct mc_meter meter;
    struct mc_outcomes *keep; /* of the caller's, who may set it after init: gets every answer; NULL: none is kept */
};

/* Uses loss, runtime and progress of the options; distillation is left aside. `batch` as for mc_predictor_init. */
int mc_evaluator_init(struct mc_evaluator *evaluator, const struct mc_model *model, const struct mc_dataset *data,
                      enum mc_role_of_data role, int64_t batch, const struct mc_fit_options *options,
                      struct mc_error *err);
void mc_evaluator_finish(struct mc_evaluator *evaluator);

/* With the parameters as they are now. Processes that work together measure a share each, and all get the result for
 * all samples. A role without samples, or whose
 * labels are not known, gives metrics of zero samples. */
int mc_evaluator_run(struct mc_evaluator *evaluator, struct mc_metrics *metrics, struct mc_error *err);

#endif
