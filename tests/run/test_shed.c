/* test_shed.c - weights that a plan has packed go where the model's owner said so and nobody else reads them. */
#include <string.h>

#include "nets.h"
#include "onnx/onnx.h"
#include "run/plan_state.h"

enum { CHANNELS = 64 };

/* Numbers small and exact: sums come out the same in any order. */
static struct mc_tensor *numbers(int rank, const int64_t *dims, int step)
{
    struct mc_error err = {0};
    struct mc_tensor *t;
    const struct mc_shape shape = mc_shape_of(rank, dims);
    assert_ok(mc_tensor_create(&t, MC_FLOAT, &shape, &err), err);
    for (int64_t i = 0; i < mc_tensor_count(t); i++) mc_tensor_set_f64(t, i, (double)(i * step % 7 - 3));
    return t;
}

static struct mc_model *create(struct mc_value **x)
{
    struct mc_model *net = net_create();
    *x = net_input(net, "x", DIMS(1, CHANNELS, 1, 1));
    (*x)->type.dtype = MC_FLOAT;
    return net;
}

static struct mc_value *weights(struct mc_model *net)
{
    const int64_t dims[] = {CHANNELS, CHANNELS, 1, 1};
    return mc_graph_add_initializer(net->graph, "w", numbers(4, dims, 5));
}

/* One position: the backend of products packs, in whatever order activations lie. */
static struct mc_value *conv(struct mc_model *net, const char *name, struct mc_value *x, struct mc_value *w)
{
    return net_node(net, "Conv", name, x, w);
}

static void run(struct mc_plan *plan, float *y)
{
    const struct mc_tensor *out = mc_plan_output(plan, 0);
    for (int i = 0; i < CHANNELS; i++) mc_tensor_set_f64(mc_plan_input(plan, 0), i, i % 5 - 2);
    net_run(plan);
    for (int i = 0; i < CHANNELS; i++) y[i] = (float)mc_tensor_get_f64(out, i);
}

/* The net computes the same spent and unspent; `gone`: what is left of w after the former. */
static void check(struct mc_model *net, const struct mc_value *w, bool gone)
{
    float before[CHANNELS], after[CHANNELS];
    struct mc_plan *plan = net_plan(net, &(struct mc_plan_options){0});
    run(plan, before);
    assert_non_null(w->data->data);
    mc_plan_destroy(plan);
    mc_model_spend(net);
    plan = net_plan(net, &(struct mc_plan_options){0});
    run(plan, after);
    assert_memory_equal(before, after, sizeof before);
    assert_int_equal(w->data->data == NULL, gone);
    mc_plan_destroy(plan);
}

static void test_packed_weights_go(void **state)
{
    struct mc_value *x;
    struct mc_model *net = create(&x);
    struct mc_value *w = weights(net);
    net_output(net, conv(net, "y", x, w));
    check(net, w, true);
    assert_int_equal(mc_model_n_inputs(net), 1);
    mc_model_destroy(net);
}

static void test_weights_of_two_go_with_the_second(void **state)
{
    struct mc_value *x;
    struct mc_model *net = create(&x);
    struct mc_value *w = weights(net);
    net_output(net, conv(net, "y", conv(net, "h", x, w), w));
    check(net, w, true);
    mc_model_destroy(net);
}

static void test_weights_that_others_read_stay(void **state)
{
    struct mc_value *x;
    struct mc_model *net = create(&x);
    struct mc_value *w = weights(net);
    net_output(net, conv(net, "y", x, w));
    net_output(net, net_node(net, "Add", "sum", x, w));
    check(net, w, false);
    mc_model_destroy(net);
    net = create(&x);
    w = weights(net);
    net_output(net, conv(net, "y", x, w));
    net_output(net, w);
    check(net, w, false);
    mc_model_destroy(net);
}

static void test_a_lean_plan_packs_nothing(void **state)
{
    float packed[CHANNELS], lean[CHANNELS];
    struct mc_value *x;
    struct mc_model *net = create(&x);
    struct mc_value *w = weights(net);
    net_output(net, conv(net, "y", x, w));
    struct mc_plan *plan = net_plan(net, &(struct mc_plan_options){0});
    run(plan, packed);
    mc_plan_destroy(plan);
    mc_model_spend(net);
    plan = net_plan(net, &(struct mc_plan_options){.lean = true});
    run(plan, lean);
    assert_memory_equal(packed, lean, sizeof packed);
    assert_non_null(w->data->data);
    mc_plan_destroy(plan);
    mc_model_destroy(net);
}

static void test_a_training_plan_keeps_all(void **state)
{
    struct mc_value *x;
    struct mc_model *net = create(&x);
    struct mc_value *w = weights(net);
    net_output(net, conv(net, "y", x, w));
    mc_model_spend(net);
    mc_plan_destroy(net_plan(net, &(struct mc_plan_options){.training = true}));
    assert_non_null(w->data->data);
    mc_model_destroy(net);
}

/* Constants that the plan made go unasked, and come again when it is refreshed. */
static void test_folded_weights_go_and_come_again(void **state)
{
    float first[CHANNELS], again[CHANNELS];
    struct mc_error err = {0};
    struct mc_value *x;
    struct mc_model *net = create(&x);
    struct mc_value *w = weights(net), *negative = net_node(net, "Neg", "negative", w, NULL);
    net_output(net, conv(net, "y", x, negative));
    struct mc_plan *plan = net_plan(net, &(struct mc_plan_options){0});
    run(plan, first);
    assert_null(plan->facts.folded[negative->id]->data);
    assert_ok(mc_plan_refresh(plan, &err), err);
    run(plan, again);
    assert_memory_equal(first, again, sizeof first);
    mc_plan_destroy(plan);
    mc_model_destroy(net);
}

static void test_a_spent_model_says_so(void **state)
{
    struct mc_error err = {0};
    struct mc_value *x;
    struct mc_model *net = create(&x), *copy;
    struct mc_plan *first, *second;
    unsigned char *bytes;
    size_t length;
    net_output(net, conv(net, "y", x, weights(net)));
    mc_model_spend(net);
    first = net_plan(net, &(struct mc_plan_options){0});
    assert_int_equal(mc_plan_create(&second, net, &(struct mc_plan_options){0}, &err), MC_ERR_USAGE);
    assert_non_null(strstr(err.text, "took its weights"));
    assert_int_equal(mc_plan_refresh(first, &err), MC_ERR_USAGE);
    assert_int_equal(mc_model_clone(&copy, net, true, &err), MC_ERR_USAGE);
    assert_int_equal(mc_onnx_save_bytes(net, &bytes, &length, &err), MC_ERR_USAGE);
    mc_plan_destroy(first);
    mc_model_destroy(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_packed_weights_go),
        cmocka_unit_test(test_weights_of_two_go_with_the_second),
        cmocka_unit_test(test_weights_that_others_read_stay),
        cmocka_unit_test(test_a_lean_plan_packs_nothing),
        cmocka_unit_test(test_a_training_plan_keeps_all),
        cmocka_unit_test(test_folded_weights_go_and_come_again),
        cmocka_unit_test(test_a_spent_model_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
