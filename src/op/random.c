/* random.c - RandomNormal, RandomUniform and their -Like forms (ONNX opset 1), Bernoulli (15), Multinomial (7); and
 * what is made of nothing but numbers: EyeLike (9), BlackmanWindow, HannWindow, HammingWindow (17).
 *
 * The standard names no generator. Draws come from the attribute `seed`, or without one from the runtime's seed, the
 * node and the iteration: the same run gives the same numbers.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/rng.h"
#include "op/move.h"

static void rng_of(const struct mc_step *step, struct mc_rng *rng)
{
    const struct mc_attr *seed = mc_node_attr(step->node, "seed");
    uint32_t bits = 0;
    if (seed) memcpy(&bits, &seed->f, sizeof bits);
    mc_rng_init(rng, seed ? bits : step->runtime->seed,
                seed ? step->runtime->iteration
                     : (uint64_t)step->node->id * UINT64_C(0x9e3779b97f4a7c15) + step->runtime->iteration);
}

#define TYPES_DRAWN (MC_TYPES_FLOAT | MC_TYPE_BIT(MC_FLOAT16) | MC_TYPE_BIT(MC_BFLOAT16))

/* The type of attribute `dtype`, or another. */
static int type_of(const struct mc_node *node, enum mc_dtype otherwise, uint64_t allowed, enum mc_dtype *dtype,
                   struct mc_error *err)
{
    const int64_t given = mc_node_int(node, "dtype", otherwise);
    if (given <= MC_UNDEFINED || given >= MC_DTYPE_COUNT || !(allowed & MC_TYPE_BIT(given)))
        return mc_error_set(err, MC_ERR_UNSUPPORTED, "cannot make elements of type %s",
                            given > 0 && given < MC_DTYPE_COUNT ? mc_dtype_name((enum mc_dtype)given) : "undefined");
    *dtype = (enum mc_dtype)given;
    return MC_OK;
}

static bool is_normal(const struct mc_node *node)
{
    return strncmp(node->op->type, "RandomNormal", 12) == 0;
}

/* --- normal and uniform --- */

static int random_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                        struct mc_error *err)
{
    struct mc_ints extents;
    int rc = mc_ints_of_attr(node, "shape", &extents, err);
    if (rc == MC_OK && extents.n > MC_MAX_RANK)
        rc = mc_error_set(err, MC_ERR_INPUT, "attribute 'shape': needs at most %d axes", MC_MAX_RANK);
    if (rc == MC_OK) rc = type_of(node, MC_FLOAT, TYPES_DRAWN, &out[0].dtype, err);
    if (rc < 0) return rc;
    out[0].shape = mc_shape_of(extents.n, extents.at);
    if (mc_shape_count(&out[0].shape) < 0) return mc_error_set(err, MC_ERR_INPUT, "attribute 'shape': too large");
    return MC_OK;
}

static int random_like_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                             struct mc_error *err)
{
    const int rc = type_of(node, in[0]->dtype, TYPES_DRAWN, &out[0].dtype, err);
    out[0].shape = in[0]->shape;
    return rc;
}

static int random_forward(struct mc_step *step, struct mc_error *err)
{
    const bool normal = is_normal(step->node);
    const double low = (double)mc_node_float(step->node, normal ? "mean" : "low", 0);
    const double high = (double)mc_node_float(step->node, normal ? "scale" : "high", 1);
    struct mc_rng rng;
    rng_of(step, &rng);
    for (int64_t i = 0; i < mc_tensor_count(step->out[0]); i++)
        mc_tensor_set_f64(step->out[0], i,
                          normal ? low + high * mc_rng_normal(&rng) : low + (high - low) * mc_rng_uniform(&rng));
    return MC_OK;
}

/* --- Bernoulli --- */

static int bernoulli_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                           struct mc_error *err)
{
    const uint64_t numbers = mc_types_copied & ~(MC_TYPE_BIT(MC_COMPLEX64) | MC_TYPE_BIT(MC_COMPLEX128));
    int rc = mc_need_dtype(node, 0, in[0], TYPES_DRAWN, err);
    if (rc == MC_OK) rc = type_of(node, in[0]->dtype, numbers, &out[0].dtype, err);
    out[0].shape = in[0]->shape;
    return rc;
}

static int bernoulli_forward(struct mc_step *step, struct mc_error *err)
{
    struct mc_rng rng;
    rng_of(step, &rng);
    for (int64_t i = 0; i < mc_tensor_count(step->out[0]); i++)
        mc_tensor_set_f64(step->out[0], i, mc_rng_uniform(&rng) < mc_tensor_get_f64(step->in[0], i));
    return MC_OK;
}

/* --- Multinomial: x is the logarithm of what is proportional to the probabilities --- */

static int multinomial_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                             struct mc_error *err)
{
    const int64_t n = mc_node_int(node, "sample_size", 1);
    int rc = mc_need_dtype(node, 0, in[0], TYPES_DRAWN, err);
    if (rc == MC_OK) rc = mc_need_rank(node, 0, in[0], 2, 2, err);
    if (rc == MC_OK) rc = type_of(node, MC_INT32, MC_TYPE_BIT(MC_INT32) | MC_TYPE_BIT(MC_INT64), &out[0].dtype, err);
    if (rc < 0) return rc;
    if (n < 1 || in[0]->shape.dim[1] < 1) return mc_error_set(err, MC_ERR_INPUT, "needs a sample and a class at least");
    out[0].shape = (struct mc_shape){.rank = 2, .dim = {in[0]->shape.dim[0], n}};
    return MC_OK;
}

static int64_t draw_class(const struct mc_tensor *x, int64_t row, double largest, double sum, double share)
{
    const int64_t n = x->shape.dim[1];
    double below = 0;
    for (int64_t c = 0; c < n; c++) {
        below += exp(mc_tensor_get_f64(x, row * n + c) - largest) / sum;
        if (share < below) return c;
    }
    return n - 1;
}

static int multinomial_forward(struct mc_step *step, struct mc_error *err)
{
    const struct mc_tensor *x = step->in[0];
    const int64_t n_classes = x->shape.dim[1], n = step->out[0]->shape.dim[1];
    struct mc_rng rng;
    rng_of(step, &rng);
    for (int64_t row = 0; row < x->shape.dim[0]; row++) {
        double largest = -INFINITY, sum = 0;
        for (int64_t c = 0; c < n_classes; c++) largest = fmax(largest, mc_tensor_get_f64(x, row * n_classes + c));
        for (int64_t c = 0; c < n_classes; c++) sum += exp(mc_tensor_get_f64(x, row * n_classes + c) - largest);
        for (int64_t i = 0; i < n; i++)
            mc_tensor_set_f64(step->out[0], row * n + i,
                              (double)draw_class(x, row, largest, sum, mc_rng_uniform(&rng)));
    }
    return MC_OK;
}

#define RANDOM_OP(name, onnx_type, version, inputs, rule, run, shapes)                                                 \
    const struct mc_op mc_op_##name##_##version = {                                                                    \
        .domain = "",                                                                                                  \
        .type = onnx_type,                                                                                             \
        .since = version,                                                                                              \
        .min_inputs = inputs,                                                                                          \
        .max_inputs = inputs,                                                                                          \
        .n_outputs = 1,                                                                                                \
        .random = true,                                                                                                \
        .shape_only = shapes,                                                                                          \
        .shape = rule,                                                                                                 \
        .forward = run,                                                                                                \
        .backward = NULL,                                                                                              \
        .no_backward = "draws have no derivative",                                                                     \
        .coupling = mc_coupling_freeze_all,                                                                            \
        .cost = mc_cost_elementwise,                                                                                   \
    };

RANDOM_OP(bernoulli, "Bernoulli", 15, 1, bernoulli_shape, bernoulli_forward, false)
RANDOM_OP(multinomial, "Multinomial", 7, 1, multinomial_shape, multinomial_forward, false)
RANDOM_OP(random_normal, "RandomNormal", 1, 0, random_shape, random_forward, false)
RANDOM_OP(random_normal_like, "RandomNormalLike", 1, 1, random_like_shape, random_forward, true)
RANDOM_OP(random_uniform, "RandomUniform", 1, 0, random_shape, random_forward, false)
RANDOM_OP(random_uniform_like, "RandomUniformLike", 1, 1, random_like_shape, random_forward, true)

/* --- EyeLike --- */

static int eye_like_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                          struct mc_error *err)
{
    const uint64_t numbers = mc_types_copied & ~(MC_TYPE_BIT(MC_COMPLEX64) | MC_TYPE_BIT(MC_COMPLEX128));
    int rc = mc_need_rank(node, 0, in[0], 2, 2, err);
    if (rc == MC_OK) rc = type_of(node, in[0]->dtype, numbers, &out[0].dtype, err);
    out[0].shape = in[0]->shape;
    return rc;
}

static int eye_like_forward(struct mc_step *step, struct mc_error *err)
{
    struct mc_tensor *y = step->out[0];
    const int64_t k = mc_node_int(step->node, "k", 0), columns = y->shape.dim[1];
    mc_zero(y);
    for (int64_t i = 0; i < y->shape.dim[0]; i++)
        if (k >= -i && k < columns - i) mc_tensor_set_f64(y, i * columns + i + k, 1);
    return MC_OK;
}

const struct mc_op mc_op_eye_like_9 = {
    .domain = "",
    .type = "EyeLike",
    .since = 9,
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .shape_only = true,
    .shape = eye_like_shape,
    .forward = eye_like_forward,
    .coupling = mc_coupling_freeze_all,
    .cost = mc_cost_free,
};

/* --- windows: a0 - a1 cos(2 pi i / N) + a2 cos(4 pi i / N), N one less unless periodic --- */

enum { MOST_SAMPLES = 1 << 26 };

static int window_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                        struct mc_error *err)
{
    const uint64_t numbers = mc_types_copied & ~(MC_TYPE_BIT(MC_COMPLEX64) | MC_TYPE_BIT(MC_COMPLEX128));
    const int64_t given = mc_node_int(node, "output_datatype", MC_FLOAT);
    int64_t n;
    int count, rc = mc_need_ints(node, 0, in[0], &n, 1, &count, err);
    if (rc < 0) return rc;
    if (count != 1 || n < 0 || n > MOST_SAMPLES)
        return mc_error_set(err, MC_ERR_INPUT, "input 0 '%s': needs a length of 0 to %d", node->inputs[0]->name,
                            MOST_SAMPLES);
    if (given <= MC_UNDEFINED || given >= MC_DTYPE_COUNT || !(numbers & MC_TYPE_BIT(given)))
        return mc_error_set(err, MC_ERR_UNSUPPORTED, "attribute 'output_datatype': has %" PRId64, given);
    out[0] = (struct mc_fact){.dtype = (enum mc_dtype)given, .shape = {.rank = 1, .dim = {n}}};
    return MC_OK;
}

static int window(struct mc_step *step, double a0, double a1, double a2)
{
    struct mc_tensor *y = step->out[0];
    const int64_t n = mc_tensor_count(y), period = mc_node_int(step->node, "periodic", 1) ? n : n - 1;
    for (int64_t i = 0; i < n; i++) {
        const double angle = period ? 2 * M_PI * (double)i / (double)period : 0;
        mc_tensor_set_f64(y, i, n == 1 ? 1 : a0 - a1 * cos(angle) + a2 * cos(2 * angle));
    }
    return MC_OK;
}

static int blackman_window_forward(struct mc_step *step, struct mc_error *err)
{
    return window(step, 0.42, 0.5, 0.08);
}

static int hamming_window_forward(struct mc_step *step, struct mc_error *err)
{
    return window(step, 25.0 / 46, 21.0 / 46, 0);
}

static int hann_window_forward(struct mc_step *step, struct mc_error *err)
{
    return window(step, 0.5, 0.5, 0);
}

#define WINDOW_OP(name, onnx_type)                                                                                     \
    const struct mc_op mc_op_##name##_17 = {                                                                           \
        .domain = "",                                                                                                  \
        .type = onnx_type,                                                                                             \
        .since = 17,                                                                                                   \
        .min_inputs = 1,                                                                                               \
        .max_inputs = 1,                                                                                               \
        .n_outputs = 1,                                                                                                \
        .shape = window_shape,                                                                                         \
        .forward = name##_forward,                                                                                     \
        .backward = NULL,                                                                                              \
        .no_backward = "the input is a length",                                                                        \
        .coupling = mc_coupling_freeze_all,                                                                            \
        .cost = mc_cost_free,                                                                                          \
    };

WINDOW_OP(blackman_window, "BlackmanWindow")
WINDOW_OP(hamming_window, "HammingWindow")
WINDOW_OP(hann_window, "HannWindow")
