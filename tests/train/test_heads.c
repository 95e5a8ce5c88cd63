/* test_heads.c - losses on several outputs: a step is the sum of the steps that each would make. */
#include <math.h>
#include <string.h>

#include "alloc_fail.h"
#include "base/alloc.h"
#include "op/ops.h"
#include "toy.h"

static struct mc_value *number(struct mc_model *model, const char *name, int64_t a, int64_t b, double first)
{
    struct mc_error err = {0};
    struct mc_tensor *t;
    const struct mc_shape shape = {.rank = b ? 2 : 1, .dim = {a, b}};
    assert_ok(mc_tensor_create(&t, MC_FLOAT, &shape, &err), err);
    for (int64_t i = 0; i < mc_tensor_count(t); i++) ((float *)t->data)[i] = (float)sin(first + (double)i);
    struct mc_value *v = mc_graph_add_initializer(model->graph, name, t);
    assert_non_null(v);
    return v;
}

/* 2 - 6 - 4 - 2 whose first hidden layer is read by a second head "aux" as well, of `columns` scores, or of
 * probabilities. */
static struct mc_model *two_heads(const struct toy *toy, double first, int64_t columns, const char *link)
{
    struct mc_error err = {0};
    struct mc_model *model = toy_model("mlp:2-6-4-2", toy);
    struct mc_value *hidden = mc_graph_find(model->graph, "relu1");
    assert_non_null(hidden);
    struct mc_value *in[] = {hidden, number(model, "aux.weight", 6, columns, first),
                             number(model, "aux.bias", columns, 0, first)};
    struct mc_value *y = mc_value_create(model->graph, link ? "aux.scores" : "aux");
    assert_non_null(mc_node_create(model->graph, -1, "", "Gemm", "aux", 3, in, 1, &y));
    if (link) {
        struct mc_value *p = mc_value_create(model->graph, "aux");
        assert_non_null(mc_node_create(model->graph, -1, "", link, "link", 1, &y, 1, &p));
        y = p;
    }
    y->type = (struct mc_type){.dtype = MC_FLOAT, .rank = 2, .dim = {-1, columns}};
    assert_ok(mc_graph_add_output(model->graph, y, &err), err);
    mc_ops_bind(model);
    return model;
}

/* What one step of plain descent on all samples changes, in fresh memory. */
static float *step_of(const struct mc_model *of, const struct toy *toy, const struct mc_fit_options *options,
                      int64_t *n)
{
    struct mc_error err = {0};
    struct mc_model *model;
    assert_ok(mc_model_clone(&model, of, false, &err), err);
    mc_ops_bind(model);
    float *before = toy_weights(model, n);
    assert_ok(mc_fit(model, &toy->data, options, NULL, &err), err);
    float *after = toy_weights(model, n);
    for (int64_t i = 0; i < *n; i++) after[i] -= before[i];
    mc_free(before);
    mc_model_destroy(model);
    return after;
}

static void check_sum(const struct mc_model *model, const struct toy *toy, struct mc_fit_options o)
{
    const double weight = 0.3;
    int64_t n;
    o.heads = "aux=0.3";
    float *both = step_of(model, toy, &o, &n);
    o.heads = NULL;
    float *main = step_of(model, toy, &o, &n);
    o.head = "aux";
    float *aux = step_of(model, toy, &o, &n);
    double moved = 0;
    for (int64_t i = 0; i < n; i++) {
        const double sum = (double)main[i] + weight * (double)aux[i];
        if (!(fabs((double)both[i] - sum) < 1e-6)) fail_msg("number %d moves by %g, not %g", (int)i, both[i], sum);
        moved = fmax(moved, fmin(fabs((double)main[i]), fabs((double)aux[i])));
    }
    assert_true(moved > 1e-3); /* they share parameters */
    mc_free(aux);
    mc_free(main);
    mc_free(both);
}

static void test_a_step_is_the_sum_of_the_heads_steps(void **state)
{
    static const char *const links[] = {NULL, "Softmax"};
    struct toy toy;
    toy_two_sides(&toy, 40);
    for (size_t i = 0; i < MC_COUNT(links); i++) {
        struct mc_model *model = two_heads(&toy, 1, 2, links[i]);
        check_sum(model, &toy, toy_options(0.1, 0, 1));
        mc_model_destroy(model);
    }
    toy_destroy(&toy);
}

/* Each head has the teacher's of its name to imitate. */
static void test_heads_are_taught_by_those_of_their_names(void **state)
{
    struct toy toy;
    toy_two_sides(&toy, 40);
    struct mc_model *model = two_heads(&toy, 1, 2, NULL), *teacher = two_heads(&toy, 2, 2, NULL);
    struct mc_fit_options o = toy_options(0.1, 0, 1);
    o.teacher = teacher;
    o.alpha = 0.7;
    check_sum(model, &toy, o);
    mc_model_destroy(teacher);
    mc_model_destroy(model);
    toy_destroy(&toy);
}

static void refuses(const struct mc_model *of, const struct toy *toy, const char *heads, enum mc_status status,
                    const char *words)
{
    struct mc_error err = {0};
    struct mc_model *model;
    struct mc_fit_options o = toy_options(0.1, 0, 1);
    o.heads = heads;
    assert_ok(mc_model_clone(&model, of, false, &err), err);
    mc_ops_bind(model);
    assert_int_equal(mc_fit(model, &toy->data, &o, NULL, &err), status);
    if (!strstr(err.text, words)) fail_msg("'%s' says '%s'", heads, err.text);
    mc_model_destroy(model);
}

static void test_what_is_no_head_is_refused(void **state)
{
    struct toy toy;
    toy_two_sides(&toy, 40);
    struct mc_model *model = two_heads(&toy, 1, 2, NULL), *wide = two_heads(&toy, 1, 3, NULL),
                    *single = two_heads(&toy, 1, 1, NULL);
    refuses(model, &toy, "aux", MC_ERR_USAGE, "needs NAME=WEIGHT with a weight above 0, has 'aux'");
    refuses(model, &toy, "aux=0", MC_ERR_USAGE, "has 'aux=0'");
    refuses(model, &toy, "aux=1x", MC_ERR_USAGE, "has 'aux=1x'");
    refuses(model, &toy, "aux=1,", MC_ERR_USAGE, "has ''");
    refuses(model, &toy, "aux=1,aux=2", MC_ERR_USAGE, "head 'aux' is named twice");
    refuses(model, &toy, "aus=1", MC_ERR_USAGE, "head 'aus': none of the model's 2 outputs has that name");
    refuses(model, &toy, "output=1", MC_ERR_USAGE, "head 'output' is the one that is measured");
    refuses(wide, &toy, "aux=1", MC_ERR_INPUT, "gives 3 numbers a sample, the data has 2 classes");
    mc_model_destroy(single);
    mc_model_destroy(wide);
    mc_model_destroy(model);
    toy_destroy(&toy);
}

/* One score for two classes beside two. */
static void test_a_single_score_is_a_head_as_well(void **state)
{
    struct toy toy;
    toy_two_sides(&toy, 40);
    struct mc_model *model = two_heads(&toy, 1, 1, NULL);
    check_sum(model, &toy, toy_options(0.1, 0, 1));
    mc_model_destroy(model);
    toy_destroy(&toy);
}

struct attempt {
    const struct mc_model *model, *teacher;
    const struct toy *toy;
};

static int train(void *context)
{
    const struct attempt *a = context;
    struct mc_error err = {0};
    struct mc_model *model = NULL;
    struct mc_fit_options o = toy_options(0.1, 0, 1);
    o.heads = "aux=0.5";
    o.teacher = a->teacher;
    int rc = mc_model_clone(&model, a->model, false, &err);
    if (rc == MC_OK) mc_ops_bind(model);
    if (rc == MC_OK) rc = mc_fit(model, &a->toy->data, &o, NULL, &err);
    mc_model_destroy(model);
    return rc;
}

static void test_each_allocation_may_fail(void **state)
{
    struct toy toy;
    toy_two_sides(&toy, 8);
    struct mc_model *model = two_heads(&toy, 1, 2, "Softmax"), *teacher = two_heads(&toy, 2, 2, NULL);
    struct attempt a = {model, teacher, &toy};
    alloc_fail_each(train, &a);
    mc_model_destroy(teacher);
    mc_model_destroy(model);
    toy_destroy(&toy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_step_is_the_sum_of_the_heads_steps),
        cmocka_unit_test(test_heads_are_taught_by_those_of_their_names),
        cmocka_unit_test(test_what_is_no_head_is_refused),
        cmocka_unit_test(test_a_single_score_is_a_head_as_well),
        cmocka_unit_test(test_each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
