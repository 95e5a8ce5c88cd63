/* test_recurrent.c - RNN, GRU, LSTM: the float32 that is packed and runs on SIMD units against float64, which does
 * neither. What ONNX Runtime makes of them is in vectors/. */
#include "base/alloc.h"
#include "harness.h"

enum { T = 5, N = 3, I = 7, H = 18, D = 2 };

#define STORED(...)                                                                                                    \
    {                                                                                                                  \
        OP_DIMS(__VA_ARGS__), .initializer = true                                                                      \
    }
#define WEIGHTS(gates) {OP_DIMS(T, N, I)}, STORED(D, gates *H, I), STORED(D, gates *H, H), STORED(D, 2 * gates * H)
#define LENGTHS_OF_SAMPLES                                                                                             \
    {                                                                                                                  \
        .dtype = MC_INT32, OP_DIMS(N), OP_DATA(5, 2, 4)                                                                \
    }
#define BOTH_WAYS OP_INT("hidden_size", H), OP_STRING("direction", "bidirectional")

static const struct op_case cases[] = {
    {.type = "LSTM", .opset = 14, .attrs = {BOTH_WAYS}, .in = {WEIGHTS(4), LENGTHS_OF_SAMPLES}, .n_out = 3},
    {.type = "GRU", .opset = 14, .attrs = {BOTH_WAYS}, .in = {WEIGHTS(3), LENGTHS_OF_SAMPLES}, .n_out = 2},
    {.type = "GRU",
     .opset = 14,
     .attrs = {BOTH_WAYS, OP_INT("linear_before_reset", 1)},
     .in = {WEIGHTS(3), LENGTHS_OF_SAMPLES},
     .n_out = 2},
    {.type = "RNN", .opset = 14, .attrs = {BOTH_WAYS}, .in = {WEIGHTS(1), LENGTHS_OF_SAMPLES}, .n_out = 2},
    /* without biases, the matrix fed */
    {.type = "GRU",
     .opset = 14,
     .attrs = {OP_INT("hidden_size", H), OP_INT("linear_before_reset", 1)},
     .in = {{OP_DIMS(T, N, I)}, {OP_DIMS(1, 3 * H, I)}, {OP_DIMS(1, 3 * H, H)}},
     .n_out = 2},
    /* samples first, no unit for it: clipped, and other activations */
    {.type = "LSTM",
     .opset = 14,
     .attrs = {OP_INT("hidden_size", H), OP_FLOAT("clip", 0.5f), OP_INT("layout", 1)},
     .in = {{OP_DIMS(N, T, I)}, STORED(1, 4 * H, I), STORED(1, 4 * H, H)},
     .n_out = 3},
};

static void test_units_agree_with_double_precision(void **state)
{
    for (size_t i = 0; i < MC_COUNT(cases); i++)
        for (int cpu = MC_CPU_PORTABLE; cpu <= MC_CPU_AVX512; cpu++)
            for (int threads = 1; threads <= 2; threads++) {
                struct mc_runtime runtime;
                struct op_case c = cases[i];
                mc_runtime_init(&runtime, threads, cpu);
                c.runtime = &runtime;
                op_check_precision(&c, 2e-6);
            }
}

static void test_failed_allocations(void **state)
{
    for (size_t i = 0; i < MC_COUNT(cases); i++) op_check_memory(&cases[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_units_agree_with_double_precision),
        cmocka_unit_test(test_failed_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
