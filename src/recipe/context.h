/* context.h - from the caller's struct mc_context to what running code needs. */
#ifndef MC_RECIPE_CONTEXT_H
#define MC_RECIPE_CONTEXT_H

#include "kernel/runtime.h"
#include "report/record.h"

/* `context` NULL: the defaults. MC_ERR_USAGE for an unknown cpu or a number of threads that cannot be. */
int mc_context_runtime(const struct mc_context *context, struct mc_runtime *runtime, struct mc_error *err);

/* Tell the caller how far `what` is; MC_INTERRUPTED if it wants to stop. */
int mc_context_report(const struct mc_context *context, const char *what, int64_t done, int64_t total,
                      struct mc_error *err);

/* program, threads, cpu, seed: how a record came about. */
void mc_context_record(const struct mc_runtime *runtime, uint64_t seed, struct mc_record *record);

#endif
