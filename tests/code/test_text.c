/* test_text.c - structure comes back; what was said before, or by every model, costs next to nothing. */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "code/text.h"

static size_t round_trip(const void *bytes, size_t n)
{
    struct mc_buf code;
    unsigned char *again = malloc(n ? n : 1);
    mc_buf_init(&code, 1 << 24);
    assert_true(mc_text_encode(&code, bytes, n));
    assert_int_equal(mc_text_decode(again, n, (unsigned char *)code.data, code.length), 1);
    assert_memory_equal(again, bytes, n);
    const size_t length = code.length;
    free(again);
    mc_buf_finish(&code);
    return length;
}

static void test_any_bytes_come_back(void **state)
{
    static unsigned char noise[70000];
    struct mc_rng rng;
    mc_rng_init(&rng, 5, 0);
    for (size_t i = 0; i < sizeof noise; i++) noise[i] = (unsigned char)mc_rng_below(&rng, 256);
    for (size_t n = 0; n < 20; n++) round_trip(noise, n);
    assert_true(round_trip(noise, sizeof noise) < sizeof noise + sizeof noise / 16);
    memset(noise, 0, sizeof noise);
    assert_true(round_trip(noise, sizeof noise) < 200);
}

static void test_nodes_that_resemble_each_other_cost_little(void **state)
{
    struct mc_buf text;
    mc_buf_init(&text, 1 << 20);
    for (int i = 0; i < 50; i++)
        mc_buf_printf(&text, "\n4\n\x05relu%d\n\x0c%d.weight\x12\x05%dconv\x1a\x04%d\"\x04Conv*\x0c\n\x05group\x18\x01",
                      i, i, i, i);
    assert_true(round_trip(text.data, text.length) < text.length / 5); /* what changes are eight digits a node */
    mc_buf_finish(&text);
}

static void test_cut_code_is_refused(void **state)
{
    static const char text[] = "a graph of nodes: Conv, Relu, MaxPool, Conv, Relu, GlobalAveragePool, Flatten, Gemm";
    unsigned char again[sizeof text];
    struct mc_buf code;
    mc_buf_init(&code, 1 << 20);
    assert_true(mc_text_encode(&code, (const unsigned char *)text, sizeof text));
    for (size_t n = 0; n < code.length; n++) {
        const int rc = mc_text_decode(again, sizeof text, (unsigned char *)code.data, n);
        assert_true(rc == 0 || memcmp(again, text, sizeof text) != 0);
    }
    mc_buf_finish(&code);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_bytes_come_back),
        cmocka_unit_test(test_nodes_that_resemble_each_other_cost_little),
        cmocka_unit_test(test_cut_code_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
