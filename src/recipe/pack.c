/* pack.c - ONNX files into containers and out of them; see compress.h. */
#include "base/clock.h"
#include "base/error.h"
#include "code/packed_file.h"
#include "onnx.pb-c.h"
#include "onnx/guard.h"
#include "recipe/context.h"
#include "report/record.h"

static int start_record(struct mc_record **record, const char *title, const char *path, struct mc_error *err)
{
    const int rc = mc_record_create(record, err);
    if (rc < 0) return rc;
    mc_record_begin(*record, title);

    mc_record_set_text(*record, "model", mc_path_name(path));
    return rc;
}

/* Hand the record out, or not. */
static int end_record(struct mc_record *made, struct mc_record **record, int rc, struct mc_error *err)
{
    if (rc == MC_OK && made) rc = mc_record_check(made, err);
    if (rc == MC_OK && record)
        *record = made;
    else
        mc_record_destroy(made);
    return rc;
}

static void put_figures(const struct mc_container_figures *figures, enum mc_code_level level, struct mc_record *into)
{
    mc_record_set_text(into, "level", level == MC_CODE_BEST ? "best" : "fast");
    mc_record_set_int(into, "bytes", (int64_t)figures->bytes);
    mc_record_set_int(into, "bytes_packed", (int64_t)figures->bytes_packed);
    mc_record_set_int(into, "blocks", (int64_t)figures->n_blocks);
    struct mc_record *parts = mc_record_array(into, "parts");
    struct mc_record *part = mc_record_append_object(parts);
    mc_record_set_text(part, "method", "structure");
    mc_record_set_int(part, "bytes", (int64_t)figures->structure);
    mc_record_set_int(part, "bytes_packed", (int64_t)figures->structure_packed);
    for (int i = 0; i < MC_METHODS; i++) {
        if (figures->methods[i].n_segments == 0) continue;
        part = mc_record_append_object(parts);
        mc_record_set_text(part, "method", mc_method_name((enum mc_method)i));
        mc_record_set_int(part, "segments", (int64_t)figures->methods[i].n_segments);
        mc_record_set_int(part, "bytes", (int64_t)figures->methods[i].bytes);
        mc_record_set_int(part, "bytes_packed", (int64_t)figures->methods[i].bytes_packed);
    }
}

static int pack_view(const struct mc_file_view *model, const char *packed, enum mc_pack_level level, bool overwrite,
                     struct mc_record *record, struct mc_error *err)
{
    if (mc_container_is(model->data, model->length)) return mc_error_set(err, MC_ERR_INPUT, "it is packed already");
    int rc = mc_guard_check(&onnx__model_proto__descriptor, model->data, model->length, err);
    if (rc < 0) return mc_error_wrap(err, rc, "it is no ONNX file");
    const int64_t start = mc_clock_ns();
    const enum mc_code_level settled = mc_packed_level(level, model->length);
    struct mc_container_figures figures;
    struct mc_buf bytes;
    mc_buf_init(&bytes, SIZE_MAX / 2);
    rc = mc_container_pack(&bytes, model->data, model->length, settled, &figures, err);
    if (rc == MC_OK) put_figures(&figures, settled, record);
    mc_record_set_num(record, "seconds", (double)(mc_clock_ns() - start) * 1e-9);
    if (rc == MC_OK) rc = mc_file_save(packed, bytes.data, bytes.length, overwrite, err);
    mc_buf_finish(&bytes);
    return rc;
}

int mc_pack_file(const char *model, const char *packed, enum mc_pack_level level, bool overwrite,
                 struct mc_record **record, struct mc_error *err)
{
    struct mc_file_view view;
    struct mc_record *made = NULL;
    int rc = mc_file_open(&view, model, MC_CONTAINER_MOST_BYTES, err);
    if (rc < 0) return rc;
    if (view.length == 0) rc = mc_error_set(err, MC_ERR_INPUT, "it is no ONNX file: the file is empty");
    if (rc == MC_OK) rc = start_record(&made, "compress pack", model, err);
    if (rc == MC_OK) rc = pack_view(&view, packed, level, overwrite, made, err);
    if (rc < 0) mc_error_wrap(err, rc, "cannot pack '%s'", model);
    mc_file_close(&view);
    return end_record(made, record, rc, err);
}

static int unpack_view(const struct mc_file_view *packed, const char *model, bool overwrite, struct mc_record *record,
                       struct mc_error *err)
{
    const int64_t start = mc_clock_ns();
    struct mc_file_out out;
    size_t length = 0;
    int rc = mc_file_create(&out, model, overwrite, err);
    if (rc < 0) return rc;
    rc = mc_packed_unpack_into(packed, &out, &length, err);
    mc_record_set_int(record, "bytes", (int64_t)length);
    mc_record_set_int(record, "bytes_packed", (int64_t)packed->length);
    mc_record_set_num(record, "seconds", (double)(mc_clock_ns() - start) * 1e-9);
    if (rc == MC_OK) return mc_file_commit(&out, err);
    mc_file_abort(&out);
    return rc;
}

int mc_unpack_file(const char *packed, const char *model, bool overwrite, struct mc_record **record,
                   struct mc_error *err)
{
    struct mc_file_view view;
    struct mc_record *made = NULL;
    int rc = mc_file_open(&view, packed, SIZE_MAX, err);
    if (rc < 0) return rc;
    rc = start_record(&made, "compress unpack", packed, err);
    if (rc == MC_OK) rc = unpack_view(&view, model, overwrite, made, err);
    if (rc < 0) mc_error_wrap(err, rc, "cannot unpack '%s'", packed);
    mc_file_close(&view);
    return end_record(made, record, rc, err);
}
