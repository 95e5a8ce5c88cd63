/* test_record.c - a tree of figures: order, paths, kinds, what cannot be a number. */
#include "scratch.h"

#include <math.h>
#include <string.h>

#include "report/record.h"

static int setup(void **state)
{
    return mc_record_create((struct mc_record **)state, NULL);
}

static int teardown(void **state)
{
    mc_record_destroy(*state);
    return 0;
}

static void test_paths_reach_through_objects_and_arrays(void **state)
{
    struct mc_record *r = *state, *steps = mc_record_array(r, "steps");
    mc_record_set_text(mc_record_append_object(steps), "name", "prune");
    struct mc_record *second = mc_record_append_object(steps);
    mc_record_set_text(second, "name", "distill");
    mc_record_set_num(mc_record_object(second, "metrics"), "accuracy", 0.5);
    assert_string_equal(mc_record_get_text(r, "steps.0.name", ""), "prune");
    assert_true(mc_record_get_num(r, "steps.1.metrics.accuracy", 0) == 0.5);
    assert_int_equal(mc_record_size(mc_record_get(r, "steps")), 2);
    assert_string_equal(mc_record_get_text(mc_record_at(mc_record_get(r, "steps"), 1), "name", ""), "distill");
    assert_null(mc_record_get(r, "steps.2"));
    assert_null(mc_record_get(r, "steps.name"));
    assert_null(mc_record_get(r, "none.at.all"));
}

static void test_another_kind_counts_as_absent(void **state)
{
    struct mc_record *r = *state;
    mc_record_set_int(r, "bytes", INT64_C(1) << 40);
    mc_record_set_text(r, "name", NULL);
    assert_int_equal(mc_record_get_int(r, "bytes", -1), INT64_C(1) << 40);
    assert_true(mc_record_get_num(r, "bytes", -1) == 0x1p40);
    assert_string_equal(mc_record_get_text(r, "bytes", "x"), "x");
    assert_string_equal(mc_record_get_text(r, "name", "x"), "x");
    assert_int_equal(mc_record_get_int(r, "bytes.more", 3), 3);
}

static void test_what_is_no_number_becomes_null(void **state)
{
    struct mc_record *r = *state;
    mc_record_set_num(r, "nan", NAN);
    mc_record_set_num(r, "infinite", INFINITY);
    assert_true(mc_record_get_num(r, "nan", 7) == 7);
    assert_true(mc_record_get_num(r, "infinite", 7) == 7);
    assert_non_null(mc_record_get(r, "nan"));
}

static void test_setting_again_replaces_and_children_are_found_again(void **state)
{
    struct mc_record *r = *state;
    mc_record_set_int(mc_record_object(r, "a"), "x", 1);
    mc_record_set_int(mc_record_object(r, "a"), "y", 2);
    assert_int_equal(mc_record_get_int(r, "a.x", 0), 1);
    mc_record_set_int(r, "a", 5);
    assert_int_equal(mc_record_get_int(r, "a", 0), 5);
    assert_int_equal(mc_record_size(r), 1);
    assert_int_equal(mc_record_check(r, NULL), MC_OK);
}

static void test_setters_accept_no_object(void **state)
{
    mc_record_set_int(NULL, "a", 1);
    mc_record_append_num(NULL, 1);
    assert_null(mc_record_object(NULL, "a"));
    assert_null(mc_record_append_object(NULL));
    assert_null(mc_record_at(NULL, 0));
    assert_int_equal(mc_record_get_int(NULL, "a", 4), 4);
}

static void test_what_was_saved_is_read_again(void **state)
{
    struct mc_error err = {0};
    struct mc_record *r, *again;
    assert_ok(mc_record_create(&r, &err), err);
    mc_record_set_num(mc_record_object(r, "final"), "accuracy", 0.1);
    const char *path = scratch_path(state, "r.json");
    assert_ok(mc_record_save(r, MC_FORMAT_JSON, path, false, &err), err);
    assert_ok(mc_record_load(&again, path, &err), err);
    assert_true(mc_record_get_num(again, "final.accuracy", 0) == 0.1);
    mc_record_destroy(r);
    mc_record_destroy(again);
}

static void test_what_is_no_record_is_refused_with_its_place(void **state)
{
    static const char *const wrong[][2] = {{"{\"a\": 1,\n \"b\" 2}", "':2:6: is no JSON"},
                                           {"[1]", "is no record, which is an object"},
                                           {"{\"a\": 1, \"a\": 2}", "is no JSON: duplicate object key"},
                                           {"", "is no JSON"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct mc_error err = {0};
        struct mc_record *r;
        const char *path = scratch_file(state, "w.json", wrong[i][0], strlen(wrong[i][0]));
        assert_int_equal(mc_record_load(&r, path, &err), MC_ERR_INPUT);
        if (!strstr(err.text, wrong[i][1])) fail_msg("'%s' lacks '%s'", err.text, wrong[i][1]);
    }
}

#define ON_RECORD(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_RECORD(test_paths_reach_through_objects_and_arrays),
        ON_RECORD(test_another_kind_counts_as_absent),
        ON_RECORD(test_what_is_no_number_becomes_null),
        ON_RECORD(test_setting_again_replaces_and_children_are_found_again),
        cmocka_unit_test(test_setters_accept_no_object),
        cmocka_unit_test_setup_teardown(test_what_was_saved_is_read_again, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_what_is_no_record_is_refused_with_its_place, scratch_setup,
                                        scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
