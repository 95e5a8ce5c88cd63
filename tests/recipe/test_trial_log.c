/* test_trial_log.c - the file of a search's results: what comes back, cut off anywhere, with any bit turned. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "recipe/trial_log.h"
#include "scratch.h"

enum { KEY = 0x1234 };

static void fill(void **state, const char *path)
{
    struct mc_trial_log log;
    struct mc_error err = {0};
    (void)state;
    assert_ok(mc_trial_log_open(&log, "tune", path, KEY, false, &err), err);
    for (int i = 0; i < 4; i++) {
        const struct mc_trial_result r = {
            .round = i / 3, .trial = i, .fold = i % 2, .value = i == 2 ? NAN : 0.1 * i, .loss = 1.0 / 3, .seconds = 2};
        assert_ok(mc_trial_log_add(&log, &r, &err), err);
    }
    mc_trial_log_finish(&log);
}

static void test_results_come_back_as_they_were_added(void **state)
{
    const char *path = scratch_path(state, "tune.tsv");
    struct mc_trial_log log, other;
    struct mc_error err = {0};
    fill(state, path);
    assert_ok(mc_trial_log_open(&log, "tune", path, KEY, false, &err), err);
    assert_int_equal(log.n, 4);
    assert_true(mc_trial_log_find(&log, 0, 1, 1)->value == 0.1 && mc_trial_log_find(&log, 0, 1, 1)->loss == 1.0 / 3);
    assert_true(isnan(mc_trial_log_find(&log, 0, 2, 0)->value));
    assert_null(mc_trial_log_find(&log, 0, 3, 1));
    assert_non_null(mc_trial_log_find(&log, 1, 3, 1));
    /* another process adds; the first result of a trial stays */
    assert_ok(mc_trial_log_open(&other, "tune", path, KEY, false, &err), err);
    assert_ok(mc_trial_log_add(&other, &(struct mc_trial_result){.trial = 9, .value = 5}, &err), err);
    assert_ok(mc_trial_log_add(&log, &(struct mc_trial_result){.trial = 9, .value = 6}, &err), err);
    assert_ok(mc_trial_log_read(&log, &err), err);
    assert_int_equal(log.n, 5);
    assert_true(mc_trial_log_find(&log, 0, 9, 0)->value == 5);
    mc_trial_log_finish(&other);
    mc_trial_log_finish(&log);
    assert_ok(mc_trial_log_open(&log, "tune", path, KEY, true, &err), err);
    assert_int_equal(log.n, 0);
    mc_trial_log_finish(&log);
}

static void test_another_searchs_results_and_other_files_are_left_alone(void **state)
{
    const char *path = scratch_path(state, "tune.tsv");
    struct mc_trial_log log;
    struct mc_error err = {0};
    fill(state, path);
    const int64_t size = mc_file_size(path);
    assert_int_equal(mc_trial_log_open(&log, "tune", path, KEY + 1, false, &err), MC_ERR_USAGE);
    mc_trial_log_finish(&log);
    assert_int_equal(mc_file_size(path), size);
    static const char *const texts[] = {"important", "important\n", "# compress tune 2 12\n", "# compress tune 2 "};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        path = scratch_file(state, "other", texts[i], strlen(texts[i]));
        const int rc = mc_trial_log_open(&log, "tune", path, KEY, false, &err);
        mc_trial_log_finish(&log);
        assert_int_equal(rc, i == 3 ? MC_OK : MC_ERR_INPUT); /* the last was cut off as it was begun */
        if (i < 3) assert_int_equal(mc_file_size(path), (int64_t)strlen(texts[i]));
    }
}

static char *read_all(const char *path, size_t *length)
{
    struct mc_file_view view;
    struct mc_error err = {0};
    assert_ok(mc_file_open(&view, path, SIZE_MAX, &err), err);
    char *copy = malloc(view.length);
    assert_non_null(copy);
    memcpy(copy, view.data, *length = view.length);
    mc_file_close(&view);
    return copy;
}

/* What is whole stays, what is not goes, and adding goes on from there. */
static void test_a_file_cut_off_anywhere_is_gone_on_with(void **state)
{
    const char *path = scratch_path(state, "tune.tsv"), *torn = scratch_path(state, "torn.tsv");
    size_t length;
    fill(state, path);
    char *bytes = read_all(path, &length);
    for (size_t cut = 0; cut <= length; cut++) {
        struct mc_trial_log log;
        struct mc_error err = {0};
        size_t lines = 0;
        for (size_t i = 0; i < cut; i++) lines += bytes[i] == '\n';
        FILE *f = fopen(torn, "wb");
        assert_true(f && fwrite(bytes, 1, cut, f) == cut && fclose(f) == 0);
        assert_ok(mc_trial_log_open(&log, "tune", torn, KEY, false, &err), err);
        assert_int_equal(log.n, lines > 2 ? lines - 2 : 0);
        assert_ok(mc_trial_log_add(&log, &(struct mc_trial_result){.trial = 7, .value = 1}, &err), err);
        assert_ok(mc_trial_log_read(&log, &err), err);
        assert_non_null(mc_trial_log_find(&log, 0, 7, 0));
        mc_trial_log_finish(&log);
    }
    free(bytes);
}

static void test_a_turned_bit_is_refused_or_a_number_but_nothing_worse(void **state)
{
    const char *path = scratch_path(state, "tune.tsv");
    size_t length, whole;
    fill(state, path);
    char *bytes = read_all(path, &length);
    int refused = 0;
    for (size_t i = 0; i < 8 * length; i++) {
        struct mc_trial_log log = {.verb = "tune", .fd = -1, .key = KEY};
        bytes[i / 8] ^= (char)(1 << i % 8);
        const int rc = mc_trial_log_parse(&log, bytes, length, &whole, NULL);
        assert_true(rc == MC_OK || rc == MC_ERR_INPUT || rc == MC_ERR_USAGE);
        assert_true(whole <= length && log.n <= 4);
        refused += rc < 0;
        mc_trial_log_finish(&log);
        bytes[i / 8] ^= (char)(1 << i % 8);
    }
    assert_true(refused > (int)length);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_results_come_back_as_they_were_added, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_another_searchs_results_and_other_files_are_left_alone, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_a_file_cut_off_anywhere_is_gone_on_with, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_a_turned_bit_is_refused_or_a_number_but_nothing_worse, scratch_setup,
                                        scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
