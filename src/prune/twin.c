/* twin.c - running the masked original beside the small model. */
#include "prune/twin.h"

#include <math.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/block.h"
#include "base/error.h"
#include "prune/probe.h"

#define TWIN_STREAM UINT64_C(0x7477696e) /* inputs other than those that the constants were measured on */

static bool draws_random_numbers(const struct mc_model *model)
{
    for (int i = 0; i < model->graph->n_nodes; i++)
        if (model->graph->nodes[i]->op && model->graph->nodes[i]->op->random) return true;
    return false;
}

static int run(struct mc_tensor ***outputs, const struct mc_model *model, const struct mc_residues *residues,
               const struct mc_shrink_options *options, struct mc_error *err)
{
    const int n = residues ? residues->n : 0;
    struct mc_clamp *clamps = MC_NEW_ARRAY(struct mc_clamp, n);
    if (!clamps) return mc_error_memory(err);
    for (int i = 0; i < n; i++) {
        const struct mc_residue *r = &residues->of[i];
        clamps[i] = (struct mc_clamp){
            .value = r->value, .axis = r->axis, .n = r->n, .indices = r->indices, .fill = r->constant};
    }
    const struct mc_plan_options plan_options = {
        .dims = options->dims, .runtime = &options->runtime, .n_clamps = n, .clamps = clamps, .lean = true};
    mc_block_trim(); /* of what made the model, or of the run before */
    const int rc = mc_probe_outputs(outputs, model, &plan_options, options->seed ^ TWIN_STREAM, err);
    mc_free(clamps);
    return rc;
}

/* Largest |b - a| and |a|; what both say is not finite does not count. */
static void compare(const struct mc_tensor *a, const struct mc_tensor *b, double *difference, double *largest)
{
    const int64_t n = mc_tensor_count(a);
    for (int64_t i = 0; i < n; i++) {
        const double x = mc_tensor_get_f64(a, i), y = mc_tensor_get_f64(b, i);
        if (!isfinite(x) && !isfinite(y)) continue;
        const double d = fabs(y - x);
        if (!(d <= *difference)) *difference = isnan(d) ? HUGE_VAL : d;
        if (isfinite(x) && fabs(x) > *largest) *largest = fabs(x);
    }
}

/* Are activations rounded to few integers? Where sums that differ by rounding fall to different sides, outputs differ
 * by a step of those. */
static int find_rounding(const struct mc_model *model, const struct mc_shrink_options *options, bool *rounds,
                         struct mc_error *err)
{
    struct mc_facts facts = {0};
    const int rc = mc_model_facts(&facts, model, &options->dims, true, err);
    *rounds = false;
    if (rc < 0) return rc;
    for (int i = 0; i < model->graph->n_nodes; i++) {
        const struct mc_node *node = model->graph->nodes[i];
        if (node->n_inputs == 0 || node->n_outputs == 0 || !node->inputs[0] || !node->outputs[0]) continue;
        const enum mc_dtype from = facts.of[node->inputs[0]->id].dtype, to = facts.of[node->outputs[0]->id].dtype;
        *rounds |= mc_dtype_is_float(from) && mc_dtype_is_integer(to) && mc_dtype_bits(to) <= 16;
    }
    mc_facts_finish(&facts);
    return 0;
}

/* How far outputs may be apart, relative to the largest. */
static double tolerance_of(enum mc_dtype dtype, bool rounds)
{
    return rounds ? 2e-2 : mc_dtype_bits(dtype) < 32 ? 1e-2 : 1e-4;
}

static int compare_outputs(struct mc_twin *twin, const struct mc_model *original, struct mc_tensor *const *masked,
                           struct mc_tensor *const *small, const struct mc_shrink_options *options,
                           struct mc_error *err)
{
    bool rounds;
    const int rc = find_rounding(original, options, &rounds, err);
    if (rc < 0) return rc;
    for (int i = 0; i < original->graph->n_outputs; i++) {
        const struct mc_tensor *a = masked[i], *b = small[i];
        const char *name = original->graph->outputs[i]->name;
        if (a->dtype != b->dtype || !mc_shape_equal(&a->shape, &b->shape))
            return mc_error_set(err, MC_ERR_INTERNAL, "output '%s' of the new model has another shape", name);
        if (!mc_dtype_is_float(a->dtype)) continue; /* an index of a maximum may tip either way */
        double difference = 0, largest = 0;
        compare(a, b, &difference, &largest);
        if (difference > tolerance_of(a->dtype, rounds) * largest)
            return mc_error_set(
                err, MC_ERR_INTERNAL,
                "output '%s' of the new model differs from what it should be by %g, the largest being %g", name,
                difference, largest);
        if (difference > twin->max_difference) twin->max_difference = difference;
        if (largest > twin->max_output) twin->max_output = largest;
    }
    twin->checked = true;
    return 0;
}

int mc_twin_check(struct mc_twin *twin, const struct mc_model *original, const struct mc_model *small,
                  const struct mc_residues *residues, const struct mc_shrink_options *options, struct mc_error *err)
{
    *twin = (struct mc_twin){0};
    if (draws_random_numbers(original)) {
        snprintf(twin->why, sizeof(twin->why), "the model draws random numbers");
        return 0;
    }
    struct mc_error problem = {0};
    struct mc_tensor **masked = NULL, **cut = NULL;
    int rc = run(&masked, original, residues, options, &problem);
    if (rc < 0 && rc != MC_ERR_SYSTEM &&
        rc != MC_ERR_INTERNAL) { /* an operator is missing, or refuses random numbers */
        snprintf(twin->why, sizeof(twin->why), "%.*s", (int)sizeof(twin->why) - 1, problem.text);
        rc = 0;
    } else if (rc < 0) {
        rc = mc_error_set(err, rc, "%s", problem.text);
    } else {
        rc = run(&cut, small, NULL, options, err);
        if (rc < 0 && rc != MC_ERR_SYSTEM) rc = mc_error_wrap(err, MC_ERR_INTERNAL, "the new model cannot be run");
        if (rc == 0) rc = compare_outputs(twin, original, masked, cut, options, err);
    }
    mc_probe_release(cut, small->graph->n_outputs);
    mc_probe_release(masked, original->graph->n_outputs);
    return rc;
}

void mc_twin_record(const struct mc_twin *twin, struct mc_record *into)
{
    mc_record_set_bool(into, "checked", twin->checked);
    if (twin->checked) {
        mc_record_set_num(into, "max_difference", twin->max_difference);
        mc_record_set_num(into, "max_output", twin->max_output);
    } else {
        mc_record_set_text(into, "why", twin->why);
    }
}
