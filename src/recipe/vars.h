/* vars.h - what a recipe says once under `vars` and names in other places, as ${name}. */
#ifndef MC_RECIPE_VARS_H
#define MC_RECIPE_VARS_H

#include "recipe/yaml.h"

/* The tree with the values in the place of their names: `root` itself if it has no `vars`, else a copy in the arena,
 * whose nodes know where they were written. "${rate}" alone becomes whatever the variable is, a list or a mapping too;
 * within a text only a text can stand. A variable may name those above it. "$${" is "${". MC_ERR_USAGE, with the place,
 * for a name that there is not. */
int mc_vars_expand(const struct mc_yaml **expanded, const struct mc_yaml *root, struct mc_arena *arena,
                   struct mc_error *err);

/* If `path` is that of a variable, "vars.rate", does the tree have it? MC_ERR_USAGE at `at`, with the nearest name. */
int mc_vars_check(const struct mc_yaml *root, const char *path, const struct mc_yaml *at, struct mc_error *err);

#endif
