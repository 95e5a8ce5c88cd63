/* context.c - how work is to be done; see context.h and compress.h. */
#include "recipe/context.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "kernel/kernels.h"

/* More than any machine has; a typing error that would start them all. */
enum { MAX_THREADS = 4096 };

void mc_context_init(struct mc_context *context)
{
    *context = (struct mc_context){0};
}

int mc_context_runtime(const struct mc_context *context, struct mc_runtime *runtime, struct mc_error *err)
{
    static const struct mc_context defaults;
    if (!context) context = &defaults;
    if (context->threads < 0 || context->threads > MAX_THREADS)
        return mc_error_set(err, MC_ERR_USAGE, "threads: needs an integer in [0, %d], has %d", MAX_THREADS,
                            context->threads);
    static const enum mc_cpu known[] = {MC_CPU_PORTABLE, MC_CPU_AVX2, MC_CPU_AVX512};
    for (size_t i = 0; i < MC_COUNT(known); i++) {
        if (context->cpu && strcmp(context->cpu, mc_cpu_name(known[i])) != 0) continue;
        mc_runtime_init(runtime, context->threads, context->cpu ? known[i] : MC_CPU_AVX512);
        runtime->seed = context->seed;
        runtime->peers = context->peers;
        runtime->memory = context->memory;
        return MC_OK;
    }
    return mc_error_set(err, MC_ERR_USAGE, "cpu: needs portable, avx2 or avx512, has '%s'", context->cpu);
}

int mc_context_report(const struct mc_context *context, const char *what, int64_t done, int64_t total,
                      struct mc_error *err)
{
    const struct mc_progress at = {.what = what, .done = done, .total = total, .loss = NAN, .value = NAN};
    if (!context || !context->progress || context->progress(context->progress_context, &at)) return MC_OK;
    return mc_error_set(err, MC_INTERRUPTED, "interrupted");
}

void mc_context_record(const struct mc_runtime *runtime, uint64_t seed, struct mc_record *record)
{

    mc_record_set_int(record, "threads", runtime->n_threads);
    mc_record_set_text(record, "cpu", mc_cpu_name(runtime->kernels->cpu));
    mc_record_set_int(record, "seed", (int64_t)seed);
}
