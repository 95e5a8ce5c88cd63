/* pointwise_loops.c - products with packed weights; see pointwise.h. Compiled once per instruction set, with
 * multiplications and additions contracted. */
#include "kernel/panel.h"
#include "kernel/pointwise.h"

#ifndef MC_VARIANT
#define MC_VARIANT(name) name##_portable
#endif
extern const struct mc_pointwise_loops MC_VARIANT(mc_pointwise_loops);

static int64_t vectors(const struct mc_pointwise *job)
{
    return round_up(job->M, LANES) / LANES;
}

static size_t packed_floats(const struct mc_pointwise *job)
{
    return (size_t)(vectors(job) * LANES * job->C);
}

/* Vectors [first, first + n) of a panel. */
struct range {
    int64_t first, n;
};

static struct range range_of(const struct mc_pointwise *job, int64_t panel)
{
    const int64_t first = vectors(job) * panel / job->n_panels;
    return (struct range){first, vectors(job) * (panel + 1) / job->n_panels - first};
}

/* First output of a vector. */
static int64_t start_of(const struct mc_pointwise *job, int64_t v)
{
    return v * LANES + LANES <= job->M ? v * LANES : job->M - LANES;
}

static void pack(const struct mc_pointwise *job, const float *w, int64_t panel, float *packed)
{
    const struct range range = range_of(job, panel);
    float *to = packed + range.first * LANES * job->C;
    for (int64_t v = 0; v < range.n; v++) {
        const float *from = w + start_of(job, range.first + v) * job->C;
        for (int64_t c = 0; c < job->C; c++)
            for (int64_t k = 0; k < LANES; k++) to[(c * range.n + v) * LANES + k] = from[k * job->C + c];
    }
}

static void run(const struct mc_pointwise *job, const float *x, const float *b, float *y, int64_t n, int64_t from,
                int64_t to)
{
    const bool far = packed_floats(job) > IN_CACHE;
    for (int64_t panel = from; panel < to; panel++) {
        const struct range range = range_of(job, panel);
        const int64_t start = range.first * LANES;
        struct product p = {
            .depth = job->C,
            .a = x,
            .a_row = job->C,
            .b = job->weights + start * job->C,
            .next = job->weights + (range.first + range.n) * LANES * job->C,
            .bias = b ? b + start : NULL,
            .y = y + start,
            .y_row = job->M,
            .last = start_of(job, range.first + range.n - 1) - start,
        };
        multiply_panel(range.n, far, n, &p);
    }
}

const struct mc_pointwise_loops MC_VARIANT(mc_pointwise_loops) = {
    .lanes = LANES,
    .most_lanes = LANES * MOST_VECTORS,
    .packed_floats = packed_floats,
    .pack = pack,
    .run = run,
};
