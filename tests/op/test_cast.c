/* test_cast.c - Cast and CastLike. */
#include "test.h"

#include "coupled.h"
#include "harness.h"
#include "moved.h"

static void test_cast_agrees_with_onnxruntime(void **state)
{
    (void)state;
    moved_check("Cast");
}

static void test_cast_backward_matches_finite_differences(void **state)
{
    (void)state;
    op_check_gradient(&(struct op_case){
        .type = "Cast", .opset = 13, .attrs = {OP_INT("to", MC_DOUBLE)}, .in = {{OP_DIMS(2, 3)}}, .f32_only = true});
}

static void test_cast_survives_failed_allocations(void **state)
{
    (void)state;
    moved_check_memory("Cast");
}

static void test_cast_refuses_types_that_are_none(void **state)
{
    (void)state;
    op_check_refused(
        &(struct op_case){.type = "Cast", .opset = 19, .attrs = {OP_INT("to", MC_COMPLEX64)}, .in = {{OP_DIMS(2)}}},
        MC_ERR_UNSUPPORTED, "cannot cast to complex64");
    op_check_refused(&(struct op_case){.type = "Cast", .opset = 19, .attrs = {OP_INT("to", 99)}, .in = {{OP_DIMS(2)}}},
                     MC_ERR_INPUT, "needs an element type to cast to, has 99");
}

/* The second input gives the type alone. float32 into float32 is a view and has to work as one. */
static void test_cast_like_takes_the_type_of_its_second_input(void **state)
{
    (void)state;
    const struct op_case to_integers = {
        .type = "CastLike",
        .opset = 15,
        .in = {{OP_DIMS(4), OP_DATA(-1.7, 0, 1.5, 300)}, {OP_DIMS(1), .dtype = MC_INT64}}};
    op_check(&to_integers, &(struct op_tensor){OP_DIMS(4), .dtype = MC_INT64, OP_DATA(-1, 0, 1, 300)}, 0);
    const struct op_case same = {
        .type = "CastLike", .opset = 15, .in = {{OP_DIMS(2), OP_DATA(-1.5, 2.25)}, {OP_DIMS(3)}}};
    op_check(&same, &(struct op_tensor){OP_DIMS(2), OP_DATA(-1.5, 2.25)}, 0);
    op_check_gradient(&same);
    op_check_memory(&to_integers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cast_agrees_with_onnxruntime),
        cmocka_unit_test(test_cast_backward_matches_finite_differences),
        cmocka_unit_test(test_cast_survives_failed_allocations),
        cmocka_unit_test(test_cast_refuses_types_that_are_none),
        cmocka_unit_test(test_cast_like_takes_the_type_of_its_second_input),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
