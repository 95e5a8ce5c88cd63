/* tune_state.h - a search under way: what tune.c works on, and smallest.c, which searches by bytes. */
#ifndef MC_RECIPE_TUNE_STATE_H
#define MC_RECIPE_TUNE_STATE_H

#include "recipe/outputs.h"
#include "recipe/parts.h"
#include "recipe/space.h"
#include "recipe/trial.h"
#include "recipe/trial_log.h"
#include "recipe/work.h"

/* A combination of values, and how it did in the last round that it was in. */
struct mc_candidate {
    int trial, round;
    double mean, spread; /* over the folds; NaN: failed, and of one fold */
    double bytes;        /* the same; 0: nobody asked */
    bool tried, holds;   /* of a search by bytes: is there a result, and within the bound? */
};

struct mc_tune {
    struct mc_recipe *recipe;
    const struct mc_context *context;
    struct mc_share share;
    struct mc_work work;
    struct mc_space space;
    struct mc_outputs outputs;
    struct mc_trial_log log;
    struct mc_arena arena; /* values that were drawn */
    enum mc_search search;
    uint64_t seed;
    int n_trials, folds, n_rounds, eta;
    const char *resource;
    int64_t full; /* what the recipe says of the resource */
    const char *metric;
    bool lower;               /* is better */
    enum mc_trial_size size;  /* whose fewest are looked for; MC_TRIAL_NO_SIZE: the best metric is */
    double max_drop;          /* of a search by bytes */
    struct mc_candidate base; /* of that: the model before the first step, as trial n_trials */
    struct mc_candidate *candidates;
};

/* Try a combination on those folds of round 0 that the file has no result of; trial n_trials is the model as it is. */
int mc_tune_try(struct mc_tune *tune, int trial, struct mc_error *err);
/* Until the file has all results of a trial of round 0, which another process adds. */
int mc_tune_wait(struct mc_tune *tune, int trial, struct mc_error *err);
/* Mean, spread and bytes of a candidate whose results are there. */
void mc_tune_summarize(const struct mc_tune *tune, struct mc_candidate *candidate, int round);

/* smallest.c: try what the search asks for and order the candidates: those within the bound by bytes, the others by
 * their metric, those that were not tried last. MC_ERR_USAGE if none is within it. */
int mc_tune_smallest(struct mc_tune *tune, struct mc_error *err);
/* What it found, beside what every search records: objective, max_drop, size, before. */
void mc_tune_record_smallest(const struct mc_tune *tune, struct mc_record *into);

#endif
