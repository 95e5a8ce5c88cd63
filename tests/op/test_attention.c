/* test_attention.c - Attention: what the softmax is computed in, and what is tied. The rest is held by
 * tests/op/test_vectors.c. */
#include <math.h>

#include "coupled.h"
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

/* Queries [1, 4, 5, 6], keys and values [1, 2, 5, 6]: two heads of queries for one of keys. */
static void test_heads_and_features_are_tied(void **state)
{
    struct coupled t;
    coupled_init(&t, 23);
    struct mc_value *const in[] = {coupled_computed(&t, mc_shape_of(INTS(1, 4, 5, 6))),
                                   coupled_computed(&t, mc_shape_of(INTS(1, 2, 5, 6))),
                                   coupled_computed(&t, mc_shape_of(INTS(1, 2, 5, 6)))};
    struct mc_node *node = coupled_node(&t, "Attention", 3, in, 1);
    coupled_couple(&t);
    assert_true(coupled_tied(&t, in[0], 1, 2, in[1], 1, 1));
    assert_true(coupled_tied(&t, in[0], 1, 3, in[2], 1, 1));
    assert_true(coupled_tied(&t, in[0], 1, 3, node->outputs[0], 1, 2));
    assert_true(coupled_tied(&t, in[0], 3, 4, in[1], 3, 4));
    assert_true(coupled_tied(&t, in[2], 3, 4, node->outputs[0], 3, 4));
    assert_false(coupled_tied(&t, in[0], 3, 4, in[2], 3, 4));
    assert_true(coupled_all_frozen(&t, in[1], 2));
    coupled_cut(&t, in[0], 3, INTS(1, 2));
    assert_float_equal(mc_node_float(node, "scale", 0), 1 / sqrt(6), 1e-6);
    coupled_finish(&t);
}

/* [1, 5, 12] of two heads, of one head of keys. */
static void test_packed_heads_lose_the_same_features(void **state)
{
    struct mc_error err = {0};
    struct coupled t;
    coupled_init(&t, 23);
    struct mc_value *const in[] = {coupled_computed(&t, mc_shape_of(INTS(1, 5, 12))),
                                   coupled_computed(&t, mc_shape_of(INTS(1, 5, 6))),
                                   coupled_computed(&t, mc_shape_of(INTS(1, 5, 6)))};
    struct mc_node *node = coupled_node(&t, "Attention", 3, in, 1);
    assert_ok(mc_node_set_int(node, "q_num_heads", 2, &err), err);
    assert_ok(mc_node_set_int(node, "kv_num_heads", 1, &err), err);
    coupled_couple(&t);
    assert_true(coupled_tied(&t, in[0], 2, 7, in[1], 2, 1));
    assert_true(coupled_tied(&t, in[0], 2, 7, in[0], 2, 1));
    assert_true(coupled_tied(&t, in[2], 2, 3, node->outputs[0], 2, 9));
    assert_false(coupled_tied(&t, in[0], 2, 1, in[0], 2, 2));
    coupled_finish(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_softmax_is_of_the_precision_asked_for),
        cmocka_unit_test(test_other_types_are_refused),
        cmocka_unit_test(test_heads_and_features_are_tied),
        cmocka_unit_test(test_packed_heads_lose_the_same_features),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
