/* test_redraw.c - a model whose weights are drawn anew: of what size, and what stays. */
#include "train/redraw.h"

#include <math.h>
#include <string.h>

#include "alloc_fail.h"
#include "base/alloc.h"
#include "op/ops.h"
#include "toy.h"

static const struct mc_tensor *find(const struct mc_model *model, const char *name)
{
    const struct mc_value *v = mc_graph_find(model->graph, name);
    if (!v || !v->data) fail_msg("there is no '%s'", name);
    return v->data;
}

static void is_normal(const struct mc_model *model, const char *name, double deviation)
{
    const struct mc_tensor *t = find(model, name);
    const int64_t n = mc_tensor_count(t);
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < n; i++) {
        sum += (double)((float *)t->data)[i];
        squares += pow((double)((float *)t->data)[i], 2);
    }
    const double error = 4 / sqrt((double)n); /* four standard errors, and more */
    if (!(fabs(sum / (double)n) < error * deviation && fabs(sqrt(squares / (double)n) / deviation - 1) < error))
        fail_msg("'%s' has mean %g and deviation %g, not 0 and %g", name, sum / (double)n, sqrt(squares / (double)n),
                 deviation);
}

static void is_all(const struct mc_model *model, const char *name, float number)
{
    const struct mc_tensor *t = find(model, name);
    for (int64_t i = 0; i < mc_tensor_count(t); i++) assert_true(((float *)t->data)[i] == number);
}

/* 60 - 80 - 40 - 3 with a normalization behind the first layer, and no number as it was drawn. */
static struct mc_model *trained(struct toy *toy)
{
    toy_create(toy, 10, 60, 3, 0);
    struct mc_model *model = toy_model("mlp:60-80-40-3", toy);
    toy_normalize_hidden(model, 80);
    for (int i = 0; i < model->graph->n_initializers; i++) {
        struct mc_tensor *t = model->graph->initializers[i]->data;
        for (int64_t k = 0; k < mc_tensor_count(t); k++) ((float *)t->data)[k] = 7;
    }
    return model;
}

static void test_weights_have_the_papers_deviations(void **state)
{
    struct mc_error err = {0};
    struct toy toy;
    struct mc_model *model = trained(&toy);
    struct mc_record *section;
    assert_ok(mc_record_create(&section, &err), err);
    assert_ok(mc_redraw(model, 5, section, &err), err);
    is_normal(model, "fc1.weight", sqrt(2.0 / 60));
    is_normal(model, "fc2.weight", sqrt(2.0 / 80));
    is_normal(model, "fc3.weight", sqrt(1.0 / 40));
    is_all(model, "fc2.bias", 0);
    is_all(model, "scale", 1);
    is_all(model, "shift", 0);
    is_all(model, "mean", 0);
    is_all(model, "variance", 1);
    assert_int_equal(mc_record_get_int(section, "kept", -1), 0);
    assert_int_equal(mc_record_get_int(section, "drawn", -1), 60 * 80 + 80 + 80 * 40 + 40 + 40 * 3 + 3 + 4 * 80);
    mc_record_destroy(section);
    mc_model_destroy(model);
    toy_destroy(&toy);
}

static void test_the_same_seed_draws_the_same(void **state)
{
    struct mc_error err = {0};
    struct toy toy;
    struct mc_model *model = trained(&toy);
    int64_t n;
    float *drawn[3];
    for (int i = 0; i < 3; i++) {
        assert_ok(mc_redraw(model, i < 2 ? 5 : 6, NULL, &err), err);
        drawn[i] = toy_weights(model, &n);
    }
    assert_memory_equal(drawn[0], drawn[1], (size_t)n * sizeof(float));
    assert_memory_not_equal(drawn[0], drawn[2], (size_t)n * sizeof(float));
    for (int i = 0; i < 3; i++) mc_free(drawn[i]);
    mc_model_destroy(model);
    toy_destroy(&toy);
}

static void test_the_model_that_contents_are_shared_with_keeps_them(void **state)
{
    struct mc_error err = {0};
    struct toy toy;
    struct mc_model *model = trained(&toy), *copy;
    assert_ok(mc_model_clone(&copy, model, true, &err), err);
    mc_ops_bind(copy);
    assert_ok(mc_redraw(copy, 5, NULL, &err), err);
    is_all(model, "fc1.weight", 7);
    mc_model_destroy(copy);
    mc_model_destroy(model);
    toy_destroy(&toy);
}

static int redraw(void *model)
{
    struct mc_error err = {0};
    return mc_redraw(model, 1, NULL, &err);
}

static void test_each_allocation_may_fail(void **state)
{
    struct toy toy;
    struct mc_model *model = trained(&toy);
    alloc_fail_each(redraw, model);
    mc_model_destroy(model);
    toy_destroy(&toy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_weights_have_the_papers_deviations),
        cmocka_unit_test(test_the_same_seed_draws_the_same),
        cmocka_unit_test(test_the_model_that_contents_are_shared_with_keeps_them),
        cmocka_unit_test(test_each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
