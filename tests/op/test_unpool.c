/* test_unpool.c - LpPool, MaxUnpool, Col2Im and their like: gradients and refusals, which tests/op/vectors do not show.
 */
#include "harness.h"

static void test_what_does_not_fit_is_refused(void **state)
{
    op_check_refused(&(struct op_case){.type = "LpPool",
                                       .opset = 2,
                                       .attrs = {OP_INTS("kernel_shape", 2), OP_INT("p", 0)},
                                       .in = {{OP_DIMS(1, 1, 3)}}},
                     MC_ERR_INPUT, "attribute 'p': needs a number above 0");
    op_check_refused(&(struct op_case){.type = "Det", .opset = 11, .in = {{OP_DIMS(2, 3)}}}, MC_ERR_INPUT,
                     "needs square matrices, has 2 rows of 3");
    op_check_refused(
        &(struct op_case){.type = "MaxUnpool",
                          .opset = 11,
                          .attrs = {OP_INTS("kernel_shape", 2, 2)},
                          .in = {{OP_DIMS(1, 1, 3)}, {.dtype = MC_INT64, OP_DIMS(1, 1, 3), OP_DATA(0, 2, 3)}}},
        MC_ERR_INPUT, "attribute 'kernel_shape': needs 1 numbers, has 2");
    op_check_refused(&(struct op_case){.type = "Col2Im",
                                       .opset = 18,
                                       .in = {{OP_DIMS(1, 4, 5)},
                                              {.dtype = MC_INT64, OP_DIMS(2), OP_DATA(3, 4)},
                                              {.dtype = MC_INT64, OP_DIMS(2), OP_DATA(2, 2)}}},
                     MC_ERR_INPUT, "needs a multiple of 4 rows and 6 columns, has 4 and 5");
    op_check_refused(&(struct op_case){.type = "DeformConv",
                                       .opset = 19,
                                       .in = {{OP_DIMS(1, 2, 3, 3)}, {OP_DIMS(1, 2, 2, 2)}, {OP_DIMS(1, 7, 2, 2)}}},
                     MC_ERR_INPUT, "input 2 'in2': needs shape [1,8,2,2], has [1,7,2,2]");
    op_check_refused(
        &(struct op_case){.type = "TfIdfVectorizer",
                          .opset = 9,
                          .attrs = {OP_STRING("mode", "TF"), OP_INTS("ngram_counts", 0, 3),
                                    OP_INTS("ngram_indexes", 0, 1, 2, 3), OP_INTS("pool_int64s", 1, 2, 3, 4)},
                          .in = {{.dtype = MC_INT64, OP_DIMS(3), OP_DATA(1, 2, 3)}}},
        MC_ERR_INPUT, "attribute 'ngram_counts': does not divide a pool of 4 items");
}

static void test_failing_allocations_are_survived(void **state)
{
    op_check_memory(&(struct op_case){.type = "DeformConv",
                                      .opset = 19,
                                      .in = {{OP_DIMS(1, 2, 3, 3)}, {OP_DIMS(1, 2, 2, 2)}, {OP_DIMS(1, 8, 2, 2)}}});
    op_check_memory(&(struct op_case){.type = "TfIdfVectorizer",
                                      .opset = 9,
                                      .attrs = {OP_STRING("mode", "TF"), OP_INTS("ngram_counts", 0, 2),
                                                OP_INTS("ngram_indexes", 0, 1, 2), OP_INTS("pool_int64s", 1, 2, 3, 4),
                                                OP_INT("max_gram_length", 2)},
                                      .in = {{.dtype = MC_INT64, OP_DIMS(3), OP_DATA(1, 2, 3), .fed = true}}});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_does_not_fit_is_refused),
        cmocka_unit_test(test_failing_allocations_are_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
