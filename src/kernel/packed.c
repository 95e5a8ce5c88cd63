/* packed.c - packs weights, cuts products among threads; see packed.h. */
#include "kernel/packed.h"

#include <string.h>

#include "base/alloc.h"
#include "base/block.h"
#include "base/clock.h"
#include "base/error.h"
#include "kernel/bfloat.h"
#include "kernel/kernels.h"
#include "kernel/parallel.h"
#include "kernel/sparse.h"
#include "tensor/half.h"

struct mc_packed {
    struct mc_panels panels;
    const struct mc_packed_loops *loops;
    struct mc_runtime runtime;
    void *packed;
    struct mc_sparse *sparse;              /* instead; NULL: none */
    const struct mc_bfloat_loops *bfloats; /* who packed it, instead of `loops`; NULL: none */
};

/* Inputs of a block, which is read once for each panel; the fewest rows that make a panel worth loading. */
enum { BLOCK_BYTES = 256 * 1024, BLOCK_LEAST = 48 };

/* With wide vectors BLAS is as fast from so many rows on, and takes the matrix as it lies. */
enum { MOST_PACKED_ROWS = 64 };

enum { TRIALS = 5 }; /* runs of which the shortest counts */

bool mc_packed_takes(int64_t M, const struct mc_runtime *runtime)
{
    return M >= runtime->kernels->packed->lanes;
}

bool mc_packed_pays(int64_t rows, const struct mc_runtime *runtime)
{
    return rows <= MOST_PACKED_ROWS || runtime->kernels->packed->fast;
}

/* Is each of n numbers there and back again the same? */
static bool are_halves(int64_t n, const float *w, enum mc_packed_kind kind)
{
    enum { CHUNK = 512 };
    uint16_t halves[CHUNK];
    float back[CHUNK];
    for (int64_t i = 0; i < n; i += CHUNK) {
        const int64_t some = n - i < CHUNK ? n - i : CHUNK;
        if (kind == MC_PACKED_HALVES) {
            mc_floats_to_halves(some, w + i, halves);
            mc_halves_to_floats(some, halves, back);
        } else {
            mc_floats_to_bfloats(some, w + i, halves);
            mc_bfloats_to_floats(some, halves, back);
        }
        if (memcmp(back, w + i, (size_t)some * sizeof *back) != 0) return false;
    }
    return true;
}

/* Does w lie in K M floats, one after the other? */
static bool is_dense(const struct mc_unpacked *w)
{
    if (w->column_step == 1) return !w->inner && w->row_step == w->M;
    if (w->column_step != w->K) return false;
    const int64_t outer = w->inner ? w->K / w->inner : w->K, inner = w->inner ? w->inner : 1;
    return outer * inner == w->K && (outer - 1) * w->row_step + (inner - 1) * w->inner_step == w->K - 1;
}

enum mc_packed_kind mc_packed_kind_of(const struct mc_unpacked *w, const struct mc_runtime *runtime)
{
    if (!runtime->kernels->packed->halves || !is_dense(w)) return MC_PACKED_FLOATS;
    if (are_halves(w->K * w->M, w->w, MC_PACKED_HALVES)) return MC_PACKED_HALVES;
    return are_halves(w->K * w->M, w->w, MC_PACKED_BFLOATS) ? MC_PACKED_BFLOATS : MC_PACKED_FLOATS;
}

struct packing {
    const struct mc_packed *p;
    const struct mc_unpacked *w;
};

static void pack_range(void *context, int64_t begin, int64_t end)
{
    const struct packing *job = context;
    for (int64_t i = begin; i < end; i++) job->p->loops->pack(&job->p->panels, job->w, i, job->p->packed);
}

/* --- bfloat16 --- */

enum { FEWEST_BFLOAT_ROWS = 16 }; /* fewer wait for weights, which take as long in panels of bfloat16 */

static struct mc_bfloat_product bfloat_product(const struct mc_packed *p, int64_t n)
{
    return (struct mc_bfloat_product){.m = n, .n = p->panels.M, .k = p->panels.K, .packed = p->packed, .alpha = 1};
}

/* Are they multiplied as what they are, where the processor can? */
static bool takes_bfloats(const struct mc_unpacked *w, const struct mc_runtime *runtime)
{
    return w->bfloat16 && runtime->kernels->bfloats->native && w->rows >= FEWEST_BFLOAT_ROWS && !w->inner &&
           (w->row_step == 1 || w->column_step == 1) && mc_bfloat_pays(w->rows, w->M, w->K) &&
           !mc_sparse_may_pay(w->w, w->K * w->M);
}

static int pack_bfloats(struct mc_packed *p, const struct mc_unpacked *w, struct mc_error *err)
{
    struct mc_bfloat_product product = bfloat_product(p, w->rows);
    product.b = (struct mc_factor){w->w, w->row_step, w->column_step};
    p->bfloats = p->runtime.kernels->bfloats;
    p->packed = mc_block_create(p->runtime.memory, p->bfloats->bytes(&product), 1);
    if (!p->packed) return mc_error_memory(err);
    p->bfloats->pack(&product, p->packed);
    return MC_OK;
}

static void run_bfloats(const struct mc_packed *p, int64_t n, const float *x, const float *b, float *y, int64_t y_row)
{
    struct mc_bfloat_product product = bfloat_product(p, n);
    product.a = (struct mc_factor){x, p->panels.K, 1};
    product.c = y;
    product.c_row = y_row;
    product.beta = b ? 1 : 0;
    for (int64_t i = 0; i < n && b; i++) memcpy(y + i * y_row, b, (size_t)p->panels.M * sizeof *b);
    const int before = mc_runtime_enter(&p->runtime);
    if (n > 0) mc_bfloat_run(&product, p->bfloats);
    mc_runtime_leave(before);
}

/* --- panels --- */

/* The shortest of some runs, on zeros. */
static int64_t time_of(const struct mc_packed *p, int64_t rows, const float *x, float *y)
{
    int64_t best = INT64_MAX;
    for (int trial = 0; trial < TRIALS; trial++) {
        const int64_t start = mc_clock_ns();
        mc_packed_run(p, rows, x, NULL, y, p->panels.M);
        const int64_t took = mc_clock_ns() - start;
        if (took < best) best = took;
    }
    return best;
}

/* Both ways give the same bits, so that the clock may choose. */
static int try_sparse(struct mc_packed *p, const struct mc_unpacked *w, struct mc_error *err)
{
    struct mc_sparse *sparse;
    if (w->rows == 0 || w->inner || !mc_sparse_may_pay(w->w, w->K * w->M)) return MC_OK;
    int rc = mc_sparse_create(&sparse, w, &p->runtime, err);
    if (rc < 0) return rc;
    float *x = MC_NEW_ARRAY(float, w->rows * w->K), *y = MC_NEW_ARRAY(float, w->rows * w->M);
    if (x && y) {
        const int64_t dense_ns = time_of(p, w->rows, x, y);
        p->sparse = sparse;
        if (time_of(p, w->rows, x, y) < dense_ns) sparse = NULL; /* it stays */
    }
    if (sparse) {
        p->sparse = NULL;
    } else {
        mc_block_destroy(p->packed);
        p->packed = NULL;
    }
    mc_sparse_destroy(sparse);
    mc_free(y);
    mc_free(x);
    return MC_OK;
}

int mc_packed_create(struct mc_packed **packed, const struct mc_unpacked *w, const struct mc_runtime *runtime,
                     struct mc_error *err)
{
    struct mc_packed *p = MC_NEW(struct mc_packed);
    if (!p) return mc_error_memory(err);
    p->loops = runtime->kernels->packed;
    p->runtime = *runtime;
    p->panels = (struct mc_panels){.K = w->K,
                                   .M = w->M,
                                   .n = (w->M + p->loops->most_lanes - 1) / p->loops->most_lanes,
                                   .kind = mc_packed_kind_of(w, runtime)};
    if (takes_bfloats(w, runtime)) {
        const int rc = pack_bfloats(p, w, err);
        if (rc < 0)
            mc_packed_destroy(p);
        else
            *packed = p;
        return rc;
    }
    p->packed = mc_block_create(runtime->memory, p->loops->bytes(&p->panels), 1);
    if (!p->packed) {
        mc_packed_destroy(p);
        return mc_error_memory(err);
    }
    p->panels.packed = p->packed;
    const int before = mc_runtime_enter(runtime);
    mc_parallel(p->panels.n, mc_parallel_grain(w->K * p->loops->most_lanes), pack_range, &(struct packing){p, w});
    mc_runtime_leave(before);
    const int rc = try_sparse(p, w, err);
    if (rc < 0)
        mc_packed_destroy(p);
    else
        *packed = p;
    return rc;
}

void mc_packed_destroy(struct mc_packed *p)
{
    if (!p) return;
    mc_sparse_destroy(p->sparse);
    mc_block_destroy(p->packed);
    mc_free(p);
}

struct running {
    const struct mc_packed *p;
    int64_t n, block, n_shares; /* rows, in all and of a block; into which a block's panels are cut */
    int64_t y_row;
    const float *x, *b;
    float *y;
};

static void run_range(void *context, int64_t begin, int64_t end)
{
    static const int64_t from_the_start = 0;
    const struct running *r = context;
    const struct mc_panels *panels = &r->p->panels;
    for (int64_t i = begin; i < end; i++) {
        const int64_t share = i % r->n_shares, first = i / r->n_shares * r->block, left = r->n - first;
        if (left <= 0) break;
        const struct mc_packed_rows rows = {
            .x = r->x + first * panels->K,
            .y = r->y + first * r->y_row,
            .n_lines = 1,
            .n = left < r->block ? left : r->block,
            .row = panels->K,
            .y_row = r->y_row,
            .runs = &from_the_start,
            .n_runs = 1,
        };
        r->p->loops->run(panels, &rows, r->b, panels->n * share / r->n_shares, panels->n * (share + 1) / r->n_shares);
    }
}

void mc_packed_run(const struct mc_packed *p, int64_t n, const float *x, const float *b, float *y, int64_t y_row)
{
    const int64_t K = p->panels.K, threads = p->runtime.n_threads;
    if (p->sparse) {
        mc_sparse_run(p->sparse, n, x, b, y, y_row);
        return;
    }
    if (p->bfloats) {
        run_bfloats(p, n, x, b, y, y_row);
        return;
    }
    const int64_t fit = BLOCK_BYTES / ((int64_t)sizeof(float) * (K > 0 ? K : 1));
    const int64_t n_blocks = mc_parallel_blocks(n, fit < BLOCK_LEAST ? BLOCK_LEAST : fit, p->runtime.n_threads);
    if (n_blocks == 0) return;
    struct running r = {.p = p, .n = n, .block = (n + n_blocks - 1) / n_blocks, .y_row = y_row, .x = x, .b = b, .y = y};
    r.n_shares = (threads + n_blocks - 1) / n_blocks;
    if (r.n_shares > p->panels.n) r.n_shares = p->panels.n;
    const int64_t n_items = n_blocks * r.n_shares;
    const int64_t work = (n + 3) * K * p->panels.M / 16 / n_items; /* a vector a step; weights count as three rows */
    const int before = mc_runtime_enter(&p->runtime);
    mc_parallel(n_items, mc_parallel_grain(work), run_range, &r);
    mc_runtime_leave(before);
}

int64_t mc_packed_panels(const struct mc_packed *p)
{
    return p->panels.n;
}

void mc_packed_run_panels(const struct mc_packed *p, const struct mc_packed_rows *rows, const float *b, int64_t from,
                          int64_t to)
{
    p->loops->run(&p->panels, rows, b, from, to);
}
