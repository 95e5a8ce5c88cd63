/* outputs.h - the files of a run: all of them appear, or none. */
#ifndef MC_RECIPE_OUTPUTS_H
#define MC_RECIPE_OUTPUTS_H

#include "base/file.h"

/* Each step may explain itself and save the model; the rest is the result in its forms, and reports. */
enum { MC_MOST_STEPS = 32, MC_MOST_OUTPUTS = 2 * MC_MOST_STEPS + 8 };

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

/* Can this file be written? Asked before hours of work. MC_ERR_USAGE if it exists and is to be kept, MC_ERR_SYSTEM if
 * there is no folder for it that may be written to. */
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
