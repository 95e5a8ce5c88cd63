/* activations.c - activations in 8 bits; see activations.h. */
#include "quantize/activations.h"

#include <float.h>
#include <math.h>

#include "base/alloc.h"
#include "base/error.h"
#include "op/ops.h"
#include "prune/samples.h"
#include "quantize/byte_nodes.h"

/* By value id: what 256 steps stand for, of those whose scale is their own. */
struct steps {
    struct mc_spread spread;
    struct mc_value *scale, *zero;
};

struct rounding {
    struct mc_model *model;
    const struct mc_quantize_options *options;
    struct mc_byte_nodes nodes;
    struct steps **steps;
};

static struct steps *steps_of(const struct rounding *r, const struct mc_value *v)
{
    return r->steps[mc_byte_scale_of(&r->nodes, v->id)];
}

/* --- calibration --- */

/* Values to look at: what is moved is looked at where it comes from. */
static int list_taps(struct rounding *r, const struct mc_value **taps, int *n, struct mc_error *err)
{
    *n = 0;
    for (int id = 0; id < r->nodes.model->n_values; id++) {
        const struct mc_byte_value *value = &r->nodes.values[id];
        if (!value->rounded) continue;
        struct steps **steps = &r->steps[mc_byte_scale_of(&r->nodes, id)];
        if (!*steps) *steps = MC_NEW(struct steps);
        if (!*steps) return mc_error_memory(err);
        if (!value->scaled) taps[(*n)++] = r->model->values[id];
    }
    return MC_OK;
}

static int see(struct rounding *r, const struct mc_value *v, const struct mc_tensor *x, bool count,
               struct mc_error *err)
{
    struct mc_spread *spread = &steps_of(r, v)->spread;
    const int64_t n = mc_tensor_count(x);
    if (count)
        mc_spread_count(spread, x->data, n);
    else if (!mc_spread_see(spread, x->data, n))
        return mc_error_set(err, MC_ERR_INPUT, "value '%s' has numbers that are not finite for a calibration sample",
                            v->name);
    return MC_OK;
}

static int look(struct rounding *r, struct mc_sampler *sampler, const struct mc_value *const *taps, int n, bool count,
                struct mc_error *err)
{
    int rc;
    mc_sampler_rewind(sampler);
    while ((rc = mc_sampler_next(sampler, "calibration", err)) > 0) {
        rc = MC_OK;
        for (int i = 0; i < n && rc == MC_OK; i++) rc = see(r, taps[i], mc_sampler_tap(sampler, i), count, err);
        if (rc < 0) break;
    }
    return rc;
}

static int calibrate(struct rounding *r, struct mc_error *err)
{
    const struct mc_samples *samples = &r->options->samples;
    struct mc_sampler sampler = {0};
    const struct mc_value **taps = MC_NEW_ARRAY(const struct mc_value *, r->model->n_values);
    int n = 0, rc = taps ? list_taps(r, taps, &n, err) : mc_error_memory(err);
    if (rc == MC_OK) rc = mc_sampler_observe(&sampler, samples, r->model, taps, n, false, &r->options->runtime, err);
    if (rc == MC_OK) rc = look(r, &sampler, taps, n, false, err);
    if (rc == MC_OK && r->options->calibration != MC_CALIBRATION_MINMAX) rc = look(r, &sampler, taps, n, true, err);
    mc_sampler_finish(&sampler);
    mc_free(taps);
    return rc;
}

/* --- into the graph --- */

static int put_number(struct mc_model *model, const char *stem, const char *word, enum mc_dtype dtype, double number,
                      struct mc_value **v, struct mc_error *err)
{
    const struct mc_shape scalar = {.rank = 0};
    struct mc_tensor *t;
    const int rc = mc_tensor_create(&t, dtype, &scalar, err);
    if (rc < 0) return rc;
    mc_tensor_set_f64(t, 0, number);
    *v = mc_graph_add_initializer_part(model->graph, stem, word, t);
    return *v ? MC_OK : mc_error_memory(err);
}

static int put_steps(struct rounding *r, struct steps *s, const char *stem, struct mc_error *err)
{
    const enum mc_dtype dtype = r->options->signed_activations ? MC_INT8 : MC_UINT8;
    double low, high;
    float scale;
    int zero;
    if (s->scale) return MC_OK;
    mc_spread_bounds(&s->spread, r->options->calibration, r->options->percent, &low, &high);
    mc_steps_between(low, high, dtype == MC_INT8 ? -128 : 0, &scale, &zero);
    const int rc = put_number(r->model, stem, "scale", MC_FLOAT, (double)scale, &s->scale, err);
    return rc < 0 ? rc : put_number(r->model, stem, "zero_point", dtype, zero, &s->zero, err);
}

/* Who makes an output of the model makes another value, so that what stands for that can have its name. */
static struct mc_value *detach(struct mc_model *model, struct mc_value *y)
{
    struct mc_node *node = y->producer;
    struct mc_value *floats = mc_fresh_floats(model, y->name, "float");
    if (!floats) return NULL;
    for (int k = 0; k < node->n_outputs; k++)
        if (node->outputs[k] == y) node->outputs[k] = floats;
    floats->producer = node;
    y->producer = NULL;
    return floats;
}

/* Readers on bytes, or all of them: floats that a byte stands for anyway are nobody's gain. */
static int redirect(const struct rounding *r, struct mc_value *from, struct mc_value *to, struct mc_error *err)
{
    if (r->nodes.values[from->id].made) return mc_value_replace(from, to, err);
    int rc = MC_OK;
    for (int i = 0; i < r->nodes.uses.n[from->id] && rc == MC_OK; i++) {
        const struct mc_use *use = &r->nodes.uses.of[from->id][i];
        if (use->node && r->nodes.on_bytes[use->node->id]) rc = mc_node_set_input(use->node, use->index, to, err);
    }
    return rc;
}

/* v, QuantizeLinear, DequantizeLinear, and whoever read v. */
static int put_pair(struct rounding *r, struct mc_value *v, struct mc_error *err)
{
    const bool detached = v->is_output && r->nodes.values[v->id].made;
    struct mc_graph *graph = r->model->graph;
    struct steps *s = steps_of(r, v);
    int rc = put_steps(r, s, v->name, err);
    if (rc < 0) return rc;
    struct mc_value *from = detached ? detach(r->model, v) : v;
    struct mc_value *to = detached ? v : mc_fresh_floats(r->model, v->name, "dequantized");
    struct mc_value *bytes = mc_fresh_floats(r->model, v->name, "quantized");
    if (!from || !to || !bytes) return mc_error_memory(err);
    bytes->type.dtype = s->zero->data->dtype;
    if (!detached) rc = redirect(r, v, to, err);
    if (rc < 0) return rc;
    const int at = from->producer ? mc_node_position(from->producer) + 1 : 0;
    const bool ok = mc_node_create(graph, at, "", "QuantizeLinear", bytes->name, 3,
                                   (struct mc_value *[]){from, s->scale, s->zero}, 1, &bytes) &&
                    mc_node_create(graph, at + 1, "", "DequantizeLinear", to->name, 3,
                                   (struct mc_value *[]){bytes, s->scale, s->zero}, 1, &to);
    return ok ? MC_OK : mc_error_memory(err);
}

static int put_pairs(struct rounding *r, struct mc_error *err)
{
    const int n = r->nodes.uses.n_values; /* those that were there before */
    int rc = MC_OK;
    for (int id = 0; id < n && rc == MC_OK; id++)
        if (r->nodes.values[id].rounded) rc = put_pair(r, r->model->values[id], err);
    return rc;
}

/* --- biases --- */

/* round(bias / (scale of x * scale of w)) in 32 bits; *fits false: one is too large for that. */
static int round_bias(const struct mc_tensor *bias, double x_scale, const struct mc_tensor *w_scales,
                      struct mc_tensor **codes, struct mc_tensor **scales, bool *fits, struct mc_error *err)
{
    *codes = *scales = NULL;
    int rc = mc_tensor_create(codes, MC_INT32, &bias->shape, err);
    if (rc == MC_OK) rc = mc_tensor_create(scales, MC_FLOAT, &w_scales->shape, err);
    for (int64_t i = 0; rc == MC_OK && i < mc_tensor_count(*scales); i++)
        mc_tensor_set_f64(*scales, i, x_scale * mc_tensor_get_f64(w_scales, i));
    *fits = true;
    for (int64_t i = 0; rc == MC_OK && i < mc_tensor_count(bias); i++) {
        const double scale = mc_tensor_get_f64(*scales, mc_tensor_count(*scales) == 1 ? 0 : i);
        const double code = rint(mc_tensor_get_f64(bias, i) / scale);
        *fits = *fits && scale >= (double)FLT_MIN && fabs(code) <= 1 << 30;
        if (*fits) mc_tensor_set_f64(*codes, i, code);
    }
    if (rc == MC_OK && *fits) return MC_OK;
    mc_tensor_destroy(*codes);
    mc_tensor_destroy(*scales);
    return rc;
}

/* The codes have the bias's name where nobody else reads it. Takes over both tensors. */
static int put_bias(struct rounding *r, struct mc_node *node, struct mc_tensor *codes, struct mc_tensor *scales,
                    struct mc_error *err)
{
    struct mc_value *bias = node->inputs[2];
    const bool own = r->nodes.uses.n[bias->id] == 1 && !bias->is_output;
    const bool each = scales->shape.rank == 1;
    struct mc_value *scale = mc_graph_add_initializer_part(r->model->graph, bias->name, "scale", scales);
    struct mc_value *floats = mc_fresh_floats(r->model, bias->name, "dequantized");
    struct mc_value *stored =
        own ? bias : mc_graph_add_initializer_part(r->model->graph, bias->name, "quantized", codes);
    if (own) mc_value_set_data(bias, codes);
    if (!scale || !floats || !stored) return mc_error_memory(err);
    struct mc_node *made = mc_node_create(r->model->graph, 0, "", "DequantizeLinear", floats->name, 2,
                                          (struct mc_value *[]){stored, scale}, 1, &floats);
    if (!made) return mc_error_memory(err);
    const int rc = each ? mc_node_set_int(made, "axis", 0, err) : MC_OK;
    return rc < 0 ? rc : mc_node_set_input(node, 2, floats, err);
}

static int round_biases(struct rounding *r, struct mc_error *err)
{
    const struct mc_graph *graph = r->model->graph;
    int rc = MC_OK;
    for (int i = 0; i < graph->n_nodes && rc == MC_OK; i++) {
        struct mc_node *node = graph->nodes[i];
        if (node->id >= r->nodes.n_ids || !r->nodes.on_bytes[node->id] || node->n_inputs < 3 || !node->inputs[2])
            continue;
        const struct mc_stored *w = mc_byte_weight(&r->nodes, node);
        struct mc_tensor *codes, *scales;
        bool fits;
        if (!w) continue;
        const struct mc_value *x_scale = node->inputs[0]->producer->inputs[1]; /* of its DequantizeLinear */
        rc = round_bias(node->inputs[2]->data, mc_tensor_get_f64(x_scale->data, 0), w->scales->data, &codes, &scales,
                        &fits, err);
        if (rc < 0 || !fits) continue;
        rc = put_bias(r, node, codes, scales, err);
        i++; /* a node was put before it */
    }
    return rc;
}

/* --- the whole --- */

int mc_quantize_activations(struct mc_model *model, const struct mc_store *store,
                            const struct mc_quantize_options *options, struct mc_record *section, struct mc_error *err)
{
    struct rounding r = {.model = model, .options = options};
    int rc = mc_byte_nodes_find(&r.nodes, model, store, options->exclude, err);
    const int n_values = model->n_values;
    r.steps = MC_NEW_ARRAY(struct steps *, n_values);
    if (rc == MC_OK && !r.steps) rc = mc_error_memory(err);
    if (rc == MC_OK && r.nodes.n_nodes == 0)
        rc = mc_error_set(err, MC_ERR_UNSUPPORTED,
                          "no node of the model runs on 8 bits: needs a Conv, Gemm or MatMul with a stored weight");
    if (rc == MC_OK) rc = calibrate(&r, err);
    if (rc == MC_OK) rc = put_pairs(&r, err);
    if (rc == MC_OK) rc = round_biases(&r, err);
    if (rc == MC_OK && section) {
        mc_record_set_int(section, "nodes", r.nodes.n_nodes);
        mc_record_set_int(section, "activations", r.nodes.n_rounded);
    }
    for (int i = 0; r.steps && i < n_values; i++) mc_free(r.steps[i]);
    mc_free(r.steps);
    mc_byte_nodes_finish(&r.nodes);
    mc_ops_bind(model);
    return rc;
}
