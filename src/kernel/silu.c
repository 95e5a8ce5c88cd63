/* silu.c - y = x / (1 + e^-x); see kernels.h. Compiled once per instruction set, with multiplications and additions
 * contracted. */
#include "kernel/approx.h"
#include "kernel/kernels.h"
#include "kernel/lanes.h"

#ifndef MC_VARIANT
#define MC_VARIANT(name) name##_portable
#endif
extern mc_unary_fn MC_VARIANT(mc_silu);

/* -x, or where it is larger than 89, 89 of its sign: by integers, of which a compiler makes minima rather than
 * branches. (It cannot be NaN then; the quotient is.) */
static inline float minus_at_most_89(float x)
{
    const uint32_t bits = mc_float_bits(x), size = bits & 0x7fffffffu, most = mc_float_bits(89.0f);
    return mc_bits_float((~bits & 0x80000000u) | (size < most ? size : most));
}

/* Below -88.7 e^-x is infinite and y is -0, where it should be 5e-37 or less. */
void MC_VARIANT(mc_silu)(int64_t n, const void *x_, void *y_, const double p[2])
{
    const float *x = x_;
    float *y = y_;
    SIMD for (int64_t i = 0; i < n; i++)
    {
        int32_t k;
        const float e = 1.0f + mc_exp_reduced(minus_at_most_89(x[i]), &k);
        y[i] = x[i] / (1.0f + e * mc_power_of_two(k < -126 ? -126 : k));
    }
}
