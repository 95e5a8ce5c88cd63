/* fit_state.h - a training run between two steps: what fit.c, checkpoint.c and rate_finder.c share.
 *
 * Everything that decides what comes next is here or in the model. What is drawn at random (the order of samples,
 * augmentation, dropout) comes from streams that are named by epoch, sample and run, so that no generator has a state
 * of its own.
 */
#ifndef MC_TRAIN_FIT_STATE_H
#define MC_TRAIN_FIT_STATE_H

#include "train/average.h"
#include "train/early_stop.h"
#include "train/evaluator.h"
#include "train/optimizer.h"
#include "train/pass.h"
#include "train/rate.h"
#include "train/teacher.h"
#include "train/verdict.h"

enum { MC_MOST_PASSES = 3 };

struct mc_fit {
    struct mc_model *model;
    const struct mc_fit_options *options;
    const struct mc_dataset *data;
    struct mc_binding binding;
    struct mc_value **parameters; /* lent by the model */
    int n_parameters;
    int64_t n_samples, batch, steps_per_epoch;
    int n_passes;
    int64_t n_runs;                        /* of passes: operators that draw never draw the same twice */
    int64_t pass_samples;                  /* the most in a pass, of all processes together */
    struct mc_pass passes[MC_MOST_PASSES]; /* by length: whole, rest of a batch, rest of the epoch's last */
    float *slab; /* all of `sums` in one piece, and whether each parameter has one: 1 or 0, as numbers */
    size_t slab_count;
    float **sums;            /* gradients added over the passes of a step and over processes; NULL while one pass of
                              * one process will do */
    const float **gradients; /* `sums` of the parameters that have gradients */
    float **hidden;          /* what masked values are while passes see zeros; NULL: that is all they are */
    const float **masked_gradients; /* of the masked values, for after_backward */
    struct mc_feed feed;
    struct mc_loss loss;
    int n_teachers;
    struct mc_teacher teachers[MC_MOST_TEACHERS];
    struct mc_features features;
    struct mc_heads heads;
    const struct mc_value *taps[MC_MOST_TAPS]; /* of features, then of heads */
    struct mc_optimizer optimizer;             /* its n_steps counts the steps of the run */
    struct mc_average average;
    struct mc_evaluator validation;
    struct mc_early_stop stop;
    struct mc_plateau plateau;
    struct mc_snapshot good, best; /* after the last whole epoch; of the lowest loss (early stopping alone) */
    int64_t fixed_batch;           /* see mc_batch_open */

    /* the epoch that is going on */
    int64_t epoch, begin; /* samples of it that are done */
    double sum;           /* of their losses */
    double rate;          /* of its first step */
    double seconds;       /* spent on it before a resumed run took over */
    bool done;            /* no epoch is left, and the model has its last contents */

    int n_lines;
    struct mc_epoch_line *lines; /* of the epochs that are over */
    size_t lines_capacity;
    int64_t saved_ns; /* when a checkpoint was written last */
};

/* What the caller left open, settled, and in the runtime what steps look up there. */
struct mc_fit_options mc_fit_settled(const struct mc_fit_options *options);

/* Get ready; `options` as mc_fit_settled gives them, which must outlive `fit`. To be finished in any case. */
int mc_fit_init(struct mc_fit *fit, struct mc_model *model, const struct mc_dataset *data,
                const struct mc_fit_options *options, struct mc_error *err);
void mc_fit_finish(struct mc_fit *fit);

/* The samples begin … of the feed's present order, at most a batch, at this rate; *loss is summed over them. Nothing is
 * changed when it is not finite. */
int mc_fit_step(struct mc_fit *fit, int64_t begin, double rate, double *loss, struct mc_error *err);

#endif
