/* loops.h - element-wise loops, sums and softmax over contiguous runs, for one instruction set.
 *
 * The table holds single-threaded loops over n elements; who walks strides, broadcasts and threads stands in
 * kernel/broadcast.h and the operators. Pointers are to elements of the type that the row of the table is for; output
 * may be the very same run as an input, but not overlap it in any other way. NaN is propagated. Nothing is contracted
 * or reordered, and sums run in fixed lanes (below): every instruction set gives the same bits.
 */
#ifndef MC_KERNEL_LOOPS_H
#define MC_KERNEL_LOOPS_H

#include "tensor/tensor.h"

/* Element types that have loops. Integers have NEG, ABS and the arithmetic of enum mc_binary alone. */
enum mc_loop_type { MC_LOOP_F32, MC_LOOP_F64, MC_LOOP_I32, MC_LOOP_I64, MC_LOOP_TYPES };
#define MC_LOOP_FLOATS (MC_LOOP_F64 + 1)

/* Row of the tables for a type; asserts that there is one. */
enum mc_loop_type mc_loop_type(enum mc_dtype dtype);

/* y = f(x); a and b are the parameters p[0] and p[1]. float32 uses kernel/approx.h, float64 libm. */
enum mc_unary {
    MC_UNARY_RELU,       /* max(x, 0) */
    MC_UNARY_LEAKY_RELU, /* x < 0 ? a x : x */
    MC_UNARY_CLIP,       /* min(max(x, a), b) */
    MC_UNARY_SIGMOID,    /* 1 / (1 + e^-x) */
    MC_UNARY_TANH,
    MC_UNARY_HARD_SIGMOID, /* min(max(a x + b, 0), 1) */
    MC_UNARY_HARD_SWISH,   /* x min(max(x / 6 + 1/2, 0), 1) */
    MC_UNARY_ELU,          /* x < 0 ? a (e^x - 1) : x */
    MC_UNARY_GELU,         /* x/2 (1 + erf(x / sqrt 2)) */
    MC_UNARY_GELU_TANH,    /* x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) */
    MC_UNARY_ERF,
    MC_UNARY_EXP,
    MC_UNARY_LOG,
    MC_UNARY_SQRT,
    MC_UNARY_NEG,
    MC_UNARY_ABS,
    MC_UNARY_SCALE,      /* a x */
    MC_UNARY_SQUARE,     /* x^2 */
    MC_UNARY_RECIPROCAL, /* 1 / x */
    MC_UNARY_COUNT
};

/* y = f(a, b). Integers wrap; their division truncates towards zero and the divisor must not be zero. */
enum mc_binary {
    MC_BINARY_ADD,
    MC_BINARY_SUB,
    MC_BINARY_MUL,
    MC_BINARY_DIV,
    MC_BINARY_MIN,
    MC_BINARY_MAX,
    MC_BINARY_POW,         /* integers: a negative power is that of 1 / a, truncated; 0 to a negative power is 0 */
    MC_BINARY_PRELU,       /* a < 0 ? b a : a */
    MC_BINARY_COUNT_EQUAL, /* y + (a == b): reads its output */
    MC_BINARY_COUNT
};

/* Which operands of a binary loop are runs; the other is one element. */
enum mc_form { MC_RUN_RUN, MC_RUN_ONE, MC_ONE_RUN, MC_FORM_COUNT };

/* One summand of a gradient: g is d loss / d y of y = f(a, b). */
enum mc_term {
    MC_TERM_NEGATE,      /* -g: Sub by b */
    MC_TERM_MUL_A,       /* g b */
    MC_TERM_MUL_B,       /* g a */
    MC_TERM_DIV_A,       /* g / b */
    MC_TERM_DIV_B,       /* -g (a/b) / b */
    MC_TERM_POW_A,       /* g b a^(b-1); 0 where b = 0 */
    MC_TERM_POW_B,       /* g a^b ln a; 0 where a = 0 and b >= 0 */
    MC_TERM_PRELU_A,     /* a > 0 ? g : g b */
    MC_TERM_PRELU_B,     /* a > 0 ? 0 : g a */
    MC_TERM_WHERE_EQUAL, /* a == b ? g : 0 */
    MC_TERM_COUNT
};

typedef void mc_unary_fn(int64_t n, const void *x, void *y, const double *p);
/* dx = dy f'(x); `kept` is x or y, whichever the operator keeps: see mc_unary_grad_from_output. */
typedef void mc_unary_grad_fn(int64_t n, const void *kept, const void *dy, void *dx, const double *p);
typedef void mc_binary_fn(int64_t n, const void *a, const void *b, void *y);
typedef void mc_term_fn(int64_t n, const void *a, const void *b, const void *g, void *t);

/* Numbers that mc_dropout needs: see op/dropout.c. */
struct mc_dropout {
    uint32_t key[2];
    uint32_t threshold; /* an element is dropped when its 32 random bits are below: ratio * 2^32 */
    double scale;       /* of those that stay: 1 / (1 - ratio) */
};

/* A matrix of rows: softmax and its kin work on each. `inner` > 1: element k of row (o, i) lies at
 * [(o * n + k) * inner + i]; the loop handles all i in [0, width) of one o. */
struct mc_columns {
    int64_t n, inner, width;
};

struct mc_loops {
    mc_unary_fn *unary[MC_LOOP_TYPES][MC_UNARY_COUNT];
    mc_unary_grad_fn *unary_grad[MC_LOOP_FLOATS][MC_UNARY_COUNT];
    mc_binary_fn *binary[MC_LOOP_TYPES][MC_BINARY_COUNT][MC_FORM_COUNT];
    mc_term_fn *term[MC_LOOP_FLOATS][MC_TERM_COUNT];
    const struct mc_row_loops *rows[MC_LOOP_FLOATS];
};

/* Sums are taken in double: element i goes to lane i mod 16, lanes are added as a tree (i with i + 8, then 4, 2, 1). */
struct mc_row_loops {
    double (*sum)(int64_t n, const void *x);
    void (*add_to)(int64_t n, const void *x, double *acc);               /* acc[i] += x[i] */
    void (*store)(int64_t n, const double *acc, double factor, void *y); /* y[i] = acc[i] * factor */
    void (*softmax)(int64_t n, const void *x, void *y);
    void (*log_softmax)(int64_t n, const void *x, void *y);
    void (*softmax_grad)(int64_t n, const void *y, const void *dy, void *dx);     /* y (dy - sum(dy y)) */
    void (*log_softmax_grad)(int64_t n, const void *y, const void *dy, void *dx); /* dy - e^y sum(dy) */
    /* Mean and 1 / sqrt(variance + epsilon) of a row; the variance in a second pass over x - mean. */
    void (*moments)(int64_t n, const void *x, double epsilon, double *mean, double *inverse);
    /* y = (x - mean) * inverse * scale + shift; shift may be NULL */
    void (*normalize)(int64_t n, const void *x, double mean, double inverse, const void *scale, const void *shift,
                      void *y);
};

#endif
