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
enum { VECTORS = LANES == 16 ? 4 : 8, SUMS = LANES == 16 ? 16 : 8, TOGETHER = 2 };

/* --- many positions --- */

/* Both halves of a term come by one load of eight bytes: what is multiplied is then spread from a general register and
 * leaves the loads of vectors to x. */
INLINE void add_product(const int V, vector *sum, const struct mc_sparse_term *term, const float *x)
{
    uint64_t both;
    memcpy(&both, term, sizeof both);
    if (V > 1) __asm__("" : "+r"(both));
    const uint32_t bits = (uint32_t)(both >> 32);
    const float *const at = x + (int32_t)(uint32_t)both;
    const vector value = (vector)((units){0} + bits);
    UNROLL for (int v = 0; v < V; v++) sum[v] += value * load(at + v * LANES);
}

/* R rows by turns, V vectors of each: turn number t of all blocks. */
INLINE void run_turn(const int R, const int V, const struct mc_sparse_blocks *s, int64_t t, bool first, const float *x,
                     const float *b, float *sums, int64_t from)
{
    vector sum[SUMS];
    const int32_t *const order = s->order + t * R;
    UNROLL for (int r = 0; r < R; r++)
    {
        const float *const before = sums + (order[r] - from) * (V * LANES);
        const float bias = first && b && order[r] < s->M ? b[order[r]] : 0;
        UNROLL for (int v = 0; v < V; v++) sum[r * V + v] = first ? (vector){0} + bias : load(before + v * LANES);
    }
    const struct mc_sparse_term *term = s->terms + s->start[t], *const end = s->terms + s->start[t + 1];
    for (; term < end; term += R) UNROLL for (int r = 0; r < R; r++) add_product(V, sum + r * V, term + r, x);
    UNROLL for (int r = 0; r < R; r++)
    {
        float *const after = sums + (order[r] - from) * (V * LANES);
        UNROLL for (int v = 0; v < V; v++) store(after + v * LANES, sum[r * V + v]);
    }
}

INLINE void run_turns(const int V, const struct mc_sparse_blocks *s, int64_t j, int64_t from, int64_t to,
                      const float *x, const float *b, float *sums)
{
    const int R = SUMS / V < MC_SPARSE_TURNS ? SUMS / V : MC_SPARSE_TURNS;
    const int64_t all = round_up(s->M, R) / R;
    for (int64_t t = j * all + from / R; t < j * all + round_up(to, R) / R; t++)
        run_turn(R, V, s, t, j == 0, x, b, sums, from);
}

static void run(const struct mc_sparse_blocks *s, int64_t j, int64_t from, int64_t to, const float *x, const float *b,
                float *sums)
{
    if (s->width == LANES)
        run_turns(1, s, j, from, to, x, b, sums);
    else if (s->width == 2 * LANES)
        run_turns(2, s, j, from, to, x, b, sums);
    else if (s->width == 4 * LANES)
        run_turns(4, s, j, from, to, x, b, sums);
    else
        run_turns(VECTORS, s, j, from, to, x, b, sums);
}

INLINE void gather_vectors(const int V, int64_t n, const int32_t *offsets, const float *x, float *panel)
{
    for (int64_t i = 0; i < n; i++)
        UNROLL for (int v = 0; v < V; v++) store(panel + (i * V + v) * LANES, load(x + offsets[i] + v * LANES));
}

static void gather(int64_t n, const int32_t *offsets, const float *x, int64_t width, float *panel)
{
    if (width == LANES)
        gather_vectors(1, n, offsets, x, panel);
    else if (width == 2 * LANES)
        gather_vectors(2, n, offsets, x, panel);
    else if (width == 4 * LANES)
        gather_vectors(4, n, offsets, x, panel);
    else
        gather_vectors(VECTORS, n, offsets, x, panel);
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
    .most_of_panels = LANES == 16 ? 2 * LANES : VECTORS * LANES,
    .few = LANES == 16 ? 5 : 13, /* half as wide vectors lie half as often across two lines of the cache */
    .sums = SUMS,
    .run = run,
    .gather = gather,
    .run_lanes = run_lanes,
};
