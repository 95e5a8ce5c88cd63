/* probe.h - running a model on inputs that nobody gave. */
#ifndef MC_PRUNE_PROBE_H
#define MC_PRUNE_PROBE_H

#include "run/plan.h"

/* Fill all inputs of a plan from `seed`: floats normal with mean 0 and variance 1, integers and booleans 0 or 1 (which
 * are indices of anything that has two entries). The same seed gives the same contents for equal shapes and types. */
int mc_probe_inputs(struct mc_plan *plan, uint64_t seed, struct mc_error *err);

#endif
