/* test_pool.c - MaxPool, AveragePool, GlobalAveragePool, GlobalMaxPool. Expected numbers: ONNX Runtime 1.32. */
#include <math.h>

#include "harness.h"
#include "products.h"

#define PLANE .in = {{OP_DIMS(1, 1, 4, 5), OP_DATA(3, -1, 4, 1, -5, 9, 2, -6, 5, 3, 5, -8, 9, 7, -9, 3, 2, 3, 8, -4)}}

static void check(const char *type, int opset, const struct op_attr *attrs, int n_attrs,
                  const struct op_tensor *expected, int n_out)
{
    struct op_case c = {.type = type, .opset = opset, .n_out = n_out, PLANE};
    for (int i = 0; i < n_attrs; i++) c.attrs[i] = attrs[i];
    op_check(&c, expected, 1e-6);
    c.training = true;
    op_check(&c, expected, 1e-6);
}

#define CHECK(type, opset, n_out, expected, ...)                                                                       \
    check(type, opset, (const struct op_attr[]){__VA_ARGS__},                                                          \
          (int)(sizeof((const struct op_attr[]){__VA_ARGS__}) / sizeof(struct op_attr)), expected, n_out)

static void test_maxima_and_their_indices_match_onnxruntime(void **state)
{
    const struct op_tensor padded[] = {{OP_DIMS(1, 1, 2, 2), OP_DATA(9, 5, 5, 9)},
                                       {.dtype = MC_INT64, OP_DIMS(1, 1, 2, 2), OP_DATA(5, 8, 10, 12)}};
    CHECK("MaxPool", 12, 2, padded, OP_INTS("kernel_shape", 2, 3), OP_INTS("strides", 2, 2),
          OP_INTS("pads", 0, 1, 1, 0));
    const struct op_tensor columns[] = {{OP_DIMS(1, 1, 2, 3), OP_DATA(9, 7, 9, 9, 8, 3)},
                                        {.dtype = MC_INT64, OP_DIMS(1, 1, 2, 3), OP_DATA(10, 14, 10, 1, 15, 17)}};
    CHECK("MaxPool", 12, 2, columns, OP_INTS("kernel_shape", 2, 2), OP_INTS("dilations", 2, 2),
          OP_INT("storage_order", 1));
    const struct op_tensor rounded_up = {OP_DIMS(1, 1, 2, 2), OP_DATA(9, 9, 9, 9)};
    CHECK("MaxPool", 12, 1, &rounded_up, OP_INTS("kernel_shape", 3, 3), OP_INTS("strides", 2, 2),
          OP_INT("ceil_mode", 1));
}

static void test_same_padding_goes_to_the_side_it_names(void **state)
{
    const struct op_tensor upper = {OP_DIMS(1, 1, 2, 3), OP_DATA(9, 5, 3, 5, 9, -4)};
    CHECK("MaxPool", 12, 1, &upper, OP_INTS("kernel_shape", 2, 2), OP_INTS("strides", 2, 2),
          OP_STRING("auto_pad", "SAME_UPPER"));
    const struct op_tensor lower = {OP_DIMS(1, 1, 2, 3), OP_DATA(9, 4, 5, 5, 9, 8)};
    CHECK("MaxPool", 12, 1, &lower, OP_INTS("kernel_shape", 2, 2), OP_INTS("strides", 2, 2),
          OP_STRING("auto_pad", "SAME_LOWER"));
}

static void test_means_match_onnxruntime(void **state)
{
    const struct op_tensor without = {OP_DIMS(1, 1, 2, 2), OP_DATA(3.25, 0.8333333, 0.5, 3.5)};
    CHECK("AveragePool", 19, 1, &without, OP_INTS("kernel_shape", 2, 3), OP_INTS("strides", 2, 2),
          OP_INTS("pads", 0, 1, 1, 0));
    const struct op_tensor with = {OP_DIMS(1, 1, 2, 2), OP_DATA(2.166667, 0.8333333, 0.3333333, 3.5)};
    CHECK("AveragePool", 19, 1, &with, OP_INTS("kernel_shape", 2, 3), OP_INTS("strides", 2, 2),
          OP_INTS("pads", 0, 1, 1, 0), OP_INT("count_include_pad", 1));
    const struct op_tensor hanging = {OP_DIMS(1, 1, 3, 3), OP_DATA(1.444444, 0.5555556, 0.4444444, 1.444444, 2.444444,
                                                                   1.111111, 0.8333333, 2.166667, 0.6666667)};
    CHECK("AveragePool", 19, 1, &hanging, OP_INTS("kernel_shape", 3, 3), OP_INTS("strides", 2, 2),
          OP_INT("ceil_mode", 1), OP_INTS("pads", 1, 1, 1, 1), OP_INT("count_include_pad", 1));
    const struct op_tensor inside = {OP_DIMS(1, 1, 2, 2), OP_DATA(1.888889, 1, 2.333333, 2.333333)};
    CHECK("AveragePool", 10, 1, &inside, OP_INTS("kernel_shape", 3, 3), OP_INTS("strides", 2, 2),
          OP_INT("ceil_mode", 1));
}

static void test_one_and_three_axes(void **state)
{
    struct op_case line = {
        .type = "AveragePool",
        .opset = 11,
        .attrs = {OP_INTS("kernel_shape", 2), OP_INTS("strides", 3)},
        .in = {{OP_DIMS(1, 4, 5), OP_DATA(3, -1, 4, 1, -5, 9, 2, -6, 5, 3, 5, -8, 9, 7, -9, 3, 2, 3, 8, -4)}}};
    op_check(&line, &(struct op_tensor){OP_DIMS(1, 4, 2), OP_DATA(1, -2, 5.5, 4, -1.5, -1, 2.5, 2)}, 1e-6);
    struct op_case box = {.type = "MaxPool",
                          .opset = 12,
                          .attrs = {OP_INTS("kernel_shape", 2, 1, 2)},
                          .in = {{OP_DIMS(1, 1, 2, 2, 3), OP_DATA(1, 2, 3, 4, 5, 6, 6, 5, 4, 3, 2, 1)}}};
    op_check(&box, &(struct op_tensor){OP_DIMS(1, 1, 1, 2, 2), OP_DATA(6, 5, 5, 6)}, 0);
}

static void test_global_pools_match_onnxruntime(void **state)
{
    struct op_case c = {.type = "GlobalAveragePool", .opset = 1, PLANE};
    c.in[0].dim[1] = 2;
    c.in[0].dim[2] = 2;
    op_check(&c, &(struct op_tensor){OP_DIMS(1, 2, 1, 1), OP_DATA(1.5, 1.6)}, 1e-6);
    c.type = "GlobalMaxPool";
    op_check(&c, &(struct op_tensor){OP_DIMS(1, 2, 1, 1), OP_DATA(9, 9)}, 0);
}

static void test_nan_is_the_largest(void **state)
{
    const struct op_case c = {.type = "MaxPool",
                              .opset = 12,
                              .attrs = {OP_INTS("kernel_shape", 2)},
                              .n_out = 2,
                              .in = {{OP_DIMS(1, 1, 4), OP_DATA(1, NAN, 7, NAN)}}};
    const struct op_tensor expected[] = {{OP_DIMS(1, 1, 3), OP_DATA(NAN, NAN, NAN)},
                                         {.dtype = MC_INT64, OP_DIMS(1, 1, 3), OP_DATA(1, 1, 3)}};
    op_check(&c, expected, 0);
}

static void test_gradients_match_finite_differences(void **state)
{
    const struct op_case cases[] = {
        {.type = "MaxPool",
         .opset = 12,
         .attrs = {OP_INTS("kernel_shape", 3, 2), OP_INTS("strides", 2, 1), OP_INTS("pads", 1, 0, 1, 1)},
         .in = {{OP_DIMS(2, 3, 5, 7)}}},
        {.type = "MaxPool",
         .opset = 12,
         .attrs = {OP_INTS("kernel_shape", 2), OP_INTS("dilations", 3)},
         .in = {{OP_DIMS(1, 2, 9)}}},
        {.type = "AveragePool",
         .opset = 19,
         .attrs = {OP_INTS("kernel_shape", 3, 2), OP_INTS("strides", 2, 1), OP_INTS("pads", 1, 0, 1, 1),
                   OP_INT("ceil_mode", 1)},
         .in = {{OP_DIMS(2, 3, 5, 7)}}},
        {.type = "AveragePool",
         .opset = 19,
         .attrs = {OP_INTS("kernel_shape", 2, 2, 2), OP_INT("count_include_pad", 1), OP_INTS("pads", 0, 1, 0, 1, 0, 1)},
         .in = {{OP_DIMS(1, 2, 2, 3, 4)}}},
        {.type = "GlobalAveragePool", .opset = 1, .in = {{OP_DIMS(2, 3, 3, 2)}}},
        {.type = "GlobalMaxPool", .opset = 1, .in = {{OP_DIMS(2, 3, 5)}}},
        {.type = "GlobalAveragePool", .opset = 1, .in = {{OP_DIMS(0, 3, 5)}}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) op_check_gradient(&cases[i]);
}

static void test_wrong_attributes_are_refused(void **state)
{
    struct op_case c = {.type = "MaxPool", .opset = 12, PLANE};
    op_check_refused(&c, MC_ERR_INPUT, "attribute 'kernel_shape' is needed");
    c.attrs[0] = (struct op_attr)OP_INTS("kernel_shape", 2);
    op_check_refused(&c, MC_ERR_INPUT, "attribute 'kernel_shape': needs 2 numbers, has 1");
    c.attrs[0] = (struct op_attr)OP_INTS("kernel_shape", 9, 2);
    op_check_refused(&c, MC_ERR_INPUT, "kernel reaches over 9 elements, the padded input has 4");
    c.attrs[0] = (struct op_attr)OP_INTS("kernel_shape", 2, 2);
    c.attrs[1] = (struct op_attr)OP_INTS("strides", 0, 1);
    op_check_refused(&c, MC_ERR_INPUT, "attribute 'strides': needs numbers from 1 to 2147483647, has 0");
    c.attrs[1] = (struct op_attr)OP_STRING("auto_pad", "SAME");
    op_check_refused(&c, MC_ERR_INPUT, "attribute 'auto_pad': needs NOTSET, SAME_UPPER, SAME_LOWER or VALID");
    c.attrs[1] = (struct op_attr){0};
    c.in[0].rank = 2;
    op_check_refused(&c, MC_ERR_UNSUPPORTED, "needs rank 3 to 5, has 2");
}

static void test_failing_allocations_are_survived(void **state)
{
    op_check_memory(
        &(struct op_case){.type = "AveragePool", .opset = 19, .attrs = {OP_INTS("kernel_shape", 2, 2)}, PLANE});
    op_check_memory(&(struct op_case){.type = "MaxPool", .opset = 12, .attrs = {OP_INTS("kernel_shape", 2, 2)}, PLANE});
}

/* Channels: fewer than a chunk of the loops, and more than one. */
static void test_pools_take_channels_last(void **state)
{
    static const int64_t channels[] = {5, 70};
    for (int i = 0; i < 2; i++) {
        struct op_case c = {
            .type = "MaxPool",
            .opset = 12,
            .attrs = {OP_INTS("kernel_shape", 3, 2), OP_INTS("strides", 2, 1), OP_INTS("pads", 1, 0, 1, 1)},
            .in = {{OP_DIMS(2, channels[i], 7, 5)}}};
        op_check_channels_last(&c);
        c.type = "AveragePool";
        op_check_channels_last(&c);
        c = (struct op_case){.type = "GlobalAveragePool", .opset = 12, .in = {{OP_DIMS(2, channels[i], 3, 4)}}};
        op_check_channels_last(&c);
        c.type = "GlobalMaxPool";
        op_check_channels_last(&c);
    }
}

static const char *const pools[] = {"MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool"};

static void test_pools_agree_with_onnxruntime_by_every_instruction_set(void **state)
{
    for (size_t i = 0; i < sizeof pools / sizeof pools[0]; i++) products_check(pools[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pools_take_channels_last),
        cmocka_unit_test(test_maxima_and_their_indices_match_onnxruntime),
        cmocka_unit_test(test_same_padding_goes_to_the_side_it_names),
        cmocka_unit_test(test_means_match_onnxruntime),
        cmocka_unit_test(test_pools_agree_with_onnxruntime_by_every_instruction_set),
        cmocka_unit_test(test_one_and_three_axes),
        cmocka_unit_test(test_global_pools_match_onnxruntime),
        cmocka_unit_test(test_nan_is_the_largest),
        cmocka_unit_test(test_gradients_match_finite_differences),
        cmocka_unit_test(test_wrong_attributes_are_refused),
        cmocka_unit_test(test_failing_allocations_are_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
