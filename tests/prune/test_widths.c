/* test_widths.c - bounds of widths are read, fit names, and are refused where they are none. */
#include "prune/widths.h"

#include "test.h"

static struct mc_widths *read(const char *text)
{
    struct mc_error err = {0};
    struct mc_widths *widths;
    assert_ok(mc_widths_create(&widths, text, &err), err);
    return widths;
}

static void expect(struct mc_widths *widths, const char *tensor, int64_t least, int64_t most, int64_t multiple)
{
    struct mc_width_bounds b;
    assert_true(mc_widths_take(widths, tensor, &b));
    assert_int_equal(b.least, least);
    assert_int_equal(b.most, most);
    assert_int_equal(b.multiple, multiple);
}

static void test_bounds_are_read(void **state)
{
    struct mc_widths *widths = read("a=24, b = 8..64/16,c=..32,d=4..,e*=../8,f=g=5");
    struct mc_width_bounds b;
    expect(widths, "a", 24, 24, 0);
    expect(widths, "b", 8, 64, 16);
    expect(widths, "c", 1, 32, 0);
    expect(widths, "d", 4, INT64_MAX, 0);
    expect(widths, "e.weight", 1, INT64_MAX, 8);
    expect(widths, "f=g", 5, 5, 0);
    assert_false(mc_widths_take(widths, "f", &b));
    mc_widths_destroy(widths);
    widths = read(NULL);
    assert_false(mc_widths_take(widths, "a", &b));
    mc_widths_destroy(widths);
}

static void test_the_first_that_fits_counts_and_exact_ones_once(void **state)
{
    struct mc_widths *widths = read("qkv=8,qkv=16,q*=4,*=2");
    expect(widths, "qkv", 8, 8, 0);
    expect(widths, "qkv", 16, 16, 0);
    expect(widths, "qkv", 4, 4, 0);
    expect(widths, "q", 4, 4, 0);
    expect(widths, "conv", 2, 2, 0);
    mc_widths_destroy(widths);
}

static void test_an_entry_that_nobody_takes_is_named(void **state)
{
    struct mc_error err = {0};
    struct mc_widths *widths = read("a=1,bb*=2");
    expect(widths, "a", 1, 1, 0);
    assert_int_equal(mc_widths_check_taken(widths, &err), MC_ERR_USAGE);
    assert_string_equal(err.text, "widths: 'bb*' is no layer whose channels can go");
    mc_widths_destroy(widths);
}

static void test_what_is_no_bound_is_refused(void **state)
{
    static const char *const wrong[] = {"",      "a",       "a=",      "=3",      "a=0",        "a=x",         "a=3,",
                                        "a=3.4", "a=4..3",  "a=3/2",   "a=1../0", "a=1../",     "a=-1",        "a=0..4",
                                        "a=1.5", "a=1..2x", "a==..-3", "a=3 4",   "a=1../5000", "a=9999999999"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct mc_error err = {0};
        struct mc_widths *widths;
        if (mc_widths_create(&widths, wrong[i], &err) != MC_ERR_USAGE) fail_msg("'%s' is read", wrong[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bounds_are_read),
        cmocka_unit_test(test_the_first_that_fits_counts_and_exact_ones_once),
        cmocka_unit_test(test_an_entry_that_nobody_takes_is_named),
        cmocka_unit_test(test_what_is_no_bound_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
