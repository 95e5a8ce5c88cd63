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

/* --- the fewest bytes --- */

#define SPACE                                                                                                          \
    "metric: accuracy, folds: 2, space: {steps.1.prune.sparsity: [0, 0.3, 0.6, 0.8, 0.95], steps.0.train.rate: "       \
    "[0.05, "                                                                                                          \
    "1.0e-7]}}"

static int tune_pruned(void **state, const char *part, const char *out, struct mc_context *context,
                       const struct mc_share *share, struct mc_record **record, struct mc_error *err)
{
    struct mc_recipe *recipe = make(state, part);
    char dir[512];
    snprintf(dir, sizeof dir, "%s", scratch_path(state, out));
    assert_ok(mc_recipe_set(recipe, "steps.1.prune", "{sparsity: 0.5}", NULL, err), *err);
    *record = NULL;
    const int rc = mc_recipe_tune(recipe, context, dir, false, share, record, err);
    mc_recipe_destroy(recipe);
    return rc;
}

static double bytes(const struct mc_record *record, size_t i)
{
    return mc_record_get_num(mc_record_at(mc_record_get(record, "tune.trials"), i), "bytes", NAN);
}

static bool holds(const struct mc_record *record, size_t i)
{
    return mc_record_get_bool(mc_record_at(mc_record_get(record, "tune.trials"), i), "holds", false);
}

/* What holds comes first, by bytes, and holds because its mean says so. */
static void check_order(const struct mc_record *r, double max_drop)
{
    const double before = mc_record_get_num(r, "tune.before.mean", NAN);
    const size_t n = mc_record_size(mc_record_get(r, "tune.trials"));
    assert_true(before > 0 && before < 1 && mc_record_get_num(r, "tune.before.bytes", 0) > 0);
    assert_true(holds(r, 0));
    for (size_t i = 0; i < n; i++) {
        assert_true(bytes(r, i) > 0 && holds(r, i) == (before - mean(r, i) <= max_drop + 1e-12));
        if (i == 0) continue;
        assert_true(holds(r, i - 1) || !holds(r, i));
        if (holds(r, i)) assert_true(bytes(r, i - 1) <= bytes(r, i));
    }
}

static void test_the_smallest_of_a_grid_keeps_the_bound(void **state)
{
    for (int size = 0; size < 2; size++) {
        struct mc_record *r;
        struct mc_error err = {0};
        struct mc_recipe *best;
        char part[512], out[16], path[32];
        snprintf(part, sizeof part, "{objective: smallest, max_drop: 0, size: %s, " SPACE, size ? "file" : "packed");
        snprintf(out, sizeof out, "out%d", size);
        snprintf(path, sizeof path, "out%d/best.yaml", size);
        assert_ok(tune_pruned(state, part, out, NULL, NULL, &r, &err), err);
        assert_int_equal(mc_record_size(mc_record_get(r, "tune.trials")), 10);
        check_order(r, 0);
        if (!size) assert_true(bytes(r, 0) < mc_record_get_num(r, "tune.before.bytes", 0));
        mc_record_destroy(r);
        assert_ok(mc_recipe_load(&best, scratch_path(state, path), &err), err);
        mc_recipe_destroy(best);
    }
}

/* Two ladders of five values, three trials each at most; the same however it is cut or shared out. */
static void test_a_ladder_is_climbed_by_bisection(void **state)
{
    static const char part[] = "{search: ladder, objective: smallest, max_drop: 0.1, " SPACE;
    struct mc_record *whole, *r;
    struct mc_error err = {0};
    struct mc_context context;
    assert_ok(tune_pruned(state, part, "whole", NULL, NULL, &whole, &err), err);
    const size_t n = mc_record_size(mc_record_get(whole, "tune.trials"));
    assert_true(n >= 4 && n <= 6);
    check_order(whole, 0.1);
    for (int stops = 1; stops < 6; stops += 2) {
        int left = stops;
        mc_context_init(&context);
        context.progress = stop;
        context.progress_context = &left;
        assert_int_equal(tune_pruned(state, part, "cut", &context, NULL, &r, &err), MC_INTERRUPTED);
    }
    assert_ok(tune_pruned(state, part, "cut", NULL, NULL, &r, &err), err);
    for (size_t i = 0; i < n; i++) assert_true(trial(r, i) == trial(whole, i) && mean(r, i) == mean(whole, i));
    mc_record_destroy(r);
    /* the second of two waits for the model as it is, which is the first's, and is stopped at that */
    int left = 2;
    mc_context_init(&context);
    context.progress = stop;
    context.progress_context = &left;
    assert_int_equal(tune_pruned(state, part, "shared", &context, &(struct mc_share){1, 2}, &r, &err), MC_INTERRUPTED);
    mc_record_destroy(whole);
}

static void test_no_trial_within_the_bound_is_an_error(void **state)
{
    struct mc_record *r;
    struct mc_error err = {0};
    const int rc = tune_pruned(state,
                               "{objective: smallest, max_drop: 1, metric: loss, space: {steps.0.train.rate: "
                               "[1.0e+30], steps.0.train.optimizer: [sgd]}}",
                               "out", NULL, NULL, &r, &err);
    assert_int_equal(rc, MC_ERR_USAGE);
    assert_non_null(strstr(err.text, "no trial keeps the loss within 1 of "));
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
        {"{search: ladder, space: {seed: [1]}}", "a ladder needs 'objective: smallest'"},
        {"{search: halving, objective: smallest, resource: steps.0.train.epochs, space: {seed: [1]}}",
         "halving has no 'objective: smallest'"},
        {"{max_drop: 0.1, space: {seed: [1]}}", "'max_drop' has a meaning only with objective=smallest"},
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
        cmocka_unit_test_setup_teardown(test_the_smallest_of_a_grid_keeps_the_bound, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_a_ladder_is_climbed_by_bisection, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_no_trial_within_the_bound_is_an_error, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_what_cannot_be_searched_is_refused_before_anything_is_tried, scratch_setup,
                                        scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
