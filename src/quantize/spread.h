/* spread.h - how the numbers of an activation lie, and between which bounds 256 steps serve them best. */
#ifndef MC_QUANTIZE_SPREAD_H
#define MC_QUANTIZE_SPREAD_H

#include <stdbool.h>
#include <stdint.h>

enum mc_calibration {
    MC_CALIBRATION_MINMAX,     /* the least and the largest */
    MC_CALIBRATION_PERCENTILE, /* what so many percent lie between, half of the rest on either side */
    MC_CALIBRATION_ENTROPY,    /* least divergence of the counts from those that 256 steps tell apart (Migacz 2017) */
    MC_CALIBRATION_MSE,        /* least squared error */
};

enum { MC_SPREAD_CELLS = 2048 };

/* Numbers are seen twice: for their bounds, and then counted in cells between these. All zero: nothing was seen. */
struct mc_spread {
    double low, high; /* with 0 between them */
    double n;
    double counts[MC_SPREAD_CELLS];
};

/* First time; false: one is not finite. */
bool mc_spread_see(struct mc_spread *spread, const float *x, int64_t n);
/* Second time. */
void mc_spread_count(struct mc_spread *spread, const float *x, int64_t n);
/* The bounds, within those that were seen, with 0 between them; apart unless all is 0. `percent` is PERCENTILE's. */
void mc_spread_bounds(const struct mc_spread *spread, enum mc_calibration by, double percent, double *low,
                      double *high);

/* A step, and the code that 0 has among 256 from `least` on: x = (code - zero) scale. */
void mc_steps_between(double low, double high, int least, float *scale, int *zero);

#endif
