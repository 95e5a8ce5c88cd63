/* bench.h - how long things take on this machine: repetition, and one inference. */
#ifndef MC_RUN_BENCH_H
#define MC_RUN_BENCH_H

#include "graph/facts.h"
#include "kernel/runtime.h"

struct mc_bench_times {
    int64_t n_steps;
    double median_ms, best_ms, worst_ms;
};

/* Call `step` for `seconds`, at least three times, after two that do not count. */
int mc_bench_repeat(int (*step)(void *context, struct mc_error *err), void *context, double seconds,
                    struct mc_bench_times *times, struct mc_error *err);

/* How much longer the second of two takes than the first: the median of the ratios of turns, in each of which both run
 * twice, first, second, second, first, so that what slows the machine for a while slows both. At least three turns, for
 * `seconds`, after one that does not count. */
int mc_bench_turns(int (*step)(void *context, struct mc_error *err), void *first, void *second, double seconds,
                   double *ratio, struct mc_error *err);

/* One step of a plan. What was absorbed by another step has none of its own. */
struct mc_bench_node {
    const struct mc_node *node; /* of the model; the last of several that are one step */
    const char *type;           /* of the operator that computes it */
    struct mc_shape shape;      /* of output 0; rank -1 where it is only known at run time */
    double best_ms;             /* of the runs that were timed one by one */
    struct mc_cost cost;
};

struct mc_bench_nodes {
    int n;
    struct mc_bench_node *of; /* in the order in which they run */
};

/* Time inference on one batch of random inputs (normal floats, zeros of other types) that stays the same and is read
 * where it lies. Compiling the plan does not count. `nodes`, unless NULL, is filled from further runs. */
int mc_bench_infer(const struct mc_model *model, const struct mc_dims *dims, double seconds,
                   const struct mc_runtime *runtime, struct mc_bench_times *times, struct mc_bench_nodes *nodes,
                   struct mc_error *err);
void mc_bench_nodes_finish(struct mc_bench_nodes *nodes);

#endif
