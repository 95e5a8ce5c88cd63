/* bfloat.h - products of float32 matrices whose factors are rounded to bfloat16, for training in mixed precision and
 * models of that type.
 *
 *     c = alpha a b + beta c        a: [m, k]   b: [k, n]   c: [m, n]
 *
 * Rounded to nearest, ties to even, the numbers of a and b keep 8 of their 24 bits; what they are multiplied to is
 * exact in float32, and sums are float32's (Micikevicius et al., Mixed Precision Training, 2018; Kalamkar et al., A
 * Study of BFLOAT16 for Deep Learning Training, 2019). Processors with AVX512_BF16 multiply twice as many numbers at a
 * time so. Others round and multiply as ever, to the same result but for the order of sums.
 *
 * Each number of c is a sum in the order of k, whatever the number of threads.
 */
#ifndef MC_KERNEL_BFLOAT_H
#define MC_KERNEL_BFLOAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Element (i, j) of a factor lies i row + j column floats from the first. One of the two is 1. */
struct mc_factor {
    const float *first;
    int64_t row, column;
};

struct mc_bfloat_product {
    int64_t m, n, k;
    struct mc_factor a, b;
    const void *packed; /* b, as mc_bfloat_loops.pack put it; NULL: as it lies */
    float alpha, beta;
    float *c; /* with beta = 0 what it held is not looked at, not even a NaN */
    int64_t c_row;
};

/* --- one instruction set's --- */

struct mc_bfloat_loops {
    int64_t lanes; /* columns of a vector, */
    int64_t panel; /* of the registers, */
    int64_t rows;  /* and rows of which whole groups are multiplied */
    bool native;   /* are products of bfloat16 faster than those of float32? */
    /* What a packed b takes, and put it there: 64-byte aligned. a and c are not looked at. */
    size_t (*bytes)(const struct mc_bfloat_product *product);
    void (*pack)(const struct mc_bfloat_product *product, void *packed);
    /* Rows [from_row, to_row) of columns [from_column, to_column), on the calling thread. k is at least 1; of a packed
     * b the columns begin with a panel and end with one, or with the last. */
    void (*run)(const struct mc_bfloat_product *product, int64_t from_row, int64_t to_row, int64_t from_column,
                int64_t to_column);
};

/* Does rounding save time on so many rows, columns and terms? */
static inline bool mc_bfloat_pays(int64_t m, int64_t n, int64_t k)
{
    enum { FEWEST = 8 };
    return m >= FEWEST && n >= FEWEST && k >= FEWEST;
}

/* On the threads of the pool, or on this one inside a parallel region. No extent is 0. */
void mc_bfloat_run(const struct mc_bfloat_product *product, const struct mc_bfloat_loops *loops);

/* The loops that this machine can run, in turn; NULL: no more. For tests. */
const struct mc_bfloat_loops *mc_bfloat_loops_variant(int i);

#endif
