/* ml_maps.c - ai.onnx.ml: LabelEncoder (1, 2, 4), CategoryMapper, CastMap, DictVectorizer, ZipMap (1). */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "op/ml.h"

/* --- lists of one type, whatever attribute they stand in --- */

struct list {
    enum mc_dtype dtype; /* MC_UNDEFINED: there is none */
    int64_t n;
    const void *at; /* float, int64, struct mc_text, or as the tensor has it */
};

/* "keys" or "values": one of prefix_floats, prefix_int64s, prefix_strings, prefix_tensor. */
static struct list list_of(const struct mc_node *node, const char *prefix)
{
    static const struct {
        const char *suffix;
        enum mc_attr_type type;
        enum mc_dtype dtype;
    } kinds[] = {{"floats", MC_ATTR_FLOATS, MC_FLOAT},
                 {"int64s", MC_ATTR_INTS, MC_INT64},
                 {"strings", MC_ATTR_STRINGS, MC_STRING},
                 {"tensor", MC_ATTR_TENSOR, MC_UNDEFINED}};
    char name[32];
    for (size_t i = 0; i < MC_COUNT(kinds); i++) {
        snprintf(name, sizeof name, "%s_%s", prefix, kinds[i].suffix);
        const struct mc_attr *attr = mc_node_attr(node, name);
        if (!attr || attr->type != kinds[i].type) continue;
        if (attr->type == MC_ATTR_TENSOR) return (struct list){attr->t->dtype, mc_tensor_count(attr->t), attr->t->data};
        if (attr->n > 0) return (struct list){kinds[i].dtype, attr->n, attr->floats};
    }
    return (struct list){0};
}

/* Order of two elements; all NaNs are one. */
static int compare(enum mc_dtype dtype, const void *a, const void *b)
{
    if (dtype == MC_STRING) {
        const struct mc_text *x = a, *y = b;
        const size_t n = x->length < y->length ? x->length : y->length;
        const int order = n ? memcmp(x->bytes, y->bytes, n) : 0;
        return order ? order : (x->length > y->length) - (x->length < y->length);
    }
    const struct mc_tensor x = {.dtype = dtype, .data = (void *)(uintptr_t)a},
                           y = {.dtype = dtype, .data = (void *)(uintptr_t)b};
    if (mc_dtype_is_float(dtype)) {
        const double u = mc_tensor_get_f64(&x, 0), v = mc_tensor_get_f64(&y, 0);
        if (isnan(u) || isnan(v)) return isnan(u) - isnan(v);
        return (u > v) - (u < v);
    }
    const int64_t u = mc_tensor_get_i64(&x, 0), v = mc_tensor_get_i64(&y, 0);
    return (u > v) - (u < v);
}

static size_t size_of(enum mc_dtype dtype)
{
    return dtype == MC_STRING ? sizeof(struct mc_text) : (size_t)mc_dtype_bits(dtype) / 8;
}

static const void *element(enum mc_dtype dtype, const void *list, int64_t i)
{
    return (const char *)list + (size_t)i * size_of(dtype);
}

/* --- mapping by sorted keys --- */

struct entry {
    enum mc_dtype dtype;
    const void *key;
    int64_t index;
};

/* By key, of equal ones the last first: it takes precedence. */
static int by_key(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    const int order = compare(x->dtype, x->key, y->key);
    return order ? order : (x->index < y->index) - (x->index > y->index);
}

static int64_t find(const struct entry *entries, int64_t n, enum mc_dtype dtype, const void *key)
{
    int64_t low = 0, high = n;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (compare(dtype, entries[middle].key, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < n && compare(dtype, entries[low].key, key) == 0 ? entries[low].index : -1;
}

static struct entry *sort_keys(const struct list *keys)
{
    struct entry *entries = MC_NEW_ARRAY(struct entry, keys->n + 1);
    for (int64_t i = 0; entries && i < keys->n; i++)
        entries[i] = (struct entry){keys->dtype, element(keys->dtype, keys->at, i), i};
    if (entries) qsort(entries, (size_t)keys->n, sizeof *entries, by_key);
    return entries;
}

/* Elements of `list`, or `missing`, by their numbers; texts are copied. */
static int give_mapped(struct mc_call *call, const struct mc_shape *shape, const struct list *values,
                       const void *missing, const int64_t *of, struct mc_error *err)
{
    const int64_t n = mc_shape_count(shape);
    const size_t size = size_of(values->dtype);
    char *elements = mc_alloc((size_t)n + 1, size);
    struct mc_tensor *y = NULL;
    if (!elements) return mc_error_memory(err);
    for (int64_t i = 0; i < n; i++)
        memcpy(elements + (size_t)i * size, of[i] < 0 ? missing : element(values->dtype, values->at, of[i]), size);
    int rc;
    if (values->dtype == MC_STRING) {
        rc = mc_tensor_create_texts(&y, shape, (const struct mc_text *)(const void *)elements, err);
    } else {
        rc = mc_tensor_create(&y, values->dtype, shape, err);
        if (rc == MC_OK) memcpy(y->data, elements, (size_t)n * size);
    }
    mc_free(elements);
    if (rc < 0) return rc;
    call->out[0] = mc_item_of_tensor(y);
    return call->out[0] ? MC_OK : mc_error_memory(err);
}

static int map_elements(struct mc_call *call, const struct list *keys, const struct list *values, const void *missing,
                        struct mc_error *err)
{
    const struct mc_tensor *x = NULL;
    int rc = mc_take_tensor(call, 0, &x, err);
    if (rc < 0) return rc;
    const int64_t n = mc_tensor_count(x);
    struct entry *entries = sort_keys(keys);
    int64_t *of = MC_NEW_ARRAY(int64_t, n + 1);
    rc = entries && of ? MC_OK : mc_error_memory(err);
    for (int64_t i = 0; i < n && rc == MC_OK; i++)
        of[i] = find(entries, keys->n, keys->dtype, element(x->dtype, x->data, i));
    if (rc == MC_OK) rc = give_mapped(call, &x->shape, values, missing, of, err);
    mc_free(of);
    mc_free(entries);
    return rc;
}

/* What a key without a value becomes. */
union missing {
    float f;
    int64_t i;
    struct mc_text text;
};

static struct mc_text text_attr(const struct mc_node *node, const char *name, const char *otherwise)
{
    const struct mc_attr *attr = mc_node_attr(node, name);
    return attr && attr->type == MC_ATTR_STRING ? attr->s
                                                : (struct mc_text){.bytes = otherwise, .length = strlen(otherwise)};
}

static int mapped_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                        enum mc_dtype from, enum mc_dtype to, struct mc_error *err)
{
    const int rc = mc_need_dtype(node, 0, in[0], MC_TYPE_BIT(from), err);
    if (rc == MC_OK) out[0] = (struct mc_fact){.dtype = to, .shape = in[0]->shape};
    return rc;
}

/* --- LabelEncoder 2 and 4 --- */

#define MAPPED                                                                                                         \
    (MC_TYPE_BIT(MC_STRING) | MC_TYPE_BIT(MC_INT64) | MC_TYPE_BIT(MC_FLOAT) | MC_TYPE_BIT(MC_INT32) |                  \
     MC_TYPE_BIT(MC_INT16) | MC_TYPE_BIT(MC_DOUBLE))

static int encoder_lists(const struct mc_node *node, struct list *keys, struct list *values, struct mc_error *err)
{
    *keys = list_of(node, "keys");
    *values = list_of(node, "values");
    if (!keys->dtype || !values->dtype || keys->n != values->n)
        return mc_error_set(err, MC_ERR_INPUT, "needs as many keys as values, has %" PRId64 " and %" PRId64, keys->n,
                            values->n);
    if (!(MAPPED & MC_TYPE_BIT(keys->dtype)) || !(MAPPED & MC_TYPE_BIT(values->dtype)))
        return mc_error_set(err, MC_ERR_UNSUPPORTED, "maps %s to %s", mc_dtype_name(keys->dtype),
                            mc_dtype_name(values->dtype));
    return MC_OK;
}

static int label_encoder_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                               struct mc_error *err)
{
    struct list keys, values;
    const int rc = encoder_lists(node, &keys, &values, err);
    return rc < 0 ? rc : mapped_shape(node, in, out, keys.dtype, values.dtype, err);
}

static int label_encoder_evaluate(struct mc_call *call, struct mc_error *err)
{
    struct list keys, values;
    union {
        union missing m;
        char bytes[16];
    } missing = {.bytes = {0}};
    const struct mc_attr *tensor = mc_node_attr(call->node, "default_tensor");
    int rc = encoder_lists(call->node, &keys, &values, err);
    if (rc < 0) return rc;
    if (tensor && tensor->type == MC_ATTR_TENSOR) {
        if (tensor->t->dtype != values.dtype || mc_tensor_count(tensor->t) < 1)
            return mc_error_set(err, MC_ERR_INPUT, "attribute 'default_tensor': needs one %s",
                                mc_dtype_name(values.dtype));
        return map_elements(call, &keys, &values, tensor->t->data, err);
    }
    struct mc_tensor number = {.dtype = values.dtype, .data = missing.bytes};
    if (values.dtype == MC_STRING)
        missing.m.text = text_attr(call->node, "default_string", "_Unused");
    else if (mc_dtype_is_float(values.dtype))
        mc_tensor_set_f64(&number, 0, (double)mc_node_float(call->node, "default_float", -0.0f));
    else if (values.dtype == MC_INT64)
        missing.m.i = mc_node_int(call->node, "default_int64", -1);
    else
        mc_tensor_set_f64(&number, 0, (double)mc_node_int(call->node, "default_int64", -1));
    return map_elements(call, &keys, &values, missing.bytes, err);
}

/* --- LabelEncoder 1: the place in a list of texts, and back --- */

static int label_encoder_1_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                                 struct mc_error *err)
{
    const int rc = mc_need_dtype(node, 0, in[0], MC_TYPE_BIT(MC_STRING) | MC_TYPE_BIT(MC_INT64), err);
    return rc < 0 ? rc
                  : mapped_shape(node, in, out, in[0]->dtype, in[0]->dtype == MC_STRING ? MC_INT64 : MC_STRING, err);
}

static int map_either_way(struct mc_call *call, const struct list *texts, const struct list *ints, struct mc_error *err)
{
    union missing missing;
    const struct mc_tensor *x = NULL;
    const int rc = mc_take_tensor(call, 0, &x, err);
    if (rc < 0) return rc;
    if (x->dtype == MC_STRING) {
        missing.i = mc_node_int(call->node, "default_int64", -1);
        return map_elements(call, texts, ints, &missing.i, err);
    }
    missing.text = text_attr(call->node, "default_string", "_Unused");
    return map_elements(call, ints, texts, &missing.text, err);
}

static int label_encoder_1_evaluate(struct mc_call *call, struct mc_error *err)
{
    struct list texts = {.dtype = MC_STRING}, ints = {.dtype = MC_INT64};
    texts.at = mc_ml_texts(call->node, "classes_strings", &texts.n);
    int64_t *numbers = MC_NEW_ARRAY(int64_t, texts.n + 1);
    if (!numbers) return mc_error_memory(err);
    for (int64_t i = 0; i < texts.n; i++) numbers[i] = i;
    ints.at = numbers;
    ints.n = texts.n;
    const int rc = map_either_way(call, &texts, &ints, err);
    mc_free(numbers);
    return rc;
}

/* --- CategoryMapper --- */

static int category_mapper_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                                 struct mc_error *err)
{
    int64_t n_ints, n_texts;
    mc_node_ints(node, "cats_int64s", &n_ints);
    mc_ml_texts(node, "cats_strings", &n_texts);
    if (n_ints != n_texts)
        return mc_error_set(err, MC_ERR_INPUT, "needs as many integers as texts, has %" PRId64 " and %" PRId64, n_ints,
                            n_texts);
    return label_encoder_1_shape(node, in, out, err);
}

static int category_mapper_evaluate(struct mc_call *call, struct mc_error *err)
{
    struct list texts = {.dtype = MC_STRING}, ints = {.dtype = MC_INT64};
    texts.at = mc_ml_texts(call->node, "cats_strings", &texts.n);
    ints.at = mc_node_ints(call->node, "cats_int64s", &ints.n);
    return map_either_way(call, &texts, &ints, err);
}

/* --- maps --- */

static int need_map(const struct mc_call *call, const struct mc_item **map, struct mc_error *err)
{
    *map = call->in[0];
    if (*map && (*map)->kind == MC_ITEM_MAP) return MC_OK;
    return mc_error_set(err, MC_ERR_INPUT, "input 0: needs a map");
}

static int open_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                      struct mc_error *err)
{
    return mc_error_set(err, MC_ERR_OPEN, "maps are only known once it runs");
}

#define dict_vectorizer_shape open_shape
#define cast_map_shape open_shape

static int dict_vectorizer_evaluate(struct mc_call *call, struct mc_error *err)
{
    const struct mc_item *map = NULL;
    struct list words = {.dtype = MC_STRING};
    int64_t n_ints;
    const int64_t *ints = mc_node_ints(call->node, "int64_vocabulary", &n_ints);
    words.at = mc_ml_texts(call->node, "string_vocabulary", &words.n);
    if (n_ints) words = (struct list){MC_INT64, n_ints, ints};
    int rc = need_map(call, &map, err);
    if (rc < 0) return rc;
    if (map->keys->dtype != words.dtype)
        return mc_error_set(err, MC_ERR_INPUT, "input 0: needs keys of %s, has %s", mc_dtype_name(words.dtype),
                            mc_dtype_name(map->keys->dtype));
    const struct list keys = {map->keys->dtype, mc_tensor_count(map->keys), map->keys->data};
    const struct list values = {map->tensor->dtype, mc_tensor_count(map->tensor), map->tensor->data};
    struct entry *entries = sort_keys(&keys);
    int64_t *of = MC_NEW_ARRAY(int64_t, words.n + 1);
    rc = entries && of ? MC_OK : mc_error_memory(err);
    for (int64_t i = 0; i < words.n && rc == MC_OK; i++)
        of[i] = find(entries, keys.n, keys.dtype, element(words.dtype, words.at, i));
    static const struct mc_text nothing = {"", 0};
    static const char zeros[16] = {0};
    const struct mc_shape shape = {.rank = 2, .dim = {1, words.n}};
    if (rc == MC_OK)
        rc = give_mapped(call, &shape, &values, values.dtype == MC_STRING ? (const void *)&nothing : zeros, of, err);
    mc_free(of);
    mc_free(entries);
    return rc;
}

/* Values in the order of their keys: close together, or each at the place that its key says. */
static int cast_map_places(const struct mc_call *call, const struct mc_item *map, int64_t **of, int64_t *n,
                           struct mc_error *err)
{
    const bool sparse = mc_node_string_is(call->node, "map_form", "SPARSE", false);
    const struct list keys = {MC_INT64, mc_tensor_count(map->keys), map->keys->data};
    *n = sparse ? mc_node_int(call->node, "max_map", 1) : keys.n;
    if (*n < 0 || *n > INT32_MAX) return mc_error_set(err, MC_ERR_INPUT, "attribute 'max_map': has %" PRId64, *n);
    struct entry *entries = sort_keys(&keys);
    *of = MC_NEW_ARRAY(int64_t, *n + 1);
    int rc = entries && *of ? MC_OK : mc_error_memory(err);
    for (int64_t i = 0; i < *n && rc == MC_OK; i++) (*of)[i] = sparse ? -1 : entries[i].index;
    for (int64_t i = 0; i < keys.n && sparse && rc == MC_OK; i++) {
        const int64_t key = ((const int64_t *)keys.at)[i];
        if (key < 0 || key >= *n)
            rc = mc_error_set(err, MC_ERR_INPUT, "input 0: needs keys below %" PRId64 ", has %" PRId64, *n, key);
        else
            (*of)[key] = i;
    }
    mc_free(entries);
    return rc;
}

/* One value of a map as another type, into list element `to`. Texts made of numbers live in `digits`. */
static int cast_value(const struct mc_tensor *from, int64_t i, enum mc_dtype to, void *value, char digits[32],
                      struct mc_error *err)
{
    if (from->dtype == MC_STRING) {
        const struct mc_text *text = (const struct mc_text *)from->data + i;
        if (to == MC_STRING) {
            *(struct mc_text *)value = *text;
            return MC_OK;
        }
        char copy[64], *end;
        if (text->length == 0 || text->length >= sizeof copy)
            return mc_error_set(err, MC_ERR_INPUT, "input 0: a text is no number");
        memcpy(copy, text->bytes, text->length);
        copy[text->length] = '\0';
        const double number = strtod(copy, &end);
        if (*end) return mc_error_set(err, MC_ERR_INPUT, "input 0: '%s' is no number", copy);
        if (to == MC_FLOAT)
            *(float *)value = (float)number;
        else
            *(int64_t *)value = number > -9.2e18 && number < 9.2e18 ? (int64_t)number : 0;
        return MC_OK;
    }
    if (to == MC_STRING) {
        const int length = snprintf(digits, 32, "%g", mc_tensor_get_f64(from, i));
        *(struct mc_text *)value = (struct mc_text){digits, (size_t)length};
    } else if (to == MC_FLOAT) {
        *(float *)value = (float)mc_tensor_get_f64(from, i);
    } else {
        *(int64_t *)value = mc_tensor_get_i64(from, i);
    }
    return MC_OK;
}

static int cast_map_evaluate(struct mc_call *call, struct mc_error *err)
{
    const struct mc_item *map = NULL;
    const enum mc_dtype to = mc_node_string_is(call->node, "cast_to", "TO_STRING", false)  ? MC_STRING
                             : mc_node_string_is(call->node, "cast_to", "TO_INT64", false) ? MC_INT64
                                                                                           : MC_FLOAT;
    int64_t *of = NULL, n = 0;
    int rc = need_map(call, &map, err);
    if (rc == MC_OK && map->keys->dtype != MC_INT64) rc = mc_error_set(err, MC_ERR_INPUT, "input 0: needs int64 keys");
    if (rc == MC_OK) rc = cast_map_places(call, map, &of, &n, err);
    const int64_t count = rc == MC_OK ? mc_tensor_count(map->tensor) : 0;
    char *values = mc_alloc((size_t)count + 1, size_of(to)), (*digits)[32] = mc_alloc((size_t)count + 1, 32);
    if (rc == MC_OK && !(values && digits)) rc = mc_error_memory(err);
    for (int64_t i = 0; i < count && rc == MC_OK; i++)
        rc = cast_value(map->tensor, i, to, values + (size_t)i * size_of(to), digits[i], err);
    static const struct mc_text nothing = {"", 0};
    static const char zeros[16] = {0};
    const struct list list = {to, count, values};
    const struct mc_shape shape = {.rank = 2, .dim = {1, n}};
    if (rc == MC_OK) rc = give_mapped(call, &shape, &list, to == MC_STRING ? (const void *)&nothing : zeros, of, err);
    mc_free(digits);
    mc_free(values);
    mc_free(of);
    return rc;
}

/* --- ZipMap: a sequence of maps --- */

static int zip_map_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                         struct mc_error *err)
{
    struct mc_ml_labels labels;
    int rc = mc_need_dtype(node, 0, in[0], MC_TYPE_BIT(MC_FLOAT), err);
    if (rc == MC_OK) rc = mc_need_rank(node, 0, in[0], 1, 2, err);
    if (rc == MC_OK) rc = mc_ml_labels_init(&labels, node, "classlabels_int64s", "classlabels_strings", err);
    if (rc < 0) return rc;
    const int64_t columns = in[0]->shape.dim[in[0]->shape.rank - 1];
    if (columns != labels.n)
        return mc_error_set(err, MC_ERR_INPUT, "input 0: needs %" PRId64 " columns, has %" PRId64, labels.n, columns);
    return open_shape(node, in, out, err);
}

static int zip_row(const struct mc_ml_labels *labels, const struct mc_tensor *x, int64_t row, struct mc_item **map,
                   struct mc_error *err)
{
    const struct mc_shape shape = {.rank = 1, .dim = {labels->n}};
    struct mc_tensor *keys = NULL, *values = NULL;
    int rc = mc_tensor_create(&values, MC_FLOAT, &shape, err);
    if (rc == MC_OK)
        rc = labels->texts ? mc_tensor_create_texts(&keys, &shape, labels->texts, err)
                           : mc_tensor_create(&keys, MC_INT64, &shape, err);
    if (rc < 0) {
        mc_tensor_destroy(values);
        return rc;
    }
    if (labels->ints) memcpy(keys->data, labels->ints, (size_t)labels->n * sizeof *labels->ints);
    memcpy(values->data, (const float *)x->data + row * labels->n, (size_t)labels->n * sizeof(float));
    *map = mc_item_of_map(keys, values);
    return *map ? MC_OK : mc_error_memory(err);
}

static int zip_map_evaluate(struct mc_call *call, struct mc_error *err)
{
    const struct mc_tensor *x = NULL;
    struct mc_ml_labels labels;
    int rc = mc_take_tensor(call, 0, &x, err);
    if (rc < 0) return rc;
    const struct mc_fact fact = {.dtype = x->dtype, .shape = x->shape};
    struct mc_fact out;
    rc = zip_map_shape(call->node, (const struct mc_fact *const[]){&fact}, &out, err);
    if (rc != MC_ERR_OPEN) return rc;
    rc = mc_ml_labels_init(&labels, call->node, "classlabels_int64s", "classlabels_strings", err);
    const int64_t n = x->shape.rank == 2 ? x->shape.dim[0] : 1;
    struct mc_item **maps = MC_NEW_ARRAY(struct mc_item *, n + 1);
    if (rc == MC_OK && !maps) rc = mc_error_memory(err);
    int64_t made = 0;
    while (rc == MC_OK && made < n) {
        rc = zip_row(&labels, x, made, &maps[made], err);
        if (rc == MC_OK) made++;
    }
    if (rc == MC_OK) {
        call->out[0] = mc_item_of_elements(n, maps);
        if (!call->out[0]) rc = mc_error_memory(err);
    } else {
        while (made-- > 0) mc_item_release(maps[made]);
    }
    mc_free(maps);
    return rc;
}

MC_ML_OP(cast_map, "CastMap", 1, 1, 1, 1)
MC_ML_OP(category_mapper, "CategoryMapper", 1, 1, 1, 1)
MC_ML_OP(dict_vectorizer, "DictVectorizer", 1, 1, 1, 1)
MC_ML_OP(label_encoder_1, "LabelEncoder", 1, 1, 1, 1)
MC_ML_OP(label_encoder, "LabelEncoder", 2, 1, 1, 1)
MC_ML_OP(zip_map, "ZipMap", 1, 1, 1, 1)
