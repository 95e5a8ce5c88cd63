/* protos.h - ONNX messages made in memory, for tests: of a few words each, because there are many. */
#ifndef MC_TESTS_PROTOS_H
#define MC_TESTS_PROTOS_H

#include "base/arena.h"
#include "onnx.pb-c.h"
#include "tensor/tensor.h"

/* All that is made here lives in one arena; without memory the program aborts. */
struct mc_arena *protos_begin(struct mc_arena *arena); /* init; returns it */

Onnx__ModelProto *proto_model(struct mc_arena *a, int64_t opset); /* IR version 8, an empty graph "g" */

/* The operator's inputs and outputs as names with blanks between; "-" stands for one left out. Added to the graph. */
Onnx__NodeProto *proto_node(struct mc_arena *a, Onnx__GraphProto *g, const char *type, const char *name,
                            const char *inputs, const char *outputs);
/* `dims` as "2 batch ?": a number, a name, unknown; NULL: no shape. */
Onnx__ValueInfoProto *proto_info(struct mc_arena *a, const char *name, enum mc_dtype dtype, const char *dims);
void proto_input(struct mc_arena *a, Onnx__GraphProto *g, Onnx__ValueInfoProto *info);
void proto_output(struct mc_arena *a, Onnx__GraphProto *g, Onnx__ValueInfoProto *info);
void proto_value_info(struct mc_arena *a, Onnx__GraphProto *g, Onnx__ValueInfoProto *info);

/* A tensor without contents; raw_data or a typed field are put in by the next two or by hand. */
Onnx__TensorProto *proto_tensor(struct mc_arena *a, const char *name, enum mc_dtype dtype, int rank,
                                const int64_t *dims);
Onnx__TensorProto *proto_raw(struct mc_arena *a, Onnx__TensorProto *t, const void *bytes, size_t length);
Onnx__TensorProto *proto_floats(struct mc_arena *a, Onnx__TensorProto *t, size_t n, const float *values);
Onnx__TensorProto *proto_external(struct mc_arena *a, Onnx__TensorProto *t, const char *location, const char *offset,
                                  const char *length);
void proto_initializer(struct mc_arena *a, Onnx__GraphProto *g, Onnx__TensorProto *t);
/* A sparse initializer s [3,4] with 5 at [0,1] and 7 at [2,3], in one index each or in `coordinates`; s → Neg → y. */
Onnx__SparseTensorProto *proto_sparse(struct mc_arena *a, Onnx__ModelProto *m, bool coordinates);

Onnx__AttributeProto *proto_attr(struct mc_arena *a, Onnx__NodeProto *n, const char *name,
                                 Onnx__AttributeProto__AttributeType type);
void proto_attr_int(struct mc_arena *a, Onnx__NodeProto *n, const char *name, int64_t value);

Onnx__StringStringEntryProto *proto_entry(struct mc_arena *a, const char *key, const char *value);
/* Give any message a field that no definition knows. */
void proto_unknown_field(struct mc_arena *a, ProtobufCMessage *message, uint32_t tag, const char *text);
void proto_unknown_bytes(struct mc_arena *a, ProtobufCMessage *message, uint32_t tag, const void *bytes, size_t length);

/* A function without nodes, importing ai.onnx `opset`; inputs and outputs as of proto_node. */
Onnx__FunctionProto *proto_function(struct mc_arena *a, Onnx__ModelProto *m, const char *domain, const char *name,
                                    const char *inputs, const char *outputs, int64_t opset);
Onnx__NodeProto *proto_function_node(struct mc_arena *a, Onnx__FunctionProto *f, const char *type, const char *name,
                                     const char *inputs, const char *outputs);
/* Make a node a call of a function of `domain`. */
Onnx__NodeProto *proto_call(struct mc_arena *a, Onnx__NodeProto *n, const char *domain);
/* An attribute that stands for the function's attribute `of`. */
void proto_attr_ref(struct mc_arena *a, Onnx__NodeProto *n, const char *name, Onnx__AttributeProto__AttributeType type,
                    const char *of);
/* A float attribute that calls may leave out, in the field that IR version 9 brought. */
void proto_function_default(struct mc_arena *a, Onnx__FunctionProto *f, const char *name, float value);

/* x [batch,4] → Gemm with w [4,3] (raw_data) and b [3] (float_data) → h → Relu → y [batch,3]; doc strings, metadata,
 * value_info, an annotation, a function, an unknown field in every message it has. */
Onnx__ModelProto *proto_sample(struct mc_arena *a);
/* c → If with a branch that reads x from outside, and one with an initializer. */
Onnx__ModelProto *proto_if(struct mc_arena *a);
/* x, c → calls of functions, nested, with attributes given, left out and standing for graphs, in branches too → y. */
Onnx__ModelProto *proto_calls(struct mc_arena *a);

/* The message's bytes, in the arena. */
unsigned char *proto_pack(struct mc_arena *a, const ProtobufCMessage *message, size_t *length);

#endif
