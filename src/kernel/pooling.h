/* pooling.h - maxima and means of sliding windows over planes of a batch.
 *
 * A plane is the spatial part of one sample's channel. Loops run over whole rows of the output for one tap of the
 * window at a time, so that they become SIMD code; taps come in ascending order. Where channels lie last, loops run
 * over the C channels of a position. Windows given here have three axes (mc_window_as_3d).
 */
#ifndef MC_KERNEL_POOLING_H
#define MC_KERNEL_POOLING_H

#include "kernel/window.h"

struct mc_pooling_loops {
    /* y = maxima, NaN if the window has one; `at` (may be NULL) = position in the plane of the first largest. A window
     * that meets no input gives -infinity at position 0. */
    void (*max)(const struct mc_window *w, const void *x, void *y, int32_t *at);
    /* dx = gradient of x; cleared first. */
    void (*max_grad)(const struct mc_window *w, const int32_t *at, const void *dy, void *dx);
    /* y = sums * share; share [outputs] comes from mc_pooling_shares. */
    void (*mean)(const struct mc_window *w, const double *share, const void *x, void *y);
    void (*mean_grad)(const struct mc_window *w, const double *share, const void *dy, void *dx);

    /* The same for one sample whose channels lie last: x [in..., C], y, dy and at [out..., C]. Forward makes row `row`
     * of y, of out[0] * out[1] rows; backward the whole of dx. */
    void (*max_last)(const struct mc_window *w, int64_t C, int64_t row, const void *x, void *y, int32_t *at);
    void (*max_last_grad)(const struct mc_window *w, int64_t C, const int32_t *at, const void *dy, void *dx);
    void (*mean_last)(const struct mc_window *w, int64_t C, int64_t row, const double *share, const void *x, void *y);
    void (*mean_last_grad)(const struct mc_window *w, int64_t C, const double *share, const void *dy, void *dx);
};

/* Bytes have forward maxima alone; what meets no input is their least number. */
enum mc_pooling_type { MC_POOLING_F32, MC_POOLING_F64, MC_POOLING_U8, MC_POOLING_I8, MC_POOLING_TYPES };

struct mc_poolings {
    struct mc_pooling_loops of[MC_POOLING_TYPES];
};

/* share[o] = 1 / number of taps of output o that meet the input, or with `count_pads` the input or its padding. */
void mc_pooling_shares(const struct mc_window *w, int count_pads, double *share);

#endif
