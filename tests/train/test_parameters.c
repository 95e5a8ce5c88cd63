/* test_parameters.c - what is trained, what is untied, what a snapshot brings back. */
#include "test.h"

#include <string.h>

#include "op/ops.h"
#include "train/parameters.h"
#include "train/pass.h"
#include "train/train.h"

static struct mc_value *initializer(struct mc_model *model, const char *name, enum mc_dtype dtype, int rank,
                                    double first)
{
    struct mc_error err = {0};
    struct mc_tensor *data;
    const struct mc_shape shape = {.rank = rank, .dim = {2, 2}};
    assert_ok(mc_tensor_create(&data, dtype, &shape, &err), err);
    for (int64_t i = 0; i < mc_tensor_count(data); i++) mc_tensor_set_f64(data, i, first + (double)i);
    struct mc_value *value = mc_graph_add_initializer(model->graph, name, data);
    assert_non_null(value);
    return value;
}

static struct mc_value *apply(struct mc_model *model, const char *type, struct mc_value *a, struct mc_value *b,
                              const char *name)
{
    struct mc_value *inputs[] = {a, b}, *out = mc_value_create(model->graph, name);
    assert_non_null(mc_node_create(model->graph, -1, "", type, name, b ? 2 : 1, inputs, 1, &out));
    return out;
}

static struct mc_model *empty_model(struct mc_value **input)
{
    struct mc_error err = {0};
    struct mc_model *model;
    assert_ok(mc_model_create(&model, 17, &err), err);
    *input = mc_value_create(model->graph, "x");
    (*input)->type = (struct mc_type){.dtype = MC_FLOAT, .rank = 2, .dim = {2, 2}};
    assert_ok(mc_graph_add_input(model->graph, *input, &err), err);
    return model;
}

static void finish_model(struct mc_model *model, struct mc_value *output)
{
    struct mc_error err = {0};
    assert_ok(mc_graph_add_output(model->graph, output, &err), err);
    mc_ops_bind(model);
}

static void test_trainable_are_float_tensors_that_descent_reaches(void **state)
{
    struct mc_error err = {0};
    struct mc_value *x;
    struct mc_model *model = empty_model(&x);
    struct mc_value *weight = initializer(model, "weight", MC_FLOAT, 2, 1);
    struct mc_value *factor = initializer(model, "factor", MC_FLOAT, 0, 0.5); /* a constant of a formula */
    struct mc_value *stray = initializer(model, "stray", MC_FLOAT, 2, 1);     /* leads to no output */
    struct mc_value *behind = initializer(model, "behind", MC_FLOAT, 2, 1);   /* behind an unknown operator */
    struct mc_value *shape = initializer(model, "shape", MC_INT64, 1, 2);
    struct mc_value *h = apply(model, "Mul", x, weight, "h");
    h = apply(model, "Mul", h, factor, "scaled");
    apply(model, "Add", x, stray, "nowhere");
    h = apply(model, "Add", h, apply(model, "Mystery", behind, NULL, "m"), "sum");
    h = apply(model, "Reshape", h, shape, "y");
    finish_model(model, h);
    struct mc_value **values;
    int n;
    assert_ok(mc_trainable(model, &values, &n, &err), err);
    assert_int_equal(n, 1);
    assert_ptr_equal(values[0], weight);
    mc_model_destroy(model);
}

static void test_untying_gives_repeated_parameters_their_own_tensor(void **state)
{
    struct mc_error err = {0};
    struct mc_value *x;
    struct mc_model *model = empty_model(&x);
    struct mc_value *shared = initializer(model, "shared", MC_FLOAT, 2, 1);
    struct mc_value *repeated = apply(model, "Identity", shared, NULL, "repeated");
    struct mc_value *h = apply(model, "Mul", x, shared, "h");
    finish_model(model, apply(model, "Add", h, repeated, "y"));
    assert_ok(mc_parameters_untie(model, &err), err);
    assert_int_equal(model->graph->n_nodes, 2);
    const struct mc_value *own = model->graph->nodes[1]->inputs[1];
    assert_string_equal(own->name, "repeated");
    assert_non_null(own->data);
    assert_ptr_not_equal(own->data, shared->data);
    assert_memory_equal(own->data->data, shared->data->data, 4 * sizeof(float));
    struct mc_value **values;
    int n;
    assert_ok(mc_trainable(model, &values, &n, &err), err);
    assert_int_equal(n, 2);
    mc_model_destroy(model);
}

static void test_untying_leaves_a_copy_without_rival(void **state)
{
    struct mc_error err = {0};
    struct mc_value *x;
    struct mc_model *model = empty_model(&x);
    struct mc_value *only = initializer(model, "only", MC_FLOAT, 2, 1);
    struct mc_value *copy = apply(model, "Identity", only, NULL, "copy");
    finish_model(model, apply(model, "Add", x, copy, "y"));
    assert_ok(mc_parameters_untie(model, &err), err);
    assert_int_equal(model->graph->n_nodes, 2);
    assert_int_equal(model->graph->n_initializers, 1);
    mc_model_destroy(model);
}

static void test_own_parameters_are_not_those_of_a_clone(void **state)
{
    struct mc_error err = {0};
    struct mc_value *x;
    struct mc_model *model = empty_model(&x), *clone;
    struct mc_value *w = initializer(model, "w", MC_FLOAT, 2, 1);
    w->origin_tensor = "the writer's form";
    finish_model(model, apply(model, "Add", x, w, "y"));
    assert_ok(mc_model_clone(&clone, model, true, &err), err);
    assert_ok(mc_parameters_own(model, &err), err);
    assert_string_equal(w->origin_tensor, "the writer's form");
    mc_tensor_set_f64(w->data, 0, 100);
    assert_true(mc_tensor_get_f64(clone->graph->initializers[0]->data, 0) == 1);
    mc_model_destroy(clone);
    mc_model_destroy(model);
}

static void test_snapshots_bring_contents_back(void **state)
{
    struct mc_error err = {0};
    struct mc_value *x;
    struct mc_model *model = empty_model(&x);
    struct mc_value *w = initializer(model, "w", MC_FLOAT, 2, 1), *d = initializer(model, "d", MC_DOUBLE, 1, 7);
    struct mc_snapshot snapshot;
    assert_ok(mc_snapshot_init(&snapshot, model, &err), err);
    mc_tensor_set_f64(w->data, 3, -1);
    mc_tensor_set_f64(d->data, 1, -1);
    mc_snapshot_restore(&snapshot);
    assert_true(mc_tensor_get_f64(w->data, 3) == 4 && mc_tensor_get_f64(d->data, 1) == 8);
    mc_tensor_set_f64(w->data, 3, -1);
    mc_snapshot_take(&snapshot);
    mc_tensor_set_f64(w->data, 3, 5);
    mc_snapshot_restore(&snapshot);
    assert_true(mc_tensor_get_f64(w->data, 3) == -1);
    mc_snapshot_finish(&snapshot);
    mc_model_destroy(model);
}

/* late * x + hardmax(early * x): no gradient passes the second. */
static struct mc_model *half_blind(bool two_outputs)
{
    struct mc_value *x;
    struct mc_model *model = empty_model(&x);
    struct mc_value *early = apply(model, "Mul", x, initializer(model, "early", MC_FLOAT, 2, 1), "scaled");
    struct mc_value *late = apply(model, "Mul", x, initializer(model, "late", MC_FLOAT, 2, 1), "also");
    struct mc_value *hard = apply(model, "Hardmax", early, NULL, "hard");
    if (two_outputs) finish_model(model, hard);
    finish_model(model, two_outputs ? late : apply(model, "Add", late, hard, "sum"));
    return model;
}

static void test_parameters_that_no_gradient_reaches_are_named(void **state)
{
    struct mc_error err = {0};
    struct mc_model *model = half_blind(false);
    struct mc_value **found;
    struct mc_plan *plan;
    struct mc_record *record;
    int n;
    assert_ok(mc_trainable(model, &found, &n, &err), err);
    assert_int_equal(n, 1);
    assert_string_equal(found[0]->name, "late");
    const struct mc_plan_options options = {.training = true, .n_wrt = n, .wrt = (const struct mc_value *const *)found};
    assert_ok(mc_plan_create(&plan, model, &options, &err), err);
    assert_ok(mc_record_create(&record, &err), err);
    assert_ok(mc_record_untrained(plan, model, record, &err), err);
    const struct mc_record *list = mc_record_get(record, "untrained");
    assert_int_equal(mc_record_size(list), 1);
    assert_string_equal(mc_record_get_text(mc_record_at(list, 0), "parameter", ""), "early");
    assert_string_equal(mc_record_get_text(mc_record_at(list, 0), "node", ""), "hard");
    assert_string_equal(mc_record_get_text(mc_record_at(list, 0), "operator", ""), "Hardmax");
    assert_string_equal(mc_record_get_text(mc_record_at(list, 0), "why", ""),
                        "its derivative is 0 wherever it has one");
    mc_record_destroy(record);
    mc_plan_destroy(plan);
    mc_model_destroy(model);
}

static void test_scores_that_no_gradient_leaves_are_refused(void **state)
{
    struct mc_error err = {0};
    struct mc_model *model = half_blind(true);
    struct mc_runtime runtime;
    struct mc_value **found;
    struct mc_binding binding;
    struct mc_pass pass;
    int n;
    mc_runtime_init(&runtime, 1, MC_CPU_AVX512);
    assert_ok(mc_trainable(model, &found, &n, &err), err);
    assert_ok(mc_binding_init(&binding, model, NULL, MC_LOSS_MSE, NULL, &err), err);
    assert_int_equal(mc_pass_init(&pass, &binding, model, 2, found, n, &runtime, &err), MC_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "no parameter can be trained: no gradient leads to one from the scores"));
    mc_pass_finish(&pass);
    mc_model_destroy(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trainable_are_float_tensors_that_descent_reaches),
        cmocka_unit_test(test_untying_gives_repeated_parameters_their_own_tensor),
        cmocka_unit_test(test_untying_leaves_a_copy_without_rival),
        cmocka_unit_test(test_own_parameters_are_not_those_of_a_clone),
        cmocka_unit_test(test_snapshots_bring_contents_back),
        cmocka_unit_test(test_parameters_that_no_gradient_reaches_are_named),
        cmocka_unit_test(test_scores_that_no_gradient_leaves_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
