/* channel.h - loops over one channel of a batch: n segments of `length` elements, `stride` elements apart.
 *
 * In [N, C, H, W] a channel is N segments of H*W elements, C*H*W apart. Sums are in double precision, in the lanes of
 * lanes.h within a segment and segment after segment, so that they depend neither on threads nor on the instruction
 * set.
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
};

enum mc_channel_type { MC_CHANNEL_F32, MC_CHANNEL_F64, MC_CHANNEL_TYPES };

struct mc_channels {
    struct mc_channel_loops of[MC_CHANNEL_TYPES];
};

#endif
