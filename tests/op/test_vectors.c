/* test_vectors.c - the models of tests/op/vectors compute what ONNX Runtime or ONNX's reference makes of them
 * (tests/reference/vectors.py), on plain and on dispatched code, by one thread and by more. */
#include "test.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "alloc_fail.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"
#include "graph/graph.h"
#include "graph/item.h"
#include "run/plan.h"

enum { MAX_ENDS = 16 };

static const struct mc_tensor *held(const struct mc_model *model, const char *role, int i)
{
    char name[32];
    snprintf(name, sizeof name, "%s.%d", role, i);
    const struct mc_value *value = mc_graph_find(model->graph, name);
    return value ? value->data : NULL;
}

static bool is_near(double a, double b)
{
    return a == b || (isnan(a) && isnan(b)) || fabs(a - b) <= 2e-6 + 1e-5 * fabs(b);
}

static bool is_equal(const struct mc_tensor *a, const struct mc_tensor *b, int64_t i)
{
    if (a->dtype == MC_STRING) {
        const struct mc_text *p = (const struct mc_text *)a->data + i, *q = (const struct mc_text *)b->data + i;
        return p->length == q->length && memcmp(p->bytes, q->bytes, p->length) == 0;
    }
    if (a->dtype == MC_FLOAT16) return fabs(mc_tensor_get_f64(a, i) - mc_tensor_get_f64(b, i)) <= 4e-3;
    if (mc_dtype_is_float(a->dtype)) return is_near(mc_tensor_get_f64(a, i), mc_tensor_get_f64(b, i));
    return mc_tensor_get_i64(a, i) == mc_tensor_get_i64(b, i);
}

static void compare(const char *name, int output, const struct mc_item *item, const struct mc_tensor *want)
{
    if (!item || item->kind != MC_ITEM_TENSOR) fail_msg("%s: output %d is no tensor", name, output);
    const struct mc_tensor *have = item->tensor;
    if (have->dtype != want->dtype || !mc_shape_equal(&have->shape, &want->shape))
        fail_msg("%s: output %d has another type or shape", name, output);
    for (int64_t i = 0; i < mc_tensor_count(want); i++)
        if (!is_equal(have, want, i))
            fail_msg("%s: output %d, element %lld: %.9g, not %.9g", name, output, (long long)i,
                     mc_tensor_get_f64(have, i), mc_tensor_get_f64(want, i));
}

static void replay(const char *name, const struct mc_model *model, const char *cpu, int threads)
{
    struct mc_error err = {0};
    struct mc_context context;
    struct mc_item *in[MAX_ENDS], *out[MAX_ENDS] = {0};
    const int n = mc_model_n_inputs(model), m = mc_model_n_outputs(model);
    mc_context_init(&context);
    context.cpu = cpu;
    context.threads = threads;
    assert_true(n <= MAX_ENDS && m > 0 && m <= MAX_ENDS);
    for (int i = 0; i < n; i++) {
        struct mc_tensor *copy;
        assert_non_null(held(model, "fed", i));
        assert_ok(mc_tensor_clone(&copy, held(model, "fed", i), &err), err);
        in[i] = mc_item_of_tensor(copy);
        assert_non_null(in[i]);
    }
    if (mc_model_run_items(model, &context, in, n, out, &err) < 0) fail_msg("%s: %s", name, err.text);
    for (int i = 0; i < m; i++) {
        assert_non_null(held(model, "want", i));
        compare(name, i, out[i], held(model, "want", i));
        mc_item_release(out[i]);
    }
    for (int i = 0; i < n; i++) mc_item_release(in[i]);
}

/* Runs `visit` on every model; returns how many there were. */
static int for_each_model(void (*visit)(const char *name, struct mc_model *model))
{
    int n = 0;
    struct mc_error err = {0};
    DIR *folder = opendir(MC_OP_VECTORS);
    assert_non_null(folder);
    for (const struct dirent *entry; (entry = readdir(folder));) {
        struct mc_model *model;
        if (!strstr(entry->d_name, ".onnx")) continue;
        char *path = mc_path_join(MC_OP_VECTORS, entry->d_name);
        assert_ok(mc_model_load(&model, path, &err), err);
        visit(entry->d_name, model);
        mc_model_destroy(model);
        mc_free(path);
        n++;
    }
    closedir(folder);
    return n;
}

static void on_plain_code(const char *name, struct mc_model *model)
{
    replay(name, model, "portable", 1);
}

static void on_this_machine(const char *name, struct mc_model *model)
{
    replay(name, model, NULL, 3);
}

static void test_vectors_on_plain_code(void **state)
{
    assert_true(for_each_model(on_plain_code) > 100);
}

static void test_vectors_on_this_machine(void **state)
{
    assert_true(for_each_model(on_this_machine) > 100);
}

/* What a truncated or empty input does to each model: an error or a result, but nothing worse. */
static void with_other_inputs(const char *name, struct mc_model *model)
{
    struct mc_error err = {0};
    struct mc_item *in[MAX_ENDS], *out[MAX_ENDS];
    const int n = mc_model_n_inputs(model), m = mc_model_n_outputs(model);
    for (int k = 0; k < n; k++) {
        memset(out, 0, sizeof out);
        for (int i = 0; i < n; i++) {
            const struct mc_tensor *from = held(model, "fed", i);
            struct mc_tensor *tensor;
            struct mc_shape shape = from->shape;
            if (i == k && shape.rank > 0) shape.dim[0] = shape.dim[0] > 1 ? shape.dim[0] - 1 : 0;
            if (from->dtype == MC_STRING || (i == k && shape.rank == 0))
                assert_ok(mc_tensor_clone(&tensor, from, &err), err);
            else
                assert_ok(mc_tensor_create(&tensor, from->dtype, &shape, &err), err);
            in[i] = mc_item_of_tensor(tensor);
        }
        const int rc = mc_model_run_items(model, NULL, in, n, out, &err);
        if (rc != MC_OK && (rc == MC_ERR_SYSTEM || !err.text[0])) fail_msg("%s: status %d: %s", name, rc, err.text);
        for (int i = 0; i < m; i++) mc_item_release(out[i]);
        for (int i = 0; i < n; i++) mc_item_release(in[i]);
    }
}

static void test_other_inputs_are_answered(void **state)
{
    assert_true(for_each_model(with_other_inputs) > 100);
}

/* --- outlines: what is said of open dimensions holds for those that the vectors have, and for others --- */

static int outlines_checked; /* extents */

static int64_t extent_of(void *context, const char *name)
{
    const struct mc_dims *dims = context;
    int input, axis;
    assert_int_equal(sscanf(name, "in.%d.%d", &input, &axis), 2);
    return dims->shape[input].dim[axis];
}

/* Integers that say what the operator is to do are constants here, as exporters write them; the rest of the inputs has
 * open extents. */
static void open_inputs(struct mc_model *model, struct mc_shape *shapes)
{
    const int n = mc_model_n_inputs(model);
    struct mc_value *inputs[MAX_ENDS];
    int open = 0;
    for (int i = 0; i < n; i++) inputs[i] = mc_model_input(model, i);
    for (int i = 0; i < n; i++) {
        const struct mc_tensor *fed = held(model, "fed", i);
        struct mc_tensor *copy;
        struct mc_error err = {0};
        char name[32];
        if (i > 0 && fed->dtype == MC_INT64 && fed->shape.rank <= 1) {
            assert_ok(mc_tensor_clone(&copy, fed, &err), err);
            mc_value_set_data(inputs[i], copy);
            continue;
        }
        snprintf(name, sizeof name, "in.%d", open);
        inputs[i]->name = mc_arena_strdup(&model->arena, name);
        for (int k = 0; k < inputs[i]->type.rank; k++) {
            inputs[i]->type.dim[k] = -1;
            inputs[i]->type.param[k] = NULL;
        }
        shapes[open++] = fed->shape;
    }
}

static void check_outline(const char *name, const struct mc_outlines *outlines, const struct mc_value *v,
                          const struct mc_fact *fact, const struct mc_dims *dims)
{
    const struct mc_outline *outline = &outlines->of[v->id];
    if (outline->rank < 0) return;
    if (outline->rank != fact->shape.rank)
        fail_msg("%s: '%s' has %d axes, not %d", name, v->name, fact->shape.rank, outline->rank);
    for (int k = 0; k < outline->rank; k++) {
        int64_t extent;
        if (!mc_symbol_value(outlines->symbols, outline->dim[k], extent_of, (void *)dims, &extent)) continue;
        if (extent != fact->shape.dim[k])
            fail_msg("%s: axis %d of '%s' is %lld, not %lld", name, k, v->name, (long long)fact->shape.dim[k],
                     (long long)extent);
        outlines_checked++;
    }
}

/* What is said of outputs behind graphs within nodes and of a few others, of which facts know nothing. */
static void check_printed(const char *name, const struct mc_outlines *outlines, const struct mc_model *model)
{
    static const struct {
        const char *name;
        int output;
        const char *text;
    } printed[] = {
        {"attention_packed.onnx", 0, "[in.0.0,in.0.1,2*floor(in.2.2/2)]"},
        {"einsum_three.onnx", 0, "[in.0.0,in.2.1]"},
        {"grid_sample.onnx", 0, "[in.0.0,in.0.1,in.1.1,in.1.2]"},
        {"if_agrees.onnx", 0, "[2*in.1.0,in.1.1]"},
        {"if_else.onnx", 0, "[?]"},
        {"image_decoder_grayscale.onnx", 0, "[?,?,1]"},
        {"loop.onnx", 0, "[3]"},
        {"loop.onnx", 1, "[?,3]"},
        {"loop_grows.onnx", 0, "[?,2]"},
        {"loop_grows.onnx", 1, "[4,in.0.0,in.0.1]"},
        {"rotary.onnx", 0, "[in.0.0,in.0.1,in.0.2]"},
        {"scan.onnx", 0, "[2]"},
        {"scan.onnx", 1, "[in.1.0,2]"},
    };
    struct mc_buf text;
    for (size_t i = 0; i < MC_COUNT(printed); i++) {
        if (strcmp(printed[i].name, name) != 0) continue;
        mc_buf_init(&text, 1 << 16);
        mc_outline_print(outlines, model->graph->outputs[printed[i].output], &text);
        mc_buf_append(&text, "", 1);
        if (strcmp(text.data, printed[i].text) != 0)
            fail_msg("%s: output %d is %s, not %s", name, printed[i].output, text.data, printed[i].text);
        mc_buf_finish(&text);
    }
}

/* Also where only running tells: the extents of the answers. */
static void check_answers(const char *name, const struct mc_outlines *outlines, const struct mc_model *model,
                          const struct mc_dims *dims)
{
    for (int i = 0; i < model->graph->n_outputs; i++) {
        const struct mc_tensor *const want = held(model, "want", i);
        const struct mc_fact fact = want ? mc_fact_of(want) : (struct mc_fact){0};
        if (want) check_outline(name, outlines, model->graph->outputs[i], &fact, dims);
    }
}

/* Does a graph within a node say how long what it is fed is? Then nothing may grow. */
static bool states_extents(const struct mc_model *model)
{
    for (int i = 0; i < model->graph->n_nodes; i++) {
        const struct mc_node *const node = model->graph->nodes[i];
        for (int b = 0; b < mc_node_n_subgraphs(node); b++) {
            const struct mc_graph *const body = mc_node_subgraph(node, b);
            for (int k = 0; k < mc_graph_n_fed(body); k++)
                for (int axis = 0; axis < mc_graph_fed(body, k)->type.rank; axis++)
                    if (mc_graph_fed(body, k)->type.dim[axis] >= 0) return true;
        }
    }
    return false;
}

static void outlines_hold(const char *name, struct mc_model *model)
{
    const int sizes = states_extents(model) ? 1 : 3;
    struct mc_error err = {0};
    struct mc_shape shapes[MAX_ENDS];
    struct mc_outlines outlines;
    open_inputs(model, shapes);
    const int n = mc_model_n_inputs(model);
    assert_ok(mc_model_outlines(&outlines, model, &err), err);
    check_printed(name, &outlines, model);
    check_answers(name, &outlines, model, &(struct mc_dims){.n_inputs = n, .shape = shapes});
    for (int grown = 0; grown < sizes; grown++) {
        const struct mc_dims dims = {.n_inputs = n, .shape = shapes};
        struct mc_facts facts;
        assert_ok(mc_model_facts(&facts, model, &dims, true, &err), err);
        for (int i = 0; i < model->n_values; i++) {
            const struct mc_fact *fact = &facts.of[i];
            if (model->values[i] && fact->dtype != MC_UNDEFINED && !fact->open)
                check_outline(name, &outlines, model->values[i], fact, &dims);
        }
        mc_facts_finish(&facts);
        for (int i = 0; i < n; i++)
            for (int k = 0; k < shapes[i].rank; k++) shapes[i].dim[k] += grown == 0 ? shapes[i].dim[k] : 3;
    }
    mc_outlines_finish(&outlines);
}

static void test_outlines_hold(void **state)
{
    assert_true(for_each_model(outlines_hold) > 100);
    print_message("%d extents agree\n", outlines_checked);
    assert_true(outlines_checked > 2000);
}

/* Memory that is out is said, or less is said of extents. */
static void outlines_without_memory(const char *name, struct mc_model *model)
{
    struct mc_shape shapes[MAX_ENDS];
    bool happened = true;
    if (!strstr(name, "if_") && !strstr(name, "loop") && !strstr(name, "scan")) return;
    open_inputs(model, shapes);
    for (long i = 1; happened; i++) {
        struct mc_outlines outlines;
        alloc_fail_at(i);
        const int rc = mc_model_outlines(&outlines, model, NULL);
        happened = alloc_fail_happened();
        alloc_fail_at(0);
        assert_true(rc == MC_OK || (happened && rc == MC_ERR_SYSTEM));
        if (rc == MC_OK) mc_outlines_finish(&outlines);
    }
}

static void test_outlines_survive_failing_allocations(void **state)
{
    assert_true(for_each_model(outlines_without_memory) > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors_on_plain_code),
        cmocka_unit_test(test_vectors_on_this_machine),
        cmocka_unit_test(test_other_inputs_are_answered),
        cmocka_unit_test(test_outlines_hold),
        cmocka_unit_test(test_outlines_survive_failing_allocations),
    };
    return cmocka_run_group_tests_name("vectors", tests, NULL, NULL);
}
