/* arena.h - memory that is released all at once. A graph and all it consists of live in one arena. */
#ifndef MC_BASE_ARENA_H
#define MC_BASE_ARENA_H

#include <stddef.h>

struct mc_arena_block;

struct mc_arena {
    struct mc_arena_block *last;
};

void mc_arena_init(struct mc_arena *arena);
void mc_arena_finish(struct mc_arena *arena);

/* n * size bytes of zeroes aligned for any type, or NULL. */
void *mc_arena_alloc(struct mc_arena *arena, size_t n, size_t size);
char *mc_arena_strdup(struct mc_arena *arena, const char *s);
char *mc_arena_strndup(struct mc_arena *arena, const char *s, size_t length);

#define MC_ARENA_NEW(arena, type) ((type *)mc_arena_alloc((arena), 1, sizeof(type)))
#define MC_ARENA_ARRAY(arena, type, n) ((type *)mc_arena_alloc((arena), (size_t)(n), sizeof(type)))

#endif
