/* cholesky.h - factors of symmetric positive definite matrices, by LAPACK as OpenBLAS has it. */
#ifndef MC_KERNEL_CHOLESKY_H
#define MC_KERNEL_CHOLESKY_H

#include <stdbool.h>
#include <stdint.h>

/* Replace a [n, n], row-major and symmetric, by the upper triangular U with U' U = a^-1; below the diagonal stand
 * zeros. false: a is not positive definite, or n is 2^31 or more; what it holds then is undefined. */
bool mc_cholesky_of_inverse(int64_t n, double *a);

#endif
