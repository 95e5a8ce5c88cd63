/* blas.c - products of matrices on OpenBLAS, large ones of float32 on oneDNN where it was built; see blas.h. */
#include "kernel/blas.h"

#include <assert.h>
#include <cblas.h>
#include <limits.h>
#include <omp.h>
#include <string.h>

#include "config.h"
#include "kernel/bfloat.h"
#include "kernel/parallel.h"
#include "kernel/runtime.h"

#if MC_HAVE_ONEDNN
#include "kernel/onednn_library.h"
#endif

/* Multiply-accumulates from which on BLAS does better with all threads on one product than with one product a thread,
 * provided that there are enough products; measured on 64 to 512 cubed. */
#define SPREAD_MACS (INT64_C(1) << 24)

/* Cheap elements (parallel.h) that a multiply-accumulate takes as long as, inverted. */
#define MACS_PER_ELEMENT 16

struct mc_gemm mc_gemm_dense(enum mc_dtype dtype, bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k)
{
    return (struct mc_gemm){
        .dtype = dtype,
        .trans_a = trans_a,
        .trans_b = trans_b,
        .m = m,
        .n = n,
        .k = k,
        .alpha = 1,
        .lda = trans_a ? m : k,
        .ldb = trans_b ? k : n,
        .ldc = n,
    };
}

bool mc_gemm_fits(int64_t m, int64_t n, int64_t k)
{
    return m <= INT_MAX && n <= INT_MAX && k <= INT_MAX;
}

/* c = beta c, which is all there is to do without anything to add. */
static void scale_rows(const struct mc_gemm *g, void *c)
{
    for (int64_t i = 0; i < g->m; i++) {
        for (int64_t j = 0; j < g->n; j++) {
            const int64_t at = i * g->ldc + j;
            if (g->dtype == MC_FLOAT)
                ((float *)c)[at] = g->beta == 0 ? 0 : (float)g->beta * ((float *)c)[at];
            else
                ((double *)c)[at] = g->beta == 0 ? 0 : g->beta * ((double *)c)[at];
        }
    }
}

/* BLAS wants row lengths of at least 1 and of at least the row, even of matrices of one row. */
static int row_length(int64_t ld, int64_t columns)
{
    assert(ld <= INT_MAX);
    return (int)(ld > columns ? ld : columns > 0 ? columns : 1);
}

/* One row of a times b is a matrix times a vector, for which BLAS has less to pack. */
static void vector_product(const struct mc_gemm *g, const void *a, const void *b, void *c)
{
    const int rows = (int)(g->trans_b ? g->n : g->k), columns = (int)(g->trans_b ? g->k : g->n);
    const int ldb = row_length(g->ldb, columns), step_a = g->trans_a ? row_length(g->lda, 1) : 1;
    const CBLAS_TRANSPOSE trans = g->trans_b ? CblasNoTrans : CblasTrans;
    if (g->dtype == MC_FLOAT)
        cblas_sgemv(CblasRowMajor, trans, rows, columns, (float)g->alpha, b, ldb, a, step_a, (float)g->beta, c, 1);
    else
        cblas_dgemv(CblasRowMajor, trans, rows, columns, g->alpha, b, ldb, a, step_a, g->beta, c, 1);
}

/* Multiply-accumulates from which on oneDNN is the faster: by 1.0 to 1.15 times on one thread, by 1.1 to 1.4 on two
 * (docs/benchmarks.md). Below it is mostly the slower, but by half the faster where OpenBLAS's vectors are half as wide:
 * with AVX-512 on processors that OpenBLAS does not know yet. */
#define LARGE_MACS (INT64_C(1) << 22)
#define LARGE_MACS_BESIDE_NARROW (INT64_C(1) << 18)

#if MC_HAVE_ONEDNN
/* A head of ten classes alone does not make it worth to have opened oneDNN, which takes ten megabytes. */
static int64_t large_macs(const struct mc_gemm *g)
{
    static const char *const wide[] = {"SkylakeX", "Cooperlake", "SapphireRapids"};
    enum { FEW = 16 };
    if (mc_cpu_detect() < MC_CPU_AVX512 || g->m < FEW || g->n < FEW) return LARGE_MACS;
    for (size_t i = 0; i < sizeof wide / sizeof *wide; i++)
        if (strcmp(openblas_get_corename(), wide[i]) == 0) return LARGE_MACS;
    return LARGE_MACS_BESIDE_NARROW;
}

/* Without AVX-512 it takes up to twice as long as OpenBLAS, which packs, where a column of b falls on few lines of the
 * first-level cache: rows of whole pages, and many of them. */
static bool columns_collide(const struct mc_gemm *g, int ldb)
{
    enum { PAGE_FLOATS = 1024, FEW_ROWS = 256 };
    return !g->trans_b && g->k > FEW_ROWS && ldb % PAGE_FLOATS == 0 && mc_cpu_detect() < MC_CPU_AVX512;
}
#endif

/* False if it was not done. */
static bool large_product(const struct mc_gemm *g, int lda, int ldb, int ldc, const void *a, const void *b, void *c)
{
#if MC_HAVE_ONEDNN
    if (g->dtype != MC_FLOAT || g->plain || g->m * g->n < large_macs(g) / g->k || columns_collide(g, ldb)) return false;
    const struct mc_onednn_library *dnnl = mc_onednn_library();
    return dnnl && dnnl->sgemm(g->trans_a ? 'T' : 'N', g->trans_b ? 'T' : 'N', g->m, g->n, g->k, (float)g->alpha, a,
                               lda, b, ldb, (float)g->beta, c, ldc) == dnnl_success;
#else
    return false;
#endif
}

/* False if it was not done. */
static bool rounded_product(const struct mc_gemm *g, const void *a, const void *b, void *c)
{
    if (!g->bfloats || g->dtype != MC_FLOAT || !mc_bfloat_pays(g->m, g->n, g->k)) return false;
    const struct mc_bfloat_product product = {
        .m = g->m,
        .n = g->n,
        .k = g->k,
        .a = {a, g->trans_a ? 1 : g->lda, g->trans_a ? g->lda : 1},
        .b = {b, g->trans_b ? 1 : g->ldb, g->trans_b ? g->ldb : 1},
        .alpha = (float)g->alpha,
        .beta = (float)g->beta,
        .c = c,
        .c_row = g->ldc,
    };
    mc_bfloat_run(&product, g->bfloats);
    return true;
}

void mc_gemm(const struct mc_gemm *g, const void *a, const void *b, void *c)
{
    assert(mc_gemm_fits(g->m, g->n, g->k));
    if (g->m == 0 || g->n == 0) return;
    if (g->k == 0) {
        scale_rows(g, c);
        return;
    }
    if (rounded_product(g, a, b, c)) return;
    if (g->m == 1) {
        vector_product(g, a, b, c);
        return;
    }
    const CBLAS_TRANSPOSE ta = g->trans_a ? CblasTrans : CblasNoTrans, tb = g->trans_b ? CblasTrans : CblasNoTrans;
    const int m = (int)g->m, n = (int)g->n, k = (int)g->k;
    const int lda = row_length(g->lda, g->trans_a ? m : k), ldb = row_length(g->ldb, g->trans_b ? k : n);
    const int ldc = row_length(g->ldc, n);
    if (large_product(g, lda, ldb, ldc, a, b, c)) return;
    if (g->dtype == MC_FLOAT)
        cblas_sgemm(CblasRowMajor, ta, tb, m, n, k, (float)g->alpha, a, lda, b, ldb, (float)g->beta, c, ldc);
    else
        cblas_dgemm(CblasRowMajor, ta, tb, m, n, k, g->alpha, a, lda, b, ldb, g->beta, c, ldc);
}

/* --- batches --- */

struct batch {
    const struct mc_gemm *gemm;
    struct mc_gemm_batch outer, inner; /* axes along which c moves, and the others */
    int64_t n_inner;
    size_t size;
    const char *a, *b;
    char *c;
};

static int64_t batch_count(const struct mc_gemm_batch *batch)
{
    int64_t n = 1;
    for (int k = 0; k < batch->rank; k++) n *= batch->extent[k];
    return n;
}

/* Where the operands of product i lie. */
static void batch_offsets(const struct mc_gemm_batch *batch, int64_t i, int64_t *a, int64_t *b, int64_t *c)
{
    *a = *b = *c = 0;
    for (int k = batch->rank - 1; k >= 0; k--) {
        const int64_t index = i % batch->extent[k];
        i /= batch->extent[k];
        *a += index * batch->a[k];
        *b += index * batch->b[k];
        *c += index * batch->c[k];
    }
}

static void run_range(void *context, int64_t begin, int64_t end)
{
    const struct batch *s = context;
    for (int64_t i = begin; i < end; i++) {
        struct mc_gemm gemm = *s->gemm;
        int64_t a, b, c, inner_a, inner_b, inner_c;
        batch_offsets(&s->outer, i, &a, &b, &c);
        char *to = s->c + (size_t)c * s->size;
        if (s->n_inner == 0) scale_rows(&gemm, to);
        for (int64_t j = 0; j < s->n_inner; j++) {
            batch_offsets(&s->inner, j, &inner_a, &inner_b, &inner_c);
            mc_gemm(&gemm, s->a + (size_t)(a + inner_a) * s->size, s->b + (size_t)(b + inner_b) * s->size, to);
            gemm.beta = 1;
        }
    }
}

/* Of LAPACK, which OpenBLAS holds; its header has no prototype. Fortran passes the length of `uplo` last. */
void dposv_(const char *uplo, const int *n, const int *nrhs, double *a, const int *lda, double *b, const int *ldb,
            int *info, size_t uplo_length);

/* Row-major rows are Fortran's columns: the lower triangle of one is the upper of the other. */
bool mc_solve_definite(int64_t n, int64_t m, double *a, double *b)
{
    assert(n < INT_MAX && m < INT_MAX);
    const int order = (int)n, sides = (int)m, leading = n > 0 ? (int)n : 1;
    int info = 0;
    dposv_("U", &order, &sides, a, &leading, b, &leading, &info, 1);
    return info == 0;
}

static void append_axis(struct mc_gemm_batch *to, const struct mc_gemm_batch *from, int k)
{
    to->extent[to->rank] = from->extent[k];
    to->a[to->rank] = from->a[k];
    to->b[to->rank] = from->b[k];
    to->c[to->rank] = from->c[k];
    to->rank++;
}

void mc_gemm_batched(const struct mc_gemm *gemm, const struct mc_gemm_batch *batch, const void *a, const void *b,
                     void *c)
{
    struct batch s = {.gemm = gemm, .size = gemm->dtype == MC_FLOAT ? sizeof(float) : sizeof(double)};
    s.a = a;
    s.b = b;
    s.c = c;
    for (int k = 0; k < batch->rank; k++) append_axis(batch->c[k] != 0 ? &s.outer : &s.inner, batch, k);
    s.n_inner = batch_count(&s.inner);
    const int64_t n = batch_count(&s.outer), macs = gemm->m * gemm->n * gemm->k;
    if (n < omp_get_max_threads() || macs >= SPREAD_MACS)
        run_range(&s, 0, n);
    else
        mc_parallel(n, mc_parallel_grain(s.n_inner * macs / MACS_PER_ELEMENT), run_range, &s);
}
