/* data_files.c - files of external data; see data_files.h. */
#include "onnx/data_files.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "onnx/external.h"

static int by_location(const struct mc_payload_beside *a, const struct mc_payload_beside *b)
{
    const size_t shared = a->location_length < b->location_length ? a->location_length : b->location_length;
    const int order = memcmp(a->location, b->location, shared);
    return order ? order : (a->location_length > b->location_length) - (a->location_length < b->location_length);
}

static int by_place(const void *x, const void *y)
{
    const struct mc_payload_beside *a = x, *b = y;
    const int order = by_location(a, b);
    if (order) return order;
    if (a->payload.offset != b->payload.offset) return a->payload.offset < b->payload.offset ? -1 : 1;
    return (a->payload.length < b->payload.length) - (a->payload.length > b->payload.length); /* the longest first */
}

static int open_file(struct mc_data_file *file, const struct mc_payload_beside *one, const char *dir,
                     struct mc_error *err)
{
    int fd;
    uint64_t bytes;
    if (memchr(one->location, 0, one->location_length))
        return mc_error_set(err, MC_ERR_INPUT, "the location of external data is broken");
    file->location = mc_alloc(one->location_length + 1, 1);
    if (!file->location) return mc_error_memory(err);
    memcpy(file->location, one->location, one->location_length);
    int rc = mc_external_open(dir, file->location, &fd, &bytes, err);
    if (rc < 0) return rc;
    rc = mc_file_view(&file->view, fd, file->location, SIZE_MAX, err);
    close(fd);
    return rc;
}

/* What the model says of `n` stretches of the file, as far as it can be. */
static int add_payloads(struct mc_data_file *file, const struct mc_payload_beside *said, size_t n, struct mc_error *err)
{
    size_t end = 0;
    file->payloads = MC_NEW_ARRAY(struct mc_payload, n);
    if (!file->payloads) return mc_error_memory(err);
    for (size_t i = 0; i < n; i++) {
        const struct mc_payload *p = &said[i].payload;
        if (p->offset < end || p->offset > file->view.length || p->length > file->view.length - p->offset) continue;
        file->payloads[file->n_payloads++] = *p;
        end = p->offset + p->length;
    }
    return MC_OK;
}

int mc_data_files_open(struct mc_data_files *files, const unsigned char *model, size_t length, const char *dir,
                       struct mc_error *err)
{
    struct mc_payload_beside *found = NULL;
    size_t n, n_files = 0;
    *files = (struct mc_data_files){0};
    int rc = mc_payloads_find_beside(&found, &n, model, length, err);
    if (rc < 0 || n == 0) return rc;
    qsort(found, n, sizeof *found, by_place);
    for (size_t i = 0; i < n; i++) n_files += i == 0 || by_location(&found[i - 1], &found[i]) != 0;
    files->files = MC_NEW_ARRAY(struct mc_data_file, n_files);
    if (!files->files) rc = mc_error_memory(err);
    for (size_t i = 0, end; rc == MC_OK && i < n; i = end) {
        for (end = i + 1; end < n && by_location(&found[i], &found[end]) == 0;) end++;
        struct mc_data_file *file = &files->files[files->n++];
        rc = open_file(file, &found[i], dir, err);
        if (rc == MC_OK) rc = add_payloads(file, &found[i], end - i, err);
    }
    mc_free(found);
    if (rc < 0) mc_data_files_close(files);
    return rc;
}

void mc_data_files_close(struct mc_data_files *files)
{
    for (size_t i = 0; i < files->n; i++) {
        if (files->files[i].view.data) mc_file_close(&files->files[i].view);
        mc_free(files->files[i].payloads);
        mc_free(files->files[i].location);
    }
    mc_free(files->files);
    *files = (struct mc_data_files){0};
}
