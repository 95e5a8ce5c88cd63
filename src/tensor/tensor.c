/* tensor.c - element types, shapes, tensors on shared storage; see tensor.h. */
#include "tensor/tensor.h"

#include <assert.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"

/* --- element types --- */

static const struct {
    const char *name;
    int bits;
} dtypes[MC_DTYPE_COUNT] = {
    [MC_UNDEFINED] = {"undefined", 0},
    [MC_FLOAT] = {"float32", 32},
    [MC_UINT8] = {"uint8", 8},
    [MC_INT8] = {"int8", 8},
    [MC_UINT16] = {"uint16", 16},
    [MC_INT16] = {"int16", 16},
    [MC_INT32] = {"int32", 32},
    [MC_INT64] = {"int64", 64},
    [MC_STRING] = {"string", 8 * (int)sizeof(struct mc_text)},
    [MC_BOOL] = {"bool", 8},
    [MC_FLOAT16] = {"float16", 16},
    [MC_DOUBLE] = {"float64", 64},
    [MC_UINT32] = {"uint32", 32},
    [MC_UINT64] = {"uint64", 64},
    [MC_COMPLEX64] = {"complex64", 64},
    [MC_COMPLEX128] = {"complex128", 128},
    [MC_BFLOAT16] = {"bfloat16", 16},
    [MC_FLOAT8E4M3FN] = {"float8e4m3fn", 8},
    [MC_FLOAT8E4M3FNUZ] = {"float8e4m3fnuz", 8},
    [MC_FLOAT8E5M2] = {"float8e5m2", 8},
    [MC_FLOAT8E5M2FNUZ] = {"float8e5m2fnuz", 8},
    [MC_UINT4] = {"uint4", 4},
    [MC_INT4] = {"int4", 4},
    [MC_FLOAT4E2M1] = {"float4e2m1", 4},
    [MC_FLOAT8E8M0] = {"float8e8m0", 8},
    [MC_UINT2] = {"uint2", 2},
    [MC_INT2] = {"int2", 2},
};

static bool is_dtype(enum mc_dtype dtype)
{
    return (int)dtype > 0 && (int)dtype < MC_DTYPE_COUNT;
}

const char *mc_dtype_name(enum mc_dtype dtype)
{
    return dtypes[is_dtype(dtype) ? dtype : MC_UNDEFINED].name;
}

int mc_dtype_bits(enum mc_dtype dtype)
{
    return is_dtype(dtype) ? dtypes[dtype].bits : 0;
}

bool mc_dtype_is_float(enum mc_dtype dtype)
{
    return dtype == MC_FLOAT || dtype == MC_DOUBLE || dtype == MC_FLOAT16 || dtype == MC_BFLOAT16;
}

bool mc_dtype_is_integer(enum mc_dtype dtype)
{
    return (dtype >= MC_UINT8 && dtype <= MC_INT64) || dtype == MC_UINT32 || dtype == MC_UINT64;
}

bool mc_dtype_size(enum mc_dtype dtype, int64_t count, size_t *bytes)
{
    const int bits = mc_dtype_bits(dtype);
    if (count < 0 || (uint64_t)count > SIZE_MAX) return false;
    const size_t n = (size_t)count;
    if (bits >= 8) return mc_mul_size(n, (size_t)bits / 8, bytes);
    const size_t per_byte = bits ? 8 / (size_t)bits : 1;
    *bytes = bits ? n / per_byte + (n % per_byte != 0) : 0;
    return true;
}

/* --- shapes --- */

struct mc_shape mc_shape_of(int rank, const int64_t *dims)
{
    assert(rank >= 0 && rank <= MC_MAX_RANK);
    struct mc_shape shape = {.rank = rank};
    for (int i = 0; i < rank; i++) shape.dim[i] = dims[i];
    return shape;
}

bool mc_shape_equal(const struct mc_shape *a, const struct mc_shape *b)
{
    if (a->rank != b->rank) return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dim[i] != b->dim[i]) return false;
    return true;
}

/* The product is checked without its zeroes: [2^40, 2^40, 0] holds nothing, but its rows cannot be counted. */
int64_t mc_shape_count(const struct mc_shape *shape)
{
    int64_t product = 1;
    bool empty = false;
    for (int i = 0; i < shape->rank; i++) {
        if (shape->dim[i] < 0) return -1;
        if (shape->dim[i] == 0)
            empty = true;
        else if (!mc_mul_i64(product, shape->dim[i], &product))
            return -1;
    }
    return empty ? 0 : product;
}

int64_t mc_shape_span(const struct mc_shape *shape, int from, int to)
{
    int64_t product = 1;
    for (int i = from; i < to; i++) product *= shape->dim[i];
    return product;
}

const char *mc_shape_text(const struct mc_shape *shape, char *out, size_t size)
{
    size_t used = 0;
    const char *separator = "[";
    if (size) out[0] = '\0';
    for (int i = 0; i < shape->rank && used < size; i++, separator = ",") {
        const int n = shape->dim[i] < 0
                          ? snprintf(out + used, size - used, "%s?", separator)
                          : snprintf(out + used, size - used, "%s%lld", separator, (long long)shape->dim[i]);
        used += n > 0 ? (size_t)n : 0;
    }
    if (used < size) snprintf(out + used, size - used, "%s", shape->rank ? "]" : "[]");
    return out;
}

bool mc_shape_broadcast(const struct mc_shape *a, const struct mc_shape *b, struct mc_shape *out)
{
    const int rank = a->rank > b->rank ? a->rank : b->rank;
    struct mc_shape result = {.rank = rank};
    for (int i = 0; i < rank; i++) { /* from the right */
        const int64_t x = i < a->rank ? a->dim[a->rank - 1 - i] : 1;
        const int64_t y = i < b->rank ? b->dim[b->rank - 1 - i] : 1;
        if (x != y && x != 1 && y != 1) return false;
        result.dim[rank - 1 - i] = x == 1 ? y : x;
    }
    *out = result;
    return true;
}

/* --- storage --- */

struct mc_storage {
    atomic_int users;
    void (*release)(void *context);
    void *context;
};

static struct mc_storage *storage_retain(struct mc_storage *storage)
{
    atomic_fetch_add_explicit(&storage->users, 1, memory_order_relaxed);
    return storage;
}

static void storage_release(struct mc_storage *storage)
{
    if (!storage || atomic_fetch_sub_explicit(&storage->users, 1, memory_order_acq_rel) != 1) return;
    if (storage->release) storage->release(storage->context);
    mc_free(storage);
}

/* --- tensors --- */

int mc_tensor_wrap(struct mc_tensor **tensor, enum mc_dtype dtype, const struct mc_shape *shape, void *data,
                   void (*release)(void *context), void *context, struct mc_error *err)
{
    struct mc_tensor *t = MC_NEW(struct mc_tensor);
    struct mc_storage *storage = MC_NEW(struct mc_storage);
    if (!t || !storage) {
        mc_free(t);
        mc_free(storage);
        return mc_error_memory(err);
    }
    atomic_init(&storage->users, 1);
    storage->release = release;
    storage->context = context;
    *t = (struct mc_tensor){.dtype = dtype, .shape = *shape, .data = data, .storage = storage};
    *tensor = t;
    return MC_OK;
}

/* Bytes of a shape, or an error that says what is wrong with it. */
static int shape_bytes(enum mc_dtype dtype, const struct mc_shape *shape, size_t *bytes, struct mc_error *err)
{
    char text[256];
    if (!is_dtype(dtype)) return mc_error_set(err, MC_ERR_INPUT, "element type %d is unknown", (int)dtype);
    if (!mc_dtype_size(dtype, mc_shape_count(shape), bytes))
        return mc_error_set(err, MC_ERR_INPUT, "shape %s has too many elements",
                            mc_shape_text(shape, text, sizeof text));
    return MC_OK;
}

int mc_tensor_create(struct mc_tensor **tensor, enum mc_dtype dtype, const struct mc_shape *shape, struct mc_error *err)
{
    size_t bytes;
    int rc = shape_bytes(dtype, shape, &bytes, err);
    if (rc < 0) return rc;
    void *data = mc_alloc_aligned(bytes, 1);
    if (!data) return mc_error_memory(err);
    memset(data, 0, bytes);
    rc = mc_tensor_wrap(tensor, dtype, shape, data, mc_free, data, err);
    if (rc < 0) mc_free(data);
    return rc;
}

int mc_tensor_view(struct mc_tensor **view, const struct mc_tensor *of, const struct mc_shape *shape,
                   size_t offset_bytes, struct mc_error *err)
{
    struct mc_tensor *t = MC_NEW(struct mc_tensor);
    if (!t) return mc_error_memory(err);
    *t = *of;
    t->data = (char *)of->data + offset_bytes;
    if (shape) t->shape = *shape;
    assert(offset_bytes + mc_tensor_bytes(t) <= mc_tensor_bytes(of));
    if (t->storage) storage_retain(t->storage);
    *view = t;
    return MC_OK;
}

int mc_tensor_create_texts(struct mc_tensor **tensor, const struct mc_shape *shape, const struct mc_text *texts,
                           struct mc_error *err)
{
    size_t table, total;
    int rc = shape_bytes(MC_STRING, shape, &table, err);
    if (rc < 0) return rc;
    const size_t n = table / sizeof *texts;
    total = table;
    for (size_t i = 0; i < n; i++) {
        if (texts[i].length > SIZE_MAX - total) return mc_error_memory(err);
        total += texts[i].length;
    }
    struct mc_text *copy = mc_alloc_aligned(total, 1);
    if (!copy) return mc_error_memory(err);
    char *bytes = (char *)copy + table; /* the characters follow the table in one block */
    for (size_t i = 0; i < n; i++) {
        if (texts[i].length) memcpy(bytes, texts[i].bytes, texts[i].length);
        copy[i] = (struct mc_text){bytes, texts[i].length};
        bytes += texts[i].length;
    }
    rc = mc_tensor_wrap(tensor, MC_STRING, shape, copy, mc_free, copy, err);
    if (rc < 0) mc_free(copy);
    return rc;
}

int mc_tensor_clone(struct mc_tensor **copy, const struct mc_tensor *of, struct mc_error *err)
{
    if (of->dtype == MC_STRING) return mc_tensor_create_texts(copy, &of->shape, of->data, err);
    const int rc = mc_tensor_create(copy, of->dtype, &of->shape, err);
    if (rc == MC_OK) memcpy((*copy)->data, of->data, mc_tensor_bytes(of));
    return rc;
}

void mc_tensor_shed(struct mc_tensor *tensor)
{
    storage_release(tensor->storage);
    tensor->storage = NULL;
    tensor->data = NULL;
}

/* Not less at a time: each advice interrupts all other threads of the process. */
enum { FORGET_BYTES = 16 << 20 };

void mc_tensor_forget(const struct mc_tensor *tensor, size_t offset_bytes, size_t bytes)
{
    const size_t reached = offset_bytes + bytes, all = mc_tensor_bytes(tensor);
    const size_t whole = reached < all ? reached / FORGET_BYTES * FORGET_BYTES : all;
    if (!tensor->mapped || whole <= offset_bytes) return;
    offset_bytes = offset_bytes / FORGET_BYTES * FORGET_BYTES;
    bytes = whole - offset_bytes;
    /* whole pages: a part of one may belong to a neighbour, which would only have to read it again */
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), from = (uintptr_t)tensor->data + offset_bytes;
    const uintptr_t first = from / page * page, end = (from + bytes + page - 1) / page * page;
    madvise((void *)first, end - first, MADV_DONTNEED); /* advice: may fail */
}

void mc_tensor_destroy(struct mc_tensor *tensor)
{
    if (!tensor) return;
    storage_release(tensor->storage);
    mc_free(tensor);
}

int64_t mc_tensor_count(const struct mc_tensor *tensor)
{
    return mc_shape_count(&tensor->shape);
}

size_t mc_tensor_bytes(const struct mc_tensor *tensor)
{
    size_t bytes;
    return mc_dtype_size(tensor->dtype, mc_tensor_count(tensor), &bytes) ? bytes : 0;
}

bool mc_tensor_is_unique(const struct mc_tensor *tensor)
{
    return tensor->storage && !tensor->mapped &&
           atomic_load_explicit(&tensor->storage->users, memory_order_acquire) == 1;
}
