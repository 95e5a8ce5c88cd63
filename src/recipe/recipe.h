/* recipe.h - the tree of a recipe and its sources; run.c does the work. */
#ifndef MC_RECIPE_RECIPE_H
#define MC_RECIPE_RECIPE_H

#include "recipe/yaml.h"

struct mc_recipe {
    struct mc_arena arena;
    struct mc_yaml *root;
    const char *name; /* file name, without its folder; NULL: made by calls */
};

/* From text; `name` stands in messages, paths are relative to `dir`. Errors as those of mc_recipe_load. */
int mc_recipe_parse(struct mc_recipe **recipe, const char *name, const char *dir, const char *text, size_t length,
                    struct mc_error *err);

#endif
