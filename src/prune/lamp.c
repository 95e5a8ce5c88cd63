/* lamp.c - selection by LAMP scores without sorting what is clear; see lamp.h.
 *
 * A histogram of each tensor over the upper bits of its keys (select.h), with the sum of squares of each bin, bounds
 * the scores of a bin: its least element has all squares of the bin in the denominator, its largest only those of the
 * bins above. Bins that are surely below the last score that goes, or surely above, are done with. The few elements of
 * the others are sorted and get their scores.
 */
#include "prune/lamp.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

#define INFINITE_BITS UINT64_C(0x7ff0000000000000) /* of scores, which order as their bits do */

enum {
    LOW_BITS = 15,              /* of a key, within a bin */
    BINS = 1 << 16,             /* of keys */
    FIRST_INFINITE = 0x7f80 * 2 /* bin of infinity; NaN are above */
};

/* Some elements of a tensor, of one bin. */
struct bin {
    uint32_t key;                   /* the upper bits */
    int64_t n, up_to;               /* elements, and those of smaller bins as well */
    double squares, above;          /* their sum; that of all larger bins */
    double least_score, most_score; /* between which theirs lie */
};

struct element {
    uint32_t key;
    int64_t at;
    double score;
};

struct tensor {
    struct bin *bins;                 /* ascending */
    int n_bins, first, behind;        /* bins that are not clear */
    struct element *elements;         /* of these, ascending */
    int64_t n_elements, n_go, n_zero; /* of those, that go; of all, that are zero */
};

static double magnitude_of(uint32_t key)
{
    float magnitude;
    memcpy(&magnitude, &key, sizeof magnitude);
    return magnitude;
}

/* --- bins --- */

static void score_bins(struct tensor *t)
{
    double above = 0;
    for (int i = 0; i < t->n_bins; i++) t->bins[i].up_to = t->bins[i].n + (i > 0 ? t->bins[i - 1].up_to : 0);
    for (int i = t->n_bins - 1; i >= 0; i--) {
        struct bin *bin = &t->bins[i];
        bin->above = above;
        above += bin->squares;
        const double least = magnitude_of(bin->key << LOW_BITS),
                     most = magnitude_of((bin->key << LOW_BITS) + (1 << LOW_BITS) - 1);
        const bool stays = bin->key >= FIRST_INFINITE;
        bin->least_score = stays ? INFINITY : least > 0 ? least * least / above : 0;
        bin->most_score = stays ? INFINITY : most > 0 ? most * most / (bin->above + most * most) : 0;
    }
}

/* Of the elements of a bin. */
struct sum {
    int64_t n;
    double squares;
};

static bool count_tensor(const struct mc_tensor *weights, struct tensor *t)
{
    struct sum *sums = MC_NEW_ARRAY(struct sum, BINS);
    const int64_t n = sums ? mc_tensor_count(weights) : 0;
    uint32_t keys[MC_SELECT_CHUNK];
    for (int64_t done = 0; done < n; done += MC_SELECT_CHUNK) {
        const int64_t now = n - done < MC_SELECT_CHUNK ? n - done : MC_SELECT_CHUNK;
        mc_select_keys(weights, done, now, keys);
        for (int64_t i = 0; i < now; i++) {
            const double magnitude = magnitude_of(keys[i]);
            struct sum *sum = &sums[keys[i] >> LOW_BITS];
            sum->n++;
            sum->squares += magnitude * magnitude;
            t->n_zero += keys[i] == 0;
        }
        mc_select_forget(weights, done, now);
    }
    for (int b = 0; n > 0 && b < BINS; b++) t->n_bins += sums[b].n > 0;
    t->bins = MC_NEW_ARRAY(struct bin, t->n_bins);
    for (int b = 0, i = 0; n > 0 && t->bins && b < BINS; b++)
        if (sums[b].n > 0)
            t->bins[i++] =
                (struct bin){.key = (uint32_t)b, .n = sums[b].n, .squares = b < FIRST_INFINITE ? sums[b].squares : 0};
    const bool made = sums && t->bins;
    mc_free(sums);
    if (made) score_bins(t);
    return made;
}

/* --- scores that are passed --- */

/* How many elements of a tensor score at most this. */
typedef int64_t count_fn(const struct tensor *t, double score);

static double score_of_bits(uint64_t bits)
{
    double score;
    memcpy(&score, &bits, sizeof score);
    return score;
}

/* The least score that as many elements as `wanted` reach at most; infinity if there are fewer. */
static double find_score(const struct tensor *tensors, int n, int64_t wanted, count_fn *count)
{
    uint64_t low = 0, high = INFINITE_BITS;
    while (low < high) {
        const uint64_t middle = low + (high - low) / 2;
        int64_t passed = 0;
        for (int t = 0; t < n; t++) passed += count(&tensors[t], score_of_bits(middle));
        if (passed >= wanted)
            high = middle;
        else
            low = middle + 1;
    }
    return score_of_bits(low);
}

/* --- what is clear --- */

/* If each bin has its least score, or else its most: both ascend. */
static int64_t count_bins(const struct tensor *t, double score, bool least)
{
    int low = 0, high = t->n_bins;
    while (low < high) {
        const int middle = low + (high - low) / 2;
        const struct bin *bin = &t->bins[middle];
        if ((least ? bin->least_score : bin->most_score) <= score)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 ? t->bins[low - 1].up_to : 0;
}

static int64_t count_at_least(const struct tensor *t, double score)
{
    return count_bins(t, score, true);
}

static int64_t count_at_most(const struct tensor *t, double score)
{
    return count_bins(t, score, false);
}

/* Bins whose scores reach neither below `low` nor above `high` are not clear. *left: how many of their elements go. */
static void find_unclear(struct tensor *tensors, int n, double low, double high, int64_t *left)
{
    for (int k = 0; k < n; k++) {
        struct tensor *t = &tensors[k];
        while (t->first < t->n_bins && t->bins[t->first].most_score < low) *left -= t->bins[t->first++].n;
        t->behind = t->first;
        while (t->behind < t->n_bins && t->bins[t->behind].least_score <= high) {
            t->n_elements += t->bins[t->behind].n;
            t->behind++;
        }
    }
}

/* --- what is not --- */

static int by_key(const void *p, const void *q)
{
    const struct element *a = p, *b = q;
    if (a->key != b->key) return a->key < b->key ? -1 : 1;
    return (a->at > b->at) - (a->at < b->at);
}

/* Those of n keys that are in bins [from, to]: most rows have none, which is seen all at once. Returns how many. */
static int64_t collect(struct element *elements, const uint32_t *keys, int64_t n, int64_t at, uint32_t from,
                       uint32_t to)
{
    enum { ROW = 32 };
    const uint32_t first = from << LOW_BITS, span = (to - from + 1) << LOW_BITS;
    int64_t found = 0;
    for (int64_t begin = 0; begin < n; begin += ROW) {
        const int64_t end = n - begin < ROW ? n : begin + ROW;
        uint32_t any = 0;
        for (int64_t i = begin; i < end; i++) any |= (uint32_t)(keys[i] - first < span);
        for (int64_t i = begin; any && i < end; i++)
            if (keys[i] - first < span) elements[found++] = (struct element){keys[i], at + i, 0};
    }
    return found;
}

static bool score_elements(const struct mc_tensor *weights, struct tensor *t)
{
    if (t->n_elements == 0) return true;
    t->elements = MC_NEW_ARRAY(struct element, t->n_elements);
    if (!t->elements) return false;
    const uint32_t from = t->bins[t->first].key, to = t->bins[t->behind - 1].key;
    const int64_t n = mc_tensor_count(weights);
    uint32_t keys[MC_SELECT_CHUNK];
    int64_t found = 0;
    for (int64_t done = 0; done < n; done += MC_SELECT_CHUNK) {
        const int64_t now = n - done < MC_SELECT_CHUNK ? n - done : MC_SELECT_CHUNK;
        mc_select_keys(weights, done, now, keys);
        found += collect(t->elements + found, keys, now, done, from, to);
        mc_select_forget(weights, done, now);
    }
    qsort(t->elements, (size_t)found, sizeof *t->elements, by_key);
    double sum = t->bins[t->behind - 1].above;
    for (int64_t i = found - 1; i >= 0; i--) {
        const double magnitude = magnitude_of(t->elements[i].key), square = magnitude * magnitude;
        const bool stays = t->elements[i].key >> LOW_BITS >= FIRST_INFINITE;
        if (!stays) sum += square;
        t->elements[i].score = stays ? INFINITY : sum > 0 ? square / sum : 0;
    }
    return true;
}

/* Of those that are not clear; they ascend. */
static int64_t count_elements(const struct tensor *t, double score)
{
    int64_t low = 0, high = t->n_elements;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (t->elements[middle].score <= score)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Which `left` go: all below the last score that does, and of those that have it the first. */
static void choose_elements(struct tensor *tensors, int n, int64_t left)
{
    const double score = find_score(tensors, n, left, count_elements), less = nextafter(score, -1);
    for (int t = 0; t < n; t++) left -= tensors[t].n_go = count_elements(&tensors[t], less);
    for (int t = 0; t < n; t++) {
        const int64_t equal = count_elements(&tensors[t], score) - tensors[t].n_go;
        const int64_t go = equal < left ? equal : left;
        tensors[t].n_go += go;
        left -= go;
    }
}

static struct mc_magnitude_cut cut_of(const struct tensor *t)
{
    if (t->n_go > 0) {
        const struct element *last = &t->elements[t->n_go - 1];
        int64_t ties = 1;
        while (ties < t->n_go && last[-ties].key == last->key) ties++;
        return (struct mc_magnitude_cut){last->key, ties, t->n_go < t->n_elements && last[1].key == last->key};
    }
    const bool all = t->first == t->n_bins;
    const uint32_t first = t->n_elements > 0 ? t->elements[0].key
                           : all             ? UINT32_MAX
                                             : t->bins[t->first].key << LOW_BITS;
    return first > 0 ? (struct mc_magnitude_cut){.threshold = first - 1} : (struct mc_magnitude_cut){.splits = true};
}

/* After the cut. Elements that were zero are the first that go; of float64 some pass for zero that are not. */
static int64_t nonzeros_of(const struct mc_tensor *weights, const struct tensor *t)
{
    int64_t n_go = t->n_go;
    if (weights->dtype == MC_DOUBLE) return -1;
    for (int i = 0; i < t->first; i++) n_go += t->bins[i].n;
    return mc_tensor_count(weights) - (n_go > t->n_zero ? n_go : t->n_zero);
}

static int for_each(const struct mc_candidates *c, struct tensor *tensors, int n,
                    bool (*step)(const struct mc_tensor *, struct tensor *), struct mc_error *err)
{
    bool failed = false;
#pragma omp parallel for schedule(dynamic) reduction(|| : failed) if (n > 1)
    for (int i = 0; i < n; i++) failed = !step(c[i].tensor, &tensors[i]) || failed;
    return failed ? mc_error_memory(err) : MC_OK;
}

int mc_lamp_cuts(const struct mc_candidates *c, int n, int64_t n_zero, struct mc_magnitude_cut *cuts, int64_t *nonzeros,
                 struct mc_error *err)
{
    struct tensor *tensors = MC_NEW_ARRAY(struct tensor, n);
    if (!tensors) return mc_error_memory(err);
    int64_t left = n_zero;
    int rc = for_each(c, tensors, n, count_tensor, err);
    /* with their least scores more than these would pass, with their most as many do */
    if (rc == MC_OK)
        find_unclear(tensors, n, find_score(tensors, n, n_zero + 1, count_at_least),
                     find_score(tensors, n, n_zero, count_at_most), &left);
    if (rc == MC_OK) rc = for_each(c, tensors, n, score_elements, err);
    if (rc == MC_OK) choose_elements(tensors, n, left);
    for (int t = 0; t < n; t++) {
        if (rc == MC_OK) cuts[t] = cut_of(&tensors[t]);
        if (rc == MC_OK && nonzeros) nonzeros[t] = nonzeros_of(c[t].tensor, &tensors[t]);
        mc_free(tensors[t].bins);
        mc_free(tensors[t].elements);
    }
    mc_free(tensors);
    return rc;
}
