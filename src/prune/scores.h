/* scores.h - what single weights count, by data: the least go first. */
#ifndef MC_PRUNE_SCORES_H
#define MC_PRUNE_SCORES_H

#include "prune/prune.h"

enum mc_score {
    MC_SCORE_MAGNITUDE,    /* |w| */
    MC_SCORE_RANDOM,       /* a uniform number */
    MC_SCORE_TAYLOR,       /* sum over batches of (w g)^2: first order (Molchanov et al. 2019, eq. 8) */
    MC_SCORE_SNIP,         /* |w g| of all samples together (Lee et al. 2019, eq. 4) */
    MC_SCORE_WANDA,        /* |w| times the norm of its input (Sun et al. 2024, eq. 1) */
    MC_SCORE_SECOND_ORDER, /* mc_second_order */
};

struct mc_score_options {
    enum mc_score score;
    const struct mc_samples *samples; /* of which wanda and second order need no labels, random nothing */
    uint64_t seed;
    const struct mc_runtime *runtime;
};

/* Fill masks->scores, of float32 and the weights' shapes, from the model in which the masks were made, as it is now.
 * *n_by_magnitude: weights whose inputs wanda could not be shown, and that have |w| (to be compared within a tensor
 * alone). MC_ERR_UNSUPPORTED where the model cannot be run or differentiated, MC_ERR_INPUT where it does not fit the
 * data. */
int mc_scores_measure(struct mc_masks *masks, const struct mc_model *model, const struct mc_score_options *options,
                      int *n_by_magnitude, struct mc_error *err);

/* Zero a share of each tensor of `model`, in running order, and let what stays make up for it; then masks->keep say
 * what stays. `options` as for mc_masks_update, of which scope is looked at for the shares alone (of MC_SCOPE_LAMP with
 * Wanda's scores in the place of magnitudes). Tensors whose inputs cannot be shown, counted by *n_by_magnitude, lose
 * the least weights. */
int mc_second_order(struct mc_masks *masks, struct mc_model *model, const struct mc_sparsify_options *options,
                    const struct mc_score_options *measuring, int *n_by_magnitude, struct mc_error *err);

#endif
