/* lossless.h - channels that go without a trace: what nobody reads, what is a constant, what is there twice.
 *
 * Each of them is found by the weights alone; that the model then gives the same outputs is for the caller to compare.
 */
#ifndef MC_PRUNE_LOSSLESS_H
#define MC_PRUNE_LOSSLESS_H

#include "prune/cut.h"

/* Let one of several channels that are made by equal weights be read in place of all: the weights that read the others
 * are added to its own and become 0. In `model`, which is analysed for that by `options`. *n_merged: channels that are
 * not read any more. */
int mc_merge_duplicates(struct mc_model *model, const struct mc_shrink_options *options, int64_t *n_merged,
                        struct mc_error *err);

/* Choose the groups that are read by weights of 0 alone; `dead`: and those that are made by such, so that they are a
 * constant that biases can take. */
void mc_lossless_choose(struct mc_cut *cut, bool dead, int64_t *n_unread, int64_t *n_dead);

#endif
