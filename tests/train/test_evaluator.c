/* test_evaluator.c - metrics do not depend on the batch; they follow the weights. */
#include <math.h>

#include "toy.h"
#include "train/evaluator.h"

enum { N = 37 };

static void test_batches_of_any_size_give_the_same_metrics(void **state)
{
    struct mc_error err = {0};
    struct toy toy;
    struct mc_metrics whole, m;
    toy_two_sides(&toy, N);
    struct mc_model *model = toy_model("mlp:2-5-2", &toy);
    struct mc_fit_options o = toy_options(1, 1, 1);
    assert_ok(mc_evaluate(model, &toy.data, MC_DATA_TEST, N, MC_LOSS_AUTO, NULL, &o.runtime, &whole, &err), err);
    assert_int_equal(whole.n_samples, N);
    assert_true(whole.accuracy > 0 && whole.loss > 0);
    static const int64_t batches[] = {0, 1, 8, 100}; /* the last ones are padded */
    for (int i = 0; i < 4; i++) {
        assert_ok(mc_evaluate(model, &toy.data, MC_DATA_TEST, batches[i], MC_LOSS_AUTO, NULL, &o.runtime, &m, &err),
                  err);
        assert_int_equal(m.n_samples, N);
        assert_true(fabs(m.loss - whole.loss) < 1e-6 && m.accuracy == whole.accuracy && m.f1 == whole.f1);
    }
    model->graph->inputs[0]->type.dim[0] = 4; /* a fixed batch, not opened here: the model is const */
    assert_ok(mc_evaluate(model, &toy.data, MC_DATA_TEST, 8, MC_LOSS_AUTO, NULL, &o.runtime, &m, &err), err);
    assert_true(m.n_samples == N && fabs(m.loss - whole.loss) < 1e-6 && m.accuracy == whole.accuracy);
    mc_model_destroy(model);
    toy_destroy(&toy);
}

static void test_an_evaluator_sees_weights_as_they_are_now(void **state)
{
    struct mc_error err = {0};
    struct toy toy;
    struct mc_metrics before, after;
    struct mc_evaluator evaluator;
    toy_line(&toy, N);
    struct mc_model *model = toy_model("linear", &toy);
    struct mc_fit_options o = toy_options(0.2, 0, 200);
    assert_ok(mc_evaluator_init(&evaluator, model, &toy.data, MC_DATA_VALIDATION, 0, &o, &err), err);
    assert_ok(mc_evaluator_run(&evaluator, &before, &err), err);
    float *w = model->graph->initializers[0]->data->data, *b = model->graph->initializers[1]->data->data;
    w[0] = 1.5F;
    w[1] = -2;
    w[2] = 0.5F;
    b[0] = 1;
    assert_ok(mc_evaluator_run(&evaluator, &after, &err), err);
    assert_false(after.classification);
    assert_true(before.r2 < 0.9 && after.r2 > 0.98);
    assert_true(fabs(after.mse - after.loss) < 1e-9);
    double noise = 0; /* all that is left is the noise that toy_line adds */
    for (int i = 0; i < N; i++) noise += 0.0625 * sin(i) * sin(i) / N;
    assert_true(fabs(after.mse - noise) < 1e-6);
    mc_evaluator_finish(&evaluator);
    mc_model_destroy(model);
    toy_destroy(&toy);
}

static void test_a_role_without_samples_gives_none(void **state)
{
    struct mc_error err = {0};
    struct toy toy;
    struct mc_metrics m;
    toy_two_sides(&toy, N);
    toy.data.n[MC_DATA_TEST] = 0;
    struct mc_model *model = toy_model("linear", &toy);
    struct mc_fit_options o = toy_options(1, 1, 1);
    assert_ok(mc_evaluate(model, &toy.data, MC_DATA_TEST, 0, MC_LOSS_AUTO, NULL, &o.runtime, &m, &err), err);
    assert_int_equal(m.n_samples, 0);
    mc_model_destroy(model);
    toy_destroy(&toy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batches_of_any_size_give_the_same_metrics),
        cmocka_unit_test(test_an_evaluator_sees_weights_as_they_are_now),
        cmocka_unit_test(test_a_role_without_samples_gives_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
