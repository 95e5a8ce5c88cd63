/* tf_idf.c - TfIdfVectorizer (ONNX opset 9): how often each n-gram of a pool is found in rows of integers or texts.
 *
 * Items of an n-gram stand `distance` apart, for every distance up to max_skip_count + 1; single ones are counted once.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "op/ops.h"

enum mode { TF, IDF, TFIDF };

/* An n-gram of the pool, or one that is looked for; items lie in one piece. */
struct gram {
    int64_t n, column;
    float weight;
    const int64_t *numbers; /* or */
    const struct mc_text *texts;
};

struct pool {
    int64_t n_grams, shortest, longest, skips;
    enum mode mode;
    struct gram *grams; /* sorted */
};

static int compare_texts(const struct mc_text *a, const struct mc_text *b)
{
    const size_t n = a->length < b->length ? a->length : b->length;
    const int order = n ? memcmp(a->bytes, b->bytes, n) : 0;
    return order ? order : (a->length > b->length) - (a->length < b->length);
}

static int compare(const void *p, const void *q)
{
    const struct gram *a = p, *b = q;
    int order = (a->n > b->n) - (a->n < b->n);
    for (int64_t i = 0; i < a->n && order == 0; i++)
        order = a->numbers ? (a->numbers[i] > b->numbers[i]) - (a->numbers[i] < b->numbers[i])
                           : compare_texts(&a->texts[i], &b->texts[i]);
    return order;
}

/* --- attributes --- */

struct attributes {
    enum mode mode;
    const int64_t *columns, *starts, *numbers;
    int64_t n_columns, n_starts, n_pool, width;
    const struct mc_text *texts;
    const float *weights;
};

static int check_starts(const struct attributes *a, struct mc_error *err)
{
    int64_t grams = 0;
    for (int64_t k = 0; k < a->n_starts; k++) {
        const int64_t end = k + 1 < a->n_starts ? a->starts[k + 1] : a->n_pool, n = end - a->starts[k];
        if (a->starts[k] < 0 || end > a->n_pool || n < 0 || n % (k + 1))
            return mc_error_set(err, MC_ERR_INPUT,
                                "attribute 'ngram_counts': does not divide a pool of %" PRId64 " items", a->n_pool);
        grams += n / (k + 1);
    }
    if (grams == a->n_columns) return MC_OK;
    return mc_error_set(err, MC_ERR_INPUT, "attribute 'ngram_indexes': needs %" PRId64 " columns, has %" PRId64, grams,
                        a->n_columns);
}

static int read_attributes(const struct mc_node *node, struct attributes *a, struct mc_error *err)
{
    static const char *const modes[] = {"TF", "IDF", "TFIDF"};
    const struct mc_attr *texts = mc_node_attr(node, "pool_strings"), *weights = mc_node_attr(node, "weights");
    *a = (struct attributes){0};
    const int mode = mc_node_choice(node, "mode", modes, 3, -1);
    if (mode < 0) return mc_error_set(err, MC_ERR_INPUT, "attribute 'mode': needs TF, IDF or TFIDF");
    a->mode = (enum mode)mode;
    a->columns = mc_node_ints(node, "ngram_indexes", &a->n_columns);
    a->starts = mc_node_ints(node, "ngram_counts", &a->n_starts);
    a->numbers = mc_node_ints(node, "pool_int64s", &a->n_pool);
    if (texts && texts->type == MC_ATTR_STRINGS) {
        a->texts = texts->strings;
        a->n_pool = texts->n;
        a->numbers = NULL;
    }
    for (int64_t i = 0; i < a->n_columns; i++) {
        if (a->columns[i] < 0 || a->columns[i] > INT32_MAX - 1)
            return mc_error_set(err, MC_ERR_INPUT, "attribute 'ngram_indexes': %" PRId64, a->columns[i]);
        if (a->width <= a->columns[i]) a->width = a->columns[i] + 1;
    }
    if (weights && weights->type == MC_ATTR_FLOATS) {
        a->weights = weights->floats;
        if (weights->n != a->n_columns)
            return mc_error_set(err, MC_ERR_INPUT, "attribute 'weights': needs %" PRId64 " numbers, has %" PRId64,
                                a->n_columns, weights->n);
    }
    return check_starts(a, err);
}

static int tf_idf_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                        struct mc_error *err)
{
    struct attributes a;
    int rc = read_attributes(node, &a, err);
    const uint64_t integers = MC_TYPE_BIT(MC_INT32) | MC_TYPE_BIT(MC_INT64);
    if (rc == MC_OK) rc = mc_need_dtype(node, 0, in[0], a.texts ? MC_TYPE_BIT(MC_STRING) : integers, err);
    if (rc == MC_OK) rc = mc_need_rank(node, 0, in[0], 1, 2, err);
    if (rc < 0) return rc;
    out[0] = (struct mc_fact){.dtype = MC_FLOAT, .shape = in[0]->shape};
    out[0].shape.dim[out[0].shape.rank - 1] = a.width;
    return MC_OK;
}

/* --- the pool --- */

static void tf_idf_release(struct mc_step *step)
{
    struct pool *pool = step->state;
    if (pool) mc_free(pool->grams);
    mc_free(pool);
    step->state = NULL;
}

static int tf_idf_prepare(struct mc_step *step, struct mc_error *err)
{
    struct attributes a;
    struct pool *pool = MC_NEW(struct pool);
    step->state = pool;
    if (!pool) return mc_error_memory(err);
    const int rc = read_attributes(step->node, &a, err);
    if (rc < 0) return rc;
    pool->grams = MC_NEW_ARRAY(struct gram, a.n_columns + 1);
    if (!pool->grams) return mc_error_memory(err);
    const int64_t longest = mc_node_int(step->node, "max_gram_length", 1);
    pool->shortest = mc_node_int(step->node, "min_gram_length", 1);
    pool->longest = longest < a.n_starts ? longest : a.n_starts;
    pool->mode = a.mode;
    pool->skips = mc_node_int(step->node, "max_skip_count", 0);
    for (int64_t k = 0; k < a.n_starts; k++) {
        const int64_t end = k + 1 < a.n_starts ? a.starts[k + 1] : a.n_pool;
        for (int64_t at = a.starts[k]; at < end; at += k + 1, pool->n_grams++)
            pool->grams[pool->n_grams] =
                (struct gram){.n = k + 1,
                              .column = a.columns[pool->n_grams],
                              .weight = a.weights && a.mode != TF ? a.weights[pool->n_grams] : 1,
                              .numbers = a.numbers ? a.numbers + at : NULL,
                              .texts = a.texts ? a.texts + at : NULL};
    }
    qsort(pool->grams, (size_t)pool->n_grams, sizeof *pool->grams, compare);
    step->workspace_bytes = (size_t)(pool->longest > 0 ? pool->longest : 1) * sizeof(struct mc_text);
    return MC_OK;
}

/* --- counting --- */

/* Copy the n items from `from` on, `distance` apart. */
static void gather(const struct mc_tensor *x, int64_t from, int64_t distance, int64_t n, void *room, struct gram *gram)
{
    *gram = (struct gram){.n = n};
    for (int64_t i = 0; i < n; i++) {
        if (x->dtype == MC_STRING)
            ((struct mc_text *)room)[i] = ((const struct mc_text *)x->data)[from + i * distance];
        else
            ((int64_t *)room)[i] = mc_tensor_get_i64(x, from + i * distance);
    }
    if (x->dtype == MC_STRING)
        gram->texts = room;
    else
        gram->numbers = room;
}

static void count_row(const struct mc_step *step, int64_t from, int64_t length, float *y)
{
    const struct pool *pool = step->state;
    for (int64_t distance = 1; distance - 1 <= pool->skips && distance <= (length > 1 ? length : 1); distance++)
        for (int64_t n = pool->shortest > 1 ? pool->shortest : 1; n <= pool->longest; n++) {
            if (n == 1 && distance > 1) continue;
            if (n > 1 && (n - 1) > (length - 1) / distance) break;
            for (int64_t at = 0; at + (n - 1) * distance < length; at++) {
                struct gram gram;
                gather(step->in[0], from + at, distance, n, step->workspace, &gram);
                const struct gram *found =
                    bsearch(&gram, pool->grams, (size_t)pool->n_grams, sizeof *pool->grams, compare);
                if (found) y[found->column] = found->weight + (pool->mode == IDF ? 0 : y[found->column]);
            }
        }
}

static int tf_idf_forward(struct mc_step *step, struct mc_error *err)
{
    const struct mc_shape *x = &step->in[0]->shape;
    const int64_t length = x->dim[x->rank - 1], rows = x->rank == 2 ? x->dim[0] : 1;
    struct attributes a;
    float *y = step->out[0]->data;
    const int rc = read_attributes(step->node, &a, err);
    if (rc < 0) return rc;
    for (int64_t i = 0; i < rows * a.width; i++) y[i] = 0;
    for (int64_t row = 0; row < rows; row++) count_row(step, row * length, length, y + row * a.width);
    return MC_OK;
}

const struct mc_op mc_op_tf_idf_9 = {
    .domain = "",
    .type = "TfIdfVectorizer",
    .since = 9,
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .shape = tf_idf_shape,
    .prepare = tf_idf_prepare,
    .release = tf_idf_release,
    .forward = tf_idf_forward,
    .backward = NULL,
    .no_backward = "counts have no derivative",
    .coupling = mc_coupling_freeze_all,
    .cost = mc_cost_free,
};
