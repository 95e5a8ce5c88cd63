/* onnx.h - ONNX files to models and back, by protobuf-c on ONNX's own definitions.
 *
 * Nothing that was in a file is lost on the way through: messages that a model does not represent are kept
 * beside it (`origin`) and written again. A file is read whole, limits are met before allocators, and a
 * broken file is refused with its path, the graph, the node and the tensor.
 *
 * Source: ONNX's onnx.proto and docs/IR.md, read by the definitions of Debian's libonnx-dev; what is newer than
 * those is kept as unknown fields.
 */
#ifndef MC_ONNX_ONNX_H
#define MC_ONNX_ONNX_H

#include "base/file.h"
#include "graph/graph.h"

/* Load a model of at most 2 GiB - 1; external data beside it may be larger. Does not bind operators. Parameters have
 * memory of their own and may be written to, or map the external file (mc_tensor.mapped); the model's file may be
 * changed or replaced as soon as it is loaded. Nodes that are not in an order in which they can run are put into one.
 * Errors: MC_ERR_INPUT (broken), MC_ERR_UNSUPPORTED (an IR feature that is missing here), MC_ERR_SYSTEM. */
int mc_onnx_load(struct mc_model **model, const char *path, struct mc_error *err);
/* From memory; external data are looked up in `dir` (NULL: refused). `name` stands in messages. */
int mc_onnx_load_bytes(struct mc_model **model, const void *bytes, size_t length, const char *dir, const char *name,
                       struct mc_error *err);
/* The same from a view of a file; of one that is mapped, the pages are given back while it is read. */
int mc_onnx_load_view(struct mc_model **model, const struct mc_file_view *file, const char *dir, const char *name,
                      struct mc_error *err);
/* The same with files in the place of those that external data name (onnx/external.h). */
struct mc_external;
int mc_onnx_load_with(struct mc_model **model, const struct mc_file_view *file, const struct mc_external *external,
                      const char *name, struct mc_error *err);

/* Put the bodies of the functions that the model's file brings along in the place of the nodes that call them, in
 * graphs within too, so that what is left are operators. `known` (mc_ops_find) finds an operator that is here: a
 * function of its name is not used. Names of values are made unique, those of nodes begin with the call's. What the
 * model changed since it was loaded stays. A node of a version that the model does not import keeps that as
 * node->opset. Operators are not bound. After a failure the model is good for nothing but mc_model_destroy:
 * MC_ERR_INPUT for a call that the function does not fit, MC_ERR_UNSUPPORTED for what would grow beyond measure. */
int mc_onnx_inline(struct mc_model *model, const struct mc_op *(*known)(const char *, const char *, int64_t),
                   struct mc_error *err);
/* Does any node call a function that mc_onnx_inline would put in its place? */
bool mc_onnx_has_calls(const struct mc_model *model, const struct mc_op *(*known)(const char *, const char *, int64_t));

/* A function of the file, lent. */
struct mc_onnx_function {
    const char *domain, *name, *overload; /* "" for ai.onnx, "" for none */
    size_t n_nodes;
};
size_t mc_onnx_n_functions(const struct mc_model *model);
struct mc_onnx_function mc_onnx_function(const struct mc_model *model, size_t i);

struct mc_onnx_save_options {
    bool overwrite;
    /* Initializers of at least this many bytes go to one external file `<name>.data` beside the model; 0: only when
     * the message would pass 2 GiB. */
    size_t external_threshold;
};
/* Write a model. What came from a file and was not changed is written as it was: messages field for field, tensors in
 * the form they were stored in (but external data come into the message, or go to the new external file). A declared
 * type stays while value->type is what the file declared, and is written anew otherwise; entries of value_info go
 * with their values, or where value->type has no dtype any more. A model made here gets producer "compress", the IR
 * version of its opset (at least 8) and the same bytes every time. Errors: MC_ERR_USAGE if a file exists,
 * MC_ERR_UNSUPPORTED if the message is too long even with all initializers outside, MC_ERR_SYSTEM. */
int mc_onnx_save(const struct mc_model *model, const char *path, const struct mc_onnx_save_options *options,
                 struct mc_error *err);
/* The message into a file that the caller has begun; *length is what it takes. MC_ERR_UNSUPPORTED over 2 GiB. */
int mc_onnx_save_into(const struct mc_model *model, struct mc_file_out *out, size_t *length, struct mc_error *err);
/* Would it be these very bytes? */
int mc_onnx_save_matches(const struct mc_model *model, const struct mc_file_view *file, bool *same,
                         struct mc_error *err);
/* How long would it be? */
int mc_onnx_save_size(const struct mc_model *model, size_t *length, struct mc_error *err);
/* Into fresh memory (mc_free). */
int mc_onnx_save_bytes(const struct mc_model *model, unsigned char **bytes, size_t *length, struct mc_error *err);

/* From now on an initializer of the main graph is stored as a sparse one where that is shorter; without this, only one
 * that was read as such. Clones made later must not outlive the model. MC_ERR_SYSTEM without memory. */
int mc_onnx_store_sparse(struct mc_model *model, struct mc_error *err);

/* One tensor as a TensorProto file (.pb) or a NumPy file (.npy, format 1 to 3, little endian, C order). */
int mc_tensor_load(struct mc_tensor **tensor, const char *path, struct mc_error *err);
int mc_tensor_save_pb(const struct mc_tensor *tensor, const char *name, const char *path, bool overwrite,
                      struct mc_error *err);
int mc_tensor_save_npy(const struct mc_tensor *tensor, const char *path, bool overwrite, struct mc_error *err);

#endif
