/* facts.h - shapes, types and constants of every value of a model, for given input shapes. */
#ifndef MC_GRAPH_FACTS_H
#define MC_GRAPH_FACTS_H

#include "graph/op.h"

/* Constants larger than this are not computed from others by the shape driver (shape arithmetic is small). */
#define MC_FACT_MAX_FOLD 65536

/* How to run one node on constant inputs; the driver gets it from above, since this room runs nothing. Makes the
 * output tensors (owned by the caller), whatever their shapes where out_facts is NULL; MC_ERR_OPEN if what comes out is
 * no tensor. */
typedef int mc_evaluate_fn(void *context, const struct mc_node *node, const struct mc_fact *const *in,
                           const struct mc_fact *out_facts, struct mc_tensor **out, struct mc_error *err);

struct mc_facts {
    int n_values;
    struct mc_fact *of;        /* by value id; dtype MC_UNDEFINED: unknown */
    struct mc_tensor **folded; /* by value id: constants made here, owned */
};

/* A value that is settled from outside: an input of a graph within the model, or what such a graph sees of those around
 * it. A constant has to outlive whatever is made with it. */
struct mc_given {
    const struct mc_value *value;
    struct mc_fact fact;
};

/* Extents for the inputs of a graph whose dimensions are not all numbers. */
struct mc_dims {
    int64_t batch; /* stands for an unknown first dimension; 0: none may be unknown */
    int n_inputs;  /* entries of `shape`, in graph input order (initializers not counted); 0: none given */
    const struct mc_shape *shape;
    const struct mc_graph *graph; /* NULL: the main graph */
    int n_given;                  /* these come before all of the above */
    const struct mc_given *given;
};

/* Infer everything, of what no output depends on as far as it goes. Errors name the node; a node without descriptor is
 * MC_ERR_UNSUPPORTED, and all such nodes, also those of graphs within, are named in one message. What depends on the
 * contents of the inputs, or is no tensor, is open. An unknown dimension that `dims` does not settle is MC_ERR_USAGE
 * and is asked for by name. */
int mc_facts_create(struct mc_facts *facts, const struct mc_model *model, const struct mc_dims *dims,
                    mc_evaluate_fn *evaluate, void *context, struct mc_error *err);
/* As far as it goes: values after an unknown operator stay MC_UNDEFINED; never fails for the model's sake. */
int mc_facts_create_partial(struct mc_facts *facts, const struct mc_model *model, const struct mc_dims *dims,
                            mc_evaluate_fn *evaluate, void *context, struct mc_error *err);
void mc_facts_finish(struct mc_facts *facts);

/* Inputs of a graph that are not initializers, in order; returns how many. */
int mc_graph_n_fed(const struct mc_graph *graph);
struct mc_value *mc_graph_fed(const struct mc_graph *graph, int i);
/* Values from outside of the graph that its nodes, those of graphs within and its outputs use, each once, in the order
 * of their first use. The list is the caller's (mc_free). */
int mc_graph_captures(const struct mc_graph *graph, const struct mc_value ***list, int *n, struct mc_error *err);

/* Inputs of the main graph that are not initializers (what a user feeds), in order; returns how many. */
int mc_model_n_inputs(const struct mc_model *model);
struct mc_value *mc_model_input(const struct mc_model *model, int i);

/* The longest lists that a node of the graph takes (mc_node_room_in, mc_node_room_out), at least 1. */
void mc_graph_room(const struct mc_graph *graph, int *n_in, int *n_out);

#endif
