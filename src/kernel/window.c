/* window.c - the geometry of sliding windows; see window.h. */
#include "kernel/window.h"

static int64_t product(const int64_t *extents, int rank)
{
    int64_t n = 1;
    for (int k = 0; k < rank; k++) n *= extents[k];
    return n;
}

int64_t mc_window_inputs(const struct mc_window *w)
{
    return product(w->in, w->rank);
}

int64_t mc_window_outputs(const struct mc_window *w)
{
    return product(w->out, w->rank);
}

int64_t mc_window_taps(const struct mc_window *w)
{
    return product(w->kernel, w->rank);
}

int64_t mc_window_reach(const struct mc_window *w, int axis)
{
    return (w->kernel[axis] - 1) * w->dilation[axis] + 1;
}

struct mc_window mc_window_without_ones(const struct mc_window *w)
{
    struct mc_window few = {0};
    for (int k = 0; k < w->rank; k++) {
        const bool is_one = w->in[k] == 1 && w->out[k] == 1 && w->kernel[k] == 1 && !w->begin[k] && !w->end[k];
        if (is_one && (few.rank > 0 || k < w->rank - 1)) continue;
        few.in[few.rank] = w->in[k];
        few.out[few.rank] = w->out[k];
        few.kernel[few.rank] = w->kernel[k];
        few.stride[few.rank] = w->stride[k];
        few.dilation[few.rank] = w->dilation[k];
        few.begin[few.rank] = w->begin[k];
        few.end[few.rank++] = w->end[k];
    }
    return few;
}

struct mc_window mc_window_as_3d(const struct mc_window *w)
{
    struct mc_window full = {.rank = MC_MAX_SPATIAL};
    const int missing = MC_MAX_SPATIAL - w->rank;
    for (int k = 0; k < MC_MAX_SPATIAL; k++) {
        const int from = k - missing;
        const bool there = from >= 0;
        full.in[k] = there ? w->in[from] : 1;
        full.out[k] = there ? w->out[from] : 1;
        full.kernel[k] = there ? w->kernel[from] : 1;
        full.stride[k] = there ? w->stride[from] : 1;
        full.dilation[k] = there ? w->dilation[from] : 1;
        full.begin[k] = there ? w->begin[from] : 0;
        full.end[k] = there ? w->end[from] : 0;
    }
    return full;
}

static int64_t divide_up(int64_t a, int64_t b)
{
    return a <= 0 ? 0 : (a + b - 1) / b;
}

void mc_window_range(const struct mc_window *w, int axis, int64_t tap, int64_t *from, int64_t *to)
{
    const int64_t ahead = w->begin[axis] - tap * w->dilation[axis]; /* output 0 meets input -ahead */
    *from = divide_up(ahead, w->stride[axis]);
    *to = divide_up(w->in[axis] + ahead, w->stride[axis]);
    if (*to > w->out[axis]) *to = w->out[axis];
    if (*from > *to) *from = *to;
}

int64_t mc_window_position(const struct mc_window *w, int64_t output, int64_t tap)
{
    int64_t position = 0, step = 1;
    for (int k = MC_MAX_SPATIAL - 1; k >= 0; k--) {
        const int64_t at = mc_window_at(w, k, output % w->out[k], tap % w->kernel[k]);
        if (at < 0 || at >= w->in[k]) return -1;
        position += at * step;
        step *= w->in[k];
        output /= w->out[k];
        tap /= w->kernel[k];
    }
    return position;
}

bool mc_window_is_identity(const struct mc_window *w)
{
    for (int k = 0; k < w->rank; k++)
        if (w->kernel[k] != 1 || w->stride[k] != 1 || w->begin[k] != 0 || w->end[k] != 0) return false;
    return true;
}
