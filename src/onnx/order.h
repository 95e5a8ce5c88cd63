/* order.h - the order in which the nodes of a graph can run. */
#ifndef MC_ONNX_ORDER_H
#define MC_ONNX_ORDER_H

#include "graph/graph.h"

/* ONNX wants nodes sorted, each after those whose outputs it or a graph within it reads. Files that are not so are
 * sorted here, keeping the given order as far as may be; MC_ERR_INPUT, naming a node, if there is a cycle. The ids of
 * the graph's nodes begin at `first_id`, and only nodes of graphs within have ids in between. */
int mc_order_nodes(struct mc_graph *graph, int first_id, struct mc_error *err);

#endif
