/* window.h - a window that slides over one to three spatial axes: the geometry of convolution and pooling.
 *
 * Along each axis, output o meets input o * stride - begin + tap * dilation for every tap in [0, kernel). What falls
 * outside [0, in) is padding: zero for a convolution, nothing for a maximum.
 */
#ifndef MC_KERNEL_WINDOW_H
#define MC_KERNEL_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

enum { MC_MAX_SPATIAL = 3 };

struct mc_window {
    int rank; /* spatial axes, 1 to 3 */
    int64_t in[MC_MAX_SPATIAL], out[MC_MAX_SPATIAL];
    int64_t kernel[MC_MAX_SPATIAL], stride[MC_MAX_SPATIAL], dilation[MC_MAX_SPATIAL];
    int64_t begin[MC_MAX_SPATIAL], end[MC_MAX_SPATIAL]; /* padding; with a rounded-up output the last window may reach
                                                         * beyond `end` */
};

int64_t mc_window_inputs(const struct mc_window *w);  /* positions of the input: product of `in` */
int64_t mc_window_outputs(const struct mc_window *w); /* product of `out` */
int64_t mc_window_taps(const struct mc_window *w);    /* product of `kernel` */

/* Extent that the kernel covers along an axis: (kernel - 1) * dilation + 1. */
int64_t mc_window_reach(const struct mc_window *w, int axis);

/* The same window with leading axes of extent 1, so that there are three. */
struct mc_window mc_window_as_3d(const struct mc_window *w);

/* The same window without axes along which there is one input, one tap and nothing else; at least one axis stays. */
struct mc_window mc_window_without_ones(const struct mc_window *w);

/* Outputs [*from, *to) along an axis for which the tap meets the input and not padding; empty: *from == *to. */
void mc_window_range(const struct mc_window *w, int axis, int64_t tap, int64_t *from, int64_t *to);

/* Input that output o meets along an axis at a tap; may lie outside. */
static inline int64_t mc_window_at(const struct mc_window *w, int axis, int64_t o, int64_t tap)
{
    return o * w->stride[axis] - w->begin[axis] + tap * w->dilation[axis];
}

/* The input that an output meets at a tap, all three counted through the window's axes, row-major; -1: padding. The
 * window has three axes. */
int64_t mc_window_position(const struct mc_window *w, int64_t output, int64_t tap);

/* Does the window show each input once and in place (one tap, no stride, no padding)? */
bool mc_window_is_identity(const struct mc_window *w);

#endif
