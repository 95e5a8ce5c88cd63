/* test_memory.c - buffers that live at one time never overlap, and memory is used again. */
#include "run/memory.h"

#include "alloc_fail.h"
#include "base/rng.h"
#include "test.h"

static bool overlap(const struct mc_extent *a, const struct mc_extent *b)
{
    return a->first <= b->last && b->first <= a->last && a->offset < b->offset + b->size &&
           b->offset < a->offset + a->size;
}

static void test_random_lifetimes_never_overlap(void **state)
{
    struct mc_rng rng;
    mc_rng_init(&rng, 1, 0);
    for (int round = 0; round < 50; round++) {
        struct mc_extents e = {0};
        size_t total, largest = 0;
        for (int i = 0; i < 60; i++) {
            const int first = (int)mc_rng_below(&rng, 40), last = first + (int)mc_rng_below(&rng, 10);
            assert_int_equal(mc_extents_add(&e, (size_t)mc_rng_below(&rng, 1000), first, last), i);
        }
        assert_true(mc_memory_pack(&e, &total));
        for (size_t i = 0; i < e.n; i++) {
            assert_int_equal(e.at[i].offset % MC_MEMORY_ALIGNMENT, 0);
            if (e.at[i].offset + e.at[i].size > largest) largest = e.at[i].offset + e.at[i].size;
            for (size_t k = 0; k < i; k++)
                if (overlap(&e.at[i], &e.at[k])) fail_msg("round %d: buffers %zu and %zu overlap", round, i, k);
        }
        assert_true(total >= largest && total < largest + MC_MEMORY_ALIGNMENT);
        mc_extents_finish(&e);
    }
}

static void test_a_chain_takes_two_buffers(void **state)
{
    struct mc_extents e = {0};
    size_t total;
    for (int i = 0; i < 20; i++) assert_int_equal(mc_extents_add(&e, 640, i, i + 1), i);
    assert_true(mc_memory_pack(&e, &total));
    assert_int_equal(total, 2 * 640);
    mc_extents_finish(&e);
}

static void test_gaps_are_filled(void **state)
{
    struct mc_extents e = {0};
    size_t total;
    mc_extents_add(&e, 1024, 0, 4);
    mc_extents_add(&e, 512, 0, 1);
    mc_extents_add(&e, 256, 0, 4);
    mc_extents_add(&e, 384, 2, 4); /* fits where the second was */
    assert_true(mc_memory_pack(&e, &total));
    assert_int_equal(total, 1024 + 512 + 256);
    assert_int_equal(e.at[3].offset, e.at[1].offset);
    mc_extents_finish(&e);
}

static void test_sums_beyond_memory_are_refused(void **state)
{
    struct mc_extents e = {0};
    size_t total;
    mc_extents_add(&e, SIZE_MAX / 2, 0, 1);
    mc_extents_add(&e, SIZE_MAX / 2, 0, 1);
    mc_extents_add(&e, SIZE_MAX / 2, 0, 1);
    assert_false(mc_memory_pack(&e, &total));
    mc_extents_finish(&e);
    mc_extents_add(&e, SIZE_MAX, 0, 1);
    assert_false(mc_memory_pack(&e, &total));
    mc_extents_finish(&e);
}

static void test_nothing_takes_nothing(void **state)
{
    struct mc_extents e = {0};
    size_t total = 1;
    assert_true(mc_memory_pack(&e, &total));
    assert_int_equal(total, 0);
    mc_extents_finish(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_lifetimes_never_overlap),
        cmocka_unit_test(test_a_chain_takes_two_buffers),
        cmocka_unit_test(test_gaps_are_filled),
        cmocka_unit_test(test_sums_beyond_memory_are_refused),
        cmocka_unit_test(test_nothing_takes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
