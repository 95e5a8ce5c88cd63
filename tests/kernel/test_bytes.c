/* test_bytes.c - products and convolutions of 8-bit integers against the defining sums, on every instruction set that
 * this machine has: exactly, extremes included. */
#include "test.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "kernel/bytes.h"
#include "kernel/kernels.h"

/* Bytes with many 0, 127, 128 and 255 among them, where 16 bits would saturate. */
static uint8_t *draw(int64_t n, uint64_t stream)
{
    static const uint8_t extremes[] = {0, 127, 128, 255};
    struct mc_rng rng;
    uint8_t *bytes = MC_NEW_ARRAY(uint8_t, n + 1);
    assert_non_null(bytes);
    mc_rng_init(&rng, 7, stream);
    for (int64_t i = 0; i < n; i++) {
        const int v = (int)mc_rng_range(&rng, 0, 512);
        bytes[i] = v < 256 ? (uint8_t)v : extremes[v % 4];
    }
    return bytes;
}

static int64_t number(const uint8_t *bytes, int64_t i, bool is_signed)
{
    return is_signed ? (int64_t)(int8_t)bytes[i] : (int64_t)bytes[i];
}

/* Runs `body` on every variant that there is, by one thread and by three. */
static void on_each_variant(void (*body)(const struct mc_runtime *runtime))
{
    const struct mc_byte_loops *loops;
    for (int i = 0; (loops = mc_byte_loops_variant(i)); i++)
        for (int threads = 1; threads <= 3; threads += 2) {
            struct mc_runtime runtime;
            mc_runtime_init(&runtime, threads, MC_CPU_PORTABLE);
            struct mc_kernels kernels = *runtime.kernels;
            kernels.bytes = loops;
            runtime.kernels = &kernels;
            const int before = mc_runtime_enter(&runtime);
            body(&runtime);
            mc_runtime_leave(before);
        }
}

/* --- matrices --- */

struct product_case {
    int64_t rows, K, N;
    bool a_signed, b_signed, each_row, each_column, zeros;
};

static void check_product(const struct mc_runtime *runtime, const struct product_case *t)
{
    struct mc_error err = {0};
    const struct mc_byte_product p = {t->K, t->N, t->a_signed, t->b_signed};
    struct mc_byte_matrix matrix;
    uint8_t *a = draw(t->rows * t->K, 1), *b = draw(t->K * t->N, 2), *za = draw(t->rows, 3), *zb = draw(t->N, 4);
    const struct mc_byte_zeros zeros = {t->zeros ? za : NULL, t->zeros ? zb : NULL, t->each_row, t->each_column};
    int32_t *c = MC_NEW_ARRAY(int32_t, t->rows * t->N + 1);
    void *room = mc_alloc_aligned(mc_byte_multiply_room(&p, t->rows, runtime) + 1, 1);
    assert_ok(mc_byte_matrix_init(&matrix, &p, runtime, &err), err);
    mc_byte_matrix_pack(&matrix, b, runtime);
    mc_byte_multiply(&matrix, t->rows, a, &zeros, c, room, runtime);
    for (int64_t m = 0; m < t->rows; m++)
        for (int64_t n = 0; n < t->N; n++) {
            const int64_t oa = t->zeros ? number(za, t->each_row ? m : 0, t->a_signed) : 0;
            const int64_t ob = t->zeros ? number(zb, t->each_column ? n : 0, t->b_signed) : 0;
            int64_t sum = 0;
            for (int64_t k = 0; k < t->K; k++)
                sum += (number(a, m * t->K + k, t->a_signed) - oa) * (number(b, k * t->N + n, t->b_signed) - ob);
            if (c[m * t->N + n] != sum)
                fail_msg("%s: [%d,%d] x [%d,%d]: %d, not %lld", runtime->kernels->bytes->name, (int)t->rows, (int)t->K,
                         (int)t->K, (int)t->N, c[m * t->N + n], (long long)sum);
        }
    mc_byte_matrix_finish(&matrix);
    mc_free(room);
    mc_free(c);
    mc_free(zb);
    mc_free(za);
    mc_free(b);
    mc_free(a);
}

static void all_products(const struct mc_runtime *runtime)
{
    static const int64_t sizes[][3] = {{1, 1, 1},    {1, 5, 3},    {7, 4, 16}, {6, 64, 64},  {13, 9, 70},
                                       {49, 33, 17}, {100, 8, 50}, {2, 0, 3},  {1, 257, 200}};
    for (size_t i = 0; i < MC_COUNT(sizes); i++)
        for (int kind = 0; kind < 32; kind++)
            check_product(runtime, &(struct product_case){sizes[i][0], sizes[i][1], sizes[i][2], kind & 1, kind & 2,
                                                          kind & 4, kind & 8, kind & 16});
}

static void test_products_are_exact(void **state)
{
    on_each_variant(all_products);
}

/* --- convolutions --- */

struct conv_case {
    int64_t N, C, M, groups;
    struct mc_window w; /* `out` is filled in */
};

static const struct conv_case convs[] = {
    {2, 3, 5, 1, {2, {7, 6}, {0}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}}},
    {1, 4, 17, 1, {2, {9, 7}, {0}, {3, 2}, {2, 3}, {1, 2}, {0, 1}, {2, 0}}},
    {2, 20, 36, 1, {2, {5, 6}, {0}, {1, 1}, {1, 1}, {1, 1}, {0, 0}, {0, 0}}},
    {1, 8, 6, 1, {2, {5, 6}, {0}, {1, 1}, {2, 2}, {1, 1}, {0, 0}, {0, 0}}},
    {2, 6, 9, 3, {2, {5, 5}, {0}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}}},
    {2, 37, 37, 37, {2, {6, 7}, {0}, {3, 3}, {2, 1}, {1, 1}, {1, 1}, {1, 1}}},
    {1, 117, 117, 117, {2, {4, 9}, {0}, {3, 3}, {1, 2}, {1, 1}, {1, 1}, {1, 1}}},
    {1, 48, 48, 48, {1, {9}, {0}, {5}, {1}, {1}, {2}, {1}}},
    {1, 3, 6, 3, {2, {6, 7}, {0}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}}},
    {2, 4, 4, 2, {1, {17}, {0}, {3}, {1}, {4}, {0}, {3}}},
    {1, 3, 4, 1, {3, {4, 5, 6}, {0}, {2, 3, 3}, {1, 2, 1}, {1, 1, 2}, {1, 1, 0}, {0, 1, 2}}},
    {0, 3, 4, 1, {2, {5, 5}, {0}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}}},
};

/* Where an element [n, c, position] lies. */
static int64_t place(bool last, int64_t C, int64_t P, int64_t n, int64_t c, int64_t p)
{
    return last ? (n * P + p) * C + c : (n * C + c) * P + p;
}

static int64_t defining_sum(const struct mc_byte_convolution *conv, const uint8_t *x, const uint8_t *w, int64_t x_zero,
                            int64_t w_zero, int64_t n, int64_t m, int64_t output)
{
    const struct mc_window v = mc_window_as_3d(&conv->window);
    const int64_t c = conv->C / conv->groups, g = m / (conv->M / conv->groups), taps = mc_window_taps(&v);
    int64_t sum = 0;
    for (int64_t i = 0; i < c * taps; i++) {
        int64_t tap = i % taps, o = output, at = 0, step = 1;
        bool inside = true;
        for (int k = 2; k >= 0; k--) {
            const int64_t in = mc_window_at(&v, k, o % v.out[k], tap % v.kernel[k]);
            inside &= in >= 0 && in < v.in[k];
            at += in * step;
            step *= v.in[k];
            tap /= v.kernel[k];
            o /= v.out[k];
        }
        const int64_t from = inside ? place(conv->x_last, conv->C, step, n, g * c + i / taps, at) : 0;
        if (inside)
            sum += (number(x, from, conv->x_signed) - x_zero) * (number(w, m * c * taps + i, conv->w_signed) - w_zero);
    }
    return sum;
}

static uint8_t requantized(int64_t sum, int32_t bias, float factor, const struct mc_requantization *how)
{
    const double v = rint((double)((float)(sum + bias) * factor)) + how->zero;
    return (uint8_t)(int)(v < how->low ? how->low : v > how->high ? how->high : v);
}

static void check_conv(const struct mc_runtime *runtime, const struct conv_case *t, int kind)
{
    struct mc_error err = {0};
    struct mc_byte_convolution conv = {.N = t->N,
                                       .C = t->C,
                                       .M = t->M,
                                       .groups = t->groups,
                                       .window = t->w,
                                       .x_signed = kind & 1,
                                       .w_signed = kind & 2,
                                       .x_last = kind & 4,
                                       .y_last = kind & 8,
                                       .w_zero_each = kind & 16};
    struct mc_window *v = &conv.window;
    for (int k = 0; k < v->rank; k++)
        v->out[k] = (v->in[k] + v->begin[k] + v->end[k] - mc_window_reach(v, k)) / v->stride[k] + 1;
    const int64_t P = mc_window_outputs(v), count = t->N * t->M * P;
    uint8_t *x = draw(t->N * t->C * mc_window_inputs(v), 1), *w = draw(t->M * t->C / t->groups * mc_window_taps(v), 2);
    uint8_t *w_zero = draw(t->M, 3), *y = MC_NEW_ARRAY(uint8_t, count + 1);
    if (kind & 64) memset(w_zero, conv.w_signed ? 0 : 128, (size_t)t->M); /* none, that is */
    const uint8_t x_zero = 130;
    int32_t *sums = MC_NEW_ARRAY(int32_t, count + 1), *bias = MC_NEW_ARRAY(int32_t, t->M);
    float *factor = MC_NEW_ARRAY(float, t->M);
    for (int64_t m = 0; m < t->M; m++) bias[m] = (int32_t)(m * 531 - 2000), factor[m] = 0.0011f * (float)(m % 7 + 1);
    const struct mc_requantization how = {.low = kind & 1 ? -128 : 0, .high = kind & 1 ? 127 : 255, .zero = 5};
    if (kind & 32) conv.weights = w, conv.w_zero = w_zero;
    struct mc_byte_convolver *convolver;
    assert_ok(mc_byte_convolver_create(&convolver, &conv, runtime, &err), err);
    void *room = mc_alloc_aligned(mc_byte_convolver_room(convolver), 1);
    mc_byte_convolve(convolver, x, &x_zero, w, w_zero, &(struct mc_byte_output){.sums = sums}, room);
    mc_byte_convolve(convolver, x, &x_zero, w, w_zero,
                     &(struct mc_byte_output){.y = y, .bias = bias, .factor = factor, .how = how}, room);
    for (int64_t i = 0; i < count; i++) {
        const int64_t n = i / (t->M * P), m = i / P % t->M, at = place(conv.y_last, t->M, P, n, m, i % P);
        const int64_t sum = defining_sum(&conv, x, w, number(&x_zero, 0, conv.x_signed),
                                         number(w_zero, conv.w_zero_each ? m : 0, conv.w_signed), n, m, i % P);
        if (sums[at] != sum || y[at] != requantized(sum, bias[m], factor[m], &how))
            fail_msg("%s: convolution %d, kind %d: %d and %d, not %lld", runtime->kernels->bytes->name,
                     (int)(t - convs), kind, sums[at], y[at], (long long)sum);
    }
    mc_byte_convolver_destroy(convolver);
    mc_free(room);
    mc_free(factor);
    mc_free(bias);
    mc_free(sums);
    mc_free(y);
    mc_free(w_zero);
    mc_free(w);
    mc_free(x);
}

static void all_convs(const struct mc_runtime *runtime)
{
    for (size_t i = 0; i < MC_COUNT(convs); i++)
        for (int kind = 0; kind < 128; kind++) check_conv(runtime, &convs[i], kind);
}

static void test_convolutions_are_exact(void **state)
{
    on_each_variant(all_convs);
}

/* --- element by element --- */

static uint8_t nearest(double v, const struct mc_requantization *how)
{
    v = rint(v) + how->zero;
    return (uint8_t)(int)(v < how->low ? how->low : v > how->high ? how->high : v);
}

/* Sums and products of pairs, whose exact values are of few bits, so that nothing but ties could differ. */
static void check_pairs(const struct mc_byte_loops *loops, int64_t n, int kind)
{
    const bool is_signed = kind & 1;
    const int64_t a_step = kind & 2 ? 0 : 1, b_step = kind & 4 ? 0 : 1;
    const struct mc_byte_pair pair = {.a_signed = is_signed,
                                      .b_signed = !is_signed,
                                      .a_zero = 3,
                                      .b_zero = -7,
                                      .a_factor = 0.3125f,
                                      .b_factor = 0.6875f,
                                      .how = {.low = is_signed ? -128 : 0, .high = is_signed ? 127 : 255, .zero = 9}};
    uint8_t *a = draw(n, 1), *b = draw(n, 2), *sum = draw(n, 3), *product = draw(n, 4);
    loops->add(n, a, a_step, b, b_step, &pair, sum);
    loops->mul(n, a, a_step, b, b_step, &pair, product);
    for (int64_t i = 0; i < n; i++) {
        const double l = (double)(number(a, i * a_step, is_signed) - 3),
                     r = (double)(number(b, i * b_step, !is_signed) + 7);
        assert_int_equal(sum[i], nearest(l * 0.3125 + r * 0.6875, &pair.how));
        assert_int_equal(product[i], nearest(l * r * 0.3125, &pair.how));
    }
    mc_free(product);
    mc_free(sum);
    mc_free(b);
    mc_free(a);
}

static void check_numbers(const struct mc_byte_loops *loops, int64_t n)
{
    uint8_t *bytes = draw(n, 1), *table = draw(256, 2), *y = draw(n, 3);
    float *x = MC_NEW_ARRAY(float, n + 1), low, high, least = 0, most = 0;
    int32_t *sums = MC_NEW_ARRAY(int32_t, n + 1);
    for (int64_t i = 0; i < n; i++) {
        x[i] = (float)(int8_t)bytes[i] * 0.75f;
        least = fminf(least, x[i]);
        most = fmaxf(most, x[i]);
        sums[i] = (int32_t)i;
    }
    if (n > 3) x[2] = NAN;
    if (n > 3) least = fminf(least, x[3] = -1000);
    loops->range(n, x, &low, &high);
    assert_true(low == least && (n > 3 || high == most) && high <= most);
    loops->lookup(n, bytes, table, y);
    loops->accumulate(n, bytes, 0x80, sums);
    for (int64_t i = 0; i < n; i++) {
        assert_int_equal(y[i], table[bytes[i]]);
        assert_int_equal(sums[i], i + (bytes[i] ^ 0x80));
    }
    mc_free(sums);
    mc_free(x);
    mc_free(y);
    mc_free(table);
    mc_free(bytes);
}

static void test_elements_are_as_defined(void **state)
{
    const struct mc_byte_loops *loops;
    for (int i = 0; (loops = mc_byte_loops_variant(i)); i++)
        for (int64_t n = 0; n < 150; n = n * 3 / 2 + 1) {
            check_numbers(loops, n);
            for (int kind = 0; kind < 8; kind++) check_pairs(loops, n, kind);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_products_are_exact),
        cmocka_unit_test(test_convolutions_are_exact),
        cmocka_unit_test(test_elements_are_as_defined),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
