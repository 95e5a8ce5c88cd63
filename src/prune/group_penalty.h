/* group_penalty.h - training that makes whole groups small, so that their removal costs little.
 *
 * lasso: the penalty s sum over groups of sqrt(p_g) |w_g|, w_g being the p_g weights of a group in all layers that are
 * tied (Wen et al. 2016; Yuan, Lin 2006), by its proximal step after each step of rate r:
 *
 *     w_g *= max(0, 1 - r s sqrt(p_g) / |w_g|)
 *
 * so that groups become exactly zero. A weight between two layers is part of two groups, which take their steps one
 * after the other.
 *
 * growing: the groups that are the least important at the beginning, the same share of each family, are pulled to zero
 * by a penalty s t / 2 |w_g|^2 that grows with the share t of the training that is over (Wang et al. 2021, "Neural
 * pruning via growing regularization"); the others are left alone, and have time to take over.
 *
 *     w_g *= max(0, 1 - r s t)
 */
#ifndef MC_PRUNE_GROUP_PENALTY_H
#define MC_PRUNE_GROUP_PENALTY_H

#include "prune/prune.h"

enum mc_group_penalty_kind {
    MC_GROUP_PENALTY_NONE,
    MC_GROUP_PENALTY_LASSO,
    MC_GROUP_PENALTY_GROWING,
};

struct mc_group_penalty_options {
    enum mc_group_penalty_kind kind;
    double strength; /* s, >= 0 */
    double ratio;    /* growing: share of each family that is pulled to zero, [0, 1) */
    const char *exclude;
    struct mc_runtime runtime;
};

struct mc_group_penalty;

/* Find the groups of a model whose operators are bound, and that keeps its structure while this lives. Norms are those
 * of float32 weights that make, read or scale a channel; addends and statistics are none's. MC_ERR_UNSUPPORTED if no
 * group may go. */
int mc_group_penalty_create(struct mc_group_penalty **penalty, struct mc_model *model,
                            const struct mc_group_penalty_options *options, struct mc_error *err);
void mc_group_penalty_destroy(struct mc_group_penalty *penalty);

/* mc_fit_options.after_step; `penalty` is the context. */
int mc_group_penalty_step(void *penalty, double progress, double rate, struct mc_error *err);

/* How many groups the penalty is for, how many of those are zero, and their mean norm. */
void mc_group_penalty_measure(const struct mc_group_penalty *penalty, int *n, int *n_zero, double *mean_norm);

#endif
