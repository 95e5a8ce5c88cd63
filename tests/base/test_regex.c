/* test_regex.c - regular expressions: what Python finds alike, what only RE2 has, limits. */
#include "test.h"

#include <string.h>

#include "base/alloc.h"
#include "base/regex.h"
#include "regex_vectors.h"

static bool matches(const char *pattern, const char *text)
{
    struct mc_error err = {0};
    struct mc_regex *regex;
    bool found = false;
    if (mc_regex_create(&regex, pattern, strlen(pattern), &err) < 0) fail_msg("%s: %s", pattern, err.text);
    assert_ok(mc_regex_matches(regex, text, strlen(text), &found, &err), err);
    mc_regex_destroy(regex);
    return found;
}

static int status_of(const char *pattern)
{
    struct mc_error err = {0};
    struct mc_regex *regex;
    const int rc = mc_regex_create(&regex, pattern, strlen(pattern), &err);
    assert_true((rc == MC_OK) == (regex != NULL));
    mc_regex_destroy(regex);
    return rc;
}

static void test_matches_agree_with_python(void **state)
{
    for (size_t i = 0; i < MC_COUNT(cases); i++)
        if (matches(cases[i].pattern, cases[i].text) != cases[i].matches)
            fail_msg("'%s' and '%s': not %d", cases[i].pattern, cases[i].text, cases[i].matches);
}

static void test_what_is_no_expression_is_refused(void **state)
{
    for (size_t i = 0; i < MC_COUNT(errors); i++)
        if (status_of(errors[i]) != MC_ERR_INPUT) fail_msg("'%s' is taken for an expression", errors[i]);
}

/* https://github.com/google/re2/wiki/Syntax */
static void test_what_only_re2_has(void **state)
{
    assert_true(matches("a\\z", "a"));
    assert_true(matches("[[:alpha:]]+[[:^digit:]]", "abC"));
    assert_false(matches("[[:alpha:]]+[[:^digit:]]", "abC1"));
    assert_true(matches("\\Qa.*\\E+", "a.***"));
    assert_true(matches("(?U)a+", "aa"));
    assert_true(matches("a{,2}", "a{,2}"));
    assert_true(matches("\\x{e9}\\x{1F600}", "\303\251\360\237\230\200"));
    assert_true(matches("(?i)a(?-i)b", "Ab"));
    assert_false(matches("(?i)a(?-i)b", "AB"));
    assert_true(matches(".", "\377")); /* no UTF-8: one character */
}

static void test_limits_hold(void **state)
{
    char deep[512];
    memset(deep, '(', sizeof deep - 1);
    deep[sizeof deep - 1] = '\0';
    assert_int_equal(status_of(deep), MC_ERR_UNSUPPORTED);
    assert_int_equal(status_of("((a{1000}){1000}){1000}"), MC_ERR_UNSUPPORTED);
    assert_int_equal(status_of("a{1001}"), MC_ERR_INPUT);
    assert_int_equal(status_of("\\pL"), MC_ERR_UNSUPPORTED);
    assert_int_equal(status_of("(?i)\303\251"), MC_ERR_UNSUPPORTED);
}

/* Where backtracking takes 2^30 steps. */
static void test_time_is_bounded(void **state)
{
    assert_false(
        matches("(a|a?)+b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matches_agree_with_python), cmocka_unit_test(test_what_is_no_expression_is_refused),
        cmocka_unit_test(test_what_only_re2_has),         cmocka_unit_test(test_limits_hold),
        cmocka_unit_test(test_time_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
