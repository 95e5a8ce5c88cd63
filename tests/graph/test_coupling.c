/* test_coupling.c - labels, groups, families and what freezes them, on hand-built graphs of made-up operators.
 *
 * The operators here are rules and nothing else, so that this tests the coupling and not src/op. Shapes are stated by
 * the tests instead of inferred.
 */
#include "test.h"

#include <string.h>

#include "base/alloc.h"
#include "graph/coupling.h"
#include "graph/resize.h"

/* --- made-up operators --- */

/* y [n, out] = x [n, in] · w [out, in] + b [out]. */
static int dense_coupling(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err)
{
    const struct mc_value *x = node->inputs[0], *w = node->inputs[1], *y = node->outputs[0];
    int rc = mc_couple_axes(c, x, 0, y, 0, err);
    if (rc == 0) rc = mc_couple_axes(c, x, 1, w, 1, err);
    if (rc == 0) rc = mc_couple_axes(c, y, 1, w, 0, err);
    if (rc == 0) rc = mc_couple_role(c, w, 0, MC_ROLE_PRODUCES, err);
    if (rc == 0) rc = mc_couple_role(c, w, 1, MC_ROLE_CONSUMES, err);
    if (rc == 0 && node->n_inputs > 2) rc = mc_couple_axes(c, y, 1, node->inputs[2], 0, err);
    if (rc == 0 && node->n_inputs > 2) rc = mc_couple_role(c, node->inputs[2], 0, MC_ROLE_SHIFT, err);
    const struct mc_contraction contraction = {.node = node,
                                               .data = x,
                                               .data_axis = 1,
                                               .weight = w,
                                               .weight_axis = 1,
                                               .weight_out_axis = 0,
                                               .groups = 1,
                                               .bias_input = 2,
                                               .out_axis = 1,
                                               .movable = true};
    return rc < 0 ? rc : mc_couple_contraction(c, &contraction, err);
}

/* y [n, a + b] = x [n, a] beside z [n, b]. */
static int beside_coupling(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err)
{
    int64_t offset = 0;
    int rc = 0;
    for (int k = 0; k < node->n_inputs; k++) {
        const int64_t n = mc_coupling_extent(c, node->inputs[k], 1);
        if (rc == 0) rc = mc_couple_axes(c, node->inputs[k], 0, node->outputs[0], 0, err);
        for (int64_t i = 0; i < n && rc == 0; i++)
            rc = mc_couple_index(c, node->inputs[k], 1, i, node->outputs[0], 1, offset + i, err);
        offset += n;
    }
    return rc;
}

/* y [n, channels * s] = x [n, channels, s]. */
static int flat_coupling(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err)
{
    const struct mc_value *x = node->inputs[0], *y = node->outputs[0];
    const int64_t s = mc_coupling_extent(c, x, 2);
    int rc = mc_couple_axes(c, x, 0, y, 0, err);
    for (int64_t i = 0; i < mc_coupling_extent(c, y, 1) && rc == 0; i++)
        rc = mc_couple_index(c, x, 1, i / s, y, 1, i, err);
    return rc;
}

static int turned_coupling(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err)
{
    const int rc = mc_couple_axes(c, node->inputs[0], 0, node->outputs[0], 1, err);
    return rc < 0 ? rc : mc_couple_axes(c, node->inputs[0], 1, node->outputs[0], 0, err);
}

static int silent_coupling(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err)
{
    return 0;
}

static int first_index_coupling(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err)
{
    const struct mc_value *x = node->inputs[0];
    int rc = mc_coupling_first_input(c, node, err);
    if (rc == 0) rc = mc_couple_freeze_index(c, node, x, 1, 0, "the first one is special", err);
    assert_false(mc_couple_is_frozen(c, x, 1));
    assert_true(mc_couple_is_frozen(c, x, 0)); /* the batch */
    return rc;
}

static const struct mc_op dense = {.type = "Dense", .coupling = dense_coupling};
static const struct mc_op sum = {.type = "Sum", .coupling = mc_coupling_elementwise};
static const struct mc_op pass = {.type = "Pass", .coupling = mc_coupling_first_input};
static const struct mc_op beside = {.type = "Beside", .coupling = beside_coupling};
static const struct mc_op flat = {.type = "Flat", .coupling = flat_coupling};
static const struct mc_op turned = {.type = "Turned", .coupling = turned_coupling};
static const struct mc_op silent = {.type = "Silent", .coupling = silent_coupling};
static const struct mc_op first_index = {.type = "FirstIndex", .coupling = first_index_coupling};
static const struct mc_op shape_only = {.type = "ShapeOnly", .shape_only = true};
static const struct mc_op ruleless = {.type = "Ruleless"};

/* --- building --- */

enum { MOST_VALUES = 32 };

struct net {
    struct mc_model *model;
    struct mc_facts facts;
    struct mc_fact of[MOST_VALUES];
    struct mc_coupling *coupling;
    struct mc_error err;
};

static struct mc_shape shape_of(int64_t a, int64_t b, int64_t c)
{
    struct mc_shape shape = {0};
    for (const int64_t dims[] = {a, b, c}; shape.rank < 3 && dims[shape.rank] > 0; shape.rank++)
        shape.dim[shape.rank] = dims[shape.rank];
    return shape;
}

static void start(struct net *net)
{
    memset(net, 0, sizeof(*net));
    assert_ok(mc_model_create(&net->model, 17, &net->err), net->err);
}

static void finish(struct net *net)
{
    mc_coupling_destroy(net->coupling);
    mc_model_destroy(net->model);
}

static struct mc_value *note(struct net *net, struct mc_value *v, struct mc_shape shape)
{
    assert_non_null(v);
    assert_true(v->id < MOST_VALUES);
    net->of[v->id] = (struct mc_fact){.dtype = MC_FLOAT, .shape = shape, .constant = v->data};
    return v;
}

static struct mc_value *input(struct net *net, int64_t a, int64_t b, int64_t c)
{
    struct mc_value *v = note(net, mc_value_create(net->model->graph, "input"), shape_of(a, b, c));
    assert_ok(mc_graph_add_input(net->model->graph, v, &net->err), net->err);
    return v;
}

static struct mc_value *weight(struct net *net, const char *name, int64_t a, int64_t b)
{
    const struct mc_shape shape = shape_of(a, b, 0);
    struct mc_tensor *data = NULL;
    assert_ok(mc_tensor_create(&data, MC_FLOAT, &shape, &net->err), net->err);
    return note(net, mc_graph_add_initializer(net->model->graph, name, data), shape);
}

static struct mc_value *node(struct net *net, const struct mc_op *op, struct mc_value *x, struct mc_value *w,
                             struct mc_value *b, struct mc_shape shape)
{
    struct mc_value *y = note(net, mc_value_create_fresh(net->model->graph, "value"), shape);
    struct mc_value *const in[] = {x, w, b};
    struct mc_node *n = mc_node_create(net->model->graph, -1, "", op ? op->type : "Unknown", "node",
                                       b   ? 3
                                       : w ? 2
                                           : 1,
                                       in, 1, &y);
    assert_non_null(n);
    n->op = op;
    return y;
}

static void output(struct net *net, struct mc_value *v)
{
    assert_ok(mc_graph_add_output(net->model->graph, v, &net->err), net->err);
}

static void couple(struct net *net)
{
    net->facts = (struct mc_facts){.n_values = net->model->n_values, .of = net->of};
    assert_ok(mc_coupling_create(&net->coupling, net->model, &net->facts, false, &net->err), net->err);
}

static const struct mc_group *group_of(const struct net *net, const struct mc_value *v, int axis, int64_t i)
{
    const int g = mc_coupling_group_of(net->coupling, v, axis, i);
    return g < 0 ? NULL : mc_coupling_group(net->coupling, g);
}

static const struct mc_slice *slice_of(const struct mc_group *group, const struct mc_value *v, int axis)
{
    for (int s = 0; s < group->n_slices; s++)
        if (group->slices[s].value == v && group->slices[s].axis == axis) return &group->slices[s];
    return NULL;
}

#define assert_free(group) assert_null((group)->frozen_why)
#define assert_frozen(group, why) assert_string_equal((group)->frozen_why, why)

/* --- cases --- */

/* input [2, 4] → dense 6 → pass → dense 3 → output */
struct chain {
    struct net net;
    struct mc_value *x, *w1, *b1, *h, *r, *w2, *y;
};

static void build_chain(struct chain *c, const struct mc_op *between)
{
    start(&c->net);
    c->x = input(&c->net, 2, 4, 0);
    c->w1 = weight(&c->net, "w1", 6, 4);
    c->b1 = weight(&c->net, "b1", 6, 0);
    c->h = node(&c->net, &dense, c->x, c->w1, c->b1, shape_of(2, 6, 0));
    c->r = node(&c->net, between, c->h, NULL, NULL, shape_of(2, 6, 0));
    c->w2 = weight(&c->net, "w2", 3, 6);
    c->y = node(&c->net, &dense, c->r, c->w2, NULL, shape_of(2, 3, 0));
    output(&c->net, c->y);
    couple(&c->net);
}

static void test_chain_ties_filter_bias_and_next_input(void **state)
{
    struct chain c;
    build_chain(&c, &pass);
    for (int64_t i = 0; i < 6; i++) {
        const struct mc_group *group = group_of(&c.net, c.h, 1, i);
        assert_free(group);
        assert_int_equal(group->n_slices, 5);
        const struct mc_slice *parts[] = {slice_of(group, c.w1, 0), slice_of(group, c.b1, 0), slice_of(group, c.h, 1),
                                          slice_of(group, c.r, 1), slice_of(group, c.w2, 1)};
        for (size_t k = 0; k < MC_COUNT(parts); k++) {
            assert_non_null(parts[k]);
            assert_int_equal(parts[k]->n, 1);
            assert_int_equal(parts[k]->indices[0], i);
        }
        assert_int_equal(group->family, group_of(&c.net, c.h, 1, 0)->family);
    }
    assert_int_equal(mc_coupling_role(c.net.coupling, c.w1, 0), MC_ROLE_PRODUCES);
    assert_int_equal(mc_coupling_role(c.net.coupling, c.w2, 1), MC_ROLE_CONSUMES);
    assert_int_equal(mc_coupling_role(c.net.coupling, c.b1, 0), MC_ROLE_SHIFT);
    assert_int_equal(mc_coupling_n_contractions(c.net.coupling), 2);
    finish(&c.net);
}

static void test_inputs_outputs_and_batch_are_frozen(void **state)
{
    struct chain c;
    build_chain(&c, &pass);
    assert_frozen(group_of(&c.net, c.w1, 1, 2), "graph input");
    assert_frozen(group_of(&c.net, c.w2, 0, 1), "graph output");
    assert_frozen(group_of(&c.net, c.r, 0, 0), "graph input");
    finish(&c.net);
}

static void test_unknown_operator_freezes_what_it_touches(void **state)
{
    struct chain c;
    build_chain(&c, NULL);
    assert_frozen(group_of(&c.net, c.w1, 0, 5), "the operator is unknown");
    assert_ptr_equal(group_of(&c.net, c.w1, 0, 5)->frozen_by, c.r->producer);
    assert_frozen(group_of(&c.net, c.w2, 1, 0), "the operator is unknown");
    finish(&c.net);
}

static void test_operator_without_rule_freezes_what_it_touches(void **state)
{
    struct chain c;
    build_chain(&c, &ruleless);
    assert_frozen(group_of(&c.net, c.w1, 0, 5), "the operator has no coupling rule");
    finish(&c.net);
}

static void test_silent_rule_freezes_what_it_does_not_mention(void **state)
{
    struct chain c;
    build_chain(&c, &silent);
    assert_frozen(group_of(&c.net, c.w1, 0, 0), "the operator does not say what becomes of the axis");
    assert_ptr_equal(group_of(&c.net, c.w1, 0, 0)->frozen_by, c.r->producer);
    assert_frozen(group_of(&c.net, c.w2, 1, 0), "the operator does not say what becomes of the axis");
    finish(&c.net);
}

static void test_one_frozen_index_leaves_the_others_free(void **state)
{
    struct chain c;
    build_chain(&c, &first_index);
    assert_frozen(group_of(&c.net, c.w1, 0, 0), "the first one is special");
    for (int64_t i = 1; i < 6; i++) assert_free(group_of(&c.net, c.w2, 1, i));
    finish(&c.net);
}

static void test_residual_sum_ties_both_branches(void **state)
{
    struct net net;
    start(&net);
    struct mc_value *x = input(&net, 2, 4, 0), *w1 = weight(&net, "w1", 6, 4), *w2 = weight(&net, "w2", 6, 6);
    struct mc_value *w3 = weight(&net, "w3", 3, 6);
    struct mc_value *a = node(&net, &dense, x, w1, NULL, shape_of(2, 6, 0));
    struct mc_value *b = node(&net, &dense, a, w2, NULL, shape_of(2, 6, 0));
    struct mc_value *s = node(&net, &sum, a, b, NULL, shape_of(2, 6, 0));
    output(&net, node(&net, &dense, s, w3, NULL, shape_of(2, 3, 0)));
    couple(&net);
    const struct mc_group *group = group_of(&net, s, 1, 4);
    assert_free(group);
    assert_int_equal(slice_of(group, w1, 0)->indices[0], 4);
    assert_int_equal(slice_of(group, w2, 0)->indices[0], 4);
    assert_int_equal(slice_of(group, w2, 1)->indices[0], 4);
    assert_int_equal(slice_of(group, w3, 1)->indices[0], 4);
    finish(&net);
}

static void test_concatenation_keeps_families_apart(void **state)
{
    struct net net;
    start(&net);
    struct mc_value *x = input(&net, 2, 4, 0), *w1 = weight(&net, "w1", 3, 4), *w2 = weight(&net, "w2", 5, 4);
    struct mc_value *w3 = weight(&net, "w3", 2, 8);
    struct mc_value *a = node(&net, &dense, x, w1, NULL, shape_of(2, 3, 0));
    struct mc_value *b = node(&net, &dense, x, w2, NULL, shape_of(2, 5, 0));
    struct mc_value *y = node(&net, &beside, a, b, NULL, shape_of(2, 8, 0));
    output(&net, node(&net, &dense, y, w3, NULL, shape_of(2, 2, 0)));
    couple(&net);
    const struct mc_group *left = group_of(&net, w1, 0, 2), *right = group_of(&net, w2, 0, 1);
    assert_free(left);
    assert_free(right);
    assert_int_equal(slice_of(left, w3, 1)->indices[0], 2);
    assert_int_equal(slice_of(right, w3, 1)->indices[0], 4);
    assert_int_not_equal(left->family, right->family);
    assert_int_equal(right->family, group_of(&net, w2, 0, 4)->family);
    finish(&net);
}

static void test_flattened_channel_is_several_columns(void **state)
{
    struct net net;
    start(&net);
    struct mc_value *x = input(&net, 2, 4, 3);
    struct mc_value *scale = weight(&net, "scale", 4, 1);
    struct mc_value *s = node(&net, &sum, x, scale, NULL, shape_of(2, 4, 3));
    struct mc_value *f = node(&net, &flat, s, NULL, NULL, shape_of(2, 12, 0));
    struct mc_value *w = weight(&net, "w", 2, 12);
    output(&net, node(&net, &dense, f, w, NULL, shape_of(2, 2, 0)));
    couple(&net);
    const struct mc_slice *slice = slice_of(group_of(&net, s, 1, 2), w, 1);
    assert_int_equal(slice->n, 3);
    for (int64_t i = 0; i < 3; i++) assert_int_equal(slice->indices[i], 6 + i);
    /* Broadcasting over the last axis ties the parameter along the channels alone. */
    assert_int_equal(slice_of(group_of(&net, s, 1, 2), scale, 0)->indices[0], 2);
    assert_int_equal(mc_coupling_group_of(net.coupling, scale, 1, 0), -1);
    finish(&net);
}

static void test_shared_weight_ties_its_uses(void **state)
{
    struct net net;
    start(&net);
    struct mc_value *x = input(&net, 2, 4, 0), *w1 = weight(&net, "w1", 6, 4), *w = weight(&net, "w", 6, 6);
    struct mc_value *w3 = weight(&net, "w3", 3, 6);
    struct mc_value *a = node(&net, &dense, x, w1, NULL, shape_of(2, 6, 0));
    struct mc_value *b = node(&net, &dense, a, w, NULL, shape_of(2, 6, 0));
    struct mc_value *c = node(&net, &dense, b, w, NULL, shape_of(2, 6, 0));
    output(&net, node(&net, &dense, c, w3, NULL, shape_of(2, 3, 0)));
    couple(&net);
    const struct mc_group *group = group_of(&net, w1, 0, 3);
    assert_free(group);
    assert_non_null(slice_of(group, w, 0));
    assert_non_null(slice_of(group, w, 1));
    assert_non_null(slice_of(group, w3, 1));
    assert_int_equal(mc_coupling_role(net.coupling, w, 0), MC_ROLE_PRODUCES);
    finish(&net);
}

static void test_role_of_computed_weight_comes_back_to_the_stored_one(void **state)
{
    struct net net;
    start(&net);
    struct mc_value *x = input(&net, 2, 4, 0), *stored = weight(&net, "stored", 4, 6), *w2 = weight(&net, "w2", 3, 6);
    struct mc_value *w1 = node(&net, &turned, stored, NULL, NULL, shape_of(6, 4, 0));
    struct mc_value *a = node(&net, &dense, x, w1, NULL, shape_of(2, 6, 0));
    output(&net, node(&net, &dense, a, w2, NULL, shape_of(2, 3, 0)));
    couple(&net);
    assert_int_equal(mc_coupling_role(net.coupling, stored, 1), MC_ROLE_PRODUCES);
    assert_int_equal(mc_coupling_role(net.coupling, stored, 0), MC_ROLE_CONSUMES);
    assert_true(mc_coupling_is_fixed(net.coupling, w1));
    assert_false(mc_coupling_is_parameter(net.coupling, w1));
    assert_non_null(slice_of(group_of(&net, a, 1, 1), stored, 1));
    finish(&net);
}

static void test_reading_a_shape_is_no_obstacle(void **state)
{
    struct net net;
    start(&net);
    struct mc_value *x = input(&net, 2, 4, 0), *w1 = weight(&net, "w1", 6, 4), *w2 = weight(&net, "w2", 3, 6);
    struct mc_value *a = node(&net, &dense, x, w1, NULL, shape_of(2, 6, 0));
    node(&net, &shape_only, a, NULL, NULL, shape_of(2, 0, 0));
    output(&net, node(&net, &dense, a, w2, NULL, shape_of(2, 3, 0)));
    couple(&net);
    assert_free(group_of(&net, a, 1, 0));
    finish(&net);
}

static void test_unknown_shapes_freeze_their_neighbours(void **state)
{
    struct chain c;
    build_chain(&c, &pass);
    mc_coupling_destroy(c.net.coupling);
    c.net.of[c.r->id].dtype = MC_UNDEFINED;
    couple(&c.net);
    assert_frozen(group_of(&c.net, c.w1, 0, 0), "shapes around it are unknown");
    finish(&c.net);
}

static void test_resize_answers_what_stays(void **state)
{
    struct chain c;
    build_chain(&c, &pass);
    const int groups[] = {mc_coupling_group_of(c.net.coupling, c.h, 1, 1),
                          mc_coupling_group_of(c.net.coupling, c.h, 1, 4)};
    struct mc_resize *r = NULL;
    assert_ok(mc_resize_create(&r, c.net.model, c.net.coupling, groups, 2, &c.net.err), c.net.err);
    int64_t n;
    const int64_t *kept = mc_resize_kept(r, c.w2, 1, &n), expected[] = {0, 2, 3, 5};
    assert_int_equal(n, 4);
    assert_memory_equal(kept, expected, sizeof(expected));
    assert_null(mc_resize_kept(r, c.w2, 0, &n));
    assert_int_equal(n, 3);
    assert_int_equal(mc_resize_new_extent(r, c.b1, 0), 4);
    assert_int_equal(mc_resize_old_extent(r, c.b1, 0), 6);
    assert_true(mc_resize_changed(r, c.h));
    assert_false(mc_resize_changed(r, c.y));
    mc_resize_destroy(r);
    finish(&c.net);
}

static void test_resize_refuses_to_leave_nothing(void **state)
{
    struct chain c;
    build_chain(&c, &pass);
    int groups[6];
    for (int i = 0; i < 6; i++) groups[i] = mc_coupling_group_of(c.net.coupling, c.h, 1, i);
    struct mc_resize *r = NULL;
    assert_int_equal(mc_resize_create(&r, c.net.model, c.net.coupling, groups, 6, &c.net.err), MC_ERR_USAGE);
    assert_null(r);
    finish(&c.net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chain_ties_filter_bias_and_next_input),
        cmocka_unit_test(test_inputs_outputs_and_batch_are_frozen),
        cmocka_unit_test(test_unknown_operator_freezes_what_it_touches),
        cmocka_unit_test(test_operator_without_rule_freezes_what_it_touches),
        cmocka_unit_test(test_silent_rule_freezes_what_it_does_not_mention),
        cmocka_unit_test(test_one_frozen_index_leaves_the_others_free),
        cmocka_unit_test(test_residual_sum_ties_both_branches),
        cmocka_unit_test(test_concatenation_keeps_families_apart),
        cmocka_unit_test(test_flattened_channel_is_several_columns),
        cmocka_unit_test(test_shared_weight_ties_its_uses),
        cmocka_unit_test(test_role_of_computed_weight_comes_back_to_the_stored_one),
        cmocka_unit_test(test_reading_a_shape_is_no_obstacle),
        cmocka_unit_test(test_unknown_shapes_freeze_their_neighbours),
        cmocka_unit_test(test_resize_answers_what_stays),
        cmocka_unit_test(test_resize_refuses_to_leave_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
