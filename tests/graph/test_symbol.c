/* test_symbol.c - expressions over open dimensions: equal ones are one, what is certain is known, and whatever is said
 * is what plain integers give. */
#include "graph/symbol.h"

#include <string.h>

#include "alloc_fail.h"
#include "base/rng.h"
#include "test.h"

static struct mc_symbols *s;

static int make(void **state)
{
    s = mc_symbols_create();
    return s ? 0 : -1;
}

static int unmake(void **state)
{
    mc_symbols_destroy(s);
    return 0;
}

static mc_symbol n(int64_t value)
{
    return mc_symbol_number(s, value);
}

static mc_symbol named(const char *name)
{
    return mc_symbol_named(s, name);
}

static void assert_text(mc_symbol a, const char *want)
{
    struct mc_buf text;
    mc_buf_init(&text, 4096);
    mc_symbol_print(s, a, &text);
    assert_string_equal(text.data, want);
    mc_buf_finish(&text);
}

static void test_equal_sums_are_one(void **state)
{
    const mc_symbol a = named("a"), b = named("b");
    assert_int_equal(mc_symbol_add(s, a, b), mc_symbol_add(s, b, a));
    const mc_symbol sum = mc_symbol_add(s, a, b), difference = mc_symbol_subtract(s, a, b);
    assert_int_equal(mc_symbol_multiply(s, sum, difference),
                     mc_symbol_subtract(s, mc_symbol_multiply(s, a, a), mc_symbol_multiply(s, b, b)));
    assert_int_equal(mc_symbol_subtract(s, sum, sum), n(0));
    assert_int_equal(mc_symbol_multiply(s, a, n(0)), n(0));
}

static void test_texts(void **state)
{
    const mc_symbol h = named("h"), w = named("w");
    assert_text(n(0), "0");
    assert_text(n(-7), "-7");
    assert_text(mc_symbol_plus(s, mc_symbol_times(s, h, 2), 1), "2*h + 1");
    assert_text(mc_symbol_plus(s, mc_symbol_subtract(s, mc_symbol_multiply(s, h, w), w), -3), "h*w - w - 3");
    assert_text(mc_symbol_divide(s, mc_symbol_plus(s, h, -1), n(2)), "floor((h + 1)/2) - 1");
    assert_text(mc_symbol_least(s, h, n(5)), "min(h, 5)");
    assert_text(mc_symbol_greatest(s, h, w), "max(h, w)");
    assert_text(MC_SYMBOL_UNKNOWN, "?");
}

static void test_quotients(void **state)
{
    const mc_symbol b = named("b"), h = named("h"), w = named("w");
    const mc_symbol count = mc_symbol_multiply(s, b, mc_symbol_times(s, h, 12));
    assert_int_equal(mc_symbol_divide(s, count, n(4)), mc_symbol_multiply(s, b, mc_symbol_times(s, h, 3)));
    assert_int_equal(mc_symbol_divide(s, count, b), mc_symbol_times(s, h, 12));
    assert_int_equal(mc_symbol_divide(s, h, h), n(1));
    assert_int_equal(mc_symbol_divide(s, mc_symbol_plus(s, mc_symbol_times(s, h, 2), 1), n(2)), h);
    const mc_symbol half = mc_symbol_divide(s, mc_symbol_plus(s, h, -1), n(2));
    const mc_symbol quarter = mc_symbol_divide(s, mc_symbol_plus(s, mc_symbol_plus(s, half, 1), -1), n(2));
    assert_int_equal(quarter, mc_symbol_divide(s, mc_symbol_plus(s, h, -1), n(4)));
    assert_int_equal(mc_symbol_divide_up(s, h, n(1)), h);
    assert_int_equal(mc_symbol_divide(s, h, n(0)), MC_SYMBOL_UNKNOWN);
    assert_int_equal(mc_symbol_divide(s, h, mc_symbol_plus(s, w, -1)), MC_SYMBOL_UNKNOWN); /* w may be 1 */
}

static void test_extremes_are_settled_where_they_are_certain(void **state)
{
    const mc_symbol h = named("h"), sum = mc_symbol_add(s, h, named("w"));
    assert_int_equal(mc_symbol_greatest(s, h, n(1)), h);
    assert_int_equal(mc_symbol_greatest(s, h, sum), sum);
    assert_int_equal(mc_symbol_least(s, h, sum), h);
    assert_int_equal(mc_symbol_least(s, h, n(1)), n(1));
    assert_int_equal(mc_symbol_least(s, n(3), n(5)), n(3));
    assert_int_equal(mc_symbol_greatest(s, mc_symbol_least(s, h, n(5)), n(7)), n(7));
    assert_true(mc_symbol_at_least(s, mc_symbol_plus(s, h, 2), 3));
    assert_false(mc_symbol_at_least(s, mc_symbol_plus(s, h, 2), 4));
    assert_false(mc_symbol_at_least(s, mc_symbol_subtract(s, n(4), h), 0));
    assert_false(mc_symbol_at_least(s, MC_SYMBOL_UNKNOWN, 0));
}

static void test_the_unknown_stays_unknown(void **state)
{
    const mc_symbol h = named("h");
    int64_t value;
    assert_int_equal(mc_symbol_add(s, h, MC_SYMBOL_UNKNOWN), MC_SYMBOL_UNKNOWN);
    assert_int_equal(mc_symbol_multiply(s, MC_SYMBOL_UNKNOWN, h), MC_SYMBOL_UNKNOWN);
    assert_int_equal(mc_symbol_divide(s, h, MC_SYMBOL_UNKNOWN), MC_SYMBOL_UNKNOWN);
    assert_int_equal(mc_symbol_greatest(s, MC_SYMBOL_UNKNOWN, h), MC_SYMBOL_UNKNOWN);
    assert_false(mc_symbol_is_number(s, MC_SYMBOL_UNKNOWN, &value));
    assert_int_equal(mc_symbol_times(s, n(INT64_MAX), 2), MC_SYMBOL_UNKNOWN);
    mc_symbol power = h;
    for (int i = 0; i < 20; i++) power = mc_symbol_multiply(s, power, h);
    assert_int_equal(power, MC_SYMBOL_UNKNOWN); /* beyond the limit of factors */
}

/* --- what is said is what integers give --- */

enum { NAMES = 3, MADE = 40, MOST_SIZE = 1 << 20 };

static int64_t extent(void *context, const char *name)
{
    return ((const int64_t *)context)[name[0] - 'a'];
}

struct pair {
    mc_symbol symbol;
    int64_t value;
};

/* A new expression of two others, and its value by plain arithmetic; false: left out, being too large or undefined. */
static bool combine(struct mc_rng *rng, struct pair a, struct pair b, struct pair *made)
{
    const int64_t x = a.value, y = b.value;
    switch (mc_rng_below(rng, 6)) {
    case 0:
        *made = (struct pair){mc_symbol_add(s, a.symbol, b.symbol), x + y};
        break;
    case 1:
        *made = (struct pair){mc_symbol_subtract(s, a.symbol, b.symbol), x - y};
        break;
    case 2:
        *made = (struct pair){mc_symbol_multiply(s, a.symbol, b.symbol), x * y};
        break;
    case 3:
        if (y == 0) return false;
        *made =
            (struct pair){mc_symbol_divide(s, a.symbol, b.symbol), x / y - ((x % y != 0) && (x % y < 0) != (y < 0))};
        break;
    case 4:
        *made = (struct pair){mc_symbol_least(s, a.symbol, b.symbol), x < y ? x : y};
        break;
    default:
        *made = (struct pair){mc_symbol_greatest(s, a.symbol, b.symbol), x > y ? x : y};
    }
    return made->symbol != MC_SYMBOL_UNKNOWN && made->value > -MOST_SIZE && made->value < MOST_SIZE;
}

static void test_random_expressions_have_their_values(void **state)
{
    int checked = 0;
    for (uint64_t seed = 0; seed < 3000; seed++) {
        struct mc_rng rng;
        struct pair pairs[NAMES + 2 + MADE];
        int64_t extents[NAMES], value;
        int count = 0;
        mc_rng_init(&rng, seed, 0);
        for (int i = 0; i < NAMES; i++) {
            extents[i] = 1 + (int64_t)mc_rng_below(&rng, 9);
            pairs[count++] = (struct pair){named((char[]){(char)('a' + i), '\0'}), extents[i]};
        }
        for (int i = 0; i < 2; i++) {
            const int64_t number = (int64_t)mc_rng_below(&rng, 7) - 2;
            pairs[count++] = (struct pair){n(number), number};
        }
        for (int i = 0; i < MADE; i++) {
            const struct pair a = pairs[mc_rng_below(&rng, (uint64_t)count)];
            const struct pair b = pairs[mc_rng_below(&rng, (uint64_t)count)];
            if (!combine(&rng, a, b, &pairs[count])) continue;
            assert_true(mc_symbol_value(s, pairs[count].symbol, extent, extents, &value));
            assert_int_equal(value, pairs[count].value);
            for (int64_t bound = value - 1; bound < value + 3; bound++)
                if (mc_symbol_at_least(s, pairs[count].symbol, bound)) assert_true(value >= bound);
            checked++;
            count++;
        }
    }
    assert_true(checked > 30000);
}

static void test_without_memory_it_is_unknown(void **state)
{
    for (long k = 1;; k++) {
        alloc_fail_at(k);
        struct mc_symbols *table = mc_symbols_create();
        mc_symbol sum = table ? mc_symbol_named(table, "a") : MC_SYMBOL_UNKNOWN;
        for (int i = 0; table && i < 100; i++) sum = mc_symbol_add(table, sum, mc_symbol_number(table, i));
        const bool failed = alloc_fail_happened();
        alloc_fail_at(0);
        mc_symbols_destroy(table);
        if (failed) assert_int_equal(sum, MC_SYMBOL_UNKNOWN);
        if (failed) continue;
        assert_int_not_equal(sum, MC_SYMBOL_UNKNOWN);
        break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal_sums_are_one),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_quotients),
        cmocka_unit_test(test_extremes_are_settled_where_they_are_certain),
        cmocka_unit_test(test_the_unknown_stays_unknown),
        cmocka_unit_test(test_random_expressions_have_their_values),
        cmocka_unit_test(test_without_memory_it_is_unknown),
    };
    return cmocka_run_group_tests_name("symbol", tests, make, unmake);
}
