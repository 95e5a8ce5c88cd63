/* file.h - whole files in, whole files out.
 *
 * Output goes to a temporary file beside the target and is renamed over it by commit, after a
 * successful fsync and close: a reader sees the old file or the new one, and a failure leaves no trace. A target that
 * is a pipe or a device is written to in place.
 */
#ifndef MC_BASE_FILE_H
#define MC_BASE_FILE_H

#include "compress/compress.h"

/* Contents of a file: mapped where that is possible, read otherwise. Read-only. */
struct mc_file_view {
    const unsigned char *data; /* of an empty file, too */
    size_t length;
    int mapped;
};

/* Errors: MC_ERR_INPUT if it is not there, not a regular file or pipe, or longer than `max_bytes`. */
int mc_file_open(struct mc_file_view *view, const char *path, size_t max_bytes, struct mc_error *err);
/* Of what is open; `path` stands in messages. The caller closes the descriptor. */
int mc_file_view(struct mc_file_view *view, int fd, const char *path, size_t max_bytes, struct mc_error *err);
void mc_file_close(struct mc_file_view *view);
/* Give the memory of a mapped file back; what is looked at again is read again. Of one that was read: nothing. */
void mc_file_forget(const struct mc_file_view *view);

struct mc_file_out {
    FILE *stream;
    char *path;
    char *temporary;
};

/* Start writing `path`. MC_ERR_USAGE if it exists and `overwrite` is false. Temporaries of it that a killed process
 * left are taken away. */
int mc_file_create(struct mc_file_out *out, const char *path, bool overwrite, struct mc_error *err);
int mc_file_write(struct mc_file_out *out, const void *bytes, size_t length, struct mc_error *err);
/* The same for much: what begins at a page of memory (mc_alloc_pages) and of the file goes to the disk at once where
 * the file system lets it, past the page cache, and leaves that to what is read. */
int mc_file_write_pages(struct mc_file_out *out, const void *bytes, size_t length, struct mc_error *err);
/* What was written so far can be read from the temporary; it is on its way to the disk. */
int mc_file_flush(struct mc_file_out *out, struct mc_error *err);
/* Start writing a file that has no name; mc_file_abort ends it. */
int mc_file_scratch(struct mc_file_out *out, struct mc_error *err);
/* What was written into one so far, mapped; the caller closes the view. */
int mc_file_view_scratch(struct mc_file_view *view, struct mc_file_out *out, struct mc_error *err);
/* Everything that can fail for want of room: flush and sync, but no rename yet. Several files are settled before the
 * first is committed, so that all appear or none. The caller aborts after a failure. */
int mc_file_settle(struct mc_file_out *out, struct mc_error *err);
/* Flush, check, rename. On failure the temporary is removed, as by mc_file_abort. */
int mc_file_commit(struct mc_file_out *out, struct mc_error *err);
/* Remove the temporary; harmless after commit or on a zeroed struct. */
void mc_file_abort(struct mc_file_out *out);

/* Whole small file in one go, with the same guarantees. */
int mc_file_save(const char *path, const void *bytes, size_t length, bool overwrite, struct mc_error *err);

/* Size on disk, or -1. */
int64_t mc_file_size(const char *path);

/* "dir/name" in fresh memory, or a copy of `name` if it is absolute or `dir` is "" or NULL. NULL: no memory. */
char *mc_path_join(const char *dir, const char *name);
/* The folder part of a path ("." if none), in fresh memory. */
char *mc_path_dir(const char *path);
/* What is behind its last slash, lent: reports are read elsewhere. */
const char *mc_path_name(const char *path);

#endif
