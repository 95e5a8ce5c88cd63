/* pointwise.h - convolution with one tap: at every position, y = w x + b. A product of matrices, [positions, C] x [C,
 * M], whose second factor is packed. Activations lie channels last.
 *
 * Outputs are cut into panels of widths as equal as can be. The last vector of the last panel ends with the last output
 * and so may repeat some, rather than reach beyond; M has to fill a vector.
 */
#ifndef MC_KERNEL_POINTWISE_H
#define MC_KERNEL_POINTWISE_H

#include <stddef.h>
#include <stdint.h>

struct mc_pointwise {
    int64_t C, M;
    int64_t n_panels;
    const float *weights; /* packed: panel after panel of [C, vectors] */
};

struct mc_pointwise_loops {
    int64_t lanes, most_lanes; /* floats of a vector, and of a panel at most */
    size_t (*packed_floats)(const struct mc_pointwise *job);
    /* w [M, C] to one panel of `packed`, which is 64-byte aligned. */
    void (*pack)(const struct mc_pointwise *job, const float *w, int64_t panel, float *packed);
    /* Panels [from, to) of n positions: x [n, C], y [n, M]. b: [M] or NULL. */
    void (*run)(const struct mc_pointwise *job, const float *x, const float *b, float *y, int64_t n, int64_t from,
                int64_t to);
};

#endif
