/* test_order.c - nodes are put into an order in which they can run, and cycles are refused. */
#include "test.h"

#include <string.h>

#include "base/error.h"
#include "onnx/order.h"

struct fixture {
    struct mc_model *model;
    struct mc_graph *graph;
    struct mc_error err;
};

static int setup(void **state)
{
    static struct fixture f;
    f = (struct fixture){0};
    *state = &f;
    if (mc_model_create(&f.model, 17, &f.err) < 0) return -1;
    f.graph = f.model->graph;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    mc_model_destroy(f->model);
    return 0;
}

static struct mc_value *value(struct mc_graph *graph, const char *name)
{
    struct mc_value *v = mc_graph_find(graph, name);
    return v ? v : mc_value_create(graph, name);
}

/* A node named after its output, of at most two inputs (NULL: none). */
static struct mc_node *node(struct mc_graph *graph, const char *output, const char *first, const char *second)
{
    struct mc_value *in[2] = {first ? value(graph, first) : NULL, second ? value(graph, second) : NULL};
    struct mc_value *out = value(graph, output);
    return mc_node_create(graph, -1, "", "Op", output, 2, in, 1, &out);
}

static void check_order(struct fixture *f, const char *expected)
{
    char names[256] = "";
    assert_ok(mc_order_nodes(f->graph, 0, &f->err), f->err);
    for (int i = 0; i < f->graph->n_nodes; i++) strcat(names, f->graph->nodes[i]->name);
    assert_string_equal(names, expected);
}

static void test_a_good_order_stays(void **state)
{
    struct fixture *f = *state;
    node(f->graph, "c", "x", NULL);
    node(f->graph, "a", "c", "x");
    node(f->graph, "b", "c", NULL);
    check_order(f, "cab");
}

static void test_needs_come_first(void **state)
{
    struct fixture *f = *state;
    node(f->graph, "d", "b", "c");
    node(f->graph, "e", "x", NULL);
    node(f->graph, "c", "a", NULL);
    node(f->graph, "b", "a", NULL);
    node(f->graph, "a", "x", NULL);
    check_order(f, "abcde");
}

static void test_cycles_are_refused(void **state)
{
    struct fixture *f = *state;
    node(f->graph, "a", "x", NULL);
    node(f->graph, "b", "d", NULL);
    node(f->graph, "c", "b", NULL);
    node(f->graph, "d", "c", NULL);
    assert_int_equal(mc_order_nodes(f->graph, 0, &f->err), MC_ERR_INPUT);
    assert_non_null(strstr(f->err.text, "(Op) needs its own output: the graph has a cycle"));
}

static void test_a_node_that_reads_itself_is_a_cycle(void **state)
{
    struct fixture *f = *state;
    node(f->graph, "a", "a", NULL);
    assert_int_equal(mc_order_nodes(f->graph, 0, &f->err), MC_ERR_INPUT);
    assert_non_null(strstr(f->err.text, "node 'a' (Op)"));
}

/* What a graph within reads from outside is a need of the node that holds it. */
static void test_subgraphs_need_what_they_capture(void **state)
{
    struct fixture *f = *state;
    struct mc_node *holder = node(f->graph, "h", "x", NULL);
    struct mc_value *late = value(f->graph, "l");
    struct mc_graph *inner = mc_graph_create(f->model, f->graph, "inner");
    struct mc_value *out = mc_value_create(inner, "i");
    mc_node_create(inner, -1, "", "Op", "inner", 1, &late, 1, &out);
    holder->attrs = MC_ARENA_NEW(&f->model->arena, struct mc_attr);
    holder->attrs[0] = (struct mc_attr){.name = "body", .type = MC_ATTR_GRAPH, .g = inner};
    holder->n_attrs = 1;
    node(f->graph, "l", "x", NULL);
    check_order(f, "lh");
}

static void test_long_chains_do_not_recurse(void **state)
{
    enum { COUNT = 100000 };
    struct fixture *f = *state;
    struct mc_value *next = mc_value_create(f->graph, "v");
    for (int i = 0; i < COUNT; i++) { /* backwards: each needs the one after it */
        struct mc_value *here = next;
        next = mc_value_create(f->graph, "v");
        assert_non_null(mc_node_create(f->graph, -1, "", "Op", "", 1, &next, 1, &here));
    }
    assert_ok(mc_order_nodes(f->graph, 0, &f->err), f->err);
    assert_int_equal(f->graph->nodes[0]->id, COUNT - 1);
    assert_int_equal(f->graph->nodes[COUNT - 1]->id, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_good_order_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(test_needs_come_first, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cycles_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_node_that_reads_itself_is_a_cycle, setup, teardown),
        cmocka_unit_test_setup_teardown(test_subgraphs_need_what_they_capture, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_chains_do_not_recurse, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
