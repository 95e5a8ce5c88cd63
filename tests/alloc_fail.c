/* alloc_fail.c - allocation that fails on demand; see alloc_fail.h. */
#include "alloc_fail.h"

#include <errno.h>
#include <stdlib.h>

#include "test.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);

static long countdown; /* allocations until the one that fails; 0: none will */
static bool happened;

static bool fails(void)
{
    if (countdown == 0 || --countdown > 0) return false;
    happened = true;
    errno = ENOMEM;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return fails() ? NULL : __real_realloc(old, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return fails() ? NULL : __real_aligned_alloc(alignment, size);
}

void alloc_fail_at(long n)
{
    countdown = n;
    happened = false;
}

bool alloc_fail_happened(void)
{
    return happened;
}

void alloc_fail_each(int (*attempt)(void *context), void *context)
{
    enum { MOST = 100000 }; /* no attempt is as long as that */
    for (long n = 1; n < MOST; n++) {
        alloc_fail_at(n);
        const int rc = attempt(context);
        const bool met = alloc_fail_happened();
        alloc_fail_at(0);
        if (!met) {
            if (rc != MC_OK) fail_msg("with all its memory the attempt gives '%s'", mc_status_name(rc));
            return;
        }
        if (rc != MC_ERR_SYSTEM) fail_msg("allocation %ld fails, and the attempt gives '%s'", n, mc_status_name(rc));
    }
    fail_msg("still allocating after %d attempts", MOST);
}
