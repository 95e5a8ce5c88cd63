/* test_control.c - If, Loop, Scan: graphs among a node's attributes.
 *
 * Expected numbers are plain arithmetic, done by hand.
 */
#include "test.h"

#include <math.h>
#include <string.h>

#include "alloc_fail.h"
#include "graph/cost.h"
#include "graph/graph.h"
#include "op/ops.h"
#include "run/plan.h"

/* --- building --- */

static struct mc_value *declare(struct mc_graph *graph, const char *name, enum mc_dtype dtype, int rank, int64_t extent)
{
    struct mc_value *v = mc_value_create(graph, name);
    assert_non_null(v);
    v->type = (struct mc_type){.dtype = dtype, .rank = rank, .dim = {extent, extent, extent}};
    return v;
}

static struct mc_value *input(struct mc_graph *graph, const char *name, enum mc_dtype dtype, int rank, int64_t extent)
{
    struct mc_error err = {0};
    struct mc_value *v = declare(graph, name, dtype, rank, extent);
    assert_ok(mc_graph_add_input(graph, v, &err), err);
    return v;
}

static struct mc_value *output(struct mc_graph *graph, struct mc_value *v)
{
    struct mc_error err = {0};
    assert_ok(mc_graph_add_output(graph, v, &err), err);
    return v;
}

static struct mc_value *node(struct mc_graph *graph, const char *type, struct mc_value *a, struct mc_value *b)
{
    struct mc_value *out = declare(graph, "made", MC_FLOAT, -1, 0);
    assert_non_null(mc_node_create(graph, -1, "", type, type, b ? 2 : 1, (struct mc_value *[]){a, b}, 1, &out));
    return out;
}

static struct mc_model *model_17(void)
{
    struct mc_error err = {0};
    struct mc_model *model;
    assert_ok(mc_model_create(&model, 17, &err), err);
    return model;
}

static struct mc_graph *graph_in(struct mc_model *model, const char *name)
{
    struct mc_graph *graph = mc_graph_create(model, model->graph, name);
    assert_non_null(graph);
    return graph;
}

/* y = c ? x + x : x * x, x from outside of both branches. */
static struct mc_model *if_model(void)
{
    struct mc_error err = {0};
    struct mc_model *model = model_17();
    struct mc_value *c = input(model->graph, "c", MC_BOOL, 0, 0), *x = input(model->graph, "x", MC_FLOAT, 1, -1);
    struct mc_graph *yes = graph_in(model, "yes"), *no = graph_in(model, "no");
    output(yes, node(yes, "Add", x, x));
    output(no, node(no, "Mul", x, x));
    struct mc_value *y = node(model->graph, "If", c, NULL);
    assert_ok(mc_node_set_graph(y->producer, "then_branch", yes, &err), err);
    assert_ok(mc_node_set_graph(y->producer, "else_branch", no, &err), err);
    output(model->graph, node(model->graph, "Neg", y, NULL));
    mc_ops_bind(model);
    return model;
}

/* total, history = Loop(n): total += x, history collects it; x from outside. */
static struct mc_model *loop_model(void)
{
    struct mc_error err = {0};
    struct mc_model *model = model_17();
    struct mc_value *n = input(model->graph, "n", MC_INT64, 0, 0), *x = input(model->graph, "x", MC_FLOAT, 1, 2);
    struct mc_value *start = input(model->graph, "start", MC_FLOAT, 1, 2);
    struct mc_graph *body = graph_in(model, "body");
    input(body, "turn", MC_INT64, 0, 0);
    struct mc_value *go = input(body, "go", MC_BOOL, 0, 0), *sum = input(body, "sum", MC_FLOAT, 1, 2);
    output(body, node(body, "Identity", go, NULL));
    struct mc_value *next = output(body, node(body, "Add", sum, x));
    struct mc_value *seen = output(body, node(body, "Identity", next, NULL));
    seen->type = (struct mc_type){.dtype = MC_FLOAT, .rank = 1, .dim = {2}};
    struct mc_value *out[] = {declare(model->graph, "total", MC_FLOAT, -1, 0),
                              declare(model->graph, "history", MC_FLOAT, -1, 0)};
    struct mc_node *loop =
        mc_node_create(model->graph, -1, "", "Loop", "loop", 3, (struct mc_value *[]){n, NULL, start}, 2, out);
    assert_non_null(loop);
    assert_ok(mc_node_set_graph(loop, "body", body, &err), err);
    output(model->graph, out[0]);
    output(model->graph, out[1]);
    mc_ops_bind(model);
    return model;
}

/* sum, sums = Scan(start, rows): sum += row, from the last row to the first. */
static struct mc_model *scan_model(void)
{
    struct mc_error err = {0};
    struct mc_model *model = model_17();
    struct mc_value *start = input(model->graph, "start", MC_FLOAT, 1, 2);
    struct mc_value *rows = input(model->graph, "rows", MC_FLOAT, 2, -1);
    struct mc_graph *body = graph_in(model, "body");
    struct mc_value *sum = input(body, "sum", MC_FLOAT, 1, 2), *row = input(body, "row", MC_FLOAT, 1, 2);
    struct mc_value *next = output(body, node(body, "Add", sum, row));
    output(body, node(body, "Identity", next, NULL));
    struct mc_value *out[] = {declare(model->graph, "sum", MC_FLOAT, -1, 0),
                              declare(model->graph, "sums", MC_FLOAT, -1, 0)};
    struct mc_node *scan =
        mc_node_create(model->graph, -1, "", "Scan", "scan", 2, (struct mc_value *[]){start, rows}, 2, out);
    assert_non_null(scan);
    assert_ok(mc_node_set_graph(scan, "body", body, &err), err);
    assert_ok(mc_node_set_int(scan, "num_scan_inputs", 1, &err), err);
    assert_ok(mc_node_set_ints(scan, "scan_input_directions", (const int64_t[]){1}, 1, &err), err);
    output(model->graph, out[0]);
    output(model->graph, out[1]);
    mc_ops_bind(model);
    return model;
}

/* --- running --- */

static struct mc_tensor *tensor(enum mc_dtype dtype, int rank, const int64_t *dims, const double *numbers)
{
    struct mc_error err = {0};
    struct mc_tensor *made;
    const struct mc_shape shape = mc_shape_of(rank, dims);
    assert_ok(mc_tensor_create(&made, dtype, &shape, &err), err);
    for (int64_t i = 0; i < mc_tensor_count(made); i++) mc_tensor_set_f64(made, i, numbers[i]);
    return made;
}

#define TENSOR(dtype, rank, dims, ...) tensor((dtype), (rank), (const int64_t[]){dims}, (const double[]){__VA_ARGS__})

static void expect(const struct mc_tensor *t, int64_t n, const double *numbers)
{
    assert_int_equal(mc_tensor_count(t), n);
    for (int64_t i = 0; i < n; i++) assert_true(mc_tensor_get_f64(t, i) == numbers[i]);
}

#define EXPECT(t, ...)                                                                                                 \
    expect((t), (int64_t)(sizeof((double[]){__VA_ARGS__}) / sizeof(double)), (const double[]){__VA_ARGS__})

struct run {
    struct mc_model *model;
    struct mc_tensor *in[3], *out[2];
    int n_in, n_out;
};

static int run(void *context)
{
    struct run *r = context;
    struct mc_error err = {0};
    const int rc = mc_model_run(r->model, NULL, r->in, r->n_in, r->out, &err);
    for (int i = 0; i < r->n_out && rc == MC_OK; i++) mc_tensor_destroy(r->out[i]);
    return rc;
}

static void start(struct run *r)
{
    struct mc_error err = {0};
    assert_ok(mc_model_run(r->model, NULL, r->in, r->n_in, r->out, &err), err);
}

static void finish_run(struct run *r)
{
    for (int i = 0; i < r->n_out; i++) mc_tensor_destroy(r->out[i]);
}

static void finish(struct run *r)
{
    for (int i = 0; i < r->n_in; i++) mc_tensor_destroy(r->in[i]);
    mc_model_destroy(r->model);
}

static void test_if_runs_the_branch_that_the_condition_names(void **state)
{
    (void)state;
    struct run r = {.model = if_model(), .n_in = 2, .n_out = 1};
    r.in[0] = TENSOR(MC_BOOL, 0, 0, 1);
    r.in[1] = TENSOR(MC_FLOAT, 1, 3, 1, 2, 3);
    start(&r);
    EXPECT(r.out[0], -2, -4, -6);
    finish_run(&r);
    mc_tensor_set_f64(r.in[0], 0, 0);
    start(&r);
    EXPECT(r.out[0], -1, -4, -9);
    finish_run(&r);
    alloc_fail_each(run, &r);
    finish(&r);
}

static void test_loop_carries_and_collects(void **state)
{
    (void)state;
    struct run r = {.model = loop_model(), .n_in = 3, .n_out = 2};
    r.in[0] = TENSOR(MC_INT64, 0, 0, 3);
    r.in[1] = TENSOR(MC_FLOAT, 1, 2, 1, 10);
    r.in[2] = TENSOR(MC_FLOAT, 1, 2, 5, 0);
    start(&r);
    EXPECT(r.out[0], 8, 30);
    EXPECT(r.out[1], 6, 10, 7, 20, 8, 30);
    assert_int_equal(r.out[1]->shape.dim[0], 3);
    finish_run(&r);
    alloc_fail_each(run, &r);
    mc_tensor_set_f64(r.in[0], 0, 0);
    start(&r);
    EXPECT(r.out[0], 5, 0);
    assert_int_equal(r.out[1]->shape.rank, 2);
    assert_int_equal(r.out[1]->shape.dim[0], 0);
    assert_int_equal(r.out[1]->shape.dim[1], 2);
    finish_run(&r);
    finish(&r);
}

static void test_scan_goes_along_an_axis_backwards(void **state)
{
    (void)state;
    struct run r = {.model = scan_model(), .n_in = 2, .n_out = 2};
    const int64_t dims[] = {2, 2};
    r.in[0] = TENSOR(MC_FLOAT, 1, 2, 100, 200);
    r.in[1] = tensor(MC_FLOAT, 2, dims, (const double[]){1, 2, 3, 4});
    start(&r);
    EXPECT(r.out[0], 104, 206);
    EXPECT(r.out[1], 103, 204, 104, 206);
    finish_run(&r);
    alloc_fail_each(run, &r);
    finish(&r);
}

/* A body that breaks its own contract, and a condition that is none. */
static void test_what_does_not_fit_is_refused_with_its_place(void **state)
{
    (void)state;
    struct mc_error err = {0};
    struct run r = {.model = if_model(), .n_in = 2, .n_out = 1};
    r.model->graph->inputs[0]->type = (struct mc_type){.dtype = MC_BOOL, .rank = 1, .dim = {2}};
    r.in[0] = TENSOR(MC_BOOL, 1, 2, 1, 0);
    r.in[1] = TENSOR(MC_FLOAT, 1, 1, 1);
    assert_int_equal(mc_model_run(r.model, NULL, r.in, 2, r.out, &err), MC_ERR_INPUT);
    assert_non_null(strstr(err.text, "node 'If' (If): 'c': needs one boolean"));
    finish(&r);
}

/* One plan serves all runs; what it compiled for the branches stays with it. */
static void test_a_plan_runs_its_graphs_again(void **state)
{
    (void)state;
    struct mc_error err = {0};
    struct mc_model *model = if_model();
    struct mc_plan *plan;
    const struct mc_shape shapes[] = {{.rank = 0}, {.rank = 1, .dim = {2}}};
    assert_ok(mc_plan_create(&plan, model, &(struct mc_plan_options){.dims = {.n_inputs = 2, .shape = shapes}}, &err),
              err);
    for (int k = 0; k < 4; k++) {
        mc_tensor_set_f64(mc_plan_input(plan, 0), 0, k % 2);
        for (int i = 0; i < 2; i++) mc_tensor_set_f64(mc_plan_input(plan, 1), i, 3 + k + i);
        assert_ok(mc_plan_run(plan, &err), err);
        const double x = 3 + k;
        EXPECT(mc_plan_output(plan, 0), k % 2 ? -2 * x : -x * x, k % 2 ? -2 * (x + 1) : -(x + 1) * (x + 1));
    }
    mc_plan_destroy(plan);
    mc_model_destroy(model);
}

/* --- training through branches --- */

enum { N = 3 };

static struct mc_value *parameter(struct mc_model *model, const char *name, double first)
{
    struct mc_value *v =
        mc_graph_add_initializer(model->graph, name, TENSOR(MC_DOUBLE, 1, N, first, first + 0.3, first - 0.7));
    assert_non_null(v);
    return v;
}

static struct mc_value *choose(struct mc_graph *graph, struct mc_value *condition, struct mc_graph *yes,
                               struct mc_graph *no)
{
    struct mc_error err = {0};
    struct mc_value *y = node(graph, "If", condition, NULL);
    assert_ok(mc_node_set_graph(y->producer, "then_branch", yes, &err), err);
    assert_ok(mc_node_set_graph(y->producer, "else_branch", no, &err), err);
    return y;
}

/* y = x (c ? (d ? (x w)^2 : exp(x w)) : x + b), whose parameter `round` goes nowhere but through Hardmax. */
static struct mc_model *branched_model(struct mc_value **w, struct mc_value **b, struct mc_value **round)
{
    struct mc_model *model = model_17();
    struct mc_value *c = input(model->graph, "c", MC_BOOL, 0, 0), *d = input(model->graph, "d", MC_BOOL, 0, 0);
    struct mc_value *x = input(model->graph, "x", MC_DOUBLE, 1, N);
    *w = parameter(model, "w", 0.4);
    *b = parameter(model, "b", 0.9);
    *round = parameter(model, "round", 0.2);
    struct mc_graph *yes = graph_in(model, "yes"), *no = graph_in(model, "no");
    struct mc_value *t = node(yes, "Mul", x, *w);
    struct mc_graph *square = mc_graph_create(model, yes, "square"), *power = mc_graph_create(model, yes, "power");
    output(square, node(square, "Mul", t, t));
    output(power, node(power, "Exp", t, NULL));
    output(yes, choose(yes, d, square, power));
    output(no, node(no, "Add", node(no, "Add", x, *b), node(no, "Hardmax", *round, NULL)));
    output(model->graph, node(model->graph, "Mul", choose(model->graph, c, yes, no), x));
    mc_ops_bind(model);
    return model;
}

static double weighed(struct mc_plan *plan)
{
    struct mc_error err = {0};
    double sum = 0;
    assert_ok(mc_plan_run(plan, &err), err);
    for (int i = 0; i < N; i++) sum += (1 + i) * mc_tensor_get_f64(mc_plan_output(plan, 0), i);
    return sum;
}

/* d sum(weights * y) / d t[i] by central differences. */
static double difference(struct mc_plan *plan, struct mc_tensor *t, int i)
{
    const double h = 1e-5, at = mc_tensor_get_f64(t, i);
    mc_tensor_set_f64(t, i, at + h);
    const double up = weighed(plan);
    mc_tensor_set_f64(t, i, at - h);
    const double down = weighed(plan);
    mc_tensor_set_f64(t, i, at);
    return (up - down) / (2 * h);
}

static void check_gradients(struct mc_plan *plan, struct mc_tensor *const *tensors, const bool *reached, int n)
{
    struct mc_error err = {0};
    double gradients[4][N];
    weighed(plan);
    struct mc_tensor *seed = mc_plan_grad_output(plan, 0);
    for (int i = 0; i < N; i++) mc_tensor_set_f64(seed, i, 1 + i);
    assert_ok(mc_plan_backward(plan, &err), err);
    for (int k = 0; k < n; k++) {
        const struct mc_tensor *gradient = mc_plan_grad(plan, k);
        if ((gradient != NULL) != reached[k])
            fail_msg("the gradient of tensor %d %s", k, reached[k] ? "is missing" : "came");
        for (int i = 0; i < N; i++) gradients[k][i] = gradient ? mc_tensor_get_f64(gradient, i) : 0;
    }
    for (int k = 0; k < n; k++)
        for (int i = 0; i < N; i++) {
            const double expected = difference(plan, tensors[k], i);
            if (!(fabs(gradients[k][i] - expected) <= 1e-7 * fmax(1, fabs(expected))))
                fail_msg("gradient %d of tensor %d is %.12g, differences say %.12g", i, k, gradients[k][i], expected);
        }
}

static void test_gradients_go_through_the_branch_that_was_taken(void **state)
{
    struct mc_error err = {0};
    struct mc_value *w, *b, *round;
    struct mc_model *model = branched_model(&w, &b, &round);
    struct mc_plan *plan;
    const struct mc_shape shapes[] = {{.rank = 0}, {.rank = 0}, {.rank = 1, .dim = {N}}};
    const struct mc_value *wrt[] = {model->graph->inputs[2], w, b, round};
    const struct mc_plan_options options = {
        .dims = {.n_inputs = 3, .shape = shapes}, .training = true, .n_wrt = 4, .wrt = wrt};
    assert_ok(mc_plan_create(&plan, model, &options, &err), err);
    struct mc_tensor *const tensors[] = {mc_plan_input(plan, 2), w->data, b->data, round->data};
    for (int turn = 0; turn < 2; turn++)
        for (int k = 0; k < 4; k++) {
            mc_tensor_set_f64(mc_plan_input(plan, 0), 0, k & 1);
            mc_tensor_set_f64(mc_plan_input(plan, 1), 0, k >> 1);
            for (int i = 0; i < N; i++) mc_tensor_set_f64(tensors[0], i, 0.3 * i - 0.5 + 0.1 * k);
            check_gradients(plan, tensors, (const bool[]){true, k & 1, !(k & 1), false}, 4);
        }
    const char *why = NULL;
    assert_null(mc_plan_gradient_end(plan, w, &why));
    const struct mc_node *end = mc_plan_gradient_end(plan, round, &why);
    assert_string_equal(end->type, "If");
    assert_string_equal(why, "no branch has a derivative by it");
    mc_plan_destroy(plan);
    mc_model_destroy(model);
}

static int train_once(void *context)
{
    struct mc_model *model = context;
    struct mc_error err = {0};
    struct mc_plan *plan = NULL;
    const struct mc_shape shapes[] = {{.rank = 0}, {.rank = 0}, {.rank = 1, .dim = {N}}};
    const struct mc_value *wrt[] = {model->graph->initializers[0]};
    const struct mc_plan_options options = {
        .dims = {.n_inputs = 3, .shape = shapes}, .training = true, .n_wrt = 1, .wrt = wrt};
    int rc = mc_plan_create(&plan, model, &options, &err);
    if (rc == MC_OK) mc_tensor_set_f64(mc_plan_input(plan, 0), 0, 1);
    if (rc == MC_OK) rc = mc_plan_run(plan, &err);
    if (rc == MC_OK) mc_plan_grad_output(plan, 0);
    if (rc == MC_OK) rc = mc_plan_backward(plan, &err);
    mc_plan_destroy(plan);
    return rc;
}

static void test_training_a_branch_may_run_out_of_memory(void **state)
{
    struct mc_value *w, *b, *round;
    struct mc_model *model = branched_model(&w, &b, &round);
    alloc_fail_each(train_once, model);
    mc_model_destroy(model);
}

/* Input i of the node becomes one number that is stored. */
static void fix_input(struct mc_node *node, int i, enum mc_dtype dtype, int64_t number)
{
    struct mc_error err = {0};
    struct mc_tensor *t;
    const struct mc_shape scalar = {.rank = 0};
    assert_ok(mc_tensor_create(&t, dtype, &scalar, &err), err);
    mc_tensor_set_f64(t, 0, (double)number);
    struct mc_value *v = mc_graph_add_initializer_fresh(node->graph, "fixed", t);
    assert_non_null(v);
    assert_ok(mc_node_set_input(node, i, v, &err), err);
}

static void check_output(const struct mc_facts *facts, const struct mc_node *node, int i, struct mc_shape shape)
{
    const struct mc_fact *fact = &facts->of[node->outputs[i]->id];
    assert_false(fact->open);
    assert_int_equal(fact->dtype, MC_FLOAT);
    assert_true(mc_shape_equal(&fact->shape, &shape));
}

/* Where branches agree on a shape, what follows is planned; where they do not, it is known when it has run. */
static void test_shapes_of_branches_are_known_where_they_agree(void **state)
{
    struct mc_error err = {0};
    struct mc_model *model = if_model();
    struct mc_facts facts;
    const struct mc_shape shapes[] = {{.rank = 0}, {.rank = 1, .dim = {5}}};
    const struct mc_dims dims = {.n_inputs = 2, .shape = shapes};
    assert_ok(mc_model_facts(&facts, model, &dims, false, &err), err);
    const struct mc_fact *y = &facts.of[model->graph->nodes[0]->outputs[0]->id];
    assert_true(!y->open && y->dtype == MC_FLOAT && y->shape.rank == 1 && y->shape.dim[0] == 5);
    mc_facts_finish(&facts);
    struct mc_graph *no = mc_node_attr(model->graph->nodes[0], "else_branch")->g;
    struct mc_value *both = node(no, "Concat", no->outputs[0], no->outputs[0]);
    assert_ok(mc_node_set_int(both->producer, "axis", 0, &err), err);
    no->outputs[0]->is_output = false;
    no->outputs[0] = both;
    mc_ops_bind(model);
    assert_ok(mc_model_facts(&facts, model, &dims, false, &err), err);
    assert_true(facts.of[model->graph->nodes[0]->outputs[0]->id].open);
    mc_facts_finish(&facts);
    fix_input(model->graph->nodes[0], 0, MC_BOOL, 1); /* the branch that will be run is known */
    assert_ok(mc_model_facts(&facts, model, &dims, false, &err), err);
    check_output(&facts, model->graph->nodes[0], 0, (struct mc_shape){.rank = 1, .dim = {5}});
    mc_facts_finish(&facts);
    mc_model_destroy(model);
}

static void test_shapes_of_turns_are_known_where_they_stay(void **state)
{
    struct mc_error err = {0};
    struct mc_model *model = loop_model();
    struct mc_node *loop = model->graph->nodes[0];
    struct mc_model_cost cost;
    struct mc_facts facts;
    const struct mc_shape two = {.rank = 1, .dim = {2}};
    assert_ok(mc_model_facts(&facts, model, NULL, false, &err), err);
    check_output(&facts, loop, 0, two);
    assert_true(facts.of[loop->outputs[1]->id].open); /* nobody knows how many turns there will be */
    mc_facts_finish(&facts);
    fix_input(loop, 0, MC_INT64, 3);
    assert_ok(mc_model_facts(&facts, model, NULL, false, &err), err);
    check_output(&facts, loop, 0, two);
    check_output(&facts, loop, 1, (struct mc_shape){.rank = 2, .dim = {3, 2}});
    assert_ok(mc_model_cost_create(&cost, model, &facts, &err), err);
    assert_false(cost.nodes[0].known); /* what the turns do is not counted */
    mc_model_cost_finish(&cost);
    mc_facts_finish(&facts);
    fix_input(loop, 0, MC_INT64, INT64_C(1) << 62); /* more than can be counted */
    assert_ok(mc_model_facts(&facts, model, NULL, false, &err), err);
    assert_true(facts.of[loop->outputs[1]->id].open);
    mc_facts_finish(&facts);
    struct mc_graph *body = mc_node_attr(loop, "body")->g;
    struct mc_value *longer = node(body, "Concat", body->outputs[1], body->outputs[1]);
    assert_ok(mc_node_set_int(longer->producer, "axis", 0, &err), err);
    body->outputs[1] = longer;
    mc_ops_bind(model);
    assert_ok(mc_model_facts(&facts, model, NULL, false, &err), err);
    assert_true(facts.of[loop->outputs[0]->id].open); /* every turn makes it longer */
    mc_facts_finish(&facts);
    mc_model_destroy(model);
}

static void test_shapes_of_what_is_scanned_are_known(void **state)
{
    struct mc_error err = {0};
    struct mc_model *model = scan_model();
    struct mc_node *scan = model->graph->nodes[0];
    struct mc_facts facts;
    const struct mc_shape two = {.rank = 1, .dim = {2}}, shapes[] = {two, {.rank = 2, .dim = {4, 2}}};
    const struct mc_dims dims = {.n_inputs = 2, .shape = shapes};
    assert_ok(mc_model_facts(&facts, model, &dims, false, &err), err);
    check_output(&facts, scan, 0, two);
    check_output(&facts, scan, 1, (struct mc_shape){.rank = 2, .dim = {4, 2}});
    mc_facts_finish(&facts);
    assert_ok(mc_node_set_ints(scan, "scan_output_axes", (const int64_t[]){-1}, 1, &err), err);
    assert_ok(mc_model_facts(&facts, model, &dims, false, &err), err);
    check_output(&facts, scan, 1, (struct mc_shape){.rank = 2, .dim = {2, 4}});
    mc_facts_finish(&facts);
    mc_model_destroy(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_if_runs_the_branch_that_the_condition_names),
        cmocka_unit_test(test_loop_carries_and_collects),
        cmocka_unit_test(test_scan_goes_along_an_axis_backwards),
        cmocka_unit_test(test_what_does_not_fit_is_refused_with_its_place),
        cmocka_unit_test(test_a_plan_runs_its_graphs_again),
        cmocka_unit_test(test_gradients_go_through_the_branch_that_was_taken),
        cmocka_unit_test(test_training_a_branch_may_run_out_of_memory),
        cmocka_unit_test(test_shapes_of_branches_are_known_where_they_agree),
        cmocka_unit_test(test_shapes_of_turns_are_known_where_they_stay),
        cmocka_unit_test(test_shapes_of_what_is_scanned_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
