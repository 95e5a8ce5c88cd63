/* test_norm.c - how normalizations tie channels; their arithmetic is tested by vectors and gradients. */
#include <string.h>

#include "coupled.h"
#include "test.h"

/* x [2, 8, 3] in `groups` groups */
static struct mc_node *group_norm(struct coupled *t, int opset, int64_t groups)
{
    struct mc_error err = {0};
    coupled_init(t, opset);
    const int64_t n = opset < 21 ? groups : 8;
    struct mc_value *const in[] = {coupled_computed(t, mc_shape_of(INTS(2, 8, 3))),
                                   coupled_value(t, "scale", mc_shape_of(1, &n)),
                                   coupled_value(t, "shift", mc_shape_of(1, &n))};
    struct mc_node *node = coupled_node(t, "GroupNormalization", 3, in, 1);
    assert_ok(mc_node_set_int(node, "num_groups", groups, &err), err);
    coupled_couple(t);
    return node;
}

static void test_whole_groups_go_and_their_number_follows(void **state)
{
    for (int opset = 18; opset <= 21; opset += 3) {
        struct coupled t;
        struct mc_node *node = group_norm(&t, opset, 4);
        const struct mc_value *x = node->inputs[0], *y = node->outputs[0];
        assert_true(coupled_tied(&t, x, 1, 2, y, 1, 3));
        assert_true(coupled_tied(&t, x, 1, 2, node->inputs[1], 0, opset < 21 ? 1 : 3));
        assert_false(coupled_tied(&t, x, 1, 1, y, 1, 2));
        assert_int_equal(mc_coupling_n_statistics(t.coupling), 0);
        coupled_cut(&t, x, 1, INTS(2));
        assert_int_equal(mc_node_int(node, "num_groups", 0), 3);
        coupled_finish(&t);
    }
}

static void test_of_few_groups_each_loses_the_same_places(void **state)
{
    struct coupled t;
    struct mc_node *node = group_norm(&t, 21, 2);
    const struct mc_value *x = node->inputs[0];
    assert_true(coupled_tied(&t, x, 1, 1, node->outputs[0], 1, 5));
    assert_true(coupled_tied(&t, x, 1, 1, node->inputs[1], 0, 5));
    assert_false(coupled_tied(&t, x, 1, 1, x, 1, 2));
    coupled_cut(&t, x, 1, INTS(1));
    assert_int_equal(mc_node_int(node, "num_groups", 0), 2);
    coupled_finish(&t);
}

/* Operators with one input or two whose axes pass, with statistics along the axis. */
static void test_axes_pass_with_statistics(void **state)
{
    static const struct {
        const char *type;
        int opset, n_inputs, axis, n_statistics;
    } cases[] = {{"RMSNormalization", 23, 2, 2, 1},
                 {"LpNormalization", 22, 1, 2, 1},
                 {"LRN", 13, 1, 1, 1},
                 {"MeanVarianceNormalization", 13, 1, 2, 3},
                 {"InstanceNormalization", 13, 3, 2, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct mc_error err = {0};
        struct coupled t;
        coupled_init(&t, cases[i].opset);
        const bool four = strcmp(cases[i].type, "MeanVarianceNormalization") == 0;
        struct mc_value *const in[] = {
            coupled_computed(&t, four ? mc_shape_of(INTS(2, 4, 3, 5)) : mc_shape_of(INTS(2, 4, 3))),
            coupled_value(&t, "scale", mc_shape_of(1, &(int64_t){cases[i].n_inputs == 3 ? 4 : 3})),
            coupled_value(&t, "shift", mc_shape_of(INTS(4)))};
        struct mc_node *node = coupled_node(&t, cases[i].type, cases[i].n_inputs, in, 1);
        if (strcmp(cases[i].type, "LRN") == 0) assert_ok(mc_node_set_int(node, "size", 3, &err), err);
        coupled_couple(&t);
        assert_true(coupled_tied(&t, in[0], 1, 3, node->outputs[0], 1, 3));
        assert_true(coupled_tied(&t, in[0], cases[i].axis, 2, node->outputs[0], cases[i].axis, 2));
        assert_int_equal(mc_coupling_n_statistics(t.coupling), cases[i].n_statistics);
        coupled_finish(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_groups_go_and_their_number_follows),
        cmocka_unit_test(test_of_few_groups_each_loses_the_same_places),
        cmocka_unit_test(test_axes_pass_with_statistics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
