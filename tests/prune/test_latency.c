/* test_latency.c - a budget of measured time: how widths are chosen differs by machine, what is recorded does not. */
#include "nets.h"
#include "test.h"

#include <string.h>

#include "prune/prune.h"

static const char *const names[] = {"conv.weight", "conv.weight_1", "conv.weight_2"};

static void build(struct net *net)
{
    net_start(net, 5);
    struct mc_value *x = net_conv(net, net_input(net, 3, 16, 16), 3, 64, 3, 1, 1, 1, true);
    x = net_conv(net, net_node(net, "Relu", x, NULL, NULL), 64, 64, 3, 1, 1, 1, true);
    x = net_conv(net, net_node(net, "Relu", x, NULL, NULL), 64, 64, 3, 1, 1, 1, true);
    net_output(net, net_conv(net, x, 64, 4, 1, 1, 0, 1, true));
}

static struct mc_record *shrink(struct mc_model *model, const struct mc_shrink_options *options)
{
    struct mc_error err = {0};
    struct mc_record *section;
    assert_ok(mc_record_create(&section, &err), err);
    assert_ok(mc_shrink(model, options, section, NULL, &err), err);
    return section;
}

static void test_widths_that_met_the_time_give_the_model_again(void **state)
{
    struct net net, again;
    struct mc_shrink_options options;
    mc_shrink_options_init(&options);
    mc_runtime_init(&options.runtime, 1, MC_CPU_AVX512);
    options.budget = MC_BUDGET_LATENCY;
    options.stays = 0.7;
    options.minimum = 2;
    build(&net);
    struct mc_record *section = shrink(net.model, &options);
    const double before = mc_record_get_num(section, "latency.before_ms", 0);
    const double after = mc_record_get_num(section, "latency.after_ms", 0);
    assert_true(before > 0 && after > 0 && after <= 0.7 * before);
    assert_true(mc_record_get_num(section, "macs_after", 0) < mc_record_get_num(section, "macs_before", 0));
    assert_string_equal(mc_record_get_text(section, "latency.cpu", ""), mc_cpu_name(mc_cpu_detect()));

    options.stays = 0;
    options.ratio = 0;
    options.widths = mc_record_get_text(section, "latency.widths", NULL);
    build(&again);
    mc_record_destroy(shrink(again.model, &options));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct mc_tensor *a = net_find(net.model, names[i])->data, *b = net_find(again.model, names[i])->data;
        assert_true(mc_shape_equal(&a->shape, &b->shape));
        assert_memory_equal(a->data, b->data, mc_tensor_bytes(a));
    }
    mc_record_destroy(section);
    net_finish(&again);
    net_finish(&net);
}

static void test_time_that_cannot_be_reached_is_refused(void **state)
{
    struct net net;
    struct mc_error err = {0};
    struct mc_shrink_options options;
    mc_shrink_options_init(&options);
    mc_runtime_init(&options.runtime, 1, MC_CPU_AVX512);
    options.budget = MC_BUDGET_LATENCY;
    options.stays = 1e-6;
    build(&net);
    assert_int_equal(mc_shrink(net.model, &options, NULL, NULL, &err), MC_ERR_USAGE);
    assert_non_null(strstr(err.text, "latency: 1e-06 of the time cannot be reached: "));
    net_finish(&net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_widths_that_met_the_time_give_the_model_again),
        cmocka_unit_test(test_time_that_cannot_be_reached_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
