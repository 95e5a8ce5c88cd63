/* sparse_loops.c - products with sparse rows; see sparse.h. Compiled once per instruction set, with multiplications and
 * additions contracted. */
#include "kernel/sparse.h"

#include "kernel/panel.h"

#ifndef MC_VARIANT
#define MC_VARIANT(name) name##_portable
#endif
extern const struct mc_sparse_loops MC_VARIANT(mc_sparse_loops);

enum { VECTORS = 4, TOGETHER = 4 }; /* of positions; rows that one position is given at a time */

INLINE void run_vectors(const int V, const struct mc_sparse_rows *rows, int64_t from, int64_t to, const float *x,
                        const float *b, float *y, int64_t y_row)
{
    for (int64_t m = from; m < to; m++, y += y_row) {
        vector sum[VECTORS];
        const vector bias = (vector){0} + (b ? b[m] : 0);
        UNROLL for (int v = 0; v < V; v++) sum[v] = bias;
        for (int64_t i = rows->start[m]; i < rows->start[m + 1]; i++) {
            const float *at = x + rows->offsets[i];
            const float w = rows->values[i];
            UNROLL for (int v = 0; v < V; v++) sum[v] += w * load(at + v * LANES);
        }
        UNROLL for (int v = 0; v < V; v++) store(y + v * LANES, sum[v]);
    }
}

static void run(const struct mc_sparse_rows *rows, int64_t from, int64_t to, const float *x, int64_t n, const float *b,
                float *y, int64_t y_row)
{
    if (n > 2 * LANES)
        run_vectors(4, rows, from, to, x, b, y, y_row);
    else if (n > LANES)
        run_vectors(2, rows, from, to, x, b, y, y_row);
    else
        run_vectors(1, rows, from, to, x, b, y, y_row);
}

/* Contracted where the vectors are: left to itself, the compiler may multiply in vectors and add one by one. */
static inline float add_product(float sum, float w, float x)
{
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
    return __builtin_fmaf(w, x, sum);
#else
    return sum + w * x;
#endif
}

/* Rows side by side, so that one sum need not wait for itself. */
static void run_one(const struct mc_sparse_rows *rows, int64_t from, int64_t to, const float *x, const float *b,
                    float *y)
{
    for (int64_t m = from; m < to; m += TOGETHER) {
        const int n = to - m < TOGETHER ? (int)(to - m) : TOGETHER;
        float sum[TOGETHER] = {0};
        int64_t at[TOGETHER] = {0}, left[TOGETHER] = {0}, shared = INT64_MAX;
        for (int j = 0; j < n; j++) {
            sum[j] = b ? b[m + j] : 0;
            at[j] = rows->start[m + j];
            left[j] = rows->start[m + j + 1] - at[j];
            if (left[j] < shared) shared = left[j];
        }
        if (n == TOGETHER) {
            for (int64_t i = 0; i < shared; i++)
                UNROLL for (int j = 0; j < TOGETHER; j++) sum[j] =
                    add_product(sum[j], rows->values[at[j] + i], x[rows->offsets[at[j] + i]]);
        } else {
            shared = 0;
        }
        for (int j = 0; j < n; j++) {
            for (int64_t i = shared; i < left[j]; i++)
                sum[j] = add_product(sum[j], rows->values[at[j] + i], x[rows->offsets[at[j] + i]]);
            y[m - from + j] = sum[j];
        }
    }
}

const struct mc_sparse_loops MC_VARIANT(mc_sparse_loops) = {
    .most = VECTORS * LANES,
    .run = run,
    .run_one = run_one,
};
