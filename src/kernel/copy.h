/* copy.h - moving elements about: permutes, slices, concatenations, broadcasts.
 *
 * All of them are one walk over a box of indices that steps through a source and a target at different strides. The
 * caller states the box; this module finds the fast way through it (long runs, blocked transposes, threads).
 */
#ifndef MC_KERNEL_COPY_H
#define MC_KERNEL_COPY_H

#include "tensor/tensor.h"

/* For every index i of extent[0] x … x extent[rank-1]: target[sum i*to] takes from source[sum i*from]. Strides count
 * elements; one of a source may be zero (broadcast) or negative (backwards). */
struct mc_box {
    int rank;
    int64_t extent[MC_MAX_RANK];
    int64_t to[MC_MAX_RANK];
    int64_t from[MC_MAX_RANK];
};

/* Row-major strides of a shape, one per axis. */
void mc_strides(const struct mc_shape *shape, int64_t *strides);

/* Same walk in fewer axes: those of extent 1 go, neighbours that both sides step through evenly become one. */
void mc_box_simplify(struct mc_box *box);

/* Copy elements of `size` bytes: 1, 2, 4, 8 or 16. `to` and `from` are where index 0 lies; no element of the target may
 * be met twice and the two must not overlap. Uses the OpenMP pool when there is much to do. */
void mc_copy_box(void *to, const void *from, const struct mc_box *box, size_t size);

/* to[j, i] = from[i, j] for `rows` rows i of `columns` floats j, on the calling thread; neighbours of a row lie side by
 * side, rows of `from` and of `to` so many floats apart. */
void mc_transpose_floats(float *to, int64_t to_row, const float *from, int64_t from_row, int64_t rows, int64_t columns);

/* n copies of one element of `size` bytes. */
void mc_fill(void *to, const void *element, int64_t n, size_t size);

/* n samples of [channels, positions] from [positions, channels], or the other way round if `to_last`. */
void mc_turn_channels(void *to, const void *from, int64_t n, int64_t channels, int64_t positions, size_t size,
                      bool to_last);

#endif
