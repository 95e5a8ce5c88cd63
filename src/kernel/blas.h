/* blas.h - products of row-major matrices on OpenBLAS (large ones of float32 on oneDNN, rounded ones by our own loops),
 * one or a batch.
 *
 * BLAS spreads one product over the OpenMP pool of the calling thread; called from inside a parallel region it stays on
 * its thread. For a fixed number of threads results are the same from run to run.
 */
#ifndef MC_KERNEL_BLAS_H
#define MC_KERNEL_BLAS_H

#include "tensor/tensor.h"

struct mc_bfloat_loops; /* kernel/bfloat.h */

/* c = alpha a b + beta c. a: [m,k], b: [k,n], c: [m,n]; trans_a says that a is stored as [k,m], trans_b that b is as
 * [n,k]. Rows are lda, ldb, ldc elements apart. With beta = 0 what c held is not looked at, not even a NaN. */
struct mc_gemm {
    enum mc_dtype dtype; /* MC_FLOAT or MC_DOUBLE */
    bool trans_a, trans_b;
    int64_t m, n, k;
    double alpha, beta;
    int64_t lda, ldb, ldc;
    bool plain; /* on OpenBLAS whatever its size */
    /* float32: the loops that round factors to bfloat16 where that pays. NULL: they stay as they are */
    const struct mc_bfloat_loops *bfloats;
};

/* Densely stored operands, alpha = 1, beta = 0. */
struct mc_gemm mc_gemm_dense(enum mc_dtype dtype, bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k);

/* BLAS counts in 32 bits: every extent and row length must be below 2^31. */
bool mc_gemm_fits(int64_t m, int64_t n, int64_t k);

void mc_gemm(const struct mc_gemm *gemm, const void *a, const void *b, void *c);

/* Solve a x = b for `m` right-hand sides by Cholesky's decomposition (LAPACK's dposv). a: [n,n], symmetric and positive
 * definite, its lower triangle is read and written over; b: [m,n], a right-hand side a row, becomes x. False: a is not
 * positive definite. n and m fit mc_gemm_fits. */
bool mc_solve_definite(int64_t n, int64_t m, double *a, double *b);

/* One product for every index of extent[0] x … x extent[rank-1], operands at these strides (in elements). Along an axis
 * where c does not move its products are added up, in the order of the indices; elsewhere they must not overlap. */
struct mc_gemm_batch {
    int rank;
    int64_t extent[MC_MAX_RANK];
    int64_t a[MC_MAX_RANK], b[MC_MAX_RANK], c[MC_MAX_RANK];
};

/* Small products are given to threads whole, large ones are spread by BLAS. An empty sum (extent 0 where c does not
 * move) gives beta c. */
void mc_gemm_batched(const struct mc_gemm *gemm, const struct mc_gemm_batch *batch, const void *a, const void *b,
                     void *c);

#endif
