/* cubic.h - the filter that cubic interpolation weighs elements by. */
#ifndef MC_OP_CUBIC_H
#define MC_OP_CUBIC_H

#include <math.h>

/* Weight of an element x away; Keys 1981, equation (4). */
static inline double mc_cubic(double x, double a)
{
    x = fabs(x);
    if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? ((x - 5) * x + 8) * x * a - 4 * a : 0;
}

/* Its derivative. */
static inline double mc_cubic_slope(double x, double a)
{
    const double sign = x < 0 ? -1 : 1;
    x = fabs(x);
    if (x <= 1) return sign * (3 * (a + 2) * x - 2 * (a + 3)) * x;
    return x < 2 ? sign * ((3 * x - 10) * x + 8) * a : 0;
}

#endif
