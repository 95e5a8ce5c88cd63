/* test_loops.c - the loops of every instruction set against the portable ones, and those against plain arithmetic. */
#include "kernel/loops.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "kernel/kernels.h"
#include "test.h"

#define N_MAX 1031
#define COUNT(array) (int)(sizeof(array) / sizeof((array)[0]))

/* Odd sizes: below, at and above every vector width, and some blocks. */
static const int64_t sizes[] = {1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 257, N_MAX};

static const double parameters[2] = {0.3, 0.6}; /* clip: 0.3 … 0.6 */

/* Inputs with all that is special among them. */
struct data {
    float f32[4][N_MAX];
    double f64[4][N_MAX];
    int32_t i32[4][N_MAX];
    int64_t i64[4][N_MAX];
};

static void data_init(struct data *d, uint64_t seed)
{
    static const double special[] = {0,         -0.0,    1,    -1,  INFINITY, -INFINITY, NAN,  0x1p-149,
                                     -0x1p-130, 0.3,     0.6,  -3,  3,        88.5,      -104, 1e30,
                                     -1e30,     FLT_MAX, -0.5, 2.5, -0x1p9,   0x1p-9,    20,   -20};
    struct mc_rng rng;
    mc_rng_init(&rng, seed, 0);
    for (int k = 0; k < 4; k++) {
        for (int i = 0; i < N_MAX; i++) {
            const double x = i % 3 ? mc_rng_normal(&rng) * 3 : special[mc_rng_below(&rng, COUNT(special))];
            d->f64[k][i] = x;
            d->f32[k][i] = (float)x;
            d->i64[k][i] = i % 5 ? (int64_t)mc_rng_below(&rng, 41) - 20 : (int64_t)mc_rng_u64(&rng);
            if (d->i64[k][i] == 0 && i % 3) d->i64[k][i] = i % 2 ? INT64_MIN : -1;
            d->i32[k][i] = (int32_t)d->i64[k][i];
            if (d->i32[k][i] == 0 && i % 3) d->i32[k][i] = i % 2 ? INT32_MIN : -1;
        }
    }
}

static const void *input(const struct data *d, enum mc_loop_type type, int k)
{
    switch (type) {
    case MC_LOOP_F32:
        return d->f32[k];
    case MC_LOOP_F64:
        return d->f64[k];
    case MC_LOOP_I32:
        return d->i32[k];
    default:
        return d->i64[k];
    }
}

static size_t size_of(enum mc_loop_type type)
{
    return type == MC_LOOP_F32 || type == MC_LOOP_I32 ? 4 : 8;
}

/* Same bits, but for what a NaN carries. */
static void assert_same(const void *a, const void *b, int64_t n, enum mc_loop_type type, const char *what)
{
    for (int64_t i = 0; i < n; i++) {
        bool same = memcmp((const char *)a + (size_t)i * size_of(type), (const char *)b + (size_t)i * size_of(type),
                           size_of(type)) == 0;
        if (type == MC_LOOP_F32) same |= isnan(((const float *)a)[i]) && isnan(((const float *)b)[i]);
        if (type == MC_LOOP_F64) same |= isnan(((const double *)a)[i]) && isnan(((const double *)b)[i]);
        if (!same) fail_msg("%s: element %d of %d differs", what, (int)i, (int)n);
    }
}

/* Calls body for every instruction set beyond the portable that this machine has. */
static void each_variant(void (*body)(const struct mc_loops *ours, const struct mc_loops *reference))
{
    const struct mc_loops *reference = mc_kernels_for(MC_CPU_PORTABLE)->loops;
    for (enum mc_cpu cpu = MC_CPU_AVX2; cpu <= mc_cpu_detect(); cpu++)
        if (mc_kernels_for(cpu)->cpu == cpu) body(mc_kernels_for(cpu)->loops, reference);
}

static struct data data;
static double ours_buffer[N_MAX], reference_buffer[N_MAX];

static void compare_unary(const struct mc_loops *ours, const struct mc_loops *reference)
{
    for (enum mc_loop_type t = 0; t < MC_LOOP_TYPES; t++) {
        for (int f = 0; f < MC_UNARY_COUNT; f++) {
            assert_true((ours->unary[t][f] == NULL) == (reference->unary[t][f] == NULL));
            for (int s = 0; s < COUNT(sizes) && ours->unary[t][f]; s++) {
                ours->unary[t][f](sizes[s], input(&data, t, 0), ours_buffer, parameters);
                reference->unary[t][f](sizes[s], input(&data, t, 0), reference_buffer, parameters);
                assert_same(ours_buffer, reference_buffer, sizes[s], t, "unary");
                if (t >= MC_LOOP_FLOATS) continue;
                ours->unary_grad[t][f](sizes[s], input(&data, t, 0), input(&data, t, 1), ours_buffer, parameters);
                reference->unary_grad[t][f](sizes[s], input(&data, t, 0), input(&data, t, 1), reference_buffer,
                                            parameters);
                assert_same(ours_buffer, reference_buffer, sizes[s], t, "unary gradient");
            }
        }
    }
}

static void test_unary_loops_give_the_same_bits_on_every_instruction_set(void **state)
{
    each_variant(compare_unary);
}

static void compare_binary(const struct mc_loops *ours, const struct mc_loops *reference)
{
    for (enum mc_loop_type t = 0; t < MC_LOOP_TYPES; t++) {
        for (int f = 0; f < MC_BINARY_COUNT; f++) {
            for (int form = 0; form < MC_FORM_COUNT; form++) {
                assert_true((ours->binary[t][f][form] == NULL) == (reference->binary[t][f][form] == NULL));
                for (int s = 0; s < COUNT(sizes) && ours->binary[t][f][form]; s++) {
                    memset(ours_buffer, 0, sizeof(ours_buffer));
                    memset(reference_buffer, 0, sizeof(reference_buffer));
                    ours->binary[t][f][form](sizes[s], input(&data, t, 0), input(&data, t, 1), ours_buffer);
                    reference->binary[t][f][form](sizes[s], input(&data, t, 0), input(&data, t, 1), reference_buffer);
                    assert_same(ours_buffer, reference_buffer, sizes[s], t, "binary");
                }
            }
        }
    }
}

static void test_binary_loops_give_the_same_bits_on_every_instruction_set(void **state)
{
    each_variant(compare_binary);
}

static void compare_terms(const struct mc_loops *ours, const struct mc_loops *reference)
{
    for (enum mc_loop_type t = 0; t < MC_LOOP_FLOATS; t++) {
        for (int f = MC_TERM_G + 1; f < MC_TERM_COUNT; f++) {
            for (int s = 0; s < COUNT(sizes); s++) {
                const void *a = input(&data, t, 0), *b = input(&data, t, 1), *g = input(&data, t, 2);
                ours->term[t][f](sizes[s], a, b, g, ours_buffer);
                reference->term[t][f](sizes[s], a, b, g, reference_buffer);
                assert_same(ours_buffer, reference_buffer, sizes[s], t, "term");
            }
        }
    }
}

static void test_gradient_terms_give_the_same_bits_on_every_instruction_set(void **state)
{
    each_variant(compare_terms);
}

/* Ordinary numbers: a row with a NaN is NaN throughout and would show little. */
static void fill_ordinary(struct data *d)
{
    struct mc_rng rng;
    mc_rng_init(&rng, 5, 0);
    for (int k = 0; k < 4; k++)
        for (int i = 0; i < N_MAX; i++) d->f32[k][i] = (float)(d->f64[k][i] = mc_rng_normal(&rng) * 3);
}

static void run_rows(const struct mc_row_loops *rows, enum mc_loop_type t, int64_t n, const struct data *d,
                     double (*out)[N_MAX], double *scalars)
{
    const void *x = input(d, t, 0), *y = input(d, t, 1), *scale = input(d, t, 2), *shift = input(d, t, 3);
    const struct mc_dropout dropout = {.key = {123, 456}, .threshold = UINT64_C(1) << 30, .scale = 4.0 / 3};
    const struct mc_moments through = {.mean = 0.25, .inverse = -0.5};
    struct mc_moments m;
    bool mask[N_MAX];
    memset(out, 0, 9 * sizeof(*out));
    rows->softmax(n, x, out[0]);
    rows->log_softmax(n, x, out[1]);
    rows->softmax_grad(n, out[0], y, out[2]);
    rows->log_softmax_grad(n, out[1], y, out[3]);
    rows->moments(n, x, 1e-5, &m);
    rows->normalize(n, x, &m, scale, shift, out[4]);
    rows->normalize_grad(n, x, &m, scale, y, &through, out[5]);
    rows->normalize_grad_scale(n, x, &m, y, out[6]);
    rows->add_to(n, x, out[6]);
    rows->store(n, out[6], 0.75, out[7]);
    rows->dropout(n, 77, x, out[8], mask, &dropout);
    scalars[0] = rows->sum(n, x);
    scalars[1] = m.mean;
    scalars[2] = m.inverse;
    scalars[3] = 0;
    for (int64_t i = 0; i < n; i++) scalars[3] += mask[i] ? 1 : 0;
}

static void compare_rows(const struct mc_loops *ours, const struct mc_loops *reference)
{
    static double a[9][N_MAX], b[9][N_MAX];
    double p[4], q[4];
    for (enum mc_loop_type t = 0; t < MC_LOOP_FLOATS; t++) {
        for (int s = 0; s < COUNT(sizes); s++) {
            run_rows(&ours->rows[t], t, sizes[s], &data, a, p);
            run_rows(&reference->rows[t], t, sizes[s], &data, b, q);
            for (int k = 0; k < 9; k++) assert_same(a[k], b[k], sizes[s], k == 6 ? MC_LOOP_F64 : t, "row");
            assert_memory_equal(p, q, sizeof(p));
        }
    }
}

static void test_row_loops_give_the_same_bits_on_every_instruction_set(void **state)
{
    fill_ordinary(&data);
    each_variant(compare_rows);
    data_init(&data, 1);
}

/* --- the portable ones against plain arithmetic --- */

static double gelu_tanh(double x)
{
    return x / 2 * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}

static double expected_unary(enum mc_unary f, double x, double a, double b)
{
    switch (f) {
    case MC_UNARY_RELU:
        return x > 0 ? x : 0;
    case MC_UNARY_LEAKY_RELU:
        return x < 0 ? a * x : x;
    case MC_UNARY_CLIP:
        return fmin(fmax(x, a), b);
    case MC_UNARY_SIGMOID:
        return 1 / (1 + exp(-x));
    case MC_UNARY_TANH:
        return tanh(x);
    case MC_UNARY_HARD_SIGMOID:
        return fmin(fmax(a * x + b, 0), 1);
    case MC_UNARY_HARD_SWISH:
        return x * fmin(fmax(x / 6 + 0.5, 0), 1);
    case MC_UNARY_ELU:
        return x < 0 ? a * expm1(x) : x;
    case MC_UNARY_GELU:
        return x * erfc(-x / sqrt(2)) / 2;
    case MC_UNARY_GELU_TANH:
        return gelu_tanh(x);
    case MC_UNARY_ERF:
        return erf(x);
    case MC_UNARY_EXP:
        return exp(x);
    case MC_UNARY_LOG:
        return log(x);
    case MC_UNARY_SQRT:
        return sqrt(x);
    case MC_UNARY_NEG:
        return -x;
    case MC_UNARY_ABS:
        return fabs(x);
    case MC_UNARY_SQUARE:
        return x * x;
    case MC_UNARY_CUBE:
        return x * x * x;
    case MC_UNARY_ACOS:
        return acos(x);
    case MC_UNARY_ACOSH:
        return acosh(x);
    case MC_UNARY_ASIN:
        return asin(x);
    case MC_UNARY_ASINH:
        return asinh(x);
    case MC_UNARY_ATAN:
        return atan(x);
    case MC_UNARY_ATANH:
        return atanh(x);
    case MC_UNARY_COS:
        return cos(x);
    case MC_UNARY_COSH:
        return cosh(x);
    case MC_UNARY_SIN:
        return sin(x);
    case MC_UNARY_SINH:
        return sinh(x);
    case MC_UNARY_TAN:
        return tan(x);
    case MC_UNARY_CEIL:
        return ceil(x);
    case MC_UNARY_FLOOR:
        return floor(x);
    case MC_UNARY_ROUND:
        return nearbyint(x);
    case MC_UNARY_SIGN:
        return (x > 0) - (x < 0);
    case MC_UNARY_RECIPROCAL:
        return 1 / x;
    case MC_UNARY_CELU:
        return x < 0 ? a * expm1(x / a) : x;
    case MC_UNARY_SELU:
        return b * (x < 0 ? a * expm1(x) : x);
    case MC_UNARY_MISH:
        return x * tanh(log1p(exp(x)));
    case MC_UNARY_SOFTPLUS:
        return log1p(exp(x));
    case MC_UNARY_SOFTSIGN:
        return x / (1 + fabs(x));
    case MC_UNARY_SWISH:
        return x / (1 + exp(-a * x));
    case MC_UNARY_THRESHOLD:
        return x > a ? x : 0;
    case MC_UNARY_SHRINK:
        return x < -a ? x + b : x > a ? x - b : 0;
    case MC_UNARY_COUNT:
        break;
    }
    abort();
}

static void test_unary_loops_compute_their_formulas(void **state)
{
    const struct mc_loops *loops = mc_kernels_for(MC_CPU_PORTABLE)->loops;
    for (int f = 0; f < MC_UNARY_COUNT; f++) {
        for (int i = 0; i < 2001; i++) {
            const double x = (i - 1000) / 97.0 + 0.001;
            const float x32 = (float)x;
            float y32;
            double y64;
            loops->unary[MC_LOOP_F32][f](1, &x32, &y32, parameters);
            loops->unary[MC_LOOP_F64][f](1, &x, &y64, parameters);
            const double want = expected_unary(f, x, parameters[0], parameters[1]);
            const double want32 = expected_unary(f, x32, parameters[0], parameters[1]);
            if (isnan(want)) {
                assert_true(isnan(y32) && isnan(y64));
                continue;
            }
            assert_true(fabs(y64 - want) <= 1e-14 * (1 + fabs(want)));
            assert_true(fabs(y32 - want32) <= 1e-6 * (1 + fabs(want32)));
        }
    }
}

static double slope_by_difference(enum mc_unary f, double x)
{
    const double h = 1e-6 * fabs(x), *p = parameters;
    return (expected_unary(f, x + h, p[0], p[1]) - expected_unary(f, x - h, p[0], p[1])) / (2 * h);
}

static bool slope_is_told_from_output(enum mc_unary f)
{
    return f == MC_UNARY_RELU || f == MC_UNARY_SIGMOID || f == MC_UNARY_TANH || f == MC_UNARY_HARD_SIGMOID ||
           f == MC_UNARY_EXP || f == MC_UNARY_SQRT;
}

static void test_unary_gradients_match_finite_differences(void **state)
{
    const struct mc_loops *loops = mc_kernels_for(MC_CPU_PORTABLE)->loops;
    for (int f = 0; f < MC_UNARY_COUNT; f++) {
        for (int i = 0; i < 401; i++) {
            const double x = (i - 200) / 37.0 + 0.0013, g = 1.75, want = 1.75 * slope_by_difference(f, x);
            const double y = expected_unary(f, x, parameters[0], parameters[1]);
            const double kept = slope_is_told_from_output(f) ? y : x;
            if (isnan(want)) continue;
            const float kept32 = (float)kept, g32 = 1.75f;
            double dx;
            float dx32;
            loops->unary_grad[MC_LOOP_F64][f](1, &kept, &g, &dx, parameters);
            loops->unary_grad[MC_LOOP_F32][f](1, &kept32, &g32, &dx32, parameters);
            if (fabs(dx - want) > 1e-6 * (1 + fabs(want))) fail_msg("loop %d at %g: %g, not %g", f, x, dx, want);
            const double want32 = 1.75 * slope_by_difference(f, (double)(float)x);
            if (fabs(dx32 - want32) > 1e-5 * (1 + fabs(want32)))
                fail_msg("loop %d at %g: %g, not %g", f, x, dx32, want32);
        }
    }
}

static void test_gradients_at_kinks_are_those_of_pytorch(void **state)
{
    /* torch 2.15: relu(0), leaky_relu(0, 0.3), clamp(., 0.3, 0.6) at both bounds, hardsigmoid(-3), hardswish(-3 and 3),
     * elu(0), abs(0) */
    static const struct {
        enum mc_unary f;
        float kept, want;
    } cases[] = {
        {MC_UNARY_RELU, 0, 0},       {MC_UNARY_LEAKY_RELU, 0, 0.3f}, {MC_UNARY_CLIP, 0.3f, 1},
        {MC_UNARY_CLIP, 0.6f, 1},    {MC_UNARY_HARD_SIGMOID, 0, 0},  {MC_UNARY_HARD_SWISH, -3, 0},
        {MC_UNARY_HARD_SWISH, 3, 1}, {MC_UNARY_ELU, 0, 0.3f},        {MC_UNARY_ABS, 0, 0},
        {MC_UNARY_RELU, -0.0f, 0},
    };
    const struct mc_loops *loops = mc_kernels_for(MC_CPU_PORTABLE)->loops;
    for (int i = 0; i < COUNT(cases); i++) {
        const double p[2] = {(double)0.3f, (double)0.6f};
        const float g = 1;
        float dx;
        loops->unary_grad[MC_LOOP_F32][cases[i].f](1, &cases[i].kept, &g, &dx, p);
        if (dx != cases[i].want) fail_msg("case %d: %g, not %g", i, (double)dx, (double)cases[i].want);
    }
}

static void test_nan_goes_through_every_loop(void **state)
{
    const struct mc_loops *loops = mc_kernels_for(mc_cpu_detect())->loops;
    float x[33], y[33], one = 1;
    for (int i = 0; i < 33; i++) x[i] = NAN;
    for (int f = 0; f < MC_UNARY_COUNT; f++) {
        loops->unary[MC_LOOP_F32][f](33, x, y, parameters);
        const bool compares = f == MC_UNARY_SHRINK || f == MC_UNARY_THRESHOLD; /* NaN is not above the bound */
        for (int i = 0; i < 33; i++)
            if (isnan(y[i]) == compares) fail_msg("unary loop %d and NaN", f);
    }
    for (int f = MC_BINARY_ADD; f < MC_BINARY_POW; f++) {
        loops->binary[MC_LOOP_F32][f][MC_RUN_ONE](33, x, &one, y);
        for (int i = 0; i < 33; i++) assert_true(isnan(y[i]));
        loops->binary[MC_LOOP_F32][f][MC_ONE_RUN](33, &one, x, y);
        for (int i = 0; i < 33; i++) assert_true(isnan(y[i]));
    }
    loops->rows[MC_LOOP_F32].softmax(33, (memset(x, 0, sizeof(x)), x[20] = NAN, x), y);
    for (int i = 0; i < 33; i++) assert_true(isnan(y[i]));
}

static void test_loops_may_work_in_place(void **state)
{
    const struct mc_loops *loops = mc_kernels_for(mc_cpu_detect())->loops;
    float apart[N_MAX], in_place[N_MAX];
    for (int f = 0; f < MC_UNARY_COUNT; f++) {
        memcpy(in_place, data.f32[0], sizeof(in_place));
        loops->unary[MC_LOOP_F32][f](N_MAX, data.f32[0], apart, parameters);
        loops->unary[MC_LOOP_F32][f](N_MAX, in_place, in_place, parameters);
        assert_same(apart, in_place, N_MAX, MC_LOOP_F32, "in place");
    }
    for (int f = 0; f < MC_BINARY_COUNT_EQUAL; f++) {
        memcpy(in_place, data.f32[0], sizeof(in_place));
        loops->binary[MC_LOOP_F32][f][MC_RUN_RUN](N_MAX, data.f32[0], data.f32[1], apart);
        loops->binary[MC_LOOP_F32][f][MC_RUN_RUN](N_MAX, in_place, data.f32[1], in_place);
        assert_same(apart, in_place, N_MAX, MC_LOOP_F32, "in place");
    }
}

static void test_integers_wrap_and_divide_towards_zero(void **state)
{
    const struct mc_loops *loops = mc_kernels_for(MC_CPU_PORTABLE)->loops;
    static const struct {
        enum mc_binary f;
        int64_t a, b, want;
    } cases[] = {
        {MC_BINARY_ADD, INT64_MAX, 1, INT64_MIN},
        {MC_BINARY_SUB, INT64_MIN, 1, INT64_MAX},
        {MC_BINARY_MUL, INT64_MAX, 2, -2},
        {MC_BINARY_DIV, -7, 2, -3},
        {MC_BINARY_DIV, 7, -2, -3},
        {MC_BINARY_DIV, INT64_MIN, -1, INT64_MIN},
        {MC_BINARY_MIN, -3, 2, -3},
        {MC_BINARY_MAX, -3, 2, 2},
        {MC_BINARY_POW, 3, 13, 1594323},
        {MC_BINARY_POW, -2, 3, -8},
        {MC_BINARY_POW, 2, -1, 0},
        {MC_BINARY_POW, -1, -3, -1},
        {MC_BINARY_POW, 0, 0, 1},
        {MC_BINARY_POW, 3, 41, -420491770248316829},
    };
    for (int i = 0; i < COUNT(cases); i++) {
        const int64_t a = cases[i].a, b = cases[i].b;
        int64_t y;
        loops->binary[MC_LOOP_I64][cases[i].f][MC_RUN_RUN](1, &a, &b, &y);
        if (y != cases[i].want) fail_msg("case %d: %lld, not %lld", i, (long long)y, (long long)cases[i].want);
    }
    const int32_t least = INT32_MIN, minus_one = -1;
    int32_t y;
    loops->binary[MC_LOOP_I32][MC_BINARY_DIV][MC_RUN_ONE](1, &least, &minus_one, &y);
    assert_int_equal(y, INT32_MIN);
    loops->unary[MC_LOOP_I32][MC_UNARY_ABS](1, &least, &y, NULL);
    assert_int_equal(y, INT32_MIN);
}

static void test_sums_take_their_stated_order(void **state)
{
    const struct mc_row_loops *rows = &mc_kernels_for(mc_cpu_detect())->loops->rows[MC_LOOP_F32];
    double lane[16] = {0};
    for (int i = 0; i < N_MAX; i++) lane[i % 16] += (double)(data.f32[3][i] = 1.0f / (float)(i + 1));
    for (int width = 8; width; width /= 2)
        for (int j = 0; j < width; j++) lane[j] += lane[j + width];
    assert_true(rows->sum(N_MAX, data.f32[3]) == lane[0]);
    assert_true(rows->sum(0, data.f32[3]) == 0);
}

static void test_softmax_neither_overflows_nor_loses_small_probabilities(void **state)
{
    const struct mc_row_loops *rows = &mc_kernels_for(mc_cpu_detect())->loops->rows[MC_LOOP_F32];
    const float x[4] = {1000, 999, -1000, -INFINITY};
    float y[4];
    rows->softmax(4, x, y);
    assert_true(fabsf(y[0] - 0.7310586f) < 1e-6f && fabsf(y[1] - 0.2689414f) < 1e-6f && y[2] == 0 && y[3] == 0);
    rows->log_softmax(4, x, y);
    assert_true(fabsf(y[0] + 0.3132617f) < 1e-6f && fabsf(y[2] + 2000.3132617f) < 1e-3f && y[3] == -INFINITY);
}

static void test_dropout_keeps_its_share_and_draws_alike_in_pieces(void **state)
{
    enum { N = 100000 };
    static float x[N], y[N], z[N];
    static bool mask[N];
    const struct mc_row_loops *rows = &mc_kernels_for(mc_cpu_detect())->loops->rows[MC_LOOP_F32];
    const struct mc_dropout d = {.key = {1, 2}, .threshold = (uint64_t)(0.3 * 0x1p32), .scale = 1 / 0.7};
    int kept = 0;
    for (int i = 0; i < N; i++) x[i] = 1;
    rows->dropout(N, 0, x, y, mask, &d);
    for (int64_t i = 0; i < N; i += 777) rows->dropout(i + 777 < N ? 777 : N - i, i, x + i, z + i, NULL, &d);
    for (int i = 0; i < N; i++) {
        assert_true(y[i] == (mask[i] ? (float)(1 / 0.7) : 0) && y[i] == z[i]);
        kept += mask[i];
    }
    assert_in_range(kept, 70000 - 600, 70000 + 600); /* four standard deviations */
    const struct mc_dropout all = {.key = {1, 2}, .threshold = UINT64_C(1) << 32};
    rows->dropout(N, 0, x, y, NULL, &all);
    for (int i = 0; i < N; i++) assert_true(y[i] == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unary_loops_give_the_same_bits_on_every_instruction_set),
        cmocka_unit_test(test_binary_loops_give_the_same_bits_on_every_instruction_set),
        cmocka_unit_test(test_gradient_terms_give_the_same_bits_on_every_instruction_set),
        cmocka_unit_test(test_row_loops_give_the_same_bits_on_every_instruction_set),
        cmocka_unit_test(test_unary_loops_compute_their_formulas),
        cmocka_unit_test(test_unary_gradients_match_finite_differences),
        cmocka_unit_test(test_gradients_at_kinks_are_those_of_pytorch),
        cmocka_unit_test(test_nan_goes_through_every_loop),
        cmocka_unit_test(test_loops_may_work_in_place),
        cmocka_unit_test(test_integers_wrap_and_divide_towards_zero),
        cmocka_unit_test(test_sums_take_their_stated_order),
        cmocka_unit_test(test_softmax_neither_overflows_nor_loses_small_probabilities),
        cmocka_unit_test(test_dropout_keeps_its_share_and_draws_alike_in_pieces),
    };
    data_init(&data, 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
