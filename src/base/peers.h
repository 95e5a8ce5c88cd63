/* peers.h - processes that work together, as the rest of the library sees them; struct mc_peers is in compress.h.
 *
 * All of them make the same calls in the same order. One that fails says so in the next call that it makes here,
 * wherever that is; the others learn it in the call that they are in, take over status and words, and fail alike. From
 * then on nothing is shared any more (mc_peers.broken), so that each finds its way out alone. Whoever shares work calls
 * mc_peers_agree at its end. `peers` NULL: the process is alone, and every call does nothing.
 */
#ifndef MC_BASE_PEERS_H
#define MC_BASE_PEERS_H

#include "compress/compress.h"

static inline int mc_peers_size(const struct mc_peers *peers)
{
    return peers ? peers->size : 1;
}

static inline int mc_peers_rank(const struct mc_peers *peers)
{
    return peers ? peers->rank : 0;
}

/* Is it the process that writes files? */
static inline bool mc_peers_leads(const struct mc_peers *peers)
{
    return mc_peers_rank(peers) == 0;
}

/* The part of n things that falls to one process: begin … end. */
void mc_peers_share_of(const struct mc_peers *peers, int rank, int64_t n, int64_t *begin, int64_t *end);
void mc_peers_share(const struct mc_peers *peers, int64_t n, int64_t *begin, int64_t *end);

/* Has everybody come here with MC_OK? Else the status of the first that has not, and its words. */
int mc_peers_agree(struct mc_peers *peers, int rc, struct mc_error *err);

/* Each value becomes its sum over all processes, with the same bits everywhere. */
int mc_peers_sum_floats(struct mc_peers *peers, float *values, size_t n, struct mc_error *err);
int mc_peers_sum_doubles(struct mc_peers *peers, double *values, size_t n, struct mc_error *err);

/* What the process of rank 0 has comes to all. */
int mc_peers_send(struct mc_peers *peers, void *bytes, size_t length, struct mc_error *err);

/* Of `items`, n of `size` bytes, each process has made its share: now all have all. */
int mc_peers_gather(struct mc_peers *peers, void *items, int64_t n, size_t size, struct mc_error *err);

#endif
