/* sparse.c - sparse matrices and products with them; see sparse.h. */
#include "kernel/sparse.h"

#include <string.h>

#include "base/alloc.h"
#include "base/block.h"
#include "base/error.h"
#include "kernel/copy.h"
#include "kernel/kernels.h"
#include "kernel/parallel.h"

int64_t mc_sparse_nonzeros(const float *w, int64_t n)
{
    int64_t nonzeros = 0;
    for (int64_t i = 0; i < n; i++) nonzeros += w[i] != 0;
    return nonzeros;
}

bool mc_sparse_may_pay(const float *w, int64_t n)
{
    return mc_sparse_nonzeros(w, n) <= n / 2;
}

int64_t mc_sparse_width(const struct mc_sparse_loops *loops, int64_t n)
{
    int64_t width = loops->lanes;
    while (width < n && width < loops->most) width *= 2;
    return width;
}

/* --- rows --- */

int mc_sparse_rows_init(struct mc_sparse_rows *rows, int64_t M, int64_t nonzeros, const struct mc_memory *memory,
                        struct mc_error *err)
{
    *rows = (struct mc_sparse_rows){.M = M,
                                    .start = MC_NEW_ARRAY(int64_t, M + 1),
                                    .values = mc_block_create(memory, (size_t)nonzeros, sizeof *rows->values),
                                    .inputs = mc_block_create(memory, (size_t)nonzeros, sizeof *rows->inputs)};
    if (rows->start && rows->values && rows->inputs) return MC_OK;
    mc_sparse_rows_finish(rows);
    return mc_error_memory(err);
}

void mc_sparse_rows_finish(struct mc_sparse_rows *rows)
{
    mc_free(rows->start);
    mc_block_destroy(rows->values);
    mc_block_destroy(rows->inputs);
    *rows = (struct mc_sparse_rows){0};
}

void mc_sparse_rows_add(struct mc_sparse_rows *rows, int64_t *n, float value, int64_t k)
{
    if (value == 0) return;
    rows->values[*n] = value;
    rows->inputs[(*n)++] = (int32_t)k;
}

/* --- blocks --- */

/* Floats of a panel: two thirds of a first-level cache. */
static int64_t panel_floats(void)
{
    return mc_cache_bytes() * 2 / 3 / (int64_t)sizeof(float);
}

/* Rows that are summed before the next positions are packed: their sums stay in a second-level cache. */
enum { MOST_ROWS = 512 };

/* Of each row the non-zeros [at, end) are those of the block. */
struct ends {
    int64_t at, end;
};

static int64_t length(const struct ends *ends, const struct mc_sparse_rows *rows, int64_t m)
{
    return m < rows->M ? ends[m].end - ends[m].at : 0;
}

/* Rows [from, to) by falling number of non-zeros. */
static void sort_group(int32_t *order, int64_t from, int64_t to, const struct ends *ends,
                       const struct mc_sparse_rows *rows)
{
    for (int64_t m = from; m < to; m++) {
        int64_t i = m;
        for (; i > from && length(ends, rows, order[i - 1]) < length(ends, rows, m); i--) order[i] = order[i - 1];
        order[i] = (int32_t)m;
    }
}

static int64_t padded_rows(const struct mc_sparse_blocks *s)
{
    return mc_divide_up(s->M, s->turns) * s->turns;
}

static struct mc_sparse_term term_of(const struct mc_sparse_blocks *s, const struct mc_sparse_rows *rows, int64_t i,
                                     int64_t j, const int32_t *offsets)
{
    const int32_t k = rows->inputs[i];
    return (struct mc_sparse_term){offsets ? offsets[k] : (int32_t)((k - j * s->depth) * s->width), rows->values[i]};
}

/* Sort block j and tell where its terms end, with no room for terms yet; then lay them out, from term n on. */
static int64_t fill_block(struct mc_sparse_blocks *s, const struct mc_sparse_rows *rows, int64_t j, int64_t n,
                          const struct ends *ends, const int32_t *offsets)
{
    const int64_t M = padded_rows(s);
    int32_t *const order = s->order + j * M;
    for (int64_t m = 0; m < M && !s->terms; m += MC_SPARSE_GROUP)
        sort_group(order, m, m + MC_SPARSE_GROUP < M ? m + MC_SPARSE_GROUP : M, ends, rows);
    for (int64_t i = 0; i < M; i += s->turns) {
        const int64_t most = length(ends, rows, order[i]);
        for (int64_t k = 0; k < most && s->terms; k++) {
            for (int64_t r = 0; r < s->turns; r++) {
                const int64_t m = order[i + r];
                struct mc_sparse_term *const term = &s->terms[n + k * s->turns + r];
                if (k < length(ends, rows, m))
                    *term = term_of(s, rows, ends[m].at + k, j, offsets);
                else /* nothing of an input that is at hand */
                    *term = (struct mc_sparse_term){term_of(s, rows, ends[order[i]].at + k, j, offsets).offset, 0};
            }
        }
        n += most * s->turns;
        s->start[(j * M + i) / s->turns + 1] = n;
    }
    return n;
}

static int64_t fill_blocks(struct mc_sparse_blocks *s, const struct mc_sparse_rows *rows, struct ends *ends,
                           const int32_t *offsets)
{
    int64_t n = 0;
    for (int64_t m = 0; m < rows->M; m++) ends[m].end = rows->start[m];
    for (int64_t j = 0; j < s->n; j++) {
        for (int64_t m = 0; m < rows->M; m++) {
            ends[m].at = ends[m].end;
            while (ends[m].end < rows->start[m + 1] && rows->inputs[ends[m].end] < (j + 1) * s->depth) ends[m].end++;
        }
        n = fill_block(s, rows, j, n, ends, offsets);
    }
    return n;
}

int mc_sparse_blocks_init(struct mc_sparse_blocks *blocks, const struct mc_sparse_rows *rows, int64_t K, int64_t n,
                          const struct mc_sparse_loops *loops, const int32_t *offsets, const struct mc_memory *memory,
                          struct mc_error *err)
{
    const int64_t most = offsets ? loops->most : loops->most_of_panels;
    struct mc_sparse_blocks s = {
        .M = rows->M, .K = K, .width = mc_sparse_width(loops, n < most ? n : most), .in_panels = !offsets};
    s.turns = loops->sums * loops->lanes / s.width;
    if (s.turns > MC_SPARSE_TURNS) s.turns = MC_SPARSE_TURNS;
    s.n = offsets || K == 0 ? 1 : mc_divide_up(K, panel_floats() / s.width);
    s.depth = mc_divide_up(K, s.n);
    s.start = MC_NEW_ARRAY(int64_t, s.n * padded_rows(&s) / s.turns + 1);
    s.order = MC_NEW_ARRAY(int32_t, s.n * padded_rows(&s));
    struct ends *ends = MC_NEW_ARRAY(struct ends, rows->M);
    if (s.start && s.order && ends) {
        s.terms = mc_block_create(memory, (size_t)fill_blocks(&s, rows, ends, offsets), sizeof *s.terms);
        if (s.terms) fill_blocks(&s, rows, ends, offsets);
    }
    mc_free(ends);
    *blocks = s;
    if (s.terms) return MC_OK;
    mc_sparse_blocks_finish(blocks);
    return mc_error_memory(err);
}

void mc_sparse_blocks_finish(struct mc_sparse_blocks *blocks)
{
    mc_free(blocks->start);
    mc_free(blocks->order);
    mc_block_destroy(blocks->terms);
    *blocks = (struct mc_sparse_blocks){0};
}

/* Rows of a chunk, whole groups: so many that all threads have some. */
static int64_t rows_of_chunk(const struct mc_sparse_blocks *blocks, int64_t n_tiles, int n_threads)
{
    const int64_t shares = mc_divide_up(n_threads, n_tiles > 0 ? n_tiles : 1);
    const int64_t groups = mc_divide_up(blocks->M, MC_SPARSE_GROUP), most = MOST_ROWS / MC_SPARSE_GROUP;
    const int64_t share = mc_divide_up(groups, shares);
    return (share < most ? share : most) * MC_SPARSE_GROUP;
}

static int64_t panel_rows(const struct mc_sparse_blocks *s)
{
    return s->in_panels ? s->depth : 0;
}

size_t mc_sparse_blocks_room(const struct mc_sparse_blocks *blocks)
{
    const int64_t rows = padded_rows(blocks);
    return (size_t)((panel_rows(blocks) + (rows < MOST_ROWS ? rows : MOST_ROWS)) * blocks->width);
}

struct blocks_job {
    const struct mc_sparse_blocks *blocks;
    const struct mc_sparse_loops *loops;
    const struct mc_sparse_ends *ends;
    const float *b;
    float *rooms;
    int64_t room, n, n_tiles, chunk, n_chunks, n_parts; /* positions and tiles of them; rows of a chunk */
};

/* Positions [first, first + n) of the rows [from, to). */
static void run_tile(const struct blocks_job *job, int64_t first, int64_t n, int64_t from, int64_t to, float *room)
{
    const struct mc_sparse_blocks *s = job->blocks;
    float *const sums = room + panel_rows(s) * s->width;
    for (int64_t j = 0; j < s->n; j++) {
        const int64_t k = j * s->depth, depth = s->K - k < s->depth ? s->K - k : s->depth;
        if (s->in_panels) job->ends->pack(job->ends->context, k, depth, first, n, s->width, room);
        job->loops->run(s, j, from, to, s->in_panels ? room : job->ends->x + first, job->b, sums);
    }
    job->ends->put(job->ends->context, from, to, first, n, s->width, sums);
}

static void run_parts(void *context, int64_t begin, int64_t end)
{
    const struct blocks_job *job = context;
    const int64_t n_items = job->n_tiles * job->n_chunks, M = job->blocks->M;
    for (int64_t part = begin; part < end; part++) {
        for (int64_t i = n_items * part / job->n_parts; i < n_items * (part + 1) / job->n_parts; i++) {
            const int64_t tile = i / job->n_chunks, from = i % job->n_chunks * job->chunk;
            const int64_t first = job->n * tile / job->n_tiles, last = job->n * (tile + 1) / job->n_tiles;
            run_tile(job, first, last - first, from, M - from < job->chunk ? M : from + job->chunk,
                     job->rooms + part * job->room);
        }
    }
}

void mc_sparse_blocks_run(const struct mc_sparse_blocks *blocks, const struct mc_sparse_loops *loops, int64_t n,
                          const float *b, const struct mc_sparse_ends *ends, float *rooms, int n_threads)
{
    struct blocks_job job = {.blocks = blocks,
                             .loops = loops,
                             .ends = ends,
                             .b = b,
                             .rooms = rooms,
                             .room = (int64_t)mc_sparse_blocks_room(blocks),
                             .n = n,
                             .n_tiles = mc_parallel_blocks(n, blocks->width, n_threads),
                             .n_parts = n_threads};
    if (n == 0 || blocks->M == 0) return;
    job.chunk = rows_of_chunk(blocks, job.n_tiles, n_threads);
    job.n_chunks = mc_divide_up(blocks->M, job.chunk);
    const int64_t work =
        (blocks->start[blocks->n * padded_rows(blocks) / blocks->turns] + blocks->K) * n / 8 / n_threads;
    mc_parallel(job.n_parts, mc_parallel_grain(work), run_parts, &job);
}

/* --- lanes --- */

static void finish_lanes(struct mc_sparse_lanes *lanes)
{
    mc_free(lanes->start);
    mc_block_destroy(lanes->windows);
    mc_block_destroy(lanes->values);
    mc_block_destroy(lanes->places);
    *lanes = (struct mc_sparse_lanes){0};
}

/* Where the rows of a group are. */
struct group {
    int64_t n, at[MC_SPARSE_LANES], end[MC_SPARSE_LANES];
};

static struct group group_of(const struct mc_sparse_rows *rows, int64_t group, int64_t lanes)
{
    struct group g = {0};
    for (; g.n < lanes && group * lanes + g.n < rows->M; g.n++) {
        g.at[g.n] = rows->start[group * lanes + g.n];
        g.end[g.n] = rows->start[group * lanes + g.n + 1];
    }
    return g;
}

/* The next window, or -1: no row waits for anything. One does not reach beyond the inputs. */
static int64_t next_window(const struct mc_sparse_rows *rows, const struct group *g, int64_t K, int64_t lanes)
{
    int64_t first = K;
    for (int64_t l = 0; l < g->n; l++)
        if (g->at[l] < g->end[l] && rows->inputs[g->at[l]] < first) first = rows->inputs[g->at[l]];
    if (first == K) return -1;
    return first <= K - lanes ? first : K - lanes;
}

/* Lay the rows out, or, with nothing in `to` yet, tell how many steps it would take. */
static int64_t lay_steps(struct mc_sparse_lanes *to, const struct mc_sparse_rows *rows, int64_t K, int64_t lanes)
{
    int64_t n = 0;
    for (int64_t i = 0; i * lanes < rows->M; i++) {
        struct group g = group_of(rows, i, lanes);
        for (int64_t window; (window = next_window(rows, &g, K, lanes)) >= 0; n++) {
            if (to->values) {
                to->windows[n] = (int32_t)window;
                memset(to->values + n * lanes, 0, (size_t)lanes * sizeof *to->values);
                memset(to->places + n * lanes, 0, (size_t)lanes);
            }
            for (int64_t l = 0; l < g.n; l++) {
                if (g.at[l] == g.end[l] || rows->inputs[g.at[l]] >= window + lanes) continue;
                if (to->values) {
                    to->values[n * lanes + l] = rows->values[g.at[l]];
                    to->places[n * lanes + l] = (uint8_t)(rows->inputs[g.at[l]] - window);
                }
                g.at[l]++;
            }
        }
        if (to->start) to->start[i + 1] = n;
    }
    return n;
}

static int init_lanes(struct mc_sparse_lanes *lanes, const struct mc_sparse_rows *rows, int64_t K, int64_t n_lanes,
                      int64_t steps, const struct mc_memory *memory, struct mc_error *err)
{
    const size_t n = (size_t)steps, each = (size_t)n_lanes;
    *lanes = (struct mc_sparse_lanes){.M = rows->M,
                                      .start = MC_NEW_ARRAY(int64_t, mc_divide_up(rows->M, n_lanes) + 1),
                                      .windows = mc_block_create(memory, n, sizeof *lanes->windows),
                                      .values = mc_block_create(memory, n, each * sizeof *lanes->values),
                                      .places = mc_block_create(memory, n, each)};
    if (!lanes->start || !lanes->windows || !lanes->values || !lanes->places) return mc_error_memory(err);
    lay_steps(lanes, rows, K, n_lanes);
    return MC_OK;
}

/* --- products --- */

struct mc_sparse {
    int64_t K;
    bool one_by_one; /* positions; `blocks` are empty then, otherwise `lanes` are */
    struct mc_sparse_lanes lanes;
    struct mc_sparse_blocks blocks;
    const struct mc_sparse_loops *loops;
    struct mc_runtime runtime;
    float *rooms; /* of the blocks, for all threads */
};

static float weight_at(const struct mc_unpacked *w, int64_t k, int64_t m)
{
    return mc_unpacked_row(w, k)[m * w->column_step];
}

static int fill_rows(struct mc_sparse_rows *rows, const struct mc_unpacked *w, const struct mc_memory *memory,
                     struct mc_error *err)
{
    int64_t nonzeros = 0, n = 0;
    for (int64_t m = 0; m < w->M; m++)
        for (int64_t k = 0; k < w->K; k++) nonzeros += weight_at(w, k, m) != 0;
    const int rc = mc_sparse_rows_init(rows, w->M, nonzeros, memory, err);
    if (rc < 0) return rc;
    for (int64_t m = 0; m < w->M; m++) {
        for (int64_t k = 0; k < w->K; k++) mc_sparse_rows_add(rows, &n, weight_at(w, k, m), k);
        rows->start[m + 1] = n;
    }
    return MC_OK;
}

/* Lanes where positions are so few that it is less work. A step of lanes takes three loads and one more to find the
 * window; a non-zero of blocks takes two, and one for each vector. Returns the steps; 0: blocks. */
static int64_t steps_of_lanes(const struct mc_sparse *s, const struct mc_sparse_rows *rows, int64_t n)
{
    const int64_t lanes = s->loops->lanes, nonzeros = rows->start[rows->M];
    if (n == 0 || n > lanes || s->K < lanes) return 0;
    const int64_t steps = lay_steps(&(struct mc_sparse_lanes){0}, rows, s->K, lanes);
    return n * steps * 4 > nonzeros * 3 ? 0 : steps;
}

static int init_blocks(struct mc_sparse *s, const struct mc_sparse_rows *rows, int64_t n, struct mc_error *err)
{
    const struct mc_memory *memory = s->runtime.memory;
    const int rc =
        mc_sparse_blocks_init(&s->blocks, rows, s->K, n > 0 ? n : s->loops->most, s->loops, NULL, memory, err);
    if (rc < 0) return rc;
    const size_t floats = mc_sparse_blocks_room(&s->blocks) * (size_t)s->runtime.n_threads;
    s->rooms = mc_block_create(memory, floats, sizeof *s->rooms);
    if (!s->rooms) return mc_error_memory(err);
    memset(s->rooms, 0, floats * sizeof *s->rooms);
    return MC_OK;
}

int mc_sparse_create(struct mc_sparse **sparse, const struct mc_unpacked *w, const struct mc_runtime *runtime,
                     struct mc_error *err)
{
    struct mc_sparse_rows rows;
    struct mc_sparse *s = MC_NEW(struct mc_sparse);
    if (!s) return mc_error_memory(err);
    s->K = w->K;
    s->runtime = *runtime;
    s->loops = runtime->kernels->sparse;
    int rc = fill_rows(&rows, w, runtime->memory, err);
    if (rc == MC_OK) {
        const int64_t steps = steps_of_lanes(s, &rows, w->rows);
        s->one_by_one = steps > 0;
        rc = s->one_by_one ? init_lanes(&s->lanes, &rows, s->K, s->loops->lanes, steps, runtime->memory, err)
                           : init_blocks(s, &rows, w->rows, err);
        mc_sparse_rows_finish(&rows);
    }
    if (rc < 0)
        mc_sparse_destroy(s);
    else
        *sparse = s;
    return rc;
}

void mc_sparse_destroy(struct mc_sparse *s)
{
    if (!s) return;
    finish_lanes(&s->lanes);
    mc_sparse_blocks_finish(&s->blocks);
    mc_block_destroy(s->rooms);
    mc_free(s);
}

struct product {
    const struct mc_sparse *s;
    int64_t n, y_row;
    const float *x, *b;
    float *y;
};

static void pack_inputs(const void *context, int64_t k, int64_t n, int64_t first, int64_t n_positions, int64_t width,
                        float *panel)
{
    const struct product *r = context;
    mc_transpose_floats(panel, width, r->x + first * r->s->K + k, r->s->K, n_positions, n);
}

static void put_outputs(const void *context, int64_t from, int64_t to, int64_t first, int64_t n, int64_t width,
                        const float *tile)
{
    const struct product *r = context;
    mc_transpose_floats(r->y + first * r->y_row + from, r->y_row, tile, width, to - from, n);
}

static void run_groups(void *context, int64_t begin, int64_t end)
{
    const struct product *r = context;
    for (int64_t p = 0; p < r->n; p++)
        r->s->loops->run_lanes(&r->s->lanes, begin, end, r->x + p * r->s->K, r->b, r->y + p * r->y_row);
}

static void run_one_by_one(struct product *r)
{
    const int64_t n_groups = mc_divide_up(r->s->lanes.M, r->s->loops->lanes), steps = r->s->lanes.start[n_groups];
    if (n_groups > 0) mc_parallel(n_groups, mc_parallel_grain(r->n * steps * 16 / n_groups), run_groups, r);
}

void mc_sparse_run(const struct mc_sparse *s, int64_t n, const float *x, const float *b, float *y, int64_t y_row)
{
    struct product r = {.s = s, .n = n, .y_row = y_row, .x = x, .b = b, .y = y};
    const struct mc_sparse_ends ends = {&r, NULL, pack_inputs, put_outputs};
    const int before = mc_runtime_enter(&s->runtime);
    if (s->one_by_one)
        run_one_by_one(&r);
    else
        mc_sparse_blocks_run(&s->blocks, s->loops, n, b, &ends, s->rooms, s->runtime.n_threads);
    mc_runtime_leave(before);
}
