/* winograd.c - the backend for convolutions with 3x3 filters that neither stride nor dilate; see winograd.h. */
#include "kernel/winograd.h"

#include "base/alloc.h"
#include "base/block.h"
#include "base/error.h"
#include "kernel/convolution.h"
#include "kernel/kernels.h"
#include "kernel/parallel.h"

struct winograd {
    struct mc_winograd job;
    const struct mc_winograd_loops *loops;
    struct mc_runtime runtime;
    float *packed;
    size_t room; /* floats for each thread */
    int64_t n_blocks, n_panels;
    int64_t n_shares; /* into which a block's panels are cut, so that every thread has work */
};

/* --- what pays --- */

enum {
    BLOCK_BYTES = 640 * 1024, /* inputs of a block at all points: most of a second-level cache */
    BLOCK_MOST = 48,
    FEWEST_CHANNELS = 12, /* below, transforming costs more than multiplying */
};

/* Whichever pads the outputs least; of equals the widest, which loads the fewest inputs for its products. */
static int64_t choose_panel(int64_t M, const struct mc_winograd_loops *loops)
{
    int64_t best = loops->most_lanes;
    for (int64_t lanes = best / 2; lanes >= loops->lanes; lanes /= 2)
        if (mc_divide_up(M, lanes) * lanes < mc_divide_up(M, best) * best) best = lanes;
    return best;
}

static void set_tile(struct mc_winograd *job, int tile, int n_threads)
{
    job->tile = tile;
    job->n_tiles = job->N;
    for (int k = 0; k < 2; k++) job->n_tiles *= job->tiles[k] = mc_divide_up(job->out[k], tile);
    const int64_t points = (tile + 2) * (tile + 2), fit = BLOCK_BYTES / (points * job->C * (int64_t)sizeof(float));
    const int64_t most = fit < 12 ? 12 : fit > BLOCK_MOST ? BLOCK_MOST : fit / 12 * 12;
    const int64_t n_blocks = mc_parallel_blocks(job->n_tiles, most, n_threads);
    job->block = mc_divide_up(job->n_tiles, n_blocks);
}

/* Time for weights to come to the processor, in multiply-accumulates: as many as eight each, if they do not stay in a
 * second-level cache. */
static double weights_price(double weights)
{
    return weights > (1 << 18) ? 8 * weights : weights;
}

/* Time in multiply-accumulates: of the products, of the weights, of the transforms. */
static double price(const struct mc_winograd *job)
{
    const double points = (job->tile + 2) * (job->tile + 2), tiles = (double)job->n_tiles;
    const double weights = points * (double)(job->C * job->M);
    return tiles * weights + weights_price(weights) + tiles * points * 10 * (double)(job->C + job->M);
}

/* `share` of the weights are not zero: few enough, and the sum is made over those alone (sparse.h), at less than half
 * the speed each. */
static double price_of_sum(const struct mc_winograd *job, double share)
{
    const double weights = 9 * (double)(job->C * job->M), sparse = 2.5 * share * weights;
    const double multiplied = sparse < weights ? sparse : weights;
    return (double)(job->N * job->out[0] * job->out[1]) * multiplied + weights_price(multiplied);
}

static double nonzero_share(const struct mc_convolution *conv)
{
    const float *w = conv->weights;
    const int64_t n = conv->M * conv->C * 9;
    int64_t nonzeros = 0;
    for (int64_t i = 0; i < n; i++) nonzeros += w[i] != 0;
    return n > 0 ? (double)nonzeros / (double)n : 1;
}

static bool is_ours(const struct mc_convolution *conv)
{
    const struct mc_window *w = &conv->window;
    if (conv->dtype != MC_FLOAT || conv->backward || !conv->weights || conv->groups != 1 || w->rank != 2) return false;
    if (!conv->x_last || !conv->y_last || conv->C < FEWEST_CHANNELS || conv->M < FEWEST_CHANNELS) return false;
    for (int k = 0; k < 2; k++)
        if (w->kernel[k] != 3 || w->stride[k] != 1 || w->dilation[k] != 1 || w->out[k] < 4) return false;
    return true;
}

/* Set the better tile. Is it faster than the sum? */
static bool pays(struct mc_winograd *job, double share, int n_threads)
{
    struct mc_winograd small = *job;
    set_tile(&small, 2, n_threads);
    set_tile(job, 4, n_threads);
    if (price(&small) < price(job)) *job = small;
    return price(job) < 0.9 * price_of_sum(job, share);
}

/* --- the backend --- */

static void winograd_destroy(void *state)
{
    struct winograd *s = state;
    if (!s) return;
    mc_block_destroy(s->packed);
    mc_free(s);
}

struct packing {
    struct winograd *s;
    const float *weights;
};

static void pack_range(void *context, int64_t begin, int64_t end)
{
    const struct packing *p = context;
    for (int64_t i = begin; i < end; i++) p->s->loops->pack(&p->s->job, p->weights, i, p->s->packed);
}

static int set_up(struct winograd *s, const struct mc_convolution *conv, struct mc_error *err)
{
    struct mc_winograd *job = &s->job;
    job->panel = choose_panel(job->M, s->loops);
    s->n_blocks = mc_divide_up(job->n_tiles, job->block);
    s->n_panels = mc_divide_up(job->M, job->panel);
    s->n_shares = mc_divide_up(s->runtime.n_threads, s->n_blocks);
    if (s->n_shares > s->n_panels) s->n_shares = s->n_panels;
    s->room = (s->loops->room_floats(job) + 15) / 16 * 16;
    s->packed = mc_block_create(s->runtime.memory, s->loops->packed_floats(job), sizeof *s->packed);
    if (!s->packed) return mc_error_memory(err);
    job->weights = s->packed;
    const int before = mc_runtime_enter(&s->runtime);
    mc_parallel(s->n_panels, 1, pack_range, &(struct packing){s, conv->weights});
    mc_runtime_leave(before);
    return MC_OK;
}

static bool winograd_has_packed(const void *state)
{
    return true;
}

static int winograd_create(void **state, const struct mc_convolution *conv, const struct mc_runtime *runtime,
                           size_t *workspace_bytes, struct mc_error *err)
{
    const struct mc_window *w = &conv->window;
    *state = NULL;
    if (!is_ours(conv)) return MC_OK;
    struct mc_winograd job = {
        .N = conv->N,
        .C = conv->C,
        .M = conv->M,
        .in = {w->in[0], w->in[1]},
        .out = {w->out[0], w->out[1]},
        .begin = {w->begin[0], w->begin[1]},
        .bounded = conv->bounded,
        .bounds = {conv->low, conv->high},
    };
    if (!pays(&job, nonzero_share(conv), runtime->n_threads)) return MC_OK;
    struct winograd *s = MC_NEW(struct winograd);
    if (!s) return mc_error_memory(err);
    s->job = job;
    s->runtime = *runtime;
    s->loops = runtime->kernels->winograd;
    const int rc = set_up(s, conv, err);
    if (rc < 0) {
        winograd_destroy(s);
        return rc;
    }
    *workspace_bytes = s->room * sizeof(float) * (size_t)runtime->n_threads;
    *state = s;
    return MC_OK;
}

struct running {
    const struct winograd *s;
    const float *x, *b, *z;
    float *y, *room;
    int64_t n_parts;
};

/* A part of the work for each thread: consecutive shares of blocks. */
static void run_parts(void *context, int64_t begin, int64_t end)
{
    const struct running *r = context;
    const struct winograd *s = r->s;
    const int64_t n = s->n_blocks * s->n_shares;
    for (int64_t part = begin; part < end; part++)
        for (int64_t i = n * part / r->n_parts; i < n * (part + 1) / r->n_parts; i++) {
            const int64_t share = i % s->n_shares;
            s->loops->run(&s->job, r->x, r->b, r->z, r->y, i / s->n_shares, s->n_panels * share / s->n_shares,
                          s->n_panels * (share + 1) / s->n_shares, r->room + part * (int64_t)s->room);
        }
}

static int winograd_forward(void *state, const void *x, const void *w, const void *b, const void *z, void *y,
                            void *workspace, struct mc_error *err)
{
    const struct winograd *s = state;
    struct running r = {.s = s, .x = x, .b = b, .z = z, .y = y, .room = workspace, .n_parts = s->runtime.n_threads};
    const int before = mc_runtime_enter(&s->runtime);
    mc_parallel(r.n_parts, 1, run_parts, &r);
    mc_runtime_leave(before);
    return MC_OK;
}

const struct mc_convolver_backend mc_winograd_backend = {
    .name = "Winograd",
    .finishes = true,
    .create = winograd_create,
    .destroy = winograd_destroy,
    .has_packed = winograd_has_packed,
    .forward = winograd_forward,
};
