/* make_corpus.c - writes the seeds of the fuzz corpora into a folder: small files of every form that is read.
 *
 * Run by hand after a new form was added: build/tests/fuzz/make_corpus tests/fuzz/corpus. What fuzzing found later
 * is kept beside the seeds, under the name of the finding.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "checkpoint_run.h"
#include "code/container.h"
#include "graph/item.h"
#include "onnx/item_file.h"
#include "onnx/npy.h"
#include "onnx/protos.h"

static void save(const char *folder, const char *target, const char *name, const void *bytes, size_t length)
{
    struct mc_error err = {0};
    char path[4096];
    snprintf(path, sizeof path, "%s/%s/%s", folder, target, name);
    if (mc_file_save(path, bytes, length, true, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
}

static void save_message(const char *folder, const char *target, const char *name, const ProtobufCMessage *message)
{
    struct mc_arena arena;
    size_t length;
    mc_arena_init(&arena);
    const unsigned char *bytes = proto_pack(&arena, message, &length);
    save(folder, target, name, bytes, length);
    mc_arena_finish(&arena);
}

static void make_models(const char *folder)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    save_message(folder, "model", "sample", &proto_sample(a)->base);
    save_message(folder, "model", "if", &proto_if(a)->base);
    save_message(folder, "model", "calls", &proto_calls(a)->base);
    Onnx__ModelProto *m = proto_model(a, 13);
    proto_input(a, m->graph, proto_info(a, "x", MC_FLOAT, NULL));
    proto_output(a, m->graph, proto_info(a, "y", MC_FLOAT, "? n 2"));
    proto_node(a, m->graph, "Relu", NULL, "h", "y"); /* before what it needs */
    proto_node(a, m->graph, "Clip", NULL, "x - -", "h");
    save_message(folder, "model", "unsorted", &m->base);
    m = proto_model(a, 13);
    proto_sparse(a, m, true);
    save_message(folder, "model", "sparse", &m->base);
    mc_arena_finish(a);
}

static void make_tensors(const char *folder)
{
    static const int32_t ints[4] = {1, 0, 1, 1};
    static const uint64_t longs[4] = {1, 2, 3, 4};
    static const double doubles[4] = {1, 2, 3, 4};
    static const float floats[4] = {1, 2, 3, 4};
    static const int64_t dims[2] = {2, 2};
    struct mc_arena arena, *a = protos_begin(&arena);
    char name[32];
    for (enum mc_dtype dtype = MC_FLOAT; dtype < MC_DTYPE_COUNT; dtype++) {
        const bool twin = dtype == MC_COMPLEX64 || dtype == MC_COMPLEX128;
        Onnx__TensorProto *t = proto_tensor(a, "t", dtype, twin ? 1 : 2, dims);
        ProtobufCBinaryData texts[4] = {{1, (uint8_t *)name}, {0, NULL}, {2, (uint8_t *)name}, {0, NULL}};
        const int bits = mc_dtype_bits(dtype);
        t->n_float_data = dtype == MC_FLOAT || dtype == MC_COMPLEX64 ? 4 : 0;
        t->n_double_data = dtype == MC_DOUBLE || dtype == MC_COMPLEX128 ? 4 : 0;
        t->n_uint64_data = dtype == MC_UINT32 || dtype == MC_UINT64 ? 4 : 0;
        t->n_int64_data = dtype == MC_INT64 ? 4 : 0;
        t->n_string_data = dtype == MC_STRING ? 4 : 0;
        const bool typed = t->n_float_data || t->n_double_data || t->n_uint64_data || t->n_int64_data;
        t->n_int32_data = typed || dtype == MC_STRING ? 0 : bits < 8 ? (size_t)bits / 2 : 4;
        t->float_data = (float *)(uintptr_t)floats;
        t->double_data = (double *)(uintptr_t)doubles;
        t->uint64_data = (uint64_t *)(uintptr_t)longs;
        t->int64_data = (int64_t *)(uintptr_t)longs;
        t->int32_data = (int32_t *)(uintptr_t)ints;
        t->string_data = texts;
        snprintf(name, sizeof name, "typed_%s", mc_dtype_name(dtype));
        save_message(folder, "tensor", name, &t->base);
    }
    Onnx__TensorProto *raw = proto_tensor(a, "t", MC_FLOAT, 2, dims);
    save_message(folder, "tensor", "raw_float32", &proto_raw(a, raw, floats, sizeof floats)->base);
    save_message(folder, "tensor", "empty", &proto_tensor(a, NULL, MC_FLOAT, 1, (int64_t[]){0})->base);
    mc_arena_finish(a);
}

static void make_arrays(const char *folder)
{
    static const enum mc_dtype dtypes[] = {MC_FLOAT, MC_BOOL, MC_INT64, MC_COMPLEX128};
    for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0]; i++) {
        struct mc_tensor *t;
        struct mc_buf buf;
        const struct mc_shape shape = mc_shape_of((int)i, (int64_t[]){2, 1, 3});
        mc_buf_init(&buf, 4096);
        if (mc_tensor_create(&t, dtypes[i], &shape, NULL) < 0 || mc_npy_header(&buf, t, NULL) < 0) exit(1);
        mc_buf_append(&buf, t->data, mc_tensor_bytes(t));
        save(folder, "npy", mc_dtype_name(dtypes[i]), buf.data, buf.length);
        mc_buf_finish(&buf);
        mc_tensor_destroy(t);
    }
}

static struct mc_item *tensor_item(enum mc_dtype dtype, int64_t n)
{
    const struct mc_shape shape = {.rank = 1, .dim = {n}};
    struct mc_tensor *t;
    if (mc_tensor_create(&t, dtype, &shape, NULL) < 0) exit(1);
    return mc_item_of_tensor(t);
}

/* As fuzz_item.c wants it: a byte that says what is declared, and the message. */
static void save_item(const char *folder, const char *name, int declared, struct mc_item *item)
{
    static const enum mc_type_kind kinds[] = {MC_TYPE_SEQUENCE, MC_TYPE_MAP, MC_TYPE_OPTIONAL};
    struct mc_error err = {0};
    struct mc_file_view view;
    struct mc_buf buf;
    char path[4096];
    const char first = (char)declared;
    snprintf(path, sizeof path, "%s/item/%s", folder, name);
    mc_buf_init(&buf, 1 << 20);
    mc_buf_append(&buf, &first, 1);
    if (!item || mc_item_save(item, kinds[declared], "item", path, true, &err) < 0 ||
        mc_file_open(&view, path, 1 << 20, &err) < 0)
        exit(1);
    mc_buf_append(&buf, view.data, view.length);
    mc_file_close(&view);
    save(folder, "item", name, buf.data, buf.length);
    mc_buf_finish(&buf);
    mc_item_release(item);
}

static void make_items(const char *folder)
{
    struct mc_item *two[2] = {tensor_item(MC_FLOAT, 2), tensor_item(MC_FLOAT, 0)};
    struct mc_item *list = mc_item_of_elements(2, two);
    struct mc_item *mixed[3] = {mc_item_none(), mc_item_retain(list), tensor_item(MC_STRING, 1)};
    struct mc_tensor *keys, *values;
    const struct mc_shape shape = {.rank = 1, .dim = {2}};
    const struct mc_text words[2] = {{"a", 1}, {"bc", 2}};
    if (mc_tensor_create_texts(&keys, &shape, words, NULL) < 0 || mc_tensor_create(&values, MC_FLOAT, &shape, NULL) < 0)
        exit(1);
    save_item(folder, "sequence", 0, list);
    save_item(folder, "mixed", 0, mc_item_of_elements(3, mixed));
    save_item(folder, "map", 1, mc_item_of_map(keys, values));
    save_item(folder, "none", 2, mc_item_none());
    save_item(folder, "optional", 2, tensor_item(MC_INT64, 3));
}

static bool stop_at(void *context, const struct mc_progress *at)
{
    const int64_t *last = context;
    return at->done < *last;
}

/* States after some steps, as they are and without the end that the fuzzer puts there. */
static void make_checkpoints(const char *folder)
{
    struct mc_error err = {0};
    for (int64_t last = 1; last <= 6; last += 2) {
        char path[4096], name[32];
        struct mc_file_view view;
        struct mc_buf buf;
        struct toy toy;
        snprintf(path, sizeof path, "%s/checkpoint.tmp", folder);
        toy_two_sides(&toy, 10);
        struct mc_model *model = toy_model("mlp:2-3-2", &toy);
        struct mc_fit_options o = checkpoint_options(path);
        o.progress = stop_at;
        o.progress_context = &last;
        mc_fit(model, &toy.data, &o, NULL, &err);
        if (mc_file_open(&view, path, 1 << 20, &err) < 0) exit(1);
        mc_buf_init(&buf, 1 << 20);
        mc_buf_append(&buf, "\1", 1);
        mc_buf_append(&buf, view.data, view.length - 6);
        snprintf(name, sizeof name, "step_%d", (int)last);
        save(folder, "checkpoint", name, buf.data, buf.length);
        mc_buf_finish(&buf);
        mc_file_close(&view);
        remove(path);
        mc_model_destroy(model);
        toy_destroy(&toy);
    }
    save(folder, "checkpoint", "empty", "\1MCARCHV1", 9);
}

/* A pattern, a line feed, a text. */
static void make_regexes(const char *folder)
{
    static const char *const seeds[] = {
        "(a|b)*c{2,3}?\nabacc",
        "(?i:[^x-z[:digit:]\\d\\]]+)(?P<name>\\w\\S)$\nQuery W",
        "\\Aé+\\.\\x{41}\\x42\\Q(*\\E\\z\né.AB(*",
        "(?sm)^.*\\b(?:x|)+$\none\ntwo x",
        "((a{0,9}){0,9}){0,9}\naaaaaaaaaaaaaaaaaaaaaa",
    };
    for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++) {
        char name[16];
        snprintf(name, sizeof name, "seed-%zu", i);
        save(folder, "regex", name, seeds[i], strlen(seeds[i]));
    }
}

/* A first byte, which chooses the way into fuzz_container, and what goes there. */
static void save_way(const char *folder, const char *name, char way, const void *bytes, size_t length)
{
    struct mc_buf file;
    mc_buf_init(&file, 1 << 20);
    mc_buf_append(&file, &way, 1);
    mc_buf_append(&file, bytes, length);
    save(folder, "container", name, file.data, file.length);
    mc_buf_finish(&file);
}

/* A segment behind the two bytes that say how much comes of it. */
static void save_segment(const char *folder, const char *name, const float *w, size_t n, enum mc_code_level level)
{
    static const struct mc_element_kind kind = {.width = 4, .exponent_bits = 8, .columns = 25, .pitch = 5};
    const size_t length = n * sizeof *w;
    struct mc_workspace workspace = {0};
    struct mc_error err = {0};
    struct mc_buf code;
    mc_buf_init(&code, 1 << 20);
    mc_byte_write(&code, (int)((length - 1) & 255));
    mc_byte_write(&code, (int)((length - 1) >> 8));
    if (mc_segment_encode(&code, (const unsigned char *)w, length, &kind, level, &workspace, NULL, &err) < 0) abort();
    save_way(folder, name, 1, code.data, code.length);
    mc_workspace_finish(&workspace);
    mc_buf_finish(&code);
}

static int append(void *context, const unsigned char *bytes, size_t length, struct mc_error *err)
{
    (void)err;
    mc_buf_append(context, bytes, length);
    return MC_OK;
}

static void make_containers(const char *folder)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    struct mc_error err = {0};
    struct mc_buf packed;
    size_t length;
    const unsigned char *model = proto_pack(a, &proto_sample(a)->base, &length);
    mc_buf_init(&packed, 1 << 20);
    if (mc_container_pack(&packed, model, length, MC_CODE_BEST, &err) < 0) abort();
    save_way(folder, "whole", 0, packed.data, packed.length);
    save_way(folder, "file", 3, model, length);
    packed.length = 0;
    const struct mc_payload payload = {4, 4, 64, MC_FLOAT, 4, 1};
    const struct mc_container_file files[2] = {{.bytes = {.data = model, .length = length}},
                                               {"w", {.data = model, .length = 80}, &payload, 1}};
    if (mc_container_pack_files(files, 2, MC_CODE_BEST, append, &packed, NULL, &err) < 0) abort();
    save_way(folder, "beside", 0, packed.data, packed.length);
    save_way(folder, "structure_raw", 2,
             "\x05\0\0\x01\x01"
             "abcd",
             9);
    save_way(folder, "structure_beside", 4,
             "\x07\0\0\x01\x01\x04"
             "abcde",
             11);
    float w[500];
    for (int i = 0; i < 500; i++) w[i] = (float)((i * 7919 % 1009 - 504) * (i * 31 % 257 + 1)) / 65536;
    save_segment(folder, "dense", w, 500, MC_CODE_FAST);
    for (int i = 0; i < 500; i++) w[i] = i * 37 % 11 ? 0 : w[i];
    save_segment(folder, "sparse", w, 500, MC_CODE_FAST);
    save_segment(folder, "sparse_raster", w, 500, MC_CODE_BEST);
    for (int i = 0; i < 500; i++) w[i] = w[i] == 0 ? 0 : (float)(i % 5 - 2);
    save_segment(folder, "codebook", w, 500, MC_CODE_FAST);
    save_segment(folder, "codebook_raster", w, 500, MC_CODE_BEST);
    for (int i = 0; i < 500; i++) w[i] = (float)(i % 3);
    save_segment(folder, "repeats", w, 500, MC_CODE_FAST);
    mc_buf_finish(&packed);
    mc_arena_finish(a);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    make_models(argv[1]);
    make_tensors(argv[1]);
    make_items(argv[1]);
    make_arrays(argv[1]);
    make_checkpoints(argv[1]);
    make_regexes(argv[1]);
    make_containers(argv[1]);
    return 0;
}
