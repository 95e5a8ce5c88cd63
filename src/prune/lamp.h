/* lamp.h - magnitudes that compare across tensors: layer-adaptive magnitude pruning.
 *
 * The score of an element is its square over the sum of the squares of all elements of its tensor that are not smaller,
 * of equal ones those that come later (Lee et al. 2021, "Layer-adaptive sparsity for the magnitude-based pruning",
 * eq. 1). NaN and infinities stay, and count in no sum. Within a tensor scores order as magnitudes do, so that a cut of
 * its own by magnitude is all that each tensor needs.
 */
#ifndef MC_PRUNE_LAMP_H
#define MC_PRUNE_LAMP_H

#include "prune/select.h"

/* For each tensor the cut by which exactly the `n_zero` elements of least score of all tensors together go, the earlier
 * ones of equal scores, and, unless that is NULL, how many of its elements are not zero then (-1 for float64, some of
 * which pass for zero that are not); `keep` is not looked at. 0 <= n_zero <= number of elements. Two passes over the
 * weights, in memory that is a small part of them; the result does not depend on threads. */
int mc_lamp_cuts(const struct mc_candidates *candidates, int n, int64_t n_zero, struct mc_magnitude_cut *cuts,
                 int64_t *nonzeros, struct mc_error *err);

#endif
