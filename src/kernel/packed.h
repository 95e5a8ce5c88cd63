/* packed.h - products of float32 matrices whose second factor never changes: y = x w + b, with w packed once.
 *
 *     x: [n, K]   w: [K, M]   b: [M] or NULL   y: [n, M]
 *
 * The columns of w are cut into panels of widths as equal as can be, that fit the registers. The last vector of the
 * last panel ends with the last column and so may repeat some, rather than reach beyond; M has to fill a vector. Each
 * number of y is a sum in the order of K, whatever n and the number of threads.
 *
 * Where all of w are numbers that float16 or bfloat16 has, as in models of these types, they are kept in that and made
 * floats again on their way into the registers: half of the memory, and the same numbers out of it. For many rows a
 * model of bfloat16 is multiplied as that (bfloat.h) where the processor can.
 */
#ifndef MC_KERNEL_PACKED_H
#define MC_KERNEL_PACKED_H

#include <stddef.h>

#include "kernel/runtime.h"

struct mc_error;

/* w as it lies: w[k, m] at k row_step + m column_step. With `inner`, the axis of K is two that lie apart: at
 * (k / inner) row_step + (k % inner) inner_step + m column_step. */
struct mc_unpacked {
    const float *w;
    int64_t K, M, row_step, column_step;
    int64_t inner, inner_step;
    bool bfloat16; /* of a model of that type, so that rows of the first factor may be rounded to it */
    int64_t rows;  /* how many the first factor will have: where many of w, which is dense then, are zero, the two ways
                    * of multiplying are timed and the faster stays. 0: not known, or panels are asked for */
};

/* Of row k of w, its first column. */
static inline const float *mc_unpacked_row(const struct mc_unpacked *w, int64_t k)
{
    return w->inner ? w->w + k / w->inner * w->row_step + k % w->inner * w->inner_step : w->w + k * w->row_step;
}

struct mc_bounds {
    float low, high;
};

/* The first factor as it lies, in lines of rows. A row is n_runs runs of K / n_runs floats; run r of row i of line j
 * begins at j line + i row + runs[r]. Its row of y is at j y_line + i y_row. */
struct mc_packed_rows {
    const float *x;
    const float *z;                 /* lies as y, and is added to the product; may be y. NULL: nothing is */
    const struct mc_bounds *bounds; /* of the sum. NULL: none */
    float *y;
    int64_t n_lines, line, y_line;
    int64_t n, row, y_row; /* rows of a line */
    const int64_t *runs;
    int64_t n_runs;
};

struct mc_packed;

enum mc_packed_kind { MC_PACKED_FLOATS, MC_PACKED_HALVES, MC_PACKED_BFLOATS };
/* How it is going to be kept. */
enum mc_packed_kind mc_packed_kind_of(const struct mc_unpacked *w, const struct mc_runtime *runtime);

/* Can it be packed? */
bool mc_packed_takes(int64_t M, const struct mc_runtime *runtime);
/* Does it pay, with `rows` rows of x, to keep floats a second time for it? */
bool mc_packed_pays(int64_t rows, const struct mc_runtime *runtime);
/* To be run with the number of threads of `runtime`. `w` is not needed afterwards. MC_ERR_SYSTEM without memory. */
int mc_packed_create(struct mc_packed **packed, const struct mc_unpacked *w, const struct mc_runtime *runtime,
                     struct mc_error *err);
void mc_packed_destroy(struct mc_packed *packed);
/* Rows of x lie one after the other, those of y `y_row` floats apart. */
void mc_packed_run(const struct mc_packed *packed, int64_t n, const float *x, const float *b, float *y, int64_t y_row);

/* For those who cut the work themselves: how many panels there are, and the columns of the panels [from, to), on the
 * calling thread. */
int64_t mc_packed_panels(const struct mc_packed *packed);
void mc_packed_run_panels(const struct mc_packed *packed, const struct mc_packed_rows *rows, const float *b,
                          int64_t from, int64_t to);

/* --- one instruction set's --- */

struct mc_panels {
    int64_t K, M;
    int64_t n; /* panels */
    enum mc_packed_kind kind;
    const void *packed; /* panel after panel of [K, vectors] */
};

struct mc_packed_loops {
    int64_t lanes, most_lanes; /* floats of a vector, and of a panel at most */
    bool halves;               /* can they be kept as such? */
    bool fast;                 /* faster than BLAS for any number of rows? Otherwise as fast, from some on */
    size_t (*bytes)(const struct mc_panels *panels);
    /* Fill one panel of `packed`, which is 64-byte aligned. */
    void (*pack)(const struct mc_panels *panels, const struct mc_unpacked *w, int64_t panel, void *packed);
    /* Panels [from, to) of the product. */
    void (*run)(const struct mc_panels *panels, const struct mc_packed_rows *rows, const float *b, int64_t from,
                int64_t to);
};

#endif
