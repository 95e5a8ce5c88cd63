/* bfloat_convolution.c - the backend for float32 convolutions of one tap that train with factors rounded to bfloat16:
 * where channels lie last they are products of matrices, and so are their gradients; see convolution.h, bfloat.h.
 *
 *     y = x w^T + b     dx = dy w     dw = dy^T x     x, dx: [positions, C]   y, dy: [positions, M]   w, dw: [M, C]
 */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "kernel/blas.h"
#include "kernel/convolution.h"
#include "kernel/kernels.h"

struct bfloats {
    int64_t positions, C, M; /* positions of all images */
    struct mc_runtime runtime;
};

static int bfloats_create(void **state, const struct mc_convolution *conv, const struct mc_runtime *runtime,
                          size_t *workspace_bytes, struct mc_error *err)
{
    *state = NULL;
    if (!runtime->bfloat16 || !conv->backward || conv->dtype != MC_FLOAT || conv->groups != 1) return MC_OK;
    if (!mc_window_is_identity(&conv->window) || !conv->x_last || !conv->y_last) return MC_OK;
    const int64_t positions = conv->N * mc_window_outputs(&conv->window);
    if (!mc_gemm_fits(positions, conv->C, conv->M)) return MC_OK;
    struct bfloats *s = MC_NEW(struct bfloats);
    if (!s) return mc_error_memory(err);
    *s = (struct bfloats){positions, conv->C, conv->M, *runtime};
    *workspace_bytes = (size_t)conv->M * sizeof(double); /* sums of the bias's gradient */
    *state = s;
    return MC_OK;
}

static void bfloats_destroy(void *state)
{
    mc_free(state);
}

static void multiply(const struct bfloats *s, struct mc_gemm gemm, const void *a, const void *b, void *c)
{
    gemm.bfloats = s->runtime.kernels->bfloats;
    const int before = mc_runtime_enter(&s->runtime);
    mc_gemm(&gemm, a, b, c);
    mc_runtime_leave(before);
}

static int bfloats_forward(void *state, const void *x, const void *w, const void *b, const void *z, void *y,
                           void *workspace, struct mc_error *err)
{
    const struct bfloats *s = state;
    struct mc_gemm gemm = mc_gemm_dense(MC_FLOAT, false, true, s->positions, s->M, s->C);
    if (b) {
        float *to = y;
        for (int64_t i = 0; i < s->positions; i++, to += s->M) memcpy(to, b, (size_t)s->M * sizeof *to);
        gemm.beta = 1;
    }
    multiply(s, gemm, x, w, y);
    return MC_OK;
}

static int bfloats_backward_data(void *state, const void *dy, const void *w, void *dx, void *workspace,
                                 struct mc_error *err)
{
    const struct bfloats *s = state;
    multiply(s, mc_gemm_dense(MC_FLOAT, false, false, s->positions, s->C, s->M), dy, w, dx);
    return MC_OK;
}

static int bfloats_backward_weights(void *state, const void *x, const void *dy, void *dw, void *db, void *workspace,
                                    struct mc_error *err)
{
    const struct bfloats *s = state;
    if (dw) multiply(s, mc_gemm_dense(MC_FLOAT, true, false, s->M, s->C, s->positions), dy, x, dw);
    if (db) {
        const struct mc_row_loops *loops = &s->runtime.kernels->loops->rows[MC_LOOP_F32];
        double *const sums = workspace;
        memset(sums, 0, (size_t)s->M * sizeof *sums);
        for (int64_t i = 0; i < s->positions; i++) loops->add_to(s->M, (const float *)dy + i * s->M, sums);
        loops->store(s->M, sums, 1, db);
    }
    return MC_OK;
}

const struct mc_convolver_backend mc_bfloat_backend = {
    .name = "bfloat16",
    .create = bfloats_create,
    .destroy = bfloats_destroy,
    .forward = bfloats_forward,
    .backward_data = bfloats_backward_data,
    .backward_weights = bfloats_backward_weights,
};
