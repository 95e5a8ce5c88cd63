/* trial.h - the steps of a recipe tried on validation samples: no gates, no files. */
#ifndef MC_RECIPE_TRIAL_H
#define MC_RECIPE_TRIAL_H

#include "metric/metric.h"
#include "recipe/recipe.h"

struct mc_trial {
    int folds, fold; /* which part of how many of the training and validation samples is validated on; 0 folds: the
                      * validation samples as they are */
};

/* Check the recipe, do its steps and measure the result. `failed` beside an error: the steps were begun, and what
 * went wrong is these settings' own (the loss became infinite). */
int mc_recipe_try(struct mc_recipe *recipe, const struct mc_context *context, const struct mc_trial *trial,
                  struct mc_metrics *metrics, bool *failed, struct mc_error *err);

#endif
