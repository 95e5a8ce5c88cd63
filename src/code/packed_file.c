/* packed_file.c - models from files that may be packed; see packed_file.h. */
#include "code/packed_file.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/error.h"
#include "onnx/external.h"
#include "onnx/onnx.h"

/* Up to here the strong coder is a matter of seconds. */
#define BEST_MOST_BYTES ((size_t)16 << 20)

enum mc_code_level mc_packed_level(enum mc_pack_level level, size_t length)
{
    if (level == MC_PACK_AUTO) level = length <= BEST_MOST_BYTES ? MC_PACK_BEST : MC_PACK_FAST;
    return level == MC_PACK_BEST ? MC_CODE_BEST : MC_CODE_FAST;
}

/* --- to load --- */

/* A file beside the model, in one that has no name. */
struct beside {
    char *location;
    struct mc_file_out scratch;
};

struct loading {
    struct mc_buf model;
    struct beside *beside;
    size_t n, capacity;
};

static int take_to_load(void *context, const unsigned char *bytes, size_t length, struct mc_error *err)
{
    struct loading *l = context;
    if (l->n > 0) return mc_file_write(&l->beside[l->n - 1].scratch, bytes, length, err);
    mc_buf_append(&l->model, bytes, length);
    return l->model.failed ? mc_error_memory(err) : MC_OK;
}

static int begin_to_load(void *context, const char *name, struct mc_error *err)
{
    struct loading *l = context;
    if (!mc_grow((void **)&l->beside, l->n, &l->capacity, sizeof *l->beside)) return mc_error_memory(err);
    struct beside *b = &l->beside[l->n];
    *b = (struct beside){.location = mc_strdup(name)};
    if (!b->location) return mc_error_memory(err);
    l->n++;
    return mc_file_scratch(&b->scratch, err);
}

static void finish_loading(struct loading *l)
{
    for (size_t i = 0; i < l->n; i++) {
        mc_file_abort(&l->beside[i].scratch);
        mc_free(l->beside[i].location);
    }
    mc_free(l->beside);
    mc_buf_finish(&l->model);
}

/* What was unpacked. */
static int load_unpacked(struct mc_model **model, const struct loading *l, const char *dir, const char *path,
                         struct mc_error *err)
{
    struct mc_external_file *files = MC_NEW_ARRAY(struct mc_external_file, l->n);
    int rc = files ? MC_OK : mc_error_memory(err);
    for (size_t i = 0; i < l->n && rc == MC_OK; i++) {
        files[i] = (struct mc_external_file){l->beside[i].location, fileno(l->beside[i].scratch.stream)};
        rc = mc_file_flush(&l->beside[i].scratch, err);
    }
    const struct mc_file_view view = {.data = (unsigned char *)l->model.data, .length = l->model.length};
    const struct mc_external external = {.dir = dir, .files = files, .n_files = l->n};
    if (rc == MC_OK) rc = mc_onnx_load_with(model, &view, &external, path, err);
    mc_free(files);
    return rc;
}

static int load_packed(struct mc_model **model, const struct mc_file_view *packed, const char *dir, const char *path,
                       struct mc_error *err)
{
    struct loading l = {.n = 0};
    const struct mc_container_taker taker = {take_to_load, begin_to_load, &l};
    mc_buf_init(&l.model, MC_CONTAINER_MOST_BYTES);
    int rc = mc_container_unpack(packed, &taker, err);
    if (rc < 0)
        mc_error_wrap(err, rc, "cannot load '%s'", path);
    else
        rc = load_unpacked(model, &l, dir, path, err);
    finish_loading(&l);
    return rc;
}

int mc_packed_load(struct mc_model **model, const char *path, struct mc_error *err)
{
    struct mc_file_view view;
    /* a container may be longer than a model, but not one that comes through a pipe, for which there has to be memory
     */
    const bool is_long = mc_file_size(path) > (int64_t)MC_CONTAINER_MOST_BYTES;
    int rc = mc_file_open(&view, path, is_long ? SIZE_MAX : MC_CONTAINER_MOST_BYTES, err);
    if (rc < 0) return rc;
    const bool is_packed = mc_container_is(view.data, view.length);
    char *dir = mc_path_dir(path);
    if (!dir)
        rc = mc_error_memory(err);
    else if (is_packed)
        rc = load_packed(model, &view, dir, path, err);
    else if (view.length > MC_CONTAINER_MOST_BYTES)
        rc = mc_error_set(err, MC_ERR_INPUT, "'%s' has %zu bytes, at most %zu are read", path, view.length,
                          MC_CONTAINER_MOST_BYTES);
    else
        rc = mc_onnx_load_view(model, &view, dir, path, err);
    mc_free(dir);
    mc_file_close(&view);
    return rc;
}

/* --- to disk --- */

struct unpacking {
    const char *path;
    char *dir; /* of the model */
    bool overwrite;
    struct mc_file_out *files;
    size_t n, capacity, bytes;
};

static int take_to_disk(void *context, const unsigned char *bytes, size_t length, struct mc_error *err)
{
    struct unpacking *u = context;
    u->bytes += length;
    return mc_file_write(&u->files[u->n - 1], bytes, length, err);
}

static int begin_file(struct unpacking *u, const char *path, struct mc_error *err)
{
    if (!mc_grow((void **)&u->files, u->n, &u->capacity, sizeof *u->files)) return mc_error_memory(err);
    const int rc = mc_file_create(&u->files[u->n], path, u->overwrite, err);
    if (rc == MC_OK) u->n++;
    return rc;
}

/* Folders on the way to a file beside the model; no link leads out of them. */
static int make_folders(char *path, size_t from, struct mc_error *err)
{
    for (char *slash = strchr(path + from, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        struct stat info;
        const int made = mkdir(path, 0777) == 0 || errno == EEXIST ? lstat(path, &info) : -1;
        const int problem = made < 0 ? errno : S_ISDIR(info.st_mode) ? 0 : ENOTDIR;
        const int rc = problem ? mc_error_writing(err, problem, "create", path) : MC_OK;
        *slash = '/';
        if (rc < 0) return rc;
    }
    return MC_OK;
}

static int begin_to_disk(void *context, const char *name, struct mc_error *err)
{
    struct unpacking *u = context;
    const bool is_model = strcmp(name, mc_path_name(u->path)) == 0;
    if (is_model || !u->files[0].temporary) {
        mc_error_set(err, MC_ERR_USAGE,
                     is_model ? "'%s' is a file that belongs beside the model"
                              : "the model has data files, which have no place beside '%s'",
                     u->path);
        mc_error_hint(err, "give the model the name of another file");
        return MC_ERR_USAGE;
    }
    char *path = mc_path_join(u->dir, name);
    if (!path) return mc_error_memory(err);
    int rc = make_folders(path, strlen(path) - strlen(name), err);
    if (rc == MC_OK) rc = begin_file(u, path, err);
    mc_free(path);
    return rc;
}

/* All are on the disk before the first gets its name. */
static int commit(struct unpacking *u, struct mc_error *err)
{
    int rc = MC_OK;
    for (size_t i = 0; i < u->n && rc == MC_OK; i++) rc = mc_file_settle(&u->files[i], err);
    for (size_t i = u->n; i > 0 && rc == MC_OK; i--) rc = mc_file_commit(&u->files[i - 1], err); /* the model last */
    return rc;
}

int mc_packed_unpack(const struct mc_file_view *packed, const char *path, bool overwrite, size_t *n_files,
                     size_t *bytes, struct mc_error *err)
{
    struct unpacking u = {.path = path, .dir = mc_path_dir(path), .overwrite = overwrite};
    const struct mc_container_taker taker = {take_to_disk, begin_to_disk, &u};
    int rc = u.dir ? begin_file(&u, path, err) : mc_error_memory(err);
    if (rc == MC_OK) rc = mc_container_unpack(packed, &taker, err);
    if (rc == MC_OK) rc = commit(&u, err);
    for (size_t i = 0; i < u.n; i++) mc_file_abort(&u.files[i]);
    *n_files = u.n;
    *bytes = u.bytes;
    mc_free(u.files);
    mc_free(u.dir);
    return rc;
}
