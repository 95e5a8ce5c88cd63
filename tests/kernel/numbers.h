/* numbers.h - random numbers for tests of products. */
#ifndef MC_TESTS_KERNEL_NUMBERS_H
#define MC_TESTS_KERNEL_NUMBERS_H

#include "base/alloc.h"
#include "base/rng.h"
#include "test.h"

/* n floats in [-1, 1), other ones for each stream; the caller's. */
static inline float *random_floats(int64_t n, uint64_t stream)
{
    struct mc_rng rng;
    float *a = MC_NEW_ARRAY(float, n);
    assert_non_null(a);
    mc_rng_init(&rng, 11, stream);
    for (int64_t i = 0; i < n; i++) a[i] = (float)mc_rng_range(&rng, -1, 1);
    return a;
}

#endif
