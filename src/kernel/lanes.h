/* lanes.h - what the sources that are compiled once per instruction set share: SIMD loops, sums in fixed lanes.
 *
 * A sum runs in 16 lanes of double, element i in lane i mod 16, and the lanes are added as a tree (j with j + 8, then
 * 4, 2, 1). That is wide enough for every instruction set and the same for all of them, so that they give the same
 * bits.
 */
#ifndef MC_KERNEL_LANES_H
#define MC_KERNEL_LANES_H

#include <stdint.h>

/* Before a loop: what it writes is the same run as an input, or overlaps none. (The compiler could not know.) */
#define SIMD _Pragma("omp simd")

#define LANES 16

static inline double add_lanes(double *lane)
{
    for (int width = LANES / 2; width > 0; width /= 2)
        for (int j = 0; j < width; j++) lane[j] += lane[j + width];
    return lane[0];
}

/* `result` = the sum over k in [0, n) of the expression `summand`. */
#define SUM(result, n, summand)                                                                                        \
    do {                                                                                                               \
        double lane[LANES] = {0};                                                                                      \
        int64_t i = 0;                                                                                                 \
        for (; i + LANES <= (n); i += LANES) {                                                                         \
            SIMD for (int j = 0; j < LANES; j++)                                                                       \
            {                                                                                                          \
                const int64_t k = i + j;                                                                               \
                lane[j] += (double)(summand);                                                                          \
            }                                                                                                          \
        }                                                                                                              \
        for (int64_t k = i; k < (n); k++) lane[k - i] += (double)(summand);                                            \
        (result) = add_lanes(lane);                                                                                    \
    } while (0)

#endif
