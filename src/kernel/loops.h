/* loops.h - element-wise loops, sums and softmax over contiguous runs, for one instruction set.
 *
 * The table holds single-threaded loops over n elements; who walks strides, broadcasts and threads stands in
 * kernel/broadcast.h and the operators. Pointers are to elements of the type that the row of the table is for; output
 * may be the very same run as an input, but not overlap it in any other way. NaN is propagated. Nothing is contracted
 * or reordered, and sums run in fixed lanes: every instruction set gives the same bits.
 */
#ifndef MC_KERNEL_LOOPS_H
#define MC_KERNEL_LOOPS_H

#include <assert.h>

#include "tensor/tensor.h"

/* Element types that have loops. Integers have NEG, ABS and SIGN, and of enum mc_binary the first seven. */
enum mc_loop_type { MC_LOOP_F32, MC_LOOP_F64, MC_LOOP_I32, MC_LOOP_I64, MC_LOOP_U64, MC_LOOP_TYPES };
#define MC_LOOP_FLOATS (MC_LOOP_F64 + 1)

/* Row of the tables for a type, which must have one. */
static inline enum mc_loop_type mc_loop_type(enum mc_dtype dtype)
{
    switch (dtype) {
    case MC_DOUBLE:
        return MC_LOOP_F64;
    case MC_INT32:
        return MC_LOOP_I32;
    case MC_INT64:
        return MC_LOOP_I64;
    case MC_UINT64:
        return MC_LOOP_U64;
    default:
        assert(dtype == MC_FLOAT);
        return MC_LOOP_F32;
    }
}

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
    MC_UNARY_SQUARE, /* x^2 */
    MC_UNARY_CUBE,   /* x^3 */
    MC_UNARY_ACOS,
    MC_UNARY_ACOSH,
    MC_UNARY_ASIN,
    MC_UNARY_ASINH,
    MC_UNARY_ATAN,
    MC_UNARY_ATANH,
    MC_UNARY_COS,
    MC_UNARY_COSH,
    MC_UNARY_SIN,
    MC_UNARY_SINH,
    MC_UNARY_TAN,
    MC_UNARY_CEIL,
    MC_UNARY_FLOOR,
    MC_UNARY_ROUND,      /* to nearest, ties to even */
    MC_UNARY_SIGN,       /* NaN stays */
    MC_UNARY_RECIPROCAL, /* 1 / x */
    MC_UNARY_CELU,       /* x < 0 ? a (e^(x / a) - 1) : x */
    MC_UNARY_SELU,       /* b (x < 0 ? a (e^x - 1) : x) */
    MC_UNARY_MISH,       /* x tanh(ln(1 + e^x)) */
    MC_UNARY_SOFTPLUS,   /* ln(1 + e^x) */
    MC_UNARY_SOFTSIGN,   /* x / (1 + |x|) */
    MC_UNARY_SWISH,      /* x / (1 + e^(-a x)) */
    MC_UNARY_THRESHOLD,  /* x > a ? x : 0 */
    MC_UNARY_SHRINK,     /* x < -a ? x + b : x > a ? x - b : 0 */
    MC_UNARY_COUNT
};

/* y = f(a, b). Integers wrap; their division truncates towards zero, and by zero gives 0. */
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
    MC_TERM_G,           /* g itself: its entry in the table is NULL */
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
/* dx = dy f'(x). `kept` is y where the derivative is told from that (RELU, SIGMOID, TANH, HARD_SIGMOID, EXP, SQRT), x
 * elsewhere; NEG reads neither. Kinks and ties are PyTorch's. */
typedef void mc_unary_grad_fn(int64_t n, const void *kept, const void *dy, void *dx, const double *p);
typedef void mc_binary_fn(int64_t n, const void *a, const void *b, void *y);
typedef void mc_term_fn(int64_t n, const void *a, const void *b, const void *g, void *t);

/* Element i of a tensor is dropped when the hash of (key, i mod 2^32) is below `threshold`, else multiplied by `scale`:
 * whoever knows the key draws the same mask again, in any order and number of threads. */
struct mc_dropout {
    uint32_t key[2];
    uint64_t threshold; /* ratio * 2^32 */
    double scale;       /* 1 / (1 - ratio) */
};

/* Statistics of a row, as moments gives them. */
struct mc_moments {
    double mean;
    double inverse; /* 1 / sqrt(variance + epsilon) */
};

/* Loops over one row of n elements, in float32 or float64. Sums are taken in double in fixed lanes (kernel/lanes.h). */
struct mc_row_loops {
    double (*sum)(int64_t n, const void *x);
    void (*add_to)(int64_t n, const void *x, double *acc);               /* acc[i] += x[i] */
    void (*store)(int64_t n, const double *acc, double factor, void *y); /* y[i] = acc[i] factor */
    void (*softmax)(int64_t n, const void *x, void *y);
    void (*log_softmax)(int64_t n, const void *x, void *y);                       /* y must not be x */
    void (*softmax_grad)(int64_t n, const void *y, const void *dy, void *dx);     /* y (dy - sum(dy y)) */
    void (*log_softmax_grad)(int64_t n, const void *y, const void *dy, void *dx); /* dy - e^y sum(dy) */

    /* The variance is the mean of (x - mean)^2, in a second pass. */
    void (*moments)(int64_t n, const void *x, double epsilon, struct mc_moments *moments);
    /* y = (x - mean) inverse scale + shift; shift may be NULL */
    void (*normalize)(int64_t n, const void *x, const struct mc_moments *m, const void *scale, const void *shift,
                      void *y);
    /* dx of normalize: with g = dy scale and h = (x - mean) inverse, inverse (g - mean(g) - h mean(g h)), plus what
     * comes in through the statistics themselves: d_moments holds d loss / d mean and d loss / d inverse. */
    void (*normalize_grad)(int64_t n, const void *x, const struct mc_moments *m, const void *scale, const void *dy,
                           const struct mc_moments *d_moments, void *dx);
    /* acc[i] += dy[i] (x[i] - mean) inverse: this row's part of d loss / d scale */
    void (*normalize_grad_scale)(int64_t n, const void *x, const struct mc_moments *m, const void *dy, double *acc);

    /* Elements first … first+n-1 of a tensor. The gradient is the same loop over dy. `mask` (may be NULL): 1 where
     * kept. */
    void (*dropout)(int64_t n, int64_t first, const void *x, void *y, bool *mask, const struct mc_dropout *dropout);
};

struct mc_loops {
    mc_unary_fn *unary[MC_LOOP_TYPES][MC_UNARY_COUNT];
    mc_unary_grad_fn *unary_grad[MC_LOOP_FLOATS][MC_UNARY_COUNT];
    mc_binary_fn *binary[MC_LOOP_TYPES][MC_BINARY_COUNT][MC_FORM_COUNT];
    mc_term_fn *term[MC_LOOP_FLOATS][MC_TERM_COUNT];
    struct mc_row_loops rows[MC_LOOP_FLOATS];
};

#endif
