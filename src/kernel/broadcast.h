/* broadcast.h - element-wise loops over operands that broadcast, and sums over the axes along which one did.
 *
 * A nest is the shape of the result with the strides of two operands, in as few axes as can be: equal shapes become one
 * axis, a per-channel operand [1,C,1,1] three, a vector along the last axis two. Whatever remains, the innermost axis
 * is a run of one of the three forms of kernel/loops.h.
 */
#ifndef MC_KERNEL_BROADCAST_H
#define MC_KERNEL_BROADCAST_H

#include "kernel/loops.h"

enum { MC_NEST_A, MC_NEST_B, MC_NEST_RESULT, MC_NEST_ARRAYS };

struct mc_nest {
    int rank; /* at least 1 */
    int64_t extent[MC_MAX_RANK];
    int64_t stride[MC_NEST_ARRAYS][MC_MAX_RANK]; /* in elements; 0 along what an operand is broadcast */
    int64_t count;                               /* elements of the result */
};

/* a and b broadcast to `result` as Numpy has it; the result itself is dense. */
void mc_nest_init(struct mc_nest *nest, const struct mc_shape *result, const struct mc_shape *a,
                  const struct mc_shape *b);

/* y = f(a, b). `work`: cost of an element, the cheapest being 1. No element may be broadcast in both operands. */
void mc_broadcast(const struct mc_nest *nest, mc_binary_fn *const form[MC_FORM_COUNT], enum mc_loop_type type,
                  const void *a, const void *b, void *y, int64_t work);

/* The sum of term(a, b, g), over the axes along which operand `side` is broadcast, times `factor` into `target`, which
 * has that operand's elements. g has the result's shape; a NULL term stands for g itself, and then a and b may be NULL.
 * Each sum is taken in double: along the innermost axis in the lanes of kernel/loops.h (in blocks of 256 if there is a
 * term), everything else in the order of the indices, whatever the number of threads. */
void mc_broadcast_sum(const struct mc_nest *nest, int side, const struct mc_loops *loops, enum mc_loop_type type,
                      mc_term_fn *term, const void *a, const void *b, const void *g, double factor, void *target);

#endif
