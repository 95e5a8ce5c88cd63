/* store.c - weights as codes; see store.h. */
#include "quantize/store.h"

#include <math.h>

#include "base/alloc.h"
#include "base/error.h"
#include "op/byte_rules.h"
#include "prune/exclude.h"

/* --- which --- */

static bool all_finite(const struct mc_tensor *t)
{
    const float *x = t->data;
    for (int64_t i = 0; i < mc_tensor_count(t); i++)
        if (!isfinite(x[i])) return false;
    return true;
}

/* Why a weight has to stay as it is; NULL: it need not. */
static const char *obstacle(const struct mc_value *v)
{
    if (v->data->dtype != MC_FLOAT) return "it is no float32";
    if (v->is_output) return "it is an output of the model";
    return all_finite(v->data) ? NULL : "it has numbers that are not finite";
}

/* A tensor that is to be stored, and its axes: what is summed, what counts outputs (-1: not known). */
struct target {
    struct mc_value *value;
    int input, output;
};

/* Is it read row by row, and in no other way? */
static bool is_table(const struct mc_value *v, const struct mc_uses *uses)
{
    bool picked = v->data->dtype == MC_FLOAT && v->data->shape.rank > 1 && uses->n[v->id] > 0;
    for (int i = 0; i < uses->n[v->id]; i++) {
        const struct mc_use *use = &uses->of[v->id][i];
        picked = picked && use->node && use->index == 0 && use->node->n_inputs > 1 && use->node->op &&
                 use->node->op->on_bytes == mc_bytes_move;
    }
    return picked;
}

/* What nodes contract or convolve with their data, and tables of rows to look up (embeddings). *list is the caller's.
 */
static int list_targets(struct target **list, int *n, struct mc_model *model, struct mc_error *err)
{
    const struct mc_graph *graph = model->graph;
    struct mc_masks found = {0};
    struct mc_uses uses = {0};
    *n = 0;
    *list = MC_NEW_ARRAY(struct target, graph->n_initializers);
    int rc = *list ? mc_masks_find(&found, model, NULL, err) : mc_error_memory(err);
    if (rc == MC_OK) rc = mc_uses_create(&uses, model, err);
    for (int i = 0; rc == MC_OK && i < found.n; i++)
        (*list)[(*n)++] =
            (struct target){model->values[found.values[i]->id], found.input_axis[i], found.output_axis[i]};
    const int n_weights = *n;
    for (int i = 0; rc == MC_OK && i < graph->n_initializers; i++) {
        struct mc_value *v = graph->initializers[i];
        bool known = !is_table(v, &uses);
        for (int k = 0; k < n_weights && !known; k++) known = (*list)[k].value == v;
        if (!known) (*list)[(*n)++] = (struct target){v, v->data->shape.rank - 1, 0};
    }
    mc_uses_finish(&uses);
    mc_masks_finish(&found);
    return rc;
}

/* A scale for each output, and in matrices of 4 bits for each block of what is summed. */
static struct mc_grain grain_of(const struct target *t, const struct mc_quantize_options *options)
{
    if (options->by_tensor) return (struct mc_grain){.axis = -1};
    if (options->form == MC_CODES_INT4 && t->value->data->shape.rank == 2 && options->block > 0)
        return (struct mc_grain){.axis = t->input, .block = options->block};
    return (struct mc_grain){.axis = t->output >= 0 ? t->output : 0};
}

int mc_store_opset(const struct mc_quantize_options *options)
{
    if (options->form == MC_CODES_INT4) return 21;
    return options->form == MC_CODES_FLOAT16 ? 7 : options->by_tensor ? 10 : 13;
}

/* --- into the graph --- */

struct mc_value *mc_fresh_floats(struct mc_model *model, const char *stem, const char *word)
{
    struct mc_value *v = mc_value_create_part(model->graph, stem, word);
    if (v) v->type.dtype = MC_FLOAT;
    return v;
}

/* Codes take the place and name of the floats, and whoever read those reads what is made of them. Takes over both
 * tensors. */
static int put_codes(struct mc_stored *stored, struct mc_model *model, struct mc_tensor *codes,
                     struct mc_tensor *scales, struct mc_error *err)
{
    struct mc_value *v = stored->codes;
    stored->floats = mc_fresh_floats(model, v->name, scales ? "dequantized" : "widened");
    stored->scales = scales ? mc_graph_add_initializer_part(model->graph, v->name, "scale", scales) : NULL;
    int rc =
        stored->floats && (stored->scales || !scales) ? mc_value_replace(v, stored->floats, err) : mc_error_memory(err);
    if (rc < 0) {
        mc_tensor_destroy(codes);
        return rc;
    }
    mc_value_set_data(v, codes);
    struct mc_node *node =
        mc_node_create(model->graph, 0, "", scales ? "DequantizeLinear" : "Cast", stored->floats->name, scales ? 2 : 1,
                       (struct mc_value *[]){v, stored->scales}, 1, &stored->floats);
    if (!node) return mc_error_memory(err);
    if (!scales) return mc_node_set_int(node, "to", MC_FLOAT, err);
    if (stored->grain.axis >= 0) rc = mc_node_set_int(node, "axis", stored->grain.axis, err);
    return rc == MC_OK && stored->grain.block > 0 ? mc_node_set_int(node, "block_size", stored->grain.block, err) : rc;
}

/* --- one tensor --- */

static int round_tensor(const struct mc_tensor *w, enum mc_code_form form, const struct mc_grain *grain,
                        struct mc_tensor **codes, struct mc_tensor **scales, struct mc_error *err)
{
    if (form != MC_CODES_FLOAT16) return mc_codes_of(codes, scales, w, form, grain, err);
    const int rc = mc_tensor_create(codes, MC_FLOAT16, &w->shape, err);
    return rc < 0 ? rc : mc_tensor_convert(*codes, w, err);
}

static void add_error(struct mc_store *store, const struct mc_tensor *w, const struct mc_tensor *value)
{
    const float *x = w->data, *y = value->data;
    store->n_values += mc_tensor_count(w);
    for (int64_t i = 0; i < mc_tensor_count(w); i++) {
        const double off = (double)x[i] - (double)y[i];
        store->error += off * off;
        store->size += (double)x[i] * (double)x[i];
    }
}

static int store_weight(struct mc_store *store, struct mc_model *model, struct mc_value *v, struct mc_value *reference,
                        const struct mc_grain *grain, enum mc_code_form form, struct mc_error *err)
{
    struct mc_tensor *codes = NULL, *scales = NULL, *value = NULL;
    struct mc_stored *stored = &store->weights[store->n];
    int rc = round_tensor(v->data, form, grain, &codes, &scales, err);
    if (rc == MC_OK) rc = mc_codes_value(&value, codes, scales, grain, err);
    if (rc < 0 || !all_finite(value)) { /* too large for a half */
        mc_tensor_destroy(codes);
        mc_tensor_destroy(scales);
        mc_tensor_destroy(value);
        if (rc == MC_OK) store->left[store->n_left++] = (struct mc_left){v->name, "it has numbers beyond 65504"};
        return rc;
    }
    add_error(store, v->data, value);
    mc_value_set_data(reference, value);
    *stored = (struct mc_stored){.codes = v, .grain = *grain};
    store->n++;
    return put_codes(stored, model, codes, scales, err);
}

/* --- all of them --- */

int mc_store_weights(struct mc_store *store, struct mc_model *model, struct mc_model *reference,
                     const struct mc_quantize_options *options, struct mc_error *err)
{
    struct target *targets;
    int n;
    *store = (struct mc_store){0};
    int rc = list_targets(&targets, &n, model, err);
    store->weights = MC_NEW_ARRAY(struct mc_stored, n);
    store->left = MC_NEW_ARRAY(struct mc_left, n);
    if (rc == MC_OK && (!store->weights || !store->left)) rc = mc_error_memory(err);
    for (int i = 0; i < n && rc == MC_OK; i++) {
        struct mc_value *v = targets[i].value;
        const struct mc_grain grain = grain_of(&targets[i], options);
        const char *why = mc_excluded(options->exclude, v->name) ? "it is excluded" : obstacle(v);
        if (why)
            store->left[store->n_left++] = (struct mc_left){v->name, why};
        else
            rc = store_weight(store, model, v, reference->values[v->id], &grain, options->form, err);
        if (rc < 0) mc_error_wrap(err, rc, "tensor '%s'", v->name);
    }
    mc_free(targets);
    return rc;
}

void mc_store_finish(struct mc_store *store)
{
    mc_free(store->weights);
    mc_free(store->left);
    *store = (struct mc_store){0};
}
