/* recipe.h - the tree of a recipe and its sources; run.c does the work. */
#ifndef MC_RECIPE_RECIPE_H
#define MC_RECIPE_RECIPE_H

#include "recipe/yaml.h"

struct mc_recipe {
    struct mc_arena arena;
    struct mc_yaml *root;
    const char *name; /* file name, without its folder; NULL: made by calls */
};

#endif
