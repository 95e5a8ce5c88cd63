/* test_range.c - Range. */
#include "test.h"

#include "harness.h"
#include "moved.h"

static void test_range_agrees_with_onnxruntime(void **state)
{
    (void)state;
    moved_check("Range");
}

static void test_range_survives_failed_allocations(void **state)
{
    (void)state;
    moved_check_memory("Range");
}

#define NUMBER(x)                                                                                                      \
    {                                                                                                                  \
        OP_SCALAR, OP_DATA(x), .initializer = true                                                                     \
    }

static void test_range_refuses_no_step_and_no_end(void **state)
{
    (void)state;
    op_check_refused(
        &(struct op_case){.type = "Range", .opset = 11, .in = {NUMBER(0), NUMBER(3), NUMBER(0)}, .n_in = 3},
        MC_ERR_INPUT, "delta: needs not to be 0");
    op_check_refused(
        &(struct op_case){.type = "Range", .opset = 11, .in = {NUMBER(0), NUMBER(1e30), NUMBER(1)}, .n_in = 3},
        MC_ERR_UNSUPPORTED, "needs at most 2147483648 elements");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_range_agrees_with_onnxruntime),
        cmocka_unit_test(test_range_survives_failed_allocations),
        cmocka_unit_test(test_range_refuses_no_step_and_no_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
