/* descent.c - ai.onnx.preview.training: Adagrad, Adam and Momentum, one update of any number of tensors.
 *
 * Inputs are the rate R, the count of updates T, then of all n tensors the values, the gradients, and one or two
 * accumulated quantities; outputs are the new values and quantities in the same order. As the specification's pseudo
 * code has it, in float64 on the way.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "op/ops.h"

enum { RATE, COUNT, FIRST };

/* Kinds of quantities that are kept for each tensor: Adam has two, the others one. */
static int n_kept(const struct mc_node *node)
{
    return strcmp(node->op->type, "Adam") == 0 ? 2 : 1;
}

static int check_mode(const struct mc_node *node, struct mc_error *err)
{
    if (node->op->type[0] != 'M' || mc_node_string_is(node, "mode", "nesterov", false) ||
        mc_node_string_is(node, "mode", "standard", false))
        return MC_OK;
    return mc_error_set(err, MC_ERR_INPUT, "attribute 'mode': needs nesterov or standard");
}

static int descent_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                         struct mc_error *err)
{
    const int kinds = 2 + n_kept(node), n = (node->n_inputs - FIRST) / kinds;
    int rc = mc_need_dtype(node, RATE, in[RATE], MC_TYPES_FLOAT, err);
    if (rc == MC_OK) rc = mc_need_dtype(node, COUNT, in[COUNT], MC_TYPE_BIT(MC_INT64), err);
    if (rc == MC_OK) rc = check_mode(node, err);
    if (rc < 0) return rc;
    if (mc_shape_count(&in[RATE]->shape) != 1 || mc_shape_count(&in[COUNT]->shape) != 1)
        return mc_error_set(err, MC_ERR_INPUT, "inputs 0 and 1: need one number each");
    if (n < 1 || FIRST + n * kinds != node->n_inputs || node->n_outputs > n * (kinds - 1))
        return mc_error_set(err, MC_ERR_INPUT, "needs %d inputs and %d outputs for each tensor, has %d and %d", kinds,
                            kinds - 1, node->n_inputs - FIRST, node->n_outputs);
    for (int i = 0; i < n * kinds; i++) {
        const struct mc_fact *x = in[FIRST + i % n];
        rc = mc_need_dtype(node, FIRST + i, in[FIRST + i], i < n ? MC_TYPES_FLOAT : MC_TYPE_BIT(x->dtype), err);
        if (rc == MC_OK && !mc_shape_equal(&in[FIRST + i]->shape, &x->shape))
            rc = mc_error_set(err, MC_ERR_INPUT, "input %d '%s': needs the shape of input %d", FIRST + i,
                              node->inputs[FIRST + i]->name, FIRST + i % n);
        if (rc < 0) return rc;
    }
    for (int i = 0; i < node->n_outputs; i++)
        out[i] = (struct mc_fact){.dtype = in[FIRST + i % n]->dtype, .shape = in[FIRST + i % n]->shape};
    return MC_OK;
}

/* One element: its value, what is kept of it, and its gradient. */
struct element {
    double x, g, kept[2];
};

struct update {
    double rate, alpha, beta, epsilon, norm, norm_post;
    int64_t count;
    bool nesterov;
};

static void adagrad(const struct update *u, struct element *e)
{
    const double g = u->norm * e->x + e->g;
    e->kept[0] += g * g;
    e->x -= u->rate * g / (sqrt(e->kept[0]) + u->epsilon);
}

static void adam(const struct update *u, struct element *e)
{
    const double g = u->norm * e->x + e->g;
    e->kept[0] = u->alpha * e->kept[0] + (1 - u->alpha) * g;
    e->kept[1] = u->beta * e->kept[1] + (1 - u->beta) * g * g;
    e->x = (1 - u->norm_post) * (e->x - u->rate * e->kept[0] / (sqrt(e->kept[1]) + u->epsilon));
}

static void momentum(const struct update *u, struct element *e)
{
    const double g = u->norm * e->x + e->g;
    e->kept[0] = u->alpha * e->kept[0] + (u->count > 0 ? u->beta : 1) * g;
    e->x -= u->rate * (u->nesterov ? g + u->alpha * e->kept[0] : e->kept[0]);
}

static int run(struct mc_step *step, const struct update *u, void (*change)(const struct update *u, struct element *e))
{
    const int kept = n_kept(step->node), n = (step->n_in - FIRST) / (2 + kept);
    for (int k = 0; k < n; k++) {
        for (int64_t i = 0; i < mc_tensor_count(step->in[FIRST + k]); i++) {
            struct element e = {
                mc_tensor_get_f64(step->in[FIRST + k], i), mc_tensor_get_f64(step->in[FIRST + n + k], i), {0}};
            for (int q = 0; q < kept; q++) e.kept[q] = mc_tensor_get_f64(step->in[FIRST + (2 + q) * n + k], i);
            change(u, &e);
            for (int q = 0; q <= kept; q++)
                if (q * n + k < step->n_out && step->out[q * n + k])
                    mc_tensor_set_f64(step->out[q * n + k], i, q ? e.kept[q - 1] : e.x);
        }
    }
    return MC_OK;
}

static struct update read_update(const struct mc_step *step, float alpha, float beta, float epsilon)
{
    const struct mc_node *node = step->node;
    return (struct update){
        .rate = mc_tensor_get_f64(step->in[RATE], 0),
        .count = mc_tensor_get_i64(step->in[COUNT], 0),
        .alpha = (double)mc_node_float(node, "alpha", alpha),
        .beta = (double)mc_node_float(node, "beta", beta),
        .epsilon = (double)mc_node_float(node, "epsilon", epsilon),
        .norm = (double)mc_node_float(node, "norm_coefficient", 0),
        .norm_post = (double)mc_node_float(node, "norm_coefficient_post", 0),
        .nesterov = mc_node_string_is(node, "mode", "nesterov", false),
    };
}

static int adagrad_forward(struct mc_step *step, struct mc_error *err)
{
    struct update u = read_update(step, 0, 0, 1e-6f);
    u.rate /= 1 + (double)u.count * (double)mc_node_float(step->node, "decay_factor", 0);
    return run(step, &u, adagrad);
}

static int adam_forward(struct mc_step *step, struct mc_error *err)
{
    struct update u = read_update(step, 0.9f, 0.999f, 1e-6f);
    const double t = (double)u.count;
    if (u.count > 0) u.rate *= sqrt(1 - pow(u.beta, t)) / (1 - pow(u.alpha, t));
    return run(step, &u, adam);
}

static int momentum_forward(struct mc_step *step, struct mc_error *err)
{
    const struct update u = read_update(step, 0, 1, 0);
    return run(step, &u, momentum);
}

#define DESCENT_OP(name, onnx_type)                                                                                    \
    const struct mc_op mc_op_##name##_1 = {                                                                            \
        .domain = "ai.onnx.preview.training",                                                                          \
        .type = onnx_type,                                                                                             \
        .since = 1,                                                                                                    \
        .min_inputs = 3,                                                                                               \
        .max_inputs = -1,                                                                                              \
        .n_outputs = -1,                                                                                               \
        .shape = descent_shape,                                                                                        \
        .forward = name##_forward,                                                                                     \
        .backward = NULL,                                                                                              \
        .no_backward = "it is itself a step of training",                                                              \
        .coupling = mc_coupling_freeze_all,                                                                            \
        .cost = mc_cost_elementwise,                                                                                   \
    }

DESCENT_OP(adagrad, "Adagrad");
DESCENT_OP(adam, "Adam");
DESCENT_OP(momentum, "Momentum");
