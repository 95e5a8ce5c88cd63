/* bfloat_loops.c - products of matrices that are rounded while they are packed; see bfloat.h. Compiled once per
 * instruction set, with multiplications and additions contracted.
 *
 * Both factors are packed into units of four bytes: with AVX512_BF16 two numbers of bfloat16 that follow each other
 * along k, elsewhere one that is a float again. Of b a block of UNITS units by COLUMNS columns lies in panels as wide
 * as the registers, of a one of ROWS rows; GROUP rows by a panel are summed in registers and then added to c.
 */
#include "kernel/bfloat.h"

#include <string.h>

#include "kernel/copy.h"
#include "kernel/panel.h"
#include "kernel/parallel.h"

#ifndef MC_VARIANT
#define MC_VARIANT(name) name##_portable
#endif
extern const struct mc_bfloat_loops MC_VARIANT(mc_bfloat_loops);

/* A panel of UNITS fills two thirds of a first-level cache, the block of b a tenth of a second-level one. */
enum { UNITS = 128, PANEL = MOST_VECTORS * LANES, COLUMNS = 3 * PANEL, GROUP = WIDE_ROWS, ROWS = 8 * GROUP };

/* Numbers of a unit. */
#if defined(__AVX512BF16__)
enum { NUMBERS = 2 };
#else
enum { NUMBERS = 1 };
#endif
enum { DEPTH = NUMBERS * UNITS }; /* of a block, in numbers */

typedef uint32_t loose_units __attribute__((vector_size(LANES * sizeof(uint32_t)), aligned(4), may_alias));

/* --- packing --- */

/* Units of numbers k (and k + 1), one for each lane. */
#if defined(__AVX512BF16__)
INLINE units unit_of(vector low, vector high)
{
    const __m512i first = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh((__m512)low));
    const __m512i second = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh((__m512)high));
    return (units)_mm512_or_si512(first, _mm512_slli_epi32(second, 16));
}
#else
INLINE units unit_of(vector low, vector high)
{
    (void)high;
    const units bits = (units)low, even = bits >> 16 & 1, is_nan = (units)(low != low);
    const units number = (bits + 0x7fff + even) & 0xffff0000, nan = (bits | 0x00400000) & 0xffff0000;
    return (nan & is_nan) | (number & ~is_nan);
}
#endif

/* Of n floats those from `at` on, then zeros. */
INLINE vector load_some(const float *from, int64_t at, int64_t n)
{
    if (at + LANES <= n) return load(from + at);
    if (at >= n) return (vector){0};
#if defined(__AVX512F__)
    return (vector)_mm512_maskz_loadu_ps((__mmask16)((1u << (n - at)) - 1), from + at);
#else
    float some[LANES] = {0};
    for (int64_t i = at; i < n; i++) some[i - at] = from[i];
    return load(some);
#endif
}

/* `n` floats one after the other along k: n_units units. */
static void pack_line(const float *from, int64_t n, int64_t n_units, uint32_t *to)
{
    for (int64_t u = 0; u < n_units; u += LANES) {
#if defined(__AVX512BF16__)
        const vector low = load_some(from, 2 * u, n), high = load_some(from, 2 * u + LANES, n);
        _mm512_storeu_si512(to + u, (__m512i)_mm512_cvtne2ps_pbh((__m512)high, (__m512)low));
#else
        *(loose_units *)(to + u) = unit_of(load_some(from, u, n), (vector){0});
#endif
    }
}

/* Of [n, width], rows `row` apart: to[unit][column], columns up to `stride` being zero. */
static void pack_across(const float *from, int64_t row, int64_t n, int64_t width, int64_t stride, uint32_t *to)
{
    for (int64_t k = 0; k < n; k += NUMBERS, to += stride) {
        const float *first = from + k * row, *second = NUMBERS == 2 && k + 1 < n ? first + row : NULL;
        for (int64_t j = 0; j < stride; j += LANES) {
            const vector low = load_some(first, j, width);
            const vector high = second ? load_some(second, j, width) : (vector){0};
            *(loose_units *)(to + j) = unit_of(low, high);
        }
    }
}

/* The same of what lies the other way about, [width, n] with rows `column` apart. */
static void pack_along(const float *from, int64_t column, int64_t n, int64_t n_units, int64_t width, int64_t stride,
                       uint32_t *to)
{
    _Alignas(64) uint32_t lines[LANES][UNITS];
    for (int64_t j = 0; j < stride; j += LANES) {
        for (int64_t i = 0; i < LANES; i++) {
            if (j + i < width)
                pack_line(from + (j + i) * column, n, n_units, lines[i]);
            else
                memset(lines[i], 0, (size_t)n_units * sizeof lines[i][0]);
        }
        mc_transpose_floats((float *)(void *)(to + j), stride, (const float *)(const void *)lines, UNITS, LANES,
                            n_units);
    }
}

/* --- multiplying --- */

/* One product with a unit of each lane. */
INLINE vector multiply_add(vector sum, uint32_t a, units b)
{
    const units all = (units){0} + a;
#if defined(__AVX512BF16__)
    return (vector)_mm512_dpbf16_ps((__m512)sum, (__m512bh)all, (__m512bh)b);
#else
    return sum + (vector)all * (vector)b;
#endif
}

/* Where the unit u of row r lies: at r row + u unit. */
struct rows {
    const uint32_t *first;
    int64_t row, unit;
};

/* GROUP rows by V vectors of a panel. */
INLINE void multiply_group(const int V, const struct rows *a, const uint32_t *b, int64_t n_units,
                           float sums[GROUP][PANEL])
{
    vector sum[GROUP][MOST_VECTORS];
    UNROLL for (int r = 0; r < GROUP; r++) UNROLL for (int v = 0; v < V; v++) sum[r][v] = (vector){0};
    const uint32_t *near = a->first, *far = a->first + 3 * a->row; /* an address holds once or twice a row */
    for (int64_t u = 0; u < n_units; u++) {
        units other[MOST_VECTORS];
        UNROLL for (int v = 0; v < V; v++) other[v] = *(const loose_units *)(b + v * LANES);
        UNROLL for (int r = 0; r < GROUP; r++)
        {
            const uint32_t unit = r < 3 ? near[r * a->row] : far[(r - 3) * a->row];
            UNROLL for (int v = 0; v < V; v++) sum[r][v] = multiply_add(sum[r][v], unit, other[v]);
        }
        near += a->unit;
        far += a->unit;
        b += V * LANES;
    }
    UNROLL for (int r = 0; r < GROUP; r++) UNROLL for (int v = 0; v < V; v++) store(sums[r] + v * LANES, sum[r][v]);
}

/* c = alpha sums + beta c, of n rows by `width` columns. */
static void add_sums(float sums[GROUP][PANEL], int64_t n, int64_t width, float alpha, float beta, float *c,
                     int64_t c_row)
{
    for (int64_t r = 0; r < n; r++, c += c_row) {
        if (beta == 0)
            for (int64_t j = 0; j < width; j++) c[j] = alpha * sums[r][j];
        else
            for (int64_t j = 0; j < width; j++) c[j] = alpha * sums[r][j] + beta * c[j];
    }
}

/* Vectors of the panel that begins at column j of `width`: 1, 2 or all. */
static int64_t panel_vectors(int64_t j, int64_t width)
{
    const int64_t left = (width - j + LANES - 1) / LANES;
    return left > 2 ? MOST_VECTORS : left;
}

/* --- all of it --- */

/* A block of b and what of c comes of it. */
struct block {
    int64_t k, n_k, n_units;
    int64_t column, width;
    float beta;
};

static void pack_columns(const struct mc_bfloat_product *p, const struct block *block, uint32_t *to)
{
    const struct mc_factor *b = &p->b;
    for (int64_t j = 0; j < block->width; j += PANEL) {
        const int64_t stride = panel_vectors(j, block->width) * LANES, width = mc_least(block->width - j, stride);
        const float *from = b->first + block->k * b->row + (block->column + j) * b->column;
        if (b->column == 1)
            pack_across(from, b->row, block->n_k, width, stride, to + j * UNITS);
        else
            pack_along(from, b->column, block->n_k, block->n_units, width, stride, to + j * UNITS);
    }
}

/* Up to ROWS rows from `row` on; those that are not there are zero. */
static struct rows pack_rows(const struct mc_bfloat_product *p, const struct block *block, int64_t row, int64_t n,
                             uint32_t *to)
{
    const struct mc_factor *a = &p->a;
    const float *from = a->first + row * a->row + block->k * a->column;
    if (a->column != 1) {
        pack_across(from, a->column, block->n_k, n, ROWS, to);
        return (struct rows){to, 1, ROWS};
    }
    const int64_t all = round_up(n, GROUP);
    for (int64_t i = 0; i < n; i++) pack_line(from + i * a->row, block->n_k, block->n_units, to + i * UNITS);
    memset(to + n * UNITS, 0, (size_t)((all - n) * UNITS) * sizeof *to);
    return (struct rows){to, UNITS, 1};
}

static void multiply_block(const struct mc_bfloat_product *p, const struct block *block, int64_t row, int64_t n,
                           const struct rows *rows, const uint32_t *columns)
{
    float sums[GROUP][PANEL];
    for (int64_t j = 0; j < block->width; j += PANEL) {
        const int64_t V = panel_vectors(j, block->width), width = mc_least(block->width - j, V * LANES);
        for (int64_t i = 0; i < n; i += GROUP) {
            const struct rows group = {rows->first + i * rows->row, rows->row, rows->unit};
            if (V == 1) multiply_group(1, &group, columns + j * UNITS, block->n_units, sums);
#if defined(__AVX512F__)
            else if (V == 2)
                multiply_group(2, &group, columns + j * UNITS, block->n_units, sums);
#endif
            else
                multiply_group(MOST_VECTORS, &group, columns + j * UNITS, block->n_units, sums);
            add_sums(sums, mc_least(n - i, GROUP), width, p->alpha, block->beta,
                     p->c + (row + i) * p->c_row + block->column + j, p->c_row);
        }
    }
}

/* Panels of a packed b lie block of k after block of k, each as large as the largest. */
static int64_t panels_of(const struct mc_bfloat_product *p)
{
    return round_up(p->n, PANEL) / PANEL;
}

static size_t bytes(const struct mc_bfloat_product *p)
{
    return (size_t)(round_up(p->k, DEPTH) / DEPTH * panels_of(p) * PANEL * UNITS) * sizeof(uint32_t);
}

static struct block block_of(const struct mc_bfloat_product *p, int64_t k, int64_t column, int64_t width)
{
    const int64_t n_k = mc_least(DEPTH, p->k - k);
    return (struct block){.k = k,
                          .n_k = n_k,
                          .n_units = (n_k + NUMBERS - 1) / NUMBERS,
                          .column = column,
                          .width = width,
                          .beta = k == 0 ? p->beta : 1};
}

static void pack(const struct mc_bfloat_product *p, void *packed)
{
    uint32_t *to = packed;
    for (int64_t k = 0; k < p->k; k += DEPTH) {
        for (int64_t j = 0; j < p->n; j += PANEL, to += PANEL * UNITS) {
            const struct block block = block_of(p, k, j, mc_least(PANEL, p->n - j));
            pack_columns(p, &block, to);
        }
    }
}

static void run(const struct mc_bfloat_product *p, int64_t from_row, int64_t to_row, int64_t from_column,
                int64_t to_column)
{
    _Alignas(64) uint32_t columns[COLUMNS * UNITS], rows[ROWS * UNITS];
    for (int64_t j = from_column; j < to_column; j += COLUMNS) {
        for (int64_t k = 0; k < p->k; k += DEPTH) {
            const struct block block = block_of(p, k, j, mc_least(COLUMNS, to_column - j));
            const uint32_t *b = columns;
            if (p->packed)
                b = (const uint32_t *)p->packed + (k / DEPTH * panels_of(p) + j / PANEL) * PANEL * UNITS;
            else
                pack_columns(p, &block, columns);
            for (int64_t i = from_row; i < to_row; i += ROWS) {
                const int64_t n = mc_least(ROWS, to_row - i);
                const struct rows packed = pack_rows(p, &block, i, n, rows);
                multiply_block(p, &block, i, n, &packed, b);
            }
        }
    }
}

const struct mc_bfloat_loops MC_VARIANT(mc_bfloat_loops) = {
    .lanes = LANES,
    .panel = PANEL,
    .rows = GROUP,
    .native = NUMBERS == 2,
    .bytes = bytes,
    .pack = pack,
    .run = run,
};
