/* test_tensor_file.c - one tensor in a file, by extension. */
#include "scratch.h"

#include <string.h>

#include "onnx/onnx.h"
#include "protos.h"

static struct mc_tensor *make_tensor(void)
{
    struct mc_error err = {0};
    struct mc_tensor *tensor;
    const struct mc_shape shape = mc_shape_of(2, (int64_t[]){2, 3});
    assert_ok(mc_tensor_create(&tensor, MC_FLOAT, &shape, &err), err);
    for (int64_t i = 0; i < 6; i++) mc_tensor_set_f64(tensor, i, 1.0 / (double)(i + 1));
    return tensor;
}

static void check_loads(const char *path, const struct mc_tensor *expected)
{
    struct mc_error err = {0};
    struct mc_tensor *tensor;
    assert_ok(mc_tensor_load(&tensor, path, &err), err);
    assert_int_equal(tensor->dtype, expected->dtype);
    assert_true(mc_shape_equal(&tensor->shape, &expected->shape));
    assert_memory_equal(tensor->data, expected->data, mc_tensor_bytes(expected));
    mc_tensor_destroy(tensor);
}

static void test_both_forms_come_back(void **state)
{
    struct mc_error err = {0};
    const char *pb = scratch_path(state, "t.pb"), *npy = scratch_path(state, "t.npy");
    struct mc_tensor *tensor = make_tensor();
    assert_ok(mc_tensor_save_pb(tensor, "t", pb, false, &err), err);
    assert_ok(mc_tensor_save_npy(tensor, npy, false, &err), err);
    check_loads(pb, tensor);
    check_loads(npy, tensor);
    mc_tensor_destroy(tensor);
}

static void test_existing_files_are_kept_unless_told(void **state)
{
    struct mc_error err = {0};
    const char *pb = scratch_file(state, "t.pb", "old", 3), *npy = scratch_file(state, "t.npy", "old", 3);
    struct mc_tensor *tensor = make_tensor();
    assert_int_equal(mc_tensor_save_pb(tensor, "t", pb, false, &err), MC_ERR_USAGE);
    assert_int_equal(mc_tensor_save_npy(tensor, npy, false, &err), MC_ERR_USAGE);
    assert_ok(mc_tensor_save_pb(tensor, "t", pb, true, &err), err);
    assert_ok(mc_tensor_save_npy(tensor, npy, true, &err), err);
    check_loads(pb, tensor);
    check_loads(npy, tensor);
    assert_int_equal(scratch_count(state), 2);
    mc_tensor_destroy(tensor);
}

static void check_refused(const char *path, const char *why)
{
    struct mc_error err = {0};
    struct mc_tensor *tensor;
    assert_int_equal(mc_tensor_load(&tensor, path, &err), MC_ERR_INPUT);
    assert_non_null(strstr(err.text, path));
    if (!strstr(err.text, why)) fail_msg("'%s' says nothing of '%s'", err.text, why);
}

static void test_files_that_hold_no_tensor_are_refused(void **state)
{
    check_refused(scratch_path(state, "absent.pb"), "No such file");
    check_refused(scratch_file(state, "empty.pb", "", 0), "the file is empty");
    check_refused(scratch_file(state, "empty.npy", "", 0), "the file is empty");
    check_refused(scratch_file(state, "text.pb", "hello, world", 12), "byte");
    check_refused(scratch_file(state, "text.npy", "hello, world", 12), "this is not a NumPy file");
}

static void test_external_data_are_found_beside_the_file(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    struct mc_error err = {0};
    struct mc_tensor *tensor;
    size_t length;
    Onnx__TensorProto *p = proto_tensor(a, "t", MC_UINT8, 1, (int64_t[]){2});
    const unsigned char *bytes = proto_pack(a, &proto_external(a, p, "w", "1", "2")->base, &length);
    scratch_file(state, "w", "abc", 3);
    assert_ok(mc_tensor_load(&tensor, scratch_file(state, "t.pb", bytes, length), &err), err);
    assert_int_equal(mc_tensor_get_i64(tensor, 0), 'b');
    mc_tensor_destroy(tensor);
    mc_arena_finish(a);
}

static void test_a_failed_save_leaves_nothing(void **state)
{
    struct mc_error err = {0};
    struct mc_tensor *tensor;
    const struct mc_shape shape = mc_shape_of(0, NULL);
    assert_ok(mc_tensor_create(&tensor, MC_INT4, &shape, &err), err);
    assert_int_equal(mc_tensor_save_npy(tensor, scratch_path(state, "t.npy"), false, &err), MC_ERR_UNSUPPORTED);
    assert_int_equal(mc_tensor_save_pb(tensor, "t", scratch_path(state, "no/t.pb"), false, &err), MC_ERR_SYSTEM);
    assert_int_equal(scratch_count(state), 0);
    mc_tensor_destroy(tensor);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_both_forms_come_back, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_existing_files_are_kept_unless_told, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_files_that_hold_no_tensor_are_refused, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_external_data_are_found_beside_the_file, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_a_failed_save_leaves_nothing, scratch_setup, scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
