/* outputs.c - the files of a run: all of them appear, or none; see outputs.h. */
#include "recipe/outputs.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"

int mc_outputs_init(struct mc_outputs *outputs, const char *dir, bool overwrite, struct mc_error *err)
{
    *outputs = (struct mc_outputs){.overwrite = overwrite};
    if (!dir) return MC_OK;
    outputs->dir = mc_strdup(dir);
    return outputs->dir ? MC_OK : mc_error_memory(err);
}

void mc_outputs_finish(struct mc_outputs *outputs)
{
    for (int i = 0; i < outputs->n; i++) mc_file_abort(&outputs->files[i]);
    if (outputs->made_dir) rmdir(outputs->dir); /* fails where something has come into it, as it should */
    mc_free(outputs->dir);
    *outputs = (struct mc_outputs){0};
}

char *mc_outputs_path(const struct mc_outputs *outputs, const char *path)
{
    return mc_path_join(outputs->dir, path);
}

/* Is there a folder that a file at `path` can be made in? That of --out may be made first. */
static int allow_folder(const struct mc_outputs *outputs, const char *path, struct mc_error *err)
{
    char *dir = mc_path_dir(path);
    if (!dir) return mc_error_memory(err);
    int problem = access(dir, W_OK | X_OK) == 0 ? 0 : errno;
    if (problem == ENOENT && outputs->dir && strcmp(dir, outputs->dir) == 0) {
        char *parent = mc_path_dir(dir);
        problem = !parent ? ENOMEM : access(parent, W_OK | X_OK) == 0 ? 0 : errno;
        mc_free(parent);
    }
    const int rc = problem ? mc_error_writing(err, problem, "create", path) : MC_OK;
    mc_free(dir);
    return rc;
}

static int allow(const struct mc_outputs *outputs, const char *path, struct mc_error *err)
{
    struct stat info;
    const bool there = stat(path, &info) == 0;
    if (there && S_ISDIR(info.st_mode)) return mc_error_writing(err, EISDIR, "write", path);
    if (there && !S_ISREG(info.st_mode)) return MC_OK; /* a pipe or a device: written in place */
    if (there && !outputs->overwrite) {
        mc_error_set(err, MC_ERR_USAGE, "'%s' exists", path);
        mc_error_hint(err, "-f overwrites");
        return MC_ERR_USAGE;
    }
    return allow_folder(outputs, path, err);
}

int mc_outputs_allow(const struct mc_outputs *outputs, const char *path, struct mc_error *err)
{
    char *full = mc_outputs_path(outputs, path);
    if (!full) return mc_error_memory(err);
    const int rc = allow(outputs, full, err);
    mc_free(full);
    return rc;
}

static int make_dir(struct mc_outputs *outputs, struct mc_error *err)
{
    if (!outputs->dir) return MC_OK;
    if (mkdir(outputs->dir, 0777) == 0) {
        outputs->made_dir = true;
        return MC_OK;
    }
    return errno == EEXIST ? MC_OK : mc_error_writing(err, errno, "create", outputs->dir);
}

int mc_outputs_make_dir(struct mc_outputs *outputs, struct mc_error *err)
{
    const int rc = make_dir(outputs, err);
    outputs->made_dir = false;
    return rc;
}

int mc_outputs_begin(struct mc_outputs *outputs, const char *path, struct mc_file_out **file, struct mc_error *err)
{
    assert(outputs->n < MC_MOST_OUTPUTS);
    int rc = make_dir(outputs, err);
    if (rc < 0) return rc;
    char *full = mc_outputs_path(outputs, path);
    if (!full) return mc_error_memory(err);
    *file = &outputs->files[outputs->n];
    rc = mc_file_create(*file, full, outputs->overwrite, err);
    mc_free(full);
    if (rc == MC_OK) outputs->n++;
    return rc;
}

int mc_outputs_add(struct mc_outputs *outputs, const char *path, const void *bytes, size_t length, struct mc_error *err)
{
    struct mc_file_out *file = NULL;
    int rc = mc_outputs_begin(outputs, path, &file, err);
    if (rc == MC_OK) rc = mc_file_write(file, bytes, length, err);
    return rc == MC_OK ? mc_file_settle(file, err) : rc;
}

int mc_outputs_commit(struct mc_outputs *outputs, struct mc_error *err)
{
    for (int i = 0; i < outputs->n; i++) {
        if (!outputs->files[i].path) continue; /* aborted since */
        const int rc = mc_file_commit(&outputs->files[i], err);
        if (rc < 0) return rc;
        outputs->made_dir = false;
    }
    outputs->n = 0;
    return MC_OK;
}
