/* test_surgeon.c - second-order pruning of one matrix, against explicit inverses and against doing nothing. */
#include "test.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "prune/surgeon.h"

/* h [K, K] = x x' for x [K, n]. */
static void moments(const double *x, int64_t K, int64_t n, double *h)
{
    for (int64_t i = 0; i < K; i++)
        for (int64_t j = 0; j < K; j++) {
            h[i * K + j] = 0;
            for (int64_t s = 0; s < n; s++) h[i * K + j] += x[i * n + s] * x[j * n + s];
        }
}

static double number(int64_t i, int64_t a, int64_t b)
{
    return (double)((i * a + b) % 23 - 11) / 8;
}

static void test_weights_are_those_of_explicit_inverses(void **state)
{
    enum { ROWS = 3, K = 7, SAMPLES = 20 };
    /* tests/reference/surgeon.py, NumPy 2.4.6 */
    static const double expected[ROWS * K] = {0,
                                              0.637071245819,
                                              0,
                                              1.06531326735,
                                              0,
                                              -0.961538083459,
                                              0.391790871247,
                                              -0.875,
                                              0,
                                              0,
                                              1.10771587579,
                                              0,
                                              -1.48721349878,
                                              0.193692607904,
                                              -1,
                                              0,
                                              0,
                                              0.865851968734,
                                              0,
                                              1.20423685339,
                                              0.0227342454107};
    double x[K * SAMPLES], w[ROWS * K], h[K * K];
    struct mc_error err = {0};
    for (int64_t k = 0; k < K; k++)
        for (int64_t s = 0; s < SAMPLES; s++)
            x[k * SAMPLES + s] = number(k * SAMPLES + s, 7, 3) + (double)k * number(s, 5, 1);
    for (int64_t i = 0; i < ROWS * K; i++) w[i] = number(i, 13, 5) == 0 ? 0.3 : number(i, 13, 5);
    moments(x, K, SAMPLES, h);
    const struct mc_surgeon surgeon = {.rows = ROWS, .K = K, .sparsity = 0.43, .damping = 0.01};
    assert_ok(mc_surgeon_run(&surgeon, w, h, &err), err);
    for (int64_t i = 0; i < ROWS * K; i++) assert_true(fabs(w[i] - expected[i]) < 1e-9);
}

/* --- a matrix of several blocks of columns --- */

enum { ROWS = 6, WIDE = 300, SAMPLES = 400 };

struct fixture {
    double x[WIDE * SAMPLES], w[ROWS * WIDE], pruned[ROWS * WIDE], h[WIDE * WIDE];
};

static int setup(void **state)
{
    struct fixture *f = MC_NEW(struct fixture);
    *state = f;
    if (!f) return -1;
    struct mc_rng rng;
    mc_rng_init(&rng, 3, 0);
    for (int64_t s = 0; s < SAMPLES; s++) {
        double common = 0; /* inputs that go together, as those of nets do */
        for (int64_t k = 0; k < WIDE; k++) {
            common = 0.9 * common + mc_rng_normal(&rng);
            f->x[k * SAMPLES + s] = common;
        }
    }
    for (int64_t i = 0; i < ROWS * WIDE; i++) f->pruned[i] = f->w[i] = mc_rng_normal(&rng);
    moments(f->x, WIDE, SAMPLES, f->h);
    return 0;
}

static int teardown(void **state)
{
    mc_free(*state);
    return 0;
}

static int64_t zeros(const double *w, int64_t n)
{
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++) count += w[i] == 0;
    return count;
}

/* Squared error of the outputs. */
static double error_of(const struct fixture *f, const double *w)
{
    double sum = 0;
    for (int64_t m = 0; m < ROWS; m++)
        for (int64_t s = 0; s < SAMPLES; s++) {
            double y = 0;
            for (int64_t k = 0; k < WIDE; k++) y += (w[m * WIDE + k] - f->w[m * WIDE + k]) * f->x[k * SAMPLES + s];
            sum += y * y;
        }
    return sum;
}

static void test_what_stays_makes_up_for_what_goes(void **state)
{
    struct fixture *f = *state;
    struct mc_error err = {0};
    const struct mc_surgeon surgeon = {.rows = ROWS, .K = WIDE, .sparsity = 0.5, .damping = 0.01};
    assert_ok(mc_surgeon_run(&surgeon, f->pruned, f->h, &err), err);
    assert_int_equal(zeros(f->pruned, ROWS * WIDE), ROWS * WIDE / 2);
    double masked[ROWS * WIDE];
    for (int64_t i = 0; i < ROWS * WIDE; i++) masked[i] = f->pruned[i] == 0 ? 0 : f->w[i];
    assert_true(error_of(f, f->pruned) < 0.5 * error_of(f, masked));
}

static void test_a_pattern_holds_in_every_block(void **state)
{
    struct fixture *f = *state;
    struct mc_error err = {0};
    const struct mc_surgeon surgeon = {.rows = ROWS, .K = WIDE, .pattern_n = 2, .pattern_m = 4, .damping = 0.01};
    assert_ok(mc_surgeon_run(&surgeon, f->pruned, f->h, &err), err);
    for (int64_t i = 0; i < ROWS * WIDE; i += 4) assert_int_equal(zeros(f->pruned + i, 4), 2);
}

static void test_inputs_that_are_never_there_lose_their_weights(void **state)
{
    struct fixture *f = *state;
    struct mc_error err = {0};
    for (int64_t k = 0; k < WIDE; k++) f->h[7 * WIDE + k] = f->h[k * WIDE + 7] = 0;
    const struct mc_surgeon surgeon = {.rows = ROWS, .K = WIDE, .sparsity = 0.1, .damping = 0.01};
    assert_ok(mc_surgeon_run(&surgeon, f->pruned, f->h, &err), err);
    for (int64_t m = 0; m < ROWS; m++) assert_true(f->pruned[m * WIDE + 7] == 0);
}

static void test_moments_that_cannot_be_are_refused(void **state)
{
    struct fixture *f = *state;
    struct mc_error err = {0};
    f->h[5 * WIDE + 5] = NAN;
    const struct mc_surgeon surgeon = {.rows = ROWS, .K = WIDE, .sparsity = 0.5, .damping = 0.01};
    assert_int_equal(mc_surgeon_run(&surgeon, f->pruned, f->h, &err), MC_ERR_INPUT);
    assert_non_null(strstr(err.text, "input 5"));
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_weights_are_those_of_explicit_inverses),
        WITH_FIXTURE(test_what_stays_makes_up_for_what_goes),
        WITH_FIXTURE(test_a_pattern_holds_in_every_block),
        WITH_FIXTURE(test_inputs_that_are_never_there_lose_their_weights),
        WITH_FIXTURE(test_moments_that_cannot_be_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
