/* test_matmul.c - MatMul. */
#include "coupled.h"
#include "harness.h"
#include "products.h"

#define SHAPE(...) mc_shape_of(INTS(__VA_ARGS__))

static void test_matmul_agrees_with_onnxruntime(void **state)
{
    (void)state;
    products_check("MatMul");
}

static void test_matmul_backward_matches_finite_differences(void **state)
{
    (void)state;
    products_check_gradients("MatMul");
}

static void test_matmul_survives_failed_allocations(void **state)
{
    (void)state;
    products_check_memory("MatMul");
}

static void test_matmul_of_nothing_is_zero(void **state)
{
    (void)state;
    const struct op_case c = {.type = "MatMul", .opset = 13, .in = {{OP_DIMS(2, 2, 0)}, {OP_DIMS(2, 0, 1)}}};
    op_check(&c, &(struct op_tensor){OP_DIMS(2, 2, 1), OP_DATA(0, 0, 0, 0)}, 0);
    const struct op_case none = {.type = "MatMul", .opset = 13, .in = {{OP_DIMS(0, 2, 3)}, {OP_DIMS(3, 4)}}};
    op_check(&none, &(struct op_tensor){OP_DIMS(0, 2, 4)}, 0);
}

/* More products than threads, each small: they are shared out whole. */
static void test_matmul_of_many_matrices_matches_finite_differences(void **state)
{
    (void)state;
    op_check_gradient(
        &(struct op_case){.type = "MatMul", .opset = 13, .in = {{OP_DIMS(5, 1, 3, 4)}, {OP_DIMS(7, 4, 2)}}});
    op_check_precision(
        &(struct op_case){.type = "MatMul", .opset = 13, .in = {{OP_DIMS(3, 40, 33, 65)}, {OP_DIMS(40, 65, 31)}}},
        1e-5);
}

static void test_matmul_with_a_stored_matrix_is_the_same_packed(void **state)
{
    (void)state;
    const struct op_case c = {
        .type = "MatMul", .opset = 13, .in = {{OP_DIMS(2, 9, 33)}, {OP_DIMS(33, 47), .initializer = true}}};
    op_check_precision(&c, 1e-6);
    op_check_memory(&c);
}

static void test_matmul_refuses_what_does_not_fit(void **state)
{
    (void)state;
    op_check_refused(&(struct op_case){.type = "MatMul", .opset = 13, .in = {{OP_DIMS(2, 3)}, {OP_DIMS(4, 5)}}},
                     MC_ERR_INPUT, "needs 3 along axis 0, has 4");
    op_check_refused(&(struct op_case){.type = "MatMul", .opset = 13, .in = {{OP_DIMS(2, 2, 3)}, {OP_DIMS(3, 3, 5)}}},
                     MC_ERR_INPUT, "needs a shape whose leading axes broadcast with [2,2,3], has [3,3,5]");
    op_check_refused(&(struct op_case){.type = "MatMul", .opset = 13, .in = {{OP_SCALAR, OP_DATA(1)}, {OP_DIMS(3)}}},
                     MC_ERR_INPUT, "needs 1 to 16 dimensions");
    op_check_refused(
        &(struct op_case){.type = "MatMul", .opset = 13, .in = {{OP_DIMS(2, 3)}, {.dtype = MC_INT64, OP_DIMS(3, 2)}}},
        MC_ERR_UNSUPPORTED, "has int64");
}

static void test_matmul_ties_data_to_a_stored_matrix_on_either_side(void **state)
{
    (void)state;
    for (int weight_first = 0; weight_first < 2; weight_first++) {
        struct coupled t;
        coupled_init(&t, 13);
        struct mc_value *const w = coupled_value(&t, "w", weight_first ? SHAPE(5, 4) : SHAPE(4, 5));
        struct mc_value *const x = coupled_computed(&t, weight_first ? SHAPE(2, 4, 3) : SHAPE(2, 3, 4));
        struct mc_value *const in[] = {weight_first ? w : x, weight_first ? x : w};
        const struct mc_node *const node = coupled_node(&t, "MatMul", 2, in, 1);
        coupled_couple(&t);
        const struct mc_value *const y = node->outputs[0];
        assert_int_equal(mc_coupling_n_contractions(t.coupling), 1);
        const struct mc_contraction *c = mc_coupling_contraction(t.coupling, 0);
        assert_ptr_equal(c->data, x);
        assert_ptr_equal(c->weight, w);
        assert_int_equal(c->data_axis, weight_first ? 1 : 2);
        assert_int_equal(c->weight_axis, weight_first);
        assert_int_equal(c->weight_out_axis, !weight_first);
        assert_int_equal(c->out_axis, weight_first ? 1 : 2);
        for (int64_t i = 0; i < 5; i++) assert_true(coupled_tied(&t, w, !weight_first, i, y, c->out_axis, i));
        coupled_finish(&t);
    }
}

static void test_matmul_ties_batches_and_the_sum_of_computed_operands(void **state)
{
    (void)state;
    struct coupled t;
    coupled_init(&t, 13);
    struct mc_value *const a = coupled_computed(&t, SHAPE(6, 3, 4));
    struct mc_value *const b = coupled_computed(&t, SHAPE(2, 6, 4, 5));
    const struct mc_value *const y = coupled_node(&t, "MatMul", 2, (struct mc_value *const[]){a, b}, 1)->outputs[0];
    coupled_couple(&t);
    assert_true(coupled_tied(&t, a, 2, 3, b, 2, 3));
    assert_true(coupled_tied(&t, b, 0, 1, y, 0, 1));
    assert_true(coupled_tied(&t, a, 0, 5, y, 1, 5));
    assert_true(coupled_tied(&t, b, 1, 5, y, 1, 5));
    assert_true(coupled_tied(&t, a, 1, 2, y, 2, 2));
    assert_true(coupled_tied(&t, b, 3, 4, y, 3, 4));
    assert_int_equal(mc_coupling_n_contractions(t.coupling), 1);
    assert_false(mc_coupling_contraction(t.coupling, 0)->movable);
    coupled_finish(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matmul_agrees_with_onnxruntime),
        cmocka_unit_test(test_matmul_backward_matches_finite_differences),
        cmocka_unit_test(test_matmul_survives_failed_allocations),
        cmocka_unit_test(test_matmul_of_nothing_is_zero),
        cmocka_unit_test(test_matmul_of_many_matrices_matches_finite_differences),
        cmocka_unit_test(test_matmul_with_a_stored_matrix_is_the_same_packed),
        cmocka_unit_test(test_matmul_refuses_what_does_not_fit),
        cmocka_unit_test(test_matmul_ties_data_to_a_stored_matrix_on_either_side),
        cmocka_unit_test(test_matmul_ties_batches_and_the_sum_of_computed_operands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
