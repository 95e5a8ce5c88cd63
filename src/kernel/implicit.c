/* implicit.c - the backend for constant float32 weights that multiplies with a packed matrix (packed.h), one row of the
 * product for each position, [positions, taps C] x [taps C, M], without ever making the first factor ("implicit GEMM",
 * Chetlur et al. 2014).
 *
 * Where channels lie last, what a position sees in one row of the kernel is a run of kernel C floats, and the next
 * position's begins stride C floats further: the product reads them where they lie. Where windows meet padding, or
 * channels lie first, the inputs of a block of outputs are first copied into a patch that has its padding. Where lines
 * are too short for the product's groups of rows and weights too many to come again for each, a block's rows are made
 * after all.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "kernel/convolution.h"
#include "kernel/packed.h"
#include "kernel/parallel.h"

enum {
    PATCH_BYTES = 256 * 1024, /* inputs of a block, which are read once for each panel of weights */
    FEWEST_COLUMNS = 24,      /* outputs of a line that a block is not cut below */
    SHORT_LINE = 12,          /* rows that the product takes at a time */
    IN_CACHE = 1 << 18,       /* weights that are at hand for every line */
};

struct implicit {
    struct mc_convolution conv; /* of two axes */
    struct mc_bounds bounds;
    struct mc_packed *packed;
    struct mc_runtime runtime;
    bool in_place; /* x is read where it lies, else in a patch */
    bool gathers;  /* rows are made */
    int64_t K;     /* inputs of a position */
    int64_t *runs, n_runs;
    int64_t row_floats;               /* of the input or the patch */
    int64_t extent[2], blocks[2];     /* outputs of a block; blocks of an image */
    int64_t n_shares;                 /* into which a block's panels are cut, so that every thread has work */
    size_t patch_floats, room_floats; /* for each thread; the rows lie behind the patch */
    int64_t n_parts;
};

/* --- geometry --- */

static bool meets_padding(const struct mc_window *w)
{
    for (int k = 0; k < w->rank; k++)
        if (w->begin[k] > 0 || (w->out[k] - 1) * w->stride[k] + mc_window_reach(w, k) > w->in[k]) return true;
    return false;
}

/* The same convolution with two axes. With one tap in place, all positions of all images are one line; of each, if its
 * channels lie first. */
static struct mc_convolution with_two_axes(const struct mc_convolution *conv)
{
    struct mc_convolution c = *conv;
    struct mc_window *w = &c.window;
    const struct mc_window line = {2, {1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, {0, 0}, {0, 0}};
    c.x_last = conv->x_last || conv->C == 1 || mc_window_inputs(&conv->window) == 1;
    if (mc_window_is_identity(w)) {
        const int64_t n = mc_window_inputs(w) * (c.x_last ? c.N : 1);
        *w = line;
        w->in[1] = w->out[1] = n;
        if (c.x_last) c.N = 1;
    } else if (w->rank == 1) {
        const struct mc_window from = *w;
        *w = line;
        w->in[1] = from.in[0], w->out[1] = from.out[0];
        w->kernel[1] = from.kernel[0], w->stride[1] = from.stride[0], w->dilation[1] = from.dilation[0];
        w->begin[1] = from.begin[0], w->end[1] = from.end[0];
    }
    return c;
}

static bool is_ours(const struct mc_convolution *conv, const struct mc_runtime *runtime)
{
    const struct mc_window *w = &conv->window;
    if (conv->dtype != MC_FLOAT || conv->backward || !conv->weights || conv->groups != 1) return false;
    const bool y_last = conv->y_last || mc_window_outputs(w) == 1;
    return y_last && (w->rank <= 2 || mc_window_is_identity(w)) && mc_packed_takes(conv->M, runtime);
}

/* Rows or columns of the input that n outputs see. */
static int64_t seen(const struct mc_window *w, int axis, int64_t n)
{
    return (n - 1) * w->stride[axis] + mc_window_reach(w, axis);
}

/* Blocks whose inputs fit a cache, and enough of them for all threads. */
static void cut(struct implicit *s)
{
    const struct mc_window *w = &s->conv.window;
    const int64_t C = s->conv.C > 0 ? s->conv.C : 1, budget = PATCH_BYTES / ((int64_t)sizeof(float) * C);
    const int n_threads = s->runtime.n_threads, spread = s->conv.N < n_threads ? n_threads : 1;
    const int64_t wide = budget / mc_window_reach(w, 0) / w->stride[1];
    const int64_t n_columns =
        mc_parallel_blocks(w->out[1], wide < FEWEST_COLUMNS ? FEWEST_COLUMNS : wide, w->out[0] == 1 ? spread : 1);
    s->extent[1] = mc_divide_up(w->out[1], n_columns);
    const int64_t high = budget / seen(w, 1, s->extent[1]) / w->stride[0];
    s->extent[0] = mc_divide_up(w->out[0], mc_parallel_blocks(w->out[0], high < 1 ? 1 : high, spread));
    for (int k = 0; k < 2; k++) s->blocks[k] = mc_divide_up(w->out[k], s->extent[k]);
    const int64_t n_blocks = s->conv.N * s->blocks[0] * s->blocks[1];
    s->n_shares = mc_least(mc_divide_up(n_threads, n_blocks), mc_packed_panels(s->packed));
    const int64_t work = s->conv.N * mc_window_outputs(w) * (s->K * s->conv.M / 16 + 1);
    s->n_parts = mc_least(mc_least(n_threads, n_blocks * s->n_shares), 1 + work / MC_PARALLEL_GRAIN);
}

/* Where the runs of a position begin, counted from its first. */
static int find_runs(struct implicit *s, struct mc_error *err)
{
    const struct mc_window *w = &s->conv.window;
    const int64_t apart = w->dilation[1] > 1 ? w->kernel[1] : 1; /* runs in a row of the kernel */
    s->n_runs = w->kernel[0] * apart;
    s->runs = MC_NEW_ARRAY(int64_t, s->n_runs);
    if (!s->runs) return mc_error_memory(err);
    for (int64_t i = 0; i < s->n_runs; i++)
        s->runs[i] = i / apart * w->dilation[0] * s->row_floats + i % apart * w->dilation[1] * s->conv.C;
    return MC_OK;
}

static int set_up(struct implicit *s, struct mc_error *err)
{
    const struct mc_convolution *conv = &s->conv;
    const struct mc_window *w = &conv->window;
    const int64_t taps = mc_window_taps(w);
    s->K = taps * conv->C;
    const struct mc_unpacked weights = {.w = conv->weights,
                                        .K = s->K,
                                        .M = conv->M,
                                        .row_step = 1,
                                        .column_step = s->K,
                                        .inner = conv->C,
                                        .inner_step = taps};
    int rc = mc_packed_create(&s->packed, &weights, &s->runtime, err);
    if (rc < 0) return rc;
    cut(s);
    s->in_place = conv->x_last && !meets_padding(w);
    s->gathers = s->extent[1] == w->out[1] && w->out[1] < SHORT_LINE && s->extent[0] > 1 && s->K * conv->M > IN_CACHE;
    s->row_floats = (s->in_place ? w->in[1] : seen(w, 1, s->extent[1])) * conv->C;
    s->patch_floats = s->in_place ? 0 : mc_align((size_t)(seen(w, 0, s->extent[0]) * s->row_floats));
    s->room_floats = s->patch_floats;
    if (s->gathers) s->room_floats += mc_align((size_t)(s->extent[0] * s->extent[1] * s->K));
    return find_runs(s, err);
}

/* --- the backend --- */

static void implicit_destroy(void *state)
{
    struct implicit *s = state;
    if (!s) return;
    mc_packed_destroy(s->packed);
    mc_free(s->runs);
    mc_free(s);
}

static bool implicit_has_packed(const void *state)
{
    return true;
}

static int implicit_create(void **state, const struct mc_convolution *conv, const struct mc_runtime *runtime,
                           size_t *workspace_bytes, struct mc_error *err)
{
    *state = NULL;
    if (!is_ours(conv, runtime)) return MC_OK;
    struct implicit *s = MC_NEW(struct implicit);
    if (!s) return mc_error_memory(err);
    s->conv = with_two_axes(conv);
    s->bounds = (struct mc_bounds){conv->low, conv->high};
    s->runtime = *runtime;
    const int rc = set_up(s, err);
    if (rc < 0) {
        implicit_destroy(s);
        return rc;
    }
    *workspace_bytes = s->room_floats * sizeof(float) * (size_t)s->n_parts;
    *state = s;
    return MC_OK;
}

/* --- inputs of a block --- */

struct block {
    int64_t image, first[2], n[2]; /* outputs */
};

static struct block block_at(const struct implicit *s, int64_t i)
{
    const int64_t per_image = s->blocks[0] * s->blocks[1];
    struct block b = {.image = i / per_image, .first = {i % per_image / s->blocks[1], i % s->blocks[1]}};
    for (int k = 0; k < 2; k++) {
        b.first[k] *= s->extent[k];
        b.n[k] = mc_least(s->extent[k], s->conv.window.out[k] - b.first[k]);
    }
    return b;
}

static void clear(float *to, int64_t n)
{
    if (n > 0) memset(to, 0, (size_t)n * sizeof *to);
}

/* Images have three channels more often than not, and then the compiler makes vectors of it. */
static void interleave_three(const float *restrict a, const float *restrict b, const float *restrict c, int64_t n,
                             float *restrict to)
{
    for (int64_t i = 0; i < n; i++) {
        to[3 * i] = a[i];
        to[3 * i + 1] = b[i];
        to[3 * i + 2] = c[i];
    }
}

/* n positions of C channels that lie `plane` floats apart. */
static void interleave(const float *from, int64_t C, int64_t plane, int64_t n, float *to)
{
    if (C == 3) {
        interleave_three(from, from + plane, from + 2 * plane, n, to);
        return;
    }
    for (int64_t c = 0; c < C; c++)
        for (int64_t i = 0; i < n; i++) to[i * C + c] = from[c * plane + i];
}

/* Columns [first, first + n) of one row of an image, with zeros outside. */
static void copy_row(const struct implicit *s, const float *image, int64_t row, int64_t first, int64_t n, float *to)
{
    const struct mc_window *w = &s->conv.window;
    const int64_t C = s->conv.C, W = w->in[1];
    int64_t from = first < 0 ? mc_least(-first, n) : 0, end = W - first < n ? W - first : n;
    if (row < 0 || row >= w->in[0] || end < from) from = end = n;
    clear(to, from * C);
    clear(to + end * C, (n - end) * C);
    if (end == from) return;
    const int64_t at = row * W + first + from;
    if (s->conv.x_last)
        memcpy(to + from * C, image + at * C, (size_t)((end - from) * C) * sizeof *to);
    else
        interleave(image + at, C, w->in[0] * W, end - from, to + from * C);
}

static void fill_patch(const struct implicit *s, const float *image, const struct block *b, float *patch)
{
    const struct mc_window *w = &s->conv.window;
    const int64_t top = mc_window_at(w, 0, b->first[0], 0), left = mc_window_at(w, 1, b->first[1], 0);
    const int64_t rows = seen(w, 0, b->n[0]), columns = seen(w, 1, b->n[1]);
    for (int64_t i = 0; i < rows; i++) copy_row(s, image, top + i, left, columns, patch + i * s->row_floats);
}

/* The rows of the product of a block, one after the other. */
static void gather(const struct implicit *s, const struct mc_packed_rows *from, float *to)
{
    const int64_t run = s->K / s->n_runs;
    for (int64_t line = 0; line < from->n_lines; line++)
        for (int64_t i = 0; i < from->n; i++)
            for (int64_t r = 0; r < s->n_runs; r++, to += run)
                memcpy(to, from->x + line * from->line + i * from->row + s->runs[r], (size_t)run * sizeof *to);
}

/* What the product takes for a block. */
static struct mc_packed_rows rows_of(const struct implicit *s, const float *x, const float *z, float *y,
                                     const struct block *b, float *room)
{
    static const int64_t from_the_start = 0;
    const struct mc_window *w = &s->conv.window;
    const int64_t C = s->conv.C, M = s->conv.M;
    const float *image = x + b->image * mc_window_inputs(w) * C;
    const int64_t first = (b->image * mc_window_outputs(w) + b->first[0] * w->out[1] + b->first[1]) * M;
    if (!s->in_place) fill_patch(s, image, b, room);
    struct mc_packed_rows rows = {
        .x = s->in_place ? image + (b->first[0] * w->stride[0] * w->in[1] + b->first[1] * w->stride[1]) * C : room,
        .z = z ? z + first : NULL,
        .bounds = s->conv.bounded ? &s->bounds : NULL,
        .y = y + first,
        .n_lines = b->n[0],
        .line = w->stride[0] * s->row_floats,
        .y_line = w->out[1] * M,
        .n = b->n[1],
        .row = w->stride[1] * C,
        .y_row = M,
        .runs = s->runs,
        .n_runs = s->n_runs,
    };
    if (!s->gathers) return rows;
    gather(s, &rows, room + s->patch_floats);
    rows.x = room + s->patch_floats;
    rows.n *= rows.n_lines;
    rows.n_lines = 1;
    rows.row = s->K;
    rows.runs = &from_the_start;
    rows.n_runs = 1;
    return rows;
}

/* --- running --- */

struct running {
    const struct implicit *s;
    const float *x, *b, *z;
    float *y, *room;
};

/* A part of the work for each thread: consecutive shares of blocks. */
static void run_parts(void *context, int64_t begin, int64_t end)
{
    const struct running *r = context;
    const struct implicit *s = r->s;
    const int64_t n = s->conv.N * s->blocks[0] * s->blocks[1] * s->n_shares, n_panels = mc_packed_panels(s->packed);
    for (int64_t part = begin; part < end; part++) {
        float *room = r->room + part * (int64_t)s->room_floats;
        struct mc_packed_rows rows = {0};
        int64_t filled = -1;
        for (int64_t i = n * part / s->n_parts; i < n * (part + 1) / s->n_parts; i++) {
            const int64_t share = i % s->n_shares;
            const struct block block = block_at(s, i / s->n_shares);
            if (filled != i / s->n_shares) rows = rows_of(s, r->x, r->z, r->y, &block, room);
            filled = i / s->n_shares;
            mc_packed_run_panels(s->packed, &rows, r->b, n_panels * share / s->n_shares,
                                 n_panels * (share + 1) / s->n_shares);
        }
    }
}

static int implicit_forward(void *state, const void *x, const void *w, const void *b, const void *z, void *y,
                            void *workspace, struct mc_error *err)
{
    const struct implicit *s = state;
    struct running r = {.s = s, .x = x, .b = b, .z = z, .y = y, .room = workspace};
    const int before = mc_runtime_enter(&s->runtime);
    mc_parallel(s->n_parts, 1, run_parts, &r);
    mc_runtime_leave(before);
    return MC_OK;
}

const struct mc_convolver_backend mc_implicit_backend = {
    .name = "implicit GEMM",
    .finishes = true,
    .create = implicit_create,
    .destroy = implicit_destroy,
    .has_packed = implicit_has_packed,
    .forward = implicit_forward,
};
