/* pack.c - ONNX files into containers and out of them; see compress.h. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "code/packed_file.h"
#include "onnx.pb-c.h"
#include "onnx/data_files.h"
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

static int write_bytes(void *context, const unsigned char *bytes, size_t length, struct mc_error *err)
{
    return mc_file_write(context, bytes, length, err);
}

/* Pack into a file that was begun, read it again, and put it in its place. What has no temporary cannot be read again:
 * it gets what was checked in a file without a name. */
static int write_packed(const struct mc_container_file *files, size_t n, enum mc_code_level level,
                        struct mc_file_out *out, struct mc_container_figures *figures, struct mc_error *err)
{
    struct mc_file_out scratch = {0};
    struct mc_file_out *to = out->temporary ? out : &scratch;
    struct mc_file_view packed = {0};
    int rc = out->temporary ? MC_OK : mc_file_scratch(&scratch, err);
    if (rc == MC_OK) rc = mc_container_pack_files(files, n, level, write_bytes, to, figures, err);
    if (rc == MC_OK) rc = mc_file_flush(to, err);
    if (rc == MC_OK)
        rc = out->temporary ? mc_file_open(&packed, out->temporary, SIZE_MAX, err)
                            : mc_file_view_scratch(&packed, &scratch, err);
    if (rc == MC_OK) rc = mc_container_check(&packed, files, n, err);
    if (rc == MC_OK && !out->temporary) rc = mc_file_write(out, packed.data, packed.length, err);
    if (packed.data) mc_file_close(&packed);
    mc_file_abort(&scratch);
    if (rc == MC_OK) return mc_file_commit(out, err);
    mc_file_abort(out);
    return rc;
}

static int pack_files(const struct mc_file_view *model, const struct mc_data_files *beside, const char *packed,
                      enum mc_pack_level level, bool overwrite, struct mc_record *record, struct mc_error *err)
{
    const int64_t start = mc_clock_ns();
    size_t bytes = model->length;
    struct mc_container_file *files = MC_NEW_ARRAY(struct mc_container_file, beside->n + 1);
    if (!files) return mc_error_memory(err);
    files[0].bytes = *model;
    for (size_t i = 0; i < beside->n; i++) {
        const struct mc_data_file *f = &beside->files[i];
        files[i + 1] = (struct mc_container_file){f->location, f->view, f->payloads, f->n_payloads};
        bytes += f->view.length;
    }
    const enum mc_code_level settled = mc_packed_level(level, bytes);
    struct mc_container_figures figures;
    struct mc_file_out out;
    int rc = mc_file_create(&out, packed, overwrite, err);
    if (rc == MC_OK) rc = write_packed(files, beside->n + 1, settled, &out, &figures, err);
    if (rc == MC_OK) put_figures(&figures, settled, record);
    if (beside->n > 0) mc_record_set_int(record, "data_files", (int64_t)beside->n);
    mc_record_set_num(record, "seconds", (double)(mc_clock_ns() - start) * 1e-9);
    mc_free(files);
    return rc;
}

static int pack_view(const struct mc_file_view *model, const char *path, const char *packed, enum mc_pack_level level,
                     bool overwrite, struct mc_record *record, struct mc_error *err)
{
    if (mc_container_is(model->data, model->length)) return mc_error_set(err, MC_ERR_INPUT, "it is packed already");
    int rc = mc_guard_check(&onnx__model_proto__descriptor, model->data, model->length, err);
    if (rc < 0) return mc_error_wrap(err, rc, "it is no ONNX file");
    struct mc_data_files beside;
    char *dir = mc_path_dir(path);
    if (!dir) return mc_error_memory(err);
    rc = mc_data_files_open(&beside, model->data, model->length, dir, err);
    mc_free(dir);
    if (rc < 0) return rc;
    rc = pack_files(model, &beside, packed, level, overwrite, record, err);
    mc_data_files_close(&beside);
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
    if (rc == MC_OK) rc = pack_view(&view, model, packed, level, overwrite, made, err);
    if (rc < 0) mc_error_wrap(err, rc, "cannot pack '%s'", model);
    mc_file_close(&view);
    return end_record(made, record, rc, err);
}

static int unpack_view(const struct mc_file_view *packed, const char *model, bool overwrite, struct mc_record *record,
                       struct mc_error *err)
{
    const int64_t start = mc_clock_ns();
    size_t n_files, bytes;
    const int rc = mc_packed_unpack(packed, model, overwrite, &n_files, &bytes, err);
    mc_record_set_int(record, "bytes", (int64_t)bytes);
    mc_record_set_int(record, "bytes_packed", (int64_t)packed->length);
    if (n_files > 1) mc_record_set_int(record, "data_files", (int64_t)n_files - 1);
    mc_record_set_num(record, "seconds", (double)(mc_clock_ns() - start) * 1e-9);
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
