/* depthwise.h - convolution of each channel with a filter of its own, over one or two spatial axes, and its
 * derivatives.
 *
 *     y[n, o, c] = b[c] + sum over tap of w[tap, c] x[n, o stride - begin + tap dilation, c]
 *
 * Activations lie channels last, and so do the filters that the loops see: each vector of channels is worked on alone.
 * A sum has the order of its taps, that of a filter's derivative the order of outputs in each slice of the images, so
 * neither depends on the number of threads.
 */
#ifndef MC_KERNEL_DEPTHWISE_H
#define MC_KERNEL_DEPTHWISE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/packed.h"
#include "kernel/window.h"

enum { MC_DEPTHWISE_ROWS = 1, MC_DEPTHWISE_COLUMNS = 2 }; /* axes of the window */

struct mc_depthwise {
    int64_t N, C;            /* C fills a vector at least */
    struct mc_window window; /* of three axes, the first of which is one position */
    bool bounded;            /* outputs, z included */
    struct mc_bounds bounds;
};

struct mc_depthwise_loops {
    int64_t lanes; /* floats of a vector */
    /* Rows [from, to) of y, counted through all images. w: [taps + 1, C], zeros at last; b: [C] or NULL; z: as y,
     * may be y, or NULL; only where C is whole vectors. */
    void (*run)(const struct mc_depthwise *job, const float *x, const float *w, const float *b, const float *z,
                float *y, int64_t from, int64_t to);
    /* Rows [from, to) of dx. */
    void (*run_back)(const struct mc_depthwise *job, const float *dy, const float *w, float *dx, int64_t from,
                     int64_t to);
    /* Floats of the sums of one slice of images, and how many parts of channels they have. */
    size_t (*sum_floats)(const struct mc_depthwise *job);
    int64_t (*n_parts)(const struct mc_depthwise *job);
    /* One part of the sums over images [from, to). */
    void (*add_up)(const struct mc_depthwise *job, const float *x, const float *dy, int64_t from, int64_t to,
                   int64_t part, float *sums);
    /* dw [C, taps] and db [C], each may be NULL, of the sums of all slices. */
    void (*gather)(const struct mc_depthwise *job, int64_t n_slices, const float *sums, float *dw, float *db);
};

#endif
