/* test_type_proto.c - declared types of values, there and back. */
#include "test.h"

#include <string.h>

#include "onnx/type_proto.h"
#include "protos.h"

static void test_dimensions_are_numbers_names_or_unknown(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    struct mc_error err = {0};
    struct mc_type type;
    assert_ok(mc_type_from_proto(&type, proto_info(a, "x", MC_FLOAT, "batch 3 ? -1 0")->type, &err), err);
    assert_int_equal(type.dtype, MC_FLOAT);
    assert_int_equal(type.rank, 5);
    assert_int_equal(type.dim[0], -1);
    assert_string_equal(type.param[0], "batch");
    assert_int_equal(type.dim[1], 3);
    assert_int_equal(type.dim[2], -1);
    assert_null(type.param[2]);
    assert_int_equal(type.dim[3], -1); /* what some exporters write for unknown */
    assert_int_equal(type.dim[4], 0);
    mc_arena_finish(a);
}

static void test_no_shape_is_not_a_scalar(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    struct mc_error err = {0};
    struct mc_type type;
    assert_ok(mc_type_from_proto(&type, proto_info(a, "x", MC_INT64, NULL)->type, &err), err);
    assert_int_equal(type.rank, -1);
    assert_ok(mc_type_from_proto(&type, proto_info(a, "x", MC_INT64, "")->type, &err), err);
    assert_int_equal(type.rank, 0);
    assert_ok(mc_type_from_proto(&type, NULL, &err), err);
    assert_int_equal(type.dtype, MC_UNDEFINED);
    assert_int_equal(type.rank, -1);
    mc_arena_finish(a);
}

static void test_a_sequence_is_undeclared(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    struct mc_error err = {0};
    struct mc_type type;
    Onnx__TypeProto__Sequence sequence;
    Onnx__TypeProto proto;
    onnx__type_proto__init(&proto);
    onnx__type_proto__sequence__init(&sequence);
    proto.value_case = ONNX__TYPE_PROTO__VALUE_SEQUENCE_TYPE;
    proto.sequence_type = &sequence;
    assert_ok(mc_type_from_proto(&type, &proto, &err), err);
    assert_int_equal(type.dtype, MC_UNDEFINED);
    mc_arena_finish(a);
}

static void check_refused(const char *dims, enum mc_dtype dtype, const char *why)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    struct mc_error err = {0};
    struct mc_type type;
    assert_int_equal(mc_type_from_proto(&type, proto_info(a, "x", dtype, dims)->type, &err), MC_ERR_INPUT);
    if (!strstr(err.text, why)) fail_msg("'%s' says nothing of '%s'", err.text, why);
    mc_arena_finish(a);
}

static void test_types_that_cannot_be_are_refused(void **state)
{
    check_refused("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17", MC_FLOAT, "17 dimensions are more than 16");
    check_refused("4294967296 n 2147483648", MC_FLOAT, "[4294967296,2147483648] have a product that cannot be counted");
    check_refused("1", MC_DTYPE_COUNT, "is unknown");
}

static void test_a_written_type_is_read_as_itself(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    struct mc_error err = {0};
    const struct mc_type type = {.dtype = MC_FLOAT16, .rank = 3, .dim = {-1, -1, 7}, .param = {"batch", NULL, NULL}};
    struct mc_type again;
    const Onnx__TypeProto *proto = mc_type_to_proto(a, &type, NULL);
    assert_ok(mc_type_from_proto(&again, proto, &err), err);
    assert_true(mc_type_equal(&type, &again));
    again.dim[2] = 8;
    assert_false(mc_type_equal(&type, &again));
    mc_arena_finish(a);
}

static void test_denotations_and_unknown_fields_stay(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    struct mc_error err = {0};
    struct mc_type type;
    Onnx__TypeProto *origin = proto_info(a, "x", MC_FLOAT, "batch 3")->type;
    origin->denotation = mc_arena_strdup(a, "IMAGE");
    origin->tensor_type->shape->dim[1]->denotation = mc_arena_strdup(a, "DATA_CHANNEL");
    proto_unknown_field(a, &origin->base, 99, "later");
    assert_ok(mc_type_from_proto(&type, origin, &err), err);
    type.dim[1] = 2;
    const Onnx__TypeProto *proto = mc_type_to_proto(a, &type, origin);
    assert_string_equal(proto->denotation, "IMAGE");
    assert_string_equal(proto->tensor_type->shape->dim[1]->denotation, "DATA_CHANNEL");
    assert_int_equal(proto->tensor_type->shape->dim[1]->dim_value, 2);
    assert_int_equal(origin->tensor_type->shape->dim[1]->dim_value, 3);
    assert_int_equal(proto->base.n_unknown_fields, 1);
    mc_arena_finish(a);
}

static void test_a_type_admits_what_it_declares(void **state)
{
    struct mc_error err = {0};
    struct mc_tensor *tensor;
    const struct mc_shape shape = mc_shape_of(2, (int64_t[]){2, 3});
    assert_ok(mc_tensor_create(&tensor, MC_FLOAT, &shape, &err), err);
    struct mc_type type = {.dtype = MC_FLOAT, .rank = 2, .dim = {-1, 3}};
    assert_true(mc_type_admits(&type, tensor));
    type.dim[1] = 4;
    assert_false(mc_type_admits(&type, tensor));
    type.rank = -1;
    assert_true(mc_type_admits(&type, tensor));
    type.rank = 1;
    assert_false(mc_type_admits(&type, tensor));
    type = mc_type_of_tensor(tensor);
    assert_true(mc_type_admits(&type, tensor));
    type.dtype = MC_INT32;
    assert_false(mc_type_admits(&type, tensor));
    type.dtype = MC_UNDEFINED;
    assert_true(mc_type_admits(&type, tensor));
    mc_tensor_destroy(tensor);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dimensions_are_numbers_names_or_unknown),
        cmocka_unit_test(test_no_shape_is_not_a_scalar),
        cmocka_unit_test(test_a_sequence_is_undeclared),
        cmocka_unit_test(test_types_that_cannot_be_are_refused),
        cmocka_unit_test(test_a_written_type_is_read_as_itself),
        cmocka_unit_test(test_denotations_and_unknown_fields_stay),
        cmocka_unit_test(test_a_type_admits_what_it_declares),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
