/* test_clip.c - Clip, with bounds as attributes and as inputs. */
#include "op/ops.h"

#include <math.h>

#include "coupled.h"
#include "elements.h"
#include "harness.h"

#define BOUND(value)                                                                                                   \
    {                                                                                                                  \
        OP_SCALAR, OP_DATA(value), .initializer = true                                                                 \
    }

static void test_clip_agrees_with_onnxruntime(void **state)
{
    elements_check("Clip", 0);
}

static void test_clip_backward_matches_finite_differences(void **state)
{
    const struct op_case cases[] = {
        {.type = "Clip", .opset = 13, .in = {{OP_DIMS(4, 5)}, BOUND(-0.501), BOUND(0.301)}},
        {.type = "Clip", .opset = 13, .in = {{OP_DIMS(4, 5)}, BOUND(-0.501)}},
        {.type = "Clip", .opset = 13, .in = {{OP_DIMS(4, 5)}, OP_ABSENT, BOUND(0.301)}},
        {.type = "Clip", .opset = 11, .in = {{OP_DIMS(4, 5)}}},
        {.type = "Clip", .opset = 6, .attrs = {OP_FLOAT("min", -0.501f)}, .in = {{OP_DIMS(4, 5)}}},
        {.type = "Clip", .opset = 6, .attrs = {OP_FLOAT("max", 0.301f)}, .in = {{OP_SCALAR}}},
        {.type = "Clip", .opset = 13, .in = {{OP_DIMS(0, 5)}, BOUND(-0.5)}},
    };
    for (size_t k = 0; k < sizeof(cases) / sizeof(*cases); k++) op_check_gradient(&cases[k]);
}

static void test_clip_keeps_nan_and_bounds_infinity(void **state)
{
    op_check(&(struct op_case){.type = "Clip",
                               .opset = 13,
                               .in = {{OP_DIMS(3), OP_DATA(NAN, INFINITY, -INFINITY)}, BOUND(-1), BOUND(2)}},
             (struct op_tensor[]){{OP_DIMS(3), OP_DATA(NAN, 2, -1)}}, 0);
}

static void test_clip_takes_bounds_that_are_fed(void **state)
{
    op_check(
        &(struct op_case){.type = "Clip",
                          .opset = 13,
                          .in = {{OP_DIMS(3), OP_DATA(-3, 0, 3)}, {OP_SCALAR, OP_DATA(-1)}, {OP_DIMS(1), OP_DATA(2)}}},
        (struct op_tensor[]){{OP_DIMS(3), OP_DATA(-1, 0, 2)}}, 0);
}

static void test_clip_of_integers_without_bounds_copies(void **state)
{
    op_check(&(struct op_case){.type = "Clip",
                               .opset = 13,
                               .in = {{.dtype = MC_INT64, OP_DIMS(2), OP_DATA(-3, 4), .fed = true}}},
             (struct op_tensor[]){{.dtype = MC_INT64, OP_DIMS(2), OP_DATA(-3, 4)}}, 0);
    op_check(&(struct op_case){.type = "Clip",
                               .opset = 13,
                               .in = {{.dtype = MC_INT64, OP_DIMS(2), OP_DATA(-3, 4), .fed = true},
                                      OP_ABSENT,
                                      {.dtype = MC_INT64, OP_SCALAR, OP_DATA(1)}}},
             (struct op_tensor[]){{.dtype = MC_INT64, OP_DIMS(2), OP_DATA(-3, 1)}}, 0);
}

static void test_clip_refuses_bounds_that_do_not_fit(void **state)
{
    op_check_refused(&(struct op_case){.type = "Clip", .opset = 13, .in = {{OP_DIMS(3)}, {OP_DIMS(2)}}}, MC_ERR_INPUT,
                     "input 1 'in1': needs one number, has shape [2]");
    op_check_refused(&(struct op_case){.type = "Clip",
                                       .opset = 13,
                                       .in = {{OP_DIMS(3)}, {.dtype = MC_INT64, OP_SCALAR, OP_DATA(1)}}},
                     MC_ERR_UNSUPPORTED, "needs float32, has int64");
    op_check_refused(
        &(struct op_case){.type = "Clip", .opset = 13, .in = {{.dtype = MC_BOOL, OP_DIMS(1), OP_DATA(1)}}},
        MC_ERR_UNSUPPORTED, "has bool");
    op_check_refused(&(struct op_case){.type = "Clip", .opset = 6, .in = {{.dtype = MC_INT64, OP_DIMS(1), OP_DATA(1)}}},
                     MC_ERR_UNSUPPORTED, "has int64");
}

static void test_clip_passes_channels(void **state)
{
    struct coupled t;
    coupled_init(&t, 13);
    struct mc_value *const in[] = {coupled_value(&t, "x", mc_shape_of(INTS(2, 3))),
                                   coupled_value(&t, "low", mc_shape_of(0, NULL))};
    const struct mc_value *y = coupled_node(&t, "Clip", 2, in, 1)->outputs[0];
    coupled_couple(&t);
    assert_true(coupled_tied(&t, in[0], 1, 2, y, 1, 2));
    coupled_finish(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clip_agrees_with_onnxruntime),
        cmocka_unit_test(test_clip_backward_matches_finite_differences),
        cmocka_unit_test(test_clip_keeps_nan_and_bounds_infinity),
        cmocka_unit_test(test_clip_takes_bounds_that_are_fed),
        cmocka_unit_test(test_clip_of_integers_without_bounds_copies),
        cmocka_unit_test(test_clip_refuses_bounds_that_do_not_fit),
        cmocka_unit_test(test_clip_passes_channels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
