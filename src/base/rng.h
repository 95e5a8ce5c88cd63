/* rng.h - seeded random numbers: xoshiro256** (Blackman and Vigna 2018), seeded by splitmix64.
 *
 * A generator belongs to whoever draws from it; there is no global one. `stream` gives independent
 * sequences under one seed (one per purpose, sample or worker), so that the order in which threads
 * work never changes a result.
 */
#ifndef MC_BASE_RNG_H
#define MC_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

struct mc_rng {
    uint64_t s[4];
    double spare; /* the second normal number of a pair */
    int has_spare;
};

void mc_rng_init(struct mc_rng *rng, uint64_t seed, uint64_t stream);
uint64_t mc_rng_u64(struct mc_rng *rng);
double mc_rng_uniform(struct mc_rng *rng);                        /* [0, 1), 53 bits */
double mc_rng_range(struct mc_rng *rng, double low, double high); /* [low, high) */
double mc_rng_normal(struct mc_rng *rng);                         /* mean 0, variance 1 */
uint64_t mc_rng_below(struct mc_rng *rng, uint64_t n);            /* 0 … n-1 without bias; n > 0 */
void mc_rng_shuffle(struct mc_rng *rng, int64_t *items, size_t n);

/* FNV-1a: streams can be named, `mc_rng_init(&r, seed, mc_hash("dropout"))`. */
uint64_t mc_hash(const char *s);

#endif
