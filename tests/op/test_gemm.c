/* test_gemm.c - Gemm. */
#include "base/alloc.h"
#include "coupled.h"
#include "harness.h"
#include "products.h"

#define SHAPE(...) mc_shape_of(INTS(__VA_ARGS__))

static void test_gemm_agrees_with_onnxruntime(void **state)
{
    (void)state;
    products_check("Gemm");
}

static void test_gemm_backward_matches_finite_differences(void **state)
{
    (void)state;
    products_check_gradients("Gemm");
}

static void test_gemm_survives_failed_allocations(void **state)
{
    (void)state;
    products_check_memory("Gemm");
}

static void test_gemm_of_nothing_is_its_addend(void **state)
{
    (void)state;
    const struct op_case no_sum = {
        .type = "Gemm", .opset = 13, .in = {{OP_DIMS(2, 0)}, {OP_DIMS(0, 3)}, {OP_DIMS(3), OP_DATA(1, 2, 3)}}};
    op_check(&no_sum, &(struct op_tensor){OP_DIMS(2, 3), OP_DATA(1, 2, 3, 1, 2, 3)}, 0);
    const struct op_case no_rows = {.type = "Gemm", .opset = 13, .in = {{OP_DIMS(0, 4)}, {OP_DIMS(4, 3)}}};
    op_check(&no_rows, &(struct op_tensor){OP_DIMS(0, 3)}, 0);
}

/* Packed: as exporters write it. Not packed: what scales, transposes or does not add a row. */
static void test_gemm_with_a_stored_matrix_is_the_same_packed(void **state)
{
    (void)state;
    const struct op_tensor x = {OP_DIMS(9, 33)}, turned = {OP_DIMS(33, 9)}, row = {OP_DIMS(47)},
                           column = {OP_DIMS(9, 1)};
    const struct op_tensor b = {OP_DIMS(33, 47), .initializer = true},
                           b_turned = {OP_DIMS(47, 33), .initializer = true};
    const struct op_case cases[] = {
        {.type = "Gemm", .opset = 13, .in = {x, b_turned, row}, .attrs = {OP_INT("transB", 1)}},
        {.type = "Gemm", .opset = 13, .in = {x, b, {OP_DIMS(1, 47), .initializer = true}}},
        {.type = "Gemm", .opset = 13, .in = {x, b}},
        {.type = "Gemm", .opset = 13, .in = {x, b, column}},
        {.type = "Gemm", .opset = 13, .in = {x, b, row}, .attrs = {OP_FLOAT("alpha", 2)}},
        {.type = "Gemm", .opset = 13, .in = {x, b, row}, .attrs = {OP_FLOAT("beta", 2)}},
        {.type = "Gemm", .opset = 13, .in = {turned, b, row}, .attrs = {OP_INT("transA", 1)}},
    };
    for (size_t i = 0; i < MC_COUNT(cases); i++) op_check_precision(&cases[i], 1e-6);
    op_check_memory(&cases[0]);
}

static void test_gemm_refuses_what_does_not_fit(void **state)
{
    (void)state;
    op_check_refused(&(struct op_case){.type = "Gemm", .opset = 13, .in = {{OP_DIMS(2, 3)}, {OP_DIMS(4, 5)}}},
                     MC_ERR_INPUT, "needs 3 along axis 0, has 4");
    op_check_refused(
        &(struct op_case){
            .type = "Gemm", .opset = 13, .attrs = {OP_INT("transB", 1)}, .in = {{OP_DIMS(2, 3)}, {OP_DIMS(3, 5)}}},
        MC_ERR_INPUT, "needs 3 along axis 1, has 5");
    op_check_refused(
        &(struct op_case){.type = "Gemm", .opset = 13, .in = {{OP_DIMS(2, 3)}, {OP_DIMS(3, 5)}, {OP_DIMS(4)}}},
        MC_ERR_INPUT, "needs a shape that broadcasts to [2,5], has [4]");
    op_check_refused(
        &(struct op_case){.type = "Gemm", .opset = 13, .in = {{OP_DIMS(1, 3)}, {OP_DIMS(3, 5)}, {OP_DIMS(2, 5)}}},
        MC_ERR_INPUT, "broadcasts to [1,5], has [2,5]");
    op_check_refused(&(struct op_case){.type = "Gemm", .opset = 13, .in = {{OP_DIMS(2, 1, 3)}, {OP_DIMS(3, 5)}}},
                     MC_ERR_INPUT, "needs 2 dimensions, has shape [2,1,3]");
    op_check_refused(&(struct op_case){.type = "Gemm",
                                       .opset = 13,
                                       .in = {{.dtype = MC_INT32, OP_DIMS(2, 3)}, {.dtype = MC_INT32, OP_DIMS(3, 5)}}},
                     MC_ERR_UNSUPPORTED, "has int32");
}

/* The sum over K: data [3,4] against weight [4,5], addend [5]; stored the other way round as `trans` says. */
static void check_coupling(bool trans)
{
    struct coupled t;
    struct mc_error err = {0};
    coupled_init(&t, 13);
    struct mc_value *const x = coupled_computed(&t, trans ? SHAPE(4, 3) : SHAPE(3, 4));
    struct mc_value *const in[] = {x, coupled_value(&t, "w", trans ? SHAPE(5, 4) : SHAPE(4, 5)),
                                   coupled_value(&t, "b", SHAPE(5))};
    struct mc_node *const node = coupled_node(&t, "Gemm", 3, in, 1);
    assert_ok(mc_node_set_int(node, "transA", trans, &err), err);
    assert_ok(mc_node_set_int(node, "transB", trans, &err), err);
    coupled_couple(&t);
    const struct mc_value *const y = node->outputs[0];
    for (int64_t i = 0; i < 4; i++) assert_true(coupled_tied(&t, x, !trans, i, in[1], trans, i));
    for (int64_t i = 0; i < 5; i++) {
        assert_true(coupled_tied(&t, in[1], !trans, i, y, 1, i));
        assert_true(coupled_tied(&t, in[2], 0, i, y, 1, i));
        assert_false(coupled_tied(&t, y, 1, i, y, 1, (i + 1) % 5));
    }
    assert_true(coupled_tied(&t, x, trans, 2, y, 0, 2));
    assert_int_equal(mc_coupling_n_contractions(t.coupling), 1);
    const struct mc_contraction *c = mc_coupling_contraction(t.coupling, 0);
    assert_ptr_equal(c->data, x);
    assert_ptr_equal(c->weight, in[1]);
    assert_int_equal(c->data_axis, !trans);
    assert_int_equal(c->weight_axis, trans);
    assert_int_equal(c->weight_out_axis, !trans);
    assert_int_equal(c->bias_input, 2);
    assert_int_equal(c->out_axis, 1);
    assert_true(c->movable);
    assert_int_equal(mc_coupling_role(t.coupling, in[1], !trans), MC_ROLE_PRODUCES);
    assert_int_equal(mc_coupling_role(t.coupling, in[1], trans), MC_ROLE_CONSUMES);
    assert_int_equal(mc_coupling_role(t.coupling, in[2], 0), MC_ROLE_SHIFT);
    coupled_finish(&t);
}

static void test_gemm_ties_its_sum_and_its_addend(void **state)
{
    (void)state;
    check_coupling(false);
    check_coupling(true);
}

static void test_gemm_moves_no_constant_into_an_addend_of_another_scale(void **state)
{
    (void)state;
    struct coupled t;
    struct mc_error err = {0};
    coupled_init(&t, 13);
    struct mc_value *const in[] = {coupled_value(&t, "x", SHAPE(3, 4)), coupled_value(&t, "w", SHAPE(4, 5)),
                                   coupled_value(&t, "b", SHAPE(5))};
    struct mc_node *const node = coupled_node(&t, "Gemm", 3, in, 1);
    assert_ok(mc_node_set_float(node, "beta", 0.5f, &err), err);
    coupled_couple(&t);
    assert_false(mc_coupling_contraction(t.coupling, 0)->movable);
    coupled_finish(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gemm_agrees_with_onnxruntime),
        cmocka_unit_test(test_gemm_backward_matches_finite_differences),
        cmocka_unit_test(test_gemm_survives_failed_allocations),
        cmocka_unit_test(test_gemm_of_nothing_is_its_addend),
        cmocka_unit_test(test_gemm_with_a_stored_matrix_is_the_same_packed),
        cmocka_unit_test(test_gemm_refuses_what_does_not_fit),
        cmocka_unit_test(test_gemm_ties_its_sum_and_its_addend),
        cmocka_unit_test(test_gemm_moves_no_constant_into_an_addend_of_another_scale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
