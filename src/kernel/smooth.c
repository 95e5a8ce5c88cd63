/* smooth.c - activations that are x times a probability, float32; see kernels.h. Compiled once per instruction set,
 * with multiplications and additions contracted. */
#include "kernel/approx.h"
#include "kernel/kernels.h"
#include "kernel/lanes.h"

#ifndef MC_VARIANT
#define MC_VARIANT(name) name##_portable
#endif
extern mc_unary_fn MC_VARIANT(mc_silu), MC_VARIANT(mc_gelu);

/* |x|, but `most` if it is larger or NaN: by integers, of which a compiler makes minima rather than branches. */
static inline uint32_t size_up_to(float x, float most)
{
    const uint32_t size = mc_float_bits(x) & 0x7fffffffu, limit = mc_float_bits(most);
    return size < limit ? size : limit;
}

/* x / (1 + e^-x). Below -88.7 e^-x is infinite and y is -0, where it should be 5e-37 or less. */
void MC_VARIANT(mc_silu)(int64_t n, const void *x_, void *y_, const double *p)
{
    const float *x = x_;
    float *y = y_;
    SIMD for (int64_t i = 0; i < n; i++)
    {
        int32_t k;
        const float minus = mc_bits_float((~mc_float_bits(x[i]) & 0x80000000u) | size_up_to(x[i], 89.0f));
        const float e = 1.0f + mc_exp_reduced(minus, &k);
        y[i] = x[i] / (1.0f + e * mc_power_of_two(k < -126 ? -126 : k));
    }
}

/* max(x, 0) - |x| erfc(|x| / sqrt(2)) / 2, with erfc(t) = e^-(t P(t)); P is a minimax fit to erfc on [0, 4.2] (6e-8)
 * that goes on rising beyond. */
void MC_VARIANT(mc_gelu)(int64_t n, const void *x_, void *y_, const double *p)
{
    const float *x = x_;
    float *y = y_;
    SIMD for (int64_t i = 0; i < n; i++)
    {
        int32_t k;
        const float t = mc_bits_float(size_up_to(x[i], 14.0f)) * 0x1.6a09e6p-1f;
        float q = 0x1.07c0bcp-15f;
        q = q * t + -0x1.43d086p-12f;
        q = q * t + 0x1.0ea568p-10f;
        q = q * t + 0x1.197c3ap-11f;
        q = q * t + -0x1.40dcf4p-6f;
        q = q * t + 0x1.a58f06p-4f;
        q = q * t + 0x1.45f024p-1f;
        q = q * t + 0x1.20dd88p+0f;
        const float e = 1.0f + mc_exp_reduced(-q * t, &k);
        const float tail = e * mc_power_of_two(k < -127 ? -127 : k) * 0.5f; /* 2^-127 is 0 here */
        y[i] = (x[i] < 0.0f ? 0.0f : x[i]) - fabsf(x[i]) * tail;
    }
}
