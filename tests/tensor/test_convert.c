/* test_convert.c - values across element types. Expected codes: ml_dtypes 0.5 and NumPy 2.4, and the formats' papers.
 */
#include "test.h"

#include <math.h>
#include <string.h>

#include "tensor/half.h"
#include "tensor/tensor.h"

/* Convert one double into `dtype`; return the code. */
static unsigned code_of(enum mc_dtype dtype, double value)
{
    unsigned char bytes[8] = {0};
    struct mc_tensor t = {.dtype = dtype, .shape = {.rank = 0}, .data = bytes};
    mc_tensor_set_f64(&t, 0, value);
    uint16_t code;
    memcpy(&code, bytes, sizeof code);
    return code;
}

static void test_half_codes(void **state)
{
    static const struct {
        double value;
        unsigned code;
    } cases[] = {
        {0, 0},          {-0.0, 0x8000},   {1, 0x3c00},           {-2, 0xc000},          {65504, 0x7bff},
        {65519, 0x7bff}, {65520, 0x7c00},  {INFINITY, 0x7c00},    {0x1p-24, 1},          {0x1p-25, 0},
        {0x1.8p-24, 2},  {0x1p-14, 0x400}, {1 + 0x1p-11, 0x3c00}, {1 + 0x3p-11, 0x3c02}, {0.1, 0x2e66},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(code_of(MC_FLOAT16, cases[i].value), cases[i].code);
    assert_int_equal(code_of(MC_FLOAT16, NAN), 0x7e00);
}

static void test_every_half_and_bfloat16_survives_the_way_through_float(void **state)
{
    for (unsigned h = 0; h < 0x10000; h++) {
        const float f = mc_half_to_float((uint16_t)h);
        if (!isnan(f)) assert_int_equal(mc_float_to_half(f), h);
        const float b = mc_bfloat16_to_float((uint16_t)h);
        if (!isnan(b)) assert_int_equal(mc_float_to_bfloat16(b), h);
    }
    assert_true(isnan(mc_bfloat16_to_float(mc_float_to_bfloat16(NAN))));
    assert_int_equal(mc_float_to_bfloat16(1.00390625f), 0x3f80); /* tie to even */
    assert_int_equal(code_of(MC_BFLOAT16, 3.4e38), 0x7f80);      /* past the largest: infinity */
}

static void test_float8_codes(void **state)
{
    assert_int_equal(code_of(MC_FLOAT8E4M3FN, 448), 0x7e);
    assert_int_equal(code_of(MC_FLOAT8E4M3FN, 1e9), 0x7e); /* saturates */
    assert_int_equal(code_of(MC_FLOAT8E4M3FN, NAN), 0x7f);
    assert_int_equal(code_of(MC_FLOAT8E4M3FN, 0x1p-9), 1);
    assert_int_equal(code_of(MC_FLOAT8E4M3FNUZ, 240), 0x7f);
    assert_int_equal(code_of(MC_FLOAT8E4M3FNUZ, NAN), 0x80);
    assert_int_equal(code_of(MC_FLOAT8E4M3FNUZ, -0.0), 0);
    assert_int_equal(code_of(MC_FLOAT8E5M2, 57344), 0x7b);
    assert_int_equal(code_of(MC_FLOAT8E5M2FNUZ, 57344), 0x7f);
    assert_int_equal(code_of(MC_FLOAT4E2M1, 6), 7);
    assert_int_equal(code_of(MC_FLOAT4E2M1, -0.5), 9);
}

static void test_float8_values_survive(void **state)
{
    static const enum mc_dtype types[] = {MC_FLOAT8E4M3FN, MC_FLOAT8E4M3FNUZ, MC_FLOAT8E5M2, MC_FLOAT8E5M2FNUZ,
                                          MC_FLOAT8E8M0};
    for (size_t k = 0; k < sizeof types / sizeof types[0]; k++)
        for (unsigned code = 0; code < 256; code++) {
            unsigned char byte = (unsigned char)code;
            struct mc_tensor t = {.dtype = types[k], .shape = {.rank = 0}, .data = &byte};
            const double value = mc_tensor_get_f64(&t, 0);
            if (isfinite(value)) assert_int_equal(code_of(types[k], value), code);
        }
}

static void test_cast_truncates_floats_and_keeps_large_integers(void **state)
{
    struct mc_error err = {0};
    const struct mc_shape shape = mc_shape_of(1, (int64_t[]){4});
    double reals[4] = {-1.9, 1.9, 255, 0.4};
    int8_t small[4];
    struct mc_tensor from = {.dtype = MC_DOUBLE, .shape = shape, .data = reals};
    struct mc_tensor to = {.dtype = MC_INT8, .shape = shape, .data = small};
    assert_ok(mc_tensor_convert(&to, &from, &err), err);
    assert_int_equal(small[0], -1);
    assert_int_equal(small[1], 1);
    unsigned char truth[4];
    struct mc_tensor flags = {.dtype = MC_BOOL, .shape = shape, .data = truth};
    assert_ok(mc_tensor_convert(&flags, &from, &err), err);
    assert_int_equal(truth[3], 1);
    int64_t large[4] = {INT64_MAX, INT64_MIN, (INT64_C(1) << 53) + 1, 0};
    uint64_t same[4];
    struct mc_tensor wide = {.dtype = MC_INT64, .shape = shape, .data = large};
    struct mc_tensor unsign = {.dtype = MC_UINT64, .shape = shape, .data = same};
    assert_ok(mc_tensor_convert(&unsign, &wide, &err), err);
    assert_memory_equal(same, large, sizeof large);
}

static void test_four_bit_elements_lie_two_to_a_byte(void **state)
{
    unsigned char packed[2] = {0x1f, 0x08}; /* -1, 1, -8 */
    struct mc_tensor t = {.dtype = MC_INT4, .shape = mc_shape_of(1, (int64_t[]){3}), .data = packed};
    assert_int_equal(mc_tensor_get_i64(&t, 0), -1);
    assert_int_equal(mc_tensor_get_i64(&t, 1), 1);
    assert_int_equal(mc_tensor_get_i64(&t, 2), -8);
    mc_tensor_set_f64(&t, 1, -3);
    assert_int_equal(packed[0], 0xdf);
}

static void test_strings_do_not_convert(void **state)
{
    struct mc_error err = {0};
    struct mc_text text = {"1", 1};
    float f;
    const struct mc_tensor from = {.dtype = MC_STRING, .data = &text};
    struct mc_tensor to = {.dtype = MC_FLOAT, .data = &f};
    assert_int_equal(mc_tensor_convert(&to, &from, &err), MC_ERR_UNSUPPORTED);
}

/* All halves, and floats that cover every exponent and all that rounding does, both ways against the slow readers and
 * writers. NaNs only have to stay NaN. */
static void test_fast_halves_are_the_slow_ones(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < 0x10000; h++) {
        const uint16_t code = (uint16_t)h;
        float fast[2];
        mc_halves_to_floats(1, &code, &fast[0]);
        mc_bfloats_to_floats(1, &code, &fast[1]);
        const float slow[2] = {mc_half_to_float(code), mc_bfloat16_to_float(code)};
        for (int k = 0; k < 2; k++)
            assert_true(isnan(slow[k]) ? isnan(fast[k]) : memcmp(&fast[k], &slow[k], sizeof slow[k]) == 0);
    }
    for (uint64_t step = 0; step <= UINT32_MAX; step += 4093) {
        const uint32_t bits = (uint32_t)step;
        float f;
        uint16_t fast[2];
        memcpy(&f, &bits, sizeof f);
        mc_floats_to_halves(1, &f, &fast[0]);
        mc_floats_to_bfloats(1, &f, &fast[1]);
        if (isnan(f)) {
            assert_true(isnan(mc_half_to_float(fast[0])) && isnan(mc_bfloat16_to_float(fast[1])));
        } else {
            assert_int_equal(fast[0], mc_float_to_half(f));
            assert_int_equal(fast[1], mc_float_to_bfloat16(f));
        }
    }
}

/* Whole tensors take the fast loops, single elements never do. */
static void test_fast_pairs_are_the_slow_ones(void **state)
{
    static const enum mc_dtype pairs[][2] = {{MC_BOOL, MC_FLOAT},   {MC_INT32, MC_FLOAT},  {MC_INT64, MC_FLOAT},
                                             {MC_DOUBLE, MC_FLOAT}, {MC_FLOAT, MC_DOUBLE}, {MC_INT64, MC_INT32},
                                             {MC_INT32, MC_INT64}};
    static const double numbers[] = {0, 1, -1, 2.5, 16777217, -2147483648.0, 4294967297.0, 9007199254740993.0, 1e300};
    enum { N = sizeof numbers / sizeof *numbers };
    struct mc_error err = {0};
    for (size_t k = 0; k < sizeof pairs / sizeof *pairs; k++) {
        uint64_t from_bytes[N] = {0}, to_bytes[N] = {0}, one_bytes[N] = {0};
        struct mc_tensor from = {.dtype = pairs[k][0], .shape = mc_shape_of(1, (int64_t[]){N}), .data = from_bytes};
        struct mc_tensor to = {.dtype = pairs[k][1], .shape = from.shape, .data = to_bytes}, one = to;
        one.data = one_bytes;
        for (int i = 0; i < N; i++) mc_tensor_set_f64(&from, i, numbers[i]);
        assert_ok(mc_tensor_convert(&to, &from, &err), err);
        for (int i = 0; i < N; i++) {
            if (mc_dtype_is_float(from.dtype))
                mc_tensor_set_f64(&one, i, mc_tensor_get_f64(&from, i));
            else if (to.dtype == MC_FLOAT)
                ((float *)one_bytes)[i] = (float)mc_tensor_get_i64(&from, i);
            else if (to.dtype == MC_INT32)
                ((uint32_t *)one_bytes)[i] = (uint32_t)mc_tensor_get_i64(&from, i);
            else
                ((int64_t *)one_bytes)[i] = mc_tensor_get_i64(&from, i);
        }
        assert_memory_equal(to_bytes, one_bytes, sizeof to_bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fast_halves_are_the_slow_ones),
        cmocka_unit_test(test_fast_pairs_are_the_slow_ones),
        cmocka_unit_test(test_half_codes),
        cmocka_unit_test(test_every_half_and_bfloat16_survives_the_way_through_float),
        cmocka_unit_test(test_float8_codes),
        cmocka_unit_test(test_float8_values_survive),
        cmocka_unit_test(test_cast_truncates_floats_and_keeps_large_integers),
        cmocka_unit_test(test_four_bit_elements_lie_two_to_a_byte),
        cmocka_unit_test(test_strings_do_not_convert),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
