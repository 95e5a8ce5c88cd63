/* feed.h - samples of a role in the order of an epoch, with their targets, and augmented if asked for. */
#ifndef MC_TRAIN_FEED_H
#define MC_TRAIN_FEED_H

#include "train/loss.h"

struct mc_feed {
    const struct mc_dataset *data;
    enum mc_role_of_data role;
    enum mc_loss_kind loss; /* decides which targets are made; classes become one-hot numbers for most */
    uint64_t seed;
    bool shift;
    int n_threads;
    int64_t epoch;
    int64_t *order;  /* positions within the role, permuted anew by mc_feed_shuffle */
    int64_t *labels; /* of the batch read last: [capacity] */
    float *numbers;  /* [capacity, columns], NULL for cross-entropy of classes */
    int64_t columns;
    float *spare; /* one sample, for shifting */
};

/* For batches of at most `capacity` samples and targets of `columns` numbers. Order: as the role stands, until
 * shuffled. Shifting needs samples [C, H, W] (MC_ERR_USAGE). */
int mc_feed_init(struct mc_feed *feed, const struct mc_dataset *data, enum mc_role_of_data role, enum mc_loss_kind loss,
                 int64_t columns, int64_t capacity, const struct mc_fit_options *options, struct mc_error *err);
void mc_feed_finish(struct mc_feed *feed);

/* A permutation that depends on seed and epoch alone. */
void mc_feed_shuffle(struct mc_feed *feed, int64_t epoch);
/* Samples begin … begin+n of the order into x [n, sample…], their targets into labels or numbers. MC_ERR_INPUT for
 * targets that are no probabilities where the loss needs some. */
int mc_feed_read(struct mc_feed *feed, int64_t begin, int64_t n, float *x, struct mc_error *err);

#endif
