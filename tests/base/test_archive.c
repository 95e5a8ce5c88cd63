/* test_archive.c - named runs of bytes: they come back, and nothing else is taken for them. */
#include "scratch.h"

#include <string.h>

#include "base/alloc.h"
#include "base/archive.h"

static const char *make(void **state)
{
    struct mc_error err = {0};
    struct mc_archive_out out;
    const char *path = scratch_path(state, "a");
    mc_archive_create(&out, path, &err);
    mc_archive_put(&out, "hello", 5, &err, "value/%s", "x");
    mc_archive_put(&out, NULL, 0, &err, "empty");
    assert_ok(mc_archive_commit(&out, &err), err);
    return path;
}

static void test_entries_come_back_by_name(void **state)
{
    struct mc_error err = {0};
    struct mc_archive a;
    char five[5];
    assert_ok(mc_archive_open(&a, make(state), 1000, 2, &err), err);
    assert_int_equal(a.n, 2);
    assert_ok(mc_archive_get(&a, "value/x", five, 5, &err), err);
    assert_memory_equal(five, "hello", 5);
    assert_ok(mc_archive_get(&a, "empty", NULL, 0, &err), err);
    assert_null(mc_archive_find(&a, "value"));
    assert_int_equal(mc_archive_get(&a, "y", five, 5, &err), MC_ERR_INPUT);
    assert_string_equal(err.text, "has no 'y'");
    assert_int_equal(mc_archive_get(&a, "value/x", five, 4, &err), MC_ERR_INPUT);
    assert_string_equal(err.text, "'value/x': needs 4 bytes, has 5");
    mc_archive_close(&a);
}

/* A file that was cut off anywhere, and one in which any byte was changed, are refused. */
static void test_damage_is_found_wherever_it_is(void **state)
{
    struct mc_error err = {0};
    struct mc_file_view view;
    unsigned char bytes[256];
    assert_ok(mc_file_open(&view, make(state), sizeof bytes, &err), err);
    const size_t n = view.length;
    memcpy(bytes, view.data, n);
    mc_file_close(&view);
    const char *path = scratch_path(state, "damaged");
    for (size_t i = 0; i < n; i++) {
        struct mc_archive a;
        assert_ok(mc_file_save(path, bytes, i, true, &err), err);
        assert_int_equal(mc_archive_open(&a, path, 1000, 10, &err), MC_ERR_INPUT);
        bytes[i] ^= 0x10;
        assert_ok(mc_file_save(path, bytes, n, true, &err), err);
        assert_int_equal(mc_archive_open(&a, path, 1000, 10, &err), MC_ERR_INPUT);
        bytes[i] ^= 0x10;
    }
}

static void test_limits_hold(void **state)
{
    struct mc_error err = {0};
    struct mc_archive a;
    const char *path = make(state);
    assert_int_equal(mc_archive_open(&a, path, 20, 10, &err), MC_ERR_INPUT);
    assert_int_equal(mc_archive_open(&a, path, 1000, 1, &err), MC_ERR_INPUT);
    assert_non_null(strstr(err.text, "has more than 1 entries"));
}

static void test_a_failed_one_leaves_what_was_there(void **state)
{
    struct mc_error err = {0};
    struct mc_archive_out out;
    const char *path = make(state);
    mc_archive_create(&out, scratch_path(state, "no/such/folder"), &err);
    mc_archive_put(&out, "x", 1, &err, "x");
    assert_int_equal(mc_archive_commit(&out, &err), MC_ERR_SYSTEM);
    mc_archive_create(&out, path, &err);
    out.status = MC_ERR_SYSTEM; /* as after a write that failed */
    assert_int_equal(mc_archive_commit(&out, &err), MC_ERR_SYSTEM);
    assert_int_equal(scratch_count(state), 1);
    struct mc_archive a;
    assert_ok(mc_archive_open(&a, path, 1000, 2, &err), err);
    mc_archive_close(&a);
}

#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SCRATCH(test_entries_come_back_by_name),
        IN_SCRATCH(test_damage_is_found_wherever_it_is),
        IN_SCRATCH(test_limits_hold),
        IN_SCRATCH(test_a_failed_one_leaves_what_was_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
