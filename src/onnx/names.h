/* names.h - things by name: an array sorted once and searched often.
 *
 * Not a hash table, because names come from files: whoever wrote one could make all of them collide.
 */
#ifndef MC_ONNX_NAMES_H
#define MC_ONNX_NAMES_H

#include <stddef.h>

#include "compress/compress.h"

struct mc_name {
    const char *name; /* lent */
    void *item;
    size_t added; /* after so many others */
};

struct mc_names {
    size_t n, n_sorted, capacity;
    struct mc_name *entries;
};

int mc_names_init(struct mc_names *names, size_t capacity, struct mc_error *err);
void mc_names_finish(struct mc_names *names);
/* At most `capacity` times. What is added is not found until the next sort. */
void mc_names_add(struct mc_names *names, const char *name, void *item);
void mc_names_sort(struct mc_names *names);
/* The item, or NULL. Of equal names, that of the first that was added. */
void *mc_names_find(const struct mc_names *names, const char *name);
/* After a sort: a name that was added more than once, or NULL. */
const char *mc_names_duplicate(const struct mc_names *names);

#endif
