/* test_out_of_memory.c - each allocation of loading, cloning and saving fails in turn: an error, no leak, no trace.
 *
 * The linker puts the functions below in the place of malloc's family for the library (--wrap, see meson.build); the
 * sanitizers and the test itself use the real ones.
 */
#include "scratch.h"

#include <string.h>

#include "base/alloc.h"
#include "onnx/onnx.h"
#include "protos.h"

static long countdown; /* the allocation to fail; 0: none any more */

static bool is_due(void)
{
    return countdown > 0 && --countdown == 0;
}

void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);

void *__wrap_calloc(size_t n, size_t size)
{
    return is_due() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return is_due() ? NULL : __real_realloc(old, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return is_due() ? NULL : __real_aligned_alloc(alignment, size);
}

/* Bytes of a model, packed without a failure. */
static unsigned char *pack(struct mc_arena *a, const Onnx__ModelProto *p, size_t *length)
{
    countdown = 0;
    return proto_pack(a, &p->base, length);
}

/* Call `work` with the first allocation failing, then the second, …, until none is left to fail. */
static void torture(int (*work)(void *context, struct mc_error *err), void *context, int least)
{
    struct mc_error err;
    int n = 0, rc;
    do {
        err = (struct mc_error){0};
        countdown = ++n;
        rc = work(context, &err);
        if (countdown == 0) { /* it failed: a result without it would be luck */
            assert_int_equal(rc, MC_ERR_SYSTEM);
            assert_non_null(strstr(err.text, "out of memory"));
        }
    } while (countdown == 0);
    countdown = 0;
    assert_ok(rc, err);
    assert_true(n > least);
}

struct bytes {
    unsigned char *data;
    size_t length;
};

static int load(void *context, struct mc_error *err)
{
    const struct bytes *bytes = context;
    struct mc_model *model;
    const int rc = mc_onnx_load_bytes(&model, bytes->data, bytes->length, NULL, "net.onnx", err);
    if (rc == MC_OK) mc_model_destroy(model);
    return rc;
}

static int save(void *context, struct mc_error *err)
{
    unsigned char *bytes;
    size_t length;
    const int rc = mc_onnx_save_bytes(context, &bytes, &length, err);
    if (rc == MC_OK) mc_free(bytes);
    return rc;
}

static void test_loading_and_saving(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    struct mc_error err = {0};
    const Onnx__ModelProto *protos[] = {proto_sample(a), proto_if(a)};
    for (size_t i = 0; i < 2; i++) {
        struct bytes bytes;
        struct mc_model *model;
        bytes.data = pack(a, protos[i], &bytes.length);
        torture(load, &bytes, 50);
        assert_ok(mc_onnx_load_bytes(&model, bytes.data, bytes.length, NULL, "net.onnx", &err), err);
        torture(save, model, 5);
        mc_model_destroy(model);
    }
    mc_arena_finish(a);
}

static const struct mc_op *nothing_known(const char *domain, const char *type, int64_t version)
{
    return NULL;
}

static int inline_calls(void *context, struct mc_error *err)
{
    const struct bytes *bytes = context;
    struct mc_model *model;
    int rc = mc_onnx_load_bytes(&model, bytes->data, bytes->length, NULL, "net.onnx", err);
    if (rc < 0) return rc;
    rc = mc_onnx_inline(model, nothing_known, err);
    mc_model_destroy(model);
    return rc;
}

static void test_inlining(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    struct bytes bytes;
    bytes.data = pack(a, proto_calls(a), &bytes.length);
    torture(inline_calls, &bytes, 50);
    mc_arena_finish(a);
}

struct files {
    const struct mc_model *model;
    const char *model_path, *tensor_path;
};

static int save_files(void *context, struct mc_error *err)
{
    const struct files *files = context;
    const struct mc_onnx_save_options options = {.overwrite = true, .external_threshold = 1};
    const struct mc_tensor *tensor = files->model->graph->initializers[0]->data;
    int rc = mc_onnx_save(files->model, files->model_path, &options, err);
    if (rc == MC_OK) rc = mc_tensor_save_pb(tensor, "w", files->tensor_path, true, err);
    return rc;
}

static int load_files(void *context, struct mc_error *err)
{
    const struct files *files = context;
    struct mc_model *model;
    struct mc_tensor *tensor;
    int rc = mc_onnx_load(&model, files->model_path, err);
    if (rc < 0) return rc;
    mc_model_destroy(model);
    rc = mc_tensor_load(&tensor, files->tensor_path, err);
    if (rc == MC_OK) mc_tensor_destroy(tensor);
    return rc;
}

static void test_files(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    struct mc_error err = {0};
    struct bytes bytes;
    struct mc_model *model;
    struct files files = {.model_path = scratch_path(state, "m.onnx"), .tensor_path = scratch_path(state, "t.pb")};
    bytes.data = pack(a, proto_sample(a), &bytes.length);
    assert_ok(mc_onnx_load_bytes(&model, bytes.data, bytes.length, NULL, "net.onnx", &err), err);
    files.model = model;
    torture(save_files, &files, 10);
    assert_int_equal(scratch_count(state), 3); /* no temporary file is left */
    torture(load_files, &files, 50);
    mc_model_destroy(model);
    mc_arena_finish(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loading_and_saving),
        cmocka_unit_test(test_inlining),
        cmocka_unit_test_setup_teardown(test_files, scratch_setup, scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
