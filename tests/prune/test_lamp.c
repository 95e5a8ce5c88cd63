/* test_lamp.c - cuts by LAMP scores against the scores themselves, sorted. */
#include "test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "prune/lamp.h"

enum { MOST_TENSORS = 5 };

struct item {
    double score, magnitude;
    int tensor;
    int64_t at;
    bool goes;
};

struct set {
    int n;
    struct mc_tensor *tensors[MOST_TENSORS];
    struct item *items; /* of all tensors, in their order */
    int64_t n_items;
};

/* `spread`: tensors have other magnitudes; `step` > 0: many are equal. */
static void make_set(struct set *set, enum mc_dtype dtype, int n, int64_t count, double spread, double step)
{
    struct mc_error err = {0};
    struct mc_rng rng;
    mc_rng_init(&rng, 7, 0);
    *set = (struct set){.n = n};
    for (int t = 0; t < n; t++) {
        const struct mc_shape shape = {.rank = 1, .dim = {count + 17 * t}};
        assert_ok(mc_tensor_create(&set->tensors[t], dtype, &shape, &err), err);
        for (int64_t k = 0; k < shape.dim[0]; k++) {
            const double w = mc_rng_normal(&rng) * pow(spread, t);
            mc_tensor_set_f64(set->tensors[t], k, step > 0 ? step * floor(w / step) : w);
        }
        set->n_items += shape.dim[0];
    }
}

static void finish_set(struct set *set)
{
    for (int t = 0; t < set->n; t++) mc_tensor_destroy(set->tensors[t]);
    mc_free(set->items);
}

static int by_magnitude(const void *p, const void *q)
{
    const struct item *a = p, *b = q;
    if (a->magnitude != b->magnitude) return a->magnitude < b->magnitude ? -1 : 1;
    return (a->at > b->at) - (a->at < b->at);
}

static int by_score(const void *p, const void *q)
{
    const struct item *a = p, *b = q;
    if (a->score != b->score) return a->score < b->score ? -1 : 1;
    if (a->tensor != b->tensor) return a->tensor - b->tensor;
    return (a->at > b->at) - (a->at < b->at);
}

/* Scores by their definition, ascending. */
static void score_items(struct set *set)
{
    int64_t n = 0;
    set->items = MC_NEW_ARRAY(struct item, set->n_items);
    for (int t = 0; t < set->n; t++) {
        struct item *of = set->items + n;
        const int64_t count = mc_tensor_count(set->tensors[t]);
        for (int64_t k = 0; k < count; k++)
            of[k] = (struct item){.magnitude = fabs(mc_tensor_get_f64(set->tensors[t], k)), .tensor = t, .at = k};
        qsort(of, (size_t)count, sizeof *of, by_magnitude);
        double sum = 0;
        for (int64_t k = count - 1; k >= 0; k--) {
            const double square = of[k].magnitude * of[k].magnitude;
            if (isfinite(of[k].magnitude)) sum += square;
            of[k].score = !isfinite(of[k].magnitude) ? INFINITY : sum > 0 ? square / sum : 0;
        }
        n += count;
    }
    qsort(set->items, (size_t)n, sizeof *set->items, by_score);
}

static void check_cuts(const struct set *set, int64_t n_zero)
{
    struct mc_error err = {0};
    struct mc_candidates candidates[MOST_TENSORS];
    struct mc_magnitude_cut cuts[MOST_TENSORS];
    int64_t nonzeros[MOST_TENSORS];
    int64_t wrong = 0, gone = 0;
    for (int t = 0; t < set->n; t++)
        candidates[t] = (struct mc_candidates){set->tensors[t], mc_alloc((size_t)mc_tensor_count(set->tensors[t]), 1)};
    assert_ok(mc_lamp_cuts(candidates, set->n, n_zero, cuts, nonzeros, &err), err);
    for (int t = 0; t < set->n; t++) {
        assert_ok(mc_select_by_cut(&candidates[t], &cuts[t], &err), err);
        int64_t left = 0;
        for (int64_t k = 0; k < mc_tensor_count(set->tensors[t]); k++) {
            gone += !candidates[t].keep[k];
            left += candidates[t].keep[k] && mc_tensor_get_f64(set->tensors[t], k) != 0;
        }
        assert_int_equal(nonzeros[t], set->tensors[t]->dtype == MC_DOUBLE ? -1 : left);
    }
    assert_int_equal(gone, n_zero);
    for (int64_t i = 0; i < set->n_items; i++) {
        const struct item *item = &set->items[i];
        wrong += candidates[item->tensor].keep[item->at] != (i >= n_zero);
    }
    assert_int_equal(wrong, 0);
    for (int t = 0; t < set->n; t++) mc_free(candidates[t].keep);
}

static void check_all(struct set *set)
{
    score_items(set);
    static const double shares[] = {0, 0.001, 0.1, 0.5, 0.77, 0.9, 0.99, 1};
    for (size_t i = 0; i < MC_COUNT(shares); i++) check_cuts(set, (int64_t)(shares[i] * (double)set->n_items));
    check_cuts(set, 1);
    check_cuts(set, set->n_items - 1);
    finish_set(set);
}

static void test_cuts_are_those_of_sorted_scores(void **state)
{
    struct set set;
    make_set(&set, MC_FLOAT, 1, 5000, 1, 0);
    check_all(&set);
    make_set(&set, MC_FLOAT, 5, 3000, 0.01, 0);
    check_all(&set);
    make_set(&set, MC_FLOAT, 5, 3, 10, 0);
    check_all(&set);
    make_set(&set, MC_FLOAT16, 3, 2000, 0.3, 0);
    check_all(&set);
    make_set(&set, MC_BFLOAT16, 3, 2000, 30, 0);
    check_all(&set);
}

static void test_of_equal_ones_the_earlier_go(void **state)
{
    struct set set;
    make_set(&set, MC_FLOAT, 4, 2000, 1, 0.25);
    check_all(&set);
    make_set(&set, MC_FLOAT, 3, 500, 1, 100); /* two values each */
    check_all(&set);
}

static void test_zeros_go_first_and_what_is_not_finite_last(void **state)
{
    struct set set;
    make_set(&set, MC_FLOAT, 3, 400, 0.1, 0);
    for (int64_t k = 0; k < 200; k++) {
        mc_tensor_set_f64(set.tensors[0], 2 * k, 0);
        mc_tensor_set_f64(set.tensors[1], k, 0);
    }
    mc_tensor_set_f64(set.tensors[1], 300, INFINITY);
    mc_tensor_set_f64(set.tensors[2], 0, -INFINITY);
    check_all(&set);
    make_set(&set, MC_FLOAT, 2, 50, 1, 0);
    for (int64_t k = 0; k < 50; k++) mc_tensor_set_f64(set.tensors[0], k, 0);
    check_all(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cuts_are_those_of_sorted_scores),
        cmocka_unit_test(test_of_equal_ones_the_earlier_go),
        cmocka_unit_test(test_zeros_go_first_and_what_is_not_finite_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
