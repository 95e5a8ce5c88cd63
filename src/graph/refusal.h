/* refusal.h - one message for all the nodes that stand in the way, instead of one after the other. */
#ifndef MC_GRAPH_REFUSAL_H
#define MC_GRAPH_REFUSAL_H

#include "base/buf.h"
#include "graph/graph.h"

struct mc_refusal {
    struct mc_buf names;
    int n;
};

void mc_refusal_init(struct mc_refusal *refusal);
/* One more node; `why` may be NULL. */
void mc_refusal_add(struct mc_refusal *refusal, const struct mc_node *node, const char *why);
/* MC_OK if there was none, else MC_ERR_UNSUPPORTED: "<what>: 'a' (Foo of ai.onnx 13), 'b' (Bar of ai.onnx 13: why)".
 * Releases what it holds. */
int mc_refusal_finish(struct mc_refusal *refusal, const char *what, struct mc_error *err);

#endif
