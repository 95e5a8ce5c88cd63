/* approx.h - exp, log, tanh, erf and what is made of them, in float32, without branches or calls.
 *
 * A compiler can run a loop over any of these in SIMD lanes, which it cannot with libm's. Coefficients are minimax
 * polynomials fitted for this file (Lawson's iteration in double on Chebyshev points, then rounded). The bounds below
 * are the largest errors measured over a sweep of float32 (tests/kernel/test_approx.c holds them), in units of the last
 * place of the exact value. NaN gives NaN, infinities and signed zeros give what C's Annex F says, subnormal arguments
 * and results are right. All instruction sets give the same bits, since nothing here is contracted or reordered.
 *
 *     mc_expf     1.0 ulp        mc_tanhf     1.4 ulp
 *     mc_expm1f   1.6 ulp        mc_erff      1.4 ulp
 *     mc_logf     0.9 ulp        mc_sigmoidf  2.8 ulp
 */
#ifndef MC_KERNEL_APPROX_H
#define MC_KERNEL_APPROX_H

#include <math.h>
#include <stdint.h>
#include <string.h>

static inline uint32_t mc_float_bits(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof(bits));
    return bits;
}

static inline float mc_bits_float(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof(x));
    return x;
}

/* 2^n for n in [-126, 127]. */
static inline float mc_power_of_two(int32_t n)
{
    return mc_bits_float(((uint32_t)n + 127u) << 23);
}

/* x = n ln 2 + r with |r| <= ln 2 / 2: gives n as an integer and e^r - 1, for |x| < 2^8. Adding 1.5 * 2^23 rounds to an
 * integer and leaves it in the low bits. ln 2 is split so that n times its high part is exact. */
static inline float mc_exp_reduced(float x, int32_t *n)
{
    const float magic = 0x1.8p23f;
    const float shifted = x * 0x1.715476p+0f + magic;
    const float rounded = shifted - magic;
    const float r = (x - rounded * 0x1.63p-1f) - rounded * -0x1.bd0106p-13f;
    float p = 0x1.6a2352p-10f;
    p = p * r + 0x1.123a6cp-7f;
    p = p * r + 0x1.5558f4p-5f;
    p = p * r + 0x1.55549p-3f;
    p = p * r + 0x1.fffffcp-2f;
    *n = (int32_t)(mc_float_bits(shifted) - mc_float_bits(magic));
    return p * r * r + r;
}

/* Clamped to where the result has become infinity or zero; scaled in two steps, since 2^n may be subnormal. */
static inline float mc_expf(float x)
{
    const float above = x > 89.0f ? 89.0f : x;
    const float clamped = above < -104.0f ? -104.0f : above;
    int32_t n;
    const float e = 1.0f + mc_exp_reduced(clamped, &n);
    const int32_t half = n >> 1;
    return e * mc_power_of_two(half) * mc_power_of_two(n - half);
}

/* e^x - 1 for x <= 88. Below -20 it is -1. */
static inline float mc_expm1f(float x)
{
    const float clamped = x < -20.0f ? -20.0f : x;
    int32_t n;
    const float e = mc_exp_reduced(clamped, &n);
    const float scale = mc_power_of_two(n);
    const float y = scale * e + (scale - 1.0f);
    return x == 0.0f ? x : y;
}

/* x = 2^e (1 + f) with 1 + f in [sqrt(1/2), sqrt(2)). Subnormals are lifted by 2^23 first. */
static inline float mc_logf(float x)
{
    const int subnormal = x < 0x1p-126f;
    const uint32_t bits = mc_float_bits(subnormal ? x * 0x1p23f : x);
    const int32_t e = (int32_t)(bits - 0x3f3504f3u) >> 23;
    const float f = mc_bits_float(bits - ((uint32_t)e << 23)) - 1.0f;
    const float exponent = (float)e - (subnormal ? 23.0f : 0.0f);
    float p = 0x1.1457a8p-4f;
    p = p * f + -0x1.de3c16p-4f;
    p = p * f + 0x1.e6f06ap-4f;
    p = p * f + -0x1.fc2208p-4f;
    p = p * f + 0x1.233768p-3f;
    p = p * f + -0x1.555c4ep-3f;
    p = p * f + 0x1.99a4b6p-3f;
    p = p * f + -0x1.000006p-2f;
    p = p * f + 0x1.555548p-2f;
    const float tail = f * f * (p * f - 0.5f) + exponent * -0x1.bd0106p-13f;
    const float y = (tail + f) + exponent * 0x1.63p-1f;
    const float edge = x == 0.0f ? -INFINITY : x < 0.0f ? NAN : x; /* infinity and NaN stay */
    return x > 0.0f && x < INFINITY ? y : edge;
}

/* A polynomial near 0, where 1 - 2 / (e^2x + 1) would cancel. */
static inline float mc_tanhf(float x)
{
    const float a = fabsf(x), s = x * x;
    float p = -0x1.75e1ccp-8f;
    p = p * s + 0x1.52269ap-6f;
    p = p * s + -0x1.b83c5ap-5f;
    p = p * s + 0x1.110726p-3f;
    p = p * s + -0x1.555532p-2f;
    const float near = a + a * s * p;
    const float far = 1.0f - 2.0f / (mc_expf(2.0f * a) + 1.0f);
    return copysignf(a < 0.625f ? near : far, x);
}

/* x + x P(x^2) near 0, 1 - e^-Q(|x|) beyond; from 4 on erf rounds to 1. */
static inline float mc_erff(float x)
{
    const float a = fabsf(x), s = x * x;
    float p = 0x1.6510c4p-14f;
    p = p * s + -0x1.aca394p-11f;
    p = p * s + 0x1.550a44p-8f;
    p = p * s + -0x1.b81524p-6f;
    p = p * s + 0x1.ce2e54p-4f;
    p = p * s + -0x1.812744p-2f;
    p = p * s + 0x1.06eba8p-3f;
    const float near = a + a * p;
    const float t = a > 4.0f ? 4.0f : a;
    float q = -0x1.9fb254p-13f;
    q = q * t + 0x1.91ccc4p-9f;
    q = q * t + -0x1.6d9cc6p-6f;
    q = q * t + 0x1.aa731ap-4f;
    q = q * t + 0x1.4621bap-1f;
    q = q * t + 0x1.20b752p+0f;
    q = q * t + 0x1.5d117p-13f;
    const float far = 1.0f - mc_expf(-q);
    return copysignf(a < 0.9f ? near : far, x);
}

/* 1 / (1 + e^-x), by e^-|x| so that neither tail overflows. It is made 2^64 times too large first, where nothing is
 * subnormal, so that it is rounded once. */
static inline float mc_sigmoidf(float x)
{
    const float a = fabsf(x), t = a > 104.0f ? 104.0f : a;
    int32_t n;
    const float p = 1.0f + mc_exp_reduced(-t, &n), e = p * mc_power_of_two(n + 64) * 0x1p-64f;
    const float y = 1.0f / (1.0f + e);
    return x >= 0.0f ? y : e * y;
}

#endif
