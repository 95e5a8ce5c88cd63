/* arena.c - bump allocation in blocks; see arena.h. */
#include "base/arena.h"

#include <stdalign.h>
#include <stddef.h>
#include <string.h>

#include "base/alloc.h"

enum { MIN_BLOCK = 4096, MAX_BLOCK = 1 << 16 }; /* what is left of the last is lost */

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

static void *take(struct mc_arena *arena, size_t bytes, size_t alignment)
{
    struct mc_arena_block *block = arena->last;
    size_t from = block ? (block->used + alignment - 1) / alignment * alignment : 0;
    if (!block || from > block->capacity || block->capacity - from < bytes) {
        block = add_block(arena, bytes);
        from = 0;
    }
    if (!block) return NULL;
    block->used = from + bytes;
    return (char *)block->bytes + from;
}

void *mc_arena_alloc(struct mc_arena *arena, size_t n, size_t size)
{
    size_t bytes;
    return mc_mul_size(n, size, &bytes) ? take(arena, bytes, alignof(max_align_t)) : NULL;
}

char *mc_arena_strndup(struct mc_arena *arena, const char *s, size_t length)
{
    if (length == SIZE_MAX) return NULL;
    char *copy = take(arena, length + 1, 1);
    if (copy && length) memcpy(copy, s, length);
    return copy;
}

char *mc_arena_strdup(struct mc_arena *arena, const char *s)
{
    return mc_arena_strndup(arena, s, strlen(s));
}
