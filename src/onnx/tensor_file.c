/* tensor_file.c - one tensor in a file, as TensorProto or as NumPy array; see onnx.h. */
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/file.h"
#include "onnx/guard.h"
#include "onnx/message.h"
#include "onnx/npy.h"
#include "onnx/onnx.h"
#include "onnx/tensor_proto.h"

static bool is_npy(const char *path)
{
    const size_t n = strlen(path);
    return n >= 4 && strcmp(path + n - 4, ".npy") == 0;
}

static int parse_pb(struct mc_tensor **tensor, const struct mc_file_view *file, const char *path, struct mc_error *err)
{
    struct mc_message *message;
    struct mc_external external = {0};
    int rc = mc_message_unpack(&message, &onnx__tensor_proto__descriptor, file, err);
    if (rc < 0) return rc;
    char *dir = mc_path_dir(path);
    external.dir = dir;
    rc = dir ? mc_tensor_from_proto(tensor, (const Onnx__TensorProto *)message->root, &message->origin, &external, err)
             : mc_error_memory(err);
    mc_free(dir);
    mc_origin_release(&message->origin); /* the tensor has its own use of it */
    return rc;
}

int mc_tensor_load(struct mc_tensor **tensor, const char *path, struct mc_error *err)
{
    struct mc_file_view file;
    const bool npy = is_npy(path);
    int rc = mc_file_open(&file, path, npy ? SIZE_MAX : MC_GUARD_MAX_BYTES, err);
    if (rc < 0) return rc; /* the error names the file */
    if (file.length == 0)
        rc = mc_error_set(err, MC_ERR_INPUT, "the file is empty");
    else
        rc = npy ? mc_npy_parse(tensor, file.data, file.length, err) : parse_pb(tensor, &file, path, err);
    mc_file_close(&file);
    return rc < 0 ? mc_error_wrap(err, rc, "cannot load '%s'", path) : MC_OK;
}

int mc_tensor_save_pb(const struct mc_tensor *tensor, const char *name, const char *path, bool overwrite,
                      struct mc_error *err)
{
    struct mc_arena arena;
    mc_arena_init(&arena);
    unsigned char *bytes = NULL;
    const Onnx__TensorProto *proto = mc_tensor_to_proto(&arena, tensor, name, NULL);
    const size_t length = proto ? onnx__tensor_proto__get_packed_size(proto) : 0;
    int rc = proto ? MC_OK : mc_error_memory(err);
    if (rc == MC_OK && length > MC_GUARD_MAX_BYTES)
        rc = mc_error_set(err, MC_ERR_UNSUPPORTED, "the tensor message would have %zu bytes, protobuf allows %zu",
                          length, MC_GUARD_MAX_BYTES);
    if (rc == MC_OK) bytes = mc_alloc_aligned(length, 1);
    if (rc == MC_OK && !bytes) rc = mc_error_memory(err);
    if (rc == MC_OK) {
        onnx__tensor_proto__pack(proto, bytes);
        rc = mc_file_save(path, bytes, length, overwrite, err);
    }
    mc_free(bytes);
    mc_arena_finish(&arena);
    return rc < 0 ? mc_error_wrap(err, rc, "cannot save '%s'", path) : MC_OK;
}

int mc_tensor_save_npy(const struct mc_tensor *tensor, const char *path, bool overwrite, struct mc_error *err)
{
    struct mc_buf header;
    struct mc_file_out out = {0};
    mc_buf_init(&header, 4096);
    int rc = mc_npy_header(&header, tensor, err);
    if (rc == MC_OK) rc = mc_file_create(&out, path, overwrite, err);
    if (rc == MC_OK) rc = mc_file_write(&out, header.data, header.length, err);
    if (rc == MC_OK) rc = mc_file_write(&out, tensor->data, mc_tensor_bytes(tensor), err);
    if (rc == MC_OK) rc = mc_file_commit(&out, err);
    mc_file_abort(&out);
    mc_buf_finish(&header);
    return rc < 0 ? mc_error_wrap(err, rc, "cannot save '%s'", path) : MC_OK;
}
