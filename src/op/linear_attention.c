/* linear_attention.c - LinearAttention (ONNX opset 27): attention whose past is a matrix S [d_k, d_v] for each head.
 *
 *     S = exp(g_t) S + k_t (v_t)^T                       linear (g = 0), gated
 *     S = exp(g_t) S + b_t k_t (v_t - exp(g_t) S^T k_t)^T   delta (g = 0), gated_delta
 *     y_t = scale S^T q_t
 *
 *     q: [B, T, heads d_k]   k: [B, T, kv d_k]   v: [B, T, kv d_v]   S: [B, kv, d_k, d_v]   y: [B, T, heads d_v]
 *     g: [B, T, kv d_k] or [B, T, kv]   b: [B, T, kv] or [B, T, 1]
 *
 * (Katharopoulos et al. 2020; Yang et al. 2024, "Gated Delta Networks".) Heads of queries share the state of their
 * head of keys; the walk is done in the order of the tokens, one state to a thread.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "kernel/parallel.h"
#include "op/move.h"
#include "op/ops.h"

enum input { Q, K, V, PAST, DECAY, BETA };

struct extents {
    int64_t B, T, heads, kv, d_k, d_v;
    bool gated, delta;
    bool decay_each; /* of every key's element, not of the head */
    bool beta_each;  /* of every head */
};

static int rule_of(const struct mc_node *node, struct extents *e, struct mc_error *err)
{
    const bool both = mc_node_string_is(node, "update_rule", "gated_delta", true);
    e->gated = both || mc_node_string_is(node, "update_rule", "gated", false);
    e->delta = both || mc_node_string_is(node, "update_rule", "delta", false);
    if (e->gated || e->delta || mc_node_string_is(node, "update_rule", "linear", false)) return MC_OK;
    return mc_error_set(err, MC_ERR_INPUT, "attribute 'update_rule': needs linear, gated, delta or gated_delta");
}

static int extents_of(const struct mc_node *node, const struct mc_fact *const *in, struct extents *e,
                      struct mc_error *err)
{
    const struct mc_shape *q = &in[Q]->shape, *k = &in[K]->shape, *v = &in[V]->shape;
    *e = (struct extents){.B = q->dim[0],
                          .T = q->dim[1],
                          .heads = mc_node_int(node, "q_num_heads", 0),
                          .kv = mc_node_int(node, "kv_num_heads", 0)};
    const int rc = rule_of(node, e, err);
    if (rc < 0) return rc;
    if (e->heads < 1 || e->kv < 1 || e->heads % e->kv || q->dim[2] % e->heads || k->dim[2] % e->kv ||
        v->dim[2] % e->kv || q->dim[2] / e->heads != k->dim[2] / e->kv)
        return mc_error_set(err, MC_ERR_INPUT,
                            "attributes 'q_num_heads' and 'kv_num_heads': %" PRId64 " and %" PRId64
                            " heads do not divide %" PRId64 ", %" PRId64 " and %" PRId64 " features",
                            e->heads, e->kv, q->dim[2], k->dim[2], v->dim[2]);
    e->d_k = k->dim[2] / e->kv;
    e->d_v = v->dim[2] / e->kv;
    return MC_OK;
}

/* [B, T, one of two widths]; tells whether it is the first. */
static int need_gate(const struct mc_node *node, const struct mc_fact *const *in, int i, const struct extents *e,
                     int64_t wide, int64_t narrow, bool *is_wide, struct mc_error *err)
{
    const int rc = mc_need_dtype(node, i, in[i], MC_TYPES_FLOAT, err);
    if (rc < 0) return rc;
    const struct mc_shape *s = &in[i]->shape;
    const bool fits = s->rank == 3 && s->dim[0] == e->B && s->dim[1] == e->T;
    if (!fits || (s->dim[2] != wide && s->dim[2] != narrow))
        return mc_error_set(err, MC_ERR_INPUT,
                            "input %d '%s': needs shape [%" PRId64 ", %" PRId64 ", %" PRId64 " or %" PRId64 "]", i,
                            node->inputs[i]->name, e->B, e->T, wide, narrow);
    *is_wide = s->dim[2] == wide;
    return MC_OK;
}

static int read_facts(const struct mc_node *node, const struct mc_fact *const *in, struct extents *e,
                      struct mc_error *err)
{
    int rc = extents_of(node, in, e, err);
    if (rc == MC_OK && e->gated) rc = need_gate(node, in, DECAY, e, e->kv * e->d_k, e->kv, &e->decay_each, err);
    if (rc == MC_OK && e->delta) rc = need_gate(node, in, BETA, e, e->kv, 1, &e->beta_each, err);
    return rc;
}

static int linear_attention_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                                  struct mc_error *err)
{
    struct extents e = {0};
    int rc = MC_OK;
    for (int i = Q; i <= V && rc == MC_OK; i++) {
        rc = mc_need_dtype(node, i, in[i], MC_TYPES_FLOAT, err);
        if (rc == MC_OK) rc = mc_need_rank(node, i, in[i], 3, 3, err);
        if (rc == MC_OK && (in[i]->shape.dim[0] != in[Q]->shape.dim[0] || in[i]->shape.dim[1] != in[Q]->shape.dim[1]))
            rc = mc_error_set(err, MC_ERR_INPUT, "input %d '%s': has other samples or tokens than input 0", i,
                              node->inputs[i]->name);
    }
    if (rc == MC_OK) rc = read_facts(node, in, &e, err);
    if (rc < 0) return rc;
    const struct mc_shape state = {.rank = 4, .dim = {e.B, e.kv, e.d_k, e.d_v}};
    if (in[PAST]) {
        rc = mc_need_dtype(node, PAST, in[PAST], MC_TYPES_FLOAT, err);
        if (rc < 0) return rc;
        if (!mc_shape_equal(&in[PAST]->shape, &state))
            return mc_error_set(err, MC_ERR_INPUT, "input 3 '%s': is no state of %" PRId64 " heads",
                                node->inputs[PAST]->name, e.kv);
    }
    out[0] = (struct mc_fact){.dtype = in[Q]->dtype, .shape = {.rank = 3, .dim = {e.B, e.T, e.heads * e.d_v}}};
    out[1] = (struct mc_fact){.dtype = in[PAST] ? in[PAST]->dtype : in[Q]->dtype, .shape = state};
    return MC_OK;
}

/* --- running --- */

struct job {
    struct extents e;
    double scale;
    const struct mc_tensor *in[BETA + 1];
    struct mc_tensor *y, *present; /* present: NULL if nobody asked */
    double *room;                  /* for each state: S, and a row of d_v */
    double *kept;                  /* training: S before each token; [B, kv, T, d_k, d_v] */
    const struct mc_step *step;
};

/* One token: what S remembers of it. */
static void learn(const struct job *job, double *S, double *fresh, int64_t token, int64_t head)
{
    const struct extents *e = &job->e;
    const int64_t key = (token * e->kv + head) * e->d_k, value = (token * e->kv + head) * e->d_v;
    const struct mc_tensor *decay = job->in[DECAY];
    for (int64_t i = 0; i < e->d_k && e->gated; i++) {
        const double keep = exp(mc_tensor_get_f64(decay, e->decay_each ? key + i : token * e->kv + head));
        for (int64_t j = 0; j < e->d_v; j++) S[i * e->d_v + j] *= keep;
    }
    for (int64_t j = 0; j < e->d_v; j++) fresh[j] = mc_tensor_get_f64(job->in[V], value + j);
    if (e->delta) {
        const double beta = mc_tensor_get_f64(job->in[BETA], e->beta_each ? token * e->kv + head : token);
        for (int64_t i = 0; i < e->d_k; i++) {
            const double k = mc_tensor_get_f64(job->in[K], key + i);
            for (int64_t j = 0; j < e->d_v; j++) fresh[j] -= k * S[i * e->d_v + j];
        }
        for (int64_t j = 0; j < e->d_v; j++) fresh[j] *= beta;
    }
    for (int64_t i = 0; i < e->d_k; i++) {
        const double k = mc_tensor_get_f64(job->in[K], key + i);
        for (int64_t j = 0; j < e->d_v; j++) S[i * e->d_v + j] += k * fresh[j];
    }
}

static void recall(const struct job *job, const double *S, double *sum, int64_t token, int64_t head)
{
    const struct extents *e = &job->e;
    const int64_t query = (token * e->heads + head) * e->d_k, to = (token * e->heads + head) * e->d_v;
    for (int64_t j = 0; j < e->d_v; j++) sum[j] = 0;
    for (int64_t i = 0; i < e->d_k; i++) {
        const double q = mc_tensor_get_f64(job->in[Q], query + i);
        for (int64_t j = 0; j < e->d_v; j++) sum[j] += q * S[i * e->d_v + j];
    }
    for (int64_t j = 0; j < e->d_v; j++) mc_tensor_set_f64(job->y, to + j, job->scale * sum[j]);
}

static void walk_range(void *context, int64_t begin, int64_t end)
{
    const struct job *job = context;
    const struct extents *e = &job->e;
    const int64_t size = e->d_k * e->d_v, share = e->heads / e->kv;
    for (int64_t at = begin; at < end; at++) {
        double *const S = job->room + at * (size + e->d_v), *const row = S + size;
        const int64_t sample = at / e->kv, head = at % e->kv;
        for (int64_t i = 0; i < size; i++) S[i] = job->in[PAST] ? mc_tensor_get_f64(job->in[PAST], at * size + i) : 0;
        for (int64_t t = 0; t < e->T; t++) {
            if (job->kept) memcpy(job->kept + (at * e->T + t) * size, S, (size_t)size * sizeof *S);
            learn(job, S, row, sample * e->T + t, head);
            for (int64_t k = 0; k < share; k++) recall(job, S, row, sample * e->T + t, head * share + k);
        }
        for (int64_t i = 0; i < size && job->present; i++) mc_tensor_set_f64(job->present, at * size + i, S[i]);
    }
}

/* --- going back --- */

static void add(struct mc_tensor *t, int64_t at, double v)
{
    if (t) mc_tensor_set_f64(t, at, mc_tensor_get_f64(t, at) + v);
}

/* y = scale S^T q of all heads of queries that share the state. */
static void recall_back(const struct job *job, const double *S, double *dS, int64_t token, int64_t head)
{
    const struct extents *e = &job->e;
    const struct mc_tensor *dy = job->step->grad_out[0];
    const int64_t share = e->heads / e->kv;
    for (int64_t k = 0; k < share && dy; k++) {
        const int64_t at = token * e->heads + head * share + k;
        for (int64_t i = 0; i < e->d_k; i++) {
            const double q = mc_tensor_get_f64(job->in[Q], at * e->d_k + i);
            double sum = 0;
            for (int64_t j = 0; j < e->d_v; j++) {
                const double g = job->scale * mc_tensor_get_f64(dy, at * e->d_v + j);
                sum += g * S[i * e->d_v + j];
                dS[i * e->d_v + j] += g * q;
            }
            add(job->step->grad_in[Q], at * e->d_k + i, sum);
        }
    }
}

static double decay_of(const struct job *job, int64_t token, int64_t head, int64_t i)
{
    const struct extents *e = &job->e;
    const int64_t at = token * e->kv + head;
    return e->gated ? exp(mc_tensor_get_f64(job->in[DECAY], e->decay_each ? at * e->d_k + i : at)) : 1;
}

/* S' = decay S;  u = v - S'^T k, or v;  fresh = beta u;  new S = S' + k fresh^T. `old` is S, `faded` S'; dS is by the
 * new S and becomes that by the old one; u and du are rows. */
static void learn_back(const struct job *job, const double *old, double *faded, double *dS, double *u, double *du,
                       int64_t token, int64_t head)
{
    const struct extents *e = &job->e;
    const int64_t at = token * e->kv + head, gate = e->beta_each ? at : token;
    const double beta = e->delta ? mc_tensor_get_f64(job->in[BETA], gate) : 1;
    double by_beta = 0;
    for (int64_t i = 0; i < e->d_k * e->d_v; i++) faded[i] = decay_of(job, token, head, i / e->d_v) * old[i];
    for (int64_t j = 0; j < e->d_v; j++) {
        u[j] = mc_tensor_get_f64(job->in[V], at * e->d_v + j);
        du[j] = 0;
        for (int64_t i = 0; i < e->d_k; i++) {
            const double k = mc_tensor_get_f64(job->in[K], at * e->d_k + i);
            if (e->delta) u[j] -= k * faded[i * e->d_v + j];
            du[j] += k * dS[i * e->d_v + j];
        }
        by_beta += du[j] * u[j];
        du[j] *= beta;
        add(job->step->grad_in[V], at * e->d_v + j, du[j]);
    }
    if (e->delta) add(job->step->grad_in[BETA], gate, by_beta);
    for (int64_t i = 0; i < e->d_k; i++) {
        const double k = mc_tensor_get_f64(job->in[K], at * e->d_k + i), keep = decay_of(job, token, head, i);
        double by_k = 0, by_decay = 0;
        for (int64_t j = 0; j < e->d_v; j++) {
            const int64_t ij = i * e->d_v + j;
            by_k += dS[ij] * beta * u[j] - (e->delta ? faded[ij] * du[j] : 0);
            if (e->delta) dS[ij] -= k * du[j];
            by_decay += dS[ij] * faded[ij];
            dS[ij] *= keep;
        }
        add(job->step->grad_in[K], at * e->d_k + i, by_k);
        if (e->gated) add(job->step->grad_in[DECAY], e->decay_each ? at * e->d_k + i : at, by_decay);
    }
}

/* One sample to a thread: its heads may share a gate. */
static void walk_samples_back(void *context, int64_t begin, int64_t end)
{
    const struct job *job = context;
    const struct extents *e = &job->e;
    const int64_t size = e->d_k * e->d_v;
    const struct mc_tensor *d_present = job->step->grad_out[1];
    for (int64_t at = begin * e->kv; at < end * e->kv; at++) {
        double *const dS = job->room + at / e->kv * (3 * size + 2 * e->d_v), *const S = dS + size,
                      *const faded = S + size;
        double *const u = faded + size, *const du = u + e->d_v;
        const int64_t sample = at / e->kv, head = at % e->kv;
        for (int64_t i = 0; i < size; i++) dS[i] = d_present ? mc_tensor_get_f64(d_present, at * size + i) : 0;
        for (int64_t t = e->T - 1; t >= 0; t--) {
            const double *old = job->kept + (at * e->T + t) * size;
            memcpy(S, old, (size_t)size * sizeof *S);
            learn(job, S, u, sample * e->T + t, head);
            recall_back(job, S, dS, sample * e->T + t, head);
            learn_back(job, old, faded, dS, u, du, sample * e->T + t, head);
        }
        for (int64_t i = 0; i < size; i++) add(job->step->grad_in[PAST], at * size + i, dS[i]);
    }
}

static int job_init(struct job *job, const struct mc_step *step, struct mc_error *err)
{
    struct mc_fact facts[BETA + 1];
    const struct mc_fact *in[BETA + 1];
    *job = (struct job){
        .y = step->out[0], .present = step->out[1], .room = step->workspace, .kept = step->saved, .step = step};
    mc_facts_of_inputs(step, facts, in);
    for (int i = Q; i <= BETA; i++) job->in[i] = step->in[i];
    const int rc = read_facts(step->node, in, &job->e, err);
    const float scale = mc_node_float(step->node, "scale", 0);
    job->scale = scale != 0 ? (double)scale : 1 / sqrt((double)job->e.d_k);
    return rc;
}

static int linear_attention_prepare(struct mc_step *step, struct mc_error *err)
{
    struct job job;
    const int rc = job_init(&job, step, err);
    if (rc < 0) return rc;
    const struct extents *e = &job.e;
    const int64_t size = e->d_k * e->d_v, n = e->B * e->kv * (size + e->d_v), back = e->B * (3 * size + 2 * e->d_v);
    step->workspace_bytes = (size_t)((step->training && back > n ? back : n) + 1) * sizeof(double);
    if (step->training) step->saved_bytes = (size_t)(e->B * e->kv * e->T * size + 1) * sizeof(double);
    return MC_OK;
}

static int linear_attention_forward(struct mc_step *step, struct mc_error *err)
{
    struct job job;
    const int rc = job_init(&job, step, err);
    if (rc == MC_OK) mc_parallel(job.e.B * job.e.kv, 1, walk_range, &job);
    return rc;
}

static int linear_attention_backward(struct mc_step *step, struct mc_error *err)
{
    struct job job;
    const int rc = job_init(&job, step, err);
    for (int i = Q; i <= BETA; i++)
        if (step->grad_in[i]) mc_zero(step->grad_in[i]);
    if (rc == MC_OK) mc_parallel(job.e.B, 1, walk_samples_back, &job);
    return rc;
}

static void linear_attention_cost(const struct mc_node *node, const struct mc_fact *const *in,
                                  const struct mc_fact *out, struct mc_cost *cost)
{
    struct extents e = {0};
    mc_cost_free(node, in, out, cost);
    if (extents_of(node, in, &e, NULL) < 0) return;
    const int64_t macs = e.B * e.T * e.d_k * e.d_v * (e.heads + e.kv * (e.delta ? 2 : 1));
    cost->macs += macs;
    cost->flops += 2 * macs;
}

const struct mc_op mc_op_linear_attention_27 = {
    .domain = "",
    .type = "LinearAttention",
    .since = 27,
    .min_inputs = 3,
    .max_inputs = 6,
    .n_outputs = 2,
    .widens = true,
    .shape = linear_attention_shape,
    .prepare = linear_attention_prepare,
    .grad_inputs = (1u << (BETA + 1)) - 1,
    .keep = MC_KEEP_IN,
    .forward = linear_attention_forward,
    .backward = linear_attention_backward,
    .coupling = mc_coupling_freeze_all,
    .cost = linear_attention_cost,
};
