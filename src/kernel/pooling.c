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
};

/* Visit every row of the output under every tap that meets the input. */
static inline void each_row(const struct mc_window *w, void (*visit)(const struct row *row, void *plane), void *plane)
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

/* Taps of one output position that meet the input, along each axis: from, to; and where tap 0 would. */
struct taps {
    int64_t from[3], to[3], base[3];
};

static inline int64_t divide_up(int64_t a, int64_t b)
{
    return b == 1 ? a : (a + b - 1) / b; /* most windows are not dilated, and division is slow */
}

static inline void set_taps(struct taps *t, const struct mc_window *w, int axis, int64_t output)
{
    const int64_t base = mc_window_at(w, axis, output, 0), step = w->dilation[axis];
    t->base[axis] = base;
    t->from[axis] = base < 0 ? divide_up(-base, step) : 0;
    t->to[axis] = base < w->in[axis] ? divide_up(w->in[axis] - base, step) : 0;
    if (t->to[axis] > w->kernel[axis]) t->to[axis] = w->kernel[axis];
}

/* Of a row of outputs; the last axis is set for each output. */
static inline struct taps taps_of_row(const struct mc_window *w, int64_t row)
{
    struct taps t;
    set_taps(&t, w, 0, row / w->out[1]);
    set_taps(&t, w, 1, row % w->out[1]);
    return t;
}

/* For each of them, in ascending order: the statement, with `at` the position in the input. */
#define EACH_TAP(w, t, at, statement)                                                                                  \
    for (int64_t kd = (t).from[0]; kd < (t).to[0]; kd++)                                                               \
        for (int64_t kh = (t).from[1]; kh < (t).to[1]; kh++)                                                           \
            for (int64_t kw = (t).from[2]; kw < (t).to[2]; kw++) {                                                     \
                const int64_t at_d = (t).base[0] + kd * (w)->dilation[0], at_h = (t).base[1] + kh * (w)->dilation[1];  \
                const int64_t at = (at_d * (w)->in[1] + at_h) * (w)->in[2] + (t).base[2] + kw * (w)->dilation[2];      \
                statement;                                                                                             \
            }

#define IS_NAN(x) ((x) != (x))
#define LEAST (-INFINITY)
#define WIDE LANES
#define T float
#define NAME(name) name##_f32
#include "kernel/pooling_loops.inc"
#include "kernel/pooling_max.inc"
#undef T
#undef NAME
#define T double
#define NAME(name) name##_f64
#include "kernel/pooling_loops.inc"
#include "kernel/pooling_max.inc"
#undef T
#undef NAME
#undef LEAST
#undef IS_NAN
#undef WIDE
#define WIDE 64
#define IS_NAN(x) 0
#define LEAST 0
#define T uint8_t
#define NAME(name) name##_u8
#include "kernel/pooling_max.inc"
#undef T
#undef NAME
#undef LEAST
#define LEAST INT8_MIN
#define T int8_t
#define NAME(name) name##_i8
#include "kernel/pooling_max.inc"

const struct mc_poolings MC_VARIANT(mc_poolings) = {
    .of = {[MC_POOLING_F32] = {max_f32, max_grad_f32, mean_f32, mean_grad_f32, max_last_f32, max_last_grad_f32,
                               mean_last_f32, mean_last_grad_f32},
           [MC_POOLING_F64] = {max_f64, max_grad_f64, mean_f64, mean_grad_f64, max_last_f64, max_last_grad_f64,
                               mean_last_f64, mean_last_grad_f64},
           [MC_POOLING_U8] = {.max = max_u8, .max_last = max_last_u8},
           [MC_POOLING_I8] = {.max = max_i8, .max_last = max_last_i8}},
};
