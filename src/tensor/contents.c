/* contents.c - tensors from and to a caller's memory; see compress.h. */
#include <string.h>

#include "base/error.h"
#include "tensor/tensor.h"

void mc_tensor_read(const struct mc_tensor *tensor, struct mc_tensor_contents *contents)
{
    const bool texts = tensor->dtype == MC_STRING;
    *contents = (struct mc_tensor_contents){.type = (int)tensor->dtype,
                                            .rank = tensor->shape.rank,
                                            .dims = tensor->shape.dim,
                                            .data = texts ? NULL : tensor->data,
                                            .bytes = texts ? 0 : mc_tensor_bytes(tensor)};
}

static int check(const struct mc_tensor_contents *contents, struct mc_error *err)
{
    if (contents->type <= MC_UNDEFINED || contents->type >= MC_DTYPE_COUNT || contents->type == MC_STRING)
        return mc_error_set(err, MC_ERR_USAGE, "a tensor of element type %d cannot be made of bytes", contents->type);
    if (contents->rank < 0 || contents->rank > MC_MAX_RANK)
        return mc_error_set(err, MC_ERR_USAGE, "a tensor needs a rank in [0, %d], has %d", MC_MAX_RANK, contents->rank);
    return MC_OK;
}

int mc_tensor_from(struct mc_tensor **tensor, const struct mc_tensor_contents *contents, struct mc_error *err)
{
    size_t bytes;
    int rc = check(contents, err);
    if (rc < 0) return rc;
    const struct mc_shape shape = mc_shape_of(contents->rank, contents->dims);
    const int64_t count = mc_shape_count(&shape);
    if (count < 0 || !mc_dtype_size((enum mc_dtype)contents->type, count, &bytes) || bytes != contents->bytes)
        return mc_error_set(err, MC_ERR_USAGE, "a tensor of this type and shape does not have %zu bytes",
                            contents->bytes);
    rc = mc_tensor_create(tensor, (enum mc_dtype)contents->type, &shape, err);
    if (rc == MC_OK && bytes) memcpy((*tensor)->data, contents->data, bytes);
    return rc;
}
