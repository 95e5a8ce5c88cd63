/* fold.c - many elements into one along some axes; see fold.h. */
#include "kernel/fold.h"

#include <math.h>
#include <string.h>

#include "kernel/lanes.h"
#include "kernel/parallel.h"

enum { BLOCK = 256 };

enum mc_carrier mc_fold_carrier(enum mc_dtype dtype)
{
    switch (dtype) {
    case MC_FLOAT:
    case MC_DOUBLE:
        return MC_CARRIER_REAL;
    case MC_INT8:
    case MC_INT16:
    case MC_INT32:
    case MC_INT64:
        return MC_CARRIER_SIGNED;
    default:
        return MC_CARRIER_UNSIGNED;
    }
}

/* --- to and from carriers --- */

#define CONVERT(from_type, to_type)                                                                                    \
    do {                                                                                                               \
        const from_type *const s = source;                                                                             \
        to_type *const t = target;                                                                                     \
        for (int64_t i = 0; i < n; i++) t[i] = (to_type)s[i];                                                          \
    } while (0)

/* Each type beside its carrier. */
#define EACH_TYPE(DO)                                                                                                  \
    DO(MC_FLOAT, float, double)                                                                                        \
    DO(MC_DOUBLE, double, double)                                                                                      \
    DO(MC_INT8, int8_t, int64_t)                                                                                       \
    DO(MC_INT16, int16_t, int64_t)                                                                                     \
    DO(MC_INT32, int32_t, int64_t)                                                                                     \
    DO(MC_INT64, int64_t, int64_t)                                                                                     \
    DO(MC_UINT8, uint8_t, uint64_t)                                                                                    \
    DO(MC_UINT16, uint16_t, uint64_t)                                                                                  \
    DO(MC_UINT32, uint32_t, uint64_t)                                                                                  \
    DO(MC_UINT64, uint64_t, uint64_t)                                                                                  \
    DO(MC_BOOL, uint8_t, uint64_t)

static void load(enum mc_dtype dtype, const void *source, int64_t n, void *target)
{
    switch (dtype) {
#define LOAD(name, type, carrier)                                                                                      \
    case name:                                                                                                         \
        CONVERT(type, carrier);                                                                                        \
        return;
        EACH_TYPE(LOAD)
    default:
        return;
    }
}

void mc_fold_store(enum mc_dtype dtype, const void *source, int64_t n, void *target)
{
    switch (dtype) {
#define STORE(name, type, carrier)                                                                                     \
    case name:                                                                                                         \
        CONVERT(carrier, type);                                                                                        \
        return;
        EACH_TYPE(STORE)
    default:
        return;
    }
}

static size_t size_of(enum mc_dtype dtype)
{
    return (size_t)mc_dtype_bits(dtype) / 8;
}

/* --- loops: a run into one result, and a run into as many --- */

#define ADD(a, v) ((a) + (v))
#define ADD_ABS_REAL(a, v) ((a) + fabs(v))
#define ADD_ABS_SIGNED(a, v) ((a) + ((v) < 0 ? UINT64_C(0) - (uint64_t)(v) : (uint64_t)(v)))
#define ADD_SQUARE(a, v) ((a) + (v) * (v))
#define MULTIPLY(a, v) ((a) * (v))
#define LARGER(a, v) ((v) > (a) ? (v) : (a))
#define SMALLER(a, v) ((v) < (a) ? (v) : (a))
#define LARGER_REAL(a, v) ((v) > (a) || isnan(v) ? (v) : (a))
#define SMALLER_REAL(a, v) ((v) < (a) || isnan(v) ? (v) : (a))

/* `wide` is the type in which it is done: unsigned where integers wrap. */
#define LOOPS(name, type, wide, combine)                                                                               \
    static void name##_one(int64_t n, const void *x_, void *result)                                                    \
    {                                                                                                                  \
        const type *const x = x_;                                                                                      \
        wide a = *(wide *)result;                                                                                      \
        for (int64_t i = 0; i < n; i++) a = (wide)combine(a, (wide)x[i]);                                              \
        *(wide *)result = a;                                                                                           \
    }                                                                                                                  \
    static void name##_many(int64_t n, const void *x_, void *result)                                                   \
    {                                                                                                                  \
        const type *const x = x_;                                                                                      \
        wide *const a = result;                                                                                        \
        for (int64_t i = 0; i < n; i++) a[i] = (wide)combine(a[i], (wide)x[i]);                                        \
    }

/* Sums of reals in fixed lanes (kernel/lanes.h). */
#define REAL_SUM(name, combine, summand)                                                                               \
    static void name##_one(int64_t n, const void *x_, void *result)                                                    \
    {                                                                                                                  \
        const double *const x = x_;                                                                                    \
        double sum;                                                                                                    \
        SUM(sum, n, summand);                                                                                          \
        *(double *)result += sum;                                                                                      \
    }                                                                                                                  \
    static void name##_many(int64_t n, const void *x_, void *result)                                                   \
    {                                                                                                                  \
        const double *const x = x_;                                                                                    \
        double *const a = result;                                                                                      \
        for (int64_t i = 0; i < n; i++) a[i] = combine(a[i], x[i]);                                                    \
    }

REAL_SUM(sum_real, ADD, x[k])
REAL_SUM(sum_abs_real, ADD_ABS_REAL, fabs(x[k]))
REAL_SUM(sum_square_real, ADD_SQUARE, x[k] * x[k])
LOOPS(prod_real, double, double, MULTIPLY)
LOOPS(max_real, double, double, LARGER_REAL)
LOOPS(min_real, double, double, SMALLER_REAL)
LOOPS(sum_whole, uint64_t, uint64_t, ADD)
LOOPS(sum_square_whole, uint64_t, uint64_t, ADD_SQUARE)
LOOPS(prod_whole, uint64_t, uint64_t, MULTIPLY)
LOOPS(max_signed, int64_t, int64_t, LARGER)
LOOPS(min_signed, int64_t, int64_t, SMALLER)
LOOPS(max_unsigned, uint64_t, uint64_t, LARGER)
LOOPS(min_unsigned, uint64_t, uint64_t, SMALLER)

static void sum_abs_signed_one(int64_t n, const void *x_, void *result)
{
    const int64_t *const x = x_;
    uint64_t a = *(uint64_t *)result;
    for (int64_t i = 0; i < n; i++) a = ADD_ABS_SIGNED(a, x[i]);
    *(uint64_t *)result = a;
}

static void sum_abs_signed_many(int64_t n, const void *x_, void *result)
{
    const int64_t *const x = x_;
    uint64_t *const a = result;
    for (int64_t i = 0; i < n; i++) a[i] = ADD_ABS_SIGNED(a[i], x[i]);
}

typedef void loop_fn(int64_t n, const void *x, void *result);
struct pair {
    loop_fn *one, *many;
};

#define PAIR(name)                                                                                                     \
    {                                                                                                                  \
        name##_one, name##_many                                                                                        \
    }
static const struct pair loops[3][MC_FOLD_COUNT] = {
    [MC_CARRIER_REAL] = {PAIR(sum_real), PAIR(sum_abs_real), PAIR(sum_square_real), PAIR(prod_real), PAIR(max_real),
                         PAIR(min_real), PAIR(sum_real)},
    [MC_CARRIER_SIGNED] = {PAIR(sum_whole), PAIR(sum_abs_signed), PAIR(sum_square_whole), PAIR(prod_whole),
                           PAIR(max_signed), PAIR(min_signed)},
    [MC_CARRIER_UNSIGNED] = {PAIR(sum_whole), PAIR(sum_whole), PAIR(sum_square_whole), PAIR(prod_whole),
                             PAIR(max_unsigned), PAIR(min_unsigned)},
};

/* --- what nothing gives --- */

/* The extremes of a type. */
static void limits_of(enum mc_dtype dtype, uint64_t *lowest, uint64_t *highest)
{
    const int bits = dtype == MC_BOOL ? 1 : mc_dtype_bits(dtype);
    if (mc_fold_carrier(dtype) == MC_CARRIER_SIGNED) {
        const int64_t high = bits == 64 ? INT64_MAX : (INT64_C(1) << (bits - 1)) - 1, low = -high - 1;
        memcpy(highest, &high, sizeof high);
        memcpy(lowest, &low, sizeof low);
    } else {
        *lowest = 0;
        *highest = bits == 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
    }
}

static uint64_t bits_of(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static uint64_t start_of(enum mc_fold fold, enum mc_dtype dtype)
{
    uint64_t lowest = bits_of(-INFINITY), highest = bits_of(INFINITY);
    const bool real = mc_fold_carrier(dtype) == MC_CARRIER_REAL;
    if (!real) limits_of(dtype, &lowest, &highest);
    if (fold == MC_FOLD_PROD) return real ? bits_of(1) : 1;
    return fold == MC_FOLD_MAX ? lowest : fold == MC_FOLD_MIN ? highest : 0;
}

/* --- the walk --- */

struct job {
    struct mc_nest nest; /* A: results; RESULT: elements */
    enum mc_dtype dtype;
    enum mc_fold fold;
    struct pair loops;
    const char *x;
    const double *shift;
    uint64_t *result;
};

/* A run of n elements, `step` results apart (0: all into one). */
static void fold_run(const struct job *job, int64_t n, int64_t step, const char *x, uint64_t *result,
                     const double *shift)
{
    double buffer[BLOCK];
    for (int64_t begin = 0; begin < n; begin += BLOCK) {
        const int64_t count = n - begin < BLOCK ? n - begin : BLOCK;
        load(job->dtype, x + (size_t)begin * size_of(job->dtype), count, buffer);
        if (job->fold == MC_FOLD_SUM_EXP)
            for (int64_t i = 0; i < count; i++) buffer[i] = exp(buffer[i] - shift[step * (begin + i)]);
        if (step == 0)
            job->loops.one(count, buffer, result);
        else
            job->loops.many(count, buffer, result + begin);
    }
}

static void fold_axes(const struct job *job, int axis, const char *x, uint64_t *result, const double *shift)
{
    const struct mc_nest *nest = &job->nest;
    const int64_t extent = nest->extent[axis], step = nest->stride[MC_NEST_A][axis];
    if (axis == nest->rank - 1) {
        fold_run(job, extent, step, x, result, shift);
        return;
    }
    const size_t pace = (size_t)nest->stride[MC_NEST_RESULT][axis] * size_of(job->dtype);
    for (int64_t i = 0; i < extent; i++)
        fold_axes(job, axis + 1, x + (size_t)i * pace, result + i * step, shift ? shift + i * step : NULL);
}

/* Threads share the outermost axis where each index of it has results of its own. */
static void fold_range(void *context, int64_t begin, int64_t end)
{
    struct job part = *(const struct job *)context;
    const int64_t step = part.nest.stride[MC_NEST_A][0];
    part.nest.extent[0] = end - begin;
    fold_axes(&part, 0, part.x + (size_t)(begin * part.nest.stride[MC_NEST_RESULT][0]) * size_of(part.dtype),
              part.result + begin * step, part.shift ? part.shift + begin * step : NULL);
}

void mc_fold(enum mc_fold fold, enum mc_dtype dtype, const void *x, const struct mc_shape *shape,
             const struct mc_shape *kept, const double *shift, void *result)
{
    struct job job = {.dtype = dtype,
                      .fold = fold,
                      .loops = loops[mc_fold_carrier(dtype)][fold],
                      .x = x,
                      .shift = shift,
                      .result = result};
    const uint64_t start = start_of(fold, dtype);
    for (int64_t i = 0; i < mc_shape_count(kept); i++) job.result[i] = start;
    if (mc_shape_count(shape) == 0) return;
    mc_nest_init(&job.nest, shape, kept, shape);
    const int64_t each = job.nest.count / job.nest.extent[0];
    if (job.nest.stride[MC_NEST_A][0] != 0 && job.nest.rank > 1)
        mc_parallel(job.nest.extent[0], mc_parallel_grain(each * (fold == MC_FOLD_SUM_EXP ? 16 : 2)), fold_range, &job);
    else
        fold_axes(&job, 0, job.x, job.result, shift);
}
