/* test_pow.c - Pow. */
#include "op/ops.h"

#include <math.h>

#include "coupled.h"
#include "elements.h"
#include "harness.h"

static void test_pow_agrees_with_onnxruntime(void **state)
{
    elements_check("Pow", 2e-6);
}

static void test_pow_backward_matches_finite_differences(void **state)
{
    static const struct op_tensor bases[] = {{OP_DIMS(3, 4), .low = 0.5, .high = 2},
                                             {OP_DIMS(4), .low = 0.5, .high = 2},
                                             {OP_SCALAR, .low = 0.5, .high = 2}};
    static const struct op_tensor exponents[] = {{OP_DIMS(3, 4), .low = -2, .high = 3}, {OP_DIMS(3, 1)}, {OP_SCALAR}};
    for (int a = 0; a < 3; a++)
        for (int b = 0; b < 3; b++)
            op_check_gradient(&(struct op_case){.type = "Pow", .opset = 15, .in = {bases[a], exponents[b]}, .n_in = 2});
}

/* Constant exponents, some of which are multiplied out; bases of either sign. */
static void test_pow_by_a_constant_matches_finite_differences(void **state)
{
    static const double exponents[] = {2, 3, 1, 0, -1, 4};
    for (int k = 0; k < 6; k++)
        op_check_gradient(&(struct op_case){
            .type = "Pow",
            .opset = 15,
            .in = {{OP_DIMS(3, 4)}, {.dtype = MC_INT64, OP_SCALAR, .data = &exponents[k]}},
            .kink = 0.3,
        });
}

static void test_pow_by_a_constant_is_as_precise_as_by_a_tensor(void **state)
{
    for (int k = 1; k < 5; k++)
        op_check_precision(&(struct op_case){.type = "Pow",
                                             .opset = 15,
                                             .in = {{OP_DIMS(50)}, {OP_SCALAR, OP_DATA(k), .initializer = k % 2 == 0}},
                                             .n_in = 2},
                           1e-6);
}

static void test_pow_takes_the_base_type(void **state)
{
    op_check(&(struct op_case){.type = "Pow",
                               .opset = 13,
                               .in = {{OP_DIMS(2), OP_DATA(1.5, -2)}, {.dtype = MC_INT32, OP_DIMS(1), OP_DATA(3)}}},
             (struct op_tensor[]){{OP_DIMS(2), OP_DATA(3.375, -8)}}, 1e-7);
    op_check(&(struct op_case){.type = "Pow",
                               .opset = 13,
                               .in = {{.dtype = MC_INT32, OP_DIMS(2), OP_DATA(3, -2)},
                                      {.dtype = MC_INT64, OP_DIMS(1), OP_DATA(3)}}},
             (struct op_tensor[]){{.dtype = MC_INT32, OP_DIMS(2), OP_DATA(27, -8)}}, 0);
}

static void test_pow_survives_failed_allocations(void **state)
{
    op_check_memory(
        &(struct op_case){.type = "Pow", .opset = 15, .in = {{OP_DIMS(2, 3), .low = 1, .high = 2}, {OP_DIMS(3)}}});
}

static void test_pow_refuses_what_it_has_no_loop_for(void **state)
{
    op_check_refused(&(struct op_case){.type = "Pow",
                                       .opset = 13,
                                       .in = {{OP_DIMS(2)}, {.dtype = MC_BOOL, OP_DIMS(2), OP_DATA(3, 2)}}},
                     MC_ERR_UNSUPPORTED, "has bool");
    op_check_refused(&(struct op_case){.type = "Pow", .opset = 13, .in = {{OP_DIMS(2)}, {OP_DIMS(3)}}}, MC_ERR_INPUT,
                     "needs a shape that broadcasts with [2], has [3]");
}

static void test_pow_passes_channels(void **state)
{
    struct coupled t;
    coupled_init(&t, 15);
    struct mc_value *const in[] = {coupled_value(&t, "a", mc_shape_of(INTS(2, 3))),
                                   coupled_value(&t, "b", mc_shape_of(INTS(1)))};
    const struct mc_value *y = coupled_node(&t, "Pow", 2, in, 1)->outputs[0];
    coupled_couple(&t);
    assert_true(coupled_tied(&t, in[0], 1, 2, y, 1, 2));
    coupled_finish(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pow_agrees_with_onnxruntime),
        cmocka_unit_test(test_pow_backward_matches_finite_differences),
        cmocka_unit_test(test_pow_by_a_constant_matches_finite_differences),
        cmocka_unit_test(test_pow_by_a_constant_is_as_precise_as_by_a_tensor),
        cmocka_unit_test(test_pow_takes_the_base_type),
        cmocka_unit_test(test_pow_survives_failed_allocations),
        cmocka_unit_test(test_pow_refuses_what_it_has_no_loop_for),
        cmocka_unit_test(test_pow_passes_channels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
