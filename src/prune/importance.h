/* importance.h - how much each coupled group matters, from its weights alone. */
#ifndef MC_PRUNE_IMPORTANCE_H
#define MC_PRUNE_IMPORTANCE_H

#include "prune/prune.h"

/* Write a figure per group of the coupling, >= 0: the L1 or L2 norm of the parameter slices that produce the channels
 * of the group, all layers together (Li et al. 2017 for one filter, Fang et al. 2023 for coupled ones). A group that
 * no stated parameter produces is judged by all its slices but running statistics. MC_CRITERION_RANDOM draws by `seed`.
 * Comparable within a family only. */
int mc_importance(const struct mc_model *model, const struct mc_coupling *coupling, enum mc_criterion criterion,
                  uint64_t seed, double *importance, struct mc_error *err);

#endif
