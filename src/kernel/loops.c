/* loops.c - element-wise loops, sums and softmax for one instruction set; see loops.h.
 *
 * Compiled once per instruction set under another MC_VARIANT name (meson.build). Each loop is one expression, written
 * once for all types that have it; the compiler makes SIMD code of it. Bits are combined with & and | where && and ||
 * would make branches.
 */
#include "kernel/loops.h"

#include <math.h>

#include "kernel/approx.h"
#include "kernel/lanes.h"

extern const struct mc_loops MC_VARIANT(mc_loops);

/* One name for the float32 and the float64 function. */
#define EXP(x) _Generic((x), float : mc_expf, double : exp)(x)
#define EXPM1(x) _Generic((x), float : mc_expm1f, double : expm1)(x)
#define LOG(x) _Generic((x), float : mc_logf, double : log)(x)
#define TANH(x) _Generic((x), float : mc_tanhf, double : tanh)(x)
#define ERF(x) _Generic((x), float : mc_erff, double : erf)(x)
#define SIGMOID(x) _Generic((x), float : mc_sigmoidf, double : sigmoid)(x)
#define SQRT(x) _Generic((x), float : sqrtf, double : sqrt)(x)
#define ABS(x) _Generic((x), float : fabsf, double : fabs)(x)
#define POW(x, y) _Generic((x), float : powf, double : pow)(x, y)

static inline double sigmoid(double x)
{
    const double e = exp(-fabs(x));
    return x >= 0 ? 1 / (1 + e) : e / (1 + e);
}

/* --- unary: v is the element, a and b the parameters --- */

#define UNARY(name, suffix, type, expression)                                                                          \
    static void name##_##suffix(int64_t n, const void *x_, void *y_, const double *p)                                  \
    {                                                                                                                  \
        typedef type T;                                                                                                \
        const T *x = x_, a = p ? (T)p[0] : 0, b = p ? (T)p[1] : 0;                                                     \
        T *y = y_;                                                                                                     \
        (void)a, (void)b;                                                                                              \
        SIMD for (int64_t i = 0; i < n; i++)                                                                           \
        {                                                                                                              \
            const T v = x[i];                                                                                          \
            y[i] = expression;                                                                                         \
        }                                                                                                              \
    }

#define UNARY_FLOAT(name, expression)                                                                                  \
    UNARY(name, f32, float, expression)                                                                                \
    UNARY(name, f64, double, expression)

#define HALF ((T)0.5)
#define AT_LEAST(v, low) ((v) < (low) ? (low) : (v))
#define AT_MOST(v, high) ((v) > (high) ? (high) : (v))
#define CLAMP(v, low, high) AT_MOST(AT_LEAST(v, low), high) /* NaN stays; high wins where the bounds cross */
#define SQRT_2_PI ((T)0.79788456080286535588)
#define GELU_INNER(v) (SQRT_2_PI * ((v) + (T)0.044715 * (v) * (v) * (v)))
/* d/dv of v/2 (1 + t) with t = tanh(GELU_INNER(v)) */
#define GELU_TANH_SLOPE(v, t)                                                                                          \
    (HALF * (1 + (t)) + HALF * (v) * (1 - (t) * (t)) * SQRT_2_PI * (1 + (T)0.134145 * (v) * (v)))

UNARY_FLOAT(relu, (v < 0 ? 0 : v))
UNARY_FLOAT(leaky_relu, (v < 0 ? a * v : v))
UNARY_FLOAT(clip, CLAMP(v, a, b))
UNARY_FLOAT(sigmoid, SIGMOID(v))
UNARY_FLOAT(tanh, TANH(v))
UNARY_FLOAT(hard_sigmoid, CLAMP(a *v + b, 0, 1))
UNARY_FLOAT(hard_swish, (v * CLAMP(v * (T)(1.0 / 6) + HALF, 0, 1)))
UNARY_FLOAT(elu, (v < 0 ? a * EXPM1(v) : v))
UNARY_FLOAT(gelu, (HALF * v * (1 + ERF(v * (T)M_SQRT1_2))))
UNARY_FLOAT(gelu_tanh, (HALF * v * (1 + TANH(GELU_INNER(v)))))
UNARY_FLOAT(erf, ERF(v))
UNARY_FLOAT(exp, EXP(v))
UNARY_FLOAT(log, LOG(v))
UNARY_FLOAT(sqrt, SQRT(v))
UNARY_FLOAT(neg, (-v))
UNARY_FLOAT(abs, ABS(v))
UNARY_FLOAT(square, (v * v))
UNARY_FLOAT(cube, (v * v * v))

#define LIBM(name)                                                                                                     \
    UNARY(name, f32, float, name##f(v))                                                                                \
    UNARY(name, f64, double, name(v))

LIBM(acos)
LIBM(acosh)
LIBM(asin)
LIBM(asinh)
LIBM(atan)
LIBM(atanh)
LIBM(cos)
LIBM(cosh)
LIBM(sin)
LIBM(sinh)
LIBM(tan)
LIBM(ceil)
LIBM(floor)

/* ln(1 + e^v) without overflow: max(v, 0) + ln(1 + e^-|v|) */
#define LOG1P(x) _Generic((x), float : LOG(1 + (x)), double : log1p(x))
#define SOFTPLUS(v) (((v) > 0 ? (v) : 0) + LOG1P(EXP(-ABS(v))))

UNARY(round, f32, float, rintf(v))
UNARY(round, f64, double, rint(v))
UNARY_FLOAT(sign, (v > 0 ? 1 : v < 0 ? -1 : v))
UNARY_FLOAT(reciprocal, (1 / v))
UNARY_FLOAT(celu, (v < 0 ? a * EXPM1(v / a) : v))
UNARY_FLOAT(selu, (b * (v < 0 ? a * EXPM1(v) : v)))
UNARY_FLOAT(mish, (v * TANH(SOFTPLUS(v))))
UNARY_FLOAT(softplus, (v != v ? v : SOFTPLUS(v)))
UNARY_FLOAT(softsign, (v / (1 + ABS(v))))
UNARY_FLOAT(swish, (v * SIGMOID(a * v)))
UNARY_FLOAT(threshold, (v > a ? v : 0))
UNARY_FLOAT(shrink, (v < -a ? v + b : v > a ? v - b : 0))
UNARY(sign, i32, int32_t, ((v > 0) - (v < 0)))
UNARY(sign, i64, int64_t, ((v > 0) - (v < 0)))
UNARY(sign, u64, uint64_t, (v > 0))
UNARY(neg, u64, uint64_t, (0 - v))
UNARY(abs, u64, uint64_t, v)

/* Unsigned, so that the most negative number wraps to itself. */
UNARY(neg, i32, int32_t, ((T)(0u - (uint32_t)v)))
UNARY(neg, i64, int64_t, ((T)(UINT64_C(0) - (uint64_t)v)))
UNARY(abs, i32, int32_t, ((T)(v < 0 ? 0u - (uint32_t)v : (uint32_t)v)))
UNARY(abs, i64, int64_t, ((T)(v < 0 ? UINT64_C(0) - (uint64_t)v : (uint64_t)v)))

/* --- gradients of those: v is what was kept, g the gradient of the output --- */

#define GRAD(name, suffix, type, expression)                                                                           \
    static void name##_grad_##suffix(int64_t n, const void *kept, const void *dy_, void *dx_, const double *p)         \
    {                                                                                                                  \
        typedef type T;                                                                                                \
        const T *x = kept, *dy = dy_, a = p ? (T)p[0] : 0, b = p ? (T)p[1] : 0;                                        \
        T *dx = dx_;                                                                                                   \
        (void)a, (void)b;                                                                                              \
        SIMD for (int64_t i = 0; i < n; i++)                                                                           \
        {                                                                                                              \
            const T v = x[i], g = dy[i];                                                                               \
            (void)v, (void)g;                                                                                          \
            dx[i] = expression;                                                                                        \
        }                                                                                                              \
    }

#define GRAD_FLOAT(name, expression)                                                                                   \
    GRAD(name, f32, float, expression)                                                                                 \
    GRAD(name, f64, double, expression)

#define NORMAL_DENSITY(v) ((T)0.39894228040143267794 * EXP(-HALF * (v) * (v))) /* 1 / sqrt(2 pi) */

GRAD_FLOAT(relu, (v <= 0 ? 0 : g))
GRAD_FLOAT(leaky_relu, (v > 0 ? g : a * g))
GRAD_FLOAT(clip, (((v >= a) & (v <= b)) ? g : 0))
GRAD_FLOAT(sigmoid, (g * v * (1 - v)))
GRAD_FLOAT(tanh, (g * (1 - v * v)))
GRAD_FLOAT(hard_sigmoid, (((v > 0) & (v < 1)) ? a * g : 0))
GRAD_FLOAT(hard_swish, (g * (v <= -3 ? 0 : v >= 3 ? 1 : v * (T)(1.0 / 3) + HALF)))
GRAD_FLOAT(elu, (v > 0 ? g : g * a * EXP(v)))
GRAD_FLOAT(gelu, (g * (HALF * (1 + ERF(v * (T)M_SQRT1_2)) + v * NORMAL_DENSITY(v))))
GRAD_FLOAT(gelu_tanh, (g * GELU_TANH_SLOPE(v, TANH(GELU_INNER(v)))))
GRAD_FLOAT(erf, (g * ((T)M_2_SQRTPI * EXP(-v * v))))
GRAD_FLOAT(exp, (g * v))
GRAD_FLOAT(log, (g / v))
GRAD_FLOAT(sqrt, (HALF * g / v))
GRAD_FLOAT(abs, (v > 0 ? g : v < 0 ? -g : 0))
GRAD_FLOAT(square, (2 * v * g))
GRAD_FLOAT(cube, (3 * v * v * g))

GRAD_FLOAT(acos, (-g / SQRT(1 - v * v)))
GRAD_FLOAT(acosh, (g / SQRT(v * v - 1)))
GRAD_FLOAT(asin, (g / SQRT(1 - v * v)))
GRAD_FLOAT(asinh, (g / SQRT(v * v + 1)))
GRAD_FLOAT(atan, (g / (1 + v * v)))
GRAD_FLOAT(atanh, (g / (1 - v * v)))
GRAD(cos, f32, float, (-g * sinf(v)))
GRAD(cos, f64, double, (-g * sin(v)))
GRAD(cosh, f32, float, (g * sinhf(v)))
GRAD(cosh, f64, double, (g * sinh(v)))
GRAD(sin, f32, float, (g * cosf(v)))
GRAD(sin, f64, double, (g * cos(v)))
GRAD(sinh, f32, float, (g * coshf(v)))
GRAD(sinh, f64, double, (g * cosh(v)))
GRAD(tan, f32, float, (g * (1 + tanf(v) * tanf(v))))
GRAD(tan, f64, double, (g * (1 + tan(v) * tan(v))))
GRAD_FLOAT(ceil, (0 * g))
GRAD_FLOAT(floor, (0 * g))
GRAD_FLOAT(round, (0 * g))
GRAD_FLOAT(sign, (0 * g))
GRAD_FLOAT(reciprocal, (-g / (v * v)))
GRAD_FLOAT(celu, (v > 0 ? g : g * EXP(v / a)))
GRAD_FLOAT(selu, (b * (v > 0 ? g : g * a * EXP(v))))
GRAD_FLOAT(mish, (g * (TANH(SOFTPLUS(v)) + v * SIGMOID(v) * (1 - TANH(SOFTPLUS(v)) * TANH(SOFTPLUS(v))))))
GRAD_FLOAT(softplus, (g * SIGMOID(v)))
GRAD_FLOAT(softsign, (g / ((1 + ABS(v)) * (1 + ABS(v)))))
GRAD_FLOAT(swish, (g * SIGMOID(a * v) * (1 + a * v * (1 - SIGMOID(a * v)))))
GRAD_FLOAT(threshold, (v > a ? g : 0))
GRAD_FLOAT(shrink, (((v < -a) | (v > a)) ? g : 0))

static void neg_grad_f32(int64_t n, const void *kept, const void *dy, void *dx, const double *p)
{
    (void)kept;
    neg_f32(n, dy, dx, p);
}

static void neg_grad_f64(int64_t n, const void *kept, const void *dy, void *dx, const double *p)
{
    (void)kept;
    neg_f64(n, dy, dx, p);
}

/* --- binary: u and v are the elements --- */

#define BINARY_FORM(name, suffix, form, type, u_element, v_element, expression)                                        \
    static void name##_##suffix##_##form(int64_t n, const void *a_, const void *b_, void *y_)                          \
    {                                                                                                                  \
        typedef type T;                                                                                                \
        const T *a = a_, *b = b_;                                                                                      \
        const T a0 = a[0], b0 = b[0];                                                                                  \
        T *y = y_;                                                                                                     \
        (void)a0, (void)b0;                                                                                            \
        SIMD for (int64_t i = 0; i < n; i++)                                                                           \
        {                                                                                                              \
            const T u = u_element, v = v_element;                                                                      \
            y[i] = expression;                                                                                         \
        }                                                                                                              \
    }

#define BINARY(name, suffix, type, expression)                                                                         \
    BINARY_FORM(name, suffix, run_run, type, a[i], b[i], expression)                                                   \
    BINARY_FORM(name, suffix, run_one, type, a[i], b0, expression)                                                     \
    BINARY_FORM(name, suffix, one_run, type, a0, b[i], expression)

#define BINARY_FLOAT(name, expression)                                                                                 \
    BINARY(name, f32, float, expression)                                                                               \
    BINARY(name, f64, double, expression)

/* Powers by squaring; what overflows wraps. */
static int64_t power(int64_t base, int64_t exponent)
{
    if (exponent < 0) return base == 1 ? 1 : base == -1 ? (exponent % 2 ? -1 : 1) : 0;
    uint64_t result = 1;
    for (uint64_t square = (uint64_t)base; exponent; exponent >>= 1, square *= square)
        if (exponent & 1) result *= square;
    return (int64_t)result;
}

BINARY_FLOAT(add, (u + v))
BINARY_FLOAT(sub, (u - v))
BINARY_FLOAT(mul, (u * v))
BINARY_FLOAT(div, (u / v))
BINARY_FLOAT(min, (((u < v) | (u != u)) ? u : v)) /* NaN on either side stays */
BINARY_FLOAT(max, (((u > v) | (u != u)) ? u : v))
BINARY_FLOAT(pow, POW(u, v))
BINARY_FLOAT(prelu, (u < 0 ? v * u : u))
BINARY_FLOAT(count_equal, (y[i] + (u == v ? 1 : 0)))

BINARY(add, i32, int32_t, ((T)((uint32_t)u + (uint32_t)v)))
BINARY(add, i64, int64_t, ((T)((uint64_t)u + (uint64_t)v)))
BINARY(sub, i32, int32_t, ((T)((uint32_t)u - (uint32_t)v)))
BINARY(sub, i64, int64_t, ((T)((uint64_t)u - (uint64_t)v)))
BINARY(mul, i32, int32_t, ((T)((uint32_t)u * (uint32_t)v)))
BINARY(mul, i64, int64_t, ((T)((uint64_t)u * (uint64_t)v)))
BINARY(div, i32, int32_t, (v == 0 ? 0 : v == -1 ? (T)(0u - (uint32_t)u) : u / v))
BINARY(div, i64, int64_t, (v == 0 ? 0 : v == -1 ? (T)(UINT64_C(0) - (uint64_t)u) : u / v))
BINARY(min, i32, int32_t, (u < v ? u : v))
BINARY(min, i64, int64_t, (u < v ? u : v))
BINARY(max, i32, int32_t, (u > v ? u : v))
BINARY(max, i64, int64_t, (u > v ? u : v))
BINARY(pow, i32, int32_t, ((T)power(u, v)))
BINARY(pow, i64, int64_t, power(u, v))

static uint64_t unsigned_power(uint64_t base, uint64_t exponent)
{
    uint64_t result = 1;
    for (; exponent; exponent >>= 1, base *= base)
        if (exponent & 1) result *= base;
    return result;
}

BINARY(add, u64, uint64_t, (u + v))
BINARY(sub, u64, uint64_t, (u - v))
BINARY(mul, u64, uint64_t, (u * v))
BINARY(div, u64, uint64_t, (v == 0 ? 0 : u / v))
BINARY(min, u64, uint64_t, (u < v ? u : v))
BINARY(max, u64, uint64_t, (u > v ? u : v))
BINARY(pow, u64, uint64_t, unsigned_power(u, v))

/* --- summands of the gradients of those --- */

#define TERM(name, suffix, type, expression)                                                                           \
    static void term_##name##_##suffix(int64_t n, const void *a, const void *b, const void *g_, void *t_)              \
    {                                                                                                                  \
        typedef type T;                                                                                                \
        const T *us = a, *vs = b, *gs = g_;                                                                            \
        T *t = t_;                                                                                                     \
        SIMD for (int64_t i = 0; i < n; i++)                                                                           \
        {                                                                                                              \
            const T u = us[i], v = vs[i], g = gs[i];                                                                   \
            (void)u, (void)v;                                                                                          \
            t[i] = expression;                                                                                         \
        }                                                                                                              \
    }

#define TERM_FLOAT(name, expression)                                                                                   \
    TERM(name, f32, float, expression)                                                                                 \
    TERM(name, f64, double, expression)

TERM_FLOAT(negate, (-g))
TERM_FLOAT(mul_a, (g * v))
TERM_FLOAT(mul_b, (g * u))
TERM_FLOAT(div_a, (g / v))
TERM_FLOAT(div_b, (-g * (u / v) / v))
TERM_FLOAT(pow_a, (v == 0 ? 0 : g * v * POW(u, v - 1)))
TERM_FLOAT(pow_b, (((u == 0) & (v >= 0)) ? 0 : g * POW(u, v) * LOG(u)))
TERM_FLOAT(prelu_a, (u > 0 ? g : g * v))
TERM_FLOAT(prelu_b, (u > 0 ? 0 : g * u))
TERM_FLOAT(where_equal, (u == v ? g : 0))

/* --- rows --- */

/* 32 bits that look random: two rounds of multiply and shift (constants from Chris Wellons' search for low-bias hashes,
 * "lowbias32", public domain). */
static inline uint32_t hash_bits(uint32_t x)
{
    x ^= x >> 16;
    x *= 0x7feb352du;
    x ^= x >> 15;
    x *= 0x846ca68bu;
    return x ^ (x >> 16);
}

#define T float
#define NAME(name) name##_f32
#include "kernel/loops_rows.inc"
#undef T
#undef NAME

#define T double
#define NAME(name) name##_f64
#include "kernel/loops_rows.inc"
#undef T
#undef NAME

/* --- the table --- */

#define UNARY_ROW(f)                                                                                                   \
    {                                                                                                                  \
        [MC_UNARY_RELU] = relu_##f, [MC_UNARY_LEAKY_RELU] = leaky_relu_##f, [MC_UNARY_CLIP] = clip_##f,                \
        [MC_UNARY_SIGMOID] = sigmoid_##f, [MC_UNARY_TANH] = tanh_##f, [MC_UNARY_HARD_SIGMOID] = hard_sigmoid_##f,      \
        [MC_UNARY_HARD_SWISH] = hard_swish_##f, [MC_UNARY_ELU] = elu_##f, [MC_UNARY_GELU] = gelu_##f,                  \
        [MC_UNARY_GELU_TANH] = gelu_tanh_##f, [MC_UNARY_ERF] = erf_##f, [MC_UNARY_EXP] = exp_##f,                      \
        [MC_UNARY_LOG] = log_##f, [MC_UNARY_SQRT] = sqrt_##f, [MC_UNARY_NEG] = neg_##f, [MC_UNARY_ABS] = abs_##f,      \
        [MC_UNARY_SQUARE] = square_##f, [MC_UNARY_CUBE] = cube_##f, [MC_UNARY_ACOS] = acos_##f,                        \
        [MC_UNARY_ACOSH] = acosh_##f, [MC_UNARY_ASIN] = asin_##f, [MC_UNARY_ASINH] = asinh_##f,                        \
        [MC_UNARY_ATAN] = atan_##f, [MC_UNARY_ATANH] = atanh_##f, [MC_UNARY_COS] = cos_##f,                            \
        [MC_UNARY_COSH] = cosh_##f, [MC_UNARY_SIN] = sin_##f, [MC_UNARY_SINH] = sinh_##f, [MC_UNARY_TAN] = tan_##f,    \
        [MC_UNARY_CEIL] = ceil_##f, [MC_UNARY_FLOOR] = floor_##f, [MC_UNARY_ROUND] = round_##f,                        \
        [MC_UNARY_SIGN] = sign_##f, [MC_UNARY_RECIPROCAL] = reciprocal_##f, [MC_UNARY_CELU] = celu_##f,                \
        [MC_UNARY_SELU] = selu_##f, [MC_UNARY_MISH] = mish_##f, [MC_UNARY_SOFTPLUS] = softplus_##f,                    \
        [MC_UNARY_SOFTSIGN] = softsign_##f, [MC_UNARY_SWISH] = swish_##f, [MC_UNARY_THRESHOLD] = threshold_##f,        \
        [MC_UNARY_SHRINK] = shrink_##f,                                                                                \
    }
#define UNARY_INTEGER_ROW(f)                                                                                           \
    {                                                                                                                  \
        [MC_UNARY_NEG] = neg_##f, [MC_UNARY_ABS] = abs_##f, [MC_UNARY_SIGN] = sign_##f                                 \
    }

#define FORMS(name)                                                                                                    \
    {                                                                                                                  \
        name##_run_run, name##_run_one, name##_one_run                                                                 \
    }
#define BINARY_INTEGER_ROW(f)                                                                                          \
    [MC_BINARY_ADD] = FORMS(add_##f), [MC_BINARY_SUB] = FORMS(sub_##f), [MC_BINARY_MUL] = FORMS(mul_##f),              \
    [MC_BINARY_DIV] = FORMS(div_##f), [MC_BINARY_MIN] = FORMS(min_##f), [MC_BINARY_MAX] = FORMS(max_##f),              \
    [MC_BINARY_POW] = FORMS(pow_##f)
#define BINARY_ROW(f)                                                                                                  \
    BINARY_INTEGER_ROW(f), [MC_BINARY_PRELU] = FORMS(prelu_##f), [MC_BINARY_COUNT_EQUAL] = FORMS(count_equal_##f)

#define TERM_ROW(f)                                                                                                    \
    {                                                                                                                  \
        [MC_TERM_NEGATE] = term_negate_##f, [MC_TERM_MUL_A] = term_mul_a_##f, [MC_TERM_MUL_B] = term_mul_b_##f,        \
        [MC_TERM_DIV_A] = term_div_a_##f, [MC_TERM_DIV_B] = term_div_b_##f, [MC_TERM_POW_A] = term_pow_a_##f,          \
        [MC_TERM_POW_B] = term_pow_b_##f, [MC_TERM_PRELU_A] = term_prelu_a_##f, [MC_TERM_PRELU_B] = term_prelu_b_##f,  \
        [MC_TERM_WHERE_EQUAL] = term_where_equal_##f,                                                                  \
    }

#define ROW_LOOPS(f)                                                                                                   \
    {                                                                                                                  \
        .sum = sum_##f, .add_to = add_to_##f, .store = store_##f, .softmax = softmax_##f,                              \
        .log_softmax = log_softmax_##f, .softmax_grad = softmax_grad_##f, .log_softmax_grad = log_softmax_grad_##f,    \
        .moments = moments_##f, .normalize = normalize_##f, .normalize_grad = normalize_grad_##f,                      \
        .normalize_grad_scale = normalize_grad_scale_##f, .dropout = dropout_##f,                                      \
    }

const struct mc_loops MC_VARIANT(mc_loops) = {
    .unary = {[MC_LOOP_F32] = UNARY_ROW(f32),
              [MC_LOOP_F64] = UNARY_ROW(f64),
              [MC_LOOP_I32] = UNARY_INTEGER_ROW(i32),
              [MC_LOOP_I64] = UNARY_INTEGER_ROW(i64),
              [MC_LOOP_U64] = UNARY_INTEGER_ROW(u64)},
    .unary_grad = {[MC_LOOP_F32] = UNARY_ROW(grad_f32), [MC_LOOP_F64] = UNARY_ROW(grad_f64)},
    .binary = {[MC_LOOP_F32] = {BINARY_ROW(f32)},
               [MC_LOOP_F64] = {BINARY_ROW(f64)},
               [MC_LOOP_I32] = {BINARY_INTEGER_ROW(i32)},
               [MC_LOOP_I64] = {BINARY_INTEGER_ROW(i64)},
               [MC_LOOP_U64] = {BINARY_INTEGER_ROW(u64)}},
    .term = {[MC_LOOP_F32] = TERM_ROW(f32), [MC_LOOP_F64] = TERM_ROW(f64)},
    .rows = {[MC_LOOP_F32] = ROW_LOOPS(f32), [MC_LOOP_F64] = ROW_LOOPS(f64)},
};
