/* outputs.h - the files of a run: all of them appear, or none. */
#ifndef MC_RECIPE_OUTPUTS_H
#define MC_RECIPE_OUTPUTS_H

#include "base/file.h"

enum { MC_MOST_OUTPUTS = 32 };

struct mc_outputs {
    char *dir; /* where relative paths lead; NULL: the working directory */
    bool overwrite;
    bool made_dir; /* it was not there */
    int n;
    struct mc_file_out files[MC_MOST_OUTPUTS];
};

/* `dir` NULL: the working directory. */
int mc_outputs_init(struct mc_outputs *outputs, const char *dir, bool overwrite, struct mc_error *err);
/* What was not committed leaves no trace. */
void mc_outputs_finish(struct mc_outputs *outputs);

/* May this file be written? MC_ERR_USAGE if it exists and is to be kept: asked before hours of work. */
int mc_outputs_allow(const struct mc_outputs *outputs, const char *path, struct mc_error *err);
/* Where it goes, in fresh memory; NULL without memory. */
char *mc_outputs_path(const struct mc_outputs *outputs, const char *path);
/* Make the folder, for what is written there before the end; it stays. */
int mc_outputs_make_dir(struct mc_outputs *outputs, struct mc_error *err);
/* Begin a file beside its place, for the caller to write and settle. Lent. */
int mc_outputs_begin(struct mc_outputs *outputs, const char *path, struct mc_file_out **file, struct mc_error *err);
/* Write it beside its place, down to the disk. */
int mc_outputs_add(struct mc_outputs *outputs, const char *path, const void *bytes, size_t length,
                   struct mc_error *err);
/* Put all in their places. */
int mc_outputs_commit(struct mc_outputs *outputs, struct mc_error *err);

#endif
