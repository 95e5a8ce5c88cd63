/* importance.h - how much each coupled group matters. */
#ifndef MC_PRUNE_IMPORTANCE_H
#define MC_PRUNE_IMPORTANCE_H

#include "prune/prune.h"

/* Write a figure per group of the coupling, >= 0, by options->criterion:
 * - L1, L2: norm of the parameter slices that produce the channels of the group, all layers together (Li et al. 2017
 *   for one filter, Fang et al. 2023 for coupled ones). A group that no stated parameter produces is judged by all its
 *   slices but running statistics
 * - LAMP: the square of that norm over the sum of the squares of the groups of its family that are not smaller (Lee et
 *   al. 2021, eq. 4, for groups)
 * - SCALE: sum of the magnitudes of the factors of its normalizations (Liu et al. 2017); L2 where it has none
 * - GEOMETRIC: mc_geometric; TAYLOR, HESSIAN, ACTIVATION, APOZ: mc_evidence; RANDOM draws by options->seed
 * Comparable within a family only, but for LAMP, TAYLOR and HESSIAN. */
int mc_importance(const struct mc_model *model, const struct mc_coupling *coupling,
                  const struct mc_shrink_options *options, double *importance, struct mc_error *err);

#endif
