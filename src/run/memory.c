/* memory.c - packing buffers by lifetime; see memory.h. */
#include "run/memory.h"

#include <assert.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>

int mc_extents_add(struct mc_extents *extents, size_t size, int first, int last)
{
    assert(first <= last);
    if (extents->n == INT_MAX) return -1;
    if (!mc_grow((void **)&extents->at, extents->n, &extents->capacity, sizeof *extents->at)) return -1;
    extents->at[extents->n] = (struct mc_extent){.size = size, .first = first, .last = last};
    return (int)extents->n++;
}

void mc_extents_finish(struct mc_extents *extents)
{
    mc_free(extents->at);
    *extents = (struct mc_extents){0};
}

/* Larger first; of equal ones the earlier added, so that the result does not depend on the sort. */
static int by_size(const void *a, const void *b)
{
    const struct mc_extent *x = *(struct mc_extent *const *)a, *y = *(struct mc_extent *const *)b;
    if (x->size != y->size) return x->size < y->size ? 1 : -1;
    return (x > y) - (x < y);
}

static bool round_up(size_t size, size_t *rounded)
{
    if (size > SIZE_MAX - MC_MEMORY_ALIGNMENT) return false;
    *rounded = (size + MC_MEMORY_ALIGNMENT - 1) / MC_MEMORY_ALIGNMENT * MC_MEMORY_ALIGNMENT;
    return true;
}

/* The lowest offset at which `extent` fits beside the n placed ones, which are sorted by offset. *at: its place there.
 */
static bool place(struct mc_extent *extent, struct mc_extent *const *placed, size_t n, size_t size, size_t *at)
{
    size_t cursor = 0;
    for (size_t i = 0; i < n; i++) {
        const struct mc_extent *other = placed[i];
        if (other->last < extent->first || other->first > extent->last) continue;
        if (other->offset >= cursor && other->offset - cursor >= size) break;
        size_t end;
        if (!round_up(other->offset + other->size, &end)) return false;
        if (end > cursor) cursor = end;
    }
    if (cursor > SIZE_MAX - size) return false;
    extent->offset = cursor;
    for (*at = n; *at > 0 && placed[*at - 1]->offset > cursor; --*at) {
    }
    return true;
}

bool mc_memory_pack(struct mc_extents *extents, size_t *total)
{
    const size_t n = extents->n;
    bool ok = false;
    struct mc_extent **order = MC_NEW_ARRAY(struct mc_extent *, n);
    struct mc_extent **placed = MC_NEW_ARRAY(struct mc_extent *, n);
    *total = 0;
    if (!order || !placed) goto done;
    for (size_t i = 0; i < n; i++) order[i] = &extents->at[i];
    qsort(order, n, sizeof *order, by_size);
    for (size_t i = 0; i < n; i++) {
        size_t size, at;
        if (!round_up(order[i]->size, &size) || !place(order[i], placed, i, size, &at)) goto done;
        for (size_t k = i; k > at; k--) placed[k] = placed[k - 1];
        placed[at] = order[i];
        if (order[i]->offset + size > *total) *total = order[i]->offset + size;
    }
    ok = true;
done:
    mc_free(placed);
    mc_free(order);
    return ok;
}
