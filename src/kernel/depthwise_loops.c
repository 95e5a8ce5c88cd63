/* depthwise_loops.c - a filter for each channel; see depthwise.h. Compiled once per instruction set, with
 * multiplications and additions contracted.
 *
 * Where C is not whole vectors, the last vector ends with the last channel and overlaps the one before: what both
 * compute is the same. Sums that are added to have columns of their own for it.
 */
#include <stdbool.h>
#include <string.h>

#include "kernel/depthwise.h"
#include "kernel/panel.h"
#include "kernel/parallel.h"

#ifndef MC_VARIANT
#define MC_VARIANT(name) name##_portable
#endif
extern const struct mc_depthwise_loops MC_VARIANT(mc_depthwise_loops);

enum { ROWS = MC_DEPTHWISE_ROWS, COLUMNS = MC_DEPTHWISE_COLUMNS };

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Where the vector of channels that begins with c really begins. */
INLINE int64_t vector_at(const struct mc_depthwise *job, int64_t c)
{
    return c + LANES <= job->C ? c : job->C - LANES;
}

/* Taps [*from, *to) along an axis at which an output meets an input, and not padding. */
static void taps_of(const struct mc_window *w, int axis, int64_t output, int64_t *from, int64_t *to)
{
    const int64_t at = mc_window_at(w, axis, output, 0), dilation = w->dilation[axis];
    const int64_t first = at < 0 ? (-at + dilation - 1) / dilation : 0, left = w->in[axis] - at;
    *from = mc_least(first, w->kernel[axis]);
    *to = most(*from, left > 0 ? mc_least((left + dilation - 1) / dilation, w->kernel[axis]) : 0);
}

/* --- outputs --- */

enum { MOST_ROWS = 7, MOST_INPUTS = 11 }; /* that a strip of known shape meets: of taps, in each of them */

/* Some outputs of a row, next to each other, and the taps at which they meet the input. */
struct strip {
    const struct mc_depthwise *job;
    const float *x;            /* all of it */
    int64_t at;                /* in it: of the first output, at the first tap; may be outside where that is padding */
    const float *w;            /* of the first tap */
    const float *zeros;        /* C of them */
    int64_t n_rows, n_columns; /* taps */
    const float *b, *z;
    float *y;
};

INLINE void finish(const struct strip *s, const int Q, int64_t c, vector *sum)
{
    const int64_t C = s->job->C;
    if (s->z) {
        UNROLL for (int q = 0; q < Q; q++) sum[q] += load(s->z + q * C + c);
    }
    if (s->job->bounded) {
        UNROLL for (int q = 0; q < Q; q++) sum[q] = bound(sum[q], &s->job->bounds);
    }
    UNROLL for (int q = 0; q < Q; q++) store(s->y + q * C + c, sum[q]);
}

/* Where a strip's inputs begin, row after row; zeros in the place of padding, columns before `first` and from `last`
 * on. */
static void find_inputs(const struct strip *s, int64_t n, int64_t first, int64_t last,
                        const float *at[MOST_ROWS][MOST_INPUTS])
{
    const struct mc_depthwise *job = s->job;
    for (int64_t i = 0; i < s->n_rows; i++)
        for (int64_t j = 0; j < n; j++) {
            const int64_t input = s->at + (i * job->window.dilation[ROWS] * job->window.in[COLUMNS] + j) * job->C;
            at[i][j] = j < first || j >= last ? s->zeros : s->x + input;
        }
}

/* Q outputs that meet K columns of taps, S apart: each input is loaded once for a row of taps. At the edge, inputs are
 * where `edge` says. */
INLINE void run_known(const int K, const int S, const int Q, const struct strip *s, const float *(*edge)[MOST_INPUTS])
{
    const int64_t C = s->job->C, row = s->job->window.dilation[ROWS] * s->job->window.in[COLUMNS] * C;
    for (int64_t k = 0; k < C; k += LANES) {
        const int64_t c = vector_at(s->job, k);
        const vector bias = s->b ? load(s->b + c) : (vector){0};
        const float *w = s->w + c;
        vector sum[6];
        UNROLL for (int q = 0; q < Q; q++) sum[q] = bias;
        for (int64_t i = 0; i < s->n_rows; i++, w += K * C) {
            const float *x = edge ? NULL : s->x + (s->at + i * row + c);
            vector line[MOST_INPUTS];
            UNROLL for (int j = 0; j < (Q - 1) * S + K; j++) line[j] = load(edge ? edge[i][j] + c : x + j * C);
            UNROLL for (int j = 0; j < K; j++)
            {
                const vector weight = load(w + j * C);
                UNROLL for (int q = 0; q < Q; q++) sum[q] += weight * line[q * S + j];
            }
        }
        finish(s, Q, c, sum);
    }
}

/* Q outputs at any taps. */
INLINE void run_any(const int Q, const struct strip *s)
{
    const struct mc_depthwise *job = s->job;
    const int64_t C = job->C, row = job->window.dilation[ROWS] * job->window.in[COLUMNS] * C;
    for (int64_t k = 0; k < C; k += LANES) {
        const int64_t c = vector_at(job, k);
        const vector bias = s->b ? load(s->b + c) : (vector){0};
        vector sum[6];
        UNROLL for (int q = 0; q < Q; q++) sum[q] = bias;
        for (int64_t i = 0; i < s->n_rows; i++)
            for (int64_t j = 0; j < s->n_columns; j++) {
                const float *x = s->x + (s->at + i * row + j * job->window.dilation[COLUMNS] * C + c);
                const vector weight = load(s->w + (i * job->window.kernel[COLUMNS] + j) * C + c);
                UNROLL for (int q = 0; q < Q; q++) sum[q] += weight * load(x + q * job->window.stride[COLUMNS] * C);
            }
        finish(s, Q, c, sum);
    }
}

/* Q outputs, the first of which meets inputs from column `column` on. */
INLINE void run_known_strip(const int K, const int S, const int Q, const struct strip *s, int64_t column)
{
    const int64_t n = (Q - 1) * S + K, first = column < 0 ? -column : 0, last = s->job->window.in[COLUMNS] - column;
    if (first == 0 && last >= n) {
        run_known(K, S, Q, s, NULL);
    } else {
        const float *edge[MOST_ROWS][MOST_INPUTS];
        find_inputs(s, n, first, last, edge);
        run_known(K, S, Q, s, edge);
    }
}

#define STRIP(n)                                                                                                       \
    case n:                                                                                                            \
        if (n <= most_outputs) run_known_strip(K, S, n, &s, column);                                                   \
        break

/* A row, whose taps along the other axis are in `row` already, in strips as equal as can be. */
INLINE void run_known_row(const int K, const int S, const int most_outputs, const struct mc_depthwise *job,
                          const struct strip *row)
{
    const int64_t n_strips = (job->window.out[COLUMNS] + most_outputs - 1) / most_outputs;
    for (int64_t k = 0; k < n_strips; k++) {
        const int64_t o = job->window.out[COLUMNS] * k / n_strips, column = o * S - job->window.begin[COLUMNS];
        struct strip s = *row;
        s.at += column * job->C;
        if (s.z) s.z += o * job->C;
        s.y += o * job->C;
        switch (job->window.out[COLUMNS] * (k + 1) / n_strips - o) {
            STRIP(1);
            STRIP(2);
            STRIP(3);
            STRIP(4);
            STRIP(5);
            STRIP(6);
        }
    }
}

/* Outputs one after the other where they meet padding, four at a time between. */
static void run_any_row(const struct mc_depthwise *job, const struct strip *row)
{
    int64_t inner = 0, end = 0, unused;
    mc_window_range(&job->window, COLUMNS, 0, &inner, &unused);
    mc_window_range(&job->window, COLUMNS, job->window.kernel[COLUMNS] - 1, &unused, &end);
    for (int64_t o = 0, n; o < job->window.out[COLUMNS]; o += n) {
        int64_t first, last;
        struct strip s = *row;
        n = o >= inner && o + 4 <= end ? 4 : 1;
        taps_of(&job->window, COLUMNS, o, &first, &last);
        s.at += mc_window_at(&job->window, COLUMNS, o, first) * job->C;
        s.w += first * job->C;
        s.n_columns = last - first;
        if (s.z) s.z += o * job->C;
        s.y += o * job->C;
        if (n == 4)
            run_any(4, &s);
        else
            run_any(1, &s);
    }
}

/* Kernels and strides of which there is code of its own, with as many outputs as 16 registers hold the inputs of. */
static void run_row(const struct mc_depthwise *job, const struct strip *row)
{
    const int64_t kernel = job->window.kernel[COLUMNS], stride = job->window.stride[COLUMNS];
    const bool known = job->window.dilation[COLUMNS] == 1 && job->window.kernel[ROWS] <= MOST_ROWS;
    if (known && kernel == 3 && stride == 1)
        run_known_row(3, 1, 6, job, row);
    else if (known && kernel == 3 && stride == 2)
        run_known_row(3, 2, 4, job, row);
    else if (known && kernel == 5 && stride == 1)
        run_known_row(5, 1, 4, job, row);
    else if (known && kernel == 5 && stride == 2)
        run_known_row(5, 2, 3, job, row);
    else if (known && kernel == 7 && stride == 1)
        run_known_row(7, 1, 4, job, row);
    else
        run_any_row(job, row);
}

static void run(const struct mc_depthwise *job, const float *x, const float *w, const float *b, const float *z,
                float *y, int64_t from, int64_t to)
{
    for (int64_t r = from; r < to; r++) {
        const int64_t image = r / job->window.out[ROWS], o = r % job->window.out[ROWS],
                      at = r * job->window.out[COLUMNS] * job->C;
        int64_t first, last;
        taps_of(&job->window, ROWS, o, &first, &last);
        const int64_t input = mc_window_at(&job->window, ROWS, o, first);
        run_row(job, &(struct strip){.job = job,
                                     .x = x,
                                     .at = (image * job->window.in[ROWS] + input) * job->window.in[COLUMNS] * job->C,
                                     .w = w + first * job->window.kernel[COLUMNS] * job->C,
                                     .zeros = w + mc_window_taps(&job->window) * job->C,
                                     .n_rows = last - first,
                                     .b = b,
                                     .z = z ? z + at : NULL,
                                     .y = y + at});
    }
}

/* --- derivatives of inputs --- */

/* Every row of taps at which the row of inputs is met, every tap of it: added where the outputs lie. */
static void add_back(const struct mc_depthwise *job, const float *dy, const float *w, float *dx)
{
    for (int64_t tap = 0; tap < job->window.kernel[COLUMNS]; tap++, w += job->C) {
        int64_t from, to;
        mc_window_range(&job->window, COLUMNS, tap, &from, &to);
        for (int64_t o = from; o < to; o++) {
            const float *d = dy + o * job->C;
            float *const at = dx + mc_window_at(&job->window, COLUMNS, o, tap) * job->C;
            int64_t c = 0;
            for (; c + LANES <= job->C; c += LANES) store(at + c, load(at + c) + load(d + c) * load(w + c));
            for (; c < job->C; c++) at[c] += d[c] * w[c];
        }
    }
}

static void run_back(const struct mc_depthwise *job, const float *dy, const float *w, float *dx, int64_t from,
                     int64_t to)
{
    const int64_t row = job->window.in[COLUMNS] * job->C;
    for (int64_t r = from; r < to; r++) {
        const int64_t image = r / job->window.in[ROWS], i = r % job->window.in[ROWS];
        memset(dx + r * row, 0, (size_t)row * sizeof *dx);
        for (int64_t tap = 0; tap < job->window.kernel[ROWS]; tap++) {
            const int64_t at = i + job->window.begin[ROWS] - tap * job->window.dilation[ROWS],
                          o = at / job->window.stride[ROWS];
            if (at < 0 || at % job->window.stride[ROWS] != 0 || o >= job->window.out[ROWS]) continue;
            add_back(job, dy + (image * job->window.out[ROWS] + o) * job->window.out[COLUMNS] * job->C,
                     w + tap * job->window.kernel[COLUMNS] * job->C, dx + r * row);
        }
    }
}

/* --- derivatives of filters --- */

enum {
    PART_VECTORS = 2,
    MOST_TAPS = 5,          /* whose sums are made at a time */
    IMAGES_BYTES = 1 << 17, /* of a part's inputs, which each row of taps reads again */
};

/* Sums: for each tap, and then for the bias, a row. */
static int64_t sum_row(const struct mc_depthwise *job)
{
    return round_up(job->C, LANES);
}

static size_t sum_floats(const struct mc_depthwise *job)
{
    return (size_t)((mc_window_taps(&job->window) + 1) * sum_row(job));
}

static int64_t n_parts(const struct mc_depthwise *job)
{
    return round_up(job->C, PART_VECTORS * LANES) / (PART_VECTORS * LANES);
}

/* What is summed: over images, rows and columns of outputs. */
struct region {
    const struct mc_depthwise *job;
    const float *x, *dy;
    int64_t x_at, dy_at; /* in them: of the first output, at the first tap */
    int64_t images, rows, columns;
    float *sums; /* of the first tap */
};

/* T taps next to each other, of V vectors, which begin with channels `at`. */
INLINE void add_taps(const int T, const int V, const struct region *g, const int64_t *at)
{
    const struct mc_depthwise *job = g->job;
    const int64_t C = job->C, row = sum_row(job), tap = job->window.dilation[COLUMNS] * C,
                  step = job->window.stride[COLUMNS] * C;
    vector sum[MOST_TAPS][PART_VECTORS];
    UNROLL for (int t = 0; t < T; t++) UNROLL for (int v = 0; v < V; v++) sum[t][v] =
        load(g->sums + t * row + v * LANES);
    for (int64_t n = 0; n < g->images; n++)
        for (int64_t i = 0; i < g->rows; i++) {
            const float *dy = g->dy + (g->dy_at + (n * job->window.out[ROWS] + i) * job->window.out[COLUMNS] * C);
            const float *x = g->x + (g->x_at + (n * job->window.in[ROWS] + i * job->window.stride[ROWS]) *
                                                   job->window.in[COLUMNS] * C);
            for (int64_t j = 0; j < g->columns; j++, dy += C, x += step) {
                vector d[PART_VECTORS];
                UNROLL for (int v = 0; v < V; v++) d[v] = load(dy + at[v]);
                UNROLL for (int t = 0; t < T; t++) UNROLL for (int v = 0; v < V; v++) sum[t][v] +=
                    d[v] * load(x + t * tap + at[v]);
            }
        }
    UNROLL for (int t = 0; t < T; t++) UNROLL for (int v = 0; v < V; v++)
        store(g->sums + t * row + v * LANES, sum[t][v]);
}

#define TAPS(n)                                                                                                        \
    case n:                                                                                                            \
        V == 1 ? add_taps(n, 1, g, at) : add_taps(n, PART_VECTORS, g, at);                                             \
        break

static void add_region(int64_t T, int V, const struct region *g, const int64_t *at)
{
    if (g->columns <= 0) return;
    switch (T) {
        TAPS(1);
        TAPS(2);
        TAPS(3);
        TAPS(4);
        TAPS(5);
    }
}

/* Taps [first, last) of a row of them: together for outputs that meet inputs at all of them, alone for the others. */
static void add_columns(int64_t first, int64_t last, int V, const struct region *row, const int64_t *at)
{
    const struct mc_depthwise *job = row->job;
    int64_t inner, end, unused;
    mc_window_range(&job->window, COLUMNS, first, &inner, &unused);
    mc_window_range(&job->window, COLUMNS, last - 1, &unused, &end);
    end = most(inner, end);
    for (int64_t tap = first; tap < last; tap++) {
        int64_t from, to;
        mc_window_range(&job->window, COLUMNS, tap, &from, &to);
        const int64_t runs[3][3] = {
            {inner, end, tap == first ? last - first : 0}, {from, mc_least(to, inner), 1}, {most(from, end), to, 1}};
        for (int k = 0; k < 3; k++) {
            struct region g = *row;
            const int64_t input = mc_window_at(&job->window, COLUMNS, runs[k][0], tap);
            g.columns = runs[k][1] - runs[k][0];
            g.x_at += input * job->C;
            g.dy_at += runs[k][0] * job->C;
            g.sums += tap * sum_row(job);
            add_region(runs[k][2], V, &g, at);
        }
    }
}

static void add_images(const struct mc_depthwise *job, const float *x, const float *dy, int64_t n, int V,
                       const int64_t *at, float *sums)
{
    for (int64_t tap = 0; tap < job->window.kernel[ROWS]; tap++) {
        int64_t from, to;
        mc_window_range(&job->window, ROWS, tap, &from, &to);
        const int64_t input = mc_window_at(&job->window, ROWS, from, tap);
        const struct region row = {.job = job,
                                   .x = x,
                                   .dy = dy,
                                   .x_at = input * job->window.in[COLUMNS] * job->C,
                                   .dy_at = from * job->window.out[COLUMNS] * job->C,
                                   .images = n,
                                   .rows = to - from,
                                   .sums = sums + tap * job->window.kernel[COLUMNS] * sum_row(job)};
        const int64_t K = job->window.kernel[COLUMNS], groups = (K + MOST_TAPS - 1) / MOST_TAPS;
        for (int64_t k = 0; k < groups; k++) add_columns(K * k / groups, K * (k + 1) / groups, V, &row, at);
    }
    for (int64_t i = 0; i < n * mc_window_outputs(&job->window); i++)
        for (int v = 0; v < V; v++) {
            float *const bias = sums + mc_window_taps(&job->window) * sum_row(job) + v * LANES;
            store(bias, load(bias) + load(dy + i * job->C + at[v]));
        }
}

static void add_up(const struct mc_depthwise *job, const float *x, const float *dy, int64_t from, int64_t to,
                   int64_t part, float *sums)
{
    const int64_t first = part * PART_VECTORS * LANES, left = sum_row(job) - first;
    const int V = left < PART_VECTORS * LANES ? 1 : PART_VECTORS;
    const int64_t at[PART_VECTORS] = {vector_at(job, first), V > 1 ? vector_at(job, first + LANES) : 0};
    const int64_t inputs = mc_window_inputs(&job->window), outputs = mc_window_outputs(&job->window);
    const int64_t images = most(1, IMAGES_BYTES / (V * LANES * (int64_t)sizeof(float) * most(1, inputs + outputs)));
    for (int64_t row = 0; row <= mc_window_taps(&job->window); row++)
        memset(sums + row * sum_row(job) + first, 0, (size_t)(V * LANES) * sizeof *sums);
    for (int64_t n = from; n < to; n += images)
        add_images(job, x + n * inputs * job->C, dy + n * outputs * job->C, mc_least(images, to - n), V, at,
                   sums + first);
}

static void gather(const struct mc_depthwise *job, int64_t n_slices, const float *sums, float *dw, float *db)
{
    const int64_t taps = mc_window_taps(&job->window), row = sum_row(job), whole = job->C / LANES * LANES;
    for (int64_t tap = dw ? 0 : taps; tap < (db ? taps + 1 : taps); tap++)
        for (int64_t c = 0; c < job->C; c++) {
            const int64_t column = c < whole ? c : c + row - job->C; /* of the vector that overlaps */
            float sum = 0;
            for (int64_t k = 0; k < n_slices; k++) sum += sums[(k * (taps + 1) + tap) * row + column];
            *(tap < taps ? dw + c * taps + tap : db + c) = sum;
        }
}

const struct mc_depthwise_loops MC_VARIANT(mc_depthwise_loops) = {
    .lanes = LANES,
    .run = run,
    .run_back = run_back,
    .sum_floats = sum_floats,
    .n_parts = n_parts,
    .add_up = add_up,
    .gather = gather,
};
