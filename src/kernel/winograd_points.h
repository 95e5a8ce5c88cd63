/* winograd_points.h - tiles of inputs at the points of winograd.h: for sources that are compiled once per instruction
 * set, with multiplications and additions contracted.
 */
#ifndef MC_KERNEL_WINOGRAD_POINTS_H
#define MC_KERNEL_WINOGRAD_POINTS_H

#include <stdbool.h>
#include <string.h>

#include "kernel/panel.h"
#include "kernel/winograd.h"

enum { MOST_POINTS = 36 };

static inline int64_t points(const struct mc_winograd *job)
{
    return (job->tile + 2) * (job->tile + 2);
}

/* Which tile: of which image, where in it. */
struct place {
    int64_t image, row, column;
};

static inline struct place place_of(const struct mc_winograd *job, int64_t tile)
{
    return (struct place){tile / (job->tiles[0] * job->tiles[1]), tile / job->tiles[1] % job->tiles[0],
                          tile % job->tiles[1]};
}

static inline void place_step(const struct mc_winograd *job, struct place *tile)
{
    if (++tile->column < job->tiles[1]) return;
    tile->column = 0;
    if (++tile->row < job->tiles[0]) return;
    tile->row = 0;
    tile->image++;
}

/* --- the transforms along one axis --- */

#define ROOT2 1.41421356237309504880
#define ROOT2F ((float)ROOT2)

/* B' x: 4 inputs to 4 points, or 6 to 6. */
INLINE void to_points_2(const vector *x, int step, vector *p, int p_step)
{
    p[0 * p_step] = x[0 * step] - x[2 * step];
    p[1 * p_step] = x[2 * step] + x[1 * step];
    p[2 * p_step] = x[2 * step] - x[1 * step];
    p[3 * p_step] = x[3 * step] - x[1 * step];
}

INLINE void to_points_4(const vector *x, int step, vector *p, int p_step)
{
    const vector even_a = x[4 * step] - 2.0f * x[2 * step], odd_a = (x[3 * step] - 2.0f * x[1 * step]) * (ROOT2F / 2);
    const vector even_b = x[4 * step] - 0.5f * x[2 * step], odd_b = (x[3 * step] - 0.5f * x[1 * step]) * ROOT2F;
    p[0 * p_step] = x[0 * step] + x[4 * step] - 2.5f * x[2 * step];
    p[1 * p_step] = even_a + odd_a;
    p[2 * p_step] = even_a - odd_a;
    p[3 * p_step] = even_b + odd_b;
    p[4 * p_step] = even_b - odd_b;
    p[5 * p_step] = x[1 * step] + x[5 * step] - 2.5f * x[3 * step];
}

INLINE void to_points(const int T, const vector *x, int step, vector *p, int p_step)
{
    if (T == 2)
        to_points_2(x, step, p, p_step);
    else
        to_points_4(x, step, p, p_step);
}

/* Of vectors of filters, which are evaluated once and for all, so exactly. */
typedef double wide __attribute__((vector_size(LANES * sizeof(double))));

/* --- inputs to points --- */

/* Where the inputs of a tile begin; `nowhere` for those outside the image. */
INLINE void find_inputs(const int T, const struct mc_winograd *job, const float *x, struct place tile,
                        const float *nowhere, const float *at[MOST_POINTS])
{
    const int n = T + 2;
    const int64_t top = tile.row * T - job->begin[0], left = tile.column * T - job->begin[1];
    const int64_t origin = ((tile.image * job->in[0] + top) * job->in[1] + left) * job->C; /* may be outside */
    for (int i = 0; i < n; i++) {
        const bool inside = top + i >= 0 && top + i < job->in[0];
        UNROLL for (int j = 0; j < n; j++)
        {
            const bool all_inside = inside & (left + j >= 0) & (left + j < job->in[1]);
            at[n * i + j] = all_inside ? x + (origin + (i * job->in[1] + j) * job->C) : nowhere;
        }
    }
}

/* One vector of channels. */
INLINE void transform_input(const int T, const float *const *at, int64_t c, float *to, int64_t step)
{
    const int n = T + 2;
    vector x[MOST_POINTS], half[MOST_POINTS];
    UNROLL for (int i = 0; i < n * n; i++) x[i] = load(at[i] + c);
    UNROLL for (int j = 0; j < n; j++) to_points(T, &x[j], n, &half[j], n);
    UNROLL for (int i = 0; i < n; i++)
    {
        vector p[6];
        to_points(T, &half[n * i], 1, p, 1);
        UNROLL for (int j = 0; j < n; j++) store(to + (n * i + j) * step, p[j]);
    }
}

/* The last channels, fewer than a vector has. */
INLINE void transform_rest(const int T, const float *const *at, int64_t c, int64_t rest, float *to, int64_t step)
{
    const int n = T + 2;
    float copies[MOST_POINTS][LANES];
    const float *copy_at[MOST_POINTS];
    for (int i = 0; i < n * n; i++) {
        copy_at[i] = copies[i];
        memset(copies[i], 0, sizeof copies[i]);
        memcpy(copies[i], at[i] + c, (size_t)rest * sizeof(float));
    }
    transform_input(T, copy_at, 0, to, step);
}

/* n tiles from the first on; `to` has [tiles, C] at each point, with `step` floats from one point to the next. C is
 * rounded up to vectors. */
INLINE void transform_inputs(const int T, const struct mc_winograd *job, const float *x, int64_t first, int64_t n,
                             const float *nowhere, float *to, int64_t step)
{
    const int64_t row = round_up(job->C, LANES);
    struct place tile = place_of(job, first);
    for (int64_t i = 0; i < n; i++, place_step(job, &tile)) {
        const float *at[MOST_POINTS];
        int64_t c = 0;
        find_inputs(T, job, x, tile, nowhere, at);
        for (; c + LANES <= job->C; c += LANES) transform_input(T, at, c, to + i * row + c, step);
        if (c < job->C) transform_rest(T, at, c, job->C - c, to + i * row + c, step);
    }
}

#endif
