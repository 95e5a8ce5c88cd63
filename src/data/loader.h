/* loader.h - batches read ahead: while one is trained on, the next is decoded and changed by threads of its own.
 *
 * What a batch is depends on the data set, the order, seed and epoch alone; how many threads there are, and whether the
 * next batch was guessed right, changes nothing but the time.
 */
#ifndef MC_DATA_LOADER_H
#define MC_DATA_LOADER_H

#include "data/draw.h"

struct mc_loader;

/* For batches of at most `capacity` samples of a role, changed by `augment` (NULL: not), which may
 * itself change until the first read. With one thread, and where
 * reading costs next to nothing, it reads when it is asked and starts no threads. */
int mc_loader_create(struct mc_loader **loader, const struct mc_dataset *data, enum mc_role_of_data role,
                     const struct mc_augment *augment, uint64_t seed, int64_t capacity, int n_threads,
                     struct mc_error *err);
void mc_loader_destroy(struct mc_loader *loader);

/* The order of an epoch, a permutation of the role's positions; what was read ahead is forgotten. To be called before
 * the first read, after which the order has to stay as it is until the next call. */
void mc_loader_begin(struct mc_loader *loader, const int64_t *order, int64_t epoch);

/* Samples begin … begin+n of the order. Members of `batch` that are NULL are not wanted. The next n samples are then
 * read ahead. The first sample that cannot be read is the one whose error is told. */
int mc_loader_read(struct mc_loader *loader, int64_t begin, int64_t n, const struct mc_batch *batch,
                   struct mc_error *err);

#endif
