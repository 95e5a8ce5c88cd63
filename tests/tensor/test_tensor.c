/* test_tensor.c - shapes, sharing, ownership. */
#include "test.h"

#include <string.h>

#include "tensor/tensor.h"

static void test_counts_refuse_overflow_even_beside_zero(void **state)
{
    struct mc_shape shape = mc_shape_of(2, (int64_t[]){INT64_C(1) << 32, INT64_C(1) << 31});
    assert_int_equal(mc_shape_count(&shape), -1);
    shape = mc_shape_of(3, (int64_t[]){INT64_C(1) << 40, INT64_C(1) << 40, 0});
    assert_int_equal(mc_shape_count(&shape), -1);
    shape = mc_shape_of(2, (int64_t[]){3, -1});
    assert_int_equal(mc_shape_count(&shape), -1);
    shape = mc_shape_of(3, (int64_t[]){3, 0, 4});
    assert_int_equal(mc_shape_count(&shape), 0);
    shape = mc_shape_of(0, NULL);
    assert_int_equal(mc_shape_count(&shape), 1);
}

static void test_sizes_of_narrow_types_round_up(void **state)
{
    size_t bytes;
    assert_true(mc_dtype_size(MC_INT4, 5, &bytes) && bytes == 3);
    assert_true(mc_dtype_size(MC_UINT2, 5, &bytes) && bytes == 2);
    assert_true(mc_dtype_size(MC_DOUBLE, 5, &bytes) && bytes == 40);
    assert_false(mc_dtype_size(MC_DOUBLE, INT64_MAX, &bytes));
    assert_false(mc_dtype_size(MC_FLOAT, -1, &bytes));
}

static void test_broadcast_follows_numpy(void **state)
{
    struct mc_shape a = mc_shape_of(3, (int64_t[]){2, 1, 4}), b = mc_shape_of(2, (int64_t[]){3, 1}), out;
    assert_true(mc_shape_broadcast(&a, &b, &out));
    const struct mc_shape expected = mc_shape_of(3, (int64_t[]){2, 3, 4});
    assert_true(mc_shape_equal(&out, &expected));
    b = mc_shape_of(1, (int64_t[]){3});
    assert_false(mc_shape_broadcast(&a, &b, &out));
    a = mc_shape_of(1, (int64_t[]){0});
    b = mc_shape_of(1, (int64_t[]){1});
    assert_true(mc_shape_broadcast(&a, &b, &out) && out.dim[0] == 0);
}

static void test_shape_text_marks_unknown_and_fits(void **state)
{
    char text[16];
    struct mc_shape shape = mc_shape_of(3, (int64_t[]){2, -1, 40});
    assert_string_equal(mc_shape_text(&shape, text, sizeof text), "[2,?,40]");
    shape = mc_shape_of(0, NULL);
    assert_string_equal(mc_shape_text(&shape, text, sizeof text), "[]");
    shape = mc_shape_of(3, (int64_t[]){INT64_MAX, INT64_MAX, 1});
    assert_true(strlen(mc_shape_text(&shape, text, sizeof text)) < sizeof text);
}

static void test_views_share_and_outlive(void **state)
{
    struct mc_error err = {0};
    struct mc_tensor *t, *view;
    const struct mc_shape shape = mc_shape_of(2, (int64_t[]){3, 4}), row = mc_shape_of(1, (int64_t[]){4});
    assert_ok(mc_tensor_create(&t, MC_FLOAT, &shape, &err), err);
    assert_true(mc_tensor_is_unique(t));
    assert_ok(mc_tensor_view(&view, t, &row, 4 * sizeof(float), &err), err);
    assert_false(mc_tensor_is_unique(t));
    ((float *)t->data)[5] = 7;
    mc_tensor_destroy(t);
    assert_true(((float *)view->data)[1] == 7);
    assert_true(mc_tensor_is_unique(view));
    mc_tensor_destroy(view);
    mc_tensor_destroy(NULL);
}

static void count_release(void *context)
{
    ++*(int *)context;
}

static void test_wrapped_bytes_are_released_once(void **state)
{
    struct mc_error err = {0};
    struct mc_tensor *t, *view;
    float data[2] = {1, 2};
    int released = 0;
    const struct mc_shape shape = mc_shape_of(1, (int64_t[]){2});
    assert_ok(mc_tensor_wrap(&t, MC_FLOAT, &shape, data, count_release, &released, &err), err);
    assert_ok(mc_tensor_view(&view, t, NULL, 0, &err), err);
    mc_tensor_destroy(view);
    assert_int_equal(released, 0);
    mc_tensor_destroy(t);
    assert_int_equal(released, 1);
}

static void test_shed_contents_go_with_their_last_user(void **state)
{
    struct mc_error err = {0};
    struct mc_tensor *t, *view;
    float data[2] = {1, 2};
    int released = 0;
    const struct mc_shape shape = mc_shape_of(1, (int64_t[]){2});
    assert_ok(mc_tensor_wrap(&t, MC_FLOAT, &shape, data, count_release, &released, &err), err);
    assert_ok(mc_tensor_view(&view, t, NULL, 0, &err), err);
    mc_tensor_shed(t);
    assert_null(t->data);
    assert_int_equal(mc_tensor_count(t), 2);
    assert_int_equal(released, 0);
    mc_tensor_shed(view);
    assert_int_equal(released, 1);
    mc_tensor_destroy(view);
    mc_tensor_destroy(t);
    assert_int_equal(released, 1);
}

static void test_texts_are_copied_with_their_zeroes(void **state)
{
    struct mc_error err = {0};
    struct mc_tensor *t, *copy;
    const struct mc_text texts[] = {{"a\0b", 3}, {"", 0}, {"xyz", 3}};
    const struct mc_shape shape = mc_shape_of(1, (int64_t[]){3});
    assert_ok(mc_tensor_create_texts(&t, &shape, texts, &err), err);
    assert_ok(mc_tensor_clone(&copy, t, &err), err);
    mc_tensor_destroy(t);
    const struct mc_text *got = copy->data;
    assert_int_equal(got[0].length, 3);
    assert_memory_equal(got[0].bytes, "a\0b", 3);
    assert_int_equal(got[1].length, 0);
    assert_memory_equal(got[2].bytes, "xyz", 3);
    mc_tensor_destroy(copy);
}

static void test_impossible_shapes_are_refused(void **state)
{
    struct mc_error err = {0};
    struct mc_tensor *t;
    const struct mc_shape shape = mc_shape_of(2, (int64_t[]){INT64_C(1) << 32, INT64_C(1) << 31});
    assert_int_equal(mc_tensor_create(&t, MC_FLOAT, &shape, &err), MC_ERR_INPUT);
    assert_string_equal(err.text, "shape [4294967296,2147483648] has too many elements");
    assert_int_equal(mc_tensor_create(&t, (enum mc_dtype)99, &shape, &err), MC_ERR_INPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts_refuse_overflow_even_beside_zero),
        cmocka_unit_test(test_sizes_of_narrow_types_round_up),
        cmocka_unit_test(test_broadcast_follows_numpy),
        cmocka_unit_test(test_shape_text_marks_unknown_and_fits),
        cmocka_unit_test(test_views_share_and_outlive),
        cmocka_unit_test(test_wrapped_bytes_are_released_once),
        cmocka_unit_test(test_shed_contents_go_with_their_last_user),
        cmocka_unit_test(test_texts_are_copied_with_their_zeroes),
        cmocka_unit_test(test_impossible_shapes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
