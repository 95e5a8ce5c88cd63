/* test_attention.c - Attention: what the softmax is computed in. The rest is held by tests/op/test_vectors.c. */
#include "harness.h"

/* One query, two keys: the output is the share of the second. */
#define TWO_KEYS(...)                                                                                                  \
    {                                                                                                                  \
        .type = "Attention", .opset = 23, .attrs = {OP_FLOAT("scale", 1), __VA_ARGS__}, .in = {                        \
            {OP_DIMS(1, 1, 1, 1), OP_DATA(1)},                                                                         \
            {OP_DIMS(1, 1, 2, 1), OP_DATA(0, 1.234567)},                                                               \
            {OP_DIMS(1, 1, 2, 1), OP_DATA(0, 1)}                                                                       \
        }                                                                                                              \
    }

/* onnx 1.23.2's reference (ONNX Runtime 1.32 passes the small types over); of bfloat16 the share nearest to the true
 * one, where the reference rounds on the way too. */
static void test_the_softmax_is_of_the_precision_asked_for(void **state)
{
    const struct op_case half = TWO_KEYS(OP_INT("softmax_precision", MC_FLOAT16));
    const struct op_case bfloat = TWO_KEYS(OP_INT("softmax_precision", MC_BFLOAT16));
    const struct op_case wide = TWO_KEYS(OP_INT("softmax_precision", MC_DOUBLE));
    op_check(&half, (struct op_tensor[]){{OP_DIMS(1, 1, 1, 1), OP_DATA(0.774414062)}}, 1e-7);
    op_check(&bfloat, (struct op_tensor[]){{OP_DIMS(1, 1, 1, 1), OP_DATA(0.7734375)}}, 1e-7);
    op_check(&wide, (struct op_tensor[]){{OP_DIMS(1, 1, 1, 1), OP_DATA(0.774616957)}}, 1e-6);
}

static void test_other_types_are_refused(void **state)
{
    const struct op_case ints = TWO_KEYS(OP_INT("softmax_precision", MC_INT32));
    op_check_refused(&ints, MC_ERR_INPUT, "needs a float type, has 6");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_softmax_is_of_the_precision_asked_for),
        cmocka_unit_test(test_other_types_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
