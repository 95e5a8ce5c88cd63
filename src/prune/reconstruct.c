/* reconstruct.c - least squares for one layer after the other; see reconstruct.h.
 *
 * With X the terms of sums at sampled places of the output, one row each and a 1 for the bias, and R what the layer
 * lacks there, original minus small, the correction D of the weights solves (X'X + ridge) D = X'R.
 */
#include "prune/reconstruct.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/rng.h"
#include "kernel/blas.h"
#include "prune/bias.h"
#include "prune/samples.h"
#include "prune/surgery.h"
#include "train/parameters.h"

enum {
    MOST_TERMS = 8192,    /* of one output: the normal equations are that square */
    ROWS_PER_TERM = 8,    /* places that are looked at, for each unknown of an output */
    LEAST_ROWS = 4096,    /* at least, if there are so many */
    REMEMBERED = 1 << 26, /* outputs of the original that are held at a time: numbers */
    MOVING_BATCHES = 64,  /* batches after which running statistics have forgotten what they were (0.9^64 = 0.1 %) */
};

/* One layer. */
struct target {
    const struct mc_contraction *contraction;
    const struct mc_value *output; /* of the original, bias and all */
    int64_t K, M;                  /* terms; outputs that stay */
    int64_t *outputs;              /* those, in the original */
    int64_t rows_per_batch, places_per_batch;
    const char *why; /* it cannot be fitted */
    float *wanted;   /* [batches, rows_per_batch, M] of the original */
};

struct rebuild {
    struct mc_model *small;
    const struct mc_model *original;
    const struct mc_coupling *coupling;
    const bool *goes;
    const struct mc_shrink_options *options;
    int n;
    struct target *targets;
    int64_t n_batches;
    struct mc_error *err;
};

/* --- what there is to fit --- */

static bool index_goes(const struct rebuild *r, const struct mc_value *v, int axis, int64_t i)
{
    return mc_index_goes(r->coupling, r->goes, v, axis, i);
}

static bool loses_inputs(const struct rebuild *r, const struct mc_contraction *k)
{
    for (int64_t i = 0; i < mc_coupling_extent(r->coupling, k->data, k->data_axis); i++)
        if (index_goes(r, k->data, k->data_axis, i)) return true;
    return false;
}

static const char *objection(const struct rebuild *r, const struct mc_contraction *k)
{
    const struct mc_node *node = k->node;
    const struct mc_value *weight = r->small->values[k->weight->id];
    if (!node->op->terms || node->inputs[0] != k->data || k->groups != 1) return "its sums are not in one piece";
    if (!weight || !weight->data || weight->data->dtype != MC_FLOAT) return "its weight is not stored as float32";
    if (!mc_bias_can_shift(r->coupling, k)) return "its bias is no stored vector";
    int n_uses = weight->is_output;
    for (int i = 0; i < r->small->graph->n_nodes; i++) n_uses += mc_node_reads(r->small->graph->nodes[i], weight);
    if (n_uses != 1) return "its weight is used elsewhere too";
    if (mc_tensor_count(weight->data) / weight->data->shape.dim[k->weight_out_axis] > MOST_TERMS)
        return "an output is a sum of too many terms";
    return NULL;
}

static int add_target(struct rebuild *r, const struct mc_contraction *k)
{
    struct target *t = &r->targets[r->n++];
    *t = (struct target){.contraction = k, .why = objection(r, k)};
    if (t->why) return 0;
    const struct mc_value *y = k->node->outputs[0];
    const struct mc_tensor *w = r->small->values[k->weight->id]->data;
    const int64_t extent = mc_coupling_extent(r->coupling, y, k->out_axis);
    t->output = mc_bias_output(r->original, r->coupling, k);
    t->outputs = MC_NEW_ARRAY(int64_t, extent);
    if (!t->outputs) return mc_error_memory(r->err);
    for (int64_t i = 0; i < extent; i++)
        if (!index_goes(r, y, k->out_axis, i)) t->outputs[t->M++] = i;
    t->K = mc_tensor_count(w) / w->shape.dim[k->weight_out_axis];
    if (t->M != w->shape.dim[k->weight_out_axis]) t->why = "its sums are not in one piece";
    return 0;
}

static int list_targets(struct rebuild *r)
{
    const int n = mc_coupling_n_contractions(r->coupling);
    r->targets = MC_NEW_ARRAY(struct target, n);
    if (!r->targets) return mc_error_memory(r->err);
    int rc = 0;
    for (int i = 0; i < n && rc == 0; i++) {
        const struct mc_contraction *k = mc_coupling_contraction(r->coupling, i);
        if (loses_inputs(r, k) && mc_coupling_is_fixed(r->coupling, k->weight)) rc = add_target(r, k);
    }
    return rc;
}

/* --- places --- */

/* The places of batch b that are looked at: the same for both models. All of them, or drawn. */
static void draw_places(const struct rebuild *r, const struct target *t, int64_t b, int64_t *places)
{
    struct mc_rng rng;
    mc_rng_init(&rng, r->options->seed,
                mc_hash("reconstruct") + (uint64_t)t->contraction->node->id * 1000003 + (uint64_t)b);
    const bool all = t->rows_per_batch == t->places_per_batch;
    for (int64_t i = 0; i < t->rows_per_batch; i++)
        places[i] = all ? i : (int64_t)mc_rng_below(&rng, (uint64_t)t->places_per_batch);
}

static int check_output(const struct target *t, const struct mc_tensor *y, int64_t extent, struct mc_error *err)
{
    const int axis = t->contraction->out_axis;
    if (axis < y->shape.rank && y->shape.dim[axis] == extent && y->dtype == MC_FLOAT) return 0;
    return mc_error_set(err, MC_ERR_UNSUPPORTED, "value '%s': its channels follow the batch", t->output->name);
}

/* Outputs of channel index[m] (NULL: m) at the places, into [n, M]. */
static void read_outputs(const struct mc_tensor *y, int axis, const int64_t *index, int64_t M, const int64_t *places,
                         int64_t n, float *to)
{
    const int64_t inner = mc_shape_span(&y->shape, axis + 1, y->shape.rank), extent = y->shape.dim[axis];
    for (int64_t i = 0; i < n; i++)
        for (int64_t m = 0; m < M; m++) {
            const int64_t channel = index ? index[m] : m;
            *to++ = ((const float *)y->data)[(places[i] / inner * extent + channel) * inner + places[i] % inner];
        }
}

/* --- what the original gives --- */

static int size_target(struct rebuild *r, struct target *t, const struct mc_tensor *y)
{
    const int64_t extent = mc_coupling_extent(r->coupling, t->contraction->node->outputs[0], t->contraction->out_axis);
    const int rc = check_output(t, y, extent, r->err);
    if (rc < 0) return rc;
    int64_t wanted = (t->K + 1) * ROWS_PER_TERM;
    if (wanted < LEAST_ROWS) wanted = LEAST_ROWS;
    t->places_per_batch = mc_tensor_count(y) / extent;
    t->rows_per_batch = (wanted + r->n_batches - 1) / r->n_batches;
    if (t->rows_per_batch > t->places_per_batch) t->rows_per_batch = t->places_per_batch;
    t->wanted = mc_alloc((size_t)(r->n_batches * t->rows_per_batch), (size_t)t->M * sizeof(*t->wanted));
    return t->wanted ? 0 : mc_error_memory(r->err);
}

static int remember_batch(struct rebuild *r, struct target *t, int64_t b, const struct mc_tensor *y)
{
    const int rc = t->wanted ? 0 : size_target(r, t, y);
    if (rc < 0) return rc;
    int64_t *places = MC_NEW_ARRAY(int64_t, t->rows_per_batch);
    if (!places) return mc_error_memory(r->err);
    draw_places(r, t, b, places);
    read_outputs(y, t->contraction->out_axis, t->outputs, t->M, places, t->rows_per_batch,
                 t->wanted + b * t->rows_per_batch * t->M);
    mc_free(places);
    return 0;
}

/* Run the original once for the targets [from, to). */
static int remember(struct rebuild *r, int from, int to)
{
    struct mc_sampler sampler = {0};
    const struct mc_value **taps = MC_NEW_ARRAY(const struct mc_value *, to - from);
    int n = 0, rc = taps ? 0 : mc_error_memory(r->err);
    for (int i = from; i < to && rc == 0; i++)
        if (!r->targets[i].why) taps[n++] = r->targets[i].output;
    if (rc == 0 && n > 0)
        rc = mc_sampler_observe(&sampler, &r->options->samples, r->original, taps, n, false, &r->options->runtime,
                                r->err);
    if (rc == 0 && n > 0) r->n_batches = sampler.n / sampler.batch;
    for (int64_t b = 0; rc == 0 && n > 0 && b < r->n_batches; b++) {
        rc = mc_sampler_next(&sampler, "reconstruct", r->err);
        for (int i = from, tap = 0; i < to && rc >= 0; i++)
            if (!r->targets[i].why) rc = remember_batch(r, &r->targets[i], b, mc_sampler_tap(&sampler, tap++));
        if (rc > 0) rc = 0;
    }
    mc_sampler_finish(&sampler);
    mc_free(taps);
    return rc < 0 ? rc : 0;
}

/* --- normal equations --- */

struct equations {
    int64_t K1, M;       /* unknowns of an output, the bias last; outputs */
    double *gram;        /* [K1, K1] */
    double *moments;     /* [M, K1] */
    double *rows, *lack; /* of a batch: [n, K1], [n, M] */
    float *terms, *has;  /* of a batch: [n, K], [n, M] */
    int64_t *places;
    double wanted, before; /* sums of squares: outputs, what they lack */
    int64_t n;
};

static int start_equations(struct equations *e, const struct target *t, struct mc_error *err)
{
    const size_t n = (size_t)t->rows_per_batch, K1 = (size_t)t->K + 1, M = (size_t)t->M;
    *e = (struct equations){.K1 = t->K + 1, .M = t->M};
    e->gram = mc_alloc(K1, K1 * sizeof(double));
    e->moments = mc_alloc(M, K1 * sizeof(double));
    e->rows = mc_alloc(n, K1 * sizeof(double));
    e->lack = mc_alloc(n, M * sizeof(double));
    e->terms = mc_alloc(n, K1 * sizeof(float));
    e->has = mc_alloc(n, M * sizeof(float));
    e->places = MC_NEW_ARRAY(int64_t, t->rows_per_batch);
    if (!e->gram || !e->moments || !e->rows || !e->lack || !e->terms || !e->has || !e->places)
        return mc_error_memory(err);
    memset(e->gram, 0, K1 * K1 * sizeof(double));
    memset(e->moments, 0, M * K1 * sizeof(double));
    return 0;
}

static void finish_equations(struct equations *e)
{
    mc_free(e->places);
    mc_free(e->has);
    mc_free(e->terms);
    mc_free(e->lack);
    mc_free(e->rows);
    mc_free(e->moments);
    mc_free(e->gram);
}

static int add_batch(struct rebuild *r, struct equations *e, const struct target *t, int64_t b,
                     const struct mc_tensor *x, const struct mc_tensor *y)
{
    const struct mc_contraction *k = t->contraction;
    const struct mc_node *node = k->node;
    const int64_t n = t->rows_per_batch, K = t->K;
    int rc = check_output(t, y, t->M, r->err);
    if (rc < 0) return rc;
    draw_places(r, t, b, e->places);
    read_outputs(y, k->out_axis, NULL, t->M, e->places, n, e->has);
    const struct mc_shape *w = &r->small->values[k->weight->id]->data->shape;
    rc = node->op->terms(node, x, w, e->places, n, e->terms, r->err);
    if (rc < 0) return rc;
    for (int64_t i = 0; i < n; i++) {
        for (int64_t c = 0; c < K; c++) e->rows[i * e->K1 + c] = (double)e->terms[i * K + c];
        e->rows[i * e->K1 + K] = 1;
    }
    const float *wanted = t->wanted + b * n * t->M;
    for (int64_t i = 0; i < n * t->M; i++) {
        e->lack[i] = (double)wanted[i] - (double)e->has[i];
        e->before += e->lack[i] * e->lack[i];
        e->wanted += (double)wanted[i] * (double)wanted[i];
    }
    struct mc_gemm gemm = mc_gemm_dense(MC_DOUBLE, true, false, e->K1, e->K1, n);
    gemm.beta = 1;
    mc_gemm(&gemm, e->rows, e->rows, e->gram);
    gemm = mc_gemm_dense(MC_DOUBLE, true, false, e->M, e->K1, n);
    gemm.beta = 1;
    mc_gemm(&gemm, e->lack, e->rows, e->moments);
    e->n += n;
    return 0;
}

static int collect(struct rebuild *r, struct equations *e, const struct target *t)
{
    const struct mc_value *taps[] = {r->small->values[t->contraction->data->id], r->small->values[t->output->id]};
    struct mc_sampler sampler = {0};
    int rc = mc_sampler_observe(&sampler, &r->options->samples, r->small, taps, 2, false, &r->options->runtime, r->err);
    for (int64_t b = 0; rc == 0 && b < r->n_batches; b++) {
        rc = mc_sampler_next(&sampler, "reconstruct", r->err);
        if (rc > 0) rc = add_batch(r, e, t, b, mc_sampler_tap(&sampler, 0), mc_sampler_tap(&sampler, 1));
    }
    mc_sampler_finish(&sampler);
    return rc;
}

/* The correction [M, K1], and the sum of squares that is lacking with it; false: there is none. */
static bool solve(struct equations *e, double ridge, double *correction, double *after)
{
    const int64_t K1 = e->K1;
    double *system = mc_alloc((size_t)K1, (size_t)K1 * sizeof(double));
    if (!system) return false;
    memcpy(system, e->gram, (size_t)(K1 * K1) * sizeof(double));
    memcpy(correction, e->moments, (size_t)(e->M * K1) * sizeof(double));
    double trace = 0;
    for (int64_t i = 0; i + 1 < K1; i++) trace += system[i * K1 + i];
    const double held = ridge * trace / (double)(K1 > 1 ? K1 - 1 : 1) + 1e-12 * trace + 1e-30;
    for (int64_t i = 0; i + 1 < K1; i++) system[i * K1 + i] += held; /* the bias is free */
    const bool solved = mc_solve_definite(K1, e->M, system, correction);
    *after = e->before;
    for (int64_t m = 0; solved && m < e->M; m++) { /* |R - XD|^2 = R'R - 2 D'X'R + D'X'XD */
        const double *d = correction + m * K1;
        for (int64_t i = 0; i < K1; i++) {
            double gd = 0;
            for (int64_t j = 0; j < K1; j++) gd += e->gram[i * K1 + j] * d[j];
            *after += d[i] * (gd - 2 * e->moments[m * K1 + i]);
        }
    }
    mc_free(system);
    return solved && *after < e->before;
}

/* --- a layer --- */

static int apply(struct rebuild *r, const struct target *t, const double *correction)
{
    const struct mc_contraction *k = t->contraction;
    struct mc_value *v = r->small->values[k->weight->id];
    const int64_t M = t->M, K1 = t->K + 1;
    const int64_t inner = mc_shape_span(&v->data->shape, k->weight_out_axis + 1, v->data->shape.rank);
    struct mc_tensor *fitted = NULL;
    double *shift = MC_NEW_ARRAY(double, M);
    int rc = shift ? mc_tensor_clone(&fitted, v->data, r->err) : mc_error_memory(r->err);
    if (rc == 0) {
        float *w = fitted->data;
        for (int64_t m = 0; m < M; m++) {
            for (int64_t c = 0; c < t->K; c++)
                w[(c / inner * M + m) * inner + c % inner] += (float)correction[m * K1 + c];
            shift[m] = correction[m * K1 + t->K];
        }
        mc_value_set_data(v, fitted);
        rc = mc_bias_shift(r->small, r->coupling, k, shift, M, r->err);
    }
    mc_free(shift);
    return rc;
}

static void record_layer(const struct target *t, const struct equations *e, double after, const char *why,
                         struct mc_record *layers)
{
    if (!layers) return;
    struct mc_record *layer = mc_record_append_object(layers);
    mc_record_set_text(layer, "tensor", t->contraction->weight->name);
    if (why) {
        mc_record_set_text(layer, "why", why);
        return;
    }
    mc_record_set_int(layer, "rows", e->n);
    const double scale = e->wanted > 0 ? e->wanted : 1;
    mc_record_set_num(layer, "error_before", sqrt(e->before / scale));
    mc_record_set_num(layer, "error_after", sqrt(fmax(after, 0) / scale));
}

static int fit_layer(struct rebuild *r, struct target *t, struct mc_record *layers)
{
    struct equations e = {0};
    double after = 0;
    if (t->why) {
        record_layer(t, &e, 0, t->why, layers);
        return 0;
    }
    double *correction = mc_alloc((size_t)t->M, (size_t)(t->K + 1) * sizeof(double));
    int rc = correction ? start_equations(&e, t, r->err) : mc_error_memory(r->err);
    if (rc == 0) rc = collect(r, &e, t);
    if (rc == 0 && solve(&e, r->options->ridge, correction, &after)) {
        rc = apply(r, t, correction);
        record_layer(t, &e, after, NULL, layers);
    } else if (rc == 0) {
        record_layer(t, &e, 0, "least squares found nothing better", layers);
    }
    finish_equations(&e);
    mc_free(correction);
    return rc;
}

/* Layers whose outputs of the original are held together. */
static int end_of_chunk(const struct rebuild *r, int from)
{
    int64_t numbers = 0;
    for (int i = from; i < r->n; i++) {
        const int64_t rows = (r->targets[i].K + 1) * ROWS_PER_TERM;
        numbers += (rows > LEAST_ROWS ? rows : LEAST_ROWS) * r->targets[i].M;
        if (numbers > REMEMBERED && i > from) return i;
    }
    return r->n;
}

int mc_reconstruct(struct mc_model *small, const struct mc_model *original, const struct mc_coupling *coupling,
                   const bool *goes, const struct mc_shrink_options *options, struct mc_record *layers,
                   struct mc_error *err)
{
    struct rebuild r = {
        .small = small, .original = original, .coupling = coupling, .goes = goes, .options = options, .err = err};
    int rc = list_targets(&r);
    for (int from = 0, to; from < r.n && rc == 0; from = to) {
        to = end_of_chunk(&r, from);
        rc = remember(&r, from, to);
        for (int i = from; i < to && rc == 0; i++) {
            rc = fit_layer(&r, &r.targets[i], layers);
            mc_free(r.targets[i].wanted);
            r.targets[i].wanted = NULL;
        }
    }
    for (int i = 0; i < r.n; i++) {
        mc_free(r.targets[i].wanted);
        mc_free(r.targets[i].outputs);
    }
    mc_free(r.targets);
    return rc;
}

/* --- running statistics --- */

static int64_t count_statistics(const struct mc_model *model, const struct mc_coupling *coupling)
{
    int64_t n = 0;
    for (int id = 0; id < model->n_values; id++) {
        const struct mc_value *v = model->values[id];
        n += v && v->data && v->data->shape.rank == 1 && mc_coupling_role(coupling, v, 0) == MC_ROLE_STATISTIC;
    }
    return n;
}

int mc_reestimate(struct mc_model *small, const struct mc_coupling *coupling, const struct mc_shrink_options *options,
                  int64_t *n, struct mc_error *err)
{
    *n = count_statistics(small, coupling);
    if (*n == 0) return 0;
    struct mc_sampler sampler = {0};
    int rc = mc_parameters_own(small, err);
    if (rc == 0) rc = mc_sampler_observe(&sampler, &options->samples, small, NULL, 0, true, &options->runtime, err);
    for (int64_t b = 0; b < MOVING_BATCHES && rc >= 0;) {
        rc = mc_sampler_next(&sampler, "batch norm", err);
        if (rc == 0)
            mc_sampler_rewind(&sampler);
        else
            b++;
    }
    mc_sampler_finish(&sampler);
    return rc < 0 ? rc : 0;
}
