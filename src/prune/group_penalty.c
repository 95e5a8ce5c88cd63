/* group_penalty.c - the steps that make groups small; see group_penalty.h. */
#include "prune/group_penalty.h"

#include <math.h>

#include "base/alloc.h"
#include "base/error.h"
#include "prune/cut.h"

/* Weights of a group in one stored tensor: rows `indices` of [outer, extent, inner]. */
struct part {
    const struct mc_value *value;
    int64_t outer, extent, inner, n;
    int64_t *indices;
};

struct mc_group_penalty {
    struct mc_group_penalty_options options;
    int n;      /* groups */
    int *first; /* by group, and one more: its first part */
    struct part *parts;
    int64_t *indices; /* of all parts */
};

/* --- finding them --- */

static bool counts(const struct mc_coupling *c, const struct mc_slice *slice)
{
    const struct mc_value *v = slice->value;
    const enum mc_role role = mc_coupling_role(c, v, slice->axis);
    return v->data && mc_coupling_is_parameter(c, v) && v->data->dtype == MC_FLOAT &&
           (role == MC_ROLE_PRODUCES || role == MC_ROLE_CONSUMES || role == MC_ROLE_SCALE);
}

/* The work on a clone has found them; the parameters are the model's own. */
static void add_group(struct mc_group_penalty *p, struct mc_model *model, const struct mc_coupling *c,
                      const struct mc_group *group, int *n_parts, int64_t **next)
{
    for (int s = 0; s < group->n_slices; s++) {
        const struct mc_slice *slice = &group->slices[s];
        if (!counts(c, slice) || slice->value->id >= model->n_values) continue;
        const struct mc_value *v = model->values[slice->value->id];
        const struct mc_shape *shape = &v->data->shape;
        struct part *part = &p->parts[(*n_parts)++];
        *part = (struct part){v,
                              mc_shape_span(shape, 0, slice->axis),
                              shape->dim[slice->axis],
                              mc_shape_span(shape, slice->axis + 1, shape->rank),
                              slice->n,
                              *next};
        for (int64_t i = 0; i < slice->n; i++) *(*next)++ = slice->indices[i];
    }
    if (*n_parts > p->first[p->n]) p->first[++p->n] = *n_parts;
}

/* Groups of the families that may go: all, or those that were chosen. */
static int list_groups(struct mc_group_penalty *p, struct mc_model *model, const struct mc_cut *cut,
                       struct mc_error *err)
{
    const bool all = p->options.kind == MC_GROUP_PENALTY_LASSO;
    int64_t n_indices = 0, *next;
    int n_groups = 0, n_parts = 0;
    for (int pass = 0; pass < 2; pass++) {
        n_groups = n_parts = 0;
        next = p->indices;
        for (int f = 0; f < cut->choice.n_families; f++) {
            const struct mc_family *family = &cut->choice.families[f];
            for (int i = 0; i < (all ? family->n_free : family->n_removed); i++, n_groups++) {
                const struct mc_group *group = mc_coupling_group(cut->coupling, family->free[i]);
                if (pass) add_group(p, model, cut->coupling, group, &n_parts, &next);
                n_parts += pass ? 0 : group->n_slices;
                for (int s = 0; s < group->n_slices && !pass; s++) n_indices += group->slices[s].n;
            }
        }
        if (pass) break;
        p->first = MC_NEW_ARRAY(int, n_groups + 1);
        p->parts = MC_NEW_ARRAY(struct part, n_parts);
        p->indices = MC_NEW_ARRAY(int64_t, n_indices);
        if (!p->first || !p->parts || !p->indices) return mc_error_memory(err);
    }
    return MC_OK;
}

int mc_group_penalty_create(struct mc_group_penalty **penalty, struct mc_model *model,
                            const struct mc_group_penalty_options *options, struct mc_error *err)
{
    struct mc_group_penalty *p = MC_NEW(struct mc_group_penalty);
    struct mc_shrink_options shrink;
    struct mc_cut cut;
    if (!p) return mc_error_memory(err);
    p->options = *options;
    mc_shrink_options_init(&shrink);
    shrink.ratio = options->ratio;
    shrink.exclude = options->exclude;
    shrink.runtime = options->runtime;
    int rc = mc_cut_init(&cut, model, &shrink, err);
    if (rc == MC_OK) rc = list_groups(p, model, &cut, err);
    mc_cut_finish(&cut);
    if (rc < 0)
        mc_group_penalty_destroy(p);
    else
        *penalty = p;
    return rc;
}

void mc_group_penalty_destroy(struct mc_group_penalty *p)
{
    if (!p) return;
    mc_free(p->indices);
    mc_free(p->parts);
    mc_free(p->first);
    mc_free(p);
}

/* --- steps --- */

static double add_squares(const struct part *part, double sum)
{
    const float *w = part->value->data->data;
    for (int64_t o = 0; o < part->outer; o++)
        for (int64_t i = 0; i < part->n; i++) {
            const float *row = w + (o * part->extent + part->indices[i]) * part->inner;
            for (int64_t k = 0; k < part->inner; k++) sum += (double)row[k] * (double)row[k];
        }
    return sum;
}

static double norm_of(const struct mc_group_penalty *p, int group, int64_t *n)
{
    double sum = 0;
    *n = 0;
    for (int i = p->first[group]; i < p->first[group + 1]; i++) {
        sum = add_squares(&p->parts[i], sum);
        *n += p->parts[i].outer * p->parts[i].n * p->parts[i].inner;
    }
    return sqrt(sum);
}

static void scale(const struct part *part, float factor)
{
    float *w = part->value->data->data;
    for (int64_t o = 0; o < part->outer; o++)
        for (int64_t i = 0; i < part->n; i++) {
            float *row = w + (o * part->extent + part->indices[i]) * part->inner;
            for (int64_t k = 0; k < part->inner; k++) row[k] *= factor;
        }
}

int mc_group_penalty_step(void *penalty, double progress, double rate, struct mc_error *err)
{
    const struct mc_group_penalty *p = penalty;
    const double pull = rate * p->options.strength;
    (void)err;
    for (int g = 0; g < p->n; g++) {
        double less = pull * progress;
        if (p->options.kind == MC_GROUP_PENALTY_LASSO) {
            int64_t n;
            const double norm = norm_of(p, g, &n);
            if (norm == 0) continue;
            less = pull * sqrt((double)n) / norm;
        }
        for (int i = p->first[g]; i < p->first[g + 1]; i++) scale(&p->parts[i], less < 1 ? (float)(1 - less) : 0);
    }
    return MC_OK;
}

void mc_group_penalty_measure(const struct mc_group_penalty *p, int *n, int *n_zero, double *mean_norm)
{
    int64_t weights;
    *n = p->n;
    *n_zero = 0;
    *mean_norm = 0;
    for (int g = 0; g < p->n; g++) {
        const double norm = norm_of(p, g, &weights);
        *n_zero += norm == 0;
        *mean_norm += norm / p->n;
    }
}
