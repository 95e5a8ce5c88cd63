/* test_copy.c - strided copies against the plainest loop that does the same. */
#include "test.h"

#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "kernel/copy.h"

/* Offsets of the index that counts `flat` in row-major order. */
static void offsets(const struct mc_box *box, int64_t flat, int64_t *to, int64_t *from)
{
    *to = *from = 0;
    for (int k = box->rank - 1; k >= 0; k--) {
        *to += flat % box->extent[k] * box->to[k];
        *from += flat % box->extent[k] * box->from[k];
        flat /= box->extent[k];
    }
}

static int64_t count(const struct mc_box *box)
{
    int64_t n = 1;
    for (int k = 0; k < box->rank; k++) n *= box->extent[k];
    return n;
}

/* Copy n elements of `size` bytes by `box`, the source starting at element `first`, both ways; compare all bytes. */
static void check_copy(const struct mc_box *box, int64_t n_from, int64_t first, int64_t n_to, size_t size)
{
    struct mc_rng rng;
    mc_rng_init(&rng, 1, 0);
    unsigned char *const from = mc_alloc((size_t)n_from, size);
    unsigned char *const got = mc_alloc((size_t)n_to, size), *const expected = mc_alloc((size_t)n_to, size);
    for (size_t i = 0; i < (size_t)n_from * size; i++) from[i] = (unsigned char)mc_rng_below(&rng, 256);
    for (int64_t i = 0; i < count(box); i++) {
        int64_t t, f;
        offsets(box, i, &t, &f);
        memcpy(expected + (size_t)t * size, from + (size_t)(first + f) * size, size);
    }
    mc_copy_box(got, from + (size_t)first * size, box, size);
    assert_memory_equal(got, expected, (size_t)n_to * size);
    mc_free(expected);
    mc_free(got);
    mc_free(from);
}

static const size_t sizes[] = {1, 2, 4, 8, 16};

/* Every permutation of up to four axes, target contiguous. */
static void check_permutes(const int64_t *extent, size_t size)
{
    const struct mc_shape shape = mc_shape_of(4, extent);
    int64_t strides[MC_MAX_RANK];
    mc_strides(&shape, strides);
    for (int code = 0; code < 256; code++) {
        const int perm[4] = {code & 3, code >> 2 & 3, code >> 4 & 3, code >> 6};
        if ((1 << perm[0] | 1 << perm[1] | 1 << perm[2] | 1 << perm[3]) != 15) continue;
        struct mc_box box = {.rank = 4};
        struct mc_shape out = {.rank = 4};
        for (int k = 0; k < 4; k++) {
            out.dim[k] = box.extent[k] = extent[perm[k]];
            box.from[k] = strides[perm[k]];
        }
        mc_strides(&out, box.to);
        check_copy(&box, count(&box), 0, count(&box), size);
    }
}

static void test_copy_box_permutes_odd_extents(void **state)
{
    (void)state;
    for (size_t s = 0; s < MC_COUNT(sizes); s++) {
        check_permutes((const int64_t[]){3, 5, 1, 7}, sizes[s]);
        check_permutes((const int64_t[]){2, 33, 4, 65}, sizes[s]);
    }
}

static void test_copy_box_permutes_with_threads(void **state)
{
    (void)state;
    check_permutes((const int64_t[]){3, 70, 41, 31}, 4); /* over the bound from which threads are used */
}

static void test_copy_box_copies_one_long_run(void **state)
{
    (void)state;
    const struct mc_box box = {.rank = 2, .extent = {1001, 101}, .to = {101, 1}, .from = {101, 1}};
    for (size_t s = 0; s < MC_COUNT(sizes); s++) check_copy(&box, 101101, 0, 101101, sizes[s]);
}

static void test_copy_box_walks_backwards_and_by_steps(void **state)
{
    (void)state;
    const struct mc_box box = {.rank = 2, .extent = {3, 4}, .to = {4, 1}, .from = {-20, -2}};
    for (size_t s = 0; s < MC_COUNT(sizes); s++) check_copy(&box, 60, 59, 12, sizes[s]);
}

static void test_copy_box_broadcasts_with_stride_zero(void **state)
{
    (void)state;
    const struct mc_box box = {.rank = 3, .extent = {2, 3, 5}, .to = {15, 5, 1}, .from = {0, 1, 0}};
    for (size_t s = 0; s < MC_COUNT(sizes); s++) check_copy(&box, 3, 0, 30, sizes[s]);
}

static void test_copy_box_writes_into_a_wider_target(void **state)
{
    (void)state;
    const struct mc_box box = {.rank = 2, .extent = {4, 6}, .to = {10, 1}, .from = {6, 1}};
    for (size_t s = 0; s < MC_COUNT(sizes); s++) check_copy(&box, 24, 0, 40, sizes[s]);
}

static void test_copy_box_of_no_elements_touches_nothing(void **state)
{
    (void)state;
    const struct mc_box box = {.rank = 2, .extent = {4, 0}, .to = {1, 1}, .from = {1, 1}};
    mc_copy_box(NULL, NULL, &box, 4);
}

static void test_copy_box_of_rank_0_copies_one_element(void **state)
{
    (void)state;
    const struct mc_box box = {.rank = 0};
    for (size_t s = 0; s < MC_COUNT(sizes); s++) check_copy(&box, 1, 0, 1, sizes[s]);
}

static void test_simplify_merges_axes_and_drops_ones(void **state)
{
    (void)state;
    struct mc_box box = {.rank = 5, .extent = {2, 3, 1, 4, 5}, .to = {60, 20, 7, 5, 1}, .from = {60, 20, 9, 1, 4}};
    mc_box_simplify(&box);
    assert_int_equal(box.rank, 3);
    assert_int_equal(box.extent[0], 6);
    assert_int_equal(box.to[0], 20);
    assert_int_equal(box.from[0], 20);
    assert_int_equal(box.extent[1], 4);
    assert_int_equal(box.extent[2], 5);
}

static void test_fill_repeats_the_element(void **state)
{
    (void)state;
    const float minus_two = -2, zero = 0;
    float out[7];
    mc_fill(out, &minus_two, 7, sizeof(float));
    for (int i = 0; i < 7; i++) assert_true(out[i] == -2);
    mc_fill(out, &zero, 5, sizeof(float));
    for (int i = 0; i < 7; i++) assert_true(out[i] == (i < 5 ? 0 : -2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copy_box_permutes_odd_extents),
        cmocka_unit_test(test_copy_box_permutes_with_threads),
        cmocka_unit_test(test_copy_box_copies_one_long_run),
        cmocka_unit_test(test_copy_box_walks_backwards_and_by_steps),
        cmocka_unit_test(test_copy_box_broadcasts_with_stride_zero),
        cmocka_unit_test(test_copy_box_writes_into_a_wider_target),
        cmocka_unit_test(test_copy_box_of_no_elements_touches_nothing),
        cmocka_unit_test(test_copy_box_of_rank_0_copies_one_element),
        cmocka_unit_test(test_simplify_merges_axes_and_drops_ones),
        cmocka_unit_test(test_fill_repeats_the_element),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
