/* test_blocks.c - rectangles of weights: what they count, and what is said of them for their weights. */
#include "test.h"

#include <math.h>
#include <string.h>

#include "alloc_fail.h"
#include "prune/blocks.h"

static struct mc_tensor *counting(int rank, const int64_t *dims)
{
    struct mc_error err = {0};
    struct mc_tensor *t = NULL;
    struct mc_shape shape = {.rank = rank};
    memcpy(shape.dim, dims, (size_t)rank * sizeof *dims);
    assert_ok(mc_tensor_create(&t, MC_FLOAT, &shape, &err), err);
    for (int64_t k = 0; k < mc_tensor_count(t); k++) mc_tensor_set_f64(t, k, (double)(k + 1));
    return t;
}

static void test_a_block_counts_its_root_mean_square_and_ends_are_smaller(void **state)
{
    struct mc_error err = {0};
    struct mc_tensor *w = counting(2, (const int64_t[]){3, 5}), *score = NULL;
    const struct mc_blocks blocks = {.row_axis = 0, .column_axis = 1, .rows = 2, .columns = 4};
    assert_ok(mc_blocks_score(&score, w, &blocks, &err), err);
    assert_int_equal(score->shape.dim[0], 2);
    assert_int_equal(score->shape.dim[1], 2);
    const float *s = score->data;
    /* rows 1 2 3 4 | 5, 6 7 8 9 | 10, and 11 12 13 14 | 15 */
    assert_true(fabs(s[0] - sqrt((1 + 4 + 9 + 16 + 36 + 49 + 64 + 81) / 8.0)) < 1e-5);
    assert_true(fabs(s[1] - sqrt((25 + 100) / 2.0)) < 1e-5);
    assert_true(fabs(s[2] - sqrt((121 + 144 + 169 + 196) / 4.0)) < 1e-5);
    assert_true(s[3] == 15);
    const unsigned char of_blocks[] = {0, 1, 1, 0};
    unsigned char keep[15];
    mc_blocks_spread(of_blocks, &w->shape, &blocks, keep);
    static const unsigned char wanted[] = {0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 1, 1, 1, 1, 0};
    assert_memory_equal(keep, wanted, sizeof wanted);
    mc_tensor_destroy(score);
    mc_tensor_destroy(w);
}

/* [in, out, taps], as a MatMul's weight and a transposed convolution's lie: rows are along the second axis. */
static void test_axes_may_lie_in_either_order_with_others_behind(void **state)
{
    struct mc_error err = {0};
    struct mc_tensor *w = counting(3, (const int64_t[]){2, 4, 3}), *score = NULL;
    const struct mc_blocks blocks = {.row_axis = 1, .column_axis = 0, .rows = 2, .columns = 1};
    assert_ok(mc_blocks_score(&score, w, &blocks, &err), err);
    assert_int_equal(mc_tensor_count(score), 2 * 2 * 3);
    const float *s = score->data;
    assert_true(fabs(s[0] - sqrt((1 + 16) / 2.0)) < 1e-5);             /* [0, 0..1, 0] */
    assert_true(fabs(s[11] - sqrt((21.0 * 21 + 24 * 24) / 2)) < 1e-5); /* [1, 2..3, 2] */
    unsigned char of_blocks[12] = {0}, keep[24];
    of_blocks[11] = 1;
    mc_blocks_spread(of_blocks, &w->shape, &blocks, keep);
    for (int k = 0; k < 24; k++) assert_int_equal(keep[k], k == 20 || k == 23);
    mc_tensor_destroy(score);
    mc_tensor_destroy(w);
}

static int score(void *context)
{
    struct mc_error err = {0};
    struct mc_tensor *score = NULL;
    const struct mc_blocks blocks = {.row_axis = 0, .column_axis = 1, .rows = 1, .columns = 4};
    const int rc = mc_blocks_score(&score, context, &blocks, &err);
    mc_tensor_destroy(score);
    return rc;
}

static void test_any_allocation_may_fail(void **state)
{
    struct mc_tensor *w = counting(2, (const int64_t[]){3, 5});
    alloc_fail_each(score, w);
    mc_tensor_destroy(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_block_counts_its_root_mean_square_and_ends_are_smaller),
        cmocka_unit_test(test_axes_may_lie_in_either_order_with_others_behind),
        cmocka_unit_test(test_any_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
