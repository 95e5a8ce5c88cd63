/* rate.h - the learning rate over time. */
#ifndef MC_TRAIN_RATE_H
#define MC_TRAIN_RATE_H

#include "train/train.h"

/* The rate of a step in `epoch` (from 0), when the share `progress` in [0, 1) of all steps has been done:
 *   constant     eta_0
 *   exponential  eta_0 gamma^epoch
 *   linear       eta_0 (1 - progress) */
double mc_rate_at(const struct mc_fit_options *options, int64_t epoch, double progress);

#endif
