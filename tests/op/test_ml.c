/* test_ml.c - the operators of ai.onnx.ml.
 *
 * Expected numbers are done by hand where they are plain, else from ONNX Runtime 1.32 (marked so).
 */
#include "test.h"

#include <math.h>
#include <string.h>

#include "alloc_fail.h"
#include "graph/graph.h"
#include "op/ops.h"

/* --- building --- */

struct bench {
    struct mc_model *model;
    struct mc_node *node;
    struct mc_item *in[2], *out[2];
    int n_in, n_out;
};

static struct bench bench_of(const char *type, int64_t version, int n_in, int n_out, const enum mc_dtype *types)
{
    struct mc_error err = {0};
    struct bench b = {.n_in = n_in, .n_out = n_out};
    struct mc_value *in[2], *out[2];
    assert_ok(mc_model_create(&b.model, 17, &err), err);
    for (int i = 0; i < n_in; i++) {
        in[i] = mc_value_create(b.model->graph, i ? "indices" : "x");
        in[i]->type = (struct mc_type){.dtype = types[i], .rank = -1};
        assert_ok(mc_graph_add_input(b.model->graph, in[i], &err), err);
    }
    for (int i = 0; i < n_out; i++) {
        out[i] = mc_value_create(b.model->graph, i ? "scores" : "y");
        assert_non_null(out[i]);
    }
    b.node = mc_node_create(b.model->graph, -1, "ai.onnx.ml", type, type, n_in, in, n_out, out);
    b.node->opset = (int)version;
    for (int i = 0; i < n_out; i++) assert_ok(mc_graph_add_output(b.model->graph, out[i], &err), err);
    mc_ops_bind(b.model);
    assert_non_null(b.node->op);
    return b;
}

#define BENCH(type, version, outputs, ...)                                                                             \
    bench_of((type), (version), (int)(sizeof((enum mc_dtype[]){__VA_ARGS__}) / sizeof(enum mc_dtype)), (outputs),      \
             (const enum mc_dtype[]){__VA_ARGS__})

static void set_ints(struct bench *b, const char *name, int64_t n, const int64_t *list)
{
    struct mc_error err = {0};
    assert_ok(mc_node_set_ints(b->node, name, list, n, &err), err);
}

static void set_floats(struct bench *b, const char *name, int64_t n, const float *list)
{
    struct mc_error err = {0};
    assert_ok(mc_node_set_floats(b->node, name, list, n, &err), err);
}

static void set_texts(struct bench *b, const char *name, int64_t n, const char *const *list)
{
    struct mc_error err = {0};
    assert_ok(mc_node_set_strings(b->node, name, list, n, &err), err);
}

static void set_text(struct bench *b, const char *name, const char *text)
{
    struct mc_error err = {0};
    assert_ok(mc_node_set_string(b->node, name, text, &err), err);
}

#define LIST(type, ...)                                                                                                \
    (int64_t)(sizeof((type[]){__VA_ARGS__}) / sizeof(type)), (type[])                                                  \
    {                                                                                                                  \
        __VA_ARGS__                                                                                                    \
    }
#define INTS(b, name, ...) set_ints((b), (name), LIST(int64_t, __VA_ARGS__))
#define FLOATS(b, name, ...) set_floats((b), (name), LIST(float, __VA_ARGS__))
#define TEXTS(b, name, ...) set_texts((b), (name), LIST(const char *const, __VA_ARGS__))

static struct mc_item *numbers(enum mc_dtype dtype, int64_t rows, int64_t columns, const double *list)
{
    struct mc_error err = {0};
    struct mc_tensor *t;
    const struct mc_shape shape = {.rank = 2, .dim = {rows, columns}};
    assert_ok(mc_tensor_create(&t, dtype, &shape, &err), err);
    for (int64_t i = 0; i < rows * columns; i++) mc_tensor_set_f64(t, i, list[i]);
    return mc_item_of_tensor(t);
}

#define NUMBERS(dtype, rows, columns, ...) numbers((dtype), (rows), (columns), (const double[]){__VA_ARGS__})

static struct mc_item *texts(int64_t n, const char *const *list)
{
    struct mc_error err = {0};
    struct mc_text t[8];
    struct mc_tensor *tensor;
    for (int64_t i = 0; i < n; i++) t[i] = (struct mc_text){list[i], strlen(list[i])};
    assert_ok(mc_tensor_create_texts(&tensor, &(struct mc_shape){.rank = 1, .dim = {n}}, t, &err), err);
    return mc_item_of_tensor(tensor);
}

/* --- running --- */

static int attempt(void *context)
{
    struct bench *b = context;
    struct mc_error err = {0};
    const int rc = mc_model_run_items(b->model, NULL, b->in, b->n_in, b->out, &err);
    for (int i = 0; i < b->n_out && rc == MC_OK; i++) mc_item_release(b->out[i]);
    return rc;
}

static void run(struct bench *b)
{
    struct mc_error err = {0};
    alloc_fail_each(attempt, b);
    assert_ok(mc_model_run_items(b->model, NULL, b->in, b->n_in, b->out, &err), err);
}

static void finish(struct bench *b)
{
    for (int i = 0; i < b->n_in; i++) mc_item_release(b->in[i]);
    mc_model_destroy(b->model);
}

static void end(struct bench *b)
{
    for (int i = 0; i < b->n_out; i++) mc_item_release(b->out[i]);
    finish(b);
}

static void expect(const struct mc_item *item, int64_t n, const double *list)
{
    assert_int_equal(item->kind, MC_ITEM_TENSOR);
    assert_int_equal(mc_tensor_count(item->tensor), n);
    for (int64_t i = 0; i < n; i++)
        if (!(fabs(mc_tensor_get_f64(item->tensor, i) - list[i]) <= 1e-5))
            fail_msg("element %d is %.9g, expected %.9g", (int)i, mc_tensor_get_f64(item->tensor, i), list[i]);
}

#define EXPECT(item, ...) expect((item), LIST(double, __VA_ARGS__))

static void expect_texts(const struct mc_item *item, int64_t n, const char *const *list)
{
    assert_int_equal(item->tensor->dtype, MC_STRING);
    assert_int_equal(mc_tensor_count(item->tensor), n);
    for (int64_t i = 0; i < n; i++) {
        const struct mc_text *t = (const struct mc_text *)item->tensor->data + i;
        assert_int_equal(t->length, strlen(list[i]));
        assert_memory_equal(t->bytes, list[i], t->length);
    }
}

#define EXPECT_TEXTS(item, ...) expect_texts((item), LIST(const char *const, __VA_ARGS__))

static void refused(struct bench *b, int status, const char *text)
{
    struct mc_error err = {0};
    assert_int_equal(mc_model_run_items(b->model, NULL, b->in, b->n_in, b->out, &err), status);
    if (!strstr(err.text, text)) fail_msg("the refusal does not say '%s': %s", text, err.text);
    finish(b);
}

/* --- trees --- */

/* Tree 0: x0 <= 1 ? leaf : (x1 < 0 ? leaf : leaf); tree 1: a leaf. */
static void set_trees(struct bench *b, int64_t loops_to)
{
    INTS(b, "nodes_treeids", 0, 0, 0, 0, 0, 1);
    INTS(b, "nodes_nodeids", 0, 1, 2, 3, 4, 0);
    INTS(b, "nodes_featureids", 0, 0, 1, 0, 0, 0);
    FLOATS(b, "nodes_values", 1, 0, 0, 0, 0, 0);
    TEXTS(b, "nodes_modes", "BRANCH_LEQ", "LEAF", "BRANCH_LT", "LEAF", "LEAF", "LEAF");
    INTS(b, "nodes_truenodeids", 1, 0, 3, 0, 0, 0);
    INTS(b, "nodes_falsenodeids", 2, 0, loops_to, 0, 0, 0);
    INTS(b, "nodes_missing_value_tracks_true", 1, 0, 0, 0, 0, 0);
}

static void test_tree_ensemble_regressor_adds_up_leaves(void **state)
{
    (void)state;
    struct bench b = BENCH("TreeEnsembleRegressor", 3, 1, MC_FLOAT);
    struct mc_error err = {0};
    set_trees(&b, 4);
    INTS(&b, "target_treeids", 0, 0, 0, 1, 1);
    INTS(&b, "target_nodeids", 1, 3, 4, 0, 0);
    INTS(&b, "target_ids", 0, 1, 0, 0, 1);
    FLOATS(&b, "target_weights", 1, 10, 100, 0.5f, 0.25f);
    FLOATS(&b, "base_values", 1000, 2000);
    assert_ok(mc_node_set_int(b.node, "n_targets", 2, &err), err);
    b.in[0] = NUMBERS(MC_FLOAT, 4, 2, 1, 0, 2, -1, 2, 0, NAN, 5);
    run(&b);
    EXPECT(b.out[0], 1001.5, 2000.25, 1000.5, 2010.25, 1100.5, 2000.25, 1001.5, 2000.25);
    end(&b);
}

/* Two classes, weights of the first alone: it stands for both. */
static void test_tree_ensemble_classifier_spreads_a_single_score(void **state)
{
    (void)state;
    struct bench b = BENCH("TreeEnsembleClassifier", 3, 2, MC_FLOAT);
    set_trees(&b, 4);
    INTS(&b, "class_treeids", 0, 0, 0, 1);
    INTS(&b, "class_nodeids", 1, 3, 4, 0);
    INTS(&b, "class_ids", 0, 0, 0, 0);
    FLOATS(&b, "class_weights", 1, -2, 0.5f, 0.25f);
    TEXTS(&b, "classlabels_strings", "no", "yes");
    set_text(&b, "post_transform", "LOGISTIC");
    b.in[0] = NUMBERS(MC_FLOAT, 3, 2, 1, 0, 2, -1, 2, 0);
    run(&b);
    EXPECT_TEXTS(b.out[0], "yes", "no", "yes");
    EXPECT(b.out[1], 0.22270014, 0.77729986, 0.85195280, 0.14804720, 0.32082130, 0.67917870); /* ONNX Runtime */
    end(&b);
}

static void test_tree_ensemble_classifier_takes_the_largest_of_many(void **state)
{
    (void)state;
    struct bench b = BENCH("TreeEnsembleClassifier", 1, 2, MC_INT64);
    set_trees(&b, 4);
    INTS(&b, "class_treeids", 0, 0, 0, 1);
    INTS(&b, "class_nodeids", 1, 3, 4, 0);
    INTS(&b, "class_ids", 0, 1, 2, 1);
    FLOATS(&b, "class_weights", 1, 2, 3, 0.5f);
    INTS(&b, "classlabels_int64s", 7, 8, 9);
    b.in[0] = NUMBERS(MC_INT64, 3, 2, 1, 0, 2, -1, 2, 0);
    run(&b);
    EXPECT(b.out[0], 7, 8, 9);
    EXPECT(b.out[1], 1, 0.5, 0, 0, 2.5, 0, 0, 0.5, 3);
    end(&b);
}

static void test_trees_that_lead_nowhere_or_back_are_refused(void **state)
{
    (void)state;
    for (int k = 0; k < 2; k++) {
        struct bench b = BENCH("TreeEnsembleRegressor", 1, 1, MC_FLOAT);
        set_trees(&b, k ? 2 : 9);
        INTS(&b, "target_treeids", 0);
        INTS(&b, "target_nodeids", 1);
        INTS(&b, "target_ids", 0);
        FLOATS(&b, "target_weights", 1);
        b.in[0] = NUMBERS(MC_FLOAT, 1, 2, 1, 0);
        refused(&b, MC_ERR_INPUT, k ? "leads back into itself" : "node 2 of tree 0 leads to none");
    }
}

static void test_tree_ensemble_5_knows_leaves_and_members(void **state)
{
    (void)state;
    struct mc_error err = {0};
    struct bench b = BENCH("TreeEnsemble", 5, 1, MC_DOUBLE);
    struct {
        const char *name;
        enum mc_dtype dtype;
        int64_t n;
        double list[4];
    } const tensors[] = {{"nodes_modes", MC_UINT8, 2, {6, 0}},
                         {"nodes_splits", MC_DOUBLE, 2, {0, 4}},
                         {"leaf_weights", MC_DOUBLE, 3, {1, 2, 3}},
                         {"membership_values", MC_DOUBLE, 2, {5, 6}}};
    for (size_t i = 0; i < sizeof tensors / sizeof tensors[0]; i++) {
        struct mc_tensor *t;
        const struct mc_shape shape = {.rank = 1, .dim = {tensors[i].n}};
        assert_ok(mc_tensor_create(&t, tensors[i].dtype, &shape, &err), err);
        for (int64_t k = 0; k < tensors[i].n; k++) mc_tensor_set_f64(t, k, tensors[i].list[k]);
        assert_ok(mc_node_set_tensor(b.node, tensors[i].name, t, &err), err);
    }
    INTS(&b, "tree_roots", 0);
    INTS(&b, "nodes_featureids", 0, 1);
    INTS(&b, "nodes_truenodeids", 0, 1);
    INTS(&b, "nodes_falsenodeids", 1, 2);
    INTS(&b, "nodes_trueleafs", 1, 1);
    INTS(&b, "nodes_falseleafs", 0, 1);
    INTS(&b, "leaf_targetids", 0, 0, 0);
    b.in[0] = NUMBERS(MC_DOUBLE, 3, 2, 6, 0, 7, 4, 7, 5);
    run(&b);
    assert_int_equal(b.out[0]->tensor->dtype, MC_DOUBLE);
    EXPECT(b.out[0], 1, 2, 3);
    end(&b);
}

/* --- linear models and support vectors --- */

static void test_linear_models(void **state)
{
    (void)state;
    struct mc_error err = {0};
    struct bench r = BENCH("LinearRegressor", 1, 1, MC_FLOAT);
    FLOATS(&r, "coefficients", 1, 2, 3, 4);
    FLOATS(&r, "intercepts", 0.5f, -0.5f);
    assert_ok(mc_node_set_int(r.node, "targets", 2, &err), err);
    r.in[0] = NUMBERS(MC_FLOAT, 2, 2, 1, 1, 2, -1);
    run(&r);
    EXPECT(r.out[0], 3.5, 6.5, 0.5, 1.5);
    end(&r);
    struct bench c = BENCH("LinearClassifier", 1, 2, MC_FLOAT);
    FLOATS(&c, "coefficients", 1, 2);
    FLOATS(&c, "intercepts", 0.5f);
    INTS(&c, "classlabels_ints", 3, 4);
    set_text(&c, "post_transform", "LOGISTIC");
    c.in[0] = NUMBERS(MC_FLOAT, 2, 2, 1, 1, -2, 0.5);
    run(&c);
    EXPECT(c.out[0], 4, 3);
    EXPECT(c.out[1], 1 - 1 / (1 + exp(-3.5)), 1 / (1 + exp(-3.5)), 1 / (1 + exp(-0.5)), 1 - 1 / (1 + exp(-0.5)));
    end(&c);
    struct bench bad = BENCH("LinearRegressor", 1, 1, MC_FLOAT);
    FLOATS(&bad, "coefficients", 1, 2, 3);
    bad.in[0] = NUMBERS(MC_FLOAT, 1, 2, 1, 1);
    refused(&bad, MC_ERR_INPUT, "attribute 'coefficients': needs 2 numbers, has 3");
}

static void test_support_vector_machines(void **state)
{
    (void)state;
    struct mc_error err = {0};
    struct bench r = BENCH("SVMRegressor", 1, 1, MC_FLOAT);
    FLOATS(&r, "support_vectors", 1, 0, 0, 1);
    FLOATS(&r, "coefficients", 2, -1);
    FLOATS(&r, "rho", 0.25f);
    FLOATS(&r, "kernel_params", 0.5f, 0, 0);
    set_text(&r, "kernel_type", "RBF");
    assert_ok(mc_node_set_int(r.node, "n_supports", 2, &err), err);
    r.in[0] = NUMBERS(MC_FLOAT, 1, 2, 1, 1);
    run(&r);
    EXPECT(r.out[0], exp(-0.5) + 0.25);
    end(&r);
    /* three classes with one vector each, and probabilities: ONNX Runtime */
    struct bench c = BENCH("SVMClassifier", 1, 2, MC_FLOAT);
    INTS(&c, "vectors_per_class", 1, 1, 1);
    FLOATS(&c, "support_vectors", 1, 0, 0, 1, -1, -1);
    FLOATS(&c, "coefficients", 1, -1, -0.5f, 0.5f, 1, -1);
    FLOATS(&c, "rho", 0.1f, -0.2f, 0.3f);
    FLOATS(&c, "prob_a", -1, -1.5f, -2);
    FLOATS(&c, "prob_b", 0.1f, 0, -0.1f);
    INTS(&c, "classlabels_ints", 0, 1, 2);
    c.in[0] = NUMBERS(MC_FLOAT, 2, 2, 1, 0.5, -1, 0.25);
    run(&c);
    EXPECT(c.out[0], 0, 2);
    EXPECT(c.out[1], 0.57878375, 0.36658338, 0.05463275, 0.10576618, 0.3794962, 0.51473767);
    end(&c);
}

/* --- features --- */

static void test_features_are_scaled_normalized_and_filled_in(void **state)
{
    (void)state;
    struct bench s = BENCH("Scaler", 1, 1, MC_INT64);
    FLOATS(&s, "offset", 1, 2);
    FLOATS(&s, "scale", 0.5f, 10);
    s.in[0] = NUMBERS(MC_INT64, 2, 2, 1, 2, 3, 4);
    run(&s);
    EXPECT(s.out[0], 0, 0, 1, 20);
    end(&s);
    static const struct {
        const char *norm;
        double expected[4];
    } norms[] = {{"MAX", {0.75, 1, 0, 0}}, {"L1", {3.0 / 7, 4.0 / 7, 0, 0}}, {"L2", {0.6, 0.8, 0, 0}}};
    for (int k = 0; k < 3; k++) {
        struct bench n = BENCH("Normalizer", 1, 1, MC_FLOAT);
        set_text(&n, "norm", norms[k].norm);
        n.in[0] = NUMBERS(MC_FLOAT, 2, 2, 3, 4, 0, 0);
        run(&n);
        expect(n.out[0], 4, norms[k].expected);
        end(&n);
    }
    struct bench i = BENCH("Imputer", 1, 1, MC_FLOAT);
    struct mc_error err = {0};
    FLOATS(&i, "imputed_value_floats", 7, 8);
    assert_ok(mc_node_set_float(i.node, "replaced_value_float", NAN, &err), err);
    i.in[0] = NUMBERS(MC_FLOAT, 2, 2, NAN, 1, 2, NAN);
    run(&i);
    EXPECT(i.out[0], 7, 1, 2, 8);
    end(&i);
    struct bench b = BENCH("Binarizer", 1, 1, MC_FLOAT);
    assert_ok(mc_node_set_float(b.node, "threshold", 1, &err), err);
    b.in[0] = NUMBERS(MC_FLOAT, 1, 3, 0, 1, 2);
    run(&b);
    EXPECT(b.out[0], 0, 0, 1);
    end(&b);
}

static void test_features_are_picked_joined_and_spread(void **state)
{
    (void)state;
    struct mc_error err = {0};
    struct bench a = BENCH("ArrayFeatureExtractor", 1, 1, MC_FLOAT, MC_INT64);
    a.in[0] = NUMBERS(MC_FLOAT, 2, 3, 0, 1, 2, 3, 4, 5);
    a.in[1] = NUMBERS(MC_INT64, 1, 2, 2, 0);
    run(&a);
    EXPECT(a.out[0], 2, 0, 5, 3);
    mc_item_release(a.out[0]);
    mc_tensor_set_f64(a.in[1]->tensor, 0, 3);
    refused(&a, MC_ERR_INPUT, "needs indices below 3, has 3");
    struct bench v = BENCH("FeatureVectorizer", 1, 1, MC_INT64, MC_FLOAT);
    INTS(&v, "inputdimensions", 2, 3);
    v.in[0] = NUMBERS(MC_INT64, 2, 2, 1, 2, 3, 4);
    v.in[1] = NUMBERS(MC_FLOAT, 2, 2, 5, 6, 7, 8);
    run(&v);
    EXPECT(v.out[0], 1, 2, 5, 6, 0, 3, 4, 7, 8, 0);
    end(&v);
    struct bench h = BENCH("OneHotEncoder", 1, 1, MC_STRING);
    TEXTS(&h, "cats_strings", "a", "b");
    h.in[0] = texts(LIST(const char *const, "b", "c", "a"));
    run(&h);
    EXPECT(h.out[0], 0, 1, 0, 0, 1, 0);
    mc_item_release(h.out[0]);
    assert_ok(mc_node_set_int(h.node, "zeros", 0, &err), err);
    refused(&h, MC_ERR_INPUT, "element 1 is none of the categories");
}

/* --- labels and maps --- */

static void test_label_encoder_maps_any_type_to_any(void **state)
{
    (void)state;
    struct bench t = BENCH("LabelEncoder", 2, 1, MC_STRING);
    TEXTS(&t, "keys_strings", "Amy", "Sally");
    INTS(&t, "values_int64s", 5, 6);
    t.in[0] = texts(LIST(const char *const, "Dori", "Amy", "Amy", "Sally"));
    run(&t);
    EXPECT(t.out[0], -1, 5, 5, 6);
    end(&t);
    struct bench f = BENCH("LabelEncoder", 4, 1, MC_FLOAT);
    FLOATS(&f, "keys_floats", 1, NAN);
    TEXTS(&f, "values_strings", "one", "none");
    f.in[0] = NUMBERS(MC_FLOAT, 1, 3, NAN, 1, 2);
    run(&f);
    EXPECT_TEXTS(f.out[0], "none", "one", "_Unused");
    end(&f);
    struct bench o = BENCH("LabelEncoder", 1, 1, MC_INT64);
    TEXTS(&o, "classes_strings", "zero", "one");
    o.in[0] = NUMBERS(MC_INT64, 1, 3, 1, 0, 2);
    run(&o);
    EXPECT_TEXTS(o.out[0], "one", "zero", "_Unused");
    end(&o);
    struct bench m = BENCH("CategoryMapper", 1, 1, MC_STRING);
    TEXTS(&m, "cats_strings", "x", "y");
    INTS(&m, "cats_int64s", 10, 20);
    m.in[0] = texts(LIST(const char *const, "y", "z"));
    run(&m);
    EXPECT(m.out[0], 20, -1);
    end(&m);
    struct bench bad = BENCH("LabelEncoder", 2, 1, MC_STRING);
    TEXTS(&bad, "keys_strings", "Amy", "Sally");
    INTS(&bad, "values_int64s", 5);
    bad.in[0] = texts(LIST(const char *const, "Amy"));
    refused(&bad, MC_ERR_INPUT, "needs as many keys as values, has 2 and 1");
}

static struct mc_item *map_of(const char *const *keys, int64_t n, const double *values)
{
    struct mc_error err = {0};
    struct mc_item *k = texts(n, keys);
    struct mc_tensor *keys_tensor, *t;
    assert_ok(mc_tensor_clone(&keys_tensor, k->tensor, &err), err);
    mc_item_release(k);
    assert_ok(mc_tensor_create(&t, MC_FLOAT, &(struct mc_shape){.rank = 1, .dim = {n}}, &err), err);
    for (int64_t i = 0; i < n; i++) mc_tensor_set_f64(t, i, values[i]);
    return mc_item_of_map(keys_tensor, t);
}

static void test_maps_become_tensors_and_back(void **state)
{
    (void)state;
    struct mc_error err = {0};
    struct bench d = BENCH("DictVectorizer", 1, 1, MC_UNDEFINED);
    TEXTS(&d, "string_vocabulary", "a", "c", "b", "z");
    d.in[0] = map_of((const char *const[]){"c", "a"}, 2, (const double[]){8, 4});
    run(&d);
    EXPECT(d.out[0], 4, 8, 0, 0);
    end(&d);
    struct bench z = BENCH("ZipMap", 1, 1, MC_FLOAT);
    TEXTS(&z, "classlabels_strings", "u", "v");
    z.in[0] = NUMBERS(MC_FLOAT, 2, 2, 1, 2, 3, 4);
    run(&z);
    assert_int_equal(z.out[0]->kind, MC_ITEM_SEQUENCE);
    assert_int_equal(z.out[0]->n, 2);
    assert_true(mc_tensor_get_f64(z.out[0]->elements[1]->tensor, 0) == 3);
    assert_memory_equal(((struct mc_text *)z.out[0]->elements[1]->keys->data)[1].bytes, "v", 1);
    end(&z);
    struct bench c = BENCH("CastMap", 1, 1, MC_UNDEFINED);
    struct mc_tensor *keys, *values;
    const struct mc_shape two = {.rank = 1, .dim = {2}};
    assert_ok(mc_tensor_create(&keys, MC_INT64, &two, &err), err);
    assert_ok(mc_tensor_create(&values, MC_FLOAT, &two, &err), err);
    mc_tensor_set_f64(keys, 0, 3);
    mc_tensor_set_f64(keys, 1, 1);
    mc_tensor_set_f64(values, 0, 30);
    mc_tensor_set_f64(values, 1, 10);
    set_text(&c, "map_form", "SPARSE");
    assert_ok(mc_node_set_int(c.node, "max_map", 5, &err), err);
    c.in[0] = mc_item_of_map(keys, values);
    run(&c);
    EXPECT(c.out[0], 0, 10, 0, 30, 0);
    end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tree_ensemble_regressor_adds_up_leaves),
        cmocka_unit_test(test_tree_ensemble_classifier_spreads_a_single_score),
        cmocka_unit_test(test_tree_ensemble_classifier_takes_the_largest_of_many),
        cmocka_unit_test(test_trees_that_lead_nowhere_or_back_are_refused),
        cmocka_unit_test(test_tree_ensemble_5_knows_leaves_and_members),
        cmocka_unit_test(test_linear_models),
        cmocka_unit_test(test_support_vector_machines),
        cmocka_unit_test(test_features_are_scaled_normalized_and_filled_in),
        cmocka_unit_test(test_features_are_picked_joined_and_spread),
        cmocka_unit_test(test_label_encoder_maps_any_type_to_any),
        cmocka_unit_test(test_maps_become_tensors_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
