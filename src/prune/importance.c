/* importance.c - norms of the slices of coupled groups, and the way to whoever judges by more. */
#include "prune/importance.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/rng.h"
#include "prune/choose.h"
#include "prune/evidence.h"
#include "prune/geometric.h"
#include "prune/surgery.h"
#include "run/plan.h"

/* sums[i] += sum of |w| or w*w over all weights at index i of an axis. */
static void add_slices(const struct mc_tensor *t, int axis, enum mc_criterion criterion, double *sums)
{
    const int64_t outer = mc_shape_span(&t->shape, 0, axis), extent = t->shape.dim[axis];
    const int64_t inner = mc_shape_span(&t->shape, axis + 1, t->shape.rank);
    const float *w = t->data;
    for (int64_t o = 0; o < outer; o++) {
        for (int64_t i = 0; i < extent; i++, w += inner) {
            double sum = 0;
            if (criterion == MC_CRITERION_L1)
                for (int64_t k = 0; k < inner; k++) sum += fabs((double)w[k]);
            else
                for (int64_t k = 0; k < inner; k++) sum += (double)w[k] * (double)w[k];
            sums[i] += sum;
        }
    }
}

/* The contents of a stored parameter as float32; *converted is to be destroyed. */
static int as_float(const struct mc_tensor *t, const struct mc_tensor **floats, struct mc_tensor **converted,
                    struct mc_error *err)
{
    *floats = t;
    if (t->dtype == MC_FLOAT) return 0;
    int rc = mc_tensor_create(converted, MC_FLOAT, &t->shape, err);
    if (rc == 0) rc = mc_tensor_convert(*converted, t, err);
    *floats = *converted;
    return rc;
}

static int score_axis(const struct mc_coupling *c, const struct mc_value *v, int axis, const struct mc_tensor *floats,
                      enum mc_criterion criterion, double *importance, struct mc_error *err)
{
    const int64_t extent = floats->shape.dim[axis];
    double *sums = MC_NEW_ARRAY(double, extent);
    if (!sums) return mc_error_memory(err);
    add_slices(floats, axis, criterion, sums);
    for (int64_t i = 0; i < extent; i++) {
        const int group = mc_coupling_group_of(c, v, axis, i);
        if (group >= 0) importance[group] += sums[i];
    }
    mc_free(sums);
    return 0;
}

/* Does this axis count for some group? Of groups with a producing slice only those slices do. */
static bool axis_counts(const struct mc_coupling *c, const struct mc_value *v, int axis, const bool *produced)
{
    const enum mc_role role = mc_coupling_role(c, v, axis);
    if (role == MC_ROLE_STATISTIC) return false;
    const int64_t extent = mc_coupling_extent(c, v, axis);
    for (int64_t i = 0; i < extent; i++) {
        const int group = mc_coupling_group_of(c, v, axis, i);
        if (group < 0) return false;
        if (!mc_coupling_group(c, group)->frozen_why && (role == MC_ROLE_PRODUCES || !produced[group])) return true;
    }
    return false;
}

static int score_value(const struct mc_coupling *c, const struct mc_value *v, const struct mc_tensor *contents,
                       const bool *produced, enum mc_criterion criterion, double *importance, struct mc_error *err)
{
    const struct mc_tensor *floats = NULL;
    struct mc_tensor *converted = NULL;
    int rc = 0;
    for (int axis = 0; axis < contents->shape.rank && rc == 0; axis++) {
        if (!axis_counts(c, v, axis, produced)) continue;
        if (!floats) rc = as_float(contents, &floats, &converted, err);
        if (rc == 0) rc = score_axis(c, v, axis, floats, criterion, importance, err);
    }
    mc_tensor_destroy(converted);
    return rc;
}

/* The same of a weight that a node makes of bytes. */
static int score_decoded(const struct mc_coupling *c, const struct mc_value *v, const bool *produced,
                         const struct mc_shrink_options *options, double *importance, struct mc_error *err)
{
    struct mc_tensor *contents = NULL;
    int rc = mc_value_decode(c, v, &contents, err);
    if (rc == 0) rc = score_value(c, v, contents, produced, options->criterion, importance, err);
    mc_tensor_destroy(contents);
    return rc;
}

static void mark_produced(const struct mc_coupling *c, bool *produced)
{
    for (int g = 0; g < mc_coupling_n_groups(c); g++) {
        const struct mc_group *group = mc_coupling_group(c, g);
        for (int s = 0; s < group->n_slices && !produced[g]; s++)
            produced[g] = mc_coupling_is_parameter(c, group->slices[s].value) &&
                          mc_coupling_role(c, group->slices[s].value, group->slices[s].axis) == MC_ROLE_PRODUCES;
    }
}

static void draw(uint64_t seed, int n, double *importance)
{
    struct mc_rng rng;
    mc_rng_init(&rng, seed, mc_hash("importance"));
    for (int g = 0; g < n; g++) importance[g] = mc_rng_uniform(&rng);
}

static int add_norms(const struct mc_model *model, const struct mc_coupling *coupling, const bool *produced,
                     const struct mc_shrink_options *options, double *importance, struct mc_error *err)
{
    int rc = 0;
    for (int id = 0; id < model->n_values && rc == 0; id++) {
        const struct mc_value *v = model->values[id];
        const struct mc_fact *fact = v ? mc_coupling_fact(coupling, v) : NULL;
        if (!fact || !mc_dtype_is_float(fact->dtype)) continue;
        if (mc_coupling_is_parameter(coupling, v))
            rc = score_value(coupling, v, fact->constant, produced, options->criterion, importance, err);
        else if (mc_value_is_decoded(coupling, v))
            rc = score_decoded(coupling, v, produced, options, importance, err);
    }
    for (int g = 0; g < mc_coupling_n_groups(coupling) && options->criterion != MC_CRITERION_L1; g++)
        importance[g] = sqrt(importance[g]);
    return rc;
}

/* Of magnitudes for L1, else of squares. */
static int norms(const struct mc_model *model, const struct mc_coupling *coupling,
                 const struct mc_shrink_options *options, double *importance, struct mc_error *err)
{
    bool *produced = MC_NEW_ARRAY(bool, mc_coupling_n_groups(coupling));
    if (!produced) return mc_error_memory(err);
    mark_produced(coupling, produced);
    const int rc = add_norms(model, coupling, produced, options, importance, err);
    mc_free(produced);
    return rc;
}

/* --- factors of normalizations --- */

/* Of a family either all groups have such a factor or none. */
static void replace_by_scales(const struct mc_coupling *c, double *importance)
{
    for (int g = 0; g < mc_coupling_n_groups(c); g++) {
        const struct mc_group *group = mc_coupling_group(c, g);
        double sum = 0;
        bool any = false;
        for (int s = 0; s < group->n_slices; s++) {
            const struct mc_slice *slice = &group->slices[s];
            const struct mc_tensor *t =
                mc_coupling_is_parameter(c, slice->value) ? mc_coupling_fact(c, slice->value)->constant : NULL;
            if (!t || mc_coupling_role(c, slice->value, slice->axis) != MC_ROLE_SCALE) continue;
            if (mc_tensor_count(t) != t->shape.dim[slice->axis]) continue;
            for (int64_t i = 0; i < slice->n; i++) sum += fabs(mc_tensor_get_f64(t, slice->indices[i]));
            any = true;
        }
        if (any) importance[g] = sum;
    }
}

/* --- shares of what is not smaller --- */

struct ranked {
    double square;
    int family, group;
};

/* By family, the largest first. */
static int by_square(const void *p, const void *q)
{
    const struct ranked *a = p, *b = q;
    if (a->family != b->family) return a->family < b->family ? -1 : 1;
    if (a->square != b->square) return a->square > b->square ? -1 : 1;
    return (a->group > b->group) - (a->group < b->group);
}

static int take_shares(const struct mc_coupling *c, double *importance, struct mc_error *err)
{
    const int n = mc_coupling_n_groups(c);
    struct ranked *list = MC_NEW_ARRAY(struct ranked, n);
    if (!list) return mc_error_memory(err);
    for (int g = 0; g < n; g++)
        list[g] = (struct ranked){importance[g] * importance[g], mc_coupling_group(c, g)->family, g};
    qsort(list, (size_t)n, sizeof(*list), by_square);
    double sum = 0;
    for (int i = 0; i < n; i++) {
        if (i == 0 || list[i].family != list[i - 1].family) sum = 0;
        sum += list[i].square;
        importance[list[i].group] = sum > 0 ? list[i].square / sum : 0;
    }
    mc_free(list);
    return 0;
}

/* --- the user's own --- */

static const struct mc_value *find_value(const struct mc_model *model, const char *name)
{
    for (int id = 0; id < model->n_values; id++)
        if (model->values[id] && strcmp(model->values[id]->name, name) == 0) return model->values[id];
    return NULL;
}

/* One entry of the list: what the indices of an axis add to their groups. */
static int add_listed(const struct mc_model *model, const struct mc_coupling *c, const struct mc_record *entry,
                      double *importance, bool *scored, struct mc_error *err)
{
    const char *name = mc_record_get_text(entry, "tensor", "");
    const int axis = (int)mc_record_get_int(entry, "axis", 0);
    const struct mc_record *values = mc_record_get(entry, "values");
    const struct mc_value *v = find_value(model, name);
    if (!v) return mc_error_set(err, MC_ERR_INPUT, "scores: the model has no tensor '%s'", name);
    const int64_t extent = mc_coupling_extent(c, v, axis), n = (int64_t)mc_record_size(values);
    if (n != extent || n == 0)
        return mc_error_set(err, MC_ERR_INPUT, "scores of '%s': needs %lld numbers for axis %d, has %lld", name,
                            (long long)extent, axis, (long long)n);
    for (int64_t i = 0; i < n; i++) {
        const double score = mc_record_get_num(mc_record_at(values, (size_t)i), "", NAN);
        const int g = mc_coupling_group_of(c, v, axis, i);
        if (!isfinite(score))
            return mc_error_set(err, MC_ERR_INPUT, "scores of '%s': number %lld is none", name, (long long)i);
        if (g < 0) continue;
        importance[g] += score;
        scored[g] = true;
    }
    return 0;
}

/* What may go needs a score: nothing is less important for being forgotten. */
static int need_all(const struct mc_coupling *c, const struct mc_shrink_options *options, const bool *scored,
                    struct mc_error *err)
{
    for (int g = 0; g < mc_coupling_n_groups(c); g++) {
        const struct mc_group *group = mc_coupling_group(c, g);
        const struct mc_node *by;
        if (scored[g] || mc_choice_objection(c, options, group, &by)) continue;
        for (int s = 0; s < group->n_slices; s++)
            if (mc_coupling_is_parameter(c, group->slices[s].value))
                return mc_error_set(err, MC_ERR_INPUT,
                                    "scores: none for the channels of '%s'; they need some, or to be excluded",
                                    group->slices[s].value->name);
    }
    return 0;
}

static int take_listed(const struct mc_model *model, const struct mc_coupling *coupling,
                       const struct mc_shrink_options *options, double *importance, struct mc_error *err)
{
    const struct mc_record *list = mc_record_get(options->scores, "scores");
    bool *scored = MC_NEW_ARRAY(bool, mc_coupling_n_groups(coupling));
    int rc = scored ? 0 : mc_error_memory(err);
    for (size_t i = 0; i < mc_record_size(list) && rc == 0; i++)
        rc = add_listed(model, coupling, mc_record_at(list, i), importance, scored, err);
    if (rc == 0) rc = need_all(coupling, options, scored, err);
    mc_free(scored);
    return rc;
}

int mc_importance(const struct mc_model *model, const struct mc_coupling *coupling,
                  const struct mc_shrink_options *options, double *importance, struct mc_error *err)
{
    const int n = mc_coupling_n_groups(coupling);
    int rc = 0;
    memset(importance, 0, (size_t)n * sizeof(*importance));
    if (options->scores) return take_listed(model, coupling, options, importance, err);
    switch (options->criterion) {
    case MC_CRITERION_RANDOM:
        draw(options->seed, n, importance);
        return 0;
    case MC_CRITERION_L1:
    case MC_CRITERION_L2:
        return norms(model, coupling, options, importance, err);
    case MC_CRITERION_LAMP:
        rc = norms(model, coupling, options, importance, err);
        return rc < 0 ? rc : take_shares(coupling, importance, err);
    case MC_CRITERION_SCALE:
        rc = norms(model, coupling, options, importance, err);
        if (rc == 0) replace_by_scales(coupling, importance);
        return rc;
    case MC_CRITERION_GEOMETRIC:
        return mc_geometric(coupling, importance, err);
    case MC_CRITERION_TAYLOR:
    case MC_CRITERION_HESSIAN:
    case MC_CRITERION_ACTIVATION:
    case MC_CRITERION_APOZ:
        break;
    }
    return mc_evidence(model, coupling, options->criterion, &options->samples, &options->runtime, importance, err);
}
