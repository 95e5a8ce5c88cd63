/* test_tensor_proto.c - every form that TensorProto stores elements in, there and back. */
#include "test.h"

#include <string.h>

#include "onnx/tensor_proto.h"
#include "protos.h"

struct fixture {
    struct mc_arena arena;
    struct mc_origin origin; /* stands for the message's holder; counted, never destroyed here */
    int destroyed;
    struct mc_error err;
};

static int setup(void **state)
{
    static struct fixture f;
    f = (struct fixture){0};
    protos_begin(&f.arena);
    atomic_init(&f.origin.users, 1);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    mc_arena_finish(&f->arena);
    return atomic_load(&f->origin.users) == 1 ? 0 : -1; /* no tensor is left */
}

static int load(struct fixture *f, struct mc_tensor **tensor, const Onnx__TensorProto *p)
{
    struct mc_external external = {0};
    return mc_tensor_from_proto(tensor, p, &f->origin, &external, &f->err);
}

static void check_refused(struct fixture *f, const Onnx__TensorProto *p, const char *why)
{
    struct mc_tensor *tensor;
    assert_int_equal(load(f, &tensor, p), MC_ERR_INPUT);
    if (!strstr(f->err.text, why)) fail_msg("'%s' says nothing of '%s'", f->err.text, why);
}

/* Written after this origin, the tensor gives the same bytes as the origin. */
static void check_unchanged(struct fixture *f, const struct mc_tensor *tensor, const Onnx__TensorProto *p)
{
    size_t n, m;
    const Onnx__TensorProto *again = mc_tensor_to_proto(&f->arena, tensor, p->name, p);
    const unsigned char *before = proto_pack(&f->arena, &p->base, &n), *after = proto_pack(&f->arena, &again->base, &m);
    assert_int_equal(n, m);
    assert_memory_equal(before, after, n);
}

/* --- forms --- */

static void test_raw_data_is_not_copied(void **state)
{
    struct fixture *f = *state;
    static const float values[6] = {1, -2, 3.5F, 0, 5, 6};
    Onnx__TensorProto *p = proto_tensor(&f->arena, "w", MC_FLOAT, 2, (int64_t[]){2, 3});
    proto_raw(&f->arena, p, values, sizeof values);
    struct mc_tensor *tensor;
    assert_ok(load(f, &tensor, p), f->err);
    assert_ptr_equal(tensor->data, p->raw_data.data);
    assert_int_equal(atomic_load(&f->origin.users), 2);
    assert_int_equal(tensor->dtype, MC_FLOAT);
    assert_int_equal(tensor->shape.rank, 2);
    assert_int_equal(tensor->shape.dim[1], 3);
    assert_true(mc_tensor_get_f64(tensor, 2) == 3.5);
    check_unchanged(f, tensor, p);
    mc_tensor_destroy(tensor);
}

static void test_scalars_and_empty_tensors(void **state)
{
    struct fixture *f = *state;
    struct mc_tensor *tensor;
    Onnx__TensorProto *scalar = proto_tensor(&f->arena, NULL, MC_INT64, 0, NULL);
    scalar->n_int64_data = 1;
    scalar->int64_data = (int64_t[]){-7};
    assert_ok(load(f, &tensor, scalar), f->err);
    assert_int_equal(tensor->shape.rank, 0);
    assert_int_equal(mc_tensor_get_i64(tensor, 0), -7);
    check_unchanged(f, tensor, scalar);
    mc_tensor_destroy(tensor);

    Onnx__TensorProto *empty = proto_tensor(&f->arena, NULL, MC_FLOAT, 2, (int64_t[]){0, 5});
    assert_ok(load(f, &tensor, empty), f->err);
    assert_int_equal(mc_tensor_count(tensor), 0);
    check_unchanged(f, tensor, empty);
    mc_tensor_destroy(tensor);
    proto_raw(&f->arena, empty, "", 0);
    assert_ok(load(f, &tensor, empty), f->err);
    check_unchanged(f, tensor, empty);
    mc_tensor_destroy(tensor);
}

/* What int32_data holds for each of its types, and what the elements are then. */
static void test_int32_data_of_every_type(void **state)
{
    struct fixture *f = *state;
    static const struct {
        enum mc_dtype dtype;
        int64_t count;
        size_t n;
        int32_t entries[4];
        unsigned char bytes[16];
    } cases[] = {
        {MC_INT32, 2, 2, {-1, 258}, {255, 255, 255, 255, 2, 1, 0, 0}},
        {MC_INT8, 2, 2, {-1, 127}, {255, 127}},
        {MC_UINT8, 2, 2, {255, 1}, {255, 1}},
        {MC_INT16, 2, 2, {-2, 258}, {254, 255, 2, 1}},
        {MC_UINT16, 2, 2, {65535, 258}, {255, 255, 2, 1}},
        {MC_BOOL, 3, 3, {1, 0, 1}, {1, 0, 1}},
        {MC_FLOAT16, 2, 2, {0x3c00, 0xc000}, {0, 0x3c, 0, 0xc0}},
        {MC_BFLOAT16, 2, 2, {0x3f80, 0xc000}, {0x80, 0x3f, 0, 0xc0}},
        {MC_FLOAT8E4M3FN, 2, 2, {0x38, 0xb8}, {0x38, 0xb8}},
        {MC_FLOAT8E4M3FNUZ, 2, 2, {0x40, 0x80}, {0x40, 0x80}},
        {MC_FLOAT8E5M2, 2, 2, {0x3c, 0xbc}, {0x3c, 0xbc}},
        {MC_FLOAT8E5M2FNUZ, 2, 2, {0x40, 0x80}, {0x40, 0x80}},
        {MC_FLOAT8E8M0, 2, 2, {127, 254}, {127, 254}},
        {MC_INT4, 3, 2, {0xf1, 0x07}, {0xf1, 0x07}},
        {MC_UINT4, 4, 2, {0xf1, 0x27}, {0xf1, 0x27}},
        {MC_FLOAT4E2M1, 1, 1, {0x02}, {0x02}},
        {MC_INT2, 5, 2, {0xe4, 0x01}, {0xe4, 0x01}},
        {MC_UINT2, 4, 1, {0xe4}, {0xe4}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct mc_tensor *tensor;
        Onnx__TensorProto *p = proto_tensor(&f->arena, "t", cases[i].dtype, 1, &cases[i].count);
        p->n_int32_data = cases[i].n;
        p->int32_data = (int32_t *)(uintptr_t)cases[i].entries;
        assert_ok(load(f, &tensor, p), f->err);
        assert_memory_equal(tensor->data, cases[i].bytes, mc_tensor_bytes(tensor));
        check_unchanged(f, tensor, p);
        mc_tensor_destroy(tensor);
        p->n_int32_data--;
        check_refused(f, p, "elements are stored, ");
    }
}

static void test_wide_typed_fields(void **state)
{
    struct fixture *f = *state;
    struct mc_tensor *tensor;
    Onnx__TensorProto *p = proto_tensor(&f->arena, "t", MC_DOUBLE, 1, (int64_t[]){2});
    p->n_double_data = 2;
    p->double_data = (double[]){1.5, -2};
    assert_ok(load(f, &tensor, p), f->err);
    assert_true(mc_tensor_get_f64(tensor, 0) == 1.5 && mc_tensor_get_f64(tensor, 1) == -2);
    check_unchanged(f, tensor, p);
    mc_tensor_destroy(tensor);

    p = proto_tensor(&f->arena, "t", MC_UINT64, 1, (int64_t[]){2});
    p->n_uint64_data = 2;
    p->uint64_data = (uint64_t[]){UINT64_MAX, 3};
    assert_ok(load(f, &tensor, p), f->err);
    assert_true(((uint64_t *)tensor->data)[0] == UINT64_MAX);
    check_unchanged(f, tensor, p);
    mc_tensor_destroy(tensor);

    p->data_type = MC_UINT32;
    p->uint64_data = (uint64_t[]){UINT32_MAX, 3};
    assert_ok(load(f, &tensor, p), f->err);
    assert_true(((uint32_t *)tensor->data)[0] == UINT32_MAX && ((uint32_t *)tensor->data)[1] == 3);
    check_unchanged(f, tensor, p);
    mc_tensor_destroy(tensor);
}

static void test_complex_numbers_take_two_entries(void **state)
{
    struct fixture *f = *state;
    struct mc_tensor *tensor;
    Onnx__TensorProto *p = proto_tensor(&f->arena, "t", MC_COMPLEX64, 1, (int64_t[]){2});
    proto_floats(&f->arena, p, 4, (float[]){1, 2, 3, 4});
    assert_ok(load(f, &tensor, p), f->err);
    assert_int_equal(mc_tensor_bytes(tensor), 16);
    assert_true(((float *)tensor->data)[3] == 4);
    check_unchanged(f, tensor, p);
    mc_tensor_destroy(tensor);
    p->n_float_data = 2;
    check_refused(f, p, "2 elements are stored, complex64 [2] needs 4");

    p = proto_tensor(&f->arena, "t", MC_COMPLEX128, 1, (int64_t[]){1});
    p->n_double_data = 2;
    p->double_data = (double[]){1, 2};
    assert_ok(load(f, &tensor, p), f->err);
    check_unchanged(f, tensor, p);
    mc_tensor_destroy(tensor);
}

static void test_strings_may_hold_any_bytes(void **state)
{
    struct fixture *f = *state;
    struct mc_tensor *tensor;
    Onnx__TensorProto *p = proto_tensor(&f->arena, "t", MC_STRING, 1, (int64_t[]){3});
    p->n_string_data = 3;
    p->string_data = (ProtobufCBinaryData[]){{3, (uint8_t *)(char[]){'a', 0, 'b'}}, {0, NULL}, {1, (uint8_t[]){200}}};
    assert_ok(load(f, &tensor, p), f->err);
    const struct mc_text *texts = tensor->data;
    assert_int_equal(texts[0].length, 3);
    assert_memory_equal(texts[0].bytes, "a\0b", 3);
    assert_int_equal(texts[1].length, 0);
    check_unchanged(f, tensor, p);
    mc_tensor_destroy(tensor);
    p->has_raw_data = 1;
    check_refused(f, p, "more than one field");
    p->n_string_data = 0;
    check_refused(f, p, "string elements are stored in a wrong field");
}

/* --- refusals --- */

static void test_types_and_shapes_that_cannot_be_are_refused(void **state)
{
    struct fixture *f = *state;
    struct mc_arena *a = &f->arena;
    int64_t many[17] = {0};
    check_refused(f, proto_tensor(a, "t", MC_UNDEFINED, 0, NULL), "element type 0 is unknown");
    check_refused(f, proto_tensor(a, "t", MC_DTYPE_COUNT, 0, NULL), "is unknown");
    check_refused(f, proto_tensor(a, "t", (enum mc_dtype) - 1, 0, NULL), "element type -1 is unknown");
    check_refused(f, proto_tensor(a, "t", MC_FLOAT, 17, many), "17 dimensions are more than 16");
    check_refused(f, proto_tensor(a, "t", MC_FLOAT, 2, (int64_t[]){2, -3}), "dimension 1 is -3");
    const int64_t two_63[2] = {INT64_C(1) << 32, INT64_C(1) << 31}, two_62[2] = {INT64_C(1) << 31, INT64_C(1) << 31};
    check_refused(f, proto_tensor(a, "t", MC_INT8, 2, two_63), "[4294967296,2147483648] has more elements than can");
    check_refused(f, proto_tensor(a, "t", MC_FLOAT, 2, two_62), "has more elements than can be counted");
    check_refused(f, proto_raw(a, proto_tensor(a, "t", MC_INT8, 2, two_62), "x", 1), "raw_data has 1 bytes, int8");
}

static void test_contents_that_do_not_fit_are_refused(void **state)
{
    struct fixture *f = *state;
    struct mc_arena *a = &f->arena;
    static const float v[3] = {1, 2, 3};
    const int64_t three = 3;
    check_refused(f, proto_tensor(a, "t", MC_FLOAT, 1, &three), "0 elements are stored, float32 [3] needs 3");
    check_refused(f, proto_floats(a, proto_tensor(a, "t", MC_FLOAT, 1, &three), 2, v), "2 elements are stored");
    check_refused(f, proto_raw(a, proto_tensor(a, "t", MC_FLOAT, 1, &three), v, 11), "raw_data has 11 bytes");
    check_refused(f, proto_raw(a, proto_tensor(a, "t", MC_INT4, 1, &three), v, 3), "int4 [3] needs 2");
    check_refused(f, proto_floats(a, proto_tensor(a, "t", MC_INT32, 1, &three), 3, v), "in a wrong one");
    Onnx__TensorProto *both = proto_raw(a, proto_tensor(a, "t", MC_FLOAT, 1, &three), v, 12);
    check_refused(f, proto_floats(a, both, 3, v), "more than one field");
    check_refused(f, proto_raw(a, proto_tensor(a, "t", MC_BOOL, 1, &three), "\0\1\2", 3), "element 2 is 2, a bool");
    Onnx__TensorProto *outside = proto_external(a, proto_tensor(a, "t", MC_FLOAT, 1, &three), "f", NULL, NULL);
    check_refused(f, outside, "external data are not allowed here");
    check_refused(f, proto_floats(a, outside, 3, v), "more than one field");
}

static void test_segments_are_not_supported(void **state)
{
    struct fixture *f = *state;
    struct mc_tensor *tensor;
    Onnx__TensorProto *p = proto_tensor(&f->arena, "t", MC_FLOAT, 1, (int64_t[]){0});
    Onnx__TensorProto__Segment segment;
    onnx__tensor_proto__segment__init(&segment);
    p->segment = &segment;
    assert_int_equal(load(f, &tensor, p), MC_ERR_UNSUPPORTED);
}

/* --- writing --- */

static void test_changed_contents_keep_the_form_where_it_is_ours(void **state)
{
    struct fixture *f = *state;
    struct mc_tensor *tensor;
    Onnx__TensorProto *p = proto_tensor(&f->arena, "t", MC_FLOAT, 1, (int64_t[]){2});
    proto_floats(&f->arena, p, 2, (float[]){1, 2});
    struct mc_tensor *copy;
    assert_ok(load(f, &tensor, p), f->err);
    assert_ok(mc_tensor_clone(&copy, tensor, &f->err), f->err);
    mc_tensor_set_f64(copy, 0, 9);
    const Onnx__TensorProto *q = mc_tensor_to_proto(&f->arena, copy, "t", p);
    assert_int_equal(q->n_float_data, 2);
    assert_true(q->float_data[0] == 9 && p->float_data[0] == 1);
    assert_false(q->has_raw_data);
    mc_tensor_destroy(copy);
    mc_tensor_destroy(tensor);
}

static void test_changed_narrow_contents_become_raw(void **state)
{
    struct fixture *f = *state;
    struct mc_tensor *tensor;
    Onnx__TensorProto *p = proto_tensor(&f->arena, "t", MC_INT8, 1, (int64_t[]){2});
    p->n_int32_data = 2;
    p->int32_data = (int32_t[]){1, 2};
    p->doc_string = mc_arena_strdup(&f->arena, "kept");
    proto_unknown_field(&f->arena, &p->base, 16, "kept, too");
    assert_ok(load(f, &tensor, p), f->err);
    mc_tensor_set_f64(tensor, 1, -3);
    const Onnx__TensorProto *q = mc_tensor_to_proto(&f->arena, tensor, "t", p);
    assert_int_equal(q->n_int32_data, 0);
    assert_true(q->has_raw_data);
    assert_int_equal(q->raw_data.len, 2);
    assert_int_equal(((signed char *)q->raw_data.data)[1], -3);
    assert_string_equal(q->doc_string, "kept");
    assert_int_equal(q->base.n_unknown_fields, 1);
    mc_tensor_destroy(tensor);
}

static void test_other_shape_or_type_is_written_anew(void **state)
{
    struct fixture *f = *state;
    struct mc_tensor *tensor;
    const struct mc_shape shape = mc_shape_of(2, (int64_t[]){1, 1});
    Onnx__TensorProto *p = proto_tensor(&f->arena, "t", MC_FLOAT, 1, (int64_t[]){2});
    proto_floats(&f->arena, p, 2, (float[]){1, 2});
    assert_ok(mc_tensor_create(&tensor, MC_INT8, &shape, &f->err), f->err);
    const Onnx__TensorProto *q = mc_tensor_to_proto(&f->arena, tensor, "u", p);
    assert_string_equal(q->name, "u");
    assert_int_equal(q->data_type, MC_INT8);
    assert_int_equal(q->n_dims, 2);
    assert_int_equal(q->n_float_data, 0);
    assert_int_equal(q->raw_data.len, 1);
    mc_tensor_destroy(tensor);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_raw_data_is_not_copied, setup, teardown),
        cmocka_unit_test_setup_teardown(test_scalars_and_empty_tensors, setup, teardown),
        cmocka_unit_test_setup_teardown(test_int32_data_of_every_type, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wide_typed_fields, setup, teardown),
        cmocka_unit_test_setup_teardown(test_complex_numbers_take_two_entries, setup, teardown),
        cmocka_unit_test_setup_teardown(test_strings_may_hold_any_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_types_and_shapes_that_cannot_be_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_contents_that_do_not_fit_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_segments_are_not_supported, setup, teardown),
        cmocka_unit_test_setup_teardown(test_changed_contents_keep_the_form_where_it_is_ours, setup, teardown),
        cmocka_unit_test_setup_teardown(test_changed_narrow_contents_become_raw, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_shape_or_type_is_written_anew, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
