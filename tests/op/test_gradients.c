/* test_gradients.c - every operator that has a derivative, against differences; what trains and is in no case here
 * fails.
 *
 * Odd shapes on purpose: what broadcasts, strides, groups, pads, axes of one and of no element.
 */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "harness.h"
#include "op/ops.h"
#include "run/plan.h"

#define MICROSOFT(name) .domain = "com.microsoft", .type = name, .opset = 1
#define STORED(...)                                                                                                    \
    {                                                                                                                  \
        OP_DIMS(__VA_ARGS__), .initializer = true                                                                      \
    }
#define INDICES(dims, ...)                                                                                             \
    {                                                                                                                  \
        .dtype = MC_INT64, dims, OP_DATA(__VA_ARGS__)                                                                  \
    }

static const struct op_case normalizations[] = {
    {.type = "LayerNormalization",
     .opset = 17,
     .attrs = {OP_INT("axis", 1)},
     .in = {{OP_DIMS(2, 3, 5)}, {OP_DIMS(3, 5)}, {OP_DIMS(3, 5)}}},
    {.type = "BatchNormalization",
     .opset = 9,
     .in = {{OP_DIMS(3, 2, 4)},
            {OP_DIMS(2)},
            {OP_DIMS(2)},
            {OP_DIMS(2), .initializer = true},
            {OP_DIMS(2), .low = 0.5, .high = 2, .initializer = true}}},
    {.type = "BatchNormalization",
     .opset = 15,
     .in = {{OP_DIMS(4, 3)},
            {OP_DIMS(3)},
            {OP_DIMS(3)},
            {OP_DIMS(3), .initializer = true},
            {OP_DIMS(3), .low = 0.5, .high = 2, .initializer = true}}},
    {.type = "InstanceNormalization", .opset = 6, .in = {{OP_DIMS(2, 3, 5)}, {OP_DIMS(3)}, {OP_DIMS(3)}}},
    {.type = "InstanceNormalization", .opset = 6, .in = {{OP_DIMS(1, 2, 3, 3)}, {OP_DIMS(2)}, {OP_DIMS(2)}}},
    {.type = "InstanceNormalization", .opset = 6, .in = {{OP_DIMS(0, 2, 3)}, {OP_DIMS(2)}, {OP_DIMS(2)}}},
    {.type = "GroupNormalization",
     .opset = 18,
     .attrs = {OP_INT("num_groups", 2)},
     .in = {{OP_DIMS(3, 6, 2, 3)}, {OP_DIMS(2)}, {OP_DIMS(2)}}},
    {.type = "GroupNormalization",
     .opset = 21,
     .attrs = {OP_INT("num_groups", 3)},
     .in = {{OP_DIMS(2, 6, 5)}, {OP_DIMS(6)}, {OP_DIMS(6)}}},
    {.type = "GroupNormalization",
     .opset = 21,
     .attrs = {OP_INT("num_groups", 1), OP_FLOAT("epsilon", 0.1f)},
     .in = {{OP_DIMS(2, 4)}, {OP_DIMS(4)}, {OP_DIMS(4)}}},
    {.type = "RMSNormalization", .opset = 23, .in = {{OP_DIMS(3, 5)}, {OP_DIMS(5)}}},
    {.type = "RMSNormalization",
     .opset = 23,
     .attrs = {OP_INT("axis", 1)},
     .in = {{OP_DIMS(2, 3, 4)}, {OP_DIMS(3, 1)}}},
    {.type = "RMSNormalization", .opset = 23, .in = {{OP_DIMS(0, 5)}, {OP_DIMS(5)}}},
    {.type = "MeanVarianceNormalization", .opset = 13, .in = {{OP_DIMS(2, 3, 2, 2)}}},
    {.type = "MeanVarianceNormalization", .opset = 13, .attrs = {OP_INTS("axes", 1)}, .in = {{OP_DIMS(2, 5, 1)}}},
    {.type = "LpNormalization", .opset = 1, .in = {{OP_DIMS(3, 4)}}},
    {.type = "LpNormalization",
     .opset = 1,
     .attrs = {OP_INT("axis", 1), OP_INT("p", 1)},
     .in = {{OP_DIMS(2, 3, 4)}},
     .kink = 0.01},
    {.type = "LRN",
     .opset = 13,
     .attrs = {OP_INT("size", 4), OP_FLOAT("alpha", 0.5f), OP_FLOAT("bias", 1.5f)},
     .in = {{OP_DIMS(2, 7, 3)}}},
    {.type = "LRN", .opset = 13, .attrs = {OP_INT("size", 3), OP_FLOAT("alpha", 1)}, .in = {{OP_DIMS(1, 1, 2, 2)}}},
    {.type = "SimplifiedLayerNormalization", .opset = 1, .in = {{OP_DIMS(3, 5)}, {OP_DIMS(5)}}},
    {MICROSOFT("SkipLayerNormalization"), .n_out = 4, .f32_only = true,
     .in = {{OP_DIMS(2, 3, 4)}, {OP_DIMS(2, 3, 4)}, {OP_DIMS(4)}, {OP_DIMS(4)}, {OP_DIMS(4)}}},
    {MICROSOFT("SkipLayerNormalization"),
     .in = {{OP_DIMS(2, 3, 4)}, {OP_DIMS(2, 3, 4)}, {OP_DIMS(4)}, {OP_DIMS(4)}, {OP_DIMS(4)}}},
    {MICROSOFT("SkipSimplifiedLayerNormalization"),
     .in = {{OP_DIMS(2, 3, 4)}, {OP_DIMS(2, 3, 4)}, {OP_DIMS(4)}, {OP_DIMS(4)}}},
    {MICROSOFT("EmbedLayerNormalization"), .in = {{.dtype = MC_INT32, OP_DIMS(2, 3), OP_DATA(0, 3, 1, 3, 2, 0)},
                                                  {.dtype = MC_INT32, OP_DIMS(2, 3), OP_DATA(0, 1, 1, 0, 0, 0)},
                                                  {OP_DIMS(4, 5)},
                                                  {OP_DIMS(3, 5)},
                                                  {OP_DIMS(2, 5)},
                                                  {OP_DIMS(5)},
                                                  {OP_DIMS(5)}}},
};

static const struct op_case attentions[] = {
    {.type = "Attention", .opset = 23, .in = {{OP_DIMS(2, 2, 3, 4)}, {OP_DIMS(2, 2, 5, 4)}, {OP_DIMS(2, 2, 5, 3)}}},
    {.type = "Attention", /* more queries than a block has, groups of heads, a mask that broadcasts */
     .opset = 23,
     .attrs = {OP_INT("is_causal", 1), OP_FLOAT("scale", 0.7f)},
     .in = {{OP_DIMS(1, 4, 67, 2)}, {OP_DIMS(1, 2, 67, 2)}, {OP_DIMS(1, 2, 67, 3)}, {OP_DIMS(4, 1, 67)}}},
    {.type = "Attention", /* packed heads, capped */
     .opset = 23,
     .attrs = {OP_INT("q_num_heads", 2), OP_INT("kv_num_heads", 1), OP_FLOAT("softcap", 0.8f)},
     .in = {{OP_DIMS(2, 3, 8)}, {OP_DIMS(2, 5, 4)}, {OP_DIMS(2, 5, 3)}, {OP_DIMS(3, 5)}}},
    {.type = "Attention", /* a past, whose joined keys and values are given out */
     .opset = 23,
     .attrs = {OP_INT("q_num_heads", 2), OP_INT("kv_num_heads", 2)},
     .in = {{OP_DIMS(1, 3, 4)},
            {OP_DIMS(1, 3, 4)},
            {OP_DIMS(1, 3, 6)},
            OP_ABSENT,
            {OP_DIMS(1, 2, 2, 2)},
            {OP_DIMS(1, 2, 2, 3)}},
     .n_out = 3},
    {.type = "Attention",
     .opset = 23,
     .attrs = {OP_FLOAT("softcap", 0.9f), OP_INT("qk_matmul_output_mode", 1)},
     .in = {{OP_DIMS(1, 2, 3, 2)}, {OP_DIMS(1, 2, 4, 2)}, {OP_DIMS(1, 2, 4, 2)}},
     .n_out = 4},
    {.type = "Attention",
     .opset = 23,
     .attrs = {OP_INT("qk_matmul_output_mode", 3)},
     .in = {{OP_DIMS(1, 2, 3, 2)}, {OP_DIMS(1, 2, 4, 2)}, {OP_DIMS(1, 2, 4, 2)}, {OP_DIMS(3, 4)}},
     .n_out = 4},
    {.type = "Attention", /* where one query may look at nothing */
     .opset = 23,
     .in = {{OP_DIMS(1, 1, 2, 2)},
            {OP_DIMS(1, 1, 2, 2)},
            {OP_DIMS(1, 1, 2, 2)},
            {.dtype = MC_BOOL, OP_DIMS(2, 2), OP_DATA(1, 0, 0, 0)}}},
    {.type = "Attention", .opset = 23, .in = {{OP_DIMS(1, 1, 0, 2)}, {OP_DIMS(1, 1, 3, 2)}, {OP_DIMS(1, 1, 3, 2)}}},
    {MICROSOFT("Attention"), .attrs = {OP_INT("num_heads", 2), OP_INT("unidirectional", 1)}, .f32_only = true,
     .in = {{OP_DIMS(2, 3, 4)}, STORED(4, 12), STORED(12)}},
    {MICROSOFT("Attention"), .attrs = {OP_INT("num_heads", 2)}, .n_out = 2,
     .in = {{OP_DIMS(1, 3, 4)}, STORED(4, 12), STORED(12), OP_ABSENT, {OP_DIMS(2, 1, 2, 1, 2)}, {OP_DIMS(1, 2, 3, 4)}}},
    {MICROSOFT("MultiHeadAttention"), .attrs = {OP_INT("num_heads", 2)},
     .in =
         {{OP_DIMS(2, 3, 4)}, {OP_DIMS(2, 5, 4)}, {OP_DIMS(2, 5, 4)}, {OP_DIMS(12)}, OP_ABSENT, {OP_DIMS(1, 2, 3, 5)}}},
    {MICROSOFT("MultiHeadAttention"), .attrs = {OP_INT("num_heads", 2)}, .in = {{OP_DIMS(2, 3, 2, 3, 2)}}},
    {MICROSOFT("MultiHeadAttention"), .attrs = {OP_INT("num_heads", 2)}, .n_out = 3,
     .in = {{OP_DIMS(1, 3, 4)},
            {OP_DIMS(1, 3, 4)},
            {OP_DIMS(1, 3, 4)},
            OP_ABSENT,
            OP_ABSENT,
            OP_ABSENT,
            {OP_DIMS(1, 2, 2, 2)},
            {OP_DIMS(1, 2, 2, 2)}}},
    {MICROSOFT("GroupQueryAttention"), /* a prompt, turned */
     .attrs = {OP_INT("num_heads", 2), OP_INT("kv_num_heads", 1), OP_INT("do_rotary", 1)},
     .in = {{OP_DIMS(2, 3, 8)},
            {OP_DIMS(2, 3, 4)},
            {OP_DIMS(2, 3, 4)},
            OP_ABSENT,
            OP_ABSENT,
            {.dtype = MC_INT32, OP_DIMS(2), OP_DATA(2, 2)},
            {.dtype = MC_INT32, OP_DIMS(1), OP_DATA(3)},
            {OP_DIMS(5, 2), .initializer = true},
            {OP_DIMS(5, 2), .initializer = true}}},
    {MICROSOFT("GroupQueryAttention"), /* behind a past */
     .attrs = {OP_INT("num_heads", 2), OP_INT("kv_num_heads", 1)},
     .in = {{OP_DIMS(1, 1, 8)},
            {OP_DIMS(1, 1, 4)},
            {OP_DIMS(1, 1, 4)},
            {OP_DIMS(1, 1, 3, 4)},
            {OP_DIMS(1, 1, 3, 4)},
            {.dtype = MC_INT32, OP_DIMS(1), OP_DATA(2)},
            {.dtype = MC_INT32, OP_DIMS(1), OP_DATA(3)}},
     .n_out = 3},
};

static const struct op_case fused[] = {
    {MICROSOFT("FusedConv"), .attrs = {OP_STRING("activation", "Tanh"), OP_INTS("pads", 1, 0, 1, 0)},
     .in = {{OP_DIMS(2, 2, 5, 4)}, STORED(6, 2, 3, 2), STORED(6), {OP_DIMS(2, 6, 5, 3)}}, .n_in = 4},
    {MICROSOFT("FusedConv"), .attrs = {OP_STRING("activation", "Sigmoid")},
     .in = {{OP_DIMS(1, 2, 5)}, STORED(3, 2, 1)}},
    {MICROSOFT("FusedGemm"), .attrs = {OP_STRING("activation", "Tanh"), OP_INT("transB", 1)},
     .in = {{OP_DIMS(2, 3)}, STORED(4, 3), STORED(4)}},
    {MICROSOFT("FusedMatMul"), .attrs = {OP_INT("transA", 1), OP_FLOAT("alpha", 2.5f)},
     .in = {{OP_DIMS(2, 3, 4)}, {OP_DIMS(3, 5)}}},
    {MICROSOFT("Gelu"), .in = {{OP_DIMS(3, 5)}}},
    {MICROSOFT("BiasGelu"), .in = {{OP_DIMS(2, 3, 5)}, {OP_DIMS(5)}}},
    {MICROSOFT("FastGelu"), .in = {{OP_DIMS(3, 5)}, {OP_DIMS(5)}}},
    {MICROSOFT("QuickGelu"), .in = {{OP_DIMS(3, 1)}}},
};

#define SEQUENCE(gates)                                                                                                \
    {OP_DIMS(4, 3, 2)}, {OP_DIMS(1, gates * 5, 2)}, {OP_DIMS(1, gates * 5, 5)},                                        \
    {                                                                                                                  \
        OP_DIMS(1, gates * 10)                                                                                         \
    }
#define BOTH_WAYS(gates)                                                                                               \
    {OP_DIMS(4, 3, 2)}, {OP_DIMS(2, gates * 5, 2)}, {OP_DIMS(2, gates * 5, 5)},                                        \
    {                                                                                                                  \
        OP_DIMS(2, gates * 10)                                                                                         \
    }
#define ENDS                                                                                                           \
    {                                                                                                                  \
        .dtype = MC_INT32, OP_DIMS(3), OP_DATA(4, 0, 2)                                                                \
    }
#define STATES(directions)                                                                                             \
    {                                                                                                                  \
        OP_DIMS(directions, 3, 5)                                                                                      \
    }

/* `clip` sits far from where the draws of these seeds are. */
static const struct op_case recurrences[] = {
    {.type = "RNN", .opset = 14, .attrs = {OP_INT("hidden_size", 5)}, .in = {SEQUENCE(1), ENDS, STATES(1)}, .n_out = 2},
    {.type = "RNN",
     .opset = 14,
     .attrs = {OP_INT("hidden_size", 5), OP_STRING("direction", "bidirectional"),
               OP_STRINGS("activations", "Softsign", "ScaledTanh"), OP_FLOATS("activation_alpha", 1.5f),
               OP_FLOATS("activation_beta", 0.5f)},
     .in = {BOTH_WAYS(1)},
     .n_out = 2},
    {.type = "GRU", .opset = 14, .attrs = {OP_INT("hidden_size", 5)}, .in = {SEQUENCE(3), ENDS, STATES(1)}, .n_out = 2},
    {.type = "GRU",
     .opset = 14,
     .attrs = {OP_INT("hidden_size", 5), OP_INT("linear_before_reset", 1), OP_STRING("direction", "bidirectional")},
     .in = {BOTH_WAYS(3), ENDS, STATES(2)},
     .n_out = 2},
    {.type = "GRU",
     .opset = 14,
     .attrs = {OP_INT("hidden_size", 5), OP_STRING("direction", "reverse"),
               OP_STRINGS("activations", "Elu", "Softplus"), OP_FLOAT("clip", 0.9f)},
     .in = {{OP_DIMS(4, 3, 2)}, {OP_DIMS(1, 15, 2)}, {OP_DIMS(1, 15, 5)}},
     .n_out = 2},
    {.type = "GRU",
     .opset = 14,
     .attrs = {OP_INT("hidden_size", 5), OP_INT("layout", 1), OP_INT("linear_before_reset", 1)},
     .in = {{OP_DIMS(3, 4, 2)}, {OP_DIMS(1, 15, 2)}, {OP_DIMS(1, 15, 5)}},
     .n_out = 2},
    {.type = "LSTM",
     .opset = 14,
     .attrs = {OP_INT("hidden_size", 5)},
     .in = {SEQUENCE(4), ENDS, STATES(1), STATES(1)},
     .n_out = 3},
    {.type = "LSTM",
     .opset = 14,
     .attrs = {OP_INT("hidden_size", 5), OP_STRING("direction", "bidirectional")},
     .in = {BOTH_WAYS(4), ENDS, STATES(2), STATES(2), {OP_DIMS(2, 15)}},
     .n_out = 3},
    {.type = "LSTM",
     .opset = 14,
     .attrs = {OP_INT("hidden_size", 5), OP_INT("layout", 1), OP_INT("input_forget", 1), OP_FLOAT("clip", 0.7f),
               OP_STRINGS("activations", "HardSigmoid", "Affine", "LeakyRelu")},
     .in = {{OP_DIMS(3, 4, 2)}, {OP_DIMS(1, 20, 2)}, {OP_DIMS(1, 20, 5)}},
     .n_out = 3},
    {.type = "LSTM", /* nobody asks for the states of all turns */
     .opset = 14,
     .attrs = {OP_INT("hidden_size", 5)},
     .in = {{OP_DIMS(0, 3, 2)}, {OP_DIMS(1, 20, 2)}, {OP_DIMS(1, 20, 5)}, OP_ABSENT, OP_ABSENT, STATES(1)},
     .n_out = 3},
};

static const struct op_case moves[] = {
    {.type = "Concat",
     .opset = 13,
     .attrs = {OP_INT("axis", 1)},
     .in = {{OP_DIMS(2, 3, 2)}, {OP_DIMS(2, 0, 2)}, {OP_DIMS(2, 1, 2)}}},
    {.type = "DepthToSpace", .opset = 13, .attrs = {OP_INT("blocksize", 2)}, .in = {{OP_DIMS(1, 8, 3, 2)}}},
    {.type = "SpaceToDepth", .opset = 13, .attrs = {OP_INT("blocksize", 2)}, .in = {{OP_DIMS(1, 2, 4, 6)}}},
    {.type = "Expand", .opset = 13, .in = {{OP_DIMS(3, 1)}, INDICES(OP_DIMS(3), 2, 1, 4)}},
    {.type = "Flatten", .opset = 13, .attrs = {OP_INT("axis", 2)}, .in = {{OP_DIMS(2, 3, 4)}}},
    {.type = "Gather",
     .opset = 13,
     .attrs = {OP_INT("axis", 1)},
     .in = {{OP_DIMS(2, 3, 2)}, INDICES(OP_DIMS(2, 2), 0, -1, 0, 2)}},
    {.type = "Pad", .opset = 2, .attrs = {OP_INTS("pads", 1, 0, 0, 2)}, .in = {{OP_DIMS(2, 3)}}},
    {.type = "Pad",
     .opset = 13,
     .attrs = {OP_STRING("mode", "reflect")},
     .in = {{OP_DIMS(3, 4)}, INDICES(OP_DIMS(4), 1, 2, 2, 1)}},
    {.type = "Pad",
     .opset = 18,
     .attrs = {OP_STRING("mode", "edge")},
     .in = {{OP_DIMS(3, 4)}, INDICES(OP_DIMS(4), 1, 2, -1, 1)}},
    {.type = "Pad",
     .opset = 19,
     .attrs = {OP_STRING("mode", "wrap")},
     .in = {{OP_DIMS(3, 4)}, INDICES(OP_DIMS(4), 1, 2, 2, 1)}},
    {.type = "Reshape", .opset = 1, .attrs = {OP_INTS("shape", 3, -1)}, .in = {{OP_DIMS(2, 3, 2)}}},
    {.type = "Reshape", .opset = 14, .in = {{OP_DIMS(2, 3, 2)}, INDICES(OP_DIMS(2), -1, 2)}},
    {.type = "Slice", .opset = 1, .attrs = {OP_INTS("starts", 1, -2), OP_INTS("ends", 2, 9)}, .in = {{OP_DIMS(3, 4)}}},
    {.type = "Slice",
     .opset = 13,
     .in = {{OP_DIMS(3, 7)},
            INDICES(OP_DIMS(2), 2, -1),
            INDICES(OP_DIMS(2), 0, -7),
            INDICES(OP_DIMS(2), 0, 1),
            INDICES(OP_DIMS(2), -1, -2)}},
    {.type = "Split", .opset = 2, .attrs = {OP_INT("axis", 1)}, .in = {{OP_DIMS(2, 6)}}, .n_out = 3},
    {.type = "Split",
     .opset = 13,
     .attrs = {OP_INT("axis", 1)},
     .in = {{OP_DIMS(2, 6)}, INDICES(OP_DIMS(3), 1, 0, 5)},
     .n_out = 3},
    {.type = "Split", .opset = 18, .attrs = {OP_INT("num_outputs", 2)}, .in = {{OP_DIMS(5, 2)}}, .n_out = 2},
    {.type = "Squeeze", .opset = 11, .attrs = {OP_INTS("axes", 1)}, .in = {{OP_DIMS(2, 1, 3)}}},
    {.type = "Squeeze", .opset = 13, .in = {{OP_DIMS(2, 1, 3)}}},
    {.type = "Unsqueeze", .opset = 11, .attrs = {OP_INTS("axes", 1, 3)}, .in = {{OP_DIMS(2, 3)}}},
    {.type = "Unsqueeze", .opset = 13, .in = {{OP_DIMS(2, 3)}, INDICES(OP_DIMS(1), -1)}},
    {.type = "Transpose", .opset = 13, .attrs = {OP_INTS("perm", 2, 0, 1)}, .in = {{OP_DIMS(2, 3, 4)}}},
    {.type = "RotaryEmbedding",
     .opset = 23,
     .in = {{OP_DIMS(2, 2, 3, 4)}, {OP_DIMS(2, 3, 2), .initializer = true}, {OP_DIMS(2, 3, 2), .initializer = true}}},
    {.type = "RotaryEmbedding",
     .opset = 23,
     .attrs = {OP_INT("num_heads", 2), OP_INT("interleaved", 1), OP_INT("rotary_embedding_dim", 2)},
     .in = {{OP_DIMS(1, 3, 8)},
            {OP_DIMS(5, 1), .initializer = true},
            {OP_DIMS(5, 1), .initializer = true},
            INDICES(OP_DIMS(1, 3), 4, 0, 2)}},
    {MICROSOFT("RotaryEmbedding"), .in = {{OP_DIMS(1, 3, 4)},
                                          INDICES(OP_DIMS(1, 3), 1, 0, 2),
                                          {OP_DIMS(4, 2), .initializer = true},
                                          {OP_DIMS(4, 2), .initializer = true}}},
    {.type = "GatherElements",
     .opset = 13,
     .attrs = {OP_INT("axis", 1)},
     .in = {{OP_DIMS(3, 4)}, INDICES(OP_DIMS(2, 5), 0, 3, -1, 0, 2, 1, 1, 1, 0, -4)}},
    {.type = "GatherElements", .opset = 13, .in = {{OP_DIMS(3, 2)}, {.dtype = MC_INT64, OP_DIMS(0, 2)}}},
    {.type = "GatherND", .opset = 13, .in = {{OP_DIMS(2, 3, 4)}, INDICES(OP_DIMS(3, 2), 0, 1, 1, -1, 0, 1)}},
    {.type = "GatherND",
     .opset = 13,
     .attrs = {OP_INT("batch_dims", 1)},
     .in = {{OP_DIMS(2, 3, 4)}, INDICES(OP_DIMS(2, 1), 2, 0)}},
    {.type = "Scatter", .opset = 10, .in = {{OP_DIMS(3, 2)}, INDICES(OP_DIMS(2, 2), 1, 0, -1, 2), {OP_DIMS(2, 2)}}},
    {.type = "ScatterElements", /* two go to one place: the later stays */
     .opset = 18,
     .attrs = {OP_INT("axis", 1)},
     .in = {{OP_DIMS(2, 4)}, INDICES(OP_DIMS(2, 3), 1, 1, 0, 3, 2, 3), {OP_DIMS(2, 3)}}},
    {.type = "ScatterElements",
     .opset = 18,
     .attrs = {OP_STRING("reduction", "add")},
     .in = {{OP_DIMS(3, 2)}, INDICES(OP_DIMS(2, 2), 0, 0, 0, 2), {OP_DIMS(2, 2)}}},
    {.type = "ScatterElements",
     .opset = 18,
     .attrs = {OP_STRING("reduction", "mul")},
     .in = {{OP_DIMS(3, 2), OP_DATA(2, 0, -1, 3, 0, 1)},
            INDICES(OP_DIMS(3, 2), 0, 0, 0, 2, 1, 2),
            {OP_DIMS(3, 2), OP_DATA(0, 0.5, 3, 0, 2, 0)}}},
    {.type = "ScatterElements",
     .opset = 18,
     .attrs = {OP_STRING("reduction", "max")},
     .in = {{OP_DIMS(3, 2)}, INDICES(OP_DIMS(3, 2), 0, 0, 0, 2, 1, 2), {OP_DIMS(3, 2)}}},
    {.type = "ScatterND", .opset = 18, .in = {{OP_DIMS(4, 3)}, INDICES(OP_DIMS(3, 1), 1, -1, 1), {OP_DIMS(3, 3)}}},
    {.type = "ScatterND",
     .opset = 18,
     .attrs = {OP_STRING("reduction", "min")},
     .in = {{OP_DIMS(4, 3)}, INDICES(OP_DIMS(3, 1), 1, -1, 1), {OP_DIMS(3, 3)}}},
    {.type = "ScatterND",
     .opset = 18,
     .attrs = {OP_STRING("reduction", "mul")},
     .in = {{OP_DIMS(4)}, INDICES(OP_DIMS(3, 1), 1, -1, 1), {OP_DIMS(3)}}},
    {.type = "TensorScatter", .opset = 24, .in = {{OP_DIMS(2, 5, 3)}, {OP_DIMS(2, 2, 3)}, INDICES(OP_DIMS(2), 1, 3)}},
    {.type = "TensorScatter",
     .opset = 24,
     .attrs = {OP_STRING("mode", "circular"), OP_INT("axis", 1)},
     .in = {{OP_DIMS(2, 3, 2)}, {OP_DIMS(2, 2, 2)}, INDICES(OP_DIMS(2), 2, 0)}},
    {.type = "Tile", .opset = 13, .in = {{OP_DIMS(2, 1, 3)}, INDICES(OP_DIMS(3), 1, 4, 2)}},
    {.type = "Tile", .opset = 13, .in = {{OP_DIMS(2, 3)}, INDICES(OP_DIMS(2), 0, 2)}},
    {.type = "Tile", .opset = 13, .in = {{OP_SCALAR}, {.dtype = MC_INT64, OP_DIMS(0)}}},
    {.type = "Trilu", .opset = 14, .in = {{OP_DIMS(2, 3, 4)}, INDICES(OP_SCALAR, 1)}},
    {.type = "Trilu", .opset = 14, .attrs = {OP_INT("upper", 0)}, .in = {{OP_DIMS(4, 2)}}},
    {.type = "OneHot",
     .opset = 11,
     .attrs = {OP_INT("axis", 0)},
     .in = {INDICES(OP_DIMS(2, 2), 0, -1, 3, 9), INDICES(OP_SCALAR, 4), {OP_DIMS(2)}}},
    {.type = "ReverseSequence", .opset = 10, .in = {{OP_DIMS(4, 3, 2)}, INDICES(OP_DIMS(3), 4, 1, 3)}},
    {.type = "ReverseSequence",
     .opset = 10,
     .attrs = {OP_INT("batch_axis", 0), OP_INT("time_axis", 1)},
     .in = {{OP_DIMS(2, 3)}, INDICES(OP_DIMS(2), 2, 3)}},
    {.type = "CenterCropPad", .opset = 18, .in = {{OP_DIMS(5, 2, 3)}, INDICES(OP_DIMS(3), 2, 5, 3)}},
    {.type = "TopK",
     .opset = 11,
     .attrs = {OP_INT("axis", 0)},
     .in = {{OP_DIMS(5, 3)}, INDICES(OP_DIMS(1), 2)},
     .n_out = 2},
    {.type = "TopK", .opset = 1, .attrs = {OP_INT("k", 3)}, .in = {{OP_DIMS(2, 4)}}, .n_out = 2},
    {.type = "CumSum", .opset = 14, .attrs = {OP_INT("exclusive", 1)}, .in = {{OP_DIMS(3, 4)}, INDICES(OP_SCALAR, 1)}},
    {.type = "CumSum", .opset = 14, .attrs = {OP_INT("reverse", 1)}, .in = {{OP_DIMS(3, 4)}, INDICES(OP_SCALAR, 0)}},
    {.type = "CumProd", .opset = 26, .in = {{OP_DIMS(2, 4), OP_DATA(1, 2, 0, 3, 4, 0, 0, 5)}, INDICES(OP_SCALAR, 1)}},
    {.type = "CumProd",
     .opset = 26,
     .attrs = {OP_INT("exclusive", 1), OP_INT("reverse", 1)},
     .in = {{OP_DIMS(4, 3)}, INDICES(OP_SCALAR, -2)}},
};

#define REDUCTIONS(name, ...)                                                                                          \
    {.type = name,                                                                                                     \
     .opset = 13,                                                                                                      \
     .attrs = {OP_INTS("axes", 0, -1)},                                                                                \
     .in = {{OP_DIMS(3, 2, 4), __VA_ARGS__}},                                                                          \
     .kink = 0.01},                                                                                                    \
        {.type = name,                                                                                                 \
         .opset = 18,                                                                                                  \
         .attrs = {OP_INT("keepdims", 0)},                                                                             \
         .in = {{OP_DIMS(2, 1, 3), __VA_ARGS__}, INDICES(OP_DIMS(1), 2)},                                              \
         .kink = 0.01},                                                                                                \
    {                                                                                                                  \
        .type = name, .opset = 18, .in = {{OP_DIMS(5), __VA_ARGS__}}, .kink = 0.01                                     \
    }

static const struct op_case reductions[] = {
    REDUCTIONS("ReduceL1", .low = 0),
    REDUCTIONS("ReduceL2", .low = 0),
    REDUCTIONS("ReduceLogSum", .low = 0.5, .high = 2),
    REDUCTIONS("ReduceLogSumExp", .low = 0),
    REDUCTIONS("ReduceMax", .low = 0),
    REDUCTIONS("ReduceMean", .low = 0),
    REDUCTIONS("ReduceMin", .low = 0),
    REDUCTIONS("ReduceProd", .low = 0),
    REDUCTIONS("ReduceSumSquare", .low = 0),
    {.type = "ReduceProd",
     .opset = 13,
     .attrs = {OP_INTS("axes", 1)},
     .in = {{OP_DIMS(3, 3), OP_DATA(1, 2, 3, 4, 0, 5, 0, 6, 0)}}},
    {.type = "ReduceSum", .opset = 11, .attrs = {OP_INTS("axes", 1)}, .in = {{OP_DIMS(2, 3)}}},
    {.type = "ReduceSum", .opset = 13, .in = {{OP_DIMS(2, 1, 3)}, INDICES(OP_DIMS(2), 0, 2)}},
    {.type = "ReduceL2", .opset = 13, .attrs = {OP_INTS("axes", 0)}, .in = {{OP_DIMS(0, 3)}}},
};

#define SIZES(...) OP_ABSENT, OP_ABSENT, INDICES(OP_DIMS(OP_COUNT(int64_t, __VA_ARGS__)), __VA_ARGS__)
#define SCALES(n, ...)                                                                                                 \
    OP_ABSENT,                                                                                                         \
    {                                                                                                                  \
        OP_DIMS(n), OP_DATA(__VA_ARGS__), .dtype = MC_FLOAT, .initializer = true                                       \
    }

static const struct op_case samplings[] = {
    {.type = "Resize", .opset = 13, .in = {{OP_DIMS(1, 2, 3, 4)}, SIZES(1, 2, 5, 3)}},
    {.type = "Resize",
     .opset = 13,
     .attrs = {OP_STRING("mode", "linear")},
     .in = {{OP_DIMS(2, 1, 3, 4)}, SIZES(2, 1, 7, 3)}},
    {.type = "Resize",
     .opset = 19,
     .attrs = {OP_STRING("mode", "linear"), OP_INT("antialias", 1)},
     .in = {{OP_DIMS(1, 1, 7, 5)}, SIZES(1, 1, 3, 2)}},
    {.type = "Resize",
     .opset = 13,
     .attrs = {OP_STRING("mode", "cubic"), OP_STRING("coordinate_transformation_mode", "align_corners"),
               OP_INT("exclude_outside", 1)},
     .in = {{OP_DIMS(1, 2, 4, 3)}, SIZES(1, 2, 6, 5)}},
    {.type = "Resize",
     .opset = 13,
     .attrs = {OP_STRING("mode", "linear"), OP_STRING("coordinate_transformation_mode", "tf_crop_and_resize")},
     .in = {{OP_DIMS(1, 1, 4, 4)},
            {OP_DIMS(8), OP_DATA(0, 0, 0.3, 0.2, 1, 1, 1.4, 0.8), .initializer = true},
            OP_ABSENT,
            INDICES(OP_DIMS(4), 1, 1, 3, 5)}},
    {.type = "Resize", .opset = 13, .in = {{OP_DIMS(1, 1, 2, 2)}, SIZES(1, 1, 2, 2)}},
    {.type = "Resize", .opset = 13, .in = {{OP_DIMS(1, 0, 2, 2)}, SIZES(1, 0, 4, 2)}},
    {.type = "Resize",
     .opset = 10,
     .attrs = {OP_STRING("mode", "linear")},
     .in = {{OP_DIMS(1, 1, 2, 3)}, {OP_DIMS(4), OP_DATA(1, 1, 2, 1.5), .initializer = true}}},
    {.type = "Upsample",
     .opset = 9,
     .in = {{OP_DIMS(1, 1, 2, 3)}, {OP_DIMS(4), OP_DATA(1, 1, 2, 3), .initializer = true}}},
    {.type = "GridSample", .opset = 20, .in = {{OP_DIMS(2, 3, 4, 5)}, {OP_DIMS(2, 2, 3, 2), .low = -1.3, .high = 1.3}}},
    {.type = "GridSample",
     .opset = 20,
     .attrs = {OP_STRING("padding_mode", "border"), OP_INT("align_corners", 1)},
     .in = {{OP_DIMS(1, 1, 4, 5)}, {OP_DIMS(1, 3, 4, 2), .low = -1.3, .high = 1.3}}},
    {.type = "GridSample",
     .opset = 20,
     .attrs = {OP_STRING("padding_mode", "reflection"), OP_STRING("mode", "cubic")},
     .in = {{OP_DIMS(1, 2, 4, 5)}, {OP_DIMS(1, 3, 2, 2), .low = -1.5, .high = 1.5}}},
    {.type = "GridSample",
     .opset = 20,
     .attrs = {OP_STRING("padding_mode", "reflection")},
     .in = {{OP_DIMS(1, 2, 3, 5)}, {OP_DIMS(1, 3, 5, 2), .low = -3, .high = 3}}},
    {.type = "GridSample",
     .opset = 20,
     .attrs = {OP_STRING("mode", "nearest")},
     .in = {{OP_DIMS(1, 1, 3, 2, 4)}, {OP_DIMS(1, 2, 1, 2, 3), .low = -1.3, .high = 1.3}}},
    {.type = "AffineGrid", .opset = 20, .in = {{OP_DIMS(2, 2, 3)}, INDICES(OP_DIMS(4), 2, 1, 3, 4)}},
    {.type = "AffineGrid",
     .opset = 20,
     .attrs = {OP_INT("align_corners", 1)},
     .in = {{OP_DIMS(1, 3, 4)}, INDICES(OP_DIMS(5), 1, 1, 2, 1, 3)}},
    {.type = "RoiAlign",
     .opset = 16,
     .attrs = {OP_INT("output_height", 2), OP_INT("output_width", 3), OP_INT("sampling_ratio", 2)},
     .in = {{OP_DIMS(2, 2, 5, 4)},
            {OP_DIMS(3, 4), OP_DATA(0.2, 0.4, 3.1, 4.2, 1, 1, 2, 3, -1, 0, 9, 2), .initializer = true},
            INDICES(OP_DIMS(3), 0, 1, 0)}},
    {.type = "RoiAlign",
     .opset = 10,
     .attrs = {OP_INT("output_height", 2), OP_INT("output_width", 2), OP_STRING("mode", "max")},
     .in = {{OP_DIMS(1, 2, 5, 4)},
            {OP_DIMS(2, 4), OP_DATA(0.2, 0.4, 3.1, 4.2, 1, 1, 2, 3), .initializer = true},
            INDICES(OP_DIMS(2), 0, 0)}},
};

#define EINSUM(text, ...)                                                                                              \
    {                                                                                                                  \
        .type = "Einsum", .opset = 12, .attrs = {OP_STRING("equation", text)}, .in = { __VA_ARGS__ }                   \
    }

static const struct op_case sums[] = {
    EINSUM("bij,bjk->bik", {OP_DIMS(2, 3, 4)}, {OP_DIMS(2, 4, 5)}),
    EINSUM("bhid,bhjd->bhij", {OP_DIMS(2, 2, 3, 4)}, {OP_DIMS(2, 2, 5, 4)}),
    EINSUM("ij,kj->ki", {OP_DIMS(3, 1)}, {OP_DIMS(2, 4)}),
    EINSUM("...ij,...jk", {OP_DIMS(2, 3, 2)}, {OP_DIMS(1, 2, 3)}),
    EINSUM("ii->i", {OP_DIMS(3, 3)}),
    EINSUM("ij->", {OP_DIMS(3, 4)}),
    EINSUM("i,j,k->ki", {OP_DIMS(2)}, {OP_DIMS(3)}, {OP_DIMS(4)}),
    EINSUM("iij,j->i", {OP_DIMS(2, 2, 3)}, {OP_DIMS(3)}),
    EINSUM("ij,jk->ik", {OP_DIMS(3, 0)}, {OP_DIMS(0, 2)}),
};

static const struct op_case signals[] = {
    {.type = "DFT", .opset = 17, .in = {{OP_DIMS(2, 5, 1)}}},
    {.type = "DFT", .opset = 17, .attrs = {OP_INT("onesided", 1)}, .in = {{OP_DIMS(1, 6, 1)}, INDICES(OP_SCALAR, 8)}},
    {.type = "DFT", .opset = 20, .in = {{OP_DIMS(3, 4, 2)}, INDICES(OP_SCALAR, 2), INDICES(OP_SCALAR, 0)}},
    {.type = "DFT", .opset = 20, .attrs = {OP_INT("onesided", 1), OP_INT("inverse", 1)}, .in = {{OP_DIMS(1, 4, 2)}}},
    {.type = "DFT",
     .opset = 20,
     .attrs = {OP_INT("onesided", 1), OP_INT("inverse", 1)},
     .in = {{OP_DIMS(2, 4, 2)}, INDICES(OP_SCALAR, 5)}},
    {.type = "STFT", .opset = 17, .in = {{OP_DIMS(2, 11)}, INDICES(OP_SCALAR, 3), {OP_DIMS(5)}, INDICES(OP_SCALAR, 5)}},
    {.type = "STFT",
     .opset = 17,
     .attrs = {OP_INT("onesided", 0)},
     .in = {{OP_DIMS(1, 7, 2)}, INDICES(OP_SCALAR, 2), OP_ABSENT, INDICES(OP_SCALAR, 4)}},
    {.type = "CausalConvWithState",
     .opset = 27,
     .attrs = {OP_STRING("activation", "silu")},
     .in = {{OP_DIMS(2, 3, 5)}, {OP_DIMS(3, 1, 3)}, {OP_DIMS(3)}, {OP_DIMS(2, 3, 2)}},
     .n_out = 2},
    {.type = "CausalConvWithState", .opset = 27, .in = {{OP_DIMS(1, 2, 3)}, {OP_DIMS(2, 1, 5)}}, .n_out = 2},
    {.type = "LinearAttention",
     .opset = 27,
     .attrs = {OP_INT("q_num_heads", 4), OP_INT("kv_num_heads", 2)},
     .in = {{OP_DIMS(2, 3, 8)},
            {OP_DIMS(2, 3, 4)},
            {OP_DIMS(2, 3, 6)},
            {OP_DIMS(2, 2, 2, 3)},
            {OP_DIMS(2, 3, 4)},
            {OP_DIMS(2, 3, 1)}},
     .n_out = 2},
    {.type = "LinearAttention",
     .opset = 27,
     .attrs = {OP_INT("q_num_heads", 2), OP_INT("kv_num_heads", 2), OP_STRING("update_rule", "gated")},
     .in = {{OP_DIMS(1, 3, 4)}, {OP_DIMS(1, 3, 4)}, {OP_DIMS(1, 3, 2)}, OP_ABSENT, {OP_DIMS(1, 3, 2)}}},
    {.type = "LinearAttention",
     .opset = 27,
     .attrs = {OP_INT("q_num_heads", 2), OP_INT("kv_num_heads", 1), OP_STRING("update_rule", "linear")},
     .in = {{OP_DIMS(1, 4, 4)}, {OP_DIMS(1, 4, 2)}, {OP_DIMS(1, 4, 3)}}},
    {.type = "SwiGLU", .opset = 28, .attrs = {OP_FLOAT("alpha", 1.5f)}, .in = {{OP_DIMS(2, 3)}, {OP_DIMS(2, 3)}}},
};

static const struct op_case elements[] = {
    {.type = "Abs", .opset = 13, .in = {{OP_DIMS(3, 1, 5)}}, .kink = 0.01},
    {.type = "Acos", .opset = 7, .in = {{OP_DIMS(3, 1, 5), .low = -0.9, .high = 0.9}}},
    {.type = "Acosh", .opset = 9, .in = {{OP_DIMS(3, 1, 5), .low = 1.2, .high = 3}}},
    {.type = "Asin", .opset = 7, .in = {{OP_DIMS(3, 1, 5), .low = -0.9, .high = 0.9}}},
    {.type = "Asinh", .opset = 9, .in = {{OP_DIMS(3, 1, 5)}}},
    {.type = "Atan", .opset = 7, .in = {{OP_DIMS(3, 1, 5)}}},
    {.type = "Atanh", .opset = 9, .in = {{OP_DIMS(3, 1, 5), .low = -0.9, .high = 0.9}}},
    {.type = "Ceil", .opset = 13, .in = {{OP_DIMS(3, 1, 5), .low = -0.9, .high = -0.1}}},
    {.type = "Celu", .opset = 12, .in = {{OP_DIMS(3, 1, 5)}}, .kink = 0.01},
    {.type = "Cos", .opset = 7, .in = {{OP_DIMS(3, 1, 5)}}},
    {.type = "Cosh", .opset = 9, .in = {{OP_DIMS(3, 1, 5)}}},
    {.type = "Elu", .opset = 6, .in = {{OP_DIMS(3, 1, 5)}}, .kink = 0.01},
    {.type = "Erf", .opset = 13, .in = {{OP_DIMS(3, 1, 5)}}},
    {.type = "Exp", .opset = 13, .in = {{OP_DIMS(3, 1, 5)}}},
    {.type = "Floor", .opset = 13, .in = {{OP_DIMS(3, 1, 5), .low = 0.1, .high = 0.9}}},
    {.type = "Gelu", .opset = 20, .in = {{OP_DIMS(3, 1, 5)}}},
    {.type = "HardSigmoid", .opset = 6, .in = {{OP_DIMS(3, 1, 5)}}},
    {.type = "HardSwish", .opset = 14, .in = {{OP_DIMS(3, 1, 5)}}},
    {.type = "Identity", .opset = 13, .in = {{OP_DIMS(3, 1, 5)}}},
    {.type = "LeakyRelu", .opset = 6, .in = {{OP_DIMS(3, 1, 5)}}, .kink = 0.01},
    {.type = "Log", .opset = 13, .in = {{OP_DIMS(3, 1, 5), .low = 0.5, .high = 2}}},
    {.type = "Mish", .opset = 18, .in = {{OP_DIMS(3, 1, 5)}}},
    {.type = "Neg", .opset = 13, .in = {{OP_DIMS(3, 1, 5)}}},
    {.type = "Reciprocal", .opset = 13, .in = {{OP_DIMS(3, 1, 5), .low = 0.5, .high = 2}}},
    {.type = "Relu", .opset = 14, .in = {{OP_DIMS(3, 1, 5)}}, .kink = 0.01},
    {.type = "Round", .opset = 11, .in = {{OP_DIMS(3, 1, 5), .low = 0.1, .high = 0.4}}},
    {.type = "Selu", .opset = 6, .in = {{OP_DIMS(3, 1, 5)}}, .kink = 0.01},
    {.type = "Sigmoid", .opset = 13, .in = {{OP_DIMS(3, 1, 5)}}},
    {.type = "Sign", .opset = 13, .in = {{OP_DIMS(3, 1, 5)}}, .kink = 0.01},
    {.type = "Sin", .opset = 7, .in = {{OP_DIMS(3, 1, 5)}}},
    {.type = "Sinh", .opset = 9, .in = {{OP_DIMS(3, 1, 5)}}},
    {.type = "Softplus", .opset = 1, .in = {{OP_DIMS(3, 1, 5)}}},
    {.type = "Softsign", .opset = 1, .in = {{OP_DIMS(3, 1, 5)}}},
    {.type = "Sqrt", .opset = 13, .in = {{OP_DIMS(3, 1, 5), .low = 0.5, .high = 2}}},
    {.type = "Swish", .opset = 24, .in = {{OP_DIMS(3, 1, 5)}}},
    {.type = "Tan", .opset = 7, .in = {{OP_DIMS(3, 1, 5)}}},
    {.type = "Tanh", .opset = 13, .in = {{OP_DIMS(3, 1, 5)}}},
    {.type = "Shrink",
     .opset = 9,
     .attrs = {OP_FLOAT("lambd", 0.3f), OP_FLOAT("bias", 0.1f)},
     .in = {{OP_DIMS(7), OP_DATA(-2, -0.5, -0.2, 0, 0.2, 0.5, 2)}}},
    {.type = "ThresholdedRelu",
     .opset = 10,
     .attrs = {OP_FLOAT("alpha", 0.5f)},
     .in = {{OP_DIMS(5), OP_DATA(-1, 0.2, 0.4, 0.6, 2)}}},
    {.type = "Clip",
     .opset = 6,
     .attrs = {OP_FLOAT("min", -0.45f), OP_FLOAT("max", 0.45f)},
     .in = {{OP_DIMS(5), OP_DATA(-1, -0.2, 0, 0.4, 2)}}},
    {.type = "Clip",
     .opset = 13,
     .in = {{OP_DIMS(5), OP_DATA(-1, -0.2, 0, 0.4, 2)}, {OP_SCALAR, OP_DATA(-0.3), .initializer = true}}},
    {.type = "Gelu", .opset = 20, .attrs = {OP_STRING("approximate", "tanh")}, .in = {{OP_DIMS(0, 3)}}},
    {.type = "Dropout", .opset = 7, .in = {{OP_DIMS(3, 5)}}},
    {.type = "Dropout", .opset = 10, .in = {{OP_DIMS(3, 5)}}},
    {.type = "Dropout", .opset = 13, .in = {{OP_DIMS(3, 5)}}},
    {.type = "Cast", .opset = 13, .attrs = {OP_INT("to", MC_FLOAT)}, .in = {{OP_DIMS(3, 5)}}, .f32_only = true},
    {.type = "CastLike", .opset = 19, .in = {{OP_DIMS(3, 5)}, {OP_DIMS(1)}}},
};

static const struct op_case broadcasts[] = {
    {.type = "Add", .opset = 14, .in = {{OP_DIMS(2, 3, 1, 4)}, {OP_DIMS(3, 5, 1)}}},
    {.type = "Add", .opset = 14, .in = {{OP_DIMS(0, 3)}, {OP_DIMS(3)}}},
    {.type = "Sub", .opset = 14, .in = {{OP_DIMS(2, 3, 1, 4)}, {OP_DIMS(3, 5, 1)}}},
    {.type = "Sub", .opset = 14, .in = {{OP_DIMS(0, 3)}, {OP_DIMS(3)}}},
    {.type = "Mul", .opset = 14, .in = {{OP_DIMS(2, 3, 1, 4)}, {OP_DIMS(3, 5, 1)}}},
    {.type = "Mul", .opset = 14, .in = {{OP_DIMS(0, 3)}, {OP_DIMS(3)}}},
    {.type = "Div",
     .opset = 14,
     .in = {{OP_DIMS(2, 3, 1, 4), .low = 0.5, .high = 2}, {OP_DIMS(3, 5, 1), .low = 0.5, .high = 2}}},
    {.type = "Div", .opset = 14, .in = {{OP_DIMS(0, 3), .low = 0.5, .high = 2}, {OP_DIMS(3), .low = 0.5, .high = 2}}},
    {.type = "Pow",
     .opset = 15,
     .in = {{OP_DIMS(2, 3, 1, 4), .low = 0.5, .high = 2}, {OP_DIMS(3, 5, 1), .low = 0.5, .high = 2}}},
    {.type = "Pow", .opset = 15, .in = {{OP_DIMS(0, 3), .low = 0.5, .high = 2}, {OP_DIMS(3), .low = 0.5, .high = 2}}},
    {.type = "PRelu", .opset = 16, .in = {{OP_DIMS(2, 3, 1, 4)}, {OP_DIMS(3, 1, 1)}}, .kink = 0.01},
    {.type = "PRelu", .opset = 16, .in = {{OP_DIMS(0, 3)}, {OP_DIMS(3)}}, .kink = 0.01},
    {.type = "Max", .opset = 13, .in = {{OP_DIMS(2, 1, 4)}, {OP_DIMS(3, 1)}, {OP_DIMS(4)}}},
    {.type = "Min", .opset = 13, .in = {{OP_DIMS(2, 1, 4)}, {OP_DIMS(3, 1)}, {OP_DIMS(4)}}},
    {.type = "Sum", .opset = 13, .in = {{OP_DIMS(2, 1, 4)}, {OP_DIMS(3, 1)}, {OP_DIMS(4)}}},
    {.type = "Mean", .opset = 13, .in = {{OP_DIMS(2, 1, 4)}, {OP_DIMS(3, 1)}, {OP_DIMS(4)}}},
    {.type = "Where",
     .opset = 16,
     .in = {{.dtype = MC_BOOL, OP_DIMS(3, 1), OP_DATA(1, 0, 1)}, {OP_DIMS(2, 1, 4)}, {OP_DIMS(4)}}},
};

static const struct op_case products[] = {
    {.type = "AveragePool",
     .opset = 19,
     .attrs = {OP_INTS("kernel_shape", 3, 2), OP_INTS("strides", 2, 1), OP_INTS("pads", 1, 0, 1, 1)},
     .in = {{OP_DIMS(2, 3, 5, 4)}}},
    {.type = "AveragePool",
     .opset = 19,
     .attrs = {OP_INTS("kernel_shape", 2), OP_INT("count_include_pad", 1), OP_INTS("pads", 1, 1)},
     .in = {{OP_DIMS(1, 2, 5)}}},
    {.type = "AveragePool",
     .opset = 19,
     .attrs = {OP_INTS("kernel_shape", 2, 1, 2), OP_INTS("dilations", 2, 1, 1), OP_INT("ceil_mode", 1)},
     .in = {{OP_DIMS(1, 1, 4, 2, 3)}}},
    {.type = "MaxPool",
     .opset = 12,
     .attrs = {OP_INTS("kernel_shape", 3, 2), OP_INTS("strides", 2, 1), OP_INTS("pads", 1, 0, 1, 1)},
     .in = {{OP_DIMS(2, 3, 5, 4)}}},
    {.type = "MaxPool",
     .opset = 12,
     .attrs = {OP_INTS("kernel_shape", 2), OP_INTS("dilations", 2)},
     .in = {{OP_DIMS(1, 2, 6)}}},
    {.type = "MaxPool",
     .opset = 12,
     .attrs = {OP_INTS("kernel_shape", 2, 2, 1)},
     .in = {{OP_DIMS(1, 1, 3, 4, 2)}},
     .n_out = 2},
    {.type = "GlobalAveragePool", .opset = 1, .in = {{OP_DIMS(2, 3, 4, 1)}}},
    {.type = "GlobalMaxPool", .opset = 1, .in = {{OP_DIMS(2, 3, 5)}}},
    {.type = "Conv",
     .opset = 11,
     .attrs = {OP_INT("group", 2), OP_INTS("strides", 2, 1), OP_INTS("pads", 1, 0, 0, 2), OP_INTS("dilations", 1, 2)},
     .in = {{OP_DIMS(2, 4, 5, 6)}, {OP_DIMS(6, 2, 3, 2)}, {OP_DIMS(6)}}},
    {.type = "Conv", .opset = 11, .attrs = {OP_INTS("pads", 2, 2)}, .in = {{OP_DIMS(1, 2, 4)}, {OP_DIMS(3, 2, 3)}}},
    {.type = "Conv", .opset = 11, .in = {{OP_DIMS(1, 2, 3, 3, 4)}, {OP_DIMS(2, 2, 2, 1, 3)}, {OP_DIMS(2)}}},
    {.type = "Conv", .opset = 11, .attrs = {OP_INT("group", 3)}, .in = {{OP_DIMS(0, 3, 4, 4)}, {OP_DIMS(3, 1, 3, 3)}}},
    {.type = "ConvTranspose",
     .opset = 11,
     .attrs = {OP_INT("group", 2), OP_INTS("strides", 2, 1), OP_INTS("pads", 1, 0, 0, 1),
               OP_INTS("output_padding", 1, 0)},
     .in = {{OP_DIMS(2, 4, 3, 4)}, {OP_DIMS(4, 3, 3, 2)}, {OP_DIMS(6)}}},
    {.type = "ConvTranspose",
     .opset = 11,
     .attrs = {OP_INTS("dilations", 2)},
     .in = {{OP_DIMS(1, 2, 3)}, {OP_DIMS(2, 1, 2)}}},
    {.type = "Gemm",
     .opset = 13,
     .attrs = {OP_INT("transA", 1), OP_FLOAT("alpha", 0.5f), OP_FLOAT("beta", 2)},
     .in = {{OP_DIMS(3, 2)}, {OP_DIMS(3, 4)}, {OP_DIMS(2, 1)}}},
    {.type = "Gemm",
     .opset = 13,
     .attrs = {OP_INT("transB", 1)},
     .in = {{OP_DIMS(0, 3)}, {OP_DIMS(4, 3)}, {OP_DIMS(4)}}},
    {.type = "MatMul", .opset = 13, .in = {{OP_DIMS(2, 1, 3, 4)}, {OP_DIMS(5, 4, 2)}}},
    {.type = "MatMul", .opset = 13, .in = {{OP_DIMS(4)}, {OP_DIMS(2, 4, 3)}}},
    {.type = "MatMul", .opset = 13, .in = {{OP_DIMS(2, 0)}, {OP_DIMS(0, 3)}}},
    {.type = "Softmax", .opset = 1, .attrs = {OP_INT("axis", 1)}, .in = {{OP_DIMS(2, 3, 2)}}},
    {.type = "Softmax", .opset = 13, .attrs = {OP_INT("axis", 1)}, .in = {{OP_DIMS(2, 3, 2)}}},
    {.type = "LogSoftmax", .opset = 1, .attrs = {OP_INT("axis", 1)}, .in = {{OP_DIMS(2, 3, 2)}}},
    {.type = "LogSoftmax", .opset = 13, .attrs = {OP_INT("axis", 0)}, .in = {{OP_DIMS(4, 1)}}},
};

#define FROM_AXIS_1                                                                                                    \
    {                                                                                                                  \
        OP_INT("broadcast", 1), OP_INT("axis", 1)                                                                      \
    }
#define POSITIVE .low = 0.5, .high = 2

/* Versions that are no more. */
static const struct op_case old[] = {
    {.type = "Add", .opset = 6, .attrs = FROM_AXIS_1, .in = {{OP_DIMS(2, 3, 4)}, {OP_DIMS(3)}}},
    {.type = "Add", .opset = 1, .attrs = {OP_INT("broadcast", 1)}, .in = {{OP_DIMS(2, 3)}, {OP_DIMS(1, 1)}}},
    {.type = "Sub", .opset = 6, .attrs = FROM_AXIS_1, .in = {{OP_DIMS(2, 3, 4)}, {OP_DIMS(3)}}},
    {.type = "Mul", .opset = 6, .attrs = FROM_AXIS_1, .in = {{OP_DIMS(2, 3, 4)}, {OP_DIMS(3)}}},
    {.type = "Div", .opset = 6, .attrs = FROM_AXIS_1, .in = {{OP_DIMS(2, 3, 4)}, {OP_DIMS(3), POSITIVE}}},
    {.type = "Pow", .opset = 6, .attrs = FROM_AXIS_1, .in = {{OP_DIMS(2, 3, 4), POSITIVE}, {OP_DIMS(3), POSITIVE}}},
    {.type = "PRelu", .opset = 6, .in = {{OP_DIMS(2, 3, 4)}, {OP_DIMS(3)}}, .kink = 0.01},
    {.type = "Gemm",
     .opset = 6,
     .attrs = {OP_INT("broadcast", 1)},
     .in = {{OP_DIMS(2, 3)}, {OP_DIMS(3, 4)}, {OP_DIMS(4)}}},
    {.type = "BatchNormalization",
     .opset = 6,
     .in = {{OP_DIMS(3, 2, 4)},
            {OP_DIMS(2)},
            {OP_DIMS(2)},
            {OP_DIMS(2), .initializer = true},
            {OP_DIMS(2), POSITIVE, .initializer = true}}},
    {.type = "Cast", .opset = 1, .attrs = {OP_STRING("to", "DOUBLE")}, .in = {{OP_DIMS(3)}}},
    {.type = "Dropout", .opset = 6, .attrs = {OP_INT("is_test", 1)}, .in = {{OP_DIMS(3)}}},
    {.type = "Pad", .opset = 1, .attrs = {OP_INTS("paddings", 1, 0, 0, 2)}, .in = {{OP_DIMS(2, 3)}}},
    {.type = "Tile", .opset = 1, .in = {{OP_DIMS(2, 3)}, INDICES(OP_SCALAR, 2), INDICES(OP_SCALAR, 1)}},
    {.type = "Upsample",
     .opset = 1,
     .attrs = {OP_FLOAT("height_scale", 2), OP_FLOAT("width_scale", 1.5f)},
     .in = {{OP_DIMS(1, 1, 2, 3)}}},
};

static const struct op_case pools[] = {
    {.type = "LpPool",
     .opset = 22,
     .attrs = {OP_INTS("kernel_shape", 2, 3), OP_INTS("pads", 0, 1, 1, 0), OP_INT("p", 1)},
     .in = {{OP_DIMS(1, 2, 4, 5)}},
     .kink = 0.05},
    {.type = "LpPool",
     .opset = 22,
     .attrs = {OP_INTS("kernel_shape", 3), OP_INT("p", 3)},
     .in = {{OP_DIMS(2, 1, 5)}},
     .kink = 0.05},
    {.type = "LpPool",
     .opset = 1,
     .attrs = {OP_INTS("kernel_shape", 2), OP_FLOAT("p", 1.5f)},
     .in = {{OP_DIMS(2, 1, 5)}},
     .kink = 0.05},
    {.type = "GlobalLpPool", .opset = 2, .in = {{OP_DIMS(2, 2, 3)}}, .kink = 0.05},
    {.type = "GlobalLpPool", .opset = 1, .attrs = {OP_FLOAT("p", 2.5f)}, .in = {{OP_DIMS(2, 2, 3)}}, .kink = 0.05},
    {.type = "MaxRoiPool",
     .opset = 11,
     .attrs = {OP_INTS("pooled_shape", 2, 2)},
     .in = {{OP_DIMS(2, 2, 4, 5)},
            {OP_DIMS(3, 5), OP_DATA(0, 0, 0, 4, 3, 1, 1, 1, 3, 9, 1, 7, 2, 9, 3), .initializer = true}}},
    {.type = "MaxUnpool",
     .opset = 11,
     .attrs = {OP_INTS("kernel_shape", 2)},
     .in = {{OP_DIMS(1, 1, 3)}, INDICES(OP_DIMS(1, 1, 3), 0, 2, 3)}},
    {.type = "Col2Im",
     .opset = 18,
     .attrs = {OP_INTS("pads", 1, 0, 0, 1)},
     .in = {{OP_DIMS(1, 4, 12)}, INDICES(OP_DIMS(2), 3, 4), INDICES(OP_DIMS(2), 2, 2)}},
    {.type = "DeformConv",
     .opset = 19,
     .attrs = {OP_INTS("pads", 1, 1, 0, 0), OP_INT("group", 2), OP_INT("offset_group", 2)},
     .in = {{OP_DIMS(2, 4, 3, 3)},
            {OP_DIMS(2, 2, 2, 2)},
            {OP_DIMS(2, 16, 3, 3), .low = 0.1, .high = 0.9},
            {OP_DIMS(2)},
            {OP_DIMS(2, 8, 3, 3)}}},
    {.type = "DeformConv",
     .opset = 22,
     .in = {{OP_DIMS(1, 2, 5)}, {OP_DIMS(3, 2, 2)}, {OP_DIMS(1, 2, 4), .low = -0.9, .high = -0.1}}},
    {.type = "Det", .opset = 11, .in = {{OP_DIMS(2, 3, 3)}}},
    {.type = "Det", .opset = 22, .in = {{OP_DIMS(1, 1)}}},
};
/* --- straight through: what rounds has no slope that differences would show --- */

/* x through QuantizeLinear and DequantizeLinear of uint8 with these scales and zero points, axis 0. */
static void check_straight_through(const struct op_tensor *scale, const struct op_tensor *zero, const double *expected)
{
    static const double numbers[] = {-3, -1.6, -0.2, 0.001, 0.24, 0.26, 1.5, 9};
    struct mc_error err = {0};
    struct op_case c = {.type = "QuantizeLinear",
                        .opset = 13,
                        .attrs = {OP_INT("axis", 0)},
                        .in = {{OP_DIMS(2, 4), .data = numbers}, *scale, *zero}};
    struct mc_model *model = op_model(&c, MC_FLOAT);
    struct mc_graph *graph = model->graph;
    struct mc_value *q = graph->outputs[0], *in[] = {q, graph->nodes[0]->inputs[1], graph->nodes[0]->inputs[2]};
    struct mc_value *y = mc_value_create(graph, "y");
    struct mc_node *node = mc_node_create(graph, -1, "", "DequantizeLinear", "back", 3, in, 1, &y);
    assert_non_null(node);
    assert_ok(mc_node_set_int(node, "axis", 0, &err), err);
    graph->outputs[0] = y;
    y->is_output = true;
    q->is_output = false;
    mc_ops_bind(model);
    const struct mc_value *wrt[] = {graph->inputs[0]};
    struct mc_plan *plan;
    assert_ok(mc_plan_create(&plan, model, &(struct mc_plan_options){.training = true, .n_wrt = 1, .wrt = wrt}, &err),
              err);
    for (int i = 0; i < 8; i++) mc_tensor_set_f64(mc_plan_input(plan, 0), i, numbers[i]);
    assert_ok(mc_plan_run(plan, &err), err);
    for (int i = 0; i < 8; i++) mc_tensor_set_f64(mc_plan_grad_output(plan, 0), i, i + 1);
    assert_ok(mc_plan_backward(plan, &err), err);
    for (int i = 0; i < 8; i++) assert_true(fabs(mc_tensor_get_f64(mc_plan_grad(plan, 0), i) - expected[i]) < 1e-5);
    mc_plan_destroy(plan);
    mc_model_destroy(model);
}

/* PyTorch 2.15: fake_quantize_per_tensor_affine(x, 0.01, 128, 0, 255) and fake_quantize_per_channel_affine(x, [0.01,
 * 0.05], [128, 0], 0, 0, 255), with 1 … 8 as the gradient of the output. */
static void test_quantization_passes_gradients_straight_through(void **state)
{
    check_straight_through(&(struct op_tensor){OP_SCALAR, OP_DATA(0.01), .initializer = true},
                           &(struct op_tensor){.dtype = MC_UINT8, OP_SCALAR, OP_DATA(128)},
                           (const double[]){0, 0, 3, 4, 5, 6, 0, 0});
    check_straight_through(&(struct op_tensor){OP_DIMS(2), OP_DATA(0.01, 0.05), .initializer = true},
                           &(struct op_tensor){.dtype = MC_UINT8, OP_DIMS(2), OP_DATA(128, 0)},
                           (const double[]){0, 0, 3, 4, 5, 6, 7, 8});
}

/* --- every family --- */

#define FAMILY(name)                                                                                                   \
    {                                                                                                                  \
        name, MC_COUNT(name)                                                                                           \
    }

static const struct {
    const struct op_case *cases;
    size_t n;
} families[] = {FAMILY(normalizations), FAMILY(attentions), FAMILY(fused), FAMILY(recurrences), FAMILY(moves),
                FAMILY(reductions),     FAMILY(samplings),  FAMILY(sums),  FAMILY(signals),     FAMILY(elements),
                FAMILY(broadcasts),     FAMILY(products),   FAMILY(old),   FAMILY(pools)};

static bool has_case(const struct mc_op *op)
{
    for (size_t f = 0; f < MC_COUNT(families); f++)
        for (size_t i = 0; i < families[f].n; i++) {
            const struct op_case *c = &families[f].cases[i];
            if (mc_ops_find(c->domain ? c->domain : "", c->type, c->opset) == op) return true;
        }
    return false;
}

static void test_every_operator_that_trains_has_a_case(void **state)
{
    int missing = 0;
    for (size_t i = 0; i < mc_ops_count; i++) {
        if (!mc_ops[i]->backward || mc_ops[i]->straight_through || has_case(mc_ops[i])) continue;
        print_error("%s%s%s-%d trains and has no case here\n", mc_ops[i]->domain, *mc_ops[i]->domain ? "." : "",
                    mc_ops[i]->type, mc_ops[i]->since);
        missing++;
    }
    assert_int_equal(missing, 0);
}

static void check_family(size_t f)
{
    for (size_t i = 0; i < families[f].n; i++) op_check_gradient(&families[f].cases[i]);
}

#define TEST(f, name)                                                                                                  \
    static void test_backward_of_##name##_matches_differences(void **state)                                            \
    {                                                                                                                  \
        check_family(f);                                                                                               \
    }

TEST(0, normalizations)
TEST(1, attentions)
TEST(2, fused_operators)
TEST(3, recurrent_cells)
TEST(4, what_moves)
TEST(5, reductions)
TEST(6, what_samples)
TEST(7, einsum)
TEST(8, transforms_and_the_like)
TEST(9, elements)
TEST(10, what_broadcasts)
TEST(11, products_and_windows)
TEST(12, old_versions)
TEST(13, pools_and_determinants)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_operator_that_trains_has_a_case),
        cmocka_unit_test(test_quantization_passes_gradients_straight_through),
        cmocka_unit_test(test_backward_of_normalizations_matches_differences),
        cmocka_unit_test(test_backward_of_attentions_matches_differences),
        cmocka_unit_test(test_backward_of_fused_operators_matches_differences),
        cmocka_unit_test(test_backward_of_recurrent_cells_matches_differences),
        cmocka_unit_test(test_backward_of_what_moves_matches_differences),
        cmocka_unit_test(test_backward_of_reductions_matches_differences),
        cmocka_unit_test(test_backward_of_what_samples_matches_differences),
        cmocka_unit_test(test_backward_of_einsum_matches_differences),
        cmocka_unit_test(test_backward_of_transforms_and_the_like_matches_differences),
        cmocka_unit_test(test_backward_of_elements_matches_differences),
        cmocka_unit_test(test_backward_of_what_broadcasts_matches_differences),
        cmocka_unit_test(test_backward_of_products_and_windows_matches_differences),
        cmocka_unit_test(test_backward_of_old_versions_matches_differences),
        cmocka_unit_test(test_backward_of_pools_and_determinants_matches_differences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
