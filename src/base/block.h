/* block.h - the large blocks of a run, from the caller's memory where he gives any (struct mc_memory).
 *
 * What computing needs beside the model comes from here: a plan's activations, gradients and work memory, and weights
 * in the order in which a kernel reads them. A block knows where it came from, so that whoever releases it need not.
 */
#ifndef MC_BASE_BLOCK_H
#define MC_BASE_BLOCK_H

#include "compress/compress.h"

/* As mc_alloc_aligned, from `memory`; NULL: from malloc. The functions of `memory` are copied. */
void *mc_block_create(const struct mc_memory *memory, size_t n, size_t size);
void mc_block_destroy(void *block);

/* Give the system back what was freed in this process and lies idle, where the C library says how: after much was
 * freed, and before as much is wanted in pieces of other sizes. */
void mc_block_trim(void);

#endif
