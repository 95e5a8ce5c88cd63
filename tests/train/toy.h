/* toy.h - data sets small enough to reason about, for the tests of training. */
#ifndef MC_TESTS_TRAIN_TOY_H
#define MC_TESTS_TRAIN_TOY_H

#include "data/data.h"
#include "graph/graph.h"
#include "test.h"
#include "train/train.h"

/* A data set of n samples [width] and as many for validation and test (the same ones), to be filled by the caller. */
struct toy {
    struct mc_dataset data;
    float *x;        /* [n, width] */
    int64_t *labels; /* [n], n_classes > 0 */
    float *targets;  /* [n, n_targets] */
};

void toy_create(struct toy *toy, int64_t n, int64_t width, int64_t n_classes, int64_t n_targets);
void toy_destroy(struct toy *toy);

/* Two classes on either side of a line through the plane, with a gap. */
void toy_two_sides(struct toy *toy, int64_t n);
/* width 3, y = 1.5 x0 - 2 x1 + 0.5 x2 + 1 + a little deterministic noise. */
void toy_line(struct toy *toy, int64_t n);

/* Architecture with seed 1; fails the test if that fails. */
struct mc_model *toy_model(const char *name, const struct toy *toy);
/* Put a BatchNormalization of "scale", "shift", "mean" and "variance" between its first Gemm, of so many outputs, and
 * the Relu behind that. */
void toy_normalize_hidden(struct mc_model *model, int64_t width);
/* Plain settings for one thread: SGD, constant rate, no penalty, seed 1. */
struct mc_fit_options toy_options(double rate, int64_t batch, int64_t epochs);

/* Bytes of all initializers, one after the other, in fresh memory (mc_free). */
float *toy_weights(const struct mc_model *model, int64_t *n);

#endif
