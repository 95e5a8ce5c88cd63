/* test_arithmetic.c - Add, Sub, Mul, Div, PRelu. */
#include "op/ops.h"

#include <math.h>

#include "coupled.h"
#include "elements.h"
#include "harness.h"

static const char *const all[] = {"Add", "Sub", "Mul", "Div", "PRelu"};
#define EACH(k) for (size_t k = 0; k < sizeof(all) / sizeof(*all); k++)

static void test_arithmetic_agrees_with_onnxruntime(void **state)
{
    EACH(k) elements_check(all[k], 1e-6);
}

/* Away from 0, where Div has a pole and PRelu a kink. */
static void check_gradient(const char *type, struct op_tensor a, struct op_tensor b)
{
    a.low = b.low = -2;
    a.high = b.high = 2;
    op_check_gradient(&(struct op_case){.type = type, .opset = 16, .in = {a, b}, .n_in = 2, .kink = 0.4});
}

static void test_arithmetic_gradients_match_finite_differences(void **state)
{
    EACH(k)
    {
        check_gradient(all[k], (struct op_tensor){OP_DIMS(3, 5)}, (struct op_tensor){OP_DIMS(3, 5)});
        check_gradient(all[k], (struct op_tensor){OP_DIMS(3, 5)}, (struct op_tensor){OP_DIMS(5)});
        check_gradient(all[k], (struct op_tensor){OP_DIMS(3, 5)}, (struct op_tensor){OP_DIMS(3, 1)});
        check_gradient(all[k], (struct op_tensor){OP_DIMS(2, 3, 2, 2)}, (struct op_tensor){OP_DIMS(1, 3, 1, 1)});
        check_gradient(all[k], (struct op_tensor){OP_DIMS(2, 3, 4)}, (struct op_tensor){OP_DIMS(2, 1, 4)});
        check_gradient(all[k], (struct op_tensor){OP_DIMS(4)}, (struct op_tensor){OP_SCALAR});
        check_gradient(all[k], (struct op_tensor){OP_DIMS(0, 5)}, (struct op_tensor){OP_DIMS(1, 5)});
        check_gradient(all[k], (struct op_tensor){OP_SCALAR}, (struct op_tensor){OP_SCALAR});
    }
}

static void test_gradients_are_summed_over_what_the_first_operand_was_spread_along(void **state)
{
    for (size_t k = 0; k < 4; k++) {
        check_gradient(all[k], (struct op_tensor){OP_SCALAR}, (struct op_tensor){OP_DIMS(2, 3)});
        check_gradient(all[k], (struct op_tensor){OP_DIMS(3, 1)}, (struct op_tensor){OP_DIMS(1, 4)});
        check_gradient(all[k], (struct op_tensor){OP_DIMS(5)}, (struct op_tensor){OP_DIMS(2, 3, 5)});
    }
}

static void test_big_operands_are_shared_among_threads(void **state)
{
    EACH(k)
    op_check_precision(
        &(struct op_case){
            .type = all[k], .opset = 16, .in = {{OP_DIMS(2, 16, 40, 40)}, {OP_DIMS(16, 1, 1)}}, .kink = 0.1},
        1e-6);
}

static void test_integers_divided_by_zero_give_zero(void **state)
{
    static const enum mc_dtype types[] = {MC_INT8, MC_UINT8, MC_INT32, MC_INT64, MC_UINT64};
    static const char *const operators[] = {"Div", "Mod"};
    for (int k = 0; k < 5; k++)
        for (int f = 0; f < 2; f++)
            op_check(&(struct op_case){.type = operators[f],
                                       .opset = 14,
                                       .in = {{.dtype = types[k], OP_DIMS(3), OP_DATA(7, 2, 0)},
                                              {.dtype = types[k], OP_DIMS(3), OP_DATA(4, 0, 0)}}},
                     (struct op_tensor[]){{.dtype = types[k], OP_DIMS(3), OP_DATA(f ? 3 : 1, 0, 0)}}, 0);
}

static void test_operands_that_do_not_fit_are_refused(void **state)
{
    op_check_refused(&(struct op_case){.type = "Add", .opset = 14, .in = {{OP_DIMS(2, 3)}, {OP_DIMS(2)}}}, MC_ERR_INPUT,
                     "input 1 'in1': needs a shape that broadcasts with [2,3], has [2]");
    op_check_refused(&(struct op_case){.type = "Add",
                                       .opset = 14,
                                       .in = {{OP_DIMS(2)}, {.dtype = MC_INT64, OP_DIMS(2), OP_DATA(1, 2)}}},
                     MC_ERR_INPUT, "needs float32 like input 0, has int64");
    op_check_refused(&(struct op_case){.type = "Mul",
                                       .opset = 14,
                                       .in = {{.dtype = MC_BOOL, OP_DIMS(1), OP_DATA(1)},
                                              {.dtype = MC_BOOL, OP_DIMS(1), OP_DATA(1)}}},
                     MC_ERR_UNSUPPORTED, "has bool");
    op_check_refused(&(struct op_case){.type = "PRelu", .opset = 16, .in = {{OP_DIMS(3)}, {OP_DIMS(2, 3)}}},
                     MC_ERR_INPUT, "slope: needs a shape that broadcasts to [3], has [2,3]");
}

/* --- coupling --- */

static void test_operands_share_channels(void **state)
{
    EACH(k)
    {
        struct coupled t;
        coupled_init(&t, 16);
        struct mc_value *const in[] = {coupled_value(&t, "a", mc_shape_of(INTS(2, 3, 4))),
                                       coupled_value(&t, "b", mc_shape_of(INTS(3, 1)))};
        const struct mc_value *y = coupled_node(&t, all[k], 2, in, 1)->outputs[0];
        coupled_couple(&t);
        assert_true(coupled_tied(&t, in[0], 1, 2, y, 1, 2));
        assert_true(coupled_tied(&t, in[1], 0, 2, y, 1, 2));
        assert_false(coupled_tied(&t, in[1], 0, 1, y, 1, 2));
        assert_true(coupled_tied(&t, in[0], 2, 3, y, 2, 3));
        coupled_finish(&t);
    }
}

static void test_constant_addends_are_shifts_along_what_they_are_not_spread(void **state)
{
    for (int k = 0; k < 2; k++) {
        struct coupled t;
        coupled_init(&t, 14);
        struct mc_value *const in[] = {coupled_value(&t, "a", mc_shape_of(INTS(2, 3, 4))),
                                       coupled_value(&t, "b", mc_shape_of(INTS(3, 1)))};
        coupled_node(&t, all[k], 2, in, 1);
        coupled_couple(&t);
        assert_int_equal(mc_coupling_role(t.coupling, in[1], 0), MC_ROLE_SHIFT);
        assert_int_equal(mc_coupling_role(t.coupling, in[1], 1), MC_ROLE_NONE);
        coupled_finish(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arithmetic_agrees_with_onnxruntime),
        cmocka_unit_test(test_arithmetic_gradients_match_finite_differences),
        cmocka_unit_test(test_gradients_are_summed_over_what_the_first_operand_was_spread_along),
        cmocka_unit_test(test_big_operands_are_shared_among_threads),
        cmocka_unit_test(test_integers_divided_by_zero_give_zero),
        cmocka_unit_test(test_operands_that_do_not_fit_are_refused),
        cmocka_unit_test(test_operands_share_channels),
        cmocka_unit_test(test_constant_addends_are_shifts_along_what_they_are_not_spread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
