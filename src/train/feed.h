/* feed.h - samples of a role in the order of an epoch, with their targets, and changed if asked for. */
#ifndef MC_TRAIN_FEED_H
#define MC_TRAIN_FEED_H

#include "data/loader.h"
#include "train/loss.h"

struct mc_feed {
    const struct mc_dataset *data;
    enum mc_role_of_data role;
    enum mc_loss_kind loss; /* decides which targets are made; classes become one-hot numbers for most */
    uint64_t seed;
    struct mc_augment augment; /* what mc_feed_augment has asked for */
    struct mc_loader *loader;
    int n_threads;
    int64_t *order;  /* positions within the role, permuted anew by mc_feed_shuffle */
    int64_t *labels; /* of the batch read last: [capacity] */
    float *numbers;  /* [capacity, columns], NULL for cross-entropy of classes that are not mixed */
    int64_t columns, capacity;
    bool mixes;      /* targets are distributions over classes, in `numbers` */
    int64_t *others; /* of the batch read last: what mixup has mixed in, and how much is not of it */
    float *shares;
    float *weights; /* [capacity] of the batch read last; NULL: the data has none */
};

/* For batches of at most `capacity` samples and targets of `columns` numbers. Order: as the role stands, until
 * shuffled. The feed has to stay where it is. */
int mc_feed_init(struct mc_feed *feed, const struct mc_dataset *data, enum mc_role_of_data role, enum mc_loss_kind loss,
                 int64_t columns, int64_t capacity, const struct mc_fit_options *options, struct mc_error *err);
void mc_feed_finish(struct mc_feed *feed);

/* From here on samples are changed as `text` says ("none": not at all), or the data set where it is NULL. To be called
 * before the first read. MC_ERR_USAGE for what the samples do not allow. */
int mc_feed_augment(struct mc_feed *feed, const char *text, struct mc_error *err);
/* Is a sample another one in each epoch? */
bool mc_feed_changes(const struct mc_feed *feed);

/* A permutation that depends on seed and epoch alone. */
void mc_feed_shuffle(struct mc_feed *feed, int64_t epoch);
/* Samples begin … begin+n of the order into x [n, sample…], their targets into labels or numbers. MC_ERR_INPUT for
 * targets that are no probabilities where the loss needs some. */
int mc_feed_read(struct mc_feed *feed, int64_t begin, int64_t n, float *x, struct mc_error *err);

/* Targets of the batch read last, for the loss, with their weights; without a teacher's. */
struct mc_targets mc_feed_targets(const struct mc_feed *feed);

#endif
