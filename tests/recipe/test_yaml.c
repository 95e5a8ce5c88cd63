/* test_yaml.c - YAML trees: places, limits, what is refused, putting values in. */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "recipe/yaml.h"

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

static struct mc_yaml_source source;

static int parse(void **state, const char *text, struct mc_yaml **root, struct mc_error *err)
{
    source = (struct mc_yaml_source){.name = "r.yaml", .text = text, .length = strlen(text)};
    return mc_yaml_parse(root, *state, &source, err);
}

static void test_nodes_know_their_places(void **state)
{
    struct mc_yaml *root;
    struct mc_error err = {0};
    assert_ok(parse(state, "a: 1\nsteps:\n  - b: {c: [x, \"y z\"]}\nnone:\n", &root, &err), err);
    assert_int_equal(root->kind, MC_YAML_MAPPING);
    assert_int_equal(root->n, 3);
    const struct mc_yaml *steps = mc_yaml_find(root, "steps");
    const struct mc_yaml *c = mc_yaml_find(mc_yaml_find(steps->entries[0].value, "b"), "c");
    assert_int_equal(c->kind, MC_YAML_SEQUENCE);
    assert_string_equal(c->entries[1].value->text, "y z");
    assert_int_equal(c->entries[1].value->line, 3);
    assert_int_equal(c->entries[1].value->column, 16);
    assert_true(mc_yaml_find(root, "none")->empty);
    assert_int_equal(mc_yaml_find(root, "none")->line, 4);
    assert_null(mc_yaml_find(root, "absent"));
    assert_null(mc_yaml_find(c, "absent"));
}

static void test_what_a_recipe_does_not_take_is_refused_with_its_place(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"a: 1\na: 2\n", "r.yaml:2:1: key 'a' stands here twice"},
        {"a: &x 1\nb: *x\n", "r.yaml:1:7: anchors are not taken"},
        {"a: *x\n", "r.yaml:1:5: aliases are not taken"},
        {"a: !!str 1\n", "r.yaml:1:10: tags are not taken"},
        {"? [a]\n: 1\n", "r.yaml:1:3: a key has to be a text"},
        {"a: 1\n---\nb: 2\n", "r.yaml:2:1: a second document"},
        {"", "r.yaml:1:1: there is nothing in it"},
        {"# only a comment\n", "r.yaml:1:1: there is nothing in it"},
        {"a: \"x\\0y\"\n", "r.yaml:1:5: a text holds a zero byte"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct mc_yaml *root;
        struct mc_error err = {0};
        assert_int_equal(parse(state, cases[i].text, &root, &err), MC_ERR_USAGE);
        assert_string_equal(err.text, cases[i].message);
    }
}

static void test_syntax_errors_have_line_and_column_and_show_the_line(void **state)
{
    struct mc_yaml *root;
    struct mc_error err = {0};
    assert_int_equal(parse(state, "a: 1\nb: c: d\n", &root, &err), MC_ERR_USAGE);
    assert_memory_equal(err.text, "r.yaml:2:5: no YAML: ", 21);
    assert_string_equal(err.hint, "b: c: d\n    ^");
}

static void test_a_long_line_is_shown_around_the_column(void **state)
{
    char text[1200];
    struct mc_yaml *root;
    struct mc_error err = {0};
    memset(text, 'x', sizeof text);
    memcpy(text + 1000, ": &a 1\n", 8);
    assert_int_equal(parse(state, text, &root, &err), MC_ERR_USAGE);
    assert_non_null(strstr(err.hint, "x: &a 1\n"));
    assert_true(strlen(err.hint) < sizeof err.hint - 1);
    assert_int_equal(err.hint[strlen(err.hint) - 1], '^');
}

static void test_nesting_size_and_count_meet_a_limit(void **state)
{
    struct mc_yaml *root;
    struct mc_error err = {0};
    char deep[MC_YAML_MAX_DEPTH * 2 + 1] = "";
    memset(deep, '[', MC_YAML_MAX_DEPTH + 1);
    assert_int_equal(parse(state, deep, &root, &err), MC_ERR_USAGE);
    assert_non_null(strstr(err.text, "nested too deeply"));

    char *many = malloc(2 * MC_YAML_MAX_NODES + 16);
    strcpy(many, "[");
    for (int i = 0; i <= MC_YAML_MAX_NODES; i++) memcpy(many + 1 + 2 * (size_t)i, "1,", 3);
    strcat(many, "]");
    assert_int_equal(parse(state, many, &root, &err), MC_ERR_USAGE);
    assert_non_null(strstr(err.text, "too many entries"));
    free(many);

    source = (struct mc_yaml_source){.name = "r.yaml", .text = "", .length = MC_YAML_MAX_BYTES + (size_t)1};
    assert_int_equal(mc_yaml_parse(&root, *state, &source, &err), MC_ERR_USAGE);
}

static struct mc_yaml *word(void **state, const char *text)
{
    static const struct mc_yaml_source line = {.name = "--set"};
    return mc_yaml_scalar(*state, &line, text);
}

static void test_values_are_put_at_paths_and_the_way_is_made(void **state)
{
    struct mc_yaml *root;
    struct mc_error err = {0};
    assert_ok(parse(state, "steps:\n  - train: {epochs: 3}\ngates:\n", &root, &err), err);
    assert_ok(mc_yaml_put(&root, *state, "steps.0.train.epochs", word(state, "5"), &err), err);
    assert_ok(mc_yaml_put(&root, *state, "steps.1.prune.ratio", word(state, "0.5"), &err), err);
    assert_ok(mc_yaml_put(&root, *state, "gates.max_bytes", word(state, "9"), &err), err);
    assert_ok(mc_yaml_put(&root, *state, "list.0", word(state, "x"), &err), err);
    const struct mc_yaml *steps = mc_yaml_find(root, "steps");
    assert_int_equal(steps->n, 2);
    assert_string_equal(mc_yaml_find(mc_yaml_find(steps->entries[0].value, "train"), "epochs")->text, "5");
    assert_string_equal(mc_yaml_find(mc_yaml_find(steps->entries[1].value, "prune"), "ratio")->text, "0.5");
    assert_string_equal(mc_yaml_find(mc_yaml_find(root, "gates"), "max_bytes")->text, "9");
    assert_int_equal(mc_yaml_find(root, "list")->kind, MC_YAML_SEQUENCE);
}

static void test_a_barred_way_is_refused(void **state)
{
    struct mc_yaml *root;
    struct mc_error err = {0};
    assert_ok(parse(state, "model: net.onnx\nsteps: [train]\n", &root, &err), err);
    assert_int_equal(mc_yaml_put(&root, *state, "model.path", word(state, "x"), &err), MC_ERR_USAGE);
    assert_string_equal(err.text, "--set: 'path' leads into 'net.onnx', which is no mapping");
    assert_int_equal(mc_yaml_put(&root, *state, "steps.7.train", word(state, "x"), &err), MC_ERR_USAGE);
    assert_string_equal(err.text, "--set: '7' is neither number nor name of an entry of a list of 1");
    assert_int_equal(mc_yaml_put(&root, *state, "a..b", word(state, "x"), &err), MC_ERR_USAGE);
    assert_int_equal(mc_yaml_put(&root, *state, ".a", word(state, "x"), &err), MC_ERR_USAGE);
}

static void test_a_step_is_found_by_its_name(void **state)
{
    struct mc_yaml *root;
    struct mc_error err = {0};
    assert_ok(parse(state, "steps:\n  - train\n  - prune: {name: cut, ratio: 0.5}\n", &root, &err), err);
    assert_string_equal(mc_yaml_at(root, "steps.cut.ratio")->text, "0.5");
    assert_ok(mc_yaml_put(&root, *state, "steps.cut.ratio", word(state, "0.25"), &err), err);
    assert_string_equal(mc_yaml_at(root, "steps.1.prune.ratio")->text, "0.25");
    assert_int_equal(mc_yaml_put(&root, *state, "steps.cat.ratio", word(state, "1"), &err), MC_ERR_USAGE);
}

static void test_mappings_are_laid_over_each_other_key_by_key(void **state)
{
    struct mc_yaml *base, *over;
    struct mc_error err = {0};
    assert_ok(parse(state, "a: 1\nb: {c: 2, d: [3, 4]}\ne: {f: 5}\n", &base, &err), err);
    assert_ok(parse(state, "b: {d: [6], g: 7}\ne: 8\n", &over, &err), err);
    assert_ok(mc_yaml_merge(&base, *state, over, &err), err);
    struct mc_buf text;
    mc_buf_init(&text, 1000);
    mc_yaml_print_flow(base, &text);
    assert_string_equal(text.data, "{a: 1, b: {c: 2, d: [6], g: 7}, e: 8}");
    mc_buf_finish(&text);
}

#define IN_ARENA(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_ARENA(test_nodes_know_their_places),
        IN_ARENA(test_what_a_recipe_does_not_take_is_refused_with_its_place),
        IN_ARENA(test_syntax_errors_have_line_and_column_and_show_the_line),
        IN_ARENA(test_a_long_line_is_shown_around_the_column),
        IN_ARENA(test_nesting_size_and_count_meet_a_limit),
        IN_ARENA(test_values_are_put_at_paths_and_the_way_is_made),
        IN_ARENA(test_a_barred_way_is_refused),
        IN_ARENA(test_a_step_is_found_by_its_name),
        IN_ARENA(test_mappings_are_laid_over_each_other_key_by_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
