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
                                    .offsets = mc_block_create(memory, (size_t)nonzeros, sizeof *rows->offsets)};
    if (rows->start && rows->values && rows->offsets) return MC_OK;
    mc_sparse_rows_finish(rows);
    return mc_error_memory(err);
}

void mc_sparse_rows_finish(struct mc_sparse_rows *rows)
{
    mc_free(rows->start);
    mc_block_destroy(rows->values);
    mc_block_destroy(rows->offsets);
    *rows = (struct mc_sparse_rows){0};
}

void mc_sparse_rows_add(struct mc_sparse_rows *rows, int64_t *n, float value, int64_t offset)
{
    if (value == 0) return;
    rows->values[*n] = value;
    rows->offsets[(*n)++] = (int32_t)offset;
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
        if (g->at[l] < g->end[l] && rows->offsets[g->at[l]] < first) first = rows->offsets[g->at[l]];
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
                if (g.at[l] == g.end[l] || rows->offsets[g.at[l]] >= window + lanes) continue;
                if (to->values) {
                    to->values[n * lanes + l] = rows->values[g.at[l]];
                    to->places[n * lanes + l] = (uint8_t)(rows->offsets[g.at[l]] - window);
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
    bool one_by_one; /* positions; `rows` is empty then, otherwise `lanes` is */
    struct mc_sparse_lanes lanes;
    struct mc_sparse_rows rows;
    const struct mc_sparse_loops *loops;
    struct mc_runtime runtime;
    size_t room; /* floats for each thread */
    float *rooms;
};

static float weight_at(const struct mc_unpacked *w, int64_t k, int64_t m)
{
    return mc_unpacked_row(w, k)[m * w->column_step];
}

static int fill_rows(struct mc_sparse *s, const struct mc_unpacked *w, struct mc_error *err)
{
    int64_t nonzeros = 0, n = 0;
    for (int64_t m = 0; m < w->M; m++)
        for (int64_t k = 0; k < w->K; k++) nonzeros += weight_at(w, k, m) != 0;
    const int rc = mc_sparse_rows_init(&s->rows, w->M, nonzeros, s->runtime.memory, err);
    if (rc < 0) return rc;
    for (int64_t m = 0; m < w->M; m++) {
        for (int64_t k = 0; k < w->K; k++) mc_sparse_rows_add(&s->rows, &n, weight_at(w, k, m), k);
        s->rows.start[m + 1] = n;
    }
    return MC_OK;
}

/* Lanes instead of rows where positions are so few that it is less work. A step of lanes takes three loads and one more
 * to find the window; a non-zero of rows takes two, and one for each vector. */
static int choose_form(struct mc_sparse *s, int64_t n, struct mc_error *err)
{
    const int64_t lanes = s->loops->lanes, nonzeros = s->rows.start[s->rows.M];
    if (n == 0 || n > lanes || s->K < lanes) return MC_OK;
    const int64_t steps = lay_steps(&s->lanes, &s->rows, s->K, lanes);
    if (n * steps * 4 > nonzeros * 3) return MC_OK;
    s->one_by_one = true;
    const int rc = init_lanes(&s->lanes, &s->rows, s->K, lanes, steps, s->runtime.memory, err);
    mc_sparse_rows_finish(&s->rows);
    return rc;
}

int mc_sparse_create(struct mc_sparse **sparse, const struct mc_unpacked *w, const struct mc_runtime *runtime,
                     struct mc_error *err)
{
    struct mc_sparse *s = MC_NEW(struct mc_sparse);
    if (!s) return mc_error_memory(err);
    s->K = w->K;
    s->runtime = *runtime;
    s->loops = runtime->kernels->sparse;
    int rc = fill_rows(s, w, err);
    if (rc == MC_OK) rc = choose_form(s, w->rows, err);
    if (rc == MC_OK && !s->one_by_one) {
        s->room = (size_t)(w->K + MC_SPARSE_ROWS) * MC_SPARSE_POSITIONS;
        s->rooms = mc_block_create(runtime->memory, s->room * (size_t)runtime->n_threads, sizeof *s->rooms);
        if (!s->rooms) rc = mc_error_memory(err);
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
    mc_sparse_rows_finish(&s->rows);
    mc_block_destroy(s->rooms);
    mc_free(s);
}

struct product {
    const struct mc_sparse *s;
    int64_t n, y_row, n_blocks, n_shares, n_parts; /* blocks of positions; shares of rows */
    const float *x, *b;
    float *y;
};

static void run_tile(const struct product *r, int64_t first, int64_t n, int64_t from, int64_t to, const float *x,
                     int64_t step, float *tile)
{
    const struct mc_sparse_loops *loops = r->s->loops;
    const int64_t width = mc_sparse_width(loops, n);
    for (int64_t m = from; m < to; m += MC_SPARSE_ROWS) {
        const int64_t end = to - m < MC_SPARSE_ROWS ? to : m + MC_SPARSE_ROWS;
        for (int64_t p = 0; p < n; p += width)
            loops->run(&r->s->rows, m, end, x + p, step, width, r->b, tile + p, step);
        mc_transpose_floats(r->y + first * r->y_row + m, r->y_row, tile, step, end - m, n);
    }
}

static void run_blocks(void *context, int64_t begin, int64_t end)
{
    const struct product *r = context;
    const int64_t M = r->s->rows.M, K = r->s->K, n_items = r->n_blocks * r->n_shares;
    for (int64_t part = begin; part < end; part++) {
        float *room = r->s->rooms + part * (int64_t)r->s->room;
        int64_t gathered = -1;
        for (int64_t i = n_items * part / r->n_parts; i < n_items * (part + 1) / r->n_parts; i++) {
            const int64_t block = i / r->n_shares, share = i % r->n_shares;
            const int64_t from = M * share / r->n_shares, to = M * (share + 1) / r->n_shares;
            const int64_t first = r->n * block / r->n_blocks, n = r->n * (block + 1) / r->n_blocks - first;
            const int64_t width = mc_sparse_width(r->s->loops, n), step = (n + width - 1) / width * width;
            if (gathered != block) mc_transpose_floats(room, step, r->x + first * K, K, n, K);
            gathered = block;
            run_tile(r, first, n, from, to, room, step, room + K * MC_SPARSE_POSITIONS);
        }
    }
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
    const int64_t threads = s->runtime.n_threads;
    struct product r = {.s = s, .n = n, .y_row = y_row, .x = x, .b = b, .y = y};
    const int before = mc_runtime_enter(&s->runtime);
    if (s->one_by_one) {
        run_one_by_one(&r);
    } else {
        const int64_t M = s->rows.M, work = (s->rows.start[M] + s->K) * n / 8 / threads;
        r.n_blocks = mc_parallel_blocks(n, MC_SPARSE_POSITIONS, s->runtime.n_threads);
        r.n_shares = r.n_blocks > 0 ? (threads + r.n_blocks - 1) / r.n_blocks : 1;
        if (r.n_shares > M) r.n_shares = M > 0 ? M : 1;
        r.n_parts = threads;
        mc_parallel(r.n_parts, mc_parallel_grain(work), run_blocks, &r);
    }
    mc_runtime_leave(before);
}
