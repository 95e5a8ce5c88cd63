/* test_cost.c - parameters, non-zeros and work are counted once each and in the right place. */
#include "graph/cost.h"

#include "alloc_fail.h"
#include "test.h"

static void ten_macs(const struct mc_node *node, const struct mc_fact *const *in, const struct mc_fact *out,
                     struct mc_cost *cost)
{
    cost->macs = 10 * mc_shape_count(&out[0].shape);
    cost->bytes_read = 7;
}

static const struct mc_op op = {
    .domain = "", .type = "Dot", .min_inputs = 2, .max_inputs = 3, .n_outputs = 1, .cost = ten_macs};

static struct mc_tensor *tensor(enum mc_dtype dtype, int rank, int64_t n, double value)
{
    struct mc_error err = {0};
    struct mc_tensor *t;
    const struct mc_shape shape = mc_shape_of(rank, &n);
    assert_ok(mc_tensor_create(&t, dtype, &shape, &err), err);
    for (int64_t i = 0; i < mc_tensor_count(t); i++) mc_tensor_set_f64(t, i, i == 0 ? 0 : value);
    return t;
}

/* Dot(x, w) -> a; Constant -> c; Dot(a, w, c) -> b; Dot(w, w) -> unknown operator's input */
struct example {
    struct mc_model *model;
    struct mc_facts facts;
    struct mc_fact of[8];
};

static void example_init(struct example *e)
{
    struct mc_error err = {0};
    assert_ok(mc_model_create(&e->model, 17, &err), err);
    struct mc_graph *g = e->model->graph;
    struct mc_value *x = mc_value_create(g, "x"), *w = mc_graph_add_initializer(g, "w", tensor(MC_FLOAT, 1, 6, 1));
    struct mc_value *a = mc_value_create(g, "a"), *b = mc_value_create(g, "b"), *c = mc_value_create(g, "c");
    struct mc_value *steps = mc_graph_add_initializer(g, "steps", tensor(MC_INT64, 1, 4, 1));
    struct mc_value *d = mc_value_create(g, "d");
    mc_graph_add_initializer(g, "unused", tensor(MC_FLOAT, 1, 100, 1));
    mc_node_create(g, -1, "", "Dot", "first", 2, (struct mc_value *[]){x, w}, 1, &a)->op = &op;
    struct mc_node *constant = mc_node_create(g, -1, "", "Constant", "constant", 0, NULL, 1, &c);
    assert_ok(mc_node_set_tensor(constant, "value", tensor(MC_DOUBLE, 1, 3, 1), &err), err);
    mc_node_create(g, -1, "", "Dot", "second", 3, (struct mc_value *[]){a, w, c}, 1, &b)->op = &op;
    mc_node_create(g, -1, "", "Unknown", "last", 2, (struct mc_value *[]){b, steps}, 1, &d);
    for (int i = 0; i < 8; i++) e->of[i] = (struct mc_fact){.dtype = MC_FLOAT, .shape = {.rank = 1, .dim = {5}}};
    e->facts = (struct mc_facts){.n_values = 8, .of = e->of};
}

static void test_parameters_count_once_with_their_first_user(void **state)
{
    struct mc_error err = {0};
    struct example e;
    struct mc_model_cost cost;
    example_init(&e);
    assert_ok(mc_model_cost_create(&cost, e.model, NULL, &err), err);
    assert_int_equal(cost.parameters, 6 + 3); /* not the integers, not what no node uses */
    assert_int_equal(cost.nonzeros, 5 + 2);
    assert_int_equal(cost.parameter_bytes, 6 * 4 + 3 * 8);
    assert_int_equal(cost.nodes[0].parameters, 6);
    assert_int_equal(cost.nodes[1].parameters, 3);
    assert_int_equal(cost.nodes[2].parameters, 0);
    assert_int_equal(cost.n_unknown, 4); /* nothing is known of the work without facts */
    assert_int_equal(cost.cost.macs, 0);
    mc_model_cost_finish(&cost);
    mc_model_destroy(e.model);
}

static void test_work_is_summed_over_known_nodes(void **state)
{
    struct mc_error err = {0};
    struct example e;
    struct mc_model_cost cost;
    example_init(&e);
    assert_ok(mc_model_cost_create(&cost, e.model, &e.facts, &err), err);
    assert_int_equal(cost.cost.macs, 100);
    assert_int_equal(cost.cost.bytes_read, 14);
    assert_int_equal(cost.nodes[2].cost.macs, 50);
    assert_true(cost.nodes[2].known);
    assert_false(cost.nodes[3].known);
    assert_int_equal(cost.n_unknown, 2);
    mc_model_cost_finish(&cost);
    mc_model_destroy(e.model);
}

static void test_constants_cost_nothing_to_run(void **state)
{
    struct mc_error err = {0};
    struct example e;
    struct mc_model_cost cost;
    example_init(&e);
    const struct mc_value *a = e.model->graph->nodes[0]->outputs[0];
    e.of[a->id].constant = e.model->graph->initializers[0]->data;
    assert_ok(mc_model_cost_create(&cost, e.model, &e.facts, &err), err);
    assert_int_equal(cost.nodes[0].cost.macs, 0);
    assert_int_equal(cost.cost.macs, 50);
    mc_model_cost_finish(&cost);
    mc_model_destroy(e.model);
}

static int attempt(void *context)
{
    struct mc_error err = {0};
    struct mc_model_cost cost;
    const int rc = mc_model_cost_create(&cost, context, NULL, &err);
    if (rc == MC_OK) mc_model_cost_finish(&cost);
    return rc;
}

static void test_failing_allocations_leave_nothing_behind(void **state)
{
    struct example e;
    example_init(&e);
    alloc_fail_each(attempt, e.model);
    mc_model_destroy(e.model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parameters_count_once_with_their_first_user),
        cmocka_unit_test(test_work_is_summed_over_known_nodes),
        cmocka_unit_test(test_constants_cost_nothing_to_run),
        cmocka_unit_test(test_failing_allocations_leave_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
