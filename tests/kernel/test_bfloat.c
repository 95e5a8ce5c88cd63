/* test_bfloat.c - products of factors rounded to bfloat16 against the plain sum of the rounded numbers, by every
 * instruction set that is here, and through mc_gemm and the convolutions that train so. */
#include "kernel/bfloat.h"

#include <math.h>
#include <string.h>

#include "kernel/blas.h"
#include "kernel/convolution.h"
#include "kernel/kernels.h"
#include "kernel/packed.h"
#include "numbers.h"
#include "tensor/half.h"

static double rounded(float x)
{
    uint16_t half;
    mc_floats_to_bfloats(1, &x, &half);
    mc_bfloats_to_floats(1, &half, &x);
    return (double)x;
}

/* What c has to be, and how far off sums in float32 may be. */
static double exact(const struct mc_bfloat_product *p, int64_t i, int64_t j, const float *before, double *bound)
{
    double sum = 0, size = 0;
    for (int64_t k = 0; k < p->k; k++) {
        const double a = rounded(p->a.first[i * p->a.row + k * p->a.column]);
        const double b = rounded(p->b.first[k * p->b.row + j * p->b.column]);
        sum += a * b;
        size += fabs(a * b);
    }
    const double old = p->beta == 0 ? 0 : (double)p->beta * (double)before[i * p->c_row + j];
    *bound = 4e-7 * (fabs((double)p->alpha) * size + fabs(old)) + 1e-30;
    return (double)p->alpha * sum + old;
}

/* Of [m, k] by [k, n], each lying one way or the other, c in rows that are three floats longer. */
static void check(const struct mc_bfloat_loops *loops, int64_t m, int64_t n, int64_t k, int ways, float alpha,
                  float beta)
{
    const bool ta = ways & 1, tb = ways & 2;
    float *a = random_floats(m * k, 1), *b = random_floats(k * n, 2), *before = random_floats(m * (n + 3), 3);
    float *c = random_floats(m * (n + 3), 3);
    if (beta == 0)
        for (int64_t i = 0; i < m * n; i++) c[i / n * (n + 3) + i % n] = NAN;
    const struct mc_bfloat_product p = {
        .m = m,
        .n = n,
        .k = k,
        .a = {a, ta ? 1 : k, ta ? m : 1},
        .b = {b, tb ? 1 : n, tb ? k : 1},
        .alpha = alpha,
        .beta = beta,
        .c = c,
        .c_row = n + 3,
    };
    loops->run(&p, 0, m, 0, n);
    for (int64_t i = 0; i < m; i++) {
        for (int64_t j = 0; j < n; j++) {
            double bound;
            const double wanted = exact(&p, i, j, before, &bound);
            if (!(fabs((double)c[i * p.c_row + j] - wanted) <= bound))
                fail_msg("%dx%dx%d, ways %d: c[%d, %d] is %.9g, not %.9g", (int)m, (int)n, (int)k, ways, (int)i, (int)j,
                         (double)c[i * p.c_row + j], wanted);
        }
        assert_memory_equal(c + i * p.c_row + n, before + i * p.c_row + n, 3 * sizeof *c);
    }
    mc_free(c);
    mc_free(before);
    mc_free(b);
    mc_free(a);
}

static void test_products_of_every_size_lying_every_way(void **state)
{
    const struct mc_bfloat_loops *loops;
    for (int v = 0; (loops = mc_bfloat_loops_variant(v)); v++) {
        for (int ways = 0; ways < 4; ways++) {
            for (int64_t m = 1; m < 16; m++) check(loops, m, 17, 5, ways, 1, 0);
            for (int64_t n = 1; n < 70; n += 3) check(loops, 7, n, 9, ways, 1, 0);
            for (int64_t k = 1; k < 40; k++) check(loops, 6, 16, k, ways, 1, 0);
            check(loops, 101, 203, 519, ways, 1, 0); /* more than a block each way */
            check(loops, 50, 33, 300, ways, -0.5f, 0.25f);
            check(loops, 13, 65, 31, ways, 2, 1);
        }
    }
}

/* Ties go to even; infinities and NaN stay what they are. */
static void test_factors_are_rounded_to_nearest(void **state)
{
    enum { N = 6 };
    const float from[N] = {1 + 1.0f / 256, 1 + 3.0f / 256, 1 + 1.01f / 256, INFINITY, NAN, -3.4e38f};
    const float to[N] = {1, 1 + 4.0f / 256, 1 + 2.0f / 256, INFINITY, NAN, -INFINITY};
    const struct mc_bfloat_loops *loops;
    for (int v = 0; (loops = mc_bfloat_loops_variant(v)); v++) {
        for (int side = 0; side < 2; side++) {
            const float one = 1;
            float c[N];
            const struct mc_factor column = {from, 1, N}, row = {from, N, 1}, ones = {&one, 1, 1};
            const struct mc_bfloat_product p = {.m = side ? 1 : N,
                                                .n = side ? N : 1,
                                                .k = 1,
                                                .a = side ? ones : column,
                                                .b = side ? row : ones,
                                                .alpha = 1,
                                                .c = c,
                                                .c_row = side ? N : 1};
            loops->run(&p, 0, p.m, 0, p.n);
            for (int i = 0; i < N; i++)
                if (!(isnan(to[i]) ? isnan(c[i]) : c[i] == to[i]))
                    fail_msg("%g is rounded to %.9g, not %g", (double)from[i], (double)c[i], (double)to[i]);
        }
    }
}

static struct mc_runtime runtime_of(enum mc_cpu cpu, int threads)
{
    struct mc_runtime runtime;
    mc_runtime_init(&runtime, threads, cpu);
    runtime.bfloat16 = true;
    return runtime;
}

/* A packed b gives the same bits, whole and in parts. */
static void test_packed_factors_give_the_same_bits(void **state)
{
    enum { M = 23, N = 150, K = 301 };
    float *a = random_floats(M * K, 14), *b = random_floats(K * N, 15), plain[M * N], packed[M * N];
    const struct mc_bfloat_loops *loops;
    for (int v = 0; (loops = mc_bfloat_loops_variant(v)); v++) {
        for (int transposed = 0; transposed < 2; transposed++) {
            struct mc_bfloat_product p = {.m = M,
                                          .n = N,
                                          .k = K,
                                          .a = {a, K, 1},
                                          .b = {b, transposed ? 1 : N, transposed ? K : 1},
                                          .alpha = 1,
                                          .c = plain,
                                          .c_row = N};
            loops->run(&p, 0, M, 0, N);
            void *room = mc_alloc_aligned(loops->bytes(&p), 1);
            assert_non_null(room);
            loops->pack(&p, room);
            p.packed = room;
            p.c = packed;
            p.b.first = NULL;
            for (int64_t j = 0; j < N; j += loops->panel)
                loops->run(&p, 0, M, j, j + loops->panel < N ? j + loops->panel : N);
            assert_memory_equal(plain, packed, sizeof plain);
            mc_free(room);
        }
    }
    mc_free(b);
    mc_free(a);
}

/* A model of bfloat16 multiplies as what it is where the processor can, and as floats elsewhere: near each other. */
static void test_weights_of_bfloat16_are_multiplied_as_such(void **state)
{
    enum { ROWS = 40, N = 70, K = 90 };
    struct mc_error err = {0};
    float *x = random_floats(ROWS * K, 18), *w = random_floats(K * N, 16), *b = random_floats(N, 17);
    float y[ROWS * N], as_floats[ROWS * N];
    for (int64_t i = 0; i < K * N; i++) w[i] = (float)rounded(w[i]);
    for (int64_t i = 0; i < ROWS * K; i++) x[i] = (float)rounded(x[i]);
    const struct mc_runtime runtime = runtime_of(MC_CPU_AVX512, 2);
    for (int is = 0; is < 2; is++) {
        struct mc_packed *packed;
        const struct mc_unpacked unpacked = {
            .w = w, .K = K, .M = N, .row_step = N, .column_step = 1, .bfloat16 = is, .rows = ROWS};
        assert_ok(mc_packed_create(&packed, &unpacked, &runtime, &err), err);
        mc_packed_run(packed, ROWS, x, b, is ? y : as_floats, N);
        mc_packed_destroy(packed);
    }
    for (int i = 0; i < ROWS * N; i++) assert_true(fabsf(y[i] - as_floats[i]) < 1e-4f);
    mc_free(b);
    mc_free(w);
    mc_free(x);
}

static void gemm(const struct mc_gemm *g, int threads, const float *a, const float *b, float *c)
{
    const struct mc_runtime runtime = runtime_of(MC_CPU_AVX512, threads);
    const int before = mc_runtime_enter(&runtime);
    mc_gemm(g, a, b, c);
    mc_runtime_leave(before);
}

static void test_results_do_not_depend_on_threads(void **state)
{
    enum { M = 150, N = 200, K = 1100 };
    float *a = random_floats(M * K, 4), *b = random_floats(K * N, 5), *one = random_floats(M * N, 6),
          *many = random_floats(M * N, 7);
    for (int tall = 0; tall < 2; tall++) {
        const int64_t m = tall ? N : M, n = tall ? M : N;
        struct mc_gemm g = mc_gemm_dense(MC_FLOAT, false, true, m, n, K);
        g.bfloats = runtime_of(MC_CPU_AVX512, 1).kernels->bfloats;
        gemm(&g, 1, tall ? b : a, tall ? a : b, one);
        for (int threads = 2; threads < 8; threads += 3) {
            gemm(&g, threads, tall ? b : a, tall ? a : b, many);
            assert_memory_equal(one, many, M * N * sizeof *one);
        }
    }
    mc_free(many);
    mc_free(one);
    mc_free(b);
    mc_free(a);
}

/* Rounded where that pays, and only where it was asked for. */
static void test_mc_gemm_rounds_when_told(void **state)
{
    enum { N = 32 };
    float *a = random_floats(N * N, 8), *b = random_floats(N * N, 9), plain[N * N], told[N * N];
    for (int64_t k = 4; k <= N; k += N - 4) {
        struct mc_gemm g = mc_gemm_dense(MC_FLOAT, false, false, N, N, k);
        gemm(&g, 1, a, b, plain);
        g.bfloats = runtime_of(MC_CPU_AVX512, 1).kernels->bfloats;
        gemm(&g, 1, a, b, told);
        assert_int_equal(memcmp(plain, told, sizeof plain) != 0, k == N);
        for (int i = 0; i < N * N; i++) assert_true(fabsf(plain[i] - told[i]) < 0.05f);
    }
    mc_free(b);
    mc_free(a);
}

/* --- convolutions of one tap --- */

struct layer {
    struct mc_convolution conv;
    float *x, *w, *b, *dy;
    int64_t n_x, n_w, n_y;
};

/* y, dx, dw and db, one after the other. */
static float *train_step(const struct layer *l, const struct mc_runtime *runtime, const char *backend)
{
    struct mc_error err = {0};
    struct mc_convolver *c;
    assert_ok(mc_convolver_create(&c, &l->conv, runtime, &err), err);
    assert_int_equal(strcmp(mc_convolver_name(c), "bfloat16") == 0, strcmp(backend, "bfloat16") == 0);
    float *out = MC_NEW_ARRAY(float, l->n_y + l->n_x + l->n_w + l->conv.M);
    char *workspace = mc_alloc(mc_convolver_workspace_bytes(c) + 64, 1);
    assert_non_null(out);
    assert_non_null(workspace);
    void *const aligned = workspace + (64 - (uintptr_t)workspace % 64) % 64;
    float *const dx = out + l->n_y, *const dw = dx + l->n_x, *const db = dw + l->n_w;
    assert_ok(mc_convolver_forward(c, l->x, l->w, l->b, NULL, out, aligned, &err), err);
    assert_ok(mc_convolver_backward_data(c, l->dy, l->w, dx, aligned, &err), err);
    assert_ok(mc_convolver_backward_weights(c, l->x, l->dy, dw, db, aligned, &err), err);
    mc_free(workspace);
    mc_convolver_destroy(c);
    return out;
}

static void test_convolutions_of_one_tap_train_as_products(void **state)
{
    const struct mc_window window = {2, {5, 6}, {5, 6}, {1, 1}, {1, 1}, {1, 1}, {0, 0}, {0, 0}};
    for (int stays = 0; stays < 2; stays++) {
        struct layer l = {.conv = {.dtype = MC_FLOAT,
                                   .N = 3,
                                   .C = 20,
                                   .M = 24,
                                   .groups = 1,
                                   .window = window,
                                   .has_bias = true,
                                   .x_last = true,
                                   .y_last = true,
                                   .backward = true}};
        if (stays) l.conv.window.stride[0] = 2, l.conv.window.out[0] = 3; /* strides: not of this backend */
        l.n_x = 3 * 30 * 20, l.n_w = 24 * 20, l.n_y = 3 * (stays ? 18 : 30) * 24;
        l.x = random_floats(l.n_x, 10), l.w = random_floats(l.n_w, 11), l.b = random_floats(24, 12);
        l.dy = random_floats(l.n_y, 13);
        struct mc_runtime runtime = runtime_of(MC_CPU_AVX512, 2), plain = runtime;
        plain.bfloat16 = false;
        float *in_bfloats = train_step(&l, &runtime, stays ? "another" : "bfloat16");
        float *as_floats = train_step(&l, &plain, "another");
        const int64_t n = l.n_y + l.n_x + l.n_w + 24;
        double difference = 0, size = 0;
        for (int64_t i = 0; i < n; i++) {
            difference += pow((double)(in_bfloats[i] - as_floats[i]), 2);
            size += pow((double)as_floats[i], 2);
        }
        assert_true(sqrt(difference / size) < 0.004);
        assert_int_equal(difference > 0, !stays);
        mc_free(as_floats);
        mc_free(in_bfloats);
        mc_free(l.dy);
        mc_free(l.b);
        mc_free(l.w);
        mc_free(l.x);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_products_of_every_size_lying_every_way),
        cmocka_unit_test(test_factors_are_rounded_to_nearest),
        cmocka_unit_test(test_packed_factors_give_the_same_bits),
        cmocka_unit_test(test_weights_of_bfloat16_are_multiplied_as_such),
        cmocka_unit_test(test_results_do_not_depend_on_threads),
        cmocka_unit_test(test_mc_gemm_rounds_when_told),
        cmocka_unit_test(test_convolutions_of_one_tap_train_as_products),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
