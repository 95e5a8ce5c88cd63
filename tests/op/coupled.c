/* coupled.c - see coupled.h. */
#include "coupled.h"

#include <string.h>

#include "base/alloc.h"
#include "op/ops.h"
#include "run/plan.h"
#include "test.h"

void coupled_init(struct coupled *t, int opset)
{
    struct mc_error err = {0};
    *t = (struct coupled){0};
    assert_ok(mc_model_create(&t->model, opset, &err), err);
}

void coupled_finish(struct coupled *t)
{
    mc_coupling_destroy(t->coupling);
    mc_facts_finish(&t->facts);
    mc_model_destroy(t->model);
}

static struct mc_value *add(struct coupled *t, const char *name, enum mc_dtype dtype, struct mc_shape shape,
                            const void *contents)
{
    struct mc_error err = {0};
    struct mc_tensor *tensor;
    assert_ok(mc_tensor_create(&tensor, dtype, &shape, &err), err);
    if (contents) memcpy(tensor->data, contents, mc_tensor_bytes(tensor));
    struct mc_value *const value = mc_graph_add_initializer(t->model->graph, name, tensor);
    assert_non_null(value);
    return value;
}

struct mc_value *coupled_value(struct coupled *t, const char *name, struct mc_shape shape)
{
    return add(t, name, MC_FLOAT, shape, NULL);
}

struct mc_value *coupled_computed(struct coupled *t, struct mc_shape shape)
{
    struct mc_error err = {0};
    struct mc_value *const factor = mc_value_create_fresh(t->model->graph, "factor");
    assert_non_null(factor);
    factor->type = (struct mc_type){.dtype = MC_FLOAT, .rank = 0};
    assert_ok(mc_graph_add_input(t->model->graph, factor, &err), err);
    struct mc_tensor *tensor;
    assert_ok(mc_tensor_create(&tensor, MC_FLOAT, &shape, &err), err);
    struct mc_value *const in[] = {mc_graph_add_initializer_fresh(t->model->graph, "weights", tensor), factor};
    assert_non_null(in[0]);
    return coupled_node(t, "Mul", 2, in, 1)->outputs[0];
}

struct mc_value *coupled_ints(struct coupled *t, const char *name, int n, const int64_t *ints)
{
    return add(t, name, MC_INT64, (struct mc_shape){.rank = 1, .dim = {n}}, ints);
}

struct mc_node *coupled_node(struct coupled *t, const char *type, int n_in, struct mc_value *const *in, int n_out)
{
    struct mc_value *out[8];
    assert_true(n_out <= 8);
    for (int i = 0; i < n_out; i++) {
        out[i] = mc_value_create_fresh(t->model->graph, type);
        assert_non_null(out[i]);
    }
    struct mc_node *const node = mc_node_create(t->model->graph, -1, "", type, type, n_in, in, n_out, out);
    assert_non_null(node);
    return node;
}

void coupled_couple(struct coupled *t)
{
    struct mc_error err = {0};
    const struct mc_dims dims = {.batch = 0};
    mc_ops_bind(t->model);
    assert_ok(mc_model_facts(&t->facts, t->model, &dims, false, &err), err);
    assert_ok(mc_coupling_create(&t->coupling, t->model, &t->facts, false, &err), err);
}

static const struct mc_group *group_of(const struct coupled *t, const struct mc_value *v, int axis, int64_t i)
{
    const int group = mc_coupling_group_of(t->coupling, v, axis, i);
    return group < 0 ? NULL : mc_coupling_group(t->coupling, group);
}

bool coupled_frozen(const struct coupled *t, const struct mc_value *v, int axis, int64_t i)
{
    const struct mc_group *const group = group_of(t, v, axis, i);
    return !group || group->frozen_why;
}

bool coupled_all_frozen(const struct coupled *t, const struct mc_value *v, int axis)
{
    for (int64_t i = 0; i < mc_coupling_extent(t->coupling, v, axis); i++)
        if (!coupled_frozen(t, v, axis, i)) return false;
    return true;
}

bool coupled_tied(const struct coupled *t, const struct mc_value *x, int a, int64_t i, const struct mc_value *y, int b,
                  int64_t j)
{
    const struct mc_group *const group = group_of(t, x, a, i);
    return group && !group->frozen_why && group == group_of(t, y, b, j);
}

void coupled_cut(struct coupled *t, const struct mc_value *v, int axis, int n, const int64_t *indices)
{
    struct mc_error err = {0};
    struct mc_resize *resize;
    int groups[16], n_groups = 0;
    assert_true(n <= 16);
    for (int i = 0; i < n; i++) {
        const int group = mc_coupling_group_of(t->coupling, v, axis, indices[i]);
        assert_false(coupled_frozen(t, v, axis, indices[i]));
        bool known = false;
        for (int k = 0; k < n_groups; k++) known |= groups[k] == group;
        if (!known) groups[n_groups++] = group;
    }
    assert_ok(mc_resize_create(&resize, t->model, t->coupling, groups, n_groups, &err), err);
    struct mc_runtime runtime;
    mc_runtime_init(&runtime, 1, MC_CPU_AVX512);
    assert_ok(mc_resize_follow(resize, mc_plan_evaluate_node, &runtime, &err), err);
    assert_ok(mc_resize_nodes(resize, &err), err);
    mc_resize_destroy(resize);
}

void coupled_expect_input(const struct mc_node *node, int i, int n, const int64_t *expected)
{
    assert_true(i < node->n_inputs);
    assert_non_null(node->inputs[i]);
    const struct mc_tensor *const tensor = node->inputs[i]->data;
    assert_non_null(tensor);
    assert_int_equal(mc_tensor_count(tensor), n);
    for (int k = 0; k < n; k++) assert_int_equal(mc_tensor_get_i64(tensor, k), expected[k]);
}

void coupled_expect_attr(const struct mc_node *node, const char *name, int n, const int64_t *expected)
{
    int64_t count;
    const int64_t *const ints = mc_node_ints(node, name, &count);
    assert_int_equal(count, n);
    for (int k = 0; k < n; k++) assert_int_equal(ints[k], expected[k]);
}
