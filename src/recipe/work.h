/* work.h - a recipe that was checked: what is to be done, with every option in its type. */
#ifndef MC_RECIPE_WORK_H
#define MC_RECIPE_WORK_H

#include "recipe/steps.h"
#include "recipe/yaml.h"

struct mc_work_step {
    const struct mc_step_kind *kind;
    struct mc_settings settings; /* of its kind */
    struct mc_settings common;   /* of every step */
    const struct mc_yaml *at;    /* its name in the recipe */
};

struct mc_work {
    struct mc_arena arena; /* texts that were put together */
    struct mc_settings top, gates, output, tune;
    int n_steps;
    struct mc_work_step *steps;
};

/* Put variables in their places and check the whole tree against the tables: unknown keys with the nearest valid one,
 * types, ranges, conditions, what the steps and gates need of each other, and that files which are named are there.
 * MC_ERR_USAGE (MC_ERR_INPUT for a file) with the place. `work` is finished by the caller in any case; it points into
 * the tree. */
int mc_work_init(struct mc_work *work, const struct mc_yaml *tree, struct mc_error *err);
void mc_work_finish(struct mc_work *work);

#endif
