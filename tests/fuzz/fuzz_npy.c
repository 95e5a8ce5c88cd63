/* fuzz_npy.c - bytes of a NumPy array file: what it holds must come back. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "onnx/npy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mc_tensor *tensor, *again;
    struct mc_buf buf;
    if (mc_npy_parse(&tensor, data, size, NULL) < 0) return 0;
    mc_buf_init(&buf, size + 4096);
    if (mc_npy_header(&buf, tensor, NULL) < 0) abort();
    mc_buf_append(&buf, tensor->data, mc_tensor_bytes(tensor));
    if (buf.failed || mc_npy_parse(&again, buf.data, buf.length, NULL) < 0) abort();
    if (again->dtype != tensor->dtype || !mc_shape_equal(&again->shape, &tensor->shape)) abort();
    if (memcmp(again->data, tensor->data, mc_tensor_bytes(tensor)) != 0) abort();
    mc_tensor_destroy(again);
    mc_tensor_destroy(tensor);
    mc_buf_finish(&buf);
    return 0;
}
