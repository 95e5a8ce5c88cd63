/* packed_file.c - models from files that may be packed; see packed_file.h. */
#include "code/packed_file.h"

#include "base/alloc.h"
#include "base/error.h"
#include "onnx/onnx.h"

/* Up to here the strong coder is a matter of seconds. */
#define BEST_MOST_BYTES ((size_t)16 << 20)

enum mc_code_level mc_packed_level(enum mc_pack_level level, size_t length)
{
    if (level == MC_PACK_AUTO) level = length <= BEST_MOST_BYTES ? MC_PACK_BEST : MC_PACK_FAST;
    return level == MC_PACK_BEST ? MC_CODE_BEST : MC_CODE_FAST;
}

static int take_into_buf(void *context, const unsigned char *bytes, size_t length, struct mc_error *err)
{
    struct mc_buf *buf = context;
    mc_buf_append(buf, bytes, length);
    return buf->failed ? mc_error_memory(err) : MC_OK;
}

static int load_packed(struct mc_model **model, const struct mc_file_view *packed, const char *dir, const char *path,
                       struct mc_error *err)
{
    struct mc_buf bytes;
    mc_buf_init(&bytes, MC_CONTAINER_MOST_BYTES);
    int rc = mc_container_unpack(packed->data, packed->length, take_into_buf, &bytes, err);
    if (rc < 0)
        mc_error_wrap(err, rc, "cannot load '%s'", path);
    else
        rc = mc_onnx_load_bytes(model, bytes.data, bytes.length, dir, path, err);
    mc_buf_finish(&bytes);
    return rc;
}

int mc_packed_load(struct mc_model **model, const char *path, struct mc_error *err)
{
    struct mc_file_view view;
    int rc = mc_file_open(&view, path, MC_CONTAINER_MOST_BYTES, err);
    if (rc < 0) return rc;
    char *dir = mc_path_dir(path);
    if (!dir)
        rc = mc_error_memory(err);
    else if (mc_container_is(view.data, view.length))
        rc = load_packed(model, &view, dir, path, err);
    else
        rc = mc_onnx_load_view(model, &view, dir, path, err);
    mc_free(dir);
    mc_file_close(&view);
    return rc;
}

struct writing {
    struct mc_file_out *out;
    size_t length;
};

static int take_into_file(void *context, const unsigned char *bytes, size_t length, struct mc_error *err)
{
    struct writing *writing = context;
    writing->length += length;
    return mc_file_write(writing->out, bytes, length, err);
}

int mc_packed_unpack_into(const struct mc_file_view *packed, struct mc_file_out *out, size_t *length,
                          struct mc_error *err)
{
    struct writing writing = {.out = out};
    const int rc = mc_container_unpack(packed->data, packed->length, take_into_file, &writing, err);
    *length = writing.length;
    return rc;
}
