/* zip.c - members of a ZIP archive; see zip.h. */
#include "data/zip.h"

#include <string.h>
#include <zlib.h>

#include "base/alloc.h"
#include "base/error.h"

enum { END_BYTES = 22, CENTRAL_BYTES = 46, LOCAL_BYTES = 30, MAX_COMMENT = 65535, STORED = 0, DEFLATED = 8 };
enum { END_MAGIC = 0x06054b50, CENTRAL_MAGIC = 0x02014b50, LOCAL_MAGIC = 0x04034b50, MOST_DEFLATED = 1032 };

static const size_t max_file_bytes = (size_t)1 << 36;

static uint32_t u16(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

static uint32_t u32(const unsigned char *p)
{
    return u16(p) | u16(p + 2) << 16;
}

static int broken(const struct mc_zip *zip, const char *what, struct mc_error *err)
{
    return mc_error_set(err, MC_ERR_INPUT, "'%s': %s", zip->path, what);
}

/* The record at the end that says where the list of members is; it is followed by nothing but a comment. */
static const unsigned char *find_end(const struct mc_file_view *file)
{
    if (file->length < END_BYTES) return NULL;
    for (size_t back = 0; back <= MAX_COMMENT && back <= file->length - END_BYTES; back++) {
        const unsigned char *p = file->data + file->length - END_BYTES - back;
        if (u32(p) == END_MAGIC && u16(p + 20) == back) return p;
    }
    return NULL;
}

/* One entry of the list at *at, which moves behind it. */
static int read_member(struct mc_zip *zip, struct mc_zip_member *m, size_t *at, struct mc_error *err)
{
    const struct mc_file_view *file = &zip->file;
    if (file->length - *at < CENTRAL_BYTES || u32(file->data + *at) != CENTRAL_MAGIC)
        return broken(zip, "its list of members is broken", err);
    const unsigned char *p = file->data + *at;
    const size_t n_name = u16(p + 28), n_more = u16(p + 30) + u16(p + 32);
    if (file->length - *at - CENTRAL_BYTES < n_name + n_more) return broken(zip, "its list of members is broken", err);
    m->name = mc_alloc(n_name + 1, 1);
    if (!m->name) return mc_error_memory(err);
    memcpy(m->name, p + CENTRAL_BYTES, n_name);
    m->method = (int)u16(p + 10);
    m->crc = u32(p + 16);
    m->packed = u32(p + 20);
    m->size = u32(p + 24);
    m->offset = u32(p + 42);
    *at += CENTRAL_BYTES + n_name + n_more;
    if (u16(p + 8) & 1)
        return mc_error_set(err, MC_ERR_UNSUPPORTED, "'%s': member '%s' is encrypted", zip->path, m->name);
    if (m->packed == UINT32_MAX || m->size == UINT32_MAX || m->offset == UINT32_MAX)
        return mc_error_set(err, MC_ERR_UNSUPPORTED, "'%s': member '%s' has 4 GiB or more, which are not read",
                            zip->path, m->name);
    return MC_OK;
}

int mc_zip_open(struct mc_zip *zip, const char *path, struct mc_error *err)
{
    *zip = (struct mc_zip){.path = mc_strdup(path)};
    if (!zip->path) return mc_error_memory(err);
    int rc = mc_file_open(&zip->file, path, max_file_bytes, err);
    if (rc < 0) return rc;
    const unsigned char *end = find_end(&zip->file);
    if (!end) return broken(zip, "is not a ZIP archive", err);
    const uint32_t n = u16(end + 10);
    size_t at = u32(end + 16);
    if (u16(end + 8) != n || at > (size_t)(end - zip->file.data))
        return broken(zip, "the end of the archive makes no sense", err);
    if (n > MC_ZIP_MAX_MEMBERS)
        return mc_error_set(err, MC_ERR_INPUT, "'%s': has %u members, at most %d are read", path, n,
                            MC_ZIP_MAX_MEMBERS);
    zip->members = MC_NEW_ARRAY(struct mc_zip_member, n);
    if (!zip->members) return mc_error_memory(err);
    for (uint32_t i = 0; rc == MC_OK && i < n; i++) rc = read_member(zip, &zip->members[zip->n_members++], &at, err);
    return rc;
}

void mc_zip_finish(struct mc_zip *zip)
{
    for (int i = 0; i < zip->n_members; i++) mc_free(zip->members[i].name);
    mc_free(zip->members);
    mc_free(zip->path);
    mc_file_close(&zip->file);
    *zip = (struct mc_zip){0};
}

const struct mc_zip_member *mc_zip_find(const struct mc_zip *zip, const char *name)
{
    for (int i = 0; i < zip->n_members; i++)
        if (strcmp(zip->members[i].name, name) == 0) return &zip->members[i];
    return NULL;
}

/* Raw deflate of exactly `size` bytes. zlib counts in 32 bits, as do the sizes. */
static bool inflate_all(const unsigned char *packed, size_t n_packed, unsigned char *bytes, size_t size)
{
    z_stream z = {.next_in = (unsigned char *)(uintptr_t)packed, .avail_in = (uInt)n_packed};
    unsigned char nothing;
    z.next_out = size ? bytes : &nothing;
    z.avail_out = size ? (uInt)size : 1;
    if (inflateInit2(&z, -MAX_WBITS) != Z_OK) return false;
    const int code = inflate(&z, Z_FINISH);
    const bool whole = code == Z_STREAM_END && z.total_out == size && z.avail_in == 0;
    inflateEnd(&z);
    return whole;
}

int mc_zip_read(const struct mc_zip *zip, const struct mc_zip_member *m, unsigned char **bytes, struct mc_error *err)
{
    const struct mc_file_view *file = &zip->file;
    if (m->method != STORED && m->method != DEFLATED)
        return mc_error_set(err, MC_ERR_UNSUPPORTED, "'%s': member '%s' is packed by method %d, which is not known",
                            zip->path, m->name, m->method);
    const unsigned char *local = m->offset < file->length ? file->data + m->offset : NULL;
    const size_t left = local ? file->length - m->offset : 0;
    if (left < LOCAL_BYTES || u32(local) != LOCAL_MAGIC || left - LOCAL_BYTES < u16(local + 26) + u16(local + 28) ||
        left - LOCAL_BYTES - u16(local + 26) - u16(local + 28) < m->packed)
        return mc_error_set(err, MC_ERR_INPUT, "'%s': member '%s' is not where the list says", zip->path, m->name);
    const unsigned char *packed = local + LOCAL_BYTES + u16(local + 26) + u16(local + 28);
    if (m->method == STORED ? m->packed != m->size : m->size / MOST_DEFLATED > m->packed)
        return mc_error_set(err, MC_ERR_INPUT, "'%s': member '%s' cannot have %zu bytes in %zu", zip->path, m->name,
                            m->size, m->packed);
    *bytes = mc_alloc_aligned(m->size + 1, 1);
    if (!*bytes) return mc_error_memory(err);
    bool whole = true;
    if (m->method == STORED)
        memcpy(*bytes, packed, m->size);
    else
        whole = inflate_all(packed, m->packed, *bytes, m->size);
    if (whole && crc32(crc32(0, NULL, 0), *bytes, (uInt)m->size) == m->crc) return MC_OK;
    mc_free(*bytes);
    *bytes = NULL;
    return mc_error_set(err, MC_ERR_INPUT, "'%s': member '%s' is damaged", zip->path, m->name);
}
