/* attention.c - Attention (ONNX opset 23, 24, 25): softmax(Q K^T scale + bias) V for each head of each sample.
 *
 *     Q: [N, heads, L, d] or [N, L, heads d]   K, V: the same with kv heads and S positions   Y: as Q, with d_v
 *
 * (Vaswani et al. 2017; grouped queries: Ainslie et al. 2023.) The bias is what the mask adds or forbids, the causal
 * frontier, the window and the padding together. Scores exist for a block of queries at a time, which stays in the
 * cache and is all the memory it takes; each block is one product with all keys, a softmax, and one with all values.
 * A query that may look at nothing gives zeros.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "kernel/blas.h"
#include "kernel/kernels.h"
#include "kernel/loops.h"
#include "kernel/parallel.h"
#include "op/outline.h"
#include "tensor/half.h"

enum { BLOCK = 64 }; /* queries whose scores are there at a time */
enum input { Q, K, V, MASK, PAST_KEY, PAST_VALUE, KV_LENGTHS };

/* Extents, and whether heads are an axis of their own. */
struct extents {
    bool packed; /* [N, L, heads d] */
    int64_t N, heads, kv_heads, L, new_S, past, S, d, d_v;
};

static int packed_heads(const struct mc_node *node, const struct mc_fact *const *in, struct extents *e,
                        struct mc_error *err)
{
    const struct mc_shape *q = &in[Q]->shape, *k = &in[K]->shape, *v = &in[V]->shape;
    e->heads = mc_node_int(node, "q_num_heads", 0);
    e->kv_heads = mc_node_int(node, "kv_num_heads", 0);
    if (e->heads < 1 || e->kv_heads < 1 || q->dim[2] % e->heads || k->dim[2] % e->kv_heads || v->dim[2] % e->kv_heads)
        return mc_error_set(err, MC_ERR_INPUT,
                            "attributes 'q_num_heads' and 'kv_num_heads': %" PRId64 " and %" PRId64
                            " heads do not divide %" PRId64 ", %" PRId64 " and %" PRId64 " features",
                            e->heads, e->kv_heads, q->dim[2], k->dim[2], v->dim[2]);
    e->L = q->dim[1];
    e->new_S = k->dim[1];
    e->d = q->dim[2] / e->heads;
    e->d_v = v->dim[2] / e->kv_heads;
    if (k->dim[2] / e->kv_heads != e->d || v->dim[1] != e->new_S)
        return mc_error_set(err, MC_ERR_INPUT, "queries, keys and values do not go together");
    return MC_OK;
}

static int extents_of(const struct mc_node *node, const struct mc_fact *const *in, struct extents *e,
                      struct mc_error *err)
{
    const struct mc_shape *q = &in[Q]->shape, *k = &in[K]->shape, *v = &in[V]->shape;
    *e = (struct extents){.packed = q->rank == 3, .N = q->dim[0]};
    int rc = MC_OK;
    if (q->rank != k->rank || q->rank != v->rank || k->dim[0] != e->N || v->dim[0] != e->N)
        return mc_error_set(err, MC_ERR_INPUT, "queries, keys and values do not go together");
    if (e->packed) {
        rc = packed_heads(node, in, e, err);
    } else {
        e->heads = q->dim[1];
        e->kv_heads = k->dim[1];
        e->L = q->dim[2];
        e->new_S = k->dim[2];
        e->d = q->dim[3];
        e->d_v = v->dim[3];
        if (k->dim[3] != e->d || v->dim[1] != e->kv_heads || v->dim[2] != e->new_S)
            rc = mc_error_set(err, MC_ERR_INPUT, "queries, keys and values do not go together");
    }
    if (rc < 0) return rc;
    if (e->kv_heads < 1 || e->heads % e->kv_heads)
        return mc_error_set(err, MC_ERR_INPUT, "%" PRId64 " heads of queries for %" PRId64 " of keys", e->heads,
                            e->kv_heads);
    if (in[PAST_KEY]) e->past = in[PAST_KEY]->shape.dim[2];
    e->S = e->past + e->new_S;
    return MC_OK;
}

static int check_past(const struct mc_fact *const *in, const struct extents *e, struct mc_error *err)
{
    const struct mc_shape key = {.rank = 4, .dim = {e->N, e->kv_heads, e->past, e->d}};
    const struct mc_shape value = {.rank = 4, .dim = {e->N, e->kv_heads, e->past, e->d_v}};
    if (!in[PAST_KEY] && !in[PAST_VALUE]) return MC_OK;
    if (!in[PAST_KEY] || !in[PAST_VALUE] || !mc_shape_equal(&in[PAST_KEY]->shape, &key) ||
        !mc_shape_equal(&in[PAST_VALUE]->shape, &value))
        return mc_error_set(err, MC_ERR_INPUT, "the past has to have keys and values of all heads");
    return MC_OK;
}

/* A mask broadcasts to [N, heads, L, S]; its last axis may end early. */
static int check_mask(const struct mc_node *node, const struct mc_fact *const *in, const struct extents *e,
                      struct mc_error *err)
{
    if (!in[MASK]) return MC_OK;
    const uint64_t types = MC_TYPES_FLOAT | MC_TYPE_BIT(MC_BOOL);
    const int rc = mc_need_dtype(node, MASK, in[MASK], types, err);
    if (rc < 0) return rc;
    const struct mc_shape scores = {.rank = 4, .dim = {e->N, e->heads, e->L, e->S}};
    struct mc_shape mask = in[MASK]->shape, both;
    char text[128];
    if (mask.rank > 0 && mask.dim[mask.rank - 1] < e->S) mask.dim[mask.rank - 1] = e->S;
    if (mask.rank < 1 || mask.rank > 4 || !mc_shape_broadcast(&mask, &scores, &both) || !mc_shape_equal(&both, &scores))
        return mc_error_set(err, MC_ERR_INPUT, "input 3 '%s': shape %s does not go with the scores",
                            node->inputs[MASK]->name, mc_shape_text(&in[MASK]->shape, text, sizeof text));
    return MC_OK;
}

/* What the softmax is computed in: `own` unless the attribute names another type. */
static enum mc_dtype precision_of(const struct mc_node *node, enum mc_dtype own)
{
    return (enum mc_dtype)mc_node_int(node, "softmax_precision", own);
}

static int check_precision(const struct mc_node *node, struct mc_error *err)
{
    const int64_t type = mc_node_int(node, "softmax_precision", MC_FLOAT);
    if (type == MC_FLOAT || type == MC_DOUBLE || type == MC_FLOAT16 || type == MC_BFLOAT16) return MC_OK;
    return mc_error_set(err, MC_ERR_INPUT, "attribute 'softmax_precision': needs a float type, has %" PRId64, type);
}

static int attention_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                           struct mc_error *err)
{
    struct extents e;
    int rc = MC_OK;
    for (int i = Q; i <= V && rc == MC_OK; i++) {
        rc = mc_need_dtype(node, i, in[i], MC_TYPE_BIT(in[Q]->dtype) & MC_TYPES_FLOAT, err);
        if (rc == MC_OK) rc = mc_need_rank(node, i, in[i], 3, 4, err);
    }
    for (int i = PAST_KEY; i <= PAST_VALUE && rc == MC_OK; i++) {
        if (!in[i]) continue;
        rc = mc_need_dtype(node, i, in[i], MC_TYPE_BIT(in[Q]->dtype), err);
        if (rc == MC_OK) rc = mc_need_rank(node, i, in[i], 4, 4, err);
    }
    if (rc == MC_OK) rc = extents_of(node, in, &e, err);
    if (rc == MC_OK) rc = check_past(in, &e, err);
    if (rc == MC_OK) rc = check_mask(node, in, &e, err);
    if (rc == MC_OK) rc = check_precision(node, err);
    if (rc == MC_OK && in[KV_LENGTHS]) {
        rc = mc_need_dtype(node, KV_LENGTHS, in[KV_LENGTHS], MC_TYPE_BIT(MC_INT64), err);
        if (rc == MC_OK && mc_shape_count(&in[KV_LENGTHS]->shape) != e.N)
            rc = mc_error_set(err, MC_ERR_INPUT, "input 6 '%s': needs a length for each sample",
                              node->inputs[KV_LENGTHS]->name);
    }
    if (rc < 0) return rc;
    for (int i = 0; i < 4; i++) out[i] = (struct mc_fact){.dtype = in[Q]->dtype, .shape = {.rank = 4}};
    out[0].shape = e.packed ? (struct mc_shape){.rank = 3, .dim = {e.N, e.L, e.heads * e.d_v}}
                            : (struct mc_shape){.rank = 4, .dim = {e.N, e.heads, e.L, e.d_v}};
    out[1].shape = (struct mc_shape){.rank = 4, .dim = {e.N, e.kv_heads, e.S, e.d}};
    out[2].shape = (struct mc_shape){.rank = 4, .dim = {e.N, e.kv_heads, e.S, e.d_v}};
    out[3].shape = (struct mc_shape){.rank = 4, .dim = {e.N, e.heads, e.L, e.S}};
    return MC_OK;
}

/* As attention_shape, with open dimensions. */
static void attention_outline(struct mc_symbols *s, const struct mc_node *node, const struct mc_outline *const *in,
                              struct mc_outline *out)
{
    const mc_symbol *const q = in[Q]->dim, *const k = in[K]->dim, *const v = in[V]->dim;
    const bool packed = in[Q]->rank == 3;
    if (in[Q]->rank < 3 || in[K]->rank != in[Q]->rank || in[V]->rank != in[Q]->rank || in[Q]->rank > 4) return;
    const mc_symbol heads = packed ? mc_symbol_number(s, mc_node_int(node, "q_num_heads", 0)) : q[1];
    const mc_symbol kv_heads = packed ? mc_symbol_number(s, mc_node_int(node, "kv_num_heads", 0)) : k[1];
    const mc_symbol L = packed ? q[1] : q[2], d = packed ? mc_symbol_divide(s, k[2], kv_heads) : k[3];
    const mc_symbol d_v = packed ? mc_symbol_divide(s, v[2], kv_heads) : v[3];
    mc_symbol S = packed ? k[1] : k[2];
    if (in[PAST_KEY]) S = in[PAST_KEY]->rank == 4 ? mc_symbol_add(s, S, in[PAST_KEY]->dim[2]) : MC_SYMBOL_UNKNOWN;
    out[0] = packed ? (struct mc_outline){.rank = 3, .dim = {q[0], L, mc_symbol_multiply(s, heads, d_v)}}
                    : (struct mc_outline){.rank = 4, .dim = {q[0], heads, L, d_v}};
    out[1] = (struct mc_outline){.rank = 4, .dim = {q[0], kv_heads, S, d}};
    out[2] = (struct mc_outline){.rank = 4, .dim = {q[0], kv_heads, S, d_v}};
    out[3] = (struct mc_outline){.rank = 4, .dim = {q[0], heads, L, S}};
    for (int i = 0; i < 4; i++) out[i].n_items = -1;
}

/* --- running --- */

/* Where a head's rows lie: the first, and from one row to the next. */
struct rows {
    char *at;
    int64_t pace;
};

struct job {
    struct extents e;
    enum mc_dtype dtype;
    size_t size;
    const struct mc_row_loops *loops;
    const struct mc_bfloat_loops *bfloats;
    const struct mc_tensor *q, *mask, *lengths;
    struct mc_tensor *y, *scores_out;
    const struct mc_tensor *keys, *values; /* as given, or joined with the past: [N, kv heads, S, …] */
    bool joined;
    double scale, softcap;
    int mode;
    bool causal;
    int64_t left, right, mask_strides[4], mask_end; /* mask_end: columns that the mask has */
    char *scores;                                   /* workspace: a block for each head of each sample */
    enum mc_dtype precision;                        /* of the softmax */
    const struct mc_row_loops *precise;             /* NULL: it is the scores' own type */
    double *wide;                                   /* workspace for that: a row for each head of each sample */
    /* going back */
    char *capped;                       /* with a softcap: the scores of a block before the mask */
    char *d_scores;                     /* of a block */
    const struct mc_tensor *dy, *d_out; /* d_out: of what the fourth output hands out, or NULL */
    struct mc_tensor *dq, *dk, *dv, *d_mask;
};

static struct rows head_of(const struct mc_tensor *t, bool packed, int64_t n, int64_t head, int64_t heads, int64_t rows,
                           int64_t width, size_t size)
{
    const int64_t at = packed ? (n * rows * heads + head) * width : (n * heads + head) * rows * width;
    return (struct rows){(char *)t->data + (size_t)at * size, packed ? heads * width : width};
}

/* The number at the position in the mask; -inf where it forbids. */
static double mask_at(const struct job *job, int64_t n, int64_t head, int64_t i, int64_t j)
{
    if (!job->mask) return 0;
    if (j >= job->mask_end) return -INFINITY;
    const int64_t *s = job->mask_strides, at = n * s[0] + head * s[1] + i * s[2] + j * s[3];
    if (job->mask->dtype == MC_BOOL) return ((const bool *)job->mask->data)[at] ? 0 : -INFINITY;
    return job->mask->dtype == MC_FLOAT ? (double)((const float *)job->mask->data)[at]
                                        : ((const double *)job->mask->data)[at];
}

/* What row i of the scores may look at: positions begin … end - 1 by causality, window and padding. */
static void reach(const struct job *job, int64_t n, int64_t i, int64_t *begin, int64_t *end)
{
    const int64_t length = job->lengths ? ((const int64_t *)job->lengths->data)[n] : job->e.S;
    const int64_t position = i + (job->lengths ? length - job->e.L : job->e.past);
    *begin = 0;
    *end = length < job->e.S ? length : job->e.S;
    if (job->causal && *end > position + 1) *end = position + 1;
    if (job->left >= 0 && *begin < position - job->left) *begin = position - job->left;
    if (job->right >= 0 && *end > position + job->right + 1) *end = position + job->right + 1;
    if (*end < 0) *end = 0;
    if (*begin > *end) *begin = *end;
}

static double get(const struct job *job, const char *row, int64_t j)
{
    return job->dtype == MC_FLOAT ? (double)((const float *)(const void *)row)[j]
                                  : ((const double *)(const void *)row)[j];
}

static void set(const struct job *job, char *row, int64_t j, double v)
{
    if (job->dtype == MC_FLOAT)
        ((float *)(void *)row)[j] = (float)v;
    else
        ((double *)(void *)row)[j] = v;
}

/* A copy of a row of scores for the fourth output. */
static void hand_out(const struct job *job, const char *row, int64_t n, int64_t head, int64_t i)
{
    const int64_t at = ((n * job->e.heads + head) * job->e.L + i) * job->e.S;
    memcpy((char *)job->scores_out->data + (size_t)at * job->size, row, (size_t)job->e.S * job->size);
}

static void round_floats(enum mc_dtype to, int64_t n, float *x)
{
    uint16_t small[256];
    if (to != MC_FLOAT16 && to != MC_BFLOAT16) return;
    for (int64_t i = 0; i < n; i += 256) {
        const int64_t m = n - i < 256 ? n - i : 256;
        (to == MC_FLOAT16 ? mc_floats_to_halves : mc_floats_to_bfloats)(m, x + i, small);
        (to == MC_FLOAT16 ? mc_halves_to_floats : mc_bfloats_to_floats)(m, small, x + i);
    }
}

/* The softmax of a row by way of another type; of the small ones scores and shares are rounded, sums are not. */
static void softmax_in(const struct job *job, char *row, double *wide)
{
    const int64_t S = job->e.S;
    float *const single = (float *)wide;
    const bool is_double = job->precision == MC_DOUBLE;
    for (int64_t j = 0; j < S; j++)
        if (is_double)
            wide[j] = get(job, row, j);
        else
            single[j] = (float)get(job, row, j);
    if (!is_double) round_floats(job->precision, S, single);
    job->precise->softmax(S, wide, wide);
    if (!is_double) round_floats(job->precision, S, single);
    for (int64_t j = 0; j < S; j++) set(job, row, j, is_double ? wide[j] : (double)single[j]);
}

/* One row of scores, from products to shares. */
static void finish_row(const struct job *job, char *row, int64_t n, int64_t head, int64_t i)
{
    const int64_t S = job->e.S;
    int64_t begin, end;
    if (job->scores_out && job->mode == 0) hand_out(job, row, n, head, i);
    if (job->softcap > 0)
        for (int64_t j = 0; j < S; j++) set(job, row, j, job->softcap * tanh(get(job, row, j) / job->softcap));
    if (job->capped) memcpy(job->capped + (row - job->scores), row, (size_t)S * job->size);
    if (job->scores_out && job->mode == 1) hand_out(job, row, n, head, i);
    reach(job, n, i, &begin, &end);
    bool any = false;
    for (int64_t j = 0; j < S; j++) {
        const double bias = j < begin || j >= end ? -INFINITY : mask_at(job, n, head, i, j);
        if (bias != 0) set(job, row, j, get(job, row, j) + bias);
        any |= bias != -INFINITY;
    }
    if (job->scores_out && job->mode == 2) hand_out(job, row, n, head, i);
    if (any && job->precise)
        softmax_in(job, row, job->wide + (n * job->e.heads + head) * S);
    else if (any)
        job->loops->softmax(S, row, row);
    else
        memset(row, 0, (size_t)S * job->size);
    if (job->scores_out && job->mode == 3) hand_out(job, row, n, head, i);
}

/* Head `head` of sample n. */
static void attend(const struct job *job, int64_t n, int64_t head)
{
    const struct extents *e = &job->e;
    const int64_t kv = head / (e->heads / e->kv_heads);
    const bool kv_packed = e->packed && !job->joined;
    const struct rows q = head_of(job->q, e->packed, n, head, e->heads, e->L, e->d, job->size);
    const struct rows k = head_of(job->keys, kv_packed, n, kv, e->kv_heads, e->S, e->d, job->size);
    const struct rows v = head_of(job->values, kv_packed, n, kv, e->kv_heads, e->S, e->d_v, job->size);
    const struct rows y = head_of(job->y, e->packed, n, head, e->heads, e->L, e->d_v, job->size);
    char *const scores =
        job->scores + (size_t)((n * e->heads + head) * (BLOCK < e->L ? BLOCK : e->L) * e->S) * job->size;
    for (int64_t first = 0; first < e->L; first += BLOCK) {
        const int64_t m = e->L - first < BLOCK ? e->L - first : BLOCK;
        struct mc_gemm gemm = mc_gemm_dense(job->dtype, false, true, m, e->S, e->d);
        gemm.bfloats = job->bfloats;
        gemm.lda = q.pace;
        gemm.ldb = k.pace;
        gemm.alpha = job->scale;
        mc_gemm(&gemm, q.at + (size_t)(first * q.pace) * job->size, k.at, scores);
        for (int64_t i = 0; i < m; i++) finish_row(job, scores + (size_t)(i * e->S) * job->size, n, head, first + i);
        gemm = mc_gemm_dense(job->dtype, false, false, m, e->d_v, e->S);
        gemm.bfloats = job->bfloats;
        gemm.ldb = v.pace;
        gemm.ldc = y.pace;
        mc_gemm(&gemm, scores, v.at, y.at + (size_t)(first * y.pace) * job->size);
    }
}

static void attend_range(void *context, int64_t begin, int64_t end)
{
    const struct job *job = context;
    for (int64_t i = begin; i < end; i++) attend(job, i / job->e.heads, i % job->e.heads);
}

/* --- the past --- */

/* [N, kv heads, S, width] from the past and what is new, whose heads may be packed. */
static void join(const struct extents *e, const struct mc_tensor *past, const struct mc_tensor *fresh, int64_t width,
                 void *to, size_t size)
{
    for (int64_t n = 0; n < e->N; n++)
        for (int64_t h = 0; h < e->kv_heads; h++) {
            char *const head = (char *)to + (size_t)((n * e->kv_heads + h) * e->S * width) * size;
            const size_t old = (size_t)(e->past * width) * size;
            if (past) memcpy(head, (const char *)past->data + (size_t)(n * e->kv_heads + h) * old, old);
            const struct rows rows = head_of(fresh, e->packed, n, h, e->kv_heads, e->new_S, width, size);
            for (int64_t i = 0; i < e->new_S; i++)
                memcpy(head + old + (size_t)(i * width) * size, rows.at + (size_t)(i * rows.pace) * size,
                       (size_t)width * size);
        }
}

static bool joins(const struct mc_step *step)
{
    return step->in[PAST_KEY] || step->out[1] || step->out[2];
}

static int64_t block_rows(const struct extents *e)
{
    return BLOCK < e->L ? BLOCK : e->L;
}

static bool has_softcap(const struct mc_step *step)
{
    return mc_node_float(step->node, "softcap", 0) > 0;
}

/* A block of scores for each head of each sample, and what is joined. Going back: for each head of keys the shares,
 * their gradient, and the scores under the cap; the gradients of what is joined. */
static int64_t room_of(const struct mc_step *step, const struct extents *e)
{
    const int64_t joined = joins(step) ? e->N * e->kv_heads * e->S * (e->d + e->d_v) : 0;
    const int64_t block = e->N * e->heads * block_rows(e) * e->S;
    const int64_t back = step->training ? e->N * e->kv_heads * block_rows(e) * e->S * (has_softcap(step) ? 3 : 2) : 0;
    return step->training ? (block > back ? block : back) + 2 * joined : block + joined;
}

static int attention_prepare(struct mc_step *step, struct mc_error *err)
{
    struct mc_fact facts[7];
    const struct mc_fact *in[7];
    struct extents e;
    mc_facts_of_inputs(step, facts, in);
    const int rc = extents_of(step->node, in, &e, err);
    if (rc < 0) return rc;
    const enum mc_dtype own = step->in[Q]->dtype;
    step->workspace_bytes = (size_t)(room_of(step, &e) + 64) * mc_element_size(own);
    if (precision_of(step->node, own) != own) step->workspace_bytes += (size_t)(e.N * e.heads * e.S) * sizeof(double);
    return MC_OK;
}

static void set_mask(struct job *job, const struct mc_tensor *mask)
{
    if (!mask) return;
    const int missing = 4 - mask->shape.rank;
    int64_t strides[MC_MAX_RANK];
    job->mask = mask;
    mc_strides(&mask->shape, strides);
    for (int k = 0; k < 4; k++)
        job->mask_strides[k] = k < missing || mask->shape.dim[k - missing] == 1 ? 0 : strides[k - missing];
    const int64_t columns = mask->shape.dim[mask->shape.rank - 1];
    job->mask_end = columns == 1 && job->e.S > 1 ? 1 : columns;
}

/* The rows of a softmax in another type lie at the end of the workspace. */
static void set_precision(struct job *job, const struct mc_step *step)
{
    const struct mc_loops *loops = step->runtime->kernels->loops;
    job->precision = precision_of(step->node, job->dtype);
    if (job->precision == job->dtype) return;
    job->precise = &loops->rows[mc_loop_type(job->precision == MC_DOUBLE ? MC_DOUBLE : MC_FLOAT)];
    const size_t bytes = (size_t)(job->e.N * job->e.heads * job->e.S) * sizeof(double);
    job->wide = (double *)(void *)((char *)step->workspace + (step->workspace_bytes - bytes) / 8 * 8);
}

static int job_init(struct job *job, const struct mc_step *step, struct mc_error *err)
{
    struct mc_fact facts[7];
    const struct mc_fact *in[7];
    mc_facts_of_inputs(step, facts, in);
    *job = (struct job){.dtype = step->in[Q]->dtype,
                        .size = mc_element_size(step->in[Q]->dtype),
                        .bfloats = mc_step_bfloats(step),
                        .loops = &step->runtime->kernels->loops->rows[mc_loop_type(step->in[Q]->dtype)],
                        .q = step->in[Q],
                        .lengths = step->in[KV_LENGTHS],
                        .y = step->out[0],
                        .keys = step->in[K],
                        .values = step->in[V],
                        .joined = joins(step),
                        .softcap = (double)mc_node_float(step->node, "softcap", 0),
                        .mode = (int)mc_node_int(step->node, "qk_matmul_output_mode", 0),
                        .causal = mc_node_int(step->node, "is_causal", 0) != 0,
                        .left = mc_node_int(step->node, "left_window_size", -1),
                        .right = mc_node_int(step->node, "right_window_size", -1),
                        .scores = step->workspace};
    const int rc = extents_of(step->node, in, &job->e, err);
    if (rc < 0) return rc;
    job->scale = (double)mc_node_float(step->node, "scale", (float)(1 / sqrt((double)job->e.d)));
    set_mask(job, step->in[MASK]);
    set_precision(job, step);
    return MC_OK;
}

/* Keys and values behind those of the past, at `room` where `out` names no other places. */
static void join_past(struct job *job, const struct mc_step *step, char *room, struct mc_tensor *const *out,
                      struct mc_tensor *keys, struct mc_tensor *values)
{
    const struct extents *e = &job->e;
    if (!job->joined) return;
    *keys = (struct mc_tensor){.data = out && out[1] ? out[1]->data : room};
    *values = (struct mc_tensor){.data = out && out[2] ? out[2]->data
                                                       : room + (size_t)(e->N * e->kv_heads * e->S * e->d) * job->size};
    join(e, step->in[PAST_KEY], step->in[K], e->d, keys->data, job->size);
    join(e, step->in[PAST_VALUE], step->in[V], e->d_v, values->data, job->size);
    job->keys = keys;
    job->values = values;
}

static int attention_forward(struct mc_step *step, struct mc_error *err)
{
    struct mc_tensor keys, values;
    struct job job;
    const int rc = job_init(&job, step, err);
    if (rc < 0 || mc_tensor_count(job.y) == 0) return rc;
    const struct extents *e = &job.e;
    job.scores_out = step->out[3];
    join_past(&job, step, job.scores + (size_t)(e->N * e->heads * block_rows(e) * e->S) * job.size, step->out, &keys,
              &values);
    mc_parallel(e->N * e->heads, 1, attend_range, &job);
    return MC_OK;
}

/* --- going back: the shares of a block of queries are made again --- */

/* The gradient of one row: of its shares on the way in, of its products on the way out. */
static void row_back(const struct job *job, const char *shares, const char *capped, char *d, int64_t n, int64_t head,
                     int64_t i)
{
    const struct extents *e = &job->e;
    const int64_t S = e->S, at = ((n * e->heads + head) * e->L + i) * S;
    const char *given = job->d_out ? (const char *)job->d_out->data + (size_t)at * job->size : NULL;
    if (given && job->mode == 3)
        for (int64_t j = 0; j < S; j++) set(job, d, j, get(job, d, j) + get(job, given, j));
    job->loops->softmax_grad(S, shares, d, d);
    if (given && job->mode == 2)
        for (int64_t j = 0; j < S; j++) set(job, d, j, get(job, d, j) + get(job, given, j));
    if (job->d_mask) {
        const int64_t *s = job->mask_strides, row = n * s[0] + head * s[1] + i * s[2];
        for (int64_t j = 0; j < S && j < job->mask_end; j++)
            set(job, job->d_mask->data, row + j * s[3], get(job, job->d_mask->data, row + j * s[3]) + get(job, d, j));
    }
    if (given && job->mode == 1)
        for (int64_t j = 0; j < S; j++) set(job, d, j, get(job, d, j) + get(job, given, j));
    for (int64_t j = 0; j < S && job->softcap > 0; j++) {
        const double v = get(job, capped, j) / job->softcap;
        set(job, d, j, get(job, d, j) * (1 - v * v));
    }
    if (given && job->mode == 0)
        for (int64_t j = 0; j < S; j++) set(job, d, j, get(job, d, j) + get(job, given, j));
}

/* C (rows of c) = alpha op(A) op(B) + beta C, where NULL stands for a C that nobody wants. */
static void multiply(const struct job *job, bool ta, bool tb, int64_t m, int64_t n, int64_t k, double alpha,
                     double beta, struct rows a, struct rows b, struct rows c)
{
    struct mc_gemm gemm = mc_gemm_dense(job->dtype, ta, tb, m, n, k);
    gemm.bfloats = job->bfloats;
    if (!c.at) return;
    gemm.lda = a.pace;
    gemm.ldb = b.pace;
    gemm.ldc = c.pace;
    gemm.alpha = alpha;
    gemm.beta = beta;
    mc_gemm(&gemm, a.at, b.at, c.at);
}

static struct rows rows_from(const struct job *job, struct rows rows, int64_t first)
{
    if (rows.at) rows.at += (size_t)(first * rows.pace) * job->size;
    return rows;
}

static struct rows gradient_of(const struct mc_tensor *t, bool packed, int64_t n, int64_t head, int64_t heads,
                               int64_t rows, int64_t width, size_t size)
{
    return t ? head_of(t, packed, n, head, heads, rows, width, size) : (struct rows){NULL, width};
}

/* A head of queries with its keys and values, to whose gradients it adds unless it is the `first_head` of them. */
static void attend_back(const struct job *job, int64_t n, int64_t head, bool first_head)
{
    const struct extents *e = &job->e;
    const int64_t kv = head / (e->heads / e->kv_heads), room = block_rows(e) * e->S;
    const bool kv_packed = e->packed && !job->joined;
    const struct rows q = head_of(job->q, e->packed, n, head, e->heads, e->L, e->d, job->size);
    const struct rows k = head_of(job->keys, kv_packed, n, kv, e->kv_heads, e->S, e->d, job->size);
    const struct rows v = head_of(job->values, kv_packed, n, kv, e->kv_heads, e->S, e->d_v, job->size);
    const struct rows dy = gradient_of(job->dy, e->packed, n, head, e->heads, e->L, e->d_v, job->size);
    const struct rows dq = gradient_of(job->dq, e->packed, n, head, e->heads, e->L, e->d, job->size);
    const struct rows dk = gradient_of(job->dk, kv_packed, n, kv, e->kv_heads, e->S, e->d, job->size);
    const struct rows dv = gradient_of(job->dv, kv_packed, n, kv, e->kv_heads, e->S, e->d_v, job->size);
    const size_t at = (size_t)((n * e->kv_heads + kv) * room) * job->size;
    const struct rows shares = {job->scores + at, e->S}, d = {job->d_scores + at, e->S};
    for (int64_t first = 0; first < e->L; first += BLOCK) {
        const int64_t m = e->L - first < BLOCK ? e->L - first : BLOCK;
        const struct rows dy_block = rows_from(job, dy, first), q_block = rows_from(job, q, first);
        const double beta = first_head && first == 0 ? 0 : 1;
        multiply(job, false, true, m, e->S, e->d, job->scale, 0, q_block, k, shares);
        for (int64_t i = 0; i < m; i++) finish_row(job, shares.at + (size_t)(i * e->S) * job->size, n, head, first + i);
        if (dy.at) {
            multiply(job, false, true, m, e->S, e->d_v, 1, 0, dy_block, v, d);
            multiply(job, true, false, e->S, e->d_v, m, 1, beta, shares, dy_block, dv);
        } else {
            memset(d.at, 0, (size_t)(m * e->S) * job->size);
        }
        for (int64_t i = 0; i < m; i++) {
            const size_t row = (size_t)(i * e->S) * job->size;
            row_back(job, shares.at + row, job->capped ? job->capped + at + row : NULL, d.at + row, n, head, first + i);
        }
        multiply(job, false, false, m, e->d, e->S, job->scale, 0, d, k, rows_from(job, dq, first));
        multiply(job, true, false, e->S, e->d, m, job->scale, beta, d, q_block, dk);
    }
}

static void attend_range_back(void *context, int64_t begin, int64_t end)
{
    const struct job *job = context;
    const int64_t share = job->e.heads / job->e.kv_heads;
    for (int64_t i = begin; i < end; i++)
        for (int64_t k = 0; k < share; k++)
            attend_back(job, i / job->e.kv_heads, i % job->e.kv_heads * share + k, k == 0);
}

/* What came in through an output that holds the joined keys, or values, and where each part of the sum goes. */
static void part_past(const struct extents *e, const struct mc_tensor *joined, const struct mc_tensor *given,
                      struct mc_tensor *past, struct mc_tensor *fresh, int64_t width, size_t size)
{
    const int64_t count = e->N * e->kv_heads * e->S * width;
    for (int64_t i = 0; i < count && given; i++)
        if (size == sizeof(float))
            ((float *)joined->data)[i] += ((const float *)given->data)[i];
        else
            ((double *)joined->data)[i] += ((const double *)given->data)[i];
    for (int64_t n = 0; n < e->N; n++)
        for (int64_t h = 0; h < e->kv_heads; h++) {
            const char *const head = (const char *)joined->data + (size_t)((n * e->kv_heads + h) * e->S * width) * size;
            const size_t old = (size_t)(e->past * width) * size;
            if (past) memcpy((char *)past->data + (size_t)(n * e->kv_heads + h) * old, head, old);
            if (!fresh) continue;
            const struct rows rows = head_of(fresh, e->packed, n, h, e->kv_heads, e->new_S, width, size);
            for (int64_t i = 0; i < e->new_S; i++)
                memcpy(rows.at + (size_t)(i * rows.pace) * size, head + old + (size_t)(i * width) * size,
                       (size_t)width * size);
        }
}

static int attention_backward(struct mc_step *step, struct mc_error *err)
{
    struct mc_tensor keys, values, dk, dv;
    struct job job;
    const int rc = job_init(&job, step, err);
    if (rc < 0) return rc;
    const struct extents *e = &job.e;
    const size_t joined_keys = (size_t)(e->N * e->kv_heads * e->S * e->d) * job.size;
    const size_t joined_values = (size_t)(e->N * e->kv_heads * e->S * e->d_v) * job.size;
    const size_t block = (size_t)(e->N * e->kv_heads * block_rows(e) * e->S) * job.size;
    job.d_scores = job.scores + block;
    job.capped = job.softcap > 0 ? job.d_scores + block : NULL;
    job.dy = step->grad_out[0];
    job.d_out = step->grad_out[3];
    job.dq = step->grad_in[Q];
    job.dk = step->grad_in[K];
    job.dv = step->grad_in[V];
    job.d_mask = step->grad_in[MASK];
    const bool empty = e->L == 0 || e->S == 0;
    for (int i = Q; i <= PAST_VALUE; i++)
        if (step->grad_in[i] && (empty || i == MASK)) mc_zero(step->grad_in[i]);
    char *room = job.scores + (job.softcap > 0 ? 3 : 2) * block;
    if (job.joined) {
        join_past(&job, step, room, NULL, &keys, &values);
        room += joined_keys + joined_values;
        dk = (struct mc_tensor){.data = memset(room, 0, joined_keys)};
        dv = (struct mc_tensor){.data = memset(room + joined_keys, 0, joined_values)};
        job.dk = step->grad_in[K] || step->grad_in[PAST_KEY] ? &dk : NULL;
        job.dv = step->grad_in[V] || step->grad_in[PAST_VALUE] ? &dv : NULL;
    }
    /* heads add to the same mask: one after the other */
    if (!empty) mc_parallel(e->N * e->kv_heads, job.d_mask ? e->N * e->kv_heads + 1 : 1, attend_range_back, &job);
    if (!job.joined) return MC_OK;
    if (job.dk) part_past(e, &dk, step->grad_out[1], step->grad_in[PAST_KEY], step->grad_in[K], e->d, job.size);
    if (job.dv) part_past(e, &dv, step->grad_out[2], step->grad_in[PAST_VALUE], step->grad_in[V], e->d_v, job.size);
    return MC_OK;
}

/* --- coupling --- */

/* Features of all heads alike, or whole heads with their keys: of [N, heads, L, d] either, of [N, L, heads d] features.
 * Positions stay. */
static int couple_packed(struct mc_coupling *c, const struct mc_node *node, const struct extents *e,
                         struct mc_error *err)
{
    const struct mc_value *q = node->inputs[Q], *k = node->inputs[K], *v = node->inputs[V], *y = node->outputs[0];
    int rc = MC_OK;
    for (int64_t i = 0; i < e->heads * e->d && rc == MC_OK; i++) rc = mc_couple_index(c, q, 2, i, k, 2, i % e->d, err);
    for (int64_t i = 0; i < e->kv_heads * e->d && rc == MC_OK; i++)
        rc = mc_couple_index(c, k, 2, i, k, 2, i % e->d, err);
    for (int64_t i = 0; i < e->heads * e->d_v && rc == MC_OK; i++)
        rc = mc_couple_index(c, y, 2, i, v, 2, i % e->d_v, err);
    for (int64_t i = 0; i < e->kv_heads * e->d_v && rc == MC_OK; i++)
        rc = mc_couple_index(c, v, 2, i, v, 2, i % e->d_v, err);
    return rc;
}

static int couple_unpacked(struct mc_coupling *c, const struct mc_node *node, const struct extents *e,
                           struct mc_error *err)
{
    const struct mc_value *q = node->inputs[Q], *k = node->inputs[K], *v = node->inputs[V], *y = node->outputs[0];
    const struct mc_value *mask = mc_node_input(node, MASK);
    const bool headed = mask && mc_coupling_fact(c, mask)->shape.rank == 4 && mc_coupling_extent(c, mask, 1) > 1;
    int rc = mc_couple_axes(c, q, 3, k, 3, err);
    if (rc == MC_OK) rc = mc_couple_axes(c, v, 3, y, 3, err);
    if (rc == MC_OK) rc = mc_couple_axes(c, k, 1, v, 1, err);
    if (rc == MC_OK) rc = mc_couple_axes(c, q, 1, y, 1, err);
    for (int64_t h = 0; h < e->heads && rc == MC_OK; h++)
        rc = mc_couple_index(c, q, 1, h, k, 1, h / (e->heads / e->kv_heads), err);
    if (rc == MC_OK && headed) rc = mc_couple_axes(c, mask, 1, q, 1, err);
    return rc < 0 ? rc : mc_couple_heads(c, y, 1, err);
}

static int attention_coupling(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err)
{
    const struct mc_fact *in[PAST_VALUE + 1] = {NULL};
    struct extents e;
    for (int i = 0; i < node->n_inputs && i <= PAST_VALUE; i++)
        in[i] = node->inputs[i] ? mc_coupling_fact(c, node->inputs[i]) : NULL;
    int n_outputs = 0;
    for (int i = 0; i < node->n_outputs; i++) n_outputs += node->outputs[i] != NULL;
    if (in[PAST_KEY] || n_outputs > 1) return mc_coupling_freeze_all(c, node, err);
    int rc = extents_of(node, in, &e, err);
    for (int i = Q; i <= V && rc == MC_OK; i++) rc = mc_couple_axes(c, node->inputs[i], 0, node->outputs[0], 0, err);
    if (rc == MC_OK) rc = (e.packed ? couple_packed : couple_unpacked)(c, node, &e, err);
    const int last = e.packed ? 2 : 3;
    const struct mc_contraction contraction = {.node = node,
                                               .data = node->inputs[Q],
                                               .data_axis = last,
                                               .weight = node->inputs[K],
                                               .weight_axis = last,
                                               .groups = 1,
                                               .bias_input = -1,
                                               .movable = false};
    return rc < 0 ? rc : mc_couple_contraction(c, &contraction, err);
}

/* Fewer features are weighed as the many were. */
static int attention_resize(struct mc_resize *resize, struct mc_node *node, struct mc_error *err)
{
    const struct mc_fact *in[PAST_VALUE + 1] = {NULL};
    struct extents e;
    for (int i = 0; i < node->n_inputs && i <= PAST_VALUE; i++)
        in[i] = node->inputs[i] ? mc_resize_fact(resize, node->inputs[i]) : NULL;
    const int rc = extents_of(node, in, &e, err);
    if (rc < 0 || mc_node_attr(node, "scale")) return rc;
    const int last = e.packed ? 2 : 3;
    const bool narrower = mc_resize_new_extent(resize, node->inputs[Q], last) != in[Q]->shape.dim[last];
    return narrower ? mc_node_set_float(node, "scale", (float)(1 / sqrt((double)e.d)), err) : MC_OK;
}

static void attention_cost(const struct mc_node *node, const struct mc_fact *const *in, const struct mc_fact *out,
                           struct mc_cost *cost)
{
    struct extents e;
    mc_cost_free(node, in, out, cost);
    if (extents_of(node, in, &e, NULL) < 0) return;
    const int64_t macs = e.N * e.heads * e.L * e.S * (e.d + e.d_v);
    cost->macs += macs;
    cost->flops += 2 * macs + 8 * e.N * e.heads * e.L * e.S;
}

const struct mc_op mc_op_attention_23 = {
    .domain = "",
    .type = "Attention",
    .since = 23,
    .min_inputs = 3,
    .max_inputs = 7,
    .n_outputs = 4,
    .widens = true,
    .grad_inputs = 1u << Q | 1u << K | 1u << V | 1u << MASK | 1u << PAST_KEY | 1u << PAST_VALUE,
    .keep = MC_KEEP_IN,
    .shape = attention_shape,
    .outline = attention_outline,
    .prepare = attention_prepare,
    .forward = attention_forward,
    .backward = attention_backward,
    .others = "lengths",
    .coupling = attention_coupling,
    .resize = attention_resize,
    .cost = attention_cost,
};
