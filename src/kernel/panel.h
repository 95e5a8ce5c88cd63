/* panel.h - vectors of floats, and products of matrices that stay in them: for sources that are compiled once per
 * instruction set, with multiplications and additions contracted.
 *
 * A panel is what the second factor of a product is packed into: [depth, V vectors] for V up to MOST_VECTORS. So many
 * sums as fit in the registers, beside V of its vectors, are made at a time.
 */
#ifndef MC_KERNEL_PANEL_H
#define MC_KERNEL_PANEL_H

#include <stdbool.h>
#include <stdint.h>

#if defined(__F16C__)
#include <immintrin.h>
#define CAN_WIDEN 1
#endif

#include "kernel/packed.h"

/* Rows of a product at a time: WIDE_ROWS of MOST_VECTORS; NARROW_ROWS of half as many or fewer. */
#if defined(__AVX512F__)
enum { LANES = 16, MOST_VECTORS = 4, WIDE_ROWS = 6, NARROW_ROWS = 12 };
#elif defined(__AVX__)
enum { LANES = 8, MOST_VECTORS = 2, WIDE_ROWS = 6, NARROW_ROWS = 6 };
#else
enum { LANES = 4, MOST_VECTORS = 2, WIDE_ROWS = 6, NARROW_ROWS = 6 };
#endif

/* Floats of a cache line; weights that stay in a second-level cache. */
enum { LINE = 16, IN_CACHE = 1 << 18 };

/* gcc and clang: vectors of floats, loaded from anywhere; loops of constant count written out. */
typedef float vector __attribute__((vector_size(LANES * sizeof(float))));
typedef float loose __attribute__((vector_size(LANES * sizeof(float)), aligned(4), may_alias));
typedef int32_t lanes_mask __attribute__((vector_size(LANES * sizeof(float))));
typedef uint32_t units __attribute__((vector_size(LANES * sizeof(float))));
#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 36")

INLINE vector load(const float *from)
{
    return *(const loose *)from;
}

INLINE void store(float *to, vector v)
{
    *(loose *)to = v;
}

/* Lanes of a where the mask is set, of b elsewhere. */
INLINE vector choose(lanes_mask mask, vector a, vector b)
{
    return (vector)((mask & (lanes_mask)a) | (~mask & (lanes_mask)b));
}

/* min(max(v, low), high); NaN stays. */
INLINE vector bound(vector v, const struct mc_bounds *bounds)
{
    const vector low = (vector){0} + bounds->low, high = (vector){0} + bounds->high;
    v = choose(v < low, low, v);
    return choose(v > high, high, v);
}

/* What a panel consists of: floats, or halves that become floats when they are loaded. */
enum { FLOATS, HALVES, BFLOATS };

#if defined(__AVX512F__) && defined(CAN_WIDEN)
INLINE vector load_halves(const void *from)
{
    return (vector)_mm512_cvtph_ps(_mm256_loadu_si256(from));
}

INLINE void store_halves(void *to, vector v)
{
    _mm256_storeu_si256(to, _mm512_cvtps_ph((__m512)v, _MM_FROUND_TO_NEAREST_INT));
}

INLINE vector load_bfloats(const void *from)
{
    return (vector)_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256(from)), 16);
}
#elif defined(CAN_WIDEN)
INLINE vector load_halves(const void *from)
{
    return (vector)_mm256_cvtph_ps(_mm_loadu_si128(from));
}

INLINE void store_halves(void *to, vector v)
{
    _mm_storeu_si128(to, _mm256_cvtps_ph((__m256)v, _MM_FROUND_TO_NEAREST_INT));
}

INLINE vector load_bfloats(const void *from)
{
    return (vector)_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128(from)), 16);
}
#endif

INLINE vector load_weights(const int kind, const char *from)
{
#if defined(CAN_WIDEN)
    if (kind == HALVES) return load_halves(from);
    if (kind == BFLOATS) return load_bfloats(from);
#endif
    return load((const float *)(const void *)from);
}

static inline int64_t round_up(int64_t n, int64_t to)
{
    return (n + to - 1) / to * to;
}

/* [rows, depth] x [depth, V vectors] + bias. A row of the first factor is n_runs runs of depth / n_runs floats. */
struct product {
    int64_t run; /* floats of a run */
    const float *a;
    int64_t a_row;       /* floats from one row to the next */
    const int64_t *runs; /* where the runs of the first row begin */
    int64_t n_runs;
    const void *b;
    const void *next;               /* the panel after this one; with `far` it is asked for while this is used */
    const float *bias;              /* as a row of y, or NULL: none */
    const float *z;                 /* as y, or NULL: what is added to the sums; may be y */
    const struct mc_bounds *bounds; /* of what is stored, or NULL */
    float *y;
    int64_t y_row;
    int64_t last;  /* floats from a row's first vector to its last, which may overlap the one before */
    int64_t turns; /* groups of rows: set by multiply */
};

/* Rows i to i + R. With `far`, the groups of rows take turns in asking the memory for the next panel, in step with the
 * use of this one. */
INLINE void multiply_rows(const int R, const int V, const int kind, const bool far, const struct product *p, int64_t i,
                          int64_t turn)
{
    const int64_t step = LANES * (kind == FLOATS ? sizeof(float) : sizeof(uint16_t));
    vector sum[12][MOST_VECTORS];
    const char *b = p->b, *next = p->next;
    UNROLL for (int v = 0; v < V; v++)
    {
        const int64_t at = v == V - 1 ? p->last : v * LANES;
        const vector bias = p->bias ? load(p->bias + at) : (vector){0};
        UNROLL for (int r = 0; r < R; r++) sum[r][v] = bias;
    }
    for (int64_t k = 0; k < p->n_runs; k++) {
        const float *a[4]; /* to every third row: an address holds once or twice a_row, no registers go to others */
        UNROLL for (int j = 0; j < 4; j++) a[j] = p->a + p->runs[k] + (i + 3 * j) * p->a_row;
        for (int64_t c = 0; c < p->run; c++) {
            vector weight[MOST_VECTORS];
            UNROLL for (int v = 0; v < V; v++) weight[v] = load_weights(kind, b + v * step);
            if (far && --turn < 0) {
                UNROLL for (int v = 0; v < V; v++) __builtin_prefetch(next + v * step, 0, 2);
                turn = p->turns - 1;
            }
            UNROLL for (int r = 0; r < R; r++)
            {
                const float input = a[r / 3][r % 3 * p->a_row];
                UNROLL for (int v = 0; v < V; v++) sum[r][v] += input * weight[v];
            }
            UNROLL for (int j = 0; j < 4; j++) a[j]++;
            b += V * step;
            if (far) next += V * step;
        }
    }
    if (p->z) { /* all of it before anything is stored: vectors may overlap */
        UNROLL for (int r = 0; r < R; r++) UNROLL for (int v = 0; v < V; v++)
        {
            const float *const row = p->z + (i + r) * p->y_row;
            sum[r][v] += load(v == V - 1 ? row + p->last : row + v * LANES);
        }
    }
    if (p->bounds) {
        UNROLL for (int r = 0; r < R; r++) UNROLL for (int v = 0; v < V; v++) sum[r][v] = bound(sum[r][v], p->bounds);
    }
    UNROLL for (int r = 0; r < R; r++) UNROLL for (int v = 0; v < V; v++)
    {
        float *const row = p->y + (i + r) * p->y_row;
        store(v == V - 1 ? row + p->last : row + v * LANES, sum[r][v]);
    }
}

#define ROWS(n)                                                                                                        \
    case n:                                                                                                            \
        if (n <= most) multiply_rows(n, V, kind, far, p, i, turn);                                                     \
        break

/* n rows in groups as equal as can be, of `most` at most. */
INLINE void multiply(const int most, const int V, const int kind, const bool far, int64_t n, struct product *p)
{
    p->turns = (n + most - 1) / most;
    for (int64_t turn = 0; turn < p->turns; turn++) {
        const int64_t i = n * turn / p->turns;
        switch (n * (turn + 1) / p->turns - i) {
            ROWS(1);
            ROWS(2);
            ROWS(3);
            ROWS(4);
            ROWS(5);
            ROWS(6);
            ROWS(7);
            ROWS(8);
            ROWS(9);
            ROWS(10);
            ROWS(11);
            ROWS(12);
        }
    }
}

/* n rows of V vectors. */
INLINE void multiply_vectors(const int kind, int64_t V, bool far, int64_t n, struct product *p)
{
    if (V == 1)
        multiply(NARROW_ROWS, 1, kind, false, n, p);
    else if (V == MOST_VECTORS && far)
        multiply(WIDE_ROWS, MOST_VECTORS, kind, true, n, p);
    else if (V == MOST_VECTORS)
        multiply(WIDE_ROWS, MOST_VECTORS, kind, false, n, p);
#if defined(__AVX512F__)
    else if (V == 3)
        multiply(8, 3, kind, false, n, p);
    else
        multiply(NARROW_ROWS, 2, kind, false, n, p);
#endif
}

static inline void multiply_panel(int64_t V, bool far, int64_t n, struct product *p)
{
    multiply_vectors(FLOATS, V, far, n, p);
}

#endif
