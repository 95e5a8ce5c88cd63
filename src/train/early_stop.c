/* early_stop.c - when to stop, and which epoch was the best; see early_stop.h. */
#include "train/early_stop.h"

#include <math.h>

void mc_early_stop_init(struct mc_early_stop *stop, int64_t patience, double min_delta)
{
    *stop = (struct mc_early_stop){.patience = patience, .min_delta = min_delta};
    mc_early_stop_forget(stop);
}

bool mc_early_stop_observe(struct mc_early_stop *stop, int64_t epoch, double loss)
{
    if (stop->reference - loss >= stop->min_delta && loss < stop->reference) {
        stop->reference = loss;
        stop->waited = 0;
    } else {
        stop->waited++;
    }
    if (!(loss < stop->best)) return false;
    stop->best = loss;
    stop->best_epoch = epoch;
    return true;
}

bool mc_early_stop_now(const struct mc_early_stop *stop)
{
    return stop->patience > 0 && stop->waited >= stop->patience;
}

void mc_early_stop_forget(struct mc_early_stop *stop)
{
    stop->best = stop->reference = INFINITY;
    stop->best_epoch = -1;
    stop->waited = 0;
}
