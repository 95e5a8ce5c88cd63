/* recurrent_activation.c - the activations that RNN, GRU and LSTM name, with their slopes; see recurrent_activation.h.
 */
#include "op/recurrent_activation.h"

#include <math.h>

#include "base/alloc.h"
#include "base/error.h"

static double affine(double x, double a, double b)
{
    return a * x + b;
}

static double relu(double x, double a, double b)
{
    (void)a, (void)b;
    return x > 0 ? x : 0;
}

static double leaky_relu(double x, double a, double b)
{
    (void)b;
    return x > 0 ? x : a * x;
}

static double thresholded_relu(double x, double a, double b)
{
    (void)b;
    return x > a ? x : 0;
}

double mc_activation_tanh(double x, double a, double b)
{
    (void)a, (void)b;
    return tanh(x);
}

static double scaled_tanh(double x, double a, double b)
{
    return a * tanh(b * x);
}

double mc_activation_sigmoid(double x, double a, double b)
{
    (void)a, (void)b;
    return 1 / (1 + exp(-x));
}

static double hard_sigmoid(double x, double a, double b)
{
    return fmin(fmax(a * x + b, 0), 1);
}

static double elu(double x, double a, double b)
{
    (void)b;
    return x > 0 ? x : a * expm1(x);
}

static double softsign(double x, double a, double b)
{
    (void)a, (void)b;
    return x / (1 + fabs(x));
}

static double softplus(double x, double a, double b)
{
    (void)a, (void)b;
    return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
}

static double affine_slope(double x, double y, double a, double b)
{
    (void)x, (void)y, (void)b;
    return a;
}

static double relu_slope(double x, double y, double a, double b)
{
    (void)y, (void)a, (void)b;
    return x > 0;
}

static double leaky_relu_slope(double x, double y, double a, double b)
{
    (void)y, (void)b;
    return x > 0 ? 1 : a;
}

static double thresholded_relu_slope(double x, double y, double a, double b)
{
    (void)y, (void)b;
    return x > a;
}

static double hyperbolic_slope(double x, double y, double a, double b)
{
    (void)x, (void)a, (void)b;
    return 1 - y * y;
}

static double scaled_tanh_slope(double x, double y, double a, double b)
{
    (void)y;
    const double t = tanh(b * x);
    return a * b * (1 - t * t);
}

static double sigmoid_slope(double x, double y, double a, double b)
{
    (void)x, (void)a, (void)b;
    return y * (1 - y);
}

static double hard_sigmoid_slope(double x, double y, double a, double b)
{
    (void)x, (void)b;
    return y > 0 && y < 1 ? a : 0;
}

static double elu_slope(double x, double y, double a, double b)
{
    (void)b;
    return x > 0 ? 1 : y + a;
}

static double softsign_slope(double x, double y, double a, double b)
{
    (void)y, (void)a, (void)b;
    return 1 / ((1 + fabs(x)) * (1 + fabs(x)));
}

static double softplus_slope(double x, double y, double a, double b)
{
    (void)y;
    return mc_activation_sigmoid(x, a, b);
}

static const struct {
    const char *name;
    int n; /* parameters */
    struct mc_activation with;
} activations[] = {
    {"Affine", 2, {affine, affine_slope, 1, 0}},
    {"Elu", 1, {elu, elu_slope, 1, 0}},
    {"HardSigmoid", 2, {hard_sigmoid, hard_sigmoid_slope, 0.2, 0.5}},
    {"LeakyRelu", 1, {leaky_relu, leaky_relu_slope, 0.01, 0}},
    {"Relu", 0, {relu, relu_slope, 0, 0}},
    {"ScaledTanh", 2, {scaled_tanh, scaled_tanh_slope, 1, 1}},
    {"Sigmoid", 0, {mc_activation_sigmoid, sigmoid_slope, 0, 0}},
    {"Softplus", 0, {softplus, softplus_slope, 0, 0}},
    {"Softsign", 0, {softsign, softsign_slope, 0, 0}},
    {"Tanh", 0, {mc_activation_tanh, hyperbolic_slope, 0, 0}},
    {"ThresholdedRelu", 1, {thresholded_relu, thresholded_relu_slope, 1, 0}},
};

static bool same_word(const char *a, const char *b)
{
    for (; *a && (*a | 0x20) == (*b | 0x20); a++, b++) continue;
    return *a == *b;
}

/* The next parameter that the list has, or what `value` is. */
static void take_parameter(const struct mc_attr *list, int *used, double *value)
{
    if (list && list->type == MC_ATTR_FLOATS && *used < list->n) *value = (double)list->floats[(*used)++];
}

int mc_activations_read(const struct mc_node *node, const char *const *usual, int each, int n, struct mc_activation *to,
                        struct mc_error *err)
{
    const struct mc_attr *names = mc_node_attr(node, "activations");
    const struct mc_attr *alpha = mc_node_attr(node, "activation_alpha"), *beta = mc_node_attr(node, "activation_beta");
    int alphas = 0, betas = 0;
    if (names && (names->type != MC_ATTR_STRINGS || names->n < n))
        return mc_error_set(err, MC_ERR_INPUT, "attribute 'activations': needs %d names", n);
    for (int i = 0; i < n; i++) {
        const char *name = names ? (const char *)names->strings[i].bytes : usual[i % each];
        size_t at = 0;
        while (at < MC_COUNT(activations) && !same_word(activations[at].name, name)) at++;
        if (at == MC_COUNT(activations))
            return mc_error_set(err, MC_ERR_INPUT, "attribute 'activations': '%s' is no activation", name);
        to[i] = activations[at].with;
        if (activations[at].n > 0) take_parameter(alpha, &alphas, &to[i].alpha);
        if (activations[at].n > 1) take_parameter(beta, &betas, &to[i].beta);
    }
    return MC_OK;
}
