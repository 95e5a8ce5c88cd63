/* archive.c - named runs of bytes in one file with a checksum; see archive.h. */
#include "base/archive.h"

#include <stdarg.h>
#include <string.h>
#include <zlib.h>

#include "base/alloc.h"
#include "base/error.h"

enum { END = 0xffff, MOST_NAME = 1024, CHUNK = 1 << 30 };
static const char magic[8] = {'M', 'C', 'A', 'R', 'C', 'H', 'V', '1'};

/* zlib counts in unsigned int. */
static uint32_t checksum(uint32_t crc, const void *bytes, size_t length)
{
    const unsigned char *at = bytes;
    for (; length > CHUNK; at += CHUNK, length -= CHUNK) crc = (uint32_t)crc32(crc, at, CHUNK);
    return (uint32_t)crc32(crc, at, (unsigned)length);
}

/* --- writing --- */

static void put(struct mc_archive_out *out, const void *bytes, size_t length, struct mc_error *err)
{
    if (out->status < 0 || length == 0) return;
    out->status = mc_file_write(&out->file, bytes, length, err);
    out->crc = checksum(out->crc, bytes, length);
}

void mc_archive_create(struct mc_archive_out *out, const char *path, struct mc_error *err)
{
    *out = (struct mc_archive_out){0};
    out->status = mc_file_create(&out->file, path, true, err);
    put(out, magic, sizeof magic, err);
}

void mc_archive_put(struct mc_archive_out *out, const void *bytes, size_t length, struct mc_error *err, const char *fmt,
                    ...)
{
    char name[MOST_NAME];
    va_list args;
    va_start(args, fmt);
    vsnprintf(name, sizeof name, fmt, args);
    va_end(args);
    const uint16_t name_length = (uint16_t)strlen(name);
    const uint64_t size = length;
    put(out, &name_length, sizeof name_length, err);
    put(out, &size, sizeof size, err);
    put(out, name, name_length, err);
    put(out, bytes, length, err);
}

int mc_archive_commit(struct mc_archive_out *out, struct mc_error *err)
{
    const uint16_t end = END;
    put(out, &end, sizeof end, err);
    const uint32_t crc = out->crc;
    put(out, &crc, sizeof crc, err);
    if (out->status == MC_OK) return mc_file_commit(&out->file, err);
    mc_file_abort(&out->file);
    return out->status;
}

/* --- reading --- */

struct reader {
    const unsigned char *data;
    size_t length, at;
};

static bool take(struct reader *r, void *into, size_t length)
{
    if (length > r->length - r->at) return false;
    memcpy(into, r->data + r->at, length);
    r->at += length;
    return true;
}

/* The next entry. false: there is no whole one. */
static bool read_entry(struct reader *r, struct mc_archive_entry *e, bool *end)
{
    uint16_t name_length;
    uint64_t length;
    if (!take(r, &name_length, sizeof name_length)) return false;
    *end = name_length == END;
    if (*end) return true;
    if (name_length >= MOST_NAME || !take(r, &length, sizeof length)) return false;
    if (name_length > r->length - r->at || length > r->length - r->at - name_length) return false;
    *e = (struct mc_archive_entry){
        .name = (const char *)r->data + r->at,
        .name_length = name_length,
        .bytes = r->data + r->at + name_length,
        .length = (size_t)length,
    };
    r->at += name_length + (size_t)length;
    return true;
}

static int read_entries(struct mc_archive *a, size_t max_entries, struct mc_error *err)
{
    struct reader r = {.data = a->view.data, .length = a->view.length};
    char found[sizeof magic];
    uint32_t crc;
    size_t capacity = 0;
    bool end = false;
    if (!take(&r, found, sizeof found) || memcmp(found, magic, sizeof magic) != 0)
        return mc_error_set(err, MC_ERR_INPUT, "needs a file that this program wrote, has something else");
    while (!end) {
        struct mc_archive_entry e;
        if (!read_entry(&r, &e, &end)) return mc_error_set(err, MC_ERR_INPUT, "it is cut off or damaged");
        if (end) break;
        if (a->n == max_entries) return mc_error_set(err, MC_ERR_INPUT, "has more than %zu entries", max_entries);
        if (!mc_grow((void **)&a->entries, a->n, &capacity, sizeof *a->entries)) return mc_error_memory(err);
        a->entries[a->n++] = e;
    }
    const uint32_t wanted = checksum(0, r.data, r.at);
    if (!take(&r, &crc, sizeof crc) || r.at != r.length || crc != wanted)
        return mc_error_set(err, MC_ERR_INPUT, "it is damaged: its checksum does not match");
    return MC_OK;
}

int mc_archive_open(struct mc_archive *archive, const char *path, size_t max_bytes, size_t max_entries,
                    struct mc_error *err)
{
    *archive = (struct mc_archive){0};
    int rc = mc_file_open(&archive->view, path, max_bytes, err);
    if (rc < 0) return rc;
    rc = read_entries(archive, max_entries, err);
    if (rc == MC_OK) return MC_OK;
    mc_archive_close(archive);
    return mc_error_wrap(err, rc, "'%s'", path);
}

void mc_archive_close(struct mc_archive *archive)
{
    mc_free(archive->entries);
    mc_file_close(&archive->view);
    *archive = (struct mc_archive){0};
}

const struct mc_archive_entry *mc_archive_find(const struct mc_archive *archive, const char *name)
{
    const size_t length = strlen(name);
    for (size_t i = 0; i < archive->n; i++)
        if (archive->entries[i].name_length == length && memcmp(archive->entries[i].name, name, length) == 0)
            return &archive->entries[i];
    return NULL;
}

int mc_archive_get(const struct mc_archive *archive, const char *name, void *into, size_t length, struct mc_error *err)
{
    const struct mc_archive_entry *e = mc_archive_find(archive, name);
    if (!e) return mc_error_set(err, MC_ERR_INPUT, "has no '%s'", name);
    if (e->length != length)
        return mc_error_set(err, MC_ERR_INPUT, "'%s': needs %zu bytes, has %zu", name, length, e->length);
    if (length > 0) memcpy(into, e->bytes, length);
    return MC_OK;
}
