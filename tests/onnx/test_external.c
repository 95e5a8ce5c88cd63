/* test_external.c - tensor contents in files beside the model: what is read, and what is never opened. */
#include "scratch.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "onnx/external.h"
#include "protos.h"

static const unsigned char bytes[12] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};

/* Load n elements of a type from where the entries say (NULL: left out). */
static int load(void **state, struct mc_tensor **tensor, enum mc_dtype dtype, int64_t n, const char *location,
                const char *offset, const char *length, struct mc_error *err)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    struct mc_external external = {.dir = scratch_path(state, "model")};
    const struct mc_shape shape = mc_shape_of(1, &n);
    const Onnx__TensorProto *p = proto_external(a, proto_tensor(a, "t", dtype, 1, &n), location, offset, length);
    const int rc = mc_external_load(tensor, &external, p, dtype, &shape, err);
    mc_arena_finish(a);
    return rc;
}

static void check_refused(void **state, const char *location, const char *offset, const char *length, const char *why)
{
    struct mc_error err = {0};
    struct mc_tensor *tensor;
    assert_int_equal(load(state, &tensor, MC_UINT8, 4, location, offset, length, &err), MC_ERR_INPUT);
    if (!strstr(err.text, why)) fail_msg("'%s' says nothing of '%s'", err.text, why);
}

/* model/w.bin, model/sub/w.bin and, beside the model's folder, secret */
static int setup(void **state)
{
    if (scratch_setup(state) != 0) return -1;
    if (mkdir(scratch_path(state, "model"), 0777) != 0 || mkdir(scratch_path(state, "model/sub"), 0777) != 0) return -1;
    scratch_file(state, "model/w.bin", bytes, sizeof bytes);
    scratch_file(state, "model/sub/w.bin", bytes, sizeof bytes);
    scratch_file(state, "secret", bytes, sizeof bytes);
    return 0;
}

static void check_loads(void **state, const char *location, const char *offset, const char *length, int64_t n,
                        int first)
{
    struct mc_error err = {0};
    struct mc_tensor *tensor;
    assert_ok(load(state, &tensor, MC_UINT8, n, location, offset, length, &err), err);
    for (int64_t i = 0; i < n; i++) assert_int_equal(mc_tensor_get_i64(tensor, i), first + i);
    mc_tensor_destroy(tensor);
}

static void test_offset_and_length_are_honoured(void **state)
{
    check_loads(state, "w.bin", NULL, NULL, 12, 0);
    check_loads(state, "w.bin", NULL, NULL, 4, 0); /* without a length what the shape needs is taken */
    check_loads(state, "w.bin", "5", "7", 7, 5);
    check_loads(state, "sub/w.bin", "0", "12", 12, 0);
    check_loads(state, "./sub//w.bin", "11", NULL, 1, 11);
    check_loads(state, "w.bin", "12", "0", 0, 0);
}

static void test_misaligned_elements_are_copied(void **state)
{
    struct mc_error err = {0};
    struct mc_tensor *tensor;
    assert_ok(load(state, &tensor, MC_INT32, 2, "w.bin", "3", "8", &err), err);
    assert_int_equal(mc_tensor_get_i64(tensor, 0), 0x06050403);
    assert_int_equal((uintptr_t)tensor->data % 4, 0);
    mc_tensor_destroy(tensor);
}

static void test_parts_beyond_the_file_are_refused(void **state)
{
    check_refused(state, "w.bin", "9", NULL, "should be 4 bytes at 9 of 'w.bin', which has 12");
    check_refused(state, "w.bin", "13", NULL, "which has 12");
    check_refused(state, "w.bin", "9223372036854775800", NULL, "which has 12");
    check_refused(state, "w.bin", NULL, "5", "external data have 5 bytes, the shape needs 4");
}

static void test_numbers_must_be_numbers(void **state)
{
    static const char *const bad[] = {"", "-1", "+1", " 1", "1 ", "0x4", "99999999999999999999", "9223372036854775808"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        check_refused(state, "w.bin", bad[i], NULL, "not a number of bytes");
        check_refused(state, "w.bin", NULL, bad[i], "not a number of bytes");
    }
}

static void test_locations_outside_the_folder_are_refused(void **state)
{
    check_refused(state, "../secret", NULL, NULL, "lie outside the model's folder");
    check_refused(state, "sub/../../secret", NULL, NULL, "lie outside the model's folder");
    check_refused(state, "..", NULL, NULL, "lie outside the model's folder");
    check_refused(state, scratch_path(state, "secret"), NULL, NULL, "lie outside the model's folder");
    check_refused(state, scratch_path(state, "model/w.bin"), NULL, NULL, "lie outside the model's folder");
    check_refused(state, "", NULL, NULL, "lie outside the model's folder");
}

static void test_links_are_followed_only_inside_the_folder(void **state)
{
    assert_int_equal(symlink("sub/w.bin", scratch_path(state, "model/inner")), 0);
    assert_int_equal(symlink("../secret", scratch_path(state, "model/outer")), 0);
    assert_int_equal(symlink("..", scratch_path(state, "model/up")), 0);
    check_loads(state, "inner", "4", NULL, 4, 4);
    check_refused(state, "outer", NULL, NULL, "lie outside the model's folder");
    check_refused(state, "up/secret", NULL, NULL, "lie outside the model's folder");
    /* A folder whose name begins like the model's is another folder. */
    assert_int_equal(mkdir(scratch_path(state, "model2"), 0777), 0);
    scratch_file(state, "model2/w.bin", bytes, sizeof bytes);
    assert_int_equal(symlink("../model2/w.bin", scratch_path(state, "model/near")), 0);
    check_refused(state, "near", NULL, NULL, "lie outside the model's folder");
}

static void test_what_is_not_a_file_is_refused(void **state)
{
    assert_int_equal(mkfifo(scratch_path(state, "model/pipe"), 0666), 0);
    check_refused(state, "pipe", NULL, NULL, "are not a file");
    check_refused(state, "sub", NULL, NULL, "are not a file");
    check_refused(state, "absent", NULL, NULL, "No such file");
    check_refused(state, "w.bin/x", NULL, NULL, "Not a directory");
    check_refused(state, NULL, "0", NULL, "name no location");
}

static void test_a_key_given_twice_is_refused(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    struct mc_error err = {0};
    struct mc_external external = {.dir = scratch_path(state, "model")};
    const struct mc_shape shape = mc_shape_of(1, (int64_t[]){4});
    struct mc_tensor *tensor;
    Onnx__TensorProto *p = proto_tensor(a, "t", MC_UINT8, 1, shape.dim);
    proto_external(a, proto_external(a, p, "w.bin", NULL, NULL), "sub/w.bin", NULL, NULL);
    assert_int_equal(mc_external_load(&tensor, &external, p, MC_UINT8, &shape, &err), MC_ERR_INPUT);
    assert_non_null(strstr(err.text, "'location' twice"));
    mc_arena_finish(a);
}

/* Large parts are mapped, to be read alone; who writes takes a copy. What was given back is there again. */
static void test_large_parts_are_the_files_own(void **state)
{
    enum { COUNT = 1 << 20, OFFSET = 4096 + 8 };
    struct mc_error err = {0};
    struct mc_tensor *tensor, *copy;
    unsigned char *many = malloc(OFFSET + COUNT);
    for (size_t i = 0; i < OFFSET + COUNT; i++) many[i] = (unsigned char)(i % 251);
    scratch_file(state, "model/large", many, OFFSET + COUNT);
    assert_ok(load(state, &tensor, MC_INT64, COUNT / 8, "large", "4104", NULL, &err), err);
    assert_memory_equal(tensor->data, many + OFFSET, COUNT);
    assert_true(tensor->mapped);
    assert_false(mc_tensor_is_unique(tensor));
    assert_ok(mc_tensor_clone(&copy, tensor, &err), err);
    assert_true(mc_tensor_is_unique(copy));
    memset(copy->data, 0, COUNT);
    mc_tensor_forget(tensor, 0, COUNT);
    assert_memory_equal(tensor->data, many + OFFSET, COUNT);
    mc_tensor_destroy(copy);
    mc_tensor_destroy(tensor);
    free(many);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_offset_and_length_are_honoured, setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_misaligned_elements_are_copied, setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_parts_beyond_the_file_are_refused, setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_numbers_must_be_numbers, setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_locations_outside_the_folder_are_refused, setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_links_are_followed_only_inside_the_folder, setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_what_is_not_a_file_is_refused, setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_a_key_given_twice_is_refused, setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_large_parts_are_the_files_own, setup, scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
