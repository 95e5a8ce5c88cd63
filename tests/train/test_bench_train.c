/* test_bench_train.c - that steps are taken and timed; how fast is nobody's business here. */
#include <string.h>

#include "toy.h"
#include "train/bench_train.h"

static struct mc_model *make(const char *name)
{
    struct mc_error err = {0};
    struct mc_model *model;
    assert_ok(mc_architecture_create(&model, name, NULL, 1, &err), err);
    return model;
}

static void test_steps_are_taken_timed_and_change_every_parameter(void **state)
{
    struct mc_error err = {0};
    struct mc_runtime runtime;
    struct mc_bench_times times;
    mc_runtime_init(&runtime, 1, MC_CPU_AVX512);
    struct mc_model *model = make("mlp:6-5-4"), *before = make("mlp:6-5-4");
    assert_ok(mc_bench_train(model, 8, 0, &runtime, &times, &err), err);
    assert_int_equal(times.n_steps, 3);
    assert_true(times.best_ms > 0 && times.best_ms <= times.median_ms && times.median_ms <= times.worst_ms);
    for (int i = 0; i < model->graph->n_initializers; i++) {
        const struct mc_tensor *a = model->graph->initializers[i]->data, *b = before->graph->initializers[i]->data;
        assert_true(memcmp(a->data, b->data, mc_tensor_bytes(a)) != 0);
    }
    mc_model_destroy(model);
    mc_model_destroy(before);
}

static void test_a_batch_that_is_fixed_cannot_be_another(void **state)
{
    struct mc_error err = {0};
    struct mc_runtime runtime;
    struct mc_bench_times times;
    mc_runtime_init(&runtime, 1, MC_CPU_AVX512);
    struct mc_model *model = make("mlp:6-4");
    model->graph->inputs[0]->type.dim[0] = 2;
    assert_int_equal(mc_bench_train(model, 8, 0, &runtime, &times, &err), MC_ERR_USAGE);
    assert_string_equal(err.text, "the model's batch is 2, 8 was asked for");
    mc_model_destroy(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps_are_taken_timed_and_change_every_parameter),
        cmocka_unit_test(test_a_batch_that_is_fixed_cannot_be_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
