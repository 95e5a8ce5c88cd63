/* geometric.h - groups by their distance from all others of their family. */
#ifndef MC_PRUNE_GEOMETRIC_H
#define MC_PRUNE_GEOMETRIC_H

#include "prune/prune.h"

/* Of every free group the sum of the distances of its weights to those of the other free groups of its family: the
 * weights that make the channels (or, where none does, that read them), all tensors of the group as one vector. Near
 * the geometric median, where a sum is small, others can stand in for a group (He et al. 2019, eq. 4 to 7). */
int mc_geometric(const struct mc_coupling *coupling, double *importance, struct mc_error *err);

#endif
