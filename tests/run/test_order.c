/* test_order.c - activations lie channels last between steps that want it, and nowhere else.
 *
 * "Wants" copies input to output, each as it lies, and asks for channels last; "Same" does so under MC_ORDER_SAME; both
 * note how their operands lay. */
#include <math.h>
#include <string.h>

#include "nets.h"
#include "op/ops.h"

enum { N = 2, C = 3, H = 2, W = 2, COUNT = N * C * H * W };

static char seen[64]; /* a letter for input and output of each run: 'l' last, 'f' first, in the order of the steps */

static void note(const struct mc_tensor *t)
{
    const size_t n = strlen(seen);
    if (n + 1 < sizeof seen) seen[n] = t->channels_last ? 'l' : 'f';
}

/* Where the logical element i lies. */
static int64_t place(const struct mc_tensor *t, int64_t i)
{
    if (!t->channels_last) return i;
    const int64_t channels = t->shape.dim[1], positions = mc_shape_span(&t->shape, 2, t->shape.rank);
    const int64_t n = i / (channels * positions), c = i / positions % channels, p = i % positions;
    return (n * positions + p) * channels + c;
}

static int copy_forward(struct mc_step *step, struct mc_error *err)
{
    const double *x = step->in[0]->data;
    double *y = step->out[0]->data;
    note(step->in[0]);
    note(step->out[0]);
    for (int64_t i = 0; i < mc_tensor_count(step->out[0]); i++) y[place(step->out[0], i)] = x[place(step->in[0], i)];
    return MC_OK;
}

static int copy_backward(struct mc_step *step, struct mc_error *err)
{
    const double *dy = step->grad_out[0]->data;
    double *dx = step->grad_in[0]->data;
    for (int64_t i = 0; i < mc_tensor_count(step->grad_in[0]); i++)
        dx[place(step->grad_in[0], i)] = dy[place(step->grad_out[0], i)];
    return MC_OK;
}

static enum mc_order order_last(const struct mc_step *step)
{
    return MC_ORDER_LAST;
}

#define COPY_OP(order_rule)                                                                                            \
    {                                                                                                                  \
        .domain = "", .type = "Copy", .min_inputs = 1, .max_inputs = 1, .n_outputs = 1, .grad_inputs = 1,              \
        .shape = mc_shape_same, .forward = copy_forward, .backward = copy_backward, .order = (order_rule)              \
    }
static const struct mc_op op_wants = COPY_OP(order_last), op_same = COPY_OP(mc_order_same), op_first = COPY_OP(NULL);

/* net_plan binds by the table, which does not have these. */
static struct mc_plan *plan_with(struct mc_model *net, const struct mc_op *const *ops,
                                 const struct mc_plan_options *options)
{
    struct mc_error err = {0};
    struct mc_plan *plan;
    mc_ops_bind(net);
    for (int i = 0; i < net->graph->n_nodes; i++)
        if (ops[i]) net->graph->nodes[i]->op = ops[i];
    assert_ok(mc_plan_create(&plan, net, options, &err), err);
    return plan;
}

static void run(struct mc_plan *plan)
{
    memset(seen, 0, sizeof seen);
    for (int i = 0; i < COUNT; i++) mc_tensor_set_f64(mc_plan_input(plan, 0), i, i + 1);
    net_run(plan);
}

static void expect_multiple(const struct mc_tensor *t, double factor)
{
    assert_int_equal(mc_tensor_count(t), COUNT);
    assert_false(t->channels_last);
    for (int i = 0; i < COUNT; i++) assert_true(mc_tensor_get_f64(t, i) == factor * (i + 1));
}

/* A chain of copies. */
static void check_chain(const struct mc_op *const *ops, int n, const struct mc_plan_options *options,
                        const char *expected)
{
    struct mc_model *net = net_create();
    struct mc_value *v = net_input(net, "x", DIMS(N, C, H, W));
    for (int i = 0; i < n; i++) {
        char name[16];
        snprintf(name, sizeof name, "v%d", i);
        v = net_node(net, "Copy", name, v, NULL);
    }
    net_output(net, v);
    struct mc_plan *plan = plan_with(net, ops, options);
    run(plan);
    assert_string_equal(seen, expected);
    expect_multiple(mc_plan_output(plan, 0), 1);
    mc_plan_destroy(plan);
    mc_model_destroy(net);
}

static const struct mc_plan_options inference = {0};

static void test_last_between_those_who_want_it(void **state)
{
    check_chain((const struct mc_op *[]){&op_wants, &op_same, &op_wants}, 3, &inference, "fllllf");
    check_chain((const struct mc_op *[]){&op_same, &op_wants, &op_wants, &op_same}, 4, &inference, "fffllfff");
}

static void test_first_where_nobody_wants_or_one_cannot(void **state)
{
    check_chain((const struct mc_op *[]){&op_same, &op_same, &op_same}, 3, &inference, "ffffff");
    check_chain((const struct mc_op *[]){&op_wants, &op_same, &op_first, &op_wants, &op_wants}, 5, &inference,
                "fffffffllf");
}

static void test_unfolded_plans_keep_to_the_specification(void **state)
{
    check_chain((const struct mc_op *[]){&op_wants, &op_same, &op_wants}, 3, &(struct mc_plan_options){.no_fold = true},
                "ffffff");
}

/* x -> wants a -> Relu r -> Add(a, r) s -> wants; a positive, so that all is a multiple of x. */
static struct mc_model *residual(void)
{
    struct mc_model *net = net_create();
    struct mc_value *x = net_input(net, "x", DIMS(N, C, H, W));
    struct mc_value *a = net_node(net, "Copy", "a", x, NULL);
    struct mc_value *r = net_node(net, "Relu", "r", a, NULL);
    struct mc_value *s = net_node(net, "Add", "s", a, r);
    struct mc_value *t = net_node(net, "Mul", "t", s, net_param(net, "three", DIMS(1), NUMBERS(3)));
    net_output(net, net_node(net, "Copy", "y", t, NULL));
    return net;
}

static const struct mc_op *const residual_ops[] = {&op_wants, NULL, NULL, NULL, &op_wants};

static void test_elementwise_operators_follow(void **state)
{
    struct mc_model *net = residual();
    struct mc_plan *plan = plan_with(net, residual_ops, &inference);
    run(plan);
    assert_string_equal(seen, "fllf");
    expect_multiple(mc_plan_output(plan, 0), 6);
    mc_plan_destroy(plan);
    mc_model_destroy(net);
}

static void test_taps_and_clamps_hold_their_group(void **state)
{
    struct mc_model *net = residual();
    const struct mc_value *tap[] = {mc_graph_find(net->graph, "r")};
    const struct mc_clamp clamp = {mc_graph_find(net->graph, "s"), 1, 0, (int64_t[]){0}, (double[]){0}};
    struct mc_plan *plan = plan_with(net, residual_ops, &(struct mc_plan_options){.n_taps = 1, .taps = tap});
    run(plan);
    assert_string_equal(seen, "ffff");
    expect_multiple(mc_plan_output(plan, 1), 1);
    mc_plan_destroy(plan);
    plan = plan_with(net, residual_ops, &(struct mc_plan_options){.n_clamps = 1, .clamps = &clamp});
    run(plan);
    assert_string_equal(seen, "ffff");
    mc_plan_destroy(plan);
    mc_model_destroy(net);
}

/* Times two, of this shape. */
static void check_product(int rank, const int64_t *dims, const char *expected)
{
    const double twos[C * H * W] = {2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2};
    struct mc_model *net = net_create();
    struct mc_value *x = net_input(net, "x", DIMS(N, C, H, W));
    struct mc_value *a = net_node(net, "Copy", "a", x, NULL);
    struct mc_value *m = net_node(net, "Mul", "m", a, net_param(net, "two", rank, dims, twos));
    net_output(net, net_node(net, "Copy", "y", m, NULL));
    struct mc_plan *plan = plan_with(net, (const struct mc_op *[]){&op_wants, NULL, &op_wants}, &inference);
    run(plan);
    assert_string_equal(seen, expected);
    expect_multiple(mc_plan_output(plan, 0), 2);
    mc_plan_destroy(plan);
    mc_model_destroy(net);
}

static void test_what_broadcasts_over_channels_and_positions_holds_row_major(void **state)
{
    check_product(DIMS(C, 1, W), "ffff");
    check_product(DIMS(1, C, H, W), "ffff");
    check_product(DIMS(C, 1, 1), "fllf");
    check_product(DIMS(H, W), "fllf");
    check_product(DIMS(N, 1, H, 1), "fllf");
    check_product(DIMS(1), "fllf");
}

static void test_gradients_lie_as_their_values(void **state)
{
    struct mc_error err = {0};
    struct mc_model *net = residual();
    const struct mc_value *wrt[] = {mc_graph_find(net->graph, "x")};
    struct mc_plan *plan =
        plan_with(net, residual_ops, &(struct mc_plan_options){.training = true, .n_wrt = 1, .wrt = wrt});
    run(plan);
    assert_string_equal(seen, "fllf");
    struct mc_tensor *grad = mc_plan_grad_output(plan, 0);
    for (int i = 0; i < COUNT; i++) mc_tensor_set_f64(grad, i, i + 1);
    assert_ok(mc_plan_backward(plan, &err), err);
    expect_multiple(mc_plan_grad(plan, 0), 6);
    mc_plan_destroy(plan);
    mc_model_destroy(net);
}

/* One channel, or one position: both orders are the same bytes, and views go on working. */
static void test_values_without_order_tie_nobody(void **state)
{
    struct mc_model *net = net_create();
    struct mc_value *x = net_input(net, "x", DIMS(COUNT, 1, 1));
    struct mc_value *a = net_node(net, "Copy", "a", x, NULL);
    net_output(net, net_node(net, "Flatten", "y", a, NULL));
    struct mc_plan *plan = plan_with(net, (const struct mc_op *[]){&op_wants, NULL}, &inference);
    run(plan);
    assert_string_equal(seen, "ff");
    assert_int_equal(mc_plan_n_steps(plan), 1);
    expect_multiple(mc_plan_output(plan, 0), 1);
    mc_plan_destroy(plan);
    mc_model_destroy(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_last_between_those_who_want_it),
        cmocka_unit_test(test_first_where_nobody_wants_or_one_cannot),
        cmocka_unit_test(test_unfolded_plans_keep_to_the_specification),
        cmocka_unit_test(test_elementwise_operators_follow),
        cmocka_unit_test(test_taps_and_clamps_hold_their_group),
        cmocka_unit_test(test_what_broadcasts_over_channels_and_positions_holds_row_major),
        cmocka_unit_test(test_gradients_lie_as_their_values),
        cmocka_unit_test(test_values_without_order_tie_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
