/* pointwise.c - the backend for convolutions with one tap; see pointwise.h. */
#include "kernel/pointwise.h"

#include "base/alloc.h"
#include "base/error.h"
#include "kernel/convolution.h"
#include "kernel/kernels.h"
#include "kernel/parallel.h"

struct pointwise {
    struct mc_pointwise job;
    const struct mc_pointwise_loops *loops;
    struct mc_runtime runtime;
    float *packed;
    int64_t positions, block; /* in all images; of a block */
    int64_t n_blocks;
    int64_t n_shares; /* into which a block's panels are cut, so that every thread has work */
};

/* Inputs of a block, which is read once for each panel; the fewest positions that make a panel worth loading. */
enum { BLOCK_BYTES = 256 * 1024, BLOCK_LEAST = 48 };

static bool is_ours(const struct mc_convolution *conv, const struct mc_pointwise_loops *loops)
{
    const struct mc_window *w = &conv->window;
    if (conv->dtype != MC_FLOAT || conv->backward || !conv->weights || conv->groups != 1) return false;
    const bool x_last = conv->x_last || mc_window_inputs(w) == 1, y_last = conv->y_last || mc_window_outputs(w) == 1;
    return mc_window_is_identity(w) && x_last && y_last && conv->M >= loops->lanes;
}

static void pointwise_destroy(void *state)
{
    struct pointwise *s = state;
    if (!s) return;
    mc_free(s->packed);
    mc_free(s);
}

struct packing {
    const struct pointwise *s;
    const float *weights;
};

static void pack_range(void *context, int64_t begin, int64_t end)
{
    const struct packing *p = context;
    for (int64_t i = begin; i < end; i++) p->s->loops->pack(&p->s->job, p->weights, i, p->s->packed);
}

static void cut(struct pointwise *s, int64_t C)
{
    const int64_t fit = BLOCK_BYTES / ((int64_t)sizeof(float) * C);
    s->n_blocks = mc_parallel_blocks(s->positions, fit < BLOCK_LEAST ? BLOCK_LEAST : fit, s->runtime.n_threads);
    s->block = (s->positions + s->n_blocks - 1) / s->n_blocks;
    s->n_shares = (s->runtime.n_threads + s->n_blocks - 1) / s->n_blocks;
    if (s->n_shares > s->job.n_panels) s->n_shares = s->job.n_panels;
}

static int pointwise_create(void **state, const struct mc_convolution *conv, const struct mc_runtime *runtime,
                            size_t *workspace_bytes, struct mc_error *err)
{
    const struct mc_pointwise_loops *loops = runtime->kernels->pointwise;
    *state = NULL;
    if (!is_ours(conv, loops)) return MC_OK;
    struct pointwise *s = MC_NEW(struct pointwise);
    if (!s) return mc_error_memory(err);
    const int64_t n_panels = (conv->M + loops->most_lanes - 1) / loops->most_lanes;
    s->job = (struct mc_pointwise){.C = conv->C, .M = conv->M, .n_panels = n_panels};
    s->loops = loops;
    s->runtime = *runtime;
    s->positions = conv->N * mc_window_outputs(&conv->window);
    cut(s, conv->C);
    s->packed = mc_alloc_aligned(loops->packed_floats(&s->job), sizeof *s->packed);
    if (!s->packed) {
        pointwise_destroy(s);
        return mc_error_memory(err);
    }
    s->job.weights = s->packed;
    const int before = mc_runtime_enter(runtime);
    mc_parallel(n_panels, 1, pack_range, &(struct packing){s, conv->weights});
    mc_runtime_leave(before);
    *workspace_bytes = 0;
    *state = s;
    return MC_OK;
}

struct running {
    const struct pointwise *s;
    const float *x, *b;
    float *y;
};

static void run_shares(void *context, int64_t begin, int64_t end)
{
    const struct running *r = context;
    const struct pointwise *s = r->s;
    for (int64_t i = begin; i < end; i++) {
        const int64_t share = i % s->n_shares, first = i / s->n_shares * s->block, left = s->positions - first;
        if (left <= 0) break;
        s->loops->run(&s->job, r->x + first * s->job.C, r->b, r->y + first * s->job.M,
                      left < s->block ? left : s->block, s->job.n_panels * share / s->n_shares,
                      s->job.n_panels * (share + 1) / s->n_shares);
    }
}

static int pointwise_forward(void *state, const void *x, const void *w, const void *b, void *y, void *workspace,
                             struct mc_error *err)
{
    const struct pointwise *s = state;
    const int before = mc_runtime_enter(&s->runtime);
    mc_parallel(s->n_blocks * s->n_shares, 1, run_shares, &(struct running){s, x, b, y});
    mc_runtime_leave(before);
    return MC_OK;
}

const struct mc_convolver_backend mc_pointwise_backend = {
    .name = "pointwise",
    .create = pointwise_create,
    .destroy = pointwise_destroy,
    .forward = pointwise_forward,
};
