/* draw.h - samples of a data set as training takes them: changed at random, normalized, mixed. */
#ifndef MC_DATA_DRAW_H
#define MC_DATA_DRAW_H

#include "data/data.h"

/* How samples are drawn. */
struct mc_draw {
    const struct mc_augment *augment; /* NULL: as they are */
    uint64_t seed;
    int64_t epoch;
};

/* Where samples go, [n, …] each; NULL: not wanted. */
struct mc_batch {
    float *x;        /* [n, sample…] */
    int64_t *labels; /* [n] */
    int64_t *others; /* [n] mixup: the class of what was mixed in; else the sample's own */
    float *shares;   /* [n] of `labels` in the target; the rest is of `others`. 1 without mixup */
    float *targets;  /* [n, n_targets]; of mixtures they are mixed */
    float *weights;  /* [n] of mean 1 over the training samples; 1 where there are none */
};

/* Sample at a position of the role into place i of `batch`. Each position has a stream of its own in each epoch.
 * Thread-safe. */
int mc_dataset_draw(const struct mc_dataset *dataset, enum mc_role_of_data role, int64_t position,
                    const struct mc_draw *draw, const struct mc_batch *batch, int64_t i, struct mc_error *err);

/* Samples at order[begin … begin+n) (NULL: positions as they are). The error is that of the first that fails. */
int mc_dataset_draw_all(const struct mc_dataset *dataset, enum mc_role_of_data role, const int64_t *order,
                        int64_t begin, int64_t n, const struct mc_draw *draw, const struct mc_batch *batch,
                        int n_threads, struct mc_error *err);

#endif
