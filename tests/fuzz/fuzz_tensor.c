/* fuzz_tensor.c - bytes of a TensorProto: what it holds must come back, in its own form and as raw_data. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "fuzz.h"
#include "onnx/message.h"
#include "onnx/tensor_proto.h"

static struct mc_tensor *parse(const void *data, size_t size, struct mc_message **message)
{
    struct mc_tensor *tensor = NULL;
    struct mc_external external = {0};
    if (mc_message_unpack_bytes(message, &onnx__tensor_proto__descriptor, data, size, NULL) < 0) {
        *message = NULL;
        return NULL;
    }
    const Onnx__TensorProto *proto = (const Onnx__TensorProto *)(*message)->root;
    mc_tensor_from_proto(&tensor, proto, &(*message)->origin, &external, NULL);
    return tensor;
}

static void check_equal(const struct mc_tensor *a, const struct mc_tensor *b)
{
    if (a->dtype != b->dtype || !mc_shape_equal(&a->shape, &b->shape)) abort();
    const size_t bytes = mc_tensor_bytes(a);
    if (a->dtype != MC_STRING && bytes && memcmp(a->data, b->data, bytes) != 0) abort();
    for (int64_t i = 0; a->dtype == MC_STRING && i < mc_tensor_count(a); i++) {
        const struct mc_text *x = (const struct mc_text *)a->data + i, *y = (const struct mc_text *)b->data + i;
        if (x->length != y->length || (x->length && memcmp(x->bytes, y->bytes, x->length) != 0)) abort();
    }
}

/* Write the tensor, in the form of `origin` if that is given, and read it back. */
static void check_comes_back(const struct mc_tensor *tensor, const Onnx__TensorProto *origin)
{
    struct mc_arena arena;
    struct mc_message *message;
    mc_arena_init(&arena);
    const Onnx__TensorProto *proto = mc_tensor_to_proto(&arena, tensor, "t", origin);
    if (!proto) abort();
    const size_t size = onnx__tensor_proto__get_packed_size(proto);
    unsigned char *bytes = mc_alloc(size, 1);
    if (!bytes) abort();
    onnx__tensor_proto__pack(proto, bytes);
    struct mc_tensor *again = parse(bytes, size, &message);
    if (!again) abort();
    check_equal(tensor, again);
    mc_tensor_destroy(again);
    mc_origin_release(&message->origin);
    mc_free(bytes);
    mc_arena_finish(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mc_message *message;
    struct mc_tensor *tensor = parse(data, size, &message);
    if (tensor) {
        check_comes_back(tensor, NULL);
        check_comes_back(tensor, (const Onnx__TensorProto *)message->root);
    }
    mc_tensor_destroy(tensor);
    if (message) mc_origin_release(&message->origin);
    return 0;
}
