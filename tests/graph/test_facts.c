/* test_facts.c - shapes, types and constants are inferred, or refused with the place named.
 *
 * The operators here are made up, as the room under test knows none: "Double" adds the input to itself, "Extents" is
 * ONNX's Shape, "View" takes its second input as shape. */
#include "graph/extents.h"
#include "graph/facts.h"

#include <string.h>

#include "alloc_fail.h"
#include "base/error.h"
#include "test.h"

/* --- operators --- */

static int same_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                      struct mc_error *err)
{
    out[0].dtype = in[0]->dtype;
    out[0].shape = in[0]->shape;
    return MC_OK;
}

static int extents_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                         struct mc_error *err)
{
    out[0].dtype = MC_INT64;
    out[0].shape = mc_shape_of(1, (int64_t[]){in[0]->shape.rank});
    return MC_OK;
}

static int view_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                      struct mc_error *err)
{
    if (!in[1]->constant) return mc_error_set(err, MC_ERR_UNSUPPORTED, "needs a constant shape");
    out[0].dtype = in[0]->dtype;
    out[0].shape.rank = (int)mc_tensor_count(in[1]->constant);
    for (int i = 0; i < out[0].shape.rank; i++) out[0].shape.dim[i] = mc_tensor_get_i64(in[1]->constant, i);
    return MC_OK;
}

static int never(struct mc_step *step, struct mc_error *err)
{
    return mc_error_set(err, MC_ERR_INTERNAL, "these are run by evaluate below");
}

static const struct mc_op op_double = {.domain = "",
                                       .type = "Double",
                                       .min_inputs = 1,
                                       .max_inputs = 1,
                                       .n_outputs = 1,
                                       .shape = same_shape,
                                       .forward = never};
static const struct mc_op op_extents = {.domain = "",
                                        .type = "Extents",
                                        .min_inputs = 1,
                                        .max_inputs = 1,
                                        .n_outputs = 1,
                                        .shape_only = true,
                                        .shape = extents_shape,
                                        .forward = never};
static const struct mc_op op_view = {.domain = "",
                                     .type = "View",
                                     .min_inputs = 2,
                                     .max_inputs = 2,
                                     .n_outputs = 1,
                                     .shape = view_shape,
                                     .forward = never};

static int evaluate(void *context, const struct mc_node *node, const struct mc_fact *const *in,
                    const struct mc_fact *out_facts, struct mc_tensor **out, struct mc_error *err)
{
    ++*(int *)context;
    const int rc = mc_tensor_create(&out[0], out_facts[0].dtype, &out_facts[0].shape, err);
    if (rc < 0) return rc;
    for (int64_t i = 0; i < mc_tensor_count(out[0]); i++)
        mc_tensor_set_f64(out[0], i,
                          node->op == &op_double ? 2 * mc_tensor_get_f64(in[0]->constant, i)
                                                 : (double)in[0]->shape.dim[i]);
    return MC_OK;
}

/* --- models --- */

static struct mc_model *new_model(void)
{
    struct mc_error err = {0};
    struct mc_model *m;
    assert_ok(mc_model_create(&m, 17, &err), err);
    return m;
}

static struct mc_value *add_input(struct mc_model *m, const char *name, struct mc_type type)
{
    struct mc_error err = {0};
    struct mc_value *v = mc_value_create(m->graph, name);
    v->type = type;
    assert_ok(mc_graph_add_input(m->graph, v, &err), err);
    return v;
}

static struct mc_value *add_node(struct mc_model *m, const struct mc_op *op, const char *name, struct mc_value *a,
                                 struct mc_value *b)
{
    struct mc_value *out = mc_value_create(m->graph, name);
    struct mc_node *node = mc_node_create(m->graph, -1, "", op ? op->type : "Unknown", name, b ? 2 : 1,
                                          (struct mc_value *[]){a, b}, 1, &out);
    node->op = op;
    return out;
}

static struct mc_value *add_constant(struct mc_model *m, const char *name, enum mc_dtype dtype, int64_t n, double value)
{
    struct mc_error err = {0};
    struct mc_tensor *t;
    const struct mc_shape shape = mc_shape_of(1, &n);
    assert_ok(mc_tensor_create(&t, dtype, &shape, &err), err);
    for (int64_t i = 0; i < n; i++) mc_tensor_set_f64(t, i, value);
    return mc_graph_add_initializer(m->graph, name, t);
}

static const struct mc_type open_images = {
    .dtype = MC_FLOAT, .rank = 3, .dim = {-1, 3, -1}, .param = {"n", NULL, "width"}};

/* Every value without a consumer becomes an output, as what no output needs is not refused. */
static void close_model(struct mc_model *m)
{
    struct mc_error err = {0};
    for (int i = 0; i < m->n_values; i++)
        if (m->values[i]->producer && !mc_value_is_used(m->values[i]))
            assert_ok(mc_graph_add_output(m->graph, m->values[i], &err), err);
}

static void expect_refused(struct mc_model *m, const struct mc_dims *dims, int status, const char *text)
{
    struct mc_error err = {0};
    struct mc_facts facts;
    int n = 0;
    close_model(m);
    assert_int_equal(mc_facts_create(&facts, m, dims, evaluate, &n, &err), status);
    if (!strstr(err.text, text)) fail_msg("'%s' is not in '%s'", text, err.text);
}

/* --- tests --- */

static void test_open_extents_come_from_the_caller(void **state)
{
    struct mc_error err = {0};
    struct mc_model *m = new_model();
    struct mc_value *x = add_input(m, "x", open_images), *y = add_input(m, "y", open_images);
    const struct mc_shape given = mc_shape_of(3, (int64_t[]){-1, 3, 8});
    struct mc_facts facts;
    int n = 0;
    assert_ok(
        mc_facts_create(&facts, m, &(struct mc_dims){.batch = 5, .n_inputs = 1, .shape = &given}, evaluate, &n, &err),
        err);
    assert_int_equal(facts.of[x->id].shape.dim[0], 5);
    assert_int_equal(facts.of[x->id].shape.dim[2], 8);
    assert_int_equal(facts.of[y->id].shape.dim[2], 8); /* the same name, so the same extent */
    mc_facts_finish(&facts);
    mc_model_destroy(m);
}

static void test_open_extents_are_asked_for_by_name(void **state)
{
    struct mc_model *m = new_model();
    add_input(m, "x", open_images);
    const struct mc_shape wrong = mc_shape_of(3, (int64_t[]){1, 4, 8}), flat = mc_shape_of(1, (int64_t[]){1});
    expect_refused(m, NULL, MC_ERR_USAGE, "input 'x': dimension 0 ('n')");
    expect_refused(m, &(struct mc_dims){.batch = 2}, MC_ERR_USAGE, "input 'x': dimension 2 ('width')");
    expect_refused(m, &(struct mc_dims){.n_inputs = 1, .shape = &wrong}, MC_ERR_USAGE,
                   "dimension 1 is 3 in the model, but 4 is given");
    expect_refused(m, &(struct mc_dims){.n_inputs = 1, .shape = &flat}, MC_ERR_USAGE, "3 dimensions, 1 are given");
    mc_model_destroy(m);
}

static void test_open_extents_may_be_settled_in_the_model(void **state)
{
    struct mc_error err = {0};
    struct mc_model *m = new_model(), *copy;
    struct mc_value *x = add_input(m, "x", open_images);
    add_input(m, "y", open_images);
    const char *const wrong[] = {"width", "width=", "width=0", "width=-8", "width=8x", "=8", "x.1=8", "x.2=8,,n=1"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(mc_model_set_extents(m, wrong[i], &err), MC_ERR_USAGE);
    assert_int_equal(mc_model_set_extents(m, "depth=8", &err), MC_ERR_USAGE);
    assert_non_null(strstr(err.text, "open are x.0, x.2, y.0, y.2"));
    assert_ok(mc_model_set_extents(m, "n=3,x.2=8", &err), err);
    assert_int_equal(mc_model_extent(m, x, 0), 3);
    assert_int_equal(mc_model_extent(m, x, 1), -1);
    close_model(m);
    assert_ok(mc_model_clone(&copy, m, true, &err), err);
    struct mc_facts facts;
    int n = 0;
    assert_ok(mc_facts_create(&facts, copy, &(struct mc_dims){.batch = 5}, evaluate, &n, &err), err);
    assert_int_equal(facts.of[x->id].shape.dim[0], 3);
    assert_int_equal(facts.of[x->id].shape.dim[2], 8);
    assert_int_equal(facts.of[x->id + 1].shape.dim[2], 8); /* of the same name as what was settled */
    mc_facts_finish(&facts);
    mc_model_destroy(copy);
    mc_model_destroy(m);
}

static void test_extents_beyond_counting_are_refused(void **state)
{
    struct mc_model *m = new_model();
    add_input(m, "x", (struct mc_type){.dtype = MC_FLOAT, .rank = 2, .dim = {INT64_C(1) << 32, INT64_C(1) << 32}});
    expect_refused(m, NULL, MC_ERR_INPUT, "more elements than can be counted");
    mc_model_destroy(m);
}

static void test_initializers_are_no_inputs(void **state)
{
    struct mc_error err = {0};
    struct mc_model *m = new_model();
    struct mc_value *w = add_constant(m, "w", MC_FLOAT, 2, 1);
    assert_ok(mc_graph_add_input(m->graph, w, &err), err);
    struct mc_value *x = add_input(m, "x", open_images);
    assert_int_equal(mc_model_n_inputs(m), 1);
    assert_ptr_equal(mc_model_input(m, 0), x);
    assert_null(mc_model_input(m, 1));
    mc_model_destroy(m);
}

static void test_shape_arithmetic_is_folded(void **state)
{
    struct mc_error err = {0};
    struct mc_model *m = new_model();
    struct mc_value *x = add_input(m, "x", (struct mc_type){.dtype = MC_FLOAT, .rank = 2, .dim = {2, 3}});
    struct mc_value *wide = add_node(m, &op_double, "wide", add_node(m, &op_extents, "extents", x, NULL), NULL);
    struct mc_value *big = add_input(m, "big", (struct mc_type){.dtype = MC_FLOAT, .rank = 1, .dim = {24}});
    struct mc_value *out = add_node(m, &op_view, "out", big, wide);
    struct mc_facts facts;
    int n = 0;
    assert_ok(mc_facts_create(&facts, m, NULL, evaluate, &n, &err), err);
    assert_int_equal(n, 2);
    assert_int_equal(mc_tensor_get_i64(facts.of[wide->id].constant, 1), 6);
    assert_true(mc_shape_equal(&facts.of[out->id].shape, &(struct mc_shape){.rank = 2, .dim = {4, 6}}));
    assert_null(facts.of[out->id].constant);
    mc_facts_finish(&facts);
    mc_model_destroy(m);
}

static void test_large_constants_are_left_alone(void **state)
{
    struct mc_error err = {0};
    struct mc_model *m = new_model();
    struct mc_value *large =
        add_node(m, &op_double, "large", add_constant(m, "w", MC_FLOAT, MC_FACT_MAX_FOLD + 1, 1), NULL);
    struct mc_value *small =
        add_node(m, &op_double, "small", add_constant(m, "v", MC_FLOAT, MC_FACT_MAX_FOLD, 1), NULL);
    struct mc_facts facts;
    int n = 0;
    assert_ok(mc_facts_create(&facts, m, NULL, evaluate, &n, &err), err);
    assert_null(facts.of[large->id].constant);
    assert_non_null(facts.of[small->id].constant);
    mc_facts_finish(&facts);
    mc_model_destroy(m);
}

static void test_random_operators_are_not_folded(void **state)
{
    struct mc_error err = {0};
    struct mc_model *m = new_model();
    struct mc_op random = op_double;
    random.random = true;
    struct mc_value *y = add_node(m, &random, "y", add_constant(m, "w", MC_FLOAT, 3, 1), NULL);
    struct mc_facts facts;
    int n = 0;
    assert_ok(mc_facts_create(&facts, m, NULL, evaluate, &n, &err), err);
    assert_null(facts.of[y->id].constant);
    mc_facts_finish(&facts);
    mc_model_destroy(m);
}

static void test_unknown_operators_are_named_together(void **state)
{
    struct mc_model *m = new_model();
    struct mc_value *x = add_input(m, "x", (struct mc_type){.dtype = MC_FLOAT, .rank = 1, .dim = {2}});
    add_node(m, NULL, "second", add_node(m, &op_double, "fine", add_node(m, NULL, "first", x, NULL), NULL), NULL);
    m->path = "net.onnx";
    expect_refused(m, NULL, MC_ERR_UNSUPPORTED,
                   "'net.onnx': needs operators that are not known here: 'first', 'second' (Unknown of ai.onnx 17)");
    mc_model_destroy(m);
}

static void test_what_no_output_needs_may_be_unknown(void **state)
{
    struct mc_error err = {0};
    struct mc_model *m = new_model();
    struct mc_value *x = add_input(m, "x", (struct mc_type){.dtype = MC_FLOAT, .rank = 1, .dim = {2}});
    struct mc_value *y = add_node(m, &op_double, "y", x, NULL);
    add_node(m, NULL, "unknown", x, NULL);
    add_node(m, &op_view, "broken", x, x);
    assert_ok(mc_graph_add_output(m->graph, y, &err), err);
    struct mc_facts facts;
    int n = 0;
    assert_ok(mc_facts_create(&facts, m, NULL, evaluate, &n, &err), err);
    assert_int_equal(facts.of[y->id].dtype, MC_FLOAT);
    mc_facts_finish(&facts);
    mc_model_destroy(m);
}

static void test_partial_facts_go_as_far_as_they_can(void **state)
{
    struct mc_error err = {0};
    struct mc_model *m = new_model();
    struct mc_value *x = add_input(m, "x", (struct mc_type){.dtype = MC_FLOAT, .rank = 1, .dim = {2}});
    struct mc_value *open = add_input(m, "open", open_images);
    struct mc_value *lost = add_node(m, &op_double, "lost", add_node(m, NULL, "unknown", x, NULL), NULL);
    struct mc_value *kept = add_node(m, &op_double, "kept", x, NULL);
    struct mc_facts facts;
    int n = 0;
    assert_ok(mc_facts_create_partial(&facts, m, NULL, evaluate, &n, &err), err);
    assert_int_equal(facts.of[lost->id].dtype, MC_UNDEFINED);
    assert_int_equal(facts.of[open->id].dtype, MC_UNDEFINED);
    assert_int_equal(facts.of[kept->id].dtype, MC_FLOAT);
    assert_string_equal(err.text, "");
    mc_facts_finish(&facts);
    mc_model_destroy(m);
}

static void test_refusals_name_the_node(void **state)
{
    struct mc_model *m = new_model();
    struct mc_value *x = add_input(m, "x", (struct mc_type){.dtype = MC_FLOAT, .rank = 1, .dim = {2}});
    add_node(m, &op_view, "turn", x, x);
    expect_refused(m, NULL, MC_ERR_UNSUPPORTED, "node 'turn' (View): needs a constant shape");
    add_node(m, &op_double, "never reached", x, x);
    mc_model_destroy(m);
}

static void test_all_that_is_missing_is_named_together(void **state)
{
    struct mc_model *m = new_model();
    struct mc_value *x = add_input(m, "x", (struct mc_type){.dtype = MC_FLOAT, .rank = 1, .dim = {2}});
    add_node(m, &op_view, "turn", x, x);
    add_node(m, &op_double, "behind", add_node(m, &op_view, "again", x, x), NULL);
    add_node(m, NULL, "stranger", x, NULL);
    expect_refused(
        m, NULL, MC_ERR_UNSUPPORTED,
        "needs what is missing here: 'stranger' (Unknown of ai.onnx 17), 'turn', 'again' (View of ai.onnx 17: "
        "needs a constant shape)");
    mc_model_destroy(m);
}

static int open_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                      struct mc_error *err)
{
    return mc_error_set(err, MC_ERR_OPEN, "wait and see");
}

static void test_what_contents_decide_is_open_and_so_is_what_follows(void **state)
{
    static const struct mc_op op_open = {.domain = "",
                                         .type = "Open",
                                         .min_inputs = 1,
                                         .max_inputs = 1,
                                         .n_outputs = 1,
                                         .shape = open_shape,
                                         .forward = never};
    struct mc_error err = {0};
    struct mc_model *m = new_model();
    struct mc_value *x = add_input(m, "x", (struct mc_type){.dtype = MC_FLOAT, .rank = 1, .dim = {2}});
    struct mc_value *y = add_node(m, &op_open, "y", x, NULL), *z = add_node(m, &op_double, "z", y, NULL);
    struct mc_value *other = add_node(m, &op_double, "other", x, NULL);
    struct mc_facts facts;
    int n = 0;
    assert_ok(mc_facts_create(&facts, m, NULL, evaluate, &n, &err), err);
    assert_true(facts.of[y->id].open && facts.of[z->id].open && !facts.of[other->id].open);
    assert_int_equal(facts.of[z->id].dtype, MC_UNDEFINED);
    mc_facts_finish(&facts);
    mc_model_destroy(m);
}

static int only_float_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                            struct mc_error *err)
{
    if (in[0]->dtype != MC_FLOAT) return mc_error_set(err, MC_ERR_UNSUPPORTED, "needs float32");
    return same_shape(node, in, out, err);
}

static void test_small_floats_are_shown_as_float32_to_what_widens(void **state)
{
    static const struct mc_op op_widens = {.domain = "",
                                           .type = "Widens",
                                           .min_inputs = 1,
                                           .max_inputs = 1,
                                           .n_outputs = 1,
                                           .widens = true,
                                           .shape = only_float_shape,
                                           .forward = never};
    struct mc_error err = {0};
    struct mc_model *m = new_model();
    struct mc_value *x = add_input(m, "x", (struct mc_type){.dtype = MC_BFLOAT16, .rank = 1, .dim = {2}});
    struct mc_value *y = add_node(m, &op_widens, "y", x, NULL);
    struct mc_facts facts;
    int n = 0;
    assert_ok(mc_facts_create(&facts, m, NULL, evaluate, &n, &err), err);
    assert_int_equal(facts.of[y->id].dtype, MC_BFLOAT16);
    mc_facts_finish(&facts);
    mc_model_destroy(m);
}

static void test_numbers_of_inputs_are_checked(void **state)
{
    struct mc_model *m = new_model();
    struct mc_value *x = add_input(m, "x", (struct mc_type){.dtype = MC_FLOAT, .rank = 1, .dim = {2}});
    add_node(m, &op_view, "turn", x, NULL);
    expect_refused(m, NULL, MC_ERR_INPUT, "node 'turn' (View): needs 2 inputs, has 1");
    mc_model_destroy(m);
    m = new_model();
    add_node(m, &op_double, "y", NULL, NULL);
    expect_refused(m, NULL, MC_ERR_INPUT, "input 0 is required and left out");
    mc_model_destroy(m);
    m = new_model();
    add_node(m, &op_double, "y", mc_value_create(m->graph, "nowhere"), NULL);
    expect_refused(m, NULL, MC_ERR_INPUT, "neither given nor made");
    mc_model_destroy(m);
}

static int attempt(void *context)
{
    struct mc_error err = {0};
    struct mc_facts facts;
    int n = 0;
    const int rc = mc_facts_create(&facts, context, NULL, evaluate, &n, &err);
    if (rc == MC_OK) mc_facts_finish(&facts);
    return rc;
}

static void test_failing_allocations_leave_nothing_behind(void **state)
{
    struct mc_model *m = new_model();
    struct mc_value *x = add_input(m, "x", (struct mc_type){.dtype = MC_FLOAT, .rank = 2, .dim = {2, 3}});
    add_node(m, &op_double, "wide", add_node(m, &op_extents, "extents", x, NULL), NULL);
    alloc_fail_each(attempt, m);
    mc_model_destroy(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open_extents_come_from_the_caller),
        cmocka_unit_test(test_open_extents_are_asked_for_by_name),
        cmocka_unit_test(test_open_extents_may_be_settled_in_the_model),
        cmocka_unit_test(test_extents_beyond_counting_are_refused),
        cmocka_unit_test(test_initializers_are_no_inputs),
        cmocka_unit_test(test_shape_arithmetic_is_folded),
        cmocka_unit_test(test_large_constants_are_left_alone),
        cmocka_unit_test(test_random_operators_are_not_folded),
        cmocka_unit_test(test_unknown_operators_are_named_together),
        cmocka_unit_test(test_what_no_output_needs_may_be_unknown),
        cmocka_unit_test(test_partial_facts_go_as_far_as_they_can),
        cmocka_unit_test(test_refusals_name_the_node),
        cmocka_unit_test(test_all_that_is_missing_is_named_together),
        cmocka_unit_test(test_what_contents_decide_is_open_and_so_is_what_follows),
        cmocka_unit_test(test_small_floats_are_shown_as_float32_to_what_widens),
        cmocka_unit_test(test_numbers_of_inputs_are_checked),
        cmocka_unit_test(test_failing_allocations_leave_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
