/* measure_graph.h - the graph of a model, into a record. */
#ifndef MC_RECIPE_MEASURE_GRAPH_H
#define MC_RECIPE_MEASURE_GRAPH_H

#include "graph/graph.h"
#include "report/record.h"

/* What a node is called in records: its name, or for want of one that of its first output. */
const char *mc_node_label(const struct mc_node *node);

/* `graph`: nodes, operators, shapes and reads, as docs/record.md has them. The model's operators must be bound. */
int mc_measure_graph(const struct mc_model *model, struct mc_record *into, struct mc_error *err);

#endif
