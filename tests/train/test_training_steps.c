/* test_training_steps.c - ten steps of small models against PyTorch (tests/reference/training_steps.py): a residual
 * net, inverted residuals, a transformer, LSTM and GRU of two layers both ways, all as PyTorch exports them. And of
 * models of full size and the zoo's, where the folder that MC_FULL_SIZE_STEPS names has them. */
#include "test.h"

#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/file.h"
#include "onnx/onnx.h"
#include "op/ops.h"
#include "train/optimizer.h"
#include "train/parameters.h"
#include "train/pass.h"

enum { STEPS = 10, MOST_SAMPLES = 128 };

struct steps {
    const char *name;
    double rate;
    int samples;
    double losses[STEPS]; /* 0 behind the last that is compared */
};

static const struct steps all[] = {
#include "steps/training_steps.inc"
};

static const struct steps full_size[] = {
#include "steps/full_size.inc"
};

/* As noise() of the script. */
static void fill(float *out, int64_t n, uint32_t t)
{
    for (int64_t i = 0; i < n; i++) {
        uint32_t h = (uint32_t)i * 2654435769U + t * 40503U;
        h = (h ^ h >> 15) * 2246822519U;
        h = (h ^ h >> 13) * 3266489917U;
        out[i] = (float)((h ^ h >> 16) / 2147483648.0 - 1);
    }
}

static char *path_of(const char *folder, const char *name)
{
    char file[64];
    snprintf(file, sizeof file, "%s.onnx", name);
    return mc_path_join(folder, file);
}

static struct mc_model *load(const char *folder, const char *name)
{
    struct mc_error err = {0};
    struct mc_model *model;
    char *path = path_of(folder, name);
    assert_ok(mc_onnx_load(&model, path, &err), err);
    mc_free(path);
    mc_ops_bind(model);
    assert_ok(mc_parameters_untie(model, &err), err);
    assert_ok(mc_parameters_own(model, &err), err);
    return model;
}

/* A batch from that; whole numbers from 0 to 15 for a model that is fed such. */
static void fill_input(struct mc_pass *pass)
{
    const struct mc_tensor *input = mc_plan_input(pass->plan, 0);
    const int64_t n = mc_tensor_count(input);
    float *x = mc_pass_input(pass);
    fill(x, n, 100);
    for (int64_t i = 0; i < n && mc_dtype_is_integer(input->dtype); i++) x[i] = floorf((x[i] + 1) * 8);
}

static void follow(const char *folder, const struct steps *steps, int n_threads, bool use_onednn)
{
    const int n_samples = steps->samples;
    struct mc_error err = {0};
    struct mc_fit_options o = {.loss = MC_LOSS_CROSS_ENTROPY, .optimizer = MC_MOMENTUM, .momentum = 0.9};
    struct mc_model *model = load(folder, steps->name);
    struct mc_binding binding;
    struct mc_pass pass;
    struct mc_loss loss;
    struct mc_optimizer optimizer;
    struct mc_value **parameters;
    int n;
    mc_runtime_init(&o.runtime, n_threads, MC_CPU_AVX512);
    o.runtime.use_onednn = use_onednn && o.runtime.use_onednn;
    assert_ok(mc_trainable(model, &parameters, &n, &err), err);
    assert_ok(mc_binding_init(&binding, model, NULL, o.loss, NULL, &err), err);
    assert_ok(mc_pass_init(&pass, &binding, model, n_samples, parameters, n, &o.runtime, &err), err);
    assert_ok(mc_loss_init(&loss, &o, binding.loss, binding.columns, NULL, false, &err), err);
    assert_ok(mc_optimizer_init(&optimizer, &o, parameters, n, &err), err);
    int64_t labels[MOST_SAMPLES];
    for (int i = 0; i < n_samples; i++) labels[i] = (3 * i + 1) % binding.columns;
    const struct mc_targets targets = {.labels = labels};
    for (int k = 0; k < STEPS && steps->losses[k] > 0; k++) {
        double sum;
        fill_input(&pass);
        assert_ok(mc_pass_run(&pass, &loss, &targets, 1.0 / n_samples, k, &sum, &err), err);
        const double found = sum / n_samples;
        if (!(fabs(found - steps->losses[k]) <= 1e-4 * steps->losses[k]))
            fail_msg("%s: the loss of step %d is %.9g, not %.9g", steps->name, k + 1, found, steps->losses[k]);
        mc_optimizer_step(&optimizer, steps->rate, pass.gradients);
    }
    mc_optimizer_finish(&optimizer);
    mc_loss_finish(&loss);
    mc_pass_finish(&pass);
    mc_model_destroy(model);
}

static void test_ten_steps_follow_pytorch(void **state)
{
    for (size_t i = 0; i < MC_COUNT(all); i++) follow(MC_TRAINING_STEPS, &all[i], 1, true);
}

static void test_ten_steps_follow_pytorch_on_two_threads(void **state)
{
    for (size_t i = 0; i < MC_COUNT(all); i++) follow(MC_TRAINING_STEPS, &all[i], 2, true);
}

static void test_ten_steps_follow_pytorch_without_onednn(void **state)
{
    for (size_t i = 0; i < MC_COUNT(all); i++) follow(MC_TRAINING_STEPS, &all[i], 1, false);
}

static void test_ten_steps_of_full_size_follow_pytorch(void **state)
{
    const char *folder = getenv("MC_FULL_SIZE_STEPS");
    int n_found = 0;
    for (size_t i = 0; folder && i < MC_COUNT(full_size); i++) {
        char *path = path_of(folder, full_size[i].name);
        const bool found = mc_file_size(path) >= 0;
        mc_free(path);
        if (found) follow(folder, &full_size[i], 1, true);
        n_found += found;
    }
    if (n_found == 0) skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ten_steps_follow_pytorch),
        cmocka_unit_test(test_ten_steps_follow_pytorch_on_two_threads),
        cmocka_unit_test(test_ten_steps_follow_pytorch_without_onednn),
        cmocka_unit_test(test_ten_steps_of_full_size_follow_pytorch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
