/* test_spec.c - names of data sets, taken apart. */
#include "test.h"

#include "data/spec.h"

static void test_words_are_found(void **state)
{
    struct mc_error err = {0};
    struct mc_spec spec;
    double number;
    int64_t integer;
    assert_ok(mc_spec_parse(&spec, "csv:a/b.csv,label=y,seed=7,validation=0.25", &err), err);
    assert_string_equal(spec.kind, "csv");
    assert_string_equal(spec.path, "a/b.csv");
    assert_string_equal(mc_spec_text(&spec, "label"), "y");
    assert_null(mc_spec_text(&spec, "target"));
    assert_ok(mc_spec_integer(&spec, "seed", 0, 10, 0, &integer, &err), err);
    assert_int_equal(integer, 7);
    assert_ok(mc_spec_number(&spec, "validation", 0, 1, 0, &number, &err), err);
    assert_true(number == 0.25);
    assert_ok(mc_spec_integer(&spec, "train", 0, 10, 3, &integer, &err), err);
    assert_int_equal(integer, 3);
    mc_spec_finish(&spec);
    assert_ok(mc_spec_parse(&spec, "glyphs", &err), err);
    assert_string_equal(spec.path, "");
    mc_spec_finish(&spec);
}

static void test_misuse_is_named(void **state)
{
    static const char *const names[] = {"seed", "train"};
    struct mc_error err = {0};
    struct mc_spec spec;
    int64_t integer;
    assert_int_equal(mc_spec_parse(&spec, "glyphs,seed", &err), MC_ERR_USAGE);
    assert_string_equal(err.text, "data option 'seed': needs the form name=value");
    assert_int_equal(mc_spec_parse(&spec, "glyphs,seed=1,seed=2", &err), MC_ERR_USAGE);
    assert_string_equal(err.text, "data option 'seed' is given twice");
    assert_ok(mc_spec_parse(&spec, "glyphs,sede=12x", &err), err);
    assert_int_equal(mc_spec_check(&spec, names, 2, &err), MC_ERR_USAGE);
    assert_string_equal(err.text, "data 'glyphs' has no option 'sede'");
    assert_string_equal(err.hint, "did you mean 'seed'?");
    assert_int_equal(mc_spec_integer(&spec, "sede", 0, 99, 0, &integer, &err), MC_ERR_USAGE);
    assert_string_equal(err.text, "data option 'sede': needs an integer from 0 to 99, has '12x'");
    mc_spec_finish(&spec);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words_are_found),
        cmocka_unit_test(test_misuse_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
