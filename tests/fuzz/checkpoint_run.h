/* checkpoint_run.h - the run of training whose checkpoints are fuzzed. */
#ifndef MC_TESTS_FUZZ_CHECKPOINT_RUN_H
#define MC_TESTS_FUZZ_CHECKPOINT_RUN_H

#include "train/toy.h"

/* `path`: its checkpoint. */
static inline struct mc_fit_options checkpoint_options(const char *path)
{
    struct mc_fit_options o = toy_options(0.1, 4, 2);
    o.optimizer = MC_ADAM;
    o.ema = 0.5;
    o.patience = 1;
    o.checkpoint = path;
    o.checkpoint_seconds = 1e9;
    return o;
}

#endif
