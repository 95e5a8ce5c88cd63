/* sparse_proto.c - SparseTensorProto to tensor and back; see sparse_proto.h. */
#include "onnx/sparse_proto.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

/* --- reading --- */

/* Place k, as an index into the tensor in row-major order; -1 if it is outside. */
static int64_t place_of(const struct mc_tensor *indices, const struct mc_shape *shape, int64_t k)
{
    const int64_t *index = indices->data;
    if (indices->shape.rank == 1) return index[k] < mc_shape_count(shape) ? index[k] : -1;
    int64_t at = 0;
    for (int a = 0; a < shape->rank; a++) {
        const int64_t i = index[k * shape->rank + a];
        if (i < 0 || i >= shape->dim[a]) return -1;
        at = at * shape->dim[a] + i;
    }
    return at;
}

static int check_parts(const struct mc_tensor *values, const struct mc_tensor *indices, const struct mc_shape *shape,
                       struct mc_error *err)
{
    const int64_t n = values->shape.dim[0];
    char text[256];
    if (values->shape.rank != 1)
        return mc_error_set(err, MC_ERR_INPUT, "values need one dimension, have %d", values->shape.rank);
    if (indices->dtype != MC_INT64)
        return mc_error_set(err, MC_ERR_INPUT, "indices need int64, have %s", mc_dtype_name(indices->dtype));
    const struct mc_shape *s = &indices->shape;
    const bool fits = (s->rank == 1 || (s->rank == 2 && s->dim[1] == shape->rank)) && s->dim[0] == n;
    if (fits) return MC_OK;
    return mc_error_set(err, MC_ERR_INPUT, "indices need the shape [%lld] or [%lld,%d], have %s", (long long)n,
                        (long long)n, shape->rank, mc_shape_text(s, text, sizeof text));
}

static int scatter(struct mc_tensor *tensor, const struct mc_tensor *values, const struct mc_tensor *indices,
                   struct mc_error *err)
{
    const size_t size = (size_t)mc_dtype_bits(tensor->dtype) / 8;
    int64_t last = -1;
    for (int64_t k = 0; k < mc_tensor_count(values); k++) {
        const int64_t at = place_of(indices, &tensor->shape, k);
        if (at <= last)
            return mc_error_set(err, MC_ERR_INPUT, "index %lld is outside, or not behind the one before it",
                                (long long)k);
        memcpy((char *)tensor->data + (size_t)at * size, (const char *)values->data + (size_t)k * size, size);
        last = at;
    }
    return MC_OK;
}

static bool has_bytes(enum mc_dtype dtype)
{
    return dtype != MC_STRING && mc_dtype_bits(dtype) >= 8;
}

static int check_shape(const Onnx__SparseTensorProto *p, enum mc_dtype dtype, size_t most_bytes, struct mc_error *err)
{
    size_t bytes;
    const struct mc_shape shape = mc_shape_of((int)p->n_dims, p->dims);
    for (int a = 0; a < shape.rank; a++)
        if (shape.dim[a] < 0)
            return mc_error_set(err, MC_ERR_INPUT, "dimension %d is %lld", a, (long long)shape.dim[a]);
    if (mc_dtype_size(dtype, mc_shape_count(&shape), &bytes) && bytes <= most_bytes) return MC_OK;
    return mc_error_set(err, MC_ERR_INPUT, "it would be longer than the %zu bytes that are left for sparse ones",
                        most_bytes);
}

static int make_dense(struct mc_tensor **tensor, const Onnx__SparseTensorProto *p, const struct mc_tensor *values,
                      const struct mc_tensor *indices, struct mc_error *err)
{
    struct mc_tensor *dense = NULL;
    const struct mc_shape shape = mc_shape_of((int)p->n_dims, p->dims);
    int rc = check_parts(values, indices, &shape, err);
    if (rc == MC_OK) rc = mc_tensor_create(&dense, values->dtype, &shape, err);
    if (rc == MC_OK) rc = scatter(dense, values, indices, err);
    if (rc == MC_OK)
        *tensor = dense;
    else
        mc_tensor_destroy(dense);
    return rc;
}

int mc_tensor_from_sparse(struct mc_tensor **tensor, const Onnx__SparseTensorProto *p, size_t most_bytes,
                          struct mc_origin *origin, struct mc_external *external, struct mc_error *err)
{
    struct mc_tensor *values = NULL, *indices = NULL;
    *tensor = NULL;
    if (!p->values || !p->indices) return mc_error_set(err, MC_ERR_INPUT, "it needs values and indices");
    if (p->n_dims > MC_MAX_RANK)
        return mc_error_set(err, MC_ERR_INPUT, "%zu dimensions are more than %d", p->n_dims, MC_MAX_RANK);
    int rc = mc_tensor_from_proto(&values, p->values, origin, external, err);
    if (rc == MC_OK) rc = mc_tensor_from_proto(&indices, p->indices, origin, external, err);
    if (rc == MC_OK) rc = check_shape(p, values->dtype, most_bytes, err);
    if (rc == MC_OK && has_bytes(values->dtype)) rc = make_dense(tensor, p, values, indices, err);
    mc_tensor_destroy(indices);
    mc_tensor_destroy(values);
    return rc;
}

/* --- writing --- */

/* Is there a bit in element i? */
static bool is_set(const struct mc_tensor *tensor, int64_t i, size_t size)
{
    static const char zero[16];
    return memcmp((const char *)tensor->data + (size_t)i * size, zero, size) != 0;
}

static size_t count_set(const struct mc_tensor *tensor, size_t size)
{
    size_t n = 0;
    for (int64_t i = 0; i < mc_tensor_count(tensor); i++) n += is_set(tensor, i, size);
    return n;
}

static Onnx__TensorProto *new_list(struct mc_arena *arena, enum mc_dtype dtype, const char *name, size_t n)
{
    Onnx__TensorProto *p = MC_ARENA_NEW(arena, Onnx__TensorProto);
    int64_t *dims = MC_ARENA_NEW(arena, int64_t);
    if (!p || !dims) return NULL;
    onnx__tensor_proto__init(p);
    *dims = (int64_t)n;
    p->n_dims = 1;
    p->dims = dims;
    p->has_data_type = 1;
    p->data_type = (int32_t)dtype;
    if (name) p->name = mc_arena_strdup(arena, name);
    return name && !p->name ? NULL : p;
}

static int write_elements(Onnx__SparseTensorProto *p, struct mc_arena *arena, const struct mc_tensor *tensor, size_t n,
                          size_t size, struct mc_error *err)
{
    unsigned char *elements = MC_ARENA_ARRAY(arena, unsigned char, n *size);
    int64_t *places = MC_ARENA_ARRAY(arena, int64_t, n);
    if (!elements || !places) return mc_error_memory(err);
    p->values->has_raw_data = 1;
    p->values->raw_data = (ProtobufCBinaryData){n * size, elements};
    p->indices->n_int64_data = n;
    p->indices->int64_data = places;
    for (int64_t i = 0; i < mc_tensor_count(tensor); i++) {
        if (!is_set(tensor, i, size)) continue;
        memcpy(elements, (const char *)tensor->data + (size_t)i * size, size);
        elements += size;
        *places++ = i;
    }
    return MC_OK;
}

int mc_tensor_to_sparse(Onnx__SparseTensorProto **proto, struct mc_arena *arena, const struct mc_tensor *tensor,
                        const char *name, struct mc_error *err)
{
    *proto = NULL;
    if (!has_bytes(tensor->dtype)) return MC_OK;
    const size_t size = (size_t)mc_dtype_bits(tensor->dtype) / 8, n = count_set(tensor, size);
    if (n * (size + 1) >= mc_tensor_bytes(tensor)) return MC_OK; /* an index takes a byte at least */
    Onnx__SparseTensorProto *p = MC_ARENA_NEW(arena, Onnx__SparseTensorProto);
    if (!p) return mc_error_memory(err);
    onnx__sparse_tensor_proto__init(p);
    p->values = new_list(arena, tensor->dtype, name, n);
    p->indices = new_list(arena, MC_INT64, NULL, n);
    p->n_dims = (size_t)tensor->shape.rank;
    p->dims = MC_ARENA_ARRAY(arena, int64_t, p->n_dims);
    if (!p->values || !p->indices || !p->dims) return mc_error_memory(err);
    memcpy(p->dims, tensor->shape.dim, p->n_dims * sizeof *p->dims);
    const int rc = write_elements(p, arena, tensor, n, size, err);
    if (rc == MC_OK && onnx__sparse_tensor_proto__get_packed_size(p) < mc_tensor_bytes(tensor)) *proto = p;
    return rc;
}
