/* test_constant.c - Constant and ConstantOfShape. */
#include "test.h"

#include "coupled.h"
#include "harness.h"
#include "moved.h"

static void test_constantofshape_agrees_with_onnxruntime(void **state)
{
    (void)state;
    moved_check("ConstantOfShape");
}

static void test_constantofshape_survives_failed_allocations(void **state)
{
    (void)state;
    moved_check_memory("ConstantOfShape");
}

static void test_constant_gives_what_its_attribute_holds(void **state)
{
    (void)state;
    op_check(
        &(struct op_case){.type = "Constant", .opset = 13, .attrs = {OP_INTS("value_ints", 3, -4)}, .no_inputs = true},
        (struct op_tensor[]){{.dtype = MC_INT64, OP_DIMS(2), OP_DATA(3, -4)}}, 0);
    op_check(&(struct op_case){.type = "Constant", .opset = 13, .attrs = {OP_INT("value_int", 5)}, .no_inputs = true},
             (struct op_tensor[]){{.dtype = MC_INT64, OP_SCALAR, OP_DATA(5)}}, 0);
    op_check(&(struct op_case){.type = "Constant",
                               .opset = 13,
                               .attrs = {OP_FLOATS("value_floats", 0.5f, 2)},
                               .no_inputs = true,
                               .f32_only = true},
             (struct op_tensor[]){{OP_DIMS(2), OP_DATA(0.5, 2)}}, 0);
    op_check(&(struct op_case){.type = "Constant",
                               .opset = 13,
                               .attrs = {OP_FLOAT("value_float", 0.25f)},
                               .no_inputs = true,
                               .f32_only = true},
             (struct op_tensor[]){{OP_SCALAR, OP_DATA(0.25)}}, 0);
    op_check(&(struct op_case){.type = "Constant",
                               .opset = 13,
                               .attrs = {OP_TENSOR("value", .dtype = MC_INT8, OP_DIMS(1, 2), OP_DATA(-7, 8))},
                               .no_inputs = true},
             (struct op_tensor[]){{.dtype = MC_INT8, OP_DIMS(1, 2), OP_DATA(-7, 8)}}, 0);
}

static void test_constant_refuses_no_value_and_several(void **state)
{
    (void)state;
    op_check_refused(&(struct op_case){.type = "Constant", .opset = 13, .no_inputs = true}, MC_ERR_UNSUPPORTED,
                     "needs attribute 'value'");
    op_check_refused(&(struct op_case){.type = "Constant",
                                       .opset = 13,
                                       .attrs = {OP_INT("value_int", 5), OP_FLOAT("value_float", 1)},
                                       .no_inputs = true},
                     MC_ERR_INPUT, "has both 'value_float' and 'value_int'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_constant_gives_what_its_attribute_holds),
        cmocka_unit_test(test_constant_refuses_no_value_and_several),
        cmocka_unit_test(test_constantofshape_agrees_with_onnxruntime),
        cmocka_unit_test(test_constantofshape_survives_failed_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
