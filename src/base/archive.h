/* archive.h - named runs of bytes in one file with a checksum: checkpoints of training, caches.
 *
 * "MCARCHV1"; then for each entry the length of its name (uint16), the length of its contents (uint64), name and
 * contents; then a name length of 0xffff, and the CRC-32 (as zlib has it) of all bytes before it (uint32). Numbers and
 * contents are in the byte order of the machine, which the magic number does not hide: a file from another order has a
 * checksum that does not match.
 */
#ifndef MC_BASE_ARCHIVE_H
#define MC_BASE_ARCHIVE_H

#include "base/file.h"

struct mc_archive_out {
    struct mc_file_out file;
    uint32_t crc;
    int status; /* of the first failure; what follows it does nothing */
};

/* Begin a file in the place of `path`, which keeps what it has until the commit. */
void mc_archive_create(struct mc_archive_out *out, const char *path, struct mc_error *err);
/* One more entry. The name is what `fmt` gives, less than 1024 bytes. */
void mc_archive_put(struct mc_archive_out *out, const void *bytes, size_t length, struct mc_error *err, const char *fmt,
                    ...) MC_PRINTF(5, 6);
/* End it and put it in its place; the status of the whole. After a failure nothing has changed. */
int mc_archive_commit(struct mc_archive_out *out, struct mc_error *err);

struct mc_archive_entry {
    const char *name; /* not ended by 0 */
    size_t name_length, length;
    const unsigned char *bytes; /* may lie at any address */
};

struct mc_archive {
    struct mc_file_view view;
    size_t n;
    struct mc_archive_entry *entries; /* point into the view */
};

/* MC_ERR_INPUT, naming the file, for one that is absent, cut off, changed, or has more than `max_entries` entries. */
int mc_archive_open(struct mc_archive *archive, const char *path, size_t max_bytes, size_t max_entries,
                    struct mc_error *err);
void mc_archive_close(struct mc_archive *archive);

/* NULL: there is none of that name. */
const struct mc_archive_entry *mc_archive_find(const struct mc_archive *archive, const char *name);
/* Copy an entry of exactly `length` bytes; MC_ERR_INPUT if it is absent or of another length. */
int mc_archive_get(const struct mc_archive *archive, const char *name, void *into, size_t length, struct mc_error *err);

#endif
