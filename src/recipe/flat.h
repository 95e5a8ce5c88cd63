/* flat.h - models with the functions of their file put in the place of the nodes that call them: what is run, measured
 * and changed. */
#ifndef MC_RECIPE_FLAT_H
#define MC_RECIPE_FLAT_H

#include "graph/graph.h"

/* A model as it is, if it calls no function, or a copy that shares its parameters. */
struct mc_flat {
    const struct mc_model *model;
    struct mc_model *copy; /* NULL: none was needed */
};

int mc_flat_init(struct mc_flat *flat, const struct mc_model *model, struct mc_error *err);
void mc_flat_finish(struct mc_flat *flat);

/* A model that is to be changed and written: put the bodies in, and let every node be of the version that the model
 * imports. MC_ERR_UNSUPPORTED where a function needs another version, which a file could not say of single nodes. Binds
 * operators. */
int mc_flatten(struct mc_model *model, struct mc_error *err);

#endif
