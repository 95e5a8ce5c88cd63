/* plans.h - plans of one model kept by the shapes that they were compiled for. */
#ifndef MC_RUN_PLANS_H
#define MC_RUN_PLANS_H

#include "run/plan.h"

/* Shapes that change with every run would otherwise leave a plan for each behind; the least recently used goes. */
enum { MC_PLANS_MOST = 8 };

/* All zero is empty. */
struct mc_plans {
    int n;
    uint64_t clock;
    struct mc_plans_entry {
        struct mc_dims dims; /* with lists of its own */
        struct mc_plan *plan;
        uint64_t used;
    } at[MC_PLANS_MOST];
};

/* The plan for these options, whose dims are the key: everything else in them has to be the same from call to call.
 * Compiled if there is none yet. Lent until the next call. */
int mc_plans_find(struct mc_plans *plans, const struct mc_model *model, const struct mc_plan_options *options,
                  struct mc_plan **plan, struct mc_error *err);
void mc_plans_finish(struct mc_plans *plans);

#endif
