/* test_rans.c - symbols come back, at the price that their frequencies say. */
#include "test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "code/rans.h"

enum { N = 100003 };

/* Symbol s with probability near 2^-(s+1) up to `most`, by the seed. */
static void draw(uint8_t *symbols, size_t n, int most, uint64_t seed, uint32_t count[256])
{
    struct mc_rng rng;
    mc_rng_init(&rng, seed, 0);
    memset(count, 0, 256 * sizeof *count);
    for (size_t i = 0; i < n; i++) {
        int s = 0;
        while (s < most && mc_rng_below(&rng, 2)) s++;
        symbols[i] = (uint8_t)s;
        count[s]++;
    }
}

static void test_frequencies_add_up_and_leave_nothing_out(void **state)
{
    uint32_t count[256] = {0};
    uint16_t frequency[256];
    count[0] = 1000000000;
    for (int s = 1; s < 256; s++) count[s] = 1;
    mc_rans_normalize(count, frequency);
    int sum = 0;
    for (int s = 0; s < 256; s++) {
        assert_true(frequency[s] >= 1);
        sum += frequency[s];
    }
    assert_int_equal(sum, MC_RANS_SCALE);
    memset(count, 0, sizeof count);
    count[7] = count[8] = count[9] = 1;
    mc_rans_normalize(count, frequency);
    assert_int_equal(frequency[7] + frequency[8] + frequency[9], MC_RANS_SCALE);
    assert_int_equal(frequency[6], 0);
}

static void test_symbols_come_back_in_every_length(void **state)
{
    static uint8_t symbols[N], again[N];
    static const size_t lengths[] = {1, 2, 3, 4, 5, 7, 8, 100, 1001, N};
    for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++) {
        const size_t n = lengths[k];
        uint32_t count[256];
        uint16_t frequency[256];
        struct mc_buf code;
        draw(symbols, n, 200, k, count);
        mc_rans_normalize(count, frequency);
        mc_buf_init(&code, 1 << 20);
        assert_true(mc_rans_encode(&code, symbols, n, frequency));
        memset(again, 255, n);
        assert_true(mc_rans_decode(again, n, (unsigned char *)code.data, code.length, frequency));
        assert_memory_equal(again, symbols, n);
        /* the entropy of the drawn symbols is 2 bits */
        if (n == N) assert_true((double)code.length < 1.002 * N * 2 / 8 + 16);
        if (n == N) assert_true((double)code.length > mc_rans_cost(count, frequency) / 8);
        mc_buf_finish(&code);
    }
}

static void test_what_was_cut_or_changed_is_refused(void **state)
{
    static uint8_t symbols[500], again[500];
    uint32_t count[256];
    uint16_t frequency[256];
    struct mc_buf code;
    draw(symbols, sizeof symbols, 200, 1, count);
    mc_rans_normalize(count, frequency);
    mc_buf_init(&code, 1 << 20);
    assert_true(mc_rans_encode(&code, symbols, sizeof symbols, frequency));
    for (size_t n = 0; n < code.length; n++) {
        unsigned char *cut = malloc(n ? n : 1);
        memcpy(cut, code.data, n);
        assert_false(mc_rans_decode(again, sizeof again, cut, n, frequency));
        free(cut);
    }
    for (size_t i = 0; i < code.length; i++) { /* it may decode to others, but never to the same */
        code.data[i] = (char)(code.data[i] ^ 4);
        const bool whole = mc_rans_decode(again, sizeof again, (unsigned char *)code.data, code.length, frequency);
        assert_true(!whole || memcmp(again, symbols, sizeof again) != 0);
        code.data[i] = (char)(code.data[i] ^ 4);
    }
    mc_buf_finish(&code);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frequencies_add_up_and_leave_nothing_out),
        cmocka_unit_test(test_symbols_come_back_in_every_length),
        cmocka_unit_test(test_what_was_cut_or_changed_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
