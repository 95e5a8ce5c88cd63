/* test_file.c - whole files in and out: limits, refusals, nothing left behind. */
#include "scratch.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"

static void test_saved_bytes_come_back(void **state)
{
    struct mc_error err = {0};
    struct mc_file_view view;
    const char *path = scratch_path(state, "f");
    assert_ok(mc_file_save(path, "hello", 5, false, &err), err);
    assert_ok(mc_file_open(&view, path, 5, &err), err);
    assert_int_equal(view.length, 5);
    assert_memory_equal(view.data, "hello", 5);
    mc_file_forget(&view);
    assert_memory_equal(view.data, "hello", 5);
    mc_file_close(&view);
    assert_int_equal(mc_file_size(path), 5);
    struct stat info;
    const mode_t mask = umask(0);
    umask(mask);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0666 & ~mask);
}

/* Whole pages and what is left of them, from where a page begins and not, in memory and in the file. */
static void test_pages_come_back_wherever_they_lie(void **state)
{
    enum { LENGTH = 3 * MC_PAGE + 5 };
    struct mc_error err = {0};
    struct mc_file_out out;
    struct mc_file_view view;
    const char *path = scratch_path(state, "f");
    unsigned char *bytes = mc_alloc_pages(2 * LENGTH);
    for (size_t i = 0; i < (size_t)2 * LENGTH; i++) bytes[i] = (unsigned char)(i * 7 / 3);
    const size_t starts[] = {0, 1, MC_PAGE}, before[] = {0, 3, MC_PAGE};
    for (size_t i = 0; i < MC_COUNT(starts); i++) {
        for (size_t k = 0; k < MC_COUNT(before); k++) {
            assert_ok(mc_file_create(&out, path, true, &err), err);
            assert_ok(mc_file_write(&out, bytes + 9, before[k], &err), err);
            assert_ok(mc_file_write_pages(&out, bytes + starts[i], LENGTH, &err), err);
            assert_ok(mc_file_write(&out, "end", 3, &err), err);
            assert_ok(mc_file_commit(&out, &err), err);
            assert_ok(mc_file_open(&view, path, SIZE_MAX, &err), err);
            assert_int_equal(view.length, before[k] + LENGTH + 3);
            assert_memory_equal(view.data, bytes + 9, before[k]);
            assert_memory_equal(view.data + before[k], bytes + starts[i], LENGTH);
            assert_memory_equal(view.data + before[k] + LENGTH, "end", 3);
            mc_file_close(&view);
        }
    }
    mc_free(bytes);
}

static void test_an_empty_file_has_a_beginning(void **state)
{
    struct mc_error err = {0};
    struct mc_file_view view;
    const char *const paths[] = {scratch_path(state, "f"), "/dev/null"};
    assert_ok(mc_file_save(paths[0], "", 0, false, &err), err);
    for (int i = 0; i < 2; i++) {
        assert_ok(mc_file_open(&view, paths[i], 5, &err), err);
        assert_int_equal(view.length, 0);
        assert_non_null(view.data);
        mc_file_close(&view);
    }
}

static void test_existing_files_are_kept_unless_told(void **state)
{
    struct mc_error err = {0};
    const char *path = scratch_path(state, "f");
    assert_ok(mc_file_save(path, "old", 3, true, &err), err);
    assert_int_equal(mc_file_save(path, "new", 3, false, &err), MC_ERR_USAGE);
    assert_string_equal(err.hint, "-f overwrites");
    struct mc_file_view view;
    assert_ok(mc_file_open(&view, path, 100, &err), err);
    assert_memory_equal(view.data, "old", 3);
    mc_file_close(&view);
}

static void test_abort_leaves_nothing(void **state)
{
    struct mc_error err = {0};
    struct mc_file_out out;
    const char *path = scratch_path(state, "aborted");
    const int before = scratch_count(state);
    assert_ok(mc_file_create(&out, path, false, &err), err);
    assert_ok(mc_file_write(&out, "x", 1, &err), err);
    mc_file_abort(&out);
    mc_file_abort(&out);
    assert_int_equal(scratch_count(state), before);
}

static void test_what_a_killed_writer_left_is_taken_away_and_a_living_one_is_not(void **state)
{
    struct mc_error err = {0};
    struct mc_file_out alive;
    const char *path = scratch_path(state, "f");
    scratch_file(state, "f.0123abcd.tmp", "half", 4);
    scratch_file(state, "f.mine.tmp", "mine", 4);
    scratch_file(state, "g.0123abcd.tmp", "another's", 9);
    assert_ok(mc_file_create(&alive, path, false, &err), err);
    assert_int_equal(scratch_count(state), 3); /* the living one, f.mine.tmp, g's */
    assert_ok(mc_file_save(path, "x", 1, false, &err), err);
    assert_int_equal(scratch_count(state), 4);
    assert_ok(mc_file_write(&alive, "late", 4, &err), err);
    assert_ok(mc_file_commit(&alive, &err), err);
    assert_int_equal(mc_file_size(path), 4);
    assert_int_equal(scratch_count(state), 3);
}

/* One begins while another ends, over and over. */
static void test_writers_of_one_file_do_not_sweep_each_other_away(void **state)
{
    enum { WRITERS = 3, TIMES = 60 };
    const char *path = scratch_path(state, "shared");
    pid_t writers[WRITERS];
    for (int k = 0; k < WRITERS; k++) {
        writers[k] = fork();
        assert_true(writers[k] >= 0);
        if (writers[k] > 0) continue;
        int failed = 0;
        for (int i = 0; i < TIMES; i++) failed += mc_file_save(path, "x", 1, true, &(struct mc_error){0}) < 0;
        _exit(failed != 0);
    }
    int failed = 0;
    for (int k = 0; k < WRITERS; k++) {
        int status = 0;
        assert_int_equal(waitpid(writers[k], &status, 0), writers[k]);
        failed += !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    }
    assert_int_equal(failed, 0);
    assert_int_equal(mc_file_size(path), 1);
}

static void test_refusals_have_their_status(void **state)
{
    struct mc_error err = {0};
    struct mc_file_view view;
    const char *path = scratch_path(state, "f"), *absent = scratch_path(state, "absent/f"),
               *folder = scratch_path(state, "");
    assert_ok(mc_file_save(path, "hello", 5, true, &err), err);
    assert_int_equal(mc_file_open(&view, path, 4, &err), MC_ERR_INPUT);
    assert_int_equal(mc_file_open(&view, folder, 100, &err), MC_ERR_INPUT);
    assert_int_equal(mc_file_open(&view, absent, 100, &err), MC_ERR_INPUT);
    assert_true(mc_file_save(absent, "x", 1, false, &err) < 0);
}

static void test_a_full_disk_is_a_system_error(void **state)
{
    struct mc_error err = {0};
    struct mc_file_out out = {.stream = fopen("/dev/full", "wb"), .path = mc_strdup("full")};
    if (!out.stream) skip();
    out.temporary = mc_strdup(scratch_path(state, "none"));
    const int rc = mc_file_write(&out, "x", 1, &err);
    assert_int_equal(rc < 0 ? rc : mc_file_commit(&out, &err), MC_ERR_SYSTEM);
    mc_file_abort(&out);
}

static void test_a_device_is_written_to_and_not_replaced(void **state)
{
    (void)state;
    struct mc_error err = {0};
    struct stat info;
    if (stat("/dev/full", &info) != 0) skip();
    assert_ok(mc_file_save("/dev/null", "x", 1, true, &err), err);
    assert_int_equal(mc_file_save("/dev/full", "x", 1, true, &err), MC_ERR_SYSTEM);
    assert_int_equal(stat("/dev/null", &info), 0);
    assert_true(S_ISCHR(info.st_mode));
    assert_int_equal(stat("/dev/full", &info), 0);
    assert_true(S_ISCHR(info.st_mode));
}

static void test_settled_files_appear_only_when_committed(void **state)
{
    struct mc_error err = {0};
    struct mc_file_out out;
    const char *path = scratch_path(state, "late");
    assert_ok(mc_file_create(&out, path, false, &err), err);
    assert_ok(mc_file_write(&out, "abc", 3, &err), err);
    assert_ok(mc_file_settle(&out, &err), err);
    assert_int_equal(mc_file_size(path), -1);
    assert_ok(mc_file_commit(&out, &err), err);
    assert_int_equal(mc_file_size(path), 3);
    assert_int_equal(scratch_count(state), 1);
}

static void test_paths_join_and_part(void **state)
{
    static const char *const cases[][3] = {{"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"a", "/b", "/b"}, {"", "b", "b"}};
    for (size_t i = 0; i < 4; i++) {
        char *joined = mc_path_join(cases[i][0], cases[i][1]);
        assert_string_equal(joined, cases[i][2]);
        mc_free(joined);
    }
    char *dirs[] = {mc_path_dir("a/b/c"), mc_path_dir("c"), mc_path_dir("/c")};
    assert_string_equal(dirs[0], "a/b");
    assert_string_equal(dirs[1], ".");
    assert_string_equal(dirs[2], "/");
    for (int i = 0; i < 3; i++) mc_free(dirs[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_saved_bytes_come_back, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_pages_come_back_wherever_they_lie, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_an_empty_file_has_a_beginning, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_existing_files_are_kept_unless_told, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_abort_leaves_nothing, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_what_a_killed_writer_left_is_taken_away_and_a_living_one_is_not,
                                        scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_writers_of_one_file_do_not_sweep_each_other_away, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_refusals_have_their_status, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_a_full_disk_is_a_system_error, scratch_setup, scratch_teardown),
        cmocka_unit_test(test_a_device_is_written_to_and_not_replaced),
        cmocka_unit_test_setup_teardown(test_settled_files_appear_only_when_committed, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_paths_join_and_part, scratch_setup, scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
