/* test_bench.c - repetition stops, orders its times and passes failures on. How long anything takes is not asked. */
#include "run/bench.h"

#include <math.h>

#include "base/error.h"
#include "nets.h"
#include "op/ops.h"
#include "run/limits.h"

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

static void test_two_take_turns_and_either_may_fail(void **state)
{
    struct mc_error err = {0};
    double ratio = -1;
    int first = 0, second = 0;
    assert_ok(mc_bench_turns(count, &first, &second, 0, &ratio, &err), err);
    assert_int_equal(first, 8); /* twice in each of four turns */
    assert_int_equal(second, 8);
    assert_true(ratio > 0 && isfinite(ratio));
    first = 10;
    second = 1;
    assert_int_equal(mc_bench_turns(fail_at_four, &first, &second, 0, &ratio, &err), MC_ERR_INPUT);
    assert_int_equal(first, 13);
    assert_int_equal(second, 4);
}

/* Works a thousand times as long as the other. */
struct work {
    int64_t n;
    double sum;
};

static int add_up(void *context, struct mc_error *err)
{
    struct work *work = context;
    for (int64_t i = 0; i < work->n; i++) work->sum = work->sum * 0.5 + (double)i;
    return MC_OK;
}

static void test_the_ratio_is_of_the_second_to_the_first(void **state)
{
    struct mc_error err = {0};
    double ratio;
    struct work little = {2000, 0}, much = {2000000, 0};
    assert_ok(mc_bench_turns(add_up, &little, &much, 0, &ratio, &err), err);
    assert_true(ratio > 1);
    assert_ok(mc_bench_turns(add_up, &much, &little, 0, &ratio, &err), err);
    assert_true(ratio < 1);
}

static void test_inference_is_timed_at_the_given_batch(void **state)
{
    struct mc_error err = {0};
    struct mc_bench_times times;
    struct mc_model *net = net_create();
    struct mc_value *x = net_input(net, "x", DIMS(-1, 3));
    net_output(net, net_node(net, "Relu", "y", x, NULL));
    mc_ops_bind(net);
    assert_ok(mc_bench_infer(net, &(struct mc_dims){.batch = 2}, 0, NULL, &times, NULL, &err), err);
    assert_int_equal(times.n_steps, 3);
    assert_int_equal(mc_bench_infer(net, &(struct mc_dims){0}, 0, NULL, &times, NULL, &err), MC_ERR_USAGE);
    mc_model_destroy(net);
}

static void test_every_step_is_timed_and_has_its_cost(void **state)
{
    struct mc_error err = {0};
    struct mc_bench_times times;
    struct mc_bench_nodes nodes = {0};
    struct mc_model *net = net_create();
    struct mc_value *x = net_input(net, "x", DIMS(-1, 3)), *w = net_param(net, "w", DIMS(3, 4), NULL);
    net_output(net, net_node(net, "Softmax", "y", net_node(net, "MatMul", "xw", x, w), NULL));
    mc_ops_bind(net);
    assert_ok(mc_bench_infer(net, &(struct mc_dims){.batch = 2}, 0, NULL, &times, &nodes, &err), err);
    assert_int_equal(nodes.n, 2);
    assert_string_equal(nodes.of[0].node->type, "MatMul");
    assert_int_equal(nodes.of[0].cost.macs, 2 * 3 * 4);
    assert_int_equal(nodes.of[1].shape.dim[1], 4);
    assert_true(nodes.of[0].best_ms > 0 && nodes.of[1].best_ms > 0);
    mc_bench_nodes_finish(&nodes);
    mc_model_destroy(net);
}

static void test_the_machine_has_limits(void **state)
{
    struct mc_error err = {0};
    struct mc_runtime runtime;
    struct mc_limits limits = {0};
    mc_runtime_init(&runtime, 1, MC_CPU_AVX512);
    assert_ok(mc_limits_measure(&limits, &runtime, &err), err);
    assert_true(limits.gflops > 0 && limits.gbytes > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_repeats_three_times_at_least_after_warming_up),
        cmocka_unit_test(test_failures_are_passed_on),
        cmocka_unit_test(test_two_take_turns_and_either_may_fail),
        cmocka_unit_test(test_the_ratio_is_of_the_second_to_the_first),
        cmocka_unit_test(test_inference_is_timed_at_the_given_batch),
        cmocka_unit_test(test_every_step_is_timed_and_has_its_cost),
        cmocka_unit_test(test_the_machine_has_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
