/* convolution.h - convolution over one to three spatial axes, forward and backward.
 *
 *     x: [N, C, in...]   w: [M, C / groups, kernel...]   b: [M] or NULL   y: [N, M, out...]
 *
 *     y[n, m, o] = b[m] + sum over c, tap of w[m, c, tap] x[n, g C/groups + c, o stride - begin + tap dilation]
 *
 * with g = m / (M / groups) and x = 0 outside (ONNX Conv; a correlation, as everywhere in this field). A convolver is
 * one such convolution made ready by one of these backends: for float32 by Winograd's minimal filtering (3x3) or
 * channel by channel (depthwise), gradients too; one tap, to train in bfloat16, as products; with constant weights by
 * sums over those that are not zero or by implicit GEMM; for the rest by oneDNN, which has float32 and SIMD code for
 * many shapes, or by im2col and products of matrices on OpenBLAS, which has everything and is the reference. Running
 * allocates nothing.
 */
#ifndef MC_KERNEL_CONVOLUTION_H
#define MC_KERNEL_CONVOLUTION_H

#include "kernel/runtime.h"
#include "kernel/window.h"
#include "tensor/tensor.h"

struct mc_convolution {
    enum mc_dtype dtype; /* MC_FLOAT or MC_DOUBLE */
    int64_t N, C, M, groups;
    struct mc_window window;
    bool has_bias;
    bool x_last, y_last; /* x and dx, y and dy lie channels last: [N, in..., C] */
    bool backward;       /* will be asked for gradients */
    /* Of what is computed: y = min(max(y + z, low), high), NaN stays. Not with `backward` */
    bool adds; /* z, which lies as y does */
    bool bounded;
    float low, high;
    const void *weights; /* w, if it never changes while the convolver lives: packed once. NULL: read in each call */
};

struct mc_convolver;

/* Are convolutions of this type faster on activations that lie channels last? Each takes any order. */
bool mc_convolver_wants_last(enum mc_dtype dtype, const struct mc_runtime *runtime);

/* May choose any backend that has the convolution; im2col if nothing is faster. To be run with the number
 * of threads of `runtime`, which is kept. MC_ERR_SYSTEM without memory. */
int mc_convolver_create(struct mc_convolver **convolver, const struct mc_convolution *convolution,
                        const struct mc_runtime *runtime, struct mc_error *err);
void mc_convolver_destroy(struct mc_convolver *convolver);

/* Which backend it became, for tests and reports: "Winograd", "depthwise", "bfloat16", "sparse", "implicit GEMM",
 * "oneDNN" or "im2col". */
const char *mc_convolver_name(const struct mc_convolver *convolver);
/* Did it make its own copy of mc_convolution.weights? Then forward does not read its `w`. */
bool mc_convolver_has_packed(const struct mc_convolver *convolver);
/* Scratch that every call below needs, 64-byte aligned. */
size_t mc_convolver_workspace_bytes(const struct mc_convolver *convolver);

/* z may be y; it is not read without mc_convolution.adds. */
int mc_convolver_forward(struct mc_convolver *convolver, const void *x, const void *w, const void *b, const void *z,
                         void *y, void *workspace, struct mc_error *err);
/* dx is written, not added to; so are dw and db (NULL: not wanted). */
int mc_convolver_backward_data(struct mc_convolver *convolver, const void *dy, const void *w, void *dx, void *workspace,
                               struct mc_error *err);
int mc_convolver_backward_weights(struct mc_convolver *convolver, const void *x, const void *dy, void *dw, void *db,
                                  void *workspace, struct mc_error *err);

/* --- what a backend is; convolution.c has the list --- */

struct mc_convolver_backend {
    const char *name;
    bool channels_first; /* knows no other order: the convolver reorders */
    bool finishes;       /* adds z and heeds bounds: else the convolver does */
    /* Make `*state`, owned by the caller. *state NULL with MC_OK: it does not have this convolution. */
    int (*create)(void **state, const struct mc_convolution *convolution, const struct mc_runtime *runtime,
                  size_t *workspace_bytes, struct mc_error *err);
    void (*destroy)(void *state);
    bool (*has_packed)(const void *state); /* the weights; NULL: never */
    int (*forward)(void *state, const void *x, const void *w, const void *b, const void *z, void *y, void *workspace,
                   struct mc_error *err);
    int (*backward_data)(void *state, const void *dy, const void *w, void *dx, void *workspace, struct mc_error *err);
    int (*backward_weights)(void *state, const void *x, const void *dy, void *dw, void *db, void *workspace,
                            struct mc_error *err);
};

extern const struct mc_convolver_backend mc_depthwise_backend;
extern const struct mc_convolver_backend mc_bfloat_backend;
extern const struct mc_convolver_backend mc_im2col_backend;
extern const struct mc_convolver_backend mc_implicit_backend;
extern const struct mc_convolver_backend mc_sparse_backend;
extern const struct mc_convolver_backend mc_winograd_backend;
extern const struct mc_convolver_backend mc_onednn_backend; /* only where it was built: MC_HAVE_ONEDNN */

#endif
