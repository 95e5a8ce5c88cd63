/* test_activation.c - Relu, LeakyRelu, Sigmoid, Tanh, HardSigmoid, HardSwish, Elu, Gelu, Erf, Exp, Log, Sqrt, Neg, Abs.
 */
#include "op/ops.h"

#include <math.h>
#include <string.h>

#include "coupled.h"
#include "elements.h"
#include "harness.h"

/* All operators of the file, a version that has each, and where they are defined. */
static const struct {
    const char *type;
    int opset;
    double low, high;
} all[] = {
    {"Relu", 14, -3, 3},       {"LeakyRelu", 16, -3, 3}, {"Sigmoid", 13, -3, 3}, {"Tanh", 13, -3, 3},
    {"HardSigmoid", 6, -4, 4}, {"HardSwish", 14, -4, 4}, {"Elu", 6, -3, 3},      {"Gelu", 20, -3, 3},
    {"Erf", 13, -3, 3},        {"Exp", 13, -3, 3},       {"Log", 13, 0.2, 5},    {"Sqrt", 13, 0.2, 5},
    {"Neg", 13, -3, 3},        {"Abs", 13, -3, 3},
};

#define EACH(k) for (size_t k = 0; k < sizeof(all) / sizeof(*all); k++)

static void test_activations_agree_with_onnxruntime(void **state)
{
    EACH(k) elements_check(all[k].type, 2e-6);
}

static void test_activation_gradients_match_finite_differences(void **state)
{
    EACH(k)
    {
        op_check_gradient(&(struct op_case){.type = all[k].type,
                                            .opset = all[k].opset,
                                            .in = {{OP_DIMS(3, 7), .low = all[k].low, .high = all[k].high}},
                                            .kink = 0.01});
        op_check_gradient(&(struct op_case){
            .type = all[k].type, .opset = all[k].opset, .in = {{OP_SCALAR, .low = all[k].low, .high = all[k].high}}});
        op_check_gradient(&(struct op_case){.type = all[k].type, .opset = all[k].opset, .in = {{OP_DIMS(0, 3)}}});
    }
}

static void test_attributes_reach_the_gradient(void **state)
{
    static const struct op_case cases[] = {
        {.type = "LeakyRelu", .opset = 16, .attrs = {OP_FLOAT("alpha", -0.5f)}, .in = {{OP_DIMS(20)}}, .kink = 0.01},
        {.type = "Elu", .opset = 6, .attrs = {OP_FLOAT("alpha", -2)}, .in = {{OP_DIMS(20)}}, .kink = 0.01},
        {.type = "HardSigmoid",
         .opset = 6,
         .attrs = {OP_FLOAT("alpha", 0.7f), OP_FLOAT("beta", 0.4f)},
         .in = {{OP_DIMS(20), .low = -2, .high = 2}}},
        {.type = "Gelu", .opset = 20, .attrs = {OP_STRING("approximate", "tanh")}, .in = {{OP_DIMS(20)}}},
    };
    for (size_t k = 0; k < sizeof(cases) / sizeof(*cases); k++) op_check_gradient(&cases[k]);
}

static void test_nan_and_infinity_go_through(void **state)
{
    static const double in[] = {NAN, INFINITY, -INFINITY};
    static const struct {
        const char *type;
        int opset;
        double out[3];
    } cases[] = {
        {"Relu", 14, {NAN, INFINITY, 0}}, {"Sigmoid", 13, {NAN, 1, 0}},
        {"Tanh", 13, {NAN, 1, -1}},       {"Elu", 6, {NAN, INFINITY, -1}},
        {"Exp", 13, {NAN, INFINITY, 0}},  {"Log", 13, {NAN, INFINITY, NAN}},
        {"Erf", 13, {NAN, 1, -1}},        {"Sqrt", 13, {NAN, INFINITY, NAN}},
        {"HardSigmoid", 6, {NAN, 1, 0}},  {"Abs", 13, {NAN, INFINITY, INFINITY}},
    };
    for (size_t k = 0; k < sizeof(cases) / sizeof(*cases); k++)
        op_check(&(struct op_case){.type = cases[k].type, .opset = cases[k].opset, .in = {{OP_DIMS(3), .data = in}}},
                 (struct op_tensor[]){{OP_DIMS(3), .data = cases[k].out}}, 0);
}

static void test_many_elements_are_shared_among_threads(void **state)
{
    EACH(k)
    op_check_precision(&(struct op_case){.type = all[k].type,
                                         .opset = all[k].opset,
                                         .in = {{OP_DIMS(40, 1111), .low = all[k].low, .high = all[k].high}}},
                       1e-6);
}

static void test_types_without_loops_are_refused_by_name(void **state)
{
    EACH(k)
    op_check_refused(&(struct op_case){.type = all[k].type,
                                       .opset = all[k].opset,
                                       .in = {{.dtype = MC_BOOL, OP_DIMS(2), OP_DATA(1, 2)}}},
                     MC_ERR_UNSUPPORTED, "has bool");
    op_check_refused(
        &(struct op_case){.type = "Relu", .opset = 14, .in = {{.dtype = MC_INT32, OP_DIMS(2), OP_DATA(1, 2)}}},
        MC_ERR_UNSUPPORTED, "needs float32 or float64, has int32");
    op_check_refused(
        &(struct op_case){.type = "Neg", .opset = 13, .in = {{.dtype = MC_BOOL, OP_DIMS(2), OP_DATA(1, 2)}}},
        MC_ERR_UNSUPPORTED, "has bool");
}

static void test_gelu_refuses_an_unknown_approximation(void **state)
{
    op_check_refused(
        &(struct op_case){
            .type = "Gelu", .opset = 20, .attrs = {OP_STRING("approximate", "sigmoid")}, .in = {{OP_DIMS(2)}}},
        MC_ERR_INPUT, "'approximate'");
}

static void test_activations_pass_channels_one_to_one(void **state)
{
    EACH(k)
    {
        struct coupled t;
        coupled_init(&t, 20);
        struct mc_value *x = coupled_value(&t, "x", mc_shape_of(INTS(2, 3)));
        const struct mc_value *y = coupled_node(&t, all[k].type, 1, &x, 1)->outputs[0];
        coupled_couple(&t);
        for (int64_t i = 0; i < 3; i++)
            for (int64_t j = 0; j < 3; j++) assert_int_equal(coupled_tied(&t, x, 1, i, y, 1, j), i == j);
        coupled_finish(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_activations_agree_with_onnxruntime),
        cmocka_unit_test(test_activation_gradients_match_finite_differences),
        cmocka_unit_test(test_attributes_reach_the_gradient),
        cmocka_unit_test(test_nan_and_infinity_go_through),
        cmocka_unit_test(test_many_elements_are_shared_among_threads),
        cmocka_unit_test(test_types_without_loops_are_refused_by_name),
        cmocka_unit_test(test_gelu_refuses_an_unknown_approximation),
        cmocka_unit_test(test_activations_pass_channels_one_to_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
