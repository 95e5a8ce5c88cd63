/* test_architecture.c - what is built under each name, and what is refused. */
#include "test.h"

#include <math.h>
#include <string.h>

#include "run/plan.h"
#include "train/train.h"

static struct mc_dataset images(int64_t C, int64_t H, int64_t W)
{
    return (struct mc_dataset){
        .sample = {.rank = 3, .dim = {C, H, W}}, .task = MC_TASK_CLASSIFICATION, .n_classes = 10};
}

static int64_t count_parameters(const struct mc_model *model)
{
    int64_t n = 0;
    for (int i = 0; i < model->graph->n_initializers; i++) {
        const struct mc_value *v = model->graph->initializers[i];
        if (v->data->dtype == MC_FLOAT && v->data->shape.rank > 0 && !strstr(v->name, "running_"))
            n += mc_tensor_count(v->data);
    }
    return n;
}

/* "Flatten Gemm …" */
static const char *types(const struct mc_model *model, char *text, size_t size)
{
    text[0] = 0;
    for (int i = 0; i < model->graph->n_nodes; i++) {
        strncat(text, i ? " " : "", size - strlen(text) - 1);
        strncat(text, model->graph->nodes[i]->type, size - strlen(text) - 1);
    }
    return text;
}

static void check(const char *name, const struct mc_dataset *data, const char *nodes, int64_t n_parameters)
{
    struct mc_error err = {0};
    struct mc_model *model;
    char text[256];
    assert_ok(mc_architecture_create(&model, name, data, 1, &err), err);
    assert_string_equal(types(model, text, sizeof text), nodes);
    assert_int_equal(count_parameters(model), n_parameters);
    assert_string_equal(model->graph->inputs[0]->name, "input");
    assert_string_equal(model->graph->inputs[0]->type.param[0], "batch");
    assert_string_equal(model->graph->outputs[0]->name, "output");
    assert_int_equal(model->graph->outputs[0]->type.rank, 2);
    mc_model_destroy(model);
}

static void refuse(const char *name, const struct mc_dataset *data, const char *text)
{
    struct mc_error err = {0};
    struct mc_model *model;
    assert_int_equal(mc_architecture_create(&model, name, data, 1, &err), MC_ERR_USAGE);
    assert_string_equal(err.text, text);
}

/* Parameter counts: 266,610 and 431,080 as compression papers give them (Han et al. 2015, table 1). */
static void test_named_architectures_have_their_layers(void **state)
{
    const struct mc_dataset mnist = images(1, 28, 28), cifar = images(3, 32, 32);
    check("lenet-300-100", &mnist, "Flatten Gemm Relu Gemm Relu Gemm", 266610);
    check("lenet-5", &mnist, "Conv MaxPool Conv MaxPool Flatten Gemm Relu Gemm", 431080);
    check("lenet-5", &cifar, "Conv MaxPool Conv MaxPool Flatten Gemm Relu Gemm",
          75 * 20 + 20 + 500 * 50 + 50 + 1250 * 500 + 500 + 5010);
    check("linear", &mnist, "Flatten Gemm", 7850);
    check("mlp:784-30-10", &mnist, "Flatten Gemm Relu Gemm", 784 * 30 + 30 + 310);
    check("mlp:4-3-2", NULL, "Gemm Relu Gemm", 15 + 8);
}

/* Parameters as torchvision 0.29.2 and PyTorch 2.15.0 count them (tests/reference/architectures.py), running statistics
 * left out; and a batch goes through, to an output for each class. */
static void test_networks_have_the_parameters_of_their_papers(void **state)
{
    static const struct {
        const char *name;
        struct mc_shape sample;
        int64_t classes, parameters;
    } cases[] = {
        {"resnet-20", {3, {3, 32, 32}}, 10, 272474},
        {"resnet-32", {3, {3, 32, 32}}, 10, 466906},
        {"resnet-56", {3, {3, 32, 32}}, 10, 855770},
        {"vgg-11-bn", {3, {3, 32, 32}}, 10, 9228362},
        {"conv-1d", {2, {6, 50}}, 10, 53898},
        {"transformer", {3, {3, 32, 32}}, 10, 107978},
        {"mobilenet-v2", {3, {3, 224, 224}}, 1000, 3504872},
        {"mobilenet-v2:0.5", {3, {3, 32, 32}}, 1000, 1968680},
        {"transformer:32-2-1", {2, {20, 6}}, 5, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct mc_error err = {0};
        struct mc_model *model;
        struct mc_facts facts;
        const struct mc_dataset data = {
            .sample = cases[i].sample, .task = MC_TASK_CLASSIFICATION, .n_classes = cases[i].classes};
        assert_ok(mc_architecture_create(&model, cases[i].name, &data, 1, &err), err);
        if (cases[i].parameters && count_parameters(model) != cases[i].parameters)
            fail_msg("%s has %d parameters", cases[i].name, (int)count_parameters(model));
        struct mc_shape shape = {.rank = cases[i].sample.rank + 1, .dim = {2}};
        memcpy(shape.dim + 1, cases[i].sample.dim, (size_t)cases[i].sample.rank * sizeof *shape.dim);
        const struct mc_dims dims = {.n_inputs = 1, .shape = &shape};
        assert_ok(mc_model_facts(&facts, model, &dims, false, &err), err);
        const struct mc_shape *out = &facts.of[model->graph->outputs[0]->id].shape;
        assert_true(out->rank == 2 && out->dim[0] == 2 && out->dim[1] == cases[i].classes);
        mc_facts_finish(&facts);
        mc_model_destroy(model);
    }
}

static void test_regression_has_an_output_for_each_target(void **state)
{
    const struct mc_dataset table = {.sample = {.rank = 1, .dim = {7}}, .task = MC_TASK_REGRESSION, .n_targets = 3};
    check("linear", &table, "Gemm", 7 * 3 + 3);
}

static void test_logistic_models_give_probabilities(void **state)
{
    struct mc_dataset table = {.sample = {.rank = 1, .dim = {7}}, .task = MC_TASK_CLASSIFICATION, .n_classes = 2};
    check("logistic", &table, "Gemm Sigmoid", 8);
    table.n_classes = 3;
    check("logistic", &table, "Gemm Softmax", 24);
    table.task = MC_TASK_REGRESSION;
    refuse("logistic", &table, "architecture 'logistic': needs classes, the data has numbers as targets");
}

static void test_same_seed_same_weights_other_seed_others(void **state)
{
    struct mc_error err = {0};
    struct mc_model *a, *b, *c;
    assert_ok(mc_architecture_create(&a, "mlp:20-20-2", NULL, 5, &err), err);
    assert_ok(mc_architecture_create(&b, "mlp:20-20-2", NULL, 5, &err), err);
    assert_ok(mc_architecture_create(&c, "mlp:20-20-2", NULL, 6, &err), err);
    const float *wa = a->graph->initializers[0]->data->data, *wb = b->graph->initializers[0]->data->data,
                *wc = c->graph->initializers[0]->data->data;
    assert_memory_equal(wa, wb, 400 * sizeof(float));
    assert_true(memcmp(wa, wc, 400 * sizeof(float)) != 0);
    mc_model_destroy(a);
    mc_model_destroy(b);
    mc_model_destroy(c);
}

static void test_weights_have_the_variance_of_he(void **state)
{
    struct mc_error err = {0};
    struct mc_model *model;
    assert_ok(mc_architecture_create(&model, "mlp:400-300-100", NULL, 1, &err), err);
    static const double wanted[] = {2.0 / 400, 0, 1.0 / 300, 0};
    for (int i = 0; i < 4; i++) {
        const struct mc_tensor *w = model->graph->initializers[i]->data;
        const int64_t n = mc_tensor_count(w);
        double squares = 0;
        for (int64_t k = 0; k < n; k++) squares += mc_tensor_get_f64(w, k) * mc_tensor_get_f64(w, k);
        assert_true(fabs(squares / (double)n - wanted[i]) <= 0.03 * wanted[i]);
    }
    mc_model_destroy(model);
}

static void test_what_does_not_fit_is_refused(void **state)
{
    const struct mc_dataset mnist = images(1, 28, 28), tiny = images(1, 8, 8);
    const struct mc_dataset tiny_series = {
        .sample = {.rank = 2, .dim = {6, 50}}, .task = MC_TASK_CLASSIFICATION, .n_classes = 2};
    refuse("mlp:784", &mnist, "architecture 'mlp:784': needs at least two widths, has '784'");
    refuse("mlp:784--10", &mnist,
           "architecture 'mlp:784--10': needs widths from 1 to 16777216 like 784-300-10, has '-10'");
    refuse("mlp:784-99999999999999999999-10", &mnist,
           "architecture 'mlp:784-99999999999999999999-10': needs widths from 1 to 16777216 like 784-300-10, "
           "has '99999999999999999999-10'");
    refuse("mlp:100-10", &mnist, "architecture 'mlp:100-10': takes 100 numbers, the data's samples have 784");
    refuse("mlp:784-5", &mnist, "architecture 'mlp:784-5': gives 5 numbers, the data has 10 classes");
    refuse("lenet-5", &tiny,
           "architecture 'lenet-5': needs images [C, H, W] of at least 16x16, the data's samples are [1,8,8]");
    refuse("mobilenet-v2:9", &mnist,
           "architecture 'mobilenet-v2:9': needs a factor from 0.1 to 4 behind the colon, has '9'");
    refuse("transformer:30-4-2", &mnist,
           "architecture 'transformer:30-4-2': needs WIDTH-HEADS-LAYERS with heads that divide the width, like 64-4-2");
    refuse("conv-1d", &mnist,
           "architecture 'conv-1d': needs samples [C, L] of at least 8 steps, the data's are [1,28,28]");
    refuse("resnet-20", &tiny_series,
           "architecture 'resnet-20': needs images [C, H, W] of at least 8x8, the data's samples are [6,50]");
    refuse("linear", NULL, "architecture 'linear': needs data, which say how many inputs and outputs there are");
}

static void test_a_misspelt_name_meets_its_neighbour(void **state)
{
    struct mc_error err = {0};
    struct mc_model *model;
    assert_false(mc_architecture_known("lenet5"));
    assert_int_equal(mc_architecture_create(&model, "lenet5", NULL, 1, &err), MC_ERR_USAGE);
    assert_string_equal(err.hint, "did you mean 'lenet-5'?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_named_architectures_have_their_layers),
        cmocka_unit_test(test_networks_have_the_parameters_of_their_papers),
        cmocka_unit_test(test_regression_has_an_output_for_each_target),
        cmocka_unit_test(test_logistic_models_give_probabilities),
        cmocka_unit_test(test_same_seed_same_weights_other_seed_others),
        cmocka_unit_test(test_weights_have_the_variance_of_he),
        cmocka_unit_test(test_what_does_not_fit_is_refused),
        cmocka_unit_test(test_a_misspelt_name_meets_its_neighbour),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
