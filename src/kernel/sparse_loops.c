/* sparse_loops.c - products with sparse rows; see sparse.h. Compiled once per instruction set, with multiplications and
 * additions contracted. */
#include "kernel/sparse.h"

#include <string.h>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include "kernel/panel.h"

#ifndef MC_VARIANT
#define MC_VARIANT(name) name##_portable
#endif
extern const struct mc_sparse_loops MC_VARIANT(mc_sparse_loops);

/* Vectors of positions: 64 positions where there are registers. So many sums are made by turns that none has to wait
 * for itself; groups of rows, for one position. */
enum { VECTORS = LANES == 16 ? 4 : 8, SUMS = 8, TOGETHER = 2 };

/* --- many positions --- */

INLINE void add_product(const int V, vector *sum, const struct mc_sparse_rows *rows, int64_t i, const float *x,
                        int64_t step)
{
    const float *at = x + rows->offsets[i] * step;
    UNROLL for (int v = 0; v < V; v++) sum[v] += rows->values[i] * load(at + v * LANES);
}

/* R rows by turns, V vectors of each. */
INLINE void run_rows(const int R, const int V, const struct mc_sparse_rows *rows, int64_t m, const float *x,
                     int64_t step, const float *b, float *y, int64_t y_row)
{
    vector sum[SUMS];
    const int64_t *start = rows->start + m;
    int64_t shared = INT64_MAX;
    UNROLL for (int r = 0; r < R; r++)
    {
        if (start[r + 1] - start[r] < shared) shared = start[r + 1] - start[r];
        UNROLL for (int v = 0; v < V; v++) sum[r * V + v] = (vector){0} + (b ? b[m + r] : 0);
    }
    for (int64_t i = 0; i < shared; i++)
        UNROLL for (int r = 0; r < R; r++) add_product(V, sum + r * V, rows, start[r] + i, x, step);
    UNROLL for (int r = 0; r < R; r++)
    {
        for (int64_t i = start[r] + shared; i < start[r + 1]; i++) add_product(V, sum + r * V, rows, i, x, step);
        UNROLL for (int v = 0; v < V; v++) store(y + r * y_row + v * LANES, sum[r * V + v]);
    }
}

INLINE void run_vectors(const int V, const struct mc_sparse_rows *rows, int64_t from, int64_t to, const float *x,
                        int64_t step, const float *b, float *y, int64_t y_row)
{
    const int R = SUMS / V;
    int64_t m = from;
    for (; to - m >= R; m += R) run_rows(R, V, rows, m, x, step, b, y + (m - from) * y_row, y_row);
    for (; m < to; m++) run_rows(1, V, rows, m, x, step, b, y + (m - from) * y_row, y_row);
}

static void run(const struct mc_sparse_rows *rows, int64_t from, int64_t to, const float *x, int64_t step,
                int64_t width, const float *b, float *y, int64_t y_row)
{
    if (width == LANES)
        run_vectors(1, rows, from, to, x, step, b, y, y_row);
    else if (width == 2 * LANES)
        run_vectors(2, rows, from, to, x, step, b, y, y_row);
    else if (width == 4 * LANES)
        run_vectors(4, rows, from, to, x, step, b, y, y_row);
    else
        run_vectors(VECTORS, rows, from, to, x, step, b, y, y_row);
}

/* --- one position --- */

/* Of the inputs from x on, those at the places. */
INLINE vector pick(const float *x, const uint8_t *places)
{
#if defined(__AVX512F__)
    const __m512i at = _mm512_cvtepu8_epi32(_mm_loadu_si128((const void *)places));
    return (vector)_mm512_permutexvar_ps(at, (__m512)load(x));
#elif defined(__AVX2__)
    const __m256i at = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const void *)places));
    return (vector)_mm256_permutevar8x32_ps((__m256)load(x), at);
#else
    vector picked;
    UNROLL for (int l = 0; l < LANES; l++) picked[l] = x[places[l]];
    return picked;
#endif
}

INLINE void add_step(vector *sum, const struct mc_sparse_lanes *s, int64_t i, const float *x)
{
    *sum += load(s->values + i * LANES) * pick(x + s->windows[i], s->places + i * LANES);
}

static inline int64_t rows_of(const struct mc_sparse_lanes *s, int64_t group)
{
    return s->M - group * LANES < LANES ? s->M - group * LANES : LANES;
}

static inline vector bias_of(const struct mc_sparse_lanes *s, int64_t group, const float *b)
{
    if (b && rows_of(s, group) == LANES) return load(b + group * LANES);
    float some[LANES] = {0};
    if (b) memcpy(some, b + group * LANES, (size_t)rows_of(s, group) * sizeof *b);
    return load(some);
}

static void run_lanes(const struct mc_sparse_lanes *s, int64_t from, int64_t to, const float *x, const float *b,
                      float *y)
{
    for (int64_t group = from; group < to; group += TOGETHER) {
        const int n = to - group < TOGETHER ? (int)(to - group) : TOGETHER;
        int64_t at[TOGETHER], shared = n == TOGETHER ? INT64_MAX : 0;
        vector sum[TOGETHER];
        for (int g = 0; g < n; g++) {
            const int64_t steps = s->start[group + g + 1] - s->start[group + g];
            at[g] = s->start[group + g];
            sum[g] = bias_of(s, group + g, b);
            if (steps < shared) shared = steps;
        }
        for (int64_t i = 0; i < shared; i++)
            UNROLL for (int g = 0; g < TOGETHER; g++) add_step(&sum[g], s, at[g] + i, x);
        for (int g = 0; g < n; g++) {
            for (int64_t i = at[g] + shared; i < s->start[group + g + 1]; i++) add_step(&sum[g], s, i, x);
            memcpy(y + (group + g) * LANES, &sum[g], (size_t)rows_of(s, group + g) * sizeof *y);
        }
    }
}

const struct mc_sparse_loops MC_VARIANT(mc_sparse_loops) = {
    .lanes = LANES,
    .most = VECTORS * LANES,
    .run = run,
    .run_lanes = run_lanes,
};
