/* ml_features.c - ai.onnx.ml 1: ArrayFeatureExtractor, Binarizer, FeatureVectorizer, Imputer, Normalizer,
 * OneHotEncoder, Scaler. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "op/ml.h"

/* A tensor of type and shape, given as output 0. */
static int give(struct mc_call *call, enum mc_dtype dtype, const struct mc_shape *shape, struct mc_tensor **tensor,
                struct mc_error *err)
{
    const int rc = mc_tensor_create(tensor, dtype, shape, err);
    if (rc < 0) return rc;
    call->out[0] = mc_item_of_tensor(*tensor);
    return call->out[0] ? MC_OK : mc_error_memory(err);
}

/* Same shape as the input; float32 where the specification says so. */
static int same_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out, bool as_float,
                      struct mc_error *err)
{
    int rc = mc_need_dtype(node, 0, in[0], MC_TYPES_ML, err);
    if (rc == MC_OK) rc = mc_shape_same(node, in, out, err);
    if (as_float) out[0].dtype = MC_FLOAT;
    return rc;
}

/* Entry for feature f of a list that has one for each or one for all. */
static double entry(const float *list, int64_t n, int64_t f)
{
    return (double)list[n == 1 ? 0 : f];
}

static int need_per_feature(const char *name, int64_t n, int64_t n_features, struct mc_error *err)
{
    if (n == 1 || n == n_features) return MC_OK;
    return mc_error_set(err, MC_ERR_INPUT, "attribute '%s': needs 1 or %" PRId64 " numbers, has %" PRId64, name,
                        n_features, n);
}

static int64_t last_extent(const struct mc_tensor *t)
{
    return t->shape.rank > 0 ? t->shape.dim[t->shape.rank - 1] : 1;
}

/* --- Binarizer --- */

static int binarizer_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                           struct mc_error *err)
{
    return same_shape(node, in, out, false, err);
}

static int binarizer_evaluate(struct mc_call *call, struct mc_error *err)
{
    const struct mc_tensor *x = NULL;
    struct mc_tensor *y;
    const double threshold = (double)mc_node_float(call->node, "threshold", 0);
    int rc = mc_take_tensor(call, 0, &x, err);
    if (rc == MC_OK) rc = give(call, x->dtype, &x->shape, &y, err);
    for (int64_t i = 0; rc == MC_OK && i < mc_tensor_count(x); i++)
        mc_tensor_set_f64(y, i, mc_tensor_get_f64(x, i) > threshold);
    return rc;
}

/* --- Scaler --- */

static int scaler_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                        struct mc_error *err)
{
    return same_shape(node, in, out, true, err);
}

static int scaler_evaluate(struct mc_call *call, struct mc_error *err)
{
    const struct mc_tensor *x = NULL;
    struct mc_tensor *y;
    int64_t n_scale, n_offset;
    const float *scale = mc_ml_floats(call->node, "scale", &n_scale);
    const float *offset = mc_ml_floats(call->node, "offset", &n_offset);
    int rc = mc_take_tensor(call, 0, &x, err);
    if (rc == MC_OK) rc = need_per_feature("scale", n_scale, last_extent(x), err);
    if (rc == MC_OK) rc = need_per_feature("offset", n_offset, last_extent(x), err);
    if (rc == MC_OK) rc = give(call, MC_FLOAT, &x->shape, &y, err);
    for (int64_t i = 0; rc == MC_OK && i < mc_tensor_count(x); i++) {
        const int64_t f = i % last_extent(x);
        ((float *)y->data)[i] =
            (float)((mc_tensor_get_f64(x, i) - entry(offset, n_offset, f)) * entry(scale, n_scale, f));
    }
    return rc;
}

/* --- Normalizer --- */

static int normalizer_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                            struct mc_error *err)
{
    if (!mc_node_string_is(node, "norm", "MAX", true) && !mc_node_string_is(node, "norm", "L1", false) &&
        !mc_node_string_is(node, "norm", "L2", false))
        return mc_error_set(err, MC_ERR_INPUT, "attribute 'norm': needs MAX, L1 or L2");
    return same_shape(node, in, out, true, err);
}

static double divisor_of(const struct mc_node *node, const double *x, int64_t n)
{
    const bool l1 = mc_node_string_is(node, "norm", "L1", false), l2 = mc_node_string_is(node, "norm", "L2", false);
    double sum = l1 || l2 ? 0 : -INFINITY;
    for (int64_t i = 0; i < n; i++) {
        if (l1)
            sum += fabs(x[i]);
        else if (l2)
            sum += x[i] * x[i];
        else if (x[i] > sum)
            sum = x[i];
    }
    return l2 ? sqrt(sum) : sum;
}

static int normalizer_evaluate(struct mc_call *call, struct mc_error *err)
{
    struct mc_ml_rows rows;
    struct mc_tensor *y;
    int rc = mc_ml_rows_init(&rows, call, err);
    if (rc == MC_OK) rc = give(call, MC_FLOAT, &rows.own->shape, &y, err);
    for (int64_t i = 0; i < rows.n && rc == MC_OK; i++) {
        const double *x = rows.at + i * rows.n_features, divisor = divisor_of(call->node, x, rows.n_features);
        for (int64_t f = 0; f < rows.n_features; f++)
            ((float *)y->data)[i * rows.n_features + f] = (float)(divisor != 0 ? x[f] / divisor : x[f]);
    }
    mc_ml_rows_finish(&rows);
    return rc;
}

/* --- Imputer --- */

static int imputer_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                         struct mc_error *err)
{
    return same_shape(node, in, out, false, err);
}

/* Floats are replaced by floats; integers by integers. */
static int imputer_evaluate(struct mc_call *call, struct mc_error *err)
{
    const struct mc_tensor *x = NULL;
    struct mc_tensor *y;
    int64_t n_floats, n_ints;
    const float *floats = mc_ml_floats(call->node, "imputed_value_floats", &n_floats);
    const int64_t *ints = mc_node_ints(call->node, "imputed_value_int64s", &n_ints);
    const float old_float = mc_node_float(call->node, "replaced_value_float", 0);
    const int64_t old_int = mc_node_int(call->node, "replaced_value_int64", 0);
    int rc = mc_take_tensor(call, 0, &x, err);
    if (rc < 0) return rc;
    const bool is_float = mc_dtype_is_float(x->dtype);
    const char *name = is_float ? "imputed_value_floats" : "imputed_value_int64s";
    rc = need_per_feature(name, is_float ? n_floats : n_ints, last_extent(x), err);
    if (rc == MC_OK) rc = give(call, x->dtype, &x->shape, &y, err);
    if (rc < 0) return rc;
    memcpy(y->data, x->data, mc_tensor_bytes(x));
    for (int64_t i = 0; i < mc_tensor_count(x); i++) {
        const int64_t f = i % last_extent(x);
        if (is_float) {
            const double v = mc_tensor_get_f64(x, i);
            if (v == (double)old_float || (isnan(old_float) && isnan(v)))
                mc_tensor_set_f64(y, i, entry(floats, n_floats, f));
        } else if (mc_tensor_get_i64(x, i) == old_int) {
            const int64_t value = ints[n_ints == 1 ? 0 : f];
            if (x->dtype == MC_INT64)
                ((int64_t *)y->data)[i] = value;
            else
                ((int32_t *)y->data)[i] = (int32_t)value;
        }
    }
    return MC_OK;
}

/* --- ArrayFeatureExtractor --- */

static int array_feature_extractor_shape(const struct mc_node *node, const struct mc_fact *const *in,
                                         struct mc_fact *out, struct mc_error *err)
{
    int rc = mc_need_dtype(node, 0, in[0], MC_TYPES_ML | MC_TYPE_BIT(MC_STRING), err);
    if (rc == MC_OK) rc = mc_need_rank(node, 0, in[0], 1, MC_MAX_RANK, err);
    if (rc == MC_OK) rc = mc_need_dtype(node, 1, in[1], MC_TYPE_BIT(MC_INT64), err);
    if (rc < 0) return rc;
    out[0] = *in[0];
    out[0].constant = NULL;
    if (out[0].shape.rank == 1) out[0].shape = (struct mc_shape){.rank = 2, .dim = {1, 0}};
    out[0].shape.dim[out[0].shape.rank - 1] = mc_shape_count(&in[1]->shape);
    return MC_OK;
}

static int array_feature_extractor_evaluate(struct mc_call *call, struct mc_error *err)
{
    const struct mc_tensor *x = NULL, *indices = NULL;
    struct mc_tensor *y = NULL, *copy = NULL;
    int rc = mc_take_tensor(call, 0, &x, err);
    if (rc == MC_OK) rc = mc_take_tensor(call, 1, &indices, err);
    if (rc < 0) return rc;
    const struct mc_fact facts[] = {{.dtype = x->dtype, .shape = x->shape},
                                    {.dtype = indices->dtype, .shape = indices->shape}};
    struct mc_fact out;
    rc = array_feature_extractor_shape(call->node, (const struct mc_fact *const[]){&facts[0], &facts[1]}, &out, err);
    if (rc == MC_OK) rc = mc_tensor_create(&y, x->dtype, &out.shape, err);
    if (rc < 0) return rc;
    const int64_t n = mc_tensor_count(indices), extent = last_extent(x), *at = indices->data;
    const size_t size = (size_t)mc_dtype_bits(x->dtype) / 8;
    for (int64_t i = 0; i < mc_tensor_count(y) && rc == MC_OK; i++) {
        const int64_t from = at[i % n];
        if (from < 0 || from >= extent)
            rc =
                mc_error_set(err, MC_ERR_INPUT, "input 1: needs indices below %" PRId64 ", has %" PRId64, extent, from);
        else
            memcpy((char *)y->data + (size_t)i * size, (const char *)x->data + (size_t)(i / n * extent + from) * size,
                   size);
    }
    if (rc == MC_OK && x->dtype == MC_STRING) { /* with bytes of its own */
        rc = mc_tensor_clone(&copy, y, err);
        mc_tensor_destroy(y);
        y = copy;
    }
    if (rc == MC_OK) {
        call->out[0] = mc_item_of_tensor(y);
        return call->out[0] ? MC_OK : mc_error_memory(err);
    }
    mc_tensor_destroy(y);
    return rc;
}

/* --- FeatureVectorizer --- */

static int feature_vectorizer_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                                    struct mc_error *err)
{
    int64_t n_samples = -1, sum = 0, n_dimensions;
    const int64_t *dimensions = mc_node_ints(node, "inputdimensions", &n_dimensions);
    for (int i = 0; i < node->n_inputs; i++) {
        int rc = mc_need_dtype(node, i, in[i], MC_TYPES_ML, err);
        if (rc == MC_OK) rc = mc_need_rank(node, i, in[i], 1, 2, err);
        if (rc < 0) return rc;
        const struct mc_shape *s = &in[i]->shape;
        const int64_t n = s->rank == 2 ? s->dim[0] : 1;
        if (n_samples >= 0 && n != n_samples)
            return mc_error_set(err, MC_ERR_INPUT, "input %d: needs %" PRId64 " samples, has %" PRId64, i, n_samples,
                                n);
        n_samples = n;
        sum += i < n_dimensions ? dimensions[i] : s->dim[s->rank - 1];
        if (i < n_dimensions && dimensions[i] < 0)
            return mc_error_set(err, MC_ERR_INPUT, "attribute 'inputdimensions': has %" PRId64, dimensions[i]);
    }
    out[0] = (struct mc_fact){.dtype = MC_FLOAT, .shape = {.rank = 2, .dim = {n_samples, sum}}};
    return MC_OK;
}

/* An input with fewer features than its dimension is filled up with zeros, one with more is cut. */
static int feature_vectorizer_evaluate(struct mc_call *call, struct mc_error *err)
{
    int64_t n_dimensions, n_samples = 0, width = 0, at = 0;
    const int64_t *dimensions = mc_node_ints(call->node, "inputdimensions", &n_dimensions);
    const struct mc_tensor *x = NULL;
    struct mc_tensor *y;
    int rc = MC_OK;
    for (int i = 0; i < call->n_in && rc == MC_OK; i++) {
        rc = mc_take_tensor(call, i, &x, err);
        if (rc == MC_OK) width += i < n_dimensions ? dimensions[i] : last_extent(x);
        if (rc == MC_OK) n_samples = x->shape.rank == 2 ? x->shape.dim[0] : 1;
    }
    if (rc == MC_OK) rc = give(call, MC_FLOAT, &(struct mc_shape){.rank = 2, .dim = {n_samples, width}}, &y, err);
    for (int i = 0; i < call->n_in && rc == MC_OK; i++) {
        rc = mc_take_tensor(call, i, &x, err);
        const int64_t have = last_extent(x), part = i < n_dimensions ? dimensions[i] : have;
        for (int64_t s = 0; s < n_samples; s++)
            for (int64_t f = 0; f < part && f < have; f++)
                ((float *)y->data)[s * width + at + f] = (float)mc_tensor_get_f64(x, s * have + f);
        at += part;
    }
    return rc;
}

/* --- OneHotEncoder --- */

static int one_hot_encoder_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                                 struct mc_error *err)
{
    struct mc_ml_labels cats;
    int rc = mc_ml_labels_init(&cats, node, "cats_int64s", "cats_strings", err);
    const uint64_t types = rc == MC_OK && cats.texts ? MC_TYPE_BIT(MC_STRING) : MC_TYPES_ML;
    if (rc == MC_OK) rc = mc_need_dtype(node, 0, in[0], types, err);
    if (rc == MC_OK) rc = mc_need_rank(node, 0, in[0], 0, MC_MAX_RANK - 1, err);
    if (rc < 0) return rc;
    out[0] = (struct mc_fact){.dtype = MC_FLOAT, .shape = in[0]->shape};
    out[0].shape.dim[out[0].shape.rank++] = cats.n;
    return MC_OK;
}

static bool is_category(const struct mc_ml_labels *cats, int64_t k, const struct mc_tensor *x, int64_t i)
{
    if (!cats->texts) return cats->ints[k] == mc_tensor_get_i64(x, i);
    const struct mc_text *t = (const struct mc_text *)x->data + i;
    return t->length == cats->texts[k].length && memcmp(t->bytes, cats->texts[k].bytes, t->length) == 0;
}

static int one_hot_encoder_evaluate(struct mc_call *call, struct mc_error *err)
{
    const struct mc_tensor *x = NULL;
    struct mc_tensor *y;
    struct mc_ml_labels cats;
    const bool zeros = mc_node_int(call->node, "zeros", 1) != 0;
    int rc = mc_take_tensor(call, 0, &x, err);
    if (rc == MC_OK) rc = mc_ml_labels_init(&cats, call->node, "cats_int64s", "cats_strings", err);
    if (rc < 0) return rc;
    struct mc_shape shape = x->shape;
    shape.dim[shape.rank++] = cats.n;
    rc = give(call, MC_FLOAT, &shape, &y, err);
    for (int64_t i = 0; rc == MC_OK && i < mc_tensor_count(x); i++) {
        int64_t k = 0;
        while (k < cats.n && !is_category(&cats, k, x, i)) k++;
        if (k < cats.n)
            ((float *)y->data)[i * cats.n + k] = 1;
        else if (!zeros)
            rc = mc_error_set(err, MC_ERR_INPUT, "input 0: element %" PRId64 " is none of the categories", i);
    }
    return rc;
}

MC_ML_OP(array_feature_extractor, "ArrayFeatureExtractor", 1, 2, 2, 1)
MC_ML_OP(binarizer, "Binarizer", 1, 1, 1, 1)
MC_ML_OP(feature_vectorizer, "FeatureVectorizer", 1, 1, -1, 1)
MC_ML_OP(imputer, "Imputer", 1, 1, 1, 1)
MC_ML_OP(normalizer, "Normalizer", 1, 1, 1, 1)
MC_ML_OP(one_hot_encoder, "OneHotEncoder", 1, 1, 1, 1)
MC_ML_OP(scaler, "Scaler", 1, 1, 1, 1)
