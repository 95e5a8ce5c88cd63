/* window.h - a window that slides over the spatial axes of [N, C, …]: what convolution and pooling have in common.
 *
 * Always three axes; a tensor with fewer has leading axes of extent 1, kernel 1, stride 1 and no padding.
 */
#ifndef MC_KERNEL_WINDOW_H
#define MC_KERNEL_WINDOW_H

#include <stdint.h>

enum { MC_WINDOW_AXES = 3 };

struct mc_window {
    int rank; /* spatial axes of the tensor, 1 to 3; they are the last `rank` of the arrays */
    int64_t in[MC_WINDOW_AXES], out[MC_WINDOW_AXES];
    int64_t kernel[MC_WINDOW_AXES], stride[MC_WINDOW_AXES], dilation[MC_WINDOW_AXES];
    int64_t pad_begin[MC_WINDOW_AXES], pad_end[MC_WINDOW_AXES];
};

static inline int64_t mc_window_inputs(const struct mc_window *w)
{
    return w->in[0] * w->in[1] * w->in[2];
}

static inline int64_t mc_window_outputs(const struct mc_window *w)
{
    return w->out[0] * w->out[1] * w->out[2];
}

static inline int64_t mc_window_taps(const struct mc_window *w)
{
    return w->kernel[0] * w->kernel[1] * w->kernel[2];
}

/* The outputs [*begin, *end) along an axis for which kernel position k reads inside the input. */
static inline void mc_window_span(const struct mc_window *w, int axis, int64_t k, int64_t *begin, int64_t *end)
{
    const int64_t s = w->stride[axis], first = k * w->dilation[axis] - w->pad_begin[axis]; /* read by output 0 */
    const int64_t low = first < 0 ? (-first + s - 1) / s : 0;
    const int64_t high = first < w->in[axis] ? (w->in[axis] - 1 - first) / s + 1 : 0;
    *begin = low;
    *end = high < w->out[axis] ? high : w->out[axis];
    if (*end < *begin) *end = *begin;
}

#endif
