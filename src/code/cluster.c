/* cluster.c - weight sharing; see cluster.h. */
#include "code/cluster.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "prune/exclude.h"

enum { MOST_ITERATIONS = 200, MOST_CELLS = 2048 };

/* --- k-means in one dimension --- */

static int ascending(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Numbers in order, and sums[i] of the first i. */
struct sorted {
    size_t n;
    float *x;
    double *sums;
};

static void sorted_finish(struct sorted *s)
{
    mc_free(s->x);
    mc_free(s->sums);
}

static int sorted_init(struct sorted *s, const float *w, size_t n, struct mc_error *err)
{
    *s = (struct sorted){0};
    for (size_t i = 0; i < n; i++) s->n += w[i] != 0;
    s->x = MC_NEW_ARRAY(float, s->n);
    s->sums = MC_NEW_ARRAY(double, s->n + 1);
    if (!s->x || !s->sums) return mc_error_memory(err);
    for (size_t i = 0, k = 0; i < n; i++)
        if (w[i] != 0) s->x[k++] = w[i];
    qsort(s->x, s->n, sizeof *s->x, ascending);
    for (size_t i = 0; i < s->n; i++) s->sums[i + 1] = s->sums[i] + s->x[i];
    return MC_OK;
}

/* Cells of neighbouring numbers, few enough to find their best clusters by dynamic programming. */
struct cells {
    int n;
    double *counts, *sums, *squares; /* [i]: of the first i cells */
    double *least, *before;          /* squared error of the first i cells in c clusters, and in c - 1 */
    uint16_t *cut;                   /* [c][i]: where the last of these begins */
};

static void cells_finish(struct cells *cells)
{
    mc_free(cells->counts);
    mc_free(cells->sums);
    mc_free(cells->squares);
    mc_free(cells->least);
    mc_free(cells->before);
    mc_free(cells->cut);
}

static int cells_init(struct cells *cells, const struct sorted *s, int k, struct mc_error *err)
{
    const int n = s->n < MOST_CELLS ? (int)s->n : MOST_CELLS;
    *cells = (struct cells){.n = n,
                            .counts = MC_NEW_ARRAY(double, n + 1),
                            .sums = MC_NEW_ARRAY(double, n + 1),
                            .squares = MC_NEW_ARRAY(double, n + 1),
                            .least = MC_NEW_ARRAY(double, n + 1),
                            .before = MC_NEW_ARRAY(double, n + 1),
                            .cut = MC_NEW_ARRAY(uint16_t, (k + 1) * (n + 1))};
    if (!cells->counts || !cells->sums || !cells->squares || !cells->least || !cells->before || !cells->cut)
        return mc_error_memory(err);
    double squares = 0;
    for (int i = 0; i < n; i++) {
        const size_t from = s->n * (size_t)i / (size_t)n, to = s->n * ((size_t)i + 1) / (size_t)n;
        for (size_t at = from; at < to; at++) squares += (double)s->x[at] * s->x[at];
        cells->counts[i + 1] = (double)to;
        cells->sums[i + 1] = s->sums[to];
        cells->squares[i + 1] = squares;
    }
    return MC_OK;
}

/* Squared error of cells from `from` to before `to` in one cluster. */
static double cost_of(const struct cells *c, int from, int to)
{
    const double sum = c->sums[to] - c->sums[from];
    return c->squares[to] - c->squares[from] - sum * sum / (c->counts[to] - c->counts[from]);
}

/* least[i] for i in [low, high], whose last clusters begin in [first, last]: the beginnings grow with i, so that half
 * of the work on either side of the middle one is ruled out. */
static void fill_least(struct cells *c, uint16_t *cut, int low, int high, int first, int last)
{
    if (low > high) return;
    const int middle = (low + high) / 2;
    int best = first;
    double best_cost = INFINITY;
    for (int from = first; from <= last && from < middle; from++) {
        const double cost = c->before[from] + cost_of(c, from, middle);
        if (cost < best_cost) best_cost = cost, best = from;
    }
    c->least[middle] = best_cost;
    cut[middle] = (uint16_t)best;
    fill_least(c, cut, low, middle - 1, first, best);
    fill_least(c, cut, middle + 1, high, best, last);
}

/* The means of the best k clusters of the cells; k at most as many as there are. */
static int start(const struct sorted *s, int k, double *centroids, struct mc_error *err)
{
    struct cells c;
    const int rc = cells_init(&c, s, k, err);
    for (int i = 1; rc == MC_OK && i <= c.n; i++) c.least[i] = cost_of(&c, 0, i);
    for (int clusters = 2; rc == MC_OK && clusters <= k; clusters++) {
        double *const older = c.before;
        c.before = c.least;
        c.least = older;
        fill_least(&c, c.cut + (size_t)clusters * (size_t)(c.n + 1), clusters, c.n, clusters - 1, c.n - 1);
    }
    for (int clusters = k, to = c.n; rc == MC_OK && clusters > 0; clusters--) {
        const int from = clusters > 1 ? c.cut[(size_t)clusters * (size_t)(c.n + 1) + (size_t)to] : 0;
        centroids[clusters - 1] = (c.sums[to] - c.sums[from]) / (c.counts[to] - c.counts[from]);
        to = from;
    }
    cells_finish(&c);
    return rc;
}

/* How many numbers lie below. */
static size_t count_below(const struct sorted *s, double bound)
{
    size_t low = 0, high = s->n;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (s->x[middle] < bound)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Each centroid becomes the mean of what is nearest to it; those with nothing go. true: something moved. */
static bool iterate(const struct sorted *s, double *centroids, int *k)
{
    bool moved = false;
    int kept = 0;
    size_t from = 0;
    for (int c = 0; c < *k; c++) {
        const size_t to = c + 1 < *k ? count_below(s, (centroids[c] + centroids[c + 1]) / 2) : s->n;
        if (to > from) {
            const double mean = (s->sums[to] - s->sums[from]) / (double)(to - from);
            moved = moved || mean != centroids[c] || kept != c;
            centroids[kept++] = mean;
            from = to;
        }
    }
    moved = moved || kept != *k;
    *k = kept;
    return moved;
}

int mc_cluster_find(const float *w, size_t n, int k, float centroids[MC_CLUSTERS_MOST], int *n_centroids,
                    struct mc_error *err)
{
    struct sorted sorted;
    double means[MC_CLUSTERS_MOST];
    *n_centroids = 0;
    int rc = sorted_init(&sorted, w, n, err);
    if ((size_t)k > sorted.n) k = (int)sorted.n;
    if (rc == MC_OK && k > 0) rc = start(&sorted, k, means, err);
    if (rc == MC_OK && k > 0) {
        for (int i = 0; i < MOST_ITERATIONS && iterate(&sorted, means, &k);) i++;
        for (int c = 0; c < k; c++) centroids[c] = (float)means[c];
        *n_centroids = k;
    }
    sorted_finish(&sorted);
    return rc;
}

/* --- tensors of a model --- */

/* One table of centroids: a tensor's, or a channel's. Symbol 0 is zero, c + 1 centroid c. */
struct part {
    const struct mc_value *value; /* whose contents training may put elsewhere */
    size_t at;                    /* of the first element in it */
    unsigned char *symbols;
    size_t n;
    int k;
};

struct mc_clustered {
    int n_tensors, mantissa_bits;
    size_t n_parts, capacity;
    struct part *parts;
    int64_t n_values;
    double error, size; /* squared */
};

static float round_mantissa(float x, int bits)
{
    uint32_t word;
    memcpy(&word, &x, sizeof word);
    const int dropped = 23 - bits;
    if (dropped > 0) {
        word += ((uint32_t)1 << (dropped - 1)) - 1 + (word >> dropped & 1); /* to even */
        word &= ~(((uint32_t)1 << dropped) - 1);
    }
    memcpy(&x, &word, sizeof word);
    return x;
}

static int nearest(const float *centroids, int k, float x)
{
    int low = 0;
    for (int high = k - 1; low < high;) {
        const int middle = (low + high) / 2;
        if ((double)x < ((double)centroids[middle] + centroids[middle + 1]) / 2)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static float *part_data(const struct part *part)
{
    return (float *)part->value->data->data + part->at;
}

static int cluster_part(struct mc_clustered *c, const struct mc_value *value, size_t at, size_t n, int k,
                        struct mc_error *err)
{
    float centroids[MC_CLUSTERS_MOST];
    struct part part = {.value = value, .at = at, .n = n};
    float *w = part_data(&part);
    int rc = mc_cluster_find(w, n, k, centroids, &part.k, err);
    if (rc < 0) return rc;
    part.symbols = mc_alloc(n, 1);
    if (!part.symbols || !mc_grow((void **)&c->parts, c->n_parts, &c->capacity, sizeof *c->parts)) {
        mc_free(part.symbols);
        return mc_error_memory(err);
    }
    for (int i = 0; i < part.k; i++) {
        const float rounded = round_mantissa(centroids[i], c->mantissa_bits);
        centroids[i] = isfinite(rounded) ? rounded : centroids[i];
    }
    for (size_t i = 0; i < n; i++) {
        if (w[i] == 0) continue;
        const int which = nearest(centroids, part.k, w[i]);
        const double off = (double)w[i] - centroids[which];
        c->error += off * off;
        c->size += (double)w[i] * w[i];
        c->n_values++;
        part.symbols[i] = (unsigned char)(which + 1);
        w[i] = centroids[which];
    }
    c->parts[c->n_parts++] = part;
    return MC_OK;
}

/* Numbers without order cannot be clustered. */
static bool all_finite(const float *w, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(w[i])) return false;
    return true;
}

static int cluster_tensor(struct mc_clustered *c, const struct mc_value *value,
                          const struct mc_cluster_options *options, struct mc_error *err)
{
    const struct mc_tensor *tensor = value->data;
    const size_t channels = options->by_channel && tensor->shape.rank > 1 ? (size_t)tensor->shape.dim[0] : 1;
    const size_t n = (size_t)mc_tensor_count(tensor) / channels;
    int rc = MC_OK;
    for (size_t i = 0; rc == MC_OK && i < channels; i++) rc = cluster_part(c, value, i * n, n, options->k, err);
    c->n_tensors++;
    return rc;
}

static bool is_meant(const struct mc_value *value, const struct mc_cluster_options *options)
{
    const struct mc_tensor *t = value->data;
    return t && t->dtype == MC_FLOAT && mc_tensor_count(t) > 1 && t->shape.rank >= (options->vectors ? 1 : 2) &&
           !mc_excluded(options->exclude, value->name) && all_finite(t->data, mc_tensor_count(t));
}

/* Contents that nobody else looks at, and of which the file's bytes no longer hold. */
static int own_data(struct mc_value *value, struct mc_error *err)
{
    struct mc_tensor *copy;
    value->origin_tensor = NULL;
    if (mc_tensor_is_unique(value->data)) return MC_OK;
    const int rc = mc_tensor_clone(&copy, value->data, err);
    if (rc == MC_OK) mc_value_set_data(value, copy);
    return rc;
}

int mc_cluster_model(struct mc_clustered **clustered, struct mc_model *model, const struct mc_cluster_options *options,
                     struct mc_error *err)
{
    struct mc_clustered *c = MC_NEW(struct mc_clustered);
    if (!c) return mc_error_memory(err);
    c->mantissa_bits = options->mantissa_bits;
    int rc = MC_OK;
    for (int i = 0; rc == MC_OK && i < model->graph->n_initializers; i++) {
        struct mc_value *value = model->graph->initializers[i];
        if (!is_meant(value, options)) continue;
        rc = own_data(value, err);
        if (rc == MC_OK) rc = cluster_tensor(c, value, options, err);
        if (rc < 0) mc_error_wrap(err, rc, "tensor '%s'", value->name);
    }
    if (rc < 0)
        mc_clustered_destroy(c);
    else
        *clustered = c;
    return rc;
}

void mc_clustered_destroy(struct mc_clustered *clustered)
{
    if (!clustered) return;
    for (size_t i = 0; i < clustered->n_parts; i++) mc_free(clustered->parts[i].symbols);
    mc_free(clustered->parts);
    mc_free(clustered);
}

int mc_clustered_n_tensors(const struct mc_clustered *clustered)
{
    return clustered->n_tensors;
}

int64_t mc_clustered_n_values(const struct mc_clustered *clustered)
{
    return clustered->n_values;
}

double mc_clustered_error(const struct mc_clustered *clustered)
{
    return clustered->size > 0 ? clustered->error / clustered->size : 0;
}

static void tie_part(const struct part *part, int mantissa_bits)
{
    double sums[MC_CLUSTERS_MOST + 1] = {0};
    int64_t counts[MC_CLUSTERS_MOST + 1] = {0};
    float means[MC_CLUSTERS_MOST + 1] = {0};
    float *w = part_data(part);
    for (size_t i = 0; i < part->n; i++) {
        sums[part->symbols[i]] += w[i];
        counts[part->symbols[i]]++;
    }
    for (int c = 1; c <= part->k; c++)
        if (counts[c] > 0) means[c] = round_mantissa((float)(sums[c] / (double)counts[c]), mantissa_bits);
    for (size_t i = 0; i < part->n; i++) w[i] = means[part->symbols[i]];
}

void mc_clustered_tie(const struct mc_clustered *clustered, bool round)
{
    for (size_t i = 0; i < clustered->n_parts; i++)
        tie_part(&clustered->parts[i], round ? clustered->mantissa_bits : 23);
}
