/* winograd_loops.c - tiles to points, products at points, points to tiles; see winograd.h. Compiled once per
 * instruction set, with multiplications and additions contracted.
 *
 * Room of a block: at each point the tiles' inputs, [tiles, C], then their outputs of one panel, [tiles, panel]. Points
 * are a cache line more apart than that, lest all of a tile's fall on one set of a cache.
 */
#include <stdbool.h>
#include <string.h>

#include "kernel/winograd_points.h"

#ifndef MC_VARIANT
#define MC_VARIANT(name) name##_portable
#endif
extern const struct mc_winograd_loops MC_VARIANT(mc_winograd_loops);

/* Floats from one point to the next, of inputs and of outputs. */
static int64_t input_step(const struct mc_winograd *job)
{
    return job->block * round_up(job->C, LANES) + LINE;
}

static int64_t output_step(const struct mc_winograd *job)
{
    return job->block * job->panel + LINE;
}

/* --- outputs and filters along one axis --- */

/* A' p: 4 points to 2 outputs, or 6 to 4. */
INLINE void from_points_2(const vector *p, int step, vector *y, int y_step)
{
    y[0 * y_step] = p[0 * step] + p[1 * step] + p[2 * step];
    y[1 * y_step] = p[1 * step] - p[2 * step] + p[3 * step];
}

INLINE void from_points_4(const vector *p, int step, vector *y, int y_step)
{
    const vector even_a = p[1 * step] + p[2 * step], odd_a = (p[1 * step] - p[2 * step]) * (ROOT2F / 2);
    const vector even_b = p[3 * step] + p[4 * step], odd_b = (p[3 * step] - p[4 * step]) * ROOT2F;
    y[0 * y_step] = p[0 * step] + even_a + even_b;
    y[1 * y_step] = odd_a + odd_b;
    y[2 * y_step] = 0.5f * even_a + 2.0f * even_b;
    y[3 * y_step] = 0.5f * odd_a + 2.0f * odd_b + p[5 * step];
}

INLINE void from_points(const int T, const vector *p, int step, vector *y, int y_step)
{
    if (T == 2)
        from_points_2(p, step, y, y_step);
    else
        from_points_4(p, step, y, y_step);
}

/* G w: 3 taps to 4 points, or 6. */
INLINE void filters_to_points(const int T, const wide *w, int step, wide *p, int p_step)
{
    const wide even = w[0 * step] + w[2 * step], odd = w[1 * step];
    if (T == 2) {
        p[0 * p_step] = w[0 * step];
        p[1 * p_step] = (even + odd) / 2;
        p[2 * p_step] = (even - odd) / 2;
        p[3 * p_step] = w[2 * step];
        return;
    }
    const wide even_a = w[0 * step] + w[2 * step] / 2, odd_a = odd * (ROOT2 / 2);
    const wide even_b = w[0 * step] + w[2 * step] * 2, odd_b = odd * ROOT2;
    p[0 * p_step] = w[0 * step];
    p[1 * p_step] = (even_a + odd_a) / -1.5;
    p[2 * p_step] = (even_a - odd_a) / -1.5;
    p[3 * p_step] = (even_b + odd_b) / 6;
    p[4 * p_step] = (even_b - odd_b) / 6;
    p[5 * p_step] = w[2 * step];
}

/* --- filters --- */

static size_t packed_floats(const struct mc_winograd *job)
{
    return (size_t)(points(job) * job->C * round_up(job->M, job->panel));
}

/* The filters that lead from one input to n consecutive outputs; w is the first tap of the first. */
INLINE void pack_filters(const int T, const float *w, int64_t output_step, int tap_step, int64_t n, float *packed,
                         int64_t step)
{
    const int points_ = T + 2;
    wide taps[9], half[6 * 3], all[MOST_POINTS];
    memset(taps, 0, sizeof taps);
    for (int64_t lane = 0; lane < n; lane++)
        UNROLL for (int i = 0; i < 9; i++) taps[i][lane] = (double)w[lane * output_step + i * tap_step];
    UNROLL for (int j = 0; j < 3; j++) filters_to_points(T, &taps[j], 3, &half[j], 3);
    UNROLL for (int i = 0; i < points_; i++) filters_to_points(T, &half[3 * i], 1, &all[points_ * i], 1);
    UNROLL for (int i = 0; i < points_ * points_; i++)
        store(packed + i * step, __builtin_convertvector(all[i], vector));
}

/* Of each panel: at each point [C, panel]. */
static void pack(const struct mc_winograd *job, const struct mc_winograd_filters *filters, int64_t panel, float *packed)
{
    const int64_t step = job->C * job->panel;
    float *to = packed + panel * points(job) * step;
    for (int64_t c = 0; c < job->C; c++)
        for (int64_t k = 0; k < job->panel; k += LANES) {
            const int64_t m = panel * job->panel + k, left = job->M - m;
            const int64_t n = left < 0 ? 0 : left < LANES ? left : LANES;
            const float *from = filters->w + (n ? m * filters->output_step + c * filters->input_step : 0);
            float *const at = to + c * job->panel + k;
            if (job->tile == 2)
                pack_filters(2, from, filters->output_step, filters->tap_step, n, at, step);
            else
                pack_filters(4, from, filters->output_step, filters->tap_step, n, at, step);
        }
}

/* --- products --- */

static void multiply_points(const struct mc_winograd *job, int64_t n, const float *inputs, const float *weights,
                            float *outputs)
{
    static const int64_t from_the_start = 0;
    const int64_t size = job->C * job->panel;
    for (int64_t k = 0; k < points(job); k++) {
        struct product p = {
            .run = job->C,
            .a = inputs + k * input_step(job),
            .a_row = round_up(job->C, LANES),
            .runs = &from_the_start,
            .n_runs = 1,
            .b = weights + k * size,
            .next = weights + (k + 1) * size,
            .y = outputs + k * output_step(job),
            .y_row = job->panel,
            .last = job->panel - LANES,
        };
        multiply_panel(job->panel / LANES, packed_floats(job) > IN_CACHE, n, &p);
    }
}

/* --- points to outputs --- */

/* One vector of outputs of a tile, [T, T, vector]. */
INLINE void transform_output(const int T, const float *from, int64_t step, vector bias, vector *y)
{
    const int n = T + 2;
    vector p[MOST_POINTS], half[4 * 6];
    UNROLL for (int i = 0; i < n * n; i++) p[i] = load(from + i * step);
    UNROLL for (int j = 0; j < n; j++) from_points(T, &p[j], n, &half[j], n);
    UNROLL for (int i = 0; i < T; i++)
    {
        from_points(T, &half[n * i], 1, &y[T * i], 1);
        UNROLL for (int j = 0; j < T; j++) y[T * i + j] += bias;
    }
}

/* z is added to what there is of the T x T positions, then the bounds hold. */
INLINE void finish_output(const int T, const struct mc_winograd *job, vector *v, const float *z, int64_t height,
                          int64_t width, int64_t count)
{
    const int64_t row = job->out[1] * job->M;
    for (int i = 0; z && i < T && i < height; i++)
        for (int j = 0; j < T && j < width; j++) {
            vector summand = {0};
            if (count == LANES)
                summand = load(z + i * row + j * job->M);
            else
                memcpy(&summand, z + i * row + j * job->M, (size_t)count * sizeof(float));
            v[T * i + j] += summand;
        }
    if (job->bounded) {
        UNROLL for (int i = 0; i < T * T; i++) v[i] = bound(v[i], &job->bounds);
    }
}

/* The `count` outputs of a vector that there are, of the T x T positions that there are. */
INLINE void write_output(const int T, const struct mc_winograd *job, const vector *v, float *y, int64_t height,
                         int64_t width, int64_t count)
{
    const int64_t row = job->out[1] * job->M;
    if (height >= T && width >= T && count == LANES) {
        UNROLL for (int i = 0; i < T * T; i++) store(y + i / T * row + i % T * job->M, v[i]);
        return;
    }
    for (int64_t i = 0; i < T && i < height; i++)
        for (int64_t j = 0; j < T && j < width; j++)
            memcpy(y + i * row + j * job->M, &v[T * i + j], (size_t)count * sizeof(float));
}

INLINE void transform_outputs(const int T, const struct mc_winograd *job, const float *points_, const float *b,
                              const float *z, float *y, int64_t first, int64_t n, int64_t panel)
{
    struct place tile = place_of(job, first);
    for (int64_t i = 0; i < n; i++, place_step(job, &tile)) {
        const int64_t top = tile.row * T, left = tile.column * T;
        const int64_t at = ((tile.image * job->out[0] + top) * job->out[1] + left) * job->M;
        for (int64_t k = 0; k < job->panel; k += LANES) {
            const int64_t m = panel * job->panel + k, count = job->M - m < LANES ? job->M - m : LANES;
            if (count <= 0) break;
            vector v[16], bias = {0};
            if (b) memcpy(&bias, b + m, (size_t)count * sizeof(float));
            transform_output(T, points_ + i * job->panel + k, output_step(job), bias, v);
            finish_output(T, job, v, z ? z + at + m : NULL, job->out[0] - top, job->out[1] - left, count);
            write_output(T, job, v, y + at + m, job->out[0] - top, job->out[1] - left, count);
        }
    }
}

/* --- a block --- */

static size_t room_floats(const struct mc_winograd *job)
{
    return (size_t)(round_up(job->C, LANES) + points(job) * (input_step(job) + output_step(job)));
}

static void run(const struct mc_winograd *job, const float *x, const float *b, const float *z, float *y, int64_t block,
                int64_t from, int64_t to, float *room)
{
    const int64_t first = block * job->block, left = job->n_tiles - first, n = left < job->block ? left : job->block;
    const int64_t zeros = round_up(job->C, LANES);
    float *const inputs = room + zeros, *const outputs = inputs + points(job) * input_step(job);
    memset(room, 0, (size_t)zeros * sizeof *room);
    if (job->tile == 2)
        transform_inputs(2, job, x, first, n, room, inputs, input_step(job));
    else
        transform_inputs(4, job, x, first, n, room, inputs, input_step(job));
    for (int64_t panel = from; panel < to; panel++) {
        multiply_points(job, n, inputs, job->weights + panel * points(job) * job->C * job->panel, outputs);
        if (job->tile == 2)
            transform_outputs(2, job, outputs, b, z, y, first, n, panel);
        else
            transform_outputs(4, job, outputs, b, z, y, first, n, panel);
    }
}

const struct mc_winograd_loops MC_VARIANT(mc_winograd_loops) = {
    .lanes = LANES,
    .most_lanes = LANES * MOST_VECTORS,
    .packed_floats = packed_floats,
    .room_floats = room_floats,
    .pack = pack,
    .run = run,
};
