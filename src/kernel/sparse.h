/* sparse.h - products with constant sparse float32 matrices.
 *
 * Many positions side by side:
 *
 *     y[m, p] = b[m] + sum over k of w[m, k] x[offset(k) + p]
 *
 * The non-zeros of a row lie one after the other, each with the place where its input begins; a vector of positions is
 * loaded from there, multiplied and added (as in Elsen et al. 2020, Fast Sparse ConvNets).
 *
 * One position alone: as many rows side by side as a vector has lanes. A step loads a window of as many inputs, gives
 * each row the input of its next non-zero, if that lies in the window, and multiplies and adds. Windows begin at the
 * first input that any of the rows still waits for.
 *
 * Each y is a sum in the order of k, to which the zeros that are left out would have added nothing: the same bits as
 * packed.h gives for finite x.
 */
#ifndef MC_KERNEL_SPARSE_H
#define MC_KERNEL_SPARSE_H

#include "kernel/packed.h"

/* The non-zeros: those of row m are [start[m], start[m + 1]). */
struct mc_sparse_rows {
    int64_t M;
    int64_t *start;
    float *values;
    int32_t *offsets; /* of inputs, in steps of the caller's */
};

int mc_sparse_rows_init(struct mc_sparse_rows *rows, int64_t M, int64_t nonzeros, const struct mc_memory *memory,
                        struct mc_error *err);
void mc_sparse_rows_finish(struct mc_sparse_rows *rows);
/* Behind the first *n non-zeros, unless `value` is 0. */
void mc_sparse_rows_add(struct mc_sparse_rows *rows, int64_t *n, float value, int64_t offset);

/* The same for groups of as many rows as there are lanes: the steps of group g are [start[g], start[g + 1]). */
struct mc_sparse_lanes {
    int64_t M;
    int64_t *start;
    int32_t *windows; /* the first input of each step's */
    float *values;    /* [steps, lanes] */
    uint8_t *places;  /* [steps, lanes], of inputs in the window */
};

/* How many of n weights are not zero? */
int64_t mc_sparse_nonzeros(const float *w, int64_t n);
/* Is so much of n weights zero that it is worth a try? */
bool mc_sparse_may_pay(const float *w, int64_t n);

/* What to multiply w->rows rows of x by, or any other number of them; made from w as it lies. To be run with the number
 * of threads of `runtime`. */
struct mc_sparse;
int mc_sparse_create(struct mc_sparse **sparse, const struct mc_unpacked *w, const struct mc_runtime *runtime,
                     struct mc_error *err);
void mc_sparse_destroy(struct mc_sparse *sparse);
/* As mc_packed_run. */
void mc_sparse_run(const struct mc_sparse *sparse, int64_t n, const float *x, const float *b, float *y, int64_t y_row);

/* --- one instruction set's --- */

/* Of any instruction set: lanes at most; positions at a time at most; rows at a time, a tile of which with these
 * positions stays in a first-level cache. */
enum { MC_SPARSE_LANES = 16, MC_SPARSE_POSITIONS = 64, MC_SPARSE_ROWS = 32 };

struct mc_sparse_loops {
    int64_t lanes;
    int64_t most; /* positions at a time */
    /* Rows [from, to) for `width` positions, which is `lanes` times 1, 2, 4 or 8 up to `most`: x has that many behind
     * each offset, though they be nobody's, and so has y. Offsets count steps of `step` floats; y begins with row
     * `from`. */
    void (*run)(const struct mc_sparse_rows *rows, int64_t from, int64_t to, const float *x, int64_t step,
                int64_t width, const float *b, float *y, int64_t y_row);
    /* Groups [from, to) for one position. x has at least `lanes` inputs. */
    void (*run_lanes)(const struct mc_sparse_lanes *lanes, int64_t from, int64_t to, const float *x, const float *b,
                      float *y);
};

/* The least width for n positions, or `most`. */
int64_t mc_sparse_width(const struct mc_sparse_loops *loops, int64_t n);

#endif
