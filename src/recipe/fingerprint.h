/* fingerprint.h - what results depend on, as a number by which results that are kept are known again. */
#ifndef MC_RECIPE_FINGERPRINT_H
#define MC_RECIPE_FINGERPRINT_H

#include "base/hash.h"
#include "data/data.h"

void mc_fingerprint_text(struct mc_hash *hash, const char *text);
void mc_fingerprint_numbers(struct mc_hash *hash, uint64_t a, uint64_t b);
/* All of a model's bytes. */
int mc_fingerprint_model(struct mc_hash *hash, const struct mc_model *model, struct mc_error *err);
/* How a data set was named, how many samples each role has, and a few hundred of them. */
int mc_fingerprint_data(struct mc_hash *hash, const struct mc_dataset *data, struct mc_error *err);

#endif
