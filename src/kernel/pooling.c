/* pooling.c - sliding windows over planes; see pooling.h. Compiled once per instruction set. */
#include "kernel/pooling.h"

#include <math.h>
#include <string.h>

#include "kernel/lanes.h"

#ifndef MC_VARIANT
#define MC_VARIANT(name) name##_portable
#endif
extern const struct mc_poolings MC_VARIANT(mc_poolings);

/* Outputs [output, output + n) of a plane, and the inputs that one tap shows them: `input`, `stride` apart. */
struct row {
    int64_t n, input, output, stride;
};

struct plane {
    const void *x;
    void *y;
    int32_t *at;
    const double *share;
    int64_t width, pitch;
};

typedef void visit_fn(const struct row *row, const struct plane *plane);

/* Visit every row of the output under every tap that meets the input. */
static inline void each_row(const struct mc_window *w, visit_fn *visit, const struct plane *plane)
{
    int64_t od, od_end, oh, oh_end, ow, ow_end;
    for (int64_t kd = 0; kd < w->kernel[0]; kd++)
        for (int64_t kh = 0; kh < w->kernel[1]; kh++)
            for (int64_t kw = 0; kw < w->kernel[2]; kw++) {
                mc_window_range(w, 2, kw, &ow, &ow_end);
                mc_window_range(w, 0, kd, &od, &od_end);
                for (; od < od_end; od++) {
                    mc_window_range(w, 1, kh, &oh, &oh_end);
                    for (; oh < oh_end; oh++) {
                        const int64_t z = mc_window_at(w, 0, od, kd), y = mc_window_at(w, 1, oh, kh);
                        const struct row row = {
                            .n = ow_end - ow,
                            .input = (z * w->in[1] + y) * w->in[2] + mc_window_at(w, 2, ow, kw),
                            .output = (od * w->out[1] + oh) * w->out[2] + ow,
                            .stride = w->stride[2],
                        };
                        visit(&row, plane);
                    }
                }
            }
}

#define T float
#define NAME(name) name##_f32
#include "kernel/pooling_loops.inc"
#undef T
#undef NAME
#define T double
#define NAME(name) name##_f64
#include "kernel/pooling_loops.inc"
#undef T
#undef NAME

const struct mc_poolings MC_VARIANT(mc_poolings) = {
    .of = {[MC_POOLING_F32] = {max_f32, max_grad_f32, mean_f32, mean_grad_f32},
           [MC_POOLING_F64] = {max_f64, max_grad_f64, mean_f64, mean_grad_f64}},
};
