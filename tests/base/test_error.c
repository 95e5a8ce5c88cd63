/* test_error.c - the chain of places and the statuses. */
#include "test.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "base/suggest.h"

static void test_wrap_puts_places_in_front(void **state)
{
    struct mc_error err = {0};
    int rc = mc_error_set(&err, MC_ERR_INPUT, "weight '%s' needs %d input channels, has %d", "w2", 64, 48);
    rc = mc_error_wrap(&err, rc, "node '%s' (%s)", "conv2", "Conv");
    rc = mc_error_wrap(&err, rc, "cannot load '%s'", "net.onnx");
    assert_int_equal(rc, MC_ERR_INPUT);
    assert_int_equal(err.status, MC_ERR_INPUT);
    assert_string_equal(err.text,
                        "cannot load 'net.onnx': node 'conv2' (Conv): weight 'w2' needs 64 input channels, has 48");
}

static void test_wrap_of_long_texts_keeps_the_innermost_words(void **state)
{
    struct mc_error err = {0};
    char longest[900];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    mc_error_set(&err, MC_ERR_INPUT, "%s the end", longest);
    for (int i = 0; i < 5; i++) mc_error_wrap(&err, MC_ERR_INPUT, "%s", longest);
    assert_true(strlen(err.text) < sizeof err.text);
    assert_string_equal(err.text + strlen(err.text) - 7, "the end");
}

static void test_errors_may_be_unwanted(void **state)
{
    assert_int_equal(mc_error_set(NULL, MC_ERR_SYSTEM, "x"), MC_ERR_SYSTEM);
    assert_int_equal(mc_error_wrap(NULL, MC_ERR_SYSTEM, "x"), MC_ERR_SYSTEM);
    mc_error_hint(NULL, "x");
}

static void test_errno_tells_absent_files_from_failing_systems(void **state)
{
    struct mc_error err = {0};
    assert_int_equal(mc_error_reading(&err, ENOENT, "open", "a"), MC_ERR_INPUT);
    assert_int_equal(mc_error_reading(&err, EIO, "read", "a"), MC_ERR_SYSTEM);
    assert_int_equal(mc_error_writing(&err, ENOENT, "open", "a"), MC_ERR_SYSTEM);
    assert_int_equal(mc_error_writing(&err, ENOSPC, "write", "a"), MC_ERR_SYSTEM);
    assert_string_equal(err.text, "cannot write 'a': No space left on device");
}

static void test_suggest_finds_near_words_only(void **state)
{
    static const char *const words[] = {"sparsity", "schedule", "epochs", "ratio"};
    assert_string_equal(mc_suggest("sparsty", words, 4), "sparsity");
    assert_string_equal(mc_suggest("epohcs", words, 4), "epochs");
    assert_null(mc_suggest("temperature", words, 4));
    assert_null(mc_suggest("xy", words, 4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrap_puts_places_in_front),
        cmocka_unit_test(test_wrap_of_long_texts_keeps_the_innermost_words),
        cmocka_unit_test(test_errors_may_be_unwanted),
        cmocka_unit_test(test_errno_tells_absent_files_from_failing_systems),
        cmocka_unit_test(test_suggest_finds_near_words_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
