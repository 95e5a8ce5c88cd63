/* harness.h - checking one operator: numbers, gradients, refusals, memory.
 *
 *     static const struct op_case relu = {
 *         .type = "Relu", .opset = 14,
 *         .in = {{OP_DIMS(2, 3), OP_DATA(-1, 0, 1, 2, -3, 4)}},
 *     };
 *     op_check(&relu, (struct op_tensor[]){{OP_DIMS(2, 3), OP_DATA(0, 0, 1, 2, 0, 4)}}, 1e-6);
 *     op_check_gradient(&(struct op_case){.type = "Relu", .opset = 14, .in = {{OP_DIMS(3, 5)}}});
 *
 * A case is one node. Inputs of type MC_FLOAT (the default) are float32 in one run and float64 in another; all other
 * types are as they are. Integers, strings and booleans are initializers unless `fed` says otherwise, floats are fed
 * unless `initializer` says otherwise. Inputs without data are drawn from [low, high) (default [-1, 1)) by a seed made
 * of the operator's name and the case's `seed`.
 */
#ifndef MC_TESTS_OP_HARNESS_H
#define MC_TESTS_OP_HARNESS_H

#include "graph/graph.h"
#include "kernel/runtime.h"
#include "test.h"

enum { OP_MAX_INPUTS = 12, OP_MAX_OUTPUTS = 8, OP_MAX_ATTRS = 12, OP_MAX_RANK = 6 };

struct op_tensor {
    enum mc_dtype dtype; /* 0: MC_FLOAT */
    int rank;
    int64_t dim[OP_MAX_RANK];
    const double *data; /* row-major; NULL: random */
    double low, high;
    bool initializer; /* a float that the model holds */
    bool fed;         /* an integer or boolean that the model does not hold */
    bool absent;      /* the optional input is left out */
};

#define OP_COUNT(type, ...) ((int)(sizeof((const type[]){__VA_ARGS__}) / sizeof(type)))
#define OP_DIMS(...) .rank = OP_COUNT(int64_t, __VA_ARGS__), .dim = {__VA_ARGS__}
#define OP_SCALAR .rank = 0
#define OP_DATA(...)                                                                                                   \
    .data = (const double[])                                                                                           \
    {                                                                                                                  \
        __VA_ARGS__                                                                                                    \
    }
#define OP_ABSENT                                                                                                      \
    {                                                                                                                  \
        .absent = true                                                                                                 \
    }

struct op_attr {
    const char *name;
    enum mc_attr_type type;
    int64_t i;
    float f;
    const char *s;
    int64_t n;
    const int64_t *ints;
    const float *floats;
    const char *const *strings;
    const struct op_tensor *t; /* of type float32 unless it says otherwise */
};

#define OP_INT(key, value)                                                                                             \
    {                                                                                                                  \
        .name = (key), .type = MC_ATTR_INT, .i = (value)                                                               \
    }
#define OP_FLOAT(key, value)                                                                                           \
    {                                                                                                                  \
        .name = (key), .type = MC_ATTR_FLOAT, .f = (value)                                                             \
    }
#define OP_STRING(key, value)                                                                                          \
    {                                                                                                                  \
        .name = (key), .type = MC_ATTR_STRING, .s = (value)                                                            \
    }
#define OP_INTS(key, ...)                                                                                              \
    {                                                                                                                  \
        .name = (key), .type = MC_ATTR_INTS, .n = OP_COUNT(int64_t, __VA_ARGS__), .ints = (const int64_t[])            \
        {                                                                                                              \
            __VA_ARGS__                                                                                                \
        }                                                                                                              \
    }
#define OP_FLOATS(key, ...)                                                                                            \
    {                                                                                                                  \
        .name = (key), .type = MC_ATTR_FLOATS, .n = OP_COUNT(float, __VA_ARGS__), .floats = (const float[])            \
        {                                                                                                              \
            __VA_ARGS__                                                                                                \
        }                                                                                                              \
    }
#define OP_STRINGS(key, ...)                                                                                           \
    {                                                                                                                  \
        .name = (key), .type = MC_ATTR_STRINGS,                                                                        \
        .n = (int)(sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)), .strings = (const char *const[])      \
        {                                                                                                              \
            __VA_ARGS__                                                                                                \
        }                                                                                                              \
    }
#define OP_TENSOR(key, ...)                                                                                            \
    {                                                                                                                  \
        .name = (key), .type = MC_ATTR_TENSOR, .t = &(const struct op_tensor)                                          \
        {                                                                                                              \
            __VA_ARGS__                                                                                                \
        }                                                                                                              \
    }

struct op_case {
    const char *domain; /* NULL: ai.onnx */
    const char *type;
    int opset;
    struct op_attr attrs[OP_MAX_ATTRS];
    struct op_tensor in[OP_MAX_INPUTS];
    int n_in; /* 0: up to the last that is not all zero, but at least one unless `no_inputs` */
    bool no_inputs;
    int n_out;     /* 0: 1 */
    bool training; /* run forward checks in a training plan (gradient checks always do) */
    bool f32_only; /* there is no double precision kernel; gradients are then checked in float32, roughly */
    uint64_t seed;
    double kink;                      /* gradient check: keep random floats at least this far from 0 */
    const struct mc_runtime *runtime; /* NULL: two threads, the best kernels */
};

/* Run it folded and unfolded, in float32 and float64, and compare every output's shape, and its numbers within
 * `tolerance` * max(1, |expected|). `expected` has n_out entries; data NULL: only the shape. Expected values of type
 * MC_FLOAT stand for the float type of the run; others must agree exactly in type. */
void op_check(const struct op_case *c, const struct op_tensor *expected, double tolerance);

/* Outputs in float32 against those in float64, for random inputs: within `tolerance` of the largest. */
void op_check_precision(const struct op_case *c, double tolerance);

/* Gradients of a random weighting of all float outputs by all inputs that the descriptor differentiates: in float64
 * against central differences, and float32 against float64. */
void op_check_gradient(const struct op_case *c);

/* The operator between two convolutions that want channels last: outputs and gradients are those of a plan that keeps
 * to row-major order, within 1e-5 of the largest. Fails if its first input does not lie last there (without oneDNN
 * nothing does). The first input is drawn; `in[0]` gives its shape, [N, C, H, W]. */
void op_check_channels_last(const struct op_case *c);

/* Compiling it fails with this status and an error that contains `text`. */
void op_check_refused(const struct op_case *c, int status, const char *text);

/* Compile, run and, where there is a derivative, go back with each allocation failing in turn. */
void op_check_memory(const struct op_case *c);

/* The model of a case, operators bound, for checks of other rules. The caller destroys it. */
struct mc_model *op_model(const struct op_case *c, enum mc_dtype float_type);

#endif
