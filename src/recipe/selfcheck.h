/* selfcheck.h - does what is to be written say what the model in memory says? */
#ifndef MC_RECIPE_SELFCHECK_H
#define MC_RECIPE_SELFCHECK_H

#include "graph/graph.h"
#include "kernel/runtime.h"
#include "report/record.h"

/* Load the bytes of an ONNX file again, write that once more, and run both models on the same random batch: bytes and
 * outputs have to be equal to the last bit, or it is MC_ERR_INTERNAL. `into` gets "outputs" (true, or false with "why":
 * a model that cannot be run here is compared by its bytes alone). */
int mc_selfcheck(const struct mc_model *model, const void *bytes, size_t length, const struct mc_runtime *runtime,
                 struct mc_record *into, struct mc_error *err);

#endif
