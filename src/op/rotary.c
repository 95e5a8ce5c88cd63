/* rotary.c - RotaryEmbedding (ONNX opset 23; Su et al. 2021): pairs of elements of a token turned by its position's
 * angles; and CausalConvWithState (27), a convolution of each channel with what came before, as its users have it next
 * to attention. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "kernel/parallel.h"
#include "op/outline.h"

/* --- RotaryEmbedding: x [B, heads, T, d] or [B, T, heads d], cosines and sines [positions, r / 2] or [B, T, r / 2] ---
 */

enum { X, COS, SIN, POSITIONS };

struct extents {
    bool packed;
    int64_t B, T, heads, d, r; /* r: of d elements these are turned */
};

static int extents_of(const struct mc_node *node, const struct mc_shape *x, struct extents *e, struct mc_error *err)
{
    const bool packed = x->rank == 3;
    *e = (struct extents){.packed = packed,
                          .B = x->dim[0],
                          .T = x->dim[packed ? 1 : 2],
                          .heads = packed ? mc_node_int(node, "num_heads", 0) : x->dim[1]};
    if (packed && (e->heads < 1 || x->dim[2] % e->heads))
        return mc_error_set(err, MC_ERR_INPUT, "attribute 'num_heads': %" PRId64 " does not divide %" PRId64, e->heads,
                            x->dim[2]);
    e->d = packed ? x->dim[2] / e->heads : x->dim[3];
    e->r = mc_node_int(node, "rotary_embedding_dim", 0);
    if (e->r == 0) e->r = e->d;
    if (e->r < 0 || e->r > e->d || e->r % 2)
        return mc_error_set(err, MC_ERR_INPUT,
                            "attribute 'rotary_embedding_dim': needs an even number of up to %" PRId64 ", has %" PRId64,
                            e->d, e->r);
    return MC_OK;
}

static int rotary_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                        struct mc_error *err)
{
    struct extents e = {0};
    int rc = mc_need_dtype(node, X, in[X], MC_TYPES_FLOAT, err);
    if (rc == MC_OK) rc = mc_need_rank(node, X, in[X], 3, 4, err);
    if (rc == MC_OK) rc = extents_of(node, &in[X]->shape, &e, err);
    if (rc == MC_OK && in[POSITIONS]) rc = mc_need_dtype(node, POSITIONS, in[POSITIONS], MC_TYPE_BIT(MC_INT64), err);
    for (int i = COS; i <= SIN && rc == MC_OK; i++) {
        const int rank = in[POSITIONS] ? 2 : 3;
        rc = mc_need_dtype(node, i, in[i], MC_TYPE_BIT(in[X]->dtype), err);
        if (rc == MC_OK) rc = mc_need_rank(node, i, in[i], rank, rank, err);
        if (rc < 0) return rc;
        const struct mc_shape *s = &in[i]->shape;
        if (s->dim[rank - 1] != e.r / 2 || (rank == 3 && (s->dim[0] != e.B || s->dim[1] != e.T)))
            return mc_error_set(err, MC_ERR_INPUT, "input %d '%s': needs %" PRId64 " angles for each position", i,
                                node->inputs[i]->name, e.r / 2);
    }
    if (rc == MC_OK && in[POSITIONS] && mc_shape_count(&in[POSITIONS]->shape) != e.B * e.T)
        rc = mc_error_set(err, MC_ERR_INPUT, "input 3 '%s': needs a position for each token",
                          node->inputs[POSITIONS]->name);
    return rc < 0 ? rc : mc_shape_same(node, in, out, err);
}

struct turn {
    struct extents e;
    const struct mc_tensor *x, *cosines, *sines, *positions;
    struct mc_tensor *y;
    bool interleaved, back;
};

/* All heads of one token of one sample. */
static void turn_token(const struct turn *t, int64_t token)
{
    const struct extents *e = &t->e;
    const int64_t half = e->r / 2;
    const int64_t row = t->positions ? ((const int64_t *)t->positions->data)[token] : token;
    for (int64_t head = 0; head < e->heads; head++) {
        const int64_t at = e->packed ? (token * e->heads + head) * e->d
                                     : ((token / e->T * e->heads + head) * e->T + token % e->T) * e->d;
        for (int64_t i = 0; i < half; i++) {
            const int64_t a = at + (t->interleaved ? 2 * i : i), b = at + (t->interleaved ? 2 * i + 1 : half + i);
            const double c = mc_tensor_get_f64(t->cosines, row * half + i);
            const double s = mc_tensor_get_f64(t->sines, row * half + i) * (t->back ? -1 : 1);
            const double p = mc_tensor_get_f64(t->x, a), q = mc_tensor_get_f64(t->x, b);
            mc_tensor_set_f64(t->y, a, c * p - s * q);
            mc_tensor_set_f64(t->y, b, s * p + c * q);
        }
        for (int64_t i = e->r; i < e->d; i++) mc_tensor_set_f64(t->y, at + i, mc_tensor_get_f64(t->x, at + i));
    }
}

static void turn_tokens(void *context, int64_t begin, int64_t end)
{
    for (int64_t token = begin; token < end; token++) turn_token(context, token);
}

static int turn_all(struct mc_step *step, const struct mc_tensor *x, struct mc_tensor *y, bool back,
                    struct mc_error *err)
{
    struct turn t = {.x = x,
                     .cosines = step->in[COS],
                     .sines = step->in[SIN],
                     .positions = step->in[POSITIONS],
                     .y = y,
                     .interleaved = mc_node_int(step->node, "interleaved", 0) != 0,
                     .back = back};
    const int rc = extents_of(step->node, &x->shape, &t.e, err);
    if (rc < 0) return rc;
    for (int64_t i = 0; t.positions && i < t.e.B * t.e.T; i++) {
        const int64_t at = ((const int64_t *)t.positions->data)[i];
        if (at < 0 || at >= t.cosines->shape.dim[0])
            return mc_error_set(err, MC_ERR_INPUT, "input 3 '%s': position %" PRId64 " is outside of %" PRId64,
                                step->node->inputs[POSITIONS]->name, at, t.cosines->shape.dim[0]);
    }
    mc_parallel(t.e.B * t.e.T, mc_parallel_grain(t.e.heads * t.e.d * 8), turn_tokens, &t);
    return MC_OK;
}

static int rotary_forward(struct mc_step *step, struct mc_error *err)
{
    return turn_all(step, step->in[X], step->out[0], false, err);
}

static int rotary_backward(struct mc_step *step, struct mc_error *err)
{
    return turn_all(step, step->grad_out[0], step->grad_in[X], true, err);
}

const struct mc_op mc_op_rotary_embedding_23 = {
    .domain = "",
    .type = "RotaryEmbedding",
    .since = 23,
    .min_inputs = 3,
    .max_inputs = 4,
    .n_outputs = 1,
    .grad_inputs = 1,
    .keep = MC_KEEP_IN,
    .widens = true,
    .shape = rotary_shape,
    .outline = mc_outline_same,
    .forward = rotary_forward,
    .backward = rotary_backward,
    .others = "tables of angles and positions",
    .coupling = mc_coupling_freeze_all,
    .cost = mc_cost_free,
};

/* --- CausalConvWithState: x [B, C, L], w [C, 1, k], b [C], past [B, C, k - 1] --- */

static int causal_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                        struct mc_error *err)
{
    int rc = MC_OK;
    for (int i = 0; i < 2 && rc == MC_OK; i++) {
        rc = mc_need_dtype(node, i, in[i], MC_TYPES_FLOAT, err);
        if (rc == MC_OK) rc = mc_need_rank(node, i, in[i], 3, 3, err);
    }
    if (rc < 0) return rc;
    const struct mc_shape *x = &in[0]->shape, *w = &in[1]->shape;
    if (w->dim[0] != x->dim[1] || w->dim[1] != 1 || w->dim[2] < 1)
        return mc_error_set(err, MC_ERR_INPUT, "input 1 '%s': needs a kernel for each of %" PRId64 " channels",
                            node->inputs[1]->name, x->dim[1]);
    if (in[2] && mc_shape_count(&in[2]->shape) != x->dim[1])
        return mc_error_set(err, MC_ERR_INPUT, "input 2 '%s': needs %" PRId64 " numbers", node->inputs[2]->name,
                            x->dim[1]);
    if (!mc_node_string_is(node, "activation", "none", true) && !mc_node_string_is(node, "activation", "silu", false) &&
        !mc_node_string_is(node, "activation", "swish", false))
        return mc_error_set(err, MC_ERR_INPUT, "attribute 'activation': needs silu, swish or none");
    const struct mc_shape past = {.rank = 3, .dim = {x->dim[0], x->dim[1], w->dim[2] - 1}};
    if (in[3] && !mc_shape_equal(&in[3]->shape, &past))
        return mc_error_set(err, MC_ERR_INPUT, "input 3 '%s': needs %" PRId64 " past values for each channel",
                            node->inputs[3]->name, past.dim[2]);
    out[0] = (struct mc_fact){.dtype = in[0]->dtype, .shape = *x};
    out[1] = (struct mc_fact){.dtype = in[0]->dtype, .shape = past};
    return MC_OK;
}

struct causal {
    const struct mc_tensor *x, *w, *b, *past;
    struct mc_tensor *y, *present;
    int64_t C, L, k;
    bool silu;
    const struct mc_step *step;
};

/* Element t of a plane with its past in front. */
static double seen(const struct causal *job, int64_t plane, int64_t t)
{
    if (t >= job->k - 1) return mc_tensor_get_f64(job->x, plane * job->L + t - (job->k - 1));
    return job->past ? mc_tensor_get_f64(job->past, plane * (job->k - 1) + t) : 0;
}

static double causal_sum(const struct causal *job, int64_t plane, int64_t c, int64_t t)
{
    double sum = job->b ? mc_tensor_get_f64(job->b, c) : 0;
    for (int64_t i = 0; i < job->k; i++) sum += mc_tensor_get_f64(job->w, c * job->k + i) * seen(job, plane, t + i);
    return sum;
}

static void causal_planes(void *context, int64_t begin, int64_t end)
{
    const struct causal *job = context;
    for (int64_t plane = begin; plane < end; plane++) {
        const int64_t c = plane % job->C;
        for (int64_t t = 0; t < job->L; t++) {
            const double sum = causal_sum(job, plane, c, t);
            mc_tensor_set_f64(job->y, plane * job->L + t, job->silu ? sum / (1 + exp(-sum)) : sum);
        }
        for (int64_t i = 0; i < job->k - 1 && job->present; i++)
            mc_tensor_set_f64(job->present, plane * (job->k - 1) + i, seen(job, plane, job->L + i));
    }
}

static struct causal causal_of(const struct mc_step *step)
{
    return (struct causal){.x = step->in[0],
                           .w = step->in[1],
                           .b = step->in[2],
                           .past = step->in[3],
                           .y = step->out[0],
                           .present = step->out[1],
                           .C = step->in[0]->shape.dim[1],
                           .L = step->in[0]->shape.dim[2],
                           .k = step->in[1]->shape.dim[2],
                           .silu = !mc_node_string_is(step->node, "activation", "none", true),
                           .step = step};
}

static int causal_forward(struct mc_step *step, struct mc_error *err)
{
    struct causal job = causal_of(step);
    mc_parallel(step->in[0]->shape.dim[0] * job.C, mc_parallel_grain(job.L * job.k * 4), causal_planes, &job);
    return MC_OK;
}

/* The gradient of element t of a plane with its past in front. */
static void give_seen(const struct causal *job, int64_t plane, int64_t t, double g)
{
    const bool old = t < job->k - 1;
    struct mc_tensor *to = job->step->grad_in[old ? 3 : 0];
    const int64_t at = old ? plane * (job->k - 1) + t : plane * job->L + t - (job->k - 1);
    if (to) mc_tensor_set_f64(to, at, mc_tensor_get_f64(to, at) + g);
}

/* One channel of all samples to a thread: they share its kernel. */
static void causal_channels_back(void *context, int64_t begin, int64_t end)
{
    const struct causal *job = context;
    const struct mc_tensor *dy = job->step->grad_out[0], *d_present = job->step->grad_out[1];
    struct mc_tensor *dw = job->step->grad_in[1], *db = job->step->grad_in[2];
    for (int64_t c = begin; c < end; c++)
        for (int64_t plane = c; plane < job->x->shape.dim[0] * job->C; plane += job->C) {
            for (int64_t t = 0; t < job->L && dy; t++) {
                double g = mc_tensor_get_f64(dy, plane * job->L + t);
                if (job->silu) {
                    const double sum = causal_sum(job, plane, c, t), s = 1 / (1 + exp(-sum));
                    g *= s * (1 + sum * (1 - s));
                }
                if (db) mc_tensor_set_f64(db, c, mc_tensor_get_f64(db, c) + g);
                for (int64_t i = 0; i < job->k; i++) {
                    const int64_t at = c * job->k + i;
                    if (dw) mc_tensor_set_f64(dw, at, mc_tensor_get_f64(dw, at) + g * seen(job, plane, t + i));
                    give_seen(job, plane, t + i, g * mc_tensor_get_f64(job->w, at));
                }
            }
            for (int64_t i = 0; i < job->k - 1 && d_present; i++)
                give_seen(job, plane, job->L + i, mc_tensor_get_f64(d_present, plane * (job->k - 1) + i));
        }
}

static int causal_backward(struct mc_step *step, struct mc_error *err)
{
    struct causal job = causal_of(step);
    for (int i = 0; i < 4; i++)
        if (step->grad_in[i]) mc_zero(step->grad_in[i]);
    mc_parallel(job.C, mc_parallel_grain(step->in[0]->shape.dim[0] * job.L * job.k * 8), causal_channels_back, &job);
    return MC_OK;
}

static void causal_cost(const struct mc_node *node, const struct mc_fact *const *in, const struct mc_fact *out,
                        struct mc_cost *cost)
{
    mc_cost_free(node, in, out, cost);
    const int64_t macs = mc_shape_count(&in[0]->shape) * in[1]->shape.dim[2];
    cost->macs += macs;
    cost->flops += 2 * macs;
}

const struct mc_op mc_op_causal_conv_27 = {
    .domain = "",
    .type = "CausalConvWithState",
    .since = 27,
    .min_inputs = 2,
    .max_inputs = 4,
    .n_outputs = 2,
    .widens = true,
    .grad_inputs = 15,
    .keep = MC_KEEP_IN,
    .shape = causal_shape,
    .forward = causal_forward,
    .backward = causal_backward,
    .coupling = mc_coupling_freeze_all,
    .cost = causal_cost,
};
