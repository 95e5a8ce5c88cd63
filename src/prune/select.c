/* select.c - radix selection on the bits of magnitudes.
 *
 * The bits of |w| as float32, read as an integer, order as |w| does. One histogram over their upper 16 bits finds the
 * bin that holds the threshold, one over the lower 15 bits of that bin finds the threshold itself, so that no weight is
 * moved and the count of zeros is exact.
 */
#include "prune/select.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

#define HIGH_BITS 16
#define LOW_BITS 15

void mc_select_keys(const struct mc_tensor *t, int64_t begin, int64_t n, uint32_t *keys)
{
    const uint32_t magnitude = 0x7fffffffu;
    switch (t->dtype) {
    case MC_FLOAT:
        memcpy(keys, (const float *)t->data + begin, (size_t)n * sizeof(*keys));
        for (int64_t i = 0; i < n; i++) keys[i] &= magnitude;
        return;
    case MC_BFLOAT16:
        for (int64_t i = 0; i < n; i++) keys[i] = ((uint32_t)((const uint16_t *)t->data)[begin + i] << 16) & magnitude;
        return;
    default:
        for (int64_t i = 0; i < n; i++) {
            const float w = (float)mc_tensor_get_f64(t, begin + i);
            memcpy(&keys[i], &w, sizeof(w));
            keys[i] &= magnitude;
        }
    }
}

void mc_select_forget(const struct mc_tensor *t, int64_t begin, int64_t n)
{
    const size_t size = (size_t)mc_dtype_bits(t->dtype) / 8;
    mc_tensor_forget(t, (size_t)begin * size, (size_t)n * size);
}

/* A stretch of one tensor, the unit of parallel work. */
struct stretch {
    int tensor;
    int64_t begin, n;
};

#define STRETCH (64 * MC_SELECT_CHUNK)

static int list_stretches(const struct mc_candidates *c, int n, struct stretch **list, int *n_list,
                          struct mc_error *err)
{
    int64_t total = 0;
    for (int t = 0; t < n; t++) total += (mc_tensor_count(c[t].tensor) + STRETCH - 1) / STRETCH;
    if (total > INT32_MAX) return mc_error_set(err, MC_ERR_UNSUPPORTED, "too many weights to compare");
    *list = MC_NEW_ARRAY(struct stretch, total);
    if (!*list) return mc_error_memory(err);
    *n_list = 0;
    for (int t = 0; t < n; t++) {
        const int64_t count = mc_tensor_count(c[t].tensor);
        for (int64_t begin = 0; begin < count; begin += STRETCH)
            (*list)[(*n_list)++] = (struct stretch){t, begin, count - begin < STRETCH ? count - begin : STRETCH};
    }
    return 0;
}

/* Lower bits of the keys that are in one bin. Most rows of keys have none there, which is seen all at once. */
static void count_within(const uint32_t *keys, int64_t n, uint32_t bin, int64_t *histogram)
{
    enum { ROW = 64 };
    for (int64_t begin = 0; begin < n; begin += ROW) {
        const int64_t end = n - begin < ROW ? n : begin + ROW;
        uint32_t any = 0;
        for (int64_t i = begin; i < end; i++) any |= (uint32_t)(keys[i] >> LOW_BITS == bin);
        for (int64_t i = begin; any && i < end; i++)
            if (keys[i] >> LOW_BITS == bin) histogram[keys[i] & ((1u << LOW_BITS) - 1)]++;
    }
}

/* Add the keys of a stretch to a histogram: of the upper bits (bin < 0), or of the lower bits within one bin. */
static void count_keys(const struct mc_candidates *c, const struct stretch *s, int64_t bin, int64_t *histogram)
{
    uint32_t keys[MC_SELECT_CHUNK];
    for (int64_t done = 0; done < s->n; done += MC_SELECT_CHUNK) {
        const int64_t n = s->n - done < MC_SELECT_CHUNK ? s->n - done : MC_SELECT_CHUNK;
        mc_select_keys(c[s->tensor].tensor, s->begin + done, n, keys);
        if (bin >= 0)
            count_within(keys, n, (uint32_t)bin, histogram);
        else
            for (int64_t i = 0; i < n; i++) histogram[keys[i] >> LOW_BITS]++;
    }
    mc_select_forget(c[s->tensor].tensor, s->begin, s->n);
}

static int histogram_of(const struct mc_candidates *c, const struct stretch *list, int n_list, int64_t bin, int n_bins,
                        int64_t *histogram, struct mc_error *err)
{
    bool failed = false;
    memset(histogram, 0, (size_t)n_bins * sizeof(*histogram));
#pragma omp parallel if (n_list > 1)
    {
        int64_t *own = MC_NEW_ARRAY(int64_t, n_bins);
#pragma omp for
        for (int i = 0; i < n_list; i++)
            if (own) count_keys(c, &list[i], bin, own);
#pragma omp critical
        {
            for (int b = 0; own && b < n_bins; b++) histogram[b] += own[b];
            failed = failed || !own;
        }
        mc_free(own);
    }
    return failed ? mc_error_memory(err) : 0;
}

/* First bin at which the running count passes *rank; *rank becomes the rank within the bin. */
static int64_t find_bin(const int64_t *histogram, int n_bins, int64_t *rank)
{
    int64_t bin = 0;
    while (bin < n_bins - 1 && *rank >= histogram[bin]) *rank -= histogram[bin++];
    return bin;
}

/* keep = key > threshold. */
static void write_stretch(const struct mc_candidates *c, const struct stretch *s, uint32_t threshold)
{
    uint32_t keys[MC_SELECT_CHUNK];
    for (int64_t done = 0; done < s->n; done += MC_SELECT_CHUNK) {
        const int64_t n = s->n - done < MC_SELECT_CHUNK ? s->n - done : MC_SELECT_CHUNK;
        mc_select_keys(c[s->tensor].tensor, s->begin + done, n, keys);
        unsigned char *keep = c[s->tensor].keep + s->begin + done;
        for (int64_t i = 0; i < n; i++) keep[i] = keys[i] > threshold;
    }
}

/* Of the weights that equal the threshold only the first `n_zero` go: keep the rest. */
static void keep_late_ties(const struct mc_candidates *c, const struct stretch *list, int n_list, uint32_t threshold,
                           int64_t n_zero)
{
    uint32_t keys[MC_SELECT_CHUNK];
    for (int s = 0; s < n_list; s++) {
        for (int64_t done = 0; done < list[s].n; done += MC_SELECT_CHUNK) {
            const int64_t n = list[s].n - done < MC_SELECT_CHUNK ? list[s].n - done : MC_SELECT_CHUNK;
            mc_select_keys(c[list[s].tensor].tensor, list[s].begin + done, n, keys);
            unsigned char *keep = c[list[s].tensor].keep + list[s].begin + done;
            for (int64_t i = 0; i < n; i++)
                if (keys[i] == threshold && n_zero-- <= 0) keep[i] = 1;
        }
    }
}

static int find_cut(const struct mc_candidates *c, const struct stretch *list, int n_list, int64_t n_zero,
                    struct mc_magnitude_cut *cut, struct mc_error *err)
{
    *cut = (struct mc_magnitude_cut){0};
    if (n_zero == 0) {
        cut->splits = true;
        return 0;
    }
    int64_t *histogram = MC_NEW_ARRAY(int64_t, 1 << HIGH_BITS);
    int rc = histogram ? histogram_of(c, list, n_list, -1, 1 << HIGH_BITS, histogram, err) : mc_error_memory(err);
    if (rc < 0) goto done;
    int64_t rank = n_zero - 1; /* of the last weight that goes */
    const int64_t high = find_bin(histogram, 1 << HIGH_BITS, &rank);
    rc = histogram_of(c, list, n_list, high, 1 << LOW_BITS, histogram, err);
    if (rc < 0) goto done;
    const int64_t low = find_bin(histogram, 1 << LOW_BITS, &rank);
    *cut = (struct mc_magnitude_cut){(uint32_t)(high << LOW_BITS | low), rank + 1, rank + 1 < histogram[low]};
done:
    mc_free(histogram);
    return rc;
}

int mc_select_cut(const struct mc_candidates *c, int n, int64_t n_zero, struct mc_magnitude_cut *cut,
                  struct mc_error *err)
{
    struct stretch *list = NULL;
    int n_list = 0;
    int rc = list_stretches(c, n, &list, &n_list, err);
    if (rc == 0) rc = find_cut(c, list, n_list, n_zero, cut, err);
    mc_free(list);
    return rc;
}

static void write_keep(const struct mc_candidates *c, const struct stretch *list, int n_list,
                       const struct mc_magnitude_cut *cut)
{
#pragma omp parallel for if (n_list > 1)
    for (int i = 0; i < n_list; i++) write_stretch(c, &list[i], cut->threshold);
    if (cut->splits) keep_late_ties(c, list, n_list, cut->threshold, cut->n_ties);
}

int mc_select_smallest(const struct mc_candidates *c, int n, int64_t n_zero, struct mc_error *err)
{
    struct stretch *list = NULL;
    struct mc_magnitude_cut cut;
    int n_list = 0;
    int rc = list_stretches(c, n, &list, &n_list, err);
    if (rc == 0) rc = find_cut(c, list, n_list, n_zero, &cut, err);
    if (rc == 0) write_keep(c, list, n_list, &cut);
    mc_free(list);
    return rc;
}

int mc_select_by_cut(const struct mc_candidates *c, const struct mc_magnitude_cut *cut, struct mc_error *err)
{
    struct stretch *list = NULL;
    int n_list = 0;
    const int rc = list_stretches(c, 1, &list, &n_list, err);
    if (rc == 0) write_keep(c, list, n_list, cut);
    mc_free(list);
    return rc;
}

struct mc_select_counts mc_select_count(const struct mc_tensor *t, uint32_t threshold)
{
    const int64_t count = mc_tensor_count(t);
    int64_t above = 0, ties = 0;
#pragma omp parallel for reduction(+ : above, ties) if (count > STRETCH)
    for (int64_t begin = 0; begin < count; begin += STRETCH) {
        const int64_t end = count - begin < STRETCH ? count : begin + STRETCH;
        uint32_t keys[MC_SELECT_CHUNK];
        for (int64_t done = begin; done < end; done += MC_SELECT_CHUNK) {
            const int64_t n = end - done < MC_SELECT_CHUNK ? end - done : MC_SELECT_CHUNK;
            mc_select_keys(t, done, n, keys);
            for (int64_t i = 0; i < n; i++) above += keys[i] > threshold;
            for (int64_t i = 0; i < n; i++) ties += keys[i] == threshold;
        }
        mc_select_forget(t, begin, end - begin);
    }
    return (struct mc_select_counts){above, ties};
}

/* What is below the threshold goes all at once, what equals it in order, as long as some of that are left to go. */
static void zero_floats(struct mc_magnitude_cut *cut, uint32_t *words, int64_t n)
{
    const uint32_t magnitude = 0x7fffffffu, threshold = cut->threshold;
    const uint32_t least = threshold + !cut->splits; /* that stays */
    int64_t ties = 0;
#pragma omp parallel for simd reduction(+ : ties) if (n > STRETCH)
    for (int64_t i = 0; i < n; i++) {
        const uint32_t key = words[i] & magnitude;
        words[i] &= 0U - (uint32_t)(key >= least);
        ties += key == threshold;
    }
    for (int64_t i = 0; i < n && cut->splits && ties > 0 && cut->n_ties > 0; i++) {
        if ((words[i] & magnitude) != threshold) continue;
        words[i] = 0;
        ties--;
        cut->n_ties--;
    }
}

/* Zero elements [0, n) of a type of `size` bytes that go, given their keys. */
static void zero_chunk(struct mc_magnitude_cut *cut, const uint32_t *keys, int64_t n, unsigned char *elements,
                       size_t size)
{
    for (int64_t i = 0; i < n; i++)
        if (keys[i] < cut->threshold || (keys[i] == cut->threshold && (!cut->splits || cut->n_ties-- > 0)))
            memset(elements + (size_t)i * size, 0, size);
}

void mc_magnitude_cut_zero(struct mc_magnitude_cut *cut, enum mc_dtype dtype, void *elements, int64_t n)
{
    if (dtype == MC_FLOAT) {
        zero_floats(cut, elements, n);
        return;
    }
    uint32_t keys[MC_SELECT_CHUNK];
    const size_t size = (size_t)mc_dtype_bits(dtype) / 8;
    const struct mc_tensor whole = {.dtype = dtype, .shape = {.rank = 1, .dim = {n}}, .data = elements};
    for (int64_t done = 0; done < n; done += MC_SELECT_CHUNK) {
        const int64_t now = n - done < MC_SELECT_CHUNK ? n - done : MC_SELECT_CHUNK;
        mc_select_keys(&whole, done, now, keys);
        zero_chunk(cut, keys, now, (unsigned char *)elements + (size_t)done * size, size);
    }
}

/* Clear the `n_zero` smallest of n keys, `step` elements apart in `keep`. */
static void clear_smallest(const uint32_t *keys, int n, int n_zero, unsigned char *keep, int64_t step)
{
    for (int i = 0; i < n; i++) keep[i * step] = 1;
    for (; n_zero > 0; n_zero--) {
        int least = -1;
        for (int i = 0; i < n; i++)
            if (keep[i * step] && (least < 0 || keys[i] < keys[least])) least = i;
        keep[least * step] = 0;
    }
}

/* The same for `inner` blocks side by side, keys and `keep` [n, inner]: what fewer than n_zero come before goes. Keys
 * that are equal come one after the other. */
static void clear_smallest_of_rows(const uint32_t *keys, int n, int n_zero, int64_t inner, unsigned char *keep)
{
    enum { CHUNK = 512 };
    uint8_t before[CHUNK];
    for (int64_t begin = 0; begin < inner; begin += CHUNK) {
        const int64_t width = inner - begin < CHUNK ? inner - begin : CHUNK;
        for (int k = 0; k < n; k++) {
            const uint32_t *const own = keys + k * inner + begin;
            memset(before, 0, sizeof before);
            for (int other = 0; other < n; other++) {
                const uint32_t *const key = keys + other * inner + begin;
                if (other < k)
                    for (int64_t i = 0; i < width; i++) before[i] += key[i] <= own[i];
                else
                    for (int64_t i = 0; i < width; i++) before[i] += key[i] < own[i];
            }
            for (int64_t i = 0; i < width; i++) keep[k * inner + begin + i] = before[i] >= n_zero;
        }
    }
}

/* Block number i of [outer, extent, inner] along the middle axis; rows: room for its keys. */
static void select_block(const struct mc_candidates *c, int64_t extent, int64_t inner, int n_keep, int block, int64_t i,
                         uint32_t *rows)
{
    enum { FEW = 8 };
    const int64_t n_blocks = (extent + block - 1) / block, begin = i % n_blocks * block;
    const int n = (int)(extent - begin < block ? extent - begin : block);
    const int n_zero = n - (n_keep * n + block - 1) / block;
    const int64_t at = (i / n_blocks * extent + begin) * inner;
    mc_select_keys(c->tensor, at, n * inner, rows);
    if (inner >= FEW) {
        clear_smallest_of_rows(rows, n, n_zero, inner, c->keep + at);
        return;
    }
    for (int64_t k = 0; k < inner; k++) {
        uint32_t keys[MC_MAX_BLOCK];
        for (int r = 0; r < n; r++) keys[r] = rows[r * inner + k];
        clear_smallest(keys, n, n_zero, c->keep + at + k, inner);
    }
}

int mc_select_blocks(const struct mc_candidates *candidate, int axis, int n_keep, int block, struct mc_error *err)
{
    assert(n_keep > 0 && n_keep <= block && block <= MC_MAX_BLOCK);
    const struct mc_shape *shape = &candidate->tensor->shape;
    const int64_t outer = mc_shape_span(shape, 0, axis), extent = shape->dim[axis];
    const int64_t inner = mc_shape_span(shape, axis + 1, shape->rank);
    const int64_t n_blocks = outer * ((extent + block - 1) / block);
    bool failed = false;
#pragma omp parallel if (mc_tensor_count(candidate->tensor) > STRETCH)
    {
        uint32_t *rows = MC_NEW_ARRAY(uint32_t, (size_t)block * (size_t)inner);
#pragma omp for
        for (int64_t i = 0; i < n_blocks; i++)
            if (rows) select_block(candidate, extent, inner, n_keep, block, i, rows);
#pragma omp critical
        failed = failed || !rows;
        mc_free(rows);
    }
    return failed ? mc_error_memory(err) : 0;
}

/* Row r of [outer, extent, inner] as one run, or, with `back`, its mask where it belongs. */
static void copy_row(const struct mc_candidates *c, int64_t outer, int64_t extent, int64_t inner, int64_t r,
                     struct mc_candidates *row, bool back)
{
    const size_t size = (size_t)mc_dtype_bits(c->tensor->dtype) / 8;
    for (int64_t o = 0; o < outer; o++) {
        const size_t at = (size_t)((o * extent + r) * inner), to = (size_t)(o * inner), n = (size_t)inner;
        if (back)
            memcpy(c->keep + at, row->keep + to, n);
        else
            memcpy((char *)row->tensor->data + to * size, (const char *)c->tensor->data + at * size, n * size);
    }
}

int mc_select_rows(const struct mc_candidates *candidate, int axis, double share, struct mc_error *err)
{
    const struct mc_shape *shape = &candidate->tensor->shape;
    const int64_t outer = mc_shape_span(shape, 0, axis), extent = shape->dim[axis];
    const int64_t inner = mc_shape_span(shape, axis + 1, shape->rank), n = outer * inner;
    struct mc_tensor *copy = NULL;
    int rc = mc_tensor_create(&copy, candidate->tensor->dtype, &(struct mc_shape){.rank = 1, .dim = {n}}, err);
    struct mc_candidates row = {copy, mc_alloc((size_t)n, 1)};
    if (rc == 0 && !row.keep) rc = mc_error_memory(err);
    for (int64_t r = 0; r < extent && rc == 0; r++) {
        copy_row(candidate, outer, extent, inner, r, &row, false);
        rc = mc_select_smallest(&row, 1, llround(share * (double)n), err);
        if (rc == 0) copy_row(candidate, outer, extent, inner, r, &row, true);
    }
    mc_free(row.keep);
    mc_tensor_destroy(copy);
    return rc;
}
