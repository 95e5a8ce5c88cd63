/* upgrade.h - rules that make a node of one version of its operator one of the next (mc_op.upgrade), for models that
 * are to be written at a later opset.
 *
 * What later versions want as an input is put there as an initializer of the node's graph.
 */
#ifndef MC_OP_UPGRADE_H
#define MC_OP_UPGRADE_H

#include "graph/op.h"

/* The node is one of the next version as it stands. */
int mc_upgrade_same(struct mc_node *node, const struct mc_fact *x, const char **why, struct mc_error *err);
/* The attribute `axes` becomes input 1. */
int mc_upgrade_axes(struct mc_node *node, const struct mc_fact *x, const char **why, struct mc_error *err);

/* A list of integers, a float of the type of `x` among the attributes become an input; nothing where they are absent.
 */
int mc_upgrade_ints(struct mc_node *node, const char *attr, int input, struct mc_error *err);
int mc_upgrade_float(struct mc_node *node, const char *attr, int input, const struct mc_fact *x, struct mc_error *err);

#endif
