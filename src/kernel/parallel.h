/* parallel.h - cut a range of work among the threads of the OpenMP pool. */
#ifndef MC_KERNEL_PARALLEL_H
#define MC_KERNEL_PARALLEL_H

#include <stdint.h>

/* The least work for a thread, in elements of the cheapest loops (one load, one operation, one store). Waking a thread
 * of a sleeping pool takes 2 to 10 us, in which a core does some 10^4 such elements from its cache. A loop that costs w
 * times as much per item divides by w. */
#define MC_PARALLEL_GRAIN 16384

/* Calls body(context, begin, end) on consecutive ranges that make up [0, n): one for each thread, none shorter than
 * `grain` (at least 1) unless there is only one. Which thread gets what must not matter to the result. */
typedef void mc_range_fn(void *context, int64_t begin, int64_t end);
void mc_parallel(int64_t n, int64_t grain, mc_range_fn *body, void *context);

static inline int64_t mc_least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* How many parts of at most `most` n items make, n not below 0. */
static inline int64_t mc_divide_up(int64_t n, int64_t most)
{
    return (n + most - 1) / most;
}

/* Into how many blocks of at most `most` to cut n items, so that each thread gets as many if there are enough. */
int64_t mc_parallel_blocks(int64_t n, int64_t most, int n_threads);

/* Grain for items of `work` cheap elements each. */
int64_t mc_parallel_grain(int64_t work);

#endif
