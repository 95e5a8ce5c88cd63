/* evidence.h - how much each coupled group matters, from what samples do with it. */
#ifndef MC_PRUNE_EVIDENCE_H
#define MC_PRUNE_EVIDENCE_H

#include "prune/prune.h"

/* By group of the coupling, >= 0:
 * - TAYLOR   mean over batches of |sum of g w| over the weights that read the group's channels, g the gradient of the
 *            loss: its first-order change when they go (Molchanov et al. 2017, eq. 7; 2019)
 * - HESSIAN  half the sum of h w^2 over the same weights, h the diagonal of the Hessian, for which stands the mean
 * square of the gradient (LeCun, Denker, Solla 1990, eq. 5; the Fisher information)
 * - ACTIVATION  mean |x| of the channels where they are read
 * - APOZ     share of x that is not zero there (Hu et al. 2016)
 * A group that nobody reads by a stored weight is judged by the weights that make it (TAYLOR, HESSIAN). */
int mc_evidence(const struct mc_model *model, const struct mc_coupling *coupling, enum mc_criterion criterion,
                const struct mc_samples *samples, const struct mc_runtime *runtime, double *importance,
                struct mc_error *err);

#endif
