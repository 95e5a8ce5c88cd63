/* test_packed_file.c - a container will do wherever a model's file is asked for. */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "code/packed_file.h"
#include "onnx/onnx.h"
#include "onnx/protos.h"
#include "scratch.h"

static const char *sample_file(void **state, size_t *length)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    const unsigned char *bytes = proto_pack(a, &proto_sample(a)->base, length);
    const char *path = scratch_file(state, "sample.onnx", bytes, *length);
    mc_arena_finish(a);
    return path;
}

static void expect_same_file(const char *a, const char *b)
{
    struct mc_error err = {0};
    struct mc_file_view one, two;
    assert_ok(mc_file_open(&one, a, SIZE_MAX, &err), err);
    assert_ok(mc_file_open(&two, b, SIZE_MAX, &err), err);
    assert_int_equal(one.length, two.length);
    assert_memory_equal(one.data, two.data, one.length);
    mc_file_close(&one);
    mc_file_close(&two);
}

static void test_packed_and_plain_files_give_the_same_model(void **state)
{
    struct mc_error err = {0};
    size_t length, n_plain, n_packed;
    const char *plain = sample_file(state, &length), *packed = scratch_path(state, "sample.packed");
    struct mc_record *record;
    struct mc_model *a, *b;
    unsigned char *bytes_a, *bytes_b;
    assert_ok(mc_pack_file(plain, packed, MC_PACK_AUTO, false, &record, &err), err);
    assert_int_equal(mc_record_get_int(record, "bytes", 0), length);
    assert_int_equal(mc_record_get_int(record, "bytes_packed", 0), mc_file_size(packed));
    mc_record_destroy(record);
    assert_ok(mc_packed_load(&a, plain, &err), err);
    assert_ok(mc_packed_load(&b, packed, &err), err);
    assert_ok(mc_onnx_save_bytes(a, &bytes_a, &n_plain, &err), err);
    assert_ok(mc_onnx_save_bytes(b, &bytes_b, &n_packed, &err), err);
    assert_int_equal(n_plain, n_packed);
    assert_memory_equal(bytes_a, bytes_b, n_plain);
    mc_free(bytes_a);
    mc_free(bytes_b);
    mc_model_destroy(a);
    mc_model_destroy(b);
}

static void test_what_was_packed_is_unpacked_as_it_was(void **state)
{
    struct mc_error err = {0};
    size_t length;
    const char *plain = sample_file(state, &length), *packed = scratch_path(state, "sample.packed"),
               *again = scratch_path(state, "again.onnx");
    static const enum mc_pack_level levels[] = {MC_PACK_AUTO, MC_PACK_FAST, MC_PACK_BEST};
    for (int i = 0; i < 3; i++) {
        assert_ok(mc_pack_file(plain, packed, levels[i], true, NULL, &err), err);
        assert_ok(mc_unpack_file(packed, again, true, NULL, &err), err);
        expect_same_file(plain, again);
    }
    assert_int_equal(mc_pack_file(plain, packed, MC_PACK_AUTO, false, NULL, &err), MC_ERR_USAGE);
    assert_int_equal(mc_unpack_file(packed, again, false, NULL, &err), MC_ERR_USAGE);
}

static void test_mistakes_are_told_and_nothing_is_written(void **state)
{
    struct mc_error err = {0};
    size_t length;
    const char *plain = sample_file(state, &length), *packed = scratch_path(state, "sample.packed");
    const char *text = scratch_file(state, "notes.txt", "no model", 8), *out = scratch_path(state, "out");
    assert_ok(mc_pack_file(plain, packed, MC_PACK_AUTO, false, NULL, &err), err);
    const int n_files = scratch_count(state);
    assert_int_equal(mc_pack_file(packed, out, MC_PACK_AUTO, false, NULL, &err), MC_ERR_INPUT);
    assert_non_null(strstr(err.text, "it is packed already"));
    assert_int_equal(mc_pack_file(text, out, MC_PACK_AUTO, false, NULL, &err), MC_ERR_INPUT);
    assert_non_null(strstr(err.text, "it is no ONNX file: byte 1: "));
    assert_int_equal(mc_unpack_file(plain, out, false, NULL, &err), MC_ERR_INPUT);
    assert_non_null(strstr(err.text, "the bytes are not a packed model"));
    struct mc_file_view view;
    struct mc_model *model;
    assert_ok(mc_file_open(&view, packed, SIZE_MAX, &err), err);
    const char *cut = scratch_file(state, "cut.packed", view.data, view.length - 1);
    mc_file_close(&view);
    assert_int_equal(mc_unpack_file(cut, out, false, NULL, &err), MC_ERR_INPUT);
    assert_int_equal(mc_packed_load(&model, cut, &err), MC_ERR_INPUT);
    assert_non_null(strstr(err.text, "cannot load '"));
    assert_int_equal(scratch_count(state), n_files + 1);
}

#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SCRATCH(test_packed_and_plain_files_give_the_same_model),
        IN_SCRATCH(test_what_was_packed_is_unpacked_as_it_was),
        IN_SCRATCH(test_mistakes_are_told_and_nothing_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
