/* peers.c - agreeing, adding, sharing among processes; see peers.h. */
#include "base/peers.h"

#include "base/error.h"

void mc_peers_share_of(const struct mc_peers *peers, int rank, int64_t n, int64_t *begin, int64_t *end)
{
    const int64_t size = mc_peers_size(peers), each = n / size, more = n % size;
    *begin = rank * each + (rank < more ? rank : more);
    *end = *begin + each + (rank < more);
}

void mc_peers_share(const struct mc_peers *peers, int64_t n, int64_t *begin, int64_t *end)
{
    mc_peers_share_of(peers, mc_peers_rank(peers), n, begin, end);
}

/* The connection itself has failed. */
static int refuse(struct mc_peers *peers, struct mc_error *err)
{
    peers->broken = true;
    return mc_error_set(err, MC_ERR_SYSTEM, "process %d of %d cannot reach the others", peers->rank + 1, peers->size);
}

/* Somebody has failed: the first of them tells all what it was. */
static int learn_failure(struct mc_peers *peers, int rc, struct mc_error *err)
{
    peers->broken = true;
    struct mc_error told = {0};
    for (int from = 0; from < peers->size; from++) {
        if (from == peers->rank) {
            if (err) told = *err;
            told.status = rc;
        }
        if (peers->send(peers->context, from, &told, sizeof told) < 0) return refuse(peers, err);
        if (told.status == MC_OK) continue;
        if (err) *err = told;
        return told.status;
    }
    return refuse(peers, err);
}

int mc_peers_agree(struct mc_peers *peers, int rc, struct mc_error *err)
{
    if (!peers) return rc;
    if (peers->broken) return rc < 0 ? rc : refuse(peers, err);
    double failures = rc < 0;
    if (peers->sum_doubles(peers->context, &failures, 1) < 0) return refuse(peers, err);
    return failures > 0 ? learn_failure(peers, rc, err) : rc;
}

int mc_peers_sum_floats(struct mc_peers *peers, float *values, size_t n, struct mc_error *err)
{
    const int rc = mc_peers_agree(peers, MC_OK, err);
    if (rc < 0 || !peers) return rc;
    return peers->sum_floats(peers->context, values, n) < 0 ? refuse(peers, err) : MC_OK;
}

int mc_peers_sum_doubles(struct mc_peers *peers, double *values, size_t n, struct mc_error *err)
{
    const int rc = mc_peers_agree(peers, MC_OK, err);
    if (rc < 0 || !peers) return rc;
    return peers->sum_doubles(peers->context, values, n) < 0 ? refuse(peers, err) : MC_OK;
}

int mc_peers_send(struct mc_peers *peers, void *bytes, size_t length, struct mc_error *err)
{
    const int rc = mc_peers_agree(peers, MC_OK, err);
    if (rc < 0 || !peers) return rc;
    return peers->send(peers->context, 0, bytes, length) < 0 ? refuse(peers, err) : MC_OK;
}

int mc_peers_gather(struct mc_peers *peers, void *items, int64_t n, size_t size, struct mc_error *err)
{
    const int rc = mc_peers_agree(peers, MC_OK, err);
    if (rc < 0 || !peers) return rc;
    for (int from = 0; from < peers->size; from++) {
        int64_t begin, end;
        mc_peers_share_of(peers, from, n, &begin, &end);
        if (peers->send(peers->context, from, (char *)items + (size_t)begin * size, (size_t)(end - begin) * size) < 0)
            return refuse(peers, err);
    }
    return MC_OK;
}
