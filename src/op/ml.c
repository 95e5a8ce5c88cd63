/* ml.c - what the operators of ai.onnx.ml share; see ml.h. */
#include "op/ml.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

/* --- input --- */

int mc_ml_rows_init(struct mc_ml_rows *rows, const struct mc_call *call, struct mc_error *err)
{
    const struct mc_tensor *x = NULL;
    *rows = (struct mc_ml_rows){0};
    int rc = mc_take_tensor(call, 0, &x, err);
    if (rc < 0) return rc;
    const struct mc_fact fact = {.dtype = x->dtype, .shape = x->shape};
    const struct mc_fact *const in[] = {&fact};
    rc = mc_ml_rows_shape(call->node, in, &rows->n, &rows->n_features, err);
    if (rc == MC_OK) rc = mc_tensor_create(&rows->own, MC_DOUBLE, &x->shape, err);
    if (rc == MC_OK) rc = mc_tensor_convert(rows->own, x, err);
    if (rc == MC_OK) rows->at = rows->own->data;
    return rc;
}

void mc_ml_rows_finish(struct mc_ml_rows *rows)
{
    mc_tensor_destroy(rows->own);
    *rows = (struct mc_ml_rows){0};
}

int mc_ml_rows_shape(const struct mc_node *node, const struct mc_fact *const *in, int64_t *n, int64_t *n_features,
                     struct mc_error *err)
{
    int rc = mc_need_dtype(node, 0, in[0], MC_TYPES_ML, err);
    if (rc == MC_OK) rc = mc_need_rank(node, 0, in[0], 1, 2, err);
    if (rc < 0) return rc;
    const struct mc_shape *shape = &in[0]->shape;
    *n = shape->rank == 2 ? shape->dim[0] : 1;
    *n_features = shape->dim[shape->rank - 1];
    return MC_OK;
}

/* --- attributes --- */

const float *mc_ml_floats(const struct mc_node *node, const char *name, int64_t *n)
{
    const struct mc_attr *attr = mc_node_attr(node, name);
    const bool is = attr && attr->type == MC_ATTR_FLOATS && attr->n > 0;
    *n = is ? attr->n : 0;
    return is ? attr->floats : NULL;
}

const struct mc_text *mc_ml_texts(const struct mc_node *node, const char *name, int64_t *n)
{
    const struct mc_attr *attr = mc_node_attr(node, name);
    const bool is = attr && attr->type == MC_ATTR_STRINGS && attr->n > 0;
    *n = is ? attr->n : 0;
    return is ? attr->strings : NULL;
}

int mc_ml_labels_init(struct mc_ml_labels *labels, const struct mc_node *node, const char *ints, const char *texts,
                      struct mc_error *err)
{
    int64_t n_ints, n_texts;
    *labels =
        (struct mc_ml_labels){.ints = mc_node_ints(node, ints, &n_ints), .texts = mc_ml_texts(node, texts, &n_texts)};
    labels->n = n_ints + n_texts;
    if ((n_ints > 0) != (n_texts > 0)) return MC_OK;
    return mc_error_set(err, MC_ERR_INPUT, "needs one of the attributes '%s' and '%s', has %s", ints, texts,
                        n_ints ? "both" : "neither");
}

enum mc_dtype mc_ml_labels_type(const struct mc_ml_labels *labels)
{
    return labels->texts ? MC_STRING : MC_INT64;
}

int mc_ml_labels_item(const struct mc_ml_labels *labels, const int64_t *of, int64_t n, struct mc_item **item,
                      struct mc_error *err)
{
    const struct mc_shape shape = {.rank = 1, .dim = {n}};
    struct mc_tensor *tensor = NULL;
    int rc;
    if (labels->texts) {
        struct mc_text *texts = MC_NEW_ARRAY(struct mc_text, n > 0 ? n : 1);
        if (!texts) return mc_error_memory(err);
        for (int64_t i = 0; i < n; i++) texts[i] = labels->texts[of[i]];
        rc = mc_tensor_create_texts(&tensor, &shape, texts, err);
        mc_free(texts);
    } else {
        rc = mc_tensor_create(&tensor, MC_INT64, &shape, err);
        for (int64_t i = 0; i < n && rc == MC_OK; i++) ((int64_t *)tensor->data)[i] = labels->ints[of[i]];
    }
    if (rc < 0) return rc;
    *item = mc_item_of_tensor(tensor);
    return *item ? MC_OK : mc_error_memory(err);
}

/* --- scores --- */

int mc_ml_post_init(enum mc_ml_post *post, const struct mc_node *node, struct mc_error *err)
{
    static const char *const names[] = {"NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"};
    const struct mc_attr *attr = mc_node_attr(node, "post_transform");
    *post = MC_POST_NONE;
    if (!attr) return MC_OK;
    for (int i = 0; i < (int)MC_COUNT(names); i++) {
        if (attr->type == MC_ATTR_INT ? attr->i == i : mc_node_string_is(node, "post_transform", names[i], false)) {
            *post = (enum mc_ml_post)i;
            return MC_OK;
        }
    }
    return mc_error_set(err, MC_ERR_INPUT,
                        "attribute 'post_transform': needs NONE, SOFTMAX, LOGISTIC, SOFTMAX_ZERO or PROBIT");
}

double mc_ml_logistic(double x)
{
    const double e = exp(-fabs(x));
    return x >= 0 ? 1 / (1 + e) : e / (1 + e);
}

/* The quantile of the normal distribution by Winitzki's approximation of the inverse error function (2008), which is
 * what ONNX Runtime has. */
static double probit(double x)
{
    const double y = 2 * x - 1, sign = y < 0 ? -1 : 1, inner = (1 - y) * (1 + y);
    if (inner == 0) return 0;
    const double l = log(inner), a = 2 / (M_PI * 0.147) + 0.5 * l;
    return 1.41421356 * sign * sqrt(sqrt(a * a - l / 0.147) - a);
}

/* With `zero`, what is 0 stays without weight. */
static void softmax(double *scores, int64_t n, bool zero)
{
    double largest = -INFINITY, sum = 0;
    for (int64_t i = 0; i < n; i++)
        if (scores[i] > largest) largest = scores[i];
    for (int64_t i = 0; i < n; i++) {
        const bool none = zero && fabs(scores[i]) <= 1e-7;
        scores[i] = none ? scores[i] * exp(-largest) : exp(scores[i] - largest);
        sum += scores[i];
    }
    for (int64_t i = 0; i < n; i++) scores[i] = zero && sum == 0 ? 0.5 : scores[i] / sum;
}

void mc_ml_transform(enum mc_ml_post post, double *scores, int64_t n)
{
    switch (post) {
    case MC_POST_NONE:
        return;
    case MC_POST_SOFTMAX:
    case MC_POST_SOFTMAX_ZERO:
        softmax(scores, n, post == MC_POST_SOFTMAX_ZERO);
        return;
    case MC_POST_LOGISTIC:
        for (int64_t i = 0; i < n; i++) scores[i] = mc_ml_logistic(scores[i]);
        return;
    case MC_POST_PROBIT:
        for (int64_t i = 0; i < n; i++) scores[i] = probit(scores[i]);
    }
}

int64_t mc_ml_largest(const double *scores, int64_t n)
{
    int64_t best = 0;
    for (int64_t i = 1; i < n; i++)
        if (scores[i] > scores[best]) best = i;
    return best;
}

int mc_ml_floats_item(const double *numbers, const struct mc_shape *shape, struct mc_item **item, struct mc_error *err)
{
    struct mc_tensor *tensor;
    const int rc = mc_tensor_create(&tensor, MC_FLOAT, shape, err);
    if (rc < 0) return rc;
    for (int64_t i = 0; i < mc_tensor_count(tensor); i++) ((float *)tensor->data)[i] = (float)numbers[i];
    *item = mc_item_of_tensor(tensor);
    return *item ? MC_OK : mc_error_memory(err);
}
