/* test_geometry.c - resizing against torch 2.15's interpolate(mode="bilinear", antialias=True) (expected.h). */
#include "test.h"

#include <math.h>
#include <string.h>

#include "data/geometry.h"
#include "expected.h"

enum { C = 2, H = 10, W = 7 };

static struct mc_geometry geometry(const char *options)
{
    struct mc_error err = {0};
    struct mc_spec spec;
    struct mc_geometry g;
    char text[64];
    snprintf(text, sizeof text, "images:x,%s", options);
    assert_ok(mc_spec_parse(&spec, text, &err), err);
    assert_ok(mc_geometry_read(&g, &spec, &err), err);
    mc_spec_finish(&spec);
    return g;
}

static void assert_resized(const char *options, const float *wanted, int64_t n)
{
    struct mc_error err = {0};
    const struct mc_geometry g = geometry(options);
    float y[512];
    int64_t h, w;
    assert_ok(mc_geometry_extents(&g, H, W, &h, &w, &err), err);
    assert_int_equal(C * h * w, n);
    assert_ok(mc_geometry_apply(&g, C, H, W, resize_input, y, &err), err);
    for (int64_t i = 0; i < n; i++)
        if (!(fabsf(y[i] - wanted[i]) < 2e-4F)) fail_msg("%s: %g is not %g", options, (double)y[i], (double)wanted[i]);
}

#define COUNT(array) ((int64_t)(sizeof(array) / sizeof *(array)))

static void test_resizing_agrees_with_pytorch(void **state)
{
    assert_resized("resize=4x3", resize_4_3, COUNT(resize_4_3));
    assert_resized("resize=13x5", resize_13_5, COUNT(resize_13_5));
    assert_resized("resize=5x20", resize_5_20, COUNT(resize_5_20));
    assert_resized("resize=10x7", resize_10_7, COUNT(resize_10_7));
}

static void test_the_middle_is_cut_out(void **state)
{
    struct mc_error err = {0};
    const struct mc_geometry g = geometry("crop=4x3");
    float y[C * 4 * 3];
    assert_ok(mc_geometry_apply(&g, C, H, W, resize_input, y, &err), err);
    assert_true(y[0] == resize_input[3 * W + 2]);
    assert_true(y[C * 4 * 3 - 1] == resize_input[H * W + 6 * W + 4]);
}

static void test_shorter_side_keeps_proportions_and_is_cut_to_a_square(void **state)
{
    struct mc_error err = {0};
    int64_t h, w;
    struct mc_geometry g = geometry("resize=256,crop=224");
    assert_ok(mc_geometry_extents(&g, 375, 500, &h, &w, &err), err);
    assert_true(h == 224 && w == 224);
    g = geometry("resize=5");
    assert_ok(mc_geometry_extents(&g, H, W, &h, &w, &err), err);
    assert_true(h == 5 && w == 5);
    float y[C * 5 * 5], whole[C * 7 * 5];
    assert_ok(mc_geometry_apply(&g, C, H, W, resize_input, y, &err), err);
    g = geometry("resize=7x5");
    assert_ok(mc_geometry_apply(&g, C, H, W, resize_input, whole, &err), err);
    assert_memory_equal(y, whole + 5, 5 * 5 * sizeof *y);
}

static void test_sides_that_cannot_be_are_refused(void **state)
{
    static const char *const wrong[] = {"resize=0", "resize=-4", "resize=3x", "crop=x3", "crop=9000", "resize=3x3x3"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct mc_error err = {0};
        struct mc_spec spec;
        struct mc_geometry g;
        char text[64];
        snprintf(text, sizeof text, "images:x,%s", wrong[i]);
        assert_ok(mc_spec_parse(&spec, text, &err), err);
        assert_int_equal(mc_geometry_read(&g, &spec, &err), MC_ERR_USAGE);
        mc_spec_finish(&spec);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resizing_agrees_with_pytorch),
        cmocka_unit_test(test_the_middle_is_cut_out),
        cmocka_unit_test(test_shorter_side_keeps_proportions_and_is_cut_to_a_square),
        cmocka_unit_test(test_sides_that_cannot_be_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
