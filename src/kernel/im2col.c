/* im2col.c - convolution as products of matrices: the backend that has every shape and type; see convolution.h.
 *
 * For one image and group, the columns are the matrix [C/groups * taps, positions] of what each output position sees;
 * the outputs are w times that. It is made a strip of output rows at a time, so that a strip stays in cache whatever
 * the size of the image. Where the window is one tap in place, the image itself is that matrix.
 *
 *     forward            y    = w columns(x)
 *     backward_data      dx   = columns^T(w^T dy)       each column added back where it came from
 *     backward_weights   dw  += dy columns(x)^T         images shared out, their sums added in order
 *
 * Images (and strips of few images) are shared out among threads; BLAS then stays on its thread.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "kernel/blas.h"
#include "kernel/convolution.h"
#include "kernel/kernels.h"
#include "kernel/loops.h"
#include "kernel/parallel.h"

/* A strip of columns should stay in a second-level cache. */
#define STRIP_BYTES ((size_t)512 << 10)
/* Sums of dw that threads keep for themselves may take this much in all; beyond, fewer threads share out images. */
#define PARTIAL_BYTES ((size_t)64 << 20)

struct im2col {
    struct mc_convolution conv;
    struct mc_window w; /* of three axes */
    const struct mc_row_loops *rows;
    size_t size;           /* of an element */
    int64_t C, M;          /* of one group */
    int64_t taps, in, out; /* positions */
    int64_t n_rows, strip; /* rows of outputs (all axes but the last), and how many make a strip */
    int64_t n_strips;
    bool direct; /* the image is the columns */
    bool plain;  /* products on OpenBLAS alone */
    int n_threads;
    int n_partials; /* threads that share out images in backward_weights */
    size_t strip_bytes, filter_bytes;
};

/* --- rows of elements, in both types --- */

static void take(size_t size, int64_t n, const void *x, int64_t step, void *y)
{
    if (step == 1)
        memcpy(y, x, (size_t)n * size);
    else if (size == sizeof(float))
        for (int64_t i = 0; i < n; i++) ((float *)y)[i] = ((const float *)x)[i * step];
    else
        for (int64_t i = 0; i < n; i++) ((double *)y)[i] = ((const double *)x)[i * step];
}

static void add_back(size_t size, int64_t n, const void *y, void *x, int64_t step)
{
    if (size == sizeof(float))
        for (int64_t i = 0; i < n; i++) ((float *)x)[i * step] += ((const float *)y)[i];
    else
        for (int64_t i = 0; i < n; i++) ((double *)x)[i * step] += ((const double *)y)[i];
}

static void shift(size_t size, int64_t n, const void *b, void *y)
{
    if (size == sizeof(float))
        for (int64_t i = 0; i < n; i++) ((float *)y)[i] += *(const float *)b;
    else
        for (int64_t i = 0; i < n; i++) ((double *)y)[i] += *(const double *)b;
}

/* --- columns --- */

/* Where row `row` of the outputs meets the input at tap (kd, kh) and which of its outputs tap kw meets there.
 * Returns the element of the channel that output `from` meets; -1: the whole row is padding. */
static int64_t meet(const struct mc_window *w, int64_t row, const int64_t tap[3], int64_t *from, int64_t *to)
{
    const int64_t d = mc_window_at(w, 0, row / w->out[1], tap[0]), h = mc_window_at(w, 1, row % w->out[1], tap[1]);
    if (d < 0 || d >= w->in[0] || h < 0 || h >= w->in[1]) return -1;
    mc_window_range(w, 2, tap[2], from, to);
    return (d * w->in[1] + h) * w->in[2] + mc_window_at(w, 2, *from, tap[2]);
}

static void split_tap(const struct mc_window *w, int64_t tap, int64_t split[3])
{
    split[2] = tap % w->kernel[2];
    split[1] = tap / w->kernel[2] % w->kernel[1];
    split[0] = tap / w->kernel[2] / w->kernel[1];
}

/* Columns of rows [first, first + n) of the outputs, of the channels of one group from x on. */
static void make_columns(const struct im2col *s, const char *x, int64_t first, int64_t n, char *columns)
{
    const struct mc_window *w = &s->w;
    const size_t width = (size_t)w->out[2] * s->size;
    for (int64_t k = 0; k < s->C * s->taps; k++) {
        const char *channel = x + (size_t)(k / s->taps * s->in) * s->size;
        int64_t tap[3], from, to;
        split_tap(w, k % s->taps, tap);
        for (int64_t row = first; row < first + n; row++, columns += width) {
            const int64_t at = meet(w, row, tap, &from, &to);
            if (at < 0 || from == to) {
                memset(columns, 0, width);
                continue;
            }
            memset(columns, 0, (size_t)from * s->size);
            take(s->size, to - from, channel + (size_t)at * s->size, w->stride[2], columns + (size_t)from * s->size);
            memset(columns + (size_t)to * s->size, 0, (size_t)(w->out[2] - to) * s->size);
        }
    }
}

static void return_columns(const struct im2col *s, const char *columns, int64_t first, int64_t n, char *dx)
{
    const struct mc_window *w = &s->w;
    for (int64_t k = 0; k < s->C * s->taps; k++) {
        char *channel = dx + (size_t)(k / s->taps * s->in) * s->size;
        int64_t tap[3], from, to;
        split_tap(w, k % s->taps, tap);
        for (int64_t row = first; row < first + n; row++, columns += (size_t)w->out[2] * s->size) {
            const int64_t at = meet(w, row, tap, &from, &to);
            if (at < 0 || from == to) continue;
            add_back(s->size, to - from, columns + (size_t)from * s->size, channel + (size_t)at * s->size,
                     w->stride[2]);
        }
    }
}

/* --- making ready --- */

static void cut_strips(struct im2col *s)
{
    const size_t row_bytes = (size_t)(s->C * s->taps * s->w.out[2]) * s->size;
    const int64_t images = s->conv.N * s->conv.groups;
    s->n_rows = s->w.out[0] * s->w.out[1];
    s->strip = row_bytes > 0 ? (int64_t)(STRIP_BYTES / row_bytes) : s->n_rows;
    /* Where there are fewer images than threads, strips are what is shared out. */
    const int64_t wanted = images > 0 ? (s->n_threads + images - 1) / images : 1;
    if (s->strip > (s->n_rows + wanted - 1) / wanted) s->strip = (s->n_rows + wanted - 1) / wanted;
    if (s->strip < 1) s->strip = 1;
    s->n_strips = (s->n_rows + s->strip - 1) / s->strip;
    s->strip_bytes = s->direct ? 0 : mc_align(row_bytes * (size_t)s->strip);
}

static int im2col_create(void **state, const struct mc_convolution *conv, const struct mc_runtime *runtime,
                         size_t *workspace_bytes, struct mc_error *err)
{
    struct im2col *s = MC_NEW(struct im2col);
    if (!s) return mc_error_memory(err);
    s->conv = *conv;
    s->w = mc_window_as_3d(&conv->window);
    s->rows = &runtime->kernels->loops->rows[conv->dtype == MC_FLOAT ? MC_LOOP_F32 : MC_LOOP_F64];
    s->size = conv->dtype == MC_FLOAT ? sizeof(float) : sizeof(double);
    s->C = conv->C / conv->groups;
    s->M = conv->M / conv->groups;
    s->taps = mc_window_taps(&s->w);
    s->in = mc_window_inputs(&s->w);
    s->out = mc_window_outputs(&s->w);
    s->direct = mc_window_is_identity(&s->w);
    s->plain = !runtime->use_onednn;
    s->n_threads = runtime->n_threads;
    cut_strips(s);
    s->filter_bytes = mc_align((size_t)(conv->M * s->C * s->taps) * s->size);
    const int64_t partials = s->filter_bytes > 0 ? 1 + (int64_t)(PARTIAL_BYTES / s->filter_bytes) : 1;
    s->n_partials = s->n_threads;
    if (s->n_partials > conv->N) s->n_partials = (int)conv->N;
    if (s->n_partials > partials) s->n_partials = (int)partials;
    *workspace_bytes = s->strip_bytes * (size_t)s->n_threads;
    if (conv->backward && s->n_partials > 1) *workspace_bytes += s->filter_bytes * (size_t)(s->n_partials - 1);
    *state = s;
    return MC_OK;
}

static void im2col_destroy(void *state)
{
    mc_free(state);
}

/* --- one strip --- */

/* A call: what is shared by all its strips. */
struct call {
    const struct im2col *s;
    const char *x, *w, *b, *dy;
    char *y, *dx, *dw;
    char *columns;  /* room for one strip for each thread */
    char *partials; /* dw of all threads but the first */
    void (*item)(const struct call *c, int64_t i, char *room);
    int64_t n_items, n_parts;
};

struct strip {
    int64_t group, first, n_rows; /* rows of outputs */
    size_t x, w, y, b;            /* offsets in bytes: image and group, filters, group's outputs at the strip */
};

static struct strip locate(const struct im2col *s, int64_t image, int64_t group, int64_t number)
{
    struct strip t = {.group = group, .first = number * s->strip};
    t.n_rows = t.first + s->strip <= s->n_rows ? s->strip : s->n_rows - t.first;
    t.x = (size_t)((image * s->conv.groups + group) * s->C * s->in) * s->size;
    t.w = (size_t)(group * s->M * s->C * s->taps) * s->size;
    t.y = (size_t)((image * s->conv.groups + group) * s->M * s->out + t.first * s->w.out[2]) * s->size;
    t.b = (size_t)(group * s->M) * s->size;
    return t;
}

/* Columns of a strip: in the image itself, or made in `room`. */
static const char *columns_of(const struct call *c, const struct strip *t, char *room, int64_t *row_length)
{
    const struct im2col *s = c->s;
    *row_length = s->direct ? s->in : t->n_rows * s->w.out[2];
    if (s->direct) return c->x + t->x + (size_t)(t->first * s->w.out[2]) * s->size;
    make_columns(s, c->x + t->x, t->first, t->n_rows, room);
    return room;
}

static void forward_strip(const struct call *c, const struct strip *t, char *room)
{
    const struct im2col *s = c->s;
    const int64_t n = t->n_rows * s->w.out[2];
    int64_t row_length;
    const char *columns = columns_of(c, t, room, &row_length);
    struct mc_gemm g = mc_gemm_dense(s->conv.dtype, false, false, s->M, n, s->C * s->taps);
    g.plain = s->plain;
    g.ldb = row_length;
    g.ldc = s->out;
    mc_gemm(&g, c->w + t->w, columns, c->y + t->y);
    for (int64_t m = 0; c->b && m < s->M; m++)
        shift(s->size, n, c->b + t->b + (size_t)m * s->size, c->y + t->y + (size_t)(m * s->out) * s->size);
}

static void backward_data_strip(const struct call *c, const struct strip *t, char *room)
{
    const struct im2col *s = c->s;
    const int64_t n = t->n_rows * s->w.out[2];
    struct mc_gemm g = mc_gemm_dense(s->conv.dtype, true, false, s->C * s->taps, n, s->M);
    g.plain = s->plain;
    g.ldb = s->out;
    if (s->direct) g.ldc = s->in;
    char *to = s->direct ? c->dx + t->x + (size_t)(t->first * s->w.out[2]) * s->size : room;
    mc_gemm(&g, c->w + t->w, c->dy + t->y, to);
    if (!s->direct) return_columns(s, room, t->first, t->n_rows, c->dx + t->x);
}

static void backward_weights_strip(const struct call *c, const struct strip *t, char *room, char *dw, bool first)
{
    const struct im2col *s = c->s;
    const int64_t n = t->n_rows * s->w.out[2];
    int64_t row_length;
    const char *columns = columns_of(c, t, room, &row_length);
    struct mc_gemm g = mc_gemm_dense(s->conv.dtype, false, true, s->M, s->C * s->taps, n);
    g.plain = s->plain;
    g.lda = s->out;
    g.ldb = row_length;
    g.beta = first ? 0 : 1;
    mc_gemm(&g, c->dy + t->y, columns, dw + t->w);
}

/* --- all strips --- */

/* A strip of a group of an image. */
static void forward_item(const struct call *c, int64_t i, char *room)
{
    const int64_t block = i / c->s->n_strips, groups = c->s->conv.groups;
    const struct strip t = locate(c->s, block / groups, block % groups, i % c->s->n_strips);
    forward_strip(c, &t, room);
}

/* A group of an image: its strips overlap in dx. */
static void backward_data_item(const struct call *c, int64_t i, char *room)
{
    const struct im2col *s = c->s;
    const size_t bytes = (size_t)(s->C * s->in) * s->size;
    if (!s->direct) memset(c->dx + (size_t)i * bytes, 0, bytes);
    for (int64_t k = 0; k < s->n_strips; k++) {
        const struct strip t = locate(s, i / s->conv.groups, i % s->conv.groups, k);
        backward_data_strip(c, &t, room);
    }
}

/* One of the parts into which the images are cut; each has its own sum. */
static void backward_weights_item(const struct call *c, int64_t part, char *room)
{
    const struct im2col *s = c->s;
    const int64_t first = part * s->conv.N / s->n_partials, last = (part + 1) * s->conv.N / s->n_partials;
    char *dw = part == 0 ? c->dw : c->partials + (size_t)(part - 1) * s->filter_bytes;
    for (int64_t image = first; image < last; image++) {
        for (int64_t k = 0; k < s->conv.groups * s->n_strips; k++) {
            const struct strip t = locate(s, image, k / s->n_strips, k % s->n_strips);
            backward_weights_strip(c, &t, room, dw, image == first && t.first == 0);
        }
    }
}

static void run_parts(void *context, int64_t begin, int64_t end)
{
    const struct call *c = context;
    for (int64_t part = begin; part < end; part++) {
        char *room = c->columns + (size_t)part * c->s->strip_bytes;
        const int64_t last = (part + 1) * c->n_items / c->n_parts;
        for (int64_t i = part * c->n_items / c->n_parts; i < last; i++) c->item(c, i, room);
    }
}

static void share_out(struct call *c, int64_t n_items, void (*item)(const struct call *, int64_t, char *))
{
    c->item = item;
    c->n_items = n_items;
    c->n_parts = n_items < c->s->n_threads ? n_items : c->s->n_threads;
    mc_parallel(c->n_parts, 1, run_parts, c);
}

/* --- the three passes --- */

static int im2col_forward(void *state, const void *x, const void *w, const void *b, const void *z, void *y,
                          void *workspace, struct mc_error *err)
{
    const struct im2col *s = state;
    struct call c = {.s = s, .x = x, .w = w, .b = b, .y = y, .columns = workspace};
    share_out(&c, s->conv.N * s->conv.groups * s->n_strips, forward_item);
    return MC_OK;
}

static int im2col_backward_data(void *state, const void *dy, const void *w, void *dx, void *workspace,
                                struct mc_error *err)
{
    const struct im2col *s = state;
    struct call c = {.s = s, .dy = dy, .w = w, .dx = dx, .columns = workspace};
    share_out(&c, s->conv.N * s->conv.groups, backward_data_item);
    return MC_OK;
}

/* Bias gradients of channels [begin, end). */
static void sum_channels(void *context, int64_t begin, int64_t end)
{
    const struct call *c = context;
    const struct im2col *s = c->s;
    for (int64_t m = begin; m < end; m++) {
        double sum = 0;
        for (int64_t n = 0; n < s->conv.N; n++)
            sum += s->rows->sum(s->out, c->dy + (size_t)((n * s->conv.M + m) * s->out) * s->size);
        s->rows->store(1, &sum, 1, c->y + (size_t)m * s->size);
    }
}

static int im2col_backward_weights(void *state, const void *x, const void *dy, void *dw, void *db, void *workspace,
                                   struct mc_error *err)
{
    const struct im2col *s = state;
    struct call c = {.s = s, .x = x, .dy = dy, .dw = dw, .y = db, .columns = workspace};
    c.partials = c.columns + s->strip_bytes * (size_t)s->n_threads;
    if (db) mc_parallel(s->conv.M, mc_parallel_grain(s->conv.N * s->out), sum_channels, &c);
    if (!dw) return MC_OK;
    share_out(&c, s->n_partials, backward_weights_item);
    const int64_t n = s->conv.M * s->C * s->taps;
    for (int part = 1; part < s->n_partials; part++)
        add_back(s->size, n, c.partials + (size_t)(part - 1) * s->filter_bytes, dw, 1);
    return MC_OK;
}

const struct mc_convolver_backend mc_im2col_backend = {
    .name = "im2col",
    .channels_first = true,
    .create = im2col_create,
    .destroy = im2col_destroy,
    .forward = im2col_forward,
    .backward_data = im2col_backward_data,
    .backward_weights = im2col_backward_weights,
};
