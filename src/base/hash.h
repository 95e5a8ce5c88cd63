/* hash.h - XXH64, a checksum at the speed of memory.
 *
 * Source: "XXH64 algorithm description" in the xxHash specification, version 0.2.0 (Collet). It finds accidents, it
 * does not hold against somebody who means to deceive.
 */
#ifndef MC_BASE_HASH_H
#define MC_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

struct mc_hash {
    uint64_t lane[4], seed, length;
    unsigned char rest[32]; /* what does not fill 32 bytes yet */
};

void mc_hash_init(struct mc_hash *hash, uint64_t seed);
void mc_hash_add(struct mc_hash *hash, const void *bytes, size_t length);
/* Of all that was added; more may be added afterwards. */
uint64_t mc_hash_value(const struct mc_hash *hash);

uint64_t mc_hash_bytes(const void *bytes, size_t length, uint64_t seed);

#endif
