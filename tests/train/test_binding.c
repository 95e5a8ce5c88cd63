/* test_binding.c - which samples go into which model, where its scores are, what its batch may be. */
#include <string.h>

#include "op/ops.h"
#include "toy.h"
#include "train/binding.h"

static struct mc_dataset classes(int rank, const int64_t *sample, int64_t n)
{
    return (struct mc_dataset){.sample = mc_shape_of(rank, sample), .task = MC_TASK_CLASSIFICATION, .n_classes = n};
}

/* Flatten, then Gemm of `width` to `outputs`, with an input declared as given. */
static struct mc_model *model_for(int rank, const int64_t *input, int64_t width, int64_t outputs)
{
    struct mc_error err = {0};
    struct mc_model *model;
    char name[64];
    const struct mc_dataset data = classes(3, (const int64_t[]){1, 1, width}, outputs);
    snprintf(name, sizeof name, "mlp:%d-%d", (int)width, (int)outputs);
    assert_ok(mc_architecture_create(&model, name, &data, 1, &err), err);
    struct mc_type *type = &model->graph->inputs[0]->type;
    *type = (struct mc_type){.dtype = MC_FLOAT, .rank = rank};
    if (rank > 0) memcpy(type->dim, input, (size_t)rank * sizeof *input);
    return model;
}

static int bind(struct mc_binding *b, const struct mc_model *model, const struct mc_dataset *data, struct mc_error *err)
{
    return mc_binding_init(b, model, data, MC_LOSS_CROSS_ENTROPY, NULL, err);
}

static void check_shape(int rank, const int64_t *declared, int sample_rank, const int64_t *sample, const char *wanted)
{
    struct mc_error err = {0};
    struct mc_binding b;
    char text[128];
    const struct mc_dataset data = classes(sample_rank, sample, 3);
    struct mc_model *model = model_for(rank, declared, mc_shape_count(&data.sample), 3);
    const int rc = bind(&b, model, &data, &err);
    assert_string_equal(rc < 0 ? err.text : mc_shape_text(&b.shape, text, sizeof text), wanted);
    mc_model_destroy(model);
}

static void test_samples_fit_inputs_of_the_same_contents(void **state)
{
    const int64_t image[] = {1, 4, 5}, colour[] = {3, 4, 4}, flat[] = {20};
    check_shape(4, (const int64_t[]){-1, 1, 4, 5}, 3, image, "[?,1,4,5]");
    check_shape(4, (const int64_t[]){2, 1, 4, 5}, 3, image, "[2,1,4,5]");
    check_shape(4, (const int64_t[]){-1, -1, -1, -1}, 3, image, "[?,1,4,5]");
    check_shape(2, (const int64_t[]){-1, 20}, 3, image, "[?,20]"); /* flat for an image */
    check_shape(2, (const int64_t[]){-1, -1}, 3, image, "[?,20]");
    check_shape(4, (const int64_t[]){-1, 1, 4, 5}, 1, flat, "[?,1,4,5]");  /* and the other way round */
    check_shape(4, (const int64_t[]){-1, 4, 5, 1}, 3, image, "[?,4,5,1]"); /* one channel, last */
    check_shape(3, (const int64_t[]){-1, 4, 5}, 3, image, "[?,4,5]");      /* or none */
    check_shape(-1, NULL, 3, image, "[?,1,4,5]");
    check_shape(4, (const int64_t[]){-1, 4, 4, 3}, 3, colour,
                "input 'input': needs samples of shape [4,4,3], the data's are [3,4,4]"); /* colours in another order */
    check_shape(2, (const int64_t[]){-1, 21}, 3, image,
                "input 'input': needs samples of shape [21], the data's are [1,4,5]");
}

static void test_scores_are_found_through_softmax_and_reshape(void **state)
{
    struct mc_error err = {0};
    struct mc_binding b;
    const struct mc_dataset data = classes(1, (const int64_t[]){4}, 3);
    struct mc_model *model = model_for(2, (const int64_t[]){-1, 4}, 4, 3);
    struct mc_graph *graph = model->graph;
    struct mc_value *scores = graph->outputs[0], *soft = mc_value_create(graph, "soft"), *same;
    assert_non_null(mc_node_create(graph, -1, "", "Softmax", "s", 1, &scores, 1, &soft));
    same = mc_value_create(graph, "same");
    assert_non_null(mc_node_create(graph, -1, "", "Identity", "i", 1, &soft, 1, &same));
    graph->n_outputs = 0;
    assert_ok(mc_graph_add_output(graph, same, &err), err);
    mc_ops_bind(model);
    assert_ok(bind(&b, model, &data, &err), err);
    assert_ptr_equal(b.scores, scores);
    assert_true(b.tapped && !b.logistic);
    assert_int_equal(b.output, 1);
    assert_int_equal(b.columns, 3);
    assert_ok(mc_binding_init(&b, model, &data, MC_LOSS_MSE, NULL, &err), err); /* squared error is of probabilities */
    assert_ptr_equal(b.scores, same);
    mc_model_destroy(model);
}

/* A second output of other scores, found by its name alone. */
static void test_a_head_is_picked_by_its_name(void **state)
{
    struct mc_error err = {0};
    struct mc_binding b;
    const struct mc_dataset data = classes(1, (const int64_t[]){4}, 3);
    struct mc_model *model = model_for(2, (const int64_t[]){-1, 4}, 4, 3);
    struct mc_graph *graph = model->graph;
    struct mc_value *first = graph->outputs[0], *second = mc_value_create(graph, "second");
    assert_non_null(mc_node_create(graph, -1, "", "Relu", "r", 1, &first, 1, &second));
    second->type = first->type;
    assert_ok(mc_graph_add_output(graph, second, &err), err);
    mc_ops_bind(model);
    assert_ok(bind(&b, model, &data, &err), err);
    assert_ptr_equal(b.scores, first);
    assert_ok(mc_binding_init(&b, model, &data, MC_LOSS_CROSS_ENTROPY, "second", &err), err);
    assert_ptr_equal(b.scores, second);
    assert_int_equal(b.output, 1);
    assert_int_equal(mc_binding_init(&b, model, &data, MC_LOSS_CROSS_ENTROPY, "secnd", &err), MC_ERR_USAGE);
    assert_string_equal(err.text, "head 'secnd': none of the model's 2 outputs has that name; 'second' is one");
    mc_model_destroy(model);
}

static void test_one_score_serves_two_classes_only(void **state)
{
    struct mc_error err = {0};
    struct mc_binding b;
    const struct mc_dataset two = classes(1, (const int64_t[]){4}, 2), three = classes(1, (const int64_t[]){4}, 3);
    struct mc_model *model = model_for(2, (const int64_t[]){-1, 4}, 4, 1);
    assert_ok(bind(&b, model, &two, &err), err);
    assert_true(b.logistic);
    assert_int_equal(b.columns, 2);
    assert_int_equal(bind(&b, model, &three, &err), MC_ERR_INPUT);
    assert_string_equal(err.text, "output 'output': gives 1 numbers a sample, the data has 3 classes");
    mc_model_destroy(model);
}

static void test_inputs_that_data_cannot_fill_are_refused(void **state)
{
    struct mc_error err = {0};
    struct mc_binding b;
    const struct mc_dataset data = classes(1, (const int64_t[]){4}, 3);
    struct mc_model *model = model_for(2, (const int64_t[]){-1, 4}, 4, 3);
    model->graph->inputs[0]->type.dtype = MC_STRING;
    assert_int_equal(bind(&b, model, &data, &err), MC_ERR_UNSUPPORTED);
    assert_string_equal(err.text, "input 'input': samples are numbers, the model wants string");
    assert_ok(mc_graph_add_input(model->graph, mc_value_create(model->graph, "other"), &err), err);
    assert_int_equal(bind(&b, model, &data, &err), MC_ERR_UNSUPPORTED);
    assert_string_equal(err.text, "needs a model with one input, this one has 2");
    mc_model_destroy(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samples_fit_inputs_of_the_same_contents),
        cmocka_unit_test(test_a_head_is_picked_by_its_name),
        cmocka_unit_test(test_scores_are_found_through_softmax_and_reshape),
        cmocka_unit_test(test_one_score_serves_two_classes_only),
        cmocka_unit_test(test_inputs_that_data_cannot_fill_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
