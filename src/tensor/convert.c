/* convert.c - element values across types; see tensor.h.
 *
 * Every numeric type is read into one of three exact carriers (int64, uint64, double) and written from it,
 * so that n types need n readers and n writers instead of n*n loops. Narrow floats are described by their
 * fields (sign, exponent width, mantissa width, bias, what the top codes mean) and share one reader and one
 * writer. Formats: IEEE 754-2019 binary16; bfloat16; Micikevicius et al. 2022 "FP8 formats for deep learning"
 * (E4M3FN, E5M2); Noune et al. 2022 (FNUZ); OCP Microscaling 1.0 (E2M1, E8M0).
 */
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "tensor/half.h"
#include "tensor/tensor.h"

/* --- narrow floats --- */

struct narrow {
    int exponent_bits, mantissa_bits, bias;
    bool has_infinity;  /* all-ones exponent: infinity (mantissa 0) or NaN */
    bool top_is_nan;    /* without infinity: the all-ones code is NaN (FN); else all ones is a number (E2M1) */
    bool unsigned_zero; /* FNUZ: the code of -0 is the only NaN */
};

static const struct narrow half_format = {5, 10, 15, true, false, false};
static const struct narrow bfloat_format = {8, 7, 127, true, false, false};

static const struct narrow *narrow_of(enum mc_dtype dtype)
{
    static const struct narrow e4m3fn = {4, 3, 7, false, true, false};
    static const struct narrow e4m3fnuz = {4, 3, 8, false, false, true};
    static const struct narrow e5m2 = {5, 2, 15, true, false, false};
    static const struct narrow e5m2fnuz = {5, 2, 16, false, false, true};
    static const struct narrow e2m1 = {2, 1, 1, false, false, false};
    switch (dtype) {
    case MC_FLOAT16:
        return &half_format;
    case MC_BFLOAT16:
        return &bfloat_format;
    case MC_FLOAT8E4M3FN:
        return &e4m3fn;
    case MC_FLOAT8E4M3FNUZ:
        return &e4m3fnuz;
    case MC_FLOAT8E5M2:
        return &e5m2;
    case MC_FLOAT8E5M2FNUZ:
        return &e5m2fnuz;
    case MC_FLOAT4E2M1:
        return &e2m1;
    default:
        return NULL;
    }
}

static double narrow_read(const struct narrow *f, unsigned code)
{
    const unsigned mantissa_mask = (1u << f->mantissa_bits) - 1, exponent_mask = (1u << f->exponent_bits) - 1;
    const unsigned mantissa = code & mantissa_mask, exponent = code >> f->mantissa_bits & exponent_mask;
    const bool negative = code >> (f->mantissa_bits + f->exponent_bits) & 1;
    if (f->unsigned_zero && negative && !exponent && !mantissa) return NAN;
    if (exponent == exponent_mask) {
        if (f->has_infinity) return mantissa ? NAN : negative ? -INFINITY : INFINITY;
        if (f->top_is_nan && mantissa == mantissa_mask) return NAN;
    }
    const double size =
        exponent ? ldexp((double)(mantissa + (1u << f->mantissa_bits)), (int)exponent - f->bias - f->mantissa_bits)
                 : ldexp((double)mantissa, 1 - f->bias - f->mantissa_bits);
    return negative ? -size : size;
}

/* Largest finite code without its sign. */
static unsigned narrow_largest(const struct narrow *f)
{
    const unsigned all = (1u << (f->mantissa_bits + f->exponent_bits)) - 1;
    if (f->has_infinity) return all - (1u << f->mantissa_bits);
    return f->top_is_nan ? all - 1 : all;
}

/* Round to nearest, ties to even. Beyond the largest: infinity for the IEEE-like types wide enough to be computed
 * with, the largest number for the 8- and 4-bit ones (Cast's saturate = 1). */
static unsigned narrow_write(const struct narrow *f, double value, bool overflows)
{
    const int width = f->mantissa_bits + f->exponent_bits;
    const unsigned sign = signbit(value) ? 1u << width : 0, all = (1u << width) - 1;
    const bool saturate = width < 15 && !overflows;
    if (isnan(value)) {
        if (f->unsigned_zero) return 1u << width;
        if (f->has_infinity) return sign | (all ^ ((1u << (f->mantissa_bits - 1)) - 1));
        return f->top_is_nan ? sign | all : 0;
    }
    const double size = fabs(value);
    int exponent = 0;
    if (isfinite(size) && size > 0) frexp(size, &exponent);
    exponent -= 1;                                                   /* size = 1.xxx * 2^exponent */
    if (size == 0 || exponent < 1 - f->bias) exponent = 1 - f->bias; /* subnormal */
    /* Steps of the last place: a carry into the next binade comes out right because codes are consecutive. */
    const double steps = isfinite(size) ? nearbyint(ldexp(size, f->mantissa_bits - exponent)) : INFINITY;
    const double base = ldexp((double)(exponent + f->bias - 1), f->mantissa_bits);
    const double code = base + steps;
    if (code > narrow_largest(f) && !saturate && !f->has_infinity) /* there is only NaN left */
        return f->unsigned_zero ? 1u << width : f->top_is_nan ? sign | all : sign | narrow_largest(f);
    if (code > narrow_largest(f))
        return sign | (f->has_infinity && !saturate ? all ^ ((1u << f->mantissa_bits) - 1) : narrow_largest(f));
    if (code == 0 && f->unsigned_zero) return 0;
    return sign | (unsigned)code;
}

float mc_half_to_float(uint16_t h)
{
    return (float)narrow_read(&half_format, h);
}

uint16_t mc_float_to_half(float f)
{
    return (uint16_t)narrow_write(&half_format, f, false);
}

float mc_bfloat16_to_float(uint16_t b)
{
    const uint32_t bits = (uint32_t)b << 16;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

uint16_t mc_float_to_bfloat16(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    if (isnan(f)) return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/* --- carriers --- */

enum carrier { SIGNED, UNSIGNED, REAL };

struct number {
    enum carrier carrier;
    union {
        int64_t i;
        uint64_t u;
        double f;
    };
};

#define READ_AS(type, kind, field)                                                                                     \
    {                                                                                                                  \
        type x;                                                                                                        \
        memcpy(&x, (const type *)data + i, sizeof x);                                                                  \
        return (struct number){kind, .field = x};                                                                      \
    }

/* Code i of a type narrower than a byte; the first is in the low bits. */
static unsigned sub_byte(const void *data, int64_t i, int bits)
{
    const int per_byte = 8 / bits;
    return ((const unsigned char *)data)[i / per_byte] >> (i % per_byte * bits) & ((1u << bits) - 1);
}

static int64_t sign_extend(unsigned code, int bits)
{
    return (code & 1u << (bits - 1)) ? (int64_t)code - (1 << bits) : (int64_t)code;
}

static struct number read_number(enum mc_dtype dtype, const void *data, int64_t i)
{
    switch (dtype) {
    case MC_FLOAT:
        READ_AS(float, REAL, f)
    case MC_DOUBLE:
        READ_AS(double, REAL, f)
    case MC_UINT8:
        READ_AS(uint8_t, UNSIGNED, u)
    case MC_UINT16:
        READ_AS(uint16_t, UNSIGNED, u)
    case MC_UINT32:
        READ_AS(uint32_t, UNSIGNED, u)
    case MC_UINT64:
        READ_AS(uint64_t, UNSIGNED, u)
    case MC_INT8:
        READ_AS(int8_t, SIGNED, i)
    case MC_INT16:
        READ_AS(int16_t, SIGNED, i)
    case MC_INT32:
        READ_AS(int32_t, SIGNED, i)
    case MC_INT64:
        READ_AS(int64_t, SIGNED, i)
    case MC_BOOL:
        return (struct number){UNSIGNED, .u = ((const unsigned char *)data)[i] != 0};
    case MC_UINT4:
        return (struct number){UNSIGNED, .u = sub_byte(data, i, 4)};
    case MC_UINT2:
        return (struct number){UNSIGNED, .u = sub_byte(data, i, 2)};
    case MC_INT4:
        return (struct number){SIGNED, .i = sign_extend(sub_byte(data, i, 4), 4)};
    case MC_INT2:
        return (struct number){SIGNED, .i = sign_extend(sub_byte(data, i, 2), 2)};
    case MC_BFLOAT16:
        return (struct number){REAL, .f = mc_bfloat16_to_float(((const uint16_t *)data)[i])};
    case MC_FLOAT16:
        return (struct number){REAL, .f = narrow_read(&half_format, ((const uint16_t *)data)[i])};
    case MC_FLOAT4E2M1:
        return (struct number){REAL, .f = narrow_read(narrow_of(dtype), sub_byte(data, i, 4))};
    case MC_FLOAT8E8M0: {
        const unsigned char code = ((const unsigned char *)data)[i];
        return (struct number){REAL, .f = code == 255 ? NAN : ldexp(1, (int)code - 127)};
    }
    case MC_FLOAT8E4M3FN:
    case MC_FLOAT8E4M3FNUZ:
    case MC_FLOAT8E5M2:
    case MC_FLOAT8E5M2FNUZ:
        return (struct number){REAL, .f = narrow_read(narrow_of(dtype), ((const unsigned char *)data)[i])};
    default:
        return (struct number){SIGNED, .i = 0};
    }
}

static double to_real(struct number x)
{
    return x.carrier == REAL ? x.f : x.carrier == SIGNED ? (double)x.i : (double)x.u;
}

/* Out-of-range floats are undefined in C; give what x86-64 does for int64 and wrap for narrower types, as NumPy. */
static int64_t to_integer(struct number x)
{
    if (x.carrier == SIGNED) return x.i;
    if (x.carrier == UNSIGNED) {
        int64_t i;
        memcpy(&i, &x.u, sizeof i);
        return i;
    }
    if (x.f >= -0x1p63 && x.f < 0x1p63) return (int64_t)x.f;
    if (x.f >= 0x1p63 && x.f < 0x1p64) {
        const uint64_t u = (uint64_t)x.f;
        int64_t i;
        memcpy(&i, &u, sizeof i);
        return i;
    }
    return INT64_MIN;
}

static bool is_nonzero(struct number x)
{
    return x.carrier == REAL ? x.f != 0 : x.u != 0; /* NaN is true */
}

static void put_sub_byte(void *data, int64_t i, int bits, unsigned code)
{
    const int per_byte = 8 / bits, shift = (int)(i % per_byte) * bits;
    unsigned char *byte = (unsigned char *)data + i / per_byte;
    const unsigned mask = ((1u << bits) - 1) << shift;
    *byte = (unsigned char)((*byte & ~mask) | (code << shift & mask));
}

/* A power of two and no more. */
static unsigned e8m0_write(double value, const struct mc_conversion *how)
{
    if (isnan(value)) return 255;
    int exponent;
    const double fraction = frexp(fabs(value), &exponent); /* [0.5, 1) * 2^exponent */
    if (value == 0) return 0;
    if (!isfinite(value)) return 254;
    const bool up = how->e8m0 == MC_ROUND_UP ? fraction > 0.5 : how->e8m0 == MC_ROUND_NEAREST && fraction >= 0.75;
    const int code = exponent - 1 + 127 + up;
    return (unsigned)(code < 0 ? 0 : code > 254 ? 254 : code);
}

/* Sub-byte integers saturate no less than they wrap in the reference; ONNX leaves it open, NumPy truncates bits. */
static void write_number(enum mc_dtype dtype, void *data, int64_t i, struct number x, const struct mc_conversion *how)
{
    switch (dtype) {
    case MC_FLOAT:
        ((float *)data)[i] = x.carrier == SIGNED ? (float)x.i : x.carrier == UNSIGNED ? (float)x.u : (float)x.f;
        return;
    case MC_DOUBLE:
        ((double *)data)[i] = to_real(x);
        return;
    case MC_UINT8:
    case MC_INT8:
        ((uint8_t *)data)[i] = (uint8_t)to_integer(x);
        return;
    case MC_UINT16:
    case MC_INT16:
        ((uint16_t *)data)[i] = (uint16_t)to_integer(x);
        return;
    case MC_UINT32:
    case MC_INT32:
        ((uint32_t *)data)[i] = (uint32_t)to_integer(x);
        return;
    case MC_UINT64:
    case MC_INT64:
        ((uint64_t *)data)[i] = (uint64_t)to_integer(x);
        return;
    case MC_BOOL:
        ((unsigned char *)data)[i] = is_nonzero(x);
        return;
    case MC_UINT4:
    case MC_INT4:
        put_sub_byte(data, i, 4, (unsigned)to_integer(x));
        return;
    case MC_UINT2:
    case MC_INT2:
        put_sub_byte(data, i, 2, (unsigned)to_integer(x));
        return;
    case MC_FLOAT16:
        ((uint16_t *)data)[i] = (uint16_t)narrow_write(&half_format, to_real(x), false);
        return;
    case MC_BFLOAT16:
        ((uint16_t *)data)[i] = (uint16_t)narrow_write(&bfloat_format, to_real(x), false);
        return;
    case MC_FLOAT4E2M1:
        put_sub_byte(data, i, 4, narrow_write(narrow_of(dtype), to_real(x), how->overflows));
        return;
    case MC_FLOAT8E8M0:
        ((unsigned char *)data)[i] = (unsigned char)e8m0_write(to_real(x), how);
        return;
    case MC_FLOAT8E4M3FN:
    case MC_FLOAT8E4M3FNUZ:
    case MC_FLOAT8E5M2:
    case MC_FLOAT8E5M2FNUZ:
        ((unsigned char *)data)[i] = (unsigned char)narrow_write(narrow_of(dtype), to_real(x), how->overflows);
        return;
    default:
        return;
    }
}

double mc_tensor_get_f64(const struct mc_tensor *tensor, int64_t i)
{
    return to_real(read_number(tensor->dtype, tensor->data, i));
}

int64_t mc_tensor_get_i64(const struct mc_tensor *tensor, int64_t i)
{
    return to_integer(read_number(tensor->dtype, tensor->data, i));
}

static const struct mc_conversion by_default; /* saturates, rounds e8m0 up */

void mc_tensor_set_f64(struct mc_tensor *tensor, int64_t i, double value)
{
    write_number(tensor->dtype, tensor->data, i, (struct number){REAL, .f = value}, &by_default);
}

static bool is_numeric(enum mc_dtype dtype)
{
    return mc_dtype_bits(dtype) > 0 && dtype != MC_STRING && dtype != MC_COMPLEX64 && dtype != MC_COMPLEX128;
}

#define CONVERT(name, to_type, from_type)                                                                              \
    static void name(int64_t n, const void *from_, void *to_)                                                          \
    {                                                                                                                  \
        const from_type *from = from_;                                                                                 \
        to_type *to = to_;                                                                                             \
        for (int64_t i = 0; i < n; i++) to[i] = (to_type)from[i];                                                      \
    }

CONVERT(ints_to_floats, float, int32_t)
CONVERT(longs_to_floats, float, int64_t)
CONVERT(longs_to_ints, int32_t, int64_t)
CONVERT(ints_to_longs, int64_t, int32_t)
CONVERT(doubles_to_floats, float, double)
CONVERT(floats_to_doubles, double, float)

static void truths_to_floats(int64_t n, const void *from_, void *to_)
{
    const unsigned char *from = from_;
    float *to = to_;
    for (int64_t i = 0; i < n; i++) to[i] = from[i] ? 1.0f : 0.0f;
}

#define CALL(name, function)                                                                                           \
    static void name(int64_t n, const void *from, void *to)                                                            \
    {                                                                                                                  \
        function(n, from, to);                                                                                         \
    }

CALL(halves_to_floats, mc_halves_to_floats)
CALL(floats_to_halves, mc_floats_to_halves)
CALL(bfloats_to_floats, mc_bfloats_to_floats)
CALL(floats_to_bfloats, mc_floats_to_bfloats)

/* The pairs that masks, indices and half-precision models go through all the time; they agree with the general way. */
static const struct {
    enum mc_dtype to, from;
    void (*convert)(int64_t n, const void *from, void *to);
} fast[] = {
    {MC_FLOAT, MC_BOOL, truths_to_floats},    {MC_FLOAT, MC_INT32, ints_to_floats},
    {MC_FLOAT, MC_INT64, longs_to_floats},    {MC_FLOAT, MC_DOUBLE, doubles_to_floats},
    {MC_FLOAT, MC_FLOAT16, halves_to_floats}, {MC_FLOAT, MC_BFLOAT16, bfloats_to_floats},
    {MC_FLOAT16, MC_FLOAT, floats_to_halves}, {MC_BFLOAT16, MC_FLOAT, floats_to_bfloats},
    {MC_DOUBLE, MC_FLOAT, floats_to_doubles}, {MC_INT32, MC_INT64, longs_to_ints},
    {MC_INT64, MC_INT32, ints_to_longs},
};

static bool convert_fast(struct mc_tensor *to, const struct mc_tensor *from, int64_t n)
{
    for (size_t i = 0; i < sizeof fast / sizeof *fast; i++)
        if (fast[i].to == to->dtype && fast[i].from == from->dtype) {
            fast[i].convert(n, from->data, to->data);
            return true;
        }
    return false;
}

int mc_tensor_convert_by(struct mc_tensor *to, const struct mc_tensor *from, const struct mc_conversion *how,
                         struct mc_error *err)
{
    if (!is_numeric(to->dtype) || !is_numeric(from->dtype))
        return mc_error_set(err, MC_ERR_UNSUPPORTED, "no conversion from %s to %s", mc_dtype_name(from->dtype),
                            mc_dtype_name(to->dtype));
    const int64_t n = mc_tensor_count(from);
    if (mc_tensor_count(to) != n)
        return mc_error_set(err, MC_ERR_INTERNAL, "conversion of %lld elements into %lld", (long long)n,
                            (long long)mc_tensor_count(to));
    if (to->dtype == from->dtype) {
        memcpy(to->data, from->data, mc_tensor_bytes(from));
        return MC_OK;
    }
    if (convert_fast(to, from, n)) return MC_OK;
    if (mc_dtype_bits(to->dtype) < 8) memset(to->data, 0, mc_tensor_bytes(to)); /* elements are put beside others */
    for (int64_t i = 0; i < n; i++) write_number(to->dtype, to->data, i, read_number(from->dtype, from->data, i), how);
    return MC_OK;
}

int mc_tensor_convert(struct mc_tensor *to, const struct mc_tensor *from, struct mc_error *err)
{
    return mc_tensor_convert_by(to, from, &by_default, err);
}
