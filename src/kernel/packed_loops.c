/* packed_loops.c - products with packed weights; see packed.h. Compiled once per instruction set, with multiplications
 * and additions contracted. */
#include "kernel/packed.h"

#include <string.h>

#include "kernel/panel.h"

#ifndef MC_VARIANT
#define MC_VARIANT(name) name##_portable
#endif
extern const struct mc_packed_loops MC_VARIANT(mc_packed_loops);

static int64_t vectors(const struct mc_panels *panels)
{
    return round_up(panels->M, LANES) / LANES;
}

/* Of what is kept; a multiple of a vector. */
static int64_t element_bytes(const struct mc_panels *panels)
{
    return panels->kind == MC_PACKED_FLOATS ? sizeof(float) : sizeof(uint16_t);
}

static size_t bytes(const struct mc_panels *panels)
{
    return (size_t)(vectors(panels) * LANES * panels->K * element_bytes(panels));
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

/* Vector number i, of what is exactly of that kind. */
static void put(const float *from, enum mc_packed_kind kind, void *packed, int64_t i)
{
#if defined(CAN_WIDEN)
    uint16_t *const to = (uint16_t *)packed + i * LANES;
    if (kind == MC_PACKED_HALVES) store_halves(to, load(from));
    for (int64_t k = 0; k < LANES && kind == MC_PACKED_BFLOATS; k++) {
        uint32_t bits;
        memcpy(&bits, from + k, sizeof bits);
        to[k] = (uint16_t)(bits >> 16);
    }
    if (kind != MC_PACKED_FLOATS) return;
#endif
    store((float *)packed + i * LANES, load(from));
}

static void pack(const struct mc_panels *panels, const struct mc_unpacked *w, int64_t panel, void *packed)
{
    const struct range range = range_of(panels, panel);
    for (int64_t v = 0; v < range.n; v++) {
        const int64_t start = start_of(panels, range.first + v);
        for (int64_t k = 0; k < panels->K; k++) {
            const float *from = mc_unpacked_row(w, k) + start * w->column_step;
            float numbers[LANES];
            for (int64_t i = 0; i < LANES; i++) numbers[i] = from[i * w->column_step];
            put(numbers, panels->kind, packed, range.first * panels->K + k * range.n + v);
        }
    }
}

#if defined(CAN_WIDEN)
static void multiply_halves(int64_t V, bool far, int64_t n, struct product *p)
{
    multiply_vectors(HALVES, V, far, n, p);
}

static void multiply_bfloats(int64_t V, bool far, int64_t n, struct product *p)
{
    multiply_vectors(BFLOATS, V, far, n, p);
}
#endif

static inline void multiply_kind(enum mc_packed_kind kind, int64_t V, bool far, int64_t n, struct product *p)
{
    if (kind == MC_PACKED_FLOATS) multiply_panel(V, far, n, p);
#if defined(CAN_WIDEN)
    if (kind == MC_PACKED_HALVES) multiply_halves(V, far, n, p);
    if (kind == MC_PACKED_BFLOATS) multiply_bfloats(V, far, n, p);
#endif
}

static void run(const struct mc_panels *panels, const struct mc_packed_rows *rows, const float *b, int64_t from,
                int64_t to)
{
    const int64_t size = element_bytes(panels);
    const bool far = bytes(panels) > IN_CACHE * sizeof(float);
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
                .b = (const char *)panels->packed + start * panels->K * size,
                .next = (const char *)panels->packed + (range.first + range.n) * LANES * panels->K * size,
                .bias = b ? b + start : NULL,
                .z = rows->z ? rows->z + line * rows->y_line + start : NULL,
                .bounds = rows->bounds,
                .y = rows->y + line * rows->y_line + start,
                .y_row = rows->y_row,
                .last = start_of(panels, range.first + range.n - 1) - start,
            };
            multiply_kind(panels->kind, range.n, far && line == 0, rows->n, &p);
        }
    }
}

const struct mc_packed_loops MC_VARIANT(mc_packed_loops) = {
    .lanes = LANES,
    .most_lanes = LANES * MOST_VECTORS,
#if defined(CAN_WIDEN)
    .halves = true,
#endif
#if defined(__AVX2__) && !defined(__AVX512F__)
    .fast = true,
#endif
    .bytes = bytes,
    .pack = pack,
    .run = run,
};
