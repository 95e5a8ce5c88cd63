/* save.c - models to ONNX files; see onnx.h. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "graph/pieces.h"
#include "onnx/guard.h"
#include "onnx/onnx.h"
#include "onnx/writer.h"

/* Where each external tensor begins: a page, so that readers can map it (docs/ExternalData.md asks for that). */
#define EXTERNAL_ALIGNMENT 4096

/* When a message would be too long, initializers of at least this many bytes leave it; onnx.save_model's default. */
#define EXTERNAL_THRESHOLD 1024

/* --- packing --- */

struct file_buffer {
    ProtobufCBuffer base; /* first: protobuf-c hands it back */
    struct mc_file_out *out;
    struct mc_error *err;
    int rc;
};

static void append_to_file(ProtobufCBuffer *base, size_t length, const uint8_t *bytes)
{
    struct file_buffer *buffer = (struct file_buffer *)base;
    if (buffer->rc == MC_OK) buffer->rc = mc_file_write(buffer->out, bytes, length, buffer->err);
}

/* Write the message without packing it in memory first. */
static int write_message(const Onnx__ModelProto *proto, struct mc_file_out *out, struct mc_error *err)
{
    struct file_buffer buffer = {.base = {append_to_file}, .out = out, .err = err};
    onnx__model_proto__pack_to_buffer(proto, &buffer.base);
    return buffer.rc;
}

static int check_length(size_t length, struct mc_error *err)
{
    if (length <= MC_GUARD_MAX_BYTES) return MC_OK;
    return mc_error_set(err, MC_ERR_UNSUPPORTED, "the model message would have %zu bytes, protobuf allows %zu", length,
                        MC_GUARD_MAX_BYTES);
}

int mc_onnx_save_into(const struct mc_model *model, struct mc_file_out *out, size_t *length, struct mc_error *err)
{
    struct mc_writer w;
    Onnx__ModelProto *proto;
    mc_writer_init(&w, model);
    int rc = mc_write_model(&w, &proto, err);
    if (rc == MC_OK) {
        *length = onnx__model_proto__get_packed_size(proto);
        rc = check_length(*length, err);
    }
    if (rc == MC_OK && out) rc = write_message(proto, out, err);
    mc_writer_finish(&w);
    return rc;
}

/* --- comparing --- */

struct comparison {
    ProtobufCBuffer base; /* first: protobuf-c hands it back */
    const struct mc_file_view *file;
    size_t at;
    bool same;
};

enum { FORGET_BYTES = 1 << 20 }; /* after so many bytes of a mapped file at once, its pages are given back */

static void compare_with_file(ProtobufCBuffer *base, size_t length, const uint8_t *bytes)
{
    struct comparison *c = (struct comparison *)base;
    c->same = c->same && length <= c->file->length - c->at && memcmp(c->file->data + c->at, bytes, length) == 0;
    if (!c->same) return;
    c->at += length;
    if (length >= FORGET_BYTES) mc_file_forget(c->file);
}

int mc_onnx_save_matches(const struct mc_model *model, const struct mc_file_view *file, bool *same,
                         struct mc_error *err)
{
    struct mc_writer w;
    Onnx__ModelProto *proto;
    struct comparison c = {.base = {compare_with_file}, .file = file, .same = true};
    mc_writer_init(&w, model);
    const int rc = mc_write_model(&w, &proto, err);
    if (rc == MC_OK) onnx__model_proto__pack_to_buffer(proto, &c.base);
    *same = c.same && c.at == file->length;
    mc_writer_finish(&w);
    return rc;
}

int mc_onnx_save_size(const struct mc_model *model, size_t *length, struct mc_error *err)
{
    return mc_onnx_save_into(model, NULL, length, err);
}

int mc_onnx_save_bytes(const struct mc_model *model, unsigned char **bytes, size_t *length, struct mc_error *err)
{
    struct mc_writer w;
    Onnx__ModelProto *proto;
    mc_writer_init(&w, model);
    int rc = mc_write_model(&w, &proto, err);
    const size_t n = rc == MC_OK ? onnx__model_proto__get_packed_size(proto) : 0;
    if (rc == MC_OK) rc = check_length(n, err);
    if (rc == MC_OK) {
        *bytes = mc_alloc_aligned(n, 1);
        if (*bytes)
            *length = onnx__model_proto__pack(proto, *bytes);
        else
            rc = mc_error_memory(err);
    }
    mc_writer_finish(&w);
    return rc;
}

/* --- external data --- */

/* A file `<name>.data` beside the model; zeroed when there is none. */
struct data_file {
    char *path;
    const char *location; /* its last part */
    bool existed;
    uint64_t length;
    struct mc_file_out out;
};

static int data_file_create(struct data_file *data, const char *model_path, bool overwrite, struct mc_error *err)
{
    const size_t size = strlen(model_path) + sizeof ".data";
    data->path = mc_alloc(size, 1);
    if (!data->path) return mc_error_memory(err);
    snprintf(data->path, size, "%s.data", model_path);
    const char *slash = strrchr(data->path, '/');
    data->location = slash ? slash + 1 : data->path;
    data->existed = access(data->path, F_OK) == 0;
    return mc_file_create(&data->out, data->path, overwrite, err);
}

static Onnx__StringStringEntryProto *make_entry(struct mc_arena *arena, const char *key, const char *value)
{
    Onnx__StringStringEntryProto *entry = MC_ARENA_NEW(arena, Onnx__StringStringEntryProto);
    if (!entry) return NULL;
    onnx__string_string_entry_proto__init(entry);
    entry->key = mc_arena_strdup(arena, key);
    entry->value = mc_arena_strdup(arena, value);
    return entry->key && entry->value ? entry : NULL;
}

/* Say in the message that the contents lie in the file; what else it says stays. */
static int refer_to(Onnx__TensorProto *p, struct mc_arena *arena, const char *location, uint64_t offset, size_t bytes,
                    struct mc_error *err)
{
    char at[32], length[32];
    snprintf(at, sizeof at, "%llu", (unsigned long long)offset);
    snprintf(length, sizeof length, "%zu", bytes);
    p->n_float_data = p->n_int32_data = p->n_int64_data = p->n_double_data = p->n_uint64_data = 0;
    p->has_raw_data = 0;
    p->has_data_location = 1;
    p->data_location = ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
    p->n_external_data = 3;
    p->external_data = MC_ARENA_ARRAY(arena, Onnx__StringStringEntryProto *, 3);
    if (!p->external_data) return mc_error_memory(err);
    p->external_data[0] = make_entry(arena, "location", location);
    p->external_data[1] = make_entry(arena, "offset", at);
    p->external_data[2] = make_entry(arena, "length", length);
    return p->external_data[0] && p->external_data[1] && p->external_data[2] ? MC_OK : mc_error_memory(err);
}

enum { AT_ONCE_BYTES = 16 << 20 }; /* from so many on pieces go past the page cache */

struct piece_writer {
    struct data_file *data;
    enum mc_dtype dtype;
};

static int pad(struct data_file *data, struct mc_error *err)
{
    static const char zeroes[EXTERNAL_ALIGNMENT];
    const uint64_t over = data->length % EXTERNAL_ALIGNMENT;
    if (over == 0) return MC_OK;
    data->length += EXTERNAL_ALIGNMENT - over;
    return mc_file_write(&data->out, zeroes, (size_t)(EXTERNAL_ALIGNMENT - over), err);
}

static int write_piece(void *context, const void *elements, int64_t n, struct mc_error *err)
{
    const struct piece_writer *w = context;
    size_t bytes;
    mc_dtype_size(w->dtype, n, &bytes);
    if (bytes < AT_ONCE_BYTES) return mc_file_write(&w->data->out, elements, bytes, err);
    return mc_file_write_pages(&w->data->out, elements, bytes, err);
}

/* Move the initializers of at least `threshold` bytes out of the message. The file comes into being with the first. */
static int write_external(struct mc_writer *w, struct data_file *data, const char *path, size_t threshold,
                          bool overwrite, struct mc_error *err)
{
    for (size_t i = 0; i < w->n_stored; i++) {
        const struct mc_stored *stored = &w->stored[i];
        const enum mc_dtype dtype = stored->value->data->dtype;
        const size_t bytes = mc_tensor_bytes(stored->value->data);
        if (dtype == MC_STRING || bytes < threshold) continue;
        int rc = data->path ? MC_OK : data_file_create(data, path, overwrite, err);
        if (rc == MC_OK) rc = pad(data, err);
        if (rc == MC_OK) rc = refer_to(stored->proto, &w->arena, data->location, data->length, bytes, err);
        if (rc == MC_OK) rc = mc_value_visit(stored->value, write_piece, &(struct piece_writer){data, dtype}, err);
        if (rc < 0) return rc;
        data->length += bytes;
    }
    return MC_OK;
}

/* Put both files in place. The data come first: a model never stands there without them. */
static int commit(struct mc_file_out *out, struct data_file *data, struct mc_error *err)
{
    int rc = data->path ? mc_file_commit(&data->out, err) : MC_OK;
    if (rc < 0) {
        mc_file_abort(out);
        return rc;
    }
    rc = mc_file_commit(out, err);
    if (rc < 0 && data->path && !data->existed) unlink(data->path);
    return rc;
}

int mc_onnx_save(const struct mc_model *model, const char *path, const struct mc_onnx_save_options *options,
                 struct mc_error *err)
{
    struct mc_writer w;
    Onnx__ModelProto *proto;
    struct data_file data = {0};
    struct mc_file_out out = {0};
    size_t threshold = options->external_threshold;
    mc_writer_init(&w, model);
    int rc = mc_write_model(&w, &proto, err);
    if (rc == MC_OK && threshold == 0 && onnx__model_proto__get_packed_size(proto) > MC_GUARD_MAX_BYTES)
        threshold = EXTERNAL_THRESHOLD;
    if (rc == MC_OK) rc = mc_file_create(&out, path, options->overwrite, err);
    if (rc == MC_OK && threshold > 0) rc = write_external(&w, &data, path, threshold, options->overwrite, err);
    if (rc == MC_OK) rc = check_length(onnx__model_proto__get_packed_size(proto), err);
    if (rc == MC_OK) rc = write_message(proto, &out, err);
    if (rc == MC_OK) rc = commit(&out, &data, err);
    mc_file_abort(&data.out);
    mc_file_abort(&out);
    mc_free(data.path);
    mc_writer_finish(&w);
    return rc < 0 ? mc_error_wrap(err, rc, "cannot save '%s'", path) : MC_OK;
}
