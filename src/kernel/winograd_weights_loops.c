/* winograd_weights_loops.c - the derivatives of 3x3 filters by way of points; see winograd.h. Compiled once per
 * instruction set, with multiplications and additions contracted.
 *
 * Room of a chunk: zeros, which stand for what is outside of the image; at each point the tiles' inputs, [tiles, C],
 * and what is asked of their outputs, [tiles, M], then each tile's sum of dy, [tiles, M]. Points are a cache line more
 * apart than that. Sums: at each point for each panel [C, panel], then of dy [M]. C is rounded up to vectors, M to
 * panels.
 */
#include <stdbool.h>
#include <string.h>

#include "kernel/winograd_points.h"

#ifndef MC_VARIANT
#define MC_VARIANT(name) name##_portable
#endif
extern const struct mc_winograd_weights_loops MC_VARIANT(mc_winograd_weights_loops);

enum { MOST_PANEL_VECTORS = MOST_VECTORS < 2 ? MOST_VECTORS : 2 };

static int64_t input_row(const struct mc_winograd *job)
{
    return round_up(job->C, LANES);
}

static int64_t output_row(const struct mc_winograd *job)
{
    return round_up(job->M, job->panel);
}

static int64_t n_panels(const struct mc_winograd *job)
{
    return output_row(job) / job->panel;
}

static int64_t input_step(const struct mc_winograd *job)
{
    return job->block * input_row(job) + LINE;
}

static int64_t output_step(const struct mc_winograd *job)
{
    return job->block * output_row(job) + LINE;
}

/* In the room, behind the zeros. */
static int64_t inputs_at(const struct mc_winograd *job)
{
    return round_up(job->C, LINE);
}

static int64_t outputs_at(const struct mc_winograd *job)
{
    return inputs_at(job) + points(job) * input_step(job);
}

static size_t room_floats(const struct mc_winograd *job)
{
    return (size_t)(outputs_at(job) + (points(job) + 1) * output_step(job));
}

static size_t sum_floats(const struct mc_winograd *job)
{
    return (size_t)((points(job) * job->C + 1) * output_row(job));
}

static int64_t n_parts(const struct mc_winograd *job)
{
    return (points(job) + 1) * n_panels(job);
}

/* --- outputs and filters along one axis --- */

/* A d: 2 outputs to 4 points, or 4 to 6. */
INLINE void outputs_to_points_2(const vector *d, int step, vector *p, int p_step)
{
    p[0 * p_step] = d[0 * step];
    p[1 * p_step] = d[0 * step] + d[1 * step];
    p[2 * p_step] = d[0 * step] - d[1 * step];
    p[3 * p_step] = d[1 * step];
}

INLINE void outputs_to_points_4(const vector *d, int step, vector *p, int p_step)
{
    const vector even_a = d[0 * step] + 0.5f * d[2 * step], odd_a = (d[1 * step] + 0.5f * d[3 * step]) * (ROOT2F / 2);
    const vector even_b = d[0 * step] + 2.0f * d[2 * step], odd_b = (d[1 * step] + 2.0f * d[3 * step]) * ROOT2F;
    p[0 * p_step] = d[0 * step];
    p[1 * p_step] = even_a + odd_a;
    p[2 * p_step] = even_a - odd_a;
    p[3 * p_step] = even_b + odd_b;
    p[4 * p_step] = even_b - odd_b;
    p[5 * p_step] = d[3 * step];
}

INLINE void outputs_to_points(const int T, const vector *d, int step, vector *p, int p_step)
{
    if (T == 2)
        outputs_to_points_2(d, step, p, p_step);
    else
        outputs_to_points_4(d, step, p, p_step);
}

/* G' p: 4 points to 3 taps, or 6. */
INLINE void points_to_filters(const int T, const wide *p, int step, wide *w, int w_step)
{
    if (T == 2) {
        const wide even = (p[1 * step] + p[2 * step]) / 2, odd = (p[1 * step] - p[2 * step]) / 2;
        w[0 * w_step] = p[0 * step] + even;
        w[1 * w_step] = odd;
        w[2 * w_step] = even + p[3 * step];
        return;
    }
    const wide even_a = (p[1 * step] + p[2 * step]) / -1.5, odd_a = (p[1 * step] - p[2 * step]) / -1.5;
    const wide even_b = (p[3 * step] + p[4 * step]) / 6, odd_b = (p[3 * step] - p[4 * step]) / 6;
    w[0 * w_step] = p[0 * step] + even_a + even_b;
    w[1 * w_step] = odd_a * (ROOT2 / 2) + odd_b * ROOT2;
    w[2 * w_step] = even_a / 2 + even_b * 2 + p[5 * step];
}

/* --- a chunk at its points --- */

/* What there is of a vector of dy at the T x T positions of a tile; zero where there is none. */
INLINE void read_outputs(const int T, const struct mc_winograd *job, const float *dy, struct place tile, int64_t m,
                         vector *d)
{
    const int64_t top = tile.row * T, left = tile.column * T, rest = job->M - m, count = rest < LANES ? rest : LANES;
    const int64_t at = ((tile.image * job->out[0] + top) * job->out[1] + left) * job->M + m;
    const int64_t height = job->out[0] - top, width = job->out[1] - left;
    for (int i = 0; i < T; i++)
        for (int j = 0; j < T; j++) {
            const float *from = dy + (at + (i * job->out[1] + j) * job->M);
            d[T * i + j] = (vector){0};
            if (i >= height || j >= width || count <= 0) continue;
            if (count == LANES)
                d[T * i + j] = load(from);
            else
                memcpy(&d[T * i + j], from, (size_t)count * sizeof(float));
        }
}

/* One vector of outputs of a tile, and their sum behind it. */
INLINE void spread_output(const int T, const vector *d, float *to, int64_t step)
{
    const int n = T + 2;
    vector half[4 * 6], sum = d[0];
    UNROLL for (int j = 0; j < T; j++) outputs_to_points(T, &d[j], T, &half[j], T);
    UNROLL for (int i = 0; i < n; i++)
    {
        vector p[6];
        outputs_to_points(T, &half[T * i], 1, p, 1);
        UNROLL for (int j = 0; j < n; j++) store(to + (n * i + j) * step, p[j]);
    }
    UNROLL for (int i = 1; i < T * T; i++) sum += d[i];
    store(to + n * n * step, sum);
}

INLINE void spread_outputs(const int T, const struct mc_winograd *job, const float *dy, int64_t first, int64_t n,
                           float *to)
{
    const int64_t row = output_row(job);
    struct place tile = place_of(job, first);
    for (int64_t i = 0; i < n; i++, place_step(job, &tile))
        for (int64_t m = 0; m < row; m += LANES) {
            vector d[16];
            read_outputs(T, job, dy, tile, m, d);
            spread_output(T, d, to + i * row + m, output_step(job));
        }
}

static void spread(const struct mc_winograd *job, const float *x, const float *dy, int64_t first, int64_t from,
                   int64_t to, float *room)
{
    const int64_t at = from - first, n = to - from;
    float *inputs = room + inputs_at(job) + at * input_row(job),
          *outputs = room + outputs_at(job) + at * output_row(job);
    if (job->tile == 2) {
        transform_inputs(2, job, x, from, n, room, inputs, input_step(job));
        spread_outputs(2, job, dy, from, n, outputs);
    } else {
        transform_inputs(4, job, x, from, n, room, inputs, input_step(job));
        spread_outputs(4, job, dy, from, n, outputs);
    }
}

/* --- sums of products --- */

/* [R, V vectors] of sums over n tiles. */
INLINE void add_rows(const int R, const int V, bool is_first, int64_t n, const float *x, int64_t x_row, const float *dy,
                     int64_t dy_row, float *sums)
{
    vector sum[12][MOST_PANEL_VECTORS];
    UNROLL for (int r = 0; r < R; r++) UNROLL for (int v = 0; v < V; v++) sum[r][v] =
        is_first ? (vector){0} : load(sums + (r * V + v) * LANES);
    for (int64_t t = 0; t < n; t++, x += x_row, dy += dy_row) {
        vector d[MOST_PANEL_VECTORS];
        UNROLL for (int v = 0; v < V; v++) d[v] = load(dy + v * LANES);
        UNROLL for (int r = 0; r < R; r++)
        {
            const float input = x[r];
            UNROLL for (int v = 0; v < V; v++) sum[r][v] += input * d[v];
        }
    }
    UNROLL for (int r = 0; r < R; r++) UNROLL for (int v = 0; v < V; v++) store(sums + (r * V + v) * LANES, sum[r][v]);
}

#define SUM_ROWS(n_rows)                                                                                               \
    case n_rows:                                                                                                       \
        if (n_rows <= NARROW_ROWS) add_rows(n_rows, V, is_first, n, x + c, x_row, dy, dy_row, sums + c * V * LANES);   \
        break

/* [C, V vectors], in groups of rows as equal as can be. */
INLINE void add_panel(const int V, const struct mc_winograd *job, bool is_first, int64_t n, const float *x,
                      const float *dy, float *sums)
{
    const int64_t x_row = input_row(job), dy_row = output_row(job), groups = (job->C + NARROW_ROWS - 1) / NARROW_ROWS;
    for (int64_t group = 0; group < groups; group++) {
        const int64_t c = job->C * group / groups;
        switch (job->C * (group + 1) / groups - c) {
            SUM_ROWS(1);
            SUM_ROWS(2);
            SUM_ROWS(3);
            SUM_ROWS(4);
            SUM_ROWS(5);
            SUM_ROWS(6);
            SUM_ROWS(7);
            SUM_ROWS(8);
            SUM_ROWS(9);
            SUM_ROWS(10);
            SUM_ROWS(11);
            SUM_ROWS(12);
        }
    }
}

static void add_bias(const struct mc_winograd *job, bool is_first, int64_t n, const float *dy, float *sums)
{
    for (int64_t m = 0; m < job->panel; m += LANES) {
        vector sum = is_first ? (vector){0} : load(sums + m);
        for (int64_t t = 0; t < n; t++) sum += load(dy + t * output_row(job) + m);
        store(sums + m, sum);
    }
}

static void add_up(const struct mc_winograd *job, bool is_first, int64_t n, int64_t from, int64_t to, const float *room,
                   float *sums)
{
    for (int64_t part = from; part < to; part++) {
        const int64_t point = part / n_panels(job), m = part % n_panels(job) * job->panel;
        const float *x = room + inputs_at(job) + point * input_step(job);
        const float *dy = room + outputs_at(job) + point * output_step(job) + m;
        float *const to_sums = sums + point * job->C * output_row(job);
        if (point == points(job))
            add_bias(job, is_first, n, dy, to_sums + m);
        else if (job->panel == LANES)
            add_panel(1, job, is_first, n, x, dy, to_sums + job->C * m);
        else
            add_panel(MOST_PANEL_VECTORS, job, is_first, n, x, dy, to_sums + job->C * m);
    }
}

/* --- sums to filters --- */

/* Of one input, to n consecutive outputs; `filter` floats lie between two filters. */
INLINE void gather_filters(const int T, const float *sums, int64_t step, int64_t n, float *dw, int64_t filter)
{
    const int n_points = T + 2;
    wide all[MOST_POINTS], half[6 * 3], taps[9];
    UNROLL for (int i = 0; i < n_points * n_points; i++) all[i] = __builtin_convertvector(load(sums + i * step), wide);
    UNROLL for (int i = 0; i < n_points; i++) points_to_filters(T, &all[n_points * i], 1, &half[3 * i], 1);
    UNROLL for (int j = 0; j < 3; j++) points_to_filters(T, &half[j], 3, &taps[j], 3);
    for (int64_t lane = 0; lane < n; lane++)
        UNROLL for (int i = 0; i < 9; i++) dw[lane * filter + i] = (float)taps[i][lane];
}

static void gather(const struct mc_winograd *job, const float *sums, int64_t from, int64_t to, float *dw)
{
    const int64_t step = job->C * output_row(job), filter = job->C * 9;
    for (int64_t c = from; c < to; c++)
        for (int64_t m = 0; m < job->M; m += LANES) {
            const int64_t panel = m / job->panel, left = job->M - m, n = left < LANES ? left : LANES;
            const float *at = sums + (panel * job->C + c) * job->panel + m % job->panel;
            if (job->tile == 2)
                gather_filters(2, at, step, n, dw + m * filter + c * 9, filter);
            else
                gather_filters(4, at, step, n, dw + m * filter + c * 9, filter);
        }
}

static void gather_bias(const struct mc_winograd *job, const float *sums, float *db)
{
    memcpy(db, sums + points(job) * job->C * output_row(job), (size_t)job->M * sizeof *db);
}

const struct mc_winograd_weights_loops MC_VARIANT(mc_winograd_weights_loops) = {
    .most_lanes = LANES * MOST_PANEL_VECTORS,
    .sum_floats = sum_floats,
    .room_floats = room_floats,
    .n_parts = n_parts,
    .spread = spread,
    .add_up = add_up,
    .gather = gather,
    .gather_bias = gather_bias,
};
