/* winograd.c - the backend for convolutions with 3x3 filters that neither stride nor dilate; see winograd.h. */
#include "kernel/winograd.h"

#include <string.h>

#include "base/alloc.h"
#include "base/block.h"
#include "base/error.h"
#include "kernel/convolution.h"
#include "kernel/kernels.h"
#include "kernel/parallel.h"
#include "kernel/sparse.h"

/* A convolution of x, or of dy with the filters turned around. */
struct pass {
    struct mc_winograd job;
    size_t room, packed; /* floats: of a thread's room, of the packed filters */
    int64_t n_blocks, n_panels;
    int64_t n_shares; /* into which a block's panels are cut, so that every thread has work */
};

struct winograd {
    const struct mc_winograd_loops *loops;
    const struct mc_winograd_weights_loops *weights_loops;
    struct mc_runtime runtime;
    struct pass forward;
    float *packed; /* constant filters; NULL: packed in the workspace in each call, and there are derivatives */
    struct pass data;
    struct mc_winograd weights; /* the job of dw */
};

/* --- what pays --- */

enum {
    BLOCK_BYTES = 640 * 1024, /* inputs of a block at all points: most of a second-level cache */
    BLOCK_MOST = 48,
    USUAL_BATCH = 32, /* of training, below which nothing is gained: larger ones choose alike, whoever has the rest */
    CHUNK_TILES = 64, /* of a chunk, for each thread: over as many, sums stay in registers */
    CHUNK_BYTES = 8 << 20, /* inputs and outputs of a chunk at all points: what the threads' caches share */
    FEWEST_CHANNELS = 12,  /* below, transforming costs more than multiplying */
};

/* Of `fewest` to `most` lanes, whichever pads the outputs least; of equals the widest, which loads the fewest inputs
 * for its products. */
static int64_t choose_panel(int64_t M, int64_t fewest, int64_t most)
{
    int64_t best = most;
    for (int64_t lanes = best / 2; lanes >= fewest; lanes /= 2)
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

/* Time in multiply-accumulates: of the products, of the weights, of the transforms; of packing, in each call. */
static double price(const struct mc_winograd *job, bool packs)
{
    const double points = (job->tile + 2) * (job->tile + 2), tiles = (double)job->n_tiles;
    const double weights = points * (double)(job->C * job->M);
    const double fixed = weights_price(weights) + (packs ? 8 * weights : 0);
    return tiles * weights + fixed + tiles * points * 10 * (double)(job->C + job->M);
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
    const int64_t n = conv->M * conv->C * 9;
    return n > 0 ? (double)mc_sparse_nonzeros(conv->weights, n) / (double)n : 1;
}

static bool is_ours(const struct mc_convolution *conv)
{
    const struct mc_window *w = &conv->window;
    if (conv->dtype != MC_FLOAT || (!conv->backward && !conv->weights) || conv->groups != 1 || w->rank != 2)
        return false;
    if (conv->backward && conv->N < USUAL_BATCH) return false;
    if (!conv->x_last || !conv->y_last || conv->C < FEWEST_CHANNELS || conv->M < FEWEST_CHANNELS) return false;
    for (int k = 0; k < 2; k++)
        if (w->kernel[k] != 3 || w->stride[k] != 1 || w->dilation[k] != 1 || w->out[k] < 4 || w->in[k] < 4)
            return false;
    return true;
}

/* Set the better tile. Is it faster than the sum? */
static bool pays(struct mc_winograd *job, const struct mc_convolution *conv, int n_threads)
{
    struct mc_winograd small = *job, large = *job;
    small.N = large.N = conv->backward ? USUAL_BATCH : conv->N;
    set_tile(&small, 2, n_threads);
    set_tile(&large, 4, n_threads);
    const bool is_small = price(&small, conv->backward) < price(&large, conv->backward);
    const struct mc_winograd *better = is_small ? &small : &large;
    set_tile(job, better->tile, n_threads);
    return price(better, conv->backward) < 0.9 * price_of_sum(better, conv->backward ? 1 : nonzero_share(conv));
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
    const struct winograd *s;
    const struct pass *pass;
    struct mc_winograd_filters filters;
    float *packed;
};

static void pack_range(void *context, int64_t begin, int64_t end)
{
    const struct packing *p = context;
    for (int64_t i = begin; i < end; i++) p->s->loops->pack(&p->pass->job, &p->filters, i, p->packed);
}

/* w [M, C, 3, 3] for a pass, turned around for that of dy. */
static void pack(const struct winograd *s, const struct pass *pass, const float *w, float *packed)
{
    const int64_t C = s->forward.job.C;
    struct packing p = {s, pass, {w, C * 9, 9, 1}, packed};
    if (pass == &s->data) p.filters = (struct mc_winograd_filters){w + 8, 9, C * 9, -1};
    mc_parallel(pass->n_panels, 1, pack_range, &p);
}

/* What so many floats take of a room where the next thing begins with a cache line. */
static size_t whole_lines(size_t floats)
{
    return mc_align(floats * sizeof(float)) / sizeof(float);
}

static void set_pass(const struct winograd *s, struct pass *pass)
{
    struct mc_winograd *job = &pass->job;
    job->panel = choose_panel(job->M, s->loops->lanes, s->loops->most_lanes);
    pass->n_blocks = mc_divide_up(job->n_tiles, job->block);
    pass->n_panels = mc_divide_up(job->M, job->panel);
    pass->n_shares = mc_divide_up(s->runtime.n_threads, pass->n_blocks);
    if (pass->n_shares > pass->n_panels) pass->n_shares = pass->n_panels;
    pass->room = whole_lines(s->loops->room_floats(job));
    pass->packed = whole_lines(s->loops->packed_floats(job));
}

/* Floats that a call needs where the filters are packed in each. */
static size_t pass_floats(const struct winograd *s, const struct pass *pass)
{
    return pass->packed + pass->room * (size_t)s->runtime.n_threads;
}

/* dx: outputs and inputs change places, and what was cut off before now pads. */
static struct mc_winograd job_of_data(const struct mc_winograd *job, int n_threads)
{
    struct mc_winograd data = *job;
    data.C = job->M;
    data.M = job->C;
    for (int k = 0; k < 2; k++) {
        data.in[k] = job->out[k];
        data.out[k] = job->in[k];
        data.begin[k] = 2 - job->begin[k];
    }
    set_tile(&data, job->tile, n_threads);
    return data;
}

/* Tiles that go into the sums of dw at a time. */
static int64_t chunk_of(const struct mc_winograd *job, int n_threads)
{
    const int64_t floats = (job->tile + 2) * (job->tile + 2) * (job->C + job->M);
    const int64_t fit = CHUNK_BYTES / (floats * (int64_t)sizeof(float)), wanted = (int64_t)CHUNK_TILES * n_threads;
    const int64_t most = wanted < fit ? wanted : fit > CHUNK_TILES ? fit : CHUNK_TILES;
    return mc_divide_up(job->n_tiles, mc_divide_up(job->n_tiles, most));
}

/* What derivatives need; returns the floats of workspace. */
static size_t set_backward(struct winograd *s)
{
    const int n_threads = s->runtime.n_threads;
    const struct mc_winograd_weights_loops *loops = s->weights_loops;
    s->data.job = job_of_data(&s->forward.job, n_threads);
    set_pass(s, &s->data);
    s->weights = s->forward.job;
    s->weights.panel = choose_panel(s->weights.M, s->loops->lanes, loops->most_lanes);
    s->weights.block = chunk_of(&s->weights, n_threads);
    const size_t sums = whole_lines(loops->sum_floats(&s->weights));
    size_t most = sums + loops->room_floats(&s->weights);
    if (most < pass_floats(s, &s->forward)) most = pass_floats(s, &s->forward);
    if (most < pass_floats(s, &s->data)) most = pass_floats(s, &s->data);
    return most;
}

static int pack_constant(struct winograd *s, const float *w, struct mc_error *err)
{
    s->packed = mc_block_create(s->runtime.memory, s->forward.packed, sizeof *s->packed);
    if (!s->packed) return mc_error_memory(err);
    const int before = mc_runtime_enter(&s->runtime);
    pack(s, &s->forward, w, s->packed);
    mc_runtime_leave(before);
    return MC_OK;
}

static bool winograd_has_packed(const void *state)
{
    const struct winograd *s = state;
    return s->packed != NULL;
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
    if (!pays(&job, conv, runtime->n_threads)) return MC_OK;
    struct winograd *s = MC_NEW(struct winograd);
    if (!s) return mc_error_memory(err);
    s->runtime = *runtime;
    s->loops = runtime->kernels->winograd;
    s->weights_loops = runtime->kernels->winograd_weights;
    s->forward.job = job;
    set_pass(s, &s->forward);
    const size_t floats = conv->backward ? set_backward(s) : s->forward.room * (size_t)runtime->n_threads;
    const int rc = conv->backward ? MC_OK : pack_constant(s, conv->weights, err);
    if (rc < 0) {
        winograd_destroy(s);
        return rc;
    }
    *workspace_bytes = floats * sizeof(float);
    *state = s;
    return MC_OK;
}

/* --- a convolution --- */

struct running {
    const struct mc_winograd_loops *loops;
    const struct pass *pass;
    struct mc_winograd job;
    const float *x, *b, *z;
    float *y, *room;
    int64_t n_parts;
};

/* A part of the work for each thread: consecutive shares of blocks. */
static void run_parts(void *context, int64_t begin, int64_t end)
{
    const struct running *r = context;
    const struct pass *pass = r->pass;
    const int64_t n = pass->n_blocks * pass->n_shares;
    for (int64_t part = begin; part < end; part++)
        for (int64_t i = n * part / r->n_parts; i < n * (part + 1) / r->n_parts; i++) {
            const int64_t share = i % pass->n_shares;
            r->loops->run(&r->job, r->x, r->b, r->z, r->y, i / pass->n_shares, pass->n_panels * share / pass->n_shares,
                          pass->n_panels * (share + 1) / pass->n_shares, r->room + part * (int64_t)pass->room);
        }
}

/* With the constant filters, or with w. */
static void run_pass(const struct winograd *s, const struct pass *pass, const float *x, const float *w, const float *b,
                     const float *z, float *y, float *workspace)
{
    struct running r = {.loops = s->loops, .pass = pass, .job = pass->job, .x = x, .b = b, .z = z, .y = y};
    const int before = mc_runtime_enter(&s->runtime);
    r.n_parts = s->runtime.n_threads;
    r.job.weights = s->packed;
    r.room = workspace;
    if (!s->packed) {
        pack(s, pass, w, workspace);
        r.job.weights = workspace;
        r.room += pass->packed;
    }
    mc_parallel(r.n_parts, 1, run_parts, &r);
    mc_runtime_leave(before);
}

static int winograd_forward(void *state, const void *x, const void *w, const void *b, const void *z, void *y,
                            void *workspace, struct mc_error *err)
{
    const struct winograd *s = state;
    run_pass(s, &s->forward, x, w, b, z, y, workspace);
    return MC_OK;
}

static int winograd_backward_data(void *state, const void *dy, const void *w, void *dx, void *workspace,
                                  struct mc_error *err)
{
    const struct winograd *s = state;
    run_pass(s, &s->data, dy, w, NULL, NULL, dx, workspace);
    return MC_OK;
}

/* --- derivatives of filters --- */

struct summing {
    const struct mc_winograd_weights_loops *loops;
    const struct mc_winograd *job;
    const float *x, *dy;
    int64_t first, n; /* tiles of the chunk */
    float *sums, *room, *dw;
};

static void spread_range(void *context, int64_t begin, int64_t end)
{
    const struct summing *c = context;
    c->loops->spread(c->job, c->x, c->dy, c->first, c->first + begin, c->first + end, c->room);
}

static void add_range(void *context, int64_t begin, int64_t end)
{
    const struct summing *c = context;
    c->loops->add_up(c->job, c->first == 0, c->n, begin, end, c->room, c->sums);
}

static void gather_range(void *context, int64_t begin, int64_t end)
{
    const struct summing *c = context;
    c->loops->gather(c->job, c->sums, begin, end, c->dw);
}

static int winograd_backward_weights(void *state, const void *x, const void *dy, void *dw, void *db, void *workspace,
                                     struct mc_error *err)
{
    const struct winograd *s = state;
    const struct mc_winograd *job = &s->weights;
    const struct mc_winograd_weights_loops *loops = s->weights_loops;
    struct summing c = {.loops = loops, .job = job, .x = x, .dy = dy, .sums = workspace, .dw = dw};
    c.room = c.sums + whole_lines(loops->sum_floats(job));
    memset(c.room, 0, mc_align((size_t)job->C * sizeof(float)));
    const int before = mc_runtime_enter(&s->runtime);
    for (; c.first < job->n_tiles; c.first += job->block) {
        c.n = job->n_tiles - c.first < job->block ? job->n_tiles - c.first : job->block;
        mc_parallel(c.n, 1, spread_range, &c);
        mc_parallel(loops->n_parts(job), 1, add_range, &c);
    }
    if (dw) mc_parallel(job->C, 1, gather_range, &c);
    if (db) loops->gather_bias(job, c.sums, db);
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
    .backward_data = winograd_backward_data,
    .backward_weights = winograd_backward_weights,
};
