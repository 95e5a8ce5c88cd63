/* quantization.c - rewritten, raised, rounded, checked; see quantization.h. */
#include "quantize/quantization.h"

#include <string.h>

#include "base/error.h"
#include "op/ops.h"
#include "prune/twin.h"
#include "quantize/activations.h"
#include "quantize/agreement.h"
#include "quantize/dynamic_products.h"
#include "quantize/store.h"
#include "rewrite/raise.h"
#include "rewrite/rewrite.h"

void mc_quantize_options_init(struct mc_quantize_options *options)
{
    *options = (struct mc_quantize_options){.block = 32, .percent = 99.99, .dims = {.batch = 2}};
    mc_runtime_init(&options->runtime, 0, MC_CPU_AVX512);
}

/* What makes more weights of fewer nodes; nothing that would tie weights to each other. */
static uint64_t passes(void)
{
    static const char *const names[] = {"fold", "identity", "affine", "dead"};
    uint64_t bits = 0;
    for (size_t i = 0; i < mc_passes_count; i++)
        for (size_t k = 0; k < sizeof names / sizeof *names; k++)
            if (strcmp(mc_passes[i]->name, names[k]) == 0) bits |= UINT64_C(1) << i;
    return bits;
}

static int opset_of(const struct mc_quantize_options *options)
{
    const int opset = mc_store_opset(options);
    return options->scheme == MC_QUANTIZE_DYNAMIC && opset < 11 ? 11 : opset;
}

static int prepare(struct mc_model *model, const struct mc_quantize_options *options, struct mc_error *err)
{
    const struct mc_rewrite_options rewrite = {
        .passes = passes(), .dims = options->dims, .runtime = options->runtime, .seed = options->seed};
    const int rc = mc_rewrite(model, &rewrite, NULL, err);
    return rc == MC_OK ? mc_raise_opset(model, opset_of(options), err) : rc;
}

/* --- the record --- */

static void record_store(const struct mc_store *store, struct mc_record *section)
{
    mc_record_set_int(section, "tensors", store->n);
    mc_record_set_int(section, "values", store->n_values);
    mc_record_set_num(section, "error", store->size > 0 ? store->error / store->size : 0);
    struct mc_record *left = mc_record_array(section, "left");
    for (int i = 0; i < store->n_left; i++) {
        struct mc_record *entry = mc_record_append_object(left);
        mc_record_set_text(entry, "tensor", store->left[i].tensor);
        mc_record_set_text(entry, "why", store->left[i].why);
    }
}

/* --- weights --- */

static int round_weights(struct mc_store *store, struct mc_model *model, const struct mc_quantize_options *options,
                         struct mc_record *section, struct mc_error *err)
{
    struct mc_model *reference;
    struct mc_twin twin = {0};
    int rc = mc_model_clone(&reference, model, true, err);
    if (rc < 0) return rc;
    mc_ops_bind(reference);
    rc = mc_store_weights(store, model, reference, options, err);
    mc_ops_bind(model);
    const struct mc_shrink_options check = {.dims = options->dims, .runtime = options->runtime, .seed = options->seed};
    if (rc == MC_OK) rc = mc_twin_check(&twin, reference, model, NULL, &check, err);
    if (rc == MC_OK && section) {
        record_store(store, section);
        mc_twin_record(&twin, mc_record_object(section, "check"));
    }
    mc_model_destroy(reference);
    return rc;
}

/* --- activations --- */

/* Of a static scheme the graph itself is the simulation, run node by node. */
static int round_activations(struct mc_model *model, const struct mc_model *floats, const struct mc_store *store,
                             const struct mc_quantize_options *options, struct mc_record *section, struct mc_error *err)
{
    struct mc_model *simulated = NULL;
    struct mc_agreement agreement;
    int rc = options->scheme == MC_QUANTIZE_STATIC
                 ? mc_quantize_activations(model, store, options, section, err)
                 : mc_quantize_products(model, &simulated, store, options, section, err);
    if (rc == MC_OK) rc = mc_agreement_check(&agreement, floats, simulated ? simulated : model, model, options, err);
    mc_model_destroy(simulated);
    if (rc < 0 || !section) return rc;
    struct mc_record *part = mc_record_object(section, "agreement");
    mc_record_set_bool(part, "checked", agreement.checked);
    if (!agreement.checked) {
        mc_record_set_text(part, "why", agreement.why);
    } else {
        mc_record_set_num(part, "noise", agreement.noise);
        mc_record_set_num(part, "difference", agreement.difference);
    }
    return rc;
}

/* --- the whole --- */

static int round_model(struct mc_model *model, const struct mc_model *floats, const struct mc_quantize_options *options,
                       struct mc_record *section, struct mc_error *err)
{
    struct mc_store store = {0};
    int rc = round_weights(&store, model, options, section, err);
    if (rc == MC_OK && options->scheme != MC_QUANTIZE_WEIGHTS)
        rc = round_activations(model, floats, &store, options, section, err);
    if (rc == MC_OK && section) rc = mc_record_check(section, err);
    mc_store_finish(&store);
    return rc;
}

int mc_quantize(struct mc_model *model, const struct mc_quantize_options *options, struct mc_record *section,
                struct mc_error *err)
{
    struct mc_model *small;
    int rc = mc_model_clone(&small, model, true, err);
    if (rc < 0) return rc;
    mc_ops_bind(small);
    rc = prepare(small, options, err);
    if (rc == MC_OK && section) {
        mc_record_set_int(section, "opset_before", mc_model_opset(model, ""));
        mc_record_set_int(section, "opset_after", mc_model_opset(small, ""));
    }
    if (rc == MC_OK) rc = round_model(small, model, options, section, err);
    if (rc == MC_OK) mc_model_swap(model, small);
    mc_model_destroy(small);
    return rc;
}
