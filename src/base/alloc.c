/* alloc.c - checked allocation; see alloc.h. */
#define _GNU_SOURCE /* MADV_HUGEPAGE */
#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { LARGE_BYTES = 1 << 20 }; /* of blocks that may have huge pages */

bool mc_mul_size(size_t a, size_t b, size_t *product)
{
    if (b != 0 && a > SIZE_MAX / b) return false;
    *product = a * b;
    return true;
}

bool mc_mul_i64(int64_t a, int64_t b, int64_t *product)
{
    if (a > 0 && b > 0 && a > INT64_MAX / b) return false;
    if (a > 0 && b < 0 && b < INT64_MIN / a) return false;
    if (a < 0 && b > 0 && a < INT64_MIN / b) return false;
    if (a < 0 && b < 0 && a < INT64_MAX / b) return false;
    *product = a * b;
    return true;
}

bool mc_add_i64(int64_t a, int64_t b, int64_t *sum)
{
    if (b > 0 ? a > INT64_MAX - b : a < INT64_MIN - b) return false;
    *sum = a + b;
    return true;
}

void *mc_alloc(size_t n, size_t size)
{
    size_t bytes;
    if (!mc_mul_size(n, size, &bytes)) return NULL;
    return calloc(1, bytes ? bytes : 1);
}

void *mc_realloc(void *old, size_t n, size_t size)
{
    size_t bytes;
    if (!mc_mul_size(n, size, &bytes)) return NULL;
    return realloc(old, bytes ? bytes : 1);
}

size_t mc_align_pages(size_t bytes)
{
    return (bytes + MC_PAGE - 1) / MC_PAGE * MC_PAGE;
}

/* Ask for huge pages where they fit: the first touch of memory then costs a five-hundredth of the interrupts. With the
 * pages that the block shares with malloc's heads, so that neighbours are one stretch of memory. */
static void *make_huge(void *block, size_t bytes)
{
#ifdef MADV_HUGEPAGE
    const size_t in_page = (uintptr_t)block % MC_PAGE;
    if (block && bytes >= LARGE_BYTES)
        madvise((char *)block - in_page, mc_align_pages(in_page + bytes), MADV_HUGEPAGE); /* advice: may fail */
#endif
    return block;
}

void *mc_alloc_aligned(size_t n, size_t size)
{
    size_t bytes;
    if (!mc_mul_size(n, size, &bytes) || bytes > SIZE_MAX - MC_ALIGNMENT) return NULL;
    /* aligned_alloc wants a multiple of the alignment; an empty block still needs an address. */
    return make_huge(aligned_alloc(MC_ALIGNMENT, bytes ? mc_align(bytes) : MC_ALIGNMENT), bytes);
}

void *mc_alloc_pages(size_t bytes)
{
    if (bytes > SIZE_MAX - MC_PAGE) return NULL;
    return make_huge(aligned_alloc(MC_PAGE, bytes ? mc_align_pages(bytes) : MC_PAGE), bytes);
}

void mc_free(void *p)
{
    free(p);
}

char *mc_strdup(const char *s)
{
    const size_t length = strlen(s) + 1;
    char *copy = mc_alloc(length, 1);
    if (copy) memcpy(copy, s, length);
    return copy;
}

bool mc_grow(void **array, size_t n_used, size_t *capacity, size_t size)
{
    if (n_used < *capacity) return true;
    if (*capacity > SIZE_MAX / 2) return false;
    const size_t wanted = *capacity ? *capacity * 2 : 8;
    void *grown = mc_realloc(*array, wanted, size);
    if (!grown) return false;
    *array = grown;
    *capacity = wanted;
    return true;
}
