/* test_segment.c - elements of every width come back, each kind by the method that is made for it. */
#include "test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "code/segment.h"
#include "weights.h"

enum { N = 30000 };

static const struct mc_element_kind float32 = {.width = 4, .exponent_bits = 8, .columns = 300, .pitch = 1};

/* Length of the code; the method in *method. */
static size_t round_trip(const void *bytes, size_t length, const struct mc_element_kind *kind, enum mc_code_level level,
                         enum mc_method *method)
{
    struct mc_error err = {0};
    struct mc_workspace workspace = {0};
    struct mc_buf code;
    unsigned char *again = malloc(length);
    size_t decoded = 0;
    memset(again, 0xa5, length);
    mc_buf_init(&code, 1 << 26);
    assert_ok(mc_segment_encode(&code, bytes, length, kind, level, &workspace, method, &err), err);
    struct mc_bytes in = {(unsigned char *)code.data, (unsigned char *)code.data + code.length};
    assert_ok(mc_segment_decode(&in, again, length, &decoded, &workspace, &err), err);
    assert_int_equal(mc_bytes_left(&in), 0);
    assert_int_equal(decoded, length);
    assert_memory_equal(again, bytes, length);
    const size_t taken = code.length;
    free(again);
    mc_workspace_finish(&workspace);
    mc_buf_finish(&code);
    return taken;
}

static void test_dense_weights_lose_what_their_exponents_repeat(void **state)
{
    static float w[N];
    enum mc_method method;
    weights_normal(w, N, 0.05, 1);
    /* a normal number's exponent has 2.6 bits of entropy, sign and mantissa 24 */
    const size_t taken = round_trip(w, sizeof w, &float32, MC_CODE_FAST, &method);
    assert_int_equal(method, MC_METHOD_HIGHLOW);
    assert_true(taken < 26.6 / 32 * sizeof w);
}

static void test_sparse_weights_cost_mask_and_values(void **state)
{
    static float w[N];
    enum mc_method method;
    weights_normal(w, N, 0.05, 2);
    const size_t kept = weights_prune(w, N, 0.1);
    /* 0.469 bits an element for where, and less than 24 for what: the tail of a normal is short */
    for (int level = MC_CODE_FAST; level <= MC_CODE_BEST; level++) {
        const size_t taken = round_trip(w, sizeof w, &float32, (enum mc_code_level)level, &method);
        assert_int_equal(method, MC_METHOD_SPARSE);
        assert_true((double)taken < (0.475 * N + 24.0 * (double)kept) / 8 + 300);
    }
}

static void test_clustered_weights_become_indices(void **state)
{
    static float w[N];
    enum mc_method method;
    weights_normal(w, N, 0.05, 3);
    weights_cluster(w, N, 16);
    size_t count[16] = {0};
    float most = 0, least = 0;
    for (int i = 0; i < N; i++) most = fmaxf(most, w[i]), least = fminf(least, w[i]);
    double bits = 0;
    for (int i = 0; i < N; i++) count[lround((w[i] - least) / ((most - least) / 15))]++;
    for (int s = 0; s < 16; s++)
        if (count[s]) bits += (double)count[s] * log2((double)N / (double)count[s]);
    const size_t taken = round_trip(w, sizeof w, &float32, MC_CODE_FAST, &method);
    assert_int_equal(method, MC_METHOD_CODEBOOK);
    assert_true((double)taken < bits / 8 * 1.01 + 150);
    weights_prune(w, N, 0.05);
    for (int level = MC_CODE_FAST; level <= MC_CODE_BEST; level++)
        assert_true(round_trip(w, sizeof w, &float32, (enum mc_code_level)level, &method) < (N * 0.45) / 8 + 150);
}

static void test_constants_take_a_few_bytes(void **state)
{
    static float w[N];
    enum mc_method method;
    assert_true(round_trip(w, sizeof w, &float32, MC_CODE_FAST, &method) < 16);
    for (int i = 0; i < N; i++) w[i] = 1.5f;
    assert_true(round_trip(w, sizeof w, &float32, MC_CODE_FAST, &method) < 20);
}

static void test_what_repeats_goes_to_zstd(void **state)
{
    static float w[N];
    enum mc_method method;
    weights_normal(w, 1000, 0.05, 4);
    for (int i = 1000; i < N; i++) w[i] = w[i - 1000];
    assert_true(round_trip(w, sizeof w, &float32, MC_CODE_FAST, &method) < 4300);
    assert_int_equal(method, MC_METHOD_ZSTD);
}

static void test_noise_does_not_grow(void **state)
{
    static unsigned char noise[N];
    struct mc_rng rng;
    enum mc_method method;
    mc_rng_init(&rng, 5, 0);
    for (int i = 0; i < N; i++) noise[i] = (unsigned char)mc_rng_below(&rng, 256);
    assert_true(round_trip(noise, N, &float32, MC_CODE_BEST, &method) < N + 8);
    assert_int_equal(method, MC_METHOD_RAW);
}

/* Bytes of each pattern as elements of every width, said to be floats or not, in lengths that do not fit. */
static void test_every_width_and_length_comes_back(void **state)
{
    static unsigned char bytes[4096];
    static const int exponents[] = {0, 5, 8, 11};
    struct mc_rng rng;
    mc_rng_init(&rng, 6, 0);
    for (int pattern = 0; pattern < 4; pattern++) {
        for (size_t i = 0; i < sizeof bytes; i++) {
            const unsigned char byte = (unsigned char)mc_rng_below(&rng, 256);
            bytes[i] = pattern == 0   ? byte
                       : pattern == 1 ? (unsigned char)(byte < 10 ? byte : 0)
                       : pattern == 2 ? (unsigned char)(i / 64 % 3 ? byte & 0x83 : 0)
                                      : (unsigned char)(byte & 1 ? 0xff : 0x7f);
        }
        for (int width = 1; width <= 8; width *= 2)
            for (size_t e = 0; e < sizeof exponents / sizeof *exponents; e++)
                for (size_t length = 1; length <= sizeof bytes; length = length * 3 + 5) {
                    if (exponents[e] >= 8 * width) continue;
                    const struct mc_element_kind kind = {
                        .width = width, .exponent_bits = exponents[e], .columns = (uint32_t)length % 50, .pitch = 3};
                    enum mc_method method;
                    round_trip(bytes, length, &kind, (enum mc_code_level)(length % 2), &method);
                }
    }
}

/* A code of anything: refused, or something decoded; never a step beyond it. */
static void try_code(const unsigned char *code, size_t length)
{
    static unsigned char out[8192];
    struct mc_workspace workspace = {0};
    struct mc_error err = {0};
    size_t decoded;
    unsigned char *exact = malloc(length ? length : 1);
    memcpy(exact, code, length);
    struct mc_bytes in = {exact, exact + length};
    const int rc = mc_segment_decode(&in, out, sizeof out, &decoded, &workspace, &err);
    assert_true(rc == MC_OK || (rc == MC_ERR_INPUT && err.text[0]));
    assert_true(rc < 0 || decoded <= sizeof out);
    free(exact);
    mc_workspace_finish(&workspace);
}

static void test_broken_code_is_refused(void **state)
{
    enum { SMALL = 1500 };
    for (int kind_of_weights = 0; kind_of_weights < 4; kind_of_weights++) {
        static float w[SMALL];
        struct mc_error err = {0};
        struct mc_workspace workspace = {0};
        struct mc_buf code;
        weights_normal(w, SMALL, 0.05, 7);
        if (kind_of_weights & 1) weights_prune(w, SMALL, 0.1);
        if (kind_of_weights & 2) weights_cluster(w, SMALL, 8);
        mc_buf_init(&code, 1 << 20);
        assert_ok(mc_segment_encode(&code, (unsigned char *)w, sizeof w, &float32,
                                    (enum mc_code_level)(kind_of_weights & 1), &workspace, NULL, &err),
                  err);
        unsigned char *bytes = (unsigned char *)code.data;
        for (size_t n = 0; n < code.length; n += n < 300 ? 1 : 37) try_code(bytes, n);
        for (size_t i = 0; i < code.length; i += i < 300 ? 1 : 37)
            for (int bit = 0; bit < 8; bit++) {
                bytes[i] ^= (unsigned char)(1 << bit);
                try_code(bytes, code.length);
                bytes[i] ^= (unsigned char)(1 << bit);
            }
        mc_buf_finish(&code);
        mc_workspace_finish(&workspace);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dense_weights_lose_what_their_exponents_repeat),
        cmocka_unit_test(test_sparse_weights_cost_mask_and_values),
        cmocka_unit_test(test_clustered_weights_become_indices),
        cmocka_unit_test(test_constants_take_a_few_bytes),
        cmocka_unit_test(test_what_repeats_goes_to_zstd),
        cmocka_unit_test(test_noise_does_not_grow),
        cmocka_unit_test(test_every_width_and_length_comes_back),
        cmocka_unit_test(test_broken_code_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
