/* test_graph.c - models are made, edited, copied and walked as graph.h says. */
#include "graph/graph.h"

#include <string.h>

#include "alloc_fail.h"
#include "test.h"

static struct mc_tensor *floats(int64_t n, float first)
{
    struct mc_error err = {0};
    struct mc_tensor *t;
    const struct mc_shape shape = mc_shape_of(1, &n);
    assert_ok(mc_tensor_create(&t, MC_FLOAT, &shape, &err), err);
    for (int64_t i = 0; i < n; i++) ((float *)t->data)[i] = first + (float)i;
    return t;
}

static struct mc_node *add_node(struct mc_graph *graph, const char *type, struct mc_value *a, struct mc_value *b,
                                struct mc_value *out)
{
    struct mc_node *node = mc_node_create(graph, -1, "", type, type, b ? 2 : 1, (struct mc_value *[]){a, b}, 1, &out);
    assert_non_null(node);
    return node;
}

/* x -> Mul(x, w) -> y -> If(y){ Add(y, w) -> inner } -> z */
static struct mc_model *example(void)
{
    struct mc_error err = {0};
    struct mc_model *m;
    assert_ok(mc_model_create(&m, 17, &err), err);
    struct mc_value *x = mc_value_create(m->graph, "x"), *y = mc_value_create(m->graph, "y");
    struct mc_value *z = mc_value_create(m->graph, "z"), *w = mc_graph_add_initializer(m->graph, "w", floats(3, 1));
    x->type = (struct mc_type){.dtype = MC_FLOAT, .rank = 2, .dim = {-1, 3}, .param = {"batch"}};
    assert_ok(mc_graph_add_input(m->graph, x, &err), err);
    assert_ok(mc_graph_add_output(m->graph, z, &err), err);
    add_node(m->graph, "Mul", x, w, y);
    struct mc_node *branch = add_node(m->graph, "If", y, NULL, z);
    struct mc_graph *inside = mc_graph_create(m, m->graph, "then");
    struct mc_value *inner = mc_value_create(inside, "inner");
    add_node(inside, "Add", y, w, inner);
    assert_ok(mc_graph_add_output(inside, inner, &err), err);
    assert_ok(mc_node_set_int(branch, "placeholder", 1, &err), err);
    branch->attrs[0] = (struct mc_attr){.name = "then_branch", .type = MC_ATTR_GRAPH, .g = inside};
    assert_ok(mc_node_set_tensor(branch, "value", floats(2, 7), &err), err);
    return m;
}

/* --- making --- */

static void test_nodes_get_the_version_that_the_model_imports(void **state)
{
    struct mc_model *m = example();
    assert_int_equal(m->graph->nodes[0]->opset, 17);
    assert_int_equal(mc_model_opset(m, "ai.onnx"), 17);
    assert_int_equal(mc_model_opset(m, "com.example"), 0);
    struct mc_value *out = mc_value_create(m->graph, "out");
    struct mc_node *own = mc_node_create(m->graph, -1, "com.example", "Own", NULL, 0, NULL, 1, &out);
    struct mc_node *alias = mc_node_create(m->graph, -1, "ai.onnx", "Relu", NULL, 0, NULL, 0, NULL);
    assert_int_equal(own->opset, 0);
    assert_string_equal(alias->domain, "");
    assert_int_equal(alias->opset, 17);
    mc_model_destroy(m);
}

static void test_nodes_go_where_they_are_put(void **state)
{
    struct mc_model *m = example();
    struct mc_node *mul = m->graph->nodes[0];
    struct mc_value *out = mc_value_create(m->graph, "out");
    struct mc_node *first = mc_node_create(m->graph, 0, "", "Relu", NULL, 1, &m->graph->inputs[0], 1, &out);
    assert_int_equal(mc_node_position(first), 0);
    assert_int_equal(mc_node_position(mul), 1);
    assert_ptr_equal(out->producer, first);
    mc_node_remove(first);
    assert_null(out->producer);
    assert_int_equal(mc_node_position(mul), 0);
    assert_int_equal(mc_node_position(first), -1);
    mc_model_destroy(m);
}

static void test_inputs_can_be_added_behind_left_out_ones(void **state)
{
    struct mc_error err = {0};
    struct mc_model *m = example();
    struct mc_node *node = m->graph->nodes[0];
    assert_ok(mc_node_set_input(node, 4, node->inputs[0], &err), err);
    assert_int_equal(node->n_inputs, 5);
    assert_null(node->inputs[2]);
    assert_null(node->inputs[3]);
    assert_ptr_equal(node->inputs[4], node->inputs[0]);
    mc_model_destroy(m);
}

static void test_fresh_names_avoid_those_of_subgraphs(void **state)
{
    struct mc_model *m = example();
    assert_string_equal(mc_value_create_fresh(m->graph, "inner")->name, "inner_1");
    assert_string_equal(mc_value_create_fresh(m->graph, "inner")->name, "inner_2");
    assert_string_equal(mc_value_create_fresh(m->graph, "new")->name, "new");
    mc_model_destroy(m);
}

static void test_find_looks_outwards_only(void **state)
{
    struct mc_model *m = example();
    struct mc_graph *inside = mc_node_subgraph(m->graph->nodes[1], 0);
    assert_non_null(mc_graph_find(inside, "w"));
    assert_non_null(mc_graph_find(inside, "inner"));
    assert_null(mc_graph_find(m->graph, "inner"));
    mc_model_destroy(m);
}

static void test_new_contents_declare_their_type(void **state)
{
    struct mc_model *m = example();
    struct mc_value *w = mc_graph_find(m->graph, "w");
    w->origin_tensor = w;
    mc_value_set_data(w, floats(5, 0));
    assert_int_equal(w->type.dtype, MC_FLOAT);
    assert_int_equal(w->type.rank, 1);
    assert_int_equal(w->type.dim[0], 5);
    assert_null(w->origin_tensor);
    mc_model_destroy(m);
}

static void test_node_text_names_or_numbers(void **state)
{
    struct mc_model *m = example();
    char text[64];
    struct mc_node *nameless = mc_node_create(m->graph, -1, "", "Relu", NULL, 0, NULL, 0, NULL);
    assert_string_equal(mc_node_text(m->graph->nodes[0], text, sizeof text), "'Mul' (Mul)");
    assert_string_equal(mc_node_text(nameless, text, sizeof text), "#3 (Relu)");
    mc_model_destroy(m);
}

/* --- replacing and removing --- */

static void test_replace_reaches_outputs_and_subgraphs(void **state)
{
    struct mc_error err = {0};
    struct mc_model *m = example();
    struct mc_graph *inside = mc_node_subgraph(m->graph->nodes[1], 0);
    struct mc_value *y = mc_graph_find(m->graph, "y"), *x = mc_graph_find(m->graph, "x");
    struct mc_value *z = mc_graph_find(m->graph, "z");
    assert_ok(mc_value_replace(y, x, &err), err);
    assert_ptr_equal(m->graph->nodes[1]->inputs[0], x);
    assert_ptr_equal(inside->nodes[0]->inputs[0], x);
    assert_false(mc_value_is_used(y));
    assert_ok(mc_value_replace(z, x, &err), err);
    assert_ptr_equal(m->graph->outputs[0], x);
    assert_true(x->is_output);
    assert_false(z->is_output);
    mc_model_destroy(m);
}

static void test_replace_refuses_a_value_that_cannot_be_seen(void **state)
{
    struct mc_error err = {0};
    struct mc_model *m = example();
    struct mc_value *y = mc_graph_find(m->graph, "y");
    struct mc_value *inner = mc_graph_find(mc_node_subgraph(m->graph->nodes[1], 0), "inner");
    assert_int_equal(mc_value_replace(y, inner, &err), MC_ERR_INTERNAL);
    mc_model_destroy(m);
}

static void test_uses_in_subgraphs_count(void **state)
{
    struct mc_error err = {0};
    struct mc_model *m = example();
    struct mc_value *w = mc_graph_find(m->graph, "w"), *y = mc_graph_find(m->graph, "y");
    struct mc_value *z = mc_graph_find(m->graph, "z");
    struct mc_uses uses;
    assert_ok(mc_uses_create(&uses, m, &err), err);
    assert_int_equal(uses.n[w->id], 2);
    assert_int_equal(uses.n[y->id], 2);
    assert_string_equal(uses.of[y->id][0].node->type, "If");
    assert_string_equal(uses.of[y->id][1].node->type, "Add");
    assert_int_equal(uses.of[w->id][0].index, 1);
    assert_int_equal(uses.n[z->id], 1);
    assert_null(uses.of[z->id][0].node);
    mc_uses_finish(&uses);
    mc_model_destroy(m);
}

static void test_removed_initializers_leave_the_lists(void **state)
{
    struct mc_model *m = example();
    struct mc_value *extra = mc_graph_add_initializer(m->graph, "extra", floats(1, 0));
    const int id = extra->id;
    mc_value_remove(extra);
    assert_int_equal(m->graph->n_initializers, 1);
    assert_null(m->values[id]);
    assert_null(mc_graph_find(m->graph, "extra"));
    mc_model_destroy(m);
}

/* --- attributes --- */

static void test_attributes_give_their_value_or_the_default(void **state)
{
    struct mc_error err = {0};
    struct mc_model *m = example();
    struct mc_node *node = m->graph->nodes[0];
    int64_t n;
    assert_int_equal(mc_node_int(node, "axis", -7), -7);
    assert_true(mc_node_float(node, "alpha", 0.5f) == 0.5f);
    assert_null(mc_node_ints(node, "pads", &n));
    assert_int_equal(n, 0);
    assert_true(mc_node_string_is(node, "mode", "same", true));
    assert_ok(mc_node_set_int(node, "axis", 3, &err), err);
    assert_ok(mc_node_set_float(node, "alpha", 2, &err), err);
    assert_ok(mc_node_set_ints(node, "pads", (int64_t[]){1, 2}, 2, &err), err);
    assert_ok(mc_node_set_string(node, "mode", "same", &err), err);
    assert_ok(mc_node_set_floats(node, "scales", (float[]){1, 2, 3}, 3, &err), err);
    assert_int_equal(mc_node_int(node, "axis", 0), 3);
    assert_true(mc_node_float(node, "alpha", 0) == 2);
    assert_int_equal(mc_node_ints(node, "pads", &n)[1], 2);
    assert_int_equal(n, 2);
    assert_true(mc_node_string_is(node, "mode", "same", false));
    assert_false(mc_node_string_is(node, "mode", "sam", true));
    assert_int_equal(mc_node_int(node, "alpha", 9), 9); /* another type counts as absent */
    mc_model_destroy(m);
}

static void test_attributes_can_be_replaced(void **state)
{
    struct mc_error err = {0};
    struct mc_model *m = example();
    struct mc_node *node = m->graph->nodes[1];
    const int n = node->n_attrs;
    assert_ok(mc_node_set_tensor(node, "value", floats(1, 5), &err), err);
    assert_ok(mc_node_set_int(node, "value", 5, &err), err);
    assert_int_equal(node->n_attrs, n);
    assert_int_equal(mc_node_int(node, "value", 0), 5);
    mc_model_destroy(m);
}

/* --- clones --- */

static void test_clone_keeps_ids_and_shares_no_parts(void **state)
{
    struct mc_error err = {0};
    struct mc_model *m = example(), *copy;
    mc_value_remove(mc_graph_add_initializer(m->graph, "gone", floats(1, 0)));
    assert_ok(mc_model_clone(&copy, m, false, &err), err);
    assert_int_equal(copy->n_values, m->n_values);
    for (int i = 0; i < m->n_values; i++) {
        if (!m->values[i]) {
            assert_null(copy->values[i]);
            continue;
        }
        assert_ptr_not_equal(copy->values[i], m->values[i]);
        assert_string_equal(copy->values[i]->name, m->values[i]->name);
        assert_ptr_equal(copy->values[i]->graph->model, copy);
    }
    mc_model_destroy(m); /* whatever the copy still took from it is now found by the sanitizer */
    struct mc_value *w = mc_graph_find(copy->graph, "w"), *x = mc_graph_find(copy->graph, "x");
    assert_true(((float *)w->data->data)[2] == 3);
    assert_string_equal(x->type.param[0], "batch");
    struct mc_node *branch = copy->graph->nodes[1];
    struct mc_graph *inside = mc_node_subgraph(branch, 0);
    assert_ptr_equal(inside->parent, copy->graph);
    assert_ptr_equal(inside->nodes[0]->inputs[1], w);
    assert_ptr_equal(branch->inputs[0]->producer, copy->graph->nodes[0]);
    assert_true(((float *)mc_node_attr(branch, "value")->t->data)[1] == 8);
    assert_ok(mc_graph_add_output(copy->graph, x, &err), err); /* its lists can grow */
    mc_model_destroy(copy);
}

static void test_clone_can_share_parameters(void **state)
{
    struct mc_error err = {0};
    struct mc_model *m = example(), *copy;
    assert_ok(mc_model_clone(&copy, m, true, &err), err);
    struct mc_value *w = mc_graph_find(m->graph, "w");
    assert_ptr_equal(copy->values[w->id]->data->data, w->data->data);
    mc_model_destroy(m);
    assert_true(((float *)mc_graph_find(copy->graph, "w")->data->data)[0] == 1);
    mc_model_destroy(copy);
}

static int clone_attempt(void *context)
{
    struct mc_error err = {0};
    struct mc_model *copy = NULL;
    const int rc = mc_model_clone(&copy, context, false, &err);
    mc_model_destroy(copy);
    return rc;
}

static int uses_attempt(void *context)
{
    struct mc_error err = {0};
    struct mc_uses uses;
    const int rc = mc_uses_create(&uses, context, &err);
    if (rc == MC_OK) mc_uses_finish(&uses);
    return rc;
}

static void test_failing_allocations_leave_nothing_behind(void **state)
{
    struct mc_model *m = example();
    alloc_fail_each(clone_attempt, m);
    alloc_fail_each(uses_attempt, m);
    mc_model_destroy(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nodes_get_the_version_that_the_model_imports),
        cmocka_unit_test(test_nodes_go_where_they_are_put),
        cmocka_unit_test(test_inputs_can_be_added_behind_left_out_ones),
        cmocka_unit_test(test_fresh_names_avoid_those_of_subgraphs),
        cmocka_unit_test(test_find_looks_outwards_only),
        cmocka_unit_test(test_new_contents_declare_their_type),
        cmocka_unit_test(test_node_text_names_or_numbers),
        cmocka_unit_test(test_replace_reaches_outputs_and_subgraphs),
        cmocka_unit_test(test_replace_refuses_a_value_that_cannot_be_seen),
        cmocka_unit_test(test_uses_in_subgraphs_count),
        cmocka_unit_test(test_removed_initializers_leave_the_lists),
        cmocka_unit_test(test_attributes_give_their_value_or_the_default),
        cmocka_unit_test(test_attributes_can_be_replaced),
        cmocka_unit_test(test_clone_keeps_ids_and_shares_no_parts),
        cmocka_unit_test(test_clone_can_share_parameters),
        cmocka_unit_test(test_failing_allocations_leave_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
