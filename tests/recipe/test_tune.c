/* test_tune.c - searches through the public interface: what they find, in which order, from where they go on. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "scratch.h"

/* Two clouds of points in a plane, apart by their first coordinate: a table to fit in no time. */
static const char *make_table(void **state)
{
    char text[8192];
    size_t n = (size_t)snprintf(text, sizeof text, "a,b,class\n");
    for (int i = 0; i < 120; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%g,%g,%d\n", (i % 2 ? 0.6 : -0.6) + 0.9 * sin(i * 1.7),
                              cos(i * 2.3), i % 2);
    return scratch_file(state, "table.csv", text, n);
}

static struct mc_recipe *make(void **state, const char *tune)
{
    struct mc_error err = {0};
    struct mc_recipe *recipe;
    char data[512];
    snprintf(data, sizeof data, "csv:%s", make_table(state));
    assert_ok(mc_recipe_create(&recipe, &err), err);
    assert_ok(mc_recipe_set(recipe, "model", "mlp:2-4-2", NULL, &err), err);
    assert_ok(mc_recipe_set_text(recipe, "data", data, NULL, &err), err);
    assert_ok(mc_recipe_set(recipe, "seed", "5", NULL, &err), err);
    assert_ok(mc_recipe_set(recipe, "steps.0.train", "{epochs: 9}", NULL, &err), err);
    if (tune) assert_ok(mc_recipe_set(recipe, "tune", tune, NULL, &err), err);
    return recipe;
}

static int tune(void **state, const char *part, const char *out, const struct mc_share *share,
                struct mc_record **record, struct mc_error *err)
{
    struct mc_recipe *recipe = make(state, part);
    char dir[512];
    snprintf(dir, sizeof dir, "%s", scratch_path(state, out));
    *err = (struct mc_error){0};
    *record = NULL;
    const int rc = mc_recipe_tune(recipe, NULL, dir, false, share, record, err);
    mc_recipe_destroy(recipe);
    return rc;
}

static int64_t trial(const struct mc_record *record, size_t i)
{
    return mc_record_get_int(mc_record_at(mc_record_get(record, "tune.trials"), i), "trial", -1);
}

static double mean(const struct mc_record *record, size_t i)
{
    return mc_record_get_num(mc_record_at(mc_record_get(record, "tune.trials"), i), "mean", NAN);
}

#define GRID                                                                                                           \
    "{folds: 3, metric: loss, space: {steps.0.train.rate: [1.0e-6, 0.05], steps.0.train.optimizer: [sgd, adam]}}"

static void test_a_grid_is_sorted_and_the_best_is_a_recipe(void **state)
{
    struct mc_record *r, *run;
    struct mc_error err;
    struct mc_recipe *best;
    assert_ok(tune(state, GRID, "out", NULL, &r, &err), err);
    assert_int_equal(mc_record_size(mc_record_get(r, "tune.trials")), 4);
    for (size_t i = 1; i < 4; i++) assert_true(mean(r, i - 1) <= mean(r, i));
    assert_true(trial(r, 0) == 3); /* Adam at 0.05: the others hardly move in nine epochs */
    const struct mc_record *first = mc_record_at(mc_record_get(r, "tune.trials"), 0);
    assert_string_equal(mc_record_get_text(first, "values.0.option", ""), "steps.0.train.rate");
    assert_string_equal(mc_record_get_text(first, "values.0.value", ""), "0.05");
    assert_true(mc_record_get_num(first, "spread", -1) > 0);
    assert_int_equal(mc_record_size(mc_record_get(first, "folds")), 3);
    mc_record_destroy(r);
    assert_ok(mc_recipe_load(&best, scratch_path(state, "out/best.yaml"), &err), err);
    assert_ok(mc_recipe_run(best, NULL, NULL, false, &run, &err), err);
    assert_string_equal(mc_record_get_text(run, "steps.0.options.optimizer", ""), "adam");
    mc_record_destroy(run);
    mc_recipe_destroy(best);
}

/* Stop after so many reports. */
static bool stop(void *context, const struct mc_progress *at)
{
    int *left = context;
    return strcmp(at->what, "trials") != 0 || --*left > 0;
}

static void test_a_search_that_was_stopped_ends_as_one_that_was_not(void **state)
{
    struct mc_record *whole, *again;
    struct mc_error err;
    struct mc_context context;
    char dir[512];
    assert_ok(tune(state, GRID, "whole", NULL, &whole, &err), err);
    for (int n = 1; n < 6; n += 2) {
        struct mc_recipe *recipe = make(state, GRID);
        int left = n;
        mc_context_init(&context);
        context.progress = stop;
        context.progress_context = &left;
        snprintf(dir, sizeof dir, "%s", scratch_path(state, "cut"));
        assert_int_equal(mc_recipe_tune(recipe, &context, dir, false, NULL, &again, &err), MC_INTERRUPTED);
        mc_recipe_destroy(recipe);
    }
    assert_ok(tune(state, GRID, "cut", NULL, &again, &err), err);
    for (size_t i = 0; i < 4; i++) assert_true(trial(again, i) == trial(whole, i) && mean(again, i) == mean(whole, i));
    mc_record_destroy(again);
    mc_record_destroy(whole);
}

static void test_shares_do_their_part_and_the_last_sees_the_whole(void **state)
{
    struct mc_record *whole, *shared;
    struct mc_error err;
    struct mc_context context;
    char dir[512];
    assert_ok(tune(state, GRID, "whole", NULL, &whole, &err), err);
    /* the second of two does its half, then waits for the first and is stopped at that */
    struct mc_recipe *recipe = make(state, GRID);
    int left = 8;
    mc_context_init(&context);
    context.progress = stop;
    context.progress_context = &left;
    snprintf(dir, sizeof dir, "%s", scratch_path(state, "shared"));
    assert_int_equal(mc_recipe_tune(recipe, &context, dir, false, &(struct mc_share){1, 2}, &shared, &err),
                     MC_INTERRUPTED);
    mc_recipe_destroy(recipe);
    assert_ok(tune(state, GRID, "shared", &(struct mc_share){0, 2}, &shared, &err), err);
    for (size_t i = 0; i < 4; i++)
        assert_true(trial(shared, i) == trial(whole, i) && mean(shared, i) == mean(whole, i));
    mc_record_destroy(shared);
    mc_record_destroy(whole);
}

static void test_halving_gives_the_best_more_and_ends_with_one(void **state)
{
    struct mc_record *r;
    struct mc_error err;
    assert_ok(tune(state,
                   "{search: halving, trials: 9, eta: 3, resource: steps.0.train.epochs, metric: loss, space: "
                   "{steps.0.train.rate: {log: [1.0e-5, 0.1]}}}",
                   "out", NULL, &r, &err),
              err);
    static const int64_t rounds[9] = {2, 1, 1, 0, 0, 0, 0, 0, 0};
    for (size_t i = 0; i < 9; i++)
        assert_int_equal(mc_record_get_int(mc_record_at(mc_record_get(r, "tune.trials"), i), "round", -1), rounds[i]);
    assert_true(mean(r, 0) <= mean(r, 1)); /* nine epochs after three */
    mc_record_destroy(r);
}

static void test_a_trial_that_fails_comes_last(void **state)
{
    struct mc_record *r;
    struct mc_error err;
    assert_ok(tune(state, "{space: {steps.0.train.rate: [1.0e+30, 0.01], steps.0.train.optimizer: [sgd]}}", "out", NULL,
                   &r, &err),
              err);
    assert_true(trial(r, 0) == 1 && trial(r, 1) == 0 && isnan(mean(r, 1)));
    mc_record_destroy(r);
    assert_int_equal(
        tune(state, "{space: {steps.0.train.rate: [1.0e+30], steps.0.train.optimizer: [sgd]}}", "none", NULL, &r, &err),
        MC_ERR_INPUT);
}

static void test_what_cannot_be_searched_is_refused_before_anything_is_tried(void **state)
{
    static const struct {
        const char *part, *message;
    } cases[] = {
        {NULL, "'tune' is missing"},
        {"{folds: 3}", "'space' is missing"},
        {"{folds: 1, space: {seed: [1, 2]}}", "'folds': needs 0, or 2 and more, has 1"},
        {"{metric: r2, space: {seed: [1, 2]}}", "'metric': 'r2' is not measured on classes"},
        {"{space: {steps.0.train.rate: [0.1, -1]}}", "'rate'"},
        {"{space: {steps.0.train.raet: [0.1]}}", "unknown key 'raet'"},
        {"{search: random, space: {seed: [1]}, least: 2}", "'least' has a meaning only with search=halving"},
        {"{search: halving, space: {seed: [1]}}", "'resource' is missing"},
        {"{search: halving, resource: steps.1.train.epochs, space: {seed: [1]}}", "has no whole number at"},
        {"{search: grid, space: {seed: {integer: [1, 5]}}}", "a grid needs a number of points"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct mc_record *r;
        struct mc_error err;
        assert_int_equal(tune(state, cases[i].part, "out", NULL, &r, &err), MC_ERR_USAGE);
        if (!strstr(err.text, cases[i].message)) fail_msg("%s", err.text);
    }
    assert_int_equal(scratch_count(state), 1); /* the table */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_grid_is_sorted_and_the_best_is_a_recipe, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_a_search_that_was_stopped_ends_as_one_that_was_not, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_shares_do_their_part_and_the_last_sees_the_whole, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_halving_gives_the_best_more_and_ends_with_one, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_a_trial_that_fails_comes_last, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_what_cannot_be_searched_is_refused_before_anything_is_tried, scratch_setup,
                                        scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
