/* cost.h - what a model costs: parameters, non-zeros, multiply-accumulates, traffic; whole and node by node. */
#ifndef MC_GRAPH_COST_H
#define MC_GRAPH_COST_H

#include "graph/facts.h"

/* A parameter is an element of a float tensor that the model holds and some node uses: an initializer, or the tensor of
 * rank 1 or more in a node without inputs (Constant); or of a tensor of 8 bits or less and rank 2 or more, or one that
 * a DequantizeLinear makes floats of, which is how quantized models hold theirs, and not its scales. Each tensor counts
 * once, with the first node that uses it. */
struct mc_node_cost {
    const struct mc_node *node;
    bool known;          /* false: no descriptor, shapes that are not known, or the work is done by nodes of graphs
                          * within; `cost` is then all 0 */
    struct mc_cost cost; /* of one run; 0 for what is computed once and for all from constants */
    int64_t parameters;
    int64_t nonzeros;
    int64_t parameter_bytes;
};

struct mc_model_cost {
    struct mc_cost cost; /* sum over the nodes that are known */
    int64_t parameters;
    int64_t nonzeros;
    int64_t parameter_bytes;
    int n_unknown;
    int n_nodes; /* of the main graph, in order; what subgraphs hold counts with the node that has them */
    struct mc_node_cost *nodes;
};

/* `facts` may be NULL or partial: parameters are then counted all the same. */
int mc_model_cost_create(struct mc_model_cost *cost, const struct mc_model *model, const struct mc_facts *facts,
                         struct mc_error *err);
/* Of one run of one node, which need not be in a graph. 0 where that is not known. */
int mc_node_cost(struct mc_cost *cost, const struct mc_node *node, const struct mc_facts *facts, struct mc_error *err);
void mc_model_cost_finish(struct mc_model_cost *cost);

/* Elements that are not zero. */
int64_t mc_tensor_nonzeros(const struct mc_tensor *tensor);

#endif
