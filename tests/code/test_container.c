/* test_container.c - files come back byte for byte; a container that was cut or changed anywhere is refused. */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "alloc_fail.h"
#include "base/alloc.h"
#include "base/hash.h"
#include "code/container.h"
#include "onnx/protos.h"
#include "weights.h"

static int take(void *context, const unsigned char *bytes, size_t length, struct mc_error *err)
{
    (void)err;
    struct mc_buf *buf = context;
    mc_buf_append(buf, bytes, length);
    return buf->failed ? MC_ERR_SYSTEM : MC_OK;
}

/* Between the files their names. */
static int begin_beside(void *context, const char *name, struct mc_error *err)
{
    (void)err;
    struct mc_buf *buf = context;
    mc_buf_printf(buf, "<%s>", name);
    return buf->failed ? MC_ERR_SYSTEM : MC_OK;
}

static int unpack(const void *packed, size_t length, struct mc_buf *out, struct mc_error *err)
{
    mc_buf_init(out, (size_t)1 << 30);
    const struct mc_file_view view = {.data = packed, .length = length};
    return mc_container_unpack(&view, &(struct mc_container_taker){take, begin_beside, out}, err);
}

/* What the container would take, told from a mapped file. */
static size_t size_of(const unsigned char *bytes, size_t length, enum mc_code_level level)
{
    struct mc_error err = {0};
    struct mc_file_out out;
    struct mc_file_view file;
    size_t size;
    assert_ok(mc_file_scratch(&out, &err), err);
    assert_ok(mc_file_write(&out, bytes, length, &err), err);
    assert_ok(mc_file_view_scratch(&file, &out, &err), err);
    assert_int_equal(file.length, length);
    assert_ok(mc_container_size(&file, level, &size, &err), err);
    mc_file_close(&file);
    mc_file_abort(&out);
    return size;
}

/* Length of the container. */
static size_t round_trip(const unsigned char *bytes, size_t length, enum mc_code_level level)
{
    struct mc_error err = {0};
    struct mc_buf packed, again;
    mc_buf_init(&packed, (size_t)1 << 30);
    assert_ok(mc_container_pack(&packed, bytes, length, level, &err), err);
    assert_int_equal(size_of(bytes, length, level), packed.length);
    assert_true(mc_container_is((unsigned char *)packed.data, packed.length));
    assert_ok(unpack(packed.data, packed.length, &again, &err), err);
    assert_int_equal(again.length, length);
    if (length > 0) assert_memory_equal(again.data, bytes, length);
    const size_t taken = packed.length;
    mc_buf_finish(&packed);
    mc_buf_finish(&again);
    return taken;
}

/* --- models --- */

static Onnx__TensorProto *weights(struct mc_arena *a, const char *name, int64_t rows, int64_t columns, double kept,
                                  int clusters)
{
    const int64_t dims[2] = {rows, columns};
    const size_t n = (size_t)(rows * columns);
    float *w = mc_arena_alloc(a, n, sizeof *w);
    weights_normal(w, n, 0.1, n);
    if (kept < 1) weights_prune(w, n, kept);
    if (clusters > 0) weights_cluster(w, n, clusters);
    return proto_raw(a, proto_tensor(a, name, MC_FLOAT, 2, dims), w, n * sizeof *w);
}

/* A multilayer perceptron whose layers are dense, sparse, and sparse and clustered, with contents in other forms. */
static unsigned char *mixed_model(struct mc_arena *a, size_t *length)
{
    static const int64_t dims[1] = {64};
    Onnx__ModelProto *m = proto_model(a, 13);
    proto_input(a, m->graph, proto_info(a, "x", MC_FLOAT, "batch 20"));
    proto_output(a, m->graph, proto_info(a, "y", MC_FLOAT, "batch 10"));
    proto_initializer(a, m->graph, weights(a, "w1", 20, 20, 1, 0));
    proto_initializer(a, m->graph, weights(a, "w2", 50, 20, 0.1, 0));
    proto_initializer(a, m->graph, weights(a, "w3", 10, 50, 0.2, 8));
    signed char *bytes = mc_arena_alloc(a, 64, 1);
    for (int i = 0; i < 64; i++) bytes[i] = (signed char)(i * i);
    proto_initializer(a, m->graph, proto_raw(a, proto_tensor(a, "q", MC_INT8, 1, dims), bytes, 64));
    float *floats = mc_arena_alloc(a, 64, sizeof *floats);
    weights_normal(floats, 64, 1, 9);
    proto_initializer(a, m->graph, proto_floats(a, proto_tensor(a, "f", MC_FLOAT, 1, dims), 64, floats));
    proto_node(a, m->graph, "Gemm", "n1", "x w1", "h");
    proto_node(a, m->graph, "Gemm", "n2", "h w2", "y");
    return proto_pack(a, &m->base, length);
}

static void test_models_come_back(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    size_t length;
    for (int level = MC_CODE_FAST; level <= MC_CODE_BEST; level++) {
        unsigned char *bytes = mixed_model(a, &length);
        assert_true(round_trip(bytes, length, (enum mc_code_level)level) < length / 2);
        bytes = proto_pack(a, &proto_sample(a)->base, &length);
        round_trip(bytes, length, (enum mc_code_level)level);
        bytes = proto_pack(a, &proto_if(a)->base, &length);
        round_trip(bytes, length, (enum mc_code_level)level);
        bytes = proto_pack(a, &proto_calls(a)->base, &length);
        round_trip(bytes, length, (enum mc_code_level)level);
    }
    mc_arena_finish(a);
}

static void test_a_tensor_longer_than_a_block_comes_back(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    Onnx__ModelProto *m = proto_model(a, 13);
    proto_initializer(a, m->graph, weights(a, "w", 1500, 1001, 0.05, 0));
    proto_initializer(a, m->graph, weights(a, "v", 3, 100001, 0.05, 4)); /* rows longer than the strong coder's */
    size_t length;
    unsigned char *bytes = proto_pack(a, &m->base, &length);
    assert_true(length > MC_SEGMENT_MOST_BYTES);
    round_trip(bytes, length, MC_CODE_FAST);
    mc_arena_finish(a);
}

/* More structure than one block takes, with contents in it far apart and close together. */
static void test_much_structure_comes_back(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    static const int64_t dims[1] = {8};
    static const float values[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    Onnx__ModelProto *m = proto_model(a, 13);
    char *text = mc_arena_alloc(a, 1300001, 1);
    memset(text, 'd', 1300000);
    for (int i = 0; i < 3000; i++)
        proto_initializer(a, m->graph, proto_raw(a, proto_tensor(a, "w", MC_FLOAT, 1, dims), values, sizeof values));
    m->doc_string = text;
    m->graph->initializer[1500]->doc_string = text;
    size_t length;
    unsigned char *bytes = proto_pack(a, &m->base, &length);
    assert_true(length > 2 * (size_t)MC_STRUCTURE_MOST_BYTES);
    assert_true(round_trip(bytes, length, MC_CODE_FAST) < length / 20);
    mc_arena_finish(a);
}

static void test_bytes_that_are_no_model_come_back(void **state)
{
    static unsigned char bytes[5000];
    round_trip(bytes, 0, MC_CODE_BEST);
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (unsigned char)(i * i >> 3);
    for (size_t n = 1; n < 40; n++) round_trip(bytes, n, MC_CODE_BEST);
    round_trip(bytes, sizeof bytes, MC_CODE_BEST);
    /* a model whose every bit is another: the search for contents leads anywhere */
    struct mc_arena arena, *a = protos_begin(&arena);
    size_t length;
    unsigned char *model = proto_pack(a, &proto_sample(a)->base, &length);
    for (size_t i = 0; i < length * 8; i += 61) {
        model[i / 8] ^= (unsigned char)(1 << i % 8);
        round_trip(model, length, MC_CODE_FAST);
        model[i / 8] ^= (unsigned char)(1 << i % 8);
    }
    mc_arena_finish(a);
}

static void test_the_same_bytes_give_the_same_container(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    struct mc_error err = {0};
    size_t length;
    unsigned char *bytes = mixed_model(a, &length);
    struct mc_buf one, two;
    mc_buf_init(&one, 1 << 24);
    mc_buf_init(&two, 1 << 24);
    assert_ok(mc_container_pack(&one, bytes, length, MC_CODE_BEST, &err), err);
    assert_ok(mc_container_pack(&two, bytes, length, MC_CODE_BEST, &err), err);
    assert_int_equal(one.length, two.length);
    assert_memory_equal(one.data, two.data, one.length);
    mc_buf_finish(&one);
    mc_buf_finish(&two);
    mc_arena_finish(a);
}

/* --- with files beside the model --- */

/* A model, an empty file, one whose contents nobody knows, and one with two stretches of contents that are known. */
struct bundle {
    struct mc_container_file files[4];
    struct mc_payload payloads[2];
    float weights[3000];
    unsigned char other[300];
};

static void make_bundle(struct bundle *b, struct mc_arena *a)
{
    size_t length;
    const unsigned char *model = proto_pack(a, &proto_sample(a)->base, &length);
    memset(b, 0, sizeof *b);
    weights_normal(b->weights, 3000, 0.1, 1);
    weights_prune(b->weights, 1000, 0.1);
    for (int i = 0; i < 300; i++) b->other[i] = (unsigned char)(i * i);
    b->payloads[0] = (struct mc_payload){0, 0, 4000, MC_FLOAT, 20, 1};
    b->payloads[1] = (struct mc_payload){4096, 4096, 7000, MC_FLOAT, 0, 0};
    b->files[0].bytes = (struct mc_file_view){.data = model, .length = length};
    b->files[1] = (struct mc_container_file){"a", {.data = b->other}, NULL, 0};
    b->files[2] = (struct mc_container_file){"a b/c", {.data = b->other, .length = sizeof b->other}, NULL, 0};
    b->files[3] = (struct mc_container_file){
        "w", {.data = (unsigned char *)b->weights, .length = sizeof b->weights}, b->payloads, 2};
}

static void pack_bundle(struct mc_buf *packed, const struct mc_container_file *files, enum mc_code_level level)
{
    struct mc_error err = {0};
    mc_buf_init(packed, 1 << 24);
    assert_ok(mc_container_pack_files(files, 4, level, take, packed, NULL, &err), err);
}

static struct mc_file_view view_of(const struct mc_buf *buf)
{
    return (struct mc_file_view){.data = (unsigned char *)buf->data, .length = buf->length};
}

static void test_files_beside_the_model_come_back(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    struct mc_error err = {0};
    struct bundle b;
    make_bundle(&b, a);
    for (int level = MC_CODE_FAST; level <= MC_CODE_BEST; level++) {
        struct mc_buf packed, out;
        pack_bundle(&packed, b.files, (enum mc_code_level)level);
        assert_ok(unpack(packed.data, packed.length, &out, &err), err);
        const char *at = out.data;
        for (int i = 0; i < 4; i++) {
            char name[16] = "";
            if (i > 0) snprintf(name, sizeof name, "<%s>", b.files[i].name);
            assert_memory_equal(at, name, strlen(name));
            at += strlen(name);
            assert_memory_equal(at, b.files[i].bytes.data, b.files[i].bytes.length);
            at += b.files[i].bytes.length;
        }
        assert_int_equal(at - out.data, out.length);
        const struct mc_file_view view = view_of(&packed);
        assert_ok(mc_container_check(&view, b.files, 4, &err), err);
        mc_buf_finish(&out);
        mc_buf_finish(&packed);
    }
    mc_arena_finish(a);
}

static void test_known_contents_of_files_beside_the_model_take_less(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    struct bundle b;
    struct mc_buf known, unknown;
    make_bundle(&b, a);
    pack_bundle(&known, b.files, MC_CODE_FAST);
    b.files[3].n_payloads = 0;
    pack_bundle(&unknown, b.files, MC_CODE_FAST);
    assert_true(known.length < unknown.length);
    mc_buf_finish(&known);
    mc_buf_finish(&unknown);
    mc_arena_finish(a);
}

/* Every difference is noticed: a byte, a length, a name, a file more or less. */
static void test_a_container_of_other_files_is_none_of_these(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    struct mc_error err = {0};
    struct mc_buf packed;
    struct bundle b;
    make_bundle(&b, a);
    pack_bundle(&packed, b.files, MC_CODE_FAST);
    const struct mc_file_view view = view_of(&packed);
    assert_int_equal(mc_container_check(&view, b.files, 3, &err), MC_ERR_INTERNAL);
    b.files[3].bytes.length--;
    assert_int_equal(mc_container_check(&view, b.files, 4, &err), MC_ERR_INTERNAL);
    b.files[3].bytes.length++;
    b.files[3].name = "v";
    assert_int_equal(mc_container_check(&view, b.files, 4, &err), MC_ERR_INTERNAL);
    b.files[3].name = "w";
    b.other[299]++;
    assert_int_equal(mc_container_check(&view, b.files, 4, &err), MC_ERR_INTERNAL);
    b.other[299]--;
    assert_ok(mc_container_check(&view, b.files, 4, &err), err);
    mc_buf_finish(&packed);
    mc_arena_finish(a);
}

/* --- what is broken --- */

static void expect_refusal(const unsigned char *packed, size_t length)
{
    struct mc_error err = {0};
    struct mc_buf out;
    unsigned char *exact = malloc(length ? length : 1);
    memcpy(exact, packed, length);
    const int rc = unpack(exact, length, &out, &err);
    assert_true(rc == MC_ERR_INPUT || rc == MC_ERR_UNSUPPORTED);
    assert_true(err.text[0]);
    mc_buf_finish(&out);
    free(exact);
}

static void pack_mixed(struct mc_buf *packed, enum mc_code_level level)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    struct mc_error err = {0};
    size_t length;
    unsigned char *bytes = mixed_model(a, &length);
    mc_buf_init(packed, 1 << 24);
    assert_ok(mc_container_pack(packed, bytes, length, level, &err), err);
    mc_arena_finish(a);
}

static void test_every_cut_is_refused(void **state)
{
    for (int level = MC_CODE_FAST; level <= MC_CODE_BEST; level++) {
        struct mc_buf packed;
        pack_mixed(&packed, (enum mc_code_level)level);
        for (size_t n = 0; n < packed.length; n++) expect_refusal((unsigned char *)packed.data, n);
        mc_buf_append(&packed, "", 1);
        expect_refusal((unsigned char *)packed.data, packed.length);
        mc_buf_finish(&packed);
    }
}

static void test_every_changed_bit_is_refused(void **state)
{
    struct mc_buf packed;
    pack_mixed(&packed, MC_CODE_BEST);
    for (size_t i = 0; i < packed.length * 8; i++) {
        packed.data[i / 8] = (char)(packed.data[i / 8] ^ 1 << i % 8);
        expect_refusal((unsigned char *)packed.data, packed.length);
        packed.data[i / 8] = (char)(packed.data[i / 8] ^ 1 << i % 8);
    }
    mc_buf_finish(&packed);
}

static void test_broken_files_beside_the_model_are_refused(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    struct bundle b;
    struct mc_buf packed;
    make_bundle(&b, a);
    b.files[3].bytes.length = 6000;
    b.files[3].n_payloads = 1;
    pack_bundle(&packed, b.files, MC_CODE_FAST);
    unsigned char *bytes = (unsigned char *)packed.data;
    for (size_t n = 0; n < packed.length; n++) expect_refusal(bytes, n);
    for (size_t i = 0; i < packed.length * 8; i++) {
        bytes[i / 8] ^= (unsigned char)(1 << i % 8);
        expect_refusal(bytes, packed.length);
        bytes[i / 8] ^= (unsigned char)(1 << i % 8);
    }
    mc_buf_finish(&packed);
    mc_arena_finish(a);
}

static void test_the_broken_block_is_named(void **state)
{
    struct mc_error err = {0};
    struct mc_buf packed, out;
    pack_mixed(&packed, MC_CODE_BEST);
    packed.data[packed.length / 2] ^= 1;
    assert_int_equal(unpack(packed.data, packed.length, &out, &err), MC_ERR_INPUT);
    assert_non_null(strstr(err.text, "block 1 at byte "));
    assert_non_null(strstr(err.text, "its check is wrong: the file was damaged"));
    mc_buf_finish(&out);
    packed.data[packed.length / 2] ^= 1;
    packed.data[7] = 3;
    assert_int_equal(unpack(packed.data, packed.length, &out, &err), MC_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "version 3 of the container, versions up to 2 are known"));
    mc_buf_finish(&out);
    mc_buf_finish(&packed);
}

/* --- a container whose checks are right, from somebody who means ill --- */

struct forgery {
    struct mc_buf bytes;
    uint64_t seed;
};

static void forge_head(struct forgery *f, uint64_t total)
{
    mc_buf_init(&f->bytes, 1 << 24);
    mc_buf_append(&f->bytes, mc_container_magic, MC_CONTAINER_MAGIC_BYTES);
    mc_varint_write(&f->bytes, total);
    f->seed = mc_hash_bytes(f->bytes.data, f->bytes.length, 0);
}

static void forge_block(struct forgery *f, int type, uint64_t decoded, const void *body, size_t length)
{
    const size_t start = f->bytes.length;
    mc_byte_write(&f->bytes, type);
    mc_varint_write(&f->bytes, decoded);
    mc_varint_write(&f->bytes, length);
    mc_buf_append(&f->bytes, body, length);
    const uint64_t check = mc_hash_bytes(f->bytes.data + start, f->bytes.length - start, f->seed++);
    for (int i = 0; i < MC_CONTAINER_CHECK_BYTES; i++) mc_byte_write(&f->bytes, (int)(check >> 8 * i & 255));
}

static void expect_forgery_refused(struct forgery *f, const char *why)
{
    static const unsigned char hash[MC_CONTAINER_HASH_BYTES] = {0};
    forge_block(f, MC_BLOCK_END, 0, hash, sizeof hash);
    struct mc_error err = {0};
    struct mc_buf out;
    assert_int_equal(unpack(f->bytes.data, f->bytes.length, &out, &err), MC_ERR_INPUT);
    if (!strstr(err.text, why)) fail_msg("'%s' says nothing of '%s'", err.text, why);
    assert_true(out.length <= 16);
    mc_buf_finish(&out);
    mc_buf_finish(&f->bytes);
}

static void test_forged_containers_are_refused(void **state)
{
    struct forgery f;
    static const unsigned char no_marks[] = {MC_STRUCTURE_RAW, 0, 'a', 'b'};
    static const unsigned char one_mark[] = {MC_STRUCTURE_RAW, 1, 1, 'a', 4, 'b'}; /* 4 bytes behind the second */
    static const unsigned char mark_beyond[] = {MC_STRUCTURE_RAW, 1, 9, 'a', 4, 'b'};
    static const unsigned char four[] = {MC_METHOD_RAW, 4, 1, 2, 3, 4};
    static const unsigned char zeroes[] = {MC_METHOD_CODEBOOK, 0x80, 0x80, 0x80, 2, 0, 0, 0, 0, 0, 0};
    forge_head(&f, 2);
    forge_block(&f, MC_BLOCK_STRUCTURE, 3, no_marks, sizeof no_marks);
    expect_forgery_refused(&f, "the bytes are not those that were packed");
    forge_head(&f, 1);
    forge_block(&f, MC_BLOCK_STRUCTURE, 3, no_marks, sizeof no_marks);
    expect_forgery_refused(&f, "more than the 1 bytes");
    forge_head(&f, 3);
    forge_block(&f, MC_BLOCK_STRUCTURE, 3, no_marks, sizeof no_marks);
    expect_forgery_refused(&f, "there are 2 bytes, the head says 3");
    forge_head(&f, 2);
    forge_block(&f, MC_BLOCK_STRUCTURE, 3, no_marks, sizeof no_marks);
    forge_block(&f, MC_BLOCK_DATA, 4, four, sizeof four);
    expect_forgery_refused(&f, "more bytes than the file has room for");
    forge_head(&f, 7);
    forge_block(&f, MC_BLOCK_STRUCTURE, 5, one_mark, sizeof one_mark);
    expect_forgery_refused(&f, "contents of a tensor are missing");
    forge_head(&f, 7);
    forge_block(&f, MC_BLOCK_STRUCTURE, 5, mark_beyond, sizeof mark_beyond);
    expect_forgery_refused(&f, "the code of structure does not fit");
    forge_head(&f, 7);
    forge_block(&f, MC_BLOCK_STRUCTURE, 5, one_mark, sizeof one_mark);
    forge_block(&f, MC_BLOCK_DATA, (uint64_t)1 << 40, four, sizeof four);
    expect_forgery_refused(&f, "the head of the block is broken");
    forge_head(&f, 7);
    forge_block(&f, MC_BLOCK_STRUCTURE, 5, one_mark, sizeof one_mark);
    forge_block(&f, MC_BLOCK_DATA, 4, zeroes, sizeof zeroes);
    expect_forgery_refused(&f, "the code of a segment does not fit");
    forge_head(&f, (uint64_t)1 << 50);
    expect_forgery_refused(&f, "head is broken");
}

/* A container of an empty model and of one file beside it, whose names are given as they are; its checks are right. */
static void forge_names(struct forgery *f, const char *names, size_t length, uint64_t n)
{
    mc_buf_init(&f->bytes, 1 << 24);
    mc_buf_append(&f->bytes, mc_container_magic, MC_CONTAINER_MAGIC_BYTES - 1);
    mc_byte_write(&f->bytes, MC_CONTAINER_BESIDE);
    mc_varint_write(&f->bytes, n);
    mc_varint_write(&f->bytes, length);
    mc_buf_append(&f->bytes, names, length);
    const uint64_t hash = mc_hash_bytes(f->bytes.data, f->bytes.length, 0);
    for (int i = 0; i < MC_CONTAINER_CHECK_BYTES; i++) mc_byte_write(&f->bytes, (int)(hash >> 8 * i & 255));
    for (uint64_t file = 0; file < 2; file++) {
        if (file > 0) forge_block(f, MC_BLOCK_END, 0, "\x99\xe9\xd8\x51\x37\xdb\x46\xef", MC_CONTAINER_HASH_BYTES);
        const size_t start = f->bytes.length;
        mc_varint_write(&f->bytes, 0);
        f->seed = mc_hash_bytes(f->bytes.data + start, f->bytes.length - start, hash + file);
    }
}

static void test_names_that_lead_elsewhere_are_refused(void **state)
{
    static const struct {
        const char *names;
        size_t length;
        uint64_t n;
        const char *why;
    } cases[] = {
        {"\x04../a", 5, 1, "file '../a' would lie outside the model's folder"},
        {"\x06"
         "b/../a",
         7, 1, "outside the model's folder"},
        {"\x02/a", 3, 1, "file '/a' would lie outside the model's folder"},
        {"\x00", 1, 1, "file '' would lie outside the model's folder"},
        {"\x03"
         "a\0b",
         4, 1, "the name of a file beside the model is broken"},
        {"\x09"
         "a",
         2, 1, "the name of a file beside the model is broken"},
        {"\x01"
         "a",
         2, 0, "head is broken"},
        {"\x01"
         "a\x01"
         "b",
         4, 1, "there are more names than files"},
    };
    for (size_t i = 0; i < MC_COUNT(cases); i++) {
        struct forgery f;
        forge_names(&f, cases[i].names, cases[i].length, cases[i].n);
        forge_block(&f, MC_BLOCK_END, 0, "\x99\xe9\xd8\x51\x37\xdb\x46\xef", MC_CONTAINER_HASH_BYTES);
        struct mc_error err = {0};
        struct mc_buf out;
        assert_int_equal(unpack(f.bytes.data, f.bytes.length, &out, &err), MC_ERR_INPUT);
        if (!strstr(err.text, cases[i].why)) fail_msg("'%s' says nothing of '%s'", err.text, cases[i].why);
        assert_int_equal(out.length, 0);
        mc_buf_finish(&out);
        mc_buf_finish(&f.bytes);
    }
    struct forgery f;
    struct mc_error err = {0};
    struct mc_buf out;
    forge_names(&f,
                "\x01"
                "a",
                2, 1);
    forge_block(&f, MC_BLOCK_END, 0, "\x99\xe9\xd8\x51\x37\xdb\x46\xef", MC_CONTAINER_HASH_BYTES);
    assert_ok(unpack(f.bytes.data, f.bytes.length, &out, &err), err);
    assert_string_equal(out.data, "<a>");
    mc_buf_finish(&out);
    mc_buf_finish(&f.bytes);
}

static void test_structure_of_another_file_is_refused(void **state)
{
    static const unsigned char structure[] = {MC_STRUCTURE_RAW, 0, 'a', 'b'};
    struct forgery f;
    forge_head(&f, 2);
    forge_block(&f, MC_BLOCK_BESIDE, 3, structure, sizeof structure);
    expect_forgery_refused(&f, "its type belongs to another file");
    forge_names(&f,
                "\x01"
                "a",
                2, 1);
    forge_block(&f, MC_BLOCK_STRUCTURE, 3, structure, sizeof structure);
    expect_forgery_refused(&f, "its type belongs to another file");
}

/* --- memory --- */

struct file {
    const unsigned char *bytes;
    size_t length;
};

static int attempt(void *context)
{
    const struct file *file = context;
    struct mc_error err = {0};
    struct mc_buf packed;
    mc_buf_init(&packed, 1 << 24);
    const int rc = mc_container_pack(&packed, file->bytes, file->length, MC_CODE_BEST, &err);
    mc_buf_finish(&packed);
    return rc;
}

static int attempt_bundle(void *context)
{
    const struct bundle *b = context;
    struct mc_error err = {0};
    struct mc_buf packed;
    mc_buf_init(&packed, 1 << 24);
    int rc = mc_container_pack_files(b->files, 4, MC_CODE_FAST, take, &packed, NULL, &err);
    const struct mc_file_view view = view_of(&packed);
    if (rc == MC_OK) rc = mc_container_check(&view, b->files, 4, &err);
    mc_buf_finish(&packed);
    return rc;
}

static void test_failed_allocations_leave_nothing_behind(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    Onnx__ModelProto *m = proto_model(a, 13);
    proto_initializer(a, m->graph, weights(a, "sparse", 10, 50, 0.2, 0));
    proto_initializer(a, m->graph, weights(a, "clustered", 10, 20, 1, 5));
    struct file file;
    file.bytes = proto_pack(a, &m->base, &file.length);
    alloc_fail_each(attempt, &file);
    struct bundle bundle;
    make_bundle(&bundle, a);
    alloc_fail_each(attempt_bundle, &bundle);
    mc_arena_finish(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_models_come_back),
        cmocka_unit_test(test_a_tensor_longer_than_a_block_comes_back),
        cmocka_unit_test(test_much_structure_comes_back),
        cmocka_unit_test(test_bytes_that_are_no_model_come_back),
        cmocka_unit_test(test_the_same_bytes_give_the_same_container),
        cmocka_unit_test(test_files_beside_the_model_come_back),
        cmocka_unit_test(test_known_contents_of_files_beside_the_model_take_less),
        cmocka_unit_test(test_a_container_of_other_files_is_none_of_these),
        cmocka_unit_test(test_every_cut_is_refused),
        cmocka_unit_test(test_every_changed_bit_is_refused),
        cmocka_unit_test(test_broken_files_beside_the_model_are_refused),
        cmocka_unit_test(test_the_broken_block_is_named),
        cmocka_unit_test(test_forged_containers_are_refused),
        cmocka_unit_test(test_names_that_lead_elsewhere_are_refused),
        cmocka_unit_test(test_structure_of_another_file_is_refused),
        cmocka_unit_test(test_failed_allocations_leave_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
