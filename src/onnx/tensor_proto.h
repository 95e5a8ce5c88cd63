/* tensor_proto.h - TensorProto to tensor and back, in every form that ONNX stores elements in. */
#ifndef MC_ONNX_TENSOR_PROTO_H
#define MC_ONNX_TENSOR_PROTO_H

#include "base/arena.h"
#include "graph/origin.h"
#include "onnx.pb-c.h"
#include "onnx/external.h"
#include "tensor/tensor.h"

/* Tensor with the contents of a message. Where the message holds the elements as we do (raw_data; float_data of
 * float32, …) the tensor lies in the message and shares `origin`, which keeps it; elsewhere it has its own memory.
 * Refused (MC_ERR_INPUT): unknown types, ranks above MC_MAX_RANK, negative or overflowing extents, any difference
 * between the number of elements and what is stored, contents stored twice, bools other than 0 and 1. Values of
 * int32_data and uint64_data that are too wide for the type lose their high bits, as in ONNX's own numpy_helper. */
int mc_tensor_from_proto(struct mc_tensor **tensor, const Onnx__TensorProto *proto, struct mc_origin *origin,
                         struct mc_external *external, struct mc_error *err);

/* Message with the contents of a tensor, which it borrows; what it needs besides comes from the arena. `origin` (may
 * be NULL) gives what the tensor does not know (doc string, unknown fields, name) and the form to store the elements
 * in: an unchanged tensor gives an equal message, but for external data, which come into the message. Without an
 * origin, or with one of another type, raw_data. NULL: no memory. */
Onnx__TensorProto *mc_tensor_to_proto(struct mc_arena *arena, const struct mc_tensor *tensor, const char *name,
                                      const Onnx__TensorProto *origin);

#endif
