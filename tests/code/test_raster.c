/* test_raster.c - symbols in rows come back, and what rows and columns have in common is seen. */
#include "test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "code/raster.h"

enum { ROWS = 120, COLUMNS = 200, N = ROWS * COLUMNS };

/* The share of column c that is present: none in the first quarter, then ever more. */
static double share_of(size_t column)
{
    return column < COLUMNS / 4 ? 0 : 0.2 * (double)column / COLUMNS;
}

static void draw(uint8_t *symbols, int n_symbols, int background)
{
    struct mc_rng rng;
    mc_rng_init(&rng, 3, 0);
    for (size_t i = 0; i < N; i++) {
        symbols[i] = (uint8_t)background;
        if (mc_rng_uniform(&rng) < share_of(i % COLUMNS)) symbols[i] = (uint8_t)mc_rng_below(&rng, n_symbols);
    }
}

static double entropy(double p)
{
    return p <= 0 || p >= 1 ? 0 : -p * log2(p) - (1 - p) * log2(1 - p);
}

static size_t round_trip(const struct mc_raster *raster, const uint8_t *symbols)
{
    struct mc_buf code;
    uint8_t *again = malloc(raster->n ? raster->n : 1);
    mc_buf_init(&code, 1 << 24);
    assert_true(mc_raster_encode(&code, raster, symbols));
    assert_int_equal(mc_raster_decode(raster, again, (unsigned char *)code.data, code.length), 1);
    assert_memory_equal(again, symbols, raster->n);
    const size_t length = code.length;
    free(again);
    mc_buf_finish(&code);
    return length;
}

static void test_symbols_come_back_whatever_the_rows_are_said_to_be(void **state)
{
    static uint8_t symbols[N];
    static const uint32_t columns[] = {1, 7, COLUMNS, N, MC_RASTER_MOST_COLUMNS};
    for (int n_symbols = 2; n_symbols <= 256; n_symbols = n_symbols * 2 - 1) {
        draw(symbols, n_symbols, n_symbols / 2);
        for (size_t k = 0; k < sizeof columns / sizeof *columns; k++) {
            const struct mc_raster raster = {.n = 5003,
                                             .n_symbols = n_symbols,
                                             .background = n_symbols / 2,
                                             .n_columns = columns[k],
                                             .pitch = columns[k] / 3 + 1};
            round_trip(&raster, symbols);
        }
    }
}

/* One bit of presence by each column's own share is what is there to be found; without columns it costs more. */
static void test_columns_are_learned(void **state)
{
    static uint8_t symbols[N];
    draw(symbols, 2, 0);
    double by_columns = 0, present = 0;
    for (size_t c = 0; c < COLUMNS; c++) by_columns += ROWS * entropy(share_of(c) / 2);
    for (size_t i = 0; i < N; i++) present += symbols[i];
    const double without = N * entropy(present / N);
    const struct mc_raster raster = {.n = N, .n_symbols = 2, .n_columns = COLUMNS, .pitch = 1};
    const double bits = 8 * (double)round_trip(&raster, symbols);
    assert_true(bits < 1.05 * by_columns);
    assert_true(bits < 0.97 * without);
}

static void test_cut_or_longer_code_is_refused(void **state)
{
    static uint8_t symbols[N], again[N];
    struct mc_buf code;
    const struct mc_raster raster = {.n = 2000, .n_symbols = 5, .n_columns = COLUMNS, .pitch = 1};
    draw(symbols, 5, 0);
    mc_buf_init(&code, 1 << 20);
    assert_true(mc_raster_encode(&code, &raster, symbols));
    for (size_t n = 0; n < code.length; n++) {
        unsigned char *cut = malloc(n ? n : 1);
        memcpy(cut, code.data, n);
        /* the code of others, perhaps */
        const int rc = mc_raster_decode(&raster, again, cut, n);
        assert_true(rc == 0 || memcmp(again, symbols, raster.n) != 0);
        free(cut);
    }
    mc_buf_append(&code, "\0", 1);
    assert_int_equal(mc_raster_decode(&raster, again, (unsigned char *)code.data, code.length), 0);
    mc_buf_finish(&code);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_symbols_come_back_whatever_the_rows_are_said_to_be),
        cmocka_unit_test(test_columns_are_learned),
        cmocka_unit_test(test_cut_or_longer_code_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
