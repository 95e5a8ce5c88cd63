/* channel.h - loops over channels of a batch, one by itself or several side by side.
 *
 * In [N, C, H, W] a channel is N segments of H*W elements, C*H*W apart. Where channels lie last, up to
 * MC_CHANNEL_WIDTH neighbours are taken together: N*H*W positions, C apart, of so many elements. Numbers per channel
 * come and go in arrays. Sums are in double precision; one channel by itself in the lanes of lanes.h within a segment
 * and segment after segment, neighbours position after position. So they depend neither on threads nor on the
 * instruction set.
 */
#ifndef MC_KERNEL_CHANNEL_H
#define MC_KERNEL_CHANNEL_H

#include <stdint.h>

#define MC_CHANNEL_WIDTH 16

struct mc_channel {
    int64_t n, length, stride; /* segments, elements of one, elements from one to the next */
    int64_t width; /* 0: one channel. Else so many neighbours; a segment is then a position, `length` unused */
};

struct mc_channel_loops {
    /* sums = of x - center, squares = of (x - center)^2 */
    void (*moments)(const struct mc_channel *channel, const void *x, const double *center, double *sums,
                    double *squares);
    /* y = a x + b */
    void (*affine)(const struct mc_channel *channel, const void *x, const double *a, const double *b, void *y);
    /* sums = of dy, products = of dy (x - center) */
    void (*grad_sums)(const struct mc_channel *channel, const void *x, const void *dy, const double *center,
                      double *sums, double *products);
    /* dx = a dy + b x + c */
    void (*grad)(const struct mc_channel *channel, const void *x, const void *dy, const double *a, const double *b,
                 const double *c, void *dx);
};

enum mc_channel_type { MC_CHANNEL_F32, MC_CHANNEL_F64, MC_CHANNEL_TYPES };

struct mc_channels {
    struct mc_channel_loops of[MC_CHANNEL_TYPES];
};

#endif
