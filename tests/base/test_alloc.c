/* test_alloc.c - checked products, allocation, the arena and the growing buffer. */
#include "test.h"

#include <string.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/buf.h"

static void test_products_refuse_overflow(void **state)
{
    size_t size;
    int64_t product;
    assert_false(mc_mul_size(SIZE_MAX, 2, &size));
    assert_true(mc_mul_size(SIZE_MAX, 1, &size));
    assert_true(mc_mul_size(SIZE_MAX, 0, &size) && size == 0);
    assert_false(mc_mul_i64(INT64_C(1) << 32, INT64_C(1) << 31, &product));
    assert_true(mc_mul_i64(INT64_C(1) << 31, INT64_C(1) << 31, &product) && product == INT64_C(1) << 62);
    assert_false(mc_mul_i64(INT64_MIN, -1, &product));
    assert_false(mc_mul_i64(-1, INT64_MIN, &product));
    assert_true(mc_mul_i64(-3, -5, &product) && product == 15);
    assert_false(mc_add_i64(INT64_MAX, 1, &product));
    assert_false(mc_add_i64(INT64_MIN, -1, &product));
    assert_true(mc_add_i64(INT64_MAX, INT64_MIN, &product) && product == -1);
}

static void test_alloc_zeroes_and_refuses_overflow(void **state)
{
    assert_null(mc_alloc(SIZE_MAX / 2, 3));
    assert_null(mc_alloc_aligned(SIZE_MAX / 2, 3));
    unsigned char *p = mc_alloc(1000, 1);
    assert_non_null(p);
    for (int i = 0; i < 1000; i++) assert_int_equal(p[i], 0);
    mc_free(p);
    void *none = mc_alloc(0, 8), *aligned = mc_alloc_aligned(3, 5);
    assert_non_null(none);
    assert_int_equal((uintptr_t)aligned % 64, 0);
    mc_free(none);
    mc_free(aligned);
}

static void test_arena_keeps_blocks_apart_and_aligned(void **state)
{
    struct mc_arena arena;
    mc_arena_init(&arena);
    char *previous = NULL;
    for (size_t i = 1; i < 3000; i += 7) {
        char *p = mc_arena_alloc(&arena, i, 1);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
        for (size_t k = 0; k < i; k++) assert_int_equal(p[k], 0);
        memset(p, 0xff, i);
        if (previous) assert_int_equal(previous[0], (char)0xff);
        previous = p;
    }
    assert_string_equal(mc_arena_strndup(&arena, "abcdef", 3), "abc");
    assert_null(mc_arena_alloc(&arena, SIZE_MAX, 2));
    mc_arena_finish(&arena);
}

static void test_buf_fails_at_its_ceiling_and_stays_terminated(void **state)
{
    struct mc_buf buf;
    mc_buf_init(&buf, 10);
    mc_buf_puts(&buf, "12345");
    mc_buf_printf(&buf, "%d", 678);
    assert_string_equal(buf.data, "12345678");
    mc_buf_puts(&buf, "90");
    assert_false(buf.failed);
    mc_buf_puts(&buf, "!");
    assert_true(buf.failed);
    assert_string_equal(buf.data, "1234567890");
    mc_buf_finish(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_products_refuse_overflow),
        cmocka_unit_test(test_alloc_zeroes_and_refuses_overflow),
        cmocka_unit_test(test_arena_keeps_blocks_apart_and_aligned),
        cmocka_unit_test(test_buf_fails_at_its_ceiling_and_stays_terminated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
