/* groups.c - from tied labels to groups and families.
 *
 * A group is a connected component of labels, listed as slices: for each axis that it lies along, the indices there.
 * Groups are numbered by their smallest label, slices stand in the order of values, so the result does not depend on
 * the order in which labels were tied. Families are groups that lie along the same axes.
 */
#include "graph/coupling_state.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

/* Scratch of one build. */
struct build {
    int *last_axis;     /* per group: the axis it was last met on */
    int64_t *n_indices; /* per group: over all its slices */
    int *bucket;        /* hash table of families: a group that stands for it, or -1 */
};

static void finish_build(struct build *b)
{
    mc_free(b->bucket);
    mc_free(b->n_indices);
    mc_free(b->last_axis);
}

static int number_groups(struct mc_coupling *c, struct build *b, struct mc_error *err)
{
    c->group_of_label = MC_NEW_ARRAY(int32_t, c->n_labels);
    if (!c->group_of_label) return mc_error_memory(err);
    for (size_t l = 0; l < c->n_labels; l++) {
        const int32_t root = mc_coupling_root(c, (int32_t)l); /* never above l: the root is the smallest */
        c->group_of_label[l] = root == (int32_t)l ? c->n_groups++ : c->group_of_label[root];
    }
    c->groups = MC_NEW_ARRAY(struct mc_group, c->n_groups);
    b->last_axis = MC_NEW_ARRAY(int, c->n_groups);
    b->n_indices = MC_NEW_ARRAY(int64_t, c->n_groups);
    if (!c->groups || !b->last_axis || !b->n_indices) return mc_error_memory(err);
    for (size_t l = 0; l < c->n_labels; l++) {
        if (c->labels[l].parent != (int32_t)l || c->labels[l].frozen < 0) continue;
        c->groups[c->group_of_label[l]].frozen_by = c->reasons[c->labels[l].frozen].node;
        c->groups[c->group_of_label[l]].frozen_why = c->reasons[c->labels[l].frozen].why;
    }
    return 0;
}

/* Count slices and indices of each group. */
static void count_slices(struct mc_coupling *c, struct build *b)
{
    for (int g = 0; g < c->n_groups; g++) b->last_axis[g] = -1;
    for (int e = 0; e < c->n_axes; e++) {
        const struct mc_axis *axis = &c->axes[e];
        for (int64_t i = 0; axis->first_label >= 0 && i < axis->extent; i++) {
            const int32_t g = c->group_of_label[axis->first_label + i];
            struct mc_group *group = &c->groups[g];
            if (b->last_axis[g] != e) group->n_slices++;
            b->last_axis[g] = e;
            b->n_indices[g]++;
        }
    }
}

static int place_slices(struct mc_coupling *c, const struct build *b, struct mc_error *err)
{
    size_t n_slices = 0;
    int64_t n_indices = 0;
    for (int g = 0; g < c->n_groups; g++) {
        n_slices += (size_t)c->groups[g].n_slices;
        n_indices += b->n_indices[g];
    }
    c->slices = MC_NEW_ARRAY(struct mc_slice, n_slices);
    c->indices = MC_NEW_ARRAY(int32_t, n_indices);
    if (!c->slices || !c->indices) return mc_error_memory(err);
    struct mc_slice *slice = c->slices;
    int32_t *next = c->indices;
    for (int g = 0; g < c->n_groups; g++) {
        c->groups[g].slices = slice;
        slice += c->groups[g].n_slices;
        if (c->groups[g].n_slices > 0) c->groups[g].slices[0].indices = next;
        next += b->n_indices[g];
        c->groups[g].n_slices = 0; /* counted again while filling */
    }
    return 0;
}

static void fill_slices(struct mc_coupling *c, struct build *b)
{
    for (int g = 0; g < c->n_groups; g++) b->last_axis[g] = -1;
    for (int e = 0; e < c->n_axes; e++) {
        const struct mc_axis *axis = &c->axes[e];
        for (int32_t i = 0; axis->first_label >= 0 && i < axis->extent; i++) {
            const int32_t g = c->group_of_label[axis->first_label + i];
            struct mc_group *group = &c->groups[g];
            if (b->last_axis[g] != e) {
                struct mc_slice *slice = &group->slices[group->n_slices++];
                if (slice > group->slices) slice->indices = slice[-1].indices + slice[-1].n;
                slice->value = axis->value;
                slice->axis = axis->axis;
            }
            b->last_axis[g] = e;
            struct mc_slice *slice = &group->slices[group->n_slices - 1];
            slice->indices[slice->n++] = i;
        }
    }
}

static uint64_t hash_axes(const struct mc_group *group)
{
    uint64_t h = UINT64_C(14695981039346656037); /* FNV-1a over (value, axis) pairs */
    for (int s = 0; s < group->n_slices; s++) {
        h = (h ^ (uint64_t)group->slices[s].value->id) * UINT64_C(1099511628211);
        h = (h ^ (uint64_t)group->slices[s].axis) * UINT64_C(1099511628211);
    }
    return h ^ (h >> 29);
}

static bool same_axes(const struct mc_group *a, const struct mc_group *b)
{
    if (a->n_slices != b->n_slices) return false;
    for (int s = 0; s < a->n_slices; s++)
        if (a->slices[s].value != b->slices[s].value || a->slices[s].axis != b->slices[s].axis) return false;
    return true;
}

static int number_families(struct mc_coupling *c, struct build *b, struct mc_error *err)
{
    size_t size = 16;
    while (size < 2 * (size_t)c->n_groups) size *= 2;
    b->bucket = MC_NEW_ARRAY(int, size);
    if (!b->bucket) return mc_error_memory(err);
    memset(b->bucket, 0xff, size * sizeof(*b->bucket));
    for (int g = 0; g < c->n_groups; g++) {
        size_t at = hash_axes(&c->groups[g]) & (size - 1);
        while (b->bucket[at] >= 0 && !same_axes(&c->groups[b->bucket[at]], &c->groups[g])) at = (at + 1) & (size - 1);
        if (b->bucket[at] >= 0) {
            c->groups[g].family = c->groups[b->bucket[at]].family;
        } else {
            b->bucket[at] = g;
            c->groups[g].family = c->n_families++;
        }
    }
    return 0;
}

int mc_coupling_build_groups(struct mc_coupling *c, struct mc_error *err)
{
    struct build b = {0};
    int rc = number_groups(c, &b, err);
    if (rc == 0) {
        count_slices(c, &b);
        rc = place_slices(c, &b, err);
    }
    if (rc == 0) {
        fill_slices(c, &b);
        rc = number_families(c, &b, err);
    }
    finish_build(&b);
    return rc;
}

int mc_coupling_n_groups(const struct mc_coupling *c)
{
    return c->n_groups;
}

int mc_coupling_n_families(const struct mc_coupling *c)
{
    return c->n_families;
}

int mc_coupling_group_of(const struct mc_coupling *c, const struct mc_value *v, int axis, int64_t i)
{
    const int entry = mc_coupling_axis(c, v, axis);
    if (entry < 0 || c->axes[entry].first_label < 0) return -1;
    assert(i >= 0 && i < c->axes[entry].extent);
    return c->group_of_label[c->axes[entry].first_label + i];
}

const struct mc_group *mc_coupling_group(const struct mc_coupling *c, int i)
{
    assert(i >= 0 && i < c->n_groups);
    return &c->groups[i];
}
