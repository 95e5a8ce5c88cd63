/* packed_loops.c - products with packed weights; see packed.h. Compiled once per instruction set, with multiplications
 * and additions contracted. */
#include "kernel/packed.h"

#include "kernel/panel.h"

#ifndef MC_VARIANT
#define MC_VARIANT(name) name##_portable
#endif
extern const struct mc_packed_loops MC_VARIANT(mc_packed_loops);

static int64_t vectors(const struct mc_panels *panels)
{
    return round_up(panels->M, LANES) / LANES;
}

static size_t floats(const struct mc_panels *panels)
{
    return (size_t)(vectors(panels) * LANES * panels->K);
}

/* Vectors [first, first + n) of a panel. */
struct range {
    int64_t first, n;
};

static struct range range_of(const struct mc_panels *panels, int64_t panel)
{
    const int64_t first = vectors(panels) * panel / panels->n;
    return (struct range){first, vectors(panels) * (panel + 1) / panels->n - first};
}

/* First column of a vector. */
static int64_t start_of(const struct mc_panels *panels, int64_t v)
{
    return v * LANES + LANES <= panels->M ? v * LANES : panels->M - LANES;
}

/* Of row k of w, its first column. */
static const float *row_of(const struct mc_unpacked *w, int64_t k)
{
    return w->inner ? w->w + k / w->inner * w->row_step + k % w->inner * w->inner_step : w->w + k * w->row_step;
}

static void pack(const struct mc_panels *panels, const struct mc_unpacked *w, int64_t panel, float *packed)
{
    const struct range range = range_of(panels, panel);
    float *to = packed + range.first * LANES * panels->K;
    for (int64_t v = 0; v < range.n; v++) {
        const int64_t start = start_of(panels, range.first + v);
        for (int64_t k = 0; k < panels->K; k++) {
            const float *from = row_of(w, k) + start * w->column_step;
            for (int64_t i = 0; i < LANES; i++) to[(k * range.n + v) * LANES + i] = from[i * w->column_step];
        }
    }
}

static void run(const struct mc_panels *panels, const struct mc_packed_rows *rows, const float *b, int64_t from,
                int64_t to)
{
    const bool far = floats(panels) > IN_CACHE;
    for (int64_t panel = from; panel < to; panel++) {
        const struct range range = range_of(panels, panel);
        const int64_t start = range.first * LANES;
        for (int64_t line = 0; line < rows->n_lines; line++) {
            struct product p = {
                .run = panels->K / rows->n_runs,
                .a = rows->x + line * rows->line,
                .a_row = rows->row,
                .runs = rows->runs,
                .n_runs = rows->n_runs,
                .b = panels->packed + start * panels->K,
                .next = panels->packed + (range.first + range.n) * LANES * panels->K,
                .bias = b ? b + start : NULL,
                .z = rows->z ? rows->z + line * rows->y_line + start : NULL,
                .bounds = rows->bounds,
                .y = rows->y + line * rows->y_line + start,
                .y_row = rows->y_row,
                .last = start_of(panels, range.first + range.n - 1) - start,
            };
            multiply_panel(range.n, far && line == 0, rows->n, &p);
        }
    }
}

const struct mc_packed_loops MC_VARIANT(mc_packed_loops) = {
    .lanes = LANES,
    .most_lanes = LANES * MOST_VECTORS,
    .floats = floats,
    .pack = pack,
    .run = run,
};
