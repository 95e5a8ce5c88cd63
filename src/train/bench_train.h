/* bench_train.h - how long one step of training takes on this machine. */
#ifndef MC_TRAIN_BENCH_TRAIN_H
#define MC_TRAIN_BENCH_TRAIN_H

#include "graph/graph.h"
#include "run/bench.h"

/* Time steps as mc_bench_repeat does. A step is forward, softmax cross-entropy on
 * random labels, backward, and an SGD update of every trainable parameter at rate 0.01 and momentum 0.9, on one random
 * batch of `batch` samples that stays the same. Batch normalization uses batch statistics. The model's parameters
 * change. */
int mc_bench_train(struct mc_model *model, int64_t batch, double seconds, const struct mc_runtime *runtime,
                   struct mc_bench_times *times, struct mc_error *err);

#endif
