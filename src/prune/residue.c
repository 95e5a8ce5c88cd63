/* residue.c - finding the constants of removed channels without knowing any operator.
 *
 * The removed channels are silenced in a copy of the model: the weights that make them and the factors that scale
 * them become zero, addends and statistics stay. The copy is run on two unlike inputs, and what the readers of a
 * channel then see either is the same number everywhere, or is no constant.
 */
#include "prune/residue.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "prune/bias.h"
#include "prune/probe.h"
#include "prune/surgery.h"

/* --- listing --- */

static struct mc_residue *find(const struct mc_residues *r, const struct mc_value *value, int axis)
{
    for (int i = 0; i < r->n; i++)
        if (r->of[i].value == value && r->of[i].axis == axis) return &r->of[i];
    return NULL;
}

static int add_residue(struct mc_residues *r, const struct mc_coupling *c, const bool *goes, const struct mc_value *v,
                       int axis, struct mc_error *err)
{
    const int64_t extent = mc_coupling_extent(c, v, axis);
    int64_t n = 0;
    for (int64_t i = 0; i < extent; i++) n += mc_index_goes(c, goes, v, axis, i);
    if (n == 0) return 0;
    struct mc_residue *residue = &r->of[r->n++];
    *residue = (struct mc_residue){.value = v, .axis = axis, .n = n, .movable = true};
    residue->indices = MC_NEW_ARRAY(int64_t, n);
    residue->constant = MC_NEW_ARRAY(double, n);
    if (!residue->indices || !residue->constant) return mc_error_memory(err);
    n = 0;
    for (int64_t i = 0; i < extent; i++)
        if (mc_index_goes(c, goes, v, axis, i)) residue->indices[n++] = i;
    return 0;
}

int mc_residues_create(struct mc_residues *r, const struct mc_coupling *coupling, const bool *goes,
                       struct mc_error *err)
{
    const int n = mc_coupling_n_contractions(coupling);
    *r = (struct mc_residues){.of = MC_NEW_ARRAY(struct mc_residue, n)};
    int rc = r->of ? 0 : mc_error_memory(err);
    for (int i = 0; i < n && rc == 0; i++) {
        const struct mc_contraction *contraction = mc_coupling_contraction(coupling, i);
        if (!find(r, contraction->data, contraction->data_axis))
            rc = add_residue(r, coupling, goes, contraction->data, contraction->data_axis, err);
    }
    for (int i = 0; i < n && rc == 0; i++) {
        const struct mc_contraction *contraction = mc_coupling_contraction(coupling, i);
        const bool movable = mc_bias_can_take(coupling, contraction);
        for (int k = 0; k < r->n; k++)
            if (r->of[k].value == contraction->data && (r->of[k].axis != contraction->data_axis || !movable))
                r->of[k].movable = false;
    }
    if (rc < 0) mc_residues_finish(r);
    return rc;
}

void mc_residues_finish(struct mc_residues *r)
{
    for (int i = 0; i < r->n; i++) {
        mc_free(r->of[i].indices);
        mc_free(r->of[i].constant);
    }
    mc_free(r->of);
    *r = (struct mc_residues){0};
}

/* --- silencing --- */

static bool falls_silent(enum mc_role role)
{
    return role == MC_ROLE_PRODUCES || role == MC_ROLE_SCALE;
}

/* Zero the removed indices along one axis. */
static void silence_axis(struct mc_tensor *t, const struct mc_coupling *c, const bool *goes, const struct mc_value *v,
                         int axis)
{
    const size_t row =
        (size_t)mc_shape_span(&t->shape, axis + 1, t->shape.rank) * ((size_t)mc_dtype_bits(t->dtype) / 8);
    const int64_t outer = mc_shape_span(&t->shape, 0, axis), extent = t->shape.dim[axis];
    for (int64_t i = 0; i < extent; i++) {
        if (!mc_index_goes(c, goes, v, axis, i)) continue;
        for (int64_t o = 0; o < outer; o++) memset((unsigned char *)t->data + (size_t)(o * extent + i) * row, 0, row);
    }
}

static int silence_parameter(struct mc_model *silent, struct mc_value *v, const struct mc_coupling *c, const bool *goes,
                             struct mc_error *err)
{
    const struct mc_tensor *contents = mc_coupling_fact(c, v)->constant;
    struct mc_tensor *copy = NULL;
    int rc = 0;
    for (int axis = 0; axis < contents->shape.rank && rc == 0; axis++) {
        bool any = false;
        const int64_t extent = contents->shape.dim[axis];
        for (int64_t i = 0; i < extent && !any && falls_silent(mc_coupling_role(c, v, axis)); i++)
            any = mc_index_goes(c, goes, v, axis, i);
        if (!any) continue;
        if (!copy) rc = mc_tensor_clone(&copy, contents, err);
        if (rc == 0) silence_axis(copy, c, goes, v, axis);
    }
    return rc == 0 && copy ? mc_parameter_set(silent, v, copy, err) : rc;
}

static int silence(struct mc_model **silent, const struct mc_model *model, const struct mc_coupling *c,
                   const bool *goes, struct mc_error *err)
{
    int rc = mc_model_clone(silent, model, true, err);
    const int n_values = rc == 0 ? (*silent)->n_values : 0;
    for (int id = 0; id < n_values && rc == 0; id++) {
        struct mc_value *v = (*silent)->values[id];
        if (v && mc_coupling_is_parameter(c, v)) rc = silence_parameter(*silent, v, c, goes, err);
    }
    return rc;
}

/* --- measuring --- */

static bool close_to(double x, double k)
{
    return fabs(x - k) <= 1e-5 * fabs(k) + 1e-7; /* false for NaN */
}

static bool row_is_constant(const struct mc_tensor *t, int64_t from, int64_t n, double k)
{
    if (t->dtype == MC_FLOAT) {
        const float *x = (const float *)t->data + from;
        for (int64_t i = 0; i < n; i++)
            if (!close_to((double)x[i], k)) return false;
        return true;
    }
    for (int64_t i = 0; i < n; i++)
        if (!close_to(mc_tensor_get_f64(t, from + i), k)) return false;
    return true;
}

/* The constant at index i of an axis, or NaN if the numbers there differ by more than rounding. */
static double constant_at(const struct mc_tensor *t, int axis, int64_t i)
{
    const int64_t inner = mc_shape_span(&t->shape, axis + 1, t->shape.rank), extent = t->shape.dim[axis];
    const int64_t outer = mc_shape_span(&t->shape, 0, axis);
    const double k = mc_tensor_get_f64(t, i * inner);
    for (int64_t o = 0; o < outer; o++)
        if (!row_is_constant(t, (o * extent + i) * inner, inner, k)) return NAN;
    return k;
}

static void read_constants(struct mc_residue *residue, const struct mc_tensor *seen, bool first)
{
    for (int64_t i = 0; i < residue->n; i++) {
        const double k = constant_at(seen, residue->axis, residue->indices[i]);
        if (first)
            residue->constant[i] = k;
        else if (!close_to(residue->constant[i], k))
            residue->constant[i] = NAN;
    }
}

static int observe(struct mc_residues *r, struct mc_plan *plan, const struct mc_model *silent, uint64_t seed,
                   struct mc_error *err)
{
    int rc = 0;
    for (int run = 0; run < 2 && rc == 0; run++) {
        rc = mc_probe_inputs(plan, seed + (uint64_t)run, err);
        if (rc == 0) rc = mc_plan_run(plan, err);
        int tap = silent->graph->n_outputs;
        for (int i = 0; i < r->n && rc == 0; i++)
            if (r->of[i].movable) read_constants(&r->of[i], mc_plan_output(plan, tap++), run == 0);
    }
    return rc;
}

int mc_residues_measure(struct mc_residues *r, const struct mc_model *model, const struct mc_coupling *coupling,
                        const bool *goes, const struct mc_shrink_options *options, struct mc_error *err)
{
    struct mc_model *silent = NULL;
    struct mc_plan *plan = NULL;
    int n_taps = 0;
    const struct mc_value **taps = MC_NEW_ARRAY(const struct mc_value *, r->n);
    int rc = taps ? silence(&silent, model, coupling, goes, err) : mc_error_memory(err);
    for (int i = 0; i < r->n && rc == 0; i++)
        if (r->of[i].movable) taps[n_taps++] = silent->values[r->of[i].value->id];
    if (rc == 0 && n_taps > 0) {
        const struct mc_plan_options plan_options = {
            .dims = options->dims, .runtime = &options->runtime, .n_taps = n_taps, .taps = taps};
        rc = mc_plan_create(&plan, silent, &plan_options, err);
        if (rc == 0) rc = observe(r, plan, silent, options->seed, err);
    }
    for (int i = 0; i < r->n; i++)
        for (int64_t k = 0; k < r->of[i].n; k++)
            if (rc < 0 || !isfinite(r->of[i].constant[k])) r->of[i].constant[k] = 0;
    mc_plan_destroy(plan);
    mc_model_destroy(silent);
    mc_free(taps);
    return rc;
}

/* --- moving --- */

int mc_residues_move(const struct mc_residues *r, struct mc_model *small, const struct mc_coupling *coupling,
                     const bool *goes, int64_t *n_moved, struct mc_error *err)
{
    *n_moved = 0;
    int rc = 0;
    for (int i = 0; i < mc_coupling_n_contractions(coupling) && rc == 0; i++) {
        const struct mc_contraction *contraction = mc_coupling_contraction(coupling, i);
        const struct mc_residue *residue = find(r, contraction->data, contraction->data_axis);
        int64_t n = 0;
        for (int64_t k = 0; residue && k < residue->n; k++) n += residue->constant[k] != 0;
        if (n > 0) rc = mc_bias_add(small, coupling, contraction, residue, goes, err);
        *n_moved += n;
    }
    return rc;
}
