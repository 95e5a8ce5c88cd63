/* test_intake.c - samples that a model is fed as other types. */
#include "base/alloc.h"
#include "op/ops.h"
#include "test.h"
#include "train/intake.h"

/* y = x, of the type; [2, 3] */
static struct mc_model *identity(enum mc_dtype dtype)
{
    struct mc_error err = {0};
    struct mc_model *model;
    assert_ok(mc_model_create(&model, 18, &err), err);
    struct mc_value *x = mc_value_create(model->graph, "x"), *y = mc_value_create(model->graph, "y");
    assert_non_null(x);
    assert_non_null(y);
    x->type = (struct mc_type){.dtype = dtype, .rank = 2, .dim = {2, 3}};
    assert_ok(mc_graph_add_input(model->graph, x, &err), err);
    assert_non_null(mc_node_create(model->graph, -1, "", "Identity", "same", 1, &x, 1, &y));
    assert_ok(mc_graph_add_output(model->graph, y, &err), err);
    mc_ops_bind(model);
    return model;
}

static int feed(enum mc_dtype dtype, const float *x, double *y, struct mc_error *err)
{
    struct mc_model *model = identity(dtype);
    struct mc_plan *plan;
    struct mc_intake intake;
    const struct mc_plan_options options = {.dims = {.batch = 2}};
    assert_ok(mc_plan_create(&plan, model, &options, err), *err);
    assert_ok(mc_intake_init(&intake, plan, err), *err);
    for (int i = 0; i < 6; i++) mc_intake_samples(&intake)[i] = x[i];
    int rc = mc_intake_settle(&intake, err);
    if (rc == MC_OK) rc = mc_plan_run(plan, err);
    for (int i = 0; rc == MC_OK && i < 6; i++) y[i] = mc_tensor_get_f64(mc_plan_output(plan, 0), i);
    mc_intake_finish(&intake);
    mc_plan_destroy(plan);
    mc_model_destroy(model);
    return rc;
}

static void test_samples_become_what_the_model_is_fed(void **state)
{
    static const enum mc_dtype types[] = {MC_FLOAT, MC_DOUBLE, MC_FLOAT16, MC_INT64, MC_INT32, MC_UINT8};
    static const float x[] = {0, 1, 2, 3, 250, 7};
    for (size_t t = 0; t < MC_COUNT(types); t++) {
        struct mc_error err = {0};
        double y[6];
        assert_ok(feed(types[t], x, y, &err), err);
        for (int i = 0; i < 6; i++) assert_true(y[i] == (double)x[i]);
    }
}

static void test_what_no_integer_says_is_refused(void **state)
{
    struct mc_error err = {0};
    double y[6];
    assert_int_equal(feed(MC_INT64, (const float[]){0, 1, 2.5F, 3, 4, 5}, y, &err), MC_ERR_INPUT);
    assert_string_equal(err.text, "the model is fed int64, a sample of the data has 2.5");
    assert_int_equal(feed(MC_UINT8, (const float[]){0, 1, 2, 3, 4, 300}, y, &err), MC_ERR_INPUT);
    assert_string_equal(err.text, "the model is fed uint8, a sample of the data has 300");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samples_become_what_the_model_is_fed),
        cmocka_unit_test(test_what_no_integer_says_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
