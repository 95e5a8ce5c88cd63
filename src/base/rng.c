/* rng.c - xoshiro256** 1.0 (Blackman, Vigna: "Scrambled linear pseudorandom number generators", 2018). */
#include "base/rng.h"

#include <math.h>

/* splitmix64 (Steele, Lea, Flood 2014): spreads any seed over the whole state. */
static uint64_t splitmix(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static uint64_t rotate(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

void mc_rng_init(struct mc_rng *rng, uint64_t seed, uint64_t stream)
{
    uint64_t a = seed, b = stream ^ UINT64_C(0xd1b54a32d192ed03);
    for (int i = 0; i < 4; i++) rng->s[i] = splitmix(&a) ^ rotate(splitmix(&b), 23);
    rng->s[0] |= 1; /* the all-zero state is the one that must not be */
    rng->has_spare = 0;
    rng->spare = 0;
}

uint64_t mc_rng_u64(struct mc_rng *rng)
{
    uint64_t *s = rng->s;
    const uint64_t result = rotate(s[1] * 5, 7) * 9;
    const uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

double mc_rng_uniform(struct mc_rng *rng)
{
    return (double)(mc_rng_u64(rng) >> 11) * 0x1p-53;
}

double mc_rng_range(struct mc_rng *rng, double low, double high)
{
    return low + (high - low) * mc_rng_uniform(rng);
}

/* Marsaglia's polar method: two at a time. */
double mc_rng_normal(struct mc_rng *rng)
{
    if (rng->has_spare) {
        rng->has_spare = 0;
        return rng->spare;
    }
    double u, v, r;
    do {
        u = 2 * mc_rng_uniform(rng) - 1;
        v = 2 * mc_rng_uniform(rng) - 1;
        r = u * u + v * v;
    } while (r >= 1 || r == 0);
    const double scale = sqrt(-2 * log(r) / r);
    rng->spare = v * scale;
    rng->has_spare = 1;
    return u * scale;
}

uint64_t mc_rng_below(struct mc_rng *rng, uint64_t n)
{
    const uint64_t reject = (UINT64_MAX - n + 1) % n; /* 2^64 mod n: draws below it would be favoured */
    uint64_t x;
    do x = mc_rng_u64(rng);
    while (x < reject);
    return x % n;
}

void mc_rng_shuffle(struct mc_rng *rng, int64_t *items, size_t n)
{
    for (size_t i = n; i > 1; i--) { /* Fisher and Yates */
        const size_t j = (size_t)mc_rng_below(rng, i);
        const int64_t kept = items[i - 1];
        items[i - 1] = items[j];
        items[j] = kept;
    }
}

uint64_t mc_hash(const char *s)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (; *s; s++) h = (h ^ (unsigned char)*s) * UINT64_C(0x100000001b3);
    return h;
}
