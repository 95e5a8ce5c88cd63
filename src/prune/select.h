/* select.h - the weights of least magnitude, over several tensors at once. */
#ifndef MC_PRUNE_SELECT_H
#define MC_PRUNE_SELECT_H

#include "tensor/tensor.h"

/* One tensor of float16, bfloat16, float32 or float64, and a byte per element of it. */
struct mc_candidates {
    const struct mc_tensor *tensor;
    unsigned char *keep;
};

/* Where a selection cuts: what is below the threshold goes, and of what equals it the first `n_ties`. */
struct mc_magnitude_cut {
    uint32_t threshold; /* the bits of a magnitude as float32 */
    int64_t n_ties;
    bool splits; /* more than n_ties equal it */
};

/* The cut by which exactly the `n_zero` elements of least magnitude of all tensors together go, as mc_select_smallest
 * has it; `keep` is not looked at. */
int mc_select_cut(const struct mc_candidates *candidates, int n, int64_t n_zero, struct mc_magnitude_cut *cut,
                  struct mc_error *err);
/* Write keep = 0 for what goes of one tensor, and 1 for the others. */
int mc_select_by_cut(const struct mc_candidates *candidate, const struct mc_magnitude_cut *cut, struct mc_error *err);
/* How many elements are above a threshold, and equal to it. */
struct mc_select_counts {
    int64_t above, ties;
};
struct mc_select_counts mc_select_count(const struct mc_tensor *tensor, uint32_t threshold);
/* Zero what goes of n elements, which use up the cut's ties. */
void mc_magnitude_cut_zero(struct mc_magnitude_cut *cut, enum mc_dtype dtype, void *elements, int64_t n);

/* Write keep = 0 for exactly the `n_zero` elements of least magnitude of all tensors together and 1 for the others.
 * Of equal magnitudes the earlier go first; NaN is larger than all. 0 <= n_zero <= number of elements. float64 is
 * compared as float32. Two passes over the weights count, a third writes; the result does not depend on threads. */
int mc_select_smallest(const struct mc_candidates *candidates, int n, int64_t n_zero, struct mc_error *err);

/* Along `axis`, keep the `n_keep` largest of every `block` neighbours; an incomplete last block keeps the same share,
 * rounded up. Other elements and ties as above. */
int mc_select_blocks(const struct mc_candidates *candidate, int axis, int n_keep, int block, struct mc_error *err);

/* For each index of `axis` by itself, write keep = 0 for the share of least magnitude, rounded. */
int mc_select_rows(const struct mc_candidates *candidate, int axis, double share, struct mc_error *err);

/* Largest block of mc_select_blocks. */
#define MC_MAX_BLOCK 64

/* Elements that become keys at a time: they stay in a first-level cache. */
enum { MC_SELECT_CHUNK = 4096 };
/* The keys of n elements: the bits of |w| as float32, which order as |w| does, NaN above all. */
void mc_select_keys(const struct mc_tensor *tensor, int64_t begin, int64_t n, uint32_t *keys);
/* Of a mapped tensor, elements that will not be looked at soon. */
void mc_select_forget(const struct mc_tensor *tensor, int64_t begin, int64_t n);

#endif
