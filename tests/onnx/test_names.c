/* test_names.c - things by name. */
#include "test.h"

#include "onnx/names.h"

static void test_what_is_added_is_found_after_a_sort(void **state)
{
    struct mc_error err = {0};
    struct mc_names names;
    int items[4];
    assert_ok(mc_names_init(&names, 4, &err), err);
    assert_null(mc_names_find(&names, "b"));
    mc_names_add(&names, "b", &items[0]);
    mc_names_add(&names, "", &items[1]);
    assert_null(mc_names_find(&names, "b"));
    mc_names_sort(&names);
    mc_names_add(&names, "a", &items[2]);
    assert_ptr_equal(mc_names_find(&names, "b"), &items[0]);
    assert_ptr_equal(mc_names_find(&names, ""), &items[1]);
    assert_null(mc_names_find(&names, "a"));
    mc_names_sort(&names);
    assert_ptr_equal(mc_names_find(&names, "a"), &items[2]);
    mc_names_finish(&names);
}

static void test_duplicates_are_seen(void **state)
{
    struct mc_error err = {0};
    struct mc_names names;
    assert_ok(mc_names_init(&names, 3, &err), err);
    mc_names_add(&names, "b", NULL);
    mc_names_add(&names, "a", NULL);
    mc_names_sort(&names);
    assert_null(mc_names_duplicate(&names));
    mc_names_add(&names, "b", NULL);
    mc_names_sort(&names);
    assert_string_equal(mc_names_duplicate(&names), "b");
    mc_names_finish(&names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_added_is_found_after_a_sort),
        cmocka_unit_test(test_duplicates_are_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
