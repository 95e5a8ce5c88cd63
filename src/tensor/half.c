/* half.c - float16 and bfloat16 without branches, so that the compiler makes SIMD code of the loops; see half.h.
 *
 * IEEE 754-2019 binary16 has 5 bits of exponent (bias 15) and 10 of mantissa; binary32 8 (bias 127) and 23. The parts
 * of the range that need care are selected, not branched on.
 */
#include "tensor/half.h"

#include <string.h>

static inline float as_float(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static inline uint32_t as_bits(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

/* Exponent and mantissa in place of a float's give a number too small by 2^112, subnormals included: the product mends
 * them all. Infinity and NaN get their exponent by hand. */
static inline float half_to_float(uint16_t h)
{
    const uint32_t size = h & 0x7fffu;
    const uint32_t finite = as_bits(as_float(size << 13) * 0x1p112f), special = size << 13 | 0x7f800000u;
    return as_float((size >= 0x7c00u ? special : finite) | (uint32_t)(h & 0x8000u) << 16);
}

static inline uint16_t float_to_half(float f)
{
    const uint32_t bits = as_bits(f), size = bits & 0x7fffffffu;
    /* normal: another bias, and the 13 bits that go are rounded away; a carry runs into the exponent as it should */
    const uint32_t normal = (size - (112u << 23) + 0xfffu + (size >> 13 & 1)) >> 13;
    /* below 2^-14: added to 1/2, the last place of the sum is that of a subnormal, and the sum is rounded right */
    const uint32_t subnormal = as_bits(as_float(size) + 0.5f) - as_bits(0.5f);
    const uint32_t special = size > 0x7f800000u ? 0x7e00u : 0x7c00u;
    const uint32_t code = size < 0x38800000u ? subnormal : size >= 0x47800000u ? special : normal;
    return (uint16_t)(code | (bits >> 16 & 0x8000u));
}

void mc_halves_to_floats(int64_t n, const uint16_t *from, float *to)
{
    for (int64_t i = 0; i < n; i++) to[i] = half_to_float(from[i]);
}

void mc_floats_to_halves(int64_t n, const float *from, uint16_t *to)
{
    for (int64_t i = 0; i < n; i++) to[i] = float_to_half(from[i]);
}

void mc_bfloats_to_floats(int64_t n, const uint16_t *from, float *to)
{
    for (int64_t i = 0; i < n; i++) to[i] = as_float((uint32_t)from[i] << 16);
}

void mc_floats_to_bfloats(int64_t n, const float *from, uint16_t *to)
{
    for (int64_t i = 0; i < n; i++) {
        const uint32_t bits = as_bits(from[i]), rounded = (bits + 0x7fffu + (bits >> 16 & 1)) >> 16;
        const uint32_t nan = bits >> 16 | 0x40u;
        to[i] = (uint16_t)((bits & 0x7fffffffu) > 0x7f800000u ? nan : rounded);
    }
}
