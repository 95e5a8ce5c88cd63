/* surgery.h - the tools of the cut, for the files of this room; mc_surgery itself is declared in prune.h. */
#ifndef MC_PRUNE_SURGERY_H
#define MC_PRUNE_SURGERY_H

#include "prune/prune.h"

/* Does index i of (v, axis) belong to a group for which `goes` says so? */
bool mc_index_goes(const struct mc_coupling *coupling, const bool *goes, const struct mc_value *v, int axis, int64_t i);

/* Is it a float weight that a node makes of stored parameters of which some are no floats (bytes and their scales)?
 * What it is worth is then judged here, and it is silenced here. */
bool mc_value_is_decoded(const struct mc_coupling *coupling, const struct mc_value *v);
/* The numbers that such a weight stands for; *contents is the caller's. */
int mc_value_decode(const struct mc_coupling *coupling, const struct mc_value *v, struct mc_tensor **contents,
                    struct mc_error *err);

/* Give a stored parameter (mc_coupling_is_parameter) new contents; takes over `tensor`, also on failure. The output of
 * a node without inputs becomes an initializer, and the node goes. */
int mc_parameter_set(struct mc_model *model, struct mc_value *v, struct mc_tensor *tensor, struct mc_error *err);

#endif
