/* test_graphs_within.c - nets with If, Loop and Scan lose channels before and behind them; what the graphs within touch
 * stays.
 */
#include "graph/graph.h"
#include "nets.h"
#include "prune/prune.h"
#include "test.h"

enum { IN = 6, HIDDEN = 8, STATE = 5, OUT = 3 };

static struct mc_value *declared(struct mc_graph *graph, const char *name, enum mc_dtype dtype, int rank)
{
    struct mc_value *v = mc_value_create_fresh(graph, name);
    assert_non_null(v);
    v->type = (struct mc_type){.dtype = dtype, .rank = rank, .dim = {-1, STATE}};
    return v;
}

static struct mc_value *make(struct mc_graph *graph, const char *type, int n, struct mc_value **in)
{
    struct mc_value *y = declared(graph, "y", MC_FLOAT, -1);
    assert_non_null(mc_node_create(graph, -1, "", type, type, n, in, 1, &y));
    return y;
}

static void hand_out(struct mc_graph *graph, struct mc_value *v)
{
    struct mc_error err = {0};
    assert_ok(mc_graph_add_output(graph, v, &err), err);
}

static struct mc_value *take_in(struct mc_graph *graph, const char *name, enum mc_dtype dtype, int rank)
{
    struct mc_error err = {0};
    struct mc_value *v = declared(graph, name, dtype, rank);
    assert_ok(mc_graph_add_input(graph, v, &err), err);
    return v;
}

static struct mc_graph *graph_in(struct net *net, const char *name)
{
    struct mc_graph *graph = mc_graph_create(net->model, net->model->graph, name);
    assert_non_null(graph);
    return graph;
}

static struct mc_value *number(struct net *net, enum mc_dtype dtype, int64_t value)
{
    struct mc_error err = {0};
    struct mc_tensor *t;
    const struct mc_shape scalar = {.rank = 0};
    assert_ok(mc_tensor_create(&t, dtype, &scalar, &err), err);
    mc_tensor_set_f64(t, 0, (double)value);
    return mc_graph_add_initializer_fresh(net->model->graph, "number", t);
}

/* Three turns of x = tanh(x + seen), `seen` from outside. */
static struct mc_value *in_a_loop(struct net *net, struct mc_value *x, struct mc_value *seen)
{
    struct mc_error err = {0};
    struct mc_graph *body = graph_in(net, "body");
    take_in(body, "turn", MC_INT64, 0);
    struct mc_value *go = take_in(body, "go", MC_BOOL, 0), *state = take_in(body, "state", MC_FLOAT, 2);
    hand_out(body, make(body, "Identity", 1, &go));
    struct mc_value *sum = make(body, "Add", 2, (struct mc_value *[]){state, seen});
    hand_out(body, make(body, "Tanh", 1, &sum));
    struct mc_value *y = make(net->model->graph, "Loop", 3, (struct mc_value *[]){number(net, MC_INT64, 3), NULL, x});
    assert_ok(mc_node_set_graph(y->producer, "body", body, &err), err);
    return y;
}

/* Sample by sample. */
static struct mc_value *in_a_scan(struct net *net, struct mc_value *x, struct mc_value *seen)
{
    struct mc_error err = {0};
    struct mc_graph *body = graph_in(net, "body");
    struct mc_value *a = take_in(body, "a", MC_FLOAT, 1), *b = take_in(body, "b", MC_FLOAT, 1);
    hand_out(body, make(body, "Mul", 2, (struct mc_value *[]){a, b}));
    struct mc_value *y = make(net->model->graph, "Scan", 2, (struct mc_value *[]){x, seen});
    assert_ok(mc_node_set_graph(y->producer, "body", body, &err), err);
    assert_ok(mc_node_set_int(y->producer, "num_scan_inputs", 2, &err), err);
    return y;
}

/* Two branches that agree. */
static struct mc_value *in_a_branch(struct net *net, struct mc_value *x, struct mc_value *seen)
{
    struct mc_error err = {0};
    struct mc_graph *yes = graph_in(net, "yes"), *no = graph_in(net, "no");
    struct mc_value *condition = take_in(net->model->graph, "condition", MC_BOOL, 0);
    hand_out(yes, make(yes, "Add", 2, (struct mc_value *[]){x, seen}));
    hand_out(no, make(no, "Mul", 2, (struct mc_value *[]){x, seen}));
    struct mc_value *y = make(net->model->graph, "If", 1, &condition);
    assert_ok(mc_node_set_graph(y->producer, "then_branch", yes, &err), err);
    assert_ok(mc_node_set_graph(y->producer, "else_branch", no, &err), err);
    return y;
}

/* Two layers of HIDDEN, one before and one behind what `within` makes of layers of STATE. */
static void check(struct mc_value *(*within)(struct net *, struct mc_value *, struct mc_value *))
{
    struct net net;
    struct mc_error err = {0};
    struct mc_record *section;
    struct mc_shrink_options options;
    net_start(&net, 10);
    struct mc_value *x = net_node(&net, "Relu", net_gemm(&net, net_input(&net, IN, 0, 0), IN, HIDDEN), NULL, NULL);
    struct mc_value *state = net_gemm(&net, x, HIDDEN, STATE), *seen = net_gemm(&net, x, HIDDEN, STATE);
    struct mc_value *y = net_gemm(&net, within(&net, state, seen), STATE, HIDDEN);
    net_output(&net, net_gemm(&net, net_node(&net, "Relu", y, NULL, NULL), HIDDEN, OUT));
    mc_shrink_options_init(&options);
    mc_runtime_init(&options.runtime, 1, MC_CPU_AVX512);
    assert_ok(mc_record_create(&section, &err), err);
    assert_ok(mc_shrink(net.model, &options, section, NULL, &err), err);
    assert_true(mc_record_get_bool(section, "twin.checked", false));
    const struct mc_record *families = mc_record_get(section, "families");
    assert_int_equal(mc_record_size(families), 2);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(mc_record_get_int(mc_record_at(families, i), "width", 0), HIDDEN);
        assert_int_equal(mc_record_get_int(mc_record_at(families, i), "width_after", 0), HIDDEN / 2);
    }
    mc_record_destroy(section);
    net_finish(&net);
}

static void test_channels_around_a_loop_go(void **state)
{
    check(in_a_loop);
}

static void test_channels_around_a_scan_go(void **state)
{
    check(in_a_scan);
}

static void test_channels_around_a_branch_go(void **state)
{
    check(in_a_branch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_channels_around_a_loop_go),
        cmocka_unit_test(test_channels_around_a_scan_go),
        cmocka_unit_test(test_channels_around_a_branch_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
