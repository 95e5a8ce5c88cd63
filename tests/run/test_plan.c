/* test_plan.c - plans compute what the graph says, forward and backward, whatever memory they share. */
#include "run/plan.h"

#include <math.h>
#include <string.h>

#include "alloc_fail.h"
#include "base/rng.h"
#include "nets.h"
#include "op/ops.h"

static const struct mc_plan_options inference = {0};

/* y = relu(x * w) + 1, through a reshape */
static struct mc_model *small_net(void)
{
    struct mc_model *net = net_create();
    struct mc_value *x = net_input(net, "x", DIMS(2, 2));
    struct mc_value *product = net_node(net, "Mul", "product", x, net_param(net, "w", DIMS(2), NUMBERS(2, -3)));
    struct mc_value *flat = net_node(net, "Reshape", "flat", product, net_ints(net, "shape", INTS(4)));
    struct mc_value *relu = net_node(net, "Relu", "relu", flat, NULL);
    net_output(net, net_node(net, "Add", "y", relu, net_param(net, "one", DIMS(1), NUMBERS(1))));
    return net;
}

static void finish(struct mc_plan *plan, struct mc_model *net)
{
    mc_plan_destroy(plan);
    mc_model_destroy(net);
}

/* --- forward --- */

static void test_run_computes_the_graph(void **state)
{
    struct mc_model *net = small_net();
    struct mc_plan *plan = net_plan(net, &inference);
    for (int again = 0; again < 2; again++) {
        net_fill(plan, 0, NUMBERS(1, 2, -3, -4));
        net_run(plan);
        EXPECT(mc_plan_output(plan, 0), 3, 1, 1, 13);
    }
    finish(plan, net);
}

static void test_what_goes_wrong_names_the_file_and_the_node(void **state)
{
    struct mc_model *net = net_create();
    struct mc_error err = {0};
    struct mc_value *at = net_input(net, "at", DIMS(1));
    at->type.dtype = MC_INT64;
    net_output(net, net_node(net, "Gather", "y", net_param(net, "x", DIMS(3), NUMBERS(1, 2, 3)), at));
    net->path = "net.onnx";
    struct mc_plan *plan = net_plan(net, &inference);
    mc_tensor_set_f64(mc_plan_input(plan, 0), 0, 7);
    assert_int_equal(mc_plan_run(plan, &err), MC_ERR_INPUT);
    assert_string_equal(err.text, "'net.onnx': node 'y' (Gather): input 1: needs indices from -3 to 2, has 7");
    finish(plan, net);
}

static void test_views_are_no_steps(void **state)
{
    struct mc_model *net = small_net();
    struct mc_plan *plan = net_plan(net, &inference);
    assert_int_equal(mc_plan_n_steps(plan), 3);
    assert_string_equal(mc_plan_step_node(plan, 1)->type, "Relu");
    finish(plan, net);
}

static void test_elementwise_chains_work_in_place(void **state)
{
    struct mc_model *net = small_net();
    struct mc_plan *plan = net_plan(net, &inference);
    assert_int_equal(mc_plan_bytes(plan), 64); /* four doubles, in one place all the way */
    finish(plan, net);
}

static void test_without_folding_every_node_is_a_step(void **state)
{
    struct mc_model *net = small_net();
    struct mc_plan *plan = net_plan(net, &(struct mc_plan_options){.no_fold = true});
    assert_int_equal(mc_plan_n_steps(plan), 4);
    net_fill(plan, 0, NUMBERS(1, 2, -3, -4));
    net_run(plan);
    EXPECT(mc_plan_output(plan, 0), 3, 1, 1, 13);
    finish(plan, net);
}

static void test_constants_are_computed_once(void **state)
{
    struct mc_model *net = net_create();
    struct mc_value *w = net_param(net, "w", DIMS(2), NUMBERS(1, 4));
    struct mc_value *root = net_node(net, "Sqrt", "root", w, NULL);
    struct mc_value *extents = net_node(net, "Shape", "extents", net_input(net, "x", DIMS(2)), NULL);
    net_output(net, net_node(net, "Add", "y", root, net->graph->inputs[0]));
    net_output(net, extents);
    net_output(net, root);
    struct mc_plan *plan = net_plan(net, &inference);
    assert_int_equal(mc_plan_n_steps(plan), 1);
    net_fill(plan, 0, NUMBERS(10, 20));
    net_run(plan);
    EXPECT(mc_plan_output(plan, 0), 11, 22);
    EXPECT(mc_plan_output(plan, 1), 2);
    EXPECT(mc_plan_output(plan, 2), 1, 2);
    finish(plan, net);
}

static void test_what_no_output_needs_is_dropped(void **state)
{
    struct mc_model *net = small_net();
    net_node(net, "NoSuchOperator", "lost", net_node(net, "Exp", "unused", net->graph->inputs[0], NULL), NULL);
    struct mc_plan *plan = net_plan(net, &inference);
    assert_int_equal(mc_plan_n_steps(plan), 3);
    finish(plan, net);
}

static void test_taps_hand_out_inner_values(void **state)
{
    struct mc_model *net = small_net();
    const struct mc_value *taps[] = {mc_graph_find(net->graph, "product"), mc_graph_find(net->graph, "w"),
                                     mc_graph_find(net->graph, "x"), mc_graph_find(net->graph, "flat")};
    struct mc_plan *plan = net_plan(net, &(struct mc_plan_options){.n_taps = 4, .taps = taps});
    net_fill(plan, 0, NUMBERS(1, 2, -3, -4));
    net_run(plan);
    assert_int_equal(mc_plan_n_outputs(plan), 5);
    EXPECT(mc_plan_output(plan, 0), 3, 1, 1, 13);
    EXPECT(mc_plan_output(plan, 1), 2, -6, -6, 12);
    EXPECT(mc_plan_output(plan, 2), 2, -3);
    EXPECT(mc_plan_output(plan, 3), 1, 2, -3, -4);
    EXPECT(mc_plan_output(plan, 4), 2, -6, -6, 12);
    assert_int_equal(mc_plan_output(plan, 1)->shape.rank, 2);
    assert_int_equal(mc_plan_output(plan, 4)->shape.rank, 1);
    finish(plan, net);
}

static void test_bound_inputs_are_read_in_place_for_one_run(void **state)
{
    struct mc_error err = {0};
    struct mc_model *net = small_net();
    struct mc_plan *plan = net_plan(net, &inference);
    double numbers[] = {1, 2, -3, -4};
    struct mc_tensor mine = *mc_plan_input(plan, 0);
    mine.data = numbers;
    assert_ok(mc_plan_bind_input(plan, 0, &mine, &err), err);
    net_run(plan);
    EXPECT(mc_plan_output(plan, 0), 3, 1, 1, 13);
    assert_memory_equal(numbers, NUMBERS(1, 2, -3, -4), sizeof numbers);
    net_fill(plan, 0, NUMBERS(0, 0, 1, 0));
    net_run(plan);
    EXPECT(mc_plan_output(plan, 0), 1, 1, 3, 1);
    mine.shape.dim[0] = 1;
    assert_int_equal(mc_plan_bind_input(plan, 0, &mine, &err), MC_ERR_USAGE);
    assert_string_equal(err.text, "input 'x': needs shape [2,2], has [1,2]");
    mine.dtype = MC_FLOAT;
    assert_int_equal(mc_plan_bind_input(plan, 0, &mine, &err), MC_ERR_USAGE);
    finish(plan, net);
}

static void test_an_output_may_be_an_input_or_its_view(void **state)
{
    struct mc_error err = {0};
    struct mc_model *net = net_create();
    struct mc_value *x = net_input(net, "x", DIMS(2));
    net_output(net, x);
    net_output(net, net_node(net, "Identity", "same", x, NULL));
    struct mc_plan *plan = net_plan(net, &inference);
    const double numbers[] = {5, 6};
    struct mc_tensor mine = *mc_plan_input(plan, 0);
    mine.data = (void *)numbers;
    assert_ok(mc_plan_bind_input(plan, 0, &mine, &err), err);
    net_run(plan);
    EXPECT(mc_plan_output(plan, 0), 5, 6);
    EXPECT(mc_plan_output(plan, 1), 5, 6);
    assert_int_equal(mc_plan_n_steps(plan), 0);
    finish(plan, net);
}

static void test_steps_are_timed_on_demand(void **state)
{
    struct mc_model *net = small_net();
    struct mc_plan *plan = net_plan(net, &inference);
    net_run(plan);
    assert_int_equal(mc_plan_step_ns(plan, 0), 0);
    mc_plan_time(plan, true);
    net_run(plan);
    int64_t total = 0;
    for (int i = 0; i < mc_plan_n_steps(plan); i++) total += mc_plan_step_ns(plan, i);
    assert_true(total > 0);
    mc_plan_time(plan, false);
    assert_int_equal(mc_plan_step_ns(plan, 0), 0);
    finish(plan, net);
}

static void test_refresh_takes_up_changed_parameters(void **state)
{
    struct mc_error err = {0};
    struct mc_model *net = net_create();
    struct mc_value *w = net_param(net, "w", DIMS(2), NUMBERS(1, 4));
    struct mc_value *root = net_node(net, "Sqrt", "root", w, NULL);
    net_output(net, net_node(net, "Add", "y", net_input(net, "x", DIMS(2)), root));
    struct mc_plan *plan = net_plan(net, &inference);
    ((double *)w->data->data)[0] = 9;
    assert_ok(mc_plan_refresh(plan, &err), err);
    net_fill(plan, 0, NUMBERS(0, 0));
    net_run(plan);
    EXPECT(mc_plan_output(plan, 0), 3, 2);
    finish(plan, net);
}

/* Weights that became zero are multiplied by another kernel, which wants more room than the one before. */
static void test_refresh_makes_room_for_another_kernel(void **state)
{
    enum { C = 64, SIDE = 28 };
    struct mc_error err = {0};
    struct mc_model *net = net_create();
    struct mc_tensor *ones;
    const struct mc_shape shape = {.rank = 4, .dim = {2, C, 1, 1}};
    assert_ok(mc_tensor_create(&ones, MC_FLOAT, &shape, &err), err);
    for (int i = 0; i < 2 * C; i++) mc_tensor_set_f64(ones, i, 1);
    struct mc_value *w = mc_graph_add_initializer(net->graph, "w", ones);
    struct mc_value *x = net_input(net, "x", DIMS(1, C, SIDE, SIDE));
    x->type.dtype = MC_FLOAT;
    net_output(net, net_node(net, "Conv", "y", x, w));
    struct mc_plan *plan = net_plan(net, &inference);
    memset(w->data->data, 0, mc_tensor_bytes(w->data));
    ((float *)w->data->data)[C] = 3; /* output 1, channel 0 */
    assert_ok(mc_plan_refresh(plan, &err), err);
    float *in = mc_plan_input(plan, 0)->data;
    for (int i = 0; i < C * SIDE * SIDE; i++) in[i] = (float)i;
    net_run(plan);
    const float *y = mc_plan_output(plan, 0)->data;
    for (int k = 0; k < SIDE * SIDE; k++) assert_true(y[k] == 0 && y[SIDE * SIDE + k] == 3.0F * (float)k);
    finish(plan, net);
}

/* --- clamps --- */

static void test_clamps_hold_slices_of_inputs_parameters_and_results(void **state)
{
    struct mc_model *net = small_net();
    const struct mc_clamp clamps[] = {
        {mc_graph_find(net->graph, "flat"), 0, 1, (int64_t[]){3}, (double[]){5}},
        {mc_graph_find(net->graph, "x"), 1, 1, (int64_t[]){0}, (double[]){7}},
        {mc_graph_find(net->graph, "w"), 0, 1, (int64_t[]){1}, (double[]){2}},
    };
    struct mc_plan *plan = net_plan(net, &(struct mc_plan_options){.n_clamps = 3, .clamps = clamps});
    net_fill(plan, 0, NUMBERS(1, 2, -3, -4));
    net_run(plan);
    EXPECT(mc_plan_output(plan, 0), 15, 5, 15, 6); /* x = 7 2 7 -4, w = 2 2, flat = 14 4 14 5 */
    EXPECT(net->graph->initializers[0]->data, 2, -3);
    finish(plan, net);
}

static void test_clamped_inputs_of_the_caller_are_copied(void **state)
{
    struct mc_error err = {0};
    struct mc_model *net = small_net();
    const struct mc_clamp clamp = {mc_graph_find(net->graph, "x"), 0, 1, (int64_t[]){1}, (double[]){0}};
    struct mc_plan *plan = net_plan(net, &(struct mc_plan_options){.n_clamps = 1, .clamps = &clamp});
    double numbers[] = {1, 2, 3, 4};
    struct mc_tensor mine = *mc_plan_input(plan, 0);
    mine.data = numbers;
    assert_ok(mc_plan_bind_input(plan, 0, &mine, &err), err);
    net_run(plan);
    EXPECT(mc_plan_output(plan, 0), 3, 1, 1, 1);
    assert_true(numbers[2] == 3 && numbers[3] == 4);
    finish(plan, net);
}

static void test_clamps_reach_what_was_folded(void **state)
{
    struct mc_model *net = net_create();
    struct mc_value *w = net_param(net, "w", DIMS(2), NUMBERS(1, 4));
    struct mc_value *root = net_node(net, "Sqrt", "root", w, NULL);
    net_output(net, net_node(net, "Neg", "y", root, NULL));
    const struct mc_clamp clamp = {root, 0, 1, (int64_t[]){0}, (double[]){8}};
    struct mc_plan *plan = net_plan(net, &(struct mc_plan_options){.n_clamps = 1, .clamps = &clamp});
    net_run(plan);
    EXPECT(mc_plan_output(plan, 0), -8, -2);
    finish(plan, net);
}

static void keep_sum(void *context, const struct mc_tensor *contents)
{
    double *sum = context;
    *sum = 0;
    for (int64_t i = 0; i < mc_tensor_count(contents); i++) *sum += mc_tensor_get_f64(contents, i);
}

static void test_clamps_show_what_is_made_of_them(void **state)
{
    struct mc_model *net = small_net();
    double product = 0, relu = 0;
    const struct mc_clamp clamps[] = {
        {mc_graph_find(net->graph, "product"), 1, 1, (int64_t[]){1}, (double[]){10}, keep_sum, &product},
        {.value = mc_graph_find(net->graph, "relu"), .seen = keep_sum, .context = &relu},
    };
    struct mc_plan *plan = net_plan(net, &(struct mc_plan_options){.n_clamps = 2, .clamps = clamps});
    for (int again = 0; again < 2; again++) {
        net_fill(plan, 0, NUMBERS(1 + again, 2, -3, -4));
        net_run(plan);
        assert_true(product == 2 * (1 + again) + 10 - 6 + 10);
        assert_true(relu == 2 * (1 + again) + 10 + 10); /* in the place of what was clamped */
    }
    finish(plan, net);
}

/* y = x w w w ..., each of its own contents and all of them clamped. */
static void test_clamped_parameters_are_copied_one_at_a_time(void **state)
{
    enum { MANY = 8, SIDE = 64 };
    struct mc_model *net = net_create();
    const int64_t row = 0;
    const double three = 3, zero = 0;
    struct mc_clamp clamps[MANY];
    double weights[SIDE * SIDE] = {0};
    for (int i = 0; i < SIDE; i++) weights[i * SIDE + i] = 1;
    struct mc_value *y = net_input(net, "x", DIMS(1, SIDE));
    for (int i = 0; i < MANY; i++) {
        char name[16];
        snprintf(name, sizeof name, "w%d", i);
        struct mc_value *w = net_param(net, name, DIMS(SIDE, SIDE), weights);
        clamps[i] = (struct mc_clamp){w, 0, 1, &row, i == 0 ? &three : &zero};
        snprintf(name, sizeof name, "y%d", i);
        y = net_node(net, "MatMul", name, y, w);
    }
    net_output(net, y);
    struct mc_plan *plan = net_plan(net, &(struct mc_plan_options){.n_clamps = MANY, .clamps = clamps});
    const size_t copy = SIDE * SIDE * sizeof(double);
    assert_true(mc_plan_bytes(plan) > copy && mc_plan_bytes(plan) < 3 * copy);
    double x[SIDE] = {1};
    for (int i = 1; i < SIDE; i++) x[i] = i;
    for (int again = 0; again < 2; again++) {
        net_fill(plan, 0, x);
        net_run(plan);
        const double *out = mc_plan_output(plan, 0)->data;
        assert_true(out[0] == 0);
        for (int i = 1; i < SIDE; i++) assert_true(out[i] == i + 3);
    }
    finish(plan, net);
}

static void test_clamps_out_of_range_are_refused(void **state)
{
    struct mc_error err = {0};
    struct mc_model *net = small_net();
    struct mc_plan *plan;
    const struct mc_value *x = mc_graph_find(net->graph, "x");
    const struct mc_clamp axis = {x, 2, 1, (int64_t[]){0}, (double[]){7}};
    const struct mc_clamp index = {x, 1, 1, (int64_t[]){2}, (double[]){7}};
    mc_ops_bind(net);
    assert_int_equal(mc_plan_create(&plan, net, &(struct mc_plan_options){.n_clamps = 1, .clamps = &axis}, &err),
                     MC_ERR_USAGE);
    assert_string_equal(err.text, "cannot clamp 'x' along axis 2 of 2");
    assert_int_equal(mc_plan_create(&plan, net, &(struct mc_plan_options){.n_clamps = 1, .clamps = &index}, &err),
                     MC_ERR_USAGE);
    assert_string_equal(err.text, "cannot clamp 'x' at index 2 of 2");
    mc_model_destroy(net);
}

/* --- backward --- */

static void backward(struct mc_plan *plan)
{
    struct mc_error err = {0};
    assert_ok(mc_plan_backward(plan, &err), err);
}

static void give(struct mc_plan *plan, int output, const double *numbers)
{
    struct mc_tensor *grad = mc_plan_grad_output(plan, output);
    assert_non_null(grad);
    memcpy(grad->data, numbers, mc_tensor_bytes(grad));
}

static void test_gradients_reach_parameters_and_inputs(void **state)
{
    struct mc_model *net = small_net();
    const struct mc_value *wrt[] = {mc_graph_find(net->graph, "w"), mc_graph_find(net->graph, "x"),
                                    mc_graph_find(net->graph, "one")};
    struct mc_plan *plan = net_plan(net, &(struct mc_plan_options){.training = true, .n_wrt = 3, .wrt = wrt});
    for (int again = 0; again < 2; again++) {
        net_fill(plan, 0, NUMBERS(1, 2, -3, -4));
        net_run(plan);
        EXPECT(mc_plan_output(plan, 0), 3, 1, 1, 13);
        give(plan, 0, NUMBERS(1, 10, 100, 1000));
        backward(plan);
        EXPECT(mc_plan_grad(plan, 0), 1, -4000);
        EXPECT(mc_plan_grad(plan, 1), 2, 0, 0, -3000);
        EXPECT(mc_plan_grad(plan, 2), 1111);
        assert_int_equal(mc_plan_grad(plan, 1)->shape.rank, 2);
    }
    finish(plan, net);
}

static void test_gradients_of_several_consumers_are_added(void **state)
{
    struct mc_model *net = net_create();
    struct mc_value *x = net_input(net, "x", DIMS(2, 1));
    struct mc_value *square = net_node(net, "Mul", "square", x, x);
    struct mc_value *flat = net_node(net, "Reshape", "flat", x, net_ints(net, "two", INTS(2)));
    struct mc_value *tall =
        net_node(net, "Reshape", "tall", net_node(net, "Exp", "exp", flat, NULL), net_ints(net, "two_one", INTS(2, 1)));
    net_output(net, net_node(net, "Add", "y", net_node(net, "Add", "sum", square, tall), x));
    const struct mc_value *wrt[] = {x};
    struct mc_plan *plan = net_plan(net, &(struct mc_plan_options){.training = true, .n_wrt = 1, .wrt = wrt});
    net_fill(plan, 0, NUMBERS(0.5, 2));
    net_run(plan);
    EXPECT(mc_plan_output(plan, 0), 0.25 + exp(0.5) + 0.5, 4 + exp(2) + 2);
    give(plan, 0, NUMBERS(1, 3));
    backward(plan);
    EXPECT(mc_plan_grad(plan, 0), 2 * 0.5 + exp(0.5) + 1, 3 * (2 * 2 + exp(2) + 1));
    finish(plan, net);
}

/* Outputs: a = exp(x), b = a * w, and a's view again. */
static void test_gradients_given_for_several_outputs_are_added(void **state)
{
    struct mc_model *net = net_create();
    struct mc_value *x = net_input(net, "x", DIMS(1)), *w = net_param(net, "w", DIMS(1), NUMBERS(3));
    struct mc_value *a = net_node(net, "Exp", "a", x, NULL), *b = net_node(net, "Mul", "b", a, w);
    net_output(net, a);
    net_output(net, b);
    net_output(net, net_node(net, "Identity", "c", a, NULL));
    const struct mc_value *wrt[] = {x, w};
    struct mc_plan *plan = net_plan(net, &(struct mc_plan_options){.training = true, .n_wrt = 2, .wrt = wrt});
    static const struct {
        bool a, b, c;
    } given[] = {
        {true, true, true}, {false, true, false}, {true, false, false}, {false, false, true}, {false, true, true}};
    for (size_t i = 0; i < sizeof given / sizeof given[0]; i++) {
        net_fill(plan, 0, NUMBERS(0));
        net_run(plan);
        if (given[i].a) give(plan, 0, NUMBERS(2));
        if (given[i].b) give(plan, 1, NUMBERS(5));
        if (given[i].c) give(plan, 2, NUMBERS(11));
        backward(plan);
        EXPECT(mc_plan_grad(plan, 0), (given[i].a ? 2 : 0) + (given[i].b ? 15 : 0) + (given[i].c ? 11 : 0));
        if (given[i].b)
            EXPECT(mc_plan_grad(plan, 1), 5);
        else
            assert_null(mc_plan_grad(plan, 1));
    }
    finish(plan, net);
}

static void test_inner_values_can_be_differentiated_by(void **state)
{
    struct mc_model *net = net_create();
    struct mc_value *x = net_input(net, "x", DIMS(1));
    struct mc_value *same = net_node(net, "Identity", "same", x, NULL);
    struct mc_value *a = net_node(net, "Mul", "a", same, x);
    net_output(net, a);
    const struct mc_value *wrt[] = {same, x, a};
    struct mc_plan *plan = net_plan(net, &(struct mc_plan_options){.training = true, .n_wrt = 3, .wrt = wrt});
    net_fill(plan, 0, NUMBERS(4));
    net_run(plan);
    give(plan, 0, NUMBERS(1));
    backward(plan);
    EXPECT(mc_plan_grad(plan, 0), 4);
    EXPECT(mc_plan_grad(plan, 1), 8);
    EXPECT(mc_plan_grad(plan, 2), 1);
    finish(plan, net);
}

static void test_a_parameter_that_is_an_output_gets_its_gradient(void **state)
{
    struct mc_model *net = net_create();
    struct mc_value *w = net_param(net, "w", DIMS(2), NUMBERS(1, 2));
    net_output(net, w);
    net_output(net, net_node(net, "Identity", "same", w, NULL));
    const struct mc_value *wrt[] = {w};
    struct mc_plan *plan = net_plan(net, &(struct mc_plan_options){.training = true, .n_wrt = 1, .wrt = wrt});
    net_run(plan);
    give(plan, 0, NUMBERS(3, 4));
    give(plan, 1, NUMBERS(10, 20));
    backward(plan);
    EXPECT(mc_plan_grad(plan, 0), 13, 24);
    finish(plan, net);
}

static void test_no_path_means_no_gradient(void **state)
{
    struct mc_model *net = small_net();
    struct mc_value *apart = net_param(net, "apart", DIMS(2), NULL);
    net_output(net, net_node(net, "Exp", "unrelated", net->graph->inputs[0], NULL));
    const struct mc_value *wrt[] = {apart, mc_graph_find(net->graph, "w")};
    struct mc_plan *plan = net_plan(net, &(struct mc_plan_options){.training = true, .n_wrt = 2, .wrt = wrt});
    net_fill(plan, 0, NUMBERS(1, 2, -3, -4));
    net_run(plan);
    assert_null(mc_plan_grad_output(plan, 1));
    give(plan, 0, NUMBERS(1, 1, 1, 1));
    backward(plan);
    assert_null(mc_plan_grad(plan, 0));
    EXPECT(mc_plan_grad(plan, 1), 1, -4);
    finish(plan, net);
}

static void test_training_sees_parameters_as_they_are(void **state)
{
    struct mc_model *net = small_net();
    struct mc_value *w = mc_graph_find(net->graph, "w");
    struct mc_plan *plan =
        net_plan(net, &(struct mc_plan_options){.training = true, .n_wrt = 1, .wrt = (const struct mc_value *[]){w}});
    ((double *)w->data->data)[0] = 100;
    net_fill(plan, 0, NUMBERS(1, 2, 3, 4));
    net_run(plan);
    EXPECT(mc_plan_output(plan, 0), 101, 1, 301, 1);
    finish(plan, net);
}

static void test_backward_needs_a_run(void **state)
{
    struct mc_error err = {0};
    struct mc_model *net = small_net();
    const struct mc_value *wrt[] = {mc_graph_find(net->graph, "w")};
    struct mc_plan *plan = net_plan(net, &(struct mc_plan_options){.training = true, .n_wrt = 1, .wrt = wrt});
    assert_int_equal(mc_plan_backward(plan, &err), MC_ERR_USAGE);
    net_run(plan);
    backward(plan);
    assert_int_equal(mc_plan_backward(plan, &err), MC_ERR_USAGE); /* what it kept is gone */
    finish(plan, net);
    net = small_net();
    plan = net_plan(net, &inference);
    net_run(plan);
    assert_int_equal(mc_plan_backward(plan, &err), MC_ERR_USAGE);
    finish(plan, net);
}

/* --- refusals --- */

static void test_gradients_end_at_operators_without_derivative(void **state)
{
    struct mc_error err = {0};
    struct mc_model *net = small_net();
    struct mc_plan *plan;
    mc_ops_bind(net);
    struct mc_op blind = *net->graph->nodes[2]->op;
    blind.backward = NULL;
    blind.no_backward = "it is blind";
    net->graph->nodes[2]->op = &blind;
    const struct mc_value *wrt[] = {mc_graph_find(net->graph, "w")}, *late[] = {mc_graph_find(net->graph, "one")};
    struct mc_plan_options options = {.training = true, .n_wrt = 1, .wrt = wrt};
    const char *why = NULL;
    assert_ok(mc_plan_create(&plan, net, &options, &err), err);
    assert_null(mc_plan_grad_output(plan, 0)); /* nothing that is asked for comes from there */
    assert_ptr_equal(mc_plan_gradient_end(plan, wrt[0], &why), net->graph->nodes[2]);
    assert_string_equal(why, "it is blind");
    mc_plan_destroy(plan);
    options.wrt = late; /* no gradient has to pass it */
    assert_ok(mc_plan_create(&plan, net, &options, &err), err);
    assert_non_null(mc_plan_grad_output(plan, 0));
    assert_null(mc_plan_gradient_end(plan, late[0], &why));
    mc_plan_destroy(plan);
    blind.forward = NULL;
    assert_int_equal(mc_plan_create(&plan, net, &inference, &err), MC_ERR_UNSUPPORTED);
    assert_string_equal(err.text, "needs operators that cannot be run here: 'relu' (Relu of ai.onnx 17)");
    mc_model_destroy(net);
}

static void test_integers_have_no_gradient(void **state)
{
    struct mc_error err = {0};
    struct mc_model *net = small_net();
    struct mc_plan *plan;
    const struct mc_value *wrt[] = {mc_graph_find(net->graph, "shape")};
    mc_ops_bind(net);
    const struct mc_plan_options options = {.training = true, .n_wrt = 1, .wrt = wrt};
    assert_int_equal(mc_plan_create(&plan, net, &options, &err), MC_ERR_USAGE);
    assert_string_equal(err.text, "the gradient by 'shape' of type int64 cannot be had");
    mc_model_destroy(net);
}

/* --- random graphs: sharing memory must change nothing --- */

enum { N_INPUTS = 3, N_NODES = 25, N_ELEMENTS = 6 };

static struct mc_value *pick(struct mc_rng *rng, struct mc_value **values, int n)
{
    /* rather the recent ones, so that there are chains as well as long lives */
    const int back = (int)mc_rng_below(rng, mc_rng_below(rng, 2) ? 4 : (uint64_t)n);
    return values[back < n ? n - 1 - back : 0];
}

static struct mc_model *random_net(struct mc_rng *rng, struct mc_value **values)
{
    static const char *const types[] = {"Add", "Mul", "Sub", "Max", "Tanh", "Sigmoid", "Neg", "Identity", "Reshape"};
    struct mc_model *net = net_create();
    struct mc_value *shapes[] = {net_ints(net, "flat", INTS(6)), net_ints(net, "square", INTS(2, 3))};
    int n = 0;
    for (int i = 0; i < N_INPUTS; i++) {
        char name[16];
        snprintf(name, sizeof name, "v%d", n);
        values[n++] = i < 2 ? net_input(net, name, DIMS(2, 3))
                            : net_param(net, name, DIMS(2, 3), NUMBERS(0.1, -0.2, 0.3, -0.4, 0.5, 0.6));
    }
    for (int i = 0; i < N_NODES; i++) {
        const size_t type = (size_t)mc_rng_below(rng, 9);
        char name[16];
        snprintf(name, sizeof name, "v%d", n);
        struct mc_value *a = pick(rng, values, n), *b = type < 4 ? pick(rng, values, n) : NULL;
        if (type == 8) { /* there and back again, so that all shapes agree */
            a = net_node(net, "Reshape", mc_rng_below(rng, 2) ? "f" : "ff", a, shapes[0]);
            b = shapes[1];
        }
        values[n++] = net_node(net, types[type], name, a, b);
    }
    net_output(net, values[n - 1]);
    net_output(net, pick(rng, values, n));
    return net;
}

static void run_with_numbers(struct mc_plan *plan)
{
    for (int i = 0; i < mc_plan_n_inputs(plan); i++)
        for (int k = 0; k < N_ELEMENTS; k++) mc_tensor_set_f64(mc_plan_input(plan, i), k, sin(1 + 3 * k + 10 * i));
    net_run(plan);
}

static void give_and_go_back(struct mc_plan *plan, int n_outputs)
{
    for (int i = 0; i < n_outputs; i++) {
        struct mc_tensor *grad = mc_plan_grad_output(plan, i);
        for (int k = 0; grad && k < N_ELEMENTS; k++) mc_tensor_set_f64(grad, k, cos(k + 5 * i));
    }
    backward(plan);
}

static void assert_same(const struct mc_tensor *a, const struct mc_tensor *b, int round)
{
    if (!a != !b) fail_msg("round %d: one has it, the other has not", round);
    for (int k = 0; a && k < N_ELEMENTS; k++)
        if (!(fabs(mc_tensor_get_f64(a, k) - mc_tensor_get_f64(b, k)) <=
              1e-12 * fmax(1, fabs(mc_tensor_get_f64(b, k)))))
            fail_msg("round %d: element %d is %.17g instead of %.17g", round, k, mc_tensor_get_f64(a, k),
                     mc_tensor_get_f64(b, k));
}

/* The reference taps every value: nothing dies, so nothing is shared. */
static void test_sharing_memory_changes_no_result(void **state)
{
    for (int round = 0; round < 60; round++) {
        struct mc_rng rng;
        mc_rng_init(&rng, 77, (uint64_t)round);
        struct mc_value *values[N_INPUTS + N_NODES];
        struct mc_model *net = random_net(&rng, values);
        const struct mc_value *const *all = (const struct mc_value *const *)values;
        struct mc_plan_options plain = {.training = true, .n_wrt = N_INPUTS, .wrt = all, .no_fold = true};
        plain.n_taps = N_INPUTS + N_NODES;
        plain.taps = all;
        struct mc_plan *reference = net_plan(net, &plain);
        struct mc_plan *trained =
            net_plan(net, &(struct mc_plan_options){.training = true, .n_wrt = N_INPUTS, .wrt = all});
        struct mc_plan *run = net_plan(net, &inference);
        run_with_numbers(reference);
        run_with_numbers(trained);
        run_with_numbers(run);
        for (int i = 0; i < 2; i++) {
            assert_same(mc_plan_output(trained, i), mc_plan_output(reference, i), round);
            assert_same(mc_plan_output(run, i), mc_plan_output(reference, i), round);
        }
        assert_true(mc_plan_bytes(run) < mc_plan_bytes(reference));
        give_and_go_back(reference, 2);
        give_and_go_back(trained, 2);
        for (int i = 0; i < N_INPUTS; i++) assert_same(mc_plan_grad(trained, i), mc_plan_grad(reference, i), round);
        mc_plan_destroy(run);
        mc_plan_destroy(trained);
        finish(reference, net);
    }
}

static double loss_of(struct mc_plan *plan)
{
    double loss = 0;
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < N_ELEMENTS; k++) loss += cos(k + 5 * i) * mc_tensor_get_f64(mc_plan_output(plan, i), k);
    return loss;
}

static void test_gradients_of_random_graphs_match_finite_differences(void **state)
{
    for (int round = 0; round < 20; round++) {
        struct mc_rng rng;
        mc_rng_init(&rng, 78, (uint64_t)round);
        struct mc_value *values[N_INPUTS + N_NODES];
        struct mc_model *net = random_net(&rng, values);
        struct mc_value *w = values[N_INPUTS - 1];
        const struct mc_value *wrt[] = {w};
        struct mc_plan *plan = net_plan(net, &(struct mc_plan_options){.training = true, .n_wrt = 1, .wrt = wrt});
        run_with_numbers(plan);
        give_and_go_back(plan, 2);
        double grad[N_ELEMENTS] = {0};
        const struct mc_tensor *given = mc_plan_grad(plan, 0);
        for (int k = 0; given && k < N_ELEMENTS; k++) grad[k] = mc_tensor_get_f64(given, k);
        for (int k = 0; k < N_ELEMENTS; k++) {
            const double x = mc_tensor_get_f64(w->data, k), h = 1e-6;
            double loss[2];
            for (int side = 0; side < 2; side++) {
                mc_tensor_set_f64(w->data, k, x + (side ? h : -h));
                run_with_numbers(plan);
                loss[side] = loss_of(plan);
            }
            mc_tensor_set_f64(w->data, k, x);
            const double numeric = (loss[1] - loss[0]) / (2 * h);
            if (!(fabs(numeric - grad[k]) <= 1e-6 * fmax(1, fabs(numeric))))
                fail_msg("round %d: gradient %d is %.9g, differences give %.9g", round, k, grad[k], numeric);
        }
        finish(plan, net);
    }
}

/* --- memory --- */

static int attempt(void *context)
{
    struct mc_error err = {0};
    struct mc_plan *plan = NULL;
    int rc = mc_plan_create(&plan, context, &inference, &err);
    if (rc == MC_OK) rc = mc_plan_refresh(plan, &err);
    if (rc == MC_OK) rc = mc_plan_run(plan, &err);
    mc_plan_destroy(plan);
    return rc;
}

static int training_attempt(void *context)
{
    struct mc_error err = {0};
    struct mc_plan *plan = NULL;
    struct mc_model *net = context;
    const struct mc_value *wrt[] = {net->graph->initializers[0]};
    int rc = mc_plan_create(&plan, net, &(struct mc_plan_options){.training = true, .n_wrt = 1, .wrt = wrt}, &err);
    if (rc == MC_OK) rc = mc_plan_run(plan, &err);
    if (rc == MC_OK) rc = mc_plan_backward(plan, &err);
    mc_plan_destroy(plan);
    return rc;
}

static void test_failing_allocations_leave_nothing_behind(void **state)
{
    struct mc_model *net = small_net();
    mc_ops_bind(net);
    alloc_fail_each(attempt, net);
    alloc_fail_each(training_attempt, net);
    mc_model_destroy(net);
}

static int run_only(void *context)
{
    struct mc_error err = {0};
    return mc_plan_run(context, &err);
}

static void test_running_allocates_nothing(void **state)
{
    struct mc_model *net = small_net();
    struct mc_plan *plan = net_plan(net, &inference);
    alloc_fail_at(1);
    const int rc = run_only(plan);
    assert_false(alloc_fail_happened());
    alloc_fail_at(0);
    assert_int_equal(rc, MC_OK);
    finish(plan, net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_run_computes_the_graph),
        cmocka_unit_test(test_what_goes_wrong_names_the_file_and_the_node),
        cmocka_unit_test(test_views_are_no_steps),
        cmocka_unit_test(test_elementwise_chains_work_in_place),
        cmocka_unit_test(test_without_folding_every_node_is_a_step),
        cmocka_unit_test(test_constants_are_computed_once),
        cmocka_unit_test(test_what_no_output_needs_is_dropped),
        cmocka_unit_test(test_taps_hand_out_inner_values),
        cmocka_unit_test(test_bound_inputs_are_read_in_place_for_one_run),
        cmocka_unit_test(test_an_output_may_be_an_input_or_its_view),
        cmocka_unit_test(test_steps_are_timed_on_demand),
        cmocka_unit_test(test_refresh_takes_up_changed_parameters),
        cmocka_unit_test(test_refresh_makes_room_for_another_kernel),
        cmocka_unit_test(test_clamps_hold_slices_of_inputs_parameters_and_results),
        cmocka_unit_test(test_clamped_inputs_of_the_caller_are_copied),
        cmocka_unit_test(test_clamps_reach_what_was_folded),
        cmocka_unit_test(test_clamps_show_what_is_made_of_them),
        cmocka_unit_test(test_clamped_parameters_are_copied_one_at_a_time),
        cmocka_unit_test(test_clamps_out_of_range_are_refused),
        cmocka_unit_test(test_gradients_reach_parameters_and_inputs),
        cmocka_unit_test(test_gradients_of_several_consumers_are_added),
        cmocka_unit_test(test_gradients_given_for_several_outputs_are_added),
        cmocka_unit_test(test_inner_values_can_be_differentiated_by),
        cmocka_unit_test(test_a_parameter_that_is_an_output_gets_its_gradient),
        cmocka_unit_test(test_no_path_means_no_gradient),
        cmocka_unit_test(test_training_sees_parameters_as_they_are),
        cmocka_unit_test(test_backward_needs_a_run),
        cmocka_unit_test(test_gradients_end_at_operators_without_derivative),
        cmocka_unit_test(test_integers_have_no_gradient),
        cmocka_unit_test(test_sharing_memory_changes_no_result),
        cmocka_unit_test(test_gradients_of_random_graphs_match_finite_differences),
        cmocka_unit_test(test_failing_allocations_leave_nothing_behind),
        cmocka_unit_test(test_running_allocates_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
