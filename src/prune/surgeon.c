/* surgeon.c - optimal brain surgeon by blocks of columns; see surgeon.h. */
#include "prune/surgeon.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "kernel/blas.h"
#include "kernel/cholesky.h"

/* Columns whose zeros are chosen together, and whose errors are spread at once over those behind them. */
enum { BLOCK = 128 };

struct work {
    const struct mc_surgeon *s;
    double *w, *u;     /* u: upper factor of the inverse of H */
    double *errors;    /* [rows, BLOCK] of the columns decided in the block */
    double *scores;    /* [rows, BLOCK] */
    unsigned char *go; /* [rows, BLOCK] */
    double *sorted;    /* [rows BLOCK] */
    int64_t n_gone;
};

static int by_value(const void *p, const void *q)
{
    const double a = *(const double *)p, b = *(const double *)q;
    return (a > b) - (a < b);
}

/* --- which go --- */

static double score(const struct work *k, int64_t m, int64_t j)
{
    const double w = k->w[m * k->s->K + j], d = k->u[j * k->s->K + j];
    return w * w / (d * d);
}

/* Of columns [from, to), whose zeros so far are in proportion, the cheapest of all rows. */
static void choose_cheapest(struct work *k, int64_t from, int64_t to)
{
    const int64_t rows = k->s->rows, n = to - from, count = rows * n;
    const int64_t due = llround(k->s->sparsity * (double)(rows * to)) - k->n_gone;
    for (int64_t m = 0; m < rows; m++)
        for (int64_t j = 0; j < n; j++) k->sorted[m * n + j] = k->scores[m * BLOCK + j] = score(k, m, from + j);
    qsort(k->sorted, (size_t)count, sizeof *k->sorted, by_value);
    const double threshold = due > 0 ? k->sorted[due - 1] : -1;
    int64_t below = 0;
    for (int64_t i = 0; i < due; i++) below += k->sorted[i] < threshold;
    int64_t ties = due - below;
    for (int64_t m = 0; m < rows; m++) {
        for (int64_t j = 0; j < n; j++) {
            const double x = k->scores[m * BLOCK + j];
            k->go[m * BLOCK + j] = x < threshold || (x == threshold && ties-- > 0);
        }
    }
    k->n_gone += due;
}

/* Of columns [from, from + n) of one row all but pattern_n in pattern_m, an incomplete last block in proportion. */
static void choose_pattern(struct work *k, int64_t m, int64_t block, int64_t from, int64_t n)
{
    const struct mc_surgeon *s = k->s;
    int64_t n_go = n - (s->pattern_n * n + s->pattern_m - 1) / s->pattern_m;
    unsigned char *go = k->go + m * BLOCK + (from - block);
    memset(go, 0, (size_t)n);
    for (; n_go > 0; n_go--) {
        int64_t least = -1;
        for (int64_t j = 0; j < n; j++)
            if (!go[j] && (least < 0 || score(k, m, from + j) < score(k, m, from + least))) least = j;
        go[least] = 1;
    }
}

/* --- and what stays --- */

/* Decide column j of the block that begins at `from` and ends before `to`. */
static void decide_column(struct work *k, int64_t j, int64_t from, int64_t to)
{
    const int64_t K = k->s->K;
    const double *u = k->u + j * K;
#pragma omp parallel for if (k->s->rows * (to - j) > 1 << 16)
    for (int64_t m = 0; m < k->s->rows; m++) {
        double *w = k->w + m * K, *error = &k->errors[m * BLOCK + j - from];
        *error = 0;
        if (!k->go[m * BLOCK + j - from]) continue;
        *error = w[j] / u[j];
        for (int64_t i = j + 1; i < to; i++) w[i] -= *error * u[i];
        w[j] = 0;
    }
}

static void run_block(struct work *k, int64_t from, int64_t to)
{
    const struct mc_surgeon *s = k->s;
    const int64_t K = s->K;
    if (s->pattern_m == 0) choose_cheapest(k, from, to);
    for (int64_t j = from; j < to; j++) {
        if (s->pattern_m != 0 && (j - from) % s->pattern_m == 0)
            for (int64_t m = 0; m < s->rows; m++)
                choose_pattern(k, m, from, j, to - j < s->pattern_m ? to - j : s->pattern_m);
        decide_column(k, j, from, to);
    }
    if (to == K) return;
    struct mc_gemm spread = mc_gemm_dense(MC_DOUBLE, false, false, s->rows, K - to, to - from);
    spread.alpha = -1;
    spread.beta = 1;
    spread.lda = BLOCK;
    spread.ldb = spread.ldc = K;
    mc_gemm(&spread, k->errors, k->u + from * K + to, k->w + to);
}

/* --- the whole --- */

/* Make H invertible; inputs that never were anything but 0 take their weights with them. */
static int damp(struct work *k, double *h, struct mc_error *err)
{
    const int64_t K = k->s->K, rows = k->s->rows;
    double mean = 0;
    for (int64_t j = 0; j < K; j++) {
        const double d = h[j * K + j];
        if (!(d >= 0) || !isfinite(d))
            return mc_error_set(err, MC_ERR_INPUT, "the second moment of input %lld is %g", (long long)j, d);
        mean += d / (double)K;
    }
    for (int64_t j = 0; j < K; j++) {
        double *d = &h[j * K + j];
        if (*d == 0)
            for (int64_t m = 0; m < rows; m++) k->w[m * K + j] = 0;
        *d = *d == 0 ? (mean > 0 ? mean : 1) : *d + k->s->damping * mean;
    }
    return MC_OK;
}

int mc_surgeon_run(const struct mc_surgeon *s, double *w, double *h, struct mc_error *err)
{
    struct work k = {.s = s, .w = w, .u = h};
    int rc = damp(&k, h, err);
    if (rc < 0) return rc;
    if (!mc_cholesky_of_inverse(s->K, h))
        return mc_error_set(err, MC_ERR_INPUT, "the matrix of second moments is not positive definite");
    k.errors = MC_NEW_ARRAY(double, s->rows *BLOCK);
    k.scores = MC_NEW_ARRAY(double, s->rows *BLOCK);
    k.sorted = MC_NEW_ARRAY(double, s->rows *BLOCK);
    k.go = MC_NEW_ARRAY(unsigned char, s->rows *BLOCK);
    if (!k.errors || !k.scores || !k.sorted || !k.go) rc = mc_error_memory(err);
    /* a block of a pattern does not reach over two blocks of columns */
    const int64_t step = s->pattern_m > 0 ? BLOCK / s->pattern_m * s->pattern_m : BLOCK;
    for (int64_t from = 0; from < s->K && rc == MC_OK; from += step)
        run_block(&k, from, s->K - from < step ? s->K : from + step);
    mc_free(k.go);
    mc_free(k.sorted);
    mc_free(k.scores);
    mc_free(k.errors);
    return rc;
}
