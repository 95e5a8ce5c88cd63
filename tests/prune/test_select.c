/* test_select.c - exact selection of the smallest magnitudes, against sorting. */
#include "test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "prune/exclude.h"
#include "prune/select.h"

static struct mc_tensor *numbers(enum mc_dtype dtype, int64_t n, uint64_t seed, double step)
{
    struct mc_error err = {0};
    struct mc_tensor *t = NULL;
    const struct mc_shape shape = {.rank = 1, .dim = {n}};
    assert_ok(mc_tensor_create(&t, dtype, &shape, &err), err);
    struct mc_rng rng;
    mc_rng_init(&rng, seed, 0);
    for (int64_t i = 0; i < n; i++) {
        const double x = mc_rng_normal(&rng);
        mc_tensor_set_f64(t, i, step > 0 ? step * floor(x / step) : x);
    }
    return t;
}

struct ranked {
    double magnitude;
    int64_t position;
};

static int by_magnitude(const void *p, const void *q)
{
    const struct ranked *a = p, *b = q;
    if (a->magnitude != b->magnitude) return a->magnitude < b->magnitude ? -1 : 1;
    return a->position < b->position ? -1 : 1;
}

/* Compare with a stable sort of the tensors one after the other. */
static void check(struct mc_tensor *const *tensors, int n, int64_t n_zero)
{
    struct mc_error err = {0};
    struct mc_candidates candidates[4];
    int64_t total = 0, at = 0;
    for (int t = 0; t < n; t++) {
        candidates[t] = (struct mc_candidates){tensors[t], mc_alloc((size_t)mc_tensor_count(tensors[t]), 1)};
        total += mc_tensor_count(tensors[t]);
    }
    struct ranked *sorted = MC_NEW_ARRAY(struct ranked, total);
    for (int t = 0; t < n; t++)
        for (int64_t i = 0; i < mc_tensor_count(tensors[t]); i++, at++)
            sorted[at] = (struct ranked){fabs(mc_tensor_get_f64(tensors[t], i)), at};
    qsort(sorted, (size_t)total, sizeof(*sorted), by_magnitude);
    unsigned char *expected = mc_alloc((size_t)total, 1);
    for (int64_t i = n_zero; i < total; i++) expected[sorted[i].position] = 1;

    assert_ok(mc_select_smallest(candidates, n, n_zero, &err), err);
    at = 0;
    for (int t = 0; t < n; t++) {
        assert_memory_equal(candidates[t].keep, expected + at, (size_t)mc_tensor_count(tensors[t]));
        at += mc_tensor_count(tensors[t]);
        mc_free(candidates[t].keep);
    }
    mc_free(expected);
    mc_free(sorted);
}

static void test_selection_equals_sorting(void **state)
{
    struct mc_tensor *const tensors[] = {numbers(MC_FLOAT, 5000, 1, 0), numbers(MC_FLOAT, 1, 2, 0),
                                         numbers(MC_FLOAT, 300001, 3, 0)};
    const int64_t counts[] = {0, 1, 2500, 152501, 305001, 305002};
    for (size_t i = 0; i < MC_COUNT(counts); i++) check(tensors, 3, counts[i]);
    for (int t = 0; t < 3; t++) mc_tensor_destroy(tensors[t]);
}

static void test_of_equal_magnitudes_the_earlier_go(void **state)
{
    struct mc_tensor *const tensors[] = {numbers(MC_FLOAT, 3000, 4, 0.25), numbers(MC_FLOAT, 4000, 5, 0.25)};
    for (int64_t n_zero = 0; n_zero <= 7000; n_zero += 500) check(tensors, 2, n_zero);
    for (int t = 0; t < 2; t++) mc_tensor_destroy(tensors[t]);
}

static void test_types_of_any_width_compare_with_each_other(void **state)
{
    struct mc_tensor *const tensors[] = {numbers(MC_FLOAT16, 900, 6, 0), numbers(MC_BFLOAT16, 900, 7, 0),
                                         numbers(MC_FLOAT, 900, 8, 0)};
    check(tensors, 3, 1000);
    for (int t = 0; t < 3; t++) mc_tensor_destroy(tensors[t]);
}

static void test_nan_is_never_the_smallest(void **state)
{
    struct mc_error err = {0};
    struct mc_tensor *t = numbers(MC_FLOAT, 4, 9, 0);
    const float w[] = {NAN, -INFINITY, -NAN, 3};
    memcpy(t->data, w, sizeof(w));
    unsigned char keep[4];
    const struct mc_candidates candidates = {t, keep};
    assert_ok(mc_select_smallest(&candidates, 1, 2, &err), err);
    const unsigned char expected[] = {1, 0, 1, 0};
    assert_memory_equal(keep, expected, 4);
    mc_tensor_destroy(t);
}

/* Every whole block along the axis keeps exactly n, and none that is smaller than one that goes, or as large as one
 * that goes after it. */
static void check_blocks(int64_t a, int64_t b, int64_t c, int axis, int n_keep, int block)
{
    struct mc_error err = {0};
    struct mc_tensor *t = numbers(MC_FLOAT, a * b * c, 10, 0.5);
    t->shape = (struct mc_shape){.rank = 3, .dim = {a, b, c}};
    unsigned char *keep = mc_alloc((size_t)(a * b * c), 1);
    const struct mc_candidates candidate = {t, keep};
    assert_ok(mc_select_blocks(&candidate, axis, n_keep, block, &err), err);
    const int64_t inner = mc_shape_span(&t->shape, axis + 1, 3), outer = mc_shape_span(&t->shape, 0, axis);
    const int64_t extent = t->shape.dim[axis];
    for (int64_t o = 0; o < outer; o++) {
        for (int64_t i = 0; i < inner; i++) {
            for (int64_t begin = 0; begin < extent; begin += block) {
                const int64_t n = extent - begin < block ? extent - begin : block;
                int64_t kept = 0;
                double least_kept = INFINITY, most_gone = 0;
                for (int64_t k = 0; k < n; k++) {
                    const int64_t at = (o * extent + begin + k) * inner + i;
                    const double w = fabs(mc_tensor_get_f64(t, at));
                    kept += keep[at];
                    assert_true(keep[at] || w < least_kept);
                    if (keep[at])
                        least_kept = fmin(least_kept, w);
                    else
                        most_gone = fmax(most_gone, w);
                }
                assert_int_equal(kept, n == block ? n_keep : (n_keep * n + block - 1) / block);
                assert_true(most_gone <= least_kept);
            }
        }
    }
    mc_free(keep);
    mc_tensor_destroy(t);
}

static void test_blocks_keep_n_of_m_along_any_axis(void **state)
{
    check_blocks(5, 8, 9, 1, 2, 4);
    check_blocks(6, 4, 3, 0, 1, 4);
    check_blocks(3, 7, 16, 2, 2, 4);
    check_blocks(2, 130, 1, 1, 3, MC_MAX_BLOCK);
    check_blocks(3, 10, 700, 1, 2, 4);
    check_blocks(3, 200, 700, 1, 1, MC_MAX_BLOCK);
    check_blocks(600, 500, 1, 1, 2, 4);
}

static void test_patterns_match_whole_names(void **state)
{
    assert_true(mc_excluded("fc*", "fc.weight"));
    assert_true(mc_excluded("a, *.bias ,b", "conv1.bias"));
    assert_true(mc_excluded("conv?.w*t", "conv1.weight"));
    assert_true(mc_excluded("*", ""));
    assert_true(mc_excluded("*a*b*", "xaybz"));
    assert_false(mc_excluded("*a*b", "xaybz"));
    assert_false(mc_excluded("fc", "fc.weight"));
    assert_false(mc_excluded("weight", "fc.weight"));
    assert_false(mc_excluded("conv?", "conv"));
    assert_false(mc_excluded(",", "x"));
    assert_false(mc_excluded("", "x"));
    assert_false(mc_excluded(NULL, "x"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_selection_equals_sorting),
        cmocka_unit_test(test_of_equal_magnitudes_the_earlier_go),
        cmocka_unit_test(test_types_of_any_width_compare_with_each_other),
        cmocka_unit_test(test_nan_is_never_the_smallest),
        cmocka_unit_test(test_blocks_keep_n_of_m_along_any_axis),
        cmocka_unit_test(test_patterns_match_whole_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
