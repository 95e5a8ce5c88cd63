/* kernels.h - the table of kernels for one instruction set, chosen once by mc_runtime_init.
 *
 * The same C source is compiled once per instruction set (see meson.build); the portable build is the
 * reference that tests compare the others with.
 */
#ifndef MC_KERNEL_KERNELS_H
#define MC_KERNEL_KERNELS_H

#include "kernel/loops.h"
#include "kernel/runtime.h"

struct mc_bfloat_loops;           /* kernel/bfloat.h: products of rounded numbers */
struct mc_cells;                  /* kernel/cell.h: units of recurrent cells */
struct mc_channels;               /* kernel/channel.h: one channel of a batch */
struct mc_depthwise_loops;        /* kernel/depthwise.h: a filter for each channel */
struct mc_loops;                  /* kernel/loops.h: element-wise, reductions, softmax */
struct mc_packed_loops;           /* kernel/packed.h: products with constant matrices */
struct mc_poolings;               /* kernel/pooling.h: sliding windows */
struct mc_sparse_loops;           /* kernel/sparse.h: products with sparse matrices */
struct mc_updates;                /* kernel/update.h: losses, optimizer steps */
struct mc_winograd_loops;         /* kernel/winograd.h: 3x3 filters, */
struct mc_winograd_weights_loops; /* and their derivatives */

struct mc_kernels {
    enum mc_cpu cpu;
    const struct mc_byte_loops *bytes;
    const struct mc_bfloat_loops *bfloats;
    const struct mc_loops *loops;
    const struct mc_updates *updates;
    const struct mc_cells *cells;
    const struct mc_channels *channels;
    const struct mc_poolings *poolings;
    const struct mc_packed_loops *packed;
    const struct mc_depthwise_loops *depthwise;
    const struct mc_sparse_loops *sparse;
    /* x / (1 + e^-x), x (1 + erf(x / sqrt(2))) / 2, float32. Not of the loops, which give the same bits everywhere:
     * faster */
    mc_unary_fn *silu, *gelu;
    const struct mc_winograd_loops *winograd;
    const struct mc_winograd_weights_loops *winograd_weights;
};

/* Table for `cpu` or the best one below it that was built. */
const struct mc_kernels *mc_kernels_for(enum mc_cpu cpu);

#endif
