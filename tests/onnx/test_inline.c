/* test_inline.c - functions in the place of their calls. What such models compute is held by tests/op/test_vectors.c.
 */
#include "test.h"

#include <string.h>

#include "base/alloc.h"
#include "onnx/onnx.h"
#include "protos.h"

static const struct mc_op *nothing_known(const char *domain, const char *type, int64_t version)
{
    return NULL;
}

static int load(struct mc_model **model, struct mc_arena *a, const Onnx__ModelProto *p, struct mc_error *err)
{
    size_t length;
    const unsigned char *bytes = proto_pack(a, &p->base, &length);
    return mc_onnx_load_bytes(model, bytes, length, NULL, "net.onnx", err);
}

static struct mc_model *inlined(struct mc_arena *a, const Onnx__ModelProto *p)
{
    struct mc_error err = {0};
    struct mc_model *model;
    assert_ok(load(&model, a, p, &err), err);
    assert_true(mc_onnx_has_calls(model, nothing_known));
    assert_ok(mc_onnx_inline(model, nothing_known, &err), err);
    assert_false(mc_onnx_has_calls(model, nothing_known));
    return model;
}

static void check_refused(struct mc_arena *a, const Onnx__ModelProto *p, int status, const char *why)
{
    struct mc_error err = {0};
    struct mc_model *model;
    assert_ok(load(&model, a, p, &err), err);
    assert_int_equal(mc_onnx_inline(model, nothing_known, &err), status);
    assert_string_equal(err.text, why);
    mc_model_destroy(model);
}

static void check_refused_at_load(struct mc_arena *a, const Onnx__ModelProto *p, const char *why)
{
    struct mc_error err = {0};
    struct mc_model *model;
    assert_int_equal(load(&model, a, p, &err), MC_ERR_INPUT);
    if (!strstr(err.text, why)) fail_msg("'%s' says nothing of '%s'", err.text, why);
}

/* x → f(x) → y, calling function F of `local`, which is made with these operands. */
static Onnx__ModelProto *one_call(struct mc_arena *a, const char *inputs, const char *outputs, Onnx__FunctionProto **f)
{
    Onnx__ModelProto *p = proto_model(a, 17);
    proto_input(a, p->graph, proto_info(a, "x", MC_FLOAT, NULL));
    proto_output(a, p->graph, proto_info(a, "y", MC_FLOAT, NULL));
    proto_call(a, proto_node(a, p->graph, "F", "f", "x", "y"), "local");
    *f = proto_function(a, p, "local", "F", inputs, outputs, 17);
    return p;
}

static void check_node(const struct mc_node *node, const char *type, const char *name, const char *output)
{
    assert_string_equal(node->type, type);
    assert_string_equal(node->name, name);
    assert_string_equal(node->outputs[0]->name, output);
    assert_ptr_equal(node->outputs[0]->producer, node);
    assert_int_equal(node->opset, 17);
}

/* --- what becomes of calls --- */

static void test_bodies_stand_in_the_place_of_calls(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    struct mc_model *m = inlined(a, proto_calls(a));
    const struct mc_graph *g = m->graph;
    assert_int_equal(g->n_nodes, 5);
    check_node(g->nodes[0], "LeakyRelu", "layer/first/leak", "layer/first/t");
    check_node(g->nodes[1], "Clip", "layer/first/#1", "layer/t");
    check_node(g->nodes[2], "LeakyRelu", "layer/Leaky#1/leak", "layer/Leaky#1/t");
    check_node(g->nodes[3], "Clip", "layer/Leaky#1/#1", "h");
    check_node(g->nodes[4], "If", "Choose#1/#0", "y");
    assert_true(mc_node_float(g->nodes[0], "alpha", 9) == 0.5F);  /* given by the model, handed on by a function */
    assert_true(mc_node_float(g->nodes[2], "alpha", 9) == 0.25F); /* left out */
    assert_null(g->nodes[1]->inputs[1]);                          /* an input that the call leaves out */
    assert_ptr_equal(g->nodes[3]->inputs[1], g->inputs[0]);
    mc_model_destroy(m);
    mc_arena_finish(a);
}

static void test_graphs_among_the_attributes_see_the_caller(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    struct mc_model *m = inlined(a, proto_calls(a));
    const struct mc_node *choose = m->graph->nodes[4];
    const struct mc_graph *yes = mc_node_attr(choose, "then_branch")->g, *no = mc_node_attr(choose, "else_branch")->g;
    assert_ptr_equal(yes->parent, m->graph);
    assert_string_equal(yes->nodes[0]->name, "Leaky#0/leak"); /* a call in a graph */
    assert_ptr_equal(yes->nodes[0]->inputs[0], m->graph->nodes[3]->outputs[0]);
    assert_string_equal(yes->outputs[0]->name, "z");
    assert_ptr_equal(no->nodes[0]->inputs[1], no->initializers[0]);
    assert_true(mc_tensor_get_f64(no->initializers[0]->data, 0) == 1);
    int n_with_data = 0; /* the graphs that the call had are gone */
    for (int i = 0; i < m->n_values; i++) n_with_data += m->values[i] && m->values[i]->data;
    assert_int_equal(n_with_data, 1);
    mc_model_destroy(m);
    mc_arena_finish(a);
}

static void test_parameters_of_two_calls_are_their_own(void **state)
{
    static const float one = 1;
    struct mc_arena arena, *a = protos_begin(&arena);
    Onnx__FunctionProto *f;
    Onnx__ModelProto *p = one_call(a, "x", "y", &f);
    Onnx__GraphProto *body = proto_model(a, 17)->graph;
    proto_initializer(a, body, proto_raw(a, proto_tensor(a, "w", MC_FLOAT, 1, (int64_t[]){1}), &one, 4));
    proto_node(a, body, "Add", NULL, "x w", "s");
    proto_output(a, body, proto_info(a, "s", MC_FLOAT, NULL));
    proto_attr(a, proto_function_node(a, f, "Loop", NULL, "x", "y"), "body",
               ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH)
        ->g = body;
    proto_call(a, proto_node(a, p->graph, "F", "g", "x", "z"), "local");
    struct mc_model *m = inlined(a, p);
    const struct mc_value *w[2];
    for (int i = 0; i < 2; i++) w[i] = mc_node_subgraph(m->graph->nodes[i], 0)->initializers[0];
    assert_string_equal(w[0]->name, "f/w");
    assert_string_equal(w[1]->name, "g/w");
    *(float *)w[0]->data->data = 2;
    assert_true(mc_tensor_get_f64(w[1]->data, 0) == 1);
    mc_model_destroy(m);
    mc_arena_finish(a);
}

static void test_names_are_unique(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    Onnx__FunctionProto *f;
    Onnx__ModelProto *p = one_call(a, "x", "y", &f);
    proto_function_node(a, f, "Neg", NULL, "x", "t");
    proto_function_node(a, f, "Neg", NULL, "t", "y");
    proto_node(a, p->graph, "Exp", NULL, "x", "f/t");
    proto_node(a, p->graph, "Exp", NULL, "x", "f/t_1");
    proto_call(a, proto_node(a, p->graph, "F", "f", "f/t", "z"), "local"); /* two calls may have one name */
    struct mc_model *m = inlined(a, p), *again;
    struct mc_error err = {0};
    unsigned char *bytes;
    size_t length;
    assert_ok(mc_onnx_save_bytes(m, &bytes, &length, &err), err);
    assert_ok(mc_onnx_load_bytes(&again, bytes, length, NULL, "again", &err), err);
    assert_int_equal(again->graph->n_nodes, 6);
    assert_non_null(mc_graph_find(again->graph, "f/t_2"));
    assert_non_null(mc_graph_find(again->graph, "f/t_3"));
    assert_int_equal(mc_onnx_n_functions(again), 0); /* nobody calls one any more */
    mc_model_destroy(again);
    mc_free(bytes);
    mc_model_destroy(m);
    mc_arena_finish(a);
}

static void test_outputs_may_be_inputs(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    Onnx__FunctionProto *f;
    struct mc_model *m = inlined(a, one_call(a, "x", "x", &f));
    assert_int_equal(m->graph->n_nodes, 1);
    check_node(m->graph->nodes[0], "Identity", "f/x", "y");
    mc_model_destroy(m);
    mc_arena_finish(a);
}

static void test_nodes_are_of_the_functions_version(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    Onnx__FunctionProto *f;
    Onnx__ModelProto *p = one_call(a, "x", "y", &f);
    proto_call(a, proto_function_node(a, f, "Neg", NULL, "x", "t"), "ai.onnx");
    proto_call(a, proto_function_node(a, f, "Far", NULL, "t", "y"), "elsewhere");
    f->opset_import[0]->version = 13;
    Onnx__OperatorSetIdProto *imports[2] = {f->opset_import[0],
                                            proto_function(a, p, "b", "b", "", "", 3)->opset_import[0]};
    imports[1]->domain = (char *)(uintptr_t) "elsewhere";
    f->n_opset_import = 2;
    f->opset_import = imports;
    struct mc_model *m = inlined(a, p);
    assert_int_equal(m->graph->nodes[0]->opset, 13);
    assert_int_equal(m->graph->nodes[1]->opset, 3);
    assert_int_equal(mc_model_opset(m, ""), 17);
    assert_int_equal(mc_model_opset(m, "elsewhere"), 3); /* the model has to say so now */
    mc_model_destroy(m);
    mc_arena_finish(a);
}

static void test_overloads_are_told_apart(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    Onnx__FunctionProto *f;
    Onnx__ModelProto *p = one_call(a, "x", "y", &f);
    proto_function_node(a, f, "Neg", NULL, "x", "y");
    f = proto_function(a, p, "local", "F", "x", "y", 17);
    proto_function_node(a, f, "Exp", NULL, "x", "y");
    proto_unknown_field(a, &f->base, 13, "other");
    proto_unknown_field(a, &p->graph->node[0]->base, 8, "other");
    struct mc_model *m = inlined(a, p);
    assert_string_equal(m->graph->nodes[0]->type, "Exp");
    mc_model_destroy(m);
    mc_arena_finish(a);
}

/* Any address does: it is only asked whether there is one. */
static const struct mc_op *neg_known(const char *domain, const char *type, int64_t version)
{
    return *domain == '\0' && strcmp(type, "Neg") == 0 && version == 17 ? (const struct mc_op *)domain : NULL;
}

static void test_operators_that_are_known_are_not_replaced(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    struct mc_error err = {0};
    struct mc_model *m;
    Onnx__ModelProto *p = proto_model(a, 17);
    proto_input(a, p->graph, proto_info(a, "x", MC_FLOAT, NULL));
    proto_node(a, p->graph, "Neg", NULL, "x", "y");
    proto_function_node(a, proto_function(a, p, "ai.onnx", "Neg", "x", "y", 17), "Exp", NULL, "x", "y");
    assert_ok(load(&m, a, p, &err), err);
    assert_false(mc_onnx_has_calls(m, neg_known));
    assert_true(mc_onnx_has_calls(m, nothing_known));
    mc_model_destroy(m);
    mc_arena_finish(a);
}

/* --- refusals --- */

static void test_calls_that_do_not_fit_are_refused(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    Onnx__FunctionProto *f;
    static const char start[] = "model 'net.onnx': node 'f' (F): function 'F' of 'local' as 'f': ";
    char why[256];
    snprintf(why, sizeof why, "%sneeds at most 0 inputs, has 1", start);
    check_refused(a, one_call(a, "", "y", &f), MC_ERR_INPUT, why);
    snprintf(why, sizeof why, "%sneeds at most 0 outputs, has 1", start);
    check_refused(a, one_call(a, "x", "", &f), MC_ERR_INPUT, why);
    snprintf(why, sizeof why, "%soutput 'y' is defined nowhere", start);
    check_refused(a, one_call(a, "x", "y", &f), MC_ERR_INPUT, why);
    snprintf(why, sizeof why, "%soutput 'y' is given twice", start);
    check_refused(a, one_call(a, "x", "y y", &f), MC_ERR_INPUT, why);
    snprintf(why, sizeof why, "%svalue 'x' is defined twice", start);
    check_refused(a, one_call(a, "x x", "y", &f), MC_ERR_INPUT, why);
    snprintf(why, sizeof why, "%soutput 'w' is an input that the call leaves out", start);
    check_refused(a, one_call(a, "x w", "w", &f), MC_ERR_INPUT, why);
    Onnx__ModelProto *p = one_call(a, "x", "y", &f);
    proto_call(a, proto_function_node(a, f, "G", "g", "x", "y"), "local");
    proto_function_node(a, proto_function(a, p, "local", "G", "x", "y", 17), "Neg", "n", "u", "y");
    check_refused(a, p, MC_ERR_INPUT,
                  "model 'net.onnx': node 'f' (F): node 'f/g/n' (Neg): input 'u' is defined nowhere");
    mc_arena_finish(a);
}

static void test_recursion_is_refused(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    Onnx__FunctionProto *f;
    Onnx__ModelProto *p = one_call(a, "x", "y", &f);
    proto_call(a, proto_function_node(a, f, "G", NULL, "x", "y"), "local");
    f = proto_function(a, p, "local", "G", "x", "y", 17);
    Onnx__GraphProto *body = proto_model(a, 17)->graph;
    proto_call(a, proto_node(a, body, "F", NULL, "x", "y"), "local");
    proto_attr(a, proto_function_node(a, f, "If", NULL, "x", "y"), "then_branch",
               ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH)
        ->g = body;
    check_refused_at_load(a, p, "function 'F' of 'local' calls itself");
    p = one_call(a, "x", "y", &f);
    proto_function(a, p, "local", "F", "x", "y", 17);
    check_refused_at_load(a, p, "function 'F' of 'local' is given twice");
    mc_arena_finish(a);
}

/* F0 … Fn-1, each calling the next `width` times. */
static Onnx__ModelProto *chain(struct mc_arena *a, int n, int width)
{
    Onnx__FunctionProto *f;
    Onnx__ModelProto *p = one_call(a, "x", "y", &f);
    char name[16], output[16];
    for (int i = 0; i < n; i++) {
        for (int k = 0; k < width; k++) {
            snprintf(name, sizeof name, "F%d", i);
            snprintf(output, sizeof output, k ? "t%d" : "y", k);
            proto_call(a, proto_function_node(a, f, name, NULL, "x", output), "local");
        }
        f = proto_function(a, p, "local", name, "x", "y", 17);
    }
    proto_function_node(a, f, "Neg", NULL, "x", "y");
    return p;
}

static void test_growth_and_depth_meet_limits(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    struct mc_error err = {0};
    struct mc_model *m;
    m = inlined(a, chain(a, 90, 1));
    assert_int_equal(m->graph->n_nodes, 1);
    mc_model_destroy(m);
    check_refused_at_load(a, chain(a, 200, 1), "functions call one another more than 100 deep");
    assert_ok(load(&m, a, chain(a, 60, 2), &err), err);
    assert_int_equal(mc_onnx_inline(m, nothing_known, &err), MC_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "would take too much memory"));
    mc_model_destroy(m);
    mc_arena_finish(a);
}

static void test_every_flipped_bit_is_refused_or_inlined(void **state)
{
    struct mc_arena arena, *a = protos_begin(&arena);
    size_t length;
    unsigned char *bytes = proto_pack(a, &proto_calls(a)->base, &length);
    for (size_t bit = 0; bit < 8 * length; bit++) {
        struct mc_error err = {0};
        struct mc_model *model;
        bytes[bit / 8] ^= (unsigned char)(1U << bit % 8);
        int rc = mc_onnx_load_bytes(&model, bytes, length, NULL, "net.onnx", &err);
        if (rc == MC_OK) {
            rc = mc_onnx_inline(model, nothing_known, &err);
            mc_model_destroy(model);
        }
        assert_true(rc == MC_OK || rc == MC_ERR_INPUT || rc == MC_ERR_UNSUPPORTED);
        bytes[bit / 8] ^= (unsigned char)(1U << bit % 8);
    }
    mc_arena_finish(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bodies_stand_in_the_place_of_calls),
        cmocka_unit_test(test_graphs_among_the_attributes_see_the_caller),
        cmocka_unit_test(test_parameters_of_two_calls_are_their_own),
        cmocka_unit_test(test_names_are_unique),
        cmocka_unit_test(test_outputs_may_be_inputs),
        cmocka_unit_test(test_nodes_are_of_the_functions_version),
        cmocka_unit_test(test_overloads_are_told_apart),
        cmocka_unit_test(test_operators_that_are_known_are_not_replaced),
        cmocka_unit_test(test_calls_that_do_not_fit_are_refused),
        cmocka_unit_test(test_recursion_is_refused),
        cmocka_unit_test(test_growth_and_depth_meet_limits),
        cmocka_unit_test(test_every_flipped_bit_is_refused_or_inlined),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
