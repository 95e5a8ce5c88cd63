/* bytes.h - products and convolutions of 8-bit integers with sums of 32 bits.
 *
 *     c[m, n] = sum over k of (a[m, k] - a_zero) (b[k, n] - b_zero)
 *
 * Exact, modulo 2^32: every instruction set gives the same bits. Inside, a is unsigned and b signed: numbers of the
 * other kind have their top bit flipped, and their zero points with them. b is packed, [columns / lanes, k / group,
 * lanes, group]: a vector holds `group` neighbours along k of each of its columns. Where the CPU multiplies and adds
 * four bytes at once these are bytes (AVX-512 VNNI), elsewhere two 16-bit numbers, whose products cannot saturate.
 */
#ifndef MC_KERNEL_BYTES_H
#define MC_KERNEL_BYTES_H

#include "kernel/runtime.h"
#include "kernel/window.h"
#include "tensor/tensor.h"

/* --- loops of one instruction set --- */

/* Rounded numbers of 8 bits: y = saturate(round((c + add[n]) factor[n] + offset[n]) + zero). */
struct mc_requantization {
    int low, high, zero; /* low and high: of y; the bits are stored, whatever its sign */
};

/* What becomes of columns of sums; the arrays can be read to whole vectors. */
struct mc_byte_rounding {
    const int32_t *add;
    const float *factor, *offset; /* offset: NULL is 0 */
    struct mc_requantization how;
};

/* Two operands of 8 bits: (a - a_zero) a_factor and the like for b, or for a product all of it times a_factor. */
struct mc_byte_pair {
    bool a_signed, b_signed;
    int a_zero, b_zero;
    float a_factor, b_factor;
    struct mc_requantization how;
};

struct mc_byte_loops {
    const char *name;
    int64_t lanes, group;
    size_t (*packed_bytes)(int64_t K, int64_t N);
    /* b[k, n] lies at b[k k_step + n n_step]; `flip` (0 or 0x80) is applied to it. sums[n]: of column n. */
    void (*pack)(int64_t K, int64_t N, const uint8_t *b, int64_t k_step, int64_t n_step, uint8_t flip, void *packed,
                 int32_t *sums);
    /* For `rows` rows of a: where they have to be copied. */
    size_t (*room_bytes)(int64_t rows, int64_t K);
    /* c = a b, without zero points. Columns from `first`, a multiple of lanes, on; c is where column `first` goes. */
    void (*multiply)(int64_t rows, int64_t K, int64_t first, int64_t n, const uint8_t *a, int64_t lda, uint8_t flip,
                     const void *packed, int32_t *c, int64_t ldc, void *room);
    /* The same, rounded; y is where column `first` goes, and what rounds begins with column 0. */
    void (*multiply_rounded)(int64_t rows, int64_t K, int64_t first, int64_t n, const uint8_t *a, int64_t lda,
                             uint8_t flip, const void *packed, const struct mc_byte_rounding *rounding, uint8_t *y,
                             int64_t ldy, void *room);
    /* c[n] = sum over taps of (a[tap][n] - a_zero) b[tap, n] */
    void (*depthwise)(int64_t N, int64_t n_taps, const uint8_t *const *a, uint8_t flip, int a_zero, const int16_t *b,
                      int32_t *c);
    /* y[m, n] = the sum over taps of (a[tap][m steps[tap] + n] ^ flip) b[n, tap], rounded, by four taps at a time; NULL
     * where the CPU has no such instruction. For at least 16 channels. quads: made of b, [N, taps] of signed bytes. */
    size_t (*quads_bytes)(int64_t N, int64_t n_taps);
    void (*pack_quads)(int64_t N, int64_t n_taps, const uint8_t *b, uint8_t flip, void *quads);
    void (*depthwise_quads)(int64_t rows, int64_t N, int64_t n_taps, const uint8_t *const *a, const int64_t *steps,
                            uint8_t flip, const void *quads, const struct mc_byte_rounding *rounding, uint8_t *y,
                            int64_t ldy);
    int32_t (*sum)(int64_t n, const uint8_t *a, uint8_t flip);
    /* y = saturate(round(x / scale) + zero); NaN gives the least. And (x - zero) scale. */
    void (*quantize)(int64_t n, const float *x, float scale, const struct mc_requantization *how, uint8_t *y);
    void (*dequantize)(int64_t n, const uint8_t *x, bool is_signed, float scale, float zero, float *y);
    /* offset: NULL is 0 */
    void (*requantize)(int64_t n, const int32_t *c, const int32_t *add, const float *factor, const float *offset,
                       const struct mc_requantization *how, uint8_t *y);
    /* y = saturate(round(the sum, the product) + zero). Steps are 1, or 0 for one byte for all. */
    void (*add)(int64_t n, const uint8_t *a, int64_t a_step, const uint8_t *b, int64_t b_step,
                const struct mc_byte_pair *pair, uint8_t *y);
    void (*mul)(int64_t n, const uint8_t *a, int64_t a_step, const uint8_t *b, int64_t b_step,
                const struct mc_byte_pair *pair, uint8_t *y);
    void (*lookup)(int64_t n, const uint8_t *x, const uint8_t *table, uint8_t *y);
    /* sums[i] += x[i] ^ flip */
    void (*accumulate)(int64_t n, const uint8_t *x, uint8_t flip, int32_t *sums);
    /* the least and the largest of n numbers and 0; NaN is neither */
    void (*range)(int64_t n, const float *x, float *low, float *high);
};

/* Variant i of those that this machine can run, the portable one first; NULL after the last. */
const struct mc_byte_loops *mc_byte_loops_variant(int i);

/* --- products of matrices --- */

struct mc_byte_product {
    int64_t K, N;
    bool a_signed, b_signed;
};

/* b made ready; N columns. */
struct mc_byte_matrix {
    struct mc_byte_product p;
    void *packed;
    int32_t *sums;
};

int mc_byte_matrix_init(struct mc_byte_matrix *matrix, const struct mc_byte_product *p,
                        const struct mc_runtime *runtime, struct mc_error *err);
void mc_byte_matrix_finish(struct mc_byte_matrix *matrix);
/* b: [K, N] row-major. */
void mc_byte_matrix_pack(struct mc_byte_matrix *matrix, const void *b, const struct mc_runtime *runtime);

/* Zero points; NULL: 0. One for all rows (columns), or one each. */
struct mc_byte_zeros {
    const void *a, *b;
    bool each_row, each_column;
};

size_t mc_byte_multiply_room(const struct mc_byte_product *p, int64_t rows, const struct mc_runtime *runtime);
/* c: [rows, N]. room: 64-byte aligned. */
void mc_byte_multiply(const struct mc_byte_matrix *matrix, int64_t rows, const void *a,
                      const struct mc_byte_zeros *zeros, int32_t *c, void *room, const struct mc_runtime *runtime);

/* --- convolutions --- */

struct mc_byte_convolution {
    int64_t N, C, M, groups;
    struct mc_window window;
    bool x_signed, w_signed, x_last, y_last; /* last: channels last */
    const void *weights;                     /* [M, C / groups, taps] if they never change; else NULL */
    const void *w_zero;                      /* likewise; NULL is 0 then */
    bool w_zero_each;                        /* one for each filter */
};

/* What becomes of the sums: themselves, or 8 bits. */
struct mc_byte_output {
    int32_t *sums; /* not NULL: these are wanted */
    uint8_t *y;
    const int32_t *bias; /* [M] or NULL */
    const float *factor; /* [M] */
    const float *offset; /* [M], added after it, or NULL */
    struct mc_requantization how;
};

struct mc_byte_convolver;

int mc_byte_convolver_create(struct mc_byte_convolver **convolver, const struct mc_byte_convolution *convolution,
                             const struct mc_runtime *runtime, struct mc_error *err);
void mc_byte_convolver_destroy(struct mc_byte_convolver *convolver);
size_t mc_byte_convolver_room(const struct mc_byte_convolver *convolver);
/* w and w_zero are read unless they were constant. x_zero: one byte, or NULL. room: 64-byte aligned. */
void mc_byte_convolve(struct mc_byte_convolver *convolver, const void *x, const void *x_zero, const void *w,
                      const void *w_zero, const struct mc_byte_output *output, void *room);

#endif
