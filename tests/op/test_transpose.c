/* test_transpose.c - Transpose. */
#include "test.h"

#include "coupled.h"

#define SHAPE(...) mc_shape_of(INTS(__VA_ARGS__))

static void test_transpose_ties_axes_as_it_moves_them(void **state)
{
    (void)state;
    struct coupled t;
    struct mc_error err = {0};
    coupled_init(&t, 13);
    struct mc_value *const x = coupled_value(&t, "x", SHAPE(2, 3, 4));
    struct mc_node *const moved = coupled_node(&t, "Transpose", 1, &x, 1);
    struct mc_node *const reversed = coupled_node(&t, "Transpose", 1, &x, 1);
    const int64_t perm[] = {1, 2, 0};
    assert_ok(mc_node_set_ints(moved, "perm", perm, 3, &err), err);
    coupled_couple(&t);
    assert_true(coupled_tied(&t, x, 1, 2, moved->outputs[0], 0, 2));
    assert_true(coupled_tied(&t, x, 2, 3, moved->outputs[0], 1, 3));
    assert_true(coupled_tied(&t, x, 0, 1, moved->outputs[0], 2, 1));
    assert_true(coupled_tied(&t, x, 0, 1, reversed->outputs[0], 2, 1));
    assert_false(coupled_tied(&t, x, 0, 1, reversed->outputs[0], 0, 1));
    coupled_finish(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transpose_ties_axes_as_it_moves_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
