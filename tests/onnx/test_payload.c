/* test_payload.c - contents of tensors are found wherever they lie, and nothing in bytes that make no sense. */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "onnx/payload.h"
#include "protos.h"

static size_t find(const unsigned char *bytes, size_t length, size_t least, struct mc_payload **found)
{
    struct mc_error err = {0};
    size_t n;
    assert_ok(mc_payloads_find(found, &n, bytes, length, least, &err), err);
    return n;
}

static void test_every_form_of_contents_is_found(void **state)
{
    static const float floats[24] = {1, 2, 3};
    static const double doubles[2] = {4, 5};
    static const int64_t image[4] = {2, 3, 2, 2}, flat[1] = {2};
    struct mc_arena arena, *a = protos_begin(&arena);
    Onnx__ModelProto *m = proto_model(a, 13);
    proto_initializer(a, m->graph, proto_raw(a, proto_tensor(a, "raw", MC_FLOAT, 4, image), floats, sizeof floats));
    proto_initializer(a, m->graph, proto_floats(a, proto_tensor(a, "floats", MC_FLOAT, 4, image), 24, floats));
    proto_initializer(a, m->graph, proto_raw(a, proto_tensor(a, "d", MC_DOUBLE, 1, flat), doubles, sizeof doubles));
    Onnx__NodeProto *node = proto_node(a, m->graph, "Constant", "c", "", "c");
    Onnx__AttributeProto *attr = proto_attr(a, node, "value", ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR);
    attr->t = proto_raw(a, proto_tensor(a, "", MC_FLOAT16, 4, image), floats, 48);
    size_t length;
    const unsigned char *bytes = proto_pack(a, &m->base, &length);
    struct mc_payload *p;
    assert_int_equal(find(bytes, length, 16, &p), 4);
    /* nodes come before initializers */
    static const struct mc_payload expected[4] = {
        {.length = 48, .dtype = MC_FLOAT16, .columns = 12, .pitch = 4},
        {.length = 96, .dtype = MC_FLOAT, .columns = 12, .pitch = 4},
        {.length = 96, .dtype = MC_FLOAT, .columns = 12, .pitch = 4},
        {.length = 16, .dtype = MC_DOUBLE, .columns = 0, .pitch = 0},
    };
    for (int i = 0; i < 4; i++) {
        assert_int_equal(p[i].length, expected[i].length);
        assert_int_equal(p[i].dtype, expected[i].dtype);
        assert_int_equal(p[i].columns, expected[i].columns);
        assert_int_equal(p[i].pitch, expected[i].pitch);
        assert_int_equal(p[i].offset, p[i].prefix + 1);
        assert_int_equal(bytes[p[i].prefix], p[i].length);
        assert_memory_equal(bytes + p[i].offset, i == 3 ? (const void *)doubles : floats, 16);
    }
    mc_free(p);
    assert_int_equal(find(bytes, length, 96, &p), 2);
    mc_free(p);
    mc_arena_finish(a);
}

static void expect_beside(const struct mc_payload_beside *p, const char *location, size_t offset, size_t length,
                          enum mc_dtype dtype, int64_t columns)
{
    assert_int_equal(p->location_length, strlen(location));
    assert_memory_equal(p->location, location, strlen(location));
    assert_int_equal(p->payload.offset, offset);
    assert_int_equal(p->payload.prefix, offset);
    assert_int_equal(p->payload.length, length);
    assert_int_equal(p->payload.dtype, dtype);
    assert_int_equal(p->payload.columns, columns);
}

static void test_contents_beside_the_model_are_found(void **state)
{
    static const int64_t image[4] = {2, 3, 2, 2}, huge[2] = {INT64_MAX, 4};
    static const float floats[24] = {1};
    struct mc_arena arena, *a = protos_begin(&arena);
    struct mc_error err = {0};
    Onnx__ModelProto *m = proto_model(a, 13);
    Onnx__GraphProto *g = m->graph;
    proto_initializer(a, g, proto_external(a, proto_tensor(a, "u", MC_FLOAT, 4, image), "w.bin", "4096", "96"));
    proto_initializer(a, g, proto_external(a, proto_tensor(a, "v", MC_INT4, 4, image), "sub/v", NULL, NULL));
    proto_initializer(a, g, proto_raw(a, proto_tensor(a, "in", MC_FLOAT, 4, image), floats, sizeof floats));
    proto_initializer(a, g, proto_external(a, proto_tensor(a, "x", MC_FLOAT, 2, huge), "x", "-1", NULL));
    proto_initializer(a, g, proto_external(a, proto_tensor(a, "y", MC_FLOAT, 4, image), NULL, "1", "2"));
    size_t length, n;
    const unsigned char *bytes = proto_pack(a, &m->base, &length);
    struct mc_payload_beside *p;
    assert_ok(mc_payloads_find_beside(&p, &n, bytes, length, &err), err);
    assert_int_equal(n, 3);
    expect_beside(&p[0], "w.bin", 4096, 96, MC_FLOAT, 12);
    expect_beside(&p[1], "sub/v", 0, 12, MC_INT4, 12); /* half a byte each, as the shape says */
    expect_beside(&p[2], "x", 0, 0, MC_FLOAT, 4);
    mc_free(p);
    mc_arena_finish(a);
}

/* TensorProto {raw_data, data_type, dims} in the other order, inside ModelProto.graph.initializer. */
static void test_type_and_shape_may_come_later(void **state)
{
    static const unsigned char bytes[] = {0x3a, 16, 0x2a, 14,   0x4a, 6,    1, 2,    3,
                                          4,    5,  6,    0x10, 0x04, 0x08, 1, 0x08, 3}; /* uint16 [1, 3] */
    struct mc_payload *p;
    assert_int_equal(find(bytes, sizeof bytes, 1, &p), 1);
    assert_int_equal(p[0].dtype, MC_UINT16);
    assert_int_equal(p[0].columns, 3);
    assert_int_equal(p[0].offset, 6);
    mc_free(p);
}

static void test_what_makes_no_sense_ends_the_search(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    size_t length;
    unsigned char *bytes = proto_pack(a, &proto_sample(a)->base, &length);
    struct mc_payload *p;
    for (size_t n = 0; n <= length; n++) {
        unsigned char *cut = malloc(n ? n : 1);
        memcpy(cut, bytes, n);
        const size_t found = find(cut, n, 1, &p);
        for (size_t i = 0; i < found; i++) assert_true(p[i].offset + p[i].length <= n);
        mc_free(p);
        free(cut);
    }
    for (size_t i = 0; i < length * 8; i++) {
        bytes[i / 8] ^= (unsigned char)(1 << i % 8);
        const size_t found = find(bytes, length, 1, &p);
        for (size_t k = 0; k < found; k++) {
            assert_true(p[k].offset + p[k].length <= length);
            assert_true(k == 0 || p[k].prefix >= p[k - 1].offset + p[k - 1].length);
        }
        mc_free(p);
        bytes[i / 8] ^= (unsigned char)(1 << i % 8);
    }
    mc_arena_finish(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_form_of_contents_is_found),
        cmocka_unit_test(test_contents_beside_the_model_are_found),
        cmocka_unit_test(test_type_and_shape_may_come_later),
        cmocka_unit_test(test_what_makes_no_sense_ends_the_search),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
