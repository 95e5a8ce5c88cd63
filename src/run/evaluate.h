/* evaluate.h - one node run by itself. */
#ifndef MC_RUN_EVALUATE_H
#define MC_RUN_EVALUATE_H

#include "graph/op.h"

/* Run call->node on call->in, by its operator's evaluate or by shape, prepare and forward, whichever these inputs want;
 * fills call->out. MC_ERR_INPUT for inputs that the operator refuses. */
int mc_run_node(struct mc_call *call, struct mc_error *err);

#endif
