/* ml.h - what the operators of ai.onnx.ml share: rows of features, class labels, transforms of scores.
 *
 * These operators are run by themselves (mc_op.evaluate), as most of them take or give texts. Arithmetic is in float64,
 * whatever the input; scores are float32, as the specification has them.
 */
#ifndef MC_OP_ML_H
#define MC_OP_ML_H

#include "op/items.h"

#define MC_TYPES_ML (MC_TYPE_BIT(MC_FLOAT) | MC_TYPE_BIT(MC_DOUBLE) | MC_TYPE_BIT(MC_INT64) | MC_TYPE_BIT(MC_INT32))

/* --- input --- */

/* Samples of n_features numbers each: a matrix, or a vector, which is one sample. */
struct mc_ml_rows {
    int64_t n, n_features;
    const double *at;
    struct mc_tensor *own;
};

int mc_ml_rows_init(struct mc_ml_rows *rows, const struct mc_call *call, struct mc_error *err);
void mc_ml_rows_finish(struct mc_ml_rows *rows);
/* What its shape rule checks and says of the input: n samples. */
int mc_ml_rows_shape(const struct mc_node *node, const struct mc_fact *const *in, int64_t *n, int64_t *n_features,
                     struct mc_error *err);

/* --- attributes --- */

/* Lists; n = 0 and NULL where the attribute is absent. */
const float *mc_ml_floats(const struct mc_node *node, const char *name, int64_t *n);
const struct mc_text *mc_ml_texts(const struct mc_node *node, const char *name, int64_t *n);

/* Names of classes: one of two attributes, as integers or as texts. */
struct mc_ml_labels {
    int64_t n;
    const int64_t *ints; /* one of the two */
    const struct mc_text *texts;
};

int mc_ml_labels_init(struct mc_ml_labels *labels, const struct mc_node *node, const char *ints, const char *texts,
                      struct mc_error *err);
enum mc_dtype mc_ml_labels_type(const struct mc_ml_labels *labels);
/* [n] labels by their numbers. */
int mc_ml_labels_item(const struct mc_ml_labels *labels, const int64_t *of, int64_t n, struct mc_item **item,
                      struct mc_error *err);

/* --- scores --- */

enum mc_ml_post { MC_POST_NONE, MC_POST_SOFTMAX, MC_POST_LOGISTIC, MC_POST_SOFTMAX_ZERO, MC_POST_PROBIT };

int mc_ml_post_init(enum mc_ml_post *post, const struct mc_node *node, struct mc_error *err);
void mc_ml_transform(enum mc_ml_post post, double *scores, int64_t n);
double mc_ml_logistic(double x);
int64_t mc_ml_largest(const double *scores, int64_t n); /* the first of equals */

/* Outputs. */
int mc_ml_floats_item(const double *numbers, const struct mc_shape *shape, struct mc_item **item, struct mc_error *err);

#define MC_ML_OP(name, onnx_type, version, least, most, outputs)                                                       \
    const struct mc_op mc_op_ml_##name##_##version = {                                                                 \
        .domain = "ai.onnx.ml",                                                                                        \
        .type = onnx_type,                                                                                             \
        .since = version,                                                                                              \
        .min_inputs = least,                                                                                           \
        .max_inputs = most,                                                                                            \
        .n_outputs = outputs,                                                                                          \
        .shape = name##_shape,                                                                                         \
        .evaluate = name##_evaluate,                                                                                   \
        .backward = NULL,                                                                                              \
        .no_backward = "it is not trained by descent",                                                                 \
        .coupling = mc_coupling_freeze_all,                                                                            \
        .cost = mc_cost_elementwise,                                                                                   \
    };

#endif
