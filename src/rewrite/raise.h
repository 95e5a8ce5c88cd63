/* raise.h - a model at a later opset of ONNX's own operators. */
#ifndef MC_REWRITE_RAISE_H
#define MC_REWRITE_RAISE_H

#include "graph/graph.h"

/* Let `model` import ai.onnx at `version` at least, its nodes rewritten to what the operators have become by then
 * (mc_op.upgrade), in graphs within nodes too. Operators must be bound, and are afterwards. MC_ERR_UNSUPPORTED names
 * all nodes that have no counterpart in that version, or none that is known here; the model is void then. */
int mc_raise_opset(struct mc_model *model, int version, struct mc_error *err);

#endif
