/* stages.h - the run directory: what a recipe that is broken off goes on from.
 *
 * DIR/run has
 *   log              a line for whatever was begun and ended, with its time; locked by the run that writes it
 *   KEY.step         an archive (base/archive.h) of a stage that is over: `model` (its ONNX file), `section` (its part
 * of the record), `explanation` where the step was asked for one KEY.training     the state of the training in a step
 * that is not over (train/checkpoint.h) record.json      the record of the run that ended last KEY, 16 hexadecimal
 * digits, stands for all that a stage depends on: the version of this program, instruction set, threads, seed, the
 * model's bytes, the data as far as it was looked at (name with options, numbers of samples, 256 of each role as they
 * reach the model), and the options of its step and of those before it with the models they name. So what is found
 * under a key is what would be made, whoever made it.
 */
#ifndef MC_RECIPE_STAGES_H
#define MC_RECIPE_STAGES_H

#include "recipe/outputs.h"
#include "report/record.h"

struct mc_run;

struct mc_stages {
    char *dir; /* NULL: nothing is kept */
    bool resume;
    int log_fd;
    uint64_t key[MC_MOST_STEPS + 1]; /* of the model before the first step, and after each */
    int n_known;                     /* stages that are there, from the first on; found by mc_stages_find */
};

/* Make DIR/run and lock it. MC_ERR_USAGE if another run works there, or if it has something to go on from and neither
 * `resume` nor `overwrite` is said; without `resume` what it has goes. `stages` is finished by the caller in any case.
 */
int mc_stages_open(struct mc_stages *stages, const char *out_dir, bool resume, bool overwrite, struct mc_error *err);
void mc_stages_finish(struct mc_stages *stages);

/* Settle the keys of a run that is prepared, and which stages are there. */
int mc_stages_find(struct mc_stages *stages, const struct mc_run *run, struct mc_error *err);

/* A stage that is there: its section under `key` of `into`, or appended where `key` is NULL, what it explained
 * (*explanation, fresh; may be NULL), and its model in fresh memory (may be NULL). */
int mc_stages_load(const struct mc_stages *stages, int stage, struct mc_record *into, const char *key,
                   struct mc_record **explanation, unsigned char **model, size_t *length, struct mc_error *err);
/* Keep a stage. A model over 2 GiB is not kept, and not missed. */
int mc_stages_save(const struct mc_stages *stages, int stage, const struct mc_model *model,
                   const struct mc_record *section, const struct mc_record *explanation, struct mc_error *err);

/* Where training that leads to a stage keeps its state, in fresh memory; NULL: no memory. */
char *mc_stages_training(const struct mc_stages *stages, int stage);

/* The run is over: its record, and away with what is not of its stages, or, unless `keep`, with those too. */
int mc_stages_end(const struct mc_stages *stages, const struct mc_record *record, int n_steps, bool keep,
                  struct mc_error *err);

/* A line for the log of the directory, if there is one, and for the caller's. Failures are not told: the work counts.
 */
void mc_stages_log(const struct mc_stages *stages, const struct mc_context *context, const char *fmt, ...)
    MC_PRINTF(3, 4);

#endif
