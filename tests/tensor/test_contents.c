/* test_contents.c - tensors from and to a caller's memory. */
#include "test.h"

#include <string.h>

#include "tensor/tensor.h"

static void test_what_goes_in_comes_out(void **state)
{
    const float numbers[] = {1, 2, 3, 4, 5, 6};
    const int64_t dims[] = {2, 3};
    const struct mc_tensor_contents in = {MC_TYPE_FLOAT, 2, dims, numbers, sizeof numbers};
    struct mc_tensor_contents out;
    struct mc_tensor *tensor;
    struct mc_error err = {0};
    assert_ok(mc_tensor_from(&tensor, &in, &err), err);
    mc_tensor_read(tensor, &out);
    assert_int_equal(out.type, MC_FLOAT);
    assert_int_equal(out.rank, 2);
    assert_memory_equal(out.dims, dims, sizeof dims);
    assert_int_equal(out.bytes, sizeof numbers);
    assert_true(out.data != numbers);
    assert_memory_equal(out.data, numbers, sizeof numbers);
    mc_tensor_destroy(tensor);
}

static void test_what_does_not_fit_is_refused(void **state)
{
    const float numbers[6] = {0};
    const int64_t dims[] = {2, 3}, huge[] = {INT64_MAX, 8}, negative[] = {-2, -3};
    const struct mc_tensor_contents wrong[] = {
        {MC_TYPE_FLOAT, 2, dims, numbers, 20},
        {MC_TYPE_FLOAT, 2, huge, numbers, 24},
        {MC_TYPE_FLOAT, 2, negative, numbers, 24},
        {MC_TYPE_FLOAT, 17, dims, numbers, 24},
        {MC_TYPE_FLOAT, -1, dims, numbers, 24},
        {MC_STRING, 2, dims, numbers, 24},
        {0, 2, dims, numbers, 24},
        {99, 2, dims, numbers, 24},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct mc_tensor *tensor;
        assert_int_equal(mc_tensor_from(&tensor, &wrong[i], NULL), MC_ERR_USAGE);
    }
}

static void test_a_scalar_and_nothing_are_tensors(void **state)
{
    const int64_t number = 7, none[] = {0};
    const struct mc_tensor_contents in[] = {{MC_TYPE_INT64, 0, NULL, &number, 8}, {MC_TYPE_INT64, 1, none, NULL, 0}};
    for (size_t i = 0; i < 2; i++) {
        struct mc_tensor *tensor;
        struct mc_tensor_contents out;
        struct mc_error err = {0};
        assert_ok(mc_tensor_from(&tensor, &in[i], &err), err);
        mc_tensor_read(tensor, &out);
        assert_int_equal(out.bytes, in[i].bytes);
        mc_tensor_destroy(tensor);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_goes_in_comes_out),
        cmocka_unit_test(test_what_does_not_fit_is_refused),
        cmocka_unit_test(test_a_scalar_and_nothing_are_tensors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
