/* file.c - reading whole files and replacing whole files; see file.h. */
#define _GNU_SOURCE /* sync_file_range */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"

/* Where the contents of an empty file begin. */
static const unsigned char nothing[1];

/* Pipes and devices have no size: read to the end or to the ceiling. */
static int read_stream(struct mc_file_view *view, int fd, const char *path, size_t max_bytes, struct mc_error *err)
{
    struct mc_buf buf;
    mc_buf_init(&buf, max_bytes);
    char chunk[65536];
    ssize_t got;
    while ((got = read(fd, chunk, sizeof chunk)) != 0) {
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) {
            mc_buf_finish(&buf);
            return mc_error_reading(err, errno, "read", path);
        }
        mc_buf_append(&buf, chunk, (size_t)got);
        if (buf.failed) {
            mc_buf_finish(&buf);
            return mc_error_set(err, MC_ERR_INPUT, "'%s' is longer than %zu bytes", path, max_bytes);
        }
    }
    *view = (struct mc_file_view){buf.data ? (const unsigned char *)buf.data : nothing, buf.length, 0};
    return MC_OK;
}

int mc_file_view(struct mc_file_view *view, int fd, const char *path, size_t max_bytes, struct mc_error *err)
{
    *view = (struct mc_file_view){0};
    struct stat info;
    if (fstat(fd, &info) != 0) return mc_error_reading(err, errno, "inspect", path);
    if (S_ISDIR(info.st_mode)) return mc_error_set(err, MC_ERR_INPUT, "'%s' is a directory, a file is needed", path);
    if (!S_ISREG(info.st_mode)) return read_stream(view, fd, path, max_bytes, err);
    if (info.st_size < 0 || (uintmax_t)info.st_size > max_bytes)
        return mc_error_set(err, MC_ERR_INPUT, "'%s' has %jd bytes, at most %zu are read", path, (intmax_t)info.st_size,
                            max_bytes);
    if (info.st_size == 0) {
        *view = (struct mc_file_view){nothing, 0, 0};
        return MC_OK;
    }
    void *map = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED) return read_stream(view, fd, path, max_bytes, err);
    *view = (struct mc_file_view){map, (size_t)info.st_size, 1};
    return MC_OK;
}

int mc_file_open(struct mc_file_view *view, const char *path, size_t max_bytes, struct mc_error *err)
{
    *view = (struct mc_file_view){0};
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return mc_error_reading(err, errno, "open", path);
    const int rc = mc_file_view(view, fd, path, max_bytes, err);
    close(fd);
    return rc;
}

void mc_file_close(struct mc_file_view *view)
{
    if (view->mapped)
        munmap((void *)(uintptr_t)view->data, view->length);
    else if (view->data != nothing)
        mc_free((void *)(uintptr_t)view->data);
    *view = (struct mc_file_view){0};
}

void mc_file_forget(const struct mc_file_view *view)
{
    if (view->mapped) madvise((void *)(uintptr_t)view->data, view->length, MADV_DONTNEED); /* advice: may fail */
}

int mc_file_scratch(struct mc_file_out *out, struct mc_error *err)
{
    *out = (struct mc_file_out){.stream = tmpfile()};
    return out->stream ? MC_OK : mc_error_writing(err, errno, "create", "a temporary file");
}

int mc_file_view_scratch(struct mc_file_view *view, struct mc_file_out *out, struct mc_error *err)
{
    *view = (struct mc_file_view){0};
    if (fflush(out->stream) != 0) return mc_error_writing(err, errno, "write", "a temporary file");
    return mc_file_view(view, fileno(out->stream), "a temporary file", SIZE_MAX, err);
}

#define SUFFIX ".01234567.tmp"

/* Is `name` a temporary of `of`? */
static bool is_temporary(const char *name, const char *of)
{
    const size_t length = strlen(of);
    return strlen(name) == length + sizeof SUFFIX - 1 && strncmp(name, of, length) == 0 && name[length] == '.' &&
           strspn(name + length + 1, "0123456789abcdef") == 8 && strcmp(name + length + 9, ".tmp") == 0;
}

/* Take away what writers of `path` have left that were killed. A writer that lives holds a lock. `room`: for as
 * much as the path and a dot. */
static void sweep(const char *path, char *room)
{
    const char *slash = strrchr(path, '/');
    const size_t length = slash ? (size_t)(slash + 1 - path) : 0;
    memcpy(room, path, length);
    memcpy(room + length, ".", 2);
    DIR *dir = opendir(room);
    for (const struct dirent *entry; dir && (entry = readdir(dir));) {
        if (!is_temporary(entry->d_name, slash ? slash + 1 : path)) continue;
        const int fd = openat(dirfd(dir), entry->d_name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) unlinkat(dirfd(dir), entry->d_name, 0);
        if (fd >= 0) close(fd);
    }
    if (dir) closedir(dir);
}

/* A new file, locked; EAGAIN: somebody swept it away before it was, or holds it to do so. */
static int open_locked(const char *name)
{
    const int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    struct stat info;
    if (fd < 0) return fd;
    const bool held = flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK; /* without locks nobody sweeps */
    if (!held && (fstat(fd, &info) != 0 || info.st_nlink > 0)) return fd;
    close(fd);
    errno = EAGAIN;
    return -1;
}

/* A new file beside `path`, named by clock and process so that concurrent writers do not meet. Not mkstemp: its
 * files are private, and undoing that needs the process-wide umask. */
static int open_temporary(char *name, size_t size, const char *path)
{
    sweep(path, name);
    for (int attempt = 0; attempt < 100; attempt++) {
        snprintf(name, size, "%s.%08x.tmp", path, (unsigned)mc_clock_ns() ^ (unsigned)getpid() << 12);
        const int fd = open_locked(name);
        if (fd >= 0 || (errno != EEXIST && errno != EAGAIN)) return fd;
    }
    return -1;
}

/* Pipes and devices are written to as they are: a file put in the place of /dev/null would serve nobody. */
static int open_in_place(struct mc_file_out *out, const char *path, struct mc_error *err)
{
    out->path = mc_strdup(path);
    if (!out->path) return mc_error_memory(err);
    const int fd = open(path, O_WRONLY | O_CLOEXEC);
    const int saved = errno;
    out->stream = fd < 0 ? NULL : fdopen(fd, "wb");
    if (out->stream) return MC_OK;
    if (fd >= 0) close(fd);
    mc_file_abort(out);
    return fd < 0 ? mc_error_writing(err, saved, "write", path) : mc_error_memory(err);
}

int mc_file_create(struct mc_file_out *out, const char *path, bool overwrite, struct mc_error *err)
{
    *out = (struct mc_file_out){0};
    struct stat info;
    const bool exists = stat(path, &info) == 0;
    if (exists && !S_ISREG(info.st_mode)) return open_in_place(out, path, err);
    if (exists && !overwrite) {
        mc_error_set(err, MC_ERR_USAGE, "'%s' exists", path);
        mc_error_hint(err, "-f overwrites");
        return MC_ERR_USAGE;
    }
    const size_t size = strlen(path) + sizeof SUFFIX;
    out->path = mc_strdup(path);
    out->temporary = mc_alloc(size, 1);
    if (!out->path || !out->temporary) {
        mc_free(out->temporary); /* no file of that name yet: nothing for abort to unlink */
        out->temporary = NULL;
        mc_file_abort(out);
        return mc_error_memory(err);
    }
    const int fd = open_temporary(out->temporary, size, path);
    if (fd < 0) {
        const int saved = errno;
        mc_free(out->temporary);
        out->temporary = NULL;
        mc_file_abort(out);
        return mc_error_writing(err, saved, "create", path);
    }
    out->stream = fdopen(fd, "wb");
    if (!out->stream) {
        close(fd);
        mc_file_abort(out);
        return mc_error_memory(err);
    }
    return MC_OK;
}

int mc_file_write(struct mc_file_out *out, const void *bytes, size_t length, struct mc_error *err)
{
    if (length == 0 || fwrite(bytes, 1, length, out->stream) == length) return MC_OK;
    return mc_error_writing(err, errno, "write", out->path);
}

/* As many of `length` bytes, whole pages, as the disk took at once. */
static size_t write_at_once(int fd, const char *bytes, size_t length)
{
    size_t done = 0;
#ifdef O_DIRECT
    const int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_DIRECT) != 0) return 0;
    while (done < length) {
        const ssize_t wrote = write(fd, bytes + done, length - done);
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote <= 0) break; /* what is wrong is said by who writes the rest */
        done += (size_t)wrote;
    }
    fcntl(fd, F_SETFL, flags);
#endif
    return done;
}

int mc_file_write_pages(struct mc_file_out *out, const void *bytes, size_t length, struct mc_error *err)
{
    const size_t pages = length / MC_PAGE * MC_PAGE;
    size_t done = 0;
    if (out->temporary && pages > 0 && (uintptr_t)bytes % MC_PAGE == 0 && fflush(out->stream) == 0) {
        const off_t at = ftello(out->stream);
        if (at >= 0 && at % MC_PAGE == 0) done = write_at_once(fileno(out->stream), bytes, pages);
        if (done > 0 && fseeko(out->stream, at + (off_t)done, SEEK_SET) != 0)
            return mc_error_writing(err, errno, "write", out->path);
    }
    return mc_file_write(out, (const char *)bytes + done, length - done, err);
}

int mc_file_flush(struct mc_file_out *out, struct mc_error *err)
{
    if (fflush(out->stream) != 0) return mc_error_writing(err, errno, "write", out->path);
#ifdef SYNC_FILE_RANGE_WRITE
    /* Whoever settles waits for the disk; what is done until then is not waited for. */
    if (out->temporary) sync_file_range(fileno(out->stream), 0, 0, SYNC_FILE_RANGE_WRITE);
#endif
    return MC_OK;
}

int mc_file_settle(struct mc_file_out *out, struct mc_error *err)
{
    int saved = ferror(out->stream) ? EIO : 0;
    /* what has no temporary is a pipe or a device, which need not know fsync */
    if (fflush(out->stream) != 0 || (out->temporary && fsync(fileno(out->stream)) != 0)) saved = errno;
    return saved ? mc_error_writing(err, saved, "write", out->path) : MC_OK;
}

int mc_file_commit(struct mc_file_out *out, struct mc_error *err)
{
    int rc = mc_file_settle(out, err);
    /* while it is open, and so locked: whoever begins to write the same file sweeps away what is not */
    if (rc == MC_OK && out->temporary && rename(out->temporary, out->path) != 0)
        rc = mc_error_writing(err, errno, "write", out->path);
    if (rc == MC_OK) {
        mc_free(out->temporary); /* renamed: nothing left to unlink */
        out->temporary = NULL;
    }
    if (fclose(out->stream) != 0 && rc == MC_OK) rc = mc_error_writing(err, errno, "write", out->path);
    out->stream = NULL;
    mc_file_abort(out);
    return rc;
}

void mc_file_abort(struct mc_file_out *out)
{
    if (out->stream) fclose(out->stream);
    if (out->temporary) unlink(out->temporary);
    mc_free(out->temporary);
    mc_free(out->path);
    *out = (struct mc_file_out){0};
}

int mc_file_save(const char *path, const void *bytes, size_t length, bool overwrite, struct mc_error *err)
{
    struct mc_file_out out;
    int rc = mc_file_create(&out, path, overwrite, err);
    if (rc < 0) return rc;
    rc = mc_file_write(&out, bytes, length, err);
    if (rc < 0) {
        mc_file_abort(&out);
        return rc;
    }
    return mc_file_commit(&out, err);
}

int64_t mc_file_size(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 ? (int64_t)info.st_size : -1;
}

char *mc_path_join(const char *dir, const char *name)
{
    if (!dir || !*dir || name[0] == '/') return mc_strdup(name);
    const size_t a = strlen(dir), b = strlen(name);
    const bool slash = dir[a - 1] != '/';
    char *path = mc_alloc(a + slash + b + 1, 1);
    if (!path) return NULL;
    memcpy(path, dir, a);
    if (slash) path[a] = '/';
    memcpy(path + a + slash, name, b);
    return path;
}

char *mc_path_dir(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash) return mc_strdup(".");
    const size_t length = slash == path ? 1 : (size_t)(slash - path);
    char *dir = mc_alloc(length + 1, 1);
    if (dir) memcpy(dir, path, length);
    return dir;
}

const char *mc_path_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}
