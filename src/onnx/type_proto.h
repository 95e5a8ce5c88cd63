/* type_proto.h - TypeProto to a value's declared type and back. */
#ifndef MC_ONNX_TYPE_PROTO_H
#define MC_ONNX_TYPE_PROTO_H

#include "base/arena.h"
#include "graph/graph.h"
#include "onnx.pb-c.h"

/* Declared type of a value; the names of its dimensions are lent by the message. `proto` NULL, or not a dense tensor:
 * dtype MC_UNDEFINED, rank -1. A negative extent, which some exporters write for "unknown", is unknown. MC_ERR_INPUT
 * for an unknown element type, a rank above MC_MAX_RANK, and extents whose product cannot be counted. */
int mc_type_from_proto(struct mc_type *type, const Onnx__TypeProto *proto, struct mc_error *err);

/* A TypeProto in the arena, or NULL. `origin` (may be NULL) gives denotations and unknown fields. */
Onnx__TypeProto *mc_type_to_proto(struct mc_arena *arena, const struct mc_type *type, const Onnx__TypeProto *origin);

bool mc_type_equal(const struct mc_type *a, const struct mc_type *b);
/* Is a tensor of this type and shape what the type declares, as far as it does? */
bool mc_type_admits(const struct mc_type *type, const struct mc_tensor *tensor);
struct mc_type mc_type_of_tensor(const struct mc_tensor *tensor);

#endif
