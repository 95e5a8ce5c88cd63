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

/* Cut off before it is rounded: what is left fits integers, and the bounds are whole. */
INLINE uint8_t rounded(float v, const struct mc_requantization *how)
{
    const float low = (float)(how->low - how->zero), high = (float)(how->high - how->zero);
    v = v > low ? v : low;
    v = v < high ? v : high;
    return (uint8_t)((int)rintf(v) + how->zero);
}

INLINE void requantize_some(int64_t n, const int32_t *restrict c, const int32_t *restrict add,
                            const float *restrict factor, const float *restrict offset,
                            const struct mc_requantization *how, uint8_t *restrict y)
{
    const struct mc_requantization h = *how;
    if (offset)
        for (int64_t i = 0; i < n; i++)
            y[i] = rounded((float)(int32_t)((uint32_t)c[i] + (uint32_t)add[i]) * factor[i] + offset[i], &h);
    else
        for (int64_t i = 0; i < n; i++)
            y[i] = rounded((float)(int32_t)((uint32_t)c[i] + (uint32_t)add[i]) * factor[i], &h);
}

/* Where a product goes: as sums, or rounded. Pointers are of row 0 and column 0 of a tile. */
struct target {
    int32_t *c;
    uint8_t *y;
    int64_t pace; /* of rows */
    struct mc_byte_rounding rounding;
};

INLINE void round_vector(const struct mc_byte_rounding *r, vector sum, int64_t column, int64_t n, uint8_t *y)
{
#if defined(__AVX512BW__)
    const __m512i all = _mm512_add_epi32((__m512i)sum, _mm512_loadu_si512(r->add + column));
    __m512 v = _mm512_mul_ps(_mm512_cvtepi32_ps(all), _mm512_loadu_ps(r->factor + column));
    if (r->offset) v = _mm512_add_ps(v, _mm512_loadu_ps(r->offset + column));
    v = _mm512_max_ps(v, _mm512_set1_ps((float)(r->how.low - r->how.zero)));
    v = _mm512_min_ps(v, _mm512_set1_ps((float)(r->how.high - r->how.zero)));
    const __m128i bytes = _mm512_cvtepi32_epi8(_mm512_add_epi32(_mm512_cvtps_epi32(v), _mm512_set1_epi32(r->how.zero)));
    if (n >= LANES)
        _mm_storeu_si128((__m128i *)(void *)y, bytes);
    else
        memcpy(y, &bytes, (size_t)n);
#else
    int32_t c[LANES];
    uint8_t bytes[LANES];
    memcpy(c, &sum, sizeof c);
    requantize_some(LANES, c, r->add + column, r->factor + column, r->offset ? r->offset + column : NULL, &r->how,
                    bytes);
    if (n >= LANES)
        memcpy(y, bytes, LANES);
    else
        memcpy(y, bytes, (size_t)n);
#endif
}

INLINE void tile(int rows, int vectors, bool rounds, int64_t groups, struct operand a, const element *b,
                 const struct target *to, int64_t row, int64_t column, int64_t n)
{
    const int64_t step = groups * LANES * GROUP;
    vector sums[ROWS][VECTORS] = {0};
    a.at += row * a.pace;
    for (int64_t k = 0; k < groups; k++) {
        vector columns[VECTORS];
        UNROLL for (int v = 0; v < vectors; v++) columns[v] = load(b + v * step + k * LANES * GROUP);
        UNROLL for (int m = 0; m < rows; m++)
        {
            const vector one = spread(a.at + m * a.pace + k * GROUP);
            UNROLL for (int v = 0; v < vectors; v++) sums[m][v] = multiply_add(sums[m][v], one, columns[v]);
        }
    }
    UNROLL for (int m = 0; m < rows; m++)
    {
        UNROLL for (int v = 0; v < vectors; v++)
        {
            const int64_t at = (row + m) * to->pace + column + v * LANES, left = n - v * LANES;
            if (rounds)
                round_vector(&to->rounding, sums[m][v], column + v * LANES, left, to->y + at);
            else if (left >= LANES)
                *(loose *)(to->c + at) = sums[m][v];
            else
                memcpy(to->c + at, &sums[m][v], (size_t)left * sizeof *to->c);
        }
    }
}

/* All rows of `vectors` vectors of columns. */
INLINE void panel(int vectors, bool rounds, int64_t rows, int64_t groups, struct operand a, const element *b,
                  const struct target *to, int64_t column, int64_t n)
{
    int64_t m = 0;
    for (; m + ROWS <= rows; m += ROWS) tile(ROWS, vectors, rounds, groups, a, b, to, m, column, n);
    for (; m + 2 <= rows; m += 2) tile(2, vectors, rounds, groups, a, b, to, m, column, n);
    for (; m < rows; m++) tile(1, vectors, rounds, groups, a, b, to, m, column, n);
}

INLINE void panels(bool rounds, int64_t rows, int64_t K, int64_t first, int64_t n, struct operand a, const void *packed,
                   const struct target *to)
{
    const int64_t groups = groups_of(K), step = groups * LANES * GROUP;
    const element *b = (const element *)packed + first / LANES * step;
    int64_t at = 0;
    for (; n - at > (VECTORS - 1) * LANES; at += VECTORS * LANES, b += VECTORS * step)
        panel(VECTORS, rounds, rows, groups, a, b, to, at, n - at);
    for (; n - at > LANES; at += 2 * LANES, b += 2 * step) panel(2, rounds, rows, groups, a, b, to, at, n - at);
    for (; n > at; at += LANES, b += step) panel(1, rounds, rows, groups, a, b, to, at, n - at);
}

static void multiply(int64_t rows, int64_t K, int64_t first, int64_t n, const uint8_t *a, int64_t lda, uint8_t flip,
                     const void *packed, int32_t *c, int64_t ldc, void *room)
{
    panels(false, rows, K, first, n, operand_of(rows, K, a, lda, flip, room), packed,
           &(struct target){.c = c, .pace = ldc});
}

static void multiply_rounded(int64_t rows, int64_t K, int64_t first, int64_t n, const uint8_t *a, int64_t lda,
                             uint8_t flip, const void *packed, const struct mc_byte_rounding *rounding, uint8_t *y,
                             int64_t ldy, void *room)
{
    const struct target to = {.y = y,
                              .pace = ldy,
                              .rounding = {.add = rounding->add + first,
                                           .factor = rounding->factor + first,
                                           .offset = rounding->offset ? rounding->offset + first : NULL,
                                           .how = rounding->how}};
    panels(true, rows, K, first, n, operand_of(rows, K, a, lda, flip, room), packed, &to);
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
            const vector x = __builtin_convertvector(*(const bytes *)(a[tap] + n) ^ flip, vector) - a_zero;
            sum += x * __builtin_convertvector(*(const shorts *)(b + tap * N + n), vector);
        }
        *(loose *)(c + n) = sum;
    }
    for (; n < N; n++) {
        int32_t sum = 0;
        for (int64_t tap = 0; tap < n_taps; tap++) sum += ((a[tap][n] ^ flip) - a_zero) * b[tap * N + n];
        c[n] = sum;
    }
}

#if defined(__AVX512VNNI__)
#define HAS_QUADS 1
/* Channels go by blocks of 64, 32 and 16; what is left of them is in a last block of 16 that overlaps the one before.
 * Interleaving bytes stays within 128 bits: vector j of a block has, in its 128 bits number l, channels 16 l + 4 j and
 * the three after it. */
static int64_t block_at(int64_t N, int64_t *n)
{
    const int64_t left = N - *n;
    if (left < 16) *n = N - 16;
    return left >= 64 ? 64 : left >= 32 ? 32 : 16;
}

static int64_t quads_of(int64_t n_taps)
{
    return (n_taps + 3) / 4;
}

static size_t quads_bytes(int64_t N, int64_t n_taps)
{
    return (size_t)((N + 15) / 16 * 16 * quads_of(n_taps) * 4);
}

static void pack_quads(int64_t N, int64_t n_taps, const uint8_t *b, uint8_t flip, void *quads)
{
    uint8_t *to = quads;
    for (int64_t n = 0, width; n < N; n += width) {
        width = block_at(N, &n);
        for (int64_t tap = 0; tap < n_taps; tap += 4)
            for (int64_t i = 0; i < width; i++) { /* vector, 128 bits, channel */
                const int64_t j = i / (width / 4), l = i % (width / 4) / 4, channel = n + 16 * l + 4 * j + i % 4;
                for (int64_t k = tap; k < tap + 4; k++) *to++ = k < n_taps ? b[channel * n_taps + k] ^ flip : 0;
            }
    }
}

/* Output m of block n: its taps lie m steps behind those of output 0. */
#define QUADS(width, type, load, set, flipped, low8, high8, low16, high16, product)                                    \
    INLINE void quads_##width(int64_t n_taps, const uint8_t *const *a, const int64_t *steps, int64_t m, int64_t n,     \
                              uint8_t flip, const uint8_t *b, type sum[4])                                             \
    {                                                                                                                  \
        const type flips = set((char)flip);                                                                            \
        UNROLL for (int j = 0; j < 4; j++) sum[j] = set(0);                                                            \
        for (int64_t tap = 0; tap < n_taps; tap += 4, b += 4 * (width)) {                                              \
            type x[4];                                                                                                 \
            UNROLL for (int k = 0; k < 4; k++)                                                                         \
            {                                                                                                          \
                const int64_t at = tap + k < n_taps ? tap + k : n_taps - 1;                                            \
                x[k] = flipped(load((const void *)(a[at] + m * steps[at] + n)), flips);                                \
            }                                                                                                          \
            const type l01 = low8(x[0], x[1]), h01 = high8(x[0], x[1]), l23 = low8(x[2], x[3]),                        \
                       h23 = high8(x[2], x[3]);                                                                        \
            const type y[4] = {low16(l01, l23), high16(l01, l23), low16(h01, h23), high16(h01, h23)};                  \
            UNROLL for (int j = 0; j < 4; j++) sum[j] = product(sum[j], y[j], load((const void *)(b + j * (width))));  \
        }                                                                                                              \
    }

QUADS(64, __m512i, _mm512_loadu_si512, _mm512_set1_epi8, _mm512_xor_si512, _mm512_unpacklo_epi8, _mm512_unpackhi_epi8,
      _mm512_unpacklo_epi16, _mm512_unpackhi_epi16, _mm512_dpbusd_epi32)
QUADS(32, __m256i, _mm256_loadu_si256, _mm256_set1_epi8, _mm256_xor_si256, _mm256_unpacklo_epi8, _mm256_unpackhi_epi8,
      _mm256_unpacklo_epi16, _mm256_unpackhi_epi16, _mm256_dpbusd_epi32)
QUADS(16, __m128i, _mm_loadu_si128, _mm_set1_epi8, _mm_xor_si128, _mm_unpacklo_epi8, _mm_unpackhi_epi8,
      _mm_unpacklo_epi16, _mm_unpackhi_epi16, _mm_dpbusd_epi32)

/* In the order of channels again. */
INLINE void round_64(const __m512i s[4], const struct mc_byte_rounding *r, int64_t n, uint8_t *y)
{
    const __m512i l01 = _mm512_shuffle_i32x4(s[0], s[1], 0x44), h01 = _mm512_shuffle_i32x4(s[0], s[1], 0xee);
    const __m512i l23 = _mm512_shuffle_i32x4(s[2], s[3], 0x44), h23 = _mm512_shuffle_i32x4(s[2], s[3], 0xee);
    round_vector(r, (vector)_mm512_shuffle_i32x4(l01, l23, 0x88), n, LANES, y + n);
    round_vector(r, (vector)_mm512_shuffle_i32x4(l01, l23, 0xdd), n + 16, LANES, y + n + 16);
    round_vector(r, (vector)_mm512_shuffle_i32x4(h01, h23, 0x88), n + 32, LANES, y + n + 32);
    round_vector(r, (vector)_mm512_shuffle_i32x4(h01, h23, 0xdd), n + 48, LANES, y + n + 48);
}

INLINE vector joined(__m256i low, __m256i high)
{
    return (vector)_mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
}

INLINE void round_32(const __m256i s[4], const struct mc_byte_rounding *r, int64_t n, uint8_t *y)
{
    const vector low = joined(_mm256_permute2x128_si256(s[0], s[1], 0x20), _mm256_permute2x128_si256(s[2], s[3], 0x20));
    const vector high =
        joined(_mm256_permute2x128_si256(s[0], s[1], 0x31), _mm256_permute2x128_si256(s[2], s[3], 0x31));
    round_vector(r, low, n, LANES, y + n);
    round_vector(r, high, n + 16, LANES, y + n + 16);
}

INLINE void round_16(const __m128i s[4], const struct mc_byte_rounding *r, int64_t n, uint8_t *y)
{
    const vector all = joined(_mm256_inserti128_si256(_mm256_castsi128_si256(s[0]), s[1], 1),
                              _mm256_inserti128_si256(_mm256_castsi128_si256(s[2]), s[3], 1));
    round_vector(r, all, n, LANES, y + n);
}

/* A block of channels for all rows: its weights stay at hand. */
INLINE void quads_rows(int width, int64_t rows, int64_t n_taps, const uint8_t *const *a, const int64_t *steps,
                       int64_t n, uint8_t flip, const uint8_t *b, const struct mc_byte_rounding *r, uint8_t *y,
                       int64_t ldy)
{
    for (int64_t m = 0; m < rows; m++) {
        if (width == 64) {
            __m512i s[4];
            quads_64(n_taps, a, steps, m, n, flip, b, s);
            round_64(s, r, n, y + m * ldy);
        } else if (width == 32) {
            __m256i s[4];
            quads_32(n_taps, a, steps, m, n, flip, b, s);
            round_32(s, r, n, y + m * ldy);
        } else {
            __m128i s[4];
            quads_16(n_taps, a, steps, m, n, flip, b, s);
            round_16(s, r, n, y + m * ldy);
        }
    }
}

static void depthwise_quads(int64_t rows, int64_t N, int64_t n_taps, const uint8_t *const *a, const int64_t *steps,
                            uint8_t flip, const void *quads, const struct mc_byte_rounding *rounding, uint8_t *y,
                            int64_t ldy)
{
    const struct mc_byte_rounding r = *rounding;
    const uint8_t *b = quads;
    for (int64_t n = 0, width; n < N; n += width) {
        width = block_at(N, &n);
        if (width == 64 && n_taps == 9)
            quads_rows(64, rows, 9, a, steps, n, flip, b, &r, y, ldy);
        else if (width == 64)
            quads_rows(64, rows, n_taps, a, steps, n, flip, b, &r, y, ldy);
        else if (width == 32)
            quads_rows(32, rows, n_taps, a, steps, n, flip, b, &r, y, ldy);
        else
            quads_rows(16, rows, n_taps, a, steps, n, flip, b, &r, y, ldy);
        b += width * quads_of(n_taps) * 4;
    }
}
#endif

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

/* By whole vectors; what is left of them once more with some before it. */
static void requantize(int64_t n, const int32_t *c, const int32_t *add, const float *factor, const float *offset,
                       const struct mc_requantization *how, uint8_t *y)
{
    const struct mc_byte_rounding r = {.add = add, .factor = factor, .offset = offset, .how = *how};
    if (n < LANES) {
        requantize_some(n, c, add, factor, offset, how, y);
        return;
    }
    for (int64_t i = 0; i < n; i += LANES) {
        const int64_t at = i + LANES <= n ? i : n - LANES;
        round_vector(&r, load(c + at), at, LANES, y + at);
    }
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

/* `v` unless it is NaN or no better than what there is. */
INLINE float lesser(float v, float than)
{
    return v < than ? v : than;
}

INLINE float greater(float v, float than)
{
    return v > than ? v : than;
}

static void range(int64_t n, const float *x, float *low, float *high)
{
    int64_t i = 0;
    *low = *high = 0;
#if defined(__AVX512BW__)
    __m512 least = _mm512_setzero_ps(), most = _mm512_setzero_ps();
    for (; i + LANES <= n; i += LANES) {
        least = _mm512_min_ps(_mm512_loadu_ps(x + i), least);
        most = _mm512_max_ps(_mm512_loadu_ps(x + i), most);
    }
#elif defined(__AVX2__)
    __m256 least = _mm256_setzero_ps(), most = _mm256_setzero_ps();
    for (; i + LANES <= n; i += LANES) {
        least = _mm256_min_ps(_mm256_loadu_ps(x + i), least);
        most = _mm256_max_ps(_mm256_loadu_ps(x + i), most);
    }
#endif
#if defined(__AVX2__)
    for (int k = 0; k < LANES; k++) {
        *low = lesser(least[k], *low);
        *high = greater(most[k], *high);
    }
#endif
    for (; i < n; i++) {
        *low = lesser(x[i], *low);
        *high = greater(x[i], *high);
    }
}

const struct mc_byte_loops MC_VARIANT(mc_byte_loops) = {
    .name = NAME,
    .lanes = LANES,
    .group = GROUP,
    .packed_bytes = packed_bytes,
    .pack = pack,
    .room_bytes = room_bytes,
    .multiply = multiply,
    .multiply_rounded = multiply_rounded,
    .depthwise = depthwise,
#if defined(HAS_QUADS)
    .quads_bytes = quads_bytes,
    .pack_quads = pack_quads,
    .depthwise_quads = depthwise_quads,
#endif
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
