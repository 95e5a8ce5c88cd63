/* test_identity.c - Identity. */
#include "test.h"

#include "coupled.h"
#include "harness.h"
#include "moved.h"

static void test_identity_agrees_with_onnxruntime(void **state)
{
    (void)state;
    moved_check("Identity");
}

static void test_identity_moves_elements_of_every_width(void **state)
{
    (void)state;
    moved_check_types("Identity");
}

static void test_identity_backward_matches_finite_differences(void **state)
{
    (void)state;
    moved_check_gradients("Identity");
}

static void test_identity_survives_failed_allocations(void **state)
{
    (void)state;
    moved_check_memory("Identity");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_identity_agrees_with_onnxruntime),
        cmocka_unit_test(test_identity_moves_elements_of_every_width),
        cmocka_unit_test(test_identity_backward_matches_finite_differences),
        cmocka_unit_test(test_identity_survives_failed_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
