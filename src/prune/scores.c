/* scores.c - what single weights count, by data; see scores.h. */
#include "prune/scores.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/rng.h"
#include "prune/moments.h"
#include "prune/samples.h"
#include "prune/surgeon.h"
#include "run/plan.h"

enum { BATCH = 32 }; /* of gradients: what Taylor's squares are of */

/* The score is, or starts as, the weight. */
static int init_scores(struct mc_masks *masks, struct mc_error *err)
{
    if (!masks->scores) masks->scores = MC_NEW_ARRAY(struct mc_tensor *, masks->n);
    if (!masks->scores) return mc_error_memory(err);
    for (int i = 0; i < masks->n; i++) {
        const struct mc_tensor *w = masks->values[i]->data;
        int rc = masks->scores[i] ? 0 : mc_tensor_create(&masks->scores[i], MC_FLOAT, &w->shape, err);
        if (rc == 0) rc = mc_tensor_convert(masks->scores[i], w, err);
        if (rc < 0) return rc;
    }
    return 0;
}

static void draw_scores(struct mc_masks *masks, uint64_t seed)
{
    struct mc_rng rng;
    mc_rng_init(&rng, seed, mc_hash("scores"));
    for (int i = 0; i < masks->n; i++) {
        float *score = masks->scores[i]->data;
        for (int64_t k = 0; k < mc_tensor_count(masks->scores[i]); k++) score[k] = (float)mc_rng_uniform(&rng);
    }
}

/* --- gradients --- */

/* sums += (w g)^2, or g. */
static void add_gradient(enum mc_score kind, const struct mc_tensor *weight, const float *gradient, double *sums)
{
    const float *w = weight->data;
    for (int64_t k = 0; gradient && k < mc_tensor_count(weight); k++) {
        const double wg = (double)w[k] * gradient[k];
        sums[k] += kind == MC_SCORE_TAYLOR ? wg * wg : gradient[k];
    }
}

static int sum_gradients(struct mc_masks *masks, struct mc_sampler *sampler, enum mc_score kind, double **sums,
                         struct mc_error *err)
{
    int rc;
    while ((rc = mc_sampler_next(sampler, "gradients", err)) > 0)
        for (int i = 0; i < masks->n; i++) add_gradient(kind, masks->scores[i], sampler->pass.gradients[i], sums[i]);
    for (int i = 0; i < masks->n && rc == 0; i++) {
        float *score = masks->scores[i]->data;
        const double n_batches = (double)(sampler->done / sampler->batch);
        for (int64_t k = 0; k < mc_tensor_count(masks->scores[i]); k++)
            score[k] = (float)(kind == MC_SCORE_TAYLOR ? sums[i][k] : fabs(score[k] * sums[i][k]) / n_batches);
    }
    return rc;
}

static int score_by_gradients(struct mc_masks *masks, const struct mc_model *model,
                              const struct mc_score_options *options, struct mc_error *err)
{
    struct mc_value **values = MC_NEW_ARRAY(struct mc_value *, masks->n);
    double **sums = MC_NEW_ARRAY(double *, masks->n);
    struct mc_sampler sampler = {0};
    int rc = values && sums ? 0 : mc_error_memory(err);
    for (int i = 0; i < masks->n && rc == 0; i++) {
        values[i] = model->values[masks->values[i]->id];
        sums[i] = MC_NEW_ARRAY(double, mc_tensor_count(values[i]->data));
        if (!sums[i]) rc = mc_error_memory(err);
    }
    if (rc == 0)
        rc = mc_sampler_descend(&sampler, options->samples, model, values, masks->n, BATCH, options->runtime, err);
    if (rc == 0) rc = sum_gradients(masks, &sampler, options->score, sums, err);
    mc_sampler_finish(&sampler);
    for (int i = 0; sums && i < masks->n; i++) mc_free(sums[i]);
    mc_free(sums);
    mc_free(values);
    return rc;
}

/* --- inputs --- */

/* What a model's weights are multiplied in. */
struct contractions {
    struct mc_facts facts;
    struct mc_coupling *coupling;
};

static int find_contractions(struct contractions *c, const struct mc_model *model, struct mc_error *err)
{
    const struct mc_dims dims = {.batch = 1};
    *c = (struct contractions){0};
    const int rc = mc_model_facts(&c->facts, model, &dims, false, err);
    return rc < 0 ? rc : mc_coupling_create(&c->coupling, model, &c->facts, false, err);
}

static void finish_contractions(struct contractions *c)
{
    mc_coupling_destroy(c->coupling);
    mc_facts_finish(&c->facts);
}

/* The contraction of a stored weight; NULL: none, or several. */
static const struct mc_contraction *contraction_of(const struct contractions *c, const struct mc_value *weight)
{
    const struct mc_contraction *found = NULL;
    for (int i = 0; i < mc_coupling_n_contractions(c->coupling); i++) {
        const struct mc_contraction *contraction = mc_coupling_contraction(c->coupling, i);
        if (contraction->weight->id != weight->id) continue;
        if (found) return NULL;
        found = contraction;
    }
    return found;
}

static int moments_of(struct mc_moments *moments, const struct contractions *c, const struct mc_model *model,
                      const struct mc_value *weight, bool full, const struct mc_score_options *options,
                      struct mc_error *err)
{
    const struct mc_moments_options measuring = {
        .full = full, .samples = options->samples, .runtime = options->runtime};
    const struct mc_contraction *contraction = contraction_of(c, weight);
    *moments = (struct mc_moments){0};
    return contraction ? mc_moments_measure(moments, model, contraction, &measuring, err) : MC_OK;
}

static void weigh(float *score, const struct mc_moments *moments)
{
    const struct mc_rows *rows = &moments->rows;
    for (int64_t m = 0; m < rows->M; m++) {
        const double *diagonal = moments->diagonal + m / (rows->M / rows->groups) * rows->K;
        for (int64_t k = 0; k < rows->K; k++) {
            float *s = &score[mc_rows_at(rows, m, k)];
            *s = (float)(fabs((double)*s) * sqrt(diagonal[k]));
        }
    }
}

static int score_by_inputs(struct mc_masks *masks, const struct mc_model *model, const struct mc_score_options *options,
                           int *n_by_magnitude, struct mc_error *err)
{
    struct contractions c;
    int rc = find_contractions(&c, model, err);
    for (int i = 0; i < masks->n && rc == MC_OK; i++) {
        struct mc_moments moments;
        rc = moments_of(&moments, &c, model, masks->values[i], false, options, err);
        if (rc == MC_OK && moments.known)
            weigh(masks->scores[i]->data, &moments);
        else
            ++*n_by_magnitude;
        mc_moments_finish(&moments);
    }
    finish_contractions(&c);
    return rc;
}

int mc_scores_measure(struct mc_masks *masks, const struct mc_model *model, const struct mc_score_options *options,
                      int *n_by_magnitude, struct mc_error *err)
{
    *n_by_magnitude = 0;
    const int rc = init_scores(masks, err);
    if (rc < 0) return rc;
    switch (options->score) {
    case MC_SCORE_RANDOM:
        draw_scores(masks, options->seed);
        return MC_OK;
    case MC_SCORE_TAYLOR:
    case MC_SCORE_SNIP:
        return score_by_gradients(masks, model, options, err);
    case MC_SCORE_WANDA:
        return score_by_inputs(masks, model, options, n_by_magnitude, err);
    default:
        return MC_OK;
    }
}

/* --- second order --- */

/* Inputs in an order in which those along the input axis are neighbours, as patterns have them. */
static void order_inputs(const struct mc_rows *rows, const struct mc_shape *shape, int out, int input, int64_t *order)
{
    int64_t behind = 1; /* inputs between two neighbours */
    for (int a = input + 1; a < shape->rank; a++)
        if (a != out) behind *= shape->dim[a];
    const int64_t extent = shape->dim[input];
    for (int64_t k = 0; k < rows->K; k++) {
        const int64_t rest = k / (behind * extent) * behind + k % behind;
        order[rest * extent + k / behind % extent] = k;
    }
}

struct operation {
    struct mc_tensor *weight;
    const struct mc_moments *moments;
    const struct mc_sparsify_options *options;
    double sparsity;
    const int64_t *order; /* of the inputs */
};

static void copy_rows(const struct operation *o, int64_t group, double *w, bool back)
{
    const struct mc_rows *rows = &o->moments->rows;
    const int64_t n = rows->M / rows->groups;
    float *stored = o->weight->data;
    for (int64_t m = 0; m < n; m++) {
        for (int64_t j = 0; j < rows->K; j++) {
            float *at = &stored[mc_rows_at(rows, group * n + m, o->order[j])];
            if (back)
                *at = (float)w[m * rows->K + j];
            else
                w[m * rows->K + j] = *at;
        }
    }
}

/* One group of a weight, taken out, pruned, put back. */
static int operate(const struct operation *o, int64_t group, struct mc_error *err)
{
    const struct mc_rows *rows = &o->moments->rows;
    const int64_t n = rows->M / rows->groups, K = rows->K;
    const struct mc_surgeon surgeon = {.rows = n,
                                       .K = K,
                                       .sparsity = o->sparsity,
                                       .pattern_n = o->options->pattern_n,
                                       .pattern_m = o->options->pattern_m,
                                       .damping = 0.01};
    const double *full = o->moments->full + group * K * K;
    double *w = MC_NEW_ARRAY(double, n *K), *h = MC_NEW_ARRAY(double, K *K);
    int rc = w && h ? MC_OK : mc_error_memory(err);
    if (rc == MC_OK) {
        copy_rows(o, group, w, false);
        for (int64_t i = 0; i < K; i++)
            for (int64_t j = 0; j < K; j++) h[i * K + j] = full[o->order[i] * K + o->order[j]];
        rc = mc_surgeon_run(&surgeon, w, h, err);
    }
    if (rc == MC_OK) copy_rows(o, group, w, true);
    mc_free(h);
    mc_free(w);
    return rc;
}

static double share_of_zeros(const unsigned char *keep, int64_t n)
{
    int64_t zeros = 0;
    for (int64_t k = 0; k < n; k++) zeros += !keep[k];
    return n ? (double)zeros / (double)n : 0;
}

struct second_order {
    struct mc_masks *masks;
    struct mc_model *model;
    struct contractions contractions;
    const struct mc_sparsify_options *options;
    const struct mc_score_options *measuring;
};

/* Of a tensor that the model multiplies once; *done false: its inputs cannot be shown, or do not fill a pattern. */
static int operate_on(struct second_order *s, int i, const struct mc_contraction *contraction, bool *done,
                      struct mc_error *err)
{
    struct mc_tensor *weight = s->model->values[s->masks->values[i]->id]->data;
    const int input = s->masks->input_axis[i], m = s->options->pattern_m;
    const int64_t count = mc_tensor_count(weight);
    struct mc_moments moments;
    *done = false;
    if (m > 0 && weight->shape.dim[input] % m != 0) return MC_OK;
    int rc = moments_of(&moments, &s->contractions, s->model, s->masks->values[i], true, s->measuring, err);
    if (rc < 0 || !moments.known) return rc;
    int64_t *order = MC_NEW_ARRAY(int64_t, moments.rows.K);
    const struct operation o = {weight, &moments, s->options, share_of_zeros(s->masks->keep[i], count), order};
    rc = order ? MC_OK : mc_error_memory(err);
    if (rc == MC_OK) order_inputs(&moments.rows, &weight->shape, contraction->weight_out_axis, input, order);
    for (int64_t g = 0; g < moments.rows.groups && rc == MC_OK; g++) rc = operate(&o, g, err);
    const float *w = weight->data;
    for (int64_t e = 0; e < count; e++) s->masks->keep[i][e] = w[e] != 0;
    *done = rc == MC_OK;
    mc_free(order);
    mc_moments_finish(&moments);
    return rc;
}

/* Weights in the order of the nodes that multiply them: what is pruned early, later ones are measured behind. */
static int operate_on_all(struct second_order *s, int *n_by_magnitude, struct mc_error *err)
{
    int rc = MC_OK;
    for (int k = 0; k < mc_coupling_n_contractions(s->contractions.coupling) && rc == MC_OK; k++) {
        const struct mc_contraction *contraction = mc_coupling_contraction(s->contractions.coupling, k);
        for (int i = 0; i < s->masks->n && rc == MC_OK; i++) {
            bool done;
            if (s->masks->values[i]->id != contraction->weight->id) continue;
            rc = operate_on(s, i, contraction, &done, err);
            *n_by_magnitude -= done;
        }
    }
    return rc;
}

/* Which tensor gets how many zeros. Where tensors compete, they do by what each input adds to their outputs. */
static int share_zeros(struct mc_masks *masks, const struct mc_model *model, const struct mc_sparsify_options *options,
                       const struct mc_score_options *measuring, struct mc_error *err)
{
    struct mc_score_options by_inputs = *measuring;
    int n_by_magnitude, rc = MC_OK;
    by_inputs.score = MC_SCORE_WANDA;
    if (options->scope == MC_SCOPE_LAMP && options->pattern_m == 0)
        rc = mc_scores_measure(masks, model, &by_inputs, &n_by_magnitude, err);
    return rc == MC_OK ? mc_masks_update(masks, options, options->sparsity, err) : rc;
}

int mc_second_order(struct mc_masks *masks, struct mc_model *model, const struct mc_sparsify_options *options,
                    const struct mc_score_options *measuring, int *n_by_magnitude, struct mc_error *err)
{
    struct second_order s = {.masks = masks, .model = model, .options = options, .measuring = measuring};
    int rc = share_zeros(masks, model, options, measuring, err);
    *n_by_magnitude = masks->n;
    if (rc == MC_OK) rc = mc_masks_own(masks, model, err);
    if (rc < 0) return rc;
    rc = find_contractions(&s.contractions, model, err);
    if (rc == MC_OK) rc = operate_on_all(&s, n_by_magnitude, err);
    finish_contractions(&s.contractions);
    return rc == MC_OK ? mc_masks_apply(masks, model, err) : rc;
}
