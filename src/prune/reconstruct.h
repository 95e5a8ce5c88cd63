/* reconstruct.h - weights that read removed channels, fitted anew so that they give what the whole layer gave.
 *
 * Layer by layer, first to last: the outputs that stay are to be what the original computes, from the inputs that the
 * small model has by then (He, Zhang, Sun 2017, eq. 2, with all errors before the layer in its inputs). That is linear
 * least squares, solved by normal equations in double precision; a ridge holds the weights near what they were. Samples
 * need no labels.
 */
#ifndef MC_PRUNE_RECONSTRUCT_H
#define MC_PRUNE_RECONSTRUCT_H

#include "prune/prune.h"

/* Fit the weights of `small`, a clone of `original` after surgery on the groups for which `goes` says so. `layers` (an
 * array, may be NULL) gets {tensor, rows, error_before, error_after} of each, errors as root mean squares relative to
 * the outputs', or {tensor, why} for what was left as it is. */
int mc_reconstruct(struct mc_model *small, const struct mc_model *original, const struct mc_coupling *coupling,
                   const bool *goes, const struct mc_shrink_options *options, struct mc_record *layers,
                   struct mc_error *err);

/* Take the running statistics of batch normalizations anew from samples. *n: how many vectors there are. */
int mc_reestimate(struct mc_model *small, const struct mc_coupling *coupling, const struct mc_shrink_options *options,
                  int64_t *n, struct mc_error *err);

#endif
