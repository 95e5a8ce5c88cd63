/* pointwise.c - the backend for convolutions with one tap: at every position a product with the same matrix. */
#include "base/alloc.h"
#include "base/error.h"
#include "kernel/convolution.h"
#include "kernel/packed.h"

/* State of the backend. */
struct pointwise {
    struct mc_packed *packed;
    int64_t positions, M; /* positions in all images */
};

static bool is_ours(const struct mc_convolution *conv, const struct mc_runtime *runtime)
{
    const struct mc_window *w = &conv->window;
    if (conv->dtype != MC_FLOAT || conv->backward || !conv->weights || conv->groups != 1) return false;
    const bool x_last = conv->x_last || mc_window_inputs(w) == 1, y_last = conv->y_last || mc_window_outputs(w) == 1;
    return mc_window_is_identity(w) && x_last && y_last && mc_packed_takes(conv->M, runtime);
}

static void pointwise_destroy(void *state)
{
    struct pointwise *s = state;
    if (!s) return;
    mc_packed_destroy(s->packed);
    mc_free(s);
}

static bool pointwise_has_packed(const void *state)
{
    return true;
}

static int pointwise_create(void **state, const struct mc_convolution *conv, const struct mc_runtime *runtime,
                            size_t *workspace_bytes, struct mc_error *err)
{
    *state = NULL;
    if (!is_ours(conv, runtime)) return MC_OK;
    struct pointwise *s = MC_NEW(struct pointwise);
    if (!s) return mc_error_memory(err);
    const struct mc_unpacked w = {
        .w = conv->weights, .K = conv->C, .M = conv->M, .row_step = 1, .column_step = conv->C};
    s->M = conv->M;
    s->positions = conv->N * mc_window_outputs(&conv->window);
    const int rc = mc_packed_create(&s->packed, &w, runtime, err);
    if (rc < 0) {
        pointwise_destroy(s);
        return rc;
    }
    *workspace_bytes = 0;
    *state = s;
    return MC_OK;
}

static int pointwise_forward(void *state, const void *x, const void *w, const void *b, void *y, void *workspace,
                             struct mc_error *err)
{
    const struct pointwise *s = state;
    mc_packed_run(s->packed, s->positions, x, b, y, s->M);
    return MC_OK;
}

const struct mc_convolver_backend mc_pointwise_backend = {
    .name = "pointwise",
    .create = pointwise_create,
    .destroy = pointwise_destroy,
    .has_packed = pointwise_has_packed,
    .forward = pointwise_forward,
};
