/* fit_settings.h - the options that every step that trains has in common. */
#ifndef MC_RECIPE_FIT_SETTINGS_H
#define MC_RECIPE_FIT_SETTINGS_H

#include "prune/prune.h"
#include "recipe/steps.h"

/* Entries of a table of options, with the step's own defaults. */
#define MC_FIT_OPTIONS(EPOCHS, RATE, ZEROS)                                                                            \
    {"epochs", MC_OPTION_INTEGER, "N", EPOCHS, "[0, 1e9]", NULL, NULL, "passes over the training samples"},            \
        {"batch",    MC_OPTION_INTEGER,                                                                                \
         "N",        "64",                                                                                             \
         "[0, 1e9]", NULL,                                                                                             \
         NULL,       "samples per descent step; 1: stochastic, 0: all of them"},                                       \
        {"optimizer", MC_OPTION_CHOICE, "NAME", "adam", NULL, "sgd|momentum|rmsprop|adam", NULL, "how to descend"},    \
        {"rate", MC_OPTION_RATE,                                                                                       \
         "RATE", RATE,                                                                                                 \
         NULL,   NULL,                                                                                                 \
         NULL,   "learning rate: RATE, linear:RATE (falls to 0) or exponential:RATE,FACTOR (FACTOR per epoch)"},       \
        {"momentum", MC_OPTION_NUMBER, "X", "0.9", "[0, 1)", NULL, "optimizer=momentum", "share of the last step"},    \
        {"beta1", MC_OPTION_NUMBER, "X", "0.9", "[0, 1)", NULL, "optimizer=adam", "decay of the mean of gradients"},   \
        {"beta2",  MC_OPTION_NUMBER,                                                                                   \
         "X",      "0.999",                                                                                            \
         "[0, 1)", NULL,                                                                                               \
         NULL,     "decay of the mean of squared gradients (adam, rmsprop)"},                                          \
        {"epsilon", MC_OPTION_NUMBER, "X", "1e-8", "(0, inf)", NULL, NULL, "added to the root (adam, rmsprop)"},       \
        {"l1", MC_OPTION_NUMBER, "X", "0", "[0, inf)", NULL, NULL, "penalty l1 |w| on weights; with l2: elastic net"}, \
        {"l2", MC_OPTION_NUMBER, "X", "0", "[0, inf)", NULL, NULL, "penalty l2/2 w^2 on weights"},                     \
        {"loss", MC_OPTION_CHOICE,                                                                                     \
         "NAME", "auto",                                                                                               \
         NULL,   "auto|cross-entropy|mse",                                                                             \
         NULL,   "what to make small; auto: cross-entropy for classes, mse for numbers"},                              \
        {"stop.patience",                                                                                              \
         MC_OPTION_INTEGER,                                                                                            \
         "N",                                                                                                          \
         "0",                                                                                                          \
         "[0, 1e9]",                                                                                                   \
         NULL,                                                                                                         \
         NULL,                                                                                                         \
         "stop after so many epochs without a better validation loss, and take the best weights; 0: never"},           \
        {"stop.min_delta",                                                                                             \
         MC_OPTION_NUMBER,                                                                                             \
         "X",                                                                                                          \
         "0.001",                                                                                                      \
         "[0, inf)",                                                                                                   \
         NULL,                                                                                                         \
         NULL,                                                                                                         \
         "least improvement of the validation loss that counts"},                                                      \
        {"augment", MC_OPTION_CHOICE, "NAME", "none",                                                                  \
         NULL,      "none|shift",     NULL,   "change training samples; shift: move images by up to 2 pixels"},        \
        {"freeze_batch_norm",                                                                                          \
         MC_OPTION_FLAG,                                                                                               \
         NULL,                                                                                                         \
         NULL,                                                                                                         \
         NULL,                                                                                                         \
         NULL,                                                                                                         \
         NULL,                                                                                                         \
         "use the running statistics of batch normalization and leave them as they are"},                              \
    {                                                                                                                  \
        "zeros", MC_OPTION_CHOICE, "WHAT", ZEROS, NULL, "keep|free", NULL,                                             \
            "weights that are zero stay zero, or may move again"                                                       \
    }

/* Fit the job's model as the settings say, figures into section.training. `options` beyond the settings (teacher,
 * callbacks) may be set beforehand in `fit`, which was initialised by mc_fit_settings. */
void mc_fit_settings(const struct mc_settings *settings, const struct mc_job *job, struct mc_fit_options *fit);
int mc_fit_job(const struct mc_settings *settings, struct mc_job *job, struct mc_fit_options *fit,
               struct mc_record *section, struct mc_error *err);

#endif
