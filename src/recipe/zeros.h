/* zeros.h - the weights that are zero now, as masks. */
#ifndef MC_RECIPE_ZEROS_H
#define MC_RECIPE_ZEROS_H

#include "prune/prune.h"

/* Masks of the weights that have zeros, but are not all zero: training that holds them keeps what pruning won. A tensor
 * of nothing but zeros was not pruned but initialised so. Finished by mc_masks_finish in any case. */
int mc_zeros_create(struct mc_masks *masks, const struct mc_model *model, struct mc_error *err);

/* Share of the masked weights that are zero now; 0 for no weights. */
int mc_zeros_share(const struct mc_masks *masks, double *share, struct mc_error *err);

#endif
