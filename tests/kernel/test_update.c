/* test_update.c - optimizer steps and losses: numbers of PyTorch 2.15, finite differences, all instruction sets alike.
 */
#include "kernel/update.h"

#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "kernel/kernels.h"
#include "test.h"

#define N 5
#define COUNT(array) (int)(sizeof(array) / sizeof((array)[0]))

static const struct mc_updates *updates(void)
{
    return mc_kernels_for(mc_cpu_detect())->updates;
}

static void assert_near(const float *got, const float *want, int n, double tolerance)
{
    for (int i = 0; i < n; i++)
        if (!(fabs((double)got[i] - (double)want[i]) <= tolerance))
            fail_msg("element %d: %.9g, not %.9g", i, (double)got[i], (double)want[i]);
}

/* Three steps from one start with given gradients, weight decay 0.01; torch.optim 2.15 */
static void expect_steps(mc_update_fn *step, struct mc_update u, const float *want)
{
    static const float gradients[3][N] = {
        {0.1f, -0.2f, 0.3f, -0.4f, 0.5f}, {0.2f, 0.1f, -0.3f, 0.05f, 0}, {-.15f, .25f, .1f, .2f, -.3f}};
    float w[N] = {0.5f, -0.25f, 0, 1.5f, -2}, m[N] = {0}, v[N] = {0};
    u.l2 = 0.01f;
    for (int t = 0; t < 3; t++) {
        u.correction1 = (float)(1 - pow((double)u.beta1, t + 1));
        u.correction2 = (float)(1 - pow((double)u.beta2, t + 1));
        step(N, w, gradients[t], m, v, NULL, &u);
    }
    assert_near(w, want, N, 1e-6);
}

static void test_sgd_steps_as_pytorch(void **state)
{
    static const float want[N] = {0.48354146f, -0.26428071f, -0.0099700307f, 1.5104295f, -2.0139062f};
    expect_steps(updates()->sgd, (struct mc_update){.scale = 1, .limit = INFINITY, .rate = 0.1f}, want);
}

static void test_momentum_steps_as_pytorch(void **state)
{
    static const float want[N] = {0.44715539f, -0.23846467f, -0.034216035f, 1.5703452f, -2.0940998f};
    expect_steps(updates()->momentum, (struct mc_update){.scale = 1, .limit = INFINITY, .rate = 0.1f, .momentum = 0.9f},
                 want);
}

static void test_rmsprop_steps_as_pytorch(void **state)
{
    static const float want[N] = {0.36514422f, -0.26826483f, -0.052000426f, 1.5342909f, -2.0396733f};
    expect_steps(updates()->rmsprop,
                 (struct mc_update){.scale = 1, .limit = INFINITY, .rate = 0.01f, .beta2 = 0.99f, .epsilon = 1e-8f},
                 want);
}

static void test_adam_steps_as_pytorch(void **state)
{
    static const float want[N] = {0.4774192f, -0.24046606f, -0.010541843f, 1.5159246f, -2.0169585f};
    expect_steps(updates()->adam,
                 (struct mc_update){
                     .scale = 1, .limit = INFINITY, .rate = 0.01f, .beta1 = 0.9f, .beta2 = 0.99f, .epsilon = 1e-8f},
                 want);
}

static void test_masked_weights_are_zero_after_a_step(void **state)
{
    enum { MANY = 2500 }; /* more than two blocks */
    static float w[MANY], g[MANY], m[MANY], v[MANY];
    static unsigned char mask[MANY];
    const struct mc_updates *all = updates();
    mc_update_fn *const steps[] = {all->sgd,     all->momentum, all->nesterov, all->adagrad,
                                   all->rmsprop, all->adam,     all->lion};
    const struct mc_update u = {.scale = 1,
                                .limit = INFINITY,
                                .rate = 0.1f,
                                .momentum = .5f,
                                .beta1 = .9f,
                                .beta2 = .9f,
                                .epsilon = 1e-8f,
                                .correction1 = 1,
                                .correction2 = 1};
    for (int k = 0; k < COUNT(steps); k++) {
        for (int i = 0; i < MANY; i++) w[i] = 2, g[i] = 1, m[i] = v[i] = 0, mask[i] = i % 3 != 0;
        steps[k](MANY, w, g, m, v, mask, &u);
        for (int i = 0; i < MANY; i++) assert_true(mask[i] ? w[i] != 0 && w[i] < 2 : w[i] == 0);
    }
}

static void test_l1_pulls_towards_zero_and_leaves_zero_alone(void **state)
{
    float w[3] = {1, -1, 0};
    const float g[3] = {0}, want[3] = {0.95f, -0.95f, 0};
    updates()->sgd(3, w, g, NULL, NULL, NULL,
                   &(struct mc_update){.scale = 1, .limit = INFINITY, .rate = 0.1f, .l1 = 0.5f});
    assert_near(w, want, 3, 1e-7);
}

static void test_shrink_thresholds_softly(void **state)
{
    float x[6] = {1, -1, 0.3f, -0.3f, 0, NAN};
    const float want[5] = {0.5f, -0.5f, 0, 0, 0};
    updates()->shrink(6, 0.5f, x);
    assert_near(x, want, 5, 0);
    assert_true(isnan(x[5]));
}

static void test_vector_loops_compute(void **state)
{
    float x[3] = {1, -2, 3}, y[3] = {10, 20, 30};
    const float sum[3] = {12, 16, 36}, scaled[3] = {-1, 2, -3};
    updates()->axpy(3, 2, x, y);
    assert_near(y, sum, 3, 0);
    updates()->scale(3, -1, x);
    assert_near(x, scaled, 3, 0);
    assert_true(updates()->sum_of_squares(3, x) == 14 && updates()->sum_of_magnitudes(3, x) == 6);
}

/* --- losses --- */

static const float scores[6] = {1, 2, -1, 0.5f, -3, 40};
static const float teacher[6] = {0, 1, 3, 2, -100, 1};
static const int64_t labels[2] = {2, 0};

static void test_cross_entropy_and_its_gradient_are_those_of_pytorch(void **state)
{
    static const float want[6] = {0.12974824011f, 0.35269227624f, -0.48244047165f, -0.5f, 1.0575655e-19f, 0.5f};
    float dz[6];
    assert_true(fabs(updates()->cross_entropy(2, 3, scores, labels, 0.5f, dz) - 42.8490104675) < 1e-5);
    assert_near(dz, want, 6, 1e-7);
    assert_true(fabs(updates()->cross_entropy(2, 3, scores, labels, 0.5f, NULL) - 42.8490104675) < 1e-5);
    memcpy(dz, scores, sizeof(dz)); /* in place */
    assert_true(fabs(updates()->cross_entropy(2, 3, dz, labels, 0.5f, dz) - 42.8490104675) < 1e-5);
    assert_near(dz, want, 6, 1e-7);
}

static void test_distillation_and_its_gradient_are_those_of_pytorch(void **state)
{
    static const float want[6] = {0.023906821f, 0.039415687f, -0.063322507f, -0.077807419f, 5.7e-11f, 0.077807412f};
    float dz[6] = {0, 0, 0, 1, 1, 1}, scratch[6];
    assert_true(fabs(updates()->distil(2, 3, scores, teacher, 2, 0.25f, dz, scratch) - 12.341815948) < 1e-5);
    for (int i = 3; i < 6; i++) dz[i] -= 1; /* it was added */
    assert_near(dz, want, 6, 1e-7);
    assert_true(fabs(updates()->distil(2, 3, scores, scores, 2, 0.25f, NULL, scratch)) < 1e-7);
}

static void test_loss_gradients_match_finite_differences(void **state)
{
    float z[6], dz[6] = {0}, dk[6] = {0}, scratch[6];
    const double h = 0.01;
    memcpy(z, scores, sizeof(z));
    z[5] = 2; /* where the loss is curved */
    updates()->cross_entropy(2, 3, z, labels, 1, dz);
    updates()->distil(2, 3, z, teacher, 3, 1, dk, scratch);
    for (int i = 0; i < 6; i++) {
        const float at = z[i];
        double ce[2], kl[2];
        for (int side = 0; side < 2; side++) {
            z[i] = at + (float)(side ? h : -h);
            ce[side] = updates()->cross_entropy(2, 3, z, labels, 1, NULL);
            kl[side] = updates()->distil(2, 3, z, teacher, 3, 1, NULL, scratch);
        }
        z[i] = at;
        assert_true(fabs((ce[1] - ce[0]) / (2 * h) - (double)dz[i]) < 1e-4);
        assert_true(fabs((kl[1] - kl[0]) / (2 * h) - (double)dk[i]) < 1e-4);
    }
}

static void test_squared_error_sums_and_differentiates(void **state)
{
    const float y[3] = {1, 2, 3}, t[3] = {0, 4, 3}, want[3] = {1, -2, 0};
    float dy[3];
    assert_true(updates()->squared_error(3, y, t, 0.5f, dy) == 5);
    assert_near(dy, want, 3, 0);
    assert_true(updates()->squared_error(3, y, t, 0.5f, NULL) == 5);
}

/* --- instruction sets --- */

enum { MANY = 1100, CLASSES = 37, ROWS = MANY / CLASSES, STEPS = 8 };

struct outcome {
    float w[STEPS][MANY], m[STEPS][MANY], v[STEPS][MANY], ce[MANY], kl[MANY], axpy[MANY], more[4][MANY];
    double sums[11];
};

static void draw(float *x, uint64_t stream)
{
    struct mc_rng rng;
    mc_rng_init(&rng, 3, stream);
    for (int i = 0; i < MANY; i++) x[i] = (float)mc_rng_normal(&rng);
}

static void run_all(const struct mc_updates *u, struct outcome *o)
{
    static float g[MANY];
    float scratch[2 * CLASSES];
    int64_t classes[ROWS];
    unsigned char mask[MANY];
    mc_update_fn *const steps[STEPS] = {u->sgd,     u->momentum, u->rmsprop, u->adam,
                                        u->adagrad, u->nesterov, u->lion,    u->lamb};
    const struct mc_update update = {.rate = 0.1f,
                                     .scale = 0.9f,
                                     .limit = 1.5f,
                                     .decay = 0.05f,
                                     .trust = 0.7f,
                                     .momentum = .5f,
                                     .beta1 = .9f,
                                     .beta2 = .99f,
                                     .l1 = .01f,
                                     .epsilon = .1f,
                                     .correction1 = 0.1f,
                                     .correction2 = .2f,
                                     .l2 = .02f};
    memset(o, 0, sizeof(*o));
    draw(g, 1);
    for (int i = 0; i < MANY; i++) mask[i] = i % 4 != 0;
    for (int i = 0; i < ROWS; i++) classes[i] = i % CLASSES;
    for (int k = 0; k < STEPS; k++) {
        draw(o->w[k], 2);
        if (k == 7) u->lamb_moments(MANY, o->w[k], g, o->m[k], o->v[k], mask, &update, &o->sums[5], &o->sums[6]);
        steps[k](MANY, o->w[k], g, o->m[k], o->v[k], k % 2 ? mask : NULL, &update);
    }
    o->sums[0] = u->cross_entropy(ROWS, CLASSES, g, classes, 0.1f, o->ce);
    o->sums[1] = u->distil(ROWS, CLASSES, g, o->w[0], 2, 0.1f, o->kl, scratch);
    o->sums[2] = u->squared_error(MANY, g, o->w[0], 0.1f, NULL);
    o->sums[3] = u->sum_of_squares(MANY, g);
    o->sums[4] = u->sum_of_magnitudes(MANY, g);
    o->sums[7] = u->soft_cross_entropy(ROWS, CLASSES, g, o->w[0], 0.1f, o->more[0]);
    o->sums[8] = u->binary_cross_entropy(MANY, g, o->w[0], 0.1f, o->more[1]);
    o->sums[9] = u->absolute_error(MANY, g, o->w[0], 0.1f, o->more[2]);
    o->sums[10] = u->huber(MANY, g, o->w[0], 0.7f, 0.1f, o->more[3]);
    u->axpy(MANY, 0.3f, g, o->axpy);
    u->average(MANY, 0.3f, g, o->axpy);
    u->shrink(MANY, 0.1f, o->axpy);
}

static void test_every_instruction_set_gives_the_same_bits(void **state)
{
    static struct outcome reference, ours;
    run_all(mc_kernels_for(MC_CPU_PORTABLE)->updates, &reference);
    for (enum mc_cpu cpu = MC_CPU_AVX2; cpu <= mc_cpu_detect(); cpu++) {
        run_all(mc_kernels_for(cpu)->updates, &ours);
        assert_memory_equal(&ours, &reference, sizeof(ours));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sgd_steps_as_pytorch),
        cmocka_unit_test(test_momentum_steps_as_pytorch),
        cmocka_unit_test(test_rmsprop_steps_as_pytorch),
        cmocka_unit_test(test_adam_steps_as_pytorch),
        cmocka_unit_test(test_masked_weights_are_zero_after_a_step),
        cmocka_unit_test(test_l1_pulls_towards_zero_and_leaves_zero_alone),
        cmocka_unit_test(test_shrink_thresholds_softly),
        cmocka_unit_test(test_vector_loops_compute),
        cmocka_unit_test(test_cross_entropy_and_its_gradient_are_those_of_pytorch),
        cmocka_unit_test(test_distillation_and_its_gradient_are_those_of_pytorch),
        cmocka_unit_test(test_loss_gradients_match_finite_differences),
        cmocka_unit_test(test_squared_error_sums_and_differentiates),
        cmocka_unit_test(test_every_instruction_set_gives_the_same_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
