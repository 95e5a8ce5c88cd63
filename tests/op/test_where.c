/* test_where.c - Where. */
#include "test.h"

#include "coupled.h"
#include "harness.h"
#include "moved.h"

static void test_where_agrees_with_onnxruntime(void **state)
{
    (void)state;
    moved_check("Where");
}

static void test_where_moves_elements_of_every_width(void **state)
{
    (void)state;
    moved_check_types("Where");
}

static void test_where_backward_matches_finite_differences(void **state)
{
    (void)state;
    moved_check_gradients("Where");
}

static void test_where_survives_failed_allocations(void **state)
{
    (void)state;
    moved_check_memory("Where");
}

static void test_where_refuses_shapes_that_do_not_broadcast(void **state)
{
    (void)state;
    op_check_refused(
        &(struct op_case){.type = "Where",
                          .opset = 16,
                          .in = {{.dtype = MC_BOOL, OP_DIMS(2), OP_DATA(0, 1)}, {OP_DIMS(3)}, {OP_DIMS(1)}}},
        MC_ERR_INPUT, "shapes [2], [3] and [1] do not broadcast");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_where_agrees_with_onnxruntime),
        cmocka_unit_test(test_where_moves_elements_of_every_width),
        cmocka_unit_test(test_where_backward_matches_finite_differences),
        cmocka_unit_test(test_where_survives_failed_allocations),
        cmocka_unit_test(test_where_refuses_shapes_that_do_not_broadcast),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
