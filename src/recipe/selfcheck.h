/* selfcheck.h - does what is to be written say what the model in memory says? */
#ifndef MC_RECIPE_SELFCHECK_H
#define MC_RECIPE_SELFCHECK_H

#include "base/file.h"
#include "graph/graph.h"
#include "kernel/runtime.h"
#include "report/record.h"

/* Load the bytes of an ONNX file again, compare them with what that would write, its initializers with those of
 * `model`, and run both models on the same random batch: bytes, contents and outputs have to be equal to the last bit,
 * or it is MC_ERR_INTERNAL. `into` gets "bytes" and "outputs" (true, or false with "why": a model that cannot be run
 * here is compared by its bytes alone, and so is one with `same_graph`: nothing but contents was changed since it was
 * loaded). */
int mc_selfcheck(const struct mc_model *model, const struct mc_file_view *file, bool same_graph,
                 const struct mc_runtime *runtime, struct mc_record *into, struct mc_error *err);

#endif
