/* reach.h - which values gradients come to, as far as the rules of operators say without shapes. */
#ifndef MC_GRAPH_REACH_H
#define MC_GRAPH_REACH_H

#include "graph/graph.h"

/* `marked`, by value id, has values of the graph that gradients come in at, its outputs say. Mark all that they go on
 * to through its nodes, and through those of graphs within (mc_op.branches), to values around the graph as well. */
void mc_graph_mark_reached(const struct mc_graph *graph, bool *marked);

#endif
