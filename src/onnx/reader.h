/* reader.h - what the parts of the loader share: read_graph.c and read_attr.c call each other, because attributes
 * hold graphs and graphs hold nodes with attributes. Nesting is bounded: guard.c has seen to it. */
#ifndef MC_ONNX_READER_H
#define MC_ONNX_READER_H

#include "graph/graph.h"
#include "onnx.pb-c.h"
#include "onnx/external.h"
#include "onnx/names.h"

/* A load in progress. Whatever it has made hangs in the model: on failure the caller destroys that. */
struct mc_reader {
    struct mc_model *model; /* with its origin, which all tensors share, and its opsets */
    struct mc_external external;
};

/* What the nodes of a graph may refer to: the values of the graph, then those of the graphs around it. */
struct mc_scope {
    struct mc_names values;
    const struct mc_scope *outer;
};

/* Fill an empty graph; `outer` is NULL for the main graph. Errors name graph, node and tensor. */
int mc_read_graph(struct mc_reader *reader, struct mc_graph *graph, const Onnx__GraphProto *proto,
                  const struct mc_scope *outer, struct mc_error *err);

/* Give a node, which has none yet, the attributes of a message. */
int mc_read_attrs(struct mc_reader *reader, struct mc_node *node, const Onnx__NodeProto *proto,
                  const struct mc_scope *scope, struct mc_error *err);

#endif
