/* average.h - an exponential moving average of all that training changes (Polyak and Juditsky 1992; with a decay as in
 * Tarvainen and Valpola 2017).
 *
 * After step t, counted from 0, mean += (1 - d) (w - mean) with d = min(decay, (1 + t) / (10 + t)), so that the weights
 * of the first steps do not linger. Running statistics are averaged too. A weight that is exactly zero, masked or
 * shrunk by L1, is zero in the mean at once.
 */
#ifndef MC_TRAIN_AVERAGE_H
#define MC_TRAIN_AVERAGE_H

#include "kernel/runtime.h"
#include "train/parameters.h"

struct mc_average {
    double decay; /* 0: there is none, and every call does nothing */
    struct mc_snapshot mean;
    const struct mc_runtime *runtime;
};

int mc_average_init(struct mc_average *average, const struct mc_model *model, double decay,
                    const struct mc_runtime *runtime, struct mc_error *err);
void mc_average_finish(struct mc_average *average);

/* After step `t` of the optimizer. */
void mc_average_step(struct mc_average *average, int64_t t);
/* Exchange the model's contents and the mean; a second call puts things back. */
void mc_average_swap(struct mc_average *average);

#endif
