/* test_linear.c - the recipes of models/linear against the closed form and scikit-learn 1.9.1
 * (tests/reference/linear_models.py). The folder is the program's argument. */
#include <math.h>
#include <string.h>

#include "graph/graph.h"
#include "onnx/onnx.h"
#include "scratch.h"

static const char *folder;

/* The weights and the bias of what a recipe writes are `wanted` to 1e-4. */
static void check(void **state, const char *name, const double wanted[5])
{
    struct mc_error err = {0};
    struct mc_recipe *recipe;
    struct mc_record *record;
    struct mc_model *model;
    char path[4096], file[64];
    snprintf(path, sizeof path, "%s/%s.yaml", folder, name);
    snprintf(file, sizeof file, "%s.onnx", name);
    assert_ok(mc_recipe_load(&recipe, path, &err), err);
    assert_ok(mc_recipe_run(recipe, NULL, *state, false, &record, &err), err);
    assert_ok(mc_onnx_load(&model, scratch_path(state, file), &err), err);
    const float *w = model->graph->initializers[0]->data->data, *b = model->graph->initializers[1]->data->data;
    for (int i = 0; i < 5; i++) {
        const double found = i < 4 ? w[i] : b[0];
        if (!(fabs(found - wanted[i]) < 1e-4))
            fail_msg("%s, coefficient %d: %.9g is not %.9g", name, i, found, wanted[i]);
    }
    mc_model_destroy(model);
    mc_record_destroy(record);
    mc_recipe_destroy(recipe);
}

static void test_linear_regression_with_l2_is_the_ridge_solution(void **state)
{
    static const double wanted[] = {1.032462377, -1.492963581, 0.460103695, 0.239769884, 3.009416595};
    check(state, "ridge", wanted);
}

static void test_logistic_regression_is_that_of_scikit_learn(void **state)
{
    static const double wanted[] = {0.083593686, -0.314103290, 0.861064026, 0.107322546, -0.218257848};
    check(state, "logistic", wanted);
}

#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_setup, scratch_teardown)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        IN_SCRATCH(test_linear_regression_with_l2_is_the_ridge_solution),
        IN_SCRATCH(test_logistic_regression_is_that_of_scikit_learn),
    };
    if (argc != 2) return 1;
    folder = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
