/* test_extremes.c - Min and Max. */
#include "op/ops.h"

#include <math.h>

#include "coupled.h"
#include "elements.h"
#include "harness.h"
#include "run/plan.h"

static const char *const all[] = {"Max", "Min"};
#define EACH(k) for (int k = 0; k < 2; k++)

static void test_extremes_agree_with_onnxruntime(void **state)
{
    EACH(k) elements_check(all[k], 0);
}

static void test_extremes_backward_matches_finite_differences(void **state)
{
    EACH(k)
    {
        op_check_gradient(&(struct op_case){.type = all[k], .opset = 13, .in = {{OP_DIMS(3, 4)}, {OP_DIMS(3, 4)}}});
        op_check_gradient(&(struct op_case){.type = all[k], .opset = 13, .in = {{OP_DIMS(3, 1)}, {OP_DIMS(1, 4)}}});
        op_check_gradient(&(struct op_case){
            .type = all[k], .opset = 8, .in = {{OP_DIMS(4)}, {OP_DIMS(2, 3, 1)}, {OP_SCALAR}}, .n_in = 3});
        op_check_gradient(&(struct op_case){.type = all[k], .opset = 13, .in = {{OP_DIMS(3, 4)}}});
        op_check_gradient(&(struct op_case){.type = all[k], .opset = 13, .in = {{OP_DIMS(0, 4)}, {OP_DIMS(1, 4)}}});
    }
}

/* d max(values…) / d each of them */
static void gradients_at(const char *type, int n, const double *values, double *gradients)
{
    struct mc_error err = {0};
    struct op_case c = {.type = type, .opset = 13, .n_in = n};
    struct mc_plan *plan;
    struct mc_runtime runtime;
    for (int i = 0; i < n; i++) c.in[i] = (struct op_tensor){OP_DIMS(1), .data = &values[i], .initializer = true};
    struct mc_model *model = op_model(&c, MC_FLOAT);
    mc_runtime_init(&runtime, 1, MC_CPU_AVX512);
    const struct mc_plan_options options = {.runtime = &runtime,
                                            .training = true,
                                            .no_fold = true,
                                            .n_wrt = n,
                                            .wrt = (const struct mc_value *const *)model->graph->nodes[0]->inputs};
    assert_ok(mc_plan_create(&plan, model, &options, &err), err);
    assert_ok(mc_plan_run(plan, &err), err);
    mc_tensor_set_f64(mc_plan_grad_output(plan, 0), 0, 1);
    assert_ok(mc_plan_backward(plan, &err), err);
    for (int i = 0; i < n; i++) gradients[i] = mc_tensor_get_f64(mc_plan_grad(plan, i), 0);
    mc_plan_destroy(plan);
    mc_model_destroy(model);
}

/* torch 2.15: torch.maximum and torch.minimum give each of two equal operands half of the gradient */
static void test_equal_operands_share_the_gradient(void **state)
{
    double g[3];
    EACH(k)
    {
        gradients_at(all[k], 2, (const double[]){2, 2}, g);
        assert_true(g[0] == 0.5 && g[1] == 0.5);
        gradients_at(all[k], 3, k ? (const double[]){1, 7, 1} : (const double[]){7, 1, 7}, g);
        assert_true(g[0] == 0.5 && g[1] == 0 && g[2] == 0.5);
    }
}

static void test_nan_in_any_operand_shows(void **state)
{
    EACH(k)
    op_check(&(struct op_case){.type = all[k],
                               .opset = 13,
                               .in = {{OP_DIMS(3), OP_DATA(NAN, 1, 1)},
                                      {OP_DIMS(3), OP_DATA(1, NAN, 1)},
                                      {OP_DIMS(3), OP_DATA(1, 1, NAN)}},
                               .n_in = 3},
             (struct op_tensor[]){{OP_DIMS(3), OP_DATA(NAN, NAN, NAN)}}, 0);
}

static void test_extremes_refuse_operands_that_do_not_fit(void **state)
{
    EACH(k)
    {
        op_check_refused(
            &(struct op_case){.type = all[k], .opset = 13, .in = {{OP_DIMS(2)}, {OP_DIMS(1)}, {OP_DIMS(3)}}},
            MC_ERR_INPUT, "input 2 'in2': needs a shape that broadcasts with [2], has [3]");
        op_check_refused(
            &(struct op_case){.type = all[k], .opset = 13, .in = {{.dtype = MC_BOOL, OP_DIMS(1), OP_DATA(1)}}},
            MC_ERR_UNSUPPORTED, "has bool");
    }
}

static void test_extremes_tie_all_operands(void **state)
{
    EACH(k)
    {
        struct coupled t;
        coupled_init(&t, 13);
        struct mc_value *const in[] = {coupled_value(&t, "a", mc_shape_of(INTS(2, 3))),
                                       coupled_value(&t, "b", mc_shape_of(INTS(3))),
                                       coupled_value(&t, "c", mc_shape_of(INTS(2, 1)))};
        const struct mc_value *y = coupled_node(&t, all[k], 3, in, 1)->outputs[0];
        coupled_couple(&t);
        assert_true(coupled_tied(&t, in[0], 1, 2, y, 1, 2));
        assert_true(coupled_tied(&t, in[1], 0, 2, y, 1, 2));
        assert_true(coupled_tied(&t, in[2], 0, 1, y, 0, 1));
        coupled_finish(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_extremes_agree_with_onnxruntime),
        cmocka_unit_test(test_extremes_backward_matches_finite_differences),
        cmocka_unit_test(test_equal_operands_share_the_gradient),
        cmocka_unit_test(test_nan_in_any_operand_shows),
        cmocka_unit_test(test_extremes_refuse_operands_that_do_not_fit),
        cmocka_unit_test(test_extremes_tie_all_operands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
