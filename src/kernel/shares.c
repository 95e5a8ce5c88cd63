/* shares.c - what each tap of an averaging window counts; see mc_pooling_shares in pooling.h. */
#include "kernel/pooling.h"

/* Taps of output o along an axis that meet [-before, in + after). */
static int64_t count_taps(const struct mc_window *w, int axis, int64_t o, int count_pads)
{
    const int64_t low = count_pads ? -w->begin[axis] : 0, high = w->in[axis] + (count_pads ? w->end[axis] : 0);
    int64_t n = 0;
    for (int64_t k = 0; k < w->kernel[axis]; k++) {
        const int64_t at = mc_window_at(w, axis, o, k);
        n += at >= low && at < high;
    }
    return n;
}

void mc_pooling_shares(const struct mc_window *w, int count_pads, double *share)
{
    for (int64_t d = 0; d < w->out[0]; d++)
        for (int64_t h = 0; h < w->out[1]; h++) {
            const int64_t rows = count_taps(w, 0, d, count_pads) * count_taps(w, 1, h, count_pads);
            for (int64_t x = 0; x < w->out[2]; x++) {
                const int64_t n = rows * count_taps(w, 2, x, count_pads);
                *share++ = n ? 1.0 / (double)n : 0;
            }
        }
}
