/* weights.c - tensors as training and shrinking leave them; see weights.h. */
#include "weights.h"

#include <math.h>
#include <stdlib.h>

#include "base/rng.h"

void weights_normal(float *w, size_t n, double deviation, uint64_t seed)
{
    struct mc_rng rng;
    mc_rng_init(&rng, seed, 0);
    for (size_t i = 0; i < n; i++) w[i] = (float)(deviation * mc_rng_normal(&rng));
}

static int descending(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x < y) - (x > y);
}

size_t weights_prune(float *w, size_t n, double share)
{
    float *size = malloc(n * sizeof *size);
    if (!size) abort();
    for (size_t i = 0; i < n; i++) size[i] = fabsf(w[i]);
    qsort(size, n, sizeof *size, descending);
    const float least = size[(size_t)((double)n * share)];
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (fabsf(w[i]) <= least) w[i] = 0;
        kept += w[i] != 0;
    }
    free(size);
    return kept;
}

void weights_cluster(float *w, size_t n, int k)
{
    float most = 0;
    for (size_t i = 0; i < n; i++) most = fmaxf(most, fabsf(w[i]));
    const float width = 2 * most / (float)k;
    for (size_t i = 0; i < n; i++) {
        if (w[i] == 0) continue;
        const float at = fminf(floorf((w[i] + most) / width), (float)(k - 1));
        w[i] = (at + 0.5f) * width - most;
    }
}
