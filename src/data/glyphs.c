/* glyphs.c - the embedded data set: hand-like digits that the program draws itself.
 *
 * A digit is a few strokes, each a chain of cubic Bezier curves in the unit square (y grows downwards), in one of
 * several ways of writing it. A sample bends them: every control point trembles, an affine map slants, turns,
 * stretches and shifts the whole, a smooth displacement field warps it; a pen of random width and softness draws
 * it, and noise falls on the paper. Sample i under a seed is always the same picture, whichever thread draws it.
 *
 * The amounts are chosen so that a linear model stays under 92 % and a convolutional net passes 98.5 %; see
 * docs/data.md for the measurement.
 */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "data/source.h"

enum {
    SIDE = 28,
    CLASSES = 10,
    MAX_STROKES = 3,
    MAX_CURVES = 4,
    STEPS = 8, /* line segments a curve */
    MAX_LINES = MAX_STROKES * MAX_CURVES * STEPS,
    DEFAULT_TRAIN = 8000,
    DEFAULT_TEST = 2000,
    MAX_SAMPLES = 1000000,
};

struct point {
    double x, y;
};

struct stroke {
    int n_curves;
    struct point p[1 + 3 * MAX_CURVES]; /* start, then two handles and an end for each curve */
};

struct way { /* one way of writing a digit */
    int digit;
    int n_strokes;
    struct stroke strokes[MAX_STROKES];
};

#define P(x, y)                                                                                                        \
    {                                                                                                                  \
        x, y                                                                                                           \
    }

static const struct way ways[] = {
    {0,
     1,
     {{4,
       {P(.5, .1), P(.3, .1), P(.2, .3), P(.2, .5), P(.2, .7), P(.3, .9), P(.5, .9), P(.7, .9), P(.8, .7), P(.8, .5),
        P(.8, .3), P(.7, .1), P(.5, .1)}}}},
    {0,
     1,
     {{4,
       {P(.6, .12), P(.35, .05), P(.2, .4), P(.25, .65), P(.3, .9), P(.5, .95), P(.62, .85), P(.8, .7), P(.8, .35),
        P(.7, .2), P(.65, .1), P(.5, .1), P(.42, .18)}}}},
    {1, 1, {{1, {P(.5, .1), P(.5, .4), P(.5, .6), P(.5, .9)}}}},
    {1, 1, {{2, {P(.33, .3), P(.4, .25), P(.48, .18), P(.52, .1), P(.52, .4), P(.52, .6), P(.52, .9)}}}},
    {1,
     2,
     {{2, {P(.33, .3), P(.4, .25), P(.48, .18), P(.52, .1), P(.52, .4), P(.52, .6), P(.52, .9)}},
      {1, {P(.32, .9), P(.45, .9), P(.6, .9), P(.72, .9)}}}},
    {2,
     1,
     {{3,
       {P(.24, .28), P(.28, .05), P(.75, .02), P(.74, .32), P(.73, .55), P(.35, .7), P(.24, .9), P(.4, .88), P(.6, .9),
        P(.78, .88)}}}},
    {2,
     1,
     {{4,
       {P(.25, .25), P(.35, .08), P(.7, .05), P(.7, .3), P(.7, .5), P(.45, .75), P(.3, .85), P(.15, .93), P(.2, .7),
        P(.38, .78), P(.5, .83), P(.6, .95), P(.8, .82)}}}},
    {3,
     1,
     {{4,
       {P(.26, .2), P(.4, .05), P(.74, .05), P(.72, .28), P(.7, .42), P(.55, .47), P(.42, .48), P(.6, .46), P(.8, .55),
        P(.77, .72), P(.74, .95), P(.35, .95), P(.23, .78)}}}},
    {3,
     1,
     {{4,
       {P(.25, .12), P(.4, .12), P(.55, .12), P(.73, .12), P(.6, .25), P(.5, .35), P(.42, .44), P(.65, .42), P(.8, .55),
        P(.76, .72), P(.72, .92), P(.4, .95), P(.22, .82)}}}},
    {4,
     2,
     {{2, {P(.38, .1), P(.32, .3), P(.25, .45), P(.2, .6), P(.4, .6), P(.6, .6), P(.82, .58)}},
      {1, {P(.64, .3), P(.63, .5), P(.62, .7), P(.62, .92)}}}},
    {4,
     1,
     {{3,
       {P(.62, .92), P(.62, .6), P(.62, .3), P(.62, .08), P(.5, .25), P(.3, .45), P(.18, .64), P(.4, .64), P(.6, .64),
        P(.84, .64)}}}},
    {4,
     2,
     {{2, {P(.25, .12), P(.24, .3), P(.22, .4), P(.26, .5), P(.4, .56), P(.6, .53), P(.72, .48)}},
      {1, {P(.72, .1), P(.72, .4), P(.72, .6), P(.7, .92)}}}},
    {5,
     2,
     {{3,
       {P(.3, .12), P(.29, .25), P(.27, .35), P(.26, .46), P(.45, .36), P(.78, .42), P(.76, .66), P(.74, .95),
        P(.35, .95), P(.22, .8)}},
      {1, {P(.3, .12), P(.45, .12), P(.6, .12), P(.75, .1)}}}},
    {5,
     1,
     {{4,
       {P(.74, .12), P(.55, .1), P(.42, .12), P(.32, .14), P(.3, .25), P(.3, .35), P(.28, .46), P(.5, .4), P(.75, .45),
        P(.74, .65), P(.72, .9), P(.4, .92), P(.24, .85)}}}},
    {6,
     1,
     {{4,
       {P(.66, .1), P(.4, .15), P(.24, .45), P(.24, .66), P(.25, .85), P(.4, .92), P(.52, .9), P(.7, .88), P(.78, .7),
        P(.72, .58), P(.65, .42), P(.35, .45), P(.26, .68)}}}},
    {6,
     1,
     {{4,
       {P(.45, .08), P(.3, .3), P(.22, .5), P(.24, .68), P(.26, .88), P(.45, .94), P(.6, .86), P(.75, .78), P(.72, .55),
        P(.55, .54), P(.42, .53), P(.3, .6), P(.27, .75)}}}},
    {7, 1, {{2, {P(.22, .14), P(.4, .14), P(.6, .14), P(.78, .12), P(.65, .35), P(.5, .6), P(.42, .9)}}}},
    {7,
     2,
     {{2, {P(.22, .14), P(.4, .14), P(.6, .14), P(.78, .12), P(.65, .35), P(.5, .6), P(.42, .9)}},
      {1, {P(.36, .5), P(.45, .5), P(.6, .5), P(.7, .48)}}}},
    {7,
     1,
     {{3,
       {P(.2, .26), P(.2, .18), P(.22, .14), P(.24, .12), P(.45, .16), P(.6, .12), P(.76, .12), P(.7, .4), P(.6, .65),
        P(.56, .92)}}}},
    {8,
     1,
     {{4,
       {P(.7, .2), P(.55, .02), P(.2, .12), P(.3, .32), P(.4, .5), P(.8, .55), P(.74, .76), P(.68, .96), P(.3, .95),
        P(.26, .75), P(.24, .55), P(.7, .45), P(.7, .2)}}}},
    {8,
     2,
     {{4,
       {P(.5, .08), P(.3, .08), P(.28, .22), P(.28, .28), P(.28, .4), P(.4, .46), P(.5, .46), P(.62, .46), P(.72, .4),
        P(.72, .28), P(.72, .15), P(.6, .08), P(.5, .08)}},
      {4,
       {P(.5, .46), P(.32, .46), P(.24, .58), P(.24, .68), P(.24, .82), P(.38, .92), P(.5, .92), P(.65, .92),
        P(.76, .82), P(.76, .68), P(.76, .55), P(.65, .46), P(.5, .46)}}}},
    {9,
     1,
     {{4,
       {P(.74, .3), P(.68, .05), P(.3, .08), P(.28, .3), P(.28, .52), P(.65, .55), P(.74, .28), P(.76, .5), P(.72, .7),
        P(.66, .92), P(.66, .92), P(.66, .92), P(.66, .92)}}}},
    {9,
     1,
     {{4,
       {P(.7, .2), P(.5, .02), P(.25, .15), P(.28, .34), P(.3, .55), P(.68, .5), P(.71, .2), P(.75, .5), P(.8, .75),
        P(.6, .88), P(.5, .94), P(.38, .92), P(.3, .84)}}}},
};

#undef P

/* --- one sample --- */

struct lines { /* the strokes as straight pieces, in pixels */
    int n;
    struct point from[MAX_LINES], to[MAX_LINES];
};

struct warp { /* affine map about the middle, then a displacement by one slow wave along each axis */
    double a, b, c, d, dx, dy;
    double wave_x, wave_y, phase_x, phase_y, period_x, period_y;
};

static struct warp draw_warp(struct mc_rng *rng)
{
    const double turn = 0.18 * mc_rng_normal(rng), slant = 0.22 * mc_rng_normal(rng);
    const double width = mc_rng_range(rng, 0.6, 1.0), height = mc_rng_range(rng, 0.75, 1.0);
    struct warp w;
    w.a = width * cos(turn);
    w.b = width * slant - height * sin(turn);
    w.c = width * sin(turn);
    w.d = height * cos(turn);
    w.dx = mc_rng_range(rng, -0.085, 0.085);
    w.dy = mc_rng_range(rng, -0.085, 0.085);
    w.wave_x = 0.025 * mc_rng_normal(rng);
    w.wave_y = 0.025 * mc_rng_normal(rng);
    w.phase_x = mc_rng_range(rng, 0, 6.283185307179586);
    w.phase_y = mc_rng_range(rng, 0, 6.283185307179586);
    w.period_x = mc_rng_range(rng, 4, 9);
    w.period_y = mc_rng_range(rng, 4, 9);
    return w;
}

/* From the unit square to pixels. */
static struct point apply_warp(const struct warp *w, struct point p)
{
    const double x = p.x - 0.5, y = p.y - 0.5;
    const double u = w->a * x + w->b * y, v = w->c * x + w->d * y;
    const double s = u + w->dx + w->wave_x * sin(w->period_x * v + w->phase_x);
    const double t = v + w->dy + w->wave_y * sin(w->period_y * u + w->phase_y);
    const double margin = 3, span = SIDE - 2 * margin;
    return (struct point){margin + span * (s + 0.5), margin + span * (t + 0.5)};
}

static struct point bezier(const struct point *p, double t)
{
    const double s = 1 - t, a = s * s * s, b = 3 * s * s * t, c = 3 * s * t * t, d = t * t * t;
    return (struct point){a * p[0].x + b * p[1].x + c * p[2].x + d * p[3].x,
                          a * p[0].y + b * p[1].y + c * p[2].y + d * p[3].y};
}

static void flatten(const struct way *way, const struct warp *warp, struct mc_rng *rng, struct lines *lines)
{
    lines->n = 0;
    for (int s = 0; s < way->n_strokes; s++) {
        struct stroke stroke = way->strokes[s];
        for (int i = 0; i < 1 + 3 * stroke.n_curves; i++) {
            stroke.p[i].x += 0.025 * mc_rng_normal(rng);
            stroke.p[i].y += 0.025 * mc_rng_normal(rng);
        }
        struct point last = apply_warp(warp, stroke.p[0]);
        for (int k = 0; k < stroke.n_curves * STEPS; k++) {
            const struct point *curve = stroke.p + 3 * (k / STEPS);
            const struct point next = apply_warp(warp, bezier(curve, (k % STEPS + 1.0) / STEPS));
            lines->from[lines->n] = last;
            lines->to[lines->n++] = next;
            last = next;
        }
    }
}

static double squared_distance(double x, double y, struct point a, struct point b)
{
    const double dx = b.x - a.x, dy = b.y - a.y, length = dx * dx + dy * dy;
    double t = length > 0 ? ((x - a.x) * dx + (y - a.y) * dy) / length : 0;
    t = t < 0 ? 0 : t > 1 ? 1 : t;
    const double ex = a.x + t * dx - x, ey = a.y + t * dy - y;
    return ex * ex + ey * ey;
}

/* Ink of a pen with radius `radius` and an edge that fades over 2 * `soft` pixels; the strongest line counts. */
static void draw(const struct lines *lines, double radius, double soft, double *ink)
{
    memset(ink, 0, SIDE * SIDE * sizeof *ink);
    const double reach = radius + soft;
    for (int k = 0; k < lines->n; k++) {
        const struct point a = lines->from[k], b = lines->to[k];
        const int left = (int)fmax(0, fmin(a.x, b.x) - reach), right = (int)fmin(SIDE - 1, fmax(a.x, b.x) + reach);
        const int top = (int)fmax(0, fmin(a.y, b.y) - reach), bottom = (int)fmin(SIDE - 1, fmax(a.y, b.y) + reach);
        for (int y = top; y <= bottom; y++)
            for (int x = left; x <= right; x++) {
                const double d = sqrt(squared_distance(x + 0.5, y + 0.5, a, b));
                const double level = (reach - d) / (2 * soft);
                if (level > ink[y * SIDE + x]) ink[y * SIDE + x] = level < 1 ? level : 1;
            }
    }
}

static const struct way *choose_way(int digit, struct mc_rng *rng)
{
    size_t first = 0, n = 0;
    while (ways[first].digit != digit) first++;
    while (first + n < MC_COUNT(ways) && ways[first + n].digit == digit) n++;
    return &ways[first + mc_rng_below(rng, n)];
}

static int64_t draw_sample(struct mc_rng *rng, unsigned char *pixels)
{
    struct lines lines;
    double ink[SIDE * SIDE];
    const int digit = (int)mc_rng_below(rng, CLASSES);
    const struct way *way = choose_way(digit, rng);
    const struct warp warp = draw_warp(rng);
    flatten(way, &warp, rng, &lines);
    const double radius = mc_rng_range(rng, 0.6, 1.7), soft = mc_rng_range(rng, 0.4, 0.9);
    draw(&lines, radius, soft, ink);
    const double strength = mc_rng_range(rng, 0.6, 1), noise = mc_rng_range(rng, 0, 0.12);
    for (int i = 0; i < SIDE * SIDE; i++) {
        const double value = 255 * (strength * ink[i] + noise * mc_rng_normal(rng));
        pixels[i] = (unsigned char)(value < 0 ? 0 : value > 255 ? 255 : lrint(value));
    }
    return digit;
}

/* --- the source --- */

static int make_source(struct mc_source **out, int64_t n, uint64_t seed, const char *stream, struct mc_error *err)
{
    struct mc_memory_source *m = mc_memory_source_create();
    if (!m) return mc_error_memory(err);
    *out = &m->base;
    m->bytes = MC_NEW_ARRAY(unsigned char, n *SIDE *SIDE);
    m->labels = MC_NEW_ARRAY(int64_t, n);
    if (!m->bytes || !m->labels) return mc_error_memory(err);
    const uint64_t origin = mc_hash(stream);
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; i++) {
        struct mc_rng rng;
        mc_rng_init(&rng, seed, origin + (uint64_t)i);
        m->labels[i] = draw_sample(&rng, m->bytes + i * SIDE * SIDE);
    }
    m->scale = 1.0 / 255;
    m->base.n_samples = n;
    m->base.sample = mc_shape_of(3, (int64_t[]){1, SIDE, SIDE});
    m->base.task = MC_TASK_CLASSIFICATION;
    m->base.n_classes = CLASSES;
    return MC_OK;
}

int mc_source_open_glyphs(const struct mc_spec *spec, const char *path, struct mc_source *sources[MC_DATA_ROLES],
                          struct mc_error *err)
{
    int64_t seed, n_train, n_test;
    int rc = mc_spec_integer(spec, "seed", 0, INT64_MAX, 0, &seed, err);
    if (rc == MC_OK) rc = mc_spec_integer(spec, "train", 1, MAX_SAMPLES, DEFAULT_TRAIN, &n_train, err);
    if (rc == MC_OK) rc = mc_spec_integer(spec, "test", 1, MAX_SAMPLES, DEFAULT_TEST, &n_test, err);
    if (rc == MC_OK) rc = make_source(&sources[MC_DATA_TRAIN], n_train, (uint64_t)seed, "glyphs/train", err);
    if (rc == MC_OK) rc = make_source(&sources[MC_DATA_TEST], n_test, (uint64_t)seed, "glyphs/test", err);
    return rc;
}
