/* cholesky.c - factors by LAPACK; see cholesky.h. */
#include "kernel/cholesky.h"

#include <limits.h>

/* LAPACK 3: column-major, so that what it calls lower is the upper triangle of ours. */
void dpotrf_(const char *uplo, const int *n, double *a, const int *lda, int *info);
void dpotri_(const char *uplo, const int *n, double *a, const int *lda, int *info);

bool mc_cholesky_of_inverse(int64_t n, double *a)
{
    if (n > INT_MAX) return false;
    const int order = (int)n;
    int info = 0;
    if (n == 0) return true;
    dpotrf_("L", &order, a, &order, &info); /* a = L L' */
    if (info == 0) dpotri_("L", &order, a, &order, &info);
    if (info == 0) dpotrf_("L", &order, a, &order, &info); /* a^-1 = L L', and U = L' */
    for (int64_t i = 1; i < n; i++)
        for (int64_t j = 0; j < i; j++) a[i * n + j] = 0;
    return info == 0;
}
