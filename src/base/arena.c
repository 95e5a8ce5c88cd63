/* arena.c - bump allocation in blocks; see arena.h. */
#include "base/arena.h"

#include <stdalign.h>
#include <stddef.h>
#include <string.h>

#include "base/alloc.h"

enum { MIN_BLOCK = 4096, MAX_BLOCK = 1 << 20 };

struct mc_arena_block {
    struct mc_arena_block *previous;
    size_t used;
    size_t capacity;
    max_align_t bytes[];
};

void mc_arena_init(struct mc_arena *arena)
{
    arena->last = NULL;
}

void mc_arena_finish(struct mc_arena *arena)
{
    struct mc_arena_block *block = arena->last;
    while (block) {
        struct mc_arena_block *previous = block->previous;
        mc_free(block);
        block = previous;
    }
    arena->last = NULL;
}

/* A new block of at least `bytes`; blocks double so that large models take few of them. */
static struct mc_arena_block *add_block(struct mc_arena *arena, size_t bytes)
{
    size_t capacity = arena->last ? arena->last->capacity * 2 : MIN_BLOCK;
    if (capacity > MAX_BLOCK) capacity = MAX_BLOCK;
    if (capacity < bytes) capacity = bytes;
    if (capacity > SIZE_MAX - sizeof(struct mc_arena_block)) return NULL;
    struct mc_arena_block *block = mc_alloc(1, sizeof *block + capacity);
    if (!block) return NULL;
    block->capacity = capacity;
    block->previous = arena->last;
    arena->last = block;
    return block;
}

void *mc_arena_alloc(struct mc_arena *arena, size_t n, size_t size)
{
    const size_t alignment = alignof(max_align_t);
    size_t bytes;
    if (!mc_mul_size(n, size, &bytes) || bytes > SIZE_MAX - alignment) return NULL;
    bytes = (bytes + alignment - 1) / alignment * alignment;
    struct mc_arena_block *block = arena->last;
    if (!block || block->capacity - block->used < bytes) block = add_block(arena, bytes);
    if (!block) return NULL;
    void *result = (char *)block->bytes + block->used;
    block->used += bytes;
    return result;
}

char *mc_arena_strndup(struct mc_arena *arena, const char *s, size_t length)
{
    if (length == SIZE_MAX) return NULL;
    char *copy = mc_arena_alloc(arena, length + 1, 1);
    if (copy && length) memcpy(copy, s, length);
    return copy;
}

char *mc_arena_strdup(struct mc_arena *arena, const char *s)
{
    return mc_arena_strndup(arena, s, strlen(s));
}
