/* narrow.h - the masked twin of models that take statistics over channels that go.
 *
 * Masking cannot say what a mean over fewer channels is. The twin therefore takes out what goes before such a node and
 * puts something back after it, so that everything around has its old extents; what is put back is masked before
 * anyone's sum sees it.
 */
#ifndef MC_PRUNE_NARROW_H
#define MC_PRUNE_NARROW_H

#include "prune/prune.h"

/* Does the node of that statement lose indices of the axis? `goes`: by group. */
bool mc_narrows(const struct mc_coupling *coupling, const bool *goes, const struct mc_statistic *statistic);

/* *narrow: a clone of the analysed model with those nodes between Gathers, to be destroyed by the caller; NULL where
 * none is concerned. Values keep their ids. */
int mc_narrow(struct mc_model **narrow, const struct mc_model *model, const struct mc_coupling *coupling,
              const bool *goes, struct mc_error *err);

#endif
