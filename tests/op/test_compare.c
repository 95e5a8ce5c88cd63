/* test_compare.c - comparisons and truth values. */
#include "test.h"

#include "coupled.h"
#include "harness.h"
#include "moved.h"

static void test_equal_agrees_with_onnxruntime(void **state)
{
    (void)state;
    moved_check("Equal");
}

static void test_equal_survives_failed_allocations(void **state)
{
    (void)state;
    moved_check_memory("Equal");
}

static void test_less_agrees_with_onnxruntime(void **state)
{
    (void)state;
    moved_check("Less");
}

static void test_less_survives_failed_allocations(void **state)
{
    (void)state;
    moved_check_memory("Less");
}

static void test_greater_agrees_with_onnxruntime(void **state)
{
    (void)state;
    moved_check("Greater");
}

static void test_greater_survives_failed_allocations(void **state)
{
    (void)state;
    moved_check_memory("Greater");
}

static void test_lessorequal_agrees_with_onnxruntime(void **state)
{
    (void)state;
    moved_check("LessOrEqual");
}

static void test_lessorequal_survives_failed_allocations(void **state)
{
    (void)state;
    moved_check_memory("LessOrEqual");
}

static void test_greaterorequal_agrees_with_onnxruntime(void **state)
{
    (void)state;
    moved_check("GreaterOrEqual");
}

static void test_greaterorequal_survives_failed_allocations(void **state)
{
    (void)state;
    moved_check_memory("GreaterOrEqual");
}

static void test_and_agrees_with_onnxruntime(void **state)
{
    (void)state;
    moved_check("And");
}

static void test_and_survives_failed_allocations(void **state)
{
    (void)state;
    moved_check_memory("And");
}

static void test_or_agrees_with_onnxruntime(void **state)
{
    (void)state;
    moved_check("Or");
}

static void test_or_survives_failed_allocations(void **state)
{
    (void)state;
    moved_check_memory("Or");
}

static void test_xor_agrees_with_onnxruntime(void **state)
{
    (void)state;
    moved_check("Xor");
}

static void test_xor_survives_failed_allocations(void **state)
{
    (void)state;
    moved_check_memory("Xor");
}

static void test_not_agrees_with_onnxruntime(void **state)
{
    (void)state;
    moved_check("Not");
}

static void test_not_survives_failed_allocations(void **state)
{
    (void)state;
    moved_check_memory("Not");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal_agrees_with_onnxruntime),
        cmocka_unit_test(test_equal_survives_failed_allocations),
        cmocka_unit_test(test_less_agrees_with_onnxruntime),
        cmocka_unit_test(test_less_survives_failed_allocations),
        cmocka_unit_test(test_greater_agrees_with_onnxruntime),
        cmocka_unit_test(test_greater_survives_failed_allocations),
        cmocka_unit_test(test_lessorequal_agrees_with_onnxruntime),
        cmocka_unit_test(test_lessorequal_survives_failed_allocations),
        cmocka_unit_test(test_greaterorequal_agrees_with_onnxruntime),
        cmocka_unit_test(test_greaterorequal_survives_failed_allocations),
        cmocka_unit_test(test_and_agrees_with_onnxruntime),
        cmocka_unit_test(test_and_survives_failed_allocations),
        cmocka_unit_test(test_or_agrees_with_onnxruntime),
        cmocka_unit_test(test_or_survives_failed_allocations),
        cmocka_unit_test(test_xor_agrees_with_onnxruntime),
        cmocka_unit_test(test_xor_survives_failed_allocations),
        cmocka_unit_test(test_not_agrees_with_onnxruntime),
        cmocka_unit_test(test_not_survives_failed_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
