/* sparse_proto.h - SparseTensorProto to tensor and back: the elements that are not zero, and where they are.
 *
 * Source: onnx.proto, message SparseTensorProto.
 */
#ifndef MC_ONNX_SPARSE_PROTO_H
#define MC_ONNX_SPARSE_PROTO_H

#include "onnx/tensor_proto.h"

/* Dense tensor with memory of its own. Indices are one number for each element, or one for each axis, in ascending
 * order. MC_ERR_INPUT for what ONNX does not allow and for more than `most_bytes`. Of elements that have no bytes of
 * their own (strings, four bits) there is none: *tensor NULL. */
int mc_tensor_from_sparse(struct mc_tensor **tensor, const Onnx__SparseTensorProto *proto, size_t most_bytes,
                          struct mc_origin *origin, struct mc_external *external, struct mc_error *err);

/* Message with the elements of which a bit is set, in raw_data, and their places in int64_data, where small numbers
 * take few bytes. `proto` comes from the arena; NULL where the dense message is no longer. MC_ERR_SYSTEM without
 * memory. */
int mc_tensor_to_sparse(Onnx__SparseTensorProto **proto, struct mc_arena *arena, const struct mc_tensor *tensor,
                        const char *name, struct mc_error *err);

#endif
