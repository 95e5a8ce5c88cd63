/* runtime.c - what the CPU has, how many threads to use; see runtime.h. */
#include "kernel/runtime.h"

#include <omp.h>
#include <unistd.h>

#include "kernel/kernels.h"

enum mc_cpu mc_cpu_detect(void)
{
#if defined(__x86_64__) && defined(__GNUC__)
    __builtin_cpu_init();
    /* Whatever has AVX2 has F16C, which clang 14 does not know by name. */
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    return avx2 && avx512 ? MC_CPU_AVX512 : avx2 ? MC_CPU_AVX2 : MC_CPU_PORTABLE;
#else
    return MC_CPU_PORTABLE;
#endif
}

const char *mc_cpu_name(enum mc_cpu cpu)
{
    static const char *const names[] = {"portable", "avx2", "avx512"};
    return names[cpu];
}

int64_t mc_cache_bytes(void)
{
    long bytes = 0;
#ifdef _SC_LEVEL1_DCACHE_SIZE
    bytes = sysconf(_SC_LEVEL1_DCACHE_SIZE);
#endif
    return bytes >= 16 * 1024 ? bytes : 32 * 1024;
}

void mc_runtime_init(struct mc_runtime *runtime, int n_threads, enum mc_cpu cpu)
{
    const enum mc_cpu present = mc_cpu_detect();
    *runtime = (struct mc_runtime){
        .n_threads = n_threads > 0 ? n_threads : omp_get_num_procs(),
        .kernels = mc_kernels_for(cpu < present ? cpu : present),
        /* oneDNN picks its own instruction set: whoever narrows ours wants to see ours. */
        .use_onednn = cpu >= present,
        .channels_last = true,
    };
}

int mc_runtime_enter(const struct mc_runtime *runtime)
{
    const int previous = omp_get_max_threads();
    if (previous != runtime->n_threads) omp_set_num_threads(runtime->n_threads);
    return previous;
}

void mc_runtime_leave(int previous)
{
    if (previous != omp_get_max_threads()) omp_set_num_threads(previous);
}
