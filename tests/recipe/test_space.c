/* test_space.c - spaces of a search: what they take, which values their trials have, and trees as text again. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "recipe/space.h"
#include "test.h"

static struct mc_yaml_source source;

static int setup(void **state)
{
    *state = calloc(1, sizeof(struct mc_arena));
    return *state ? 0 : -1;
}

static int teardown(void **state)
{
    mc_arena_finish(*state);
    free(*state);
    return 0;
}

static int read_space(void **state, const char *text, struct mc_space *space, struct mc_error *err)
{
    struct mc_yaml *root;
    source = (struct mc_yaml_source){.name = "r.yaml", .text = text, .length = strlen(text)};
    assert_ok(mc_yaml_parse(&root, *state, &source, err), *err);
    return mc_space_init(space, root, err);
}

static void test_what_is_no_space_is_refused_with_its_place(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"a: 3\n", "r.yaml:1:4: 'a': needs a list of values or a range, has a text"},
        {"a: []\n", "r.yaml:1:4: 'a': needs a list of values or a range, has a list"},
        {"a: {lag: [1, 2]}\n",
         "r.yaml:1:5: 'a': needs a list of values, or one of uniform, log, integer with [low, high]"},
        {"a: {log: [0, 1]}\n", "r.yaml:1:10: 'a': log needs numbers above 0"},
        {"a: {log: [2, 1]}\n", "r.yaml:1:10: 'a': needs [low, high] or [low, high, points] with low below high"},
        {"a: {uniform: [1]}\n", "r.yaml:1:14: 'a': needs [low, high] or [low, high, points] with low below high"},
        {"a: {uniform: [1, nan]}\n", "r.yaml:1:14: 'a': needs [low, high] or [low, high, points] with low below high"},
        {"a: {uniform: [1, 2, 1.5]}\n", "r.yaml:1:14: 'a': needs 2 points or more, a whole number"},
        {"- a\n", "r.yaml:1:1: 'space' needs a mapping of options to values, has a list"},
    };
    for (size_t i = 0; i < MC_COUNT(cases); i++) {
        struct mc_space space;
        struct mc_error err = {0};
        assert_int_equal(read_space(state, cases[i].text, &space, &err), MC_ERR_USAGE);
        assert_string_equal(err.text, cases[i].message);
    }
}

static void test_a_grid_has_every_combination_the_last_axis_fastest(void **state)
{
    struct mc_space space;
    struct mc_error err = {0};
    int n;
    assert_ok(read_space(state, "a: [x, y]\nb: {log: [0.01, 1, 3]}\nc: {integer: [2, 4, 2]}\n", &space, &err), err);
    assert_ok(mc_space_grid_size(&space, &n, &err), err);
    assert_int_equal(n, 12);
    static const char *const expected[12][3] = {
        {"x", "0.01", "2"}, {"x", "0.01", "4"}, {"x", "0.1", "2"}, {"x", "0.1", "4"}, {"x", "1", "2"}, {"x", "1", "4"},
        {"y", "0.01", "2"}, {"y", "0.01", "4"}, {"y", "0.1", "2"}, {"y", "0.1", "4"}, {"y", "1", "2"}, {"y", "1", "4"}};
    for (int trial = 0; trial < n; trial++)
        for (int axis = 0; axis < 3; axis++)
            assert_string_equal(mc_space_grid_value(&space, axis, trial, *state)->text, expected[trial][axis]);
    assert_ok(read_space(state, "a: {uniform: [0, 1]}\n", &space, &err), err);
    assert_int_equal(mc_space_grid_size(&space, &n, &err), MC_ERR_USAGE);
    err = (struct mc_error){0};
    assert_ok(read_space(state, "a: {uniform: [0, 1, 200]}\nb: {uniform: [0, 1, 200]}\n", &space, &err), err);
    assert_int_equal(mc_space_grid_size(&space, &n, &err), MC_ERR_USAGE);
}

/* Whatever order they are drawn in; within the range; log-uniform draws have their median at the geometric mean. */
static void test_draws_depend_on_seed_and_trial_alone(void **state)
{
    enum { TRIALS = 400 };
    struct mc_space space;
    struct mc_error err = {0};
    int below = 0, counts[3] = {0}, differ = 0;
    assert_ok(read_space(state, "a: {log: [0.0001, 1]}\nb: {integer: [1, 3]}\nc: [p, {q: [1, 2]}]\n", &space, &err),
              err);
    for (int trial = TRIALS - 1; trial >= 0; trial--) {
        const char *text = mc_space_random_value(&space, 0, trial, 7, *state)->text;
        const double a = strtod(text, NULL);
        const int b = atoi(mc_space_random_value(&space, 1, trial, 7, *state)->text);
        assert_string_equal(mc_space_random_value(&space, 0, trial, 7, *state)->text, text);
        differ += strcmp(mc_space_random_value(&space, 0, trial, 8, *state)->text, text) != 0;
        assert_true(a >= 0.0001 && a <= 1 && b >= 1 && b <= 3);
        below += a < 0.01;
        counts[b - 1]++;
        assert_non_null(mc_space_random_value(&space, 2, trial, 7, *state));
    }
    assert_true(below > TRIALS * 2 / 5 && below < TRIALS * 3 / 5);
    for (int i = 0; i < 3; i++) assert_true(counts[i] > TRIALS / 4);
    assert_true(differ > TRIALS * 9 / 10);
}

static bool same_tree(const struct mc_yaml *a, const struct mc_yaml *b)
{
    if (a->kind != b->kind || a->empty != b->empty || a->n != b->n) return false;
    if (a->kind == MC_YAML_SCALAR) return a->empty || strcmp(a->text, b->text) == 0;
    for (int i = 0; i < a->n; i++) {
        if (a->kind == MC_YAML_MAPPING && strcmp(a->entries[i].key->text, b->entries[i].key->text) != 0) return false;
        if (!same_tree(a->entries[i].value, b->entries[i].value)) return false;
    }
    return true;
}

static void test_a_tree_that_was_printed_parses_to_the_same(void **state)
{
    static const char *const texts[] = {
        "model: a.onnx\ndata: \"csv:a b.csv,label=x\"\nsteps:\n  - train: {rate: {log: [1, 2]}, stop: {patience: 3}}\n "
        " - "
        "finetune\ngates:\n",
        "a: \"x: y\"\nb: \"# no comment\"\nc: \"\\\"quoted\\\" \\\\ \\t\"\nd: '- dash'\ne: [1, [2, 3], {}]\nf: {}\ng: "
        "''\n",
        "- [a, b]\n- {c: d}\n- e\n",
        "\"key with spaces\": \"a, b]\"\n\"-k\": \"{\"\n",
    };
    for (size_t i = 0; i < MC_COUNT(texts); i++) {
        struct mc_error err = {0};
        struct mc_yaml *root, *again;
        struct mc_buf out;
        source = (struct mc_yaml_source){.name = "r.yaml", .text = texts[i], .length = strlen(texts[i])};
        assert_ok(mc_yaml_parse(&root, *state, &source, &err), err);
        mc_buf_init(&out, 1 << 16);
        mc_yaml_print(root, &out);
        const struct mc_yaml_source printed = {.name = "printed", .text = out.data, .length = out.length};
        assert_ok(mc_yaml_parse(&again, *state, &printed, &err), err);
        assert_true(same_tree(root, again));
        mc_buf_finish(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_is_no_space_is_refused_with_its_place, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_grid_has_every_combination_the_last_axis_fastest, setup, teardown),
        cmocka_unit_test_setup_teardown(test_draws_depend_on_seed_and_trial_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_tree_that_was_printed_parses_to_the_same, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
