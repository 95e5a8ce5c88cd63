/* early_stop.h - when to stop, and which epoch was the best.
 *
 * Two questions that one number would confuse: the best epoch is the one with the lowest loss, by however little;
 * patience is renewed only by a loss at least `min_delta` below the one that renewed it last.
 */
#ifndef MC_TRAIN_EARLY_STOP_H
#define MC_TRAIN_EARLY_STOP_H

#include <stdbool.h>
#include <stdint.h>

struct mc_early_stop {
    int64_t patience; /* epochs; 0: never stop */
    double min_delta;
    double best;        /* lowest loss; infinity before the first epoch */
    double reference;   /* the loss that renewed the patience */
    int64_t best_epoch; /* -1: none yet */
    int64_t waited;     /* epochs since */
};

void mc_early_stop_init(struct mc_early_stop *stop, int64_t patience, double min_delta);
/* The loss after an epoch (from 0). Is it the best so far? */
bool mc_early_stop_observe(struct mc_early_stop *stop, int64_t epoch, double loss);
/* Has the patience run out? */
bool mc_early_stop_now(const struct mc_early_stop *stop);
/* What went before no longer compares: the problem has changed. */
void mc_early_stop_forget(struct mc_early_stop *stop);

#endif
