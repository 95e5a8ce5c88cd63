/* extents.h - what the open dimensions of a model's inputs are, where neither the model nor its inputs say.
 *
 * A text "height=48,x.3=320": by the name that the model gives a dimension, or as axis 3 of the input x.
 */
#ifndef MC_GRAPH_EXTENTS_H
#define MC_GRAPH_EXTENTS_H

#include "graph/graph.h"

/* Copy the text into the model, for itself and its clones. MC_ERR_USAGE for what is no such text, or names nothing that
 * is open. */
int mc_model_set_extents(struct mc_model *model, const char *text, struct mc_error *err);
/* Of an input's axis; -1: nothing is said of it. */
int64_t mc_model_extent(const struct mc_model *model, const struct mc_value *input, int axis);

#endif
