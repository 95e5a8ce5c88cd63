/* tensor.h - typed arrays.
 *
 * A tensor is dense and row-major; several tensors may share one storage at different offsets (a
 * reshape, a slice along the first axis), which is reference-counted and dies with its last user.
 * Views with strides are not tensors: the kernels that need strides take them as arguments.
 *
 * Element types carry ONNX's numbers (TensorProto.DataType), so that a file's type is ours.
 */
#ifndef MC_TENSOR_TENSOR_H
#define MC_TENSOR_TENSOR_H

#include "compress/compress.h"

#define MC_MAX_RANK 16

enum mc_dtype {
    MC_UNDEFINED = 0,
    MC_FLOAT = 1,
    MC_UINT8 = 2,
    MC_INT8 = 3,
    MC_UINT16 = 4,
    MC_INT16 = 5,
    MC_INT32 = 6,
    MC_INT64 = 7,
    MC_STRING = 8, /* elements are struct mc_text */
    MC_BOOL = 9,
    MC_FLOAT16 = 10,
    MC_DOUBLE = 11,
    MC_UINT32 = 12,
    MC_UINT64 = 13,
    MC_COMPLEX64 = 14,
    MC_COMPLEX128 = 15,
    MC_BFLOAT16 = 16,
    MC_FLOAT8E4M3FN = 17,
    MC_FLOAT8E4M3FNUZ = 18,
    MC_FLOAT8E5M2 = 19,
    MC_FLOAT8E5M2FNUZ = 20,
    MC_UINT4 = 21, /* two to a byte, low half first */
    MC_INT4 = 22,
    MC_FLOAT4E2M1 = 23,
    MC_FLOAT8E8M0 = 24,
    MC_UINT2 = 25, /* four to a byte */
    MC_INT2 = 26,
    MC_DTYPE_COUNT
};

/* One element of a string tensor; the bytes lie in the same storage and need not end in 0. */
struct mc_text {
    const char *bytes;
    size_t length;
};

const char *mc_dtype_name(enum mc_dtype dtype); /* "float32", "int64", …; "undefined" */
int mc_dtype_bits(enum mc_dtype dtype);         /* 32, 4, …; 0 for undefined */
bool mc_dtype_is_float(enum mc_dtype dtype);    /* half, bfloat16, float and double; not float8 */
bool mc_dtype_is_integer(enum mc_dtype dtype);  /* signed and unsigned, 8 bits and up; not bool */

/* Extents, outermost first. Rank 0 is a scalar: one element. An extent may be 0. */
struct mc_shape {
    int rank;
    int64_t dim[MC_MAX_RANK];
};

struct mc_shape mc_shape_of(int rank, const int64_t *dims); /* asserts rank <= MC_MAX_RANK */
bool mc_shape_equal(const struct mc_shape *a, const struct mc_shape *b);
/* Product of the extents; -1 if one is negative or the product exceeds INT64_MAX. */
int64_t mc_shape_count(const struct mc_shape *shape);
/* Product of dim[from] … dim[to-1]; 1 when empty. The shape must have a valid count. */
int64_t mc_shape_span(const struct mc_shape *shape, int from, int to);
/* "[2,3,4]" into `out`, which is returned. */
const char *mc_shape_text(const struct mc_shape *shape, char *out, size_t size);
/* Numpy broadcasting of two shapes. false if they do not fit. */
bool mc_shape_broadcast(const struct mc_shape *a, const struct mc_shape *b, struct mc_shape *out);
/* Bytes that `count` elements take; false on overflow. */
bool mc_dtype_size(enum mc_dtype dtype, int64_t count, size_t *bytes);

struct mc_storage; /* reference-counted bytes, see mc_tensor_create and mc_tensor_wrap */

struct mc_tensor {
    enum mc_dtype dtype;
    struct mc_shape shape;
    void *data;                 /* first element */
    struct mc_storage *storage; /* NULL: `data` is borrowed and outlived by its owner */
    bool mapped;                /* `data` are pages of a file, to be read alone: mc_tensor_forget gives them back */
    bool channels_last;         /* [N, C, spatial...] lies in memory as [N, spatial..., C]. Only ever met inside a
                                 * running plan, by steps that said that they take it (mc_op.order) */
};

/* Zeroed tensor of its own. MC_ERR_SYSTEM without memory. */
int mc_tensor_create(struct mc_tensor **tensor, enum mc_dtype dtype, const struct mc_shape *shape,
                     struct mc_error *err);
/* Tensor over bytes that belong to someone else; `release(context)` is called with the last reference
 * (never if this fails). `release` may be NULL. The bytes must be aligned for the element type. */
int mc_tensor_wrap(struct mc_tensor **tensor, enum mc_dtype dtype, const struct mc_shape *shape, void *data,
                   void (*release)(void *context), void *context, struct mc_error *err);
/* Another tensor on the same storage. `shape` NULL: the same; else one of equal or smaller byte size. */
int mc_tensor_view(struct mc_tensor **view, const struct mc_tensor *of, const struct mc_shape *shape,
                   size_t offset_bytes, struct mc_error *err);
int mc_tensor_clone(struct mc_tensor **copy, const struct mc_tensor *of, struct mc_error *err);
/* String tensor from n texts (copied). */
int mc_tensor_create_texts(struct mc_tensor **tensor, const struct mc_shape *shape, const struct mc_text *texts,
                           struct mc_error *err);
void mc_tensor_destroy(struct mc_tensor *tensor);
/* Give up the contents, and with the last to use them their memory; `data` is NULL then, type and shape stay. */
void mc_tensor_shed(struct mc_tensor *tensor);

/* Let go of the memory that these bytes of a mapped tensor take; they are read from the file again when they are looked
 * at. Of other tensors: nothing. */
void mc_tensor_forget(const struct mc_tensor *tensor, size_t offset_bytes, size_t bytes);

int64_t mc_tensor_count(const struct mc_tensor *tensor);
size_t mc_tensor_bytes(const struct mc_tensor *tensor); /* without the bytes of strings */
/* May it be written to: is the storage used by this tensor alone (so that it is seen by no other), and no file's? */
bool mc_tensor_is_unique(const struct mc_tensor *tensor);

/* Element i as a double or an int64 (converted; complex and strings give 0); for scalars, attributes, reports. */
double mc_tensor_get_f64(const struct mc_tensor *tensor, int64_t i);
int64_t mc_tensor_get_i64(const struct mc_tensor *tensor, int64_t i);
void mc_tensor_set_f64(struct mc_tensor *tensor, int64_t i, double value);

/* Conversion as ONNX Cast (opset 13) does it, round to nearest even; any numeric or bool type to any. */
int mc_tensor_convert(struct mc_tensor *to, const struct mc_tensor *from, struct mc_error *err);

/* The same with what Cast's attributes choose: numbers too large for a float8 become infinity or, where the type has
 * none, NaN instead of the largest one; and how a number between two powers of two becomes a float8e8m0. */
struct mc_conversion {
    bool overflows;
    enum { MC_ROUND_UP, MC_ROUND_DOWN, MC_ROUND_NEAREST } e8m0; /* to nearest: ties up */
};
int mc_tensor_convert_by(struct mc_tensor *to, const struct mc_tensor *from, const struct mc_conversion *how,
                         struct mc_error *err);

float mc_half_to_float(uint16_t h);
uint16_t mc_float_to_half(float f);
float mc_bfloat16_to_float(uint16_t b);
uint16_t mc_float_to_bfloat16(float f);

#endif
