/* outputs.c - the files of a run: all of them appear, or none; see outputs.h. */
#include "recipe/outputs.h"

#include <assert.h>
#include <errno.h>
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

int mc_outputs_allow(const struct mc_outputs *outputs, const char *path, struct mc_error *err)
{
    if (outputs->overwrite) return MC_OK;
    char *full = mc_outputs_path(outputs, path);
    if (!full) return mc_error_memory(err);
    struct stat info;
    int rc = MC_OK;
    if (stat(full, &info) == 0 && S_ISREG(info.st_mode)) {
        rc = mc_error_set(err, MC_ERR_USAGE, "'%s' exists", full);
        mc_error_hint(err, "-f overwrites");
    }
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
    return errno == EEXIST ? MC_OK : mc_error_errno(err, errno, "create", outputs->dir);
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
        const int rc = mc_file_commit(&outputs->files[i], err);
        if (rc < 0) return rc;
        outputs->made_dir = false;
    }
    outputs->n = 0;
    return MC_OK;
}
