/* eigen.h - eigenvalues and eigenvectors of symmetric matrices, by LAPACK as OpenBLAS has it. */
#ifndef MC_KERNEL_EIGEN_H
#define MC_KERNEL_EIGEN_H

#include <stdint.h>

#include "base/error.h"

/* a: [n, n], row-major and symmetric, its upper triangle is read; becomes the eigenvectors, one a row, each of length
 * 1, that of the largest eigenvalue first. values: [n], descending. MC_ERR_UNSUPPORTED if n*n does not fit LAPACK's 32
 * bits, MC_ERR_INPUT for numbers that are not finite, MC_ERR_SYSTEM without memory. */
int mc_eigen_symmetric(int64_t n, double *a, double *values, struct mc_error *err);

#endif
