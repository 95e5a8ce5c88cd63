/* test_broadcast.c - operands that broadcast, and sums that go back, against one element at a time. */
#include "kernel/broadcast.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "kernel/kernels.h"
#include "kernel/parallel.h"
#include "test.h"

/* Shapes as digits: "2310" is [2,3,1,0]; "" a scalar. */
static struct mc_shape shape_of(const char *digits)
{
    struct mc_shape shape = {0};
    for (; *digits; digits++) shape.dim[shape.rank++] = *digits - '0';
    return shape;
}

static const char *const pairs[][2] = {
    {"234", "234"}, {"234", "4"},     {"234", "131"},  {"234", "231"},  {"234", "211"},   {"234", ""},
    {"", "234"},    {"", ""},         {"1", "1"},      {"2345", "311"}, {"2345", "1311"}, {"2345", "1341"},
    {"31", "14"},   {"2131", "1415"}, {"5", "1111"},   {"111", "7"},    {"204", "4"},     {"234", "1"},
    {"31", "10"},   {"30", "31"},     {"23456", "51"}, {"9", "91"},     {"2345", "2145"}, {"12", "3131"},
};

/* Element of a dense operand for flat index i of the result, by the definition of broadcasting. */
static int64_t operand_index(const struct mc_shape *result, const struct mc_shape *operand, int64_t i)
{
    int64_t index = 0, stride = 1;
    for (int k = result->rank - 1, j = operand->rank - 1; k >= 0; k--, j--) {
        const int64_t at = i % result->dim[k];
        i /= result->dim[k];
        if (j < 0) continue;
        if (operand->dim[j] > 1) index += at * stride;
        stride *= operand->dim[j];
    }
    return index;
}

static float *random_floats(int64_t n, uint64_t seed)
{
    struct mc_rng rng;
    float *x = mc_alloc((size_t)n + 1, sizeof(*x));
    mc_rng_init(&rng, seed, 0);
    for (int64_t i = 0; i < n; i++) x[i] = (float)mc_rng_normal(&rng);
    return x;
}

struct pair {
    struct mc_shape a_shape, b_shape, y_shape;
    int64_t n_a, n_b, n_y;
    float *a, *b, *y;
    struct mc_nest nest;
};

static void pair_init(struct pair *p, const char *const shapes[2])
{
    p->a_shape = shape_of(shapes[0]);
    p->b_shape = shape_of(shapes[1]);
    assert_true(mc_shape_broadcast(&p->a_shape, &p->b_shape, &p->y_shape));
    p->n_a = mc_shape_count(&p->a_shape);
    p->n_b = mc_shape_count(&p->b_shape);
    p->n_y = mc_shape_count(&p->y_shape);
    p->a = random_floats(p->n_a, 1);
    p->b = random_floats(p->n_b, 2);
    p->y = random_floats(p->n_y, 3);
    mc_nest_init(&p->nest, &p->y_shape, &p->a_shape, &p->b_shape);
}

static void pair_finish(struct pair *p)
{
    mc_free(p->a);
    mc_free(p->b);
    mc_free(p->y);
}

static const struct mc_loops *loops(void)
{
    return mc_kernels_for(mc_cpu_detect())->loops;
}

static void test_broadcast_takes_the_element_that_numpy_takes(void **state)
{
    for (size_t k = 0; k < sizeof(pairs) / sizeof(*pairs); k++) {
        struct pair p;
        pair_init(&p, pairs[k]);
        mc_broadcast(&p.nest, loops()->binary[MC_LOOP_F32][MC_BINARY_SUB], MC_LOOP_F32, p.a, p.b, p.y, 1);
        for (int64_t i = 0; i < p.n_y; i++)
            assert_true(p.y[i] ==
                        p.a[operand_index(&p.y_shape, &p.a_shape, i)] - p.b[operand_index(&p.y_shape, &p.b_shape, i)]);
        pair_finish(&p);
    }
}

/* The sum of g * other over all that one element of `side` was spread to. */
static void expect_sum(const struct pair *p, int side, const float *got)
{
    const struct mc_shape *target = side ? &p->b_shape : &p->a_shape;
    const struct mc_shape *other = side ? &p->a_shape : &p->b_shape;
    const float *factor = side ? p->a : p->b;
    double *want = mc_alloc((size_t)mc_shape_count(target) + 1, sizeof(*want));
    for (int64_t i = 0; i < p->n_y; i++)
        want[operand_index(&p->y_shape, target, i)] += (double)(p->y[i] * factor[operand_index(&p->y_shape, other, i)]);
    for (int64_t i = 0; i < mc_shape_count(target); i++)
        assert_true(fabs((double)got[i] - want[i]) <= 1e-6 * (1 + fabs(want[i])));
    mc_free(want);
}

static void test_sums_add_up_what_was_spread(void **state)
{
    for (size_t k = 0; k < sizeof(pairs) / sizeof(*pairs); k++) {
        struct pair p;
        pair_init(&p, pairs[k]);
        for (int side = 0; side < 2; side++) {
            float *got = random_floats(side ? p.n_b : p.n_a, 4);
            mc_broadcast_sum(&p.nest, side, loops(), MC_LOOP_F32,
                             loops()->term[MC_LOOP_F32][side ? MC_TERM_MUL_B : MC_TERM_MUL_A], p.a, p.b, p.y, 1, got);
            expect_sum(&p, side, got);
            mc_free(got);
        }
        pair_finish(&p);
    }
}

static void test_sum_without_term_adds_the_gradient_itself_times_the_factor(void **state)
{
    const struct mc_shape x = shape_of("235"), kept = shape_of("215");
    double data[30], sum[10];
    struct mc_nest nest;
    for (int i = 0; i < 30; i++) data[i] = i;
    mc_nest_init(&nest, &x, &kept, &x);
    mc_broadcast_sum(&nest, MC_NEST_A, loops(), MC_LOOP_F64, NULL, NULL, NULL, data, 0.5, sum);
    for (int i = 0; i < 10; i++) {
        const int first = i / 5 * 15 + i % 5;
        assert_true(sum[i] == 0.5 * (3 * first + 15));
    }
}

static void test_sum_over_an_empty_axis_is_zero(void **state)
{
    const struct mc_shape x = shape_of("30"), kept = shape_of("31");
    float sum[3] = {7, 7, 7};
    struct mc_nest nest;
    mc_nest_init(&nest, &x, &kept, &x);
    mc_broadcast_sum(&nest, MC_NEST_A, loops(), MC_LOOP_F32, NULL, NULL, NULL, sum, 1, sum);
    assert_true(sum[0] == 0 && sum[1] == 0 && sum[2] == 0);
}

/* Big enough for several threads and for more than one block. */
static void sums_with(int n_threads, const char *kept, float *out, int64_t n)
{
    struct mc_runtime runtime;
    mc_runtime_init(&runtime, n_threads, MC_CPU_AVX512);
    const int before = mc_runtime_enter(&runtime);
    struct mc_shape y = {.rank = 3, .dim = {37, 61, 311}}, target = {.rank = 3, .dim = {1, 1, 1}};
    for (int k = 0; k < 3; k++)
        if (strchr(kept, '0' + k)) target.dim[k] = y.dim[k];
    float *g = random_floats(mc_shape_count(&y), 9);
    struct mc_nest nest;
    assert_int_equal(mc_shape_count(&target), n);
    mc_nest_init(&nest, &y, &target, &y);
    mc_broadcast_sum(&nest, MC_NEST_A, loops(), MC_LOOP_F32, loops()->term[MC_LOOP_F32][MC_TERM_MUL_A], g, g, g, 1,
                     out);
    mc_runtime_leave(before);
    mc_free(g);
}

static void test_sums_are_the_same_for_any_number_of_threads(void **state)
{
    static const struct {
        const char *kept;
        int64_t n;
    } cases[] = {{"2", 311}, {"1", 61}, {"01", 37 * 61}, {"02", 37 * 311}, {"12", 61 * 311}};
    for (size_t k = 0; k < sizeof(cases) / sizeof(*cases); k++) {
        float *one = mc_alloc((size_t)cases[k].n, sizeof(float)), *five = mc_alloc((size_t)cases[k].n, sizeof(float));
        sums_with(1, cases[k].kept, one, cases[k].n);
        sums_with(5, cases[k].kept, five, cases[k].n);
        assert_memory_equal(one, five, (size_t)cases[k].n * sizeof(float));
        mc_free(one);
        mc_free(five);
    }
}

static void mark(void *context, int64_t begin, int64_t end)
{
    unsigned char *seen = context;
    for (int64_t i = begin; i < end; i++) seen[i]++;
}

static void test_parallel_ranges_cover_everything_once(void **state)
{
    static const int64_t sizes[] = {0, 1, 2, 7, 100, 1001};
    struct mc_runtime runtime;
    mc_runtime_init(&runtime, 3, MC_CPU_PORTABLE);
    const int before = mc_runtime_enter(&runtime);
    for (size_t k = 0; k < sizeof(sizes) / sizeof(*sizes); k++) {
        for (int64_t grain = 1; grain < 2000; grain *= 7) {
            unsigned char seen[1001] = {0};
            mc_parallel(sizes[k], grain, mark, seen);
            for (int64_t i = 0; i < 1001; i++) assert_int_equal(seen[i], i < sizes[k]);
        }
    }
    mc_runtime_leave(before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_broadcast_takes_the_element_that_numpy_takes),
        cmocka_unit_test(test_sums_add_up_what_was_spread),
        cmocka_unit_test(test_sum_without_term_adds_the_gradient_itself_times_the_factor),
        cmocka_unit_test(test_sum_over_an_empty_axis_is_zero),
        cmocka_unit_test(test_sums_are_the_same_for_any_number_of_threads),
        cmocka_unit_test(test_parallel_ranges_cover_everything_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
