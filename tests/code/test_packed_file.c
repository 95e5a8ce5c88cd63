/* test_packed_file.c - a container will do wherever a model's file is asked for. */
#include "test.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "code/packed_file.h"
#include "onnx/onnx.h"
#include "onnx/protos.h"
#include "op/ops.h"
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

/* The sample with its larger tensor in "data/w.bin", in a folder of its own. */
static const char *sample_with_data(void **state, struct mc_arena *a)
{
    size_t length;
    static const unsigned char gap[10] = {1, 2, 3};
    Onnx__ModelProto *m = proto_sample(a);
    Onnx__TensorProto *w = m->graph->initializer[0];
    unsigned char data[10 + 48];
    assert_int_equal(w->raw_data.len, 48);
    memcpy(data, gap, 10);
    memcpy(data + 10, w->raw_data.data, 48);
    w->has_raw_data = false;
    proto_external(a, w, "data/w.bin", "10", "48");
    assert_int_equal(mkdir(scratch_path(state, "model"), 0777), 0);
    assert_int_equal(mkdir(scratch_path(state, "model/data"), 0777), 0);
    scratch_file(state, "model/data/w.bin", data, sizeof data);
    const unsigned char *bytes = proto_pack(a, &m->base, &length);
    return scratch_file(state, "model/sample.onnx", bytes, length);
}

static void test_external_data_are_in_the_container(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    struct mc_error err = {0};
    const char *plain = sample_with_data(state, a), *packed = scratch_path(state, "alone.packed");
    struct mc_record *record;
    struct mc_model *one, *two;
    assert_ok(mc_pack_file(plain, packed, MC_PACK_AUTO, false, &record, &err), err);
    assert_int_equal(mc_record_get_int(record, "data_files", 0), 1);
    assert_int_equal(mc_record_get_int(record, "bytes", 0), mc_file_size(plain) + 58);
    mc_record_destroy(record);
    assert_ok(mc_packed_load(&one, plain, &err), err);
    assert_ok(mc_packed_load(&two, packed, &err), err);
    for (int i = 0; i < one->graph->n_initializers; i++) {
        const struct mc_tensor *x = one->graph->initializers[i]->data, *y = two->graph->initializers[i]->data;
        assert_memory_equal(x->data, y->data, mc_tensor_bytes(x));
    }
    mc_model_destroy(one);
    mc_model_destroy(two);
    /* out again, into folders that are not there */
    assert_int_equal(mkdir(scratch_path(state, "again"), 0777), 0);
    const char *again = scratch_path(state, "again/other.onnx");
    assert_ok(mc_unpack_file(packed, again, false, &record, &err), err);
    assert_int_equal(mc_record_get_int(record, "data_files", 0), 1);
    mc_record_destroy(record);
    expect_same_file(plain, again);
    expect_same_file(scratch_path(state, "model/data/w.bin"), scratch_path(state, "again/data/w.bin"));
    mc_arena_finish(a);
}

/* y = Plus(x), a function that adds a constant whose contents lie in "c.bin". */
static const char *calls_with_data(void **state, struct mc_arena *a)
{
    static const float two = 2;
    size_t length;
    Onnx__ModelProto *m = proto_model(a, 17);
    proto_input(a, m->graph, proto_info(a, "x", MC_FLOAT, "1"));
    proto_output(a, m->graph, proto_info(a, "y", MC_FLOAT, "1"));
    proto_call(a, proto_node(a, m->graph, "Plus", NULL, "x", "y"), "local");
    Onnx__FunctionProto *f = proto_function(a, m, "local", "Plus", "x", "y", 17);
    Onnx__NodeProto *constant = proto_function_node(a, f, "Constant", NULL, "", "c");
    Onnx__AttributeProto *value = proto_attr(a, constant, "value", ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR);
    value->t = proto_external(a, proto_tensor(a, "c", MC_FLOAT, 1, (int64_t[]){1}), "c.bin", NULL, NULL);
    proto_function_node(a, f, "Add", NULL, "x c", "y");
    assert_int_equal(mkdir(scratch_path(state, "model"), 0777), 0);
    scratch_file(state, "model/c.bin", &two, sizeof two);
    const unsigned char *bytes = proto_pack(a, &m->base, &length);
    return scratch_file(state, "model/calls.onnx", bytes, length);
}

/* Bodies of functions are made long after the container was read. */
static void test_constants_of_functions_are_in_the_container(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    struct mc_error err = {0};
    const char *plain = calls_with_data(state, a), *packed = scratch_path(state, "alone.packed");
    struct mc_model *model;
    assert_ok(mc_pack_file(plain, packed, MC_PACK_AUTO, false, NULL, &err), err);
    assert_ok(mc_packed_load(&model, packed, &err), err);
    assert_ok(mc_onnx_inline(model, mc_ops_find, &err), err);
    const struct mc_node *constant = model->graph->nodes[0];
    assert_string_equal(constant->type, "Constant");
    assert_true(mc_tensor_get_f64(constant->attrs[0].t, 0) == 2);
    mc_model_destroy(model);
    mc_arena_finish(a);
}

static void test_files_in_the_way_are_kept(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    struct mc_error err = {0};
    const char *plain = sample_with_data(state, a), *packed = scratch_path(state, "alone.packed"),
               *data = scratch_path(state, "model/data/w.bin"), *again = scratch_path(state, "model/again.onnx");
    assert_ok(mc_pack_file(plain, packed, MC_PACK_AUTO, false, NULL, &err), err);
    assert_int_equal(mc_unpack_file(packed, again, false, NULL, &err), MC_ERR_USAGE);
    assert_non_null(strstr(err.text, "w.bin' exists"));
    assert_int_equal(mc_file_size(again), -1);
    assert_ok(mc_unpack_file(packed, again, true, NULL, &err), err);
    /* a link would lead out of the folder */
    assert_int_equal(mkdir(scratch_path(state, "linked"), 0777), 0);
    assert_int_equal(symlink(scratch_path(state, "model"), scratch_path(state, "linked/data")), 0);
    assert_int_equal(mc_unpack_file(packed, scratch_path(state, "linked/m.onnx"), true, NULL, &err), MC_ERR_SYSTEM);
    assert_int_equal(mc_file_size(scratch_path(state, "model/w.bin")), -1);
    assert_int_equal(mc_file_size(scratch_path(state, "linked/m.onnx")), -1);
    /* neither place nor name for both */
    assert_int_equal(mc_unpack_file(packed, "/dev/null", true, NULL, &err), MC_ERR_USAGE);
    assert_non_null(strstr(err.text, "no place beside '/dev/null'"));
    assert_int_equal(unlink(data), 0);
    assert_int_equal(mc_pack_file(plain, packed, MC_PACK_AUTO, true, NULL, &err), MC_ERR_INPUT);
    assert_non_null(strstr(err.text, "data/w.bin"));
    mc_arena_finish(a);
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
        IN_SCRATCH(test_external_data_are_in_the_container),
        IN_SCRATCH(test_constants_of_functions_are_in_the_container),
        IN_SCRATCH(test_files_in_the_way_are_kept),
        IN_SCRATCH(test_mistakes_are_told_and_nothing_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
