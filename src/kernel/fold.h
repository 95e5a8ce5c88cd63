/* fold.h - many elements into one along some axes: sums, products, extremes.
 *
 * Elements are taken in one of three carriers, into which blocks of them are converted as they are met: double for
 * floats, int64 and uint64 (which wrap) for integers and truth values. That makes one loop a fold and carrier.
 */
#ifndef MC_KERNEL_FOLD_H
#define MC_KERNEL_FOLD_H

#include "kernel/broadcast.h"

enum mc_fold {
    MC_FOLD_SUM,
    MC_FOLD_SUM_ABS,
    MC_FOLD_SUM_SQUARE,
    MC_FOLD_PROD,
    MC_FOLD_MAX, /* NaN wins */
    MC_FOLD_MIN,
    MC_FOLD_SUM_EXP, /* of x - shift, doubles alone */
    MC_FOLD_COUNT
};

enum mc_carrier { MC_CARRIER_REAL, MC_CARRIER_SIGNED, MC_CARRIER_UNSIGNED };
enum mc_carrier mc_fold_carrier(enum mc_dtype dtype);

/* x, of shape `shape`, into result[…], of shape `kept` (the same with 1 for what is folded), 8 bytes an element of the
 * carrier's type. The result is set to what the fold of nothing gives first. `shift` (SUM_EXP): one for each element of
 * the result. Sums run in the order of the elements, whatever the number of threads. */
void mc_fold(enum mc_fold fold, enum mc_dtype dtype, const void *x, const struct mc_shape *shape,
             const struct mc_shape *kept, const double *shift, void *result);

/* n results as elements of type `dtype`. */
void mc_fold_store(enum mc_dtype dtype, const void *result, int64_t n, void *y);

#endif
