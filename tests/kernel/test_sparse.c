/* test_sparse.c - sparse products: the bits of dense ones, the sums of the definition, on every instruction set. */
#include "test.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "kernel/convolution.h"
#include "kernel/kernels.h"
#include "kernel/sparse.h"

/* Normal numbers, of which a share is 0. */
static float *numbers(int64_t n, double zeros, uint64_t seed)
{
    struct mc_rng rng;
    float *a = MC_NEW_ARRAY(float, n);
    mc_rng_init(&rng, seed, 0);
    for (int64_t i = 0; i < n; i++) {
        const double x = mc_rng_normal(&rng);
        a[i] = mc_rng_uniform(&rng) < zeros ? 0 : (float)x;
    }
    return a;
}

static void check_product(const struct mc_runtime *runtime, int64_t n, int64_t K, int64_t M, double zeros)
{
    struct mc_error err = {0};
    float *x = numbers(n * K, 0, 1), *w = numbers(K * M, zeros, 2), *b = numbers(M, 0, 3);
    float *dense = MC_NEW_ARRAY(float, n *M), *sparse = MC_NEW_ARRAY(float, n *M);
    struct mc_unpacked unpacked = {.w = w, .K = K, .M = M, .row_step = 1, .column_step = K};
    struct mc_packed *packed;
    struct mc_sparse *s;
    assert_ok(mc_packed_create(&packed, &unpacked, runtime, &err), err);
    unpacked.rows = n; /* few of them are multiplied one by one */
    assert_ok(mc_sparse_create(&s, &unpacked, runtime, &err), err);
    mc_packed_run(packed, n, x, b, dense, M);
    mc_sparse_run(s, n, x, b, sparse, M);
    assert_memory_equal(sparse, dense, (size_t)(n * M) * sizeof *dense);
    mc_packed_run(packed, n, x, NULL, dense, M);
    mc_sparse_run(s, n, x, NULL, sparse, M);
    assert_memory_equal(sparse, dense, (size_t)(n * M) * sizeof *dense);
    mc_sparse_destroy(s);
    mc_packed_destroy(packed);
    float *all[] = {x, w, b, dense, sparse};
    for (size_t i = 0; i < MC_COUNT(all); i++) mc_free(all[i]);
}

static void test_products_have_the_bits_of_dense_ones(void **state)
{
    static const int64_t rows[] = {0, 1, 2, 5, 16, 17, 33, 64, 65, 130};
    for (int cpu = MC_CPU_PORTABLE; cpu <= (int)mc_cpu_detect(); cpu++) {
        for (int threads = 1; threads <= 3; threads += 2) {
            struct mc_runtime runtime;
            mc_runtime_init(&runtime, threads, (enum mc_cpu)cpu);
            for (size_t i = 0; i < MC_COUNT(rows); i++) {
                check_product(&runtime, rows[i], 83, 37, 0.9);
                check_product(&runtime, rows[i], 20, 70, 0.5);
            }
            check_product(&runtime, 3, 40, 20, 1); /* nothing but the bias */
            for (int64_t K = 1; K < 40; K++) check_product(&runtime, 1, K, 2 * K + 15, 0.8);
            check_product(&runtime, 1, 3000, 200, 0.97);
        }
    }
}

struct geometry {
    int64_t N, C, M;
    struct mc_window w; /* `out` is filled in */
};

static const struct geometry geometries[] = {
    {2, 5, 7, {2, {9, 8}, {0}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}}},
    {1, 16, 40, {2, {14, 14}, {0}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}}},
    {2, 6, 5, {2, {9, 7}, {0}, {3, 2}, {2, 3}, {1, 1}, {0, 1}, {2, 0}}},
    {1, 4, 6, {2, {11, 10}, {0}, {3, 3}, {1, 2}, {2, 3}, {2, 1}, {1, 3}}},
    {1, 4, 4, {2, {3, 3}, {0}, {2, 2}, {1, 1}, {1, 1}, {3, 0}, {0, 4}}},
    {2, 12, 9, {2, {6, 5}, {0}, {1, 1}, {2, 2}, {1, 1}, {0, 0}, {0, 0}}},
    {1, 70, 90, {2, {12, 12}, {0}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}}},
    {3, 8, 8, {1, {17}, {0}, {5}, {2}, {1}, {2}, {1}}},
    {2, 6, 8, {3, {4, 5, 6}, {0}, {2, 3, 3}, {1, 2, 1}, {1, 1, 2}, {1, 1, 0}, {0, 1, 2}}},
};

/* The defining sum of output (n, m, o). */
static double sum_of(const struct mc_convolution *c, const float *x, int64_t n, int64_t m, const int64_t *o)
{
    const struct mc_window w = mc_window_as_3d(&c->window);
    const int64_t taps = mc_window_taps(&w), in = mc_window_inputs(&w);
    double sum = 0;
    for (int64_t ch = 0; ch < c->C; ch++) {
        for (int64_t t = 0; t < taps; t++) {
            const int64_t tap[3] = {t / w.kernel[2] / w.kernel[1], t / w.kernel[2] % w.kernel[1], t % w.kernel[2]};
            int64_t at = 0;
            bool inside = true;
            for (int k = 0; k < 3; k++) {
                const int64_t i = mc_window_at(&w, k, o[k], tap[k]);
                inside = inside && i >= 0 && i < w.in[k];
                at = at * w.in[k] + i;
            }
            if (inside)
                sum += (double)((const float *)c->weights)[(m * c->C + ch) * taps + t] * x[(n * c->C + ch) * in + at];
        }
    }
    return sum;
}

/* a [n, channels, positions], from an order or to it: as it is, or channels last. */
static float *laid_out(const float *a, int64_t n, int64_t channels, int64_t positions, bool last)
{
    float *to = MC_NEW_ARRAY(float, n *channels *positions);
    for (int64_t i = 0; i < n * channels * positions; i++) {
        const int64_t p = i % positions, c = i / positions % channels, image = i / positions / channels;
        to[last ? (image * positions + p) * channels + c : i] = a[i];
    }
    return to;
}

static void check_convolution(const struct mc_runtime *runtime, const struct geometry *g, bool x_last, bool y_last)
{
    struct mc_error err = {0};
    struct mc_convolution c = {.dtype = MC_FLOAT,
                               .N = g->N,
                               .C = g->C,
                               .M = g->M,
                               .groups = 1,
                               .window = g->w,
                               .has_bias = true,
                               .x_last = x_last,
                               .y_last = y_last};
    for (int k = 0; k < c.window.rank; k++)
        c.window.out[k] = (c.window.in[k] + c.window.begin[k] + c.window.end[k] - mc_window_reach(&c.window, k)) /
                              c.window.stride[k] +
                          1;
    const int64_t outputs = mc_window_outputs(&c.window), ny = c.N * c.M * outputs;
    float *w = numbers(c.M * c.C * mc_window_taps(&c.window), c.C > 32 ? 0.99 : 0.85, 4), *b = numbers(c.M, 0, 5);
    float *x = numbers(c.N * c.C * mc_window_inputs(&c.window), 0, 6), *y = MC_NEW_ARRAY(float, ny);
    float *laid_x = laid_out(x, c.N, c.C, mc_window_inputs(&c.window), x_last);
    c.weights = w;
    struct mc_convolver *convolver;
    assert_ok(mc_convolver_create(&convolver, &c, runtime, &err), err);
    /* where the dense product would have been possible, the clock has chosen */
    if (!y_last) assert_string_equal(mc_convolver_name(convolver), "sparse");
    assert_true(mc_convolver_has_packed(convolver));
    void *workspace = mc_alloc_aligned(mc_convolver_workspace_bytes(convolver), 1);
    memset(workspace, 0xff, mc_convolver_workspace_bytes(convolver)); /* NaN */
    assert_ok(mc_convolver_forward(convolver, laid_x, NULL, b, NULL, y, workspace, &err), err);
    const struct mc_window as_3d = mc_window_as_3d(&c.window);
    for (int64_t i = 0; i < ny; i++) {
        const int64_t at = i % outputs, *out = as_3d.out;
        const int64_t o[3] = {at / out[2] / out[1], at / out[2] % out[1], at % out[2]};
        const int64_t m = i / outputs % c.M, n = i / outputs / c.M;
        const float made = y[y_last ? (n * outputs + at) * c.M + m : i];
        assert_true(fabs(made - b[m] - sum_of(&c, x, n, m, o)) < 1e-4);
    }
    mc_convolver_destroy(convolver);
    mc_free(workspace);
    float *all[] = {w, b, x, laid_x, y};
    for (size_t i = 0; i < MC_COUNT(all); i++) mc_free(all[i]);
}

static void test_convolutions_are_the_defining_sum(void **state)
{
    for (int cpu = MC_CPU_PORTABLE; cpu <= (int)mc_cpu_detect(); cpu++) {
        for (int threads = 1; threads <= 3; threads += 2) {
            struct mc_runtime runtime;
            mc_runtime_init(&runtime, threads, (enum mc_cpu)cpu);
            for (size_t i = 0; i < 4 * MC_COUNT(geometries); i++)
                check_convolution(&runtime, &geometries[i / 4], i & 1, i & 2);
        }
    }
}

static void test_dense_weights_are_no_sparse_matrix(void **state)
{
    const float half[4] = {1, 0, 2, 0}, more[4] = {1, 0, 2, 3};
    assert_true(mc_sparse_may_pay(half, 4));
    assert_false(mc_sparse_may_pay(more, 4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_products_have_the_bits_of_dense_ones),
        cmocka_unit_test(test_convolutions_are_the_defining_sum),
        cmocka_unit_test(test_dense_weights_are_no_sparse_matrix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
