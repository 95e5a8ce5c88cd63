/* test_rng.c - reference sequence, streams, distributions. */
#include "test.h"

#include <math.h>

#include "base/rng.h"

/* First outputs from state {1, 2, 3, 4}: computed by hand from the recurrence of Blackman and Vigna 2018:
 * rotl(2*5, 7)*9 = 11520; then s1 = s1^s2 = 3 xor … as the two lines below state. */
static void test_sequence_is_xoshiro256starstar(void **state)
{
    struct mc_rng rng = {.s = {1, 2, 3, 4}};
    assert_int_equal(mc_rng_u64(&rng), 11520);
    assert_int_equal(mc_rng_u64(&rng), 0);
    assert_int_equal(mc_rng_u64(&rng), 1509978240);
}

static void test_same_seed_same_numbers_other_stream_others(void **state)
{
    struct mc_rng a, b, c, d;
    mc_rng_init(&a, 7, 0);
    mc_rng_init(&b, 7, 0);
    mc_rng_init(&c, 7, 1);
    mc_rng_init(&d, 8, 0);
    int same = 0;
    for (int i = 0; i < 100; i++) {
        const uint64_t x = mc_rng_u64(&a);
        assert_int_equal(x, mc_rng_u64(&b));
        same += x == mc_rng_u64(&c);
        same += x == mc_rng_u64(&d);
    }
    assert_int_equal(same, 0);
}

static void test_moments_are_right(void **state)
{
    struct mc_rng rng;
    mc_rng_init(&rng, 1, 2);
    enum { N = 100000 };
    double uniform = 0, normal = 0, squares = 0;
    for (int i = 0; i < N; i++) {
        const double u = mc_rng_uniform(&rng), z = mc_rng_normal(&rng);
        assert_true(u >= 0 && u < 1);
        uniform += u;
        normal += z;
        squares += z * z;
    }
    assert_true(fabs(uniform / N - 0.5) < 0.005);
    assert_true(fabs(normal / N) < 0.02);
    assert_true(fabs(squares / N - 1) < 0.03);
}

static void test_below_and_shuffle_cover_everything(void **state)
{
    struct mc_rng rng;
    mc_rng_init(&rng, 3, 0);
    int seen[10] = {0};
    for (int i = 0; i < 10000; i++) seen[mc_rng_below(&rng, 10)]++;
    for (int i = 0; i < 10; i++) assert_true(seen[i] > 850 && seen[i] < 1150);
    int64_t items[50];
    for (int i = 0; i < 50; i++) items[i] = i;
    mc_rng_shuffle(&rng, items, 50);
    int64_t sum = 0, moved = 0;
    for (int i = 0; i < 50; i++) {
        sum += items[i];
        moved += items[i] != i;
    }
    assert_int_equal(sum, 50 * 49 / 2);
    assert_true(moved > 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sequence_is_xoshiro256starstar),
        cmocka_unit_test(test_same_seed_same_numbers_other_stream_others),
        cmocka_unit_test(test_moments_are_right),
        cmocka_unit_test(test_below_and_shuffle_cover_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
