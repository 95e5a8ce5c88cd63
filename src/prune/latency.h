/* latency.h - how long a model takes on this machine without some of its groups. */
#ifndef MC_PRUNE_LATENCY_H
#define MC_PRUNE_LATENCY_H

#include "prune/prune.h"

/* Cut the groups for which `goes` says so (NULL: none) out of a clone of the analysed model, compile it and run it: the
 * sum over its nodes of the best time of each, on one thread, one sample where the batch is open. MC_ERR_UNSUPPORTED
 * for what cannot be run here. */
int mc_latency_measure(int64_t *ns, const struct mc_model *model, const struct mc_coupling *coupling, const bool *goes,
                       const struct mc_shrink_options *options, struct mc_error *err);

#endif
