/* lossless.c - finding and merging channels that can go without a trace; see lossless.h. */
#include "prune/lossless.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "prune/bias.h"
#include "prune/surgery.h"

/* --- elements at one index of an axis --- */

/* The elements of a tensor at the index, in runs of `bytes`, `stride` apart. */
struct runs {
    unsigned char *at;
    int64_t n;
    size_t bytes, stride;
};

static struct runs runs_of(const struct mc_tensor *t, int axis, int64_t i)
{
    const size_t bytes =
        (size_t)mc_shape_span(&t->shape, axis + 1, t->shape.rank) * ((size_t)mc_dtype_bits(t->dtype) / 8);
    return (struct runs){(unsigned char *)t->data + (size_t)i * bytes, mc_shape_span(&t->shape, 0, axis), bytes,
                         (size_t)t->shape.dim[axis] * bytes};
}

static bool all_zero(const struct mc_tensor *t, int axis, int64_t i)
{
    const struct runs r = runs_of(t, axis, i);
    for (int64_t k = 0; k < r.n; k++)
        for (size_t b = 0; b < r.bytes; b++)
            if (r.at[(size_t)k * r.stride + b]) return false;
    return true;
}

static bool same_elements(const struct mc_tensor *t, int axis, int64_t i, int64_t j)
{
    const struct runs p = runs_of(t, axis, i), q = runs_of(t, axis, j);
    for (int64_t k = 0; k < p.n; k++)
        if (memcmp(p.at + (size_t)k * p.stride, q.at + (size_t)k * q.stride, p.bytes) != 0) return false;
    return true;
}

/* --- what is known of a group --- */

/* Are all of its slices of that role 0, and is there one? */
static bool is_silent(const struct mc_coupling *c, const struct mc_group *group, enum mc_role role)
{
    bool any = false;
    for (int s = 0; s < group->n_slices; s++) {
        const struct mc_slice *slice = &group->slices[s];
        if (!mc_coupling_is_parameter(c, slice->value) || mc_coupling_role(c, slice->value, slice->axis) != role)
            continue;
        const struct mc_tensor *t = mc_coupling_fact(c, slice->value)->constant;
        for (int64_t i = 0; i < slice->n; i++)
            if (!all_zero(t, slice->axis, slice->indices[i])) return false;
        any = true;
    }
    return any;
}

static bool lies_along(const struct mc_group *group, const struct mc_value *v, int axis)
{
    for (int s = 0; s < group->n_slices; s++)
        if (group->slices[s].value == v && group->slices[s].axis == axis) return true;
    return false;
}

/* Is all that becomes of it a sum against weights that are stored, and into a bias if it must be? */
static bool ends_in_weights(const struct mc_coupling *c, const struct mc_group *group, bool in_bias)
{
    for (int i = 0; i < mc_coupling_n_statistics(c); i++) {
        const struct mc_statistic *s = mc_coupling_statistic(c, i);
        if (lies_along(group, s->value, s->axis)) return false;
    }
    for (int i = 0; i < mc_coupling_n_contractions(c); i++) {
        const struct mc_contraction *k = mc_coupling_contraction(c, i);
        if (!lies_along(group, k->data, k->data_axis)) continue;
        if (!mc_coupling_is_parameter(c, k->weight) || k->groups > 1) return false;
        if (in_bias && !mc_bias_can_take(c, k)) return false;
    }
    return true;
}

/* --- the choice --- */

enum verdict { STAYS, UNREAD, DEAD };

static enum verdict judge(const struct mc_coupling *c, const struct mc_group *group, bool dead)
{
    if (is_silent(c, group, MC_ROLE_CONSUMES) && ends_in_weights(c, group, false)) return UNREAD;
    return dead && is_silent(c, group, MC_ROLE_PRODUCES) && ends_in_weights(c, group, true) ? DEAD : STAYS;
}

/* Those that go come first, and leave `minimum` of the family. */
static void choose_of_family(struct mc_cut *cut, struct mc_family *family, bool dead, int64_t counts[3])
{
    const int64_t minimum = cut->options->minimum > 1 ? cut->options->minimum : 1;
    family->n_removed = 0;
    for (int i = 0; i < family->n_free && family->n_groups - family->n_removed > minimum; i++) {
        const int g = family->free[i];
        const enum verdict verdict = judge(cut->coupling, mc_coupling_group(cut->coupling, g), dead);
        if (verdict == STAYS) continue;
        counts[verdict]++;
        memmove(family->free + family->n_removed + 1, family->free + family->n_removed,
                (size_t)(i - family->n_removed) * sizeof(*family->free));
        family->free[family->n_removed++] = g;
    }
}

void mc_lossless_choose(struct mc_cut *cut, bool dead, int64_t *n_unread, int64_t *n_dead)
{
    int64_t counts[3] = {0};
    for (int f = 0; f < cut->choice.n_families; f++)
        if (cut->choice.families[f].tensor) choose_of_family(cut, &cut->choice.families[f], dead, counts);
    mc_cut_take(cut);
    *n_unread = counts[UNREAD];
    *n_dead = counts[DEAD];
}

/* --- duplicates --- */

/* Are they made alike? All that is stored along them, but for what reads them. */
static bool made_alike(const struct mc_coupling *c, const struct mc_group *a, const struct mc_group *b)
{
    for (int s = 0; s < a->n_slices; s++) {
        const struct mc_slice *p = &a->slices[s], *q = &b->slices[s];
        if (p->n != q->n) return false;
        if (!mc_coupling_is_parameter(c, p->value) || mc_coupling_role(c, p->value, p->axis) == MC_ROLE_CONSUMES)
            continue;
        const struct mc_tensor *t = mc_coupling_fact(c, p->value)->constant;
        for (int64_t i = 0; i < p->n; i++)
            if (!same_elements(t, p->axis, p->indices[i], q->indices[i])) return false;
    }
    return true;
}

struct merging {
    struct mc_model *model;
    const struct mc_cut *cut;
    struct mc_tensor **edited; /* by value id: new contents */
    int64_t n_merged;
    struct mc_error *err;
};

/* w[into] += w[from]; w[from] = 0 */
static void add_elements(struct mc_tensor *t, int axis, int64_t into, int64_t from)
{
    const int64_t inner = mc_shape_span(&t->shape, axis + 1, t->shape.rank), extent = t->shape.dim[axis];
    for (int64_t o = 0; o < mc_shape_span(&t->shape, 0, axis); o++) {
        for (int64_t i = 0; i < inner; i++) {
            const int64_t to = (o * extent + into) * inner + i, of = (o * extent + from) * inner + i;
            mc_tensor_set_f64(t, to, mc_tensor_get_f64(t, to) + mc_tensor_get_f64(t, of));
            mc_tensor_set_f64(t, of, 0);
        }
    }
}

/* Only weights that the caller's model has under the same number can be edited. */
static bool can_merge(const struct merging *m, const struct mc_group *group)
{
    const struct mc_coupling *c = m->cut->coupling;
    bool any = false;
    for (int s = 0; s < group->n_slices; s++) {
        const struct mc_value *v = group->slices[s].value;
        if (!mc_coupling_is_parameter(c, v) || mc_coupling_role(c, v, group->slices[s].axis) != MC_ROLE_CONSUMES)
            continue;
        any = true;
        if (v->id >= m->model->n_values || !v->data || !mc_dtype_is_float(v->data->dtype)) return false;
    }
    return any && !is_silent(c, group, MC_ROLE_CONSUMES) && ends_in_weights(c, group, false);
}

static int merge(struct merging *m, const struct mc_group *into, const struct mc_group *from)
{
    const struct mc_coupling *c = m->cut->coupling;
    for (int s = 0; s < into->n_slices; s++) {
        const struct mc_slice *p = &into->slices[s], *q = &from->slices[s];
        if (!mc_coupling_is_parameter(c, p->value) || mc_coupling_role(c, p->value, p->axis) != MC_ROLE_CONSUMES)
            continue;
        struct mc_tensor **t = &m->edited[p->value->id];
        const int rc = *t ? 0 : mc_tensor_clone(t, p->value->data, m->err);
        if (rc < 0) return rc;
        for (int64_t i = 0; i < p->n; i++) add_elements(*t, p->axis, p->indices[i], q->indices[i]);
    }
    m->n_merged++;
    return 0;
}

static int merge_family(struct merging *m, const struct mc_family *family)
{
    const struct mc_coupling *c = m->cut->coupling;
    bool *gone = MC_NEW_ARRAY(bool, family->n_free);
    if (!gone) return mc_error_memory(m->err);
    int rc = 0;
    for (int i = 0; i < family->n_free && rc == 0; i++) {
        const struct mc_group *a = mc_coupling_group(c, family->free[i]);
        for (int j = i + 1; j < family->n_free && !gone[i] && rc == 0; j++) {
            const struct mc_group *b = mc_coupling_group(c, family->free[j]);
            if (gone[j] || !made_alike(c, a, b) || !can_merge(m, b)) continue;
            rc = merge(m, a, b);
            gone[j] = true;
        }
    }
    mc_free(gone);
    return rc;
}

int mc_merge_duplicates(struct mc_model *model, const struct mc_shrink_options *options, int64_t *n_merged,
                        struct mc_error *err)
{
    struct mc_cut cut;
    struct merging m = {.model = model, .cut = &cut, .err = err};
    int rc = mc_cut_init(&cut, model, options, err);
    if (rc == 0) m.edited = MC_NEW_ARRAY(struct mc_tensor *, model->n_values);
    if (rc == 0 && !m.edited) rc = mc_error_memory(err);
    for (int f = 0; f < cut.choice.n_families && rc == 0; f++)
        if (cut.choice.families[f].tensor) rc = merge_family(&m, &cut.choice.families[f]);
    for (int id = 0; m.edited && id < model->n_values; id++) {
        if (m.edited[id] && rc == 0)
            mc_value_set_data(model->values[id], m.edited[id]);
        else
            mc_tensor_destroy(m.edited[id]);
    }
    mc_free(m.edited);
    mc_cut_finish(&cut);
    *n_merged = m.n_merged;
    return rc;
}
