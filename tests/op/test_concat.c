/* test_concat.c - Concat. */
#include "test.h"

#include "coupled.h"

#define SHAPE(...) mc_shape_of(INTS(__VA_ARGS__))

static void test_concat_ties_each_input_at_its_offset(void **state)
{
    (void)state;
    struct coupled t;
    struct mc_error err = {0};
    coupled_init(&t, 13);
    struct mc_value *const in[] = {coupled_value(&t, "a", SHAPE(2, 3, 4)), coupled_value(&t, "b", SHAPE(2, 5, 4))};
    struct mc_node *const node = coupled_node(&t, "Concat", 2, in, 1);
    assert_ok(mc_node_set_int(node, "axis", -2, &err), err);
    coupled_couple(&t);
    const struct mc_value *const y = node->outputs[0];
    for (int64_t j = 0; j < 8; j++) {
        for (int64_t i = 0; i < 3; i++) assert_int_equal(coupled_tied(&t, in[0], 1, i, y, 1, j), j == i);
        for (int64_t i = 0; i < 5; i++) assert_int_equal(coupled_tied(&t, in[1], 1, i, y, 1, j), j == i + 3);
    }
    assert_true(coupled_tied(&t, in[0], 2, 3, in[1], 2, 3));
    coupled_finish(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_concat_ties_each_input_at_its_offset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
