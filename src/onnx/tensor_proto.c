/* tensor_proto.c - TensorProto to tensor and back; see tensor_proto.h.
 *
 * Source: onnx.proto, message TensorProto, and for the types after Debian's version (float8, four and two bits) that of
 * ONNX 1.23. All machines that we build for are little endian, as raw_data is.
 */
#include "onnx/tensor_proto.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

/* The field that holds the elements of a type when raw_data does not. */
enum field { FIELD_NONE, FIELD_FLOAT, FIELD_INT32, FIELD_INT64, FIELD_DOUBLE, FIELD_UINT64, FIELD_STRING };

static enum field field_of(enum mc_dtype dtype)
{
    switch (dtype) {
    case MC_UNDEFINED:
        return FIELD_NONE;
    case MC_FLOAT:
    case MC_COMPLEX64:
        return FIELD_FLOAT;
    case MC_DOUBLE:
    case MC_COMPLEX128:
        return FIELD_DOUBLE;
    case MC_INT64:
        return FIELD_INT64;
    case MC_UINT32:
    case MC_UINT64:
        return FIELD_UINT64;
    case MC_STRING:
        return FIELD_STRING;
    default: /* int32, and all that is narrower */
        return FIELD_INT32;
    }
}

/* A field's entries: how many, and where. */
struct entries {
    size_t n;
    void *data;
};

static struct entries entries_of(const Onnx__TensorProto *p, enum field field)
{
    switch (field) {
    case FIELD_FLOAT:
        return (struct entries){p->n_float_data, p->float_data};
    case FIELD_INT32:
        return (struct entries){p->n_int32_data, p->int32_data};
    case FIELD_INT64:
        return (struct entries){p->n_int64_data, p->int64_data};
    case FIELD_DOUBLE:
        return (struct entries){p->n_double_data, p->double_data};
    case FIELD_UINT64:
        return (struct entries){p->n_uint64_data, p->uint64_data};
    case FIELD_STRING:
        return (struct entries){p->n_string_data, p->string_data};
    case FIELD_NONE:
        break;
    }
    return (struct entries){0};
}

/* Entries that `count` elements take in their typed field: complex numbers two each, four-bit types half a one. */
static size_t entries_needed(enum mc_dtype dtype, int64_t count)
{
    const size_t n = (size_t)count;
    if (dtype == MC_COMPLEX64 || dtype == MC_COMPLEX128) return 2 * n; /* their bytes were counted: no overflow */
    size_t bytes;
    return mc_dtype_bits(dtype) < 8 && mc_dtype_size(dtype, count, &bytes) ? bytes : n;
}

/* Does the typed field hold the elements just as a tensor does? */
static bool is_direct(enum mc_dtype dtype)
{
    return dtype == MC_FLOAT || dtype == MC_COMPLEX64 || dtype == MC_DOUBLE || dtype == MC_COMPLEX128 ||
           dtype == MC_INT32 || dtype == MC_INT64 || dtype == MC_UINT64;
}

static bool is_external(const Onnx__TensorProto *p)
{
    return p->has_data_location && p->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
}

/* --- reading --- */

static int read_shape(const Onnx__TensorProto *p, struct mc_shape *shape, size_t *bytes, struct mc_error *err)
{
    char text[256];
    if (p->data_type <= MC_UNDEFINED || p->data_type >= MC_DTYPE_COUNT)
        return mc_error_set(err, MC_ERR_INPUT, "element type %d is unknown", (int)p->data_type);
    if (p->n_dims > MC_MAX_RANK)
        return mc_error_set(err, MC_ERR_INPUT, "%zu dimensions are more than %d", p->n_dims, MC_MAX_RANK);
    *shape = mc_shape_of((int)p->n_dims, p->dims);
    for (int i = 0; i < shape->rank; i++)
        if (shape->dim[i] < 0)
            return mc_error_set(err, MC_ERR_INPUT, "dimension %d is %lld", i, (long long)shape->dim[i]);
    if (!mc_dtype_size((enum mc_dtype)p->data_type, mc_shape_count(shape), bytes))
        return mc_error_set(err, MC_ERR_INPUT, "shape %s has more elements than can be counted",
                            mc_shape_text(shape, text, sizeof text));
    return MC_OK;
}

/* The contents stand in one place only, and there are as many as the shape needs. */
static int check_stored(const Onnx__TensorProto *p, const struct mc_shape *shape, size_t bytes, struct mc_error *err)
{
    char text[256];
    const enum mc_dtype dtype = (enum mc_dtype)p->data_type;
    const enum field own = field_of(dtype);
    mc_shape_text(shape, text, sizeof text);
    for (enum field f = FIELD_FLOAT; f <= FIELD_STRING; f++)
        if (entries_of(p, f).n > 0 && (f != own || p->has_raw_data || is_external(p)))
            return mc_error_set(err, MC_ERR_INPUT, "%s elements are stored in more than one field, or in a wrong one",
                                mc_dtype_name(dtype));
    if (is_external(p) && !p->has_raw_data && dtype != MC_STRING) return MC_OK;
    if (is_external(p) || (p->has_raw_data && dtype == MC_STRING))
        return mc_error_set(err, MC_ERR_INPUT, "%s elements are stored in a wrong field", mc_dtype_name(dtype));
    if (p->has_raw_data && p->raw_data.len != bytes)
        return mc_error_set(err, MC_ERR_INPUT, "raw_data has %zu bytes, %s %s needs %zu", p->raw_data.len,
                            mc_dtype_name(dtype), text, bytes);
    const size_t needed = entries_needed(dtype, mc_shape_count(shape));
    if (!p->has_raw_data && entries_of(p, own).n != needed)
        return mc_error_set(err, MC_ERR_INPUT, "%zu elements are stored, %s %s needs %zu", entries_of(p, own).n,
                            mc_dtype_name(dtype), text, needed);
    return MC_OK;
}

static int read_texts(struct mc_tensor **tensor, const Onnx__TensorProto *p, const struct mc_shape *shape,
                      struct mc_error *err)
{
    struct mc_text *texts = MC_NEW_ARRAY(struct mc_text, p->n_string_data);
    if (!texts) return mc_error_memory(err);
    for (size_t i = 0; i < p->n_string_data; i++)
        texts[i] = (struct mc_text){(const char *)p->string_data[i].data, p->string_data[i].len};
    const int rc = mc_tensor_create_texts(tensor, shape, texts, err);
    mc_free(texts);
    return rc;
}

/* Elements narrower than the entries of their field. Types under a byte come packed: an entry is a byte. */
static void narrow(void *to, const Onnx__TensorProto *p, enum mc_dtype dtype)
{
    if (dtype == MC_UINT32) {
        for (size_t i = 0; i < p->n_uint64_data; i++) ((uint32_t *)to)[i] = (uint32_t)p->uint64_data[i];
    } else if (mc_dtype_bits(dtype) == 16) {
        for (size_t i = 0; i < p->n_int32_data; i++) ((uint16_t *)to)[i] = (uint16_t)p->int32_data[i];
    } else {
        for (size_t i = 0; i < p->n_int32_data; i++) ((uint8_t *)to)[i] = (uint8_t)p->int32_data[i];
    }
}

static int lie_in_message(struct mc_tensor **tensor, enum mc_dtype dtype, const struct mc_shape *shape, void *data,
                          size_t bytes, struct mc_origin *origin, struct mc_error *err)
{
    if (bytes == 0) return mc_tensor_create(tensor, dtype, shape, err); /* protobuf-c may have no address for it */
    const int rc = mc_tensor_wrap(tensor, dtype, shape, data, mc_origin_release, origin, err);
    if (rc == MC_OK) mc_origin_retain(origin);
    return rc;
}

/* Reading a C bool of any other value is undefined. */
static int check_bools(const struct mc_tensor *tensor, struct mc_error *err)
{
    const unsigned char *byte = tensor->data;
    const int64_t n = mc_tensor_count(tensor);
    for (int64_t i = 0; i < n; i++)
        if (byte[i] > 1)
            return mc_error_set(err, MC_ERR_INPUT, "element %lld is %d, a bool is 0 or 1", (long long)i, byte[i]);
    return MC_OK;
}

int mc_tensor_from_proto(struct mc_tensor **tensor, const Onnx__TensorProto *p, struct mc_origin *origin,
                         struct mc_external *external, struct mc_error *err)
{
    struct mc_shape shape;
    size_t bytes;
    struct mc_tensor *t = NULL;
    int rc = read_shape(p, &shape, &bytes, err);
    if (rc < 0) return rc;
    if (p->segment) return mc_error_set(err, MC_ERR_UNSUPPORTED, "tensors in segments are not supported");
    rc = check_stored(p, &shape, bytes, err);
    if (rc < 0) return rc;

    const enum mc_dtype dtype = (enum mc_dtype)p->data_type;
    if (is_external(p)) {
        rc = mc_external_load(&t, external, p, dtype, &shape, err);
    } else if (dtype == MC_STRING) {
        rc = read_texts(&t, p, &shape, err);
    } else if (p->has_raw_data) {
        rc = lie_in_message(&t, dtype, &shape, p->raw_data.data, bytes, origin, err);
    } else if (is_direct(dtype)) {
        rc = lie_in_message(&t, dtype, &shape, entries_of(p, field_of(dtype)).data, bytes, origin, err);
    } else {
        rc = mc_tensor_create(&t, dtype, &shape, err);
        if (rc == MC_OK) narrow(t->data, p, dtype);
    }
    if (rc == MC_OK && dtype == MC_BOOL) rc = check_bools(t, err);
    if (rc < 0) {
        mc_tensor_destroy(t);
        return rc;
    }
    *tensor = t;
    return MC_OK;
}

/* --- writing --- */

/* Drop whatever `p` says about contents, but nothing else. */
static void clear_contents(Onnx__TensorProto *p)
{
    p->n_float_data = p->n_int32_data = p->n_int64_data = p->n_double_data = p->n_uint64_data = p->n_string_data = 0;
    p->has_raw_data = 0;
    p->raw_data = (ProtobufCBinaryData){0};
    if (is_external(p)) {
        p->has_data_location = 0;
        p->n_external_data = 0;
    }
}

/* Entries of the wide typed fields hold the same elements as the tensor? Then they may stay as they are. */
static bool narrow_is_unchanged(const Onnx__TensorProto *p, const struct mc_tensor *tensor)
{
    const enum mc_dtype dtype = tensor->dtype;
    const struct entries entries = entries_of(p, field_of(dtype));
    if (p->has_raw_data || entries.n != entries_needed(dtype, mc_tensor_count(tensor))) return false;
    for (size_t i = 0; i < entries.n; i++) {
        const void *data = tensor->data;
        const bool same = dtype == MC_UINT32           ? ((const uint32_t *)data)[i] == (uint32_t)p->uint64_data[i]
                          : mc_dtype_bits(dtype) == 16 ? ((const uint16_t *)data)[i] == (uint16_t)p->int32_data[i]
                                                       : ((const uint8_t *)data)[i] == (uint8_t)p->int32_data[i];
        if (!same) return false;
    }
    return true;
}

static bool write_texts(Onnx__TensorProto *p, struct mc_arena *arena, const struct mc_tensor *tensor)
{
    const struct mc_text *texts = tensor->data;
    p->n_string_data = (size_t)mc_tensor_count(tensor);
    p->string_data = MC_ARENA_ARRAY(arena, ProtobufCBinaryData, p->n_string_data);
    if (!p->string_data) return false;
    for (size_t i = 0; i < p->n_string_data; i++)
        p->string_data[i] = (ProtobufCBinaryData){texts[i].length, (uint8_t *)(uintptr_t)texts[i].bytes};
    return true;
}

/* Point the typed field of a direct type at the tensor's own elements. */
static void write_direct(Onnx__TensorProto *p, const struct mc_tensor *tensor)
{
    const size_t n = entries_needed(tensor->dtype, mc_tensor_count(tensor));
    switch (field_of(tensor->dtype)) {
    case FIELD_FLOAT:
        p->n_float_data = n;
        p->float_data = tensor->data;
        break;
    case FIELD_INT32:
        p->n_int32_data = n;
        p->int32_data = tensor->data;
        break;
    case FIELD_INT64:
        p->n_int64_data = n;
        p->int64_data = tensor->data;
        break;
    case FIELD_DOUBLE:
        p->n_double_data = n;
        p->double_data = tensor->data;
        break;
    default:
        p->n_uint64_data = n;
        p->uint64_data = tensor->data;
    }
}

/* Always from the tensor's own memory, never from that of the origin, which another model may be changing. */
static bool write_contents(Onnx__TensorProto *p, struct mc_arena *arena, const struct mc_tensor *tensor,
                           const Onnx__TensorProto *origin)
{
    const enum mc_dtype dtype = tensor->dtype;
    const bool typed = origin && origin->data_type == (int32_t)dtype && !origin->has_raw_data && !is_external(origin);
    if (typed && dtype != MC_STRING && !is_direct(dtype) && narrow_is_unchanged(origin, tensor)) return true;
    clear_contents(p);
    if (dtype == MC_STRING) return write_texts(p, arena, tensor);
    if (typed && is_direct(dtype)) {
        write_direct(p, tensor);
    } else {
        p->has_raw_data = 1;
        p->raw_data = (ProtobufCBinaryData){mc_tensor_bytes(tensor), tensor->data};
    }
    return true;
}

Onnx__TensorProto *mc_tensor_to_proto(struct mc_arena *arena, const struct mc_tensor *tensor, const char *name,
                                      const Onnx__TensorProto *origin)
{
    Onnx__TensorProto *p = MC_ARENA_NEW(arena, Onnx__TensorProto);
    if (!p) return NULL;
    if (origin)
        *p = *origin;
    else
        onnx__tensor_proto__init(p);
    if (name && !(p->name && strcmp(p->name, name) == 0)) p->name = mc_arena_strdup(arena, name);
    p->has_data_type = 1;
    p->data_type = (int32_t)tensor->dtype;
    p->n_dims = (size_t)tensor->shape.rank;
    p->dims = MC_ARENA_ARRAY(arena, int64_t, p->n_dims);
    if (!p->dims || (name && !p->name)) return NULL;
    for (size_t i = 0; i < p->n_dims; i++) p->dims[i] = tensor->shape.dim[i];
    return write_contents(p, arena, tensor, origin) ? p : NULL;
}
