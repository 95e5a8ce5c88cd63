/* test_curve.c - curves drawn with characters: every line of a drawing. */
#include "report/curve.h"

#include <math.h>
#include <string.h>

#include "test.h"

static void test_a_line_falls_from_corner_to_corner(void **state)
{
    double y[64], flat[64];
    struct mc_buf out;
    mc_buf_init(&out, 1 << 16);
    for (int i = 0; i < 64; i++) {
        y[i] = 64 - i;
        flat[i] = i < 32 ? NAN : 1;
    }
    const struct mc_curve curves[] = {{'a', "falling", 64, y}, {'b', "flat", 64, flat}};
    mc_curves_draw(curves, 2, false, "epochs", &out);
    mc_buf_append(&out, "", 1);
    assert_false(out.failed);
    assert_memory_equal(out.data, "        64 |aaa\n", 16); /* rows are 64 / 13 columns apart, the first half of one */
    const char *last = strstr(out.data, "\n         1 |");
    assert_non_null(last);
    assert_memory_equal(last + 13, "                                bbbbbbbbbbbbbbbbbbbbbbbbbbbbbaaa\n", 65);
    assert_non_null(strstr(out.data, "epochs   a falling   b flat\n"));
    mc_buf_finish(&out);
}

static void test_nothing_is_drawn_of_nothing(void **state)
{
    struct mc_buf out;
    mc_buf_init(&out, 1 << 16);
    const double none[2] = {NAN, INFINITY}, negative[2] = {-1, 0};
    mc_curves_draw(&(struct mc_curve){'x', "x", 2, none}, 1, false, "", &out);
    mc_curves_draw(&(struct mc_curve){'x', "x", 2, negative}, 1, true, "", &out);
    mc_curves_draw(&(struct mc_curve){'x', "x", 0, none}, 1, false, "", &out);
    assert_int_equal(out.length, 0);
    const double same[3] = {5, 5, 5};
    mc_curves_draw(&(struct mc_curve){'x', "x", 3, same}, 1, false, "", &out);
    assert_memory_equal(out.data, "         5 |xxxx", 16);
    mc_buf_finish(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_line_falls_from_corner_to_corner),
        cmocka_unit_test(test_nothing_is_drawn_of_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
