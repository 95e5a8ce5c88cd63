/* reader.h - what the parts of the loader share: read_graph.c and read_attr.c call each other, because attributes
 * hold graphs and graphs hold nodes with attributes. Nesting is bounded: guard.c has seen to it. */
#ifndef MC_ONNX_READER_H
#define MC_ONNX_READER_H

#include "graph/graph.h"
#include "onnx.pb-c.h"
#include "onnx/external.h"
#include "onnx/names.h"

struct mc_body;
struct mc_functions;

/* A load in progress. Whatever it has made hangs in the model: on failure the caller destroys that. */
struct mc_reader {
    struct mc_model *model; /* with its origin, which all tensors share, and its opsets */
    struct mc_external external;
    size_t sparse_bytes; /* that sparse initializers have taken as dense ones */

    /* Putting the bodies of functions in the place of their calls; all zero while a file is loaded, which keeps them.
     */
    const struct mc_functions *functions;
    const struct mc_op *(*known)(const char *domain, const char *type, int64_t version); /* as mc_ops_find */
    const struct mc_body *body; /* what is being read now; NULL: the model's own graphs */
    int depth;                  /* of bodies and graphs within */
    size_t budget;              /* bytes that bodies may still take */
};

/* What the nodes of a graph may refer to: the values of the graph, then those of the graphs around it. */
struct mc_scope {
    struct mc_names values;
    const struct mc_scope *outer;
};

/* What an attribute is: its message, and where that stood, for the graphs in it. */
struct mc_argument {
    const char *name;
    const Onnx__AttributeProto *proto;
    const struct mc_scope *scope;
    const struct mc_body *body;
};

/* A function's body on behalf of one call. */
struct mc_body {
    const struct mc_function *function;
    const char *prefix; /* of the names of all that it defines */
    size_t prefix_length;
    size_t n_arguments;
    const struct mc_argument *arguments;
};

/* What stands in a scope for an input that the call leaves out. */
extern const struct mc_value mc_left_out;

/* Fill an empty graph; `outer` is NULL for the main graph. Errors name graph, node and tensor. */
int mc_read_graph(struct mc_reader *reader, struct mc_graph *graph, const Onnx__GraphProto *proto,
                  const struct mc_scope *outer, struct mc_error *err);

/* Give a node, which has none yet, the attributes of a message. */
int mc_read_attrs(struct mc_reader *reader, struct mc_node *node, const Onnx__NodeProto *proto,
                  const struct mc_scope *scope, struct mc_error *err);

/* Put nodes, whose outputs are in the scope, at the end of a graph. */
int mc_read_nodes(struct mc_reader *reader, struct mc_graph *graph, const struct mc_scope *scope,
                  Onnx__NodeProto *const *nodes, size_t n, struct mc_error *err);

/* --- bodies of functions: read_body.c --- */

/* The function that a node read now calls; NULL if it calls none, or stays as it is. */
const struct mc_function *mc_reader_call(const struct mc_reader *reader, const Onnx__NodeProto *node);
/* Put its body at the end of a graph. `call` is node number `index` of where it stands; its operands in the model are
 * given, NULL where it leaves one out, and in `scope` the graphs among its attributes find theirs. */
int mc_read_body(struct mc_reader *reader, struct mc_graph *graph, const struct mc_function *function,
                 const Onnx__NodeProto *call, size_t index, const struct mc_scope *scope,
                 struct mc_value *const *inputs, struct mc_value *const *outputs, struct mc_error *err);

/* What an attribute of a node read now is, which may stand for one of the function; false: it is left out. */
bool mc_reader_argument(const struct mc_reader *reader, const Onnx__AttributeProto *attr, const struct mc_scope *scope,
                        struct mc_argument *argument);
/* The version of a domain that nodes read now are of; 0: none. */
int mc_reader_opset(const struct mc_reader *reader, const char *domain);
/* New value, and the name of a node, under what they are called in the model. */
int mc_reader_value(struct mc_reader *reader, struct mc_graph *graph, const char *name, struct mc_value **value,
                    struct mc_error *err);
const char *mc_reader_node_name(struct mc_reader *reader, const Onnx__NodeProto *node, size_t index);
/* Refuse what would take more memory than bodies may; without effect outside them. */
int mc_reader_spend(struct mc_reader *reader, size_t bytes, struct mc_error *err);
int mc_reader_spend_node(struct mc_reader *reader, const Onnx__NodeProto *node, struct mc_error *err);
int mc_reader_spend_attr(struct mc_reader *reader, const Onnx__AttributeProto *attr, struct mc_error *err);
/* One body or graph deeper; refused where it goes too deep. */
int mc_reader_enter(struct mc_reader *reader, struct mc_error *err);
void mc_reader_leave(struct mc_reader *reader);

#endif
