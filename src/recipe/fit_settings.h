/* fit_settings.h - the options that every step that trains has in common. */
#ifndef MC_RECIPE_FIT_SETTINGS_H
#define MC_RECIPE_FIT_SETTINGS_H

#include "prune/prune.h"
#include "recipe/steps.h"

/* Entries of a table of options, with the step's own defaults. */
#define MC_FIT_OPTIONS(EPOCHS, RATE, ZEROS, TEACHER)                                                                   \
    {"epochs", MC_OPTION_INTEGER, "N", EPOCHS, "[0, 1e9]", NULL, NULL, "passes over the training samples"},            \
        {"batch",    MC_OPTION_INTEGER,                                                                                \
         "N",        "64",                                                                                             \
         "[0, 1e9]", NULL,                                                                                             \
         NULL,       "samples per descent step; 1: stochastic, 0: all of them"},                                       \
        {"optimizer", MC_OPTION_CHOICE,                                                                                \
         "NAME",      "adam",                                                                                          \
         NULL,        "sgd|momentum|nesterov|adagrad|rmsprop|adam|adamw|lamb|lion",                                    \
         NULL,        "how to descend"},                                                                               \
        {"rate",                                                                                                       \
         MC_OPTION_RATE,                                                                                               \
         "RATE",                                                                                                       \
         RATE,                                                                                                         \
         NULL,                                                                                                         \
         NULL,                                                                                                         \
         NULL,                                                                                                         \
         "learning rate: RATE, or with a schedule: step:RATE,FACTOR,EPOCH... (times FACTOR after each EPOCH; of one, " \
         "again and again), exponential:RATE,FACTOR (each epoch), linear:RATE or cosine:RATE (falls to 0, or "         \
         "RATE,LAST), one-cycle:RATE (rises in 0.3 of the steps, or RATE,SHARE, then falls), "                         \
         "plateau:RATE,FACTOR,EPOCHS (when the validation loss has not fallen for so many)"},                          \
        {"warmup",   MC_OPTION_NUMBER,                                                                                 \
         "EPOCHS",   "0",                                                                                              \
         "[0, inf)", NULL,                                                                                             \
         NULL,       "epochs in which the rate grows from nothing; before any schedule"},                              \
        {"momentum",                                                                                                   \
         MC_OPTION_NUMBER,                                                                                             \
         "X",                                                                                                          \
         "0.9",                                                                                                        \
         "[0, 1)",                                                                                                     \
         NULL,                                                                                                         \
         "optimizer=momentum|nesterov",                                                                                \
         "share of the last step"},                                                                                    \
        {"beta1",                                                                                                      \
         MC_OPTION_NUMBER,                                                                                             \
         "X",                                                                                                          \
         "0.9",                                                                                                        \
         "[0, 1)",                                                                                                     \
         NULL,                                                                                                         \
         "optimizer=adam|adamw|lamb|lion",                                                                             \
         "decay of the mean of gradients"},                                                                            \
        {"beta2",                                                                                                      \
         MC_OPTION_NUMBER,                                                                                             \
         "X",                                                                                                          \
         NULL,                                                                                                         \
         "[0, 1)",                                                                                                     \
         NULL,                                                                                                         \
         "optimizer=rmsprop|adam|adamw|lamb|lion",                                                                     \
         "decay of the mean of squared gradients; default 0.999. Of lion: of the mean that is kept, 0.99"},            \
        {"epsilon",                                                                                                    \
         MC_OPTION_NUMBER,                                                                                             \
         "X",                                                                                                          \
         "1e-8",                                                                                                       \
         "(0, inf)",                                                                                                   \
         NULL,                                                                                                         \
         "optimizer=adagrad|rmsprop|adam|adamw|lamb",                                                                  \
         "added to the root"},                                                                                         \
        {"l1", MC_OPTION_NUMBER, "X", "0", "[0, inf)", NULL, NULL, "penalty l1 |w| on weights; with l2: elastic net"}, \
        {"l2", MC_OPTION_NUMBER, "X", "0", "[0, inf)", NULL, NULL, "penalty l2/2 w^2 on weights"},                     \
        {"decay",                                                                                                      \
         MC_OPTION_NUMBER,                                                                                             \
         "X",                                                                                                          \
         NULL,                                                                                                         \
         "[0, inf)",                                                                                                   \
         NULL,                                                                                                         \
         NULL,                                                                                                         \
         "decoupled weight decay: each step takes rate * X of a weight; default 0.01 for adamw and lamb, else 0"},     \
        {"clip.norm", MC_OPTION_NUMBER,                                                                                \
         "X",         "0",                                                                                             \
         "[0, inf)",  NULL,                                                                                            \
         NULL,        "scale gradients down to this norm of all together; 0: never"},                                  \
        {"clip.value", MC_OPTION_NUMBER,                                                                               \
         "X",          "0",                                                                                            \
         "[0, inf)",   NULL,                                                                                           \
         NULL,         "limit each gradient to this magnitude; 0: never"},                                             \
        {"ema",                                                                                                        \
         MC_OPTION_NUMBER,                                                                                             \
         "X",                                                                                                          \
         "0",                                                                                                          \
         "[0, 1)",                                                                                                     \
         NULL,                                                                                                         \
         NULL,                                                                                                         \
         "decay of a moving average of the weights, 0.999 say, which is then what is validated and kept; 0: none"},    \
        {"loss",                                                                                                       \
         MC_OPTION_CHOICE,                                                                                             \
         "NAME",                                                                                                       \
         "auto",                                                                                                       \
         NULL,                                                                                                         \
         "auto|cross-entropy|mse|mae|huber|bce|kl",                                                                    \
         NULL,                                                                                                         \
         "what to make small; auto: cross-entropy for classes, mse for numbers. bce: each score a yes or no of its "   \
         "own; cross-entropy and kl also take distributions as targets"},                                              \
        {"label_smoothing",                                                                                            \
         MC_OPTION_NUMBER,                                                                                             \
         "X",                                                                                                          \
         "0",                                                                                                          \
         "[0, 1)",                                                                                                     \
         NULL,                                                                                                         \
         "loss=auto|cross-entropy|kl",                                                                                 \
         "share of each target that is spread over all classes"},                                                      \
        {"class_weights",                                                                                              \
         MC_OPTION_NUMBERS,                                                                                            \
         "X,X,...",                                                                                                    \
         NULL,                                                                                                         \
         NULL,                                                                                                         \
         "balanced",                                                                                                   \
         "loss=auto|cross-entropy",                                                                                    \
         "weight of each class in the loss, in their order; balanced: inverse to how often it occurs"},                \
        {"huber_delta", MC_OPTION_NUMBER,                                                                              \
         "X",           "1",                                                                                           \
         "(0, inf)",    NULL,                                                                                          \
         "loss=huber",  "error up to which huber is a parabola"},                                                      \
        {"heads",                                                                                                      \
         MC_OPTION_TEXT,                                                                                               \
         "NAME=X,...",                                                                                                 \
         NULL,                                                                                                         \
         NULL,                                                                                                         \
         NULL,                                                                                                         \
         NULL,                                                                                                         \
         "further outputs that learn the same targets, and what the loss of each counts for beside the head's"},       \
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
        {"find_rate",                                                                                                  \
         MC_OPTION_FLAG,                                                                                               \
         NULL,                                                                                                         \
         NULL,                                                                                                         \
         NULL,                                                                                                         \
         NULL,                                                                                                         \
         NULL,                                                                                                         \
         "sweep the rate first, show how the loss goes, and begin with the one at which it falls fastest; with "       \
         "epochs 0 that is all"},                                                                                      \
        {"checkpoint", MC_OPTION_TEXT, "FILE", NULL,                                                                   \
         NULL,         NULL,           NULL,   "a file that gets the whole state of the run, relative to --out"},      \
        {"checkpoint_seconds",                                                                                         \
         MC_OPTION_NUMBER,                                                                                             \
         "X",                                                                                                          \
         "10",                                                                                                         \
         "[0, inf)",                                                                                                   \
         NULL,                                                                                                         \
         NULL,                                                                                                         \
         "write it when so many seconds have passed since it was written last, and at the end"},                       \
        {"resume", MC_OPTION_FLAG,                                                                                     \
         NULL,     NULL,                                                                                               \
         NULL,     NULL,                                                                                               \
         NULL,     "go on from the checkpoint if there is one, to the same bytes as a run that nothing disturbed"},    \
        {"augment", MC_OPTION_TEXT,                                                                                    \
         "WAYS",    NULL,                                                                                              \
         NULL,      NULL,                                                                                              \
         NULL,      "change training samples, in place of what the data says: none, or ways such as crop:4+flip"},     \
        {"freeze_batch_norm",                                                                                          \
         MC_OPTION_FLAG,                                                                                               \
         NULL,                                                                                                         \
         NULL,                                                                                                         \
         NULL,                                                                                                         \
         NULL,                                                                                                         \
         NULL,                                                                                                         \
         "use the running statistics of batch normalization and leave them as they are"},                              \
        {"precision",                                                                                                  \
         MC_OPTION_CHOICE,                                                                                             \
         "TYPE",                                                                                                       \
         "float32",                                                                                                    \
         NULL,                                                                                                         \
         "float32|bfloat16",                                                                                           \
         NULL,                                                                                                         \
         "what matrices are multiplied as; bfloat16: factors are rounded to it and sums are float32, which is faster " \
         "where the processor has AVX512_BF16; all else stays float32"},                                               \
        {"zeros", MC_OPTION_CHOICE, "WHAT", ZEROS,                                                                     \
         NULL,    "keep|free",      NULL,   "weights that are zero stay zero, or may move again"},                     \
        {"teacher", MC_OPTION_MODEL,                                                                                   \
         "MODEL",   TEACHER,                                                                                           \
         NULL,      "original",                                                                                        \
         NULL,      "whom to imitate beside the labels: the model as it was before the first step, or an ONNX file"},  \
        {"alpha",                                                                                                      \
         MC_OPTION_NUMBER,                                                                                             \
         "X",                                                                                                          \
         "0.5",                                                                                                        \
         "[0, 1]",                                                                                                     \
         NULL,                                                                                                         \
         "teacher",                                                                                                    \
         "weight of the teacher: (1 - alpha) H(y, p) + alpha T^2 KL(teacher || student); 1: labels are not looked "    \
         "at"},                                                                                                        \
        {"temperature", MC_OPTION_NUMBER, "T", "2", "(0, inf)", NULL, "teacher", "T, which softens the scores"},       \
        {"last_temperature",                                                                                           \
         MC_OPTION_NUMBER,                                                                                             \
         "T",                                                                                                          \
         "0",                                                                                                          \
         "[0, inf)",                                                                                                   \
         NULL,                                                                                                         \
         "teacher",                                                                                                    \
         "where T goes, evenly over all steps; 0: it stays"},                                                          \
    {                                                                                                                  \
        "teacher_cache", MC_OPTION_TEXT, "PREFIX", NULL, NULL, NULL, "teacher",                                        \
            "keep the teachers' scores in files PREFIX.KEY.scores; the key is of model, data and samples"              \
    }

/* Is the model as it was before the first step to teach? */
bool mc_fit_needs_original(const struct mc_settings *settings);

/* Fit the job's model as the settings say, figures into section.training. `options` beyond the settings (further
 * teachers, callbacks) may be set beforehand in `fit`, which was initialised by mc_fit_settings. */
void mc_fit_settings(const struct mc_settings *settings, struct mc_job *job, struct mc_fit_options *fit);
int mc_fit_job(const struct mc_settings *settings, struct mc_job *job, struct mc_fit_options *fit,
               struct mc_record *section, struct mc_error *err);

#endif
