/* test_work.c - a recipe from its file to typed settings, also when memory runs out on the way. The messages for
 * mistakes are tested from outside: tests/cli/cases/recipe-mistakes.sh. */
#include "scratch.h"

#include <string.h>

#include "alloc_fail.h"
#include "recipe/recipe.h"
#include "recipe/work.h"

static const char recipe_text[] = "model: lenet-5\n"
                                  "data: glyphs\n"
                                  "seed: 7\n"
                                  "steps:\n"
                                  "  - prune: {method: magnitude, sparsity: 0.9, schedule: cubic, epochs: 4}\n"
                                  "  - distill:\n"
                                  "      teacher: original\n"
                                  "      alpha: 0.25\n"
                                  "      rate: {exponential: [0.001, 0.9]}\n"
                                  "      stop: {patience: 3, min_delta: 0.002}\n"
                                  "  - finetune\n"
                                  "gates: {max_accuracy_drop: 0.01, max_bytes: 120000}\n"
                                  "output: {model: small.onnx, report: [md, json]}\n";

static void test_values_arrive_in_their_types(void **state)
{
    struct mc_error err = {0};
    struct mc_recipe *recipe;
    struct mc_work work;
    assert_ok(mc_recipe_load(&recipe, scratch_file(state, "r.yaml", recipe_text, strlen(recipe_text)), &err), err);
    assert_ok(mc_work_init(&work, recipe->root, &err), err);
    assert_int_equal(work.n_steps, 3);
    assert_int_equal(mc_settings_integer(&work.top, "seed"), 7);
    assert_string_equal(work.steps[0].kind->name, "prune");
    assert_true(mc_settings_number(&work.steps[0].settings, "sparsity") == 0.9);
    assert_false(mc_settings_present(&work.steps[0].settings, "ratio"));
    const struct mc_settings *distill = &work.steps[1].settings;
    assert_true(mc_settings_number(distill, "alpha") == 0.25);
    assert_true(mc_settings_number(distill, "temperature") == 2); /* by default */
    assert_int_equal(mc_settings_integer(distill, "stop.patience"), 3);
    assert_true(mc_settings_number(distill, "stop.min_delta") == 0.002);
    assert_int_equal(mc_settings_find(distill, "rate")->rate.kind, MC_RATE_EXPONENTIAL);
    assert_true(work.steps[1].kind->needs_original(distill));
    assert_string_equal(work.steps[2].kind->name, "finetune");
    assert_int_equal(mc_settings_integer(&work.gates, "max_bytes"), 120000);
    assert_int_equal(mc_settings_integer(&work.output, "report"), 3);
    mc_work_finish(&work);
    mc_recipe_destroy(recipe);
}

static int attempt(void *context)
{
    struct mc_recipe *recipe;
    struct mc_work work;
    int rc = mc_recipe_load(&recipe, context, NULL);
    if (rc < 0) return rc;
    rc = mc_recipe_set(recipe, "gates.min_accuracy", "0.5", "--set", NULL);
    if (rc == MC_OK) rc = mc_recipe_set_text(recipe, "steps.3.train.epochs", "2", "--epochs", NULL);
    if (rc == MC_OK) {
        rc = mc_work_init(&work, recipe->root, NULL);
        mc_work_finish(&work);
    }
    mc_recipe_destroy(recipe);
    return rc;
}

static const char vars_text[] =
    "vars: {epochs: 4, where: out, file: \"${where}/a$${b}\", rate: {exponential: [0.1, 0.9]}}\n"
    "model: lenet-5\n"
    "data: glyphs\n"
    "steps:\n"
    "  - train: {epochs: \"${epochs}\", rate: \"${rate}\", save: \"${file}.onnx\"}\n"
    "gates: {max_bytes: \"${epochs}000\"}\n";

static void test_variables_stand_in_their_places(void **state)
{
    struct mc_error err = {0};
    struct mc_recipe *recipe;
    struct mc_work work;
    assert_ok(mc_recipe_load(&recipe, scratch_file(state, "r.yaml", vars_text, strlen(vars_text)), &err), err);
    assert_ok(mc_recipe_set(recipe, "vars.epochs", "6", "--set", &err), err);
    assert_ok(mc_work_init(&work, recipe->root, &err), err);
    const struct mc_settings *train = &work.steps[0].settings;
    assert_int_equal(mc_settings_integer(train, "epochs"), 6);
    assert_int_equal(mc_settings_find(train, "rate")->rate.kind, MC_RATE_EXPONENTIAL);
    assert_string_equal(mc_settings_text(&work.steps[0].common, "save"), "out/a${b}.onnx");
    assert_int_equal(mc_settings_integer(&work.gates, "max_bytes"), 6000);
    mc_work_finish(&work);
    mc_recipe_destroy(recipe);
}

static void test_variables_that_grow_beyond_measure_are_refused(void **state)
{
    static const char text[] =
        "vars:\n  a: [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
        "  b: [\"${a}\", \"${a}\", \"${a}\", \"${a}\", \"${a}\", \"${a}\"]\n"
        "  c: [\"${b}\", \"${b}\", \"${b}\", \"${b}\", \"${b}\", \"${b}\"]\n"
        "  d: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n"
        "  e: \"${d}${d}${d}${d}${d}${d}${d}${d}${d}${d}${d}${d}${d}${d}${d}${d}${d}${d}${d}\"\n"
        "  f: \"${e}${e}${e}${e}${e}${e}${e}${e}${e}${e}${e}${e}${e}${e}${e}${e}${e}${e}${e}\"\n"
        "  g: \"${f}${f}${f}${f}${f}${f}${f}${f}${f}${f}${f}${f}${f}${f}${f}${f}${f}${f}${f}\"\n"
        "  h: \"${g}${g}${g}${g}${g}${g}${g}${g}${g}${g}${g}${g}${g}${g}${g}${g}${g}${g}${g}\"\n"
        "model: lenet-5\n";
    struct mc_error err = {0};
    struct mc_recipe *recipe;
    struct mc_work work;
    assert_ok(mc_recipe_load(&recipe, scratch_file(state, "r.yaml", text, strlen(text)), &err), err);
    assert_true(mc_work_init(&work, recipe->root, &err) < 0);
    mc_work_finish(&work);
    mc_recipe_destroy(recipe);
}

static void test_running_out_of_memory_is_told_and_leaks_nothing(void **state)
{
    const char *path = scratch_file(state, "r.yaml", recipe_text, strlen(recipe_text));
    alloc_fail_each(attempt, (void *)(uintptr_t)path);
    static const char including[] = "include: vars.yaml\nsteps: [train, finetune, distill]\n";
    scratch_file(state, "vars.yaml", vars_text, strlen(vars_text));
    alloc_fail_each(attempt, (void *)(uintptr_t)scratch_file(state, "i.yaml", including, strlen(including)));
}

#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SCRATCH(test_values_arrive_in_their_types),
        IN_SCRATCH(test_variables_stand_in_their_places),
        IN_SCRATCH(test_variables_that_grow_beyond_measure_are_refused),
        IN_SCRATCH(test_running_out_of_memory_is_told_and_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
