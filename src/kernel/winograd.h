/* winograd.h - convolution with 3x3 filters by Winograd's minimal filtering, one tile of the output at a time, and its
 * derivatives.
 *
 *     y = A' [ (G w G') . (B' x B) ] A        (Lavin and Gray 2015, equations 8 and 12)
 *
 * A tile of T x T outputs sees (T + 2) x (T + 2) inputs. Both it and the filters are evaluated at as many points, where
 * convolving is multiplying: a product of matrices for each point, [tiles, C] x [C, M]. For T = 4 that is 36
 * multiplications where the sum takes 144, for T = 2 16 where it takes 36.
 *
 * The points are 0, infinity and +-1 for T = 2; with +-sqrt(1/2), +-sqrt(2) for T = 4. On 256 channels the largest
 * error is 1.7e-6 of the largest output then, the sum's own 2.4e-7; with the usual +-1, +-2 it is 7e-6.
 *
 * The derivative with respect to x is a convolution of dy with the filters turned around. That with respect to w is the
 * transpose of the above, with sums over tiles in the place of sums over inputs:
 *
 *     dw = G' [ sum over tiles of (A dy A') . (B' x B) ] G
 *
 * An input that is infinite or NaN makes NaN of all outputs of the tiles that see it, where the sum would spare some.
 *
 * Activations lie channels last. Work is cut into blocks of consecutive tiles and panels of consecutive outputs.
 */
#ifndef MC_KERNEL_WINOGRAD_H
#define MC_KERNEL_WINOGRAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/packed.h"

struct mc_winograd {
    int tile; /* T: 2 or 4 */
    int64_t N, C, M;
    int64_t in[2], out[2], begin[2]; /* height, width; padding before */
    int64_t tiles[2], n_tiles;       /* along each axis; in all images */
    int64_t block;                   /* tiles of a block; the last may have fewer. For dw: of a chunk */
    int64_t panel;                   /* outputs of a panel: one, two or four times `lanes`; the last may have fewer */
    const float *weights;            /* packed; not for dw */
    bool bounded;                    /* outputs, z included */
    struct mc_bounds bounds;
};

/* Tap (i, j) of the filter from input c to output m is w[m output_step + c input_step + (3 i + j) tap_step]. */
struct mc_winograd_filters {
    const float *w;
    int64_t output_step, input_step;
    int tap_step;
};

struct mc_winograd_loops {
    int64_t lanes;      /* floats of a vector */
    int64_t most_lanes; /* of a panel: what the registers hold */
    /* Floats of the packed weights, and of the room that a block takes. */
    size_t (*packed_floats)(const struct mc_winograd *job);
    size_t (*room_floats)(const struct mc_winograd *job);
    /* Filters to one panel of `packed`, which is 64-byte aligned. */
    void (*pack)(const struct mc_winograd *job, const struct mc_winograd_filters *filters, int64_t panel,
                 float *packed);
    /* Panels [from, to) of one block of y. b: [M] or NULL; z: as y, or NULL; room is 64-byte aligned. */
    void (*run)(const struct mc_winograd *job, const float *x, const float *b, const float *z, float *y, int64_t block,
                int64_t from, int64_t to, float *room);
};

/* dw, chunk after chunk of tiles: first the chunk's inputs and dy at all points, then their products, each part of them
 * added to the same sums of one chunk after the other. So sums do not depend on how large chunks are, or who makes
 * which. There are n_parts of them: at each point one for each panel of outputs, and as many for db. */
struct mc_winograd_weights_loops {
    int64_t most_lanes; /* of a panel: `lanes`, or twice as many */
    /* Floats of the sums, and of the room of a chunk; both are 64-byte aligned. The room begins with C zeros. */
    size_t (*sum_floats)(const struct mc_winograd *job);
    size_t (*room_floats)(const struct mc_winograd *job);
    int64_t (*n_parts)(const struct mc_winograd *job);
    /* Tiles [from, to), all of the chunk that begins with tile `first`. */
    void (*spread)(const struct mc_winograd *job, const float *x, const float *dy, int64_t first, int64_t from,
                   int64_t to, float *room);
    /* Parts [from, to) of the sums over a chunk of n tiles; of the first one they are written, then added to. */
    void (*add_up)(const struct mc_winograd *job, bool is_first, int64_t n, int64_t from, int64_t to, const float *room,
                   float *sums);
    /* dw [M, C, 3, 3] of inputs [from, to). */
    void (*gather)(const struct mc_winograd *job, const float *sums, int64_t from, int64_t to, float *dw);
    void (*gather_bias)(const struct mc_winograd *job, const float *sums, float *db);
};

#endif
