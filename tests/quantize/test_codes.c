/* test_codes.c - every weight is at most half a step from what its code stands for, zeros are zeros, and scales are
 * where the graph's operators look for them. */
#include "quantize/codes.h"

#include <math.h>

#include "base/rng.h"
#include "test.h"

static struct mc_tensor *weights(int64_t a, int64_t b, int64_t c)
{
    struct mc_error err = {0};
    struct mc_tensor *w;
    struct mc_rng rng;
    const struct mc_shape shape = {.rank = 3, .dim = {a, b, c}};
    assert_ok(mc_tensor_create(&w, MC_FLOAT, &shape, &err), err);
    mc_rng_init(&rng, 1, 2);
    for (int64_t i = 0; i < mc_tensor_count(w); i++)
        ((float *)w->data)[i] = i % 3 == 1 ? 0 : (float)(mc_rng_normal(&rng) * (1 + (double)(i / c % b)));
    return w;
}

/* Index of the scale of element [i, j, k], by the words of DequantizeLinear. */
static int64_t scale_at(const struct mc_grain *grain, const struct mc_shape *shape, int64_t i, int64_t j, int64_t k)
{
    int64_t at[3] = {i, j, k}, extent[3] = {shape->dim[0], shape->dim[1], shape->dim[2]};
    if (grain->axis < 0) return 0;
    if (!grain->block) return at[grain->axis];
    at[grain->axis] /= grain->block;
    extent[grain->axis] = (extent[grain->axis] + grain->block - 1) / grain->block;
    return (at[0] * extent[1] + at[1]) * extent[2] + at[2];
}

static void check(enum mc_code_form form, struct mc_grain grain, double levels)
{
    struct mc_error err = {0};
    struct mc_tensor *w = weights(4, 7, 5), *codes, *scales, *value;
    assert_ok(mc_codes_of(&codes, &scales, w, form, &grain, &err), err);
    assert_ok(mc_codes_value(&value, codes, scales, &grain, &err), err);
    assert_int_equal(codes->dtype, form == MC_CODES_INT4 ? MC_INT4 : MC_INT8);
    const struct mc_shape shape = mc_grain_shape(&grain, &w->shape);
    assert_true(mc_shape_equal(&scales->shape, &shape));
    double largest[4 * 7 * 5] = {0};
    for (int64_t at = 0; at < 140; at++) {
        const int64_t s = scale_at(&grain, &w->shape, at / 35, at / 5 % 7, at % 5);
        largest[s] = fmax(largest[s], fabs(mc_tensor_get_f64(w, at)));
    }
    double error = 0, plain = 0;
    for (int64_t at = 0; at < 140; at++) {
        const int64_t s = scale_at(&grain, &w->shape, at / 35, at / 5 % 7, at % 5);
        const double x = mc_tensor_get_f64(w, at), code = mc_tensor_get_f64(codes, at);
        const double scale = mc_tensor_get_f64(scales, s), full = largest[s] > 0 ? largest[s] / levels : 1;
        assert_true(scale > 0 && fabs(code) <= levels && scale <= full * 1.0001 && scale >= full * 0.5);
        assert_true(mc_tensor_get_f64(value, at) == (double)((float)code * (float)scale));
        if (x == 0) assert_true(code == 0);
        if (fabs(code) < levels) assert_true(fabs(x - code * scale) <= 0.5001 * scale);
        error += (x - code * scale) * (x - code * scale);
        plain += (x - rint(x / full) * full) * (x - rint(x / full) * full);
    }
    assert_true(error > 0 && error <= plain * 1.0001); /* no worse than what the largest number asks for */
    mc_tensor_destroy(value);
    mc_tensor_destroy(scales);
    mc_tensor_destroy(codes);
    mc_tensor_destroy(w);
}

static void test_each_scale_serves_its_weights(void **state)
{
    static const double levels[] = {[MC_CODES_INT8] = 127, [MC_CODES_INT7] = 63, [MC_CODES_INT4] = 7};
    for (int form = MC_CODES_INT8; form <= MC_CODES_INT4; form++)
        for (int axis = -1; axis < 3; axis++)
            for (int64_t block = 0; block <= (axis < 0 ? 0 : 8); block += 2)
                check((enum mc_code_form)form, (struct mc_grain){axis, block}, levels[form]);
}

static void test_zeros_alone_have_a_scale(void **state)
{
    struct mc_error err = {0};
    struct mc_tensor *w, *codes, *scales;
    const struct mc_shape shape = {.rank = 2, .dim = {2, 3}};
    const struct mc_grain grain = {.axis = 0};
    assert_ok(mc_tensor_create(&w, MC_FLOAT, &shape, &err), err);
    ((float *)w->data)[1] = 1e-44f; /* less than any scale */
    assert_ok(mc_codes_of(&codes, &scales, w, MC_CODES_INT8, &grain, &err), err);
    for (int i = 0; i < 6; i++) assert_int_equal(mc_tensor_get_i64(codes, i), 0);
    for (int i = 0; i < 2; i++) assert_true(isnormal(((float *)scales->data)[i]));
    mc_tensor_destroy(scales);
    mc_tensor_destroy(codes);
    mc_tensor_destroy(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_scale_serves_its_weights),
        cmocka_unit_test(test_zeros_alone_have_a_scale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
