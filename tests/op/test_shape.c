/* test_shape.c - Shape and Size. */
#include "test.h"

#include "coupled.h"
#include "harness.h"
#include "moved.h"

static void test_shape_agrees_with_onnxruntime(void **state)
{
    (void)state;
    moved_check("Shape");
}

static void test_shape_moves_elements_of_every_width(void **state)
{
    (void)state;
    moved_check_types("Shape");
}

static void test_shape_survives_failed_allocations(void **state)
{
    (void)state;
    moved_check_memory("Shape");
}

static void test_size_agrees_with_onnxruntime(void **state)
{
    (void)state;
    moved_check("Size");
}

static void test_size_moves_elements_of_every_width(void **state)
{
    (void)state;
    moved_check_types("Size");
}

static void test_size_survives_failed_allocations(void **state)
{
    (void)state;
    moved_check_memory("Size");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shape_agrees_with_onnxruntime),
        cmocka_unit_test(test_shape_moves_elements_of_every_width),
        cmocka_unit_test(test_shape_survives_failed_allocations),
        cmocka_unit_test(test_size_agrees_with_onnxruntime),
        cmocka_unit_test(test_size_moves_elements_of_every_width),
        cmocka_unit_test(test_size_survives_failed_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
