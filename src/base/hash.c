/* hash.c - XXH64; see hash.h. */
#include "base/hash.h"

#include <string.h>

#define PRIME_1 0x9E3779B185EBCA87u
#define PRIME_2 0xC2B2AE3D27D4EB4Fu
#define PRIME_3 0x165667B19E3779F9u
#define PRIME_4 0x85EBCA77C2B2AE63u
#define PRIME_5 0x27D4EB2F165667C5u

static uint64_t rotate(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

/* Little endian on every machine; compilers make one load of it. */
static uint64_t load_32(const unsigned char *p)
{
    return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24;
}

static uint64_t load_64(const unsigned char *p)
{
    return load_32(p) | load_32(p + 4) << 32;
}

static uint64_t round_of(uint64_t lane, uint64_t word)
{
    return rotate(lane + word * PRIME_2, 31) * PRIME_1;
}

void mc_hash_init(struct mc_hash *hash, uint64_t seed)
{
    *hash = (struct mc_hash){
        .lane = {seed + PRIME_1 + PRIME_2, seed + PRIME_2, seed, seed - PRIME_1},
        .seed = seed,
    };
}

static void add_stripes(struct mc_hash *hash, const unsigned char *p, size_t n_stripes)
{
    uint64_t a = hash->lane[0], b = hash->lane[1], c = hash->lane[2], d = hash->lane[3];
    for (; n_stripes > 0; n_stripes--, p += 32) {
        a = round_of(a, load_64(p));
        b = round_of(b, load_64(p + 8));
        c = round_of(c, load_64(p + 16));
        d = round_of(d, load_64(p + 24));
    }
    hash->lane[0] = a, hash->lane[1] = b, hash->lane[2] = c, hash->lane[3] = d;
}

void mc_hash_add(struct mc_hash *hash, const void *bytes, size_t length)
{
    const unsigned char *p = bytes;
    const size_t held = hash->length % 32;
    hash->length += length;
    if (held > 0) {
        const size_t taken = length < 32 - held ? length : 32 - held;
        memcpy(hash->rest + held, p, taken);
        if (held + taken < 32) return;
        add_stripes(hash, hash->rest, 1);
        p += taken;
        length -= taken;
    }
    add_stripes(hash, p, length / 32);
    if (length % 32 > 0) memcpy(hash->rest, p + length / 32 * 32, length % 32);
}

static uint64_t merge_lanes(const struct mc_hash *hash)
{
    uint64_t h =
        rotate(hash->lane[0], 1) + rotate(hash->lane[1], 7) + rotate(hash->lane[2], 12) + rotate(hash->lane[3], 18);
    for (int i = 0; i < 4; i++) h = (h ^ round_of(0, hash->lane[i])) * PRIME_1 + PRIME_4;
    return h;
}

uint64_t mc_hash_value(const struct mc_hash *hash)
{
    uint64_t h = (hash->length >= 32 ? merge_lanes(hash) : hash->seed + PRIME_5) + hash->length;
    const unsigned char *p = hash->rest;
    size_t left = hash->length % 32;
    for (; left >= 8; left -= 8, p += 8) h = rotate(h ^ round_of(0, load_64(p)), 27) * PRIME_1 + PRIME_4;
    if (left >= 4) {
        h = rotate(h ^ load_32(p) * PRIME_1, 23) * PRIME_2 + PRIME_3;
        p += 4, left -= 4;
    }
    for (; left > 0; left--, p++) h = rotate(h ^ *p * PRIME_5, 11) * PRIME_1;
    h = (h ^ h >> 33) * PRIME_2;
    h = (h ^ h >> 29) * PRIME_3;
    return h ^ h >> 32;
}

uint64_t mc_hash_bytes(const void *bytes, size_t length, uint64_t seed)
{
    struct mc_hash hash;
    mc_hash_init(&hash, seed);
    mc_hash_add(&hash, bytes, length);
    return mc_hash_value(&hash);
}
