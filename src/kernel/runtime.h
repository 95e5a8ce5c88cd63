/* runtime.h - what running code shares: number of threads, the kernels for this CPU, the seed.
 *
 * One OpenMP pool serves our loops, OpenBLAS (its OpenMP build) and oneDNN. mc_runtime_enter sets the
 * pool's width for the calling thread and mc_runtime_leave puts it back.
 */
#ifndef MC_KERNEL_RUNTIME_H
#define MC_KERNEL_RUNTIME_H

#include <stdbool.h>
#include <stdint.h>

/* Instruction sets, each containing the ones before it. */
enum mc_cpu {
    MC_CPU_PORTABLE = 0, /* plain C11, whatever the machine */
    MC_CPU_AVX2 = 1,     /* AVX2 and FMA */
    MC_CPU_AVX512 = 2,   /* AVX-512 F, BW, DQ, VL */
};

/* Not by their headers: what is compiled once per instruction set takes minutes. */
struct mc_kernels; /* kernel/kernels.h */
struct mc_peers;   /* compress.h */
struct mc_memory;  /* compress.h */

struct mc_runtime {
    int n_threads;
    const struct mc_kernels *kernels;
    bool use_onednn;                /* false: our own code, and im2col on OpenBLAS */
    bool channels_last;             /* float32 activations lie so in memory where convolutions make or read them */
    uint64_t seed;                  /* of live dropout */
    uint64_t iteration;             /* training step; with the node's id it makes each draw reproducible */
    bool freeze_batch_norm;         /* training: use running statistics and leave them */
    bool bfloat16;                  /* training: products may round their factors (kernel/bfloat.h) */
    struct mc_peers *peers;         /* training: processes that have the rest of the batch (base/peers.h); NULL: none */
    const struct mc_memory *memory; /* of large blocks (base/block.h); NULL: malloc */
};

/* What this machine has, at run time. */
enum mc_cpu mc_cpu_detect(void);
const char *mc_cpu_name(enum mc_cpu cpu);

/* Of a first-level data cache; 32 KB where the machine does not say. */
int64_t mc_cache_bytes(void);

/* n_threads 0: as many as the process may use. cpu: the most to use (narrowed to what there is). */
void mc_runtime_init(struct mc_runtime *runtime, int n_threads, enum mc_cpu cpu);
/* Set the OpenMP width of this thread; returns the width to give back to mc_runtime_leave. */
int mc_runtime_enter(const struct mc_runtime *runtime);
void mc_runtime_leave(int previous);

#endif
