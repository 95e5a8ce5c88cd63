/* byte_nodes.h - which nodes run on 8 bits, and which activations have to be rounded for that. */
#ifndef MC_QUANTIZE_BYTE_NODES_H
#define MC_QUANTIZE_BYTE_NODES_H

#include "quantize/store.h"

/* By value id. */
struct mc_byte_value {
    const struct mc_stored *weight; /* whose floats it is; NULL: none's */
    bool varies;                    /* it depends on the model's inputs */
    bool made;                      /* a node on bytes makes it */
    bool rounded;
    bool scaled; /* its scale is another's, which moved is what it is */
    int as;      /* that one's id, or one on the way there; its own */
};

struct mc_byte_nodes {
    const struct mc_model *model;
    struct mc_facts facts;
    struct mc_uses uses;
    struct mc_byte_value *values;
    int n_ids;
    bool *on_bytes; /* by node id */
    int n_nodes;    /* on bytes */
    int n_rounded;
};

/* For a model whose weights are stored; nodes of which `exclude` matches the name stay. Finished by the caller in any
 * case. */
int mc_byte_nodes_find(struct mc_byte_nodes *nodes, const struct mc_model *model, const struct mc_store *store,
                       const char *exclude, struct mc_error *err);
void mc_byte_nodes_finish(struct mc_byte_nodes *nodes);

/* The id of the value whose scale this one has. */
int mc_byte_scale_of(const struct mc_byte_nodes *nodes, int id);
/* The stored weight that is input 1 of a node, also once other nodes were put around that; NULL: none is. */
const struct mc_stored *mc_byte_weight(const struct mc_byte_nodes *nodes, const struct mc_node *node);

#endif
