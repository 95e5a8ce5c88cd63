/* weights.h - tensors as training and shrinking leave them, from a seed. */
#ifndef MC_TESTS_CODE_WEIGHTS_H
#define MC_TESTS_CODE_WEIGHTS_H

#include <stddef.h>
#include <stdint.h>

/* n normal numbers of this standard deviation. */
void weights_normal(float *w, size_t n, double deviation, uint64_t seed);
/* Set all but the share of largest magnitude to zero; returns how many stay. */
size_t weights_prune(float *w, size_t n, double share);
/* Replace each number that is not zero by the middle of its one of k equal intervals. */
void weights_cluster(float *w, size_t n, int k);

#endif
