/* trial.h - the steps of a recipe tried on validation samples: no gates, no files. */
#ifndef MC_RECIPE_TRIAL_H
#define MC_RECIPE_TRIAL_H

#include "metric/metric.h"
#include "recipe/recipe.h"

enum mc_trial_size { MC_TRIAL_PACKED, MC_TRIAL_FILE, MC_TRIAL_NO_SIZE }; /* the first two: choices of tune.size */

struct mc_trial {
    int folds, fold; /* which part of how many of the training and validation samples is validated on; 0 folds: the
                      * validation samples as they are */
    bool untouched;  /* no step is done */
    enum mc_trial_size size; /* which bytes are counted: of the container, of the ONNX file; none */
};

struct mc_trial_found {
    struct mc_metrics metrics;
    size_t bytes; /* 0: nobody asked */
    bool failed;  /* beside an error: the steps were begun, and what went wrong is these settings' own (the loss became
                   * infinite) */
};

/* Check the recipe, do its steps and measure the result. */
int mc_recipe_try(struct mc_recipe *recipe, const struct mc_context *context, const struct mc_trial *trial,
                  struct mc_trial_found *found, struct mc_error *err);

#endif
