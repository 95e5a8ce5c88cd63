/* blocks.h - weights that go together, a rectangle of outputs by inputs at a time. */
#ifndef MC_PRUNE_BLOCKS_H
#define MC_PRUNE_BLOCKS_H

#include "prune/select.h"

/* Where the blocks of a tensor lie: `rows` neighbours along one axis, `columns` along another. At the ends they are
 * smaller. */
struct mc_blocks {
    int row_axis, column_axis; /* different ones */
    int64_t rows, columns;     /* at least 1 */
};

/* A tensor of float32 with one element for each block, the root mean square of its weights. */
int mc_blocks_score(struct mc_tensor **score, const struct mc_tensor *weights, const struct mc_blocks *blocks,
                    struct mc_error *err);
/* What is said of blocks, a byte each, for each of the weights in them. */
void mc_blocks_spread(const unsigned char *of_blocks, const struct mc_shape *weights, const struct mc_blocks *blocks,
                      unsigned char *keep);

#endif
