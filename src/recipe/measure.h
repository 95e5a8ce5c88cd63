/* measure.h - the figures of a model, into a record (docs/record.md has the keys).
 *
 * Parameters are counted as graph/cost.h says; bytes are those of the ONNX file, in which zeros take room as well.
 */
#ifndef MC_RECIPE_MEASURE_H
#define MC_RECIPE_MEASURE_H

#include "data/data.h"
#include "graph/graph.h"
#include "kernel/runtime.h"
#include "metric/outcomes.h"
#include "report/record.h"
#include "run/plan.h"

/* How much is measured; each level takes seconds of a large model more than the one before. */
enum mc_measuring {
    MC_MEASURE_COUNTS, /* parameters, nonzeros, sparsity; macs for one sample (where the model leaves the batch open);
                        * bytes of the ONNX file with all data inside; layers */
    MC_MEASURE_SIZES,  /* and bytes_sparse of the file with sparse initializers, bytes_zstd of it compressed by zstd at
                        * level 9, of up to 4 MiB bytes_zstd_19 at level 19, bytes_packed of its container;
                        * how the weights of layers lie */
    MC_MEASURE_ALL,    /* and latency_ms of a batch of one (the median of a third of a second), time_ms per layer and
                        * activation_bytes, if the model can be run */
};

/* What cannot be known is left out: macs when an operator is unknown, bytes of a model over 2 GiB. The model's
 * operators must be bound. */
int mc_measure_model(const struct mc_model *model, const struct mc_runtime *runtime, enum mc_measuring what,
                     struct mc_record *into, struct mc_error *err);

/* activation_bytes: what a run of the plan needs beside the parameters. Left out if its steps take memory of their own
 * as they run. */
void mc_measure_memory(const struct mc_plan *plan, struct mc_record *into);

/* latency_ratio: the time of a batch of one of `model`, divided by that of `original`, one thread, in turns. Left out
 * if one of them cannot be run. Operators must be bound. */
int mc_measure_turns(const struct mc_model *original, const struct mc_model *model, const struct mc_runtime *runtime,
                     struct mc_record *into, struct mc_error *err);

/* What was found out over the samples of `data`: metrics, those of single classes, labels or targets, the confusion
 * matrix (docs/record.md). Nothing for no samples. Areas of single classes are left out where they cannot be had. */
void mc_measure_assessment(struct mc_assessment *assessment, const struct mc_dataset *data, struct mc_record *into);

/* name, samples of each role, classes and their names or targets, what was normalized by, what became of columns. */
void mc_measure_data(const struct mc_dataset *data, struct mc_record *into);

#endif
