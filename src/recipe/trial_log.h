/* trial_log.h - the file of results of many trials, to which a line is added as each comes.
 *
 *     # compress tune 2 9f86d081884c7d65
 *     round<TAB>trial<TAB>fold<TAB>value<TAB>loss<TAB>seconds<TAB>bytes
 *     0<TAB>0<TAB>0<TAB>0.93333333333333335<TAB>0.21<TAB>1.5<TAB>0
 *
 * or "compress sensitivity", where trials are families of groups and folds how many of a family are gone.
 *
 * The first line has a key of everything that the results depend on: a file of another search is not gone on with.
 * Several processes may add to one file; a line that was cut off by whatever killed its writer is taken away by whoever
 * opens the file to write. `value` is nan where the trial failed, `bytes` 0 where nobody asked for them.
 */
#ifndef MC_RECIPE_TRIAL_LOG_H
#define MC_RECIPE_TRIAL_LOG_H

#include "compress/compress.h"

enum { MC_TRIAL_LOG_MAX_BYTES = 64 << 20 };

struct mc_trial_result {
    int round, trial, fold;
    double value, loss, seconds, bytes;
};

struct mc_trial_log {
    const char *verb; /* whose results they are */
    int fd;
    char *path;
    uint64_t key;
    size_t n, capacity;
    struct mc_trial_result *results; /* in the order of the file, without repetitions */
};

/* Results from the bytes of a file. *whole: up to where they are whole lines. MC_ERR_INPUT, with the line, for what is
 * no such file; MC_ERR_USAGE for another search's. The log is finished by the caller in any case. */
int mc_trial_log_parse(struct mc_trial_log *log, const char *text, size_t length, size_t *whole, struct mc_error *err);

/* Open a file to add to, or make it. `verb`, which lasts as long as the log: "tune", say. `anew`: what is in it goes. */
int mc_trial_log_open(struct mc_trial_log *log, const char *verb, const char *path, uint64_t key, bool anew,
                      struct mc_error *err);
/* Read what others have added since. */
int mc_trial_log_read(struct mc_trial_log *log, struct mc_error *err);
int mc_trial_log_add(struct mc_trial_log *log, const struct mc_trial_result *result, struct mc_error *err);
/* NULL: there is none yet. */
const struct mc_trial_result *mc_trial_log_find(const struct mc_trial_log *log, int round, int trial, int fold);
void mc_trial_log_finish(struct mc_trial_log *log);

#endif
