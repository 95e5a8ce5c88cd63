/* refusal.h - one message for all the nodes that stand in the way, instead of one after the other. */
#ifndef MC_GRAPH_REFUSAL_H
#define MC_GRAPH_REFUSAL_H

#include "graph/graph.h"

struct mc_refused {
    const struct mc_node *node;
    const char *why;
};

struct mc_refusal {
    struct mc_refused *nodes;
    size_t n, capacity;
    bool failed; /* memory was out */
};

void mc_refusal_init(struct mc_refusal *refusal);
/* One more node; `why` may be NULL and has to last. */
void mc_refusal_add(struct mc_refusal *refusal, const struct mc_node *node, const char *why);
/* MC_OK if there was none, else MC_ERR_UNSUPPORTED: "<what>: 'a', 'b' (Foo of ai.onnx 13), 'c' (Bar of ai.onnx 13:
 * why)", every kind of operator with the first nodes of it. Releases what it holds. */
int mc_refusal_finish(struct mc_refusal *refusal, const char *what, struct mc_error *err);

#endif
