/* test_bench.c - repetition stops, orders its times and passes failures on. How long anything takes is not asked. */
#include "run/bench.h"

#include "base/error.h"
#include "nets.h"
#include "op/ops.h"

static int count(void *context, struct mc_error *err)
{
    ++*(int *)context;
    return MC_OK;
}

static int fail_at_four(void *context, struct mc_error *err)
{
    return ++*(int *)context == 4 ? mc_error_set(err, MC_ERR_INPUT, "the fourth") : MC_OK;
}

static void test_repeats_three_times_at_least_after_warming_up(void **state)
{
    struct mc_error err = {0};
    struct mc_bench_times times;
    int n = 0;
    assert_ok(mc_bench_repeat(count, &n, 0, &times, &err), err);
    assert_int_equal(n, 5);
    assert_int_equal(times.n_steps, 3);
    assert_true(0 <= times.best_ms && times.best_ms <= times.median_ms && times.median_ms <= times.worst_ms);
}

static void test_failures_are_passed_on(void **state)
{
    struct mc_error err = {0};
    struct mc_bench_times times;
    int n = 0;
    assert_int_equal(mc_bench_repeat(fail_at_four, &n, 0, &times, &err), MC_ERR_INPUT);
    assert_int_equal(n, 4);
    assert_string_equal(err.text, "the fourth");
}

static void test_inference_is_timed_at_the_given_batch(void **state)
{
    struct mc_error err = {0};
    struct mc_bench_times times;
    struct mc_model *net = net_create();
    struct mc_value *x = net_input(net, "x", DIMS(-1, 3));
    net_output(net, net_node(net, "Relu", "y", x, NULL));
    mc_ops_bind(net);
    assert_ok(mc_bench_infer(net, &(struct mc_dims){.batch = 2}, 0, NULL, &times, &err), err);
    assert_int_equal(times.n_steps, 3);
    assert_int_equal(mc_bench_infer(net, &(struct mc_dims){0}, 0, NULL, &times, &err), MC_ERR_USAGE);
    mc_model_destroy(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_repeats_three_times_at_least_after_warming_up),
        cmocka_unit_test(test_failures_are_passed_on),
        cmocka_unit_test(test_inference_is_timed_at_the_given_batch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
