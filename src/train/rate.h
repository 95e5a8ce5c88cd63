/* rate.h - the learning rate over time. */
#ifndef MC_TRAIN_RATE_H
#define MC_TRAIN_RATE_H

#include "train/train.h"

/* When a step is taken; epochs and steps are counted from 0. */
struct mc_moment {
    int64_t epoch, step;
    int64_t steps_per_epoch, n_steps; /* n_steps: of all epochs */
};

/* What MC_RATE_PLATEAU has seen so far, as PyTorch's ReduceLROnPlateau counts: after more than `patience` epochs in a
 * row whose loss is not at least one ten-thousandth below the best, the rate falls. */
struct mc_plateau {
    double best, reduction; /* lowest loss that counted; factor on the rate */
    int64_t waited;
};

void mc_plateau_init(struct mc_plateau *plateau);
void mc_plateau_observe(struct mc_plateau *plateau, const struct mc_rate *rate, double loss);

/* The rate of a step. With t of T steps done, those of the warm-up not counted:
 *   constant     eta_0
 *   step         eta_0 factor^(milestones passed)
 *   exponential  eta_0 factor^epoch
 *   linear       last + (eta_0 - last) (1 - t / T)
 *   cosine       last + (eta_0 - last) (1 + cos(pi t / T)) / 2      (Loshchilov and Hutter 2017, eq. 5, no restarts)
 *   one-cycle    rises along a cosine from eta_0 / 25 to eta_0 in the share `rise` of the steps and falls to eta_0 /
 *                250,000 in the rest                                (Smith and Topin 2018, as PyTorch's OneCycleLR)
 *   plateau      eta_0 times the plateau's reduction
 * times (step + 1) / W in the first W steps, which is the warm-up (Goyal and others 2017). */
double mc_rate_at(const struct mc_rate *rate, const struct mc_plateau *plateau, const struct mc_moment *at);

#endif
