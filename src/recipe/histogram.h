/* histogram.h - how the weights of a layer lie, into a record. */
#ifndef MC_RECIPE_HISTOGRAM_H
#define MC_RECIPE_HISTOGRAM_H

#include "graph/graph.h"
#include "report/record.h"

/* `weights` of the node's largest float tensor of rank 2 or more: low, high and counts of those that are not zero, in
 * 32 intervals of equal width. Nothing for a node without one, or with fewer than two different weights. */
void mc_measure_weights(const struct mc_node *node, struct mc_record *layer);

#endif
