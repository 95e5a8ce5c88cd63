/* space.h - what a search varies: options of a recipe, each with the values that it may take.
 *
 *     space:
 *       steps.0.train.rate: {log: [0.0001, 0.1]}        # log-uniform; uniform, integer likewise
 *       steps.0.train.l2: [0, 0.0001, 0.001]            # one of a list, which may hold whatever the option takes
 *
 * A grid takes lists, and ranges with a number of points: {log: [0.0001, 0.1, 4]}.
 */
#ifndef MC_RECIPE_SPACE_H
#define MC_RECIPE_SPACE_H

#include "recipe/yaml.h"

enum { MC_SPACE_MAX_AXES = 32, MC_SPACE_MAX_TRIALS = 10000 };

enum mc_axis_kind { MC_AXIS_CHOICE, MC_AXIS_UNIFORM, MC_AXIS_LOG, MC_AXIS_INTEGER };

struct mc_axis {
    const char *path;
    const struct mc_yaml *at; /* where its values stand */
    enum mc_axis_kind kind;
    double low, high; /* of a range */
    int n;            /* points: of a list, or of a range in a grid; 0: it has none */
};

struct mc_space {
    int n;
    struct mc_axis axes[MC_SPACE_MAX_AXES];
};

/* MC_ERR_USAGE, with the place, for what is no space. Points into the tree. */
int mc_space_init(struct mc_space *space, const struct mc_yaml *mapping, struct mc_error *err);

/* Combinations of a grid. MC_ERR_USAGE if a range has no points, or there are more than MC_SPACE_MAX_TRIALS. */
int mc_space_grid_size(const struct mc_space *space, int *n, struct mc_error *err);

/* The value of an axis in a trial, in the arena (or the tree): point `trial` of the grid, whose last axis runs fastest;
 * or what trial `trial` of a random search draws, whichever trials were drawn before. NULL without memory. */
struct mc_yaml *mc_space_grid_value(const struct mc_space *space, int axis, int trial, struct mc_arena *arena);
struct mc_yaml *mc_space_random_value(const struct mc_space *space, int axis, int trial, uint64_t seed,
                                      struct mc_arena *arena);

#endif
