/* sparse.h - products with constant sparse float32 matrices, many positions side by side.
 *
 *     y[m, p] = b[m] + sum over k of w[m, k] x[offset(k) + p]
 *
 * The non-zeros of a row lie one after the other, each with the place where its input begins; a vector of positions is
 * loaded from there, multiplied and added (as in Elsen et al. 2020, Fast Sparse ConvNets). Each y is a sum in the order
 * of k, to which the zeros that are left out would have added nothing: the same bits as packed.h gives for finite x.
 */
#ifndef MC_KERNEL_SPARSE_H
#define MC_KERNEL_SPARSE_H

#include "kernel/packed.h"

/* The non-zeros: those of row m are [start[m], start[m + 1]). */
struct mc_sparse_rows {
    int64_t M;
    int64_t *start;
    float *values;
    int32_t *offsets; /* of inputs, in floats */
};

/* Is so much of n weights zero that it is worth a try? */
bool mc_sparse_may_pay(const float *w, int64_t n);

/* What to multiply [rows, K] by; made from w as it lies. To be run with the number of threads of `runtime`. */
struct mc_sparse;
int mc_sparse_create(struct mc_sparse **sparse, const struct mc_unpacked *w, const struct mc_runtime *runtime,
                     struct mc_error *err);
void mc_sparse_destroy(struct mc_sparse *sparse);
/* As mc_packed_run. */
void mc_sparse_run(const struct mc_sparse *sparse, int64_t n, const float *x, const float *b, float *y, int64_t y_row);

/* --- one instruction set's --- */

struct mc_sparse_loops {
    int64_t most; /* positions at a time; x has that many behind each offset, though they be nobody's, and so has y */
    /* Rows [from, to) for n positions; y begins with row `from`. */
    void (*run)(const struct mc_sparse_rows *rows, int64_t from, int64_t to, const float *x, int64_t n, const float *b,
                float *y, int64_t y_row);
    /* One position alone: nothing behind x is read. y[m] for rows [from, to). */
    void (*run_one)(const struct mc_sparse_rows *rows, int64_t from, int64_t to, const float *x, const float *b,
                    float *y);
};

#endif
