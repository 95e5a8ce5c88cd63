/* test_features.c - tensors of a teacher that a student imitates; the student is left as it was built. */
#include <math.h>
#include <string.h>

#include "alloc_fail.h"
#include "base/alloc.h"
#include "report/record.h"
#include "scratch.h"
#include "toy.h"
#include "train/features.h"

/* Teacher and student of other widths; their hidden tensors are called relu1. */
struct pair {
    struct toy toy;
    struct mc_model *teacher, *student;
    struct mc_fit_options o;
};

static void pair_init(struct pair *p)
{
    toy_two_sides(&p->toy, 40);
    p->teacher = toy_model("mlp:2-12-2", &p->toy);
    p->student = toy_model("mlp:2-5-2", &p->toy);
    p->o = toy_options(0.05, 10, 30);
    p->o.optimizer = MC_ADAM;
    p->o.teacher = p->teacher;
    p->o.alpha = 1;
    p->o.hints = p->o.attention = p->o.relation = NULL;
}

static void pair_finish(struct pair *p)
{
    mc_model_destroy(p->teacher);
    mc_model_destroy(p->student);
    toy_destroy(&p->toy);
}

static double first_loss(const struct mc_record *r)
{
    return mc_record_get_num(r, "epochs.0.train_loss", 0);
}

static double last_loss(const struct mc_record *r)
{
    const struct mc_record *epochs = mc_record_get(r, "epochs");
    return mc_record_get_num(mc_record_at(epochs, mc_record_size(epochs) - 1), "train_loss", 0);
}

/* The loss falls by what the features add to it, and of adapters nothing stays. */
static void learns(const struct pair *p, double factor)
{
    struct mc_error err = {0};
    struct mc_record *r;
    const struct mc_graph *graph = p->student->graph;
    const int n_nodes = graph->n_nodes, n_outputs = graph->n_outputs, n_initializers = graph->n_initializers;
    assert_ok(mc_record_create(&r, &err), err);
    assert_ok(mc_fit(p->student, &p->toy.data, &p->o, r, &err), err);
    if (!(last_loss(r) < factor * first_loss(r))) fail_msg("%g is not below %g", last_loss(r), first_loss(r));
    assert_int_equal(mc_record_get_int(r, "verdict.parameters", 0), 2 * 5 + 5 + 5 * 2 + 2);
    assert_true(graph->n_nodes == n_nodes && graph->n_outputs == n_outputs && graph->n_initializers == n_initializers);
    mc_record_destroy(r);
}

static void test_a_hint_is_learnt_through_an_adapter_that_goes(void **state)
{
    struct pair p;
    pair_init(&p);
    p.o.hints = "relu1=relu1";
    p.o.hint_weight = 10;
    learns(&p, 0.2);
    pair_finish(&p);
}

static void test_relations_are_learnt(void **state)
{
    struct pair p;
    pair_init(&p);
    p.o.relation = "relu1";
    learns(&p, 0.5);
    pair_finish(&p);
}

/* The scores themselves can be imitated: their gradient is added to that of the loss. */
static void test_scores_can_be_named_too(void **state)
{
    struct pair p;
    pair_init(&p);
    p.o.relation = "output=output";
    learns(&p, 0.5);
    pair_finish(&p);
}

/* A student that is its teacher has nothing to learn from any feature: gradients and losses are zero. */
static void test_a_twin_does_not_move(void **state)
{
    struct mc_error err = {0};
    struct pair p;
    int64_t n, m;
    pair_init(&p);
    struct mc_model *twin = toy_model("mlp:2-12-2", &p.toy);
    p.o.optimizer = MC_SGD;
    p.o.relation = "relu1";
    assert_ok(mc_fit(twin, &p.toy.data, &p.o, NULL, &err), err);
    float *a = toy_weights(twin, &n), *b = toy_weights(p.teacher, &m);
    for (int64_t i = 0; i < n; i++) assert_true(fabsf(a[i] - b[i]) < 1e-4F);
    mc_free(a);
    mc_free(b);
    mc_model_destroy(twin);
    pair_finish(&p);
}

static void refuse(struct pair *p, const char *hints, const char *attention, int status, const char *says)
{
    struct mc_error err = {0};
    p->o.hints = hints;
    p->o.attention = attention;
    assert_int_equal(mc_fit(p->student, &p->toy.data, &p->o, NULL, &err), status);
    assert_string_equal(err.text, says);
    assert_int_equal(p->student->graph->n_outputs, 1);
}

static void test_what_cannot_be_compared_is_refused_by_name(void **state)
{
    struct pair p;
    pair_init(&p);
    refuse(&p, "relu2=relu1", NULL, MC_ERR_USAGE,
           "hint 'relu2=relu1': the student has no tensor 'relu2' (did you mean 'relu1'?)");
    refuse(&p, "relu1=relu9", NULL, MC_ERR_USAGE,
           "hint 'relu1=relu9': the teacher has no tensor 'relu9' (did you mean 'relu1'?)");
    refuse(&p, "relu1,fc1=", NULL, MC_ERR_USAGE, "hint 'fc1=': the teacher has no tensor ''");
    refuse(&p, NULL, "relu1", MC_ERR_INPUT,
           "attention 'relu1=relu1': the student's tensor is [5] and the teacher's [12]: all axes but the first "
           "(channels) "
           "have to agree");
    pair_finish(&p);
}

static void test_several_teachers_are_heard_alike(void **state)
{
    struct mc_error err = {0};
    struct pair p;
    int64_t n;
    pair_init(&p);
    struct mc_model *again = toy_model("mlp:2-5-2", &p.toy);
    assert_ok(mc_fit(p.student, &p.toy.data, &p.o, NULL, &err), err);
    p.o.more_teachers[0] = p.teacher; /* the same voice twice is that voice */
    p.o.n_more_teachers = 1;
    assert_ok(mc_fit(again, &p.toy.data, &p.o, NULL, &err), err);
    float *a = toy_weights(p.student, &n), *b = toy_weights(again, &n);
    for (int64_t i = 0; i < n; i++) assert_true(fabsf(a[i] - b[i]) < 1e-4F);
    mc_free(a);
    mc_free(b);
    mc_model_destroy(again);
    pair_finish(&p);
}

static int attempt(void *context)
{
    const struct toy *toy = context;
    struct mc_model *model = NULL, *teacher = NULL;
    struct mc_fit_options o = toy_options(0.1, 4, 1);
    o.hints = "relu1";
    o.relation = "relu1";
    int rc = mc_architecture_create(&model, "mlp:2-3-2", &toy->data, 1, NULL);
    if (rc == MC_OK) rc = mc_architecture_create(&teacher, "mlp:2-4-2", &toy->data, 1, NULL);
    o.teacher = teacher;
    if (rc == MC_OK) rc = mc_fit(model, &toy->data, &o, NULL, NULL);
    mc_model_destroy(model);
    mc_model_destroy(teacher);
    return rc;
}

static void test_any_allocation_may_fail(void **state)
{
    struct toy toy;
    toy_two_sides(&toy, 10);
    alloc_fail_each(attempt, &toy);
    toy_destroy(&toy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_hint_is_learnt_through_an_adapter_that_goes),
        cmocka_unit_test(test_relations_are_learnt),
        cmocka_unit_test(test_scores_can_be_named_too),
        cmocka_unit_test(test_a_twin_does_not_move),
        cmocka_unit_test(test_what_cannot_be_compared_is_refused_by_name),
        cmocka_unit_test(test_several_teachers_are_heard_alike),
        cmocka_unit_test(test_any_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
