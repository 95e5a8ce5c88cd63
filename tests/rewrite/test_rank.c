/* test_rank.c - ranks by share and by budget, against all that there are. */
#include "rewrite/rank.h"

#include <math.h>

#include "base/alloc.h"
#include "test.h"

enum { N = 8 };

/* Values base^0, base^1, … of a layer of 16 x 16. */
static void make(struct mc_spectrum *s, double *shares, double base)
{
    for (int i = 0; i < N; i++) shares[i] = pow(base, i);
    *s = (struct mc_spectrum){.n = N, .shares = shares, .whole = 256, .a_rank = 32};
    mc_spectrum_sum(s);
}

static void test_the_least_rank_with_the_share(void **state)
{
    double values[N] = {8, 4, 2, 1, 0.5, 0.25, 0.125, 0.125};
    struct mc_spectrum s = {.n = N, .shares = values, .whole = 256, .a_rank = 32};
    mc_spectrum_sum(&s);
    assert_int_equal(mc_spectrum_most(&s, 1), 7); /* 8 ranks cost as much as the layer */
    assert_int_equal(mc_spectrum_most(&s, 4), 4);
    mc_rank_by_share(&s, 0.5, 1);
    assert_int_equal(s.rank, 1);
    mc_rank_by_share(&s, 0.8, 1);
    assert_int_equal(s.rank, 3);
    mc_rank_by_share(&s, 0.8, 4);
    assert_int_equal(s.rank, 4);
    mc_rank_by_share(&s, 1, 1);
    assert_int_equal(s.rank, 0);
}

static void test_zeros_keep_all_in_one_rank(void **state)
{
    double values[N] = {0};
    struct mc_spectrum s = {.n = N, .shares = values, .whole = 256, .a_rank = 32};
    mc_spectrum_sum(&s);
    mc_rank_by_share(&s, 1, 1);
    assert_int_equal(s.rank, 1);
}

static double product_of(const struct mc_spectrum *s, const int64_t *ranks, double *cost)
{
    double product = 1;
    *cost = 0;
    for (int i = 0; i < 2; i++) {
        product *= ranks[i] ? s[i].shares[ranks[i] - 1] : 1;
        *cost += ranks[i] ? (double)ranks[i] * s[i].a_rank : s[i].whole;
    }
    return product;
}

static double best_of_all(const struct mc_spectrum *s, double budget)
{
    double best = 0, cost;
    for (int64_t a = 0; a < N; a++)
        for (int64_t b = 0; b < N; b++) {
            const double product = product_of(s, (const int64_t[]){a, b}, &cost);
            if (cost <= budget && product > best) best = product;
        }
    return best;
}

/* A step of rank costs the same in both. */
static void test_a_budget_is_used_as_well_as_can_be(void **state)
{
    for (double budget = 64; budget < 400; budget += 32) {
        double shares[2][N], cost, again;
        struct mc_spectrum s[2];
        make(&s[0], shares[0], 0.3);
        make(&s[1], shares[1], 0.8);
        assert_true(mc_rank_by_budget(s, 2, budget, 1, &cost));
        const double product = product_of(s, (const int64_t[]){s[0].rank, s[1].rank}, &again);
        assert_true(cost <= budget && fabs(cost - again) < 1e-9);
        assert_true(product >= (1 - 1e-9) * best_of_all(s, budget));
    }
}

static void test_ranks_are_multiples_and_what_is_too_little_is_said(void **state)
{
    double shares[2][N], cost;
    struct mc_spectrum s[2];
    make(&s[0], shares[0], 0.3);
    make(&s[1], shares[1], 0.8);
    assert_true(mc_rank_by_budget(s, 2, 200, 2, &cost));
    assert_true(s[0].rank % 2 == 0 && s[1].rank % 2 == 0);
    assert_false(mc_rank_by_budget(s, 2, 100, 2, &cost));
    assert_true(fabs(cost - 128) < 1e-9);
    assert_true(mc_rank_by_budget(s, 2, 512, 1, &cost)); /* nothing has to go */
    assert_true(s[0].rank == 0 && s[1].rank == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_least_rank_with_the_share),
        cmocka_unit_test(test_zeros_keep_all_in_one_rank),
        cmocka_unit_test(test_a_budget_is_used_as_well_as_can_be),
        cmocka_unit_test(test_ranks_are_multiples_and_what_is_too_little_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
