/* evidence.c - scores of groups from activations and gradients; see evidence.h. */
#include "prune/evidence.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "prune/samples.h"

enum { GRADIENT_BATCH = 1 }; /* what is summed before |.| cancels out */

/* --- gradients --- */

struct descent {
    const struct mc_coupling *coupling;
    bool second; /* HESSIAN */
    int n;
    struct mc_value **parameters;
    bool *read;    /* by group: some stored weight reads its channels */
    double *batch; /* by group: of this batch */
    double *importance;
};

static bool is_weight(const struct mc_coupling *c, const struct mc_value *v)
{
    return v && v->data && v->data->dtype == MC_FLOAT && !v->is_input && mc_coupling_is_parameter(c, v);
}

/* Does the axis speak for the group? */
static bool speaks(const struct descent *d, enum mc_role role, int group)
{
    if (group < 0 || mc_coupling_group(d->coupling, group)->frozen_why) return false;
    return role == MC_ROLE_CONSUMES || (role == MC_ROLE_PRODUCES && !d->read[group]);
}

static void mark_read(struct descent *d)
{
    for (int g = 0; g < mc_coupling_n_groups(d->coupling); g++) {
        const struct mc_group *group = mc_coupling_group(d->coupling, g);
        for (int s = 0; s < group->n_slices && !d->read[g]; s++)
            d->read[g] =
                is_weight(d->coupling, group->slices[s].value) &&
                mc_coupling_role(d->coupling, group->slices[s].value, group->slices[s].axis) == MC_ROLE_CONSUMES;
    }
}

static bool matters(const struct descent *d, const struct mc_value *v)
{
    for (int axis = 0; axis < v->data->shape.rank; axis++) {
        const enum mc_role role = mc_coupling_role(d->coupling, v, axis);
        for (int64_t i = 0; i < v->data->shape.dim[axis]; i++)
            if (speaks(d, role, mc_coupling_group_of(d->coupling, v, axis, i))) return true;
    }
    return false;
}

static void list_parameters(struct descent *d, const struct mc_model *model)
{
    for (int id = 0; id < model->n_values; id++)
        if (is_weight(d->coupling, model->values[id]) && matters(d, model->values[id]))
            d->parameters[d->n++] = model->values[id];
}

static void add_axis(const struct descent *d, const struct mc_value *v, int axis, const float *g)
{
    const struct mc_shape *shape = &v->data->shape;
    const enum mc_role role = mc_coupling_role(d->coupling, v, axis);
    const int64_t outer = mc_shape_span(shape, 0, axis), extent = shape->dim[axis];
    const int64_t inner = mc_shape_span(shape, axis + 1, shape->rank);
    for (int64_t i = 0; i < extent; i++) {
        const int group = mc_coupling_group_of(d->coupling, v, axis, i);
        if (!speaks(d, role, group)) continue;
        double sum = 0;
        for (int64_t o = 0; o < outer; o++) {
            const int64_t at = (o * extent + i) * inner;
            const float *w = (const float *)v->data->data + at;
            for (int64_t k = 0; k < inner; k++) {
                const double gw = (double)g[at + k] * (double)w[k];
                sum += d->second ? 0.5 * gw * gw : gw;
            }
        }
        d->batch[group] += sum;
    }
}

static int run_descent(struct descent *d, struct mc_sampler *sampler, struct mc_error *err)
{
    const int n_groups = mc_coupling_n_groups(d->coupling);
    int64_t n_batches = 0;
    int rc;
    while ((rc = mc_sampler_next(sampler, "gradients", err)) > 0) {
        memset(d->batch, 0, (size_t)n_groups * sizeof(*d->batch));
        for (int i = 0; i < d->n; i++)
            for (int axis = 0; sampler->pass.gradients[i] && axis < d->parameters[i]->data->shape.rank; axis++)
                add_axis(d, d->parameters[i], axis, sampler->pass.gradients[i]);
        for (int g = 0; g < n_groups; g++) d->importance[g] += fabs(d->batch[g]);
        n_batches++;
    }
    /* The square of a batch's mean gradient is the mean square of its samples' over their number. */
    const double scale = (d->second ? (double)sampler->batch : 1) / (double)(n_batches > 0 ? n_batches : 1);
    for (int g = 0; g < n_groups; g++) d->importance[g] *= scale;
    return rc;
}

static int descend(const struct mc_model *model, const struct mc_coupling *coupling, bool second,
                   const struct mc_samples *samples, const struct mc_runtime *runtime, double *importance,
                   struct mc_error *err)
{
    const int n_groups = mc_coupling_n_groups(coupling);
    struct mc_sampler sampler = {0};
    struct descent d = {.coupling = coupling,
                        .second = second,
                        .parameters = MC_NEW_ARRAY(struct mc_value *, model->n_values),
                        .read = MC_NEW_ARRAY(bool, n_groups),
                        .batch = MC_NEW_ARRAY(double, n_groups),
                        .importance = importance};
    int rc = d.parameters && d.read && d.batch ? 0 : mc_error_memory(err);
    if (rc == 0) {
        mark_read(&d);
        list_parameters(&d, model);
        rc = mc_sampler_descend(&sampler, samples, model, d.parameters, d.n, GRADIENT_BATCH, runtime, err);
    }
    if (rc == 0) rc = run_descent(&d, &sampler, err);
    mc_sampler_finish(&sampler);
    mc_free(d.batch);
    mc_free(d.read);
    mc_free(d.parameters);
    return rc;
}

/* --- activations --- */

/* A value where channels are read. */
struct reading {
    const struct mc_value *value;
    int axis;
};

static bool has_free_group(const struct mc_coupling *c, const struct mc_value *v, int axis)
{
    for (int64_t i = 0; i < mc_coupling_extent(c, v, axis); i++) {
        const int group = mc_coupling_group_of(c, v, axis, i);
        if (group >= 0 && !mc_coupling_group(c, group)->frozen_why) return true;
    }
    return false;
}

static int list_readings(const struct mc_coupling *c, struct reading *readings, const struct mc_value **taps)
{
    int n = 0;
    for (int i = 0; i < mc_coupling_n_contractions(c); i++) {
        const struct mc_contraction *k = mc_coupling_contraction(c, i);
        bool known = mc_coupling_is_fixed(c, k->data);
        for (int r = 0; r < n && !known; r++) known = readings[r].value == k->data && readings[r].axis == k->data_axis;
        if (known || !has_free_group(c, k->data, k->data_axis)) continue;
        readings[n] = (struct reading){k->data, k->data_axis};
        taps[n++] = k->data;
    }
    return n;
}

/* Mean over a batch, added to the groups. */
static void add_reading(const struct mc_coupling *c, const struct reading *r, const struct mc_tensor *x, bool count,
                        double *sums)
{
    const struct mc_shape *shape = &x->shape;
    const int64_t outer = mc_shape_span(shape, 0, r->axis), extent = shape->dim[r->axis];
    const int64_t inner = mc_shape_span(shape, r->axis + 1, shape->rank);
    const double share = 1 / (double)(outer * inner > 0 ? outer * inner : 1);
    for (int64_t i = 0; i < extent; i++) {
        const int group = mc_coupling_group_of(c, r->value, r->axis, i);
        if (group < 0) continue;
        double sum = 0;
        for (int64_t o = 0; o < outer; o++) {
            const int64_t at = (o * extent + i) * inner;
            for (int64_t k = 0; k < inner; k++) {
                const double value =
                    x->dtype == MC_FLOAT ? (double)((const float *)x->data)[at + k] : mc_tensor_get_f64(x, at + k);
                sum += count ? value != 0 : fabs(value);
            }
        }
        sums[group] += sum * share;
    }
}

static int observe(const struct mc_model *model, const struct mc_coupling *coupling, bool count,
                   const struct mc_samples *samples, const struct mc_runtime *runtime, double *importance,
                   struct mc_error *err)
{
    const int most = mc_coupling_n_contractions(coupling);
    struct mc_sampler sampler = {0};
    struct reading *readings = MC_NEW_ARRAY(struct reading, most);
    const struct mc_value **taps = MC_NEW_ARRAY(const struct mc_value *, most);
    int n = 0, rc = readings && taps ? 0 : mc_error_memory(err);
    if (rc == 0) {
        n = list_readings(coupling, readings, taps);
        rc = mc_sampler_observe(&sampler, samples, model, taps, n, false, runtime, err);
    }
    while (rc == 0 && (rc = mc_sampler_next(&sampler, "activations", err)) > 0) {
        rc = 0;
        for (int i = 0; i < n && rc == 0; i++) {
            const struct mc_tensor *x = mc_sampler_tap(&sampler, i);
            if (x->shape.dim[readings[i].axis] != mc_coupling_extent(coupling, readings[i].value, readings[i].axis))
                rc = mc_error_set(err, MC_ERR_UNSUPPORTED, "value '%s': its channels follow the batch",
                                  readings[i].value->name);
            else
                add_reading(coupling, &readings[i], x, count, importance);
        }
        if (rc < 0) break;
    }
    const double n_batches = (double)(sampler.batch > 0 ? sampler.done / sampler.batch : 1);
    for (int g = 0; g < mc_coupling_n_groups(coupling) && n_batches > 0; g++) importance[g] /= n_batches;
    mc_sampler_finish(&sampler);
    mc_free(taps);
    mc_free(readings);
    return rc;
}

int mc_evidence(const struct mc_model *model, const struct mc_coupling *coupling, enum mc_criterion criterion,
                const struct mc_samples *samples, const struct mc_runtime *runtime, double *importance,
                struct mc_error *err)
{
    memset(importance, 0, (size_t)mc_coupling_n_groups(coupling) * sizeof(*importance));
    if (!samples->data) return mc_error_set(err, MC_ERR_USAGE, "this criterion looks at samples, and there is no data");
    if (criterion == MC_CRITERION_TAYLOR || criterion == MC_CRITERION_HESSIAN)
        return descend(model, coupling, criterion == MC_CRITERION_HESSIAN, samples, runtime, importance, err);
    return observe(model, coupling, criterion == MC_CRITERION_APOZ, samples, runtime, importance, err);
}
