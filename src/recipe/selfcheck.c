/* selfcheck.c - the written model against the one in memory; see selfcheck.h. */
#include "recipe/selfcheck.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "onnx/names.h"
#include "onnx/onnx.h"
#include "op/ops.h"
#include "prune/probe.h"
#include "run/plan.h"

enum { PROBE_BATCH = 2, PROBE_SEED = 1 };

static bool is_equal(const struct mc_tensor *a, const struct mc_tensor *b)
{
    if (a->dtype != b->dtype || !mc_shape_equal(&a->shape, &b->shape)) return false;
    return a->dtype == MC_STRING || memcmp(a->data, b->data, mc_tensor_bytes(a)) == 0;
}

static int check_bytes(const struct mc_model *again, const struct mc_file_view *file, struct mc_error *err)
{
    bool same;
    const int rc = mc_onnx_save_matches(again, file, &same, err);
    if (rc < 0 || same) return rc;
    return mc_error_set(err, MC_ERR_INTERNAL, "the model that was written is not the one that is read");
}

static int check_value(const struct mc_value *a, const struct mc_value *b, struct mc_error *err)
{
    if (b && is_equal(a->data, b->data)) return MC_OK;
    return mc_error_set(err, MC_ERR_INTERNAL, "initializer '%s' of the written model differs from that in memory",
                        a->name);
}

/* By name: sparse initializers come after the others. */
static int check_contents(const struct mc_graph *graph, const struct mc_graph *again, struct mc_error *err)
{
    struct mc_names names;
    if (graph->n_initializers != again->n_initializers)
        return mc_error_set(err, MC_ERR_INTERNAL, "the written model has %d initializers, that in memory %d",
                            again->n_initializers, graph->n_initializers);
    int rc = mc_names_init(&names, (size_t)again->n_initializers, err);
    if (rc < 0) return rc;
    for (int i = 0; i < again->n_initializers; i++)
        mc_names_add(&names, again->initializers[i]->name, again->initializers[i]);
    mc_names_sort(&names);
    for (int i = 0; i < graph->n_initializers && rc == MC_OK; i++)
        rc = check_value(graph->initializers[i], mc_names_find(&names, graph->initializers[i]->name), err);
    mc_names_finish(&names);
    return rc;
}

static int compare(struct mc_tensor *const *a, struct mc_tensor *const *b, int n, struct mc_error *err)
{
    for (int i = 0; i < n; i++)
        if (a[i] && !(b[i] && is_equal(a[i], b[i])))
            return mc_error_set(err, MC_ERR_INTERNAL, "output %d of the written model differs from that in memory", i);
    return MC_OK;
}

static int check_outputs(const struct mc_model *model, const struct mc_model *again, const struct mc_runtime *runtime,
                         struct mc_record *into, struct mc_error *err)
{
    const struct mc_plan_options options = {.dims = {.batch = PROBE_BATCH}, .runtime = runtime, .lean = true};
    struct mc_tensor **outputs = NULL, **outputs_again = NULL;
    const int n = model->graph->n_outputs;
    struct mc_error why = {0};
    int rc = mc_probe_outputs(&outputs, model, &options, PROBE_SEED, &why);
    const bool runs = rc == MC_OK;
    mc_record_set_bool(into, "outputs", runs);
    if (runs) {
        rc = mc_probe_outputs(&outputs_again, again, &options, PROBE_SEED, err);
        if (rc == MC_OK) rc = compare(outputs, outputs_again, n, err);
    } else {
        mc_record_set_text(into, "why", why.text);
        rc = MC_OK;
    }
    mc_probe_release(outputs_again, again->graph->n_outputs);
    mc_probe_release(outputs, n);
    return rc;
}

int mc_selfcheck(const struct mc_model *model, const struct mc_file_view *file, bool same_graph,
                 const struct mc_runtime *runtime, struct mc_record *into, struct mc_error *err)
{
    struct mc_model *again = NULL;
    int rc = mc_onnx_load_view(&again, file, NULL, "the model that was written", err);
    if (rc == MC_OK) {
        again->extents = model->extents;
        mc_ops_bind(again);
        mc_record_set_bool(into, "bytes", true);
        rc = check_bytes(again, file, err);
    }
    if (rc == MC_OK) rc = check_contents(model->graph, again->graph, err);
    if (rc == MC_OK && same_graph) {
        mc_record_set_bool(into, "outputs", false);
        mc_record_set_text(into, "why", "the graph is the one that was loaded, and its contents are those in memory");
    } else if (rc == MC_OK) {
        rc = check_outputs(model, again, runtime, into, err);
    }
    mc_model_destroy(again);
    if (rc == MC_OK || rc == MC_ERR_SYSTEM) return rc;
    return mc_error_wrap(err, MC_ERR_INTERNAL, "self-check"); /* whatever it is: what we wrote has to be right */
}
