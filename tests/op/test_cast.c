/* test_cast.c - Cast. */
#include "test.h"

#include "coupled.h"
#include "harness.h"
#include "moved.h"

static void test_cast_agrees_with_onnxruntime(void **state)
{
    (void)state;
    moved_check("Cast");
}

static void test_cast_backward_matches_finite_differences(void **state)
{
    (void)state;
    op_check_gradient(&(struct op_case){
        .type = "Cast", .opset = 13, .attrs = {OP_INT("to", MC_DOUBLE)}, .in = {{OP_DIMS(2, 3)}}, .f32_only = true});
}

static void test_cast_survives_failed_allocations(void **state)
{
    (void)state;
    moved_check_memory("Cast");
}

static void test_cast_refuses_strings_and_unsaturated_float8(void **state)
{
    (void)state;
    op_check_refused(
        &(struct op_case){.type = "Cast", .opset = 19, .attrs = {OP_INT("to", MC_STRING)}, .in = {{OP_DIMS(2)}}},
        MC_ERR_UNSUPPORTED, "cannot cast to string");
    op_check_refused(&(struct op_case){.type = "Cast", .opset = 19, .attrs = {OP_INT("to", 99)}, .in = {{OP_DIMS(2)}}},
                     MC_ERR_INPUT, "needs an element type to cast to, has 99");
    op_check_refused(&(struct op_case){.type = "Cast",
                                       .opset = 19,
                                       .attrs = {OP_INT("to", MC_FLOAT8E5M2), OP_INT("saturate", 0)},
                                       .in = {{OP_DIMS(2)}}},
                     MC_ERR_UNSUPPORTED, "attribute 'saturate': needs 1 for float8e5m2, has 0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cast_agrees_with_onnxruntime),
        cmocka_unit_test(test_cast_backward_matches_finite_differences),
        cmocka_unit_test(test_cast_survives_failed_allocations),
        cmocka_unit_test(test_cast_refuses_strings_and_unsaturated_float8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
