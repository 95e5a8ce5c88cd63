/* names.c - things by name; see names.h. */
#include "onnx/names.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

int mc_names_init(struct mc_names *names, size_t capacity, struct mc_error *err)
{
    *names = (struct mc_names){.capacity = capacity, .entries = MC_NEW_ARRAY(struct mc_name, capacity)};
    return names->entries ? MC_OK : mc_error_memory(err);
}

void mc_names_finish(struct mc_names *names)
{
    mc_free(names->entries);
    *names = (struct mc_names){0};
}

void mc_names_add(struct mc_names *names, const char *name, void *item)
{
    assert(names->n < names->capacity);
    names->entries[names->n] = (struct mc_name){name, item, names->n};
    names->n++;
}

static int compare(const void *x, const void *y)
{
    const struct mc_name *a = x, *b = y;
    const int order = strcmp(a->name, b->name);
    return order ? order : (a->added > b->added) - (a->added < b->added);
}

void mc_names_sort(struct mc_names *names)
{
    if (names->n > 1) qsort(names->entries, names->n, sizeof *names->entries, compare);
    names->n_sorted = names->n;
}

void *mc_names_find(const struct mc_names *names, const char *name)
{
    size_t low = 0, high = names->n_sorted;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (strcmp(names->entries[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < names->n_sorted && strcmp(names->entries[low].name, name) == 0 ? names->entries[low].item : NULL;
}

const char *mc_names_duplicate(const struct mc_names *names)
{
    for (size_t i = 1; i < names->n_sorted; i++)
        if (strcmp(names->entries[i - 1].name, names->entries[i].name) == 0) return names->entries[i].name;
    return NULL;
}
