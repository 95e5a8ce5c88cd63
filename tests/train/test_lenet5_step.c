/* test_lenet5_step.c - one whole training step of LeNet-5 against PyTorch (tests/reference/lenet5_step.py). */
#include "test.h"

#include <math.h>

#include "train/optimizer.h"
#include "train/pass.h"

/* Sum, sum of squares and eight elements of a tensor. */
struct expectation {
    const char *name;
    double sum, squares, elements[8];
};

#include "lenet5_step.inc"

enum { BATCH = 8, PARAMETERS = 8 };

/* As noise() and fill() of the script. */
static void fill(float *out, int64_t n, uint32_t t, double scale)
{
    for (int64_t i = 0; i < n; i++) {
        uint32_t h = (uint32_t)i * 2654435769U + t * 40503U;
        h = (h ^ h >> 15) * 2246822519U;
        h = (h ^ h >> 13) * 3266489917U;
        out[i] = (float)(scale * ((h ^ h >> 16) / 2147483648.0 - 1));
    }
}

/* Everything within 1e-5 of PyTorch's double precision: elements relative to the tensor's root mean square, the sum to
 * what a sum of that many such elements may be. */
static void compare(const struct expectation *e, const float *got, int64_t n)
{
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < n; i++) {
        sum += got[i];
        squares += (double)got[i] * got[i];
    }
    const double size = sqrt(e->squares / (double)n);
    if (!(fabs(squares - e->squares) <= 1e-5 * e->squares))
        fail_msg("%s: sum of squares %.9g is not %.9g", e->name, squares, e->squares);
    if (!(fabs(sum - e->sum) <= 1e-5 * size * (double)n)) fail_msg("%s: sum %.9g is not %.9g", e->name, sum, e->sum);
    for (int k = 0; k < 8; k++) {
        const double value = got[(n - 1) * k / 7], difference = fabs(value - e->elements[k]);
        if (!(difference <= 1e-5 * fmax(size, fabs(e->elements[k]))))
            fail_msg("%s: element %d is %.9g, not %.9g", e->name, k, value, e->elements[k]);
    }
}

static struct mc_model *make_model(void)
{
    static const double scales[PARAMETERS] = {0.2, 0.1, 0.06, 0.1, 0.05, 0.1, 0.06, 0.1};
    struct mc_error err = {0};
    struct mc_model *model;
    const struct mc_dataset images = {
        .sample = {.rank = 3, .dim = {1, 28, 28}}, .task = MC_TASK_CLASSIFICATION, .n_classes = 10};
    assert_ok(mc_architecture_create(&model, "lenet-5", &images, 1, &err), err);
    assert_int_equal(model->graph->n_initializers, PARAMETERS);
    for (int t = 0; t < PARAMETERS; t++) {
        const struct mc_tensor *w = model->graph->initializers[t]->data;
        fill(w->data, mc_tensor_count(w), (uint32_t)t, scales[t]);
    }
    return model;
}

static void step_with(bool use_onednn, int n_threads)
{
    struct mc_error err = {0};
    struct mc_fit_options o = {.loss = MC_LOSS_CROSS_ENTROPY, .optimizer = MC_MOMENTUM, .momentum = 0.9};
    mc_runtime_init(&o.runtime, n_threads, MC_CPU_AVX512);
    o.runtime.use_onednn = use_onednn && o.runtime.use_onednn;
    struct mc_model *model = make_model();
    struct mc_binding binding;
    struct mc_pass pass;
    struct mc_loss loss;
    struct mc_optimizer optimizer;
    struct mc_value **parameters;
    int n;
    assert_ok(mc_trainable(model, &parameters, &n, &err), err);
    assert_int_equal(n, PARAMETERS);
    assert_ok(mc_binding_init(&binding, model, NULL, o.loss, NULL, &err), err);
    assert_ok(mc_pass_init(&pass, &binding, model, BATCH, parameters, n, &o.runtime, &err), err);
    assert_ok(mc_loss_init(&loss, &o, binding.loss, 10, NULL, false, &err), err);
    assert_ok(mc_optimizer_init(&optimizer, &o, parameters, n, &err), err);

    int64_t labels[BATCH];
    for (int i = 0; i < BATCH; i++) labels[i] = (3 * i + 1) % 10;
    fill(mc_pass_input(&pass), BATCH * 784, 100, 1);
    const struct mc_targets targets = {.labels = labels};
    double sum;
    assert_ok(mc_pass_run(&pass, &loss, &targets, 1.0 / BATCH, 0, &sum, &err), err);
    assert_true(fabs(sum / BATCH - expected_loss) <= 1e-5 * expected_loss);
    for (int t = 0; t < n; t++)
        compare(&expected_gradients[t], pass.gradients[t], mc_tensor_count(parameters[t]->data));
    mc_optimizer_step(&optimizer, 0.01, pass.gradients);
    for (int t = 0; t < n; t++)
        compare(&expected_weights[t], parameters[t]->data->data, mc_tensor_count(parameters[t]->data));

    mc_optimizer_finish(&optimizer);
    mc_loss_finish(&loss);
    mc_pass_finish(&pass);
    mc_model_destroy(model);
}

static void test_a_step_of_lenet5_agrees_with_pytorch(void **state)
{
    step_with(true, 1);
}

static void test_a_step_of_lenet5_agrees_with_pytorch_on_two_threads(void **state)
{
    step_with(true, 2);
}

static void test_a_step_of_lenet5_agrees_with_pytorch_without_onednn(void **state)
{
    step_with(false, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_step_of_lenet5_agrees_with_pytorch),
        cmocka_unit_test(test_a_step_of_lenet5_agrees_with_pytorch_on_two_threads),
        cmocka_unit_test(test_a_step_of_lenet5_agrees_with_pytorch_without_onednn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
