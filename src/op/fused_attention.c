/* fused_attention.c - softmax(scale Q K^T + masks) V in one step: what exporters write as two products with a softmax
 * between them. See attention_rule.c, which finds it.
 *
 * Operands and output lie wherever their places say: the transpositions, cuts and reshapes that brought them into heads
 * are not carried out. Scores exist for a block of queries at a time, as in attention.c; unlike there, a row in which
 * everything is forbidden comes out as the nodes have it, since masks only ever do what their nodes did.
 */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "kernel/blas.h"
#include "kernel/kernels.h"
#include "kernel/loops.h"
#include "kernel/parallel.h"
#include "op/fused.h"
#include "op/ops.h"

enum { BLOCK = 64 }; /* queries whose scores are there at a time */

struct job {
    struct mc_attention_form form;
    const struct mc_step *step;
    const struct mc_loops *loops;
    double scale;
    float fill;
    int64_t n_blocks, n_slots;
};

static void read_form(const struct mc_node *node, struct mc_attention_form *form)
{
    int64_t n;
    const int64_t *ints = mc_node_ints(node, MC_ATTENTION_FORM, &n);
    assert((size_t)n * sizeof *ints == sizeof *form);
    memcpy(form, ints, sizeof *form);
}

/* Elements before the matrix of batch b. */
static int64_t offset_of(const struct mc_attention_place *place, int64_t b)
{
    int64_t at = place->offset;
    for (int k = MC_ATTENTION_AXES - 1; k >= 0; k--) {
        at += b % place->extent[k] * place->stride[k];
        b /= place->extent[k];
    }
    return at;
}

/* n scores and the elements of the mask for them, which are adjacent or one for all. */
static void apply(const struct job *job, const struct mc_tensor *mask, int64_t at, int64_t column, int64_t n,
                  float *scores)
{
    if (mask->dtype == MC_BOOL) {
        const bool *truths = (const bool *)mask->data + at, kept = !job->form.inverted;
        for (int64_t j = 0; j < n; j++) scores[j] = truths[j * column] == kept ? scores[j] : job->fill;
    } else {
        const enum mc_form form = column ? MC_RUN_RUN : MC_RUN_ONE;
        job->loops->binary[MC_LOOP_F32][MC_BINARY_ADD][form](n, scores, (const float *)mask->data + at, scores);
    }
}

/* Rows first … first + m - 1 of the scores of batch b under one of the masks. */
static void apply_mask(const struct job *job, int which, int64_t b, int64_t first, int64_t m, float *scores)
{
    const struct mc_attention_place *place = &job->form.mask[which];
    const struct mc_tensor *mask = job->step->in[3 + which];
    const int64_t S = job->form.S, at = offset_of(place, b) + first * place->row;
    if (place->column == 1 && place->row == S) {
        apply(job, mask, at, 1, m * S, scores);
        return;
    }
    for (int64_t i = 0; i < m; i++) apply(job, mask, at + i * place->row, place->column, S, scores + i * S);
}

/* From m rows of products to shares. */
static void share_out(const struct job *job, int64_t b, int64_t first, int64_t m, float *scores)
{
    const int64_t S = job->form.S;
    for (int k = 0; k < MC_ATTENTION_MASKS; k++)
        if (job->step->in[3 + k]) apply_mask(job, k, b, first, m, scores);
    for (int64_t i = 0; i < m; i++) job->loops->rows[MC_LOOP_F32].softmax(S, scores + i * S, scores + i * S);
    for (int64_t j = 0; job->form.zeroes && j < m * S; j++) scores[j] = isnan(scores[j]) ? 0 : scores[j];
}

/* Queries first … first + m - 1 of batch b. */
static void attend(const struct job *job, int64_t b, int64_t first, int64_t m, float *scores)
{
    const struct mc_attention_form *form = &job->form;
    const struct mc_step *step = job->step;
    const float *q = (const float *)step->in[0]->data + offset_of(&form->q, b) + first * form->q.row;
    const float *k = (const float *)step->in[1]->data + offset_of(&form->k, b);
    const float *v = (const float *)step->in[2]->data + offset_of(&form->v, b);
    float *y = (float *)step->out[0]->data + offset_of(&form->y, b) + first * form->y.row;
    const bool keys_in_rows = form->k.row == 1;
    struct mc_gemm gemm = mc_gemm_dense(MC_FLOAT, false, keys_in_rows, m, form->S, form->d);
    gemm.alpha = job->scale;
    gemm.lda = form->q.row;
    gemm.ldb = keys_in_rows ? form->k.column : form->k.row;
    mc_gemm(&gemm, q, k, scores);
    share_out(job, b, first, m, scores);
    gemm = mc_gemm_dense(MC_FLOAT, false, false, m, form->d_v, form->S);
    gemm.ldb = form->v.row;
    gemm.ldc = form->y.row;
    mc_gemm(&gemm, scores, v, y);
}

/* A slot is what one thread does, in a workspace of its own. */
static void attend_slots(void *context, int64_t begin, int64_t end)
{
    const struct job *job = context;
    const int64_t n = job->form.B * job->n_blocks, room = BLOCK * job->form.S;
    for (int64_t slot = begin; slot < end; slot++)
        for (int64_t i = n * slot / job->n_slots; i < n * (slot + 1) / job->n_slots; i++) {
            const int64_t first = i % job->n_blocks * BLOCK, left = job->form.L - first;
            attend(job, i / job->n_blocks, first, left < BLOCK ? left : BLOCK,
                   (float *)job->step->workspace + slot * room);
        }
}

static int attention_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                           struct mc_error *err)
{
    struct mc_attention_form form;
    read_form(node, &form);
    *out = (struct mc_fact){.dtype = MC_FLOAT, .shape = mc_shape_of(3, (int64_t[]){form.B, form.L, form.d_v})};
    return mc_need_dtype(node, 0, in[0], MC_TYPE_BIT(MC_FLOAT), err);
}

static int64_t slots_of(const struct mc_step *step, int64_t units)
{
    return units < step->runtime->n_threads ? units : step->runtime->n_threads;
}

static int attention_prepare(struct mc_step *step, struct mc_error *err)
{
    struct mc_attention_form form;
    read_form(step->node, &form);
    const int64_t slots = slots_of(step, form.B * mc_divide_up(form.L, BLOCK));
    step->workspace_bytes = (size_t)(slots * BLOCK * form.S) * sizeof(float);
    return MC_OK;
}

static int attention_forward(struct mc_step *step, struct mc_error *err)
{
    struct job job = {.step = step,
                      .loops = step->runtime->kernels->loops,
                      .scale = (double)mc_node_float(step->node, "scale", 1),
                      .fill = mc_node_float(step->node, "fill", 0)};
    read_form(step->node, &job.form);
    job.n_blocks = mc_divide_up(job.form.L, BLOCK);
    job.n_slots = slots_of(step, job.form.B * job.n_blocks);
    if (job.n_slots > 0) mc_parallel(job.n_slots, 1, attend_slots, &job);
    return MC_OK;
}

static void attention_cost(const struct mc_node *node, const struct mc_fact *const *in, const struct mc_fact *out,
                           struct mc_cost *cost)
{
    struct mc_attention_form form;
    mc_cost_free(node, in, out, cost);
    read_form(node, &form);
    const int64_t scores = form.B * form.L * form.S;
    cost->macs += scores * (form.d + form.d_v);
    cost->flops += 2 * scores * (form.d + form.d_v) + 8 * scores;
}

const struct mc_op mc_op_fused_attention = {
    .domain = "",
    .type = "Attention",
    .since = 1,
    .min_inputs = 3,
    .max_inputs = 3 + MC_ATTENTION_MASKS,
    .n_outputs = 1,
    .no_backward = "it runs in inference only",
    .shape = attention_shape,
    .prepare = attention_prepare,
    .forward = attention_forward,
    .coupling = mc_coupling_freeze_all,
    .cost = attention_cost,
};
