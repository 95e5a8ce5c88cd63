/* eigen.c - eigenvectors by LAPACK's divide and conquer; see eigen.h. */
#include "kernel/eigen.h"

#include <math.h>
#include <stdbool.h>

#include "base/alloc.h"

/* Largest order: the workspace of 1 + 6n + 2n^2 numbers is counted in 32 bits. */
enum { MOST_ORDER = 32000 };

/* LAPACK 3: column-major, so that a column of its result is a row of ours, and its lower triangle our upper one. */
void dsyevd_(const char *job, const char *uplo, const int *n, double *a, const int *lda, double *w, double *work,
             const int *lwork, int *iwork, const int *liwork, int *info, size_t job_length, size_t uplo_length);

static bool is_finite(int64_t n, const double *a)
{
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(a[i])) return false;
    return true;
}

static void swap(double *a, double *b, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        const double kept = a[i];
        a[i] = b[i];
        b[i] = kept;
    }
}

int mc_eigen_symmetric(int64_t n, double *a, double *values, struct mc_error *err)
{
    if (n == 0) return MC_OK;
    if (n > MOST_ORDER)
        return mc_error_set(err, MC_ERR_UNSUPPORTED, "eigenvectors need a matrix of at most %d rows, has %lld",
                            MOST_ORDER, (long long)n);
    if (!is_finite(n * n, a)) return mc_error_set(err, MC_ERR_INPUT, "numbers are not finite");
    const int order = (int)n, n_work = 1 + 6 * order + 2 * order * order, n_iwork = 3 + 5 * order;
    double *work = MC_NEW_ARRAY(double, n_work);
    int *iwork = MC_NEW_ARRAY(int, n_iwork), info = 0;
    int rc = work && iwork ? MC_OK : mc_error_memory(err);
    if (rc == MC_OK) dsyevd_("V", "L", &order, a, &order, values, work, &n_work, iwork, &n_iwork, &info, 1, 1);
    if (rc == MC_OK && info != 0) rc = mc_error_set(err, MC_ERR_INPUT, "eigenvalues do not converge");
    for (int64_t i = 0; rc == MC_OK && i < n / 2; i++) { /* LAPACK has the smallest first */
        swap(a + i * n, a + (n - 1 - i) * n, n);
        swap(values + i, values + n - 1 - i, 1);
    }
    mc_free(iwork);
    mc_free(work);
    return rc;
}
