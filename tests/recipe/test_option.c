/* test_option.c - values of options: kinds, ranges, choices; the tables themselves. */
#include "test.h"

#include <string.h>

#include "recipe/option.h"
#include "recipe/steps.h"

static int parse(enum mc_option_kind kind, const char *range, const char *choices, const char *text,
                 struct mc_setting *setting)
{
    const struct mc_option option = {"x", kind, "X", NULL, range, choices, NULL, "help"};
    *setting = (struct mc_setting){0};
    return mc_option_parse(&option, text, setting, NULL);
}

static void test_ranges_hold_their_closed_ends_only(void **state)
{
    (void)state;
    assert_true(mc_range_holds("[0, 1)", 0));
    assert_false(mc_range_holds("[0, 1)", 1));
    assert_false(mc_range_holds("(0, 1]", 0));
    assert_true(mc_range_holds("(0, 1]", 1));
    assert_true(mc_range_holds("[1, inf)", 1e300));
    assert_false(mc_range_holds("[1, inf)", 0.999));
    assert_false(mc_range_holds("[-1, 1]", 0.0 / 0.0));
}

static void test_numbers_are_decimal_and_nothing_else(void **state)
{
    (void)state;
    struct mc_setting s;
    assert_int_equal(parse(MC_OPTION_NUMBER, NULL, NULL, "1e-3", &s), MC_OK);
    assert_true(s.number == 1e-3);
    assert_int_equal(parse(MC_OPTION_RATE, NULL, NULL, "step:0.1,0.5,30,40.5", &s), MC_OK);
    assert_int_equal(s.rate.kind, MC_RATE_STEP);
    assert_int_equal(s.rate.n_milestones, 2);
    assert_true(s.rate.first == 0.1 && s.rate.factor == 0.5 && s.rate.milestones[1] == 40.5);
    assert_int_equal(parse(MC_OPTION_RATE, NULL, NULL, "cosine:0.1,0.001", &s), MC_OK);
    assert_true(s.rate.kind == MC_RATE_COSINE && s.rate.last == 0.001);
    assert_int_equal(parse(MC_OPTION_RATE, NULL, NULL, "one-cycle:0.1", &s), MC_OK);
    assert_true(s.rate.kind == MC_RATE_ONE_CYCLE && s.rate.rise == 0.3);
    assert_int_equal(parse(MC_OPTION_RATE, NULL, NULL, "plateau:0.1,0.5,0", &s), MC_OK);
    assert_true(s.rate.kind == MC_RATE_PLATEAU && s.rate.factor == 0.5 && s.rate.milestones[0] == 0);
    static const char *const bad[] = {"step:0.1,0.5",
                                      "step:0.1,0.5,0",
                                      "step:0.1,0.5,3,2",
                                      "cosine:0.1,0.2",
                                      "one-cycle:0.1,1",
                                      "plateau:0.1,0.5",
                                      "cosin:0.1",
                                      ":0.1",
                                      "step:1,1,1,2,3,4,5,6,7,8,9",
                                      "constant:",
                                      "",
                                      "nan",
                                      "inf",
                                      "0x1p3",
                                      " 1",
                                      "1 ",
                                      "1,5",
                                      "--1",
                                      "1e",
                                      "1e999"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(parse(MC_OPTION_NUMBER, NULL, NULL, bad[i], &s), MC_ERR_USAGE);
}

static void test_integers_have_64_bits_and_no_fraction(void **state)
{
    (void)state;
    struct mc_setting s;
    assert_int_equal(parse(MC_OPTION_INTEGER, NULL, NULL, "9223372036854775807", &s), MC_OK);
    assert_int_equal(s.integer, INT64_MAX);
    static const char *const bad[] = {"", "9223372036854775808", "1.0", "1e3", "0x10", "+-1", "7 "};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(parse(MC_OPTION_INTEGER, NULL, NULL, bad[i], &s), MC_ERR_USAGE);
    assert_int_equal(parse(MC_OPTION_INTEGER, "[1, 9]", NULL, "10", &s), MC_ERR_USAGE);
}

static void test_choices_give_their_index_and_lists_a_bit_each(void **state)
{
    (void)state;
    struct mc_setting s;
    assert_int_equal(parse(MC_OPTION_CHOICE, NULL, "l1|l2|random", "random", &s), MC_OK);
    assert_int_equal(s.integer, 2);
    assert_int_equal(parse(MC_OPTION_CHOICE, NULL, "l1|l2|random", "l", &s), MC_ERR_USAGE);
    assert_int_equal(parse(MC_OPTION_CHOICE, NULL, "l1|l2|random", "l1|l2", &s), MC_ERR_USAGE);
    assert_int_equal(parse(MC_OPTION_LIST, NULL, "json|md|html", "html,json", &s), MC_OK);
    assert_int_equal(s.integer, 5);
    assert_int_equal(parse(MC_OPTION_LIST, NULL, "json|md|html", "json,pdf", &s), MC_ERR_USAGE);
}

static void test_a_rate_is_a_number_or_a_schedule(void **state)
{
    (void)state;
    struct mc_setting s;
    assert_int_equal(parse(MC_OPTION_RATE, NULL, NULL, "0.01", &s), MC_OK);
    assert_int_equal(s.rate.kind, MC_RATE_CONSTANT);
    assert_int_equal(parse(MC_OPTION_RATE, NULL, NULL, "linear:0.5", &s), MC_OK);
    assert_int_equal(s.rate.kind, MC_RATE_LINEAR);
    assert_true(s.rate.first == 0.5);
    assert_int_equal(parse(MC_OPTION_RATE, NULL, NULL, "exponential:0.001,0.9", &s), MC_OK);
    assert_int_equal(s.rate.kind, MC_RATE_EXPONENTIAL);
    assert_true(s.rate.first == 0.001 && s.rate.factor == 0.9);
    static const char *const bad[] = {"0",
                                      "-1",
                                      "linear:",
                                      "linear:0.1,0.9",
                                      "exponential",
                                      "exponential:0.1",
                                      "exponential:0.1,1.1",
                                      "",
                                      "linear:0",
                                      "exponential:,0.9",
                                      "exponential:0.1,0.9,1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(parse(MC_OPTION_RATE, NULL, NULL, bad[i], &s), MC_ERR_USAGE);
}

static void test_numbers_are_a_list_or_a_word(void **state)
{
    (void)state;
    struct mc_setting s;
    assert_int_equal(parse(MC_OPTION_NUMBERS, NULL, "balanced", "1,2.5,0", &s), MC_OK);
    assert_string_equal(s.text, "1,2.5,0");
    assert_int_equal(parse(MC_OPTION_NUMBERS, NULL, "balanced", "balanced", &s), MC_OK);
    static const char *const bad[] = {"", "1,", ",1", "1,-1", "balance", "1;2"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(parse(MC_OPTION_NUMBERS, NULL, "balanced", bad[i], &s), MC_ERR_USAGE);
}

/* A condition names one word or several, or asks for any value. */
static void test_a_condition_may_allow_several_words(void **state)
{
    (void)state;
    static const struct mc_option options[] = {{"x", MC_OPTION_CHOICE, "X", "b", NULL, "a|b|c", NULL, ""},
                                               {"y", MC_OPTION_TEXT, "Y", NULL, NULL, NULL, NULL, ""}};
    struct mc_settings settings;
    assert_int_equal(mc_settings_init(&settings, options, 2, NULL), MC_OK);
    assert_true(mc_settings_condition(&settings, "x=a|b") && mc_settings_condition(&settings, "x=b"));
    assert_false(mc_settings_condition(&settings, "x=a|c"));
    assert_true(mc_settings_condition(&settings, "x"));
    assert_false(mc_settings_condition(&settings, "y"));
    mc_settings_finish(&settings);
}

static void test_a_refusal_says_what_is_needed_and_what_was_found(void **state)
{
    (void)state;
    struct mc_error err = {0};
    const struct mc_option number = {"x", MC_OPTION_NUMBER, "X", NULL, "[0, 1)", NULL, NULL, ""};
    const struct mc_option choice = {"x", MC_OPTION_CHOICE, "X", NULL, NULL, "magnitude|channel", NULL, ""};
    assert_int_equal(mc_option_check(&number, "1.5", &err), MC_ERR_USAGE);
    assert_string_equal(err.text, "needs a number in [0, 1), has '1.5'");
    assert_int_equal(mc_option_check(&choice, "chanel", &err), MC_ERR_USAGE);
    assert_string_equal(err.text, "needs magnitude|channel, has 'chanel' (did you mean 'channel'?)");
}

/* Walks every table that there is: a fallback that does not parse, a condition on an unknown option or a name twice
 * would otherwise wait for the user who meets it. */
static void check_table(const struct mc_option *options, size_t n)
{
    struct mc_settings settings;
    assert_int_equal(mc_settings_init(&settings, options, n, NULL), MC_OK);
    for (size_t i = 0; i < n; i++) {
        assert_non_null(options[i].help);
        assert_true(options[i].value || options[i].kind == MC_OPTION_FLAG);
        if (options[i].fallback) assert_int_equal(mc_option_check(&options[i], options[i].fallback, NULL), MC_OK);
        if (options[i].range) mc_range_holds(options[i].range, 0);
        mc_settings_condition(&settings, options[i].only);
        for (size_t k = 0; k < i; k++) assert_string_not_equal(options[i].name, options[k].name);
    }
    mc_settings_finish(&settings);
}

static void test_every_table_is_consistent(void **state)
{
    (void)state;
    static const char *const parts[] = {"recipe", "gates", "output"};
    size_t n;
    for (size_t i = 0; i < 3; i++) {
        const struct mc_option *options = mc_recipe_options(parts[i], &n);
        assert_true(options && n > 0);
        check_table(options, n);
    }
    const char *name, *help;
    for (size_t i = 0; (name = mc_recipe_step(i, &help)); i++) {
        const struct mc_option *options = mc_recipe_options(name, &n);
        assert_true(options && n > 0 && help);
        check_table(options, n);
    }
    assert_null(mc_recipe_options("none", &n));
    assert_int_equal(n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranges_hold_their_closed_ends_only),
        cmocka_unit_test(test_numbers_are_decimal_and_nothing_else),
        cmocka_unit_test(test_integers_have_64_bits_and_no_fraction),
        cmocka_unit_test(test_choices_give_their_index_and_lists_a_bit_each),
        cmocka_unit_test(test_a_rate_is_a_number_or_a_schedule),
        cmocka_unit_test(test_numbers_are_a_list_or_a_word),
        cmocka_unit_test(test_a_condition_may_allow_several_words),
        cmocka_unit_test(test_a_refusal_says_what_is_needed_and_what_was_found),
        cmocka_unit_test(test_every_table_is_consistent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
