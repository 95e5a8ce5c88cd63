/* resize.h - which indices stay along each axis once groups are chosen to go, and the mending of nodes afterwards.
 *
 * The questions that an operator's resize rule may ask are declared in coupling.h; this header is for who performs
 * the cut. The model under the knife is the analysed one or a clone of it: values are matched by id.
 */
#ifndef MC_GRAPH_RESIZE_H
#define MC_GRAPH_RESIZE_H

#include "graph/coupling.h"

/* `groups`: n_groups indices into the coupling, none twice. Keeps pointers to `model` and `coupling`. */
int mc_resize_create(struct mc_resize **resize, struct mc_model *model, const struct mc_coupling *coupling,
                     const int *groups, int n_groups, struct mc_error *err);
void mc_resize_destroy(struct mc_resize *resize);

/* Work out what the model will compute from its shapes once they are smaller, for mc_resize_computed. */
int mc_resize_follow(struct mc_resize *resize, mc_evaluate_fn *evaluate, void *context, struct mc_error *err);

/* After the tensors are cut: let every node beside a cut axis mend its attributes and shape constants, and whoever is
 * given a number that followed a shape keep the one it had. */
int mc_resize_nodes(struct mc_resize *resize, struct mc_error *err);

#endif
