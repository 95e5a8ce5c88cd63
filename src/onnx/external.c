/* external.c - tensor contents in files beside the model; see external.h.
 *
 * Source: onnx.proto (TensorProto.external_data) and ONNX's docs/ExternalData.md.
 */
#include "onnx/external.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"

/* Parts at least this large are mapped. */
#define MAP_BYTES ((size_t)1 << 20)

/* Ceiling for what is read rather than mapped: many tensors may name the same bytes, so that the size of the file is
 * no limit. */
#define MAX_COPIED_BYTES ((size_t)8 << 30)

/* What the key-value pairs of a tensor say. */
struct entry {
    const char *location;
    const char *offset, *length; /* NULL: not given */
};

static int read_entry(struct entry *entry, const Onnx__TensorProto *proto, struct mc_error *err)
{
    *entry = (struct entry){0};
    for (size_t i = 0; i < proto->n_external_data; i++) {
        const char *key = proto->external_data[i]->key, *value = proto->external_data[i]->value;
        if (!key) continue;
        const char **field = strcmp(key, "location") == 0 ? &entry->location
                             : strcmp(key, "offset") == 0 ? &entry->offset
                             : strcmp(key, "length") == 0 ? &entry->length
                                                          : NULL;
        if (!field) continue; /* a checksum, or whatever the future brings */
        if (*field) return mc_error_set(err, MC_ERR_INPUT, "external data give '%s' twice", key);
        *field = value ? value : "";
    }
    if (!entry->location) return mc_error_set(err, MC_ERR_INPUT, "external data name no location");
    return MC_OK;
}

/* Digits only: strtoull would take signs, blanks and overflows. */
static int read_number(const char *text, const char *key, uint64_t *number, struct mc_error *err)
{
    uint64_t n = 0;
    bool good = *text != '\0';
    for (const char *c = text; good && *c; c++) {
        const uint64_t digit = (uint64_t)(*c - '0');
        good = *c >= '0' && *c <= '9' && n <= (INT64_MAX - digit) / 10;
        n = n * 10 + digit;
    }
    if (!good) return mc_error_set(err, MC_ERR_INPUT, "%s of external data is '%s', not a number of bytes", key, text);
    *number = n;
    return MC_OK;
}

static bool has_parent_step(const char *location)
{
    for (const char *part = location; *part; part += *part == '/') {
        const size_t length = strcspn(part, "/");
        if (length == 2 && part[0] == '.' && part[1] == '.') return true;
        part += length;
    }
    return false;
}

int mc_external_keep(struct mc_external *kept, const struct mc_external *external, struct mc_error *err)
{
    *kept = (struct mc_external){.dir = external->dir ? mc_strdup(external->dir) : NULL};
    struct mc_external_file *files =
        external->n_files > 0 ? MC_NEW_ARRAY(struct mc_external_file, external->n_files) : NULL;
    kept->files = files;
    if ((external->dir && !kept->dir) || (external->n_files > 0 && !files)) return mc_error_memory(err);
    for (size_t i = 0; i < external->n_files; i++) {
        files[i] = (struct mc_external_file){mc_strdup(external->files[i].location), dup(external->files[i].fd)};
        kept->n_files++;
        if (!files[i].location) return mc_error_memory(err);
        if (files[i].fd < 0) return mc_error_reading(err, errno, "keep open", files[i].location);
    }
    return MC_OK;
}

void mc_external_drop(struct mc_external *kept)
{
    for (size_t i = 0; i < kept->n_files; i++) {
        mc_free((char *)(uintptr_t)kept->files[i].location);
        if (kept->files[i].fd >= 0) close(kept->files[i].fd);
    }
    mc_free((void *)(uintptr_t)kept->files);
    mc_free((char *)(uintptr_t)kept->dir);
    *kept = (struct mc_external){0};
}

bool mc_external_is_inside(const char *location)
{
    return *location && location[0] != '/' && !has_parent_step(location);
}

/* The file that a location names, links resolved, in malloc'd memory; NULL with the error set. */
static char *resolve(const char *dir, const char *location, int *rc, struct mc_error *err)
{
    char *joined = NULL, *file = NULL, *folder = NULL;
    if (!mc_external_is_inside(location)) {
        *rc = mc_error_set(err, MC_ERR_INPUT, "external data '%s' lie outside the model's folder", location);
        return NULL;
    }
    joined = mc_path_join(dir, location);
    file = joined ? realpath(joined, NULL) : NULL;
    folder = file ? realpath(dir, NULL) : NULL;
    const size_t n = folder ? strlen(folder) : 0;
    *rc = MC_OK;
    if (!joined) {
        *rc = mc_error_memory(err);
    } else if (!folder) {
        *rc = mc_error_reading(err, errno, "find external data", joined);
    } else if (n > 1 && (strncmp(file, folder, n) != 0 || file[n] != '/')) { /* n == 1: the folder is "/" */
        *rc = mc_error_set(err, MC_ERR_INPUT, "external data '%s' lie outside the model's folder", location);
        mc_error_hint(err, "it is a link to '%s'; copy the file into the folder", file);
    }
    if (*rc < 0) {
        free(file);
        file = NULL;
    }
    free(folder);
    mc_free(joined);
    return file;
}

struct mapping {
    void *start;
    size_t length;
};

static void unmap(void *context)
{
    struct mapping *mapping = context;
    munmap(mapping->start, mapping->length);
    mc_free(mapping);
}

static int map_part(struct mc_tensor **tensor, int fd, uint64_t offset, size_t bytes, enum mc_dtype dtype,
                    const struct mc_shape *shape, struct mc_error *err)
{
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), skip = offset % page;
    struct mapping *mapping = MC_NEW(struct mapping);
    if (!mapping) return mc_error_memory(err);
    mapping->length = bytes + (size_t)skip;
    mapping->start = mmap(NULL, mapping->length, PROT_READ, MAP_PRIVATE, fd, (off_t)(offset - skip));
    if (mapping->start == MAP_FAILED) {
        mc_free(mapping);
        return mc_error_memory(err);
    }
    const int rc = mc_tensor_wrap(tensor, dtype, shape, (char *)mapping->start + skip, unmap, mapping, err);
    if (rc < 0)
        unmap(mapping);
    else
        (*tensor)->mapped = true;
    return rc;
}

static int read_part(struct mc_tensor **tensor, int fd, uint64_t offset, size_t bytes, enum mc_dtype dtype,
                     const struct mc_shape *shape, struct mc_error *err)
{
    char *data = mc_alloc_aligned(bytes, 1);
    if (!data) return mc_error_memory(err);
    int rc = MC_OK;
    for (size_t done = 0; done < bytes && rc == MC_OK;) {
        const ssize_t got = pread(fd, data + done, bytes - done, (off_t)(offset + done));
        if (got > 0)
            done += (size_t)got;
        else if (got == 0)
            rc = mc_error_set(err, MC_ERR_INPUT, "external data end after %zu of %zu bytes", done, bytes);
        else if (errno != EINTR)
            rc = mc_error_reading(err, errno, "read", "external data");
    }
    if (rc == MC_OK) rc = mc_tensor_wrap(tensor, dtype, shape, data, mc_free, data, err);
    if (rc < 0) mc_free(data);
    return rc;
}

/* Where in the file the tensor's bytes begin; the file is long enough for all of them. */
static int locate(const struct entry *entry, uint64_t file_bytes, size_t bytes, uint64_t *offset, struct mc_error *err)
{
    uint64_t length = bytes;
    *offset = 0;
    int rc = MC_OK;
    if (entry->offset) rc = read_number(entry->offset, "offset", offset, err);
    if (rc == MC_OK && entry->length) rc = read_number(entry->length, "length", &length, err);
    if (rc < 0) return rc;
    if (length != bytes)
        return mc_error_set(err, MC_ERR_INPUT, "external data have %llu bytes, the shape needs %zu",
                            (unsigned long long)length, bytes);
    if (*offset > file_bytes || bytes > file_bytes - *offset)
        return mc_error_set(err, MC_ERR_INPUT, "external data should be %zu bytes at %llu of '%s', which has %llu",
                            bytes, (unsigned long long)*offset, entry->location, (unsigned long long)file_bytes);
    return MC_OK;
}

/* How long the open file is, which is closed if it is none. */
static int measure(int fd, const char *location, uint64_t *file_bytes, struct mc_error *err)
{
    struct stat info;
    int rc = MC_OK;
    if (fd < 0 || fstat(fd, &info) != 0)
        rc = mc_error_reading(err, errno, "open", location);
    else if (!S_ISREG(info.st_mode))
        rc = mc_error_set(err, MC_ERR_INPUT, "external data '%s' are not a file", location);
    else
        *file_bytes = (uint64_t)info.st_size;
    if (rc < 0 && fd >= 0) close(fd);
    return rc;
}

int mc_external_open(const char *dir, const char *location, int *fd, uint64_t *file_bytes, struct mc_error *err)
{
    int rc;
    char *path = resolve(dir, location, &rc, err);
    if (!path) return rc;
    /* Not blocking: a pipe of that name would wait for its writer. */
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    rc = measure(*fd, location, file_bytes, err);
    free(path);
    return rc;
}

static int open_location(const struct mc_external *external, const char *location, int *fd, uint64_t *file_bytes,
                         struct mc_error *err)
{
    for (size_t i = 0; i < external->n_files; i++) {
        if (strcmp(external->files[i].location, location) != 0) continue;
        *fd = dup(external->files[i].fd);
        return measure(*fd, location, file_bytes, err);
    }
    if (external->dir) return mc_external_open(external->dir, location, fd, file_bytes, err);
    return mc_error_set(err, MC_ERR_INPUT, "external data are not allowed here");
}

int mc_external_load(struct mc_tensor **tensor, struct mc_external *external, const Onnx__TensorProto *proto,
                     enum mc_dtype dtype, const struct mc_shape *shape, struct mc_error *err)
{
    struct entry entry;
    size_t bytes;
    int fd = -1;
    uint64_t file_bytes = 0, offset;
    int rc = read_entry(&entry, proto, err);
    if (rc < 0) return rc;
    if (!mc_dtype_size(dtype, mc_shape_count(shape), &bytes))
        return mc_error_set(err, MC_ERR_INPUT, "the shape has too many elements");
    rc = open_location(external, entry.location, &fd, &file_bytes, err);
    if (rc < 0) return rc;

    rc = locate(&entry, file_bytes, bytes, &offset, err);
    if (rc < 0) goto done;
    const size_t alignment = (size_t)mc_dtype_bits(dtype) / 8;
    if (bytes >= MAP_BYTES && (alignment == 0 || offset % alignment == 0)) {
        rc = map_part(tensor, fd, offset, bytes, dtype, shape, err);
    } else if (bytes > MAX_COPIED_BYTES - external->copied_bytes) {
        rc = mc_error_set(err, MC_ERR_INPUT, "external data of all tensors take more than %zu bytes", MAX_COPIED_BYTES);
    } else {
        external->copied_bytes += bytes;
        rc = read_part(tensor, fd, offset, bytes, dtype, shape, err);
    }
done:
    close(fd);
    return rc;
}
