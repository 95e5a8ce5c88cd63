/* parallel.c - cut a range of work among the threads of the OpenMP pool; see parallel.h. */
#include "kernel/parallel.h"

#include <omp.h>

int64_t mc_parallel_grain(int64_t work)
{
    return work < MC_PARALLEL_GRAIN ? MC_PARALLEL_GRAIN / (work > 0 ? work : 1) : 1;
}

int64_t mc_parallel_blocks(int64_t n, int64_t most, int n_threads)
{
    const int64_t fewest = (n + most - 1) / most, even = (fewest + n_threads - 1) / n_threads * n_threads;
    return fewest < 2 || even > n ? fewest : even;
}

void mc_parallel(int64_t n, int64_t grain, mc_range_fn *body, void *context)
{
    int64_t n_parts = omp_in_parallel() ? 1 : n / grain;
    if (n_parts > omp_get_max_threads()) n_parts = omp_get_max_threads();
    if (n_parts <= 1) {
        if (n > 0) body(context, 0, n);
        return;
    }
    const int64_t share = n / n_parts, rest = n % n_parts; /* the first `rest` parts get one more */
#pragma omp parallel for schedule(static, 1) num_threads((int)n_parts)
    for (int64_t part = 0; part < n_parts; part++) {
        const int64_t begin = part * share + (part < rest ? part : rest);
        body(context, begin, begin + share + (part < rest));
    }
}
