/* memory.h - packing buffers into one block by the times at which they live. */
#ifndef MC_RUN_MEMORY_H
#define MC_RUN_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/alloc.h"

#define MC_MEMORY_ALIGNMENT 64

/* A buffer and the times of its first and last use, both included. */
struct mc_extent {
    size_t size;
    int first, last;
    size_t offset; /* set by mc_memory_pack, a multiple of MC_MEMORY_ALIGNMENT */
};

struct mc_extents {
    struct mc_extent *at;
    size_t n, capacity;
};

/* Add a buffer; its index, or -1 without memory. */
int mc_extents_add(struct mc_extents *extents, size_t size, int first, int last);
void mc_extents_finish(struct mc_extents *extents);

/* Give every buffer an offset such that no two that live at one time overlap; *total bytes hold them all. Largest
 * first, each at the lowest offset that is free (Pisarchyk and Lee 2020, "greedy by size"). False if memory is out or
 * the sum is more than can be addressed. */
bool mc_memory_pack(struct mc_extents *extents, size_t *total);

#endif
