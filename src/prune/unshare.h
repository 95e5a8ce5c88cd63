/* unshare.h - vectors that several nodes use, one copy each.
 *
 * Exporters store equal tensors once, so that the fresh biases of ten layers may be one initializer and would tie all
 * their channels together. Weights are left alone: sharing those may be meant, and is only ever exact if kept.
 */
#ifndef MC_PRUNE_UNSHARE_H
#define MC_PRUNE_UNSHARE_H

#include "graph/graph.h"

struct mc_unshared {
    int n_values;                   /* of the model after the call */
    const struct mc_value **origin; /* by value id: the initializer that it was copied from, or NULL */
};

/* Give every node its own copy of the float vectors (at most one axis longer than 1) among its inputs that others use
 * too, also of those that come through nodes that merely rename them (mc_op.view). */
int mc_unshare(struct mc_unshared *unshared, struct mc_model *model, struct mc_error *err);
/* In that model or a clone of it: put copies that equal their origin back onto it, and drop what nobody uses. */
int mc_reshare(const struct mc_unshared *unshared, struct mc_model *model, struct mc_error *err);
void mc_unshared_finish(struct mc_unshared *unshared);

#endif
