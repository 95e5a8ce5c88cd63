/* bytes_loops.c - the loops of bytes.h; compiled once per instruction set. */
#include <math.h>
#include <string.h>

#include "kernel/bytes.h"

#ifndef MC_VARIANT
#define MC_VARIANT(name) name##_portable
#endif
extern const struct mc_byte_loops MC_VARIANT(mc_byte_loops);

#if defined(__AVX512VNNI__) || defined(__AVX512BW__) || defined(__AVX2__)
#include <immintrin.h>
#endif

/* A tile of the product stays in registers: ROWS rows of VECTORS vectors. */
#if defined(__AVX512VNNI__)
#define NAME "avx512vnni"
typedef int8_t element;
enum { LANES = 16, GROUP = 4, ROWS = 6, VECTORS = 4 };
#elif defined(__AVX512BW__)
#define NAME "avx512"
typedef int16_t element;
enum { LANES = 16, GROUP = 2, ROWS = 6, VECTORS = 4 };
#elif defined(__AVX2__)
#define NAME "avx2"
typedef int16_t element;
enum { LANES = 8, GROUP = 2, ROWS = 6, VECTORS = 2 };
#else
#define NAME "portable"
typedef int16_t element;
enum { LANES = 4, GROUP = 2, ROWS = 2, VECTORS = 2 };
#endif

/* clang and gcc: vectors, loaded from anywhere; a loop of constant count written out. */
typedef int32_t vector __attribute__((vector_size(LANES * sizeof(int32_t))));
typedef int32_t loose __attribute__((vector_size(LANES * sizeof(int32_t)), aligned(4), may_alias));
typedef uint32_t unsigned_vector __attribute__((vector_size(LANES * sizeof(int32_t))));
#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 8")

/* sum + the products of GROUP neighbours in each lane. */
INLINE vector multiply_add(vector sum, vector a, vector b)
{
#if defined(__AVX512VNNI__)
    return (vector)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)a, (__m512i)b);
#elif defined(__AVX512BW__)
    return (vector)_mm512_add_epi32((__m512i)sum, _mm512_madd_epi16((__m512i)a, (__m512i)b));
#elif defined(__AVX2__)
    return (vector)_mm256_add_epi32((__m256i)sum, _mm256_madd_epi16((__m256i)a, (__m256i)b));
#else
    const unsigned_vector low = (unsigned_vector)(((a << 16) >> 16) * ((b << 16) >> 16));
    return (vector)((unsigned_vector)sum + low + (unsigned_vector)((a >> 16) * (b >> 16)));
#endif
}

INLINE vector load(const void *from)
{
    return *(const loose *)from;
}

/* The same GROUP elements in each lane. */
INLINE vector spread(const element *from)
{
    int32_t one;
    memcpy(&one, from, sizeof one);
    return one - (vector){0};
}

static int64_t groups_of(int64_t K)
{
    return (K + GROUP - 1) / GROUP;
}

static size_t packed_bytes(int64_t K, int64_t N)
{
    return (size_t)((N + LANES - 1) / LANES * groups_of(K) * LANES * GROUP) * sizeof(element);
}

static void pack(int64_t K, int64_t N, const uint8_t *b, int64_t k_step, int64_t n_step, uint8_t flip, void *packed,
                 int32_t *sums)
{
    element *to = packed;
    for (int64_t n = 0; n < N; n++) sums[n] = 0;
    for (int64_t first = 0; first < N; first += LANES)
        for (int64_t k = 0; k < K; k += GROUP)
            for (int64_t n = first; n < first + LANES; n++)
                for (int64_t i = k; i < k + GROUP; i++) {
                    const int8_t v = n < N && i < K ? (int8_t)(b[i * k_step + n * n_step] ^ flip) : 0;
                    *to++ = v;
                    if (n < N) sums[n] += v;
                }
}

/* --- the product --- */

/* Rows of a as elements, whole groups: read in place where they are that already. */
struct operand {
    const element *at;
    int64_t pace;
};

static size_t room_bytes(int64_t rows, int64_t K)
{
    return (size_t)(rows * groups_of(K) * GROUP) * sizeof(element);
}

static struct operand operand_of(int64_t rows, int64_t K, const uint8_t *a, int64_t lda, uint8_t flip, void *room)
{
    const int64_t width = groups_of(K) * GROUP;
    if (sizeof(element) == 1 && !flip && K % GROUP == 0) return (struct operand){(const element *)(const void *)a, lda};
    element *to = room;
    for (int64_t m = 0; m < rows; m++, to += width) {
        const uint8_t *const from = a + m * lda;
        for (int64_t k = 0; k < K; k++) to[k] = (element)(from[k] ^ flip);
        for (int64_t k = K; k < width; k++) to[k] = 0;
    }
    return (struct operand){room, width};
}

INLINE void tile(int rows, int vectors, int64_t groups, struct operand a, const element *b, int32_t *c, int64_t ldc,
                 int64_t n)
{
    const int64_t step = groups * LANES * GROUP;
    vector sums[ROWS][VECTORS] = {0};
    for (int64_t k = 0; k < groups; k++) {
        vector columns[VECTORS];
        UNROLL for (int v = 0; v < vectors; v++) columns[v] = load(b + v * step + k * LANES * GROUP);
        UNROLL for (int m = 0; m < rows; m++)
        {
            const vector row = spread(a.at + m * a.pace + k * GROUP);
            UNROLL for (int v = 0; v < vectors; v++) sums[m][v] = multiply_add(sums[m][v], row, columns[v]);
        }
    }
    UNROLL for (int m = 0; m < rows; m++)
    {
        UNROLL for (int v = 0; v < vectors; v++)
        {
            int32_t *const to = c + m * ldc + v * LANES;
            const int64_t left = n - v * LANES;
            if (left >= LANES)
                *(loose *)to = sums[m][v];
            else
                memcpy(to, &sums[m][v], (size_t)left * sizeof *to);
        }
    }
}

/* All rows of `vectors` vectors of columns. */
INLINE void panel(int vectors, int64_t rows, int64_t groups, struct operand a, const element *b, int32_t *c,
                  int64_t ldc, int64_t n)
{
    int64_t m = 0;
    for (; m + ROWS <= rows; m += ROWS)
        tile(ROWS, vectors, groups, (struct operand){a.at + m * a.pace, a.pace}, b, c + m * ldc, ldc, n);
    for (; m + 2 <= rows; m += 2)
        tile(2, vectors, groups, (struct operand){a.at + m * a.pace, a.pace}, b, c + m * ldc, ldc, n);
    for (; m < rows; m++) tile(1, vectors, groups, (struct operand){a.at + m * a.pace, a.pace}, b, c + m * ldc, ldc, n);
}

static void multiply(int64_t rows, int64_t K, int64_t first, int64_t n, const uint8_t *a, int64_t lda, uint8_t flip,
                     const void *packed, int32_t *c, int64_t ldc, void *room)
{
    const struct operand rows_of_a = operand_of(rows, K, a, lda, flip, room);
    const int64_t groups = groups_of(K), step = groups * LANES * GROUP;
    const element *b = (const element *)packed + first / LANES * step;
    int64_t at = 0;
    for (; n - at > (VECTORS - 1) * LANES; at += VECTORS * LANES, b += VECTORS * step)
        panel(VECTORS, rows, groups, rows_of_a, b, c + at, ldc, n - at);
    for (; n - at > LANES; at += 2 * LANES, b += 2 * step) panel(2, rows, groups, rows_of_a, b, c + at, ldc, n - at);
    for (; n > at; at += LANES, b += step) panel(1, rows, groups, rows_of_a, b, c + at, ldc, n - at);
}

/* --- one filter a channel --- */

typedef uint8_t bytes __attribute__((vector_size(LANES), aligned(1), may_alias));
typedef int16_t shorts __attribute__((vector_size(2 * LANES), aligned(2), may_alias));

static void depthwise(int64_t N, int64_t n_taps, const uint8_t *const *a, uint8_t flip, int a_zero, const int16_t *b,
                      int32_t *c)
{
    int64_t n = 0;
    for (; n + LANES <= N; n += LANES) {
        vector sum = {0};
        for (int64_t tap = 0; tap < n_taps; tap++) {
            if (!a[tap]) continue;
            const vector x = __builtin_convertvector(*(const bytes *)(a[tap] + n) ^ flip, vector) - a_zero;
            sum += x * __builtin_convertvector(*(const shorts *)(b + tap * N + n), vector);
        }
        *(loose *)(c + n) = sum;
    }
    for (; n < N; n++) {
        int32_t sum = 0;
        for (int64_t tap = 0; tap < n_taps; tap++)
            if (a[tap]) sum += ((a[tap][n] ^ flip) - a_zero) * b[tap * N + n];
        c[n] = sum;
    }
}

static int32_t sum(int64_t n, const uint8_t *a, uint8_t flip)
{
    int32_t total = 0;
    for (int64_t i = 0; i < n; i++) total += a[i] ^ flip;
    return total;
}

static void accumulate(int64_t n, const uint8_t *x, uint8_t flip, int32_t *restrict sums)
{
    for (int64_t i = 0; i < n; i++) sums[i] += x[i] ^ flip;
}

/* --- between numbers and bytes: what is written overlaps nothing that is read --- */

/* Cut off before it is rounded: what is left fits integers, and the bounds are whole. */
INLINE uint8_t rounded(float v, const struct mc_requantization *how)
{
    const float low = (float)(how->low - how->zero), high = (float)(how->high - how->zero);
    v = v > low ? v : low;
    v = v < high ? v : high;
    return (uint8_t)((int)rintf(v) + how->zero);
}

static void requantize(int64_t n, const int32_t *restrict c, const int32_t *restrict add, const float *restrict factor,
                       const float *restrict offset, const struct mc_requantization *how, uint8_t *restrict y)
{
    const struct mc_requantization h = *how;
    for (int64_t i = 0; i < n && !offset; i++)
        y[i] = rounded((float)(int32_t)((uint32_t)c[i] + (uint32_t)add[i]) * factor[i], &h);
    for (int64_t i = 0; i < n && offset; i++)
        y[i] = rounded((float)(int32_t)((uint32_t)c[i] + (uint32_t)add[i]) * factor[i] + offset[i], &h);
}

static void quantize(int64_t n, const float *restrict x, float scale, const struct mc_requantization *how,
                     uint8_t *restrict y)
{
    const struct mc_requantization h = *how;
    for (int64_t i = 0; i < n; i++) y[i] = rounded(x[i] / scale, &h);
}

static void dequantize(int64_t n, const uint8_t *restrict x, bool is_signed, float scale, float zero, float *restrict y)
{
    for (int64_t i = 0; i < n && is_signed; i++) y[i] = ((float)(int8_t)x[i] - zero) * scale;
    for (int64_t i = 0; i < n && !is_signed; i++) y[i] = ((float)x[i] - zero) * scale;
}

/* a and b without their zero points. */
INLINE void pair_up(int64_t n, const uint8_t *restrict a, int64_t a_step, const uint8_t *restrict b, int64_t b_step,
                    const struct mc_byte_pair *pair, bool product, uint8_t *restrict y)
{
    const struct mc_byte_pair p = *pair;
    const uint8_t a_flip = p.a_signed ? 0x80 : 0, b_flip = p.b_signed ? 0x80 : 0;
    const int a_zero = p.a_zero + a_flip, b_zero = p.b_zero + b_flip;
    for (int64_t i = 0; i < n; i++) {
        const int l = (a[i * a_step] ^ a_flip) - a_zero, r = (b[i * b_step] ^ b_flip) - b_zero;
        y[i] = rounded(product ? (float)(l * r) * p.a_factor : (float)l * p.a_factor + (float)r * p.b_factor, &p.how);
    }
}

#define PAIRED(name, product)                                                                                          \
    static void name(int64_t n, const uint8_t *a, int64_t a_step, const uint8_t *b, int64_t b_step,                    \
                     const struct mc_byte_pair *pair, uint8_t *y)                                                      \
    {                                                                                                                  \
        if (a_step && b_step)                                                                                          \
            pair_up(n, a, 1, b, 1, pair, product, y);                                                                  \
        else if (a_step)                                                                                               \
            pair_up(n, a, 1, b, 0, pair, product, y);                                                                  \
        else                                                                                                           \
            pair_up(n, a, 0, b, b_step, pair, product, y);                                                             \
    }

PAIRED(add, false)
PAIRED(mul, true)

static void lookup(int64_t n, const uint8_t *x, const uint8_t *table, uint8_t *y)
{
    for (int64_t i = 0; i < n; i++) y[i] = table[x[i]];
}

static void range(int64_t n, const float *x, float *low, float *high)
{
    float least[LANES] = {0}, most[LANES] = {0};
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int k = 0; k < LANES; k++) {
            const float v = x[i + k];
            least[k] = v < least[k] ? v : least[k];
            most[k] = v > most[k] ? v : most[k];
        }
    for (; i < n; i++) {
        least[0] = x[i] < least[0] ? x[i] : least[0];
        most[0] = x[i] > most[0] ? x[i] : most[0];
    }
    *low = least[0];
    *high = most[0];
    for (int k = 1; k < LANES; k++) {
        *low = least[k] < *low ? least[k] : *low;
        *high = most[k] > *high ? most[k] : *high;
    }
}

const struct mc_byte_loops MC_VARIANT(mc_byte_loops) = {
    .name = NAME,
    .lanes = LANES,
    .packed_bytes = packed_bytes,
    .pack = pack,
    .room_bytes = room_bytes,
    .multiply = multiply,
    .depthwise = depthwise,
    .sum = sum,
    .quantize = quantize,
    .dequantize = dequantize,
    .requantize = requantize,
    .add = add,
    .mul = mul,
    .lookup = lookup,
    .accumulate = accumulate,
    .range = range,
};
