/* test_microsoft.c - com.microsoft: what is refused, memory. Their numbers are vectors (test_vectors.c).
 *
 * Operators made of others (op/composite.h) share the rules, so that a few stand for all.
 */
#include "harness.h"

#define MICROSOFT(name) .domain = "com.microsoft", .type = name, .opset = 17

static void test_unknown_activation_is_refused(void **state)
{
    op_check_refused(&(struct op_case){MICROSOFT("FusedConv"), .attrs = {OP_STRING("activation", "Sine")},
                                       .in = {{OP_DIMS(1, 2, 4, 4)}, {OP_DIMS(3, 2, 1, 1)}}},
                     MC_ERR_UNSUPPORTED, "(FusedConv): attribute 'activation'");
}

static void test_rules_of_parts_are_rules_of_the_whole(void **state)
{
    op_check_refused(&(struct op_case){MICROSOFT("FusedConv"), .in = {{OP_DIMS(1, 2, 4, 4)}, {OP_DIMS(3, 5, 1, 1)}}},
                     MC_ERR_INPUT, "'node' (FusedConv): input 1 'in1': needs 2 input channels, has 5");
    op_check_refused(&(struct op_case){MICROSOFT("Gelu"), .in = {{OP_DIMS(2), .dtype = MC_BOOL}}}, MC_ERR_UNSUPPORTED,
                     "'node' (Gelu): input 0 'in0'");
}

static void test_left_out_inputs_are_refused(void **state)
{
    const struct op_tensor byte = {OP_DIMS(2, 2), .dtype = MC_UINT8, OP_DATA(1, 2, 3, 4)};
    op_check_refused(&(struct op_case){MICROSOFT("QLinearSoftmax"), .in = {byte, {OP_SCALAR, OP_DATA(1)}}},
                     MC_ERR_INPUT, "(QLinearSoftmax): an input that it needs is left out");
    op_check_refused(&(struct op_case){MICROSOFT("QLinearAdd"), .in = {byte, {OP_SCALAR, OP_DATA(1)}}}, MC_ERR_INPUT,
                     "(QLinearAdd): needs at least 7 inputs, has 2");
}

static void test_attention_refuses_what_is_missing(void **state)
{
    const struct op_tensor x = {OP_DIMS(1, 2, 4)}, w = {OP_DIMS(4, 12)};
    op_check_refused(&(struct op_case){MICROSOFT("Attention"),
                                       .attrs = {OP_INT("num_heads", 2), OP_INT("do_rotary", 1)}, .in = {x, w}},
                     MC_ERR_UNSUPPORTED, "attribute 'do_rotary': needs 0, has 1");
    op_check_refused(&(struct op_case){MICROSOFT("Attention"), .in = {x, w}}, MC_ERR_INPUT, "attribute 'num_heads'");
    op_check_refused(&(struct op_case){MICROSOFT("MultiHeadAttention"), .attrs = {OP_INT("num_heads", 2)}, .in = {x}},
                     MC_ERR_INPUT, "what is packed needs shape");
}

static void test_bits_refuse_what_is_missing(void **state)
{
    const struct op_tensor x = {OP_DIMS(2, 16)}, scales = {OP_DIMS(3, 1)};
    const struct op_tensor b = {OP_DIMS(3, 1, 8), .dtype = MC_UINT8, .fed = true};
    struct op_case c = {MICROSOFT("MatMulNBits"),
                        .attrs = {OP_INT("N", 3), OP_INT("K", 16), OP_INT("block_size", 16), OP_INT("bits", 2)},
                        .f32_only = true, .in = {x, b, scales}};
    op_check_refused(&c, MC_ERR_UNSUPPORTED, "attribute 'bits': needs 4 or 8, has 2");
    c.attrs[3].i = 8;
    op_check_refused(&c, MC_ERR_INPUT, "input 1 'in1': needs 48 elements, has 24");
}

static void test_failed_allocations(void **state)
{
    op_check_memory(&(struct op_case){MICROSOFT("SkipLayerNormalization"), .n_out = 4,
                                      .in = {{OP_DIMS(2, 3)}, {OP_DIMS(2, 3)}, {OP_DIMS(3), .initializer = true}}});
    op_check_memory(&(struct op_case){MICROSOFT("FusedMatMul"), .attrs = {OP_INT("transB", 1), OP_FLOAT("alpha", 2)},
                                      .in = {{OP_DIMS(2, 3)}, {OP_DIMS(4, 3), .initializer = true}}});
    op_check_memory(&(struct op_case){MICROSOFT("Attention"), .attrs = {OP_INT("num_heads", 2)}, .n_out = 2,
                                      .f32_only = true,
                                      .in = {{OP_DIMS(1, 2, 4)}, {OP_DIMS(4, 12), .initializer = true}}});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unknown_activation_is_refused),
        cmocka_unit_test(test_rules_of_parts_are_rules_of_the_whole),
        cmocka_unit_test(test_left_out_inputs_are_refused),
        cmocka_unit_test(test_attention_refuses_what_is_missing),
        cmocka_unit_test(test_bits_refuse_what_is_missing),
        cmocka_unit_test(test_failed_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
