/* dropout.c - Dropout: in training, elements become 0 with probability `ratio` and the others grow by 1 / (1 - ratio).
 *
 * It is live when this program trains and when the node says so, as the specification has it: by a training_mode input
 * (opset 12 and later), or by the lack of is_test 1 (before opset 7); else the identity. A training_mode of false does
 * not keep it quiet in our training: an exporter that leaves Dropout in an evaluation graph (PyTorch's
 * TrainingMode.PRESERVE) writes false, and who then trains that model expects what model.train() does.
 *
 * Each draw is told by seed, iteration and node alone: `saved` keeps its key, and backward draws the same mask again
 * instead of storing it. The pattern repeats after 2^32 elements.
 */
#include <string.h>

#include "base/error.h"
#include "base/rng.h"
#include "kernel/parallel.h"
#include "op/elementwise.h"
#include "op/outline.h"
#include "op/upgrade.h"

#define DROPOUT_WORK 4

static int dropout_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                         struct mc_error *err)
{
    int rc = mc_need_dtype(node, 0, in[0], MC_TYPES_FLOAT, err);
    if (rc == 0) rc = mc_shape_same(node, in, out, err);
    if (rc == 0 && node->op->since >= 12 && in[1]) {
        rc = mc_need_dtype(node, 1, in[1], MC_TYPES_FLOAT, err);
        if (rc == 0 && mc_shape_count(&in[1]->shape) != 1)
            rc = mc_error_set(err, MC_ERR_INPUT, "input 1 '%s': the ratio needs to be one number",
                              node->inputs[1]->name);
    }
    if (rc == 0 && node->op->since >= 12 && in[2]) {
        rc = mc_need_dtype(node, 2, in[2], MC_TYPE_BIT(MC_BOOL), err);
        if (rc == 0 && mc_shape_count(&in[2]->shape) != 1)
            rc = mc_error_set(err, MC_ERR_INPUT, "input 2 '%s': the training mode needs to be one bool",
                              node->inputs[2]->name);
    }
    out[1].dtype = node->op->since >= 10 ? MC_BOOL : out[0].dtype;
    out[1].shape = out[0].shape;
    return rc;
}

/* What forward leaves for backward. */
struct draw {
    struct mc_dropout dropout;
    bool live;
};

static const struct mc_tensor *training_mode(const struct mc_step *step)
{
    return step->node->op->since >= 12 && step->n_in > 2 ? step->in[2] : NULL;
}

/* Versions 1 and 6 draw unless they are told that it is a test. */
static bool always_draws(const struct mc_step *step)
{
    return step->node->op->since < 7 && !mc_node_int(step->node, "is_test", 0);
}

static int dropout_prepare(struct mc_step *step, struct mc_error *err)
{
    const struct mc_tensor *mode = training_mode(step);
    const bool quiet = mode ? step->in_constant[2] && mc_tensor_get_i64(mode, 0) == 0 : !always_draws(step);
    if (step->training) step->saved_bytes = sizeof(struct draw);
    step->is_view = !step->training && quiet;
    return MC_OK;
}

static int read_ratio(const struct mc_step *step, double *ratio, struct mc_error *err)
{
    const bool is_input = step->node->op->since >= 12;
    const struct mc_tensor *given = is_input && step->n_in > 1 ? step->in[1] : NULL;
    *ratio = given ? mc_tensor_get_f64(given, 0) : is_input ? 0.5 : (double)mc_node_float(step->node, "ratio", 0.5f);
    if (*ratio >= 0 && *ratio <= 1) return MC_OK;
    return mc_error_set(err, MC_ERR_INPUT, "the ratio needs to be within 0 and 1, is %g", *ratio);
}

static bool is_live(const struct mc_step *step)
{
    const struct mc_tensor *mode = training_mode(step);
    return step->training || always_draws(step) || (mode && mc_tensor_get_i64(mode, 0) != 0);
}

/* The node's own `seed` attribute, if it has one, counts as well. */
static void draw_key(const struct mc_step *step, uint32_t key[2])
{
    const uint64_t purpose = mc_hash("dropout") + (uint64_t)step->node->id;
    struct mc_rng rng;
    mc_rng_init(&rng, step->runtime->seed ^ (uint64_t)mc_node_int(step->node, "seed", 0), purpose);
    mc_rng_init(&rng, mc_rng_u64(&rng), step->runtime->iteration);
    const uint64_t bits = mc_rng_u64(&rng);
    key[0] = (uint32_t)bits;
    key[1] = (uint32_t)(bits >> 32);
}

struct job {
    const struct mc_row_loops *rows;
    size_t size;
    const char *from;
    char *to;
    bool *mask;
    const struct mc_dropout *dropout;
};

static void drop_range(void *context, int64_t begin, int64_t end)
{
    const struct job *job = context;
    const size_t at = (size_t)begin * job->size;
    job->rows->dropout(end - begin, begin, job->from + at, job->to + at, job->mask ? job->mask + begin : NULL,
                       job->dropout);
}

/* to = from with the mask that the draw says; a draw that is not live keeps everything. */
static void drop(const struct mc_step *step, const struct mc_tensor *from, struct mc_tensor *to, bool *mask,
                 const struct draw *draw)
{
    struct job job = {.rows = &mc_step_loops(step)->rows[mc_loop_type(from->dtype)],
                      .size = (size_t)mc_dtype_bits(from->dtype) / 8,
                      .from = from->data,
                      .to = to->data,
                      .mask = mask,
                      .dropout = &draw->dropout};
    if (draw->live)
        mc_parallel(mc_tensor_count(from), mc_parallel_grain(DROPOUT_WORK), drop_range, &job);
    else if (to->data != from->data)
        memcpy(to->data, from->data, mc_tensor_bytes(from));
}

/* 1 where an element stays. What drop did not write of it is 1 throughout, or, when the mask has the data's type
 * (before opset 10), what becomes of ones that do not grow. */
static void finish_mask(const struct mc_step *step, struct mc_tensor *mask, const struct draw *draw)
{
    if (draw->live && mask->dtype == MC_BOOL) return;
    for (int64_t i = 0, n = mc_tensor_count(mask); i < n; i++) mc_tensor_set_f64(mask, i, 1);
    struct draw plain = *draw;
    plain.dropout.scale = 1;
    if (draw->live) drop(step, mask, mask, NULL, &plain);
}

static int dropout_forward(struct mc_step *step, struct mc_error *err)
{
    double ratio;
    const int rc = read_ratio(step, &ratio, err);
    if (rc < 0) return rc;
    struct draw draw = {.live = is_live(step) && ratio > 0};
    draw.dropout.threshold = (uint64_t)(ratio * 0x1p32);
    draw.dropout.scale = ratio < 1 ? 1 / (1 - ratio) : 0;
    if (draw.live) draw_key(step, draw.dropout.key);
    struct mc_tensor *mask = step->n_out > 1 ? step->out[1] : NULL;
    drop(step, step->in[0], step->out[0], mask && mask->dtype == MC_BOOL ? mask->data : NULL, &draw);
    if (mask) finish_mask(step, mask, &draw);
    if (step->saved) memcpy(step->saved, &draw, sizeof(draw));
    return MC_OK;
}

static int dropout_backward(struct mc_step *step, struct mc_error *err)
{
    drop(step, step->grad_out[0], step->grad_in[0], NULL, step->saved);
    return MC_OK;
}

static int dropout_coupling(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err)
{
    int rc = mc_coupling_first_input(c, node, err);
    if (rc == 0 && node->n_outputs > 1 && node->outputs[1])
        rc = mc_couple_broadcast(c, node->inputs[0], node->outputs[1], err);
    return rc;
}

/* The mask of version 7 is no bool. */
static int dropout_upgrade_10(struct mc_node *node, const struct mc_fact *x, const char **why, struct mc_error *err)
{
    if (node->op->since < 10 && node->n_outputs > 1 && node->outputs[1]) *why = "its mask would have another type";
    return MC_OK;
}

/* The ratio is an input since 12. */
static int dropout_upgrade_12(struct mc_node *node, const struct mc_fact *x, const char **why, struct mc_error *err)
{
    static const struct mc_fact number = {.dtype = MC_FLOAT};
    return mc_upgrade_float(node, "ratio", 1, &number, err);
}

/* inputs: 3 where ratio and mode are two of them. */
#define DROPOUT_OP(version, inputs)                                                                                    \
    const struct mc_op mc_op_dropout_##version = {                                                                     \
        .domain = "",                                                                                                  \
        .type = "Dropout",                                                                                             \
        .since = version,                                                                                              \
        .means = MC_MEANS_DROPOUT,                                                                                     \
        .min_inputs = 1,                                                                                               \
        .max_inputs = inputs,                                                                                          \
        .n_outputs = 2,                                                                                                \
        .grad_inputs = 1, /* ratio and mode are settings */                                                            \
        .keep = MC_KEEP_NONE,                                                                                          \
        .inplace = true,                                                                                               \
        .order = mc_order_elementwise,                                                                                 \
        .random = true,                                                                                                \
        .widens = true,                                                                                                \
        .shape = dropout_shape,                                                                                        \
        .outline = mc_outline_same_all,                                                                                \
        .prepare = dropout_prepare,                                                                                    \
        .forward = dropout_forward,                                                                                    \
        .backward = dropout_backward,                                                                                  \
        .others = "settings",                                                                                          \
        .coupling = dropout_coupling,                                                                                  \
        .cost = mc_cost_elementwise,                                                                                   \
        .upgrade = (version) == 12 ? dropout_upgrade_12 : dropout_upgrade_10,                                          \
    };

DROPOUT_OP(1, 1)
DROPOUT_OP(7, 1)  /* the mask has the data's type */
DROPOUT_OP(10, 1) /* the mask is bool */
DROPOUT_OP(12, 3)
