/* alloc.h - every allocation of the library goes through here.
 *
 * Counts and sizes are multiplied with a check; memory comes zeroed. The functions call malloc's family
 * and nothing else, so that a test can make each allocation fail in turn by wrapping those.
 */
#ifndef MC_BASE_ALLOC_H
#define MC_BASE_ALLOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* n * size bytes of zeroes, or NULL if the product overflows or memory is out. n == 0 gives a valid pointer. */
void *mc_alloc(size_t n, size_t size);

/* As realloc for n * size bytes; what is gained is not zeroed. On failure the old block stays. */
void *mc_realloc(void *old, size_t n, size_t size);

enum { MC_ALIGNMENT = 64 }; /* bytes: a cache line, and the widest vectors */

/* As mc_alloc, but aligned to MC_ALIGNMENT and NOT zeroed; release with mc_free. */
void *mc_alloc_aligned(size_t n, size_t size);

enum { MC_PAGE = 4096 }; /* bytes, that disks write whole */
/* Whole pages, NOT zeroed, as mc_file_write_pages wants them; release with mc_free. */
void *mc_alloc_pages(size_t bytes);
/* The next multiple of a page. Near SIZE_MAX it wraps. */
size_t mc_align_pages(size_t bytes);
/* The next multiple of MC_ALIGNMENT, for what is cut from one such block. Near SIZE_MAX it wraps. */
static inline size_t mc_align(size_t bytes)
{
    return (bytes + MC_ALIGNMENT - 1) / MC_ALIGNMENT * MC_ALIGNMENT;
}

void mc_free(void *p);

/* Copy of a string, or NULL. */
char *mc_strdup(const char *s);

/* *product = a * b; false on overflow. */
bool mc_mul_size(size_t a, size_t b, size_t *product);
bool mc_mul_i64(int64_t a, int64_t b, int64_t *product);
bool mc_add_i64(int64_t a, int64_t b, int64_t *sum);

/* Make room for one more element in a growing array (doubling). false when memory is out. */
bool mc_grow(void **array, size_t n_used, size_t *capacity, size_t size);

#define MC_NEW(type) ((type *)mc_alloc(1, sizeof(type)))
#define MC_NEW_ARRAY(type, n) ((type *)mc_alloc((size_t)(n), sizeof(type)))
#define MC_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
