/* rans.c - asymmetric numeral systems; see rans.h. */
#include "code/rans.h"

#include <math.h>

#include "base/alloc.h"

enum { SCALE_BITS = 12, LANES = 4, STATE_BYTES = 4 * LANES };
#define STATE_LOW ((uint32_t)1 << 16) /* no state is lower between symbols */

_Static_assert(MC_RANS_SCALE == 1 << SCALE_BITS, "one scale");

/* --- frequencies --- */

void mc_rans_normalize(const uint32_t count[256], uint16_t frequency[256])
{
    uint64_t total = 0;
    int sum = 0;
    for (int s = 0; s < 256; s++) total += count[s];
    for (int s = 0; s < 256; s++) {
        const uint64_t share = ((uint64_t)count[s] * MC_RANS_SCALE + total / 2) / total;
        frequency[s] = (uint16_t)(count[s] > 0 && share == 0 ? 1 : share);
        sum += frequency[s];
    }
    /* What rounding gave too much or too little comes from where it costs least: the symbol whose frequency changes by
     * the smallest share of its count. */
    while (sum != MC_RANS_SCALE) {
        const int step = sum > MC_RANS_SCALE ? -1 : 1;
        int best = -1;
        double best_cost = INFINITY;
        for (int s = 0; s < 256; s++) {
            if (frequency[s] == 0 || frequency[s] + step == 0) continue;
            const double cost = -step * count[s] / (double)frequency[s];
            if (cost < best_cost) best_cost = cost, best = s;
        }
        frequency[best] = (uint16_t)(frequency[best] + step);
        sum += step;
    }
}

double mc_rans_cost(const uint32_t count[256], const uint16_t frequency[256])
{
    double bits = 0;
    for (int s = 0; s < 256; s++)
        if (count[s] > 0) bits += count[s] * (SCALE_BITS - log2(frequency[s]));
    return bits;
}

/* --- encoding: from the last symbol to the first, so that the decoder meets them in order --- */

bool mc_rans_encode(struct mc_buf *out, const uint8_t *symbols, size_t n, const uint16_t frequency[256])
{
    uint16_t start[256];
    uint32_t state[LANES];
    for (int s = 0, sum = 0; s < 256; sum += frequency[s++]) start[s] = (uint16_t)sum;
    for (int lane = 0; lane < LANES; lane++) state[lane] = STATE_LOW;
    unsigned char *code = mc_alloc_aligned(n + STATE_BYTES / 2, 2); /* a symbol gives out two bytes at most */
    if (!code) return false;
    unsigned char *const end = code + 2 * n + STATE_BYTES, *p = end;
    for (size_t i = n; i-- > 0;) {
        uint32_t x = state[i % LANES];
        const uint32_t f = frequency[symbols[i]];
        if (x >= (uint64_t)f << (32 - SCALE_BITS)) {
            *--p = (unsigned char)(x >> 8);
            *--p = (unsigned char)x;
            x >>= 16;
        }
        state[i % LANES] = (x / f << SCALE_BITS) + x % f + start[symbols[i]];
    }
    for (int lane = LANES; lane-- > 0;)
        for (int shift = 24; shift >= 0; shift -= 8) *--p = (unsigned char)(state[lane] >> shift);
    mc_buf_append(out, p, (size_t)(end - p));
    mc_free(code);
    return !out->failed;
}

/* --- decoding --- */

/* What one slot of the scale stands for: symbol in bits 0 to 7, frequency - 1 in 8 to 19, slot - start in 20 to 31. */
static void fill_slots(uint32_t slots[MC_RANS_SCALE], const uint16_t frequency[256])
{
    uint32_t *slot = slots;
    for (uint32_t s = 0; s < 256; s++)
        for (uint32_t k = 0; k < frequency[s]; k++) *slot++ = s | (uint32_t)(frequency[s] - 1) << 8 | k << 20;
}

static inline uint8_t take_symbol(uint32_t *state, const uint32_t slots[MC_RANS_SCALE])
{
    const uint32_t slot = slots[*state & (MC_RANS_SCALE - 1)];
    *state = ((slot >> 8 & (MC_RANS_SCALE - 1)) + 1) * (*state >> SCALE_BITS) + (slot >> 20);
    return (uint8_t)slot;
}

static inline const unsigned char *refill(uint32_t *state, const unsigned char *p)
{
    const uint32_t filled = *state << 16 | (uint32_t)p[0] | (uint32_t)p[1] << 8;
    const bool low = *state < STATE_LOW;
    *state = low ? filled : *state;
    return p + 2 * low;
}

bool mc_rans_decode(uint8_t *symbols, size_t n, const unsigned char *bytes, size_t length,
                    const uint16_t frequency[256])
{
    uint32_t slots[MC_RANS_SCALE], state[LANES];
    if (length < STATE_BYTES) return false;
    const unsigned char *p = bytes, *const end = bytes + length;
    for (int lane = 0; lane < LANES; lane++, p += 4) {
        state[lane] = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
        if (state[lane] < STATE_LOW) return false;
    }
    fill_slots(slots, frequency);
    size_t i = 0;
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    for (; i + LANES <= n && end - p >= 2 * LANES; i += LANES) {
        symbols[i] = take_symbol(&a, slots);
        symbols[i + 1] = take_symbol(&b, slots);
        symbols[i + 2] = take_symbol(&c, slots);
        symbols[i + 3] = take_symbol(&d, slots);
        p = refill(&a, p);
        p = refill(&b, p);
        p = refill(&c, p);
        p = refill(&d, p);
    }
    state[0] = a, state[1] = b, state[2] = c, state[3] = d;
    for (; i < n; i++) {
        uint32_t *x = &state[i % LANES];
        symbols[i] = take_symbol(x, slots);
        if (*x >= STATE_LOW) continue;
        if (end - p < 2) return false;
        p = refill(x, p);
    }
    /* Back where the encoder began, or these were not its bytes. */
    bool whole = p == end;
    for (int lane = 0; lane < LANES; lane++) whole = whole && state[lane] == STATE_LOW;
    return whole;
}
