/* sparse.h - products with constant sparse float32 matrices.
 *
 * Many positions side by side:
 *
 *     y[m, p] = b[m] + sum over k of w[m, k] x[offset(k) + p]
 *
 * What the inputs of a block of k have at these positions is packed into a panel that stays in a first-level cache; all
 * rows go over it, each adding, for its non-zeros there, vectors of positions (as in Elsen et al. 2020, Fast Sparse
 * ConvNets) to sums that are put away between blocks. Within a block rows are sorted by their numbers of non-zeros, so
 * that loops of one length follow each other and the processor foresees where they end.
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

/* The non-zeros: those of row m are [start[m], start[m + 1]), in the order of k. */
struct mc_sparse_rows {
    int64_t M;
    int64_t *start;
    float *values;
    int32_t *inputs; /* k */
};

int mc_sparse_rows_init(struct mc_sparse_rows *rows, int64_t M, int64_t nonzeros, const struct mc_memory *memory,
                        struct mc_error *err);
void mc_sparse_rows_finish(struct mc_sparse_rows *rows);
/* Behind the first *n non-zeros, unless `value` is 0. */
void mc_sparse_rows_add(struct mc_sparse_rows *rows, int64_t *n, float value, int64_t k);

/* A weight that is not zero, and where its input's first position lies: `offset` floats further than x. */
struct mc_sparse_term {
    int32_t offset;
    float value;
};

/* The same in blocks of k. Rows are made up to M' by empty ones, groups of MC_SPARSE_GROUP of them are sorted in each
 * block by how many terms they have there, and `turns` that follow each other in this order take turns: the rows
 * order[t turns], … of turn t have the terms [start[t], start[t + 1]), one of each row after the other. What the
 * shorter of them lack is zeros. Block j has the M' / turns turns from j M' / turns on. */
struct mc_sparse_blocks {
    int64_t M, K, depth, n; /* inputs of a block, of which the last may have fewer; blocks */
    int64_t width, turns;   /* positions at a time, rows by turns */
    bool in_panels;
    int64_t *start;
    int32_t *order;
    struct mc_sparse_term *terms;
};

struct mc_sparse_loops;

/* For n positions. Terms count from panels, [inputs of a block, width]; with `offsets`, [K], all of them are one block
 * whose inputs lie there. */
int mc_sparse_blocks_init(struct mc_sparse_blocks *blocks, const struct mc_sparse_rows *rows, int64_t K, int64_t n,
                          const struct mc_sparse_loops *loops, const int32_t *offsets, const struct mc_memory *memory,
                          struct mc_error *err);
void mc_sparse_blocks_finish(struct mc_sparse_blocks *blocks);

/* Who has the inputs and wants the outputs. */
struct mc_sparse_ends {
    const void *context;
    const float *x; /* what offsets count from, at position 0; not looked at where there are panels */
    /* panel[i width + p] = what input k + i has at position first + p, i < n, p < n_positions; beyond these positions
     * anything */
    void (*pack)(const void *context, int64_t k, int64_t n, int64_t first, int64_t n_positions, int64_t width,
                 float *panel);
    /* Rows [from, to) at positions [first, first + n) are tile[(m - from) width + p]. */
    void (*put)(const void *context, int64_t from, int64_t to, int64_t first, int64_t n, int64_t width,
                const float *tile);
};

/* Floats that each thread needs to run. */
size_t mc_sparse_blocks_room(const struct mc_sparse_blocks *blocks);
/* All rows at n positions, on the threads of the pool. b: of each row, or NULL. rooms: one for each of n_threads. */
void mc_sparse_blocks_run(const struct mc_sparse_blocks *blocks, const struct mc_sparse_loops *loops, int64_t n,
                          const float *b, const struct mc_sparse_ends *ends, float *rooms, int n_threads);

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

/* Of any instruction set: lanes at most; rows that are sorted together, that take turns at most. */
enum { MC_SPARSE_LANES = 16, MC_SPARSE_GROUP = 64, MC_SPARSE_TURNS = 8 };

struct mc_sparse_loops {
    int64_t lanes;
    int64_t most;           /* positions at a time, */
    int64_t most_of_panels; /* out of panels; */
    int64_t few;            /* terms to an input, for which it is not packed */
    int64_t sums;           /* vectors: so many rows by vectors of positions take turns */
    /* Block j of the rows [from, to), whole groups or to the last row, for blocks->width positions. x: a panel, or what
     * offsets count from; sums: [M', width] from row `from` on, which begin, with the first block, as b. */
    void (*run)(const struct mc_sparse_blocks *blocks, int64_t j, int64_t from, int64_t to, const float *x,
                const float *b, float *sums);
    /* panel[i width + p] = x[offsets[i] + p] for i < n, p < width, a width as above */
    void (*gather)(int64_t n, const int32_t *offsets, const float *x, int64_t width, float *panel);
    /* Groups [from, to) for one position. x has at least `lanes` inputs. */
    void (*run_lanes)(const struct mc_sparse_lanes *lanes, int64_t from, int64_t to, const float *x, const float *b,
                      float *y);
};

/* The least width for n positions, or `most`. */
int64_t mc_sparse_width(const struct mc_sparse_loops *loops, int64_t n);

#endif
