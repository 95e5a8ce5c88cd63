/* block.c - blocks with a head that says where they came from; see block.h. */
#include "base/block.h"

#include <stdlib.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "base/alloc.h"

/* In front of a block, as long as MC_ALIGNMENT. */
struct head {
    struct mc_memory memory; /* take NULL: malloc's */
};
_Static_assert(sizeof(struct head) <= MC_ALIGNMENT, "what follows the head has to be aligned");

void *mc_block_create(const struct mc_memory *memory, size_t n, size_t size)
{
    size_t bytes;
    if (!mc_mul_size(n, size, &bytes) || bytes > SIZE_MAX - 2 * MC_ALIGNMENT) return NULL;
    bytes += MC_ALIGNMENT;
    struct head *head = memory ? memory->take(memory->context, bytes, MC_ALIGNMENT) : mc_alloc_aligned(bytes, 1);
    if (!head) return NULL;
    *head = (struct head){0};
    if (memory) head->memory = *memory;
    return (unsigned char *)head + MC_ALIGNMENT;
}

void mc_block_destroy(void *block)
{
    if (!block) return;
    struct head *head = (struct head *)((unsigned char *)block - MC_ALIGNMENT);
    const struct mc_memory memory = head->memory;
    if (memory.take)
        memory.give(memory.context, head);
    else
        mc_free(head);
}

void mc_block_trim(void)
{
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}
