/* test_optimizer.c - five steps against PyTorch 2.15.0 and timm 1.0.31 (tests/reference/train_numbers.py), penalties,
 * masks, clipping, threads.
 */
#include "test.h"

#include <math.h>
#include <string.h>

#include "kernel/kernels.h"
#include "train/optimizer.h"

enum { STEPS = 5, N = 4 };

static const struct {
    enum mc_optimizer_kind kind;
    double l2, decay;
    float after[STEPS][N];
} references[] = {
    {
        MC_SGD,
        0,
        0,
        {
            {0.415852902, -1.090929743, 1.985887999, -0.174319750},
            {0.511745329, -1.062988193, 1.920189339, -0.273255575},
            {0.470533480, -1.008586082, 2.020188360, -0.219598283},
            {0.428516777, -1.107646817, 1.955159576, -0.190807952},
            {0.524656526, -1.032548093, 1.940171855, -0.282102477},
        },
    },
    {
        MC_SGD,
        0.3,
        0,
        {
            {0.400852902, -1.060929743, 1.925887999, -0.166819750},
            {0.484719742, -1.001160301, 1.802412699, -0.260750983},
            {0.428966301, -0.916723380, 1.848339339, -0.199271161},
            {0.374080608, -0.988282415, 1.727860375, -0.164502695},
            {0.458997939, -0.883535218, 1.661036843, -0.250862139},
        },
    },
    {
        MC_MOMENTUM,
        0,
        0,
        {
            {0.415852902, -1.090929743, 1.985887999, -0.174319750},
            {0.436012940, -1.144824961, 1.907488539, -0.205143351},
            {0.412945127, -1.138928547, 1.936928045, -0.179227299},
            {0.350167391, -1.232682510, 1.898394816, -0.127112521},
            {0.389807178, -1.241962351, 1.848727190, -0.171503745},
        },
    },
    {
        MC_MOMENTUM,
        0.3,
        0,
        {
            {0.400852902, -1.060929743, 1.925887999, -0.166819750},
            {0.395487353, -1.055997069, 1.735711899, -0.185888758},
            {0.337581891, -0.965475640, 1.612481072, -0.143816910},
            {0.233322814, -0.954102819, 1.388170111, -0.072847408},
            {0.228629710, -0.840145472, 1.129657423, -0.098083959},
        },
    },
    {
        MC_RMSPROP,
        0,
        0,
        {
            {-0.499988116, -1.999989003, 1.000070857, 0.749986787},
            {0.253285179, -1.704908787, 0.022170243, -0.045743875},
            {-0.056115921, -1.204867644, 0.853523837, 0.352172905},
            {-0.358324666, -1.879967312, 0.376099322, 0.561978588},
            {0.212365526, -1.422555617, 0.266179150, 0.006139078},
        },
    },
    {
        MC_RMSPROP,
        0.3,
        0,
        {
            {-0.499989914, -1.999983588, 1.000013493, 0.749987978},
            {0.247148876, -1.176670551, 0.207899726, -0.076340158},
            {-0.065604528, -0.531674825, 0.822925958, 0.281016469},
            {-0.316223436, -1.046553957, 0.313848864, 0.410614896},
            {0.237126382, -0.493928493, 0.176009140, -0.141886365},
        },
    },
    {
        MC_ADAM,
        0,
        0,
        {
            {0.400000119, -1.099999890, 1.900000709, -0.150000132},
            {0.411758174, -1.142258647, 1.813358449, -0.168406658},
            {0.400744680, -1.138811994, 1.828923114, -0.156184405},
            {0.374681276, -1.175692449, 1.812593536, -0.134262821},
            {0.387401898, -1.178748038, 1.792901287, -0.148873873},
        },
    },
    {
        MC_ADAM,
        0.3,
        0,
        {
            {0.400000101, -1.099999836, 1.900000135, -0.150000120},
            {0.396938511, -1.094727005, 1.801768254, -0.161573396},
            {0.370507018, -1.046455464, 1.748860340, -0.142725589},
            {0.329591053, -1.039901424, 1.679005148, -0.114161920},
            {0.326909442, -1.002573311, 1.605394619, -0.122313202},
        },
    },
    {
        MC_NESTEROV,
        0,
        0,
        {
            {0.340120513, -1.172766511, 1.973187198, -0.106207526},
            {0.454156975, -1.193330658, 1.836929024, -0.232884591},
            {0.392184095, -1.133621774, 1.963423600, -0.155902852},
            {0.293667429, -1.317061076, 1.863714911, -0.080209220},
            {0.425482986, -1.250314209, 1.804026326, -0.211455847},
        },
    },
    {
        MC_NESTEROV,
        0.3,
        0,
        {
            {0.311620513, -1.115766511, 1.859187198, -0.091957526},
            {0.395744606, -1.048431967, 1.568355354, -0.207318012},
            {0.292706904, -0.879979335, 1.516535426, -0.110817079},
            {0.151232710, -0.943698104, 1.212246758, -0.016837184},
            {0.243669314, -0.739171408, 0.940284584, -0.133658517},
        },
    },
    {
        MC_ADAGRAD,
        0,
        0,
        {
            {0.400000119, -1.099999890, 1.900000709, -0.150000132},
            {0.475163950, -1.070626709, 1.802230904, -0.229426770},
            {0.444424700, -1.020982307, 1.885231819, -0.189864638},
            {0.414519338, -1.088041494, 1.837733956, -0.169099879},
            {0.470991295, -1.042723458, 1.826851744, -0.224094077},
        },
    },
    {
        MC_ADAGRAD,
        0.3,
        0,
        {
            {0.400000101, -1.099999836, 1.900000135, -0.150000120},
            {0.464593704, -1.029282392, 1.814402947, -0.225041167},
            {0.425508572, -0.958942018, 1.844697587, -0.181766514},
            {0.389316060, -1.009099590, 1.782215526, -0.157942094},
            {0.438043331, -0.949003190, 1.748733000, -0.209530535},
        },
    },
    {
        MC_ADAMW,
        0,
        0.3,
        {
            {0.385000119, -1.069999890, 1.840000709, -0.142500132},
            {0.385208170, -1.080158650, 1.698158427, -0.156631654},
            {0.362638431, -1.044307238, 1.662778340, -0.139710451},
            {0.325695875, -1.049858476, 1.596565412, -0.113597554},
            {0.328645621, -1.021418311, 1.528976201, -0.124800679},
        },
    },
    {
        MC_LAMB,
        0,
        0.3,
        {
            {0.387264913, -1.068621321, 1.843151715, -0.144617222},
            {0.387477555, -1.084102074, 1.627733719, -0.165968288},
            {0.307526986, -0.957066916, 1.510242585, -0.105218015},
            {0.222881877, -0.976659849, 1.362399721, -0.045065339},
            {0.237983342, -0.910979528, 1.210828032, -0.078248335},
        },
    },
    {
        MC_LION,
        0,
        0.3,
        {
            {0.385000000, -1.070000000, 1.840000000, -0.142500000},
            {0.473450000, -0.937900000, 1.684800000, -0.238225000},
            {0.359246500, -0.809763000, 1.734256000, -0.131078250},
            {0.248469105, -0.885470110, 1.582228320, -0.027145902},
            {0.341015032, -0.758906007, 1.434761470, -0.126331525},
        },
    },
};

static struct mc_fit_options plain(enum mc_optimizer_kind kind)
{
    struct mc_fit_options o = {
        .optimizer = kind,
        .momentum = 0.9,
        .beta1 = 0.9,
        .beta2 = 0.99,
        .epsilon = 1e-6,
        .huber_delta = 1,
    };
    mc_runtime_init(&o.runtime, 1, MC_CPU_AVX512);
    return o;
}

/* A parameter outside of any graph. */
static struct mc_value make_parameter(int rank, int64_t n, const float *w)
{
    struct mc_error err = {0};
    struct mc_value value = {.name = "w"};
    struct mc_shape shape = {.rank = rank, .dim = {1, 1, 1}};
    shape.dim[rank - 1] = n;
    assert_ok(mc_tensor_create(&value.data, MC_FLOAT, &shape, &err), err);
    memcpy(value.data->data, w, (size_t)n * sizeof *w);
    return value;
}

static const float *weights(const struct mc_value *value)
{
    return value->data->data;
}

static void test_first_steps_agree_with_pytorch(void **state)
{
    const float start[N] = {0.5F, -1, 2, -0.25F};
    for (size_t r = 0; r < sizeof references / sizeof *references; r++) {
        struct mc_error err = {0};
        struct mc_fit_options o = plain(references[r].kind);
        o.l2 = references[r].l2;
        o.decay = references[r].decay;
        struct mc_value w = make_parameter(2, N, start), *list[] = {&w};
        struct mc_optimizer optimizer;
        assert_ok(mc_optimizer_init(&optimizer, &o, list, 1, &err), err);
        for (int t = 0; t < STEPS; t++) {
            float g[N];
            for (int i = 0; i < N; i++) g[i] = (float)sin(4 * t + i + 1);
            const float *gradients[] = {g};
            mc_optimizer_step(&optimizer, 0.1, gradients);
            for (int i = 0; i < N; i++)
                if (fabsf(weights(&w)[i] - references[r].after[t][i]) > 2e-6F)
                    fail_msg("row %zu step %d: %.9g is not %.9g", r, t, weights(&w)[i], references[r].after[t][i]);
        }
        mc_optimizer_finish(&optimizer);
        mc_tensor_destroy(w.data);
    }
}

/* As above; SGD with the gradients clipped. */
static void test_clipped_gradients_step_as_pytorch(void **state)
{
    static const struct {
        double norm, value;
        float after[N];
    } cases[] = {
        {1, 0, {0.503200663F, -1.031006040F, 1.963294067F, -0.258658560F}},
        {0, 0.5, {0.466771448F, -0.972058450F, 1.920900278F, -0.221209668F}},
    };
    const float start[N] = {0.5F, -1, 2, -0.25F};
    for (int k = 0; k < 2; k++) {
        struct mc_error err = {0};
        struct mc_fit_options o = plain(MC_SGD);
        o.clip_norm = cases[k].norm;
        o.clip_value = cases[k].value;
        struct mc_value w = make_parameter(2, N, start), *list[] = {&w};
        struct mc_optimizer optimizer;
        assert_ok(mc_optimizer_init(&optimizer, &o, list, 1, &err), err);
        for (int t = 0; t < STEPS; t++) {
            float g[N];
            for (int i = 0; i < N; i++) g[i] = (float)sin(4 * t + i + 1);
            const float *gradients[] = {g};
            mc_optimizer_step(&optimizer, 0.1, gradients);
        }
        for (int i = 0; i < N; i++) assert_true(fabsf(weights(&w)[i] - cases[k].after[i]) < 1e-6F);
        mc_optimizer_finish(&optimizer);
        mc_tensor_destroy(w.data);
    }
}

/* What a mask holds at zero has gradients too, and they are no part of the norm. */
static void test_the_norm_leaves_masked_weights_out(void **state)
{
    struct mc_error err = {0};
    const float start[N] = {1, 0, 1, 0}, g[N] = {3, 100, 4, -100}, *gradients[] = {g};
    struct mc_value w = make_parameter(2, N, start), *list[] = {&w};
    const unsigned char keep[N] = {1, 0, 1, 0}, *masks[] = {keep};
    const struct mc_value *masked[] = {&w};
    struct mc_fit_options o = plain(MC_SGD);
    o.n_masks = 1;
    o.masked = masked;
    o.masks = masks;
    o.clip_norm = 2.5;
    struct mc_optimizer optimizer;
    assert_ok(mc_optimizer_init(&optimizer, &o, list, 1, &err), err);
    mc_optimizer_step(&optimizer, 0.1, gradients);
    assert_true(fabsf(weights(&w)[0] - 0.85F) < 1e-6F && fabsf(weights(&w)[2] - 0.8F) < 1e-6F);
    mc_optimizer_finish(&optimizer);
    mc_tensor_destroy(w.data);
}

static void test_only_weights_are_penalized(void **state)
{
    struct mc_error err = {0};
    struct mc_fit_options o = plain(MC_SGD);
    o.l1 = 0.5;
    o.l2 = 0.25;
    const float start[] = {2, -2};
    struct mc_value weight = make_parameter(2, 2, start), bias = make_parameter(1, 2, start);
    struct mc_value *list[] = {&weight, &bias};
    struct mc_optimizer optimizer;
    assert_ok(mc_optimizer_init(&optimizer, &o, list, 2, &err), err);
    assert_true(fabs(mc_optimizer_penalty(&optimizer) - (0.5 * 4 + 0.125 * 8)) < 1e-12);
    const float zero[2] = {0}, *gradients[] = {zero, zero};
    mc_optimizer_step(&optimizer, 0.5, gradients);
    assert_true(weights(&weight)[0] == 2 - 0.5F * (0.25F * 2) - 0.5F * 0.5F);
    assert_true(weights(&weight)[1] == -weights(&weight)[0]);
    assert_memory_equal(weights(&bias), start, sizeof start);
    mc_optimizer_finish(&optimizer);
    mc_tensor_destroy(weight.data);
    mc_tensor_destroy(bias.data);
}

/* Minimum of (w - c)^2 / 2 + l1 |w| is c shortened by l1: for every optimizer the place where it comes to rest, and
 * exactly zero where |c| < l1. */
static void test_l1_comes_to_rest_at_the_penalized_minimum(void **state)
{
    static const enum mc_optimizer_kind kinds[] = {MC_SGD,     MC_MOMENTUM, MC_NESTEROV, MC_ADAGRAD,
                                                   MC_RMSPROP, MC_ADAM,     MC_LAMB};
    const float centre[N] = {1, -1, 0.25F, -0.125F}, start[N] = {0.5F, 0.5F, 0.5F, 0};
    const float wanted[N] = {0.5F, -0.5F, 0, 0};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        struct mc_error err = {0};
        struct mc_fit_options o = plain(kinds[k]);
        o.l1 = 0.5;
        struct mc_value w = make_parameter(2, N, start), *list[] = {&w};
        struct mc_optimizer optimizer;
        assert_ok(mc_optimizer_init(&optimizer, &o, list, 1, &err), err);
        for (int t = 0; t < 4000; t++) {
            float g[N];
            for (int i = 0; i < N; i++) g[i] = weights(&w)[i] - centre[i];
            const float *gradients[] = {g};
            mc_optimizer_step(&optimizer, (kinds[k] == MC_ADAGRAD ? 0.5 : 0.02) * (1 - t / 4000.0), gradients);
            assert_true(weights(&w)[3] == 0); /* zero stays zero */
        }
        for (int i = 0; i < N; i++)
            if (fabsf(weights(&w)[i] - wanted[i]) > 2e-3F) fail_msg("optimizer %zu: %g", k, weights(&w)[i]);
        assert_true(weights(&w)[2] == 0);
        mc_optimizer_finish(&optimizer);
        mc_tensor_destroy(w.data);
    }
}

static void test_masked_weights_are_zero_and_stay_so(void **state)
{
    static const enum mc_optimizer_kind kinds[] = {MC_SGD,     MC_MOMENTUM, MC_NESTEROV, MC_ADAGRAD, MC_LAMB,
                                                   MC_RMSPROP, MC_ADAM,     MC_ADAMW,    MC_LION};
    const float start[N] = {1, 2, 3, 4};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        struct mc_error err = {0};
        struct mc_value w = make_parameter(2, N, start), *list[] = {&w};
        unsigned char keep[N] = {1, 0, 1, 0};
        const struct mc_value *masked[] = {&w};
        const unsigned char *masks[] = {keep};
        struct mc_fit_options o = plain(kinds[k]);
        o.n_masks = 1;
        o.masked = masked;
        o.masks = masks;
        o.l2 = 0.1;
        struct mc_optimizer optimizer;
        assert_ok(mc_optimizer_init(&optimizer, &o, list, 1, &err), err);
        for (int t = 0; t < 3; t++) {
            if (t == 2) keep[0] = 0; /* a schedule may move on */
            const float g[N] = {0.5F, -0.5F, 0.25F, 1}, *gradients[] = {g};
            mc_optimizer_step(&optimizer, 0.1, gradients);
            assert_true(weights(&w)[1] == 0 && weights(&w)[3] == 0);
            assert_true((weights(&w)[0] == 0) == (t == 2));
            assert_true(weights(&w)[2] != 3 && weights(&w)[2] != 0);
        }
        mc_optimizer_finish(&optimizer);
        mc_tensor_destroy(w.data);
    }
}

static void test_a_parameter_without_gradient_stays(void **state)
{
    struct mc_error err = {0};
    const float start[N] = {1, 2, 3, 4};
    struct mc_value a = make_parameter(2, N, start), b = make_parameter(2, N, start), *list[] = {&a, &b};
    struct mc_fit_options o = plain(MC_ADAM);
    o.l2 = 0.1;
    struct mc_optimizer optimizer;
    assert_ok(mc_optimizer_init(&optimizer, &o, list, 2, &err), err);
    const float g[N] = {1, 1, 1, 1}, *gradients[] = {NULL, g};
    mc_optimizer_step(&optimizer, 0.1, gradients);
    assert_memory_equal(weights(&a), start, sizeof start);
    assert_true(weights(&b)[0] < 1);
    mc_optimizer_finish(&optimizer);
    mc_tensor_destroy(a.data);
    mc_tensor_destroy(b.data);
}

/* Large enough for several ranges; every instruction set and number of threads gives the same bits. */
static void test_threads_and_instruction_sets_give_the_same_bits(void **state)
{
    enum { LARGE = 100003 };
    static float start[LARGE], g[LARGE], reference[LARGE];
    for (int i = 0; i < LARGE; i++) {
        start[i] = sinf((float)i);
        g[i] = cosf((float)i * 0.7F);
    }
    for (int run = 0; run < 4; run++) {
        struct mc_error err = {0};
        struct mc_fit_options o = plain(MC_ADAM);
        mc_runtime_init(&o.runtime, run == 0 ? 1 : run + 1, run == 3 ? MC_CPU_PORTABLE : MC_CPU_AVX512);
        o.l1 = 0.01;
        o.l2 = 0.1;
        o.clip_norm = 1;
        struct mc_value w = make_parameter(2, LARGE, start), *list[] = {&w};
        struct mc_optimizer optimizer;
        assert_ok(mc_optimizer_init(&optimizer, &o, list, 1, &err), err);
        const float *gradients[] = {g};
        for (int t = 0; t < 3; t++) mc_optimizer_step(&optimizer, 0.1, gradients);
        if (run == 0) memcpy(reference, weights(&w), sizeof reference);
        assert_memory_equal(weights(&w), reference, sizeof reference);
        mc_optimizer_finish(&optimizer);
        mc_tensor_destroy(w.data);
    }
}

static void test_other_types_are_refused_by_name(void **state)
{
    struct mc_error err = {0};
    struct mc_value w = {.name = "fc.weight"}, *list[] = {&w};
    const struct mc_shape shape = {.rank = 1, .dim = {2}};
    assert_ok(mc_tensor_create(&w.data, MC_DOUBLE, &shape, &err), err);
    struct mc_fit_options o = plain(MC_SGD);
    struct mc_optimizer optimizer;
    assert_int_equal(mc_optimizer_init(&optimizer, &o, list, 1, &err), MC_ERR_UNSUPPORTED);
    assert_string_equal(err.text, "parameter 'fc.weight': training needs float32, has float64");
    mc_optimizer_finish(&optimizer);
    mc_tensor_destroy(w.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_steps_agree_with_pytorch),
        cmocka_unit_test(test_clipped_gradients_step_as_pytorch),
        cmocka_unit_test(test_the_norm_leaves_masked_weights_out),
        cmocka_unit_test(test_only_weights_are_penalized),
        cmocka_unit_test(test_l1_comes_to_rest_at_the_penalized_minimum),
        cmocka_unit_test(test_masked_weights_are_zero_and_stay_so),
        cmocka_unit_test(test_a_parameter_without_gradient_stays),
        cmocka_unit_test(test_threads_and_instruction_sets_give_the_same_bits),
        cmocka_unit_test(test_other_types_are_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
