/* test_block.c - large blocks: from malloc or from the caller, aligned, and back where they came from. */
#include "base/block.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "test.h"

struct counts {
    int taken, given;
    size_t bytes, alignment;
    bool empty;
};

static void *take(void *context, size_t bytes, size_t alignment)
{
    struct counts *counts = context;
    counts->bytes = bytes;
    counts->alignment = alignment;
    if (counts->empty) return NULL;
    counts->taken++;
    return aligned_alloc(alignment, mc_align(bytes));
}

static void give(void *context, void *block)
{
    ((struct counts *)context)->given++;
    free(block);
}

static void test_a_block_goes_back_where_it_came_from(void **state)
{
    struct counts counts = {0};
    struct mc_memory memory = {take, give, &counts};
    unsigned char *ours = mc_block_create(NULL, 3, 7), *theirs = mc_block_create(&memory, 10, 10);
    memory = (struct mc_memory){0}; /* was copied */
    assert_true((uintptr_t)ours % MC_ALIGNMENT == 0 && (uintptr_t)theirs % MC_ALIGNMENT == 0);
    assert_true(counts.bytes >= 100);
    assert_int_equal(counts.alignment, MC_ALIGNMENT);
    ours[20] = theirs[99] = 1;
    mc_block_destroy(ours);
    assert_int_equal(counts.given, 0);
    mc_block_destroy(theirs);
    mc_block_destroy(NULL);
    assert_int_equal(counts.taken, 1);
    assert_int_equal(counts.given, 1);
}

static void test_no_memory_is_no_block(void **state)
{
    struct counts counts = {.empty = true};
    const struct mc_memory memory = {take, give, &counts};
    assert_null(mc_block_create(&memory, 1, 1));
    assert_null(mc_block_create(&memory, SIZE_MAX, 2));
    assert_null(mc_block_create(NULL, SIZE_MAX - 100, 1));
    assert_int_equal(counts.given, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_block_goes_back_where_it_came_from),
        cmocka_unit_test(test_no_memory_is_no_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
