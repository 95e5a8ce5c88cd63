/* probe.h - running a model on inputs that nobody gave. */
#ifndef MC_PRUNE_PROBE_H
#define MC_PRUNE_PROBE_H

#include "run/plan.h"

/* Fill all inputs of a plan from `seed`: floats normal with mean 0 and variance 1, integers and booleans 0 or 1 (which
 * are indices of anything that has two entries). The same seed gives the same contents for equal shapes and types. */
int mc_probe_inputs(struct mc_plan *plan, uint64_t seed, struct mc_error *err);

/* What the model's outputs are on them, in a plan of its own that is gone afterwards: of two models whose outputs are
 * compared there is one at a time. NULL for an output that is no tensor. For mc_probe_release, after a failure too. */
int mc_probe_outputs(struct mc_tensor ***outputs, const struct mc_model *model, const struct mc_plan_options *options,
                     uint64_t seed, struct mc_error *err);
void mc_probe_release(struct mc_tensor **outputs, int n);

#endif
