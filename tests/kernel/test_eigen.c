/* test_eigen.c - eigenvectors of symmetric matrices: what they are told by, and what is refused. */
#include "kernel/eigen.h"

#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "test.h"

enum { N = 17 };

static void test_vectors_times_values_give_the_matrix_back(void **state)
{
    struct mc_error err = {0};
    struct mc_rng rng;
    double a[N * N], vectors[N * N], values[N];
    mc_rng_init(&rng, 1, 1);
    for (int i = 0; i < N; i++)
        for (int j = 0; j <= i; j++) a[i * N + j] = a[j * N + i] = mc_rng_normal(&rng);
    memcpy(vectors, a, sizeof a);
    assert_ok(mc_eigen_symmetric(N, vectors, values, &err), err);
    for (int i = 0; i < N; i++) {
        assert_true(i == 0 || values[i] <= values[i - 1]);
        for (int j = 0; j < N; j++) {
            double product = 0, dot = 0;
            for (int k = 0; k < N; k++) {
                product += values[k] * vectors[k * N + i] * vectors[k * N + j];
                dot += vectors[i * N + k] * vectors[j * N + k];
            }
            assert_true(fabs(product - a[i * N + j]) < 1e-12);
            assert_true(fabs(dot - (i == j)) < 1e-12);
        }
    }
}

static void test_only_the_upper_triangle_is_read(void **state)
{
    struct mc_error err = {0};
    double a[] = {2, 1, 99, 2}, values[2];
    assert_ok(mc_eigen_symmetric(2, a, values, &err), err);
    assert_true(fabs(values[0] - 3) < 1e-12 && fabs(values[1] - 1) < 1e-12);
}

static void test_what_is_not_finite_or_too_large_is_refused(void **state)
{
    struct mc_error err = {0};
    double a[] = {1, NAN, 0, 1}, values[2];
    assert_int_equal(mc_eigen_symmetric(2, a, values, &err), MC_ERR_INPUT);
    assert_int_equal(mc_eigen_symmetric(100000, a, values, &err), MC_ERR_UNSUPPORTED);
    assert_ok(mc_eigen_symmetric(0, NULL, NULL, &err), err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors_times_values_give_the_matrix_back),
        cmocka_unit_test(test_only_the_upper_triangle_is_read),
        cmocka_unit_test(test_what_is_not_finite_or_too_large_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
