/* channel.h - loops over the channels of a batch: one channel at a time, or rows of all channels.
 *
 * In [N, C, H, W] a channel is N segments of H*W elements, C*H*W apart. Where channels lie last, [N, H, W, C], a row is
 * the C channels of one position, and rows follow each other. Sums are in double precision: in the lanes of lanes.h
 * within a segment and segment after segment, or row after row, so that they do not depend on the instruction set.
 */
#ifndef MC_KERNEL_CHANNEL_H
#define MC_KERNEL_CHANNEL_H

#include <stdint.h>

struct mc_channel {
    int64_t n, length, stride;
};

struct mc_channel_loops {
    /* sums[0] = sum of x - center, sums[1] = sum of (x - center)^2 */
    void (*moments)(const struct mc_channel *channel, const void *x, double center, double sums[2]);
    /* y = a x + b */
    void (*affine)(const struct mc_channel *channel, const void *x, double a, double b, void *y);
    /* sums[0] = sum of dy, sums[1] = sum of dy (x - center) */
    void (*grad_sums)(const struct mc_channel *channel, const void *x, const void *dy, double center, double sums[2]);
    /* dx = a dy + b x + c */
    void (*grad)(const struct mc_channel *channel, const void *x, const void *dy, double a, double b, double c,
                 void *dx);

    /* The same over rows of C channels, where center, sums, a, b and c have an entry for each channel; a, b, c in the
     * type of x. Sums are written, not added to: C of the first kind, then C of the second. */
    void (*moments_of_rows)(int64_t rows, int64_t C, const void *x, const double *center, double *sums);
    void (*affine_of_rows)(int64_t rows, int64_t C, const void *x, const void *a, const void *b, void *y);
    void (*grad_sums_of_rows)(int64_t rows, int64_t C, const void *x, const void *dy, const double *center,
                              double *sums);
    void (*grad_of_rows)(int64_t rows, int64_t C, const void *x, const void *dy, const void *a, const void *b,
                         const void *c, void *dx);
};

enum mc_channel_type { MC_CHANNEL_F32, MC_CHANNEL_F64, MC_CHANNEL_TYPES };

struct mc_channels {
    struct mc_channel_loops of[MC_CHANNEL_TYPES];
};

#endif
