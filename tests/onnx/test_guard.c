/* test_guard.c - hostile and broken protobuf bytes are refused before they are unpacked. */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "onnx/guard.h"
#include "protos.h"

static int check_model(const void *bytes, size_t length, struct mc_error *err)
{
    return mc_guard_check(&onnx__model_proto__descriptor, bytes, length, err);
}

#define REFUSED(bytes, why)                                                                                            \
    do {                                                                                                               \
        struct mc_error err_ = {0};                                                                                    \
        assert_int_equal(check_model((bytes), sizeof(bytes) - 1, &err_), MC_ERR_INPUT);                                \
        if (!strstr(err_.text, (why))) fail_msg("'%s' says nothing of '%s'", err_.text, (why));                        \
    } while (0)

static void test_a_sound_model_passes(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    struct mc_error err = {0};
    size_t length;
    const unsigned char *bytes = proto_pack(a, &proto_sample(a)->base, &length);
    assert_ok(check_model(bytes, length, &err), err);
    mc_arena_finish(a);
}

static void test_every_prefix_that_cuts_a_field_is_refused(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    struct mc_error err = {0};
    size_t length, n_refused = 0;
    unsigned char *bytes = proto_pack(a, &proto_if(a)->base, &length);
    for (size_t n = 0; n < length; n++) {
        unsigned char *exact = malloc(n ? n : 1); /* of its own, so that the sanitizer sees a step beyond */
        memcpy(exact, bytes, n);
        n_refused += check_model(exact, n, &err) == MC_ERR_INPUT;
        free(exact);
    }
    assert_true(n_refused > length * 9 / 10); /* between two fields of the model itself a cut is not seen */
    mc_arena_finish(a);
}

static void test_broken_fields_are_refused(void **state)
{
    REFUSED("\x08", "byte 1: field 'ir_version' of ModelProto is cut short");
    REFUSED("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "is cut short"); /* eleven bytes of varint */
    REFUSED("\x12\x05xyz", "field 'producer_name' of ModelProto should have 5 bytes, 3 are left");
    REFUSED("\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01xyz", "are left");
    REFUSED("\x10\x01", "field 'producer_name' of ModelProto has another type");
    REFUSED("\x0d\1\2\3\4", "field 'ir_version' of ModelProto has another type");
    REFUSED("\x00\x01", "no field of a message starts here");
    REFUSED("\xff", "no field of a message starts here");
    REFUSED("\xa3\x06\xa4\x06", "no field of a message starts here"); /* a group */
    REFUSED("\xa1\x06\1\2\3", "field '(unknown)' of ModelProto is cut short");
}

static void test_a_zero_byte_in_text_is_refused(void **state)
{
    REFUSED("\x12\x03"
            "a\0b",
            "field 'producer_name' of ModelProto has a zero byte");
}

static void test_a_singular_message_given_twice_is_refused(void **state)
{
    REFUSED("\x3a\x00\x3a\x00", "field 'graph' of ModelProto is given twice");
}

static void test_packed_elements_must_be_whole(void **state)
{
    struct mc_error err = {0};
    static const unsigned char floats[] = {0x22, 3, 0, 0, 0}, ints[] = {0x2a, 2, 1, 0x80};
    const ProtobufCMessageDescriptor *type = &onnx__tensor_proto__descriptor;
    assert_int_equal(mc_guard_check(type, floats, sizeof floats, &err), MC_ERR_INPUT);
    assert_non_null(strstr(err.text, "field 'float_data' of TensorProto ends in the middle"));
    assert_int_equal(mc_guard_check(type, ints, sizeof ints, &err), MC_ERR_INPUT);
    assert_non_null(strstr(err.text, "field 'int32_data' of TensorProto ends in the middle"));
}

/* A type of `depth` messages: sequences of sequences. Returns the bytes' length; they end at `end`. */
static size_t nest(unsigned char *end, int depth)
{
    size_t length = 0;
    for (int i = depth - 1; i > 0; i--) {
        size_t n = length;
        unsigned char head[6];
        size_t h = 0;
        head[h++] = i % 2 ? 0x22 : 0x0a; /* TypeProto.sequence_type, Sequence.elem_type */
        for (; n > 127; n >>= 7) head[h++] = (unsigned char)(n & 127) | 128;
        head[h++] = (unsigned char)n;
        length += h;
        memcpy(end - length, head, h);
    }
    return length;
}

static void test_nesting_is_bounded(void **state)
{
    enum { SIZE = 1 << 20 };
    struct mc_error err = {0};
    unsigned char *bytes = calloc(1, SIZE), *end = bytes + SIZE;
    size_t length = nest(end, MC_GUARD_MAX_NESTING);
    assert_ok(mc_guard_check(&onnx__type_proto__descriptor, end - length, length, &err), err);
    length = nest(end, MC_GUARD_MAX_NESTING + 1);
    assert_int_equal(mc_guard_check(&onnx__type_proto__descriptor, end - length, length, &err), MC_ERR_INPUT);
    assert_non_null(strstr(err.text, "nested more than 100 deep"));
    length = nest(end, 200000);
    assert_int_equal(mc_guard_check(&onnx__type_proto__descriptor, end - length, length, &err), MC_ERR_INPUT);
    free(bytes);
}

/* Two bytes of file for each empty node, some two hundred of memory. */
static void test_memory_is_bounded(void **state)
{
    enum { SIZE = 20 << 20 };
    struct mc_error err = {0};
    unsigned char *bytes = malloc(SIZE);
    for (size_t i = 0; i < SIZE; i += 2) memcpy(bytes + i, "\x0a", 2);
    assert_int_equal(mc_guard_check(&onnx__graph_proto__descriptor, bytes, SIZE, &err), MC_ERR_INPUT);
    assert_non_null(strstr(err.text, "more memory"));
    assert_ok(mc_guard_check(&onnx__graph_proto__descriptor, bytes, SIZE / 16, &err), err);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_sound_model_passes),
        cmocka_unit_test(test_every_prefix_that_cuts_a_field_is_refused),
        cmocka_unit_test(test_broken_fields_are_refused),
        cmocka_unit_test(test_a_zero_byte_in_text_is_refused),
        cmocka_unit_test(test_a_singular_message_given_twice_is_refused),
        cmocka_unit_test(test_packed_elements_must_be_whole),
        cmocka_unit_test(test_nesting_is_bounded),
        cmocka_unit_test(test_memory_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
