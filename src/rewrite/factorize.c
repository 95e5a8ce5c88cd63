/* factorize.c - layers cut in two: which, to what rank, into what nodes, and whether it is right; see factorize.h. */
#include "rewrite/factorize.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "graph/cost.h"
#include "kernel/blas.h"
#include "op/ops.h"
#include "prune/exclude.h"
#include "prune/twin.h"
#include "rewrite/directions.h"
#include "rewrite/pass.h"
#include "run/plan.h"

struct factorizing {
    const struct mc_factorize_options *options;
    struct mc_model *small;    /* under the knife */
    struct mc_model *products; /* the original with the product of its parts in the place of each weight that is cut */
    int n;
    struct mc_layer *layers; /* nodes of `small` */
    struct mc_model_cost cost;
};

void mc_factorize_options_init(struct mc_factorize_options *options)
{
    *options = (struct mc_factorize_options){.energy = 0.9, .round = 1, .dims = {.batch = 1}};
    mc_runtime_init(&options->runtime, 0, MC_CPU_AVX512);
}

/* --- which layers there are --- */

static bool is_layer(const struct mc_node *node)
{
    const struct mc_value *w = mc_node_input(node, 1);
    if (!w || !w->data) return false;
    const int rank = w->data->shape.rank;
    return mc_meaning_of(node) == MC_MEANS_CONV ? rank >= 3 : rank == 2 && mc_weight_output_axis(node) >= 0;
}

/* A vector of one number for each output that is stored. */
static bool is_stored_bias(const struct mc_layer *layer, const struct mc_value *bias)
{
    const struct mc_tensor *t = bias->data;
    return t && mc_tensor_count(t) == layer->rows.M && t->shape.dim[t->shape.rank - 1] == layer->rows.M;
}

static const char *objection(const struct factorizing *f, const struct mc_layer *layer, const struct mc_uses *uses)
{
    const struct mc_value *w = layer->node->inputs[1], *bias = mc_node_input(layer->node, 2);
    const bool moves_bias = f->options->by == MC_FACTORIZE_OUTPUTS && bias;
    if (mc_excluded(f->options->exclude, w->name)) return "excluded";
    if (!mc_dtype_is_float(w->data->dtype)) return "its weight is of another type than floats";
    if (mc_meaning_of(layer->node) == MC_MEANS_CONV && mc_node_int(layer->node, "group", 1) != 1)
        return "its channels divide into groups";
    if (uses->n[w->id] != 1) return "its weight is used elsewhere too";
    if (moves_bias && !is_stored_bias(layer, bias)) return "its bias is no stored vector";
    if (f->options->stays > 0 && f->options->budget == MC_BUDGET_MACS && layer->macs <= 0)
        return "its multiply-accumulates are not known";
    return mc_spectrum_most(&layer->spectrum, f->options->round) > 0 ? NULL : "no rank costs less";
}

static void add_layer(struct factorizing *f, int position, const struct mc_uses *uses)
{
    struct mc_node *node = f->small->graph->nodes[position];
    struct mc_layer *layer = &f->layers[f->n];
    if (!is_layer(node)) return;
    const struct mc_contraction contraction = {.weight_out_axis = mc_weight_output_axis(node), .groups = 1};
    *layer = (struct mc_layer){.node = node,
                               .position = position,
                               .rows = mc_rows_of(&contraction, &node->inputs[1]->data->shape),
                               .macs = (double)f->cost.nodes[position].cost.macs};
    const double M = (double)layer->rows.M, K = (double)layer->rows.K;
    if (M * K <= 0) return;
    const bool by_macs = f->options->stays > 0 && f->options->budget == MC_BUDGET_MACS;
    layer->spectrum.n = layer->rows.M < layer->rows.K ? layer->rows.M : layer->rows.K;
    layer->spectrum.whole = by_macs ? layer->macs : M * K;
    layer->spectrum.a_rank = layer->spectrum.whole / (M * K) * (M + K);
    layer->why = objection(f, layer, uses);
    f->n++;
}

static int find_layers(struct factorizing *f, struct mc_error *err)
{
    struct mc_facts facts = {0};
    struct mc_uses uses = {0};
    f->layers = MC_NEW_ARRAY(struct mc_layer, f->small->graph->n_nodes);
    int rc = f->layers ? mc_model_facts(&facts, f->small, &f->options->dims, true, err) : mc_error_memory(err);
    if (rc == MC_OK) rc = mc_model_cost_create(&f->cost, f->small, &facts, err);
    if (rc == MC_OK) rc = mc_uses_create(&uses, f->small, err);
    for (int i = 0; i < f->small->graph->n_nodes && rc == MC_OK; i++) add_layer(f, i, &uses);
    for (int i = 0; i < f->n && rc == MC_OK; i++) {
        const struct mc_fact *y = &facts.of[f->layers[i].node->outputs[0]->id];
        f->layers[i].out_axis = mc_meaning_of(f->layers[i].node) == MC_MEANS_MATMUL ? y->shape.rank - 1 : 1;
    }
    mc_uses_finish(&uses);
    mc_facts_finish(&facts);
    return rc;
}

static int need_a_layer(const struct factorizing *f, struct mc_error *err)
{
    for (int i = 0; i < f->n; i++)
        if (!f->layers[i].why) return MC_OK;
    if (f->n == 0)
        return mc_error_set(err, MC_ERR_UNSUPPORTED,
                            "no layer can be cut in two: there is no Conv, Gemm or MatMul with a stored weight");
    return mc_error_set(err, MC_ERR_UNSUPPORTED, "no layer can be cut in two: '%s', for one: %s",
                        f->layers[0].node->inputs[1]->name, f->layers[0].why);
}

/* --- to what rank --- */

static int find_directions(struct factorizing *f, struct mc_error *err)
{
    const struct mc_factorize_options *o = f->options;
    int rc = MC_OK;
    if (o->by == MC_FACTORIZE_OUTPUTS) {
        bool *centred = MC_NEW_ARRAY(bool, f->n);
        if (!centred) return mc_error_memory(err);
        for (int i = 0; i < f->n; i++) centred[i] = mc_meaning_of(f->layers[i].node) != MC_MEANS_MATMUL;
        rc = mc_directions_of_outputs(f->layers, centred, f->n, f->small, &o->samples, &o->runtime, err);
        mc_free(centred);
        return rc;
    }
    for (int i = 0; i < f->n && rc == MC_OK; i++)
        if (!f->layers[i].why) rc = mc_directions_of_weights(&f->layers[i], err);
    return rc;
}

static int rank_by_budget(struct factorizing *f, struct mc_error *err)
{
    const bool macs = f->options->budget == MC_BUDGET_MACS;
    const double total = macs ? (double)f->cost.cost.macs : (double)f->cost.parameters;
    struct mc_spectrum *spectra = MC_NEW_ARRAY(struct mc_spectrum, f->n);
    double others = total, cost = 0;
    int n = 0;
    if (!spectra) return mc_error_memory(err);
    for (int i = 0; i < f->n; i++) {
        if (f->layers[i].why) continue;
        spectra[n++] = f->layers[i].spectrum;
        others -= f->layers[i].spectrum.whole;
    }
    const bool reached = mc_rank_by_budget(spectra, n, f->options->stays * total - others, f->options->round, &cost);
    for (int i = 0, k = 0; i < f->n; i++)
        if (!f->layers[i].why) f->layers[i].spectrum.rank = spectra[k++].rank;
    mc_free(spectra);
    if (reached) return MC_OK;
    return mc_error_set(err, MC_ERR_USAGE,
                        "needs %g of the %s to stay, with ranks of %lld what cannot be cut and the parts leave %.4g",
                        f->options->stays, macs ? "multiply-accumulates" : "parameters", (long long)f->options->round,
                        (others + cost) / total);
}

static int choose_ranks(struct factorizing *f, struct mc_error *err)
{
    if (f->options->stays > 0) return rank_by_budget(f, err);
    for (int i = 0; i < f->n; i++) {
        if (f->layers[i].why) continue;
        mc_rank_by_share(&f->layers[i].spectrum, f->options->energy, f->options->round);
        if (f->layers[i].spectrum.rank == 0) f->layers[i].why = "no rank that keeps so much costs less";
    }
    return MC_OK;
}

/* --- the parts --- */

/* U [M, r] and V [r, K], whose columns and rows are of equal length pair by pair, which training likes; and what
 * becomes of the bias, NULL: nothing. */
struct parts {
    double *u, *v;
    struct mc_tensor *first, *second, *bias;
};

static void parts_finish(struct parts *p)
{
    mc_free(p->u);
    mc_free(p->v);
    mc_tensor_destroy(p->first);
    mc_tensor_destroy(p->second);
    mc_tensor_destroy(p->bias);
}

static void balance(double *u, double *v, int64_t M, int64_t r, int64_t K)
{
    for (int64_t i = 0; i < r; i++) {
        double uu = 0, vv = 0;
        for (int64_t m = 0; m < M; m++) uu += u[m * r + i] * u[m * r + i];
        for (int64_t k = 0; k < K; k++) vv += v[i * K + k] * v[i * K + k];
        if (uu <= 0 || vv <= 0) continue;
        const double scale = sqrt(sqrt(vv / uu));
        for (int64_t m = 0; m < M; m++) u[m * r + i] *= scale;
        for (int64_t k = 0; k < K; k++) v[i * K + k] /= scale;
    }
}

/* The directions are one part, what the weights do along them is the other. */
static int factor(const struct mc_layer *layer, struct parts *p, struct mc_error *err)
{
    const int64_t M = layer->rows.M, K = layer->rows.K, r = layer->spectrum.rank;
    double *w = NULL;
    int rc = mc_layer_weights(layer, &w, err);
    if (rc < 0) return rc;
    p->u = mc_alloc((size_t)M, (size_t)r * sizeof *p->u);
    p->v = mc_alloc((size_t)r, (size_t)K * sizeof *p->v);
    if (!p->u || !p->v) {
        rc = mc_error_memory(err);
    } else if (layer->of_inputs) {
        const struct mc_gemm product = mc_gemm_dense(MC_DOUBLE, false, true, M, r, K);
        memcpy(p->v, layer->vectors, (size_t)(r * K) * sizeof *p->v);
        mc_gemm(&product, w, p->v, p->u);
    } else {
        const struct mc_gemm product = mc_gemm_dense(MC_DOUBLE, false, false, r, K, M);
        for (int64_t m = 0; m < M; m++)
            for (int64_t i = 0; i < r; i++) p->u[m * r + i] = layer->vectors[i * M + m];
        mc_gemm(&product, layer->vectors, w, p->v);
    }
    if (rc == MC_OK) balance(p->u, p->v, M, r, K);
    mc_free(w);
    return rc;
}

/* A matrix [M, K] as a weight that lies as the layer's does. */
static int store(struct mc_tensor **tensor, const struct mc_layer *layer, int64_t M, int64_t K, bool keeps_kernel,
                 const double *rows, struct mc_error *err)
{
    const struct mc_tensor *w = layer->node->inputs[1]->data;
    const bool outputs_first = layer->rows.inner > 1;
    struct mc_shape shape = w->shape;
    shape.dim[outputs_first ? 0 : 1] = M;
    if (!keeps_kernel) shape.dim[outputs_first ? 1 : 0] = K;
    for (int k = 2; k < shape.rank && !keeps_kernel; k++) shape.dim[k] = 1;
    const struct mc_rows to = {.M = M, .K = K, .inner = outputs_first ? K : 1, .groups = 1};
    const int rc = mc_tensor_create(tensor, w->dtype, &shape, err);
    for (int64_t m = 0; m < M && rc == MC_OK; m++)
        for (int64_t k = 0; k < K; k++) mc_tensor_set_f64(*tensor, mc_rows_at(&to, m, k), rows[m * K + k]);
    return rc;
}

/* With y cut to mean + P (y - mean), P the projection on the directions that stay, b becomes mean + P (b - mean). */
static int move_bias(const struct mc_layer *layer, struct mc_tensor **moved, struct mc_error *err)
{
    const int64_t M = layer->rows.M;
    const struct mc_value *bias = mc_node_input(layer->node, 2);
    const double beta = mc_meaning_of(layer->node) == MC_MEANS_GEMM ? (double)mc_node_float(layer->node, "beta", 1) : 1;
    const struct mc_shape shape = mc_shape_of(1, &M);
    double *off = MC_NEW_ARRAY(double, M), *sum = MC_NEW_ARRAY(double, M);
    int rc =
        off && sum ? mc_tensor_create(moved, layer->node->inputs[1]->data->dtype, &shape, err) : mc_error_memory(err);
    if (rc == MC_OK) {
        for (int64_t m = 0; m < M; m++) {
            off[m] = (bias ? beta * mc_tensor_get_f64(bias->data, m) : 0) - layer->mean[m];
            sum[m] = layer->mean[m];
        }
        for (int64_t i = 0; i < layer->spectrum.rank; i++) {
            const double *q = layer->vectors + i * M;
            double along = 0;
            for (int64_t m = 0; m < M; m++) along += q[m] * off[m];
            for (int64_t m = 0; m < M; m++) sum[m] += along * q[m];
        }
        for (int64_t m = 0; m < M; m++) mc_tensor_set_f64(*moved, m, sum[m]);
    }
    mc_free(sum);
    mc_free(off);
    return rc;
}

/* --- into nodes --- */

/* A fresh initializer "STEM_PART"; takes over the tensor. */
static int add_constant(struct mc_graph *graph, const char *stem, const char *part, struct mc_tensor **tensor,
                        struct mc_value **value, struct mc_error *err)
{
    *value = mc_graph_add_initializer_part(graph, stem, part, *tensor);
    *tensor = NULL;
    return *value ? MC_OK : mc_error_memory(err);
}

static void remove_unused(struct mc_value *v)
{
    if (v && v->data && !v->is_output && !mc_value_is_used(v)) mc_value_remove(v);
}

/* Attributes of the second part: a plain product, with the bias that the first had. */
static int describe_second(struct mc_node *second, const struct mc_node *first, const struct mc_tensor *u,
                           bool bias_moved, struct mc_error *err)
{
    const int64_t ones[MC_MAX_RANK] = {1, 1, 1, 1, 1, 1, 1, 1};
    switch (mc_meaning_of(first)) {
    case MC_MEANS_CONV:
        return mc_node_set_ints(second, "kernel_shape", ones, u->shape.rank - 2, err);
    case MC_MEANS_GEMM: {
        int rc = mc_node_set_int(second, "transB", mc_node_int(first, "transB", 0), err);
        const float beta = mc_node_float(first, "beta", 1);
        if (rc == MC_OK && beta != 1 && !bias_moved) rc = mc_node_set_float(second, "beta", beta, err);
        return rc;
    }
    default:
        return MC_OK;
    }
}

/* The first part has no bias; before opset 11 a Gemm must have one. */
static int drop_bias(struct mc_node *first, const char *stem, enum mc_dtype dtype, struct mc_error *err)
{
    first->n_inputs = 2;
    if (mc_meaning_of(first) != MC_MEANS_GEMM) return MC_OK;
    mc_node_remove_attr(first, "beta");
    if (first->opset >= 11) return MC_OK;
    const struct mc_shape one = {.rank = 1, .dim = {1}};
    struct mc_tensor *zero = NULL;
    struct mc_value *value;
    int rc = mc_tensor_create(&zero, dtype, &one, err);
    if (rc == MC_OK) rc = add_constant(first->graph, stem, "zero", &zero, &value, err);
    return rc == MC_OK ? mc_node_set_input(first, 2, value, err) : rc;
}

/* The node in two; its name goes with its output. Takes over the tensors. */
static int split(const struct mc_layer *layer, struct parts *p, struct mc_error *err)
{
    struct mc_node *first = layer->node;
    struct mc_graph *graph = first->graph;
    struct mc_value *w = first->inputs[1], *old = mc_node_input(first, 2), *y = first->outputs[0];
    struct mc_value *v_value = NULL, *in[3] = {NULL, NULL, old};
    char name[256];
    const struct mc_tensor *u = p->second;
    const enum mc_dtype dtype = u->dtype;
    const bool bias_moved = p->bias != NULL;
    in[0] = mc_value_create_part(graph, y->name, "v");
    int rc = in[0] ? add_constant(graph, w->name, "v", &p->first, &v_value, err) : mc_error_memory(err);
    if (rc == MC_OK) rc = add_constant(graph, w->name, "u", &p->second, &in[1], err);
    if (rc == MC_OK && p->bias) rc = add_constant(graph, w->name, "bias", &p->bias, &in[2], err);
    if (rc < 0) return rc;
    first->outputs[0] = in[0];
    in[0]->producer = first;
    struct mc_node *second = mc_node_create(graph, mc_node_position(first) + 1, first->domain, first->type, first->name,
                                            in[2] ? 3 : 2, in, 1, &y);
    if (!second) return mc_error_memory(err);
    rc = describe_second(second, first, u, bias_moved, err);
    snprintf(name, sizeof name, "%.200s%s", first->name, *first->name ? "_v" : "");
    first->name = mc_arena_strdup(&graph->model->arena, name);
    if (!first->name) return mc_error_memory(err);
    if (rc == MC_OK) rc = mc_node_set_input(first, 1, v_value, err);
    if (rc == MC_OK) rc = drop_bias(first, w->name, dtype, err);
    remove_unused(w);
    remove_unused(old);
    return rc;
}

/* In the twin: the product as it was stored, number by number, and the bias. */
static int multiply(struct factorizing *f, const struct mc_layer *layer, const struct parts *p, struct mc_error *err)
{
    struct mc_node *node = f->products->graph->nodes[layer->position];
    const int64_t M = layer->rows.M, K = layer->rows.K, r = layer->spectrum.rank;
    const bool outputs_first = layer->rows.inner > 1;
    const struct mc_rows at_u = {.M = M, .K = r, .inner = outputs_first ? r : 1, .groups = 1};
    const struct mc_rows at_v = {.M = r, .K = K, .inner = outputs_first ? K : 1, .groups = 1};
    struct mc_tensor *w = NULL, *bias = NULL;
    double *product = mc_alloc((size_t)M, (size_t)K * sizeof *product);
    if (!product) return mc_error_memory(err);
    for (int64_t i = 0; i < r; i++) {
        for (int64_t k = 0; k < K; k++) p->v[i * K + k] = mc_tensor_get_f64(p->first, mc_rows_at(&at_v, i, k));
        for (int64_t m = 0; m < M; m++) p->u[m * r + i] = mc_tensor_get_f64(p->second, mc_rows_at(&at_u, m, i));
    }
    const struct mc_gemm gemm = mc_gemm_dense(MC_DOUBLE, false, false, M, K, r);
    mc_gemm(&gemm, p->u, p->v, product);
    int rc = store(&w, layer, M, K, true, product, err);
    mc_free(product);
    if (rc < 0) return rc;
    mc_value_set_data(node->inputs[1], w);
    if (!p->bias) return MC_OK;
    struct mc_value *value;
    rc = mc_tensor_clone(&bias, p->bias, err);
    if (rc == MC_OK) rc = add_constant(node->graph, node->inputs[1]->name, "bias", &bias, &value, err);
    if (rc == MC_OK) rc = mc_node_set_input(node, 2, value, err);
    if (rc == MC_OK && mc_node_attr(node, "beta")) rc = mc_node_set_float(node, "beta", 1, err);
    return rc;
}

static int cut(struct factorizing *f, const struct mc_layer *layer, struct mc_error *err)
{
    const int64_t M = layer->rows.M, K = layer->rows.K, r = layer->spectrum.rank;
    struct parts p = {0};
    int rc = factor(layer, &p, err);
    if (rc == MC_OK) rc = store(&p.first, layer, r, K, true, p.v, err);
    if (rc == MC_OK) rc = store(&p.second, layer, M, r, false, p.u, err);
    if (rc == MC_OK && layer->mean) rc = move_bias(layer, &p.bias, err);
    if (rc == MC_OK) rc = multiply(f, layer, &p, err);
    if (rc == MC_OK) rc = split(layer, &p, err);
    parts_finish(&p);
    return rc;
}

/* --- the whole --- */

static double after(double before, const struct mc_layer *layer)
{
    const double M = (double)layer->rows.M, K = (double)layer->rows.K;
    return layer->spectrum.rank ? before * (double)layer->spectrum.rank * (M + K) / (M * K) : before;
}

static void record_layer(const struct mc_layer *layer, const char *tensor, struct mc_record *into)
{
    const int64_t r = layer->spectrum.rank;
    mc_record_set_text(into, "tensor", tensor);
    mc_record_set_int(into, "outputs", layer->rows.M);
    mc_record_set_int(into, "inputs", layer->rows.K);
    if (r == 0) {
        mc_record_set_text(into, "why", layer->why ? layer->why : "the budget has room for it");
        return;
    }
    mc_record_set_int(into, "rank", r);
    mc_record_set_num(into, "energy", layer->spectrum.shares[r - 1]);
    mc_record_set_int(into, "macs_before", llround(layer->macs));
    mc_record_set_int(into, "macs_after", llround(after(layer->macs, layer)));
}

static void record(const struct factorizing *f, const struct mc_model *original, const struct mc_twin *twin,
                   struct mc_record *section)
{
    double saved = 0;
    for (int i = 0; i < f->n; i++) saved += f->layers[i].macs - after(f->layers[i].macs, &f->layers[i]);
    mc_record_set_int(section, "macs_before", f->cost.cost.macs);
    mc_record_set_int(section, "macs_after", f->cost.cost.macs - llround(saved));
    struct mc_record *layers = mc_record_array(section, "layers");
    for (int i = 0; i < f->n; i++)
        record_layer(&f->layers[i], original->graph->nodes[f->layers[i].position]->inputs[1]->name,
                     mc_record_append_object(layers));
    mc_twin_record(twin, mc_record_object(section, "check"));
}

int mc_factorize(struct mc_model *model, const struct mc_factorize_options *options, struct mc_record *section,
                 struct mc_error *err)
{
    struct factorizing f = {.options = options};
    struct mc_twin twin = {0};
    const struct mc_shrink_options check = {.dims = options->dims, .runtime = options->runtime, .seed = options->seed};
    int rc = mc_model_clone(&f.small, model, true, err);
    if (rc == MC_OK) rc = mc_model_clone(&f.products, model, true, err);
    if (rc == MC_OK) {
        mc_ops_bind(f.small);
        mc_ops_bind(f.products);
        rc = find_layers(&f, err);
    }
    if (rc == MC_OK) rc = need_a_layer(&f, err);
    if (rc == MC_OK) rc = find_directions(&f, err);
    if (rc == MC_OK) rc = choose_ranks(&f, err);
    for (int i = 0; i < f.n && rc == MC_OK; i++)
        if (f.layers[i].spectrum.rank > 0) rc = cut(&f, &f.layers[i], err);
    if (rc == MC_OK) {
        mc_ops_bind(f.small);
        rc = mc_twin_check(&twin, f.products, f.small, NULL, &check, err);
    }
    if (rc == MC_OK && section) {
        record(&f, model, &twin, section);
        rc = mc_record_check(section, err);
    }
    if (rc == MC_OK) mc_model_swap(model, f.small);
    for (int i = 0; i < f.n; i++) mc_layer_finish(&f.layers[i]);
    mc_free(f.layers);
    mc_model_cost_finish(&f.cost);
    mc_model_destroy(f.products);
    mc_model_destroy(f.small);
    return rc;
}
