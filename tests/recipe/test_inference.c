/* test_inference.c - one run of a model on given tensors. */
#include "test.h"

#include <string.h>

#include "graph/graph.h"
#include "op/ops.h"

static struct mc_value *add_input(struct mc_model *model, const char *name, enum mc_dtype dtype, int64_t extent)
{
    struct mc_error err = {0};
    struct mc_value *const value = mc_value_create(model->graph, name);
    assert_non_null(value);
    value->type = (struct mc_type){.dtype = dtype, .rank = 1, .dim = {extent}};
    assert_ok(mc_graph_add_input(model->graph, value, &err), err);
    return value;
}

/* y = Reshape(x [6], target [2]), both fed. */
static struct mc_model *reshape_model(void)
{
    struct mc_error err = {0};
    struct mc_model *model;
    assert_ok(mc_model_create(&model, 13, &err), err);
    struct mc_value *const in[] = {add_input(model, "x", MC_FLOAT, 6), add_input(model, "target", MC_INT64, 2)};
    struct mc_value *const y = mc_value_create(model->graph, "y");
    assert_non_null(mc_node_create(model->graph, -1, "", "Reshape", "reshape", 2, in, 1, &y));
    assert_ok(mc_graph_add_output(model->graph, y, &err), err);
    mc_ops_bind(model);
    return model;
}

static struct mc_tensor *tensor(enum mc_dtype dtype, int64_t n, const void *contents)
{
    struct mc_error err = {0};
    struct mc_tensor *made;
    assert_ok(mc_tensor_create(&made, dtype, &(struct mc_shape){.rank = 1, .dim = {n}}, &err), err);
    memcpy(made->data, contents, mc_tensor_bytes(made));
    return made;
}

static void test_fed_integers_may_decide_shapes(void **state)
{
    (void)state;
    struct mc_error err = {0};
    struct mc_context context;
    mc_context_init(&context);
    struct mc_model *const model = reshape_model();
    struct mc_tensor *inputs[] = {tensor(MC_FLOAT, 6, (const float[]){1, 2, 3, 4, 5, 6}),
                                  tensor(MC_INT64, 2, (const int64_t[]){3, 2})};
    struct mc_tensor *output = NULL;
    assert_ok(mc_model_run(model, &context, inputs, 2, &output, &err), err);
    assert_int_equal(output->shape.rank, 2);
    assert_int_equal(output->shape.dim[0], 3);
    assert_true(mc_tensor_get_f64(output, 5) == 6);
    mc_tensor_destroy(output);
    ((int64_t *)inputs[1]->data)[0] = 4;
    assert_int_equal(mc_model_run(model, &context, inputs, 2, &output, &err), MC_ERR_INPUT);
    assert_non_null(strstr(err.text, "needs 8 elements, has 6"));
    for (int i = 0; i < 2; i++) mc_tensor_destroy(inputs[i]);
    mc_model_destroy(model);
}

static void test_wrong_number_of_inputs_is_refused(void **state)
{
    (void)state;
    struct mc_error err = {0};
    struct mc_context context;
    mc_context_init(&context);
    struct mc_model *const model = reshape_model();
    struct mc_tensor *output = NULL;
    assert_int_equal(mc_model_run(model, &context, NULL, 0, &output, &err), MC_ERR_USAGE);
    assert_string_equal(err.text, "the model takes 2 inputs, has been given 0");
    mc_model_destroy(model);
}

/* One runner, several targets of several lengths: each is right, also when it comes again. */
static void test_a_runner_serves_any_shapes_in_turn(void **state)
{
    (void)state;
    struct mc_error err = {0};
    struct mc_model *const model = reshape_model();
    struct mc_runner *runner;
    assert_ok(mc_runner_create(&runner, model, NULL, &err), err);
    model->graph->inputs[0]->type.dim[0] = -1;
    for (int k = 0; k < 30; k++) {
        const int64_t n = 2 + 2 * (k % 12), target[] = {2, n / 2};
        float numbers[32];
        for (int i = 0; i < n; i++) numbers[i] = (float)(k + i);
        struct mc_item *in[] = {mc_item_of_tensor(tensor(MC_FLOAT, n, numbers)),
                                mc_item_of_tensor(tensor(MC_INT64, 2, target))},
                       *out;
        assert_ok(mc_runner_run(runner, in, 2, &out, &err), err);
        assert_int_equal(out->tensor->shape.dim[1], n / 2);
        assert_true(mc_tensor_get_f64(out->tensor, n - 1) == (double)(k + n - 1));
        mc_item_release(out);
        for (int i = 0; i < 2; i++) mc_item_release(in[i]);
    }
    mc_runner_destroy(runner);
    mc_model_destroy(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fed_integers_may_decide_shapes),
        cmocka_unit_test(test_wrong_number_of_inputs_is_refused),
        cmocka_unit_test(test_a_runner_serves_any_shapes_in_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
