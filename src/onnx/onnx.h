/* onnx.h - ONNX files to models and back, by protobuf-c on ONNX's own definitions.
 *
 * Nothing that was in a file is lost on the way through: messages that a model does not represent are kept
 * beside it (`origin`) and written again. A file is read whole, limits are met before allocators, and a
 * broken file is refused with its path, the node and the tensor.
 */
#ifndef MC_ONNX_ONNX_H
#define MC_ONNX_ONNX_H

#include "graph/graph.h"

struct mc_onnx_limits {
    size_t max_file_bytes; /* 2 GiB - 1 for the model message; external data may be larger */
    int max_nesting;       /* of messages */
};

/* Load a model. Does not bind operators. Errors: MC_ERR_INPUT (broken), MC_ERR_UNSUPPORTED (an IR feature that is
 * missing here), MC_ERR_SYSTEM. */
int mc_onnx_load(struct mc_model **model, const char *path, struct mc_error *err);
/* From memory; external data are looked up in `dir` (NULL: refused). `name` stands in messages. */
int mc_onnx_load_bytes(struct mc_model **model, const void *bytes, size_t length, const char *dir, const char *name,
                       struct mc_error *err);

struct mc_onnx_save_options {
    bool overwrite;
    /* Initializers of at least this many bytes go to one external file `<name>.data` beside the model; 0: only when
     * the message would pass 2 GiB. */
    size_t external_threshold;
};
int mc_onnx_save(const struct mc_model *model, const char *path, const struct mc_onnx_save_options *options,
                 struct mc_error *err);
/* Into fresh memory (mc_free); for size reports without a file. */
int mc_onnx_save_bytes(const struct mc_model *model, unsigned char **bytes, size_t *length, struct mc_error *err);

/* One tensor as a TensorProto file (.pb) or a NumPy file (.npy, format 1 to 3, little endian, C order). */
int mc_tensor_load(struct mc_tensor **tensor, const char *path, struct mc_error *err);
int mc_tensor_save_pb(const struct mc_tensor *tensor, const char *name, const char *path, bool overwrite,
                      struct mc_error *err);
int mc_tensor_save_npy(const struct mc_tensor *tensor, const char *path, bool overwrite, struct mc_error *err);

#endif
