/* residue.c - finding the constants of removed channels without knowing any operator.
 *
 * The removed channels are silenced: the weights that make them and the factors that scale them are clamped to zero,
 * addends and statistics stay. The model is run so on two unlike inputs, and what the readers of a channel then see
 * either is the same number everywhere, or is no constant.
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

/* What a plan of the model is told: parameters that are silenced, and values to look at. */
struct watch {
    struct mc_clamp *clamps;
    int64_t **indices; /* that are silenced, by clamp */
    int n;
    double *zeros;
};

static bool falls_silent(enum mc_role role)
{
    return role == MC_ROLE_PRODUCES || role == MC_ROLE_SCALE;
}

/* Zero the removed indices along one axis. */
static int silence_axis(struct watch *w, const struct mc_coupling *c, const bool *goes, const struct mc_value *v,
                        int axis, struct mc_error *err)
{
    const int64_t extent = mc_coupling_extent(c, v, axis);
    int64_t n = 0, *indices = MC_NEW_ARRAY(int64_t, extent);
    if (!indices) return mc_error_memory(err);
    for (int64_t i = 0; i < extent; i++)
        if (mc_index_goes(c, goes, v, axis, i)) indices[n++] = i;
    if (n == 0) {
        mc_free(indices);
        return MC_OK;
    }
    w->indices[w->n] = indices;
    w->clamps[w->n++] = (struct mc_clamp){.value = v, .axis = axis, .n = n, .indices = indices, .fill = w->zeros};
    return MC_OK;
}

static int rank_to_silence(const struct mc_coupling *c, const struct mc_value *v)
{
    const struct mc_fact *fact = v ? mc_coupling_fact(c, v) : NULL;
    if (!fact || !mc_dtype_is_float(fact->dtype)) return 0;
    return mc_coupling_is_parameter(c, v) || mc_value_is_decoded(c, v) ? fact->shape.rank : 0;
}

static int silence(struct watch *w, const struct mc_model *model, const struct mc_coupling *c, const bool *goes,
                   struct mc_error *err)
{
    int rc = 0;
    for (int id = 0; id < model->n_values && rc == 0; id++) {
        const struct mc_value *v = model->values[id];
        const int rank = rank_to_silence(c, v);
        for (int axis = 0; axis < rank && rc == 0; axis++)
            if (falls_silent(mc_coupling_role(c, v, axis))) rc = silence_axis(w, c, goes, v, axis, err);
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

static void read_constants(void *context, const struct mc_tensor *seen)
{
    struct mc_residue *residue = context;
    for (int64_t i = 0; i < residue->n; i++) {
        const double k = constant_at(seen, residue->axis, residue->indices[i]);
        if (!residue->seen)
            residue->constant[i] = k;
        else if (!close_to(residue->constant[i], k))
            residue->constant[i] = NAN;
    }
    residue->seen = true;
}

static int observe(const struct watch *w, const struct mc_model *model, const struct mc_shrink_options *options,
                   struct mc_error *err)
{
    struct mc_plan *plan = NULL;
    const struct mc_plan_options plan_options = {
        .dims = options->dims, .runtime = &options->runtime, .n_clamps = w->n, .clamps = w->clamps, .lean = true};
    int rc = mc_plan_create(&plan, model, &plan_options, err);
    for (int run = 0; run < 2 && rc == 0; run++) {
        rc = mc_probe_inputs(plan, options->seed + (uint64_t)run, err);
        if (rc == 0) rc = mc_plan_run(plan, err);
    }
    mc_plan_destroy(plan);
    return rc;
}

/* Room for all axes of parameters and all residues. */
static int create_watch(struct watch *w, const struct mc_model *model, const struct mc_coupling *c, int n_residues,
                        struct mc_error *err)
{
    int64_t n = n_residues, extent = 0;
    for (int id = 0; id < model->n_values; id++) {
        const struct mc_value *v = model->values[id];
        const int rank = rank_to_silence(c, v);
        n += rank;
        for (int axis = 0; axis < rank; axis++)
            if (mc_coupling_extent(c, v, axis) > extent) extent = mc_coupling_extent(c, v, axis);
    }
    w->clamps = MC_NEW_ARRAY(struct mc_clamp, n);
    w->indices = MC_NEW_ARRAY(int64_t *, n);
    w->zeros = MC_NEW_ARRAY(double, extent);
    return w->clamps && w->indices && w->zeros ? MC_OK : mc_error_memory(err);
}

static void finish_watch(struct watch *w)
{
    for (int i = 0; i < w->n; i++) mc_free(w->indices[i]);
    mc_free(w->zeros);
    mc_free(w->indices);
    mc_free(w->clamps);
}

int mc_residues_measure(struct mc_residues *r, const struct mc_model *model, const struct mc_coupling *coupling,
                        const bool *goes, const struct mc_shrink_options *options, struct mc_error *err)
{
    struct watch w = {0};
    int n_watched = 0;
    int rc = create_watch(&w, model, coupling, r->n, err);
    if (rc == 0) rc = silence(&w, model, coupling, goes, err);
    for (int i = 0; i < r->n && rc == 0; i++) {
        struct mc_residue *of = &r->of[i];
        if (!of->movable) continue;
        w.clamps[w.n++] =
            (struct mc_clamp){.value = of->value, .axis = of->axis, .seen = read_constants, .context = of};
        n_watched++;
    }
    if (rc == 0 && n_watched > 0) rc = observe(&w, model, options, err);
    for (int i = 0; i < r->n; i++)
        for (int64_t k = 0; k < r->of[i].n; k++)
            if (rc < 0 || !isfinite(r->of[i].constant[k])) r->of[i].constant[k] = 0;
    finish_watch(&w);
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
