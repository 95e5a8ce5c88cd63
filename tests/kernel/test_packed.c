/* test_packed.c - products with packed matrices against the plain sum, and against themselves in other cuts. */
#include <math.h>
#include <string.h>

#include "kernel/kernels.h"
#include "kernel/packed.h"
#include "numbers.h"
#include "tensor/half.h"

enum { MOST = 200 };

struct operands {
    int64_t n, K, M;
    bool transposed; /* w lies as [M, K] */
    const float *x, *w, *b;
};

static double exact(const struct operands *o, int64_t row, int64_t column)
{
    double sum = o->b ? (double)o->b[column] : 0;
    for (int64_t k = 0; k < o->K; k++) {
        const float w = o->transposed ? o->w[column * o->K + k] : o->w[k * o->M + column];
        sum += (double)o->x[row * o->K + k] * (double)w;
    }
    return sum;
}

/* y, surrounded by numbers that have to stay. */
static float *run(const struct operands *o, enum mc_cpu cpu, int threads)
{
    struct mc_error err = {0};
    struct mc_runtime runtime;
    struct mc_packed *packed;
    const struct mc_unpacked w = {
        .w = o->w, .K = o->K, .M = o->M, .row_step = o->transposed ? 1 : o->M, .column_step = o->transposed ? o->K : 1};
    mc_runtime_init(&runtime, threads, cpu);
    assert_true(mc_packed_takes(o->M, &runtime));
    assert_ok(mc_packed_create(&packed, &w, &runtime, &err), err);
    float *y = MC_NEW_ARRAY(float, o->n * o->M + 1);
    assert_non_null(y);
    y[o->n * o->M] = 42;
    mc_packed_run(packed, o->n, o->x, o->b, y, o->M);
    assert_true(y[o->n * o->M] == 42);
    mc_packed_destroy(packed);
    return y;
}

static void check(const struct operands *o)
{
    for (int cpu = MC_CPU_PORTABLE; cpu <= MC_CPU_AVX512; cpu++) {
        float *y = run(o, cpu, 1), *again = run(o, cpu, 3);
        for (int64_t i = 0; i < o->n * o->M; i++)
            assert_true(fabs((double)y[i] - exact(o, i / o->M, i % o->M)) <= 2e-6 * sqrt((double)o->K + 1));
        assert_memory_equal(y, again, (size_t)(o->n * o->M) * sizeof *y);
        mc_free(y);
        mc_free(again);
    }
}

static void test_products_of_every_number_of_rows(void **state)
{
    float *x = random_floats(MOST * 37, 1), *w = random_floats(37 * 107, 2), *b = random_floats(107, 3);
    for (int64_t n = 0; n < 40; n++)
        check(
            &(struct operands){.n = n, .K = 37, .M = 107, .transposed = n % 2, .x = x, .w = w, .b = n % 3 ? b : NULL});
    check(&(struct operands){.n = MOST, .K = 37, .M = 107, .x = x, .w = w, .b = b});
    mc_free(x);
    mc_free(w);
    mc_free(b);
}

static void test_products_of_every_width(void **state)
{
    float *x = random_floats(13 * 9, 1), *w = random_floats(9 * 150, 2), *b = random_floats(150, 3);
    for (int64_t M = 16; M < 150; M++)
        check(&(struct operands){.n = 13, .K = 9, .M = M, .transposed = M % 2, .x = x, .w = w, .b = b});
    mc_free(x);
    mc_free(w);
    mc_free(b);
}

static void test_matrices_beyond_the_cache_and_empty_sums(void **state)
{
    float *x = random_floats(7 * 700, 1), *w = random_floats(700 * 400, 2), *b = random_floats(400, 3);
    check(&(struct operands){.n = 7, .K = 700, .M = 400, .x = x, .w = w});
    check(&(struct operands){.n = 7, .K = 0, .M = 400, .x = x, .w = w, .b = b});
    mc_free(x);
    mc_free(w);
    mc_free(b);
}

/* Weights that are halves are kept as halves, and what comes of them is what comes of them as floats: to the bit, which
 * a column that is none shows. */
static void test_halves_are_kept_as_such(void **state)
{
    enum { K = 45, M = 107 };
    static const enum mc_packed_kind kinds[] = {MC_PACKED_HALVES, MC_PACKED_BFLOATS};
    float *x = random_floats(MOST * K, 1);
    for (int k = 0; k < 2; k++) {
        float *w = random_floats(K * M, 2);
        uint16_t half;
        for (int64_t i = 0; i < K * M; i++) {
            if (k) mc_floats_to_bfloats(1, w + i, &half), mc_bfloats_to_floats(1, &half, w + i);
            if (!k) mc_floats_to_halves(1, w + i, &half), mc_halves_to_floats(1, &half, w + i);
        }
        w[5 * M + 3] = k ? 65536.0f * 65536.0f : ldexpf(1, -24); /* which the other kind has not */
        for (int cpu = MC_CPU_PORTABLE; cpu <= MC_CPU_AVX512; cpu++)
            for (int64_t n = 1; n <= 30; n += 7) {
                struct mc_runtime runtime;
                mc_runtime_init(&runtime, 1, cpu);
                struct operands o = {.n = n, .K = K, .M = M, .x = x, .w = w};
                struct mc_unpacked all = {.w = w, .K = K, .M = M, .row_step = M, .column_step = 1};
                const bool halves = runtime.kernels->packed->halves;
                assert_int_equal(mc_packed_kind_of(&all, &runtime), halves ? kinds[k] : MC_PACKED_FLOATS);
                float *y = run(&o, cpu, 1);
                const float before = w[0];
                w[0] = 0.1f; /* no half: all of it are floats */
                assert_int_equal(mc_packed_kind_of(&all, &runtime), MC_PACKED_FLOATS);
                float *floats = run(&o, cpu, 1);
                w[0] = before;
                for (int64_t i = 0; i < n * M; i++)
                    if (i % M) assert_true(y[i] == floats[i]);
                mc_free(floats);
                mc_free(y);
            }
        mc_free(w);
    }
    mc_free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_products_of_every_number_of_rows),
        cmocka_unit_test(test_halves_are_kept_as_such),
        cmocka_unit_test(test_products_of_every_width),
        cmocka_unit_test(test_matrices_beyond_the_cache_and_empty_sums),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
